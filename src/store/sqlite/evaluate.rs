//! A new definition, applied to all contacts of a campaign beside dialling; and contacts that time has
//! made stand otherwise.
//!
//! The places of a new definition are written under an evaluation of their own ([`super::evaluation`]), slice
//! by slice. Pages are read from the one before until all are there; then one row is written, and the
//! order is the new one. Contacts that change meanwhile are written in both. What the gate uses is the
//! definition in force, whatever stands here.

use std::sync::Arc;

use rusqlite::Connection;

use super::{
    contact::{self, Entered, Kept, column, contact_columns, contact_joins, kept_columns},
    do_not_call,
    evaluation::Evaluation,
    evaluations::{Evaluations, UnderWay},
    fault::{Doing, Fault},
    pause,
    place::{self, Kind, Stale},
    release, sql,
    statements::Statements,
    stuck::Step,
    writer::{Reply, Writer},
};
use crate::{
    domain::ids::CampaignId,
    store::{Evaluated, RELEASE_SLICE, row},
};

/// Releases the next contacts from lists that are followed no longer, then asks about held ones anew, then begins to apply a definition
/// that is wanted, then applies pauses of batches, then places those anew that time has made stand
/// otherwise.
pub(super) fn slice(writer: &mut Writer) -> Result<Reply, Fault> {
    if writer.generation.is_none() {
        return Ok(Reply::Evaluated(None));
    }
    if let Some(released) = do_not_call::unlist_slice(writer)? {
        return Ok(Reply::Evaluated(Some(released)));
    }
    if let Some(released) = release::slice(writer)? {
        return Ok(Reply::Evaluated(Some(released)));
    }
    if let Some(evaluation) = begin(writer)? {
        return Ok(Reply::Began(Box::new(evaluation)));
    }
    if let Some(paused) = pause::slice(writer)? {
        return Ok(Reply::Evaluated(Some(paused)));
    }
    wake(writer).map(Reply::Evaluated)
}

/// Begins the evaluation of the first campaign that wants one and has a definition.
fn begin(writer: &mut Writer) -> Result<Option<Evaluation>, Fault> {
    let doing = "beginning to apply a definition";
    const WANTED: &str = "SELECT id, slug, coalesce(first_contact, 1), coalesce(last_contact, 0) FROM campaign \
                          INDEXED BY campaign_wanted WHERE wanted = 1 ORDER BY slug";
    let Some(generation) = writer.generation.clone() else { return Ok(None) };
    let defined = |slug: &str| generation.definitions.campaigns.get(&CampaignId::parse(slug).ok()?).cloned();
    let mut found = None;
    // A campaign whose file is gone waits for its return.
    sql::query(WANTED).while_some(&writer.conn, doing, |row| {
        let contacts = (column(row, 2)?, column(row, 3)?);
        let campaign = defined(column(row, 1)?).filter(|one| !writer.is_stuck(Step::Definition, &one.id));
        found = campaign.map(|campaign| Ok::<_, Fault>((campaign, column(row, 0)?, contacts)));
        Ok(found.is_none().then_some(()))
    })?;
    let Some((campaign, key, contacts)) = found.transpose()? else { return Ok(None) };
    let id = new(&writer.conn, key)?;
    let under_way = Arc::new(UnderWay::new(id, Arc::clone(&campaign)));
    let mut evaluations = writer.shared.evaluations(&campaign.id);
    evaluations.next = Some(Arc::clone(&under_way));
    writer.shared.set_evaluations(&campaign.id, evaluations);
    Ok(Some(Evaluation::new(key, under_way, contacts, writer.now(), writer.shared.folder.clone())))
}

/// The key of a new evaluation.
pub(super) fn new(conn: &Connection, campaign: i64) -> Result<i64, Fault> {
    let query = sql::query_scalar("INSERT INTO evaluation (campaign) VALUES (?1) RETURNING id").bind(campaign);
    query.fetch_one(conn).doing("beginning to apply a definition")
}

