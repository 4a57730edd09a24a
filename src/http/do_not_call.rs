//! Do-not-call lists: what they hold, entries in and out.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    change::Change,
    error::ApiError,
    import::{self, Subject},
    lines::{answer, line},
    state::ServerState,
    wire::do_not_call::{EntryView, ListEvent, ListView, Lists, RemoveEntry},
};
use crate::{
    contacts,
    control::DialCommand,
    domain::{ids::DoNotCallId, phone::E164},
    store::ListedNumber,
};

/// Entries that are read at once.
const PAGE_LENGTH: u32 = 1_000;

/// How entries expire that do not say it themselves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportQuery {
    /// When entries expire that do not say it themselves (RFC 3339); never unless given.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

/// Every list that is defined or has entries.
pub(super) async fn lists(State(state): State<Arc<ServerState>>) -> Result<Json<Lists>, ApiError> {
    let counts = state.store.do_not_call_counts(state.clock.now().wall).await?;
    let mut lists: BTreeMap<DoNotCallId, ListView> =
        counts.lists.iter().map(|(id, count)| (id.clone(), ListView::of(id, *count))).collect();
    let generation = state.generation.borrow().clone();
    for (id, list) in generation.iter().flat_map(|generation| &generation.definitions.do_not_call) {
        lists.entry(id.clone()).or_insert_with(|| ListView::of(id, Default::default())).name = Some(list.name.clone());
    }
    Ok(Json(Lists { version: counts.version, lists: lists.into_values().collect() }))
}

/// Imports the body into a list; the answer is one JSON object a line.
pub(super) async fn import(
    State(state): State<Arc<ServerState>>,
    Path(list): Path<String>,
    query: Result<Query<ImportQuery>, QueryRejection>,
    Extension(change): Extension<Change>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let list = list_id(&list)?;
    const EXPIRY: &str = "use `expires_at` with a time such as 2031-03-03T09:00:00Z";
    let Query(ImportQuery { expires_at }) = query.map_err(|error| ApiError::bad_request(error.body_text(), EXPIRY))?;
    let expires_at = expires_at.map(|text| text.parse::<Timestamp>()).transpose();
    let expires_at =
        expires_at.map_err(|_| ApiError::bad_request("expires_at is not a time with its offset", EXPIRY))?;
    if let Some(passed) = expires_at.filter(|at| *at <= state.clock.now().wall) {
        let error = format!("expires_at: {passed} has passed: the entries would hold nobody");
        return Err(ApiError::unfit(error, "give a time to come, or none for entries that hold for good"));
    }
    defined(&state, &list)?;
    import::serve(state, change, Subject::DoNotCall { list, expires_at }, &headers, body).await
}

/// All entries of a list by number, one JSON object a line. A list that has entries is shown even if the commit in
/// force does not define it.
pub(super) async fn entries(
    State(state): State<Arc<ServerState>>,
    Path(list): Path<String>,
) -> Result<Response, ApiError> {
    let list = list_id(&list)?;
    let first = state.store.do_not_call_page(&list, None, PAGE_LENGTH).await?;
    if first.is_empty() {
        defined(&state, &list)?;
    }
    let (first, rest) = page_lines(&first);
    let others = stream::unfold(rest, move |after: Option<E164>| {
        let (state, list) = (Arc::clone(&state), list.clone());
        async move {
            let page = state.store.do_not_call_page(&list, Some(&after?), PAGE_LENGTH).await;
            Some(page.map_or_else(
                |error| (line(&ListEvent::Failed(ApiError::from(error).into_body())), None),
                |page| page_lines(&page),
            ))
        }
    });
    Ok(answer(Body::from_stream(stream::iter([first]).chain(others).map(Ok::<Bytes, Infallible>))))
}

/// The lines of a page, and behind which number the next one begins.
fn page_lines(page: &[ListedNumber]) -> (Bytes, Option<E164>) {
    let mut lines: Vec<u8> = page.iter().flat_map(|listed| line(&ListEvent::Entry(EntryView::from(listed)))).collect();
    if u32::try_from(page.len()).is_ok_and(|length| length >= PAGE_LENGTH) {
        return (lines.into(), page.last().map(|listed| listed.entry.number.clone()));
    }
    lines.extend(line(&ListEvent::Done));
    (lines.into(), None)
}

/// That the commit in force defines the list, if there is one.
fn defined(state: &ServerState, list: &DoNotCallId) -> Result<(), ApiError> {
    let generation = state.generation.borrow();
    if generation.as_ref().is_none_or(|generation| generation.definitions.do_not_call.contains_key(list)) {
        return Ok(());
    }
    let error = format!("no do-not-call list \"{list}\" in the commit in force");
    let hint = "`dialops do-not-call count` shows them; shared/do-not-call.toml defines them";
    Err(ApiError::new(StatusCode::NOT_FOUND, error, hint))
}

/// Takes a number off a list. It comes in the body: addresses are written down in many places.
pub(super) async fn remove(
    State(state): State<Arc<ServerState>>,
    Path(list): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    const FORM: &str = "send {\"number\": \"…\"}, in national form or with its country code";
    let list = list_id(&list)?;
    let RemoveEntry { number } = serde_json::from_slice(&body)
        .map_err(|_| ApiError::bad_request("the body is not a JSON object with a number", FORM))?;
    let number = contacts::number(&number, &import::rules(&state)?)
        .map_err(|problem| ApiError::unfit(format!("number: {problem}"), FORM))?;
    if !change.store(&state).remove_do_not_call(&list, &number).await? {
        let error = format!("the number is not on do-not-call list \"{list}\"");
        return Err(ApiError::new(StatusCode::NOT_FOUND, error, format!("`dialops do-not-call list {list}` shows it")));
    }
    tracing::info!(%list, "a do-not-call entry was removed");
    // A loop that has stopped dials nobody.
    let _stopped = state.dialer.send(DialCommand::DoNotCallChanged { list }).await;
    Ok(StatusCode::NO_CONTENT)
}

fn list_id(text: &str) -> Result<DoNotCallId, ApiError> {
    DoNotCallId::parse(text).map_err(|error| {
        let error = format!("{text:?} is no id of a do-not-call list: it {error}");
        ApiError::bad_request(error, "`dialops do-not-call count` shows the lists")
    })
}
