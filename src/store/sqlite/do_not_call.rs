//! Do-not-call lists: their entries, and the marks on contacts that hold them back from being picked.
//!
//! The gate reads the entries themselves. A mark (`listed_until` of a number) only keeps a contact out
//! of the ranges of who is next; it is written when picking first comes past the contact, so each
//! contact costs it once, and nothing has to be gone through when millions of entries are imported.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    contact::{self, Entered, Kept, column, contact_columns, contact_joins, kept_columns},
    fault::{Doing, Fault},
    sql::{self, Row},
    statements::Statements,
    stuck::Step,
    writer::Writer,
};
use crate::{
    domain::{
        contact::{Contact, Progress},
        do_not_call::{self, Entry, NewEntry},
        ids::{CampaignId, ContactRef, DoNotCallId},
        phone::E164,
    },
    store::{
        DoNotCallCounts, Evaluated, ListCount, ListedNumber, ListingOutcome, RELEASE_SLICE,
        row::{self, damaged, micros},
    },
};

/// What the lists of a parameter say of the numbers of `personal p`, as `row::entries` reads it.
macro_rules! entries_column {
    ($lists:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(n.key, d.list, d.expires_at)) FROM json_each(",
            $lists,
            ") l CROSS JOIN json_each(p.numbers) n \
             CROSS JOIN do_not_call d ON d.list = l.value AND d.number = n.value ->> 1)"
        )
    };
}
pub(super) use entries_column;

/// What lists say of each number of a contact, by index.
type Listings = Vec<Vec<Entry>>;

/// Adds entries to a list; those that had another expiry release whom they held.
pub(super) fn import(writer: &mut Writer, list: &DoNotCallId, entries: &[NewEntry]) -> Result<ListingOutcome, Fault> {
    let now = micros(writer.now());
    let conn = &writer.conn;
    let (mut known, mut outcome) = (existing(conn, list, entries)?, ListingOutcome::default());
    let (mut changed, mut updated) = (BTreeMap::new(), Vec::new());
    for NewEntry { number, expires_at } in entries {
        let expires_at = expires_at.map(micros);
        match known.insert(number.expose(), expires_at) {
            Some(before) if before == expires_at => {
                outcome.unchanged += 1;
                continue;
            }
            Some(_) => {
                outcome.updated += 1;
                updated.push(number.expose());
            }
            None => outcome.added += 1,
        }
        changed.insert(number.expose(), expires_at);
    }
    if changed.is_empty() {
        return Ok(outcome);
    }
    const PUT: &str = "INSERT INTO do_not_call (list, number, expires_at, imported_at) \
                       SELECT ?1, value ->> 0, value ->> 1, ?3 FROM json_each(?2) WHERE true \
                       ON CONFLICT (list, number) DO UPDATE SET expires_at = excluded.expires_at, \
                       imported_at = excluded.imported_at";
    let rows: Vec<Value> = changed.into_iter().map(|(number, expires_at)| json!([number, expires_at])).collect();
    let put = sql::query(PUT).bind(list.as_str()).bind(Value::Array(rows).to_string()).bind(now);
    put.execute(conn).doing("importing do-not-call entries")?;
    release(writer, &updated)?;
    rise(&writer.conn)?;
    Ok(outcome)
}

/// The expiry of those of `entries` that the list has, by number.
fn existing<'e>(
    conn: &Connection,
    list: &DoNotCallId,
    entries: &'e [NewEntry],
) -> Result<BTreeMap<&'e str, Option<i64>>, Fault> {
    const SQL: &str = "SELECT j.key, d.expires_at FROM json_each(?2) j \
                       CROSS JOIN do_not_call d ON d.list = ?1 AND d.number = j.value";
    let numbers: Vec<&str> = entries.iter().map(|entry| entry.number.expose()).collect();
    let query = sql::query_as(SQL).bind(list.as_str()).bind(json!(numbers).to_string());
    let rows: Vec<(i64, Option<i64>)> = query.fetch_all(conn).doing("looking for do-not-call entries")?;
    let number = |index: i64| usize::try_from(index).ok().and_then(|index| numbers.get(index).copied());
    Ok(rows.into_iter().filter_map(|(index, expires_at)| Some((number(index)?, expires_at))).collect())
}

