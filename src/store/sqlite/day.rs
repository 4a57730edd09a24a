//! What came of the calls of a day of the tenant's zone.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, civil::Date};
use rusqlite::Connection;

use super::{
    fault::{Doing, Fault},
    sql,
    statements::Statements,
    writer::Writer,
};
use crate::{
    domain::{ids::CampaignId, results::CallResult, tenant::Tenant},
    store::{
        Today,
        row::{self, damaged, micros},
    },
};

/// Days of which results are kept: today, and some for whoever looks at the store.
const DAYS_KEPT: i32 = 7;

/// Stands before the microsecond at which an attempt ended while no commit said whose day that was.
const NO_DAY: &str = "@";

/// Counts an attempt among those of the day on which it ended.
pub(super) fn count(all: &mut Statements, writer: &Writer, (campaign, result, at): (i64, CallResult, Timestamp)) {
    match &writer.generation {
        Some(generation) => add(all, generation.definitions.tenant.day(at).0, (campaign, result.as_str(), 1)),
        None => add_to(all, format!("{NO_DAY}{}", micros(at)), (campaign, result.as_str(), 1)),
    }
}

/// Gives those a day that ended before this life's first commit was in force.
pub(super) fn count_late(conn: &Connection, tenant: &Tenant) -> Result<(), Fault> {
    const SQL: &str = "DELETE FROM day_result WHERE day >= '@' RETURNING day, campaign, result, n";
    let rows: Vec<(String, i64, String, i64)> = sql::query_as(SQL).fetch_all(conn).doing("counting late")?;
    let mut all = Statements::default();
    for (at, campaign, result, n) in &rows {
        let micros = at.strip_prefix(NO_DAY).and_then(|at| at.parse().ok());
        let at = row::timestamp(micros.ok_or_else(|| damaged("day_result.day"))?)?;
        add(&mut all, tenant.day(at).0, (*campaign, result, *n));
    }
    all.execute(conn, "counting late")
}

/// Counts some of a day; days of old go.
fn add(all: &mut Statements, day: Date, counted: (i64, &str, i64)) {
    add_to(all, day.to_string(), counted);
    let kept_from = day.saturating_sub(Span::new().days(DAYS_KEPT));
    all.add("DELETE FROM day_result WHERE day < ?").bind(kept_from.to_string());
}

fn add_to(all: &mut Statements, day: String, (campaign, result, n): (i64, &str, i64)) {
    const COUNT: &str = "INSERT INTO day_result (day, campaign, result, n) VALUES (?, ?, ?, ?) \
                         ON CONFLICT (day, campaign, result) DO UPDATE SET n = n + excluded.n";
    all.add(COUNT).bind(day).bind(campaign).bind(result.to_owned()).bind(n);
}

/// What came of the calls of the day that `now` is in.
pub(super) fn today(conn: &Connection, tenant: &Tenant, now: Timestamp) -> Result<Today, Fault> {
    let (date, begins) = tenant.day(now);
    const SQL: &str = "SELECT k.slug, d.result, d.n FROM day_result d JOIN campaign k ON k.id = d.campaign \
                       WHERE d.day = ?1";
    let rows = sql::query_as(SQL).bind(date.to_string()).fetch_all(conn);
    let rows: Vec<(String, String, i64)> = rows.doing("reading the results of a day")?;
    let mut results: BTreeMap<CampaignId, BTreeMap<CallResult, u64>> = BTreeMap::new();
    for (slug, result, n) in rows {
        let campaign = CampaignId::parse(&slug).map_err(|_| damaged("campaign.slug"))?;
        let result = CallResult::parse(&result).ok_or_else(|| damaged("day_result.result"))?;
        results.entry(campaign).or_default().insert(result, n.unsigned_abs());
    }
    Ok(Today { results, goals: goals(conn, begins)? })
}

/// Contacts of each campaign whose newest result counts as a goal, and was set at `since` or later.
fn goals(conn: &Connection, since: Timestamp) -> Result<BTreeMap<CampaignId, u64>, Fault> {
    const SQL: &str = "SELECT k.slug, count(*) FROM business_result b JOIN contact c ON c.id = b.contact \
                       JOIN campaign k ON k.id = c.campaign WHERE b.goal = 1 AND b.set_at >= ?1 AND NOT EXISTS \
                       (SELECT 1 FROM business_result l WHERE l.contact = b.contact AND l.id > b.id) GROUP BY k.id";
    let rows = sql::query_as(SQL).bind(micros(since)).fetch_all(conn);
    let rows: Vec<(String, i64)> = rows.doing("counting goals")?;
    let count = |(slug, n): (String, i64)| {
        Ok((CampaignId::parse(&slug).map_err(|_| damaged("campaign.slug"))?, n.unsigned_abs()))
    };
    rows.into_iter().map(count).collect()
}
