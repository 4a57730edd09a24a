//! Asking the daemon: HTTP over its Unix socket, or over TCP with a token.

use std::{error::Error, io, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    output::{Exit, Failure},
    target::{Place, Target},
};
use crate::{
    domain::ids::not_a_step,
    http::{IDEMPOTENCY_KEY, UNDER_WAY, wire::ErrorBody},
};

/// A daemon on this machine answers at once, one elsewhere soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the daemon's own longest wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// When a command is asked for again whose connection broke: long enough for a daemon that restarts.
const REPEATED_AFTER: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Entries asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Random bytes of a key.
const KEY_BYTES: usize = 16;

/// A daemon.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    place: Place,
    token: Option<SecretString>,
}

impl Client {
    /// The daemon that `target` names; nothing is sent yet.
    pub(super) fn new(target: &Target) -> Result<Self, Failure> {
        let place = target.place()?;
        let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy();
        let (builder, base) = match &place {
            Place::Socket(path) => (builder.unix_socket(path.as_path()), Url::parse("http://dialops/")),
            Place::Url(url) => (builder, Ok(url.clone())),
        };
        let unusable = |error: String| Failure::failed(format!("no HTTP client: {error}"), "report this");
        let http = builder.build().map_err(|error| unusable(error.to_string()))?;
        let base = base.map_err(|error| unusable(error.to_string()))?;
        let token = if matches!(place, Place::Url(_)) { target.token()? } else { None };
        Ok(Self { http, base, place, token })
    }

    /// `GET`, an answer in JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, self.url_with(path, query)?).timeout(ANSWER_TIMEOUT)).await
    }

    /// All pages of a list; `take` gives what a page has, and its `next`.
    pub(super) async fn pages<P: DeserializeOwned, T>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        take: fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, Failure> {
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE_LENGTH));
            query.extend(next.as_deref().map(|next| ("cursor", next)));
            let (page, behind) = take(self.get(path, &query).await?);
            all.extend(page);
            next = behind;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// `PUT` of JSON, an answer in JSON.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<T, Failure> {
        read(&self.command(self.request(Method::PUT, self.url(path)?).json(body)).await?)
    }

    /// `PATCH` of JSON, an answer in JSON.
    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<T, Failure> {
        read(&self.command(self.request(Method::PATCH, self.url(path)?).json(body)).await?)
    }

    /// `DELETE`, an answer without a body.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.command(self.request(Method::DELETE, self.url(path)?)).await.map(drop)
    }

    /// `DELETE`, an answer in JSON.
    pub(super) async fn delete_json<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        read(&self.command(self.request(Method::DELETE, self.url(path)?)).await?)
    }

    /// `POST` of JSON, an answer in JSON.
    pub(super) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(&self.command(self.request(Method::POST, self.url(path)?).json(body)).await?)
    }

    /// `POST` without a body, an answer in JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        read(&self.command(self.request(Method::POST, url)).await?)
    }

    /// `POST` of a streamed body; the answer is read as it comes.
    pub(super) async fn upload(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        content_type: &str,
        body: reqwest::Body,
    ) -> Result<Response, Failure> {
        let request = self.request(Method::POST, self.url_with(path, query)?);
        self.send(request.header("content-type", content_type).body(body)).await
    }

    /// `GET` of an answer that is read as it comes.
    pub(super) async fn stream(&self, path: &[&str]) -> Result<Response, Failure> {
        self.send(self.request(Method::GET, self.url(path)?)).await
    }

    /// The same with a query.
    pub(super) async fn stream_with(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Response, Failure> {
        self.send(self.request(Method::GET, self.url_with(path, query)?)).await
    }

    /// `POST` of JSON, an answer without a body.
    pub(super) async fn send_json(&self, path: &[&str], body: &impl Serialize) -> Result<(), Failure> {
        self.command(self.request(Method::POST, self.url(path)?).json(body)).await.map(drop)
    }

    /// `PUT` of JSON, an answer without a body.
    pub(super) async fn put_json(&self, path: &[&str], body: &impl Serialize) -> Result<(), Failure> {
        self.command(self.request(Method::PUT, self.url(path)?).json(body)).await.map(drop)
    }

    fn url_with(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn url(&self, path: &[&str]) -> Result<Url, Failure> {
        // Left out of the URL it would name something else.
        if let Some((id, error)) = path.iter().find_map(|id| Some((id, not_a_step(id).err()?))) {
            let hint = "a customer of that id, from an earlier version, goes with `dialops contacts erase`";
            return Err(Failure::bad_input(format!("{id:?} is no id: it {error}"), hint));
        }
        let mut url = self.base.clone();
        // Only a URL that can't be a base has no segments; `Target` lets none through.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        Ok(url)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        read(&self.send(request).await?.bytes().await.map_err(|error| self.unreachable(&error))?)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
    }

    /// Has something done. Where the connection breaks it is asked for again, by the same key, so that the daemon does
    /// it once: the answer may have been lost on the way, or the daemon restarts.
    async fn command(&self, request: RequestBuilder) -> Result<Bytes, Failure> {
        let request = request.timeout(ANSWER_TIMEOUT).header(IDEMPOTENCY_KEY, new_key()?);
        let mut waits = REPEATED_AFTER.into_iter();
        let mut broke = false;
        loop {
            let again =
                request.try_clone().ok_or_else(|| Failure::failed("the request can't be sent", "report this"))?;
            let refused = match whole(again).await {
                Ok((status, body)) if status.is_success() => return Ok(body),
                Ok((status, body)) => failure(status, &body),
                // Nobody was there to do anything, or it takes longer than is waited for.
                Err(error) if error.is_timeout() || error.is_builder() || (error.is_connect() && !broke) => {
                    return Err(self.unreachable(&error));
                }
                Err(error) => {
                    broke = true;
                    Refused { again: true, failure: self.unreachable(&error) }
                }
            };
            match waits.next().filter(|_| refused.again) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(refused.failure),
            }
        }
    }

    /// What a request that got no answer means.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let place = match &self.place {
            Place::Socket(path) => path.display().to_string(),
            Place::Url(url) => url.to_string(),
        };
        let cause = io_cause(error);
        if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied) {
            let hint = "run this as root or as a member of the socket's group";
            return Failure::failed(format!("this user may not open {place}"), hint);
        }
        if error.is_connect() {
            let why = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            let hint =
                "start one with `dialops run --config dialops.toml`, or say where it listens with --socket or --url";
            return Failure::failed(format!("no daemon answers at {place}{why}"), hint);
        }
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { deepest(error) };
        Failure::failed(format!("the daemon at {place} broke off: {why}"), "try again; its log may say more")
    }
}

