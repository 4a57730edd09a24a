//! The audit log through the whole daemon, and what a hand with `sqlite3` does to it.

use rusqlite::Connection;
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number};

fn stage() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage
}

fn database(stage: &Stage) -> Connection {
    let conn = Connection::open(stage.path("dialops.db")).unwrap();
    conn.execute_batch("PRAGMA busy_timeout = 5000").unwrap();
    conn
}

fn entries(stage: &Stage) -> Vec<Value> {
    let page: Value = serde_json::from_str(&stage.cli(&["audit", "list", "--format", "json"])).unwrap();
    page["entries"].as_array().unwrap().clone()
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap()
}

#[test]
fn each_change_is_there_with_who_made_it_and_nothing_personal() {
    let stage = stage();
    let daemon = stage.run();
    let called = number::rings(1);
    stage.import(&[("c-secret", std::slice::from_ref(&called)), ("c-second", &[number::rings(2)])]);
    stage.cli(&["people", "set", "sue", "--role", "supervisor"]);
    let token = stage.cli(&["people", "token", "sue", "--lasts", "1h"]);
    std::fs::write(stage.path("sue"), &token).unwrap();
    let url = format!("http://{}", stage.http);
    let sue = stage.path("sue");
    let as_sue = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dialops"));
        command.args(arguments).args(["--url", &url, "--token-file"]).arg(&sue).output().unwrap()
    };
    assert!(as_sue(&["override", "pause", "all", "--reason", "x", "--until", "1h"]).status.success());
    let refused = as_sue(&["agents", "set", "a1", "idle"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("only the agent signs in"), "{said}");
    assert!(!as_sue(&["people", "list"]).status.success());
    assert!(!as_sue(&["people", "set", "sue", "--role", "admin"]).status.success());
    stage.cli(&["contacts", "erase", "c-secret"]);
    stage.cli(&["contacts", "delete", CAMPAIGN, "c-second"]);
    stage.cli(&["agents", "set", "a1", "busy"]);

    let all = entries(&stage);
    let shown: Vec<String> = all
        .iter()
        .map(|entry| ["who", "role", "action", "object", "result"].map(|key| text(entry, key)).join(" | "))
        .collect();
    let own = format!("uid {}", rustix::process::geteuid().as_raw());
    let expected = [
        format!("{own} | admin | contacts.import | campaign spring | began"),
        format!(
            "{own} | admin | contacts.import | campaign spring, batch {}, 2 rows, 2 added, 0 changed, 0 left out | done",
            batch(&stage)
        ),
        format!("{own} | admin | person.make | person sue, supervisor | done"),
        format!("{own} | admin | person.token | person sue | done"),
        "sue | supervisor | override.make | pauses all campaigns | done".to_owned(),
        "sue | supervisor | agent.set | agent a1 | refused".to_owned(),
        "sue | supervisor | person.make | person sue | denied".to_owned(),
        format!("{own} | admin | contact.erase | campaign spring, contact #1 | done"),
        format!("{own} | admin | contact.delete | campaign spring, contact #2 | done"),
        format!("{own} | admin | agent.set | agent a1, busy | done"),
    ];
    assert_eq!(shown, expected);
    let whole = format!("{all:?}{}", daemon.log());
    for personal in ["c-secret", "c-second", &called[1..], token.trim()] {
        assert!(!whole.contains(personal), "{personal} in {whole}");
    }
    daemon.stop();
}

#[test]
fn what_is_no_change_of_the_store_begins_with_an_entry() {
    let stage = stage();
    let daemon = stage.run();
    stage.import(&[("c-1", &[number::quick(1)])]);
    let before = entries(&stage).len();
    stage.cli(&["reconcile"]);
    stage.cli(&["contacts", "list", CAMPAIGN]);
    stage.cli(&["contacts", "list", CAMPAIGN, "--unmasked"]);
    stage.cli(&["results", CAMPAIGN, "--unmasked"]);
    stage.cli(&["results", "show", CAMPAIGN, "c-1", "--unmasked"]);
    let all = entries(&stage);
    let shown: Vec<_> = all[before..].iter().map(|e| ["action", "object", "result"].map(|key| text(e, key))).collect();
    let campaign = "campaign spring";
    assert_eq!(
        shown,
        [
            ["reconcile", "", "began"],
            ["reconcile", "", "done"],
            ["contacts.unmasked", campaign, "done"],
            ["results.unmasked", campaign, "done"],
            ["contacts.unmasked", "campaign spring, contact #1", "done"],
        ]
    );
    daemon.stop();
}

fn batch(stage: &Stage) -> String {
    let listed = stage.cli(&["batches", "list", CAMPAIGN, "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["batches"][0]["name"].as_str().or(listed["batches"][0]["batch"].as_str()).unwrap().to_owned()
}

#[test]
fn verify_finds_what_was_edited_taken_out_moved_or_cut_off() {
    let stage = stage();
    let daemon = stage.run();
    for state in ["idle", "busy", "rest", "signed_out", "idle"] {
        stage.cli(&["agents", "set", "a1", state]);
    }
    let whole = stage.cli(&["audit", "verify"]);
    let end = whole.trim().strip_prefix("5 ").expect("five entries").to_owned();
    assert_eq!(end, text(&entries(&stage)[4], "digest"));
    assert!(stage.cli(&["audit", "verify", "--end", &end]).starts_with("5 "));

    // A slip of the hand is refused by the store itself.
    for slip in ["UPDATE audit SET who = 'x' WHERE id = 2", "DELETE FROM audit WHERE id = 3"] {
        let refused = database(&stage).execute_batch(slip).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    let (table, triggers) = ("CREATE TABLE kept AS SELECT * FROM audit", ["edited", "shortened"]);
    database(&stage).execute_batch(table).unwrap();
    for trigger in triggers {
        database(&stage).execute_batch(&format!("DROP TRIGGER audit_is_not_{trigger}")).unwrap();
    }
    let broken = |sql: &str, told: &str| {
        database(&stage).execute_batch(sql).unwrap();
        let (code, said) = stage.cli_fails(&["audit", "verify", "--end", &end]);
        assert!(code == Some(1) && said.contains(told), "{sql}: {said}");
        database(&stage).execute_batch("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").unwrap();
        assert!(stage.cli(&["audit", "verify", "--end", &end]).starts_with("5 "));
    };
    broken("UPDATE audit SET object = 'agent a2' WHERE id = 2", "entry 2 is not what was written");
    broken("UPDATE audit SET result = 'refused' WHERE id = 5", "entry 5 is not what was written");
    broken("DELETE FROM audit WHERE id = 3", "entry 3 is missing: entry 4 stands where it should be");
    broken(
        "UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 9",
        "entry 2 is not what was written",
    );
    broken("DELETE FROM audit WHERE id = 5", "its end was cut off");
    daemon.stop();
}
