//! Statements that a command writes, collected before the first is executed.

use std::borrow::Cow;

use rusqlite::{Connection, types::ToSql};

use super::{
    fault::{Doing, Fault},
    sql::{self, Query},
};

/// Statements that give no rows, and what they are given.
#[derive(Debug, Default)]
pub(super) struct Statements(Vec<Query<'static>>);

impl Statements {
    /// Adds a statement.
    pub(super) fn add(&mut self, sql: impl Into<Cow<'static, str>>) -> &mut Self {
        self.0.push(sql::query(sql));
        self
    }

    /// Binds the next parameter of the newest statement.
    pub(super) fn bind(&mut self, value: impl ToSql) -> &mut Self {
        if let Some(newest) = self.0.last_mut() {
            newest.bind_next(value);
        }
        self
    }

    /// Executes all in their order; the first that fails ends it.
    pub(super) fn execute(self, conn: &Connection, doing: &'static str) -> Result<(), Fault> {
        self.0.into_iter().try_for_each(|query| query.execute(conn).map(drop)).doing(doing)
    }
}
