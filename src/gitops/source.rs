//! A branch of a local repository, with or without a work tree.
//!
//! The repository is opened anew for each question (a fraction of a millisecond), so one that was
//! moved, replaced or repaired is simply read again. All of libgit2 runs on blocking threads.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use git2::{BranchType, ErrorClass, ErrorCode, Oid, Reference, Repository};

use crate::{config::settings::SourceSettings, domain::ids::Revision};

use super::{
    error::SourceError,
    snapshot::{self, Blobs, CommitFiles, git_error},
};

/// Keeps the applied commit from being collected after the branch has left it.
const APPLIED_REF: &str = "refs/dialops/applied";

/// How alike a branch's name must be to be proposed (0 to 1).
const NEAR_MIN: f64 = 0.6;

/// Most branches proposed.
const NEAR_NAMES_MAX: usize = 3;

/// Most branches looked at to find near ones.
const BRANCHES_MAX: usize = 1_000;

/// A branch to follow; clones share what has been read.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: SourceSettings,
    reference: String,
    blobs: Mutex<Blobs>,
    /// The commit that was last asked for by [`Source::kept`].
    kept: Mutex<Option<Arc<CommitFiles>>>,
}

/// The folders in which a repository keeps its refs; they differ for a linked work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GitFolders {
    /// `HEAD` of this work tree.
    pub(super) own: PathBuf,
    /// `refs/` and `packed-refs`.
    pub(super) common: PathBuf,
}

impl Source {
    /// Names a source; it is first looked at by [`Source::head`].
    #[must_use]
    pub fn new(settings: SourceSettings) -> Self {
        let reference = format!("refs/heads/{}", settings.branch);
        Self(Arc::new(Inner { settings, reference, blobs: Mutex::new(Blobs::new()), kept: Mutex::new(None) }))
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &SourceSettings {
        &self.0.settings
    }

    /// The commit that the branch is at.
    pub async fn head(&self) -> Result<Revision, SourceError> {
        self.blocking(Inner::head).await
    }

    /// Reads a commit whole, or refuses it whole.
    pub async fn read(&self, revision: &Revision) -> Result<CommitFiles, SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| inner.read(&revision)).await
    }

    /// The same, kept in memory until another commit is asked for this way.
    pub async fn kept(&self, revision: &Revision) -> Result<Arc<CommitFiles>, SourceError> {
        let kept = || self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = kept().as_ref().filter(|files| files.revision == *revision) {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(self.read(revision).await?);
        *kept() = Some(Arc::clone(&files));
        Ok(files)
    }

    /// Whether `head` is `ancestor` or has it in its history. Also false when the repository has
    /// lost `ancestor`, and true in a shallow clone, which has no history to tell by.
    pub async fn descends(&self, head: &Revision, ancestor: &Revision) -> Result<bool, SourceError> {
        let (head, ancestor) = (head.clone(), ancestor.clone());
        self.blocking(move |inner| inner.descends(&head, &ancestor)).await
    }

    /// Keeps a commit readable, even if the branch leaves it, until another one is pinned. Fails
    /// where the repository can't be written.
    pub async fn pin(&self, revision: &Revision) -> Result<(), SourceError> {
        let revision = revision.clone();
        self.blocking(move |inner| inner.pin(&revision)).await
    }

    /// Where the repository keeps its refs.
    pub(super) async fn folders(&self) -> Result<GitFolders, SourceError> {
        self.blocking(|inner| {
            let repository = inner.open()?;
            Ok(GitFolders { own: repository.path().to_owned(), common: repository.commondir().to_owned() })
        })
        .await
    }

    /// Has a look at the repository.
    pub(super) async fn with_repository<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Repository) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        self.blocking(move |inner| look(&inner.open()?)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Inner) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let inner = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || ask(&inner)).await {
            Ok(answer) => answer,
            Err(source) => Err(SourceError::Git {
                path: self.0.settings.repository.clone(),
                doing: "running on another thread",
                source: Box::new(source),
            }),
        }
    }
}

