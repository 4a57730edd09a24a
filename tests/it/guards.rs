//! Deletion guards, pins and freezes through the whole daemon.

use std::time::Duration;

use dialops::clock::Clock;
use jiff::Timestamp;
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause};

/// Longer than it takes an idle agent to be given a call.
const IN_VAIN: Duration = Duration::from_secs(3);

fn with_guards(stage: &Stage, guards: &str) {
    stage.settings(|text| format!("{text}\n{guards}\n"));
}

fn named(id: &str) -> Campaign {
    Campaign { id: id.to_owned(), ..Campaign::default() }
}

/// A stage whose branch has these campaigns.
fn stage_with(campaigns: &[&str], guards: &str) -> Stage {
    let stage = Stage::new(&["a1"]);
    with_guards(&stage, guards);
    std::fs::remove_file(stage.repository.path().join(format!("campaigns/{CAMPAIGN}.toml"))).unwrap();
    for id in campaigns {
        stage.write_campaign(&named(id));
    }
    stage.repository.commit("campaigns");
    stage
}

fn remove(stage: &Stage, campaigns: &[&str]) -> String {
    for id in campaigns {
        std::fs::remove_file(stage.repository.path().join(format!("campaigns/{id}.toml"))).unwrap();
    }
    stage.repository.commit("removals").to_string()
}

fn source(stage: &Stage) -> Value {
    stage.status()["sources"][0].clone()
}

fn condition(stage: &Stage, kind: &str) -> Option<Value> {
    let conditions = source(stage)["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["type"] == kind)
}

fn phases(stage: &Stage) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = stage.status()["campaigns"]["list"].as_array().unwrap().clone();
    list.iter().map(|campaign| (text(&campaign["id"]), text(&campaign["phase"]))).collect()
}

fn in_force(stage: &Stage) -> String {
    source(stage)["lastAppliedRevision"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
}

#[test]
fn many_removals_wait_until_that_very_commit_is_approved() {
    let stage = stage_with(&["c1", "c2", "c3", "c4"], "[guards]\nremovals = 2\nremovals_percent = 100\ngrace = \"1h\"");
    let daemon = stage.run();
    stage.until("a commit is in force", || !in_force(&stage).is_empty());
    let first = in_force(&stage);
    let commit = remove(&stage, &["c1", "c2", "c3"]);

    // What it would do is told before it is in force, and what the guard would say of it.
    let plan = stage.cli_says(&["plan", "--dir", stage.repository.path().to_str().unwrap(), "--to", "HEAD"]);
    assert_eq!(plan.0, Some(2), "{}", plan.2);
    let (steps, verdict) = (plan.1.find("retire  c1").unwrap(), plan.1.find("guard    it takes away 3 of 4").unwrap());
    assert!(steps < verdict, "the whole plan goes first: {}", plan.1);
    assert!(plan.1.contains(&format!("`dialops approve {commit}`")), "{}", plan.1);

    let folder = stage.repository.path().to_str().unwrap();
    let json = stage.cli_says(&["plan", "--dir", folder, "--to", "HEAD", "--format", "json"]).1;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["guard"]["verdict"], "TooManyRemovals", "{json}");
    assert_eq!(json["campaigns"].as_array().unwrap().len(), 3, "the whole plan");

    stage.until("the commit waits", || condition(&stage, "PruneBlocked").is_some());
    let blocked = condition(&stage, "PruneBlocked").unwrap();
    assert_eq!((&blocked["status"], &blocked["reason"]), (&"True".into(), &"TooManyRemovals".into()));
    let message = blocked["message"].as_str().unwrap();
    let told = "it takes away 3 of 4 campaigns, more than 2 ([guards] removals)";
    assert!(message.contains(told) && message.contains(&format!("`dialops approve {commit}`")), "{message}");
    assert_eq!(in_force(&stage), first);
    assert_eq!(source(&stage)["waiting"]["plan"].as_array().unwrap().len(), 3);
    assert!(stage.cli(&["status"]).contains("would      pause c1: its file is gone"), "{}", stage.cli(&["status"]));
    assert_eq!(daemon.metric("dialops_prune_blocked"), ["dialops_prune_blocked{source=\"main\"} 1"]);

    // Another commit than the one that waits is nothing that can be approved.
    let (code, said) = stage.cli_fails(&["approve", &first]);
    assert!(code == Some(1) && said.contains(&format!("commit {commit} waits, not \"{first}\"")), "{said}");
    stage.cli(&["approve", &commit[..12]]);
    assert_eq!(in_force(&stage), commit);
    assert_eq!(condition(&stage, "PruneBlocked"), None);
    assert_eq!(daemon.metric("dialops_prune_blocked"), ["dialops_prune_blocked{source=\"main\"} 0"]);
    let paused = |id: &str| (id.to_owned(), "paused".to_owned());
    assert_eq!(phases(&stage)[..3], [paused("c1"), paused("c2"), paused("c3")]);
    let (_, said) = stage.cli_fails(&["approve", &commit]);
    assert!(said.contains("no commit waits for approval"), "{said}");
    daemon.stop();
}

