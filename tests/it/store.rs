//! Opening a store: the lock, the file's state, and one clear sentence for each thing in the way.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use dialops::{
    clock::Clock,
    domain::campaign::DialPermission,
    store::{GateSettings, Opener, Store, StoreError, sqlite::SqliteStore},
};
use rusqlite::Connection;
use tokio::time::Instant;

async fn open(path: &Path) -> Result<Arc<SqliteStore>, StoreError> {
    let opener = Opener {
        daemon_version: "0.1.0".into(),
        tzdb_version: "2026b".into(),
        settings_digest: "d1".into(),
        pid: 4711,
        host: "here".into(),
    };
    let settings = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    SqliteStore::open(path, opener, settings, Clock::system()).await
}

/// Opens a store that nobody else has open. A child that another test has just begun keeps the lock of one that was
/// closed until it is the program it will be, so that is waited for.
async fn opened(path: &Path) -> Arc<SqliteStore> {
    let begun = Instant::now();
    loop {
        match open(path).await {
            Err(StoreError::Held { .. }) if begun.elapsed() < Duration::from_secs(10) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other.unwrap(),
        }
    }
}

async fn refusal(path: &Path) -> StoreError {
    match open(path).await {
        Ok(_) => panic!("opened"),
        Err(error) => {
            let sentence = error.to_string();
            let lines = sentence.lines().count();
            assert!(lines == 1 && sentence.contains(&*path.display().to_string()), "{sentence}");
            error
        }
    }
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// A store that was opened once and closed.
async fn closed_store() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialops.db");
    opened(&path).await.close().await.unwrap();
    (dir, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn each_opening_is_a_new_epoch_and_the_key_stays() {
    let (_dir, path) = closed_store().await;
    let second = opened(&path).await;
    assert_eq!(second.epoch().0, 2);
    let key = second.dialog_key();
    assert_ne!(key, [0; 32]);
    second.close().await.unwrap();
    let third = opened(&path).await;
    assert_eq!((third.epoch().0, third.dialog_key()), (3, key));
}

#[tokio::test]
async fn a_second_daemon_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialops.db");
    let first = opened(&path).await;
    let begun = Instant::now();
    let error = refusal(&path).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert!(matches!(&error, StoreError::Held { pid: 4711, host, .. } if host == "here"), "{error}");
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(refusal(&link).await, StoreError::Held { .. }));
    first.heartbeat().await.unwrap();
    first.close().await.unwrap();
    assert_eq!(opened(&path).await.epoch().0, 2);
}

#[tokio::test]
async fn another_epoch_fences_this_life_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialops.db");
    let store = opened(&path).await;
    store.heartbeat().await.unwrap();
    raw(&path).execute_batch("UPDATE store SET epoch = 7").unwrap();
    assert!(matches!(store.heartbeat().await, Err(StoreError::Fenced(epoch)) if epoch.0 == 7));
    let agent = dialops::domain::ids::AgentId::parse("amy").unwrap();
    let answer = store.set_availability(&agent, dialops::domain::agent::Availability::Idle).await;
    assert!(matches!(answer, Err(StoreError::Fenced(_))));
    assert!(store.availabilities().await.unwrap().is_empty());
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialops.db");
    let store = opened(&path).await;
    store.heartbeat().await.unwrap();
    for file in ["dialops.db", "dialops.db.lock", "dialops.db-wal", "dialops.db-shm"] {
        assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
    }
    store.close().await.unwrap();
    set_mode(&path, 0o644);
    opened(&path).await;
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (_dir, path) = closed_store().await;
    raw(&path).execute_batch("PRAGMA user_version = 99").unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::Newer { found: 99, known, .. } if known < 99), "{error}");
    let epoch: i64 = raw(&path).query_row("SELECT epoch FROM store", (), |row| row.get(0)).unwrap();
    assert_eq!(epoch, 1);
}

#[tokio::test]
async fn a_read_only_file_or_directory_is_refused() {
    let (dir, path) = closed_store().await;
    set_mode(&path, 0o444);
    let mut error = refusal(&path).await;
    // A program that another test is just starting has the lock's descriptor until it is that program.
    for _ in 0..100 {
        if !matches!(error, StoreError::Held { .. }) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        error = refusal(&path).await;
    }
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    set_mode(&path, 0o600);
    set_mode(dir.path(), 0o555);
    let error = refusal(&path).await;
    set_mode(dir.path(), 0o755);
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = refusal(&dir.path().join("missing/dialops.db")).await;
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[tokio::test]
async fn another_programs_lock_is_waited_for_and_then_told() {
    let (_dir, path) = closed_store().await;
    let shell = raw(&path);
    shell.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let error = refusal(&path).await;
    let waited = begun.elapsed();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(6), "{waited:?}");
    shell.execute_batch("ROLLBACK").unwrap();
    opened(&path).await;
}

#[tokio::test]
async fn a_lock_while_running_fails_that_work_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialops.db");
    let store = opened(&path).await;
    let shell = raw(&path);
    shell.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(store.heartbeat().await, Err(StoreError::Locked { .. })));
    assert!(store.availabilities().await.is_ok());
    shell.execute_batch("ROLLBACK").unwrap();
    store.heartbeat().await.unwrap();
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    fs::write(&text, "not a database, but longer than its header").unwrap();
    assert!(matches!(refusal(&text).await, StoreError::NotAStore { .. }));
    assert_eq!(fs::read(&text).unwrap(), b"not a database, but longer than its header");
    let garbage = dir.path().join("garbage.db");
    let mut bytes = b"SQLite format 3\0".to_vec();
    bytes.resize(8192, 0xAA);
    fs::write(&garbage, &bytes).unwrap();
    let error = refusal(&garbage).await;
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    let other = dir.path().join("other.db");
    raw(&other).execute_batch("CREATE TABLE address_book (name TEXT)").unwrap();
    assert!(matches!(refusal(&other).await, StoreError::NotAStore { .. }));
    let empty = dir.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    opened(&empty).await;
}
