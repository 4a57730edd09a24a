//! Exports in memory: who asked for what, what became of it, and the rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State, limit_of};
use crate::{
    domain::{
        export::{ExportId, ExportState},
        ids::{AttemptId, CampaignId, ContactRef, CustomerId},
    },
    store::{
        BusinessRecord, ExportRecord, ExportStep, ExportedAttempt, ExportedContact, Exports, LastAttempt, NewExport,
        Store, StoreError,
        exports::{WITHDRAWN, numbered},
        row::damaged,
    },
};

impl State {
    /// Takes exports back that may hold a contact: files go, and what is being written is begun anew.
    pub(super) fn withdraw_exports(&mut self, contact: ContactRef, now: Timestamp) {
        let Some(campaign) = self.contacts.get(&contact).map(|contact| contact.campaign.clone()) else { return };
        let batch = self.batch_name(contact);
        for export in &mut self.exports {
            let of = &export.asked;
            let holds =
                of.campaign == campaign && of.filter.batch.as_ref().is_none_or(|own| Some(own) == batch.as_ref());
            match export.state {
                ExportState::Done if holds => {
                    (export.state, export.over_at) = (ExportState::Withdrawn, Some(now));
                    export.why = Some(WITHDRAWN.to_owned());
                }
                ExportState::Running if holds => export.state = ExportState::Waiting,
                _ => {}
            }
        }
    }

    fn step(&mut self, id: ExportId, step: &ExportStep, now: Timestamp) -> bool {
        let Some(export) = self.exports.iter_mut().find(|export| export.id == id) else { return false };
        let Some(after) = step.of(export.state, export.starts) else { return false };
        export.state = after;
        if after == ExportState::Running {
            export.starts += 1;
            export.begun_at = Some(now);
        }
        export.over_at = (!after.is_open()).then_some(now);
        export.why = step.why().map(ToOwned::to_owned);
        if let ExportStep::Done { file, .. } = step {
            export.file = Some(file.clone());
        }
        true
    }

    fn exported_contact(&self, contact: &crate::domain::contact::Contact) -> Result<ExportedContact, StoreError> {
        let reference = contact.reference;
        let own = self.attempts.values().filter(|attempt| attempt.contact == reference);
        let last = own.map(|attempt| &attempt.record).max_by_key(|record| record.attempt);
        let live = self.live_contacts().contains(&reference);
        Ok(ExportedContact {
            batch: self.batch_name(reference).ok_or_else(|| damaged("batch.name"))?,
            live,
            custom_field: self.custom_fields.get(&reference).cloned().flatten(),
            last: last.map(|record| LastAttempt {
                attempt: record.attempt,
                placed_at: record.placed_at,
                result: record.result,
                agent: record.agent.clone(),
            }),
            business: self.newest_business(|of, _| of == reference),
            contact: contact.clone(),
        })
    }

    fn exported_attempt(&self, attempt: &super::Attempt) -> Result<ExportedAttempt, StoreError> {
        let (record, reference) = (&attempt.record, attempt.contact);
        let contact = self.contacts.get(&reference).ok_or_else(|| damaged("attempt.contact"))?;
        Ok(ExportedAttempt {
            attributes: contact.attributes.clone(),
            custom_field: self.custom_fields.get(&reference).cloned().flatten(),
            business: self.newest_business(|_, of| of.attempt == Some(record.attempt)),
            record: record.clone(),
        })
    }

    fn newest_business(&self, of: impl Fn(ContactRef, &BusinessRecord) -> bool) -> Option<BusinessRecord> {
        let newest = self.business.iter().rev().find(|(contact, record)| of(*contact, record));
        newest.map(|(_, record)| record.clone())
    }
}

#[async_trait]
impl Exports for MemoryStore {
    async fn add_export(&self, new: NewExport) -> Result<ExportId, StoreError> {
        let mut state = self.state()?;
        let id = ExportId(state.exports.last().map_or(1, |last| last.id.0 + 1));
        state.exports.push(ExportRecord {
            id,
            asked: new,
            state: ExportState::Waiting,
            starts: 0,
            begun_at: None,
            over_at: None,
            file: None,
            why: None,
            downloads: 0,
        });
        if let Some(entry) = &self.entry {
            state.audit(&numbered(entry, id), self.clock.now().wall);
        }
        Ok(id)
    }

    async fn export(&self, id: ExportId) -> Result<Option<ExportRecord>, StoreError> {
        Ok(self.state()?.exports.iter().find(|export| export.id == id).cloned())
    }

    async fn exports(
        &self,
        owner: Option<&str>,
        before: Option<ExportId>,
        limit: u32,
    ) -> Result<Vec<ExportRecord>, StoreError> {
        let state = self.state()?;
        let of = |export: &&ExportRecord| {
            before.is_none_or(|before| export.id < before) && owner.is_none_or(|owner| export.asked.owner == owner)
        };
        Ok(state.exports.iter().rev().filter(of).take(limit_of(limit)).cloned().collect())
    }

    async fn open_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        let state = self.state()?;
        Ok(state.exports.iter().filter(|export| export.state.is_open()).cloned().collect())
    }

    async fn done_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        let state = self.state()?;
        Ok(state.exports.iter().filter(|export| export.state == ExportState::Done).cloned().collect())
    }

    async fn export_counts(&self) -> Result<BTreeMap<ExportState, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        self.state()?.exports.iter().for_each(|export| *counts.entry(export.state).or_default() += 1);
        Ok(counts)
    }

    async fn step_export(&self, id: ExportId, step: ExportStep) -> Result<bool, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.step(id, &step, now)), |changed| *changed)
    }

    async fn count_download(&self, id: ExportId) -> Result<bool, StoreError> {
        let count = |state: &mut State| {
            let done = |export: &&mut ExportRecord| export.id == id && export.state == ExportState::Done;
            let found = state.exports.iter_mut().find(done);
            Ok(found.map(|export| export.downloads += 1).is_some())
        };
        self.noted(count, |counted| *counted)
    }

    async fn contacts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<ExportedContact>, StoreError> {
        let contacts = self.contacts_page(campaign, after, limit).await?;
        let state = self.state()?;
        contacts.iter().map(|contact| state.exported_contact(contact)).collect()
    }

    async fn attempts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<ExportedAttempt>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        let own = state.attempts.values().filter(|attempt| {
            attempt.record.campaign == *campaign && after.is_none_or(|after| attempt.record.attempt > after)
        });
        own.take(limit_of(limit)).map(|attempt| state.exported_attempt(attempt)).collect()
    }
}
