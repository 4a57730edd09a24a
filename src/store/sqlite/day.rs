//! What came of the calls of a day of the tenant's zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    fault::{Doing, Fault},
    sql,
};
use crate::{
    domain::{ids::CampaignId, results::CallResult, statistics::Quarter, tenant::Tenant},
    store::{
        Today,
        row::{damaged, micros},
    },
};

/// What came of the calls of the day that `now` is in, until now: a day begins with a quarter of an hour in every zone.
pub(super) fn today(conn: &Connection, tenant: &Tenant, now: Timestamp) -> Result<Today, Fault> {
    let (_, begins) = tenant.day(now);
    const SQL: &str = "SELECT k.slug, s.name, sum(s.attempts) FROM statistic s JOIN campaign k ON k.id = s.campaign \
                       WHERE s.kind = 'result' AND s.quarter >= ?1 GROUP BY s.campaign, s.name";
    let rows = sql::query_as(SQL).bind(Quarter::of(begins).number()).fetch_all(conn);
    let rows: Vec<(String, String, i64)> = rows.doing("reading the results of a day")?;
    let mut results: BTreeMap<CampaignId, BTreeMap<CallResult, u64>> = BTreeMap::new();
    for (slug, result, n) in rows {
        let campaign = CampaignId::parse(&slug).map_err(|_| damaged("campaign.slug"))?;
        let result = CallResult::parse(&result).ok_or_else(|| damaged("statistic.name"))?;
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
