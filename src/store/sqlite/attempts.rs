//! Attempts: one by one, by agent, and a campaign's in the order in which they were placed.

use rusqlite::Connection;

use super::{
    contact::{campaign_key, column},
    fault::{Doing, Fault},
    sql::{self, Query, Row},
};
use crate::{
    domain::{
        business::BusinessKey,
        ids::{AgentId, AttemptId, BatchId, CampaignId, CategoryId, ContactRef, CustomerId, Revision, TrunkId},
        phone::E164,
        results::CallResult,
    },
    store::{
        AttemptFilter, AttemptPage, AttemptPlace, AttemptRecord, StoreError, pseudonym,
        row::{self, damaged, micros},
    },
};

/// Attempts with the columns that [`attempt`] takes; what is wanted of others comes behind them.
macro_rules! attempts_sql {
    ($tail:literal) => {
        attempts_sql!("", $tail)
    };
    ($by:literal, $tail:literal) => {
        attempts_sql!("", $by, $tail)
    };
    ($more:literal, $by:literal, $tail:literal) => {
        concat!(
            "SELECT a.id, k.slug, c.customer_id, a.number_index, a.number, a.caller_number, a.agent, a.trunk, \
             a.placed_at, a.answered_at, a.connected_at, a.ended_at, a.result, a.fail_code, a.sip_status, a.q850, \
             g.revision, i.daemon_version, i.tzdb_version, i.settings_digest, a.do_not_call_version, a.rule, \
             (SELECT b.result FROM business_result b WHERE b.attempt = a.id ORDER BY b.id DESC LIMIT 1), a.overrides, \
             a.rang_at, a.category, (SELECT b.name FROM batch b WHERE b.id = c.batch)",
            $more,
            " FROM attempt a ",
            $by,
            " \
             JOIN campaign k ON k.id = a.campaign JOIN contact c ON c.id = a.contact \
             JOIN generation g ON g.id = a.generation JOIN instance i ON i.epoch = a.id >> 32 ",
            $tail
        )
    };
}

pub(super) use attempts_sql;

/// How many columns [`attempt`] takes.
pub(super) const COLUMNS: usize = 27;

/// A campaign's attempts by id.
pub(super) fn by_id(
    conn: &Connection,
    campaign: &CampaignId,
    after: Option<AttemptId>,
    limit: u32,
) -> Result<Vec<AttemptRecord>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.campaign = ?1 AND a.id > ?2 ORDER BY a.id LIMIT ?3");
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or(-1, AttemptId::to_i64)).bind(limit);
    let rows = query.fetch_all(conn).doing("reading attempts")?;
    rows.iter().map(attempt).collect()
}

/// Attempts that one look at a campaign goes past, so that of many no reader keeps the log from shrinking.
const LOOK: i64 = if cfg!(test) { 5 } else { 20_000 };

/// Behind which of the next attempts a look ends; nothing if they are fewer.
pub(in crate::store) const END: &str = "SELECT placed_at, id FROM attempt INDEXED BY attempt_placed \
    WHERE campaign = ?1 AND placed_at >= ?2 AND (placed_at, id) > (?2, ?3) AND placed_at < ?4 \
    ORDER BY placed_at, id LIMIT 1 OFFSET ?5";

/// Attempts of a look, of which a filter may want fewer.
const OF_CAMPAIGN: &str = attempts_sql!(
    "INDEXED BY attempt_placed",
    "WHERE a.campaign = ?1 AND a.placed_at >= ?2 AND (a.placed_at, a.id) > (?2, ?3) AND a.placed_at < ?4 AND \
     (a.placed_at, a.id) <= (?5, ?6)"
);

