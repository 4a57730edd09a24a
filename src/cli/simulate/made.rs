//! `dialops simulate DIR CAMPAIGN…`: makes a world up, dials in it, and tells what came of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Args, Form, picture};
use crate::{
    cli::{
        check::folder::{Checked, campaigns_folder, counted, tell},
        output::{Exit, Failure, Out, Tint, note},
        text::{Table, local, path_line},
    },
    config::{self, Simulation, settings::outer_ceilings},
    contacts::{self, ImportFormat, ImportRules},
    domain::{campaign::Definitions, contact::NewContact, ids::CampaignId, tenant::PerMille},
    sim::made::{CampaignReport, Hour, Made, Report},
};

/// The world beside the campaigns.
const WORLD: &str = "sim.toml";

/// Hours of a day, as a row of the timeline has them.
const HOURS: usize = 24;

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    // Clap has seen to it that there is one.
    let dir = args.dir.clone().unwrap_or_default();
    let folder = campaigns_folder(&dir, "campaigns").ok_or_else(|| {
        let error = format!("{} has no folder campaigns", dir.display());
        Failure::bad_input(error, "name the root of a configuration repository")
    })?;
    let mut definitions = definitions(&folder)?;
    select(&mut definitions, &args.campaigns)?;
    let world = world(args.world.as_deref(), &folder)?;
    let zone = TimeZone::get(&definitions.tenant.timezone).unwrap_or(TimeZone::UTC);
    let starts = definitions.campaigns.values().map(|campaign| campaign.starts_at).min();
    let from = args.from.or(starts).unwrap_or(Timestamp::UNIX_EPOCH);
    let days = SignedDuration::from_hours(24 * i64::from(args.days));
    let until = from.saturating_add(days).unwrap_or(Timestamp::MAX);
    let contacts = all_contacts(&definitions, &world, &args.contacts).await?;
    let made = Made { definitions, contacts, world, from, until, seed: args.seed };
    let report = made.run().map_err(|error| Failure::from_error(&error))?;
    let mut out = Out::stdout();
    match args.format {
        Form::Text => text(&report, &zone, &mut out)?,
        Form::Json => out.json(&document(&report, &zone))?,
        Form::Svg => out.line(picture::svg(&report, &zone))?,
    }
    out.finish()?;
    let met = report.expectations.iter().all(|expectation| expectation.is_met);
    if !met && args.format != Form::Text {
        note(format_args!("not all that `[expect]` asks for came"));
    }
    Ok(if met { Exit::Ok } else { Exit::BadInput })
}

/// What the folder defines; what is wrong with it is told.
fn definitions(folder: &Path) -> Result<Definitions, Failure> {
    let mut checked = Checked::default();
    checked.read_folder(folder);
    let loaded = config::load(&checked.folder, &checked.sources(), &outer_ceilings());
    let found = match loaded {
        Ok((definitions, _)) if checked.diagnostics.is_empty() => return Ok(definitions),
        Ok(_) => std::mem::take(&mut checked.diagnostics),
        Err(found) => found,
    };
    tell(&found, |path| checked.source(path));
    Err(Failure::bad_input("the campaigns are not good", "`dialops check` tells more"))
}

/// Leaves the named campaigns alone in the definitions.
fn select(definitions: &mut Definitions, names: &[String]) -> Result<(), Failure> {
    let mut chosen = BTreeMap::new();
    for name in names {
        let found = CampaignId::parse(name).ok().and_then(|id| definitions.campaigns.get_key_value(&id));
        let Some((id, campaign)) = found else {
            let known: Vec<&str> = definitions.campaigns.keys().map(CampaignId::as_str).collect();
            let hint = format!("there are: {}", known.join(", "));
            return Err(Failure::bad_input(format!("no campaign {name:?}"), hint));
        };
        let unread = campaign.not_dialled_yet();
        if !unread.is_empty() {
            note(format_args!("{id} is held: this version does not dial by {} yet", unread.join(", ")));
        }
        chosen.insert(id.clone(), campaign.clone());
    }
    definitions.campaigns = chosen;
    Ok(())
}

