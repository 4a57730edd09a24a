//! What lies between two commits, for a person who goes back and wants that to last.

use git2::{Oid, Sort};

use super::{
    by_program::ByProgram,
    error::SourceError,
    repository::{Opened, Repository},
    source::Source,
};
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
    /// The commit that `name` means: an id or at least seven digits of one, or in a local repository a branch or a tag.
    pub async fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        let name = name.to_owned();
        self.in_any(move |repository| repository.resolve(&name)).await
    }

    /// The commits of the branch itself from `head` back to `ancestor`, the newest first and without that;
    /// `None` if they are more than 100.
    pub async fn later_than(&self, ancestor: &Revision, head: &Revision) -> Result<Option<Vec<Later>>, SourceError> {
        let (ancestor, head) = (ancestor.clone(), head.clone());
        self.in_that_of(&head.clone(), move |repository| repository.later_than(&ancestor, &head)).await
    }
}

impl Repository {
    fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        let unknown = || SourceError::UnknownRevision { path: self.path().to_owned(), name: name.to_owned() };
        let id = match self.open()? {
            Opened::Library(repository) => {
                let object = repository.revparse_single(name).map_err(|_| unknown())?;
                object.peel_to_commit().map_err(|_| unknown())?.id().to_string()
            }
            Opened::Program(program) => program.resolve(name)?.ok_or_else(unknown)?,
        };
        Revision::parse(&id).ok_or_else(unknown)
    }

    /// Every commit of `head` that `since` does not have, at most one more than `most`; nothing if a part of the history
    /// is not here.
    pub(super) fn brought(
        &self,
        since: &Revision,
        head: &Revision,
        most: usize,
    ) -> Result<Option<Vec<Revision>>, SourceError> {
        if since.as_str().len() != head.as_str().len() || !self.has(since)? {
            return Ok(None);
        }
        match self.open()? {
            Opened::Library(repository) if repository.is_shallow() => Ok(None),
            Opened::Library(repository) => {
                let failed = self.failed("walking back through the branch");
                brought(&repository, since, head, most).map(Some).map_err(failed)
            }
            Opened::Program(program) if program.is_shallow()? => Ok(None),
            Opened::Program(program) => program.brought(since, head, most),
        }
    }

    fn later_than(&self, ancestor: &Revision, head: &Revision) -> Result<Option<Vec<Later>>, SourceError> {
        let later = match self.open()? {
            Opened::Library(repository) => {
                let failed = self.failed("walking back through the branch");
                between(&repository, ancestor, head).map_err(failed)?
            }
            Opened::Program(program) => program.between(ancestor, head)?,
        };
        Ok(Some(later).filter(|later| later.len() <= BETWEEN_MAX))
    }
}

/// At most one more than [`BETWEEN_MAX`].
fn between(repository: &git2::Repository, ancestor: &Revision, head: &Revision) -> Result<Vec<Later>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.simplify_first_parent()?;
    walk.push(Oid::from_str(head.as_str())?)?;
    walk.hide(Oid::from_str(ancestor.as_str())?)?;
    let mut later = Vec::new();
    for oid in walk.take(BETWEEN_MAX + 1) {
        let commit = repository.find_commit(oid?)?;
        if let Some(revision) = Revision::parse(&commit.id().to_string()) {
            later.push(Later { revision, is_merge: commit.parent_count() > 1 });
        }
    }
    Ok(later)
}

fn brought(
    repository: &git2::Repository,
    since: &Revision,
    head: &Revision,
    most: usize,
) -> Result<Vec<Revision>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(Oid::from_str(head.as_str())?)?;
    walk.hide(Oid::from_str(since.as_str())?)?;
    let found = walk.take(most + 1).map(|oid| Ok(Revision::parse(&oid?.to_string())));
    found.filter_map(Result::transpose).collect()
}

impl ByProgram<'_> {
    fn brought(&self, since: &Revision, head: &Revision, most: usize) -> Result<Option<Vec<Revision>>, SourceError> {
        let (most, hidden) = (format!("--max-count={}", most + 1), format!("^{since}"));
        let found = self.ask(&["rev-list", &most, head.as_str(), &hidden])?;
        Ok(found.map(|found| found.lines().filter_map(Revision::parse).collect()))
    }

    fn resolve(&self, name: &str) -> Result<Option<String>, SourceError> {
        self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")])
    }

    fn between(&self, ancestor: &Revision, head: &Revision) -> Result<Vec<Later>, SourceError> {
        let (most, hidden) = (format!("--max-count={}", BETWEEN_MAX + 1), format!("^{ancestor}"));
        let asked = ["rev-list", "--first-parent", "--topo-order", "--parents", &most, head.as_str(), &hidden];
        let found = self.ask(&asked)?.unwrap_or_default();
        let later = |line: &str| {
            let mut ids = line.split(' ');
            Some(Later { revision: Revision::parse(ids.next()?)?, is_merge: ids.count() > 1 })
        };
        Ok(found.lines().filter_map(later).collect())
    }
}
