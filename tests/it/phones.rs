//! Real phones: two baresips, one an agent's and one a customer's, brought together by the gateway.

use std::{
    net::{TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

use dialops::{
    clock::Clock,
    domain::{
        call::{CallCommand, CallEvent, Destination, EndedBy, HangUpCause, MediaOffer},
        ids::{AgentId, Epoch, LegId, TrunkId},
        phone::E164,
    },
    telephony::{
        CallGateway,
        sip::{SipSettings, TrunkSettings, spawn},
    },
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A port that is free together with the one above, which baresip takes for TLS.
fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() & !1;
        let free =
            |port| UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 1) {
            return port;
        }
    }
}

/// A baresip that answers by itself and sends silence; it needs no sound card.
struct Phone {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Phone {
    fn start(user: &str) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "sip_listen 127.0.0.1:{port}\nmodule_path /usr/lib/baresip/modules\nnet_interface 127.0.0.1\n\
             audio_player aubridge,x\naudio_source aubridge,x\naudio_alert aubridge,x\n\
             module g711.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n"
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        let account = format!("<sip:{user}@127.0.0.1:{port}>;regint=0;answermode=auto\n");
        std::fs::write(folder.path().join("accounts"), account).unwrap();
        std::fs::write(folder.path().join("contacts"), "").unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip starts (Debian package baresip)");
        let phone = Self { child, port, _folder: folder };
        let bound = format!("0100007F:{port:04X} ");
        for _ in 0..1000 {
            if std::fs::read_to_string("/proc/net/udp").unwrap().contains(&bound) {
                return phone;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("baresip did not open port {port}");
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Real phones take the offer to a discard port, the re-INVITE and the BYE.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_phones_are_brought_together() {
    let (agent, customer) = (Phone::start("ann"), Phone::start("+4930000001"));
    let mut settings = SipSettings::new("127.0.0.1:0".parse().unwrap());
    let trunk = TrunkId::parse("trunk").unwrap();
    let address = format!("127.0.0.1:{}", customer.port).parse().unwrap();
    settings.trunks.insert(trunk.clone(), TrunkSettings { address, domain: "127.0.0.1".into(), credential: None });
    let (gateway, mut events) = spawn(&settings, [7; 32], Clock::system()).unwrap();
    let leg = |serial| LegId { epoch: Epoch(1), serial };
    let number = |text| E164::parse(text).unwrap();
    let phone =
        Destination::Agent { agent: AgentId::parse("ann").unwrap(), sip: format!("sip:ann@127.0.0.1:{}", agent.port) };
    let called = Destination::Customer { number: number("+4930000001"), caller_number: number("+4930000002"), trunk };
    let dial = |serial, destination, offer| CallCommand::Dial {
        leg: leg(serial),
        destination,
        offer,
        ring: PATIENCE,
        send_within: None,
    };
    let mut next = async || loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time").unwrap() {
            CallEvent::Progress { .. } => {}
            event => return event,
        }
    };
    for (serial, destination, offer) in [(1, phone, MediaOffer::Discard), (2, called, MediaOffer::Of(leg(1)))] {
        gateway.submit(dial(serial, destination, offer)).unwrap();
        let event = next().await;
        assert!(matches!(event, CallEvent::Answered { leg: answered, .. } if answered == leg(serial)), "{event:?}");
        gateway.submit(CallCommand::Acknowledge { leg: leg(serial) }).unwrap();
    }
    gateway.submit(CallCommand::Bridge { agent: leg(1), customer: leg(2) }).unwrap();
    assert_eq!(next().await, CallEvent::Bridged { agent: leg(1), customer: leg(2) });
    tokio::time::sleep(Duration::from_secs(2)).await;
    for serial in [1, 2] {
        gateway.submit(CallCommand::HangUp { leg: leg(serial), cause: HangUpCause::Normal }).unwrap();
        let CallEvent::Ended { leg: ended, end } = next().await else { panic!("the pair stays up until hung up") };
        assert_eq!((ended, end.by, end.answered), (leg(serial), EndedBy::Us, true));
    }
}
