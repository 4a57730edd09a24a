//! Guards: what a good commit still waits for before it is put in force.
//!
//! A commit that takes away campaigns may be a mistake of a merge or of a path: none is followed that leaves
//! nothing, and one that takes away many waits until a person approves that very commit. While a freeze holds
//! nothing but pauses is applied. The plan is told whole either way; a guard speaks after it.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};

use super::{
    calendar::{CallingHours, CallingHoursError, Special, Window},
    days::Days,
    ids::CampaignId,
};

/// How long a campaign whose file is gone is paused before it retires, unless the settings say otherwise.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the settings ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Guards {
    /// Most campaigns that a commit may take away by itself.
    pub removals: u32,
    /// The same in percent of the campaigns in force; a single one is never many.
    pub removals_percent: u32,
    /// How long a campaign whose file is gone is paused before it retires.
    pub grace: Duration,
    /// When nothing but pauses is applied.
    pub freezes: Vec<Freeze>,
    /// What a commit with bad files comes to.
    pub bad_files: BadFiles,
}

/// What a commit with bad files comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFiles {
    /// It stays out as a whole.
    Strict,
    /// Each bad file stays as it was when it was last good, and all else comes into force.
    Isolate,
}

impl Default for Guards {
    fn default() -> Self {
        Self { removals: 10, removals_percent: 50, grace: GRACE, freezes: Vec::new(), bad_files: BadFiles::Strict }
    }
}

/// A time in which nothing but pauses is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Freeze {
    /// When it holds.
    pub when: When,
    /// Why.
    pub reason: String,
}

/// When a freeze holds.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Once.
    Once {
        /// Its first instant.
        starts_at: Timestamp,
        /// The first instant after it.
        ends_at: Timestamp,
    },
    /// Every week, while these hours are open.
    Weekly(CallingHours),
}

impl When {
    /// Every week in these windows, in a zone that is named so: on `weekdays`, or on all if there are none. A window
    /// belongs to the day on which it starts.
    pub fn weekly(
        (timezone, zone): (&str, TimeZone),
        weekdays: &[Weekday],
        windows: Vec<Window>,
    ) -> Result<Self, CallingHoursError> {
        let hours = CallingHours::new(timezone, zone, windows)?;
        let others = WEEK.into_iter().filter(|day| !weekdays.is_empty() && !weekdays.contains(day));
        let days = Days { weekdays: others.collect(), ..Days::default() };
        let closed = (!days.is_empty()).then(|| Special { days, windows: Vec::new() });
        hours.with_special(closed.into_iter().collect()).map(Self::Weekly)
    }

    /// The first instant at which it holds no longer, if it holds at `now`.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { starts_at, ends_at } => (*starts_at..*ends_at).contains(&now).then_some(*ends_at),
            // One that does not end within a week is looked at again by then.
            Self::Weekly(hours) => hours.is_open(now).then(|| {
                let in_a_week = now.saturating_add(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MAX);
                hours.closes_at(now).unwrap_or(in_a_week)
            }),
        }
    }
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// What a commit would take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removals {
    /// Campaigns in force whose files are gone, by id.
    pub gone: Vec<CampaignId>,
    /// Campaigns in force.
    pub in_force: usize,
    /// Campaigns that the commit defines.
    pub defined: usize,
    /// Campaigns of other sources, which it leaves alone.
    pub elsewhere: usize,
}

/// What keeps a commit out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has no campaign, and some are in force.
    Empty {
        /// How many.
        in_force: usize,
        /// Whether other sources have some, so that a person may let it in: its own may have moved there.
        some_elsewhere: bool,
    },
    /// It takes away more campaigns than it may by itself.
    Removals {
        /// How many.
        gone: usize,
        /// Of how many.
        in_force: usize,
        /// The limit that is exceeded.
        limit: Limit,
    },
    /// Nothing but pauses is applied now.
    Frozen {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A limit on removals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `[guards] removals`.
    Number(u32),
    /// `[guards] removals_percent`.
    Percent(u32),
}

impl Guards {
    /// What keeps a commit with these removals out; nothing if it may take them away, or a person has
    /// `approved` that very commit. One that leaves no campaign at all stays out for good.
    #[must_use]
    pub fn of_removals(&self, removals: &Removals, approved: bool) -> Option<Verdict> {
        let (gone, in_force) = (removals.gone.len(), removals.in_force);
        let some_elsewhere = removals.elsewhere > 0;
        if removals.defined == 0 && in_force > 0 && !(approved && some_elsewhere) {
            return Some(Verdict::Empty { in_force, some_elsewhere });
        }
        if approved || gone == 0 {
            return None;
        }
        let many = u64::try_from(gone).unwrap_or(u64::MAX);
        let share = many.saturating_mul(100);
        let most = u64::try_from(in_force).unwrap_or(u64::MAX).saturating_mul(u64::from(self.removals_percent));
        let limit = if many > u64::from(self.removals) {
            Limit::Number(self.removals)
        } else if many > 1 && share > most {
            Limit::Percent(self.removals_percent)
        } else {
            return None;
        };
        Some(Verdict::Removals { gone, in_force, limit })
    }

