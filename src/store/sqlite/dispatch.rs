//! The durable outbox: rows are written in the transaction of what they tell of, and read lane by lane.

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    attempts,
    contact::{self, Kept, column},
    do_not_call,
    fault::{Doing, Fault},
    sql::{self, Row},
    statements::Statements,
};
use crate::{
    domain::{
        campaign::{Campaign, Generation},
        contact::Progress,
        do_not_call::holding,
        ids::{AttemptId, CampaignId, ContactRef, CustomerId, DoNotCallId},
    },
    store::{
        AllDispatchCounts, Channel, DispatchCounts, DispatchEvent, DispatchFacts, DispatchFilter, DispatchId,
        DispatchRecord, DispatchState, Lane, LanePage, Tried, Waiting,
        dispatch::{NOT_ITS_TURN, park_at},
        row::{self, damaged, micros},
    },
};

/// What is overdue that one transaction parks: few, since intents wait meanwhile.
const PARKED_AT_ONCE: u32 = 200;

/// Keeps where a campaign tells of its calls, and what it sends to whom it did not reach.
pub(super) fn follow(conn: &Connection, defined: &Campaign) -> Result<(), Fault> {
    const SQL: &str = "UPDATE campaign SET callback = coalesce(?2, callback), tells = ?2 IS NOT NULL, \
                       failure_sms = ?3 WHERE slug = ?1";
    let callback = defined.callback.as_ref().map(row::callback_text);
    let sms = defined.failure_sms.as_ref().map(|sms| sms.as_str());
    let query = sql::query(SQL).bind(defined.id.as_str()).bind(callback).bind(sms);
    query.execute(conn).doing("writing where a campaign tells of calls").map(drop)
}

/// The same for campaigns of which it is not known yet, as of a store of an earlier version.
pub(super) fn follow_all(conn: &Connection, generation: &Generation) -> Result<(), Fault> {
    const SQL: &str = "SELECT slug, iif(tells, callback, NULL), failure_sms FROM campaign";
    let rows: Vec<(String, Option<String>, Option<String>)> =
        sql::query_as(SQL).fetch_all(conn).doing("reading where campaigns tell of calls")?;
    for (slug, callback, sms) in rows {
        let defined = CampaignId::parse(&slug).ok().and_then(|id| generation.definitions.campaigns.get(&id));
        let Some(defined) = defined else { continue };
        let known = callback == defined.callback.as_ref().map(row::callback_text)
            && sms.as_deref() == defined.failure_sms.as_ref().map(|sms| sms.as_str());
        if !known {
            follow(conn, defined)?;
        }
    }
    Ok(())
}

/// Writes down what an attempt's campaign is told of it, once.
pub(super) fn tell(all: &mut Statements, attempt: AttemptId, event: DispatchEvent, (at, now): (Timestamp, Timestamp)) {
    const SQL: &str = "INSERT INTO dispatch (channel, campaign, contact, attempt, event, state, made_at, due_at, park_at) \
                       SELECT 'callback', a.campaign, a.contact, a.id, ?, 'pending', ?, \
                       iif(EXISTS (SELECT 1 FROM dispatch d WHERE d.contact = a.contact AND d.channel = 'callback' \
                       AND d.state = 'pending'), NULL, ?), ? \
                       FROM attempt a JOIN campaign k ON k.id = a.campaign WHERE a.id = ? AND k.tells \
                       ON CONFLICT DO NOTHING";
    all.add(SQL).bind(event.as_str()).bind(micros(at)).bind(micros(now)).bind(micros(park_at(now)));
    all.bind(attempt.to_i64());
}

/// Writes down that a customer is sent a text message, if the contact ends now without having been reached.
pub(super) fn not_reached(all: &mut Statements, kept: &Kept, after: &Progress, now: Timestamp) {
    if kept.contact.progress.is_not_reached() || !after.is_not_reached() {
        return;
    }
    const SQL: &str = "INSERT INTO dispatch (channel, campaign, contact, event, state, made_at, due_at, park_at) \
                       SELECT 'sms', id, ?, 'not_reached', 'pending', ?, ?, ? FROM campaign \
                       WHERE id = ? AND failure_sms IS NOT NULL ON CONFLICT DO NOTHING";
    let (at, reference) = (micros(now), kept.contact.reference);
    all.add(SQL).bind(reference.0).bind(at).bind(at).bind(micros(park_at(now))).bind(kept.campaign);
}

