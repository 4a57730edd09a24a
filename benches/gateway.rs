//! The SIP gateway alone, beside SIPp: CPU per call in turns at one rate, and memory per live leg.
//!
//! ```text
//! cargo bench --bench gateway                     # 2,500 calls/s, 5 s a turn, 3 turns, 10,000 held legs
//! cargo bench --bench gateway -- RATE SECONDS TURNS HELD THREADS
//! ```
//!
//! Every call is INVITE, 180, 200, ACK, BYE, 200 against SIPp's own UAS on loopback, which shares the
//! machine; the peer's CPU is not counted. Read the ratio, never one column: both move with the machine.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops when something is wrong")]

use std::{
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

use dialops::{
    clock::Clock,
    domain::{
        call::{CallCommand, CallEvent, Destination, EndedBy, HangUpCause, MediaOffer},
        ids::{Epoch, LegId, TrunkId},
        phone::E164,
    },
    telephony::{
        CallEvents, CallGateway,
        sip::{SipGateway, SipSettings, TrunkSettings, spawn},
    },
};

/// Socket buffers asked for on both sides, in bytes.
const BUFFER: usize = 8 * 1024 * 1024;

/// Ticks of `/proc/<pid>/stat` in a second.
const TICKS: f64 = 100.0;

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (rate, seconds, turns, held) = (number(0, 2500), number(1, 5), number(2, 3), number(3, 10_000));
    let threads = number(4, 1);
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.max(1) as usize).enable_all().build().unwrap();
    runtime.block_on(async {
        // First, while the heap is fresh.
        if held > 0 {
            memory(held).await;
        }
        let mut ratios = Vec::new();
        println!("turn  side       rate/s    clean/placed  CPU us/call");
        for turn in 1..=turns {
            let own = own_turn(rate, rate * seconds).await;
            let sipp = sipp_turn(rate, rate * seconds);
            for (side, result) in [("gateway", &own), ("sipp uac", &sipp)] {
                println!(
                    "{turn:4}  {side:9} {:7.0} {:7}/{:7}  {:7.1}",
                    result.rate, result.clean, result.placed, result.cpu_us
                );
            }
            ratios.push(own.cpu_us / sipp.cpu_us);
        }
        let list: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        println!("CPU per call, gateway / SIPp: {} (wanted: at most 2)", list.join("  "));
    });
}

struct Turn {
    placed: u32,
    clean: u32,
    rate: f64,
    cpu_us: f64,
}

fn free_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// SIPp with a built-in scenario.
fn sipp(scenario: &str, local: SocketAddr, more: &[String]) -> Child {
    Command::new("sipp")
        .args(["-sn", scenario, "-i", "127.0.0.1", "-nostdin", "-buff_size", &BUFFER.to_string()])
        .args(["-p", &local.port().to_string()])
        .args(more)
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("SIPp starts (Debian package sip-tester)")
}

