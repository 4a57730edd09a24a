//! What `domain::call` promises, played step by step in virtual time against a peer that says exactly
//! what a test tells it to.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    endpoint::{Endpoint, In, Out},
    header::{CSeq, Name, text},
    message::{Message, Method},
    sdp::{self, Audio, Direction},
    settings::{Shared, SipSettings, TrunkSettings},
};
use crate::domain::{
    call::{
        ACKNOWLEDGE_UNASKED_AFTER, CallCommand, CallEvent, Destination, EndedBy, HangUpCause, LegEnd, LegIdentity,
        MediaOffer,
    },
    ids::{AgentId, Epoch, LegId, TrunkId},
    phone::E164,
};

const RING: Duration = Duration::from_secs(20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn leg(serial: u32) -> LegId {
    LegId { epoch: Epoch(1), serial }
}

fn agent(serial: u32) -> Destination {
    Destination::Agent { agent: AgentId::parse("a").unwrap(), sip: format!("sip:a@10.0.0.{}", 10 + serial) }
}

fn customer() -> Destination {
    Destination::Customer {
        number: E164::parse("+49301").unwrap(),
        caller_number: E164::parse("+49302").unwrap(),
        trunk: TrunkId::parse("t").unwrap(),
    }
}

fn media(host: u32, port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 10.0.1.{host}\r\ns=-\r\nc=IN IP4 10.0.1.{host}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8\r\na={direction}\r\n"
    )
}

/// An endpoint and what it has put out.
struct Play {
    now: Duration,
    shared: Arc<Shared>,
    endpoint: Endpoint,
    sent: Vec<(SocketAddr, Message)>,
    events: Vec<CallEvent>,
}

