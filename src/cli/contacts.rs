//! `dialops contacts import CAMPAIGN FILE`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{
    client::Client,
    import::{self, Progress, Rejects},
    output::{Exit, Failure, Format},
    target::Target,
};
use crate::http::wire::{ImportCounts, TallyView};

/// Arguments of `dialops contacts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import contacts from a CSV or JSON Lines file; the same file again changes nothing
    ///
    /// Good rows are kept. Bad ones go to FILE.rejects.csv with their line and the reason, and the
    /// command then ends with 2.
    Import {
        /// The campaign's id
        campaign: String,
        /// Columns: customer_id, number.CATEGORY (repeatable), attr.ID, priority, timezone,
        /// not_before, custom_field; a file that ends in .jsonl or .ndjson has a JSON object a line
        file: PathBuf,
        /// How to write the counts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Imports.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let Command::Import { campaign, file, format } = args.command;
    let client = Client::new(target)?;
    let progress = Progress::of(&campaign, &file).await;
    let (counts, rejects) = import(&client, &campaign, &file, progress).await?;
    import::report(&campaign, format, counts, &rejects)
}

/// Streams `file` up; bad rows go to the reject file.
pub(super) async fn import(
    client: &Client,
    campaign: &str,
    file: &Path,
    progress: Progress,
) -> Result<(ImportCounts, Rejects), Failure> {
    let opened = import::open(file).await?;
    // Refusals come here, where nothing is being sent: in the middle of an upload they are lost.
    let _known: TallyView = client.get(&["campaigns", campaign, "tally"], &[]).await?;
    import::upload(client, &["campaigns", campaign, "contacts"], &[], file, opened, progress).await
}
