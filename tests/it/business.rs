//! Business results on the wire: what an agent's mark after a call, or during it, comes to.

use std::{fs, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause, traffic};

/// Long enough for a call that should not be placed to be placed.
const QUIET: Duration = Duration::from_millis(700);

const RESULTS: &str = r#"
[[business_results]]
id = "callback"
name = "Call back"
sub_results = [{ id = "soon", name = "Soon" }]
schedules_callback = true

[[business_results]]
id = "refused"
name = "Refused"

[[business_results]]
id = "won"
name = "Sold"
counts_as_goal = true
"#;

const RULES: &str = r#"
[business_results]
enabled = true
[[business_results.rules]]
result = "callback"
action = "call_same_number"
interval = "2s"
same_agent = true
same_agent_wait = "1h"
[[business_results.rules]]
result = "refused"
action = "stop"
"#;

/// A stage whose campaign has rules.
fn stage(agents: &[&str]) -> Stage {
    let stage = Stage::new(agents);
    stage.repository.write("campaigns/shared/business-results.toml", RESULTS);
    stage.write_campaign(&Campaign { attempts_per_day: 1, ..Campaign::default() });
    let path = format!("campaigns/{CAMPAIGN}.toml");
    let text = fs::read_to_string(stage.repository.path().join(&path)).unwrap();
    stage.repository.write(&path, text + RULES);
    stage.repository.commit("rules");
    stage
}

/// Marks a customer: what the command said.
fn mark(stage: &Stage, customer: &str, rest: &[&str]) -> String {
    let arguments = [&["results", "mark", CAMPAIGN, customer], rest].concat();
    let (code, out, err) = stage.cli_says(&arguments);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    err
}

fn calls_over(stage: &Stage, customer: &str) -> usize {
    stage.results().iter().filter(|attempt| attempt.customer == customer && attempt.ended_at.is_some()).count()
}

