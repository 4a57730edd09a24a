//! The facts of dialling in memory: contacts, live calls and the ledgers, with the verbs of a store.
//!
//! What a store reads from its tables, the gate decides and its writer records is here one call each,
//! answered at once. The simulator dials on it; candidates are an index, so that a hundred thousand
//! contacts cost no more to pick from than a hundred.

mod caps;
mod do_not_call;
pub mod ledger;
mod marks;
mod shelf;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

pub use self::caps::Capped;
use self::{
    ledger::{Ledger, LiveCall},
    shelf::{Kept, Shelf},
    verdict::Question,
};
use super::{
    business::{EndedCall, Mark},
    campaign::{Campaign, DialPermission, Generation},
    contact::{self, Contact, ContactEdit, HELD_FOR_GOOD, NewContact, Progress},
    gate::{self, Caps, NumberHistory},
    ids::{AgentId, AttemptId, CampaignId, ContactRef, CustomerId, TrunkId},
    intent::{CandidatePage, Intent, PinnedRoom, RecordedIntent, Settlement},
    now::Now,
    order,
    phone::E164,
    reason::Hold,
};

/// What the gate needs besides the rows; fixed for a life of the daemon.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// Whom this daemon may call.
    pub permission: DialPermission,
    /// Caps by trunk, the tenant's part the same in each.
    pub caps: BTreeMap<TrunkId, Caps>,
}

/// Why a contact was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactRefused {
    /// No campaign of that id.
    #[error("no campaign \"{0}\"")]
    UnknownCampaign(CampaignId),
    /// The campaign has that customer already.
    #[error("customer {0} is in the campaign already")]
    Known(CustomerId),
    /// The campaign does not have that customer.
    #[error("customer {0} is not in the campaign")]
    UnknownCustomer(CustomerId),
    /// A contact in a call is not edited.
    #[error("customer {0} is in a call; edit the contact after it")]
    OnCall(CustomerId),
    /// Numbers are indexed once, when a contact is imported.
    #[error("customer {0}: numbers are not edited in memory; have the contacts file say them")]
    Numbers(CustomerId),
}

/// How many contacts a campaign has, and how they ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CampaignCounts {
    /// All of them.
    pub contacts: u64,
    /// Those that have not ended.
    pub open: u64,
    /// Those of them that the filter leaves out.
    pub left_out: u64,
    /// Ended ones, by how.
    pub ended: BTreeMap<&'static str, u64>,
}

/// A live attempt.
#[derive(Debug, Clone)]
struct LiveAttempt {
    campaign: CampaignId,
    contact: ContactRef,
    called: E164,
    caller_number: E164,
    number: usize,
    agent: AgentId,
    placed_at: Timestamp,
}

/// The facts.
#[derive(Debug, Clone)]
pub struct Facts {
    settings: GateSettings,
    generation: Option<Arc<Generation>>,
    campaigns: BTreeMap<CampaignId, Shelf>,
    /// By [`ContactRef`], from 1.
    contacts: Vec<Kept>,
    by_customer: BTreeMap<CustomerId, Vec<ContactRef>>,
    by_number: BTreeMap<E164, Vec<ContactRef>>,
    live: BTreeMap<AttemptId, LiveAttempt>,
    history: BTreeMap<E164, NumberHistory>,
    do_not_call: do_not_call::Entries,
    /// The newest call of each contact that has ended.
    last_calls: BTreeMap<ContactRef, EndedCall>,
    /// Business results that wait for the end of a call.
    marks: BTreeMap<ContactRef, Vec<Mark>>,
    ledger: Ledger,
}

/// The index of a contact in the list of all.
fn position(reference: ContactRef) -> Option<usize> {
    usize::try_from(reference.0).ok()?.checked_sub(1)
}

