//! Clears places away that nobody reads any more, some at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{Doing, Fault},
    readers::blocking,
    sql,
    writer::{Command, Reply, Shared, Work},
};

/// Clears some away in both files if there may be any, and notes whether there may be more.
pub(super) async fn tidy(
    conn: Connection,
    shared: &Arc<Shared>,
    writer: &mpsc::WeakSender<Command>,
) -> Result<Connection, Fault> {
    if !shared.untidy.swap(false, Ordering::Relaxed) {
        return Ok(conn);
    }
    let more = own(writer).await;
    let orders = Arc::clone(shared);
    let (cleared, conn) = blocking(move || Ok((ordered(&conn, &orders), conn))).await?;
    let more_ordered = cleared.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "old orders could not be cleared away");
        false
    });
    if more || more_ordered {
        shared.untidy.store(true, Ordering::Relaxed);
    }
    Ok(conn)
}

/// Has the writer clear some away in the store's own file; tells whether there may be more.
async fn own(writer: &mpsc::WeakSender<Command>) -> bool {
    let (reply, cleared) = oneshot::channel();
    let Some(writer) = writer.upgrade() else { return false };
    if writer.try_send(Command { work: Work::Clear, entry: None, reply }).is_err() {
        return true;
    }
    drop(writer);
    matches!(cleared.await, Ok(Ok(Reply::Changed(true))))
}

/// Clears some away in the order file; tells whether there may be more.
fn ordered(conn: &Connection, shared: &Shared) -> Result<bool, Fault> {
    // In this order: what is begun or takes over meanwhile is either not found, or found to be wanted.
    let found = shared.orders.evaluations()?;
    let mut wanted = BTreeSet::new();
    for evaluations in shared.all_evaluations().values() {
        wanted.extend(evaluations.standing);
        wanted.extend(evaluations.next.as_ref().map(|next| next.evaluation));
    }
    const STANDING: &str = "SELECT evaluation FROM campaign WHERE evaluation IS NOT NULL";
    let standing: Vec<i64> = sql::query_scalar(STANDING).fetch_all(conn).doing("looking for old orders")?;
    wanted.extend(standing);
    match found.into_iter().find(|evaluation| !wanted.contains(evaluation)) {
        Some(evaluation) => shared.orders.clear(evaluation).map(|()| true),
        None => Ok(false),
    }
}
