//! `/api/v1/status`: both loops' status as one JSON value, in kstatus's words.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{
    access::peer,
    error::ApiError,
    state::ServerState,
    today::today,
    wire::{Agents, Campaigns, Source, Status, deliveries::OutboxView, overrides::OverrideView},
};
use crate::{
    domain::{agent::AgentState, ids::CampaignId},
    store::Today,
    telemetry::{
        metrics::{PHASES, RETIRED},
        status::{CampaignStatus, DialStatus, ReconcileStatus, RemovedCampaign, SourceStatus, Waiting},
    },
};

/// Whether agents are shown by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShowAgents {
    Listed,
    Counted,
}

/// Both loops' status, as of now.
pub(super) fn status(state: &ServerState, today: &Today, show: ShowAgents) -> Status {
    let reconcile = state.reconcile.borrow().clone();
    let dial = state.dial.borrow().clone();
    let now = state.clock.now().wall;
    Status {
        api_version: "status/v1".to_owned(),
        instance: state.instance.name.clone(),
        version: state.instance.version.clone(),
        started_at: state.instance.started_at.to_string(),
        ready: state.is_ready(),
        dial: dial.dial.clone(),
        overrides: state.store.overrides().in_force(now).map(|one| OverrideView::from(&**one)).collect(),
        sources: reconcile.sources.iter().map(source_view).collect(),
        live_calls: dial.live_calls,
        reserved_agents: dial.reserved_agents,
        agents: agents(&dial, show),
        campaigns: campaigns(dial.campaigns, &reconcile, today),
        outbox: OutboxView::all(&state.outbox.borrow()),
        problems: reconcile.sources.iter().flat_map(|source| source.problems.iter().cloned()).collect(),
        lowered: reconcile.sources.iter().flat_map(|source| source.lowered.iter().cloned()).collect(),
    }
}

/// A source without its problems, which stand apart.
pub(super) fn source_view(source: &SourceStatus) -> Source {
    Source {
        name: source.id.clone(),
        owner: source.owner.clone(),
        repository: source.repository.clone(),
        r#ref: source.reference.clone(),
        observed_revision: source.observed_revision.clone(),
        last_attempted_revision: source.last_attempted_revision.clone(),
        last_applied_revision: source.last_applied_revision.clone(),
        applied_commit: source.applied_commit.clone(),
        applied_at: source.applied_at.clone(),
        last_handled_reconcile_at: source.last_handled_reconcile.clone(),
        files: source.files,
        conditions: source.conditions.clone(),
        waiting: source.waiting.clone(),
    }
}

/// Those that the dialling loop knows, and those whose files are gone, which it knows no more.
fn campaigns(mut list: Vec<CampaignStatus>, reconcile: &ReconcileStatus, today: &Today) -> Campaigns {
    for removed in &reconcile.removed {
        let known = list.iter().position(|campaign| campaign.id == removed.id);
        let shown = removed_campaign(removed, known.map(|at| list.remove(at)));
        list.insert(list.partition_point(|campaign| campaign.id < removed.id), shown);
    }
    for campaign in &mut list {
        let Ok(id) = CampaignId::parse(&campaign.id) else { continue };
        let results = today.results.get(&id).into_iter().flatten();
        campaign.results_today = results.map(|(result, count)| (result.to_string(), *count)).collect();
        campaign.goals_today = today.goals.get(&id).copied().unwrap_or(0);
    }
    let retired = reconcile.retired.iter().filter(|id| list.iter().all(|campaign| campaign.id != **id));
    let phases = list.iter().map(|campaign| campaign.phase.as_str()).chain(retired.map(|_| RETIRED));
    let by_phase = counted(&PHASES, phases);
    Campaigns { total: by_phase.values().sum(), by_phase, list }
}

/// A campaign whose file is gone, and that is paused until it retires; `dialled` while calls of it are live.
pub(super) fn removed_campaign(removed: &RemovedCampaign, dialled: Option<CampaignStatus>) -> CampaignStatus {
    let dialled = dialled.unwrap_or_default();
    let phase = if dialled.live_calls > 0 { "draining" } else { "paused" };
    CampaignStatus {
        id: removed.id.clone(),
        name: removed.name.clone(),
        phase: phase.to_owned(),
        waiting: Some(waits_to_retire(removed)),
        ..dialled
    }
}

/// Why a campaign whose file is gone is not dialled.
pub(super) fn waits_to_retire(removed: &RemovedCampaign) -> Waiting {
    let until = &removed.retires_at;
    let message = format!("the campaign's file is gone; it retires at {until} unless the file is back by then");
    Waiting { reason: RETIRED.to_owned(), message, until: Some(until.clone()) }
}

fn agents(dial: &DialStatus, show: ShowAgents) -> Agents {
    let states = AgentState::ALL.map(AgentState::as_str);
    Agents {
        total: dial.agents.len(),
        by_state: counted(&states, dial.agents.iter().map(|agent| agent.state.as_str())),
        list: (show == ShowAgents::Listed).then(|| dial.agents.clone()),
    }
}

fn counted<'a>(known: &[&'static str], found: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = known.iter().map(|name| ((*name).to_owned(), 0)).collect();
    for name in found {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// Open to everyone; agents are listed for those who may see them.
pub(super) async fn get(State(state): State<Arc<ServerState>>, request: Request) -> Result<Response, ApiError> {
    let allowed = state.access.check(peer(&request), request.headers()).is_ok();
    let show = if allowed { ShowAgents::Listed } else { ShowAgents::Counted };
    let body = serde_json::to_vec(&status(&state, &*today(&state).await, show)).map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("status is no JSON: {error}"), "report this")
    })?;
    let tag = format!("\"{}\"", hex(&Sha256::digest(&body)[..12]));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|tags| tags == "*" || tags.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("authorization"));
    Ok(response)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