impl Facts {
    /// No campaign and no contact yet.
    #[must_use]
    pub fn new(settings: GateSettings) -> Self {
        Self {
            settings,
            generation: None,
            campaigns: BTreeMap::new(),
            contacts: Vec::new(),
            by_customer: BTreeMap::new(),
            by_number: BTreeMap::new(),
            live: BTreeMap::new(),
            history: BTreeMap::new(),
            do_not_call: do_not_call::Entries::default(),
            last_calls: BTreeMap::new(),
            marks: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// Puts a generation in force at `now`, in which campaigns that have expired stay so, and gives it.
    /// Contacts of campaigns that it changes are looked at anew: their filter and order hold at once, and
    /// holds that a cap set are lifted for the gate to decide again.
    pub fn apply(&mut self, mut generation: Arc<Generation>, now: Timestamp) -> Arc<Generation> {
        Generation::keep_expired(&mut generation, |id| self.campaigns.get(id)?.ends_at, now);
        let defined = &generation.definitions.campaigns;
        for id in defined.keys() {
            self.campaigns.entry(id.clone()).or_insert_with(Shelf::new);
        }
        for (id, shelf) in &mut self.campaigns {
            let now = defined.get(id).cloned();
            if Campaign::same(shelf.definition.as_ref(), now.as_ref()) {
                continue;
            }
            let places: Vec<usize> = shelf.customers.values().copied().filter_map(position).collect();
            for &at in &places {
                shelf.take_off(&mut self.contacts[at]);
            }
            shelf.redefine(now.clone());
            for &at in &places {
                let to_customer = calls_to(&self.by_customer, &self.contacts, &self.contacts[at].contact.customer);
                let kept = &mut self.contacts[at];
                let released = now.as_ref();
                let released =
                    released.map(|campaign| verdict::release_holds(campaign, &kept.contact.progress, to_customer));
                if let Some(released) = released.filter(|released| *released != kept.contact.progress) {
                    kept.contact.progress = released;
                    kept.contact.version += 1;
                }
                let lists = now.as_ref().map_or(&[][..], |campaign| &campaign.do_not_call);
                if let Some(progress) = self.do_not_call.screened(&kept.contact, lists) {
                    kept.contact.progress = progress;
                }
                shelf.put_on(kept);
            }
        }
        self.generation = Some(Arc::clone(&generation));
        generation
    }

    /// The generation in force.
    #[must_use]
    pub fn generation(&self) -> Option<&Arc<Generation>> {
        self.generation.as_ref()
    }

    /// All campaigns that have ever been defined.
    pub fn campaigns(&self) -> impl Iterator<Item = &CampaignId> {
        self.campaigns.keys()
    }

    /// Adds a contact to a campaign.
    pub fn import(&mut self, campaign: &CampaignId, new: NewContact) -> Result<ContactRef, ContactRefused> {
        let shelf = self.campaigns.get_mut(campaign);
        let shelf = shelf.ok_or_else(|| ContactRefused::UnknownCampaign(campaign.clone()))?;
        if shelf.customers.contains_key(&new.customer) {
            return Err(ContactRefused::Known(new.customer));
        }
        let reference = ContactRef(i64::try_from(self.contacts.len()).unwrap_or(i64::MAX).saturating_add(1));
        let import_order = i64::try_from(shelf.customers.len()).unwrap_or(i64::MAX).saturating_add(1);
        shelf.customers.insert(new.customer.clone(), reference);
        let calls = self.ledger.calls_to(&new.customer, new.numbers.iter().map(|(_, number)| number));
        let lists = shelf.definition.as_ref().map_or(&[][..], |campaign| &campaign.do_not_call);
        let mut contact = Contact::new(reference, campaign, import_order, &new);
        if let Some(progress) = self.do_not_call.screened(&contact, lists) {
            contact.progress = progress;
        }
        let related = self.relate(&contact);
        let mut kept = Kept::new(contact, related, calls);
        if let Some(shelf) = self.campaigns.get_mut(campaign) {
            shelf.put_on(&mut kept);
        }
        self.contacts.push(kept);
        Ok(reference)
    }

    /// Enters a new contact beside those of the same customer, and gives these.
    fn relate(&mut self, contact: &Contact) -> Vec<ContactRef> {
        let mut related: Vec<ContactRef> = Vec::new();
        let same_id = self.by_customer.entry(contact.customer.clone()).or_default();
        related.extend(same_id.iter());
        same_id.push(contact.reference);
        for number in &contact.progress.numbers {
            let same_number = self.by_number.entry(number.e164.clone()).or_default();
            related.extend(same_number.iter());
            same_number.push(contact.reference);
        }
        related.sort_unstable();
        related.dedup();
        for other in related.iter().copied().filter_map(position) {
            self.contacts[other].related.push(contact.reference);
        }
        related
    }

    /// Changes a contact that is not in a call.
    pub fn edit(
        &mut self,
        campaign: &CampaignId,
        customer: &CustomerId,
        edit: &ContactEdit,
    ) -> Result<(), ContactRefused> {
        let shelf = self.campaigns.get(campaign);
        let shelf = shelf.ok_or_else(|| ContactRefused::UnknownCampaign(campaign.clone()))?;
        let reference = shelf.customers.get(customer).copied();
        let reference = reference.ok_or_else(|| ContactRefused::UnknownCustomer(customer.clone()))?;
        if position(reference).is_some_and(|at| self.contacts[at].live) {
            return Err(ContactRefused::OnCall(customer.clone()));
        }
        if edit.numbers.is_some() {
            return Err(ContactRefused::Numbers(customer.clone()));
        }
        self.rewrite(reference, |kept| kept.contact = contact::edit(&kept.contact, edit));
        Ok(())
    }

    /// One contact.
    #[must_use]
    pub fn contact(&self, reference: ContactRef) -> Option<&Contact> {
        position(reference).and_then(|at| self.contacts.get(at)).map(|kept| &kept.contact)
    }

    /// How far a campaign has come; `None` if it is not known.
    #[must_use]
    pub fn counts(&self, campaign: &CampaignId) -> Option<CampaignCounts> {
        let shelf = self.campaigns.get(campaign)?;
        let (contacts, open) = (shelf.customers.len() as u64, shelf.open);
        let mut counts = CampaignCounts { contacts, open, left_out: open - shelf.matching, ended: BTreeMap::new() };
        let own = shelf.customers.values().filter_map(|reference| self.contact(*reference));
        for end in own.filter(|contact| contact.progress.is_over()).filter_map(|contact| contact.progress.ended) {
            *counts.ended.entry(end.as_str()).or_default() += 1;
        }
        Some(counts)
    }

    /// Up to `limit` contacts that are ready at `now`; `None` for a campaign that is not known.
    pub fn candidates(&mut self, campaign: &CampaignId, now: Timestamp, limit: u32) -> Option<CandidatePage> {
        let shelf = self.campaigns.get_mut(campaign)?;
        shelf.wake(now, &mut self.contacts);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut ready, mut pinned, mut room) = (Vec::new(), Vec::new(), PinnedRoom::default());
        let mut next_ready_at = shelf.turns_at().filter(|at| *at < HELD_FOR_GOOD);
        for (rank, reference) in shelf.ready() {
            let Some(contact) = position(*reference).map(|at| &self.contacts[at].contact) else { continue };
            if ready.len() >= limit {
                break;
            }
            if !verdict::may_be_called(&self.settings.permission, contact) {
                continue;
            }
            let defined = shelf.definition.as_deref();
            match defined.and_then(|campaign| order::pinned_to(campaign, contact, rank.class(), now)) {
                Some((agent, until)) => {
                    if room.take(agent, limit) {
                        pinned.push(contact.clone());
                    }
                    next_ready_at = Some(next_ready_at.map_or(until, |at: Timestamp| at.min(until)));
                }
                None => ready.push(contact.clone()),
            }
        }
        let callable = self.settings.permission != DialPermission::None;
        Some(CandidatePage {
            // A full page tells of nobody else: what is in it comes first.
            on_call: ready.len() < limit && callable && shelf.is_kept_by_a_call(&self.contacts),
            cut: false,
            ready,
            pinned,
            next_ready_at,
            open: shelf.open,
            matching: Some(shelf.matching),
            paused: 0,
            total: shelf.customers.len() as u64,
            caller_usage: shelf.caller_usage.clone(),
        })
    }

    /// Runs the gate at `now` and, if it admits, records the intent. A refusal leaves its trace in the
    /// contact, so that it is not picked again in vain.
    pub fn record_intent(&mut self, now: Now, intent: &Intent) -> Result<RecordedIntent, Hold> {
        let generation = self.generation.clone().ok_or(Hold::StoreUnavailable)?;
        let contact = self.contact(intent.contact).filter(|contact| contact.campaign == intent.campaign);
        let contact = contact.ok_or(Hold::Stale)?.clone();
        let campaign = generation.definitions.campaigns.get(&intent.campaign).ok_or(Hold::Retired)?;
        let called = contact.progress.numbers.get(intent.number).map(|number| &number.e164);
        let mono = ledger::monotonic(now.mono);
        self.ledger.forget_before(mono);
        let history = self.history_of(campaign, &contact, intent.number);
        let question = Question {
            now: now.wall,
            mono,
            contact: &contact,
            picked_version: intent.picked_version,
            number: intent.number,
            batch_paused: false,
            rule: intent.rule.as_ref(),
            overridden: None,
            agent: Some(&intent.agent),
            trunk: Some(&intent.trunk),
            history: &history,
            do_not_call: called.map_or(&[], |called| self.do_not_call.of(called)),
        };
        if let Err(hold) = verdict::ask(&question, &generation, &self.settings, &self.ledger) {
            let place = (intent.number, intent.rule.as_ref());
            let after = gate::after_refusal(campaign, &hold, &contact, place, now.wall);
            if let Some(progress) = after {
                self.write(intent.contact, progress);
            }
            return Err(hold);
        }
        let recorded =
            RecordedIntent::new(generation.revision_of(&campaign.id), campaign, contact, intent.number, now.wall);
        self.admit(intent, &recorded, mono);
        Ok(recorded)
    }

    fn admit(&mut self, intent: &Intent, recorded: &RecordedIntent, mono: i64) {
        let contact = &recorded.contact;
        let called = contact.progress.numbers[intent.number].e164.clone();
        let (campaign, trunk) = (intent.campaign.clone(), intent.trunk.clone());
        self.ledger.place(intent.attempt, &campaign, &trunk, mono);
        let numbers = verdict::numbers_of(contact);
        let customer = contact.customer.clone();
        let live = LiveCall { campaign: campaign.clone(), trunk, customer, called: called.clone(), numbers };
        self.ledger.add(intent.attempt, live);
        self.history.entry(called.clone()).or_default().attempts.push(recorded.at);
        if let Some(shelf) = self.campaigns.get_mut(&campaign) {
            *shelf.caller_usage.entry(intent.caller_number.clone()).or_default() += 1;
        }
        let (contact, caller_number) = (intent.contact, intent.caller_number.clone());
        let (number, agent, placed_at) = (intent.number, intent.agent.clone(), recorded.at);
        let attempt = LiveAttempt { campaign, contact, called, caller_number, number, agent, placed_at };
        self.live.insert(intent.attempt, attempt);
        self.occupy(contact, true);
    }

    /// Notes that a call to a contact's customer has begun, or is over.
    fn occupy(&mut self, reference: ContactRef, begins: bool) {
        let related = position(reference).map(|at| self.contacts[at].related.clone()).unwrap_or_default();
        let count = |calls: u32| if begins { calls + 1 } else { calls.saturating_sub(1) };
        self.rewrite(reference, |kept| {
            kept.live = begins;
            kept.calls = count(kept.calls);
        });
        for other in related {
            self.rewrite(other, |kept| kept.calls = count(kept.calls));
        }
    }

    /// Takes back an intent whose INVITE never left; the attempt counts nowhere.
    pub fn withdraw(&mut self, attempt: AttemptId) {
        let Some(gone) = self.live.remove(&attempt) else { return };
        self.ledger.withdraw(attempt);
        if let Some(history) = self.history.get_mut(&gone.called) {
            history.attempts.retain(|at| *at != gone.placed_at);
        }
        if let Some(shelf) = self.campaigns.get_mut(&gone.campaign)
            && let Some(used) = shelf.caller_usage.get_mut(&gone.caller_number)
        {
            *used -= 1;
            shelf.caller_usage.retain(|_, used| *used > 0);
        }
        self.occupy(gone.contact, false);
    }

    /// Ends an attempt and moves its contact on; doing it again changes nothing. Tells whether business
    /// results that waited for the end have changed the contact once more.
    pub fn settle(&mut self, settlement: Settlement) -> bool {
        let Some(over) = self.live.remove(&settlement.attempt) else { return false };
        self.ledger.remove(settlement.attempt);
        if settlement.result.is_conversation() {
            let history = self.history.entry(over.called).or_default();
            history.conversation_ended_at = history.conversation_ended_at.max(Some(settlement.ended_at));
        }
        // Written while the call still counts, so that its place is worked out once.
        if let Some(contact) = self.contact(over.contact) {
            let progress = verdict::settled(&contact.progress, settlement.progress);
            self.write(over.contact, progress);
        }
        self.occupy(over.contact, false);
        let call = EndedCall { number: over.number, agent: over.agent, ended_at: settlement.ended_at };
        self.last_calls.insert(over.contact, call);
        self.marks_take_effect(over.contact)
    }

    /// Writes progress that no attempt caused; nothing if the contact has changed since `version`.
    pub fn advance(&mut self, contact: ContactRef, version: u32, progress: Progress) {
        if self.contact(contact).is_some_and(|contact| contact.version == version) {
            self.write(contact, progress);
        }
    }

    fn write(&mut self, contact: ContactRef, progress: Progress) {
        self.rewrite(contact, |kept| {
            kept.contact.progress = progress;
            kept.contact.version += 1;
        });
    }

    /// Writes to a contact and gives it its new place.
    fn rewrite(&mut self, reference: ContactRef, write: impl FnOnce(&mut Kept)) {
        let Some(kept) = position(reference).and_then(|at| self.contacts.get_mut(at)) else { return };
        let Some(shelf) = self.campaigns.get_mut(&kept.contact.campaign) else { return };
        shelf.take_off(kept);
        write(kept);
        shelf.put_on(kept);
    }
}

/// INVITEs that left for a customer, over all campaigns.
fn calls_to(by_customer: &BTreeMap<CustomerId, Vec<ContactRef>>, contacts: &[Kept], customer: &CustomerId) -> u32 {
    let same = by_customer.get(customer).into_iter().flatten();
    let same = same.filter_map(|reference| position(*reference).and_then(|at| contacts.get(at)));
    same.map(|kept| kept.contact.progress.attempts).sum()
}
