//! Bad input and faults: each gives one clear sentence (what, where, what to do) and loses nothing.

use std::{
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use rusqlite::Connection;
use serde_json::Value;

use crate::stage::{Campaign, PATIENCE, Stage, number, pause, traffic};

/// Longest wait for what comes after SIP's Timer B, 32 s.
const AFTER_TIMER_B: Duration = Duration::from_secs(45);

fn last_result(stage: &Stage, number: &str) -> String {
    let found = stage.results().into_iter().rfind(|attempt| attempt.number == number);
    found.and_then(|attempt| attempt.result).unwrap_or_default()
}

/// Every contact of `numbers` is called once, and both sides agree with the store.
fn all_are_called(stage: &Stage, numbers: &[String]) {
    stage.until("all are called", || numbers.iter().all(|number| last_result(stage, number) == "answered"));
    stage.until("no call is left up", || {
        stage.carrier_traffic().left_up().is_empty() && stage.phone_traffic().left_up().is_empty()
    });
    let carrier = stage.carrier_traffic();
    let wrong = traffic::disagreements(&stage.results(), &carrier);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(numbers.iter().all(|number| carrier.of(number).len() == 1));
}

/// Commits or breaks something, then waits for the sentence that says so; what was in force stays.
fn is_told(stage: &Stage, good: &str, break_it: impl FnOnce(), reason: &str, words: &[&str]) {
    break_it();
    let mut text = String::new();
    let told = stage.holds_within(PATIENCE, || {
        text = stage.cli(&["status"]);
        text.contains(&format!("Ready      False {reason}: ")) && words.iter().all(|word| text.contains(word))
    });
    assert!(told, "{reason}, {words:?}: not in\n{text}");
    let source = &stage.status()["sources"][0];
    assert!(source["lastAppliedRevision"].as_str().unwrap().ends_with(good), "{text}");
}

#[test]
fn a_commit_that_cannot_be_read_changes_nothing() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign::default()).to_string();
    let daemon = stage.run();
    let repository = &stage.repository;
    let file = "campaigns/spring.toml";
    let whole = std::fs::read(repository.path().join(file)).unwrap();

    let malformed = || {
        repository.write(file, "id = \"spring\"\nname = \n");
        repository.commit("malformed");
    };
    is_told(&stage, &good, malformed, "ValidationFailed", &["campaigns/spring.toml:2:8: ", "problem"]);

    let not_utf8 = || {
        repository.write(file, b"id = \"spr\xffing\"\n");
        repository.commit("not UTF-8");
    };
    is_told(&stage, &good, not_utf8, "ValidationFailed", &["campaigns/spring.toml:1:", "UTF-8"]);

    let symlink = || {
        repository.write(file, &whole);
        std::os::unix::fs::symlink("/etc/passwd", repository.path().join("campaigns/link.toml")).unwrap();
        repository.commit("a symlink");
    };
    is_told(&stage, &good, symlink, "CommitRefused", &["campaigns/link.toml", "symbolic link"]);

    let huge = || {
        std::fs::remove_file(repository.path().join("campaigns/link.toml")).unwrap();
        repository.write("campaigns/huge.toml", vec![b'#'; 100 << 20]);
        repository.commit("100 MB");
    };
    is_told(&stage, &good, huge, "CommitRefused", &["campaigns/huge.toml has 104857600 bytes", "split it"]);

    let no_branch = || {
        repository.git(["branch", "--quiet", "--move", "main", "mian"]);
    };
    is_told(&stage, &good, no_branch, "BranchMissing", &["branch \"main\"", "did you mean \"mian\"?"]);

    // All along the last good one dials.
    assert!(daemon.is_ready());
    stage.sign_in(&["a1"]);
    stage.import_numbers(&[number::quick(1)]);
    all_are_called(&stage, &[number::quick(1)]);

    repository.git(["branch", "--quiet", "--move", "mian", "main"]);
    std::fs::remove_file(repository.path().join("campaigns/huge.toml")).unwrap();
    let mended = stage.commit(&Campaign { max_ring: "6s", ..Campaign::default() }).to_string();
    stage.until("the mended one is in force", || {
        stage.status()["sources"][0]["lastAppliedRevision"].as_str().unwrap().ends_with(&mended)
    });
    daemon.stop();
}

#[test]
fn a_repository_that_is_not_there_yet_is_waited_for() {
    let stage = Stage::new(&["a1"]);
    let mut daemon = stage.start(&[]);
    stage.until("it serves", || daemon.get("/-/healthy").is_some());
    let (code, _) = daemon.get("/-/ready").unwrap();
    assert_eq!(code, 503);
    stage.until("it says what is missing", || {
        stage.cli(&["status"]).contains("it has no branch yet: commit something first")
    });
    stage.commit(&Campaign::default());
    stage.until("it is ready", || daemon.is_ready());
    assert!(daemon.ended().is_none());
    daemon.stop();
}

