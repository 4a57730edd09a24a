//! Readers: short cursors on connections of their own.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{Acquire, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
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
        call::Destination,
        campaign::{Campaign, DialPermission},
        contact::{Contact, ContactEnd},
        do_not_call::{self, Entry},
        gate::NumberHistory,
        ids::{AgentId, AttemptId, CampaignId, ContactRef, CustomerId, Epoch, LegId, Revision, TrunkId},
        order::{self, Next},
        phone::E164,
        reason::Hold,
        results::CallResult,
    },
    store::{
        AttemptRecord, CandidatePage, ContactHistory, LeftoverAttempt, LeftoverLeg, Leftovers, LegRecord,
        StoredCampaign, Tally, Why,
        ledger::monotonic,
        row::{self, damaged, micros},
        verdict::{self, Question},
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
    const SQL: &str = "SELECT slug, name, desired, revision, digest, retired FROM campaign ORDER BY slug";
    let rows = sqlx::query(SQL).fetch_all(conn).await.doing("reading campaigns")?;
    let campaign = |row: &SqliteRow| {
        Ok(StoredCampaign {
            id: CampaignId::parse(column(row, 0)?).map_err(|_| damaged("campaign.slug"))?,
            name: column(row, 1)?,
            desired: row::desired(column(row, 2)?)?,
            revision: Revision::parse(column(row, 3)?).ok_or_else(|| damaged("campaign.revision"))?,
            digest: column(row, 4)?,
            retired: column(row, 5)?,
        })
    };
    rows.iter().map(campaign).collect()
}

/// A range of one class's index, best first; `$index` and `$order` name it, `$ready` what of it is
/// ready. Nobody in a call, by customer or by any number, is among them.
macro_rules! ready_sql {
    ($index:literal, $ready:literal) => {
        concat!(
            "SELECT EXISTS (SELECT 1 FROM contact c INDEXED BY ",
            $index,
            " JOIN personal p ON p.contact = c.id WHERE c.campaign = ?1 AND ",
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
            entries_column!(),
            " FROM contact c INDEXED BY ",
            $index,
            contact_joins!(),
            "WHERE c.campaign = ?1 AND ",
            $ready,
            " AND NOT EXISTS (SELECT 1 FROM live_call l WHERE l.customer_id = c.customer_id) \
             AND NOT EXISTS (SELECT 1 FROM json_each(p.numbers) n JOIN live_number l ON l.number = n.value ->> 1) \
             ORDER BY ",
            $order,
            " LIMIT ?3"
        )
    };
}

/// The three ranges in serving order (`domain::order::Class`); each leaves out what the earlier hold.
pub(in crate::store) const READY: [&str; 3] = [
    ready_sql!("contact_pass", "c.pass_at <= ?2", "c.priority, c.import_order"),
    ready_sql!(
        "contact_retry",
        "c.retry_at <= ?2 AND (c.pass_at IS NULL OR c.pass_at > ?2)",
        "c.retry_at, c.priority, c.import_order"
    ),
    ready_sql!(
        "contact_fresh",
        "c.fresh_at <= ?2 AND (c.pass_at IS NULL OR c.pass_at > ?2) AND (c.retry_at IS NULL OR c.retry_at > ?2)",
        "c.priority, c.import_order"
    ),
];

/// Whether any contact of a class is ready but for a call of its customer.
const ON_CALL: [&str; 3] = [
    ready_sql!("contact_pass", "c.pass_at <= ?2"),
    ready_sql!("contact_retry", "c.retry_at <= ?2"),
    ready_sql!("contact_fresh", "c.fresh_at <= ?2"),
];

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
    let generation = shared.generation();
    let search = Search {
        permission: &shared.settings.permission,
        defined: generation
            .as_ref()
            .and_then(|generation| generation.definitions.campaigns.get(campaign))
            .map(Arc::as_ref),
        evaluating: evaluate::is_under_way(conn, key).await?,
        wanted: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let Picked { ready, unscreened, given_up: mut on_call } = search.run(conn, key, now).await?;
    if unscreened.is_empty() && ready.len() < search.wanted && !search.ranges().is_empty() {
        for sql in ON_CALL {
            let query = sqlx::query_scalar(sql).bind(key).bind(micros(now));
            let found: bool = query.fetch_one(&mut *conn).await.doing("picking contacts")?;
            on_call |= found;
        }
    }
    const WAKES: &str = "SELECT min(wakes_at) FROM contact INDEXED BY contact_wakes \
                         WHERE campaign = ?1 AND wakes_at IS NOT NULL AND wakes_at > ?2";
    let wakes = sqlx::query_scalar(WAKES).bind(key).bind(micros(now));
    let wakes: Option<i64> = wakes.fetch_one(&mut *conn).await.doing("picking contacts")?;
    let tally = counts(conn, key).await?;
    let caller_usage = caller_usage(conn, key).await?;
    let open = tally.fresh + tally.in_progress;
    let next_ready_at = wakes.map(row::timestamp).transpose()?;
    let matching = (!search.evaluating).then(|| open.saturating_sub(tally.filtered_out));
    let page = CandidatePage {
        ready,
        next_ready_at,
        on_call,
        cut: false,
        open,
        matching,
        total: tally.contacts,
        caller_usage,
    };
    Ok(Found { page, unscreened })
}

