//! One call, from the called side (RFC 3261 §13.3, §15).

use std::{net::SocketAddr, time::Duration};

use super::{behaviour::Behaviour, serving::Serving, station::Outgoing};
use crate::telephony::sip::{
    header::{CSeq, Name, text},
    message::{Message, Method},
    sdp::{self, Direction, Origin},
    transaction::{Client, Timing},
};

/// `Reason` of our BYE.
const CAUSE_NORMAL: &str = "Q.850;cause=16;text=\"Normal call clearing\"";

/// What a call needs to know of its socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Station<'a> {
    /// Our address, for `Contact` and media.
    pub(super) address: SocketAddr,
    /// Timers.
    pub(super) timing: &'a Timing,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its INVITE has no final response.
    Offered { decide_at: Option<Duration> },
    /// Answered.
    Up { hang_up_at: Option<Duration> },
    /// Refused, cancelled or hung up.
    Over,
}

/// Our BYE.
#[derive(Debug)]
struct Bye {
    request: Vec<u8>,
    machine: Client,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    behaviour: Behaviour,
    user: String,
    tag: String,
    /// Number of this call on its socket: tags, media ports and origins differ by it.
    number: u64,
    stage: Stage,
    /// The first INVITE, then each re-INVITE.
    servings: Vec<Serving>,
    /// `CSeq` of the newest request of the caller.
    newest: u32,
    /// The caller's address, where its requests come from.
    peer: SocketAddr,
    bye: Option<Bye>,
}

