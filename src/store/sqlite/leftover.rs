//! What is live by the rows: attempts without an outcome and legs without an end, of this life and of others.

use rusqlite::Connection;
use serde_json::json;

use super::{
    attempts::{index, rule},
    contact::{self, Kept, column},
    fault::{Doing, Fault},
    sql::{self, Row},
};
use crate::{
    domain::{
        call::Destination,
        drift::calls::LiveRows,
        ids::{AgentId, AttemptId, CampaignId, ContactRef, Epoch, LegId, TrunkId},
    },
    store::{
        LeftoverAttempt, LeftoverLeg, Leftovers, LegRecord,
        row::{self, damaged},
    },
};

/// What is live by the rows.
pub(super) fn live_rows(conn: &Connection) -> Result<LiveRows, Fault> {
    let doing = "reading what is live";
    const ATTEMPTS: &str = "SELECT l.attempt, k.slug FROM live_call l LEFT JOIN attempt a ON a.id = l.attempt \
                            LEFT JOIN campaign k ON k.id = a.campaign";
    let attempts: Vec<(i64, Option<String>)> = sql::query_as(ATTEMPTS).fetch_all(conn).doing(doing)?;
    let legs: Vec<(i64, Option<i64>)> = sql::query_as("SELECT id, attempt FROM leg").fetch_all(conn).doing(doing)?;
    let agents: Vec<(String, String)> =
        sql::query_as("SELECT id, availability FROM agent").fetch_all(conn).doing(doing)?;
    let attempt = |(id, slug): (i64, Option<String>)| {
        Some((AttemptId::from_i64(id)?, slug.and_then(|slug| CampaignId::parse(&slug).ok())))
    };
    Ok(LiveRows {
        attempts: attempts.into_iter().filter_map(attempt).collect(),
        legs: legs
            .into_iter()
            .filter_map(|(leg, attempt)| Some((LegId::from_i64(leg)?, attempt.and_then(AttemptId::from_i64))))
            .collect(),
        agents: agents.into_iter().filter_map(|(id, word)| Some((AgentId::parse(&id).ok()?, word))).collect(),
    })
}

/// What [`leftover`] reads.
macro_rules! leftover_columns {
    () => {
        "l.attempt, l.contact, a.number_index, a.caller_number, a.placed_at, a.answered_at, a.connected_at, \
         l.last_event_at, l.policy, l.local_date, l.next_day_at, a.rule \
         FROM live_call l LEFT JOIN attempt a ON a.id = l.attempt"
    };
}

/// Legs and attempts of lives before `epoch`.
pub(super) fn leftovers(conn: &Connection, epoch: Epoch) -> Result<Leftovers, Fault> {
    let doing = "reading what an earlier life left";
    let first_of_this = AttemptId { epoch, serial: 0 }.to_i64();
    const LEGS: &str = "SELECT id, agent, sip, number, caller_number, trunk, identity, answered FROM leg \
                        WHERE id < ?1 ORDER BY id";
    let legs = sql::query(LEGS).bind(first_of_this).fetch_all(conn).doing(doing)?;
    const ATTEMPTS: &str = concat!("SELECT ", leftover_columns!(), " WHERE l.attempt < ?1 ORDER BY l.attempt");
    let attempts = sql::query(ATTEMPTS).bind(first_of_this).fetch_all(conn).doing(doing)?;
    Ok(left(conn, &legs, &attempts))
}

/// Of these, those that are there.
pub(super) fn left_behind(conn: &Connection, attempts: &[AttemptId], legs: &[LegId]) -> Result<Leftovers, Fault> {
    let doing = "reading what is live";
    const LEGS: &str = "SELECT id, agent, sip, number, caller_number, trunk, identity, answered FROM leg \
                        WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id";
    let legs: Vec<i64> = legs.iter().map(|leg| leg.to_i64()).collect();
    let legs = sql::query(LEGS).bind(json!(legs).to_string()).fetch_all(conn).doing(doing)?;
    const ATTEMPTS: &str = concat!(
        "SELECT ",
        leftover_columns!(),
        " WHERE l.attempt IN (SELECT value FROM json_each(?1)) ORDER BY l.attempt"
    );
    let attempts: Vec<i64> = attempts.iter().map(|attempt| attempt.to_i64()).collect();
    let attempts = sql::query(ATTEMPTS).bind(json!(attempts).to_string()).fetch_all(conn).doing(doing)?;
    Ok(left(conn, &legs, &attempts))
}

/// What these rows say. One that can't be read must not keep the others from being read, nor a daemon from starting.
fn left(conn: &Connection, legs: &[Row<'_>], attempts: &[Row<'_>]) -> Leftovers {
    let mut left = Leftovers::default();
    for row in legs {
        match (leg(row), column(row, 0).ok().and_then(LegId::from_i64)) {
            (Ok(leg), _) => left.legs.push(leg),
            (Err(fault), Some(id)) => drop(left.unreadable.legs.insert(id, fault.to_string())),
            (Err(fault), None) => tracing::error!(error = %fault, "a leg has an id that no leg can have"),
        }
    }
    for row in attempts {
        match (leftover(conn, row), column(row, 0).ok().and_then(AttemptId::from_i64)) {
            (Ok(attempt), _) => left.attempts.push(attempt),
            (Err(fault), Some(id)) => drop(left.unreadable.attempts.insert(id, fault.to_string())),
            (Err(fault), None) => tracing::error!(error = %fault, "a live call has an id that no attempt can have"),
        }
    }
    left
}

fn leftover(conn: &Connection, row: &Row<'_>) -> Result<LeftoverAttempt, Fault> {
    let contact = contact::load(conn, ContactRef(column(row, 1)?))?;
    let Kept { contact, .. } = contact.ok_or_else(|| damaged("live_call.contact"))?;
    let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
    Ok(LeftoverAttempt {
        attempt: AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("live_call.attempt"))?,
        contact,
        number: index(column(row, 2)?)?,
        rule: rule(row, 11)?,
        caller_number: row::e164(column(row, 3)?)?,
        placed_at: row::timestamp(column(row, 4)?)?,
        answered_at: at(5)?,
        connected_at: at(6)?,
        last_event_at: row::timestamp(column(row, 7)?)?,
        policy: row::policy(column(row, 8)?)?,
        local_date: column::<&str>(row, 9)?.parse().map_err(|_| damaged("live_call.local_date"))?,
        next_day_at: row::timestamp(column(row, 10)?)?,
    })
}

fn leg(row: &Row<'_>) -> Result<LeftoverLeg, Fault> {
    let destination = match column::<Option<&str>>(row, 1)? {
        Some(agent) => {
            Destination::Agent { agent: AgentId::parse(agent).map_err(|_| damaged("leg.agent"))?, sip: column(row, 2)? }
        }
        None => Destination::Customer {
            number: row::e164(column(row, 3)?)?,
            caller_number: row::e164(column(row, 4)?)?,
            trunk: TrunkId::parse(column(row, 5)?).map_err(|_| damaged("leg.trunk"))?,
        },
    };
    let leg = LegId::from_i64(column(row, 0)?).ok_or_else(|| damaged("leg.id"))?;
    let record = LegRecord { leg, destination, identity: row::identity(column(row, 6)?)? };
    Ok(LeftoverLeg { record, answered: column(row, 7)? })
}
