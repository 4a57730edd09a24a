//! Errors of the API: a status, and a problem that says what is wrong and what to do.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{problem, wire::ErrorBody};
use crate::{domain::ids::CampaignId, store::StoreError};

/// The type of a problem whose status says all that programs need to know.
const PLAIN: &str = "about:blank";

/// What a request is answered with when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    /// An answer with `status`: what is wrong, and what to do.
    pub fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        let body = ErrorBody {
            r#type: PLAIN.to_owned(),
            title: problem::phrase(status).to_owned(),
            status: status.as_u16(),
            detail: error.into(),
            hint: hint.into(),
        };
        Self { status, body }
    }

    /// The same as a problem of a kind of its own, so that programs can tell it from others of its status.
    pub(super) fn typed(self, name: &str, title: &str) -> Self {
        let body = ErrorBody { r#type: format!("urn:dialops:problem:{name}"), title: title.to_owned(), ..self.body };
        Self { body, ..self }
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

    /// It is well formed, and what it asks for can't be.
    pub(super) fn unfit(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error, hint)
    }

    /// The request is well formed, and can't be.
    pub(super) fn unprocessable(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error, hint)
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
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        (self.status, [(header::CONTENT_TYPE, problem::MEDIA_TYPE)], body).into_response()
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
