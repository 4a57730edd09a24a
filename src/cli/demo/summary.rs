//! What came of it: the store's account beside the carrier's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{files::AGENTS, view::plain};
use crate::{
    cli::text::{Table, short_revision},
    domain::ids::Revision,
    http::wire::{Attempt, TallyView},
    telephony::peer::Counts,
};

/// A commit that came into force.
pub(super) struct Applied {
    pub(super) revision: Revision,
    pub(super) message: &'static str,
}

/// INVITEs that the carrier had seen when the pause began to hold, and when it ended.
pub(super) struct Pause {
    pub(super) before: u64,
    pub(super) after: u64,
}

/// Both sides' figures.
pub(super) struct Account {
    pub(super) attempts: Vec<Attempt>,
    pub(super) tally: TallyView,
    pub(super) carrier: Counts,
    pub(super) commits: Vec<Applied>,
    pub(super) pause: Option<Pause>,
    /// Whether the campaign said so.
    pub(super) completed: bool,
}

impl Account {
    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let ended = |how: &str| self.tally.ended.get(how).copied().unwrap_or(0);
        let (reached, not_reached) = (ended("reached"), ended("not_reached"));
        let open = self.open();
        let mut customers = format!("{} customers: {reached} reached, {not_reached} not reached", self.tally.contacts);
        if open > 0 {
            customers.push_str(&format!(", {open} still to be called"));
        }
        let mut table = Table::new(&["RESULT", "CALLS"]);
        for (result, calls) in &self.tally.attempts {
            table.row([plain(result), format!("{calls:>5}")]);
        }
        table.row(["all".to_owned(), format!("{:>5}", self.attempts.len())]);
        let mut lines = vec![customers, String::new()];
        lines.extend(table.lines("  "));
        lines.push(String::new());
        lines.extend(self.figures().lines("  "));
        lines
    }

    fn figures(&self) -> Table {
        let mut table = Table::default();
        let (invites, attempts) = (self.carrier.total(), self.attempts.len());
        let agree = if self.agree() { "each number as often" } else { "NOT the same numbers as often" };
        let both = format!("{invites} at the carrier, {attempts} in the store: {agree}");
        table.row(["INVITEs".to_owned(), both]);
        let most = self.carrier.most_live;
        table.row(["live calls".to_owned(), format!("{most} at once at most, with {AGENTS} agents")]);
        if let Some((p50, p99)) = self.answer_to_connect() {
            let ms = |took: Duration| took.as_secs_f64() * 1000.0;
            let took = format!("{:.1} ms p50, {:.1} ms p99", ms(p50), ms(p99));
            table.row(["answer to connect".to_owned(), took]);
        }
        if let Some(Pause { before, after }) = self.pause {
            table.row(["while paused".to_owned(), format!("{} INVITEs", after.saturating_sub(before))]);
        }
        for (index, commit) in self.commits.iter().enumerate() {
            let label = if index == 0 { "commits" } else { "" };
            let id = short_revision(commit.revision.as_str());
            let calls = self.attempts.iter().filter(|attempt| attempt.revision == commit.revision.as_str()).count();
            table.row([label.to_owned(), format!("{id}  {calls:>3} calls under \"{}\"", commit.message)]);
        }
        table
    }

    /// Customers still to be called.
    fn open(&self) -> u64 {
        self.tally.fresh + self.tally.in_progress
    }

    /// Whether both sides count the same calls to each number.
    fn agree(&self) -> bool {
        let mut placed: BTreeMap<&str, u64> = BTreeMap::new();
        for attempt in &self.attempts {
            *placed.entry(&attempt.number).or_default() += 1;
        }
        placed.into_iter().eq(self.carrier.offered.iter().map(|(number, calls)| (number.as_str(), *calls)))
    }

    /// What must not be, in words.
    pub(super) fn faults(&self) -> Vec<String> {
        let unsettled = self.attempts.iter().filter(|attempt| attempt.result.is_none()).count();
        let held = self.pause.as_ref().is_some_and(|pause| pause.before == pause.after);
        let faults = [
            (self.attempts.is_empty(), "nobody was called".to_owned()),
            (!self.agree(), "store and carrier do not count the same calls".to_owned()),
            (unsettled > 0, format!("{unsettled} attempts have no result")),
            (self.carrier.live > 0, format!("{} calls are still up", self.carrier.live)),
            (self.carrier.most_live > AGENTS, "more calls at once than agents".to_owned()),
            (self.carrier.doubled > 0, "a number was called while it had a call".to_owned()),
            (self.open() == 0 && !self.completed, "every customer is done, but the campaign is not".to_owned()),
            (!held, "somebody was called while the campaign was paused".to_owned()),
        ];
        faults.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
    }

    /// The customer with the most to tell: many calls, then reached, then with different numbers,
    /// results and commits.
    pub(super) fn interesting(&self) -> Option<&str> {
        let mut stories: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
        for attempt in &self.attempts {
            stories.entry(&attempt.customer).or_default().push(attempt);
        }
        let worth = |story: &Vec<&Attempt>| {
            let reached = story.iter().any(|attempt| attempt.result.as_deref() == Some("answered"));
            let different = |of: fn(&Attempt) -> &str| story.iter().map(|attempt| of(attempt)).collect::<BTreeSet<_>>();
            let numbers = different(|attempt| &attempt.number);
            let results = different(|attempt| attempt.result.as_deref().unwrap_or_default());
            let commits = different(|attempt| &attempt.revision);
            (story.len(), reached, numbers.len() + results.len() + commits.len())
        };
        // `max_by_key` takes the last of equals; the first is wanted.
        stories.iter().rev().max_by_key(|(_, story)| worth(story)).map(|(customer, _)| *customer)
    }

    /// Median and 99th percentile from the customer's answer to the agent's voice.
    fn answer_to_connect(&self) -> Option<(Duration, Duration)> {
        let instant = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
        let took = |attempt: &Attempt| {
            let (answered, connected) = (instant(&attempt.answered_at)?, instant(&attempt.connected_at)?);
            Duration::try_from(connected.duration_since(answered)).ok()
        };
        let mut all: Vec<Duration> = self.attempts.iter().filter_map(took).collect();
        all.sort_unstable();
        let percentile = |percent: usize| all.get((all.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some((percentile(50)?, percentile(99)?))
    }
}
