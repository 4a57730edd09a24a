//! Callbacks: a real receiver is told of every call, in order, at least once, and nobody else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Duration,
};

use dialops::{clock::Clock, dialer::crash::CrashPoint, http::wire::Attempt};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    hooks::signed,
    receiver::{Manner, Receiver, Request, TAKES},
    stage::{Campaign, PATIENCE, Stage, number, pause},
};

/// What hooks are signed with, too.
const SECRET: &str = "It's a Secret to Everybody";

/// Settings that allow callbacks to loopback.
pub(crate) const ALLOWED: &str = "callback_hosts = [\"127.0.0.1\"]\n[callbacks]\nallow_networks = [\"127.0.0.1\"]\n";

/// A stage whose settings allow callbacks, with further settings behind.
fn stage(agents: &[&str], settings: &str) -> Stage {
    let stage = Stage::new(agents);
    stage.settings(|text| format!("{text}{settings}"));
    std::fs::write(stage.path("crm-secret"), SECRET).unwrap();
    stage
}

/// Further keys of a campaign that tells of its calls there.
pub(crate) fn told_at(stage: &Stage, url: &str) -> &'static str {
    let secret = stage.path("crm-secret");
    let text = format!("callback = {{ url = \"{url}\", signing_secret = {{ file = \"{}\" }} }}", secret.display());
    Box::leak(text.into_boxed_str())
}

/// What came for each call, in order, without repeats: the events and their bodies.
pub(crate) fn by_call(receiver: &Receiver) -> BTreeMap<String, Vec<Value>> {
    let mut calls = BTreeMap::<String, Vec<Value>>::new();
    for request in receiver.requests() {
        let body = request.json();
        let told = calls.entry(body["callId"].as_str().unwrap().to_owned()).or_default();
        if told.iter().all(|known| known["deliveryId"] != body["deliveryId"]) {
            told.push(body);
        }
    }
    calls
}

pub(crate) fn events(told: &[Value]) -> Vec<&str> {
    told.iter().map(|body| body["event"].as_str().unwrap()).collect()
}

fn is_signed(request: &Request) {
    let signature = request.header("x-dialops-signature");
    let (at, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(tag, signed(format!("{at}.{}", request.text)), "as openssl has it");
    let age = Clock::system().now().wall.as_second() - at.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
}

/// The check that docs/operations.md shows takes what came, and nothing else.
fn as_documented(stage: &Stage, request: &Request) {
    let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let check = manual.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let judged = "import sys\nheader, body = sys.argv[1], open(sys.argv[2], 'rb').read()\n\
                  secret = open(sys.argv[3], 'rb').read()\n\
                  sys.exit(0 if is_ours(secret, header, body) and not is_ours(secret, header, body + b' ') \
                  and not is_ours(secret + b'x', header, body) else 1)";
    std::fs::write(stage.path("check.py"), format!("{check}\n{judged}")).unwrap();
    std::fs::write(stage.path("body"), &request.text).unwrap();
    let signature = request.header("x-dialops-signature");
    let files = ["body", "crm-secret"].map(|name| stage.path(name));
    let judged = Command::new("python3").arg(stage.path("check.py")).arg(signature).args(files).status();
    assert!(judged.unwrap().success());
}

/// What each attempt is told as: connected if it was, and ended.
fn wanted(attempt: &Attempt) -> Vec<&'static str> {
    let connected = attempt.connected_at.as_ref().map(|_| "connected");
    connected.into_iter().chain(["ended"]).collect()
}

