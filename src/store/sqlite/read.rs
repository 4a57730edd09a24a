//! Readers: short cursors on connections of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    attempts, batch,
    contact::{self, campaign_key, column, contact_columns, contact_joins},
    do_not_call::{self as listing, entries_column},
    fault::{Doing, Fault},
    intent,
    place::{self, Kind, Stale},
    sql::{self, Row},
    writer::Shared,
};
use crate::{
    domain::{
        agent::Availability,
        campaign::{Campaign, DesiredState, DialPermission, Generation},
        contact::{Contact, ContactEnd, HELD_FOR_GOOD},
        do_not_call::{self, Entry},
        facts::{
            ledger::monotonic,
            verdict::{self, Question},
        },
        ids::{AgentId, CampaignId, ContactRef, CustomerId, Revision, SourceId},
        intent::PinnedRoom,
        order::{self, Next, Rank},
        phone::E164,
        reason::Hold,
        results::CallResult,
        zone::ContactZone,
    },
    store::{
        AppliedCommits, CandidatePage, ContactHistory, StoredCampaign, Tally, Why,
        row::{self, damaged, micros},
    },
};

/// The revision in force, and when it was applied; one that can't be read is no commit of any repository.
pub(super) fn applied(conn: &Connection) -> Result<Option<(Revision, Timestamp)>, Fault> {
    const SQL: &str = "SELECT g.revision, g.applied_at FROM store s JOIN generation g ON g.id = s.generation";
    let row: Option<(String, i64)> = sql::query_as(SQL).fetch_optional(conn).doing("reading the revision in force")?;
    let Some((revision, at)) = row else { return Ok(None) };
    Ok(Some((Revision::parse(&revision).unwrap_or_else(Revision::unknown), row::timestamp(at)?)))
}

/// The commit of each source that is in force, and since when it is; one that can't be read is none that there is.
pub(super) fn applied_commits(conn: &Connection) -> Result<AppliedCommits, Fault> {
    const SQL: &str = "SELECT source, revision, applied_at FROM source_commit";
    let rows = sql::query_as(SQL).fetch_all(conn).doing("reading the commits in force")?;
    let row = |(source, revision, at): (String, String, i64)| {
        let revision = Revision::parse(&revision).unwrap_or_else(Revision::unknown);
        Some((SourceId::parse(&source).ok()?, (revision, row::timestamp(at).ok()?)))
    };
    Ok(rows.into_iter().filter_map(row).collect())
}

/// Whether a commit was let in, or has been in force before.
pub(super) fn is_approved(conn: &Connection, revision: &Revision) -> Result<bool, Fault> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM approval WHERE revision = ?1) OR \
                       EXISTS (SELECT 1 FROM generation WHERE revision = ?1)";
    sql::query_scalar(SQL).bind(revision.as_str()).fetch_one(conn).doing("looking for an approval")
}

/// All campaigns by id.
pub(super) fn campaigns(conn: &Connection) -> Result<Vec<StoredCampaign>, Fault> {
    const SQL: &str = "SELECT slug, name, desired, revision, digest, retired, ends_at, removed_at, do_not_call \
                       FROM campaign ORDER BY slug";
    let rows = sql::query(SQL).fetch_all(conn).doing("reading campaigns")?;
    rows.iter().filter_map(|row| campaign(row).transpose()).collect()
}

/// A row of a campaign. One with a value that can't be read, as somebody has written who is not the daemon, must not
/// keep the others from being read; one whose id no file can have belongs to no campaign.
fn campaign(row: &Row<'_>) -> Result<Option<StoredCampaign>, Fault> {
    let Ok(id) = CampaignId::parse(column(row, 0)?) else { return Ok(None) };
    let (desired, revision) = (row::desired(column(row, 2)?).ok(), Revision::parse(column(row, 3)?));
    let do_not_call = row::lists(column(row, 8)?).ok();
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose().ok());
    let (ends_at, removed_at) = (at(6)?, at(7)?);
    let damaged =
        desired.is_none() || revision.is_none() || do_not_call.is_none() || ends_at.is_none() || removed_at.is_none();
    Ok(Some(StoredCampaign {
        id,
        name: column(row, 1)?,
        desired: desired.unwrap_or(DesiredState::Paused),
        revision: revision.unwrap_or_else(Revision::unknown),
        digest: if damaged { String::new() } else { column(row, 4)? },
        retired: column(row, 5)?,
        ends_at: ends_at.flatten(),
        removed_at: removed_at.flatten(),
        do_not_call: do_not_call.unwrap_or_default(),
        damaged,
    }))
}

