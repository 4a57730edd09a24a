//! The in-memory twin: the same verbs over plain maps and the domain's own comparators.
//!
//! It serves tests, and is what the SQL of `sqlite` is held equal to. Nothing in it is fast on purpose:
//! candidates are found by sorting all contacts. The simulator dials on `domain::facts`.

mod batches;
mod business;
mod customer;
mod do_not_call;
mod evaluate;
mod page;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};

use self::{
    batches::{BatchKey, HeldBatch},
    do_not_call::DoNotCall,
};
use super::{
    AttemptRecord, Batch, BusinessDecision, BusinessRecord, BusinessRequest, CampaignChange, CandidatePage,
    ContactHistory, DoNotCallCounts, Evaluated, GateSettings, ImportOutcome, IntentDecision, IntentRequest,
    LeftoverAttempt, LeftoverLeg, Leftovers, LegRecord, Listed, ListedNumber, ListingOutcome, Milestone, Opener,
    RecordedIntent, Settlement, Store, StoreError, StoredCampaign, Tally, Why, pseudonym::Pseudonyms,
};
use crate::{
    clock::Clock,
    domain::{
        agent::Availability,
        attribute::Attributes,
        campaign::{Campaign, Generation},
        contact::{Contact, ContactEdit, NewContact, Progress},
        do_not_call::NewEntry,
        facts::{
            ledger::{Ledger, LiveCall, monotonic},
            verdict::{self, Question},
        },
        gate::{self, NumberHistory},
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, DoNotCallId, Epoch, LegId, Revision},
        kept::Kept,
        order,
        phone::E164,
        policy::ResultPolicy,
        reason::Hold,
        results::CallResult,
    },
};

/// A store in memory; it lives as long as its last handle.
#[derive(Debug)]
pub struct MemoryStore {
    epoch: Epoch,
    dialog_key: [u8; 32],
    opener: Opener,
    settings: GateSettings,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    epoch: u32,
    closed: bool,
    generation: Option<Arc<Generation>>,
    applied: Vec<(Revision, Timestamp, Timestamp)>,
    campaigns: BTreeMap<CampaignId, Held>,
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
    legs: BTreeMap<LegId, Leg>,
    agents: BTreeMap<AgentId, Availability>,
    do_not_call: DoNotCall,
    ledger: Ledger,
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
}

#[derive(Debug)]
struct Attempt {
    record: AttemptRecord,
    contact: ContactRef,
    /// What stands for its number once that was erased.
    erased: Option<String>,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    policy: ResultPolicy,
    local_date: Date,
    next_day_at: Timestamp,
    last_event_at: Timestamp,
}

#[derive(Debug)]
struct Leg {
    record: LegRecord,
    attempt: Option<AttemptId>,
    answered: bool,
}

impl MemoryStore {
    /// A new, empty store.
    #[must_use]
    pub fn open(opener: Opener, settings: GateSettings, clock: Clock) -> Arc<Self> {
        let state = State { epoch: 1, ..State::default() };
        let (epoch, state) = (Epoch(1), Arc::new(Mutex::new(state)));
        Arc::new(Self { epoch, dialog_key: [7; 32], opener, settings, clock, state })
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
        state.closed = false;
        state.generation = None;
        // What was under way is begun anew, and the definition before is not known any more.
        for held in state.campaigns.values_mut().filter(|held| held.evaluated_to.is_some()) {
            (held.evaluated_to, held.by) = (Some(String::new()), None);
        }
        let epoch = Epoch(state.epoch);
        drop(state);
        let (opener, clock) = (self.opener.clone(), self.clock.clone());
        Arc::new(Self { epoch, dialog_key: self.dialog_key, opener, settings, clock, state: self.state.clone() })
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
    fn held(&self, campaign: &CampaignId) -> Result<&Held, StoreError> {
        self.campaigns.get(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))
    }

    fn contacts_of<'a>(&'a self, campaign: &'a CampaignId) -> impl Iterator<Item = &'a Contact> {
        self.contacts.values().filter(move |contact| contact.campaign == *campaign)
    }

    fn live_contacts(&self) -> BTreeSet<ContactRef> {
        self.attempts.values().filter(|attempt| attempt.live.is_some()).map(|attempt| attempt.contact).collect()
    }

