//! Readers: short cursors on connections of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{Acquire, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    batch,
    contact::{self, Kept, campaign_key, column, contact_columns, contact_joins},
    do_not_call::{self as listing, entries_column},
    evaluate,
    fault::{Doing, Fault},
    intent,
    writer::Shared,
};
use crate::{
    domain::{
        agent::Availability,
        business::BusinessKey,
        call::Destination,
        campaign::{Campaign, DialPermission, Generation},
        contact::{Contact, ContactEnd, HELD_FOR_GOOD},
        do_not_call::{self, Entry},
        facts::{
            ledger::monotonic,
            verdict::{self, Question},
        },
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, Epoch, LegId, Revision, TrunkId},
        intent::PinnedRoom,
        order::{self, Next, Rank},
        phone::E164,
        reason::Hold,
        results::CallResult,
        zone::ContactZone,
    },
    store::{
        AttemptRecord, CandidatePage, ContactHistory, LeftoverAttempt, LeftoverLeg, Leftovers, LegRecord, Listed,
        StoredCampaign, Tally, Why, pseudonym,
        row::{self, damaged, micros},
    },
};

/// A snapshot to read from.
pub(super) async fn snapshot(conn: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, Fault> {
    conn.begin().await.doing("beginning to read")
}

/// The revision in force, and when it was applied.
pub(super) async fn applied(conn: &mut SqliteConnection) -> Result<Option<(Revision, Timestamp)>, Fault> {
    const SQL: &str = "SELECT g.revision, g.applied_at FROM store s JOIN generation g ON g.id = s.generation";
    let row: Option<(String, i64)> =
        sqlx::query_as(SQL).fetch_optional(conn).await.doing("reading the revision in force")?;
    let Some((revision, at)) = row else { return Ok(None) };
    Ok(Some((Revision::parse(&revision).ok_or_else(|| damaged("generation.revision"))?, row::timestamp(at)?)))
}

/// All campaigns by id.
pub(super) async fn campaigns(conn: &mut SqliteConnection) -> Result<Vec<StoredCampaign>, Fault> {
    const SQL: &str = "SELECT slug, name, desired, revision, digest, retired, ends_at FROM campaign ORDER BY slug";
    let rows = sqlx::query(SQL).fetch_all(conn).await.doing("reading campaigns")?;
    let campaign = |row: &SqliteRow| {
        Ok(StoredCampaign {
            id: CampaignId::parse(column(row, 0)?).map_err(|_| damaged("campaign.slug"))?,
            name: column(row, 1)?,
            desired: row::desired(column(row, 2)?)?,
            revision: Revision::parse(column(row, 3)?).ok_or_else(|| damaged("campaign.revision"))?,
            digest: column(row, 4)?,
            retired: column(row, 5)?,
            ends_at: column::<Option<i64>>(row, 6)?.map(row::timestamp).transpose()?,
        })
    };
    rows.iter().map(campaign).collect()
}

/// A range of one class's index, best first; `$index` and `$order` name it, `$ready` what of it is
/// ready. Nobody in a call, by customer or by any number, is among them, and nobody of [`CHANGED`].
macro_rules! ready_sql {
    ($index:literal, $ready:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM contact c INDEXED BY ",
            $index,
            " JOIN personal p ON p.contact = c.id WHERE c.campaign = ?1 AND c.zone = ?3 AND ",
            $ready,
            " AND (EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) \
             OR EXISTS (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1)))"
        )
    };
    ($index:literal, $ready:literal, $order:literal) => {
        concat!(
            "SELECT ",
            contact_columns!(),
            ", ",
            entries_column!("?5"),
            " FROM contact c INDEXED BY ",
            $index,
            contact_joins!(),
            "WHERE c.campaign = ?1 AND c.zone = ?4 AND ",
            $ready,
            " AND (c.changes_at IS NULL OR c.changes_at > ?2) \
             AND NOT EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) \
             AND NOT EXISTS (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1) \
             ORDER BY ",
            $order,
            " LIMIT ?3"
        )
    };
}

