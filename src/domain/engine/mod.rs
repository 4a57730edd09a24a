//! The engine: everything that happens goes in, everything to be done comes out.
//!
//! [`Engine::step`] takes an instant and an input and appends effects; [`Engine::next_wakeup`] says
//! when time alone is an input. It has no clock and no IO, so the daemon and the simulator run the
//! same one. For each idle agent it takes the campaign by priority and the contact by order, holds
//! the agent, has the last gate decide, and only then calls the customer.

mod agents;
mod calls;
mod campaigns;
mod input;
mod live_call;
mod pace;
mod pick;
mod rescue;
mod standing;
mod timers;
mod view;
#[cfg(test)]
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use self::{
    agents::{Agent, Phase, Phone},
    calls::ENDS_WITHIN,
    campaigns::CampaignRun,
    live_call::{LiveCall, Stage},
    pace::{RateCaps, Rates},
    timers::Timers,
};
pub use self::{
    agents::{MISSED_BACKOFF, MISSES_MAX, PHONE_KEPT_FOR},
    calls::{BRIDGE_WITHIN, RESCUE_WITHIN},
    campaigns::HOPPER_PAGE,
    input::{Effect, Input, Observation, Wakeup},
    view::{AgentView, CampaignView, View},
};
use super::{
    agent::Availability,
    call::{CallCommand, CallEvent, HangUpCause},
    campaign::{DialPermission, Generation, Priority},
    gate::Caps,
    ids::{AgentId, AttemptId, CampaignId, ContactRef, CustomerId, Epoch, LegId, QueueId, TrunkId},
    now::Now,
    overrides::{Overrides, Scope},
    phone::E164,
    results::CallResult,
};

/// What may fail of a campaign in the store, as half a sentence.
const READING: &str = "reading its contacts";
const RECORDING: &str = "recording a call of it";

/// After the store failed or a call could not be sent, nobody is claimed for so long.
const BACKOFF: Duration = Duration::from_secs(1);

/// How much later than asked for the outside does what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slack {
    /// How differently long INVITEs take from the decision to the wire; added to the second in which
    /// calls are counted.
    pub wire: Duration,
    /// How long after the ring limit a driver cancels by itself; then we stop counting on it.
    pub cancel: Duration,
    /// How long a phone that is up is kept for the next call, as its agent takes a while to pick up.
    pub phone: Duration,
}

impl Slack {
    /// A network's: half a percent of the second, within SPEC's tolerance.
    pub const NETWORK: Self =
        Self { wire: Duration::from_millis(5), cancel: Duration::from_secs(1), phone: PHONE_KEPT_FOR };
}

/// What a life of the daemon is started with.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Whom this daemon may call.
    pub permission: DialPermission,
    /// Caps of the settings.
    pub caps: Caps,
    /// The trunk that calls go through.
    pub trunk: TrunkId,
    /// This life, for ids.
    pub epoch: Epoch,
    /// How exact the outside is.
    pub slack: Slack,
    /// How many contacts are asked for at once: [`HOPPER_PAGE`] where the store takes its time.
    pub page: u32,
}

/// What a leg is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LegRole {
    /// An agent's phone.
    Agent(AgentId),
    /// The customer of an attempt.
    Customer(AttemptId),
    /// Given up; its end is awaited.
    Dropped,
}

/// An attempt whose end the store has not confirmed.
#[derive(Debug, Clone)]
struct Settling {
    campaign: CampaignId,
    contact: ContactRef,
    /// When the contact is due again; `None` once it has ended. Pages read before the confirmation
    /// don't know.
    ready_at: Option<Timestamp>,
}

/// A campaign's place among those that could be served: priority, last turn, id.
type Place = (Priority, u64, CampaignId);

/// Where a campaign is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    /// Among the ready ones, else among those whose page is awaited.
    is_ready: bool,
    queue: QueueId,
    place: Place,
}

/// What has a monotonic timer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Agent(AgentId),
    Call(AttemptId),
    SetAside(CampaignId),
    Rate(CampaignId),
    Store,
}

