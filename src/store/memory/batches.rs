//! Batches in memory.

use std::ops::Bound;

use jiff::Timestamp;

use super::State;
use crate::{
    domain::ids::{BatchId, CampaignId, ContactRef},
    store::{BATCH_WINDOW, Batch, BatchTally, EVALUATION_SLICE, Evaluated, StoreError},
};

/// Key of a batch; the higher, the newer.
pub(super) type BatchKey = usize;

/// One batch.
#[derive(Debug)]
pub(super) struct HeldBatch {
    campaign: CampaignId,
    id: BatchId,
    created_at: Timestamp,
    /// Whether its contacts are not dialled for now.
    pub(super) paused: bool,
    rejected: u64,
    /// What bounds the ids of its contacts, those that were deleted too.
    ids: Option<(ContactRef, ContactRef)>,
    /// While a pause, or its end, is being applied to its contacts: the last that has seen it.
    evaluated_to: Option<ContactRef>,
}

impl State {
    fn batch(&self, campaign: &CampaignId, id: &BatchId) -> Option<BatchKey> {
        self.batches.iter().position(|batch| batch.campaign == *campaign && batch.id == *id)
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

    fn batch_tally(&self, key: BatchKey) -> BatchTally {
        let (mut tally, live) = (BatchTally::default(), self.live_contacts());
        let own = self.batch_of.iter().filter(|(_, batch)| **batch == key);
        for contact in own.filter_map(|(contact, _)| self.contacts.get(contact)) {
            tally.contacts += 1;
            match contact.progress.ended {
                Some(end) => *tally.ended.entry(end.as_str()).or_default() += 1,
                None if contact.progress.attempts > 0 || live.contains(&contact.reference) => tally.in_progress += 1,
                None => tally.fresh += 1,
            }
        }
        tally
    }

    /// Applies a pause, or its end, to the next contacts of a batch.
    pub(super) fn evaluate_batch(&mut self) -> Option<Evaluated> {
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
        let admitted = seen.into_iter().filter(|contact| self.apply_pause(*contact, paused)).count() as u64;
        let complete = reached >= last;
        self.batches[key].evaluated_to = (!complete).then_some(reached);
        Some(Evaluated { campaign, admitted, complete })
    }

    /// Applies the state of its batch and the filter to a contact; tells whether it is no longer left out.
    pub(super) fn apply_pause(&mut self, contact: ContactRef, paused: bool) -> bool {
        let Some(found) = self.contacts.get(&contact) else { return false };
        let open = found.progress.ended.is_none();
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

    /// Whether the filter or a pause left a contact out when it was last applied.
    pub(super) fn is_left_out(&self, contact: ContactRef) -> bool {
        self.filtered_out.contains(&contact) || self.paused_out.contains(&contact)
    }

    /// Of a campaign's contacts that have not ended: those that only a pause leaves out.
    pub(super) fn paused_open(&self, campaign: &CampaignId) -> u64 {
        let only_paused =
            |contact: ContactRef| self.paused_out.contains(&contact) && !self.filtered_out.contains(&contact);
        let open = self.contacts_of(campaign).filter(|contact| contact.progress.ended.is_none());
        open.filter(|contact| only_paused(contact.reference)).count() as u64
    }
}
