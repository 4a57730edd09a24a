//! The series of what waits in the outbox.

use prometheus::{GaugeVec, IntGaugeVec, Opts};

use super::metrics::{Declare, Metrics};

/// How much waits, by way.
#[derive(Debug)]
pub(super) struct Series {
    waiting: IntGaugeVec,
    oldest: GaugeVec,
}

/// Ways that something goes out by.
const CHANNELS: [&str; 2] = ["callback", "sms"];

/// How much waits by one way.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// What is to be sent.
    pub pending: u64,
    /// What a person has to decide.
    pub parked: u64,
    /// For how long the oldest of what is to be sent has waited, in seconds.
    pub oldest: f64,
}

impl Series {
    pub(super) fn new(declare: &Declare) -> Self {
        let waiting =
            Opts::new("dialops_outbox_messages", "Callbacks and text messages that are not over, by how they stand.");
        let series = Self {
            waiting: declare.gauges(waiting, &["channel", "state"]),
            oldest: declare.times(
                "dialops_outbox_oldest_seconds",
                "How long the oldest of those to be sent has waited.",
                "channel",
            ),
        };
        let nothing = Waiting { pending: 0, parked: 0, oldest: 0.0 };
        CHANNELS.iter().for_each(|channel| series.set(channel, nothing));
        series
    }

    fn set(&self, channel: &str, waiting: Waiting) {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.with_label_values(&[channel, "pending"]).set(whole(waiting.pending));
        self.waiting.with_label_values(&[channel, "parked"]).set(whole(waiting.parked));
        self.oldest.with_label_values(&[channel]).set(waiting.oldest);
    }
}

impl Metrics {
    /// So much waits by one way.
    pub fn outbox(&self, channel: &'static str, waiting: Waiting) {
        self.outbox.set(channel, waiting);
    }
}
