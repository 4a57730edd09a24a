//! What the engine knows of, to be held against the store and the telephony side.

use super::{
    Effect, Engine, LegRole,
    agents::{Agent, Phase, Phone},
    live_call::Stage,
};
use crate::domain::{
    agent::Availability,
    call::{EndedBy, HangUpCause, LegEnd},
    drift::calls::Known,
    ids::{AgentId, CampaignId, LegId},
    now::Now,
};

impl Engine {
    /// What is under way.
    #[must_use]
    pub fn known(&self) -> Known {
        let attempts = self.calls.keys().chain(self.settling.keys()).chain(self.withdrawing.keys());
        let recorded = self.calls.iter().filter(|(_, call)| call.recorded.is_some());
        let held = self.agents.iter().filter(|(id, agent)| self.is_held_in_vain(id, agent));
        Known {
            epoch: Some(self.settings.epoch),
            attempts: attempts.copied().collect(),
            recorded: recorded.map(|(attempt, call)| (*attempt, call.campaign.clone())).collect(),
            legs: self.legs.keys().copied().collect(),
            dialled: self.legs.iter().filter_map(|(leg, role)| Some((*leg, self.dialled(*leg, role)?))).collect(),
            attempts_made: self.attempts_made,
            legs_made: self.legs_made,
            available: self.agents.iter().map(|(id, agent)| (id.clone(), available(agent))).collect(),
            held_in_vain: held.map(|(id, _)| id.clone()).collect(),
        }
    }

    /// The campaign of a leg's call, if that leg was dialled and is counted on; `Some(None)` without a call.
    fn dialled(&self, leg: LegId, role: &LegRole) -> Option<Option<CampaignId>> {
        match role {
            LegRole::Customer(attempt) => {
                let call = self.calls.get(attempt).filter(|call| call.customer_leg == Some(leg))?;
                let dialled = match call.stage {
                    Stage::Dialing | Stage::Connecting | Stage::Rescuing | Stage::Talking => true,
                    // The end of one that was hung up is waited for only so long.
                    Stage::RingingAgent | Stage::WaitingRate | Stage::Recording | Stage::WaitingPlace => false,
                    Stage::Ending(_) => false,
                };
                dialled.then(|| Some(call.campaign.clone()))
            }
            LegRole::Agent(id) => {
                let agent = self.agents.get(id)?;
                let call = match agent.phase {
                    Phase::Held { attempt, .. } => self.calls.get(&attempt).map(|call| call.campaign.clone()),
                    Phase::Away(_) | Phase::Idle { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => None,
                };
                let dialled = matches!(agent.phone, Phone::Ringing(own) | Phone::Up(own) if own == leg);
                dialled.then_some(call)
            }
            LegRole::Dropped => None,
        }
    }

    /// How a leg ended that is not there any more, although nobody told its end.
    #[must_use]
    pub fn end_of_lost(&self, leg: LegId) -> LegEnd {
        let answered = match self.legs.get(&leg) {
            Some(LegRole::Customer(attempt)) => self.calls.get(attempt).is_some_and(|call| call.answered_at.is_some()),
            Some(LegRole::Agent(id)) => self.agents.get(id).is_some_and(|agent| agent.phone == Phone::Up(leg)),
            Some(LegRole::Dropped) | None => false,
        };
        let (by, cancelled) = (EndedBy::Timeout, false);
        LegEnd { by, answered, cancelled, status: None, q850: None, retry_after: None, reason: None }
    }

    /// Frees an agent who is held for no attempt.
    pub(super) fn free_held_in_vain(&mut self, now: Now, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get(id).filter(|agent| self.is_held_in_vain(id, agent)) else { return };
        let instead = agent.after_call;
        self.put_phone_down(id, HangUpCause::Normal, effects);
        self.free_agent(now, id, instead, effects);
    }

    /// Whether an agent is held for an attempt that there is not, or that holds somebody else.
    fn is_held_in_vain(&self, id: &AgentId, agent: &Agent) -> bool {
        match agent.phase {
            Phase::Held { attempt, .. } => self.calls.get(&attempt).is_none_or(|call| call.agent.as_ref() != Some(id)),
            Phase::Away(_) | Phase::Idle { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => false,
        }
    }
}

/// What an agent is available for, or will be after the call.
fn available(agent: &Agent) -> Availability {
    match agent.phase {
        Phase::Away(availability) => availability,
        Phase::Idle { .. } | Phase::Held { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => {
            agent.after_call.unwrap_or(Availability::Idle)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use super::*;
    use crate::domain::{
        campaign::{AgentDefinition, Definitions, DialPermission, Generation},
        engine::{EngineSettings, Input, Slack},
        gate::Caps,
        ids::{AttemptId, Epoch, QueueId, Revision, TenantId, TrunkId},
        tenant::Tenant,
    };

    fn now() -> Now {
        Now { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(1) }
    }

    fn engine(agent: &AgentId) -> Engine {
        let caps = Caps { tenant_calls: 9, tenant_calls_per_second: 9, trunk_calls: 9, trunk_calls_per_second: 9 };
        let mut engine = Engine::new(EngineSettings {
            permission: DialPermission::All,
            caps,
            trunk: TrunkId::parse("t").unwrap(),
            epoch: Epoch(3),
            slack: Slack::NETWORK,
            page: 3,
        });
        let queues = vec![QueueId::parse("q").unwrap()];
        let definition = AgentDefinition { id: agent.clone(), name: "A".to_owned(), sip: "sip:a".to_owned(), queues };
        let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "UTC", "DE");
        let agents = BTreeMap::from([(agent.clone(), definition)]);
        let definitions = Definitions { agents, ..Definitions::of(tenant) };
        let revision = Revision::parse(&"1".repeat(40)).unwrap();
        let generation = Generation::whole(revision, now().wall, definitions);
        engine.step(now(), Input::Applied(Arc::new(generation)), &mut Vec::new());
        engine
    }

    #[test]
    fn an_agent_who_is_held_for_no_call_is_known_and_can_be_freed() {
        let agent = AgentId::parse("a1").unwrap();
        let mut engine = engine(&agent);
        assert_eq!(engine.known().available[&agent], Availability::SignedOut);
        let attempt = AttemptId { epoch: Epoch(3), serial: 9 };
        engine.agents.get_mut(&agent).unwrap().enter(Phase::Held { attempt, idle_since: Duration::ZERO }, now());
        assert!(engine.known().held_in_vain.contains(&agent));
        engine.step(now(), Input::FreeAgent(agent.clone()), &mut Vec::new());
        let known = engine.known();
        assert!(known.held_in_vain.is_empty());
        assert_eq!(known.available[&agent], Availability::Idle);
        engine.step(now(), Input::FreeAgent(agent.clone()), &mut Vec::new());
        assert_eq!(engine.known(), known, "there is nothing left to do");
    }
}
