//! Webhooks: a server tells of a push, so that nobody waits for the next poll.
//!
//! What comes in is not believed: a call with the right secret only wakes the loop, which asks the branch
//! itself. So the worst that a stolen secret or a replay does is a look, and those are counted and bounded.

mod form;
mod memory;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use secrecy::ExposeSecret as _;

use self::{
    form::{Fault, News},
    memory::{Seen, Window},
};
use crate::{
    config::{
        SecretError,
        settings::{Follow, HookKind, WebhookSettings},
    },
    domain::{
        ids::{SourceId, WebhookId},
        now::Now,
    },
};

pub use self::form::Delivery;

/// Calls in a minute that are looked at beyond those that the settings let in: strangers and the wrong secret.
const STRANGERS_PER_MINUTE: u32 = 600;

/// Calls of one webhook that are remembered whatever its rate, so that an old one is known again.
const REMEMBERED_MIN: usize = 1_000;

/// How far the time of a signed call may be from ours.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(300);

/// How long a fault of one kind is not logged again.
const QUIET_FOR: Duration = Duration::from_secs(60);

/// Why a call is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such webhook, or who calls does not know its secret.
    Stranger,
    /// It has come before.
    Replayed,
    /// There are too many.
    TooMany {
        /// When one more would be taken.
        again_in: Duration,
    },
}

/// What a call that was taken comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Branches of these sources, by their place, may have moved: somebody has to look.
    Look(Vec<usize>),
    /// It is about something else.
    Nothing,
}

/// All webhooks of the settings, and what they remember.
#[derive(Debug)]
pub struct Webhooks {
    hooks: BTreeMap<WebhookId, Hook>,
    /// What is followed of each source.
    sources: Vec<(SourceId, Follow)>,
    credentials: Option<PathBuf>,
    calls: Mutex<Window>,
    /// When a kind of fault was last logged, and how often it came since.
    told: Mutex<BTreeMap<&'static str, (Duration, u64)>>,
}

#[derive(Debug)]
struct Hook {
    settings: WebhookSettings,
    state: Mutex<State>,
}

/// What is known of the calls of one webhook.
#[derive(Debug)]
struct State {
    seen: Seen,
    taken: Window,
}

impl Webhooks {
    /// Those of the settings, and what is followed of each source; `credentials` is `$CREDENTIALS_DIRECTORY`.
    #[must_use]
    pub fn new(settings: Vec<WebhookSettings>, sources: Vec<(SourceId, Follow)>, credentials: Option<PathBuf>) -> Self {
        let allowed: u32 = settings.iter().map(|hook| hook.per_minute.get()).sum();
        let hooks = settings.into_iter().map(|settings| {
            let per_minute = settings.per_minute.get();
            // A signed call is good for this long before and after the time that it names.
            let in_time = 2 * CLOCKS_APART_MAX.as_secs() / 60 * u64::from(per_minute);
            let seen = Seen::of(REMEMBERED_MIN + usize::try_from(in_time).unwrap_or(0));
            let state = State { seen, taken: Window::of(per_minute) };
            (settings.id.clone(), Hook { settings, state: Mutex::new(state) })
        });
        let (calls, told) = (Mutex::new(Window::of(STRANGERS_PER_MINUTE + 2 * allowed)), Mutex::default());
        Self { hooks: hooks.collect(), sources, credentials, calls, told }
    }

    /// Whose form the webhook of that id has.
    #[must_use]
    pub fn kind(&self, id: &str) -> Option<HookKind> {
        WebhookId::parse(id).ok().and_then(|id| self.hooks.get(&id)).map(|hook| hook.settings.kind)
    }

