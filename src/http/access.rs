//! Who may see personal data and give commands.
//!
//! Over the Unix socket the kernel says who calls; over TCP the token of the settings does, or a person's token or
//! session. Each route says what it takes to be let in (`Right`), and what is changed through one is written into
//! the audit log with who did it (`Change`).

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    RequestExt,
    body::to_bytes,
    extract::{RawPathParams, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{change::Change, error::ApiError, pages, people, state::ServerState};
use crate::domain::{audit::DeedResult, ids::AgentId, person::Role};

/// Most of a refused request that is taken in, and the longest wait for it.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP, from anybody.
    Tcp,
    /// Over the Unix socket, from a process of this user.
    Unix {
        /// The user's id, from the kernel.
        uid: u32,
    },
}

/// Who it is, for records of what was done.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("token"),
            Self::Unix { uid } => write!(f, "uid {uid}"),
        }
    }
}

/// The rules.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `[http] token`; without one nobody may over TCP.
    pub token: Option<SecretString>,
    /// `[http] allowed_uids`: users besides root and the daemon's own.
    pub allowed_uids: Vec<u32>,
}

/// Why a request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// TCP, and the settings have no token.
    #[error("this needs a credential, and no token is set for TCP")]
    NoTokenSet,
    /// TCP without a token in the request.
    #[error("this needs a bearer token")]
    Missing,
    /// Not the token that is set, and nobody's.
    #[error("the bearer token is not the one that is set")]
    Wrong,
    /// A session's command that does not come from this daemon's own page.
    #[error("the command does not come from this daemon's own page")]
    Foreign,
    /// Somebody who may do less.
    #[error("the role {0} may not do this")]
    Role(Role),
    /// A user that is not allowed.
    #[error("user id {uid} may not use this socket")]
    User {
        /// The user's id.
        uid: u32,
    },
}

impl Access {
    /// Whether a request from `peer` may see personal data and give commands.
    pub fn check(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Denied> {
        if let Peer::Unix { uid } = peer {
            let own = rustix::process::geteuid().as_raw();
            let allowed = uid == 0 || uid == own || self.allowed_uids.contains(&uid);
            return if allowed { Ok(()) } else { Err(Denied::User { uid }) };
        }
        // An empty secret file is no token that anybody could know.
        let token = self.token.as_ref().filter(|token| !token.expose_secret().is_empty()).ok_or(Denied::NoTokenSet)?;
        let given = bearer(headers).ok_or(Denied::Missing)?;
        // Digests have one length, so the time tells nothing of the token's.
        let same = Sha256::digest(given).ct_eq(&Sha256::digest(token.expose_secret()));
        if bool::from(same) { Ok(()) } else { Err(Denied::Wrong) }
    }
}

impl Access {
    /// The same for a form that a person has filled in: the token is one of its fields.
    pub fn check_form(&self, peer: Peer, token: &str) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        // What can't stand in a header is no token.
        if let Ok(value) = format!("Bearer {token}").parse() {
            headers.insert(header::AUTHORIZATION, value);
        }
        self.check(peer, &headers)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The peer of a request; unknown ones are treated as TCP.
pub(super) fn peer(request: &Request) -> Peer {
    request.extensions().get().copied().unwrap_or(Peer::Tcp)
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor {
    /// A person's id, `token` or `uid 0`.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
}

impl Actor {
    /// Whoever the socket or the settings' token lets in.
    pub(super) fn admin(peer: Peer) -> Self {
        Self { name: peer.to_string(), role: Role::Admin }
    }

    /// Which agent it is, if it is one.
    pub(super) fn agent(&self) -> Option<AgentId> {
        if self.role == Role::Agent { AgentId::parse(&self.name).ok() } else { None }
    }
}

/// What it takes to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Nothing; where a form gives a command, the form brings what it takes.
    Open,
    /// To see how campaigns stand, and nobody's data.
    Look,
    /// To see contacts and agents, and decide for them.
    Lead,
    /// The same, or to be the agent whom the path names.
    Own,
    /// To be an agent.
    Desk,
    /// To be anybody with an account.
    SignedIn,
    /// To be an admin.
    Rule,
}

impl Right {
    /// Whether somebody has it; `named` is the agent whom the path names.
    pub(super) fn has(self, actor: &Actor, named: Option<&str>) -> bool {
        match (self, actor.role) {
            (Self::Open | Self::SignedIn, _) => true,
            (Self::Desk, role) => role == Role::Agent,
            (_, Role::Admin) => true,
            (Self::Look, role) => matches!(role, Role::Viewer | Role::Supervisor),
            (Self::Lead | Self::Own, Role::Supervisor) => true,
            (Self::Own, Role::Agent) => named == Some(actor.name.as_str()),
            (Self::Lead | Self::Own, Role::Viewer | Role::Agent) | (Self::Rule, _) => false,
        }
    }
}

/// What guards a route.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) state: Arc<ServerState>,
    pub(super) right: Right,
    /// What the audit log calls it; `None` for what changes nothing.
    pub(super) action: Option<&'static str>,
    /// Whether who has no session is shown where to get one.
    pub(super) is_page: bool,
}

/// Lets only requests through whose sender has the right, and has what they change written down.
pub(super) async fn require(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let Guard { state, right, action, is_page } = guard;
    let actor = match actor(&state, peer(&request), request.headers(), request.method()).await {
        Ok(actor) => actor,
        // A browser without a session is shown where to get one.
        Err(Ok(Denied::Missing | Denied::NoTokenSet)) if is_page && request.method() == Method::GET => {
            return Redirect::to(&people::sign_in_for(request.uri())).into_response();
        }
        Err(Ok(denied)) => {
            drain(request).await;
            return refuse(denied);
        }
        Err(Err(error)) => return error.into_response(),
    };
    let in_browser = is_page && wants_page(request.headers());
    let params = request.extract_parts::<RawPathParams>().await.ok();
    let change = match action {
        Some(action) => Some(Change::of(&state, &actor, action, params.as_ref()).await),
        None => None,
    };
    let named = params.iter().flat_map(|params| params.iter()).find(|(name, _)| *name == "agent");
    if !right.has(&actor, named.map(|(_, agent)| agent)) {
        if let Some(change) = change {
            change.write_down(&state, DeedResult::Denied).await;
        }
        drain(request).await;
        let denied = Denied::Role(actor.role);
        return if in_browser { pages::refused(&state, &actor, denied) } else { refuse(denied) };
    }
    let Some(change) = change else {
        request.extensions_mut().insert(actor);
        return next.run(request).await;
    };
    request.extensions_mut().insert(actor);
    request.extensions_mut().insert(change.clone());
    let response = next.run(request).await;
    change.finish(&state, response.status()).await;
    response
}

/// Whether a browser asks to show somebody a page: programs and scripts are answered as the API does.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|kinds| kinds.to_str().is_ok_and(|kinds| kinds.contains("text/html")))
}

