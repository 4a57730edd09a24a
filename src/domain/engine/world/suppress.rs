//! Do-not-call entries that come and go while a world runs; every campaign follows their list.

use super::*;
use crate::domain::{
    do_not_call::{self, Entry},
    ids::DoNotCallId,
};

/// For how long numbers are put on the list.
const SUPPRESSING_FOR: Duration = Duration::from_secs(8 * 86_400);

/// What is on the list, and what has been.
#[derive(Debug, Default)]
pub(super) struct Suppression {
    entries: BTreeMap<E164, Entry>,
    /// Every number that was on it: from when, and until when it held.
    log: Vec<(E164, Timestamp, Timestamp)>,
    /// How often a contact was marked.
    marked: u32,
}

fn list() -> DoNotCallId {
    slug(DoNotCallId::parse, "objected")
}

impl World {
    /// Has every campaign follow the list, and the first number put on it.
    pub(super) fn begin_suppressing(&mut self) {
        for campaign in self.generation.definitions.campaigns.values_mut() {
            Arc::make_mut(campaign).do_not_call = vec![list()];
        }
        self.later(Duration::ZERO, Event::Suppress);
    }

    /// Puts somebody's number on the list, until it expires or is taken off.
    pub(super) fn suppress(&mut self) {
        let after = self.millis(4 * 3_600_000);
        if self.mono + after < SUPPRESSING_FOR {
            self.later(after, Event::Suppress);
        }
        let nth = |dice: &mut Dice, length: usize| usize::try_from(dice.below(length as u64)).unwrap();
        let contact = nth(&mut self.dice, self.contacts.len());
        let numbers = &self.contacts.values().nth(contact).unwrap().progress.numbers;
        let number = numbers[nth(&mut self.dice, numbers.len())].e164.clone();
        let holds_for = self.millis(3 * 86_400_000);
        self.unlist(&number);
        let expires_at = self.dice.chance(50).then(|| self.wall() + SignedDuration::try_from(holds_for).unwrap());
        if expires_at.is_none() {
            self.later(holds_for, Event::Unlist(number.clone()));
        }
        let entry = Entry { list: list(), expires_at };
        self.suppression.log.push((number.clone(), self.wall(), entry.until()));
        self.suppression.entries.insert(number, entry);
        self.tell();
    }

    /// Takes a number off the list, and releases whom it held.
    pub(super) fn unlist(&mut self, number: &E164) {
        if self.suppression.entries.remove(number).is_none() {
            return;
        }
        let now = self.wall();
        let was = self.suppression.log.iter_mut().rfind(|(of, ..)| of == number).unwrap();
        was.2 = was.2.min(now);
        for contact in self.contacts.values_mut() {
            if contact.progress.numbers.iter().any(|n| n.e164 == *number && n.listed_until.is_some()) {
                contact.progress = do_not_call::unlisted(&contact.progress);
                contact.version += 1;
            }
        }
        self.tell();
    }

    /// Most times the engine is told at once, and now and then what it holds gets old.
    fn tell(&mut self) {
        let campaigns: Vec<CampaignId> = self.generation.definitions.campaigns.keys().cloned().collect();
        for campaign in campaigns {
            let at_once = self.dice.chance(80);
            let after = self.millis(if at_once { 20 } else { 3_600_000 });
            self.later(after, Event::Give(Input::ContactsAdded(campaign)));
        }
    }

    /// What the list says of a number.
    pub(super) fn entries(&self, number: &E164) -> Vec<Entry> {
        self.suppression.entries.get(number).cloned().into_iter().collect()
    }

    /// The store's marks on the contacts of a campaign become right.
    pub(super) fn screen(&mut self, campaign: &CampaignId) {
        let (now, lists) = (self.wall(), self.generation.definitions.campaigns[campaign].do_not_call.clone());
        let live: BTreeSet<ContactRef> =
            self.attempts.values().filter(|a| a.result.is_none() && !a.withdrawn).map(|a| a.contact).collect();
        for contact in self.contacts.values_mut().filter(|c| c.campaign == *campaign && !live.contains(&c.reference)) {
            let entries = contact.progress.numbers.iter().map(|n| self.suppression.entries.get(&n.e164));
            let entries: Vec<Vec<Entry>> = entries.map(|entry| entry.cloned().into_iter().collect()).collect();
            if let Some(after) = do_not_call::screened(&contact.progress, &entries, &lists, now) {
                contact.progress = after;
                contact.version += 1;
                self.suppression.marked += 1;
            }
        }
    }

    /// How often a contact was held, by its mark or at the gate.
    pub(super) fn held(&self) -> u32 {
        self.suppression.marked + self.refused.get("do_not_call").copied().unwrap_or_default()
    }

    /// No call was decided on while its number was on the list.
    pub(super) fn judge_suppression(&self) {
        for attempt in self.attempts.values().filter(|a| !a.withdrawn) {
            let on_it = |(number, since, until): &&(E164, Timestamp, Timestamp)| {
                *number == attempt.e164 && *since < attempt.recorded_at && attempt.recorded_at < *until
            };
            let entry = self.suppression.log.iter().find(on_it);
            assert!(entry.is_none(), "{} was called while on the list: {entry:?}", attempt.id);
        }
    }
}
