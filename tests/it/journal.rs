//! `dialops history` and `dialops events`: what a daemon has done, told by it and by the next one.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::stage::{Campaign, Stage};

fn lines(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let text = stage.cli(&[arguments, &["--format", "json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[test]
fn commits_and_what_they_changed_are_told_and_survive_a_restart() {
    let stage = Stage::new(&["a1"]);
    let first = stage.commit(&Campaign::default()).to_string();
    let daemon = stage.run();
    let second = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    stage.cli(&["reconcile"]);
    let bad = stage.commit(&Campaign { state: "runing", ..Campaign::default() }).to_string();
    assert_eq!(stage.cli_fails(&["reconcile"]).0, Some(2));
    // Looked at again, and found to be the same: not told again.
    stage.cli_fails(&["reconcile"]);

    let history = lines(&stage, &["history"]);
    let of = |key: &str| history.iter().map(|commit| commit[key].as_str().unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(of("revision"), [&*bad, &*second, &*first]);
    assert_eq!(of("result"), ["refused", "in_force", "in_force"]);
    assert_eq!(of("reason"), ["ValidationFailed", "-", "-"]);
    let message = history[0]["message"].as_str().unwrap();
    assert!(message.starts_with("1 problem in 1 file; first campaigns/spring.toml:4:"), "{message}");
    let changed: Vec<u64> = history.iter().map(|commit| commit["campaignsChanged"].as_u64().unwrap()).collect();
    assert_eq!(changed, [0, 1, 1]);
    assert_eq!(history[0]["commit"]["subject"], "spring is runing");
    assert!(history.iter().all(|commit| commit["durationSeconds"].as_f64().unwrap() > 0.0));

    let events = lines(&stage, &["events"]);
    let asked = |event: &&Value| event["kind"] == "reconcile_asked" && event["by"] == "uid 0";
    if rustix::process::geteuid().is_root() {
        assert_eq!(events.iter().filter(asked).count(), 3, "{events:#?}");
    }
    let others: Vec<Value> = events.iter().filter(|event| event["kind"] != "reconcile_asked").cloned().collect();
    assert_eq!(
        kinds(&others),
        [
            "started",
            "commit_observed",
            "campaign_changed",
            "commit_in_force",
            "commit_observed",
            "campaign_changed",
            "commit_in_force",
            "commit_observed",
            "commit_refused"
        ]
    );
    assert_eq!((&others[5]["before"], &others[5]["after"]), (&"running".into(), &"paused".into()));
    assert_eq!((&others[5]["campaign"], &others[5]["revision"]), (&"spring".into(), &Value::from(&*second)));
    assert_eq!((&others[6]["before"], &others[6]["after"]), (&Value::from(&*first), &Value::from(&*second)));
    assert_eq!(kinds(&lines(&stage, &["events", "--campaign", "spring"])), ["campaign_changed"; 2]);
    assert_eq!(lines(&stage, &["events", "--limit", "1"])[0], *events.last().unwrap());
    daemon.stop();

    // The next life puts the last good commit in force again, and has nothing to tell but that.
    let daemon = stage.run();
    stage.cli_fails(&["reconcile"]);
    assert_eq!(lines(&stage, &["history"]), history);
    let later = lines(&stage, &["events"]).split_off(events.len());
    assert_eq!(kinds(&later), ["stopping", "started", "reconcile_asked"], "{later:#?}");
    let told = stage.cli(&["history", "--limit", "2"]);
    assert!(told.contains("refused") && told.contains("in force") && !told.contains(&first[..12]), "{told}");
    assert!(stage.cli(&["events"]).contains("pause spring: no new calls, live ones finish; before that by commit"));
    daemon.stop();
}

#[test]
fn events_are_followed_as_they_come() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.until("the commit is written down", || !lines(&stage, &["history"]).is_empty());
    let mut command = stage.command(&["events", "--follow", "--limit", "1", "--format", "json"]);
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(following.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "commit_in_force");
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    assert_eq!([next(), next(), next()], ["commit_observed", "campaign_changed", "commit_in_force"]);
    following.kill().unwrap();
    following.wait().unwrap();
    daemon.stop();
}

#[test]
fn a_branch_that_cannot_be_read_is_told_once() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let git = stage.repository.path().join(".git");
    let away = stage.path("away");
    std::fs::rename(&git, &away).unwrap();
    stage.cli_fails(&["reconcile"]);
    stage.cli_fails(&["reconcile"]);
    std::fs::rename(&away, &git).unwrap();
    stage.cli(&["reconcile"]);
    let events = lines(&stage, &["events"]);
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((of("source_unread"), of("source_read")), (1, 1), "{events:#?}");
    assert_eq!((of("commit_observed"), lines(&stage, &["history"]).len()), (1, 1), "{events:#?}");
    daemon.stop();
}