    fn history(&self, campaign: &Campaign, contact: &Contact, number: usize) -> NumberHistory {
        let counts = campaign.limits.max_attempts_per_contact.is_some();
        let same = self.contacts.values().filter(|other| counts && other.customer == contact.customer);
        let to_customer = same.map(|other| other.progress.attempts).sum();
        let number = contact.progress.numbers.get(number).filter(|_| campaign.limits.on_a_number().next().is_some());
        let Some(number) = number.map(|number| &number.e164) else {
            return NumberHistory { to_customer, ..NumberHistory::default() };
        };
        let erased = pseudonyms().number(number);
        let is_of =
            |call: &&Attempt| call.record.number.as_ref() == Some(number) || call.erased.as_ref() == Some(&erased);
        let calls = || self.attempts.values().filter(is_of).map(|attempt| &attempt.record);
        let mut attempts: Vec<Timestamp> = calls().map(|record| record.placed_at).collect();
        attempts.sort();
        let conversations = calls().filter(|record| record.result.is_some_and(CallResult::is_conversation));
        let conversation_ended_at = conversations.filter_map(|record| record.ended_at).max();
        NumberHistory { attempts, conversation_ended_at, to_customer }
    }

    fn write(&mut self, contact: ContactRef, progress: Progress) {
        if let Some(contact) = self.contacts.get_mut(&contact) {
            contact.progress = progress;
            contact.version += 1;
        }
        self.stand(contact);
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
        self.state().map(drop)
    }

    async fn close(&self) -> Result<(), StoreError> {
        if let Ok(mut state) = self.state() {
            state.closed = true;
        }
        Ok(())
    }

    async fn applied(&self) -> Result<Option<(Revision, Timestamp)>, StoreError> {
        let state = self.state()?;
        Ok(state.applied.last().map(|(revision, _, at)| (revision.clone(), *at)))
    }

    async fn campaigns(&self) -> Result<Vec<StoredCampaign>, StoreError> {
        Ok(self.state()?.campaigns.values().map(|held| held.stored.clone()).collect())
    }

    async fn apply(&self, generation: Arc<Generation>, changes: Vec<CampaignChange>) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        let in_force = state.applied.last().map(|(revision, ..)| revision.clone());
        if in_force.as_ref() != Some(&generation.revision) {
            state.applied.retain(|(revision, ..)| *revision != generation.revision);
            state.applied.push((generation.revision.clone(), generation.committed_at, now));
        }
        for change in changes {
            state.change(&generation, change)?;
        }
        if state.generation.replace(generation).is_none() {
            state.results_take_effect_late();
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
        let now = self.clock.now();
        let mono = monotonic(now.mono);
        let mut state = self.state()?;
        let Some(generation) = state.generation.clone() else {
            return Ok(IntentDecision::Refused(Hold::StoreUnavailable));
        };
        let contact = state.contacts.get(&request.contact).filter(|contact| contact.campaign == request.campaign);
        let Some(contact) = contact.cloned() else { return Ok(IntentDecision::Refused(Hold::Stale)) };
        let campaign = generation.definitions.campaigns.get(&request.campaign);
        let Some(campaign) = campaign else { return Ok(IntentDecision::Refused(Hold::Retired)) };
        let history = state.history(campaign, &contact, request.number);
        let entries = state.do_not_call.of(&campaign.do_not_call, &contact);
        state.ledger.forget_before(mono);
        let question = Question {
            now: now.wall,
            mono,
            contact: &contact,
            picked_version: request.picked_version,
            number: request.number,
            batch_paused: state.is_paused(contact.reference),
            rule: request.rule.as_ref(),
            agent: Some(&request.agent),
            trunk: Some(&request.trunk),
            history: &history,
            do_not_call: entries.get(request.number).map_or(&[], Vec::as_slice),
        };
        let answer = verdict::ask(&question, &generation, &self.settings, &state.ledger);
        if let Err(hold) = answer {
            let place = (request.number, request.rule.as_ref());
            let after = gate::after_refusal(campaign, &hold, &contact, place, now.wall);
            if let Some(progress) = after {
                state.write(contact.reference, progress);
            }
            return Ok(IntentDecision::Refused(hold));
        }
        let intent = RecordedIntent::new(&generation.revision, campaign, contact, request.number, now.wall);
        state.record(request, &intent, &self.opener, mono);
        Ok(IntentDecision::Recorded(Box::new(intent)))
    }