/// A whole answer.
async fn whole(request: RequestBuilder) -> Result<(StatusCode, Bytes), reqwest::Error> {
    let response = request.send().await?;
    Ok((response.status(), response.bytes().await?))
}

/// What an answer says.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the answer is not what this version expects: {error}");
        Failure::failed(message, "use the `dialops` of the daemon's version")
    })
}

/// A text that no other request has.
fn new_key() -> Result<String, Failure> {
    let mut bytes = [0; KEY_BYTES];
    #[expect(clippy::disallowed_methods, reason = "a key is made")]
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::failed(format!("no random numbers: {error}"), "see to the machine's random numbers")
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Why something was not done.
struct Refused {
    failure: Failure,
    /// Whether it is being done, so that its answer is to be had in a moment.
    again: bool,
}

async fn refused(response: Response) -> Failure {
    let status = response.status();
    failure(status, &response.bytes().await.unwrap_or_default()).failure
}

fn failure(status: StatusCode, body: &[u8]) -> Refused {
    let exit = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::BadInput,
        _ => Exit::Failed,
    };
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => Refused {
            again: body.r#type == UNDER_WAY,
            failure: Failure { exit, message: body.detail, hint: body.hint },
        },
        Err(_) => {
            let (message, hint) = (format!("the answer was {status}"), "is that a dialops daemon?".to_owned());
            Refused { again: false, failure: Failure { exit, message, hint } }
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn io_cause(error: &reqwest::Error) -> Option<&io::Error> {
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last()
}

fn deepest(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
