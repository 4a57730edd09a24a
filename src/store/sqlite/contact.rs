//! Contacts in their three tables: the hot row, the personal one, and progress.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    batch, do_not_call,
    fault::{Doing, Fault},
};
use crate::{
    domain::{
        business::Business,
        campaign::{Campaign, Priority},
        contact::{Contact, ContactEnd, Progress},
        ids::{AgentId, CampaignId, ContactRef, CustomerId},
        order::{self, Standing},
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
            ", c.campaign, EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id), c.filtered_out, \
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
    /// Whether the campaign's filter left it out when it was last applied.
    pub(super) filtered_out: bool,
    /// Key of its batch.
    pub(super) batch: i64,
    /// Whether its batch is paused.
    pub(super) batch_paused: bool,
    /// Whether that left it out when it was last applied.
    pub(super) paused_out: bool,
}

impl Kept {
    /// Whether it is in no index of who is next, whatever its progress.
    pub(super) fn is_left_out(&self) -> bool {
        self.filtered_out || self.paused_out
    }

    /// Under what it is counted as left out, with `progress`.
    pub(super) fn left_out(&self, progress: &Progress) -> Option<&'static str> {
        left_out(progress, self.filtered_out, self.paused_out)
    }
}

/// Reads one contact.
pub(super) async fn load(conn: &mut SqliteConnection, contact: ContactRef) -> Result<Option<Kept>, Fault> {
    const SQL: &str = concat!("SELECT ", kept_columns!(), " FROM contact c", contact_joins!(), "WHERE c.id = ?1");
    let row = sqlx::query(SQL).bind(contact.0).fetch_optional(conn).await.doing("reading a contact")?;
    row.as_ref().map(kept).transpose()
}

/// A row of [`kept_columns`].
pub(super) fn kept(row: &SqliteRow) -> Result<Kept, Fault> {
    Ok(Kept {
        contact: read(row)?,
        campaign: column(row, COLUMNS)?,
        live: column(row, COLUMNS + 1)?,
        filtered_out: column(row, COLUMNS + 2)?,
        batch: column(row, BATCH)?,
        batch_paused: column(row, COLUMNS + 3)?,
        paused_out: column(row, COLUMNS + 4)?,
    })
}

/// Finds one contact by its customer.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    campaign: i64,
    customer: &CustomerId,
) -> Result<Option<Contact>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        " FROM contact c",
        contact_joins!(),
        "WHERE c.campaign = ?1 AND c.customer_id = ?2"
    );
    let query = sqlx::query(SQL).bind(campaign).bind(customer.as_str());
    let row = query.fetch_optional(conn).await.doing("reading a contact")?;
    row.map(|row| read(&row)).transpose()
}

/// The contact in a row of [`contact_columns`].
pub(super) fn read(row: &SqliteRow) -> Result<Contact, Fault> {
    let mut numbers = row::numbers(column(row, 10)?)?;
    if let Some(progress) = column::<Option<&str>>(row, 11)? {
        row::read_progress(progress, &mut numbers)?;
    }
    let ended = match column::<Option<&str>>(row, 9)? {
        Some(end) => Some(ContactEnd::parse(end).ok_or_else(|| damaged("contact.ended"))?),
        None => None,
    };
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
        attributes: attributes::read(column(row, 12)?)?,
        version: column(row, 6)?,
        progress,
    })
}

fn zone(name: &str) -> Result<ContactZone, Fault> {
    ContactZone::parse(name).ok_or_else(|| damaged("personal.timezone").into())
}

/// One column by position.
pub(super) fn column<'r, T>(row: &'r SqliteRow, index: usize) -> Result<T, Fault>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(index).doing("reading a row")
}

/// What decides how a contact stands: its campaign as the generation in force has it, and the instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// `None` while its file is gone: then nobody of it is called.
    pub(super) defined: Option<&'a Campaign>,
    /// As of when.
    pub(super) now: Timestamp,
}

impl Rules<'_> {
    /// How a contact stands; `never` is for one in a call, and for one that is left out.
    pub(super) fn standing(&self, contact: &Contact, never: bool) -> Standing {
        match self.defined {
            _ if never || contact.progress.is_over() => Standing::default(),
            Some(campaign) => order::standing(campaign, contact, self.now),
            // To be found out as soon as there is a definition again.
            None => Standing { changes_at: Some(Timestamp::UNIX_EPOCH), ..Standing::default() },
        }
    }
}