    async fn withdraw_intent(&self, attempt: AttemptId) -> Result<(), StoreError> {
        let mut state = self.state()?;
        if state.attempts.get(&attempt).is_none_or(|attempt| attempt.live.is_none()) {
            return Ok(());
        }
        if let Some(gone) = state.attempts.remove(&attempt) {
            state.ledger.withdraw(attempt);
            state.legs.retain(|_, leg| leg.attempt != Some(attempt));
            if let Some(held) = state.campaigns.get_mut(&gone.record.campaign) {
                if let Some(used) = held.caller_usage.get_mut(&gone.record.caller_number) {
                    *used -= 1;
                }
                held.caller_usage.retain(|_, used| *used > 0);
            }
            state.forget_attempt(attempt);
            state.stand(gone.contact);
            state.results_take_effect(gone.contact);
        }
        Ok(())
    }

    async fn note(&self, milestone: Milestone) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        match milestone {
            Milestone::Leg { leg, identity, answered_at } => {
                let Some(leg) = state.legs.get_mut(&leg) else { return Ok(()) };
                leg.record.identity = identity;
                leg.answered |= answered_at.is_some();
                let Some(attempt) = leg.attempt else { return Ok(()) };
                if let Some(attempt) = state.attempts.get_mut(&attempt) {
                    attempt.happened(answered_at.unwrap_or(now));
                    attempt.record.answered_at = attempt.record.answered_at.or(answered_at);
                }
            }
            Milestone::Connected { attempt, at } => {
                if let Some(attempt) = state.attempts.get_mut(&attempt) {
                    attempt.happened(at);
                    attempt.record.connected_at = attempt.record.connected_at.or(Some(at));
                }
            }
            Milestone::LegEnded { leg } => {
                state.legs.remove(&leg);
            }
        }
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let Some(attempt) = state.attempts.get_mut(&settlement.attempt) else { return Ok(false) };
        if attempt.live.take().is_none() {
            return Ok(false);
        }
        let record = &mut attempt.record;
        record.result = Some(settlement.result);
        record.fail_code = Some(settlement.fail_code.to_owned());
        record.sip_status = settlement.sip_status;
        record.q850 = settlement.q850;
        record.ended_at = Some(settlement.ended_at);
        record.answered_at = settlement.answered_at.or(record.answered_at);
        record.connected_at = settlement.connected_at.or(record.connected_at);
        let contact = attempt.contact;
        state.ledger.remove(settlement.attempt);
        if let Some(held) = state.contacts.get(&contact) {
            let progress = verdict::settled(&held.progress, settlement.progress);
            state.write(contact, progress);
        }
        Ok(state.results_take_effect(contact))
    }

    async fn set_business_result(&self, request: BusinessRequest) -> Result<BusinessDecision, StoreError> {
        self.state()?.set_business_result(request)
    }

    async fn advance(&self, contact: ContactRef, version: u32, progress: Progress) -> Result<(), StoreError> {
        let mut state = self.state()?;
        if state.contacts.get(&contact).is_some_and(|contact| contact.version == version) {
            state.write(contact, progress);
        }
        Ok(())
    }

    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        let state = self.state()?;
        let legs = state.legs.values().filter(|leg| leg.record.leg.epoch < self.epoch);
        let legs = legs.map(|leg| LeftoverLeg { record: leg.record.clone(), answered: leg.answered }).collect();
        let earlier = state.attempts.values().filter(|attempt| attempt.record.attempt.epoch < self.epoch);
        let attempts = earlier.filter_map(|attempt| attempt.leftover(&state.contacts)).collect();
        Ok(Leftovers { legs, attempts })
    }

    async fn import(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        contacts: Vec<NewContact>,
    ) -> Result<ImportOutcome, StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        state.held(campaign)?;
        let mut outcome = ImportOutcome::default();
        if contacts.is_empty() {
            return Ok(outcome);
        }
        let batch = state.open_batch(campaign, batch, now);
        for (position, new) in contacts.into_iter().enumerate() {
            match state.find(campaign, &new.customer)? {
                None => {
                    state.insert(campaign, batch, new);
                    outcome.added += 1;
                }
                Some(found) if same(found, state.custom_fields.get(&found.reference), &new) => outcome.unchanged += 1,
                Some(_) => outcome.conflicting.push(position),
            }
        }
        Ok(outcome)
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
        let mut state = self.state()?;
        state.held(campaign)?;
        state.pause_batch(campaign, batch, paused)
    }

    async fn edit(&self, campaign: &CampaignId, customer: &CustomerId, edit: ContactEdit) -> Result<bool, StoreError> {
        self.state()?.edit(campaign, customer, &edit)
    }

    async fn delete(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        self.state()?.delete(campaign, customer)
    }

    async fn erase(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        self.state()?.erase(campaign, customer, &pseudonyms())
    }

    async fn reseal(&self, contact: &Contact, attributes: Attributes) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let found = state.contacts.get_mut(&contact.reference);
        let same = found.filter(|found| found.attributes == contact.attributes);
        Ok(same.map(|found| found.attributes = attributes).is_some())
    }

    async fn import_do_not_call(
        &self,
        list: &DoNotCallId,
        entries: Vec<NewEntry>,
    ) -> Result<ListingOutcome, StoreError> {
        let now = self.clock.now().wall;
        Ok(self.state()?.import_do_not_call(list, entries, now))
    }

    async fn remove_do_not_call(&self, list: &DoNotCallId, number: &E164) -> Result<bool, StoreError> {
        Ok(self.state()?.remove_do_not_call(list, number))
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
        let state = self.state()?;
        let live = state.live_contacts();
        let listed = |contact: Contact| {
            let batch = state.batch_name(contact.reference)?;
            Some(Listed { batch, live: live.contains(&contact.reference), contact })
        };
        Ok(contacts.into_iter().filter_map(listed).collect())
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
        let next = defined.and_then(|campaign| order::next(campaign, contact, now));
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
                    agent: None,
                    trunk: None,
                    history: &state.history(campaign, contact, number),
                    do_not_call: entries.get(number).map_or(&[], Vec::as_slice),
                };
                verdict::explain(&question, generation, &self.settings, &state.ledger).err()
            }
            _ => verdict::without_work(state.generation.as_deref(), contact),
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

    async fn tally(&self, campaign: &CampaignId) -> Result<Tally, StoreError> {
        let state = self.state()?;
        let evaluating = state.held(campaign)?.evaluated_to.is_some();
        let (mut tally, live) = (Tally::default(), state.live_contacts());
        (tally.filtered_out, tally.paused) =
            if evaluating { (0, 0) } else { (state.open(campaign).1, state.paused_open(campaign)) };
        for contact in state.contacts_of(campaign) {
            tally.contacts += 1;
            match contact.progress.ended.filter(|_| contact.progress.is_over()) {
                Some(end) => *tally.ended.entry(end.as_str()).or_default() += 1,
                None if contact.progress.attempts > 0 || live.contains(&contact.reference) => tally.in_progress += 1,
                None => tally.fresh += 1,
            }
        }
        for attempt in state.attempts.values().filter(|attempt| attempt.record.campaign == *campaign) {
            match attempt.record.result {
                Some(result) => *tally.attempts.entry(result).or_default() += 1,
                None => tally.live += 1,
            }
        }
        Ok(tally)
    }

    async fn kept(&self, campaign: &CampaignId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        self.state()?.kept(campaign, now)
    }

    async fn availabilities(&self) -> Result<BTreeMap<AgentId, Availability>, StoreError> {
        Ok(self.state()?.agents.clone())
    }

    async fn set_availability(&self, agent: &AgentId, availability: Availability) -> Result<(), StoreError> {
        self.state()?.agents.insert(agent.clone(), availability);
        Ok(())
    }
}

