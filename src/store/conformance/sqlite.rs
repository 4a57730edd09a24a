//! What only a store in a file can show: group commit, and constraints that outrank memory.

use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::{
    domain::{do_not_call::NewEntry, filter::Filter, ids::DoNotCallId},
    store::StoreError,
};

async fn store_of(world: &World) -> Arc<SqliteStore> {
    let path = world.path().unwrap();
    SqliteStore::open(&path, opener(), settings(), world.clock.clone()).await.unwrap()
}

fn raw(world: &World) -> Connection {
    Connection::open(world.path().unwrap()).unwrap()
}

fn order_file(world: &World) -> Connection {
    Connection::open(format!("{}-order", world.path().unwrap().display())).unwrap()
}

/// A world in which a definition was applied to so many contacts, so that their places lie in the order file.
async fn ordered(many: u32) -> (World, Campaign) {
    let (mut world, _store) = plain().await;
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(many)).await;
    spring.filter = Some(Filter::All(Vec::new()));
    world.apply(&[&spring]).await;
    while world.store.evaluate().await.unwrap().is_some() {}
    (world, spring)
}

/// What the first row of a statement begins with.
fn number(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, (), |row| row.get(0)).unwrap()
}

/// A world whose store is at hand as what it is.
async fn plain() -> (World, Arc<SqliteStore>) {
    let mut world = World::sqlite().await;
    world.store.close().await.unwrap();
    let store = store_of(&world).await;
    world.store = store.clone();
    (world, store)
}

#[tokio::test]
async fn a_hundred_intents_share_few_commits() {
    let (mut world, store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(100)).await;
    let ready = world.ready(&spring).await;
    let requests: Vec<IntentRequest> = ready.iter().map(|contact| world.request(contact, 0)).collect();
    let before = store.commits();
    let intents = requests.into_iter().map(|request| store.record_intent(request));
    let decisions = futures_util::future::join_all(intents).await;
    assert!(decisions.iter().all(|d| matches!(d, Ok(IntentDecision::Recorded(_)))));
    let commits = store.commits() - before;
    assert!(commits <= 5, "{commits} commits");
    assert_eq!(world.store.tally(&spring.id).await.unwrap().live, 100);
}

