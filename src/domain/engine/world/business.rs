//! Business results in a world: set at random moments, in effect when their contact is in no call.

use super::*;
use crate::domain::business::{self, Again, BusinessAction, BusinessKey, BusinessRule, EndedCall, Mark, SameAgent};

/// Results that agents of a world set; some have no rule.
const RESULTS: [&str; 5] = ["callback", "callback/soon", "callback/late", "wrong_person", "refused"];

/// A result that took effect.
#[derive(Debug, Clone)]
pub(super) struct MarkLog {
    /// Its place among intents and other results.
    pub(super) tick: u64,
    pub(super) key: BusinessKey,
    pub(super) set_at: Timestamp,
    /// The contact's newest attempt by then.
    pub(super) after: Option<AttemptId>,
}

fn key(text: &str) -> BusinessKey {
    BusinessKey::parse(text).unwrap()
}

/// Rules of a campaign, or none.
pub(super) fn rules(dice: &mut Dice) -> Vec<BusinessRule> {
    if dice.chance(40) {
        return Vec::new();
    }
    let again = |dice: &mut Dice| Again {
        interval: Duration::from_secs(1 + dice.below(3600)),
        max_times: nonzero(u32::try_from(1 + dice.below(3)).unwrap()),
        same_agent: dice
            .chance(50)
            .then(|| SameAgent { wait: dice.chance(70).then(|| Duration::from_secs(1 + dice.below(3600))) }),
    };
    let mut rules = Vec::new();
    for name in RESULTS.into_iter().filter(|name| *name != "callback/late") {
        let action = match (name, dice.chance(70)) {
            (_, false) => continue,
            ("refused", true) => BusinessAction::Stop,
            ("wrong_person", true) => BusinessAction::CallNextNumber(again(dice)),
            (_, true) => BusinessAction::CallSameNumber(again(dice)),
        };
        let BusinessKey { result, sub_result } = key(name);
        rules.push(BusinessRule { result, sub_result, action });
    }
    rules
}

impl World {
    /// After a conversation, or during one, its agent says what came of it.
    pub(super) fn mark_later(&mut self, attempt: AttemptId) {
        if self.dice.chance(60) {
            let contact = self.attempts[&attempt].contact;
            let after = self.millis(600_000);
            self.later(after, Event::Mark(contact));
        }
    }

    /// Somebody sets a business result for a contact.
    pub(super) fn mark(&mut self, contact: ContactRef) {
        let name = RESULTS[usize::try_from(self.dice.below(RESULTS.len() as u64)).unwrap()];
        self.pending.push((contact, Mark { key: key(name), at: self.wall(), agreed: None }));
        if self.results_take_effect(contact) {
            let delay = self.millis(15);
            let campaign = self.contacts[&contact].campaign.clone();
            self.later(delay, Event::Give(Input::ContactChanged { campaign, contact }));
        }
    }

    /// What was set for a contact takes effect unless it is in a call; tells whether that changed it.
    pub(super) fn results_take_effect(&mut self, reference: ContactRef) -> bool {
        let own = || self.attempts.values().filter(|a| a.contact == reference && !a.withdrawn);
        if own().any(|a| a.result.is_none()) {
            return false;
        }
        let last = own().max_by_key(|a| a.id).cloned();
        let call = last.as_ref().map(|last| EndedCall {
            number: last.number,
            ended_at: last.ended_at.unwrap(),
            agent: last.agent.clone(),
        });
        let (marks, others) = std::mem::take(&mut self.pending).into_iter().partition(|(c, _)| *c == reference);
        self.pending = others;
        let marks: Vec<(ContactRef, Mark)> = marks;
        let mut changed = false;
        for (_, mark) in marks {
            let contact = self.contacts.get_mut(&reference).unwrap();
            let campaign = &self.generation.definitions.campaigns[&contact.campaign];
            let (progress, _) = business::take_effect(campaign, contact, call.as_ref(), &mark);
            if progress != contact.progress {
                changed = true;
                contact.progress = progress;
                contact.version += 1;
            }
            self.tick += 1;
            let after = last.as_ref().map(|last| last.id);
            let log = MarkLog { tick: self.tick, key: mark.key, set_at: mark.at, after };
            self.marks.entry(reference).or_default().push(log);
        }
        changed
    }

