//! Lists of contacts: in pages, by batch and state, masked unless asked otherwise.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    batches::batch_id,
    campaigns::campaign_id,
    error::ApiError,
    state::ServerState,
    wire::contacts::{ContactList, ListedContact, ListedNumber},
};
use crate::{
    contacts::Place,
    domain::{
        attribute::{Attribute, AttributeValue},
        contact::{Contact, ContactEnd, ContactStage},
        ids::{AttributeId, CustomerId},
        phone::mask,
    },
    store::Listed,
};

/// Contacts of one page, unless asked otherwise.
const PAGE_LENGTH: u32 = 500;
/// Most contacts of one page.
const PAGE_LENGTH_MAX: u32 = 5_000;
/// Contacts that one page looks at: one of few matches is short, and says where to go on.
const LOOKED_AT_MAX: u32 = 20_000;
/// Contacts read at once.
const SLICE: u32 = 1_000;

/// Which contacts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    batch: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    unmasked: bool,
}

/// One page of contacts, by customer.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ContactList>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| {
        ApiError::bad_request(error.body_text(), "use `batch`, `state`, `after`, `limit` and `unmasked`")
    })?;
    let batch = query.batch.as_deref().map(batch_id).transpose()?;
    let wanted = query.state.as_deref().map(check_state).transpose()?;
    let after = query.after.as_deref().map(CustomerId::parse).transpose();
    let mut after = after.map_err(|error| ApiError::bad_request(format!("after: {error}"), "give what `next` said"))?;
    if after.is_none() {
        tracing::info!(%campaign, unmasked = query.unmasked, "contacts are listed");
    }
    let limit = usize::try_from(query.limit.unwrap_or(PAGE_LENGTH).clamp(1, PAGE_LENGTH_MAX)).unwrap_or(usize::MAX);
    let view = View { state: &state, unmasked: query.unmasked };
    let matches = |listed: &Listed| {
        batch.as_ref().is_none_or(|batch| listed.batch == *batch) && wanted.is_none_or(|wanted| is_in(listed, wanted))
    };
    let (mut contacts, mut looked_at) = (Vec::new(), 0);
    let next = 'page: loop {
        // Where all match, no more than what is still wanted.
        let all = batch.is_none() && wanted.is_none();
        let wanted = u32::try_from(limit - contacts.len()).ok().filter(|_| all);
        let read = wanted.map_or(SLICE, |wanted| SLICE.min(wanted));
        let slice = state.store.listed_page(&campaign, after.as_ref(), read).await?;
        let last = u32::try_from(slice.len()).is_ok_and(|found| found < read);
        looked_at += read;
        for listed in slice {
            if matches(&listed) {
                contacts.push(view.of(&listed));
            }
            after = Some(listed.contact.customer);
            if contacts.len() >= limit {
                break 'page after;
            }
        }
        if last || looked_at >= LOOKED_AT_MAX {
            break after.filter(|_| !last);
        }
    };
    Ok(Json(ContactList { contacts, next: next.map(|customer| customer.to_string()) }))
}

const ON_CALL: &str = "on_call";
const FRESH: &str = "fresh";
const IN_PROGRESS: &str = "in_progress";
const ENDED: &str = "ended";

fn check_state(state: &str) -> Result<&str, ApiError> {
    if [ON_CALL, FRESH, IN_PROGRESS, ENDED].contains(&state) || ContactEnd::parse(state).is_some() {
        return Ok(state);
    }
    let hint = "use fresh, in_progress, on_call, ended, or how it ended, such as reached";
    Err(ApiError::bad_request(format!("no contact is in state {state:?}"), hint))
}

fn state_of(Listed { contact, live, .. }: &Listed) -> &'static str {
    match contact.progress.stage(*live) {
        ContactStage::Ended(end) => end.as_str(),
        _ if *live => ON_CALL,
        ContactStage::InProgress => IN_PROGRESS,
        ContactStage::Fresh => FRESH,
    }
}

fn is_in(listed: &Listed, wanted: &str) -> bool {
    state_of(listed) == wanted
        || (wanted == ENDED && matches!(listed.contact.progress.stage(listed.live), ContactStage::Ended(_)))
}

/// How contacts are shown.
struct View<'a> {
    state: &'a ServerState,
    unmasked: bool,
}

impl View<'_> {
    fn of(&self, listed: &Listed) -> ListedContact {
        let contact = &listed.contact;
        let number = |number: &crate::domain::contact::Number| ListedNumber {
            category: number.category.to_string(),
            number: if self.unmasked { number.e164.expose().to_owned() } else { number.e164.masked() },
        };
        ListedContact {
            customer: contact.customer.to_string(),
            batch: listed.batch.to_string(),
            state: state_of(listed).to_owned(),
            attempts: contact.progress.attempts + u32::from(listed.live),
            priority: contact.priority.get(),
            timezone: contact.timezone.as_ref().map(|zone| zone.name().to_owned()),
            not_before: contact.not_before.map(|at| at.to_string()),
            numbers: contact.progress.numbers.iter().map(number).collect(),
            attributes: self.attributes(contact),
        }
    }

    fn attributes(&self, contact: &Contact) -> BTreeMap<String, String> {
        let generation = self.state.generation.borrow();
        let defined = generation.as_ref().map(|generation| &generation.definitions.attributes);
        let shown = |(id, value): (&AttributeId, &AttributeValue)| {
            let defined = defined.and_then(|attributes| attributes.get(id));
            (id.to_string(), self.value(contact, id, value, defined))
        };
        contact.attributes.iter().map(shown).collect()
    }

    /// A value; without its definition it counts as one to be masked.
    fn value(
        &self,
        contact: &Contact,
        id: &AttributeId,
        value: &AttributeValue,
        defined: Option<&Attribute>,
    ) -> String {
        let text = match value {
            AttributeValue::Text(text) => text.clone(),
            AttributeValue::Number(number) => number.to_string(),
            AttributeValue::Date(date) => date.to_string(),
            AttributeValue::Sealed(sealed) => {
                let place = Place { campaign: &contact.campaign, customer: &contact.customer, attribute: id };
                let keys = self.state.keyring.as_ref().filter(|_| self.unmasked);
                let opened = keys.and_then(|keys| keys.open(place, sealed).ok());
                return opened.map_or_else(|| "encrypted".to_owned(), |text| text.expose_secret().to_owned());
            }
        };
        if self.unmasked || defined.is_some_and(|attribute| !attribute.masked) { text } else { ends(&text) }
    }
}

/// Only the ends of a text.
fn ends(text: &str) -> String {
    if text.is_ascii() && text.len() >= 6 {
        return mask(text);
    }
    "*".repeat(text.chars().count())
}