/// Takes a number off a list and releases whom it held; whether it was there.
pub(super) fn remove(writer: &mut Writer, list: &DoNotCallId, number: &E164) -> Result<bool, Fault> {
    let query = sql::query("DELETE FROM do_not_call WHERE list = ?1 AND number = ?2");
    let query = query.bind(list.as_str()).bind(number.expose());
    let removed = query.execute(&writer.conn).doing("removing a do-not-call entry")? > 0;
    if removed {
        release(writer, &[number.expose()])?;
        rise(&writer.conn)?;
    }
    Ok(removed)
}

fn rise(conn: &Connection) -> Result<(), Fault> {
    let query = sql::query("UPDATE store SET do_not_call_version = do_not_call_version + 1");
    query.execute(conn).doing("counting a change of do-not-call lists").map(drop)
}

/// Whoever is marked because of one of `numbers` is screened anew before it is picked.
fn release(writer: &mut Writer, numbers: &[&str]) -> Result<(), Fault> {
    if numbers.is_empty() {
        return Ok(());
    }
    const HELD: &str = "SELECT DISTINCT l.contact FROM json_each(?1) j \
                        CROSS JOIN listed_number l INDEXED BY listed_number_number ON l.number = j.value";
    let held = sql::query_scalar(HELD).bind(json!(numbers).to_string()).fetch_all(&writer.conn);
    let held: Vec<i64> = held.doing("finding contacts that a list holds")?;
    let kept = load(&writer.conn, &held, &[])?;
    let released = kept.into_iter().map(|(kept, _)| (do_not_call::unlisted(&kept.contact.progress), kept));
    write(writer, released.collect())
}

/// Marks contacts of `campaign` as its lists want it at `now`.
pub(super) fn screen(
    writer: &mut Writer,
    campaign: &CampaignId,
    contacts: &[ContactRef],
    now: Timestamp,
) -> Result<(), Fault> {
    let Some(defined) = writer.defined(campaign) else { return Ok(()) };
    let contacts: Vec<i64> = contacts.iter().map(|contact| contact.0).collect();
    let kept = load(&writer.conn, &contacts, &defined.do_not_call)?;
    let screened = kept.into_iter().filter_map(|(kept, entries)| {
        let after = do_not_call::screened(&kept.contact.progress, &entries, &defined.do_not_call, now)?;
        Some((after, kept))
    });
    write(writer, screened.collect())
}

/// Contacts, and what `lists` say of their numbers.
fn load(conn: &Connection, contacts: &[i64], lists: &[DoNotCallId]) -> Result<Vec<(Kept, Listings)>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        kept_columns!(),
        ", ",
        entries_column!("?2"),
        " FROM json_each(?1) j CROSS JOIN contact c ON c.id = j.value",
        contact_joins!(),
        "ORDER BY c.id"
    );
    let query = sql::query(SQL).bind(json!(contacts).to_string()).bind(row::lists_text(lists));
    let rows = query.fetch_all(conn).doing("reading contacts that a list holds")?;
    let with_entries = |row: &Row<'_>| {
        let kept = contact::kept(row)?;
        let entries = row::entries(column(row, contact::KEPT_COLUMNS)?, kept.contact.progress.numbers.len())?;
        Ok((kept, entries))
    };
    rows.iter().map(with_entries).collect()
}

