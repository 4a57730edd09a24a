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
        let Some(campaign) = campaigns(daemon).into_iter().find(|c| c["id"] == CAMPAIGN) else { return false };
        let (all, open) = (&campaign["contacts"], &campaign["openContacts"]);
        assert!(all.is_null() && open.is_null() || (all, open) == (&contacts.into(), &contacts.into()), "{campaign}");
        all.is_u64()
    });
}

/// A stage on which a campaign whose file is gone retires at once; another one stays.
fn where_files_go() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\ngrace = \"0s\"\n"));
    stage.write_campaign(&Campaign { id: "winter".to_owned(), state: "paused", ..Campaign::default() });
    stage.commit(&Campaign::default());
    stage
}

#[test]
fn contacts_are_counted_from_the_start() {
    let stage = where_files_go();
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
    stage.until("it is retired", || campaigns(&daemon).len() == 1);
    let retired = |count: u64| daemon.status()["campaigns"]["byPhase"]["retired"] == count;
    stage.until("it is counted as such", || retired(1));
    assert_eq!(daemon.status()["campaigns"]["total"], 2);
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    counted(&stage, &daemon, 2);
    stage.until("it is not any more", || retired(0));
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
    let (one, two) = (number::quick(1), number::quick(2));
    let rows = format!(
        "customer_id,number.mobile,timezone,not_before\nc1,{one},Asia/Urumqi,\nc2,{two},,2098-01-01T08:00:00Z\n"
    );
    stage.import_file("contacts.csv", &rows);
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
    let stage = where_files_go();
    let daemon = stage.run();
    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    stage.repository.commit("spring is over");
    stage.until("it is retired", || campaigns(&daemon).len() == 1);
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
        assert!(said.contains("line 1 is no header: "), "{said}");
        for shown in [said, daemon.log()] {
            assert!(!["c77", "138777", "Anna"].iter().any(|data| shown.contains(data)), "{shown}");
        }
    }
    daemon.stop();
}

/// Commits a campaign that asks for what the ceilings allowed at the time.
fn commit_generous(stage: &Stage) {
    stage.write_campaign(&Campaign { max_ring: "20s", ..Campaign::default() });
    let path = stage.repository.path().join("campaigns/spring.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let limits = "limits = { max_concurrent_calls = 50, max_calls_per_second = 200 }\n";
    let numbers = "[\"+862160001000\", { number = \"+862160001001\", priority = 1 }]";
    std::fs::write(&path, text.replace("[\"+862160001000\"]", numbers) + limits).unwrap();
    stage.repository.commit("spring, as much as it may");
}

#[test]
fn a_ceiling_that_shrinks_lowers_what_the_commit_in_force_asks_for() {
    let stage = Stage::new(&["a1"]);
    let owning = |text: String| text.replace("[\"+862160001000\"]", "[\"+862160001000\", \"+862160001001\"]");
    stage.settings(owning);
    commit_generous(&stage);
    let daemon = stage.run();
    assert_eq!(daemon.status()["lowered"], Value::Array(vec![]));
    daemon.stop();

    let lines = "max_concurrent_calls = 3\nmax_ring = \"5s\"\ncaller_numbers_per_campaign = 1\n";
    stage
        .settings(|text| owning(text).replace("max_calls_per_second = 1000\n", "max_calls_per_second = 100\n") + lines);
    let daemon = stage.run();
    let lowered = daemon.status()["lowered"].as_array().unwrap().clone();
    let said = stage.cli(&["status"]);
    assert_eq!(lowered.len(), 4, "{lowered:#?}");
    for key in ["`max_concurrent_calls`", "`max_calls_per_second`", "`max_ring`", "2 caller numbers"] {
        assert!(lowered.iter().any(|limit| limit["message"].as_str().unwrap().contains(key)), "{key}: {lowered:#?}");
        assert!(said.contains(key), "{key}: {said}");
    }
    assert!(said.contains("`max_ring` is over the settings' ceiling of 5s; the ceiling holds [E0209]"), "{said}");
    assert!(daemon.get("/").unwrap().1.contains("Lowered by the settings"), "the page says so too");
    assert_eq!(daemon.status()["sources"][0]["conditions"][0]["status"], "True");

    // On the wire: it rings as long as the ceiling lets it, shown as the number that goes first.
    stage.sign_in(&["a1"]);
    stage.import_numbers(&[number::rings(1)]);
    stage.until("it rang in vain", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));
    let attempt = stage.results().remove(0);
    assert_eq!((attempt.result.as_deref(), &*attempt.caller_number), (Some("no_answer"), "+862160001001"));
    let [placed, ended] = [Some(attempt.placed_at), attempt.ended_at].map(|at| at.unwrap().parse().unwrap());
    let rang = jiff::Timestamp::duration_since(ended, placed).as_secs();
    assert!((5..12).contains(&rang) && stage.carrier_traffic().of(&number::rings(1))[0].cancelled, "{rang} s");

    // Who writes a file is still told.
    let (folder, settings) = (stage.repository.path(), stage.path("dialops.toml"));
    let check = ["check", folder.to_str().unwrap(), "--settings", settings.to_str().unwrap()];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dialops")).args(check).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!((output.status.code(), said.matches("error[E0209]").count()), (Some(2), 4), "{said}");
    daemon.stop();
}

/// A call from a number that is another's can't be taken back, so until somebody decides there is none.
#[test]
fn a_number_that_is_no_longer_owned_puts_nothing_in_force() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    daemon.stop();
    stage.settings(|text| text.replace("[\"+862160001000\"]", "[\"+862160001001\"]"));
    let daemon = stage.start(&[]);
    stage.until("the fault is told", || {
        daemon
            .get("/api/v1/status")
            .is_some_and(|(_, body)| body.contains("the settings do not own this caller number"))
    });
    assert!(!daemon.is_ready());
    let said = stage.cli(&["status"]);
    assert!(said.contains("no commit is in force") && said.contains("campaigns/spring.toml:6:19"), "{said}");
    daemon.stop();
    stage.settings(|text| text);
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.until("it dials again", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));
    daemon.stop();
}