/// The four ranges in serving order (`domain::order::Class`); each leaves out what the earlier hold.
pub(in crate::store) const READY: [&str; 4] = [
    ready_sql!(
        "contact_business",
        "c.business_at <= ?2 AND c.pinned IS NULL",
        "c.business_at, c.sorted, c.priority, c.import_order"
    ),
    ready_sql!(
        "contact_pass",
        "c.pass_at <= ?2 AND (c.business_at IS NULL OR c.business_at > ?2)",
        "c.sorted, c.priority, c.import_order"
    ),
    ready_sql!(
        "contact_retry",
        "c.retry_at <= ?2 AND (c.business_at IS NULL OR c.business_at > ?2) \
         AND (c.pass_at IS NULL OR c.pass_at > ?2)",
        "c.retry_at, c.sorted, c.priority, c.import_order"
    ),
    ready_sql!(
        "contact_fresh",
        "c.fresh_at <= ?2 AND (c.business_at IS NULL OR c.business_at > ?2) \
         AND (c.pass_at IS NULL OR c.pass_at > ?2) AND (c.retry_at IS NULL OR c.retry_at > ?2)",
        "c.fresh_round, c.sorted, c.priority, c.import_order"
    ),
];

/// The range of those whose scheduled call waits for an agent.
pub(in crate::store) const PINNED: &str = ready_sql!(
    "contact_pinned",
    "c.pinned = ?6 AND c.business_at <= ?2",
    "c.business_at, c.sorted, c.priority, c.import_order"
);

/// Whether any contact is ready but for a call of its customer, class by class.
const ON_CALL: &str = concat!(
    "SELECT ",
    ready_sql!("contact_business", "c.business_at <= ?2 AND c.pinned IS NULL"),
    " OR ",
    ready_sql!("contact_pinned", "c.pinned IS NOT NULL AND c.business_at <= ?2"),
    " OR ",
    ready_sql!("contact_pass", "c.pass_at <= ?2"),
    " OR ",
    ready_sql!("contact_retry", "c.retry_at <= ?2"),
    " OR ",
    ready_sql!("contact_fresh", "c.fresh_at <= ?2"),
);

/// Contacts that time has made stand otherwise than the indexes have it.
const CHANGED: &str = concat!(
    "SELECT ",
    contact_columns!(),
    ", ",
    entries_column!("?5"),
    " FROM contact c INDEXED BY contact_changes",
    contact_joins!(),
    "WHERE c.campaign = ?1 AND c.changes_at <= ?2 \
     AND NOT EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) \
     AND NOT EXISTS (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1) \
     ORDER BY c.changes_at LIMIT ?3"
);

/// How many of [`CHANGED`] a page looks at; the writer keeps them few.
const CHANGED_MAX: i64 = 1_000;

/// What picking found.
pub(super) struct Found {
    /// The page.
    pub(super) page: CandidatePage,
    /// Contacts that stood in its way, and that are not marked as do-not-call lists want it.
    pub(super) unscreened: Vec<ContactRef>,
}

/// Up to `limit` contacts that are ready at `now`, with what else a hopper wants to know.
pub(super) async fn candidates(
    conn: &mut SqliteConnection,
    shared: &Shared,
    campaign: &CampaignId,
    now: Timestamp,
    limit: u32,
) -> Result<Found, Fault> {
    let key = campaign_key(conn, campaign).await?;
    let tally = counts(conn, key).await?;
    let open = tally.fresh + tally.in_progress;
    let evaluating = evaluate::is_under_way(conn, key).await?;
    let mut page = CandidatePage {
        ready: Vec::new(),
        pinned: Vec::new(),
        next_ready_at: None,
        on_call: false,
        cut: false,
        open,
        matching: (!evaluating).then(|| open.saturating_sub(tally.filtered_out)),
        paused: tally.paused,
        total: tally.contacts,
        caller_usage: caller_usage(conn, key).await?,
    };
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let Some(campaign) = defined.map(Arc::as_ref) else { return Ok(Found { page, unscreened: Vec::new() }) };
    // Once a pause has been applied to them, contacts of the batch are in no index.
    let paused = if evaluating { batch::paused(conn, key).await? } else { BTreeSet::new() };
    let mut search = Search {
        permission: &shared.settings.permission,
        campaign,
        lists: row::lists_text(&campaign.do_not_call),
        evaluating,
        paused,
        now,
        wanted: usize::try_from(limit).unwrap_or(usize::MAX),
        skipped: 0,
        unscreened: BTreeMap::new(),
        later: None,
    };
    let zones = zones(conn, key, &search).await?;
    if search.permission != &DialPermission::None {
        (page.ready, page.pinned, page.on_call) = search.run(conn, key, &zones.open).await?;
    }
    page.next_ready_at =
        [wakes_at(conn, key, now).await?, zones.next_opening, search.later].into_iter().flatten().min();
    page.next_ready_at = page.next_ready_at.filter(|at| *at < HELD_FOR_GOOD);
    let unscreened = search.unscreened.into_keys().collect();
    Ok(Found { page, unscreened })
}

