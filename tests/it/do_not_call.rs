//! Do-not-call lists through the binary: what the carrier sees is what counts.

use dialops::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number, traffic};

const LIST: &str = "objected";

/// A stage whose campaign follows a list, with one agent.
fn stage() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.repository.write(
        "campaigns/shared/do-not-call.toml",
        "[[lists]]\nid = \"objected\"\nname = \"Objected\"\n[[lists]]\nid = \"others\"\nname = \"Others\"\n",
    );
    stage.commit(&Campaign { do_not_call: "[\"objected\"]", ..Campaign::default() });
    stage
}

/// Imports `text` into the list: the counts.
fn import(stage: &Stage, name: &str, text: &str, more: &[&str]) -> Value {
    let file = stage.path(name);
    std::fs::write(&file, text).unwrap();
    let arguments = ["do-not-call", "import", LIST, file.to_str().unwrap(), "--format", "json"];
    serde_json::from_str(&stage.cli(&[&arguments[..], more].concat())).unwrap()
}

fn called(stage: &Stage, number: &str) -> usize {
    stage.carrier_traffic().of(number).len()
}

fn is_over(stage: &Stage, number: &str) -> bool {
    stage.results().iter().any(|attempt| attempt.number == number && attempt.ended_at.is_some())
}

/// The number as people write it in its own country.
fn national(number: &str) -> String {
    number.replace("+86", "0")
}

