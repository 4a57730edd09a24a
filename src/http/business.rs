//! Setting a business result: what a conversation achieved, marked after the call or during it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    access::Peer,
    campaigns::{campaign_id, no_customer, parse_attempt},
    error::ApiError,
    state::ServerState,
    wire::business::{BusinessResultSet, SetBusinessResult},
};
use crate::{
    control::DialCommand,
    domain::{
        business::{BusinessKey, NOTE_LENGTH_MAX, Refusal},
        ids::{BusinessResultId, CustomerId, SubResultId},
    },
    store::{BusinessDecision, BusinessRequest},
};

const BODY: &str = "send {\"result\": …}, and if you like \"sub_result\", \"note\" and \"attempt\"";
const DEFINED: &str = "`campaigns/shared/business-results.toml` defines them";

/// Sets one; answered once it is stored.
pub(super) async fn set(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<BusinessResultSet>, ApiError> {
    let wanted: SetBusinessResult = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a business result: {error}"), BODY))?;
    let campaign = campaign_id(&campaign)?;
    let unknown = || no_customer(&campaign, &customer);
    let request = BusinessRequest {
        customer: CustomerId::parse(&customer).map_err(|_| unknown())?,
        attempt: wanted.attempt.as_deref().map(parse_attempt).transpose()?,
        key: key(&wanted)?,
        note: note(wanted.note)?,
        by: peer.to_string(),
        at: state.clock.now().wall,
        campaign: campaign.clone(),
    };
    match state.store.set_business_result(request).await? {
        BusinessDecision::Set { contact, outcome } => {
            let changed = DialCommand::ContactChanged { campaign, contact };
            // A loop that has stopped dials nobody.
            let _stopped = state.dialer.send(changed).await;
            Ok(Json(BusinessResultSet { outcome: outcome.map(|outcome| outcome.as_str().to_owned()) }))
        }
        BusinessDecision::Refused(Refusal::NoContact) => Err(unknown()),
        BusinessDecision::Refused(refusal) => Err(refused(&refusal)),
    }
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

fn refused(refusal: &Refusal) -> ApiError {
    let (status, hint) = match refusal {
        Refusal::NotInForce => (StatusCode::SERVICE_UNAVAILABLE, "`dialops status` says what the daemon waits for"),
        Refusal::NoContact => (StatusCode::NOT_FOUND, "`dialops contacts import` adds contacts"),
        Refusal::NoAttempt(_) => (StatusCode::UNPROCESSABLE_ENTITY, "`dialops why` lists a customer's attempts"),
        Refusal::NoResult(_) | Refusal::NoSubResult(..) => (StatusCode::UNPROCESSABLE_ENTITY, DEFINED),
    };
    ApiError::new(status, refusal.to_string(), hint)
}
