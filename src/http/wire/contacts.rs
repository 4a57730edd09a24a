//! What becomes of a contact: edits, and what taking one away says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    NextView,
    forms::{PRINTABLE, SLUG},
};
use crate::store::LastAttempt;

/// Body of `PATCH /api/v1/campaigns/{id}/contacts/{customer}`; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EditContact {
    /// All its numbers, in the order of calling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Vec<GivenNumber>>,
    /// Values by attribute; `null` takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// 1 to 5, 1 first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Value>,
    /// The customer's own zone; `null` takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Value>,
    /// Not called before; `null` takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Value>,
}

/// A number as it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GivenNumber {
    /// Its category.
    pub category: String,
    /// In national form of the tenant's region, or with the country code.
    pub number: String,
}

/// Answer to an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edited {
    /// Whether it made a difference.
    pub changed: bool,
}

/// Body of `POST /api/v1/erasures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// Who.
    #[schemars(regex(pattern = PRINTABLE))]
    pub customer: String,
    /// Only in this campaign; `None` for all.
    #[serde(default)]
    #[schemars(regex(pattern = SLUG))]
    pub campaign: Option<String>,
}

/// Answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Campaigns that had the customer.
    pub campaigns: Vec<String>,
    /// Whether the store's log was emptied too; else it will be by its next checkpoint.
    pub log_emptied: bool,
}

/// Body of `POST /api/v1/attributes/rotate-key`: one slice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// How far the slices before it have come, as the answer said.
    #[serde(default)]
    pub after: Option<Reached>,
}

/// How far a rotation has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reached {
    /// In which campaign.
    pub campaign: String,
    /// Its last customer that was looked at; `None` for none of it yet.
    #[schemars(regex(pattern = PRINTABLE))]
    pub customer: Option<String>,
}

/// Answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotatedKey {
    /// Id of the key that values are under now.
    pub key: String,
    /// Contacts whose values were written anew.
    pub rewritten: u64,
    /// Contacts with a value under a key that is not set.
    pub unreadable: u64,
    /// What to ask next; `None` once all were looked at.
    pub next: Option<Reached>,
}

/// Query of `GET /api/v1/campaigns/{id}/contacts`: contacts for which all of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactListQuery {
    /// Of this batch.
    pub batch: Option<String>,
    /// `fresh`, `in_progress`, `on_call`, `ended`, or how they ended.
    pub state: Option<String>,
    /// Whose newest attempt ended as one of these, with commas between them.
    pub result: Option<String>,
    /// For whom this business result was set last.
    pub business_result: Option<String>,
    /// With this sub-result of it.
    pub sub_result: Option<String>,
    /// Whose newest attempt was for this agent.
    pub agent: Option<String>,
    /// With a number of this category.
    pub category: Option<String>,
    /// Whether they and an agent ever heard each other.
    pub connected: Option<bool>,
    /// Whose newest attempt was placed then or later: a time with its offset, or a day of the tenant's zone.
    pub from: Option<String>,
    /// Before that time, or on that day or earlier.
    pub to: Option<String>,
    /// Where the page begins: what `next` of the one before said.
    pub cursor: Option<String>,
    /// Contacts of a page, 1 to 5,000; lines have no such end.
    pub limit: Option<u32>,
    /// Numbers and attributes in full.
    #[serde(default)]
    pub unmasked: bool,
}

/// `GET /api/v1/campaigns/{id}/contacts`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactList {
    /// By customer; of a batch as they came in.
    pub contacts: Vec<ListedContact>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// A contact in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedContact {
    /// The customer.
    pub customer: String,
    /// The batch that it came with.
    pub batch: String,
    /// `fresh`, `in_progress`, `on_call`, or how it ended.
    pub state: String,
    /// Calls placed to it, one that is live too.
    pub attempts: u32,
    /// 1 first.
    pub priority: u8,
    /// The customer's own zone.
    pub timezone: Option<String>,
    /// Not dialled before.
    pub not_before: Option<String>,
    /// Its numbers by index.
    pub numbers: Vec<ListedNumber>,
    /// Values by attribute.
    pub attributes: BTreeMap<String, String>,
    /// Whether it and an agent ever heard each other.
    #[serde(default)]
    pub connected: bool,
    /// The business result that was last set for it, `callback` or `callback/soon`.
    #[serde(default)]
    pub business_result: Option<String>,
    /// Its newest attempt.
    #[serde(default)]
    pub last_attempt: Option<LastAttemptView>,
    /// The next try; `None` once it has ended, and while it is in a call.
    #[serde(default)]
    pub next: Option<NextView>,
}

/// The newest attempt of a contact in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastAttemptView {
    /// Its id.
    pub attempt: String,
    /// When its intent was recorded.
    pub placed_at: String,
    /// How it ended; `None` while it is live.
    pub result: Option<String>,
    /// The held agent.
    pub agent: String,
}

impl From<&LastAttempt> for LastAttemptView {
    fn from(last: &LastAttempt) -> Self {
        Self {
            attempt: last.attempt.to_string(),
            placed_at: last.placed_at.to_string(),
            result: last.result.map(|result| result.as_str().to_owned()),
            agent: last.agent.to_string(),
        }
    }
}

/// A number in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedNumber {
    /// Its category.
    pub category: String,
    /// Its middle digits hidden unless asked otherwise.
    pub number: String,
}
