//! What sets the time from which a number may be called, as far as its own ledger goes.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{
    business::BusinessKey,
    calendar::ZonedHours,
    contact::{Contact, Number},
    results::CallResult,
};

/// What a number that is not due yet waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueBy {
    /// The contact's own `not_before`.
    NotBefore,
    /// The retry interval after its last try.
    Interval {
        /// How that ended.
        after: CallResult,
    },
    /// The day after its last try: that one's tries are used.
    NextDay,
    /// The back-off after a fault that is not the customer's.
    BackOff {
        /// Which one.
        after: CallResult,
    },
    /// The interval of the business rule that asks for the call.
    Rule {
        /// Its name.
        rule: BusinessKey,
    },
    /// A cap that the last gate found.
    Cap,
}

impl fmt::Display for DueBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBefore => f.write_str("the contact's not_before"),
            Self::Interval { after } => write!(f, "the retry interval after {after}"),
            Self::NextDay => f.write_str("the next day, as its tries of the last one are used"),
            Self::BackOff { after } => write!(f, "the back-off after {after}"),
            Self::Rule { rule } => write!(f, "the interval of business rule {rule}"),
            Self::Cap => f.write_str("the end of what a cap holds"),
        }
    }
}

/// From when `tries` lets its number be called, and what sets that time; `None` if nothing does. `rule` is
/// the business rule that asks for the call.
#[must_use]
pub fn due(
    contact: &Contact,
    tries: &Number,
    rule: Option<&BusinessKey>,
    hours: &ZonedHours<'_>,
) -> Option<(Timestamp, DueBy)> {
    let own = tries.due_at.map(|at| (at, by_ledger(at, tries, rule, hours)));
    let not_before = contact.not_before.map(|at| (at, DueBy::NotBefore));
    let held = tries.held_until.map(|at| (at, DueBy::Cap));
    [held, own, not_before].into_iter().flatten().max_by_key(|(at, _)| *at)
}

fn by_ledger(due_at: Timestamp, tries: &Number, rule: Option<&BusinessKey>, hours: &ZonedHours<'_>) -> DueBy {
    let just_before = due_at.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN);
    match (tries.last_result, rule) {
        (Some(after), _) if after.is_fault() => DueBy::BackOff { after },
        (Some(_), _) if hours.next_day_starts(just_before) == due_at => DueBy::NextDay,
        (Some(after), _) => DueBy::Interval { after },
        (None, Some(rule)) => DueBy::Rule { rule: rule.clone() },
        // What was never tried is due by what no ledger of ours has set.
        (None, None) => DueBy::NotBefore,
    }
}
