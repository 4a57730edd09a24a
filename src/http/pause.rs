//! The big red button: a page that pauses all calling, without script, and without Git or the network.
//!
//! The status page links here; this page asks once more, for a reason, for how long, and over TCP for the
//! token. What it does is `dialops override pause all`.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{Actor, Peer},
    change::Change,
    error::ApiError,
    overrides::put,
    people::is_own,
    state::ServerState,
    status::{ShowAgents, status},
};
use crate::domain::overrides::{Order, REASON_LENGTH_MAX, Scope};

/// How long the page offers to pause.
const LASTING: [(&str, &str); 4] = [("30m", "30 minutes"), ("2h", "2 hours"), ("8h", "8 hours"), ("24h", "24 hours")];

#[derive(Template)]
#[template(path = "pause.html")]
struct Page {
    instance: String,
    live_calls: u32,
    running: usize,
    needs_token: bool,
    reason: String,
    reason_length_max: usize,
    lasting: [(&'static str, &'static str); 4],
    error: Option<String>,
}

/// What was filled in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "PauseForm")]
pub(super) struct Filled {
    /// Why.
    #[serde(default)]
    reason: String,
    /// How long, such as `2h`.
    #[serde(default)]
    until: String,
    /// The token of the settings; over TCP.
    #[serde(default)]
    token: String,
    /// Anything: calls that ring are cancelled.
    cancel_ringing: Option<String>,
}

/// The page that asks.
pub(super) async fn form(
    State(state): State<Arc<ServerState>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, ApiError> {
    shown(&state, peer, &Filled::default(), None)
}

/// Pauses all campaigns; only for who may give commands.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, ApiError> {
    if !is_own(&headers) {
        let hint = "open this daemon's own page and press the button there";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the form was sent from another site", hint));
    }
    if let Err(denied) = state.access.check_form(peer, &filled.token) {
        return shown(&state, peer, &filled, Some((StatusCode::FORBIDDEN, denied.to_string())));
    }
    let order = Order::Pause { scope: Scope::All, cancel_ringing: filled.cancel_ringing.is_some() };
    let change = Change::new(&Actor::admin(peer), "override.make", "campaign all");
    let made = put(&state, order, &filled.reason, &filled.until, &change).await;
    match made {
        Ok(_) => Ok(Redirect::to("/").into_response()),
        Err(error) => {
            let status = error.status();
            shown(&state, peer, &filled, Some((status, error.into_body().detail)))
        }
    }
}

fn shown(
    state: &ServerState,
    peer: Peer,
    filled: &Filled,
    failed: Option<(StatusCode, String)>,
) -> Result<Response, ApiError> {
    let status = status(state, &crate::store::Today::default(), ShowAgents::Counted);
    let (code, error) = failed.map_or((StatusCode::OK, None), |(code, error)| (code, Some(error)));
    let page = Page {
        instance: status.instance,
        live_calls: status.live_calls,
        running: status.campaigns.by_phase.get("running").copied().unwrap_or(0),
        needs_token: peer == Peer::Tcp,
        reason: filled.reason.clone(),
        reason_length_max: REASON_LENGTH_MAX,
        lasting: LASTING,
        error,
    };
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "the page was not rendered");
        let hint = "use `dialops override pause all`";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", hint)
    })?;
    Ok((code, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}
