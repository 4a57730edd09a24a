//! What becomes of legs and attempts: milestones, ends, settlements.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{
    business, contact,
    fault::{Doing, Fault},
    writer::Writer,
};
use crate::{
    domain::{
        call::Destination,
        facts::verdict,
        ids::{AttemptId, ContactRef},
    },
    store::{
        LegRecord, Milestone, Settlement,
        row::{self, damaged, micros},
    },
};

/// Writes a leg; again, it changes nothing but the identifiers.
pub(super) async fn record_leg(
    conn: &mut SqliteConnection,
    leg: &LegRecord,
    attempt: Option<AttemptId>,
) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO leg (id, attempt, agent, sip, number, caller_number, trunk, identity, answered) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0) \
                       ON CONFLICT (id) DO UPDATE SET identity = excluded.identity";
    let query = sqlx::query(SQL).bind(leg.leg.to_i64()).bind(attempt.map(AttemptId::to_i64));
    let [mut agent, mut sip, mut number, mut caller_number, mut trunk] = [None; 5];
    match &leg.destination {
        Destination::Agent { agent: id, sip: uri } => (agent, sip) = (Some(id.as_str()), Some(uri.as_str())),
        Destination::Customer { number: called, caller_number: shown, trunk: through } => {
            (number, caller_number, trunk) = (Some(called.expose()), Some(shown.expose()), Some(through.as_str()));
        }
    }
    let query = query.bind(agent).bind(sip).bind(number).bind(caller_number).bind(trunk);
    let query = query.bind(row::identity_text(&leg.identity));
    query.execute(conn).await.doing("writing a leg").map(drop)
}

/// Writes a milestone; one of a leg or an attempt that is over changes nothing.
pub(super) async fn note(writer: &mut Writer, milestone: &Milestone) -> Result<(), Fault> {
    let (now, doing) = (writer.now(), "writing a milestone");
    let conn = &mut writer.conn;
    match milestone {
        Milestone::Leg { leg, identity, answered_at } => {
            const SQL: &str = "UPDATE leg SET identity = ?2, answered = answered OR ?3 WHERE id = ?1 RETURNING attempt";
            let query = sqlx::query_scalar(SQL).bind(leg.to_i64()).bind(row::identity_text(identity));
            let query = query.bind(answered_at.is_some());
            let attempt: Option<Option<i64>> = query.fetch_optional(&mut *conn).await.doing(doing)?;
            let Some(attempt) = attempt.flatten() else { return Ok(()) };
            happened(conn, attempt, answered_at.unwrap_or(now)).await?;
            if let Some(at) = answered_at {
                const SQL: &str = "UPDATE attempt SET answered_at = coalesce(answered_at, ?2) WHERE id = ?1";
                sqlx::query(SQL).bind(attempt).bind(micros(*at)).execute(conn).await.doing(doing)?;
            }
        }
        Milestone::Connected { attempt, at } => {
            happened(conn, attempt.to_i64(), *at).await?;
            const SQL: &str = "UPDATE attempt SET connected_at = coalesce(connected_at, ?2) WHERE id = ?1";
            sqlx::query(SQL).bind(attempt.to_i64()).bind(micros(*at)).execute(conn).await.doing(doing)?;
        }
        Milestone::LegEnded { leg } => {
            sqlx::query("DELETE FROM leg WHERE id = ?1").bind(leg.to_i64()).execute(conn).await.doing(doing)?;
        }
    }
    Ok(())
}

async fn happened(conn: &mut SqliteConnection, attempt: i64, at: Timestamp) -> Result<(), Fault> {
    const SQL: &str = "UPDATE live_call SET last_event_at = max(last_event_at, ?2) WHERE attempt = ?1";
    sqlx::query(SQL).bind(attempt).bind(micros(at)).execute(conn).await.doing("writing a milestone").map(drop)
}

/// Ends an attempt and moves its contact on; nothing if it has ended or never was. Tells whether a
/// business result changed the contact once more.
pub(super) async fn settle(writer: &mut Writer, settlement: &Settlement) -> Result<bool, Fault> {
    let (conn, doing) = (&mut writer.conn, "settling an attempt");
    let id = settlement.attempt.to_i64();
    let contact = sqlx::query_scalar("DELETE FROM live_call WHERE attempt = ?1 RETURNING contact").bind(id);
    let contact: Option<i64> = contact.fetch_optional(&mut *conn).await.doing(doing)?;
    let Some(contact) = contact else { return Ok(false) };
    const SQL: &str = "UPDATE attempt SET result = ?2, fail_code = ?3, sip_status = ?4, q850 = ?5, ended_at = ?6, \
                       answered_at = coalesce(?7, answered_at), connected_at = coalesce(?8, connected_at) \
                       WHERE id = ?1";
    sqlx::query(SQL)
        .bind(id)
        .bind(settlement.result.as_str())
        .bind(settlement.fail_code)
        .bind(settlement.sip_status)
        .bind(settlement.q850)
        .bind(micros(settlement.ended_at))
        .bind(settlement.answered_at.map(micros))
        .bind(settlement.connected_at.map(micros))
        .execute(&mut *conn)
        .await
        .doing(doing)?;
    let mut kept = contact::load(conn, ContactRef(contact)).await?.ok_or_else(|| damaged("live_call.contact"))?;
    // It was live until the first statement, and is counted so.
    kept.live = true;
    let rules = writer.rules(&kept.contact.campaign);
    let conn = &mut writer.conn;
    let progress = verdict::settled(&kept.contact.progress, settlement.progress.clone());
    contact::write(conn, &rules, &kept, &progress, false).await?;
    let counted = [((contact::LIVE, ""), -1), ((contact::RESULT, settlement.result.as_str()), 1)];
    contact::counts(conn, kept.campaign, &counted).await?;
    writer.shared.ledger().remove(settlement.attempt);
    business::take_effect(writer, ContactRef(contact)).await
}