#[test]
fn a_receiver_is_told_of_every_call_signed_with_the_seeds_names() {
    let crm = Receiver::new(TAKES);
    let stage = stage(&["a1"], ALLOWED);
    let rest = told_at(&stage, &crm.url("/calls"));
    stage.commit(&Campaign { rest, ..Campaign::default() });
    let daemon = stage.run();
    let numbers = [number::quick(1), number::busy(2), number::vacant(3)];
    let rows = ["c-1,first", "c-2,second", "c-3,"];
    let rows: Vec<String> = rows.iter().zip(&numbers).map(|(row, number)| format!("{row},{number}\n")).collect();
    stage.import_file("contacts.csv", &format!("customer_id,custom_field,number.mobile\n{}", rows.concat()));
    stage.sign_in(&["a1"]);
    stage.until("all is told", || by_call(&crm).values().map(Vec::len).sum::<usize>() == 4);

    let calls = by_call(&crm);
    for attempt in stage.results() {
        let told = &calls[&attempt.attempt];
        assert_eq!(events(told), wanted(&attempt), "{attempt:?}");
        let index = numbers.iter().position(|number| *number == attempt.number).unwrap();
        for body in told {
            let ended = body["event"] == "ended";
            let seed = |name: &str| body[name].as_str();
            assert_eq!(seed("taskId"), Some("spring"));
            assert_eq!(seed("sessionId"), Some(&*attempt.customer));
            assert_eq!(seed("calledNo"), Some(&*attempt.number));
            assert_eq!(seed("beginTime"), Some(&*attempt.placed_at));
            assert_eq!(seed("vdnId"), Some("acme"));
            assert_eq!(seed("failCode"), attempt.fail_code.as_deref().filter(|_| ended));
            assert_eq!(seed("callId"), Some(&*attempt.attempt));
            assert_eq!(seed("customFiled"), [Some("first"), Some("second"), None][index]);
            assert!(body["filePath"].is_null() && seed("dataId").is_some_and(|id| !id.is_empty()));
            assert_eq!(body["result"].as_str(), attempt.result.as_deref().filter(|_| ended));
        }
    }
    for request in crm.requests() {
        assert_eq!((&*request.method, &*request.path), ("POST", "/calls"));
        assert_eq!(request.header("x-dialops-delivery"), request.json()["deliveryId"]);
        is_signed(&request);
    }
    assert_eq!(crm.requests().len(), 4, "each once");
    as_documented(&stage, &crm.requests()[0]);
    daemon.stop();
}

