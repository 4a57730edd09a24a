//! The import itself: rows to contacts, or to entries of a do-not-call list, to the store, piece by piece.

use std::io;

use jiff::Timestamp;
use rlibphonenumber::enums::Region;
use tokio::{
    io::AsyncRead,
    sync::mpsc::{self, error::SendError},
};

use super::{
    contact_rows::ContactRows,
    draft,
    entries::Form,
    rows::{ImportFormat, Row, Rows},
    rules::ImportRules,
};
use crate::{
    domain::{
        contact::NewContact,
        do_not_call::NewEntry,
        ids::{BatchId, CampaignId, DoNotCallId},
        phone::E164,
    },
    store::{ImportOutcome, ListingOutcome, Store, StoreError},
};

/// Rows that the store writes in one piece.
const PIECE_ROWS: usize = 500;

/// Bytes of rows at which a piece is handed over early.
const PIECE_BYTES: usize = 1024 * 1024;

/// Rows of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows read.
    pub rows: u64,
    /// New contacts, or entries.
    pub added: u64,
    /// Entries that had another expiry; contacts are never changed.
    pub updated: u64,
    /// Contacts, or entries, that were there already, the same.
    pub unchanged: u64,
    /// Rows left out.
    pub rejected: u64,
}

/// What an import tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportEvent {
    /// So far; everything counted is stored.
    Progress(ImportCounts),
    /// A row that was left out.
    Rejected {
        /// Line of the file, from 1.
        line: u64,
        /// Why, by column; never repeats a number.
        reason: String,
        /// The row as it stood.
        row: String,
    },
    /// The whole file was read.
    Done(ImportCounts),
}

/// Why an import stopped. What `Progress` had told stays; the same file can be imported again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The tenant's region is none.
    #[error("region {0:?} of the tenant is not an ISO 3166-1 code that has phone numbers; change shared/tenant.toml")]
    Region(String),
    /// The file has no header that says what the columns are.
    #[error("line 1 is no header: {}", .0.join("; "))]
    Header(Vec<String>),
    /// The file could not be read.
    #[error("the file could not be read to its end; import it again, what is in stays")]
    Read(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No file defines the campaign any more.
    #[error("campaign \"{0}\" is retired: the commit in force has no file of it, so its contacts would not be called")]
    Retired(CampaignId),
    /// Nobody follows any more.
    #[error("the import was given up; import the file again, what is in stays")]
    Abandoned,
}

impl<T> From<SendError<T>> for ImportError {
    fn from(_: SendError<T>) -> Self {
        Self::Abandoned
    }
}

/// Imports contacts from `source` into a batch of a campaign, held to `rules`.
///
/// Tells what happens by `events`, and waits there for whoever reads them; without a reader it stops.
pub async fn import(
    store: &dyn Store,
    campaign: &CampaignId,
    batch: &BatchId,
    rules: &ImportRules,
    format: ImportFormat,
    source: impl AsyncRead + Unpin + Send,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportCounts, ImportError> {
    // A campaign that is not there is told before the first row is looked at.
    let region = region(rules)?;
    store.import(campaign, batch, Vec::new()).await?;
    let (rows, names) = Rows::open(format, source).await?;
    let mut contacts = ContactRows::new(campaign, rules, region, names).map_err(ImportError::Header)?;
    let read = |row: &Row| contacts.read(row);
    take_in(Contacts { store, campaign, into: batch }, rows, read, events).await
}

/// Imports entries of a do-not-call list from `source`, held to `rules`; those that have no expiry of
/// their own get `expires_at`. It tells what happens as [`import`] does.
pub async fn import_do_not_call(
    store: &dyn Store,
    list: &DoNotCallId,
    rules: &ImportRules,
    expires_at: Option<Timestamp>,
    format: ImportFormat,
    source: impl AsyncRead + Unpin + Send,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportCounts, ImportError> {
    let region = region(rules)?;
    let (rows, names) = Rows::open(format, source).await?;
    let form = Form::new(region, expires_at, names).map_err(ImportError::Header)?;
    take_in(Entries { store, list }, rows, |row: &Row| form.read(row), events).await
}

/// A telephone number as rows have them, held to `rules`; what is wrong with it never repeats it.
pub fn number(text: &str, rules: &ImportRules) -> Result<E164, String> {
    draft::e164(text.trim(), region(rules).map_err(|error| error.to_string())?)
}

pub(super) fn region(rules: &ImportRules) -> Result<Region, ImportError> {
    Region::from_code(&rules.region).map_err(|_| ImportError::Region(rules.region.clone()))
}

/// Reads all rows and hands them over, piece by piece.
async fn take_in<S: Sink>(
    sink: S,
    mut rows: Rows<impl AsyncRead + Unpin + Send>,
    mut read: impl FnMut(&Row) -> Result<S::Item, String> + Send,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportCounts, ImportError> {
    let mut import = Import { sink, events, counts: ImportCounts::default(), piece: Piece::default() };
    while let Some(row) = rows.next().await.map_err(ImportError::Read)? {
        import.counts.rows += 1;
        match read(&row) {
            Ok(item) => import.add(row.line, row.raw, item).await?,
            Err(reason) => import.reject(row.line, row.raw, reason).await?,
        }
    }
    import.finish().await
}

/// Where rows go.
trait Sink: Sync {
    /// What a row is.
    type Item: Send;

    /// Stores a piece.
    async fn write(&self, items: Vec<Self::Item>) -> Result<Written, StoreError>;

    /// Notes how many rows of the whole file were left out.
    async fn finish(&self, rejected: u64) -> Result<(), StoreError>;
}

/// What became of a piece.
struct Written {
    added: u64,
    updated: u64,
    unchanged: u64,
    /// Positions of rows that were left out, since what is there differs.
    conflicting: Vec<usize>,
}

/// Contacts of a campaign.
struct Contacts<'a> {
    store: &'a dyn Store,
    campaign: &'a CampaignId,
    into: &'a BatchId,
}

impl Sink for Contacts<'_> {
    type Item = NewContact;

    async fn write(&self, contacts: Vec<NewContact>) -> Result<Written, StoreError> {
        let ImportOutcome { added, unchanged, conflicting } =
            self.store.import(self.campaign, self.into, contacts).await?;
        Ok(Written { added, updated: 0, unchanged, conflicting })
    }

    async fn finish(&self, rejected: u64) -> Result<(), StoreError> {
        self.store.note_rejected(self.campaign, self.into, rejected).await
    }
}

/// Entries of a do-not-call list.
struct Entries<'a> {
    store: &'a dyn Store,
    list: &'a DoNotCallId,
}

