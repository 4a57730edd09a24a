//! Importing contacts.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    campaigns::campaign_id,
    error::ApiError,
    import::{self, Subject},
    state::ServerState,
};

/// Imports the body into a campaign; the answer is one JSON object a line.
pub(super) async fn import(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let campaign = campaign_id(&campaign)?;
    import::serve(state, Subject::Contacts { campaign }, &headers, body).await
}
