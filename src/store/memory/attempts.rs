//! Attempts and their legs: intents, what happens on the way, settlements.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::Date};

use super::{State, pseudonyms};
use crate::{
    domain::{
        campaign::Campaign,
        contact::Contact,
        drift::calls::LiveRows,
        facts::{
            ledger::{LiveCall, monotonic},
            verdict::{self, Question},
        },
        gate::{self, NumberHistory},
        ids::{AttemptId, ContactRef, CustomerId, Epoch},
        now::Now,
        policy::ResultPolicy,
        reason::Hold,
        results::CallResult,
        survey::questionnaire::Questionnaire,
    },
    store::{
        AttemptRecord, DispatchEvent, GateSettings, IntentDecision, IntentRequest, LeftoverAttempt, LeftoverLeg,
        Leftovers, LegRecord, Milestone, Opener, RecordedIntent, Settlement,
    },
};

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) record: AttemptRecord,
    pub(super) contact: ContactRef,
    /// What stands for its number once that was erased.
    pub(super) erased: Option<String>,
    pub(super) live: Option<Live>,
}

#[derive(Debug)]
pub(super) struct Live {
    pub(super) policy: ResultPolicy,
    pub(super) local_date: Date,
    pub(super) next_day_at: Timestamp,
    pub(super) last_event_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) record: LegRecord,
    pub(super) attempt: Option<AttemptId>,
    pub(super) answered: bool,
}

