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
const HEADER: [&str; 14] = [
    "customer_id",
    "batch",
    "state",
    "attempts",
    "priority",
    "timezone",
    "not_before",
    "numbers",
    "attributes",
    "last_result",
    "last_placed_at",
    "last_agent",
    "business_result",
    "next_at",
];

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
    /// Only those whose newest call ended so, with commas between several: busy,no_answer
    #[arg(long, value_name = "RESULTS")]
    result: Option<String>,
    /// Only those for whom this business result was set last
    #[arg(long, value_name = "ID")]
    business_result: Option<String>,
    /// With this sub-result
    #[arg(long, value_name = "ID", requires = "business_result")]
    sub_result: Option<String>,
    /// Only those whose newest call was for this agent
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Only those with a number of this category
    #[arg(long, value_name = "ID")]
    category: Option<String>,
    /// Only those who ever heard an agent; with `false` only the others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    connected: Option<bool>,
    /// Only those whose newest call was placed then or later: 2031-03-01, or 2031-03-01T09:00:00+08:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before that time, or on that day or earlier
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
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
        let given = [
            ("batch", &args.batch),
            ("state", &args.state),
            ("result", &args.result),
            ("business_result", &args.business_result),
            ("sub_result", &args.sub_result),
            ("agent", &args.agent),
            ("category", &args.category),
            ("from", &args.from),
            ("to", &args.to),
            ("cursor", &next),
        ];
        query.extend(args.connected.map(|connected| ("connected", if connected { "true" } else { "false" })));
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        let page: ContactList = client.get(&["campaigns", &args.campaign, "contacts"], &query).await?;
        // Nothing is printed for a campaign or a batch that is not there.
        if args.format == ListFormat::Csv && !std::mem::replace(&mut begun, true) {
            out.csv_row(HEADER)?;
        }
        for contact in &page.contacts {
            match args.format {
                ListFormat::Csv => out.csv_row(fields(contact)?)?,
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

fn fields(contact: &ListedContact) -> Result<[String; 14], Failure> {
    let last = contact.last_attempt.as_ref();
    let next = contact.next.as_ref().and_then(|next| next.ready_at.clone());
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
        last.and_then(|last| last.result.clone()).unwrap_or_default(),
        last.map(|last| last.placed_at.clone()).unwrap_or_default(),
        last.map(|last| last.agent.clone()).unwrap_or_default(),
        contact.business_result.clone().unwrap_or_default(),
        next.unwrap_or_default(),
    ])
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string(), "report this"))
}
