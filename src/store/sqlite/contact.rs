//! Contacts in their three tables: the hot row, the personal one, and progress.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    batch, dispatch, do_not_call, evaluate,
    evaluations::Evaluations,
    fault::{Doing, Fault},
    place::{self, Place},
    sql::{self, Column, Row},
    statements::Statements,
};
use crate::{
    domain::{
        attribute::Attributes,
        business::Business,
        campaign::{Campaign, Priority},
        contact::{Contact, ContactEnd, ContactStage, Progress},
        ids::{AttemptId, CampaignId, ContactRef, CustomerId},
        order,
        zone::ContactZone,
    },
    store::{
        attributes,
        row::{self, damaged},
    },
};

/// The columns that [`read`] takes, from `contact c`.
macro_rules! contact_columns {
    () => {
        "c.id, k.slug, c.customer_id, c.priority, c.import_order, c.not_before, c.version, c.pass, c.attempts, \
         c.ended, p.numbers, g.numbers, p.attributes, p.timezone, g.business, c.batch"
    };
}
/// The tables beside `contact c`; `CROSS JOIN` keeps the hot table outermost.
macro_rules! contact_joins {
    () => {
        " CROSS JOIN campaign k ON k.id = c.campaign CROSS JOIN personal p ON p.contact = c.id \
         LEFT JOIN progress g ON g.contact = c.id "
    };
}

/// The columns that [`kept`] takes.
macro_rules! kept_columns {
    () => {
        concat!(
            contact_columns!(),
            ", c.campaign, EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id), c.stood, \
             (SELECT b.paused FROM batch b WHERE b.id = c.batch), c.paused_out"
        )
    };
}

/// How many columns [`read`] takes.
pub(super) const COLUMNS: usize = 16;

/// Which of them is the key of the contact's batch.
pub(super) const BATCH: usize = 15;

/// With those that [`kept`] takes behind them.
pub(super) const KEPT_COLUMNS: usize = COLUMNS + 5;

pub(super) use {contact_columns, contact_joins, kept_columns};

/// A contact, and what the writer must know of its row.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The contact.
    pub(super) contact: Contact,
    /// Key of its campaign.
    pub(super) campaign: i64,
    /// Whether it has a live call.
    pub(super) live: bool,
    /// Its places are those that have this.
    pub(super) stood: i64,
    /// Key of its batch.
    pub(super) batch: i64,
    /// Whether its batch is paused.
    pub(super) batch_paused: bool,
    /// Whether that left it out when it was last applied.
    pub(super) paused_out: bool,
}

/// Reads one contact.
pub(super) fn load(conn: &Connection, contact: ContactRef) -> Result<Option<Kept>, Fault> {
    const SQL: &str = concat!("SELECT ", kept_columns!(), " FROM contact c", contact_joins!(), "WHERE c.id = ?1");
    let row = sql::query(SQL).bind(contact.0).fetch_optional(conn).doing("reading a contact")?;
    row.as_ref().map(kept).transpose()
}

/// Reads the contact that an attempt calls, while it has no outcome: it may be that its row among the live ones is gone,
/// as somebody has deleted it who is not the daemon.
pub(super) fn load_called(conn: &Connection, attempt: AttemptId) -> Result<Option<Kept>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        kept_columns!(),
        " FROM attempt a CROSS JOIN contact c ON c.id = a.contact",
        contact_joins!(),
        "WHERE a.id = ?1 AND a.result IS NULL"
    );
    let row = sql::query(SQL).bind(attempt.to_i64()).fetch_optional(conn).doing("reading a contact")?;
    row.as_ref().map(kept).transpose()
}

/// A row of [`kept_columns`].
pub(super) fn kept(row: &Row<'_>) -> Result<Kept, Fault> {
    kept_with(row, attributes_of(row)?)
}

