//! Result policies on the wire: after which result which number is called again, how often and when. The carrier's
//! trace is the judge; what is right for each number is written out here.

use std::{collections::BTreeMap, time::Duration};

use dialops::{clock::Clock, http::wire::Attempt};
use jiff::{SignedDuration, Timestamp};

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause, traffic};

/// Long enough for a call that should not be placed to be placed: the intervals here are a second.
const QUIET: Duration = Duration::from_millis(2500);

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Waits until each number was called as often as it says, and sees that none is called again.
fn called_exactly(stage: &Stage, expected: &[(String, usize)]) {
    let counts = || -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in stage.carrier_traffic().invited() {
            *counts.entry(call.user.clone()).or_default() += 1;
        }
        counts
    };
    let expected: BTreeMap<String, usize> =
        expected.iter().filter(|(_, times)| *times > 0).map(|(number, times)| (number.clone(), *times)).collect();
    let enough = |counts: &BTreeMap<String, usize>| {
        expected.iter().all(|(number, times)| counts.get(number).is_some_and(|count| count >= times))
    };
    let all_were = stage.holds_within(Duration::from_secs(30), || enough(&counts()));
    assert!(all_were, "called {:#?}\nof {expected:#?}\n{}", counts(), stage.last_log());
    pause(QUIET);
    assert_eq!(counts(), expected);
}

/// What the wire and the store say against each other, over these campaigns.
fn judge(stage: &Stage, campaigns: &[&str]) {
    let attempts: Vec<_> = campaigns.iter().flat_map(|id| stage.results_of(id)).collect();
    let wrong = traffic::disagreements(&attempts, &stage.carrier_traffic());
    assert!(wrong.is_empty(), "{wrong:#?}");
    for number in attempts.iter().map(|attempt| attempt.number.as_str()) {
        let of = attempts.iter().filter(|attempt| attempt.number == number);
        let mut ends: Vec<Timestamp> = of.map(|attempt| attempt.ended_at.as_ref().unwrap().parse().unwrap()).collect();
        ends.sort();
        for (ended, again) in ends.iter().zip(stage.invited_at(number).iter().skip(1)) {
            // The daemon writes down microseconds, the carrier its own.
            assert!(again.duration_since(*ended) >= SECOND, "{number} ended at {ended}, and again at {again}");
        }
    }
}

const BY_RESULT: &str =
    r#"{ policy = "global", global = { by_result = [{ result = "busy", retries = 2, interval = "1s" }] } }"#;

const NO_RETRY: &str = r#"{ policy = "global", no_retry = ["vacant"],
    global = { max_days = 1, max_attempts_per_day = 2, retry_interval = "1s" } }"#;

const BY_CATEGORY: &str = r#"{ policy = "by_category", by_category = {
    mobile = { by_result = [{ result = "busy", retries = 1, interval = "1s" }] },
    default = { max_days = 1, max_attempts_per_day = 3, retry_interval = "1s" } } }"#;

fn campaign(id: &str, results: &'static str) -> Campaign {
    Campaign { id: id.to_owned(), results: Some(results), ..Campaign::default() }
}

#[test]
fn each_policy_calls_as_often_as_it_says() {
    let stage = Stage::new(&["a1", "a2", "a3", "a4"]);
    stage.write_categories();
    let ids = ["by-result", "no-retry", "by-category"];
    for (id, results) in ids.into_iter().zip([BY_RESULT, NO_RETRY, BY_CATEGORY]) {
        stage.write_campaign(&campaign(id, results));
    }
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let daemon = stage.run();
    let (busy, vacant, quick) = (number::busy, number::vacant, number::quick);
    stage.import_into("by-result", &[("busy", &[busy(1)]), ("vacant", &[vacant(1)]), ("two", &[vacant(2), busy(2)])]);
    stage.import_into(
        "no-retry",
        &[
            ("at-once", &[vacant(11), quick(11)]),
            ("after-busy", &[busy(12), vacant(12), quick(12)]),
            ("never", &[busy(13), busy(14)]),
        ],
    );
    stage.import_into("by-category", &[("all", &[busy(21), busy(22), vacant(23)]), ("ends", &[vacant(24), quick(24)])]);
    stage.sign_in(&["a1", "a2", "a3", "a4"]);
    called_exactly(
        &stage,
        &[
            (busy(1), 3),
            (vacant(1), 1),
            (vacant(2), 1),
            (busy(2), 3),
            (vacant(11), 1),
            (quick(11), 0),
            (busy(12), 1),
            (vacant(12), 1),
            (quick(12), 0),
            (busy(13), 2),
            (busy(14), 2),
            (busy(21), 2),
            (busy(22), 3),
            (vacant(23), 3),
            (vacant(24), 1),
            (quick(24), 1),
        ],
    );
    let ended = |campaign, customer| stage.why_in(campaign, customer)["contact"]["ended"].clone();
    for customer in ["busy", "vacant", "two"] {
        assert_eq!(ended("by-result", customer), "not_reached", "{customer}");
    }
    for (customer, end) in [("at-once", "no_retry"), ("after-busy", "no_retry"), ("never", "not_reached")] {
        assert_eq!(ended("no-retry", customer), end, "{customer}");
    }
    assert_eq!(ended("by-category", "all"), "not_reached");
    assert_eq!(ended("by-category", "ends"), "reached", "one number of a category that has ended ends no contact");
    judge(&stage, &ids);
    daemon.stop();
}

