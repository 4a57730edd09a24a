//! Signing in and out: a form without script.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
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

/// Where supervisors begin.
const CAMPAIGNS: &str = "/campaigns";

/// Where the pages are that somebody may go back to.
const PAGES: [&str; 2] = [CAMPAIGNS, "/exports"];

/// Where to sign in, to come back to a page.
pub(in crate::http) fn sign_in_for(page: &Uri) -> String {
    match page.path_and_query().map(PathAndQuery::as_str).filter(|path| is_page(path)) {
        Some(path) => format!("{SIGN_IN}?back={}", path.replace('%', "%25").replace('&', "%26").replace('+', "%2B")),
        None => SIGN_IN.to_owned(),
    }
}

/// Whether it is a page of ours, and no other's address.
fn is_page(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let mut rests = PAGES.iter().filter_map(|page| path.strip_prefix(page));
    plain && rests.any(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Where an agent works.
const DESK: &str = "/agent";

/// How long a session lasts: a shift, and some.
pub(super) const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(12);

#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page {
    instance: String,
    name: String,
    back: String,
    error: Option<String>,
}

/// Where somebody wants to go.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Back {
    #[serde(default)]
    back: String,
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
    #[serde(default)]
    back: String,
}

/// The form.
pub(in crate::http) async fn form(
    State(state): State<Arc<ServerState>>,
    back: Result<Query<Back>, QueryRejection>,
) -> Result<Response, ApiError> {
    let back = back.map(|Query(back)| back.back).unwrap_or_default();
    shown(&state, String::new(), back, None)
}

/// Lets somebody in who has the password of an account, or a token.
pub(in crate::http) async fn post(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    Form(Filled { name, password, back }): Form<Filled>,
) -> Result<Response, ApiError> {
    if !is_own(&headers) {
        let hint = "open this daemon's own page and sign in there";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the form was sent from another site", hint));
    }
    match check(&state, name.trim(), password).await? {
        Ok((id, role)) => enter(&state, &headers, (id, role), &back).await,
        Err(busy) => refused(&state, name, back, busy),
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
async fn enter(
    state: &ServerState,
    headers: &HeaderMap,
    (id, role): (PersonId, Role),
    back: &str,
) -> Result<Response, ApiError> {
    let session = secret::session().map_err(no_secret)?;
    let change = Change::new(&Actor { name: id.to_string(), role }, "sign_in", "");
    let expires_at = state.clock.now().wall.saturating_add(SESSION_LASTS).unwrap_or(jiff::Timestamp::MAX);
    let digest = secret::digest(session.expose_secret());
    let credential = Credential { digest, kind: CredentialKind::Session, person: id.clone(), expires_at };
    change.store(state).add_credential(credential).await?;
    tracing::info!(person = %id, %role, "somebody signed in");
    let cookie = secret::cookie(&session, SESSION_LASTS.as_secs(), headers);
    let place = match role {
        Role::Agent => DESK,
        Role::Viewer | Role::Supervisor | Role::Admin if is_page(back) => back,
        Role::Viewer | Role::Supervisor => CAMPAIGNS,
        Role::Admin => "/",
    };
    let mut response = Redirect::to(place).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

fn refused(state: &ServerState, name: String, back: String, busy: Option<Busy>) -> Result<Response, ApiError> {
    let Some(busy) = busy else {
        let error = "The name or the password is wrong.".to_owned();
        return shown(state, name, back, Some((StatusCode::FORBIDDEN, error)));
    };
    let (status, wait) = match busy {
        Busy::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, wait),
        Busy::Crowded | Busy::Broken => (StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1)),
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = shown(state, name, back, Some((status, format!("{busy}: try again in {seconds} s."))))?;
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

fn shown(
    state: &ServerState,
    name: String,
    back: String,
    failed: Option<(StatusCode, String)>,
) -> Result<Response, ApiError> {
    let (code, error) = failed.map_or((StatusCode::OK, None), |(code, error)| (code, Some(error)));
    let page = Page { instance: state.instance.name.clone(), name, back, error };
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "the page was not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "the daemon's log says more")
    })?;
    Ok((code, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for page in
            ["/campaigns", "/campaigns/spring?from=2031-03-01&to=2031-03-01", "/campaigns/a/contacts/C%201", "/exports"]
        {
            assert!(is_page(page), "{page}");
        }
        for other in [
            "",
            "//evil.example",
            "https://evil.example/campaigns",
            "/campaigns.evil",
            "/campaignsx",
            "/exportsx",
            "/api/v1/exports",
            "/campaigns/\\x",
            "/campaigns/ x",
        ] {
            assert!(!is_page(other), "{other}");
        }
        let asked: Uri = "/campaigns/spring?from=2031-03-01&to=2031-03-01".parse().unwrap();
        assert_eq!(sign_in_for(&asked), "/sign-in?back=/campaigns/spring?from=2031-03-01%26to=2031-03-01");
        assert_eq!(sign_in_for(&"/agent".parse().unwrap()), "/sign-in");
    }
}
