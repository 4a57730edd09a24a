//! `dialops why`, against the daemon: what each of many campaigns waits for, the same in `why`, `status`, the page and
//! the metric.

use std::collections::BTreeMap;

use dialops::{clock::Clock, domain::reason::Hold};
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, daemon::Daemon, number};

const ATTRIBUTES: &str = "[[attributes]]\nid = \"tier\"\nname = \"Tier\"\ntype = \"string\"\n";

const LISTS: &str = "[[lists]]\nid = \"objected\"\nname = \"Objected\"\n";

/// A campaign by its id, with a change of its text.
fn write(stage: &Stage, id: &str, change: impl FnOnce(String) -> String) {
    stage.write_campaign(&Campaign { id: id.to_owned(), ..Campaign::default() });
    let path = stage.repository.path().join(format!("campaigns/{id}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "{id} is changed");
    std::fs::write(path, changed).unwrap();
}

/// What a campaign waits for, by the status.
fn waiting(status: &Value) -> BTreeMap<String, Value> {
    let list = status["campaigns"]["list"].as_array().unwrap().iter();
    list.map(|shown| (shown["id"].as_str().unwrap().to_owned(), shown["waiting"].clone())).collect()
}

fn reasons(stage: &Stage) -> BTreeMap<String, String> {
    let reason = |(id, waiting): (String, Value)| Some((id, waiting["reason"].as_str()?.to_owned()));
    waiting(&stage.status()).into_iter().filter_map(reason).collect()
}

/// Waits until these campaigns wait for this, and sees the same said everywhere.
fn said_alike(stage: &Stage, daemon: &Daemon, expected: &[(&str, &str, &str)]) {
    let all = |reasons: &BTreeMap<String, String>| {
        expected.iter().all(|(id, reason, _)| reasons.get(*id).map(String::as_str) == Some(reason))
    };
    let come_true = stage.holds_within(std::time::Duration::from_secs(20), || all(&reasons(stage)));
    assert!(come_true, "{:#?}\n{}", reasons(stage), stage.last_log());
    let page = daemon.get("/").unwrap().1;
    for (id, reason, sentence) in expected {
        let why: Value = serde_json::from_str(&stage.cli(&["why", id, "--format", "json"])).unwrap();
        assert_eq!(why["campaign"]["waiting"], waiting(&stage.status())[*id], "{id}");
        assert_eq!(why["campaign"]["waiting"]["message"], *sentence, "{id}");
        let text = stage.cli(&["why", id]);
        let until = why["campaign"]["waiting"]["until"].as_str();
        // Times are told in the campaign's zone.
        let sentence = until.map_or((*sentence).to_owned(), |until| sentence.replace(until, "2097-03-01 14:30:00"));
        assert!(text.contains(&format!("waiting   {sentence} [{reason}]\n")), "{text}");
        let on_page = sentence.replace('"', "&#34;").replace('\'', "&#39;").replace("14:30:00", "06:30:00");
        assert!(page.contains(&on_page), "{id}: the page does not say {on_page:?}");
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let shown = reasons(stage);
    shown.values().for_each(|reason| *counts.entry(reason).or_default() += 1);
    let samples = daemon.metric("dialops_campaign_waiting{");
    assert_eq!(samples.len(), Hold::CODES.len(), "one sample a reason, always");
    for sample in samples {
        let (series, value) = sample.rsplit_once(' ').unwrap();
        let reason = series.split('"').nth(1).unwrap();
        assert_eq!(value.parse::<usize>().unwrap(), counts.get(reason).copied().unwrap_or(0), "{sample}");
    }
}

#[test]
fn what_campaigns_wait_for_is_said_alike_everywhere() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.repository.write("campaigns/shared/attributes.toml", ATTRIBUTES);
    let hour = i32::from(Clock::system().now().wall.to_zoned_datetime(jiff::tz::TimeZone::UTC).hour());
    let window = format!("\"{:02}:00-{:02}:00\"", (hour + 3) % 24, (hour + 4) % 24);
    let append = |line: &'static str| move |text: String| text + line + "\n";
    write(&stage, "closed", |text| text.replace("\"00:00-24:00\"", &window));
    write(&stage, "later", |text| {
        let zone = text.replace("timezone = \"UTC\"", "timezone = \"Asia/Shanghai\"");
        zone.replace("2026-01-01T00:00:00Z", "2097-03-01T06:30:00Z")
    });
    write(&stage, "due", |text| text.replace("timezone = \"UTC\"", "timezone = \"Asia/Shanghai\""));
    write(&stage, "filtered", append("calling = { filter = { attribute = \"tier\", op = \"eq\", value = \"gold\" } }"));
    write(&stage, "rounds", append("calling = { order = \"rounds_by_index\", rounds = [2], others = \"never\" }"));
    write(&stage, "vip", append("priority = 1"));
    write(&stage, "capped", append("limits = { max_concurrent_calls = 1 }"));
    stage.repository.write("campaigns/shared/do-not-call.toml", LISTS);
    write(&stage, "listed", |text| text.replace("do_not_call = []", "do_not_call = [\"objected\"]"));
    for id in ["halted", "empty", "over", "starved"] {
        stage.write_campaign(&Campaign { id: id.to_owned(), ..Campaign::default() });
    }
    stage.commit(&Campaign { id: "paused".to_owned(), state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    stage.import_into("closed", &[("closed", &[number::quick(1)])]);
    stage.import_into("filtered", &[("f1", &[number::quick(2)]), ("f2", &[number::quick(3)])]);
    stage.import_into("rounds", &[("r1", &[number::quick(4)])]);
    stage.import_into("starved", &[("s1", &[number::quick(5)])]);
    stage.import_into("over", &[("o1", &[number::quick(6)])]);
    let file = stage.path("due.csv");
    let due = format!("customer_id,number.mobile,not_before\nd1,{},2097-03-01T06:30:00Z\n", number::quick(7));
    std::fs::write(&file, due).unwrap();
    stage.cli(&["contacts", "import", "due", file.to_str().unwrap()]);
    let file = stage.path("halted.csv");
    std::fs::write(&file, format!("customer_id,number.mobile\nh1,{}\n", number::quick(10))).unwrap();
    stage.cli(&["contacts", "import", "halted", file.to_str().unwrap(), "--batch", "may"]);
    stage.cli(&["batches", "pause", "halted", "may"]);
    let objections = stage.path("objections.csv");
    std::fs::write(&objections, format!("number\n{}\n", number::quick(11))).unwrap();
    stage.cli(&["do-not-call", "import", "objected", objections.to_str().unwrap()]);
    stage.import_into("listed", &[("l1", &[number::quick(11)])]);
    let hours = &window[1..6];
    let today = Clock::system().now().wall.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let day = if hour + 3 < 24 { today.date() } else { today.date().tomorrow().unwrap() };
    let closed = format!("window closed until {} {hours} UTC", day.strftime("%a %Y-%m-%d"));
    let settled = [
        ("closed", "window_closed", closed.as_str()),
        ("later", "not_started", "starts at 2097-03-01T06:30:00Z"),
        ("filtered", "nothing_matches", "filter matches 0 of 2 contacts"),
        ("rounds", "no_number", "the campaign's rounds call none of the contact's numbers"),
        ("halted", "batch_paused", "batch paused; `dialops batches resume` lets it go on"),
        ("listed", "nothing_due", "no contact due"),
        ("empty", "no_contacts", "no contacts"),
        ("paused", "paused", "the file says state = \"paused\""),
        ("starved", "no_agent_signed_in", "no agent of the queue is signed in"),
    ];
    said_alike(&stage, &daemon, &settled);

    // One agent talks for as long as it takes, the other is for the campaign that goes first.
    stage.sign_in(&["a1"]);
    stage.until("one is over", || reasons(&stage).get("over").is_some_and(|reason| reason == "all_contacts_ended"));
    stage
        .until("the other too", || reasons(&stage).get("starved").is_some_and(|reason| reason == "all_contacts_ended"));
    stage.import_into("capped", &[("k1", &[number::waits(1)]), ("k2", &[number::waits(2)])]);
    stage.until("it is called", || !stage.carrier_traffic().of(&number::waits(1)).is_empty());
    stage.import_into("starved", &[("s2", &[number::quick(8)])]);
    said_alike(&stage, &daemon, &[("starved", "no_agent_idle", "no agent idle")]);
    stage.sign_in(&["a2"]);
    stage.until("the second is called too", || stage.results_of("starved").len() == 2);
    stage.import_into("vip", &[("v1", &[number::waits(3)]), ("v2", &[number::waits(4)])]);
    stage.until("nobody is free", || !stage.carrier_traffic().of(&number::waits(3)).is_empty());
    stage.import_into("starved", &[("s3", &[number::quick(9)])]);
    said_alike(
        &stage,
        &daemon,
        &[
            ("starved", "lower_priority", "campaign vip has a higher priority and goes first"),
            ("capped", "campaign_at_limit", "campaign at its limit of 1 live calls"),
            ("due", "nothing_due", "no contact due until 2097-03-01T06:30:00Z"),
            ("over", "all_contacts_ended", "every contact has ended"),
        ],
    );
    let kept: Value = serde_json::from_str(&stage.cli(&["why", "capped", "--format", "json"])).unwrap();
    let kept: Vec<(&Value, u64)> = kept["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|some| (&some["reason"], some["contacts"].as_u64().unwrap()))
        .collect();
    assert_eq!(kept, [(&Value::Null, 1), (&"customer_on_call".into(), 1)]);
    daemon.kill();
}

#[test]
fn a_trunk_without_room_and_used_up_calls_per_second_are_told() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.settings(|text| {
        text.replace("max_calls_per_second = 1000\n[ceilings]", "max_calls_per_second = 1\n[ceilings]")
    });
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let numbers: Vec<String> = (1..6).map(number::quick).chain((1..4).map(number::waits)).collect();
    stage.import_numbers(&numbers);
    stage.sign_in(&["a1", "a2"]);
    let shown = || waiting(&stage.status())["spring"].clone();
    stage.until("a call waits for its second", || shown()["reason"] == "call_rate");
    assert_eq!(Hold::CallRate { limit: 1 }.to_string(), "1 calls per second are used up");
    daemon.kill();

    stage.settings(|text| text.replace("max_concurrent_calls = 100", "max_concurrent_calls = 1"));
    let daemon = stage.run();
    stage.sign_in(&["a1", "a2"]);
    stage.until("it is called", || !stage.carrier_traffic().of(&number::waits(1)).is_empty());
    said_alike(&stage, &daemon, &[("spring", "trunk_at_limit", "trunk at its limit of 1 live calls")]);
    daemon.kill();
}

#[test]
fn an_expired_campaign_promises_nothing() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import(&[("c1", &[number::busy(1)]), ("c2", &[number::quick(1)])]);
    stage.sign_in(&["a1"]);
    stage.until("both were called", || stage.results().iter().filter(|call| call.ended_at.is_some()).count() == 2);
    let before = stage.cli(&["why", CAMPAIGN, "c1"]);
    assert!(before.contains("  next  a retry of number 1 ("), "{before}");
    stage.commit(&Campaign { ends_at: "2026-01-02T00:00:00Z", ..Campaign::default() });
    stage.until("it has expired", || stage.status()["campaigns"]["list"][0]["phase"] == "expired");
    let text = stage.cli(&["why", CAMPAIGN, "c1"]);
    assert!(text.contains("  never: the campaign has expired\n"), "{text}");
    assert!(text.ends_with("  next  nothing: ends_at has passed, which is final [expired]\n"), "{text}");
    let why = stage.why("c1");
    assert_eq!((&why["next"], &why["hold"]["reason"]), (&Value::Null, &"expired".into()), "{why:#}");
    let text = stage.cli(&["why", CAMPAIGN, "c2"]);
    assert!(text.contains("c2: ended as reached, 1 call placed"), "{text}");
    assert!(text.ends_with("  next  nothing: the contact has ended\n"), "{text}");
    daemon.stop();
}

#[test]
fn a_live_call_is_counted_and_told() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { max_ring: "5s", ..Campaign::default() });
    let daemon = stage.run();
    let live = |customer: &str, state: &str| {
        stage.until(&format!("it is {state}"), || stage.why(customer)["live"]["state"] == state);
        let (why, text) = (stage.why(customer), stage.cli(&["why", CAMPAIGN, customer]));
        assert_eq!((&why["contact"]["attempts"], &why["next"]), (&1.into(), &Value::Null), "{why:#}");
        assert_eq!(why["hold"]["reason"], "customer_on_call", "{why:#}");
        let (attempt, live) = (&why["attempts"][0], &why["live"]);
        assert_eq!((&live["attempt"], &live["agent"]), (&attempt["attempt"], &"a1".into()), "{why:#}");
        let since = if state == "ringing" { "placedAt" } else { "connectedAt" };
        assert_eq!(live["since"], attempt[since], "{why:#}");
        assert!(text.contains(&format!("{customer}: open, 1 call placed, ")), "{text}");
        assert!(
            text.contains("  live  a call of number 1 (+86") && text.contains(&format!("), {state} since ")),
            "{text}"
        );
        assert!(text.ends_with("  next  what the end of this call brings\n") && !text.contains("first try"), "{text}");
        let listed = stage.cli(&["contacts", "list", CAMPAIGN, "--format", "json"]);
        let mut listed = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let listed = listed.find(|listed| listed["customer"] == customer).unwrap();
        assert_eq!((&listed["state"], &listed["attempts"]), (&"on_call".into(), &1.into()));
    };
    stage.import(&[("c1", &[number::rings(1)])]);
    stage.sign_in(&["a1"]);
    live("c1", "ringing");
    stage.until("it rang out", || stage.why("c1")["attempts"][0]["endedAt"].is_string());
    let after = stage.why("c1");
    assert_eq!((&after["contact"]["attempts"], &after["live"]), (&1.into(), &Value::Null), "{after:#}");
    assert_eq!(after["next"]["kind"], "retry", "{after:#}");
    stage.import(&[("c2", &[number::waits(1)])]);
    live("c2", "connected");
    daemon.kill();
}

#[test]
fn all_counts_of_an_answer_agree_while_an_import_runs() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    let file = stage.path("many.csv");
    let rows: String = (0..20_000).map(|row| format!("c{row},+862150{row:06}\n")).collect();
    std::fs::write(&file, format!("customer_id,number.mobile\n{rows}")).unwrap();
    let mut importing = stage.command(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]).spawn().unwrap();
    let mut between = 0;
    while importing.try_wait().unwrap().is_none() {
        let why: Value = serde_json::from_str(&stage.cli(&["why", CAMPAIGN, "--format", "json"])).unwrap();
        let (tally, campaign) = (&why["tally"], &why["campaign"]);
        let contacts = tally["contacts"].as_u64().unwrap();
        let kept: u64 = why["kept"].as_array().unwrap().iter().map(|kept| kept["contacts"].as_u64().unwrap()).sum();
        let all = [&tally["fresh"], &campaign["contacts"], &campaign["openContacts"], &kept.into()];
        assert!(all.iter().all(|count| **count == contacts), "{why:#}");
        assert_eq!(why["atOnce"], true);
        between += u32::from(contacts > 0 && contacts < 20_000);
    }
    assert!(between > 0, "it was asked while the import ran");
    daemon.stop();
}
