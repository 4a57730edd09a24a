//! Results and statistics at a million contacts and attempts: how long they take, and what intents notice of it.
//!
//! ```text
//! cargo bench --bench results               # 1,000,000 of each, some minutes, 2 GB of disk
//! cargo bench --bench results -- 100000
//! ```
//!
//! Contacts are imported; attempts are written into the tables by hand, a thirty days' work of a hundred agents, since
//! to call a million takes a quarter of an hour. What is counted is held against the rows. The writer's part is asked
//! for its heartbeat meanwhile: a transaction of its own, as an intent is.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

#[path = "../tests/it/definitions.rs"]
mod definitions;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dialops::{
    clock::Clock,
    domain::{
        attribute::Attributes,
        campaign::{Definitions, DialPermission, Generation, Priority},
        contact::NewContact,
        ids::{AgentId, BatchId, CampaignId, CategoryId, CustomerId, Revision, TenantId},
        phone::E164,
        results::CallResult,
        statistics::{Quarter, Span},
        tenant::Tenant,
    },
    store::{Against, AttemptFilter, CampaignChange, GateSettings, Opener, Store, sqlite::SqliteStore},
};

const MANY: u64 = 1_000_000;
/// Contacts of one import.
const SLICE: u64 = 5_000;
const DAYS: u64 = 30;
const AGENTS: u64 = 100;
/// Turns of each measurement.
const TURNS: usize = 5;

fn main() {
    let many = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(MANY).max(10_000);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = tempfile::Builder::new().prefix("results-").tempdir_in(target).unwrap();
    let path = folder.path().join("dialops.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        let store = open(&path).await;
        import(&store, many).await;
        store.close().await.unwrap();
        println!("{many} contacts in {:.1} s", began.elapsed().as_secs_f64());
        let began = Instant::now();
        fill(&path, many);
        println!("{many} attempts and their counts in {:.1} s", began.elapsed().as_secs_f64());
        let store = open(&path).await;
        measure(&store, many).await;
        store.close().await.unwrap();
    });
}

fn campaign() -> CampaignId {
    CampaignId::parse("spring").unwrap()
}

async fn open(path: &Path) -> Arc<SqliteStore> {
    let opener = Opener {
        daemon_version: "bench".into(),
        tzdb_version: "bench".into(),
        settings_digest: "bench".into(),
        pid: std::process::id(),
        host: "bench".into(),
    };
    let settings = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    let store = SqliteStore::open(path, opener, settings, Clock::system()).await.unwrap();
    let defined = definitions::campaign(campaign(), "Spring");
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
    let campaigns = BTreeMap::from([(defined.id.clone(), Arc::new(defined))]);
    let definitions = Definitions { campaigns, ..Definitions::of(tenant) };
    let revision = Revision::parse(&"a".repeat(40)).unwrap();
    let generation = Arc::new(Generation::whole(revision, "2031-03-01T00:00:00Z".parse().unwrap(), definitions));
    let changes = vec![CampaignChange::Put { id: campaign(), digest: "d".into() }];
    store.apply(generation, changes, Against::Whatever).await.unwrap();
    store
}

async fn import(store: &SqliteStore, many: u64) {
    for first in (0..many).step_by(SLICE as usize) {
        let contact = |nth: u64| NewContact {
            customer: CustomerId::parse(&format!("c-{nth:08}")).unwrap(),
            numbers: vec![(CategoryId::parse("mobile").unwrap(), E164::parse(&format!("+861{nth:010}")).unwrap())],
            priority: Priority::DEFAULT,
            not_before: None,
            timezone: None,
            attributes: Attributes::new(),
            custom_field: None,
        };
        let batch = BatchId::parse(&format!("batch-{}", first * 5 / many)).unwrap();
        let contacts = (first..many.min(first + SLICE)).map(contact).collect();
        store.import(&campaign(), &batch, contacts).await.unwrap();
    }
}

