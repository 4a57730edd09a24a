//! Live attempts, legs and agents beside what the dialling loop knows of.
//!
//! The loop goes on while rows are read and legs are listed. So that nothing is called an orphan that was only
//! just begun or ended, what the loop knew before it asked counts as much as what it knows when the answer is
//! here: whatever is begun later has a higher number.

use std::collections::{BTreeMap, BTreeSet};

use super::Drift;
use crate::domain::{
    agent::Availability,
    ids::{AgentId, AttemptId, CampaignId, Epoch, LegId},
};

/// What the dialling loop knows of at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// This life; `None` knows nothing.
    pub epoch: Option<Epoch>,
    /// Attempts that are under way, or whose end or withdrawal the store may not have yet.
    pub attempts: BTreeSet<AttemptId>,
    /// Those of them that are durable and have not ended.
    pub recorded: BTreeMap<AttemptId, CampaignId>,
    /// Legs that are not over, or whose end the store may not have yet.
    pub legs: BTreeSet<LegId>,
    /// Those of them that were dialled, and the campaign of their call.
    pub dialled: BTreeMap<LegId, Option<CampaignId>>,
    /// Attempts that this life has made.
    pub attempts_made: u32,
    /// Legs that it has made.
    pub legs_made: u32,
    /// What agents are available for, but those of whom it is about to change.
    pub available: BTreeMap<AgentId, Availability>,
    /// Agents who are held for no attempt.
    pub held_in_vain: BTreeSet<AgentId>,
}

impl Known {
    /// Whether an attempt may have been begun after this.
    fn is_newer_attempt(&self, attempt: AttemptId) -> bool {
        Some(attempt.epoch) == self.epoch && attempt.serial > self.attempts_made
    }

    /// Whether a leg may have been begun after this.
    fn is_newer_leg(&self, leg: LegId) -> bool {
        Some(leg.epoch) == self.epoch && leg.serial > self.legs_made
    }
}

/// Rows of what is live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveRows {
    /// Attempts without an outcome, and their campaigns, if those can be told.
    pub attempts: BTreeMap<AttemptId, Option<CampaignId>>,
    /// Legs without an end, and the attempts that customers' ones are of.
    pub legs: BTreeMap<LegId, Option<AttemptId>>,
    /// What agents asked for, as it stands there.
    pub agents: BTreeMap<AgentId, String>,
}

/// Where rows differ from what was known before they were read, and is when they are here.
#[must_use]
pub fn of_rows(before: &Known, after: &Known, rows: &LiveRows) -> Vec<Drift> {
    let mut found = Vec::new();
    for (attempt, campaign) in &rows.attempts {
        if !before.attempts.contains(attempt) && !before.is_newer_attempt(*attempt) {
            found.push(Drift::OrphanAttempt { attempt: *attempt, campaign: campaign.clone() });
        }
    }
    for (attempt, campaign) in &before.recorded {
        if after.recorded.contains_key(attempt) && !rows.attempts.contains_key(attempt) {
            found.push(Drift::MissingAttempt { attempt: *attempt, campaign: campaign.clone() });
        }
    }
    for (leg, attempt) in &rows.legs {
        // One of an attempt that is being taken back goes with it.
        let goes = attempt.is_some_and(|attempt| before.attempts.contains(&attempt));
        if !goes && !before.legs.contains(leg) && !before.is_newer_leg(*leg) {
            found.push(Drift::OrphanLeg { leg: *leg });
        }
    }
    for (agent, wanted) in &before.available {
        // Who was never asked to be anything has no row, and is signed out.
        let stored = rows.agents.get(agent).map_or(Availability::SignedOut.as_str(), String::as_str);
        if after.available.get(agent) == Some(wanted) && stored != wanted.as_str() {
            let (agent, stored, wanted) = (agent.clone(), stored.to_owned(), wanted.as_str());
            found.push(Drift::Availability { agent, stored, wanted });
        }
    }
    found
}

