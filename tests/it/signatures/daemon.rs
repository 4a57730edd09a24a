//! The whole daemon on a branch whose commits have to be signed.

use std::{path::Path, time::Duration};

use dialops::domain::ids::Revision;
use serde_json::Value;

use super::keys::Keys;
use crate::stage::{Campaign, Stage, daemon::Daemon, pause};

/// Long enough for two looks at the branch.
const LOOKS: Duration = Duration::from_millis(2_500);

struct Signing {
    stage: Stage,
    keys: Keys,
}

impl Signing {
    /// `ops` may sign.
    fn new(mode: &str) -> Self {
        let signing = Self { stage: Stage::new(&["a1"]), keys: Keys::new() };
        let key = signing.keys.ssh("ops");
        signing.allow(&format!("ops@example.org {key}\n"));
        signing.mode(mode);
        signing
    }

    fn allow(&self, text: &str) {
        std::fs::write(self.stage.path("allowed_signers"), text).unwrap();
    }

    fn mode(&self, mode: &str) {
        let verify = format!("verify = {{ mode = \"{mode}\", allowed_signers = {{ file = \"allowed_signers\" }} }}");
        self.stage.settings(|text| text.replace("poll = \"1s\"", &format!("poll = \"1s\", {verify}")));
    }

    fn signed(&self, campaign: &Campaign) -> Revision {
        self.stage.write_campaign(campaign);
        let repository = &self.stage.repository;
        repository.git(["add", "--all", "."]);
        let key = format!("user.signingKey={}", self.keys.path("ops").display());
        repository.git(["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--gpg-sign", "--message", "signed"]);
        repository.head()
    }
}

fn paused() -> Campaign {
    Campaign { state: "paused", ..Campaign::default() }
}

fn condition(daemon: &Daemon, kind: &str) -> Option<Value> {
    let conditions = daemon.status()["sources"][0]["conditions"].clone();
    conditions.as_array().unwrap().iter().find(|condition| condition["type"] == kind).cloned()
}

/// Status and reason of `SourceVerified`.
fn verified(daemon: &Daemon) -> (String, String) {
    let found = condition(daemon, "SourceVerified").unwrap_or_default();
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

fn good() -> (String, String) {
    ("True".to_owned(), "SignatureGood".to_owned())
}

fn bad(reason: &str) -> (String, String) {
    ("False".to_owned(), reason.to_owned())
}

fn applied(daemon: &Daemon) -> String {
    let shown = daemon.status()["sources"][0]["lastAppliedRevision"].as_str().unwrap_or_default().to_owned();
    shown.rsplit(':').next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_not_signed_stays_out_and_says_so_until_it_is() {
    let signing = Signing::new("head");
    let stage = &signing.stage;
    let first = signing.signed(&Campaign::default());
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (first.as_str(), good()));
    let shown = daemon.status()["sources"][0]["appliedCommit"]["verified"].clone();
    assert_eq!((&shown["method"], &shown["signer"]), (&"ssh".into(), &"ops@example.org".into()));
    let text = stage.cli(&["status"]);
    assert!(text.contains("signed by  ops@example.org (ssh, SHA256:"), "{text}");
    assert!(daemon.get("/").unwrap().1.contains("signed by ops@example.org (ssh, SHA256:"));

    let unsigned = stage.commit(&paused());
    stage.until("it is told", || verified(&daemon) == bad("Unsigned"));
    let ready = condition(&daemon, "Ready").unwrap();
    let message = ready["message"].as_str().unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&"False".into(), &"Unsigned".into()));
    let told = format!("commit {} by Ada Operator is not signed; sign it with", unsigned.short());
    assert!(message.starts_with(&told) && message.ends_with("stays in force"), "{message}");
    assert_eq!(applied(&daemon), first.as_str());
    assert_eq!(daemon.metric("dialops_source_unverified")[0].split(' ').next_back(), Some("1"));
    let history = stage.cli(&["history", "--format", "json"]);
    let newest: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    assert_eq!((&newest["result"], &newest["reason"]), (&"refused".into(), &"Unsigned".into()));
    assert_eq!(newest["commit"]["author"], "Ada Operator");
    assert!(newest["commit"].get("verified").is_none());
    let earlier: Value = serde_json::from_str(history.lines().nth(1).unwrap()).unwrap();
    assert_eq!(earlier["commit"]["verified"]["signer"], "ops@example.org");

    let next = signing.signed(&Campaign { max_ring: "6s", ..paused() });
    stage.until("the next is taken", || applied(&daemon) == next.as_str());
    assert_eq!(verified(&daemon), good());
    assert_eq!(daemon.metric("dialops_source_unverified")[0].split(' ').next_back(), Some("0"));
    daemon.stop();
}