/// Who sends a request.
async fn actor(
    state: &ServerState,
    peer: Peer,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Actor, Result<Denied, ApiError>> {
    let denied = match state.access.check(peer, headers) {
        Ok(()) => return Ok(Actor::admin(peer)),
        Err(denied @ Denied::User { .. }) => return Err(Ok(denied)),
        Err(denied) => denied,
    };
    let found = match bearer(headers) {
        Some(token) => people::by_token(state, token).await,
        None => people::by_session(state, headers, method).await,
    };
    match found {
        Ok(Some(actor)) => Ok(actor),
        Ok(None) => Err(Ok(denied)),
        Err(refused) => Err(refused),
    }
}

/// Takes in what is still sent of a request that is refused, as far as it is short and comes soon: the connection is
/// closed behind an answer before that, and many a client then never reads why.
pub(super) async fn drain(request: Request) {
    // Who asks first sends nothing after a refusal.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let rest = to_bytes(request.into_body(), DRAIN_BYTES_MAX);
    let _late = tokio::time::timeout(DRAIN_WITHIN, rest).await;
}

fn refuse(denied: Denied) -> Response {
    let (status, hint) = match denied {
        Denied::NoTokenSet => {
            (StatusCode::UNAUTHORIZED, "use the Unix socket, or set `[http] token` in dialops.toml and send it")
        }
        Denied::Missing => (StatusCode::UNAUTHORIZED, "send `Authorization: Bearer TOKEN`, or use the Unix socket"),
        Denied::Foreign => (StatusCode::FORBIDDEN, "reload the page, and sign in again if it asks for it"),
        Denied::Role(_) => (StatusCode::FORBIDDEN, "`dialops people list` shows who may do what"),
        Denied::Wrong => (StatusCode::UNAUTHORIZED, "compare it with `[http] token` of this daemon's dialops.toml"),
        Denied::User { .. } => {
            (StatusCode::FORBIDDEN, "run it as root or as the daemon's user, or add the id to `[http] allowed_uids`")
        }
    };
    let mut response = ApiError::new(status, denied.to_string(), hint).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn tcp_needs_the_token_that_is_set() {
        let none = Access::default();
        assert_eq!(none.check(Peer::Tcp, &headers(Some("Bearer x"))), Err(Denied::NoTokenSet));
        let empty = Access { token: Some("".into()), allowed_uids: vec![] };
        assert_eq!(empty.check(Peer::Tcp, &headers(Some("Bearer "))), Err(Denied::NoTokenSet));
        let set = Access { token: Some("s3cret".into()), allowed_uids: vec![] };
        assert_eq!(set.check(Peer::Tcp, &headers(None)), Err(Denied::Missing));
        assert_eq!(set.check(Peer::Tcp, &headers(Some("Basic s3cret"))), Err(Denied::Missing));
        assert_eq!(set.check(Peer::Tcp, &headers(Some("Bearer s3cre"))), Err(Denied::Wrong));
        assert_eq!(set.check(Peer::Tcp, &headers(Some("Bearer "))), Err(Denied::Wrong));
        assert_eq!(set.check(Peer::Tcp, &headers(Some("bearer s3cret"))), Ok(()));
    }

    #[test]
    fn the_socket_knows_its_users() {
        let access = Access { token: Some("s3cret".into()), allowed_uids: vec![4711] };
        let own = rustix::process::geteuid().as_raw();
        for uid in [0, own, 4711] {
            assert_eq!(access.check(Peer::Unix { uid }, &headers(None)), Ok(()));
        }
        let other = Peer::Unix { uid: 4712 };
        assert_eq!(access.check(other, &headers(Some("Bearer s3cret"))), Err(Denied::User { uid: 4712 }));
    }
}
