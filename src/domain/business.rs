//! Business results: what they bring about in a campaign (SPEC §1.2, `business_results`).

use std::{num::NonZeroU32, time::Duration};

use super::ids::{BusinessResultId, SubResultId};

/// What follows a business result; of several rules that match, the one with the sub-result wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessRule {
    /// After which result.
    pub result: BusinessResultId,
    /// With which sub-result; `None` for any that has no rule of its own.
    pub sub_result: Option<SubResultId>,
    /// What to do.
    pub action: BusinessAction,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessAction {
    /// Ends the contact.
    Stop,
    /// Calls the contact's next number that has not ended.
    CallNextNumber(Again),
    /// Calls the same number again.
    CallSameNumber(Again),
}

/// When and how often a rule calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// From the later of the call's end and the result: 1 s to 3600 s.
    pub interval: Duration,
    /// Calls that the rule places for one contact, at most.
    pub max_times: NonZeroU32,
    /// The agent of the call takes it again.
    pub same_agent: Option<SameAgent>,
}

/// How long the same agent is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameAgent {
    /// From the due time, then anyone of the queue; `None` to the end of the local day.
    pub wait: Option<Duration>,
}
