//! Business results: recorded at once, in effect once their contact is in no call.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{State, attempts::Attempt};
use crate::{
    domain::{
        business::{self, Agreed, BusinessKey, CallbackWanted, EndedCall, Mark, Outcome, Refusal},
        ids::{AttemptId, ContactRef},
    },
    store::{BusinessDecision, BusinessRecord, BusinessRequest, StoreError, Today},
};

impl State {
    pub(super) fn set_business_result(
        &mut self,
        request: BusinessRequest,
        now: Timestamp,
    ) -> Result<BusinessDecision, StoreError> {
        let found = self.find(&request.campaign, &request.customer)?.map(|contact| contact.reference);
        let Some(generation) = &self.generation else { return Ok(BusinessDecision::Refused(Refusal::NotInForce)) };
        if let Err(refusal) = business::check(&generation.definitions, &request.key, request.agent.as_ref()) {
            return Ok(BusinessDecision::Refused(refusal));
        }
        let Some(contact) = found else { return Ok(BusinessDecision::Refused(Refusal::NoContact)) };
        let mut own = self.attempts.iter().filter(|(_, attempt)| attempt.contact == contact).map(|(id, _)| *id);
        let attempt = match request.attempt {
            Some(given) if own.any(|id| id == given) => Some(given),
            Some(given) => return Ok(BusinessDecision::Refused(Refusal::NoAttempt(given))),
            None => own.max(),
        };
        let of_attempt = |(_, record): &(ContactRef, BusinessRecord)| record.attempt == attempt;
        if request.by_default && attempt.is_some() && self.business.iter().any(of_attempt) {
            return Ok(BusinessDecision::Refused(Refusal::HasOne));
        }
        let agreed = match request.callback {
            Some(wanted) => match self.agree(contact, attempt, &request, wanted) {
                Ok(agreed) => Some(agreed),
                Err(refusal) => return Ok(BusinessDecision::Refused(refusal)),
            },
            None => None,
        };
        let definitions = self.generation.as_ref().map(|generation| &generation.definitions);
        let defined = definitions.and_then(|definitions| definitions.business_results.get(&request.key.result));
        let goal = defined.is_some_and(|result| result.counts_as_goal);
        if let Some(attempt) = attempt.and_then(|attempt| self.attempts.get_mut(&attempt)) {
            attempt.record.business = Some(request.key.clone());
        }
        let BusinessRequest { key, note, agent, by, at, by_default, .. } = request;
        let record = BusinessRecord { attempt, key, note, agent, agreed, goal, by, at, outcome: None, by_default };
        self.business.push((contact, record));
        self.results_take_effect(contact, now);
        let outcome = self.business.last().and_then(|(_, record)| record.outcome);
        Ok(BusinessDecision::Set { contact, outcome, goal })
    }

    /// What is agreed on, after the call of an attempt.
    fn agree(
        &self,
        contact: ContactRef,
        attempt: Option<AttemptId>,
        request: &BusinessRequest,
        wanted: CallbackWanted,
    ) -> Result<Agreed, Refusal> {
        let generation = self.generation.as_ref().ok_or(Refusal::NotInForce)?;
        let contact = self.contacts.get(&contact).ok_or(Refusal::NoContact)?;
        let record = attempt.and_then(|attempt| self.attempts.get(&attempt)).map(|attempt| &attempt.record);
        let numbers = &contact.progress.numbers;
        let called = record.and_then(|record| {
            let number = numbers.iter().find(|number| Some(&number.e164) == record.number.as_ref())?;
            Some((number, request.agent.as_ref().unwrap_or(&record.agent)))
        });
        Ok(business::agree(&generation.definitions, contact, called, &request.key, wanted, request.at)?)
    }

    /// What came of the calls of the day that `now` is in.
    pub(super) fn today(&self, now: Timestamp) -> Today {
        let mut today = Today::default();
        let Some(generation) = &self.generation else { return today };
        let tenant = &generation.definitions.tenant;
        let (date, begins) = tenant.day(now);
        for record in self.attempts.values().map(|attempt| &attempt.record) {
            if let Some((result, _)) = record.result.zip(record.ended_at).filter(|(_, at)| tenant.day(*at).0 == date) {
                *today.results.entry(record.campaign.clone()).or_default().entry(result).or_default() += 1;
            }
        }
        let newest: BTreeMap<ContactRef, &BusinessRecord> =
            self.business.iter().map(|(contact, record)| (*contact, record)).collect();
        for (contact, _) in newest.iter().filter(|(_, record)| record.goal && record.at >= begins) {
            if let Some(contact) = self.contacts.get(contact) {
                *today.goals.entry(contact.campaign.clone()).or_default() += 1;
            }
        }
        today
    }

