//! The machine: engine, facts and a world, stepped from one instant to the next.
//!
//! Events of an instant come first, then what agents and customers do; the engine hears of all of them at once,
//! so that work is given when everything is known.

mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use self::wire::answered;
use super::{
    outside::{Fate, Outside, rang_out},
    record::{Attempt, CampaignHold, Holds, Refusal, Rule},
};
use crate::domain::{
    agent::Availability,
    campaign::DialPermission,
    engine::{Effect, Engine, EngineSettings, Input, Observation, Slack},
    facts::{Capped, ContactRefused, Facts, GateSettings},
    gate::Caps,
    ids::{AgentId, AttemptId, ContactRef, Epoch, LegId, TrunkId},
    intent::{Intent, Settlement},
    now::Now,
    order,
    reason::Hold,
    results::CallResult,
};

/// Why a simulation stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A call that the script does not foresee.
    #[error("the script has no row for call {attempt} to {number}, which was placed at {at}")]
    NoRow {
        /// The number, in full.
        number: String,
        /// How many calls to it there were, with this one.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An event names what is not there, or comes at a wrong time.
    #[error("the event at {at} can't happen: {why}")]
    Event {
        /// When.
        at: Timestamp,
        /// Why not.
        why: String,
    },
    /// The engine met an event that its state does not know.
    #[error("at {at} the engine met an event that does not fit its state: {what}; report this")]
    Illegal {
        /// When.
        at: Timestamp,
        /// Which.
        what: &'static str,
    },
    /// Time does not move on.
    #[error("the engine does not come to rest at {0}; report this")]
    Restless(Timestamp),
    /// A contact was refused.
    #[error(transparent)]
    Contact(#[from] ContactRefused),
}

/// Contacts that the engine asks for at once: few, since the facts answer at once.
const PAGE: u32 = 8;

/// A trunk and a tenant without limits.
const NO_CAPS: Caps = Caps {
    tenant_calls: u32::MAX,
    tenant_calls_per_second: u32::MAX,
    trunk_calls: u32::MAX,
    trunk_calls_per_second: u32::MAX,
};

/// Steps at one instant after which the engine counts as restless.
const STEPS_AT_ONCE_MAX: u32 = 1_000_000;

/// Something that a world lets happen, in the order of one instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// An event of the world, by its index.
    Event(usize),
    /// An agent's shift is over.
    Leaves(AgentId),
    /// An agent's shift begins.
    Comes(AgentId),
    /// The store has an intent that takes its time.
    Recorded(AttemptId),
    AgentPicksUp(LegId),
    AgentMisses(LegId),
    /// The customer answers, or the call ends unanswered.
    Rung(LegId),
    HangsUp(LegId),
    WrappedUp(AgentId, AttemptId),
}

/// A leg that is not over.
#[derive(Debug, Clone)]
enum Leg {
    Agent { agent: AgentId, up: bool },
    Customer { attempt: AttemptId, fate: Fate, up: bool, agent_leg: LegId },
}

#[derive(Debug, Default)]
struct AgentHere {
    here: bool,
    /// The conversation after which the agent is wrapping up.
    wraps_up: Option<AttemptId>,
}

/// Engine, facts and world.
pub(super) struct Machine<O> {
    engine: Engine,
    pub(super) facts: Facts,
    pub(super) outside: O,
    started: Timestamp,
    mono: Duration,
    /// From the engine's decision to the INVITE.
    setup: Duration,
    queue: BTreeSet<(Duration, Happening)>,
    pending: Vec<Input>,
    /// Empty between steps.
    effects: Vec<Effect>,
    legs: BTreeMap<LegId, Leg>,
    agents: BTreeMap<AgentId, AgentHere>,
    recording: BTreeMap<AttemptId, Input>,
    live: BTreeMap<AttemptId, Attempt>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) refusals: Vec<Refusal>,
    /// From when until when agents talked and wrapped up.
    pub(super) work: Vec<(Timestamp, Timestamp)>,
    holds: Holds,
    /// How often campaigns are asked what they wait for; at every instant if it is nothing.
    look_every: Duration,
    look_at: Duration,
}

impl<O: Outside> Machine<O> {
    /// One trunk without limits; everybody may be called.
    pub(super) fn new(slack: Slack, outside: O, starts: Timestamp, setup: Duration) -> Self {
        let trunk = TrunkId::parse("simulated").expect("a slug");
        let permission = DialPermission::All;
        let gate = GateSettings { permission: permission.clone(), caps: BTreeMap::from([(trunk.clone(), NO_CAPS)]) };
        let settings = EngineSettings { permission, caps: NO_CAPS, trunk, epoch: Epoch(1), slack, page: PAGE };
        Self {
            engine: Engine::new(settings),
            facts: Facts::new(gate),
            outside,
            started: starts,
            mono: Duration::ZERO,
            setup,
            queue: BTreeSet::new(),
            pending: Vec::new(),
            effects: Vec::new(),
            legs: BTreeMap::new(),
            agents: BTreeMap::new(),
            recording: BTreeMap::new(),
            live: BTreeMap::new(),
            attempts: Vec::new(),
            refusals: Vec::new(),
            work: Vec::new(),
            holds: Holds::default(),
            look_every: Duration::ZERO,
            look_at: Duration::ZERO,
        }
    }

