//! Choosing: which agent, which campaign, which contact, which number shown.

use std::{collections::BTreeSet, sync::Arc};

use super::BTreeMap;
use super::{Due, Effect, Engine, LegRole, agents::Phase, agents::Phone, live_call::LiveCall, live_call::Stage};
use crate::domain::{
    business::BusinessKey,
    call::Destination,
    campaign::{CallerNumber, Campaign},
    contact::{Contact, Progress},
    gate::{self, Counts, Facts, NumberHistory},
    ids::{AgentId, AttemptId, CampaignId},
    now::Now,
    order,
    phone::E164,
    reason::Hold,
};

/// A contact and what to do with it.
struct Pick {
    campaign: CampaignId,
    contact: Contact,
    number: usize,
    /// The business rule that asks for the call.
    rule: Option<BusinessKey>,
    caller_number: E164,
}

/// What became of one contact of a hopper.
enum Look {
    Take(Box<Pick>),
    /// Not this one; look at the next.
    Pass,
    /// The campaign as a whole is at a cap.
    Blocked,
    /// It has nothing for this agent.
    Nothing,
}

impl Engine {
    /// Gives work to agents: first to answered customers without one, then to the longest idle.
    pub(super) fn assign(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.assign_rescues(now, effects);
        if self.draining || self.backoff_until.is_some() {
            return;
        }
        if self.ready.values().all(BTreeSet::is_empty) {
            return;
        }
        // What is at a cap for one agent is for all that follow.
        let mut blocked = BTreeSet::new();
        for agent in self.available_agents(now) {
            if self.ready.values().all(BTreeSet::is_empty) {
                return;
            }
            if let Some(pick) = self.pick(now, &agent, &mut blocked, effects) {
                self.claim(now, &agent, pick, effects);
            }
        }
    }

    /// Agents who may be given a call, longest idle first, then by id.
    pub(super) fn available_agents(&self, now: Now) -> Vec<AgentId> {
        let idle = self.idle.iter().map(|(_, id)| id);
        idle.filter(|id| self.agents[*id].is_available(now.mono)).cloned().collect()
    }

    /// The best contact for an agent: campaigns by priority, then least recently served, then id.
    fn pick(
        &mut self,
        now: Now,
        agent: &AgentId,
        blocked: &mut BTreeSet<CampaignId>,
        effects: &mut Vec<Effect>,
    ) -> Option<Pick> {
        let queues = self.agents.get(agent)?.definition.as_ref()?.queues.clone();
        let mut nothing: BTreeSet<CampaignId> = BTreeSet::new();
        loop {
            let lists = queues.iter().filter_map(|queue| self.ready.get(queue));
            let first = lists
                .filter_map(|list| list.iter().find(|(_, _, id)| !blocked.contains(id) && !nothing.contains(id)))
                .min();
            let first = first?.clone();
            let awaited = queues.iter().filter_map(|queue| self.awaited.get(queue)?.first()).min();
            if awaited.is_some_and(|awaited| *awaited < first) {
                return None;
            }
            let (_, _, id) = first;
            match self.look(now, &id, agent, effects) {
                Look::Take(pick) => return Some(*pick),
                Look::Pass => {}
                Look::Blocked => {
                    blocked.insert(id);
                }
                Look::Nothing => {
                    nothing.insert(id);
                }
            }
        }
    }

    /// Looks at the first contact of a campaign's hopper that an agent may take.
    fn look(&mut self, now: Now, id: &CampaignId, agent: &AgentId, effects: &mut Vec<Effect>) -> Look {
        let looked = self.look_at_first(now, id, agent, effects);
        self.refresh(now, id);
        looked
    }

    fn look_at_first(&mut self, now: Now, id: &CampaignId, agent: &AgentId, effects: &mut Vec<Effect>) -> Look {
        let room_at = self.claimed.room_at(id, self.rate_caps(id));
        let Some(run) = self.campaigns.get_mut(id) else { return Look::Blocked };
        run.refresh_hold(now.wall, id, &self.settings.permission, &self.overrides);
        if run.hold.is_some() {
            return Look::Blocked;
        }
        if room_at.is_none_or(|at| at > now.mono) {
            self.mono_timers.set(Due::Rate(id.clone()), room_at);
            return Look::Blocked;
        }
        let Some(contact) = run.take_first(agent) else { return Look::Nothing };
        let Some(campaign) = run.definition.clone() else { return Look::Blocked };
        let Some(next) = order::next(&campaign, &contact, now.wall) else { return Look::Pass };
        if next.ready_at > now.wall {
            run.ready_later(next.ready_at);
            return Look::Pass;
        }
        let (number, rule) = (next.number, next.rule(&contact).cloned());
        match self.admits(now, &campaign, &contact, (number, rule.as_ref()), agent) {
            Ok(()) => {
                if let Some(run) = self.campaigns.get_mut(id) {
                    run.taken(agent, next.class);
                }
                let caller_number = self.caller_number(id, &campaign, &contact, number);
                Look::Take(Box::new(Pick { campaign: id.clone(), contact, number, rule, caller_number }))
            }
            Err(hold) => self.leave(now, &campaign, contact, (number, rule.as_ref()), &hold, effects),
        }
    }

