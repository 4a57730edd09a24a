//! Overrides: rows of what people decided, and the ones in force as the gate reads them.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    contact::column,
    fault::{Doing, Fault},
    sql::{self, Row},
    writer::Writer,
};
use crate::{
    domain::{
        ids::{CampaignId, Revision},
        overrides::{NewOverride, Order, Override, OverrideId, Overrides, Scope},
    },
    store::{
        OverrideEnd, OverrideRecord,
        row::{self, damaged, micros},
    },
};

/// Stores one; it holds from now on.
pub(super) fn add(writer: &mut Writer, new: NewOverride) -> Result<Arc<Override>, Fault> {
    let since = writer.now();
    let NewOverride { order, reason, by, until } = new;
    const ADD: &str = "INSERT INTO override (kind, campaign, revision, cancel_ringing, reason, made_by, since, until) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id";
    let campaign = match order.scope() {
        Scope::All => None,
        Scope::Campaign(id) => Some(id.as_str()),
    };
    let (revision, cancel_ringing) = match &order {
        Order::Pause { cancel_ringing, .. } => (None, *cancel_ringing),
        Order::Resume { .. } => (None, false),
        Order::Pin { revision } => (Some(revision.as_str()), false),
    };
    let id: u32 = sql::query_scalar(ADD)
        .bind(order.kind())
        .bind(campaign)
        .bind(revision)
        .bind(cancel_ringing)
        .bind(&reason)
        .bind(&by)
        .bind(micros(since))
        .bind(micros(until))
        .fetch_one(&writer.conn)
        .doing("storing an override")?;
    // To the microsecond, as the next life will read it.
    let (since, until) = (row::timestamp(micros(since))?, row::timestamp(micros(until))?);
    let made = Arc::new(Override { id: OverrideId(id), order, reason, by, since, until });
    writer.overrides = Arc::new(writer.overrides.with(Arc::clone(&made)));
    Ok(made)
}

/// Ends one before its time; whether it was in force.
pub(super) fn end(writer: &mut Writer, id: OverrideId, by: &str) -> Result<bool, Fault> {
    const END: &str = "UPDATE override SET ended_at = ?2, ended_by = ?3 \
                       WHERE id = ?1 AND ended_at IS NULL AND until > ?2";
    let ended = sql::query(END).bind(id.0).bind(micros(writer.now())).bind(by).execute(&writer.conn);
    let ended = ended.doing("ending an override")? > 0;
    writer.overrides = Arc::new(writer.overrides.without(id));
    Ok(ended)
}

/// Columns of an override.
const COLUMNS: &str = "id, kind, campaign, revision, cancel_ringing, reason, made_by, since, until, ended_at, ended_by";

/// Those that were not ended and whose time is not over.
pub(super) fn open(conn: &Connection, now: Timestamp) -> Result<Overrides, Fault> {
    let query = sql::query(format!("SELECT {COLUMNS} FROM override WHERE ended_at IS NULL AND until > ?1"));
    let rows = query.bind(micros(now)).fetch_all(conn).doing("reading overrides")?;
    let records: Vec<OverrideRecord> = rows.iter().map(record).collect::<Result<_, _>>()?;
    Ok(Overrides::new(records.into_iter().map(|record| record.made).collect()))
}

/// The newest ones, past ones too.
pub(super) fn records(conn: &Connection, limit: u32) -> Result<Vec<OverrideRecord>, Fault> {
    let query = sql::query(format!("SELECT {COLUMNS} FROM override ORDER BY id DESC LIMIT ?1"));
    let rows = query.bind(limit).fetch_all(conn).doing("reading overrides")?;
    rows.iter().map(record).collect()
}

fn record(row: &Row<'_>) -> Result<OverrideRecord, Fault> {
    let at = |index| Ok::<_, Fault>(row::timestamp(column(row, index)?)?);
    let made = Override {
        id: OverrideId(column(row, 0)?),
        order: order(row)?,
        reason: column(row, 5)?,
        by: column(row, 6)?,
        since: at(7)?,
        until: at(8)?,
    };
    let ended = match column::<Option<i64>>(row, 9)? {
        Some(at) => Some(OverrideEnd { at: row::timestamp(at)?, by: column(row, 10)? }),
        None => None,
    };
    Ok(OverrideRecord { made: Arc::new(made), ended })
}

fn order(row: &Row<'_>) -> Result<Order, Fault> {
    let scope = match column::<Option<&str>>(row, 2)? {
        Some(id) => Scope::Campaign(CampaignId::parse(id).map_err(|_| damaged("override.campaign"))?),
        None => Scope::All,
    };
    let revision = column::<Option<&str>>(row, 3)?.and_then(Revision::parse);
    Ok(match (column(row, 1)?, revision) {
        ("pause", None) => Order::Pause { scope, cancel_ringing: column(row, 4)? },
        ("resume", None) => Order::Resume { scope },
        ("pin", Some(revision)) => Order::Pin { revision },
        _ => return Err(damaged("override.kind").into()),
    })
}
