//! Do-not-call lists in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Facts;
use crate::domain::{
    contact::{Contact, Progress},
    do_not_call::{self, Entry, NewEntry},
    ids::DoNotCallId,
    phone::E164,
};

/// Entries of all lists, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries(BTreeMap<E164, Vec<Entry>>);

impl Entries {
    /// What the lists say of a number.
    pub(super) fn of(&self, number: &E164) -> &[Entry] {
        self.0.get(number).map_or(&[], Vec::as_slice)
    }

    fn put(&mut self, list: &DoNotCallId, entry: NewEntry) {
        let entries = self.0.entry(entry.number).or_default();
        entries.retain(|known| known.list != *list);
        entries.push(Entry { list: list.clone(), expires_at: entry.expires_at });
    }

    /// The progress of a contact whose campaign follows `lists`; `None` if they change nothing of it.
    pub(super) fn screened(&self, contact: &Contact, lists: &[DoNotCallId]) -> Option<Progress> {
        let numbers = contact.progress.numbers.iter();
        let entries: Vec<Vec<Entry>> = numbers.map(|number| self.of(&number.e164).to_vec()).collect();
        // An entry that has expired sets a time that has passed, which says the same as none.
        do_not_call::screened(&contact.progress, &entries, lists, Timestamp::MIN)
    }
}

impl Facts {
    /// Enters a number in a do-not-call list, in place of the entry that it has there; it holds from the
    /// next decision on.
    pub fn list(&mut self, list: &DoNotCallId, entry: NewEntry) {
        let known = self.by_number.get(&entry.number).cloned().unwrap_or_default();
        self.do_not_call.put(list, entry);
        for reference in known {
            let Some(contact) = self.contact(reference) else { continue };
            let campaign = self.campaigns.get(&contact.campaign).and_then(|shelf| shelf.definition.clone());
            let Some(campaign) = campaign else { continue };
            if let Some(progress) = self.do_not_call.screened(contact, &campaign.do_not_call) {
                self.rewrite(reference, |kept| kept.contact.progress = progress);
            }
        }
    }
}
