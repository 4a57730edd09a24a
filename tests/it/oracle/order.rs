//! Who is called next: the calls that are due, in their order.

use std::cmp::Ordering;

use super::{
    Second,
    book::{Contact, Number, Purpose, Retry, Target},
    definition::{Definition, Order, Policy},
    hours,
    simulation::{Agent, Doing, Simulation},
};

/// A call that is due, if nothing holds it.
pub(crate) struct Candidate {
    key: Key,
    pub(crate) target: Target,
    pub(crate) purpose: Purpose,
}

/// SPEC §3: "due now | business-rule calls and scheduled callbacks, then a `sequence` pass under way, then retries by
/// due time, then untried numbers by sort, priority, import order; equal due times fall back to the same order, then
/// index". The fields are compared from the first to the last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: Class,
    /// READING: business-rule calls go by due time too, and passes under way by sort, priority and import order, as
    /// nothing says when a pass is due.
    due: Second,
    round: usize,
    rank: usize,
    index: usize,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Business,
    Pass,
    Retry,
    Untried,
}

impl Simulation {
    /// SPEC §3: "For an idle agent (longest idle first; a contact pinned to an agent goes to that one), take the
    /// campaign by priority, then the contact".
    pub(crate) fn next_call(&self) -> Option<(usize, Candidate)> {
        // READING: the agent comes first. A call that waits for another agent is passed over, and not kept a place
        // under a cap.
        for agent in self.idle_agents() {
            for campaign in self.campaigns_of(&self.agents[agent]) {
                let mut candidates = self.candidates(campaign);
                candidates.sort_by(|left, right| left.key.cmp(&right.key));
                let call = candidates.into_iter().find(|candidate| self.admits(candidate, &self.agents[agent]));
                if let Some(candidate) = call {
                    return Some((agent, candidate));
                }
            }
        }
        None
    }

    /// SPEC §3: "agents | idle since the same instant: by id".
    fn idle_agents(&self) -> Vec<usize> {
        let idle = |(place, agent): (usize, &Agent)| match agent.doing {
            // READING: an agent's `until` is the first instant at which the agent is gone.
            Doing::Idle { since } if agent.this.from <= self.now && self.now < agent.this.until => {
                Some((since, agent.this.id.clone(), place))
            }
            Doing::Idle { .. }
            | Doing::Calling { .. }
            | Doing::Ringing { .. }
            | Doing::BackingOff { .. }
            | Doing::Resting => None,
        };
        let mut idle: Vec<_> = self.agents.iter().enumerate().filter_map(idle).collect();
        idle.sort();
        idle.into_iter().map(|(_, _, place)| place).collect()
    }

    /// SPEC §1.2: "`priority` | 1–5, 1 first | strict: for each free agent, the lowest number that has a dialable
    /// contact; equals take turns". §3: "equal campaign priority | least recently served, then id; per call".
    fn campaigns_of(&self, agent: &Agent) -> Vec<usize> {
        // READING: a campaign that a cap holds has no dialable contact now, so the agent goes on to the next one.
        // Of two that were served in one instant, the one whose call was decided first is the one that was
        // served less recently. While the agent's phone rings, the claim is a service; one that came to nothing was
        // none.
        let claims = self.agents.iter().filter_map(|agent| match agent.doing {
            Doing::Ringing { claim, turn, .. } => Some((claim.campaign, turn)),
            Doing::Idle { .. } | Doing::Calling { .. } | Doing::BackingOff { .. } | Doing::Resting => None,
        });
        let served: Vec<_> = self.calls.iter().map(|call| (call.target.campaign, call.turn)).chain(claims).collect();
        let last_served = |place: usize| served.iter().filter(|(of, _)| *of == place).map(|(_, turn)| *turn).max();
        let mut places: Vec<_> = (0..self.campaigns.len())
            .filter(|place| agent.this.queues.contains(&self.campaigns[*place].definition.queue))
            .collect();
        places.sort_by_key(|place| {
            let definition = &self.campaigns[*place].definition;
            (definition.priority, last_served(*place), definition.id.clone())
        });
        places
    }

