//! One try of telling one thing.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hyper::{StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::{STORE_RETRY, callback, host::Health, sms};
use crate::{
    clock::Clock,
    config::settings::{CallbackSettings, HeaderValue, SmsSettings},
    delivery::{
        post::{Answer, Message, Post, Unanswered, origin},
        reach::Reach,
    },
    domain::{
        backoff::{self, Bounds},
        campaign::{Generation, SecretRef},
        ids::AttemptId,
    },
    signing,
    store::{Channel, DispatchFacts, DispatchId, Dispatches, StoreError, Tried},
};

/// The header with the delivery's id.
const DELIVERY_HEADER: &str = "X-Dialops-Delivery";

/// Longest that one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long something waits that was not taken.
const AGAIN: Bounds = Bounds { first: Duration::from_secs(5), most: Duration::from_secs(15 * 60) };

/// What all tries have in common.
pub(super) struct Office {
    pub(super) dispatches: Arc<dyn Dispatches>,
    pub(super) callback_hosts: Vec<String>,
    pub(super) callbacks: CallbackSettings,
    pub(super) sms: Option<SmsSettings>,
    pub(super) credentials: Option<PathBuf>,
    pub(super) clock: Clock,
    /// Tells deliveries of this store from those of others.
    pub(super) mark: String,
}

/// What became of a try.
pub(super) struct Came {
    /// What is written; nothing if there is nothing to be written.
    pub(super) tried: Option<Tried>,
    /// What it says of the host.
    pub(super) health: Health,
    /// The client that was used.
    pub(super) post: Option<Arc<Post>>,
}

impl Came {
    /// Without having asked anybody.
    fn of(tried: impl Into<Option<Tried>>) -> Self {
        Self { tried: tried.into(), health: Health::Unknown, post: None }
    }
}

/// What is asked, and what is kept of who is asked.
pub(super) struct Asked {
    pub(super) id: DispatchId,
    /// The host that has room.
    pub(super) host: String,
    /// Its client, if there is one.
    pub(super) post: Option<Arc<Post>>,
    /// The generation in force.
    pub(super) generation: Arc<Generation>,
}

