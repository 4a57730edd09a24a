//! What holds a whole campaign for good, or a batch of it for now, on the wire: the carrier's trace is the judge.

use std::time::Duration;

use dialops::clock::Clock;
use jiff::{SignedDuration, Timestamp};

use crate::stage::{CAMPAIGN, Campaign, Stage, number, pause};

/// Longer than it takes an idle agent to be given a call.
const IN_VAIN: Duration = Duration::from_secs(3);

fn commit_ending(stage: &Stage, ends_at: Timestamp) {
    stage.write_campaign(&Campaign::default());
    let path = stage.repository.path().join(format!("campaigns/{CAMPAIGN}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("2099-01-01T00:00:00Z", &ends_at.to_string())).unwrap();
    stage.repository.commit("an end");
}

fn phase(stage: &Stage) -> String {
    stage.status()["campaigns"]["list"][0]["phase"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_commit_that_moves_the_end_revives_no_expired_campaign() {
    let stage = Stage::new(&["a1"]);
    let end = Clock::system().now().wall + SignedDuration::from_secs(4);
    commit_ending(&stage, end);
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.until("the campaign has expired", || phase(&stage) == "expired");

    commit_ending(&stage, end + SignedDuration::from_hours(24));
    stage.until("the commit is in force", || stage.last_log().contains("its new `ends_at` has no effect"));
    stage.sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(phase(&stage), "expired");
    assert_eq!(stage.why("c1")["hold"]["reason"], "expired");
    daemon.stop();

    // The store has it, not the process.
    let daemon = stage.run();
    stage.try_sign_in(&["a1"]);
    pause(IN_VAIN);
    assert_eq!(phase(&stage), "expired");
    daemon.stop();
    assert_eq!(stage.carrier_traffic().invited().count(), 0);
}

#[test]
fn a_paused_batch_is_not_called_before_it_is_resumed() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let import = |batch: &str, customer: &str, number: &str| {
        let file = stage.path("contacts.csv");
        std::fs::write(&file, format!("customer_id,number.mobile\n{customer},{number}\n")).unwrap();
        stage.cli(&["contacts", "import", CAMPAIGN, file.to_str().unwrap(), "--batch", batch]);
    };
    import("may", "c1", &number::quick(1));
    import("june", "c2", &number::quick(2));
    stage.cli(&["batches", "pause", CAMPAIGN, "may"]);
    stage.sign_in(&["a1"]);
    stage.until("the other batch is called", || !stage.carrier_traffic().of(&number::quick(2)).is_empty());
    // A contact that comes into a paused batch waits with it.
    import("may", "c3", &number::quick(3));
    pause(IN_VAIN);
    assert_eq!(stage.carrier_traffic().invited().count(), 1);
    assert_eq!(stage.why("c1")["hold"]["reason"], "batch_paused");

    stage.cli(&["batches", "resume", CAMPAIGN, "may"]);
    stage.until("its batch is called", || {
        let carrier = stage.carrier_traffic();
        [1, 3].iter().all(|serial| !carrier.of(&number::quick(*serial)).is_empty())
    });
    daemon.stop();
    assert_eq!(stage.carrier_traffic().invited().count(), 3);
}