/// The same, of which the attributes have been read.
pub(super) fn kept_with(row: &Row<'_>, attributes: Attributes) -> Result<Kept, Fault> {
    Ok(Kept {
        contact: read_with(row, attributes)?,
        campaign: column(row, COLUMNS)?,
        live: column(row, COLUMNS + 1)?,
        stood: column(row, COLUMNS + 2)?,
        batch: column(row, BATCH)?,
        batch_paused: column(row, COLUMNS + 3)?,
        paused_out: column(row, COLUMNS + 4)?,
    })
}

/// Finds one contact by its customer.
pub(super) fn find(conn: &Connection, campaign: i64, customer: &CustomerId) -> Result<Option<Contact>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        " FROM contact c",
        contact_joins!(),
        "WHERE c.campaign = ?1 AND c.customer_id = ?2"
    );
    let query = sql::query(SQL).bind(campaign).bind(customer.as_str());
    let row = query.fetch_optional(conn).doing("reading a contact")?;
    row.map(|row| read(&row)).transpose()
}

/// The contact in a row of [`contact_columns`].
pub(super) fn read(row: &Row<'_>) -> Result<Contact, Fault> {
    read_with(row, attributes_of(row)?)
}

fn read_with(row: &Row<'_>, attributes: Attributes) -> Result<Contact, Fault> {
    let mut numbers = row::numbers(column(row, 10)?)?;
    if let Some(progress) = column::<Option<&str>>(row, 11)? {
        row::read_progress(progress, &mut numbers)?;
    }
    let ended = ended(row)?;
    let business = match column::<Option<&str>>(row, 14)? {
        Some(business) => row::business(business, &numbers)?,
        None => Business::default(),
    };
    let progress = Progress { numbers, pass: column(row, 7)?, attempts: column(row, 8)?, ended, business };
    Ok(Contact {
        reference: ContactRef(column(row, 0)?),
        campaign: CampaignId::parse(column(row, 1)?).map_err(|_| damaged("campaign.slug"))?,
        customer: CustomerId::parse(column(row, 2)?).map_err(|_| damaged("contact.customer_id"))?,
        priority: Priority::new(column(row, 3)?).ok_or_else(|| damaged("contact.priority"))?,
        import_order: column(row, 4)?,
        not_before: column::<Option<i64>>(row, 5)?.map(row::timestamp).transpose()?,
        timezone: column::<Option<&str>>(row, 13)?.map(zone).transpose()?,
        attributes,
        version: column(row, 6)?,
        progress,
    })
}

/// Of a row of [`kept_columns`]: the key of the contact.
pub(super) fn key(row: &Row<'_>) -> Result<i64, Fault> {
    column(row, 0)
}

/// Of the same: whether nothing more is to be done for the contact.
pub(super) fn is_over(row: &Row<'_>) -> Result<bool, Fault> {
    // One that has ended may still have a call scheduled by a business result.
    Ok(ended(row)?.is_some() && (column::<Option<&str>>(row, 14)?.is_none() || read(row)?.progress.is_over()))
}

/// Of the same: whether the pause of its batch leaves it out.
pub(super) fn paused_out(row: &Row<'_>) -> Result<bool, Fault> {
    column(row, COLUMNS + 4)
}

/// Of the same: its attributes.
pub(super) fn attributes_of(row: &Row<'_>) -> Result<Attributes, Fault> {
    Ok(attributes::read(column(row, 12)?)?)
}

fn ended(row: &Row<'_>) -> Result<Option<ContactEnd>, Fault> {
    let end = |end| ContactEnd::parse(end).ok_or_else(|| damaged("contact.ended").into());
    column::<Option<&str>>(row, 9)?.map(end).transpose()
}

fn zone(name: &str) -> Result<ContactZone, Fault> {
    ContactZone::parse(name).ok_or_else(|| damaged("personal.timezone").into())
}

/// One column by position.
pub(super) fn column<'r, T: Column<'r>>(row: &'r Row<'_>, index: usize) -> Result<T, Fault> {
    row.get(index).doing("reading a row")
}

/// What decides how contacts of a campaign stand.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// The campaign as the generation in force has it; `None` while its file is gone: then nobody of it
    /// is called.
    pub(super) defined: Option<Arc<Campaign>>,
    /// Where they stand.
    pub(super) evaluations: Evaluations,
    /// As of when.
    pub(super) now: Timestamp,
}

