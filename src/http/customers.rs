//! What becomes of a contact from outside: it is edited, deleted, erased.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    campaigns::campaign_id,
    change::Change,
    error::ApiError,
    exports,
    import::rules,
    state::ServerState,
    wire::contacts::{Edited, Erase, Erased, Reached, RotateKey, RotatedKey},
};
use crate::{
    contacts,
    control::DialCommand,
    domain::ids::{CampaignId, ContactRef, CustomerId},
    store::{ContactHistory, StoreError},
};

/// Changes a contact that is not in a call.
pub(super) async fn edit(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Edited>, ApiError> {
    let (campaign, customer) = named(&campaign, &customer)?;
    let wrong = |error: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, "nothing was changed");
    let body = std::str::from_utf8(&body).map_err(|_| wrong("the body is not UTF-8".to_owned()))?;
    let edit = contacts::edit(body, (&campaign, &customer), &rules(&state)?).map_err(wrong)?;
    let changed = change.store(&state).edit(&campaign, &customer, edit).await.map_err(refused)?;
    if changed {
        tracing::info!(%campaign, "a contact was edited");
        look_again(&state, campaign).await;
    }
    Ok(Json(Edited { changed }))
}

/// Takes away a contact that was never called.
pub(super) async fn delete(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    Extension(change): Extension<Change>,
) -> Result<StatusCode, ApiError> {
    let (campaign, customer) = named(&campaign, &customer)?;
    change.store(&state).delete(&campaign, &customer).await.map_err(refused)?;
    exports::clear(&state).await?;
    state.store.scrub().await?;
    tracing::info!(%campaign, "a contact was deleted");
    look_again(&state, campaign).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings encrypted values of some contacts under the current key; asked again with what it answers until that
/// is nothing.
pub(super) async fn rotate_key(
    State(state): State<Arc<ServerState>>,
    body: Bytes,
) -> Result<Json<RotatedKey>, ApiError> {
    let RotateKey { after } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not {{\"after\": …}}: {error}"), "send {}"))?;
    let keys = state.keyring.clone().ok_or_else(|| {
        let error = "no key is set for encrypted attributes";
        ApiError::new(StatusCode::CONFLICT, error, "set `[store] attribute_key` in dialops.toml and restart the daemon")
    })?;
    let mut campaigns: Vec<CampaignId> = state.store.campaigns().await?.into_iter().map(|known| known.id).collect();
    campaigns.sort();
    let (from, customer) = match &after {
        Some(Reached { campaign, customer }) => {
            let customer = customer.as_deref().map(customer_id).transpose()?;
            (campaigns.iter().position(|id| id.as_str() == campaign).unwrap_or(campaigns.len()), customer)
        }
        None => (0, None),
    };
    let Some(campaign) = campaigns.get(from) else {
        state.store.scrub().await?;
        return Ok(Json(RotatedKey { key: keys.current().to_owned(), rewritten: 0, unreadable: 0, next: None }));
    };
    let rotated = contacts::rotate(&*state.store, &keys, campaign, customer.as_ref()).await?;
    let next = match rotated.last {
        Some(last) => Some(Reached { campaign: campaign.to_string(), customer: Some(last.to_string()) }),
        None => campaigns.get(from + 1).map(|next| Reached { campaign: next.to_string(), customer: None }),
    };
    if next.is_none() {
        // Values under the old key are in the log still.
        state.store.scrub().await?;
    }
    let contacts::Rotated { rewritten, unreadable, .. } = rotated;
    Ok(Json(RotatedKey { key: keys.current().to_owned(), rewritten, unreadable, next }))
}

