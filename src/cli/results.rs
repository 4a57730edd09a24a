//! `dialops results CAMPAIGN`: every attempt, oldest first; `dialops results mark` sets a business result.

use clap::Subcommand;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, or_dash, seconds_between},
};
use crate::http::wire::{
    Attempt, Results,
    business::{BusinessResultSet, Callback, SetBusinessResult},
    cursor,
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
    /// Only attempts after this one, for instance `a3-17`
    #[arg(long, value_name = "ATTEMPT")]
    after: Option<String>,
    /// How to write it; JSON is one attempt a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set what the conversation with a customer achieved
    Mark(Mark),
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

/// Prints attempts, or marks one.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match (args.command, args.campaign) {
        (Some(Command::Mark(mark)), _) => set(&client, mark).await?,
        (None, Some(campaign)) => print(&client, &campaign, args.after, args.format).await?,
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

/// Prints page after page.
async fn print(client: &Client, campaign: &str, after: Option<String>, format: Format) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let mut next = after.map(|after| cursor::behind(cursor::RESULTS, after));
    let mut first = true;
    loop {
        let mut query = vec![("limit", PAGE_LENGTH)];
        query.extend(next.as_deref().map(|next| ("cursor", next)));
        let page: Results = client.get(&["campaigns", campaign, "results"], &query).await?;
        match format {
            Format::Json => page.attempts.iter().try_for_each(|attempt| out.json_line(attempt))?,
            Format::Text => table(&page.attempts, first).into_iter().try_for_each(|line| out.line(line))?,
        }
        first = false;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    out.finish()
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