/// Opens the store as another program would.
fn other_program(store: &Path) -> Connection {
    Connection::open(store).unwrap()
}

fn schema(store: &Path) -> i64 {
    other_program(store).query_row("PRAGMA user_version", (), |row| row.get(0)).unwrap()
}

fn set_schema(store: &Path, version: i64) {
    other_program(store).pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn what_stands_in_the_way_of_a_start_is_named() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let numbers: Vec<String> = (1..=3).map(number::quick).collect();
    stage.import_numbers(&numbers);
    daemon.stop();
    let refused = |words: &[&str]| {
        let (code, said) = stage.cli_fails(&["run"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "no {words:?} in {said}");
        let error = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(error, 1, "one sentence: {said}");
    };

    let taken = TcpListener::bind(stage.http).unwrap();
    refused(&[&stage.http.to_string(), "in use", "[http] listen"]);
    drop(taken);
    let taken = UdpSocket::bind(stage.sip).unwrap();
    refused(&[&stage.sip.to_string(), "in use", "`[sip] listen`"]);
    drop(taken);

    let store = stage.path("dialops.db");
    let mode = |mode| std::fs::set_permissions(&store, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o400);
    refused(&["dialops.db can't be written: ", "read-only", "check the owner and mode"]);
    mode(0o600);

    let other = other_program(&store);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    refused(&["dialops.db is locked by another program", "close what has it open"]);
    drop(other);

    let known = schema(&store);
    set_schema(&store, 99);
    refused(&["dialops.db has schema 99", "run a newer dialops"]);
    set_schema(&store, known);

    stage.settings(|text| text.replace("dialops.db", "token"));
    refused(&["token is not a dialops store", "give another path"]);
    stage.settings(|text| text.replace("listen = ", "lisen = "));
    let (code, said) = stage.cli_fails(&["run"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("lisen") && said.contains("did you mean `listen`?"), "{said}");

    stage.settings(|text| text);
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    all_are_called(&stage, &numbers);
    daemon.stop();
}

#[test]
fn a_store_that_is_locked_for_a_while_holds_calls_back_and_loses_none() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let numbers: Vec<String> = (1..=30).map(number::quick).collect();
    stage.import_numbers(&numbers);
    stage.sign_in(&["a1", "a2"]);
    stage.until("calls are placed", || stage.carrier_traffic().invited().count() > 3);
    let other = other_program(&stage.path("dialops.db"));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // What is on its way may still leave.
    pause(Duration::from_millis(300));
    let before = stage.carrier_traffic().invited().count();
    pause(Duration::from_secs(4));
    assert_eq!(stage.carrier_traffic().invited().count(), before, "no intent, no call");
    assert!(daemon.log().contains("dialops.db is locked by another program"), "{}", daemon.log());
    assert!(daemon.is_ready());
    drop(other);
    all_are_called(&stage, &numbers);
    daemon.stop();
}

#[test]
fn a_trunk_that_says_nothing_is_told_and_others_go_on() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::silent(1), number::quick(2)]);
    stage.sign_in(&["a1", "a2"]);
    stage.until("the other number is answered", || last_result(&stage, &number::quick(2)) == "answered");
    stage.until_within(AFTER_TIMER_B, "the call is given up", || {
        last_result(&stage, &number::silent(1)) == "network_failure"
    });
    let trunk = stage.carrier.address;
    assert!(daemon.log().contains(&format!("{trunk} answers no INVITE")), "{}", daemon.log());
    // Not the customer's fault: nothing of the day's tries is used up, and it is tried again soon.
    let why = stage.why("c1");
    assert_eq!(why["contact"]["ended"], Value::Null);
    let carrier = stage.carrier_traffic();
    assert_eq!(carrier.of(&number::silent(1)).len(), 1, "repeats are no second call");
    let wrong = traffic::disagreements(&stage.results(), &carrier);
    assert!(wrong.is_empty(), "{wrong:#?}");
    daemon.kill();
}

#[test]
fn a_trunk_that_talks_nonsense_or_answers_twice_is_told() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::garbage(1), number::forks(2)]);
    stage.sign_in(&["a1", "a2"]);
    stage.until("nonsense changes nothing", || last_result(&stage, &number::garbage(1)) == "busy");
    all_are_called(&stage, &[number::forks(2)]);
    let (log, trunk) = (daemon.log(), stage.carrier.address);
    assert!(log.contains(&format!("{trunk} sent a datagram that is no usable SIP")), "{log}");
    assert!(log.contains(&format!("{trunk} answered one call twice")), "{log}");
    daemon.stop();
}
