//! The files of a folder, and what is wrong with them.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::cli::output::{Failure, note};
use crate::config::{
    Diagnostic, FILE_BYTES_MAX, Settings, SourceFile,
    code::Code,
    diagnostic::{Location, Severity},
    is_configuration, render,
};

/// The same for the system.
const LENGTH_MAX: u64 = FILE_BYTES_MAX as u64;

/// Room to read files in; larger ones have it grow.
const BUFFER: usize = 16 * 1024;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 16;

/// The folder of campaigns: `name` in the repository's root, or the folder itself, known by its
/// `shared`.
pub(in crate::cli) fn campaigns_folder(dir: &Path, name: &str) -> Option<PathBuf> {
    let inside = dir.join(name);
    if inside.is_dir() {
        return Some(inside);
    }
    dir.join("shared").is_dir().then(|| dir.to_owned())
}

/// The same of one source among several, which need not have a `shared`.
pub(in crate::cli) fn source_folder(dir: &Path, name: &str) -> Option<PathBuf> {
    campaigns_folder(dir, name).or_else(|| dir.is_dir().then(|| dir.to_owned()))
}

/// A path as people would type it: without `./`, with `/`.
pub(in crate::cli) fn shown_path(path: &Path) -> String {
    let parts = path.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// What was read and what is wrong with it.
#[derive(Default)]
pub(in crate::cli) struct Checked {
    /// The folder of campaigns as it is shown.
    pub(in crate::cli) folder: String,
    /// Configuration by its path inside the folder of campaigns.
    pub(in crate::cli) files: BTreeMap<String, Vec<u8>>,
    /// Folders of other sources, which are one configuration with it.
    with: Vec<Self>,
    /// Settings by their shown path.
    settings: Option<(String, String)>,
    pub(in crate::cli) diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Reads and checks the settings.
    pub(in crate::cli) fn settings(&mut self, path: &Path) -> Option<Settings> {
        let shown = path.to_string_lossy().into_owned();
        let text = read_file(path, &mut Vec::new()).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
        });
        match text {
            Ok(text) => {
                let (settings, mut found) = Settings::check(path, &text);
                self.settings = Some((shown, text));
                self.diagnostics.append(&mut found);
                settings
            }
            Err(error) => {
                let large = error.kind() == io::ErrorKind::FileTooLarge;
                self.refuse(&shown, if large { error.to_string() } else { format!("cannot be read: {error}") });
                None
            }
        }
    }

    fn refuse(&mut self, path: &str, message: String) {
        let path: Arc<str> = path.into();
        self.diagnostics.push(Diagnostic::error(Code::Unreadable, Location::file(&path), message));
    }

    /// Reads all configuration in the folder of campaigns.
    pub(in crate::cli) fn read_folder(&mut self, folder: &Path) {
        self.folder = shown_path(folder);
        let shown = self.folder.clone();
        self.read_below(folder, &shown, ("", 0), &mut Vec::with_capacity(BUFFER));
    }

    /// Reads the folders of other sources; the first that has none is told.
    pub(in crate::cli) fn read_with(&mut self, others: &[PathBuf], name: &str) -> Result<(), Failure> {
        for dir in others {
            let folder = source_folder(dir, name).filter(|folder| shown_path(folder) != self.folder);
            let folder = folder.ok_or_else(|| {
                let error = format!("{} is not the folder of another source", dir.display());
                Failure::bad_input(error, "name the root of its repository, or its folder of campaigns, with --with")
            })?;
            let mut other = Self::default();
            other.read_folder(&folder);
            self.diagnostics.append(&mut other.diagnostics);
            self.with.push(other);
        }
        Ok(())
    }

    /// Reads what is configuration in a folder; hidden entries are left alone.
    fn read_below(&mut self, folder: &Path, shown: &str, (inside, depth): (&str, usize), buffer: &mut Vec<u8>) {
        let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.refuse(shown, format!("cannot be listed: {error}")),
        };
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.refuse(&format!("{shown}/{}", name.to_string_lossy()), "has a name that is not UTF-8".to_owned());
                continue;
            };
            if name.contains(char::is_control) {
                // The daemon would refuse the whole commit.
                self.refuse(&format!("{shown}/{name}"), "has a name with a control character; rename it".to_owned());
                continue;
            }
            if name.starts_with('.') {
                continue;
            }
            let (path, inside) = (entry.path(), format!("{inside}{name}"));
            let shown = format!("{shown}/{name}");
            match entry.file_type() {
                Ok(kind) if kind.is_symlink() => {
                    self.refuse(&shown, "is a symlink, and those are not followed; commit the file itself".to_owned());
                }
                Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                    self.read_below(&path, &shown, (&format!("{inside}/"), depth + 1), buffer);
                }
                Ok(kind) if kind.is_dir() => self.refuse(&shown, format!("is more than {DEPTH_MAX} folders deep")),
                Ok(kind) if is_configuration(&inside) && !kind.is_file() => {
                    self.refuse(&shown, "is neither a file nor a folder".to_owned());
                }
                Ok(_) if is_configuration(&inside) => match read_file(&path, buffer) {
                    Ok(bytes) => drop(self.files.insert(inside, bytes)),
                    Err(error) => self.refuse(&shown, error.to_string()),
                },
                Ok(_) => {}
                Err(error) => self.refuse(&shown, format!("cannot be read: {error}")),
            }
        }
    }

    /// The text of a file that was read, by its shown path.
    pub(in crate::cli) fn source(&self, path: &str) -> Option<&str> {
        if let Some((known, text)) = &self.settings
            && known == path
        {
            return Some(text.as_str());
        }
        let own = self.inside(path).and_then(|inside| self.files.get(inside));
        own.map_or_else(
            || self.with.iter().find_map(|other| other.source(path)),
            |bytes| std::str::from_utf8(bytes).ok(),
        )
    }

    /// The files as they are loaded, those of other sources too.
    pub(in crate::cli) fn sources(&self) -> Vec<SourceFile<'_>> {
        self.own_sources().chain(self.others()).collect()
    }

    /// The files of the folder itself.
    pub(in crate::cli) fn own_sources(&self) -> impl Iterator<Item = SourceFile<'_>> {
        self.files.iter().map(|(path, bytes)| SourceFile { folder: &self.folder, path, bytes })
    }

    /// The files of other sources.
    pub(in crate::cli) fn others(&self) -> impl Iterator<Item = SourceFile<'_>> {
        self.with.iter().flat_map(Self::own_sources)
    }

    /// The shown paths of all files that were read.
    pub(in crate::cli) fn paths(&self) -> Vec<String> {
        let settings = self.settings.iter().map(|(path, _)| path.clone());
        settings.chain(self.files.keys().map(|inside| self.shown(inside))).collect()
    }

    /// The path inside the folder of a file that is shown by `path`.
    pub(in crate::cli) fn inside<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.folder.is_empty() { Some(path) } else { path.strip_prefix(&self.folder)?.strip_prefix('/') }
    }

    /// The shown path of a file of the folder.
    pub(in crate::cli) fn shown(&self, inside: &str) -> String {
        if self.folder.is_empty() { inside.to_owned() } else { format!("{}/{inside}", self.folder) }
    }

    /// Says in a line how many files were read and what was found.
    pub(in crate::cli) fn write_summary(&self, err: &mut dyn Write) -> io::Result<()> {
        let files = counted(self.files.len(), "file");
        write!(err, "checked {files} in {}: {}", render::visible_line(&self.folder), summary(&self.diagnostics))?;
        let written = |file: &str| self.inside(file).is_some_and(|inside| self.files.contains_key(inside));
        let safe = self.diagnostics.iter().filter(|d| d.suggestion.as_ref().is_some_and(|edit| edit.safe));
        let safe = safe.filter(|d| written(&d.location.file)).count();
        if safe > 0 {
            write!(err, "; `--fix` mends {safe}")?;
        }
        writeln!(err)
    }
}

