//! One `POST` over HTTP or TLS: within its time, to the address that is set and no other.
//!
//! An address may hold a secret, so only where a server is gets into texts; and a server may send back what it
//! was told, so what it says is masked.

use std::{borrow::Cow, error::Error, fmt, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, Uri, body::Incoming, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    reach::{Reach, Resolver},
    trust::Roots,
};

/// Most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest wait for the rest of an answer whose status has come.
const REST_WITHIN: Duration = Duration::from_secs(2);

/// Most characters of an answer that are shown.
const SHOWN_MAX: usize = 200;

/// Connections to a server that are kept although nothing is sent.
const IDLE_MAX: usize = 8;

/// Longest wait that a server is granted by its `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What is sent.
pub(super) struct Message {
    /// Where to.
    pub(super) url: String,
    /// Besides the content's type and who sends it.
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    /// What must never be shown.
    pub(super) secret: Option<SecretString>,
    /// What a refusal says that means that it was known.
    pub(super) known_by: Option<&'static str>,
    /// JSON.
    pub(super) body: Vec<u8>,
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsent {
    /// Why, in half a sentence.
    pub(super) why: String,
    /// Whether trying again may do; how soon, if the server says so.
    pub(super) again: Option<Again>,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// When it seems good.
    Soon,
    /// Not before that.
    After(Duration),
}

impl Unsent {
    /// Something that may pass.
    pub(super) fn passing(why: impl fmt::Display) -> Self {
        Self { why: why.to_string(), again: Some(Again::Soon) }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Nothing has left.
    Unsent(String),
    /// It may have come to the other side.
    Unclear(String),
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// How long it wants to be left alone.
    pub(super) after: Option<Duration>,
    /// Its beginning, as far as it came.
    pub(super) body: Vec<u8>,
}

/// A client for one receiver.
pub(super) struct Post {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    reach: Reach,
    timeout: Duration,
}

impl Post {
    /// One that judges servers by the system's certificates, or by those of a file, and goes only where it may. Reads
    /// certificates.
    pub(super) fn new(url: &str, ca_file: Option<&Path>, timeout: Duration, reach: Reach) -> Result<Self, Unsent> {
        let roots = match ca_file {
            _ if !url.starts_with("https://") => Roots::None,
            Some(path) => Roots::File(path),
            None => Roots::System,
        };
        let config = roots.config().map_err(Unsent::passing)?;
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(reach.clone()));
        tcp.enforce_http(false);
        // Nothing has left while that goes on, which is to be known: it ends before all of it does.
        tcp.set_connect_timeout(Some(timeout / 2));
        let https = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_MAX).build(https.wrap_connector(tcp));
        Ok(Self { client, reach, timeout })
    }

    /// Sends a message; it was taken if this is `Ok`.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Unsent> {
        match self.ask(message).await {
            Ok(answer) => judge(&answer, message),
            Err(Unanswered::Unsent(why) | Unanswered::Unclear(why)) => Err(Unsent::passing(why)),
        }
    }

    /// Sends a message, and gives what it was answered.
    pub(super) async fn ask(&self, message: &Message) -> Result<Answer, Unanswered> {
        let request = request(message).map_err(|unusable| Unanswered::Unsent(unusable.why))?;
        self.reach.admit(request.uri().host().unwrap_or_default()).map_err(Unanswered::Unsent)?;
        let sent = async {
            let answer = self.client.request(request).await.map_err(|error| {
                // The text of the outer error says only that sending failed.
                let why = deepest(&error);
                if error.is_connect() { Unanswered::Unsent(why) } else { Unanswered::Unclear(why) }
            })?;
            let after = answer.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            let after = after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
            Ok(Answer { status: answer.status(), after, body: beginning(answer.into_body()).await })
        };
        let seconds = self.timeout.as_secs();
        let late = |_| Unanswered::Unclear(format!("no answer within {seconds} s"));
        tokio::time::timeout(self.timeout, sent).await.map_err(late)?
    }
}

/// The beginning of an answer, as far as it comes in time.
async fn beginning(mut answer: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = answer.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            read.extend_from_slice(&data[..data.len().min(ANSWER_BYTES_MAX - read.len())]);
            if read.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
    };
    // What does not come now does not matter: the status has.
    let _late = tokio::time::timeout(REST_WITHIN, reading).await;
    read
}

fn request(message: &Message) -> Result<Request<Full<Bytes>>, Unsent> {
    const AGENT: &str = concat!("dialops/", env!("CARGO_PKG_VERSION"));
    let mut request =
        Request::post(&message.url).header(header::USER_AGENT, AGENT).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in &message.headers {
        request = request.header(name.as_ref(), value);
    }
    // The error would show a header, which may be the token.
    let unusable = |_| Unsent::passing("its address or its token has characters that HTTP can't carry");
    request.body(Full::from(message.body.clone())).map_err(unusable)
}

/// What a server's answer means.
fn judge(answer: &Answer, message: &Message) -> Result<(), Unsent> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let after = answer.after.map(Again::After);
    let said = shown(&answer.body, message.secret.as_ref());
    if status.is_client_error() && message.known_by.is_some_and(|known| said.contains(known)) {
        return Ok(());
    }
    let colon = if said.is_empty() { "" } else { ": " };
    let why = match status {
        status if status.is_redirection() => format!("it answered {status}; set the address to where that leads"),
        status => format!("it answered {status}{colon}{said}"),
    };
    Err(Unsent { why, again: may_pass(status).then(|| after.unwrap_or(Again::Soon)) })
}

/// Whether the same message may be taken later: the token may be changed, the server may recover.
fn may_pass(status: StatusCode) -> bool {
    const OF_NOW: [u16; 8] = [401, 403, 407, 408, 421, 423, 425, 429];
    !status.is_client_error() || OF_NOW.contains(&status.as_u16())
}

/// What a server says, in one line and without the secret.
fn shown(body: &[u8], secret: Option<&SecretString>) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Some(secret) = secret {
        text = text.replace(secret.expose_secret(), "***");
    }
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(SHOWN_MAX).collect()
}

fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

/// Scheme, host and port of an address: the rest may be a secret.
pub(super) fn origin(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let found = uri.as_ref().and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?)));
    found.unwrap_or_else(|| "its address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_server_is_gets_shown() {
        assert_eq!(origin("https://hooks.example.net:8443/T0/B0/s3cret?token=x"), "https://hooks.example.net:8443");
        assert_eq!(origin("no address"), "its address");
        let secret = SecretString::from("s3cret");
        assert_eq!(shown(b"{\"you sent\":\n \"s3cret\"}", Some(&secret)), "{\"you sent\": \"***\"}");
        assert_eq!(shown("ü".repeat(1_000).as_bytes(), None).chars().count(), SHOWN_MAX);
    }

    #[test]
    fn what_would_be_refused_again_is_not_sent_again() {
        let passes = |code| may_pass(StatusCode::from_u16(code).unwrap());
        assert!([301, 401, 403, 408, 429, 500, 502, 503].into_iter().all(passes));
        assert!(![400, 404, 409, 410, 413, 422].into_iter().any(passes));
    }
}
