//! Signing in and out: a form without script.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{is_own, password::Busy, role_of, secret};
use crate::{
    domain::{ids::PersonId, person::Role},
    http::{access::Actor, change::Change, error::ApiError, state::ServerState},
    store::people::{Credential, CredentialKind},
};

/// Where the form is.
pub(in crate::http) const SIGN_IN: &str = "/sign-in";

/// Where an agent works.
const DESK: &str = "/agent";

/// How long a session lasts: a shift, and some.
const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(12);

#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page {
    instance: String,
    name: String,
    error: Option<String>,
}

/// What was filled in.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SignInForm")]
pub(in crate::http) struct Filled {
    /// The id of an account or an agent.
    #[serde(default)]
    name: String,
    /// Its password, or a token of it.
    #[serde(default)]
    #[schemars(with = "String")]
    password: SecretString,
}

/// The form.
pub(in crate::http) async fn form(State(state): State<Arc<ServerState>>) -> Result<Response, ApiError> {
    shown(&state, String::new(), None)
}

/// Lets somebody in who has the password of an account, or a token.
pub(in crate::http) async fn post(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    Form(Filled { name, password }): Form<Filled>,
) -> Result<Response, ApiError> {
    if !is_own(&headers) {
        let hint = "open this daemon's own page and sign in there";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the form was sent from another site", hint));
    }
    match check(&state, name.trim(), password).await? {
        Ok((id, role)) => enter(&state, &headers, id, role).await,
        Err(busy) => refused(&state, name, busy),
    }
}

/// Whom a name and a password let in; `Err(None)` for nobody.
async fn check(
    state: &ServerState,
    name: &str,
    password: SecretString,
) -> Result<Result<(PersonId, Role), Option<Busy>>, ApiError> {
    let now = state.clock.now().mono;
    let id = PersonId::parse(name).ok();
    let account = match &id {
        Some(id) => state.store.person(id).await?,
        None => None,
    };
    let right = if secret::is_token(password.expose_secret()) {
        let held = state.store.credential(&secret::digest(password.expose_secret())).await?;
        Ok(held.is_some_and(|held| held.kind == CredentialKind::Token && Some(&held.person) == id.as_ref()))
    } else {
        let known = account.as_ref().and_then(|account| account.password.clone());
        state.sign_ins.check(name, password, known, now).await
    };
    let role = id.as_ref().and_then(|id| role_of(state, id, account.as_ref()));
    Ok(match (right, id.zip(role)) {
        (Err(busy), _) => Err(Some(busy)),
        (Ok(true), Some(found)) => Ok(found),
        (Ok(_), _) => Err(None),
    })
}

/// Begins a session.
async fn enter(state: &ServerState, headers: &HeaderMap, id: PersonId, role: Role) -> Result<Response, ApiError> {
    let session = secret::session().map_err(no_secret)?;
    let change = Change::new(&Actor { name: id.to_string(), role }, "sign_in", "");
    let expires_at = state.clock.now().wall.saturating_add(SESSION_LASTS).unwrap_or(jiff::Timestamp::MAX);
    let digest = secret::digest(session.expose_secret());
    let credential = Credential { digest, kind: CredentialKind::Session, person: id.clone(), expires_at };
    change.store(state).add_credential(credential).await?;
    tracing::info!(person = %id, %role, "somebody signed in");
    let cookie = secret::cookie(&session, SESSION_LASTS.as_secs(), headers);
    let place = if role == Role::Agent { DESK } else { "/" };
    let mut response = Redirect::to(place).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

fn refused(state: &ServerState, name: String, busy: Option<Busy>) -> Result<Response, ApiError> {
    let Some(busy) = busy else {
        let error = "The name or the password is wrong.".to_owned();
        return shown(state, name, Some((StatusCode::FORBIDDEN, error)));
    };
    let (status, wait) = match busy {
        Busy::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, wait),
        Busy::Crowded | Busy::Broken => (StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1)),
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = shown(state, name, Some((status, format!("{busy}: try again in {seconds} s."))))?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

/// Ends the session of whoever asks.
pub(in crate::http) async fn leave(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(session) = secret::of_cookie(&headers) {
        change.store(&state).end_credential(&secret::digest(session.expose_secret())).await?;
        let gone = secret::cookie(&SecretString::default(), 0, &headers);
        response.headers_mut().extend(gone.map(|cookie| (header::SET_COOKIE, cookie)));
    }
    Ok(response)
}

/// No secret could be made.
pub(super) fn no_secret(error: secret::NoEntropy) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "see to the machine's random numbers")
}

fn shown(state: &ServerState, name: String, failed: Option<(StatusCode, String)>) -> Result<Response, ApiError> {
    let (code, error) = failed.map_or((StatusCode::OK, None), |(code, error)| (code, Some(error)));
    let page = Page { instance: state.instance.name.clone(), name, error };
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "the page was not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "the daemon's log says more")
    })?;
    Ok((code, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}
