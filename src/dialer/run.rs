//! The loop itself.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    crash::{self, CrashPoint},
    drift::Comparison,
    recovery::{self, Unsettled},
    status::dial_status,
    unwritten::{Thing, Unwritten},
};
use crate::{
    clock::Clock,
    control::{AgentError, DialCommand},
    domain::{
        agent::{Availability, Begins},
        call::{CallCommand, CallEvent, Destination},
        campaign::Generation,
        drift::calls::LiveRows,
        engine::{Effect, Engine, EngineSettings, Input, Observation},
        ids::{AgentId, AttemptId, CampaignId, LegId},
        intent::{Intent, Settlement},
        overrides::Scope,
        reason::Hold,
    },
    store::{Evaluated, IntentDecision, IntentRequest, Leftovers, LegRecord, Milestone, Store, StoreError},
    telemetry::{failures::FailedStep, metrics::Metrics, status::DialStatus},
    telephony::{CallEvents, CallGateway, SubmitError},
};

/// Status is published at most this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// Longest sleep: a step of the wall clock is noticed within it.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Wait before something that must be written is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Wait before commands that the gateway had no room for are handed over again.
const GATEWAY_RETRY: Duration = Duration::from_millis(2);

/// How often the hold on the store is renewed.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// Longest wait for hung-up legs to end after the drain's deadline.
const HANG_UP_WITHIN: Duration = Duration::from_secs(5);

/// What the loop works with.
pub struct Dialer {
    /// Durable facts.
    pub store: Arc<dyn Store>,
    /// Commands to the wire.
    pub gateway: Arc<dyn CallGateway>,
    /// Events from the wire.
    pub calls: CallEvents,
    /// The generation in force.
    pub generation: watch::Receiver<Option<Arc<Generation>>>,
    /// Commands from outside.
    pub commands: mpsc::Receiver<DialCommand>,
    /// Where the status is published.
    pub status: watch::Sender<DialStatus>,
    /// Where things are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// What the engine starts with.
    pub settings: EngineSettings,
    /// How long live calls may go on after the shutdown began.
    pub drain_within: Duration,
    /// Cancelled when live calls are to be hung up at once.
    pub hang_up: CancellationToken,
    /// Rises with every turn of the loop; a watchdog looks at it.
    pub pulse: Arc<AtomicU64>,
    /// Where a debug build kills itself.
    pub crash_at: Option<CrashPoint>,
}

/// Why the loop can't go on.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// The store is gone or another daemon's.
    #[error("dialling stopped")]
    Store(#[from] StoreError),
    /// The call gateway is gone.
    #[error("dialling stopped: the call gateway has stopped")]
    Gateway,
}

/// What a piece of work ended with.
pub(super) enum Done {
    Nothing,
    Give(Input),
    Acknowledge(LegId),
    IntentFailed(AttemptId),
    Agent(AgentId, (Availability, Begins), oneshot::Sender<Result<(), AgentError>>, Result<(), StoreError>),
    Evaluated(Option<Evaluated>),
    /// What is to be done for a campaign in the store failed.
    Stuck(StoreError),
    Known(BTreeMap<AgentId, Availability>),
    Live(Option<(LiveRows, Leftovers)>),
    /// Legs that were asked for, and what there is of them and of attempts.
    LeftBehind(Vec<LegId>, Leftovers),
    Fatal(StoreError),
}

