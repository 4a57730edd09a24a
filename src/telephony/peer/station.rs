//! All calls of one socket, and what was seen of them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    behaviour::Behaviour,
    call::{self, Call},
};
use crate::telephony::sip::{
    message::{Message, Method},
    transaction::Timing,
    uri::Uri,
};

/// Most calls that are remembered; more are refused with 503.
const CALLS_MAX: usize = 10_000;

/// Datagrams to send, and where to.
pub(super) type Outgoing = Vec<(SocketAddr, Vec<u8>)>;

/// Says what the called number or name does on its nth call, from 1.
pub(super) type Behaving = Box<dyn FnMut(&str, u64) -> Behaviour + Send>;

/// What a socket has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls offered, by number or name; a repeated INVITE counts once.
    pub offered: BTreeMap<String, u64>,
    /// Calls that are being offered or up.
    pub live: usize,
    /// The most at once.
    pub most_live: usize,
    /// Calls offered to a number that had a live call.
    pub doubled: u64,
}

impl Counts {
    /// All calls offered.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.offered.values().sum()
    }
}

/// The counts, as both sides hold them.
pub(super) type Shared = Arc<Mutex<Counts>>;

/// A copy of what has been counted.
pub(super) fn counts(shared: &Shared) -> Counts {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A call is known by its `Call-ID` and the caller's tag.
type Key = (String, String);

/// All calls of one socket.
pub(super) struct Station {
    address: SocketAddr,
    timing: Timing,
    behaving: Behaving,
    calls: BTreeMap<Key, Call>,
    made: u64,
    counts: Shared,
}

impl Station {
    pub(super) fn new(address: SocketAddr, behaving: Behaving, counts: Shared) -> Self {
        Self { address, timing: Timing::default(), behaving, calls: BTreeMap::new(), made: 0, counts }
    }

    /// A datagram came.
    pub(super) fn receive(&mut self, now: Duration, from: SocketAddr, datagram: Vec<u8>, out: &mut Outgoing) {
        match Message::parse(datagram) {
            Ok(message) if message.method().is_some() => self.request(now, from, message, out),
            Ok(response) => {
                let key = (response.call_id().to_owned(), response.to_tag().to_owned());
                if let Some(call) = self.calls.get_mut(&key) {
                    call.response(now, &self.timing, &response);
                }
            }
            Err(unusable) => {
                if let Some((status, request)) = unusable.answer {
                    out.push((from, Message::respond_to(&request, status, None).to_bytes()));
                }
            }
        }
    }

    fn request(&mut self, now: Duration, from: SocketAddr, mut request: Message, out: &mut Outgoing) {
        let from = request.stamp(from).unwrap_or(from);
        let key = (request.call_id().to_owned(), request.from_tag().to_owned());
        let station = call::Station { address: self.address, timing: &self.timing };
        if let Some(call) = self.calls.get_mut(&key) {
            let was_live = call.is_live();
            call.request((now, station), from, request, out);
            if was_live && !call.is_live() {
                self.ended();
            }
            return;
        }
        let status = match request.method() {
            Some(Method::Invite) if !request.to_tag().is_empty() => 481,
            Some(Method::Invite) if self.calls.len() < CALLS_MAX => return self.offered(now, from, key, request, out),
            Some(Method::Invite) => 503,
            Some(Method::Options) => 200,
            Some(Method::Ack) | None => return,
            Some(_) => 481,
        };
        out.push((from, Message::respond_to(&request, status, Some("peer")).to_bytes()));
    }

    fn offered(&mut self, now: Duration, from: SocketAddr, key: Key, invite: Message, out: &mut Outgoing) {
        let user = user_of(invite.uri()).to_owned();
        let doubled = self.calls.values().any(|call| call.is_live() && call.user() == user);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.live += 1;
        counts.most_live = counts.most_live.max(counts.live);
        counts.doubled += u64::from(doubled);
        let times = counts.offered.entry(user.clone()).or_default();
        *times += 1;
        let behaviour = (self.behaving)(&user, *times);
        drop(counts);
        self.made += 1;
        let station = call::Station { address: self.address, timing: &self.timing };
        self.calls.insert(key, Call::new((now, station), self.made, behaviour, (from, invite), out));
    }

    fn ended(&self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.live = counts.live.saturating_sub(1);
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, now: Duration, out: &mut Outgoing) {
        let station = call::Station { address: self.address, timing: &self.timing };
        let mut ended = 0;
        for call in self.calls.values_mut().filter(|call| call.deadline().is_some_and(|at| at <= now)) {
            let was_live = call.is_live();
            call.timeout((now, station), out);
            ended += usize::from(was_live && !call.is_live());
        }
        (0..ended).for_each(|_| self.ended());
        self.calls.retain(|_, call| !call.is_forgotten());
    }

    /// When [`Self::timeout`] is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.calls.values().filter_map(Call::deadline).min()
    }
}

