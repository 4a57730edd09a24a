//! A campaign of which something fails in the store delays no other.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, number};

fn database(stage: &Stage) -> Connection {
    let conn = Connection::open(stage.path("dialops.db")).unwrap();
    conn.execute_batch("PRAGMA busy_timeout = 5000").unwrap();
    conn
}

fn edit(stage: &Stage, sql: &str) {
    database(stage).execute_batch(sql).unwrap();
}

fn waiting(stage: &Stage, campaign: &str) -> Value {
    let list = stage.status()["campaigns"]["list"].as_array().unwrap().clone();
    list.into_iter().find(|one| one["id"] == campaign).unwrap()["waiting"].clone()
}

/// Makes a customer of the first campaign unreadable, or readable again.
const DAMAGE: &str = "UPDATE personal SET numbers = 'x' || numbers WHERE contact = \
                      (SELECT id FROM contact WHERE customer_id = 'c1')";
const REPAIR: &str = "UPDATE personal SET numbers = substr(numbers, 2) WHERE contact = \
                      (SELECT id FROM contact WHERE customer_id = 'c1')";

fn count(daemon: &crate::stage::daemon::Daemon, step: &str) -> u64 {
    let series = format!("dialops_campaign_failures_total{{step=\"{step}\"}}");
    daemon.metric(&series)[0].rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_contact_that_cannot_be_read_stops_its_own_campaign_only() {
    let stage = Stage::new(&["a1"]);
    // First in the order of everything: by priority, and by id.
    let first = Campaign { rest: "priority = 1", ..Campaign::default() };
    stage.commit(&first);
    stage.commit(&Campaign { id: "winter".to_owned(), rest: "priority = 5", ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    edit(&stage, DAMAGE);
    let customers: Vec<(String, [String; 1])> = (10..40).map(|n| (format!("d{n}"), [number::quick(n)])).collect();
    let rows: Vec<(&str, &[String])> = customers.iter().map(|(id, numbers)| (id.as_str(), &numbers[..])).collect();
    stage.import_into("winter", &rows);
    stage.sign_in(&["a1"]);
    let began = stage.now();
    let called = || stage.results_of("winter").iter().filter(|attempt| attempt.ended_at.is_some()).count();
    stage.until_within(Duration::from_secs(20), "the other campaign is called", || called() == 30);
    let took = stage.now() - began;
    assert!(took < Duration::from_secs(10), "{took:?} for 30 calls");
    stage.until_within(Duration::from_secs(10), "it is told", || waiting(&stage, CAMPAIGN)["reason"] == "stuck");
    stage.until_within(Duration::from_secs(20), "it is tried again", || {
        count(&daemon, "page") + count(&daemon, "intent") >= 2
    });
    assert_eq!(waiting(&stage, CAMPAIGN)["reason"], "stuck");

    // A commit has it tried at once, however long it was to wait.
    edit(&stage, REPAIR);
    stage.commit(&Campaign { max_ring: "6s", ..first });
    stage.until_within(Duration::from_secs(4), "it is called too", || !stage.results().is_empty());
    stage.until("nothing is left", || waiting(&stage, CAMPAIGN)["reason"] == "all_contacts_ended");
    daemon.stop();
}

#[test]
fn a_definition_that_cannot_be_applied_delays_no_other_campaign() {
    let stage = Stage::new(&["a1"]);
    stage.write_categories();
    stage.commit(&Campaign::default());
    stage.commit(&Campaign { id: "winter".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.import_into("winter", &[("d1", &[number::quick(2)])]);
    edit(&stage, DAMAGE);
    let rounds = "[calling]\norder = \"rounds_by_index\"\nrounds = [1]\n";
    stage.write_campaign(&Campaign { rest: rounds, ..Campaign::default() });
    stage.commit(&Campaign { id: "winter".to_owned(), rest: rounds, ..Campaign::default() });
    let wanted = |id: &str| {
        let sql = format!("SELECT wanted FROM campaign WHERE slug = '{id}' AND selection LIKE '%Rounds%'");
        database(&stage).query_row(&sql, [], |row| row.get::<_, bool>(0)).ok()
    };
    stage.until_within(Duration::from_secs(10), "the other one is applied", || wanted("winter") == Some(false));
    assert_eq!(wanted(CAMPAIGN), Some(true));
    stage.until_within(Duration::from_secs(10), "it is tried again", || count(&daemon, "definition") >= 2);
    edit(&stage, REPAIR);
    stage.write_campaign(&Campaign { rest: rounds, max_ring: "6s", ..Campaign::default() });
    stage.repository.commit("another");
    stage.until_within(Duration::from_secs(4), "it is applied at once", || wanted(CAMPAIGN) == Some(false));
    daemon.stop();
}
