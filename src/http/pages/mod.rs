//! Pages for supervisors: how campaigns do, their contacts, and one contact. Readable without script; viewers see counts.

mod contact;
mod contacts;
mod mark;
mod plot;
mod statistics;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use self::words::escaped;
pub(super) use self::{
    contact::{ContactQuery, contact},
    contacts::{Filled, contacts},
    mark::{Marked, mark},
    statistics::{DaysQuery, campaign, campaigns},
};
use super::{
    access::{Actor, Denied, Right},
    error::ApiError,
    page::Zone,
    people, results,
    state::ServerState,
};
use crate::domain::{ids::CampaignId, person::Role};

/// The script, which only signs out, is run from here; nothing is loaded from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What stands above and below each page.
struct Frame {
    instance: String,
    version: String,
    as_of: String,
    zone: String,
    /// Who looks, and what its commands are sent with; `None` for who did not sign in.
    person: Option<(String, String)>,
    /// The campaign's name and address; `None` for all.
    campaign: Option<(String, String)>,
    /// Whether contacts are shown to who looks.
    leads: bool,
}

impl Frame {
    fn of(state: &ServerState, campaign: Option<&CampaignId>, actor: &Actor, headers: &HeaderMap) -> Self {
        let (zone, _) = results::zone(state);
        let key = people::command_key(headers);
        let named = |campaign: &CampaignId| (name_of(state, campaign), address(campaign));
        Self {
            instance: state.instance.name.clone(),
            version: state.instance.version.clone(),
            as_of: Zone::named(&zone).show(&state.clock.now().wall.to_string()),
            zone,
            person: key.map(|key| (actor.name.clone(), key)),
            campaign: campaign.map(named),
            leads: Right::Lead.has(actor, None),
        }
    }
}

/// A campaign as people know it.
fn name_of(state: &ServerState, campaign: &CampaignId) -> String {
    let generation = state.generation.borrow();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
    defined.map_or_else(|| campaign.to_string(), |campaign| campaign.name.clone())
}

fn address(campaign: &CampaignId) -> String {
    format!("/campaigns/{campaign}")
}

fn address_of(campaign: &CampaignId, customer: &str) -> String {
    format!("/campaigns/{campaign}/contacts/{}", escaped(customer))
}

/// The script of these pages.
pub(super) async fn script() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("../../../templates/pages.js")).into_response()
}

/// What can't be shown, as a page.
pub(super) struct Problem {
    error: ApiError,
    instance: String,
    /// Where to go on instead, and what is there.
    way: (&'static str, &'static str),
}

const TO_CAMPAIGNS: (&str, &str) = ("/campaigns", "All campaigns");

/// Tells somebody who may not see a page which one is theirs.
pub(super) fn refused(state: &ServerState, actor: &Actor, denied: Denied) -> Response {
    let (way, hint) = match actor.role {
        Role::Agent => (("/agent", "Your page"), "this page is for supervisors; your calls are on your own page"),
        Role::Viewer => (TO_CAMPAIGNS, "this page shows customers; how campaigns do is shown to you"),
        Role::Supervisor | Role::Admin => (TO_CAMPAIGNS, "this page is for agents; sign in as one to take calls"),
    };
    let error = ApiError::new(StatusCode::FORBIDDEN, denied.to_string(), hint);
    Problem { error, instance: state.instance.name.clone(), way }.into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    instance: String,
    error: String,
    hint: String,
    way: (&'static str, &'static str),
}

impl Problem {
    fn of(state: &Arc<ServerState>) -> impl Fn(ApiError) -> Self + use<> {
        let instance = state.instance.name.clone();
        move |error| Self { error, instance: instance.clone(), way: TO_CAMPAIGNS }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, told) = (self.error.status(), self.error.clone().into_body());
        let page = ProblemPage { instance: self.instance, error: told.detail, hint: told.hint, way: self.way };
        match page.render() {
            Ok(html) => (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
            Err(_) => self.error.into_response(),
        }
    }
}

/// A page as it is sent.
fn shown(page: &impl Template) -> Result<Response, ApiError> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page was not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "the daemon's log says more")
    })?;
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    Ok((headers, Html(html)).into_response())
}

/// What was filled in, if anything was.
fn given(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
