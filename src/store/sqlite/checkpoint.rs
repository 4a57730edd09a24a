//! Moves the write-ahead log into the database beside the writer, so that no intent waits for it.
//!
//! A log that is written all the time is never moved whole, and so never begins anew. When it has grown to
//! [`LOG_PAGES_MAX`], those who read are held for a moment while the writer moves the few pages that are left between
//! two transactions; the next one then begins the log anew. A log that grew on would be given blocks by the file
//! system, and intents would wait for its journal. As often it has some places cleared away that no page is read from
//! any more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{Doing, Fault},
    readers::{Readers, blocking},
    sql, tidy,
    writer::{Command, Shared, Work},
};

/// How often the log is looked at: often, since what is moved at once delays the writer's disk.
const EVERY: Duration = Duration::from_millis(100);

/// Looks after which it is seen to that there are no places that nobody reads.
const TIDIED_EVERY: u64 = 100;

/// Length of the log from which it is worth the writer's time: 32 MiB of 4 KiB pages.
const LOG_PAGES_MAX: i64 = 8 * 1024;

/// How long those who read are waited for; a list of millions may take longer, and is let be.
const HOLD_PATIENCE: Duration = Duration::from_millis(50);

/// Moves pages until told to stop.
pub(super) async fn run(
    mut conn: Connection,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    (urgent, long): (mpsc::WeakSender<Command>, mpsc::WeakSender<Command>),
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
        conn = match tidy::tidy(conn, &shared, &long).await {
            Ok(conn) => conn,
            Err(_) => return,
        };
        let commits = shared.commits.load(Ordering::Relaxed);
        if commits == seen {
            continue;
        }
        seen = commits;
        let Ok((moved, same)) = blocking(move || Ok((moved(&conn), conn))).await else { return };
        conn = same;
        match moved {
            Ok(pages) if pages > LOG_PAGES_MAX => begin_anew(&readers, &urgent).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "the store's log could not be moved into the database"),
        }
    }
    // The last connection that closes moves what is left.
    drop(conn);
}

/// Has the writer move what is left while nobody reads.
async fn begin_anew(readers: &Readers, urgent: &mpsc::WeakSender<Command>) {
    let _held = readers.hold(HOLD_PATIENCE).await;
    let (reply, moved) = oneshot::channel();
    let Some(writer) = urgent.upgrade() else { return };
    // A full queue or a closing store: the next look comes soon, or is not needed.
    if writer.try_send(Command { work: Work::Checkpoint, entry: None, reply }).is_ok() {
        drop(writer);
        let _ = moved.await;
    }
}

/// Moves what no reader needs; the length of the log. Of a long one also what has come meanwhile, so that little is
/// left for the writer, for which intents wait.
fn moved(conn: &Connection) -> Result<i64, Fault> {
    let pages = pages(conn)?;
    if pages > LOG_PAGES_MAX { self::pages(conn) } else { Ok(pages) }
}

fn pages(conn: &Connection) -> Result<i64, Fault> {
    let moved = sql::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(conn);
    let (_busy, pages, _moved): (i64, i64, i64) = moved.doing("moving the log")?;
    Ok(pages)
}
