//! `dialops contacts list`: a campaign's contacts, page by page.

use clap::ValueEnum;

use super::{
    client::Client,
    output::{Exit, Failure, Out},
};
use crate::http::wire::{
    contacts::{ContactList, ListedContact},
    cursor,
};

/// Contacts asked for at once.
const PAGE_LENGTH: &str = "1000";

/// The columns of CSV.
const HEADER: [&str; 9] =
    ["customer_id", "batch", "state", "attempts", "priority", "timezone", "not_before", "numbers", "attributes"];

/// List contacts by customer, of a batch as they came in; numbers and masked attributes show only their ends
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// The campaign's id
    campaign: String,
    /// Only those of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Only those in this state: fresh, in_progress, on_call, ended, or how they ended, such as reached
    #[arg(long)]
    state: Option<String>,
    /// Only customers after this one
    #[arg(long, value_name = "CUSTOMER")]
    after: Option<String>,
    /// Show numbers and attributes in full, encrypted ones too; the daemon's log notes it
    #[arg(long)]
    unmasked: bool,
    /// How to write it; JSON is one contact a line
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ListFormat {
    /// A header and rows
    #[default]
    Csv,
    /// One object a line
    Json,
}

/// Prints page after page.
pub(super) async fn list(args: List, client: &Client) -> Result<Exit, Failure> {
    let (mut out, mut begun) = (Out::stdout(), false);
    let mut next = args.after.map(|after| cursor::behind(cursor::CONTACTS, after));
    loop {
        let mut query = vec![("limit", PAGE_LENGTH), ("unmasked", if args.unmasked { "true" } else { "false" })];
        let given = [("batch", &args.batch), ("state", &args.state), ("cursor", &next)];
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        let page: ContactList = client.get(&["campaigns", &args.campaign, "contacts"], &query).await?;
        // Nothing is printed for a campaign or a batch that is not there.
        if args.format == ListFormat::Csv && !std::mem::replace(&mut begun, true) {
            out.line(row(&HEADER.map(str::to_owned))?)?;
        }
        for contact in &page.contacts {
            match args.format {
                ListFormat::Csv => out.line(row(&fields(contact)?)?)?,
                ListFormat::Json => out.line(json(contact)?)?,
            }
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn fields(contact: &ListedContact) -> Result<[String; 9], Failure> {
    let numbers = contact.numbers.iter().map(|number| format!("{}={}", number.category, number.number));
    Ok([
        contact.customer.clone(),
        contact.batch.clone(),
        contact.state.clone(),
        contact.attempts.to_string(),
        contact.priority.to_string(),
        contact.timezone.clone().unwrap_or_default(),
        contact.not_before.clone().unwrap_or_default(),
        numbers.collect::<Vec<_>>().join(" "),
        if contact.attributes.is_empty() { String::new() } else { json(&contact.attributes)? },
    ])
}

/// Fields as a row of CSV.
pub(super) fn row(fields: &[String]) -> Result<String, Failure> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    let unwritten =
        |error: &dyn std::error::Error| Failure::failed(format!("a row can't be written: {error}"), "report this");
    writer.write_record(fields).map_err(|error| unwritten(&error))?;
    let bytes = writer.into_inner().map_err(|error| unwritten(&error))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string(), "report this"))
}
