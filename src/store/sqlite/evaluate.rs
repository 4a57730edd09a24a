//! Applies a campaign's filter, and pauses of batches, to contacts: who is left out is in no index of who
//! is next.
//!
//! A new filter is applied slice by slice, in the order of customers, while dialling goes on, a pause
//! in the order of ids; what the gate uses is what is in force, whatever stands here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    contact::{self, Rules, column, contact_columns, contact_joins, kept_columns},
    do_not_call,
    fault::{Doing, Fault},
    writer::Writer,
};
use crate::{
    domain::{
        campaign::Campaign,
        contact::Contact,
        ids::{AgentId, CampaignId},
        order::Standing,
    },
    store::{BATCH_WINDOW, EVALUATION_SLICE, Evaluated, row},
};

/// Releases the next contacts from lists that are followed no longer, then applies the definition in
/// force to the next contacts that have not seen it, then to those that time has made stand otherwise;
/// `None` if there are none.
pub(super) async fn slice(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    let Some(generation) = writer.generation.clone() else { return Ok(None) };
    if let Some(released) = do_not_call::unlist_slice(writer).await? {
        return Ok(Some(released));
    }
    let now = writer.now();
    let conn = &mut writer.conn;
    let doing = "looking for contacts that a definition has not been applied to";
    const PENDING: &str = "SELECT id, slug, evaluated_to FROM campaign WHERE evaluated_to IS NOT NULL ORDER BY slug";
    let pending: Vec<(i64, String, String)> = sqlx::query_as(PENDING).fetch_all(&mut *conn).await.doing(doing)?;
    let defined = |slug: &str| generation.definitions.campaigns.get(&CampaignId::parse(slug).ok()?);
    // A campaign whose file is gone has no filter now; it waits for its return.
    if let Some((key, campaign, after)) =
        pending.into_iter().find_map(|(key, slug, after)| Some((key, defined(&slug)?, after)))
    {
        return apply(conn, key, (campaign, now), &after).await.map(Some);
    }
    const BATCHES: &str = "SELECT b.id, k.id, k.slug, b.evaluated_to, b.last_contact FROM batch b \
                           JOIN campaign k ON k.id = b.campaign WHERE b.evaluated_to IS NOT NULL ORDER BY b.id";
    let batches: Vec<(i64, i64, String, i64, i64)> =
        sqlx::query_as(BATCHES).fetch_all(&mut *conn).await.doing(doing)?;
    if let Some((campaign, pending)) = batches
        .into_iter()
        .find_map(|(batch, key, slug, after, last)| Some((defined(&slug)?, Pending { batch, key, after, last })))
    {
        return pause(conn, pending, (campaign, now)).await.map(Some);
    }
    const CHANGED: &str = "SELECT id, slug FROM campaign k WHERE EXISTS (SELECT 1 FROM contact c INDEXED BY \
                           contact_changes WHERE c.campaign = k.id AND c.changes_at <= ?1) ORDER BY slug";
    let changed = sqlx::query_as(CHANGED).bind(row::micros(now)).fetch_all(&mut *conn).await;
    let changed: Vec<(i64, String)> = changed.doing(doing)?;
    match changed.into_iter().find_map(|(key, slug)| Some((key, defined(&slug)?))) {
        Some((key, campaign)) => wake(conn, key, (campaign, now)).await.map(Some),
        None => Ok(None),
    }
}

macro_rules! slice_sql {
    ($where:literal) => {
        concat!("SELECT ", kept_columns!(), " FROM contact c", contact_joins!(), "WHERE ", $where, " LIMIT ?3")
    };
}

