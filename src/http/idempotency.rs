//! Idempotency keys: a write that comes again, since its answer was lost on the way, is answered as it was and not done
//! again (draft-ietf-httpapi-idempotency-key-header).
//!
//! The store knows a request by digests that are made with the key, and the answer is sealed under it: without the key,
//! which only the sender has, a row tells nothing (ADR 23).

use std::{sync::Arc, time::Duration};

use aes_gcm_siv::{Aes256GcmSiv, Key as CipherKey, KeyInit, Nonce, aead::Aead};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{
    access::{Actor, drain},
    change::Change,
    error::ApiError,
    people::random,
    router::BODY_BYTES_MAX,
    state::ServerState,
};
use crate::store::keyed::{Admitted, KeptAnswer, KeyedId, KeyedRequest};

/// Fewest and most characters of a key. One that could be guessed would not hide what is kept under it.
pub(super) const KEY_LENGTH_MIN: usize = 16;
pub(super) const KEY_LENGTH_MAX: usize = 128;

/// The header that has the key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The type of the problem that such a request is being done.
pub const UNDER_WAY: &str = "urn:dialops:problem:idempotency-under-way";

/// Says of an answer that it is one from before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Longest answer that is kept.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a nonce.
const NONCE_BYTES: usize = 12;

/// Has a request with a key done once.
pub(super) async fn once(State(state): State<Arc<ServerState>>, request: Request, next: Next) -> Response {
    let key = match Key::of(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => {
            drain(request).await;
            return error.into_response();
        }
    };
    keyed(state, key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn keyed(state: Arc<ServerState>, key: Key, request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_long)?;
    let (Some(actor), Some(change)) = (parts.extensions.get::<Actor>(), parts.extensions.get::<Change>()) else {
        return Err(ApiError::busy("guarding"));
    };
    let (change, secret) = (change.clone(), Secret::of(&actor.name, &key));
    let id = secret.id();
    let expires_at = state.clock.now().wall.saturating_add(KEPT_FOR).unwrap_or(jiff::Timestamp::MAX);
    let admitted =
        state.store.admit_keyed(KeyedRequest { id, request: secret.request(&parts, &body), expires_at }).await?;
    match admitted {
        Admitted::New => {}
        Admitted::Answered(kept) => {
            change.was_written();
            return replayed(&secret, kept);
        }
        Admitted::Other => return Err(other()),
        Admitted::UnderWay => return Err(under_way()),
        Admitted::Lost => return Err(lost()),
    }
    let change = change.keyed(id);
    parts.extensions.insert(change.clone());
    let request = Request::from_parts(parts, Body::from(body));
    // It goes on when the client is gone: what it comes to is asked for again.
    let doing = tokio::spawn(async move {
        let response = next.run(request).await;
        settle(&state, &secret, &change, response).await
    });
    doing.await.map_err(|_| ApiError::busy("serving"))
}

/// Keeps an answer; one that changed nothing and is the daemon's own failure is not one.
async fn settle(state: &ServerState, secret: &Secret, change: &Change, response: Response) -> Response {
    let id = secret.id();
    let status = response.status();
    if status.is_server_error() && !change.is_written() {
        // Where a change was made after all, the store keeps the request, and says so when it comes again.
        if let Err(error) = state.store.release_keyed(&id).await {
            tracing::warn!(%error, "an idempotency key could not be released");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let sealed = (body.len() <= ANSWER_BYTES_MAX).then(|| secret.seal(&parts.headers, &body)).flatten();
    if let Err(error) = state.store.answer_keyed(&id, KeptAnswer { status: status.as_u16(), sealed }).await {
        tracing::warn!(%error, "an answer could not be kept for its idempotency key");
    }
    Response::from_parts(parts, Body::from(body))
}

/// The answer from before.
fn replayed(secret: &Secret, kept: KeptAnswer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(kept.status).map_err(|_| lost())?;
    let (media, body) = kept.sealed.and_then(|sealed| secret.open(&sealed)).ok_or_else(lost)?;
    let mut response = (status, body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().extend(media.map(|media| (header::CONTENT_TYPE, media)));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn too_long(_: axum::Error) -> ApiError {
    let error = format!("the body is longer than {BODY_BYTES_MAX} bytes, or broke off");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send less at once")
}

fn other() -> ApiError {
    let error = "this Idempotency-Key came with another request";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, "make a key for each request, and keep it for its repeats")
        .typed("idempotency-key-reused", "Idempotency-Key is already used")
}

fn under_way() -> ApiError {
    let error = "the request of this Idempotency-Key is being done";
    ApiError::new(StatusCode::CONFLICT, error, "send it again in a moment; it is answered once it is done")
        .typed("idempotency-under-way", "A request is outstanding for this Idempotency-Key")
}

fn lost() -> ApiError {
    let error = "the request of this Idempotency-Key was done, at least in part, and its answer is not kept";
    ApiError::new(StatusCode::CONFLICT, error, "look how things stand; to do it anew, send it with another key")
        .typed("idempotency-answer-lost", "The answer for this Idempotency-Key is gone")
}

/// A key as it was sent.
struct Key(String);

impl Key {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(first) = given.next() else { return Ok(None) };
        let text = first.to_str().unwrap_or_default();
        let is_key = (KEY_LENGTH_MIN..=KEY_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && given.next().is_none();
        if is_key { Ok(Some(Self(text.to_owned()))) } else { Err(Self::wrong()) }
    }

    fn wrong() -> ApiError {
        let error = format!(
            "an Idempotency-Key has {KEY_LENGTH_MIN} to {KEY_LENGTH_MAX} printable ASCII characters, no spaces"
        );
        ApiError::bad_request(error, "a UUID is a good one; send one such header")
    }
}

/// What is made of a key and its sender.
struct Secret([u8; 32]);

impl Secret {
    fn of(sender: &str, Key(key): &Key) -> Self {
        let hash = Sha256::new().chain_update(b"dialops idempotency\0").chain_update(sender).chain_update(b"\0");
        Self(hash.chain_update(key).finalize().into())
    }

    /// What the store knows it by.
    fn id(&self) -> KeyedId {
        Sha256::new().chain_update(b"id\0").chain_update(self.0).finalize().into()
    }

    /// What tells a request from others.
    fn request(&self, parts: &Parts, body: &Bytes) -> [u8; 32] {
        let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
        let hash = Sha256::new().chain_update(b"request\0").chain_update(self.0);
        let hash = hash.chain_update(parts.method.as_str()).chain_update(b"\0").chain_update(asked);
        hash.chain_update(b"\0").chain_update(body).finalize().into()
    }

    fn cipher(&self) -> Aes256GcmSiv {
        let key: [u8; 32] = Sha256::new().chain_update(b"answer\0").chain_update(self.0).finalize().into();
        Aes256GcmSiv::new(CipherKey::<Aes256GcmSiv>::from_slice(&key))
    }

    /// An answer's media type and body, sealed; `None` where the system has no random numbers.
    fn seal(&self, headers: &HeaderMap, body: &Bytes) -> Option<Vec<u8>> {
        let media = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let length = u8::try_from(media.len()).ok()?;
        let open = [&[length], media, body].concat();
        let nonce: [u8; NONCE_BYTES] = random().ok()?;
        let sealed = self.cipher().encrypt(Nonce::from_slice(&nonce), open.as_slice()).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed.
    fn open(&self, sealed: &[u8]) -> Option<(Option<HeaderValue>, Bytes)> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let open = self.cipher().decrypt(Nonce::from_slice(nonce), sealed).ok()?;
        let (length, rest) = open.split_first()?;
        let (media, body) = rest.split_at_checked(usize::from(*length))?;
        let media = if media.is_empty() { None } else { Some(HeaderValue::from_bytes(media).ok()?) };
        Some((media, Bytes::copy_from_slice(body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(sender: &str, key: &str) -> Secret {
        Secret::of(sender, &Key(key.to_owned()))
    }

    #[test]
    fn a_key_is_long_enough_and_printable() {
        let of = |values: &[&str]| {
            let headers = values.iter().map(|value| (HeaderName::from_static(IDEMPOTENCY_KEY), value.parse().unwrap()));
            Key::of(&headers.collect()).map(|key| key.map(|Key(key)| key)).map_err(|error| error.status().as_u16())
        };
        assert_eq!(of(&[]), Ok(None));
        let good = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(of(&[good]), Ok(Some(good.to_owned())));
        for wrong in ["", "too-short", "with a space in it", &"x".repeat(129)] {
            assert_eq!(of(&[wrong]), Err(400), "{wrong}");
        }
        assert_eq!(of(&[good, good]), Err(400));
    }

    #[test]
    fn only_the_key_of_the_sender_opens_an_answer() {
        let (one, again) = (secret("anna", "0123456789abcdef"), secret("anna", "0123456789abcdef"));
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = Bytes::from_static(b"{\"token\":\"s3cret\"}");
        let sealed = one.seal(&headers, &body).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        let (media, opened) = again.open(&sealed).unwrap();
        assert_eq!((media.unwrap(), opened), (HeaderValue::from_static("application/json"), body));
        for other in [secret("bert", "0123456789abcdef"), secret("anna", "0123456789abcdeg")] {
            assert_ne!(other.id(), one.id());
            assert!(other.open(&sealed).is_none());
        }
        let empty = one.seal(&HeaderMap::new(), &Bytes::new()).unwrap();
        assert_eq!(one.open(&empty), Some((None, Bytes::new())));
    }
}
