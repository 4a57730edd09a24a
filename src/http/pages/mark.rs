//! Setting a business result on a contact's page: a form that works without script.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problem, address_of, contact, refused};
use crate::{
    domain::{audit::DeedResult, business::BusinessKey, campaign::Definitions, ids::CampaignId},
    http::{
        access::{Actor, Denied, Right},
        business::set_for,
        campaigns::campaign_id,
        change::Change,
        error::ApiError,
        people,
        state::ServerState,
        wire::{
            business::{Callback, SetBusinessResult},
            results::Names,
        },
    },
};

/// What was filled in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "MarkForm")]
pub(in crate::http) struct Marked {
    key: String,
    /// `sold`, or with its sub-result `callback/soon`.
    pub(super) result: String,
    /// For which attempt; the newest if it is empty.
    pub(super) attempt: String,
    pub(super) note: String,
    /// When the customer wants to be called, where they are.
    pub(super) callback: String,
    /// Anything: by the same agent.
    pub(super) same_agent: Option<String>,
}

impl Marked {
    /// The same as the API takes it: what was left empty is not there.
    fn wanted(&self) -> SetBusinessResult {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (result, sub_result) = match self.result.split_once('/') {
            Some((result, sub_result)) => (result, Some(sub_result.to_owned())),
            None => (self.result.as_str(), None),
        };
        let same_agent = self.same_agent.is_some();
        SetBusinessResult {
            result: result.to_owned(),
            sub_result,
            // Browsers send each end of a line as two characters.
            note: some(&self.note.replace("\r\n", "\n")),
            attempt: some(&self.attempt),
            agent: None,
            callback: some(&self.callback).map(|at| Callback { at, same_agent }),
        }
    }
}

/// Sets one; only for a session whose page has sent it.
pub(in crate::http) async fn mark(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    headers: HeaderMap,
    Form(filled): Form<Marked>,
) -> Result<Response, Problem> {
    let shown = set(&state, (&campaign, &customer), &headers, filled).await;
    shown.map_err(Problem::of(&state))
}

async fn set(
    state: &ServerState,
    (campaign, customer): (&str, &str),
    headers: &HeaderMap,
    filled: Marked,
) -> Result<Response, ApiError> {
    let id = campaign_id(campaign)?;
    let here = address_of(&id, customer);
    let actor = match people::by_form(state, headers, &filled.key).await {
        Ok(Some(actor)) => actor,
        Ok(None) => return Ok(Redirect::to(&sign_in(&here)).into_response()),
        Err(Ok(denied)) => {
            let hint = "open this daemon's own page and press the button there";
            return Err(ApiError::new(StatusCode::FORBIDDEN, denied.to_string(), hint));
        }
        Err(Err(error)) => return Err(error),
    };
    match allowed(state, &actor, (id, customer), &filled).await {
        Ok(None) => Ok(refused(state, &actor, Denied::Role(actor.role))),
        Ok(Some(())) => Ok(Redirect::to(&format!("{here}#business-results")).into_response()),
        Err(error) => {
            let status = error.status();
            let body = error.into_body();
            let told = (filled, Some(format!("{}: {}", body.detail, body.hint)));
            let mut page = contact::page(state, (campaign, customer), false, (&actor, headers), told).await?;
            *page.status_mut() = status;
            Ok(page)
        }
    }
}

/// `None` for who may not, which is written down as all else.
async fn allowed(
    state: &ServerState,
    actor: &Actor,
    (campaign, customer): (CampaignId, &str),
    filled: &Marked,
) -> Result<Option<()>, ApiError> {
    let change = Change::of_contact(state, actor, "business_result.set", (&campaign, customer)).await;
    if !Right::Lead.has(actor, None) {
        change.write_down(state, DeedResult::Denied).await;
        return Ok(None);
    }
    match set_for(state, &change, (campaign, customer), filled.wanted()).await {
        Ok(_) => Ok(Some(())),
        Err(error) => {
            change.finish(state, error.status()).await;
            Err(error)
        }
    }
}

/// Where to sign in, to come back here.
fn sign_in(here: &str) -> String {
    here.parse::<Uri>().map_or_else(|_| people::SIGN_IN.to_owned(), |here| people::sign_in_for(&here))
}

/// What may be chosen: each result with its sub-results, as people see them.
pub(super) fn choices(defined: &Definitions, chosen: &str) -> Vec<(String, String, bool)> {
    let names = Names(Some(defined));
    let keys = defined.business_results.values().flat_map(|result| {
        let key = move |sub_result| BusinessKey { result: result.id.clone(), sub_result };
        [None].into_iter().chain(result.sub_results.keys().cloned().map(Some)).map(key)
    });
    let choice = |key: BusinessKey| (key.to_string(), names.business(&key), key.to_string() == chosen);
    keys.map(choice).collect()
}