/// Twice a day on two days; the second day begins while the daemon runs.
#[test]
fn a_day_has_its_own_tries_and_there_are_so_many_days() {
    const DAYS: &str =
        r#"{ policy = "global", global = { max_days = 2, max_attempts_per_day = 2, retry_interval = "1s" } }"#;
    let midnight: Timestamp = "2031-03-04T00:00:00+08:00".parse().unwrap();
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { timezone: "Asia/Shanghai", ..campaign(CAMPAIGN, DAYS) });
    stage.set_clock(midnight - 9 * SECOND);
    let daemon = stage.run();
    stage.import_numbers(&[number::busy(1)]);
    stage.sign_in(&["a1"]);
    stage.until("the first day's tries are used", || stage.invited_at(&number::busy(1)).len() == 2);
    pause(QUIET);
    let why = stage.why("c1");
    assert!(stage.by_its_clock(Clock::system().now().wall) < midnight, "this machine is too slow");
    assert_eq!((&why["hold"]["reason"], &why["hold"]["until"]), (&"not_due".into(), &midnight.to_string().into()));
    assert!(why["hold"]["message"].as_str().unwrap().contains("the next day"), "{why:#}");
    called_exactly(&stage, &[(number::busy(1), 4)]);
    let times: Vec<Timestamp> =
        stage.invited_at(&number::busy(1)).into_iter().map(|at| stage.by_its_clock(at)).collect();
    assert!(times[1] < midnight && times[2] >= midnight && times[2] < midnight + 2 * SECOND, "{times:?}");
    assert_eq!(stage.why("c1")["contact"]["ended"], "not_reached");
    daemon.stop();
}

/// Starts a life shortly before `due`: when its call left by its own clock, and all attempts until then.
fn next_call(stage: &Stage, due: Timestamp, before: usize) -> (Timestamp, Vec<Attempt>) {
    stage.set_clock(due - 2 * SECOND);
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    let all = || stage.invited_at(&number::congested(1));
    stage.until("it is called again", || all().len() > before);
    stage.until("its end is known", || stage.results().iter().all(|attempt| attempt.ended_at.is_some()));
    let attempts = stage.results();
    daemon.stop();
    (stage.by_its_clock(all()[before]), attempts)
}

/// What is not the customer's fault uses up no try: again after 10, 20, 40, 80, 160 s, and the sixth in a row is
/// `unreachable`. Each life of the daemon begins two seconds before the next call is due.
#[test]
fn faults_back_off_and_the_sixth_in_a_row_is_unreachable() {
    const ONCE: &str =
        r#"{ policy = "global", global = { max_days = 1, max_attempts_per_day = 1, retry_interval = "1s" } }"#;
    let stage = Stage::new(&["a1"]);
    stage.commit(&campaign(CAMPAIGN, ONCE));
    let noon: Timestamp = "2031-03-03T12:00:00Z".parse().unwrap();
    stage.set_clock(noon);
    let daemon = stage.run();
    stage.import(&[("c1", &[number::congested(1), number::busy(1)])]);
    stage.sign_in(&["a1"]);
    stage.until("the pass moved on", || stage.invited_at(&number::busy(1)).len() == 1);
    let gap = stage.invited_at(&number::busy(1))[0].duration_since(stage.invited_at(&number::congested(1))[0]);
    assert!(gap < 2 * SECOND, "{gap:?}");
    stage.until("both have ended", || stage.results().iter().filter(|attempt| attempt.ended_at.is_some()).count() == 2);
    daemon.stop();

    let (mut last, mut attempts) = (stage.by_its_clock(stage.invited_at(&number::congested(1))[0]), Vec::new());
    for (call, back_off) in (1..).zip([10, 20, 40, 80, 160]) {
        let (at, all) = next_call(&stage, last + back_off * SECOND, call);
        let waited = at.duration_since(last);
        assert!((back_off.into()..=i64::from(back_off) + 2).contains(&waited.as_secs()), "call {call}: {waited:?}");
        (last, attempts) = (at, all);
    }
    let of = |number: String| -> Vec<String> {
        attempts.iter().filter(|a| a.number == number).filter_map(|a| a.result.clone()).collect()
    };
    let mut expected = vec!["carrier_congestion"; 5];
    expected.push("unreachable");
    assert_eq!(of(number::congested(1)), expected);
    assert_eq!(of(number::busy(1)), ["busy"]);
    assert_eq!(stage.carrier_traffic().invited().count(), 7);
}