#[test]
fn every_commit_since_the_one_in_force_counts() {
    let signing = Signing::new("every");
    let stage = &signing.stage;
    // Of what was there before the first start only the newest is looked at.
    stage.commit(&Campaign { max_ring: "7s", ..Campaign::default() });
    let first = signing.signed(&Campaign::default());
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (first.as_str(), good()));
    stage.commit(&paused());
    let head = signing.signed(&Campaign { max_ring: "6s", ..paused() });
    let told = format!("which commit {} brings, is not signed", head.short());
    let message = || condition(&daemon, "SourceVerified").map(|found| found["message"].to_string()).unwrap_or_default();
    stage.until("it is told", || message().contains(&told));
    assert_eq!(verified(&daemon), bad("Unsigned"));
    assert_eq!(applied(&daemon), first.as_str());
    // The branch goes back to what is in force.
    stage.repository.git(["reset", "--quiet", "--hard", first.as_str()]);
    stage.until("all is well", || verified(&daemon) == good());
    daemon.stop();
}

#[test]
fn a_key_that_is_added_lets_in_what_waits_and_one_that_goes_takes_nothing_away() {
    let signing = Signing::new("head");
    let stage = &signing.stage;
    let ours = std::fs::read_to_string(stage.path("allowed_signers")).unwrap();
    let eve = signing.keys.ssh("eve");
    signing.allow(&format!("eve@example.org {eve}\n"));
    let head = signing.signed(&Campaign::default());
    let daemon = stage.start(&[]);
    stage.until("it waits", || daemon.get("/-/healthy").is_some() && verified(&daemon) == bad("SignerUnknown"));
    assert_eq!(applied(&daemon), "");
    signing.allow(&ours);
    stage.until("it is let in", || applied(&daemon) == head.as_str());
    // Nobody's any more: neither a look nor a restart takes it out of force.
    signing.allow(&format!("eve@example.org {eve}\n"));
    stage.cli(&["reconcile"]);
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (head.as_str(), good()));
    daemon.kill();
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (head.as_str(), good()));
    let next = signing.signed(&paused());
    stage.until("the next waits", || verified(&daemon) == bad("SignerUnknown"));
    assert_eq!(applied(&daemon), head.as_str());
    daemon.kill();
    let daemon = stage.run();
    stage.until("it still waits", || verified(&daemon) == bad("SignerUnknown"));
    assert_eq!(applied(&daemon), head.as_str());
    std::fs::remove_file(stage.path("allowed_signers")).unwrap();
    stage.until("the keys are missed", || verified(&daemon) == bad("CredentialMissing"));
    signing.allow(&ours);
    stage.until("it is let in", || applied(&daemon) == next.as_str());
    daemon.stop();
}

#[test]
fn what_came_into_force_unsigned_is_judged_once_that_is_asked_for() {
    let signing = Signing::new("none");
    let stage = &signing.stage;
    let first = stage.commit(&Campaign::default());
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), condition(&daemon, "SourceVerified")), (first.as_str(), None));
    daemon.stop();
    signing.mode("every");
    let daemon = stage.start(&[]);
    stage.until("it is told", || daemon.get("/-/healthy").is_some() && verified(&daemon) == bad("Unsigned"));
    pause(LOOKS);
    assert_eq!(applied(&daemon), "", "nothing is in force");
    let message = condition(&daemon, "Ready").unwrap()["message"].to_string();
    assert!(message.contains("the last good commit can't be put in force again"), "{message}");
    let head = signing.signed(&paused());
    stage.until("a signed one is", || applied(&daemon) == head.as_str());
    daemon.stop();
}

#[test]
fn a_pin_is_verified_too() {
    let signing = Signing::new("every");
    let stage = &signing.stage;
    let unsigned = stage.commit(&Campaign { max_ring: "7s", ..Campaign::default() });
    let first = signing.signed(&Campaign::default());
    let daemon = stage.run();
    let second = signing.signed(&paused());
    stage.until("the second is in force", || applied(&daemon) == second.as_str());
    let pin = |revision: &Revision| {
        ["override", "pin", revision.as_str(), "--reason", "bad night", "--until", "1h"].map(str::to_owned)
    };
    let arguments = pin(&unsigned);
    let (_, said) = stage.cli_fails(&arguments.each_ref().map(String::as_str));
    assert!(said.contains("is not signed"), "{said}");
    stage.cli(&pin(&first).each_ref().map(String::as_str));
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (first.as_str(), good()));
    daemon.kill();
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (first.as_str(), good()));
    stage.cli(&["override", "end", "1"]);
    stage.until("the branch is followed again", || applied(&daemon) == second.as_str());
    assert_eq!(verified(&daemon), good());
    daemon.stop();
}

#[test]
fn a_mirror_is_verified_as_well() {
    let signing = Signing::new("head");
    let stage = &signing.stage;
    let first = signing.signed(&Campaign::default());
    let url = |path: &Path| format!("url = \"file://{}\"", path.display());
    let settings = std::fs::read_to_string(stage.path("dialops.toml")).unwrap();
    let local = format!("repository = \"{}\"", stage.repository.path().display());
    std::fs::write(stage.path("dialops.toml"), settings.replace(&local, &url(stage.repository.path()))).unwrap();
    let daemon = stage.run();
    assert_eq!((applied(&daemon).as_str(), verified(&daemon)), (first.as_str(), good()));
    stage.commit(&paused());
    stage.until("it is told", || verified(&daemon) == bad("Unsigned"));
    daemon.kill();
    let daemon = stage.run();
    stage.until("it is told again", || verified(&daemon) == bad("Unsigned"));
    assert_eq!(applied(&daemon), first.as_str());
    daemon.stop();
}
