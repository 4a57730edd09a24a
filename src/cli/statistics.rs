//! `dialops statistics [CAMPAIGN]`: contacts and attempts, counted.

use super::{
    client::Client,
    output::{Exit, Failure, Out, RowFormat},
    target::Target,
    text::{Table, clean},
};
use crate::http::wire::results::{CallCounts, ContactCounts, StatisticsView};

/// Arguments of `dialops statistics`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The campaign's id; without one, all campaigns are counted together
    campaign: Option<String>,
    /// Only calls placed then or later: a day, or a quarter of an hour such as 2031-03-01T09:15:00+08:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only calls placed before that time, or on that day or earlier
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How to write it; CSV has a row for each count
    #[arg(long, value_enum, default_value_t)]
    format: RowFormat,
}

/// Prints the counts.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let mut query = Vec::new();
    query.extend(args.from.as_deref().map(|from| ("from", from)));
    query.extend(args.to.as_deref().map(|to| ("to", to)));
    let path = match args.campaign.as_deref() {
        Some(campaign) => vec!["campaigns", campaign, "statistics"],
        None => vec!["statistics"],
    };
    let counted: StatisticsView = client.get(&path, &query).await?;
    let mut out = Out::stdout();
    match args.format {
        RowFormat::Json => out.json(&counted)?,
        RowFormat::Text => lines(&counted).into_iter().try_for_each(|line| out.line(line))?,
        RowFormat::Csv => {
            out.csv_row(["by", "name", "attempts", "connected", "talk_seconds"])?;
            for (by, rows) in groups(&counted) {
                for (name, calls) in rows {
                    let counts = [calls.attempts, calls.connected, calls.talk_seconds].map(|n| n.to_string());
                    out.csv_row([by.to_owned(), name].into_iter().chain(counts))?;
                }
            }
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}

type Rows = Vec<(String, CallCounts)>;

/// Everything that is counted by something, under its name.
fn groups(counted: &StatisticsView) -> Vec<(&'static str, Rows)> {
    let agents = counted.by_agent.iter().flatten();
    let batches = counted.by_batch.iter().flatten();
    let business = counted.by_business_result.iter().map(|row| {
        let sub_result = row.achieved.sub_result.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        let calls = CallCounts { attempts: row.attempts, ..CallCounts::default() };
        (format!("{}{sub_result}", row.achieved.result), calls)
    });
    vec![
        ("all", vec![("attempts".to_owned(), counted.attempts)]),
        ("result", counted.by_result.iter().map(|row| (row.result.clone(), row.calls)).collect()),
        ("group", counted.by_group.iter().map(|row| (row.group.clone(), row.calls)).collect()),
        ("business_result", business.collect()),
        ("day", counted.by_day.iter().map(|row| (row.day.clone(), row.calls)).collect()),
        ("hour", counted.by_hour.iter().map(|row| (row.hour.to_string(), row.calls)).collect()),
        ("agent", agents.map(|row| (row.agent.clone(), row.calls)).collect()),
        ("batch", batches.map(|row| (row.batch.clone(), row.calls)).collect()),
    ]
}

fn lines(counted: &StatisticsView) -> Vec<String> {
    let of = counted.campaign.as_deref().unwrap_or("all campaigns");
    let mut lines = vec![
        format!("{of}, calls {}", span(counted)),
        format!("  contacts   {}", contacts(&counted.contacts)),
        format!(
            "  attempts   {} ended, {} live; connected: {}, of {} different contacts; {} talked",
            counted.attempts.attempts,
            counted.live,
            counted.attempts.connected,
            counted.connected_contacts,
            hours(counted.attempts.talk_seconds)
        ),
    ];
    for (by, rows) in groups(counted).into_iter().skip(1) {
        let rows: Rows = rows.into_iter().filter(|(_, calls)| calls.attempts > 0).collect();
        if rows.is_empty() {
            continue;
        }
        lines.push(String::new());
        let header = by.to_uppercase().replace('_', " ");
        let mut table = Table::new(&[&header, "ATTEMPTS", "CONNECTED", "TALK"]);
        for (name, calls) in rows {
            let is_business = by == "business_result";
            let unless = |text: String| if is_business { "-".to_owned() } else { text };
            table.row([
                clean(&name),
                calls.attempts.to_string(),
                unless(calls.connected.to_string()),
                unless(hours(calls.talk_seconds)),
            ]);
        }
        lines.extend(table.lines("  "));
    }
    lines
}

/// Of when, in which zone.
fn span(counted: &StatisticsView) -> String {
    let span = match (&counted.from, &counted.to) {
        (None, None) => "of all time".to_owned(),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(to)) => format!("before {to}"),
        (Some(from), Some(to)) => format!("from {from} to {to}"),
    };
    format!("{span}; days and hours of {}", counted.timezone)
}

fn contacts(counts: &ContactCounts) -> String {
    let ended: Vec<String> = counts.ended.iter().map(|(how, n)| format!("{n} {how}")).collect();
    let ended = if ended.is_empty() { String::new() } else { format!(" ({})", ended.join(", ")) };
    let ContactCounts { all, not_called, in_progress, finished, .. } = counts;
    format!("{all} now: {not_called} not called, {in_progress} in progress, {finished} finished{ended}")
}

/// `1:02:03`.
fn hours(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
