//! The two sides of a plan: a commit's files, or those of the work tree.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cli::{
        check::folder::{Checked, campaigns_folder, shown_path, source_folder, tell},
        client::Client,
        output::{Failure, note},
    },
    config::{self, Settings, SourceFile, compare, diagnostic::Severity},
    domain::{
        campaign::{Ceilings, Definitions},
        ids::Revision,
    },
    gitops::{Checkout, CommitFiles, SourceError},
    http::wire::plan::{FilesInForce, KeptFileView, Live},
};

/// The settings file, if there is one; what is wrong with it ends the plan.
pub(super) fn settings(path: Option<&PathBuf>) -> Result<Option<Settings>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let mut checked = Checked::default();
    match checked.settings(path) {
        Some(settings) => Ok(Some(settings)),
        None => {
            tell(&checked.diagnostics, |path| checked.source(path));
            let error = format!("the settings {} can't be used", path.display());
            Err(Failure::failed(error, "mend them, or leave --settings out"))
        }
    }
}

/// Where campaigns stand: the folder in the work tree, and the repository around it.
pub(super) struct Place {
    /// None around files that are in no repository yet.
    checkout: Option<Checkout>,
    folder: PathBuf,
    /// The folder, as people would type it.
    shown: String,
    /// Files of other sources, which are one configuration with it.
    others: Others,
}

/// Files of other sources: the folder, the path inside it, and what each says.
type Others = Arc<Vec<(String, String, Arc<[u8]>)>>;

impl Place {
    /// The folder of campaigns under `dir`: its folder `name`, or `dir` itself.
    pub(super) fn find(dir: &Path, name: &str, is_one_of_several: bool) -> Result<Self, Failure> {
        let find = if is_one_of_several { source_folder } else { campaigns_folder };
        let folder = find(dir, name).ok_or_else(|| {
            let error = format!("{} has no folder {name}", dir.display());
            Failure::failed(error, "name the root of a configuration repository with --dir")
        })?;
        let checkout = match Checkout::around(&folder) {
            Ok(checkout) => Some(checkout),
            Err(SourceError::NoCheckout { .. }) => None,
            Err(error) => return Err(Failure::from_error(&error)),
        };
        let shown = shown_path(&folder);
        Ok(Self { checkout, folder, shown, others: Others::default() })
    }

    /// Takes the folders of other sources beside it; `name` is what their folders of campaigns are called.
    pub(super) fn beside(&mut self, folders: &[PathBuf], name: &str) -> Result<(), Failure> {
        let mut checked = Checked::default();
        checked.folder.clone_from(&self.shown);
        checked.read_with(folders, name)?;
        if !checked.diagnostics.is_empty() {
            tell(&checked.diagnostics, |path| checked.source(path));
            return Err(Failure::failed("the folders of --with can't be read", "see `dialops check`"));
        }
        let owned = |file: SourceFile<'_>| (file.folder.to_owned(), file.path.to_owned(), file.bytes.into());
        self.others = Arc::new(checked.others().map(owned).collect());
        Ok(())
    }

    /// Takes what the daemon has in force of other sources, where there are several.
    pub(super) async fn beside_live(&mut self, live: &Live, client: &Client, source: &[(&str, &str)]) {
        if live.sources.len() < 2 {
            return;
        }
        let Ok(kept) = client.get::<FilesInForce>(&["files"], source).await else {
            return note(format_args!("the files of other sources are not known: name their folders with --with"));
        };
        let of = |(folder, files): (String, BTreeMap<String, String>)| {
            files.into_iter().map(move |(path, text)| (folder.clone(), path, text.into_bytes().into()))
        };
        self.others = Arc::new(kept.beside.into_iter().flat_map(of).collect());
    }

    /// The folder as it was at a commit.
    fn at(&self, name: &str) -> Result<CommitFiles, SourceError> {
        match &self.checkout {
            Some(checkout) => checkout.at(name),
            None => Err(SourceError::NoCheckout { path: self.folder.clone() }),
        }
    }
}

/// What a side is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// Files as they are.
    Worktree,
    /// A commit.
    Commit(Revision),
    /// The commit in force.
    Live(Revision),
    /// The daemon has nothing in force yet.
    Nothing,
}

impl Name {
    /// The commit, if it is one.
    pub(super) fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Commit(revision) | Self::Live(revision) => Some(revision),
            Self::Worktree | Self::Nothing => None,
        }
    }
}

/// One side's files, and what they define once they were loaded.
pub(super) struct Side {
    pub(super) name: Name,
    /// First line of the commit's message.
    pub(super) subject: Option<String>,
    folder: String,
    /// By path inside the folder.
    files: Vec<(String, Arc<[u8]>)>,
    others: Others,
    definitions: Option<Definitions>,
}

impl Side {
    /// Files as they are.
    pub(super) fn worktree(place: &Place) -> Result<Self, Failure> {
        let mut checked = Checked::default();
        checked.read_folder(&place.folder);
        if !checked.diagnostics.is_empty() {
            tell(&checked.diagnostics, |path| checked.source(path));
            return Err(Failure::failed(format!("{} can't be read", place.shown), "see `dialops check`"));
        }
        let files = checked.files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect();
        Ok(Self::of(place, Name::Worktree, None, files))
    }

    /// The commit that `name` names.
    pub(super) fn commit(place: &Place, name: &str) -> Result<Self, Failure> {
        let read = place.at(name).map_err(|error| Failure::from_error(&error))?;
        Ok(Self::read(place, &read, Name::Commit(read.revision.clone())))
    }

