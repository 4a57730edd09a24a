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
    paging::{self, LIMIT, LIMIT_MAX},
    state::ServerState,
    wire::{
        cursor,
        people::{AuditPage, AuditView},
    },
};

/// Which entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Entries after one of them, or the newest.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    let Query(AuditQuery { cursor: given, limit }) =
        query.map_err(|error| ApiError::bad_request(error.body_text(), "use `cursor` and `limit`"))?;
    let (after, limit) = (paging::after(cursor::AUDIT, given.as_deref())?, paging::limit(limit, LIMIT, LIMIT_MAX)?);
    let entries = state.store.audit_page(after, limit).await?;
    let last = entries.last().map(|entry| cursor::behind(cursor::AUDIT, entry.id));
    // Without a cursor they are the newest.
    let next = last.clone().filter(|_| after.is_some() && paging::is_full(&entries, limit));
    Ok(Json(AuditPage { entries: entries.iter().map(AuditView::from).collect(), next, follow: last.or(given) }))
}
