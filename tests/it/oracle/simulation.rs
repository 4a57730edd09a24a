//! The world as it runs: from one instant at which something may change to the next.

use std::{collections::VecDeque, rc::Rc};

use jiff::Timestamp;

use super::{
    Attempt, Second,
    book::{Call, Contact, Target},
    business,
    case::{self, Case, Edit, Event, Kind, Script},
    definition::Definition,
    order::Candidate,
    settle,
};

/// A campaign with the definition that is in force.
pub(crate) struct Campaign {
    pub(crate) definition: Rc<Definition>,
    pub(crate) contacts: Vec<Contact>,
    /// Its `ends_at` passed once: final.
    pub(crate) expired: bool,
}

/// What an agent does.
#[derive(Clone, Copy)]
pub(crate) enum Doing {
    Idle {
        since: Second,
    },
    /// Held for the call with this place.
    Calling {
        call: usize,
    },
    /// The phone rings, and nobody picks up.
    Ringing {
        until: Second,
        claim: Target,
        turn: usize,
    },
    BackingOff {
        until: Second,
    },
    Resting,
}

/// An agent as the world runs.
pub(crate) struct Agent {
    pub(crate) this: case::Agent,
    pub(crate) doing: Doing,
    /// Calls not picked up, in a row.
    pub(crate) misses: usize,
}

/// An entry of a do-not-call list.
pub(crate) struct Forbidden {
    pub(crate) list: String,
    pub(crate) number: String,
    pub(crate) from: Second,
    pub(crate) until: Option<Second>,
}

/// A case while it runs.
pub(crate) struct Simulation {
    pub(crate) now: Second,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) calls: Vec<Call>,
    pub(crate) do_not_call: Vec<Forbidden>,
    pub(crate) script: Script,
    /// Claims so far.
    pub(crate) turns: usize,
    events: VecDeque<Event>,
    until: Second,
}

/// How long an agent who didn't pick up is left alone.
const BACK_OFF: Second = 30;

