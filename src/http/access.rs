//! Who may see personal data and give commands.
//!
//! Over the Unix socket the kernel says who calls; over TCP a bearer token does, and without one in
//! the settings nobody may.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{error::ApiError, state::ServerState};

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
    /// Not the token that is set.
    #[error("the bearer token is not the one that is set")]
    Wrong,
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

/// Lets only requests with a credential through.
pub(super) async fn require(State(state): State<Arc<ServerState>>, request: Request, next: Next) -> Response {
    match state.access.check(peer(&request), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => refuse(denied),
    }
}

fn refuse(denied: Denied) -> Response {
    let (status, hint) = match denied {
        Denied::NoTokenSet => {
            (StatusCode::UNAUTHORIZED, "use the Unix socket, or set `[http] token` in dialops.toml and send it")
        }
        Denied::Missing => (StatusCode::UNAUTHORIZED, "send `Authorization: Bearer TOKEN`, or use the Unix socket"),
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
