//! The routes of [`routes`] behind their guards.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use super::{
    access::{self, Guard, Right},
    error::ApiError,
    idempotency,
    openapi::{self, Contract},
    routes::{self, Pace, Route},
    state::ServerState,
};

/// Longest body, but for plans and for imports, which are streamed.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest time for an ordinary answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Every route.
pub fn router(state: Arc<ServerState>) -> Router {
    let routes = routes::all().into_iter();
    let router = routes.fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, guarded(&state, route))
    });
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(safe_headers))
        .with_state(state)
}

/// A route that lets in who has the right, and answers in time and as it is described.
fn guarded(state: &Arc<ServerState>, route: Route) -> axum::routing::MethodRouter<Arc<ServerState>> {
    let (contract, takes_key) = (Contract::of(&route), route.takes_key());
    let Route { right, action, is_page, pace, served, .. } = route;
    let served = match takes_key {
        true => served.route_layer(middleware::from_fn_with_state(Arc::clone(state), idempotency::once)),
        false => served,
    };
    let served = match pace {
        Pace::Prompt => served.route_layer(middleware::from_fn(in_time)),
        Pace::Lengthy => served,
    };
    let served = match right {
        Right::Open => served,
        _ => {
            let guard = Guard { state: Arc::clone(state), right, action, is_page };
            served.route_layer(middleware::from_fn_with_state(guard, access::require))
        }
    };
    match contract {
        Some(contract) => served.route_layer(middleware::from_fn_with_state(contract, openapi::hold)),
        None => served,
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let error = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            ApiError::new(StatusCode::GATEWAY_TIMEOUT, error, "try again; see `dialops status`").into_response()
        }
    }
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("nothing at {}", uri.path()), "the page at / links what there is")
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let error = format!("{} takes no {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, error, "the Allow header says what it takes")
}

/// A page loads nothing, and has no script unless it says so itself; nothing served is to be framed or guessed at.
async fn safe_headers(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                          form-action 'self'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser keeps back where a form comes from, and the form would be refused.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in headers as [(HeaderName, &'static str); 3] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