/// When the next contact gets ready, or stands otherwise.
async fn wakes_at(conn: &mut SqliteConnection, key: i64, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    const WAKES: &str = "SELECT min(at) FROM (SELECT min(wakes_at) AS at FROM contact INDEXED BY contact_wakes \
                         WHERE campaign = ?1 AND wakes_at IS NOT NULL AND wakes_at > ?2 UNION ALL \
                         SELECT min(changes_at) FROM contact INDEXED BY contact_changes \
                         WHERE campaign = ?1 AND changes_at IS NOT NULL AND changes_at > ?2)";
    let wakes = sqlx::query_scalar(WAKES).bind(key).bind(micros(now));
    let wakes: Option<i64> = wakes.fetch_one(conn).await.doing("picking contacts")?;
    wakes.map(row::timestamp).transpose().map_err(Fault::from)
}

/// Where contacts of a campaign are awake.
struct Zones {
    /// Keys of the zones in which it may call now; 0 for contacts of no zone of their own.
    open: Vec<i64>,
    /// When the next of the others opens.
    next_opening: Option<Timestamp>,
}

async fn zones(conn: &mut SqliteConnection, key: i64, search: &Search<'_>) -> Result<Zones, Fault> {
    let mut zones = Zones { open: vec![0], next_opening: None };
    if !(search.campaign.hours.is_in_contact_zone() || search.evaluating) {
        return Ok(zones);
    }
    const PRESENT: &str = "SELECT id, name FROM zone z WHERE \
        EXISTS (SELECT 1 FROM contact INDEXED BY contact_fresh WHERE campaign = ?1 AND zone = z.id AND fresh_at NOT NULL) \
        OR EXISTS (SELECT 1 FROM contact INDEXED BY contact_retry WHERE campaign = ?1 AND zone = z.id AND retry_at NOT NULL) \
        OR EXISTS (SELECT 1 FROM contact INDEXED BY contact_pass WHERE campaign = ?1 AND zone = z.id AND pass_at NOT NULL) \
        OR EXISTS (SELECT 1 FROM contact INDEXED BY contact_business WHERE campaign = ?1 AND zone = z.id \
                   AND business_at NOT NULL AND pinned IS NULL) \
        OR EXISTS (SELECT 1 FROM contact INDEXED BY contact_pinned WHERE campaign = ?1 AND zone = z.id \
                   AND business_at NOT NULL AND pinned NOT NULL)";
    let present = sqlx::query_as(PRESENT).bind(key).fetch_all(conn).await;
    let present: Vec<(i64, String)> = present.doing("looking for zones")?;
    for (id, name) in present {
        let zone = ContactZone::parse(&name).ok_or_else(|| damaged("zone.name"))?;
        let hours = search.campaign.hours.in_zone(&zone);
        // What stands there may be from an earlier definition, and is looked at one by one.
        if search.evaluating || hours.lets_through(search.now) {
            zones.open.push(id);
        } else {
            zones.next_opening = [zones.next_opening, hours.next_through(search.now)].into_iter().flatten().min();
        }
    }
    Ok(zones)
}

/// Contacts against a new definition, or to be screened, that one look goes past.
const SKIPPED_MAX: usize = 10_000;

/// A search for contacts that are ready.
struct Search<'a> {
    permission: &'a DialPermission,
    /// The campaign as the generation in force has it.
    campaign: &'a Campaign,
    /// The do-not-call lists that it follows, as text.
    lists: String,
    /// It has not been applied to all contacts yet.
    evaluating: bool,
    /// Batches that are paused, as far as it has not been applied to their contacts.
    paused: BTreeSet<i64>,
    now: Timestamp,
    wanted: usize,
    skipped: usize,
    /// Contacts that would be ready, and are not marked as do-not-call lists want it.
    unscreened: BTreeMap<ContactRef, Rank>,
    /// When the first of those gets ready that were looked at and are not.
    later: Option<Timestamp>,
}