    /// Whether one more call is looked at at all; asked before its body is read.
    pub fn admit(&self, now: Now) -> Result<(), Refusal> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.take(now.mono).map_err(|again_in| Refusal::TooMany { again_in })
    }

    /// Takes a call, or refuses it. Reads the secret from its file.
    pub fn receive(&self, id: &str, delivery: &Delivery<'_>, now: Now) -> Result<Taken, Refusal> {
        let hook = WebhookId::parse(id).ok().and_then(|id| self.hooks.get(&id));
        let Some(hook) = hook else {
            // As long as a wrong signature takes.
            let _nobodys = form::check(HookKind::Generic, b"nobody's", delivery, now.wall);
            self.tell("unknown", now, || format!("nothing is called at /hooks/{}", shown(id)));
            return Err(Refusal::Stranger);
        };
        let marks = self.check(hook, delivery, now).map_err(|why| {
            let kind = match why {
                Unsure::Secret(_) => "secret",
                Unsure::Fault(_) => "signature",
            };
            self.tell(kind, now, || format!("webhook {}: {why}", hook.settings.id));
            Refusal::Stranger
        })?;
        let mut state = hook.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen.has_any(&marks) {
            drop(state);
            self.tell("replayed", now, || format!("webhook {}: this call has come before", hook.settings.id));
            return Err(Refusal::Replayed);
        }
        if let Err(again_in) = state.taken.take(now.mono) {
            drop(state);
            let most = hook.settings.per_minute;
            self.tell("many", now, || format!("webhook {}: over {most} calls in a minute", hook.settings.id));
            return Err(Refusal::TooMany { again_in });
        }
        state.seen.add(marks);
        drop(state);
        let news = form::news(hook.settings.kind, delivery);
        tracing::debug!(webhook = %hook.settings.id, ?news, "a webhook was called");
        let concerned = self.concerned(hook, &news);
        Ok(if concerned.is_empty() { Taken::Nothing } else { Taken::Look(concerned) })
    }

    fn check(&self, hook: &Hook, delivery: &Delivery<'_>, now: Now) -> Result<Vec<[u8; 32]>, Unsure> {
        let secret = hook.settings.secret.resolve(self.credentials.as_deref())?;
        Ok(form::check(hook.settings.kind, secret.expose_secret().as_bytes(), delivery, now.wall)?)
    }

    /// Sources of which what is followed may have moved.
    fn concerned(&self, hook: &Hook, news: &News) -> Vec<usize> {
        let meant = |id: &SourceId| hook.settings.source.as_ref().is_none_or(|source| source == id);
        let concerned = self.sources.iter().enumerate().filter(|(_, (id, follow))| meant(id) && concerns(follow, news));
        concerned.map(|(at, _)| at).collect()
    }

    /// Says a fault in the log, each kind once in a while: strangers are many.
    fn tell(&self, kind: &'static str, now: Now, what: impl FnOnce() -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = match told.entry(kind) {
            Entry::Occupied(mut last) if now.mono.saturating_sub(last.get().0) < QUIET_FOR => {
                last.get_mut().1 += 1;
                return;
            }
            Entry::Occupied(mut last) => last.insert((now.mono, 0)).1,
            Entry::Vacant(first) => {
                first.insert((now.mono, 0));
                0
            }
        };
        drop(told);
        tracing::warn!(untold, "a webhook was not taken: {}", what());
    }
}

/// Whether what is followed may have moved.
fn concerns(follow: &Follow, news: &News) -> bool {
    let (name, pushed) = match (follow, news) {
        (_, News::Other) => return false,
        // The commit may have come with any branch.
        (Follow::Commit(_), News::Push { .. }) | (_, News::Push { reference: None }) => return true,
        (Follow::Branch(name) | Follow::Tag(name), News::Push { reference: Some(reference) }) => (name, reference),
    };
    pushed == name || *pushed == follow.reference()
}

/// Why a call is not known to be of who it says.
#[derive(Debug, thiserror::Error)]
enum Unsure {
    #[error("its secret can't be read: {0}")]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What somebody wrote into an address, for the log.
fn shown(id: &str) -> String {
    id.chars().take(64).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Revision;

    #[test]
    fn only_a_push_of_what_is_followed_concerns() {
        let moved = |follow: &Follow, reference: Option<&str>| {
            let news = News::Push { reference: reference.map(ToOwned::to_owned) };
            assert!(!concerns(follow, &News::Other));
            concerns(follow, &news)
        };
        let branch = Follow::Branch("main".to_owned());
        assert!(moved(&branch, Some("refs/heads/main")) && moved(&branch, Some("main")) && moved(&branch, None));
        assert!(!moved(&branch, Some("refs/tags/main")) && !moved(&branch, Some("refs/heads/maintenance")));
        assert!(moved(&Follow::Tag("v1".to_owned()), Some("refs/tags/v1")));
        let commit = Follow::Commit(Revision::parse(&"a".repeat(40)).unwrap());
        assert!(moved(&commit, Some("refs/heads/elsewhere")));
    }
}
