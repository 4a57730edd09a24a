//! Overrides: what a person decides against the files for a while, and that undoes itself.
//!
//! An override holds from the moment it is stored until its end, whatever happens to Git meanwhile. A
//! pause goes before a resume, so that one command stops everything; a pin says which commit is followed.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::ids::{CampaignId, Revision};

/// Longest time that an override holds unless the settings say more.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Most characters of a reason.
pub const REASON_LENGTH_MAX: usize = 200;

/// Which override; counted from 1 in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OverrideId(pub u32);

impl fmt::Display for OverrideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an override is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every campaign, also one that comes later.
    All,
    /// One campaign.
    Campaign(CampaignId),
}

impl Scope {
    /// Whether it takes in a campaign.
    #[must_use]
    pub fn has(&self, campaign: &CampaignId) -> bool {
        match self {
            Self::All => true,
            Self::Campaign(id) => id == campaign,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Campaign(id) => id.fmt(f),
        }
    }
}

/// What an override does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// No new calls; live ones go on, but those that ring if they are to be cancelled.
    Pause {
        /// What it is of.
        scope: Scope,
        /// Whether calls that ring are cancelled when it begins.
        cancel_ringing: bool,
    },
    /// Dials although the file says `paused`.
    Resume {
        /// What it is of.
        scope: Scope,
    },
    /// Follows this commit instead of the branch.
    Pin {
        /// Which commit.
        revision: Revision,
    },
}

impl Order {
    /// Every kind, for metrics that start at 0.
    pub const KINDS: [&'static str; 3] = ["pause", "resume", "pin"];

    /// Its kind in commands, JSON and metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Pin { .. } => "pin",
        }
    }

    /// What it is of; a pin is of everything.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Pause { scope, .. } | Self::Resume { scope } => scope,
            Self::Pin { .. } => &Scope::All,
        }
    }
}

/// Says what it does, in half a sentence.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, scope) = match self {
            Self::Pause { scope, .. } => ("pauses", scope),
            Self::Resume { scope } => ("resumes", scope),
            Self::Pin { revision } => return write!(f, "follows commit {} instead of the branch", revision.short()),
        };
        match scope {
            Scope::All => write!(f, "{verb} all campaigns"),
            Scope::Campaign(id) => write!(f, "{verb} campaign {id}"),
        }
    }
}

/// An override as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOverride {
    /// What it does.
    pub order: Order,
    /// Why; see [`reason`].
    pub reason: String,
    /// Who asks for it.
    pub by: String,
    /// The first instant at which it holds no longer.
    pub until: Timestamp,
}

/// An override that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which one.
    pub id: OverrideId,
    /// What it does.
    pub order: Order,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// The first instant at which it holds no longer.
    pub until: Timestamp,
}

impl Override {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// Why an override is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would have ended already.
    #[error("an override that ends at {until} would be over already; give a later --until")]
    Over {
        /// Its end.
        until: Timestamp,
    },
    /// It would hold too long.
    #[error(
        "an override may hold for {longest:#} at most; give an earlier --until, or a longer `[overrides] longest` in dialops.toml"
    )]
    TooLong {
        /// The limit in force.
        longest: jiff::SignedDuration,
    },
    /// A pause goes before it.
    #[error("override {by} {order}, which goes before a resume; end it first: `dialops override end {by}`")]
    Paused {
        /// The pause.
        by: OverrideId,
        /// What it does.
        order: Order,
    },
    /// One commit is followed at a time.
    #[error("override {by} {order} already; end it first: `dialops override end {by}`")]
    Pinned {
        /// The pin.
        by: OverrideId,
        /// What it does.
        order: Order,
    },
}

/// Overrides that were not ended by hand; those whose time is over count as none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides(Vec<Arc<Override>>);

impl Overrides {
    /// Of these, by id.
    #[must_use]
    pub fn new(mut all: Vec<Arc<Override>>) -> Self {
        all.sort_by_key(|one| one.id);
        Self(all)
    }

    /// The same with one more.
    #[must_use]
    pub fn with(&self, one: Arc<Override>) -> Self {
        Self::new(self.0.iter().cloned().chain([one]).collect())
    }

    /// The same without one.
    #[must_use]
    pub fn without(&self, id: OverrideId) -> Self {
        Self(self.0.iter().filter(|one| one.id != id).cloned().collect())
    }

