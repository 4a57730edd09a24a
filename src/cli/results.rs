//! `dialops results CAMPAIGN`: attempts, oldest first; `show` has a contact with all of its, `mark` sets a business result.

use clap::Subcommand;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, RowFormat, note},
    show_contact,
    target::Target,
    text::{Table, or_dash, seconds_between},
};
use crate::http::wire::{
    Attempt, Results,
    business::{BusinessResultSet, Callback, SetBusinessResult},
    cursor,
    results::ContactDetail,
};

/// Attempts asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Arguments of `dialops results`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The campaign's id
    #[arg(required = true)]
    campaign: Option<String>,
    #[command(flatten)]
    only: Only,
    /// Show numbers in full; the daemon's log notes it
    #[arg(long)]
    unmasked: bool,
    /// How to write it; JSON is one attempt a line
    #[arg(long, value_enum, default_value_t)]
    format: RowFormat,
}

/// Which attempts: those for which all of it holds.
#[derive(Debug, clap::Args)]
struct Only {
    /// Only attempts after this one, for instance `a3-17`
    #[arg(long, value_name = "ATTEMPT")]
    after: Option<String>,
    /// Only calls placed then or later: 2031-03-01, or 2031-03-01T09:00:00+08:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only calls placed before that time, or on that day or earlier
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only these results, with commas between them: busy,no_answer
    #[arg(long, value_name = "RESULTS")]
    result: Option<String>,
    /// Only those whose last business result is this one
    #[arg(long, value_name = "ID")]
    business_result: Option<String>,
    /// With this sub-result
    #[arg(long, value_name = "ID", requires = "business_result")]
    sub_result: Option<String>,
    /// Only calls for this agent
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Only calls to contacts of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Only calls to numbers of this category
    #[arg(long, value_name = "ID")]
    category: Option<String>,
    /// Only calls in which customer and agent heard each other; with `false` only the others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    connected: Option<bool>,
    /// Only calls that this business rule has placed, for instance `callback/soon`
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only calls placed under this commit; its first digits will do
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
}

