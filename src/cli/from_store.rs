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
    store::{FilesOf, StoredFiles, inside, sqlite::read_files},
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
    let folders = folders(&args.from_store, &found)?;
    for folder in &folders {
        write(folder)?;
    }
    let checked = check(&folders);
    let mut out = Out::stdout();
    for Folder { of, path, files, .. } in &folders {
        let (files, shown) = (counted(files.len(), "file"), path.display());
        out.line(format!("wrote {files} of commit {} into {shown}", of.revision))?;
    }
    out.finish()?;
    let edits = tell_edits(&found, &campaigns, checked.as_ref().ok());
    if let Err(errors) = checked {
        note(format_args!(
            "{} by this version; the daemon has the files in force as they are",
            counted(errors, "error")
        ));
    } else if edits == 0 {
        let roots: Vec<String> = folders.iter().map(|folder| folder.root.display().to_string()).collect();
        note(format_args!("`git init`, add and commit them in {}", roots.join(" and in ")));
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

/// The folder of campaigns of one source.
struct Folder<'f> {
    of: &'f FilesOf,
    /// What becomes the root of its repository: of several sources each has a folder of its own.
    root: PathBuf,
    path: PathBuf,
    /// By path inside the folder.
    files: Vec<(&'f str, &'f [u8])>,
}

/// Where each source's files go.
fn folders<'f>(root: &Path, found: &'f StoredFiles) -> Result<Vec<Folder<'f>>, Failure> {
    let of = |of: &'f FilesOf| {
        let label = format!("{}:", of.source);
        let (own, folder) = match of.folder.strip_prefix(&label) {
            Some(folder) => (root.join(of.source.as_str()), folder),
            None => (root.to_owned(), of.folder.as_str()),
        };
        let files = found.files.iter().filter_map(|(path, bytes)| Some((inside(&of.folder, path)?, &**bytes)));
        Folder { of, path: own.join(folder), root: own, files: files.collect() }
    };
    let folders: Vec<Folder<'f>> = found.sources.iter().map(of).collect();
    // The daemon refuses such a path; whoever wrote the store may be another.
    let plain = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let strange = folders.iter().flat_map(|folder| &folder.files).find(|(path, _)| !plain(path));
    match strange {
        Some((path, _)) => {
            let error = format!("the store has a file at {path:?}, which is no path in a repository");
            Err(Failure::failed(error, "it was changed by another program"))
        }
        None => Ok(folders),
    }
}

/// Writes files where nothing is yet, so that no other file has a say in what they mean.
fn write(Folder { path: folder, files, .. }: &Folder<'_>) -> Result<(), Failure> {
    let in_the_way = match fs::read_dir(folder) {
        Ok(mut entries) => entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != ".git")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(unwritten(folder, &error)),
    };
    if in_the_way {
        let error = format!("{} is not empty", folder.display());
        return Err(Failure::bad_input(error, "name another folder, so that nothing is mixed up"));
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| unwritten(&path, &error))?;
    }
    Ok(())
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()), "check free space and the folder's mode")
}

/// The campaigns that the files define. Tells what this version has against them, if it has, and how many errors.
fn check(folders: &[Folder<'_>]) -> Result<BTreeSet<String>, usize> {
    let shown: Vec<String> = folders.iter().map(|folder| folder.path.display().to_string()).collect();
    let of = |(folder, name): (&'_ Folder<'_>, &'_ String)| -> Vec<(String, String, Vec<u8>)> {
        folder.files.iter().map(|(path, bytes)| (name.clone(), (*path).to_owned(), bytes.to_vec())).collect()
    };
    let files: Vec<_> = folders.iter().zip(&shown).flat_map(of).collect();
    let sources: Vec<_> = files.iter().map(|(folder, path, bytes)| SourceFile { folder, path, bytes }).collect();
    let first = shown.first().map_or("", String::as_str);
    let diagnostics = match config::load(first, &sources, &outer_ceilings()) {
        Ok((defined, _)) => return Ok(defined.campaigns.keys().map(ToString::to_string).collect()),
        Err(diagnostics) => diagnostics,
    };
    let text = |shown: &str| {
        let (.., bytes) = files.iter().find(|(folder, path, _)| *shown == format!("{folder}/{path}"))?;
        std::str::from_utf8(bytes).ok()
    };
    tell(&diagnostics, text);
    Err(diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count())
}