/// Writes `progress` to a contact as its next version, with what follows from it: how it stands, and
/// the campaign's counts. `live` says whether it has a live call afterwards.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    rules: Rules<'_>,
    before: &Kept,
    progress: &Progress,
    live: bool,
) -> Result<(), Fault> {
    let after = Contact { progress: progress.clone(), version: before.contact.version + 1, ..before.contact.clone() };
    stand(conn, rules, &after, live || before.is_left_out()).await?;
    let was = &before.contact.progress;
    if (&progress.numbers, &progress.business) != (&was.numbers, &was.business) {
        write_numbers(conn, after.reference, was, progress).await?;
    }
    recount(conn, before, before.left_out(progress)).await?;
    moved(conn, before, state(was, before.live), state(progress, live)).await
}

/// Writes a contact that is not in a call and has become `after`, with what follows from it.
pub(super) async fn rewrite(
    conn: &mut SqliteConnection,
    rules: Rules<'_>,
    before: &Kept,
    after: &Contact,
) -> Result<(), Fault> {
    let filtered_out = rules.defined.map_or(before.filtered_out, |campaign| !campaign.matches(&after.attributes));
    const CONTACT: &str = "UPDATE contact SET customer_id = ?2, priority = ?3, not_before = ?4, sorted = unhex(?5), \
                           filtered_out = ?6, paused_out = ?7 WHERE id = ?1";
    sqlx::query(CONTACT)
        .bind(after.reference.0)
        .bind(after.customer.as_str())
        .bind(after.priority.get())
        .bind(after.not_before.map(row::micros))
        .bind(sorted(rules.defined, after))
        .bind(filtered_out)
        .bind(before.batch_paused)
        .execute(&mut *conn)
        .await
        .doing("writing a contact")?;
    let (was, progress) = (&before.contact.progress, &after.progress);
    const PERSONAL: &str = "UPDATE personal SET numbers = ?2, timezone = ?3, attributes = ?4 WHERE contact = ?1";
    let numbers = progress.numbers.iter().map(|number| (&number.category, &number.e164));
    sqlx::query(PERSONAL)
        .bind(after.reference.0)
        .bind(row::numbers_text(numbers))
        .bind(after.timezone.as_ref().map(ContactZone::name))
        .bind(attributes::text(&after.attributes))
        .execute(&mut *conn)
        .await
        .doing("writing a contact")?;
    write_numbers(conn, after.reference, was, progress).await?;
    stand(conn, rules, after, filtered_out || before.batch_paused).await?;
    recount(conn, before, left_out(progress, filtered_out, before.batch_paused)).await?;
    moved(conn, before, state(was, false), state(progress, false)).await
}

/// Counts a contact as left out under another name, or no longer.
async fn recount(conn: &mut SqliteConnection, before: &Kept, after: Option<&'static str>) -> Result<(), Fault> {
    let was = before.left_out(&before.contact.progress);
    if was == after {
        return Ok(());
    }
    for (kind, by) in [(was, -1), (after, 1)] {
        if let Some(kind) = kind {
            count(conn, before.campaign, (kind, ""), by).await?;
        }
    }
    Ok(())
}

/// Writes a contact's own row, and how it stands.
async fn stand(conn: &mut SqliteConnection, rules: Rules<'_>, contact: &Contact, never: bool) -> Result<(), Fault> {
    let standing = rules.standing(contact, never);
    know_zones(conn, standing.zone.iter()).await?;
    const SQL: &str = "UPDATE contact SET pass_at = ?2, retry_at = ?3, fresh_at = ?4, fresh_round = ?5, wakes_at = ?6, \
                       changes_at = ?7, zone = coalesce((SELECT id FROM zone WHERE name = ?8), 0), \
                       business_at = ?9, pinned = ?10, version = ?11, pass = ?12, attempts = ?13, ended = ?14 \
                       WHERE id = ?1";
    let progress = &contact.progress;
    sqlx::query(SQL)
        .bind(contact.reference.0)
        .bind(standing.pass.map(row::micros))
        .bind(standing.retry.map(row::micros))
        .bind(standing.fresh.map(|(at, _)| row::micros(at)))
        .bind(standing.fresh.map_or(0, |(_, round)| round))
        .bind(wakes_at(&standing))
        .bind(standing.changes_at.map(row::micros))
        .bind(standing.zone)
        .bind(standing.business.map(row::micros))
        .bind(standing.agent.as_ref().map(AgentId::as_str))
        .bind(contact.version)
        .bind(progress.pass)
        .bind(progress.attempts)
        .bind(progress.ended.map(ContactEnd::as_str))
        .execute(conn)
        .await
        .doing("writing a contact")
        .map(drop)
}

