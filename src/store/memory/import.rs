//! Contacts that come in.

use jiff::Timestamp;

use super::{State, batches::BatchKey};
use crate::{
    domain::{
        contact::{Contact, NewContact},
        ids::{BatchId, CampaignId, ContactRef},
    },
    store::{ImportOutcome, StoreError},
};

impl State {
    /// Adds contacts to a batch; those that are there already stay as they are.
    pub(super) fn import(
        &mut self,
        campaign: &CampaignId,
        batch: &BatchId,
        contacts: Vec<NewContact>,
        now: Timestamp,
    ) -> Result<ImportOutcome, StoreError> {
        self.held(campaign)?;
        let mut outcome = ImportOutcome::default();
        if contacts.is_empty() {
            return Ok(outcome);
        }
        let batch = self.open_batch(campaign, batch, now);
        for (position, new) in contacts.into_iter().enumerate() {
            match self.find(campaign, &new.customer)? {
                None => {
                    self.insert(campaign, batch, new);
                    outcome.added += 1;
                }
                Some(found) if same(found, self.custom_fields.get(&found.reference), &new) => outcome.unchanged += 1,
                Some(_) => outcome.conflicting.push(position),
            }
        }
        Ok(outcome)
    }

    fn insert(&mut self, campaign: &CampaignId, batch: BatchKey, new: NewContact) {
        self.last_contact += 1;
        let reference = ContactRef(self.last_contact);
        self.enter(reference, batch);
        let Some(held) = self.campaigns.get_mut(campaign) else { return };
        let contact = Contact::new(reference, campaign, held.next_order, &new);
        held.next_order += 1;
        held.customers.insert(new.customer, reference);
        self.contacts.insert(reference, contact);
        self.custom_fields.insert(reference, new.custom_field);
        self.stand(reference);
    }
}

fn same(found: &Contact, custom_field: Option<&Option<String>>, new: &NewContact) -> bool {
    let numbers = found.progress.numbers.iter().map(|number| (&number.category, &number.e164));
    numbers.eq(new.numbers.iter().map(|(category, number)| (category, number)))
        && found.priority == new.priority
        && found.not_before == new.not_before
        && found.timezone == new.timezone
        && found.attributes == new.attributes
        && custom_field == Some(&new.custom_field)
}