/// The newest row that there has been.
pub(super) fn newest(conn: &Connection) -> Result<i64, Fault> {
    let query = sql::query_scalar("SELECT coalesce(max(id), 0) FROM dispatch");
    query.fetch_one(conn).doing("looking for what is to be told")
}

/// Lanes of rows after `newest`, and the newest of all.
pub(super) fn news(conn: &Connection, newest: i64) -> Result<(Vec<Lane>, i64), Fault> {
    let last = self::newest(conn)?;
    if last <= newest {
        return Ok((Vec::new(), newest));
    }
    const SQL: &str = "SELECT DISTINCT d.channel, k.slug FROM dispatch d JOIN campaign k ON k.id = d.campaign \
                       WHERE d.id > ?1 AND d.due_at IS NOT NULL";
    let rows = sql::query(SQL).bind(newest).fetch_all(conn).doing("looking for what is to be told")?;
    Ok((rows.iter().map(lane).collect::<Result<_, _>>()?, last))
}

/// All lanes in which something waits.
pub(super) fn lanes(conn: &Connection) -> Result<Vec<Lane>, Fault> {
    const SQL: &str = "SELECT w.channel, k.slug FROM campaign k CROSS JOIN (SELECT 'callback' AS channel UNION ALL \
                       SELECT 'sms') w WHERE EXISTS (SELECT 1 FROM dispatch d WHERE d.channel = w.channel AND \
                       d.campaign = k.id AND d.due_at IS NOT NULL)";
    let rows = sql::query(SQL).fetch_all(conn).doing("looking for what is to be told")?;
    rows.iter().map(lane).collect()
}

fn lane(row: &Row<'_>) -> Result<Lane, Fault> {
    Ok(Lane { channel: channel(row, 0)?, campaign: campaign(row, 1)? })
}

fn channel(row: &Row<'_>, index: usize) -> Result<Channel, Fault> {
    Channel::parse(column(row, index)?).ok_or_else(|| damaged("dispatch.channel").into())
}

fn campaign(row: &Row<'_>, index: usize) -> Result<CampaignId, Fault> {
    CampaignId::parse(column(row, index)?).map_err(|_| damaged("campaign.slug").into())
}

/// The first of a lane, by time.
pub(super) fn page(conn: &Connection, lane: &Lane, limit: u32) -> Result<LanePage, Fault> {
    let doing = "reading what is to be told";
    let query = sql::query_as("SELECT id, callback FROM campaign WHERE slug = ?1").bind(lane.campaign.as_str());
    let found: Option<(i64, Option<String>)> = query.fetch_optional(conn).doing(doing)?;
    let Some((key, callback)) = found else { return Ok(LanePage::default()) };
    const SQL: &str = "SELECT id, due_at FROM dispatch WHERE channel = ?1 AND campaign = ?2 AND due_at IS NOT NULL \
                       ORDER BY due_at, id LIMIT ?3";
    let query = sql::query_as(SQL).bind(lane.channel.as_str()).bind(key).bind(limit);
    let rows: Vec<(i64, i64)> = query.fetch_all(conn).doing(doing)?;
    let waiting = |(id, due_at): (i64, i64)| Ok(Waiting { id: DispatchId(id), due_at: row::timestamp(due_at)? });
    Ok(LanePage {
        callback: callback.as_deref().map(row::callback).transpose()?,
        waiting: rows.into_iter().map(waiting).collect::<Result<_, Fault>>()?,
    })
}

/// The columns that [`record`] takes.
macro_rules! record_columns {
    () => {
        "SELECT d.id, d.channel, d.event, k.slug, c.customer_id, d.attempt, d.state, d.made_at, d.tries, d.due_at, \
         d.park_at, d.over_at, d.last_error, d.contact, d.claimed_at IS NOT NULL, k.callback, p.custom_field \
         FROM dispatch d JOIN campaign k ON k.id = d.campaign JOIN contact c ON c.id = d.contact \
         JOIN personal p ON p.contact = d.contact "
    };
}

