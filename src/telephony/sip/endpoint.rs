//! The pure core of one socket: datagrams, commands and time in, datagrams and events out.
//!
//! It finds whose a message is and performs what legs want. Iteration over its hash maps is never
//! observable; everything else is ordered by number or by time.

use std::{collections::BTreeMap, collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    bridge::Join,
    dialog::{Dialog, trunk_of},
    digest::Authentication,
    header::Name,
    leg::{Act, Leg, Offer, Role},
    message::{Message, Method},
    notice::Notice,
    settings::Shared,
    stateless,
    table::{Arrival, LegKey, Packet, Reply, Table, TransactionId},
    timers::{Alarm, Timers},
};
use crate::domain::{
    call::{CallCommand, CallEvent, Destination, EndedBy, LegEnd, LegIdentity, MediaOffer},
    ids::LegId,
};

/// Most dialogs that one Call-ID may make: forks beyond that get no answer.
const FORKS_MAX: usize = 12;

/// So long after its first input an endpoint leaves answers to calls that it does not know alone: they
/// may be an earlier life's, whose take-downs are on the way and know more. Peers repeat themselves.
const STRANGERS_WAIT: Duration = Duration::from_secs(1);

/// What comes in.
#[derive(Debug)]
pub enum In {
    /// A datagram.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// What it is.
        bytes: Vec<u8>,
    },
    /// A command.
    Command(CallCommand),
    /// The first request of this transaction could not be sent.
    Unsent(TransactionId),
    /// Time has passed.
    Time,
}

/// What goes out, each in its order.
#[derive(Debug, Default)]
pub struct Out {
    /// Datagrams.
    pub packets: Vec<Packet>,
    /// Events.
    pub events: Vec<CallEvent>,
    /// What an operator should hear.
    pub notices: Vec<Notice>,
}

/// What stands under a leg's number.
#[derive(Debug)]
enum Place {
    Live(Box<Entry>),
    Grave(Grave),
}

/// A live leg and what the endpoint keeps with it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) leg: Leg,
    /// The pair it is being made part of.
    pub(super) join: Option<u64>,
    /// The leg it hears.
    pub(super) partner: Option<LegKey>,
    alarm: Alarm,
}

/// What is left of a leg for 64·T1: enough to acknowledge its answer's repeats, and to know that a
/// repeated command is for the past.
#[derive(Debug)]
struct Grave {
    leg: Option<LegId>,
    call_id: Arc<str>,
    remote_tag: Option<Box<str>>,
    authentication: Option<Box<Authentication>>,
    until: Duration,
}

/// The endpoint of one socket.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) shared: Arc<Shared>,
    places: HashMap<LegKey, Place>,
    by_id: HashMap<LegId, LegKey>,
    by_call: HashMap<Arc<str>, Vec<LegKey>>,
    pub(super) joins: BTreeMap<u64, Join>,
    table: Table,
    timers: Timers<LegKey>,
    newest: u64,
    live: usize,
    /// When the first input came.
    began: Option<Duration>,
    /// Room for acts, kept between calls.
    acts: Vec<Act>,
}

