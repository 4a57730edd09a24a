//! `dialops do-not-call`: entries of do-not-call lists in, out, shown and counted.

use std::path::PathBuf;

use clap::Subcommand;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::{
    client::Client,
    import::{self, Lines, Progress},
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, instant, or_dash},
};
use crate::{
    clock::Clock,
    http::wire::do_not_call::{EntryView, ListEvent, Lists, RemoveEntry},
};

/// Arguments of `dialops do-not-call`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import numbers that may not be called from a CSV or JSON Lines file; they hold at once
    ///
    /// Numbers that are on the list already take the file's expiry. Good rows are kept. Bad ones go to
    /// FILE.rejects.csv with their line and the reason, and the command then ends with 2.
    Import {
        /// The list's id in shared/do-not-call.toml
        list: String,
        /// Columns: number, expires_at (optional); a file that ends in .jsonl or .ndjson has a JSON
        /// object a line
        file: PathBuf,
        /// When entries expire that do not say it themselves, for instance 2031-03-03T09:00:00+08:00;
        /// without it they hold for good
        #[arg(long, value_name = "TIME", value_parser = instant)]
        expires: Option<Timestamp>,
        /// How to write the counts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the entries of a list; they are personal data
    List {
        /// The list's id
        list: String,
        /// How to write it; JSON is one entry a line
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Take a number off a list: it may be called again at once
    Remove {
        /// The list's id
        list: String,
        /// The number, in national form or with its country code
        number: String,
    },
    /// Count the entries of every list
    Count {
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Does one of them.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::Import { list, file, expires, format } => {
            expires.map_or(Ok(()), in_future)?;
            let opened = import::open(&file).await?;
            known(&client, &list).await?;
            let progress = Progress::of(&list, &file).await;
            let expires = expires.map(|at| at.to_string());
            let query: Vec<(&str, &str)> = expires.iter().map(|at| ("expires_at", at.as_str())).collect();
            let path = ["do-not-call", list.as_str()];
            let (counts, rejects) = import::upload(&client, &path, &query, &file, opened, progress).await?;
            import::report((&list, None), format, counts, &rejects)
        }
        Command::List { list, format } => show(&client, &list, format).await,
        Command::Remove { list, number } => {
            client.send_json(&["do-not-call", &list, "remove"], &RemoveEntry { number }).await?;
            note(format_args!("removed from {list}"));
            Ok(Exit::Ok)
        }
        Command::Count { format } => count(&client, format).await,
    }
}

/// Refuses an expiry that nobody would be held by.
fn in_future(expires: Timestamp) -> Result<(), Failure> {
    if expires > Clock::system().now().wall {
        return Ok(());
    }
    let message = format!("--expires {expires} has passed: the entries would hold nobody");
    Err(Failure::bad_input(message, "give a time to come, or none for entries that hold for good"))
}

/// Refusals come here, where nothing is being sent: in the middle of an upload they are lost.
async fn known(client: &Client, list: &str) -> Result<(), Failure> {
    let found: Lists = client.get(&["do-not-call"], &[]).await?;
    let defined: Vec<&str> = found.lists.iter().filter(|l| l.name.is_some()).map(|l| l.id.as_str()).collect();
    if defined.contains(&list) {
        return Ok(());
    }
    let message = format!("no do-not-call list {list:?} in the commit in force");
    let hint = match crate::config::suggest::nearest(list, defined.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None if defined.is_empty() => "define it in shared/do-not-call.toml and commit that".to_owned(),
        None => format!("there are {}; shared/do-not-call.toml defines them", defined.join(", ")),
    };
    Err(Failure::bad_input(message, hint))
}

async fn show(client: &Client, list: &str, format: Format) -> Result<Exit, Failure> {
    let response = client.stream(&["do-not-call", list]).await?;
    let pieces = response.bytes_stream().map(|piece| piece.map_err(|error| client.unreachable(&error)));
    let (mut lines, mut out) = (Lines::new(pieces), Out::stdout());
    let mut shown = 0_u64;
    while let Some(event) = lines.next().await? {
        match event {
            ListEvent::Entry(entry) => {
                if shown == 0 && format == Format::Text {
                    out.line(row("NUMBER", "EXPIRES AT", "IMPORTED AT"))?;
                }
                shown += 1;
                entry_line(&mut out, &entry, format)?;
            }
            ListEvent::Done => {
                if shown == 0 && format == Format::Text {
                    out.line("no entries")?;
                }
                out.finish()?;
                return Ok(Exit::Ok);
            }
            ListEvent::Failed(body) => return Err(Failure::failed(body.detail, body.hint)),
        }
    }
    Err(Failure::failed("the daemon broke off before the end of the list", "run the same command again"))
}

fn entry_line(out: &mut Out, entry: &EntryView, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => out.json_line(entry),
        Format::Text => out.line(row(&entry.number, &or_dash(entry.expires_at.as_deref()), &entry.imported_at)),
    }
}

/// A list may have millions of entries: its columns have widths of their own.
fn row(number: &str, expires_at: &str, imported_at: &str) -> String {
    format!("{number:<16}  {expires_at:<27}  {imported_at}")
}

async fn count(client: &Client, format: Format) -> Result<Exit, Failure> {
    let found: Lists = client.get(&["do-not-call"], &[]).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text if found.lists.is_empty() => out.line("no do-not-call lists")?,
        Format::Text => {
            let mut table = Table::new(&["LIST", "NAME", "ENTRIES", "EXPIRED"]);
            for list in found.lists {
                let name = list.name.unwrap_or_else(|| "(not in the commit in force: holds nobody)".to_owned());
                table.row([list.id, name, list.entries.to_string(), list.expired.to_string()]);
            }
            table.lines("").into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}
