//! JSON of business results.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{ATTEMPT, NAME, SLUG, TIME};
use crate::{
    domain::{
        business::{self, BusinessKey, NOTE_LENGTH_MAX},
        campaign::Campaign,
        contact::Contact,
    },
    store::BusinessRecord,
};

/// Body of `POST /api/v1/campaigns/{id}/contacts/{customer}/business-results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBusinessResult {
    /// What was achieved, as `business-results.toml` names it.
    #[schemars(regex(pattern = NAME))]
    pub result: String,
    /// Its sub-result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = NAME))]
    pub sub_result: Option<String>,
    /// What else is to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = NOTE_LENGTH_MAX))]
    pub note: Option<String>,
    /// For which attempt; the newest unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = ATTEMPT))]
    pub attempt: Option<String>,
    /// Who achieved it; the agent of the attempt unless given.
    #[schemars(regex(pattern = SLUG))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The call that the customer wants; only with a result that has `schedules_callback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
}

/// A call that a customer wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// When: RFC 3339, or a date and a time without an offset, which are of the zone that governs the number's
    /// calling hours.
    #[schemars(regex(pattern = TIME))]
    pub at: String,
    /// Whether by the agent who achieved the result; else by anyone of the queue.
    #[serde(default)]
    pub same_agent: bool,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BusinessResultSet {
    /// What came of it (`scheduled`, `stopped`, `no_rule`, …); `None` while the customer is in a call,
    /// whose end it waits for.
    pub outcome: Option<String>,
}

/// A business result that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BusinessResultView {
    /// For which attempt; `None` if nobody had called the customer.
    pub attempt: Option<String>,
    /// What was achieved.
    #[serde(flatten)]
    pub achieved: KeyView,
    /// What else is to be known.
    pub note: Option<String>,
    /// Who achieved it, where that is not the agent of the attempt.
    #[serde(default)]
    pub agent: Option<String>,
    /// When the customer wants to be called.
    #[serde(default)]
    pub callback_at: Option<String>,
    /// By whom; anyone of the queue if it is nobody.
    #[serde(default)]
    pub callback_agent: Option<String>,
    /// Whether it counted as a goal when it was set.
    #[serde(default)]
    pub goal: bool,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: String,
    /// What came of it; `None` while the customer is in a call.
    pub outcome: Option<String>,
    /// Whether it is the tenant's default, since the agent's time for notes ran out.
    #[serde(default)]
    pub by_default: bool,
}

/// A business result and its sub-result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// The result.
    pub result: String,
    /// Its sub-result.
    pub sub_result: Option<String>,
}

/// A call that a business rule has scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledView {
    /// The rule, `callback` or `callback/soon`.
    pub rule: String,
    /// Whether its time was agreed on with the customer.
    #[serde(default)]
    pub agreed: bool,
    /// Which number, from 1.
    pub number_index: usize,
    /// When it is due.
    pub due_at: String,
    /// Held back by a cap until then.
    pub held_until: Option<String>,
    /// How its last try ended.
    pub last_result: Option<String>,
    /// The agent whom it waits for.
    pub agent: Option<String>,
    /// From when anyone of the queue may take it.
    pub agent_until: Option<String>,
}

/// A scheduled call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledView {
    /// The rule that had asked for it.
    pub rule: String,
    /// Why: `superseded`, `stopped`, `no_retry`, `budget_spent`, `attempts_spent`.
    pub reason: String,
}

impl From<&BusinessKey> for KeyView {
    fn from(key: &BusinessKey) -> Self {
        Self { result: key.result.to_string(), sub_result: key.sub_result.as_ref().map(ToString::to_string) }
    }
}

impl From<&BusinessRecord> for BusinessResultView {
    fn from(record: &BusinessRecord) -> Self {
        Self {
            attempt: record.attempt.map(|attempt| attempt.to_string()),
            achieved: KeyView::from(&record.key),
            note: record.note.clone(),
            agent: record.agent.as_ref().map(ToString::to_string),
            callback_at: record.agreed.as_ref().map(|agreed| agreed.at.to_string()),
            callback_agent: record.agreed.as_ref().and_then(|agreed| agreed.agent.as_ref().map(ToString::to_string)),
            goal: record.goal,
            by: record.by.clone(),
            at: record.at.to_string(),
            outcome: record.outcome.map(|outcome| outcome.as_str().to_owned()),
            by_default: record.by_default,
        }
    }
}

impl ScheduledView {
    /// What is scheduled for a contact at `now`, under its campaign as far as that is defined.
    pub(in crate::http) fn of(campaign: Option<&Campaign>, contact: &Contact, now: Timestamp) -> Option<Self> {
        let call = contact.progress.business.scheduled.as_ref()?;
        let waits = campaign.and_then(|campaign| business::waits_for(campaign, contact, now));
        Some(Self {
            rule: call.rule.to_string(),
            agreed: call.agreed,
            number_index: call.number + 1,
            due_at: call.due_at().to_string(),
            held_until: call.tries.held_until.map(|at| at.to_string()),
            last_result: call.tries.last_result.map(|result| result.as_str().to_owned()),
            agent: waits.map(|(agent, _)| agent.to_string()),
            agent_until: waits.map(|(_, until)| until.to_string()),
        })
    }
}

impl CancelledView {
    /// The newest call of a contact that came to nothing.
    pub(in crate::http) fn of(contact: &Contact) -> Option<Self> {
        let gone = contact.progress.business.cancelled.as_ref()?;
        Some(Self { rule: gone.rule.to_string(), reason: gone.reason.as_str().to_owned() })
    }
}
