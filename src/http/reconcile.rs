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
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    change::Change, error::ApiError, journal, sources, state::ServerState, status::source_view, wire::Reconciled,
};
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Take a commit that does not follow the one in force.
    #[serde(default)]
    allow_rewrite: bool,
    /// Answer once the look is over, not at once.
    #[serde(default = "yes")]
    wait: bool,
    /// At which source; at all of them if none is named.
    #[serde(default)]
    source: Option<String>,
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
    let at = ask.source.as_deref().map(|id| sources::place(&state, id)).transpose()?;
    change.begin(&state).await?;
    if ask.wait {
        return look(&state, change.by(), at, ask.allow_rewrite).await.map(Json);
    }
    let (token, _unheard) = command(&state, change.by(), at, ask.allow_rewrite)?;
    Ok(Json(reconciled(&state, at, token)))
}

/// Which commit is let in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    /// At least seven digits of it.
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
    let waiting: Vec<_> = state.reconcile.borrow().sources.iter().filter_map(|one| one.waiting.clone()).collect();
    let revision = approvable(waiting, &asked)?;
    change.about(format!("commit {revision}")).store(&state).approve(&revision, change.by()).await?;
    tracing::warn!(%revision, by = change.by(), "a commit that takes away campaigns was approved");
    let message = format!("{} let commit {} in, which takes away campaigns", change.by(), revision.short());
    let event = Event::new(state.clock.now().wall, EventKind::CommitApproved, message);
    journal::write_down(&state, Event { revision: Some(revision), by: Some(change.by().to_owned()), ..event }).await;
    look(&state, change.by(), None, false).await.map(Json)
}

/// The commit that waits, if it is the one that is asked for and a person may let it in.
fn approvable(waiting: Vec<WaitingCommit>, asked: &str) -> Result<Revision, ApiError> {
    let refused = |error: String, hint: &str| ApiError::new(StatusCode::CONFLICT, error, hint);
    let meant = |one: &&WaitingCommit| asked.len() >= DIGITS_MIN && one.revision.starts_with(asked);
    let found = waiting.iter().find(meant);
    let Some((waiting, revision)) = found.and_then(|one| Some((one, Revision::parse(&one.revision)?))) else {
        if waiting.is_empty() {
            return Err(refused("no commit waits for approval".to_owned(), "`dialops status` says what is in force"));
        }
        let waiting: Vec<&str> = waiting.iter().map(|one| one.revision.as_str()).collect();
        let error = format!("commit {} waits, not {asked:?}", waiting.join(" or "));
        return Err(refused(error, "look at its plan in `dialops status`, then approve that very commit"));
    };
    if waiting.approvable {
        return Ok(revision);
    }
    Err(refused(format!("commit {} can't be approved: {}", revision.short(), waiting.message), &waiting.hint))
}

/// Has the loop look now, at one source or at all, and waits for what it found.
pub(super) async fn look(
    state: &ServerState,
    by: &str,
    at: Option<usize>,
    allow_rewrite: bool,
) -> Result<Reconciled, ApiError> {
    let (token, answer) = command(state, by, at, allow_rewrite)?;
    match tokio::time::timeout(LOOK_TIMEOUT, answer).await {
        Ok(Ok(())) => {}
        Ok(Err(_dropped)) => return Err(ApiError::busy("reconciling")),
        Err(_elapsed) => {
            let error = format!("the look took longer than {} s and goes on", LOOK_TIMEOUT.as_secs());
            return Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, error, "see `dialops status` in a while"));
        }
    }
    Ok(reconciled(state, at, token))
}

/// Asks the loop to look: the token of the request, and what tells that the look is over.
fn command(
    state: &ServerState,
    by: &str,
    at: Option<usize>,
    allow_rewrite: bool,
) -> Result<(String, oneshot::Receiver<()>), ApiError> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let token = format!("{}#{serial}", state.clock.now().wall);
    let (done, answer) = oneshot::channel();
    let source = at.and_then(|at| state.sources.get(at)).map(|source| sources::id(source).clone());
    let command = ReconcileCommand { token: token.clone(), by: by.to_string(), source, allow_rewrite, done };
    state.reconciler.try_send(command).map_err(|_| ApiError::busy("reconciling"))?;
    Ok((token, answer))
}

fn reconciled(state: &ServerState, at: Option<usize>, token: String) -> Reconciled {
    let status = state.reconcile.borrow();
    let meant = status.sources.iter().enumerate().filter(|(place, _)| at.is_none_or(|at| at == *place));
    let meant: Vec<_> = meant.map(|(_, one)| one).collect();
    let problems = meant.iter().flat_map(|one| one.problems.iter().cloned()).collect();
    Reconciled { token, sources: meant.into_iter().map(source_view).collect(), problems }
}
