//! Business results in memory.

use super::{Facts, position};
use crate::domain::{
    business::{self, EndedCall, Mark},
    ids::{CampaignId, ContactRef, CustomerId},
};

impl Facts {
    /// Sets a business result for the newest call to a customer, of `campaign` or of any; it takes effect
    /// at once, or at the call's end. Gives the contact, if there is one that has been called.
    pub fn mark(&mut self, campaign: Option<&CampaignId>, customer: &CustomerId, mark: Mark) -> Option<ContactRef> {
        let own = self.by_customer.get(customer)?.iter().copied();
        let own = own.filter(|reference| {
            let contact = self.contact(*reference);
            contact.is_some_and(|contact| campaign.is_none_or(|campaign| contact.campaign == *campaign))
        });
        let called_last = own.max_by_key(|reference| {
            let live = self.live.values().filter(|live| live.contact == *reference).map(|live| live.placed_at).max();
            (live, self.last_calls.get(reference).map(|call| call.ended_at), std::cmp::Reverse(*reference))
        });
        let contact = called_last?;
        self.marks.entry(contact).or_default().push(mark);
        self.marks_take_effect(contact);
        Some(contact)
    }

    /// Has what was set for a contact take effect, unless it is in a call; tells whether that changed it.
    pub(super) fn marks_take_effect(&mut self, reference: ContactRef) -> bool {
        if position(reference).is_none_or(|at| self.contacts[at].live) {
            return false;
        }
        let mut changed = false;
        for mark in self.marks.remove(&reference).unwrap_or_default() {
            let call = self.last_calls.get(&reference).cloned();
            changed |= self.mark_takes_effect(reference, call.as_ref(), &mark);
        }
        changed
    }

    fn mark_takes_effect(&mut self, reference: ContactRef, call: Option<&EndedCall>, mark: &Mark) -> bool {
        let Some(contact) = self.contact(reference) else { return false };
        let campaign = self.campaigns.get(&contact.campaign).and_then(|shelf| shelf.definition.clone());
        let Some(campaign) = campaign else { return false };
        let (progress, _) = business::take_effect(&campaign, contact, call, mark);
        let changes = progress != contact.progress;
        if changes {
            self.write(reference, progress);
        }
        changes
    }
}
