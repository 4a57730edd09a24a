//! Calling hours on the wire: no INVITE leaves before a window or a campaign opens, or at or after its end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// When each call of numbers with this thousand left, by the daemon's clock.
fn called(stage: &Stage, thousand: u32) -> Vec<Timestamp> {
    let begins = number::quick(thousand * 1000)[..10].to_owned();
    let carrier = stage.carrier_traffic();
    let calls = carrier.invited().filter(|call| call.user.starts_with(&begins));
    let mut times: Vec<Timestamp> = calls.map(|call| stage.by_its_clock(call.invited_at.unwrap())).collect();
    times.sort();
    times
}

fn contacts(stage: &Stage, campaign: &str, thousand: u32, count: u32) {
    let numbers: Vec<(String, [String; 1])> =
        (0..count).map(|n| (format!("{campaign}-{n}"), [number::quick(thousand * 1000 + n)])).collect();
    let contacts: Vec<(&str, &[String])> =
        numbers.iter().map(|(id, number)| (id.as_str(), number.as_slice())).collect();
    stage.import_into(campaign, &contacts);
}

fn waiting(stage: &Stage, campaign: &str) -> serde_json::Value {
    let status = stage.status();
    let list = status["campaigns"]["list"].as_array().unwrap();
    list.iter().find(|shown| shown["id"] == campaign).unwrap()["waiting"].clone()
}

/// One window ends, one campaign ends and one begins, all while calls are placed as fast as agents are free.
#[test]
fn no_call_leaves_outside_a_window_or_a_campaign() {
    let stage = Stage::new(&["a1", "a2", "a3"]);
    let end: Timestamp = "2031-03-03T18:00:00+08:00".parse().unwrap();
    let shanghai = || Campaign { timezone: "Asia/Shanghai", ..Campaign::default() };
    stage.write_campaign(&Campaign { id: "window".to_owned(), window: "09:00-18:00".to_owned(), ..shanghai() });
    stage.write_campaign(&Campaign { id: "ends".to_owned(), ends_at: "2031-03-03T17:59:58+08:00", ..shanghai() });
    stage.write_campaign(&Campaign { id: "starts".to_owned(), starts_at: "2031-03-03T17:59:56+08:00", ..shanghai() });
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.set_clock(end - 12 * SECOND);
    let daemon = stage.run();
    for (thousand, campaign) in ["window", "ends", "starts"].into_iter().enumerate() {
        contacts(&stage, campaign, u32::try_from(thousand).unwrap() + 1, 400);
    }
    stage.sign_in(&["a1", "a2", "a3"]);
    stage.until("the window is closed", || waiting(&stage, "window")["reason"] == "window_closed");
    pause(Duration::from_millis(1500));
    let [window, ends, starts] = [1, 2, 3].map(|thousand| called(&stage, thousand));
    // The gate closes a second early; and dialling went on until then.
    let fits = |calls: &[Timestamp], end: Timestamp| {
        let last = *calls.last().unwrap();
        assert!(
            last < end && last >= end - 3 * SECOND,
            "the last of {} calls left at {last}, not before {end}",
            calls.len()
        );
    };
    fits(&window, end);
    fits(&ends, end - 2 * SECOND);
    let first = starts[0];
    assert!(first >= end - 4 * SECOND && first < end - 2 * SECOND, "{first}");
    assert!(*starts.last().unwrap() > end, "it goes on");
    let why = waiting(&stage, "window");
    assert_eq!(
        (&why["until"], &why["message"]),
        (&"2031-03-04T01:00:00Z".into(), &"window closed until Tue 2031-03-04 09:00 Asia/Shanghai".into())
    );
    assert_eq!(waiting(&stage, "ends")["reason"], "expired");
    let said = stage.cli(&["why", "window"]);
    assert!(
        said.contains("waiting   window closed until Tue 2031-03-04 09:00 Asia/Shanghai [window_closed]"),
        "{said}"
    );
    daemon.stop();
}

/// Berlin 2031-03-30: after 01:59:59 it is 03:00:00, and a window that begins at 02:30 opens then.
#[test]
fn a_window_that_begins_in_a_skipped_hour_opens_at_its_end() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { timezone: "Europe/Berlin", window: "02:30-04:00".to_owned(), ..Campaign::default() });
    let opens: Timestamp = "2031-03-30T01:00:00Z".parse().unwrap();
    stage.set_clock(opens - 6 * SECOND);
    let daemon = stage.run();
    contacts(&stage, CAMPAIGN, 1, 3);
    stage.sign_in(&["a1"]);
    stage.until("it is held", || waiting(&stage, CAMPAIGN)["until"] == "2031-03-30T01:00:00Z");
    stage.until("all are called", || called(&stage, 1).len() == 3);
    let first = called(&stage, 1)[0];
    assert!(first >= opens && first < opens + 2 * SECOND, "{first}");
    daemon.stop();
}
