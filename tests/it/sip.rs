//! The SIP gateway against real peers: SIPp plays trunks and phones on loopback, each by a scenario
//! under `tests/fixtures/sipp`. A peer by hand stands in where SIPp can't check (digests).

#![allow(clippy::unwrap_used, reason = "a test that fails says enough")]

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use dialops::{
    clock::Clock,
    domain::{
        call::{CallCommand, CallEvent, Destination, EndedBy, HangUpCause, LegEnd, LegIdentity, MediaOffer},
        ids::{AgentId, Epoch, LegId, TrunkId},
        phone::E164,
        results::{CallResult, result_of},
    },
    telephony::{
        CallEvents, CallGateway,
        sip::{Credential, SipGateway, SipSettings, TrunkSettings, spawn},
    },
};

/// Longest wait for an event.
const PATIENCE: Duration = Duration::from_secs(20);

const KEY: [u8; 32] = [3; 32];

/// A SIPp with a scenario, that plays one call and then ends.
struct Sipp {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
    /// Port of its media; each has its own, since tests run side by side.
    media: u16,
}

/// A port that is free together with the one for RTCP's stream beside it, as SIPp wants them.
fn media_port() -> u16 {
    loop {
        let port = free_port().port() & !1;
        let bound = [port, port + 2].map(|port| UdpSocket::bind(("127.0.0.1", port)));
        if bound.iter().all(Result::is_ok) {
            return port;
        }
    }
}

