//! The only reader of clocks.
//!
//! Everything else takes time as an argument. Wall time decides hours and retries, monotonic time
//! decides pacing, so a clock step can't burst calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use crate::domain::now::Now;

/// A source of [`Now`]: the system's clocks, or one that a test turns by hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { started: std::time::Instant },
    Manual(Arc<Hand>),
}

#[derive(Debug)]
struct Hand {
    wall_micros: AtomicI64,
    mono_micros: AtomicU64,
}

impl Clock {
    /// The system's clocks; monotonic time counts from this call.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    pub fn system() -> Self {
        Self(Source::System { started: std::time::Instant::now() })
    }

    /// A clock that stands still until [`Clock::advance`] turns it.
    #[must_use]
    pub fn manual(wall: Timestamp) -> Self {
        let hand = Hand { wall_micros: AtomicI64::new(wall.as_microsecond()), mono_micros: AtomicU64::new(0) };
        Self(Source::Manual(Arc::new(hand)))
    }

    /// Both times, read together.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    pub fn now(&self) -> Now {
        match &self.0 {
            // To the microsecond, as the stores keep times.
            Source::System { started } => Now {
                wall: Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or(Timestamp::MAX),
                mono: started.elapsed(),
            },
            Source::Manual(hand) => Now {
                wall: Timestamp::from_microsecond(hand.wall_micros.load(Ordering::Acquire)).unwrap_or(Timestamp::MAX),
                mono: Duration::from_micros(hand.mono_micros.load(Ordering::Acquire)),
            },
        }
    }

    /// Turns a manual clock forward; nothing for the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(hand) = &self.0 {
            let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            hand.wall_micros.fetch_add(micros, Ordering::AcqRel);
            hand.mono_micros.fetch_add(micros.unsigned_abs(), Ordering::AcqRel);
        }
    }
}