/// Contacts against a new filter, or to be screened, that one look goes past.
const SKIPPED_MAX: usize = 10_000;

/// What a search came past.
#[derive(Default)]
struct Picked {
    /// Contacts that may be called.
    ready: Vec<Contact>,
    /// Contacts that are not marked as do-not-call lists want it.
    unscreened: Vec<ContactRef>,
    /// Too many did not match a new filter.
    given_up: bool,
}

/// A search for contacts that are ready.
struct Search<'a> {
    permission: &'a DialPermission,
    /// The campaign as the generation in force has it.
    defined: Option<&'a Campaign>,
    /// Its filter has not been applied to all contacts yet.
    evaluating: bool,
    wanted: usize,
}

impl Search<'_> {
    fn ranges(&self) -> &'static [&'static str] {
        if *self.permission == DialPermission::None { &[] } else { &READY }
    }

    async fn run(&self, conn: &mut SqliteConnection, key: i64, now: Timestamp) -> Result<Picked, Fault> {
        let (mut picked, mut skipped) = (Picked::default(), 0);
        let lists = self.defined.map_or(&[][..], |campaign| &campaign.do_not_call);
        let lists_text = row::lists_text(lists);
        // Test numbers, who matches a new filter, and who is on no list, may stand anywhere in the order:
        // then the range has no limit but the page has.
        let all = *self.permission == DialPermission::All && !self.evaluating && lists.is_empty();
        for &sql in self.ranges() {
            let left = i64::try_from(self.wanted - picked.ready.len()).unwrap_or(i64::MAX);
            let query = sqlx::query(sql).bind(key).bind(micros(now)).bind(if all { left } else { i64::MAX });
            let mut rows = query.bind(&lists_text).fetch(&mut *conn);
            while picked.ready.len() < self.wanted && picked.unscreened.len() < SKIPPED_MAX {
                let Some(row) = rows.try_next().await.doing("picking contacts")? else { break };
                let contact = contact::read(&row)?;
                if self.defined.is_some_and(|campaign| !campaign.matches(&contact.attributes)) {
                    skipped += 1;
                    if skipped >= SKIPPED_MAX {
                        return Ok(Picked { given_up: true, ..picked });
                    }
                } else if verdict::may_be_called(self.permission, &contact) {
                    let entries = row::entries(column(&row, contact::COLUMNS)?, contact.progress.numbers.len())?;
                    match do_not_call::screened(&contact.progress, &entries, lists, now) {
                        Some(_) => picked.unscreened.push(contact.reference),
                        None => picked.ready.push(contact),
                    }
                }
            }
        }
        Ok(picked)
    }
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
             g.revision, i.daemon_version, i.tzdb_version, i.settings_digest, a.do_not_call_version FROM attempt a \
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
        number: row::e164(column(row, 4)?)?,
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
        revision: Revision::parse(column(row, 16)?).ok_or_else(|| damaged("generation.revision"))?,
        daemon_version: column(row, 17)?,
        tzdb_version: column(row, 18)?,
        settings_digest: column(row, 19)?,
        do_not_call_version: column::<i64>(row, 20)?.unsigned_abs(),
    })
}

fn index(number: i64) -> Result<usize, Fault> {
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

/// A contact with its attempts.
pub(super) async fn history(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<Option<ContactHistory>, Fault> {
    const SQL: &str = attempts_sql!("WHERE a.contact = ?1 ORDER BY a.id");
    let key = campaign_key(conn, campaign).await?;
    let Some(contact) = contact::find(conn, key, customer).await? else { return Ok(None) };
    let rows = sqlx::query(SQL).bind(contact.reference.0).fetch_all(conn).await.doing("reading attempts")?;
    let attempts = rows.iter().map(attempt).collect::<Result<_, _>>()?;
    Ok(Some(ContactHistory { contact, attempts }))
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
    let next = order::next(&history.contact, now);
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let lists = defined.map_or(&[][..], |campaign| &campaign.do_not_call);
    let entries = listing::entries(conn, lists, &history.contact).await?;
    let hold = match &next {
        Some(next) => hold(conn, shared, &history.contact, next, &entries, now).await?,
        None => None,
    };
    let do_not_call = entries.iter().map(|entries| do_not_call::holding(entries, lists, now).cloned()).collect();
    Ok(Some(Why { history, do_not_call, next, hold }))
}

async fn hold(
    conn: &mut SqliteConnection,
    shared: &Shared,
    contact: &Contact,
    next: &Next,
    do_not_call: &[Vec<Entry>],
    now: Timestamp,
) -> Result<Option<Hold>, Fault> {
    let Some(generation) = shared.generation() else { return Ok(Some(Hold::StoreUnavailable)) };
    let history = match generation.definitions.campaigns.get(&contact.campaign) {
        Some(campaign) => intent::history(conn, campaign, contact, next.number, now).await?,
        None => NumberHistory::default(),
    };
    let question = Question {
        now,
        mono: monotonic(shared.clock.now().mono),
        contact,
        picked_version: contact.version,
        number: next.number,
        trunk: None,
        history: &history,
        do_not_call: do_not_call.get(next.number).map_or(&[], Vec::as_slice),
    };
    Ok(verdict::ask(&question, &generation, &shared.settings, &shared.ledger()).err())
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
                            a.answered_at, a.connected_at, l.last_event_at, l.policy, l.local_date, l.next_day_at \
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
