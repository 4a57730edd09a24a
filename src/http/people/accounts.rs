//! Accounts: who has one, and what lets them in.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use super::{is_agent, password, role_of, secret, sign_in::no_secret};
use crate::{
    config,
    domain::{ids::PersonId, person::Role},
    http::{
        change::Change,
        error::ApiError,
        paging::{self, LIMIT, LIMIT_MAX},
        state::ServerState,
        wire::{
            cursor,
            people::{IssueToken, MakePerson, PeopleList, PersonView, SetPassword, Token},
        },
    },
    store::people::{Credential, CredentialKind, PasswordHash, Person},
};

const LISTED: &str = "`dialops people list` shows who has an account, `dialops agents list` who is an agent";

/// How long a token lasts unless asked otherwise, and at most.
const TOKEN_LASTS: SignedDuration = SignedDuration::from_hours(12);
const TOKEN_LASTS_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What its cursors are of.
const LIST: &str = "people";

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PeopleQuery {
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Everybody with an account.
pub(in crate::http) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<PeopleQuery>, QueryRejection>,
) -> Result<Json<PeopleList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `cursor` and `limit`"))?;
    let after: Option<String> = paging::after(LIST, query.cursor.as_deref())?;
    let limit = paging::limit(query.limit, LIMIT, LIMIT_MAX)?;
    let all = state.store.people().await?;
    let (people, next) = paging::cut(all, after.as_deref(), limit, |person| person.id.as_str())?;
    let next = next.map(|last| cursor::behind(LIST, last));
    let view = |person: &Person| PersonView {
        id: person.id.to_string(),
        role: person.role.to_string(),
        has_password: person.password.is_some(),
        since: person.since.to_string(),
        is_let_in: role_of(&state, &person.id, Some(person)).is_some(),
    };
    Ok(Json(PeopleList { people: people.iter().map(view).collect(), next }))
}

/// Makes an account, or gives it another role.
pub(in crate::http) async fn make(
    State(state): State<Arc<ServerState>>,
    Path(person): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let id = person_id(&person)?;
    let MakePerson { role, password } = read(&body, "{\"role\": …} and if you like \"password\"")?;
    let role = Role::parse(&role).filter(|role| *role != Role::Agent).ok_or_else(|| {
        ApiError::bad_request(format!("{role:?} is no role of an account"), "use viewer, supervisor or admin")
    })?;
    let before = state.store.person(&id).await?.filter(|before| before.role != Role::Agent);
    if before.is_none() && is_agent(&state, &id) {
        let hint = "choose another id; an agent gets a password with `dialops agents password`";
        return Err(ApiError::new(StatusCode::CONFLICT, format!("\"{id}\" is an agent of the commit in force"), hint));
    }
    let password = match password {
        Some(password) => Some(hashed(password).await?),
        None => before.and_then(|before| before.password),
    };
    let person = Person { id, role, password, since: state.clock.now().wall };
    change.about(format!("person {person}, {role}", person = person.id)).store(&state).put_person(person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives somebody another password; who was let in by the one before signs in anew.
pub(in crate::http) async fn set_password(
    State(state): State<Arc<ServerState>>,
    Path(person): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let id = person_id(&person)?;
    let SetPassword { password } = read(&body, "{\"password\": …}")?;
    let role = known(&state, &id).await?;
    let password = Some(hashed(password).await?);
    let person = Person { id, role, password, since: state.clock.now().wall };
    change.store(&state).put_person(person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Issues a token, which is shown this once.
pub(in crate::http) async fn token(
    State(state): State<Arc<ServerState>>,
    Path(person): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Token>, ApiError> {
    let id = person_id(&person)?;
    let IssueToken { lasts } = read(&body, "{} or {\"lasts\": \"8h\"}")?;
    known(&state, &id).await?;
    let lasts = lasts.as_deref().map(lasting).transpose()?.unwrap_or(TOKEN_LASTS);
    let expires_at = state.clock.now().wall.saturating_add(lasts).unwrap_or(jiff::Timestamp::MAX);
    let token = secret::token().map_err(no_secret)?;
    let digest = secret::digest(token.expose_secret());
    let credential = Credential { digest, kind: CredentialKind::Token, person: id, expires_at };
    change.store(&state).add_credential(credential).await?;
    Ok(Json(Token { token: token.expose_secret().to_owned(), expires_at: expires_at.to_string() }))
}

/// Takes an account away, and what lets the person in.
pub(in crate::http) async fn remove(
    State(state): State<Arc<ServerState>>,
    Path(person): Path<String>,
    Extension(change): Extension<Change>,
) -> Result<StatusCode, ApiError> {
    let id = person_id(&person)?;
    if change.store(&state).remove_person(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(nobody(&id)) }
}

/// Ends the sessions and tokens of a person.
pub(in crate::http) async fn sign_out_everywhere(
    State(state): State<Arc<ServerState>>,
    Path(person): Path<String>,
    Extension(change): Extension<Change>,
) -> Result<StatusCode, ApiError> {
    let id = person_id(&person)?;
    known(&state, &id).await?;
    change.store(&state).end_credentials(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The role of somebody who has an account or is an agent.
async fn known(state: &ServerState, id: &PersonId) -> Result<Role, ApiError> {
    let account = state.store.person(id).await?;
    role_of(state, id, account.as_ref()).ok_or_else(|| nobody(id))
}

async fn hashed(password: SecretString) -> Result<PasswordHash, ApiError> {
    let length = password.expose_secret().chars().count();
    let (least, most) = (password::LENGTH_MIN, password::LENGTH_MAX);
    if !(least..=most).contains(&length) {
        let error = format!("a password has {least} to {most} characters, this one has {length}");
        return Err(ApiError::bad_request(error, "several words are long and easy to keep"));
    }
    let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await.ok().flatten();
    hash.ok_or_else(|| {
        let error = "the password could not be hashed";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error, "see to the machine's memory and random numbers")
    })
}

fn lasting(text: &str) -> Result<SignedDuration, ApiError> {
    let lasts = config::duration(text).map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0)));
    lasts.filter(|lasts| lasts.is_positive() && *lasts <= TOKEN_LASTS_MAX).ok_or_else(|| {
        ApiError::unfit(format!("{text:?} is no time that a token can last"), "write 8h or 30d, 366d at most")
    })
}

/// The body; what stands in it is not repeated, as it may be a password.
fn read<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, ApiError> {
    let wrong = |_| ApiError::bad_request("the body is not what is wanted", format!("send {form}"));
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body }).map_err(wrong)
}

fn person_id(text: &str) -> Result<PersonId, ApiError> {
    PersonId::parse(text)
        .map_err(|error| ApiError::bad_request(format!("{text:?} is no id of a person: it {error}"), LISTED))
}

fn nobody(id: &PersonId) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("nobody has the id \"{id}\""), LISTED)
}
