//! Drift through the whole daemon: somebody else writes into its store while it runs.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::{
    git_server::GitServer,
    stage::{CAMPAIGN, Campaign, PATIENCE, Stage, daemon::Daemon, number, pause},
};

/// Longer than it takes an idle agent to be given a call, and longer than two looks.
const IN_VAIN: Duration = Duration::from_secs(3);

fn database(stage: &Stage) -> Connection {
    let conn = Connection::open(stage.path("dialops.db")).unwrap();
    // As `sqlite3` has it.
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 5000").unwrap();
    conn
}

pub(crate) fn edit(stage: &Stage, sql: &str) {
    database(stage).execute_batch(sql).unwrap();
}

pub(crate) fn value<T: rusqlite::types::FromSql>(stage: &Stage, sql: &str) -> T {
    database(stage).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn with_policy(stage: &Stage, policy: &str) {
    stage.settings(|text| format!("{text}\n[drift]\npolicy = \"{policy}\"\n"));
}

fn drift(stage: &Stage) -> Option<Value> {
    let conditions = stage.status()["sources"][0]["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["type"] == "DriftDetected")
}

fn reason(stage: &Stage) -> String {
    drift(stage).map(|drift| drift["reason"].as_str().unwrap().to_owned()).unwrap_or_default()
}

fn counted(daemon: &Daemon, what: &str, kind: &str) -> u64 {
    let series = format!("dialops_{what}{{kind=\"{kind}\"}}");
    daemon.metric(&series)[0].rsplit(' ').next().unwrap().parse().unwrap()
}

fn invited(stage: &Stage) -> usize {
    stage.carrier_traffic().invited().count()
}

pub(crate) fn events(stage: &Stage, kind: &str) -> Vec<String> {
    let lines = stage.cli(&["events", "--format", "json"]);
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_kind = events.filter(|event| event["kind"] == kind);
    of_kind.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

const DESIRED: &str = "SELECT desired FROM campaign WHERE slug = 'spring'";

#[test]
fn an_edited_row_is_found_within_a_look_and_put_right() {
    let stage = Stage::new(&["a1"]);
    let first = stage.commit(&Campaign::default()).to_string();
    for id in ["autumn", "winter"] {
        stage.commit(&Campaign { id: id.to_owned(), ..Campaign::default() });
    }
    let daemon = stage.run();
    pause(IN_VAIN);
    assert_eq!(drift(&stage), None);
    // The commit that changed it last stays what it was.
    edit(&stage, &format!("INSERT INTO generation (revision, committed_at, applied_at) VALUES ('{first}', 0, 0)"));
    edit(&stage, &format!("UPDATE campaign SET revision = '{first}'"));
    for (id, column, words) in [
        ("spring", "desired = 'paused'", "`desired` is \"paused\" in the store and \"running\" in force"),
        ("spring", "desired = 'stopped'", "a value of its row can't be read"),
        ("autumn", "digest = 'sha256:00'", "`digest` is that of another definition"),
        ("autumn", "ends_at = 5000000", "`ends_at` is 1970-01-01T00:00:05Z in the store"),
        ("winter", "removed_at = 7", "the store has its file as gone"),
    ] {
        let row = || value::<String>(&stage, &format!("{ROW} WHERE slug = '{id}'"));
        let right = row();
        edit(&stage, &format!("UPDATE campaign SET {column} WHERE slug = '{id}'"));
        stage.until_within(Duration::from_secs(5), column, || row() == right);
        stage.until_within(Duration::from_secs(5), "it is told", || {
            events(&stage, "drift_mended").iter().rev().take(3).any(|event| event.contains(words))
        });
    }
    assert_eq!(events(&stage, "drift_found").len(), 5);
    assert_eq!((counted(&daemon, "drift_detected_total", "campaign"), counted(&daemon, "drifted", "campaign")), (5, 0));
    assert_eq!(counted(&daemon, "drift_corrected_total", "campaign"), 5);
    daemon.stop();
}

/// What the daemon writes of a campaign.
const ROW: &str = "SELECT json_array(name, desired, revision, digest, retired, ends_at, removed_at, do_not_call) \
                   FROM campaign";

#[test]
fn what_is_only_reported_stays_until_a_person_asks() {
    let stage = Stage::new(&["a1"]);
    with_policy(&stage, "report");
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    edit(&stage, "UPDATE campaign SET desired = 'paused'");
    stage.until_within(Duration::from_secs(5), "it is told", || reason(&stage) == "Reported");
    let told = drift(&stage).unwrap();
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("campaign spring: `desired` is \"paused\" in the store"), "{message}");
    pause(IN_VAIN);
    assert_eq!(drift(&stage).unwrap(), told, "and told once");
    assert_eq!(value::<String>(&stage, DESIRED), "paused");
    assert_eq!((counted(&daemon, "drifted", "campaign"), counted(&daemon, "drift_detected_total", "campaign")), (1, 1));
    let text = stage.cli(&["status"]);
    assert!(text.contains("DriftDetected True Reported: campaign spring"), "{text}");
    let page = daemon.get("/").unwrap().1;
    assert!(page.contains("DriftDetected"), "{page}");
    assert_eq!(events(&stage, "drift_found").len(), 1);

    stage.cli(&["reconcile"]);
    assert_eq!((value::<String>(&stage, DESIRED).as_str(), reason(&stage).as_str()), ("running", "Mended"));
    stage.until("all is in order", || drift(&stage).is_none());
    assert_eq!(
        (counted(&daemon, "drifted", "campaign"), counted(&daemon, "drift_corrected_total", "campaign")),
        (0, 1)
    );
    daemon.stop();
}

#[test]
fn a_campaign_that_is_held_for_drift_calls_nobody_and_others_go_on() {
    let stage = Stage::new(&["a1"]);
    with_policy(&stage, "hold");
    stage.commit(&Campaign::default());
    stage.commit(&Campaign { id: "autumn".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    edit(&stage, "UPDATE campaign SET name = 'Summer' WHERE slug = 'spring'");
    stage.until_within(Duration::from_secs(5), "it is held", || reason(&stage) == "Held");
    stage.import_numbers(&[number::quick(1)]);
    stage.import_into("autumn", &[("d1", &[number::quick(2)])]);
    stage.sign_in(&["a1"]);
    stage.until("the other is called", || !stage.invited_at(&number::quick(2)).is_empty());
    pause(IN_VAIN);
    assert_eq!(invited(&stage), 1);
    assert_eq!(stage.why("c1")["hold"]["reason"], "drifted");
    let waiting = stage.status()["campaigns"]["list"][1]["waiting"].clone();
    assert_eq!(waiting["reason"], "drifted", "{waiting}");
    assert_eq!(
        daemon.metric("dialops_campaign_waiting{reason=\"drifted\"}"),
        ["dialops_campaign_waiting{reason=\"drifted\"} 1"]
    );
    stage.cli(&["reconcile"]);
    stage.until("it is called too", || invited(&stage) == 2);
    assert_eq!(value::<String>(&stage, "SELECT name FROM campaign WHERE slug = 'spring'"), CAMPAIGN);

    // What is put right by hand is held no longer.
    edit(&stage, "UPDATE campaign SET name = 'Summer' WHERE slug = 'spring'");
    stage.until_within(Duration::from_secs(5), "it is held again", || reason(&stage) == "Held");
    edit(&stage, "UPDATE campaign SET name = 'spring' WHERE slug = 'spring'");
    stage.until_within(Duration::from_secs(5), "it goes on", || drift(&stage).is_none());
    stage.import(&[("c2", &[number::quick(3)])]);
    stage.until("the next is called", || invited(&stage) == 3);
    daemon.stop();
}

/// What the daemon has of files and overrides, as text.
const COPIES: &str = "SELECT json_array((SELECT source || revision || files_of || folder FROM source_commit), \
    (SELECT json_group_array(json_array(path, digest, CAST(bytes AS TEXT))) FROM (SELECT * FROM definition_file ORDER BY path)), \
    (SELECT json_group_array(json_array(path, revision, CAST(bytes AS TEXT))) FROM kept_file), \
    (SELECT json_group_array(json_array(id, kind, campaign, revision, cancel_ringing, reason, made_by, since, until)) \
     FROM override WHERE ended_at IS NULL))";

#[test]
fn edited_files_and_overrides_are_found_and_put_right() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\nbad_files = \"isolate\"\n"));
    let first = stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.repository.write("campaigns/spring.toml", "id = 7");
    stage.repository.commit("bad");
    stage.until("the file stays as it was", || value::<i64>(&stage, "SELECT count(*) FROM kept_file") == 1);
    // Each is edited once: what comes back again and again is a fight.
    for _ in 0..5 {
        stage.cli(&["override", "pause", "spring", "--reason", "wrong script", "--until", "2h"]);
    }
    let kept = "SELECT count(*) FROM source_commit WHERE files_of IS NOT NULL";
    stage.until("all files are kept", || value::<i64>(&stage, kept) == 1);
    pause(IN_VAIN);
    assert_eq!(drift(&stage), None);
    let right = value::<String>(&stage, COPIES);
    let spring = "WHERE path = 'campaigns/spring.toml'";
    let other = "WHERE path = 'campaigns/shared/agents.toml'";
    let bad = format!("INSERT INTO kept_file VALUES ('x.toml', '{first}', x'00')");
    for (sql, kind, words) in [
        (format!("UPDATE definition_file SET bytes = x'00' {spring}"), "file", "the store has other content"),
        (format!("DELETE FROM definition_file {other}"), "file", "agents.toml\": the store has none"),
        ("INSERT INTO definition_file VALUES ('x.toml', '', x'00')".to_owned(), "file", "it is not in force"),
        ("UPDATE source_commit SET files_of = NULL".to_owned(), "file", "as not complete"),
        ("UPDATE source_commit SET revision = 'none'".to_owned(), "generation", "commit in force: the store has"),
        ("DELETE FROM source_commit".to_owned(), "generation", "commit in force: the store has none"),
        (format!("UPDATE kept_file SET bytes = x'00' {spring}"), "kept_file", "the store has other content"),
        ("INSERT INTO kept_file VALUES ('y.toml', 'none', x'00')".to_owned(), "kept_file", "it is not in force"),
        ("DELETE FROM kept_file".to_owned(), "kept_file", "the store has none"),
        (bad, "kept_file", "it is not in force"),
        ("DELETE FROM override WHERE id = 1".to_owned(), "override", "it holds, and the store has no row of it"),
        (
            "UPDATE override SET kind = 'resume' WHERE id = 2".to_owned(),
            "override",
            "by the store it resumes campaign spring",
        ),
        ("UPDATE override SET kind = 'none' WHERE id = 3".to_owned(), "override", "can't be read"),
        (
            "UPDATE override SET until = 7 WHERE id = 4".to_owned(),
            "override",
            "1970-01-01T00:00:00.000007Z in the store",
        ),
        (
            "UPDATE override SET ended_at = 7, ended_by = 'x' WHERE id = 5".to_owned(),
            "override",
            "the store has it ended",
        ),
    ] {
        let before = counted(&daemon, "drift_corrected_total", kind);
        edit(&stage, &sql);
        stage.until_within(Duration::from_secs(5), &sql, || {
            counted(&daemon, "drift_corrected_total", kind) > before && value::<String>(&stage, COPIES) == right
        });
        stage.until_within(Duration::from_secs(5), "it is told", || {
            events(&stage, "drift_mended").iter().rev().take(3).any(|event| event.contains(words))
        });
    }
    // One that nobody asked for pauses nothing, and is ended.
    edit(
        &stage,
        "INSERT INTO override SELECT 9, kind, NULL, NULL, 0, reason, 'x', since, until, NULL, NULL FROM override WHERE id = 1",
    );
    let ended = "SELECT coalesce((SELECT ended_by FROM override WHERE id = 9), '')";
    stage.until_within(Duration::from_secs(5), "it is ended", || value::<String>(&stage, ended) == "drift");
    daemon.stop();
}

#[test]
fn a_kept_file_that_was_edited_while_nothing_ran_comes_from_its_commit() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\nbad_files = \"isolate\"\n"));
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    stage.repository.write("campaigns/spring.toml", "id = 7");
    stage.repository.commit("bad");
    let kept = || value::<Option<String>>(&stage, "SELECT CAST(max(bytes) AS TEXT) FROM kept_file");
    stage.until("the file stays as it was", || kept().is_some());
    let right = kept();
    daemon.kill();
    edit(&stage, "UPDATE kept_file SET bytes = CAST(replace(CAST(bytes AS TEXT), 'paused', 'running') AS BLOB)");
    assert_ne!(kept(), right);
    let daemon = stage.run();
    stage.until("its row is right again", || kept() == right);
    assert_eq!(stage.status()["campaigns"]["list"][0]["desired"], "paused");
    assert!(daemon.log().contains("the store's copy of a kept file was edited"), "{}", daemon.log());
    daemon.stop();
}