/// Writes other marks to contacts, each as its next version; nothing else of them may differ.
fn write(writer: &mut Writer, changed: Vec<(Progress, Kept)>) -> Result<(), Fault> {
    if changed.is_empty() {
        return Ok(());
    }
    let doing = "marking contacts that a list holds";
    let (mut contacts, mut marks, mut written, mut rules) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    for (progress, kept) in changed {
        let reference = kept.contact.reference.0;
        marks.extend(marked(&progress).map(|number| json!([reference, number])));
        let after = Contact { progress, version: kept.contact.version + 1, ..kept.contact };
        contacts.push(json!([reference, after.version, row::progress_text(&after.progress)]));
        rules.entry(kept.campaign).or_insert_with(|| writer.rules(&after.campaign));
        written.push(Kept { contact: after, stood: kept.stood + 1, ..kept });
    }
    let contacts = Value::Array(contacts).to_string();
    const CONTACTS: &str = "UPDATE contact SET version = value ->> 1, stood = stood + 1 FROM json_each(?) \
                            WHERE contact.id = value ->> 0";
    const PROGRESS: &str = "INSERT INTO progress (contact, numbers) SELECT value ->> 0, value ->> 2 \
                            FROM json_each(?) WHERE true \
                            ON CONFLICT (contact) DO UPDATE SET numbers = excluded.numbers";
    const UNMARK: &str = "DELETE FROM listed_number WHERE contact IN (SELECT value ->> 0 FROM json_each(?))";
    let mut all = Statements::default();
    for sql in [CONTACTS, PROGRESS, UNMARK] {
        all.add(sql).bind(&contacts);
    }
    all.add(MARK).bind(Value::Array(marks).to_string());
    let entered = written.iter().map(|kept| Entered {
        campaign: kept.campaign,
        rules: &rules[&kept.campaign],
        contact: &kept.contact,
        stood: kept.stood,
        live: kept.live,
        paused_out: kept.paused_out,
    });
    let entered: Vec<Entered<'_>> = entered.collect();
    all.execute(&writer.conn, doing)?;
    contact::enter_all(&writer.conn, &entered)
}

/// Writes marks: a list of contacts and numbers.
const MARK: &str = "INSERT INTO listed_number (contact, number) SELECT value ->> 0, value ->> 1 FROM json_each(?)";

/// Numbers that have a mark.
fn marked(progress: &Progress) -> impl Iterator<Item = &str> {
    progress.numbers.iter().filter(|number| number.listed_until.is_some()).map(|number| number.e164.expose())
}

/// Keeps the marks of a contact findable whose progress was written by itself.
pub(super) fn remark(all: &mut Statements, contact: ContactRef, before: &Progress, after: &Progress) {
    if marked(before).eq(marked(after)) {
        return;
    }
    all.add("DELETE FROM listed_number WHERE contact = ?").bind(contact.0);
    let marks: Vec<Value> = marked(after).map(|number| json!([contact.0, number])).collect();
    all.add(MARK).bind(Value::Array(marks).to_string());
}

/// What `lists` say of the numbers of a contact, by index.
pub(super) fn entries(conn: &Connection, lists: &[DoNotCallId], contact: &Contact) -> Result<Vec<Vec<Entry>>, Fault> {
    let numbers = contact.progress.numbers.len();
    if lists.is_empty() {
        return Ok(vec![Vec::new(); numbers]);
    }
    const SQL: &str = concat!("SELECT ", entries_column!("?2"), " FROM personal p WHERE p.contact = ?1");
    let query = sql::query_scalar(SQL).bind(contact.reference.0).bind(row::lists_text(lists));
    let text: String = query.fetch_one(conn).doing("reading do-not-call entries")?;
    Ok(row::entries(&text, numbers)?)
}

/// Notes that contacts of a campaign are to be released from lists that it follows no longer.
pub(super) fn begin_unlisting(conn: &Connection, campaign: i64) -> Result<(), Fault> {
    let query = sql::query("UPDATE campaign SET unlisted_to = 0 WHERE id = ?1").bind(campaign);
    query.execute(conn).doing("noting contacts to be released").map(drop)
}

/// Releases the next marked contacts of a campaign that follows fewer lists; `None` if there is none.
pub(super) fn unlist_slice(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    const PENDING: &str = "SELECT id, slug, unlisted_to FROM campaign WHERE unlisted_to IS NOT NULL ORDER BY slug";
    let pending = sql::query_as(PENDING).fetch_all(&writer.conn).doing("releasing contacts from a list")?;
    let pending: Vec<(i64, String, i64)> = pending;
    for (key, slug, after) in pending {
        let campaign = CampaignId::parse(&slug).map_err(|_| damaged("campaign.slug"))?;
        if !writer.is_stuck(Step::Lists, &campaign) {
            let unlisted = writer.try_for(Step::Lists, &campaign, |writer| unlist(writer, &campaign, key, after));
            return unlisted.map(Some);
        }
    }
    Ok(None)
}

