//! Places: rows that stand in the order in which contacts are served, under keys that compare as they do.
//!
//! A key is what the row is for, the zone in which its contact's hours are reckoned (empty for none), then
//! what that kind is served by: a due time, a round, what the campaign sorts by, priority, import order.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::json;

use super::{
    fault::{Doing, Fault},
    sql,
    statements::Statements,
};
use crate::{
    domain::{
        campaign::Campaign,
        contact::Contact,
        ids::{CampaignId, ContactRef},
        order::{self, Standing},
    },
    store::row::{self, micros},
};

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A scheduled call that anyone may take.
    Business = 1,
    /// The next number of a pass.
    Pass = 2,
    /// A number to be tried again.
    Retry = 3,
    /// An untried number.
    Fresh = 4,
    /// A scheduled call that waits for an agent.
    Pinned = 5,
    /// When the contact gets ready, for one that is not; of no zone.
    Wakes = 6,
    /// When time alone makes the contact stand otherwise; of no zone.
    Changes = 7,
}

impl Kind {
    /// Those whose contacts are called, in serving order, then the one that waits for agents.
    pub(super) const SERVED: [Self; 5] = [Self::Business, Self::Pass, Self::Retry, Self::Fresh, Self::Pinned];

    /// Whether rows stand by their due time, so that those that are not ready come last.
    pub(super) fn is_by_time(self) -> bool {
        match self {
            Self::Business | Self::Retry | Self::Wakes | Self::Changes => true,
            Self::Pass | Self::Fresh | Self::Pinned => false,
        }
    }
}

/// A contact's row among those of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Where it stands.
    pub(super) key: Vec<u8>,
    /// When the work is ready; 0 for always.
    pub(super) ready_at: i64,
    /// Whose it is.
    pub(super) contact: i64,
    /// It counts while this is its contact's.
    pub(super) stood: i64,
}

/// A place that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stale {
    /// Whether it lies in the order file.
    pub(super) ordered: bool,
    /// Where it stands.
    pub(super) key: Vec<u8>,
    /// What its contact's was when it counted.
    pub(super) stood: i64,
}

/// Those of the order file and those of the store's own.
pub(super) fn parted(stale: Vec<Stale>) -> (Vec<Stale>, Vec<Vec<u8>>) {
    let (ordered, own): (Vec<Stale>, Vec<Stale>) = stale.into_iter().partition(|stale| stale.ordered);
    (ordered, own.into_iter().map(|stale| stale.key).collect())
}

/// The beginning of all keys of a kind and a zone.
pub(super) fn prefix(kind: Kind, zone: &str) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend(zone.as_bytes());
    key.push(0);
    key
}

/// The beginning of all keys of those in a zone who wait for an agent.
pub(super) fn pinned(zone: &str, agent: &str) -> Vec<u8> {
    let mut key = prefix(Kind::Pinned, zone);
    key.extend(agent.as_bytes());
    key.push(0);
    key
}

/// The end of all keys that begin with `prefix`; it is no key itself.
pub(super) fn end(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            break;
        }
    }
    prefix
}

/// The end of all keys that begin with `prefix` and are due at `at`.
pub(super) fn end_of_due(mut prefix: Vec<u8>, at: i64) -> Vec<u8> {
    prefix.extend(instant(at + 1));
    prefix
}

