//! Business results: recorded at once, in effect once their contact is in no call.

use rusqlite::Connection;

use super::{
    contact::{self, Kept, campaign_key, column},
    fault::{Doing, Fault},
    sql::{self, Row},
    statements::Statements,
    statistic,
    writer::Writer,
};
use crate::{
    domain::{
        business::{self, Agreed, EndedCall, Mark, Outcome, Refusal},
        contact::{Contact, Number},
        ids::{AgentId, AttemptId, ContactRef},
    },
    store::{
        BusinessDecision, BusinessRecord, BusinessRequest, StoreError,
        row::{self, damaged, micros},
    },
};

/// Records a business result; it takes effect at once unless the contact is in a call.
pub(super) fn set(writer: &mut Writer, request: BusinessRequest) -> Result<BusinessDecision, Fault> {
    let key = campaign_key(&writer.conn, &request.campaign)?;
    let Some(generation) = &writer.generation else { return Ok(BusinessDecision::Refused(Refusal::NotInForce)) };
    let definitions = &generation.definitions;
    if let Err(refusal) = business::check(definitions, &request.key, request.agent.as_ref()) {
        return Ok(BusinessDecision::Refused(refusal));
    }
    let conn = &writer.conn;
    let Some(contact) = contact::find(conn, key, &request.customer)? else {
        return Ok(BusinessDecision::Refused(Refusal::NoContact));
    };
    let (found, contact) = (&contact, contact.reference);
    let attempt = attempt_of(conn, contact, request.attempt)?;
    if let (Some(given), None) = (request.attempt, attempt) {
        return Ok(BusinessDecision::Refused(Refusal::NoAttempt(given)));
    }
    if request.by_default && has_result(conn, attempt)? {
        return Ok(BusinessDecision::Refused(Refusal::HasOne));
    }
    let agreed = match request.callback {
        Some(wanted) => {
            let called = called(conn, found, attempt)?;
            let agent = request.agent.as_ref();
            let called = called.as_ref().map(|(number, of_call)| (*number, agent.unwrap_or(of_call)));
            match business::agree(definitions, found, called, &request.key, wanted, request.at) {
                Ok(agreed) => Some(agreed),
                Err(refusal) => return Ok(BusinessDecision::Refused(refusal.into())),
            }
        }
        None => None,
    };
    if let Some(attempt) = attempt {
        let was = statistic::business_of(conn, attempt)?;
        statistic::business(conn, attempt, was.as_deref(), Some(&request.key.to_string()))?;
    }
    let goal = definitions.business_results.get(&request.key.result).is_some_and(|result| result.counts_as_goal);
    const SQL: &str = "INSERT INTO business_result (contact, attempt, result, note, set_by, set_at, by_default, agent, \
                       agreed_at, agreed_agent, goal) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING id";
    let id: i64 = sql::query_scalar(SQL)
        .bind(contact.0)
        .bind(attempt)
        .bind(request.key.to_string())
        .bind(&request.note)
        .bind(&request.by)
        .bind(micros(request.at))
        .bind(request.by_default)
        .bind(request.agent.as_ref().map(AgentId::as_str))
        .bind(agreed.as_ref().map(|agreed| micros(agreed.at)))
        .bind(agreed.as_ref().and_then(|agreed| agreed.agent.as_ref()).map(AgentId::as_str))
        .bind(goal)
        .fetch_one(conn)
        .doing("writing a business result")?;
    take_effect(writer, contact)?;
    let outcome = sql::query_scalar("SELECT outcome FROM business_result WHERE id = ?1").bind(id);
    let outcome: Option<String> = outcome.fetch_one(&writer.conn).doing("reading a business result")?;
    Ok(BusinessDecision::Set { contact, outcome: outcome.as_deref().map(read_outcome).transpose()?, goal })
}