impl Done {
    /// The input to give unless the loop must stop.
    fn or(self, input: Input) -> Self {
        match self {
            Self::Fatal(error) => Self::Fatal(error),
            _ => Self::Give(input),
        }
    }
}

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// Dials until `shutdown`, then lets live calls finish within the deadline.
pub async fn run(parts: Dialer, shutdown: CancellationToken) -> Result<(), DialerError> {
    let recovery = recovery::recover(&*parts.store).await?;
    let hang_up = parts.hang_up.clone();
    let mut looper = Looper::new(parts, recovery);
    looper.flush()?;
    looper.overridden(None);
    looper.generation_changed();
    loop {
        let wait = looper.until_wakeup();
        looper.parts.pulse.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            biased;
            event = looper.parts.calls.recv() => looper.call(event.ok_or(DialerError::Gateway)?),
            Some(done) = looper.work.next(), if !looper.work.is_empty() => looper.done(done)?,
            Ok(()) = looper.parts.generation.changed() => looper.generation_changed(),
            Some(command) = looper.parts.commands.recv() => looper.command(command),
            () = hang_up.cancelled(), if looper.drain_until.is_some() && looper.hung_up_until.is_none() => {}
            () = shutdown.cancelled(), if looper.drain_until.is_none() => looper.drain(),
            () = tokio::time::sleep(wait) => looper.give(Input::Timer),
        }
        looper.catch_up()?;
        if looper.is_over() {
            return Ok(());
        }
    }
}

pub(super) struct Looper {
    pub(super) parts: Dialer,
    pub(super) engine: Engine,
    /// Legs that nobody has, and that have not ended: who does not answer takes half a minute.
    pub(super) taken_down: BTreeSet<LegId>,
    /// Those of agents among them.
    pub(super) leftover: Vec<(LegId, AgentId)>,
    /// Attempts that can't be settled, since their rows can't be read; and why.
    pub(super) damaged: BTreeMap<AttemptId, String>,
    /// Attempts that an earlier life left, by the customer's leg that is being taken down. They stand
    /// as live calls until it has ended, so nobody is called a second time meanwhile.
    pub(super) unsettled: BTreeMap<LegId, Unsettled>,
    /// Whether a generation came and agents are as they were left.
    started: bool,
    /// Agents of the generation in force.
    agents: BTreeSet<AgentId>,
    /// Those of them whose state the store is asked for.
    pub(super) unknown: BTreeSet<AgentId>,
    /// What the store may not have yet.
    pub(super) unwritten: Unwritten,
    /// What is known is being held against the store and the gateway.
    pub(super) comparison: Option<Comparison>,
    /// The store is applying filters to contacts.
    pub(super) evaluating: bool,
    /// A generation came meanwhile, perhaps with other filters.
    evaluate_again: bool,
    /// Campaigns of which what is to be done in the store fails.
    pub(super) behind: BTreeSet<CampaignId>,
    work: FuturesUnordered<Work>,
    ready: VecDeque<Done>,
    pub(super) outgoing: VecDeque<CallCommand>,
    published_at: Option<Duration>,
    dirty: bool,
    beat_at: Duration,
    drain_until: Option<Duration>,
    hung_up_until: Option<Duration>,
}

impl Looper {
    fn new(parts: Dialer, recovery: recovery::Recovery) -> Self {
        let engine = Engine::new(parts.settings.clone());
        Self {
            engine,
            taken_down: recovery.legs,
            leftover: recovery.agents,
            damaged: recovery.damaged,
            unsettled: recovery.unsettled,
            started: false,
            agents: BTreeSet::new(),
            unknown: BTreeSet::new(),
            unwritten: Unwritten::default(),
            comparison: None,
            evaluating: false,
            evaluate_again: false,
            behind: BTreeSet::new(),
            work: FuturesUnordered::new(),
            ready: VecDeque::new(),
            outgoing: recovery.commands.into(),
            published_at: None,
            dirty: true,
            beat_at: parts.clock.now().mono,
            drain_until: None,
            hung_up_until: None,
            parts,
        }
    }

