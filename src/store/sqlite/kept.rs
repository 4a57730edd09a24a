//! Counting contacts by what keeps them: all of a campaign's, in short looks.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{
    contact::campaign_key,
    fault::{Doing, Fault},
    writer::Shared,
};
use crate::{
    domain::{
        campaign::Campaign,
        ids::CampaignId,
        kept::{self, Kept, KeptBy},
    },
    store::row::{self, damaged, micros},
};

/// Contacts that one look goes past, so that no reader keeps the log from shrinking.
const LOOK: i64 = 50_000;

/// Of contacts ?2 to ?3 of a campaign: what keeps them ([`counted`] reads it), the zone in which their hours are
/// reckoned, when the first of them is due, and how many they are.
const COUNT: &str = "SELECT how, (SELECT name FROM zone WHERE id = zone), min(due), count(*) FROM (\
    SELECT CASE WHEN l.contact IS NOT NULL THEN 'call' WHEN c.filtered_out THEN 'filter' \
        WHEN c.paused_out THEN 'batch' \
        WHEN due = 9223372036854775807 THEN \
            iif(EXISTS (SELECT 1 FROM listed_number n WHERE n.contact = c.id), 'lists', 'rounds') \
        WHEN due > ?4 THEN 'time' WHEN c.pinned IS NOT NULL AND c.business_at <= ?4 THEN 'agent' \
        ELSE 'hours' END AS how, iif(due <= ?4, c.zone, 0) AS zone, due \
    FROM (SELECT *, min(coalesce(business_at, 9223372036854775807), coalesce(pass_at, 9223372036854775807), \
        coalesce(retry_at, 9223372036854775807), coalesce(fresh_at, 9223372036854775807)) AS due \
        FROM contact WHERE id > ?2 AND id <= ?3 AND +campaign = ?1) c \
    LEFT JOIN live_call l ON l.contact = c.id \
    WHERE c.ended IS NULL OR c.business_at IS NOT NULL OR l.contact IS NOT NULL) GROUP BY how, zone";

/// What keeps contacts of a campaign at `now`, of those after `after`, and where the next look begins;
/// `None` once all have been looked at.
pub(super) async fn look(
    conn: &mut SqliteConnection,
    shared: &Shared,
    campaign: &CampaignId,
    after: i64,
    now: Timestamp,
) -> Result<Option<(Vec<Kept>, i64)>, Fault> {
    let key = campaign_key(conn, campaign).await?;
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let Some(defined) = defined else { return Ok(None) };
    let last = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM contact").fetch_one(&mut *conn).await;
    let last: i64 = last.doing("counting contacts")?;
    if after >= last {
        return Ok(None);
    }
    let to = after + LOOK;
    let rows = sqlx::query_as(COUNT).bind(key).bind(after).bind(to).bind(micros(now)).fetch_all(conn).await;
    let rows: Vec<(String, Option<String>, i64, i64)> = rows.doing("counting contacts")?;
    let kept: Result<Vec<Kept>, Fault> = rows.into_iter().map(|row| counted(defined, row, now)).collect();
    Ok(Some((kept?, to)))
}

fn counted(
    campaign: &Campaign,
    (how, zone, due, contacts): (String, Option<String>, i64, i64),
    now: Timestamp,
) -> Result<Kept, Fault> {
    let (by, until) = match how.as_str() {
        "call" => (KeptBy::Call, None),
        "filter" => (KeptBy::Filter, None),
        "batch" => (KeptBy::Batch, None),
        "lists" => (KeptBy::Lists, None),
        "rounds" => (KeptBy::Rounds, None),
        "time" => (KeptBy::Time, Some(row::timestamp(due)?)),
        "agent" => (KeptBy::Agent, None),
        "hours" => kept::awake(campaign, zone.as_deref(), now),
        _ => return Err(damaged("contact").into()),
    };
    Ok(Kept { by, until, contacts: contacts.unsigned_abs() })
}