/// A campaign's attempts as they were placed, those behind `after` for which the filter holds, at most `limit`.
pub(super) fn page(
    conn: &Connection,
    campaign: &CampaignId,
    filter: &AttemptFilter,
    after: Option<AttemptPlace>,
    limit: u32,
) -> Result<AttemptPage, Fault> {
    let (key, doing) = (campaign_key(conn, campaign)?, "reading attempts");
    let batch = filter.batch.as_ref().map(|batch| batch_key(conn, (campaign, key), batch)).transpose()?;
    let first = filter.from.map_or((i64::MIN, -1), |from| (micros(from), -1));
    let after = after.map_or(first, |place| first.max((micros(place.placed_at), place.attempt.to_i64())));
    let before = filter.to.map_or(i64::MAX, micros);
    let end = sql::query_as(END).bind(key).bind(after.0).bind(after.1).bind(before).bind(LOOK - 1);
    let end: Option<(i64, i64)> = end.fetch_optional(conn).doing(doing)?;
    let to = end.unwrap_or((i64::MAX, i64::MAX));
    let wanted = format!("{OF_CAMPAIGN}{} ORDER BY a.placed_at, a.id LIMIT ?", conditions(filter));
    let query = sql::query(wanted).bind(key).bind(after.0).bind(after.1).bind(before).bind(to.0).bind(to.1);
    let rows = bound(query, filter, batch).bind(limit).fetch_all(conn).doing(doing)?;
    let attempts: Vec<AttemptRecord> = rows.iter().map(attempt).collect::<Result<_, _>>()?;
    let full = u32::try_from(attempts.len()).is_ok_and(|read| read >= limit);
    let reached = match attempts.last().filter(|_| full) {
        Some(last) => Some(AttemptPlace::of(last)),
        None => end.map(place).transpose()?,
    };
    Ok(AttemptPage { attempts, next: reached })
}

fn place((placed_at, id): (i64, i64)) -> Result<AttemptPlace, Fault> {
    let attempt = AttemptId::from_i64(id).ok_or_else(|| damaged("attempt.id"))?;
    Ok(AttemptPlace { placed_at: row::timestamp(placed_at)?, attempt })
}

fn batch_key(conn: &Connection, (campaign, key): (&CampaignId, i64), batch: &BatchId) -> Result<i64, Fault> {
    let query = sql::query_scalar("SELECT id FROM batch WHERE campaign = ?1 AND name = ?2").bind(key);
    let found: Option<i64> = query.bind(batch.as_str()).fetch_optional(conn).doing("finding a batch")?;
    found.ok_or_else(|| StoreError::UnknownBatch { campaign: campaign.clone(), batch: batch.clone() }.into())
}

/// What a filter says, but for its span, as conditions that take their parameters in the order of [`bound`].
fn conditions(filter: &AttemptFilter) -> String {
    const BUSINESS: &str = "(SELECT b.result FROM business_result b WHERE b.attempt = a.id ORDER BY b.id DESC LIMIT 1)";
    let mut all = String::new();
    let mut and = |given: bool, condition: &str| {
        if given {
            all.push_str(" AND ");
            all.push_str(condition);
        }
    };
    and(!filter.results.is_empty(), "a.result IN (SELECT value FROM json_each(?))");
    if let Some(wanted) = &filter.business {
        // `0` is what stands next behind `/`.
        let any = format!("({BUSINESS} = ? OR ({BUSINESS} > ? || '/' AND {BUSINESS} < ? || '0'))");
        let exact = format!("{BUSINESS} = ?");
        and(true, if wanted.sub_result.is_some() { &exact } else { &any });
    }
    and(filter.agent.is_some(), "a.agent = ?");
    and(filter.batch.is_some(), "c.batch = ?");
    and(filter.category.is_some(), "a.category = ?");
    and(filter.connected == Some(true), "a.connected_at IS NOT NULL");
    and(filter.connected == Some(false), "a.connected_at IS NULL");
    and(filter.rule.is_some(), "a.rule = ?");
    and(filter.revision.is_some(), "substr(g.revision, 1, length(?)) = ?");
    all
}

fn bound<'q>(mut query: Query<'q>, filter: &AttemptFilter, batch: Option<i64>) -> Query<'q> {
    if !filter.results.is_empty() {
        let results: Vec<&str> = filter.results.iter().map(|result| result.as_str()).collect();
        query.bind_next(serde_json::json!(results).to_string());
    }
    if let Some(wanted) = &filter.business {
        let key = BusinessKey { result: wanted.result.clone(), sub_result: wanted.sub_result.clone() }.to_string();
        let times = if wanted.sub_result.is_some() { 1 } else { 3 };
        (0..times).for_each(|_| query.bind_next(&key));
    }
    if let Some(agent) = &filter.agent {
        query.bind_next(agent.as_str());
    }
    if let Some(batch) = batch {
        query.bind_next(batch);
    }
    if let Some(category) = &filter.category {
        query.bind_next(category.as_str());
    }
    if let Some(rule) = &filter.rule {
        query.bind_next(rule.to_string());
    }
    if let Some(begin) = &filter.revision {
        (0..2).for_each(|_| query.bind_next(begin.as_str()));
    }
    query
}