/// Contacts that were found to be ready, with their place.
#[derive(Default)]
struct Picked {
    ready: BTreeMap<ContactRef, (Rank, Contact)>,
    /// With the agent whom each waits for.
    pinned: BTreeMap<ContactRef, (Rank, AgentId, Contact)>,
}

impl Picked {
    /// The place of the last of `wanted` that are for anyone.
    fn last_rank(&self, wanted: usize) -> Option<Rank> {
        let mut ranks: Vec<&Rank> = self.ready.values().map(|(rank, _)| rank).collect();
        ranks.sort();
        ranks.into_iter().take(wanted).next_back().cloned()
    }

    /// Those that are for anyone, and those that wait for an agent, best first: `wanted` of all, and
    /// `wanted` of each agent.
    fn best(self, wanted: usize) -> (Vec<Contact>, Vec<Contact>) {
        let mut ready: Vec<(Rank, Contact)> = self.ready.into_values().collect();
        ready.sort_by(|(a, _), (b, _)| a.cmp(b));
        ready.truncate(wanted);
        let mut pinned: Vec<(Rank, AgentId, Contact)> = self.pinned.into_values().collect();
        pinned.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut room = PinnedRoom::default();
        pinned.retain(|(_, agent, _)| room.take(agent, wanted));
        let ready = ready.into_iter().map(|(_, contact)| contact).collect();
        (ready, pinned.into_iter().map(|(.., contact)| contact).collect())
    }
}

/// What became of a row.
enum Look {
    /// It is ready.
    Entered,
    /// Whether a list holds it is yet to be written down.
    Listed,
    /// It is not ready, or not to be called.
    Not,
}

