//! What becomes of a contact: edits, and what taking one away says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::forms::{PRINTABLE, SLUG};

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
}

/// A number in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedNumber {
    /// Its category.
    pub category: String,
    /// Its middle digits hidden unless asked otherwise.
    pub number: String,
}
