//! The page for exports: a form that asks for one, and those that there are. It works without script.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ask::ask, forget, own, owner, shown};
use crate::{
    domain::{audit::DeedResult, export::ExportState, overrides::REASON_LENGTH_MAX, person::Role, results::CallResult},
    http::{
        access::{Actor, Denied},
        change::Change,
        error::ApiError,
        page::Zone,
        people,
        state::ServerState,
        wire::exports::{AskExport, ExportView},
    },
};

/// Exports that are listed.
const LISTED_MAX: u32 = 100;

/// How long the page offers to keep a file, as far as the settings allow.
const LASTING: [(&str, &str, u64); 4] =
    [("1h", "an hour", 3_600), ("1d", "a day", 86_400), ("3d", "3 days", 259_200), ("7d", "7 days", 604_800)];

#[derive(Template)]
#[template(path = "exports.html")]
struct Page {
    instance: String,
    who: String,
    zone: String,
    command_key: String,
    sees_all: bool,
    campaigns: Vec<String>,
    results: Vec<&'static str>,
    lasting: Vec<(&'static str, &'static str)>,
    reason_length_max: usize,
    filled: Filled,
    error: Option<String>,
    exports: Vec<Shown>,
}

/// An export as the page has it.
struct Shown {
    view: ExportView,
    tone: &'static str,
    percent: u64,
    asked_at: String,
    expires_at: String,
    size: String,
    limits: String,
    is_open: bool,
    is_done: bool,
}

/// What was filled in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::http) struct Filled {
    key: String,
    /// The export that is to go, for the button that says so.
    id: String,
    what: String,
    campaign: String,
    format: String,
    reason: String,
    expires_in: String,
    batch: String,
    from: String,
    until: String,
    result: String,
    business_result: String,
    recipient: String,
    unmasked: Option<String>,
}

/// The page.
pub(in crate::http) async fn form(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    rendered(&state, &actor, &headers, Filled::default(), None).await
}

/// Asks for an export, or takes one away; only for a session whose page has sent it.
pub(in crate::http) async fn post(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, ApiError> {
    let actor = match people::by_form(&state, &headers, &filled.key).await {
        Ok(Some(actor)) => actor,
        Ok(None) => return Ok(Redirect::to(&people::sign_in_for(&Uri::from_static("/exports"))).into_response()),
        Err(Ok(denied)) => {
            let hint = "open this daemon's own page and press the button there";
            return Err(ApiError::new(StatusCode::FORBIDDEN, denied.to_string(), hint));
        }
        Err(Err(error)) => return Err(error),
    };
    let drops = !filled.id.is_empty();
    let (action, object) =
        if drops { ("export.delete", format!("id {}", filled.id)) } else { ("export.ask", String::new()) };
    let change = Change::new(&actor, action, object);
    if !matches!(actor.role, Role::Supervisor | Role::Admin) {
        change.write_down(&state, DeedResult::Denied).await;
        let error = Denied::Role(actor.role).to_string();
        return Err(ApiError::new(StatusCode::FORBIDDEN, error, "`dialops people list` shows who may do what"));
    }
    let done = if drops {
        drop_one(&state, &actor, &change, &filled.id).await
    } else {
        ask(&state, &actor, &change, &filled.asked()).await.map(drop)
    };
    match done {
        Ok(()) => Ok(Redirect::to("/exports").into_response()),
        Err(error) => {
            change.finish(&state, error.status()).await;
            let told = Some((error.status(), error.into_body()));
            let told = told.map(|(status, body)| (status, format!("{}: {}", body.detail, body.hint)));
            rendered(&state, &actor, &headers, filled, told).await
        }
    }
}

async fn drop_one(state: &ServerState, actor: &Actor, change: &Change, id: &str) -> Result<(), ApiError> {
    let record = own(state, actor, id).await?;
    forget(state, change, &record).await
}

impl Filled {
    /// The same as the API takes it: what was left empty is not there.
    fn asked(&self) -> AskExport {
        let some = |text: &str| {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        AskExport {
            what: self.what.clone(),
            campaign: self.campaign.clone(),
            format: self.format.clone(),
            reason: self.reason.clone(),
            expires_in: some(&self.expires_in),
            unmasked: self.unmasked.is_some(),
            recipient: some(&self.recipient),
            batch: some(&self.batch),
            from: some(&self.from),
            until: some(&self.until),
            result: some(&self.result),
            business_result: some(&self.business_result),
            attributes: None,
        }
    }
}

async fn rendered(
    state: &ServerState,
    actor: &Actor,
    headers: &HeaderMap,
    filled: Filled,
    failed: Option<(StatusCode, String)>,
) -> Result<Response, ApiError> {
    let (code, error) = failed.map_or((StatusCode::OK, None), |(code, error)| (code, Some(error)));
    let generation = state.generation.borrow().clone();
    let tenant_zone = generation.as_ref().map_or("UTC", |generation| generation.definitions.tenant.timezone.as_str());
    let zone = Zone::named(tenant_zone);
    let records = state.store.exports(owner(actor), None, LISTED_MAX).await?;
    let longest = state.exports.longest().as_secs();
    let offered = LASTING.into_iter().filter(|(.., seconds)| *seconds <= longest);
    let mut campaigns: Vec<String> = state.store.campaigns().await?.iter().map(|row| row.id.to_string()).collect();
    campaigns.sort();
    let page = Page {
        instance: state.instance.name.clone(),
        who: format!("{} · {}", actor.name, actor.role),
        zone: zone.name().to_owned(),
        command_key: people::command_key(headers).unwrap_or_default(),
        sees_all: actor.role == Role::Admin,
        campaigns,
        results: CallResult::ALL.into_iter().map(CallResult::as_str).collect(),
        lasting: offered.map(|(value, label, _)| (value, label)).collect(),
        reason_length_max: REASON_LENGTH_MAX,
        filled,
        error,
        exports: records.iter().map(|record| Shown::of(shown(state, record), record.state, &zone)).collect(),
    };
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "the page was not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "use `dialops exports list`")
    })?;
    Ok((code, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

impl Shown {
    fn of(view: ExportView, state: ExportState, zone: &Zone) -> Self {
        let tone = match state {
            ExportState::Done => "good",
            ExportState::Failed => "bad",
            ExportState::Withdrawn => "warn",
            _ => "idle",
        };
        let limits = [
            ("batch ", &view.batch),
            ("from ", &view.from),
            ("until ", &view.until),
            ("result ", &view.result),
            ("business result ", &view.business_result),
        ];
        let limits = limits.into_iter().filter_map(|(name, value)| Some(format!("{name}{}", value.as_ref()?)));
        Self {
            tone,
            percent: (view.rows_done * 100).checked_div(view.rows_of).unwrap_or(0),
            asked_at: zone.show(&view.asked_at),
            expires_at: zone.show(&view.expires_at),
            size: view.bytes.map(size).unwrap_or_default(),
            limits: limits.collect::<Vec<_>>().join(", "),
            is_open: state.is_open(),
            is_done: state == ExportState::Done,
            view,
        }
    }
}

/// A length as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
