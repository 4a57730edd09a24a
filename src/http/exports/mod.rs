//! Exports: asking for one, looking how far it has come, downloading it and taking it away.
//!
//! Who leads asks for masked ones and sees its own; an admin also for unmasked ones, and sees all.

mod ask;
mod file;
mod page;

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use self::ask::ask;
pub(super) use self::{
    file::download,
    page::{Filled, form, post},
};
use super::{
    access::Actor,
    change::Change,
    error::ApiError,
    paging,
    state::ServerState,
    wire::{
        cursor,
        exports::{AskExport, ExportList, ExportView},
    },
};
use crate::{
    domain::{
        export::{ExportId, ExportState},
        person::Role,
    },
    store::{ExportRecord, ExportStep},
};

const BODY: &str = "send {\"what\": \"attempts\", \"campaign\": …, \"format\": \"csv\", \"reason\": …}";

/// Asks for one.
pub(super) async fn make(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<(StatusCode, Json<ExportView>), ApiError> {
    let asked: AskExport = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not an export: {error}"), BODY))?;
    let record = ask(&state, &actor, &change, &asked).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&state, &record))))
}

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// One page, newest first.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ExportList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `cursor` and `limit`"))?;
    let limit = paging::limit(query.limit, paging::LIMIT, paging::LIMIT_MAX)?;
    let before = paging::after(cursor::EXPORTS, query.cursor.as_deref())?;
    let records = state.store.exports(owner(&actor), before.map(ExportId), limit).await?;
    let last = records.last().filter(|_| paging::is_full(&records, limit));
    let next = last.map(|record| cursor::behind(cursor::EXPORTS, record.id.0));
    Ok(Json(ExportList { exports: records.iter().map(|record| shown(&state, record)).collect(), next }))
}

/// One of them.
pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<ExportView>, ApiError> {
    let record = own(&state, &actor, &id).await?;
    Ok(Json(shown(&state, &record)))
}

/// Takes a file away, or stops what is to become one.
pub(super) async fn delete(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
    Extension(change): Extension<Change>,
) -> Result<StatusCode, ApiError> {
    let record = own(&state, &actor, &id).await?;
    forget(&state, &change, &record).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(state: &ServerState, change: &Change, record: &ExportRecord) -> Result<(), ApiError> {
    let step = ExportStep::Drop { why: format!("by {}", change.by()) };
    if !change.store(state).step_export(record.id, step).await? {
        let error = format!("export {} is {} already, and has no file", record.id, record.state.as_str());
        return Err(ApiError::new(StatusCode::CONFLICT, error, "`dialops exports list` shows how they stand"));
    }
    tracing::info!(id = %record.id, by = change.by(), "an export was taken away");
    clear(state).await
}

/// Has files taken away that are not to be there any more; returns once they are gone.
pub(super) async fn clear(state: &ServerState) -> Result<(), ApiError> {
    let cleared = state.exports.clear(&*state.store).await;
    // What was stopped gives its place to the next.
    state.exports.wake();
    cleared.map_err(|error| {
        let cause = std::error::Error::source(&error).map(tracing::field::display);
        tracing::error!(%error, cause, "files of exports could not be taken away");
        let hint = "it is tried again every minute; the daemon's log says more";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), hint)
    })
}

fn shown(state: &ServerState, record: &ExportRecord) -> ExportView {
    let progress = state.exports.progress(record.id).filter(|_| record.state == ExportState::Running);
    ExportView::of(record, progress)
}

/// Whose exports somebody sees; `None` for everybody's.
fn owner(actor: &Actor) -> Option<&str> {
    if actor.role == Role::Admin { None } else { Some(&actor.name) }
}

/// An export that somebody sees; others' are told as such that are not there.
async fn own(state: &ServerState, actor: &Actor, id: &str) -> Result<ExportRecord, ApiError> {
    let none = || {
        let hint = "`dialops exports list` shows those that there are";
        ApiError::new(StatusCode::NOT_FOUND, format!("there is no export {id:?}"), hint)
    };
    let number = ExportId(id.parse().map_err(|_| none())?);
    let found = state.store.export(number).await?;
    let sees = |record: &ExportRecord| owner(actor).is_none_or(|owner| record.asked.owner == owner);
    found.filter(sees).ok_or_else(none)
}