#[test]
fn what_is_not_taken_is_told_again_and_what_comes_later_waits() {
    let crm = Receiver::new(Manner::Answers(500, "", "no"));
    let stage = stage(&["a1"], ALLOWED);
    let rest = told_at(&stage, &crm.url("/calls"));
    stage.commit(&Campaign { rest, ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    stage.until("the call is over", || stage.results().iter().any(|attempt| attempt.result.is_some()));
    stage.until("it was refused", || !crm.requests().is_empty());
    pause(Duration::from_millis(300));
    assert!(crm.requests().iter().all(|request| request.json()["event"] == "connected"), "in order");
    crm.behave(TAKES);
    stage.until("both are told", || by_call(&crm).values().any(|told| events(told) == ["connected", "ended"]));
    let ids: Vec<String> =
        crm.requests().iter().map(|request| request.header("x-dialops-delivery").to_owned()).collect();
    assert_eq!(ids[0], ids[1], "the same delivery has the same id");
    daemon.stop();
}

/// A campaign of that id that tells of its calls at a receiver.
fn told(stage: &Stage, id: &str, receiver: &Receiver) -> Campaign {
    let rest = told_at(stage, &receiver.url("/calls"));
    Campaign { id: id.to_owned(), rest, ..Campaign::default() }
}

/// Resident memory of a process, in MiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn receivers_that_are_slow_broken_or_lead_elsewhere_are_told_all_the_same() {
    let elsewhere = Receiver::new(TAKES);
    let location = format!("Location: {}\r\n", elsewhere.url("/inside"));
    let (slow, leads, cuts, floods, fails) = (
        Receiver::new(Manner::Stalls),
        Receiver::new(Manner::Answers(302, Box::leak(location.into_boxed_str()), "")),
        Receiver::new(Manner::CutsOff),
        Receiver::new(Manner::Floods),
        Receiver::new(Manner::Answers(500, "", "no")),
    );
    let receivers = [("slow", &slow), ("leads", &leads), ("cuts", &cuts), ("floods", &floods), ("fails", &fails)];
    let agents = ["a1", "a2", "a3", "a4", "a5"];
    let stage = stage(&agents, ALLOWED);
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    receivers.iter().for_each(|(id, receiver)| stage.write_campaign(&told(&stage, id, receiver)));
    stage.repository.commit("five CRMs");
    let daemon = stage.run();
    let before = resident(daemon.pid());
    for (serial, (id, _)) in (1..).zip(receivers) {
        stage.import_into(id, &[(&format!("Zanzibar-{id}"), &[number::quick(serial)])]);
    }
    stage.sign_in(&agents);
    stage.until("each was asked", || receivers.iter().all(|(_, receiver)| !receiver.requests().is_empty()));
    stage.until("the flood was taken", || by_call(&floods).values().any(|told| events(told) == ["connected", "ended"]));
    assert_eq!(floods.requests().len(), 2, "a status of 200 is enough, however much comes behind it");
    let grown = resident(daemon.pid()) - before;
    assert!(grown < 40, "{grown} MiB more");
    stage.until("the slow one was given up", || {
        daemon.log().contains("it takes nothing") || stage_list(&stage, "slow").contains("no answer within 10 s")
    });
    for (id, why) in [("leads", "302 Found; set the address"), ("cuts", "connection"), ("fails", "it answered 500")] {
        let list = stage_list(&stage, id);
        assert!(list.contains(why) && list.contains("pending"), "{id}: {list}");
    }
    for (_, receiver) in receivers {
        receiver.behave(TAKES);
    }
    stage.until("each was told", || {
        receivers
            .iter()
            .all(|(_, receiver)| by_call(receiver).values().any(|told| events(told) == ["connected", "ended"]))
    });
    assert!(elsewhere.requests().is_empty(), "where a receiver leads is nobody's to go");
    for (_, receiver) in receivers {
        // At least once, in order: nothing of the end comes before what was taken of the beginning.
        let order: Vec<String> =
            receiver.requests().iter().map(|r| r.json()["event"].as_str().unwrap().to_owned()).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
    let (log, metrics) = (daemon.log(), daemon.metric("dialops_").join("\n"));
    for text in [&log, &metrics] {
        assert!(!text.contains("Zanzibar") && !text.contains("86215000") && !text.contains(SECRET), "{text}");
    }
    daemon.stop();
}

fn stage_list(stage: &Stage, campaign: &str) -> String {
    stage.cli(&["callbacks", "list", campaign, "--state", "all"])
}

#[test]
fn forbidden_addresses_are_never_reached() {
    let inside = Receiver::new(TAKES);
    let port = inside.address.port();
    // None of these is allowed by the settings.
    let stage = stage(&["a1"], "callback_hosts = [\"127.0.0.1\", \"localhost\", \"[::ffff:127.0.0.1]\"]\n");
    for (id, host) in [("spring", "127.0.0.1"), ("name", "localhost"), ("mapped", "[::ffff:127.0.0.1]")] {
        let rest = told_at(&stage, &format!("http://{host}:{port}/calls"));
        stage.write_campaign(&Campaign { id: id.to_owned(), rest, ..Campaign::default() });
    }
    stage.repository.commit("three ways inside");
    let daemon = stage.run();
    for (serial, id) in (1..).zip(["spring", "name", "mapped"]) {
        stage.import_into(id, &[("c1", &[number::busy(serial)])]);
    }
    stage.sign_in(&["a1"]);
    stage.until("each was refused", || {
        ["spring", "name", "mapped"].iter().all(|id| stage_list(&stage, id).contains("is not a public one"))
    });
    assert!(inside.requests().is_empty());
    daemon.stop();
}

/// Compiles the resolver that is steered.
fn flipping(folder: &Path) -> std::path::PathBuf {
    let (source, library) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flip.c"), folder.join("flip.so"));
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).args(["-ldl"]).status();
    assert!(compiled.unwrap().success());
    library
}

#[test]
fn a_name_that_changes_between_check_and_connect_leads_nowhere() {
    let good = Receiver::at("127.0.0.2:0".parse().unwrap(), TAKES);
    let inside = Receiver::at(format!("127.0.0.1:{}", good.address.port()).parse().unwrap(), TAKES);
    let settings = "callback_hosts = [\"crm.test\"]\n[callbacks]\nallow_networks = [\"127.0.0.2\"]\n";
    let stage = stage(&["a1"], settings);
    let rest = told_at(&stage, &format!("http://crm.test:{}/calls", good.address.port()));
    stage.commit(&Campaign { rest, ..Campaign::default() });
    let (library, log) = (flipping(&stage.path("")), stage.path("lookups"));
    // Every second look-up says what must not be reached: whoever looks once to check and once to connect goes there.
    let daemon = stage.run_with(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FLIP", "127.0.0.2,127.0.0.1"),
        ("FLIP_LOG", log.to_str().unwrap()),
    ]);
    stage.import_numbers(&[number::quick(1), number::quick(2), number::busy(3)]);
    stage.sign_in(&["a1"]);
    stage.until("all is told", || by_call(&good).values().map(Vec::len).sum::<usize>() == 5);
    let lookups = std::fs::read_to_string(log).unwrap();
    assert!(lookups.lines().filter(|address| *address == "127.0.0.1").count() > 1, "{lookups}");
    assert!(inside.requests().is_empty(), "{:?}", inside.requests());
    daemon.stop();
}

/// A daemon that dies at `point` of its first call; the next one tells what both have to tell.
fn killed_at(point: CrashPoint) {
    let crm = Receiver::new(Manner::Answers(503, "", ""));
    let stage = stage(&["a1"], ALLOWED);
    stage.commit(&told(&stage, "spring", &crm));
    let mut first = stage.start(&["--crash-at", point.as_str()]);
    stage.until("the daemon is ready", || first.is_ready());
    stage.import_numbers(&[number::quick(1), number::busy(2)]);
    stage.try_sign_in(&["a1"]);
    first.await_crash(PATIENCE);
    crm.behave(TAKES);
    let second = stage.run();
    stage.sign_in(&["a1"]);
    let complete = || {
        let attempts = stage.results();
        let (over, calls) = (attempts.iter().filter(|attempt| attempt.result.is_some()), by_call(&crm));
        attempts.len() >= 2
            && over.clone().count() == attempts.len()
            && over
                .into_iter()
                .all(|attempt| calls.get(&attempt.attempt).is_some_and(|told| events(told) == wanted(attempt)))
    };
    stage.until(&format!("{point:?}: every attempt is told of as it was"), complete);
    second.stop();
}

