//! Answered customers whose agent was lost: another agent, or an abandoned call.

use super::{Due, Effect, Engine, HangUpCause, Phone, calls::RESCUE_WITHIN, live_call::Stage};
use crate::domain::{
    ids::{AttemptId, LegId, QueueId},
    now::Now,
    results::CallResult,
};

impl Engine {
    /// The held agent can't take the answered call: looks for another until the rescue's deadline.
    pub(super) fn agent_failed(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let until = *call.rescue_until.get_or_insert(now.mono + RESCUE_WITHIN);
        call.stage = Stage::Rescuing;
        self.rescuing.insert(attempt);
        if let Some(agent) = call.agent.take() {
            self.put_phone_down(&agent, HangUpCause::Normal, effects);
            self.missed(now, &agent, effects);
        }
        self.mono_timers.set(Due::Call(attempt), Some(until));
        if now.mono >= until {
            self.abandon(now, attempt, effects);
        }
    }

    pub(super) fn bridge_failed(
        &mut self,
        now: Now,
        agent_leg: LegId,
        customer: LegId,
        refused_by: LegId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(super::LegRole::Customer(attempt)) = self.legs.get(&customer).cloned() else { return };
        let Some(call) = self.calls.get(&attempt).filter(|call| call.stage == Stage::Connecting) else { return };
        let phone = call.agent.as_ref().and_then(|id| self.agents.get(id)).map(|agent| agent.phone);
        if phone != Some(Phone::Up(agent_leg)) {
            return;
        }
        if refused_by == customer {
            self.hang_up_customer(now, attempt, CallResult::Abandoned, HangUpCause::NoAgent, effects);
        } else {
            self.agent_failed(now, attempt, effects);
        }
    }

    /// Offers answered customers without an agent to the longest idle one of their queue.
    pub(super) fn assign_rescues(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let calls = &self.calls;
        self.rescuing.retain(|attempt| calls.get(attempt).is_some_and(|call| call.stage == Stage::Rescuing));
        let waiting: Vec<AttemptId> =
            self.rescuing.iter().filter(|attempt| calls[attempt].agent.is_none()).copied().collect();
        for attempt in waiting {
            let Some(queue) = self.queue_of(attempt) else { continue };
            let takes = |id: &&crate::domain::ids::AgentId| {
                self.agents[*id].definition.as_ref().is_some_and(|d| d.queues.contains(&queue))
            };
            let available = self.available_agents(now);
            let Some(agent) = available.iter().find(takes).cloned() else { continue };
            if let Some(call) = self.calls.get_mut(&attempt) {
                call.agent = Some(agent.clone());
            }
            self.hold_agent(now, &agent, attempt, effects);
        }
    }

    fn queue_of(&self, attempt: AttemptId) -> Option<QueueId> {
        let campaign = &self.calls.get(&attempt)?.campaign;
        Some(self.campaigns.get(campaign)?.definition.as_ref()?.skill_queue.clone())
    }

    /// No agent took the answered call in time.
    pub(super) fn abandon(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let agent = call.agent.take();
        self.hang_up_customer(now, attempt, CallResult::Abandoned, HangUpCause::NoAgent, effects);
        let Some(id) = agent else { return };
        self.put_phone_down(&id, HangUpCause::Normal, effects);
        let instead = self.agents.get(&id).and_then(|agent| agent.after_call);
        self.free_agent(now, &id, instead, effects);
    }
}
