//! The series of what drifts.

use prometheus::{IntCounterVec, IntGaugeVec, Opts};

use super::metrics::{Declare, Metrics};
use crate::domain::drift::{Drift, Kind};

/// Differences found, put right, and there.
#[derive(Debug)]
pub(super) struct Series {
    detected: IntCounterVec,
    corrected: IntCounterVec,
    standing: IntGaugeVec,
}

impl Series {
    pub(super) fn new(declare: &Declare) -> Self {
        let kinds = Kind::ALL.map(Kind::as_str);
        let standing = Opts::new("dialops_drifted", "Differences from the commit in force that stand, by kind.");
        let standing = declare.gauges(standing, &["kind"]);
        kinds.iter().for_each(|kind| standing.with_label_values(&[kind]).set(0));
        let detected =
            Opts::new("dialops_drift_detected_total", "Differences from the commit in force that were found.");
        let corrected = Opts::new("dialops_drift_corrected_total", "Those of them that were put right.");
        Self {
            detected: declare.counters(detected, "kind", kinds),
            corrected: declare.counters(corrected, "kind", kinds),
            standing,
        }
    }
}

impl Metrics {
    /// A difference was found that was not there before.
    pub fn drift_detected(&self, kind: Kind) {
        self.drift.detected.with_label_values(&[kind.as_str()]).inc();
    }

    /// A difference was put right.
    pub fn drift_corrected(&self, kind: Kind) {
        self.drift.corrected.with_label_values(&[kind.as_str()]).inc();
    }

    /// These differences stand.
    pub fn drifted(&self, standing: &[&Drift]) {
        for kind in Kind::ALL {
            let of_kind = standing.iter().filter(|drift| drift.kind() == kind).count();
            self.drift.standing.with_label_values(&[kind.as_str()]).set(i64::try_from(of_kind).unwrap_or(i64::MAX));
        }
    }
}