impl Sink for Entries<'_> {
    type Item = NewEntry;

    async fn write(&self, entries: Vec<NewEntry>) -> Result<Written, StoreError> {
        let ListingOutcome { added, updated, unchanged } = self.store.import_do_not_call(self.list, entries).await?;
        Ok(Written { added, updated, unchanged, conflicting: Vec::new() })
    }

    async fn finish(&self, _rejected: u64) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Items on their way, with the rows they come from.
struct Piece<T> {
    items: Vec<T>,
    rows: Vec<(u64, String)>,
    bytes: usize,
}

impl<T> Default for Piece<T> {
    fn default() -> Self {
        Self { items: Vec::new(), rows: Vec::new(), bytes: 0 }
    }
}

struct Import<'a, S: Sink> {
    sink: S,
    events: &'a mpsc::Sender<ImportEvent>,
    counts: ImportCounts,
    piece: Piece<S::Item>,
}

impl<S: Sink> Import<'_, S> {
    async fn add(&mut self, line: u64, row: String, item: S::Item) -> Result<(), ImportError> {
        self.piece.bytes += row.len();
        self.piece.items.push(item);
        self.piece.rows.push((line, row));
        if self.piece.items.len() >= PIECE_ROWS || self.piece.bytes >= PIECE_BYTES {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn reject(&mut self, line: u64, row: String, reason: String) -> Result<(), ImportError> {
        self.counts.rejected += 1;
        self.events.send(ImportEvent::Rejected { line, reason, row }).await?;
        // Rows that are all bad are progress too.
        if self.counts.rejected.is_multiple_of(PIECE_ROWS as u64) {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Result<(), ImportError> {
        let mut piece = std::mem::take(&mut self.piece);
        if !piece.items.is_empty() {
            let written = self.sink.write(piece.items).await?;
            self.counts.added += written.added;
            self.counts.updated += written.updated;
            self.counts.unchanged += written.unchanged;
            for position in written.conflicting {
                let Some((line, row)) = piece.rows.get_mut(position).map(std::mem::take) else { continue };
                self.counts.rejected += 1;
                let reason = "customer_id: is in the campaign with other numbers, attributes, priority, \
                              timezone, not_before or custom_field, and was left as it is"
                    .to_owned();
                self.events.send(ImportEvent::Rejected { line, reason, row }).await?;
            }
        }
        self.events.send(ImportEvent::Progress(self.counts)).await?;
        Ok(())
    }

    async fn finish(mut self) -> Result<ImportCounts, ImportError> {
        self.hand_over().await?;
        self.sink.finish(self.counts.rejected).await?;
        self.events.send(ImportEvent::Done(self.counts)).await?;
        Ok(self.counts)
    }
}
