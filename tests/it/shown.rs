//! What the built daemon shows of itself and of a contact: counts, holds, limits that were lowered.

use std::time::Duration;

use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, daemon::Daemon, number};

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

#[test]
fn why_says_when_a_contact_is_due_and_what_holds_it() {
    let stage = Stage::new(&["a1"]);
    // Without a trunk too, it is the settings that hold everything.
    stage.settings(|text| {
        let (before, after) = text.split_once("[[trunks]]").unwrap();
        let (_, ceilings) = after.split_once("[ceilings]").unwrap();
        format!("{}[ceilings]{ceilings}", before.replace("\"all\"", "\"none\""))
    });
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let file = stage.path("contacts.csv");
    let (one, two) = (number::quick(1), number::quick(2));
    let rows = format!(
        "customer_id,number.mobile,timezone,not_before\nc1,{one},Asia/Urumqi,\nc2,{two},,2098-01-01T08:00:00Z\n"
    );
    std::fs::write(&file, rows).unwrap();
    stage.cli(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]);
    let said = || stage.cli(&["why", CAMPAIGN, "c1"]);
    stage.until_within(SHOWN_WITHIN, "both say the same", || said().matches("[dialling_off]").count() == 2);
    assert!(!said().contains("due now") && !said().contains("any time"), "{}", said());
    assert!(said().contains("due as soon as nothing holds it"), "{}", said());
    assert!(said().contains("zone Asia/Urumqi, as imported"), "{}", said());
    let why = stage.why("c1");
    assert_eq!((&why["hold"]["reason"], &why["contact"]["timezone"]), (&"dialling_off".into(), &"Asia/Urumqi".into()));
    let later = stage.cli(&["why", CAMPAIGN, "c2"]);
    assert_eq!(later.matches("2098-01-01 08:00").count(), 2, "in the table and as what is next: {later}");
    daemon.stop();

    // With a trunk and permission, until the campaign's own hold ends.
    stage.settings(|text| text);
    let path = stage.repository.path().join("campaigns/spring.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("2026-01-01T00:00:00Z", "2097-03-01T06:30:00Z")).unwrap();
    stage.repository.commit("spring starts later");
    let daemon = stage.run();
    stage.until_within(SHOWN_WITHIN, "it has not started", || said().matches("[not_started]").count() == 2);
    assert!(said().contains("due 2097-03-01 06:30:00"), "{}", said());
    daemon.stop();
}

#[test]
fn a_retired_campaign_takes_no_contacts() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    stage.repository.commit("spring is over");
    stage.until("it is retired", || campaigns(&daemon).is_empty());
    let file = stage.path("contacts.csv");
    std::fs::write(&file, format!("customer_id,number.mobile\nc1,{}\n", number::quick(1))).unwrap();
    let (code, said) = stage.cli_fails(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("campaign \"spring\" is retired") && said.contains("commit its file again"), "{said}");
    assert!(stage.cli(&["why", CAMPAIGN]).contains("contacts  0: "), "nothing was kept");
    let (_, unknown) = stage.cli_fails(&["contacts", "import", "sprung", file.to_str().unwrap()]);
    assert!(unknown.contains("no campaign \"sprung\""), "{unknown}");
    daemon.stop();
}

/// Neither on the terminal nor in the daemon's log.
#[test]
fn customers_of_a_file_without_a_header_are_not_shown() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let file = stage.path("contacts.csv");
    for rows in ["c77,13877776666,Anna\nc78,13877776667,Bert\n", "Anna;13877776666\n", "13877776666\n"] {
        std::fs::write(&file, rows).unwrap();
        let (code, said) = stage.cli_fails(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("line 1 is no header for contacts: "), "{said}");
        for shown in [said, daemon.log()] {
            assert!(!["c77", "138777", "Anna"].iter().any(|data| shown.contains(data)), "{shown}");
        }
    }
    daemon.stop();
}
