//! The page of a campaign's contacts: a list that can be filtered, page by page.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Frame, Problem, address, address_of,
    contact::{business, result},
    given, shown,
    words::escaped,
};
use crate::{
    domain::{
        campaign::Generation,
        contact::ContactEnd,
        ids::{AgentId, CampaignId},
        results::CallResult,
    },
    http::{
        access::Actor,
        campaigns::campaign_id,
        error::ApiError,
        listing::{Cursor, Listing, Wanted},
        page::{Zone, words},
        results::zone,
        state::ServerState,
        wire::{
            contacts::{ContactListQuery, ListedContact},
            results::Names,
        },
    },
};

/// Contacts of a page.
const PAGE_LENGTH: u32 = 100;

/// What was filled in: what is empty is not asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(in crate::http) struct Filled {
    customer: Option<String>,
    batch: Option<String>,
    state: Option<String>,
    result: Option<String>,
    business_result: Option<String>,
    agent: Option<String>,
    connected: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "contacts.html")]
struct Page {
    frame: Frame,
    here: String,
    fields: Vec<Field>,
    from: String,
    to: String,
    rows: Vec<Row>,
    filtered: bool,
    later: bool,
    next: Option<String>,
}

/// A choice of the form.
struct Field {
    name: &'static str,
    label: &'static str,
    /// Values and what people see, the first for any; and which one is chosen.
    options: Vec<(String, String, bool)>,
}

struct Row {
    customer: String,
    href: String,
    state: String,
    tone: &'static str,
    calls: u32,
    last_result: String,
    last_call: String,
    agent: String,
    business: String,
    next: String,
    numbers: String,
}

/// The page.
pub(in crate::http) async fn contacts(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    Query(filled): Query<Filled>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let problem = Problem::of(&state);
    let campaign = campaign_id(&campaign).map_err(&problem)?;
    if let Some(customer) = given(filled.customer.as_ref()) {
        return Ok(Redirect::to(&address_of(&campaign, &customer)).into_response());
    }
    page(state, campaign, filled, &actor, &headers).await.map_err(problem)
}

async fn page(
    state: Arc<ServerState>,
    campaign: CampaignId,
    filled: Filled,
    actor: &Actor,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let query = query(&filled)?;
    let (zone_name, zone) = zone(&state);
    let wanted = Wanted::of(&query, &zone)?;
    let cursor = Cursor::of(&query, state.store.as_ref(), &campaign).await?;
    let listing = Listing { state: Arc::clone(&state), campaign: campaign.clone(), wanted, unmasked: false };
    let (found, next) = listing.page(cursor, PAGE_LENGTH).await?;
    listing.note(&query, actor);
    let generation = state.generation.borrow().clone();
    let names = Names(generation.as_ref().map(|generation| &generation.definitions));
    let shown_zone = Zone::named(&zone_name);
    let row = |listed| row(&campaign, &listing.view().of(listed), &shown_zone, &names);
    let here = format!("{}/contacts", address(&campaign));
    let asked = asked(&query);
    let go_on =
        |after: String| format!("{here}?{asked}{}cursor={}", if asked.is_empty() { "" } else { "&" }, escaped(&after));
    shown(&Page {
        frame: Frame::of(&state, Some(&campaign), actor, headers),
        fields: fields(&state, &campaign, &query, generation.as_deref()).await?,
        from: query.from.clone().unwrap_or_default(),
        to: query.to.clone().unwrap_or_default(),
        rows: found.iter().map(row).collect(),
        filtered: !asked.is_empty(),
        later: query.cursor.is_some(),
        next: next.and_then(|cursor| cursor.text()).map(go_on),
        here,
    })
}

/// What was filled in as the API is asked for it.
fn query(filled: &Filled) -> Result<ContactListQuery, ApiError> {
    let connected = match given(filled.connected.as_ref()).as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            return Err(ApiError::bad_request(format!("connected: {other:?} is neither true nor false"), "choose one"));
        }
    };
    let (business_result, sub_result) = match given(filled.business_result.as_ref()) {
        Some(key) => match key.split_once('/') {
            Some((result, sub_result)) => (Some(result.to_owned()), Some(sub_result.to_owned())),
            None => (Some(key), None),
        },
        None => (None, None),
    };
    Ok(ContactListQuery {
        batch: given(filled.batch.as_ref()),
        state: given(filled.state.as_ref()),
        result: given(filled.result.as_ref()),
        business_result,
        sub_result,
        agent: given(filled.agent.as_ref()),
        connected,
        from: given(filled.from.as_ref()),
        to: given(filled.to.as_ref()),
        // A position begins with a space.
        cursor: filled.cursor.clone().filter(|cursor| !cursor.is_empty()),
        ..ContactListQuery::default()
    })
}

