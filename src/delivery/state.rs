//! How things stand: what a person should know of, since when, and until when.
//!
//! It is read off the newest status and the overrides in force, so what passed between two looks is not told, and
//! nothing has to be remembered for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    config::settings::Topic,
    domain::overrides::{Override, OverrideId, Overrides},
    store::Store,
    telemetry::{
        metrics::ReconcileFailure,
        status::{Condition, Failing, Problem, ReconcileStatus, SourceStatus},
    },
};

/// How often overrides are looked at: their end tells nobody.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a repository may be unreadable before anybody is told: a network has its moments.
const SOURCE_PATIENCE: Duration = Duration::from_secs(60);

/// Overrides that are told of; whoever makes more of them at once knows.
const OVERRIDES_MAX: usize = 50;

/// Problems of a commit that are told; status has all.
const PROBLEMS_MAX: usize = 5;

/// Something that there may be to know of, and the place of the source that it is about; 0 for what is of none.
pub(super) type Slot = (Key, usize);

/// What there may be to know of, of each source at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The newest commit is not good, or could not be stored.
    CommitFailed,
    /// The newest commit is good and waits.
    CommitWaits,
    /// The repository can't be read.
    SourceUnreadable,
    /// The store or the telephony side differs from the commit in force.
    Drift,
    /// Somebody decided against the files for a while.
    Override(OverrideId),
}

impl Key {
    pub(super) fn topic(self) -> Topic {
        match self {
            Self::CommitFailed => Topic::CommitFailed,
            Self::CommitWaits => Topic::CommitWaits,
            Self::SourceUnreadable => Topic::SourceUnreadable,
            Self::Drift => Topic::DriftDetected,
            Self::Override(_) => Topic::OverrideActive,
        }
    }
}

/// Something to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Situation {
    /// The source that it is about, where there are several.
    pub(super) source: Option<About>,
    pub(super) since: Timestamp,
    /// When it ends by itself.
    pub(super) until: Option<Timestamp>,
    /// The commit that it is about.
    pub(super) revision: Option<String>,
    /// One CamelCase word.
    pub(super) reason: String,
    /// A sentence.
    pub(super) text: String,
    pub(super) problems: Vec<Problem>,
    pub(super) by_hand: Option<Arc<Override>>,
}

impl Situation {
    /// Whether the other one is no news to whom this one was told.
    pub(super) fn says(&self, other: &Self) -> bool {
        (&self.revision, &self.reason) == (&other.revision, &other.reason)
    }
}

/// One source among several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) owner: Option<String>,
}

impl About {
    fn of(status: &SourceStatus) -> Self {
        Self { id: status.id.clone(), owner: status.owner.clone() }
    }
}

/// A commit in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InForce {
    /// Of which source, where there are several.
    pub(super) source: Option<About>,
    pub(super) revision: String,
    pub(super) since: Timestamp,
    pub(super) subject: String,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Standing {
    pub(super) situations: BTreeMap<Slot, Situation>,
    /// Of each source that has one.
    pub(super) in_force: Vec<InForce>,
}

impl Standing {
    pub(super) fn of(status: &ReconcileStatus, overrides: &Overrides, now: Timestamp) -> Self {
        let sources = &status.sources;
        let about = |status| (sources.len() > 1).then(|| About::of(status));
        let commits = sources.iter().enumerate().filter_map(|(at, status)| {
            let (key, situation) = of_commit(status, now)?;
            Some(((key, at), Situation { source: about(status), ..situation }))
        });
        let drift = sources.iter().find_map(|status| drift(status, now)).map(|(key, situation)| ((key, 0), situation));
        let by_hand = overrides.in_force(now).take(OVERRIDES_MAX);
        let by_hand = by_hand.map(|one| ((Key::Override(one.id), 0), of_override(one)));
        let in_force = sources.iter().filter_map(|status| Some(InForce { source: about(status), ..in_force(status)? }));
        Self { situations: commits.chain(drift).chain(by_hand).collect(), in_force: in_force.collect() }
    }

    /// Those of some topics.
    pub(super) fn among(&self, topics: &[Topic]) -> BTreeMap<Slot, Situation> {
        let told = self.situations.iter().filter(|((key, _), _)| topics.contains(&key.topic()));
        told.map(|(slot, situation)| (*slot, situation.clone())).collect()
    }
}

