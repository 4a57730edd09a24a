//! What business results have brought about for one contact, so far.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::BusinessKey;
use crate::domain::{
    contact::{Number, Progress},
    ids::AgentId,
};

/// What business results have brought about for a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Business {
    /// The call that a rule asks for; it stays while that call is live.
    pub scheduled: Option<Box<BusinessCall>>,
    /// Calls that each rule has placed, their retries apart.
    pub placed: BTreeMap<BusinessKey, u32>,
    /// The newest scheduled call that came to nothing.
    pub cancelled: Option<Cancelled>,
}

/// A call that a rule asks for, or that was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessCall {
    /// The rule, or the result that it was agreed on with.
    pub rule: BusinessKey,
    /// Which number, by index from 0.
    pub number: usize,
    /// The number's ledger for this call alone: when it is due, and what its own retries have used. The
    /// number's own ledger knows nothing of it.
    pub tries: Number,
    /// Who is to take it.
    pub pin: Option<Pin>,
    /// Whether its time was agreed on with the customer: no rule asks for it, and it counts for none.
    pub agreed: bool,
}

/// The agent that a call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Who.
    pub agent: AgentId,
    /// For how long from each due time; `None` to the end of that local day.
    pub wait: Option<Duration>,
}

/// A scheduled call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// The rule that had asked for it.
    pub rule: BusinessKey,
    /// Why.
    pub reason: CancelReason,
}

/// Why a scheduled call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelReason {
    /// A later business result took its place.
    Superseded,
    /// A later business result stopped the contact.
    Stopped,
    /// A result of `results.no_retry` ended the contact.
    NoRetry,
    /// Its own days and attempts are spent.
    BudgetSpent,
    /// `max_attempts_per_contact` is used up.
    AttemptsSpent,
    /// An edit took its number away.
    NumberGone,
}

impl CancelReason {
    const ALL: [Self; 6] =
        [Self::Superseded, Self::Stopped, Self::NoRetry, Self::BudgetSpent, Self::AttemptsSpent, Self::NumberGone];

    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Stopped => "stopped",
            Self::NoRetry => "no_retry",
            Self::BudgetSpent => "budget_spent",
            Self::AttemptsSpent => "attempts_spent",
            Self::NumberGone => "number_gone",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl BusinessCall {
    /// A call of a contact's number that nobody has placed yet; `None` if there is no such number.
    #[must_use]
    pub fn new(
        rule: BusinessKey,
        progress: &Progress,
        number: usize,
        due_at: Timestamp,
        pin: Option<Pin>,
    ) -> Option<Self> {
        let called = progress.numbers.get(number)?;
        let caller_number = called.caller_number.clone();
        let fresh = Number::fresh(called.category.clone(), called.e164.clone());
        Some(Self { rule, number, tries: Number { due_at: Some(due_at), caller_number, ..fresh }, pin, agreed: false })
    }

    /// When it is due, caps apart.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        self.tries.due_at.unwrap_or(Timestamp::MIN)
    }
}

impl Business {
    /// Whether there is nothing to tell: no result has ever had a rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Gives up the scheduled call, if there is one.
    pub fn cancel(&mut self, reason: CancelReason) {
        if let Some(call) = self.scheduled.take() {
            self.cancelled = Some(Cancelled { rule: call.rule, reason });
        }
    }
}