/// A live attempt of an earlier life, of whom nobody knows.
const ORPHAN_ATTEMPT: &str = "INSERT INTO attempt (id, campaign, contact, generation, number_index, number, caller_number, agent, trunk, placed_at)
       SELECT 1, c.campaign, c.id, (SELECT generation FROM store), 0, '+8600', '+862160001000', 'a1', 'carrier', 1000000000000000
       FROM contact c WHERE c.customer_id = 'c1';
     INSERT INTO live_call (attempt, contact, customer_id, policy, local_date, next_day_at, last_event_at)
       SELECT 1, id, customer_id, 'days 3 2 1000000', '2031-03-03', 1000000000000000, 1000000000000000
       FROM contact WHERE customer_id = 'c1'";

#[test]
fn orphans_are_settled_and_put_away() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);

    edit(
        &stage,
        "INSERT INTO campaign (slug, name, desired, revision, digest, retired, next_order) \
                  VALUES ('stray', 'Stray', 'running', '0000000000000000000000000000000000000000', 'x', 0, 1)",
    );
    let stray = "SELECT coalesce(removed_at, 0) > 0 AND desired = 'paused' FROM campaign WHERE slug = 'stray'";
    stage.until_within(Duration::from_secs(5), "the row is put away", || value::<bool>(&stage, stray));
    assert_eq!(counted(&daemon, "drift_corrected_total", "orphan_campaign"), 1);

    edit(&stage, "INSERT INTO leg (id, agent, sip, identity, answered) VALUES (7, 'a1', 'sip:a1@x', '{}', 0)");
    stage.until_within(Duration::from_secs(5), "the leg is gone", || {
        value::<i64>(&stage, "SELECT count(*) FROM leg WHERE id = 7") == 0
    });

    edit(&stage, ORPHAN_ATTEMPT);
    stage.until_within(Duration::from_secs(5), "the attempt is settled", || {
        value::<Option<String>>(&stage, "SELECT result FROM attempt WHERE id = 1").as_deref() == Some("unknown")
    });
    assert_eq!(value::<i64>(&stage, "SELECT count(*) FROM live_call"), 0);
    assert_eq!(counted(&daemon, "drift_corrected_total", "orphan_attempt"), 1);
    stage.until("all is in order", || drift(&stage).is_none());
    daemon.stop();
}