impl Play {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SipSettings)) -> Self {
        let us = "10.0.0.1:5060".parse().unwrap();
        let mut settings = SipSettings::new(us);
        let trunk =
            TrunkSettings { address: "10.0.0.9:5060".parse().unwrap(), domain: "trunk.test".into(), credential: None };
        settings.trunks.insert(TrunkId::parse("t").unwrap(), trunk);
        change(&mut settings);
        let shared = Shared::new(&settings, [2; 32], us, 4002);
        let endpoint = Endpoint::new(shared.clone());
        Self { now: Duration::ZERO, shared, endpoint, sent: Vec::new(), events: Vec::new() }
    }

    fn input(&mut self, input: In) {
        let mut out = Out::default();
        self.endpoint.input(self.now, input, &mut out);
        let parsed = |bytes: &[u8]| Message::parse(bytes.to_vec()).unwrap();
        self.sent.extend(out.packets.iter().map(|packet| (packet.to, parsed(&packet.bytes))));
        self.events.extend(out.events);
    }

    fn command(&mut self, command: CallCommand) {
        self.input(In::Command(command));
    }

    fn receive(&mut self, message: &Message) {
        self.input(In::Datagram { from: "10.0.0.9:5060".parse().unwrap(), bytes: message.to_bytes() });
    }

    /// Lets time pass, serving every deadline on the way.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(In::Time);
        }
        self.now = until;
    }

    /// The one message sent since the last look.
    #[track_caller]
    fn one(&mut self) -> Message {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.remove(0).1
    }

    #[track_caller]
    fn one_of(&mut self, method: &Method) -> Message {
        let message = self.one();
        assert_eq!(message.method(), Some(method));
        message
    }

    #[track_caller]
    fn silent(&self) {
        assert!(self.sent.is_empty() && self.events.is_empty(), "{:?} {:?}", self.sent, self.events);
    }

    #[track_caller]
    fn event(&mut self) -> CallEvent {
        assert_eq!(self.events.len(), 1, "{:?}", self.events);
        self.events.remove(0)
    }

    #[track_caller]
    fn end(&mut self) -> LegEnd {
        match self.event() {
            CallEvent::Ended { end, .. } => end,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    fn dial(&mut self, serial: u32, destination: Destination, offer: MediaOffer) -> Message {
        self.command(CallCommand::Dial { leg: leg(serial), destination, offer, ring: RING, send_within: None });
        self.one_of(&Method::Invite)
    }

    /// Dials and answers from `host`; its 200, unacknowledged as yet.
    fn answer(&mut self, serial: u32, destination: Destination, offer: MediaOffer) -> (Message, LegIdentity) {
        let invite = self.dial(serial, destination, offer);
        let ok = accept(&invite, serial, &media(serial, 4000, "sendrecv"));
        self.receive(&ok);
        match self.event() {
            CallEvent::Answered { identity, .. } => (ok, identity),
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    fn acknowledge(&mut self, serial: u32) {
        self.command(CallCommand::Acknowledge { leg: leg(serial) });
        self.one_of(&Method::Ack);
    }

    /// Agent 1 and customer 2, answered, acknowledged and bridged.
    fn pair(&mut self) -> (LegIdentity, LegIdentity) {
        let (_, one) = self.answer(1, agent(1), MediaOffer::Discard);
        self.acknowledge(1);
        let (_, two) = self.answer(2, customer(), MediaOffer::Of(leg(1)));
        self.acknowledge(2);
        self.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
        let reinvite = self.one_of(&Method::Invite);
        self.receive(&accept(&reinvite, 1, &media(1, 4000, "sendrecv")));
        self.one_of(&Method::Ack);
        assert_eq!(self.event(), CallEvent::Bridged { agent: leg(1), customer: leg(2) });
        (one, two)
    }

    #[track_caller]
    fn drained(&mut self) {
        self.pass(Duration::from_secs(70));
        assert_eq!(self.endpoint.counts(), (0, 0, 0));
    }
}

fn accept(invite: &Message, host: u32, body: &str) -> Message {
    let mut ok = Message::respond_to(invite, 200, Some(&format!("tag{host}")));
    ok.push(Name::Contact, format_args!("<sip:phone@10.0.1.{host}:5070>"));
    ok.set_body("application/sdp", body.as_bytes());
    ok
}

/// A request of the peer inside a call.
fn ask(identity: &LegIdentity, method: Method, cseq: u32, body: Option<&str>) -> Message {
    let mut request = Message::request(method.clone(), "sip:dialops@10.0.0.1:5060");
    request.push(Name::Via, format_args!("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{}{cseq}{method}", identity.call_id));
    let tag = identity.remote_tag.as_deref().unwrap();
    request.push(Name::From, format_args!("<{}>;tag={tag}", identity.remote_uri));
    request.push(Name::To, format_args!("<{}>;tag={}", identity.local_uri, identity.local_tag));
    request.push(Name::CallId, &identity.call_id);
    request.push(Name::CSeq, CSeq { number: cseq, method });
    if let Some(body) = body {
        request.set_body("application/sdp", body.as_bytes());
    }
    request
}

fn direction(message: &Message) -> Direction {
    Audio::of(message.sdp().unwrap()).unwrap().direction
}

fn value(message: &Message, name: Name) -> &str {
    text(message.value(name).unwrap()).unwrap()
}

#[test]
fn the_ack_waits_for_acknowledge() {
    let mut play = Play::new();
    let (ok, _) = play.answer(1, customer(), MediaOffer::Discard);
    play.pass(ms(200));
    play.receive(&ok);
    play.silent();
    play.command(CallCommand::Acknowledge { leg: leg(1) });
    let ack = play.one_of(&Method::Ack);
    assert_eq!(ack.uri(), "sip:phone@10.0.1.1:5070");
    play.command(CallCommand::Acknowledge { leg: leg(1) });
    play.silent();
    play.receive(&ok);
    assert_eq!(play.one_of(&Method::Ack).to_bytes(), ack.to_bytes(), "each repeat gets the same ACK");
}

#[test]
fn unasked_it_acknowledges_after_a_while() {
    let mut play = Play::new();
    play.answer(1, customer(), MediaOffer::Discard);
    play.pass(ACKNOWLEDGE_UNASKED_AFTER - ms(1));
    play.silent();
    play.pass(ms(1));
    play.one_of(&Method::Ack);
}

#[test]
fn a_hang_up_before_acknowledge_waits_for_it() {
    let mut play = Play::new();
    play.answer(1, customer(), MediaOffer::Discard);
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::NoAgent });
    // Dying now leaves a peer that repeats its answer, and once it is acknowledged the store knows it.
    play.silent();
    play.command(CallCommand::Acknowledge { leg: leg(1) });
    let methods: Vec<_> = play.sent.iter().map(|(_, message)| message.method().unwrap().clone()).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
    let bye = play.sent.pop().unwrap().1;
    assert_eq!(value(&bye, Name::Reason), "Q.850;cause=31");
    assert!(play.events.is_empty(), "not before the peer agrees");
    play.receive(&Message::respond_to(&bye, 200, None));
    assert_eq!((play.end().by, play.sent.len()), (EndedBy::Us, 1));
    play.drained();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_told_before_it_is_acknowledged() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    play.receive(&Message::respond_to(&invite, 100, None));
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::NoAnswer });
    play.one_of(&Method::Cancel);
    play.receive(&accept(&invite, 1, &media(1, 4000, "sendrecv")));
    assert!(matches!(play.event(), CallEvent::AnsweredInVain { identity, .. } if identity.remote_tag.is_some()));
    play.silent();
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::Normal });
    play.silent();
    play.command(CallCommand::Acknowledge { leg: leg(1) });
    let methods: Vec<_> = play.sent.iter().map(|(_, message)| message.method().unwrap().clone()).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
    let bye = play.sent.pop().unwrap().1;
    play.sent.clear();
    play.receive(&Message::respond_to(&bye, 200, None));
    let end = play.end();
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Us, true, true));
}

