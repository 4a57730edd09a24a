//! `dialops simulate --case`: reads a case, plays it, and shows what differs.

use std::{fs, io, path::Path};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cli::{
        check::folder::{Checked, tell},
        output::{Exit, Failure, Format, Out, Tint},
        text::Table,
    },
    config::FILE_BYTES_MAX,
    contacts::{self, ImportFormat, ImportRules},
    domain::{contact::NewContact, ids::CampaignId, results::CallResult},
    sim::{
        Attempt, CampaignHold, Refusal,
        case::{Case, CaseError, CaseFile, Difference, Expected, Played},
    },
};

pub(super) async fn run(folder: &Path, shared: &Path, format: Format) -> Result<Exit, Failure> {
    let files = files_of(folder)?;
    let shared = shared_files(shared)?;
    let case = Case::read(files.clone(), shared.clone()).map_err(|error| refused(&error, &files, &shared))?;
    let zone = Zone::of(&case);
    let contacts = contacts_of(&case).await?;
    let played = case.play(contacts).map_err(|error| Failure::from_error(&error))?;
    let mut out = Out::stdout();
    match format {
        Format::Text => text(&played, &zone, &mut out)?,
        Format::Json => out.json(&document(&played, &zone))?,
    }
    out.finish()?;
    let differs = played.differences.as_ref().is_some_and(|differences| !differences.is_empty());
    Ok(if differs { Exit::BadInput } else { Exit::Ok })
}

/// The files that stand in a folder itself.
fn files_of(folder: &Path) -> Result<Vec<CaseFile>, Failure> {
    let read = || -> io::Result<Vec<CaseFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type()?.is_file() && !name.starts_with('.') {
                files.push(CaseFile { name, bytes: fs::read(entry.path())?.into() });
            }
        }
        Ok(files)
    };
    read().map_err(|error| Failure::failed(format!("{}: {error}", folder.display()), "name the folder of a case"))
}

fn shared_files(folder: &Path) -> Result<Vec<CaseFile>, Failure> {
    let mut checked = Checked::default();
    checked.read_folder(folder);
    if let Some(error) = checked.diagnostics.first() {
        let message = format!("{}: {}", error.location.file, error.message);
        return Err(Failure::failed(message, "name the folder that a repository has as campaigns/shared"));
    }
    let files = checked.files.into_iter().filter(|(_, bytes)| bytes.len() <= FILE_BYTES_MAX);
    Ok(files.map(|(name, bytes)| CaseFile { name, bytes: bytes.into() }).collect())
}

fn refused(error: &CaseError, files: &[CaseFile], shared: &[CaseFile]) -> Failure {
    if let CaseError::Configuration(found) = error {
        tell(found, |path| {
            let (files, name) = path.strip_prefix("shared/").map_or((files, path), |name| (shared, name));
            files.iter().find(|file| file.name == name).and_then(|file| std::str::from_utf8(&file.bytes).ok())
        });
    }
    Failure::failed(error.to_string(), "")
}

async fn contacts_of(case: &Case) -> Result<Vec<(CampaignId, NewContact)>, Failure> {
    let rules = ImportRules::in_memory(case.definitions());
    let mut all = Vec::new();
    for (campaign, file) in case.contacts() {
        let read = contacts::read(campaign, &rules, ImportFormat::Csv, &*file.bytes).await;
        let read = read.map_err(|error| Failure::failed(format!("{}: {}", file.name, error), ""))?;
        if let Some((line, reason)) = read.rejected.first() {
            return Err(Failure::failed(format!("{}:{line}: {reason}", file.name), ""));
        }
        all.extend(read.contacts.into_iter().map(|contact| (campaign.clone(), contact)));
    }
    Ok(all)
}

/// Where times are shown: in the zone of the first campaign's hours.
struct Zone(jiff::tz::TimeZone);

impl Zone {
    fn of(case: &Case) -> Self {
        let first = case.definitions().campaigns.values().next();
        let zone = first.and_then(|campaign| jiff::tz::TimeZone::get(campaign.hours.timezone()).ok());
        Self(zone.unwrap_or(jiff::tz::TimeZone::UTC))
    }

    /// `2031-03-03T09:00:00+08:00`.
    fn show(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.0.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
    }
}

fn text(played: &Played, zone: &Zone, out: &mut Out) -> Result<(), Failure> {
    let mut table = Table::new(&["AT", "CAMPAIGN", "CUSTOMER", "NUMBER", "CALLER", "AGENT", "RESULT", "RULE"]);
    for attempt in &played.attempts {
        table.row([
            zone.show(attempt.at),
            attempt.campaign.to_string(),
            attempt.customer.to_string(),
            attempt.number.expose().to_owned(),
            attempt.caller_number.expose().to_owned(),
            attempt.agent.to_string(),
            result_of(attempt).to_owned(),
            attempt.rule.to_string(),
        ]);
    }
    table.lines("").iter().try_for_each(|line| out.line(line))?;
    let Some(differences) = &played.differences else { return Ok(()) };
    out.line("")?;
    if differences.is_empty() {
        return out.line("as expected");
    }
    out.line(format!("{} not as expected:", differences.len()))?;
    for difference in differences {
        for (tint, line) in lines_of(difference, zone) {
            let line = out.tinted(tint, &line);
            out.line(line)?;
        }
    }
    Ok(())
}

