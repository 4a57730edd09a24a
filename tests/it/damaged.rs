//! Rows that can't be read keep no daemon from starting, and nobody is called whose facts can't be read.

use std::time::Duration;

use serde_json::Value;

use crate::{
    drift::{edit, events, value},
    stage::{CAMPAIGN, Campaign, PATIENCE, Stage, daemon::Daemon, number, pause},
};

/// Longer than it takes an idle agent to be given a call, and longer than two looks.
const IN_VAIN: Duration = Duration::from_secs(3);

/// A stage whose first customer was in a call when the daemon died; of the first campaign and of another one somebody
/// else waits. Nobody answers for the first customer's phone any more.
fn died_in_a_call() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage.commit(&Campaign { id: "winter".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    stage.import(&[("c1", &[number::waits(1), number::waits(2)])]);
    stage.sign_in(&["a1"]);
    stage.until("they talk", || stage.status()["agents"]["byState"]["talking"] == 1);
    daemon.kill();
    stage
}

fn drift(daemon: &Daemon) -> Option<Value> {
    let conditions = daemon.status()["sources"][0]["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["type"] == "DriftDetected")
}

/// Somebody else is called, and the first customer by none of his numbers, in no campaign.
fn others_are_called(stage: &Stage) {
    stage.import(&[("c2", &[number::quick(3)]), ("c3", &[number::waits(2)])]);
    stage.import_into("winter", &[("c1", &[number::quick(4)]), ("d1", &[number::quick(5)])]);
    for number in [number::quick(3), number::quick(5)] {
        stage.until("others are called", || !stage.invited_at(&number).is_empty());
    }
    pause(IN_VAIN);
    assert_eq!(stage.invited_at(&number::waits(1)).len(), 1, "before the crash");
    for number in [number::waits(2), number::quick(4)] {
        assert!(stage.invited_at(&number).is_empty(), "{number} may be the customer's");
    }
}

#[test]
fn an_attempt_that_cannot_be_read_keeps_its_customer_alone() {
    for damage in [
        "UPDATE live_call SET policy = '?'",
        "UPDATE personal SET numbers = '?'",
        "UPDATE attempt SET caller_number = '?', trunk = '?'",
        "DELETE FROM attempt",
        "UPDATE contact SET priority = 99",
        "DELETE FROM personal",
    ] {
        let stage = died_in_a_call();
        let before = value::<String>(&stage, LIVE);
        edit(&stage, damage);
        let daemon = stage.run();
        assert!(daemon.log().contains("an attempt of an earlier life can't be settled"), "{damage}: {}", daemon.log());
        stage.until_within(PATIENCE, damage, || drift(&daemon).is_some_and(|drift| drift["reason"] == "Damaged"));
        let message = drift(&daemon).unwrap()["message"].to_string();
        assert!(message.contains("attempt a1-1: live in the store, and can't be read: "), "{damage}: {message}");
        assert_eq!(daemon.metric("dialops_drifted{kind=\"damaged_attempt\"}")[0].rsplit(' ').next(), Some("1"));
        others_are_called(&stage);
        assert_eq!(events(&stage, "drift_found").len(), 1, "{damage}: it is told once");
        assert_eq!(value::<String>(&stage, LIVE), before, "{damage}");
        daemon.stop();
    }
}

/// Who is in a call, by the tables' own constraints.
const LIVE: &str = "SELECT json_array((SELECT json_group_array(customer_id) FROM live_call), \
                    (SELECT json_group_array(number) FROM live_number))";

#[test]
fn what_is_mended_is_settled() {
    let stage = died_in_a_call();
    edit(&stage, "UPDATE personal SET numbers = 'x' || numbers");
    let daemon = stage.run();
    stage.until("it is told", || drift(&daemon).is_some_and(|drift| drift["reason"] == "Damaged"));
    edit(&stage, "UPDATE personal SET numbers = substr(numbers, 2)");
    stage.until("it is settled", || stage.results()[0].result.as_deref() == Some("answered"));
    stage.until("all is in order", || drift(&daemon).is_none());
    assert_eq!(value::<i64>(&stage, "SELECT count(*) FROM live_call"), 0);
    daemon.stop();
}

#[test]
fn a_leg_that_cannot_be_read_is_put_away() {
    let stage = died_in_a_call();
    edit(&stage, "UPDATE leg SET identity = '?'");
    let daemon = stage.run();
    assert!(daemon.log().contains("a leg of an earlier life can't be read"), "{}", daemon.log());
    assert_eq!(value::<i64>(&stage, "SELECT count(*) FROM leg"), 0);
    assert_eq!(stage.results()[0].result.as_deref(), Some("answered"));
    stage.import(&[("c2", &[number::quick(3)])]);
    stage.until("others are called", || !stage.invited_at(&number::quick(3)).is_empty());
    daemon.stop();
}

#[test]
fn rows_of_campaigns_and_overrides_that_cannot_be_read_stop_their_own_campaign_only() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage.commit(&Campaign { id: "winter".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    stage.import(&[("c1", &[number::quick(1)])]);
    stage.cli(&["override", "resume", CAMPAIGN, "--reason", "a bad night", "--until", "2h"]);
    daemon.kill();
    edit(&stage, "UPDATE override SET kind = '?'; UPDATE campaign SET slug = 'No slug' WHERE slug = 'winter'");
    let daemon = stage.run();
    let told = daemon.log();
    assert!(told.contains("the row of an override can't be read, so it pauses"), "{told}");
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert!(stage.invited_at(&number::quick(1)).is_empty());
    assert_eq!(stage.why("c1")["hold"]["reason"], "paused_by_override");
    // The other one is there anew, without its contacts.
    stage.import_into("winter", &[("d1", &[number::quick(5)])]);
    stage.until("the other is called", || !stage.invited_at(&number::quick(5)).is_empty());
    let list = stage.cli(&["override", "list"]);
    assert!(list.contains("can't be read"), "{list}");
    stage.cli(&["override", "end", "1"]);
    stage.until("it is called too", || !stage.invited_at(&number::quick(1)).is_empty());
    daemon.stop();
}
