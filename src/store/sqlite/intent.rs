//! Intents: the gate and the record of its answer, in one transaction.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    business,
    contact::{self, Kept, Rules, column},
    do_not_call,
    fault::{Doing, Fault},
    outcome, questionnaire,
    sql::{self, Row},
    statements::Statements,
    statistic,
    writer::{Shared, Writer},
};
use crate::{
    domain::{
        business::BusinessKey,
        campaign::Campaign,
        contact::Contact,
        facts::{
            ledger::{Ledger, LiveCall, monotonic},
            verdict::{self, Question},
        },
        gate::{self, NumberHistory},
        ids::{AttemptId, CampaignId, CustomerId, TrunkId},
        intent::RecordedIntent,
        now::Now,
        overrides::OverrideId,
        phone::E164,
        reason::Hold,
        results::CallResult,
        survey::questionnaire::Questionnaire,
    },
    store::{
        IntentDecision, IntentRequest,
        row::{self, damaged, micros},
    },
};

/// Asks the gate at this instant and, if it admits, writes the intent.
pub(super) fn record(writer: &mut Writer, request: IntentRequest) -> Result<IntentDecision, Fault> {
    let now = writer.shared.clock.now();
    let Some(generation) = writer.generation.clone() else {
        return Ok(IntentDecision::Refused(Hold::StoreUnavailable));
    };
    let Some(campaign) = generation.definitions.campaigns.get(&request.campaign) else {
        return Ok(IntentDecision::Refused(Hold::Retired));
    };
    let kept = contact::load(&writer.conn, request.contact)?;
    let Some(kept) = kept.filter(|kept| kept.contact.campaign == request.campaign) else {
        return Ok(IntentDecision::Refused(Hold::Stale));
    };
    let history = history(&writer.conn, &writer.shared, campaign, (&kept.contact, request.number), now.wall)?;
    let do_not_call = do_not_call::entries(&writer.conn, &campaign.do_not_call, &kept.contact)?;
    let mono = monotonic(now.mono);
    let overrides = Arc::clone(&writer.overrides);
    let question = Question {
        now: now.wall,
        mono,
        contact: &kept.contact,
        picked_version: request.picked_version,
        number: request.number,
        batch_paused: kept.batch_paused,
        rule: request.rule.as_ref(),
        overridden: overrides.governing(&request.campaign, now.wall).map(Arc::as_ref),
        agent: Some(&request.agent),
        trunk: Some(&request.trunk),
        history: &history,
        do_not_call: do_not_call.get(request.number).map_or(&[], Vec::as_slice),
    };
    let answer = {
        let mut ledger = writer.shared.ledger();
        ledger.forget_before(mono);
        verdict::ask(&question, &generation, &writer.shared.settings, &ledger)
    };
    if let Err(hold) = answer {
        let place = (request.number, request.rule.as_ref());
        return refuse(writer, campaign, &kept, place, hold, now.wall);
    }
    let revision = generation.revision_of(&campaign.id);
    let intent = RecordedIntent::new(revision, campaign, kept.contact.clone(), request.number, now.wall);
    admit(writer, campaign, &request, &kept, intent, mono)
}

fn refuse(
    writer: &mut Writer,
    campaign: &Campaign,
    kept: &Kept,
    place: (usize, Option<&BusinessKey>),
    hold: Hold,
    now: Timestamp,
) -> Result<IntentDecision, Fault> {
    if let Some(progress) = gate::after_refusal(campaign, &hold, &kept.contact, place, now) {
        let rules = Rules { now, ..writer.rules(&campaign.id) };
        let mut all = Statements::default();
        contact::write(&mut all, &rules, kept, &progress, kept.live);
        all.execute(&writer.conn, "writing a contact")?;
    }
    Ok(IntentDecision::Refused(hold))
}

