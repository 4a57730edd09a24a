//! The journal's two tables. The newest row is never taken away, so ids rise for ever.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    contact::column,
    fault::{Doing, Fault},
    sql::{self, Row},
    verified,
};
use crate::{
    domain::ids::{CampaignId, Revision, SourceId},
    store::{
        COMMITS_KEPT, CommitResult, EVENTS_KEPT, Entries, Event, EventKind, HandledCommit, StoreError,
        row::{self, damaged, micros},
    },
    telemetry::status::CommitInfo,
};

/// Adds entries, and takes away what is more than is kept.
pub(super) fn add(conn: &Connection, entries: &Entries) -> Result<(), Fault> {
    entries.commits.iter().try_for_each(|commit| add_commit(conn, commit))?;
    entries.events.iter().try_for_each(|event| add_event(conn, event))?;
    const OLD_COMMITS: &str = "DELETE FROM handled_commit WHERE id <= (SELECT max(id) FROM handled_commit) - ?1";
    const OLD_EVENTS: &str = "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?1";
    for (sql, kept) in [(OLD_COMMITS, COMMITS_KEPT), (OLD_EVENTS, EVENTS_KEPT)] {
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        sql::query(sql).bind(kept).execute(conn).doing("shortening the journal")?;
    }
    Ok(())
}

fn add_commit(conn: &Connection, commit: &HandledCommit) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO handled_commit (at, revision, author, committed_at, subject, result, reason, \
                       message, took, changed, verified, source) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let info = commit.commit.as_ref();
    let query = sql::query(SQL)
        .bind(micros(commit.at))
        .bind(commit.revision.as_str())
        .bind(info.map(|info| info.author.as_str()))
        .bind(info.map(|info| info.time.as_str()))
        .bind(info.map(|info| info.subject.as_str()))
        .bind(commit.result.as_str())
        .bind(commit.reason.as_deref())
        .bind(commit.message.as_deref())
        .bind(i64::try_from(commit.took.as_micros()).unwrap_or(i64::MAX))
        .bind(i64::try_from(commit.changed).unwrap_or(i64::MAX))
        .bind(info.and_then(|info| info.verified.as_ref()).map(verified::text))
        .bind(commit.source.as_str());
    query.execute(conn).doing("writing down a commit").map(drop)
}

fn add_event(conn: &Connection, event: &Event) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO event (at, kind, revision, campaign, actor, before, after, message) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let query = sql::query(SQL)
        .bind(micros(event.at))
        .bind(event.kind.as_str())
        .bind(event.revision.as_ref().map(Revision::as_str))
        .bind(event.campaign.as_ref().map(CampaignId::as_str))
        .bind(event.by.as_deref())
        .bind(event.before.as_deref())
        .bind(event.after.as_deref())
        .bind(event.message.as_str());
    query.execute(conn).doing("writing down an event").map(drop)
}

/// Handled commits, newest first.
pub(super) fn commits(conn: &Connection, limit: u32) -> Result<Vec<HandledCommit>, Fault> {
    const SQL: &str = "SELECT at, revision, author, committed_at, subject, result, reason, message, took, changed, \
                       verified, source FROM handled_commit ORDER BY id DESC LIMIT ?1";
    let rows = sql::query(SQL).bind(limit).fetch_all(conn).doing("reading handled commits")?;
    rows.iter().map(commit).collect()
}

fn commit(row: &Row<'_>) -> Result<HandledCommit, Fault> {
    let info: (Option<String>, Option<String>, Option<String>) = (column(row, 2)?, column(row, 3)?, column(row, 4)?);
    let signed: Option<&str> = column(row, 10)?;
    let verified = signed.map(|text| verified::parsed(text, "handled_commit.verified")).transpose()?;
    let info = match info {
        (Some(author), Some(time), Some(subject)) => Some(CommitInfo { author, time, subject, verified }),
        _ => None,
    };
    Ok(HandledCommit {
        at: row::timestamp(column(row, 0)?)?,
        source: SourceId::parse(column(row, 11)?).map_err(|_| damaged("handled_commit.source"))?,
        revision: Revision::parse(column(row, 1)?).ok_or_else(|| damaged("handled_commit.revision"))?,
        commit: info,
        result: CommitResult::parse(column(row, 5)?).ok_or_else(|| damaged("handled_commit.result"))?,
        reason: column(row, 6)?,
        message: column(row, 7)?,
        took: Duration::from_micros(u64::try_from(column::<i64>(row, 8)?).unwrap_or(0)),
        changed: u64::try_from(column::<i64>(row, 9)?).unwrap_or(0),
    })
}

/// Events, oldest first: those after `after`, or the newest.
pub(super) fn events(
    conn: &Connection,
    after: Option<u64>,
    campaign: Option<&CampaignId>,
    limit: u32,
) -> Result<Vec<(u64, Event)>, Fault> {
    const AFTER: &str = "SELECT id, at, kind, revision, campaign, actor, before, after, message FROM event \
                         WHERE id > ?1 AND (?2 IS NULL OR campaign = ?2) ORDER BY id LIMIT ?3";
    const NEWEST: &str = "SELECT id, at, kind, revision, campaign, actor, before, after, message FROM event \
                          WHERE id > ?1 AND (?2 IS NULL OR campaign = ?2) ORDER BY id DESC LIMIT ?3";
    let sql = if after.is_some() { AFTER } else { NEWEST };
    let after_id = after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let query = sql::query(sql).bind(after_id).bind(campaign.map(CampaignId::as_str)).bind(limit);
    let rows = query.fetch_all(conn).doing("reading events")?;
    let mut events: Vec<(u64, Event)> = rows.iter().map(event).collect::<Result<_, Fault>>()?;
    if after.is_none() {
        events.reverse();
    }
    Ok(events)
}

fn event(row: &Row<'_>) -> Result<(u64, Event), Fault> {
    let parsed = |text: Option<&str>, column| -> Result<Option<Revision>, StoreError> {
        text.map(|text| Revision::parse(text).ok_or_else(|| damaged(column))).transpose()
    };
    let campaign: Option<&str> = column(row, 4)?;
    let event = Event {
        at: row::timestamp(column(row, 1)?)?,
        kind: EventKind::parse(column(row, 2)?).ok_or_else(|| damaged("event.kind"))?,
        revision: parsed(column(row, 3)?, "event.revision")?,
        campaign: campaign.map(CampaignId::parse).transpose().map_err(|_| damaged("event.campaign"))?,
        by: column(row, 5)?,
        before: column(row, 6)?,
        after: column(row, 7)?,
        message: column(row, 8)?,
    };
    Ok((u64::try_from(column::<i64>(row, 0)?).unwrap_or(0), event))
}
