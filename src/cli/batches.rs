//! `dialops batches`: what imports have added, by batch, and pausing one.

use clap::Subcommand;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, clean_line},
};
use crate::http::wire::batches::{BatchList, BatchView, PauseBatch};

/// Arguments of `dialops batches`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the batches of a campaign with their counts
    List {
        /// The campaign's id
        campaign: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one batch
    Show {
        #[command(flatten)]
        batch: Named,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Dial no contact of a batch until it is resumed; live calls go on
    Pause(Named),
    /// Dial the contacts of a batch again
    Resume(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The campaign's id
    campaign: String,
    /// The batch's name, as `list` shows it
    batch: String,
}

/// Lists, shows, pauses or resumes.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { campaign, format } => {
            let take = |page: BatchList| (page.batches, page.next);
            let batches = client.pages(&["campaigns", &campaign, "batches"], &[], take).await?;
            let found = BatchList { batches, next: None };
            let mut out = Out::stdout();
            match format {
                Format::Json => out.json(&found)?,
                Format::Text => table(&found.batches).into_iter().try_for_each(|line| out.line(line))?,
            }
            out.finish()?;
        }
        Command::Show { batch: Named { campaign, batch }, format } => {
            let found: BatchView = client.get(&["campaigns", &campaign, "batches", &batch], &[]).await?;
            let mut out = Out::stdout();
            match format {
                Format::Json => out.json(&found)?,
                Format::Text => table(&[found]).into_iter().try_for_each(|line| out.line(line))?,
            }
            out.finish()?;
        }
        Command::Pause(batch) => set(&client, &batch, true).await?,
        Command::Resume(batch) => set(&client, &batch, false).await?,
    }
    Ok(Exit::Ok)
}

async fn set(client: &Client, Named { campaign, batch }: &Named, paused: bool) -> Result<(), Failure> {
    let set: BatchView = client.put(&["campaigns", campaign, "batches", batch], &PauseBatch { paused }).await?;
    let is = if set.paused { "paused" } else { "dialled" };
    note(format_args!("{campaign}, batch {} is {is}: {} contacts", clean_line(&set.batch), set.contacts));
    Ok(())
}

fn table(batches: &[BatchView]) -> Vec<String> {
    if batches.is_empty() {
        return vec!["no batches".to_owned()];
    }
    let mut table =
        Table::new(&["BATCH", "IMPORTED", "STATE", "CONTACTS", "FRESH", "IN PROGRESS", "ENDED", "REJECTED"]);
    for batch in batches {
        let ended = batch.ended.iter().map(|(how, count)| format!("{count} {how}")).collect::<Vec<_>>().join(", ");
        table.row([
            batch.batch.clone(),
            batch.created_at.get(..16).unwrap_or(&batch.created_at).replace('T', " "),
            if batch.paused { "paused" } else { "dialled" }.to_owned(),
            batch.contacts.to_string(),
            batch.fresh.to_string(),
            batch.in_progress.to_string(),
            if ended.is_empty() { "-".to_owned() } else { ended },
            batch.rejected.to_string(),
        ]);
    }
    table.lines("")
}
