//! What an earlier life of the daemon left.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::LegRecord;
use crate::domain::{
    business::BusinessKey,
    contact::Contact,
    ids::{AttemptId, LegId},
    phone::E164,
    policy::ResultPolicy,
};

/// A leg that an earlier life left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverLeg {
    /// The leg.
    pub record: LegRecord,
    /// Whether its answer had been stored.
    pub answered: bool,
}

/// An attempt that an earlier life left without an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverAttempt {
    /// Which attempt.
    pub attempt: AttemptId,
    /// The contact as it stands.
    pub contact: Contact,
    /// Which number, by index from 0.
    pub number: usize,
    /// The business rule that had placed it; `None` for the result policy.
    pub rule: Option<BusinessKey>,
    /// The number it was called from.
    pub caller_number: E164,
    /// When its intent was recorded.
    pub placed_at: Timestamp,
    /// When the customer answered, if that was stored.
    pub answered_at: Option<Timestamp>,
    /// When the agent was connected, if that was stored.
    pub connected_at: Option<Timestamp>,
    /// The newest durable event of it.
    pub last_event_at: Timestamp,
    /// Policy it is settled under.
    pub policy: ResultPolicy,
    /// The local day that it counts for.
    pub local_date: Date,
    /// First instant of the next local day.
    pub next_day_at: Timestamp,
}

/// What an earlier life left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// Legs without an end.
    pub legs: Vec<LeftoverLeg>,
    /// Attempts without an outcome.
    pub attempts: Vec<LeftoverAttempt>,
    /// Legs and attempts whose rows can't be read, and why.
    pub unreadable: Unreadable,
}

/// Rows of what is live that can't be read, as somebody has written who is not the daemon; and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreadable {
    /// Of legs.
    pub legs: BTreeMap<LegId, String>,
    /// Of attempts, or of their contacts.
    pub attempts: BTreeMap<AttemptId, String>,
}