fn admit(
    writer: &mut Writer,
    campaign: &Campaign,
    request: &IntentRequest,
    kept: &Kept,
    intent: RecordedIntent,
    mono: i64,
) -> Result<IntentDecision, Fault> {
    let called = kept.contact.progress.numbers[request.number].e164.clone();
    let rules = Rules { now: intent.at, ..writer.rules(&campaign.id) };
    let overrides = writer.overrides.placed_under(&campaign.id, intent.at);
    let asked = writer.generation.as_ref().and_then(|it| Questionnaire::of(&it.definitions, campaign));
    let asked = asked.map(|asked| questionnaire::key(&writer.conn, &asked)).transpose()?;
    let written = written(&rules, request, kept, &intent, (&called, asked), &overrides);
    if let Err(fault) = written.execute(&writer.conn, "writing an intent") {
        let Some(constraint) = fault.unique_violation() else { return Err(fault) };
        return on_call_after_all(writer, &constraint, &called).ok_or(fault);
    }
    let numbers = verdict::numbers_of(&kept.contact);
    let (campaign, trunk, customer) = (request.campaign.clone(), request.trunk.clone(), kept.contact.customer.clone());
    let mut ledger = writer.shared.ledger();
    ledger.place_before_commit(request.attempt, &campaign, &trunk, mono);
    ledger.add(request.attempt, LiveCall { campaign, trunk, customer, called, numbers });
    Ok(IntentDecision::Recorded(Box::new(intent)))
}

/// A constraint contradicts the ledger: undoes what was written and tells who is in a call.
fn on_call_after_all(writer: &mut Writer, constraint: &str, called: &E164) -> Option<IntentDecision> {
    let by_number = constraint.contains("live_number");
    if !by_number && !constraint.contains("live_call.customer_id") && !constraint.contains("live_call.contact") {
        return None;
    }
    sql::query("ROLLBACK TO command").execute(&writer.conn).ok()?;
    writer.shared.give_up_evaluations();
    const CALLED: &str = "SELECT EXISTS (SELECT 1 FROM live_number n JOIN live_call l USING (attempt) \
                          JOIN attempt a ON a.id = l.attempt WHERE n.number = ?1 AND a.number = ?1)";
    let query = sql::query_scalar(CALLED).bind(called.expose());
    let itself = by_number && query.fetch_one(&writer.conn).ok()?;
    Some(IntentDecision::Refused(if itself { Hold::NumberOnCall } else { Hold::CustomerOnCall }))
}

/// What an intent is on disk.
fn written(
    rules: &Rules,
    request: &IntentRequest,
    kept: &Kept,
    intent: &RecordedIntent,
    (called, asked): (&E164, Option<i64>),
    overrides: &[OverrideId],
) -> Statements {
    let mut all = Statements::default();
    let (attempt, contact) = (request.attempt.to_i64(), &kept.contact);
    const ATTEMPT: &str = "INSERT INTO attempt (id, campaign, contact, number_index, number, caller_number, agent, \
                           trunk, placed_at, rule, overrides, questionnaire, category, generation, \
                           do_not_call_version) \
                           SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
                           coalesce((SELECT id FROM generation WHERE revision = ?), generation), do_not_call_version \
                           FROM store";
    all.add(ATTEMPT)
        .bind(attempt)
        .bind(kept.campaign)
        .bind(contact.reference.0)
        .bind(i64::try_from(request.number).unwrap_or(i64::MAX))
        .bind(called.expose())
        .bind(request.caller_number.expose())
        .bind(request.agent.as_str())
        .bind(request.trunk.as_str())
        .bind(micros(intent.at))
        .bind(request.rule.as_ref().map(BusinessKey::to_string))
        .bind(row::overrides_text(overrides))
        .bind(asked)
        .bind(contact.progress.numbers.get(request.number).map(|number| number.category.as_str()))
        .bind(intent.revision.as_str());
    const LIVE: &str = "INSERT INTO live_call (attempt, contact, customer_id, policy, local_date, next_day_at, \
                        last_event_at) VALUES (?, ?, ?, ?, ?, ?, ?)";
    all.add(LIVE)
        .bind(attempt)
        .bind(contact.reference.0)
        .bind(contact.customer.as_str())
        .bind(row::policy_text(&intent.policy))
        .bind(intent.local_date.to_string())
        .bind(micros(intent.next_day_at))
        .bind(micros(intent.at));
    const NUMBERS: &str = "INSERT INTO live_number (attempt, number) \
                           SELECT ?, value ->> 1 FROM personal, json_each(personal.numbers) WHERE contact = ?";
    all.add(NUMBERS).bind(attempt).bind(contact.reference.0);
    outcome::leg(&mut all, &request.leg, Some(request.attempt));
    use_caller_number(&mut all, kept.campaign, request.caller_number.expose(), 1);
    contact::counts(&mut all, kept.campaign, &[((contact::LIVE, ""), 1)]);
    contact::set_live(&mut all, rules, kept, true);
    all
}

