//! The wire: what calls come to, of agents' phones and of customers.

use std::time::Duration;

use jiff::Timestamp;

use super::{Halt, Happening, Leg, Machine};
use crate::{
    domain::{
        agent::Availability,
        call::{CallCommand, CallEvent, Destination, EndedBy, LegEnd, LegIdentity, MediaOffer},
        engine::Input,
        ids::{AgentId, AttemptId, LegId},
        now::Now,
        phone::E164,
        results::CallResult,
    },
    sim::outside::{Outside, end_of},
};

impl<O: Outside> Machine<O> {
    /// The customer answers, or the call ends unanswered.
    pub(super) fn rung(&mut self, leg: LegId) -> Vec<Input> {
        let Some(Leg::Customer { fate, up, agent_leg, .. }) = self.legs.get_mut(&leg) else { return Vec::new() };
        let (result, agent_leg) = (fate.result, *agent_leg);
        match end_of(result) {
            Some(end) => vec![self.end(leg, end)],
            None if result == CallResult::AgentLost => vec![self.end(agent_leg, hung_up(EndedBy::Peer, true))],
            None => {
                *up = true;
                vec![answered(leg)]
            }
        }
    }

    pub(super) fn hangs_up(&mut self, leg: LegId) -> Vec<Input> {
        let Some(Leg::Customer { attempt, agent_leg, .. }) = self.legs.get(&leg) else { return Vec::new() };
        let (attempt, agent_leg) = (*attempt, *agent_leg);
        let mut inputs = vec![self.end(leg, hung_up(EndedBy::Peer, true))];
        let Some(Leg::Agent { agent, .. }) = self.legs.get(&agent_leg) else { return inputs };
        let agent = agent.clone();
        let wrap_up = self.outside.wrap_up(self.now(), &agent);
        self.worked(attempt, wrap_up);
        self.agents.entry(agent.clone()).or_default().wraps_up = Some(attempt);
        if wrap_up.is_zero() {
            inputs.extend(self.wrapped_up(agent, attempt));
        } else {
            self.later(wrap_up, Happening::WrappedUp(agent, attempt));
        }
        inputs
    }

    /// Notes what an agent does from a conversation's beginning to the end of the wrap-up, which the
    /// campaign limits.
    fn worked(&mut self, attempt: AttemptId, wrap_up: Duration) {
        let Some(over) = self.live.get(&attempt) else { return };
        let generation = self.facts.generation();
        let campaign = generation.and_then(|generation| generation.definitions.campaigns.get(&over.campaign));
        let wrap_up = campaign.map_or(wrap_up, |campaign| wrap_up.min(campaign.agents.wrap_up));
        let ends = self.now().wall.saturating_add(wrap_up).unwrap_or(Timestamp::MAX);
        self.work.extend(over.connected_at.map(|begins| (begins, ends)));
    }

    pub(super) fn wrapped_up(&mut self, agent: AgentId, attempt: AttemptId) -> Vec<Input> {
        let Some(here) = self.agents.get_mut(&agent) else { return Vec::new() };
        if here.wraps_up != Some(attempt) {
            return Vec::new();
        }
        here.wraps_up = None;
        if !here.here {
            return Vec::new();
        }
        vec![Input::SetAvailability { agent, availability: Availability::Idle }]
    }

    pub(super) fn end(&mut self, leg: LegId, end: LegEnd) -> Input {
        self.legs.remove(&leg);
        Input::Call(CallEvent::Ended { leg, end })
    }

    pub(super) fn call(&mut self, now: Now, command: CallCommand) -> Result<(), Halt> {
        match command {
            CallCommand::Dial { leg, destination: Destination::Agent { agent, .. }, ring, .. } => {
                let picks_up = self.outside.picks_up_after(now, &agent).filter(|after| *after <= ring);
                self.legs.insert(leg, Leg::Agent { agent, up: picks_up == Some(Duration::ZERO) });
                match picks_up {
                    Some(Duration::ZERO) => self.pending.push(answered(leg)),
                    Some(after) => self.later(after, Happening::AgentPicksUp(leg)),
                    None => self.later(ring, Happening::AgentMisses(leg)),
                }
            }
            CallCommand::Dial { leg, destination: Destination::Customer { number, .. }, offer, ring, .. } => {
                self.invite(now, leg, &number, offer, ring)?;
            }
            CallCommand::Bridge { agent, customer } => self.bridge(agent, customer),
            CallCommand::HangUp { leg, .. } => match self.legs.remove(&leg) {
                Some(Leg::Agent { up, .. } | Leg::Customer { up, .. }) => {
                    let end = LegEnd { cancelled: !up, ..hung_up(EndedBy::Us, up) };
                    self.pending.push(Input::Call(CallEvent::Ended { leg, end }));
                }
                None => {}
            },
            CallCommand::Acknowledge { .. } | CallCommand::TakeDown { .. } | CallCommand::Resync => {}
        }
        Ok(())
    }

    fn invite(&mut self, now: Now, leg: LegId, number: &E164, offer: MediaOffer, ring: Duration) -> Result<(), Halt> {
        let MediaOffer::Of(agent_leg) = offer else {
            return Err(Halt::Illegal { at: now.wall, what: "a customer is called without an agent's media" });
        };
        // One customer leg follows one intent: it is the newest of its number.
        let placed = self.live.values_mut().rev().find(|attempt| attempt.number == *number);
        let Some(placed) = placed else {
            return Err(Halt::Illegal { at: now.wall, what: "a customer is called without an intent" });
        };
        placed.at = now.wall;
        let attempt = placed.id;
        let fate = self.outside.fate(now, &placed.campaign, number, ring)?;
        placed.heard = Some(fate.result);
        self.legs.insert(leg, Leg::Customer { attempt, fate, up: false, agent_leg });
        self.later(fate.ring, Happening::Rung(leg));
        Ok(())
    }

    fn bridge(&mut self, agent: LegId, customer: LegId) {
        let Some(Leg::Customer { fate, agent_leg, .. }) = self.legs.get_mut(&customer) else { return };
        *agent_leg = agent;
        let fate = *fate;
        let event = match fate.result {
            CallResult::CustomerHungUp => {
                let ended = self.end(customer, hung_up(EndedBy::Peer, true));
                self.pending.push(ended);
                return;
            }
            CallResult::Abandoned => CallEvent::BridgeFailed { agent, customer, refused_by: customer },
            _ => {
                self.later(fate.talk, Happening::HangsUp(customer));
                CallEvent::Bridged { agent, customer }
            }
        };
        self.pending.push(Input::Call(event));
    }
}

pub(super) fn answered(leg: LegId) -> Input {
    Input::Call(CallEvent::Answered { leg, identity: LegIdentity::default() })
}

fn hung_up(by: EndedBy, answered: bool) -> LegEnd {
    LegEnd { by, answered, cancelled: false, status: None, q850: None, retry_after: None, reason: None }
}
