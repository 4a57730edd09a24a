//! A repository on this machine: one that is followed in place, or the mirror of a remote one.
//!
//! It is opened anew for each question (a fraction of a millisecond), so one that was moved, replaced
//! or repaired is simply read again. Blocks.

use std::{
    io,
    path::{Path, PathBuf},
};

use git2::{ErrorClass, ErrorCode, Oid};

use crate::{
    config::settings::Follow,
    domain::ids::{Revision, SourceId},
};

use super::{
    by_program::ByProgram,
    error::SourceError,
    objects::Library,
    snapshot::{self, Blobs, CommitFiles, git_error},
};

/// Keeps the applied commit from being collected after the branch has left it.
const APPLIED_REF: &str = "refs/dialops/applied";

/// Most branches or tags that are looked at to find the one that was meant.
const NAMES_MAX: usize = 1_000;

/// The folders in which a repository keeps its refs; they differ for a linked work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GitFolders {
    /// `HEAD` of this work tree.
    pub(super) own: PathBuf,
    /// `refs/` and `packed-refs`.
    pub(super) common: PathBuf,
}

/// A repository at a path.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    path: PathBuf,
}

impl Repository {
    pub(super) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> SourceError {
        move |source| git_error(&self.path, doing, source)
    }

    pub(super) fn open(&self) -> Result<Opened<'_>, SourceError> {
        let error = match git2::Repository::open(&self.path) {
            Ok(repository) => return Ok(Opened::Library(Box::new(repository))),
            Err(error) => error,
        };
        let path = self.path.clone();
        match error.code() {
            ErrorCode::Owner => return Err(SourceError::Owner { path }),
            ErrorCode::NotFound => {}
            _ if error.class() == ErrorClass::Repository => {
                let program = ByProgram(&self.path);
                let why = error.message().to_owned();
                let reads = program.ask(&["rev-parse", "--git-dir"])?.is_some();
                return if reads { Ok(Opened::Program(program)) } else { Err(SourceError::Unsupported { path, why }) };
            }
            _ => return Err(git_error(&path, "opening it", error)),
        }
        Err(match std::fs::read_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => SourceError::Missing { path },
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => SourceError::Denied { path },
            _ => SourceError::NotARepository { path },
        })
    }

    /// What a ref holds, and the commit that it leads to, if there is one.
    pub(super) fn tip(&self, reference: &str) -> Result<Option<Tip>, SourceError> {
        let repository = match self.open()? {
            Opened::Library(repository) => repository,
            Opened::Program(program) => return program.tip(reference),
        };
        let found = match repository.find_reference(reference).and_then(|found| found.resolve()) {
            Ok(found) => found,
            Err(e) if e.code() == ErrorCode::NotFound => return Ok(None),
            Err(e) => return Err(self.failed("reading a ref")(e)),
        };
        let holds = found.target().map(|oid| oid.to_string()).unwrap_or_default();
        let commit = found.peel_to_commit().ok().and_then(|commit| Revision::parse(&commit.id().to_string()));
        Ok(Some(Tip { holds, commit }))
    }

    /// Whether it has a commit.
    pub(super) fn has(&self, revision: &Revision) -> Result<bool, SourceError> {
        match self.open()? {
            Opened::Library(repository) => Ok(repository.find_commit(self.oid(revision)?).is_ok()),
            Opened::Program(program) => program.has(revision),
        }
    }

    /// Names of its branches, or of its tags if that is what is followed.
    pub(super) fn names(&self, like: &Follow) -> Result<Vec<String>, SourceError> {
        let below = if matches!(like, Follow::Tag(_)) { "refs/tags/" } else { "refs/heads/" };
        let repository = match self.open()? {
            Opened::Library(repository) => repository,
            Opened::Program(program) => return program.names(below, NAMES_MAX),
        };
        let found = repository.references_glob(&format!("{below}*"));
        let mut found = found.map_err(self.failed("reading its refs"))?;
        let names = found.names().take(NAMES_MAX).flatten();
        Ok(names.filter_map(|name| name.strip_prefix(below).map(str::to_owned)).collect())
    }

    pub(super) fn read(
        &self,
        revision: &Revision,
        prefix: &str,
        known: &Blobs,
    ) -> Result<(CommitFiles, Blobs), SourceError> {
        let repository = match self.open()? {
            Opened::Library(repository) => repository,
            Opened::Program(program) => return program.read(revision, prefix, known),
        };
        let odb = repository.odb().map_err(self.failed("opening its objects"))?;
        match snapshot::read(&mut Library(odb), &self.path, revision, prefix, known) {
            Err(SourceError::ObjectMissing { .. }) if is_partial(&repository) => {
                ByProgram(&self.path).read(revision, prefix, known)
            }
            read => read,
        }
    }

    /// A commit itself, as it was signed.
    pub(super) fn commit_object(&self, revision: &Revision) -> Result<Vec<u8>, SourceError> {
        match self.open()? {
            Opened::Library(repository) => {
                let odb = repository.odb().map_err(self.failed("opening its objects"))?;
                snapshot::commit_object(&mut Library(odb), &self.path, revision)
            }
            Opened::Program(program) => program.commit_object(revision),
        }
    }

    /// Whether `head` is `ancestor` or has it in its history.
    pub(super) fn descends(&self, head: &Revision, ancestor: &Revision) -> Result<bool, SourceError> {
        if head == ancestor {
            return Ok(true);
        }
        let repository = match self.open()? {
            Opened::Library(repository) => repository,
            Opened::Program(program) => return program.descends(head, ancestor),
        };
        if head.as_str().len() != ancestor.as_str().len() {
            return Ok(false);
        }
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

    /// Keeps a commit until another one of the source is pinned.
    pub(super) fn pin(&self, source: &SourceId, revision: &Revision) -> Result<(), SourceError> {
        // Two sources may be folders of one repository.
        let name = match *source == SourceId::main() {
            true => APPLIED_REF.to_owned(),
            false => format!("{APPLIED_REF}-{source}"),
        };
        let repository = match self.open()? {
            Opened::Library(repository) => repository,
            Opened::Program(program) => return program.set(&name, revision),
        };
        let oid = self.oid(revision)?;
        if repository.refname_to_id(&name).is_ok_and(|pinned| pinned == oid) {
            return Ok(());
        }
        let failed = self.failed("pinning the applied commit");
        repository.reference(&name, oid, true, "dialops: applied").map(drop).map_err(failed)
    }

    /// Where it keeps its refs.
    pub(super) fn folders(&self) -> Result<GitFolders, SourceError> {
        match self.open()? {
            Opened::Library(repository) => {
                Ok(GitFolders { own: repository.path().to_owned(), common: repository.commondir().to_owned() })
            }
            Opened::Program(program) => program.folders(),
        }
    }

    fn oid(&self, revision: &Revision) -> Result<Oid, SourceError> {
        Oid::from_str(revision.as_str()).map_err(self.failed("reading a commit id"))
    }
}

/// Who reads a repository.
pub(super) enum Opened<'p> {
    Library(Box<git2::Repository>),
    Program(ByProgram<'p>),
}

/// Whether objects may be missing that its remote has.
fn is_partial(repository: &git2::Repository) -> bool {
    const PROMISED: &str = r"^(extensions\.partialclone|remote\..*\.promisor)$";
    let Ok(config) = repository.config() else { return false };
    config.entries(Some(PROMISED)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Where a ref leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// The id in the ref; a tag's own, if it is an annotated one.
    pub(super) holds: String,
    /// The commit, if it leads to one.
    pub(super) commit: Option<Revision>,
}