    /// Judges a contact's calls by rules against the results that were set, by rules written anew.
    pub(super) fn judge_business(&self, contact: &Contact, attempts: &[&Attempt]) {
        let marks: &[MarkLog] = self.marks.get(&contact.reference).map_or(&[], Vec::as_slice);
        let campaign = &self.generation.definitions.campaigns[&contact.campaign];
        let mut placed: BTreeMap<u64, Vec<&Attempt>> = BTreeMap::new();
        let mut stopped = false;
        for attempt in attempts {
            let before: Vec<&MarkLog> = marks.iter().filter(|mark| mark.tick < attempt.tick).collect();
            stopped |= before
                .iter()
                .any(|mark| rule_of(campaign, &mark.key).is_some_and(|rule| rule.action == BusinessAction::Stop));
            assert!(!stopped, "{} called after a stop", attempt.id);
            let Some(name) = &attempt.rule else { continue };
            let mark = before.last().unwrap_or_else(|| panic!("{} placed by a rule without a result", attempt.id));
            let rule = rule_of(campaign, &mark.key).expect("the last result has no rule, and there is a call by one");
            assert_eq!(rule.key(), *name, "the last result set does not win");
            let first = !placed.contains_key(&mark.tick);
            placed.entry(mark.tick).or_default().push(attempt);
            if first {
                self.judge_first(campaign, attempt, mark, rule);
            }
        }
        let mut times: BTreeMap<BusinessKey, u32> = BTreeMap::new();
        for tries in placed.values() {
            judge::number(&contact.progress.numbers[tries[0].number].category, tries);
            *times.entry(tries[0].rule.clone().unwrap()).or_default() += 1;
        }
        for (name, times) in times {
            let rule = campaign.business.iter().find(|rule| rule.key() == name).unwrap();
            let (BusinessAction::CallNextNumber(again) | BusinessAction::CallSameNumber(again)) = rule.action else {
                panic!("a call by a rule that stops")
            };
            assert!(times <= again.max_times.get(), "{name} placed {times} calls");
        }
    }

    /// The first call that a result brought about: number, due time, agent.
    fn judge_first(&self, campaign: &Campaign, attempt: &Attempt, mark: &MarkLog, rule: &BusinessRule) {
        let last = mark.after.map(|id| &self.attempts[&id]);
        let again = match (rule.action, last) {
            (BusinessAction::Stop, _) => panic!("a call by a rule that stops"),
            (BusinessAction::CallNextNumber(again), Some(last)) => {
                assert!(attempt.number > last.number, "not a later number");
                again
            }
            (BusinessAction::CallNextNumber(again), None) => again,
            (BusinessAction::CallSameNumber(again), last) => {
                assert_eq!(Some(attempt.number), last.map(|last| last.number), "not the same number");
                again
            }
        };
        let from = last.and_then(|last| last.ended_at).map_or(mark.set_at, |ended| ended.max(mark.set_at));
        let due = from + SignedDuration::try_from(again.interval).unwrap();
        assert!(attempt.recorded_at >= due, "{} before its due time", attempt.id);
        if let (Some(same), Some(last)) = (again.same_agent, last)
            && attempt.agent != last.agent
        {
            let until = match same.wait {
                Some(wait) => due + SignedDuration::try_from(wait).unwrap(),
                None => self.next_day(campaign, attempt, due),
            };
            assert!(attempt.recorded_at >= until, "{} taken by another agent", attempt.id);
        }
    }
}

/// The rule for a result, by a rule written anew: no two rules of a world are for the same one.
fn rule_of<'a>(campaign: &'a Campaign, key: &BusinessKey) -> Option<&'a BusinessRule> {
    let named = |name: &BusinessKey| campaign.business.iter().find(|rule| rule.key() == *name);
    named(key).or_else(|| named(&BusinessKey { sub_result: None, ..key.clone() }))
}
