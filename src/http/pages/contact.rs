//! The page of one contact: all its numbers and attempts, and what they achieved.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Frame, Problem, address, address_of,
    mark::{self, Marked},
    shown,
};
use crate::{
    domain::{
        business::{BusinessKey, NOTE_LENGTH_MAX},
        ids::AgentId,
        results::CallResult,
    },
    http::{
        access::Actor,
        campaigns::campaign_id,
        error::ApiError,
        page::{Zone, short_revision, waiting_text, words},
        results::{detail, zone},
        state::ServerState,
        wire::{
            Attempt, NumberView,
            business::BusinessResultView,
            questionnaire::{AnswerView, QuestionView, QuestionnaireView},
            results::{ContactDetail, Names},
        },
    },
};

/// Whether in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(in crate::http) struct ContactQuery {
    unmasked: Option<bool>,
}

#[derive(Template)]
#[template(path = "contact.html")]
struct Page {
    frame: Frame,
    customer: String,
    state: String,
    contacts: String,
    here: String,
    unmasked: bool,
    facts: Vec<(String, String)>,
    next: String,
    numbers: Vec<NumberRow>,
    attempts: Vec<AttemptRow>,
    business_results: Vec<BusinessRow>,
    questionnaires: Vec<Asked>,
    mark: Option<MarkForm>,
    json: String,
}

/// The form that sets a business result, for who has signed in.
struct MarkForm {
    key: String,
    error: Option<String>,
    /// Value, text, and whether it is chosen.
    results: Vec<(String, String, bool)>,
    attempts: Vec<(String, String, bool)>,
    calls_back: bool,
    filled: Marked,
    note_length_max: usize,
}

struct Asked {
    title: String,
    state: String,
    /// Each question and its answer.
    rows: Vec<(String, String)>,
}

struct NumberRow {
    index: usize,
    category: String,
    number: String,
    last_result: String,
    due: String,
    ended: String,
}

struct AttemptRow {
    attempt: String,
    placed: String,
    rang: String,
    answered: String,
    connected: String,
    ended: String,
    number: String,
    caller_number: String,
    agent: String,
    result: String,
    fail_code: String,
    signalled: String,
    business: String,
    placed_by: String,
    commit: String,
    overrides: String,
}

struct BusinessRow {
    at: String,
    result: String,
    by: String,
    attempt: String,
    agent: String,
    callback: String,
    goal: &'static str,
    outcome: String,
    note: String,
}

/// The page.
pub(in crate::http) async fn contact(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    Query(query): Query<ContactQuery>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unmasked = query.unmasked.unwrap_or(false);
    let form = (Marked::default(), None);
    let page = page(&state, (&campaign, &customer), unmasked, (&actor, &headers), form).await;
    page.map_err(Problem::of(&state))
}

/// The same with what was filled in, and what is wrong with it.
pub(super) async fn page(
    state: &ServerState,
    (campaign, customer): (&str, &str),
    unmasked: bool,
    (actor, headers): (&Actor, &HeaderMap),
    (filled, error): (Marked, Option<String>),
) -> Result<Response, ApiError> {
    let found = detail(state, (campaign, customer), unmasked, actor).await?;
    let campaign = campaign_id(campaign)?;
    let zone = Zone::named(&zone(state).0);
    let generation = state.generation.borrow().clone();
    let names = Names(generation.as_ref().map(|generation| &generation.definitions));
    let here = address_of(&campaign, &found.customer);
    let frame = Frame::of(state, Some(&campaign), actor, headers);
    let defined = generation.as_ref().map(|generation| &generation.definitions);
    let key = frame.person.as_ref().map(|(_, key)| key.clone());
    let form =
        key.zip(defined).filter(|(_, defined)| !defined.business_results.is_empty()).map(|(key, defined)| MarkForm {
            key,
            error,
            results: mark::choices(defined, &filled.result),
            attempts: attempt_choices(&found.attempts, &filled.attempt, &zone),
            calls_back: defined.business_results.values().any(|result| result.schedules_callback),
            filled,
            note_length_max: NOTE_LENGTH_MAX,
        });
    shown(&Page {
        frame,
        mark: form,
        questionnaires: found.questionnaires.iter().filter_map(|asked| asked_row(asked, &zone)).collect(),
        contacts: format!("{}/contacts", address(&campaign)),
        unmasked,
        facts: facts(&found, &zone),
        next: next(&found, &zone),
        numbers: found.numbers.iter().map(|number| number_row(number, &zone, &names)).collect(),
        attempts: found.attempts.iter().map(|attempt| attempt_row(attempt, &zone, &names)).collect(),
        business_results: found.business_results.iter().map(|set| business_row(set, &zone, &names)).collect(),
        json: format!("/api/v1{here}"),
        state: words(&found.state),
        customer: found.customer,
        here,
    })
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("–").to_owned()
}