#[test]
fn a_kill_between_event_and_delivery_loses_nothing() {
    let points =
        [CrashPoint::Invited, CrashPoint::AnswerStored, CrashPoint::Connected, CrashPoint::Ended, CrashPoint::Settled];
    std::thread::scope(|scope| {
        for point in points {
            std::thread::Builder::new()
                .name(point.as_str().to_owned())
                .spawn_scoped(scope, move || killed_at(point))
                .unwrap();
        }
    });
}

#[test]
fn a_daemon_that_is_killed_again_and_again_tells_everything() {
    let crm = Receiver::new(TAKES);
    let agents = ["a1", "a2", "a3", "a4"];
    let stage = stage(&agents, ALLOWED);
    stage.commit(&told(&stage, "spring", &crm));
    let daemon = stage.run();
    let numbers: Vec<String> = (1..=120).map(|n| if n % 3 == 0 { number::busy(n) } else { number::quick(n) }).collect();
    stage.import_numbers(&numbers);
    stage.sign_in(&agents);
    daemon.kill();
    for life in 0..6_u64 {
        let daemon = stage.start(&[]);
        pause(Duration::from_millis(400 + 170 * life));
        daemon.kill();
    }
    let last = stage.run();
    stage.until("everybody was called", || {
        stage.results().iter().filter(|attempt| attempt.result.is_some()).count() >= numbers.len()
    });
    stage.until("all is told", || {
        let calls = by_call(&crm);
        stage
            .results()
            .iter()
            .all(|attempt| calls.get(&attempt.attempt).is_some_and(|told| events(told) == wanted(attempt)))
    });
    let sent = crm.requests().len();
    let told: usize = by_call(&crm).values().map(Vec::len).sum();
    eprintln!("{told} deliveries, {} of them told again", sent - told);
    last.stop();
}

/// From an end to its arrival at the receiver, longest last.
fn delays(receiver: &Receiver) -> Vec<SignedDuration> {
    let ended = receiver.requests().into_iter().filter(|request| request.json()["event"] == "ended");
    let delay = |request: Request| {
        let at: Timestamp = request.json()["endedAt"].as_str().unwrap().parse().unwrap();
        request.at.duration_since(at)
    };
    let mut delays: Vec<SignedDuration> = ended.map(delay).collect();
    delays.sort();
    delays
}

#[test]
fn a_dead_crm_slows_neither_the_others_nor_dialling() {
    let (good, dead) = (Receiver::new(TAKES), Receiver::new(Manner::Stalls));
    let agents = ["a1", "a2", "a3", "a4"];
    let stage = stage(&agents, ALLOWED);
    for (id, receiver) in [("spring", &good), ("dead", &dead)] {
        stage.write_campaign(&told(&stage, id, receiver));
    }
    stage.repository.commit("two CRMs");
    let daemon = stage.run();
    let numbers = |from: u32| (from..from + 60).map(number::busy).collect::<Vec<String>>();
    for (id, from) in [("spring", 1), ("dead", 101)] {
        let (names, numbers): (Vec<String>, _) = ((0..60).map(|n| format!("{id}-{n}")).collect(), numbers(from));
        let contacts: Vec<(&str, &[String])> =
            names.iter().zip(&numbers).map(|(name, number)| (name.as_str(), std::slice::from_ref(number))).collect();
        stage.import_into(id, &contacts);
    }
    let began = stage.now();
    stage.sign_in(&agents);
    stage.until("the good one is told", || by_call(&good).len() == 60);
    let over = || ["spring", "dead"].iter().map(|id| stage.results_of(id).len()).sum::<usize>();
    stage.until("everybody was called", || over() == 120);
    let delays = delays(&good);
    let took = stage.now() - began;
    eprintln!("of 120 calls in {took:?}, told after: half {}, 95 % {}, all {}", delays[30], delays[57], delays[59]);
    assert!(delays[59] < SignedDuration::from_secs(2), "{delays:?}");
    assert!(dead.requests().len() <= 8, "{} requests to one that takes nothing", dead.requests().len());
    let ids: BTreeSet<String> = stage_list(&stage, "dead").lines().skip(1).map(ToOwned::to_owned).collect();
    assert_eq!(ids.len(), 60, "what it did not take waits");
    daemon.stop();
}
