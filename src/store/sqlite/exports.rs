//! Exports: who asked for what, and what became of it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore,
    contact::column,
    exported,
    fault::{Doing, Fault},
    sql::{self, Row},
    writer::{Reply, Work},
};
use crate::{
    domain::{
        export::{ExportFilter, ExportFormat, ExportId, ExportKind, ExportState},
        ids::{AttemptId, AttributeId, BatchId, CampaignId, ContactRef, CustomerId},
        results::CallResult,
    },
    store::{
        ExportFile, ExportRecord, ExportStep, ExportedAttempt, ExportedContact, Exports, NewExport, StoreError,
        exports::WITHDRAWN,
        row::{self, damaged, micros},
    },
};

/// What the writer does for exports.
pub(super) enum Change {
    Add(Box<NewExport>),
    Step(ExportId, ExportStep),
    Downloaded(ExportId),
}

/// Does it.
pub(super) fn change(conn: &Connection, change: Change, now: Timestamp) -> Result<Reply, Fault> {
    match change {
        Change::Add(new) => add(conn, &new).map(Reply::Exported),
        Change::Step(id, step) => take(conn, id, &step, now).map(Reply::Changed),
        Change::Downloaded(id) => {
            const SQL: &str = "UPDATE export SET downloads = downloads + 1 WHERE id = ?1 AND state = 'done'";
            let counted = sql::query(SQL).bind(id.0).execute(conn).doing("counting a download")?;
            Ok(Reply::Changed(counted > 0))
        }
    }
}

fn add(conn: &Connection, new: &NewExport) -> Result<ExportId, Fault> {
    const SQL: &str = "INSERT INTO export (kind, format, campaign, batch, from_at, until_at, result, business_result, \
                       attributes, unmasked, recipient, owner, reason, asked_at, expires_at, state) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 'waiting') \
                       RETURNING id";
    let ExportFilter { batch, from, until, result, business } = &new.filter;
    let attributes = new.attributes.as_ref().map(|ids| {
        let ids: Vec<&str> = ids.iter().map(AttributeId::as_str).collect();
        serde_json::json!(ids).to_string()
    });
    let id = sql::query_scalar(SQL)
        .bind(new.kind.as_str())
        .bind(new.format.as_str())
        .bind(new.campaign.as_str())
        .bind(batch.as_ref().map(BatchId::as_str))
        .bind(from.map(micros))
        .bind(until.map(micros))
        .bind(result.map(CallResult::as_str))
        .bind(business.as_ref().map(ToString::to_string))
        .bind(attributes)
        .bind(new.unmasked)
        .bind(&new.recipient)
        .bind(&new.owner)
        .bind(&new.reason)
        .bind(micros(new.asked_at))
        .bind(micros(new.expires_at));
    let id: i64 = id.fetch_one(conn).doing("adding an export")?;
    Ok(ExportId(u32::try_from(id).map_err(|_| damaged("export.id"))?))
}

fn take(conn: &Connection, id: ExportId, step: &ExportStep, now: Timestamp) -> Result<bool, Fault> {
    let doing = "moving an export on";
    let found = sql::query_as("SELECT state, starts FROM export WHERE id = ?1").bind(id.0);
    let found: Option<(String, u32)> = found.fetch_optional(conn).doing(doing)?;
    let Some((state, starts)) = found else { return Ok(false) };
    let state = ExportState::parse(&state).ok_or_else(|| damaged("export.state"))?;
    let Some(after) = step.of(state, starts) else { return Ok(false) };
    const SQL: &str = "UPDATE export SET state = ?2, starts = starts + ?3, begun_at = coalesce(?4, begun_at), \
                       over_at = ?5, why = ?6, row_count = coalesce(?7, row_count), bytes = coalesce(?8, bytes), \
                       sha256 = coalesce(?9, sha256) WHERE id = ?1";
    let begins = after == ExportState::Running;
    let file = if let ExportStep::Done { file, .. } = step { Some(file) } else { None };
    let query = sql::query(SQL)
        .bind(id.0)
        .bind(after.as_str())
        .bind(i64::from(begins))
        .bind(begins.then(|| micros(now)))
        .bind((!after.is_open()).then(|| micros(now)))
        .bind(step.why())
        .bind(file.map(|file| stored(file.rows)))
        .bind(file.map(|file| stored(file.bytes)))
        .bind(file.map(|file| file.sha256.as_str()));
    query.execute(conn).doing(doing)?;
    Ok(true)
}