/// An agent's newest attempts, newest first.
pub(super) fn of_agent(conn: &Connection, agent: &AgentId, limit: u32) -> Result<Vec<AttemptRecord>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.agent = ?1 ORDER BY a.id DESC LIMIT ?2");
    let query = sql::query(SQL).bind(agent.as_str()).bind(limit);
    let rows = query.fetch_all(conn).doing("reading an agent's calls")?;
    rows.iter().map(attempt).collect()
}

/// A contact's attempts, oldest first.
pub(super) fn of_contact(conn: &Connection, contact: ContactRef) -> Result<Vec<AttemptRecord>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.contact = ?1 ORDER BY a.id");
    let rows = sql::query(SQL).bind(contact.0).fetch_all(conn).doing("reading attempts")?;
    rows.iter().map(attempt).collect()
}

/// One attempt.
pub(super) fn one(conn: &Connection, id: AttemptId) -> Result<Option<AttemptRecord>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.id = ?1");
    let row = sql::query(SQL).bind(id.to_i64()).fetch_optional(conn).doing("reading an attempt")?;
    row.as_ref().map(attempt).transpose()
}

/// The attempt in a row of [`attempts_sql`].
pub(super) fn attempt(row: &Row<'_>) -> Result<AttemptRecord, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    let result = match column::<Option<&str>>(row, 12)? {
        Some(result) => Some(CallResult::parse(result).ok_or_else(|| damaged("attempt.result"))?),
        None => None,
    };
    Ok(AttemptRecord {
        attempt: AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("attempt.id"))?,
        campaign: CampaignId::parse(column(row, 1)?).map_err(|_| damaged("campaign.slug"))?,
        customer: CustomerId::parse(column(row, 2)?).map_err(|_| damaged("contact.customer_id"))?,
        number_index: index(column(row, 3)?)?,
        number: called(column(row, 4)?)?,
        rule: rule(row, 21)?,
        caller_number: row::e164(column(row, 5)?)?,
        agent: AgentId::parse(column(row, 6)?).map_err(|_| damaged("attempt.agent"))?,
        trunk: TrunkId::parse(column(row, 7)?).map_err(|_| damaged("attempt.trunk"))?,
        placed_at: row::timestamp(column(row, 8)?)?,
        answered_at: at(9)?,
        connected_at: at(10)?,
        ended_at: at(11)?,
        result,
        fail_code: column(row, 13)?,
        sip_status: column(row, 14)?,
        q850: column(row, 15)?,
        business: rule(row, 22)?,
        revision: Revision::parse(column(row, 16)?).ok_or_else(|| damaged("generation.revision"))?,
        daemon_version: column(row, 17)?,
        tzdb_version: column(row, 18)?,
        settings_digest: column(row, 19)?,
        do_not_call_version: column::<i64>(row, 20)?.unsigned_abs(),
        overrides: row::overrides(column(row, 23)?)?,
        rang_at: at(24)?,
        category: column::<Option<&str>>(row, 25)?.map(category).transpose()?,
        batch: BatchId::parse(column(row, 26)?).map_err(|_| damaged("batch.name"))?,
    })
}

fn category(id: &str) -> Result<CategoryId, Fault> {
    CategoryId::parse(id).map_err(|_| damaged("attempt.category").into())
}

fn called(number: &str) -> Result<Option<E164>, Fault> {
    if pseudonym::is_erased(number) { Ok(None) } else { Ok(Some(row::e164(number)?)) }
}

/// The business rule of an attempt.
pub(super) fn rule(row: &Row<'_>, index: usize) -> Result<Option<BusinessKey>, Fault> {
    Ok(column::<Option<&str>>(row, index)?.map(row::business_key).transpose()?)
}

/// The index of a number.
pub(super) fn index(number: i64) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| damaged("attempt.number_index").into())
}
