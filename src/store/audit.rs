//! The audit log: who changed what, in a chain in which each entry vouches for all before it.
//!
//! An entry's digest is SHA-256 of the digest before it and of everything that the entry says, each value
//! with its length before it. So an entry that was edited, taken out or moved breaks the chain there, and whoever
//! keeps the newest digest elsewhere can tell that the end was not cut off either.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Store, StoreError, keyed::KeyedId, row};
use crate::domain::audit::Deed;

/// What is to be written down.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// What was done.
    pub deed: Deed,
    written: Arc<AtomicBool>,
    /// The request of an idempotency key that it is done for.
    keyed: Option<KeyedId>,
}

impl NewAuditEntry {
    /// One that is yet to be written.
    #[must_use]
    pub fn new(deed: Deed) -> Self {
        Self { deed, written: Arc::default(), keyed: None }
    }

    /// The same of another deed; it counts as written with this one.
    #[must_use]
    pub fn of(&self, deed: Deed) -> Self {
        Self { deed, written: Arc::clone(&self.written), keyed: self.keyed }
    }

    /// The same, done for a request of an idempotency key: with the change it is noted that this was done.
    #[must_use]
    pub fn keyed(self, id: KeyedId) -> Self {
        Self { keyed: Some(id), ..self }
    }

    /// The request that it is done for.
    pub(super) fn request(&self) -> Option<&KeyedId> {
        self.keyed.as_ref()
    }

    /// Whether it has been written.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// Takes it as written.
    pub fn count_as_written(&self) {
        self.written.store(true, Ordering::Release);
    }

    /// The entry that follows the one with `before` as its digest.
    pub(super) fn after(&self, id: u64, at: Timestamp, before: &str) -> AuditEntry {
        let Deed { who, role, action, object, result } = self.deed.clone();
        let (role, result) = (role.to_string(), result.as_str().to_owned());
        let mut entry = AuditEntry { id, at, who, role, action, object, result, digest: String::new() };
        entry.digest = entry.digest_after(before);
        self.count_as_written();
        entry
    }
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// From 1, without a gap.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// In which role.
    pub role: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// What came of it.
    pub result: String,
    /// Of this entry and all before it, as hexadecimal digits.
    pub digest: String,
}

impl AuditEntry {
    /// The digest that it must have behind one with this digest.
    #[must_use]
    pub fn digest_after(&self, before: &str) -> String {
        let at = row::micros(self.at).to_string();
        let id = self.id.to_string();
        let mut hash = Sha256::new();
        for value in [before, &id, &at, &self.who, &self.role, &self.action, &self.object, &self.result] {
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
        row::hex(&hash.finalize())
    }
}

/// Follows the chain, entry by entry from the first.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    last: u64,
    digest: String,
}

/// Where the chain is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An id that should have come.
    #[error("entry {wanted} is missing: entry {found} stands where it should be")]
    Missing {
        /// The one that should have come.
        wanted: u64,
        /// What came.
        found: u64,
    },
    /// It is not what was written, or does not follow the one before.
    #[error("entry {0} is not what was written, or the one before it is not")]
    Changed(u64),
}

impl Chain {
    /// Takes the next entry in.
    pub fn follow(&mut self, entry: &AuditEntry) -> Result<(), Broken> {
        let wanted = self.last + 1;
        if entry.id != wanted {
            return Err(Broken::Missing { wanted, found: entry.id });
        }
        if entry.digest != entry.digest_after(&self.digest) {
            return Err(Broken::Changed(entry.id));
        }
        (self.last, self.digest) = (entry.id, entry.digest.clone());
        Ok(())
    }

    /// How many entries it has, and the digest of the newest.
    #[must_use]
    pub fn end(&self) -> (u64, &str) {
        (self.last, &self.digest)
    }
}

/// What [`Store`] keeps of who changed what.
#[async_trait]
pub trait Audit: Send + Sync + 'static {
    /// This store, each change through which is written down with `entry`, in the transaction of the change. What
    /// changes nothing writes nothing.
    fn audited(&self, entry: NewAuditEntry) -> Arc<dyn Store>;

    /// Writes an entry by itself, for what is no change of the store, or of many transactions.
    async fn audit(&self, entry: NewAuditEntry) -> Result<(), StoreError>;

    /// Entries by id: those after `after`, or without it the newest, oldest first.
    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{audit::DeedResult, person::Role};

    fn new(who: &str, action: &str, object: &str) -> NewAuditEntry {
        let (who, role, result) = (who.to_owned(), Role::Admin, DeedResult::Done);
        NewAuditEntry::new(Deed { who, role, action: action.to_owned(), object: object.to_owned(), result })
    }

    fn chain(objects: &[&str]) -> Vec<AuditEntry> {
        let mut entries: Vec<AuditEntry> = Vec::new();
        for (id, object) in (1..).zip(objects) {
            let before = entries.last().map(|entry| entry.digest.clone()).unwrap_or_default();
            entries.push(new("anna", "x", object).after(id, Timestamp::UNIX_EPOCH, &before));
        }
        entries
    }

    fn verify(entries: &[AuditEntry]) -> Result<(), Broken> {
        let mut chain = Chain::default();
        entries.iter().try_for_each(|entry| chain.follow(entry))
    }

    #[test]
    fn a_chain_tells_what_was_edited_taken_out_or_moved() {
        let good = chain(&["a", "b", "c", "d"]);
        assert_eq!(verify(&good), Ok(()));
        let mut edited = good.clone();
        edited[1].object = "x".to_owned();
        assert_eq!(verify(&edited), Err(Broken::Changed(2)));
        let mut forged = edited.clone();
        forged[1].digest = forged[1].digest_after(&good[0].digest);
        assert_eq!(verify(&forged), Err(Broken::Changed(3)), "those behind it vouch for what it was");
        let mut gone = good.clone();
        gone.remove(2);
        assert_eq!(verify(&gone), Err(Broken::Missing { wanted: 3, found: 4 }));
        let mut moved = good.clone();
        moved.swap(1, 2);
        (moved[1].id, moved[2].id) = (2, 3);
        assert_eq!(verify(&moved), Err(Broken::Changed(2)));
    }

    #[test]
    fn a_value_can_not_run_over_into_the_next() {
        let of = |action: &str, object: &str| new("anna", action, object).after(1, Timestamp::UNIX_EPOCH, "").digest;
        assert_ne!(of("ab", "c"), of("a", "bc"));
    }
}