    /// Has what was set for a contact take effect, unless it is in a call; tells whether that changed it.
    pub(super) fn results_take_effect(&mut self, contact: ContactRef, now: Timestamp) -> bool {
        if self.generation.is_none() || self.live_contacts().contains(&contact) {
            return false;
        }
        let waiting = |(of, record): &(ContactRef, BusinessRecord)| *of == contact && record.outcome.is_none();
        let waiting: Vec<usize> = (0..self.business.len()).filter(|&at| waiting(&self.business[at])).collect();
        let mut changed = false;
        for at in waiting {
            let outcome = self.result_takes_effect(contact, at, (&mut changed, now));
            self.business[at].1.outcome = Some(outcome);
        }
        changed
    }

    /// Has everything take effect that waited for the first generation of this life.
    pub(super) fn results_take_effect_late(&mut self, now: Timestamp) {
        let waiting = self.business.iter().filter(|(_, record)| record.outcome.is_none());
        for contact in waiting.map(|(contact, _)| *contact).collect::<BTreeSet<_>>() {
            self.results_take_effect(contact, now);
        }
    }

    fn result_takes_effect(
        &mut self,
        contact: ContactRef,
        at: usize,
        (changed, now): (&mut bool, Timestamp),
    ) -> Outcome {
        let record = &self.business[at].1;
        let mark = Mark { key: record.key.clone(), at: record.at, agreed: record.agreed.clone() };
        let call = self.ended_call(contact, record.attempt);
        let contact = &self.contacts[&contact];
        let Some(campaign) = self.defined(&contact.campaign) else { return Outcome::Retired };
        let (progress, outcome) = business::take_effect(campaign, contact, call.as_ref(), &mark);
        if progress != contact.progress {
            *changed = true;
            let reference = contact.reference;
            self.move_on(reference, progress, now);
        }
        outcome
    }

    /// Notes the tenant's default for conversations of the life before this that ended within their time for notes
    /// and have no result.
    pub(super) fn note_forgotten(&mut self, now: Timestamp) {
        let Some(generation) = self.generation.clone() else { return };
        let definitions = &generation.definitions;
        let Some(result) = &definitions.tenant.agents.wrap_up_result else { return };
        let Some(defined) = definitions.business_results.get(result) else { return };
        let life = self.epoch - 1;
        let mut found = BTreeSet::new();
        for agent in definitions.agents.keys() {
            let of_agent =
                |(id, attempt): &(&AttemptId, &Attempt)| id.epoch.0 <= life && attempt.record.agent == *agent;
            let Some((id, attempt)) = self.attempts.iter().rfind(of_agent) else { continue };
            let record = &attempt.record;
            let Some(campaign) = definitions.campaigns.get(&record.campaign) else { continue };
            let Some(ended_at) = record.ended_at.filter(|_| record.connected_at.is_some()) else { continue };
            let in_time = (ended_at + campaign.agents.wrap_up) >= self.beats.1;
            let has_one = self.business.iter().any(|(_, record)| record.attempt == Some(*id));
            if id.epoch.0 == life && in_time && !has_one {
                found.insert((*id, attempt.contact));
            }
        }
        for (id, contact) in found {
            let key = BusinessKey { result: result.clone(), sub_result: None };
            let Some(attempt) = self.attempts.get_mut(&id) else { continue };
            attempt.record.business = Some(key.clone());
            let by = attempt.record.agent.to_string();
            let record = BusinessRecord {
                attempt: Some(id),
                key,
                note: None,
                agent: None,
                agreed: None,
                goal: defined.counts_as_goal,
                by,
                at: now,
                outcome: None,
                by_default: true,
            };
            self.business.push((contact, record));
            self.results_take_effect(contact, now);
        }
    }

    /// The call of `attempt`, else the newest of the contact.
    fn ended_call(&self, contact: ContactRef, attempt: Option<AttemptId>) -> Option<EndedCall> {
        let newest = || self.attempts.iter().filter(|(_, own)| own.contact == contact).map(|(id, _)| *id).max();
        let record = &self.attempts.get(&attempt.or_else(newest)?)?.record;
        // Edited since then, it may have come to stand elsewhere, or be gone.
        let numbers = &self.contacts.get(&contact)?.progress.numbers;
        let number = numbers.iter().position(|number| Some(&number.e164) == record.number.as_ref())?;
        Some(EndedCall { number, ended_at: record.ended_at?, agent: record.agent.clone() })
    }

    /// An attempt is gone, as if it had never been.
    pub(super) fn forget_attempt(&mut self, attempt: AttemptId) {
        for (_, record) in self.business.iter_mut().filter(|(_, record)| record.attempt == Some(attempt)) {
            record.attempt = None;
        }
    }
}