    /// The commit in force. If it is not here, these are the files that the daemon keeps: where there is no repository,
    /// and where that is `wanted`. A clone that is behind should rather be brought up to date.
    pub(super) async fn live(
        place: &Place,
        live: &Live,
        client: &Client,
        (wanted, source): (bool, &[(&str, &str)]),
    ) -> Result<Self, Failure> {
        let Some(revision) = live.revision.as_deref().and_then(Revision::parse) else {
            return Ok(Self::of(place, Name::Nothing, None, Vec::new()));
        };
        let absent = match Self::in_force(place, &revision, live) {
            Ok(side) => return Ok(side),
            Err(absent) if place.checkout.is_some() && !wanted => return Err(absent),
            Err(absent) => absent,
        };
        let Ok(kept) = client.get::<FilesInForce>(&["files"], source).await else { return Err(absent) };
        if kept.revision != revision.as_str() {
            return Err(absent);
        }
        note(format_args!("commit {} is not here: compared with the files that the daemon keeps", revision.short()));
        let files = kept.files.into_iter().map(|(path, text)| (path, text.into_bytes().into())).collect();
        Ok(Self::of(place, Name::Live(revision), None, files))
    }

    /// The commit that the daemon has in force, if it is here, with what is kept of earlier ones.
    pub(super) fn in_force(place: &Place, revision: &Revision, live: &Live) -> Result<Self, Failure> {
        let read = place.at(revision.as_str()).map_err(|error| match error {
            SourceError::UnknownRevision { .. } => Failure::failed(
                format!("commit {revision} is in force at the daemon and not in this repository"),
                format!(
                    "fetch it: `git fetch`, or `git fetch origin {revision}`; --from live compares with the daemon's own files"
                ),
            ),
            error => Failure::from_error(&error),
        })?;
        Ok(Self::read(place, &read.with_kept(&KeptFileView::files(&live.kept)), Name::Live(revision.clone())))
    }

    fn read(place: &Place, read: &CommitFiles, name: Name) -> Self {
        let files = read.files.iter().map(|file| (read.inside(&file.path).to_owned(), Arc::clone(&file.bytes)));
        Self::of(place, name, Some(read.subject.clone()), files.collect())
    }

    fn of(place: &Place, name: Name, subject: Option<String>, files: Vec<(String, Arc<[u8]>)>) -> Self {
        let (folder, others) = (place.shown.clone(), Arc::clone(&place.others));
        Self { name, subject, folder, files, others, definitions: None }
    }

    /// Reads the files as `check` would; what is wrong with them ends the plan.
    pub(super) fn load(mut self, ceilings: &Ceilings) -> Result<Self, Failure> {
        if self.files.is_empty() {
            return Ok(self);
        }
        let others = self.others.iter().map(|(folder, path, bytes)| SourceFile { folder, path, bytes });
        let all: Vec<_> = self.sources().into_iter().chain(others).collect();
        match config::load(&self.folder, &all, ceilings) {
            Ok((definitions, _)) => {
                self.definitions = Some(definitions);
                Ok(self)
            }
            Err(found) => {
                let prefix = format!("{}/", self.folder);
                let text = |path: &str| {
                    let inside = path.strip_prefix(&prefix);
                    let own = inside.and_then(|inside| self.files.iter().find(|(path, _)| path == inside));
                    let of_other =
                        || self.others.iter().find(|(folder, inside, _)| *path == format!("{folder}/{inside}"));
                    let bytes = own.map(|(_, bytes)| bytes).or_else(|| of_other().map(|(_, _, bytes)| bytes))?;
                    std::str::from_utf8(bytes).ok()
                };
                tell(&found, text);
                let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
                let error = format!("{} has {errors} error(s), so there is no plan", self.title());
                Err(Failure::failed(error, "mend what is told above; `dialops check` tells it too"))
            }
        }
    }

    /// Hands the side to a comparison.
    pub(super) fn with<R>(&self, ask: impl FnOnce(&compare::Side<'_>) -> R) -> R {
        let files = self.sources();
        ask(&compare::Side { folder: &self.folder, files: &files, definitions: self.definitions.as_ref() })
    }

    fn sources(&self) -> Vec<SourceFile<'_>> {
        self.files.iter().map(|(path, bytes)| SourceFile { folder: &self.folder, path, bytes }).collect()
    }

    /// How many campaigns it defines itself.
    pub(super) fn campaigns(&self) -> usize {
        self.files.iter().filter(|(path, _)| config::is_campaign(path)).count()
    }

    /// How many other sources define beside it.
    pub(super) fn elsewhere(&self) -> usize {
        self.others.iter().filter(|(_, path, _)| config::is_campaign(path)).count()
    }

    /// The files by their path inside the folder.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), &**bytes))
    }

    /// What the side is, in words.
    pub(super) fn title(&self) -> String {
        let subject = self.subject.as_ref().map(|subject| format!(" ({subject})")).unwrap_or_default();
        match &self.name {
            Name::Worktree => format!("the work tree ({})", self.folder),
            Name::Commit(revision) => format!("commit {}{subject}", revision.short()),
            Name::Live(revision) => format!("live commit {}{subject}", revision.short()),
            Name::Nothing => "the daemon, which has nothing in force yet".to_owned(),
        }
    }
}