#[test]
fn legs_that_are_not_over_are_told_when_asked() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    play.command(CallCommand::Resync);
    assert_eq!(play.event(), CallEvent::Standing { legs: vec![leg(1)] });
    play.receive(&Message::respond_to(&invite, 486, None));
    play.end();
    play.command(CallCommand::Resync);
    assert_eq!(play.event(), CallEvent::Standing { legs: vec![] });
}

#[test]
fn a_repeated_dial_is_one_call() {
    let mut play = Play::new();
    let dial = |play: &mut Play| {
        play.command(CallCommand::Dial {
            leg: leg(1),
            destination: customer(),
            offer: MediaOffer::Discard,
            ring: RING,
            send_within: None,
        });
    };
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    dial(&mut play);
    play.silent();
    play.receive(&Message::respond_to(&invite, 486, Some("x")));
    assert_eq!(play.one_of(&Method::Ack).uri(), "sip:+49301@trunk.test");
    assert_eq!(play.end().status, Some(486));
    dial(&mut play);
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::Normal });
    play.silent();
    play.drained();
}

#[test]
fn too_many_legs_end_at_once() {
    let mut play = Play::with(|settings| settings.legs_max = 1);
    play.dial(1, customer(), MediaOffer::Discard);
    play.command(CallCommand::Dial {
        leg: leg(2),
        destination: customer(),
        offer: MediaOffer::Discard,
        ring: RING,
        send_within: None,
    });
    assert_eq!(play.end().by, EndedBy::Transport);
}

#[test]
fn what_can_not_be_sent_ends_the_leg() {
    let mut play = Play::new();
    play.dial(1, customer(), MediaOffer::Discard);
    play.input(In::Unsent(1));
    assert_eq!(play.end().by, EndedBy::Transport);
    play.drained();
}

