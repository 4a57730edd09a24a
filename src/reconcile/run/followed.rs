//! One source: what is known of its branch, and what is told of it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Reconcile, Retry,
    fetch::{Asked, Fetched},
    guard::Frozen,
    tell,
};
use crate::{
    delivery::Outbox,
    domain::{
        ids::{Revision, SourceId},
        overrides::{Override, OverrideId},
    },
    gitops::{Source, SourceError, Trigger},
    reconcile::{
        conditions::{self, Failure, with_causes},
        journal::Journal,
    },
    telemetry::{
        metrics::{self, Fetch},
        status::{Failing, Problem, SourceStatus},
    },
};

/// Most problems of one commit in the log; status has more of them.
const PROBLEMS_LOGGED_MAX: usize = 20;

/// A source that is followed.
pub(super) struct Followed {
    /// Which of them, in the order of the settings.
    pub(super) at: usize,
    pub(super) source: Source,
    /// A look that is yet to begin.
    pub(super) asked: Option<Asked>,
    /// The look whose fetch is under way.
    pub(super) looking: Option<Asked>,
    /// The revision that the store has in force; `None` until the store was asked.
    pub(super) applied: Option<Option<Revision>>,
    /// The revision whose definitions are published.
    pub(super) in_force: Option<Revision>,
    /// The commit that the last look found, if it could be seen.
    pub(super) observed: Option<Revision>,
    /// The commit that was looked at and is not to be put in force.
    pub(super) rejected: Option<Revision>,
    pub(super) retry: Option<Retry>,
    /// Whether the last look followed a pin.
    pub(super) pinned: bool,
    /// Whether a pin is of a commit of this source; there may be others, which it is nothing to.
    meant: Option<(OverrideId, bool)>,
    /// The commit that waits for the end of a freeze, and when that is.
    pub(super) frozen: Option<Frozen>,
    /// Whether a freeze has paused campaigns of the commit in force.
    pub(super) paused_in_freeze: bool,
    pub(super) journal: Journal,
    /// Why the commit in force is so but in part.
    pub(super) in_part: Option<Failure>,
    /// Whether it came into force in part in an earlier life, and is yet to be looked at for the reason.
    pub(super) restored_in_part: bool,
    /// What was last said of a failure, to say each once.
    told: Option<String>,
    /// Whether a failure to pin was told.
    pin_failed: bool,
}

impl Followed {
    pub(super) fn new(at: usize, source: Source, outbox: Arc<Outbox>, parts: &Reconcile) -> Self {
        let settings = source.settings();
        let named = settings.is_one_of_several.then(|| settings.id.clone());
        let journal = Journal::new(Arc::clone(&parts.store), parts.clock.clone(), outbox, settings.id.clone(), named);
        Self {
            at,
            source,
            asked: None,
            looking: None,
            applied: None,
            in_force: None,
            observed: None,
            rejected: None,
            retry: None,
            pinned: false,
            meant: None,
            frozen: None,
            paused_in_freeze: false,
            journal,
            in_part: None,
            restored_in_part: false,
            told: None,
            pin_failed: false,
        }
    }

    pub(super) fn id(&self) -> &SourceId {
        &self.source.settings().id
    }

    /// Its status before the first look.
    pub(super) fn unknown(&self, now: Timestamp) -> SourceStatus {
        let settings = self.source.settings();
        SourceStatus {
            id: settings.id.to_string(),
            owner: settings.owner.clone(),
            repository: settings.at.to_string(),
            reference: settings.follow.reference(),
            conditions: conditions::unknown(now),
            ..SourceStatus::default()
        }
    }

    /// Asks for a look.
    pub(super) fn ask(&mut self, asked: Asked) {
        self.asked = Some(match self.asked.take() {
            Some(before) => before.and(asked),
            None => asked,
        });
    }

    /// What a fetch found, which is counted and told.
    pub(super) fn fetched(&mut self, fetched: Fetched, parts: &Reconcile) -> Result<Revision, SourceError> {
        let Fetched { head, took, now, .. } = fetched;
        let fetch = match &head {
            Ok(head) if self.observed.as_ref() == Some(head) => Fetch::Noop,
            Ok(_) => Fetch::Changed,
            Err(_) => Fetch::Error,
        };
        parts.metrics.source(self.at).fetched(fetch, took, now.wall);
        self.observed = head.as_ref().ok().cloned();
        if fetch == Fetch::Changed {
            self.observed.iter().for_each(|head| self.journal.observed(head));
            let observed = self.observed.as_ref().map(|head| self.shown(head));
            self.tell(parts, |status| status.observed_revision = observed);
        }
        head
    }

    /// The look is over: who asked for it is told.
    pub(super) fn handled(&self, asked: Asked, parts: &Reconcile) {
        if let Some(token) = asked.token.clone() {
            self.tell(parts, |status| status.last_handled_reconcile = Some(token));
        }
        asked.answer();
    }

    /// The pin that holds now for this source, and the commit that is followed because of it.
    pub(super) fn pin_in_force(&self, parts: &Reconcile) -> Option<(Arc<Override>, Revision)> {
        let overrides = parts.store.overrides();
        let (one, revision) = overrides.pin(parts.clock.now().wall)?;
        let meant = !self.source.settings().is_one_of_several || self.meant == Some((one.id, true));
        meant.then(|| (Arc::clone(one), revision.clone()))
    }

