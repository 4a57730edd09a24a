//! Statements on one connection: compiled once, bound in order, their rows taken out whole.

use std::{borrow::Cow, marker::PhantomData};

use rusqlite::{
    CachedStatement, Connection, Error,
    types::{FromSql, FromSqlError, ToSql, ToSqlOutput, Type, Value, ValueRef},
};

use super::fault::{Doing, Fault};

type Result<T, E = Error> = std::result::Result<T, E>;

/// A statement that is yet to be executed.
#[derive(Debug)]
pub(super) struct Query<'q> {
    sql: Cow<'q, str>,
    values: Vec<Value>,
    unbound: Option<Error>,
}

/// A statement with parameters.
pub(super) fn query<'q>(sql: impl Into<Cow<'q, str>>) -> Query<'q> {
    Query { sql: sql.into(), values: Vec::new(), unbound: None }
}

/// A statement of which the first column is wanted.
pub(super) fn query_scalar<'q, T>(sql: impl Into<Cow<'q, str>>) -> Scalar<'q, T> {
    Scalar(query_as(sql))
}

/// A statement of which the first columns are wanted.
pub(super) fn query_as<'q, T>(sql: impl Into<Cow<'q, str>>) -> Typed<'q, T> {
    Typed { query: query(sql), columns: PhantomData }
}

impl Query<'_> {
    /// Binds the next parameter.
    pub(super) fn bind(mut self, value: impl ToSql) -> Self {
        self.bind_next(value);
        self
    }

    /// The same in place.
    pub(super) fn bind_next(&mut self, value: impl ToSql) {
        match owned(value) {
            Ok(value) => self.values.push(value),
            Err(error) => drop(self.unbound.get_or_insert(error)),
        }
    }

    /// Executes it; gives how many rows it has changed.
    pub(super) fn execute(self, conn: &Connection) -> Result<u64> {
        self.rows(conn, |_, _| Ok(true))?;
        Ok(conn.changes())
    }

    /// All rows.
    pub(super) fn fetch_all(self, conn: &Connection) -> Result<Vec<Row<'static>>> {
        let mut all = Vec::new();
        self.rows(conn, |row, columns| {
            all.push(Row::taken(row, columns)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The first row, if there is one; the statement is run to its end.
    pub(super) fn fetch_optional(self, conn: &Connection) -> Result<Option<Row<'static>>> {
        let mut first = None;
        self.rows(conn, |row, columns| {
            if first.is_none() {
                first = Some(Row::taken(row, columns)?);
            }
            Ok(true)
        })?;
        Ok(first)
    }

    /// Has one row after the other looked at, until one gives `None` or an error.
    pub(super) fn while_some(
        self,
        conn: &Connection,
        doing: &'static str,
        mut look: impl FnMut(&Row<'_>) -> Result<Option<()>, Fault>,
    ) -> Result<(), Fault> {
        let mut outcome = Ok(Some(()));
        let rows = self.rows(conn, |row, _| {
            outcome = look(&Row::Stepped(row));
            Ok(matches!(outcome, Ok(Some(()))))
        });
        rows.doing(doing)?;
        outcome.map(drop)
    }

    /// Steps through the rows, of so many columns each, for as long as more are wanted.
    fn rows(self, conn: &Connection, mut more: impl FnMut(&rusqlite::Row<'_>, usize) -> Result<bool>) -> Result<()> {
        let mut statement = self.bound(conn)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if !more(row, columns)? {
                break;
            }
        }
        Ok(())
    }

    fn bound(self, conn: &Connection) -> Result<CachedStatement<'_>> {
        if let Some(unbound) = self.unbound {
            return Err(unbound);
        }
        let mut statement = conn.prepare_cached(&self.sql)?;
        for (index, value) in self.values.into_iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        Ok(statement)
    }
}

fn owned(value: impl ToSql) -> Result<Value> {
    match value.to_sql()? {
        ToSqlOutput::Owned(value) => Ok(value),
        ToSqlOutput::Borrowed(value) => taken(0, value),
        _ => Err(Error::InvalidQuery),
    }
}

fn taken(column: usize, value: ValueRef<'_>) -> Result<Value> {
    Value::try_from(value).map_err(|error| unreadable(column, value.data_type(), error))
}

fn unreadable(column: usize, found: Type, error: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(column, found, Box::new(error))
}

/// A row.
pub(super) enum Row<'r> {
    /// The one that its statement stands at.
    Stepped(&'r rusqlite::Row<'r>),
    /// One that has outlived its statement.
    Taken(Vec<Value>),
}

