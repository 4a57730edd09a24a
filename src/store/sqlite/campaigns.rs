//! Generations, campaigns, and what agents ask for.

use std::sync::Arc;

use rusqlite::Connection;

use super::{
    business, dispatch, do_not_call, evaluate,
    evaluations::Evaluations,
    fault::{Doing, Fault},
    files, forgotten, release, sql,
    writer::Writer,
};
use crate::{
    domain::{
        agent::Availability,
        campaign::{Campaign, Generation, KeptFile},
        drift::files::of_kept,
        ids::{AgentId, CampaignId, Revision},
    },
    store::{
        CampaignChange, RELEASE_SLICE, StoreError,
        row::{self, micros},
    },
};

/// Puts a generation in force, with what its plan changes.
pub(super) fn apply(
    writer: &mut Writer,
    generation: Arc<Generation>,
    changes: Vec<CampaignChange>,
    against: Option<&Option<Revision>>,
) -> Result<(), Fault> {
    let now = micros(writer.now());
    let in_force = in_force(&writer.conn)?;
    if let Some(planned) = against.filter(|planned| **planned != in_force) {
        return Err(StoreError::Moved { planned: planned.clone(), found: in_force }.into());
    }
    if in_force.as_ref() != Some(&generation.revision) {
        put_in_force(&writer.conn, &generation, now)?;
        writer.shared.try_all_again();
    }
    // How many held contacts are asked about in this transaction, for which intents wait.
    let mut room = RELEASE_SLICE;
    for change in changes {
        match change {
            CampaignChange::Put { id, digest } => put(writer, &generation, &id, &digest, (false, &mut room))?,
            CampaignChange::Mend { id, digest } => put(writer, &generation, &id, &digest, (true, &mut room))?,
            CampaignChange::Remove { id } => leave(writer, &generation, &id, REMOVE)?,
            CampaignChange::Retire { id } => leave(writer, &generation, &id, RETIRE)?,
        }
    }
    put_sources(&writer.conn, &generation, now)?;
    put_kept(writer, &generation)?;
    let first = writer.generation.is_none();
    if first {
        know_definitions(writer, &generation)?;
        dispatch::follow_all(&writer.conn, &generation)?;
    }
    writer.generation = Some(generation);
    if first {
        business::take_effect_late(writer)?;
        forgotten::note(writer)?;
    }
    Ok(())
}

/// What is in force; one that can't be read is none that was planned against.
fn in_force(conn: &Connection) -> Result<Option<Revision>, Fault> {
    const IN_FORCE: &str = "SELECT g.revision FROM store s JOIN generation g ON g.id = s.generation";
    let revision: Option<String> =
        sql::query_scalar(IN_FORCE).fetch_optional(conn).doing("reading the revision in force")?;
    Ok(revision.map(|revision| Revision::parse(&revision).unwrap_or_else(Revision::unknown)))
}

fn put_in_force(conn: &Connection, generation: &Generation, now: i64) -> Result<(), Fault> {
    let doing = "putting a generation in force";
    let (revision, committed_at) = (generation.revision.as_str(), micros(generation.committed_at));
    const PUT: &str = "INSERT INTO generation (revision, committed_at, applied_at) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (revision) DO UPDATE SET applied_at = excluded.applied_at RETURNING id";
    let put = sql::query_scalar(PUT).bind(revision).bind(committed_at).bind(now);
    let id: i64 = put.fetch_one(conn).doing(doing)?;
    sql::query("UPDATE store SET generation = ?1").bind(id).execute(conn).doing(doing).map(drop)
}