#[test]
fn the_agents_reinvite_does_not_wait_for_the_customers_ack() {
    let mut play = Play::new();
    play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    play.answer(2, customer(), MediaOffer::Of(leg(1)));
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    let reinvite = play.one_of(&Method::Invite);
    assert!(sdp::same_audio(reinvite.sdp().unwrap(), media(2, 4000, "sendrecv").as_bytes()), "the customer's media");
    assert_eq!(value(&reinvite, Name::CSeq), "2 INVITE");
    // The agent moves, so the customer has to hear of it; but its ACK comes first.
    play.receive(&accept(&reinvite, 1, &media(1, 4002, "sendrecv")));
    play.one_of(&Method::Ack);
    play.silent();
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    play.silent();
    play.command(CallCommand::Acknowledge { leg: leg(2) });
    let (_, ack) = play.sent.remove(0);
    assert_eq!(ack.method(), Some(&Method::Ack));
    let second = play.one_of(&Method::Invite);
    assert!(sdp::same_audio(second.sdp().unwrap(), media(1, 4002, "sendrecv").as_bytes()), "the agent's new media");
    assert!(text(second.sdp().unwrap()).unwrap().contains(" 2 IN IP4 10.0.0.1\r\n"), "the version grows");
    play.receive(&accept(&second, 2, &media(2, 4000, "sendrecv")));
    play.one_of(&Method::Ack);
    assert_eq!(play.event(), CallEvent::Bridged { agent: leg(1), customer: leg(2) });
}

