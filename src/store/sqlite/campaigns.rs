//! Generations, campaigns, and what agents ask for.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{
    contact::{self, Rules},
    do_not_call,
    fault::{Doing, Fault},
    writer::Writer,
};
use crate::{
    domain::{
        agent::Availability,
        campaign::{Campaign, Generation},
        facts::verdict,
        ids::{AgentId, CampaignId, ContactRef},
    },
    store::{
        CampaignChange, StoreError,
        row::{self, micros},
    },
};

/// Puts a generation in force, with what its plan changes.
pub(super) async fn apply(
    writer: &mut Writer,
    generation: Arc<Generation>,
    changes: Vec<CampaignChange>,
) -> Result<(), Fault> {
    let now = writer.now();
    let conn = &mut writer.conn;
    put_in_force(conn, &generation, micros(now)).await?;
    for change in changes {
        match change {
            CampaignChange::Put { id, digest } => put(conn, &generation, &id, &digest, now).await?,
            CampaignChange::Retire { id } => retire(conn, &generation, &id).await?,
        }
    }
    writer.generation = Some(generation);
    Ok(())
}

async fn put_in_force(conn: &mut SqliteConnection, generation: &Generation, now: i64) -> Result<(), Fault> {
    let doing = "putting a generation in force";
    let (revision, committed_at) = (generation.revision.as_str(), micros(generation.committed_at));
    const IN_FORCE: &str = "SELECT g.revision FROM store s JOIN generation g ON g.id = s.generation";
    let in_force: Option<String> = sqlx::query_scalar(IN_FORCE).fetch_optional(&mut *conn).await.doing(doing)?;
    if in_force.as_deref() == Some(revision) {
        return Ok(());
    }
    const PUT: &str = "INSERT INTO generation (revision, committed_at, applied_at) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (revision) DO UPDATE SET applied_at = excluded.applied_at RETURNING id";
    let put = sqlx::query_scalar(PUT).bind(revision).bind(committed_at).bind(now);
    let id: i64 = put.fetch_one(&mut *conn).await.doing(doing)?;
    sqlx::query("UPDATE store SET generation = ?1").bind(id).execute(conn).await.doing(doing).map(drop)
}

async fn put(
    conn: &mut SqliteConnection,
    generation: &Generation,
    id: &CampaignId,
    digest: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let defined = generation.definitions.campaigns.get(id).ok_or_else(|| StoreError::UnknownCampaign(id.clone()))?;
    const FOLLOWED: &str = "SELECT do_not_call FROM campaign WHERE slug = ?1";
    let followed = sqlx::query_scalar(FOLLOWED).bind(id.as_str()).fetch_optional(&mut *conn).await;
    let followed: Option<String> = followed.doing("writing a campaign")?;
    const PUT: &str = "INSERT INTO campaign (slug, name, desired, revision, digest, retired, next_order, \
                       selection, do_not_call, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?7, ?8) \
                       ON CONFLICT (slug) DO UPDATE \
                       SET name = excluded.name, desired = excluded.desired, revision = excluded.revision, \
                       digest = excluded.digest, retired = 0, selection = excluded.selection, evaluated_to = \
                       CASE WHEN selection IS excluded.selection THEN evaluated_to ELSE '' END, \
                       do_not_call = excluded.do_not_call, ends_at = excluded.ends_at RETURNING id";
    let key = sqlx::query_scalar(PUT)
        .bind(id.as_str())
        .bind(&defined.name)
        .bind(defined.desired.as_str())
        .bind(generation.revision.as_str())
        .bind(digest)
        .bind(defined.selection())
        .bind(row::lists_text(&defined.do_not_call))
        .bind(micros(defined.ends_at))
        .fetch_one(&mut *conn)
        .await
        .doing("writing a campaign")?;
    let followed = followed.map(|lists| row::lists(&lists)).transpose()?.unwrap_or_default();
    if followed.iter().any(|list| !defined.do_not_call.contains(list)) {
        do_not_call::begin_unlisting(conn, key).await?;
    }
    release_holds(conn, defined, now, key).await
}

async fn retire(conn: &mut SqliteConnection, generation: &Generation, id: &CampaignId) -> Result<(), Fault> {
    const RETIRE: &str = "UPDATE campaign SET retired = 1, revision = ?2 WHERE slug = ?1";
    let query = sqlx::query(RETIRE).bind(id.as_str()).bind(generation.revision.as_str());
    match query.execute(conn).await.doing("retiring a campaign")?.rows_affected() {
        0 => Err(StoreError::UnknownCampaign(id.clone()).into()),
        _ => Ok(()),
    }
}

/// A cap may have been loosened: whoever one holds is asked about anew.
async fn release_holds(
    conn: &mut SqliteConnection,
    defined: &Campaign,
    now: Timestamp,
    campaign: i64,
) -> Result<(), Fault> {
    const HELD: &str = "SELECT g.contact FROM progress g JOIN contact c ON c.id = g.contact \
                        WHERE g.held IS NOT NULL AND c.campaign = ?1 UNION \
                        SELECT id FROM contact INDEXED BY contact_spent \
                        WHERE campaign = ?1 AND ended = 'attempts_spent' AND attempts < ?2";
    let most = defined.limits.max_attempts_per_contact.map_or(u32::MAX, std::num::NonZero::get);
    let held = sqlx::query_scalar(HELD).bind(campaign).bind(most).fetch_all(&mut *conn).await;
    let held: Vec<i64> = held.doing("finding held contacts")?;
    for reference in held {
        if let Some(kept) = contact::load(conn, ContactRef(reference)).await? {
            let progress = verdict::release_holds(defined, &kept.contact.progress);
            let rules = Rules { defined: Some(defined), now };
            contact::write(conn, rules, &kept, &progress, kept.live).await?;
        }
    }
    Ok(())
}

/// Stores what an agent asks for.
pub(super) async fn set_availability(
    conn: &mut SqliteConnection,
    agent: &AgentId,
    availability: Availability,
) -> Result<(), Fault> {
    const SET: &str = "INSERT INTO agent (id, availability) VALUES (?1, ?2) \
                       ON CONFLICT (id) DO UPDATE SET availability = excluded.availability";
    let query = sqlx::query(SET).bind(agent.as_str()).bind(availability.as_str());
    query.execute(conn).await.doing("storing an agent's availability").map(drop)
}
