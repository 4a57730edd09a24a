//! A program that checks signatures, run as Git's own are: bounded, and with nothing of this machine's
//! configuration.

use std::{ffi::OsStr, time::Duration};

use crate::gitops::{
    error::SourceError,
    program::{Bounds, NOT_FOUND, Run, RunError},
};

/// Bounds of one check: a few milliseconds and MiB are usual, and nothing is written.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(10), memory_mib: 256, file_mib: 1 };

/// A program, and the Debian package that has it.
pub(super) struct Checker {
    pub(super) program: &'static str,
    pub(super) package: &'static str,
}

/// What it said.
pub(super) struct Said {
    /// Whether it ended well.
    pub(super) ok: bool,
    pub(super) output: String,
    /// On standard error.
    pub(super) said: String,
}

impl Checker {
    /// Where it reads the signature; what was signed is on standard input.
    pub(super) const SIGNATURE: &'static str = Run::TEXT;

    pub(super) async fn run<'a>(
        &self,
        arguments: impl Iterator<Item = &'a OsStr>,
        signature: &str,
        payload: &[u8],
    ) -> Result<Said, SourceError> {
        let run = Run::with_text(self.program, BOUNDS, signature).feed(payload.to_vec()).args(arguments);
        let failed = |why: String| SourceError::Checker { program: self.program, package: self.package, why };
        let ended = run.run().await.map_err(|error| match error {
            RunError::Start(error) | RunError::Read(error) => failed(error.to_string()),
            RunError::TimedOut => failed(format!("it took more than {} seconds", BOUNDS.within.as_secs())),
            RunError::TooMuch => failed("it said too much".to_owned()),
        })?;
        let output = String::from_utf8_lossy(&ended.output).into_owned();
        match ended.status.code() {
            Some(NOT_FOUND) => Err(failed("it is not there".to_owned())),
            Some(code) => Ok(Said { ok: code == 0, output, said: ended.said }),
            None => Err(failed(ended.status.to_string())),
        }
    }
}
