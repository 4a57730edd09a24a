//! The in-memory twin: the same verbs over plain maps and the domain's own comparators.
//!
//! It serves tests, and is what the SQL of `sqlite` is held equal to. Nothing in it is fast on purpose:
//! candidates are found by sorting all contacts. The simulator dials on `domain::facts`.

mod attempts;
mod batches;
mod business;
mod campaigns;
mod customer;
mod dispatch;
mod do_not_call;
mod evaluate;
mod exports;
mod import;
mod journal;
mod keyed;
mod outbox;
mod overrides;
mod page;
mod people;
mod questionnaire;
mod results;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;

use self::{
    attempts::{Attempt, Leg},
    batches::{BatchKey, HeldBatch},
    do_not_call::DoNotCall,
    journal::Journal,
    keyed::Keyed,
    people::Known,
    questionnaire::HeldAnswers,
};
use super::{
    Against, AppliedCommits, AttemptFilter, AttemptPage, AttemptPlace, AttemptRecord, Batch, BatchPage,
    BusinessDecision, BusinessRecord, BusinessRequest, CampaignChange, CandidatePage, ContactHistory, Counted,
    DoNotCallCounts, Entries, Evaluated, Event, ExportRecord, FileChanges, FilesOf, GateSettings, HandledCommit,
    ImportOutcome, IntentDecision, IntentRequest, Leftovers, LegRecord, Listed, ListedNumber, ListingOutcome,
    Milestone, NewAuditEntry, News, Opener, OverrideRecord, Resealed, Settlement, Statistics, Store, StoreError,
    StoredCampaign, StoredFiles, Tally, Today, Why, file_digest, pseudonym::Pseudonyms,
};
use crate::{
    clock::Clock,
    domain::{
        agent::Availability,
        campaign::{Callback, Campaign, Generation, KeptFile},
        contact::{Contact, ContactEdit, NewContact, Progress},
        do_not_call::NewEntry,
        drift::{Drift, calls::LiveRows, files::Copies},
        facts::{
            ledger::{Ledger, monotonic},
            verdict::{self, Question},
        },
        ids::{
            AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, DoNotCallId, Epoch, LegId, Revision,
            SourceId,
        },
        overrides::{NewOverride, Override, OverrideId, Overrides},
        phone::E164,
        statistics::Span,
    },
    telemetry::status::Verification,
};

/// A store in memory; it lives as long as its last handle.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    epoch: Epoch,
    dialog_key: [u8; 32],
    opener: Opener,
    settings: GateSettings,
    clock: Clock,
    state: Arc<Mutex<State>>,
    /// What is written down with each change.
    entry: Option<NewAuditEntry>,
}

#[derive(Debug, Default)]
struct State {
    epoch: u32,
    /// When this life was last known to live, and the one before it.
    beats: (Timestamp, Timestamp),
    closed: bool,
    generation: Option<Arc<Generation>>,
    applied: Vec<(Revision, Timestamp, Timestamp)>,
    /// Commits that were let in.
    approved: BTreeSet<String>,
    kept_files: BTreeMap<String, KeptFile>,
    commits: AppliedCommits,
    verified: BTreeMap<Revision, Verification>,
    files: BTreeMap<String, Vec<u8>>,
    files_of: Vec<FilesOf>,
    campaigns: BTreeMap<CampaignId, Held>,
    journal: Journal,
    known: Known,
    keyed: Keyed,
    contacts: BTreeMap<ContactRef, Contact>,
    custom_fields: BTreeMap<ContactRef, Option<String>>,
    /// Contacts that are left out by the definition that their campaign's contacts stand by.
    filtered_out: BTreeSet<ContactRef>,
    /// Contacts whose batch was paused when that was last applied.
    paused_out: BTreeSet<ContactRef>,
    /// All batches, oldest first.
    batches: Vec<HeldBatch>,
    batch_of: BTreeMap<ContactRef, BatchKey>,
    /// The last id that a contact got.
    last_contact: i64,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Business results in the order in which they were set.
    business: Vec<(ContactRef, BusinessRecord)>,
    /// What attempts ask, and what was answered.
    answers: BTreeMap<AttemptId, HeldAnswers>,
    legs: BTreeMap<LegId, Leg>,
    agents: BTreeMap<AgentId, Availability>,
    do_not_call: DoNotCall,
    /// All overrides, oldest first.
    overrides: Vec<OverrideRecord>,
    ledger: Ledger,
    /// What others are to be told, oldest first.
    dispatches: Vec<dispatch::Held>,
    last_dispatch: i64,
    news: Arc<News>,
    /// All exports, oldest first.
    exports: Vec<ExportRecord>,
}