/// The user part of a SIP URI, without parameters.
pub(super) fn user_of(uri: &str) -> &str {
    let user = Uri::parse(uri).map_or("", |uri| uri.user);
    user.split(';').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::behaviour::Refusal, *};
    use crate::telephony::sip::header::{Name, text};

    const OFFER: &str = "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\n";

    const CALLER: &str = "127.0.0.1:5060";

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A station with one number, and a caller of few words.
    struct World {
        station: Station,
        counts: Shared,
        tag: String,
    }

    impl World {
        fn new(behaviour: Behaviour) -> Self {
            let counts = Shared::default();
            let address = "127.0.0.1:5070".parse().unwrap();
            let station = Station::new(address, Box::new(move |_, _| behaviour), Shared::clone(&counts));
            Self { station, counts, tag: String::new() }
        }

        /// Sends a request, gets what comes back at once.
        fn send(&mut self, at: u64, method: &str, cseq: u32, branch: &str, body: &str) -> Vec<Message> {
            let tag = if self.tag.is_empty() { String::new() } else { format!(";tag={}", self.tag) };
            let text = format!(
                "{method} sip:+447700900001@127.0.0.1:5070;user=phone SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK{branch}\r\nFrom: <sip:me@{CALLER}>;tag=mine\r\n\
                 To: <sip:+447700900001@127.0.0.1>{tag}\r\nCall-ID: call\r\nCSeq: {cseq} {method}\r\n\
                 Contact: <sip:me@{CALLER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.receive(at, text)
        }

        fn receive(&mut self, at: u64, text: String) -> Vec<Message> {
            let mut out = Outgoing::new();
            self.station.receive(ms(at), CALLER.parse().unwrap(), text.into_bytes(), &mut out);
            self.came(out)
        }

        fn came(&mut self, out: Outgoing) -> Vec<Message> {
            let came: Vec<Message> = out.into_iter().map(|(_, bytes)| Message::parse(bytes).unwrap()).collect();
            if let Some(answer) = came.iter().find(|message| message.status().is_some_and(|status| status > 100)) {
                answer.to_tag().clone_into(&mut self.tag);
            }
            came
        }

        fn wait(&mut self, at: u64) -> Vec<Message> {
            let mut out = Outgoing::new();
            self.station.timeout(ms(at), &mut out);
            self.came(out)
        }

        fn invite(&mut self) -> Vec<u16> {
            statuses(&self.send(0, "INVITE", 1, "i", OFFER))
        }

        fn live(&self) -> usize {
            counts(&self.counts).live
        }
    }

    fn statuses(messages: &[Message]) -> Vec<u16> {
        messages.iter().map(|message| message.status().unwrap()).collect()
    }

    fn answering(talk: Option<Duration>) -> World {
        World::new(Behaviour::Answer { after: ms(200), talk })
    }

    #[test]
    fn it_answers_until_acknowledged_and_hangs_up_after_the_talk() {
        let mut world = answering(Some(ms(3000)));
        assert_eq!(world.invite(), [100, 180]);
        assert_eq!(world.station.deadline(), Some(ms(200)));
        let answer = world.wait(200).remove(0);
        assert_eq!((answer.status(), answer.contact()), (Some(200), Some("sip:+447700900001@127.0.0.1:5070")));
        assert!(text(answer.sdp().unwrap()).unwrap().contains("a=recvonly"));
        assert_eq!(world.station.deadline(), Some(ms(700)));
        assert_eq!(statuses(&world.wait(700)), [200]);
        assert_eq!(statuses(&world.wait(1700)), [200]);
        world.send(1800, "ACK", 1, "a", "");
        assert_eq!(statuses(&world.wait(3100)), [0_u16; 0]);
        let bye = world.wait(3200).remove(0);
        assert_eq!((bye.method(), bye.uri()), (Some(&Method::Bye), "sip:me@127.0.0.1:5060"));
        assert_eq!((bye.to_tag(), bye.from_tag(), bye.call_id()), ("mine", world.tag.as_str(), "call"));
        assert_eq!(world.live(), 0);
        assert_eq!(world.wait(3700).len(), 1);
        let response = Message::respond_to(&bye, 200, None).to_bytes();
        world.receive(3800, String::from_utf8(response).unwrap());
        assert_eq!(world.wait(9000).len(), 0);
        world.wait(60_000);
        assert_eq!((world.station.calls.len(), world.station.deadline()), (0, None));
    }

    #[test]
    fn a_repeated_invite_is_one_call() {
        let mut world = answering(None);
        world.invite();
        world.tag.clear();
        assert_eq!(world.invite(), [180]);
        world.wait(200);
        world.tag.clear();
        assert_eq!(world.invite(), [0_u16; 0]);
        let counts = counts(&world.counts);
        assert_eq!((counts.total(), counts.live, counts.most_live, counts.doubled), (1, 1, 1, 0));
        assert_eq!(counts.offered["+447700900001"], 1);
    }

    #[test]
    fn it_refuses_with_a_cause_until_acknowledged() {
        for (refusal, status, cause, first) in [
            (Refusal::Busy, 486, "cause=17", &[100][..]),
            (Refusal::Rejected, 603, "cause=21", &[100, 180]),
            (Refusal::Vacant, 404, "cause=1;", &[100]),
        ] {
            let mut world = World::new(Behaviour::Refuse { after: ms(50), refusal });
            assert_eq!(world.invite(), first);
            let refused = world.wait(50).remove(0);
            assert_eq!(refused.status(), Some(status));
            assert!(text(refused.value(Name::Reason).unwrap()).unwrap().contains(cause));
            assert_eq!(statuses(&world.wait(550)), [status]);
            world.send(560, "ACK", 1, "i", "");
            assert_eq!(world.wait(1600).len(), 0);
            assert_eq!(world.live(), 0);
            world.wait(40_000);
            assert_eq!(world.station.calls.len(), 0);
        }
    }

    #[test]
    fn it_rings_until_cancelled() {
        let mut world = World::new(Behaviour::RingOut);
        assert_eq!(world.invite(), [100, 180]);
        assert_eq!(world.station.deadline(), None);
        world.tag.clear();
        let came = world.send(5000, "CANCEL", 1, "i", "");
        assert_eq!(statuses(&came), [200, 487]);
        assert!(came[1].value(Name::Reason).is_none());
        assert_eq!(world.live(), 0);
        assert_eq!(statuses(&world.send(5001, "CANCEL", 1, "i", "")), [200]);
        assert_eq!(statuses(&world.send(5001, "CANCEL", 1, "other", "")), [481]);
    }

    #[test]
    fn a_cancel_that_comes_late_changes_nothing() {
        let mut world = answering(None);
        world.invite();
        world.wait(200);
        assert_eq!(statuses(&world.send(210, "CANCEL", 1, "i", "")), [200]);
        assert_eq!(world.live(), 1);
    }

    #[test]
    fn inside_a_call() {
        let mut world = answering(None);
        world.invite();
        world.wait(200);
        world.send(210, "ACK", 1, "a", "");
        let again = world.send(300, "INVITE", 2, "r", OFFER).remove(0);
        assert_eq!(again.status(), Some(200));
        assert!(again.sdp().is_some());
        assert_eq!(statuses(&world.wait(800)), [200]);
        world.send(810, "ACK", 2, "b", "");
        assert_eq!(world.wait(2000).len(), 0);
        assert_eq!(statuses(&world.send(2000, "INVITE", 1, "old", OFFER)), [500]);
        assert_eq!(statuses(&world.send(2001, "OPTIONS", 3, "o", "")), [200]);
        assert_eq!(statuses(&world.send(2001, "INFO", 4, "n", "")), [405]);
        assert_eq!(statuses(&world.send(2002, "BYE", 5, "y", "")), [200]);
        assert_eq!(world.live(), 0);
        assert_eq!(statuses(&world.send(2003, "BYE", 5, "y", "")), [200]);
    }

    #[test]
    fn an_answer_that_nobody_acknowledges_is_hung_up() {
        let mut world = answering(None);
        world.invite();
        let mut now = 0;
        let mut sent = 0;
        while world.live() == 1 {
            now = u64::try_from(world.station.deadline().unwrap().as_millis()).unwrap();
            sent += world.wait(now).iter().filter(|message| message.status() == Some(200)).count();
        }
        assert_eq!((now, sent), (32_200, 11));
    }

    #[test]
    fn of_no_call() {
        let mut world = answering(None);
        assert_eq!(statuses(&world.send(0, "OPTIONS", 1, "o", "")), [200]);
        world.tag = "gone".to_owned();
        assert_eq!(statuses(&world.send(0, "BYE", 1, "b", "")), [481]);
        assert_eq!(statuses(&world.send(0, "INVITE", 1, "b", "")), [481]);
        assert_eq!(world.send(0, "ACK", 1, "b", "").len(), 0);
        let newer = "OPTIONS sip:x@y SIP/7.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKv\r\nFrom: <sip:a@b>;tag=1\r\n\
            To: <sip:x@y>\r\nCall-ID: v\r\nCSeq: 1 OPTIONS\r\n\r\n";
        assert_eq!(statuses(&world.receive(0, newer.to_owned())), [505]);
        assert_eq!(counts(&world.counts), Counts::default());
    }
}