impl Endpoint {
    /// An endpoint without legs.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            table: Table::new(shared.timing),
            shared,
            places: HashMap::new(),
            by_id: HashMap::new(),
            by_call: HashMap::new(),
            joins: BTreeMap::new(),
            timers: Timers::new(),
            newest: 0,
            live: 0,
            began: None,
            acts: Vec::new(),
        }
    }

    /// Live legs, transactions, and graves of legs.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.live, self.table.len(), self.places.len() - self.live)
    }

    /// When [`In::Time`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        [self.timers.next(), self.table.deadline()].into_iter().flatten().min()
    }

    /// Takes one input.
    pub fn input(&mut self, now: Duration, input: In, out: &mut Out) {
        self.began.get_or_insert(now);
        match input {
            In::Datagram { from, bytes } => self.datagram(now, from, bytes, out),
            In::Command(command) => self.command(now, command, out),
            In::Unsent(transaction) => {
                if let Some((key, role)) = self.table.unsent(transaction) {
                    self.with_leg(now, key, None, out, |leg, shared, acts| leg.unsent(now, shared, role, acts));
                }
            }
            In::Time => self.time(now, out),
        }
    }

    fn time(&mut self, now: Duration, out: &mut Out) {
        while let Some(whose) = self.table.timeout(now, &mut out.packets) {
            if let Some((key, role)) = whose {
                let silent = self.leg(key).filter(|_| role == Role::Invite).map(|leg| leg.dialog.peer);
                out.notices.extend(silent.map(|to| Notice::Silent { to }));
                self.with_leg(now, key, None, out, |leg, shared, acts| leg.unanswered(now, shared, role, acts));
            }
        }
        while let Some((at, key)) = self.timers.pop_due(now) {
            match self.places.get_mut(&key) {
                Some(Place::Live(entry)) => {
                    if entry.alarm.rings(at) {
                        self.with_leg(now, key, None, out, |leg, shared, acts| leg.timeout(now, shared, acts));
                    }
                }
                Some(Place::Grave(grave)) if grave.until <= now => self.clear(key),
                Some(Place::Grave(_)) | None => {}
            }
        }
    }

    // Legs.

    pub(super) fn entry(&mut self, key: LegKey) -> Option<&mut Entry> {
        match self.places.get_mut(&key)? {
            Place::Live(entry) => Some(entry),
            Place::Grave(_) => None,
        }
    }

    pub(super) fn leg(&self, key: LegKey) -> Option<&Leg> {
        match self.places.get(&key)? {
            Place::Live(entry) => Some(&entry.leg),
            Place::Grave(_) => None,
        }
    }

    pub(super) fn key_of(&self, leg: LegId) -> Option<LegKey> {
        self.by_id.get(&leg).copied()
    }

    fn next_key(&mut self) -> u64 {
        self.newest += 1;
        self.newest
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.next_key()
    }

    /// Lets a live leg act, then performs its acts. `request` is the request in hand and where its
    /// response goes.
    pub(super) fn with_leg(
        &mut self,
        now: Duration,
        key: LegKey,
        request: Option<(&Message, SocketAddr)>,
        out: &mut Out,
        act: impl FnOnce(&mut Leg, &Shared, &mut Vec<Act>),
    ) {
        let mut acts = std::mem::take(&mut self.acts);
        let shared = self.shared.clone();
        if let Some(entry) = self.entry(key) {
            act(&mut entry.leg, &shared, &mut acts);
            self.perform(now, key, request, &mut acts, out);
        }
        acts.clear();
        self.acts = acts;
    }

    fn start(&mut self, now: Duration, leg: Leg, acts: &mut Vec<Act>, out: &mut Out) {
        let key = self.next_key();
        if let Some(id) = leg.id() {
            self.by_id.insert(id, key);
        }
        self.by_call.entry(leg.dialog.call_id.clone()).or_default().push(key);
        let entry = Entry { leg, join: None, partner: None, alarm: Alarm::default() };
        self.places.insert(key, Place::Live(Box::new(entry)));
        self.live += 1;
        self.perform(now, key, None, acts, out);
    }

    fn perform(
        &mut self,
        now: Duration,
        key: LegKey,
        request: Option<(&Message, SocketAddr)>,
        acts: &mut Vec<Act>,
        out: &mut Out,
    ) {
        let mut moved = false;
        let mut settled = None;
        for act in acts.drain(..) {
            match act {
                Act::Request { role, message, branch, to } => {
                    self.table.request(now, (key, role), &message, &branch, to, &mut out.packets);
                }
                Act::Adopt { message, branch, to } => self.table.adopt(key, &message, &branch, to),
                Act::Ack { message, to } => {
                    out.packets.push(Packet { to, bytes: message.to_bytes().into(), of: None });
                }
                Act::Respond(response) => {
                    if let Some((request, back)) = request {
                        self.table.respond(now, request, &response, back, &mut out.packets);
                    }
                }
                Act::Repeat { bytes, to } => out.packets.push(Packet { to, bytes, of: None }),
                Act::StopRepeating => {
                    let branch = self.leg(key).map(|leg| leg.invite_branch().to_owned());
                    self.table.stop_repeating(&branch.unwrap_or_default());
                }
                Act::Event(event) => {
                    // A pair that is being made fails before one of its legs ends.
                    if let CallEvent::Ended { .. } = event {
                        self.fail_join(now, key, out);
                    }
                    out.events.push(event);
                }
                Act::Reoffered(taken) => settled = Some(taken),
                Act::MediaChanged => moved = true,
            }
        }
        self.follow_up(now, key, settled, moved, out);
    }

    fn follow_up(&mut self, now: Duration, key: LegKey, settled: Option<bool>, moved: bool, out: &mut Out) {
        let Some(Place::Live(entry)) = self.places.get_mut(&key) else { return };
        if entry.leg.is_over() {
            self.bury(now, key, out);
            return;
        }
        let deadline = entry.leg.deadline();
        self.timers.arm(key, &mut entry.alarm, deadline);
        self.go_on(now, key, settled, moved, out);
    }

    /// Replaces a leg that is over by its grave.
    fn bury(&mut self, now: Duration, key: LegKey, out: &mut Out) {
        self.fail_join(now, key, out);
        let Some(Place::Live(mut entry)) = self.places.remove(&key) else { return };
        self.live -= 1;
        entry.leg.invite_branches().for_each(|branch| self.table.abandon(branch));
        if let Some(partner) = entry.partner
            && let Some(partner) = self.entry(partner)
            && partner.partner == Some(key)
        {
            partner.partner = None;
        }
        let grave = Grave {
            leg: entry.leg.id(),
            call_id: entry.leg.dialog.call_id.clone(),
            remote_tag: entry.leg.dialog.remote_tag.clone(),
            authentication: entry.leg.take_authentication(),
            until: now + self.shared.timing.give_up(),
        };
        self.dig(key, grave);
    }

    fn dig(&mut self, key: LegKey, grave: Grave) {
        self.timers.arm(key, &mut Alarm::default(), Some(grave.until));
        self.places.insert(key, Place::Grave(grave));
    }

    /// Removes a grave whose time has come.
    fn clear(&mut self, key: LegKey) {
        let Some(Place::Grave(grave)) = self.places.remove(&key) else { return };
        if let Some(id) = grave.leg {
            self.by_id.remove(&id);
        }
        if let Some(keys) = self.by_call.get_mut(&grave.call_id) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_call.remove(&grave.call_id);
            }
        }
    }

    /// A leg that ends before it began.
    fn stillborn(&mut self, now: Duration, leg: LegId, reason: String, out: &mut Out) {
        let end = LegEnd {
            by: EndedBy::Transport,
            answered: false,
            cancelled: false,
            status: None,
            q850: None,
            retry_after: None,
            reason: Some(reason),
        };
        out.events.push(CallEvent::Ended { leg, end });
        let key = self.next_key();
        self.by_id.insert(leg, key);
        let grave = Grave {
            leg: Some(leg),
            call_id: "".into(),
            remote_tag: None,
            authentication: None,
            until: now + self.shared.timing.give_up(),
        };
        self.dig(key, grave);
    }

    // Commands.

    fn command(&mut self, now: Duration, command: CallCommand, out: &mut Out) {
        match command {
            CallCommand::Dial { leg, destination, offer, ring, send_within } => {
                self.dial(now, leg, &destination, offer, (ring, send_within), out);
            }
            CallCommand::Acknowledge { leg } => {
                if let Some(key) = self.key_of(leg) {
                    self.with_leg(now, key, None, out, |leg, shared, acts| leg.acknowledge(now, shared, acts));
                }
            }
            CallCommand::Bridge { agent, customer } => self.bridge(now, agent, customer, out),
            CallCommand::HangUp { leg, cause } => {
                if let Some(key) = self.key_of(leg) {
                    self.with_leg(now, key, None, out, |leg, shared, acts| leg.hang_up(now, shared, cause, acts));
                }
            }
            CallCommand::TakeDown { leg, identity, answered } => self.take_down(now, leg, &identity, answered, out),
            CallCommand::Resync => out.events.push(CallEvent::Standing { legs: self.standing() }),
        }
    }

    /// The legs of ours that are not over.
    fn standing(&self) -> Vec<LegId> {
        let live = |(_, key): &(&LegId, &LegKey)| matches!(self.places.get(key), Some(Place::Live(_)));
        let mut legs: Vec<LegId> = self.by_id.iter().filter(live).map(|(leg, _)| *leg).collect();
        legs.sort_unstable();
        legs
    }

    fn dial(
        &mut self,
        now: Duration,
        leg: LegId,
        destination: &Destination,
        offer: MediaOffer,
        limits: (Duration, Option<Duration>),
        out: &mut Out,
    ) {
        if self.by_id.contains_key(&leg) {
            return;
        }
        if self.live >= self.shared.legs_max {
            return self.stillborn(now, leg, "as many legs as the settings allow".into(), out);
        }
        let names = self.shared.key.leg(leg);
        let dialog = match Dialog::to(&self.shared, &names, destination) {
            Ok(dialog) => dialog,
            Err(error) => return self.stillborn(now, leg, error.to_string(), out),
        };
        let media = match offer {
            MediaOffer::Discard => None,
            MediaOffer::Of(other) => {
                let described = self.key_of(other).and_then(|key| self.leg(key)).filter(|other| other.is_answered());
                let Some(media) = described.and_then(Leg::remote_media) else {
                    let reason = "the leg whose media it should offer has none".into();
                    return self.stillborn(now, leg, reason, out);
                };
                Some(media.to_vec())
            }
        };
        let offer = media.as_deref().map_or(Offer::Discard, Offer::Of);
        let trunk = trunk_of(destination).cloned();
        let mut acts = Vec::new();
        let shared = self.shared.clone();
        let made = Leg::dial(now, &shared, leg, &names, dialog, trunk, offer, limits, &mut acts);
        self.start(now, made, &mut acts, out);
    }

    fn take_down(&mut self, now: Duration, leg: LegId, identity: &LegIdentity, answered: bool, out: &mut Out) {
        if self.by_id.contains_key(&leg) {
            return;
        }
        let is_live = |key: &LegKey| matches!(self.places.get(key), Some(Place::Live(_)));
        if self.by_call.get(identity.call_id.as_str()).is_some_and(|keys| keys.iter().any(is_live)) {
            // Somebody has copied its row: what would be sent would end the call of the leg that has it.
            return self.stillborn(now, leg, "another leg has its call".into(), out);
        }
        // The salt keeps new branches apart from those the earlier life used.
        let names = self.shared.key.names(identity.call_id.as_str().into(), "taken down");
        let dialog = match Dialog::adopt(&names, identity) {
            Ok(dialog) => dialog,
            Err(error) => return self.stillborn(now, leg, error.to_string(), out),
        };
        let mut acts = Vec::new();
        let shared = self.shared.clone();
        let made = Leg::take_down(now, &shared, leg, &names, (dialog, identity), answered, &mut acts);
        self.start(now, made, &mut acts, out);
    }

    // Datagrams.

    fn datagram(&mut self, now: Duration, from: SocketAddr, bytes: Vec<u8>, out: &mut Out) {
        if !self.shared.sources.is_empty() && !self.shared.sources.contains(&from.ip()) {
            return;
        }
        match Message::parse(bytes) {
            Ok(message) if message.status().is_some() => self.response(now, from, &message, out),
            Ok(mut message) => {
                if let Some(back) = message.stamp(from) {
                    self.request(now, &message, back, out);
                }
            }
            Err(unusable) => {
                if !unusable.is_keep_alive() {
                    out.notices.push(Notice::Unusable { from, why: unusable.why });
                }
                if let Some((status, mut request)) = unusable.answer
                    && let Some(back) = request.stamp(from)
                {
                    self.reply(&request, back, stateless::answer(&self.shared, &request, status), out);
                }
            }
        }
    }

    fn reply(&self, request: &Message, to: SocketAddr, response: Message, out: &mut Out) {
        debug_assert!(request.method().is_some(), "only requests are answered");
        out.packets.push(Packet { to, bytes: response.to_bytes().into(), of: None });
    }

    fn response(&mut self, now: Duration, from: SocketAddr, response: &Message, out: &mut Out) {
        // One that still has another's Via went astray (§8.1.3.3).
        if response.list(Name::Via).count() != 1 {
            return;
        }
        let reply = self.table.response(now, response, &mut out.packets);
        let invite = response.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        match (response.status(), reply) {
            // By its dialog, not by its transaction: forks and late ones have none.
            (Some(200..300), _) if invite => self.accepted(now, from, response, out),
            (Some(..200), Reply::Unknown) if invite => self.rings_on(now, from, response, out),
            (_, Reply::For(key, role)) => {
                self.with_leg(now, key, None, out, |leg, shared, acts| leg.response(now, shared, role, response, acts));
            }
            (_, Reply::Unknown | Reply::Absorbed) => {}
        }
    }

    /// An INVITE of ours that nobody knows any more has arrived after all: calls it off.
    fn rings_on(&mut self, now: Duration, from: SocketAddr, response: &Message, out: &mut Out) {
        let (call_id, local) = (response.call_id(), response.from_tag());
        let keys = self.by_call.get(call_id).map_or(&[][..], Vec::as_slice);
        let live = keys.iter().any(|key| self.leg(*key).is_some());
        if live || keys.len() >= FORKS_MAX || !self.shared.key.is_ours(call_id, local) {
            return;
        }
        let names = self.shared.key.names(call_id.into(), "called off");
        let Some(dialog) = Dialog::of_ringing(&names, response, from) else { return };
        let Some(branch) = response.via().map(|via| via.branch().to_owned()) else { return };
        let mut acts = Vec::new();
        let shared = self.shared.clone();
        let leg = Leg::call_off(now, &shared, &names, dialog, &branch, &mut acts);
        self.start(now, leg, &mut acts, out);
    }

    /// A 2xx to an INVITE of ours, or to what claims to be one.
    fn accepted(&mut self, now: Duration, from: SocketAddr, response: &Message, out: &mut Out) {
        let (call_id, local, remote) = (response.call_id(), response.from_tag(), response.to_tag());
        let keys = self.by_call.get(call_id).map_or(&[][..], Vec::as_slice);
        let live = keys.iter().copied().find(|key| self.leg(*key).is_some_and(|leg| leg.has_tags(local, remote)));
        if let Some(key) = live {
            self.with_leg(now, key, None, out, |leg, shared, acts| leg.accepted(now, shared, response, acts));
            return;
        }
        if keys.len() >= FORKS_MAX || !self.shared.key.is_ours(call_id, local) {
            return;
        }
        let names = self.shared.key.names(call_id.into(), remote);
        let Some(dialog) = Dialog::of_answer(&names, response, from) else { return };
        let grave = keys.iter().find_map(|key| match self.places.get(key) {
            Some(Place::Grave(grave)) if grave.remote_tag.as_deref() == Some(remote) => Some(grave),
            _ => None,
        });
        if let Some(grave) = grave {
            // Over, and its answer comes once more.
            if let Some(cseq) = response.cseq() {
                let mut ack = dialog.ack(&self.shared, cseq.number);
                if let Some(authentication) = &grave.authentication {
                    authentication.repeat(&mut ack);
                }
                out.packets.push(Packet { to: dialog.next_hop(), bytes: ack.to_bytes().into(), of: None });
            }
            return;
        }
        if !keys.is_empty() {
            out.notices.push(Notice::SecondAnswer { from });
        } else if self.began.is_some_and(|began| now < began + STRANGERS_WAIT) {
            return;
        }
        let mut acts = Vec::new();
        let shared = self.shared.clone();
        let leg = Leg::put_down(now, &shared, &names, dialog, response, &mut acts);
        self.start(now, leg, &mut acts, out);
    }

    fn request(&mut self, now: Duration, request: &Message, back: SocketAddr, out: &mut Out) {
        match request.method() {
            Some(Method::Ack) => {
                if !self.table.acknowledged(now, request, &mut out.packets)
                    && let Some(key) = self.find(request)
                {
                    self.with_leg(now, key, None, out, |leg, _, acts| leg.acknowledged(request, acts));
                }
                return;
            }
            Some(Method::Cancel) => {
                // Every INVITE is answered at once, so there is never anything left to cancel.
                let status = if self.table.knows_cancelled(request) { 200 } else { 481 };
                return self.reply(request, back, stateless::answer(&self.shared, request, status), out);
            }
            _ => {}
        }
        if self.table.arrive(request, &mut out.packets) == Arrival::Absorbed {
            return;
        }
        if let Some(refusal) = stateless::refuse_extensions(&self.shared, request) {
            return self.reply(request, back, refusal, out);
        }
        match self.find(request) {
            Some(key) => self.with_leg(now, key, Some((request, back)), out, |leg, shared, acts| {
                leg.request(now, shared, request, back, acts);
            }),
            None => {
                let response = stateless::outside(&self.shared, request);
                self.reply(request, back, response, out);
            }
        }
    }

    /// The live leg that a request of the peer is inside of.
    fn find(&self, request: &Message) -> Option<LegKey> {
        let (local, remote) = (request.to_tag(), request.from_tag());
        let keys = self.by_call.get(request.call_id()).filter(|_| !local.is_empty())?;
        keys.iter().copied().find(|key| self.leg(*key).is_some_and(|leg| leg.has_tags(local, remote)))
    }
}