impl Rules {
    /// The places of a contact, each with its evaluation; none while it is in a call, or its batch paused.
    fn places(&self, entered: &Entered<'_>) -> Vec<(i64, Place)> {
        let Entered { contact, stood, live, paused_out, .. } = *entered;
        let never = live || paused_out || contact.progress.is_over();
        let Some(defined) = self.defined.as_ref().filter(|_| !never) else {
            return Vec::new();
        };
        let standing = self.evaluations.standing.map(|id| (id, self.evaluations.by.as_ref().unwrap_or(defined)));
        let next = self.evaluations.next.as_ref().map(|next| (next.evaluation, &next.campaign));
        let both = standing.into_iter().chain(next).filter(|(_, campaign)| campaign.matches(&contact.attributes));
        let places = |(evaluation, campaign): (i64, &Arc<Campaign>)| {
            let standing = order::standing(campaign, contact, self.now);
            place::places(campaign, contact, stood, &standing).into_iter().map(move |place| (evaluation, place))
        };
        both.flat_map(places).collect()
    }

    /// Under what a contact is counted as left out.
    pub(super) fn left_out(&self, contact: &Contact, paused_out: bool) -> Option<&'static str> {
        let matches = self.defined.as_ref().is_none_or(|campaign| campaign.matches(&contact.attributes));
        left_out(&contact.progress, !matches, paused_out)
    }
}

/// Writes `progress` to a contact as its next version, with what follows from it: how it stands, and
/// the campaign's counts. `live` says whether it has a live call afterwards.
pub(super) fn write(all: &mut Statements, rules: &Rules, before: &Kept, progress: &Progress, live: bool) {
    let after = Contact { progress: progress.clone(), version: before.contact.version + 1, ..before.contact.clone() };
    stand(all, rules, before, &after, live);
    let was = &before.contact.progress;
    if (&progress.numbers, &progress.business) != (&was.numbers, &was.business) {
        write_numbers(all, after.reference, was, progress);
    }
    dispatch::not_reached(all, before, progress, rules.now);
    recount(all, rules, before, (&after, before.paused_out));
    moved(all, before, state(was, before.live), state(progress, live));
}

/// Writes a contact that is not in a call and has become `after`, with what follows from it.
pub(super) fn rewrite(all: &mut Statements, rules: &Rules, before: &Kept, after: &Contact) {
    const CONTACT: &str =
        "UPDATE contact SET customer_id = ?, priority = ?, not_before = ?, paused_out = ? WHERE id = ?";
    all.add(CONTACT)
        .bind(after.customer.as_str())
        .bind(after.priority.get())
        .bind(after.not_before.map(row::micros))
        .bind(before.batch_paused)
        .bind(after.reference.0);
    let (was, progress) = (&before.contact.progress, &after.progress);
    const PERSONAL: &str = "UPDATE personal SET numbers = ?, timezone = ?, attributes = ? WHERE contact = ?";
    let numbers = progress.numbers.iter().map(|number| (&number.category, &number.e164));
    all.add(PERSONAL)
        .bind(row::numbers_text(numbers))
        .bind(after.timezone.as_ref().map(ContactZone::name))
        .bind(attributes::text(&after.attributes))
        .bind(after.reference.0);
    write_numbers(all, after.reference, was, progress);
    let paused = Kept { paused_out: before.batch_paused, ..before.clone() };
    stand(all, rules, &paused, after, false);
    dispatch::not_reached(all, before, progress, rules.now);
    recount(all, rules, before, (after, before.batch_paused));
    moved(all, before, state(was, false), state(progress, false));
}

/// Counts a contact as left out under another name, or no longer.
pub(super) fn recount(all: &mut Statements, rules: &Rules, before: &Kept, (after, paused_out): (&Contact, bool)) {
    let was = rules.left_out(&before.contact, before.paused_out);
    let is = rules.left_out(after, paused_out);
    if was == is {
        return;
    }
    let both = [(was, -1), (is, 1)].into_iter().filter_map(|(kind, by)| Some(((kind?, ""), by)));
    counts(all, before.campaign, &both.collect::<Vec<_>>());
}