#[tokio::test]
async fn one_failing_command_spoils_no_other() {
    let (mut world, store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    let ready = world.ready(&spring).await;
    let first = world.request(&ready[0], 0);
    // The same attempt twice is our own fault, and the database refuses it.
    let twice = IntentRequest { attempt: first.attempt, ..world.request(&ready[1], 0) };
    let third = world.request(&ready[2], 0);
    let (first, twice, third) =
        tokio::join!(store.record_intent(first), store.record_intent(twice), store.record_intent(third));
    assert!(matches!(first, Ok(IntentDecision::Recorded(_))));
    assert!(matches!(twice, Err(StoreError::Database { .. })));
    assert!(matches!(third, Ok(IntentDecision::Recorded(_))));
    assert_eq!(world.store.tally(&spring.id).await.unwrap().live, 2);
    assert_eq!(world.customers(&spring).await, ["c2"]);
}

/// As another node would write it behind this one's back.
#[tokio::test]
async fn the_constraints_are_the_truth_also_when_memory_is_wrong() {
    let (mut world, store) = plain().await;
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, vec![contact("a", &["+8613800000001"]), contact("b", &["+8613800000002"])]).await;
    world.import(&summer, vec![contact("a", &["+8613800000003"]), contact("z", &["+8613800000002"])]).await;
    let in_spring = world.ready(&spring).await;
    for contact in &in_spring {
        world.place(contact, 0).await;
    }
    let before = world.store.tally(&summer.id).await.unwrap();
    store.forget_live_calls();
    let same_customer = world.find(&summer, "a").await;
    assert_eq!(world.refusal(&same_customer, 0).await, Hold::CustomerOnCall);
    let same_number = world.find(&summer, "z").await;
    assert_eq!(world.refusal(&same_number, 0).await, Hold::NumberOnCall);
    assert_eq!(world.store.tally(&summer.id).await.unwrap(), before);
    assert_eq!(world.store.attempts(&summer.id, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_lost_transaction_loses_nothing_else() {
    let (mut world, store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let ready = world.ready(&spring).await;
    let (attempt, recorded) = world.place(&ready[0], 0).await;
    let shell = raw(&world);
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = world.request(&ready[1], 0);
    assert!(matches!(store.record_intent(request).await, Err(StoreError::Locked { .. })));
    shell.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.refusal(&ready[0], 0).await, Hold::CustomerOnCall);
    world.wait(Duration::from_secs(2));
    world.place(&ready[1], 0).await;
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    assert_eq!(world.store.tally(&spring.id).await.unwrap().live, 1);
}

#[tokio::test]
async fn imports_do_not_hold_intents_up_for_long() {
    let (mut world, store) = plain().await;
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(1)).await;
    let ready = world.ready(&spring).await;
    let first = batch_id("first");
    let batch = |n: u32| (0..500).map(|i| contact(&format!("s{n}-{i}"), &[&format!("+8613{n:04}{i:04}")])).collect();
    let imports = (0..8).map(|n| store.import(&summer.id, &first, batch(n)));
    let request = world.request(&ready[0], 0);
    let imports = futures_util::future::join_all(imports);
    let intent = async {
        tokio::task::yield_now().await;
        let decision = store.record_intent(request).await.unwrap();
        (decision, store.tally(&summer.id).await.unwrap().contacts)
    };
    let (_, (decision, imported)) = tokio::join!(imports, intent);
    assert!(matches!(decision, IntentDecision::Recorded(_)));
    assert!(imported < 8 * 500, "the intent waited for all imports");
}

#[tokio::test]
async fn no_number_stands_in_the_hot_table() {
    let (mut world, _store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let conn = raw(&world);
    let sql = "SELECT count(*) FROM pragma_table_info('contact') WHERE name LIKE '%number%'";
    let columns = number(&conn, sql);
    assert_eq!(columns, 0);
    let holding = number(&conn, "SELECT count(*) FROM personal WHERE numbers LIKE '%+86138%'");
    assert_eq!(holding, 1);
}

/// Picking never goes past whom a list holds for good, however many they are.
#[tokio::test]
async fn who_is_held_for_good_stands_in_no_range() {
    let (mut world, store) = plain().await;
    let objected = DoNotCallId::parse("objected").unwrap();
    let spring = Campaign { do_not_call: vec![objected.clone()], ..campaign("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(20)).await;
    let entry = |i: u32| NewEntry { number: e164(&format!("+86138{i:08}")), expires_at: None };
    store.import_do_not_call(&objected, (1..=15).map(entry).collect()).await.unwrap();
    assert_eq!(world.ready(&spring).await.len(), 5);
    let sql = "SELECT count(*) FROM place s JOIN contact c ON c.id = s.contact AND c.stood = s.stood";
    let standing = number(&raw(&world), sql);
    assert_eq!(standing, 5);
}

/// Places that count no longer are taken away as picking comes past them.
#[tokio::test]
async fn old_places_do_not_pile_up() {
    let (mut world, _store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(50)).await;
    for contact in &world.ready(&spring).await[..40] {
        world.call(contact, 0, CallResult::Answered).await;
    }
    assert_eq!(world.ready(&spring).await.len(), 10);
    // What a page has found is taken away behind it.
    world.import(&spring, Vec::new()).await;
    let sql = "SELECT count(*) FROM place";
    let places = number(&raw(&world), sql);
    assert_eq!(places, 10);
}

/// The log is moved into the database beside the writer, who then begins it anew.
#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let (mut world, _store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2000)).await;
    let log = world.path().unwrap().with_extension("db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let ready = world.ready(&spring).await;
    for contact in &ready[..20] {
        world.call(contact, 0, CallResult::Busy).await;
    }
    let before = length();
    assert!(before > 100_000);
    for contact in &ready[20..25] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.call(contact, 0, CallResult::Busy).await;
    }
    assert_eq!(length(), before, "the log is written from its beginning again");
}

/// A store of the first schema, with a contact that has been called and one that has not.
fn first_schema(path: &std::path::Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(include_str!("../sqlite/migrations/0001.sql")).unwrap();
    const ROWS: &str = "PRAGMA application_id = 1684627820; PRAGMA user_version = 1;
        INSERT INTO store (one, dialog_key, epoch, next_contact) VALUES (1, zeroblob(32), 4, 3);
        INSERT INTO campaign VALUES (1, 'spring', 'spring', 'running', '0000000000000000000000000000000000000001', 'd', 0, 3);
        INSERT INTO contact (id, campaign, customer_id, priority, import_order, version, attempts, fresh_at)
            VALUES (1, 1, 'c1', 3, 1, 1, 0, -377705023201000000);
        INSERT INTO contact (id, campaign, customer_id, priority, import_order, version, attempts, retry_at, wakes_at)
            VALUES (2, 1, 'c2', 3, 2, 2, 1, 1, 1);
        INSERT INTO personal VALUES (1, '[[\"mobile\",\"+8613800000001\"]]', NULL);
        INSERT INTO personal VALUES (2, '[[\"mobile\",\"+8613800000002\"]]', 'x');
        INSERT INTO progress VALUES (2, '[{\"tried\":true,\"due_at\":1,\"days\":1,\"tries_on_last_day\":1,\"faults\":0}]', NULL);
        INSERT INTO tally VALUES (1, 'open', 'fresh', 1), (1, 'open', 'in_progress', 1);";
    conn.execute_batch(ROWS).unwrap();
}

#[tokio::test]
async fn a_store_of_an_earlier_version_opens_and_takes_a_filter() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(at(START)));
    let path = dir.path().join("s.db");
    first_schema(&path);
    let store = SqliteStore::open(&path, opener(), settings(), clock.clone()).await.unwrap();
    assert_eq!(store.epoch().0, 5);
    let mut world = World {
        kind: Kind::Sqlite { dir },
        dispatches: store.clone(),
        store,
        clock,
        settings: settings(),
        serial: 0,
        generations: 1,
    };
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    assert!(world.store.evaluate().await.unwrap().unwrap().complete, "how contacts stand is found out anew");
    assert_eq!(world.store.evaluate().await.unwrap(), None);
    assert_eq!(world.customers(&spring).await, ["c2", "c1"]);
    let kept = world.find(&spring, "c1").await;
    assert_eq!((kept.attributes.len(), kept.timezone.as_ref()), (0, None));
    assert_eq!(world.import(&spring, vec![contact("c1", &["+8613800000001"])]).await.unchanged, 1);
    let batches = world.store.batches(&spring.id).await.unwrap();
    let [earlier, _first] = batches.as_slice() else { panic!("{batches:?}") };
    assert_eq!((earlier.id.as_str(), earlier.tally.fresh, earlier.tally.in_progress), ("earlier", 1, 1));
    spring.filter = Some(Filter::Any(Vec::new()));
    world.apply(&[&spring]).await;
    assert!(world.store.evaluate().await.unwrap().unwrap().complete);
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.ready.len(), page.open, page.matching), (0, 2, Some(0)));
}

