//! The journal: what became of commits, and what has happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::ids::SourceId,
    store::{Event, HandledCommit},
    telemetry::status::CommitInfo,
};

/// `GET /api/v1/history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Newest first.
    pub commits: Vec<HandledCommitView>,
}

/// A commit that was handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledCommitView {
    /// When that was done.
    pub at: String,
    /// The source whose commit it is; `main` where there is one that has no name.
    #[serde(default = "main")]
    pub source: String,
    /// The commit's hash.
    pub revision: String,
    /// Who made it, when, and its first line; `null` if it could not be read.
    pub commit: Option<CommitInfo>,
    /// `in_force`, `in_part`, `waits`, `refused` or `failed`.
    pub result: String,
    /// Why it is not in force, in one word.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub message: Option<String>,
    /// From the first look at it until it was handled.
    pub duration_seconds: f64,
    /// Campaigns that it changed.
    pub campaigns_changed: u64,
}

fn main() -> String {
    SourceId::main().to_string()
}

impl From<&HandledCommit> for HandledCommitView {
    fn from(commit: &HandledCommit) -> Self {
        Self {
            at: commit.at.to_string(),
            source: commit.source.to_string(),
            revision: commit.revision.to_string(),
            commit: commit.commit.clone(),
            result: commit.result.as_str().to_owned(),
            reason: commit.reason.clone(),
            message: commit.message.clone(),
            duration_seconds: commit.took.as_secs_f64(),
            campaigns_changed: commit.changed,
        }
    }
}

/// `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<EventView>,
    /// Give it as `cursor` for the next page; `None` while there is none.
    pub next: Option<String>,
    /// Give it as `cursor` for what happens later.
    pub follow: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Its number; later events have higher ones.
    pub id: u64,
    /// When.
    pub at: String,
    /// What kind of thing, such as `campaign_changed`.
    pub kind: String,
    /// The commit that it is about.
    pub revision: Option<String>,
    /// The campaign that it is about.
    pub campaign: Option<String>,
    /// Who did it, if that was a person.
    pub by: Option<String>,
    /// What was before: a commit, or the state that a campaign's file asked for.
    pub before: Option<String>,
    /// What is since.
    pub after: Option<String>,
    /// The whole as a sentence.
    pub message: String,
}

impl From<&(u64, Event)> for EventView {
    fn from((id, event): &(u64, Event)) -> Self {
        Self {
            id: *id,
            at: event.at.to_string(),
            kind: event.kind.as_str().to_owned(),
            revision: event.revision.as_ref().map(ToString::to_string),
            campaign: event.campaign.as_ref().map(ToString::to_string),
            by: event.by.clone(),
            before: event.before.clone(),
            after: event.after.clone(),
            message: event.message.clone(),
        }
    }
}
