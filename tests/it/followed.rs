//! The whole daemon on a remote repository: what reaches a server becomes a call, and what a server does
//! wrong changes nothing.

use std::time::Duration;

use serde_json::Value;

use crate::{
    git_server::{GitServer, Manner},
    stage::{Campaign, Stage, daemon::Daemon, number, pause},
};

/// Most that a hostile repository may make the daemon grow.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

/// A daemon's stage whose repository is reached through a server.
fn stage(lines: &str) -> (Stage, GitServer) {
    let stage = Stage::new(&["a1"]);
    let server = GitServer::serve(stage.repository.path());
    let local = format!("repository = \"{}\"", stage.repository.path().display());
    let remote = format!("url = \"{}\", jitter = \"0s\"{lines}", server.url(".git"));
    stage.settings(|text| text.replace(&local, &remote));
    (stage, server)
}

fn ready(daemon: &Daemon) -> Value {
    daemon.status()["sources"][0]["conditions"][0].clone()
}

fn applied(daemon: &Daemon) -> String {
    daemon.status()["sources"][0]["lastAppliedRevision"].as_str().unwrap_or_default().to_owned()
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_fetched_commit_becomes_a_call_and_outlives_its_server() {
    let (stage, server) = stage("");
    let first = stage.commit(&Campaign::default());
    let daemon = stage.run();
    assert_eq!(applied(&daemon), format!("main@sha1:{first}"));
    stage.import_numbers(&[number::quick(1), number::quick(2)]);
    stage.sign_in(&["a1"]);
    stage.until("both are called", || stage.results().iter().filter(|attempt| attempt.ended_at.is_some()).count() == 2);
    let second = stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.until("the next is fetched", || applied(&daemon).ends_with(second.as_str()));
    assert_ne!(daemon.metric("dialops_source_fetches_total{result=\"changed\"")[0].split(' ').next_back(), Some("0"));

    let address = server.address();
    drop(server);
    stage.until("it is told", || ready(&daemon)["reason"] == "FetchFailed");
    let told = ready(&daemon)["message"].as_str().unwrap().to_owned();
    assert!(told.contains("can't be fetched") && told.contains("stays in force"), "{told}");
    daemon.kill();
    let daemon = stage.run();
    assert_eq!(applied(&daemon), format!("main@sha1:{second}"), "from the mirror alone");
    stage.until("it is told again", || ready(&daemon)["reason"] == "FetchFailed");
    let _server = GitServer::again(address, stage.repository.path());
    stage.until("all is well", || ready(&daemon)["status"] == "True");
    daemon.stop();
}

#[test]
fn a_server_that_stalls_holds_up_neither_start_nor_end() {
    let (stage, server) = stage(", timeout = \"1h\"");
    let first = stage.commit(&Campaign::default());
    stage.run().stop();
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    server.behave(Manner::Stalls);
    let mut daemon = stage.run();
    assert!(applied(&daemon).ends_with(first.as_str()));
    stage.until("it fetches", || server.fetches() == 2);
    daemon.terminate();
    assert!(daemon.wait(Duration::from_secs(10)).success());
}

#[test]
fn a_rewritten_branch_of_a_server_is_held() {
    let (stage, _server) = stage("");
    let first = stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.repository.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.repository.git(["branch", "--force", "main", "other"]);
    stage.until("it is held", || ready(&daemon)["reason"] == "HistoryRewritten");
    assert!(applied(&daemon).ends_with(first.as_str()));
    stage.cli(&["reconcile", "--allow-rewrite"]);
    stage.until("it is allowed", || applied(&daemon).ends_with(other.as_str()));
    stage.repository.git(["checkout", "--quiet", "--detach"]);
    stage.repository.git(["branch", "-D", "main"]);
    stage.until("its end is told", || ready(&daemon)["reason"] == "BranchMissing");
    assert!(applied(&daemon).ends_with(other.as_str()));
    daemon.stop();
}

#[test]
fn hostile_objects_of_512_mib_leave_the_daemon_small() {
    let (stage, _server) = stage("");
    let first = stage.commit(&Campaign::default());
    let daemon = stage.run();
    pause(Duration::from_secs(2));
    let before = resident_kib(&daemon);
    let sparse = stage.path("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(512 << 20).unwrap();
    let repository = &stage.repository;
    for (key, value) in [("core.bigFileThreshold", "1m"), ("core.compression", "1")] {
        repository.git(["config", key, value]);
    }
    let blob = repository.git(["hash-object", "-w", sparse.to_str().unwrap()]);
    repository.stage("100644", &blob, "campaigns/bomb.toml");
    repository.commit_index("bomb");
    stage.until("the file is refused", || ready(&daemon)["reason"] == "CommitRefused");
    let after_file = resident_kib(&daemon);

    let tree = repository.git(["rev-parse", "HEAD^{tree}"]);
    let who = "Ada <ada@example.org> 1900000000 +0000";
    let mut commit = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n").into_bytes();
    commit.resize(512 << 20, b' ');
    let id = repository.git_reading(["hash-object", "-t", "commit", "-w", "--stdin"], &commit);
    repository.git(["update-ref", "refs/heads/main", &id]);
    stage.until("the commit ends the fetch", || ready(&daemon)["reason"] == "FetchTooLarge");
    let after_commit = resident_kib(&daemon);
    assert!(applied(&daemon).ends_with(first.as_str()));
    let most = before + GROWTH_KIB_MAX;
    assert!(after_file <= most && after_commit <= most, "{before} KiB, then {after_file} and {after_commit}");
    daemon.stop();
}
