//! `dialops completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{
    Cli,
    output::{Exit, Failure, Out},
};

/// Write the completions of a shell to stdout
///
/// For bash into /usr/share/bash-completion/completions/dialops, for zsh as _dialops into a folder of $fpath,
/// for fish into ~/.config/fish/completions/dialops.fish.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

/// Writes them.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dialops", &mut script);
    let mut out = Out::stdout();
    out.line(String::from_utf8_lossy(&script).trim_end())?;
    out.finish()?;
    Ok(Exit::Ok)
}
