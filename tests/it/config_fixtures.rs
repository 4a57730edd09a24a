//! The configurations under `tests/fixtures/config`, read the way the daemon reads a commit.

use std::{collections::BTreeMap, fs, path::Path};

use dialops::config::{self, Diagnostic, Settings, Simulation, SourceFile, code::Code};

/// Where the fixtures are.
pub(crate) const FIXTURES: &str = "tests/fixtures/config";

/// Files by their path in a repository.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Files of a folder, by path inside it.
pub(crate) fn files(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(inside, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Writes files below a folder.
pub(crate) fn write(root: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// All that is wrong with settings and campaigns; that this version does not dial by a setting yet
/// is no fault of theirs.
pub(crate) fn faults(files: &Files) -> Vec<Diagnostic> {
    let settings = std::str::from_utf8(&files["dialops.toml"]).unwrap();
    let settings = match Settings::parse(Path::new("dialops.toml"), settings) {
        Ok(settings) => settings,
        Err(faults) => return faults,
    };
    let inside = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix("campaigns/")?, bytes)));
    let (sources, others): (Vec<_>, Vec<_>) = inside.partition(|(path, _)| config::is_configuration(path));
    for (path, bytes) in others.into_iter().filter(|(path, _)| path.ends_with("sim.toml")) {
        let text = std::str::from_utf8(bytes).unwrap_or("=");
        if let Err(faults) = Simulation::parse(Path::new(path), text) {
            return faults;
        }
    }
    let sources: Vec<_> =
        sources.into_iter().map(|(path, bytes)| SourceFile { folder: "campaigns", path, bytes }).collect();
    let mut faults =
        config::load("campaigns", &sources, &settings.ceilings).map_or_else(|faults| faults, |(_, warnings)| warnings);
    faults.retain(|fault| fault.code != Code::NotDialledYet);
    faults
}
