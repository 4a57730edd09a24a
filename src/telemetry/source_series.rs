//! The series of each source: looks at its branch, its commits, and what became of them.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use prometheus::{Gauge, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::{
    metrics::{Declare, Fetch, ReconcileFailure, Trigger, parsed_seconds, seconds},
    process::Add as _,
    status::SourceStatus,
};

/// From a system call to the longest fetch that is let run.
const FETCH_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// 5 ms to 60 s, as controller-runtime has it.
const RECONCILE_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// The target is 1 s by watch and a poll interval without one.
const COMMIT_TO_APPLIED_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
const RECONCILE_RESULTS: [&str; 2] = ["success", "error"];

/// The series of one source, its commits and the loop that applies them.
#[derive(Debug)]
pub struct SourceSeries {
    last_fetch_successful: IntGauge,
    last_fetch_success: Gauge,
    fetches: IntCounterVec,
    fetch_seconds: Histogram,
    revision: IntGaugeVec,
    commit_time: Gauge,
    applied_commit_time: Gauge,
    last_apply_successful: IntGauge,
    prune_blocked: IntGauge,
    unverified: IntGauge,
    last_apply_success: Gauge,
    files: IntGauge,
    invalid_files: IntGauge,
    reconcile_seconds: HistogramVec,
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    commit_to_applied: HistogramVec,
}

impl SourceSeries {
    pub(super) fn new(declare: &Declare, id: &str) -> Self {
        Self {
            last_fetch_successful: declare.source_gauge(
                id,
                "dialops_source_last_fetch_successful",
                "Whether the newest look at the source succeeded.",
            ),
            last_fetch_success: declare.source_time(
                id,
                "dialops_source_last_fetch_success_timestamp_seconds",
                "When a look at the source last succeeded.",
            ),
            fetches: declare.counters(
                of_source(id, "dialops_source_fetches_total", "Looks at the source, by what they found."),
                "result",
                Fetch::ALL.map(Fetch::as_str),
            ),
            fetch_seconds: declare.histogram_opts(
                HistogramOpts::from(of_source(id, "dialops_source_fetch_duration_seconds", "How long a look took.")),
                FETCH_SECONDS,
            ),
            revision: declare.gauges(
                of_source(id, "dialops_source_revision_info", "1 for the commits observed, attempted and applied."),
                &["revision", "role"],
            ),
            commit_time: declare.source_time(
                id,
                "dialops_source_commit_timestamp_seconds",
                "When the newest commit seen was made.",
            ),
            applied_commit_time: declare.source_time(
                id,
                "dialops_source_applied_commit_timestamp_seconds",
                "When the commit in force was made.",
            ),
            last_apply_successful: declare.source_gauge(
                id,
                "dialops_config_last_apply_successful",
                "Whether the newest commit is in force.",
            ),
            prune_blocked: declare.source_gauge(
                id,
                "dialops_prune_blocked",
                "Whether the newest commit waits since it takes away campaigns.",
            ),
            unverified: declare.source_gauge(
                id,
                "dialops_source_unverified",
                "Whether the newest commit is kept out since its signature is not good.",
            ),
            last_apply_success: declare.source_time(
                id,
                "dialops_config_last_apply_success_timestamp_seconds",
                "When the commit in force was applied.",
            ),
            files: declare.source_gauge(id, "dialops_config_files", "Files of the newest commit that was read."),
            invalid_files: declare.source_gauge(id, "dialops_config_invalid_files", "Those of them with a problem."),
            reconcile_seconds: declare.histograms(
                of_source(id, "dialops_reconcile_duration_seconds", "From a new commit read to in force or refused."),
                "result",
                &RECONCILE_RESULTS,
                RECONCILE_SECONDS,
            ),
            reconciles: declare.counters(
                of_source(id, "dialops_reconcile_total", "New commits handled, by result."),
                "result",
                RECONCILE_RESULTS,
            ),
            reconcile_errors: declare.counters(
                of_source(id, "dialops_reconcile_errors_total", "Commits that did not come into force, by reason."),
                "reason",
                ReconcileFailure::ALL.map(ReconcileFailure::as_str),
            ),
            commit_to_applied: declare.histograms(
                of_source(id, "dialops_commit_to_applied_seconds", "From commit time to in force, by what noticed it."),
                "trigger",
                &Trigger::ALL.map(Trigger::as_str),
                COMMIT_TO_APPLIED_SECONDS,
            ),
        }
    }

    /// A look at the source is over.
    pub fn fetched(&self, found: Fetch, took: Duration, at: Timestamp) {
        self.fetches.with_label_values(&[found.as_str()]).inc();
        self.fetch_seconds.observe(took.as_secs_f64());
        self.last_fetch_successful.set(i64::from(found != Fetch::Error));
        if found != Fetch::Error {
            self.last_fetch_success.set(seconds(at));
        }
    }

    /// The newest commit seen was made at `committed_at`.
    pub fn observed(&self, committed_at: Timestamp) {
        self.commit_time.set(seconds(committed_at));
    }

    /// A commit was put in force, or not.
    pub fn reconciled(&self, outcome: Result<(), ReconcileFailure>, took: Duration) {
        let result = RECONCILE_RESULTS[usize::from(outcome.is_err())];
        self.reconciles.with_label_values(&[result]).inc();
        self.reconcile_seconds.with_label_values(&[result]).observe(took.as_secs_f64());
        if let Err(failure) = outcome {
            self.reconcile_errors.with_label_values(&[failure.as_str()]).inc();
        }
    }

    /// A commit came into force this long after it was made.
    pub fn commit_applied(&self, trigger: Trigger, after_commit: Duration) {
        self.commit_to_applied.with_label_values(&[trigger.as_str()]).observe(after_commit.as_secs_f64());
    }

    pub(super) fn take(&self, status: &SourceStatus) {
        self.revision.reset();
        let roles = [
            (&status.observed_revision, "observed"),
            (&status.last_attempted_revision, "attempted"),
            (&status.last_applied_revision, "applied"),
        ];
        for (revision, role) in roles {
            if let Some(revision) = revision {
                self.revision.with_label_values(&[revision.as_str(), role]).set(1);
            }
        }
        self.applied_commit_time.set(status.applied_commit.as_ref().map_or(0.0, |commit| parsed_seconds(&commit.time)));
        self.last_apply_success.set(status.applied_at.as_deref().map_or(0.0, parsed_seconds));
        let ready = status.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True");
        self.last_apply_successful.set(i64::from(ready));
        let blocked = status.conditions.iter().any(|c| c.r#type == "PruneBlocked" && c.status == "True");
        self.prune_blocked.set(i64::from(blocked));
        let unverified = status.conditions.iter().any(|c| c.r#type == "SourceVerified" && c.status == "False");
        self.unverified.set(i64::from(unverified));
        self.files.set(i64::try_from(status.files).unwrap_or(i64::MAX));
        let invalid: BTreeSet<&str> = status.problems.iter().map(|problem| problem.file.as_str()).collect();
        self.invalid_files.set(i64::try_from(invalid.len()).unwrap_or(i64::MAX));
    }
}

/// Every series of a source says which, so that a second one changes no query.
fn of_source(source: &str, name: &str, help: &str) -> Opts {
    Opts::new(name, help).const_label("source", source)
}

impl Declare {
    fn source_gauge(&self, source: &str, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(of_source(source, name, help)))
    }

    fn source_time(&self, source: &str, name: &str, help: &str) -> Gauge {
        self.add(Gauge::with_opts(of_source(source, name, help)))
    }
}