fn at(zone: &Zone, time: Option<&String>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| zone.show(time))
}

/// A result as people see it.
pub(super) fn result(names: &Names<'_>, result: Option<&str>) -> String {
    result.and_then(CallResult::parse).map_or_else(|| "–".to_owned(), |result| words(&names.result(result)))
}

/// A business result as people see it.
pub(super) fn business(names: &Names<'_>, key: Option<&str>) -> String {
    key.and_then(BusinessKey::parse).map_or_else(|| "–".to_owned(), |key| names.business(&key))
}

fn facts(found: &ContactDetail, zone: &Zone) -> Vec<(String, String)> {
    let mut facts = vec![
        ("Batch".to_owned(), found.batch.clone()),
        ("Calls".to_owned(), found.calls.to_string()),
        ("Priority".to_owned(), found.priority.to_string()),
    ];
    facts.extend(found.timezone.clone().map(|own| ("Own zone".to_owned(), own)));
    facts.extend(found.not_before.as_ref().map(|at| ("Not before".to_owned(), zone.show(at))));
    facts.extend(found.attributes.iter().map(|(id, value)| (id.clone(), value.clone())));
    facts
}

fn next(found: &ContactDetail, zone: &Zone) -> String {
    if let Some(live) = &found.live {
        let since = zone.show(&live.since);
        return format!(
            "In a call of number {} with agent {}, {} since {since}.",
            live.number_index, live.agent, live.state
        );
    }
    let held = found.hold.as_ref().map(|hold| format!(" Held: {}.", waiting_text(hold, zone))).unwrap_or_default();
    match &found.next {
        None => format!("No call comes.{held}"),
        Some(next) => {
            let from = next.ready_at.as_ref().map(|at| format!(" from {}", zone.show(at))).unwrap_or_default();
            let kind = match next.kind.as_str() {
                "business" => "the call that a business result asked for",
                "pass" => "the next number",
                "retry" => "a retry",
                _ => "a first try",
            };
            format!("Next: {kind} of number {}{from}.{held}", next.number_index)
        }
    }
}

fn number_row(number: &NumberView, zone: &Zone, names: &Names<'_>) -> NumberRow {
    let due = number.held_until.as_ref().or(number.due_at.as_ref());
    let listed = number.do_not_call.as_ref().map(|listed| format!("on do-not-call list {}", listed.list));
    NumberRow {
        index: number.index,
        category: number.category.clone(),
        number: number.number.clone(),
        last_result: result(names, number.last_result.as_deref()),
        due: listed.unwrap_or_else(|| at(zone, due)),
        ended: or_dash(number.ended.as_deref().map(words).as_deref()),
    }
}