#[test]
fn an_agents_row_is_what_was_asked_for() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    let row = |agent: &str| {
        value::<String>(&stage, &format!("SELECT coalesce(max(availability), '') FROM agent WHERE id = '{agent}'"))
    };
    for (agent, word, right) in [("a1", "talking", "idle"), ("a2", "idle", "signed_out"), ("a1", "signed_out", "idle")]
    {
        edit(
            &stage,
            &format!(
                "INSERT INTO agent VALUES ('{agent}', '{word}') ON CONFLICT DO UPDATE SET availability = '{word}'"
            ),
        );
        stage.until_within(Duration::from_secs(5), "the row is right", || row(agent) == right);
    }
    assert_eq!(counted(&daemon, "drift_corrected_total", "availability"), 3);
    // A row that can't be read signs nobody else out at the next start.
    daemon.stop();
    edit(&stage, "UPDATE agent SET availability = 'talking' WHERE id = 'a2'");
    let daemon = stage.run();
    stage.until("the agent is idle", || stage.status()["agents"]["byState"]["idle"] == 1);
    daemon.stop();
}

#[test]
fn a_call_whose_row_is_gone_is_told_and_settled_with_its_end() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::talks(1)]);
    stage.sign_in(&["a1"]);
    stage.until("they talk", || stage.status()["agents"]["byState"]["talking"] == 1);
    assert_eq!(drift(&stage), None, "calls under way are in order");
    edit(&stage, "DELETE FROM live_call");
    stage.until_within(Duration::from_secs(5), "it is told", || counted(&daemon, "drifted", "missing_attempt") == 1);
    let message = drift(&stage).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("under way, and not live in the store"), "{message}");
    assert_eq!(stage.status()["agents"]["byState"]["talking"], 1, "the call goes on");
    let result = || stage.results()[0].result.clone();
    stage.until_within(PATIENCE * 2, "the call ends", || result().is_some());
    assert_eq!(result().as_deref(), Some("answered"));
    assert_eq!(value::<i64>(&stage, "SELECT count(*) FROM live_number"), 0, "and keeps no number");
    stage.until("all is in order", || drift(&stage).is_none());
    daemon.stop();
}