impl Search<'_> {
    /// The contacts, best first, those that wait for an agent apart, and whether others are left out for
    /// a call of their customer, or because it was given up before all had been looked at.
    async fn run(
        &mut self,
        conn: &mut SqliteConnection,
        key: i64,
        zones: &[i64],
    ) -> Result<(Vec<Contact>, Vec<Contact>, bool), Fault> {
        let mut found = Picked::default();
        let changed = sqlx::query(CHANGED).bind(key).bind(micros(self.now)).bind(CHANGED_MAX).bind(0);
        let changed = changed.bind(self.lists.clone());
        for row in changed.fetch_all(&mut *conn).await.doing("picking contacts")? {
            self.look(&row, &mut found)?;
        }
        let awake = found.ready.len();
        for sql in READY {
            // A later class comes after all of an earlier one.
            if found.ready.len() - awake >= self.wanted {
                break;
            }
            for &zone in zones {
                self.range(conn, sql, (key, zone), None, &mut found).await?;
            }
        }
        for &zone in zones {
            for agent in pinning(conn, key, zone, self.now).await? {
                self.range(conn, PINNED, (key, zone), Some(&agent), &mut found).await?;
            }
        }
        let full = found.ready.len() >= self.wanted;
        // Those behind the page are not in its way.
        if let Some(last) = found.last_rank(self.wanted).filter(|_| full) {
            self.unscreened.retain(|_, rank| *rank < last);
        }
        let (ready, pinned) = found.best(self.wanted);
        let given_up = self.skipped >= SKIPPED_MAX;
        let on_call = given_up || (!full && self.unscreened.is_empty() && self.any_on_call(conn, key, zones).await?);
        Ok((ready, pinned, on_call))
    }

    /// Looks at one zone's range of a class, as far as the page has room.
    async fn range(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &'static str,
        (key, zone): (i64, i64),
        agent: Option<&str>,
        found: &mut Picked,
    ) -> Result<(), Fault> {
        // Test numbers, who matches a new definition, who is on no list, and who is awake while another of
        // the contact's numbers is not, may stand anywhere in the order: then the range has no limit but the
        // page has.
        let mixed = self.evaluating || self.campaign.hours.is_in_contact_zone();
        let listed = !self.campaign.do_not_call.is_empty();
        let all = *self.permission == DialPermission::All && !mixed && !listed;
        let limit = if all { i64::try_from(self.wanted).unwrap_or(i64::MAX) } else { i64::MAX };
        let query = sqlx::query(sql).bind(key).bind(micros(self.now)).bind(limit).bind(zone).bind(self.lists.clone());
        let query = if agent.is_some() { query.bind(agent) } else { query };
        let mut rows = query.fetch(conn);
        let mut room = self.wanted;
        while room > 0 && self.skipped < SKIPPED_MAX && self.unscreened.len() < SKIPPED_MAX {
            let Some(row) = rows.try_next().await.doing("picking contacts")? else { break };
            match self.look(&row, found)? {
                Look::Entered => room -= 1,
                Look::Listed => {}
                Look::Not => self.skipped += 1,
            }
        }
        Ok(())
    }

    /// Enters a contact if it is ready; tells what became of it, as far as its row knows.
    fn look(&mut self, row: &SqliteRow, found: &mut Picked) -> Result<Look, Fault> {
        let contact = contact::read(row)?;
        let paused = self.paused.contains(&column(row, contact::BATCH)?);
        let may =
            !paused && self.campaign.matches(&contact.attributes) && verdict::may_be_called(self.permission, &contact);
        let Some(next) = order::next(self.campaign, &contact, self.now).filter(|_| may) else { return Ok(Look::Not) };
        if next.ready_at > self.now {
            self.later = [self.later, Some(next.ready_at)].into_iter().flatten().min();
            return Ok(Look::Not);
        }
        let (rank, reference) = (order::rank(self.campaign, &contact, &next), contact.reference);
        let entries = row::entries(column(row, contact::COLUMNS)?, contact.progress.numbers.len())?;
        if do_not_call::screened(&contact.progress, &entries, &self.campaign.do_not_call, self.now).is_some() {
            self.unscreened.insert(reference, rank);
            return Ok(Look::Listed);
        }
        let waits = order::pinned_to(self.campaign, &contact, next.class, self.now);
        match waits.map(|(agent, _)| agent.clone()) {
            Some(agent) => drop(found.pinned.insert(reference, (rank, agent, contact))),
            None => drop(found.ready.insert(reference, (rank, contact))),
        }
        Ok(Look::Entered)
    }

    async fn any_on_call(&self, conn: &mut SqliteConnection, key: i64, zones: &[i64]) -> Result<bool, Fault> {
        for &zone in zones {
            let query = sqlx::query_scalar(ON_CALL).bind(key).bind(micros(self.now)).bind(zone);
            if query.fetch_one(&mut *conn).await.doing("picking contacts")? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Agents whom contacts of a zone wait for at `now`.
async fn pinning(conn: &mut SqliteConnection, key: i64, zone: i64, now: Timestamp) -> Result<Vec<String>, Fault> {
    const SQL: &str = "SELECT DISTINCT pinned FROM contact INDEXED BY contact_pinned \
                       WHERE campaign = ?1 AND zone = ?2 AND business_at <= ?3 AND pinned NOT NULL";
    let query = sqlx::query_scalar(SQL).bind(key).bind(zone).bind(micros(now));
    query.fetch_all(conn).await.doing("looking for agents that contacts wait for")
}

async fn caller_usage(conn: &mut SqliteConnection, campaign: i64) -> Result<BTreeMap<E164, u64>, Fault> {
    const SQL: &str = "SELECT caller_number, n FROM caller_usage WHERE campaign = ?1 AND n > 0";
    let rows = sqlx::query_as(SQL).bind(campaign).fetch_all(conn).await;
    let rows: Vec<(String, i64)> = rows.doing("reading the use of caller numbers")?;
    rows.into_iter().map(|(number, n)| Ok((row::e164(&number)?, n.unsigned_abs()))).collect()
}

/// Counts of a campaign.
pub(super) async fn tally(conn: &mut SqliteConnection, campaign: &CampaignId) -> Result<Tally, Fault> {
    let key = campaign_key(conn, campaign).await?;
    counts(conn, key).await
}

async fn counts(conn: &mut SqliteConnection, campaign: i64) -> Result<Tally, Fault> {
    const SQL: &str = "SELECT kind, name, n FROM tally WHERE campaign = ?1 AND n > 0";
    let rows = sqlx::query_as(SQL).bind(campaign).fetch_all(conn).await;
    let rows: Vec<(String, String, i64)> = rows.doing("reading counts")?;
    let mut tally = Tally::default();
    for (kind, name, n) in rows {
        let n = n.unsigned_abs();
        match (kind.as_str(), name.as_str()) {
            (contact::OPEN, contact::FRESH) => tally.fresh = n,
            (contact::OPEN, contact::IN_PROGRESS) => tally.in_progress = n,
            (contact::LIVE, _) => tally.live = n,
            (contact::FILTERED_OUT, _) => tally.filtered_out = n,
            (contact::PAUSED_OUT, _) => tally.paused = n,
            (contact::ENDED, how) => {
                let end = ContactEnd::parse(how).ok_or_else(|| damaged("tally.name"))?;
                tally.ended.insert(end.as_str(), n);
            }
            (contact::RESULT, result) => {
                let result = CallResult::parse(result).ok_or_else(|| damaged("tally.name"))?;
                tally.attempts.insert(result, n);
            }
            _ => return Err(damaged("tally.kind").into()),
        }
    }
    tally.contacts = tally.fresh + tally.in_progress + tally.ended.values().sum::<u64>();
    Ok(tally)
}

macro_rules! attempts_sql {
    ($tail:literal) => {
        concat!(
            "SELECT a.id, k.slug, c.customer_id, a.number_index, a.number, a.caller_number, a.agent, a.trunk, \
             a.placed_at, a.answered_at, a.connected_at, a.ended_at, a.result, a.fail_code, a.sip_status, a.q850, \
             g.revision, i.daemon_version, i.tzdb_version, i.settings_digest, a.do_not_call_version, a.rule, \
             (SELECT b.result FROM business_result b WHERE b.attempt = a.id ORDER BY b.id DESC LIMIT 1) \
             FROM attempt a \
             JOIN campaign k ON k.id = a.campaign JOIN contact c ON c.id = a.contact \
             JOIN generation g ON g.id = a.generation JOIN instance i ON i.epoch = a.id >> 32 ",
            $tail
        )
    };
}

/// A campaign's attempts by id.
pub(super) async fn attempts(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    after: Option<AttemptId>,
    limit: u32,
) -> Result<Vec<AttemptRecord>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.campaign = ?1 AND a.id > ?2 ORDER BY a.id LIMIT ?3");
    let key = campaign_key(conn, campaign).await?;
    let query = sqlx::query(SQL).bind(key).bind(after.map_or(-1, AttemptId::to_i64)).bind(limit);
    let rows = query.fetch_all(conn).await.doing("reading attempts")?;
    rows.iter().map(attempt).collect()
}

fn attempt(row: &SqliteRow) -> Result<AttemptRecord, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    let result = match column::<Option<&str>>(row, 12)? {
        Some(result) => Some(CallResult::parse(result).ok_or_else(|| damaged("attempt.result"))?),
        None => None,
    };
    Ok(AttemptRecord {
        attempt: AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("attempt.id"))?,
        campaign: CampaignId::parse(column(row, 1)?).map_err(|_| damaged("campaign.slug"))?,
        customer: CustomerId::parse(column(row, 2)?).map_err(|_| damaged("contact.customer_id"))?,
        number_index: index(column(row, 3)?)?,
        number: called(column(row, 4)?)?,
        rule: rule(row, 21)?,
        caller_number: row::e164(column(row, 5)?)?,
        agent: AgentId::parse(column(row, 6)?).map_err(|_| damaged("attempt.agent"))?,
        trunk: TrunkId::parse(column(row, 7)?).map_err(|_| damaged("attempt.trunk"))?,
        placed_at: row::timestamp(column(row, 8)?)?,
        answered_at: at(9)?,
        connected_at: at(10)?,
        ended_at: at(11)?,
        result,
        fail_code: column(row, 13)?,
        sip_status: column(row, 14)?,
        q850: column(row, 15)?,
        business: rule(row, 22)?,
        revision: Revision::parse(column(row, 16)?).ok_or_else(|| damaged("generation.revision"))?,
        daemon_version: column(row, 17)?,
        tzdb_version: column(row, 18)?,
        settings_digest: column(row, 19)?,
        do_not_call_version: column::<i64>(row, 20)?.unsigned_abs(),
    })
}

