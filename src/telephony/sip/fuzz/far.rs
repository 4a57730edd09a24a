//! A simulated far end: a phone or carrier with a plan, written against the RFC's rules for servers
//! and not against our own machines.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use super::Rng;
use crate::telephony::sip::{
    header::{CSeq, Name, text},
    message::{Message, Method},
};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const GIVE_UP: Duration = Duration::from_secs(32);

/// How the INVITE ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Final {
    /// Answered by so many forks.
    Answer(u8),
    Refuse(u16),
    /// It rings until it is cancelled.
    Rings,
    /// It takes a CANCEL and never ends the INVITE, or answers it much later all the same.
    Unending {
        late: bool,
    },
    /// It never says anything.
    Mute,
}

/// How a re-INVITE is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retake {
    Yes,
    /// With another port each time.
    Moving,
    GlareFirst,
    Refuse(u16),
    BusyFirst,
    Challenge,
    Mute,
}

/// What the far end does by itself once answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whim {
    Nothing,
    HangUp,
    Refresh,
    Move,
    Hold,
    Offerless,
    Update,
}

/// What a far end is like.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) challenge: Option<u16>,
    pub(super) provisional: Option<u16>,
    pub(super) outcome: Final,
    pub(super) status: u16,
    pub(super) contact: bool,
    pub(super) delay: Duration,
    pub(super) retake: Retake,
    pub(super) whims: [(Whim, Duration); 2],
    pub(super) bye_challenged: bool,
    pub(super) bye_mute: bool,
}

impl Plan {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let outcome = match rng.below(20) {
            0..=9 => Final::Answer(1),
            10 | 11 => Final::Answer(2 + u8::from(rng.chance(30))),
            12..=14 => Final::Refuse([302, 401, 404, 407, 480, 486, 487, 503, 603][rng.pick(9)]),
            15 | 16 => Final::Rings,
            17 => Final::Unending { late: false },
            18 => Final::Unending { late: true },
            _ => Final::Mute,
        };
        let retakes = [
            Retake::Yes,
            Retake::Yes,
            Retake::Yes,
            Retake::Moving,
            Retake::GlareFirst,
            Retake::Refuse([488, 481, 408, 500][rng.pick(4)]),
            Retake::BusyFirst,
            Retake::Challenge,
            Retake::Mute,
        ];
        let whims = [Whim::Nothing, Whim::HangUp, Whim::Refresh, Whim::Move, Whim::Hold, Whim::Offerless, Whim::Update];
        let mut whim = || {
            let kind = if rng.chance(50) { Whim::Nothing } else { whims[rng.pick(whims.len())] };
            (kind, rng.millis(20_000))
        };
        let whims = [whim(), whim()];
        Self {
            challenge: rng.chance(25).then(|| [401, 407][rng.pick(2)]),
            provisional: [None, Some(100), Some(180), Some(180), Some(183)][rng.pick(5)],
            outcome,
            status: if rng.chance(10) { 202 } else { 200 },
            contact: !rng.chance(5),
            delay: if rng.chance(30) { Duration::ZERO } else { rng.millis(25_000) },
            retake: retakes[rng.pick(retakes.len())],
            whims,
            bye_challenged: rng.chance(10),
            bye_mute: rng.chance(5),
        }
    }
}

