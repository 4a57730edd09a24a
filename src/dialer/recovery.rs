//! What an earlier life left: its calls are taken down and its attempts settled.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        call::{CallCommand, Destination},
        ids::{AgentId, AttemptId, CampaignId, LegId},
        phone::E164,
        retry::{self, EndedAttempt},
    },
    store::{
        LeftoverAttempt, Leftovers, Milestone, Settlement, Store,
        StoreError::{self, Closed, Fenced, Locked, ReadOnly},
    },
};

/// What to do about an earlier life's legs and attempts.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// To the gateway.
    pub(super) commands: Vec<CallCommand>,
    /// Legs that are being taken down.
    pub(super) legs: BTreeSet<LegId>,
    /// Those of agents among them.
    pub(super) agents: Vec<(LegId, AgentId)>,
    /// Attempts that are settled once the customer's leg has ended.
    pub(super) unsettled: BTreeMap<LegId, Unsettled>,
    /// Attempts that can't be settled, and why: their customers stay as if they were in a call.
    pub(super) damaged: BTreeMap<AttemptId, String>,
}

/// An attempt whose leg is being taken down.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) campaign: CampaignId,
    pub(super) settlement: Settlement,
}

/// Says which legs to take down and which attempts to settle with them; one whose leg is over is
/// settled at once.
pub(super) async fn recover(store: &dyn Store) -> Result<Recovery, StoreError> {
    let left = store.leftovers().await?;
    for (leg, error) in &left.unreadable.legs {
        tracing::error!(%leg, error, "a leg of an earlier life can't be read, so its call, if it is up, is not ended");
        store.note(Milestone::LegEnded { leg: *leg }).await?;
    }
    let (mut recovery, over) = plan(left);
    for Unsettled { settlement, .. } in over {
        let attempt = settlement.attempt;
        match store.settle(settlement).await {
            Ok(_) => {}
            // The store itself is at fault, and not one row of it.
            Err(error @ (Fenced(_) | Closed | ReadOnly { .. } | Locked { .. })) => return Err(error),
            Err(error) => drop(recovery.damaged.insert(attempt, error.to_string())),
        }
    }
    for (attempt, error) in &recovery.damaged {
        tracing::error!(
            %attempt, error,
            "an attempt of an earlier life can't be settled: its customer is not called until its rows are mended"
        );
    }
    Ok(recovery)
}

/// The same of what was left, and the attempts whose legs are over.
pub(super) fn plan(Leftovers { legs, attempts, unreadable }: Leftovers) -> (Recovery, Vec<Unsettled>) {
    let (mut recovery, mut over) = (Recovery { damaged: unreadable.attempts, ..Recovery::default() }, Vec::new());
    let mut customers: BTreeMap<E164, LegId> = BTreeMap::new();
    for leg in legs {
        let (id, identity, answered) = (leg.record.leg, leg.record.identity, leg.answered);
        match leg.record.destination {
            Destination::Agent { agent, .. } => recovery.agents.push((id, agent)),
            Destination::Customer { number, .. } => {
                customers.insert(number, id);
            }
        }
        recovery.legs.insert(id);
        recovery.commands.push(CallCommand::TakeDown { leg: id, identity, answered });
    }
    for attempt in attempts {
        let settlement = settlement(&attempt);
        tracing::warn!(attempt = %attempt.attempt, result = %settlement.result, "nobody makes this attempt any more");
        let called = attempt.contact.progress.numbers.get(attempt.number).map(|number| &number.e164);
        let leg = called.and_then(|called| customers.remove(called));
        let unsettled = Unsettled { campaign: attempt.contact.campaign, settlement };
        match leg {
            Some(leg) => drop(recovery.unsettled.insert(leg, unsettled)),
            None => over.push(unsettled),
        }
    }
    (recovery, over)
}

fn settlement(left: &LeftoverAttempt) -> Settlement {
    let result = retry::result_of_leftover(left.answered_at.is_some(), left.connected_at.is_some());
    let ended = EndedAttempt {
        number: left.number,
        rule: left.rule.clone(),
        result,
        ended_at: left.last_event_at,
        local_date: left.local_date,
        next_day_at: left.next_day_at,
        caller_number: left.caller_number.clone(),
    };
    let (progress, result) = retry::settle(&left.policy, &left.contact.progress, &ended);
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