fn called(number: &str) -> Result<Option<E164>, Fault> {
    if pseudonym::is_erased(number) { Ok(None) } else { Ok(Some(row::e164(number)?)) }
}

fn rule(row: &SqliteRow, index: usize) -> Result<Option<BusinessKey>, Fault> {
    Ok(column::<Option<&str>>(row, index)?.map(row::business_key).transpose()?)
}

/// The index of a number.
pub(super) fn index(number: i64) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| damaged("attempt.number_index").into())
}

/// A campaign's contacts by customer.
pub(super) async fn contacts_page(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    after: Option<&CustomerId>,
    limit: u32,
) -> Result<Vec<Contact>, Fault> {
    // No customer's id is empty, and all are greater than that.
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        " FROM contact c",
        contact_joins!(),
        "WHERE c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id LIMIT ?3"
    );
    let key = campaign_key(conn, campaign).await?;
    let query = sqlx::query(SQL).bind(key).bind(after.map_or("", CustomerId::as_str)).bind(limit);
    let rows = query.fetch_all(conn).await.doing("reading contacts")?;
    rows.iter().map(contact::read).collect()
}

/// The same with what lists show beside them.
pub(super) async fn listed_page(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    after: Option<&CustomerId>,
    limit: u32,
) -> Result<Vec<Listed>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        ", (SELECT b.name FROM batch b WHERE b.id = c.batch), \
         EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id) FROM contact c",
        contact_joins!(),
        "WHERE c.campaign = ?1 AND c.customer_id > ?2 ORDER BY c.customer_id LIMIT ?3"
    );
    let key = campaign_key(conn, campaign).await?;
    let query = sqlx::query(SQL).bind(key).bind(after.map_or("", CustomerId::as_str)).bind(limit);
    let rows = query.fetch_all(conn).await.doing("reading contacts")?;
    let listed = |row: &SqliteRow| {
        Ok(Listed {
            contact: contact::read(row)?,
            batch: BatchId::parse(column(row, contact::COLUMNS)?).map_err(|_| damaged("batch.name"))?,
            live: column(row, contact::COLUMNS + 1)?,
        })
    };
    rows.iter().map(listed).collect()
}