fn use_caller_number(all: &mut Statements, campaign: i64, number: &str, by: i64) {
    const SQL: &str = "INSERT INTO caller_usage (campaign, caller_number, n) VALUES (?, ?, ?) \
                       ON CONFLICT (campaign, caller_number) DO UPDATE SET n = n + excluded.n";
    all.add(SQL).bind(campaign).bind(number).bind(by);
}

/// Takes an intent back; nothing if it has ended or never was.
pub(super) fn withdraw(writer: &mut Writer, attempt: AttemptId) -> Result<(), Fault> {
    let doing = "withdrawing an intent";
    const FIND: &str = "SELECT l.contact, a.caller_number FROM live_call l JOIN attempt a ON a.id = l.attempt \
                        WHERE l.attempt = ?1";
    let found = sql::query_as(FIND).bind(attempt.to_i64()).fetch_optional(&writer.conn).doing(doing)?;
    let Some((contact, caller_number)): Option<(i64, String)> = found else { return Ok(()) };
    let contact = crate::domain::ids::ContactRef(contact);
    let kept = contact::load(&writer.conn, contact)?.ok_or_else(|| damaged("live_call.contact"))?;
    let rules = writer.rules(&kept.contact.campaign);
    let achieved = statistic::business_of(&writer.conn, attempt.to_i64())?;
    statistic::business(&writer.conn, attempt.to_i64(), achieved.as_deref(), None)?;
    let mut all = Statements::default();
    for sql in ["DELETE FROM leg WHERE attempt = ?", "DELETE FROM attempt WHERE id = ?"] {
        all.add(sql).bind(attempt.to_i64());
    }
    use_caller_number(&mut all, kept.campaign, &caller_number, -1);
    contact::counts(&mut all, kept.campaign, &[((contact::LIVE, ""), -1)]);
    contact::set_live(&mut all, &rules, &kept, false);
    all.execute(&writer.conn, doing)?;
    writer.shared.ledger().withdraw(attempt);
    business::take_effect(writer, contact)?;
    Ok(())
}

/// The frequency ledger of a number, as far as `campaign` caps it.
pub(super) fn history(
    conn: &Connection,
    shared: &Shared,
    campaign: &Campaign,
    (contact, number): (&Contact, usize),
    now: Timestamp,
) -> Result<NumberHistory, Fault> {
    let number = contact.progress.numbers.get(number);
    let doing = "reading the calls to a number";
    let to_customer = calls_to(conn, campaign, &contact.customer)?;
    let (Some(since), Some(number)) = (verdict::history_since(campaign, now), number) else {
        return Ok(NumberHistory { to_customer, ..NumberHistory::default() });
    };
    // Calls of contacts that were erased count too.
    let erased = shared.pseudonyms.number(&number.e164);
    const PLACED: &str =
        "SELECT placed_at FROM attempt WHERE number IN (?1, ?3) AND placed_at >= ?2 ORDER BY placed_at";
    let placed = sql::query_scalar(PLACED).bind(number.e164.expose()).bind(micros(since)).bind(&erased);
    let placed: Vec<i64> = placed.fetch_all(conn).doing(doing)?;
    let attempts = placed.into_iter().map(row::timestamp).collect::<Result<_, _>>()?;
    const SPOKEN: &str = "SELECT max(ended_at) FROM attempt WHERE number IN (?1, ?3) AND result = ?2";
    let spoken = sql::query_scalar(SPOKEN).bind(number.e164.expose()).bind(CallResult::Answered.as_str()).bind(&erased);
    let spoken: Option<i64> = spoken.fetch_one(conn).doing(doing)?;
    Ok(NumberHistory { attempts, conversation_ended_at: spoken.map(row::timestamp).transpose()?, to_customer })
}