/// Takes away everything personal of a customer, in one campaign or in all.
pub(super) async fn erase(
    State(state): State<Arc<ServerState>>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<Erased>, ApiError> {
    let Erase { customer, campaign } = serde_json::from_slice(&body).map_err(|error| {
        ApiError::bad_request(format!("the body is not {{\"customer\": …}}: {error}"), "`campaign` may stand beside it")
    })?;
    let customer = customer_id(&customer)?;
    let asked = campaign.as_deref().map(campaign_id).transpose()?;
    let campaigns = of_customer(&state, asked.as_ref(), &customer).await?;
    for (campaign, contact) in &campaigns {
        let change = change.about(format!("campaign {campaign}, contact #{}", contact.0));
        erase_in(&state, &change, campaign, &customer).await?;
        tracing::info!(%campaign, "a contact was erased");
        look_again(&state, campaign.clone()).await;
    }
    // The store knows them as withdrawn; what stands in the folder goes too before this is answered.
    exports::clear(&state).await?;
    let log_emptied = state.store.scrub().await?;
    if !log_emptied {
        tracing::warn!("the store's log could not be emptied after an erasure: something reads from it all the time");
    }
    Ok(Json(Erased { campaigns: campaigns.iter().map(|(campaign, _)| campaign.to_string()).collect(), log_emptied }))
}

/// Longest wait for a cancelled call to end.
const CANCEL_WITHIN: Duration = Duration::from_secs(20);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Erases a contact as soon as no call rings any more, which is cancelled.
async fn erase_in(
    state: &ServerState,
    change: &Change,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<(), ApiError> {
    let until = tokio::time::Instant::now() + CANCEL_WITHIN;
    loop {
        match change.store(state).erase(campaign, customer).await {
            Err(StoreError::OnCall(_))
                if state.store.contact(campaign, customer).await?.is_some_and(|h| is_answered(&h)) =>
            {
                return Err(in_conversation(campaign));
            }
            Err(StoreError::OnCall(_)) if tokio::time::Instant::now() < until => {}
            other => return other.map_err(refused),
        }
        let cancel = DialCommand::CancelRinging { campaign: campaign.clone(), customer: customer.clone() };
        // A loop that has stopped has ended its calls, or the next life will.
        let _stopped = state.dialer.send(cancel).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Campaigns that have the customer, who is in no conversation in any of them: an erasure is all or nothing.
async fn of_customer(
    state: &ServerState,
    asked: Option<&CampaignId>,
    customer: &CustomerId,
) -> Result<Vec<(CampaignId, ContactRef)>, ApiError> {
    let campaigns = match asked {
        Some(campaign) => vec![campaign.clone()],
        None => state.store.campaigns().await?.into_iter().map(|campaign| campaign.id).collect(),
    };
    let mut found = Vec::new();
    for campaign in campaigns {
        let Some(history) = state.store.contact(&campaign, customer).await? else { continue };
        if is_answered(&history) {
            return Err(in_conversation(&campaign));
        }
        found.push((campaign, history.contact.reference));
    }
    if found.is_empty() {
        let place = asked.map_or("any campaign".to_owned(), |campaign| format!("campaign \"{campaign}\""));
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            format!("no customer {:?} in {place}", customer.as_str()),
            "check the id; who was erased already is not found any more",
        ));
    }
    Ok(found)
}

/// Whether the customer has answered a call that is up.
fn is_answered(history: &ContactHistory) -> bool {
    let mut live = history.attempts.iter().filter(|attempt| attempt.ended_at.is_none());
    live.any(|attempt| attempt.answered_at.is_some())
}

fn in_conversation(campaign: &CampaignId) -> ApiError {
    let error = format!("the customer is in a conversation, in campaign \"{campaign}\"; nothing of it was erased");
    ApiError::new(StatusCode::CONFLICT, error, "erase again once the call is over")
}

/// What the store refused, for who asked.
pub(super) fn refused(error: StoreError) -> ApiError {
    let (status, hint) = match &error {
        StoreError::UnknownCustomer { .. } => (StatusCode::NOT_FOUND, "`dialops contacts list` shows who there is"),
        StoreError::OnCall(_) => (StatusCode::CONFLICT, "try again once the call is over"),
        StoreError::Erased(_) => (StatusCode::CONFLICT, "`dialops contacts list` shows who there is"),
        StoreError::WasCalled(_) => {
            (StatusCode::CONFLICT, "`dialops contacts erase` takes away what is personal and keeps the counts")
        }
        _ => return error.into(),
    };
    ApiError::new(status, error.to_string(), hint)
}

async fn look_again(state: &ServerState, campaign: CampaignId) {
    // A loop that has stopped dials nobody.
    let _stopped = state.dialer.send(DialCommand::ContactsChanged { campaign }).await;
}

fn named(campaign: &str, customer: &str) -> Result<(CampaignId, CustomerId), ApiError> {
    Ok((campaign_id(campaign)?, customer_id(customer)?))
}

fn customer_id(text: &str) -> Result<CustomerId, ApiError> {
    CustomerId::parse(text).map_err(|error| {
        ApiError::bad_request(
            format!("{text:?} is no customer id: it {error}"),
            "check the id; quote it if it has spaces",
        )
    })
}
