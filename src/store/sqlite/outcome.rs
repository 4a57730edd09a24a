//! What becomes of legs and attempts: milestones, ends, settlements.

use jiff::Timestamp;

use super::{business, contact, dispatch, fault::Fault, forgotten, statements::Statements, statistic, writer::Writer};
use crate::{
    domain::{call::Destination, facts::verdict, ids::AttemptId},
    store::{
        DispatchEvent, LegRecord, Milestone, Settlement,
        row::{self, micros},
    },
};

/// Writes a leg; again, it changes nothing but the identifiers.
pub(super) fn leg(all: &mut Statements, leg: &LegRecord, attempt: Option<AttemptId>) {
    const SQL: &str = "INSERT INTO leg (id, attempt, agent, sip, number, caller_number, trunk, identity, answered) \
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) \
                       ON CONFLICT (id) DO UPDATE SET identity = excluded.identity";
    all.add(SQL).bind(leg.leg.to_i64()).bind(attempt.map(AttemptId::to_i64));
    let [mut agent, mut sip, mut number, mut caller_number, mut trunk] = [None; 5];
    match &leg.destination {
        Destination::Agent { agent: id, sip: uri } => (agent, sip) = (Some(id.as_str()), Some(uri.as_str())),
        Destination::Customer { number: called, caller_number: shown, trunk: through } => {
            (number, caller_number, trunk) = (Some(called.expose()), Some(shown.expose()), Some(through.as_str()));
        }
    }
    all.bind(agent).bind(sip).bind(number).bind(caller_number).bind(trunk);
    all.bind(row::identity_text(&leg.identity));
}

/// Writes a milestone; one of a leg or an attempt that is over changes nothing.
pub(super) fn milestone(all: &mut Statements, milestone: &Milestone, now: Timestamp) {
    match milestone {
        Milestone::Leg { leg, identity, rang_at, answered_at } => {
            let leg = leg.to_i64();
            const LEG: &str = "UPDATE leg SET identity = ?, answered = answered OR ? WHERE id = ?";
            all.add(LEG).bind(row::identity_text(identity)).bind(answered_at.is_some()).bind(leg);
            const HAPPENED: &str = "UPDATE live_call SET last_event_at = max(last_event_at, ?) \
                                    WHERE attempt = (SELECT attempt FROM leg WHERE id = ?)";
            all.add(HAPPENED).bind(micros(answered_at.unwrap_or(now))).bind(leg);
            if let Some(at) = rang_at {
                const RANG: &str = "UPDATE attempt SET rang_at = coalesce(rang_at, ?) \
                                    WHERE id = (SELECT attempt FROM leg WHERE id = ?)";
                all.add(RANG).bind(micros(*at)).bind(leg);
            }
            if let Some(at) = answered_at {
                const ANSWERED: &str = "UPDATE attempt SET answered_at = coalesce(answered_at, ?) \
                                        WHERE id = (SELECT attempt FROM leg WHERE id = ?)";
                all.add(ANSWERED).bind(micros(*at)).bind(leg);
            }
        }
        Milestone::Connected { attempt, at } => {
            const HAPPENED: &str = "UPDATE live_call SET last_event_at = max(last_event_at, ?) WHERE attempt = ?";
            all.add(HAPPENED).bind(micros(*at)).bind(attempt.to_i64());
            const CONNECTED: &str = "UPDATE attempt SET connected_at = coalesce(connected_at, ?) WHERE id = ?";
            all.add(CONNECTED).bind(micros(*at)).bind(attempt.to_i64());
            dispatch::tell(all, *attempt, DispatchEvent::Connected, (*at, now));
        }
        Milestone::LegEnded { leg } => {
            all.add("DELETE FROM leg WHERE id = ?").bind(leg.to_i64());
        }
    }
}

/// Ends an attempt and moves its contact on; nothing if it has ended or never was. Tells whether a
/// business result changed the contact once more.
pub(super) fn settle(writer: &mut Writer, settlement: &Settlement) -> Result<bool, Fault> {
    let Some(kept) = contact::load_called(&writer.conn, settlement.attempt)? else { return Ok(false) };
    let rules = writer.rules(&kept.contact.campaign);
    let mut all = Statements::default();
    all.add("DELETE FROM live_call WHERE attempt = ?").bind(settlement.attempt.to_i64());
    if !kept.live {
        // Its row is gone, and may have left these behind.
        all.add("DELETE FROM live_number WHERE attempt = ?").bind(settlement.attempt.to_i64());
    }
    const ENDED: &str = "UPDATE attempt SET result = ?, fail_code = ?, sip_status = ?, q850 = ?, ended_at = ?, \
                         answered_at = coalesce(?, answered_at), connected_at = coalesce(?, connected_at) WHERE id = ?";
    all.add(ENDED)
        .bind(settlement.result.as_str())
        .bind(settlement.fail_code)
        .bind(settlement.sip_status)
        .bind(settlement.q850)
        .bind(micros(settlement.ended_at))
        .bind(settlement.answered_at.map(micros))
        .bind(settlement.connected_at.map(micros))
        .bind(settlement.attempt.to_i64());
    statistic::ended(&mut all, settlement.attempt);
    let progress = verdict::settled(&kept.contact.progress, settlement.progress.clone());
    contact::write(&mut all, &rules, &kept, &progress, false);
    let counted = [((contact::LIVE, ""), -1), ((contact::RESULT, settlement.result.as_str()), 1)];
    contact::counts(&mut all, kept.campaign, &counted);
    // The milestone may come behind this, or never.
    if let Some(at) = settlement.connected_at {
        dispatch::tell(&mut all, settlement.attempt, DispatchEvent::Connected, (at, rules.now));
    }
    dispatch::tell(&mut all, settlement.attempt, DispatchEvent::Ended, (settlement.ended_at, rules.now));
    all.execute(&writer.conn, "settling an attempt")?;
    writer.shared.ledger().remove(settlement.attempt);
    let changed = business::take_effect(writer, kept.contact.reference)?;
    if settlement.attempt.epoch < writer.shared.epoch {
        forgotten::note(writer)?;
    }
    Ok(changed)
}
