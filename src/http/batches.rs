//! Batches of contacts: their counts, and pausing them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    campaigns::campaign_id,
    change::Change,
    error::ApiError,
    journal,
    paging::{self, LIMIT, LIMIT_MAX},
    state::ServerState,
    wire::{
        batches::{BatchList, BatchView, PauseBatch},
        cursor,
    },
};
use crate::{
    control::DialCommand,
    domain::ids::{BatchId, CampaignId},
    store::{Event, EventKind, StoreError},
};

/// What its cursors are of.
const LIST: &str = "batches";

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchesQuery {
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// A campaign's batches, oldest first.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<BatchesQuery>, QueryRejection>,
) -> Result<Json<BatchList>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `cursor` and `limit`"))?;
    let after: Option<String> = paging::after(LIST, query.cursor.as_deref())?;
    let limit = paging::limit(query.limit, LIMIT, LIMIT_MAX)?;
    let all = state.store.batches(&campaign).await?;
    let (page, next) = paging::cut(all, after.as_deref(), limit, |batch| batch.id.as_str())?;
    let next = next.map(|last| cursor::behind(LIST, last));
    Ok(Json(BatchList { batches: page.iter().map(BatchView::from).collect(), next }))
}

/// One batch.
pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Path((campaign, batch)): Path<(String, String)>,
) -> Result<Json<BatchView>, ApiError> {
    let (campaign, batch) = (campaign_id(&campaign)?, batch_id(&batch)?);
    found(&state, campaign, batch).await.map(Json)
}

/// Pauses a batch or lets it go on; its contacts are held from the next decision on.
pub(super) async fn pause(
    State(state): State<Arc<ServerState>>,
    Path((campaign, batch)): Path<(String, String)>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<BatchView>, ApiError> {
    let (campaign, batch) = (campaign_id(&campaign)?, batch_id(&batch)?);
    let PauseBatch { paused } = serde_json::from_slice(&body).map_err(|error| {
        let error = format!("the body is not {{\"paused\": …}}: {error}");
        ApiError::bad_request(error, "send {\"paused\": true} or {\"paused\": false}")
    })?;
    if change.store(&state).pause_batch(&campaign, &batch, paused).await? {
        tracing::info!(%campaign, batch = %batch.masked(), paused, "a batch was paused or resumed");
        write_down(&state, &campaign, &batch, paused, change.by()).await;
        // A loop that has stopped dials nobody.
        let _stopped = state.dialer.send(DialCommand::ContactsChanged { campaign: campaign.clone() }).await;
    }
    found(&state, campaign, batch).await.map(Json)
}

/// Says in the journal who did it; the name of a batch may hold a number, which stays out of it.
async fn write_down(state: &ServerState, campaign: &CampaignId, batch: &BatchId, paused: bool, by: &str) {
    let (kind, did) = if paused { (EventKind::BatchPaused, "paused") } else { (EventKind::BatchResumed, "resumed") };
    let message = format!("{by} {did} batch {} of {campaign}", batch.masked());
    let (campaign, by) = (Some(campaign.clone()), Some(by.to_owned()));
    let event = Event { campaign, by, ..Event::new(state.clock.now().wall, kind, message) };
    journal::write_down(state, event).await;
}

async fn found(state: &ServerState, campaign: CampaignId, batch: BatchId) -> Result<BatchView, ApiError> {
    let batches = state.store.batches(&campaign).await?;
    let found = batches.iter().find(|found| found.id == batch).map(BatchView::from);
    found.ok_or_else(|| StoreError::UnknownBatch { campaign, batch }.into())
}

/// The name of a batch in a path or a query.
pub(super) fn batch_id(text: &str) -> Result<BatchId, ApiError> {
    BatchId::parse(text).map_err(|error| no_batch(text, &error))
}

/// That a text can't be the name of a batch.
pub(super) fn no_batch(text: &str, why: &dyn std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("{text:?} is no name of a batch: it {why}"), "choose another name")
}