/// The world that was named, else the one beside the campaigns, else one where everything is usual.
fn world(named: Option<&Path>, folder: &Path) -> Result<Simulation, Failure> {
    let beside = folder.join(WORLD);
    let path: PathBuf = match named {
        Some(path) => path.to_owned(),
        None if beside.is_file() => beside,
        None => {
            note(format_args!("no {WORLD} in {}: every rate is its default", path_line(folder)));
            return Ok(Simulation::default());
        }
    };
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::failed(format!("{} can't be read: {error}", path.display()), "name a file with --world")
    })?;
    Simulation::parse(&path, &text).map_err(|found| {
        tell(&found, |_| Some(text.as_str()));
        Failure::bad_input(format!("{} is not good", path.display()), "docs/reference/simulation.md has every key")
    })
}

async fn all_contacts(
    definitions: &Definitions,
    world: &Simulation,
    files: &[String],
) -> Result<Vec<(CampaignId, NewContact)>, Failure> {
    let mut by_campaign = files_of(definitions, files)?;
    let mut all = Vec::new();
    for (which, id) in definitions.campaigns.keys().enumerate() {
        let own = match by_campaign.remove(id) {
            Some(path) => read(&path, id, definitions).await?,
            None => {
                let which = u32::try_from(which).unwrap_or(u32::MAX);
                crate::sim::made::contacts(&world.contacts, definitions, which)
                    .map_err(|error| Failure::bad_input(error.to_string(), ""))?
            }
        };
        all.extend(own.into_iter().map(|contact| (id.clone(), contact)));
    }
    Ok(all)
}

/// Which file belongs to which campaign.
fn files_of(definitions: &Definitions, files: &[String]) -> Result<BTreeMap<CampaignId, PathBuf>, Failure> {
    let ids = &definitions.campaigns;
    let mut by_campaign = BTreeMap::new();
    for file in files {
        let named = file.split_once('=').and_then(|(id, path)| Some((CampaignId::parse(id).ok()?, path)));
        let named = named.filter(|(id, _)| ids.contains_key(id));
        let (id, path) = match (named, ids.keys().next()) {
            (Some((id, path)), _) => (id, path),
            (None, Some(only)) if ids.len() == 1 => (only.clone(), file.as_str()),
            (None, _) => {
                let hint = "write --contacts CAMPAIGN=FILE for each campaign";
                return Err(Failure::bad_input(format!("whose contacts are in {file}?"), hint));
            }
        };
        by_campaign.insert(id, PathBuf::from(path));
    }
    Ok(by_campaign)
}

async fn read(path: &Path, campaign: &CampaignId, definitions: &Definitions) -> Result<Vec<NewContact>, Failure> {
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl" | "ndjson") => ImportFormat::JsonLines,
        _ => ImportFormat::Csv,
    };
    let unreadable = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()), "");
    let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(&error))?;
    let rules = ImportRules::in_memory(definitions);
    let read = contacts::read(campaign, &rules, format, file).await.map_err(|error| unreadable(&error))?;
    if let Some((line, reason)) = read.rejected.first() {
        let rows = counted(read.rejected.len(), "row");
        note(format_args!("{}: {rows} left out; the first is line {line}: {reason}", path_line(path)));
    }
    Ok(read.contacts)
}

fn at_or_dash(at: Option<Timestamp>, zone: &TimeZone) -> String {
    at.map_or_else(|| "-".to_owned(), |at| local(at, zone))
}

/// `63.9 %`.
fn percent(share: PerMille) -> String {
    format!("{}.{} %", share.0 / 10, share.0 % 10)
}