    /// The freeze that holds at `now`; of several the one that ends last.
    #[must_use]
    pub fn frozen(&self, now: Timestamp) -> Option<Verdict> {
        let holding = self.freezes.iter().filter_map(|freeze| Some((freeze.when.until(now)?, &freeze.reason)));
        let (until, reason) = holding.max_by_key(|(until, _)| *until)?;
        Some(Verdict::Frozen { until, reason: reason.clone() })
    }

    /// When a campaign whose file was found to be gone at `since` retires.
    #[must_use]
    pub fn retires_at(&self, since: Timestamp) -> Timestamp {
        let grace = SignedDuration::try_from(self.grace).unwrap_or(SignedDuration::MAX);
        since.checked_add(grace).unwrap_or(Timestamp::MAX)
    }
}

impl Verdict {
    /// One CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "EmptySet",
            Self::Removals { .. } => "TooManyRemovals",
            Self::Frozen { .. } => "Frozen",
        }
    }

    /// Whether it is about campaigns that would go.
    #[must_use]
    pub fn is_of_removals(&self) -> bool {
        match self {
            Self::Empty { .. } | Self::Removals { .. } => true,
            Self::Frozen { .. } => false,
        }
    }

    /// Whether a person may let the commit in.
    #[must_use]
    pub fn is_approvable(&self) -> bool {
        match self {
            Self::Empty { some_elsewhere, .. } => *some_elsewhere,
            Self::Removals { .. } => true,
            Self::Frozen { .. } => false,
        }
    }

    /// What to do about it, for `commit`.
    #[must_use]
    pub fn hint(&self, commit: &str) -> String {
        match self {
            Self::Empty { some_elsewhere: true, .. } | Self::Removals { .. } => {
                format!("`dialops approve {commit}` lets this very commit in")
            }
            Self::Empty { .. } => "leave a file with state = \"paused\", or bring the files back".to_owned(),
            Self::Frozen { until, .. } => format!("it is applied at {until}, unless the branch has another by then"),
        }
    }
}

