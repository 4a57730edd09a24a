//! Business results as they are asked for and kept.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{
    business::{Agreed, BusinessKey, CallbackWanted, Outcome, Refusal},
    ids::{AgentId, AttemptId, CampaignId, ContactRef, CustomerId},
    results::CallResult,
};

/// Asks for a business result to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessRequest {
    /// The campaign.
    pub campaign: CampaignId,
    /// The customer.
    pub customer: CustomerId,
    /// For which attempt; `None` for the newest.
    pub attempt: Option<AttemptId>,
    /// What was achieved.
    pub key: BusinessKey,
    /// What else is to be known.
    pub note: Option<String>,
    /// Who achieved it; `None` for the agent of the attempt.
    pub agent: Option<AgentId>,
    /// The call that the customer wants.
    pub callback: Option<CallbackWanted>,
    /// Who sets it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether it is the tenant's default, which is noted only for a call that has none.
    pub by_default: bool,
}

/// What the writer answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusinessDecision {
    /// It is recorded.
    Set {
        /// For which contact.
        contact: ContactRef,
        /// What came of it; `None` while the contact is in a call, whose end it waits for.
        outcome: Option<Outcome>,
        /// Whether it counts as a goal.
        goal: bool,
    },
    /// Nothing was written.
    Refused(Refusal),
}

/// A business result that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessRecord {
    /// For which attempt; `None` if nobody had called the contact.
    pub attempt: Option<AttemptId>,
    /// What was achieved.
    pub key: BusinessKey,
    /// What else is to be known.
    pub note: Option<String>,
    /// Who achieved it, where that is not the agent of the attempt.
    pub agent: Option<AgentId>,
    /// The call that was agreed on.
    pub agreed: Option<Agreed>,
    /// Whether it counted as a goal when it was set.
    pub goal: bool,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What came of it; `None` while the contact is in a call, whose end it waits for.
    pub outcome: Option<Outcome>,
    /// Whether it is the tenant's default, since the agent's time for notes ran out.
    pub by_default: bool,
}

/// What came of the calls that were placed on a day of the tenant's zone, until now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Today {
    /// Attempts that ended, by campaign and result.
    pub results: BTreeMap<CampaignId, BTreeMap<CallResult, u64>>,
    /// Contacts whose newest business result counts as a goal and was set, by campaign.
    pub goals: BTreeMap<CampaignId, u64>,
}
