//! Campaigns as the engine runs them: the hold in force, the hopper and its refills.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    attribute::Attributes,
    backoff::{self, Bounds},
    business,
    campaign::{Campaign, DesiredState, DialPermission},
    contact::{Contact, HELD_FOR_GOOD},
    gate,
    ids::{AgentId, CampaignId, ContactRef, Revision},
    intent::CandidatePage,
    now::Now,
    order::{self, Class, Rank},
    overrides::{Order, Override, Overrides},
    phone::E164,
    reason::Hold,
    results::CallResult,
};

/// Contacts asked for at once; larger pages gain little and hold the store longer. Small in tests, so
/// that few contacts make many pages.
pub const HOPPER_PAGE: u32 = if cfg!(test) { 3 } else { 100 };

/// How long a contact that the gate refused for a passing reason is left alone.
pub(super) const SET_ASIDE_FOR: Duration = Duration::from_secs(5);

/// Contacts by their place in the order.
type Hopper = BTreeMap<(Rank, ContactRef), Contact>;

/// A page under way.
#[derive(Debug, Clone)]
struct Loading {
    /// When; the page is of this instant or a later one.
    asked_at: Timestamp,
    /// How many contacts were asked for.
    limit: u32,
    /// Contacts that changed meanwhile, so the page is old news of them.
    touched: BTreeSet<ContactRef>,
    /// Something was under way when it was asked for, so it may count an ended contact as open.
    unsure: bool,
}

