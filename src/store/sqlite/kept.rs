//! Counting contacts by what keeps them: all of a campaign's in one snapshot, or if they are many in short looks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    contact::{self, KEPT_COLUMNS, campaign_key, column, contact_columns, contact_joins, kept_columns},
    do_not_call::entries_column,
    fault::{Doing, Fault},
    intent, read,
    sql::{self, Row},
    writer::Shared,
};
use crate::{
    domain::{
        campaign::{Campaign, Generation},
        contact::{Contact, Number},
        do_not_call::{self, Entry},
        facts::verdict,
        gate::NumberHistory,
        ids::CampaignId,
        kept::{self, Kept, KeptBy, Known},
        order,
    },
    store::{Tally, pseudonym, row},
};

/// Contacts that one look goes past, so that of many no reader keeps the log from shrinking.
const LOOK: i64 = 10_000;

/// Contacts ?2 to ?3 of a campaign, as [`contact::kept`] reads them; what do-not-call lists say of their numbers; and
/// where caps ask for it, whether one of these was ever called, and how often the customer was.
const CONTACTS: &str = concat!(
    "SELECT ",
    kept_columns!(),
    ", ",
    entries_column!("?4"),
    ", ?5 AND EXISTS (SELECT 1 FROM json_each(p.numbers) n CROSS JOIN attempt a ON a.number = n.value ->> 1), \
     iif(?6, (SELECT coalesce(sum(o.attempts), 0) FROM campaign ok CROSS JOIN contact o ON o.campaign = ok.id AND \
     o.customer_id = c.customer_id), 0) FROM contact c",
    contact_joins!(),
    "WHERE c.id > ?2 AND c.id <= ?3 AND +c.campaign = ?1"
);

/// The counts of a campaign, and what keeps its contacts at `now` if there are at most `most`, all in this snapshot.
pub(super) fn at_once(
    conn: &Connection,
    shared: &Shared,
    campaign: &CampaignId,
    now: Timestamp,
    most: u64,
) -> Result<(Tally, Option<Vec<Kept>>), Fault> {
    let tally = read::tally(conn, campaign)?;
    if tally.contacts > most {
        return Ok((tally, None));
    }
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some((some, last)) = look(conn, shared, campaign, after, now)? {
        all.extend(some);
        after = last;
    }
    Ok((tally, Some(kept::counted(all))))
}

/// What keeps contacts of a campaign at `now`, of those after `after`, and where the next look begins;
/// `None` once all have been looked at.
pub(super) fn look(
    conn: &Connection,
    shared: &Shared,
    campaign: &CampaignId,
    after: i64,
    now: Timestamp,
) -> Result<Option<(Vec<Kept>, i64)>, Fault> {
    let key = campaign_key(conn, campaign)?;
    let Some(generation) = shared.generation() else { return Ok(None) };
    let Some(defined) = generation.definitions.campaigns.get(campaign) else { return Ok(None) };
    const IDS: &str = "SELECT coalesce(first_contact, 1), coalesce(last_contact, 0) FROM campaign WHERE id = ?1";
    let ids = sql::query_as(IDS).bind(key).fetch_one(conn);
    let (first, last): (i64, i64) = ids.doing("counting contacts")?;
    let after = after.max(first - 1);
    if after >= last {
        return Ok(None);
    }
    let to = after + LOOK;
    let mut look =
        Look { shared, generation: &generation, campaign: defined, now, erased: BTreeSet::new(), kept: Vec::new() };
    look.erased = look.erased(conn)?;
    let later = look.rows(conn, key, (after, to))?;
    look.called(conn, later)?;
    Ok(Some((kept::counted(look.kept), to)))
}

/// A look at some contacts.
struct Look<'a> {
    shared: &'a Shared,
    generation: &'a Generation,
    campaign: &'a Campaign,
    now: Timestamp,
    /// What stands for numbers of contacts that were erased.
    erased: BTreeSet<String>,
    kept: Vec<Kept>,
}

