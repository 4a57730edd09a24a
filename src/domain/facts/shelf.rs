//! A campaign's contacts in the order in which they are served, kept as an index.
//!
//! A contact stands among the ready ones by its rank, and among the waiting ones by the instant at
//! which its place next changes; both are rewritten whenever the contact is written to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::domain::{
    calendar::{CLOSES_BEFORE, ZonedHours},
    campaign::Campaign,
    contact::{Contact, Number},
    ids::{ContactRef, CustomerId},
    order::{self, Rank},
    phone::E164,
};

/// A contact and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) contact: Contact,
    /// Other contacts of the same customer: by its id, or by a number that both have.
    pub(super) related: Vec<ContactRef>,
    /// Live calls to its customer, its own among them.
    pub(super) calls: u32,
    /// Whether it has a live call itself.
    pub(super) live: bool,
    /// Whether the filter in force leaves it out.
    left_out: bool,
    place: Place,
}

/// Where a contact stands at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    /// Among the ready ones.
    rank: Option<Rank>,
    /// When that changes by itself.
    turns_at: Option<Timestamp>,
}

impl Kept {
    pub(super) fn new(contact: Contact, related: Vec<ContactRef>, calls: u32) -> Self {
        Self { contact, related, calls, live: false, left_out: false, place: Place::default() }
    }

    fn is_open(&self) -> bool {
        !self.contact.progress.is_over()
    }
}

