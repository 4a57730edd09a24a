//! The agent page: what an agent does, and the call at hand.
//!
//! Its sections are made here, and sent anew over server-sent events as they change. Each connection begins with all
//! of them, so a page that lost its connection is right again with the next.

mod questions;
mod view;

use std::{convert::Infallible, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::watch;

use self::view::{Sections, Seen};
use super::{access::Actor, error::ApiError, people, state::ServerState};
use crate::{domain::ids::AgentId, telemetry::status::DialStatus};

/// The page's script, and only it, is run; nothing is loaded from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How often a page is looked at that nothing was heard of: whether its session holds, and what else may have changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "desk.html")]
struct Page {
    instance: String,
    agent: String,
    name: String,
    command_key: String,
    sections: Sections,
}

/// The page.
pub(super) async fn page(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = agent_of(&actor)?;
    let sections = Sections::of(&state, &agent).await?;
    let name = view::name_of(&state, &agent);
    let command_key = people::command_key(&headers).unwrap_or_default();
    let page = Page { instance: state.instance.name.clone(), agent: agent.to_string(), name, command_key, sections };
    let html = page.render().map_err(not_rendered)?;
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((headers, Html(html)).into_response())
}

/// Its script.
pub(super) async fn script() -> Response {
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    let cache = HeaderValue::from_static("no-cache");
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)];
    (headers, concat!(include_str!("../../../templates/desk.js"), include_str!("../../../templates/questions.js")))
        .into_response()
}

/// What is sent of it.
#[derive(Serialize)]
struct Message<'a> {
    now: String,
    sections: std::collections::BTreeMap<&'static str, &'a str>,
}

/// A page that is open.
struct Open {
    state: Arc<ServerState>,
    agent: AgentId,
    /// What shows that it may be open.
    headers: HeaderMap,
    dial: watch::Receiver<DialStatus>,
    seen: Option<Seen>,
    /// When it was last looked at whether it may be open.
    looked_at: Option<Duration>,
    sent: Sections,
}

/// Sections as they change, until the session is over or the daemon stops.
pub(super) async fn events(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let agent = agent_of(&actor)?;
    let dial = state.dial.clone();
    let open = Open { state, agent, headers, dial, seen: None, looked_at: None, sent: Sections::default() };
    let events = stream::unfold(Some(open), |open| async move {
        let mut open = open?;
        let event = open.next().await?;
        match event {
            Some(event) => Some((Ok(event), Some(open))),
            None => Some((Ok(Event::default().event("gone").data("-")), None)),
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Open {
    /// The next event; `Some(None)` once the session is over, `None` once the daemon stops.
    async fn next(&mut self) -> Option<Option<Event>> {
        loop {
            let waited = self.seen.is_some();
            let looked = if waited { tokio::time::timeout(LOOK_EVERY, self.dial.changed()).await } else { Ok(Ok(())) };
            let is_look = looked.is_err();
            if matches!(looked, Ok(Err(_))) {
                return None;
            }
            // Where calls come and go all the time no wait is ever over.
            let now = self.state.clock.now().mono;
            if is_look || self.looked_at.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY) {
                self.looked_at = Some(now);
                if !self.may_stay().await {
                    return Some(None);
                }
            }
            let seen = Seen::of(&self.state, &self.agent);
            if !is_look && self.seen.as_ref() == Some(&seen) {
                continue;
            }
            // A store that fails is asked again with the next look.
            let Ok(sections) = Sections::of(&self.state, &self.agent).await else { continue };
            self.seen = Some(seen);
            let now = self.state.clock.now().wall.to_string();
            let changed = sections.changed_from(&self.sent);
            if changed.is_empty() {
                continue;
            }
            let event = Event::default().json_data(Message { now, sections: changed }).ok()?;
            self.sent = sections;
            return Some(Some(event));
        }
    }

    /// Whether what showed at first that the page may be open still does.
    async fn may_stay(&self) -> bool {
        match people::by_session(&self.state, &self.headers, &Method::GET).await {
            Ok(found) => found.and_then(|actor| actor.agent()).is_some_and(|agent| agent == self.agent),
            // The store says nothing now; the next look tells.
            Err(_) => true,
        }
    }
}

fn agent_of(actor: &Actor) -> Result<AgentId, ApiError> {
    actor.agent().ok_or_else(|| {
        ApiError::new(StatusCode::FORBIDDEN, "this page is an agent's", "sign in as one of agents.toml in force")
    })
}

fn not_rendered(error: askama::Error) -> ApiError {
    tracing::error!(%error, "the page was not rendered");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "the daemon's log says more")
}