fn attempt_row(attempt: &Attempt, zone: &Zone, names: &Names<'_>) -> AttemptRow {
    let sip = attempt.sip_status.map(|status| format!("SIP {status}"));
    let q850 = attempt.q850.map(|cause| format!("Q.850 {cause}"));
    let signalled: Vec<String> = sip.into_iter().chain(q850).collect();
    let overrides: Vec<String> = attempt.overrides.iter().map(ToString::to_string).collect();
    let agent = AgentId::parse(&attempt.agent);
    AttemptRow {
        attempt: attempt.attempt.clone(),
        placed: zone.show(&attempt.placed_at),
        rang: time_of_day(zone, attempt.rang_at.as_ref()),
        answered: time_of_day(zone, attempt.answered_at.as_ref()),
        connected: time_of_day(zone, attempt.connected_at.as_ref()),
        ended: time_of_day(zone, attempt.ended_at.as_ref()),
        number: format!("{} {}", attempt.category.as_deref().unwrap_or_default(), attempt.number),
        caller_number: attempt.caller_number.clone(),
        agent: agent.map_or_else(|_| attempt.agent.clone(), |agent| names.agent(&agent)),
        result: attempt.result.as_deref().map_or_else(|| "live".to_owned(), |name| result(names, Some(name))),
        fail_code: or_dash(attempt.fail_code.as_deref()),
        signalled: or_dash(Some(&signalled.join(", "))),
        business: business(names, attempt.business_result.as_deref()),
        placed_by: or_dash(attempt.rule.as_deref()),
        commit: short_revision(&attempt.revision).to_owned(),
        overrides: or_dash(Some(&overrides.join(", "))),
    }
}

/// A time of the day on which its call was placed.
fn time_of_day(zone: &Zone, time: Option<&String>) -> String {
    let shown = at(zone, time);
    shown.split_once(' ').map(|(_, time)| time.to_owned()).unwrap_or(shown)
}

/// Attempts to choose from, newest first.
fn attempt_choices(attempts: &[Attempt], chosen: &str, zone: &Zone) -> Vec<(String, String, bool)> {
    let choice = |attempt: &Attempt| {
        let text = format!("{}, {}", attempt.attempt, zone.show(&attempt.placed_at));
        (attempt.attempt.clone(), text, attempt.attempt == chosen)
    };
    attempts.iter().rev().map(choice).collect()
}

/// What an attempt has asked; `None` for one in which nobody could be asked and nothing was noted.
fn asked_row(asked: &QuestionnaireView, zone: &Zone) -> Option<Asked> {
    let filled = &asked.filled;
    if filled.connected_at.is_none() && filled.changed_at.is_none() {
        return None;
    }
    let state = match (&filled.completed_at, &filled.completed_by) {
        (Some(at), Some(by)) => format!("complete since {}, by {by}", zone.show(at)),
        _ if filled.changed_at.is_some() => "partial".to_owned(),
        _ => "nothing answered".to_owned(),
    };
    let row = |(question, answer): (&QuestionView, Option<&AnswerView>)| {
        (question.text.clone(), answer.map_or_else(|| "–".to_owned(), ToString::to_string))
    };
    let rows = if filled.answers.is_empty() { Vec::new() } else { asked.asked().map(row).collect() };
    Some(Asked {
        title: format!("{}, version {}, attempt {}", asked.name, filled.version, filled.attempt),
        state,
        rows,
    })
}

fn business_row(set: &BusinessResultView, zone: &Zone, names: &Names<'_>) -> BusinessRow {
    let sub_result = set.achieved.sub_result.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
    let key = format!("{}{sub_result}", set.achieved.result);
    let named = |agent: &str| AgentId::parse(agent).map_or_else(|_| agent.to_owned(), |agent| names.agent(&agent));
    let callback = set.callback_at.as_ref().map(|at| match set.callback_agent.as_deref() {
        Some(agent) => format!("{} by {}", zone.show(at), named(agent)),
        None => zone.show(at),
    });
    let by = if set.by_default { format!("{} (nothing was noted in time)", set.by) } else { set.by.clone() };
    BusinessRow {
        at: zone.show(&set.at),
        result: business(names, Some(&key)),
        by,
        attempt: or_dash(set.attempt.as_deref()),
        agent: set.agent.as_deref().map_or_else(|| "–".to_owned(), named),
        callback: callback.unwrap_or_else(|| "–".to_owned()),
        goal: if set.goal { "yes" } else { "–" },
        outcome: set.outcome.as_deref().map_or_else(|| "with the end of the call".to_owned(), words),
        note: or_dash(set.note.as_deref()),
    }
}
