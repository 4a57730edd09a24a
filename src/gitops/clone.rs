//! The repository that a command stands in: any of its commits, named as Git names them.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use super::{
    error::SourceError,
    snapshot::{self, Blobs, CommitFiles},
};
use crate::domain::ids::Revision;

/// Why a local repository or a commit of it could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// Not in a repository.
    #[error("{} is not in a Git repository", .0.display())]
    NotInARepository(PathBuf),
    /// No commit of that name.
    #[error("{0:?} names no commit here")]
    UnknownCommit(String),
    /// libgit2 failed otherwise.
    #[error("{} can't be read: {why}", .path.display())]
    Git {
        /// The repository.
        path: PathBuf,
        /// What libgit2 said.
        why: String,
    },
}

/// A repository on this machine.
pub struct LocalClone {
    repository: Repository,
    root: PathBuf,
}

impl LocalClone {
    /// Finds the repository that `folder` is in.
    pub fn find(folder: &Path) -> Result<Self, CloneError> {
        let repository = Repository::discover(folder).map_err(|error| match error.code() {
            ErrorCode::NotFound => CloneError::NotInARepository(folder.to_owned()),
            _ => CloneError::Git { path: folder.to_owned(), why: error.message().to_owned() },
        })?;
        let root = repository.workdir().unwrap_or_else(|| repository.path()).to_owned();
        Ok(Self { repository, root })
    }

    /// The top of its work tree, or of the repository itself if that is bare.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that a branch, a tag, an id or any other expression of Git names.
    pub fn commit(&self, name: &str) -> Result<Revision, CloneError> {
        let unknown = || CloneError::UnknownCommit(name.to_owned());
        let object = self.repository.revparse_single(name).map_err(|error| match error.code() {
            ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Ambiguous => unknown(),
            _ => CloneError::Git { path: self.root.clone(), why: error.message().to_owned() },
        })?;
        let commit = object.peel_to_commit().map_err(|_| unknown())?;
        Revision::parse(&commit.id().to_string()).ok_or_else(unknown)
    }

    /// Whether a commit is there.
    #[must_use]
    pub fn has(&self, revision: &Revision) -> bool {
        Oid::from_str(revision.as_str()).is_ok_and(|oid| self.repository.find_commit(oid).is_ok())
    }

    /// Reads a commit as the daemon does: everything under `prefix`.
    pub fn read(&self, revision: &Revision, prefix: &str) -> Result<CommitFiles, SourceError> {
        snapshot::read(&self.repository, &self.root, revision, prefix, &Blobs::new()).map(|(files, _)| files)
    }
}
