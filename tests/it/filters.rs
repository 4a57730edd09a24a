//! A campaign's filter on the wire: whom it admits is called, whom it leaves out is not, and a commit
//! that changes it does so in the middle of the run. The carrier's trace is the judge, and what is
//! right for each contact is written out here, not computed.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use dialops::{clock::Clock, domain::ids::Revision};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::stage::{Campaign, Stage, number, pause, traffic};

const ATTRIBUTES: &str = "[[attributes]]\nid = \"tier\"\nname = \"Tier\"\ntype = \"string\"\n\
    [[attributes]]\nid = \"score\"\nname = \"Score\"\ntype = \"number\"\n\
    [[attributes]]\nid = \"lease\"\nname = \"Lease\"\ntype = \"date\"\n";

const FIRST: &str = concat!(
    r#"{ all = [{ attribute = "tier", op = "in", value = ["gold", "silver"] }, { any = [ "#,
    r#"{ attribute = "score", op = "ge", value = 10 }, { not = { attribute = "lease", op = "is_set" } }] }] }"#
);

const SECOND: &str = concat!(
    r#"{ any = [{ all = [{ attribute = "tier", op = "eq", value = "iron" }, "#,
    r#"{ attribute = "lease", op = "between", value = [2031-01-01, 2031-12-31] }] }, "#,
    r#"{ all = [{ attribute = "tier", op = "starts_with", value = "go" }, "#,
    r#"{ attribute = "score", op = "lt", value = 20.5 }] }] }"#
);

/// An intent from just before a commit came into force may send its INVITE just after.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(1);

/// Who may be called: under the first filter, under the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Neither,
    First,
    Second,
    Both,
}

impl Right {
    fn by_first(self) -> bool {
        matches!(self, Self::First | Self::Both)
    }

    fn by_second(self) -> bool {
        matches!(self, Self::Second | Self::Both)
    }
}

/// Customer, number, tier, score, lease (empty means none) and what is right.
type Contact = (&'static str, String, &'static str, &'static str, &'static str, Right);

fn from_csv() -> Vec<Contact> {
    let mut contacts = vec![
        ("both-first", number::quick(1), "gold", "12.5", "", Right::Both),
        ("first-busy", number::busy(1), "silver", "10", "2031-06-01", Right::First),
        ("both-busy", number::busy(2), "gold", "10.0", "", Right::Both),
        ("neither-score", number::quick(2), "silver", "9.9", "2031-06-01", Right::Neither),
        ("second-first-day", number::quick(3), "iron", "", "2031-01-01", Right::Second),
        ("neither-day-before", number::quick(4), "iron", "5", "2030-12-31", Right::Neither),
    ];
    for (serial, customer) in (1..).zip(["first-1", "first-2", "first-3", "first-4", "first-5"]) {
        contacts.push((customer, number::talks(serial), "gold", "30", "", Right::First));
    }
    contacts
}

fn from_json() -> Vec<Contact> {
    let mut contacts = vec![
        ("second-last-day", number::quick(11), "iron", "99", "2031-12-31", Right::Second),
        ("neither-day-after", number::quick(12), "iron", "", "2032-01-01", Right::Neither),
        ("neither-no-tier", number::quick(13), "", "100", "", Right::Neither),
        ("neither-case", number::quick(14), "Gold", "15", "", Right::Neither),
    ];
    for (serial, customer) in (11..).zip(["first-6", "first-7", "first-8", "first-9"]) {
        contacts.push((customer, number::talks(serial), "silver", "", "", Right::First));
    }
    contacts.push(("both-last", number::quick(15), "gold", "-3", "", Right::Both));
    contacts
}

/// Imported under the second filter; the first would have admitted the one that it leaves out.
fn late() -> Vec<Contact> {
    vec![
        ("second-late", number::quick(21), "iron", "", "2031-07-01", Right::Second),
        ("first-late", number::quick(22), "gold", "20.5", "", Right::First),
    ]
}

fn csv(contacts: &[Contact]) -> String {
    let mut text = "customer_id,number.mobile,attr.tier,attr.score,attr.lease\n".to_owned();
    for (customer, number, tier, score, lease, _) in contacts {
        writeln!(text, "{customer},{number},{tier},{score},{lease}").unwrap();
    }
    text
}

