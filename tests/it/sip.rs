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
    },
    telephony::{
        CallEvents, CallGateway,
        sip::{SipGateway, SipSettings, TrunkSettings, spawn},
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
}

fn free_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Sipp {
    fn start(scenario: &str, more: &[&str]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sipp").join(format!("{scenario}.xml"));
        let address = free_port();
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(file)
            .args(["-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "30", "-timeout_error", "-trace_msg"])
            .args(["-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"])
            .args(["-p", &address.port().to_string()])
            .args(more)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("SIPp starts (Debian package sip-tester)");
        let sipp = Self { child, address, folder };
        sipp.await_bound();
        sipp
    }

    fn await_bound(&self) {
        for _ in 0..200 {
            if UdpSocket::bind(self.address).is_err() {
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
        self.submit(CallCommand::Dial { leg: leg(serial), destination, offer, ring });
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

#[tokio::test]
async fn rings_answers_and_is_hung_up() {
    let sipp = Sipp::start("answers", &[]);
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

#[tokio::test]
async fn bridges_agent_and_customer() {
    let (agent, trunk) = (Sipp::start("answers", &["-mp", "21000"]), Sipp::start("answers", &["-mp", "22000"]));
    let mut world = World::new(trunk.address, |_| {});
    world.dial(1, phone(agent.address), MediaOffer::Discard, PATIENCE);
    world.answered(1).await;
    world.submit(CallCommand::Acknowledge { leg: leg(1) });
    world.dial(2, customer(), MediaOffer::Of(leg(1)), PATIENCE);
    world.answered(2).await;
    world.submit(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    world.submit(CallCommand::Bridge { agent: leg(1), customer: leg(2) });
    assert_eq!(world.event().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) }, "again at once");
    world.hang_up(1);
    assert_eq!(world.ended(1).await.by, EndedBy::Us);
    world.hang_up(2);
    assert_eq!(world.ended(2).await.by, EndedBy::Us);
    let (agent, trunk) = (agent.finish().unwrap(), trunk.finish().unwrap());
    assert!(agent.contains("m=audio 22000"), "the agent hears the customer: {agent}");
    assert!(trunk.contains("m=audio 21000"), "the customer hears the agent: {trunk}");
}
