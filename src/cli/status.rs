//! `dialops status`: the commit in force, its problems, campaigns, agents.

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out},
    overrides::line as override_line,
    target::Target,
    text::{Table, Zone, clean, or_dash, short_revision},
};
use crate::{
    http::wire::{Agents, Source, Status},
    telemetry::status::{CampaignStatus, Problem},
};

/// Arguments of `dialops status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints the daemon's status.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let status: Status = Client::new(target)?.get(&["status"], &[]).await?;
    let mut out = Out::stdout();
    match args.format {
        Format::Json => out.json(&status)?,
        Format::Text => write(&mut out, &status)?,
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn write(out: &mut Out, status: &Status) -> Result<(), Failure> {
    let zone = Zone::named("UTC");
    let title = out.bold(&clean(&status.instance));
    out.line(format!("{title}  dialops {}, up since {} UTC", status.version, zone.show(&status.started_at)))?;
    match status.dial.as_str() {
        "none" => out.line("dialling is off: [safety] dial = \"none\" in the settings")?,
        "listed" => out.line("test numbers only: [safety] dial = \"listed\" in the settings")?,
        _ => {}
    }
    for one in &status.overrides {
        out.line(override_line(one, &zone))?;
    }
    let several = status.sources.len() > 1;
    for source in &status.sources {
        for line in source_lines(source, several, &zone) {
            out.line(line)?;
        }
    }
    for line in problem_lines(&status.problems).into_iter().chain(lowered_lines(&status.lowered)) {
        out.line(line)?;
    }
    out.line("")?;
    for line in campaign_lines(&status.campaigns.list) {
        out.line(line)?;
    }
    out.line("")?;
    out.line(agents_line(&status.agents))?;
    for one in &status.outbox {
        out.line(one.sentence(|at| format!("{} {}", zone.show(at), zone.name)))?;
    }
    out.line(format!("live calls {}, agents held {}", status.live_calls, status.reserved_agents))
}

/// The commit in force and the conditions; for `reconcile` too.
pub(super) fn source_lines(source: &Source, several: bool, zone: &Zone) -> Vec<String> {
    let (branch, repository) = (clean(source.followed()), clean(&source.repository));
    let mut lines = vec![match several {
        true => format!("source     {}: {branch} of {repository}", source.name),
        false => format!("source     {branch} of {repository}"),
    }];
    lines.extend(source.owner.as_deref().map(|owner| format!("owner      {}", clean(owner))));
    let commit = source.applied_commit.clone().unwrap_or_default();
    lines.push(match &source.last_applied_revision {
        Some(revision) => format!(
            "in force   {} {} ({}, {} {})",
            short_revision(revision),
            clean(&commit.subject),
            clean(&commit.author),
            zone.show(&commit.time),
            zone.name
        ),
        None => "in force   nothing yet".to_owned(),
    });
    if let Some(by) = &commit.verified {
        lines.push(format!("signed by  {}", clean(&by.to_string())));
    }
    if source.observed_revision != source.last_applied_revision {
        let newest = or_dash(source.observed_revision.as_deref().map(short_revision));
        lines.push(format!("newest     {newest}, not in force"));
    }
    for step in source.waiting.iter().flat_map(|waiting| &waiting.plan) {
        lines.push(format!("would      {}", clean(step)));
    }
    for condition in &source.conditions {
        let (kind, status) = (&condition.r#type, &condition.status);
        let (reason, message) = (&condition.reason, clean(&condition.message));
        lines.push(format!("{kind:<10} {status} {reason}: {message}"));
    }
    lines
}

/// Problems as a compiler would print them; for `reconcile` too.
pub(super) fn problem_lines(problems: &[Problem]) -> Vec<String> {
    let title = (!problems.is_empty()).then(|| format!("problems   {} in the newest commit", problems.len()));
    title.into_iter().chain(problems.iter().map(problem_line)).collect()
}

/// Limits that hold otherwise than their files say.
fn lowered_lines(lowered: &[Problem]) -> Vec<String> {
    let count = lowered.len();
    let title =
        (count > 0).then(|| format!("lowered    {count} in the commit in force, by [ceilings] in the settings"));
    let plainly = |problem: &Problem| problem_line(&Problem { suggestion: None, ..problem.clone() });
    title.into_iter().chain(lowered.iter().map(plainly)).collect()
}

fn problem_line(problem: &Problem) -> String {
    let place = match problem.line {
        0 => problem.file.clone(),
        line => format!("{}:{line}:{}", problem.file, problem.column),
    };
    let suggestion = problem.suggestion.as_ref().map(|s| format!("; {s}")).unwrap_or_default();
    clean(&format!("  {place}: {}{suggestion} [{}]", problem.message, problem.code))
}

fn campaign_lines(campaigns: &[CampaignStatus]) -> Vec<String> {
    if campaigns.is_empty() {
        return vec!["no campaigns".to_owned()];
    }
    let mut table = Table::new(&["CAMPAIGN", "PHASE", "DONE", "LIVE", "RESULTS SINCE START", "WAITING"]);
    for campaign in campaigns {
        let results = campaign.results.iter().filter(|(_, count)| **count > 0);
        let results: Vec<String> = results.map(|(result, count)| format!("{result} {count}")).collect();
        table.row([
            campaign.id.clone(),
            campaign.phase.clone(),
            done(campaign),
            campaign.live_calls.to_string(),
            or_dash(Some(&results.join(", "))),
            or_dash(campaign.waiting.as_ref().map(|waiting| waiting.message.as_str())),
        ]);
    }
    table.lines("")
}

fn done(campaign: &CampaignStatus) -> String {
    match (campaign.done(), campaign.contacts) {
        (Some(done), Some(contacts)) => format!("{done}/{contacts}"),
        // Nobody counts contacts of a campaign whose file is gone.
        (None, _) | (_, None) if campaign.is_without_file() => or_dash(None),
        (None, _) | (_, None) => "counting".to_owned(),
    }
}

fn agents_line(agents: &Agents) -> String {
    let counted = agents.by_state.iter().filter(|(_, count)| **count > 0);
    let counted: Vec<String> = counted.map(|(state, count)| format!("{count} {state}")).collect();
    match agents.total {
        0 => "no agents".to_owned(),
        total => format!("agents {total}: {}", counted.join(", ")),
    }
}
