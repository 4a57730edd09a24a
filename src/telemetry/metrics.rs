//! Every metric, declared once.
//!
//! Callers speak in closed enums and durations, never in label strings, so the number of series is
//! bounded and each of them stands at 0 from the start. What status already knows (agents,
//! campaigns, live calls, the commit in force) is read from it at each scrape instead of being
//! counted twice.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

use super::{
    campaign_series, drift, exchange, exports,
    failures::FailedStep,
    outbox,
    process::{self, Add as _},
    source_series::SourceSeries,
    status::{CampaignStatus, DialStatus, ReconcileStatus},
};
use crate::domain::{
    agent::AgentState,
    campaign::DesiredState,
    overrides::{Order, Overrides},
    reason::Hold,
    results::CallResult,
};

/// What a look at the source found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// A commit that had not been seen.
    Changed,
    /// The same commit as before.
    Noop,
    /// The source could not be read.
    Error,
}

impl Fetch {
    pub(super) const ALL: [Self; 3] = [Self::Changed, Self::Noop, Self::Error];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Noop => "noop",
            Self::Error => "error",
        }
    }
}

/// What woke the loop that follows the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The file system said that the repository changed.
    Watch,
    /// A server told of a push.
    Webhook,
    /// The poll timer.
    Poll,
    /// SIGHUP, the API or the first look after the start.
    Manual,
}

impl Trigger {
    pub(super) const ALL: [Self; 4] = [Self::Watch, Self::Webhook, Self::Poll, Self::Manual];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Manual => "manual",
        }
    }
}

/// Why a commit did not come into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileFailure {
    /// The repository, the branch or an object could not be read.
    Source,
    /// The commit has problems; the last good one stays in force.
    Rejected,
    /// The commit is not signed as the settings want it.
    Unverified,
    /// The commit is good and waits for approval, or for the end of a freeze.
    Guarded,
    /// The store failed while it was applied.
    Store,
}

impl ReconcileFailure {
    pub(super) const ALL: [Self; 5] = [Self::Source, Self::Rejected, Self::Unverified, Self::Guarded, Self::Store];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Rejected => "rejected",
            Self::Unverified => "unverified",
            Self::Guarded => "guarded",
            Self::Store => "store",
        }
    }
}

/// SPEC's phases of a campaign, each a series.
pub const PHASES: [&str; 8] =
    ["not_started", "running", "paused", "draining", "completed", "expired", "invalid", RETIRED];

/// The phase of a campaign whose file is gone.
pub const RETIRED: &str = "retired";

const DESIRED: [DesiredState; 2] = [DesiredState::Running, DesiredState::Paused];

/// Values of the label `goal`.
const GOAL: [&str; 2] = ["false", "true"];

/// The target is 50 ms; over 2 s the call counts as abandoned.
const CONNECT_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
/// From one durable intent to an agent who waits half an hour for work.
const IDLE_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];
/// One fsync is 2–10 ms on ordinary disks.
const INTENT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// All metrics of a daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Held while gauges are taken from status and rendered, so two scrapes never mix.
    scrape: Mutex<()>,
    /// Whether each campaign has series of its own.
    per_campaign: bool,
    process: process::Gauges,
    exchange: exchange::Counters,
    sources: Vec<SourceSeries>,
    campaigns: IntGaugeVec,
    campaign_waiting: IntGaugeVec,
    overrides: IntGaugeVec,
    override_expiry: GaugeVec,
    agents: IntGaugeVec,
    reserved_agents: IntGauge,
    live_calls: IntGauge,
    attempts: IntCounterVec,
    business_results: IntCounterVec,
    intents_refused: IntCounterVec,
    answer_to_connect: Histogram,
    idle_to_call: Histogram,
    intent_commit: Histogram,
    store_commits: IntCounter,
    engine_errors: IntCounter,
    pub(super) drift: drift::Series,
    pub(super) outbox: outbox::Series,
    pub(super) exports: exports::Series,
    pub(super) campaign_failures: IntCounterVec,
    sip_receive_buffer: IntGauge,
}

