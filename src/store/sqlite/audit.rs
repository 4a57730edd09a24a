//! The audit log's table. Rows are only added; two triggers keep a slip of the hand from doing else.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore,
    contact::column,
    fault::{Doing, Fault},
    sql::{self, Row},
    writer::{Reply, Work},
};
use crate::store::{
    BusinessDecision, Store, StoreError,
    audit::{Audit, AuditEntry, NewAuditEntry},
    questionnaire::AnswersDecision,
    row::{self, micros},
};

/// Adds an entry behind the newest.
pub(super) fn add(conn: &Connection, new: &NewAuditEntry, now: Timestamp) -> Result<(), Fault> {
    let newest = sql::query("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1").fetch_optional(conn);
    let (last, before) = match newest.doing("reading the audit log")? {
        Some(row) => (column::<i64>(&row, 0)?, column::<String>(&row, 1)?),
        None => (0, String::new()),
    };
    let entry = new.after(u64::try_from(last + 1).unwrap_or(u64::MAX), now, &before);
    const SQL: &str = "INSERT INTO audit (id, at, who, role, action, object, result, digest) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let query = sql::query(SQL)
        .bind(last + 1)
        .bind(micros(entry.at))
        .bind(&entry.who)
        .bind(&entry.role)
        .bind(&entry.action)
        .bind(&entry.object)
        .bind(&entry.result)
        .bind(&entry.digest);
    query.execute(conn).doing("writing into the audit log").map(drop)
}

/// Whether what was done is a change of the store.
pub(super) fn is_change(reply: &Reply) -> bool {
    match reply {
        Reply::Changed(changed) | Reply::Settled(changed) => *changed,
        Reply::Answers(decision) => matches!(decision, AnswersDecision::Saved { changed: true, .. }),
        Reply::Business(decision) => matches!(decision, BusinessDecision::Set { .. }),
        Reply::Done
        | Reply::Overridden(_)
        | Reply::Gone(_)
        | Reply::Imported(_)
        | Reply::Listed(_)
        | Reply::Exported(_) => true,
        Reply::Resealed(rewritten) => *rewritten > 0,
        Reply::Lanes(changed) => !changed.is_empty(),
        Reply::Decision(_)
        | Reply::Evaluated(_)
        | Reply::Began(_)
        | Reply::Completed(_)
        | Reply::Count(_)
        | Reply::Keyed(_)
        | Reply::Drifted(_) => false,
    }
}

fn page(conn: &Connection, after: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, Fault> {
    const AFTER: &str = "SELECT id, at, who, role, action, object, result, digest FROM audit \
                         WHERE id > ?1 ORDER BY id LIMIT ?2";
    const NEWEST: &str = "SELECT * FROM (SELECT id, at, who, role, action, object, result, digest FROM audit \
                          WHERE id > ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";
    let sql = if after.is_some() { AFTER } else { NEWEST };
    let after = i64::try_from(after.unwrap_or(0)).unwrap_or(i64::MAX);
    let rows = sql::query(sql).bind(after).bind(limit).fetch_all(conn).doing("reading the audit log")?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        id: u64::try_from(column::<i64>(row, 0)?).unwrap_or(0),
        at: row::timestamp(column(row, 1)?)?,
        who: column(row, 2)?,
        role: column(row, 3)?,
        action: column(row, 4)?,
        object: column(row, 5)?,
        result: column(row, 6)?,
        digest: column(row, 7)?,
    })
}

#[async_trait]
impl Audit for SqliteStore {
    fn audited(&self, entry: NewAuditEntry) -> Arc<dyn Store> {
        Arc::new(Self { entry: Some(entry), ..self.clone() })
    }

    async fn audit(&self, entry: NewAuditEntry) -> Result<(), StoreError> {
        self.urgent(Work::Audit(entry)).await
    }

    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |conn| page(conn, after, limit)).await
    }
}
