//! Setting a business result: what a conversation achieved, marked after the call or during it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    campaigns::{campaign_id, no_customer, parse_attempt},
    change::Change,
    error::ApiError,
    state::ServerState,
    wire::business::{BusinessResultSet, Callback, SetBusinessResult},
};
use crate::{
    control::DialCommand,
    domain::{
        agent::AgentCall,
        business::{BusinessKey, CallbackAt, CallbackRefusal, CallbackWanted, NOTE_LENGTH_MAX, Refusal},
        ids::{AgentId, AttemptId, BusinessResultId, CampaignId, CustomerId, SubResultId},
    },
    store::{BusinessDecision, BusinessRequest},
};

const BODY: &str =
    "send {\"result\": …}, and if you like \"sub_result\", \"note\", \"attempt\", \"agent\" and \"callback\"";
const DEFINED: &str = "`campaigns/shared/business-results.toml` defines them";

/// Sets one; answered once it is stored.
pub(super) async fn set(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<BusinessResultSet>, ApiError> {
    let wanted: SetBusinessResult = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a business result: {error}"), BODY))?;
    let campaign = campaign_id(&campaign)?;
    let unknown = || no_customer(&campaign, &customer);
    let attempt = wanted.attempt.as_deref().map(parse_attempt).transpose()?;
    let customer = CustomerId::parse(&customer).map_err(|_| unknown())?;
    let request = request(&state, &change, wanted, (campaign.clone(), customer, attempt))?;
    record(&state, &change, request).await.map_err(|refused| refused.unwrap_or_else(unknown))
}

/// Sets the result of the call that an agent is in, or has just had.
pub(super) async fn of_call(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<BusinessResultSet>, ApiError> {
    let wanted: SetBusinessResult = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a business result: {error}"), BODY))?;
    let none = || {
        let error = format!("agent {agent:?} is in no call, and wraps none up");
        ApiError::new(StatusCode::CONFLICT, error, "a supervisor can set results of calls that are over")
    };
    let asked = wanted.attempt.as_deref().map(parse_attempt).transpose()?;
    let call = call_of(&state, &agent).filter(|call| asked.is_none_or(|asked| asked == call.attempt));
    let call = call.filter(|call| call.connected_at.is_some()).ok_or_else(none)?;
    if wanted.agent.as_ref().is_some_and(|named| *named != agent) {
        return Err(ApiError::bad_request(
            format!("the call is agent {agent:?}'s, whom the path names"),
            "leave `agent` out",
        ));
    }
    let request = request(&state, &change, wanted, (call.campaign, call.customer, Some(call.attempt)))?;
    let change = change.about(format!("agent {agent}, attempt {}", call.attempt));
    record(&state, &change, request).await.map_err(|refused| refused.unwrap_or_else(none))
}

/// The call that an agent is held for, or wraps up.
pub(super) fn call_of(state: &ServerState, agent: &str) -> Option<AgentCall> {
    state.dial.borrow().agents.iter().find(|found| found.id == agent)?.call.clone()
}

/// Has the store record a result; `Err(None)` if there is no such contact.
async fn record(
    state: &ServerState,
    change: &Change,
    request: BusinessRequest,
) -> Result<Json<BusinessResultSet>, Option<ApiError>> {
    let campaign = request.campaign.clone();
    let decided = change.store(state).set_business_result(request).await;
    match decided.map_err(|error| Some(error.into()))? {
        BusinessDecision::Set { contact, outcome, goal } => {
            state.metrics.business_result(goal);
            let changed = DialCommand::ContactChanged { campaign, contact };
            // A loop that has stopped dials nobody.
            let _stopped = state.dialer.send(changed).await;
            Ok(Json(BusinessResultSet { outcome: outcome.map(|outcome| outcome.as_str().to_owned()) }))
        }
        BusinessDecision::Refused(Refusal::NoContact) => Err(None),
        BusinessDecision::Refused(refusal) => Err(Some(refused(&refusal))),
    }
}

/// What the store is asked for.
fn request(
    state: &ServerState,
    change: &Change,
    wanted: SetBusinessResult,
    (campaign, customer, attempt): (CampaignId, CustomerId, Option<AttemptId>),
) -> Result<BusinessRequest, ApiError> {
    Ok(BusinessRequest {
        campaign,
        customer,
        attempt,
        key: key(&wanted)?,
        note: note(wanted.note)?,
        agent: wanted.agent.as_deref().map(agent).transpose()?,
        callback: wanted.callback.as_ref().map(callback).transpose()?,
        by: change.by().to_owned(),
        at: state.clock.now().wall,
        by_default: false,
    })
}

fn agent(id: &str) -> Result<AgentId, ApiError> {
    let wrong = |error| ApiError::bad_request(format!("{id:?} is no agent: it {error}"), "`agents.toml` defines them");
    AgentId::parse(id).map_err(wrong)
}

fn callback(wanted: &Callback) -> Result<CallbackWanted, ApiError> {
    let at = CallbackAt::parse(&wanted.at).ok_or_else(|| {
        let hint = "write 2026-03-04T15:00 for a time where the customer is, or with an offset such as +08:00 or Z";
        ApiError::unprocessable(format!("{:?} is no date and time", wanted.at), hint)
    })?;
    Ok(CallbackWanted { at, same_agent: wanted.same_agent })
}

fn key(wanted: &SetBusinessResult) -> Result<BusinessKey, ApiError> {
    let result = &wanted.result;
    let result = BusinessResultId::parse(result)
        .map_err(|error| ApiError::bad_request(format!("{result:?} is no business result: it {error}"), DEFINED))?;
    let sub_result = |sub: &String| {
        SubResultId::parse(sub)
            .map_err(|error| ApiError::bad_request(format!("{sub:?} is no sub-result: it {error}"), DEFINED))
    };
    Ok(BusinessKey { result, sub_result: wanted.sub_result.as_ref().map(sub_result).transpose()? })
}

fn note(note: Option<String>) -> Result<Option<String>, ApiError> {
    match note.as_ref().map(|note| note.chars().count()) {
        Some(length) if length > NOTE_LENGTH_MAX => {
            let error = format!("the note has {length} characters, and may have {NOTE_LENGTH_MAX}");
            Err(ApiError::bad_request(error, "shorten it"))
        }
        Some(_) | None => Ok(note),
    }
}

fn callback_hint(refusal: &CallbackRefusal) -> &'static str {
    match refusal {
        CallbackRefusal::NotFor(_) => DEFINED,
        CallbackRefusal::Retired | CallbackRefusal::NoCall => "set the result without a callback",
        CallbackRefusal::Past(_) | CallbackRefusal::Skipped { .. } => "agree on a later time",
        CallbackRefusal::BehindEnd(_) => "agree on an earlier time",
        CallbackRefusal::Closed { .. } => "agree on a time within the campaign's calling hours",
    }
}

fn refused(refusal: &Refusal) -> ApiError {
    let (status, hint) = match refusal {
        Refusal::NotInForce => (StatusCode::SERVICE_UNAVAILABLE, "`dialops status` says what the daemon waits for"),
        Refusal::NoContact => (StatusCode::NOT_FOUND, "`dialops contacts import` adds contacts"),
        Refusal::HasOne => (StatusCode::CONFLICT, "`dialops why` shows it"),
        Refusal::NoAttempt(_) => (StatusCode::UNPROCESSABLE_ENTITY, "`dialops why` lists a customer's attempts"),
        Refusal::NoResult(_) | Refusal::NoSubResult(..) => (StatusCode::UNPROCESSABLE_ENTITY, DEFINED),
        Refusal::NoAgent(_) => (StatusCode::UNPROCESSABLE_ENTITY, "`agents.toml` defines them"),
        Refusal::Callback(refusal) => (StatusCode::UNPROCESSABLE_ENTITY, callback_hint(refusal)),
    };
    ApiError::new(status, refusal.to_string(), hint)
}