/// How long a campaign waits of which something failed in the store.
const FAILED_FOR: Bounds = Bounds { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// What of a campaign fails in the store.
#[derive(Debug, Clone)]
struct Failing {
    what: &'static str,
    /// How often in a row.
    failures: u32,
    /// Nothing is tried before.
    until: Duration,
    /// The same by the wall clock.
    retry_at: Timestamp,
    /// That is ahead.
    waits: bool,
}

/// A contact that is left alone for a while.
#[derive(Debug, Clone, Copy)]
struct Aside {
    until: Duration,
    /// Its customer was in a call, whose end ends the wait.
    on_call: bool,
}

/// A campaign of the generation in force, or one whose file is gone and whose calls still live.
#[derive(Debug, Clone)]
pub(super) struct CampaignRun {
    /// `None` once its file is gone.
    pub(super) definition: Option<Arc<Campaign>>,
    pub(super) name: String,
    pub(super) revision: Revision,
    /// What holds the whole campaign, valid until `hold_until`.
    pub(super) hold: Option<Hold>,
    hold_until: Timestamp,
    /// What went before the state in its file when `hold` was found.
    overridden: Option<Arc<Override>>,
    /// When `hold` was found; a wall clock that steps back before it makes it void.
    hold_since: Timestamp,
    /// Contacts to take, best first.
    hopper: Hopper,
    /// Those that wait for an agent, likewise.
    pinned: BTreeMap<AgentId, Hopper>,
    loading: Option<Loading>,
    /// How many contacts are wanted at once.
    page: usize,
    pub(super) wants_load: bool,
    /// The store may have one that goes before the hopper's first: a page is awaited before any is taken.
    stale: bool,
    /// A call has ended that kept one of its contacts, and the store has yet to confirm it.
    unconfirmed: bool,
    /// A page is wanted even on hold, to count the open contacts.
    recount: bool,
    exhausted: bool,
    pub(super) loaded_once: bool,
    /// `total` and `open` are what a page told.
    pub(super) counted: bool,
    pub(super) next_ready_at: Option<Timestamp>,
    set_aside: BTreeMap<ContactRef, Aside>,
    /// When to ask again, as contacts were left out whose customer was in a call.
    ask_again_at: Option<Duration>,
    /// It was time to ask, and no page has told yet whether contacts are still left out.
    asks_again: bool,
    /// Attempts claimed or live.
    pub(super) live: u32,
    pub(super) open: u64,
    /// `open` is from a page that may be older than a settlement.
    open_unsure: bool,
    /// The store has open contacts, and none of their numbers comes due as things are: rounds call none, or
    /// do-not-call lists hold all.
    pub(super) without_numbers: bool,
    /// Open contacts for which the filter holds, as far as known.
    pub(super) matching: Option<u64>,
    /// Those of the matching ones whose batch is paused, as the last page told.
    pub(super) paused: u64,
    pub(super) total: u64,
    pub(super) caller_usage: BTreeMap<E164, u64>,
    /// Where it stands in the engine's lists.
    pub(super) listed: Option<super::Listed>,
    /// Turn of the newest call that was made; see [`Self::last_served`].
    pub(super) served: u64,
    /// Turns of its claims and live calls.
    pub(super) turns: BTreeSet<u64>,
    pub(super) results: BTreeMap<CallResult, u64>,
    /// What of it fails.
    failing: Option<Failing>,
    /// What has yet to be done for it in the store, and fails.
    pub(super) behind: Option<Hold>,
}

impl CampaignRun {
    pub(super) fn new(definition: Arc<Campaign>, revision: Revision, page: u32) -> Self {
        Self {
            name: definition.name.clone(),
            definition: Some(definition),
            revision,
            hold: None,
            hold_until: Timestamp::MIN,
            overridden: None,
            hold_since: Timestamp::MIN,
            hopper: BTreeMap::new(),
            pinned: BTreeMap::new(),
            loading: None,
            page: usize::try_from(page).unwrap_or(usize::MAX),
            wants_load: true,
            stale: true,
            unconfirmed: false,
            recount: false,
            exhausted: false,
            loaded_once: false,
            counted: false,
            next_ready_at: None,
            set_aside: BTreeMap::new(),
            ask_again_at: None,
            asks_again: false,
            live: 0,
            open: 0,
            open_unsure: false,
            without_numbers: false,
            matching: None,
            paused: 0,
            total: 0,
            caller_usage: BTreeMap::new(),
            listed: None,
            served: 0,
            turns: BTreeSet::new(),
            results: BTreeMap::new(),
            failing: None,
            behind: None,
        }
    }

    /// Takes over a new definition; `None` for a file that is gone.
    pub(super) fn redefine(&mut self, definition: Option<Arc<Campaign>>, revision: &Revision) {
        if !Campaign::same(self.definition.as_ref(), definition.as_ref()) {
            self.revision = revision.clone();
            self.wants_load = true;
            self.stale = true;
            self.matching = None;
        }
        if let Some(definition) = &definition {
            self.name.clone_from(&definition.name);
        }
        self.definition = definition;
        self.hold_until = Timestamp::MIN;
    }

    /// Something of it failed in the store: it is left alone for a while, and delays no other.
    pub(super) fn failed(&mut self, now: Now, id: &CampaignId, what: &'static str, seed: u64) {
        let before = self.failing.as_ref().filter(|failing| failing.what == what);
        let failures = before.map_or(0, |failing| failing.failures).saturating_add(1);
        let wait = backoff::wait(FAILED_FOR, failures, seed, id.as_str());
        let after = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let retry_at = now.wall.saturating_add(after).unwrap_or(Timestamp::MAX);
        self.failing = Some(Failing { what, failures, until: now.mono + wait, retry_at, waits: true });
    }

    /// It did not fail.
    pub(super) fn went_on(&mut self, what: &'static str) {
        self.failing.take_if(|failing| failing.what == what);
    }

    /// A commit may have mended what failed.
    pub(super) fn try_again(&mut self) {
        self.failing = None;
        self.behind = None;
        self.wants_load = true;
    }

    /// What of it fails, until it is tried again.
    pub(super) fn stuck(&self) -> Option<Hold> {
        self.fails().filter(|_| self.failing.as_ref().is_some_and(|failing| failing.waits))
    }

    /// What of it failed last, and has not succeeded since.
    pub(super) fn fails(&self) -> Option<Hold> {
        let Failing { what, failures, retry_at, .. } = *self.failing.as_ref()?;
        Some(Hold::Stuck { what, failures, retry_at })
    }

    /// Has the hold be found anew, whenever it is asked for.
    pub(super) fn forget_hold(&mut self) {
        self.hold_until = Timestamp::MIN;
    }

    /// Brings the hold up to date; a lifted hold asks for fresh candidates.
    pub(super) fn refresh_hold(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        permission: &DialPermission,
        overrides: &Overrides,
    ) {
        if (self.hold_since..self.hold_until).contains(&now) {
            return;
        }
        self.hold_since = now;
        let before = self.hold.take();
        let Some(campaign) = &self.definition else {
            self.hold = Some(Hold::Retired);
            self.hold_until = Timestamp::MAX;
            return;
        };
        let overridden = overrides.governing(id, now);
        self.overridden = overridden.cloned();
        self.hold = gate::campaign_hold(now, campaign, permission, overridden.map(Arc::as_ref));
        let holds_until = match &self.hold {
            Some(hold) => hold.until().unwrap_or(Timestamp::MAX).min(campaign_turn(now, campaign)),
            None => {
                let home = &campaign.hours;
                let hours = if home.is_in_contact_zone() { None } else { home.closes_at(now) };
                let closes = hours.unwrap_or(Timestamp::MAX).min(campaign.ends_at);
                closes.saturating_sub(gate::CLOSES_BEFORE).unwrap_or(now)
            }
        };
        self.hold_until = overrides.turns_at(id, now).map_or(holds_until, |turn| turn.min(holds_until));
        // A turn that is not ahead would be looked for again and again.
        if self.hold_until <= now {
            self.hold_until = now.saturating_add(SignedDuration::from_millis(100)).unwrap_or(Timestamp::MAX);
        }
        if before.is_some() && self.hold.is_none() {
            self.wants_load = true;
            self.stale = true;
        }
    }

    /// The first instant at which hours or the campaign are closed, while nothing holds it.
    pub(super) fn closes_at(&self) -> Timestamp {
        self.hold_until.saturating_add(gate::CLOSES_BEFORE).unwrap_or(Timestamp::MAX)
    }

    /// When by the wall clock something changes by itself.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        let hold = (self.hold_until != Timestamp::MAX).then_some(self.hold_until);
        let ready = self.next_ready_at.filter(|_| self.hold.is_none() && self.loading.is_none());
        [hold, ready].into_iter().flatten().min()
    }

    /// When by the monotonic clock a contact that was set aside or left out may be looked at again.
    pub(super) fn set_aside_until(&self) -> Option<Duration> {
        let failing = self.failing.as_ref().filter(|failing| failing.waits).map(|failing| failing.until);
        self.set_aside.values().map(|aside| aside.until).chain(self.ask_again_at).chain(failing).min()
    }

    /// Whether a contact could be taken from it, caps aside.
    pub(super) fn is_ready(&self) -> bool {
        self.hold.is_none()
            && self.stuck().is_none()
            && !self.stale
            && !(self.hopper.is_empty() && self.pinned.is_empty())
    }

    /// Turn in which it was last served; the smallest goes first among equals. A claim that comes to nothing was
    /// no service.
    pub(super) fn last_served(&self) -> u64 {
        self.turns.last().map_or(self.served, |turn| self.served.max(*turn))
    }

    /// Its cap on live calls, if it has no room for one more.
    pub(super) fn at_limit(&self) -> Option<u32> {
        let limit = self.definition.as_ref()?.limits.max_concurrent_calls?.get();
        (self.live >= limit).then_some(limit)
    }

    /// Whether a page that may make it ready is on its way: nobody is taken of campaigns that come
    /// after it.
    pub(super) fn is_awaited(&self) -> bool {
        self.hold.is_none()
            && self.stuck().is_none()
            && self.stale
            && (self.wants_load || self.loading.is_some() || self.unconfirmed)
    }

    /// Whether contacts were left out for a call of their customer.
    pub(super) fn waits_for_a_call(&self) -> bool {
        self.ask_again_at.is_some() || self.asks_again || self.set_aside.values().any(|aside| aside.on_call)
    }

    /// A call ends: contacts that wait for one may come first, as soon as the store has its end.
    pub(super) fn call_ends(&mut self) {
        self.stale = true;
        self.unconfirmed = true;
    }

    /// A call has ended in the store too: contacts that waited for one may go on.
    pub(super) fn call_ended(&mut self) {
        self.unconfirmed = false;
        self.set_aside.retain(|_, aside| !aside.on_call);
        self.ask_again_at = None;
        self.wants_load = true;
        self.stale = true;
    }

    /// Notices contacts that became due, or that were set aside for long enough.
    pub(super) fn notice_due(&mut self, now: Now) {
        if self.next_ready_at.is_some_and(|at| at <= now.wall) {
            self.next_ready_at = None;
            self.wants_load = true;
            self.stale = true;
        }
        if let Some(failing) = self.failing.as_mut().filter(|failing| failing.waits && failing.until <= now.mono) {
            failing.waits = false;
        }
        if self.ask_again_at.is_some_and(|at| at <= now.mono) {
            self.ask_again_at = None;
            self.asks_again = true;
            self.wants_load = true;
        }
        self.asks_again |= self.set_aside.values().any(|aside| aside.on_call && aside.until <= now.mono);
        let before = self.set_aside.len();
        self.set_aside.retain(|_, aside| aside.until > now.mono);
        if self.set_aside.len() < before {
            // What was set aside may have ended since, and a page from before that counts it as open.
            self.recount();
        }
    }

    /// Counts a contact with these attributes that has ended.
    pub(super) fn count_end(&mut self, attributes: &Attributes) {
        self.open = self.open.saturating_sub(1);
        let matched = self.definition.as_ref().is_some_and(|campaign| campaign.matches(attributes));
        self.matching = self.matching.map(|matching| matching.saturating_sub(u64::from(matched)));
    }

    /// Whether the open contacts may be miscounted, and nothing of it is under way that would be again.
    pub(super) fn is_unsure_at_rest(&self) -> bool {
        self.open_unsure && self.live == 0 && self.loading.is_none()
    }

    /// Has the open contacts counted again.
    pub(super) fn recount(&mut self) {
        self.recount = true;
        self.wants_load = true;
    }

    /// Whether more contacts are wanted from the store, and it can be asked.
    pub(super) fn should_load(&self) -> bool {
        let low = self.hopper.len() <= self.page / 3 && !self.exhausted;
        let useful = self.hold.is_none() || !self.loaded_once || self.recount;
        let free = self.loading.is_none() && self.stuck().is_none();
        (self.wants_load || low) && useful && free && self.definition.is_some()
    }

    /// How many contacts to ask for; then they count as asked for. The page has room for those that are
    /// claimed or set aside, of which the store does not know that nobody takes them: `claimed` are without
    /// an intent that is known to be durable, `settling` with a settlement that is not.
    pub(super) fn take_load(&mut self, now: Now, claimed: usize, settling: usize) -> u32 {
        self.wants_load = false;
        self.recount = false;
        self.next_ready_at = None;
        let limit = u32::try_from(self.page + claimed + settling + self.set_aside.len()).unwrap_or(u32::MAX);
        self.loading = Some(Loading {
            asked_at: now.wall,
            limit,
            touched: BTreeSet::new(),
            unsure: settling > 0 || self.live > 0,
        });
        limit
    }

    /// The store did not answer.
    pub(super) fn load_failed(&mut self) {
        self.loading = None;
        self.wants_load = true;
    }

    /// Takes in a page; `busy` tells which contacts are claimed or not settled yet. What was learnt
    /// of a contact after the page was asked for wins over the page.
    pub(super) fn loaded(&mut self, now: Now, page: CandidatePage, busy: impl Fn(ContactRef) -> bool) {
        let Some(Loading { asked_at, limit, touched, unsure }) = self.loading.take() else { return };
        self.loaded_once = true;
        self.counted = true;
        self.open = page.open;
        self.open_unsure = unsure || !touched.is_empty();
        let nobody = page.ready.is_empty() && page.next_ready_at.is_none() && !page.on_call && page.paused == 0;
        self.without_numbers = nobody && !self.open_unsure && page.open > 0 && page.matching == Some(page.open);
        self.matching = page.matching;
        self.paused = page.paused;
        self.total = page.total;
        for (number, uses) in page.caller_usage {
            let seen = self.caller_usage.entry(number).or_default();
            *seen = uses.max(*seen);
        }
        self.exhausted = page.ready.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        self.wants_load |= page.cut;
        self.ask_again_at = page.on_call.then(|| now.mono + SET_ASIDE_FOR);
        self.asks_again = false;
        // The page has told of all that was ready when it was asked for. Who has got ready since, while it was
        // on its way, is asked for again.
        let later = page.next_ready_at.filter(|at| *at > asked_at);
        self.next_ready_at = [self.next_ready_at, later].into_iter().flatten().min();
        self.stale = false;
        let pinned = std::mem::take(&mut self.pinned).into_values().flat_map(Hopper::into_values);
        let kept = std::mem::take(&mut self.hopper).into_values().chain(pinned);
        let kept = kept.filter(|c| touched.contains(&c.reference) || busy(c.reference));
        let fresh = |c: &Contact| {
            !touched.contains(&c.reference) && !self.set_aside.contains_key(&c.reference) && !busy(c.reference)
        };
        let all: Vec<Contact> = kept.chain(page.ready.into_iter().chain(page.pinned).filter(fresh)).collect();
        for contact in all {
            self.enter(now.wall, contact);
        }
    }

    /// Enters a contact in the hopper at its place; one that is not ready yet only sets the time.
    fn enter(&mut self, now: Timestamp, contact: Contact) {
        let Some(campaign) = &self.definition else { return };
        let Some(next) = order::next(campaign, &contact, now) else { return };
        if next.ready_at > now {
            self.ready_later(next.ready_at);
            return;
        }
        let place = (order::rank(campaign, &contact, &next), contact.reference);
        // Its place may get better by time alone: a retry that comes due goes before an untried number.
        let improves = order::standing(campaign, &contact, now).wakes_at(now);
        let waits = order::pinned_to(campaign, &contact, next.class, now);
        let until = match waits.map(|(agent, until)| (agent.clone(), until)) {
            Some((agent, until)) => {
                self.pinned.entry(agent).or_default().insert(place, contact);
                Some(until)
            }
            None => {
                self.hopper.insert(place, contact);
                None
            }
        };
        if let Some(at) = [improves, until].into_iter().flatten().filter(|at| *at > now).min() {
            self.ready_later(at);
        }
    }

    /// Puts a contact back, or in after an attempt.
    pub(super) fn offer(&mut self, now: Timestamp, contact: Contact) {
        self.touch(contact.reference);
        self.enter(now, contact);
    }

    /// A page under way no longer knows best about this contact.
    pub(super) fn touch(&mut self, contact: ContactRef) {
        if let Some(loading) = &mut self.loading {
            loading.touched.insert(contact);
        }
    }

    pub(super) fn ready_later(&mut self, at: Timestamp) {
        if at >= HELD_FOR_GOOD {
            return;
        }
        self.next_ready_at = Some(self.next_ready_at.map_or(at, |known| known.min(at)));
    }

    /// Leaves out a contact that `hold` keeps: until it lifts by time, else for a while.
    pub(super) fn leave(&mut self, now: Now, contact: &Contact, hold: &Hold) {
        match hold {
            Hold::NotDue { due_at: at, .. } => {
                self.touch(contact.reference);
                self.ready_later(*at);
            }
            // From a page of an older filter, or from before a pause; newer ones leave it out.
            Hold::FilteredOut | Hold::BatchPaused => self.touch(contact.reference),
            Hold::CustomerOnCall | Hold::NumberOnCall => self.set_aside(now, contact.reference, true),
            // The store knows it better, and tells with the next page.
            Hold::Stale => {
                self.touch(contact.reference);
                self.wants_load = true;
                self.stale = true;
            }
            Hold::DiallingOff
            | Hold::NotListed
            | Hold::Retired
            | Hold::Paused
            | Hold::PausedByOverride { .. }
            | Hold::Drifted
            | Hold::NotStarted { .. }
            | Hold::Expired
            | Hold::NotDialledYet { .. }
            | Hold::WindowClosed { .. }
            | Hold::NoContacts
            | Hold::NothingDue { .. }
            | Hold::AllContactsEnded
            | Hold::NothingMatches { .. }
            | Hold::NoAgentSignedIn
            | Hold::NoAgentIdle
            | Hold::WaitsForAgent { .. }
            | Hold::LowerPriority { .. }
            | Hold::CampaignAtLimit { .. }
            | Hold::TenantAtLimit { .. }
            | Hold::TrunkAtLimit { .. }
            | Hold::CallRate { .. }
            | Hold::DayBudgetSpent { .. }
            | Hold::NumberAtLimit { .. }
            | Hold::AfterConversation { .. }
            | Hold::DoNotCall { .. }
            | Hold::ContactAttemptsSpent
            | Hold::NoNumber
            | Hold::NumberEnded
            | Hold::ContactEnded
            | Hold::Stuck { .. }
            | Hold::StoreUnavailable => {
                self.set_aside(now, contact.reference, false);
                if let Some(at) = hold.until() {
                    self.ready_later(at);
                }
            }
        }
    }

    /// Leaves a contact alone for a while; `on_call` if its customer is in a call.
    pub(super) fn set_aside(&mut self, now: Now, contact: ContactRef, on_call: bool) {
        self.touch(contact);
        self.set_aside.insert(contact, Aside { until: now.mono + SET_ASIDE_FOR, on_call });
    }

    /// Takes the first contact that an agent may take: those that wait for this very one go before all
    /// others.
    pub(super) fn take_first(&mut self, agent: &AgentId) -> Option<Contact> {
        let Some(own) = self.pinned.get_mut(agent) else {
            return self.hopper.pop_first().map(|(_, contact)| contact);
        };
        let first = own.pop_first();
        if own.is_empty() {
            self.pinned.remove(agent);
        }
        first.map(|(_, contact)| contact)
    }

    /// A contact was taken for `agent`: a page holds so many of each agent and no more.
    pub(super) fn taken(&mut self, agent: &AgentId, class: Class) {
        self.wants_load |= class == Class::Business && !self.pinned.contains_key(agent);
    }

    /// A contact has changed in the store, not by a call of ours: pages from before are old news of it.
    pub(super) fn changed(&mut self, contact: ContactRef) {
        self.touch(contact);
        self.set_aside.remove(&contact);
        self.hopper.retain(|(_, reference), _| *reference != contact);
        self.pinned.values_mut().for_each(|own| own.retain(|(_, reference), _| *reference != contact));
        self.pinned.retain(|_, own| !own.is_empty());
        self.stale = true;
        self.recount();
    }

    /// Contacts have changed in the store: nobody is taken until a page has come.
    pub(super) fn look_anew(&mut self) {
        self.clear_hopper();
        self.stale = true;
        self.recount();
    }

    pub(super) fn clear_hopper(&mut self) {
        self.hopper.clear();
        self.pinned.clear();
        self.exhausted = false;
    }

    /// Whether a contact is in the hopper or set aside.
    pub(super) fn holds(&self, contact: ContactRef) -> bool {
        let hoppers = self.pinned.values().chain([&self.hopper]);
        self.set_aside.contains_key(&contact)
            || hoppers.flat_map(BTreeMap::keys).any(|(_, reference)| *reference == contact)
    }

    /// The agent whom the first of those waits for that are ready for nobody else.
    pub(super) fn waits_for_agent(&self) -> Option<Hold> {
        let campaign = self.definition.as_ref().filter(|_| self.hopper.is_empty())?;
        let first = self.pinned.values().filter_map(BTreeMap::first_key_value).min_by_key(|(place, _)| *place);
        let contact = first.map(|(_, contact)| contact)?;
        let (agent, until) = business::waits_for(campaign, contact, Timestamp::MIN)?;
        Some(Hold::WaitsForAgent { agent: agent.clone(), until })
    }

    pub(super) fn hopper_is_empty(&self) -> bool {
        self.hopper.is_empty()
    }

    /// SPEC's phase, derived.
    pub(super) fn phase(&self, now: Timestamp) -> &'static str {
        let Some(campaign) = &self.definition else { return "retired" };
        if now >= campaign.ends_at {
            "expired"
        } else if self.is_paused(campaign) {
            if self.live > 0 { "draining" } else { "paused" }
        } else if now < campaign.starts_at {
            "not_started"
        } else if self.loaded_once && self.total > 0 && (self.open == 0 || self.without_numbers) && self.live == 0 {
            "completed"
        } else {
            "running"
        }
    }

    /// Whether an override, or else the file, says so.
    fn is_paused(&self, campaign: &Campaign) -> bool {
        match self.overridden.as_ref().map(|one| &one.order) {
            Some(Order::Pause { .. }) => true,
            Some(Order::Resume { .. }) => false,
            Some(Order::Pin { .. }) | None => campaign.desired == DesiredState::Paused,
        }
    }
}