fn json_lines(contacts: &[Contact]) -> String {
    let line = |(customer, number, tier, score, lease, _): &Contact| {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let score: Value = if score.is_empty() { Value::Null } else { serde_json::from_str(score).unwrap() };
        let attributes = json!({ "tier": text(tier), "score": score, "lease": text(lease) });
        let numbers = json!([{ "category": "mobile", "number": number }]);
        json!({ "customer_id": customer, "numbers": numbers, "attributes": attributes }).to_string()
    };
    contacts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn commit(stage: &Stage, filter: &str) -> Revision {
    stage.write_campaign(&Campaign { retry_interval: "2s", ..Campaign::default() });
    let path = stage.repository.path().join("campaigns/spring.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}calling = {{ filter = {filter} }}\n")).unwrap();
    stage.repository.commit("a filter")
}

/// When the commit came into force, by the daemon.
fn in_force(stage: &Stage, revision: &Revision) -> Option<Timestamp> {
    let source = stage.status()["sources"][0].clone();
    let applied = source["lastAppliedRevision"].as_str()?.ends_with(revision.as_str());
    applied.then(|| source["appliedAt"].as_str().unwrap().parse().unwrap())
}

/// When the carrier was asked for each number, in order.
fn invited(stage: &Stage) -> BTreeMap<String, Vec<Timestamp>> {
    let mut invited: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for call in stage.carrier_traffic().invited() {
        invited.entry(call.user.clone()).or_default().push(call.invited_at.unwrap());
    }
    invited.values_mut().for_each(|times| times.sort());
    invited
}

#[test]
fn whom_the_filter_in_force_admits_is_called_and_nobody_else() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.repository.write("campaigns/shared/attributes.toml", ATTRIBUTES);
    commit(&stage, FIRST);
    let daemon = stage.run();
    stage.import_file("contacts.csv", &csv(&from_csv()));
    stage.import_file("contacts.jsonl", &json_lines(&from_json()));
    stage.sign_in(&["a1", "a2"]);

    // In the middle of the run: two long calls are up, and many contacts of the first filter are left.
    stage.until("two long calls are up", || invited(&stage).keys().filter(|n| n.starts_with("+86215002")).count() >= 2);
    let asked_at = Clock::system().now().wall;
    let second = commit(&stage, SECOND);
    stage.until("the second filter is in force", || in_force(&stage, &second).is_some());
    let applied_at = in_force(&stage, &second).unwrap();
    stage.import_file("late.jsonl", &json_lines(&late()));
    let contacts: Vec<Contact> = [from_csv(), from_json(), late()].concat();
    stage.until("all of the second filter were called", || {
        let (invited, results) = (invited(&stage), stage.results());
        let called = |(_, number, .., right): &Contact| !right.by_second() || invited.contains_key(number);
        contacts.iter().all(called)
            && invited.get(&number::busy(2)).is_some_and(|times| times.len() == 2)
            && results.iter().all(|attempt| attempt.ended_at.is_some())
    });
    pause(Duration::from_secs(1));

    let invited = invited(&stage);
    for (customer, number, .., right) in &contacts {
        let times = invited.get(number).cloned().unwrap_or_default();
        for &at in &times {
            assert!(at >= asked_at || right.by_first(), "{customer} at {at}, before the change at {asked_at}");
            let after = at >= applied_at + ON_ITS_WAY;
            assert!(!after || right.by_second(), "{customer} at {at}, after the change at {applied_at}");
        }
        let most = if *number == number::busy(1) || *number == number::busy(2) { 2 } else { 1 };
        let least = usize::from(right.by_second());
        assert!((least..=most).contains(&times.len()), "{customer}: {times:?}");
        assert!(*right != Right::Neither || times.is_empty(), "{customer}: {times:?}");
    }
    let called = |number: String| invited.contains_key(&number);
    assert!(called(number::talks(1)) && called(number::quick(1)), "the first filter had its time");
    assert!(!called(number::talks(14)), "and not all of it");
    assert_eq!(stage.why("first-9")["hold"]["reason"], "filtered_out");
    // The one that is busy is the only one left: tomorrow.
    let waiting = || stage.status()["campaigns"]["list"][0]["waiting"].clone();
    stage.until("nobody is due", || waiting()["reason"] == "nothing_due");
    assert!(waiting()["until"].is_string() && stage.why("both-busy")["next"]["readyAt"] == waiting()["until"]);
    let wrong = traffic::disagreements(&stage.results(), &stage.carrier_traffic());
    assert!(wrong.is_empty(), "{wrong:#?}");
    daemon.stop();
}