#[test]
fn a_pair_that_knows_each_other_is_bridged_at_once() {
    let mut play = Play::new();
    play.pair();
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    assert_eq!(play.event(), CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    assert!(play.sent.is_empty());
}

#[test]
fn a_bridge_names_who_refused() {
    let mut play = Play::new();
    let failed = |refused_by| CallEvent::BridgeFailed { agent: leg(1), customer: leg(2), refused_by: leg(refused_by) };
    let bridge = CallCommand::Bridge { agent: leg(1), customer: leg(2) };
    play.command(bridge.clone());
    assert_eq!(play.event(), failed(1), "unknown");
    play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    let invite = play.dial(2, customer(), MediaOffer::Of(leg(1)));
    play.command(bridge.clone());
    assert_eq!(play.event(), failed(2), "not answered yet");
    play.receive(&accept(&invite, 2, &media(2, 4000, "sendrecv")));
    play.event();
    play.command(bridge);
    let reinvite = play.one_of(&Method::Invite);
    play.receive(&Message::respond_to(&reinvite, 481, None));
    // The agent's phone no longer knows the call: the bridge fails, then the leg is hung up.
    assert_eq!(play.event(), failed(1));
    let bye = play.sent.pop().unwrap().1;
    assert_eq!(bye.method(), Some(&Method::Bye));
    play.receive(&Message::respond_to(&bye, 481, None));
    assert_eq!(play.end().by, EndedBy::Peer);
}

#[test]
fn an_answer_without_audio_can_not_be_bridged() {
    let mut play = Play::new();
    play.answer(1, agent(1), MediaOffer::Discard);
    let invite = play.dial(2, customer(), MediaOffer::Of(leg(1)));
    play.receive(&accept(&invite, 2, "v=0\r\nm=audio 0 RTP/AVP 8\r\n"));
    play.event();
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    let failed = CallEvent::BridgeFailed { agent: leg(1), customer: leg(2), refused_by: leg(2) };
    assert_eq!(play.event(), failed);
}

#[test]
fn media_of_a_183_holds_when_the_200_has_none() {
    let mut play = Play::new();
    play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    let invite = play.dial(2, customer(), MediaOffer::Of(leg(1)));
    let mut early = Message::respond_to(&invite, 183, Some("tag2"));
    early.set_body("application/sdp", media(2, 4000, "sendrecv").as_bytes());
    play.receive(&early);
    assert!(matches!(play.event(), CallEvent::Progress { ringing: true, .. }));
    let mut ok = Message::respond_to(&invite, 200, Some("tag2"));
    ok.push(Name::Contact, "<sip:phone@10.0.1.2>");
    play.receive(&ok);
    play.event();
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    let reinvite = play.one_of(&Method::Invite);
    assert!(sdp::same_audio(reinvite.sdp().unwrap(), media(2, 4000, "sendrecv").as_bytes()));
}

#[test]
fn hold_is_answered_and_passed_on_and_taken_back() {
    let mut play = Play::new();
    let (one, _) = play.pair();
    for (cseq, theirs, answered, passed) in [
        (1, "sendonly", Direction::RecvOnly, Some(Direction::SendOnly)),
        (2, "sendonly", Direction::RecvOnly, None),
        (3, "sendrecv", Direction::SendRecv, Some(Direction::SendRecv)),
    ] {
        play.receive(&ask(&one, Method::Invite, cseq, Some(&media(1, 4000, theirs))));
        let (_, response) = play.sent.remove(0);
        assert_eq!((response.status(), direction(&response)), (Some(200), answered));
        play.receive(&ask(&one, Method::Ack, cseq, None));
        let Some(passed) = passed else {
            play.silent();
            continue;
        };
        let reinvite = play.one_of(&Method::Invite);
        assert_eq!(direction(&reinvite), passed);
        let back = if passed == Direction::SendOnly { "recvonly" } else { "sendrecv" };
        play.receive(&accept(&reinvite, 2, &media(2, 4000, back)));
        play.one_of(&Method::Ack);
        play.silent();
    }
}

#[test]
fn an_update_moves_media_and_an_empty_one_only_the_target() {
    let mut play = Play::new();
    let (_, two) = play.pair();
    let mut update = ask(&two, Method::Update, 1, None);
    update.push(Name::Contact, "<sip:elsewhere@10.0.1.7:5077>");
    play.receive(&update);
    assert_eq!(play.one().status(), Some(200));
    play.receive(&ask(&two, Method::Update, 2, Some(&media(2, 4010, "sendrecv"))));
    assert_eq!(play.sent.remove(0).1.status(), Some(200));
    let reinvite = play.one_of(&Method::Invite);
    assert!(sdp::same_audio(reinvite.sdp().unwrap(), media(2, 4010, "sendrecv").as_bytes()));
    play.receive(&accept(&reinvite, 1, &media(1, 4000, "sendrecv")));
    play.one_of(&Method::Ack);
    play.command(CallCommand::HangUp { leg: leg(2), cause: HangUpCause::Normal });
    let (to, bye) = play.sent.remove(0);
    assert_eq!((to.to_string().as_str(), bye.uri()), ("10.0.1.7:5077", "sip:elsewhere@10.0.1.7:5077"));
}

#[test]
fn glare_and_order_inside_the_call() {
    let mut play = Play::new();
    let (_, one) = play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    let (_, two) = play.answer(2, customer(), MediaOffer::Of(leg(1)));
    // The customer's answer has no ACK yet.
    play.receive(&ask(&two, Method::Invite, 5, None));
    assert_eq!(play.one().status(), Some(491));
    play.command(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    play.one_of(&Method::Invite);
    for (method, cseq) in [(Method::Invite, 1), (Method::Update, 2)] {
        play.receive(&ask(&one, method, cseq, Some(&media(1, 4000, "sendrecv"))));
        assert_eq!(play.one().status(), Some(491));
    }
    play.receive(&ask(&one, Method::Options, 1, None));
    assert_eq!(play.one().status(), Some(500), "an older number");
    let mut stranger = one.clone();
    stranger.remote_tag = Some("other".into());
    play.receive(&ask(&stranger, Method::Options, 9, None));
    assert_eq!(play.one().status(), Some(481));
}

#[test]
fn a_reinvite_without_ack_is_repeated_and_then_the_call_is_hung_up() {
    let mut play = Play::new();
    let (_, one) = play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    play.receive(&ask(&one, Method::Invite, 1, None));
    let ok = play.one();
    assert!(ok.sdp().is_some(), "an INVITE without an offer gets ours");
    play.receive(&ask(&one, Method::Invite, 2, None));
    let refusal = play.one();
    assert_eq!((refusal.status(), refusal.value(Name::RetryAfter).is_some()), (Some(500), true));
    let mut refused_ack = ask(&one, Method::Ack, 2, None);
    refused_ack.remove(Name::Via);
    refused_ack.push_bytes(Name::Via, refusal.value(Name::Via).unwrap());
    play.receive(&refused_ack);
    play.pass(Duration::from_secs(31));
    let repeats = std::mem::take(&mut play.sent);
    assert_eq!(repeats.len(), 9);
    assert!(repeats.iter().all(|(_, message)| message.to_bytes() == ok.to_bytes()));
    play.pass(Duration::from_secs(2));
    let bye = play.sent.iter().find(|(_, message)| message.method() == Some(&Method::Bye)).unwrap().1.clone();
    play.receive(&Message::respond_to(&bye, 200, None));
    assert_eq!(play.end().by, EndedBy::Timeout);
}

#[test]
fn route_sets_are_reversed_frozen_and_followed() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let mut ok = accept(&invite, 1, &media(1, 4000, "sendrecv"));
    ok.push(Name::RecordRoute, "<sip:10.0.2.2;lr>, <sip:10.0.2.1:5080;lr>;x=y");
    play.receive(&ok);
    let CallEvent::Answered { identity, .. } = play.event() else { panic!("no answer") };
    assert_eq!(identity.routes, ["<sip:10.0.2.1:5080;lr>;x=y", "<sip:10.0.2.2;lr>"]);
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::Normal });
    for (to, message) in &play.sent {
        assert_eq!(to.to_string(), "10.0.2.1:5080");
        assert_eq!(message.uri(), "sip:phone@10.0.1.1:5070");
        let routes: Vec<_> = message.list(Name::Route).map(|route| text(route).unwrap()).collect();
        assert_eq!(routes, identity.routes);
    }
}

