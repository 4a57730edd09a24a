//! What is asked for agents, and noted for them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    run::{Done, Looper, logged},
    unwritten::Thing,
};
use crate::{
    control::AgentError,
    domain::{
        agent::{AgentCall, AgentState, Availability, Begins, may_set},
        audit::Deed,
        business::BusinessKey,
        engine::Input,
        ids::{AgentId, BusinessResultId},
    },
    store::{BusinessDecision, BusinessRequest, NewAuditEntry},
};

impl Looper {
    /// Stores what an agent is to be available for, if whoever asks may have it so; then it comes into force.
    pub(super) fn set_agent(
        &mut self,
        agent: AgentId,
        (availability, begins): (Availability, Begins),
        deed: Deed,
        reply: oneshot::Sender<Result<(), AgentError>>,
    ) {
        let known = self.parts.generation.borrow().as_ref().is_some_and(|g| g.definitions.agents.contains_key(&agent));
        let state = self.engine.agent_state(&agent).unwrap_or(AgentState::SignedOut);
        let allowed = may_set(deed.role, state, availability, begins).map_err(AgentError::NotAllowed);
        let allowed = if known { allowed } else { Err(AgentError::Unknown(agent.clone())) };
        if let Err(refused) = allowed {
            // Who asked may have gone.
            let _unheard = reply.send(Err(refused));
            return;
        }
        let store = self.parts.store.audited(NewAuditEntry::new(deed));
        let writing = self.unwritten.begin(Thing::Agent(agent.clone()));
        self.begin(async move {
            let stored = store.set_availability(&agent, availability).await;
            drop(writing);
            Done::Agent(agent, (availability, begins), reply, stored)
        });
    }

    /// Notes the tenant's default for a conversation of which the agent has noted nothing.
    pub(super) fn note_default_result(&mut self, agent: &AgentId, call: AgentCall, result: BusinessResultId) {
        let store = Arc::clone(&self.parts.store);
        let AgentCall { attempt, campaign, customer, .. } = call;
        let request = BusinessRequest {
            campaign: campaign.clone(),
            customer,
            attempt: Some(attempt),
            key: BusinessKey { result, sub_result: None },
            note: None,
            agent: None,
            callback: None,
            by: agent.to_string(),
            at: self.parts.clock.now().wall,
            by_default: true,
        };
        let metrics = Arc::clone(&self.parts.metrics);
        self.begin(async move {
            match logged(store.set_business_result(request).await, "noting the result of a conversation") {
                Some(BusinessDecision::Set { contact, goal, .. }) => {
                    metrics.business_result(goal);
                    Done::Give(Input::ContactChanged { campaign, contact })
                }
                // The agent has noted one, or it is not on the list any more.
                Some(BusinessDecision::Refused(_)) | None => Done::Nothing,
            }
        });
    }
}