    /// One step of the engine, and what it asks for.
    pub(super) fn give(&mut self, input: Input) {
        let mut effects = Vec::new();
        let now = self.parts.clock.now();
        // Much that is shown changes without an effect: counts that a page brings, a window that closes.
        let wakeup = self.engine.next_wakeup();
        let woken = wakeup.wall.is_some_and(|at| at <= now.wall) || wakeup.mono.is_some_and(|at| at <= now.mono);
        self.dirty |= woken || !matches!(input, Input::Timer);
        self.engine.step(now, input, &mut effects);
        self.dirty |= !effects.is_empty();
        for effect in effects {
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        let store = Arc::clone(&self.parts.store);
        match effect {
            Effect::LoadCandidates { campaign, limit } => {
                let now = self.parts.clock.now().wall;
                let metrics = Arc::clone(&self.parts.metrics);
                self.begin(async move {
                    let page = logged(store.candidates(&campaign, now, limit).await, "loading contacts");
                    if page.is_none() {
                        metrics.campaign_failed(FailedStep::Page);
                    }
                    Done::Give(Input::Candidates { campaign, page })
                });
            }
            Effect::StoreLeg { leg, destination } => {
                self.point(CrashPoint::Claimed);
                let identity = self.parts.gateway.identity(leg, &destination);
                let record = LegRecord { leg, destination, identity };
                let writing = self.unwritten.begin(Thing::Leg(leg));
                self.begin(async move {
                    let stored = logged(store.record_leg(record).await, "storing a leg").is_some();
                    drop(writing);
                    Done::Give(Input::LegStored { leg, stored })
                });
            }
            Effect::ForgetLeg { leg } => self.note(Milestone::LegEnded { leg }),
            Effect::RecordIntent(intent) => self.record_intent(intent),
            Effect::WithdrawIntent { attempt } => {
                let withdrawn = insist("withdrawing an intent", move || {
                    let store = Arc::clone(&store);
                    async move { store.withdraw_intent(attempt).await }
                });
                let writing = self.unwritten.begin(Thing::Attempt(attempt));
                self.begin(withdrawn.map(move |done| {
                    drop(writing);
                    done.or(Input::Withdrawn { attempt })
                }));
            }
            Effect::Call(command) => self.outgoing.push_back(command),
            Effect::NoteConnected { attempt, at } => {
                let crash_at = self.parts.crash_at;
                let written = self.written(Milestone::Connected { attempt, at });
                self.begin(written.inspect(move |_| crash::point(crash_at, CrashPoint::Connected)));
            }
            Effect::Settle(settlement) => self.settle(*settlement),
            Effect::Advance { contact, version, progress } => self.begin(async move {
                logged(store.advance(contact, version, progress).await, "moving a contact on");
                Done::Nothing
            }),
            Effect::StoreAvailability { agent, availability } => {
                let writing = self.unwritten.begin(Thing::Agent(agent.clone()));
                self.begin(async move {
                    logged(store.set_availability(&agent, availability).await, "storing an agent's state");
                    drop(writing);
                    Done::Nothing
                });
            }
            Effect::NoteDefaultResult { agent, call, result } => self.note_default_result(&agent, *call, result),
            Effect::Observe(observation) => self.observe(observation),
        }
    }

    fn record_intent(&mut self, intent: Intent) {
        self.point(CrashPoint::AgentAnswered);
        let store = Arc::clone(&self.parts.store);
        let (clock, metrics) = (self.parts.clock.clone(), Arc::clone(&self.parts.metrics));
        let asked_at = clock.now().mono;
        let destination = Destination::Customer {
            number: intent.called,
            caller_number: intent.caller_number.clone(),
            trunk: intent.trunk.clone(),
        };
        let identity = self.parts.gateway.identity(intent.leg, &destination);
        let request = IntentRequest {
            attempt: intent.attempt,
            campaign: intent.campaign,
            contact: intent.contact,
            picked_version: intent.picked_version,
            number: intent.number,
            rule: intent.rule,
            caller_number: intent.caller_number,
            agent: intent.agent,
            trunk: intent.trunk,
            leg: LegRecord { leg: intent.leg, destination, identity },
        };
        let attempt = intent.attempt;
        self.begin(async move {
            match store.record_intent(request).await {
                Ok(IntentDecision::Recorded(intent)) => {
                    metrics.intent_committed(clock.now().mono.saturating_sub(asked_at));
                    Done::Give(Input::IntentRecorded { attempt, intent })
                }
                Ok(IntentDecision::Refused(hold)) => Done::Give(Input::IntentRefused { attempt, hold }),
                Err(error) => {
                    tracing::error!(%attempt, error = &error as &dyn std::error::Error, "an intent was not recorded");
                    Done::IntentFailed(attempt)
                }
            }
        });
    }

    /// Settles an attempt of an earlier life, and has its contact looked at again.
    pub(super) fn settle_leftover(&mut self, Unsettled { campaign, settlement }: Unsettled) {
        let store = Arc::clone(&self.parts.store);
        let writing = self.unwritten.begin(Thing::Attempt(settlement.attempt));
        let written = insist("settling an attempt", move || {
            let (store, settlement) = (Arc::clone(&store), settlement.clone());
            async move { store.settle(settlement).await.map(drop) }
        });
        self.begin(written.map(move |done| {
            drop(writing);
            done.or(Input::ContactsAdded(campaign))
        }));
    }

    /// An outcome must not be lost: it is tried until the store has it.
    fn settle(&mut self, settlement: Settlement) {
        self.point(CrashPoint::Ended);
        let store = Arc::clone(&self.parts.store);
        let attempt = settlement.attempt;
        let written = until_done("settling an attempt", move || {
            let (store, settlement) = (Arc::clone(&store), settlement.clone());
            async move { store.settle(settlement).await }
        });
        let settled = move |changed| Done::Give(Input::Settled { attempt, changed });
        self.begin(written.map(move |changed| changed.map_or_else(Done::Fatal, settled)));
    }

    /// Writes a milestone without anyone waiting for it. The next life lives on these, so they are
    /// tried until the store has them.
    pub(super) fn note(&mut self, milestone: Milestone) {
        let writing = match &milestone {
            Milestone::LegEnded { leg } => Some(self.unwritten.begin(Thing::Leg(*leg))),
            Milestone::Leg { .. } | Milestone::Connected { .. } => None,
        };
        let written = self.written(milestone);
        self.begin(written.inspect(move |_| drop(writing)));
    }

    fn written(&self, milestone: Milestone) -> impl Future<Output = Done> + Send + use<> {
        let store = Arc::clone(&self.parts.store);
        insist("writing a milestone", move || {
            let (store, milestone) = (Arc::clone(&store), milestone.clone());
            async move { store.note(milestone).await }
        })
    }

    fn observe(&self, observation: Observation) {
        let metrics = &self.parts.metrics;
        match observation {
            Observation::Settled(result) => metrics.attempt_settled(result),
            Observation::AnswerToConnect(took) => metrics.answer_to_connect(took),
            Observation::IdleToCall(took) => metrics.idle_to_call(took),
            Observation::Refused(hold) => metrics.intent_refused(&hold),
            Observation::Illegal(what) => {
                metrics.engine_error();
                tracing::error!(what, "the engine met an event that does not fit its state");
            }
        }
    }

    /// Has the store apply filters that changed to contacts, piece by piece, while dialling goes on.
    pub(super) fn evaluate(&mut self) {
        if std::mem::replace(&mut self.evaluating, true) {
            self.evaluate_again = true;
            return;
        }
        let store = Arc::clone(&self.parts.store);
        let evaluated = until_done("applying a filter", move || {
            let store = Arc::clone(&store);
            async move {
                match store.evaluate().await {
                    Err(stuck @ StoreError::Stuck { .. }) => Ok(Err(stuck)),
                    evaluated => evaluated.map(Ok),
                }
            }
        });
        self.begin(evaluated.map(|evaluated| match evaluated {
            Ok(Ok(evaluated)) => Done::Evaluated(evaluated),
            Ok(Err(stuck)) => Done::Stuck(stuck),
            Err(error) => Done::Fatal(error),
        }));
    }

    fn evaluated(&mut self, evaluated: Option<Evaluated>) {
        self.evaluating = false;
        let more = evaluated.is_some() || std::mem::take(&mut self.evaluate_again);
        if let Some(piece) = evaluated.as_ref().filter(|piece| self.behind.remove(&piece.campaign)) {
            self.give(Input::Behind { campaign: piece.campaign.clone(), hold: None });
        }
        if let Some(Evaluated { campaign, .. }) = evaluated.filter(|piece| piece.admitted > 0 || piece.complete) {
            self.give(Input::ContactsAdded(campaign));
        }
        // The next life goes on where this one stops.
        if more && self.drain_until.is_none() {
            self.evaluate();
        }
    }

    /// Something happened on the wire: it is written down, and the engine hears of it.
    pub(super) fn call(&mut self, event: CallEvent) {
        match &event {
            CallEvent::Progress { leg, ringing, identity } => {
                let rang_at = ringing.then(|| self.parts.clock.now().wall);
                let milestone = Milestone::Leg { leg: *leg, identity: identity.clone(), rang_at, answered_at: None };
                self.note(milestone);
                if *ringing && self.is_customer(*leg) {
                    self.point(CrashPoint::Ringing);
                }
            }
            CallEvent::Answered { leg, identity } => {
                if self.is_customer(*leg) {
                    self.point(CrashPoint::Answered);
                }
                self.answered(*leg, identity.clone());
            }
            CallEvent::AnsweredInVain { leg, identity } => self.answered(*leg, identity.clone()),
            CallEvent::Ended { leg, .. } => {
                self.note(Milestone::LegEnded { leg: *leg });
                self.taken_down.remove(leg);
                self.leftover.retain(|(other, _)| other != leg);
                if let Some(unsettled) = self.unsettled.remove(leg) {
                    self.settle_leftover(unsettled);
                }
            }
            CallEvent::Standing { legs } => self.legs_stand(legs),
            CallEvent::Bridged { .. } | CallEvent::BridgeFailed { .. } => {}
        }
        self.give(Input::Call(event));
    }

    /// Stores an answer's identifiers before it is acknowledged: if we die in between, the peer
    /// repeats its answer and the next life can end the call.
    fn answered(&mut self, leg: LegId, identity: crate::domain::call::LegIdentity) {
        let answered_at = Some(self.parts.clock.now().wall);
        let crash_at = self.parts.crash_at.filter(|_| self.is_customer(leg));
        let stored = self.written(Milestone::Leg { leg, identity, rang_at: None, answered_at });
        self.begin(stored.map(move |done| match done {
            Done::Fatal(error) => Done::Fatal(error),
            _ => {
                crash::point(crash_at, CrashPoint::AnswerStored);
                Done::Acknowledge(leg)
            }
        }));
    }

    fn is_customer(&self, leg: LegId) -> bool {
        self.engine.is_customer(leg)
    }

    fn point(&self, here: CrashPoint) {
        crash::point(self.parts.crash_at, here);
    }

    /// Begins a piece of work. It is polled at once, so that what goes to the store goes in order.
    pub(super) fn begin(&mut self, work: impl Future<Output = Done> + Send + 'static) {
        let mut work: Work = Box::pin(work);
        match (&mut work).now_or_never() {
            Some(done) => self.ready.push_back(done),
            None => self.work.push(work),
        }
    }

    fn done(&mut self, done: Done) -> Result<(), DialerError> {
        match done {
            Done::Nothing => {}
            Done::Give(input) => {
                match &input {
                    Input::IntentRecorded { .. } => self.point(CrashPoint::IntentRecorded),
                    Input::Settled { .. } => self.point(CrashPoint::Settled),
                    _ => {}
                }
                self.give(input);
            }
            Done::IntentFailed(attempt) => {
                self.parts.metrics.campaign_failed(FailedStep::Intent);
                self.give(Input::IntentRefused { attempt, hold: Hold::StoreUnavailable });
                // Whether it was written nobody knows; it must not stand as a live call.
                self.act(Effect::WithdrawIntent { attempt });
            }
            Done::Acknowledge(leg) => self.outgoing.push_back(CallCommand::Acknowledge { leg }),
            Done::Agent(agent, (availability, begins), reply, stored) => {
                let answer = match logged(stored, "storing an agent's state") {
                    Some(()) => {
                        // What the store knew before does not count any more.
                        self.unknown.remove(&agent);
                        self.give(match begins {
                            Begins::Now => Input::SetAvailability { agent, availability },
                            Begins::AfterCall => Input::PauseAfterCall(agent),
                        });
                        Ok(())
                    }
                    None => Err(AgentError::Store),
                };
                self.publish();
                // Who asked may have gone.
                let _unheard = reply.send(answer);
            }
            Done::Evaluated(evaluated) => self.evaluated(evaluated),
            Done::Stuck(error) => self.stuck(error),
            Done::Known(states) => {
                for (agent, availability) in states {
                    if self.unknown.remove(&agent) {
                        self.give(Input::SetAvailability { agent, availability });
                    }
                }
                self.unknown.clear();
            }
            Done::Live(found) => self.rows_stand(found),
            Done::LeftBehind(asked, left) => self.take_over(asked, left),
            Done::Fatal(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn command(&mut self, command: DialCommand) {
        match command {
            DialCommand::Compare { reply } => self.compare(reply),
            DialCommand::Mend { found } => self.mend(found),
            DialCommand::ContactsAdded { campaign } => self.give(Input::ContactsAdded(campaign)),
            DialCommand::Overridden { cancel_ringing, done } => {
                self.overridden(cancel_ringing);
                // Who asked may have gone.
                let _unheard = done.send(());
            }
            DialCommand::CancelRinging { campaign, customer } => {
                self.give(Input::CancelRinging { campaign, customer });
            }
            DialCommand::ContactsChanged { campaign } => {
                self.give(Input::ContactsChanged(campaign));
                self.evaluate();
            }
            DialCommand::ContactChanged { campaign, contact } => {
                self.give(Input::ContactChanged { campaign, contact });
            }
            DialCommand::DoNotCallChanged { list } => {
                let generation = self.parts.generation.borrow().clone();
                let campaigns = generation.iter().flat_map(|generation| generation.definitions.campaigns.values());
                for campaign in campaigns.filter(|campaign| campaign.do_not_call.contains(&list)) {
                    self.give(Input::ContactsAdded(campaign.id.clone()));
                }
            }
            DialCommand::SetAgent { agent, availability, begins, deed, reply } => {
                self.set_agent(agent, (availability, begins), deed, reply);
            }
            DialCommand::HangUp(agent) => self.give(Input::HangUp(agent)),
        }
    }

    /// Goes by the overrides that the store has.
    fn overridden(&mut self, cancel_ringing: Option<Scope>) {
        let overrides = self.parts.store.overrides();
        self.give(Input::Overridden { overrides, cancel_ringing });
        self.publish();
    }

    /// A generation came into force; with the first, agents are made what they were.
    fn generation_changed(&mut self) {
        let Some(generation) = self.parts.generation.borrow_and_update().clone() else { return };
        let agents: BTreeSet<AgentId> = generation.definitions.agents.keys().cloned().collect();
        self.give(Input::Applied(generation));
        self.evaluate();
        if !self.started {
            self.started = true;
            let legs = self.leftover.clone();
            self.give(Input::Recovering { legs });
        }
        // Agents who are new to the engine are what the store last knew of them. The loop does not wait for
        // that: loads that are under way hold the store's readers, and go on only while it turns.
        let new = agents.difference(&self.agents).cloned();
        self.unknown = self.unknown.iter().filter(|agent| agents.contains(*agent)).cloned().chain(new).collect();
        if !self.unknown.is_empty() {
            let store = Arc::clone(&self.parts.store);
            self.begin(async move {
                Done::Known(logged(store.availabilities().await, "reading agents' states").unwrap_or_default())
            });
        }
        self.agents = agents;
        self.publish();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }

    fn drain(&mut self) {
        tracing::info!(within = ?self.parts.drain_within, "no new calls; live ones may finish");
        self.drain_until = Some(self.parts.clock.now().mono + self.parts.drain_within);
        self.give(Input::Drain);
    }

    /// After each turn: answers that came at once, commands, deadlines, status.
    fn catch_up(&mut self) -> Result<(), DialerError> {
        while let Some(done) = self.ready.pop_front() {
            self.done(done)?;
        }
        let now = self.parts.clock.now().mono;
        let over = self.drain_until.is_some_and(|until| until <= now || self.parts.hang_up.is_cancelled());
        if over && self.hung_up_until.is_none() {
            tracing::warn!("the drain is over: live calls are hung up");
            self.hung_up_until = Some(now + HANG_UP_WITHIN);
            self.give(Input::HangUpAll);
        }
        if now >= self.beat_at {
            self.beat_at = now + HEARTBEAT_EVERY;
            // Time alone makes contacts stand otherwise, and a page looks at few of those.
            if self.drain_until.is_none() {
                self.evaluate();
            }
            let store = Arc::clone(&self.parts.store);
            self.begin(async move {
                match store.heartbeat().await {
                    Err(error @ StoreError::Fenced(_)) => Done::Fatal(error),
                    other => {
                        logged(other, "renewing the hold on the store");
                        Done::Nothing
                    }
                }
            });
        }
        self.flush()?;
        let due = self.published_at.is_none_or(|at| at + PUBLISH_EVERY <= now);
        if self.dirty && due {
            self.publish();
        }
        Ok(())
    }

    /// Hands commands over, in order; what the gateway has no room for stays.
    fn flush(&mut self) -> Result<(), DialerError> {
        while let Some(command) = self.outgoing.front() {
            match self.parts.gateway.submit(command.clone()) {
                Ok(()) => {
                    let customer =
                        matches!(command, CallCommand::Dial { destination: Destination::Customer { .. }, .. });
                    self.outgoing.pop_front();
                    if customer {
                        self.point(CrashPoint::Invited);
                    }
                }
                Err(SubmitError::Full) => return Ok(()),
                Err(SubmitError::Stopped) => return Err(DialerError::Gateway),
            }
        }
        Ok(())
    }

    fn publish(&mut self) {
        let now = self.parts.clock.now();
        self.published_at = Some(now.mono);
        self.dirty = false;
        let status = dial_status(&self.parts.settings.permission, self.engine.view(now));
        self.parts.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }

    fn until_wakeup(&self) -> Duration {
        if !self.outgoing.is_empty() {
            return GATEWAY_RETRY;
        }
        let now = self.parts.clock.now();
        let wakeup = self.engine.next_wakeup();
        let wall = wakeup.wall.map(|at| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default());
        let after = |at: Duration| at.saturating_sub(now.mono);
        let publish = self.published_at.filter(|_| self.dirty).map(|at| after(at + PUBLISH_EVERY));
        let drain = self.hung_up_until.or(self.drain_until).map(after);
        let soonest = [wall, wakeup.mono.map(after), publish, drain, Some(after(self.beat_at))];
        // The timer's own grain is a millisecond; waking a little early would only spin.
        soonest.into_iter().flatten().min().map_or(SLEEP_MAX, |wait| wait.min(SLEEP_MAX)) + Duration::from_micros(200)
    }

    fn is_over(&self) -> bool {
        let drained = self.unsettled.is_empty()
            && self.engine.is_drained()
            && self.work.is_empty()
            && self.ready.is_empty()
            && self.outgoing.is_empty();
        let given_up = self.hung_up_until.is_some_and(|until| until <= self.parts.clock.now().mono);
        self.drain_until.is_some() && (drained || given_up)
    }
}

/// The value, or nothing and a line in the log.
pub(super) fn logged<T>(result: Result<T, StoreError>, doing: &'static str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed while {doing}");
            None
        }
    }
}

/// Tries until the store has it, unless the store is another's.
async fn insist<F, W>(doing: &'static str, write: F) -> Done
where
    F: FnMut() -> W + Send,
    W: Future<Output = Result<(), StoreError>> + Send,
{
    until_done(doing, write).await.map_or_else(Done::Fatal, |()| Done::Nothing)
}

/// The answer, as soon as the store gives one; an error if the store is another's.
async fn until_done<T, F, W>(doing: &'static str, mut ask: F) -> Result<T, StoreError>
where
    F: FnMut() -> W + Send,
    W: Future<Output = Result<T, StoreError>> + Send,
{
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error @ (StoreError::Fenced(_) | StoreError::Closed)) => return Err(error),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store failed while {doing}; trying again"
                );
                tokio::time::sleep(STORE_RETRY).await;
            }
        }
    }
}
