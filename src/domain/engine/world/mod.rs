//! A simulated world for the engine's tests: a store, phones, customers and faults in virtual time.
//!
//! The world judges every INVITE as it leaves, by rules written here anew, and afterwards the log of
//! all attempts. Time jumps from event to event; the same seed gives the same run.

#![expect(clippy::cast_possible_truncation, reason = "small worlds")]

mod business;
mod judge;
mod overrides;
mod random;
mod store;
mod suppress;
mod tests;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use self::suppress::Suppression;
use super::*;
use crate::domain::{
    attribute::{AttributeValue, Attributes},
    business::{BusinessKey, Mark, waits_for},
    calendar::{CallingHours, Special, Window},
    call::{Destination, EndedBy, LegEnd, LegIdentity},
    campaign::*,
    contact::{self, Contact, ContactEdit, ContactEnd, Number, Progress},
    days::Days,
    dice::Dice,
    filter::{Comparison, Filter, Test},
    gate::{self, Counts, Facts, NumberHistory},
    ids::{AttributeId, CategoryId, Revision, TenantId},
    intent::{CandidatePage, Intent, RecordedIntent},
    order,
    policy::{DaysPolicy, NumberPolicy, ResultPolicy, Retries},
    reason::Hold,
    results::CallResult,
    retry::{self, EndedAttempt},
    tenant::{AgentHold, Tenant},
    zone::ContactZone,
};

impl Dice {
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How hostile a world is, in percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) agent_misses: u64,
    pub(super) agent_drops: u64,
    pub(super) store_fails: u64,
    pub(super) bridge_fails: u64,
    /// Ends that the driver never tells, though the leg is over.
    pub(super) ends_lost: u64,
    /// INVITEs that the network does not take.
    pub(super) unsent: u64,
    pub(super) meddling: bool,
    /// Whether numbers come on a do-not-call list and go.
    pub(super) suppressing: bool,
    /// Whether overrides are made and ended.
    pub(super) overriding: bool,
    pub(super) crashes: bool,
}

#[derive(Debug, Clone)]
struct Attempt {
    id: AttemptId,
    campaign: CampaignId,
    contact: ContactRef,
    customer: CustomerId,
    number: usize,
    /// The business rule that placed it.
    rule: Option<BusinessKey>,
    agent: AgentId,
    /// Its place among intents and business results.
    tick: u64,
    e164: E164,
    intent: RecordedIntent,
    recorded_at: Timestamp,
    invited_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    result: Option<CallResult>,
    answered: bool,
    connected: bool,
    withdrawn: bool,
    caller_number: E164,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "few are alive")]
enum Event {
    /// Hand the engine this.
    Give(Input),
    /// The store's reader answers.
    Read(CampaignId, u32),
    /// The store's writer takes the next command.
    Write,
    /// A customer's side acts on a leg.
    Customer(LegId, CustomerAct),
    Agent(LegId, AgentAct),
    Meddle,
    /// Somebody sets a business result.
    Mark(ContactRef),
    /// A commit that pauses or resumes a campaign.
    Commit(CampaignId, DesiredState),
    /// A commit that changes a campaign's filter.
    Refilter(CampaignId),
    /// The store has applied the filter in force to all contacts of a campaign.
    Evaluated(CampaignId),
    /// A number comes on the do-not-call list.
    Suppress,
    /// A number is taken off it.
    Unlist(E164),
    /// Somebody makes an override or ends one.
    Override,
    /// The engine hears of that.
    Overridden(Option<Scope>),
}