/// `45 h 12 m`.
fn hours_and_minutes(length: Duration) -> String {
    let minutes = (length.as_secs() + 30) / 60;
    if minutes < 60 { format!("{minutes} m") } else { format!("{} h {:02} m", minutes / 60, minutes % 60) }
}

fn share(part: u64, whole: u64) -> PerMille {
    PerMille(u16::try_from((part * 1000 + whole / 2) / whole.max(1)).unwrap_or(u16::MAX))
}

fn text(report: &Report, zone: &TimeZone, out: &mut Out) -> Result<(), Failure> {
    for campaign in &report.campaigns {
        campaign_text(campaign, zone, out)?;
    }
    let done = match report.finished_at {
        Some(at) => format!("finished {}", local(at, zone)),
        None => format!("not finished by {}", local(report.until, zone)),
    };
    out.line(out.bold(&done))?;
    let answered = percent(share(report.answers, report.attempts));
    out.line(format!(
        "{} calls, {} answers ({answered}), {} abandoned",
        report.attempts, report.answers, report.abandoned
    ))?;
    let agents = report.agents;
    let (there, busy) = (hours_and_minutes(agents.there), hours_and_minutes(agents.busy));
    let utilisation = percent(agents.utilisation);
    out.line(format!("{} there for {there}, busy for {busy}: {utilisation}", counted(agents.count, "agent")))?;
    out.line("")?;
    timeline(report, zone, out)?;
    if report.expectations.is_empty() {
        return Ok(());
    }
    out.line("")?;
    for expectation in &report.expectations {
        let (tint, word) = if expectation.is_met { (Tint::Green, "met") } else { (Tint::Red, "NOT MET") };
        let line = format!("{} {}: {} ({word})", expectation.key, expectation.wanted, expectation.actual);
        out.line(out.tinted(tint, &line))?;
    }
    Ok(())
}

fn campaign_text(campaign: &CampaignReport, zone: &TimeZone, out: &mut Out) -> Result<(), Failure> {
    out.line(out.bold(&format!("{}  {}", campaign.id, campaign.name)))?;
    let contacts = &campaign.contacts;
    let ended: Vec<String> = contacts.ended.iter().map(|(how, count)| format!("{count} {how}")).collect();
    let ended = if ended.is_empty() { String::new() } else { format!(", {}", ended.join(", ")) };
    out.line(format!("  contacts  {}: {} open{ended}", contacts.contacts, contacts.open))?;
    let results: Vec<String> = campaign.results.iter().map(|(result, count)| format!("{count} {result}")).collect();
    let calls: u64 = campaign.results.values().sum();
    out.line(format!("  calls     {calls}: {}", results.join(", ")))?;
    let (first, last) = (at_or_dash(campaign.first_at, zone), at_or_dash(campaign.last_at, zone));
    out.line(format!("  from      {first} to {last}"))?;
    let mut waiting: Vec<(&str, Duration)> = campaign.waiting.iter().map(|(code, length)| (*code, *length)).collect();
    waiting.sort_by_key(|(code, length)| (std::cmp::Reverse(*length), *code));
    let waiting: Vec<String> =
        waiting.into_iter().map(|(code, length)| format!("{code} {}", hours_and_minutes(length))).collect();
    out.line(format!("  waited    {}", if waiting.is_empty() { "never".to_owned() } else { waiting.join(", ") }))?;
    out.line("")
}

