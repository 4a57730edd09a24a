//! Contacts from a stream into a real store.

use std::{collections::BTreeMap, sync::Arc};

use dialops::{
    clock::Clock,
    contacts::{self, ImportCounts, ImportError, ImportEvent, ImportFormat, ImportRules, Keyring, Place},
    domain::{
        attribute::{Attribute, AttributeType, AttributeValue},
        campaign::{Definitions, DialPermission, Generation},
        ids::{AttributeId, BatchId, CampaignId, CategoryId, CustomerId, Revision, TenantId},
        tenant::Tenant,
    },
    store::{Against, CampaignChange, GateSettings, Opener, Store, StoreError, sqlite::SqliteStore},
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

fn batch() -> BatchId {
    BatchId::parse("march").unwrap()
}

fn generation() -> Arc<Generation> {
    let campaign = definitions::campaign(spring(), "Spring");
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
    let definitions =
        Definitions { campaigns: BTreeMap::from([(spring(), Arc::new(campaign))]), ..Definitions::of(tenant) };
    let revision = Revision::parse(&"a".repeat(40)).unwrap();
    Arc::new(Generation::whole(revision, at("2031-03-01T00:00:00Z"), definitions))
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
    store.apply(generation(), vec![put], Against::Whatever).await.unwrap();
    (dir, store)
}

/// What a tenant of China defines.
fn rules() -> ImportRules {
    let attribute = |id: &str, kind, required| {
        let id = AttributeId::parse(id).unwrap();
        let name = id.to_string();
        (id.clone(), Attribute { id, name, kind, required, shown: true, editable: false, masked: false })
    };
    ImportRules {
        region: "CN".to_owned(),
        attributes: BTreeMap::from([
            attribute("tier", AttributeType::String, true),
            attribute("score", AttributeType::Number, false),
            attribute("due", AttributeType::Date, false),
            attribute("iban", AttributeType::Encrypted, false),
        ]),
        categories: ["mobile", "home"].map(|id| CategoryId::parse(id).unwrap()).into(),
        keys: None,
    }
}

/// Imports `csv` where nothing is defined.
async fn import(store: &dyn Store, csv: Vec<u8>) -> (Result<ImportCounts, ImportError>, Vec<ImportEvent>) {
    let rules = ImportRules { region: "CN".to_owned(), ..ImportRules::default() };
    import_by(store, &rules, ImportFormat::Csv, csv).await
}

/// Imports `text` as it would come over a socket, and collects what is told.
async fn import_by(
    store: &dyn Store,
    rules: &ImportRules,
    format: ImportFormat,
    text: Vec<u8>,
) -> (Result<ImportCounts, ImportError>, Vec<ImportEvent>) {
    let (mut far, near) = tokio::io::duplex(1000);
    let sending = tokio::spawn(async move { far.write_all(&text).await });
    let (events, mut told) = mpsc::channel(4);
    let following = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(event) = told.recv().await {
            all.push(event);
        }
        all
    });
    let outcome = contacts::import(store, &spring(), &batch(), rules, format, near, &events).await;
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
    assert_eq!(counts, ImportCounts { rows: 8, added: 4, updated: 0, unchanged: 0, rejected: 4 });
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
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 3000, updated: 0, unchanged: 0, rejected: 0 });
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
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 0, updated: 0, unchanged: 3000, rejected: 0 });
    assert_eq!(store.tally(&spring()).await.unwrap(), before);
    let csv = format!("customer_id,number.mobile\nc1,13900000001\n{}", rows(2)).into_bytes();
    let (counts, events) = import(&*store, csv).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 3000, added: 0, updated: 0, unchanged: 2999, rejected: 1 });
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
    let outcome = contacts::import(&*store, &unknown, &batch(), &rules(), ImportFormat::Csv, &b"x"[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Store(StoreError::UnknownCampaign(_)))));
    let china = ImportRules { region: "China".to_owned(), ..rules() };
    let outcome = contacts::import(&*store, &spring(), &batch(), &china, ImportFormat::Csv, &b"x"[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Region(_))));
}

