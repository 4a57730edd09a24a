//! The whole daemon: its latencies beside a bare fsync, and its rate beside SIPp's own.
//!
//! `cargo bench --bench calls` needs `sipp` (Debian: sip-tester). Latencies are taken on the wire by a
//! carrier and a phone of this file; rates against SIPp as carrier and as phones, in turns with a bare
//! SIPp caller at the same rate. Everything is on loopback; absolute figures are this machine's.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark")]

mod peers;
#[path = "../../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;
mod stage;

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use stage::{Stage, Wanted};

/// Calls of each kind in one turn of the latency part.
const LATENCY_CALLS: usize = 100;
const TURNS: usize = 3;
/// Calls per second and length of one turn of the rate part.
const RATE: u32 = 300;
const SECONDS: u32 = 10;

fn main() {
    latencies();
    rates();
}

/// p50 and p99 in milliseconds.
fn quantiles(took: &mut [Duration]) -> (f64, f64) {
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    (at(50), at(99))
}

fn row(name: &str, mut took: Vec<Duration>) -> f64 {
    let count = took.len();
    let (p50, p99) = quantiles(&mut took);
    println!("{name:<58} n {count:>5}  p50 {p50:>7.2} ms  p99 {p99:>7.2} ms");
    p99
}

fn latencies() {
    println!("latencies, in turns of {LATENCY_CALLS}");
    let carrier = peers::Carrier::start();
    let phone = peers::Phone::start();
    let stage = Stage::new(&Wanted {
        agents: 1,
        phone: phone.port,
        carrier: carrier.port,
        calls_per_second: 1000,
        contacts: 2 * TURNS * LATENCY_CALLS + 200,
    });
    let (mut fsync, mut free_to_invite, mut answer_to_connected) = (Vec::new(), Vec::new(), Vec::new());
    stage.agents_idle();
    for _ in 0..TURNS {
        stage.commit_state("paused");
        thread::sleep(Duration::from_millis(500));
        fsync.extend(bare_fsync(stage.folder(), 200));
        carrier.answers(false);
        stage.commit_state("running");
        free_to_invite.extend(carrier.refusal_to_next_invite(LATENCY_CALLS));
        carrier.answers(true);
        answer_to_connected.extend(carrier.answer_to_connected(&phone, LATENCY_CALLS));
    }
    stage.stop();
    let fsync = row("bare append + fdatasync of 4 KiB", fsync);
    let call = row("agent free -> customer's INVITE (intent durable)", free_to_invite);
    let target = 2.0 * fsync + 10.0;
    println!("  target p99 <= 2 x fsync p99 + 10 ms = {target:.2} ms: {}", met(call <= target));
    let connect = row("customer's 200 -> agent connected", answer_to_connected);
    println!("  target p99 <= 50 ms: {}", met(connect <= 50.0));
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn bare_fsync(folder: &Path, times: usize) -> Vec<Duration> {
    let mut file = File::create(folder.join("fsync")).unwrap();
    (0..times)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            begun.elapsed()
        })
        .collect()
}

fn rates() {
    println!("\nrates: {RATE} calls/s for {SECONDS} s in turns; a daemon's call is two legs and a re-INVITE");
    for turn in 1..=TURNS {
        let (ours, calls, clean, rate) = daemon_turn();
        println!(
            "turn {turn}  daemon: {calls} calls at {rate:.0}/s, {clean} clean, {:.0} us CPU a call",
            ours * 1e6 / calls as f64
        );
        let (theirs, calls, clean) = sipp_turn();
        println!("turn {turn}  SIPp:   {calls} calls, {clean} clean, {:.0} us CPU a call", theirs * 1e6 / calls as f64);
    }
}

/// CPU seconds, calls, clean calls, calls a second of one turn of the daemon.
fn daemon_turn() -> (f64, usize, usize, f64) {
    let carrier = stage::sipp("carrier");
    let phones = stage::sipp("phones");
    let wanted = (RATE * SECONDS) as usize;
    let stage = Stage::new(&Wanted {
        agents: 150,
        phone: phones.port,
        carrier: carrier.port,
        // The cap keeps a guard of half a percent, and the first and last calls ramp.
        calls_per_second: RATE * 12 / 10,
        contacts: wanted,
    });
    stage.agents_idle();
    let (begun, before) = (Instant::now(), stage.cpu());
    let mut ended = 0;
    while ended < wanted && begun.elapsed() < Duration::from_secs(u64::from(3 * SECONDS)) {
        thread::sleep(Duration::from_millis(100));
        ended = stage.ended();
    }
    let (took, cpu) = (begun.elapsed(), stage.cpu() - before);
    let results = stage.results();
    let clean = results.iter().filter(|r| *r == "answered" || *r == "customer_hung_up").count();
    stage.stop();
    (cpu, results.len(), clean, results.len() as f64 / took.as_secs_f64())
}

/// CPU seconds, calls, clean calls of one turn of a bare SIPp caller.
fn sipp_turn() -> (f64, usize, usize) {
    let carrier = stage::sipp("carrier");
    let calls = RATE * SECONDS;
    let folder = tempfile::tempdir().unwrap();
    let scenario = stage::scenario(folder.path(), "caller");
    let output = Command::new("/usr/bin/env")
        .args(["sipp", "-sf"])
        .arg(scenario)
        .args(["-i", "127.0.0.1", "-m", &calls.to_string(), "-r", &RATE.to_string(), "-timeout", "60"])
        .args(["-trace_stat", "-stf"])
        .arg(folder.path().join("stat.csv"))
        .arg(format!("127.0.0.1:{}", carrier.port))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (cpu, _status) = stage::wait_cpu(output);
    let text = std::fs::read_to_string(folder.path().join("stat.csv")).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(';').collect();
    let last: Vec<&str> = lines.last().unwrap().split(';').collect();
    let figure = |name: &str| {
        let column = header.iter().position(|h| *h == name).unwrap();
        last[column].parse::<usize>().unwrap()
    };
    (cpu, figure("TotalCallCreated"), figure("SuccessfulCall(C)"))
}