#[test]
fn what_keeps_coming_back_is_a_fight() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    for _ in 0..2 {
        edit(&stage, "UPDATE campaign SET desired = 'paused'");
        stage.until_within(Duration::from_secs(5), "it is put right", || value::<String>(&stage, DESIRED) == "running");
    }
    edit(&stage, "UPDATE campaign SET desired = 'paused'");
    stage.until_within(Duration::from_secs(5), "it is a fight", || reason(&stage) == "Fight");
    pause(IN_VAIN);
    assert_eq!((value::<String>(&stage, DESIRED).as_str(), reason(&stage).as_str()), ("paused", "Fight"));
    assert_eq!(
        (counted(&daemon, "drifted", "campaign"), counted(&daemon, "drift_corrected_total", "campaign")),
        (1, 2)
    );
    // A person ends it.
    stage.cli(&["reconcile"]);
    assert_eq!(value::<String>(&stage, DESIRED), "running");
    daemon.stop();
}

#[test]
fn the_red_button_needs_neither_git_nor_network() {
    let stage = Stage::new(&["a1"]);
    let server = GitServer::serve(stage.repository.path());
    let local = format!("repository = \"{}\"", stage.repository.path().display());
    stage.settings(|text| text.replace(&local, &format!("url = \"{}\", jitter = \"0s\"", server.url(".git"))));
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    drop(server);
    std::fs::remove_dir_all(stage.repository.path()).unwrap();
    std::fs::remove_dir_all(stage.path("sources")).unwrap();
    let ready = || stage.status()["sources"][0]["conditions"][0].clone();
    stage.until("the source is gone", || ready()["status"] == "False");
    let (paused, why) =
        (["override", "pause", "all", "--reason", "wrong script", "--until", "2h"], "no call is placed");
    stage.cli(&paused);
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(invited(&stage), 0, "{why}");
    stage.cli(&["override", "end", "1"]);
    stage.until("it is called", || invited(&stage) == 1);

    // One click does the same.
    let (code, _) = daemon.post_form("/pause", "http://it", "reason=wrong+script&until=2h&token=stage");
    assert_eq!(code, 303);
    stage.import(&[("c2", &[number::quick(2)])]);
    pause(IN_VAIN);
    assert_eq!(invited(&stage), 1, "{why}");
    daemon.stop();
}

