//! Steps: what has to change in the store for it to be what a commit asks for.
//!
//! Desired rows come from a commit, actual rows from the store; the plan is a pure function of both
//! and says each step in one line. Planning again after it has been applied gives nothing.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{campaign::DesiredState, ids::CampaignId};

/// A campaign as a commit asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Identity.
    pub id: CampaignId,
    /// State asked for.
    pub state: DesiredState,
    /// Digest of everything else in its definition.
    pub digest: String,
}

/// A campaign as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actual {
    /// Identity.
    pub id: CampaignId,
    /// State last asked for.
    pub state: DesiredState,
    /// Digest of everything else in its definition.
    pub digest: String,
    /// Whether its file is gone, and its grace over.
    pub retired: bool,
    /// When its file was found to be gone.
    pub removed_at: Option<Timestamp>,
}

/// How campaigns whose files are gone leave: they pause, and retire once their grace is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// The instant.
    pub now: Timestamp,
    /// How long they pause.
    pub grace: Duration,
}

impl Leaving {
    fn is_over(self, since: Timestamp) -> bool {
        let grace = SignedDuration::try_from(self.grace).unwrap_or(SignedDuration::MAX);
        since.checked_add(grace).is_ok_and(|at| at <= self.now)
    }
}

/// What one step does. The order here is the order in which steps are taken: what stops calls goes
/// before what starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Its file is gone: no new calls, live ones finish, results stay.
    Retire,
    /// No new calls; live ones finish.
    Pause,
    /// Its definition changed; its state did not.
    Amend,
    /// It is new.
    Create,
    /// Its file is back after it had been retired; its history goes on.
    Return,
    /// It may dial again.
    Resume,
}

impl Verb {
    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retire => "retire",
            Self::Pause => "pause",
            Self::Amend => "amend",
            Self::Create => "create",
            Self::Return => "return",
            Self::Resume => "resume",
        }
    }
}

/// One step of a plan; `Display` says it in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is done.
    pub verb: Verb,
    /// To which campaign.
    pub campaign: CampaignId,
    /// The state asked for afterwards; `None` if its file is gone.
    pub state: Option<DesiredState>,
    /// Digest of the definition afterwards; `None` if its file is gone.
    pub digest: Option<String>,
    /// Whether more than the state changes.
    pub amended: bool,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, campaign, .. } = self;
        let state = self.state.map_or("retired", DesiredState::as_str);
        match verb {
            Verb::Retire => write!(f, "retire {campaign}: its file is gone; no new calls, results stay"),
            Verb::Pause if self.state.is_none() => {
                write!(f, "pause {campaign}: its file is gone; it retires once its grace is over")
            }
            Verb::Pause => write!(f, "pause {campaign}: no new calls, live ones finish"),
            Verb::Amend => write!(f, "amend {campaign}: its definition changed ({state})"),
            Verb::Create => write!(f, "create {campaign} ({state})"),
            Verb::Return => write!(f, "return {campaign}: its file is back, its history goes on ({state})"),
            Verb::Resume => write!(f, "resume {campaign}: it may dial again"),
        }?;
        let state_verb = matches!(verb, Verb::Pause | Verb::Resume);
        if self.amended && state_verb { f.write_str("; its definition changed too") } else { Ok(()) }
    }
}

/// What to do, in the order in which to do it: at most one step per campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps.
    pub actions: Vec<Action>,
    /// Campaigns of the commit that stay as they are.
    pub unchanged: usize,
}

/// Compares what is asked for with what there is. Ids are unique on either side; of several rows
/// with one id the last one counts.
#[must_use]
pub fn plan(desired: &[Desired], actual: &[Actual], leaving: Leaving) -> Plan {
    let asked: BTreeMap<&CampaignId, &Desired> = desired.iter().map(|row| (&row.id, row)).collect();
    let there: BTreeMap<&CampaignId, &Actual> = actual.iter().map(|row| (&row.id, row)).collect();

    let steps = asked.iter().map(|(id, row)| step(row, there.get(id).copied()));
    let mut actions: Vec<Action> = steps.flatten().collect();
    let unchanged = asked.len() - actions.len();
    let gone = there.values().filter(|row| !row.retired && !asked.contains_key(&row.id));
    actions.extend(gone.filter_map(|row| leave(row, leaving)));
    actions.sort_by(|a, b| a.verb.cmp(&b.verb).then_with(|| a.campaign.cmp(&b.campaign)));
    Plan { actions, unchanged }
}

fn step(desired: &Desired, actual: Option<&Actual>) -> Option<Action> {
    let amended = actual.is_some_and(|row| row.digest != desired.digest);
    let is_gone = |row: &Actual| row.retired || row.removed_at.is_some();
    let before = actual.map(|row| (!is_gone(row)).then_some(row.state));
    Some(Action {
        verb: verb(before, desired.state, amended)?,
        campaign: desired.id.clone(),
        state: Some(desired.state),
        digest: Some(desired.digest.clone()),
        amended,
    })
}

/// What a step to `state` does; `None` if there is nothing to do. `before` is the state so far, within
/// it `None` for a retired campaign; `amended` says whether more than the state changes.
#[must_use]
pub fn verb(before: Option<Option<DesiredState>>, state: DesiredState, amended: bool) -> Option<Verb> {
    use DesiredState::{Paused, Running};
    match (before, state) {
        (None, _) => Some(Verb::Create),
        (Some(None), _) => Some(Verb::Return),
        (Some(Some(Running)), Paused) => Some(Verb::Pause),
        (Some(Some(Paused)), Running) => Some(Verb::Resume),
        (Some(Some(Running)), Running) | (Some(Some(Paused)), Paused) => amended.then_some(Verb::Amend),
    }
}

