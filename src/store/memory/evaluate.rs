//! Filters, and pauses of batches, applied to contacts slice by slice.

use std::ops::Bound;

use super::State;
use crate::{
    domain::ids::{CampaignId, ContactRef, CustomerId},
    store::{BATCH_WINDOW, EVALUATION_SLICE, Evaluated},
};

impl State {
    /// Applies what has changed to the next contacts that have not seen it.
    pub(super) fn evaluate(&mut self) -> Option<Evaluated> {
        self.unlist_slice().or_else(|| self.evaluate_campaign()).or_else(|| self.evaluate_batch())
    }

    /// Applies a new definition to the next contacts, in the order of customers.
    fn evaluate_campaign(&mut self) -> Option<Evaluated> {
        let generation = self.generation.clone()?;
        let slice = usize::try_from(EVALUATION_SLICE).unwrap_or(usize::MAX);
        let defined = |id: &CampaignId| generation.definitions.campaigns.get(id);
        let (campaign, held, after) = self.campaigns.iter_mut().find_map(|(id, held)| {
            Some((defined(id)?, held.evaluated_to.clone()?)).map(|(c, after)| (c, held, after))
        })?;
        let rest = held.customers.iter().filter(|(customer, _)| customer.as_str() > after.as_str());
        let seen: Vec<(&CustomerId, ContactRef)> = rest.map(|(customer, at)| (customer, *at)).take(slice).collect();
        let complete = seen.len() < slice;
        let last = seen.last().map(|(customer, _)| customer.to_string());
        let seen: Vec<ContactRef> = seen.into_iter().map(|(_, reference)| reference).collect();
        held.evaluated_to = last.filter(|_| !complete);
        let mut admitted = 0;
        for contact in seen {
            let paused = self.is_paused(contact);
            admitted += u64::from(self.apply(contact, paused));
        }
        Some(Evaluated { campaign: campaign.id.clone(), admitted, complete })
    }

    /// Applies a pause, or its end, to the next contacts of a batch.
    fn evaluate_batch(&mut self) -> Option<Evaluated> {
        let generation = self.generation.clone()?;
        let (key, batch, after) = self.batches.iter().enumerate().find_map(|(key, batch)| {
            generation.definitions.campaigns.get(&batch.campaign)?;
            Some((key, batch, batch.evaluated_to?))
        })?;
        let (campaign, paused) = (batch.campaign.clone(), batch.paused);
        let last = batch.ids.map_or(after, |(_, last)| last);
        let slice = usize::try_from(EVALUATION_SLICE).unwrap_or(usize::MAX);
        let end = ContactRef(last.0.min(after.0 + BATCH_WINDOW));
        let range = self.batch_of.range((Bound::Excluded(after), Bound::Included(end)));
        let seen: Vec<ContactRef> =
            range.filter(|(_, batch)| **batch == key).map(|(contact, _)| *contact).take(slice).collect();
        let reached = seen.last().copied().filter(|_| seen.len() >= slice).unwrap_or(end);
        let admitted = seen.into_iter().filter(|contact| self.apply(*contact, paused)).count() as u64;
        let complete = reached >= last;
        self.batches[key].evaluated_to = (!complete).then_some(reached);
        Some(Evaluated { campaign, admitted, complete })
    }

    /// Applies the state of its batch and the filter to a contact; tells whether it is no longer left out.
    pub(super) fn apply(&mut self, contact: ContactRef, paused: bool) -> bool {
        let Some(found) = self.contacts.get(&contact) else { return false };
        let open = !found.progress.is_over();
        let matches = self.defined(&found.campaign).map(|campaign| campaign.matches(&found.attributes));
        let before = self.is_left_out(contact);
        match matches {
            Some(true) => {
                self.filtered_out.remove(&contact);
            }
            Some(false) => {
                self.filtered_out.insert(contact);
            }
            None => {}
        }
        if paused {
            self.paused_out.insert(contact);
        } else {
            self.paused_out.remove(&contact);
        }
        open && before && !self.is_left_out(contact)
    }
}
