//! Overrides through the whole daemon: the carrier's trace is the judge of what was called.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause};

/// Longer than it takes an idle agent to be given a call.
const IN_VAIN: Duration = Duration::from_secs(3);

fn phase(stage: &Stage) -> String {
    stage.status()["campaigns"]["list"][0]["phase"].as_str().unwrap_or_default().to_owned()
}

fn invited(stage: &Stage) -> usize {
    stage.carrier_traffic().invited().count()
}

/// Makes an override: its answer.
fn decide(stage: &Stage, arguments: &[&str], until: &str) -> Value {
    let how = ["--reason", "wrong script", "--until", until, "--format", "json"];
    serde_json::from_str(&stage.cli(&[&["override"], arguments, &how].concat())).unwrap()
}

#[test]
fn a_paused_campaign_calls_nobody_until_the_override_is_over() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let made = decide(&stage, &["pause", CAMPAIGN], "12s");
    let until: Timestamp = made["override"]["until"].as_str().unwrap().parse().unwrap();
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!((invited(&stage), phase(&stage)), (0, "paused".to_owned()));

    // It is told the same wherever one looks.
    let expected = format!("paused until {until} by override 1: wrong script");
    let why = stage.why("c1");
    assert_eq!(
        (&why["hold"]["reason"], &why["hold"]["message"]),
        (&"paused_by_override".into(), &expected.clone().into())
    );
    let status = stage.status();
    assert_eq!(status["campaigns"]["list"][0]["waiting"]["message"], expected);
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(
        (&status["overrides"][0]["by"], &status["overrides"][0]["id"]),
        (&format!("uid {own}").into(), &1.into())
    );
    assert!(stage.cli(&["status"]).contains("override 1 pauses campaign spring until "), "{}", stage.cli(&["status"]));
    assert!(stage.cli(&["why", CAMPAIGN]).contains("override 1"), "{}", stage.cli(&["why", CAMPAIGN]));
    assert_eq!(daemon.metric("dialops_override_active{kind=\"pause\"}"), ["dialops_override_active{kind=\"pause\"} 1"]);
    let folder = stage.repository.path().to_str().unwrap();
    stage.write_campaign(&Campaign { max_ring: "9s", ..Campaign::default() });
    let (_, plan, _) = stage.cli_says(&["plan", "--dir", folder]);
    assert!(plan.contains("override 1 pauses campaign spring until "), "{plan}");
    let expiry = daemon.metric("dialops_override_expiry_timestamp_seconds{kind=\"pause\"}");
    assert!(expiry[0].contains(&format!(" {}", until.as_second())), "{expiry:?}");

    stage.until("the override is over by itself", || invited(&stage) == 1);
    let first = stage.invited_at(&number::quick(1))[0];
    assert!(first >= until, "called at {first}, and paused until {until}");
    assert_eq!(stage.status()["overrides"], Value::Array(Vec::new()));
    daemon.stop();
}

