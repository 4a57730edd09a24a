//! Do-not-call lists of the twin.

use std::{collections::BTreeMap, ops::Bound};

use jiff::Timestamp;

use super::{State, limit_of};
use crate::{
    domain::{
        campaign::{Campaign, DialPermission},
        contact::Contact,
        do_not_call::{self, Entry, NewEntry},
        ids::{CampaignId, ContactRef, DoNotCallId},
        phone::E164,
    },
    store::{DoNotCallCounts, EVALUATION_SLICE, Evaluated, ListCount, ListedNumber, ListingOutcome},
};

/// Entries of all lists, each with when it was imported.
#[derive(Debug, Default)]
pub(super) struct DoNotCall {
    /// Rises with each change.
    pub(super) version: u64,
    entries: BTreeMap<(DoNotCallId, E164), (Option<Timestamp>, Timestamp)>,
}

impl DoNotCall {
    /// What `lists` say of each number of a contact.
    pub(super) fn of(&self, lists: &[DoNotCallId], contact: &Contact) -> Vec<Vec<Entry>> {
        let entry = |list: &DoNotCallId, number: &E164| {
            let (expires_at, _) = self.entries.get(&(list.clone(), number.clone()))?;
            Some(Entry { list: list.clone(), expires_at: *expires_at })
        };
        let numbers = contact.progress.numbers.iter();
        numbers.map(|number| lists.iter().filter_map(|list| entry(list, &number.e164)).collect()).collect()
    }

    /// How much the lists hold.
    pub(super) fn counts(&self, now: Timestamp) -> DoNotCallCounts {
        let mut lists: BTreeMap<DoNotCallId, ListCount> = BTreeMap::new();
        for ((list, _), (expires_at, _)) in &self.entries {
            let count = lists.entry(list.clone()).or_default();
            count.entries += 1;
            count.expired += u64::from(expires_at.is_some_and(|at| at <= now));
        }
        DoNotCallCounts { version: self.version, lists }
    }

    /// Entries of a list by number.
    pub(super) fn page(&self, list: &DoNotCallId, after: Option<&E164>, limit: u32) -> Vec<ListedNumber> {
        let own =
            self.entries.iter().filter(|((of, number), _)| of == list && after.is_none_or(|after| number > after));
        let listed = own.map(|((_, number), (expires_at, imported_at))| ListedNumber {
            entry: NewEntry { number: number.clone(), expires_at: *expires_at },
            imported_at: *imported_at,
        });
        listed.take(limit_of(limit)).collect()
    }
}

impl State {
    pub(super) fn import_do_not_call(
        &mut self,
        list: &DoNotCallId,
        entries: Vec<NewEntry>,
        now: Timestamp,
    ) -> ListingOutcome {
        let mut outcome = ListingOutcome::default();
        for NewEntry { number, expires_at } in entries {
            let key = (list.clone(), number.clone());
            match self.do_not_call.entries.get(&key) {
                Some((before, _)) if *before == expires_at => {
                    outcome.unchanged += 1;
                    continue;
                }
                Some(_) => {
                    outcome.updated += 1;
                    self.release_number(&number);
                }
                None => outcome.added += 1,
            }
            self.do_not_call.entries.insert(key, (expires_at, now));
        }
        self.do_not_call.version += u64::from(outcome.added + outcome.updated > 0);
        outcome
    }

    pub(super) fn remove_do_not_call(&mut self, list: &DoNotCallId, number: &E164) -> bool {
        let removed = self.do_not_call.entries.remove(&(list.clone(), number.clone())).is_some();
        if removed {
            self.release_number(number);
            self.do_not_call.version += 1;
        }
        removed
    }

    /// Whoever is marked because of `number` is screened anew before it is picked.
    fn release_number(&mut self, number: &E164) {
        let marked =
            |contact: &&Contact| contact.progress.numbers.iter().any(|n| n.e164 == *number && n.listed_until.is_some());
        let held: Vec<ContactRef> = self.contacts.values().filter(marked).map(|contact| contact.reference).collect();
        for contact in held {
            self.release(contact);
        }
    }

    fn release(&mut self, contact: ContactRef) {
        if let Some(released) = self.contacts.get(&contact).map(|contact| do_not_call::unlisted(&contact.progress)) {
            self.write(contact, released);
        }
    }

    /// Marks the contacts that picking up to `limit` comes past, until it comes past none.
    pub(super) fn screen(&mut self, campaign: &CampaignId, now: Timestamp, limit: u32, permission: &DialPermission) {
        let Some(defined) = self.defined(campaign).cloned() else { return };
        loop {
            let unscreened = self.unscreened(&defined, now, limit, permission);
            if unscreened.is_empty() {
                return;
            }
            for contact in unscreened {
                let Some(found) = self.contacts.get(&contact) else { continue };
                let entries = self.do_not_call.of(&defined.do_not_call, found);
                if let Some(after) = do_not_call::screened(&found.progress, &entries, &defined.do_not_call, now) {
                    self.write(contact, after);
                }
            }
        }
    }

    fn unscreened(
        &self,
        campaign: &Campaign,
        now: Timestamp,
        limit: u32,
        permission: &DialPermission,
    ) -> Vec<ContactRef> {
        let (mut unscreened, mut found) = (Vec::new(), 0);
        for (_, contact) in self.ready(&campaign.id, now).0 {
            if found == limit_of(limit) {
                break;
            }
            if !self.may(&contact, permission) {
                continue;
            }
            let entries = self.do_not_call.of(&campaign.do_not_call, &contact);
            match do_not_call::screened(&contact.progress, &entries, &campaign.do_not_call, now) {
                Some(_) => unscreened.push(contact.reference),
                None => found += 1,
            }
        }
        unscreened
    }

    /// Releases the next marked contacts of a campaign that follows fewer lists; `None` if there is none.
    pub(super) fn unlist_slice(&mut self) -> Option<Evaluated> {
        let slice = usize::try_from(EVALUATION_SLICE).unwrap_or(usize::MAX);
        let (campaign, after) = self.campaigns.iter().find_map(|(id, held)| Some((id.clone(), held.unlisted_to?)))?;
        let rest = self.contacts.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, contact)| contact);
        let marked = rest.filter(|contact| contact.progress.numbers.iter().any(|n| n.listed_until.is_some()));
        let seen: Vec<Contact> = marked.take(slice).cloned().collect();
        let own = seen.iter().filter(|contact| contact.campaign == campaign);
        let admitted = own.clone().filter(|contact| !contact.progress.is_over()).count() as u64;
        for contact in own {
            self.release(contact.reference);
        }
        let complete = seen.len() < slice;
        if let Some(held) = self.campaigns.get_mut(&campaign) {
            held.unlisted_to = seen.last().map(|contact| contact.reference).filter(|_| !complete);
        }
        Some(Evaluated { campaign, admitted, complete })
    }
}