#[derive(Debug)]
struct Held {
    stored: StoredCampaign,
    customers: BTreeMap<CustomerId, ContactRef>,
    next_order: i64,
    /// What of its definition its contacts are to stand by, as text.
    selection: String,
    /// The definition that they do stand by, as far as this life has heard of it.
    by: Option<Arc<Campaign>>,
    /// The last customer that a new one has been applied to; `None` while they stand by that in force.
    evaluated_to: Option<String>,
    /// The do-not-call lists that it follows.
    lists: Vec<DoNotCallId>,
    /// The last contact that was released from those that it follows no longer; `None` once all were.
    unlisted_to: Option<ContactRef>,
    caller_usage: BTreeMap<E164, u64>,
    /// Where its calls are told, the last that it had.
    callback: Option<Callback>,
    /// Whether they are.
    tells: bool,
    /// Whether those who were not reached are sent a text message.
    sends_sms: bool,
}

impl MemoryStore {
    /// A new, empty store.
    #[must_use]
    pub fn open(opener: Opener, settings: GateSettings, clock: Clock) -> Arc<Self> {
        let state = State { epoch: 1, beats: (clock.now().wall, Timestamp::MIN), ..State::default() };
        let (epoch, state) = (Epoch(1), Arc::new(Mutex::new(state)));
        Arc::new(Self { epoch, dialog_key: [7; 32], opener, settings, clock, state, entry: None })
    }

    /// The same facts as the next life of the daemon finds them; this one is fenced off.
    #[must_use]
    pub fn next_life(&self) -> Arc<Self> {
        self.next_life_with(self.settings.clone())
    }

    /// The same with other settings, as a restart may bring them.
    #[must_use]
    pub fn next_life_with(&self, settings: GateSettings) -> Arc<Self> {
        let mut state = self.lock();
        state.epoch += 1;
        state.beats = (self.clock.now().wall, state.beats.0);
        state.closed = false;
        state.generation = None;
        // What was under way is begun anew, and the definition before is not known any more.
        for held in state.campaigns.values_mut().filter(|held| held.evaluated_to.is_some()) {
            (held.evaluated_to, held.by) = (Some(String::new()), None);
        }
        let epoch = Epoch(state.epoch);
        drop(state);
        let (opener, clock) = (self.opener.clone(), self.clock.clone());
        let (dialog_key, state) = (self.dialog_key, self.state.clone());
        Arc::new(Self { epoch, dialog_key, opener, settings, clock, state, entry: None })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for a verb of this life.
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.epoch != self.epoch.0 {
            return Err(StoreError::Fenced(Epoch(state.epoch)));
        }
        Ok(state)
    }
}

impl State {
    /// Which commit of which source; one that stays keeps the time since when it is in force.
    fn put_sources(&mut self, commits: &BTreeMap<SourceId, Revision>, now: Timestamp) {
        let before = std::mem::take(&mut self.commits);
        let row = |(source, revision): (&SourceId, &Revision)| {
            let stays = before.get(source).filter(|(known, _)| known == revision).map(|(_, at)| *at);
            (source.clone(), (revision.clone(), stays.unwrap_or(now)))
        };
        self.commits = commits.iter().map(row).collect();
    }