/// Writes a contact's own row, and how it stands.
fn stand(all: &mut Statements, rules: &Rules, before: &Kept, contact: &Contact, live: bool) {
    const SQL: &str = "UPDATE contact SET stood = ?, version = ?, pass = ?, attempts = ?, ended = ? WHERE id = ?";
    let (progress, stood) = (&contact.progress, before.stood + 1);
    all.add(SQL).bind(stood).bind(contact.version).bind(progress.pass).bind(progress.attempts);
    all.bind(progress.ended.map(ContactEnd::as_str)).bind(contact.reference.0);
    let (campaign, paused_out) = (before.campaign, before.paused_out);
    let entered = Entered { campaign, rules, contact, stood, live, paused_out };
    if rules.defined.is_none() {
        evaluate::want(all, campaign);
    }
    place::put(all, &entered.places());
}

/// A contact of which `contact.stood` has risen.
pub(super) struct Entered<'a> {
    /// Key of its campaign.
    pub(super) campaign: i64,
    /// What decides how it stands.
    pub(super) rules: &'a Rules,
    /// The contact as it is now.
    pub(super) contact: &'a Contact,
    /// What the column has now.
    pub(super) stood: i64,
    /// Whether it has a live call.
    pub(super) live: bool,
    /// Whether the pause of its batch leaves it out.
    pub(super) paused_out: bool,
}

impl Entered<'_> {
    /// Its places, of which an evaluation under way now knows.
    fn places(&self) -> Vec<(i64, Place)> {
        if let Some(next) = &self.rules.evaluations.next {
            next.touch(self.contact, self.paused_out);
        }
        self.rules.places(self)
    }
}

/// Writes the places of contacts; those that they had count no longer.
pub(super) fn enter_all(conn: &Connection, all: &[Entered<'_>]) -> Result<(), Fault> {
    // Without a definition they stand nowhere, which is made good when there is one again.
    let undefined: BTreeSet<i64> = all.iter().filter(|it| it.rules.defined.is_none()).map(|it| it.campaign).collect();
    let mut wanted = Statements::default();
    undefined.into_iter().for_each(|campaign| evaluate::want(&mut wanted, campaign));
    wanted.execute(conn, "noting contacts without a definition")?;
    let places: Vec<(i64, Place)> = all.iter().flat_map(Entered::places).collect();
    place::put_all(conn, &places)
}

fn write_numbers(all: &mut Statements, contact: ContactRef, was: &Progress, progress: &Progress) {
    const SQL: &str = "INSERT INTO progress (contact, numbers, held, business) VALUES (?, ?, ?, ?) \
                       ON CONFLICT (contact) DO UPDATE SET numbers = excluded.numbers, held = excluded.held, \
                       business = excluded.business";
    let scheduled = progress.business.scheduled.iter().map(|call| &call.tries);
    let held = progress.numbers.iter().chain(scheduled).filter_map(|tries| tries.held_until).max();
    all.add(SQL).bind(contact.0).bind(row::progress_text(progress)).bind(held.map(row::micros));
    all.bind(row::business_text(&progress.business));
    do_not_call::remark(all, contact, was, progress);
}

/// Marks an unchanged contact as being in a call, or no longer.
pub(super) fn set_live(all: &mut Statements, rules: &Rules, kept: &Kept, live: bool) {
    stand(all, rules, kept, &kept.contact, live);
    let progress = &kept.contact.progress;
    moved(all, kept, state(progress, !live), state(progress, live));
}

/// Under what a contact is counted as left out: the filter goes before the pause of a batch.
pub(super) fn left_out(progress: &Progress, filtered_out: bool, paused_out: bool) -> Option<&'static str> {
    match (filtered_out, paused_out) {
        _ if progress.is_over() => None,
        (true, _) => Some(FILTERED_OUT),
        (false, true) => Some(PAUSED_OUT),
        (false, false) => None,
    }
}

