//! Result policies: when a number is tried again, as a campaign's file says (SPEC §1.2, `results`).

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use super::{ids::CategoryId, results::CallResult};

/// When numbers are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultPolicy {
    /// One policy for all numbers.
    Global {
        /// The policy.
        policy: NumberPolicy,
        /// Results that end all numbers of a contact.
        no_retry: BTreeSet<CallResult>,
    },
    /// A policy for each category, chosen by the number's when an attempt is settled.
    ByCategory {
        /// For categories that have none of their own.
        default: NumberPolicy,
        /// For these categories.
        categories: BTreeMap<CategoryId, NumberPolicy>,
    },
}

/// When one number is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberPolicy {
    /// By days and attempts, whatever the result.
    Days(DaysPolicy),
    /// By result; one that is not listed ends the number.
    ByResult(BTreeMap<CallResult, Retries>),
}

/// The ordinary policy: so many tries a local day, on so many days, so far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysPolicy {
    /// Different local days on which a number may be tried, ≥ 1.
    pub max_days: NonZeroU32,
    /// Tries of a number on one local day, ≥ 1.
    pub max_attempts_per_day: NonZeroU32,
    /// From the end of the last try to the next.
    pub retry_interval: Duration,
}

/// What follows one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Further calls of a number because of this result, over its whole life.
    pub retries: u32,
    /// From the end of the try to the next.
    pub interval: Duration,
}

impl ResultPolicy {
    /// The policy of a number of this category.
    #[must_use]
    pub fn of(&self, category: &CategoryId) -> &NumberPolicy {
        match self {
            Self::Global { policy, .. } => policy,
            Self::ByCategory { default, categories } => categories.get(category).unwrap_or(default),
        }
    }

    /// Whether this result ends all numbers of a contact.
    #[must_use]
    pub fn ends_contact(&self, result: CallResult) -> bool {
        match self {
            Self::Global { no_retry, .. } => no_retry.contains(&counted_as(result)),
            Self::ByCategory { .. } => false,
        }
    }
}

/// The result that policies look at: `unknown` is treated as `no_answer` and shares its counter.
#[must_use]
pub fn counted_as(result: CallResult) -> CallResult {
    if result == CallResult::Unknown { CallResult::NoAnswer } else { result }
}

#[cfg(test)]
impl ResultPolicy {
    /// The ordinary policy for all numbers, for tests.
    pub(crate) fn days(days: DaysPolicy) -> Self {
        Self::Global { policy: NumberPolicy::Days(days), no_retry: BTreeSet::new() }
    }
}