/// Takes exports back that may hold a contact: files go, and what is being written is begun anew.
pub(super) fn withdraw(conn: &Connection, contact: ContactRef, now: Timestamp) -> Result<(), Fault> {
    const MAY_HOLD: &str = "EXISTS (SELECT 1 FROM contact c JOIN campaign k ON k.id = c.campaign WHERE c.id = ?1 \
                            AND k.slug = export.campaign AND (export.batch IS NULL OR export.batch = \
                            (SELECT b.name FROM batch b WHERE b.id = c.batch)))";
    let doing = "withdrawing exports";
    let gone =
        format!("UPDATE export SET state = 'withdrawn', over_at = ?2, why = ?3 WHERE state = 'done' AND {MAY_HOLD}");
    sql::query(gone).bind(contact.0).bind(micros(now)).bind(WITHDRAWN).execute(conn).doing(doing)?;
    let anew = format!("UPDATE export SET state = 'waiting' WHERE state = 'running' AND {MAY_HOLD}");
    sql::query(anew).bind(contact.0).execute(conn).doing(doing).map(drop)
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

macro_rules! exports_sql {
    ($tail:literal) => {
        concat!(
            "SELECT id, kind, format, campaign, batch, from_at, until_at, result, business_result, attributes, \
             unmasked, recipient, owner, reason, asked_at, expires_at, state, starts, begun_at, over_at, row_count, \
             bytes, sha256, why, downloads FROM export ",
            $tail
        )
    };
}

fn one(conn: &Connection, id: ExportId) -> Result<Option<ExportRecord>, Fault> {
    let row = sql::query(exports_sql!("WHERE id = ?1")).bind(id.0).fetch_optional(conn);
    row.doing("reading an export")?.as_ref().map(record).transpose()
}

fn counts(conn: &Connection) -> Result<BTreeMap<ExportState, u64>, Fault> {
    let rows = sql::query("SELECT state, count(*) FROM export GROUP BY state").fetch_all(conn);
    let rows = rows.doing("counting exports")?;
    let counted = rows.iter().map(|row| {
        let state: String = column(row, 0)?;
        let state = ExportState::parse(&state).ok_or_else(|| damaged("export.state"))?;
        Ok((state, u64::try_from(column::<i64>(row, 1)?).unwrap_or(0)))
    });
    counted.collect()
}

fn page(
    conn: &Connection,
    owner: Option<&str>,
    before: Option<ExportId>,
    limit: u32,
) -> Result<Vec<ExportRecord>, Fault> {
    const ALL: &str = exports_sql!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    const OWN: &str = exports_sql!("WHERE id < ?1 AND owner = ?3 ORDER BY id DESC LIMIT ?2");
    let query = sql::query(if owner.is_some() { OWN } else { ALL });
    let query = query.bind(before.map_or(i64::MAX, |id| i64::from(id.0))).bind(limit);
    let query = match owner {
        Some(owner) => query.bind(owner),
        None => query,
    };
    let rows = query.fetch_all(conn).doing("reading exports")?;
    rows.iter().map(record).collect()
}

fn all(conn: &Connection, sql: &'static str) -> Result<Vec<ExportRecord>, Fault> {
    let rows = sql::query(sql).fetch_all(conn).doing("reading exports")?;
    rows.iter().map(record).collect()
}

fn record(row: &Row<'_>) -> Result<ExportRecord, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    let count = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(i64::unsigned_abs));
    let (rows, bytes, sha256) = (count(20)?, count(21)?, column(row, 22)?);
    Ok(ExportRecord {
        id: ExportId(column(row, 0)?),
        asked: asked(row)?,
        state: ExportState::parse(column(row, 16)?).ok_or_else(|| damaged("export.state"))?,
        starts: column(row, 17)?,
        begun_at: at(18)?,
        over_at: at(19)?,
        file: rows.zip(bytes).zip(sha256).map(|((rows, bytes), sha256)| ExportFile { rows, bytes, sha256 }),
        why: column(row, 23)?,
        downloads: column(row, 24)?,
    })
}

fn asked(row: &Row<'_>) -> Result<NewExport, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    let batch = |name| BatchId::parse(name).map_err(|_| damaged("export.batch"));
    let result = |name| CallResult::parse(name).ok_or_else(|| damaged("export.result"));
    Ok(NewExport {
        kind: ExportKind::parse(column(row, 1)?).ok_or_else(|| damaged("export.kind"))?,
        format: ExportFormat::parse(column(row, 2)?).ok_or_else(|| damaged("export.format"))?,
        campaign: CampaignId::parse(column(row, 3)?).map_err(|_| damaged("export.campaign"))?,
        filter: ExportFilter {
            batch: column::<Option<&str>>(row, 4)?.map(batch).transpose()?,
            from: at(5)?,
            until: at(6)?,
            result: column::<Option<&str>>(row, 7)?.map(result).transpose()?,
            business: column::<Option<&str>>(row, 8)?.map(row::business_key).transpose()?,
        },
        attributes: column::<Option<&str>>(row, 9)?.map(attributes).transpose()?,
        unmasked: column(row, 10)?,
        recipient: column(row, 11)?,
        owner: column(row, 12)?,
        reason: column(row, 13)?,
        asked_at: row::timestamp(column(row, 14)?)?,
        expires_at: row::timestamp(column(row, 15)?)?,
    })
}

fn attributes(text: &str) -> Result<Vec<AttributeId>, StoreError> {
    let ids: Vec<String> = serde_json::from_str(text).map_err(|_| damaged("export.attributes"))?;
    ids.iter().map(|id| AttributeId::parse(id).map_err(|_| damaged("export.attributes"))).collect()
}

impl SqliteStore {
    /// Reads behind all others: nobody's call waits for an export.
    pub(super) async fn read_to_export<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let read = Arc::clone(&self.readers).read_behind(&self.background, look).await;
        read.map_err(|fault| self.told(fault))
    }
}

