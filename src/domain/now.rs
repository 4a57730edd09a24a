//! The instant at which a decision is taken.

use std::time::Duration;

use jiff::Timestamp;

/// Wall and monotonic time, read together by `clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall time: hours, retries, dates.
    pub wall: Timestamp,
    /// Monotonic time since the daemon started: pacing and deadlines.
    pub mono: Duration,
}
