//! A store for tests of the reconciling loop that can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use dialops::{
    domain::{
        agent::Availability,
        campaign::{Generation, KeptFile},
        contact::{Contact, ContactEdit, NewContact, Progress},
        do_not_call::NewEntry,
        drift::{Drift, calls::LiveRows, files::Copies},
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, DoNotCallId, Epoch, LegId, Revision},
        intent::CandidatePage,
        overrides::{NewOverride, Override, OverrideId, Overrides},
        phone::E164,
        statistics::Span,
    },
    store::{
        Against, AppliedCommits, AttemptFilter, AttemptPage, AttemptPlace, AttemptRecord, Batch, BatchPage,
        BusinessDecision, BusinessRequest, CampaignChange, ContactHistory, Counted, DoNotCallCounts, Entries,
        Evaluated, Event, FileChanges, HandledCommit, ImportOutcome, IntentDecision, IntentRequest, Leftovers,
        LegRecord, Listed, ListedNumber, ListingOutcome, Milestone, OverrideRecord, Resealed, Settlement, Statistics,
        Store, StoreError, StoredCampaign, StoredFiles, Tally, Why,
    },
    telemetry::status::Verification,
};
use jiff::Timestamp;
use tokio::sync::Notify;

/// A store that can be told to fail to apply, or to stop whoever uses it. The loop uses a few verbs of it.
pub(crate) struct Flaky {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) failing: AtomicBool,
    /// Steps until it stops; negative for never. There is one before each verb and one behind it.
    pub(crate) steps_left: AtomicI64,
    pub(crate) stopped: Notify,
    /// Put in force by somebody else, just before the next generation is.
    pub(crate) intervenes: Mutex<Option<Arc<Generation>>>,
}

