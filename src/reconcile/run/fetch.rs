//! Who asks for a look, and the fetch that it begins with: each source has its own, and none waits for another's.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinSet},
};

use super::Followed;
use crate::{
    clock::Clock,
    domain::{ids::Revision, now::Now},
    gitops::{SourceError, Trigger, wake::Triggers},
};

/// Who asks for a look, and what may be done beyond the ordinary.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) trigger: Trigger,
    /// Look again at what was refused.
    pub(super) again: bool,
    /// Take a commit that does not follow the one in force.
    pub(super) allow_rewrite: bool,
    pub(super) token: Option<String>,
    /// Answered once every source that was meant has been looked at.
    done: Vec<Arc<oneshot::Sender<()>>>,
}

impl Asked {
    pub(super) fn plainly(trigger: Trigger) -> Self {
        Self { trigger, again: trigger.is_asked_for(), allow_rewrite: false, token: None, done: vec![] }
    }

    pub(super) fn by(triggers: Triggers) -> Self {
        let again = Trigger::ALL.into_iter().any(|t| t.is_asked_for() && triggers.has(t));
        Self { again, ..Self::plainly(triggers.first()) }
    }

    pub(super) fn by_person(token: String, allow_rewrite: bool, done: Arc<oneshot::Sender<()>>) -> Self {
        Self { allow_rewrite, token: Some(token), done: vec![done], ..Self::plainly(Trigger::Manual) }
    }

    /// One look for both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.done.extend(other.done);
        Self {
            trigger: self.trigger.min(other.trigger),
            again: self.again || other.again,
            allow_rewrite: self.allow_rewrite || other.allow_rewrite,
            token: other.token.or(self.token),
            done: self.done,
        }
    }

    /// The look is over, whatever it found.
    pub(super) fn answer(self) {
        for done in self.done.into_iter().filter_map(Arc::into_inner) {
            // Who asked may have gone.
            let _ = done.send(());
        }
    }
}

/// What a fetch found.
pub(super) struct Fetched {
    /// Of which source.
    pub(super) at: usize,
    pub(super) head: Result<Revision, SourceError>,
    pub(super) took: Duration,
    pub(super) now: Now,
}

/// Fetches under way; dropping this ends them.
#[derive(Default)]
pub(super) struct Fetches(JoinSet<Fetched>);

impl Fetches {
    /// Begins one for a source that is to be looked at and is not being fetched.
    pub(super) fn begin(&mut self, one: &mut Followed, clock: &Clock) {
        if one.looking.is_some() {
            return;
        }
        let Some(asked) = one.asked.take() else { return };
        one.looking = Some(asked);
        let (at, source, clock) = (one.at, one.source.clone(), clock.clone());
        self.0.spawn(async move {
            let began = clock.now();
            let head = source.head().await;
            let now = clock.now();
            Fetched { at, head, took: now.mono.saturating_sub(began.mono), now }
        });
    }

    /// The next that is over; `None` while there are none.
    pub(super) async fn next(&mut self) -> Option<Fetched> {
        match self.0.join_next().await? {
            Ok(fetched) => Some(fetched),
            Err(error) => resume(error),
        }
    }
}

/// A fetch that panicked takes the loop with it, as any other part of it would.
fn resume(error: JoinError) -> Option<Fetched> {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_cancelled) => None,
    }
}