impl Plan {
    pub(super) fn never_challenges(&mut self) {
        self.challenge = None;
        self.bye_challenged = false;
        if self.retake == Retake::Challenge {
            self.retake = Retake::Yes;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Gone,
}

/// A dialog as the far end sees it.
#[derive(Debug)]
pub(super) struct FarDialog {
    pub(super) tag: String,
    pub(super) state: State,
    /// Its 2xx never got an ACK.
    pub(super) unacknowledged: bool,
    /// Its call was being ended when we crashed, and it isn't one that we store.
    pub(super) excused: bool,
    invite: Message,
    acked: Vec<u32>,
    cseq: u32,
    port: u16,
}

#[derive(Debug)]
struct Invite {
    request: Message,
    pending: bool,
    acked: bool,
}

/// A request of the far end that waits for its final response.
#[derive(Debug)]
struct Own {
    request: Message,
    dialog: usize,
    offerless: bool,
}

#[derive(Debug, Clone)]
enum Timer {
    Final(String),
    RepeatRefusal(String, Message, Duration, Duration),
    RepeatAnswer(usize, u32, Message, Duration, Duration),
    RepeatOwn(String, Duration, Duration),
    Whim(usize, Whim),
}

/// A far end.
#[derive(Debug)]
pub(super) struct Far {
    pub(super) address: SocketAddr,
    plan: Plan,
    pub(super) dialogs: Vec<FarDialog>,
    invites: HashMap<String, Invite>,
    responses: HashMap<String, Message>,
    own: HashMap<String, Own>,
    timers: Vec<(Duration, Timer)>,
    serial: u32,
    reinvited: u32,
    /// Where we are.
    us: SocketAddr,
    pub(super) outbox: Vec<Message>,
}

impl Far {
    pub(super) fn new(address: SocketAddr, us: SocketAddr, plan: Plan) -> Self {
        Self {
            address,
            plan,
            dialogs: Vec::new(),
            invites: HashMap::new(),
            responses: HashMap::new(),
            own: HashMap::new(),
            timers: Vec::new(),
            serial: 0,
            reinvited: 0,
            us,
            outbox: Vec::new(),
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.timers.iter().map(|(at, _)| *at).min()
    }

    pub(super) fn receive(&mut self, now: Duration, message: &Message) {
        if message.status().is_some() {
            return self.response(message);
        }
        let branch = message.via().unwrap().branch().to_owned();
        if message.from_tag().is_empty() {
            return;
        }
        let inside = !message.to_tag().is_empty();
        match message.method().unwrap() {
            Method::Ack => self.ack(message, &branch),
            Method::Invite if inside => self.reinvite(now, message, &branch),
            Method::Invite => self.invite(now, message, &branch),
            Method::Cancel => self.cancel(now, message, &branch),
            Method::Bye => self.bye(message, &branch),
            _ => {}
        }
    }

    fn invite(&mut self, now: Duration, request: &Message, branch: &str) {
        if self.invites.contains_key(branch) {
            if let Some(response) = self.responses.get(branch) {
                self.outbox.push(response.clone());
            }
            return;
        }
        self.invites.insert(branch.to_owned(), Invite { request: request.clone(), pending: true, acked: false });
        if self.plan.outcome == Final::Mute {
            return;
        }
        let signed = request.value(Name::Authorization).is_some() || request.value(Name::ProxyAuthorization).is_some();
        if let Some(status) = self.plan.challenge.filter(|_| !signed) {
            return self.refuse(now, branch, status);
        }
        if let Some(status) = self.plan.provisional {
            let mut response = Message::respond_to(request, status, (status > 100).then_some("early"));
            if status == 183 {
                response.set_body("application/sdp", sdp(self.address, 4000).as_bytes());
            }
            self.responses.insert(branch.to_owned(), response.clone());
            self.outbox.push(response);
        }
        let delay = match self.plan.outcome {
            Final::Rings | Final::Unending { late: false } => return,
            Final::Unending { late: true } => Duration::from_secs(30) + self.plan.delay * 3,
            _ => self.plan.delay,
        };
        self.timers.push((now + delay, Timer::Final(branch.to_owned())));
    }

    fn refuse(&mut self, now: Duration, branch: &str, status: u16) {
        let Some(invite) = self.invites.get_mut(branch) else { return };
        invite.pending = false;
        let mut response = Message::respond_to(&invite.request, status, Some("refused"));
        challenge(&mut response, self.serial);
        self.serial += 1;
        self.responses.insert(branch.to_owned(), response.clone());
        self.timers.push((now + T1, Timer::RepeatRefusal(branch.to_owned(), response.clone(), T1, now + GIVE_UP)));
        self.outbox.push(response);
    }

    fn answer(&mut self, now: Duration, branch: &str, forks: u8) {
        let request = self.invites[branch].request.clone();
        let cseq = request.cseq().unwrap().number;
        for _ in 0..forks {
            self.serial += 1;
            let tag = format!("t{}-{}", self.address, self.serial).replace([':', '.'], "-");
            let mut response = Message::respond_to(&request, self.plan.status, Some(&tag));
            if self.plan.contact {
                response.push(Name::Contact, format_args!("<sip:phone@{}>", self.address));
            }
            let port = 4000;
            response.set_body("application/sdp", sdp(self.address, port).as_bytes());
            let dialog = self.dialogs.len();
            self.dialogs.push(FarDialog {
                tag,
                state: State::Up,
                unacknowledged: false,
                excused: false,
                invite: request.clone(),
                acked: Vec::new(),
                cseq: 1000,
                port,
            });
            self.repeat_answer(now, dialog, cseq, response);
            let whims = self.plan.whims;
            for (whim, delay) in whims {
                self.timers.push((now + delay, Timer::Whim(dialog, whim)));
            }
        }
        // The INVITE's transaction is over for the far end; repeats of it are absorbed.
        self.responses.remove(branch);
    }

    fn repeat_answer(&mut self, now: Duration, dialog: usize, cseq: u32, response: Message) {
        self.timers.push((now + T1, Timer::RepeatAnswer(dialog, cseq, response.clone(), T1, now + GIVE_UP)));
        self.outbox.push(response);
    }

    fn ack(&mut self, ack: &Message, branch: &str) {
        if let Some(invite) = self.invites.get_mut(branch) {
            invite.acked = true;
            return;
        }
        let cseq = ack.cseq().unwrap().number;
        if let Some(dialog) = self.dialogs.iter_mut().find(|dialog| dialog.tag == ack.to_tag()) {
            dialog.acked.push(cseq);
        }
    }

    fn cancel(&mut self, now: Duration, cancel: &Message, branch: &str) {
        let Some(invite) = self.invites.get(branch) else {
            self.outbox.push(Message::respond_to(cancel, 481, Some("none")));
            return;
        };
        let pending = invite.pending;
        if self.plan.outcome == Final::Mute {
            return;
        }
        self.outbox.push(Message::respond_to(cancel, 200, Some("early")));
        if pending && !matches!(self.plan.outcome, Final::Unending { .. }) {
            self.refuse(now, branch, 487);
        }
    }

    fn dialog_of(&self, message: &Message) -> Option<usize> {
        self.dialogs.iter().position(|dialog| dialog.tag == message.to_tag() && dialog.state == State::Up)
    }

    fn bye(&mut self, request: &Message, branch: &str) {
        if let Some(response) = self.responses.get(branch) {
            self.outbox.push(response.clone());
            return;
        }
        let signed = request.value(Name::Authorization).is_some();
        let status = match self.dialog_of(request) {
            None => 481,
            Some(_) if self.plan.bye_challenged && !signed => 401,
            Some(dialog) => {
                self.dialogs[dialog].state = State::Gone;
                200
            }
        };
        let mut response = Message::respond_to(request, status, None);
        if status == 401 {
            challenge(&mut response, 7);
        }
        if !(self.plan.bye_mute && status == 200) {
            self.responses.insert(branch.to_owned(), response.clone());
            self.outbox.push(response);
        }
    }

    fn reinvite(&mut self, now: Duration, request: &Message, branch: &str) {
        if self.invites.contains_key(branch) {
            if let Some(response) = self.responses.get(branch) {
                self.outbox.push(response.clone());
            }
            return;
        }
        self.invites.insert(branch.to_owned(), Invite { request: request.clone(), pending: true, acked: false });
        let Some(dialog) = self.dialog_of(request) else { return self.refuse(now, branch, 481) };
        let first = self.reinvited == 0;
        self.reinvited += 1;
        let signed = request.value(Name::Authorization).is_some();
        let own_pending = self.own.values().any(|own| own.request.method() == Some(&Method::Invite));
        let status = match self.plan.retake {
            _ if own_pending => 491,
            Retake::GlareFirst if first => 491,
            Retake::BusyFirst if first => 500,
            Retake::Refuse(status) => status,
            Retake::Challenge if !signed => 401,
            Retake::Mute => return,
            _ => 200,
        };
        if status != 200 {
            return self.refuse(now, branch, status);
        }
        if self.plan.retake == Retake::Moving {
            self.dialogs[dialog].port += 2;
        }
        self.invites.get_mut(branch).unwrap().pending = false;
        let mut response = Message::respond_to(request, 200, None);
        response.push(Name::Contact, format_args!("<sip:phone@{}>", self.address));
        let body = sdp(self.address, self.dialogs[dialog].port);
        response.set_body("application/sdp", body.as_bytes());
        self.repeat_answer(now, dialog, request.cseq().unwrap().number, response);
    }

    fn response(&mut self, response: &Message) {
        let branch = response.via().unwrap().branch().to_owned();
        let status = response.status().unwrap();
        let Some(own) = self.own.get(&branch) else { return };
        if status < 200 {
            return;
        }
        let invite = own.request.method() == Some(&Method::Invite);
        if invite {
            let mut ack = Message::request(Method::Ack, own.request.uri());
            let new = format!("{branch}a");
            let ack_branch = if status < 300 { &new } else { &branch };
            ack.push(Name::Via, format_args!("SIP/2.0/UDP {};branch={ack_branch}", self.address));
            for name in [Name::From, Name::To, Name::CallId] {
                ack.push_bytes(name, own.request.value(name).unwrap());
            }
            ack.push(Name::CSeq, CSeq { number: own.request.cseq().unwrap().number, method: Method::Ack });
            if own.offerless && status < 300 {
                let body = sdp(self.address, self.dialogs[own.dialog].port);
                ack.set_body("application/sdp", body.as_bytes());
            }
            self.outbox.push(ack);
        }
        if !invite || status >= 300 {
            self.own.remove(&branch);
        } else {
            // Kept: its 2xx may come again. It is no longer repeated nor in the way.
            let own = self.own.get_mut(&branch).unwrap();
            own.request.push_other("X-Done", 1);
        }
    }

    fn whim(&mut self, now: Duration, dialog: usize, whim: Whim) {
        if self.dialogs[dialog].state != State::Up {
            return;
        }
        let method = match whim {
            Whim::Nothing => return,
            Whim::HangUp => {
                self.dialogs[dialog].state = State::Gone;
                Method::Bye
            }
            Whim::Update => Method::Update,
            _ => Method::Invite,
        };
        if whim == Whim::Move {
            self.dialogs[dialog].port += 2;
        }
        let mut body = sdp(self.address, self.dialogs[dialog].port);
        if whim == Whim::Hold {
            body.push_str("a=sendonly\r\n");
        }
        self.ask(
            now,
            dialog,
            method.clone(),
            (!matches!(method, Method::Bye) && whim != Whim::Offerless).then_some(body),
        );
    }

    fn ask(&mut self, now: Duration, dialog: usize, method: Method, body: Option<String>) {
        self.serial += 1;
        let branch = format!("z9hG4bKfar{}.{}", self.address.port(), self.serial);
        let it = &mut self.dialogs[dialog];
        it.cseq += 1;
        let target = it.invite.contact().unwrap().to_owned();
        let mut request = Message::request(method.clone(), &target);
        request.push(Name::Via, format_args!("SIP/2.0/UDP {};branch={branch}", self.address));
        request.push(Name::From, format_args!("{};tag={}", text(it.invite.value(Name::To).unwrap()).unwrap(), it.tag));
        request.push_bytes(Name::To, it.invite.value(Name::From).unwrap());
        request.push(Name::CallId, it.invite.call_id());
        request.push(Name::CSeq, CSeq { number: it.cseq, method: method.clone() });
        if method == Method::Invite {
            request.push(Name::Contact, format_args!("<sip:phone@{}>", self.address));
        }
        let offerless = body.is_none();
        if let Some(body) = body {
            request.set_body("application/sdp", body.as_bytes());
        }
        self.outbox.push(request.clone());
        self.own.insert(branch.clone(), Own { request, dialog, offerless });
        self.timers.push((now + T1, Timer::RepeatOwn(branch, T1, now + GIVE_UP)));
    }

    pub(super) fn time(&mut self, now: Duration) {
        while let Some(at) = self.timers.iter().position(|(at, _)| *at <= now) {
            let (_, timer) = self.timers.swap_remove(at);
            self.fire(now, timer);
        }
    }

    fn fire(&mut self, now: Duration, timer: Timer) {
        match timer {
            Timer::Final(branch) => {
                if !self.invites[&branch].pending {
                    return;
                }
                match self.plan.outcome {
                    Final::Answer(forks) => {
                        self.invites.get_mut(&branch).unwrap().pending = false;
                        self.answer(now, &branch, forks);
                    }
                    Final::Unending { .. } => {
                        self.invites.get_mut(&branch).unwrap().pending = false;
                        self.answer(now, &branch, 1);
                    }
                    Final::Refuse(status) => self.refuse(now, &branch, status),
                    Final::Rings | Final::Mute => {}
                }
            }
            Timer::RepeatRefusal(branch, response, interval, until) => {
                if !self.invites[&branch].acked && now < until {
                    let interval = (interval * 2).min(T2);
                    self.outbox.push(response.clone());
                    self.timers.push((now + interval, Timer::RepeatRefusal(branch, response, interval, until)));
                }
            }
            Timer::RepeatAnswer(dialog, cseq, response, interval, until) => {
                if self.dialogs[dialog].acked.contains(&cseq) {
                    return;
                }
                if now < until {
                    let interval = (interval * 2).min(T2);
                    self.outbox.push(response.clone());
                    self.timers.push((now + interval, Timer::RepeatAnswer(dialog, cseq, response, interval, until)));
                } else {
                    self.dialogs[dialog].unacknowledged = true;
                    self.whim(now, dialog, Whim::HangUp);
                }
            }
            Timer::RepeatOwn(branch, interval, until) => {
                let Some(own) = self.own.get(&branch) else { return };
                if own.request.other("X-Done").is_some() {
                    if now >= until {
                        self.own.remove(&branch);
                    } else {
                        self.timers.push((until, Timer::RepeatOwn(branch, interval, until)));
                    }
                } else if now < until {
                    let interval = (interval * 2).min(T2);
                    self.outbox.push(own.request.clone());
                    self.timers.push((now + interval, Timer::RepeatOwn(branch, interval, until)));
                } else {
                    let (dialog, method) = (own.dialog, own.request.method().cloned());
                    self.own.remove(&branch);
                    // A silent peer ends the call (§14.1).
                    if method != Some(Method::Bye) {
                        self.whim(now, dialog, Whim::HangUp);
                    }
                }
            }
            Timer::Whim(dialog, whim) => self.whim(now, dialog, whim),
        }
    }

    /// Whether a phone rings that could have been cancelled.
    pub(super) fn is_left_ringing(&self) -> bool {
        let stops = self.plan.outcome == Final::Rings && self.plan.provisional.is_some();
        stops && self.invites.values().any(|invite| invite.pending && invite.request.to_tag().is_empty())
    }

    pub(super) fn excuse(&mut self, stored: &[String], ack_under_way: &[String]) {
        let acked = |dialog: &&mut FarDialog| !dialog.acked.is_empty() || ack_under_way.contains(&dialog.tag);
        for dialog in self.dialogs.iter_mut().filter(acked) {
            dialog.excused = !stored.contains(&dialog.tag);
        }
    }

    pub(super) fn is_moving(&self) -> bool {
        self.plan.retake == Retake::Moving || self.plan.whims.iter().any(|(whim, _)| *whim == Whim::Move)
    }

    pub(super) fn us(&self) -> SocketAddr {
        self.us
    }
}

fn challenge(response: &mut Message, nonce: u32) {
    let value = format!("Digest realm=\"far\", nonce=\"n{nonce}\", qop=\"auth\", algorithm=SHA-256");
    match response.status() {
        Some(401) => response.push(Name::WwwAuthenticate, value),
        Some(407) => response.push(Name::ProxyAuthenticate, value),
        Some(500) => response.push(Name::RetryAfter, 2),
        _ => {}
    }
}

fn sdp(address: SocketAddr, port: u16) -> String {
    let ip = address.ip();
    format!("v=0\r\no=far 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n")
}