impl Row<'_> {
    /// One column by position.
    pub(super) fn get<'r, T: Column<'r>>(&'r self, index: usize) -> Result<T> {
        let value = match self {
            Row::Stepped(row) => row.get_ref(index)?,
            Row::Taken(values) => values.get(index).map(ValueRef::from).ok_or(Error::InvalidColumnIndex(index))?,
        };
        T::read(value).map_err(|error| unreadable(index, value.data_type(), error))
    }

    fn taken(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row<'static>> {
        let values = (0..columns).map(|column| taken(column, row.get_ref(column)?)).collect::<Result<_>>();
        values.map(Row::Taken)
    }
}

/// What a column may be read as.
pub(super) trait Column<'r>: Sized {
    /// Reads it.
    fn read(value: ValueRef<'r>) -> Result<Self, FromSqlError>;
}

macro_rules! columns {
    ($($name:ty)+) => {$(
        impl<'r> Column<'r> for $name {
            fn read(value: ValueRef<'r>) -> Result<Self, FromSqlError> {
                Self::column_result(value)
            }
        }
    )+};
}

columns! { bool u8 u16 u32 i32 i64 String Vec<u8> }

impl<'r> Column<'r> for &'r str {
    fn read(value: ValueRef<'r>) -> Result<Self, FromSqlError> {
        value.as_str()
    }
}

impl<'r> Column<'r> for &'r [u8] {
    fn read(value: ValueRef<'r>) -> Result<Self, FromSqlError> {
        value.as_blob()
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn read(value: ValueRef<'r>) -> Result<Self, FromSqlError> {
        if value == ValueRef::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

/// A statement of which the first columns are wanted.
#[derive(Debug)]
pub(super) struct Typed<'q, T> {
    query: Query<'q>,
    columns: PhantomData<T>,
}

impl<T: for<'r> Columns<'r>> Typed<'_, T> {
    /// Binds the next parameter.
    pub(super) fn bind(self, value: impl ToSql) -> Self {
        Self { query: self.query.bind(value), ..self }
    }

    /// All rows.
    pub(super) fn fetch_all(self, conn: &Connection) -> Result<Vec<T>> {
        self.query.fetch_all(conn)?.iter().map(T::of).collect()
    }

    /// The first row, if there is one.
    pub(super) fn fetch_optional(self, conn: &Connection) -> Result<Option<T>> {
        self.query.fetch_optional(conn)?.as_ref().map(T::of).transpose()
    }

    /// The first row.
    pub(super) fn fetch_one(self, conn: &Connection) -> Result<T> {
        self.fetch_optional(conn)?.ok_or(Error::QueryReturnedNoRows)
    }
}

/// A statement of which the first column is wanted.
#[derive(Debug)]
pub(super) struct Scalar<'q, T>(Typed<'q, (T,)>);

impl<T: for<'r> Column<'r>> Scalar<'_, T> {
    /// Binds the next parameter.
    pub(super) fn bind(self, value: impl ToSql) -> Self {
        Self(self.0.bind(value))
    }

    /// That of all rows.
    pub(super) fn fetch_all(self, conn: &Connection) -> Result<Vec<T>> {
        Ok(self.0.fetch_all(conn)?.into_iter().map(|(column,)| column).collect())
    }

    /// That of the first row, if there is one.
    pub(super) fn fetch_optional(self, conn: &Connection) -> Result<Option<T>> {
        Ok(self.0.fetch_optional(conn)?.map(|(column,)| column))
    }

    /// That of the first row.
    pub(super) fn fetch_one(self, conn: &Connection) -> Result<T> {
        self.0.fetch_one(conn).map(|(column,)| column)
    }
}

/// What the first columns may be read as.
pub(super) trait Columns<'r>: Sized {
    /// Reads them.
    fn of(row: &'r Row<'_>) -> Result<Self>;
}

macro_rules! tuples {
    ($(($($name:ident $index:tt)+))+) => {$(
        impl<'r, $($name: Column<'r>),+> Columns<'r> for ($($name,)+) {
            fn of(row: &'r Row<'_>) -> Result<Self> {
                Ok(($(row.get($index)?,)+))
            }
        }
    )+};
}

tuples! { (A 0) (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) (A 0 B 1 C 2 D 3 E 4) (A 0 B 1 C 2 D 3 E 4 F 5) }