#[tokio::test]
async fn without_a_reader_it_stops() {
    let (_dir, store) = store().await;
    let (events, told) = mpsc::channel(1);
    drop(told);
    let rows = (1..2000).map(|i| format!("c{i},1380000{i:04}\n")).collect::<String>();
    let csv = format!("customer_id,number.mobile\n{rows}").into_bytes();
    let rules = ImportRules { region: "CN".to_owned(), ..ImportRules::default() };
    let outcome = contacts::import(&*store, &spring(), &batch(), &rules, ImportFormat::Csv, &csv[..], &events).await;
    assert!(matches!(outcome, Err(ImportError::Abandoned)));
    assert_eq!(store.tally(&spring()).await.unwrap().contacts, 500);
}

/// Attributes and zone of a customer, for comparison.
async fn known(store: &dyn Store, customer: &str) -> (Vec<(String, AttributeValue)>, Option<String>) {
    let id = CustomerId::parse(customer).unwrap();
    let contact = store.contact(&spring(), &id).await.unwrap().unwrap().contact;
    let attributes = contact.attributes.into_iter().map(|(id, value)| (id.to_string(), value)).collect();
    (attributes, contact.timezone.map(|zone| zone.name().to_owned()))
}

#[tokio::test]
async fn attributes_and_zones_from_both_formats_are_the_same() {
    let (_dir, store) = store().await;
    let csv = "customer_id,attr.tier,number.mobile,attr.score,attr.due,timezone,attr.iban\n\
               c1,gold,13800000001,12.30,2031-03-04,Asia/Urumqi,\n\
               c2,,13800000002,many,04.03.2031,Asia/Peking,\n\
               c3,iron,13800000003,,,,DE02120300000000202051\n\
               c4,iron,13800000004,-0.1,,,\n";
    let (counts, events) = import_by(&*store, &rules(), ImportFormat::Csv, csv.into()).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 4, added: 2, updated: 0, unchanged: 0, rejected: 2 });
    let told = rejects(&events);
    assert_eq!((told[0].0, told[1].0), (3, 4));
    for part in ["attr.score: must be a dec", "attr.due: must be a date", "timezone: must", "attr.tier: is required"] {
        assert!(told[0].1.contains(part), "{part}: {told:?}");
    }
    assert!(told[1].1.contains("attr.iban: no key is set for encrypted attributes"), "{told:?}");
    assert!(!told.iter().any(|(_, reason, _)| reason.contains("many") || reason.contains("DE02")), "{told:?}");
    let (attributes, zone) = known(&*store, "c1").await;
    assert_eq!(attributes[2], ("tier".to_owned(), AttributeValue::Text("gold".to_owned())));
    assert_eq!((attributes.len(), zone.as_deref()), (3, Some("Asia/Urumqi")));
    // The same contacts as JSON are nothing new; bad lines are told as bad rows are.
    let lines = [
        r#"{"customer_id":"c1","attributes":{"tier":"gold","score":12.3,"due":"2031-03-04","iban":null},
            "timezone":"Asia/Urumqi","numbers":[{"category":"mobile","number":"+8613800000001"}]}"#,
        r#"{"customer_id":"c4","attributes":{"tier":"iron","score":-0.1},"priority":3,
            "numbers":[{"category":"mobile","number":"138 0000 0004"}]}"#,
        r#"{"customer_id":"c5","attributes":{"tier":"iron"},"priority":1,"not_before":"2031-03-03T09:00:00+08:00",
            "custom_field":"x","numbers":[{"category":"home","number":"02880000001"},{"category":"mobile","number":"13800000005"}]}"#,
        r#"{"customer_id":"c6","atributes":{},"attributes":{"teir":"iron","score":"12,5"},"numbers":"13800000006"}"#,
        r#"{"customer_id":7,"attributes":{"tier":5},"numbers":[{"category":"moblie","number":"13800000007"}]}"#,
        r#"{"customer_id":"c8","attributes":{"tier":"iron"},"numbers":[{"category":"mobile","number":"13800000001"},]}"#,
        "[1]",
    ];
    let text: Vec<String> = lines.iter().map(|line| line.replace('\n', "")).collect();
    let text = format!("\n{}\n", text.join("\n"));
    let (counts, events) = import_by(&*store, &rules(), ImportFormat::JsonLines, text.into()).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 7, added: 1, updated: 0, unchanged: 2, rejected: 4 });
    let told = rejects(&events);
    let expected: [(u64, &[&str]); 4] = [
        (
            5,
            &[
                "did you mean \"attributes\"",
                "did you mean \"tier\"",
                "attributes.score",
                "numbers: must",
                "tier: is req",
            ],
        ),
        (6, &["customer_id: must be a text", "attributes.tier: must be a text", "did you mean \"mobile\""]),
        (7, &["is not JSON, at column 106"]),
        (8, &["must be a JSON object"]),
    ];
    for ((line, parts), (told_line, reason, _)) in expected.into_iter().zip(&told) {
        assert_eq!(line, *told_line);
        assert!(parts.iter().all(|part| reason.contains(part)), "{parts:?}: {reason}");
        assert!(!reason.contains("1380000") && !reason.contains("12,5"), "{reason}");
    }
    let id = CustomerId::parse("c5").unwrap();
    let contact = store.contact(&spring(), &id).await.unwrap().unwrap().contact;
    assert_eq!((contact.priority.get(), contact.not_before), (1, Some(at("2031-03-03T01:00:00Z"))));
    assert_eq!(contact.progress.numbers[1].e164.expose(), "+8613800000005");
}