/// Notes that the places of a campaign's contacts do not stand by its definition.
pub(super) fn want(all: &mut Statements, campaign: i64) {
    all.add("UPDATE campaign SET wanted = 1 WHERE id = ?").bind(campaign);
}

/// Has an evaluation that is complete take the place of the one before; how many open contacts it
/// leaves in, `None` if it has been given up.
pub(super) fn complete(writer: &mut Writer, key: i64, under_way: &Arc<UnderWay>) -> Result<Option<u64>, Fault> {
    if !writer.shared.is_next(under_way) {
        return Ok(None);
    }
    let doing = "completing the application of a definition";
    let (conn, (filtered_out, paused_out)) = (&writer.conn, under_way.left_out());
    const COMPLETE: &str = "UPDATE campaign SET evaluation = ?2, wanted = 0 WHERE id = ?1";
    sql::query(COMPLETE).bind(key).bind(under_way.evaluation).execute(conn).doing(doing)?;
    const ORDERED: &str = "UPDATE evaluation SET ordered = 1 WHERE id = ?1";
    sql::query(ORDERED).bind(under_way.evaluation).execute(conn).doing(doing)?;
    contact::set_count(conn, key, (contact::FILTERED_OUT, ""), filtered_out)?;
    contact::set_count(conn, key, (contact::PAUSED_OUT, ""), paused_out)?;
    let open = sql::query_scalar("SELECT coalesce(sum(n), 0) FROM tally WHERE campaign = ?1 AND kind = ?2");
    let open: i64 = open.bind(key).bind(contact::OPEN).fetch_one(conn).doing(doing)?;
    let campaign = &under_way.campaign.id;
    writer.shared.went_on(Step::Definition, campaign);
    let evaluations = Evaluations { standing: Some(under_way.evaluation), by: writer.defined(campaign), next: None };
    writer.shared.set_evaluations(campaign, evaluations);
    Ok(Some((open - filtered_out - paused_out).unsigned_abs()))
}

/// Finds out anew how some contacts stand that time has made stand otherwise; `None` if there are none.
fn wake(writer: &mut Writer) -> Result<Option<Evaluated>, Fault> {
    let doing = "waking contacts";
    let begin = place::prefix(Kind::Changes, "");
    let end = place::end_of_due(begin.clone(), row::micros(writer.now()));
    macro_rules! counts {
        ($file:literal) => {
            concat!(
                "EXISTS (SELECT 1 FROM ",
                $file,
                ".place s CROSS JOIN contact c ON c.id = s.contact WHERE s.evaluation = k.evaluation AND s.key >= ?1 \
                 AND s.key < ?2 AND c.stood = s.stood)"
            )
        };
    }
    const CHANGED: &str = concat!(
        "SELECT slug, evaluation FROM campaign k WHERE ",
        counts!("main"),
        " OR ",
        counts!("orders"),
        " ORDER BY slug"
    );
    let changed = sql::query_as(CHANGED).bind(&begin).bind(&end).fetch_all(&writer.conn);
    let changed: Vec<(String, i64)> = changed.doing(doing)?;
    let found = changed.into_iter().find_map(|(slug, evaluation)| {
        let campaign = writer.defined(&CampaignId::parse(&slug).ok()?)?.id.clone();
        (!writer.is_stuck(Step::Wake, &campaign)).then_some((campaign, evaluation))
    });
    let Some((campaign, evaluation)) = found else { return Ok(None) };
    let woken = writer.try_for(Step::Wake, &campaign, |writer| wake_some(writer, &campaign, evaluation, (begin, end)));
    woken.map(|()| Some(Evaluated { campaign, admitted: 0, complete: false }))
}

