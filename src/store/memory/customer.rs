//! What becomes of one contact from outside, in memory: it is edited, deleted, erased.

use jiff::Timestamp;

use super::State;
use crate::{
    domain::{
        contact::{Contact, ContactEdit, edit as edited, erased},
        ids::{CampaignId, CustomerId},
    },
    store::{StoreError, pseudonym::Pseudonyms},
};

impl State {
    /// A contact that is not in a call.
    fn at_rest(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<Contact, StoreError> {
        let unknown = || StoreError::UnknownCustomer { campaign: campaign.clone(), customer: customer.clone() };
        let contact = self.find(campaign, customer)?.ok_or_else(unknown)?;
        if self.live_contacts().contains(&contact.reference) {
            return Err(StoreError::OnCall(customer.clone()));
        }
        if contact.progress.numbers.is_empty() {
            return Err(StoreError::Erased(customer.clone()));
        }
        Ok(contact.clone())
    }

    fn replace(&mut self, after: Contact, now: Timestamp) {
        let reference = after.reference;
        if let Some(before) = self.contacts.insert(reference, after) {
            self.not_reached(reference, &before.progress, now);
        }
        let paused = self.is_paused(reference);
        self.apply(reference, paused);
    }

    pub(super) fn edit(
        &mut self,
        campaign: &CampaignId,
        customer: &CustomerId,
        change: &ContactEdit,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let before = self.at_rest(campaign, customer)?;
        let after = edited(&before, change);
        let changed = after != before;
        if changed {
            self.replace(after, now);
        }
        Ok(changed)
    }

    pub(super) fn delete(
        &mut self,
        campaign: &CampaignId,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let contact = self.at_rest(campaign, customer)?.reference;
        if self.attempts.values().any(|attempt| attempt.contact == contact) {
            return Err(StoreError::WasCalled(customer.clone()));
        }
        self.withdraw_exports(contact, now);
        self.contacts.remove(&contact);
        self.custom_fields.remove(&contact);
        self.business.retain(|(of, _)| *of != contact);
        self.batch_of.remove(&contact);
        self.filtered_out.remove(&contact);
        self.paused_out.remove(&contact);
        if let Some(held) = self.campaigns.get_mut(campaign) {
            held.customers.remove(customer);
        }
        Ok(())
    }

    pub(super) fn erase(
        &mut self,
        campaign: &CampaignId,
        customer: &CustomerId,
        pseudonyms: &Pseudonyms,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let before = self.at_rest(campaign, customer)?;
        self.keyed.forget_answers();
        let reference = before.reference;
        let after = erased(&before, pseudonyms.customer(reference));
        self.withdraw_exports(reference, now);
        for attempt in self.attempts.values_mut().filter(|attempt| attempt.contact == reference) {
            attempt.erased =
                attempt.record.number.take().map(|number| pseudonyms.number(&number)).or(attempt.erased.take());
            attempt.record.customer = after.customer.clone();
        }
        let attempts = &self.attempts;
        let is_of =
            |leg: &super::Leg| leg.attempt.and_then(|id| attempts.get(&id)).is_some_and(|a| a.contact == reference);
        self.legs.retain(|_, leg| !is_of(leg));
        self.custom_fields.insert(reference, None);
        self.erase_answers(reference);
        for (_, record) in self.business.iter_mut().filter(|(contact, _)| *contact == reference) {
            record.note = None;
        }
        if let Some(held) = self.campaigns.get_mut(campaign) {
            held.customers.remove(customer);
            held.customers.insert(after.customer.clone(), reference);
        }
        self.replace(after, now);
        self.erase_dispatches(reference, now);
        Ok(())
    }
}