/// The verdict as half a sentence.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { in_force, .. } => {
                write!(
                    f,
                    "it defines no campaign, and {in_force} {} in force",
                    if *in_force == 1 { "is" } else { "are" }
                )
            }
            Self::Removals { gone, in_force, limit } => {
                write!(f, "it takes away {gone} of {in_force} campaigns, more than ")?;
                match limit {
                    Limit::Number(most) => write!(f, "{most} ([guards] removals)"),
                    Limit::Percent(most) => write!(f, "{most} % ([guards] removals_percent)"),
                }
            }
            Self::Frozen { until, reason } => {
                write!(f, "nothing but pauses is applied until {until}: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn removals(gone: usize, in_force: usize, defined: usize) -> Removals {
        let id = |n: usize| CampaignId::parse(&format!("c{n}")).unwrap();
        Removals { gone: (0..gone).map(id).collect(), in_force, defined, elsewhere: 0 }
    }

    fn guards(removals: u32, removals_percent: u32) -> Guards {
        Guards { removals, removals_percent, ..Guards::default() }
    }

    fn said(guards: &Guards, removals: &Removals, approved: bool) -> Option<String> {
        guards.of_removals(removals, approved).map(|verdict| verdict.to_string())
    }

    #[test]
    fn more_than_a_limit_waits_for_approval() {
        let guards = guards(3, 50);
        assert_eq!(said(&guards, &removals(3, 10, 7), false), None);
        let four = said(&guards, &removals(4, 10, 6), false);
        assert_eq!(four.as_deref(), Some("it takes away 4 of 10 campaigns, more than 3 ([guards] removals)"));
        assert_eq!(said(&guards, &removals(4, 10, 6), true), None);
        assert_eq!(said(&guards, &removals(1, 2, 1), false), None, "half is not more than half");
        assert_eq!(said(&guards, &removals(1, 1, 1), false), None, "another in its place");
        let most = said(&guards, &removals(2, 3, 1), false);
        assert_eq!(most.as_deref(), Some("it takes away 2 of 3 campaigns, more than 50 % ([guards] removals_percent)"));
    }

    #[test]
    fn nothing_at_all_is_never_followed() {
        for approved in [false, true] {
            let empty = said(&guards(100, 100), &removals(1, 1, 0), approved);
            assert_eq!(empty.as_deref(), Some("it defines no campaign, and 1 is in force"));
        }
        assert_eq!(said(&guards(0, 0), &removals(0, 0, 0), false), None, "a first commit may be empty");
    }

    #[test]
    fn a_freeze_holds_from_its_start_to_its_end() {
        let freeze = |starts_at, ends_at, reason: &str| Freeze {
            when: When::Once { starts_at: at(starts_at), ends_at: at(ends_at) },
            reason: reason.to_owned(),
        };
        let guards = Guards {
            freezes: vec![
                freeze("2031-12-24T00:00:00Z", "2031-12-27T00:00:00Z", "holidays"),
                freeze("2031-12-26T00:00:00Z", "2031-12-26T12:00:00Z", "a move"),
            ],
            ..Guards::default()
        };
        let until = |now| match guards.frozen(at(now)) {
            Some(Verdict::Frozen { until, reason }) => Some(format!("{until} {reason}")),
            _ => None,
        };
        assert_eq!(until("2031-12-23T23:59:59.999Z"), None);
        let holidays = Some("2031-12-27T00:00:00Z holidays".to_owned());
        assert_eq!(until("2031-12-24T00:00:00Z"), holidays);
        assert_eq!(until("2031-12-26T01:00:00Z"), holidays, "the one that ends last");
        assert_eq!(until("2031-12-27T00:00:00Z"), None);
    }

    fn weekly(zone: &str, weekdays: &[Weekday], windows: &[&str]) -> Guards {
        let windows = windows.iter().map(|window| Window::parse(window).unwrap()).collect();
        let when = When::weekly((zone, TimeZone::get(zone).unwrap()), weekdays, windows).unwrap();
        Guards { freezes: vec![Freeze { when, reason: "peak".to_owned() }], ..Guards::default() }
    }

    fn until(guards: &Guards, now: &str) -> Option<String> {
        match guards.frozen(at(now)) {
            Some(Verdict::Frozen { until, reason }) => Some(format!("{until} {reason}")),
            _ => None,
        }
    }

    #[test]
    fn a_weekly_freeze_holds_in_its_windows_in_its_zone() {
        use Weekday::{Friday, Saturday};
        // 2031-03-07 is a Friday; Shanghai is eight hours ahead.
        let evenings = weekly("Asia/Shanghai", &[Friday, Saturday], &["18:00-24:00", "00:00-02:00"]);
        assert_eq!(until(&evenings, "2031-03-07T09:59:59Z"), None);
        let friday = Some("2031-03-07T18:00:00Z peak".to_owned());
        assert_eq!(until(&evenings, "2031-03-07T10:00:00Z"), friday, "into the first hours of Saturday");
        assert_eq!(until(&evenings, "2031-03-07T18:00:00Z"), None);
        assert_eq!(until(&evenings, "2031-03-08T10:00:00Z").as_deref(), Some("2031-03-08T16:00:00Z peak"));
        assert_eq!(until(&evenings, "2031-03-09T12:00:00Z"), None, "not on Sunday");

        let nights = weekly("UTC", &[Friday], &["22:00-02:00"]);
        assert_eq!(until(&nights, "2031-03-08T01:00:00Z").as_deref(), Some("2031-03-08T02:00:00Z peak"));
        assert_eq!(until(&nights, "2031-03-07T01:00:00Z"), None, "it belongs to the day on which it starts");

        let whole = weekly("UTC", &[Friday, Saturday], &["00:00-24:00"]);
        assert_eq!(until(&whole, "2031-03-07T05:00:00Z").as_deref(), Some("2031-03-09T00:00:00Z peak"));
        let always = weekly("UTC", &[], &["00:00-24:00"]);
        assert_eq!(until(&always, "2031-03-07T05:00:00Z").as_deref(), Some("2031-03-14T05:00:00Z peak"));
    }

    proptest! {
        /// Whatever the week is like, a freeze that holds has an end that is ahead, and holds until then.
        #[test]
        fn a_weekly_freeze_holds_until_its_end(days in prop::collection::vec(0usize..7, 0..4), start in 0u16..1440, long in 1u16..1439, second in 0i64..2_000_000, part in 0.0f64..1.0) {
            let days: Vec<Weekday> = days.into_iter().map(|day| WEEK[day]).collect();
            let end = (start + long) % 1440;
            let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let window = Window::parse(&format!("{}-{}", text(start), text(end))).unwrap();
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let when = When::weekly(("Europe/Berlin", zone), &days, vec![window]).unwrap();
            // Around the night in which clocks go forward.
            let now = at("2031-03-24T00:00:00Z") + SignedDuration::from_secs(second);
            if let Some(until) = when.until(now) {
                prop_assert!(until > now);
                let between = now + until.duration_since(now).mul_f64(part);
                prop_assert!(between >= until || when.until(between) == Some(until), "{now} {between} {until}");
            }
        }

        /// What is let in takes away no more than either limit; what waits would take away more than one.
        #[test]
        fn the_limits_hold(gone in 0usize..40, stays in 0usize..40, new in 0usize..3, most in 0u32..40, percent in 0u32..=100) {
            let guards = guards(most, percent);
            let removals = removals(gone, gone + stays, stays + new);
            let share = gone <= 1 || gone as u64 * 100 <= u64::from(percent) * (gone + stays) as u64;
            let within = gone as u64 <= u64::from(most) && share;
            match guards.of_removals(&removals, false) {
                None => prop_assert!(gone == 0 || within),
                Some(Verdict::Empty { .. }) => prop_assert!(stays + new == 0 && gone > 0),
                Some(Verdict::Removals { .. }) => prop_assert!(!within),
                Some(Verdict::Frozen { .. }) => prop_assert!(false),
            }
            let approved = guards.of_removals(&removals, true);
            prop_assert_eq!(approved.is_some(), stays + new == 0 && gone > 0);
        }
    }
}