/// Every byte of the store's files.
fn bytes(path: &std::path::Path) -> Vec<u8> {
    ["", "-wal", "-shm", "-journal", "-order", "-order-wal", "-order-shm"]
        .into_iter()
        .flat_map(|suffix| std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn nothing_of_who_was_erased_is_left_in_the_files() {
    let (mut world, _store) = plain().await;
    let mut spring = campaign("spring");
    let city = crate::domain::ids::AttributeId::parse("city").unwrap();
    let direction = crate::domain::campaign::Direction::Ascending;
    let compare = crate::domain::campaign::SortType::Text;
    spring.sort = vec![crate::domain::campaign::SortKey { attribute: city.clone(), direction, compare }];
    world.apply(&[&spring]).await;
    let value = |text: &str| crate::domain::attribute::AttributeValue::Text(text.to_owned());
    let row = |customer: &str, numbers: &[&str], city_is: &str| NewContact {
        attributes: Attributes::from([(city.clone(), value(city_is))]),
        custom_field: Some(format!("note on {customer}")),
        ..contact(customer, numbers)
    };
    let mut rows: Vec<NewContact> =
        (0..600).map(|i| row(&format!("other-{i}"), &[&format!("+86139{i:08}")], "Elsewhere")).collect();
    rows.insert(300, row("anna-schmidt", &["+8613812345678", "+862887654321"], "Sonderstadt"));
    rows.insert(301, row("never-called", &["+8613822223333"], "Nirgendwo"));
    world.import(&spring, rows).await;
    // The others' places, and those of both, then lie in the order file.
    spring.sort[0].direction = crate::domain::campaign::Direction::Descending;
    world.apply(&[&spring]).await;
    while world.store.evaluate().await.unwrap().is_some() {}
    let anna = world.find(&spring, "anna-schmidt").await;
    for number in [0, 1] {
        let anna = world.find(&spring, "anna-schmidt").await;
        world.call(&anna, number, CallResult::Busy).await;
    }
    let personal =
        ["13812345678", "2887654321", "anna-schmidt", "Sonderstadt", "13822223333", "never-called", "Nirgendwo"];
    let found = |files: &[u8], text: &str| files.windows(text.len()).any(|window| window == text.as_bytes());
    let path = world.path().unwrap();
    let before = bytes(&path);
    assert!(personal.iter().all(|text| found(&before, text)), "it was there");
    // A reader that looks at an old state for a while does not keep it there.
    let reader = raw(&world);
    reader.execute_batch("BEGIN; SELECT count(*) FROM contact").unwrap();
    world.store.erase(&spring.id, &anna.customer).await.unwrap();
    world.store.delete(&spring.id, &customer_id("never-called")).await.unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        reader.execute_batch("COMMIT").unwrap();
    };
    let (scrubbed, ()) = tokio::join!(world.store.scrub(), ends);
    assert!(scrubbed.unwrap());
    let after = bytes(&path);
    let left: Vec<&str> = personal.into_iter().filter(|text| found(&after, text)).collect();
    assert_eq!(left, [""; 0]);
    assert!(found(&after, "other-17") && found(&after, "+8613900000017"), "others are still there");
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.contacts, tally.fresh, tally.ended.get("erased")), (601, 600, Some(&1)));
}

