//! What an earlier life left: its calls are taken down and its attempts settled.

use crate::{
    domain::{
        call::{CallCommand, Destination},
        contact::Progress,
        ids::{AgentId, LegId},
        retry::{self, EndedAttempt},
    },
    store::{LeftoverAttempt, Leftovers, Settlement, Store, StoreError},
};

/// What to do about an earlier life's legs.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// To the gateway.
    pub(super) commands: Vec<CallCommand>,
    /// Agents whose legs are being taken down.
    pub(super) agents: Vec<(LegId, AgentId)>,
}

/// Settles every attempt that was left and says which legs to take down.
pub(super) async fn recover(store: &dyn Store) -> Result<Recovery, StoreError> {
    let Leftovers { legs, attempts } = store.leftovers().await?;
    for attempt in attempts {
        let settlement = settlement(&attempt);
        tracing::warn!(attempt = %attempt.attempt, result = %settlement.result, "an earlier life left this attempt");
        store.settle(settlement).await?;
    }
    let mut recovery = Recovery::default();
    for leg in legs {
        if let Destination::Agent { agent, .. } = &leg.record.destination {
            recovery.agents.push((leg.record.leg, agent.clone()));
        }
        let (leg, identity, answered) = (leg.record.leg, leg.record.identity, leg.answered);
        recovery.commands.push(CallCommand::TakeDown { leg, identity, answered });
    }
    Ok(recovery)
}

fn settlement(left: &LeftoverAttempt) -> Settlement {
    let result = retry::result_of_leftover(left.answered_at.is_some(), left.connected_at.is_some());
    let ended = EndedAttempt {
        number: left.number,
        result,
        ended_at: left.last_event_at,
        local_date: left.local_date,
        next_day_at: left.next_day_at,
        caller_number: left.caller_number.clone(),
    };
    let (progress, result): (Progress, _) = retry::settle(&left.policy, &left.contact.progress, &ended);
    Settlement {
        attempt: left.attempt,
        result,
        fail_code: result.fail_code(),
        sip_status: None,
        q850: None,
        ended_at: left.last_event_at,
        answered_at: left.answered_at,
        connected_at: left.connected_at,
        progress,
    }
}