    /// All calls of a campaign that are due, whatever holds them.
    fn candidates(&self, campaign: usize) -> Vec<Candidate> {
        let this = &self.campaigns[campaign];
        let ranked = ranking(&this.definition, &this.contacts);
        let mut all = Vec::new();
        for (rank, place) in ranked.into_iter().enumerate() {
            let contact = &this.contacts[place];
            let mut add = |number: usize, purpose, class, due, round| {
                let target = Target { campaign, contact: place, number };
                all.push(Candidate { key: Key { class, due, round, rank, index: number }, target, purpose });
            };
            if contact.stopped {
                continue;
            }
            if let Some(call) = contact.scheduled.as_ref().filter(|call| call.due <= self.now) {
                add(call.number, Purpose::Rule, Class::Business, call.due, 0);
            }
            if let Some((number, retry)) = contact.own_retry.as_ref().filter(|(_, retry)| retry.due <= self.now) {
                // READING: a retry of a business rule's call is that rule's call still, and goes before the others.
                add(*number, Purpose::OwnRetry, Class::Business, retry.due, 0);
            }
            // READING: a contact that was reached is reopened for the business rule's call and its retries only;
            // other numbers and older retries stay as they are.
            if contact.reached {
                continue;
            }
            for (index, number) in contact.numbers.iter().enumerate() {
                if let Some((class, due, round)) = self.ordinary(&this.definition, contact, index, number) {
                    add(index, Purpose::Ordinary, class, due, round);
                }
            }
        }
        all
    }

    /// What the order and the policy want of a number now.
    fn ordinary(
        &self,
        definition: &Definition,
        contact: &Contact,
        index: usize,
        number: &Number,
    ) -> Option<(Class, Second, usize)> {
        if number.ended {
            return None;
        }
        // READING: a number that the order, after an edit, never calls has no retry either.
        let round = definition.order.round_of(&number.category, index + 1)?;
        if number.tried {
            return number.retry.as_ref().filter(|retry| retry.due <= self.now).map(|it| (Class::Retry, it.due, 0));
        }
        Some(match definition.order {
            // SPEC §3: "`sequence` | numbers 1→n one after the other without retry gaps, each an attempt of its own; a
            // held number (do-not-call, a cap) is skipped and counts as untried if released; then each number again
            // when its retry is due". Of a contact's untried numbers the first that nothing holds is taken.
            // READING: closed hours of its zone hold a number like a cap does.
            Order::Sequence if contact.pass.is_some_and(|last| index > last) => (Class::Pass, 0, 0),
            Order::Sequence => (Class::Untried, 0, 0),
            // SPEC §3: "`rounds_*` | always the lowest round that has an untried number dialable now". Of all untried
            // numbers, those of the lowest round come first, and the first that nothing holds is taken.
            // READING: a number whose customer is being called is not dialable now, so it opens the next round.
            Order::Rounds { .. } => (Class::Untried, 0, round),
        })
    }

    /// Whether the budget leaves room today. SPEC §3: "ordinary policy | a number is tried at most
    /// `max_attempts_per_day` times on a local day, on at most `max_days` different days".
    pub(crate) fn budget_admits(&self, candidate: &Candidate) -> bool {
        let target = candidate.target;
        let contact = &self.campaigns[target.campaign].contacts[target.contact];
        let number = &contact.numbers[target.number];
        // READING: a retry is held to the limits of the definition in force.
        let (retry, budget): (Option<&Retry>, _) = match candidate.purpose {
            Purpose::Rule => return true,
            Purpose::Ordinary => (number.retry.as_ref(), &number.budget),
            Purpose::OwnRetry => (contact.own_retry.as_ref().map(|(_, retry)| retry), &contact.own),
        };
        let limits = match self.campaigns[target.campaign].definition.results.policy(&number.category) {
            Policy::Ordinary { max_days, per_day, .. } => Some((*per_day, *max_days)),
            Policy::ByResult(_) => None,
        };
        let today = hours::local_day(self.now, &self.zone_of(target));
        retry.and(limits).is_none_or(|limits| budget.has_room(today, limits))
    }
}

/// The contacts by sort, contact priority and import order. SPEC §1.2: "then contact priority (1–5, 1 first, default
/// 3), then import order".
fn ranking(definition: &Definition, contacts: &[Contact]) -> Vec<usize> {
    let by_sort = |left: &Contact, right: &Contact| {
        let orders = definition.sort.iter().map(|key| key.compare(&left.attributes, &right.attributes));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    let priority = |contact: &Contact| contact.priority.unwrap_or(3);
    let mut places: Vec<_> = (0..contacts.len()).collect();
    // The sort is stable: equals stay in import order.
    places.sort_by(|left, right| {
        let (left, right) = (&contacts[*left], &contacts[*right]);
        by_sort(left, right).then(priority(left).cmp(&priority(right)))
    });
    places
}
