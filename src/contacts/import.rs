//! The import itself: rows to contacts to the store, batch by batch.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    io,
};

use rlibphonenumber::enums::Region;
use tokio::{
    io::AsyncRead,
    sync::mpsc::{self, error::SendError},
};

use super::{
    rows::{ImportFormat, Row, Rows},
    rules::ImportRules,
};
use crate::{
    domain::{
        contact::NewContact,
        ids::{CampaignId, CustomerId},
    },
    store::{Store, StoreError},
};

/// Rows of one batch: what the store writes in one piece.
const BATCH_ROWS: usize = 500;

/// Bytes of rows at which a batch is handed over early.
const BATCH_BYTES: usize = 1024 * 1024;

/// Customers whose line is remembered, to tell of a repetition by its line (16 bytes each). Beyond
/// them the store still sees a repetition: as unchanged, or as differing from what is there.
const LINES_REMEMBERED: usize = 1_000_000;

/// Rows of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows read.
    pub rows: u64,
    /// New contacts.
    pub added: u64,
    /// Contacts that were there already, the same.
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
    #[error("line 1 is no header for contacts: {}", .0.join("; "))]
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

/// Imports contacts from `source` into a campaign, held to `rules`.
///
/// Tells what happens by `events`, and waits there for whoever reads them; without a reader it stops.
pub async fn import(
    store: &dyn Store,
    campaign: &CampaignId,
    rules: &ImportRules,
    format: ImportFormat,
    source: impl AsyncRead + Unpin + Send,
    events: &mpsc::Sender<ImportEvent>,
) -> Result<ImportCounts, ImportError> {
    let region = Region::from_code(&rules.region).map_err(|_| ImportError::Region(rules.region.clone()))?;
    // A campaign that is not there is told before the first row is looked at.
    store.import(campaign, Vec::new()).await?;
    let mut rows = Rows::open(format, source, rules, region).await?;
    let mut import = Import { store, campaign, events, counts: ImportCounts::default(), batch: Batch::default() };
    let mut lines = Lines::default();
    while let Some(row) = rows.next().await.map_err(ImportError::Read)? {
        import.counts.rows += 1;
        let Row { line, raw, contact } = row;
        match contact.and_then(|contact| lines.only_once(contact, line)) {
            Ok(contact) => import.add(line, raw, contact).await?,
            Err(reason) => import.reject(line, raw, reason).await?,
        }
    }
    import.finish().await
}

/// On which line each customer stood first.
#[derive(Default)]
struct Lines {
    hasher: RandomState,
    lines: HashMap<u64, u32>,
}

impl Lines {
    /// The contact, unless its customer stood on an earlier line.
    fn only_once(&mut self, contact: NewContact, line: u64) -> Result<NewContact, String> {
        match self.first(&contact.customer, line) {
            Some(first) => Err(format!("customer_id: stands on line {first} already")),
            None => Ok(contact),
        }
    }

    /// The earlier line of `customer`; remembers this one if there is none.
    fn first(&mut self, customer: &CustomerId, line: u64) -> Option<u32> {
        let hash = self.hasher.hash_one(customer);
        if let Some(first) = self.lines.get(&hash) {
            return Some(*first);
        }
        if self.lines.len() < LINES_REMEMBERED {
            self.lines.insert(hash, u32::try_from(line).unwrap_or(u32::MAX));
        }
        None
    }
}

/// Contacts on their way, with the rows they come from.
#[derive(Default)]
struct Batch {
    contacts: Vec<NewContact>,
    rows: Vec<(u64, String)>,
    bytes: usize,
}

struct Import<'a> {
    store: &'a dyn Store,
    campaign: &'a CampaignId,
    events: &'a mpsc::Sender<ImportEvent>,
    counts: ImportCounts,
    batch: Batch,
}

impl Import<'_> {
    async fn add(&mut self, line: u64, row: String, contact: NewContact) -> Result<(), ImportError> {
        self.batch.bytes += row.len();
        self.batch.contacts.push(contact);
        self.batch.rows.push((line, row));
        if self.batch.contacts.len() >= BATCH_ROWS || self.batch.bytes >= BATCH_BYTES {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn reject(&mut self, line: u64, row: String, reason: String) -> Result<(), ImportError> {
        self.counts.rejected += 1;
        self.events.send(ImportEvent::Rejected { line, reason, row }).await?;
        // Rows that are all bad are progress too.
        if self.counts.rejected.is_multiple_of(BATCH_ROWS as u64) {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Result<(), ImportError> {
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.contacts.is_empty() {
            let outcome = self.store.import(self.campaign, batch.contacts).await?;
            self.counts.added += outcome.added;
            self.counts.unchanged += outcome.unchanged;
            for position in outcome.conflicting {
                let Some((line, row)) = batch.rows.get_mut(position).map(std::mem::take) else { continue };
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
        self.events.send(ImportEvent::Done(self.counts)).await?;
        Ok(self.counts)
    }
}