#[derive(Debug, Clone)]
enum Command {
    Leg(LegId),
    Intent(Intent),
    Withdraw(AttemptId),
    Settle(AttemptId, CallResult, Timestamp, Progress),
    Advance(ContactRef, u32, Progress),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CustomerAct {
    Answer,
    Fail(u16),
    RingOut,
    HangUp,
    Unsent,
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgentAct {
    Answer,
    Miss,
    Drop,
    HungUp,
}

#[derive(Debug, Clone)]
struct Leg {
    attempt: Option<AttemptId>,
    up: bool,
    over: bool,
    cancelled: bool,
}

pub(super) struct World {
    pub(super) engine: Engine,
    dice: Dice,
    faults: Faults,
    wall0: Timestamp,
    mono: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    serial: u64,
    generation: Generation,
    contacts: BTreeMap<ContactRef, Contact>,
    /// Tiers that each campaign calls, as its filter says.
    wanted: BTreeMap<CampaignId, Option<BTreeSet<String>>>,
    /// Contacts that the store believes to be filtered out.
    filtered_out: BTreeSet<ContactRef>,
    /// How many filters of a campaign the store has yet to apply.
    evaluating: BTreeMap<CampaignId, u32>,
    suppression: Suppression,
    /// The overrides that the store has, how many were made, and those that the engine was told of.
    overrides: Arc<Overrides>,
    made: u32,
    told: Arc<Overrides>,
    attempts: BTreeMap<AttemptId, Attempt>,
    writer: VecDeque<Command>,
    /// Business results that wait for the end of a call.
    pending: Vec<(ContactRef, Mark)>,
    /// Those that took effect, in order.
    marks: BTreeMap<ContactRef, Vec<business::MarkLog>>,
    tick: u64,
    legs: BTreeMap<LegId, Leg>,
    agents_wanted: BTreeMap<AgentId, Availability>,
    caps: Caps,
    epoch: u32,
    pub(super) invites: Vec<(Timestamp, AttemptId)>,
    pub(super) refused: BTreeMap<&'static str, u32>,
    wire_live: BTreeSet<AttemptId>,
    connects: u32,
    /// When the engine last moved a contact on by itself.
    advanced_at: Option<Duration>,
}

fn slug<T>(parse: impl Fn(&str) -> Result<T, crate::domain::ids::IdError>, text: &str) -> T {
    parse(text).unwrap()
}

fn nonzero(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        let mut dice = Dice::new(seed);
        let starts = ["2031-03-28T12:00:00Z", "2031-10-24T20:00:00Z", "2031-06-01T00:00:00Z"];
        let wall0: Timestamp = starts[usize::try_from(dice.below(3)).unwrap()].parse().unwrap();
        let generation = random::generation(&mut dice, wall0);
        let caps = Caps {
            tenant_calls: u32::try_from(1 + dice.below(6)).unwrap(),
            tenant_calls_per_second: u32::try_from(1 + dice.below(4)).unwrap(),
            trunk_calls: u32::try_from(1 + dice.below(6)).unwrap(),
            trunk_calls_per_second: u32::try_from(1 + dice.below(4)).unwrap(),
        };
        let contacts = random::contacts(&mut dice, &generation, wall0);
        let engine = Engine::new(settings(caps, 1));
        let mut world = Self {
            engine,
            dice,
            faults,
            wall0,
            mono: Duration::ZERO,
            events: BTreeMap::new(),
            serial: 0,
            generation,
            contacts,
            wanted: BTreeMap::new(),
            filtered_out: BTreeSet::new(),
            evaluating: BTreeMap::new(),
            suppression: Suppression::default(),
            overrides: Arc::default(),
            made: 0,
            told: Arc::default(),
            attempts: BTreeMap::new(),
            writer: VecDeque::new(),
            pending: Vec::new(),
            marks: BTreeMap::new(),
            tick: 0,
            legs: BTreeMap::new(),
            agents_wanted: BTreeMap::new(),
            caps,
            epoch: 1,
            invites: Vec::new(),
            refused: BTreeMap::new(),
            wire_live: BTreeSet::new(),
            connects: 0,
            advanced_at: None,
        };
        let agents: Vec<AgentId> = world.generation.definitions.agents.keys().cloned().collect();
        for agent in agents {
            world.agents_wanted.insert(agent, Availability::Idle);
        }
        let campaigns: Vec<CampaignId> = world.generation.definitions.campaigns.keys().cloned().collect();
        for campaign in campaigns {
            world.choose_filter(&campaign);
            world.evaluate(&campaign);
        }
        if faults.suppressing {
            world.begin_suppressing();
        }
        if faults.overriding {
            world.begin_overriding();
        }
        world.start();
        if faults.meddling || faults.crashes {
            world.later(Duration::from_secs(600), Event::Meddle);
        }
        world
    }

    fn start(&mut self) {
        self.give(Input::Applied(Arc::new(self.generation.clone())));
        for (agent, availability) in self.agents_wanted.clone() {
            self.give(Input::SetAvailability { agent, availability });
        }
        for (campaign, times) in self.evaluating.clone() {
            (0..times).for_each(|_| self.later(Duration::from_secs(1), Event::Evaluated(campaign.clone())));
        }
    }

    fn wall(&self) -> Timestamp {
        self.wall0 + SignedDuration::try_from(self.mono).unwrap()
    }

    fn now(&self) -> Now {
        Now { wall: self.wall(), mono: self.mono }
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((self.mono + after, self.serial), event);
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.dice.below(below))
    }

