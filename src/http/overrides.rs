//! Overrides: making, listing and ending them. None of it needs Git or the network.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    access::Peer,
    campaigns::campaign_id,
    error::ApiError,
    state::ServerState,
    wire::overrides::{ListedOverride, NewOverride as Asked, OverrideList, OverrideMade, OverrideView},
};
use crate::{
    config,
    control::DialCommand,
    domain::{
        ids::CampaignId,
        overrides::{NewOverride, Order, Override, OverrideId, Scope, reason},
    },
};

/// Past overrides of one list.
const LISTED_MAX: u32 = 500;

const BODY: &str = "send {\"action\": \"pause\", \"campaign\": \"all\", \"reason\": …, \"until\": \"2h\"}";

/// Makes one; answered once the dialling loop goes by it.
pub(super) async fn make(
    State(state): State<Arc<ServerState>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<OverrideMade>, ApiError> {
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not an override: {error}"), BODY))?;
    let order = order(&state, &asked).await?;
    let made = put(&state, order, &asked.reason, &asked.until, peer).await?;
    Ok(Json(OverrideMade { r#override: OverrideView::from(&*made), revert: Vec::new() }))
}

/// Stores an override and has the dialling loop go by it.
pub(super) async fn put(
    state: &ServerState,
    order: Order,
    why: &str,
    until: &str,
    peer: Peer,
) -> Result<Arc<Override>, ApiError> {
    let now = state.clock.now().wall;
    let why = reason(why).map_err(|error| ApiError::bad_request(error.to_string(), "give it with --reason"))?;
    let new = NewOverride { order, reason: why.to_owned(), by: peer.to_string(), until: end(until, now)? };
    let admitted = state.store.overrides().admit(&new, now, state.longest_override);
    admitted.map_err(|refusal| {
        ApiError::new(StatusCode::CONFLICT, refusal.to_string(), "`dialops override list` shows what is in force")
    })?;
    let made = state.store.add_override(new).await?;
    let Override { id, order, reason, by, until, .. } = &*made;
    tracing::warn!(%id, does = %order, reason, by, %until, "an override is in force");
    let cancel_ringing = match order {
        Order::Pause { scope, cancel_ringing: true } => Some(scope.clone()),
        Order::Pause { .. } | Order::Resume { .. } | Order::Pin { .. } => None,
    };
    told(state, cancel_ringing).await;
    Ok(made)
}

/// Has the dialling loop read what is in force, and waits until it has.
async fn told(state: &ServerState, cancel_ringing: Option<Scope>) {
    let (done, taken) = oneshot::channel();
    // A loop that has stopped dials nobody.
    if state.dialer.send(DialCommand::Overridden { cancel_ringing, done }).await.is_ok() {
        let _stopped = taken.await;
    }
}

/// Which ones are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    all: bool,
}

/// Those in force; past ones too if asked for.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<OverrideList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `all=true`"))?;
    let now = state.clock.now().wall;
    let records = state.store.override_records(LISTED_MAX).await?;
    let listed = records.iter().map(|record| ListedOverride::of(record, now));
    Ok(Json(OverrideList { overrides: listed.filter(|one| query.all || one.active).collect() }))
}

/// Ends one before its time.
pub(super) async fn end_now(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<OverrideView>, ApiError> {
    let none = || {
        let error = format!("no override {id:?} is in force");
        ApiError::new(StatusCode::NOT_FOUND, error, "`dialops override list` shows those that are")
    };
    let number = OverrideId(id.parse().map_err(|_| none())?);
    let now = state.clock.now().wall;
    let found = state.store.overrides().in_force(now).find(|one| one.id == number).cloned().ok_or_else(none)?;
    if !state.store.end_override(number, &peer.to_string()).await? {
        return Err(none());
    }
    tracing::warn!(id = %number, does = %found.order, by = %peer, "an override was ended");
    told(&state, None).await;
    Ok(Json(OverrideView::from(&*found)))
}

async fn order(state: &ServerState, asked: &Asked) -> Result<Order, ApiError> {
    match asked.action.as_str() {
        "pause" => Ok(Order::Pause { scope: scope(state, asked).await?, cancel_ringing: asked.cancel_ringing }),
        "resume" => Ok(Order::Resume { scope: scope(state, asked).await? }),
        other => Err(ApiError::bad_request(format!("{other:?} is nothing that an override does"), BODY)),
    }
}

async fn scope(state: &ServerState, asked: &Asked) -> Result<Scope, ApiError> {
    match asked.campaign.as_deref() {
        None => Err(ApiError::bad_request("an override needs a campaign, or \"all\"", BODY)),
        Some("all") => Ok(Scope::All),
        Some(id) => known(state, campaign_id(id)?).await.map(Scope::Campaign),
    }
}

/// A campaign that the store has.
async fn known(state: &ServerState, id: CampaignId) -> Result<CampaignId, ApiError> {
    let found = state.store.campaigns().await?.into_iter().any(|row| row.id == id && !row.retired);
    if found { Ok(id) } else { Err(ApiError::no_campaign(&id)) }
}

/// The end of an override that is made at `now`: a time, or how long it holds.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let lasting = config::duration(text).map(Duration::from_secs);
    let after = lasting.and_then(|lasting| now.checked_add(SignedDuration::try_from(lasting).ok()?).ok());
    after.or_else(|| text.parse().ok()).ok_or_else(|| {
        let error = format!("{text:?} is no end of an override");
        ApiError::bad_request(
            error,
            "write how long it holds, such as 30m or 2h, or a time such as 2031-03-01T09:00:00+08:00",
        )
    })
}
