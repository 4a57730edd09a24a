//! The frequency ledger in memory, and contacts that its caps hold.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;

use super::{Facts, calls_to, position};
use crate::domain::{
    campaign::Campaign,
    contact::{Contact, Progress},
    gate::{self, NumberHistory},
    ids::{CampaignId, ContactRef},
    order,
    reason::Hold,
};

/// A contact that a cap holds.
#[derive(Debug, Clone)]
pub struct Capped {
    /// Which one.
    pub contact: ContactRef,
    /// The number that it would be called on, by index from 0.
    pub number: usize,
    /// The cap.
    pub hold: Hold,
}

impl Facts {
    /// What the ledger knows of a contact's number, and of its customer where a cap asks for it.
    pub(super) fn history_of(&self, campaign: &Campaign, contact: &Contact, number: usize) -> Cow<'_, NumberHistory> {
        let called = contact.progress.numbers.get(number).map(|number| &number.e164);
        let known = called.and_then(|called| self.history.get(called));
        if campaign.limits.max_attempts_per_contact.is_some() {
            let to_customer = calls_to(&self.by_customer, &self.contacts, &contact.customer);
            return Cow::Owned(NumberHistory { to_customer, ..known.cloned().unwrap_or_default() });
        }
        known.map_or_else(|| Cow::Owned(NumberHistory::default()), Cow::Borrowed)
    }

    /// Finds those of the first `limit` candidates that a cap holds at `now`, and writes it down as the last gate
    /// would: so no agent is claimed for them in vain.
    pub fn hold_capped(&mut self, campaign: &CampaignId, now: Timestamp, limit: u32) -> Vec<Capped> {
        let mut all = Vec::new();
        let Some(shelf) = self.campaigns.get_mut(campaign) else { return all };
        let Some(defined) = shelf.definition.clone().filter(|campaign| has_caps(campaign)) else { return all };
        shelf.wake(now, &mut self.contacts);
        loop {
            let found = self.capped(&defined, now, usize::try_from(limit).unwrap_or(usize::MAX));
            if found.is_empty() {
                return all;
            }
            for (capped, progress) in found {
                self.write(capped.contact, progress);
                all.push(capped);
            }
        }
    }

    fn capped(&self, campaign: &Arc<Campaign>, now: Timestamp, limit: usize) -> Vec<(Capped, Progress)> {
        let Some(shelf) = self.campaigns.get(&campaign.id) else { return Vec::new() };
        let capped = |reference: ContactRef| {
            let contact = &self.contacts.get(position(reference)?)?.contact;
            let next = order::next(campaign, contact, now)?;
            let history = self.history_of(campaign, contact, next.number);
            let hold = gate::frequency(now, campaign, &contact.progress, &history).err()?;
            let place = (next.number, next.rule(contact));
            let progress = gate::after_refusal(campaign, &hold, contact, place, now)?;
            Some((Capped { contact: reference, number: next.number, hold }, progress))
        };
        shelf.ready().take(limit).filter_map(|(_, reference)| capped(*reference)).collect()
    }
}

/// Whether a campaign caps calls to a number or to a customer.
fn has_caps(campaign: &Campaign) -> bool {
    campaign.limits.max_attempts_per_contact.is_some() || campaign.limits.on_a_number().next().is_some()
}
