//! Contacts as lists show them, page by page.

use rusqlite::Connection;

use super::{
    attempts,
    contact::{self, campaign_key, column, contact_columns, contact_joins},
    fault::{Doing, Fault},
    sql::{self, Row},
};
use crate::{
    domain::{
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId},
        results::CallResult,
    },
    store::{
        BATCH_WINDOW, BatchPage, LastAttempt, Listed, StoreError,
        row::{self, damaged},
    },
};

macro_rules! listed_sql {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            contact_columns!(),
            ", (SELECT b.name FROM batch b WHERE b.id = c.batch), \
             EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id), \
             EXISTS (SELECT 1 FROM attempt s WHERE s.contact = c.id AND s.connected_at IS NOT NULL), \
             (SELECT r.result FROM business_result r WHERE r.contact = c.id ORDER BY r.id DESC LIMIT 1), \
             a.id, a.placed_at, a.result, a.agent FROM contact c",
            contact_joins!(),
            "LEFT JOIN attempt a ON a.id = (SELECT max(n.id) FROM attempt n WHERE n.contact = c.id) ",
            $rest
        )
    };
}

/// A campaign's contacts by customer.
pub(super) fn campaign_page(
    conn: &Connection,
    campaign: &CampaignId,
    after: Option<&CustomerId>,
    limit: u32,
) -> Result<Vec<Listed>, Fault> {
    // No customer's id is empty, and all are greater than that.
    const SQL: &str = listed_sql!("WHERE c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id LIMIT ?3");
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or("", CustomerId::as_str)).bind(limit);
    let rows = query.fetch_all(conn).doing("reading contacts")?;
    rows.iter().map(listed).collect()
}

/// Those of a batch, among ids.
pub(in crate::store) const OF_BATCH: &str =
    listed_sql!("WHERE c.batch = ?1 AND c.id > ?2 AND c.id <= ?3 ORDER BY c.id LIMIT ?4");

/// A batch's contacts by id, of the ids that it spans: no index by batch is needed, which would be one more
/// entry for each contact. Where imports went on side by side, others lie between.
pub(super) fn batch_page(
    conn: &Connection,
    campaign: &CampaignId,
    batch: &BatchId,
    after: Option<ContactRef>,
    limit: u32,
) -> Result<BatchPage, Fault> {
    let (key, doing) = (campaign_key(conn, campaign)?, "reading contacts of a batch");
    const SPAN: &str = "SELECT id, first_contact, last_contact FROM batch WHERE campaign = ?1 AND name = ?2";
    let found = sql::query_as(SPAN).bind(key).bind(batch.as_str()).fetch_optional(conn).doing(doing)?;
    let unknown = || StoreError::UnknownBatch { campaign: campaign.clone(), batch: batch.clone() };
    let (batch, first, last): (i64, Option<i64>, Option<i64>) = found.ok_or_else(unknown)?;
    // All rows of its imports may have been bad.
    let (Some(first), Some(last)) = (first, last) else { return Ok(BatchPage::default()) };
    let after = after.map_or(first - 1, |after| after.0.max(first - 1));
    let end = last.min(after.saturating_add(BATCH_WINDOW));
    let query = sql::query(OF_BATCH).bind(batch).bind(after).bind(end).bind(limit);
    let rows = query.fetch_all(conn).doing(doing)?;
    let contacts: Vec<Listed> = rows.iter().map(listed).collect::<Result<_, _>>()?;
    let full = u32::try_from(contacts.len()).is_ok_and(|read| read >= limit);
    let reached = contacts.last().filter(|_| full).map_or(end, |listed| listed.contact.reference.0);
    Ok(BatchPage { contacts, next: (reached < last).then_some(ContactRef(reached)) })
}

fn listed(row: &Row<'_>) -> Result<Listed, Fault> {
    const BEHIND: usize = contact::COLUMNS;
    Ok(Listed {
        contact: contact::read(row)?,
        batch: BatchId::parse(column(row, BEHIND)?).map_err(|_| damaged("batch.name"))?,
        live: column(row, BEHIND + 1)?,
        connected: column(row, BEHIND + 2)?,
        business: attempts::rule(row, BEHIND + 3)?,
        last: column::<Option<i64>>(row, BEHIND + 4)?.map(|id| last(row, id, BEHIND + 5)).transpose()?,
    })
}

/// The newest attempt, whose other columns begin at `from`.
fn last(row: &Row<'_>, id: i64, from: usize) -> Result<LastAttempt, Fault> {
    let result = |name: &str| CallResult::parse(name).ok_or_else(|| damaged("attempt.result"));
    Ok(LastAttempt {
        attempt: AttemptId::from_i64(id).ok_or_else(|| damaged("attempt.id"))?,
        placed_at: row::timestamp(column(row, from)?)?,
        result: column::<Option<&str>>(row, from + 1)?.map(result).transpose()?,
        agent: AgentId::parse(column(row, from + 2)?).map_err(|_| damaged("attempt.agent"))?,
    })
}
