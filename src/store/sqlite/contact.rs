//! Contacts in their three tables: the hot row, the personal one, and progress.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    do_not_call,
    fault::{Doing, Fault},
};
use crate::{
    domain::{
        campaign::Priority,
        contact::{Contact, ContactEnd, HELD_FOR_GOOD, Progress},
        ids::{CampaignId, ContactRef, CustomerId},
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
         c.ended, p.numbers, g.numbers, p.attributes, p.timezone"
    };
}
/// The tables beside `contact c`; `CROSS JOIN` keeps the hot table outermost.
macro_rules! contact_joins {
    () => {
        " CROSS JOIN campaign k ON k.id = c.campaign CROSS JOIN personal p ON p.contact = c.id \
         LEFT JOIN progress g ON g.contact = c.id "
    };
}

/// How many columns these are.
pub(super) const COLUMNS: usize = 14;

/// With those that [`kept`] takes behind them.
pub(super) const KEPT_COLUMNS: usize = COLUMNS + 3;

pub(super) use {contact_columns, contact_joins};

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
}

/// Reads one contact.
pub(super) async fn load(conn: &mut SqliteConnection, contact: ContactRef) -> Result<Option<Kept>, Fault> {
    const SQL: &str = concat!(
        "SELECT ",
        contact_columns!(),
        ", c.campaign, EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id), c.filtered_out FROM contact c",
        contact_joins!(),
        "WHERE c.id = ?1"
    );
    let row = sqlx::query(SQL).bind(contact.0).fetch_optional(conn).await.doing("reading a contact")?;
    row.as_ref().map(kept).transpose()
}

/// The contact in a row of [`contact_columns`], its campaign's key, whether it is live and left out.
pub(super) fn kept(row: &SqliteRow) -> Result<Kept, Fault> {
    Ok(Kept {
        contact: read(row)?,
        campaign: column(row, COLUMNS)?,
        live: column(row, COLUMNS + 1)?,
        filtered_out: column(row, COLUMNS + 2)?,
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
    let progress = Progress { numbers, pass: column(row, 7)?, attempts: column(row, 8)?, ended };
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

/// Writes `progress` to a contact as its next version, with what follows from it: from when it is
/// ready, and the campaign's counts. `live` says whether it has a live call afterwards.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    before: &Kept,
    progress: &Progress,
    live: bool,
) -> Result<(), Fault> {
    let after = Contact { progress: progress.clone(), version: before.contact.version + 1, ..before.contact.clone() };
    let ready = readiness(&after, live || before.filtered_out);
    const SQL: &str = "UPDATE contact SET version = ?2, pass = ?3, attempts = ?4, ended = ?5, pass_at = ?6, \
                       retry_at = ?7, fresh_at = ?8, wakes_at = ?9 WHERE id = ?1";
    sqlx::query(SQL)
        .bind(after.reference.0)
        .bind(after.version)
        .bind(progress.pass)
        .bind(progress.attempts)
        .bind(progress.ended.map(ContactEnd::as_str))
        .bind(ready.pass.map(row::micros))
        .bind(ready.retry.map(row::micros))
        .bind(ready.fresh.map(row::micros))
        .bind(wakes_at(&ready))
        .execute(&mut *conn)
        .await
        .doing("writing a contact")?;
    if progress.numbers != before.contact.progress.numbers {
        write_numbers(conn, after.reference, progress).await?;
        do_not_call::remark(conn, after.reference, &before.contact.progress, progress).await?;
    }
    if before.filtered_out {
        let left_out = |progress: &Progress| i64::from(progress.ended.is_none());
        let by = left_out(progress) - left_out(&before.contact.progress);
        if by != 0 {
            count(conn, before.campaign, (FILTERED_OUT, ""), by).await?;
        }
    }
    moved(conn, before.campaign, state(&before.contact.progress, before.live), state(progress, live)).await
}

/// From when a contact is ready; `never` is for one in a call, and for one that is left out.
pub(super) fn readiness(contact: &Contact, never: bool) -> order::Readiness {
    if never { order::Readiness::default() } else { order::readiness(contact) }
}

async fn write_numbers(conn: &mut SqliteConnection, contact: ContactRef, progress: &Progress) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO progress (contact, numbers, held) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (contact) DO UPDATE SET numbers = excluded.numbers, held = excluded.held";
    let held = progress.numbers.iter().filter_map(|number| number.held_until).max();
    let query = sqlx::query(SQL).bind(contact.0).bind(row::progress_text(progress)).bind(held.map(row::micros));
    query.execute(conn).await.doing("writing a contact's progress").map(drop)
}

/// Marks an unchanged contact as being in a call, or no longer.
pub(super) async fn set_live(conn: &mut SqliteConnection, kept: &Kept, live: bool) -> Result<(), Fault> {
    const SQL: &str = "UPDATE contact SET pass_at = ?2, retry_at = ?3, fresh_at = ?4, wakes_at = ?5 WHERE id = ?1";
    let ready = readiness(&kept.contact, live || kept.filtered_out);
    sqlx::query(SQL)
        .bind(kept.contact.reference.0)
        .bind(ready.pass.map(row::micros))
        .bind(ready.retry.map(row::micros))
        .bind(ready.fresh.map(row::micros))
        .bind(wakes_at(&ready))
        .execute(&mut *conn)
        .await
        .doing("writing a contact")?;
    let progress = &kept.contact.progress;
    moved(conn, kept.campaign, state(progress, !live), state(progress, live)).await
}

/// The column `wakes_at`: when a waiting contact gets ready; `NULL` for "always" and for "never".
pub(super) fn wakes_at(ready: &order::Readiness) -> Option<i64> {
    ready.earliest().filter(|at| *at > jiff::Timestamp::MIN && *at < HELD_FOR_GOOD).map(row::micros)
}

/// The name under which a contact is counted.
fn state(progress: &Progress, live: bool) -> (&'static str, &'static str) {
    match progress.ended {
        Some(end) => (ENDED, end.as_str()),
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
/// Kind of count: ended contacts by how.
pub(super) const ENDED: &str = "ended";
/// Kind of count: ended attempts by result.
pub(super) const RESULT: &str = "result";
/// Kind of count: attempts without an outcome.
pub(super) const LIVE: &str = "live";

async fn moved(
    conn: &mut SqliteConnection,
    campaign: i64,
    from: (&'static str, &'static str),
    to: (&'static str, &'static str),
) -> Result<(), Fault> {
    if from == to {
        return Ok(());
    }
    count(conn, campaign, from, -1).await?;
    count(conn, campaign, to, 1).await
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
