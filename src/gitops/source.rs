//! What is followed of a repository, local or remote.
//!
//! A local one is read in place, with or without a work tree; of a remote one there is a mirror, which
//! [`Source::head`] brings up to date. All of libgit2 runs on blocking threads.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    config::settings::{Follow, Location, SourceSettings},
    domain::ids::Revision,
};

use super::{
    error::SourceError,
    mirror::Mirror,
    repository::{GitFolders, Repository},
    snapshot::{Blobs, CommitFiles},
    verify::Known,
};

/// A branch, tag or commit to follow; clones share what has been read.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: SourceSettings,
    place: Place,
    blobs: Mutex<Blobs>,
    /// The commit that was last asked for by [`Source::kept`].
    kept: Mutex<Option<Arc<CommitFiles>>>,
    /// Commits whose signatures were found to be good.
    known: Mutex<Known>,
    credentials: Option<PathBuf>,
}

#[derive(Debug)]
enum Place {
    Local(Repository),
    Remote(Box<Mirror>),
}

impl Source {
    /// Names a source; it is first looked at by [`Source::head`]. `credentials` is
    /// `$CREDENTIALS_DIRECTORY`.
    #[must_use]
    pub fn new(settings: SourceSettings, credentials: Option<PathBuf>) -> Self {
        let place = match &settings.at {
            Location::Local(path) => Place::Local(Repository::at(path)),
            Location::Remote(remote) => Place::Remote(Box::new(Mirror::new(
                settings.id.clone(),
                (**remote).clone(),
                settings.follow.clone(),
                credentials.clone(),
            ))),
        };
        let (blobs, kept, known) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { settings, place, blobs, kept, known, credentials }))
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &SourceSettings {
        &self.0.settings
    }

    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) fn credentials(&self) -> Option<&Path> {
        self.0.credentials.as_deref()
    }

    pub(super) fn known(&self) -> &Mutex<Known> {
        &self.0.known
    }

    /// Whether it is fetched, so that asking for its head may take long.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.0.place, Place::Remote(_))
    }

    /// The commit that it is at. Of a remote one it is then in the mirror; a fetch ends when nobody
    /// waits for this any more.
    pub async fn head(&self) -> Result<Revision, SourceError> {
        match &self.0.place {
            Place::Local(repository) => {
                let repository = repository.clone();
                self.blocking(move |inner| inner.local_head(&repository)).await
            }
            Place::Remote(mirror) => mirror.head().await,
        }
    }

    /// Reads a commit whole, or refuses it whole.
    pub async fn read(&self, revision: &Revision) -> Result<CommitFiles, SourceError> {
        self.read_apart(revision).await?.whole()
    }

    /// Reads a commit but for single files that may not be read: these are told in [`CommitFiles::refused`].
    pub async fn read_apart(&self, revision: &Revision) -> Result<CommitFiles, SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| inner.read(&revision)).await
    }

    /// A commit that is in force, kept in memory until another one is asked for this way.
    pub async fn kept(&self, revision: &Revision) -> Result<Arc<CommitFiles>, SourceError> {
        let kept = || self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = kept().as_ref().filter(|files| files.revision == *revision) {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(self.read_apart(revision).await?);
        *kept() = Some(Arc::clone(&files));
        Ok(files)
    }

    /// Whether it has a commit.
    pub async fn has(&self, revision: &Revision) -> Result<bool, SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| inner.repository(&revision).has(&revision)).await
    }

    /// Whether `head` is `ancestor` or has it in its history. Also false when the repository has
    /// lost `ancestor`, and true in a shallow clone, which has no history to tell by.
    pub async fn descends(&self, head: &Revision, ancestor: &Revision) -> Result<bool, SourceError> {
        let (head, ancestor) = (head.clone(), ancestor.clone());
        self.blocking(move |inner| inner.repository(&head).descends(&head, &ancestor)).await
    }

    /// Keeps a commit readable, even if the branch leaves it, until another one is pinned. Fails
    /// where the repository can't be written.
    pub async fn pin(&self, revision: &Revision) -> Result<(), SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| inner.repository(&revision).pin(&inner.settings.id, &revision)).await
    }

    /// Where a local repository keeps its refs; nothing for a remote one, which can't be watched.
    pub(super) async fn folders(&self) -> Result<Option<GitFolders>, SourceError> {
        self.blocking(|inner| match &inner.place {
            Place::Local(repository) => repository.folders().map(Some),
            Place::Remote(_) => Ok(None),
        })
        .await
    }

    /// Has a look at the repository that has a commit.
    pub(super) async fn in_that_of<T: Send + 'static>(
        &self,
        revision: &Revision,
        look: impl FnOnce(&Repository) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| look(&inner.repository(&revision))).await
    }

    /// Has a look at each repository until one has an answer: of a remote there is a mirror for each form of ids.
    pub(super) async fn in_any<T: Send + 'static>(
        &self,
        look: impl Fn(&Repository) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        self.blocking(move |inner| match &inner.place {
            Place::Local(repository) => look(repository),
            Place::Remote(mirror) => {
                let [first, second] = mirror.all();
                look(&first).or_else(|error| look(&second).map_err(|_| error))
            }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Inner) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let inner = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || ask(&inner)).await {
            Ok(answer) => answer.map_err(|error| self.0.told(error)),
            Err(source) => Err(SourceError::Git {
                path: PathBuf::from(self.0.settings.at.to_string()),
                doing: "running on another thread",
                source: Box::new(source),
            }),
        }
    }
}

impl Inner {
    /// An error as it has to be told: nobody but a fetch makes a mirror.
    fn told(&self, error: SourceError) -> SourceError {
        match (&self.place, error) {
            (Place::Remote(_), SourceError::Missing { path } | SourceError::NotARepository { path }) => {
                SourceError::MirrorMissing { path }
            }
            (_, error) => error,
        }
    }

    /// The repository in which a commit is read.
    fn repository(&self, revision: &Revision) -> Repository {
        match &self.place {
            Place::Local(repository) => repository.clone(),
            Place::Remote(mirror) => mirror.of(revision.as_str()),
        }
    }

    fn local_head(&self, repository: &Repository) -> Result<Revision, SourceError> {
        let followed = || self.settings.follow.clone();
        let reference = match &self.settings.follow {
            Follow::Branch(_) | Follow::Tag(_) => self.settings.follow.reference(),
            Follow::Commit(revision) if repository.has(revision)? => return Ok(revision.clone()),
            Follow::Commit(revision) => {
                let what = "the commit that [source] commit names".to_owned();
                return Err(SourceError::ObjectMissing { revision: revision.clone(), what });
            }
        };
        if !git2::Reference::is_valid_name(&reference) {
            return Err(SourceError::RefName { followed: followed() });
        }
        match repository.tip(&reference)? {
            Some(tip) => tip.commit.ok_or_else(|| SourceError::NotACommit { followed: followed() }),
            None => {
                let names = repository.names(&self.settings.follow)?;
                Err(SourceError::ref_missing(&self.settings.at, &self.settings.follow, &names))
            }
        }
    }

    fn read(&self, revision: &Revision) -> Result<CommitFiles, SourceError> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, read) = self.repository(revision).read(revision, &self.settings.path, &blobs)?;
        *blobs = read;
        Ok(files.of(&self.settings))
    }
}