/// Of one of both files, places of a range: see [`READY`].
macro_rules! ready {
    ($file:literal) => {
        concat!(
            "SELECT ",
            contact_columns!(),
            ", ",
            entries_column!("?5"),
            ", s.key AS place, c.stood = s.stood, s.stood, '",
            $file,
            "' = 'orders' FROM ",
            $file,
            ".place s CROSS JOIN contact c ON c.id = s.contact",
            contact_joins!(),
            "WHERE s.evaluation = ?1 AND s.key >= ?2 AND s.key < ?3 AND s.ready_at <= ?4 AND (c.stood <> s.stood OR \
             NOT (EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) OR EXISTS \
             (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1)))"
        )
    };
}

/// Places of a range, in order: contacts that are ready, but for those who are in a call, by customer or by
/// any number; and places that do not count, marked so.
pub(in crate::store) const READY: &str = concat!(ready!("main"), " UNION ALL ", ready!("orders"), " ORDER BY place");

/// Of one of both files, whether any contact of a range is ready but for a call of its customer.
macro_rules! on_call {
    ($file:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM ",
            $file,
            ".place s CROSS JOIN contact c ON c.id = s.contact CROSS JOIN personal p ON p.contact = c.id \
             WHERE s.evaluation = ?1 AND s.key >= ?2 AND s.key < ?3 AND s.ready_at <= ?4 AND c.stood = s.stood AND \
             (EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) OR EXISTS \
             (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1)))"
        )
    };
}

/// Whether any contact of a range is ready but for a call of its customer.
const ON_CALL: &str = concat!("SELECT ", on_call!("main"), " OR ", on_call!("orders"));

/// The first place of a range.
const FIRST: &str = "SELECT key FROM main.place WHERE evaluation = ?1 AND key >= ?2 AND key < ?3 UNION ALL \
                     SELECT key FROM orders.place WHERE evaluation = ?1 AND key >= ?2 AND key < ?3 \
                     ORDER BY key LIMIT 1";

/// Of one of both files, places of a range that say when, each with whether it counts.
macro_rules! due {
    ($file:literal) => {
        concat!(
            "SELECT s.key AS place, c.stood = s.stood, s.stood, '",
            $file,
            "' = 'orders' FROM ",
            $file,
            ".place s CROSS JOIN contact c ON c.id = s.contact \
             WHERE s.evaluation = ?1 AND s.key >= ?2 AND s.key < ?3"
        )
    };
}

/// Places of a range that say when, in order.
const DUE: &str = concat!(due!("main"), " UNION ALL ", due!("orders"), " ORDER BY place");

/// How many contacts a page looks at that time has made stand otherwise; the writer keeps them few.
const CHANGED_MAX: usize = 1_000;

/// What picking found.
pub(super) struct Found {
    /// The page.
    pub(super) page: CandidatePage,
    /// Contacts that stood in its way, and that are not marked as do-not-call lists want it.
    pub(super) unscreened: Vec<ContactRef>,
    /// The evaluation that it was read from.
    pub(super) evaluation: Option<i64>,
    /// Places of that, which it came past and which do not count.
    pub(super) stale: Vec<Stale>,
    /// It was given up before it had come to anybody.
    pub(super) given_up: bool,
}

