//! Counting contacts by what keeps them: all of a campaign's in one snapshot, or if they are many in short looks.

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{
    contact::{self, KEPT_COLUMNS, campaign_key, column, contact_columns, contact_joins, kept_columns},
    do_not_call::entries_column,
    fault::{Doing, Fault},
    read,
    writer::Shared,
};
use crate::{
    domain::{
        do_not_call,
        ids::CampaignId,
        kept::{self, Kept, Known},
    },
    store::{Tally, row},
};

/// Contacts that one look goes past, so that of many no reader keeps the log from shrinking.
const LOOK: i64 = 10_000;

/// Contacts ?2 to ?3 of a campaign, as [`contact::kept`] reads them, and what do-not-call lists say of their numbers.
const CONTACTS: &str = concat!(
    "SELECT ",
    kept_columns!(),
    ", ",
    entries_column!("?4"),
    " FROM contact c",
    contact_joins!(),
    "WHERE c.id > ?2 AND c.id <= ?3 AND +c.campaign = ?1"
);

/// The counts of a campaign, and what keeps its contacts at `now` if there are at most `most`, all in this snapshot.
pub(super) async fn at_once(
    conn: &mut SqliteConnection,
    shared: &Shared,
    campaign: &CampaignId,
    now: Timestamp,
    most: u64,
) -> Result<(Tally, Option<Vec<Kept>>), Fault> {
    let tally = read::tally(conn, campaign).await?;
    if tally.contacts > most {
        return Ok((tally, None));
    }
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some((some, last)) = look(conn, shared, campaign, after, now).await? {
        all.extend(some);
        after = last;
    }
    Ok((tally, Some(kept::counted(all))))
}

/// What keeps contacts of a campaign at `now`, of those after `after`, and where the next look begins;
/// `None` once all have been looked at.
pub(super) async fn look(
    conn: &mut SqliteConnection,
    shared: &Shared,
    campaign: &CampaignId,
    after: i64,
    now: Timestamp,
) -> Result<Option<(Vec<Kept>, i64)>, Fault> {
    let key = campaign_key(conn, campaign).await?;
    let generation = shared.generation();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    let Some(defined) = defined else { return Ok(None) };
    const IDS: &str = "SELECT coalesce(first_contact, 1), coalesce(last_contact, 0) FROM campaign WHERE id = ?1";
    let ids = sqlx::query_as(IDS).bind(key).fetch_one(&mut *conn).await;
    let (first, last): (i64, i64) = ids.doing("counting contacts")?;
    let after = after.max(first - 1);
    if after >= last {
        return Ok(None);
    }
    let to = after + LOOK;
    let mut kept = Vec::new();
    let lists = row::lists_text(&defined.do_not_call);
    let mut rows = sqlx::query(CONTACTS).bind(key).bind(after).bind(to).bind(lists).fetch(conn);
    while let Some(row) = rows.try_next().await.doing("counting contacts")? {
        let mut found = contact::kept(&row)?;
        if found.contact.progress.is_over() && !found.live {
            continue;
        }
        let known = Known {
            on_call: found.live,
            filtered_out: !defined.matches(&found.contact.attributes),
            paused_out: found.paused_out,
        };
        let progress = &mut found.contact.progress;
        let entries = row::entries(column(&row, KEPT_COLUMNS)?, progress.numbers.len())?;
        if let Some(screened) = do_not_call::screened(progress, &entries, &defined.do_not_call, now) {
            *progress = screened;
        }
        let (by, until) = kept::kept_by(defined, &found.contact, known, now);
        kept.push(Kept { by, until, contacts: 1 });
    }
    Ok(Some((kept::counted(kept), to)))
}
