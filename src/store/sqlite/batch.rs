//! Batches: their rows, their counts, and whether they are paused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    contact::{self, column},
    fault::{Doing, Fault},
    sql::{self, Row},
    statements::Statements,
};
use crate::{
    domain::{
        contact::ContactEnd,
        ids::{BatchId, CampaignId, ContactRef},
    },
    store::{
        Batch, BatchTally, StoreError,
        row::{self, damaged, micros},
    },
};

/// A batch that contacts are being added to.
pub(super) struct Opened {
    /// Its key.
    pub(super) key: i64,
    /// Whether it is paused.
    pub(super) paused: bool,
}

/// The batch of that name, made if it is not there.
pub(super) fn open(conn: &Connection, campaign: i64, batch: &BatchId, now: Timestamp) -> Result<Opened, Fault> {
    const SQL: &str = "INSERT INTO batch (campaign, name, created_at, paused, rejected) VALUES (?1, ?2, ?3, 0, 0) \
                       ON CONFLICT (campaign, name) DO UPDATE SET paused = paused RETURNING id, paused";
    let query = sql::query_as(SQL).bind(campaign).bind(batch.as_str()).bind(micros(now));
    let (key, paused) = query.fetch_one(conn).doing("opening a batch")?;
    Ok(Opened { key, paused })
}

/// Counts new contacts, whose ids go from `first` to `last`.
pub(super) fn grow(conn: &Connection, batch: i64, first: i64, last: i64) -> Result<(), Fault> {
    const SQL: &str = "UPDATE batch SET first_contact = coalesce(first_contact, ?2), last_contact = ?3 WHERE id = ?1";
    let query = sql::query(SQL).bind(batch).bind(first).bind(last);
    query.execute(conn).doing("adding to a batch")?;
    count(conn, batch, (contact::OPEN, contact::FRESH), last - first + 1)
}

/// Notes how many rows an import has left out.
pub(super) fn note_rejected(
    conn: &Connection,
    campaign: &CampaignId,
    batch: &BatchId,
    rejected: u64,
    now: Timestamp,
) -> Result<(), Fault> {
    let campaign = contact::campaign_key(conn, campaign)?;
    let Opened { key, .. } = open(conn, campaign, batch, now)?;
    let query = sql::query("UPDATE batch SET rejected = ?2 WHERE id = ?1").bind(key);
    let query = query.bind(i64::try_from(rejected).unwrap_or(i64::MAX));
    query.execute(conn).doing("noting rejected rows").map(drop)
}

/// Pauses a batch or lets it go on: candidates are tested for it until it has been applied to all.
pub(super) fn pause(conn: &Connection, campaign: &CampaignId, batch: &BatchId, paused: bool) -> Result<bool, Fault> {
    let key = contact::campaign_key(conn, campaign)?;
    let doing = "pausing a batch";
    const FIND: &str = "SELECT id, paused FROM batch WHERE campaign = ?1 AND name = ?2";
    let found = sql::query_as(FIND).bind(key).bind(batch.as_str()).fetch_optional(conn).doing(doing)?;
    let Some((id, was)): Option<(i64, bool)> = found else {
        return Err(StoreError::UnknownBatch { campaign: campaign.clone(), batch: batch.clone() }.into());
    };
    if was == paused {
        return Ok(false);
    }
    const PAUSE: &str = "UPDATE batch SET paused = ?2, evaluated_to = first_contact - 1 WHERE id = ?1";
    sql::query(PAUSE).bind(id).bind(paused).execute(conn).doing(doing)?;
    Ok(true)
}

/// A campaign's batches, oldest first.
pub(super) fn all(conn: &Connection, campaign: &CampaignId) -> Result<Vec<Batch>, Fault> {
    let key = contact::campaign_key(conn, campaign)?;
    let doing = "reading batches";
    const TALLY: &str = "SELECT t.batch, t.kind, t.name, t.n FROM batch b CROSS JOIN batch_tally t ON t.batch = b.id \
                         WHERE b.campaign = ?1 AND t.n > 0";
    let mut tallies: BTreeMap<i64, BatchTally> = BTreeMap::new();
    for row in sql::query(TALLY).bind(key).fetch_all(conn).doing(doing)? {
        enter(tallies.entry(column(&row, 0)?).or_default(), &row)?;
    }
    const BATCHES: &str = "SELECT id, name, created_at, paused, rejected FROM batch WHERE campaign = ?1 ORDER BY id";
    let rows = sql::query(BATCHES).bind(key).fetch_all(conn).doing(doing)?;
    let batch = |row: &Row<'_>| {
        Ok(Batch {
            id: BatchId::parse(column(row, 1)?).map_err(|_| damaged("batch.name"))?,
            created_at: row::timestamp(column(row, 2)?)?,
            paused: column(row, 3)?,
            rejected: column::<i64>(row, 4)?.unsigned_abs(),
            tally: tallies.remove(&column(row, 0)?).unwrap_or_default(),
        })
    };
    rows.iter().map(batch).collect()
}

fn enter(tally: &mut BatchTally, row: &Row<'_>) -> Result<(), Fault> {
    let n = column::<i64>(row, 3)?.unsigned_abs();
    match (column::<&str>(row, 1)?, column::<&str>(row, 2)?) {
        (contact::OPEN, contact::FRESH) => tally.fresh = n,
        (contact::OPEN, contact::IN_PROGRESS) => tally.in_progress = n,
        (contact::ENDED, how) => {
            let end = ContactEnd::parse(how).ok_or_else(|| damaged("batch_tally.name"))?;
            tally.ended.insert(end.as_str(), n);
        }
        _ => return Err(damaged("batch_tally.kind").into()),
    }
    tally.contacts += n;
    Ok(())
}

/// The batch that a contact came with.
pub(super) fn of(conn: &Connection, contact: ContactRef) -> Result<BatchId, Fault> {
    const SQL: &str = "SELECT b.name FROM contact c JOIN batch b ON b.id = c.batch WHERE c.id = ?1";
    let name: String = sql::query_scalar(SQL).bind(contact.0).fetch_one(conn).doing("reading a batch")?;
    BatchId::parse(&name).map_err(|_| damaged("batch.name").into())
}

/// Keys of a campaign's paused batches.
pub(super) fn paused(conn: &Connection, campaign: i64) -> Result<BTreeSet<i64>, Fault> {
    let query = sql::query_scalar("SELECT id FROM batch WHERE campaign = ?1 AND paused").bind(campaign);
    let keys: Vec<i64> = query.fetch_all(conn).doing("looking for paused batches")?;
    Ok(keys.into_iter().collect())
}

/// Adds `by` to a count of a batch.
pub(super) fn count(conn: &Connection, batch: i64, counted: contact::Counted, by: i64) -> Result<(), Fault> {
    let mut all = Statements::default();
    counts(&mut all, batch, &[(counted, by)]);
    all.execute(conn, "counting")
}

/// Adds to counts of a batch, in one statement.
pub(super) fn counts(all: &mut Statements, batch: i64, counted: &[(contact::Counted, i64)]) {
    const SQL: &str = "INSERT INTO batch_tally (batch, kind, name, n) SELECT ?, value ->> '$[0][0]', \
                       value ->> '$[0][1]', value ->> '$[1]' FROM json_each(?) WHERE true \
                       ON CONFLICT (batch, kind, name) DO UPDATE SET n = n + excluded.n";
    all.add(SQL).bind(batch).bind(serde_json::json!(counted).to_string());
}
