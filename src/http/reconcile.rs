//! Asking the reconciling loop to look now, and waiting for what it found.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Json,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{access::Peer, error::ApiError, state::ServerState, status::source_view, wire::Reconciled};
use crate::control::ReconcileCommand;

/// Longest wait for a look; a first clone may take this long.
const LOOK_TIMEOUT: Duration = Duration::from_secs(120);

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// How to look.
#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    /// Take a commit that does not follow the one in force.
    #[serde(default)]
    allow_rewrite: bool,
}

/// Answers once the loop has looked, whatever it found.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    Extension(peer): Extension<Peer>,
    Query(ask): Query<Ask>,
) -> Result<Json<Reconciled>, ApiError> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let token = format!("{}#{serial}", state.clock.now().wall);
    let (done, answer) = oneshot::channel();
    let (token_of, by) = (token.clone(), peer.to_string());
    let command = ReconcileCommand { token: token_of, by, allow_rewrite: ask.allow_rewrite, done };
    state.reconciler.try_send(command).map_err(|_| ApiError::busy("reconciling"))?;
    match tokio::time::timeout(LOOK_TIMEOUT, answer).await {
        Ok(Ok(())) => {}
        Ok(Err(_dropped)) => return Err(ApiError::busy("reconciling")),
        Err(_elapsed) => {
            let error = format!("the look took longer than {} s and goes on", LOOK_TIMEOUT.as_secs());
            return Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, error, "see `dialops status` in a while"));
        }
    }
    let source = state.source.borrow().clone();
    Ok(Json(Reconciled { token, source: source_view(&source), problems: source.problems }))
}
