//! Exports: who asked for what, what became of it, and the rows that go into the files.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AttemptRecord, BusinessRecord, LastAttempt, NewAuditEntry, StoreError};
use crate::domain::{
    attribute::Attributes,
    audit::Deed,
    contact::Contact,
    export::{ExportFilter, ExportFormat, ExportId, ExportKind, ExportState, Filtered},
    ids::{AttemptId, AttributeId, BatchId, CampaignId, CustomerId},
};

/// An export that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExport {
    /// What its rows are.
    pub kind: ExportKind,
    /// How they are written.
    pub format: ExportFormat,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Which of its rows.
    pub filter: ExportFilter,
    /// With which attributes of the contacts; `None` for all that are defined.
    pub attributes: Option<Vec<AttributeId>>,
    /// Whether numbers and attributes stand in full.
    pub unmasked: bool,
    /// Whom it is encrypted to (`age1…`).
    pub recipient: Option<String>,
    /// Who asks.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When.
    pub asked_at: Timestamp,
    /// When the file is taken away.
    pub expires_at: Timestamp,
}

/// An export as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRecord {
    /// Which one.
    pub id: ExportId,
    /// What was asked for.
    pub asked: NewExport,
    /// How far it has come.
    pub state: ExportState,
    /// How often it was begun.
    pub starts: u32,
    /// When it was last begun.
    pub begun_at: Option<Timestamp>,
    /// When it came to the state that it is in, if that is no open one.
    pub over_at: Option<Timestamp>,
    /// What is, or was, in the file.
    pub file: Option<ExportFile>,
    /// Why there is none.
    pub why: Option<String>,
    /// How often it was downloaded.
    pub downloads: u32,
}

/// The file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// Contacts or attempts in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, as hexadecimal digits.
    pub sha256: String,
}

/// What may become of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportStep {
    /// Its turn has come.
    Begin,
    /// It is to be begun anew, since whoever wrote it has stopped.
    Again,
    /// The file is there that was begun as the `starts`th.
    Done {
        /// Which start.
        starts: u32,
        /// The file.
        file: ExportFile,
    },
    /// What was begun as the `starts`th can't be written.
    Fail {
        /// Which start.
        starts: u32,
        /// Why.
        why: String,
    },
    /// Nobody wants it any more: an open one is cancelled, the file of one that is done goes.
    Drop {
        /// Who says so.
        why: String,
    },
    /// Its time is over.
    Expire,
}

impl ExportStep {
    /// What a step makes of an export; `None` if it can't be taken.
    #[must_use]
    pub fn of(&self, state: ExportState, starts: u32) -> Option<ExportState> {
        match (self, state) {
            (Self::Begin, ExportState::Waiting) => Some(ExportState::Running),
            (Self::Again, ExportState::Running) => Some(ExportState::Waiting),
            (Self::Done { starts: own, .. }, ExportState::Running) if *own == starts => Some(ExportState::Done),
            (Self::Fail { starts: own, .. }, ExportState::Running) if *own == starts => Some(ExportState::Failed),
            (Self::Drop { .. }, state) if state.is_open() => Some(ExportState::Cancelled),
            (Self::Drop { .. }, ExportState::Done) => Some(ExportState::Deleted),
            (Self::Expire, ExportState::Done) => Some(ExportState::Expired),
            _ => None,
        }
    }

    /// Why there is no file.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Fail { why, .. } | Self::Drop { why } => Some(why),
            Self::Begin | Self::Again | Self::Done { .. } | Self::Expire => None,
        }
    }
}

/// Why the file is gone of an export that may have held somebody who was erased.
pub(super) const WITHDRAWN: &str = "a customer was erased who may have been in it; ask for it anew";

/// A contact as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedContact {
    /// The contact.
    pub contact: Contact,
    /// The batch that it came with.
    pub batch: BatchId,
    /// Whether it is in a call.
    pub live: bool,
    /// What is carried with it.
    pub custom_field: Option<String>,
    /// Its newest attempt.
    pub last: Option<LastAttempt>,
    /// Its newest business result.
    pub business: Option<BusinessRecord>,
}

impl ExportedContact {
    /// What a filter looks at.
    #[must_use]
    pub fn filtered(&self) -> Filtered<'_> {
        Filtered {
            batch: &self.batch,
            placed_at: self.last.as_ref().map(|last| last.placed_at),
            result: self.last.as_ref().and_then(|last| last.result),
            business: self.business.as_ref().map(|business| &business.key),
        }
    }
}

/// An attempt as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedAttempt {
    /// The attempt.
    pub record: AttemptRecord,
    /// What is known of the customer.
    pub attributes: Attributes,
    /// What is carried with the contact.
    pub custom_field: Option<String>,
    /// The business result that was last set for it.
    pub business: Option<BusinessRecord>,
}

impl ExportedAttempt {
    /// What a filter looks at.
    #[must_use]
    pub fn filtered(&self) -> Filtered<'_> {
        Filtered {
            batch: &self.record.batch,
            placed_at: Some(self.record.placed_at),
            result: self.record.result,
            business: self.business.as_ref().map(|business| &business.key),
        }
    }
}

/// An entry of the audit log that names the number which an export got.
pub(super) fn numbered(entry: &NewAuditEntry, id: ExportId) -> NewAuditEntry {
    let object = format!("id {id}: {}", entry.deed.object);
    entry.of(Deed { object, ..entry.deed.clone() })
}

/// What [`super::Store`] knows of exports.
#[async_trait]
pub trait Exports: Send + Sync + 'static {
    /// Keeps one that somebody asks for; it waits.
    async fn add_export(&self, new: NewExport) -> Result<ExportId, StoreError>;

    /// One of them.
    async fn export(&self, id: ExportId) -> Result<Option<ExportRecord>, StoreError>;

    /// The newest, newest first, those before `before`: of one owner, or of all.
    async fn exports(
        &self,
        owner: Option<&str>,
        before: Option<ExportId>,
        limit: u32,
    ) -> Result<Vec<ExportRecord>, StoreError>;

    /// Those that wait or are being written, oldest first.
    async fn open_exports(&self) -> Result<Vec<ExportRecord>, StoreError>;

    /// Those of which there is a file, oldest first.
    async fn done_exports(&self) -> Result<Vec<ExportRecord>, StoreError>;

    /// How many there are in each state; a state without one may be missing.
    async fn export_counts(&self) -> Result<BTreeMap<ExportState, u64>, StoreError>;

    /// Takes a step of an export, if it can be taken; whether it was.
    async fn step_export(&self, id: ExportId, step: ExportStep) -> Result<bool, StoreError>;

    /// Counts a download of one that is done; whether it is.
    async fn count_download(&self, id: ExportId) -> Result<bool, StoreError>;

    /// A campaign's contacts by customer, those after `after`, at most `limit`: a short look.
    async fn contacts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<ExportedContact>, StoreError>;

    /// A campaign's attempts by id, those after `after`, at most `limit`: a short look.
    async fn attempts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<ExportedAttempt>, StoreError>;
}