impl Found {
    fn only(page: CandidatePage, evaluation: Option<i64>) -> Self {
        Self { page, unscreened: Vec::new(), evaluation, stale: Vec::new(), given_up: false }
    }
}

/// Up to `limit` contacts that are ready at `now`, with what else a hopper wants to know.
pub(super) fn candidates(
    conn: &Connection,
    shared: &Shared,
    campaign: &CampaignId,
    now: Timestamp,
    limit: u32,
) -> Result<Found, Fault> {
    let key = campaign_key(conn, campaign)?;
    let standing = standing(conn, key)?;
    let tally = counts(conn, key, standing.wanted)?;
    let open = tally.fresh + tally.in_progress;
    let evaluating = standing.wanted || standing.pausing;
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
        caller_usage: caller_usage(conn, key)?,
    };
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let (Some(campaign), Some(evaluation)) = (defined, standing.evaluation) else {
        return Ok(Found::only(page, standing.evaluation));
    };
    // What orders contacts is what they stand by, also while another definition is being applied to them.
    let by = shared.evaluations(&campaign.id);
    let by = by.by.filter(|_| by.standing == Some(evaluation));
    // Once a pause has been applied to them, contacts of the batch stand nowhere.
    let paused = if evaluating { batch::paused(conn, key)? } else { BTreeSet::new() };
    let mut search = Search {
        permission: &shared.settings.permission,
        campaign,
        by: by.as_ref().unwrap_or(campaign),
        evaluation,
        lists: row::lists_text(&campaign.do_not_call),
        evaluating,
        paused,
        now,
        wanted: usize::try_from(limit).unwrap_or(usize::MAX),
        skipped: 0,
        unscreened: BTreeMap::new(),
        stale: Vec::new(),
        later: None,
    };
    let zones = search.zones(conn)?;
    if search.permission != &DialPermission::None {
        (page.ready, page.pinned, page.on_call) = search.run(conn, &zones.open)?;
    }
    page.next_ready_at = [search.wakes_at(conn)?, zones.next_opening, search.later].into_iter().flatten().min();
    page.next_ready_at = page.next_ready_at.filter(|at| *at < HELD_FOR_GOOD);
    let unscreened = search.unscreened.into_keys().collect();
    let given_up = search.skipped >= SKIPPED_MAX && page.ready.is_empty();
    Ok(Found { page, unscreened, evaluation: Some(evaluation), stale: search.stale, given_up })
}

/// What contacts of a campaign stand by.
struct Standing {
    /// The evaluation that pages are read from.
    evaluation: Option<i64>,
    /// Whether another one is to take its place.
    wanted: bool,
    /// Whether the pause of a batch, or its end, is being applied.
    pausing: bool,
}

fn standing(conn: &Connection, campaign: i64) -> Result<Standing, Fault> {
    const SQL: &str = "SELECT evaluation, wanted, EXISTS (SELECT 1 FROM batch b WHERE b.campaign = campaign.id \
                       AND b.evaluated_to IS NOT NULL) FROM campaign WHERE id = ?1";
    let query = sql::query_as(SQL).bind(campaign);
    let (evaluation, wanted, pausing) = query.fetch_one(conn).doing("looking what contacts stand by")?;
    Ok(Standing { evaluation, wanted, pausing })
}

/// Where contacts of a campaign are awake.
struct Zones {
    /// Zones in which it may call now; the empty one for contacts of no zone of their own.
    open: Vec<String>,
    /// When the next of the others opens.
    next_opening: Option<Timestamp>,
}

/// Contacts against a new definition, or to be screened, that one look goes past.
const SKIPPED_MAX: usize = 10_000;

