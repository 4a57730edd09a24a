//! A repository that only the `git` program can read: SHA-256 ids, refs in tables, objects that a
//! partial clone has yet to fetch. Blocks, on a thread that the runtime made for it.

use std::{
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    error::SourceError,
    objects::Program,
    program::{Bounds, Run, RunError},
    repository::{GitFolders, Tip},
    snapshot::{self, Blobs, CommitFiles},
};
use crate::domain::ids::Revision;

/// Bounds of what reads a local repository; a lazy fetch of a partial clone is within them too.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(60), memory_mib: 512, file_mib: 256 };

/// A repository at a path, as the program sees it.
pub(super) struct ByProgram<'p>(pub(super) &'p Path);

impl ByProgram<'_> {
    fn run(&self) -> Run {
        Run::new(BOUNDS).inside(&absolute(self.0).unwrap_or_else(|_| self.0.to_owned()))
    }

    /// The answer to a question; nothing if the program says no.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Option<String>, SourceError> {
        let run = self.run().args(arguments);
        let ended = Handle::current().block_on(run.run()).map_err(|error| match error {
            RunError::Start(source) | RunError::Read(source) => SourceError::Program { source },
            RunError::TimedOut => self.slow(),
            RunError::TooMuch => self.slow(),
        })?;
        let said = String::from_utf8_lossy(&ended.output).trim_end().to_owned();
        Ok(ended.status.success().then_some(said))
    }

    fn slow(&self) -> SourceError {
        SourceError::TimedOut { url: self.0.display().to_string(), seconds: BOUNDS.within.as_secs() }
    }

    pub(super) fn tip(&self, reference: &str) -> Result<Option<Tip>, SourceError> {
        let Some(holds) = self.ask(&["rev-parse", "--verify", "--quiet", reference])? else { return Ok(None) };
        let commit = self.ask(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?;
        Ok(Some(Tip { holds, commit: commit.and_then(|id| Revision::parse(&id)) }))
    }

    pub(super) fn has(&self, revision: &Revision) -> Result<bool, SourceError> {
        Ok(self.ask(&["cat-file", "-e", &format!("{revision}^{{commit}}")])?.is_some())
    }

    /// Short names of the refs below a folder of refs.
    pub(super) fn names(&self, below: &str, most: usize) -> Result<Vec<String>, SourceError> {
        let found = self.ask(&["for-each-ref", &format!("--count={most}"), "--format=%(refname:lstrip=2)", below])?;
        Ok(found.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    pub(super) fn descends(&self, head: &Revision, ancestor: &Revision) -> Result<bool, SourceError> {
        if self.is_shallow()? {
            return Ok(true);
        }
        Ok(self.ask(&["merge-base", "--is-ancestor", ancestor.as_str(), head.as_str()])?.is_some())
    }

    pub(super) fn set(&self, reference: &str, revision: &Revision) -> Result<(), SourceError> {
        match self.ask(&["update-ref", reference, revision.as_str()])? {
            Some(_) => Ok(()),
            None => Err(SourceError::RefWrite { path: self.0.to_owned(), reference: reference.to_owned() }),
        }
    }

    pub(super) fn folders(&self) -> Result<GitFolders, SourceError> {
        let folder = |name| Ok(self.ask(&["rev-parse", "--path-format=absolute", name])?.map(PathBuf::from));
        match (folder("--git-dir")?, folder("--git-common-dir")?) {
            (Some(own), Some(common)) => Ok(GitFolders { own, common }),
            (_, _) => Err(SourceError::NotARepository { path: self.0.to_owned() }),
        }
    }

    pub(super) fn read(
        &self,
        revision: &Revision,
        prefix: &str,
        known: &Blobs,
    ) -> Result<(CommitFiles, Blobs), SourceError> {
        snapshot::read(&mut self.objects()?, self.0, revision, prefix, known)
    }

    pub(super) fn commit_object(&self, revision: &Revision) -> Result<Vec<u8>, SourceError> {
        snapshot::commit_object(&mut self.objects()?, self.0, revision)
    }

    pub(super) fn is_shallow(&self) -> Result<bool, SourceError> {
        Ok(self.ask(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
    }

    fn objects(&self) -> Result<Program, SourceError> {
        Program::start(self.run(), BOUNDS.within).map_err(|source| SourceError::Program { source })
    }
}
