//! Batches of contacts, and contacts as lists show them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::LastAttempt;
use crate::domain::{
    business::BusinessKey,
    contact::Contact,
    ids::{BatchId, ContactRef},
};

/// A batch of contacts: what one or more imports of that name have added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Unique in the campaign.
    pub id: BatchId,
    /// When its first contact was imported.
    pub created_at: Timestamp,
    /// Whether its contacts are not dialled for now.
    pub paused: bool,
    /// Rows that its newest import left out.
    pub rejected: u64,
    /// Its contacts.
    pub tally: BatchTally,
}

/// Counts of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchTally {
    /// All contacts.
    pub contacts: u64,
    /// Contacts not ended and never called.
    pub fresh: u64,
    /// Contacts not ended that have been called.
    pub in_progress: u64,
    /// Ended contacts, by how.
    pub ended: BTreeMap<&'static str, u64>,
}

/// A contact as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The contact.
    pub contact: Contact,
    /// The batch that it came with.
    pub batch: BatchId,
    /// Whether it is in a call.
    pub live: bool,
    /// Whether it and an agent ever heard each other.
    pub connected: bool,
    /// The business result that was last set for it.
    pub business: Option<BusinessKey>,
    /// Its newest attempt.
    pub last: Option<LastAttempt>,
}

/// Some contacts of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchPage {
    /// As they came in.
    pub contacts: Vec<Listed>,
    /// Behind which contact the next page begins; `None` if there is none.
    pub next: Option<ContactRef>,
}
