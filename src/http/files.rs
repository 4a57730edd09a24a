//! The configuration files in force.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};

use super::{
    error::ApiError,
    sources::{self, Which},
    state::ServerState,
    wire::plan::FilesInForce,
};

/// All of a source, and those of others beside them; whoever has no repository compares with these.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Query(which): Query<Which>,
) -> Result<Json<FilesInForce>, ApiError> {
    let at = which.place(&state)?;
    let found = state.store.files().await?.ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the files in force are not in the store yet", hint)
    })?;
    let id = sources::id(&state.sources[at]);
    let of = |folder: &str| -> BTreeMap<String, String> { found.of(folder).collect() };
    let own = found.sources.iter().find(|of| of.source == *id);
    let others = found.sources.iter().filter(|of| of.source != *id);
    Ok(Json(FilesInForce {
        revision: own.map(|own| own.revision.to_string()).unwrap_or_default(),
        files: own.map(|own| of(&own.folder)).unwrap_or_default(),
        beside: others.map(|other| (other.folder.clone(), of(&other.folder))).collect(),
    }))
}
