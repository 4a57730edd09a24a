//! The audit log, in pages.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    error::ApiError,
    state::ServerState,
    wire::people::{AuditPage, AuditView},
};

/// Entries of an answer unless asked otherwise, and the most of one.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// Which entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

/// Entries after one of them, or the newest.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    let Query(AuditQuery { after, limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), "use `after` and `limit`"))?;
    let entries = state.store.audit_page(after, limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)).await?;
    Ok(Json(AuditPage { entries: entries.iter().map(AuditView::from).collect() }))
}
