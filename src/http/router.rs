//! Which path does what, and who may.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};

use super::{
    access, agents, batches, business, campaigns, contacts, customers, deliveries, do_not_call, error::ApiError, files,
    health, hooks, journal, listing, overrides, page, pause, plan, reconcile, state::ServerState, status,
};

/// Longest body, but for plans and for imports, which are streamed.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest time for an ordinary answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Every route.
pub fn router(state: Arc<ServerState>) -> Router {
    let open = Router::new()
        .route("/", get(page::get))
        .route("/pause", get(pause::form).post(pause::post))
        .route("/hooks/{id}", post(hooks::post))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/status", get(status::get))
        .route("/api/v1/generation", get(plan::generation));
    let prompt = Router::new()
        .route("/api/v1/history", get(journal::history))
        .route("/api/v1/events", get(journal::events))
        .route("/api/v1/files", get(files::get))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/agents", get(agents::list))
        .route("/api/v1/agents/{agent}", put(agents::set))
        .route("/api/v1/campaigns/{campaign}/results", get(campaigns::results))
        .route("/api/v1/campaigns/{campaign}/tally", get(campaigns::tally))
        .route("/api/v1/campaigns/{campaign}/batches", get(batches::list))
        .route("/api/v1/campaigns/{campaign}/batches/{batch}", get(batches::show).put(batches::pause))
        .route("/api/v1/campaigns/{campaign}/why", get(campaigns::campaign_why))
        .route("/api/v1/campaigns/{campaign}/contacts/{customer}/why", get(campaigns::contact_why))
        .route("/api/v1/campaigns/{campaign}/contacts/{customer}", patch(customers::edit).delete(customers::delete))
        .route("/api/v1/erasures", post(customers::erase))
        .route("/api/v1/attributes/rotate-key", post(customers::rotate_key))
        .route("/api/v1/campaigns/{campaign}/contacts/{customer}/business-results", post(business::set))
        .route("/api/v1/do-not-call", get(do_not_call::lists))
        .route("/api/v1/do-not-call/{list}/remove", post(do_not_call::remove))
        .layer(middleware::from_fn(in_time));
    let lengthy = Router::new()
        .route("/api/v1/campaigns/{campaign}/contacts", post(contacts::import).get(listing::list))
        .route("/api/v1/do-not-call/{list}", get(do_not_call::entries).post(do_not_call::import))
        .route("/api/v1/plan", post(plan::post).layer(DefaultBodyLimit::max(plan::BODY_BYTES_MAX)))
        .route("/api/v1/deliveries/retry", post(deliveries::retry))
        .route("/api/v1/deliveries/drop", post(deliveries::drop_some))
        .route("/api/v1/overrides", get(overrides::list).post(overrides::make))
        .route("/api/v1/overrides/{id}", delete(overrides::end_now))
        .route("/api/v1/approvals", post(reconcile::approve))
        .route("/api/v1/reconcile", post(reconcile::post));
    let closed = prompt.merge(lengthy).layer(middleware::from_fn_with_state(Arc::clone(&state), access::require));
    open.layer(middleware::from_fn(in_time))
        .merge(closed)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(safe_headers))
        .with_state(state)
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

/// The page has no script and loads nothing; nothing served is to be framed or guessed at.
async fn safe_headers(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; \
                          frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers as [(HeaderName, &'static str); 3] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