impl Inner {
    fn path(&self) -> &Path {
        &self.settings.repository
    }

    fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> SourceError {
        move |source| git_error(self.path(), doing, source)
    }

    fn open(&self) -> Result<Repository, SourceError> {
        Repository::open(self.path()).map_err(|error| self.open_error(error))
    }

    fn open_error(&self, error: git2::Error) -> SourceError {
        let path = self.path().to_owned();
        match error.code() {
            ErrorCode::Owner => return SourceError::Owner { path },
            ErrorCode::NotFound => {}
            _ if error.class() == ErrorClass::Repository => {
                return SourceError::Unsupported { path, why: error.message().to_owned() };
            }
            _ => return git_error(&path, "opening it", error),
        }
        match std::fs::read_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => SourceError::Missing { path },
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => SourceError::Denied { path },
            _ => SourceError::NotARepository { path },
        }
    }

    fn head(&self) -> Result<Revision, SourceError> {
        let branch = || self.settings.branch.clone();
        if !Reference::is_valid_name(&self.reference) {
            return Err(SourceError::BranchName { branch: branch() });
        }
        let repository = self.open()?;
        let oid = match repository.refname_to_id(&self.reference) {
            Ok(oid) => oid,
            Err(e) if e.code() == ErrorCode::NotFound => return Err(self.branch_missing(&repository)),
            Err(e) => return Err(self.failed("reading the branch")(e)),
        };
        Revision::parse(&oid.to_string()).ok_or_else(|| SourceError::NotACommit { branch: branch() })
    }

    fn branch_missing(&self, repository: &Repository) -> SourceError {
        let wanted = &self.settings.branch;
        let names: Vec<String> = repository
            .branches(Some(BranchType::Local))
            .into_iter()
            .flatten()
            .take(BRANCHES_MAX)
            .filter_map(|branch| branch.ok()?.0.name().ok().flatten().map(str::to_owned))
            .collect();
        let likeness = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase());
        let mut near: Vec<(f64, String)> = names.iter().map(|name| (likeness(name), name.clone())).collect();
        near.retain(|(likeness, _)| *likeness >= NEAR_MIN);
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        near.truncate(NEAR_NAMES_MAX);
        SourceError::BranchMissing {
            path: self.path().to_owned(),
            branch: wanted.clone(),
            near: near.into_iter().map(|(_, name)| name).collect(),
            any: !names.is_empty(),
        }
    }

    fn read(&self, revision: &Revision) -> Result<CommitFiles, SourceError> {
        let repository = self.open()?;
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, read) = snapshot::read(&repository, self.path(), revision, &self.settings.path, &blobs)?;
        *blobs = read;
        Ok(files)
    }

    fn descends(&self, head: &Revision, ancestor: &Revision) -> Result<bool, SourceError> {
        if head == ancestor {
            return Ok(true);
        }
        let repository = self.open()?;
        let (head, ancestor) = (self.oid(head)?, self.oid(ancestor)?);
        if repository.is_shallow() {
            return Ok(true);
        }
        let failed = self.failed("comparing two commits");
        if !repository.odb().map_err(&failed)?.exists(ancestor) {
            return Ok(false);
        }
        repository.graph_descendant_of(head, ancestor).map_err(failed)
    }

    fn pin(&self, revision: &Revision) -> Result<(), SourceError> {
        let repository = self.open()?;
        let oid = self.oid(revision)?;
        if repository.refname_to_id(APPLIED_REF).is_ok_and(|pinned| pinned == oid) {
            return Ok(());
        }
        let failed = self.failed("pinning the applied commit");
        repository.reference(APPLIED_REF, oid, true, "dialops: applied").map(drop).map_err(failed)
    }

    fn oid(&self, revision: &Revision) -> Result<Oid, SourceError> {
        Oid::from_str(revision.as_str()).map_err(self.failed("reading a commit id"))
    }
}