/// A search for contacts that are ready.
struct Search<'a> {
    permission: &'a DialPermission,
    /// The campaign as the generation in force has it.
    campaign: &'a Campaign,
    /// The same as contacts stand by it.
    by: &'a Campaign,
    /// Whose places are looked at.
    evaluation: i64,
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
    /// Places that do not count.
    stale: Vec<Stale>,
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
    fn knows(&self, contact: ContactRef) -> bool {
        self.ready.contains_key(&contact) || self.pinned.contains_key(&contact)
    }

    /// Those that are for anyone, and those that wait for an agent, best first: `wanted` of all, and
    /// `wanted` of each agent.
    fn best(self, wanted: usize) -> (Vec<(Rank, Contact)>, Vec<Contact>) {
        let mut ready: Vec<(Rank, Contact)> = self.ready.into_values().collect();
        ready.sort_by(|(a, _), (b, _)| a.cmp(b));
        ready.truncate(wanted);
        let mut pinned: Vec<(Rank, AgentId, Contact)> = self.pinned.into_values().collect();
        pinned.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut room = PinnedRoom::default();
        pinned.retain(|(_, agent, _)| room.take(agent, wanted));
        (ready, pinned.into_iter().map(|(.., contact)| contact).collect())
    }
}

/// What became of a row.
enum Look {
    /// It is ready.
    Entered,
    /// It is ready for the agent whom it waits for.
    Pinned,
    /// It was found before.
    Known,
    /// Whether a list holds it is yet to be written down.
    Listed,
    /// The place does not count.
    Stale,
    /// It is not ready, or not to be called.
    Not,
}