/// The same for one campaign, whose contacts' places are in that range.
fn wake_some(
    writer: &mut Writer,
    campaign: &CampaignId,
    evaluation: i64,
    (begin, end): (Vec<u8>, Vec<u8>),
) -> Result<(), Fault> {
    let doing = "waking contacts";
    macro_rules! slice {
        ($file:literal) => {
            concat!(
                "SELECT ",
                kept_columns!(),
                ", s.key AS place, c.stood = s.stood, s.stood, '",
                $file,
                "' = 'orders' FROM ",
                $file,
                ".place s CROSS JOIN contact c ON c.id = s.contact",
                contact_joins!(),
                "WHERE s.evaluation = ?1 AND s.key >= ?2 AND s.key < ?3"
            )
        };
    }
    const SLICE: &str = concat!(slice!("main"), " UNION ALL ", slice!("orders"), " ORDER BY place LIMIT ?4");
    let rows = sql::query(SLICE).bind(evaluation).bind(begin).bind(end).bind(RELEASE_SLICE);
    let rows = rows.fetch_all(&writer.conn).doing(doing)?;
    let (mut stale, mut woken) = (Vec::new(), Vec::new());
    for row in &rows {
        let (key, stood) = (column(row, contact::KEPT_COLUMNS)?, column(row, contact::KEPT_COLUMNS + 2)?);
        stale.push(Stale { ordered: column(row, contact::KEPT_COLUMNS + 3)?, key, stood });
        if column(row, contact::KEPT_COLUMNS + 1)? {
            woken.push(contact::kept(row)?);
        }
    }
    again(writer, campaign, &woken)?;
    let (ordered, own) = place::parted(stale);
    place::sweep(&writer.conn, evaluation, &own)?;
    writer.stale.push((evaluation, ordered));
    Ok(())
}

/// Finds out how contacts stand that are what they were.
pub(super) fn again(writer: &mut Writer, campaign: &CampaignId, all: &[Kept]) -> Result<(), Fault> {
    let rules = writer.rules(campaign);
    let contacts: Vec<i64> = all.iter().map(|kept| kept.contact.reference.0).collect();
    contact::rise(&writer.conn, &contacts)?;
    let entered = all.iter().map(|kept| Entered {
        campaign: kept.campaign,
        rules: &rules,
        contact: &kept.contact,
        stood: kept.stood + 1,
        live: kept.live,
        paused_out: kept.paused_out,
    });
    let entered: Vec<Entered<'_>> = entered.collect();
    contact::enter_all(&writer.conn, &entered)
}

/// Rows that are cleared away at once: few, since intents wait meanwhile.
const CLEARED_AT_ONCE: usize = 2_000;

/// Clears some rows away that nobody will read: of evaluations that no campaign names any more, and
/// of contacts that are awake by now. Tells whether there may be more.
pub(super) fn clear(writer: &mut Writer) -> Result<bool, Fault> {
    let doing = "clearing old places away";
    let under_way: Vec<i64> =
        writer.shared.all_evaluations().values().filter_map(|all| Some(all.next.as_ref()?.evaluation)).collect();
    const OLD: &str = "SELECT e.id FROM evaluation e JOIN campaign k ON k.id = e.campaign \
                       WHERE e.id IS NOT k.evaluation ORDER BY e.id";
    let old: Vec<i64> = sql::query_scalar(OLD).fetch_all(&writer.conn).doing(doing)?;
    if let Some(old) = old.into_iter().find(|id| !under_way.contains(id)) {
        if place::delete(&writer.conn, old, (&[], &[u8::MAX]), CLEARED_AT_ONCE)? < CLEARED_AT_ONCE {
            let query = sql::query("DELETE FROM evaluation WHERE id = ?1").bind(old);
            query.execute(&writer.conn).doing(doing)?;
        }
        return Ok(true);
    }
    let begin = place::prefix(Kind::Wakes, "");
    let end = place::end_of_due(begin.clone(), row::micros(writer.now()));
    const AWAKE: &str = "SELECT k.evaluation FROM campaign k WHERE EXISTS (SELECT 1 FROM main.place s WHERE \
                         s.evaluation = k.evaluation AND s.key >= ?1 AND s.key < ?2) LIMIT 1";
    let awake = sql::query_scalar(AWAKE).bind(&begin).bind(&end).fetch_optional(&writer.conn);
    let Some(evaluation): Option<i64> = awake.doing(doing)? else { return Ok(false) };
    place::delete(&writer.conn, evaluation, (&begin, &end), CLEARED_AT_ONCE)?;
    Ok(true)
}
