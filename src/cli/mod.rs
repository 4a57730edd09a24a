//! The command line: one file per subcommand.

pub mod check;
pub mod schema;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "dialops", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Schema(schema::Args),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
    let done = match Cli::parse().command {
        Command::Check(args) => check::run(args, &mut out, &mut err),
        Command::Schema(args) => schema::run(args, &mut out, &mut err),
    };
    done.map_or(ExitCode::FAILURE, ExitCode::from)
}