impl Metrics {
    /// All series at 0. `started_at` is when the process started.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        Self::of(&["main"], started_at)
    }

    /// The same with the series of each of these sources.
    #[must_use]
    pub fn of(sources: &[&str], started_at: Timestamp) -> Self {
        let declare = Declare(Registry::new());
        declare.build_info();
        Self {
            process: process::Gauges::new(&declare, started_at),
            exchange: exchange::Counters::new(&declare),
            sources: sources.iter().map(|id| SourceSeries::new(&declare, id)).collect(),
            campaigns: declare.gauges(
                Opts::new("dialops_campaigns", "Campaigns by what their files ask for and what they are doing."),
                &["desired", "phase"],
            ),
            campaign_waiting: declare.gauges(
                Opts::new("dialops_campaign_waiting", "Campaigns that are held back now, by reason."),
                &["reason"],
            ),
            overrides: declare
                .gauges(Opts::new("dialops_override_active", "Overrides in force, by what they do."), &["kind"]),
            override_expiry: declare.times(
                "dialops_override_expiry_timestamp_seconds",
                "When the last of the overrides in force ends by itself; 0 if there is none.",
                "kind",
            ),
            agents: declare.gauges(Opts::new("dialops_agents", "Agents by state."), &["state"]),
            reserved_agents: declare.gauge("dialops_reserved_agents", "Agents held for an attempt."),
            live_calls: declare.gauge("dialops_live_calls", "Attempts without an outcome."),
            attempts: declare.counters(
                Opts::new("dialops_attempts_total", "Attempts that have ended, by result."),
                "result",
                CallResult::ALL.map(CallResult::as_str),
            ),
            business_results: declare.counters(
                Opts::new(
                    "dialops_business_results_total",
                    "Business results that were set, by whether they count as a goal.",
                ),
                "goal",
                GOAL,
            ),
            intents_refused: declare.counters(
                Opts::new("dialops_intents_refused_total", "Intents that the last gate refused, by reason."),
                "reason",
                Hold::CODES,
            ),
            answer_to_connect: declare.histogram(
                "dialops_answer_to_connect_seconds",
                "From the customer's answer until customer and agent hear each other.",
                CONNECT_SECONDS,
            ),
            idle_to_call: declare.histogram(
                "dialops_agent_idle_to_next_call_seconds",
                "From an agent getting idle until the INVITE of the next call is handed over.",
                IDLE_SECONDS,
            ),
            intent_commit: declare.histogram(
                "dialops_intent_commit_seconds",
                "From asking for an intent until it is durable.",
                INTENT_SECONDS,
            ),
            store_commits: declare.counter("dialops_store_commits_total", "Write transactions committed."),
            engine_errors: declare
                .counter("dialops_engine_errors_total", "Events that did not fit the state they met; each is a bug."),
            drift: drift::Series::new(&declare),
            outbox: outbox::Series::new(&declare),
            exports: exports::Series::new(&declare),
            campaign_failures: declare.counters(
                Opts::new("dialops_campaign_failures_total", "Failures of single campaigns in the store, by step."),
                "step",
                FailedStep::ALL.map(FailedStep::as_str),
            ),
            sip_receive_buffer: declare.gauge(
                "dialops_sip_receive_buffer_bytes",
                "Receive buffer that the kernel gave the SIP socket; it clamps in silence.",
            ),
            scrape: Mutex::new(()),
            per_campaign: false,
            registry: declare.0,
        }
    }

    /// The same with series of each campaign, as many as there are.
    #[must_use]
    pub fn per_campaign(self, per_campaign: bool) -> Self {
        Self { per_campaign, ..self }
    }

    /// What is counted of a source, by its place in the settings.
    pub fn source(&self, at: usize) -> &SourceSeries {
        &self.sources[at.min(self.sources.len() - 1)]
    }

    /// What webhooks and deliveries are counted by.
    pub fn exchange(&self) -> &exchange::Counters {
        &self.exchange
    }

    /// An attempt ended.
    pub fn attempt_settled(&self, result: CallResult) {
        self.attempts.with_label_values(&[result.as_str()]).inc();
    }

    /// A business result was set.
    pub fn business_result(&self, is_goal: bool) {
        self.business_results.with_label_values(&[GOAL[usize::from(is_goal)]]).inc();
    }

    /// The last gate refused an intent.
    pub fn intent_refused(&self, hold: &Hold) {
        self.intents_refused.with_label_values(&[hold.code()]).inc();
    }

    /// An intent was durable this long after it was asked for.
    pub fn intent_committed(&self, took: Duration) {
        self.intent_commit.observe(took.as_secs_f64());
    }

    /// Customer and agent heard each other this long after the customer's answer.
    pub fn answer_to_connect(&self, took: Duration) {
        self.answer_to_connect.observe(took.as_secs_f64());
    }

    /// An agent's next call was placed this long after the agent got idle.
    pub fn idle_to_call(&self, took: Duration) {
        self.idle_to_call.observe(took.as_secs_f64());
    }

    /// How many transactions the store has committed; it counts them itself.
    pub fn store_commits(&self, total: u64) {
        let _one_at_a_time = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.store_commits.inc_by(total.saturating_sub(self.store_commits.get()));
    }

    /// An event met a state that it does not fit.
    pub fn engine_error(&self) {
        self.engine_errors.inc();
    }

    /// The SIP socket's receive buffer, as read back.
    pub fn sip_receive_buffer(&self, bytes: usize) {
        self.sip_receive_buffer.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Prometheus' text format, with the gauges that status knows. Reads `/proc`.
    ///
    /// The status values are given up before anything is written, so that borrowed ones of a
    /// `watch` channel don't hold up the loop that publishes them.
    pub fn render(
        &self,
        reconcile: impl Deref<Target = ReconcileStatus>,
        dial: impl Deref<Target = DialStatus>,
    ) -> Result<Vec<u8>, prometheus::Error> {
        let _one_at_a_time = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        for (series, status) in self.sources.iter().zip(&reconcile.sources) {
            series.take(status);
        }
        drop(reconcile);
        self.take_dial(&dial);
        let of_campaigns = if self.per_campaign { campaign_series::text(&dial) } else { Ok(String::new()) };
        drop(dial);
        self.process.read();
        let mut text = Vec::with_capacity(32 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        text.extend_from_slice(of_campaigns.map_err(|error| prometheus::Error::Msg(error.to_string()))?.as_bytes());
        Ok(text)
    }

    /// Takes in the overrides in force at `now`.
    pub fn overridden(&self, overrides: &Overrides, now: Timestamp) {
        for kind in Order::KINDS {
            let of_kind = || overrides.in_force(now).filter(|one| one.order.kind() == kind);
            self.overrides.with_label_values(&[kind]).set(i64::try_from(of_kind().count()).unwrap_or(i64::MAX));
            let ends = of_kind().map(|one| one.until).max();
            self.override_expiry.with_label_values(&[kind]).set(ends.map_or(0.0, seconds));
        }
    }

    fn take_dial(&self, dial: &DialStatus) {
        self.live_calls.set(i64::from(dial.live_calls));
        self.reserved_agents.set(i64::from(dial.reserved_agents));
        let by_state = count(dial.agents.iter().map(|agent| agent.state.as_str()));
        for state in AgentState::ALL.map(AgentState::as_str) {
            self.agents.with_label_values(&[state]).set(by_state.get(state).copied().unwrap_or(0));
        }
        // Most campaigns are as their neighbours are: what is the same in a row is looked up once.
        let alike = dial.campaigns.chunk_by(|a, b| a.desired == b.desired && a.phase == b.phase);
        let by_phase = sum(alike.map(|all| ((all[0].desired.as_str(), all[0].phase.as_str()), all.len())));
        for desired in DESIRED.map(DesiredState::as_str) {
            for phase in PHASES {
                let campaigns = by_phase.get(&(desired, phase)).copied().unwrap_or(0);
                self.campaigns.with_label_values(&[desired, phase]).set(campaigns);
            }
        }
        let alike = dial.campaigns.chunk_by(|a, b| reason(a) == reason(b));
        let by_hold = sum(alike.filter_map(|all| Some((reason(&all[0])?, all.len()))));
        for reason in Hold::CODES {
            self.campaign_waiting.with_label_values(&[reason]).set(by_hold.get(reason).copied().unwrap_or(0));
        }
    }
}

fn reason(campaign: &CampaignStatus) -> Option<&str> {
    campaign.waiting.as_ref().map(|waiting| waiting.reason.as_str())
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, i64> {
    sum(keys.map(|key| (key, 1)))
}

fn sum<K: Ord>(counted: impl Iterator<Item = (K, usize)>) -> BTreeMap<K, i64> {
    let mut sums = BTreeMap::new();
    for (key, counted) in counted {
        *sums.entry(key).or_default() += i64::try_from(counted).unwrap_or(i64::MAX);
    }
    sums
}

pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

pub(super) fn parsed_seconds(text: &str) -> f64 {
    text.parse().map_or(0.0, seconds)
}

/// Makes series and registers them.
pub(super) struct Declare(Registry);

impl process::Add for Declare {
    fn add<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C {
        const DISTINCT: &str = "names and labels are constants, valid and distinct: a test makes them all";
        let collector = collector.expect(DISTINCT);
        self.0.register(Box::new(collector.clone())).expect(DISTINCT);
        collector
    }
}

impl Declare {
    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    pub(super) fn counters<const N: usize>(&self, opts: Opts, label: &str, values: [&str; N]) -> IntCounterVec {
        let counters = self.add(IntCounterVec::new(opts, &[label]));
        for value in values {
            counters.with_label_values(&[value]).inc_by(0);
        }
        counters
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    /// Instants that every scrape sets, by one label.
    pub(super) fn times(&self, name: &str, help: &str, label: &str) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), &[label]))
    }

    /// Gauges that every scrape sets, each label combination of them.
    pub(super) fn gauges(&self, opts: Opts, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts, labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.histogram_opts(HistogramOpts::new(name, help), buckets)
    }

    pub(super) fn histogram_opts(&self, opts: HistogramOpts, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(opts.buckets(buckets.to_vec())))
    }

    pub(super) fn histograms(&self, opts: Opts, label: &str, values: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::from(opts).buckets(buckets.to_vec());
        let histograms = self.add(HistogramVec::new(opts, &[label]));
        for value in values {
            histograms.with_label_values(&[value]);
        }
        histograms
    }

    fn build_info(&self) {
        let opts = Opts::new("dialops_build_info", "1, labelled with what is running.");
        let info = self.add(GaugeVec::new(opts, &["version", "revision"]));
        let revision = option_env!("DIALOPS_REVISION").unwrap_or("unknown");
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::status::{AgentStatus, Condition, Problem, SourceStatus, Waiting};

    fn rendered(metrics: &Metrics, source: &SourceStatus, dial: &DialStatus) -> String {
        let status = ReconcileStatus { sources: vec![source.clone()], ..ReconcileStatus::default() };
        String::from_utf8(metrics.render(&status, dial).unwrap()).unwrap()
    }

    #[test]
    fn every_series_stands_at_zero_from_the_start() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let text = rendered(&metrics, &SourceStatus::default(), &DialStatus::default());
        for expected in [
            "dialops_attempts_total{result=\"carrier_congestion\"} 0",
            "dialops_campaign_waiting{reason=\"window_closed\"} 0",
            "dialops_campaigns{desired=\"paused\",phase=\"draining\"} 0",
            "dialops_agents{state=\"wrap_up\"} 0",
            "dialops_source_fetches_total{result=\"noop\",source=\"main\"} 0",
            "dialops_reconcile_errors_total{reason=\"rejected\",source=\"main\"} 0",
            "dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"poll\"} 0",
            "dialops_answer_to_connect_seconds_count 0",
            "dialops_live_calls 0",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing");
        }
    }

    #[test]
    fn status_becomes_gauges() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let waiting = Waiting { reason: "paused".into(), message: String::new(), until: None };
        let campaign = CampaignStatus {
            desired: "paused".into(),
            phase: "draining".into(),
            waiting: Some(waiting),
            ..CampaignStatus::default()
        };
        let talking = AgentStatus { state: "talking".into(), ..AgentStatus::default() };
        let dial = DialStatus {
            campaigns: vec![campaign.clone(), campaign],
            agents: vec![talking],
            live_calls: 3,
            ..DialStatus::default()
        };
        let text = rendered(&metrics, &SourceStatus::default(), &dial);
        assert!(text.contains("dialops_campaigns{desired=\"paused\",phase=\"draining\"} 2"));
        assert!(text.contains("dialops_campaign_waiting{reason=\"paused\"} 2"));
        assert!(text.contains("dialops_agents{state=\"talking\"} 1"));
        assert!(text.contains("dialops_live_calls 3"));
        let later = rendered(&metrics, &SourceStatus::default(), &DialStatus::default());
        assert!(later.contains("dialops_campaigns{desired=\"paused\",phase=\"draining\"} 0"));
    }

    #[test]
    fn a_new_revision_replaces_the_old_series() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let problem = Problem {
            file: "a.toml".into(),
            line: 1,
            column: 1,
            code: String::new(),
            message: String::new(),
            suggestion: None,
        };
        let mut source = SourceStatus {
            observed_revision: Some("main@sha1:aaaa".into()),
            applied_at: Some("2031-03-01T10:00:00Z".into()),
            problems: vec![problem.clone(), problem],
            ..SourceStatus::default()
        };
        let first = rendered(&metrics, &source, &DialStatus::default());
        assert!(first.contains("revision=\"main@sha1:aaaa\",role=\"observed\",source=\"main\"} 1"));
        assert!(first.contains("dialops_config_invalid_files{source=\"main\"} 1"));
        assert!(first.contains("dialops_config_last_apply_successful{source=\"main\"} 0"));
        assert!(first.contains("success_timestamp_seconds{source=\"main\"} 1930125600"));
        source.observed_revision = Some("main@sha1:bbbb".into());
        source.conditions = vec![Condition {
            r#type: "Ready".into(),
            status: "True".into(),
            reason: String::new(),
            message: String::new(),
            last_transition_time: String::new(),
        }];
        let second = rendered(&metrics, &source, &DialStatus::default());
        assert!(!second.contains("aaaa") && second.contains("bbbb"));
        assert!(second.contains("dialops_config_last_apply_successful{source=\"main\"} 1"));
    }

    #[test]
    fn events_are_counted() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        metrics.attempt_settled(CallResult::Busy);
        metrics.intent_refused(&Hold::Paused);
        metrics.store_commits(7);
        metrics.store_commits(7);
        metrics.source(0).reconciled(Err(ReconcileFailure::Rejected), Duration::from_millis(3));
        metrics.source(0).fetched(Fetch::Error, Duration::from_millis(3), Timestamp::UNIX_EPOCH);
        metrics.answer_to_connect(Duration::from_millis(12));
        let text = rendered(&metrics, &SourceStatus::default(), &DialStatus::default());
        for expected in [
            "dialops_attempts_total{result=\"busy\"} 1",
            "dialops_intents_refused_total{reason=\"paused\"} 1",
            "dialops_store_commits_total 7",
            "dialops_reconcile_total{result=\"error\",source=\"main\"} 1",
            "dialops_reconcile_errors_total{reason=\"rejected\",source=\"main\"} 1",
            "dialops_source_fetches_total{result=\"error\",source=\"main\"} 1",
            "dialops_answer_to_connect_seconds_bucket{le=\"0.025\"} 1",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing");
        }
    }
}