impl Flaky {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        let (failing, steps_left) = (AtomicBool::new(false), AtomicI64::new(-1));
        Self { inner, failing, steps_left, stopped: Notify::new(), intervenes: Mutex::default() }
    }

    /// Does a verb, or part of it and never anything again.
    async fn stepwise<T>(&self, verb: impl Future<Output = T>) -> T {
        self.step().await;
        let done = verb.await;
        self.step().await;
        done
    }

    async fn step(&self) {
        if self.steps_left.fetch_sub(1, Ordering::AcqRel) == 0 {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Store for Flaky {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn dialog_key(&self) -> [u8; 32] {
        self.inner.dialog_key()
    }

    async fn applied(&self) -> Result<Option<(Revision, Timestamp)>, StoreError> {
        self.stepwise(self.inner.applied()).await
    }

    async fn applied_commits(&self) -> Result<AppliedCommits, StoreError> {
        self.stepwise(self.inner.applied_commits()).await
    }

    async fn kept_files(&self) -> Result<BTreeMap<String, KeptFile>, StoreError> {
        self.stepwise(self.inner.kept_files()).await
    }

    async fn campaigns(&self) -> Result<Vec<StoredCampaign>, StoreError> {
        self.stepwise(self.inner.campaigns()).await
    }

    async fn apply(
        &self,
        generation: Arc<Generation>,
        changes: Vec<CampaignChange>,
        against: Against<'_>,
    ) -> Result<(), StoreError> {
        if self.failing.load(Ordering::Acquire) {
            return Err(StoreError::Database { doing: "applying", source: "disk I/O error".into() });
        }
        let other = self.intervenes.lock().unwrap().take();
        if let Some(other) = other {
            self.inner.apply(other, Vec::new(), Against::Whatever).await?;
        }
        self.stepwise(self.inner.apply(generation, changes, against)).await
    }

    fn overrides(&self) -> Arc<Overrides> {
        self.inner.overrides()
    }

    async fn add_override(&self, _: NewOverride) -> Result<Arc<Override>, StoreError> {
        unreachable!()
    }

    async fn end_override(&self, _: OverrideId, _: &str) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn override_records(&self, _: Option<OverrideId>, _: u32) -> Result<Vec<OverrideRecord>, StoreError> {
        unreachable!()
    }

    async fn approve(&self, _: &Revision, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn is_approved(&self, revision: &Revision) -> Result<bool, StoreError> {
        self.stepwise(self.inner.is_approved(revision)).await
    }

    async fn put_files(&self, changes: FileChanges) -> Result<(), StoreError> {
        self.inner.put_files(changes).await
    }

    async fn file_digests(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.inner.file_digests().await
    }

    async fn copies(&self) -> Result<Copies, StoreError> {
        self.inner.copies().await
    }

    async fn drifted_overrides(&self) -> Result<Vec<Drift>, StoreError> {
        self.inner.drifted_overrides().await
    }

    async fn mend_overrides(&self, ids: &[OverrideId]) -> Result<(), StoreError> {
        self.inner.mend_overrides(ids).await
    }

    async fn files(&self) -> Result<Option<StoredFiles>, StoreError> {
        self.inner.files().await
    }

    async fn set_verified(&self, _: &Revision, _: &Verification) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn verified(&self, _: &Revision) -> Result<Option<Verification>, StoreError> {
        unreachable!()
    }

    async fn heartbeat(&self) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn close(&self) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn candidates(&self, _: &CampaignId, _: Timestamp, _: u32) -> Result<CandidatePage, StoreError> {
        unreachable!()
    }

    async fn record_leg(&self, _: LegRecord) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn record_intent(&self, _: IntentRequest) -> Result<IntentDecision, StoreError> {
        unreachable!()
    }

    async fn withdraw_intent(&self, _: AttemptId) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn note(&self, _: Milestone) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn settle(&self, _: Settlement) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn set_business_result(&self, _: BusinessRequest) -> Result<BusinessDecision, StoreError> {
        unreachable!()
    }

    async fn advance(&self, _: ContactRef, _: u32, _: Progress) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        unreachable!()
    }

    async fn foreign_writes(&self) -> Result<u64, StoreError> {
        self.inner.foreign_writes().await
    }

    async fn live_rows(&self) -> Result<LiveRows, StoreError> {
        unreachable!()
    }

    async fn left_behind(&self, _: &[AttemptId], _: &[LegId]) -> Result<Leftovers, StoreError> {
        unreachable!()
    }

    async fn evaluate(&self) -> Result<Option<Evaluated>, StoreError> {
        unreachable!()
    }

    async fn import(&self, _: &CampaignId, _: &BatchId, _: Vec<NewContact>) -> Result<ImportOutcome, StoreError> {
        unreachable!()
    }

    async fn note_rejected(&self, _: &CampaignId, _: &BatchId, _: u64) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn batches(&self, _: &CampaignId) -> Result<Vec<Batch>, StoreError> {
        unreachable!()
    }

    async fn pause_batch(&self, _: &CampaignId, _: &BatchId, _: bool) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn edit(&self, _: &CampaignId, _: &CustomerId, _: ContactEdit) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn delete(&self, _: &CampaignId, _: &CustomerId) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn erase(&self, _: &CampaignId, _: &CustomerId) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn reseal(&self, _: Vec<Resealed>) -> Result<u64, StoreError> {
        unreachable!()
    }

    async fn import_do_not_call(&self, _: &DoNotCallId, _: Vec<NewEntry>) -> Result<ListingOutcome, StoreError> {
        unreachable!()
    }

    async fn remove_do_not_call(&self, _: &DoNotCallId, _: &E164) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn do_not_call_counts(&self, _: Timestamp) -> Result<DoNotCallCounts, StoreError> {
        unreachable!()
    }

    async fn do_not_call_page(
        &self,
        _: &DoNotCallId,
        _: Option<&E164>,
        _: u32,
    ) -> Result<Vec<ListedNumber>, StoreError> {
        unreachable!()
    }

    async fn contact(&self, _: &CampaignId, _: &CustomerId) -> Result<Option<ContactHistory>, StoreError> {
        unreachable!()
    }

    async fn contacts_page(&self, _: &CampaignId, _: Option<&CustomerId>, _: u32) -> Result<Vec<Contact>, StoreError> {
        unreachable!()
    }

    async fn listed_page(&self, _: &CampaignId, _: Option<&CustomerId>, _: u32) -> Result<Vec<Listed>, StoreError> {
        unreachable!()
    }

    async fn batch_page(
        &self,
        _: &CampaignId,
        _: &BatchId,
        _: Option<ContactRef>,
        _: u32,
    ) -> Result<BatchPage, StoreError> {
        unreachable!()
    }

    async fn why(&self, _: &CampaignId, _: &CustomerId, _: Timestamp) -> Result<Option<Why>, StoreError> {
        unreachable!()
    }

    async fn attempts(&self, _: &CampaignId, _: Option<AttemptId>, _: u32) -> Result<Vec<AttemptRecord>, StoreError> {
        unreachable!()
    }

    async fn attempt_page(
        &self,
        _: &CampaignId,
        _: &AttemptFilter,
        _: Option<AttemptPlace>,
        _: u32,
    ) -> Result<AttemptPage, StoreError> {
        unreachable!()
    }

    async fn attempt(&self, _: AttemptId) -> Result<Option<AttemptRecord>, StoreError> {
        unreachable!()
    }

    async fn statistics(&self, _: Option<&CampaignId>, _: Span) -> Result<Statistics, StoreError> {
        unreachable!()
    }

    async fn attempts_of(&self, _: &AgentId, _: u32) -> Result<Vec<AttemptRecord>, StoreError> {
        unreachable!()
    }

    async fn today(&self, _: Timestamp) -> Result<dialops::store::Today, StoreError> {
        unreachable!()
    }

    async fn tally(&self, _: &CampaignId) -> Result<Tally, StoreError> {
        unreachable!()
    }

    async fn counts(&self, _: &CampaignId, _: Timestamp, _: u64) -> Result<Counted, StoreError> {
        unreachable!()
    }

    async fn availabilities(&self) -> Result<BTreeMap<AgentId, Availability>, StoreError> {
        unreachable!()
    }

    async fn set_availability(&self, _: &AgentId, _: Availability) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn journal(&self, entries: Entries) -> Result<(), StoreError> {
        self.stepwise(self.inner.journal(entries)).await
    }

    async fn handled_commits(&self, limit: u32) -> Result<Vec<HandledCommit>, StoreError> {
        self.stepwise(self.inner.handled_commits(limit)).await
    }

    async fn events(
        &self,
        after: Option<u64>,
        campaign: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<(u64, Event)>, StoreError> {
        self.inner.events(after, campaign, limit).await
    }
}
