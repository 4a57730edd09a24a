//! Applies a campaign's filter to its contacts: who is left out is in no index of who is next.
//!
//! A new filter is applied slice by slice, in the order of customers, while dialling goes on; what
//! the gate uses is the filter in force, whatever stands here.

use serde_json::{Value, json};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    contact::{self, column, contact_columns, contact_joins},
    do_not_call,
    fault::{Doing, Fault},
    writer::Writer,
};
use crate::{
    domain::{campaign::Campaign, contact::Contact, ids::CampaignId},
    store::{EVALUATION_SLICE, Evaluated, row},
};

/// Releases the next contacts from lists that are followed no longer, then applies the filter in force
/// to the next that have not seen it; `None` if there are none.
pub(super) async fn slice(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    let Some(generation) = writer.generation.clone() else { return Ok(None) };
    if let Some(released) = do_not_call::unlist_slice(&mut writer.conn).await? {
        return Ok(Some(released));
    }
    let doing = "looking for contacts that a filter has not been applied to";
    const PENDING: &str = "SELECT id, slug, evaluated_to FROM campaign WHERE evaluated_to IS NOT NULL ORDER BY slug";
    let pending = sqlx::query_as(PENDING).fetch_all(&mut writer.conn).await.doing(doing)?;
    let pending: Vec<(i64, String, String)> = pending;
    // A campaign whose file is gone has no filter now; it waits for its return.
    let mut defined = pending.into_iter().filter_map(|(key, slug, after)| {
        let id = CampaignId::parse(&slug).ok()?;
        Some((key, generation.definitions.campaigns.get(&id)?, after))
    });
    match defined.next() {
        Some((key, campaign, after)) => apply(&mut writer.conn, key, campaign, &after).await.map(Some),
        None => Ok(None),
    }
}

async fn apply(conn: &mut SqliteConnection, key: i64, campaign: &Campaign, after: &str) -> Result<Evaluated, Fault> {
    let doing = "applying a filter";
    const SLICE: &str = concat!(
        "SELECT ",
        contact_columns!(),
        ", c.filtered_out, EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id) FROM contact c",
        contact_joins!(),
        "WHERE c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id LIMIT ?3"
    );
    let rows = sqlx::query(SLICE).bind(key).bind(after).bind(EVALUATION_SLICE).fetch_all(&mut *conn).await;
    let rows = rows.doing(doing)?;
    let (mut changed, mut admitted, mut left_out, mut last) = (Vec::new(), 0, 0, None);
    for row in &rows {
        let Slot { contact, filtered_out, live } = slot(row)?;
        let now_out = !campaign.matches(&contact.attributes);
        if now_out != filtered_out {
            changed.push(value(&contact, now_out, live));
            let open = i64::from(contact.progress.ended.is_none());
            if now_out { left_out += open } else { admitted += open }
        }
        last = Some(contact.customer);
    }
    write(conn, changed).await?;
    if left_out != admitted {
        contact::count(conn, key, (contact::FILTERED_OUT, ""), left_out - admitted).await?;
    }
    let complete = i64::try_from(rows.len()).is_ok_and(|read| read < EVALUATION_SLICE);
    let to = last.filter(|_| !complete);
    const REACHED: &str = "UPDATE campaign SET evaluated_to = ?2 WHERE id = ?1";
    let reached = sqlx::query(REACHED).bind(key).bind(to.as_ref().map(|customer| customer.as_str()));
    reached.execute(conn).await.doing(doing)?;
    Ok(Evaluated { campaign: campaign.id.clone(), admitted: admitted.unsigned_abs(), complete })
}

/// A contact of a slice.
struct Slot {
    contact: Contact,
    filtered_out: bool,
    live: bool,
}

fn slot(row: &SqliteRow) -> Result<Slot, Fault> {
    let (filtered_out, live) = (column(row, contact::COLUMNS)?, column(row, contact::COLUMNS + 1)?);
    Ok(Slot { contact: contact::read(row)?, filtered_out, live })
}

fn value(contact: &Contact, filtered_out: bool, live: bool) -> Value {
    let ready = contact::readiness(contact, live || filtered_out);
    json!([
        contact.reference.0,
        filtered_out,
        ready.pass.map(row::micros),
        ready.retry.map(row::micros),
        ready.fresh.map(row::micros),
        contact::wakes_at(&ready),
    ])
}

async fn write(conn: &mut SqliteConnection, changed: Vec<Value>) -> Result<(), Fault> {
    if changed.is_empty() {
        return Ok(());
    }
    const SQL: &str = "UPDATE contact SET filtered_out = value ->> 1, pass_at = value ->> 2, retry_at = value ->> 3, \
                       fresh_at = value ->> 4, wakes_at = value ->> 5 FROM json_each(?1) \
                       WHERE contact.id = value ->> 0";
    let query = sqlx::query(SQL).bind(Value::Array(changed).to_string());
    query.execute(conn).await.doing("applying a filter").map(drop)
}

/// The contacts of a campaign have yet to see its filter, from the first on.
pub(super) async fn begin(conn: &mut SqliteConnection, campaign: i64) -> Result<(), Fault> {
    let query = sqlx::query("UPDATE campaign SET evaluated_to = '' WHERE id = ?1").bind(campaign);
    query.execute(conn).await.doing("noting contacts without a filter").map(drop)
}

/// Whether a filter is being applied to the campaign's contacts.
pub(super) async fn is_under_way(conn: &mut SqliteConnection, campaign: i64) -> Result<bool, Fault> {
    let query = sqlx::query_scalar("SELECT evaluated_to IS NOT NULL FROM campaign WHERE id = ?1").bind(campaign);
    query.fetch_one(conn).await.doing("looking how far a filter has been applied")
}