/// The dialling engine.
#[derive(Debug, Clone)]
pub struct Engine {
    settings: EngineSettings,
    generation: Option<Arc<Generation>>,
    overrides: Arc<Overrides>,
    campaigns: BTreeMap<CampaignId, CampaignRun>,
    agents: BTreeMap<AgentId, Agent>,
    /// Idle agents, the longest idle first, then by id.
    idle: BTreeSet<(Duration, AgentId)>,
    calls: BTreeMap<AttemptId, LiveCall>,
    /// Those whose customer answered and whose agent was lost; some may have found another by now.
    rescuing: BTreeSet<AttemptId>,
    legs: BTreeMap<LegId, LegRole>,
    /// Contacts that are claimed, in a call, or whose end the store has not confirmed.
    busy: BTreeMap<ContactRef, AttemptId>,
    customers: BTreeMap<CustomerId, AttemptId>,
    /// Every number of a contact that is claimed or in a call: who shares one is the same customer.
    numbers: BTreeMap<E164, AttemptId>,
    settling: BTreeMap<AttemptId, Settling>,
    /// Attempts whose intent is being taken back.
    withdrawing: BTreeMap<AttemptId, CampaignId>,
    /// Campaigns with a contact to take, in serving order, by queue.
    ready: BTreeMap<QueueId, BTreeSet<Place>>,
    /// Campaigns that may be ready once their page is here, likewise.
    awaited: BTreeMap<QueueId, BTreeSet<Place>>,
    wants_load: BTreeSet<CampaignId>,
    /// Campaigns that left contacts out for a call of their customer.
    wait_for_calls: BTreeSet<CampaignId>,
    /// Calls that agents are held for, as if made when they were claimed: so no campaign holds more agents than
    /// it has calls for.
    claimed: Rates,
    /// Calls that the store was asked for.
    asked: Rates,
    /// INVITEs that left.
    placed: Rates,
    mono_timers: Timers<Due, Duration>,
    wall_timers: Timers<CampaignId, Timestamp>,
    /// Nobody is claimed before.
    backoff_until: Option<Duration>,
    draining: bool,
    turn: u64,
    attempts_made: u32,
    legs_made: u32,
}

impl Engine {
    /// An engine that knows nothing yet; give it [`Input::Applied`] first.
    #[must_use]
    pub fn new(settings: EngineSettings) -> Self {
        let slack = settings.slack;
        Self {
            settings,
            generation: None,
            overrides: Arc::default(),
            campaigns: BTreeMap::new(),
            agents: BTreeMap::new(),
            idle: BTreeSet::new(),
            calls: BTreeMap::new(),
            rescuing: BTreeSet::new(),
            legs: BTreeMap::new(),
            busy: BTreeMap::new(),
            customers: BTreeMap::new(),
            numbers: BTreeMap::new(),
            settling: BTreeMap::new(),
            withdrawing: BTreeMap::new(),
            ready: BTreeMap::new(),
            awaited: BTreeMap::new(),
            wants_load: BTreeSet::new(),
            wait_for_calls: BTreeSet::new(),
            claimed: Rates::new(slack.wire),
            asked: Rates::new(slack.wire),
            placed: Rates::new(slack.wire),
            mono_timers: Timers::default(),
            wall_timers: Timers::default(),
            backoff_until: None,
            draining: false,
            turn: 0,
            attempts_made: 0,
            legs_made: 0,
        }
    }

