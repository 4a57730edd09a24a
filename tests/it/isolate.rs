//! The policy `isolate` through the whole daemon: a bad file stays as it was, all else goes on.

use serde_json::Value;

use crate::stage::{Campaign, Stage, number};

fn named(id: &str) -> Campaign {
    Campaign { id: id.to_owned(), ..Campaign::default() }
}

fn source(stage: &Stage) -> Value {
    stage.status()["sources"][0].clone()
}

fn ready(stage: &Stage) -> Value {
    let conditions = source(stage)["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap()
}

fn is_in_force(stage: &Stage, commit: &str) -> bool {
    source(stage)["lastAppliedRevision"].as_str().is_some_and(|revision| revision.ends_with(commit))
}

#[test]
fn a_bad_file_stays_as_it_was_while_the_rest_goes_on() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\nbad_files = \"isolate\"\n"));
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    stage.write_campaign(&named("c1"));
    let first = stage.commit(&named("c2")).to_string();
    let daemon = stage.run();
    stage.until("the first commit is in force", || is_in_force(&stage, &first));
    assert_eq!(ready(&stage)["status"], "True");

    stage.write_campaign(&Campaign { state: "runing", ..named("c1") });
    stage.write_campaign(&Campaign { state: "paused", ..named("c2") });
    stage.repository.write("campaigns/c3.toml", "id = ");
    let second = stage.repository.commit("one good of three").to_string();
    stage.until("the second commit is in force", || is_in_force(&stage, &second));
    let told = |stage: &Stage| {
        let ready = ready(stage);
        assert_eq!((&ready["status"], &ready["reason"]), (&"False".into(), &"FilesKept".into()), "{ready}");
        let message = ready["message"].as_str().unwrap().to_owned();
        let c1 = format!("campaigns/c1.toml as commit {} has it", &first[..12]);
        assert!(message.contains(&c1) && message.contains("without campaigns/c3.toml"), "{message}");
        let problems = stage.status()["problems"].as_array().unwrap().clone();
        let files: Vec<_> = problems.iter().map(|problem| problem["file"].clone()).collect();
        assert_eq!(files, ["campaigns/c1.toml", "campaigns/c3.toml"]);
    };
    told(&stage);
    let list = stage.status()["campaigns"]["list"].as_array().unwrap().clone();
    let phases: Vec<_> = list.iter().map(|one| (one["id"].clone(), one["phase"].clone())).collect();
    assert_eq!(phases, [("c1".into(), "running".into()), ("c2".into(), "paused".into())]);
    assert!(stage.cli(&["history"]).contains("in part"), "{}", stage.cli(&["history"]));
    assert_eq!(daemon.metric("dialops_config_invalid_files"), ["dialops_config_invalid_files{source=\"main\"} 2"]);

    // An attempt names the commit whose file its campaign stands by.
    stage.sign_in(&["a1"]);
    stage.import_into("c1", &[("d1", &[number::quick(1)])]);
    stage.until("a call is placed", || !stage.results_of("c1").is_empty());
    assert_eq!(stage.results_of("c1")[0].revision, first);

    // A plan stands on what is in force: with the fault mended the file is as it is in force.
    let folder = stage.repository.path().join("campaigns");
    stage.write_campaign(&named("c1"));
    std::fs::remove_file(folder.join("c3.toml")).unwrap();
    let (code, plan, said) = stage.cli_says(&["plan", "--dir", folder.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{plan}{said}");
    daemon.stop();

    // The next life knows what is kept, and finds out why.
    let daemon = stage.run();
    stage.until("it is told again", || ready(&stage)["reason"] == "FilesKept");
    told(&stage);
    assert_eq!(stage.status()["campaigns"]["list"][0]["phase"], "completed");

    let third = stage.repository.commit("mended").to_string();
    stage.until("the third commit is in force", || is_in_force(&stage, &third));
    assert_eq!(ready(&stage)["status"], "True");
    assert_eq!(stage.status()["problems"].as_array().unwrap().len(), 0);
    daemon.stop();
}

#[test]
fn a_commit_that_can_not_be_taken_apart_stays_out() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\nbad_files = \"isolate\"\n"));
    let first = stage.commit(&named("spring")).to_string();
    let daemon = stage.run();
    stage.until("the first commit is in force", || is_in_force(&stage, &first));
    // A link in the place of a file is kept apart; names that differ by case only are not one file's fault.
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", stage.repository.path().join("campaigns/spring.toml")).unwrap();
    let second = stage.repository.commit("a link").to_string();
    stage.until("the link is left out", || is_in_force(&stage, &second));
    assert_eq!(ready(&stage)["reason"], "FilesKept");
    assert_eq!(stage.status()["campaigns"]["list"][0]["phase"], "running");
    // So is one whose name nobody can read.
    stage.repository.write("campaigns/a\u{7}.toml", "");
    let second = stage.repository.commit("a bell").to_string();
    stage.until("the rest is in force", || is_in_force(&stage, &second));
    let message = ready(&stage)["message"].to_string();
    assert!(message.contains("in force, without campaigns/a\\\\u{7}.toml, campaigns/spring.toml as"), "{message}");
    stage.repository.write("campaigns/Autumn.toml", "");
    stage.repository.write("campaigns/autumn.toml", "");
    stage.repository.commit("names");
    stage.until("the names are refused", || ready(&stage)["reason"] != "FilesKept");
    assert!(is_in_force(&stage, &second), "{}", source(&stage));
    daemon.stop();
}
