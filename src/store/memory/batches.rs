//! Batches in memory.

use std::ops::Bound;

use jiff::Timestamp;

use super::State;
use crate::{
    domain::{
        contact::{Contact, ContactStage},
        ids::{BatchId, CampaignId, ContactRef},
    },
    store::{Batch, BatchPage, BatchTally, Listed, StoreError},
};

/// Key of a batch; the higher, the newer.
pub(super) type BatchKey = usize;

/// One batch.
#[derive(Debug)]
pub(super) struct HeldBatch {
    pub(super) campaign: CampaignId,
    pub(super) id: BatchId,
    created_at: Timestamp,
    /// Whether its contacts are not dialled for now.
    pub(super) paused: bool,
    rejected: u64,
    /// What bounds the ids of its contacts, those that were deleted too.
    pub(super) ids: Option<(ContactRef, ContactRef)>,
    /// While a pause, or its end, is being applied to its contacts: the last that has seen it.
    pub(super) evaluated_to: Option<ContactRef>,
}

impl State {
    fn batch(&self, campaign: &CampaignId, id: &BatchId) -> Option<BatchKey> {
        self.batches.iter().position(|batch| batch.campaign == *campaign && batch.id == *id)
    }

    /// Whether a campaign has it.
    pub(super) fn has_batch(&self, campaign: &CampaignId, id: &BatchId) -> bool {
        self.batch(campaign, id).is_some()
    }

    /// The batch of that name, made if it is not there.
    pub(super) fn open_batch(&mut self, campaign: &CampaignId, id: &BatchId, now: Timestamp) -> BatchKey {
        self.batch(campaign, id).unwrap_or_else(|| {
            let (campaign, id) = (campaign.clone(), id.clone());
            let (paused, rejected, ids, evaluated_to) = (false, 0, None, None);
            self.batches.push(HeldBatch { campaign, id, created_at: now, paused, rejected, ids, evaluated_to });
            self.batches.len() - 1
        })
    }

    /// The name of a contact's batch.
    pub(super) fn batch_name(&self, contact: ContactRef) -> Option<BatchId> {
        self.batch_of.get(&contact).map(|batch| self.batches[*batch].id.clone())
    }

    /// Adds a new contact to a batch.
    pub(super) fn enter(&mut self, contact: ContactRef, key: BatchKey) {
        self.batch_of.insert(contact, key);
        let batch = &mut self.batches[key];
        batch.ids = Some((batch.ids.map_or(contact, |(first, _)| first), contact));
        if batch.paused {
            self.paused_out.insert(contact);
        }
    }

    /// Whether a contact's batch is paused.
    pub(super) fn is_paused(&self, contact: ContactRef) -> bool {
        self.batch_of.get(&contact).is_some_and(|batch| self.batches[*batch].paused)
    }

    /// Whether a pause, or its end, is being applied to contacts of the campaign.
    pub(super) fn is_pausing(&self, campaign: &CampaignId) -> bool {
        self.batches.iter().any(|batch| batch.campaign == *campaign && batch.evaluated_to.is_some())
    }

    pub(super) fn note_rejected(&mut self, campaign: &CampaignId, id: &BatchId, rejected: u64, now: Timestamp) {
        let batch = self.open_batch(campaign, id, now);
        self.batches[batch].rejected = rejected;
    }

    pub(super) fn pause_batch(
        &mut self,
        campaign: &CampaignId,
        id: &BatchId,
        paused: bool,
    ) -> Result<bool, StoreError> {
        let unknown = || StoreError::UnknownBatch { campaign: campaign.clone(), batch: id.clone() };
        let key = self.batch(campaign, id).ok_or_else(unknown)?;
        let batch = &mut self.batches[key];
        if batch.paused == paused {
            return Ok(false);
        }
        batch.paused = paused;
        batch.evaluated_to = batch.ids.map(|(first, _)| ContactRef(first.0 - 1));
        Ok(true)
    }

    pub(super) fn batches_of(&self, campaign: &CampaignId) -> Vec<Batch> {
        let all = self.batches.iter().enumerate().filter(|(_, batch)| batch.campaign == *campaign);
        all.map(|(key, batch)| Batch {
            id: batch.id.clone(),
            created_at: batch.created_at,
            paused: batch.paused,
            rejected: batch.rejected,
            tally: self.batch_tally(key),
        })
        .collect()
    }

    /// Contacts of a batch as they came in.
    pub(super) fn batch_page(
        &self,
        campaign: &CampaignId,
        id: &BatchId,
        after: Option<ContactRef>,
        limit: usize,
    ) -> Result<BatchPage, StoreError> {
        self.held(campaign)?;
        let unknown = || StoreError::UnknownBatch { campaign: campaign.clone(), batch: id.clone() };
        let key = self.batch(campaign, id).ok_or_else(unknown)?;
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let own = self.batch_of.range((after, Bound::Unbounded)).filter(|(_, batch)| **batch == key);
        let mut contacts = own.filter_map(|(contact, _)| self.contacts.get(contact));
        let page: Vec<Contact> = contacts.by_ref().take(limit).cloned().collect();
        let next = contacts.next().and(page.last()).map(|last| last.reference);
        Ok(BatchPage { contacts: self.listed(page), next })
    }

    /// Contacts with what lists show beside them.
    pub(super) fn listed(&self, contacts: Vec<Contact>) -> Vec<Listed> {
        let live = self.live_contacts();
        let listed = |contact: Contact| {
            let batch = self.batch_name(contact.reference)?;
            let (last, connected) = self.calls_of(contact.reference);
            let business = self.business.iter().rev().find(|(of, _)| *of == contact.reference);
            let business = business.map(|(_, record)| record.key.clone());
            Some(Listed { batch, live: live.contains(&contact.reference), connected, business, last, contact })
        };
        contacts.into_iter().filter_map(listed).collect()
    }

    fn batch_tally(&self, key: BatchKey) -> BatchTally {
        let (mut tally, live) = (BatchTally::default(), self.live_contacts());
        let own = self.batch_of.iter().filter(|(_, batch)| **batch == key);
        for contact in own.filter_map(|(contact, _)| self.contacts.get(contact)) {
            tally.contacts += 1;
            match contact.progress.stage(live.contains(&contact.reference)) {
                ContactStage::Fresh => tally.fresh += 1,
                ContactStage::InProgress => tally.in_progress += 1,
                ContactStage::Ended(end) => *tally.ended.entry(end.as_str()).or_default() += 1,
            }
        }
        tally
    }

    /// Whether the filter or a pause left a contact out when it was last applied.
    pub(super) fn is_left_out(&self, contact: ContactRef) -> bool {
        self.filtered_out.contains(&contact) || self.paused_out.contains(&contact)
    }

    /// Of a campaign's contacts that have not ended: those that only a pause leaves out.
    pub(super) fn paused_open(&self, campaign: &CampaignId) -> u64 {
        let only_paused =
            |contact: ContactRef| self.paused_out.contains(&contact) && !self.filtered_out.contains(&contact);
        let open = self.contacts_of(campaign).filter(|contact| !contact.progress.is_over());
        open.filter(|contact| only_paused(contact.reference)).count() as u64
    }
}