#[test]
fn a_strict_router_takes_the_place_of_the_request_uri() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let mut ok = accept(&invite, 1, &media(1, 4000, "sendrecv"));
    ok.push(Name::RecordRoute, "<sip:10.0.2.2;lr>");
    ok.push(Name::RecordRoute, "<sip:10.0.2.1>");
    play.receive(&ok);
    play.event();
    play.command(CallCommand::Acknowledge { leg: leg(1) });
    let (to, ack) = play.sent.remove(0);
    assert_eq!((to.to_string().as_str(), ack.uri()), ("10.0.2.1:5060", "sip:10.0.2.1"));
    let routes: Vec<_> = ack.list(Name::Route).map(|route| text(route).unwrap()).collect();
    assert_eq!(routes, ["<sip:10.0.2.2;lr>", "<sip:phone@10.0.1.1:5070>"]);
}

#[test]
fn a_peer_without_tags_is_served_too() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let mut ok = Message::respond_to(&invite, 200, None);
    ok.push(Name::Contact, "<sip:10.0.1.1>");
    play.receive(&ok);
    assert!(matches!(play.event(), CallEvent::Answered { .. }));
    play.acknowledge(1);
    play.receive(&ok);
    play.one_of(&Method::Ack);
}

#[test]
fn an_answer_after_everything_is_acknowledged_and_ended_and_a_forged_one_is_not() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let ok = accept(&invite, 1, &media(1, 4000, "sendrecv"));
    let mut next = Play::new();
    next.receive(&ok);
    next.silent();
    next.pass(ms(1000));
    next.receive(&ok);
    let (_, ack) = next.sent.remove(0);
    assert_eq!((ack.method(), value(&ack, Name::CSeq)), (Some(&Method::Ack), "1 ACK"));
    let bye = next.one_of(&Method::Bye);
    next.pass(ms(500));
    assert_eq!(next.one_of(&Method::Bye).to_bytes(), bye.to_bytes(), "a real transaction");
    next.receive(&Message::respond_to(&bye, 200, None));
    next.receive(&ok);
    next.one_of(&Method::Ack);
    next.drained();
    let mut forged = Message::respond_to(&invite, 200, Some("tag1"));
    forged.remove(Name::From);
    forged.push(Name::From, "<sip:dialops@10.0.0.1>;tag=0123456789abcdef");
    forged.push(Name::Contact, "<sip:victim@10.9.9.9>");
    next.receive(&forged);
    next.silent();
}

