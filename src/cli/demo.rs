//! `dialops demo`: everything on this machine.

use super::output::{Exit, Failure};

/// Arguments of `dialops demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Leave the directory and the daemon as they are at the end
    #[arg(long)]
    keep: bool,
}

/// Runs the demo.
pub(super) fn run(_args: Args) -> Result<Exit, Failure> {
    Err(Failure::failed("the demo is not built in yet", "wait for the next commit"))
}
