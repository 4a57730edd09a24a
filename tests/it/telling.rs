//! What the daemon tells others: commit statuses, webhooks, alerts; and that nobody holds it up.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use dialops::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    drift::edit,
    hooks::signed,
    receiver::{Manner, Receiver, Request, TAKES},
    stage::{Campaign, Stage, daemon::Daemon, free_tcp, pause},
    tls::Tls,
};

pub(crate) const TOKEN: &str = "status-t0ken";

/// What a hook of another kind would be signed with, too.
const SECRET: &str = "It's a Secret to Everybody";

fn stage(settings: &str) -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("instance = \"prod-a\"\n{text}\n{settings}"));
    std::fs::write(stage.path("status-token"), TOKEN).unwrap();
    std::fs::write(stage.path("secret"), SECRET).unwrap();
    stage
}

/// A stage whose commits' state is written at a Gitea.
fn with_status(address: &str, rest: &str) -> Stage {
    with_status_at(("gitea", "acme/dialling"), address, rest)
}

/// The same at another provider, of a project there.
pub(crate) fn with_status_at((provider, project): (&str, &str), address: &str, rest: &str) -> Stage {
    let stage = stage("");
    let status = format!(
        "[source.status]\nprovider = \"{provider}\"\napi = \"{address}\"\nproject = \"{project}\"\n\
         token = {{ file = \"status-token\" }}\n{rest}\n"
    );
    stage.settings(|text| {
        let inline = text.lines().find(|line| line.starts_with("source = ")).unwrap().to_owned();
        let repository = format!("[source]\nrepository = \"{}\"\npoll = \"1s\"\n", stage.repository.path().display());
        format!("instance = \"prod-a\"\n{}\n{repository}{status}", text.replace(&inline, ""))
    });
    stage
}

pub(crate) fn commit(stage: &Stage, state: &'static str) -> String {
    stage.commit(&Campaign { state, ..Campaign::default() }).to_string()
}

/// States and descriptions that a commit was given.
fn told_of(receiver: &Receiver, commit: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/repos/acme/dialling/statuses/{commit}");
    let of = |request: &Request| {
        let body = request.json();
        assert_eq!((request.method.as_str(), &body["context"]), ("POST", &Value::from("dialops/prod-a")));
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        (text("state"), text("description"))
    };
    receiver.requests().iter().filter(|request| request.path == path).map(of).collect()
}

fn states(receiver: &Receiver, commit: &str) -> Vec<String> {
    told_of(receiver, commit).into_iter().map(|(state, _)| state).collect()
}

fn ends_as(receiver: &Receiver, commit: &str, state: &str) -> bool {
    states(receiver, commit).last().is_some_and(|last| last == state)
}