#[test]
fn a_phone_that_rings_after_everything_is_called_off() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let mut next = Play::new();
    let ringing = Message::respond_to(&invite, 180, Some("x"));
    next.receive(&ringing);
    let cancel = next.one_of(&Method::Cancel);
    for name in [Name::Via, Name::From, Name::To, Name::CallId] {
        assert_eq!(cancel.value(name), invite.value(name));
    }
    assert_eq!(cancel.uri(), invite.uri());
    next.receive(&ringing);
    next.receive(&Message::respond_to(&cancel, 200, Some("x")));
    next.silent();
    next.receive(&Message::respond_to(&invite, 487, Some("x")));
    next.one_of(&Method::Ack);
    next.receive(&ringing);
    next.silent();
    next.drained();
}

#[test]
fn a_peer_whose_answer_fits_no_call_can_not_hold_the_leg() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let mut ok = accept(&invite, 1, &media(1, 4000, "sendrecv"));
    ok.remove(Name::From);
    ok.push(Name::From, "<sip:x@y>;tag=other");
    play.receive(&ok);
    play.pass(RING + Duration::from_secs(32));
    let end = play.end();
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Timeout, false, false));
    play.drained();
}

#[test]
fn forks_are_capped() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    for fork in 1..100 {
        play.receive(&accept(&invite, fork, &media(fork, 4000, "sendrecv")));
    }
    let byes = play.sent.iter().filter(|(_, message)| message.method() == Some(&Method::Bye)).count();
    assert_eq!(byes, 11);
}

#[test]
fn a_take_down_ends_in_64_t1() {
    let mut play = Play::new();
    let (_, identity) = play.answer(1, customer(), MediaOffer::Discard);
    for answered in [false, true] {
        let mut next = Play::new();
        next.command(CallCommand::TakeDown { leg: leg(1), identity: identity.clone(), answered });
        let first = next.one();
        if answered {
            assert_eq!((first.method(), value(&first, Name::CSeq)), (Some(&Method::Bye), "101 BYE"));
        } else {
            // Nothing is known of an answer but the tag; the 481 says that it was answered.
            assert_eq!((first.method(), value(&first, Name::CSeq)), (Some(&Method::Cancel), "1 CANCEL"));
            assert_eq!(first.to_tag(), "");
            next.pass(Duration::from_secs(30));
            next.sent.clear();
            next.receive(&Message::respond_to(&first, 481, None));
            assert_eq!(value(&next.one_of(&Method::Bye), Name::CSeq), "101 BYE");
        }
        next.pass(Duration::from_secs(32));
        assert_eq!(next.end().by, EndedBy::Us);
        next.drained();
    }
}

#[test]
fn a_take_down_that_is_answered_is_told_before_it_is_acknowledged() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    play.receive(&Message::respond_to(&invite, 180, Some("tag1")));
    let CallEvent::Progress { identity, .. } = play.event() else { panic!("it rings") };
    let mut next = Play::new();
    next.command(CallCommand::TakeDown { leg: leg(1), identity, answered: false });
    let cancel = next.one_of(&Method::Cancel);
    next.receive(&Message::respond_to(&cancel, 200, Some("tag1")));
    next.silent();
    next.receive(&accept(&invite, 1, &media(1, 4000, "sendrecv")));
    let told = next.event();
    assert!(matches!(&told, CallEvent::AnsweredInVain { identity, .. } if identity.target_uri != identity.remote_uri));
    next.silent();
    next.command(CallCommand::Acknowledge { leg: leg(1) });
    let methods: Vec<_> = next.sent.iter().map(|(_, message)| message.method().unwrap().clone()).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
}