/// Stores which commit of which source; one that stays keeps the time since when it is in force.
fn put_sources(conn: &Connection, generation: &Generation, now: i64) -> Result<(), Fault> {
    let doing = "writing the commits in force";
    let commits = &generation.sources.commits;
    const PUT: &str = "INSERT INTO source_commit (source, revision, applied_at) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (source) DO UPDATE SET revision = excluded.revision, \
                       applied_at = iif(revision = excluded.revision, applied_at, excluded.applied_at)";
    for (source, revision) in commits {
        let put = sql::query(PUT).bind(source.as_str()).bind(revision.as_str()).bind(now);
        put.execute(conn).doing(doing)?;
    }
    let stored: Vec<String> = sql::query_scalar("SELECT source FROM source_commit").fetch_all(conn).doing(doing)?;
    for source in stored.iter().filter(|source| commits.keys().all(|known| known.as_str() != **source)) {
        sql::query("DELETE FROM source_commit WHERE source = ?1").bind(source).execute(conn).doing(doing)?;
    }
    Ok(())
}

/// Stores the files of earlier commits that are kept; they are few, and most generations have none.
fn put_kept(writer: &Writer, generation: &Generation) -> Result<(), Fault> {
    let doing = "writing files that are kept";
    let kept = &generation.kept.files;
    // By the rows, which somebody else may have changed.
    if of_kept(kept, &files::kept(&writer.conn)?).is_empty() {
        return Ok(());
    }
    sql::query("DELETE FROM kept_file").execute(&writer.conn).doing(doing)?;
    const PUT: &str = "INSERT INTO kept_file (path, revision, bytes) VALUES (?1, ?2, ?3)";
    for (path, file) in kept {
        let (revision, bytes) = match file {
            KeptFile::Of { revision, bytes } => (Some(revision.as_str()), Some(&**bytes)),
            KeptFile::LeftOut => (None, None),
        };
        sql::query(PUT).bind(path).bind(revision).bind(bytes).execute(&writer.conn).doing(doing)?;
    }
    Ok(())
}

/// With the first generation of a life it is known which definition contacts stand by, where no other
/// is wanted.
fn know_definitions(writer: &mut Writer, generation: &Generation) -> Result<(), Fault> {
    const STANDING: &str = "SELECT slug FROM campaign WHERE wanted = 0";
    let standing = sql::query_scalar(STANDING).fetch_all(&writer.conn);
    let standing: Vec<String> = standing.doing("reading what contacts stand by")?;
    for id in standing.iter().filter_map(|slug| CampaignId::parse(slug).ok()) {
        if let Some(defined) = generation.definitions.campaigns.get(&id) {
            let evaluations = writer.shared.evaluations(&id);
            writer.shared.set_evaluations(&id, Evaluations { by: Some(Arc::clone(defined)), ..evaluations });
        }
    }
    Ok(())
}

fn put(
    writer: &mut Writer,
    generation: &Generation,
    id: &CampaignId,
    digest: &str,
    (mends, room): (bool, &mut i64),
) -> Result<(), Fault> {
    let conn = &writer.conn;
    let defined = generation.definitions.campaigns.get(id).ok_or_else(|| StoreError::UnknownCampaign(id.clone()))?;
    const FOLLOWED: &str = "SELECT do_not_call FROM campaign WHERE slug = ?1";
    let followed = sql::query_scalar(FOLLOWED).bind(id.as_str()).fetch_optional(conn);
    let followed: Option<String> = followed.doing("writing a campaign")?;
    const PUT: &str = "INSERT INTO campaign (slug, name, desired, revision, digest, retired, next_order, \
                       selection, do_not_call, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?7, ?8) \
                       ON CONFLICT (slug) DO UPDATE \
                       SET name = excluded.name, desired = excluded.desired, \
                       revision = iif(?9 AND revision IN (SELECT revision FROM generation), revision, excluded.revision), \
                       digest = excluded.digest, retired = 0, removed_at = NULL, selection = excluded.selection, \
                       wanted = wanted OR selection IS NOT excluded.selection, \
                       do_not_call = excluded.do_not_call, ends_at = excluded.ends_at \
                       RETURNING id, wanted, NOT EXISTS (SELECT 1 FROM contact c WHERE c.campaign = campaign.id), \
                       coalesce(first_contact, 1), coalesce(last_contact, 0)";
    let (key, wanted, empty, first, last): (i64, bool, bool, i64, i64) = sql::query_as(PUT)
        .bind(id.as_str())
        .bind(&defined.name)
        .bind(defined.desired.as_str())
        .bind(generation.revision_of(id).as_str())
        .bind(digest)
        .bind(defined.selection())
        .bind(row::lists_text(&defined.do_not_call))
        .bind(micros(defined.ends_at))
        .bind(mends)
        .fetch_one(conn)
        .doing("writing a campaign")?;
    dispatch::follow(conn, defined)?;
    // Lists that can't be read are as good as lists that are followed no longer.
    let followed = followed.map_or(Some(Vec::new()), |lists| row::lists(&lists).ok());
    if followed.is_none_or(|lists| lists.iter().any(|list| !defined.do_not_call.contains(list))) {
        do_not_call::begin_unlisting(conn, key)?;
    }
    stand_by(writer, defined, key, wanted, empty)?;
    release::begin(writer, defined, (key, first, last), room)
}