    /// Has campaigns asked only so often what they wait for.
    pub(super) fn looking_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    pub(super) fn now(&self) -> Now {
        let since = SignedDuration::try_from(self.mono).unwrap_or(SignedDuration::MAX);
        Now { wall: self.started.saturating_add(since).unwrap_or(Timestamp::MAX), mono: self.mono }
    }

    /// Virtual time of an instant; what is past counts as the beginning.
    fn mono_of(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.started)).unwrap_or_default()
    }

    /// Has something happen at an instant.
    pub(super) fn at(&mut self, at: Timestamp, happening: Happening) {
        self.push(self.mono_of(at), happening);
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.push(self.mono + after, happening);
    }

    fn push(&mut self, at: Duration, happening: Happening) {
        self.queue.insert((at, happening));
    }

    /// Tells the engine something before anything happens.
    pub(super) fn give(&mut self, input: Input) -> Result<(), Halt> {
        self.pending.push(input);
        self.drain()
    }

    /// Runs until `until`, and on until no call is live.
    pub(super) fn run(&mut self, until: Timestamp) -> Result<(), Halt> {
        let until = self.mono_of(until);
        self.observe_holds();
        while let Some(at) = self.next_instant() {
            if at > until && self.live.is_empty() {
                break;
            }
            if at > self.mono && self.mono >= self.look_at {
                self.look_at = self.mono + self.look_every;
                self.observe_holds();
            }
            self.mono = at;
            self.instant()?;
        }
        self.mono = self.mono.max(until);
        Ok(())
    }

    /// What campaigns waited for, and for how long.
    pub(super) fn finish_holds(&mut self) -> Vec<CampaignHold> {
        let now = self.now().wall;
        std::mem::take(&mut self.holds).finish(now)
    }

    fn next_instant(&self) -> Option<Duration> {
        let wake = self.engine.next_wakeup();
        let happens = self.queue.first().map(|(at, _)| *at);
        let wall = wake.wall.map(|at| self.mono_of(at));
        [happens, wall, wake.mono].into_iter().flatten().min().map(|at| at.max(self.mono))
    }

    /// All that happens at one instant is known before anyone is given work: who is free, and who is due.
    fn instant(&mut self) -> Result<(), Halt> {
        let mut inputs = Vec::new();
        while let Some(happening) = self.take_due() {
            inputs.extend(self.happen(happening)?);
        }
        inputs.push(Input::Timer);
        self.step(inputs)?;
        self.drain()?;
        if self.is_due() { Err(Halt::Restless(self.now().wall)) } else { Ok(()) }
    }

    /// Whether the engine's own timers have something to do now.
    fn is_due(&self) -> bool {
        let (now, wake) = (self.now(), self.engine.next_wakeup());
        wake.mono.is_some_and(|at| at <= now.mono) || wake.wall.is_some_and(|at| at <= now.wall)
    }

    fn take_due(&mut self) -> Option<Happening> {
        self.queue.first().filter(|(at, _)| *at <= self.mono)?;
        self.queue.pop_first().map(|(_, happening)| happening)
    }

    /// Steps the engine until it has nothing more to say at this instant.
    fn drain(&mut self) -> Result<(), Halt> {
        for _ in 0..STEPS_AT_ONCE_MAX {
            if self.pending.is_empty() {
                return Ok(());
            }
            let inputs = std::mem::take(&mut self.pending);
            self.step(inputs)?;
        }
        Err(Halt::Restless(self.now().wall))
    }

    fn step(&mut self, inputs: Vec<Input>) -> Result<(), Halt> {
        let mut effects = std::mem::take(&mut self.effects);
        self.engine.step_all(self.now(), inputs, &mut effects);
        let done = effects.drain(..).try_for_each(|effect| self.act(effect));
        self.effects = effects;
        done
    }

    fn happen(&mut self, happening: Happening) -> Result<Vec<Input>, Halt> {
        let now = self.now();
        Ok(match happening {
            Happening::Event(event) => self.outside.happen(now, event, &mut self.facts)?,
            Happening::Leaves(agent) => {
                self.agents.entry(agent.clone()).or_default().here = false;
                vec![Input::SetAvailability { agent, availability: Availability::SignedOut }]
            }
            Happening::Comes(agent) => {
                self.agents.entry(agent.clone()).or_default().here = true;
                vec![Input::SetAvailability { agent, availability: Availability::Idle }]
            }
            Happening::Recorded(attempt) => self.recording.remove(&attempt).into_iter().collect(),
            Happening::AgentPicksUp(leg) => match self.legs.get_mut(&leg) {
                Some(Leg::Agent { up, .. }) => {
                    *up = true;
                    vec![answered(leg)]
                }
                Some(Leg::Customer { .. }) | None => Vec::new(),
            },
            Happening::AgentMisses(leg) => match self.legs.get(&leg) {
                Some(Leg::Agent { up: false, .. }) => vec![self.end(leg, rang_out())],
                Some(Leg::Agent { up: true, .. } | Leg::Customer { .. }) | None => Vec::new(),
            },
            Happening::Rung(leg) => self.rung(leg),
            Happening::HangsUp(leg) => self.hangs_up(leg),
            Happening::WrappedUp(agent, attempt) => self.wrapped_up(agent, attempt),
        })
    }

    fn act(&mut self, effect: Effect) -> Result<(), Halt> {
        let now = self.now();
        match effect {
            Effect::LoadCandidates { campaign, limit } => {
                for Capped { contact, number, hold } in self.facts.hold_capped(&campaign, now.wall, limit) {
                    self.refused(now, contact, number, hold);
                }
                let page = self.facts.candidates(&campaign, now.wall, limit);
                self.pending.push(Input::Candidates { campaign, page });
            }
            Effect::StoreLeg { leg, .. } => self.pending.push(Input::LegStored { leg, stored: true }),
            Effect::ForgetLeg { .. } | Effect::StoreAvailability { .. } => {}
            // What agents note, a world says itself.
            Effect::NoteDefaultResult { .. } => {}
            Effect::RecordIntent(intent) => self.record_intent(now, &intent),
            Effect::WithdrawIntent { attempt } => {
                self.live.remove(&attempt);
                self.facts.withdraw(attempt);
                self.pending.push(Input::Withdrawn { attempt });
            }
            Effect::Call(command) => self.call(now, command)?,
            Effect::NoteConnected { attempt, at } => {
                if let Some(attempt) = self.live.get_mut(&attempt) {
                    attempt.connected_at = Some(at);
                }
            }
            Effect::Settle(settlement) => self.settle(*settlement),
            Effect::Advance { contact, version, progress } => self.facts.advance(contact, version, progress),
            Effect::Observe(Observation::Illegal(what)) => return Err(Halt::Illegal { at: now.wall, what }),
            Effect::Observe(_) => {}
        }
        Ok(())
    }

    fn record_intent(&mut self, now: Now, intent: &Intent) {
        let rule = self.rule(now, intent);
        let attempt = intent.attempt;
        let answer = match self.facts.record_intent(now, intent) {
            Ok(recorded) => {
                let number = &recorded.contact.progress.numbers[intent.number];
                let placed = Attempt {
                    id: attempt,
                    at: now.wall,
                    campaign: intent.campaign.clone(),
                    customer: recorded.contact.customer.clone(),
                    number: number.e164.clone(),
                    category: number.category.clone(),
                    caller_number: intent.caller_number.clone(),
                    agent: intent.agent.clone(),
                    rule: rule.unwrap_or(Rule::Fresh),
                    connected_at: None,
                    ended_at: None,
                    result: None,
                    heard: None,
                };
                self.live.insert(attempt, placed);
                Input::IntentRecorded { attempt, intent: Box::new(recorded) }
            }
            Err(hold) => {
                self.refused(now, intent.contact, intent.number, hold.clone());
                Input::IntentRefused { attempt, hold }
            }
        };
        if self.setup.is_zero() || matches!(answer, Input::IntentRefused { .. }) {
            self.pending.push(answer);
        } else {
            self.recording.insert(attempt, answer);
            self.later(self.setup, Happening::Recorded(attempt));
        }
    }

    fn refused(&mut self, now: Now, contact: ContactRef, number: usize, hold: Hold) {
        let Some(contact) = self.facts.contact(contact) else { return };
        let Some(number) = contact.progress.numbers.get(number).map(|number| number.e164.clone()) else { return };
        let (campaign, customer) = (contact.campaign.clone(), contact.customer.clone());
        self.refusals.push(Refusal { at: now.wall, campaign, customer, number, hold });
    }

    /// Why the contact is called, as it stands before the intent.
    fn rule(&self, now: Now, intent: &Intent) -> Option<Rule> {
        let contact = self.facts.contact(intent.contact)?;
        let campaign = self.facts.generation()?.definitions.campaigns.get(&intent.campaign)?;
        let next = order::next(campaign, contact, now.wall)?;
        Some(Rule::of(next.class, &campaign.results, contact.progress.numbers.get(intent.number)?))
    }

    fn settle(&mut self, mut settlement: Settlement) {
        let over = self.live.remove(&settlement.attempt);
        // No life of the engine sees a call of its own end as unknown; the policies treat it as no answer.
        if over.as_ref().is_some_and(|over| over.heard == Some(CallResult::Unknown)) {
            settlement.result = CallResult::Unknown;
        }
        let attempt = settlement.attempt;
        if let Some(mut over) = over {
            over.ended_at = Some(settlement.ended_at);
            over.result = Some(settlement.result);
            self.attempts.push(over);
        }
        let changed = self.facts.settle(settlement);
        self.pending.push(Input::Settled { attempt, changed });
    }

    fn observe_holds(&mut self) {
        let now = self.now();
        let view = self.engine.view(now);
        let waiting = view.campaigns.into_iter().filter_map(|campaign| Some((campaign.id, campaign.hold?)));
        self.holds.observe(now.wall, waiting.collect());
    }
}