/// The attempt that a result is for: the given one if it is the contact's, else the newest.
fn attempt_of(conn: &Connection, contact: ContactRef, given: Option<AttemptId>) -> Result<Option<i64>, Fault> {
    const SQL: &str = "SELECT max(id) FROM attempt WHERE contact = ?1 AND (?2 IS NULL OR id = ?2)";
    let query = sql::query_scalar(SQL).bind(contact.0).bind(given.map(AttemptId::to_i64));
    query.fetch_one(conn).doing("finding a contact's newest attempt")
}

/// The number of an attempt as its contact has it, and its agent.
fn called<'a>(
    conn: &Connection,
    contact: &'a Contact,
    attempt: Option<i64>,
) -> Result<Option<(&'a Number, AgentId)>, Fault> {
    let row = sql::query("SELECT number, agent FROM attempt WHERE id = ?1").bind(attempt).fetch_optional(conn);
    let Some(row) = row.doing("reading the call of a business result")? else { return Ok(None) };
    let called: Option<&str> = column(&row, 0)?;
    let number = contact.progress.numbers.iter().find(|number| Some(number.e164.expose()) == called);
    Ok(number.zip(Some(agent(column(&row, 1)?)?)))
}

fn agent(id: &str) -> Result<AgentId, Fault> {
    AgentId::parse(id).map_err(|_| damaged("business_result.agent").into())
}

/// What was agreed on, of two columns.
fn agreed(at: Option<i64>, by: Option<&str>) -> Result<Option<Agreed>, Fault> {
    let Some(at) = at else { return Ok(None) };
    Ok(Some(Agreed { at: row::timestamp(at)?, agent: by.map(agent).transpose()? }))
}

fn has_result(conn: &Connection, attempt: Option<i64>) -> Result<bool, Fault> {
    let query = sql::query_scalar("SELECT EXISTS (SELECT 1 FROM business_result WHERE attempt = ?1)").bind(attempt);
    query.fetch_one(conn).doing("looking for a business result")
}

/// Has what was set for a contact take effect, unless it is in a call; tells whether that changed it.
///
/// Before a life has put a generation in force nothing is defined, and what calls of the life before left waits.
pub(super) fn take_effect(writer: &mut Writer, contact: ContactRef) -> Result<bool, Fault> {
    if writer.generation.is_none() {
        return Ok(false);
    }
    const WAITING: &str = "SELECT id, attempt, result, set_at, agreed_at, agreed_agent FROM business_result \
                           WHERE contact = ?1 AND outcome IS NULL ORDER BY id";
    let waiting = sql::query(WAITING).bind(contact.0).fetch_all(&writer.conn);
    let mut changed = false;
    for row in waiting.doing("reading business results")? {
        let kept = contact::load(&writer.conn, contact)?.ok_or_else(|| damaged("business_result.contact"))?;
        if kept.live {
            return Ok(changed);
        }
        let call = ended_call(&writer.conn, &kept.contact, column(&row, 1)?)?;
        let mark = Mark {
            key: row::business_key(column(&row, 2)?)?,
            at: row::timestamp(column(&row, 3)?)?,
            agreed: agreed(column(&row, 4)?, column(&row, 5)?)?,
        };
        let outcome = follow(writer, &kept, call.as_ref(), &mark, &mut changed)?;
        const SQL: &str = "UPDATE business_result SET outcome = ?2 WHERE id = ?1";
        let query = sql::query(SQL).bind(column::<i64>(&row, 0)?).bind(outcome.as_str());
        query.execute(&writer.conn).doing("writing a business result")?;
    }
    Ok(changed)
}

