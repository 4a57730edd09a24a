//! What the loop knows of, held against the store's rows and the gateway's legs; and what differs, put right.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::oneshot;

use super::{
    recovery,
    run::{Done, Looper, logged},
    unwritten::Thing,
};
use crate::{
    domain::{
        call::{CallCommand, CallEvent, HangUpCause},
        drift::{
            Drift,
            calls::{self, Known, LiveRows},
        },
        engine::Input,
        ids::{AttemptId, LegId},
    },
    store::{Leftovers, Milestone},
};

/// A comparison under way.
pub(super) struct Comparison {
    before: Known,
    of_legs: Option<Vec<Drift>>,
    of_rows: Option<Vec<Drift>>,
    reply: oneshot::Sender<Vec<Drift>>,
}

impl Looper {
    /// Begins to compare; one that is under way is given up.
    pub(super) fn compare(&mut self, reply: oneshot::Sender<Vec<Drift>>) {
        let before = self.known();
        self.comparison = Some(Comparison { before, of_legs: None, of_rows: None, reply });
        self.outgoing.push_back(CallCommand::Resync);
        let store = Arc::clone(&self.parts.store);
        let damaged: Vec<AttemptId> = self.damaged.keys().copied().collect();
        self.begin(async move {
            let doing = "reading what is live";
            let rows = logged(store.live_rows().await, doing);
            // Somebody may have mended them.
            let left = match damaged.is_empty() {
                true => Some(Leftovers::default()),
                false => logged(store.left_behind(&damaged, &[]).await, doing),
            };
            Done::Live(rows.zip(left))
        });
    }

    /// Everything that is under way.
    fn known(&self) -> Known {
        let mut known = self.engine.known();
        known.legs.extend(&self.taken_down);
        known.attempts.extend(self.unsettled.values().map(|unsettled| unsettled.settlement.attempt));
        // What these are available for the store is asked yet.
        known.available.retain(|agent, _| !self.unknown.contains(agent));
        self.unwritten.add_to(&mut known);
        known
    }

    /// The gateway has told its legs.
    pub(super) fn legs_stand(&mut self, legs: &[LegId]) {
        let after = self.known();
        if let Some(comparison) = &mut self.comparison {
            let listed = legs.iter().copied().collect();
            comparison.of_legs = Some(calls::of_legs(&comparison.before, &after, &listed));
        }
        self.compared();
    }

    /// The store's rows are here, or it could not read them.
    pub(super) fn rows_stand(&mut self, found: Option<(LiveRows, Leftovers)>) {
        let after = self.known();
        match (&mut self.comparison, found) {
            (Some(comparison), Some((rows, mended))) => {
                mended.attempts.iter().for_each(|one| drop(self.damaged.remove(&one.attempt)));
                let found = calls::of_rows(&comparison.before, &after, &rows);
                comparison.of_rows = Some(found.into_iter().map(|drift| as_damaged(drift, &self.damaged)).collect());
            }
            (comparison, _) => *comparison = None,
        }
        self.compared();
    }

    fn compared(&mut self) {
        let Some(whole) = self.comparison.take_if(|one| one.of_legs.is_some() && one.of_rows.is_some()) else { return };
        let found = whole.of_rows.into_iter().chain(whole.of_legs).flatten().collect();
        // Who asked may have stopped waiting.
        let _unheard = whole.reply.send(found);
    }

    /// Puts right what was found.
    pub(super) fn mend(&mut self, found: Vec<Drift>) {
        let (mut attempts, mut legs) = (Vec::new(), Vec::new());
        for drift in found {
            tracing::warn!(%drift, "put right");
            match drift {
                Drift::OrphanAttempt { attempt, .. } => attempts.push(attempt),
                Drift::OrphanLeg { leg } => legs.push(leg),
                Drift::UnknownLeg { leg } => {
                    self.outgoing.push_back(CallCommand::HangUp { leg, cause: HangUpCause::Recovered });
                }
                Drift::LostLeg { leg, .. } => {
                    let end = self.engine.end_of_lost(leg);
                    self.call(CallEvent::Ended { leg, end });
                }
                Drift::Availability { agent, .. } => {
                    let Some(availability) = self.known().available.get(&agent).copied() else { continue };
                    let (store, writing) =
                        (Arc::clone(&self.parts.store), self.unwritten.begin(Thing::Agent(agent.clone())));
                    self.begin(async move {
                        logged(store.set_availability(&agent, availability).await, "storing an agent's state");
                        drop(writing);
                        Done::Nothing
                    });
                }
                Drift::HeldAgent { agent } => self.give(Input::FreeAgent(agent)),
                // Settled with the call's end, row or not; the others are the other loop's.
                Drift::MissingAttempt { .. }
                | Drift::DamagedAttempt { .. }
                | Drift::Generation { .. }
                | Drift::Campaign { .. }
                | Drift::MissingCampaign { .. }
                | Drift::OrphanCampaign { .. }
                | Drift::File { .. }
                | Drift::KeptFile { .. }
                | Drift::Override { .. } => {}
            }
        }
        if attempts.is_empty() && legs.is_empty() {
            return;
        }
        let store = Arc::clone(&self.parts.store);
        self.begin(async move {
            let left = logged(store.left_behind(&attempts, &legs).await, "reading what was left behind");
            left.map_or(Done::Nothing, |left| Done::LeftBehind(legs, left))
        });
    }

    /// Takes down and settles what nobody has, as what an earlier life left.
    pub(super) fn take_over(&mut self, asked: Vec<LegId>, left: Leftovers) {
        // One that can't be read can't be taken down either.
        let unreadable = asked.into_iter().filter(|leg| left.legs.iter().all(|there| there.record.leg != *leg));
        unreadable.for_each(|leg| self.note(Milestone::LegEnded { leg }));
        let (recovery, over) = recovery::plan(left);
        self.damaged.extend(recovery.damaged);
        self.taken_down.extend(recovery.legs);
        self.leftover.extend(recovery.agents);
        self.unsettled.extend(recovery.unsettled);
        self.outgoing.extend(recovery.commands);
        over.into_iter().for_each(|unsettled| self.settle_leftover(unsettled));
    }
}

/// Says of an orphan that can't be read that it can't.
fn as_damaged(drift: Drift, damaged: &BTreeMap<AttemptId, String>) -> Drift {
    match drift {
        Drift::OrphanAttempt { attempt, campaign } if damaged.contains_key(&attempt) => {
            let why = damaged.get(&attempt).cloned().unwrap_or_default();
            Drift::DamagedAttempt { attempt, campaign, why }
        }
        other => other,
    }
}