/// The same as part of an address, but for where the page begins.
fn asked(query: &ContactListQuery) -> String {
    let sub_result = query.sub_result.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
    let business = query.business_result.as_ref().map(|result| format!("{result}{sub_result}"));
    let connected = query.connected.map(|connected| connected.to_string());
    let given = [
        ("batch", &query.batch),
        ("state", &query.state),
        ("result", &query.result),
        ("business_result", &business),
        ("agent", &query.agent),
        ("connected", &connected),
        ("from", &query.from),
        ("to", &query.to),
    ];
    let pairs = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_ref()?))));
    pairs.collect::<Vec<_>>().join("&")
}

async fn fields(
    state: &ServerState,
    campaign: &CampaignId,
    query: &ContactListQuery,
    generation: Option<&Generation>,
) -> Result<Vec<Field>, ApiError> {
    let names = Names(generation.map(|generation| &generation.definitions));
    let plain = |name: &str| (name.to_owned(), words(name));
    let states = ["fresh", "in_progress", "on_call", "ended"].into_iter().map(plain);
    let ends = ContactEnd::ALL.into_iter().map(|end| plain(end.as_str()));
    let results = CallResult::ALL.into_iter().map(|one| (one.as_str().to_owned(), words(&names.result(one))));
    let batches = state.store.batches(campaign).await?.into_iter().map(|batch| batch.id.to_string());
    let defined = generation.map(|generation| &generation.definitions);
    let agents = defined.into_iter().flat_map(|defined| defined.agents.values());
    let achieved = defined.into_iter().flat_map(|defined| defined.business_results.values());
    let achieved = achieved.flat_map(|result| {
        let sub = |(id, name): (&_, &String)| (format!("{}/{id}", result.id), format!("{}: {name}", result.name));
        std::iter::once((result.id.to_string(), result.name.clone())).chain(result.sub_results.iter().map(sub))
    });
    let business = query.business_result.as_ref().map(|result| match &query.sub_result {
        Some(sub_result) => format!("{result}/{sub_result}"),
        None => result.clone(),
    });
    let connected = query.connected.map(|connected| connected.to_string());
    let yes_or_no = [("true".to_owned(), "connected".to_owned()), ("false".to_owned(), "not connected".to_owned())];
    Ok(vec![
        field("state", "State", query.state.as_deref(), states.chain(ends)),
        field("result", "Last result", query.result.as_deref(), results),
        field("business_result", "Business result", business.as_deref(), achieved),
        field(
            "agent",
            "Agent of the last call",
            query.agent.as_deref(),
            agents.map(|one| (one.id.to_string(), one.name.clone())),
        ),
        field("batch", "Batch", query.batch.as_deref(), batches.map(|batch| (batch.clone(), batch))),
        field("connected", "Ever connected", connected.as_deref(), yes_or_no),
    ])
}

/// A choice; what is chosen stays one of the options, whatever these are now.
fn field(
    name: &'static str,
    label: &'static str,
    chosen: Option<&str>,
    options: impl IntoIterator<Item = (String, String)>,
) -> Field {
    let mut all = vec![(String::new(), "any".to_owned(), chosen.is_none())];
    all.extend(options.into_iter().map(|(value, text)| {
        let is_chosen = chosen == Some(value.as_str());
        (value, text, is_chosen)
    }));
    if let Some(other) = chosen.filter(|_| !all.iter().any(|(.., is_chosen)| *is_chosen)) {
        all.push((other.to_owned(), other.to_owned(), true));
    }
    Field { name, label, options: all }
}

fn row(campaign: &CampaignId, listed: &ListedContact, zone: &Zone, names: &Names<'_>) -> Row {
    let last = listed.last_attempt.as_ref();
    let agent = last.and_then(|last| AgentId::parse(&last.agent).ok());
    let next =
        listed.next.as_ref().map(|next| next.ready_at.as_ref().map_or_else(|| "now".to_owned(), |at| zone.show(at)));
    let numbers: Vec<String> =
        listed.numbers.iter().map(|number| format!("{} {}", number.category, number.number)).collect();
    Row {
        href: address_of(campaign, &listed.customer),
        customer: listed.customer.clone(),
        state: words(&listed.state),
        tone: tone(&listed.state),
        calls: listed.attempts,
        last_result: match last {
            Some(last) if last.result.is_none() => "live".to_owned(),
            last => result(names, last.and_then(|last| last.result.as_deref())),
        },
        last_call: last.map_or_else(|| "–".to_owned(), |last| zone.show(&last.placed_at)),
        agent: agent.map_or_else(|| "–".to_owned(), |agent| names.agent(&agent)),
        business: business(names, listed.business_result.as_deref()),
        next: next.unwrap_or_else(|| "–".to_owned()),
        numbers: numbers.join(", "),
    }
}

fn tone(state: &str) -> &'static str {
    match state {
        "reached" => "good",
        "on_call" | "in_progress" => "warn",
        _ => "idle",
    }
}
