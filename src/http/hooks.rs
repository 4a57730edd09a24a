//! Webhooks: `POST /hooks/{id}`. Open to anybody who can reach it, so it tells nothing and takes little.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{error::ApiError, state::ServerState};
use crate::{
    config::settings::HookKind,
    gitops::{
        Trigger,
        webhook::{Delivery, Refusal, Taken},
    },
    telemetry::exchange::{Caller, HookAnswer},
};

/// Longest body; what servers send of a push is mostly smaller.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bodies that are read at once, so that strangers can't fill the memory.
const AT_ONCE_MAX: usize = 16;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

/// What a call is answered with.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Look {
    /// Whether it made the daemon look for new commits.
    look: bool,
}

/// Takes a call: wakes the reconciling loop, or says no more than it has to.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = caller(state.webhooks.kind(&id));
    let (answer, response) = match taken(&state, id, headers, body).await {
        Ok(taken) => {
            let concerned = match taken {
                Taken::Look(sources) => sources,
                Taken::Nothing => Vec::new(),
            };
            concerned.iter().filter_map(|at| state.wakes.get(*at)).for_each(|wake| wake.wake(Trigger::Webhook));
            let look = Json(Look { look: !concerned.is_empty() });
            (HookAnswer::Accepted, (StatusCode::ACCEPTED, look).into_response())
        }
        Err(refused) => refused.response(),
    };
    state.metrics.exchange().hook_answered(caller, answer);
    response
}

fn caller(kind: Option<HookKind>) -> Caller {
    match kind {
        Some(HookKind::GitHub) => Caller::GitHub,
        Some(HookKind::GitLab) => Caller::GitLab,
        Some(HookKind::Gitea) => Caller::Gitea,
        Some(HookKind::Generic) => Caller::Generic,
        None => Caller::Unknown,
    }
}

/// Why a call is not taken.
enum Refused {
    Webhook(Refusal),
    TooLarge,
    Slow,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Webhook(refusal)
    }
}

impl Refused {
    fn response(self) -> (HookAnswer, Response) {
        let (answer, status, error, hint) = match self {
            // One answer for whatever a stranger might find out.
            Self::Webhook(Refusal::Stranger) => {
                (HookAnswer::Refused, StatusCode::FORBIDDEN, "not taken", "the daemon's log says why")
            }
            Self::Webhook(Refusal::Replayed) => {
                (HookAnswer::Replayed, StatusCode::CONFLICT, "this call has come before", "nothing needs to be done")
            }
            Self::Webhook(Refusal::TooMany { again_in }) => return too_many(again_in),
            Self::TooLarge => {
                let hint = "send at most 1 MiB; commits are found by polling too";
                (HookAnswer::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", hint)
            }
            Self::Slow => {
                let hint = "send it within 10 s of the head";
                (HookAnswer::Slow, StatusCode::REQUEST_TIMEOUT, "the body did not come, or not whole", hint)
            }
        };
        (answer, ApiError::new(status, error, hint).into_response())
    }
}

fn too_many(again_in: Duration) -> (HookAnswer, Response) {
    let seconds = again_in.as_secs() + 1;
    let hint = format!("call again in {seconds} s; commits are found by polling too");
    let mut response = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many calls", hint).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    (HookAnswer::TooMany, response)
}

async fn taken(state: &Arc<ServerState>, id: String, headers: HeaderMap, body: Body) -> Result<Taken, Refused> {
    state.webhooks.admit(state.clock.now())?;
    let full = Refusal::TooMany { again_in: Duration::ZERO };
    let place = PLACES.try_acquire().map_err(|_| full)?;
    let body = read(&headers, body).await?;
    let now = state.clock.now();
    let (webhooks, asked) = (Arc::clone(&state.webhooks), id);
    // The secret's file is read, and a large body takes a millisecond.
    let received = tokio::task::spawn_blocking(move || {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        webhooks.receive(&asked, &Delivery { header: &header, body: &body }, now)
    });
    let received = received.await.map_err(|_| full)?;
    drop(place);
    Ok(received?)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return Err(Refused::TooLarge);
    }
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Refused::Slow),
    }
}