/// Has everything take effect that waited for the first generation of this life.
pub(super) fn take_effect_late(writer: &mut Writer) -> Result<(), Fault> {
    let waiting = sql::query_scalar("SELECT DISTINCT contact FROM business_result WHERE outcome IS NULL");
    let waiting: Vec<i64> = waiting.fetch_all(&writer.conn).doing("reading business results")?;
    for contact in waiting {
        match take_effect(writer, ContactRef(contact)) {
            Ok(_) => {}
            // A contact that can't be read is no reason to put no commit in force at all.
            Err(Fault::Store(error @ StoreError::Damaged(_))) => {
                tracing::error!(contact, error = %error, "a business result can't take effect");
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn follow(
    writer: &mut Writer,
    kept: &Kept,
    call: Option<&EndedCall>,
    mark: &Mark,
    changed: &mut bool,
) -> Result<Outcome, Fault> {
    let Some(campaign) = writer.defined(&kept.contact.campaign) else { return Ok(Outcome::Retired) };
    let (progress, outcome) = business::take_effect(&campaign, &kept.contact, call, mark);
    if progress != kept.contact.progress {
        *changed = true;
        let rules = writer.rules(&kept.contact.campaign);
        let mut all = Statements::default();
        contact::write(&mut all, &rules, kept, &progress, false);
        all.execute(&writer.conn, "writing a contact")?;
    }
    Ok(outcome)
}

/// The call of `attempt`, else the newest of the contact.
fn ended_call(conn: &Connection, contact: &Contact, attempt: Option<i64>) -> Result<Option<EndedCall>, Fault> {
    const SQL: &str = "SELECT number, ended_at, agent FROM attempt WHERE ended_at IS NOT NULL AND id = \
                       coalesce(?2, (SELECT max(id) FROM attempt WHERE contact = ?1))";
    let row = sql::query(SQL).bind(contact.reference.0).bind(attempt).fetch_optional(conn);
    let Some(row) = row.doing("reading the call of a business result")? else { return Ok(None) };
    // Edited since then, it may have come to stand elsewhere, or be gone.
    let called: &str = column(&row, 0)?;
    let Some(number) = contact.progress.numbers.iter().position(|number| number.e164.expose() == called) else {
        return Ok(None);
    };
    Ok(Some(EndedCall {
        number,
        ended_at: row::timestamp(column(&row, 1)?)?,
        agent: AgentId::parse(column(&row, 2)?).map_err(|_| damaged("attempt.agent"))?,
    }))
}

/// What was set for a contact, oldest first.
pub(super) fn records(conn: &Connection, contact: ContactRef) -> Result<Vec<BusinessRecord>, Fault> {
    const SQL: &str = "SELECT attempt, result, note, set_by, set_at, outcome, by_default, agent, agreed_at, \
                       agreed_agent, goal FROM business_result WHERE contact = ?1 ORDER BY id";
    let rows = sql::query(SQL).bind(contact.0).fetch_all(conn).doing("reading business results")?;
    rows.iter().map(|row| record(row, 0)).collect()
}

/// The columns of a business result, from `first` on.
pub(super) fn record(row: &Row<'_>, first: usize) -> Result<BusinessRecord, Fault> {
    let attempt = |id: i64| AttemptId::from_i64(id).ok_or_else(|| damaged("business_result.attempt"));
    Ok(BusinessRecord {
        attempt: column::<Option<i64>>(row, first)?.map(attempt).transpose()?,
        key: row::business_key(column(row, first + 1)?)?,
        note: column(row, first + 2)?,
        by: column(row, first + 3)?,
        at: row::timestamp(column(row, first + 4)?)?,
        outcome: column::<Option<&str>>(row, first + 5)?.map(read_outcome).transpose()?,
        by_default: column(row, first + 6)?,
        agent: column::<Option<&str>>(row, first + 7)?.map(agent).transpose()?,
        agreed: agreed(column(row, first + 8)?, column(row, first + 9)?)?,
        goal: column(row, first + 10)?,
    })
}

/// The same of a row in which there may be none.
pub(super) fn record_if_any(row: &Row<'_>, first: usize) -> Result<Option<BusinessRecord>, Fault> {
    if column::<Option<&str>>(row, first + 1)?.is_some() { record(row, first).map(Some) } else { Ok(None) }
}

fn read_outcome(name: &str) -> Result<Outcome, Fault> {
    Outcome::parse(name).ok_or_else(|| damaged("business_result.outcome").into())
}
