//! `dialops results CAMPAIGN`: every attempt, oldest first.

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out},
    target::Target,
    text::{Table, or_dash, seconds_between},
};
use crate::http::wire::{Attempt, Results};

/// Attempts asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Arguments of `dialops results`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The campaign's id
    campaign: String,
    /// Only attempts after this one, for instance `a3-17`
    #[arg(long, value_name = "ATTEMPT")]
    after: Option<String>,
    /// How to write it; JSON is one attempt a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints page after page.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let mut out = Out::stdout();
    let mut after = args.after;
    let mut first = true;
    loop {
        let mut query = vec![("limit", PAGE_LENGTH)];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page: Results = client.get(&["campaigns", &args.campaign, "results"], &query).await?;
        match args.format {
            Format::Json => page.attempts.iter().try_for_each(|attempt| out.json_line(attempt))?,
            Format::Text => table(&page.attempts, first).into_iter().try_for_each(|line| out.line(line))?,
        }
        first = false;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn table(attempts: &[Attempt], with_header: bool) -> Vec<String> {
    if attempts.is_empty() {
        return if with_header { vec!["no attempts".to_owned()] } else { vec![] };
    }
    let header = ["ATTEMPT", "PLACED AT", "CUSTOMER", "NUMBER", "RESULT", "TALK", "AGENT", "SIP", "Q.850"];
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
            or_dash(attempt.sip_status.map(|status| status.to_string()).as_deref()),
            or_dash(attempt.q850.map(|cause| cause.to_string()).as_deref()),
        ]);
    }
    let lines = table.lines("");
    if with_header { lines } else { lines.into_iter().skip(1).collect() }
}