/// The next instant at which a date of the file changes what holds.
fn campaign_turn(now: Timestamp, campaign: &Campaign) -> Timestamp {
    let closes = campaign.ends_at.saturating_sub(gate::CLOSES_BEFORE).unwrap_or(Timestamp::MAX);
    [campaign.starts_at, closes, campaign.ends_at].into_iter().filter(|&at| at > now).min().unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: i64) -> Now {
        Now { wall: Timestamp::from_second(wall).unwrap(), mono: Duration::from_secs(wall.unsigned_abs()) }
    }

    fn page(next_ready_at: i64) -> CandidatePage {
        CandidatePage {
            ready: Vec::new(),
            pinned: Vec::new(),
            next_ready_at: Timestamp::from_second(next_ready_at).ok(),
            on_call: false,
            cut: false,
            open: 1,
            matching: Some(1),
            paused: 0,
            total: 1,
            caller_usage: BTreeMap::new(),
        }
    }

    /// Asks for a page at second 100, which comes at second 103 and tells of a contact; whether another is
    /// wanted then.
    fn asks_again(next_ready_at: i64) -> bool {
        let revision = Revision::parse(&"0".repeat(40)).unwrap();
        let mut run = CampaignRun::new(Arc::new(Campaign::example()), revision, 10);
        assert_eq!(run.take_load(now(100), 0, 0), 10);
        run.loaded(now(103), page(next_ready_at), |_| false);
        run.notice_due(now(103));
        run.should_load()
    }

    #[test]
    fn who_gets_ready_while_a_page_is_on_its_way_is_asked_for() {
        assert!(asks_again(101));
        assert!(!asks_again(104));
    }

    /// Found by the oracle: the end of a call that came while a page was on its way was told to nobody.
    #[test]
    fn who_waits_for_a_call_waits_until_a_page_tells_otherwise() {
        let revision = Revision::parse(&"0".repeat(40)).unwrap();
        let mut run = CampaignRun::new(Arc::new(Campaign::example()), revision, 10);
        run.take_load(now(100), 0, 0);
        run.loaded(now(100), CandidatePage { on_call: true, ..page(200) }, |_| false);
        assert!(run.waits_for_a_call());
        run.notice_due(now(105));
        assert!(run.waits_for_a_call() && run.should_load());
        run.take_load(now(105), 0, 0);
        assert!(run.waits_for_a_call());
        run.loaded(now(105), page(200), |_| false);
        assert!(!run.waits_for_a_call());
    }

    #[test]
    fn an_instant_before_the_page_asks_for_nothing() {
        assert!(!asks_again(99));
        assert!(!asks_again(100));
    }
}
