//! The two sides of a plan: a commit's files, or those of the work tree.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cli::{
        check::folder::{Checked, campaigns_folder, shown_path, tell},
        output::Failure,
    },
    config::{self, Settings, SourceFile, compare, diagnostic::Severity},
    domain::{
        campaign::{Ceilings, Definitions},
        ids::Revision,
    },
    gitops::{Checkout, CommitFiles, SourceError},
    http::wire::plan::{KeptFileView, Live},
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
    checkout: Checkout,
    folder: PathBuf,
    /// The folder, as people would type it.
    shown: String,
}

impl Place {
    /// The folder of campaigns under `dir`: its folder `name`, or `dir` itself.
    pub(super) fn find(dir: &Path, name: &str) -> Result<Self, Failure> {
        let folder = campaigns_folder(dir, name).ok_or_else(|| {
            let error = format!("{} has no folder {name}", dir.display());
            Failure::failed(error, "name the root of a configuration repository with --dir")
        })?;
        let checkout = Checkout::around(&folder).map_err(|error| Failure::from_error(&error))?;
        let shown = shown_path(&folder);
        Ok(Self { checkout, folder, shown })
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
        Ok(Self { name: Name::Worktree, subject: None, folder: place.shown.clone(), files, definitions: None })
    }

    /// The commit that `name` names.
    pub(super) fn commit(place: &Place, name: &str) -> Result<Self, Failure> {
        let read = place.checkout.at(name).map_err(|error| Failure::from_error(&error))?;
        Ok(Self::read(place, &read, Name::Commit(read.revision.clone())))
    }

    /// The commit in force.
    pub(super) fn live(place: &Place, live: &Live) -> Result<Self, Failure> {
        let Some(revision) = live.revision.as_deref().and_then(Revision::parse) else {
            let (folder, files) = (place.shown.clone(), Vec::new());
            return Ok(Self { name: Name::Nothing, subject: None, folder, files, definitions: None });
        };
        Self::in_force(place, &revision, live)
    }

    /// The commit that the daemon has in force, if it is here, with what is kept of earlier ones.
    pub(super) fn in_force(place: &Place, revision: &Revision, live: &Live) -> Result<Self, Failure> {
        let read = place.checkout.at(revision.as_str()).map_err(|error| match error {
            SourceError::UnknownRevision { .. } => Failure::failed(
                format!("commit {revision} is in force at the daemon and not in this repository"),
                format!("fetch it: `git fetch`, or `git fetch origin {revision}`"),
            ),
            error => Failure::from_error(&error),
        })?;
        Ok(Self::read(place, &read.with_kept(&KeptFileView::files(&live.kept)), Name::Live(revision.clone())))
    }

    fn read(place: &Place, read: &CommitFiles, name: Name) -> Self {
        let files = read.files.iter().map(|file| (read.inside(&file.path).to_owned(), Arc::clone(&file.bytes)));
        let (folder, files, subject) = (place.shown.clone(), files.collect(), Some(read.subject.clone()));
        Self { name, subject, folder, files, definitions: None }
    }

    /// Reads the files as `check` would; what is wrong with them ends the plan.
    pub(super) fn load(mut self, ceilings: &Ceilings) -> Result<Self, Failure> {
        if self.files.is_empty() {
            return Ok(self);
        }
        match config::load(&self.folder, &self.sources(), ceilings) {
            Ok((definitions, _)) => {
                self.definitions = Some(definitions);
                Ok(self)
            }
            Err(found) => {
                let prefix = format!("{}/", self.folder);
                let text = |path: &str| {
                    let inside = path.strip_prefix(&prefix).unwrap_or(path);
                    let (_, bytes) = self.files.iter().find(|(path, _)| path == inside)?;
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
        self.files.iter().map(|(path, bytes)| SourceFile { path, bytes }).collect()
    }

    /// How many campaigns it defines.
    pub(super) fn campaigns(&self) -> usize {
        self.definitions.as_ref().map_or(0, |definitions| definitions.campaigns.len())
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
