//! `dialops import`: the files in force, out of the store, for whoever has lost the repository.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{
    check::folder::{counted, tell},
    output::{Exit, Failure, Out, note},
    run::{DEFAULT_CONFIG, read_settings},
};
use crate::{
    config::{self, SourceFile, diagnostic::Severity, settings::outer_ceilings},
    store::{StoredFiles, sqlite::read_files},
};

/// Arguments of `dialops import`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder that becomes the root of a configuration repository; its folder of campaigns must not be there yet
    #[arg(long, value_name = "DIR", required = true)]
    from_store: PathBuf,
    /// The store [default: that of the settings, which --config names]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

/// Exits with 2 when there is something in the way, when the files are not good by this version, or when another
/// program has changed them in the store.
pub(super) fn run(args: &Args, config: Option<PathBuf>) -> Result<Exit, Failure> {
    let store = match &args.store {
        Some(store) => store.clone(),
        None => read_settings(&config.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG)))?.0.store,
    };
    let (found, campaigns) = stored(&store)?;
    let folder = args.from_store.join(&found.prefix);
    write(&args.from_store, &folder, &found)?;
    let checked = check(&folder, &found);
    let mut out = Out::stdout();
    let (files, shown) = (counted(found.files.len(), "file"), folder.display());
    out.line(format!("wrote {files} of commit {} into {shown}", found.revision))?;
    out.finish()?;
    let edits = tell_edits(&found, &campaigns, checked.as_ref().ok());
    if let Err(errors) = checked {
        note(format_args!(
            "{} by this version; the daemon has the files in force as they are",
            counted(errors, "error")
        ));
    } else if edits == 0 {
        note(format_args!("`git init`, add and commit them in {}", args.from_store.display()));
        return Ok(Exit::Ok);
    }
    if edits > 0 {
        note(format_args!("put that right before you commit the files: nobody has reviewed it"));
    }
    Ok(Exit::BadInput)
}

/// Tells what another program has changed in the store since the daemon wrote it, as far as that can be found out; how
/// much that is. `defined` are the campaigns that the files define.
fn tell_edits(found: &StoredFiles, campaigns: &BTreeSet<String>, defined: Option<&BTreeSet<String>>) -> usize {
    for path in &found.edited {
        note(format_args!(
            "{path:?} was changed in the store by another program: it is not as the daemon had it in force"
        ));
    }
    let missing: Vec<&String> = defined.into_iter().flat_map(|defined| campaigns.difference(defined)).collect();
    for id in &missing {
        note(format_args!(
            "the file of campaign {id:?}, which is in force, was taken from the store by another program"
        ));
    }
    found.edited.len() + missing.len()
}

fn stored(store: &Path) -> Result<(StoredFiles, BTreeSet<String>), Failure> {
    let shown = store.display();
    fs::File::open(store)
        .map_err(|error| Failure::bad_input(format!("store {shown} can't be read: {error}"), "name it with --store"))?;
    let found = read_files(store).map_err(|error| Failure::from_error(&error))?;
    found.ok_or_else(|| {
        let error = format!("store {shown} has no configuration files");
        Failure::bad_input(error, "they are kept from the first commit that this version's daemon puts in force")
    })
}

/// Writes them where nothing is yet, so that no other file has a say in what they mean.
fn write(root: &Path, folder: &Path, found: &StoredFiles) -> Result<(), Failure> {
    let in_the_way = match fs::read_dir(folder) {
        Ok(mut entries) => entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != ".git")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(unwritten(folder, &error)),
    };
    if in_the_way {
        let error = format!("{} is not empty", folder.display());
        return Err(Failure::bad_input(error, "name another folder, so that nothing is mixed up"));
    }
    for (path, bytes) in &found.files {
        // The daemon refuses such a path; whoever wrote the store may be another.
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            let error = format!("the store has a file at {path:?}, which is no path in a repository");
            return Err(Failure::failed(error, "it was changed by another program"));
        }
        let path = root.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| unwritten(&path, &error))?;
    }
    Ok(())
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()), "check free space and the folder's mode")
}

/// The campaigns that the files define. Tells what this version has against them, if it has, and how many errors.
fn check(folder: &Path, found: &StoredFiles) -> Result<BTreeSet<String>, usize> {
    let inside = |path: &str| path.strip_prefix(&found.prefix).unwrap_or(path).trim_start_matches('/').to_owned();
    let files: Vec<(String, &[u8])> = found.files.iter().map(|(path, bytes)| (inside(path), &**bytes)).collect();
    let sources: Vec<_> = files.iter().map(|(path, bytes)| SourceFile { path, bytes }).collect();
    let shown = folder.display().to_string();
    let diagnostics = match config::load(&shown, &sources, &outer_ceilings()) {
        Ok((defined, _)) => return Ok(defined.campaigns.keys().map(ToString::to_string).collect()),
        Err(diagnostics) => diagnostics,
    };
    let text = |path: &str| {
        let path = Path::new(path).strip_prefix(folder).ok()?.to_str()?;
        std::str::from_utf8(files.iter().find(|(known, _)| known == path)?.1).ok()
    };
    tell(&diagnostics, text);
    Err(diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count())
}
