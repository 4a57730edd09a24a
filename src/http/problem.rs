//! Failures as problems (RFC 9457), also those that handlers have not made themselves.

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::error::ApiError;

/// The media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Most of a text that is told.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// A failure as a problem; what is one already is let be. What was told as text is what is wrong.
pub(super) async fn told(response: Response) -> Response {
    let status = response.status();
    if is_problem(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, TEXT_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let text = if text.is_empty() { phrase(status).to_owned() } else { text };
    let problem = ApiError::new(status, text, hint(status)).into_response();
    // What else the answer says holds: `Allow`, `Retry-After`.
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut response = problem;
    response.headers_mut().extend(parts.headers);
    response
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == MEDIA_TYPE.as_bytes())
}

/// The words of a status.
pub(super) fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Failed")
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "send less at once; only imports and plans may be long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "say with Content-Type what the body is; /api/openapi.json has what is taken"
        }
        status if status.is_server_error() => "the daemon's log says more",
        _ => "/api/openapi.json describes what is taken",
    }
}