impl Simulation {
    /// The case at its beginning.
    pub(crate) fn new(case: Case) -> Self {
        let campaign = |(definition, contacts)| Campaign { definition, contacts, expired: false };
        let agent = |this: case::Agent| Agent { doing: Doing::Idle { since: this.from }, this, misses: 0 };
        Self {
            now: case.from,
            campaigns: case.campaigns.into_iter().map(campaign).collect(),
            agents: case.agents.into_iter().map(agent).collect(),
            calls: Vec::new(),
            do_not_call: Vec::new(),
            script: case.script,
            turns: 0,
            events: case.events.into(),
            until: case.until,
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Self {
        // READING: the world's end is not in it any more.
        while self.now < self.until {
            self.live_through_this_instant();
            self.now = self.next_instant();
        }
        self
    }

    /// The calls so far.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.calls.iter().map(|call| self.attempt(call)).collect()
    }

    /// Events come before anything else of their instant; then calls that end now are settled, and whoever is free
    /// is given a call. A call may end at the instant at which it begins, so this goes on until nothing changes.
    fn live_through_this_instant(&mut self) {
        while self.events.front().is_some_and(|event| event.at <= self.now) {
            let event = self.events.pop_front().expect("an event").kind;
            self.happen(event);
        }
        for campaign in &mut self.campaigns {
            campaign.expired |= self.now >= campaign.definition.ends_at;
        }
        loop {
            self.settle_what_ended();
            self.release_agents();
            let Some((agent, candidate)) = self.next_call() else { return };
            self.claim(agent, &candidate);
        }
    }

    fn happen(&mut self, event: Kind) {
        match event {
            Kind::Apply(definition) => self.apply(definition),
            Kind::EditContact { campaign, customer_id, edit } => self.edit(campaign.as_deref(), &customer_id, &edit),
            Kind::DoNotCall { list, number, expires_at } => {
                self.do_not_call.push(Forbidden { list, number, from: self.now, until: expires_at });
            }
            Kind::BusinessResult { campaign, customer_id, result, sub_result } => {
                self.business_result(campaign.as_deref(), &customer_id, &result, sub_result);
            }
        }
    }

    /// SPEC §3: "editing a running campaign | no stop: the gate uses the new filter at once, and the new order takes
    /// over in one step when its index is complete".
    fn apply(&mut self, definition: Rc<Definition>) {
        let campaign = self.campaigns.iter_mut().find(|campaign| campaign.definition.id == definition.id);
        let campaign = campaign.unwrap_or_else(|| panic!("no campaign {}", definition.id));
        // READING: `expired` is final, so a commit that comes after `ends_at` does not bring the campaign back.
        campaign.expired |= self.now > campaign.definition.ends_at;
        campaign.definition = definition;
    }

    /// SPEC §3: "An edit of a contact being called is refused with the reason."
    fn edit(&mut self, campaign: Option<&str>, customer_id: &str, edit: &Edit) {
        // READING: without a campaign the edit is of every contact with this id. As events come before anything
        // else of their instant, a call that ends at this one is still a call.
        for target in self.contacts_of(campaign, customer_id) {
            let is_this = |other: Target| (other.campaign, other.contact) == (target.campaign, target.contact);
            let called = self.calls.iter().any(|call| !call.settled && is_this(call.target));
            if !called {
                let contact = &mut self.campaigns[target.campaign].contacts[target.contact];
                edit.0.iter().for_each(|(column, cell)| contact.set(column, cell));
            }
        }
    }

    fn contacts_of(&self, campaign: Option<&str>, customer_id: &str) -> Vec<Target> {
        let contacts = self.campaigns.iter().enumerate().flat_map(|(place, it)| {
            it.contacts.iter().enumerate().map(move |(contact, of)| (place, &it.definition.id, contact, of))
        });
        let wanted = contacts.filter(|(_, id, _, of)| {
            of.customer_id == customer_id && campaign.is_none_or(|campaign| campaign == id.as_str())
        });
        wanted.map(|(campaign, _, contact, _)| Target { campaign, contact, number: 0 }).collect()
    }

    /// The result is for the customer's last call that has ended; see `business` for what it does.
    fn business_result(&mut self, campaign: Option<&str>, customer_id: &str, result: &str, sub_result: Option<String>) {
        // READING: a result at the instant at which the call ends finds it ended and settled by its policy, though
        // events come before anything else ("result policy, then business-result policy when it comes").
        self.settle_what_ended();
        let of_customer = |call: &&Call| {
            let definition = &self.campaigns[call.target.campaign].definition;
            call.settled && call.customer_id == customer_id && campaign.is_none_or(|id| id == definition.id)
        };
        let Some(call) = self.calls.iter().rev().find(of_customer) else { return };
        let campaign = &mut self.campaigns[call.target.campaign];
        // SPEC §3: "after `expired` it is only recorded".
        if !campaign.expired && self.now < campaign.definition.ends_at {
            let definition = campaign.definition.clone();
            let contact = &mut campaign.contacts[call.target.contact];
            business::apply(self.now, (call, &definition), contact, result, sub_result);
        }
    }

    /// Settles the calls that have ended, and frees their agents. SPEC §3: "The agent is free at once when the
    /// customer's side failed."
    fn settle_what_ended(&mut self) {
        for place in 0..self.calls.len() {
            let call = &mut self.calls[place];
            if call.settled || call.end > self.now {
                continue;
            }
            call.settled = true;
            // READING: also after `agent_lost`: what the agent does then, a case says by the agent's `until`.
            let end = call.end;
            let target = call.target;
            settle::settle(&mut self.calls[place], &mut self.campaigns[target.campaign].contacts[target.contact]);
            for agent in &mut self.agents {
                if matches!(agent.doing, Doing::Calling { call } if call == place) {
                    agent.doing = Doing::Idle { since: end };
                }
            }
        }
    }

    /// SPEC §3: "agents | … One who doesn't pick up waits 30 s; three times in a row: `rest`, left only by the agent".
    fn release_agents(&mut self) {
        for agent in &mut self.agents {
            match agent.doing {
                // READING: the 30 s begin when the agent's phone stops ringing, which is also when the claim on the
                // contact is released. Afterwards the agent counts as idle since the end of the 30 s.
                Doing::Ringing { until, .. } if until <= self.now => {
                    agent.misses += 1;
                    let rests = agent.misses == 3;
                    agent.doing = if rests { Doing::Resting } else { Doing::BackingOff { until: until + BACK_OFF } };
                }
                Doing::BackingOff { until } if until <= self.now => agent.doing = Doing::Idle { since: until },
                Doing::Ringing { .. }
                | Doing::BackingOff { .. }
                | Doing::Idle { .. }
                | Doing::Calling { .. }
                | Doing::Resting => {}
            }
        }
    }

    /// Holds the agent; if the phone is picked up, which takes no time, the call is placed.
    fn claim(&mut self, agent: usize, candidate: &Candidate) {
        self.turns += 1;
        if self.agents[agent].this.picks_up {
            self.agents[agent].misses = 0;
            self.agents[agent].doing = Doing::Calling { call: self.calls.len() };
            self.place(agent, candidate);
        } else {
            let ring = self.campaigns[candidate.target.campaign].definition.agent_ring;
            let (until, claim) = (self.now + ring, candidate.target);
            self.agents[agent].doing = Doing::Ringing { until, claim, turn: self.turns };
        }
    }

    /// The next instant at which anything can differ from now. Hours, days and `starts_at` change at whole minutes
    /// or where they say; everything else at an instant that is known.
    fn next_instant(&self) -> Second {
        let mut instants = vec![(self.now.div_euclid(60) + 1) * 60, self.until];
        instants.extend(self.events.front().map(|event| event.at));
        instants.extend(self.do_not_call.iter().filter_map(|entry| entry.until));
        for agent in &self.agents {
            instants.push(agent.this.from);
            if let Doing::Ringing { until, .. } | Doing::BackingOff { until } = agent.doing {
                instants.push(until);
            }
        }
        for campaign in &self.campaigns {
            instants.push(campaign.definition.starts_at);
            campaign.contacts.iter().for_each(|contact| instants.extend(dues(&campaign.definition, contact)));
            for call in &self.calls {
                instants.extend([call.end, call.at + 1]);
                let caps = campaign.definition.limits.per_number.iter();
                instants.extend(caps.flat_map(|cap| [call.at + cap.period, call.end + cap.after_conversation]));
            }
        }
        instants.into_iter().filter(|at| *at > self.now).min().expect("the world's end")
    }

    fn attempt(&self, call: &Call) -> Attempt {
        let campaign = &self.campaigns[call.target.campaign];
        let contact = &campaign.contacts[call.target.contact];
        Attempt {
            at: Timestamp::from_second(call.at).expect("an instant"),
            campaign: campaign.definition.id.clone(),
            customer_id: call.customer_id.clone(),
            number: call.number.clone(),
            category: contact.numbers[call.target.number].category.clone(),
            caller_number: call.caller_number.clone(),
            agent: call.agent.clone(),
            result: call.result.clone(),
        }
    }
}

/// The instants from which a contact may be called.
fn dues(definition: &Definition, contact: &Contact) -> Vec<Second> {
    let retries = contact.numbers.iter().filter_map(|number| number.retry.as_ref()).map(|retry| retry.due);
    let own = contact.own_retry.iter().map(|(number, retry)| (*number, retry.due, contact.own_pin.as_ref()));
    let scheduled = contact.scheduled.iter().map(|it| (it.number, it.due, it.pinned.as_ref()));
    let business = own.chain(scheduled).flat_map(|(number, due, pin)| {
        let waits = pin.map(|(_, wait)| business::waits_until(definition, contact, number, due, *wait));
        [Some(due), waits]
    });
    contact.not_before.into_iter().chain(retries).chain(business.flatten()).collect()
}