/// Where the telephony side differs: `listed` are its legs, `after` is what is known when that is heard, in the
/// order of its events.
#[must_use]
pub fn of_legs(before: &Known, after: &Known, listed: &BTreeSet<LegId>) -> Vec<Drift> {
    let unknown = listed.iter().filter(|leg| !after.legs.contains(*leg));
    let unknown = unknown.map(|leg| Drift::UnknownLeg { leg: *leg });
    let lost = before.dialled.iter().filter(|(leg, _)| after.dialled.contains_key(*leg) && !listed.contains(*leg));
    let lost = lost.map(|(leg, campaign)| Drift::LostLeg { leg: *leg, campaign: campaign.clone() });
    let held = before.held_in_vain.intersection(&after.held_in_vain);
    let held = held.map(|agent| Drift::HeldAgent { agent: agent.clone() });
    unknown.chain(lost).chain(held).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Epoch = Epoch(3);

    fn attempt(serial: u32) -> AttemptId {
        AttemptId { epoch: NOW, serial }
    }

    fn leg(serial: u32) -> LegId {
        LegId { epoch: NOW, serial }
    }

    fn spring() -> CampaignId {
        CampaignId::parse("spring").unwrap()
    }

    /// A world in which attempts, each with one leg, begin and end while others look.
    #[derive(Debug, Clone, Default)]
    struct World {
        made: u32,
        /// Under way for the loop.
        live: BTreeSet<u32>,
        /// Ended, and the store does not know.
        ending: BTreeSet<u32>,
        stored: BTreeSet<u32>,
        wire: BTreeSet<u32>,
        /// Ended on the wire, and the loop has not heard.
        unheard: Vec<u32>,
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Begin,
        /// The nth of those that are up ends on the wire.
        End(usize),
        Hear,
        /// The store learns of the nth end.
        Write(usize),
    }

    impl World {
        fn step(&mut self, step: Step) {
            let nth = |set: &BTreeSet<u32>, n: usize| set.iter().nth(n % set.len().max(1)).copied();
            match step {
                Step::Begin => {
                    self.made += 1;
                    for set in [&mut self.live, &mut self.stored, &mut self.wire] {
                        set.insert(self.made);
                    }
                }
                Step::End(n) => {
                    if let Some(one) = nth(&self.wire, n) {
                        self.wire.remove(&one);
                        self.unheard.push(one);
                    }
                }
                Step::Hear => {
                    if !self.unheard.is_empty() {
                        let one = self.unheard.remove(0);
                        if self.live.remove(&one) {
                            self.ending.insert(one);
                        }
                    }
                }
                Step::Write(n) => {
                    if let Some(one) = nth(&self.ending, n) {
                        self.ending.remove(&one);
                        self.stored.remove(&one);
                    }
                }
            }
        }

        fn known(&self) -> Known {
            let all = || self.live.iter().chain(&self.ending).copied();
            Known {
                epoch: Some(NOW),
                attempts: all().map(attempt).collect(),
                recorded: self.live.iter().map(|one| (attempt(*one), spring())).collect(),
                legs: all().map(leg).collect(),
                dialled: self.live.iter().map(|one| (leg(*one), Some(spring()))).collect(),
                attempts_made: self.made,
                legs_made: self.made,
                ..Known::default()
            }
        }

        fn rows(&self) -> LiveRows {
            let attempts = self.stored.iter().map(|one| (attempt(*one), Some(spring()))).collect();
            let legs = self.stored.iter().map(|one| (leg(*one), None)).collect();
            LiveRows { attempts, legs, ..LiveRows::default() }
        }

        /// What the loop knows once it has heard all that came before a list of legs.
        fn heard(&mut self) {
            while !self.unheard.is_empty() {
                self.step(Step::Hear);
            }
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Begin),
            (0usize..9).prop_map(Step::End),
            Just(Step::Hear),
            (0usize..9).prop_map(Step::Write),
        ];
        prop::collection::vec(step, 0..20)
    }

    proptest! {
        /// Whatever begins and ends while rows are read and legs are listed: nothing is found that is in order, and
        /// each thing that is not is found.
        #[test]
        fn exactly_what_is_out_of_order_is_found(first in steps(), second in steps(), third in steps(), what in 0usize..6) {
            let mut world = World::default();
            first.into_iter().for_each(|step| world.step(step));
            let orphan = AttemptId { epoch: Epoch(1), serial: 7 };
            let stray = LegId { epoch: Epoch(1), serial: 8 };
            let before = world.known();
            second.into_iter().for_each(|step| world.step(step));
            let (mut rows, mut listed) = (world.rows(), world.wire.iter().map(|one| leg(*one)).collect::<BTreeSet<_>>());
            let mut at_list = world.clone();
            at_list.heard();
            let heard = at_list.known();
            third.into_iter().for_each(|step| world.step(step));
            let after = world.known();

            let mut expected = Vec::new();
            let kept = before.recorded.keys().find(|one| after.recorded.contains_key(*one)).copied();
            let up = before.dialled.keys().find(|one| heard.dialled.contains_key(*one)).copied();
            match (what, kept, up) {
                (0, ..) => {
                    rows.attempts.insert(orphan, Some(spring()));
                    expected.push(Drift::OrphanAttempt { attempt: orphan, campaign: Some(spring()) });
                }
                (1, ..) => {
                    rows.legs.insert(stray, None);
                    expected.push(Drift::OrphanLeg { leg: stray });
                }
                (2, ..) => {
                    listed.insert(stray);
                    expected.push(Drift::UnknownLeg { leg: stray });
                }
                (3, Some(kept), _) => {
                    rows.attempts.remove(&kept);
                    expected.push(Drift::MissingAttempt { attempt: kept, campaign: spring() });
                }
                (4, _, Some(up)) => {
                    listed.remove(&up);
                    expected.push(Drift::LostLeg { leg: up, campaign: Some(spring()) });
                }
                _ => {}
            }
            let mut found = of_rows(&before, &after, &rows);
            found.extend(of_legs(&before, &heard, &listed));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_agent_of_whom_nothing_changes_has_the_row_that_was_asked_for() {
        let agent = |name: &str| AgentId::parse(name).unwrap();
        let known = |availability| Known {
            available: ["a1", "a2", "a3"].map(|name| (agent(name), availability)).into(),
            held_in_vain: [agent("a1")].into(),
            ..Known::default()
        };
        let stored = |word: &str| ["a1", "a2"].map(|name| (agent(name), word.to_owned())).into();
        let rows = LiveRows { agents: stored("talking"), ..LiveRows::default() };
        let told = |found: Vec<Drift>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (away, idle) = (known(Availability::SignedOut), known(Availability::Idle));
        let expected =
            ["a1", "a2"].map(|a| format!("agent {a}: \"talking\" in the store, and \"signed_out\" was asked for"));
        assert_eq!(told(of_rows(&away, &away, &rows)), expected);
        assert_eq!(of_rows(&away, &idle, &rows), [], "it was about to change");
        let held = told(of_legs(&away, &idle, &BTreeSet::new()));
        assert_eq!(held, ["agent a1: held for a call that nobody makes"]);
    }
}
