//! What others are told: listed, tried again, given up.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    campaigns::campaign_id,
    change::Change,
    error::ApiError,
    paging,
    state::ServerState,
    wire::{
        cursor,
        deliveries::{DeliveryList, DeliveryView, Meant, Moved},
        forms::SLUG,
    },
};
use crate::store::{Channel, DispatchFilter, DispatchId, DispatchState};

/// What its cursors are of.
const LIST: &str = "deliveries";

/// Most of one page.
const PAGE_MAX: u32 = 1_000;

/// How many are moved in one transaction: few, since intents wait meanwhile.
const MOVED_AT_ONCE: u32 = 100;

/// Which ones are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only those by one way.
    #[schemars(extend("enum" = ["callback", "sms"]))]
    channel: Option<String>,
    /// Only those of one campaign.
    #[schemars(regex(pattern = SLUG))]
    campaign: Option<String>,
    /// Only those that stand so.
    #[schemars(extend("enum" = ["pending", "parked", "sent", "dropped"]))]
    state: Option<String>,
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 1000 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// A page of them, oldest first.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<DeliveryList>, ApiError> {
    const WORDS: &str = "`channel`, `campaign`, `state`, `cursor` and `limit` may be given";
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), WORDS))?;
    let filter = DispatchFilter {
        channel: query.channel.as_deref().map(channel).transpose()?,
        campaign: query.campaign.as_deref().map(campaign_id).transpose()?,
        state: query.state.as_deref().map(delivery_state).transpose()?,
        id: None,
    };
    let limit = paging::limit(query.limit, PAGE_MAX, PAGE_MAX)?;
    let after: Option<i64> = paging::after(LIST, query.cursor.as_deref())?;
    let records = state.dispatches.dispatches(&filter, after.map(DispatchId), limit).await?;
    let last = records.last().filter(|_| paging::is_full(&records, limit));
    let next = last.map(|last| cursor::behind(LIST, last.id.0));
    Ok(Json(DeliveryList { deliveries: records.iter().map(DeliveryView::from).collect(), next }))
}

/// Has parked ones tried again.
pub(super) async fn retry(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Moved>, ApiError> {
    let (filter, _) = meant(&body)?;
    let dispatches = change.about(named(&filter)).dispatches(&state);
    let mut moved = 0;
    loop {
        let some = dispatches.retry_dispatches(&filter, MOVED_AT_ONCE).await?;
        moved += some;
        if some < u64::from(MOVED_AT_ONCE) {
            break;
        }
    }
    found(&filter, moved, "no parked delivery has that number")?;
    tracing::info!(by = change.by(), moved, "parked deliveries are tried again");
    Ok(Json(Moved { moved }))
}

/// Gives some up.
pub(super) async fn drop_some(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Moved>, ApiError> {
    let (filter, pending) = meant(&body)?;
    // One that is named is meant however it stands.
    let parked = (!pending && filter.id.is_none()).then_some(DispatchState::Parked);
    let filter = DispatchFilter { state: parked, ..filter };
    let why = format!("dropped by {}", change.by());
    let dispatches = change.about(named(&filter)).dispatches(&state);
    let mut moved = 0;
    loop {
        let some = dispatches.drop_dispatches(&filter, &why, MOVED_AT_ONCE).await?;
        moved += some;
        if some < u64::from(MOVED_AT_ONCE) {
            break;
        }
    }
    found(&filter, moved, "no delivery that is not over has that number")?;
    tracing::warn!(by = change.by(), moved, "deliveries were dropped");
    Ok(Json(Moved { moved }))
}

/// Which ones, for the audit log: there is an entry for each transaction that has moved some.
fn named(filter: &DispatchFilter) -> String {
    let state = filter.state.map(|state| format!("{} ones", state.as_str()));
    let channel = filter.channel.map(|channel| format!("channel {}", channel.as_str()));
    let campaign = filter.campaign.as_ref().map(|campaign| format!("campaign {campaign}"));
    let id = filter.id.map(|id| format!("id {id}"));
    [state, channel, campaign, id].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn found(filter: &DispatchFilter, moved: u64, error: &str) -> Result<(), ApiError> {
    if filter.id.is_some() && moved == 0 {
        return Err(ApiError::new(StatusCode::NOT_FOUND, error, "`dialops callbacks list` shows them"));
    }
    Ok(())
}

fn meant(body: &[u8]) -> Result<(DispatchFilter, bool), ApiError> {
    const FORM: &str = "send {}, {\"campaign\": …} or {\"id\": …}";
    let meant: Meant = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body does not say what is meant: {error}"), FORM))?;
    let filter = DispatchFilter {
        channel: meant.channel.as_deref().map(channel).transpose()?,
        campaign: meant.campaign.as_deref().map(campaign_id).transpose()?,
        state: None,
        id: meant.id.map(DispatchId),
    };
    Ok((filter, meant.pending))
}

fn channel(name: &str) -> Result<Channel, ApiError> {
    let known = || ApiError::bad_request(format!("{name:?} is no channel"), "`callback` or `sms`");
    Channel::parse(name).ok_or_else(known)
}

fn delivery_state(name: &str) -> Result<DispatchState, ApiError> {
    let known = || ApiError::bad_request(format!("{name:?} is no state"), "`pending`, `parked`, `sent` or `dropped`");
    DispatchState::parse(name).ok_or_else(known)
}