    /// The gate's own question on what the engine knows, so that no agent is bothered in vain; the
    /// rolling caps per number, do-not-call lists and paused batches are known to the store alone.
    fn admits(
        &self,
        now: Now,
        campaign: &Campaign,
        contact: &Contact,
        (number, rule): (usize, Option<&BusinessKey>),
        agent: &AgentId,
    ) -> Result<(), Hold> {
        let called = &contact.progress.numbers[number].e164;
        let live = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        gate::decide(&Facts {
            now: now.wall,
            campaign: Some(campaign),
            permission: &self.settings.permission,
            overridden: self.overrides.governing(&campaign.id, now.wall).map(Arc::as_ref),
            contact,
            picked_version: contact.version,
            number,
            batch_paused: false,
            rule,
            agent: Some(agent),
            customer_on_call: self.customers.contains_key(&contact.customer)
                || contact.progress.numbers.iter().any(|n| self.numbers.contains_key(&n.e164)),
            number_on_call: self.numbers.contains_key(called),
            live: Counts {
                campaign: self.campaigns.get(&campaign.id).map_or(0, |run| run.live),
                tenant: live,
                trunk: live,
            },
            placed_last_second: Counts::default(),
            caps: self.settings.caps,
            history: &NumberHistory::default(),
            do_not_call: &[],
        })
    }

    /// Puts a contact that can't be called now where it belongs.
    fn leave(
        &mut self,
        now: Now,
        campaign: &Campaign,
        contact: Contact,
        place: (usize, Option<&BusinessKey>),
        hold: &Hold,
        effects: &mut Vec<Effect>,
    ) -> Look {
        let Some(run) = self.campaigns.get_mut(&campaign.id) else { return Look::Blocked };
        if hold.is_cap() {
            run.offer(now.wall, contact);
            return Look::Blocked;
        }
        match gate::after_refusal(campaign, hold, &contact, place, now.wall) {
            Some(progress) => {
                let (reference, version) = (contact.reference, contact.version);
                effects.push(Effect::Advance { contact: reference, version, progress: progress.clone() });
                self.moved(now, &campaign.id, contact, progress);
            }
            None => run.leave(now, &contact, hold),
        }
        Look::Pass
    }

    /// A contact has made progress that the store has, or is told of before it is asked again.
    pub(super) fn moved(&mut self, now: Now, id: &CampaignId, contact: Contact, progress: Progress) {
        let Some(run) = self.campaigns.get_mut(id) else { return };
        if progress.is_over() {
            run.count_end(&contact.attributes);
            // A page from before counts it as open; after the wait all are counted again.
            run.set_aside(now, contact.reference, false);
        } else {
            run.offer(now.wall, Contact { version: contact.version + 1, progress, ..contact });
        }
    }

    /// The number to show: the one this number was last called from while it is still listed, else
    /// by priority, then the least used, then as listed.
    pub(super) fn caller_number(&self, id: &CampaignId, campaign: &Campaign, contact: &Contact, number: usize) -> E164 {
        let kept = contact.progress.numbers[number].caller_number.as_ref();
        if let Some(kept) = kept.filter(|kept| campaign.caller_numbers.iter().any(|c| c.number == **kept)) {
            return kept.clone();
        }
        let none = BTreeMap::new();
        let usage = self.campaigns.get(id).map_or(&none, |run| &run.caller_usage);
        let uses = |c: &CallerNumber| usage.get(&c.number).copied().unwrap_or(0);
        let best = campaign.caller_numbers.iter().min_by_key(|c| (c.priority, uses(c)));
        best.expect("a campaign has at least one caller number").number.clone()
    }

    /// Holds an agent, a contact and a number for one attempt.
    fn claim(&mut self, now: Now, agent_id: &AgentId, pick: Pick, effects: &mut Vec<Effect>) {
        let attempt = self.next_attempt();
        self.turn += 1;
        let turn = self.turn;
        if let Some(run) = self.campaigns.get_mut(&pick.campaign) {
            run.live += 1;
            run.turns.insert(turn);
        }
        self.claimed.record(&pick.campaign, now.mono);
        self.refresh(now, &pick.campaign);
        let called = pick.contact.progress.numbers[pick.number].e164.clone();
        self.busy.insert(pick.contact.reference, attempt);
        self.customers.insert(pick.contact.customer.clone(), attempt);
        for number in &pick.contact.progress.numbers {
            self.numbers.insert(number.e164.clone(), attempt);
        }
        let call = LiveCall {
            campaign: pick.campaign,
            turn,
            contact: pick.contact,
            number: pick.number,
            rule: pick.rule,
            called,
            caller_number: pick.caller_number,
            caller_counted: false,
            agent: Some(agent_id.clone()),
            customer_leg: None,
            stage: Stage::RingingAgent,
            recorded: None,
            answered_at: None,
            connected_at: None,
            rescue_until: None,
            cancelled: false,
        };
        self.calls.insert(attempt, call);
        self.hold_agent(now, agent_id, attempt, effects);
    }

    /// Holds an agent for an attempt: the phone that is up serves at once, else it is rung.
    pub(super) fn hold_agent(&mut self, now: Now, id: &AgentId, attempt: AttemptId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        let idle_since = agent.idle_since().unwrap_or(now.mono);
        agent.phone_kept_until = None;
        agent.enter(Phase::Held { attempt, idle_since }, now);
        let phone = agent.phone;
        let sip = agent.definition.as_ref().map(|d| d.sip.clone()).unwrap_or_default();
        match phone {
            Phone::Up(leg) => self.agent_ready(now, attempt, leg, effects),
            Phone::Down => {
                let leg = self.next_leg(LegRole::Agent(id.clone()));
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.phone = Phone::Storing(leg);
                }
                let destination = Destination::Agent { agent: id.clone(), sip };
                effects.push(Effect::StoreLeg { leg, destination });
            }
            Phone::Storing(_) | Phone::Ringing(_) => {}
        }
        self.refresh_agent(id);
    }
}
