//! People: who they are, by a token or by a session of their browser (ADR 19).

mod accounts;
mod password;
mod secret;
mod sessions;
mod sign_in;

use axum::http::{HeaderMap, Method, header};
use secrecy::{ExposeSecret, SecretString};

pub(super) use self::{
    accounts::{PeopleQuery, list, make, remove, set_password, sign_out_everywhere, token},
    sign_in::{Filled, SIGN_IN, form, leave, post, sign_in_for},
};
pub use self::{password::SignIns, sessions::Sessions};
use super::{
    access::{Actor, Denied},
    error::ApiError,
    state::ServerState,
};
use crate::{
    domain::{
        ids::{AgentId, PersonId},
        person::Role,
    },
    store::people::{CredentialKind, Person},
};

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], secret::NoEntropy> {
    secret::random()
}

/// The header that a page sends with each command.
const COMMAND_KEY: &str = "x-command-key";

/// Whom a token lets in.
pub(super) async fn by_token(state: &ServerState, token: &str) -> Result<Option<Actor>, Result<Denied, ApiError>> {
    holder(state, token, CredentialKind::Token).await.map_err(Err)
}

/// Whose session a request has. A command must come from a page of the session: other sites can have a browser send
/// the cookie, and don't know what stands in the page.
pub(super) async fn by_session(
    state: &ServerState,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Option<Actor>, Result<Denied, ApiError>> {
    let Some(session) = secret::of_cookie(headers) else { return Ok(None) };
    let found = of_session(state, &session).await.map_err(Err)?;
    if found.is_some() && !method.is_safe() && !(is_own(headers) && has_key(headers, &session)) {
        return Err(Ok(Denied::Foreign));
    }
    Ok(found)
}

/// The same of a form without script, which sends the key of its page as one of its fields.
pub(super) async fn by_form(
    state: &ServerState,
    headers: &HeaderMap,
    key: &str,
) -> Result<Option<Actor>, Result<Denied, ApiError>> {
    let Some(session) = secret::of_cookie(headers) else { return Ok(None) };
    let found = of_session(state, &session).await.map_err(Err)?;
    if found.is_some() && !(is_own(headers) && is_key(key.as_bytes(), &session)) {
        return Err(Ok(Denied::Foreign));
    }
    Ok(found)
}

/// What the page of a request's session sends with each command.
pub(super) fn command_key(headers: &HeaderMap) -> Option<String> {
    secret::of_cookie(headers).map(|session| secret::command_key(&session))
}

fn has_key(headers: &HeaderMap, session: &SecretString) -> bool {
    is_key(headers.get(COMMAND_KEY).map(|value| value.as_bytes()).unwrap_or_default(), session)
}

fn is_key(given: &[u8], session: &SecretString) -> bool {
    use subtle::ConstantTimeEq;
    bool::from(given.ct_eq(secret::command_key(session).as_bytes()))
}

/// Whether a command comes from this daemon's own page, as far as the browser says where from.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
    }
}

/// Whose session it is, which is used with that; one that was not used for too long ends.
async fn of_session(state: &ServerState, session: &SecretString) -> Result<Option<Actor>, ApiError> {
    let Some(found) = holder(state, session.expose_secret(), CredentialKind::Session).await? else { return Ok(None) };
    let digest = secret::digest(session.expose_secret());
    if state.sessions.is_used(&digest, state.clock.now().mono) {
        return Ok(Some(found));
    }
    if state.store.end_credential(&digest).await? {
        tracing::info!(person = %found.name, "a session ended that was not used any more");
    }
    Ok(None)
}

async fn holder(state: &ServerState, secret: &str, kind: CredentialKind) -> Result<Option<Actor>, ApiError> {
    let found = state.store.credential(&secret::digest(secret)).await?.filter(|found| found.kind == kind);
    let Some(found) = found else { return Ok(None) };
    let account = state.store.person(&found.person).await?;
    let role = role_of(state, &found.person, account.as_ref());
    Ok(role.map(|role| Actor { name: found.person.to_string(), role }))
}

/// What somebody may do now: an account says so, or that there is such an agent in the commit in force.
fn role_of(state: &ServerState, id: &PersonId, account: Option<&Person>) -> Option<Role> {
    match account.map(|account| account.role) {
        Some(role @ (Role::Viewer | Role::Supervisor | Role::Admin)) => Some(role),
        Some(Role::Agent) | None => is_agent(state, id).then_some(Role::Agent),
    }
}

/// Whether the commit in force has an agent of this id.
fn is_agent(state: &ServerState, id: &PersonId) -> bool {
    let generation = state.generation.borrow();
    let agent = AgentId::parse(id.as_str());
    agent.is_ok_and(|agent| generation.as_ref().is_some_and(|g| g.definitions.agents.contains_key(&agent)))
}
