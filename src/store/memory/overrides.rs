//! Overrides, the past ones too.

use std::sync::Arc;

use jiff::Timestamp;

use super::State;
use crate::{
    domain::overrides::{NewOverride, Override, OverrideId, Overrides},
    store::{OverrideEnd, OverrideRecord},
};

impl State {
    /// Stores one; it holds from now on.
    pub(super) fn add_override(&mut self, new: NewOverride, now: Timestamp) -> Arc<Override> {
        let NewOverride { order, reason, by, until } = new;
        let id = self.overrides.last().map_or(1, |last| last.made.id.0 + 1);
        let made = Arc::new(Override { id: OverrideId(id), order, reason, by, since: now, until });
        self.overrides.push(OverrideRecord { made: Arc::clone(&made), ended: None });
        made
    }

    /// Ends one before its time; whether it was in force.
    pub(super) fn end_override(&mut self, id: OverrideId, by: &str, now: Timestamp) -> bool {
        let open = |record: &&mut OverrideRecord| record.ended.is_none() && record.made.holds(now);
        let found = self.overrides.iter_mut().filter(open).find(|record| record.made.id == id);
        found.map(|record| record.ended = Some(OverrideEnd { at: now, by: by.to_owned() })).is_some()
    }

    /// Those that were not ended by hand.
    pub(super) fn open_overrides(&self) -> Overrides {
        let open = self.overrides.iter().filter(|record| record.ended.is_none());
        Overrides::new(open.map(|record| Arc::clone(&record.made)).collect())
    }
}