/// What one format refuses the other refuses too.
#[tokio::test]
async fn json_is_as_strict_as_csv() {
    let (_dir, store) = store().await;
    let number = r#""numbers":[{"category":"mobile","number":"13800000001"}]"#;
    let json = [
        (r#""attributes":{"tier":"a","score":1e300}"#, "attributes.score: must be a decimal number"),
        (r#""attributes":{"tier":"a","score":1E2}"#, "attributes.score: must be a decimal number"),
        (r#""attributes":{"tier":"a","tier":"b"}"#, "attributes: key \"tier\" stands twice"),
        (r#""attributes":{"tier":"a"},"attributes":{"tier":"a"}"#, "key \"attributes\" stands twice"),
        (r#""attributes":{"tier":"a"},"customer_id":"c"#, "is not JSON"),
        (r#""attributes":{"tier":"a"},"customer_id":"c2""#, "key \"customer_id\" stands twice"),
        (r#""attributes":{"tier":"a"},"priority":1.0"#, "priority: must be 1 to 5"),
        (r#""attributes":{"tier":"\ud800"}"#, "attributes.tier: must be a text"),
        (r#""attributes":{"tier":"a","13800000009":"b"}"#, "attributes: the tenant defines no such attribute"),
        (r#""attributes":{"tier":"a"},"13800000009":"b""#, "a key is not known"),
        (r#""attributes":{"tier":"a","score":-12.50,"due":null},"priority":2"#, ""),
    ];
    let lines: Vec<String> =
        json.iter().enumerate().map(|(i, (rest, _))| format!("{{\"customer_id\":\"c{i}\",{number},{rest}}}")).collect();
    let twice =
        r#"{"customer_id":"c","attributes":{"tier":"a"},"numbers":[{"category":"mobile","number":"1","number":"2"}]}"#;
    let text = format!("{}\n{twice}\n", lines.join("\n"));
    let (counts, events) = import_by(&*store, &rules(), ImportFormat::JsonLines, text.into()).await;
    assert_eq!(counts.unwrap(), ImportCounts { rows: 12, added: 1, updated: 0, unchanged: 0, rejected: 11 });
    let told = rejects(&events);
    for ((_, expected), (_, reason, _)) in json.iter().zip(&told) {
        assert!(reason.contains(expected) && !reason.contains("1380000"), "{expected}: {reason}");
    }
    assert!(told[10].1.contains("numbers: key \"number\" stands twice"), "{told:?}");
    let csv = "customer_id,number.mobile,attr.tier,attr.score\nc1,13800000001,a,1e300\nc10,13800000001,a,1E2\n";
    let (counts, _) = import_by(&*store, &rules(), ImportFormat::Csv, csv.into()).await;
    assert_eq!(counts.unwrap().rejected, 2);
    let header = "customer_id,number.mobile,attr.tier,attr.tier\nc1,13800000001,a,b\n";
    let (outcome, _) = import_by(&*store, &rules(), ImportFormat::Csv, header.into()).await;
    assert!(outcome.unwrap_err().to_string().contains("\"attr.tier\" stands twice"));
}

fn keys(current: &str, previous: Option<&str>) -> Arc<Keyring> {
    let key = |digit: &str| secrecy::SecretString::from(digit.repeat(64));
    Arc::new(Keyring::new(&key(current), previous.map(key).as_ref()).unwrap())
}

async fn iban(store: &dyn Store, ring: &Keyring, customer: &str) -> String {
    let customer = CustomerId::parse(customer).unwrap();
    let contact = store.contact(&spring(), &customer).await.unwrap().unwrap().contact;
    let attribute = AttributeId::parse("iban").unwrap();
    let AttributeValue::Sealed(sealed) = &contact.attributes[&attribute] else { panic!("it is encrypted") };
    let place = Place { campaign: &spring(), customer: &customer, attribute: &attribute };
    secrecy::ExposeSecret::expose_secret(&ring.open(place, sealed).unwrap()).to_owned()
}

#[tokio::test]
async fn encrypted_attributes_are_kept_under_a_key_that_can_be_changed() {
    const IBAN: &str = "DE02120300000000202051";
    let (dir, store) = store().await;
    let csv =
        format!("customer_id,number.mobile,attr.tier,attr.iban\nc1,13800000001,gold,{IBAN}\nc2,13800000002,gold,\n");
    let old = ImportRules { keys: Some(keys("a", None)), ..rules() };
    let (counts, _) = import_by(&*store, &old, ImportFormat::Csv, csv.clone().into()).await;
    assert_eq!(counts.unwrap().added, 2);
    let json = format!(
        r#"{{"customer_id":"c1","numbers":[{{"category":"mobile","number":"13800000001"}}],"attributes":{{"tier":"gold","iban":"{IBAN}"}}}}"#
    );
    let (counts, _) = import_by(&*store, &old, ImportFormat::JsonLines, json.into()).await;
    assert_eq!(counts.unwrap().unchanged, 1, "the same value is the same text");
    assert_eq!(iban(&*store, &keys("a", None), "c1").await, IBAN);
    // Both keys are there while values are written anew.
    let both = keys("b", Some("a"));
    let rotated = contacts::rotate(&*store, &both, &spring(), None).await.unwrap();
    assert_eq!((rotated.rewritten, rotated.unreadable, rotated.last), (1, 0, None));
    assert_eq!(contacts::rotate(&*store, &both, &spring(), None).await.unwrap().rewritten, 0);
    assert_eq!(iban(&*store, &keys("b", None), "c1").await, IBAN);
    let new = ImportRules { keys: Some(keys("b", None)), ..rules() };
    let (counts, _) = import_by(&*store, &new, ImportFormat::Csv, csv.into()).await;
    assert_eq!(counts.unwrap().unchanged, 2);
    let other = contacts::rotate(&*store, &keys("c", None), &spring(), None).await.unwrap();
    assert_eq!((other.rewritten, other.unreadable), (0, 1), "a key is missing");
    for suffix in ["", "-wal"] {
        let bytes = std::fs::read(dir.path().join(format!("s.db{suffix}"))).unwrap_or_default();
        assert!(!bytes.windows(IBAN.len()).any(|window| window == IBAN.as_bytes()), "s.db{suffix}");
    }
}

#[tokio::test]
async fn values_are_written_anew_in_few_transactions() {
    let (_dir, store) = store().await;
    let row = |i: u32| format!("c{i},1380000{i:04},gold,DE{i}\n");
    let csv = format!("customer_id,number.mobile,attr.tier,attr.iban\n{}", (0..450).map(row).collect::<String>());
    let old = ImportRules { keys: Some(keys("a", None)), ..rules() };
    let (counts, _) = import_by(&*store, &old, ImportFormat::Csv, csv.into()).await;
    assert_eq!(counts.unwrap().added, 450);
    let before = store.commits();
    let rotated = contacts::rotate(&*store, &keys("b", Some("a")), &spring(), None).await.unwrap();
    let commits = store.commits() - before;
    assert_eq!((rotated.rewritten, rotated.unreadable), (450, 0));
    assert!(commits <= 6, "{commits} commits");
    assert_eq!(iban(&*store, &keys("b", None), "c449").await, "DE449");
}
