//! For machines that watch: alive, ready, metrics.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{error::ApiError, state::ServerState};

/// The process serves requests.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

/// 503 until the first commit is in force; then 200, also while later commits are bad.
pub(super) async fn ready(State(state): State<Arc<ServerState>>) -> (StatusCode, &'static str) {
    if state.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no commit is in force yet; /api/v1/status says why\n")
    }
}

/// Prometheus' text format.
pub(super) async fn metrics(State(state): State<Arc<ServerState>>) -> Result<Response, ApiError> {
    let failed = |error: String| {
        tracing::error!(error, "metrics were not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics were not rendered", "the daemon's log says more")
    };
    // `/proc` is read with blocking calls.
    let render = move || {
        state.metrics.store_commits(state.store.commits());
        state.metrics.overridden(&state.store.overrides(), state.clock.now().wall);
        state.metrics.render(state.reconcile.borrow(), state.dial.borrow())
    };
    let text = tokio::task::spawn_blocking(render).await.map_err(|error| failed(error.to_string()))?;
    let text = text.map_err(|error| failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
