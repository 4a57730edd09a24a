//! Importing contacts.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};

use super::{
    batches::{batch_id, no_batch},
    campaigns::campaign_id,
    change::Change,
    error::ApiError,
    import::{self, Subject},
    state::ServerState,
};
use crate::domain::ids::not_a_step;

/// Into which batch an import goes.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportQuery {
    /// Its name; that of the uploads of this day (in UTC) unless given.
    #[schemars(regex(pattern = super::wire::forms::PRINTABLE))]
    batch: Option<String>,
}

/// Imports the body into a batch of a campaign, by default the one of uploads of this day (in UTC); the
/// answer is one JSON object a line.
pub(super) async fn import(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<ImportQuery>, QueryRejection>,
    Extension(change): Extension<Change>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `batch`"))?;
    let today = state.clock.now().wall.strftime("upload-%Y-%m-%d").to_string();
    let batch = batch_id(&query.batch.unwrap_or(today))?;
    not_a_step(batch.as_str()).map_err(|error| no_batch(batch.as_str(), &error))?;
    import::serve(state, change, Subject::Contacts { campaign, batch }, &headers, body).await
}