fn record(row: &Row<'_>) -> Result<DispatchRecord, Fault> {
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    let attempt = |id| AttemptId::from_i64(id).ok_or_else(|| damaged("dispatch.attempt"));
    Ok(DispatchRecord {
        id: DispatchId(column(row, 0)?),
        channel: channel(row, 1)?,
        event: DispatchEvent::parse(column(row, 2)?).ok_or_else(|| damaged("dispatch.event"))?,
        campaign: campaign(row, 3)?,
        customer: CustomerId::parse(column(row, 4)?).map_err(|_| damaged("contact.customer_id"))?,
        attempt: column::<Option<i64>>(row, 5)?.map(attempt).transpose()?,
        state: DispatchState::parse(column(row, 6)?).ok_or_else(|| damaged("dispatch.state"))?,
        made_at: row::timestamp(column(row, 7)?)?,
        tries: column(row, 8)?,
        due_at: at(9)?,
        park_at: row::timestamp(column(row, 10)?)?,
        over_at: at(11)?,
        last_error: column(row, 12)?,
    })
}

/// What is read to tell something, while it is to be told; `lists` are those of its campaign.
pub(super) fn facts(
    conn: &Connection,
    id: DispatchId,
    lists: impl FnOnce(&CampaignId) -> Vec<DoNotCallId>,
    now: Timestamp,
) -> Result<Option<DispatchFacts>, Fault> {
    const SQL: &str = concat!(record_columns!(), "WHERE d.id = ?1 AND d.state = 'pending'");
    let row = sql::query(SQL).bind(id.0).fetch_optional(conn).doing("reading what is to be told")?;
    let Some(row) = row else { return Ok(None) };
    let (record, contact) = (record(&row)?, ContactRef(column(&row, 13)?));
    let contact = contact::load(conn, contact)?.ok_or_else(|| damaged("dispatch.contact"))?.contact;
    let attempt = record.attempt.map(|attempt| attempts::one(conn, attempt)).transpose()?.flatten();
    let lists = lists(&record.campaign);
    let entries = do_not_call::entries(conn, &lists, &contact)?;
    Ok(Some(DispatchFacts {
        callback: column::<Option<&str>>(&row, 15)?.map(row::callback).transpose()?,
        listed: entries.iter().map(|entries| holding(entries, &lists, now).is_some()).collect(),
        claimed: column(&row, 14)?,
        custom_field: column(&row, 16)?,
        record,
        attempt,
        contact,
    }))
}

/// Notes that a text message is about to be sent; `false` if it is not to be any more.
pub(super) fn claim(conn: &Connection, id: DispatchId, now: Timestamp) -> Result<bool, Fault> {
    const SQL: &str = "UPDATE dispatch SET claimed_at = ?2 WHERE id = ?1 AND state = 'pending' AND claimed_at IS NULL";
    let query = sql::query(SQL).bind(id.0).bind(micros(now));
    Ok(query.execute(conn).doing("claiming a text message")? > 0)
}

/// Writes what became of trying; nothing if it is over.
pub(super) fn tried(conn: &Connection, id: DispatchId, tried: &Tried, now: Timestamp) -> Result<(), Fault> {
    let doing = "writing what became of a message";
    match tried {
        Tried::Again { at, why } => {
            // An older one may have been taken up again meanwhile: that goes first.
            const SQL: &str = "UPDATE dispatch SET tries = tries + 1, last_error = ?3, claimed_at = NULL, \
                               due_at = iif(EXISTS (SELECT 1 FROM dispatch o WHERE o.contact = dispatch.contact AND \
                               o.channel = dispatch.channel AND o.state = 'pending' AND o.id < ?1), NULL, ?2) \
                               WHERE id = ?1 AND state = 'pending'";
            let query = sql::query(SQL).bind(id.0).bind(micros(*at)).bind(why);
            query.execute(conn).doing(doing).map(drop)
        }
        Tried::NotYet { at } => {
            const SQL: &str = "UPDATE dispatch SET due_at = ?2, park_at = ?3 WHERE id = ?1 AND state = 'pending'";
            let query = sql::query(SQL).bind(id.0).bind(micros(*at)).bind(micros(park_at(*at)));
            query.execute(conn).doing(doing).map(drop)
        }
        Tried::Undone => {
            let query = sql::query("DELETE FROM dispatch WHERE id = ?1 AND state = 'pending'").bind(id.0);
            query.execute(conn).doing(doing).map(drop)
        }
        Tried::Sent => end(conn, id, (DispatchState::Sent, None, 1), now),
        Tried::Parked { why } => end(conn, id, (DispatchState::Parked, Some(why), 1), now),
        Tried::Dropped { why } => end(conn, id, (DispatchState::Dropped, Some(why), 0), now),
    }
}

