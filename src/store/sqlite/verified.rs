//! Who signed commits that came into force.

use rusqlite::Connection;

use super::{
    fault::{Doing, Fault},
    sql,
    writer::Writer,
};
use crate::{
    domain::ids::Revision,
    store::row::{damaged, micros},
    telemetry::status::Verification,
};

/// Keeps it; what was kept first stays.
pub(super) fn set(writer: &mut Writer, revision: &Revision, by: &Verification) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO verified (revision, signed_by, verified_at) VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO NOTHING";
    let query = sql::query(SQL).bind(revision.as_str()).bind(text(by)).bind(micros(writer.now()));
    query.execute(&writer.conn).doing("storing who signed a commit").map(drop)
}

pub(super) fn get(conn: &Connection, revision: &Revision) -> Result<Option<Verification>, Fault> {
    const SQL: &str = "SELECT signed_by FROM verified WHERE revision = ?1";
    let found = sql::query_scalar(SQL).bind(revision.as_str()).fetch_optional(conn);
    let found: Option<String> = found.doing("reading who signed a commit")?;
    // One that can't be read is as good as none: the commit is judged anew.
    Ok(found.and_then(|text| parsed(&text, "verified.signed_by").ok()))
}

/// As a column has it.
pub(super) fn text(by: &Verification) -> String {
    serde_json::to_string(by).unwrap_or_default()
}

/// From a column.
pub(super) fn parsed(text: &str, column: &'static str) -> Result<Verification, Fault> {
    serde_json::from_str(text).map_err(|_| damaged(column).into())
}