    /// Those that hold at `now`, by id.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Override>> {
        self.0.iter().filter(move |one| one.holds(now))
    }

    /// What goes before the state in a campaign's file at `now`: a pause before a resume, and of several the
    /// one that holds longest.
    #[must_use]
    pub fn governing(&self, campaign: &CampaignId, now: Timestamp) -> Option<&Arc<Override>> {
        let rank = |one: &Arc<Override>| matches!(one.order, Order::Pause { .. });
        self.of_campaign(campaign, now).max_by_key(|one| (rank(one), one.until, std::cmp::Reverse(one.id)))
    }

    /// Pauses and resumes of a campaign.
    fn of_campaign(&self, campaign: &CampaignId, now: Timestamp) -> impl Iterator<Item = &Arc<Override>> {
        self.in_force(now).filter(|one| match &one.order {
            Order::Pause { scope, .. } | Order::Resume { scope } => scope.has(campaign),
            Order::Pin { .. } => false,
        })
    }

    /// The next instant after `now` at which what governs a campaign may change by itself.
    #[must_use]
    pub fn turns_at(&self, campaign: &CampaignId, now: Timestamp) -> Option<Timestamp> {
        self.of_campaign(campaign, now).map(|one| one.until).min()
    }

    /// The pin that holds at `now`, and the commit that is followed.
    #[must_use]
    pub fn pin(&self, now: Timestamp) -> Option<(&Arc<Override>, &Revision)> {
        self.in_force(now).find_map(|one| match &one.order {
            Order::Pin { revision } => Some((one, revision)),
            Order::Pause { .. } | Order::Resume { .. } => None,
        })
    }

    /// The overrides that a call of a campaign is placed under at `now`: a resume, a pin, or both.
    #[must_use]
    pub fn placed_under(&self, campaign: &CampaignId, now: Timestamp) -> Vec<OverrideId> {
        let pin = self.pin(now).map(|(one, _)| one);
        let mut ids: Vec<OverrideId> = self.governing(campaign, now).into_iter().chain(pin).map(|one| one.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether one more may be taken at `now`, none of which holds for more than `longest`.
    pub fn admit(&self, new: &NewOverride, now: Timestamp, longest: Duration) -> Result<(), Refusal> {
        let longest = jiff::SignedDuration::try_from(longest).unwrap_or(jiff::SignedDuration::MAX);
        if new.until <= now {
            return Err(Refusal::Over { until: new.until });
        }
        if new.until.duration_since(now) > longest {
            return Err(Refusal::TooLong { longest });
        }
        match &new.order {
            Order::Pause { .. } => Ok(()),
            Order::Resume { scope } => match self.in_force(now).find(|one| stops(&one.order, scope)) {
                Some(one) => Err(Refusal::Paused { by: one.id, order: one.order.clone() }),
                None => Ok(()),
            },
            Order::Pin { .. } => match self.pin(now) {
                Some((one, _)) => Err(Refusal::Pinned { by: one.id, order: one.order.clone() }),
                None => Ok(()),
            },
        }
    }
}

/// Whether an override pauses all that a resume of `scope` would resume.
fn stops(order: &Order, resumed: &Scope) -> bool {
    match order {
        Order::Pause { scope, .. } => *scope == Scope::All || scope == resumed,
        Order::Resume { .. } | Order::Pin { .. } => false,
    }
}

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason has 1 to {REASON_LENGTH_MAX} printable characters: say why, for whoever finds it tonight")]
pub struct ReasonError;

/// A reason without the space around it.
pub fn reason(text: &str) -> Result<&str, ReasonError> {
    let text = text.trim();
    let length = text.chars().count();
    let good = (1..=REASON_LENGTH_MAX).contains(&length) && !text.chars().any(char::is_control);
    good.then_some(text).ok_or(ReasonError)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_930_000_000 + seconds).unwrap()
    }

    fn campaign(name: &str) -> CampaignId {
        CampaignId::parse(name).unwrap()
    }

    fn scope(name: &str) -> Scope {
        if name == "all" { Scope::All } else { Scope::Campaign(campaign(name)) }
    }

    fn pause(name: &str) -> Order {
        Order::Pause { scope: scope(name), cancel_ringing: false }
    }

    fn resume(name: &str) -> Order {
        Order::Resume { scope: scope(name) }
    }

    fn pin() -> Order {
        Order::Pin { revision: Revision::parse(&"a".repeat(40)).unwrap() }
    }

    fn stored(id: u32, order: Order, until: i64) -> Arc<Override> {
        let (reason, by) = ("a test".to_owned(), "uid 0".to_owned());
        Arc::new(Override { id: OverrideId(id), order, reason, by, since: at(0), until: at(until) })
    }

    fn new(order: Order, until: i64) -> NewOverride {
        NewOverride { order, reason: "a test".to_owned(), by: "uid 0".to_owned(), until: at(until) }
    }

    fn governs(overrides: &Overrides, name: &str, now: i64) -> Option<u32> {
        overrides.governing(&campaign(name), at(now)).map(|one| one.id.0)
    }

    #[test]
    fn a_pause_goes_before_a_resume_and_the_longest_before_others() {
        let overrides = Overrides::new(vec![
            stored(1, resume("spring"), 500),
            stored(2, pause("spring"), 100),
            stored(3, pause("all"), 200),
            stored(4, pin(), 900),
        ]);
        assert_eq!(governs(&overrides, "spring", 0), Some(3));
        assert_eq!(governs(&overrides, "autumn", 0), Some(3));
        assert_eq!(governs(&overrides, "spring", 199), Some(3));
        assert_eq!(governs(&overrides, "spring", 200), Some(1), "the first instant after the pauses");
        assert_eq!(governs(&overrides, "autumn", 200), None);
        assert_eq!(governs(&overrides, "spring", 500), None);
        assert_eq!(overrides.turns_at(&campaign("spring"), at(0)), Some(at(100)));
        assert_eq!(overrides.turns_at(&campaign("autumn"), at(200)), None);
        let under = |now| overrides.placed_under(&campaign("spring"), at(now));
        assert_eq!(under(200), [OverrideId(1), OverrideId(4)]);
        assert_eq!(under(899), [OverrideId(4)]);
        assert_eq!(under(900), []);
    }

    #[test]
    fn what_can_have_no_effect_is_refused() {
        let overrides = Overrides::new(vec![
            stored(1, pause("spring"), 100),
            stored(2, pin(), 100),
            stored(3, resume("autumn"), 100),
        ]);
        let admit = |new: NewOverride, now| overrides.admit(&new, at(now), Duration::from_secs(3600));
        assert_eq!(admit(new(pause("all"), 50), 50), Err(Refusal::Over { until: at(50) }));
        assert_eq!(admit(new(pause("all"), 3600), 0), Ok(()));
        let longest = SignedDuration::from_hours(1);
        assert_eq!(admit(new(pause("all"), 3601), 0), Err(Refusal::TooLong { longest }));
        assert!(matches!(admit(new(resume("spring"), 200), 99), Err(Refusal::Paused { by: OverrideId(1), .. })));
        assert_eq!(admit(new(resume("spring"), 200), 100), Ok(()));
        assert_eq!(admit(new(resume("all"), 200), 0), Ok(()), "the others it resumes");
        assert_eq!(admit(new(pause("autumn"), 200), 0), Ok(()), "a pause is never refused for what else holds");
        assert!(matches!(admit(new(pin(), 200), 0), Err(Refusal::Pinned { by: OverrideId(2), .. })));
        let all = overrides.with(stored(4, pause("all"), 100));
        assert!(all.admit(&new(resume("winter"), 200), at(0), LONGEST).is_err());
    }

    #[test]
    fn messages_say_what_to_do() {
        let refused = Refusal::TooLong { longest: SignedDuration::from_hours(24) };
        assert!(refused.to_string().starts_with("an override may hold for 24h at most"), "{refused}");
        let refused = Refusal::Paused { by: OverrideId(7), order: pause("all") };
        let expected =
            "override 7 pauses all campaigns, which goes before a resume; end it first: `dialops override end 7`";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn reasons_are_for_people() {
        assert_eq!(reason(" wrong script "), Ok("wrong script"));
        for bad in ["", "  ", "a\nb", "\u{1b}[2J"] {
            assert_eq!(reason(bad), Err(ReasonError), "{bad:?}");
        }
        assert!(reason(&"x".repeat(REASON_LENGTH_MAX)).is_ok());
        assert!(reason(&"x".repeat(REASON_LENGTH_MAX + 1)).is_err());
    }

    fn orders() -> impl Strategy<Value = Order> {
        let scopes = || prop::sample::select(vec!["all", "a", "b"]);
        prop_oneof![scopes().prop_map(pause), scopes().prop_map(resume), Just(pin())]
    }

    proptest! {
        /// What governs changes by itself at no instant but those told, and ends for good.
        #[test]
        fn nothing_changes_between_turns(found in prop::collection::vec((orders(), 1i64..60), 0..8)) {
            let all = found.into_iter().zip(1u32..).map(|((order, until), id)| stored(id, order, until)).collect();
            let overrides = Overrides::new(all);
            for name in ["a", "b", "c"] {
                let id = campaign(name);
                let mut now = at(0);
                while let Some(turn) = overrides.turns_at(&id, now) {
                    prop_assert!(turn > now);
                    let before = overrides.governing(&id, now);
                    prop_assert!(before.is_some());
                    let just_before = turn.checked_sub(SignedDuration::from_nanos(1)).unwrap();
                    prop_assert_eq!(overrides.governing(&id, just_before), before);
                    now = turn;
                }
                prop_assert_eq!(overrides.governing(&id, now), None);
            }
        }

        /// While a pause of it holds, nothing else governs a campaign; one that ends it is as if it had never been.
        #[test]
        fn a_pause_always_wins(found in prop::collection::vec((orders(), 1i64..60), 0..8), now in 0i64..60) {
            let all: Vec<_> = found.into_iter().zip(1u32..).map(|((order, until), id)| stored(id, order, until)).collect();
            let overrides = Overrides::new(all.clone());
            let id = campaign("a");
            let pauses = |one: &Arc<Override>| matches!(&one.order, Order::Pause { scope, .. } if scope.has(&id));
            let paused = all.iter().any(|one| pauses(one) && one.holds(at(now)));
            prop_assert_eq!(overrides.governing(&id, at(now)).is_some_and(pauses), paused);
            if let Some(one) = overrides.governing(&id, at(now)) {
                let ended = overrides.without(one.id);
                prop_assert_eq!(ended.clone(), Overrides::new(all.into_iter().filter(|other| other.id != one.id).collect()));
                prop_assert!(ended.governing(&id, at(now)).is_none_or(|other| other.id != one.id));
            }
        }
    }
}