#[test]
fn a_commit_without_campaigns_is_never_followed() {
    let stage = stage_with(&["c1"], "[guards]\nremovals_percent = 100");
    let daemon = stage.run();
    stage.until("a commit is in force", || !in_force(&stage).is_empty());
    let first = in_force(&stage);
    let commit = remove(&stage, &["c1"]);
    stage.until("the commit waits", || condition(&stage, "PruneBlocked").is_some());
    assert_eq!(condition(&stage, "PruneBlocked").unwrap()["reason"], "EmptySet");
    let (_, said) = stage.cli_fails(&["approve", &commit]);
    assert!(said.contains("can't be approved: it defines no campaign, and 1 is in force"), "{said}");
    assert_eq!(in_force(&stage), first);
    daemon.stop();

    // So it is in the next life.
    let daemon = stage.run();
    stage.until("the commit waits again", || condition(&stage, "PruneBlocked").is_some());
    assert_eq!(in_force(&stage), first);
    daemon.stop();
}

#[test]
fn a_campaign_whose_file_is_gone_pauses_retires_and_can_return() {
    let stage = stage_with(&["c1", "c2", "c3"], "[guards]\ngrace = \"5s\"");
    let daemon = stage.run();
    let text = std::fs::read_to_string(stage.repository.path().join("campaigns/c1.toml")).unwrap();
    stage.import_into("c1", &[("d1", &[number::quick(1)])]);
    remove(&stage, &["c1"]);
    stage.until("it is paused", || phases(&stage)[0].1 == "paused");
    let waiting = stage.status()["campaigns"]["list"][0]["waiting"].clone();
    assert!(
        waiting["message"].as_str().unwrap().starts_with("the campaign's file is gone; it retires at "),
        "{waiting}"
    );
    assert_eq!(stage.why_in("c1", "d1")["hold"]["message"], waiting["message"]);
    // Nobody counts the contacts of a campaign whose file is gone.
    let shown = stage.cli(&["status"]);
    let line = shown.lines().find(|line| line.starts_with("c1 ")).unwrap();
    assert_eq!(line.split_whitespace().take(4).collect::<Vec<_>>(), ["c1", "paused", "-", "0"], "{shown}");
    stage.until("the others are counted", || !stage.cli(&["status"]).contains("counting"));
    assert!(!daemon.get("/").unwrap().1.contains("counting"), "nor does the page say so");
    stage.sign_in(&["a1"]);
    stage.until("it has retired", || phases(&stage).len() == 2);
    assert_eq!(stage.status()["campaigns"]["byPhase"]["retired"], 1);
    assert_eq!(stage.carrier_traffic().invited().count(), 0);
    assert_eq!(stage.why_in("c1", "d1")["hold"]["reason"], "retired", "its contacts stay");
    stage.repository.write("campaigns/c1.toml", text);
    stage.repository.commit("it is back");
    stage.until("it is called", || stage.carrier_traffic().invited().count() == 1);
    daemon.stop();
}