fn at(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_callback_is_called_again_by_the_same_agent_and_no_further() {
    let stage = stage(&["a1", "a2"]);
    let daemon = stage.run();
    stage.import(&[("c1", &[number::quick(1)])]);
    stage.sign_in(&["a1"]);
    stage.until("the first call is over", || calls_over(&stage, "c1") == 1);
    stage.cli(&["agents", "set", "a1", "busy"]);

    let said = mark(&stage, "c1", &["callback", "--sub-result", "soon", "--note", "rang\u{1b}[2J off"]);
    assert!(said.contains("c1 is marked callback: a call is scheduled"), "{said}");
    let why = stage.why("c1");
    let scheduled = &why["scheduled"];
    assert_eq!((&scheduled["rule"], &scheduled["agent"]), (&"callback".into(), &"a1".into()), "{why:#}");
    assert_eq!(at(&scheduled["agentUntil"]).duration_since(at(&scheduled["dueAt"])).as_hours(), 1);
    let [set] = why["businessResults"].as_array().unwrap().as_slice() else { panic!("{why:#}") };
    assert_eq!(
        (&set["result"], &set["subResult"], &set["outcome"]),
        (&"callback".into(), &"soon".into(), &"scheduled".into())
    );
    assert_eq!(at(&scheduled["dueAt"]).duration_since(at(&set["at"])).as_secs(), 2);
    let text = stage.cli(&["why", CAMPAIGN, "c1"]);
    assert!(
        text.contains("scheduled  number 1 by rule callback, due ") && text.contains("for agent a1 until "),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");

    // Another agent takes other customers meanwhile, and not this one.
    stage.sign_in(&["a2"]);
    stage.until("its due time has passed", || stage.why("c1")["hold"]["reason"] == "waits_for_agent");
    stage.import(&[("c2", &[number::quick(2)])]);
    stage.until("another customer is called", || calls_over(&stage, "c2") == 1);
    pause(QUIET);
    assert_eq!(stage.carrier_traffic().of(&number::quick(1)).len(), 1);

    stage.sign_in(&["a1"]);
    stage.until("the callback is over", || calls_over(&stage, "c1") == 2);
    let attempts = stage.results();
    let agents: Vec<(&str, &str)> = attempts.iter().map(|a| (a.customer.as_str(), a.agent.as_str())).collect();
    assert_eq!(agents, [("c1", "a1"), ("c2", "a2"), ("c1", "a1")]);
    assert_eq!(attempts[2].rule.as_deref(), Some("callback"));
    assert_eq!(attempts[0].business_result.as_deref(), Some("callback/soon"));

    // The rule has placed its one call.
    let said = mark(&stage, "c1", &["callback"]);
    assert!(said.contains("recorded; its rule has placed max_times calls"), "{said}");
    pause(Duration::from_secs(2) + QUIET);
    let carrier = stage.carrier_traffic();
    let [first, second] = carrier.of(&number::quick(1))[..] else { panic!("two INVITEs: {carrier:#?}") };
    let waited = second.invited_at.unwrap().duration_since(first.only_dialog().bye_at.unwrap());
    assert!(waited >= jiff::SignedDuration::from_secs(2), "{waited:?}");
    assert_eq!(carrier.of(&number::quick(2)).len(), 1);
    let wrong = traffic::disagreements(&attempts, &carrier);
    assert!(wrong.is_empty(), "{wrong:#?}");
    daemon.stop();
}

#[test]
fn a_stop_during_the_call_holds_from_its_end_and_over_a_restart() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    stage.import(&[("c1", &[number::talks(1), number::quick(1)])]);
    stage.sign_in(&["a1"]);
    stage.until("they talk", || stage.why("c1")["attempts"][0]["connectedAt"].is_string());
    let said = mark(&stage, "c1", &["refused"]);
    assert!(said.contains("takes effect at the end of the call"), "{said}");
    let (code, err) = stage.cli_fails(&["results", "mark", CAMPAIGN, "c1", "lost"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("no business result \"lost\" in the commit in force"), "{err}");
    let (code, err) = stage.cli_fails(&["results", "mark", CAMPAIGN, "c9", "refused"]);
    assert!(code == Some(1) && err.contains("no customer \"c9\""), "{err}");
    stage.until("the contact has ended", || stage.why("c1")["contact"]["ended"] == "stopped");
    daemon.stop();

    let daemon = stage.run();
    let said = mark(&stage, "c1", &["callback"]);
    assert!(said.contains("only recorded; the contact had ended for good"), "{said}");
    stage.sign_in(&["a1"]);
    pause(Duration::from_secs(2) + QUIET);
    let carrier = stage.carrier_traffic();
    assert_eq!((carrier.of(&number::talks(1)).len(), carrier.of(&number::quick(1)).len()), (1, 0));
    assert!(stage.cli(&["results", CAMPAIGN]).contains("callback"));
    daemon.stop();
}

/// What is scheduled, and for whom, is there after the machine lost power.
#[test]
fn a_scheduled_call_survives_a_power_cut() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    stage.import(&[("c1", &[number::quick(1)])]);
    stage.sign_in(&["a1"]);
    stage.until("the first call is over", || calls_over(&stage, "c1") == 1);
    mark(&stage, "c1", &["callback"]);
    daemon.kill();
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    stage.until("the callback is over", || calls_over(&stage, "c1") == 2);
    assert_eq!(stage.results()[1].rule.as_deref(), Some("callback"));
    assert_eq!(stage.carrier_traffic().of(&number::quick(1)).len(), 2);
    daemon.stop();
}

/// The CRM says through the API what an agent achieved, and when the customer wants to be called.
#[test]
fn a_call_is_placed_when_the_customer_asked_for_it_and_a_goal_is_counted() {
    let stage = stage(&["a1", "a2"]);
    let daemon = stage.run();
    stage.import(&[("c1", &[number::quick(1)]), ("c2", &[number::quick(2)])]);
    stage.sign_in(&["a1"]);
    stage.until("the first calls are over", || calls_over(&stage, "c1") + calls_over(&stage, "c2") == 2);
    stage.cli(&["agents", "set", "a1", "busy"]);
    stage.sign_in(&["a2"]);
    let attempt = stage.results().iter().find(|attempt| attempt.customer == "c1").unwrap().attempt.clone();

    let due_at = dialops::clock::Clock::system().now().wall + Duration::from_secs(4);
    let due = format!("{due_at:.0}");
    let due_at: Timestamp = due.parse().unwrap();
    for (wrong, rest, says) in [
        ("won", vec!["--callback", &due], "does not have `schedules_callback`"),
        ("callback", vec!["--callback", "2020-01-01T10:00"], "has passed"),
        ("callback", vec!["--callback", "2999-01-01T10:00"], "the campaign ends at"),
        ("callback", vec!["--callback", "at three"], "is no date and time"),
        ("callback", vec!["--agent", "nobody"], "no agent \"nobody\""),
    ] {
        let arguments = [&["results", "mark", CAMPAIGN, "c1", wrong], &rest[..]].concat();
        let (code, _, err) = stage.cli_says(&arguments);
        assert!(code != Some(0) && err.contains(says), "{arguments:?}: {err}");
    }
    assert_eq!(stage.why("c1")["businessResults"].as_array().map(Vec::len), Some(0));
    let rest = ["callback", "--attempt", &attempt, "--agent", "a2", "--callback", &due, "--same-agent"];
    let said = mark(&stage, "c1", &rest);
    assert!(said.contains("a call is scheduled"), "{said}");
    let why = stage.why("c1");
    let set = &why["businessResults"][0];
    assert_eq!((&set["agent"], &set["callbackAgent"]), (&"a2".into(), &"a2".into()), "{why:#}");
    assert_eq!((at(&set["callbackAt"]), at(&why["scheduled"]["dueAt"])), (due_at, due_at));
    let text = stage.cli(&["why", CAMPAIGN, "c1"]);
    assert!(text.contains("scheduled  number 1 as agreed with callback, due "), "{text}");
    stage.until("the promised call is over", || calls_over(&stage, "c1") == 2);
    let second = stage.results().into_iter().rfind(|attempt| attempt.customer == "c1").unwrap();
    assert_eq!((second.agent.as_str(), second.rule.as_deref()), ("a2", Some("callback")));
    let carrier = stage.carrier_traffic();
    let invited = carrier.of(&number::quick(1)).last().unwrap().invited_at.unwrap();
    assert!(invited >= due_at && invited < due_at + Duration::from_secs(2), "{invited} for {due_at}");

    // The rule has its call still: what was promised is none of it.
    let said = mark(&stage, "c1", &["callback"]);
    assert!(said.contains("a call is scheduled"), "{said}");
    mark(&stage, "c1", &["won"]);
    mark(&stage, "c2", &["won"]);
    let today = || {
        pause(Duration::from_secs(2));
        let status = daemon.status();
        let campaign = &status["campaigns"]["list"][0];
        (campaign["goalsToday"].clone(), campaign["resultsToday"]["answered"].clone())
    };
    assert_eq!(today(), (2.into(), 3.into()));
    mark(&stage, "c2", &["refused"]);
    assert_eq!(today(), (1.into(), 3.into()));
    let page = daemon.get("/").unwrap().1;
    assert!(page.contains("1</b> reached the goal") && page.contains("3</b> answered"), "{page}");
    let metrics = daemon.get("/metrics").unwrap().1;
    assert!(metrics.contains("dialops_business_results_total{goal=\"true\"} 2"), "{metrics}");
    // It is today's still after a restart.
    daemon.stop();
    let daemon = stage.run();
    let status = daemon.status();
    assert_eq!(status["campaigns"]["list"][0]["goalsToday"], 1);
    assert_eq!(status["campaigns"]["list"][0]["resultsToday"]["answered"], 3);
    daemon.stop();
}