impl Office {
    /// Tries to tell something.
    pub(super) async fn attempt(&self, asked: Asked) -> Came {
        let facts = match self.dispatches.dispatch_facts(asked.id).await {
            Ok(Some(facts)) => facts,
            Ok(None) => return Came::of(None),
            Err(error @ StoreError::Damaged(_)) => return Came::of(Tried::Parked { why: error.to_string() }),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "what is to be told was not read");
                tokio::time::sleep(STORE_RETRY).await;
                return Came::of(None);
            }
        };
        match facts.record.channel {
            Channel::Callback => self.call_back(&facts, asked).await,
            Channel::Sms => self.text(&facts, asked).await,
        }
    }

    async fn call_back(&self, facts: &DispatchFacts, asked: Asked) -> Came {
        let (Some(callback), Some(attempt)) = (&facts.callback, &facts.attempt) else {
            return Came::of(Tried::Dropped { why: "its campaign has no callback".to_owned() });
        };
        if origin(&callback.url) != asked.host {
            // A commit has moved it: its lane is looked at anew.
            return Came::of(None);
        }
        let host = callback.url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned)).unwrap_or_default();
        if !self.callback_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host)) {
            return Came::of(self.again(facts, None, format!("the settings do not allow callbacks to {host}")));
        }
        let delivery = self.delivery_id(facts);
        let tenant = &asked.generation.definitions.tenant.id;
        let body = callback::body(facts, (attempt, callback), tenant, &delivery).to_string().into_bytes();
        let secret = match self.secret(callback.signing_secret.clone()).await {
            Ok(secret) => secret,
            Err(why) => return Came::of(self.again(facts, None, why)),
        };
        let signature =
            secret.as_ref().map(|secret| signing::sign(secret.expose_secret().as_bytes(), self.now(), &body));
        let mut headers = vec![(DELIVERY_HEADER.into(), delivery)];
        headers.extend(signature.map(|signature| (signing::HEADER.into(), signature)));
        let message = Message { url: callback.url.clone(), headers, secret, known_by: None, body };
        let CallbackSettings { allow_networks, ca_file, .. } = &self.callbacks;
        let post = match client(asked.post, &message.url, ca_file.clone(), allow_networks.as_slice().into()).await {
            Ok(post) => post,
            Err(why) => return Came::of(self.again(facts, None, why)),
        };
        let answer = post.ask(&message).await;
        let (tried, health) = match answer {
            Ok(answer) if answer.status.is_success() => (Tried::Sent, Health::Well),
            Ok(answer) => (self.again(facts, answer.after, refused(answer.status)), health(answer.status)),
            Err(Unanswered::Unsent(why) | Unanswered::Unclear(why)) => (self.again(facts, None, why), Health::Unwell),
        };
        Came { tried: Some(tried), health, post: Some(post) }
    }

    async fn text(&self, facts: &DispatchFacts, asked: Asked) -> Came {
        if facts.claimed {
            let why = "the daemon ended while it was sent: it may have been";
            return Came::of(Tried::Parked { why: why.to_owned() });
        }
        if !facts.contact.progress.is_not_reached() {
            return Came::of(Tried::Undone);
        }
        let definitions = &asked.generation.definitions;
        let Some(settings) = &self.sms else {
            return Came::of(self.again(facts, None, "the settings have no [sms] gateway".to_owned()));
        };
        let Some((campaign, template)) = sms::template(definitions, facts) else {
            return Came::of(Tried::Dropped { why: "its campaign sends no text messages any more".to_owned() });
        };
        let (now, tenant) = (self.now(), &definitions.tenant);
        let opens_at = sms::opens_at(tenant, now);
        if opens_at > now {
            return Came::of(Tried::NotYet { at: opens_at });
        }
        let Some(number) = sms::number(facts) else {
            return Came::of(Tried::Dropped { why: "no number of the contact takes text messages".to_owned() });
        };
        let delivery = self.delivery_id(facts);
        let text = sms::text(template, campaign, tenant, facts);
        let body = sms::body(settings, number, &text, &delivery).to_string().into_bytes();
        let mut headers = vec![(DELIVERY_HEADER.into(), delivery)];
        for (name, value) in &settings.headers {
            let value = match value {
                HeaderValue::Plain(value) => value.clone(),
                HeaderValue::Secret(secret) => match self.secret(Some(secret.clone())).await {
                    Ok(secret) => secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default(),
                    Err(why) => return Came::of(self.again(facts, None, why)),
                },
            };
            headers.push((name.clone().into(), value));
        }
        let message = Message { url: settings.url.clone(), headers, secret: None, known_by: None, body };
        let allowed = settings.allow_networks.as_slice().into();
        let post = match client(asked.post, &message.url, settings.ca_file.clone(), allowed).await {
            Ok(post) => post,
            Err(why) => return Came::of(self.again(facts, None, why)),
        };
        self.hand_in(facts, settings, (&post, &message)).await.map_or_else(
            || Came::of(None),
            |(tried, health)| Came { tried: Some(tried), health, post: Some(Arc::clone(&post)) },
        )
    }

    /// Hands a text message in, once: what may have come there is not sent again unless a person says so.
    async fn hand_in(
        &self,
        facts: &DispatchFacts,
        settings: &SmsSettings,
        (post, message): (&Post, &Message),
    ) -> Option<(Tried, Health)> {
        match self.dispatches.claim_dispatch(facts.record.id).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a text message was not claimed");
                tokio::time::sleep(STORE_RETRY).await;
                return None;
            }
        }
        let unclear = |why: String| Tried::Parked { why: format!("{why}: it may have been sent") };
        Some(match post.ask(message).await {
            Ok(Answer { status, body, .. }) if status.is_success() => {
                if sms::is_taken(settings, &body) {
                    (Tried::Sent, Health::Well)
                } else {
                    (unclear("its answer does not say that it was taken".to_owned()), Health::Well)
                }
            }
            Ok(answer) => (self.again(facts, answer.after, refused(answer.status)), health(answer.status)),
            Err(Unanswered::Unsent(why)) => (self.again(facts, None, why), Health::Unwell),
            Err(Unanswered::Unclear(why)) => (unclear(why), Health::Unwell),
        })
    }

    /// It was not taken: it is tried again, or it is given up.
    fn again(&self, facts: &DispatchFacts, after: Option<Duration>, why: String) -> Tried {
        let record = &facts.record;
        let wait = backoff::wait(AGAIN, record.tries.saturating_add(1), 0, &record.id.to_string());
        let wait = SignedDuration::try_from(wait.max(after.unwrap_or_default())).unwrap_or(SignedDuration::MAX);
        let now = self.now();
        if now >= record.park_at {
            return Tried::Parked { why };
        }
        Tried::Again { at: now.saturating_add(wait).unwrap_or(Timestamp::MAX), why }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    /// The same however often it is sent, and another for anything else.
    fn delivery_id(&self, facts: &DispatchFacts) -> String {
        let record = &facts.record;
        let of =
            record.attempt.map_or_else(|| format!("c{}", facts.contact.reference.0), |id: AttemptId| id.to_string());
        format!("{}-{of}-{}", self.mark, record.event.as_str())
    }

    /// Reads a secret, where files may be read.
    async fn secret(&self, secret: Option<SecretRef>) -> Result<Option<secrecy::SecretString>, String> {
        let Some(secret) = secret else { return Ok(None) };
        let credentials = self.credentials.clone();
        let read = tokio::task::spawn_blocking(move || secret.resolve(credentials.as_deref())).await;
        let read = read.map_err(|error| error.to_string())?;
        read.map(Some).map_err(|error| format!("its secret can't be read: {error}"))
    }
}

async fn client(
    known: Option<Arc<Post>>,
    url: &str,
    ca_file: Option<PathBuf>,
    allowed: Arc<[crate::config::settings::Network]>,
) -> Result<Arc<Post>, String> {
    if let Some(post) = known {
        return Ok(post);
    }
    let url = url.to_owned();
    let reach = Reach::Public(allowed);
    let made = tokio::task::spawn_blocking(move || Post::new(&url, ca_file.as_deref(), TIMEOUT, reach)).await;
    made.map_err(|error| error.to_string())?.map(Arc::new).map_err(|unsent| unsent.why)
}

/// What it answered is not shown: it may be what it was told.
fn refused(status: StatusCode) -> String {
    let hint = if status.is_redirection() { "; set the address to where that leads" } else { "" };
    format!("it answered {status}{hint}")
}

fn health(status: StatusCode) -> Health {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS { Health::Unwell } else { Health::Well }
}