/// Attempts of thirty days, from nine to nine in the evening; of three in ten somebody spoke.
fn fill(path: &Path, many: u64) {
    const RESULTS: [CallResult; 10] = [
        CallResult::Answered,
        CallResult::NoAnswer,
        CallResult::Busy,
        CallResult::Answered,
        CallResult::NoAnswer,
        CallResult::Unreachable,
        CallResult::Answered,
        CallResult::NoAnswer,
        CallResult::Rejected,
        CallResult::PoweredOff,
    ];
    let mut conn = rusqlite::Connection::open(path).unwrap();
    let write = conn.transaction().unwrap();
    let ids = "SELECT k.id, min(c.id), g.id FROM campaign k JOIN contact c ON c.campaign = k.id JOIN generation g";
    let (campaign, first, generation): (i64, i64, i64) =
        write.query_row(ids, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let mut insert = write
        .prepare(
            "INSERT INTO attempt (id, campaign, contact, generation, number_index, number, caller_number, agent, trunk, \
             placed_at, rang_at, answered_at, connected_at, ended_at, result, fail_code, do_not_call_version, category) \
             VALUES (?1, ?2, ?3, ?4, 0, ?5, '+862160000001', ?6, 'carrier', ?7, ?7 + 3000000, ?8, ?8, ?9, ?10, '00000', \
             0, 'mobile')",
        )
        .unwrap();
    let began = "2031-03-01T01:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let gap = 12 * 3_600 * 1_000_000 / (many / DAYS).max(1) as i64;
    for nth in 0..many {
        let (day, of_day) = (nth / (many / DAYS).max(1), nth % (many / DAYS).max(1));
        let placed_at = began + day as i64 * 86_400_000_000 + of_day as i64 * gap;
        let result = RESULTS[(nth * 7 % 10) as usize];
        let talked = (result == CallResult::Answered).then_some(placed_at + 12_000_000);
        let ended_at = talked.map_or(placed_at + 25_000_000, |from| from + 60_000_000 + (nth % 90) as i64 * 1_000_000);
        // Each contact is called once, in no order of its id.
        let contact = first + (nth * 7_919 % many) as i64;
        let (id, agent) = ((1_i64 << 32) | (nth as i64 + 1), format!("agent-{}", nth * 31 % AGENTS));
        let number = format!("+861{:010}", nth * 7_919 % many);
        let values: [&dyn rusqlite::ToSql; 10] =
            [&id, &campaign, &contact, &generation, &number, &agent, &placed_at, &talked, &ended_at, &result.as_str()];
        insert.execute(values).unwrap();
    }
    drop(insert);
    // As the migration counts what an earlier version left.
    let migration = include_str!("../src/store/sqlite/migrations/0022_statistics.sql");
    let counts = &migration[migration.find("INSERT INTO statistic").unwrap()..];
    write.execute_batch(counts).unwrap();
    write.commit().unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let rows: i64 = conn.query_row("SELECT count(*) FROM statistic", [], |row| row.get(0)).unwrap();
    println!("{rows} rows of counts");
}

async fn measure(store: &Arc<SqliteStore>, many: u64) {
    let id = campaign();
    let quiet = heartbeats(store, tokio::time::sleep(Duration::from_secs(2))).await;
    println!("| | measured |\n|---|---|");
    let counted = store.statistics(Some(&id), Span::default()).await.unwrap();
    let attempts: u64 = counted.by_result.values().map(|calls| calls.attempts).sum();
    assert_eq!(attempts, many);
    let day =
        |nth: i64| Some(Quarter::of("2031-03-10T00:00:00Z".parse().unwrap())).map(|q| Quarter::new(q.number() + nth));
    timed("statistics of the campaign", || store.statistics(Some(&id), Span::default())).await;
    timed("statistics of all campaigns", || store.statistics(None, Span::default())).await;
    timed("statistics of one day", || store.statistics(Some(&id), Span { from: day(0), to: day(96) })).await;
    let all = AttemptFilter::default();
    timed("a page of 500 attempts", || store.attempt_page(&id, &all, None, 500)).await;
    let late = AttemptFilter { from: Some("2031-03-20T04:00:00Z".parse().unwrap()), ..AttemptFilter::default() };
    timed("the same, from a time on", || store.attempt_page(&id, &late, None, 500)).await;
    timed("a page of 500 contacts with their last attempt", || store.listed_page(&id, None, 500)).await;
    let agent = AgentId::parse("agent-7").ok();
    let rare = AttemptFilter { agent, connected: Some(false), ..AttemptFilter::default() };
    let began = Instant::now();
    let found = through(store, &rare).await;
    println!("| all {found} attempts of one agent that were not connected | {:.2} s |", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let (looked, busy) = {
        let walk = Arc::clone(store);
        let mut found = 0;
        let busy = heartbeats(store, async { found = through(&walk, &all).await }).await;
        (found, busy)
    };
    assert_eq!(looked, many);
    println!("| all {looked} attempts, a thousand at a time | {:.1} s |", began.elapsed().as_secs_f64());
    let walk = Arc::clone(store);
    let counting = heartbeats(store, async {
        for _ in 0..10 {
            walk.statistics(None, Span::default()).await.unwrap();
        }
    })
    .await;
    println!(
        "| the writer's heartbeat, p99: at rest, while all are listed, while all are counted | {quiet}, {busy}, {counting} |"
    );
    println!("| memory of the process at its highest | {} MB |", peak());
    let mut by_hand = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.attempt_page(&id, &all, after, 5_000).await.unwrap();
        by_hand.extend(page.attempts.iter().filter(|one| one.connected_at.is_some()).map(|one| one.customer.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(by_hand.len() as u64, counted.connected_contacts, "counted row by row");
}

async fn through(store: &SqliteStore, filter: &AttemptFilter) -> u64 {
    let (mut found, mut after) = (0, None);
    loop {
        let page = store.attempt_page(&campaign(), filter, after, 1_000).await.unwrap();
        found += page.attempts.len() as u64;
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// The first turn and the median.
async fn timed<T, F: Future<Output = T>>(what: &str, run: impl Fn() -> F) {
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let began = Instant::now();
        let _done = run().await;
        turns.push(began.elapsed());
    }
    let first = turns[0];
    turns.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!("| {what} | {:.1} ms, the first time {:.1} ms |", millis(turns[TURNS / 2]), millis(first));
}

/// p99 of the writer's heartbeats while something goes on.
async fn heartbeats(store: &Arc<SqliteStore>, work: impl Future<Output = ()>) -> String {
    let (over, beating) = (Arc::new(AtomicBool::new(false)), Arc::clone(store));
    let ended = Arc::clone(&over);
    let beats = tokio::spawn(async move {
        let mut beats = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            beating.heartbeat().await.unwrap();
            beats.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        beats.sort();
        beats
    });
    work.await;
    over.store(true, Ordering::Relaxed);
    let beats = beats.await.unwrap();
    let p99 = beats.get(beats.len() * 99 / 100).copied().unwrap_or_default();
    format!("{:.1} ms of {}", p99.as_secs_f64() * 1_000.0, beats.len())
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
