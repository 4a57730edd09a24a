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
    /// What was agreed on with the customer.
    Agreed {
        /// The business result that was set.
        with: BusinessKey,
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
            Self::Agreed { with } => write!(f, "what was agreed on with the customer (business result {with})"),
            Self::Cap => f.write_str("the end of what a cap holds"),
        }
    }
}

/// From when `tries` lets its number be called, and what sets that time; `None` if it is due by `now`. `rule`
/// is the business rule that asks for the call.
#[must_use]
pub fn due(
    contact: &Contact,
    tries: &Number,
    rule: Option<&BusinessKey>,
    hours: &ZonedHours<'_>,
    now: Timestamp,
) -> Option<(Timestamp, DueBy)> {
    let all = [tries.held_until, tries.due_at, contact.not_before];
    let due_at = all.into_iter().flatten().max().filter(|at| *at > now)?;
    let by = if contact.not_before == Some(due_at) {
        DueBy::NotBefore
    } else if tries.due_at == Some(due_at) {
        match by_ledger(due_at, tries, rule, hours) {
            DueBy::Rule { rule } if contact.progress.business.scheduled.as_ref().is_some_and(|call| call.agreed) => {
                DueBy::Agreed { with: rule }
            }
            by => by,
        }
    } else {
        DueBy::Cap
    };
    Some((due_at, by))
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
