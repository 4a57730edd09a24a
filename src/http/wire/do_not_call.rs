//! Do-not-call lists and their entries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ErrorBody;
use crate::{
    domain::ids::DoNotCallId,
    store::{ListCount, ListedNumber},
};

/// `GET /api/v1/do-not-call`: every list that is defined or has entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lists {
    /// Rises with each change of any list; every attempt keeps the one that it was decided by.
    pub version: u64,
    /// By id.
    pub lists: Vec<ListView>,
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListView {
    /// Its id.
    pub id: String,
    /// Its name; `None` if the commit in force does not define it: then nobody is held by it.
    pub name: Option<String>,
    /// Its entries.
    pub entries: u64,
    /// Those of them that hold no longer.
    pub expired: u64,
}

impl ListView {
    /// A list that the commit in force may not define.
    pub(in crate::http) fn of(id: &DoNotCallId, count: ListCount) -> Self {
        Self { id: id.to_string(), name: None, entries: count.entries, expired: count.expired }
    }
}

/// One line of the answer of `GET /api/v1/do-not-call/{id}`; the last is `done` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ListEvent {
    /// An entry.
    Entry(EntryView),
    /// That was all.
    Done,
    /// It stopped.
    Failed(ErrorBody),
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Who is not called.
    pub number: String,
    /// The first instant at which it holds no longer; `None` for never.
    pub expires_at: Option<String>,
    /// When it was imported, or its expiry changed.
    pub imported_at: String,
}

impl From<&ListedNumber> for EntryView {
    fn from(listed: &ListedNumber) -> Self {
        Self {
            number: listed.entry.number.expose().to_owned(),
            expires_at: super::text(listed.entry.expires_at),
            imported_at: listed.imported_at.to_string(),
        }
    }
}

/// Body of `POST /api/v1/do-not-call/{id}/remove`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveEntry {
    /// Who may be called again, in national form or with its country code.
    pub number: String,
}