    /// Finds out whether the pin that holds is of a commit of this source.
    pub(super) async fn find_pin(&mut self, parts: &Reconcile) -> Result<(), SourceError> {
        let overrides = parts.store.overrides();
        let Some((one, revision)) = overrides.pin(parts.clock.now().wall) else { return Ok(()) };
        let known = self.meant.is_some_and(|(id, _)| id == one.id);
        if self.source.settings().is_one_of_several && !known {
            self.meant = Some((one.id, self.source.has(revision).await?));
        }
        Ok(())
    }

    /// Keeps the commit in force readable for the next start.
    pub(super) async fn pin(&mut self, revision: &Revision) {
        match self.source.pin(revision).await {
            Ok(()) => self.pin_failed = false,
            Err(error) if !self.pin_failed => {
                self.pin_failed = true;
                let error = with_causes(&error);
                tracing::warn!(
                    error,
                    "the commit in force can't be pinned; if the branch leaves it, git gc may drop it"
                );
            }
            Err(_) => {}
        }
    }

    /// The branch's commit is in force, as a whole or in part.
    pub(super) fn recovered(&mut self, head: &Revision, parts: &Reconcile) {
        let verified = parts.status.borrow().sources.get(self.at).and_then(|status| {
            let commit = status.applied_commit.as_ref()?;
            commit.verified.clone()
        });
        if let Some(by) = verified {
            self.show_verified(head, &by, parts);
        }
        if let Some(in_part) = self.in_part.take() {
            let message = in_part.to_string();
            self.say(&in_part, message, parts);
            self.in_part = Some(in_part);
            return;
        }
        self.told = None;
        let message = match self.pin_in_force(parts) {
            Some((one, pinned)) if pinned == *head => {
                let head = self.shown(head);
                format!("{head} is in force, as override {} has it until {}: {}", one.id, one.until, one.reason)
            }
            _ => format!("{} is in force", self.shown(head)),
        };
        let now = parts.clock.now().wall;
        tell(&parts.status, self.at, |status| {
            let conditions = conditions::conditions(&status.conditions, Ok(message), now);
            let changed = conditions != status.conditions || status.waiting.is_some();
            if changed {
                status.conditions = conditions;
                status.problems.clear();
                status.waiting = None;
                status.failure = None;
            }
            changed
        });
    }

    /// Says in status why the branch's commit is not in force; in the log once.
    pub(super) fn report(&mut self, failure: &Failure, not_restored: Option<&Failure>, parts: &Reconcile) {
        let in_force = match (&self.in_force, not_restored) {
            (Some(revision), _) => format!("commit {} stays in force", revision.short()),
            (None, Some(why)) => format!("the last good commit can't be put in force again: {}", with_causes(why)),
            (None, None) => "no commit is in force".to_owned(),
        };
        self.say(failure, format!("{}; {in_force}", with_causes(failure)), parts);
    }

    /// Says what is wrong with the branch's commit in status, and in the log once.
    fn say(&mut self, failure: &Failure, message: String, parts: &Reconcile) {
        let problems = failure.problems();
        if self.told.as_ref() != Some(&message) {
            for step in failure.waiting().iter().flat_map(|waiting| &waiting.plan) {
                tracing::info!(step, "the commit that waits would do this");
            }
            let (source, reason) = (self.id(), failure.reason());
            tracing::warn!(%source, reason, message, "the branch's commit is not in force as it is");
            for problem in problems.iter().take(PROBLEMS_LOGGED_MAX) {
                let Problem { file, line, column, code, message, .. } = problem;
                tracing::warn!(file, line, column, code, message, "problem");
            }
            self.told = Some(message.clone());
        }
        let now = parts.clock.now().wall;
        let of_commit = failure.tells_of_commit();
        tell(&parts.status, self.at, |status| {
            let conditions = conditions::conditions(&status.conditions, Err((failure, message)), now);
            let problems = if of_commit { problems } else { status.problems.clone() };
            let waiting = failure.waiting();
            let changed = conditions != status.conditions || problems != status.problems || waiting != status.waiting;
            status.conditions = conditions;
            status.problems = problems;
            status.waiting = waiting;
            status.failure = Some(Failing { why: failure.metric(), revision: status.observed_revision.clone() });
            changed
        });
    }

    /// Changes its status.
    pub(super) fn tell(&self, parts: &Reconcile, change: impl FnOnce(&mut SourceStatus)) {
        tell(&parts.status, self.at, |status| {
            change(status);
            true
        });
    }

    /// `branch@sha1:…`
    pub(super) fn shown(&self, revision: &Revision) -> String {
        let algorithm = if revision.as_str().len() == 40 { "sha1" } else { "sha256" };
        format!("{}@{algorithm}:{revision}", self.source.settings().follow)
    }
}

pub(super) fn metric(trigger: Trigger) -> metrics::Trigger {
    match trigger {
        Trigger::Watch => metrics::Trigger::Watch,
        Trigger::Webhook => metrics::Trigger::Webhook,
        Trigger::Poll | Trigger::Retry => metrics::Trigger::Poll,
        Trigger::Start | Trigger::Manual | Trigger::Signal => metrics::Trigger::Manual,
    }
}
