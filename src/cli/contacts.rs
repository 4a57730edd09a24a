//! `dialops contacts`.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::Subcommand;
use jiff::Timestamp;

use super::{
    client::Client,
    customer,
    import::{self, Progress, Rejects},
    listing,
    output::{Exit, Failure, Format},
    target::Target,
    text::clean_line,
};
use crate::{
    domain::ids::{BatchId, not_a_step},
    http::wire::{ImportCounts, TallyView},
};

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
        /// The batch that contacts are added to [default: the file's name and the day it was written]
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// How to write the counts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    List(listing::List),
    Edit(customer::Edit),
    /// Take away a contact that was never called
    Delete {
        /// The campaign's id
        campaign: String,
        /// The customer's id
        customer: String,
    },
    Erase(customer::Erase),
    /// Write encrypted attributes anew under the key that is set now
    ///
    /// Until it has ended, `previous_attribute_key` of the settings has to stay.
    RotateKey,
}

/// Imports, edits, deletes or erases.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let (campaign, file, batch, format) = match args.command {
        Command::Import { campaign, file, batch, format } => (campaign, file, batch, format),
        Command::List(args) => return listing::list(args, &client).await,
        Command::Edit(args) => return customer::edit(args, &client).await,
        Command::Delete { campaign, customer } => return customer::delete(&campaign, &customer, &client).await,
        Command::RotateKey => return customer::rotate_key(&client).await,
        Command::Erase(args) => return customer::erase(args, &client).await,
    };
    let written_at = tokio::fs::metadata(&file).await.ok().and_then(|found| found.modified().ok());
    let batch = batch.unwrap_or_else(|| batch_of(&file, written_at));
    check_batch(&batch)?;
    let target = format!("{campaign}, batch {}", clean_line(&batch));
    let progress = Progress::of(&target, &file).await;
    let (counts, rejects) = import(&client, &campaign, &batch, &file, progress).await?;
    import::report((&target, Some(&batch)), format, counts, &rejects)
}

/// Refuses what the daemon would: in the middle of an upload its refusal is lost.
fn check_batch(batch: &str) -> Result<(), Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::bad_input(format!("{batch:?} is no name of a batch: it {why}"), "choose another with --batch")
    };
    BatchId::parse(batch).map_err(|error| refused(&error))?;
    not_a_step(batch).map_err(|error| refused(&error))
}

/// Longest part of a file's name in that of its batch.
const STEM_LENGTH_MAX: usize = 50;

/// The batch of a file: its name and the day on which it was last written (in UTC), so that the same file
/// is the same batch on any day.
pub(super) fn batch_of(file: &Path, written_at: Option<SystemTime>) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_whitespace() || c.is_control() { '-' } else { c };
    let stem: String = stem.chars().map(plain).take(STEM_LENGTH_MAX).collect();
    match written_at.and_then(|at| Timestamp::try_from(at).ok()) {
        Some(at) => format!("{stem}-{}", at.strftime("%Y-%m-%d")),
        None => stem,
    }
}

/// Streams `file` up; bad rows go to the reject file.
pub(super) async fn import(
    client: &Client,
    campaign: &str,
    batch: &str,
    file: &Path,
    progress: Progress,
) -> Result<(ImportCounts, Rejects), Failure> {
    let opened = import::open(file).await?;
    // Refusals come here, where nothing is being sent: in the middle of an upload they are lost.
    let _known: TallyView = client.get(&["campaigns", campaign, "tally"], &[]).await?;
    import::upload(client, &["campaigns", campaign, "contacts"], &[("batch", batch)], file, opened, progress).await
}
