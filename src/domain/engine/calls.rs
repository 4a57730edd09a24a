//! One attempt's way through the engine, from the claim to its settlement.
//!
//! ```text
//! RingingAgent → WaitingRate → Recording → WaitingPlace → Dialing → Connecting → Talking
//!      └─────────────┴─ released: nothing counted          │            └→ Rescuing ┘
//!                                    (withdrawn)           └→ Ending: our side gave up
//! ```

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    Due, Effect, Engine, LegRole, Observation, RECORDING, Settling,
    agents::{MISSED_BACKOFF, MISSES_MAX, Phase, Phone},
    live_call::{LiveCall, Recorded, Stage},
};
use crate::domain::{
    agent::{Availability, CallStage},
    call::{CallCommand, Destination, EndedBy, HangUpCause, LegEnd, MediaOffer},
    campaign::{AgentTerms, Campaign},
    contact::Contact,
    gate,
    ids::{AgentId, AttemptId, CampaignId, CustomerId, LegId},
    intent::{Intent, RecordedIntent, Settlement},
    now::Now,
    order,
    overrides::Scope,
    reason::Hold,
    results::{self, CallResult},
    retry::{self, EndedAttempt},
};

/// A customer who answered hears the agent within this time, or another agent is offered.
pub const BRIDGE_WITHIN: Duration = Duration::from_secs(2);

/// If the held agent fails after the customer answered, another takes the call within this time or
/// it is abandoned (SPEC §3).
pub const RESCUE_WITHIN: Duration = Duration::from_secs(2);

/// A leg that was told to end has ended within this time: 64·T1 (RFC 3261 §17) and a margin. One that
/// says nothing for longer is given up, so that no agent and no contact waits for a lost event.
pub(super) const ENDS_WITHIN: Duration = Duration::from_secs(45);

/// After the store's clock refused for calls per second, ask again.
const RATE_ASK_AGAIN: Duration = Duration::from_millis(20);

