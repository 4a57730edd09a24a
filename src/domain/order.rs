//! Order: which number of a contact comes next, and which contact goes first (SPEC §3, "due now").
//!
//! The stores' indexes, the in-memory twin and the engine all sort by [`Rank`]; a property test
//! holds them equal.

use jiff::Timestamp;

use super::{
    campaign::Priority,
    contact::{Contact, Number},
};

/// Kinds of due work, in the order in which they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The next number of a `sequence` pass under way.
    Pass,
    /// A number that has been tried, due again.
    Retry,
    /// A number that nobody has called yet.
    Fresh,
}

impl Class {
    /// 0, 1, 2 in serving order, for indexes.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Retry => 1,
            Self::Fresh => 2,
        }
    }
}

/// What a contact needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// What kind of work it is.
    pub class: Class,
    /// From when; the past means now.
    pub ready_at: Timestamp,
    /// Which number, by index from 0.
    pub number: usize,
}

/// From when a contact has work of each class, as long as nothing is written to it: what a store
/// keeps beside a contact so that [`next`] of any instant is a range of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Earliest work of [`Class::Pass`].
    pub pass: Option<Timestamp>,
    /// Earliest work of [`Class::Retry`].
    pub retry: Option<Timestamp>,
    /// Earliest work of [`Class::Fresh`].
    pub fresh: Option<Timestamp>,
}

/// A contact's place among all that are ready; the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    class: Class,
    /// Due time for retries, the same for all others.
    due_at: Timestamp,
    priority: Priority,
    import_order: i64,
}

/// What `contact` needs next at `now`: the first in order of what is ready, else the earliest to
/// get ready; `None` once it has ended.
#[must_use]
pub fn next(contact: &Contact, now: Timestamp) -> Option<Next> {
    if contact.progress.ended.is_some() {
        return None;
    }
    let numbers = contact.progress.numbers.iter().enumerate();
    let work = numbers.filter(|(_, n)| n.ended.is_none()).map(|(index, n)| work_of(contact, index, n));
    work.min_by_key(|next| {
        let wait = next.ready_at.max(now);
        let due = if next.class == Class::Retry { next.ready_at } else { Timestamp::MIN };
        (wait, next.class, due, next.number)
    })
}

/// From when `contact` has work of each class; nothing once it has ended.
#[must_use]
pub fn readiness(contact: &Contact) -> Readiness {
    let mut ready = Readiness::default();
    if contact.progress.ended.is_some() {
        return ready;
    }
    for (index, number) in contact.progress.numbers.iter().enumerate().filter(|(_, n)| n.ended.is_none()) {
        let work = work_of(contact, index, number);
        let earliest = match work.class {
            Class::Pass => &mut ready.pass,
            Class::Retry => &mut ready.retry,
            Class::Fresh => &mut ready.fresh,
        };
        *earliest = Some(earliest.map_or(work.ready_at, |at| at.min(work.ready_at)));
    }
    ready
}

impl Readiness {
    /// When the contact first has any work.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        [self.pass, self.retry, self.fresh].into_iter().flatten().min()
    }
}

fn work_of(contact: &Contact, index: usize, number: &Number) -> Next {
    let behind_pass = contact.progress.pass.is_some_and(|pass| index > usize::from(pass));
    let class = match (number.tried, behind_pass) {
        (true, _) => Class::Retry,
        (false, true) => Class::Pass,
        (false, false) => Class::Fresh,
    };
    let from = [contact.not_before, number.due_at, number.held_until, number.listed_until].into_iter().flatten().max();
    Next { class, ready_at: from.unwrap_or(Timestamp::MIN), number: index }
}

/// Where a contact whose next work is `next` stands among the ready ones.
#[must_use]
pub fn rank(contact: &Contact, next: &Next) -> Rank {
    Rank {
        class: next.class,
        due_at: if next.class == Class::Retry { next.ready_at } else { Timestamp::MIN },
        priority: contact.priority,
        import_order: contact.import_order,
    }
}
