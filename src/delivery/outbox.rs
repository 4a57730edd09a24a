//! What became of the last commits: the newest state of each, until it has been told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    domain::ids::Revision,
    telemetry::{
        exchange::{DeliveryKind, DeliveryResult},
        metrics::Metrics,
    },
};

/// Commits whose state is kept; when a server is gone for longer than that, the oldest are not told.
const COMMITS_MAX: usize = 64;

/// What became of a commit, and a sentence that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was seen, or it is good and waits.
    Pending(String),
    /// It came into force.
    InForce(String),
    /// It is not good.
    Refused(String),
    /// It could not be read or stored, and is tried again.
    Failed(String),
    /// It made way for a newer one before it came into force.
    Superseded(String),
}

/// The newest state of the last commits; leaving one here never waits.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Nothing where nobody is told.
    metrics: Option<Arc<Metrics>>,
    commits: Mutex<VecDeque<Commit>>,
    changed: Notify,
}

#[derive(Debug)]
struct Commit {
    revision: Revision,
    outcome: Outcome,
    told: Option<Outcome>,
}

impl Commit {
    fn is_told(&self) -> bool {
        self.told.as_ref() == Some(&self.outcome)
    }
}

impl Outbox {
    /// One that is emptied by the task which writes commit statuses. The default one keeps nothing.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..Self::default() }
    }

    /// Leaves what became of a commit. Another one that was still waited for has made way for it.
    pub fn leave(&self, revision: &Revision, outcome: Outcome) {
        let Some(metrics) = &self.metrics else { return };
        let mut commits = self.commits();
        if let Some(known) = commits.iter_mut().find(|commit| commit.revision == *revision) {
            known.outcome = outcome;
        } else {
            for commit in commits.iter_mut().filter(|commit| matches!(commit.outcome, Outcome::Pending(_))) {
                commit.outcome = Outcome::Superseded(format!("made way for commit {}", revision.short()));
            }
            commits.push_back(Commit { revision: revision.clone(), outcome, told: None });
        }
        while commits.len() > COMMITS_MAX {
            let told = commits.iter().position(Commit::is_told);
            if commits.remove(told.unwrap_or(0)).is_some_and(|commit| !commit.is_told()) {
                metrics.exchange().delivered(DeliveryKind::CommitStatus, DeliveryResult::Dropped);
            }
        }
        drop(commits);
        self.changed.notify_one();
    }

    /// The oldest commit whose newest state was not told.
    pub(super) fn next(&self) -> Option<(Revision, Outcome)> {
        let commits = self.commits();
        let commit = commits.iter().find(|commit| !commit.is_told())?;
        Some((commit.revision.clone(), commit.outcome.clone()))
    }

    /// A state was told, or never will be.
    pub(super) fn told(&self, revision: &Revision, outcome: Outcome) {
        if let Some(commit) = self.commits().iter_mut().find(|commit| commit.revision == *revision) {
            commit.told = Some(outcome);
        }
    }

    /// Waits until something was left.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn commits(&self) -> std::sync::MutexGuard<'_, VecDeque<Commit>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Arc::new(Metrics::new(Timestamp::UNIX_EPOCH)))
    }

    fn revision(number: usize) -> Revision {
        Revision::parse(&format!("{number:040x}")).unwrap()
    }

    fn pending() -> Outcome {
        Outcome::Pending(String::new())
    }

    fn in_force() -> Outcome {
        Outcome::InForce(String::new())
    }

    #[test]
    fn the_newest_state_of_a_commit_wins() {
        let outbox = outbox();
        outbox.leave(&revision(1), pending());
        outbox.leave(&revision(1), in_force());
        assert_eq!(outbox.next(), Some((revision(1), in_force())));
        outbox.told(&revision(1), in_force());
        assert_eq!(outbox.next(), None);
        outbox.leave(&revision(1), in_force());
        assert_eq!(outbox.next(), None, "it is known");
        // What was being told is not what holds by now.
        outbox.leave(&revision(2), pending());
        outbox.leave(&revision(2), in_force());
        outbox.told(&revision(2), pending());
        assert_eq!(outbox.next(), Some((revision(2), in_force())));
    }

    #[test]
    fn a_commit_that_waits_makes_way() {
        let outbox = outbox();
        outbox.leave(&revision(1), pending());
        outbox.told(&revision(1), pending());
        outbox.leave(&revision(2), pending());
        let (first, outcome) = outbox.next().unwrap();
        assert!(first == revision(1) && matches!(outcome, Outcome::Superseded(_)), "{outcome:?}");
    }

    #[test]
    fn told_ones_go_first_and_nothing_grows() {
        let outbox = outbox();
        outbox.leave(&revision(0), in_force());
        outbox.leave(&revision(1), in_force());
        outbox.told(&revision(1), in_force());
        (2..=COMMITS_MAX).for_each(|number| outbox.leave(&revision(number), in_force()));
        assert_eq!(outbox.next(), Some((revision(0), in_force())), "the one that was told made room");
        outbox.leave(&revision(COMMITS_MAX + 1), in_force());
        assert_eq!(outbox.next(), Some((revision(2), in_force())));
        assert_eq!(outbox.commits().len(), COMMITS_MAX);
        let off = Outbox::default();
        off.leave(&revision(1), in_force());
        assert_eq!(off.next(), None);
    }
}
