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
    paging::{self, LIMIT, LIMIT_MAX},
    state::ServerState,
    wire::{
        cursor,
        forms::SLUG,
        journal::{EventView, Events, HandledCommitView, History},
    },
};
use crate::store::{Entries, Event};

/// What cursors of events are of.
const LIST: &str = "events";

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
    /// How many; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Commits that were handled, newest first.
pub(super) async fn history(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    let Query(HistoryQuery { limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), "use `limit`"))?;
    let commits = state.store.handled_commits(paging::limit(limit, LIMIT, LIMIT_MAX)?).await?;
    Ok(Json(History { commits: commits.iter().map(HandledCommitView::from).collect() }))
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// Only those of this campaign.
    #[schemars(regex(pattern = SLUG))]
    campaign: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Events after one of them, or the newest.
pub(super) async fn events(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<Events>, ApiError> {
    let hint = "use `cursor`, `campaign` and `limit`";
    let Query(EventsQuery { cursor: given, campaign, limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), hint))?;
    let campaign = campaign.as_deref().map(campaign_id).transpose()?;
    let (after, limit) = (paging::after(LIST, given.as_deref())?, paging::limit(limit, LIMIT, LIMIT_MAX)?);
    let events = state.store.events(after, campaign.as_ref(), limit).await?;
    let last = events.last().map(|(id, _)| cursor::behind(LIST, id));
    // Without a cursor they are the newest.
    let next = last.clone().filter(|_| after.is_some() && paging::is_full(&events, limit));
    let follow = last.or(given).unwrap_or_else(|| cursor::behind(LIST, 0));
    Ok(Json(Events { events: events.iter().map(EventView::from).collect(), next, follow }))
}