impl State {
    fn change(&mut self, generation: &Generation, change: CampaignChange) -> Result<(), StoreError> {
        match change {
            CampaignChange::Put { id, digest } => {
                let defined = generation.definitions.campaigns.get(&id);
                let defined = defined.ok_or_else(|| StoreError::UnknownCampaign(id.clone()))?;
                let stored = StoredCampaign {
                    id: id.clone(),
                    name: defined.name.clone(),
                    desired: defined.desired,
                    revision: generation.revision.clone(),
                    digest,
                    retired: false,
                    ends_at: Some(defined.ends_at),
                };
                let (selection, lists) = (defined.selection(), defined.do_not_call.clone());
                if let Some(held) = self.campaigns.get_mut(&id) {
                    held.stored = stored;
                    if held.lists.iter().any(|list| !lists.contains(list)) {
                        held.unlisted_to = Some(ContactRef(0));
                    }
                    held.lists = lists;
                    if held.selection != selection {
                        held.selection = selection;
                        held.evaluated_to = Some(String::new());
                    }
                    if held.customers.is_empty() || held.evaluated_to.is_none() {
                        (held.by, held.evaluated_to) = (Some(Arc::clone(defined)), None);
                    }
                    self.release_holds(defined);
                } else {
                    let (customers, caller_usage) = (BTreeMap::new(), BTreeMap::new());
                    let (evaluated_to, unlisted_to) = (None, None);
                    let held = Held {
                        stored,
                        customers,
                        next_order: 1,
                        selection,
                        by: Some(Arc::clone(defined)),
                        evaluated_to,
                        lists,
                        unlisted_to,
                        caller_usage,
                    };
                    self.campaigns.insert(id, held);
                }
            }
            CampaignChange::Retire { id } => {
                let held = self.campaigns.get_mut(&id).ok_or(StoreError::UnknownCampaign(id))?;
                held.stored.retired = true;
                held.stored.revision = generation.revision.clone();
            }
        }
        Ok(())
    }