/// Applies a new definition to the next contacts in the order of customers.
async fn apply(
    conn: &mut SqliteConnection,
    key: i64,
    (campaign, now): (&Campaign, Timestamp),
    after: &str,
) -> Result<Evaluated, Fault> {
    let doing = "applying a definition";
    const SLICE: &str = slice_sql!("c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id");
    let rows = sqlx::query(SLICE).bind(key).bind(after).bind(EVALUATION_SLICE).fetch_all(&mut *conn).await;
    let rows = rows.doing(doing)?;
    let admitted = stand(conn, key, Rules { defined: Some(campaign), now }, &rows).await?;
    let complete = i64::try_from(rows.len()).is_ok_and(|read| read < EVALUATION_SLICE);
    let last = rows.last().filter(|_| !complete).map(|row| column::<String>(row, 2)).transpose()?;
    const REACHED: &str = "UPDATE campaign SET evaluated_to = ?2 WHERE id = ?1";
    sqlx::query(REACHED).bind(key).bind(last).execute(conn).await.doing(doing)?;
    Ok(Evaluated { campaign: campaign.id.clone(), admitted, complete })
}

/// A pause, or its end, that is being applied.
struct Pending {
    batch: i64,
    /// Key of its campaign.
    key: i64,
    /// The last contact that has seen it.
    after: i64,
    /// The last contact of the batch.
    last: i64,
}

/// Applies the pause of a batch, or its end, to its next contacts.
async fn pause(
    conn: &mut SqliteConnection,
    pending: Pending,
    (campaign, now): (&Campaign, Timestamp),
) -> Result<Evaluated, Fault> {
    let doing = "applying a pause";
    let Pending { batch, key, after, last } = pending;
    const SLICE: &str = slice_sql!("c.batch = ?1 AND c.id > ?2 AND c.id <= ?4 ORDER BY c.id");
    let end = last.min(after.saturating_add(BATCH_WINDOW));
    let rows = sqlx::query(SLICE).bind(batch).bind(after).bind(EVALUATION_SLICE).bind(end).fetch_all(&mut *conn).await;
    let rows = rows.doing(doing)?;
    let admitted = stand(conn, key, Rules { defined: Some(campaign), now }, &rows).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|read| read >= EVALUATION_SLICE);
    let reached = match rows.last().filter(|_| full) {
        Some(row) => column(row, 0)?,
        None => end,
    };
    let complete = reached >= last;
    let query = sqlx::query("UPDATE batch SET evaluated_to = ?2 WHERE id = ?1").bind(batch);
    query.bind((!complete).then_some(reached)).execute(conn).await.doing(doing)?;
    Ok(Evaluated { campaign: campaign.id.clone(), admitted, complete })
}

/// Finds out anew how contacts stand that time has made stand otherwise.
async fn wake(
    conn: &mut SqliteConnection,
    key: i64,
    (campaign, now): (&Campaign, Timestamp),
) -> Result<Evaluated, Fault> {
    const SLICE: &str = slice_sql!("c.campaign = ?1 AND c.changes_at <= ?2");
    let rows = sqlx::query(SLICE).bind(key).bind(row::micros(now)).bind(EVALUATION_SLICE);
    let rows = rows.fetch_all(&mut *conn).await.doing("waking contacts")?;
    let admitted = stand(conn, key, Rules { defined: Some(campaign), now }, &rows).await?;
    Ok(Evaluated { campaign: campaign.id.clone(), admitted, complete: false })
}

/// A contact whose place is to be written anew.
pub(super) struct Placed<'a> {
    /// What decides it.
    pub(super) rules: Rules<'a>,
    /// The contact as it is now.
    pub(super) contact: Contact,
    /// Whether it has a live call.
    pub(super) live: bool,
    /// Whether the filter leaves it out.
    pub(super) filtered_out: bool,
    /// Whether the pause of its batch does.
    pub(super) paused: bool,
}

