//! `dialops audit`: who changed what, and whether that is what was written.

use clap::Subcommand;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, or_dash},
};
use crate::{
    http::wire::{
        cursor,
        people::{AuditPage, AuditView},
    },
    store::audit::Chain,
};

/// Entries that are asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Arguments of `dialops audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the newest changes
    List {
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check that no entry was edited, taken out or moved
    ///
    /// It prints how many entries there are and the digest of the newest. Keep that elsewhere, and give it with --end:
    /// then it also tells if the end was cut off, or all of it made anew.
    Verify {
        /// A digest that an earlier check printed, which must be in the chain
        #[arg(long, value_name = "DIGEST")]
        end: Option<String>,
    },
}

/// Lists or checks.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { limit, format } => list(&client, limit, format).await?,
        Command::Verify { end } => verify(&client, end.as_deref()).await?,
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, limit: u32, format: Format) -> Result<(), Failure> {
    let page: AuditPage = client.get(&["audit"], &[("limit", &limit.to_string())]).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&page)?,
        Format::Text if page.entries.is_empty() => out.line("nobody has changed anything")?,
        Format::Text => {
            let mut table = Table::new(&["ENTRY", "TIME", "WHO", "ROLE", "ACTION", "OBJECT", "RESULT"]);
            for entry in page.entries {
                let AuditView { id, at, who, role, action, object, result, .. } = entry;
                let object = or_dash(Some(&object));
                table.row([id.to_string(), at, who, role, action, object, result]);
            }
            table.lines("").into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    out.finish()
}

async fn verify(client: &Client, end: Option<&str>) -> Result<(), Failure> {
    const HINT: &str = "somebody has written into the store; a backup from before shows what the log was";
    let mut chain = Chain::default();
    let mut end_found = end.is_none();
    let mut next = Some(cursor::behind(cursor::AUDIT, 0));
    while let Some(cursor) = next {
        let page: AuditPage = client.get(&["audit"], &[("cursor", &cursor), ("limit", PAGE_LENGTH)]).await?;
        next = page.next;
        for view in page.entries {
            let unreadable = || Failure::failed(format!("entry {} has no time", view.id), HINT);
            let entry = view.entry().ok_or_else(unreadable)?;
            chain.follow(&entry).map_err(|broken| Failure::failed(format!("the audit log: {broken}"), HINT))?;
            end_found |= end == Some(entry.digest.as_str());
        }
    }
    let (entries, digest) = chain.end();
    if !end_found {
        let error = "the digest of --end is not in the chain: its end was cut off, or it was made anew";
        return Err(Failure::failed(error, HINT));
    }
    let mut out = Out::stdout();
    out.line(format!("{entries} {}", or_dash(Some(digest))))?;
    out.finish()?;
    note(format_args!("the chain of {entries} entries holds"));
    Ok(())
}