/// The values that a campaign sorts a contact by, as hexadecimal digits.
pub(super) fn sorted(defined: Option<&Campaign>, contact: &Contact) -> String {
    let sorted = defined.map(|campaign| order::sorted(&campaign.sort, &contact.attributes)).unwrap_or_default();
    sorted.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives zones their keys.
pub(super) async fn know_zones(conn: &mut SqliteConnection, names: impl Iterator<Item = &String>) -> Result<(), Fault> {
    for name in names.collect::<BTreeSet<_>>() {
        let query = sqlx::query("INSERT INTO zone (name) VALUES (?1) ON CONFLICT (name) DO NOTHING").bind(name);
        query.execute(&mut *conn).await.doing("noting a time zone")?;
    }
    Ok(())
}

async fn write_numbers(
    conn: &mut SqliteConnection,
    contact: ContactRef,
    was: &Progress,
    progress: &Progress,
) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO progress (contact, numbers, held, business) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (contact) DO UPDATE SET numbers = excluded.numbers, held = excluded.held, \
                       business = excluded.business";
    let scheduled = progress.business.scheduled.iter().map(|call| &call.tries);
    let held = progress.numbers.iter().chain(scheduled).filter_map(|tries| tries.held_until).max();
    let query = sqlx::query(SQL).bind(contact.0).bind(row::progress_text(progress)).bind(held.map(row::micros));
    let query = query.bind(row::business_text(&progress.business));
    query.execute(&mut *conn).await.doing("writing a contact's progress")?;
    do_not_call::remark(conn, contact, was, progress).await
}

/// Marks an unchanged contact as being in a call, or no longer.
pub(super) async fn set_live(
    conn: &mut SqliteConnection,
    rules: Rules<'_>,
    kept: &Kept,
    live: bool,
) -> Result<(), Fault> {
    stand(conn, rules, &kept.contact, live || kept.is_left_out()).await?;
    let progress = &kept.contact.progress;
    moved(conn, kept, state(progress, !live), state(progress, live)).await
}

/// The column `wakes_at`: when a waiting contact gets ready; `NULL` for "always" and for "never".
pub(super) fn wakes_at(standing: &Standing) -> Option<i64> {
    standing.earliest().filter(|at| *at > Timestamp::MIN).map(row::micros)
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
    match progress.ended {
        Some(end) if progress.is_over() => (ENDED, end.as_str()),
        Some(_) => (OPEN, IN_PROGRESS),
        None if live || progress.attempts > 0 => (OPEN, IN_PROGRESS),
        None => (OPEN, FRESH),
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

async fn moved(
    conn: &mut SqliteConnection,
    kept: &Kept,
    from: (&'static str, &'static str),
    to: (&'static str, &'static str),
) -> Result<(), Fault> {
    if from == to {
        return Ok(());
    }
    for (state, by) in [(from, -1), (to, 1)] {
        count(conn, kept.campaign, state, by).await?;
        batch::count(conn, kept.batch, state, by).await?;
    }
    Ok(())
}

/// Adds `by` to a count of a campaign.
pub(super) async fn count(
    conn: &mut SqliteConnection,
    campaign: i64,
    (kind, name): (&'static str, &'static str),
    by: i64,
) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO tally (campaign, kind, name, n) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (campaign, kind, name) DO UPDATE SET n = n + excluded.n";
    let query = sqlx::query(SQL).bind(campaign).bind(kind).bind(name).bind(by);
    query.execute(conn).await.doing("counting").map(drop)
}

/// The key of a campaign.
pub(super) async fn campaign_key(conn: &mut SqliteConnection, campaign: &CampaignId) -> Result<i64, Fault> {
    let query = sqlx::query_scalar("SELECT id FROM campaign WHERE slug = ?1").bind(campaign.as_str());
    let key: Option<i64> = query.fetch_optional(conn).await.doing("finding a campaign")?;
    key.ok_or_else(|| Fault::Store(crate::store::StoreError::UnknownCampaign(campaign.clone())))
}
