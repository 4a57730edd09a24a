//! The order file: places of definitions that were applied to all contacts of a campaign.
//!
//! It lies beside the store's own file and holds nothing that could not be found out again, so it is written
//! without waiting for the disk and on a connection of its own: a new order delays no intent. Places of contacts
//! that change stand in the store's own file, in the transactions that change them.
//!
//! Both files have the same life, drawn whenever the store is opened. A file of another life is of another time (a
//! backup was put back), and what a machine had not yet written when it failed is lost: then, all orders are made anew.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{
    evaluations::UnderWay,
    fault::{Doing, Fault},
    open, place,
    place::{Place, Stale},
    sql,
};
use crate::store::StoreError;

/// One life of both files.
pub(super) type Life = [u8; 32];

/// How far an order file is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is as the life before has left it.
    Whole,
    /// That life has not ended well, so it is made anew while it is in use.
    Doubtful,
    /// It is another one, or there is none.
    Lost,
}

/// The life before, as the store's own file tells it.
#[derive(Debug)]
pub(super) struct Before {
    /// Of the order file that belonged to it.
    pub(super) life: Option<Vec<u8>>,
    /// Whether it ended well.
    pub(super) ended: bool,
}

/// The connection that writes the order file.
#[derive(Debug)]
pub(super) struct Orders(Mutex<Option<Connection>>);

const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON; \
                       PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 16777216; \
                       PRAGMA cache_size = -4096";

const TABLES: &str = "CREATE TABLE IF NOT EXISTS life (one INTEGER PRIMARY KEY CHECK (one = 1), life BLOB NOT NULL, \
                      boot TEXT) STRICT; \
                      CREATE TABLE IF NOT EXISTS place (evaluation INTEGER NOT NULL, key BLOB NOT NULL, \
                      ready_at INTEGER NOT NULL, contact INTEGER NOT NULL, stood INTEGER NOT NULL, \
                      PRIMARY KEY (evaluation, key)) STRICT, WITHOUT ROWID";

/// Rows that are cleared away in one transaction.
const CLEARED_AT_ONCE: usize = 5_000;

/// Where the order file of a store lies.
pub(super) fn path_of(store: &Path) -> PathBuf {
    with(store, "-order")
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

impl Orders {
    /// Opens the file at `path`, or a new one, for a new life.
    pub(super) fn open(path: &Path, before: &Before, life: &Life) -> Result<(Self, Trust), Fault> {
        let trust = trust(path, before);
        if trust == Trust::Lost {
            ["", "-wal", "-shm"].into_iter().try_for_each(|suffix| remove(&with(path, suffix)))?;
        }
        open::make(path)?;
        let conn = open::connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, PRAGMAS)?;
        conn.execute_batch(TABLES).doing("making the order file")?;
        const LIFE: &str = "INSERT OR REPLACE INTO life (one, life, boot) VALUES (1, ?1, ?2)";
        conn.execute(LIFE, params![life, boot()]).doing("beginning a life of the order file")?;
        Ok((Self(Mutex::new(Some(conn))), trust))
    }

    fn conn(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transact<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut conn = self.conn();
        let conn = conn.as_mut().ok_or(StoreError::Closed)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).doing(doing)?;
        let done = work(&transaction)?;
        transaction.commit().doing(doing)?;
        Ok(done)
    }

    /// Writes the next places of an evaluation, but of contacts that have changed since it began.
    pub(super) fn append(&self, under_way: &UnderWay, places: &[Place]) -> Result<(), Fault> {
        let doing = "writing an order";
        self.transact(doing, |conn| {
            let mut put = conn.prepare_cached(place::PUT).doing(doing)?;
            for Place { key, ready_at, contact, stood } in places {
                if !under_way.is_touched(*contact) {
                    put.execute(params![under_way.evaluation, key, ready_at, contact, stood]).doing(doing)?;
                }
            }
            Ok(())
        })
    }

    /// Returns once what was being written is: whoever changes from now on is left out of what comes.
    pub(super) fn settle(&self) {
        drop(self.conn());
    }

    /// Takes places away that do not count.
    pub(super) fn sweep(&self, evaluation: i64, stale: &[Stale]) -> Result<(), Fault> {
        let doing = "taking places away";
        self.transact(doing, |conn| {
            let mut delete = conn
                .prepare_cached("DELETE FROM place WHERE evaluation = ?1 AND key = ?2 AND stood = ?3")
                .doing(doing)?;
            for Stale { key, stood, .. } in stale {
                delete.execute(params![evaluation, key, stood]).doing(doing)?;
            }
            Ok(())
        })
    }

    /// The evaluations that have places.
    pub(super) fn evaluations(&self) -> Result<Vec<i64>, Fault> {
        const NEXT: &str = "SELECT evaluation FROM place WHERE evaluation > ?1 ORDER BY evaluation LIMIT 1";
        let conn = self.conn();
        let conn = conn.as_ref().ok_or(StoreError::Closed)?;
        let mut all = vec![];
        loop {
            let next = sql::query_scalar(NEXT).bind(all.last().copied().unwrap_or(i64::MIN)).fetch_optional(conn);
            let Some(next) = next.doing("looking for old orders")? else { return Ok(all) };
            all.push(next);
        }
    }

    /// Deletes some places of an evaluation.
    pub(super) fn clear(&self, evaluation: i64) -> Result<(), Fault> {
        self.transact("clearing an old order away", |conn| {
            place::delete(conn, evaluation, (&[], &[u8::MAX]), CLEARED_AT_ONCE).map(drop)
        })
    }

    /// Moves its whole log into the file and empties it, so that nothing deleted is left in it; `false` while
    /// somebody reads.
    pub(super) fn scrub(&self) -> Result<bool, Fault> {
        let conn = self.conn();
        let conn = conn.as_ref().ok_or(StoreError::Closed)?;
        let checkpoint = sql::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(conn);
        let (busy, _pages, _moved): (i64, i64, i64) = checkpoint.doing("emptying the log of the order file")?;
        Ok(busy == 0)
    }

    /// Closes it, once all is on the disk.
    pub(super) fn close(&self) -> Result<(), Fault> {
        let emptied = self.scrub()?;
        let Some(conn) = self.conn().take() else { return Ok(()) };
        let path = PathBuf::from(conn.path().unwrap_or_default());
        conn.close().map_err(|(_, error)| error).doing("closing the order file")?;
        fs::File::open(&path)?.sync_all()?;
        if emptied { Ok(()) } else { Ok(fs::File::open(with(&path, "-wal"))?.sync_all()?) }
    }
}

/// How far the file at `path` is to be believed after the life `before`.
fn trust(path: &Path, before: &Before) -> Trust {
    let Some(last) = &before.life else { return Trust::Lost };
    let found = || {
        let conn = open::connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY, "")?;
        let query = sql::query_as("SELECT life, boot FROM life").fetch_one(&conn);
        query.doing("reading the order file")
    };
    // One that can't be read is as good as none.
    let Ok::<(Vec<u8>, Option<String>), Fault>((life, written)) = found() else { return Trust::Lost };
    match (life == *last, before.ended) {
        (false, _) => Trust::Lost,
        (true, true) => Trust::Whole,
        // What a killed process has written is there, unless the machine failed too.
        (true, false) if written.is_some() && written == boot() => Trust::Doubtful,
        (true, false) => Trust::Lost,
    }
}

/// What tells this run of the machine from others (Linux: random(4)); `None` where that can't be had.
fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
