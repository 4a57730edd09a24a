//! Secrets that let somebody in, and the cookie that carries one.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::store::people::SecretDigest;

/// Bytes of a secret.
const BYTES: usize = 32;

/// What tokens begin with, so that one that got lost is recognised.
const TOKEN_PREFIX: &str = "dialops_";

const COOKIE: &str = "dialops_session";
/// A browser takes a cookie of such a name only over HTTPS, for this host alone.
const SECURE_COOKIE: &str = "__Host-dialops_session";

/// The system has no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers for a secret")]
pub(in crate::http) struct NoEntropy;

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "a secret is made")]
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// The secret of a session.
pub(super) fn session() -> Result<SecretString, NoEntropy> {
    Ok(URL_SAFE_NO_PAD.encode(random::<BYTES>()?).into())
}

/// A token.
pub(super) fn token() -> Result<SecretString, NoEntropy> {
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<BYTES>()?)).into())
}

/// Whether a text is a token by its form.
pub(super) fn is_token(text: &str) -> bool {
    text.starts_with(TOKEN_PREFIX)
}

/// What the store knows a secret by. Secrets are random, so a fast hash is enough.
pub(super) fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret).into()
}

/// What a page of this session sends with each command: it follows from the secret, which other sites don't have.
pub(super) fn command_key(session: &SecretString) -> String {
    let hash = Sha256::new().chain_update(b"command\0").chain_update(session.expose_secret());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The session that a request has.
pub(super) fn of_cookie(headers: &HeaderMap) -> Option<SecretString> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let own = |(name, _): &(&str, &str)| *name == SECURE_COOKIE || *name == COOKIE;
    pairs.find(own).map(|(_, value)| value.to_owned().into())
}

/// The cookie of a session, kept so many seconds; 0 takes it away. Scripts don't see it, other sites don't send it
/// with commands, and it goes over HTTPS only, but on this very machine.
pub(super) fn cookie(session: &SecretString, seconds: i64, headers: &HeaderMap) -> Option<HeaderValue> {
    let (name, secure) = if is_loopback(headers) { (COOKIE, "") } else { (SECURE_COOKIE, "; Secure") };
    let value = session.expose_secret();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether a browser talks to this very machine, as far as it says.
pub(super) fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_cookie_is_secure_but_on_this_machine() {
        let text = |host: &str| {
            let cookie = cookie(&"s3cret".to_owned().into(), 60, &headers(header::HOST, host)).unwrap();
            cookie.to_str().unwrap().to_owned()
        };
        for host in ["localhost:9600", "127.0.0.1", "[::1]:9600", "127.0.0.1:80"] {
            assert!(!text(host).contains("Secure"), "{host}");
        }
        for host in ["dialops.example", "10.0.0.7:9600", "localhost.example:1", ""] {
            assert!(text(host).starts_with("__Host-dialops_session=s3cret; Path=/; HttpOnly; SameSite=Lax"), "{host}");
            assert!(text(host).ends_with("; Secure"), "{host}");
        }
    }

    #[test]
    fn the_session_is_found_among_cookies() {
        let found = |value: &str| of_cookie(&headers(header::COOKIE, value)).map(|s| s.expose_secret().to_owned());
        assert_eq!(found("a=b; dialops_session=x; c=d").as_deref(), Some("x"));
        assert_eq!(found("__Host-dialops_session=y").as_deref(), Some("y"));
        assert_eq!(found("a=b; not_dialops_session=z"), None);
    }

    #[test]
    fn secrets_differ_and_tokens_are_recognised() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert!(is_token(one.expose_secret()) && !is_token(session().unwrap().expose_secret()));
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_ne!(digest(one.expose_secret()), digest(two.expose_secret()));
        assert_ne!(command_key(&one), command_key(&two));
    }
}
