//! The table of writes that came with an idempotency key.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore,
    contact::column,
    fault::{Doing, Fault},
    sql,
    writer::{Reply, Work},
};
use crate::{
    domain::ids::Epoch,
    store::{
        StoreError,
        keyed::{Admitted, FORGOTTEN_AT_ONCE, KeptAnswer, KeyedId, KeyedRequest, KeyedRequests},
        row::{damaged, micros},
    },
};

/// What the writer does for them.
#[derive(Debug)]
pub(super) enum Keyed {
    Admit(KeyedRequest),
    Answer(KeyedId, KeptAnswer),
    Release(KeyedId),
}

/// Does it.
pub(super) fn perform(conn: &Connection, work: Keyed, epoch: Epoch, now: Timestamp) -> Result<Reply, Fault> {
    match work {
        Keyed::Admit(request) => admit(conn, &request, epoch, now).map(Reply::Keyed),
        Keyed::Answer(id, KeptAnswer { status, sealed }) => {
            const SQL: &str = "UPDATE keyed_request SET status = ?2, answer = ?3 WHERE key = ?1";
            let query = sql::query(SQL).bind(&id[..]).bind(i64::from(status)).bind(sealed);
            query.execute(conn).doing("keeping an answer")?;
            Ok(Reply::Done)
        }
        Keyed::Release(id) => {
            let query = sql::query("DELETE FROM keyed_request WHERE key = ?1 AND done = 0").bind(&id[..]);
            Ok(Reply::Changed(query.execute(conn).doing("releasing a key")? > 0))
        }
    }
}

fn admit(conn: &Connection, request: &KeyedRequest, epoch: Epoch, now: Timestamp) -> Result<Admitted, Fault> {
    forget(conn, now)?;
    const DOING: &str = "looking for a key";
    const SQL: &str = "SELECT request, epoch, done, status, answer FROM keyed_request \
                       WHERE key = ?1 AND expires_at > ?2";
    let known = sql::query(SQL).bind(&request.id[..]).bind(micros(now)).fetch_optional(conn).doing(DOING)?;
    if let Some(row) = known {
        if column::<Vec<u8>>(&row, 0)? != request.request {
            return Ok(Admitted::Other);
        }
        let (of, done, status) =
            (column::<i64>(&row, 1)?, column::<i64>(&row, 2)? != 0, column::<Option<i64>>(&row, 3)?);
        if let Some(status) = status {
            let status = u16::try_from(status).map_err(|_| damaged("keyed_request.status"))?;
            return Ok(Admitted::Answered(KeptAnswer { status, sealed: column(&row, 4)? }));
        }
        match (of == i64::from(epoch.0), done) {
            (true, _) => return Ok(Admitted::UnderWay),
            (false, true) => return Ok(Admitted::Lost),
            // The life that was to do it changed nothing.
            (false, false) => {}
        }
    }
    const PUT: &str = "INSERT OR REPLACE INTO keyed_request (key, request, epoch, expires_at) VALUES (?1, ?2, ?3, ?4)";
    let query = sql::query(PUT).bind(&request.id[..]).bind(&request.request[..]).bind(epoch.0);
    query.bind(micros(request.expires_at)).execute(conn).doing("taking a key in")?;
    Ok(Admitted::New)
}

/// Notes that the change of a request was made, in its transaction.
pub(super) fn done(conn: &Connection, id: &KeyedId) -> Result<(), Fault> {
    let query = sql::query("UPDATE keyed_request SET done = 1 WHERE key = ?1").bind(&id[..]);
    query.execute(conn).doing("noting that a request was done").map(drop)
}

/// Forgets some whose time is over.
pub(super) fn forget(conn: &Connection, now: Timestamp) -> Result<(), Fault> {
    const SQL: &str = "DELETE FROM keyed_request WHERE key IN \
                       (SELECT key FROM keyed_request WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    let query = sql::query(SQL).bind(micros(now)).bind(FORGOTTEN_AT_ONCE);
    query.execute(conn).doing("forgetting old keys").map(drop)
}

/// Forgets what was answered, since somebody is erased whom it may name.
pub(super) fn forget_answers(conn: &Connection) -> Result<(), Fault> {
    let query = sql::query("UPDATE keyed_request SET answer = NULL WHERE answer IS NOT NULL");
    query.execute(conn).doing("forgetting answers").map(drop)
}

#[async_trait]
impl KeyedRequests for SqliteStore {
    async fn admit_keyed(&self, request: KeyedRequest) -> Result<Admitted, StoreError> {
        match self.ask(&self.urgent, Work::Keyed(Keyed::Admit(request))).await? {
            Reply::Keyed(admitted) => Ok(admitted),
            _ => Err(StoreError::Closed),
        }
    }

    async fn answer_keyed(&self, id: &KeyedId, answer: KeptAnswer) -> Result<(), StoreError> {
        self.urgent(Work::Keyed(Keyed::Answer(*id, answer))).await
    }

    async fn release_keyed(&self, id: &KeyedId) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::Keyed(Keyed::Release(*id))).await
    }
}
