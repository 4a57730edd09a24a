//! `dialops run`: the daemon.

use std::path::PathBuf;

use super::output::{Exit, Failure};

/// Arguments of `dialops run`; the settings file is the global `--config`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs until it is told to stop.
pub(super) fn run(_args: Args, _config: Option<PathBuf>) -> Result<Exit, Failure> {
    Err(Failure::failed("the daemon is not built in yet", "wait for the next commit"))
}