pub(crate) fn counted(daemon: &Daemon, kind: &str, result: &str) -> u64 {
    let begins = format!("dialops_deliveries_total{{kind=\"{kind}\",result=\"{result}\"}} ");
    daemon.metric(&begins)[0].rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_commit_is_pending_and_then_a_success_or_a_failure_with_its_first_error() {
    let forge = Receiver::new(TAKES);
    let stage = with_status(&forge.url("/api/v1"), "target_url = \"https://dialops.example.net/\"");
    let mut good = vec![commit(&stage, "running")];
    let daemon = stage.run();
    for state in ["paused", "running", "paused"] {
        let next = commit(&stage, state);
        stage.until("it is a success", || ends_as(&forge, &next, "success"));
        good.push(next);
    }
    // What is over before anybody looked is told as it ended, so that a pending one may be left out.
    let both = good.iter().filter(|commit| states(&forge, commit) == ["pending", "success"]).count();
    assert!(both > 0 && good.iter().all(|commit| ends_as(&forge, commit, "success")), "{:?}", forge.requests());
    let first = &forge.requests()[0];
    assert_eq!(first.header("authorization"), format!("token {TOKEN}"));
    assert_eq!(first.json()["target_url"], "https://dialops.example.net/");

    std::fs::write(stage.path("status-token"), "r0tated").unwrap();
    let bad = commit(&stage, "runing");
    stage.until("it is a failure", || ends_as(&forge, &bad, "failure"));
    let (_, description) = told_of(&forge, &bad).pop().unwrap();
    assert!(description.starts_with("campaigns/spring.toml:4:9: `state` cannot be \"runing\""), "{description}");
    assert_eq!(forge.requests().last().unwrap().header("authorization"), "token r0tated");

    // One that waits is pending, and makes way for the next.
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    let empty = stage.repository.commit("nothing").to_string();
    let waits =
        || told_of(&forge, &empty).pop().is_some_and(|(state, text)| state == "pending" && text.starts_with("waits: "));
    stage.until("it waits", waits);
    let last = commit(&stage, "running");
    stage.until("it is a success", || ends_as(&forge, &last, "success"));
    stage.until("the other made way", || ends_as(&forge, &empty, "error"));

    // The branch goes back to what is in force, and what waits makes way for that.
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    let empty = stage.repository.commit("nothing again").to_string();
    stage.until("it waits", || ends_as(&forge, &empty, "pending"));
    stage.repository.git(["reset", "--quiet", "--hard", &last]);
    stage.until("it made way", || ends_as(&forge, &empty, "error"));
    assert_eq!(states(&forge, &last).last().unwrap(), "success", "{:?}", told_of(&forge, &last));
    let sent = counted(&daemon, "commit_status", "sent");
    assert_eq!(sent, forge.requests().len() as u64);
    assert!(!daemon.log().contains(TOKEN) && !daemon.log().contains("r0tated"), "{}", daemon.log());
    daemon.stop();
}

#[test]
fn a_server_that_is_gone_slow_or_broken_holds_nothing_up_and_hears_the_newest() {
    let broken = Receiver::new(Manner::Answers(500, "", "no: status-t0ken"));
    let (alerts, slow) = (Receiver::new(Manner::Answers(503, "", "")), Receiver::new(Manner::Stalls));
    let gone = free_tcp("127.0.0.1".parse().unwrap());
    let hook = |id: &str, kind: &str, url: &str| {
        let events = if kind == "webhook" { "events = [\"commit_failed\", \"commit_in_force\"]" } else { "" };
        format!("[[notifications]]\nid = \"{id}\"\nkind = \"{kind}\"\nurl = \"{url}\"\ntimeout = \"1s\"\n{events}\n")
    };
    let notifications = [
        hook("slow", "webhook", &slow.url("/T0/s3cret-path")),
        hook("gone", "webhook", &format!("http://{gone}/s3cret-path")),
        hook("broken", "alertmanager", &alerts.url("")),
    ];
    let stage = with_status(&broken.url("/api/v1"), &notifications.concat());
    commit(&stage, "running");
    let daemon = stage.run();
    // Commits of each sort, while all of them fail.
    for round in 0..6 {
        let state = ["paused", "runing", "running"][round % 3];
        let commit = commit(&stage, state);
        let began = stage.now();
        let (exit, _, _) = stage.cli_says(&["reconcile"]);
        assert_eq!(exit, Some(if state == "runing" { 2 } else { 0 }));
        let took = stage.now() - began;
        assert!(took < Duration::from_secs(1), "{took:?}: {commit}");
    }
    stage.until("each was tried", || {
        slow.requests().len() > 1
            && counted(&daemon, "webhook", "failed") > 3
            && counted(&daemon, "commit_status", "failed") > 1
    });
    let bad = commit(&stage, "runing");
    stage.cli_says(&["reconcile"]);
    stage.until("the alert was tried", || counted(&daemon, "alertmanager", "failed") > 0);
    assert_eq!(counted(&daemon, "webhook", "sent") + counted(&daemon, "commit_status", "sent"), 0);

    let log = daemon.log();
    for told in [
        format!("receiver=\"notification slow\" to=\"http://{}\"", slow.address),
        "was not taken: no answer within 1 s; it is tried again".to_owned(),
        format!("receiver=\"notification gone\" to=\"http://{gone}\""),
        "was not taken: it answered 500 Internal Server Error: no: ***; it is tried again".to_owned(),
    ] {
        let times = log.matches(&told).count();
        assert!((1..=2).contains(&times), "{told}: {times} times\n{log}");
    }
    assert!(!log.contains("s3cret") && !log.contains(TOKEN), "{log}");

    broken.behave(TAKES);
    alerts.behave(TAKES);
    let before = broken.requests().len();
    stage.until("it hears the newest", || ends_as(&broken, &bad, "failure"));
    stage.until("the alert is taken", || counted(&daemon, "alertmanager", "sent") > 0);
    let heard = broken.requests().split_off(before);
    let of_bad = heard.iter().filter(|request| request.path.ends_with(&bad)).count();
    assert!(of_bad == 1 && heard.len() < 16, "each commit once, as it ended: {heard:#?}");
    slow.behave(TAKES);
    stage.until("it hears how things stand", || {
        let newest = slow.requests().into_iter().rev().take(2);
        newest.map(|request| request.json()).any(|told| told["event"] == "commit_failed" && told["revision"] == bad)
    });
    daemon.stop();
}

#[test]
fn a_refusal_is_not_repeated_and_a_busy_server_is_given_time() {
    let forge = Receiver::new(Manner::Answers(422, "", r#"{"message": "No commit found"}"#));
    let stage = with_status(&forge.url("/api/v1"), "");
    let first = commit(&stage, "running");
    let daemon = stage.run();
    stage.until("it was refused", || counted(&daemon, "commit_status", "dropped") > 0);
    pause(Duration::from_millis(2_500));
    assert!(states(&forge, &first).len() <= 2, "the pending one and the success, each once");
    assert!(daemon.log().contains("No commit found\"}; it is not tried again"), "{}", daemon.log());
    forge.behave(Manner::Answers(429, "Retry-After: 3\r\n", ""));
    let second = commit(&stage, "paused");
    stage.until("it was asked to wait", || !states(&forge, &second).is_empty());
    forge.behave(TAKES);
    let began = stage.now();
    stage.until("it is told", || ends_as(&forge, &second, "success"));
    assert!(stage.now() - began > Duration::from_secs(2), "sooner than it was asked to");
    daemon.stop();
}

#[test]
fn what_nobody_heard_is_told_in_the_next_life() {
    let forge = Receiver::new(Manner::Answers(500, "", ""));
    let stage = with_status(&forge.url("/api/v1"), "");
    // What was fetched is in force again before anybody looks, and then the branch is where it was.
    let (local, url) = ("repository = \"/", "url = \"file:///");
    stage.settings(|_| std::fs::read_to_string(stage.path("dialops.toml")).unwrap().replace(local, url));
    let first = commit(&stage, "running");
    let daemon = stage.run();
    stage.until("it was tried", || !states(&forge, &first).is_empty());
    daemon.stop();
    forge.behave(TAKES);
    let daemon = stage.run();
    stage.until("it is a success", || ends_as(&forge, &first, "success"));
    daemon.stop();
}

#[test]
fn a_status_goes_over_tls_to_who_is_vouched_for() {
    let forge = Receiver::new(TAKES);
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::before(forge.address, folder.path());
    // Neither the system nor a file with another certificate vouches for it.
    let (other, elsewhere) = (tempfile::tempdir().unwrap(), Receiver::new(TAKES));
    let other = Tls::before(elsewhere.address, other.path());
    for rest in [String::new(), format!("ca_file = \"{}\"", other.certificate().display())] {
        let stage = with_status(&tls.url("api/v1"), &rest);
        commit(&stage, "running");
        let daemon = stage.run();
        stage.until("it is refused", || counted(&daemon, "commit_status", "failed") > 0);
        assert!(daemon.log().contains("invalid peer certificate"), "{}", daemon.log());
        assert!(forge.requests().is_empty());
        daemon.stop();
    }

    let stage = with_status(&tls.url("api/v1"), &format!("ca_file = \"{}\"", tls.certificate().display()));
    let second = commit(&stage, "running");
    let daemon = stage.run();
    stage.until("it is a success", || ends_as(&forge, &second, "success"));
    daemon.stop();
}

/// What a webhook was told, in short.
fn events(receiver: &Receiver) -> Vec<(String, String)> {
    let of = |request: &Request| {
        let body = request.json();
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        (text("event"), text("state"))
    };
    receiver.requests().iter().map(of).collect()
}

fn pair(event: &str, state: &str) -> (String, String) {
    (event.to_owned(), state.to_owned())
}

#[test]
fn a_webhook_hears_what_began_and_what_ended_signed() {
    let receiver = Receiver::new(TAKES);
    let url = receiver.url("/ours");
    let stage = stage(&format!(
        "[[notifications]]\nid = \"on-call\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = {{ file = \"secret\" }}\n\
         events = [\"commit_failed\", \"commit_waits\", \"override_active\", \"drift_detected\", \"commit_in_force\"]\n\
         [drift]\npolicy = \"report\"\n"
    ));
    commit(&stage, "running");
    let daemon = stage.run();
    let heard = |number: usize| stage.until("it hears", || events(&receiver).len() == number);
    heard(1);
    let bad = commit(&stage, "runing");
    heard(2);
    let next = commit(&stage, "paused");
    heard(4);
    stage.cli(&["override", "pause", "all", "--reason", "wrong script", "--until", "1h"]);
    heard(5);
    stage.cli(&["override", "end", "1"]);
    heard(6);
    stage.cli(&["override", "pause", "spring", "--reason", "once more", "--until", "2s"]);
    heard(8);
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    stage.repository.commit("nothing");
    heard(9);
    edit(&stage, "UPDATE campaign SET desired = 'running'");
    heard(10);
    stage.cli_says(&["reconcile"]);
    heard(11);
    let mut told = events(&receiver);
    // A commit comes into force and is the newest again; which of the two is seen first is chance.
    told[2..4].sort();
    assert_eq!(
        told,
        [
            pair("commit_in_force", "began"),
            pair("commit_failed", "began"),
            pair("commit_failed", "ended"),
            pair("commit_in_force", "began"),
            pair("override_active", "began"),
            pair("override_active", "ended"),
            pair("override_active", "began"),
            pair("override_active", "ended"),
            pair("commit_waits", "began"),
            pair("drift_detected", "began"),
            pair("drift_detected", "ended"),
        ]
    );
    let mut requests = receiver.requests();
    requests[2..4].sort_by_key(|request| request.json()["event"].to_string());
    for request in &requests {
        let signature = request.header("x-dialops-signature");
        let (at, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        assert_eq!(tag, signed(format!("{at}.{}", request.text)), "as openssl has it");
        assert_eq!((request.json()["instance"].as_str(), &*request.path), (Some("prod-a"), "/ours"));
    }
    let failed = requests[1].json();
    assert_eq!((&failed["revision"], &failed["reason"]), (&Value::from(bad), &Value::from("ValidationFailed")));
    assert_eq!(
        (&failed["problems"][0]["file"], &failed["problems"][0]["line"]),
        (&"campaigns/spring.toml".into(), &4.into())
    );
    assert_eq!(requests[3].json()["revision"], Value::from(next));
    let over = requests[4].json();
    assert_eq!((&over["override"]["action"], &over["override"]["campaign"]), (&"pause".into(), &"all".into()));
    assert_eq!((&over["override"]["reason"], over["until"].is_string()), (&"wrong script".into(), true));
    assert_eq!(requests[8].json()["reason"], "EmptySet");
    daemon.stop();
}

/// Debian's Alertmanager; dropped, it ends.
struct Alertmanager {
    child: Child,
    address: std::net::SocketAddr,
}

impl Alertmanager {
    fn start(stage: &Stage) -> Self {
        let address = free_tcp(stage.http.ip());
        std::fs::write(stage.path("alertmanager.yml"), "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n")
            .unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", stage.path("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", stage.path("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(stage.path("alertmanager.log")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("alertmanager: {error}; `tests/run` installs it"));
        Self { child, address }
    }

    /// Alerts that it has as firing.
    fn alerts(&self) -> Vec<Value> {
        let output = Command::new("amtool")
            .arg(format!("--alertmanager.url=http://{}", self.address))
            .args(["alert", "query", "--output=json"])
            .output()
            .expect("amtool is installed");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn firing(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.alerts().iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_alertmanager_has_what_holds_and_no_more() {
    let stage = stage("");
    let alertmanager = Alertmanager::start(&stage);
    let plain = Receiver::new(TAKES);
    let table =
        |id: &str, url: &str| format!("[[notifications]]\nid = \"{id}\"\nkind = \"alertmanager\"\nurl = \"{url}\"\n");
    let tables = table("real", &format!("http://{}/", alertmanager.address)) + &table("plain", &plain.url(""));
    let settings = std::fs::read_to_string(stage.path("dialops.toml")).unwrap();
    stage.settings(|_| settings + &tables);
    commit(&stage, "running");
    let daemon = stage.run();
    commit(&stage, "runing");
    stage.until("it fires", || alertmanager.firing() == ["DialopsCommitFailed"]);
    let alert = &alertmanager.alerts()[0];
    assert_eq!(
        (&alert["labels"]["instance"], &alert["labels"]["reason"]),
        (&"prod-a".into(), &"ValidationFailed".into())
    );
    let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let left = at(&alert["endsAt"]).duration_since(Clock::system().now().wall);
    assert!(left > SignedDuration::from_secs(200) && left <= SignedDuration::from_secs(240), "{left:?}");
    stage.cli(&["override", "pause", "all", "--reason", "wrong script", "--until", "1h"]);
    stage.until("both fire", || alertmanager.firing() == ["DialopsCommitFailed", "DialopsOverrideActive"]);
    commit(&stage, "paused");
    stage.until("one is over", || alertmanager.firing() == ["DialopsOverrideActive"]);
    stage.cli(&["override", "end", "1"]);
    stage.until("nothing is left", || alertmanager.firing().is_empty());

    stage.until("the other has heard the same", || {
        plain.requests().last().is_some_and(|request| {
            let alerts = request.json();
            alerts.as_array().unwrap().iter().all(|alert| at(&alert["endsAt"]) <= Clock::system().now().wall)
        })
    });
    assert!(plain.requests().iter().all(|request| request.path == "/api/v2/alerts"));
    let counts = ["sent", "failed", "dropped"].map(|result| counted(&daemon, "alertmanager", result));
    assert!(counts[0] >= 8 && counts[2] == 0, "{counts:?}\n{}", daemon.log());
    daemon.stop();
}