/// A contact with its attempts.
pub(super) async fn history(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<Option<ContactHistory>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.contact = ?1 ORDER BY a.id");
    let key = campaign_key(conn, campaign).await?;
    let Some(contact) = contact::find(conn, key, customer).await? else { return Ok(None) };
    let rows = sqlx::query(SQL).bind(contact.reference.0).fetch_all(&mut *conn).await.doing("reading attempts")?;
    let attempts = rows.iter().map(attempt).collect::<Result<_, _>>()?;
    let business = super::business::records(conn, contact.reference).await?;
    Ok(Some(ContactHistory { contact, attempts, business }))
}

/// What happened to a contact, what comes next and what holds it.
pub(super) async fn why(
    conn: &mut SqliteConnection,
    shared: &Shared,
    campaign: &CampaignId,
    customer: &CustomerId,
    now: Timestamp,
) -> Result<Option<Why>, Fault> {
    let Some(history) = history(conn, campaign, customer).await? else { return Ok(None) };
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let lists = defined.map_or(&[][..], |campaign| &campaign.do_not_call);
    let entries = listing::entries(conn, lists, &history.contact).await?;
    let next = defined.and_then(|campaign| order::next(campaign, &history.contact, now));
    let hold = match (&generation, defined, &next) {
        (Some(generation), Some(campaign), Some(next)) => {
            hold(conn, shared, (generation, campaign), &history.contact, next, &entries, now).await?
        }
        _ => verdict::without_work(generation.as_deref(), &history.contact),
    };
    let do_not_call = entries.iter().map(|entries| do_not_call::holding(entries, lists, now).cloned()).collect();
    Ok(Some(Why { history, do_not_call, next, hold }))
}

async fn hold(
    conn: &mut SqliteConnection,
    shared: &Shared,
    (generation, campaign): (&Generation, &Campaign),
    contact: &Contact,
    next: &Next,
    do_not_call: &[Vec<Entry>],
    now: Timestamp,
) -> Result<Option<Hold>, Fault> {
    let history = intent::history(&mut *conn, shared, campaign, (contact, next.number), now).await?;
    const PAUSED: &str = "SELECT b.paused FROM contact c JOIN batch b ON b.id = c.batch WHERE c.id = ?1";
    let batch_paused = sqlx::query_scalar(PAUSED).bind(contact.reference.0).fetch_one(conn).await;
    let batch_paused = batch_paused.doing("looking whether a batch is paused")?;
    let question = Question {
        now,
        mono: monotonic(shared.clock.now().mono),
        contact,
        picked_version: contact.version,
        number: next.number,
        batch_paused,
        rule: next.rule(contact),
        agent: None,
        trunk: None,
        history: &history,
        do_not_call: do_not_call.get(next.number).map_or(&[], Vec::as_slice),
    };
    Ok(verdict::explain(&question, generation, &shared.settings, &shared.ledger()).err())
}

