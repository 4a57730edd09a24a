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
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{change::Change, error::ApiError, journal, state::ServerState, status::source_view, wire::Reconciled};
use crate::{
    control::ReconcileCommand,
    domain::ids::Revision,
    store::{Event, EventKind},
    telemetry::status::WaitingCommit,
};

/// Longest wait for a look; a first clone may take this long.
const LOOK_TIMEOUT: Duration = Duration::from_secs(120);

/// Fewest digits of a commit that is approved.
const DIGITS_MIN: usize = 7;

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// How to look.
#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    /// Take a commit that does not follow the one in force.
    #[serde(default)]
    allow_rewrite: bool,
    /// Answer once the look is over, not at once.
    #[serde(default = "yes")]
    wait: bool,
}

fn yes() -> bool {
    true
}

/// Answers once the loop has looked, whatever it found.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    Query(ask): Query<Ask>,
) -> Result<Json<Reconciled>, ApiError> {
    if ask.wait {
        return look(&state, change.by(), ask.allow_rewrite).await.map(Json);
    }
    let (token, _unheard) = command(&state, change.by(), ask.allow_rewrite)?;
    Ok(Json(reconciled(&state, token)))
}

/// Which commit is let in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    revision: String,
}

/// Lets the commit in that waits since it takes away campaigns, and answers once the loop has looked.
pub(super) async fn approve(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Reconciled>, ApiError> {
    let Approve { revision: asked } = serde_json::from_slice(&body).map_err(|error| {
        ApiError::bad_request(format!("the body is not {{\"revision\": …}}: {error}"), "send {\"revision\": COMMIT}")
    })?;
    let waiting = state.source.borrow().waiting.clone();
    let revision = approvable(waiting, &asked)?;
    change.about(format!("commit {revision}")).store(&state).approve(&revision, change.by()).await?;
    tracing::warn!(%revision, by = change.by(), "a commit that takes away campaigns was approved");
    let message = format!("{} let commit {} in, which takes away campaigns", change.by(), revision.short());
    let event = Event::new(state.clock.now().wall, EventKind::CommitApproved, message);
    journal::write_down(&state, Event { revision: Some(revision), by: Some(change.by().to_owned()), ..event }).await;
    look(&state, change.by(), false).await.map(Json)
}

/// The commit that waits, if it is the one that is asked for and a person may let it in.
fn approvable(waiting: Option<WaitingCommit>, asked: &str) -> Result<Revision, ApiError> {
    let refused = |error: String, hint: &str| ApiError::new(StatusCode::CONFLICT, error, hint);
    let Some(waiting) = waiting else {
        return Err(refused("no commit waits for approval".to_owned(), "`dialops status` says what is in force"));
    };
    let prefix = asked.len() >= DIGITS_MIN && waiting.revision.starts_with(asked);
    let revision = Revision::parse(&waiting.revision).filter(|_| prefix);
    let Some(revision) = revision else {
        let error = format!("commit {} waits, not {asked:?}", waiting.revision);
        return Err(refused(error, "look at its plan in `dialops status`, then approve that very commit"));
    };
    if waiting.approvable {
        return Ok(revision);
    }
    Err(refused(format!("commit {} can't be approved: {}", revision.short(), waiting.message), &waiting.hint))
}

/// Has the loop look now, and waits for what it found.
pub(super) async fn look(state: &ServerState, by: &str, allow_rewrite: bool) -> Result<Reconciled, ApiError> {
    let (token, answer) = command(state, by, allow_rewrite)?;
    match tokio::time::timeout(LOOK_TIMEOUT, answer).await {
        Ok(Ok(())) => {}
        Ok(Err(_dropped)) => return Err(ApiError::busy("reconciling")),
        Err(_elapsed) => {
            let error = format!("the look took longer than {} s and goes on", LOOK_TIMEOUT.as_secs());
            return Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, error, "see `dialops status` in a while"));
        }
    }
    Ok(reconciled(state, token))
}

/// Asks the loop to look: the token of the request, and what tells that the look is over.
fn command(state: &ServerState, by: &str, allow_rewrite: bool) -> Result<(String, oneshot::Receiver<()>), ApiError> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let token = format!("{}#{serial}", state.clock.now().wall);
    let (done, answer) = oneshot::channel();
    let command = ReconcileCommand { token: token.clone(), by: by.to_string(), allow_rewrite, done };
    state.reconciler.try_send(command).map_err(|_| ApiError::busy("reconciling"))?;
    Ok((token, answer))
}

fn reconciled(state: &ServerState, token: String) -> Reconciled {
    let source = state.source.borrow().clone();
    Reconciled { token, source: source_view(&source), problems: source.problems }
}
