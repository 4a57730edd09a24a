//! The `dialops` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dialops::cli::main()
}