/// Keeps the newest standing until nobody wants it any more.
pub(super) async fn watch(
    mut status: watch::Receiver<ReconcileStatus>,
    store: Arc<dyn Store>,
    clock: Clock,
    out: watch::Sender<Standing>,
) {
    while !out.is_closed() {
        let standing = Standing::of(&status.borrow_and_update(), &store.overrides(), clock.now().wall);
        out.send_if_modified(|last| {
            let changed = *last != standing;
            *last = standing;
            changed
        });
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// What is to be known of the newest commit; one thing at most.
fn of_commit(status: &SourceStatus, now: Timestamp) -> Option<(Key, Situation)> {
    let ready =
        status.conditions.iter().find(|condition| condition.r#type == "Ready" && condition.status == "False")?;
    let Failing { why, revision } = status.failure.as_ref()?;
    let key = match why {
        ReconcileFailure::Source => Key::SourceUnreadable,
        ReconcileFailure::Guarded => Key::CommitWaits,
        ReconcileFailure::Rejected | ReconcileFailure::Unverified | ReconcileFailure::Store => Key::CommitFailed,
    };
    let since = since(ready, now);
    let held = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if key == Key::SourceUnreadable && held < SOURCE_PATIENCE {
        return None;
    }
    let revision = revision.as_deref().filter(|_| key != Key::SourceUnreadable).map(bare);
    let situation = Situation {
        source: None,
        since,
        until: None,
        revision,
        reason: ready.reason.clone(),
        text: ready.message.clone(),
        problems: status.problems.iter().take(PROBLEMS_MAX).cloned().collect(),
        by_hand: None,
    };
    Some((key, situation))
}

/// That the store or the telephony side differs; what is put right at once needs nobody.
fn drift(status: &SourceStatus, now: Timestamp) -> Option<(Key, Situation)> {
    const NEEDS_NOBODY: &str = "Mended";
    let found = |condition: &&Condition| condition.r#type == "DriftDetected" && condition.status == "True";
    let condition = status.conditions.iter().find(found).filter(|condition| condition.reason != NEEDS_NOBODY)?;
    let situation = Situation {
        source: None,
        since: since(condition, now),
        until: None,
        revision: None,
        reason: condition.reason.clone(),
        text: condition.message.clone(),
        problems: Vec::new(),
        by_hand: None,
    };
    Some((Key::Drift, situation))
}

fn since(condition: &Condition, now: Timestamp) -> Timestamp {
    condition.last_transition_time.parse().unwrap_or(now)
}

fn of_override(one: &Arc<Override>) -> Situation {
    let Override { id, order, reason, by, since, until } = &**one;
    Situation {
        source: None,
        since: *since,
        until: Some(*until),
        revision: None,
        reason: "Overridden".to_owned(),
        text: format!("override {id} of {by} {order} until {until}: {reason}"),
        problems: Vec::new(),
        by_hand: Some(Arc::clone(one)),
    }
}

fn in_force(status: &SourceStatus) -> Option<InForce> {
    Some(InForce {
        source: None,
        revision: bare(status.last_applied_revision.as_deref()?),
        since: status.applied_at.as_deref()?.parse().ok()?,
        subject: status.applied_commit.as_ref().map(|commit| commit.subject.clone()).unwrap_or_default(),
    })
}

/// The id of a commit that is shown as `branch@sha1:…`.
fn bare(shown: &str) -> String {
    shown.rsplit(':').next().unwrap_or(shown).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::overrides::{Order, Scope};

    fn at(minute: u32) -> Timestamp {
        format!("2031-03-01T10:{minute:02}:00Z").parse().unwrap()
    }

    fn failing(failure: ReconcileFailure) -> SourceStatus {
        SourceStatus {
            observed_revision: Some("main@sha1:newer".into()),
            conditions: vec![Condition {
                r#type: "Ready".into(),
                status: "False".into(),
                reason: "ValidationFailed".into(),
                message: "no".into(),
                last_transition_time: at(0).to_string(),
            }],
            failure: Some(Failing { why: failure, revision: Some("main@sha1:abc".into()) }),
            ..SourceStatus::default()
        }
    }

    fn alone(status: SourceStatus) -> ReconcileStatus {
        ReconcileStatus { sources: vec![status], ..ReconcileStatus::default() }
    }

    fn keys(status: &SourceStatus, now: Timestamp) -> Vec<Key> {
        let standing = Standing::of(&alone(status.clone()), &Overrides::default(), now);
        standing.situations.into_keys().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_repository_is_given_a_minute_and_a_commit_none() {
        assert_eq!(keys(&failing(ReconcileFailure::Rejected), at(0)), [Key::CommitFailed]);
        assert_eq!(keys(&failing(ReconcileFailure::Store), at(0)), [Key::CommitFailed]);
        assert_eq!(keys(&failing(ReconcileFailure::Guarded), at(0)), [Key::CommitWaits]);
        assert_eq!(keys(&failing(ReconcileFailure::Source), at(0)), []);
        assert_eq!(keys(&failing(ReconcileFailure::Source), at(1)), [Key::SourceUnreadable]);
        assert_eq!(keys(&SourceStatus::default(), at(1)), []);
        let standing = Standing::of(&alone(failing(ReconcileFailure::Rejected)), &Overrides::default(), at(0));
        assert_eq!(standing.situations[&(Key::CommitFailed, 0)].revision.as_deref(), Some("abc"), "not the newer one");
    }

    #[test]
    fn of_several_sources_each_is_told_with_its_owner() {
        let bad =
            SourceStatus { id: "sales".into(), owner: Some("Sales".into()), ..failing(ReconcileFailure::Rejected) };
        let waiting = SourceStatus { id: "service".into(), ..failing(ReconcileFailure::Guarded) };
        let sources = vec![SourceStatus::default(), bad, waiting];
        let status = ReconcileStatus { sources, ..ReconcileStatus::default() };
        let told = Standing::of(&status, &Overrides::default(), at(0)).situations;
        let told: Vec<_> = told.into_iter().map(|(slot, situation)| (slot, situation.source.unwrap())).collect();
        let about = |id: &str, owner: Option<&str>| About { id: id.into(), owner: owner.map(Into::into) };
        let expected =
            [((Key::CommitFailed, 1), about("sales", Some("Sales"))), ((Key::CommitWaits, 2), about("service", None))];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_override_ends_at_its_end() {
        let one = Override {
            id: OverrideId(3),
            order: Order::Pause { scope: Scope::All, cancel_ringing: false },
            reason: "wrong script".into(),
            by: "uid 0".into(),
            since: at(0),
            until: at(2),
        };
        let overrides = Overrides::new(vec![Arc::new(one)]);
        let of = |now| Standing::of(&alone(SourceStatus::default()), &overrides, now).situations;
        let told = of(at(1)).remove(&(Key::Override(OverrideId(3)), 0)).unwrap();
        assert_eq!(told.text, "override 3 of uid 0 pauses all campaigns until 2031-03-01T10:02:00Z: wrong script");
        assert!(of(at(2)).is_empty());
    }
}