fn free_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Sipp {
    /// Starts it with more options; `[key]` is filled in here for each `-key`, since SIPp wants a
    /// number where it reads a status.
    fn start(scenario: &str, more: &[&str]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sipp").join(format!("{scenario}.xml"));
        let mut text = std::fs::read_to_string(file).unwrap();
        let mut options = Vec::new();
        let mut words = more.iter();
        while let Some(word) = words.next() {
            if *word == "-key" {
                let (key, value) = (words.next().unwrap(), words.next().unwrap());
                text = text.replace(&format!("[{key}]"), value);
            } else {
                options.push(*word);
            }
        }
        let (address, media) = (free_port(), media_port());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.xml");
        std::fs::write(&file, text).unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(file)
            .args(["-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "30", "-timeout_error", "-trace_msg"])
            .args(["-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"])
            .args(["-p", &address.port().to_string(), "-mp", &media.to_string()])
            .args(options)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("SIPp starts (Debian package sip-tester)");
        let sipp = Self { child, address, folder, media };
        sipp.await_bound();
        sipp
    }

    /// Looks without binding the port itself: SIPp may want it in that very moment.
    fn await_bound(&self) {
        let port = format!(":{:04X} ", self.address.port());
        for _ in 0..1000 {
            if std::fs::read_to_string("/proc/net/udp").unwrap().contains(&port) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("SIPp did not open {}", self.address);
    }

    /// Waits for its end and tells whether its scenario went as written.
    fn finish(mut self) -> Result<String, String> {
        let status = self.child.wait().unwrap();
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let messages = read("messages.log");
        if status.success() { Ok(messages) } else { Err(format!("{status}: {}\n{messages}", read("errors.log"))) }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn leg(serial: u32) -> LegId {
    LegId { epoch: Epoch(1), serial }
}

fn phone(address: SocketAddr) -> Destination {
    Destination::Agent { agent: AgentId::parse("ann").unwrap(), sip: format!("sip:ann@{address}") }
}

fn customer() -> Destination {
    Destination::Customer {
        number: E164::parse("+4930000001").unwrap(),
        caller_number: E164::parse("+4930000002").unwrap(),
        trunk: TrunkId::parse("trunk").unwrap(),
    }
}

struct World {
    gateway: SipGateway,
    events: CallEvents,
}

impl World {
    fn new(trunk: SocketAddr, change: impl FnOnce(&mut SipSettings)) -> Self {
        let mut settings = SipSettings::new("127.0.0.1:0".parse().unwrap());
        let trunk = TrunkSettings { address: trunk, domain: trunk.to_string(), credential: None };
        settings.trunks.insert(TrunkId::parse("trunk").unwrap(), trunk);
        change(&mut settings);
        let (gateway, events) = spawn(&settings, KEY, Clock::system()).unwrap();
        Self { gateway, events }
    }

    fn submit(&self, command: CallCommand) {
        self.gateway.submit(command).unwrap();
    }

    fn dial(&self, serial: u32, destination: Destination, offer: MediaOffer, ring: Duration) {
        self.submit(CallCommand::Dial { leg: leg(serial), destination, offer, ring, send_within: None });
    }

    fn hang_up(&self, serial: u32) {
        self.submit(CallCommand::HangUp { leg: leg(serial), cause: HangUpCause::Normal });
    }

    async fn event(&mut self) -> CallEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a live gateway")
    }

    async fn answered(&mut self, serial: u32) -> LegIdentity {
        loop {
            match self.event().await {
                CallEvent::Answered { leg: answered, identity } if answered == leg(serial) => return identity,
                CallEvent::Progress { .. } => {}
                other => panic!("expected an answer, got {other:?}"),
            }
        }
    }

    async fn ended(&mut self, serial: u32) -> LegEnd {
        loop {
            match self.event().await {
                CallEvent::Ended { leg: ended, end } if ended == leg(serial) => return end,
                CallEvent::Progress { .. } => {}
                other => panic!("expected an end, got {other:?}"),
            }
        }
    }
}

/// Dials one customer at a SIPp with that scenario.
fn calling(scenario: &str, more: &[&str], ring: Duration) -> (World, Sipp) {
    let sipp = Sipp::start(scenario, more);
    let world = World::new(sipp.address, |settings| {
        // A tenth of the RFC's timers, where a scenario lets them run out.
        settings.timing.t1 = Duration::from_millis(50);
        let trunk = settings.trunks.values_mut().next().unwrap();
        trunk.credential = Some(Credential { username: "dialops".into(), password: "secret".to_owned().into() });
    });
    world.dial(1, customer(), MediaOffer::Discard, ring);
    (world, sipp)
}

const OK: &[&str] = &["-key", "status", "200 OK"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rings_answers_and_is_hung_up() {
    let sipp = Sipp::start("answers", OK);
    let mut world = World::new(sipp.address, |_| {});
    let first = world.gateway.identity(leg(1), &customer());
    world.dial(1, customer(), MediaOffer::Discard, PATIENCE);
    let CallEvent::Progress { ringing: true, identity, .. } = world.event().await else { panic!("it should ring") };
    assert_eq!(LegIdentity { remote_tag: None, ..identity.clone() }, first);
    let answered = world.answered(1).await;
    assert_eq!(answered.remote_tag, identity.remote_tag);
    assert_eq!(answered.target_uri, format!("sip:phone@{}", sipp.address));
    world.submit(CallCommand::Acknowledge { leg: leg(1) });
    world.hang_up(1);
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Us, true, false));
    let messages = sipp.finish().unwrap();
    assert!(messages.contains("Reason: Q.850;cause=16"), "{messages}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_2xx_is_an_answer() {
    let (mut world, sipp) = calling("answers", &["-key", "status", "202 Accepted"], PATIENCE);
    world.answered(1).await;
    world.hang_up(1);
    assert!(world.ended(1).await.answered);
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_come_with_their_reason() {
    for (status, reason, wanted) in [
        ("486 Busy Here", "Q.850;cause=17;text=\"User busy\"", CallResult::Busy),
        ("603 Decline", "SIP;cause=603", CallResult::Rejected),
        ("500 Oops", "SIP;cause=500, Q.850;cause=1", CallResult::Vacant),
        ("401 Unauthorized", "x", CallResult::NetworkFailure),
    ] {
        let (mut world, sipp) = calling("refuses", &["-key", "status", status, "-key", "reason", reason], PATIENCE);
        let end = world.ended(1).await;
        assert_eq!(end.status, status[..3].parse().ok());
        assert_eq!((end.by, end.retry_after, end.reason.as_deref()), (EndedBy::Peer, Some(30), Some(reason)));
        assert_eq!(result_of(&end).0, wanted, "{status}");
        sipp.finish().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_contact_is_put_down() {
    let (mut world, sipp) = calling("no_contact", &[], PATIENCE);
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered), (EndedBy::Protocol, true));
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ring_limit_cancels() {
    let (mut world, sipp) = calling("rings", &[], Duration::from_millis(300));
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.cancelled, end.status), (EndedBy::Us, false, true, Some(487)));
    assert!(sipp.finish().unwrap().contains("Reason: Q.850;cause=19"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_cancels_a_ringing_phone() {
    let (mut world, sipp) = calling("rings", &[], PATIENCE);
    let CallEvent::Progress { ringing: true, .. } = world.event().await else { panic!("it should ring") };
    world.hang_up(1);
    assert_eq!(world.ended(1).await.by, EndedBy::Us);
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_that_never_ends_is_given_up() {
    let (mut world, sipp) = calling("cancel_without_final", &[], Duration::from_millis(200));
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Timeout, false, true));
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_crosses_the_cancel_is_put_down() {
    let (mut world, sipp) = calling("crossing", &[], Duration::from_millis(200));
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Us, true, true));
    assert_eq!(result_of(&end).0, CallResult::Abandoned);
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fork_that_loses_is_put_down() {
    let (mut world, sipp) = calling("fork", &[], PATIENCE);
    world.answered(1).await;
    world.submit(CallCommand::Acknowledge { leg: leg(1) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.hang_up(1);
    assert_eq!(world.ended(1).await.by, EndedBy::Us);
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peers_hang_up_is_told_with_its_reason() {
    let (mut world, sipp) = calling("hangs_up", &[], PATIENCE);
    world.answered(1).await;
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.q850), (EndedBy::Peer, true, Some(31)));
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_may_ask_inside_the_call() {
    let (mut world, sipp) = calling("asks", &[], PATIENCE);
    world.answered(1).await;
    world.submit(CallCommand::Acknowledge { leg: leg(1) });
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.hang_up(1);
    assert_eq!(world.ended(1).await.by, EndedBy::Us);
    let messages = sipp.finish().unwrap();
    assert!(messages.contains("Unsupported: 100rel"), "{messages}");
}

/// An agent at a SIPp with `scenario`, and a customer who answers; both answered.
async fn pair(scenario: &str) -> (World, Sipp, Sipp) {
    let more = ["-key", "status", "200 OK"];
    let (agent, trunk) = (Sipp::start(scenario, &more), Sipp::start("answers", &more));
    let mut world = World::new(trunk.address, |_| {});
    world.dial(1, phone(agent.address), MediaOffer::Discard, PATIENCE);
    world.answered(1).await;
    world.submit(CallCommand::Acknowledge { leg: leg(1) });
    world.dial(2, customer(), MediaOffer::Of(leg(1)), PATIENCE);
    world.answered(2).await;
    (world, agent, trunk)
}

const BRIDGE: CallCommand =
    CallCommand::Bridge { agent: LegId { epoch: Epoch(1), serial: 1 }, customer: LegId { epoch: Epoch(1), serial: 2 } };

async fn hang_up_both(mut world: World) {
    for serial in [1, 2] {
        world.hang_up(serial);
        assert_eq!(world.ended(serial).await.by, EndedBy::Us);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_glare_is_tried_again() {
    let (mut world, agent, trunk) = pair("glare").await;
    world.submit(BRIDGE);
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    hang_up_both(world).await;
    agent.finish().unwrap();
    trunk.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_bridge_leaves_both_up() {
    let (mut world, agent, trunk) = pair("refuses_reinvite").await;
    world.submit(BRIDGE);
    let failed = CallEvent::BridgeFailed { agent: leg(1), customer: leg(2), refused_by: leg(1) };
    assert_eq!(world.event().await, failed);
    hang_up_both(world).await;
    agent.finish().unwrap();
    trunk.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_agent_rescues_an_answered_customer() {
    let (mut world, lost, trunk) = pair("answers").await;
    world.submit(BRIDGE);
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    let rescuer = Sipp::start("answers", &["-key", "status", "200 OK"]);
    world.hang_up(1);
    world.ended(1).await;
    world.dial(3, phone(rescuer.address), MediaOffer::Discard, PATIENCE);
    world.answered(3).await;
    world.submit(CallCommand::Bridge { agent: leg(3), customer: leg(2) });
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(3), customer: leg(2) });
    for serial in [2, 3] {
        world.hang_up(serial);
        world.ended(serial).await;
    }
    lost.finish().unwrap();
    let (rescuers, trunks) = (format!("m=audio {}", rescuer.media), format!("m=audio {}", trunk.media));
    assert!(rescuer.finish().unwrap().contains(&trunks), "the rescuer hears the customer");
    assert!(trunk.finish().unwrap().contains(&rescuers), "the customer hears the rescuer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_verifies_an_md5_answer() {
    let (mut world, sipp) = calling("challenges", &[], PATIENCE);
    world.answered(1).await;
    world.hang_up(1);
    assert_eq!(world.ended(1).await.by, EndedBy::Us);
    sipp.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_life_takes_down_what_was_left() {
    for (scenario, answered) in [("rings", false), ("answers", true)] {
        let sipp = Sipp::start(scenario, OK);
        let mut first = World::new(sipp.address, |_| {});
        first.dial(1, customer(), MediaOffer::Discard, PATIENCE);
        let identity = if answered {
            first.answered(1).await
        } else {
            let CallEvent::Progress { identity, .. } = first.event().await else { panic!("it should ring") };
            identity
        };
        if answered {
            first.submit(CallCommand::Acknowledge { leg: leg(1) });
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let local = first.gateway.local_address();
        drop(first);
        // Its socket closes when its actor has noticed.
        let mut second = loop {
            let settings = SipSettings::new(local);
            if let Ok((gateway, events)) = spawn(&settings, KEY, Clock::system()) {
                break World { gateway, events };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        second.submit(CallCommand::TakeDown { leg: leg(1), identity, answered });
        let end = second.ended(1).await;
        assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Us, answered, !answered));
        assert!(sipp.finish().unwrap().contains("Reason: Q.850;cause=41"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_life_puts_down_an_answer_it_never_heard_of() {
    let sipp = Sipp::start("repeats_its_answer", &[]);
    let mut first = World::new(sipp.address, |_| {});
    first.dial(1, customer(), MediaOffer::Discard, PATIENCE);
    first.answered(1).await;
    let local = first.gateway.local_address();
    drop(first);
    let _second = loop {
        if let Ok(opened) = spawn(&SipSettings::new(local), KEY, Clock::system()) {
            break opened;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    // The scenario passes when its repeated 200 has got its ACK and the BYE.
    tokio::task::spawn_blocking(move || sipp.finish().unwrap()).await.unwrap();
}

/// A peer by hand on its own port.
struct Hand(UdpSocket);

impl Hand {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next datagram as lines.
    fn receive(&self) -> (String, SocketAddr) {
        let mut buffer = [0; 65_535];
        let (length, from) = self.0.recv_from(&mut buffer).expect("a datagram in time");
        (String::from_utf8(buffer[..length].to_vec()).unwrap(), from)
    }

    fn receive_a(&self, method: &str) -> (String, SocketAddr) {
        loop {
            let (text, from) = self.receive();
            if text.starts_with(&format!("{method} ")) {
                return (text, from);
            }
        }
    }

    fn respond(&self, request: &str, to: SocketAddr, status: &str, more: &str) {
        let copied: String = request
            .lines()
            .filter(|line| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let to_header = header(request, "To");
        let tag = if to_header.contains("tag=") { "" } else { ";tag=hand" };
        let text = format!("SIP/2.0 {status}\r\n{copied}To: {to_header}{tag}\r\n{more}");
        self.0.send_to(text.as_bytes(), to).unwrap();
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {message}"))
}

fn parameter(value: &str, name: &str) -> String {
    let found = value.split(", ").find_map(|part| part.trim_start_matches("Digest ").strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// RFC 7616 §3.4.1 with qop=auth, written out once more.
fn expected(hash: &dyn Fn(String) -> String, method: &str, value: &str) -> String {
    let quoted = |name: &str| parameter(value, name).trim_matches('"').to_owned();
    let a1 = hash(format!("dialops:{}:secret", quoted("realm")));
    let a2 = hash(format!("{method}:{}", quoted("uri")));
    let (nc, qop) = (parameter(value, "nc"), parameter(value, "qop"));
    hash(format!("{a1}:{}:{nc}:{}:{qop}:{a2}", quoted("nonce"), quoted("cnonce")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5_hex(text: String) -> String {
    use md5::Digest as _;
    hex(&md5::Md5::digest(text.as_bytes()))
}

fn sha_hex(text: String) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(text.as_bytes()))
}

/// Challenges INVITE and BYE and checks every digest.
fn challenging(hand: &Hand, status: &str, challenge: &str, proof: &str, hash: &dyn Fn(String) -> String) {
    let contact = format!("Contact: <sip:hand@{}>\r\n\r\n", hand.address());
    let check = |method: &str, request: &str, nc: &str| {
        let value = header(request, proof);
        assert_eq!(parameter(value, "response").trim_matches('"'), expected(hash, method, value));
        assert_eq!((parameter(value, "qop").as_str(), parameter(value, "nc").as_str()), ("auth", nc), "unquoted");
        assert_eq!(parameter(value, "uri").trim_matches('"'), request.split(' ').nth(1).unwrap());
        value.to_owned()
    };
    let (invite, us) = hand.receive_a("INVITE");
    hand.respond(&invite, us, status, &format!("{challenge}\r\n"));
    hand.receive_a("ACK");
    let (signed, us) = hand.receive_a("INVITE");
    assert_eq!(header(&signed, "Call-ID"), header(&invite, "Call-ID"));
    assert_eq!((header(&invite, "CSeq"), header(&signed, "CSeq")), ("1 INVITE", "2 INVITE"));
    let value = check("INVITE", &signed, "00000001");
    hand.respond(&signed, us, "200 OK", &contact);
    let (ack, _) = hand.receive_a("ACK");
    assert_eq!(header(&ack, proof), value, "the ACK repeats the INVITE's credentials");
    let (bye, us) = hand.receive_a("BYE");
    check("BYE", &bye, "00000002");
    hand.respond(&bye, us, status, &(challenge.to_owned() + "\r\n").replace("nonce=\"", "stale=true, nonce=\"new"));
    let (bye, us) = hand.receive_a("BYE");
    let value = check("BYE", &bye, "00000001");
    assert!(value.contains("nonce=\"new"), "{value}");
    hand.respond(&bye, us, "200 OK", "\r\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_challenges_of_servers_and_proxies() {
    let md5 = "Digest realm=\"hand\", nonce=\"n1\", algorithm=MD5, qop=\"auth\", opaque=\"o\"\r\n";
    let sha = "Digest realm=\"hand\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth,auth-int\"\r\n";
    let server = |value: &str| format!("WWW-Authenticate: {value}");
    let proxy = |value: &str| format!("Proxy-Authenticate: {value}");
    for (status, challenge, proof, strong) in [
        ("401 Unauthorized", server(md5), "Authorization", false),
        ("401 Unauthorized", server(md5) + &server(sha), "Authorization", true),
        ("407 Proxy Authentication Required", proxy(md5), "Proxy-Authorization", false),
        ("407 Proxy Authentication Required", proxy(sha) + &proxy(md5), "Proxy-Authorization", true),
    ] {
        let hand = Hand::new();
        let mut world = World::new(hand.address(), |settings| {
            let credential = Credential { username: "dialops".into(), password: "secret".to_owned().into() };
            settings.trunks.values_mut().next().unwrap().credential = Some(credential);
        });
        let checks = std::thread::spawn(move || {
            let hash: &dyn Fn(String) -> String = if strong { &sha_hex } else { &md5_hex };
            challenging(&hand, status, &challenge, proof, hash);
        });
        world.dial(1, customer(), MediaOffer::Discard, PATIENCE);
        let CallEvent::Progress { ringing: false, identity, .. } = world.event().await else { panic!("challenged") };
        assert_eq!(identity.cseq, 2);
        world.answered(1).await;
        world.hang_up(1);
        assert_eq!(world.ended(1).await.by, EndedBy::Us);
        checks.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_tried_once() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |settings| {
        let credential = Credential { username: "dialops".into(), password: "wrong".to_owned().into() };
        settings.trunks.values_mut().next().unwrap().credential = Some(credential);
    });
    let peer = std::thread::spawn(move || {
        for nonce in 1..=2 {
            let (invite, us) = hand.receive_a("INVITE");
            let more = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"\r\n\r\n");
            hand.respond(&invite, us, "401 Unauthorized", &more);
            hand.receive_a("ACK");
        }
    });
    world.dial(1, customer(), MediaOffer::Discard, PATIENCE);
    assert_eq!(world.ended(1).await.status, Some(401));
    peer.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_times_out() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |settings| settings.timing.t1 = Duration::from_millis(20));
    world.dial(1, customer(), MediaOffer::Discard, PATIENCE);
    let end = world.ended(1).await;
    assert_eq!((end.by, end.answered, end.cancelled), (EndedBy::Timeout, false, false));
    assert_eq!(result_of(&end).0, CallResult::NetworkFailure);
}

/// The hours that admitted a call also bound its repeats and its answers to challenges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_invite_leaves_after_its_time() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |settings| {
        settings.timing.t1 = Duration::from_millis(50);
        let credential = Credential { username: "dialops".into(), password: "secret".to_owned().into() };
        settings.trunks.values_mut().next().unwrap().credential = Some(credential);
    });
    let send_within = Some(Duration::from_millis(200));
    let (ring, offer) = (PATIENCE, MediaOffer::Discard);
    world.submit(CallCommand::Dial { leg: leg(1), destination: customer(), offer, ring, send_within });
    let peer = std::thread::spawn(move || {
        let (first, us) = hand.receive_a("INVITE");
        std::thread::park_timeout(Duration::from_secs(1));
        hand.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut buffer = [0; 65_535];
        let mut repeats = 0;
        while hand.0.recv_from(&mut buffer).is_ok() {
            repeats += 1;
        }
        assert_eq!(repeats, 2, "at 50 and 150 ms, and not at 350 and 750");
        hand.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n";
        hand.respond(&first, us, "407 Proxy Authentication Required", challenge);
        let (ack, _) = hand.receive();
        assert!(ack.starts_with("ACK "), "{ack}");
        assert!(hand.0.recv_from(&mut buffer).is_err(), "an INVITE that answers a challenge left late");
    });
    assert_eq!(world.ended(1).await.status, Some(407));
    peer.join().unwrap();
}

/// Found by review: a phone without media got work and burned a contact list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_without_media_is_put_down() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |_| {});
    world.dial(1, phone(hand.address()), MediaOffer::Discard, PATIENCE);
    let peer = std::thread::spawn(move || {
        let (invite, us) = hand.receive_a("INVITE");
        let contact = format!("Contact: <sip:hand@{}>\r\n\r\n", hand.address());
        hand.respond(&invite, us, "200 OK", &contact);
        hand.receive_a("ACK");
        let (bye, us) = hand.receive_a("BYE");
        hand.respond(&bye, us, "200 OK", "\r\n");
    });
    assert_eq!(world.ended(1).await.by, EndedBy::Protocol);
    peer.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_harms_nothing() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |_| {});
    world.dial(1, customer(), MediaOffer::Discard, PATIENCE);
    let peer = std::thread::spawn(move || {
        let (invite, us) = hand.receive_a("INVITE");
        for garbage in
            [&b"\0\xff\xfe"[..], b"SIP/2.0 200 OK\r\n\r\n", b"SIP/2.0 999 x\r\n", b"\r\n\r\n", &[b'x'; 60_000]]
        {
            hand.0.send_to(garbage, us).unwrap();
        }
        // A 200 whose body is cut short is no 200.
        hand.respond(&invite, us, "200 OK", "Content-Type: application/sdp\r\nContent-Length: 500\r\n\r\nv=0\r\n");
        // A broken request whose Via can be read gets its 400.
        hand.0.send_to(b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKg;rport\r\n\r\n", us).unwrap();
        let (bad, _) = hand.receive_a("SIP/2.0");
        assert!(bad.starts_with("SIP/2.0 400 ") && bad.contains(";branch=z9hG4bKg;received=127.0.0.1;rport="), "{bad}");
        // A header that isn't UTF-8 hides nothing behind it.
        let mut busy = b"SIP/2.0 486 \xff\r\nSubject: ".to_vec();
        busy.extend_from_slice(b"\xff\xfe\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            busy.extend_from_slice(format!("{name}: {}\r\n", header(&invite, name)).as_bytes());
        }
        busy.extend_from_slice(b"Reason: Q.850;cause=17\r\n\r\n");
        hand.0.send_to(&busy, us).unwrap();
        hand.receive_a("ACK");
    });
    let end = world.ended(1).await;
    assert_eq!((end.status, end.q850), (Some(486), Some(17)));
    peer.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_short_answers() {
    let hand = Hand::new();
    let world = World::new(hand.address(), |_| {});
    let us = world.gateway.local_address();
    let ask = |first: &str, method: &str, more: &str| {
        let text = format!(
            "{first}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method};rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{more}\r\n\
             Call-ID: {method}\r\nCSeq: 1 {method}\r\n\r\n",
            hand.address()
        );
        hand.0.send_to(text.as_bytes(), us).unwrap();
        let (answer, _) = hand.receive();
        answer
    };
    for (first, method, more, status) in [
        ("OPTIONS sip:c@d SIP/2.0", "OPTIONS", "", "200"),
        ("INVITE sip:c@d SIP/2.0", "INVITE", "", "404"),
        ("BYE sip:c@d SIP/2.0", "BYE", ";tag=none", "481"),
        ("CANCEL sip:c@d SIP/2.0", "CANCEL", "", "481"),
        ("REGISTER sip:d SIP/2.0", "REGISTER", "", "405"),
        ("FOO sip:c@d SIP/2.0", "FOO", "", "501"),
        ("OPTIONS tel:+49 SIP/2.0", "OPTIONS", "", "416"),
        ("OPTIONS sip:c@d SIP/2.0", "OPTIONS", "\r\nRequire: timer, 100rel", "420"),
        ("OPTIONS sip:c@d SIP/7.0", "OPTIONS", "", "505"),
        ("OPTIONS  sip:c@d SIP/2.0", "OPTIONS", "", "400"),
    ] {
        let answer = ask(first, method, more);
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{first}: {answer}");
        assert!(header(&answer, "To").contains("tag="), "{answer}");
    }
    // A 200 to an INVITE that we never sent is not answered: we are no reflector.
    let stray = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 INVITE\r\nContact: <sip:v@127.0.0.1:9>\r\n\r\n";
    hand.0.send_to(stray.as_bytes(), us).unwrap();
    let answer = ask("OPTIONS sip:c@d SIP/2.0", "OPTIONS", "");
    assert!(answer.starts_with("SIP/2.0 200 "), "the OPTIONS came next: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_dialled_ends_at_once() {
    let hand = Hand::new();
    let mut world = World::new(hand.address(), |_| {});
    let agent = |sip: &str| Destination::Agent { agent: AgentId::parse("ann").unwrap(), sip: sip.to_owned() };
    let mut serial = 0;
    for sip in ["not a uri", "tel:+49", "sips:a@127.0.0.1", "sip:ann@phone.example.test"] {
        serial += 1;
        world.dial(serial, agent(sip), MediaOffer::Discard, PATIENCE);
        let end = world.ended(serial).await;
        assert_eq!((end.by, end.answered), (EndedBy::Transport, false), "{sip}");
        assert!(end.reason.is_some_and(|reason| !reason.is_empty()));
    }
    let unknown = Destination::Customer {
        number: E164::parse("+4930000001").unwrap(),
        caller_number: E164::parse("+4930000002").unwrap(),
        trunk: TrunkId::parse("unknown").unwrap(),
    };
    world.dial(8, unknown, MediaOffer::Discard, PATIENCE);
    assert_eq!(world.ended(8).await.by, EndedBy::Transport);
    world.dial(9, customer(), MediaOffer::Of(leg(1)), PATIENCE);
    assert_eq!(world.ended(9).await.by, EndedBy::Transport);
    // Port 0 can't be sent to.
    world.dial(10, agent("sip:a@127.0.0.1:0"), MediaOffer::Discard, PATIENCE);
    assert_eq!(world.ended(10).await.by, EndedBy::Transport);
    world.hang_up(99);
    world.submit(CallCommand::Acknowledge { leg: leg(99) });
    world.submit(CallCommand::Bridge { agent: leg(98), customer: leg(99) });
    assert_eq!(world.event().await, CallEvent::BridgeFailed { agent: leg(98), customer: leg(99), refused_by: leg(98) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bridges_agent_and_customer() {
    let (mut world, agent, trunk) = pair("answers").await;
    world.submit(BRIDGE);
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    world.submit(BRIDGE);
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) }, "again at once");
    hang_up_both(world).await;
    let (agents, trunks) = (format!("m=audio {}", agent.media), format!("m=audio {}", trunk.media));
    let (agent, trunk) = (agent.finish().unwrap(), trunk.finish().unwrap());
    assert!(agent.contains(&trunks), "the agent hears the customer: {agent}");
    assert!(trunk.contains(&agents), "the customer hears the agent: {trunk}");
}
