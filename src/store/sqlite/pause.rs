//! The pause of a batch, or its end, applied to its contacts slice by slice: those of a paused batch stand
//! nowhere. Until it has been applied to all of them, pages test for it; so does the gate, always.

use std::collections::BTreeMap;

use super::{
    contact::{self, Kept, column, contact_columns, contact_joins, kept_columns},
    evaluate,
    fault::{Doing, Fault},
    sql,
    stuck::Step,
    writer::Writer,
};
use crate::{
    domain::ids::CampaignId,
    store::{BATCH_WINDOW, Evaluated, RELEASE_SLICE},
};

/// A pause, or its end, that is being applied.
struct Pending {
    batch: i64,
    /// Key of its campaign.
    key: i64,
    campaign: CampaignId,
    /// The last contact that has seen it.
    after: i64,
    /// The last contact of the batch.
    last: i64,
}

/// Applies the first pause that has not been applied to all to its next contacts; `None` if there is none.
pub(super) fn slice(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    let Some(pending) = pending(writer)? else { return Ok(None) };
    let campaign = pending.campaign.clone();
    writer.try_for(Step::Pause, &campaign, |writer| next(writer, pending)).map(Some)
}

fn next(writer: &mut Writer, pending: Pending) -> Result<Evaluated, Fault> {
    let doing = "applying a pause";
    let Pending { batch, key, campaign, after, last } = pending;
    const SLICE: &str = concat!(
        "SELECT ",
        kept_columns!(),
        " FROM contact c",
        contact_joins!(),
        "WHERE c.batch = ?1 AND c.id > ?2 AND c.id <= ?4 ORDER BY c.id LIMIT ?3"
    );
    let end = last.min(after.saturating_add(BATCH_WINDOW));
    let rows = sql::query(SLICE).bind(batch).bind(after).bind(RELEASE_SLICE).bind(end);
    let rows = rows.fetch_all(&writer.conn).doing(doing)?;
    let kept: Vec<Kept> = rows.iter().map(contact::kept).collect::<Result<_, _>>()?;
    let full = i64::try_from(kept.len()).is_ok_and(|read| read >= RELEASE_SLICE);
    let reached = kept.last().filter(|_| full).map_or(end, |kept| kept.contact.reference.0);
    let admitted = apply(writer, key, &campaign, kept)?;
    let complete = reached >= last;
    let query = sql::query("UPDATE batch SET evaluated_to = ?2 WHERE id = ?1").bind(batch);
    query.bind((!complete).then_some(reached)).execute(&writer.conn).doing(doing)?;
    Ok(Evaluated { campaign, admitted, complete })
}

fn pending(writer: &mut Writer) -> Result<Option<Pending>, Fault> {
    const BATCHES: &str = "SELECT b.id, k.id, k.slug, b.evaluated_to, b.last_contact FROM batch b \
                           JOIN campaign k ON k.id = b.campaign WHERE b.evaluated_to IS NOT NULL ORDER BY b.id";
    let rows = sql::query(BATCHES).fetch_all(&writer.conn).doing("looking for pauses")?;
    for row in &rows {
        let Ok(campaign) = CampaignId::parse(column(row, 2)?) else { continue };
        // A campaign whose file is gone waits for its return.
        if writer.defined(&campaign).is_some() && !writer.is_stuck(Step::Pause, &campaign) {
            let (batch, key, after, last) = (column(row, 0)?, column(row, 1)?, column(row, 3)?, column(row, 4)?);
            return Ok(Some(Pending { batch, key, campaign, after, last }));
        }
    }
    Ok(None)
}

/// Applies the pause that their batch has now to contacts; tells how many are no longer left out.
fn apply(writer: &mut Writer, key: i64, campaign: &CampaignId, mut all: Vec<Kept>) -> Result<u64, Fault> {
    let rules = writer.rules(campaign);
    let (mut admitted, mut counts) = (0, BTreeMap::new());
    for kept in &mut all {
        let before = rules.left_out(&kept.contact, kept.paused_out);
        let after = rules.left_out(&kept.contact, kept.batch_paused);
        kept.paused_out = kept.batch_paused;
        admitted += u64::from(before.is_some() && after.is_none());
        for (kind, by) in [(before, -1), (after, 1)] {
            if let Some(kind) = kind {
                *counts.entry(kind).or_default() += by;
            }
        }
    }
    let contacts: Vec<i64> = all.iter().map(|kept| kept.contact.reference.0).collect();
    const PAUSED: &str = "UPDATE contact SET paused_out = (SELECT b.paused FROM batch b WHERE b.id = contact.batch) \
                          WHERE id IN (SELECT value FROM json_each(?1))";
    let query = sql::query(PAUSED).bind(serde_json::json!(contacts).to_string());
    query.execute(&writer.conn).doing("applying a pause")?;
    evaluate::again(writer, campaign, &all)?;
    for (kind, by) in counts.into_iter().filter(|(_, by)| *by != 0) {
        contact::count(&writer.conn, key, (kind, ""), by)?;
    }
    Ok(admitted)
}
