//! Contacts from a CSV stream into a real store.

use std::{collections::BTreeMap, sync::Arc};

use dialops::{
    clock::Clock,
    contacts::{ImportCounts, ImportError, ImportEvent, import_csv},
    domain::{
        campaign::{Definitions, DialPermission, Generation},
        ids::{CampaignId, CustomerId, Revision, TenantId},
        tenant::Tenant,
    },
    store::{CampaignChange, GateSettings, Opener, Store, StoreError, sqlite::SqliteStore},
};
use jiff::Timestamp;
use tokio::{io::AsyncWriteExt, sync::mpsc};

use crate::definitions;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spring() -> CampaignId {
    CampaignId::parse("spring").unwrap()
}

fn generation() -> Arc<Generation> {
    let campaign = definitions::campaign(spring(), "Spring");
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
    Arc::new(Generation {
        revision: Revision::parse(&"a".repeat(40)).unwrap(),
        committed_at: at("2031-03-01T00:00:00Z"),
        definitions: Definitions { campaigns: BTreeMap::from([(spring(), campaign)]), ..Definitions::of(tenant) },
    })
}

async fn store() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let dir = tempfile::tempdir().unwrap();
    let opener = Opener {
        daemon_version: "0.1.0".into(),
        tzdb_version: "2026b".into(),
        settings_digest: "d1".into(),
        pid: 1,
        host: "here".into(),
    };
    let settings = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    let store = SqliteStore::open(&dir.path().join("s.db"), opener, settings, Clock::system()).await.unwrap();
    let put = CampaignChange::Put { id: spring(), digest: "d".into() };
    store.apply(generation(), vec![put]).await.unwrap();
    (dir, store)
}

/// Imports `csv` as it would come over a socket, and collects what is told.
async fn import(store: &dyn Store, csv: Vec<u8>) -> (Result<ImportCounts, ImportError>, Vec<ImportEvent>) {
    let (mut far, near) = tokio::io::duplex(1000);
    let sending = tokio::spawn(async move { far.write_all(&csv).await });
    let (events, mut told) = mpsc::channel(4);
    let following = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(event) = told.recv().await {
            all.push(event);
        }
        all
    });
    let outcome = import_csv(store, &spring(), "CN", near, &events).await;
    drop(events);
    let _ = sending.await.unwrap();
    (outcome, following.await.unwrap())
}

fn rejects(events: &[ImportEvent]) -> Vec<(u64, &str, &str)> {
    let rejected = |event| match event {
        &ImportEvent::Rejected { line, ref reason, ref row } => Some((line, reason.as_str(), row.as_str())),
        ImportEvent::Progress(_) | ImportEvent::Done(_) => None,
    };
    events.iter().filter_map(rejected).collect()
}

#[tokio::test]
async fn good_rows_are_kept_and_bad_ones_told_by_line() {
    let (_dir, store) = store().await;
    let csv = "\u{feff}customer_id,number.mobile,number.home,priority,not_before,custom_field\r\n\
               c1,13800000001,02880000001,1,2031-03-03T09:00:00+08:00,\"two\r\nlines, \"\"quoted\"\"\"\r\n\
               c2,13800000002,,,,\r\n\
               c3,12345,,,,\r\n\
               c4,13800000004,,,,extra,field\r\n\
               c2,13800000022,,,,\r\n\
               c5,,028 8000 0005,,,\r\n";
    let mut csv = csv.as_bytes().to_vec();
    csv.extend_from_slice(b"c\xff,13800000006,,,,\r\nc7,13800000007,,,,\r\n");
    let (counts, events) = import(&*store, csv).await;
    let counts = counts.unwrap();
    assert_eq!(counts, ImportCounts { rows: 8, added: 4, unchanged: 0, rejected: 4 });
    assert_eq!(events.last(), Some(&ImportEvent::Done(counts)));
    let told = rejects(&events);
    let lines: Vec<u64> = told.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [5, 6, 7, 9]);
    assert!(told[0].1.starts_with("number.mobile: is not a phone number of CN"), "{told:?}");
    assert_eq!(told[0].2, "c3,12345,,,,");
    assert_eq!(told[1].1, "has 7 fields, the header has 6");
    assert_eq!(told[2].1, "customer_id: stands on line 4 already");
    assert_eq!(told[3].1, "is not UTF-8; save the file as UTF-8");
    let id = CustomerId::parse("c1").unwrap();
    let contact = store.contact(&spring(), &id).await.unwrap().unwrap().contact;
    assert_eq!(contact.priority.get(), 1);
    assert_eq!(contact.not_before, Some(at("2031-03-03T01:00:00Z")));
    let numbers: Vec<(&str, &str)> =
        contact.progress.numbers.iter().map(|n| (n.category.as_str(), n.e164.expose())).collect();
    assert_eq!(numbers, [("mobile", "+8613800000001"), ("home", "+862880000001")]);
}

#[tokio::test]
async fn a_second_import_changes_nothing_and_differing_rows_are_told() {
    let (_dir, store) = store().await;
    let rows = |from: u32| (from..3001).map(|i| format!("c{i},1380000{i:04}\n")).collect::<String>();
    let csv = format!("customer_id,number.mobile\n{}", rows(1)).into_bytes();
    let (counts, events) = import(&*store, csv.clone()).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 3000, unchanged: 0, rejected: 0 });
    let told: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            ImportEvent::Progress(counts) => Some(counts.added),
            ImportEvent::Rejected { .. } | ImportEvent::Done(_) => None,
        })
        .collect();
    assert!(told.len() >= 6 && told.is_sorted(), "{told:?}");
    let before = store.tally(&spring()).await.unwrap();
    let (counts, _) = import(&*store, csv).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 0, unchanged: 3000, rejected: 0 });
    assert_eq!(store.tally(&spring()).await.unwrap(), before);
    let csv = format!("customer_id,number.mobile\nc1,13900000001\n{}", rows(2)).into_bytes();
    let (counts, events) = import(&*store, csv).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 0, unchanged: 2999, rejected: 1 });
    let told = rejects(&events);
    assert_eq!((told.len(), told[0].0, told[0].2), (1, 2, "c1,13900000001"));
    assert!(told[0].1.contains("left as it is"));
}

#[tokio::test]
async fn what_stops_an_import_is_told_in_one_sentence() {
    let (_dir, store) = store().await;
    let header = |text: &str| text.as_bytes().to_vec();
    let (outcome, events) = import(&*store, header("customer_id,nubmer.mobile\nc1,13800000001\n")).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ImportError::Header(_)) && error.to_string().contains("number.mobile"), "{error}");
    assert!(events.is_empty());
    let (outcome, _) = import(&*store, Vec::new()).await;
    assert!(outcome.unwrap_err().to_string().contains("empty"));
    let (events, _told) = mpsc::channel(4);
    let unknown = CampaignId::parse("unknown").unwrap();
    let outcome = import_csv(&*store, &unknown, "CN", &b"x"[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Store(StoreError::UnknownCampaign(_)))));
    let outcome = import_csv(&*store, &spring(), "China", &b"x"[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Region(_))));
}

#[tokio::test]
async fn without_a_reader_it_stops() {
    let (_dir, store) = store().await;
    let (events, told) = mpsc::channel(1);
    drop(told);
    let rows = (1..2000).map(|i| format!("c{i},1380000{i:04}\n")).collect::<String>();
    let csv = format!("customer_id,number.mobile\n{rows}").into_bytes();
    let outcome = import_csv(&*store, &spring(), "CN", &csv[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Abandoned)));
    assert_eq!(store.tally(&spring()).await.unwrap().contacts, 500);
}