/// An order file that is gone, or of another time, is made anew before anybody is called by it.
#[tokio::test]
async fn an_order_file_that_is_not_to_be_believed_is_made_anew() {
    let (mut world, spring) = ordered(20).await;
    let (path, before) = (world.path().unwrap(), world.customers(&spring).await);
    assert!(number(&order_file(&world), "SELECT count(*) FROM place") >= 20);
    // Put back from a copy, while the order file has gone on.
    world.store.close().await.unwrap();
    let copy = std::fs::read(&path).unwrap();
    for lost in [false, true] {
        world.store = store_of(&world).await;
        world.apply(&[&spring]).await;
        assert_eq!(world.store.evaluate().await.unwrap(), None, "what was left well is believed");
        let ready = world.ready(&spring).await;
        world.call(&ready[0], 0, CallResult::Busy).await;
        world.ready(&spring).await;
        world.store.close().await.unwrap();
        if lost {
            std::fs::remove_file(format!("{}-order", path.display())).unwrap();
        }
        std::fs::write(&path, &copy).unwrap();
        world.store = store_of(&world).await;
        world.apply(&[&spring]).await;
        assert_eq!(world.customers(&spring).await, [""; 0], "nobody stands anywhere yet");
        while world.store.evaluate().await.unwrap().is_some() {}
        assert_eq!(world.customers(&spring).await, before);
        world.store.close().await.unwrap();
    }
}