/// Ends one, and lets the next of its contact go.
fn end(
    conn: &Connection,
    id: DispatchId,
    (state, why, tries): (DispatchState, Option<&String>, u32),
    now: Timestamp,
) -> Result<(), Fault> {
    let doing = "writing what became of a message";
    const END: &str = "UPDATE dispatch SET state = ?2, due_at = NULL, over_at = ?3, last_error = ?4, \
                       tries = tries + ?5 WHERE id = ?1 AND state = 'pending' RETURNING channel, contact";
    let query = sql::query_as(END).bind(id.0).bind(state.as_str()).bind(micros(now)).bind(why).bind(tries);
    let ended: Option<(String, i64)> = query.fetch_optional(conn).doing(doing)?;
    let Some((channel, contact)) = ended else { return Ok(()) };
    release(conn, &channel, contact, now)
}

/// Lets the first that waits of a contact go, unless it may already.
fn release(conn: &Connection, channel: &str, contact: i64, now: Timestamp) -> Result<(), Fault> {
    const NEXT: &str = "UPDATE dispatch SET due_at = ?3 WHERE due_at IS NULL AND id = (SELECT min(id) FROM dispatch \
                        WHERE contact = ?1 AND channel = ?2 AND state = 'pending')";
    let query = sql::query(NEXT).bind(contact).bind(channel).bind(micros(now));
    query.execute(conn).doing("writing what became of a message").map(drop)
}

/// Parks some of those that were not taken in their time; their lanes.
pub(super) fn park_overdue(conn: &Connection, now: Timestamp) -> Result<Vec<Lane>, Fault> {
    const SQL: &str = "SELECT d.id, d.last_error, k.slug FROM dispatch d JOIN campaign k ON k.id = d.campaign \
                       WHERE d.channel = ?1 AND d.state = 'pending' AND d.park_at <= ?2 AND d.claimed_at IS NULL LIMIT ?3";
    let mut parked = Vec::new();
    for channel in Channel::ALL {
        let query = sql::query(SQL).bind(channel.as_str()).bind(micros(now)).bind(PARKED_AT_ONCE);
        for row in query.fetch_all(conn).doing("looking for what was not taken")? {
            let why = column::<Option<String>>(&row, 1)?.unwrap_or_else(|| NOT_ITS_TURN.to_owned());
            end(conn, DispatchId(column(&row, 0)?), (DispatchState::Parked, Some(&why), 0), now)?;
            parked.push(Lane { channel: *channel, campaign: campaign(&row, 2)? });
        }
    }
    Ok(parked)
}