/// One campaign's contacts.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    /// `None` once its file is gone; then nothing is ready.
    pub(super) definition: Option<Arc<Campaign>>,
    /// `ends_at` of the last one.
    pub(super) ends_at: Option<Timestamp>,
    pub(super) customers: BTreeMap<CustomerId, ContactRef>,
    pub(super) caller_usage: BTreeMap<E164, u64>,
    /// Contacts that have not ended.
    pub(super) open: u64,
    /// Those of them for which the filter holds.
    pub(super) matching: u64,
    ready: BTreeSet<(Rank, ContactRef)>,
    waiting: BTreeSet<(Timestamp, ContactRef)>,
    /// Contacts without a live call whose customer has one.
    occupied: BTreeSet<ContactRef>,
    /// The instant that `ready` is of.
    woken_at: Timestamp,
    /// When hours next change, by their zone: nothing does from the first instant to before the second.
    turns: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self {
            definition: None,
            ends_at: None,
            customers: BTreeMap::new(),
            caller_usage: BTreeMap::new(),
            open: 0,
            matching: 0,
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            occupied: BTreeSet::new(),
            woken_at: Timestamp::MIN,
            turns: BTreeMap::new(),
        }
    }

    /// Takes a contact off, before it is written to.
    pub(super) fn take_off(&mut self, kept: &mut Kept) {
        let reference = kept.contact.reference;
        self.open -= u64::from(kept.is_open());
        self.matching -= u64::from(kept.is_open() && !kept.left_out);
        self.occupied.remove(&reference);
        self.move_to(kept, Place::default());
    }

    /// Puts a contact where it belongs, after it was written to.
    pub(super) fn put_on(&mut self, kept: &mut Kept) {
        let reference = kept.contact.reference;
        kept.left_out = self.definition.as_ref().is_some_and(|campaign| !campaign.matches(&kept.contact.attributes));
        self.open += u64::from(kept.is_open());
        self.matching += u64::from(kept.is_open() && !kept.left_out);
        if kept.calls > 0 && !kept.live && kept.is_open() && !kept.left_out {
            self.occupied.insert(reference);
        }
        let place = self.place_of(kept, self.woken_at);
        self.move_to(kept, place);
    }

    /// Takes over another definition, while no contact stands here.
    pub(super) fn redefine(&mut self, definition: Option<Arc<Campaign>>) {
        self.ends_at = definition.as_ref().map_or(self.ends_at, |campaign| Some(campaign.ends_at));
        self.definition = definition;
        self.turns.clear();
    }

    fn place_of(&mut self, kept: &Kept, at: Timestamp) -> Place {
        let Some(campaign) = self.definition.clone().filter(|_| !kept.live && !kept.left_out) else {
            return Place::default();
        };
        let contact = &kept.contact;
        let Some(next) = order::next(&campaign, contact, at) else { return Place::default() };
        // While another contact of the customer is called, time goes on: it may get ready then.
        let rank = (kept.calls == 0 && next.ready_at <= at).then(|| order::rank(&campaign, contact, &next));
        let by_time = order::standing(&campaign, contact, at).wakes_at(at);
        let turns_at = if campaign.hours.is_in_contact_zone() {
            let by_hours =
                called(contact).filter_map(|number| self.turn(&campaign.hours_of(contact, number), at)).min();
            [by_time, by_hours].into_iter().flatten().min()
        } else {
            by_time
        };
        Place { rank, turns_at }
    }

    /// When the gate next lets calls through, or no longer does, in a zone.
    fn turn(&mut self, hours: &ZonedHours<'_>, at: Timestamp) -> Option<Timestamp> {
        if let Some((from, until)) = self.turns.get(hours.timezone())
            && (*from..*until).contains(&at)
        {
            return Some(*until);
        }
        let until = if hours.lets_through(at) {
            hours.closes_at(at).and_then(|at| at.checked_sub(CLOSES_BEFORE).ok())
        } else {
            hours.next_through(at)
        };
        let until = until?;
        self.turns.insert(hours.timezone().to_owned(), (at, until));
        Some(until)
    }

    fn move_to(&mut self, kept: &mut Kept, place: Place) {
        let reference = kept.contact.reference;
        let before = std::mem::replace(&mut kept.place, place);
        if before.rank != kept.place.rank {
            before.rank.map(|rank| self.ready.remove(&(rank, reference)));
            kept.place.rank.clone().map(|rank| self.ready.insert((rank, reference)));
        }
        if before.turns_at != kept.place.turns_at {
            before.turns_at.map(|at| self.waiting.remove(&(at, reference)));
            kept.place.turns_at.map(|at| self.waiting.insert((at, reference)));
        }
    }

    /// Brings the ready ones to `now`; `contacts` are those of all campaigns. Time that went back is
    /// made up for by looking at every contact again.
    pub(super) fn wake(&mut self, now: Timestamp, contacts: &mut [Kept]) {
        let due: Vec<ContactRef> = if now < self.woken_at {
            self.customers.values().copied().collect()
        } else {
            let turned = self.waiting.iter().take_while(|(at, _)| *at <= now);
            turned.map(|(_, reference)| *reference).collect()
        };
        for reference in due {
            if let Some(kept) = super::position(reference).and_then(|at| contacts.get_mut(at)) {
                let place = self.place_of(kept, now);
                self.move_to(kept, place);
            }
        }
        self.woken_at = now;
    }

    /// Contacts that are ready, the first to be served first.
    pub(super) fn ready(&self) -> impl Iterator<Item = &(Rank, ContactRef)> {
        self.ready.iter()
    }

    /// When the place of any contact changes by itself.
    pub(super) fn turns_at(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Whether a contact would be ready but for a call to its customer.
    pub(super) fn is_kept_by_a_call(&self, contacts: &[Kept]) -> bool {
        let Some(campaign) = &self.definition else { return false };
        let kept = |reference: &ContactRef| super::position(*reference).and_then(|at| contacts.get(at));
        let next = |kept: &Kept| order::next(campaign, &kept.contact, self.woken_at);
        self.occupied.iter().filter_map(kept).filter_map(next).any(|next| next.ready_at <= self.woken_at)
    }
}

/// Numbers of a contact that may still be called: by the result policy, or as a business result wants it, though
/// the policy has ended the number.
fn called(contact: &Contact) -> impl Iterator<Item = &Number> {
    let progress = &contact.progress;
    let open = progress.numbers.iter().filter(|number| number.ended.is_none());
    open.chain(progress.business.scheduled.iter().map(|call| &call.tries))
}
