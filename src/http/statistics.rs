//! Counts of contacts and attempts, of one campaign or of all.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use jiff::Timestamp;

use super::{
    access::{Actor, Right},
    campaigns::campaign_id,
    error::ApiError,
    results::{self, zone},
    state::ServerState,
    wire::results::{Asked, Names, StatisticsQuery, StatisticsView},
};
use crate::domain::{
    ids::CampaignId,
    statistics::{Quarter, Span},
};

type Asking = Result<Query<StatisticsQuery>, QueryRejection>;

/// Of one campaign.
pub(super) async fn of_campaign(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Asking,
    Extension(actor): Extension<Actor>,
) -> Result<Json<StatisticsView>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    count(&state, Some(&campaign), &asked(query)?, &actor).await.map(Json)
}

/// Of all together.
pub(super) async fn of_all(
    State(state): State<Arc<ServerState>>,
    query: Asking,
    Extension(actor): Extension<Actor>,
) -> Result<Json<StatisticsView>, ApiError> {
    count(&state, None, &asked(query)?, &actor).await.map(Json)
}

fn asked(query: Asking) -> Result<StatisticsQuery, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `from` and `to`"))?;
    Ok(query)
}

/// Counts what somebody may see.
pub(super) async fn count(
    state: &ServerState,
    campaign: Option<&CampaignId>,
    query: &StatisticsQuery,
    actor: &Actor,
) -> Result<StatisticsView, ApiError> {
    let (timezone, zone) = zone(state);
    let (from, to) = results::span(query.from.as_deref(), query.to.as_deref(), &zone)?;
    let span = Span { from: quarter("from", from)?, to: quarter("to", to)? };
    let counted = state.store.statistics(campaign, span).await?;
    let leads = Right::Lead.has(actor, None);
    let batches = match campaign.filter(|_| leads) {
        Some(campaign) => Some(state.store.batches(campaign).await?),
        None => None,
    };
    let asked = Asked {
        campaign: campaign.map(ToString::to_string),
        timezone,
        from,
        to,
        batches,
        sees_agents: leads,
        as_of: state.clock.now().wall,
    };
    let generation = state.generation.borrow().clone();
    let names = Names(generation.as_ref().map(|generation| &generation.definitions));
    Ok(StatisticsView::of(counted, asked, &names, &zone))
}

/// The quarter of an hour that begins then.
fn quarter(name: &str, at: Option<Timestamp>) -> Result<Option<Quarter>, ApiError> {
    let begins = |at| {
        Quarter::beginning(at).ok_or_else(|| {
            let error = format!("{name}: {at} is not on a quarter of an hour, by which calls are counted");
            ApiError::unprocessable(error, "give a day, or a time at :00, :15, :30 or :45")
        })
    };
    at.map(begins).transpose()
}
