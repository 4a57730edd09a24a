//! `dialops contacts import CAMPAIGN FILE.csv`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{
    output::{Exit, Failure},
    target::Target,
};

/// Arguments of `dialops contacts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import contacts from a CSV file; doing it again changes nothing
    Import {
        /// The campaign's id
        campaign: String,
        /// The file: columns customer_id, number.CATEGORY (repeatable), priority, not_before, custom_field
        file: PathBuf,
    },
}

/// Imports.
pub(super) async fn run(args: Args, _target: &Target) -> Result<Exit, Failure> {
    let Command::Import { campaign, file } = args.command;
    Err(Failure::failed(format!("import of {} into {campaign} is not built in yet", file.display()), "wait"))
}