    fn held(&self, campaign: &CampaignId) -> Result<&Held, StoreError> {
        self.campaigns.get(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))
    }

    fn contacts_of<'a>(&'a self, campaign: &'a CampaignId) -> impl Iterator<Item = &'a Contact> {
        self.contacts.values().filter(move |contact| contact.campaign == *campaign)
    }

    fn live_contacts(&self) -> BTreeSet<ContactRef> {
        self.attempts.values().filter(|attempt| attempt.live.is_some()).map(|attempt| attempt.contact).collect()
    }

    fn write(&mut self, contact: ContactRef, progress: Progress) {
        if let Some(contact) = self.contacts.get_mut(&contact) {
            contact.progress = progress;
            contact.version += 1;
        }
        self.stand(contact);
    }

    /// The same, where that may end the contact.
    fn move_on(&mut self, contact: ContactRef, progress: Progress, now: Timestamp) {
        let before = self.contacts.get(&contact).map(|contact| contact.progress.clone());
        self.write(contact, progress);
        if let Some(before) = before {
            self.not_reached(contact, &before, now);
        }
    }

    /// A contact comes to stand anew by what its campaign's contacts stand by.
    fn stand(&mut self, contact: ContactRef) {
        let Some(contact) = self.contacts.get(&contact) else { return };
        let (reference, campaign) = (contact.reference, contact.campaign.clone());
        match self.by(&campaign).map(|by| !by.matches(&contact.attributes)) {
            Some(true) => drop(self.filtered_out.insert(reference)),
            Some(false) => drop(self.filtered_out.remove(&reference)),
            None => {}
        }
        if self.defined(&campaign).is_none()
            && let Some(held) = self.campaigns.get_mut(&campaign)
        {
            held.evaluated_to = Some(String::new());
        }
    }

    /// The definition that contacts of a campaign stand by; `None` while its file is gone.
    fn by(&self, campaign: &CampaignId) -> Option<&Campaign> {
        let defined = self.defined(campaign)?;
        Some(self.campaigns.get(campaign).and_then(|held| held.by.as_deref()).unwrap_or(defined))
    }

    fn history_of(&self, contact: &Contact) -> ContactHistory {
        let attempts = self.attempts.values().filter(|attempt| attempt.contact == contact.reference);
        let business = self.business.iter().filter(|(reference, _)| *reference == contact.reference);
        ContactHistory {
            contact: contact.clone(),
            batch: self.batches[self.batch_of[&contact.reference]].id.clone(),
            attempts: attempts.map(|attempt| attempt.record.clone()).collect(),
            business: business.map(|(_, record)| record.clone()).collect(),
        }
    }

    fn find(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<Option<&Contact>, StoreError> {
        let reference = self.held(campaign)?.customers.get(customer);
        Ok(reference.and_then(|reference| self.contacts.get(reference)))
    }

    fn defined(&self, campaign: &CampaignId) -> Option<&Campaign> {
        self.generation.as_ref()?.definitions.campaigns.get(campaign).map(Arc::as_ref)
    }

    /// Contacts that have not ended, and those of them that the filter leaves out.
    fn open(&self, campaign: &CampaignId) -> (u64, u64) {
        let open = || self.contacts_of(campaign).filter(|contact| !contact.progress.is_over());
        let left_out = open().filter(|contact| self.filtered_out.contains(&contact.reference)).count();
        (open().count() as u64, left_out as u64)
    }
}

/// Of a store that is gone with its process.
fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new([7; 32])
}