    fn release_holds(&mut self, campaign: &Campaign) {
        for contact in self.contacts.values_mut().filter(|contact| contact.campaign == campaign.id) {
            let after = verdict::release_holds(campaign, &contact.progress);
            if contact.progress != after {
                contact.progress = after;
                contact.version += 1;
            }
        }
    }

    fn record(&mut self, request: IntentRequest, intent: &RecordedIntent, opener: &Opener, mono: i64) {
        let contact = &intent.contact;
        let called = contact.progress.numbers[request.number].e164.clone();
        let record = AttemptRecord {
            attempt: request.attempt,
            campaign: request.campaign.clone(),
            customer: contact.customer.clone(),
            number_index: request.number,
            number: Some(called.clone()),
            rule: request.rule,
            caller_number: request.caller_number.clone(),
            agent: request.agent,
            trunk: request.trunk.clone(),
            placed_at: intent.at,
            answered_at: None,
            connected_at: None,
            ended_at: None,
            result: None,
            fail_code: None,
            sip_status: None,
            q850: None,
            business: None,
            revision: intent.revision.clone(),
            daemon_version: opener.daemon_version.clone(),
            tzdb_version: opener.tzdb_version.clone(),
            settings_digest: opener.settings_digest.clone(),
            do_not_call_version: self.do_not_call.version,
        };
        let live = Live {
            policy: intent.policy.clone(),
            local_date: intent.local_date,
            next_day_at: intent.next_day_at,
            last_event_at: intent.at,
        };
        let numbers = verdict::numbers_of(contact);
        let (campaign, trunk, customer) = (request.campaign.clone(), request.trunk, contact.customer.clone());
        self.ledger.place(request.attempt, &campaign, &trunk, mono);
        self.ledger.add(request.attempt, LiveCall { campaign, trunk, customer, called, numbers });
        self.attempts
            .insert(request.attempt, Attempt { record, contact: contact.reference, erased: None, live: Some(live) });
        let leg = Leg { record: request.leg, attempt: Some(request.attempt), answered: false };
        self.legs.insert(leg.record.leg, leg);
        if let Some(held) = self.campaigns.get_mut(&request.campaign) {
            *held.caller_usage.entry(request.caller_number).or_default() += 1;
        }
    }

    fn insert(&mut self, campaign: &CampaignId, batch: BatchKey, new: NewContact) {
        self.last_contact += 1;
        let reference = ContactRef(self.last_contact);
        self.enter(reference, batch);
        let Some(held) = self.campaigns.get_mut(campaign) else { return };
        let contact = Contact {
            reference,
            campaign: campaign.clone(),
            customer: new.customer.clone(),
            priority: new.priority,
            import_order: held.next_order,
            not_before: new.not_before,
            timezone: new.timezone,
            attributes: new.attributes,
            version: 1,
            progress: Progress::fresh(&new.numbers),
        };
        held.next_order += 1;
        held.customers.insert(new.customer, reference);
        self.contacts.insert(reference, contact);
        self.custom_fields.insert(reference, new.custom_field);
        self.stand(reference);
    }
}

impl Attempt {
    fn happened(&mut self, at: Timestamp) {
        if let Some(live) = &mut self.live {
            live.last_event_at = live.last_event_at.max(at);
        }
    }

    fn leftover(&self, contacts: &BTreeMap<ContactRef, Contact>) -> Option<LeftoverAttempt> {
        let (live, record) = (self.live.as_ref()?, &self.record);
        Some(LeftoverAttempt {
            attempt: record.attempt,
            contact: contacts.get(&self.contact)?.clone(),
            number: record.number_index,
            rule: record.rule.clone(),
            caller_number: record.caller_number.clone(),
            placed_at: record.placed_at,
            answered_at: record.answered_at,
            connected_at: record.connected_at,
            last_event_at: live.last_event_at,
            policy: live.policy.clone(),
            local_date: live.local_date,
            next_day_at: live.next_day_at,
        })
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
