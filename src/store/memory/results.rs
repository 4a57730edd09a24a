//! Results in memory: a campaign's attempts in order, and counts made by going through all of them.

use std::{collections::BTreeSet, time::Duration};

use super::State;
use crate::{
    domain::{
        ids::{CampaignId, ContactRef},
        statistics::{Calls, Quarter, Span},
    },
    store::{AttemptFilter, AttemptPage, AttemptPlace, AttemptRecord, LastAttempt, Statistics, StoreError, Tally},
};

impl State {
    /// A campaign's attempts as they were placed.
    pub(super) fn attempt_page(
        &self,
        campaign: &CampaignId,
        filter: &AttemptFilter,
        after: Option<AttemptPlace>,
        limit: usize,
    ) -> Result<AttemptPage, StoreError> {
        self.held(campaign)?;
        if let Some(batch) = filter.batch.as_ref().filter(|batch| !self.has_batch(campaign, batch)) {
            return Err(StoreError::UnknownBatch { campaign: campaign.clone(), batch: batch.clone() });
        }
        let records = self.attempts.values().map(|attempt| &attempt.record);
        let wanted = records.filter(|record| record.campaign == *campaign && filter.matches(record));
        let mut wanted: Vec<&AttemptRecord> =
            wanted.filter(|record| after.is_none_or(|after| AttemptPlace::of(record) > after)).collect();
        wanted.sort_by_key(|record| AttemptPlace::of(record));
        let attempts: Vec<AttemptRecord> = wanted.into_iter().take(limit).cloned().collect();
        let next = attempts.last().filter(|_| attempts.len() >= limit).map(AttemptPlace::of);
        Ok(AttemptPage { attempts, next })
    }

    /// A contact's newest attempt, and whether it was connected in any.
    pub(super) fn calls_of(&self, contact: ContactRef) -> (Option<LastAttempt>, bool) {
        let own = || self.attempts.values().filter(|attempt| attempt.contact == contact).map(|attempt| &attempt.record);
        let last = own().next_back().map(|record| LastAttempt {
            attempt: record.attempt,
            placed_at: record.placed_at,
            result: record.result,
            agent: record.agent.clone(),
        });
        (last, own().any(|record| record.connected_at.is_some()))
    }

    /// Counts of one campaign or of all.
    pub(super) fn statistics(&self, campaign: Option<&CampaignId>, span: Span) -> Result<Statistics, StoreError> {
        let mut counted = Statistics { tally: self.tallies(campaign)?, at_once: true, ..Statistics::default() };
        let mut contacts = BTreeSet::new();
        let of = |record: &AttemptRecord| campaign.is_none_or(|campaign| record.campaign == *campaign);
        for attempt in self.attempts.values().filter(|attempt| of(&attempt.record)) {
            let record = &attempt.record;
            let quarter = Quarter::of(record.placed_at);
            if !span.has(quarter) {
                continue;
            }
            if let Some(key) = &record.business {
                *counted.by_business.entry(key.clone()).or_default() += 1;
            }
            let (Some(result), Some(ended_at)) = (record.result, record.ended_at) else { continue };
            let talked = |from| Duration::try_from(ended_at.duration_since(from)).unwrap_or_default();
            let calls = Calls::one(record.connected_at.map(talked));
            *counted.by_quarter.entry(quarter).or_default() += calls;
            *counted.by_result.entry(result).or_default() += calls;
            *counted.by_agent.entry(record.agent.clone()).or_default() += calls;
            if campaign.is_some() {
                *counted.by_batch.entry(record.batch.clone()).or_default() += calls;
            }
            contacts.extend(record.connected_at.map(|_| attempt.contact));
        }
        counted.connected_contacts = contacts.len() as u64;
        Ok(counted)
    }

    fn tallies(&self, campaign: Option<&CampaignId>) -> Result<Tally, StoreError> {
        if let Some(campaign) = campaign {
            return self.tally(campaign);
        }
        let mut sum = Tally::default();
        for campaign in self.campaigns.keys() {
            sum += self.tally(campaign)?;
        }
        Ok(sum)
    }
}
