//! Conversations of which nobody has noted anything, since the life that they were in ended within the time for notes.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{
    business,
    contact::column,
    fault::{Doing, Fault},
    sql, statistic,
    writer::Writer,
};
use crate::{
    domain::{
        business::BusinessKey,
        campaign::Definitions,
        ids::{AttemptId, CampaignId, ContactRef, Epoch},
    },
    store::row::{self, damaged, micros},
};

/// Notes the tenant's default for them, as the dialling loop does when that time runs out; again, it changes nothing.
/// An agent's last call of the life before is the only one that can be.
pub(super) fn note(writer: &mut Writer) -> Result<(), Fault> {
    let Some(generation) = writer.generation.clone() else { return Ok(()) };
    let definitions = &generation.definitions;
    let Some(result) = &definitions.tenant.agents.wrap_up_result else { return Ok(()) };
    let Some(defined) = definitions.business_results.get(result) else { return Ok(()) };
    let Some((life, ended_at)) = life_before(&writer.conn, writer.shared.epoch)? else { return Ok(()) };
    let key = BusinessKey { result: result.clone(), sub_result: None }.to_string();
    for (attempt, contact) in last_calls(&writer.conn, definitions, life, ended_at)? {
        const SQL: &str = "INSERT INTO business_result (contact, attempt, result, set_by, set_at, by_default, goal) \
                           SELECT ?1, id, ?3, agent, ?4, 1, ?5 FROM attempt WHERE id = ?2";
        let query = sql::query(SQL).bind(contact.0).bind(attempt.to_i64()).bind(&key);
        let query = query.bind(micros(writer.now())).bind(defined.counts_as_goal);
        query.execute(&writer.conn).doing("noting what was forgotten")?;
        tracing::info!(%attempt, "the tenant's default is noted for a conversation that nobody noted anything of");
        statistic::business(&writer.conn, attempt.to_i64(), None, Some(&key))?;
        business::take_effect(writer, contact)?;
    }
    Ok(())
}

/// The life before this, and when it was last known to live.
fn life_before(conn: &Connection, own: Epoch) -> Result<Option<(Epoch, Timestamp)>, Fault> {
    const SQL: &str = "SELECT epoch, coalesce(closed_at, heartbeat_at) FROM instance WHERE epoch < ?1 \
                       ORDER BY epoch DESC LIMIT 1";
    let row: Option<(u32, i64)> =
        sql::query_as(SQL).bind(own.0).fetch_optional(conn).doing("reading the life before")?;
    row.map(|(epoch, at)| Ok((Epoch(epoch), row::timestamp(at)?))).transpose()
}

/// Each agent's last call of a life, if it was a conversation without a result that time for notes was left for.
fn last_calls(
    conn: &Connection,
    definitions: &Definitions,
    life: Epoch,
    life_ended_at: Timestamp,
) -> Result<Vec<(AttemptId, ContactRef)>, Fault> {
    const SQL: &str = "SELECT a.id, a.contact, k.slug, a.ended_at FROM json_each(?1) j \
                       JOIN attempt a ON a.id = (SELECT max(id) FROM attempt WHERE agent = j.value AND id >> 32 <= ?2) \
                       JOIN campaign k ON k.id = a.campaign \
                       WHERE a.id >> 32 = ?2 AND a.connected_at IS NOT NULL AND a.ended_at IS NOT NULL \
                       AND NOT EXISTS (SELECT 1 FROM business_result b WHERE b.attempt = a.id) ORDER BY a.id";
    let agents: Vec<&str> = definitions.agents.keys().map(|agent| agent.as_str()).collect();
    let query = sql::query(SQL).bind(serde_json::json!(agents).to_string()).bind(life.0);
    let mut found = Vec::new();
    for row in query.fetch_all(conn).doing("looking for what was forgotten")? {
        let attempt = AttemptId::from_i64(column(&row, 0)?).ok_or_else(|| damaged("attempt.id"))?;
        let campaign = CampaignId::parse(column(&row, 2)?).map_err(|_| damaged("campaign.slug"))?;
        let Some(campaign) = definitions.campaigns.get(&campaign) else { continue };
        let time_for_notes = SignedDuration::try_from(campaign.agents.wrap_up).unwrap_or(SignedDuration::MAX);
        let ended_at = row::timestamp(column(&row, 3)?)?;
        if ended_at.saturating_add(time_for_notes).is_ok_and(|until| until >= life_ended_at) {
            found.push((attempt, ContactRef(column(&row, 1)?)));
        }
    }
    Ok(found)
}
