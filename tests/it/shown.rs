//! What the built daemon shows of itself and of a contact: counts, holds, limits that were lowered.

use std::time::Duration;

use serde_json::Value;

use crate::stage::{Campaign, Stage, daemon::Daemon, number};

/// Longest that anything shown may be behind, with a slow machine's share.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

fn campaigns(daemon: &Daemon) -> Vec<Value> {
    daemon.status()["campaigns"]["list"].as_array().unwrap().clone()
}

/// Waits until the campaign has so many contacts; until then it may only say that it counts.
fn counted(stage: &Stage, daemon: &Daemon, contacts: u64) {
    stage.until_within(SHOWN_WITHIN, "contacts are counted", || {
        let Some(campaign) = campaigns(daemon).first().cloned() else { return false };
        let (all, open) = (&campaign["contacts"], &campaign["openContacts"]);
        assert!(all.is_null() && open.is_null() || (all, open) == (&contacts.into(), &contacts.into()), "{campaign}");
        all.is_u64()
    });
}

#[test]
fn contacts_are_counted_from_the_start() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    counted(&stage, &daemon, 0);
    stage.import_numbers(&[number::quick(1), number::quick(2)]);
    let shown = || stage.cli(&["status"]);
    stage.until_within(SHOWN_WITHIN, "an import is shown", || shown().contains(" 0/2 "));
    daemon.stop();

    let daemon = stage.run();
    counted(&stage, &daemon, 2);
    assert!(shown().contains(" 0/2 "), "{}", shown());
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    stage.repository.commit("spring is over");
    stage.until("it is retired", || campaigns(&daemon).is_empty());
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    counted(&stage, &daemon, 2);
    daemon.stop();
}