impl Search<'_> {
    /// The contacts, best first, those that wait for an agent apart, and whether others are left out for
    /// a call of their customer, or because it was given up before all had been looked at.
    fn run(&mut self, conn: &Connection, zones: &[String]) -> Result<(Vec<Contact>, Vec<Contact>, bool), Fault> {
        let mut found = Picked::default();
        let changed = place::prefix(Kind::Changes, "");
        let due = place::end_of_due(changed.clone(), micros(self.now));
        self.range(conn, Kind::Changes, (changed, due), &mut found)?;
        let awake = found.ready.len();
        for kind in Kind::SERVED {
            // A later class comes after all of an earlier one.
            if kind != Kind::Pinned && found.ready.len() - awake >= self.wanted {
                continue;
            }
            for zone in zones {
                for range in self.ranges(conn, kind, zone)? {
                    self.range(conn, kind, range, &mut found)?;
                }
            }
        }
        let full = found.ready.len() >= self.wanted;
        let (ready, pinned) = found.best(self.wanted);
        // Those behind the page are not in its way.
        if let Some((last, _)) = ready.last().filter(|_| full) {
            self.unscreened.retain(|_, rank| *rank < *last);
        }
        let ready = ready.into_iter().map(|(_, contact)| contact).collect();
        let given_up = self.skipped >= SKIPPED_MAX;
        let on_call = given_up || (!full && self.unscreened.is_empty() && self.any_on_call(conn, zones)?);
        Ok((ready, pinned, on_call))
    }

    /// Where those of a kind and a zone stand that are ready: of those who wait for agents, each agent's.
    fn ranges(&self, conn: &Connection, kind: Kind, zone: &str) -> Result<Vec<Range>, Fault> {
        let prefix = place::prefix(kind, zone);
        let now = micros(self.now);
        if kind != Kind::Pinned {
            let end =
                if kind.is_by_time() { place::end_of_due(prefix.clone(), now) } else { place::end(prefix.clone()) };
            return Ok(vec![(prefix, end)]);
        }
        let agents = self.names(conn, &prefix, |agent| place::pinned(zone, agent))?;
        let prefixes = agents.iter().map(|agent| place::pinned(zone, agent));
        Ok(prefixes.map(|prefix| (prefix.clone(), place::end_of_due(prefix, now))).collect())
    }

    /// The names that stand behind `prefix`; `with` gives the beginning of all keys with such a name.
    fn names(&self, conn: &Connection, prefix: &[u8], with: impl Fn(&str) -> Vec<u8>) -> Result<Vec<String>, Fault> {
        let (mut names, mut from, end) = (Vec::new(), prefix.to_vec(), place::end(prefix.to_vec()));
        loop {
            let first = sql::query_scalar(FIRST).bind(self.evaluation).bind(from).bind(end.clone());
            let first: Option<Vec<u8>> = first.fetch_optional(conn).doing("picking contacts")?;
            let Some(first) = first else { return Ok(names) };
            let name = place::name(&first, prefix.len()).ok_or_else(|| damaged("place.key"))?;
            from = place::end(with(name));
            names.push(name.to_owned());
        }
    }

    fn zones(&self, conn: &Connection) -> Result<Zones, Fault> {
        let mut zones = Zones { open: vec![String::new()], next_opening: None };
        if !(self.campaign.hours.is_in_contact_zone() || self.evaluating) {
            return Ok(zones);
        }
        let mut present = BTreeSet::new();
        for kind in Kind::SERVED {
            present.extend(self.names(conn, &[kind as u8], |zone| place::prefix(kind, zone))?);
        }
        for name in present.into_iter().filter(|name| !name.is_empty()) {
            let zone = ContactZone::parse(&name).ok_or_else(|| damaged("place.key"))?;
            let hours = self.campaign.hours.in_zone(&zone);
            // What stands there may be from an earlier definition, and is looked at one by one.
            if self.evaluating || hours.lets_through(self.now) {
                zones.open.push(name);
            } else {
                zones.next_opening = [zones.next_opening, hours.next_through(self.now)].into_iter().flatten().min();
            }
        }
        Ok(zones)
    }

    /// When the next contact gets ready, or stands otherwise.
    fn wakes_at(&mut self, conn: &Connection) -> Result<Option<Timestamp>, Fault> {
        let mut first = None;
        let mut passed = 0;
        for kind in [Kind::Wakes, Kind::Changes] {
            let prefix = place::prefix(kind, "");
            let (begin, end) = (place::end_of_due(prefix.clone(), micros(self.now)), place::end(prefix));
            let query = sql::query(DUE).bind(self.evaluation).bind(begin).bind(end);
            query.while_some(conn, "picking contacts", |row| {
                let key: Vec<u8> = column(row, 0)?;
                // The time of one that does not count is early at worst.
                if column(row, 1)? || passed == SKIPPED_MAX {
                    let at = place::due(&key).ok_or_else(|| damaged("place.key"))?;
                    first = [first, Some(row::timestamp(at)?)].into_iter().flatten().min();
                    return Ok(None);
                }
                passed += 1;
                self.stale.push(Stale { ordered: column(row, 3)?, key, stood: column(row, 2)? });
                Ok(Some(()))
            })?;
        }
        Ok(first)
    }

    /// Looks at a range, as far as there is room.
    fn range(&mut self, conn: &Connection, kind: Kind, (begin, end): Range, found: &mut Picked) -> Result<(), Fault> {
        let mut room = if kind == Kind::Changes { CHANGED_MAX } else { self.wanted };
        let query = sql::query(READY).bind(self.evaluation).bind(begin).bind(end);
        let query = query.bind(micros(self.now)).bind(&self.lists);
        query.while_some(conn, "picking contacts", |row| {
            if room == 0 || self.skipped >= SKIPPED_MAX || self.unscreened.len() >= SKIPPED_MAX {
                return Ok(None);
            }
            match self.look(row, found)? {
                Look::Entered => room -= 1,
                Look::Pinned => room -= usize::from(kind == Kind::Pinned),
                Look::Known | Look::Listed => {}
                Look::Stale | Look::Not => self.skipped += 1,
            }
            Ok(Some(()))
        })
    }

    /// Enters a contact if it is ready; tells what became of it, as far as its row knows.
    fn look(&mut self, row: &Row<'_>, found: &mut Picked) -> Result<Look, Fault> {
        if !column::<bool>(row, contact::COLUMNS + 2)? {
            let (key, stood) = (column(row, contact::COLUMNS + 1)?, column(row, contact::COLUMNS + 3)?);
            self.stale.push(Stale { ordered: column(row, contact::COLUMNS + 4)?, key, stood });
            return Ok(Look::Stale);
        }
        if found.knows(ContactRef(column(row, 0)?)) {
            return Ok(Look::Known);
        }
        let contact = contact::read(row)?;
        let paused = self.paused.contains(&column(row, contact::BATCH)?);
        let may =
            !paused && self.campaign.matches(&contact.attributes) && verdict::may_be_called(self.permission, &contact);
        let Some(next) = order::next(self.campaign, &contact, self.now).filter(|_| may) else { return Ok(Look::Not) };
        if next.ready_at > self.now {
            self.later = [self.later, Some(next.ready_at)].into_iter().flatten().min();
            return Ok(Look::Not);
        }
        let Some(rank) = self.rank(&contact) else { return Ok(Look::Not) };
        let reference = contact.reference;
        let entries = row::entries(column(row, contact::COLUMNS)?, contact.progress.numbers.len())?;
        if do_not_call::screened(&contact.progress, &entries, &self.campaign.do_not_call, self.now).is_some() {
            self.unscreened.insert(reference, rank);
            return Ok(Look::Listed);
        }
        let waits = order::pinned_to(self.campaign, &contact, next.class, self.now);
        match waits.map(|(agent, _)| agent.clone()) {
            Some(agent) => {
                found.pinned.insert(reference, (rank, agent, contact));
                Ok(Look::Pinned)
            }
            None => {
                found.ready.insert(reference, (rank, contact));
                Ok(Look::Entered)
            }
        }
    }

    /// A contact's place by what it stands by.
    fn rank(&self, contact: &Contact) -> Option<Rank> {
        let next = order::next(self.by, contact, self.now).filter(|next| next.ready_at <= self.now)?;
        Some(order::rank(self.by, contact, &next))
    }

    fn any_on_call(&self, conn: &Connection, zones: &[String]) -> Result<bool, Fault> {
        for kind in Kind::SERVED {
            for zone in zones {
                for (begin, end) in self.ranges(conn, kind, zone)? {
                    let query = sql::query_scalar(ON_CALL).bind(self.evaluation).bind(begin).bind(end);
                    if query.bind(micros(self.now)).fetch_one(conn).doing("picking contacts")? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

/// Keys from the first on, up to the second, which is not one of them.
type Range = (Vec<u8>, Vec<u8>);

fn caller_usage(conn: &Connection, campaign: i64) -> Result<BTreeMap<E164, u64>, Fault> {
    const SQL: &str = "SELECT caller_number, n FROM caller_usage WHERE campaign = ?1 AND n > 0";
    let rows = sql::query_as(SQL).bind(campaign).fetch_all(conn);
    let rows: Vec<(String, i64)> = rows.doing("reading the use of caller numbers")?;
    rows.into_iter().map(|(number, n)| Ok((row::e164(&number)?, n.unsigned_abs()))).collect()
}

/// Counts of a campaign.
pub(super) fn tally(conn: &Connection, campaign: &CampaignId) -> Result<Tally, Fault> {
    let key = campaign_key(conn, campaign)?;
    let standing = standing(conn, key)?;
    counts(conn, key, standing.wanted)
}

/// The counts of a campaign; what is left out is not known while another definition is `wanted`.
fn counts(conn: &Connection, campaign: i64, wanted: bool) -> Result<Tally, Fault> {
    const SQL: &str = "SELECT kind, name, n FROM tally WHERE campaign = ?1 AND n > 0 AND \
                       NOT (?2 AND kind IN ('filtered_out', 'paused_out'))";
    let rows = sql::query_as(SQL).bind(campaign).bind(wanted).fetch_all(conn);
    counted(rows.doing("reading counts")?)
}

/// The counts of all campaigns together.
pub(super) fn tally_of_all(conn: &Connection) -> Result<Tally, Fault> {
    const SQL: &str = "SELECT t.kind, t.name, sum(t.n) FROM tally t JOIN campaign k ON k.id = t.campaign \
                       WHERE t.n > 0 AND NOT (k.wanted AND t.kind IN ('filtered_out', 'paused_out')) GROUP BY 1, 2";
    counted(sql::query_as(SQL).fetch_all(conn).doing("reading counts")?)
}

fn counted(rows: Vec<(String, String, i64)>) -> Result<Tally, Fault> {
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

/// A campaign's contacts by customer.
pub(super) fn contacts_page(
    conn: &Connection,
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
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or("", CustomerId::as_str)).bind(limit);
    let rows = query.fetch_all(conn).doing("reading contacts")?;
    rows.iter().map(contact::read).collect()
}

/// A contact with its attempts.
pub(super) fn history(
    conn: &Connection,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<Option<ContactHistory>, Fault> {
    let key = campaign_key(conn, campaign)?;
    let Some(contact) = contact::find(conn, key, customer)? else { return Ok(None) };
    let attempts = attempts::of_contact(conn, contact.reference)?;
    let business = super::business::records(conn, contact.reference)?;
    let batch = batch::of(conn, contact.reference)?;
    Ok(Some(ContactHistory { contact, batch, attempts, business }))
}

/// What happened to a contact, what comes next and what holds it.
pub(super) fn why(
    conn: &Connection,
    shared: &Shared,
    campaign: &CampaignId,
    customer: &CustomerId,
    now: Timestamp,
) -> Result<Option<Why>, Fault> {
    let Some(history) = history(conn, campaign, customer)? else { return Ok(None) };
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let lists = defined.map_or(&[][..], |campaign| &campaign.do_not_call);
    let entries = listing::entries(conn, lists, &history.contact)?;
    let next = verdict::next(defined.map(Arc::as_ref), &history.contact, now);
    let hold = match (&generation, defined, &next) {
        (Some(generation), Some(campaign), Some(next)) => {
            hold(conn, shared, (generation, campaign), &history.contact, next, &entries, now)?
        }
        _ => verdict::without_work(generation.as_deref(), &history.contact, now),
    };
    let do_not_call = entries.iter().map(|entries| do_not_call::holding(entries, lists, now).cloned()).collect();
    Ok(Some(Why { history, do_not_call, next, hold }))
}

fn hold(
    conn: &Connection,
    shared: &Shared,
    (generation, campaign): (&Generation, &Campaign),
    contact: &Contact,
    next: &Next,
    do_not_call: &[Vec<Entry>],
    now: Timestamp,
) -> Result<Option<Hold>, Fault> {
    let history = intent::history(conn, shared, campaign, (contact, next.number), now)?;
    const PAUSED: &str = "SELECT b.paused FROM contact c JOIN batch b ON b.id = c.batch WHERE c.id = ?1";
    let batch_paused = sql::query_scalar(PAUSED).bind(contact.reference.0).fetch_one(conn);
    let batch_paused = batch_paused.doing("looking whether a batch is paused")?;
    let overrides = shared.overrides();
    let question = Question {
        now,
        mono: monotonic(shared.clock.now().mono),
        contact,
        picked_version: contact.version,
        number: next.number,
        batch_paused,
        rule: next.rule(contact),
        overridden: overrides.governing(&campaign.id, now).map(Arc::as_ref),
        agent: None,
        trunk: None,
        history: &history,
        do_not_call: do_not_call.get(next.number).map_or(&[], Vec::as_slice),
    };
    Ok(verdict::explain(&question, generation, &shared.settings, &shared.ledger()).err())
}

/// What agents last asked for.
pub(super) fn availabilities(conn: &Connection) -> Result<BTreeMap<AgentId, Availability>, Fault> {
    let rows = sql::query_as("SELECT id, availability FROM agent").fetch_all(conn);
    let rows: Vec<(String, String)> = rows.doing("reading agents")?;
    // One that can't be read must not sign the others out.
    let agent =
        |(id, availability): (String, String)| Some((AgentId::parse(&id).ok()?, Availability::parse(&availability)?));
    Ok(rows.into_iter().filter_map(agent).collect())
}