impl State {
    /// The frequency ledger of a number and its customer, as far as `campaign` caps them.
    pub(super) fn history(&self, campaign: &Campaign, contact: &Contact, number: usize) -> NumberHistory {
        let to_customer = self.calls_to(campaign, &contact.customer);
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

    /// INVITEs that left for a customer, over all campaigns; 0 where `campaign` does not cap them.
    pub(super) fn calls_to(&self, campaign: &Campaign, customer: &CustomerId) -> u32 {
        let capped = campaign.limits.max_attempts_per_contact.is_some();
        let same = self.contacts.values().filter(|contact| capped && contact.customer == *customer);
        same.map(|contact| contact.progress.attempts).sum()
    }

    /// Runs the gate and, if it admits, records the intent.
    pub(super) fn record_intent(
        &mut self,
        request: IntentRequest,
        settings: &GateSettings,
        opener: &Opener,
        now: Now,
    ) -> IntentDecision {
        let mono = monotonic(now.mono);
        let Some(generation) = self.generation.clone() else {
            return IntentDecision::Refused(Hold::StoreUnavailable);
        };
        let contact = self.contacts.get(&request.contact).filter(|contact| contact.campaign == request.campaign);
        let Some(contact) = contact.cloned() else { return IntentDecision::Refused(Hold::Stale) };
        let campaign = generation.definitions.campaigns.get(&request.campaign);
        let Some(campaign) = campaign else { return IntentDecision::Refused(Hold::Retired) };
        let history = self.history(campaign, &contact, request.number);
        let entries = self.do_not_call.of(&campaign.do_not_call, &contact);
        self.ledger.forget_before(mono);
        let overrides = self.open_overrides();
        let question = Question {
            now: now.wall,
            mono,
            contact: &contact,
            picked_version: request.picked_version,
            number: request.number,
            batch_paused: self.is_paused(contact.reference),
            rule: request.rule.as_ref(),
            overridden: overrides.governing(&request.campaign, now.wall).map(Arc::as_ref),
            agent: Some(&request.agent),
            trunk: Some(&request.trunk),
            history: &history,
            do_not_call: entries.get(request.number).map_or(&[], Vec::as_slice),
        };
        let answer = verdict::ask(&question, &generation, settings, &self.ledger);
        if let Err(hold) = answer {
            let place = (request.number, request.rule.as_ref());
            let after = gate::after_refusal(campaign, &hold, &contact, place, now.wall);
            if let Some(progress) = after {
                self.move_on(contact.reference, progress, now.wall);
            }
            return IntentDecision::Refused(hold);
        }
        let intent =
            RecordedIntent::new(generation.revision_of(&campaign.id), campaign, contact, request.number, now.wall);
        let (attempt, asked) = (request.attempt, Questionnaire::of(&generation.definitions, campaign));
        self.record(request, &intent, opener, mono);
        self.ask(attempt, asked);
        IntentDecision::Recorded(Box::new(intent))
    }

    fn record(&mut self, request: IntentRequest, intent: &RecordedIntent, opener: &Opener, mono: i64) {
        let contact = &intent.contact;
        let called = contact.progress.numbers[request.number].e164.clone();
        let record = AttemptRecord {
            attempt: request.attempt,
            campaign: request.campaign.clone(),
            customer: contact.customer.clone(),
            batch: self.batches[self.batch_of[&contact.reference]].id.clone(),
            number_index: request.number,
            category: Some(contact.progress.numbers[request.number].category.clone()),
            number: Some(called.clone()),
            rule: request.rule,
            caller_number: request.caller_number.clone(),
            agent: request.agent,
            trunk: request.trunk.clone(),
            placed_at: intent.at,
            rang_at: None,
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
            overrides: self.open_overrides().placed_under(&request.campaign, intent.at),
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

    /// Takes back an intent whose INVITE never left.
    pub(super) fn withdraw(&mut self, attempt: AttemptId, now: Timestamp) {
        if self.attempts.get(&attempt).is_none_or(|attempt| attempt.live.is_none()) {
            return;
        }
        if let Some(gone) = self.attempts.remove(&attempt) {
            self.ledger.withdraw(attempt);
            self.legs.retain(|_, leg| leg.attempt != Some(attempt));
            if let Some(held) = self.campaigns.get_mut(&gone.record.campaign) {
                if let Some(used) = held.caller_usage.get_mut(&gone.record.caller_number) {
                    *used -= 1;
                }
                held.caller_usage.retain(|_, used| *used > 0);
            }
            self.forget_attempt(attempt);
            self.answers.remove(&attempt);
            self.stand(gone.contact);
            self.results_take_effect(gone.contact, now);
        }
    }

    /// Notes how far a leg or a call has come.
    pub(super) fn note(&mut self, milestone: Milestone, now: Timestamp) {
        match milestone {
            Milestone::Leg { leg, identity, rang_at, answered_at } => {
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                leg.record.identity = identity;
                leg.answered |= answered_at.is_some();
                let Some(attempt) = leg.attempt else { return };
                if let Some(attempt) = self.attempts.get_mut(&attempt) {
                    attempt.happened(answered_at.unwrap_or(now));
                    attempt.record.rang_at = attempt.record.rang_at.or(rang_at);
                    attempt.record.answered_at = attempt.record.answered_at.or(answered_at);
                }
            }
            Milestone::Connected { attempt, at } => {
                if let Some(attempt) = self.attempts.get_mut(&attempt) {
                    attempt.happened(at);
                    attempt.record.connected_at = attempt.record.connected_at.or(Some(at));
                }
                self.tell(attempt, DispatchEvent::Connected, at, now);
            }
            Milestone::LegEnded { leg } => {
                self.legs.remove(&leg);
            }
        }
    }

    /// Ends an attempt and moves its contact on; tells whether business results took effect.
    pub(super) fn settle(&mut self, settlement: Settlement, now: Timestamp) -> bool {
        let Some(attempt) = self.attempts.get_mut(&settlement.attempt) else { return false };
        if attempt.live.take().is_none() {
            return false;
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
        self.ledger.remove(settlement.attempt);
        if let Some(at) = settlement.connected_at {
            self.tell(settlement.attempt, DispatchEvent::Connected, at, now);
        }
        self.tell(settlement.attempt, DispatchEvent::Ended, settlement.ended_at, now);
        if let Some(held) = self.contacts.get(&contact) {
            let progress = verdict::settled(&held.progress, settlement.progress);
            self.move_on(contact, progress, now);
        }
        let changed = self.results_take_effect(contact, now);
        if settlement.attempt.epoch.0 < self.epoch {
            self.note_forgotten(now);
        }
        changed
    }

    /// What lives before `epoch` left behind.
    pub(super) fn leftovers(&self, of: impl Fn(Epoch) -> bool) -> Leftovers {
        let legs = self.legs.values().filter(|leg| of(leg.record.leg.epoch));
        let legs = legs.map(|leg| LeftoverLeg { record: leg.record.clone(), answered: leg.answered }).collect();
        let earlier = self.attempts.values().filter(|attempt| of(attempt.record.attempt.epoch));
        let attempts = earlier.filter_map(|attempt| attempt.leftover(&self.contacts)).collect();
        Leftovers { legs, attempts, ..Leftovers::default() }
    }

    /// What is live.
    pub(super) fn live_rows(&self) -> LiveRows {
        let live = self.attempts.values().filter(|attempt| attempt.live.is_some());
        let campaign = |attempt: &Attempt| (attempt.record.attempt, Some(attempt.record.campaign.clone()));
        LiveRows {
            attempts: live.map(campaign).collect(),
            legs: self.legs.values().map(|leg| (leg.record.leg, leg.attempt)).collect(),
            agents: self.agents.iter().map(|(agent, asked)| (agent.clone(), asked.as_str().to_owned())).collect(),
        }
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