/// After a kill the order goes on to be used, and is made anew beside it; nothing of the old one stays.
#[tokio::test]
async fn after_a_kill_the_order_is_used_and_made_anew() {
    let (mut world, spring) = ordered(20).await;
    let before = world.customers(&spring).await;
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.customers(&spring).await, before);
    assert!(world.store.evaluate().await.unwrap().unwrap().complete);
    assert_eq!(world.customers(&spring).await, before);
    let orders = order_file(&world);
    for _ in 0..100 {
        if number(&orders, "SELECT count(DISTINCT evaluation) FROM place") == 1 {
            assert_eq!(number(&raw(&world), "SELECT count(*) FROM place"), 0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("old orders stay in the file");
}

/// A page is not empty because those are many who were called before a new order took over, and who stand first in it.
#[tokio::test]
async fn places_that_do_not_count_hide_nobody() {
    let (world, spring) = ordered(12_001).await;
    raw(&world).execute("UPDATE contact SET stood = stood + 1 WHERE id <= 12000", ()).unwrap();
    assert_eq!(world.customers(&spring).await, ["c12001"]);
}

/// A list of a batch goes along the ids that the batch spans; there is no index of all contacts by batch.
#[tokio::test]
async fn a_page_of_a_batch_is_a_range_of_ids() {
    let world = World::sqlite().await;
    let conn = raw(&world);
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", crate::store::sqlite::OF_BATCH)).unwrap();
    let steps: Vec<String> = explain.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
    assert!(steps[0].contains("SEARCH c USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{steps:#?}");
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN")), "{steps:#?}");
}

#[tokio::test]
async fn writes_of_others_are_noticed_and_own_ones_are_not() {
    let (mut world, store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let seen = store.foreign_writes().await.unwrap();
    world.import(&spring, contacts(3)).await;
    world.apply(&[&spring]).await;
    store.heartbeat().await.unwrap();
    // Pages move from the log meanwhile.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.foreign_writes().await.unwrap(), seen);
    raw(&world).execute("UPDATE campaign SET desired = 'stopped'", ()).unwrap();
    let after = store.foreign_writes().await.unwrap();
    assert_eq!(after, seen + 1);
    assert_eq!(store.foreign_writes().await.unwrap(), after);
    raw(&world)
        .execute(
            "INSERT INTO campaign (slug, name, desired, revision, digest, retired, next_order) \
                         VALUES ('No Id!', '', '', '', '', 0, 1)",
            (),
        )
        .unwrap();
    let rows = store.campaigns().await.unwrap();
    assert_eq!((rows.len(), rows[0].damaged, rows[0].desired), (1, true, DesiredState::Paused));
}

#[tokio::test]
async fn a_call_whose_row_is_gone_is_settled_all_the_same() {
    let (mut world, store) = plain().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let ready = world.ready(&spring).await;
    let request = world.request(&ready[0], 0);
    let IntentDecision::Recorded(intent) = store.record_intent(request.clone()).await.unwrap() else { panic!() };
    // As `sqlite3` does it, which minds no foreign keys.
    raw(&world).execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM live_call").unwrap();
    for _ in 0..2 {
        world.settle(request.attempt, &intent, 0, CallResult::NoAnswer).await;
    }
    let tally = store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.live, tally.attempts.get(&CallResult::NoAnswer)), (0, Some(&1)));
    assert_eq!(number(&raw(&world), "SELECT count(*) FROM live_number"), 0);
}

#[tokio::test]
async fn many_held_contacts_are_asked_about_slice_by_slice() {
    const MANY: u32 = 1_000;
    let (mut world, store) = plain().await;
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(MANY)).await;
    world.import(&summer, contacts(MANY)).await;
    // As if a cap held every one of both, and had ended a tenth of them.
    let held = micros_of(world.now() + Duration::from_secs(86_400));
    let progress = format!(
        "INSERT INTO progress (contact, numbers, held) SELECT id, \
         '[{{\"tried\":false,\"held_until\":{held},\"days\":0,\"tries_on_last_day\":0,\"faults\":0}}]', {held} FROM contact; \
         UPDATE contact SET ended = 'attempts_spent', attempts = 1 WHERE id % 10 = 0"
    );
    raw(&world).execute_batch(&progress).unwrap();
    let left = |campaign: &str| {
        number(
            &raw(&world),
            &format!(
                "SELECT count(*) FROM contact c JOIN progress p ON p.contact = c.id JOIN campaign k ON k.id = c.campaign \
                 WHERE k.slug = '{campaign}' AND (p.held IS NOT NULL OR c.ended IS NOT NULL)"
            ),
        )
    };
    spring.limits.max_attempts_per_contact = NonZeroU32::new(5);
    let generation = generation(9, &[&spring, &summer]);
    store.apply(generation, vec![put(&spring.id)], Against::Whatever).await.unwrap();
    // A few with the commit itself, as intents wait for it.
    assert_eq!((left("spring"), left("summer")), (800, 1_000));
    let mut slices = 0;
    while let Some(piece) = store.evaluate().await.unwrap() {
        assert_eq!(piece.campaign, spring.id);
        assert!(piece.admitted <= 200, "{piece:?}");
        slices += 1;
    }
    assert!((4..=8).contains(&slices), "{slices}");
    assert_eq!((left("spring"), left("summer")), (0, 1_000), "of the campaign that changed, and all of it");
    assert_eq!(number(&raw(&world), "SELECT count(*) FROM campaign WHERE released_to IS NOT NULL"), 0);
    assert_eq!(store.evaluate().await.unwrap(), None);
}

fn micros_of(at: Timestamp) -> i64 {
    at.as_microsecond()
}

#[tokio::test]
async fn a_campaign_whose_contacts_cannot_be_read_waits_by_itself() {
    let (mut world, store) = plain().await;
    let (mut spring, mut summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(3)).await;
    world.import(&summer, contacts(3)).await;
    raw(&world).execute("UPDATE personal SET numbers = 'x' WHERE contact = 1", ()).unwrap();
    for campaign in [&mut spring, &mut summer] {
        campaign.filter = Some(Filter::All(Vec::new()));
    }
    world.apply(&[&spring, &summer]).await;
    let (mut failed, mut done) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        match store.evaluate().await {
            Ok(Some(piece)) if piece.complete => done.push(piece.campaign),
            Ok(_) => {}
            Err(StoreError::Stuck { campaign, failures, retry_in, .. }) => {
                failed.push((campaign, failures));
                assert!(retry_in < Duration::from_secs(2), "{retry_in:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(failed, [(spring.id.clone(), 1)], "it waits");
    assert_eq!(done, [summer.id.clone()]);
    world.wait(Duration::from_secs(2));
    assert!(matches!(store.evaluate().await, Err(StoreError::Stuck { failures: 2, .. })), "and is tried again");
    assert_eq!(store.evaluate().await.unwrap(), None);
    // Another commit has it tried at once.
    world.apply(&[&spring, &summer]).await;
    assert!(matches!(store.evaluate().await, Err(StoreError::Stuck { failures: 1, .. })));
}
