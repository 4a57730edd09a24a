//! What was handed to the store and may not be written yet: rows that differ by it are in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{
    drift::calls::Known,
    ids::{AgentId, AttemptId, LegId},
};

/// What a write is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// The end or the withdrawal of an attempt.
    Attempt(AttemptId),
    /// A leg, or its end.
    Leg(LegId),
    /// What an agent asks for.
    Agent(AgentId),
}

/// Everything that is being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Unwritten(Arc<Mutex<Vec<Thing>>>);

/// A write under way; dropped, it is over.
#[derive(Debug)]
pub(super) struct Writing {
    all: Unwritten,
    thing: Thing,
}

impl Unwritten {
    /// A write begins.
    pub(super) fn begin(&self, thing: Thing) -> Writing {
        self.all().push(thing.clone());
        Writing { all: self.clone(), thing }
    }

    /// Adds it to what is known.
    pub(super) fn add_to(&self, known: &mut Known) {
        for thing in self.all().iter() {
            match thing {
                Thing::Attempt(attempt) => known.attempts.extend([*attempt]),
                Thing::Leg(leg) => known.legs.extend([*leg]),
                Thing::Agent(agent) => known.available.retain(|other, _| other != agent),
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut all = self.all.all();
        if let Some(place) = all.iter().position(|thing| *thing == self.thing) {
            all.swap_remove(place);
        }
    }
}