#[async_trait]
impl Exports for SqliteStore {
    async fn add_export(&self, new: NewExport) -> Result<ExportId, StoreError> {
        let reply = self.ask(&self.urgent, Work::Exports(Box::new(Change::Add(Box::new(new))))).await?;
        if let Reply::Exported(id) = reply { Ok(id) } else { Err(StoreError::Closed) }
    }

    async fn export(&self, id: ExportId) -> Result<Option<ExportRecord>, StoreError> {
        self.read(move |conn| one(conn, id)).await
    }

    async fn exports(
        &self,
        owner: Option<&str>,
        before: Option<ExportId>,
        limit: u32,
    ) -> Result<Vec<ExportRecord>, StoreError> {
        let owner = owner.map(ToOwned::to_owned);
        self.read(move |conn| page(conn, owner.as_deref(), before, limit)).await
    }

    async fn open_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        self.read(|conn| all(conn, exports_sql!("WHERE state IN ('waiting', 'running') ORDER BY id"))).await
    }

    async fn done_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        self.read(|conn| all(conn, exports_sql!("WHERE state = 'done' ORDER BY id"))).await
    }

    async fn export_counts(&self) -> Result<BTreeMap<ExportState, u64>, StoreError> {
        self.read(counts).await
    }

    async fn step_export(&self, id: ExportId, step: ExportStep) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::Exports(Box::new(Change::Step(id, step)))).await
    }

    async fn count_download(&self, id: ExportId) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::Exports(Box::new(Change::Downloaded(id)))).await
    }

    async fn contacts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<ExportedContact>, StoreError> {
        let (campaign, after) = (campaign.clone(), after.cloned());
        self.read_to_export(move |conn| exported::contacts(conn, &campaign, after.as_ref(), limit)).await
    }

    async fn attempts_to_export(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<ExportedAttempt>, StoreError> {
        let campaign = campaign.clone();
        self.read_to_export(move |conn| exported::attempts(conn, &campaign, after, limit)).await
    }
}
