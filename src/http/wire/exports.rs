//! JSON of exports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    forms::{PRINTABLE, SLUG},
    text,
};
use crate::{exports::Progress, store::ExportRecord};

/// What every answer about an export says.
pub const PERSONAL: &str = "this export holds personal data: keep it where only those can read it who have to, and delete it \
                        once it has served its purpose";

/// Body of `POST /api/v1/exports`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskExport {
    /// `contacts` or `attempts`.
    pub what: String,
    /// Of which campaign.
    #[schemars(regex(pattern = SLUG))]
    pub campaign: String,
    /// `csv`, `jsonl` or `xlsx`.
    pub format: String,
    /// Why it is wanted.
    pub reason: String,
    /// How long the file is kept, such as `3d`; as long as the settings allow unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
    /// Whether numbers and attributes stand in full, which takes an admin.
    #[serde(default)]
    pub unmasked: bool,
    /// Whom it is encrypted to, `age1…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Only of this batch.
    #[schemars(regex(pattern = PRINTABLE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Only attempts placed at this time or later; of contacts the newest attempt counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only attempts placed before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only attempts that ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Only with this business result, `callback` or `callback/soon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_result: Option<String>,
    /// With which attributes; all that are defined unless they are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    /// Its number.
    pub id: u32,
    /// `contacts` or `attempts`.
    pub what: String,
    /// Of which campaign.
    pub campaign: String,
    /// `csv`, `jsonl` or `xlsx`.
    pub format: String,
    /// Who asked for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// `waiting`, `running`, `done`, `failed`, `cancelled`, `deleted`, `expired` or `withdrawn`.
    pub state: String,
    /// Why there is no file.
    pub why: Option<String>,
    /// Whether numbers and attributes stand in full.
    pub unmasked: bool,
    /// Whom it is encrypted to.
    pub recipient: Option<String>,
    /// Only of this batch.
    pub batch: Option<String>,
    /// Only attempts placed at this time or later.
    pub from: Option<String>,
    /// Only attempts placed before this time.
    pub until: Option<String>,
    /// Only attempts that ended so.
    pub result: Option<String>,
    /// Only with this business result.
    pub business_result: Option<String>,
    /// With which attributes; `None` for all that are defined.
    pub attributes: Option<Vec<String>>,
    /// When it was asked for.
    pub asked_at: String,
    /// When it was begun.
    pub begun_at: Option<String>,
    /// When it came to the state that it is in.
    pub over_at: Option<String>,
    /// When its file is taken away.
    pub expires_at: String,
    /// Rows that were looked at so far.
    pub rows_done: u64,
    /// Of how many; 0 while that is not known.
    pub rows_of: u64,
    /// Rows in the file.
    pub rows: Option<u64>,
    /// Its length.
    pub bytes: Option<u64>,
    /// SHA-256 of it, as hexadecimal digits.
    pub sha256: Option<String>,
    /// What it is called when it is downloaded.
    pub file_name: String,
    /// How often it was.
    pub downloads: u32,
    /// That it holds personal data.
    pub warning: String,
}

impl ExportView {
    /// An export, and how far it has come if it is being written.
    #[must_use]
    pub fn of(record: &ExportRecord, progress: Option<Progress>) -> Self {
        let (asked, file) = (&record.asked, record.file.as_ref());
        let progress = progress.unwrap_or(Progress { done: 0, of: 0 });
        Self {
            id: record.id.0,
            what: asked.kind.to_string(),
            campaign: asked.campaign.to_string(),
            format: asked.format.to_string(),
            owner: asked.owner.clone(),
            reason: asked.reason.clone(),
            state: record.state.as_str().to_owned(),
            why: record.why.clone(),
            unmasked: asked.unmasked,
            recipient: asked.recipient.clone(),
            batch: asked.filter.batch.as_ref().map(ToString::to_string),
            from: text(asked.filter.from),
            until: text(asked.filter.until),
            result: asked.filter.result.map(|result| result.as_str().to_owned()),
            business_result: asked.filter.business.as_ref().map(ToString::to_string),
            attributes: asked.attributes.as_ref().map(|ids| ids.iter().map(ToString::to_string).collect()),
            asked_at: asked.asked_at.to_string(),
            begun_at: text(record.begun_at),
            over_at: text(record.over_at),
            expires_at: asked.expires_at.to_string(),
            rows_done: file.map_or(progress.done, |file| file.rows),
            rows_of: file.map_or(progress.of, |file| file.rows),
            rows: file.map(|file| file.rows),
            bytes: file.map(|file| file.bytes),
            sha256: file.map(|file| file.sha256.clone()),
            file_name: file_name(record),
            downloads: record.downloads,
            warning: PERSONAL.to_owned(),
        }
    }
}

/// A name that says what a file is, wherever it comes to lie.
fn file_name(record: &ExportRecord) -> String {
    let asked = &record.asked;
    let sealed = if asked.recipient.is_some() { ".age" } else { "" };
    format!("personal-data-{}-{}-{}.{}{sealed}", asked.campaign, asked.kind, record.id, asked.format)
}

/// Answer of `GET /api/v1/exports`: a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportList {
    /// Newest first.
    pub exports: Vec<ExportView>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}