/// Has contacts of a campaign stand by its definition: at once where nothing of it matters to them, or
/// where there are none, else once it has been applied to all.
fn stand_by(writer: &mut Writer, defined: &Arc<Campaign>, key: i64, wanted: bool, empty: bool) -> Result<(), Fault> {
    let mut evaluations = writer.shared.evaluations(&defined.id);
    if wanted && empty {
        let evaluation = match evaluations.standing {
            Some(standing) => standing,
            None => evaluate::new(&writer.conn, key)?,
        };
        const STAND: &str = "UPDATE campaign SET evaluation = ?2, wanted = 0 WHERE id = ?1";
        let query = sql::query(STAND).bind(key).bind(evaluation).execute(&writer.conn);
        query.doing("writing a campaign")?;
        evaluations = Evaluations { standing: Some(evaluation), by: Some(Arc::clone(defined)), next: None };
    } else if !wanted {
        evaluations.by = Some(Arc::clone(defined));
    } else if evaluations.next.as_ref().is_some_and(|next| next.campaign.selection() != defined.selection()) {
        evaluations.next = None;
    }
    writer.shared.set_evaluations(&defined.id, evaluations);
    Ok(())
}

/// Pauses a campaign whose file is gone.
const REMOVE: &str = "UPDATE campaign SET desired = 'paused', revision = ?2, removed_at = ?3 WHERE slug = ?1";

/// Retires it.
const RETIRE: &str =
    "UPDATE campaign SET retired = 1, revision = ?2, removed_at = coalesce(removed_at, ?3) WHERE slug = ?1";

fn leave(writer: &mut Writer, generation: &Generation, id: &CampaignId, sql: &'static str) -> Result<(), Fault> {
    let now = micros(writer.now());
    let query = sql::query(sql).bind(id.as_str()).bind(generation.revision.as_str()).bind(now);
    if query.execute(&writer.conn).doing("retiring a campaign")? == 0 {
        return Err(StoreError::UnknownCampaign(id.clone()).into());
    }
    // While it has no definition, contacts that change stand nowhere: on its return all are gone through again.
    let evaluations = writer.shared.evaluations(id);
    writer.shared.set_evaluations(id, Evaluations { next: None, ..evaluations });
    Ok(())
}

/// Lets a commit in although it takes away many campaigns.
pub(super) fn approve(writer: &mut Writer, revision: &Revision, by: &str) -> Result<(), Fault> {
    const APPROVE: &str = "INSERT INTO approval (revision, approved_by, approved_at) VALUES (?1, ?2, ?3) \
                           ON CONFLICT DO NOTHING";
    let query = sql::query(APPROVE).bind(revision.as_str()).bind(by).bind(micros(writer.now()));
    query.execute(&writer.conn).doing("storing an approval").map(drop)
}

/// Stores what an agent asks for.
pub(super) fn set_availability(conn: &Connection, agent: &AgentId, availability: Availability) -> Result<(), Fault> {
    const SET: &str = "INSERT INTO agent (id, availability) VALUES (?1, ?2) \
                       ON CONFLICT (id) DO UPDATE SET availability = excluded.availability";
    let query = sql::query(SET).bind(agent.as_str()).bind(availability.as_str());
    query.execute(conn).doing("storing an agent's availability").map(drop)
}
