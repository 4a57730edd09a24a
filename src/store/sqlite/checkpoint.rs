//! Moves the write-ahead log into the database beside the writer, so that no intent waits for it.
//!
//! A log that is written all the time is never moved whole, and so never begins anew. When it has
//! grown to [`LOG_PAGES_MAX`], the writer moves the few pages that are left between two transactions.
//! As often it has some places cleared away that no page is read from any more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{Doing, Fault},
    readers::blocking,
    sql,
    writer::{Command, Reply, Shared, Work},
};

/// How often the log is looked at: often, since what is moved at once delays the writer's disk.
const EVERY: Duration = Duration::from_millis(100);

/// Looks after which it is seen to that there are no places that nobody reads.
const TIDIED_EVERY: u64 = 100;

/// Length of the log from which it is worth the writer's time: 64 MiB of 4 KiB pages.
const LOG_PAGES_MAX: i64 = 16 * 1024;

/// Moves pages until told to stop.
pub(super) async fn run(
    mut conn: Connection,
    shared: Arc<Shared>,
    writer: mpsc::WeakSender<Command>,
    mut stop: oneshot::Receiver<()>,
) {
    let (mut seen, mut looks) = (0, 0_u64);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(EVERY) => {}
        }
        looks += 1;
        // Contacts that got ready have left places behind that say when.
        if looks.is_multiple_of(TIDIED_EVERY) {
            shared.untidy.store(true, Ordering::Relaxed);
        }
        tidy(&shared, &writer).await;
        let commits = shared.commits.load(Ordering::Relaxed);
        if commits == seen {
            continue;
        }
        seen = commits;
        let moved = blocking(move || Ok((pages(&conn), conn))).await;
        let Ok((pages, same)) = moved else { return };
        conn = same;
        match pages {
            Ok(pages) if pages > LOG_PAGES_MAX => {
                // A full queue or a closing store: the next look comes soon, or is not needed.
                let (reply, _) = oneshot::channel();
                let _ = writer.upgrade().map(|writer| writer.try_send(Command { work: Work::Checkpoint, reply }));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "the store's log could not be moved into the database"),
        }
    }
    // The last connection that closes moves what is left.
    drop(conn);
}

/// Has some places cleared away that nobody reads, and is told whether there are more.
async fn tidy(shared: &Shared, writer: &mpsc::WeakSender<Command>) {
    if !shared.untidy.load(Ordering::Relaxed) {
        return;
    }
    let (reply, cleared) = oneshot::channel();
    let Some(writer) = writer.upgrade() else { return };
    shared.untidy.store(false, Ordering::Relaxed);
    if writer.try_send(Command { work: Work::Clear, reply }).is_err() {
        shared.untidy.store(true, Ordering::Relaxed);
        return;
    }
    drop(writer);
    if let Ok(Ok(Reply::Changed(true))) = cleared.await {
        shared.untidy.store(true, Ordering::Relaxed);
    }
}

/// Moves what no reader needs; the length of the log.
fn pages(conn: &Connection) -> Result<i64, Fault> {
    let moved = sql::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(conn);
    let (_busy, pages, _moved): (i64, i64, i64) = moved.doing("moving the log")?;
    Ok(pages)
}