/// The name under which a contact is counted.
pub(super) fn state(progress: &Progress, live: bool) -> (&'static str, &'static str) {
    match progress.stage(live) {
        ContactStage::Fresh => (OPEN, FRESH),
        ContactStage::InProgress => (OPEN, IN_PROGRESS),
        ContactStage::Ended(end) => (ENDED, end.as_str()),
    }
}

/// Kind of count: contacts that have not ended.
pub(super) const OPEN: &str = "open";
/// Of [`OPEN`]: nobody has called them.
pub(super) const FRESH: &str = "fresh";
/// Of [`OPEN`]: the others.
pub(super) const IN_PROGRESS: &str = "in_progress";
/// Kind of count: those of [`OPEN`] that the filter leaves out.
pub(super) const FILTERED_OUT: &str = "filtered_out";
/// Kind of count: those of [`OPEN`] that only the pause of their batch leaves out.
pub(super) const PAUSED_OUT: &str = "paused_out";
/// Kind of count: ended contacts by how.
pub(super) const ENDED: &str = "ended";
/// Kind of count: ended attempts by result.
pub(super) const RESULT: &str = "result";
/// Kind of count: attempts without an outcome.
pub(super) const LIVE: &str = "live";

fn moved(all: &mut Statements, kept: &Kept, from: Counted, to: Counted) {
    if from == to {
        return;
    }
    let both = [(from, -1), (to, 1)];
    counts(all, kept.campaign, &both);
    batch::counts(all, kept.batch, &both);
}

/// A count of a campaign or a batch, by kind and name.
pub(super) type Counted = (&'static str, &'static str);

/// Adds `by` to a count of a campaign.
pub(super) fn count(conn: &Connection, campaign: i64, counted: Counted, by: i64) -> Result<(), Fault> {
    let mut all = Statements::default();
    counts(&mut all, campaign, &[(counted, by)]);
    all.execute(conn, "counting")
}

/// Adds to counts of a campaign, in one statement.
pub(super) fn counts(all: &mut Statements, campaign: i64, counted: &[(Counted, i64)]) {
    const SQL: &str = "INSERT INTO tally (campaign, kind, name, n) SELECT ?, value ->> '$[0][0]', \
                       value ->> '$[0][1]', value ->> '$[1]' FROM json_each(?) WHERE true \
                       ON CONFLICT (campaign, kind, name) DO UPDATE SET n = n + excluded.n";
    all.add(SQL).bind(campaign).bind(serde_json::json!(counted).to_string());
}

/// Makes a count of a campaign what it is.
pub(super) fn set_count(
    conn: &Connection,
    campaign: i64,
    (kind, name): (&'static str, &'static str),
    n: i64,
) -> Result<(), Fault> {
    const SQL: &str = "INSERT OR REPLACE INTO tally (campaign, kind, name, n) VALUES (?1, ?2, ?3, ?4)";
    let query = sql::query(SQL).bind(campaign).bind(kind).bind(name).bind(n);
    query.execute(conn).doing("counting").map(drop)
}

/// Notes that contacts stand otherwise than they did.
pub(super) fn rise(conn: &Connection, contacts: &[i64]) -> Result<(), Fault> {
    const SQL: &str = "UPDATE contact SET stood = stood + 1 WHERE id IN (SELECT value FROM json_each(?1))";
    let query = sql::query(SQL).bind(serde_json::json!(contacts).to_string());
    query.execute(conn).doing("writing contacts").map(drop)
}

/// The key of a campaign.
pub(super) fn campaign_key(conn: &Connection, campaign: &CampaignId) -> Result<i64, Fault> {
    let query = sql::query_scalar("SELECT id FROM campaign WHERE slug = ?1").bind(campaign.as_str());
    let key: Option<i64> = query.fetch_optional(conn).doing("finding a campaign")?;
    key.ok_or_else(|| Fault::Store(crate::store::StoreError::UnknownCampaign(campaign.clone())))
}