/// Has parked ones tried again that a filter means, up to a limit; their lanes.
pub(super) fn retry(
    conn: &Connection,
    filter: &DispatchFilter,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Lane>, Fault> {
    let filter = DispatchFilter { state: Some(DispatchState::Parked), ..filter.clone() };
    let chosen = records(conn, &filter, None, limit)?;
    for record in &chosen {
        const SQL: &str = "UPDATE dispatch SET state = 'pending', over_at = NULL, claimed_at = NULL, due_at = NULL, \
                           park_at = ?2 WHERE id = ?1 RETURNING contact";
        let query = sql::query_scalar(SQL).bind(record.id.0).bind(micros(park_at(now)));
        let contact: i64 = query.fetch_one(conn).doing("trying a message again")?;
        hold_back(conn, record, contact)?;
        release(conn, record.channel.as_str(), contact, now)?;
    }
    Ok(chosen.into_iter().map(|record| Lane { channel: record.channel, campaign: record.campaign }).collect())
}

/// Whatever came later of the same contact waits for it.
fn hold_back(conn: &Connection, record: &DispatchRecord, contact: i64) -> Result<(), Fault> {
    const SQL: &str = "UPDATE dispatch SET due_at = NULL WHERE contact = ?1 AND channel = ?2 AND id > ?3 \
                       AND state = 'pending'";
    let query = sql::query(SQL).bind(contact).bind(record.channel.as_str()).bind(record.id.0);
    query.execute(conn).doing("trying a message again").map(drop)
}

/// Gives up those that a filter means and that are not over, up to a limit; their lanes.
pub(super) fn drop_some(
    conn: &Connection,
    filter: &DispatchFilter,
    (why, limit): (&str, u32),
    now: Timestamp,
) -> Result<Vec<Lane>, Fault> {
    let mut chosen = Vec::new();
    for state in [DispatchState::Parked, DispatchState::Pending] {
        if filter.state.is_none_or(|asked| asked == state) {
            let left = limit - u32::try_from(chosen.len()).unwrap_or(limit);
            chosen.extend(records(conn, &DispatchFilter { state: Some(state), ..filter.clone() }, None, left)?);
        }
    }
    for record in &chosen {
        // One that is parked holds nothing up.
        const SQL: &str = "UPDATE dispatch SET state = 'pending' WHERE id = ?1 AND state = 'parked'";
        sql::query(SQL).bind(record.id.0).execute(conn).doing("dropping a message")?;
        end(conn, record.id, (DispatchState::Dropped, Some(&why.to_owned()), 0), now)?;
    }
    Ok(chosen.into_iter().map(|record| Lane { channel: record.channel, campaign: record.campaign }).collect())
}

/// Gives up whatever is left to be told of a contact whose personal data goes.
pub(super) fn erase(all: &mut Statements, contact: ContactRef, now: Timestamp) {
    const SQL: &str = "UPDATE dispatch SET state = 'dropped', due_at = NULL, over_at = ?, last_error = 'erased' \
                       WHERE contact = ? AND state IN ('pending', 'parked')";
    all.add(SQL).bind(micros(now)).bind(contact.0);
}

/// Rows that a filter means, oldest first, those after `after`.
pub(super) fn records(
    conn: &Connection,
    filter: &DispatchFilter,
    after: Option<DispatchId>,
    limit: u32,
) -> Result<Vec<DispatchRecord>, Fault> {
    const SQL: &str = concat!(
        record_columns!(),
        "WHERE d.channel = ?1 AND d.state = ?2 AND d.id > ?3 AND d.id <= ?4 AND (?5 IS NULL OR k.slug = ?5) \
         ORDER BY d.id LIMIT ?6"
    );
    let after = after.map_or(0, |after| after.0);
    let (after, last) = filter.id.map_or((after, i64::MAX), |id| (after.max(id.0 - 1), id.0));
    let mut found = Vec::new();
    for channel in Channel::ALL.iter().filter(|channel| filter.channel.is_none_or(|asked| asked == **channel)) {
        for state in DispatchState::ALL.iter().filter(|state| filter.state.is_none_or(|asked| asked == **state)) {
            let query = sql::query(SQL).bind(channel.as_str()).bind(state.as_str()).bind(after).bind(last);
            let query = query.bind(filter.campaign.as_ref().map(CampaignId::as_str)).bind(limit);
            let rows = query.fetch_all(conn).doing("reading what is to be told")?;
            found.extend(rows.iter().map(record).collect::<Result<Vec<_>, _>>()?);
        }
    }
    found.sort_by_key(|record| record.id);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// What is told of a contact, oldest first.
pub(super) fn of_contact(conn: &Connection, contact: ContactRef) -> Result<Vec<DispatchRecord>, Fault> {
    const SQL: &str = concat!(record_columns!(), "WHERE d.contact = ?1 ORDER BY d.id");
    let rows = sql::query(SQL).bind(contact.0).fetch_all(conn).doing("reading what is told of a contact")?;
    rows.iter().map(record).collect()
}

/// How much waits, by channel.
pub(super) fn counts(conn: &Connection) -> Result<AllDispatchCounts, Fault> {
    let doing = "counting what is to be told";
    let count = |channel: &Channel| {
        const PENDING: &str = "SELECT count(*), min(park_at) FROM dispatch WHERE channel = ?1 AND state = 'pending'";
        const PARKED: &str = "SELECT count(*) FROM dispatch WHERE channel = ?1 AND state = 'parked'";
        let (pending, oldest): (i64, Option<i64>) =
            sql::query_as(PENDING).bind(channel.as_str()).fetch_one(conn).doing(doing)?;
        let parked: i64 = sql::query_scalar(PARKED).bind(channel.as_str()).fetch_one(conn).doing(doing)?;
        let oldest_parks_at = oldest.map(row::timestamp).transpose()?;
        let counts = DispatchCounts { pending: pending.unsigned_abs(), parked: parked.unsigned_abs(), oldest_parks_at };
        Ok((*channel, counts))
    };
    Channel::ALL.iter().map(count).collect()
}