impl Call {
    /// A call that `invite` offers; it answers at once with 100, and 180 if it rings.
    pub(super) fn new(
        (now, station): (Duration, Station<'_>),
        number: u64,
        behaviour: Behaviour,
        (peer, invite): (SocketAddr, Message),
        out: &mut Outgoing,
    ) -> Self {
        let mut call = Self {
            behaviour,
            user: super::station::user_of(invite.uri()).to_owned(),
            tag: format!("peer-{}-{number}", station.address.port()),
            number,
            stage: Stage::Offered { decide_at: behaviour.waits().map(|wait| now + wait) },
            newest: invite.cseq().map_or(0, |cseq| cseq.number),
            servings: vec![Serving::new(invite, peer)],
            peer,
            bye: None,
        };
        call.respond((now, station), 0, 100, out);
        if behaviour.rings() {
            call.respond((now, station), 0, 180, out);
        }
        call
    }

    /// The number or name called.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Whether it is being offered or up.
    pub(super) fn is_live(&self) -> bool {
        self.stage != Stage::Over
    }

    /// Whether nothing of it can come any more.
    pub(super) fn is_forgotten(&self) -> bool {
        !self.is_live() && self.bye.is_none() && self.servings.iter().all(Serving::is_over)
    }

    /// A request of the caller; `back` is where its response goes.
    pub(super) fn request(
        &mut self,
        at: (Duration, Station<'_>),
        back: SocketAddr,
        request: Message,
        out: &mut Outgoing,
    ) {
        match request.method() {
            Some(Method::Invite) => self.invited(at, back, request, out),
            Some(Method::Ack) => {
                for serving in &mut self.servings {
                    serving.acknowledged(at.0, at.1.timing, &request);
                }
            }
            Some(Method::Cancel) => self.cancelled(at, back, &request, out),
            Some(Method::Bye) => {
                self.answer(back, &request, 200, out);
                self.interrupted(at, out);
            }
            Some(Method::Options) => self.answer(back, &request, 200, out),
            Some(_) => self.answer(back, &request, 405, out),
            None => {}
        }
    }

    fn invited(&mut self, at: (Duration, Station<'_>), back: SocketAddr, request: Message, out: &mut Outgoing) {
        if let Some(serving) = self.servings.iter_mut().find(|serving| serving.is_of(&request)) {
            serving.repeated(out);
            return;
        }
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let status = match self.stage {
            Stage::Up { .. } if number > self.newest => 200,
            Stage::Up { .. } => 500,
            Stage::Offered { .. } => 491,
            Stage::Over => 481,
        };
        self.newest = self.newest.max(number);
        self.servings.push(Serving::new(request, back));
        self.respond(at, self.servings.len() - 1, status, out);
    }

    fn cancelled(&mut self, at: (Duration, Station<'_>), back: SocketAddr, request: &Message, out: &mut Outgoing) {
        if self.servings.iter().any(|serving| serving.is_of(request)) {
            self.answer(back, request, 200, out);
            if matches!(self.stage, Stage::Offered { .. }) {
                self.interrupted(at, out);
            }
        } else {
            self.answer(back, request, 481, out);
        }
    }

    /// The caller gave up or hung up.
    fn interrupted(&mut self, at: (Duration, Station<'_>), out: &mut Outgoing) {
        if matches!(self.stage, Stage::Offered { .. }) {
            self.respond(at, 0, 487, out);
        }
        self.stage = Stage::Over;
    }

    /// A response to our BYE.
    pub(super) fn response(&mut self, now: Duration, timing: &Timing, response: &Message) {
        let (Some(bye), Some(status)) = (&mut self.bye, response.status()) else { return };
        if response.cseq().is_some_and(|cseq| cseq.method == Method::Bye) {
            let _delivered = bye.machine.response(now, timing, status);
        }
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, at: (Duration, Station<'_>), out: &mut Outgoing) {
        let (now, station) = at;
        let mut unheard = false;
        for serving in &mut self.servings {
            unheard |= serving.timeout(now, station.timing, out);
        }
        // The first stays: our BYE is made from it.
        let mut first = true;
        self.servings.retain(|serving| std::mem::take(&mut first) || !serving.is_over());
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        match self.stage {
            Stage::Offered { decide_at } if due(decide_at) => self.decide(at, out),
            Stage::Up { hang_up_at } if due(hang_up_at) || unheard => self.hang_up(at, out),
            Stage::Offered { .. } | Stage::Up { .. } | Stage::Over => {}
        }
        if let Some(bye) = &mut self.bye {
            let step = bye.machine.timeout(now, station.timing);
            if step.send {
                out.push((self.peer, bye.request.clone()));
            }
            if step.over {
                self.bye = None;
            }
        }
    }

    /// When [`Self::timeout`] is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let stage = match self.stage {
            Stage::Offered { decide_at: at } | Stage::Up { hang_up_at: at } => at,
            Stage::Over => None,
        };
        let bye = self.bye.as_ref().and_then(|bye| bye.machine.deadline());
        let servings = self.servings.iter().filter_map(Serving::deadline).min();
        [stage, bye, servings].into_iter().flatten().min()
    }

    /// The wait is over: answers or refuses.
    fn decide(&mut self, at: (Duration, Station<'_>), out: &mut Outgoing) {
        match self.behaviour {
            Behaviour::Answer { talk, .. } => {
                self.stage = Stage::Up { hang_up_at: talk.map(|talk| at.0 + talk) };
                self.respond(at, 0, 200, out);
            }
            Behaviour::Refuse { refusal, .. } => {
                self.stage = Stage::Over;
                self.respond(at, 0, refusal.status(), out);
            }
            Behaviour::RingOut => {}
        }
    }

    /// Responds to the INVITE `index`.
    fn respond(&mut self, (now, station): (Duration, Station<'_>), index: usize, status: u16, out: &mut Outgoing) {
        let Some(request) = self.servings.get(index).map(|serving| &serving.request) else { return };
        let mut response = Message::respond_to(request, status, (status > 100).then_some(&self.tag));
        if (180..300).contains(&status) {
            response.push(Name::Contact, format_args!("<sip:{}@{}>", self.user, station.address));
        }
        if (200..300).contains(&status) {
            response.set_body("application/sdp", &self.media(station.address, request.sdp()));
        }
        if let Behaviour::Refuse { refusal, .. } = self.behaviour
            && refusal.status() == status
        {
            response.push(Name::Reason, refusal.reason());
        }
        if let Some(serving) = self.servings.get_mut(index) {
            serving.respond(now, station.timing, &response, out);
        }
    }

    /// Our media: an answer to `offer`, or an offer of our own. Nobody listens at its port.
    fn media(&self, address: SocketAddr, offer: Option<&[u8]>) -> Vec<u8> {
        let origin = Origin { session: self.number, version: 1, address: address.ip() };
        let port = 20_000 + u16::try_from(self.number % 10_000).unwrap_or(0) * 2;
        let own = sdp::discard_offer(origin, port);
        offer.and_then(|offer| sdp::answer(offer, &own, Direction::SendRecv, origin)).unwrap_or(own)
    }

    /// Answers a request that is not an INVITE; a repeat gets the same.
    fn answer(&self, back: SocketAddr, request: &Message, status: u16, out: &mut Outgoing) {
        out.push((back, Message::respond_to(request, status, Some(&self.tag)).to_bytes()));
    }

    fn hang_up(&mut self, (now, station): (Duration, Station<'_>), out: &mut Outgoing) {
        self.stage = Stage::Over;
        let Some(invite) = self.servings.first().map(|serving| &serving.request) else { return };
        let value = |name| invite.value(name).and_then(text).unwrap_or_default();
        let mut bye = Message::request(Method::Bye, invite.contact().unwrap_or_default());
        let branch = format!("z9hG4bK{}-bye", self.tag);
        bye.push(Name::Via, format_args!("SIP/2.0/UDP {};branch={branch}", station.address));
        bye.push(Name::MaxForwards, 70);
        for route in invite.list(Name::RecordRoute) {
            bye.push_bytes(Name::Route, route);
        }
        bye.push(Name::From, format_args!("{};tag={}", value(Name::To), self.tag));
        bye.push(Name::To, value(Name::From));
        bye.push(Name::CallId, invite.call_id());
        bye.push(Name::CSeq, CSeq { number: 1, method: Method::Bye });
        bye.push(Name::Reason, CAUSE_NORMAL);
        let request = bye.to_bytes();
        out.push((self.peer, request.clone()));
        self.bye = Some(Bye { request, machine: Client::new(now, station.timing) });
    }
}
