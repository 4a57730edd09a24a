//! The sources that are followed, as handlers need them: which one is meant, and what is in force of each.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{error::ApiError, state::ServerState};
use crate::{
    domain::{
        campaign::{Generation, KeptFile},
        ids::{Revision, SourceId},
    },
    gitops::{CommitFiles, Source},
};

/// Which source is meant.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Which {
    /// Its id; the first, if none is named.
    #[serde(default)]
    source: Option<String>,
}

impl Which {
    /// The source's place.
    pub(super) fn place(&self, state: &ServerState) -> Result<usize, ApiError> {
        self.source.as_deref().map_or(Ok(0), |id| place(state, id))
    }
}

/// The place of the source with an id.
pub(super) fn place(state: &ServerState, id: &str) -> Result<usize, ApiError> {
    state.sources.iter().position(|source| source.settings().id.as_str() == id).ok_or_else(|| {
        let known: Vec<&str> = state.sources.iter().map(|source| source.settings().id.as_str()).collect();
        let error = format!("no source is called {id:?}");
        ApiError::new(StatusCode::NOT_FOUND, error, format!("there is {}", known.join(", ")))
    })
}

/// The id of a source, by its place.
pub(super) fn id(source: &Source) -> &SourceId {
    &source.settings().id
}

/// The files of one source that are in force; nothing if none are.
pub(super) async fn in_force(source: &Source, generation: &Generation) -> Result<Option<Arc<CommitFiles>>, ApiError> {
    let Some(revision) = generation.sources.commits.get(id(source)) else { return Ok(None) };
    let files = source.kept(revision).await.map_err(|error| {
        let error = format!("the commit in force can't be read: {error}");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error, "see to the daemon's repository")
    })?;
    let kept = kept(&source.settings().label(), &generation.kept.files);
    Ok(Some(if kept.is_empty() { files } else { Arc::new(files.with_kept(&kept)) }))
}

/// The files that are in force of all sources but one.
pub(super) async fn beside(
    state: &ServerState,
    at: usize,
    generation: &Generation,
) -> Result<Vec<Arc<CommitFiles>>, ApiError> {
    let mut found = Vec::new();
    for (_, source) in state.sources.iter().enumerate().filter(|(place, _)| *place != at) {
        found.extend(in_force(source, generation).await?);
    }
    Ok(found)
}

/// Those of the files that are as earlier commits have them which are of the source with this label.
pub(super) fn kept(label: &str, files: &BTreeMap<String, KeptFile>) -> BTreeMap<String, KeptFile> {
    let own = files.iter().filter(|(path, _)| path.starts_with(label));
    own.map(|(path, file)| (path.clone(), file.clone())).collect()
}

/// The commit of a source that is in force.
pub(super) fn revision_of<'g>(source: &Source, generation: &'g Generation) -> Option<&'g Revision> {
    generation.sources.commits.get(id(source))
}
