//! Which evaluations a campaign has: the one that pages are read from, and the one that is being written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{campaign::Campaign, contact::Contact};

/// The evaluations of a campaign.
#[derive(Debug, Clone, Default)]
pub(super) struct Evaluations {
    /// The one that pages are read from; `None` before the first is complete.
    pub(super) standing: Option<i64>,
    /// The definition that it is of, as far as this life has heard of it.
    pub(super) by: Option<Arc<Campaign>>,
    /// The one that is to take its place.
    pub(super) next: Option<Arc<UnderWay>>,
}

/// An evaluation that is being written.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// Its key.
    pub(super) evaluation: i64,
    /// The definition that it is of.
    pub(super) campaign: Arc<Campaign>,
    seen: Mutex<Seen>,
}

/// Contacts by what the evaluation has found.
#[derive(Debug, Default)]
struct Seen {
    /// They have changed since it began, so their places are written as they change.
    touched: Contacts,
    /// They are open, and the filter leaves them out.
    filtered_out: Contacts,
    /// They are open, and only the pause of their batch leaves them out.
    paused_out: Contacts,
}

/// What decides whether a contact stands anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// It has not ended.
    pub(super) open: bool,
    /// The filter leaves it in.
    pub(super) matches: bool,
    /// Its batch is paused.
    pub(super) paused: bool,
}

impl Seen {
    fn see(&mut self, id: i64, Found { open, matches, paused }: Found) {
        self.filtered_out.set(id, open && !matches);
        self.paused_out.set(id, open && matches && paused);
    }
}

impl UnderWay {
    /// One that has seen nobody.
    pub(super) fn new(evaluation: i64, campaign: Arc<Campaign>) -> Self {
        Self { evaluation, campaign, seen: Mutex::default() }
    }

    /// A contact has come to stand otherwise while this is under way.
    pub(super) fn touch(&self, contact: &Contact, paused: bool) {
        let mut seen = self.seen();
        seen.touched.set(contact.reference.0, true);
        let matches = self.campaign.matches(&contact.attributes);
        seen.see(contact.reference.0, Found { open: !contact.progress.is_over(), matches, paused });
    }

    /// A contact is gone.
    pub(super) fn forget(&self, contact: i64) {
        let mut seen = self.seen();
        seen.touched.set(contact, true);
        seen.filtered_out.set(contact, false);
        seen.paused_out.set(contact, false);
    }

    /// A contact has been read; tells whether it still is what it was.
    pub(super) fn read(&self, contact: i64, found: Found) -> bool {
        let mut seen = self.seen();
        let still = !seen.touched.has(contact);
        if still {
            seen.see(contact, found);
        }
        still
    }

    /// Whether a contact has changed since this began.
    pub(super) fn is_touched(&self, contact: i64) -> bool {
        self.seen().touched.has(contact)
    }

    /// How many open contacts the filter leaves out, and how many only the pause of their batch.
    pub(super) fn left_out(&self) -> (i64, i64) {
        let seen = self.seen();
        (seen.filtered_out.count(), seen.paused_out.count())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A set of contacts, a bit for each.
#[derive(Debug, Default)]
struct Contacts(Vec<u64>);

impl Contacts {
    fn set(&mut self, contact: i64, there: bool) {
        let (word, bit) = place(contact);
        if there && word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        match self.0.get_mut(word) {
            Some(bits) if there => *bits |= bit,
            Some(bits) => *bits &= !bit,
            None => {}
        }
    }

    fn has(&self, contact: i64) -> bool {
        let (word, bit) = place(contact);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn count(&self) -> i64 {
        self.0.iter().map(|bits| i64::from(bits.count_ones())).sum()
    }
}

fn place(contact: i64) -> (usize, u64) {
    (usize::try_from(contact / 64).unwrap_or(0), 1 << (contact % 64))
}
