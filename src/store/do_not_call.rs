//! What do-not-call lists hold, and what became of entries.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{do_not_call::NewEntry, ids::DoNotCallId};

/// What became of a batch of entries of a do-not-call list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingOutcome {
    /// New entries.
    pub added: u64,
    /// Entries that had another expiry.
    pub updated: u64,
    /// Entries that were there already, the same.
    pub unchanged: u64,
}

/// An entry of a do-not-call list, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNumber {
    /// The number, its expiry.
    pub entry: NewEntry,
    /// When it was imported.
    pub imported_at: Timestamp,
}

/// What the do-not-call lists hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoNotCallCounts {
    /// Rises with each change of any list.
    pub version: u64,
    /// Lists that have entries, by id.
    pub lists: BTreeMap<DoNotCallId, ListCount>,
}

/// Entries of one do-not-call list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCount {
    /// All of them.
    pub entries: u64,
    /// Those that hold no longer.
    pub expired: u64,
}
