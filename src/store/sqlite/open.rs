//! Opening: the instance lock, the file's checks, migrations, and this life's epoch.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use super::{
    fault::{Doing, Fault},
    orders::{self, Before, Orders, Trust},
    readers::Readers,
    sql,
};
use crate::{
    domain::ids::Epoch,
    store::{Opener, StoreError, row::micros},
};

/// Migrations in order; the position of each, from 1, is the schema version it leads to.
const MIGRATIONS: [&str; 25] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003_do_not_call.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005_business.sql"),
    include_str!("migrations/0006_batches.sql"),
    include_str!("migrations/0007_ends_at.sql"),
    include_str!("migrations/0008_places.sql"),
    include_str!("migrations/0009_waiting_results.sql"),
    include_str!("migrations/0010_order_file.sql"),
    include_str!("migrations/0011_journal.sql"),
    include_str!("migrations/0012_overrides.sql"),
    include_str!("migrations/0013_guards.sql"),
    include_str!("migrations/0014_kept_files.sql"),
    include_str!("migrations/0015_verified.sql"),
    include_str!("migrations/0016_files.sql"),
    include_str!("migrations/0017_released.sql"),
    include_str!("migrations/0018_sources.sql"),
    include_str!("migrations/0019_people.sql"),
    include_str!("migrations/0020_dispatch.sql"),
    include_str!("migrations/0021_questionnaires.sql"),
    include_str!("migrations/0022_statistics.sql"),
    include_str!("migrations/0023_keyed_requests.sql"),
    include_str!("migrations/0024_exports.sql"),
    include_str!("migrations/0025_agreed.sql"),
];

/// "dial" in the file's header, so that another program's database is not taken for a store.
pub(super) const APPLICATION_ID: i64 = 0x6469_616c;

/// How long another program's lock is waited for.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const FILE_MODE: u32 = 0o600;

/// The writer's cache of pages.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// That of the connection that moves pages from the log, which goes past caches.
const CHECKPOINT_CACHE_KIB: i64 = 256;

/// What an opened store consists of.
pub(super) struct Opened {
    /// The writer's connection.
    pub(super) writer: Connection,
    /// The one that moves the log into the database.
    pub(super) checkpoints: Connection,
    /// The readers'.
    pub(super) readers: Readers,
    /// The order file.
    pub(super) orders: Orders,
    /// Holds the instance lock while it lives.
    pub(super) lock: File,
    /// Where the file lies.
    pub(super) folder: PathBuf,
    /// This life.
    pub(super) epoch: Epoch,
    /// The store's key for dialog identifiers.
    pub(super) dialog_key: [u8; 32],
    /// Its key for what stands for erased numbers.
    pub(super) pseudonym_key: [u8; 32],
}

/// Takes the lock, opens or makes the file, migrates it and begins a life.
pub(super) fn open(path: &Path, name: &str, opener: &Opener, now: Timestamp) -> Result<Opened, StoreError> {
    let path = resolve(path, name)?;
    let lock = take_lock(&path, name, opener)?;
    prepare_file(&path, name)?;
    let writer = connect(&path, WRITER_CACHE_KIB).map_err(|fault| fault.told(name))?;
    let life = begin_life(&writer, (&path, name), opener, now);
    let Life { epoch, dialog_key, pseudonym_key, orders } = life.map_err(|fault| fault.told(name))?;
    attach(&writer, &path).map_err(|fault| fault.told(name))?;
    let checkpoints = connect(&path, CHECKPOINT_CACHE_KIB).map_err(|fault| fault.told(name))?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let readers = Readers::new(path);
    Ok(Opened { writer, checkpoints, readers, orders, lock, folder, epoch, dialog_key, pseudonym_key })
}

/// What a life begins with.
struct Life {
    epoch: Epoch,
    dialog_key: [u8; 32],
    pseudonym_key: [u8; 32],
    orders: Orders,
}

/// Statements that a connection keeps compiled.
const COMPILED_MAX: usize = 256;

/// A connection that writes, with a cache of its own.
fn connect(path: &Path, cache_kib: i64) -> Result<Connection, Fault> {
    const PRAGMAS: &str = "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; \
                           PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 268435456; \
                           PRAGMA temp_store = MEMORY";
    let conn = connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, PRAGMAS)?;
    conn.pragma_update(None, "cache_size", -cache_kib).doing("opening the store")?;
    Ok(conn)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, Fault> {
    let conn = connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY, "PRAGMA cache_size = -8192")?;
    attach(&conn, path)?;
    Ok(conn)
}

