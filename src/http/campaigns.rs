//! A campaign's counts and reasons; a contact's history.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    error::ApiError,
    state::ServerState,
    status::{removed_campaign, waits_to_retire},
    wire::{
        Attempt, CampaignWhy, ContactView, ContactWhy, KeptView, LiveView, NextView, Shown, TallyView,
        business::{BusinessResultView, CancelledView, ScheduledView},
        deliveries::DeliveryView,
    },
};
use crate::{
    domain::{
        ids::{AttemptId, CampaignId, CustomerId},
        reason::Hold,
    },
    store::{COUNTED_AT_ONCE_MAX, Counted},
    telemetry::{
        metrics::RETIRED,
        status::{CampaignStatus, RemovedCampaign, Waiting},
    },
};

/// The id of an attempt.
pub(super) fn parse_attempt(text: &str) -> Result<AttemptId, ApiError> {
    AttemptId::parse(text)
        .ok_or_else(|| ApiError::bad_request(format!("{text:?} is no attempt id"), "they look like `a3-17`"))
}

/// Counts of contacts and attempts.
pub(super) async fn tally(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
) -> Result<Json<TallyView>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let tally = state.store.tally(&campaign).await?;
    Ok(Json(TallyView::of(campaign.as_str(), &tally)))
}

/// What else is to be told of a campaign.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    /// Whether contacts are counted by what keeps them; unless given, where that is quick.
    counts: Option<bool>,
}

/// Why a campaign dials or does not.
pub(super) async fn campaign_why(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Result<Json<CampaignWhy>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `counts=true`"))?;
    let now = state.clock.now().wall;
    // It is a look at each contact.
    let most = match query.counts {
        None => COUNTED_AT_ONCE_MAX,
        Some(true) => u64::MAX,
        Some(false) => 0,
    };
    let Counted { tally, kept, at_once } = state.store.counts(&campaign, now, most).await?;
    let dialled = dial_status(&state, &campaign);
    let shown = match removed(&state, &campaign) {
        Some(removed) => removed_campaign(&removed, dialled),
        None => dialled.unwrap_or_else(|| retired(&campaign)),
    };
    Ok(Json(CampaignWhy {
        campaign: CampaignStatus {
            // The loop's own counts are of another moment.
            live_calls: u32::try_from(tally.live).unwrap_or(u32::MAX),
            contacts: Some(tally.contacts),
            open_contacts: Some(tally.fresh + tally.in_progress),
            ..shown
        },
        timezone: timezone(&state, &campaign),
        tally: TallyView::of(campaign.as_str(), &tally),
        kept: kept.map(|kept| kept.iter().map(KeptView::from).collect()),
        at_once,
        as_of: now.to_string(),
    }))
}

/// The campaign does not have that customer.
pub(super) fn no_customer(campaign: &CampaignId, customer: &str) -> ApiError {
    let error = format!("no customer {customer:?} in campaign \"{campaign}\"");
    ApiError::new(StatusCode::NOT_FOUND, error, "`dialops contacts import` adds contacts")
}

/// What happened to a contact and what will.
pub(super) async fn contact_why(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
) -> Result<Json<ContactWhy>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let unknown = || no_customer(&campaign, &customer);
    let id = CustomerId::parse(&customer).map_err(|_| unknown())?;
    let now = state.clock.now().wall;
    let why = state.store.why(&campaign, &id, now).await?.ok_or_else(unknown)?;
    let contact = &why.history.contact;
    let live = LiveView::of(&why.history.attempts);
    let told = state.dispatches.dispatches_of(contact.reference).await?;
    let generation = state.generation.borrow().clone();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(&campaign));
    Ok(Json(ContactWhy {
        campaign: dial_status(&state, &campaign),
        timezone: timezone(&state, &campaign),
        contact: ContactView::of(contact, live.is_some(), &why.do_not_call),
        attempts: why.history.attempts.iter().map(|record| Attempt::of(record, Shown::Full)).collect(),
        business_results: why.history.business.iter().map(BusinessResultView::from).collect(),
        scheduled: ScheduledView::of(defined.map(Arc::as_ref), contact, now),
        cancelled: CancelledView::of(contact),
        next: why.next.as_ref().filter(|_| live.is_none()).map(NextView::from),
        deliveries: told.iter().map(DeliveryView::from).collect(),
        live,
        hold: why.hold.as_ref().map(|hold| match removed(&state, &campaign).filter(|_| *hold == Hold::Retired) {
            Some(removed) => waits_to_retire(&removed),
            None => Waiting::of(hold),
        }),
        as_of: now.to_string(),
    }))
}

/// The id in a path; whether there is such a campaign, the store says.
pub(super) fn campaign_id(text: &str) -> Result<CampaignId, ApiError> {
    CampaignId::parse(text).map_err(|error| {
        let error = format!("{text:?} is no campaign id: it {error}");
        ApiError::bad_request(error, "`dialops status` lists the campaigns")
    })
}

fn dial_status(state: &ServerState, id: &CampaignId) -> Option<CampaignStatus> {
    state.dial.borrow().campaigns.iter().find(|campaign| campaign.id == id.as_str()).cloned()
}

/// The campaign as one whose file is gone, until it retires.
pub(super) fn removed(state: &ServerState, id: &CampaignId) -> Option<RemovedCampaign> {
    state.reconcile.borrow().removed.iter().find(|removed| removed.id == id.as_str()).cloned()
}

fn retired(id: &CampaignId) -> CampaignStatus {
    CampaignStatus {
        id: id.to_string(),
        phase: RETIRED.to_owned(),
        waiting: Some(Waiting::of(&Hold::Retired)),
        ..CampaignStatus::default()
    }
}

fn timezone(state: &ServerState, id: &CampaignId) -> String {
    let generation = state.generation.borrow();
    let campaign = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(id));
    campaign.map_or("UTC", |campaign| campaign.hours.timezone()).to_owned()
}