/// An instant as bytes that compare as instants do.
fn instant(at: i64) -> [u8; 8] {
    (at.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The due time of a key of [`Kind::Wakes`] or [`Kind::Changes`].
pub(super) fn due(key: &[u8]) -> Option<i64> {
    let bytes = key.get(2..10)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// The name that stands in a key behind `prefix`: a zone behind a kind, an agent behind both.
pub(super) fn name(key: &[u8], prefix: usize) -> Option<&str> {
    let rest = key.get(prefix..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// The places of a contact that stands so by `campaign`.
pub(super) fn places(campaign: &Campaign, contact: &Contact, stood: i64, standing: &Standing) -> Vec<Place> {
    let zone = standing.zone.as_deref().unwrap_or_default();
    let sorted = order::sorted(&campaign.sort, &contact.attributes);
    let place = |mut key: Vec<u8>, at: Timestamp| {
        key.extend(sorted.as_bytes());
        key.push(contact.priority.get());
        key.extend(contact.import_order.to_be_bytes());
        // All real instants are after 1970.
        Place { key, ready_at: micros(at).max(0), contact: contact.reference.0, stood }
    };
    let by_time = |mut key: Vec<u8>, at: Timestamp| {
        key.extend(instant(micros(at)));
        place(key, at)
    };
    let business = standing.business.map(|at| match &standing.agent {
        Some(agent) => by_time(pinned(zone, agent.as_str()), at),
        None => by_time(prefix(Kind::Business, zone), at),
    });
    let pass = standing.pass.map(|at| place(prefix(Kind::Pass, zone), at));
    let retry = standing.retry.map(|at| by_time(prefix(Kind::Retry, zone), at));
    let fresh = standing.fresh.map(|(at, round)| {
        let mut key = prefix(Kind::Fresh, zone);
        key.extend(round.to_be_bytes());
        place(key, at)
    });
    let wakes = standing.earliest().filter(|at| *at > Timestamp::MIN).map(|at| by_time(prefix(Kind::Wakes, ""), at));
    let changes = standing.changes_at.map(|at| by_time(prefix(Kind::Changes, ""), at));
    [business, pass, retry, fresh, wakes, changes].into_iter().flatten().collect()
}

/// Writes a place; one that is there under the same key is older, and makes way.
pub(super) const PUT: &str =
    "INSERT OR REPLACE INTO place (evaluation, key, ready_at, contact, stood) VALUES (?, ?, ?, ?, ?)";

/// Writes few places.
pub(super) fn put(all: &mut Statements, places: &[(i64, Place)]) {
    for (evaluation, place) in places {
        all.add(PUT).bind(evaluation).bind(place.key.as_slice());
        all.bind(place.ready_at).bind(place.contact).bind(place.stood);
    }
}

/// Writes any number of places.
pub(super) fn put_all(conn: &Connection, places: &[(i64, Place)]) -> Result<(), Fault> {
    let doing = "writing places";
    let mut put = conn.prepare_cached(PUT).doing(doing)?;
    for (evaluation, Place { key, ready_at, contact, stood }) in places {
        put.execute(params![evaluation, key, ready_at, contact, stood]).doing(doing)?;
    }
    Ok(())
}

/// Takes places away that do not count.
pub(super) fn sweep(conn: &Connection, evaluation: i64, keys: &[Vec<u8>]) -> Result<(), Fault> {
    const SQL: &str = "DELETE FROM place WHERE (evaluation, key) IN (SELECT ?1, unhex(value) FROM json_each(?2)) \
                       AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.id = place.contact AND c.stood = place.stood)";
    let keys: Vec<String> = keys.iter().map(|key| row::hex(key)).collect();
    let query = sql::query(SQL).bind(evaluation).bind(json!(keys).to_string());
    query.execute(conn).doing("taking places away").map(drop)
}

/// All places of a contact, with their evaluations: each of its campaign's is looked at.
pub(super) fn of(conn: &Connection, campaign: &CampaignId, contact: ContactRef) -> Result<Vec<(i64, Stale)>, Fault> {
    const OF: &str = "WITH of AS (SELECT e.id FROM evaluation e JOIN campaign k ON k.id = e.campaign WHERE k.slug = ?2) \
                      SELECT 0, evaluation, key, stood FROM main.place WHERE contact = ?1 AND evaluation IN of \
                      UNION ALL SELECT 1, evaluation, key, stood FROM orders.place WHERE contact = ?1 AND evaluation IN of";
    let query = sql::query_as(OF).bind(contact.0).bind(campaign.as_str());
    let found: Vec<(bool, i64, Vec<u8>, i64)> = query.fetch_all(conn).doing("looking for a contact's places")?;
    let stale = |(ordered, evaluation, key, stood)| (evaluation, Stale { ordered, key, stood });
    Ok(found.into_iter().map(stale).collect())
}

/// Deletes the first places of a range, at most so many; how many.
pub(super) fn delete(
    conn: &Connection,
    evaluation: i64,
    (begin, end): (&[u8], &[u8]),
    most: usize,
) -> Result<usize, Fault> {
    const SQL: &str = "DELETE FROM place WHERE evaluation = ?1 AND key >= ?2 AND key < coalesce((SELECT key FROM place \
                       WHERE evaluation = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1 OFFSET ?4), ?3)";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let query = sql::query(SQL).bind(evaluation).bind(begin).bind(end).bind(most);
    let deleted = query.execute(conn).doing("clearing old places away")?;
    Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
}
