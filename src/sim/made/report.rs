//! What came of a made-up world: when it was done, what was reached, and where the time went.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{crowd::Crowd, people::Shifts};
use crate::{
    config::simulation::Expect,
    domain::{campaign::Generation, facts::CampaignCounts, ids::CampaignId, results::CallResult, tenant::PerMille},
    sim::{machine::Machine, record::CampaignHold},
};

/// An hour.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When it began.
    pub from: Timestamp,
    /// When it was to end at the latest.
    pub until: Timestamp,
    /// What chance followed from.
    pub seed: u64,
    /// When the last contact had ended; `None` if some had not.
    pub finished_at: Option<Timestamp>,
    /// Calls to customers.
    pub attempts: u64,
    /// Those that an agent spoke on.
    pub answers: u64,
    /// Those that were answered in vain.
    pub abandoned: u64,
    /// Each campaign.
    pub campaigns: Vec<CampaignReport>,
    /// All agents together.
    pub agents: AgentsReport,
    /// Hour by hour, from the beginning until all was done.
    pub timeline: Vec<Hour>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
}

/// One campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignReport {
    /// Which.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// Its contacts.
    pub contacts: CampaignCounts,
    /// Calls by result.
    pub results: BTreeMap<CallResult, u64>,
    /// When the first call was made.
    pub first_at: Option<Timestamp>,
    /// When the last one had ended.
    pub last_at: Option<Timestamp>,
    /// How long it waited for what, by the hold's code.
    pub waiting: BTreeMap<&'static str, Duration>,
}

/// All agents together, until all was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentsReport {
    /// How many.
    pub count: usize,
    /// How long they were there.
    pub there: Duration,
    /// How long they talked or wrapped up.
    pub busy: Duration,
    /// The latter as a part of the former.
    pub utilisation: PerMille,
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub at: Timestamp,
    /// Calls that began in it.
    pub attempts: u64,
    /// Those that an agent spoke on.
    pub answers: u64,
    /// How long agents were there.
    pub there: Duration,
    /// How long they talked or wrapped up.
    pub busy: Duration,
}

/// Something that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The key of `[expect]`.
    pub key: &'static str,
    /// What was wanted.
    pub wanted: String,
    /// What came of it.
    pub actual: String,
    /// Whether that will do.
    pub is_met: bool,
}

pub(super) fn report(
    mut machine: Machine<Crowd>,
    generation: &Generation,
    shifts: &Shifts,
    expect: &Expect,
    (from, until): (Timestamp, Timestamp),
    seed: u64,
) -> Report {
    let holds = machine.finish_holds();
    let ended = machine.attempts.iter().filter_map(|attempt| attempt.ended_at).max();
    let campaigns: Vec<CampaignReport> =
        generation.definitions.campaigns.values().map(|c| campaign(&machine, &c.id, &c.name, &holds)).collect();
    let open: u64 = campaigns.iter().map(|campaign| campaign.contacts.open).sum();
    let finished_at = if open == 0 { ended } else { None };
    let timeline = timeline(&machine, shifts, from, finished_at.unwrap_or(until));
    let count_of = |result: CallResult| campaigns.iter().filter_map(|c| c.results.get(&result)).sum();
    let mut report = Report {
        from,
        until,
        seed,
        finished_at,
        attempts: machine.attempts.len() as u64,
        answers: count_of(CallResult::Answered),
        abandoned: count_of(CallResult::Abandoned),
        campaigns,
        agents: agents(shifts.agents(), &timeline),
        timeline,
        expectations: Vec::new(),
    };
    report.expectations = expectations(expect, &report);
    report
}

fn campaign(machine: &Machine<Crowd>, id: &CampaignId, name: &str, holds: &[CampaignHold]) -> CampaignReport {
    let mut results: BTreeMap<CallResult, u64> = BTreeMap::new();
    let (mut first_at, mut last_at) = (None, None);
    for attempt in machine.attempts.iter().filter(|attempt| attempt.campaign == *id) {
        if let Some(result) = attempt.result {
            *results.entry(result).or_default() += 1;
        }
        first_at = Some(first_at.map_or(attempt.at, |first: Timestamp| first.min(attempt.at)));
        last_at = last_at.max(attempt.ended_at);
    }
    let mut waiting: BTreeMap<&'static str, Duration> = BTreeMap::new();
    for hold in holds.iter().filter(|hold| hold.campaign == *id) {
        *waiting.entry(hold.hold.code()).or_default() += between(hold.from, hold.until);
    }
    let contacts = machine.facts.counts(id).unwrap_or_default();
    CampaignReport { id: id.clone(), name: name.to_owned(), contacts, results, first_at, last_at, waiting }
}

fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

fn timeline(machine: &Machine<Crowd>, shifts: &Shifts, from: Timestamp, until: Timestamp) -> Vec<Hour> {
    let mut hours: Vec<Hour> = Vec::new();
    // Whole hours, as people count them.
    let from = Timestamp::from_second(from.as_second() - from.as_second().rem_euclid(HOUR.as_secs())).unwrap_or(from);
    let mut at = from;
    while at < until {
        hours.push(Hour { at, attempts: 0, answers: 0, there: Duration::ZERO, busy: Duration::ZERO });
        at = at.saturating_add(HOUR).unwrap_or(Timestamp::MAX);
    }
    let index = |at: Timestamp| usize::try_from(at.duration_since(from).as_secs() / HOUR.as_secs()).ok();
    for attempt in &machine.attempts {
        if let Some(hour) = index(attempt.at).and_then(|index| hours.get_mut(index)) {
            hour.attempts += 1;
            hour.answers += u64::from(attempt.result == Some(CallResult::Answered));
        }
    }
    let mut spread = |(starts, ends): (Timestamp, Timestamp), add: &dyn Fn(&mut Hour, Duration)| {
        let (starts, ends) = (starts.max(from), ends.min(until));
        let Some(first) = index(starts) else { return };
        for hour in hours.iter_mut().skip(first).take_while(|hour| hour.at < ends) {
            let over = hour.at.saturating_add(HOUR).unwrap_or(Timestamp::MAX);
            add(hour, between(starts.max(hour.at), ends.min(over)));
        }
    };
    let agents = u32::try_from(shifts.agents()).unwrap_or(u32::MAX);
    for shift in shifts.times() {
        spread(*shift, &|hour, part| hour.there += part * agents);
    }
    for (begins, ends) in &machine.work {
        // What an agent finishes after the shift is not part of the time that is looked at.
        let later = shifts.times().partition_point(|(_, until)| until <= begins);
        if let Some((from, until)) = shifts.times().get(later) {
            spread(((*begins).max(*from), (*ends).min(*until)), &|hour, part| hour.busy += part);
        }
    }
    hours
}

fn agents(count: usize, timeline: &[Hour]) -> AgentsReport {
    let there = timeline.iter().map(|hour| hour.there).sum();
    let busy = timeline.iter().map(|hour| hour.busy).sum();
    AgentsReport { count, there, busy, utilisation: part(busy, there) }
}

/// A part of a whole, rounded.
#[must_use]
pub fn part(part: Duration, whole: Duration) -> PerMille {
    let (part, whole) = (part.as_millis(), whole.as_millis());
    if whole == 0 {
        return PerMille(0);
    }
    PerMille(u16::try_from((part * 1000 + whole / 2) / whole).unwrap_or(u16::MAX))
}

fn percent(share: PerMille) -> String {
    format!("{}.{}%", share.0 / 10, share.0 % 10)
}

fn expectations(expect: &Expect, report: &Report) -> Vec<Expectation> {
    let finishes_before = expect.finishes_before.map(|wanted| Expectation {
        key: "finishes_before",
        wanted: wanted.to_string(),
        actual: report.finished_at.map_or_else(|| "not finished".to_owned(), |at| at.to_string()),
        is_met: report.finished_at.is_some_and(|at| at < wanted),
    });
    let min_answers = expect.min_answers.map(|wanted| Expectation {
        key: "min_answers",
        wanted: wanted.to_string(),
        actual: report.answers.to_string(),
        is_met: report.answers >= u64::from(wanted),
    });
    let max_attempts = expect.max_attempts.map(|wanted| Expectation {
        key: "max_attempts",
        wanted: wanted.to_string(),
        actual: report.attempts.to_string(),
        is_met: report.attempts <= u64::from(wanted),
    });
    let utilisation = report.agents.utilisation;
    let min_utilisation = expect.min_utilisation.map(|wanted| Expectation {
        key: "min_utilisation",
        wanted: percent(wanted),
        actual: percent(utilisation),
        is_met: utilisation >= wanted,
    });
    [finishes_before, min_answers, max_attempts, min_utilisation].into_iter().flatten().collect()
}