/// Lets a connection of the store at `path` read the order file too, as `orders`.
fn attach(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let path = orders::path_of(path);
    // What has a meaning in a URI (sqlite.org/uri.html).
    let path = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let doing = "opening the order file";
    conn.execute("ATTACH DATABASE ?1 AS orders", [format!("file:{path}?mode=ro")]).doing(doing)?;
    conn.execute_batch("PRAGMA orders.cache_size = -2048").doing(doing)
}

/// A connection to a file.
pub(super) fn connection(path: &Path, flags: OpenFlags, pragmas: &str) -> Result<Connection, Fault> {
    let doing = "opening the store";
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)
        .doing(doing)?;
    conn.busy_timeout(BUSY_TIMEOUT).doing(doing)?;
    conn.set_prepared_statement_cache_capacity(COMPILED_MAX);
    conn.execute_batch(pragmas).doing(doing)?;
    Ok(conn)
}

/// The file's real path, so that two names of one file find the same lock.
fn resolve(path: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let unusable = |why: String| StoreError::ReadOnly { store: name.to_owned(), why };
    if path.is_dir() {
        return Err(unusable("it is a directory".to_owned()));
    }
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let file = path.file_name().ok_or_else(|| unusable("it is not the path of a file".to_owned()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = parent.canonicalize().map_err(|e| unusable(format!("its directory can't be used: {e}")))?;
    Ok(real.join(file))
}

fn take_lock(path: &Path, name: &str, opener: &Opener) -> Result<File, StoreError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).to_owned();
    let not_writable = |e: io::Error| StoreError::ReadOnly { store: name.to_owned(), why: e.to_string() };
    let parent_writable = path.parent().is_none_or(|dir| dir.metadata().is_ok_and(|m| !m.permissions().readonly()));
    if !parent_writable {
        let why = "its directory is read-only".to_owned();
        return Err(StoreError::ReadOnly { store: name.to_owned(), why });
    }
    let mut lock = options.open(lock_path).map_err(not_writable)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let (pid, host) = holder(&mut lock);
            return Err(StoreError::Held { store: name.to_owned(), pid, host });
        }
        Err(errno) => return Err(not_writable(errno.into())),
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{} {}", opener.pid, opener.host)).map_err(not_writable)?;
    Ok(lock)
}

/// Who wrote the lock file.
fn holder(lock: &mut File) -> (u32, String) {
    let mut text = String::new();
    let read = lock.seek(SeekFrom::Start(0)).and_then(|_| lock.take(512).read_to_string(&mut text));
    let words = text.trim_end().split_once(' ').filter(|_| read.is_ok());
    words.map_or((0, "unknown".to_owned()), |(pid, host)| (pid.parse().unwrap_or(0), host.to_owned()))
}

/// Makes a file with its mode; `false` if it was there.
pub(super) fn make(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Makes the file with its mode, or checks that the one that is there may be a store.
fn prepare_file(path: &Path, name: &str) -> Result<(), StoreError> {
    let failed = |e: io::Error| StoreError::ReadOnly { store: name.to_owned(), why: e.to_string() };
    if make(path).map_err(failed)? {
        return Ok(());
    }
    let permissions = path.metadata().map_err(failed)?.permissions();
    if permissions.readonly() {
        return Err(StoreError::ReadOnly { store: name.to_owned(), why: "the file is read-only".to_owned() });
    }
    let mut head = Vec::new();
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    (&file).take(16).read_to_end(&mut head).map_err(failed)?;
    if !head.is_empty() && head != b"SQLite format 3\0" {
        return Err(StoreError::NotAStore { store: name.to_owned() });
    }
    if permissions.mode() & 0o777 != FILE_MODE {
        file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE)).map_err(failed)?;
    }
    Ok(())
}

fn begin_life(
    writer: &Connection,
    (path, name): (&Path, &str),
    opener: &Opener,
    now: Timestamp,
) -> Result<Life, Fault> {
    let found = schema_of(writer, name)?;
    for sql in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"] {
        sql::query(sql).execute(writer).doing("opening the store")?;
    }
    migrate(writer, found)?;
    let orders = open_orders(writer, path)?;
    let life = next_epoch(writer, orders, opener, now)?;
    sql::query("COMMIT").execute(writer).doing("opening the store")?;
    Ok(life)
}

