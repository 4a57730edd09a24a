//! What lies between two commits, for a person who goes back and wants that to last.

use git2::{Oid, Repository, Sort};

use super::{error::SourceError, snapshot::git_error, source::Source};
use crate::domain::ids::Revision;

/// Most commits that are told between two.
pub(super) const BETWEEN_MAX: usize = 100;

/// A commit that a person would revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Which one.
    pub revision: Revision,
    /// Whether it has several parents.
    pub is_merge: bool,
}

impl Source {
    /// The commit that `name` means: an id or at least seven digits of one, a branch, a tag.
    pub async fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        let name = name.to_owned();
        self.with_repository(move |repository| {
            let path = repository.path().to_owned();
            let unknown = || SourceError::UnknownRevision { path: path.clone(), name: name.clone() };
            let object = repository.revparse_single(&name).map_err(|_| unknown())?;
            let commit = object.peel_to_commit().map_err(|_| unknown())?;
            Revision::parse(&commit.id().to_string()).ok_or_else(unknown)
        })
        .await
    }

    /// The commits of the branch itself from `head` back to `ancestor`, the newest first and without that;
    /// `None` if they are more than [`BETWEEN_MAX`].
    pub async fn later_than(&self, ancestor: &Revision, head: &Revision) -> Result<Option<Vec<Later>>, SourceError> {
        let (ancestor, head) = (ancestor.clone(), head.clone());
        self.with_repository(move |repository| {
            let path = repository.path().to_owned();
            let failed = |error| git_error(&path, "walking back through the branch", error);
            between(repository, &ancestor, &head).map_err(failed)
        })
        .await
    }
}

fn between(repository: &Repository, ancestor: &Revision, head: &Revision) -> Result<Option<Vec<Later>>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.simplify_first_parent()?;
    walk.push(Oid::from_str(head.as_str())?)?;
    walk.hide(Oid::from_str(ancestor.as_str())?)?;
    let mut later = Vec::new();
    for oid in walk {
        if later.len() == BETWEEN_MAX {
            return Ok(None);
        }
        let commit = repository.find_commit(oid?)?;
        if let Some(revision) = Revision::parse(&commit.id().to_string()) {
            later.push(Later { revision, is_merge: commit.parent_count() > 1 });
        }
    }
    Ok(Some(later))
}
