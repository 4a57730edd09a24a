//! Overrides: what people decide against the files for a while.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::SLUG;
use crate::{
    domain::overrides::{Order, Override, REASON_LENGTH_MAX, Scope},
    store::OverrideRecord,
};

/// `POST /api/v1/overrides`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOverride {
    /// `pause`, `resume` or `pin`.
    #[schemars(extend("enum" = ["pause", "resume", "pin"]))]
    pub action: String,
    /// A campaign's id, or `all`; not for a pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = SLUG))]
    pub campaign: Option<String>,
    /// For a pin: the commit to follow, at least seven digits of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Why.
    #[schemars(length(min = 1, max = REASON_LENGTH_MAX))]
    pub reason: String,
    /// When it ends: a time (RFC 3339), or how long it holds, such as `2h`.
    pub until: String,
    /// For a pause: cancel calls that ring.
    #[serde(default)]
    pub cancel_ringing: bool,
}

/// One override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideView {
    /// Which one.
    pub id: u32,
    /// `pause`, `resume` or `pin`.
    pub action: String,
    /// A campaign's id, or `all`.
    pub campaign: String,
    /// For a pin: the commit that is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// For a pause: whether calls that rang were cancelled.
    pub cancel_ringing: bool,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// When it ends by itself (RFC 3339).
    pub until: String,
    /// What it does, in half a sentence.
    pub does: String,
}

impl From<&Override> for OverrideView {
    fn from(one: &Override) -> Self {
        let (revision, cancel_ringing) = match &one.order {
            Order::Pause { cancel_ringing, .. } => (None, *cancel_ringing),
            Order::Resume { .. } => (None, false),
            Order::Pin { revision } => (Some(revision.to_string()), false),
        };
        Self {
            id: one.id.0,
            action: one.order.kind().to_owned(),
            campaign: one.order.scope().to_string(),
            revision,
            cancel_ringing,
            reason: one.reason.clone(),
            by: one.by.clone(),
            since: one.since.to_string(),
            until: one.until.to_string(),
            does: one.order.to_string(),
        }
    }
}

impl OverrideView {
    /// Whether it is of every campaign.
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        self.campaign == Scope::All.to_string()
    }
}

/// Answer of `POST /api/v1/overrides`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideMade {
    /// What is in force now.
    pub r#override: OverrideView,
    /// For a pin: the commands that would make it last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revert: Vec<String>,
}

/// `GET /api/v1/overrides`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideList {
    /// Newest first.
    pub overrides: Vec<ListedOverride>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// One of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedOverride {
    /// What was decided.
    pub r#override: OverrideView,
    /// Whether it is in force.
    pub active: bool,
    /// When somebody ended it before its time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

impl ListedOverride {
    /// A record as of `now`.
    #[must_use]
    pub fn of(record: &OverrideRecord, now: jiff::Timestamp) -> Self {
        Self {
            r#override: OverrideView::from(&*record.made),
            active: record.ended.is_none() && record.made.holds(now),
            ended_at: record.ended.as_ref().map(|end| end.at.to_string()),
            ended_by: record.ended.as_ref().map(|end| end.by.clone()),
        }
    }
}