#[test]
fn a_leg_that_is_taken_down_at_somebody_who_does_not_answer_is_told_once() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::waits(1)]);
    stage.sign_in(&["a1"]);
    stage.until("they talk", || stage.status()["agents"]["byState"]["talking"] == 1);
    daemon.kill();
    // Its attempt is not known to the next life, so nobody waits for the end of the leg.
    edit(&stage, "DELETE FROM live_call");
    stage.carrier.stop();
    let daemon = stage.run();
    pause(IN_VAIN);
    assert_eq!((drift(&stage), events(&stage, "drift_found")), (None, vec![]), "an earlier life left it");
    // Another one of nobody.
    edit(
        &stage,
        "INSERT INTO leg SELECT 7, NULL, agent, sip, number, caller_number, trunk, json_set(identity, '$.call_id', 'other'), 1 FROM leg",
    );
    stage.until_within(Duration::from_secs(5), "it is told", || !events(&stage, "drift_mended").is_empty());
    pause(IN_VAIN * 2);
    assert_eq!(events(&stage, "drift_found"), ["leg l0-7: in the store, and nobody has it"]);
    assert_eq!(drift(&stage), None, "it is being put right");
    let up = "SELECT count(*) FROM leg";
    assert_eq!(value::<i64>(&stage, up), 2);
    stage.carrier.go_on();
    stage.until("their ends are heard", || value::<i64>(&stage, up) == 0);
    daemon.stop();
}

#[test]
fn a_copied_row_of_a_leg_takes_no_call_down() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::waits(1)]);
    stage.sign_in(&["a1"]);
    stage.until("they talk", || stage.status()["agents"]["byState"]["talking"] == 1);
    let copy = "INSERT INTO leg SELECT 7, NULL, agent, sip, number, caller_number, trunk, identity, answered FROM leg";
    edit(&stage, &format!("{copy} WHERE number IS NOT NULL"));
    let copied = "SELECT count(*) FROM leg WHERE id = 7";
    stage.until_within(Duration::from_secs(5), "it is put away", || value::<i64>(&stage, copied) == 0);
    pause(IN_VAIN);
    assert_eq!(stage.status()["agents"]["byState"]["talking"], 1);
    assert_eq!(events(&stage, "drift_found"), ["leg l0-7: in the store, and nobody has it"]);
    let carrier = stage.carrier_traffic();
    assert_eq!(carrier.of(&number::waits(1))[0].only_dialog().bye_at, None, "the customer hears nothing of it");
    daemon.kill();
}
