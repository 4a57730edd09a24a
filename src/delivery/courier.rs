//! Brings messages to one receiver: at its pace, counted, and with one line in the log for each new trouble.

use std::{
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    post::{Again, Message, Post, Unsent, origin},
    reach::Reach,
};
use crate::telemetry::{
    exchange::{DeliveryKind, DeliveryResult},
    metrics::Metrics,
};

/// First wait after something was not taken; doubles up to [`AGAIN_MAX`], and is cut short by chance.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// Longest wait.
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// Where a courier goes, and how long it waits there.
pub(super) struct Receiver {
    /// For the log.
    pub(super) name: String,
    /// What it is counted as.
    pub(super) kind: DeliveryKind,
    /// Its address.
    pub(super) url: String,
    /// Certificates in place of the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// Longest time for one message.
    pub(super) timeout: Duration,
}

/// Brings messages to one receiver.
pub(super) struct Courier {
    receiver: Receiver,
    metrics: Arc<Metrics>,
    post: Option<Post>,
    failures: u32,
    told: Option<String>,
    /// Other daemons must come to other waits.
    seed: RandomState,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It was taken, or never will be: it is over either way.
    Done,
    /// It is worth another try after this time, if it still says how things stand.
    Again(Duration),
}

impl Courier {
    pub(super) fn new(receiver: Receiver, metrics: Arc<Metrics>) -> Self {
        Self { receiver, metrics, post: None, failures: 0, told: None, seed: RandomState::new() }
    }

    /// Brings a message, or says why there is none.
    pub(super) async fn bring(&mut self, message: Result<Message, Unsent>) -> Delivered {
        let sent = match message {
            Ok(message) => self.send(&message).await,
            Err(unsent) => Err(unsent),
        };
        let result = match &sent {
            Ok(()) => DeliveryResult::Sent,
            Err(Unsent { again: Some(_), .. }) => DeliveryResult::Failed,
            Err(Unsent { again: None, .. }) => DeliveryResult::Dropped,
        };
        self.metrics.exchange().delivered(self.receiver.kind, result);
        match sent {
            Ok(()) => {
                if self.told.take().is_some() {
                    tracing::info!(receiver = self.receiver.name, "it takes what it is told again");
                }
                self.failures = 0;
                Delivered::Done
            }
            Err(Unsent { why, again }) => self.not_taken(why, again),
        }
    }

    async fn send(&mut self, message: &Message) -> Result<(), Unsent> {
        if self.post.is_none() {
            let Receiver { url, ca_file, timeout, .. } = &self.receiver;
            let (url, ca_file, timeout) = (url.clone(), ca_file.clone(), *timeout);
            let made =
                tokio::task::spawn_blocking(move || Post::new(&url, ca_file.as_deref(), timeout, Reach::Anywhere))
                    .await;
            self.post = Some(made.map_err(Unsent::passing)??);
        }
        let Some(post) = &self.post else { return Err(Unsent::passing("no client")) };
        let sent = post.send(message).await;
        if sent.is_err() {
            // Certificates may have been changed.
            self.post = None;
        }
        sent
    }

    fn not_taken(&mut self, why: String, again: Option<Again>) -> Delivered {
        let fate = if again.is_some() { "it is tried again" } else { "it is not tried again" };
        if self.told.as_ref() != Some(&why) {
            let (receiver, to) = (&self.receiver.name, origin(&self.receiver.url));
            tracing::warn!(receiver, to, "what it should be told was not taken: {why}; {fate}");
            self.told = Some(why);
        }
        let Some(again) = again else { return Delivered::Done };
        self.failures = self.failures.saturating_add(1);
        let wait = wait(self.failures, self.seed.hash_one(self.failures));
        Delivered::Again(match again {
            Again::Soon => wait,
            Again::After(least) => least.max(wait),
        })
    }
}

/// Twice as long after each failure, and by chance up to half of that less.
fn wait(failures: u32, chance: u64) -> Duration {
    let whole = AGAIN_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(AGAIN_MAX);
    let part = f64::from(u32::try_from(chance >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    whole.mul_f64(1.0 - part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_differ() {
        let whole: Vec<u64> = (1..=8).map(|failures| wait(failures, 0).as_secs()).collect();
        assert_eq!(whole, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait(1_000, 0), AGAIN_MAX);
        assert_eq!(wait(1, u64::MAX), AGAIN_MIN / 2);
    }
}