#[test]
fn a_pin_goes_back_without_git_and_ends_by_itself() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    let bad = stage.commit(&Campaign::default()).to_string();
    let daemon = stage.run();
    stage.until("the newest commit is in force", || in_force(&stage) == bad);
    stage.import_numbers(&[number::quick(1)]);
    let how = ["--reason", "calls the wrong people", "--until", "12s"];
    let said = stage.cli(&[&["override", "pin", &good[..10]][..], &how].concat());
    assert!(said.contains(&format!("follows commit {} instead of the branch", &good[..12])), "{said}");
    assert!(said.contains(&format!("git revert --no-edit {good}..{bad}")), "{said}");
    assert_eq!(in_force(&stage), good, "before the command returns");
    assert_eq!(stage.repository.git(["rev-parse", "main"]), bad, "the branch is as it was");
    let ready = condition(&stage, "Ready").unwrap();
    assert!(ready["message"].as_str().unwrap().contains("as override 1 has it until"), "{ready}");
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(stage.carrier_traffic().invited().count(), 0);
    let (_, again) = stage.cli_fails(&[&["override", "pin", &bad[..10]][..], &how].concat());
    assert!(again.contains("already; end it first: `dialops override end 1`"), "{again}");
    stage.until("the branch is followed again", || in_force(&stage) == bad);
    stage.until("it is called", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));

    // The next life finds a pin that holds, and what it pins.
    stage.cli(&[&["override", "pin", &good][..], &["--reason", "again", "--until", "1h"]].concat());
    daemon.kill();
    let daemon = stage.run();
    stage.until("the pinned commit is in force", || in_force(&stage) == good);
    let (code, said) = stage.cli_fails(&[&["override", "pin", "0000000"][..], &how].concat());
    assert!(code == Some(2) && said.contains("0000000"), "{said}");
    stage.cli(&["override", "end", "2"]);
    assert_eq!(in_force(&stage), bad);
    daemon.stop();
}

#[test]
fn a_freeze_lets_pauses_in_and_nothing_else() {
    let stage = stage_with(&["c1", "c2"], "");
    let daemon = stage.run();
    stage.until("a commit is in force", || !in_force(&stage).is_empty());
    let first = in_force(&stage);
    daemon.stop();
    let seconds = |after: i64| Timestamp::from_second(Clock::system().now().wall.as_second() + after).unwrap();
    let (starts_at, ends_at) = (seconds(-10), seconds(30));
    let freeze = format!("[[freezes]]\nstarts_at = {starts_at}\nends_at = {ends_at}\nreason = \"peak\"");
    with_guards(&stage, &freeze);
    let daemon = stage.run();
    stage.until("the commit in force is", || in_force(&stage) == first);
    stage.write_campaign(&Campaign { state: "paused", ..named("c1") });
    stage.write_campaign(&Campaign { max_ring: "7s", ..named("c2") });
    let commit = stage.commit(&named("c3")).to_string();
    let phase = |id: &str| phases(&stage).into_iter().find(|(found, _)| found == id).map(|(_, phase)| phase);
    stage.until("the pause is applied", || phase("c1").as_deref() == Some("paused"));
    assert_eq!((in_force(&stage), phase("c3")), (first.clone(), None));
    let ready = condition(&stage, "Ready").unwrap();
    assert_eq!(ready["reason"], "Frozen");
    assert!(ready["message"].as_str().unwrap().contains("nothing but pauses is applied until"), "{ready}");
    let plan = stage.cli_says(&["plan", "--dir", stage.repository.path().to_str().unwrap(), "--to", "HEAD"]);
    assert!(plan.1.contains("guard    nothing but pauses is applied until"), "{}", plan.1);
    daemon.kill();

    // A restart resumes nothing.
    let daemon = stage.run();
    stage.until("c1 is there again", || phase("c1").is_some());
    assert_eq!((in_force(&stage), phase("c1").as_deref()), (first, Some("paused")));
    stage.until("the freeze is over", || in_force(&stage) == commit);
    assert_eq!(phase("c3").as_deref(), Some("running"));
    assert!(Clock::system().now().wall >= ends_at);
    daemon.stop();
}

