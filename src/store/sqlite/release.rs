//! Contacts that a cap holds, asked about anew after a commit has changed their campaign: it may have loosened the cap.
//!
//! A few are released with the commit. The others follow slice by slice, behind intents.

use std::sync::Arc;

use rusqlite::Connection;

use super::{
    contact::{self, Kept, Rules, column},
    fault::{Doing, Fault},
    intent, sql,
    statements::Statements,
    stuck::Step,
    writer::Writer,
};
use crate::{
    domain::{
        campaign::Campaign,
        facts::verdict,
        ids::{CampaignId, ContactRef},
    },
    store::{BATCH_WINDOW, Evaluated, RELEASE_SLICE},
};

/// Whether any contact among these ids is held by a cap. Without being told so, SQLite goes through all of a campaign
/// for that, while intents wait.
const NEXT_HELD: &str = "SELECT min(contact) FROM progress INDEXED BY progress_held \
                         WHERE held IS NOT NULL AND contact > ?1 AND contact <= ?2";

/// Contacts among these ids that a cap holds.
pub(in crate::store) const HELD: &str = "SELECT g.contact FROM progress g INDEXED BY progress_held \
     CROSS JOIN contact c ON c.id = g.contact WHERE g.held IS NOT NULL AND g.contact > ?1 AND g.contact <= ?2 \
     AND c.campaign = ?3 ORDER BY g.contact LIMIT ?4";

/// Whether a cap has ended any contact of a campaign that it would not end now.
pub(in crate::store) const ANY_SPENT: &str = "SELECT EXISTS (SELECT 1 FROM contact INDEXED BY contact_spent \
     WHERE campaign = ?1 AND ended = 'attempts_spent' AND attempts < ?2)";

/// Contacts among these ids that it has ended so.
const SPENT: &str = "SELECT id FROM contact WHERE id > ?1 AND id <= ?2 AND +campaign = ?3 \
                     AND ended = 'attempts_spent' AND attempts < ?5 ORDER BY id LIMIT ?4";

/// A campaign whose held contacts are asked about anew.
struct Pending {
    key: i64,
    /// The last contact that was.
    after: i64,
    /// The last contact of the campaign.
    last: i64,
}

/// What a slice has come to.
struct Asked {
    released: i64,
    /// How many of the released ones have not ended.
    admitted: u64,
    /// The last contact that was asked about; `None` once that were all.
    reached: Option<i64>,
}

/// A campaign has changed: as many of its contacts as `room` has are asked about at once, and the others noted.
pub(super) fn begin(
    writer: &mut Writer,
    campaign: &Arc<Campaign>,
    (key, first, last): (i64, i64, i64),
    room: &mut i64,
) -> Result<(), Fault> {
    let rules = Rules { defined: Some(Arc::clone(campaign)), ..writer.rules(&campaign.id) };
    let mut reached = Some(first - 1);
    if let Some(after) = reached.filter(|_| *room > 0) {
        let pending = Pending { key, after, last };
        // Contacts that can't be read are no reason to keep a commit out: their campaign meets them again, alone.
        if let Ok((found, end)) = find(&writer.conn, campaign, &pending, *room) {
            let asked = release(&writer.conn, &rules, campaign, found, end, last)?;
            (*room, reached) = (*room - asked.released, asked.reached);
        }
    }
    note(&writer.conn, key, reached)
}

fn note(conn: &Connection, key: i64, reached: Option<i64>) -> Result<(), Fault> {
    const NOTE: &str = "UPDATE campaign SET released_to = ?2 WHERE id = ?1 AND released_to IS NOT ?2";
    let query = sql::query(NOTE).bind(key).bind(reached).execute(conn);
    query.doing("noting held contacts").map(drop)
}

/// Asks about the next held contacts of a campaign; `None` if there is none to ask about.
pub(super) fn slice(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    const PENDING: &str = "SELECT slug, id, released_to, coalesce(last_contact, 0) FROM campaign \
                           INDEXED BY campaign_released WHERE released_to IS NOT NULL ORDER BY slug";
    let rows = sql::query(PENDING).fetch_all(&writer.conn).doing("looking for held contacts")?;
    for row in &rows {
        let Ok(id) = CampaignId::parse(column(row, 0)?) else { continue };
        // A campaign whose file is gone waits for its return.
        let Some(campaign) = writer.defined(&id).filter(|_| !writer.is_stuck(Step::Holds, &id)) else { continue };
        let pending = Pending { key: column(row, 1)?, after: column(row, 2)?, last: column(row, 3)? };
        return writer.try_for(Step::Holds, &id, |writer| next(writer, &campaign, &pending)).map(Some);
    }
    Ok(None)
}

fn next(writer: &mut Writer, campaign: &Campaign, pending: &Pending) -> Result<Evaluated, Fault> {
    let rules = writer.rules(&campaign.id);
    let (found, end) = find(&writer.conn, campaign, pending, RELEASE_SLICE)?;
    let Asked { admitted, reached, .. } = release(&writer.conn, &rules, campaign, found, end, pending.last)?;
    note(&writer.conn, pending.key, reached)?;
    Ok(Evaluated { campaign: campaign.id.clone(), admitted, complete: reached.is_none() })
}

/// The next contacts, at most `room`, and the last id that was looked at.
fn find(conn: &Connection, campaign: &Campaign, pending: &Pending, room: i64) -> Result<(Vec<Kept>, i64), Fault> {
    let doing = "finding held contacts";
    let Pending { key, mut after, last } = *pending;
    let most = campaign.limits.max_attempts_per_contact.map_or(u32::MAX, std::num::NonZero::get);
    let spent: bool = sql::query_scalar(ANY_SPENT).bind(key).bind(most).fetch_one(conn).doing(doing)?;
    if !spent {
        let next: Option<i64> = sql::query_scalar(NEXT_HELD).bind(after).bind(last).fetch_one(conn).doing(doing)?;
        let Some(next) = next else { return Ok((Vec::new(), last)) };
        after = next - 1;
    }
    let end = last.min(after.saturating_add(BATCH_WINDOW));
    let held = sql::query_scalar(HELD).bind(after).bind(end).bind(key).bind(room).fetch_all(conn);
    let mut found: Vec<i64> = held.doing(doing)?;
    if spent {
        let spent = sql::query_scalar(SPENT).bind(after).bind(end).bind(key).bind(room).bind(most).fetch_all(conn);
        let spent: Vec<i64> = spent.doing(doing)?;
        found.extend(spent);
        found.sort_unstable();
        found.dedup();
    }
    let full = i64::try_from(found.len()).is_ok_and(|read| read >= room);
    found.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    let end = found.last().copied().filter(|_| full).unwrap_or(end);
    let load = |id: i64| contact::load(conn, ContactRef(id)).transpose();
    Ok((found.into_iter().filter_map(load).collect::<Result<_, _>>()?, end))
}

fn release(
    conn: &Connection,
    rules: &Rules,
    campaign: &Campaign,
    found: Vec<Kept>,
    end: i64,
    last: i64,
) -> Result<Asked, Fault> {
    let (mut released, mut admitted) = (0, 0);
    for kept in found {
        let to_customer = intent::calls_to(conn, campaign, &kept.contact.customer)?;
        let progress = verdict::release_holds(campaign, &kept.contact.progress, to_customer);
        released += 1;
        if progress != kept.contact.progress {
            admitted += u64::from(!progress.is_over());
            let mut all = Statements::default();
            contact::write(&mut all, rules, &kept, &progress, kept.live);
            all.execute(conn, "releasing held contacts")?;
        }
    }
    Ok(Asked { released, admitted, reached: (end < last).then_some(end) })
}
