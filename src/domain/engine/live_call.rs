//! An attempt that is under way: where it is, and what the engine knows of it.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};

use crate::domain::{
    agent::{AgentCall, CallStage},
    business::BusinessKey,
    contact::Contact,
    ids::{AgentId, AttemptId, CampaignId, LegId},
    now::Now,
    phone::E164,
    policy::ResultPolicy,
    results::CallResult,
};

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The agent's phone is being rung (or its leg stored first).
    RingingAgent,
    /// The agent is on the line; calls per second are used up.
    WaitingRate,
    /// The gate and the intent are with the store.
    Recording,
    /// The intent is durable; calls per second are used up on the wire.
    WaitingPlace,
    /// The customer's INVITE left.
    Dialing,
    /// The customer answered and is being connected.
    Connecting,
    /// The customer answered and the agent was lost.
    Rescuing,
    /// Customer and agent hear each other.
    Talking,
    /// We hung up on the customer; the end is awaited.
    Ending(CallResult),
}

#[derive(Debug, Clone)]
pub(super) struct LiveCall {
    pub(super) campaign: CampaignId,
    /// The turn in which its campaign was served.
    pub(super) turn: u64,
    pub(super) contact: Contact,
    pub(super) number: usize,
    pub(super) rule: Option<BusinessKey>,
    pub(super) called: E164,
    pub(super) caller_number: E164,
    /// Whether it counts as used: from when the intent is asked for, as a claim may come to nothing.
    pub(super) caller_counted: bool,
    /// `None` once lost.
    pub(super) agent: Option<AgentId>,
    pub(super) customer_leg: Option<LegId>,
    pub(super) stage: Stage,
    pub(super) recorded: Option<Recorded>,
    pub(super) answered_at: Option<Now>,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) rescue_until: Option<Duration>,
    /// Its customer is not to be called now: the next number waits too.
    pub(super) cancelled: bool,
}

/// What an attempt is settled under, fixed when its intent was recorded.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) policy: ResultPolicy,
    pub(super) local_date: Date,
    pub(super) next_day_at: Timestamp,
}

impl LiveCall {
    /// Whether it can be let go with nothing written.
    pub(super) fn is_before_intent(&self) -> bool {
        matches!(self.stage, Stage::RingingAgent | Stage::WaitingRate)
    }

    /// What its agent is shown of it.
    pub(super) fn as_agents_see_it(&self, attempt: AttemptId, stage: CallStage) -> AgentCall {
        AgentCall {
            attempt,
            campaign: self.campaign.clone(),
            customer: self.contact.customer.clone(),
            number: self.number,
            stage,
            connected_at: self.connected_at,
            wrap_up_until: None,
        }
    }

    /// How far it has come for its agent.
    pub(super) fn stage_for_agent(&self) -> CallStage {
        match self.stage {
            Stage::RingingAgent => CallStage::Phone,
            Stage::WaitingRate | Stage::Recording | Stage::WaitingPlace | Stage::Dialing => CallStage::Customer,
            Stage::Connecting | Stage::Rescuing => CallStage::Connecting,
            Stage::Talking => CallStage::Talking,
            Stage::Ending(_) if self.connected_at.is_some() => CallStage::Talking,
            Stage::Ending(_) => CallStage::Customer,
        }
    }
}