fn answering(address: SocketAddr) -> Child {
    let child = sipp("uas", address, &[]);
    while UdpSocket::bind(address).is_ok() {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child
}

fn stop(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// User and system CPU of a process, in seconds, and its state.
fn cpu(pid: &str) -> (f64, char) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    (ticks / TICKS, fields[0].chars().next().unwrap())
}

fn rss_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

fn open(trunk: SocketAddr, legs_max: usize) -> (SipGateway, CallEvents) {
    let mut settings = SipSettings::new("127.0.0.1:0".parse().unwrap());
    settings.receive_buffer = BUFFER;
    settings.legs_max = legs_max;
    let trunk = TrunkSettings { address: trunk, domain: trunk.to_string(), credential: None };
    settings.trunks.insert(TrunkId::parse("bench").unwrap(), trunk);
    let opened = spawn(&settings, [5; 32], Clock::system()).unwrap();
    if opened.0.receive_buffer() < BUFFER {
        println!("note: the kernel gave a receive buffer of {} bytes, not {BUFFER}", opened.0.receive_buffer());
    }
    opened
}

fn dial(gateway: &SipGateway, serial: u32) {
    let destination = Destination::Customer {
        number: E164::parse("+4930000001").unwrap(),
        caller_number: E164::parse("+4930000002").unwrap(),
        trunk: TrunkId::parse("bench").unwrap(),
    };
    let leg = LegId { epoch: Epoch(1), serial };
    let (offer, ring) = (MediaOffer::Discard, Duration::from_secs(30));
    gateway.submit(CallCommand::Dial { leg, destination, offer, ring, send_within: None }).unwrap();
}

/// Places `count` calls at `rate`, each hung up once answered.
async fn own_turn(rate: u32, count: u32) -> Turn {
    let trunk = free_port();
    let peer = answering(trunk);
    let clock = Clock::system();
    let (gateway, mut events) = open(trunk, 100_000);
    let (before, _) = cpu("self");
    let (mut placed, mut ended, mut clean) = (0, 0, 0);
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut lasted = Duration::ZERO;
    while ended < count {
        tokio::select! {
            _ = tick.tick(), if placed < count => {
                let due = clock.now().mono.as_micros() * u128::from(rate) / 1_000_000;
                while placed < count && u128::from(placed) < due {
                    placed += 1;
                    dial(&gateway, placed);
                }
                lasted = clock.now().mono;
            }
            event = events.recv() => match event.unwrap() {
                CallEvent::Answered { leg, .. } => {
                    gateway.submit(CallCommand::Acknowledge { leg }).unwrap();
                    gateway.submit(CallCommand::HangUp { leg, cause: HangUpCause::Normal }).unwrap();
                }
                CallEvent::Ended { end, .. } => {
                    ended += 1;
                    clean += u32::from(end.answered && end.by == EndedBy::Us);
                }
                _ => {}
            },
        }
    }
    let (after, _) = cpu("self");
    stop(peer);
    let cpu_us = (after - before) * 1e6 / f64::from(count);
    Turn { placed, clean, rate: f64::from(placed) / lasted.as_secs_f64(), cpu_us }
}

/// The same by SIPp's built-in UAC.
fn sipp_turn(rate: u32, count: u32) -> Turn {
    let trunk = free_port();
    let peer = answering(trunk);
    let clock = Clock::system();
    let more = [trunk.to_string(), "-r".into(), rate.to_string(), "-m".into(), count.to_string()];
    let mut child = sipp("uac", free_port(), &more);
    let pid = child.id().to_string();
    // Once it is a zombie its times are final, and still there to be read.
    let used = loop {
        let (used, state) = cpu(&pid);
        if state == 'Z' {
            break used;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let lasted = clock.now().mono;
    let all_clean = child.wait().unwrap().success();
    stop(peer);
    Turn {
        placed: count,
        clean: if all_clean { count } else { 0 },
        rate: f64::from(count) / lasted.as_secs_f64(),
        cpu_us: used * 1e6 / f64::from(count),
    }
}

/// Holds `count` answered legs and weighs them, at once and when the transactions are gone.
async fn memory(count: u32) {
    let trunk = free_port();
    let peer = answering(trunk);
    let (gateway, mut events) = open(trunk, 1_000_000);
    let before = rss_bytes();
    let mut answered = 0;
    for serial in 1..=count {
        dial(&gateway, serial);
        // About 1,000 a second, so that the peer keeps up.
        if serial.is_multiple_of(10) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while let Ok(event) = events.try_recv() {
            if let CallEvent::Answered { leg, .. } = event {
                answered += 1;
                gateway.submit(CallCommand::Acknowledge { leg }).unwrap();
            }
        }
    }
    while answered < count {
        if let Some(CallEvent::Answered { leg, .. }) = events.recv().await {
            answered += 1;
            gateway.submit(CallCommand::Acknowledge { leg }).unwrap();
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let live = (rss_bytes() - before) / f64::from(count);
    tokio::time::sleep(Duration::from_secs(35)).await;
    let settled = (rss_bytes() - before) / f64::from(count);
    println!("{count} held legs: {live:.0} bytes each, {settled:.0} after 35 s (wanted: at most 6,000)");
    stop(peer);
}
