//! What asks for a look at the branch, gathered into one.
//!
//! Watch, webhook, poll, signal and command only wake the one loop; none says what changed, and many at once
//! are one look.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

/// How long a file system event waits for its companions: a commit writes several files, one commit
/// is to be one look.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// What asked for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The daemon started.
    Start,
    /// The file system told of a changed ref.
    Watch,
    /// A server told of a push.
    Webhook,
    /// A command.
    Manual,
    /// SIGHUP.
    Signal,
    /// The poll timer.
    Poll,
    /// What failed last time is tried again.
    Retry,
}

impl Trigger {
    /// Every trigger; when several asked at once, the first of them here is named.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Watch, Self::Webhook, Self::Manual, Self::Signal, Self::Poll, Self::Retry];

    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Watch => "watch",
            Self::Webhook => "webhook",
            Self::Manual => "manual",
            Self::Signal => "signal",
            Self::Poll => "poll",
            Self::Retry => "retry",
        }
    }

    /// Whether a person asked, so that what was refused is looked at again.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        matches!(self, Self::Manual | Self::Signal)
    }

    fn bit(self) -> u8 {
        match self {
            Self::Start => 1,
            Self::Watch => 1 << 1,
            Self::Manual => 1 << 2,
            Self::Signal => 1 << 3,
            Self::Poll => 1 << 4,
            Self::Retry => 1 << 5,
            Self::Webhook => 1 << 6,
        }
    }
}

/// The triggers since the last look; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triggers(u8);

impl Triggers {
    /// Whether it was among them.
    #[must_use]
    pub fn has(self, trigger: Trigger) -> bool {
        self.0 & trigger.bit() != 0
    }

    /// The one that is named, by the order of [`Trigger::ALL`].
    #[must_use]
    pub fn first(self) -> Trigger {
        Trigger::ALL.into_iter().find(|t| self.has(*t)).unwrap_or(Trigger::Poll)
    }
}

/// Wakes the loop; waking it ten times is waking it once.
#[derive(Debug, Default)]
pub struct Wake {
    asked: AtomicU8,
    notify: Notify,
}

impl Wake {
    /// Asks for a look.
    pub fn wake(&self, trigger: Trigger) {
        self.asked.fetch_or(trigger.bit(), Ordering::AcqRel);
        self.notify.notify_one();
    }

    /// Waits until somebody asks. Nothing is lost if the returned future is dropped.
    pub async fn next(&self) -> Triggers {
        loop {
            let asked = Triggers(self.asked.load(Ordering::Acquire));
            if asked.has(Trigger::Watch) {
                tokio::time::sleep(DEBOUNCE).await;
            }
            let asked = self.asked.swap(0, Ordering::AcqRel);
            if asked != 0 {
                return Triggers(asked);
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_wakes_are_one_look() {
        let wake = Wake::default();
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            wake.wake(Trigger::Watch);
        }
        wake.wake(Trigger::Poll);
        let triggers = wake.next().await;
        assert!(triggers.has(Trigger::Watch) && triggers.has(Trigger::Poll) && !triggers.has(Trigger::Manual));
        assert_eq!(triggers.first(), Trigger::Watch);
        assert!(start.elapsed() >= DEBOUNCE);
        let idle = tokio::time::timeout(2 * DEBOUNCE, wake.next()).await;
        assert!(idle.is_err(), "nobody asked again");
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let wake = Wake::default();
        wake.wake(Trigger::Watch);
        let dropped = tokio::time::timeout(DEBOUNCE / 5, wake.next()).await;
        assert!(dropped.is_err(), "still waiting for companions");
        assert!(wake.next().await.has(Trigger::Watch));
    }
}