/// The next step of a campaign whose file is gone.
fn leave(row: &Actual, leaving: Leaving) -> Option<Action> {
    let verb = match row.removed_at {
        None if leaving.grace.is_zero() => Verb::Retire,
        None => Verb::Pause,
        Some(since) if leaving.is_over(since) => Verb::Retire,
        Some(_) => return None,
    };
    Some(Action { verb, campaign: row.id.clone(), state: None, digest: None, amended: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> CampaignId {
        CampaignId::parse(text).unwrap()
    }

    fn desired(name: &str, state: DesiredState, digest: &str) -> Desired {
        Desired { id: id(name), state, digest: digest.to_owned() }
    }

    fn actual(name: &str, state: DesiredState, digest: &str, retired: bool) -> Actual {
        Actual { id: id(name), state, digest: digest.to_owned(), retired, removed_at: None }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_930_000_000 + seconds).unwrap()
    }

    fn after(seconds: i64) -> Leaving {
        Leaving { now: at(seconds), grace: Duration::from_secs(60) }
    }

    const AT_ONCE: Leaving = Leaving { now: Timestamp::UNIX_EPOCH, grace: Duration::ZERO };

    /// What a store does with a plan.
    fn applied(actual: &[Actual], plan: &Plan, now: Timestamp) -> Vec<Actual> {
        let mut rows: BTreeMap<CampaignId, Actual> = actual.iter().map(|row| (row.id.clone(), row.clone())).collect();
        for action in &plan.actions {
            match (&action.state, &action.digest) {
                (Some(state), Some(digest)) => {
                    let (id, digest) = (action.campaign.clone(), digest.clone());
                    let row = Actual { id, state: *state, digest, retired: false, removed_at: None };
                    rows.insert(action.campaign.clone(), row);
                }
                _ if action.verb == Verb::Retire => rows.get_mut(&action.campaign).unwrap().retired = true,
                _ => rows.get_mut(&action.campaign).unwrap().removed_at = Some(now),
            }
        }
        rows.into_values().collect()
    }

    #[test]
    fn each_difference_is_one_step_and_stops_go_first() {
        use DesiredState::{Paused, Running};
        let asked = [
            desired("same", Running, "1"),
            desired("new", Paused, "1"),
            desired("amended", Running, "2"),
            desired("paused", Paused, "1"),
            desired("paused-and-amended", Paused, "2"),
            desired("resumed", Running, "1"),
            desired("back", Running, "1"),
        ];
        let there = [
            actual("same", Running, "1", false),
            actual("amended", Running, "1", false),
            actual("paused", Running, "1", false),
            actual("paused-and-amended", Running, "1", false),
            actual("resumed", Paused, "1", false),
            actual("back", Running, "1", true),
            actual("gone", Running, "1", false),
            actual("long-gone", Running, "1", true),
        ];
        let plan = plan(&asked, &there, AT_ONCE);
        let lines: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "retire gone: its file is gone; no new calls, results stay",
                "pause paused: no new calls, live ones finish",
                "pause paused-and-amended: no new calls, live ones finish; its definition changed too",
                "amend amended: its definition changed (running)",
                "create new (paused)",
                "return back: its file is back, its history goes on (running)",
                "resume resumed: it may dial again",
            ]
        );
        assert_eq!(plan.unchanged, 1);
    }

    #[test]
    fn a_campaign_whose_file_is_gone_pauses_and_then_retires() {
        let there = [actual("gone", DesiredState::Running, "1", false)];
        let lines = |plan: &Plan| plan.actions.iter().map(ToString::to_string).collect::<Vec<_>>();
        let first = plan(&[], &there, after(0));
        assert_eq!(lines(&first), ["pause gone: its file is gone; it retires once its grace is over"]);
        let there = applied(&there, &first, at(0));
        assert_eq!(plan(&[], &there, after(59)).actions, []);
        let back = plan(&[desired("gone", DesiredState::Running, "1")], &there, after(59));
        assert_eq!(lines(&back), ["return gone: its file is back, its history goes on (running)"]);
        let second = plan(&[], &there, after(60));
        assert_eq!(lines(&second), ["retire gone: its file is gone; no new calls, results stay"]);
        assert_eq!(plan(&[], &applied(&there, &second, at(60)), after(1000)).actions, []);
    }

    fn states() -> impl Strategy<Value = DesiredState> {
        prop::sample::select(vec![DesiredState::Running, DesiredState::Paused])
    }

    fn names() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(str::to_owned)
    }

    fn digests() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["1", "2", "3"]).prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn planning_after_applying_gives_nothing(
            asked in prop::collection::btree_map(names(), (states(), digests()), 0..6),
            there in prop::collection::btree_map(names(), (states(), digests(), any::<bool>()), 0..6),
            graceful: bool,
        ) {
            let asked: Vec<Desired> = asked.iter().map(|(n, (s, d))| desired(n, *s, d)).collect();
            let there: Vec<Actual> = there.iter().map(|(n, (s, d, r))| actual(n, *s, d, *r)).collect();
            let leaving = if graceful { after(0) } else { AT_ONCE };
            let first = plan(&asked, &there, leaving);
            let after = applied(&there, &first, leaving.now);
            let again = plan(&asked, &after, leaving);
            prop_assert_eq!(again.actions, vec![]);
            prop_assert_eq!(again.unchanged, asked.len());
            for row in &asked {
                let kept = after.iter().find(|have| have.id == row.id).unwrap();
                prop_assert_eq!((kept.state, &kept.digest, kept.retired), (row.state, &row.digest, false));
            }
            let live = after.iter().filter(|row| !row.retired && row.removed_at.is_none()).count();
            prop_assert_eq!(live, asked.len());
            prop_assert!(first.actions.is_sorted_by_key(|a| (a.verb, a.campaign.clone())));
        }
    }
}