/// The same for one campaign, behind a contact.
fn unlist(writer: &mut Writer, campaign: &CampaignId, key: i64, after: i64) -> Result<Evaluated, Fault> {
    let conn = &writer.conn;
    let doing = "releasing contacts from a list";
    // Marked contacts of whatever campaign: so a slice is short, however few of them are its own.
    const SLICE: &str = "SELECT DISTINCT l.contact, c.campaign FROM listed_number l CROSS JOIN contact c \
                         ON c.id = l.contact WHERE l.contact > ?1 ORDER BY l.contact LIMIT ?2";
    let slice = sql::query_as(SLICE).bind(after).bind(RELEASE_SLICE).fetch_all(conn);
    let slice: Vec<(i64, i64)> = slice.doing(doing)?;
    // Those of others may be unreadable, which is no matter of this one.
    let own: Vec<i64> = slice.iter().filter(|(_, campaign)| *campaign == key).map(|(contact, _)| *contact).collect();
    let kept = load(conn, &own, &[])?;
    let admitted = kept.iter().filter(|(kept, _)| !kept.contact.progress.is_over()).count() as u64;
    let released = kept.into_iter().map(|(kept, _)| (do_not_call::unlisted(&kept.contact.progress), kept));
    write(writer, released.collect())?;
    let complete = i64::try_from(slice.len()).is_ok_and(|read| read < RELEASE_SLICE);
    let reached = slice.last().map(|(contact, _)| *contact).filter(|_| !complete);
    let query = sql::query("UPDATE campaign SET unlisted_to = ?2 WHERE id = ?1").bind(key).bind(reached);
    query.execute(&writer.conn).doing(doing)?;
    Ok(Evaluated { campaign: campaign.clone(), admitted, complete })
}

/// How much the lists hold at `now`.
pub(super) fn counts(conn: &Connection, now: Timestamp) -> Result<DoNotCallCounts, Fault> {
    let doing = "counting do-not-call entries";
    let version = sql::query_scalar("SELECT do_not_call_version FROM store").fetch_one(conn);
    let version: i64 = version.doing(doing)?;
    const COUNT: &str =
        "SELECT list, count(*), count(*) FILTER (WHERE expires_at <= ?1) FROM do_not_call GROUP BY list";
    let rows = sql::query_as(COUNT).bind(micros(now)).fetch_all(conn);
    let rows: Vec<(String, i64, i64)> = rows.doing(doing)?;
    let list = |(list, entries, expired): (String, i64, i64)| {
        let list = DoNotCallId::parse(&list).map_err(|_| damaged("do_not_call.list"))?;
        Ok((list, ListCount { entries: entries.unsigned_abs(), expired: expired.unsigned_abs() }))
    };
    let lists = rows.into_iter().map(list).collect::<Result<_, Fault>>()?;
    Ok(DoNotCallCounts { version: version.unsigned_abs(), lists })
}

/// Entries of a list by number.
pub(super) fn page(
    conn: &Connection,
    list: &DoNotCallId,
    after: Option<&E164>,
    limit: u32,
) -> Result<Vec<ListedNumber>, Fault> {
    // No number is empty, and all are greater than that.
    const SQL: &str = "SELECT number, expires_at, imported_at FROM do_not_call WHERE list = ?1 AND number > ?2 \
                       ORDER BY number LIMIT ?3";
    let query = sql::query_as(SQL).bind(list.as_str()).bind(after.map_or("", E164::expose)).bind(limit);
    let rows: Vec<(String, Option<i64>, i64)> = query.fetch_all(conn).doing("reading do-not-call entries")?;
    let listed = |(number, expires_at, imported_at): (String, Option<i64>, i64)| {
        let entry = NewEntry { number: row::e164(&number)?, expires_at: expires_at.map(row::timestamp).transpose()? };
        Ok(ListedNumber { entry, imported_at: row::timestamp(imported_at)? })
    };
    rows.into_iter().map(listed).collect()
}
