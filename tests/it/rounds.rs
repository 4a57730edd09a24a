//! Rounds on the wire: in which order a carrier is asked for the numbers of contacts that have several.

use crate::stage::{Campaign, Stage, number};

/// Numbers of three contacts, the mobile, home and office ones; the third has but a mobile.
fn contacts(campaign: &str, first: u32) -> Vec<(String, Vec<String>)> {
    let of = |from: u32, count: u32| (from..from + count).map(|n| number::busy(first + n)).collect();
    let name = |nth: u32| format!("{campaign}-{nth}");
    vec![(name(1), of(11, 3)), (name(2), of(21, 3)), (name(3), of(31, 1))]
}

/// A campaign that calls in rounds, its first serial number, and the order that is right: `12` is the home number of
/// the first contact.
const CASES: [(&str, &str, u32, &[u32]); 5] = [
    (
        "category-last",
        r#"{ order = "rounds_by_category", rounds = ["home", "mobile"] }"#,
        1000,
        &[12, 22, 11, 21, 31, 13, 23],
    ),
    (
        "category-never",
        r#"{ order = "rounds_by_category", rounds = ["office", "mobile"], others = "never" }"#,
        2000,
        &[13, 23, 11, 21, 31],
    ),
    ("index-last", r#"{ order = "rounds_by_index", rounds = [2] }"#, 3000, &[12, 22, 11, 13, 21, 23, 31]),
    ("index-never", r#"{ order = "rounds_by_index", rounds = [3, 1], others = "never" }"#, 4000, &[13, 23, 11, 21, 31]),
    ("sequence", r#"{ order = "sequence" }"#, 5000, &[11, 12, 13, 21, 22, 23, 31]),
];

#[test]
fn numbers_are_called_round_by_round() {
    let stage = Stage::new(&["a1"]);
    stage.write_categories();
    for (id, calling, ..) in CASES {
        let rest: &'static str = Box::leak(format!("calling = {calling}").into_boxed_str());
        stage.write_campaign(&Campaign { id: id.to_owned(), attempts_per_day: 1, rest, ..Campaign::default() });
    }
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    for (id, _, first, _) in CASES {
        let contacts = contacts(id, first);
        let contacts: Vec<(&str, &[String])> = contacts.iter().map(|(id, numbers)| (id.as_str(), &**numbers)).collect();
        stage.import_into(id, &contacts);
    }
    stage.sign_in(&["a1"]);
    let all: usize = CASES.iter().map(|(.., order)| order.len()).sum();
    stage.until("all were called", || stage.carrier_traffic().invited().count() >= all);
    for (id, ..) in CASES {
        stage.until("all calls are over", || stage.results_of(id).iter().all(|attempt| attempt.ended_at.is_some()));
    }

    let carrier = stage.carrier_traffic();
    for (id, _, first, order) in CASES {
        let mut calls: Vec<_> =
            carrier.invited().filter(|call| call.user[9..10] == number::busy(first)[9..10]).collect();
        calls.sort_by_key(|call| call.invited_at);
        let called: Vec<&str> = calls.iter().map(|call| call.user.as_str()).collect();
        let expected: Vec<String> = order.iter().map(|serial| number::busy(first + serial)).collect();
        assert_eq!(called, expected, "{id}");
    }
    // Who has a number that no round calls has not ended, and nothing of his is due.
    assert_eq!(stage.why_in("category-never", "category-never-1")["contact"]["ended"], serde_json::Value::Null);
    daemon.stop();
}
