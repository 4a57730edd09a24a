//! The repository that a folder of a work tree belongs to: what `check` and `plan` compare that
//! folder with.
//!
//! Only commits are read from it, never the work tree. Blocks.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository};

use super::{
    error::SourceError,
    objects::Library,
    snapshot::{self, Blobs, CommitFiles, git_error},
};
use crate::domain::ids::Revision;

/// A folder and the repository around it.
pub struct Checkout {
    repository: Repository,
    path: PathBuf,
    /// The folder, from the root of the work tree, with `/`.
    prefix: String,
}

impl Checkout {
    /// Finds the repository around a folder.
    pub fn around(folder: &Path) -> Result<Self, SourceError> {
        let path = folder.to_owned();
        let repository = Repository::discover(folder).map_err(|error| match error.code() {
            ErrorCode::NotFound => SourceError::NoCheckout { path: path.clone() },
            ErrorCode::Owner => SourceError::Owner { path: path.clone() },
            _ => git_error(&path, "opening it", error),
        })?;
        let inside = repository.workdir().and_then(|root| {
            let (root, folder) = (root.canonicalize().ok()?, folder.canonicalize().ok()?);
            folder.strip_prefix(root).ok().map(Path::to_owned)
        });
        let Some(inside) = inside else { return Err(SourceError::NoCheckout { path }) };
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        Ok(Self { repository, path, prefix: parts.join("/") })
    }

    /// The folder as it was at a commit that `name` means: an id, a branch, a tag, `HEAD~2`. A folder that the commit
    /// does not have gives no files.
    pub fn at(&self, name: &str) -> Result<CommitFiles, SourceError> {
        let unknown = |_| SourceError::UnknownRevision { path: self.path.clone(), name: name.to_owned() };
        let object = self.repository.revparse_single(name).map_err(unknown)?;
        let commit = object.peel_to_commit().map_err(unknown)?;
        let Some(revision) = Revision::parse(&commit.id().to_string()) else {
            return Err(SourceError::UnknownRevision { path: self.path.clone(), name: name.to_owned() });
        };
        let known = Blobs::new();
        let odb = self.repository.odb().map_err(|error| git_error(&self.path, "opening its objects", error))?;
        let mut objects = Library(odb);
        snapshot::read(&mut objects, &self.path, &revision, &self.prefix, &known)?.0.whole()
    }
}