    /// Takes in what happened at `now` and appends what is to be done, in order.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.step_all(now, [input], effects);
    }

    /// The same for several things that happened at one instant: work is given once all are known.
    pub fn step_all(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>, effects: &mut Vec<Effect>) {
        self.fire_timers(now, effects);
        for input in inputs {
            self.take_in(now, input, effects);
        }
        self.assign(now, effects);
        self.ask_for_candidates(now, effects);
    }

    /// When time alone is an input.
    #[must_use]
    pub fn next_wakeup(&self) -> Wakeup {
        Wakeup { wall: self.wall_timers.earliest(), mono: self.mono_timers.earliest() }
    }

    /// Whether no attempt is live and no outcome is unwritten.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.calls.is_empty() && self.settling.is_empty() && self.withdrawing.is_empty() && self.legs.is_empty()
    }

    /// Whether a leg is a customer's.
    #[must_use]
    pub fn is_customer(&self, leg: LegId) -> bool {
        matches!(self.legs.get(&leg), Some(LegRole::Customer(_)))
    }

    fn take_in(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Timer => {}
            Input::FreeAgent(agent) => self.free_held_in_vain(now, &agent, effects),
            Input::Applied(generation) => self.applied(now, generation, effects),
            Input::Overridden { overrides, cancel_ringing } => {
                self.overridden(now, overrides, cancel_ringing.as_ref(), effects);
            }
            Input::Candidates { campaign, page } => self.candidates(now, &campaign, page),
            Input::ContactsAdded(campaign) => {
                if let Some(run) = self.campaigns.get_mut(&campaign) {
                    run.wants_load = true;
                    run.loaded_once = false;
                    self.wants_load.insert(campaign);
                }
            }
            Input::ContactsChanged(campaign) => {
                if let Some(run) = self.campaigns.get_mut(&campaign) {
                    run.look_anew();
                    self.refresh(now, &campaign);
                }
            }
            Input::CancelRinging { campaign, customer } => self.cancel_ringing(now, &campaign, &customer, effects),
            Input::Behind { campaign, hold } => {
                if let Some(run) = self.campaigns.get_mut(&campaign) {
                    run.behind = hold;
                }
            }
            Input::LegStored { leg, stored } => self.leg_stored(now, leg, stored, effects),
            Input::IntentRecorded { attempt, intent } => self.intent_recorded(now, attempt, *intent, effects),
            Input::IntentRefused { attempt, hold } => self.intent_refused(now, attempt, &hold, effects),
            Input::ContactChanged { campaign, contact } => {
                if let Some(run) = self.campaigns.get_mut(&campaign) {
                    run.changed(contact);
                }
                self.refresh(now, &campaign);
            }
            Input::Settled { attempt, changed } => self.settled(now, attempt, changed),
            Input::Withdrawn { attempt } => {
                if let Some(campaign) = self.withdrawing.remove(&attempt) {
                    self.call_over(now);
                    self.look_again(now, &campaign);
                }
            }
            Input::Call(event) => self.call_event(now, event, effects),
            Input::SetAvailability { agent, availability } => {
                self.set_availability(now, &agent, availability, effects);
            }
            Input::PauseAfterCall(agent) => self.pause_after_call(now, &agent, effects),
            Input::HangUp(agent) => self.hang_up(now, &agent, effects),
            Input::Recovering { legs } => {
                for (leg, agent) in legs {
                    self.legs.insert(leg, LegRole::Agent(agent.clone()));
                    if let Some(held) = self.agents.get_mut(&agent) {
                        held.enter(Phase::Recovering { leg, until: now.mono + ENDS_WITHIN }, now);
                    }
                    self.refresh_agent(&agent);
                }
            }
            Input::Drain => self.drain(now, effects),
            Input::HangUpAll => self.hang_up_all(effects),
        }
    }

    /// The store has an attempt's end: from now on its pages know better than we do.
    fn settled(&mut self, now: Now, attempt: AttemptId, changed: bool) {
        let Some(settling) = self.settling.remove(&attempt) else { return };
        self.call_over(now);
        if self.busy.get(&settling.contact) == Some(&attempt) {
            self.busy.remove(&settling.contact);
        }
        let Some(run) = self.campaigns.get_mut(&settling.campaign) else { return };
        match settling.ready_at {
            _ if changed => {
                run.changed(settling.contact);
                self.refresh(now, &settling.campaign);
            }
            Some(at) if at > now.wall => {
                run.ready_later(at);
                self.refresh(now, &settling.campaign);
            }
            // Ready by now, and neither in the hopper nor taken: pages left it out until this moment.
            Some(_) if !self.busy.contains_key(&settling.contact) && !run.holds(settling.contact) => {
                self.look_again(now, &settling.campaign);
            }
            Some(_) | None => self.refresh(now, &settling.campaign),
        }
    }

    /// A call is over in the store too, or a claim has come to nothing: campaigns that left contacts out for
    /// one look again.
    fn call_over(&mut self, now: Now) {
        self.tell_waiting(now, CampaignRun::call_ended);
    }

    /// A call ends, and the store is told: campaigns that left contacts out for one wait for it.
    fn call_ends(&mut self, now: Now) {
        self.tell_waiting(now, CampaignRun::call_ends);
    }

    fn tell_waiting(&mut self, now: Now, tell: impl Fn(&mut CampaignRun)) {
        for id in self.wait_for_calls.clone() {
            if let Some(run) = self.campaigns.get_mut(&id) {
                tell(run);
            }
            self.refresh(now, &id);
        }
    }

    /// Whether the store has settlements of a campaign to confirm.
    fn is_settling(&self, id: &CampaignId) -> bool {
        self.settling.values().any(|settling| settling.campaign == *id)
    }

    /// The store knows more of a campaign's contacts than its last page told.
    fn look_again(&mut self, now: Now, id: &CampaignId) {
        if let Some(run) = self.campaigns.get_mut(id) {
            run.wants_load = true;
        }
        self.refresh(now, id);
    }

    fn fire_timers(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(due) = self.mono_timers.pop_due(now.mono) {
            match due {
                Due::Agent(agent) => self.agent_timer(now, &agent, effects),
                Due::Call(attempt) => self.call_timer(now, attempt, effects),
                Due::SetAside(campaign) => {
                    if let Some(run) = self.campaigns.get_mut(&campaign) {
                        run.notice_due(now);
                    }
                    self.refresh(now, &campaign);
                }
                // Who waits for work is looked at in every step.
                Due::Rate(_) => {}
                Due::Store => self.backoff_until = None,
            }
        }
        while let Some(campaign) = self.wall_timers.pop_due(now.wall) {
            if let Some(run) = self.campaigns.get_mut(&campaign) {
                run.notice_due(now);
            }
            self.refresh(now, &campaign);
            self.wants_load.insert(campaign);
        }
    }

    fn applied(&mut self, now: Now, generation: Arc<Generation>, effects: &mut Vec<Effect>) {
        let definitions = &generation.definitions;
        let known: Vec<CampaignId> = self.campaigns.keys().cloned().collect();
        for id in known {
            if !definitions.campaigns.contains_key(&id)
                && let Some(run) = self.campaigns.get_mut(&id)
            {
                run.redefine(None, &generation.revision);
                run.clear_hopper();
            }
        }
        for (id, definition) in &definitions.campaigns {
            match self.campaigns.get_mut(id) {
                Some(run) => run.redefine(Some(Arc::clone(definition)), generation.revision_of(id)),
                None => {
                    let (revision, page) = (generation.revision_of(id).clone(), self.settings.page);
                    let run = CampaignRun::new(Arc::clone(definition), revision, page);
                    self.campaigns.insert(id.clone(), run);
                }
            }
        }
        for (id, definition) in &definitions.agents {
            let agent = self.agents.entry(id.clone()).or_insert_with(|| Agent::new(definition.clone(), now));
            agent.definition = Some(definition.clone());
        }
        let gone: Vec<AgentId> =
            self.agents.keys().filter(|id| !definitions.agents.contains_key(*id)).cloned().collect();
        for id in gone {
            self.agent_gone(&id, effects);
        }
        if self.generation.as_ref().is_none_or(|before| before.revision != generation.revision) {
            self.campaigns.values_mut().for_each(CampaignRun::try_again);
        }
        self.generation = Some(generation);
        let ids: Vec<CampaignId> = self.campaigns.keys().cloned().collect();
        for id in ids {
            self.refresh(now, &id);
            self.wants_load.insert(id);
        }
        self.campaigns.retain(|_, run| run.definition.is_some() || run.live > 0);
    }

    /// Other overrides are in the store: every campaign looks what governs it now.
    fn overridden(
        &mut self,
        now: Now,
        overrides: Arc<Overrides>,
        cancel_ringing: Option<&Scope>,
        effects: &mut Vec<Effect>,
    ) {
        self.overrides = overrides;
        let ids: Vec<CampaignId> = self.campaigns.keys().cloned().collect();
        for id in ids {
            if let Some(run) = self.campaigns.get_mut(&id) {
                run.forget_hold();
            }
            self.refresh(now, &id);
        }
        if let Some(scope) = cancel_ringing {
            self.cancel_all_ringing(now, scope, effects);
        }
    }

    /// An agent left `agents.toml`: at once if free, else after the call.
    fn agent_gone(&mut self, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.definition = None;
        if matches!(agent.phase, Phase::Held { .. } | Phase::Recovering { .. }) {
            return;
        }
        self.agent_gone_now(id, effects);
    }

    fn candidates(&mut self, now: Now, id: &CampaignId, page: Option<super::intent::CandidatePage>) {
        let Some(run) = self.campaigns.get_mut(id) else { return };
        let seed = u64::from(self.settings.epoch.0);
        if let Some(page) = page {
            run.went_on(READING);
            let busy = &self.busy;
            run.loaded(now, page, |contact| busy.contains_key(&contact));
            // A page without contacts that may be called tells nothing of the others.
            run.without_numbers &= self.settings.permission == DialPermission::All;
        } else {
            run.load_failed();
            run.failed(now, id, READING, seed);
        }
        self.refresh(now, id);
    }

    /// Brings hold, timers and the ready list of a campaign up to date.
    fn refresh(&mut self, now: Now, id: &CampaignId) {
        let recount = self.campaigns.get(id).is_some_and(CampaignRun::is_unsure_at_rest) && !self.is_settling(id);
        let Some(run) = self.campaigns.get_mut(id) else {
            self.wait_for_calls.remove(id);
            return;
        };
        if recount {
            run.recount();
        }
        run.refresh_hold(now.wall, id, &self.settings.permission, &self.overrides);
        self.wall_timers.set(id.clone(), run.wakes_at());
        self.mono_timers.set(Due::SetAside(id.clone()), run.set_aside_until());
        if run.should_load() {
            self.wants_load.insert(id.clone());
        }
        if run.waits_for_a_call() {
            self.wait_for_calls.insert(id.clone());
        } else {
            self.wait_for_calls.remove(id);
        }
        self.list(id);
    }

    /// Enters a campaign in its queue's list of those that are ready or awaited, or takes it out.
    fn list(&mut self, id: &CampaignId) {
        let Some(run) = self.campaigns.get_mut(id) else { return };
        let (is_ready, is_awaited) = (run.is_ready(), run.is_awaited());
        let campaign = run.definition.as_ref().filter(|_| is_ready || is_awaited);
        let listed = campaign.map(|campaign| Listed {
            is_ready,
            queue: campaign.skill_queue.clone(),
            place: (campaign.priority, run.last_served(), id.clone()),
        });
        if run.listed == listed {
            return;
        }
        if let Some(Listed { is_ready, queue, place }) = std::mem::replace(&mut run.listed, listed.clone()) {
            let lists = if is_ready { &mut self.ready } else { &mut self.awaited };
            lists.get_mut(&queue).map(|list| list.remove(&place));
        }
        if let Some(Listed { is_ready, queue, place }) = listed {
            let lists = if is_ready { &mut self.ready } else { &mut self.awaited };
            lists.entry(queue).or_default().insert(place);
        }
    }

    fn ask_for_candidates(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.draining || self.backoff_until.is_some() {
            return;
        }
        for id in std::mem::take(&mut self.wants_load) {
            let Some(run) = self.campaigns.get_mut(&id) else { continue };
            run.notice_due(now);
            if run.should_load() {
                let claimed = self.calls.values().filter(|call| call.campaign == id && call.recorded.is_none()).count();
                let settling = self.settling.values().filter(|settling| settling.campaign == id).count();
                let limit = run.take_load(now, claimed, settling);
                effects.push(Effect::LoadCandidates { campaign: id.clone(), limit });
            }
            self.refresh(now, &id);
            self.wants_load.remove(&id);
        }
    }

    fn back_off(&mut self, now: Now) {
        let until = now.mono + BACKOFF;
        self.backoff_until = Some(until);
        self.mono_timers.set(Due::Store, Some(until));
    }

    fn drain(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.draining = true;
        let early: Vec<AttemptId> =
            self.calls.iter().filter(|(_, call)| call.is_before_intent()).map(|(id, _)| *id).collect();
        for attempt in early {
            self.release(now, attempt, effects);
        }
        let free: Vec<AgentId> = self
            .agents
            .iter()
            .filter(|(_, agent)| !matches!(agent.phase, Phase::Held { .. }))
            .map(|(id, _)| id.clone())
            .collect();
        for agent in free {
            self.put_phone_down(&agent, HangUpCause::Normal, effects);
        }
    }

    fn hang_up_all(&self, effects: &mut Vec<Effect>) {
        for (leg, role) in &self.legs {
            if *role != LegRole::Dropped {
                effects.push(Effect::Call(CallCommand::HangUp { leg: *leg, cause: HangUpCause::Normal }));
            }
        }
    }

    fn call_event(&mut self, now: Now, event: CallEvent, effects: &mut Vec<Effect>) {
        match event {
            CallEvent::Answered { leg, .. } => match self.legs.get(&leg).cloned() {
                Some(LegRole::Agent(agent)) => self.agent_answered(now, leg, &agent, effects),
                Some(LegRole::Customer(attempt)) => self.customer_answered(now, attempt, effects),
                Some(LegRole::Dropped) | None => {}
            },
            // What rings is written down by the dialler, which compares legs too; the end of an unwanted answer is
            // on the way.
            CallEvent::Progress { .. } | CallEvent::AnsweredInVain { .. } | CallEvent::Standing { .. } => {}
            CallEvent::Bridged { agent, customer } => self.bridged(now, agent, customer, effects),
            CallEvent::BridgeFailed { agent, customer, refused_by } => {
                self.bridge_failed(now, agent, customer, refused_by, effects);
            }
            CallEvent::Ended { leg, end } => match self.legs.remove(&leg) {
                Some(LegRole::Agent(agent)) => self.agent_leg_ended(now, leg, &agent, effects),
                Some(LegRole::Customer(attempt)) => self.customer_ended(now, attempt, &end, effects),
                Some(LegRole::Dropped) | None => {}
            },
        }
    }

    fn next_attempt(&mut self) -> AttemptId {
        self.attempts_made += 1;
        AttemptId { epoch: self.settings.epoch, serial: self.attempts_made }
    }

    fn next_leg(&mut self, role: LegRole) -> LegId {
        self.legs_made += 1;
        let leg = LegId { epoch: self.settings.epoch, serial: self.legs_made };
        self.legs.insert(leg, role);
        leg
    }

    fn rate_caps(&self, campaign: &CampaignId) -> RateCaps {
        let own = self.campaigns.get(campaign).and_then(|run| run.definition.as_ref());
        RateCaps {
            campaign: own.and_then(|c| c.limits.max_calls_per_second).map_or(u32::MAX, std::num::NonZero::get),
            tenant: self.settings.caps.tenant_calls_per_second,
            trunk: self.settings.caps.trunk_calls_per_second,
        }
    }

    /// Sets what an agent is available for, which the store has already; during a call it holds from
    /// the call's end.
    fn set_availability(&mut self, now: Now, id: &AgentId, wanted: Availability, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if wanted == Availability::Idle {
            agent.misses = 0;
            agent.backoff_until = None;
        }
        let after = (wanted != Availability::Idle).then_some(wanted);
        match agent.phase {
            Phase::Held { attempt, .. } => {
                agent.after_call = after;
                let early = self.calls.get(&attempt).is_some_and(LiveCall::is_before_intent);
                if after.is_some() && early {
                    self.release(now, attempt, effects);
                }
            }
            Phase::Recovering { .. } => agent.after_call = after,
            Phase::Idle { .. } if after.is_none() => {}
            Phase::Away(_) | Phase::Idle { .. } | Phase::WrapUp { .. } => self.free_agent(now, id, after, effects),
        }
        self.refresh_agent(id);
    }

    /// Has an agent go on a pause after the call and its wrap-up; at once if it has ended meanwhile.
    fn pause_after_call(&mut self, now: Now, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        match agent.phase {
            Phase::Held { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => {
                agent.after_call = Some(Availability::Busy);
            }
            Phase::Idle { .. } => self.free_agent(now, id, Some(Availability::Busy), effects),
            Phase::Away(_) => {}
        }
    }

    /// Ends the conversation that an agent is in.
    fn hang_up(&mut self, now: Now, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(Phase::Held { attempt, .. }) = self.agents.get(id).map(|agent| agent.phase) else { return };
        if self.calls.get(&attempt).is_some_and(|call| call.stage == Stage::Talking) {
            self.hang_up_customer(now, attempt, CallResult::Answered, HangUpCause::Normal, effects);
        }
    }

    /// Makes an agent idle, or what was asked for instead.
    fn free_agent(&mut self, now: Now, id: &AgentId, instead: Option<Availability>, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if agent.definition.is_none() {
            self.agent_gone_now(id, effects);
            return;
        }
        if let Some(call) = agent.last_call.take()
            && matches!(agent.phase, Phase::WrapUp { .. })
            && let Some(result) =
                self.generation.as_ref().and_then(|g| g.definitions.tenant.agents.wrap_up_result.clone())
        {
            effects.push(Effect::NoteDefaultResult { agent: id.clone(), call: Box::new(call), result });
        }
        match instead {
            Some(availability) => {
                agent.after_call = None;
                agent.free_since = None;
                agent.enter(Phase::Away(availability), now);
                self.put_phone_down(id, HangUpCause::Normal, effects);
            }
            None => {
                agent.free_since = Some(now.mono);
                agent.enter(Phase::Idle { since: now.mono }, now);
                let kept_for = self.settings.slack.phone;
                if kept_for.is_zero() {
                    self.put_phone_down(id, HangUpCause::Normal, effects);
                } else if matches!(agent.phone, Phone::Up(_)) {
                    agent.phone_kept_until = Some(now.mono + kept_for);
                }
            }
        }
        self.refresh_agent(id);
    }

    fn agent_gone_now(&mut self, id: &AgentId, effects: &mut Vec<Effect>) {
        self.put_phone_down(id, HangUpCause::Normal, effects);
        self.mono_timers.set(Due::Agent(id.clone()), None);
        if let Some(since) = self.agents.remove(id).and_then(|agent| agent.listed) {
            self.idle.remove(&(since, id.clone()));
        }
    }

    fn agent_timer(&mut self, now: Now, id: &AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        if agent.backoff_until.is_some_and(|until| until <= now.mono) {
            agent.backoff_until = None;
        }
        let keep_over = agent.phone_kept_until.is_some_and(|until| until <= now.mono);
        let over = matches!(agent.phase,
            Phase::WrapUp { until } | Phase::Recovering { until, .. } if until <= now.mono);
        if over {
            let instead = agent.after_call;
            self.free_agent(now, id, instead, effects);
        } else if keep_over {
            self.put_phone_down(id, HangUpCause::Normal, effects);
        }
        self.refresh_agent(id);
    }

    /// Brings an agent's timer and place among the idle ones up to date.
    fn refresh_agent(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        self.mono_timers.set(Due::Agent(id.clone()), agent.wakes_at());
        let since = agent.idle_since();
        let before = std::mem::replace(&mut agent.listed, since);
        if before != since {
            before.map(|before| self.idle.remove(&(before, id.clone())));
            since.map(|since| self.idle.insert((since, id.clone())));
        }
    }

    /// Ends an agent's leg, whatever it is doing.
    fn put_phone_down(&mut self, id: &AgentId, cause: HangUpCause, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.phone_kept_until = None;
        match std::mem::replace(&mut agent.phone, Phone::Down) {
            Phone::Down => {}
            Phone::Storing(leg) => {
                // The answer to StoreLeg finds nobody who wants it.
                self.legs.remove(&leg);
            }
            Phone::Ringing(leg) | Phone::Up(leg) => {
                self.legs.insert(leg, LegRole::Dropped);
                effects.push(Effect::Call(CallCommand::HangUp { leg, cause }));
            }
        }
    }
}