/// The schema version of the file; refuses files of others and of newer versions.
fn schema_of(writer: &Connection, name: &str) -> Result<i64, Fault> {
    let number = |writer: &Connection, sql: &'static str| {
        sql::query_scalar::<i64>(sql).fetch_one(writer).doing("opening the store")
    };
    let found = number(writer, "PRAGMA user_version")?;
    let application = number(writer, "PRAGMA application_id")?;
    let objects = number(writer, "SELECT count(*) FROM sqlite_master")?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if application != APPLICATION_ID && (objects > 0 || found != 0) {
        return Err(StoreError::NotAStore { store: name.to_owned() }.into());
    }
    if found > known {
        return Err(StoreError::Newer { store: name.to_owned(), found, known }.into());
    }
    Ok(found)
}

fn migrate(writer: &Connection, found: i64) -> Result<(), Fault> {
    let done = usize::try_from(found).unwrap_or(0);
    for (migration, version) in MIGRATIONS.into_iter().zip(1..).skip(done) {
        writer.execute_batch(migration).doing("migrating the store")?;
        let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}");
        writer.execute_batch(&stamp).doing("migrating the store")?;
    }
    Ok(())
}

/// Opens the order file for this life; what is not to be believed of it is found out anew.
fn open_orders(writer: &Connection, path: &Path) -> Result<Orders, Fault> {
    let doing = "opening the order file";
    const BEFORE: &str = "SELECT order_life, EXISTS (SELECT 1 FROM instance i WHERE i.epoch = store.epoch AND \
                          i.closed_at IS NOT NULL) FROM store";
    let before = sql::query_as(BEFORE).fetch_optional(writer).doing(doing)?;
    let (life, ended): (Option<Vec<u8>>, bool) = before.unwrap_or_default();
    let new = random_key()?;
    let (orders, trust) = Orders::open(&orders::path_of(path), &Before { life, ended }, &new)?;
    const LOST: &str = "UPDATE campaign SET wanted = 1, evaluation = NULL WHERE evaluation IN \
                        (SELECT id FROM evaluation WHERE ordered = 1)";
    const DOUBTFUL: &str = "UPDATE campaign SET wanted = 1 WHERE evaluation IN \
                            (SELECT id FROM evaluation WHERE ordered = 1)";
    match trust {
        Trust::Whole => {}
        Trust::Doubtful => writer.execute_batch(DOUBTFUL).doing(doing)?,
        Trust::Lost => writer.execute_batch(LOST).doing(doing)?,
    }
    const MAKE: &str =
        "INSERT INTO store (one, dialog_key, epoch, next_contact) VALUES (1, ?1, 0, 1) ON CONFLICT DO NOTHING";
    sql::query(MAKE).bind(random_key()?.to_vec()).execute(writer).doing(doing)?;
    sql::query("UPDATE store SET order_life = ?1").bind(new.to_vec()).execute(writer).doing(doing)?;
    Ok(orders)
}

fn next_epoch(writer: &Connection, orders: Orders, opener: &Opener, now: Timestamp) -> Result<Life, Fault> {
    let doing = "beginning a life of the store";
    const NEXT: &str = "UPDATE store SET epoch = epoch + 1, pseudonym_key = coalesce(pseudonym_key, ?1) \
                        RETURNING epoch, dialog_key, pseudonym_key";
    let next = sql::query_as(NEXT).bind(random_key()?.to_vec()).fetch_one(writer);
    let (epoch, dialog_key, pseudonym_key): (u32, Vec<u8>, Vec<u8>) = next.doing(doing)?;
    let key = |key: Vec<u8>, column| key.try_into().map_err(|_| crate::store::row::damaged(column));
    let dialog_key = key(dialog_key, "store.dialog_key")?;
    let pseudonym_key = key(pseudonym_key, "store.pseudonym_key")?;
    const INSTANCE: &str = "INSERT INTO instance (epoch, pid, host, daemon_version, tzdb_version, settings_digest, \
                            opened_at, heartbeat_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    sql::query(INSTANCE)
        .bind(epoch)
        .bind(opener.pid)
        .bind(&opener.host)
        .bind(&opener.daemon_version)
        .bind(&opener.tzdb_version)
        .bind(&opener.settings_digest)
        .bind(micros(now))
        .execute(writer)
        .doing(doing)?;
    Ok(Life { epoch: Epoch(epoch), dialog_key, pseudonym_key, orders })
}

#[expect(clippy::disallowed_methods, reason = "the store's key for dialog identifiers is made here, once")]
fn random_key() -> Result<[u8; 32], Fault> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|e| StoreError::Database { doing: "making the store's key", source: e.to_string().into() })?;
    Ok(key)
}