    /// Runs until `days` have passed or nothing is left to happen.
    pub(super) fn run(&mut self, days: u64) {
        let end = Duration::from_secs(days * 86_400);
        for _ in 0..200_000_u64 {
            let event_at = self.events.keys().next().map(|(at, _)| *at);
            let wake = self.engine.next_wakeup();
            let wall = wake.wall.map(|at| {
                let ahead = at.duration_since(self.wall0).max(SignedDuration::ZERO);
                Duration::try_from(ahead).unwrap().max(self.mono)
            });
            let timer_at = [wall, wake.mono.map(|at| at.max(self.mono))].into_iter().flatten().min();
            let Some(at) = [event_at, timer_at].into_iter().flatten().min() else { return };
            if at > end {
                return;
            }
            // What was set aside is looked at again by then, and counted with the others.
            if at > self.mono + campaigns::SET_ASIDE_FOR {
                self.judge_counts();
            }
            self.mono = at;
            if event_at == Some(at) {
                let (_, event) = self.events.pop_first().unwrap();
                self.happen(event);
            } else {
                self.give(Input::Timer);
                let wake = self.engine.next_wakeup();
                assert!(wake.mono.is_none_or(|at| at > self.mono), "the engine's timer does not move on");
                assert!(wake.wall.is_none_or(|at| at > self.wall()), "the engine's wall timer does not move on");
            }
        }
        panic!(
            "the world does not come to rest at {}: {:?} {:?}",
            self.wall(),
            self.engine.next_wakeup(),
            self.engine.view(self.now())
        );
    }

    fn give(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.engine.step(self.now(), input, &mut effects);
        let idle = self.engine.agents.iter().filter_map(|(id, agent)| Some((agent.idle_since()?, id.clone())));
        assert_eq!(self.engine.idle, idle.collect(), "who is idle is not listed so");
        for effect in effects {
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::LoadCandidates { campaign, limit } => {
                let delay = self.millis(20);
                self.later(delay, Event::Read(campaign, limit));
            }
            Effect::StoreLeg { leg, destination } => {
                assert!(matches!(destination, Destination::Agent { .. }), "a customer's leg is an intent");
                self.legs.insert(leg, Leg { attempt: None, up: false, over: false, cancelled: false });
                self.write(Command::Leg(leg));
            }
            Effect::ForgetLeg { leg } => {
                self.legs.remove(&leg);
            }
            Effect::RecordIntent(intent) => self.write(Command::Intent(intent)),
            Effect::WithdrawIntent { attempt } => self.write(Command::Withdraw(attempt)),
            Effect::Call(command) => self.call(command),
            Effect::NoteConnected { attempt, .. } => {
                self.connects += 1;
                self.mark_later(attempt);
                if let Some(attempt) = self.attempts.get_mut(&attempt) {
                    attempt.connected = true;
                }
            }
            Effect::Settle(s) => self.write(Command::Settle(s.attempt, s.result, s.ended_at, s.progress)),
            Effect::Advance { contact, version, progress } => self.write(Command::Advance(contact, version, progress)),
            Effect::StoreAvailability { agent, availability } => {
                self.agents_wanted.insert(agent, availability);
            }
            Effect::NoteDefaultResult { .. } => {}
            Effect::Observe(Observation::Refused(hold)) => *self.refused.entry(hold.code()).or_default() += 1,
            Effect::Observe(Observation::Illegal(what)) => {
                assert!(self.faults.ends_lost > 0, "illegal event: {what}");
            }
            Effect::Observe(_) => {}
        }
    }