/// Writes how contacts stand.
pub(super) async fn place(conn: &mut SqliteConnection, contacts: &[Placed<'_>]) -> Result<(), Fault> {
    let (mut changed, mut zones) = (Vec::new(), Vec::new());
    for Placed { rules, contact, live, filtered_out, paused } in contacts {
        let standing = rules.standing(contact, *live || *filtered_out || *paused);
        changed.push(value(*rules, contact, &standing, (*filtered_out, *paused)));
        zones.extend(standing.zone);
    }
    contact::know_zones(conn, zones.iter()).await?;
    write(conn, changed).await
}

/// Writes how contacts stand; tells how many are no longer left out.
async fn stand(conn: &mut SqliteConnection, key: i64, rules: Rules<'_>, rows: &[SqliteRow]) -> Result<u64, Fault> {
    let (mut placed, mut admitted) = (Vec::new(), 0);
    let mut left_out: BTreeMap<&'static str, i64> = BTreeMap::new();
    for row in rows {
        let kept = contact::kept(row)?;
        let filtered_out = rules.defined.is_some_and(|campaign| !campaign.matches(&kept.contact.attributes));
        let progress = &kept.contact.progress;
        let before = kept.left_out(progress);
        let after = contact::left_out(progress, filtered_out, kept.batch_paused);
        for (kind, by) in [(before, -1), (after, 1)] {
            if let Some(kind) = kind {
                *left_out.entry(kind).or_default() += by;
            }
        }
        admitted += u64::from(before.is_some() && after.is_none());
        placed.push(Placed { rules, filtered_out, paused: kept.batch_paused, live: kept.live, contact: kept.contact });
    }
    place(conn, &placed).await?;
    for (kind, by) in left_out.into_iter().filter(|(_, by)| *by != 0) {
        contact::count(conn, key, (kind, ""), by).await?;
    }
    Ok(admitted)
}

fn value(rules: Rules<'_>, contact: &Contact, standing: &Standing, (filtered_out, paused): (bool, bool)) -> Value {
    json!([
        contact.reference.0,
        filtered_out,
        standing.pass.map(row::micros),
        standing.retry.map(row::micros),
        standing.fresh.map(|(at, _)| row::micros(at)),
        standing.fresh.map_or(0, |(_, round)| round),
        contact::wakes_at(standing),
        standing.changes_at.map(row::micros),
        contact::sorted(rules.defined, contact),
        standing.zone,
        standing.business.map(row::micros),
        standing.agent.as_ref().map(AgentId::as_str),
        paused,
    ])
}

async fn write(conn: &mut SqliteConnection, changed: Vec<Value>) -> Result<(), Fault> {
    const SQL: &str = "UPDATE contact SET filtered_out = value ->> 1, pass_at = value ->> 2, retry_at = value ->> 3, \
                       fresh_at = value ->> 4, fresh_round = value ->> 5, wakes_at = value ->> 6, \
                       changes_at = value ->> 7, sorted = unhex(value ->> 8), \
                       zone = coalesce((SELECT id FROM zone WHERE name = value ->> 9), 0), \
                       business_at = value ->> 10, pinned = value ->> 11, paused_out = value ->> 12 \
                       FROM json_each(?1) WHERE contact.id = value ->> 0";
    let query = sqlx::query(SQL).bind(Value::Array(changed).to_string());
    query.execute(conn).await.doing("applying a definition").map(drop)
}

/// The contacts of a campaign have yet to see its filter, from the first on.
pub(super) async fn begin(conn: &mut SqliteConnection, campaign: i64) -> Result<(), Fault> {
    let query = sqlx::query("UPDATE campaign SET evaluated_to = '' WHERE id = ?1").bind(campaign);
    query.execute(conn).await.doing("noting contacts without a filter").map(drop)
}

/// Whether a definition, or a pause, is being applied to the campaign's contacts.
pub(super) async fn is_under_way(conn: &mut SqliteConnection, campaign: i64) -> Result<bool, Fault> {
    const UNDER_WAY: &str = "SELECT evaluated_to IS NOT NULL OR EXISTS (SELECT 1 FROM batch b \
                             WHERE b.campaign = campaign.id AND b.evaluated_to IS NOT NULL) FROM campaign WHERE id = ?1";
    let query = sqlx::query_scalar(UNDER_WAY).bind(campaign);
    query.fetch_one(conn).await.doing("looking how far a filter has been applied")
}
