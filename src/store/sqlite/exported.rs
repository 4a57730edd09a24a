//! Rows that go into exports, page by page.

use rusqlite::Connection;

use super::{
    attempts::{self, attempts_sql},
    business,
    contact::{self, campaign_key, column, contact_columns, contact_joins},
    fault::Fault,
    sql::{self, Row},
};
use crate::{
    domain::{
        ids::{AgentId, AttemptId, BatchId, CampaignId, CustomerId},
        results::CallResult,
    },
    store::{
        ExportedAttempt, ExportedContact, LastAttempt, attributes,
        row::{self, damaged},
    },
};

const DOING: &str = "reading rows of an export";

/// A campaign's contacts by customer.
pub(super) fn contacts(
    conn: &Connection,
    campaign: &CampaignId,
    after: Option<&CustomerId>,
    limit: u32,
) -> Result<Vec<ExportedContact>, Fault> {
    // No customer's id is empty, and all are greater than that.
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        ", (SELECT b.name FROM batch b WHERE b.id = c.batch), \
         EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id), p.custom_field, \
         a.id, a.placed_at, a.result, a.agent, \
         r.attempt, r.result, r.note, r.set_by, r.set_at, r.outcome, r.by_default, r.agent, r.agreed_at, \
         r.agreed_agent, r.goal FROM contact c",
        contact_joins!(),
        "LEFT JOIN attempt a ON a.id = (SELECT max(id) FROM attempt WHERE contact = c.id) \
         LEFT JOIN business_result r ON r.id = (SELECT max(id) FROM business_result WHERE contact = c.id) \
         WHERE c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id LIMIT ?3"
    );
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or("", CustomerId::as_str)).bind(limit);
    all(query, conn, exported_contact)
}

fn exported_contact(row: &Row<'_>) -> Result<ExportedContact, Fault> {
    const MORE: usize = contact::COLUMNS;
    Ok(ExportedContact {
        contact: contact::read(row)?,
        batch: batch(row, MORE)?,
        live: column(row, MORE + 1)?,
        custom_field: column(row, MORE + 2)?,
        last: column::<Option<i64>>(row, MORE + 3)?.map(|id| last(row, id, MORE + 4)).transpose()?,
        business: business::record_if_any(row, MORE + 7)?,
    })
}

fn last(row: &Row<'_>, id: i64, first: usize) -> Result<LastAttempt, Fault> {
    let result = |name| CallResult::parse(name).ok_or_else(|| damaged("attempt.result"));
    Ok(LastAttempt {
        attempt: AttemptId::from_i64(id).ok_or_else(|| damaged("attempt.id"))?,
        placed_at: row::timestamp(column(row, first)?)?,
        result: column::<Option<&str>>(row, first + 1)?.map(result).transpose()?,
        agent: AgentId::parse(column(row, first + 2)?).map_err(|_| damaged("attempt.agent"))?,
    })
}

/// A campaign's attempts by id.
pub(super) fn attempts(
    conn: &Connection,
    campaign: &CampaignId,
    after: Option<AttemptId>,
    limit: u32,
) -> Result<Vec<ExportedAttempt>, Fault> {
    const SQL: &str = attempts_sql!(
        ", p.attributes, p.custom_field, \
         r.attempt, r.result, r.note, r.set_by, r.set_at, r.outcome, r.by_default, r.agent, r.agreed_at, \
         r.agreed_agent, r.goal",
        "",
        "LEFT JOIN personal p ON p.contact = a.contact \
         LEFT JOIN business_result r ON r.id = (SELECT max(id) FROM business_result WHERE attempt = a.id) \
         WHERE a.campaign = ?1 AND a.id > ?2 ORDER BY a.id LIMIT ?3"
    );
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or(-1, AttemptId::to_i64)).bind(limit);
    all(query, conn, exported_attempt)
}

fn exported_attempt(row: &Row<'_>) -> Result<ExportedAttempt, Fault> {
    const MORE: usize = attempts::COLUMNS;
    Ok(ExportedAttempt {
        record: attempts::attempt(row)?,
        attributes: attributes::read(column(row, MORE)?)?,
        custom_field: column(row, MORE + 1)?,
        business: business::record_if_any(row, MORE + 2)?,
    })
}

fn batch(row: &Row<'_>, index: usize) -> Result<BatchId, Fault> {
    Ok(BatchId::parse(column(row, index)?).map_err(|_| damaged("batch.name"))?)
}

/// All rows, each read where its statement stands.
fn all<T>(
    query: sql::Query<'_>,
    conn: &Connection,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    query.while_some(conn, DOING, |row| {
        all.push(read(row)?);
        Ok(Some(()))
    })?;
    Ok(all)
}
