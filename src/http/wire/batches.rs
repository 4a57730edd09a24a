//! Batches of contacts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::Batch;

/// `GET /api/v1/campaigns/{id}/batches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchList {
    /// Oldest first.
    pub batches: Vec<BatchView>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// `GET /api/v1/campaigns/{id}/batches/{batch}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    /// Its name.
    pub batch: String,
    /// When its first contact was imported.
    pub created_at: String,
    /// Whether its contacts are not dialled for now.
    pub paused: bool,
    /// All contacts.
    pub contacts: u64,
    /// Not ended and never called.
    pub fresh: u64,
    /// Not ended, called at least once.
    pub in_progress: u64,
    /// Ended, by how.
    pub ended: BTreeMap<String, u64>,
    /// Rows that its newest import left out.
    pub rejected: u64,
}

impl From<&Batch> for BatchView {
    fn from(batch: &Batch) -> Self {
        let tally = &batch.tally;
        Self {
            batch: batch.id.to_string(),
            created_at: batch.created_at.to_string(),
            paused: batch.paused,
            contacts: tally.contacts,
            fresh: tally.fresh,
            in_progress: tally.in_progress,
            ended: tally.ended.iter().map(|(end, count)| ((*end).to_owned(), *count)).collect(),
            rejected: batch.rejected,
        }
    }
}

/// Body of `PUT /api/v1/campaigns/{id}/batches/{batch}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBatch {
    /// Whether its contacts are not to be dialled.
    pub paused: bool,
}
