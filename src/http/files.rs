//! The configuration files in force.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::{error::ApiError, state::ServerState, wire::plan::FilesInForce};

/// All of them; whoever has no repository compares with these.
pub(super) async fn get(State(state): State<Arc<ServerState>>) -> Result<Json<FilesInForce>, ApiError> {
    let found = state.store.files().await?.ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the files in force are not in the store yet", hint)
    })?;
    let inside = |path: &str| path.strip_prefix(&found.prefix).unwrap_or(path).trim_start_matches('/').to_owned();
    let files = found.files.iter().map(|(path, bytes)| (inside(path), String::from_utf8_lossy(bytes).into_owned()));
    Ok(Json(FilesInForce { revision: found.revision.to_string(), files: files.collect() }))
}