#[test]
fn a_take_down_repeats_what_was_sent() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let identity = {
        let names = play.shared.key.leg(leg(1));
        super::dialog::Dialog::to(&play.shared, &names, &customer()).unwrap().first_identity()
    };
    let mut next = Play::new();
    next.command(CallCommand::TakeDown { leg: leg(1), identity: identity.clone(), answered: false });
    next.command(CallCommand::TakeDown { leg: leg(1), identity, answered: false });
    let cancel = next.one_of(&Method::Cancel);
    for name in [Name::Via, Name::From, Name::To, Name::CallId] {
        assert_eq!(cancel.value(name), invite.value(name));
    }
    assert_eq!(cancel.uri(), invite.uri());
    next.receive(&Message::respond_to(&invite, 487, Some("x")));
    let ack = next.one_of(&Method::Ack);
    assert_eq!((ack.value(Name::Via), ack.to_tag()), (invite.value(Name::Via), "x"));
    let end = next.end();
    assert_eq!((end.by, end.cancelled, end.status), (EndedBy::Us, true, Some(487)));
    next.drained();
}

#[test]
fn a_malformed_identity_ends_at_once() {
    let mut play = Play::new();
    let (_, identity) = play.answer(1, customer(), MediaOffer::Discard);
    for broken in [
        LegIdentity { peer: "nowhere".into(), ..identity.clone() },
        LegIdentity { target_uri: "sip:x\r\nEvil: y".into(), ..identity.clone() },
        LegIdentity { branch: String::new(), ..identity },
    ] {
        let mut next = Play::new();
        next.command(CallCommand::TakeDown { leg: leg(1), identity: broken, answered: true });
        assert_eq!(next.end().by, EndedBy::Transport);
    }
}

#[test]
fn byes_that_cross_end_the_call_once() {
    let mut play = Play::new();
    let (_, one) = play.answer(1, agent(1), MediaOffer::Discard);
    play.acknowledge(1);
    play.command(CallCommand::HangUp { leg: leg(1), cause: HangUpCause::Normal });
    play.one_of(&Method::Bye);
    play.receive(&ask(&one, Method::Bye, 1, None));
    assert_eq!(play.one().status(), Some(200));
    assert_eq!(play.end().by, EndedBy::Us);
    play.receive(&ask(&one, Method::Bye, 1, None));
    assert_eq!(play.one().status(), Some(200), "repeated");
    play.drained();
}

#[test]
fn a_bye_that_overtakes_its_200_counts_as_answered_and_gone() {
    let mut play = Play::new();
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    let ok = accept(&invite, 1, &media(1, 4000, "sendrecv"));
    let names = play.shared.key.leg(leg(1));
    let mut identity = super::dialog::Dialog::to(&play.shared, &names, &customer()).unwrap().first_identity();
    identity.remote_tag = Some("tag1".into());
    play.receive(&ask(&identity, Method::Bye, 1, None));
    assert_eq!(play.one().status(), Some(200));
    play.receive(&ok);
    play.one_of(&Method::Ack);
    let end = play.end();
    assert_eq!((end.by, end.answered), (EndedBy::Peer, true));
}

#[test]
fn strangers_off_the_list_are_not_heard() {
    let mut play = Play::with(|settings| {
        settings.sources.insert("10.7.7.7".parse().unwrap());
    });
    let invite = play.dial(1, customer(), MediaOffer::Discard);
    play.receive(&Message::respond_to(&invite, 486, Some("x")));
    play.silent();
}
