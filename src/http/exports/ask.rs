//! What is asked for, checked whole before a job is made of it.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::{
    config,
    domain::{
        business::BusinessKey,
        export::{ExportFilter, ExportFormat, ExportKind},
        ids::{AttributeId, BatchId, CampaignId},
        overrides::reason,
        person::Role,
        results::CallResult,
    },
    exports::check_recipient,
    http::{
        access::Actor, batches::batch_id, campaigns::campaign_id, change::Change, error::ApiError, state::ServerState,
        wire::exports::AskExport,
    },
    store::{ExportRecord, NewExport, StoreError},
};

/// Most exports that wait or are being written.
const OPEN_MAX: usize = 100;

/// Most attributes that are named.
const ATTRIBUTES_MAX: usize = crate::domain::attribute::ATTRIBUTES_MAX;

/// Makes a job of what is asked for.
pub(super) async fn ask(
    state: &ServerState,
    actor: &Actor,
    change: &Change,
    asked: &AskExport,
) -> Result<ExportRecord, ApiError> {
    let new = checked(state, actor, asked).await?;
    if state.store.open_exports().await?.len() >= OPEN_MAX {
        let error = format!("{OPEN_MAX} exports wait already");
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, error, "wait for some, or delete them"));
    }
    let change = change.about(what(&new));
    let id = change.store(state).add_export(new).await?;
    tracing::info!(%id, by = change.by(), "an export is asked for");
    state.exports.wake();
    let made = state.store.export(id).await?;
    made.ok_or_else(|| ApiError::from(StoreError::Damaged("export.id".to_owned())))
}

/// What the audit log says of it.
fn what(new: &NewExport) -> String {
    let shown = if new.unmasked { "unmasked" } else { "masked" };
    let sealed = if new.recipient.is_some() { ", encrypted" } else { "" };
    format!("{} of campaign {} as {}, {shown}{sealed}", new.kind, new.campaign, new.format)
}

async fn checked(state: &ServerState, actor: &Actor, asked: &AskExport) -> Result<NewExport, ApiError> {
    let kind = ExportKind::parse(&asked.what).ok_or_else(|| none_of("what", &asked.what, "contacts or attempts"))?;
    let format =
        ExportFormat::parse(&asked.format).ok_or_else(|| none_of("format", &asked.format, "csv, jsonl or xlsx"))?;
    if asked.unmasked && actor.role != Role::Admin {
        let error = format!("the role {} sees numbers and attributes masked only", actor.role);
        return Err(ApiError::new(StatusCode::FORBIDDEN, error, "ask for it masked, or ask an admin"));
    }
    let reason = reason(&asked.reason).map_err(|error| ApiError::unprocessable(error.to_string(), "say why"))?;
    if let Some(recipient) = &asked.recipient {
        check_recipient(recipient)
            .map_err(|error| ApiError::unprocessable(format!("recipient: {error}"), "give the public key, age1…"))?;
    }
    let campaign = known_campaign(state, &asked.campaign).await?;
    let now = state.clock.now().wall;
    Ok(NewExport {
        kind,
        format,
        filter: filter(state, &campaign, asked).await?,
        attributes: asked.attributes.as_deref().map(|ids| attributes(state, ids)).transpose()?,
        campaign,
        unmasked: asked.unmasked,
        recipient: asked.recipient.clone(),
        owner: actor.name.clone(),
        reason: reason.to_owned(),
        asked_at: now,
        expires_at: end(state, asked.expires_in.as_deref(), now)?,
    })
}

fn none_of(name: &str, given: &str, those: &str) -> ApiError {
    ApiError::unprocessable(format!("{name}: {given:?} is none"), format!("use {those}"))
}

/// A campaign that the store has, also one that is retired.
async fn known_campaign(state: &ServerState, id: &str) -> Result<CampaignId, ApiError> {
    let id = campaign_id(id)?;
    let known = state.store.campaigns().await?.into_iter().any(|row| row.id == id);
    if known { Ok(id) } else { Err(ApiError::no_campaign(&id)) }
}

async fn filter(state: &ServerState, campaign: &CampaignId, asked: &AskExport) -> Result<ExportFilter, ApiError> {
    let batch = match asked.batch.as_deref() {
        Some(batch) => Some(known_batch(state, campaign, batch_id(batch)?).await?),
        None => None,
    };
    let at = |name: &str, text: &Option<String>| {
        let time = |text: &String| {
            let error = format!("{name}: {text:?} is no time");
            text.parse::<Timestamp>()
                .map_err(|_| ApiError::unprocessable(error, "write it as 2031-03-01T09:00:00+08:00"))
        };
        text.as_ref().map(time).transpose()
    };
    let (from, until) = (at("from", &asked.from)?, at("until", &asked.until)?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(ApiError::unprocessable("`from` is not before `until`", "the first is taken in, the last is not"));
    }
    let result =
        |text: &String| CallResult::parse(text).ok_or_else(|| none_of("result", text, "a result such as busy"));
    let business = |text: &String| {
        BusinessKey::parse(text).ok_or_else(|| none_of("businessResult", text, "one such as callback or callback/soon"))
    };
    Ok(ExportFilter {
        batch,
        from,
        until,
        result: asked.result.as_ref().map(result).transpose()?,
        business: asked.business_result.as_ref().map(business).transpose()?,
    })
}

async fn known_batch(state: &ServerState, campaign: &CampaignId, batch: BatchId) -> Result<BatchId, ApiError> {
    let known = state.store.batches(campaign).await?.into_iter().any(|found| found.id == batch);
    if known { Ok(batch) } else { Err(StoreError::UnknownBatch { campaign: campaign.clone(), batch }.into()) }
}

/// Attributes that are defined, each once.
fn attributes(state: &ServerState, ids: &[String]) -> Result<Vec<AttributeId>, ApiError> {
    let generation = state.generation.borrow();
    let defined = generation.as_ref().map(|generation| &generation.definitions.attributes);
    let mut known: Vec<AttributeId> = Vec::new();
    if ids.len() > ATTRIBUTES_MAX {
        return Err(ApiError::unprocessable("attributes: too many", "name each once"));
    }
    for text in ids {
        let id = AttributeId::parse(text).ok().filter(|id| defined.is_some_and(|defined| defined.contains_key(id)));
        let id = id.ok_or_else(|| none_of("attributes", text, "those of attributes.toml in force"))?;
        if !known.contains(&id) {
            known.push(id);
        }
    }
    Ok(known)
}

/// When the file is taken away.
fn end(state: &ServerState, lasting: Option<&str>, now: Timestamp) -> Result<Timestamp, ApiError> {
    let longest = state.exports.longest();
    let lasting = match lasting {
        None => longest,
        Some(text) => {
            let given = config::duration(text).map(Duration::from_secs).filter(|given| !given.is_zero());
            given.ok_or_else(|| none_of("expiresIn", text, "one such as 12h or 3d"))?
        }
    };
    if lasting > longest {
        let hint = "ask for less; `[exports] longest` of the settings says how much that is";
        return Err(ApiError::unprocessable(format!("expiresIn: longer than {} s", longest.as_secs()), hint));
    }
    let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
    Ok(now.checked_add(lasting).unwrap_or(Timestamp::MAX))
}