/// INVITEs that left for a customer, over all campaigns; 0 where `campaign` does not cap them.
pub(super) fn calls_to(conn: &Connection, campaign: &Campaign, customer: &CustomerId) -> Result<u32, Fault> {
    if campaign.limits.max_attempts_per_contact.is_none() {
        return Ok(0);
    }
    const SQL: &str = "SELECT coalesce(sum(c.attempts), 0) FROM campaign k \
                       CROSS JOIN contact c ON c.campaign = k.id AND c.customer_id = ?1";
    let query = sql::query_scalar(SQL).bind(customer.as_str());
    query.fetch_one(conn).doing("reading the calls to a customer")
}

/// How many of the newest attempts are looked at for those of the last second.
const RECENT_ATTEMPTS: i64 = 10_000;

/// The ledger as the tables have it.
pub(super) fn ledger(conn: &Connection, now: Now) -> Result<Ledger, Fault> {
    let doing = "reading live calls";
    let mut ledger = Ledger::default();
    const LIVE: &str = "SELECT l.attempt, k.slug, a.trunk, l.customer_id, a.number, p.numbers, \
                        (SELECT json_group_array(number) FROM live_number n WHERE n.attempt = l.attempt) \
                        FROM live_call l JOIN attempt a ON a.id = l.attempt JOIN campaign k ON k.id = a.campaign \
                        JOIN personal p ON p.contact = l.contact";
    for row in sql::query(LIVE).fetch_all(conn).doing(doing)? {
        match live_call(&row) {
            Ok((attempt, call)) => ledger.add(attempt, call),
            // Its customer and numbers stay live by the tables' own constraints, which outrank this.
            Err(fault) => tracing::error!(error = %fault, "the row of a live call can't be read: no cap counts it"),
        }
    }
    const RECENT: &str = "SELECT r.id, k.slug, r.trunk, r.placed_at FROM (SELECT * FROM attempt ORDER BY id DESC \
                          LIMIT ?2) r JOIN campaign k ON k.id = r.campaign WHERE r.placed_at > ?1 ORDER BY r.placed_at";
    let wall = micros(now.wall);
    let recent = sql::query(RECENT).bind(wall - 1_000_000).bind(RECENT_ATTEMPTS);
    for recent in recent.fetch_all(conn).doing(doing)? {
        let attempt = AttemptId::from_i64(column(&recent, 0)?);
        let (campaign, trunk) = (CampaignId::parse(column(&recent, 1)?), TrunkId::parse(column(&recent, 2)?));
        // What can't be read counts a second at most, and to no campaign or trunk that there is.
        let (Some(attempt), Ok(campaign), Ok(trunk)) = (attempt, campaign, trunk) else { continue };
        let ago = wall - column::<i64>(&recent, 3)?;
        ledger.place(attempt, &campaign, &trunk, monotonic(now.mono) - ago.max(0));
    }
    Ok(ledger)
}

/// A live call, whose other numbers count as the table of live ones has them where its contact can't be read.
fn live_call(row: &Row<'_>) -> Result<(AttemptId, LiveCall), Fault> {
    let attempt = AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("attempt.id"))?;
    let numbers = match row::numbers(column(row, 5)?) {
        Ok(numbers) => numbers.into_iter().map(|number| number.e164).collect(),
        Err(_) => {
            let live: Vec<String> = serde_json::from_str(column(row, 6)?).map_err(|_| damaged("live_number.number"))?;
            live.iter().filter_map(|number| row::e164(number).ok()).collect()
        }
    };
    let call = LiveCall {
        campaign: CampaignId::parse(column(row, 1)?).map_err(|_| damaged("campaign.slug"))?,
        trunk: TrunkId::parse(column(row, 2)?).map_err(|_| damaged("attempt.trunk"))?,
        customer: CustomerId::parse(column(row, 3)?).map_err(|_| damaged("live_call.customer_id"))?,
        called: row::e164(column(row, 4)?)?,
        numbers,
    };
    Ok((attempt, call))
}