/// A contact that has not ended, as its row tells of it.
struct Found {
    contact: Contact,
    entries: Vec<Vec<Entry>>,
    kept: (KeptBy, Option<Timestamp>),
}

impl Look<'_> {
    /// Whether the campaign has caps on calls to a number.
    fn is_capped(&self) -> bool {
        self.campaign.limits.on_a_number().next().is_some()
    }

    fn erased(&self, conn: &Connection) -> Result<BTreeSet<String>, Fault> {
        if !self.is_capped() {
            return Ok(BTreeSet::new());
        }
        let (begin, end) = pseudonym::RANGE;
        let query = sql::query_scalar("SELECT DISTINCT number FROM attempt WHERE number >= ?1 AND number < ?2");
        let numbers: Vec<String> = query.bind(begin).bind(end).fetch_all(conn).doing("counting contacts")?;
        Ok(numbers.into_iter().collect())
    }

    /// Counts contacts by their rows; those of which the calls to their numbers must be asked for are left.
    fn rows(&mut self, conn: &Connection, key: i64, ids: (i64, i64)) -> Result<Vec<Found>, Fault> {
        let mut later = Vec::new();
        let query = sql::query(CONTACTS).bind(key).bind(ids.0).bind(ids.1);
        let query = query.bind(row::lists_text(&self.campaign.do_not_call)).bind(self.is_capped());
        let query = query.bind(self.campaign.limits.max_attempts_per_contact.is_some());
        query.while_some(conn, "counting contacts", |row| {
            let Some(found) = self.found(row)? else { return Ok(Some(())) };
            let is_erased = |number: &Number| self.erased.contains(&self.shared.pseudonyms.number(&number.e164));
            let erased = !self.erased.is_empty() && found.contact.progress.numbers.iter().any(is_erased);
            if found.kept.0.is_unasked() && (erased || column(row, KEPT_COLUMNS + 1)?) {
                later.push(found);
            } else {
                let to_customer = column(row, KEPT_COLUMNS + 2)?;
                self.count(found, &NumberHistory { to_customer, ..NumberHistory::default() });
            }
            Ok(Some(()))
        })?;
        Ok(later)
    }

    /// A contact in a row of [`CONTACTS`]; `None` if it has ended.
    fn found(&self, row: &Row) -> Result<Option<Found>, Fault> {
        let contact::Kept { mut contact, live, paused_out, .. } = contact::kept(row)?;
        if contact.progress.is_over() && !live {
            return Ok(None);
        }
        let entries = row::entries(column(row, KEPT_COLUMNS)?, contact.progress.numbers.len())?;
        // As it is once picking has come past it.
        let screened = do_not_call::screened(&contact.progress, &entries, &self.campaign.do_not_call, self.now);
        contact.progress = screened.unwrap_or(contact.progress);
        let known = Known { on_call: live, filtered_out: !self.campaign.matches(&contact.attributes), paused_out };
        let kept = kept::kept_by(self.campaign, &contact, known, self.now);
        Ok(Some(Found { contact, entries, kept }))
    }

    /// Counts contacts whose numbers have been called.
    fn called(&mut self, conn: &Connection, all: Vec<Found>) -> Result<(), Fault> {
        for found in all {
            let next = order::next(self.campaign, &found.contact, self.now).map_or(0, |next| next.number);
            let place = (&found.contact, next);
            let history = intent::history(conn, self.shared, self.campaign, place, self.now)?;
            self.count(found, &history);
        }
        Ok(())
    }

    fn count(&mut self, found: Found, history: &NumberHistory) {
        let Found { contact, entries, kept } = found;
        let (settings, ledger) = (&self.shared.settings, self.shared.ledger());
        let ask = || verdict::own_hold(&contact, self.now, history, &entries, self.generation, settings, &ledger);
        let hold = if kept.0.is_unasked() { ask() } else { None };
        let (by, until) = kept::kept_by_hold(kept, hold.as_ref());
        drop(ledger);
        self.kept.push(Kept { by, until, contacts: 1 });
    }
}