impl Engine {
    pub(super) fn leg_stored(&mut self, now: Now, leg: LegId, stored: bool, effects: &mut Vec<Effect>) {
        let Some(LegRole::Agent(id)) = self.legs.get(&leg).cloned() else {
            if stored {
                effects.push(Effect::ForgetLeg { leg });
            }
            return;
        };
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.phone == Phone::Storing(leg)) else { return };
        if !stored {
            agent.phone = Phone::Down;
            self.legs.remove(&leg);
            self.back_off(now);
            if let Phase::Held { attempt, .. } = self.agents[&id].phase {
                self.let_agent_go(now, attempt, effects);
            }
            return;
        }
        agent.phone = Phone::Ringing(leg);
        let sip = agent.definition.as_ref().map(|d| d.sip.clone()).unwrap_or_default();
        let held_for = if let Phase::Held { attempt, .. } = agent.phase { Some(attempt) } else { None };
        let ring = held_for.and_then(|attempt| self.terms(attempt)).map_or(BRIDGE_WITHIN, |terms| terms.ring);
        let destination = Destination::Agent { agent: id, sip };
        effects.push(Effect::Call(CallCommand::Dial {
            leg,
            destination,
            offer: MediaOffer::Discard,
            ring,
            send_within: None,
        }));
    }

    /// The store could not take the agent's leg: the claim is let go, a rescue looks further.
    fn let_agent_go(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        match self.calls.get_mut(&attempt) {
            Some(call) if call.is_before_intent() => self.release(now, attempt, effects),
            Some(call) => {
                if let Some(agent) = call.agent.take() {
                    let instead = self.agents.get(&agent).and_then(|agent| agent.after_call);
                    self.free_agent(now, &agent, instead, effects);
                }
            }
            None => {}
        }
    }

    pub(super) fn agent_answered(&mut self, now: Now, leg: LegId, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.phone == Phone::Ringing(leg)) else { return };
        agent.phone = Phone::Up(leg);
        agent.misses = 0;
        if let Phase::Held { attempt, .. } = agent.phase {
            self.agent_ready(now, attempt, leg, effects);
        } else {
            self.put_phone_down(id, HangUpCause::Normal, effects);
        }
    }

    /// The held agent's phone is up.
    pub(super) fn agent_ready(&mut self, now: Now, attempt: AttemptId, leg: LegId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        match (call.stage, call.customer_leg) {
            (Stage::RingingAgent, _) => self.ask_for_intent(now, attempt, effects),
            (Stage::Rescuing, Some(customer)) => {
                call.stage = Stage::Connecting;
                effects.push(Effect::Call(CallCommand::Bridge { agent: leg, customer }));
            }
            _ => {}
        }
    }

    /// Asks the store for the gate and the intent, as soon as calls per second allow.
    fn ask_for_intent(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let campaign = call.campaign.clone();
        let Some(room_at) = self.asked.room_at(&campaign, self.rate_caps(&campaign)) else {
            self.release(now, attempt, effects);
            return;
        };
        if room_at > now.mono {
            self.wait(attempt, Stage::WaitingRate, room_at);
            return;
        }
        self.asked.record(&campaign, now.mono);
        self.use_caller_number(attempt);
        let leg = self.next_leg(LegRole::Customer(attempt));
        let trunk = self.settings.trunk.clone();
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(agent) = call.agent.clone() else { return };
        call.stage = Stage::Recording;
        call.customer_leg = Some(leg);
        effects.push(Effect::RecordIntent(Intent {
            attempt,
            campaign,
            contact: call.contact.reference,
            picked_version: call.contact.version,
            number: call.number,
            rule: call.rule.clone(),
            called: call.called.clone(),
            caller_number: call.caller_number.clone(),
            agent,
            trunk,
            leg,
        }));
    }

    /// Counts the number that a call shows, once: the one that is due now, as others were used meanwhile.
    fn use_caller_number(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get(&attempt).filter(|call| !call.caller_counted) else { return };
        let (campaign, definition) = (&call.campaign, self.campaigns.get(&call.campaign));
        let definition = definition.and_then(|run| run.definition.clone());
        let chosen = definition.map_or_else(
            || call.caller_number.clone(),
            |definition| self.caller_number(campaign, &definition, &call.contact, call.number),
        );
        if let Some(run) = self.campaigns.get_mut(&call.campaign) {
            *run.caller_usage.entry(chosen.clone()).or_default() += 1;
        }
        if let Some(call) = self.calls.get_mut(&attempt) {
            (call.caller_number, call.caller_counted) = (chosen, true);
        }
    }

    fn wait(&mut self, attempt: AttemptId, stage: Stage, until: Duration) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.stage = stage;
        }
        self.mono_timers.set(Due::Call(attempt), Some(until));
    }

    pub(super) fn intent_recorded(
        &mut self,
        now: Now,
        attempt: AttemptId,
        intent: RecordedIntent,
        effects: &mut Vec<Effect>,
    ) {
        match self.calls.get_mut(&attempt) {
            Some(call) if call.stage == Stage::Recording => {
                let RecordedIntent { contact, policy, local_date, next_day_at, .. } = intent;
                call.contact = contact;
                call.recorded = Some(Recorded { policy, local_date, next_day_at });
                if let Some(run) = self.campaigns.get_mut(&call.campaign) {
                    run.went_on(RECORDING);
                }
                self.place(now, attempt, effects);
            }
            _ => {
                effects.push(Effect::WithdrawIntent { attempt });
                effects.push(Effect::Observe(Observation::Illegal("intent recorded for no call")));
            }
        }
    }

    pub(super) fn intent_refused(&mut self, now: Now, attempt: AttemptId, hold: &Hold, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.stage == Stage::Recording) else { return };
        effects.push(Effect::Observe(Observation::Refused(hold.clone())));
        if let Some(leg) = call.customer_leg.take() {
            self.legs.remove(&leg);
        }
        self.asked.give_back(&call.campaign);
        if call.agent.is_some() && matches!(hold, Hold::CallRate { .. }) {
            self.wait(attempt, Stage::WaitingRate, now.mono + RATE_ASK_AGAIN);
            return;
        }
        let (id, contact) = (call.campaign.clone(), call.contact.clone());
        let (number, rule) = (call.number, call.rule.clone());
        let seed = u64::from(self.settings.epoch.0);
        if let Some(run) = self.campaigns.get_mut(&id).filter(|_| *hold == Hold::StoreUnavailable) {
            run.failed(now, &id, RECORDING, seed);
        }
        self.drop_claim(now, attempt, effects);
        self.call_over(now);
        let Some(run) = self.campaigns.get_mut(&id) else { return };
        // The store's writer has written the same; if by a newer definition, the next intent tells.
        let place = (number, rule.as_ref());
        let progress = run.definition.as_ref().and_then(|c| gate::after_refusal(c, hold, &contact, place, now.wall));
        match progress {
            Some(progress) => self.moved(now, &id, contact, progress),
            None => run.leave(now, &contact, hold),
        }
        self.refresh(now, &id);
    }

    /// Sends the customer's INVITE if that is still right; an intent that waited too long is taken
    /// back, for none may leave outside hours, from a paused campaign, against its filter or without
    /// an agent.
    fn place(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let id = call.campaign.clone();
        let phone = call.agent.as_ref().and_then(|agent| self.agents.get(agent)).map(|agent| agent.phone);
        let run = self.campaigns.get_mut(&id);
        let campaign = run.and_then(|run| {
            run.refresh_hold(now.wall, &id, &self.settings.permission, &self.overrides);
            let matches = |campaign: &&Arc<Campaign>| campaign.matches(&call.contact.attributes);
            let campaign = run.definition.as_ref().filter(matches).filter(|_| run.hold.is_none())?;
            Some((campaign, run.closes_at()))
        });
        let (Some(Phone::Up(agent_leg)), Some((campaign, closes)), false) = (phone, campaign, self.draining) else {
            self.withdraw(now, attempt, effects);
            return;
        };
        let ring = campaign.max_ring;
        // A repeat of the INVITE, or one that answers a challenge, leaves before the hours end too.
        let closes = if campaign.hours.is_in_contact_zone() {
            let hours = campaign.hours_of(&call.contact, &call.contact.progress.numbers[call.number]);
            hours.closes_at(now.wall).map_or(closes, |at| at.min(closes))
        } else {
            closes
        };
        let send_within = Some(Duration::try_from(closes.duration_since(now.wall)).unwrap_or_default());
        match self.placed.room_at(&id, self.rate_caps(&id)) {
            Some(at) if at <= now.mono => self.placed.record(&id, now.mono),
            Some(at) => {
                self.wait(attempt, Stage::WaitingPlace, at);
                return;
            }
            None => {
                self.withdraw(now, attempt, effects);
                return;
            }
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(leg) = call.customer_leg else { return };
        call.stage = Stage::Dialing;
        self.mono_timers.set(Due::Call(attempt), Some(now.mono + ring + self.settings.slack.cancel));
        let destination = Destination::Customer {
            number: call.called.clone(),
            caller_number: call.caller_number.clone(),
            trunk: self.settings.trunk.clone(),
        };
        effects.push(Effect::Call(CallCommand::Dial {
            leg,
            destination,
            offer: MediaOffer::Of(agent_leg),
            ring,
            send_within,
        }));
        let agent = call.agent.as_ref().and_then(|agent| self.agents.get_mut(agent));
        if let Some(free_since) = agent.and_then(|agent| agent.free_since.take()) {
            effects.push(Effect::Observe(Observation::IdleToCall(now.mono.saturating_sub(free_since))));
        }
    }

    /// Takes back an intent whose INVITE never left.
    fn withdraw(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        effects.push(Effect::WithdrawIntent { attempt });
        self.call_ends(now);
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if let Some(leg) = call.customer_leg.take() {
            self.legs.remove(&leg);
        }
        let (campaign, contact) = (call.campaign.clone(), call.contact.reference);
        self.asked.give_back(&campaign);
        self.withdrawing.insert(attempt, campaign.clone());
        if let Some(run) = self.campaigns.get_mut(&campaign) {
            run.set_aside(now, contact, false);
        }
        self.drop_claim(now, attempt, effects);
    }

    /// Lets a claim go before anything was written: nothing is counted and the contact goes back.
    pub(super) fn release(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let (campaign, contact) = (call.campaign.clone(), call.contact.clone());
        self.drop_claim(now, attempt, effects);
        self.call_over(now);
        if let Some(run) = self.campaigns.get_mut(&campaign) {
            run.offer(now.wall, contact);
        }
        self.refresh(now, &campaign);
    }

    /// Removes a call that never reached the customer and frees its agent, who keeps the place in
    /// the row of idle agents.
    fn drop_claim(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.remove_call(attempt) else { return };
        self.busy.remove(&call.contact.reference);
        self.claimed.give_back(&call.campaign);
        if let Some(run) = self.campaigns.get_mut(&call.campaign)
            && call.caller_counted
            && let Some(uses) = run.caller_usage.get_mut(&call.caller_number)
        {
            *uses = uses.saturating_sub(1);
        }
        self.refresh(now, &call.campaign);
        let Some(id) = call.agent else { return };
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let idle_since = match agent.phase {
            Phase::Held { idle_since, .. } => idle_since,
            Phase::Away(_) | Phase::Idle { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => now.mono,
        };
        let (instead, free_since) = (agent.after_call, agent.free_since);
        if !matches!(agent.phone, Phone::Up(_)) {
            self.put_phone_down(&id, HangUpCause::Normal, effects);
        }
        self.free_agent(now, &id, instead, effects);
        if let Some(agent) = self.agents.get_mut(&id).filter(|agent| matches!(agent.phase, Phase::Idle { .. })) {
            agent.phase = Phase::Idle { since: idle_since };
            agent.free_since = free_since.or(agent.free_since);
        }
        self.refresh_agent(&id);
    }

    fn remove_call(&mut self, attempt: AttemptId) -> Option<LiveCall> {
        let call = self.calls.remove(&attempt)?;
        self.mono_timers.set(Due::Call(attempt), None);
        self.customers.remove(&call.contact.customer);
        for number in &call.contact.progress.numbers {
            if self.numbers.get(&number.e164) == Some(&attempt) {
                self.numbers.remove(&number.e164);
            }
        }
        if let Some(run) = self.campaigns.get_mut(&call.campaign) {
            run.live = run.live.saturating_sub(1);
            run.turns.remove(&call.turn);
        }
        Some(call)
    }

    pub(super) fn call_timer(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        match call.stage {
            Stage::WaitingRate => self.ask_for_intent(now, attempt, effects),
            Stage::WaitingPlace => self.place(now, attempt, effects),
            Stage::Connecting => self.agent_failed(now, attempt, effects),
            Stage::Rescuing => self.abandon(now, attempt, effects),
            Stage::Dialing => self.rang_out(now, attempt, effects),
            Stage::Ending(_) => self.give_up(now, attempt, effects),
            Stage::RingingAgent | Stage::Recording | Stage::Talking => {}
        }
    }

    /// It rang for as long as it may. The agent is free at once; the leg's end may take as long as the
    /// network likes.
    fn rang_out(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        self.stop_ringing(now, attempt, HangUpCause::NoAnswer, effects);
    }

    /// Lets go of whatever call a customer is about to get; a conversation goes on.
    pub(super) fn cancel_ringing(
        &mut self,
        now: Now,
        campaign: &CampaignId,
        customer: &CustomerId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(&attempt) = self.customers.get(customer) else { return };
        if self.calls.get(&attempt).is_some_and(|call| call.campaign == *campaign) {
            self.cancel(now, attempt, effects);
        }
    }

    /// The same for all calls of an override's campaigns.
    pub(super) fn cancel_all_ringing(&mut self, now: Now, scope: &Scope, effects: &mut Vec<Effect>) {
        let of_scope = self.calls.iter().filter(|(_, call)| scope.has(&call.campaign));
        let attempts: Vec<AttemptId> = of_scope.map(|(attempt, _)| *attempt).collect();
        for attempt in attempts {
            self.cancel(now, attempt, effects);
        }
    }

    fn cancel(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        match call.stage {
            Stage::RingingAgent | Stage::WaitingRate => self.release(now, attempt, effects),
            Stage::WaitingPlace => self.withdraw(now, attempt, effects),
            Stage::Dialing => {
                if let Some(call) = self.calls.get_mut(&attempt) {
                    call.cancelled = true;
                }
                self.stop_ringing(now, attempt, HangUpCause::Normal, effects);
            }
            // The first is over in a moment.
            Stage::Recording | Stage::Connecting | Stage::Rescuing | Stage::Talking | Stage::Ending(_) => {}
        }
    }

    fn stop_ringing(&mut self, now: Now, attempt: AttemptId, cause: HangUpCause, effects: &mut Vec<Effect>) {
        self.hang_up_customer(now, attempt, CallResult::NoAnswer, cause, effects);
        let Some(agent) = self.calls.get_mut(&attempt).and_then(|call| call.agent.take()) else { return };
        self.after_call(now, &agent, None, effects);
    }

    /// The customer's leg was told to end and never said so: the attempt is settled without it.
    fn give_up(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        effects.push(Effect::Observe(Observation::Illegal("a leg that was hung up did not end")));
        if let Some(leg) = self.calls.get(&attempt).and_then(|call| call.customer_leg) {
            self.legs.remove(&leg);
        }
        let (status, q850, retry_after, reason) = (None, None, None, None);
        let (by, cancelled) = (EndedBy::Timeout, true);
        let end = LegEnd { by, answered: false, cancelled, status, q850, retry_after, reason };
        self.customer_ended(now, attempt, &end, effects);
    }

    pub(super) fn customer_answered(&mut self, now: Now, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.stage == Stage::Dialing) else { return };
        call.answered_at = Some(now);
        call.stage = Stage::Connecting;
        let (customer, agent) = (call.customer_leg, call.agent.clone());
        self.mono_timers.set(Due::Call(attempt), Some(now.mono + BRIDGE_WITHIN));
        let phone = agent.and_then(|id| self.agents.get(&id)).map(|agent| agent.phone);
        match (phone, customer) {
            (Some(Phone::Up(agent)), Some(customer)) => {
                effects.push(Effect::Call(CallCommand::Bridge { agent, customer }));
            }
            _ => self.agent_failed(now, attempt, effects),
        }
    }

    pub(super) fn bridged(&mut self, now: Now, agent_leg: LegId, customer: LegId, effects: &mut Vec<Effect>) {
        let Some(LegRole::Customer(attempt)) = self.legs.get(&customer).cloned() else { return };
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.stage == Stage::Connecting) else { return };
        let phone = call.agent.as_ref().and_then(|id| self.agents.get(id)).map(|agent| agent.phone);
        if phone != Some(Phone::Up(agent_leg)) {
            return;
        }
        call.stage = Stage::Talking;
        call.connected_at = Some(now.wall);
        let waited = call.answered_at.map(|answered| now.mono.saturating_sub(answered.mono)).unwrap_or_default();
        self.mono_timers.set(Due::Call(attempt), None);
        effects.push(Effect::NoteConnected { attempt, at: now.wall });
        effects.push(Effect::Observe(Observation::AnswerToConnect(waited)));
    }

    pub(super) fn agent_leg_ended(&mut self, now: Now, leg: LegId, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if matches!(agent.phase, Phase::Recovering { leg: left, .. } if left == leg) {
            let instead = agent.after_call;
            self.free_agent(now, id, instead, effects);
            return;
        }
        if agent.phone.leg() != Some(leg) {
            return;
        }
        agent.phone = Phone::Down;
        agent.phone_kept_until = None;
        let Phase::Held { attempt, .. } = agent.phase else {
            self.refresh_agent(id);
            return;
        };
        let Some(call) = self.calls.get_mut(&attempt) else {
            self.free_agent(now, id, None, effects);
            return;
        };
        match call.stage {
            Stage::RingingAgent | Stage::WaitingRate => {
                call.agent = None;
                self.missed(now, id, effects);
                self.release(now, attempt, effects);
            }
            Stage::Recording => {
                call.agent = None;
                self.missed(now, id, effects);
            }
            Stage::WaitingPlace => {
                call.agent = None;
                self.missed(now, id, effects);
                self.withdraw(now, attempt, effects);
            }
            // Who had picked up is free again when the call has ended, and is rung for the next.
            Stage::Dialing => {
                self.hang_up_customer(now, attempt, CallResult::AgentLost, HangUpCause::Normal, effects);
            }
            Stage::Connecting | Stage::Rescuing => self.agent_failed(now, attempt, effects),
            Stage::Talking => {
                self.hang_up_customer(now, attempt, CallResult::Answered, HangUpCause::Normal, effects);
            }
            Stage::Ending(_) => {}
        }
    }

    /// An agent who did not pick up, or was lost: a back-off, and after three in a row `rest`.
    pub(super) fn missed(&mut self, now: Now, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.misses += 1;
        agent.backoff_until = Some(now.mono + MISSED_BACKOFF);
        let mut instead = agent.after_call;
        if agent.misses >= MISSES_MAX && instead.is_none() {
            agent.misses = 0;
            agent.backoff_until = None;
            instead = Some(Availability::Rest);
            effects.push(Effect::StoreAvailability { agent: id.clone(), availability: Availability::Rest });
        }
        self.free_agent(now, id, instead, effects);
        if let Some(agent) = self.agents.get_mut(id) {
            agent.free_since = None;
            // Whoever was there all the time has waited longer.
            if let (Phase::Idle { since }, Some(until)) = (&mut agent.phase, agent.backoff_until) {
                *since = until;
            }
        }
        self.refresh_agent(id);
    }

    /// Hangs up on the customer; the attempt is settled with `result` when the leg's end comes.
    pub(super) fn hang_up_customer(
        &mut self,
        now: Now,
        attempt: AttemptId,
        result: CallResult,
        cause: HangUpCause,
        effects: &mut Vec<Effect>,
    ) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.stage = Stage::Ending(result);
        if let Some(leg) = call.customer_leg {
            effects.push(Effect::Call(CallCommand::HangUp { leg, cause }));
        }
        self.mono_timers.set(Due::Call(attempt), Some(now.mono + ENDS_WITHIN));
    }

    pub(super) fn customer_ended(&mut self, now: Now, attempt: AttemptId, end: &LegEnd, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if end.by == EndedBy::Transport && !end.answered && matches!(call.stage, Stage::Dialing | Stage::Ending(_)) {
            // Nothing left, so nothing counts. Whatever it is, the next call would meet it too.
            call.customer_leg = None;
            self.back_off(now);
            self.withdraw(now, attempt, effects);
            return;
        }
        let (result, fail_code) = result_of_stage(call.stage, end);
        self.settle(now, attempt, result, fail_code, end, effects);
    }

    fn settle(
        &mut self,
        now: Now,
        attempt: AttemptId,
        result: CallResult,
        fail_code: &'static str,
        end: &LegEnd,
        effects: &mut Vec<Effect>,
    ) {
        let Some(call) = self.remove_call(attempt) else { return };
        let Some(recorded) = &call.recorded else { return };
        if let Some(run) = self.campaigns.get_mut(&call.campaign) {
            run.served = run.served.max(call.turn);
        }
        let last_call = call.as_agents_see_it(attempt, CallStage::WrapUp);
        let ended = EndedAttempt {
            number: call.number,
            rule: call.rule,
            result,
            ended_at: now.wall,
            local_date: recorded.local_date,
            next_day_at: recorded.next_day_at,
            caller_number: call.caller_number.clone(),
        };
        let (progress, settled) = retry::settle(&recorded.policy, &call.contact.progress, &ended);
        effects.push(Effect::Settle(Box::new(Settlement {
            attempt,
            result: settled,
            fail_code,
            sip_status: end.status,
            q850: end.q850,
            ended_at: now.wall,
            answered_at: call.answered_at.map(|answered| answered.wall),
            connected_at: call.connected_at,
            progress: progress.clone(),
        })));
        effects.push(Effect::Observe(Observation::Settled(settled)));
        let contact = Contact { version: call.contact.version + 1, progress, ..call.contact };
        let campaign = self.campaigns.get(&call.campaign).and_then(|run| run.definition.as_deref());
        let ready_at = campaign.and_then(|c| order::next(c, &contact, now.wall)).map(|next| next.ready_at);
        let settling = Settling { campaign: call.campaign.clone(), contact: contact.reference, ready_at };
        self.settling.insert(attempt, settling);
        self.call_ends(now);
        self.move_on(now, &call.campaign, contact, settled, call.cancelled);
        if let Some(agent) = call.agent {
            let wrap_up = call.connected_at.map(|_| self.terms_of(&call.campaign).map(|terms| terms.wrap_up));
            if let Some(held) = self.agents.get_mut(&agent).filter(|_| wrap_up.is_some()) {
                held.last_call = Some(last_call);
            }
            self.after_call(now, &agent, wrap_up.map(Option::unwrap_or_default), effects);
        }
    }

    /// How the campaign of an attempt treats its agents.
    fn terms(&self, attempt: AttemptId) -> Option<AgentTerms> {
        self.calls.get(&attempt).and_then(|call| self.terms_of(&call.campaign))
    }

    /// As its file has it; as the tenant has it once the file is gone.
    fn terms_of(&self, campaign: &CampaignId) -> Option<AgentTerms> {
        let definitions = &self.generation.as_ref()?.definitions;
        let campaign = definitions.campaigns.get(campaign);
        Some(campaign.map_or_else(|| definitions.tenant.agents.terms(), |campaign| campaign.agents))
    }

    /// The contact's place after an attempt. It is offered at once, before the store confirms: an
    /// intent for it is served after its settlement.
    fn move_on(&mut self, now: Now, id: &CampaignId, contact: Contact, settled: CallResult, cancelled: bool) {
        let Some(run) = self.campaigns.get_mut(id) else { return };
        *run.results.entry(settled).or_default() += 1;
        run.touch(contact.reference);
        if contact.progress.is_over() {
            run.count_end(&contact.attributes);
        } else if cancelled {
            run.set_aside(now, contact.reference, false);
        } else {
            run.offer(now.wall, contact);
        }
        if run.definition.is_none() && run.live == 0 {
            self.wall_timers.set(id.clone(), None);
            self.mono_timers.set(Due::SetAside(id.clone()), None);
            self.campaigns.remove(id);
            return;
        }
        self.refresh(now, id);
    }

    /// An agent after a call: free at once when the customer was not reached, else in wrap-up for at
    /// most this long.
    fn after_call(&mut self, now: Now, id: &AgentId, wrap_up: Option<Duration>, effects: &mut Vec<Effect>) {
        if wrap_up.is_some() {
            self.put_phone_down(id, HangUpCause::Normal, effects);
        }
        let wrap_up = wrap_up.filter(|wrap_up| !wrap_up.is_zero());
        let Some(agent) = self.agents.get_mut(id) else { return };
        if let Some(wrap_up) = wrap_up
            && agent.definition.is_some()
        {
            if let Some(call) = &mut agent.last_call {
                let wrap_up = SignedDuration::try_from(wrap_up).unwrap_or(SignedDuration::MAX);
                call.wrap_up_until = Some(now.wall.saturating_add(wrap_up).unwrap_or(Timestamp::MAX));
            }
            agent.enter(Phase::WrapUp { until: now.mono + wrap_up }, now);
            self.refresh_agent(id);
        } else {
            let instead = agent.after_call;
            self.free_agent(now, id, instead, effects);
        }
    }
}

