//! Statements that are executed one after the other, in one hand-over to the thread that SQLite runs on.
//!
//! A hand-over costs more than most statements do, so the writes of a command are collected first.

use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type, sqlite::SqliteArguments};

use super::fault::{Doing, Fault};

/// Statements that give no rows, and what they are given.
#[derive(Debug, Default)]
pub(super) struct Statements {
    sql: String,
    arguments: SqliteArguments,
    unbound: Option<sqlx::Error>,
}

impl Statements {
    /// Adds a statement. Each of its parameters is a plain `?`, bound in their order: numbers would count
    /// through all statements.
    pub(super) fn add(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self.sql.push_str("; ");
        self
    }

    /// Has a statement go before all others; it takes no parameters.
    pub(super) fn begin_with(&mut self, sql: &str) {
        self.sql.insert_str(0, "; ");
        self.sql.insert_str(0, sql);
    }

    /// Binds the next parameter of the newest statement.
    pub(super) fn bind<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(source) = self.arguments.add(value) {
            self.unbound.get_or_insert(sqlx::Error::Encode(source));
        }
        self
    }

    /// Executes all; the first that fails ends it.
    pub(super) async fn execute(self, conn: &mut SqliteConnection, doing: &'static str) -> Result<(), Fault> {
        if let Some(unbound) = self.unbound {
            return Err(unbound).doing(doing);
        }
        if self.sql.is_empty() {
            return Ok(());
        }
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments).execute(conn).await.doing(doing).map(drop)
    }
}
