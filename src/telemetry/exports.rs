//! The series of exports.

use std::collections::BTreeMap;

use prometheus::{IntGaugeVec, Opts};

use super::metrics::{Declare, Metrics};
use crate::domain::export::ExportState;

/// How many there are, by state.
#[derive(Debug)]
pub(super) struct Series(IntGaugeVec);

impl Series {
    pub(super) fn new(declare: &Declare) -> Self {
        let series =
            Self(declare.gauges(Opts::new("dialops_exports", "Exports that are known, by state."), &["state"]));
        series.set(&BTreeMap::new());
        series
    }

    fn set(&self, counts: &BTreeMap<ExportState, u64>) {
        for state in ExportState::ALL {
            let count = counts.get(&state).copied().unwrap_or(0);
            self.0.with_label_values(&[state.as_str()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

impl Metrics {
    /// So many exports are in each state.
    pub fn exports(&self, counts: &BTreeMap<ExportState, u64>) {
        self.exports.set(counts);
    }
}