    fn write(&mut self, command: Command) {
        self.writer.push_back(command);
        let delay = self.millis(15);
        self.later(delay, Event::Write);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Give(input) => self.give(input),
            Event::Read(campaign, limit) => {
                self.screen(&campaign);
                let page = (!self.dice.chance(self.faults.store_fails)).then(|| self.page(&campaign, limit));
                let delay = self.millis(20);
                self.later(delay, Event::Give(Input::Candidates { campaign, page }));
            }
            Event::Write => self.write_next(),
            Event::Customer(leg, act) => self.customer_acts(leg, act),
            Event::Agent(leg, act) => self.agent_acts(leg, act),
            Event::Meddle => self.meddle(),
            Event::Mark(contact) => self.mark(contact),
            Event::Commit(campaign, desired) => {
                self.definition(&campaign).desired = desired;
                self.give(Input::Applied(Arc::new(self.generation.clone())));
            }
            Event::Refilter(campaign) => self.refilter(&campaign),
            Event::Suppress => self.suppress(),
            Event::Override => self.decide(),
            Event::Overridden(cancel_ringing) => self.overridden(cancel_ringing),
            Event::Unlist(number) => self.unlist(&number),
            Event::Evaluated(campaign) => {
                *self.evaluating.get_mut(&campaign).unwrap() -= 1;
                self.evaluate(&campaign);
                self.give(Input::ContactsAdded(campaign));
            }
        }
    }

    /// Operators, agents and power cuts.
    fn meddle(&mut self) {
        let after = Duration::from_secs(60 + self.dice.below(4 * 3600));
        self.later(after, Event::Meddle);
        if self.faults.crashes && self.dice.chance(30) {
            self.crash();
            return;
        }
        if !self.faults.meddling {
            return;
        }
        let agents: Vec<AgentId> = self.agents_wanted.keys().cloned().collect();
        let agent = agents[usize::try_from(self.dice.below(agents.len() as u64)).unwrap()].clone();
        match self.dice.below(11) {
            8 => {
                let all: Vec<ContactRef> = self.contacts.keys().copied().collect();
                let one = all[usize::try_from(self.dice.below(all.len() as u64)).unwrap()];
                self.mark(one);
            }
            9 => {
                self.agents_wanted.insert(agent.clone(), Availability::Busy);
                self.give(Input::PauseAfterCall(agent));
            }
            10 => self.give(Input::HangUp(agent)),
            0 => {
                self.agents_wanted.insert(agent.clone(), Availability::Busy);
                self.give(Input::SetAvailability { agent, availability: Availability::Busy });
            }
            1 | 2 => {
                for agent in agents {
                    self.agents_wanted.insert(agent.clone(), Availability::Idle);
                    self.give(Input::SetAvailability { agent, availability: Availability::Idle });
                }
            }
            3 => {
                let id = self.any_campaign();
                self.refilter(&id);
            }
            4 => self.edit(),
            5 => {
                if let Some((campaign, customer)) = self.any_contact().map(|c| (c.campaign.clone(), c.customer.clone()))
                {
                    self.give(Input::CancelRinging { campaign, customer });
                }
            }
            _ => {
                let id = self.any_campaign();
                let desired = self.definition(&id).desired;
                self.definition(&id).desired = match desired {
                    DesiredState::Running if self.dice.chance(50) => DesiredState::Paused,
                    _ => DesiredState::Running,
                };
                self.give(Input::Applied(Arc::new(self.generation.clone())));
            }
        }
    }

    fn any_contact(&mut self) -> Option<&Contact> {
        let nth = self.dice.below(self.contacts.len().max(1) as u64);
        self.contacts.values().nth(usize::try_from(nth).unwrap())
    }

    /// A contact that is not in a call gets another priority.
    fn edit(&mut self) {
        let priority = Priority::new(u8::try_from(1 + self.dice.below(5)).unwrap());
        let Some(before) = self.any_contact().cloned() else { return };
        if self.attempts.values().any(|a| a.contact == before.reference && a.result.is_none() && !a.withdrawn) {
            return;
        }
        let after = contact::edit(&before, &ContactEdit { priority, ..ContactEdit::default() });
        self.contacts.insert(before.reference, after);
        self.give(Input::ContactsChanged(before.campaign));
    }

    /// A campaign's definition, to change it.
    fn definition(&mut self, id: &CampaignId) -> &mut Campaign {
        Arc::make_mut(self.generation.definitions.campaigns.get_mut(id).unwrap())
    }

    fn any_campaign(&mut self) -> CampaignId {
        let ids: Vec<CampaignId> = self.generation.definitions.campaigns.keys().cloned().collect();
        ids[usize::try_from(self.dice.below(ids.len() as u64)).unwrap()].clone()
    }

    /// A commit changes a campaign's filter; the store applies it to contacts by and by.
    fn refilter(&mut self, id: &CampaignId) {
        self.choose_filter(id);
        *self.evaluating.entry(id.clone()).or_default() += 1;
        let after = self.millis(60_000);
        self.later(after, Event::Evaluated(id.clone()));
        self.give(Input::Applied(Arc::new(self.generation.clone())));
    }

    fn choose_filter(&mut self, id: &CampaignId) {
        let wanted = random::wanted(&mut self.dice);
        let filter = wanted.as_ref().map(|wanted| random::filter(&mut self.dice, wanted));
        self.definition(id).filter = filter;
        self.wanted.insert(id.clone(), wanted);
    }

    /// The store's belief about a campaign's contacts becomes right.
    fn evaluate(&mut self, id: &CampaignId) {
        for (reference, contact) in self.contacts.iter().filter(|(_, contact)| contact.campaign == *id) {
            if self.generation.definitions.campaigns[id].matches(&contact.attributes) {
                self.filtered_out.remove(reference);
            } else {
                self.filtered_out.insert(*reference);
            }
        }
    }

    /// Whether the campaign's filter lets a contact be called, by a rule written anew.
    fn is_wanted(&self, contact: &Contact) -> bool {
        let tier = contact.attributes.values().next();
        match (&self.wanted[&contact.campaign], tier) {
            (None, _) => true,
            (Some(wanted), Some(AttributeValue::Text(tier))) => wanted.contains(tier),
            (Some(_), _) => false,
        }
    }

    /// The process dies and starts again: what was with the writer and not written is lost.
    fn crash(&mut self) {
        let now = self.wall();
        self.writer.clear();
        let stays = |event: &Event| {
            matches!(event, Event::Meddle | Event::Mark(_) | Event::Suppress | Event::Unlist(_) | Event::Override)
        };
        self.events.retain(|_, event| stays(event));
        self.legs.clear();
        self.wire_live.clear();
        for attempt in self.attempts.values_mut().filter(|a| a.result.is_none() && !a.withdrawn) {
            let result = match (attempt.answered, attempt.connected) {
                (true, true) => CallResult::Answered,
                (true, false) => CallResult::Abandoned,
                (false, _) => CallResult::Unknown,
            };
            let contact = self.contacts.get_mut(&attempt.contact).unwrap();
            let ended = EndedAttempt {
                number: attempt.number,
                rule: attempt.rule.clone(),
                result,
                ended_at: now,
                local_date: attempt.intent.local_date,
                next_day_at: attempt.intent.next_day_at,
                caller_number: attempt.caller_number.clone(),
            };
            let (progress, settled) = retry::settle(&attempt.intent.policy, &contact.progress, &ended);
            contact.progress = progress;
            contact.version += 1;
            attempt.result = Some(settled);
            attempt.ended_at = Some(now);
        }
        let marked: BTreeSet<ContactRef> = self.pending.iter().map(|(contact, _)| *contact).collect();
        for contact in marked {
            self.results_take_effect(contact);
        }
        self.epoch += 1;
        self.engine = Engine::new(settings(self.caps, self.epoch));
        self.overridden(None);
        self.start();
    }

    /// Judges the whole log afterwards, by rules written anew.
    pub(super) fn judge(&self) {
        let mut by_number: BTreeMap<(ContactRef, usize), Vec<&Attempt>> = BTreeMap::new();
        let mut by_contact: BTreeMap<ContactRef, Vec<&Attempt>> = BTreeMap::new();
        for attempt in self.attempts.values().filter(|a| !a.withdrawn) {
            if attempt.rule.is_none() {
                by_number.entry((attempt.contact, attempt.number)).or_default().push(attempt);
            }
            by_contact.entry(attempt.contact).or_default().push(attempt);
        }
        for ((contact, number), attempts) in &by_number {
            judge::number(&self.contacts[contact].progress.numbers[*number].category, attempts);
        }
        self.judge_suppression();
        for (contact, attempts) in &by_contact {
            judge::contact(&self.contacts[contact], attempts, &self.generation);
            self.judge_business(&self.contacts[contact], attempts);
        }
    }

    /// How many contacts that may be called did not come to an end; the campaigns' lives are long
    /// enough for that.
    pub(super) fn left_open(&self) -> usize {
        let open = self.contacts.values().filter(|c| !c.progress.is_over());
        let numbers = |contact: &Contact| {
            let campaign = &self.generation.definitions.campaigns[&contact.campaign];
            let all = contact.progress.numbers.iter().enumerate();
            all.filter(|(n, number)| number.ended.is_none() && judge::round(campaign, contact, *n).is_some()).count()
        };
        let has_work = |contact: &Contact| contact.progress.ended.is_some() || numbers(contact) > 0;
        open.filter(|contact| self.is_wanted(contact) && has_work(contact)).count()
    }

    fn open_contacts(&self) -> usize {
        self.contacts.values().filter(|c| !c.progress.is_over()).count()
    }

    /// Live calls of the campaigns are those of all; and once nothing is under way, the engine counts as many open
    /// contacts as there are.
    fn judge_counts(&self) {
        let view = self.engine.view(self.now());
        let by_campaign: u32 = view.campaigns.iter().map(|campaign| campaign.live_calls).sum();
        assert_eq!(by_campaign, view.live_calls, "live calls of campaigns are not those of all");
        let asked = |event: &Event| matches!(event, Event::Give(_) | Event::Read(..) | Event::Write);
        let live = self.attempts.values().any(|a| a.result.is_none() && !a.withdrawn);
        // Until the contact is looked at again, the count may be from before.
        let advancing = self.advanced_at.is_some_and(|at| self.mono <= at + campaigns::SET_ASIDE_FOR);
        if live || advancing || self.faults.store_fails > 0 || self.events.values().any(asked) {
            return;
        }
        let campaigns = view.campaigns;
        if view.live_calls == 0 && view.reserved_agents == 0 {
            let shown: u64 = campaigns.iter().filter_map(|campaign| campaign.open_contacts).sum();
            assert_eq!(shown, self.open_contacts() as u64, "open contacts are not counted as they are");
            let applied = |c: &&CampaignView| self.evaluating.get(&c.id).is_none_or(|times| *times == 0);
            campaigns.iter().filter(applied).for_each(|campaign| self.judge_matches(campaign));
        }
    }

    /// A campaign says that its filter matches nobody when and only when that is so.
    fn judge_matches(&self, campaign: &CampaignView) {
        let open: Vec<&Contact> =
            self.contacts.values().filter(|c| c.campaign == campaign.id && !c.progress.is_over()).collect();
        let wanted = open.iter().filter(|contact| self.is_wanted(contact)).count();
        match campaign.hold {
            Some(Hold::NothingMatches { contacts }) => assert_eq!((contacts, wanted), (open.len() as u64, 0)),
            Some(Hold::NothingDue { .. }) if campaign.live_calls == 0 => {
                assert!(wanted > 0, "{} waits for a contact, and its filter matches none", campaign.id);
            }
            _ => {}
        }
    }

    pub(super) fn connects(&self) -> u32 {
        self.connects
    }

    /// Calls that business rules placed.
    pub(super) fn business_calls(&self) -> usize {
        self.attempts.values().filter(|a| a.rule.is_some() && !a.withdrawn).count()
    }

    pub(super) fn log(&self) -> String {
        let line = |(at, id): &(Timestamp, AttemptId)| {
            let a = &self.attempts[id];
            format!("{at} {id} {} {} {:?}\n", a.customer, a.number, a.result)
        };
        self.invites.iter().map(line).collect()
    }
}

fn settings(caps: Caps, epoch: u32) -> EngineSettings {
    EngineSettings {
        permission: DialPermission::All,
        caps,
        trunk: slug(TrunkId::parse, "t1"),
        epoch: Epoch(epoch),
        slack: Slack::NETWORK,
        page: HOPPER_PAGE,
    }
}
