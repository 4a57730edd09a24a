//! Results as they are asked for: attempts in the order in which they were placed, and counts of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

use super::{AttemptRecord, Tally};
use crate::domain::{
    business::BusinessKey,
    ids::{AgentId, AttemptId, BatchId, CategoryId, SubResultId},
    results::CallResult,
    statistics::{Calls, Quarter},
};

/// Where an attempt stands among those of its campaign, oldest first. An attempt is placed at the writer's own instant,
/// so none comes to stand before one that could be read, but where the machine's clock was set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptPlace {
    /// When its intent was recorded.
    pub placed_at: Timestamp,
    /// Which one it is.
    pub attempt: AttemptId,
}

impl AttemptPlace {
    /// The place of an attempt.
    #[must_use]
    pub fn of(record: &AttemptRecord) -> Self {
        Self { placed_at: record.placed_at, attempt: record.attempt }
    }
}

/// A business result that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessWanted {
    /// The result.
    pub result: crate::domain::ids::BusinessResultId,
    /// Its sub-result; `None` for any, and for none.
    pub sub_result: Option<SubResultId>,
}

impl BusinessWanted {
    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, key: &BusinessKey) -> bool {
        self.result == key.result
            && self.sub_result.as_ref().is_none_or(|wanted| key.sub_result.as_ref() == Some(wanted))
    }
}

/// The first digits of a commit's id, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionPrefix(Box<str>);

impl RevisionPrefix {
    /// Fewest digits.
    pub const DIGITS_MIN: usize = 4;
    /// Most.
    pub const DIGITS_MAX: usize = 64;

    /// Parses what people copy from a list; `None` if it is no beginning of an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (hex && (Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&text.len())).then(|| Self(text.into()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RevisionPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which attempts are wanted: those for which all of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptFilter {
    /// Placed then or later.
    pub from: Option<Timestamp>,
    /// Placed before.
    pub to: Option<Timestamp>,
    /// Ended as one of these; empty for any, and for those that are live.
    pub results: BTreeSet<CallResult>,
    /// Of which this business result was set last.
    pub business: Option<BusinessWanted>,
    /// For this agent.
    pub agent: Option<AgentId>,
    /// To a contact of this batch.
    pub batch: Option<BatchId>,
    /// To a number that was of this category.
    pub category: Option<CategoryId>,
    /// In which customer and agent heard each other, or did not.
    pub connected: Option<bool>,
    /// Placed by this business rule.
    pub rule: Option<BusinessKey>,
    /// Placed under a commit whose id begins so.
    pub revision: Option<RevisionPrefix>,
}

impl AttemptFilter {
    /// Whether an attempt is wanted.
    #[must_use]
    pub fn matches(&self, record: &AttemptRecord) -> bool {
        let result = record.result.is_some_and(|result| self.results.contains(&result));
        let business = |wanted: &BusinessWanted| record.business.as_ref().is_some_and(|key| wanted.is(key));
        self.from.is_none_or(|from| record.placed_at >= from)
            && self.to.is_none_or(|to| record.placed_at < to)
            && (self.results.is_empty() || result)
            && self.business.as_ref().is_none_or(business)
            && self.agent.as_ref().is_none_or(|agent| record.agent == *agent)
            && self.batch.as_ref().is_none_or(|batch| record.batch == *batch)
            && self.category.as_ref().is_none_or(|category| record.category.as_ref() == Some(category))
            && self.connected.is_none_or(|connected| record.connected_at.is_some() == connected)
            && self.rule.as_ref().is_none_or(|rule| record.rule.as_ref() == Some(rule))
            && self.revision.as_ref().is_none_or(|begin| record.revision.as_str().starts_with(begin.as_str()))
    }
}

/// Some attempts of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptPage {
    /// As they were placed.
    pub attempts: Vec<AttemptRecord>,
    /// Behind which place the next page begins; `None` if there is none.
    pub next: Option<AttemptPlace>,
}

/// The newest attempt of a contact, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    /// Which one it is.
    pub attempt: AttemptId,
    /// When its intent was recorded.
    pub placed_at: Timestamp,
    /// How it ended; `None` while it is live.
    pub result: Option<CallResult>,
    /// The held agent.
    pub agent: AgentId,
}

/// Counts of contacts and attempts, of one campaign or of all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Contacts as they stand now, and attempts that are live.
    pub tally: Tally,
    /// Different contacts with a call of the span in which they and an agent heard each other.
    pub connected_contacts: u64,
    /// Ended attempts by the quarter of an hour in which they were placed.
    pub by_quarter: BTreeMap<Quarter, Calls>,
    /// The same by result.
    pub by_result: BTreeMap<CallResult, Calls>,
    /// The same by agent.
    pub by_agent: BTreeMap<AgentId, Calls>,
    /// The same by batch; nothing where several campaigns are counted.
    pub by_batch: BTreeMap<BatchId, Calls>,
    /// Attempts that have a business result, by the last one.
    pub by_business: BTreeMap<BusinessKey, u64>,
    /// Whether all of it is of one instant; else calls may have ended while it was counted.
    pub at_once: bool,
}
