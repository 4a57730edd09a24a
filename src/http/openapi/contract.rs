//! Holds answers against what is described of them.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{document::failures, of, operation::Operation};
use crate::http::{error::ApiError, problem, routes::Route};

/// The statuses and media types that a route may answer with.
#[derive(Debug)]
pub(in crate::http) struct Contract {
    method: Method,
    path: &'static str,
    /// Of answers that are no failures, or that are failures told in a form of their own.
    answers: BTreeSet<(u16, Option<&'static str>)>,
    /// Of failures that are told as problems.
    problems: BTreeSet<u16>,
}

impl Contract {
    /// What is described of a route; `None` for one of which nothing is, which a test finds.
    pub(in crate::http) fn of(route: &Route) -> Option<Arc<Self>> {
        let operation = of(&route.method, route.path)?;
        let problems = failures(route, &operation);
        let Operation { method, path, answers, .. } = operation;
        let answers = answers.iter().map(|answer| (answer.status, answer.content.map(|content| content.media)));
        let answers = answers.collect();
        Some(Arc::new(Self { method, path, answers, problems }))
    }

    /// Whether an answer of this status and media type is described.
    fn has(&self, status: StatusCode, media: Option<&str>) -> bool {
        let status = status.as_u16();
        match media {
            Some(problem::MEDIA_TYPE) => self.problems.contains(&status),
            _ => self.answers.iter().any(|(described, content)| *described == status && *content == media),
        }
    }
}

/// Lets answers through that are described, failures as problems whoever made them. One that is not described is
/// written into the log, and where the program is built for tests it fails.
pub(in crate::http) async fn hold(State(contract): State<Arc<Contract>>, request: Request, next: Next) -> Response {
    let asked = request.method().clone();
    let mut response = next.run(request).await;
    let status = response.status();
    let is_own_form = |media: Option<&str>| contract.answers.iter().any(|one| *one == (status.as_u16(), media));
    // As axum tells what it refuses by itself; a page stays one.
    let is_bare = |media: Option<&str>| media.is_none_or(|media| media == "text/plain");
    let media = media_type(&response);
    if (status.is_client_error() || status.is_server_error()) && is_bare(media) && !is_own_form(media) {
        response = problem::told(response).await;
    }
    // The answer to HEAD is that to GET without its body.
    if contract.has(status, media_type(&response)) || asked != contract.method {
        return response;
    }
    let media = media_type(&response).unwrap_or("none").to_owned();
    tracing::error!(method = %contract.method, path = contract.path, %status, media, "an answer is not described");
    if cfg!(debug_assertions) {
        let error = format!("{} {} answers {status} {media}, which is not described", contract.method, contract.path);
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error, "describe it in http/openapi").into_response();
    }
    response
}

/// The media type of an answer, without parameters.
fn media_type(response: &Response) -> Option<&str> {
    let value = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}