fn limit_of(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl Store for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn dialog_key(&self) -> [u8; 32] {
        self.dialog_key
    }

    async fn heartbeat(&self) -> Result<(), StoreError> {
        self.state()?.beats.0 = self.clock.now().wall;
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        if let Ok(mut state) = self.state() {
            state.beats.0 = self.clock.now().wall;
            state.closed = true;
        }
        Ok(())
    }

    async fn applied(&self) -> Result<Option<(Revision, Timestamp)>, StoreError> {
        let state = self.state()?;
        Ok(state.applied.last().map(|(revision, _, at)| (revision.clone(), *at)))
    }

    async fn applied_commits(&self) -> Result<AppliedCommits, StoreError> {
        Ok(self.state()?.commits.clone())
    }

    async fn kept_files(&self) -> Result<BTreeMap<String, KeptFile>, StoreError> {
        Ok(self.state()?.kept_files.clone())
    }

    fn overrides(&self) -> Arc<Overrides> {
        Arc::new(self.lock().open_overrides())
    }

    async fn add_override(&self, new: NewOverride) -> Result<Arc<Override>, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.add_override(new, now)), |_| true)
    }

    async fn end_override(&self, id: OverrideId, by: &str) -> Result<bool, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.end_override(id, by, now)), |ended| *ended)
    }

    async fn drifted_overrides(&self) -> Result<Vec<Drift>, StoreError> {
        // What holds and what is stored are one thing here.
        Ok(Vec::new())
    }

    async fn mend_overrides(&self, _: &[OverrideId]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn override_records(
        &self,
        before: Option<OverrideId>,
        limit: u32,
    ) -> Result<Vec<OverrideRecord>, StoreError> {
        let state = self.state()?;
        let older = state.overrides.iter().rev().filter(|one| before.is_none_or(|before| one.made.id < before));
        Ok(older.take(limit_of(limit)).cloned().collect())
    }

    async fn approve(&self, revision: &Revision, _by: &str) -> Result<(), StoreError> {
        let approved = revision.as_str().to_owned();
        self.noted(|state| Ok(state.approved.insert(approved)), |_| true).map(|_| ())
    }

    async fn is_approved(&self, revision: &Revision) -> Result<bool, StoreError> {
        let state = self.state()?;
        let was_in_force = state.applied.iter().any(|(applied, ..)| applied == revision);
        Ok(was_in_force || state.approved.contains(revision.as_str()))
    }

    async fn put_files(&self, changes: FileChanges) -> Result<(), StoreError> {
        let mut state = self.state()?;
        for (path, bytes) in changes.changed {
            match bytes {
                Some(bytes) => drop(state.files.insert(path, bytes.to_vec())),
                None => drop(state.files.remove(&path)),
            }
        }
        state.files_of = changes.complete;
        Ok(())
    }

    async fn file_digests(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(self.state()?.files.iter().map(|(path, bytes)| (path.clone(), file_digest(bytes))).collect())
    }

    async fn copies(&self) -> Result<Copies, StoreError> {
        let state = self.state()?;
        Ok(Copies {
            of: state.files_of.iter().map(FilesOf::as_text).collect(),
            digests: state.files.iter().map(|(path, bytes)| (path.clone(), file_digest(bytes))).collect(),
            kept: state.kept_files.iter().map(|(path, file)| (path.clone(), Some(file.clone()))).collect(),
        })
    }

    async fn files(&self) -> Result<Option<StoredFiles>, StoreError> {
        let state = self.state()?;
        let (sources, files) = (state.files_of.clone(), state.files.clone());
        Ok((!sources.is_empty()).then_some(StoredFiles { sources, files, edited: Vec::new() }))
    }

    async fn set_verified(&self, revision: &Revision, by: &Verification) -> Result<(), StoreError> {
        self.state()?.verified.entry(revision.clone()).or_insert_with(|| by.clone());
        Ok(())
    }

    async fn verified(&self, revision: &Revision) -> Result<Option<Verification>, StoreError> {
        Ok(self.state()?.verified.get(revision).cloned())
    }

    async fn campaigns(&self) -> Result<Vec<StoredCampaign>, StoreError> {
        Ok(self.state()?.campaigns.values().map(|held| held.stored.clone()).collect())
    }

    async fn apply(
        &self,
        generation: Arc<Generation>,
        changes: Vec<CampaignChange>,
        against: Against<'_>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        let in_force = state.applied.last().map(|(revision, ..)| revision.clone());
        if let Against::Revision(planned) = against
            && planned != in_force.as_ref()
        {
            return Err(StoreError::Moved { planned: planned.cloned(), found: in_force });
        }
        if in_force.as_ref() != Some(&generation.revision) {
            state.applied.retain(|(revision, ..)| *revision != generation.revision);
            state.applied.push((generation.revision.clone(), generation.committed_at, now));
        }
        for change in changes {
            state.change(&generation, change, now)?;
        }
        state.kept_files.clone_from(&generation.kept.files);
        state.put_sources(&generation.sources.commits, now);
        if state.generation.replace(generation).is_none() {
            state.results_take_effect_late(now);
            state.note_forgotten(now);
        }
        Ok(())
    }

    async fn evaluate(&self) -> Result<Option<Evaluated>, StoreError> {
        Ok(self.state()?.evaluate())
    }

    async fn candidates(&self, campaign: &CampaignId, now: Timestamp, limit: u32) -> Result<CandidatePage, StoreError> {
        self.state()?.candidates(campaign, now, limit, &self.settings.permission)
    }

    async fn record_leg(&self, leg: LegRecord) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.legs.insert(leg.leg, Leg { record: leg, attempt: None, answered: false });
        Ok(())
    }

    async fn record_intent(&self, request: IntentRequest) -> Result<IntentDecision, StoreError> {
        Ok(self.state()?.record_intent(request, &self.settings, &self.opener, self.clock.now()))
    }

    async fn withdraw_intent(&self, attempt: AttemptId) -> Result<(), StoreError> {
        self.state()?.withdraw(attempt, self.clock.now().wall);
        Ok(())
    }

    async fn note(&self, milestone: Milestone) -> Result<(), StoreError> {
        self.state()?.note(milestone, self.clock.now().wall);
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        Ok(self.state()?.settle(settlement, self.clock.now().wall))
    }

    async fn set_business_result(&self, request: BusinessRequest) -> Result<BusinessDecision, StoreError> {
        let is_set = |decision: &BusinessDecision| matches!(decision, BusinessDecision::Set { .. });
        let now = self.clock.now().wall;
        self.noted(|state| state.set_business_result(request, now), is_set)
    }

    async fn advance(&self, contact: ContactRef, version: u32, progress: Progress) -> Result<(), StoreError> {
        let mut state = self.state()?;
        if state.contacts.get(&contact).is_some_and(|contact| contact.version == version) {
            state.move_on(contact, progress, self.clock.now().wall);
        }
        Ok(())
    }

    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        Ok(self.state()?.leftovers(|epoch| epoch < self.epoch))
    }

    async fn foreign_writes(&self) -> Result<u64, StoreError> {
        // Nobody else can.
        self.state().map(|_| 0)
    }

    async fn live_rows(&self) -> Result<LiveRows, StoreError> {
        Ok(self.state()?.live_rows())
    }

    async fn left_behind(&self, attempts: &[AttemptId], legs: &[LegId]) -> Result<Leftovers, StoreError> {
        let mut all = self.state()?.leftovers(|_| true);
        all.legs.retain(|leg| legs.contains(&leg.record.leg));
        all.attempts.retain(|left| attempts.contains(&left.attempt));
        Ok(all)
    }

    async fn import(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        contacts: Vec<NewContact>,
    ) -> Result<ImportOutcome, StoreError> {
        self.state()?.import(campaign, batch, contacts, self.clock.now().wall)
    }

    async fn note_rejected(&self, campaign: &CampaignId, batch: &BatchId, rejected: u64) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        state.held(campaign)?;
        state.note_rejected(campaign, batch, rejected, now);
        Ok(())
    }

    async fn batches(&self, campaign: &CampaignId) -> Result<Vec<Batch>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        Ok(state.batches_of(campaign))
    }

    async fn pause_batch(&self, campaign: &CampaignId, batch: &BatchId, paused: bool) -> Result<bool, StoreError> {
        let pause = |state: &mut State| {
            state.held(campaign)?;
            state.pause_batch(campaign, batch, paused)
        };
        self.noted(pause, |changed| *changed)
    }

    async fn edit(&self, campaign: &CampaignId, customer: &CustomerId, edit: ContactEdit) -> Result<bool, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| state.edit(campaign, customer, &edit, now), |changed| *changed)
    }

    async fn delete(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| state.delete(campaign, customer, now), |()| true)
    }

    async fn erase(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| state.erase(campaign, customer, &pseudonyms(), now), |()| true)
    }

    async fn reseal(&self, contacts: Vec<Resealed>) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let mut written = 0;
        for Resealed { contact, before, after } in contacts {
            let found = state.contacts.get_mut(&contact);
            if let Some(found) = found.filter(|found| found.attributes == before) {
                found.attributes = after;
                written += 1;
            }
        }
        self.note(&mut state, written > 0);
        Ok(written)
    }

    async fn import_do_not_call(
        &self,
        list: &DoNotCallId,
        entries: Vec<NewEntry>,
    ) -> Result<ListingOutcome, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.import_do_not_call(list, entries, now)), |_| true)
    }

    async fn remove_do_not_call(&self, list: &DoNotCallId, number: &E164) -> Result<bool, StoreError> {
        self.noted(|state| Ok(state.remove_do_not_call(list, number)), |removed| *removed)
    }

    async fn do_not_call_counts(&self, now: Timestamp) -> Result<DoNotCallCounts, StoreError> {
        Ok(self.state()?.do_not_call.counts(now))
    }

    async fn do_not_call_page(
        &self,
        list: &DoNotCallId,
        after: Option<&E164>,
        limit: u32,
    ) -> Result<Vec<ListedNumber>, StoreError> {
        Ok(self.state()?.do_not_call.page(list, after, limit))
    }

    async fn contact(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
    ) -> Result<Option<ContactHistory>, StoreError> {
        let state = self.state()?;
        Ok(state.find(campaign, customer)?.map(|contact| state.history_of(contact)))
    }

    async fn contacts_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Contact>, StoreError> {
        let state = self.state()?;
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let customers = state.held(campaign)?.customers.range::<CustomerId, _>((after, Bound::Unbounded));
        let contacts = customers.filter_map(|(_, reference)| state.contacts.get(reference));
        Ok(contacts.take(limit_of(limit)).cloned().collect())
    }

    async fn listed_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError> {
        let contacts = self.contacts_page(campaign, after, limit).await?;
        Ok(self.state()?.listed(contacts))
    }

    async fn batch_page(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        after: Option<ContactRef>,
        limit: u32,
    ) -> Result<BatchPage, StoreError> {
        self.state()?.batch_page(campaign, batch, after, limit_of(limit))
    }

    async fn why(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<Why>, StoreError> {
        let mono = monotonic(self.clock.now().mono);
        let state = self.state()?;
        let Some(contact) = state.find(campaign, customer)? else { return Ok(None) };
        let defined = state.defined(campaign);
        let lists = defined.map_or(&[][..], |campaign| &campaign.do_not_call);
        let entries = state.do_not_call.of(lists, contact);
        let next = verdict::next(defined, contact, now);
        let overrides = state.open_overrides();
        let hold = match (&state.generation, defined, &next) {
            (Some(generation), Some(campaign), Some(next)) => {
                let number = next.number;
                let question = Question {
                    now,
                    mono,
                    contact,
                    picked_version: contact.version,
                    number,
                    batch_paused: state.is_paused(contact.reference),
                    rule: next.rule(contact),
                    overridden: overrides.governing(&campaign.id, now).map(Arc::as_ref),
                    agent: None,
                    trunk: None,
                    history: &state.history(campaign, contact, number),
                    do_not_call: entries.get(number).map_or(&[], Vec::as_slice),
                };
                verdict::explain(&question, generation, &self.settings, &state.ledger).err()
            }
            _ => verdict::without_work(state.generation.as_deref(), contact, now),
        };
        let do_not_call =
            entries.iter().map(|entries| crate::domain::do_not_call::holding(entries, lists, now).cloned()).collect();
        Ok(Some(Why { history: state.history_of(contact), do_not_call, next, hold }))
    }

    async fn attempts(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        let records = state.attempts.values().map(|attempt| &attempt.record);
        let records = records.filter(|r| r.campaign == *campaign && after.is_none_or(|after| r.attempt > after));
        Ok(records.take(limit_of(limit)).cloned().collect())
    }

    async fn attempt_page(
        &self,
        campaign: &CampaignId,
        filter: &AttemptFilter,
        after: Option<AttemptPlace>,
        limit: u32,
    ) -> Result<AttemptPage, StoreError> {
        self.state()?.attempt_page(campaign, filter, after, limit_of(limit))
    }

    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError> {
        Ok(self.state()?.attempts.get(&attempt).map(|attempt| attempt.record.clone()))
    }

    async fn statistics(&self, campaign: Option<&CampaignId>, span: Span) -> Result<Statistics, StoreError> {
        self.state()?.statistics(campaign, span)
    }

    async fn attempts_of(&self, agent: &AgentId, limit: u32) -> Result<Vec<AttemptRecord>, StoreError> {
        let state = self.state()?;
        let records = state.attempts.values().rev().map(|attempt| &attempt.record);
        Ok(records.filter(|record| record.agent == *agent).take(limit_of(limit)).cloned().collect())
    }

    async fn today(&self, now: Timestamp) -> Result<Today, StoreError> {
        Ok(self.state()?.today(now))
    }

    async fn tally(&self, campaign: &CampaignId) -> Result<Tally, StoreError> {
        self.state()?.tally(campaign)
    }

    async fn counts(&self, campaign: &CampaignId, now: Timestamp, most: u64) -> Result<Counted, StoreError> {
        let state = self.state()?;
        let tally = state.tally(campaign)?;
        let kept = if tally.contacts > most { None } else { Some(state.kept(campaign, now, &self.settings)?) };
        Ok(Counted { tally, kept, at_once: true })
    }

    async fn availabilities(&self) -> Result<BTreeMap<AgentId, Availability>, StoreError> {
        Ok(self.state()?.agents.clone())
    }

    async fn set_availability(&self, agent: &AgentId, availability: Availability) -> Result<(), StoreError> {
        self.noted(|state| Ok(state.agents.insert(agent.clone(), availability)), |_| true).map(|_| ())
    }

    async fn journal(&self, entries: Entries) -> Result<(), StoreError> {
        self.state()?.add_to_journal(entries);
        Ok(())
    }

    async fn handled_commits(&self, limit: u32) -> Result<Vec<HandledCommit>, StoreError> {
        Ok(self.state()?.handled_commits(limit))
    }

    async fn events(
        &self,
        after: Option<u64>,
        campaign: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<(u64, Event)>, StoreError> {
        Ok(self.state()?.events(after, campaign, limit))
    }
}