fn lines_of(difference: &Difference, zone: &Zone) -> Vec<(Tint, String)> {
    let wanted = |row: &Expected| {
        let at = row.at.map_or_else(|| "at some time".to_owned(), |at| zone.show(at));
        (Tint::Red, format!("- {at}  {}  {}  {}", row.customer, row.number, row.result))
    };
    let made = |attempt: &Attempt, why: &str| {
        let (at, result) = (zone.show(attempt.at), result_of(attempt));
        (Tint::Green, format!("+ {at}  {}  {}  {result}{why}", attempt.customer, attempt.number.expose()))
    };
    match difference {
        Difference::Missing(row) => vec![wanted(row)],
        Difference::NotExpected(attempt) => vec![made(attempt, "")],
        Difference::Time { expected, actual } => {
            let off = expected.at.map(|at| actual.at.duration_since(at).as_millis()).unwrap_or_default();
            let word = if off < 0 { "early" } else { "late" };
            let off = off.unsigned_abs();
            vec![wanted(expected), made(actual, &format!("  ({}.{:03} s {word})", off / 1000, off % 1000))]
        }
        Difference::Other { expected, actual } => vec![wanted(expected), made(actual, &other(expected, actual))],
        Difference::Order { expected, actual } => vec![wanted(expected), made(actual, "  (too early)")],
    }
}

/// In what an attempt differs, its time aside.
fn other(expected: &Expected, actual: &Attempt) -> String {
    let fields = [
        ("agent", expected.agent.as_deref(), actual.agent.as_str()),
        ("caller number", expected.caller_number.as_deref(), actual.caller_number.expose()),
        ("campaign", expected.campaign.as_deref(), actual.campaign.as_str()),
    ];
    let differ = |(what, wanted, was): (&str, Option<&str>, &str)| {
        wanted.filter(|wanted| *wanted != was).map(|wanted| format!("  ({what} {was}, not {wanted})"))
    };
    let all: String = fields.into_iter().filter_map(differ).collect();
    if all.is_empty() { "  (another result)".to_owned() } else { all }
}

fn result_of(attempt: &Attempt) -> &'static str {
    attempt.result.map_or("live", CallResult::as_str)
}

/// One attempt in JSON.
#[derive(Serialize)]
struct AttemptLine<'a> {
    at: String,
    campaign: &'a str,
    customer_id: &'a str,
    number: &'a str,
    category: &'a str,
    caller_number: &'a str,
    agent: &'a str,
    result: Option<&'static str>,
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<&'static str>,
    connected_at: Option<String>,
    ended_at: Option<String>,
}

fn attempt<'a>(attempt: &'a Attempt, zone: &Zone) -> AttemptLine<'a> {
    AttemptLine {
        at: zone.show(attempt.at),
        campaign: attempt.campaign.as_str(),
        customer_id: attempt.customer.as_str(),
        number: attempt.number.expose(),
        category: attempt.category.as_str(),
        caller_number: attempt.caller_number.expose(),
        agent: attempt.agent.as_str(),
        result: attempt.result.map(CallResult::as_str),
        rule: attempt.rule.to_string(),
        heard: attempt.heard.filter(|_| attempt.heard != attempt.result).map(CallResult::as_str),
        connected_at: attempt.connected_at.map(|at| zone.show(at)),
        ended_at: attempt.ended_at.map(|at| zone.show(at)),
    }
}

fn campaign_hold(held: &CampaignHold, zone: &Zone) -> Value {
    let (from, until) = (zone.show(held.from), zone.show(held.until));
    json!({ "campaign": held.campaign.as_str(), "reason": held.hold.code(), "text": held.hold.to_string(),
            "from": from, "until": until })
}

fn refusal(refused: &Refusal, zone: &Zone) -> Value {
    json!({ "campaign": refused.campaign.as_str(), "customer_id": refused.customer.as_str(),
            "number": refused.number.expose(), "reason": refused.hold.code(), "text": refused.hold.to_string(),
            "from": zone.show(refused.at), "until": refused.hold.until().map(|at| zone.show(at)) })
}

fn difference(difference: &Difference, zone: &Zone) -> Value {
    let wanted = |row: &Expected| {
        json!({ "at": row.at.map(|at| zone.show(at)), "customer_id": row.customer, "number": row.number,
                "result": row.result.as_str() })
    };
    match difference {
        Difference::Missing(row) => json!({ "kind": "missing", "expected": wanted(row) }),
        Difference::NotExpected(made) => json!({ "kind": "not_expected", "actual": attempt(made, zone) }),
        Difference::Time { expected, actual } => {
            json!({ "kind": "time", "expected": wanted(expected), "actual": attempt(actual, zone) })
        }
        Difference::Other { expected, actual } => {
            json!({ "kind": "other", "expected": wanted(expected), "actual": attempt(actual, zone) })
        }
        Difference::Order { expected, actual } => {
            json!({ "kind": "order", "expected": wanted(expected), "actual": attempt(actual, zone) })
        }
    }
}

fn document(played: &Played, zone: &Zone) -> Value {
    let attempts: Vec<_> = played.attempts.iter().map(|made| attempt(made, zone)).collect();
    let holds = played.holds.iter().map(|held| campaign_hold(held, zone));
    let holds: Vec<Value> = holds.chain(played.refusals.iter().map(|refused| refusal(refused, zone))).collect();
    let differences = played.differences.as_ref();
    let differences = differences.map(|all| all.iter().map(|one| difference(one, zone)).collect::<Vec<_>>());
    let refused = played.refused_events.iter().map(|event| json!({ "at": zone.show(event.at), "why": event.why }));
    let refused: Vec<Value> = refused.collect();
    json!({ "attempts": attempts, "holds": holds, "refused_events": refused, "as_expected": differences.as_ref().map(Vec::is_empty),
            "differences": differences })
}