impl Only {
    /// As the daemon is asked, but for where a page begins.
    fn query(&self) -> Vec<(&'static str, &str)> {
        let connected = self.connected.map(|connected| if connected { "true" } else { "false" });
        let given = [
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("result", self.result.as_deref()),
            ("business_result", self.business_result.as_deref()),
            ("sub_result", self.sub_result.as_deref()),
            ("agent", self.agent.as_deref()),
            ("batch", self.batch.as_deref()),
            ("category", self.category.as_deref()),
            ("connected", connected),
            ("rule", self.rule.as_deref()),
            ("revision", self.revision.as_deref()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a contact with all its numbers and attempts, and what they achieved
    Show(Show),
    /// Set what the conversation with a customer achieved
    Mark(Mark),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The campaign's id
    campaign: String,
    /// The customer's id
    customer: String,
    /// Show numbers and attributes in full, encrypted ones too; the daemon's log notes it
    #[arg(long)]
    unmasked: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Mark {
    /// The campaign's id
    campaign: String,
    /// The customer's id
    customer: String,
    /// The business result, as `business-results.toml` names it
    result: String,
    /// Its sub-result
    #[arg(long, value_name = "ID")]
    sub_result: Option<String>,
    /// What else is to be known
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The attempt that it is for, as `dialops results` shows it; the newest unless given
    #[arg(long, value_name = "ATTEMPT")]
    attempt: Option<String>,
    /// Who achieved it; the agent of the attempt unless given
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// When the customer wants to be called: 2026-03-04T15:00 where they are, or with an offset
    #[arg(long, value_name = "TIME")]
    callback: Option<String>,
    /// The agent who achieved the result is to make that call
    #[arg(long, requires = "callback")]
    same_agent: bool,
}

/// Prints attempts or a contact, or marks one.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match (args.command, args.campaign) {
        (Some(Command::Mark(mark)), _) => set(&client, mark).await?,
        (Some(Command::Show(show)), _) => contact(&client, &show).await?,
        (None, Some(campaign)) => print(&client, &campaign, &args.only, (args.unmasked, args.format)).await?,
        (None, None) => return Err(Failure::bad_input("no campaign is named", "give the campaign's id")),
    }
    Ok(Exit::Ok)
}

async fn set(client: &Client, mark: Mark) -> Result<(), Failure> {
    let Mark { campaign, customer, result, sub_result, note: text, attempt, agent, callback, same_agent } = mark;
    let path = ["campaigns", &campaign, "contacts", &customer, "business-results"];
    let callback = callback.map(|at| Callback { at, same_agent });
    let wanted = SetBusinessResult { result, sub_result, note: text, attempt, agent, callback };
    let set: BusinessResultSet = client.post_json(&path, &wanted).await?;
    note(format_args!("{customer} is marked {}: {}", wanted.result, came_of_it(set.outcome.as_deref())));
    Ok(())
}

/// What came of a business result, as a sentence's end.
pub(super) fn came_of_it(outcome: Option<&str>) -> &str {
    match outcome {
        None => "takes effect at the end of the call",
        Some("scheduled") => "a call is scheduled",
        Some("stopped") => "never called again",
        Some("no_rule") => "recorded; no rule is for it",
        Some("used_up") => "recorded; its rule has placed max_times calls",
        Some("final") => "only recorded; the contact had ended for good",
        Some("expired") => "only recorded; the campaign has expired",
        Some("retired") => "only recorded; the campaign's file is gone",
        Some("no_call") => "only recorded; nobody has called this customer",
        Some(other) => other,
    }
}

async fn contact(client: &Client, show: &Show) -> Result<(), Failure> {
    let path = ["campaigns", show.campaign.as_str(), "contacts", &show.customer];
    let query: &[(&str, &str)] = if show.unmasked { &[("unmasked", "true")] } else { &[] };
    let detail: ContactDetail = client.get(&path, query).await?;
    let mut out = Out::stdout();
    match show.format {
        Format::Json => out.json(&detail)?,
        Format::Text => show_contact::lines(&detail).into_iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()
}

/// Prints page after page.
async fn print(
    client: &Client,
    campaign: &str,
    only: &Only,
    (unmasked, format): (bool, RowFormat),
) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let mut next = only.after.as_ref().map(|after| cursor::behind(cursor::RESULTS, after));
    let (mut first, mut header) = (true, format == RowFormat::Csv);
    loop {
        let mut query = vec![("limit", PAGE_LENGTH), ("unmasked", if unmasked { "true" } else { "false" })];
        query.extend(only.query());
        query.extend(next.as_deref().map(|next| ("cursor", next)));
        let page: Results = client.get(&["campaigns", campaign, "results"], &query).await?;
        // Nothing is printed for a campaign that is not there.
        if std::mem::take(&mut header) {
            out.csv_row(HEADER)?;
        }
        next = page.next;
        match format {
            RowFormat::Json => page.attempts.iter().try_for_each(|attempt| out.json_line(attempt))?,
            RowFormat::Csv => page.attempts.iter().try_for_each(|attempt| out.csv_row(fields(attempt)))?,
            // A page of a filter may be empty, and others follow.
            RowFormat::Text if page.attempts.is_empty() && next.is_some() => {}
            RowFormat::Text => {
                table(&page.attempts, first).into_iter().try_for_each(|line| out.line(line))?;
                first = false;
            }
        }
        if next.is_none() {
            break;
        }
    }
    out.finish()
}

/// The columns of CSV.
const HEADER: [&str; 21] = [
    "attempt",
    "placed_at",
    "rang_at",
    "answered_at",
    "connected_at",
    "ended_at",
    "customer_id",
    "batch",
    "number_index",
    "category",
    "number",
    "caller_number",
    "agent",
    "result",
    "fail_code",
    "sip_status",
    "q850",
    "business_result",
    "rule",
    "trunk",
    "revision",
];

fn fields(attempt: &Attempt) -> [String; 21] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        attempt.attempt.clone(),
        attempt.placed_at.clone(),
        text(&attempt.rang_at),
        text(&attempt.answered_at),
        text(&attempt.connected_at),
        text(&attempt.ended_at),
        attempt.customer.clone(),
        attempt.batch.clone(),
        attempt.number_index.to_string(),
        text(&attempt.category),
        attempt.number.clone(),
        attempt.caller_number.clone(),
        attempt.agent.clone(),
        text(&attempt.result),
        text(&attempt.fail_code),
        attempt.sip_status.map(|status| status.to_string()).unwrap_or_default(),
        attempt.q850.map(|cause| cause.to_string()).unwrap_or_default(),
        text(&attempt.business_result),
        text(&attempt.rule),
        attempt.trunk.clone(),
        attempt.revision.clone(),
    ]
}

fn table(attempts: &[Attempt], with_header: bool) -> Vec<String> {
    if attempts.is_empty() {
        return if with_header { vec!["no attempts".to_owned()] } else { vec![] };
    }
    let header = ["ATTEMPT", "PLACED AT", "CUSTOMER", "NUMBER", "RESULT", "TALK", "AGENT", "BUSINESS", "SIP", "Q.850"];
    let mut table = Table::new(&header);
    for attempt in attempts {
        table.row([
            attempt.attempt.clone(),
            attempt.placed_at.clone(),
            attempt.customer.clone(),
            attempt.number.clone(),
            attempt.result.clone().unwrap_or_else(|| "live".to_owned()),
            seconds_between(attempt.connected_at.as_deref(), attempt.ended_at.as_deref()),
            attempt.agent.clone(),
            or_dash(attempt.business_result.as_deref()),
            or_dash(attempt.sip_status.map(|status| status.to_string()).as_deref()),
            or_dash(attempt.q850.map(|cause| cause.to_string()).as_deref()),
        ]);
    }
    let lines = table.lines("");
    if with_header { lines } else { lines.into_iter().skip(1).collect() }
}