/// How many there are of each severity: `2 errors, 1 note`.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let counts =
        Severity::ALL.map(|severity| (severity, diagnostics.iter().filter(|d| d.severity == severity).count()));
    let found: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| counted(count, severity.as_str()))
        .collect();
    if found.is_empty() { "nothing wrong".to_owned() } else { found.join(", ") }
}

/// Tells the errors of what was found.
pub(in crate::cli) fn tell<'s>(found: &'s [Diagnostic], source: impl Fn(&str) -> Option<&'s str>) {
    for diagnostic in found.iter().filter(|d| d.severity == Severity::Error) {
        note(format_args!("{}\n", render::text(diagnostic, &source, false)));
    }
}

/// `2 errors`, `1 error`.
pub(in crate::cli) fn counted<N: fmt::Display + From<u8> + PartialEq>(number: N, noun: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Reads a file that is small enough.
///
/// Nothing is asked of the file but its bytes, as each question is a call to the system: of ten thousand
/// files that is felt. `buffer` is as large as most files want.
fn read_file(path: &Path, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    buffer.clear();
    let read = (&file).take(LENGTH_MAX + 1).read_to_end(buffer)? as u64;
    if read > LENGTH_MAX {
        // A device says that it has none.
        let read = file.metadata()?.len().max(read);
        let message =
            format!("has {read} bytes, and {FILE_BYTES_MAX} are allowed; contacts are imported, not committed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(buffer.as_slice().to_vec())
}