#[test]
fn the_red_button_stops_every_campaign_and_outlives_the_daemon() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage.commit(&Campaign { id: "autumn".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    decide(&stage, &["pause", "all"], "2h");
    stage.import_numbers(&[number::quick(1)]);
    stage.import_into("autumn", &[("d1", &[number::quick(2)])]);
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    daemon.kill();

    let daemon = stage.run();
    stage.try_sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(invited(&stage), 0);
    let (code, said) = stage.cli_fails(&["override", "resume", CAMPAIGN, "--reason", "mine", "--until", "1h"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("override 1 pauses all campaigns, which goes before a resume"), "{said}");
    stage.cli(&["override", "end", "1"]);
    stage.until("both are called", || invited(&stage) == 2);
    let list = stage.cli(&["override", "list", "--all"]);
    assert!(list.contains("pauses all campaigns") && list.contains("ended "), "{list}");
    assert_eq!(stage.cli(&["override", "list"]), "no override is in force\n");
    daemon.stop();
}

#[test]
fn a_call_that_rings_is_cancelled_only_if_asked_for() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign { max_ring: "30s", ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::rings(1), number::waits(2)]);
    stage.sign_in(&["a1", "a2"]);
    let rings = || !stage.carrier_traffic().of(&number::rings(1)).is_empty();
    stage.until("one rings and one talks", || stage.status()["agents"]["byState"]["talking"] == 1 && rings());
    decide(&stage, &["pause", CAMPAIGN], "1h");
    pause(IN_VAIN);
    assert!(stage.results().iter().all(|attempt| attempt.result.is_none()), "{:?}", stage.results());
    assert_eq!(phase(&stage), "draining");
    decide(&stage, &["pause", CAMPAIGN, "--cancel-ringing"], "1h");
    let result = |customer: &str| {
        let results = stage.results();
        results.iter().find(|attempt| attempt.customer == customer).and_then(|attempt| attempt.result.clone())
    };
    stage.until_within(Duration::from_secs(10), "the ringing one is cancelled", || result("c1").is_some());
    assert_eq!((result("c1").as_deref(), result("c2")), (Some("no_answer"), None), "the conversation goes on");
    assert_eq!(invited(&stage), 2);
    daemon.terminate();
}

#[test]
fn a_resume_goes_before_the_file_and_attempts_name_it() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!((invited(&stage), phase(&stage)), (0, "paused".to_owned()));
    decide(&stage, &["resume", CAMPAIGN], "1h");
    stage.until("it is called", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));
    assert_eq!(stage.results()[0].overrides, [1]);
    daemon.stop();
}

#[test]
fn what_is_asked_for_wrongly_says_how() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let with = |campaign: &str, reason: &str, until: &str| {
        stage.cli_fails(&["override", "pause", campaign, "--reason", reason, "--until", until])
    };
    for (campaign, reason, until, code, told) in [
        ("sprung", "why", "1h", 1, "no campaign \"sprung\""),
        (CAMPAIGN, " ", "1h", 2, "a reason has 1 to 200 printable characters"),
        (CAMPAIGN, "why", "soon", 2, "\"soon\" is no end of an override"),
        (CAMPAIGN, "why", "25h", 1, "an override may hold for 24h at most"),
        (CAMPAIGN, "why", "2026-01-01T00:00:00Z", 1, "would be over already"),
    ] {
        let (found, said) = with(campaign, reason, until);
        assert!(found == Some(code) && said.contains(told), "{found:?}: {said}");
    }
    let (_, said) = stage.cli_fails(&["override", "end", "7"]);
    assert!(said.contains("no override \"7\" is in force"), "{said}");
    assert_eq!(stage.cli_fails(&["override", "pause", CAMPAIGN, "--reason", "why"]).0, Some(64));
    daemon.stop();
}

#[test]
fn the_page_has_the_button_for_who_may_press_it() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let page = |path: &str| daemon.get(path).unwrap().1;
    assert!(page("/").contains("href=\"/pause\""), "{}", page("/"));
    assert!(page("/pause").contains("name=\"token\"") && page("/pause").contains("Pause all calling now"));
    let press = |origin: &str, form: &str| daemon.post_form("/pause", origin, form);
    let form = "reason=wrong+script&until=2h&token=";
    assert_eq!(press("http://it", &format!("{form}guess")).0, 403);
    assert_eq!(press("http://elsewhere.example", &format!("{form}stage")).0, 403);
    let (code, again) = press("http://it", "reason=&until=2h&token=stage");
    assert!(code == 422 && again.contains("a reason has 1 to 200"), "{code}: {again}");
    assert_eq!(stage.status()["overrides"], Value::Array(Vec::new()));
    assert_eq!(press("http://it", &format!("{form}stage")).0, 303);
    let made = stage.status()["overrides"][0].clone();
    assert_eq!((&made["does"], &made["by"]), (&"pauses all campaigns".into(), &"token".into()));
    assert!(page("/").contains("Override 1 pauses all campaigns until ") && !page("/").contains("href=\"/pause\""));
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(invited(&stage), 0);
    daemon.stop();
}
