//! What is shown while it runs: bars on a terminal, a line every other second elsewhere.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{cli::output::note, clock::Clock, http::wire::Status, telemetry::status::CampaignStatus};

/// Between two lines where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// The state of things.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) campaign: CampaignStatus,
    /// Agents by state.
    pub(super) agents: BTreeMap<String, usize>,
}

impl Snapshot {
    pub(super) fn of(status: Status, campaign: &str) -> Self {
        let agents = status.agents.by_state;
        let campaign = status.campaigns.list.into_iter().find(|found| found.id == campaign).unwrap_or_default();
        Self { campaign, agents }
    }

    /// Customers with whom the campaign is done.
    pub(super) fn done(&self) -> u64 {
        self.campaign.done().unwrap_or(0)
    }

    fn agents(&self) -> String {
        counted(self.agents.iter().map(|(state, count)| (state, *count as u64)))
    }

    fn results(&self) -> String {
        counted(self.campaign.results.iter().map(|(result, count)| (result, *count)))
    }
}

/// `5 talking, 2 wrap up`: those that there are.
fn counted<'a>(counts: impl Iterator<Item = (&'a String, u64)>) -> String {
    let words: Vec<String> =
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {}", plain(name))).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// A name of tables and metrics as people say it.
pub(super) fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// What the user sees.
pub(super) struct View {
    clock: Clock,
    started: Duration,
    told_at: Duration,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    done: ProgressBar,
    agents: ProgressBar,
    results: ProgressBar,
}

impl View {
    pub(super) fn new(clock: Clock) -> Self {
        let started = clock.now().mono;
        Self { clock, started, told_at: started, bars: None }
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().mono.saturating_sub(self.started)
    }

    /// One thing that happened.
    pub(super) fn say(&self, what: &str, more: &str) {
        self.line(&format!("{:5.1} s  {what:<9}  {more}", self.elapsed().as_secs_f64()));
    }

    /// A line above the bars.
    pub(super) fn line(&self, line: &str) {
        match &self.bars {
            // Nothing can be done when the terminal is gone.
            Some(bars) => drop(bars.all.println(line)),
            None => note(format_args!("{line}")),
        }
    }

    /// Begins to show progress.
    pub(super) fn begin(&mut self, customers: u64) {
        if std::io::stderr().is_terminal() {
            self.bars = Some(Bars::new(customers));
        }
    }

    /// Shows how things stand.
    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        if let Some(bars) = &self.bars {
            bars.done.set_position(snapshot.done());
            bars.agents.set_message(snapshot.agents());
            bars.results.set_message(snapshot.results());
            return;
        }
        let now = self.clock.now().mono;
        if now.saturating_sub(self.told_at) < TELL_EVERY {
            return;
        }
        self.told_at = now;
        let (done, contacts) = (snapshot.done(), snapshot.campaign.contacts.unwrap_or(0));
        let (agents, results) = (snapshot.agents(), snapshot.results());
        self.say("", &format!("{done:>3}/{contacts} done · agents: {agents} · calls: {results}"));
    }

    /// Takes the bars away.
    pub(super) fn end(&mut self) {
        if let Some(bars) = self.bars.take() {
            [&bars.done, &bars.agents, &bars.results].into_iter().for_each(ProgressBar::finish_and_clear);
            // Nothing can be done when the terminal is gone.
            drop(bars.all.clear());
        }
    }
}

impl Bars {
    fn new(customers: u64) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let line = |length, template: &str| {
            let bar = all.add(ProgressBar::new(length));
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        };
        let done = line(customers, "  customers  {bar:40} {pos}/{len} done");
        let agents = line(0, "  agents     {msg}");
        let results = line(0, "  calls      {msg}");
        Self { all, done, agents, results }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_plain_words() {
        let snapshot = Snapshot {
            campaign: CampaignStatus { contacts: Some(9), open_contacts: Some(4), ..CampaignStatus::default() },
            agents: BTreeMap::from([("talking".to_owned(), 5), ("wrap_up".to_owned(), 2), ("rest".to_owned(), 0)]),
        };
        assert_eq!((snapshot.done(), snapshot.agents().as_str()), (5, "5 talking, 2 wrap up"));
        assert_eq!(snapshot.results(), "none");
    }
}
