//! The journal: what became of commits, and what has happened.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    campaigns::campaign_id,
    error::ApiError,
    state::ServerState,
    wire::journal::{EventView, Events, HandledCommitView, History},
};
use crate::store::{Entries, Event};

/// Entries of an answer unless asked otherwise, and the most of one.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// Writes down what somebody did; a journal that can't be written holds nothing up.
pub(super) async fn write_down(state: &ServerState, event: Event) {
    if let Err(error) = state.store.journal(Entries { events: vec![event], ..Entries::default() }).await {
        tracing::warn!(%error, "the journal can't be written: events have a gap");
    }
}

/// How many commits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    limit: Option<u32>,
}

/// Commits that were handled, newest first.
pub(super) async fn history(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    let Query(HistoryQuery { limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), "use `limit`"))?;
    let commits = state.store.handled_commits(limit.unwrap_or(LIMIT).min(LIMIT_MAX)).await?;
    Ok(Json(History { commits: commits.iter().map(HandledCommitView::from).collect() }))
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
    campaign: Option<String>,
    limit: Option<u32>,
}

/// Events after one of them, or the newest.
pub(super) async fn events(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<Events>, ApiError> {
    let hint = "use `after`, `campaign` and `limit`";
    let Query(EventsQuery { after, campaign, limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), hint))?;
    let campaign = campaign.as_deref().map(campaign_id).transpose()?;
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let events = state.store.events(after, campaign.as_ref(), limit).await?;
    Ok(Json(Events { events: events.iter().map(EventView::from).collect() }))
}
