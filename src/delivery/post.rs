//! One `POST` over HTTP or TLS: within its time, to the address that is set and no other.
//!
//! An address may hold a secret, so only where a server is gets into texts; and a server may send back what it
//! was told, so what it says is masked.

use std::{error::Error, fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, header};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use secrecy::{ExposeSecret as _, SecretString};

/// Most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Most characters of an answer that are shown.
const SHOWN_MAX: usize = 200;

/// Longest wait that a server is granted by its `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What is sent.
pub(super) struct Message {
    /// Where to.
    pub(super) url: String,
    /// Besides the content's type and who sends it.
    pub(super) headers: Vec<(&'static str, String)>,
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

/// A client for one receiver.
pub(super) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Post {
    /// One that judges servers by the system's certificates, or by those of a file. Reads them.
    pub(super) fn new(url: &str, ca_file: Option<&Path>, timeout: Duration) -> Result<Self, Unsent> {
        let roots = if url.starts_with("https://") { Roots::of(ca_file) } else { Roots::None };
        let config = roots.config().map_err(Unsent::passing)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(timeout));
        let https = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(https.wrap_connector(tcp));
        Ok(Self { client, timeout })
    }

    /// Sends a message; it was taken if this is `Ok`.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Unsent> {
        let sent = async {
            let answer = self.client.request(request(message)?).await.map_err(|error| {
                // The text of the outer error says only that sending failed.
                Unsent::passing(deepest(&error))
            })?;
            judge(answer, message).await
        };
        let seconds = self.timeout.as_secs();
        let late = |_| Unsent::passing(format!("no answer within {seconds} s"));
        tokio::time::timeout(self.timeout, sent).await.map_err(late)?
    }
}

fn request(message: &Message) -> Result<Request<Full<Bytes>>, Unsent> {
    const AGENT: &str = concat!("dialops/", env!("CARGO_PKG_VERSION"));
    let mut request =
        Request::post(&message.url).header(header::USER_AGENT, AGENT).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in &message.headers {
        request = request.header(*name, value);
    }
    // The error would show a header, which may be the token.
    let unusable = |_| Unsent::passing("its address or its token has characters that HTTP can't carry");
    request.body(Full::from(message.body.clone())).map_err(unusable)
}

/// What a server's answer means.
async fn judge(answer: Response<Incoming>, message: &Message) -> Result<(), Unsent> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let after = answer.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    let after = after.map(|seconds| Again::After(Duration::from_secs(seconds).min(RETRY_AFTER_MAX)));
    let said = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok();
    let said = said.map(|body| shown(&body.to_bytes(), message.secret.as_ref())).unwrap_or_default();
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

/// What certificates are judged by.
enum Roots<'a> {
    None,
    System,
    File(&'a Path),
}

impl<'a> Roots<'a> {
    fn of(ca_file: Option<&'a Path>) -> Self {
        ca_file.map_or(Self::System, Self::File)
    }

    fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = match self {
            Self::None => builder.with_root_certificates(RootCertStore::empty()),
            Self::System => builder.with_native_roots().map_err(|error| {
                format!("the system has no certificates to judge it by ({error}); install `ca-certificates`, or set `ca_file`")
            })?,
            Self::File(path) => {
                let failed = |error: String| format!("`ca_file` {} can't be used: {error}", path.display());
                builder.with_root_certificates(of_file(path).map_err(failed)?)
            }
        };
        Ok(builder.with_no_client_auth())
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("no certificate is in it".to_owned()) } else { Ok(roots) }
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