/// One row for each day: how many calls began in each of its hours, as bars.
fn timeline(report: &Report, zone: &TimeZone, out: &mut Out) -> Result<(), Failure> {
    let most = report.timeline.iter().map(|hour| hour.attempts).max().unwrap_or(0);
    let mut days: BTreeMap<String, Vec<(usize, Hour)>> = BTreeMap::new();
    for hour in &report.timeline {
        let local = hour.at.to_zoned_datetime(zone.clone());
        let of_day = usize::try_from(local.hour()).unwrap_or(0);
        days.entry(local.date().to_string()).or_default().push((of_day, *hour));
    }
    let mut table = Table::new(&["DAY", "CALLS BY HOUR, 00 TO 23", "CALLS", "ANSWERS", "BUSY"]);
    for (day, hours) in days {
        let mut bars = [' '; HOURS];
        for (of_day, hour) in &hours {
            if let Some(bar) = bars.get_mut(*of_day) {
                *bar = bar_of(hour.attempts, most);
            }
        }
        let sum = |count: fn(&Hour) -> u64| hours.iter().map(|(_, hour)| count(hour)).sum::<u64>();
        let length = |of: fn(&Hour) -> Duration| hours.iter().map(|(_, hour)| of(hour)).sum::<Duration>();
        let busy = crate::sim::made::part(length(|hour| hour.busy), length(|hour| hour.there));
        table.row([
            day,
            bars.iter().collect(),
            sum(|hour| hour.attempts).to_string(),
            sum(|hour| hour.answers).to_string(),
            percent(busy),
        ]);
    }
    table.lines("").iter().try_for_each(|line| out.line(line))
}

/// A bar of eight heights; a dot for nothing.
fn bar_of(count: u64, most: u64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if count == 0 {
        return '·';
    }
    let height = (count * 8).div_ceil(most.max(1));
    let index = usize::try_from(height).unwrap_or(BARS.len()).clamp(1, BARS.len()) - 1;
    BARS[index]
}

fn campaign_json(campaign: &CampaignReport, shown: &dyn Fn(Timestamp) -> String) -> Value {
    let waiting: BTreeMap<_, _> = campaign.waiting.iter().map(|(code, length)| (*code, length.as_secs())).collect();
    let results: BTreeMap<_, _> = campaign.results.iter().map(|(result, count)| (result.as_str(), *count)).collect();
    let contacts = &campaign.contacts;
    json!({
        "id": campaign.id.as_str(), "name": campaign.name,
        "contacts": { "all": contacts.contacts, "open": contacts.open, "filtered_out": contacts.left_out,
                      "ended": contacts.ended },
        "attempts": campaign.results.values().sum::<u64>(), "results": results,
        "first_at": campaign.first_at.map(shown), "last_at": campaign.last_at.map(shown),
        "waiting_s": waiting,
    })
}

fn document(report: &Report, zone: &TimeZone) -> Value {
    let shown = |at: Timestamp| at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let hour = |hour: &Hour| {
        json!({ "at": shown(hour.at), "attempts": hour.attempts, "answers": hour.answers,
                "agents_there_s": hour.there.as_secs(), "agents_busy_s": hour.busy.as_secs() })
    };
    let campaigns: Vec<Value> = report.campaigns.iter().map(|campaign| campaign_json(campaign, &shown)).collect();
    let expectations = report.expectations.iter();
    let expectations: Vec<Value> = expectations
        .map(|e| json!({ "key": e.key, "wanted": e.wanted, "actual": e.actual, "met": e.is_met }))
        .collect();
    let agents = report.agents;
    json!({
        "from": shown(report.from), "until": shown(report.until), "seed": report.seed,
        "finished_at": report.finished_at.map(shown),
        "attempts": report.attempts, "answers": report.answers, "abandoned": report.abandoned,
        "agents": { "count": agents.count, "there_s": agents.there.as_secs(), "busy_s": agents.busy.as_secs(),
                    "utilisation": f64::from(agents.utilisation.0) / 1000.0 },
        "campaigns": campaigns, "expectations": expectations,
        "timeline": report.timeline.iter().map(hour).collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_count() {
        let bars: String = [0, 1, 50, 99, 100].into_iter().map(|count| bar_of(count, 100)).collect();
        assert_eq!(bars, "·▁▄██");
        assert_eq!(bar_of(0, 0), '·');
        assert_eq!(hours_and_minutes(Duration::from_secs(45 * 3600 + 12 * 60)), "45 h 12 m");
        assert_eq!(percent(share(1, 3)), "33.3 %");
    }
}