/// Legs and attempts of lives before `epoch`.
pub(super) async fn leftovers(conn: &mut SqliteConnection, epoch: Epoch) -> Result<Leftovers, Fault> {
    let doing = "reading what an earlier life left";
    let first_of_this = AttemptId { epoch, serial: 0 }.to_i64();
    const LEGS: &str = "SELECT id, agent, sip, number, caller_number, trunk, identity, answered FROM leg \
                        WHERE id < ?1 ORDER BY id";
    let legs = sqlx::query(LEGS).bind(first_of_this).fetch_all(&mut *conn).await.doing(doing)?;
    let legs = legs.iter().map(leg).collect::<Result<_, _>>()?;
    const ATTEMPTS: &str = "SELECT l.attempt, l.contact, a.number_index, a.caller_number, a.placed_at, \
                            a.answered_at, a.connected_at, l.last_event_at, l.policy, l.local_date, l.next_day_at, \
                            a.rule \
                            FROM live_call l JOIN attempt a ON a.id = l.attempt WHERE l.attempt < ?1 \
                            ORDER BY l.attempt";
    let rows = sqlx::query(ATTEMPTS).bind(first_of_this).fetch_all(&mut *conn).await.doing(doing)?;
    let mut attempts = Vec::with_capacity(rows.len());
    for row in &rows {
        let contact = contact::load(conn, ContactRef(column(row, 1)?)).await?;
        let Kept { contact, .. } = contact.ok_or_else(|| damaged("live_call.contact"))?;
        attempts.push(leftover(row, contact)?);
    }
    Ok(Leftovers { legs, attempts })
}

fn leftover(row: &SqliteRow, contact: Contact) -> Result<LeftoverAttempt, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    Ok(LeftoverAttempt {
        attempt: AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("live_call.attempt"))?,
        contact,
        number: index(column(row, 2)?)?,
        rule: rule(row, 11)?,
        caller_number: row::e164(column(row, 3)?)?,
        placed_at: row::timestamp(column(row, 4)?)?,
        answered_at: at(5)?,
        connected_at: at(6)?,
        last_event_at: row::timestamp(column(row, 7)?)?,
        policy: row::policy(column(row, 8)?)?,
        local_date: column::<&str>(row, 9)?.parse().map_err(|_| damaged("live_call.local_date"))?,
        next_day_at: row::timestamp(column(row, 10)?)?,
    })
}

fn leg(row: &SqliteRow) -> Result<LeftoverLeg, Fault> {
    let destination = match column::<Option<&str>>(row, 1)? {
        Some(agent) => {
            Destination::Agent { agent: AgentId::parse(agent).map_err(|_| damaged("leg.agent"))?, sip: column(row, 2)? }
        }
        None => Destination::Customer {
            number: row::e164(column(row, 3)?)?,
            caller_number: row::e164(column(row, 4)?)?,
            trunk: TrunkId::parse(column(row, 5)?).map_err(|_| damaged("leg.trunk"))?,
        },
    };
    let leg = LegId::from_i64(column(row, 0)?).ok_or_else(|| damaged("leg.id"))?;
    let record = LegRecord { leg, destination, identity: row::identity(column(row, 6)?)? };
    Ok(LeftoverLeg { record, answered: column(row, 7)? })
}

/// What agents last asked for.
pub(super) async fn availabilities(conn: &mut SqliteConnection) -> Result<BTreeMap<AgentId, Availability>, Fault> {
    let rows = sqlx::query_as("SELECT id, availability FROM agent").fetch_all(conn).await;
    let rows: Vec<(String, String)> = rows.doing("reading agents")?;
    let agent = |(id, availability): (String, String)| {
        let id = AgentId::parse(&id).map_err(|_| damaged("agent.id"))?;
        Ok((id, Availability::parse(&availability).ok_or_else(|| damaged("agent.availability"))?))
    };
    rows.into_iter().map(agent).collect()
}
