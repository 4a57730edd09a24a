//! Errors of the API: a status and a body of `{error, hint}`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::wire::ErrorBody;
use crate::{domain::ids::CampaignId, store::StoreError};

/// What a request is answered with when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    /// An answer with `status`: what is wrong, and what to do.
    pub fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, body: ErrorBody { error: error.into(), hint: hint.into() } }
    }

    /// What it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The body alone, where a status was sent already.
    pub(super) fn into_body(self) -> ErrorBody {
        self.body
    }

    /// The request itself is wrong.
    pub(super) fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// A loop does not take or answer the command now.
    pub(super) fn busy(loop_name: &str) -> Self {
        let error = format!("the {loop_name} loop does not take commands now");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again; if it stays, read the daemon's log")
    }

    /// No such campaign.
    pub(super) fn no_campaign(id: &CampaignId) -> Self {
        let error = format!("no campaign \"{id}\"");
        Self::new(
            StatusCode::NOT_FOUND,
            error,
            "`dialops status` lists them; a new one is there once its file is applied",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::UnknownCampaign(id) = &error {
            return Self::no_campaign(id);
        }
        if let StoreError::UnknownBatch { .. } = &error {
            return Self::new(StatusCode::NOT_FOUND, error.to_string(), "`dialops batches list` shows them");
        }
        let cause = std::error::Error::source(&error).map(tracing::field::display);
        tracing::error!(%error, cause, "the store failed a request");
        let status = match error {
            StoreError::Locked { .. } | StoreError::Closed | StoreError::Fenced(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string(), "the daemon's log says more")
    }
}
