//! Overrides: rows of what people decided, and the ones in force as the gate reads them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;

use super::{
    contact::column,
    fault::{Doing, Fault},
    sql::{self, Row},
    writer::Writer,
};
use crate::{
    domain::{
        drift::{Drift, decisions},
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
    // What another program has written beyond all ids takes no part.
    const NEXT: &str = "SELECT coalesce(max(id), 0) + 1 FROM override WHERE id BETWEEN 0 AND 4294967294";
    let id: u32 = sql::query_scalar(NEXT).fetch_one(&writer.conn).doing("storing an override")?;
    // To the microsecond, as the next life will read it.
    let (since, until) = (row::timestamp(micros(since))?, row::timestamp(micros(until))?);
    let made = Arc::new(Override { id: OverrideId(id), order, reason, by, since, until });
    put(&writer.conn, &made)?;
    writer.overrides = Arc::new(writer.overrides.with(Arc::clone(&made)));
    Ok(made)
}

/// Writes the row of one that holds.
fn put(conn: &Connection, made: &Override) -> Result<(), Fault> {
    const PUT: &str = "INSERT INTO override (id, kind, campaign, revision, cancel_ringing, reason, made_by, \
                       since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
                       ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, campaign = excluded.campaign, revision = excluded.revision, \
                       cancel_ringing = excluded.cancel_ringing, reason = excluded.reason, made_by = excluded.made_by, \
                       since = excluded.since, until = excluded.until, ended_at = NULL, ended_by = NULL";
    let campaign = match made.order.scope() {
        Scope::All => None,
        Scope::Campaign(id) => Some(id.as_str()),
    };
    let (revision, cancel_ringing) = match &made.order {
        Order::Pause { cancel_ringing, .. } => (None, *cancel_ringing),
        Order::Resume { .. } => (None, false),
        Order::Pin { revision } => (Some(revision.as_str()), false),
    };
    let query = sql::query(PUT).bind(made.id.0).bind(made.order.kind()).bind(campaign).bind(revision);
    let query = query.bind(cancel_ringing).bind(&made.reason).bind(&made.by);
    let query = query.bind(micros(made.since)).bind(micros(made.until));
    query.execute(conn).doing("storing an override").map(drop)
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

/// Who ends an override that somebody has written into the store.
const DRIFT: &str = "drift";

/// Where rows differ from the overrides that hold.
pub(super) fn drifted(writer: &Writer) -> Result<Vec<Drift>, Fault> {
    let now = writer.now();
    let ids: Vec<u32> = writer.overrides.in_force(now).map(|one| one.id.0).collect();
    let rows = "(ended_at IS NULL AND until > ?1) OR id IN (SELECT value FROM json_each(?2))";
    let query = sql::query(format!("SELECT {COLUMNS} FROM override WHERE {rows}"));
    let rows = query.bind(micros(now)).bind(json!(ids).to_string()).fetch_all(&writer.conn);
    let mut found = BTreeMap::new();
    for row in rows.doing("reading overrides")? {
        let Ok(id) = column(&row, 0) else { continue };
        let said = match record(&row) {
            Ok(OverrideRecord { ended: Some(_), .. }) => decisions::Row::Ended,
            Ok(OverrideRecord { made, ended: None }) => decisions::Row::Open(Arc::unwrap_or_clone(made)),
            Err(_) => decisions::Row::Damaged,
        };
        found.insert(OverrideId(id), said);
    }
    Ok(decisions::compare(&writer.overrides, &found, now))
}

/// Has rows say what holds, and ends those that nobody asked for.
pub(super) fn mend(writer: &Writer, ids: &[OverrideId]) -> Result<(), Fault> {
    let now = writer.now();
    for id in ids {
        if let Some(made) = writer.overrides.in_force(now).find(|one| one.id == *id) {
            put(&writer.conn, made)?;
            continue;
        }
        const END: &str = "UPDATE override SET ended_at = ?2, ended_by = ?3 WHERE id = ?1 AND ended_at IS NULL";
        let query = sql::query(END).bind(id.0).bind(micros(now)).bind(DRIFT);
        query.execute(&writer.conn).doing("ending an override")?;
    }
    Ok(())
}

/// Those that were not ended and whose time is not over. One that can't be read may have been a pause, so it is one.
pub(super) fn open(conn: &Connection, now: Timestamp) -> Result<Overrides, Fault> {
    let query = sql::query(format!("SELECT {COLUMNS} FROM override WHERE ended_at IS NULL AND until > ?1"));
    let rows = query.bind(micros(now)).fetch_all(conn).doing("reading overrides")?;
    let mut holding = Vec::new();
    for row in &rows {
        let Ok(id) = column::<u32>(row, 0) else { continue };
        let made = record(row).map(|record| record.made).or_else(|fault| {
            let made = pause_instead(row, &fault, now)?;
            tracing::warn!(
                id, does = %made.order, error = %fault,
                "the row of an override can't be read, so it pauses until `dialops override end`"
            );
            Ok::<_, Fault>(made)
        });
        holding.push(made?);
    }
    Ok(Overrides::new(holding))
}

/// What holds in place of an override whose row can't be read.
fn pause_instead(row: &Row<'_>, fault: &Fault, now: Timestamp) -> Result<Arc<Override>, Fault> {
    let id = OverrideId(column(row, 0)?);
    let scope = column::<Option<&str>>(row, 2)?.and_then(|id| CampaignId::parse(id).ok());
    let scope = scope.map_or(Scope::All, Scope::Campaign);
    let until = column(row, 8).and_then(|until| Ok(row::timestamp(until)?)).unwrap_or(Timestamp::MAX);
    let order = Order::Pause { scope, cancel_ringing: false };
    let (reason, by) = (format!("its row in the store can't be read: {fault}"), DRIFT.to_owned());
    Ok(Arc::new(Override { id, order, reason, by, since: now, until }))
}

/// The newest ones, past ones too; one that can't be read is what holds in its place.
pub(super) fn records(
    conn: &Connection,
    now: Timestamp,
    before: Option<OverrideId>,
    limit: u32,
) -> Result<Vec<OverrideRecord>, Fault> {
    let query = sql::query(format!("SELECT {COLUMNS} FROM override WHERE id < ?1 ORDER BY id DESC LIMIT ?2"));
    let before = before.map_or(i64::MAX, |before| i64::from(before.0));
    let rows = query.bind(before).bind(limit).fetch_all(conn).doing("reading overrides")?;
    let known = rows.iter().filter(|row| column::<u32>(row, 0).is_ok());
    let record = |row| {
        record(row).or_else(|fault| {
            let (at, by) = (column::<Option<i64>>(row, 9)?, column::<Option<String>>(row, 10)?);
            let at = at.map(|at| row::timestamp(at).unwrap_or(now));
            let ended = at.map(|at| OverrideEnd { at, by: by.unwrap_or_default() });
            Ok(OverrideRecord { made: pause_instead(row, &fault, now)?, ended })
        })
    };
    known.map(record).collect()
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
