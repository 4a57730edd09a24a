//! Limits on the wire, over campaigns and over days: how often the carrier is asked for one number, and for one
//! contact.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause};

/// Long enough for a call that should not be placed to be placed.
const QUIET: Duration = Duration::from_millis(1500);

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn hold(stage: &Stage, customer: &str) -> (String, Timestamp) {
    let hold = stage.why_in("summer", customer)["hold"].clone();
    (
        hold["reason"].as_str().unwrap_or("none").to_owned(),
        hold["until"].as_str().unwrap_or("1970-01-01T00:00:00Z").parse().unwrap(),
    )
}

/// A life that begins shortly before `until`, in which this number is called for the `nth` time: when, by its clock.
fn released(stage: &Stage, until: Timestamp, number: &str, nth: usize) -> Timestamp {
    stage.set_clock(until - 4 * SECOND);
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    stage.until("it is called", || stage.invited_at(number).len() >= nth);
    let called = stage.by_its_clock(stage.invited_at(number)[nth - 1]);
    pause(QUIET);
    daemon.stop();
    called
}

/// One attempt in a day, none for two days after a conversation, whichever campaign had it.
#[test]
fn a_number_rests_over_campaigns_and_restarts_to_the_second() {
    let stage = Stage::new(&["a1"]);
    stage.write_campaign(&Campaign {
        id: "summer".to_owned(),
        state: "paused",
        rest: "limits = { per_number = { attempts = 1, days = 1, after_conversation_days = 2 } }",
        ..Campaign::default()
    });
    stage.commit(&Campaign { attempts_per_day: 1, ..Campaign::default() });
    let noon: Timestamp = "2031-03-03T12:00:00Z".parse().unwrap();
    stage.set_clock(noon);
    let daemon = stage.run();
    let (spoken, tried, other) = (number::quick(1), number::busy(1), number::busy(2));
    let one = std::slice::from_ref::<String>;
    stage.import(&[("spoken", one(&spoken)), ("tried", one(&tried))]);
    stage.import_into("summer", &[("s-spoken", one(&spoken)), ("s-tried", &[tried.clone(), other.clone()])]);
    stage.sign_in(&["a1"]);
    let over = |id: &str| stage.results_of(id).iter().filter(|attempt| attempt.ended_at.is_some()).count();
    stage.until("the first campaign has called both", || over(CAMPAIGN) == 2);
    stage.write_campaign(&Campaign { state: "paused", ..Campaign::default() });
    stage.commit(&Campaign {
        id: "summer".to_owned(),
        rest: "limits = { per_number = { attempts = 1, days = 1, after_conversation_days = 2 } }",
        ..Campaign::default()
    });
    stage.until("the number that has no rest is called", || over("summer") == 1);
    pause(QUIET);
    let carrier = stage.carrier_traffic();
    assert_eq!([&spoken, &tried, &other].map(|number| carrier.of(number).len()), [1, 1, 1]);
    let tried_at = stage.by_its_clock(stage.invited_at(&tried)[0]);
    let talked_until = stage.by_its_clock(carrier.of(&spoken)[0].only_dialog().bye_at.unwrap());
    let near = |told: Timestamp, seen: Timestamp| told.duration_since(seen).abs() < SECOND;
    let (reason, spoken_until) = hold(&stage, "s-spoken");
    assert!(reason == "after_conversation" && near(spoken_until, talked_until + 2 * DAY), "{reason} {spoken_until}");
    let tried_number = &stage.why_in("summer", "s-tried")["contact"]["numbers"][0];
    let tried_until: Timestamp = tried_number["heldUntil"].as_str().unwrap().parse().unwrap();
    assert!(near(tried_until, tried_at + DAY), "{tried_until} {tried_at}");
    daemon.stop();

    let again = released(&stage, tried_until, &tried, 2);
    assert!(again >= tried_until && again < tried_until + 2 * SECOND, "{again}, released at {tried_until}");
    assert_eq!(stage.invited_at(&spoken).len(), 1, "a conversation's rest is longer");
    let again = released(&stage, spoken_until, &spoken, 2);
    assert!(again >= spoken_until && again < spoken_until + 2 * SECOND, "{again}, released at {spoken_until}");
}

#[test]
fn a_contact_is_called_so_often_and_no_more() {
    let stage = Stage::new(&["a1", "a2"]);
    let rest = "limits = { max_attempts_per_contact = 2 }";
    stage.commit(&Campaign { rest, attempts_per_day: 5, retry_interval: "1s", ..Campaign::default() });
    let daemon = stage.run();
    stage.import(&[("three", &[number::busy(1), number::busy(2), number::busy(3)]), ("one", &[number::busy(4)])]);
    stage.sign_in(&["a1", "a2"]);
    stage.until("both have ended", || {
        ["three", "one"].iter().all(|customer| stage.why(customer)["contact"]["ended"].is_string())
    });
    pause(QUIET);
    let called = |serials: &[u32]| -> usize { serials.iter().map(|n| stage.invited_at(&number::busy(*n)).len()).sum() };
    assert_eq!((called(&[1, 2, 3]), called(&[4])), (2, 2));
    assert_eq!(stage.why("three")["contact"]["ended"], "attempts_spent");
    daemon.stop();
}