#[test]
fn what_is_wrong_with_a_commit_is_heard_while_it_waits() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    let freeze = "[[weekly_freezes]]\nwindows = [\"00:00-24:00\"]\ntimezone = \"UTC\"\nreason = \"peak\"";
    let daemon = stage.run();
    stage.until("the commit is in force", || in_force(&stage) == good);
    daemon.stop();
    stage.settings(|text| format!("{text}\n[guards]\nbad_files = \"isolate\"\n{freeze}"));
    stage.repository.write("campaigns/typo.toml", "id = ");
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let ready = || condition(&stage, "Ready").unwrap();
    stage.until("it waits", || ready()["reason"] == "Frozen");
    let message = ready()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("it would come into force but for 1 problem in 1 file"), "{message}");
    let files = |status: Value| {
        let problems = status["problems"].as_array().unwrap().clone();
        problems.into_iter().map(|problem| problem["file"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(files(stage.status()), ["campaigns/typo.toml"]);
    assert!(stage.cli(&["history"]).contains("waits"), "{}", stage.cli(&["history"]));
    // The next one has no fault, and none is told of it.
    std::fs::remove_file(stage.repository.path().join("campaigns/typo.toml")).unwrap();
    stage.repository.commit("no typo");
    stage.until("the next one waits", || ready()["reason"] == "Frozen" && files(stage.status()).is_empty());
    assert!(!ready()["message"].as_str().unwrap().contains("but for"));
    daemon.stop();
}

#[test]
fn the_commands_that_make_a_pin_last_undo_merges_too() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    let git = |arguments: &[&str]| stage.repository.git(arguments);
    git(&["checkout", "--quiet", "-b", "feature"]);
    stage.commit(&named("feature"));
    git(&["checkout", "--quiet", "main"]);
    stage.commit(&Campaign::default());
    git(&["merge", "--quiet", "--no-ff", "--no-edit", "feature"]);
    let newest = stage.commit(&named("winter")).to_string();
    let daemon = stage.run();
    stage.until("the newest commit is in force", || in_force(&stage) == newest);
    let said = stage.cli(&["override", "pin", &good, "--reason", "calls the wrong people", "--until", "1h"]);
    let commands: Vec<&str> = said.lines().map(str::trim).filter(|line| line.starts_with("git revert")).collect();
    assert_eq!(commands.len(), 3, "{said}");
    assert!(commands.iter().any(|command| command.contains("-m 1 ")), "{said}");
    for command in &commands {
        let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
        git(&arguments);
    }
    let tree = |revision: &str| git(&["rev-parse", &format!("{revision}^{{tree}}")]);
    assert_eq!(tree("main"), tree(&good), "the branch is as it was then");
    stage.cli(&["override", "end", "1"]);
    let head = git(&["rev-parse", "main"]);
    stage.until("the branch is followed again", || in_force(&stage) == head);
    assert!(phases(&stage).iter().any(|(id, phase)| id == CAMPAIGN && phase == "paused"), "{:?}", phases(&stage));
    daemon.stop();
}

#[test]
fn a_pin_goes_before_a_weekly_freeze_and_its_end_does_not() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    let bad = stage.commit(&Campaign::default()).to_string();
    let daemon = stage.run();
    stage.until("the newest commit is in force", || in_force(&stage) == bad);
    daemon.stop();
    // All week long, so that no test is run outside it.
    with_guards(&stage, "[[weekly_freezes]]\nwindows = [\"00:00-24:00\"]\ntimezone = \"UTC\"\nreason = \"peak\"");
    let daemon = stage.run();
    stage.until("the commit in force stays", || in_force(&stage) == bad);
    stage.cli(&["override", "pin", &good, "--reason", "calls the wrong people", "--until", "1h"]);
    assert_eq!(in_force(&stage), good, "a person's word goes before the freeze");
    stage.cli(&["override", "end", "1"]);
    let frozen = || condition(&stage, "Ready").is_some_and(|ready| ready["reason"] == "Frozen");
    stage.until("the newest commit waits for the end of the freeze", frozen);
    pause(IN_VAIN);
    assert_eq!(in_force(&stage), good, "which resumes nothing");
    let message = condition(&stage, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("nothing but pauses is applied until ") && message.contains(": peak"), "{message}");
    daemon.stop();
}