#[test]
fn entries_imported_while_dialling_hold_on_the_very_next_decision() {
    let stage = stage();
    let daemon = stage.run();
    let live = number::talks(1);
    stage.import(&[
        ("c0", std::slice::from_ref(&live)),
        ("c1", &[number::quick(1), number::quick(11)]),
        ("c2", &[number::quick(2)]),
        ("c3", &[number::quick(3)]),
        ("c4", &[number::quick(4)]),
    ]);
    stage.sign_in(&["a1"]);
    stage.until("the first call is up", || stage.carrier_traffic().invited().any(|call| call.answered()));

    let listed = [&live, &number::quick(1), &number::quick(2), &number::quick(3)].map(|number| national(number));
    let counts = import(&stage, "objections.csv", &format!("number\n{}\n", listed.join("\n")), &[]);
    assert_eq!((&counts["added"], &counts["rejected"]), (&4.into(), &0.into()), "{counts}");
    stage.until("the others are called", || {
        is_over(&stage, &number::quick(11)) && is_over(&stage, &number::quick(4)) && is_over(&stage, &live)
    });
    let carrier = stage.carrier_traffic();
    let [call] = carrier.of(&live)[..] else { panic!("one call: {carrier:#?}") };
    let talked = call.only_dialog().bye_at.unwrap().duration_since(call.only_dialog().answered_at.unwrap());
    assert!(talked >= SignedDuration::from_millis(2_500), "the call goes on to its end: {talked}");
    let second = carrier.of(&number::quick(11))[0].invited_at.unwrap();
    let fourth = carrier.of(&number::quick(4))[0].invited_at.unwrap();
    assert!(second < fourth, "the next number of the same customer is called at once");
    for held in 1..=3 {
        assert_eq!(called(&stage, &number::quick(held)), 0);
    }

    let why = stage.why("c2");
    assert_eq!((&why["hold"]["reason"], &why["hold"]["until"]), (&"do_not_call".into(), &Value::Null), "{why:#}");
    let text = stage.cli(&["why", CAMPAIGN, "c2"]);
    assert!(text.contains("on do-not-call list \"objected\" [do_not_call]"), "{text}");
    let why = stage.why("c1");
    assert_eq!(why["contact"]["numbers"][0]["doNotCall"]["list"], LIST, "{why:#}");
    let versions: Vec<u64> = stage.results().iter().map(|attempt| attempt.do_not_call_version).collect();
    assert_eq!(versions, [0, 1, 1]);

    // One is let go by hand, one by its expiry, to the second.
    stage.cli(&["do-not-call", "remove", LIST, &number::quick(2)]);
    stage.until("the released one is called", || is_over(&stage, &number::quick(2)));
    let expires_at = Clock::system().now().wall + SignedDuration::from_secs(2);
    let line = format!("{{\"number\":\"{}\"}}\n", number::quick(3));
    let counts = import(&stage, "soon.jsonl", &line, &["--expires", &expires_at.to_string()]);
    assert_eq!(counts["updated"], 1, "{counts}");
    let why = stage.why("c3");
    assert_eq!(
        why["hold"]["until"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second(),
        expires_at.as_second()
    );
    stage.until("the expired one is called", || is_over(&stage, &number::quick(3)));
    let invited = stage.carrier_traffic().of(&number::quick(3))[0].invited_at.unwrap();
    let late = invited.duration_since(expires_at);
    // The carrier's trace has milliseconds.
    assert!(late >= SignedDuration::from_millis(-1) && late < SignedDuration::from_secs(2), "{late}");
    assert_eq!(called(&stage, &number::quick(1)), 0);
    let wrong = traffic::disagreements(&stage.results(), &stage.carrier_traffic());
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = daemon.log();
    assert!(log.contains("do-not-call entries imported") && !log.contains("215000"), "{log}");
    assert_eq!(daemon.metric("dialops_engine_errors_total"), ["dialops_engine_errors_total 0"]);
    daemon.stop();
}

#[test]
fn lists_are_shown_counted_and_held_to_their_form() {
    let stage = stage();
    let _daemon = stage.run();
    let text = "number,expires_at\n13800000001,\n1380,soon\n+8613800000002,2099-03-03T09:00:00+08:00\n13800000001,\n";
    let file = stage.path("mixed.csv");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (code, out, err) = stage.cli_says(&["do-not-call", "import", LIST, file]);
    assert_eq!(code, Some(2));
    assert_eq!(out, "objected: 4 rows, 2 added, 1 there already, 1 rejected\n");
    assert!(err.contains("mixed.csv.rejects.csv"), "{err}");
    let rejects = std::fs::read_to_string(stage.path("mixed.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("\n3,\"number: is not a phone number of CN") && rejects.contains("expires_at: must be"));

    let listed = stage.cli(&["do-not-call", "list", LIST]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[1].starts_with("+8613800000001    -  ") && lines[2].contains("2099-03-03T01:00:00Z"), "{listed}");
    let listed = stage.cli(&["do-not-call", "list", LIST, "--format", "json"]);
    let second: Value = serde_json::from_str(listed.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["number"], &second["expiresAt"]), (&"+8613800000002".into(), &"2099-03-03T01:00:00Z".into()));
    assert_eq!(stage.cli(&["do-not-call", "list", "others"]), "no entries\n");
    for format in ["text", "json"] {
        let (code, out, err) = stage.cli_says(&["do-not-call", "list", "nobodys", "--format", format]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains("no do-not-call list \"nobodys\" in the commit in force"), "{err}");
    }
    let counts: Value = serde_json::from_str(&stage.cli(&["do-not-call", "count", "--format", "json"])).unwrap();
    assert_eq!(
        (&counts["version"], &counts["lists"][0]["entries"], &counts["lists"][1]["entries"]),
        (&1.into(), &2.into(), &0.into())
    );

    let (code, err) = stage.cli_fails(&["do-not-call", "import", "objcted", file]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no do-not-call list \"objcted\"") && err.contains("did you mean objected?"), "{err}");
    let (_, err) = stage.cli_fails(&["do-not-call", "remove", LIST, "13800000009"]);
    assert!(err.contains("the number is not on do-not-call list \"objected\"") && !err.contains("1380"), "{err}");
    let (code, err) = stage.cli_fails(&["do-not-call", "import", LIST, file, "--expires", "tomorrow"]);
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("such as 2031-03-01T09:00:00+08:00") && !err.contains("parse"), "{err}");
    let (code, err) = stage.cli_fails(&["do-not-call", "import", LIST, file, "--expires", "2020-01-01T00:00:00Z"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--expires 2020-01-01T00:00:00Z has passed: the entries would hold nobody"), "{err}");
    std::fs::write(stage.path("wrong.csv"), "phone\n13800000001\n").unwrap();
    let (code, err) = stage.cli_fails(&["do-not-call", "import", LIST, stage.path("wrong.csv").to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(err.contains("column \"phone\" is not known") && err.contains("columns: number, expires_at"), "{err}");
    stage.cli(&["do-not-call", "remove", LIST, "138 0000 0001"]);
    assert_eq!(stage.cli(&["do-not-call", "list", LIST]).lines().count(), 2);
}