/// The result of a customer's leg that ended while its attempt was at `stage`.
fn result_of_stage(stage: Stage, end: &LegEnd) -> (CallResult, &'static str) {
    let own = |result: CallResult| (result, result.fail_code());
    match stage {
        Stage::Talking => own(CallResult::Answered),
        Stage::Connecting | Stage::Rescuing => match end.by {
            EndedBy::Peer => own(CallResult::CustomerHungUp),
            EndedBy::Us | EndedBy::Timeout | EndedBy::Transport | EndedBy::Protocol => own(CallResult::Abandoned),
        },
        // The answer crossed our CANCEL: the customer picked up and nobody was there.
        Stage::Ending(CallResult::AgentLost | CallResult::NoAnswer) if end.answered => own(CallResult::Abandoned),
        // The customer's side had ended before our CANCEL came.
        Stage::Ending(CallResult::AgentLost | CallResult::NoAnswer) if !end.cancelled => results::result_of(end),
        // The customer had hung up while we looked for somebody to talk to.
        Stage::Ending(CallResult::Abandoned) if end.by == EndedBy::Peer => own(CallResult::CustomerHungUp),
        Stage::Ending(result) => own(result),
        Stage::RingingAgent | Stage::WaitingRate | Stage::Recording | Stage::WaitingPlace | Stage::Dialing => {
            if end.answered { own(CallResult::Abandoned) } else { results::result_of(end) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(by: EndedBy, answered: bool, cancelled: bool) -> LegEnd {
        LegEnd { by, answered, cancelled, status: None, q850: None, retry_after: None, reason: None }
    }

    /// Found by load: a customer who hangs up at once makes the bridge fail before the BYE is told.
    #[test]
    fn who_hung_up_first_is_not_abandoned() {
        let result = |stage, end: &LegEnd| result_of_stage(stage, end).0;
        let abandoned = Stage::Ending(CallResult::Abandoned);
        assert_eq!(result(abandoned, &end(EndedBy::Peer, true, false)), CallResult::CustomerHungUp);
        assert_eq!(result(abandoned, &end(EndedBy::Us, true, false)), CallResult::Abandoned);
        assert_eq!(result(Stage::Connecting, &end(EndedBy::Peer, true, false)), CallResult::CustomerHungUp);
        assert_eq!(result(Stage::Talking, &end(EndedBy::Timeout, true, false)), CallResult::Answered);
    }

    #[test]
    fn an_answer_that_crosses_our_cancel_is_abandoned() {
        let result = |stage, end: &LegEnd| result_of_stage(stage, end).0;
        let lost = Stage::Ending(CallResult::AgentLost);
        assert_eq!(result(lost, &end(EndedBy::Us, true, true)), CallResult::Abandoned);
        assert_eq!(result(lost, &end(EndedBy::Us, false, true)), CallResult::AgentLost);
        assert_eq!(result(Stage::Dialing, &end(EndedBy::Us, true, true)), CallResult::Abandoned);
    }
}
