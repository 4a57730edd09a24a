//! Lists of contacts: in pages, by batch and state, masked unless asked otherwise.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    batches::batch_id,
    campaigns::campaign_id,
    customers::refused,
    error::ApiError,
    paging::{self, no_cursor},
    state::ServerState,
    wire::{
        contacts::{ContactList, ListedContact, ListedNumber},
        cursor,
        forms::PRINTABLE,
    },
};
use crate::{
    contacts::{OpenError, Place},
    domain::{
        attribute::{Attribute, AttributeValue, Sealed},
        contact::{Contact, ContactEnd, ContactStage},
        ids::{AttributeId, BatchId, CampaignId, ContactRef, CustomerId},
        phone::ends,
    },
    store::{BatchPage, Listed, Store, StoreError},
};

/// Contacts of one page, unless asked otherwise.
const PAGE_LENGTH: u32 = 500;
/// Most contacts of one page.
const PAGE_LENGTH_MAX: u32 = 5_000;
/// Contacts read at once.
const SLICE: u32 = 1_000;
/// How often one page reads: one of few matches is short, and says where to go on.
const READS_MAX: u32 = 20;

/// Which contacts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only those of this batch.
    #[schemars(regex(pattern = PRINTABLE))]
    batch: Option<String>,
    /// Only those that stand so: `fresh`, `in_progress`, `on_call`, `ended`, or how they ended, such as `reached`.
    #[schemars(extend("enum" = states()))]
    state: Option<String>,
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 500 unless given.
    #[schemars(range(min = 1, max = 5000))]
    limit: Option<u32>,
    /// Whether numbers and attributes are shown in full; the daemon's log notes it.
    #[serde(default)]
    unmasked: bool,
}

/// One page of contacts, by customer; of a batch as they came in.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ContactList>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| {
        ApiError::bad_request(error.body_text(), "use `batch`, `state`, `cursor`, `limit` and `unmasked`")
    })?;
    let mut cursor = Cursor::of(&query, state.store.as_ref(), &campaign).await?;
    let wanted = query.state.as_deref().map(check_state).transpose()?;
    let limit = usize::try_from(paging::limit(query.limit, PAGE_LENGTH, PAGE_LENGTH_MAX)?).unwrap_or(usize::MAX);
    let view = View { state: &state, unmasked: query.unmasked };
    let mut contacts = Vec::new();
    let mut next = None;
    'page: for _ in 0..READS_MAX {
        // Where all match, no more than what is still wanted.
        let room = u32::try_from(limit - contacts.len()).unwrap_or(SLICE);
        let read = if wanted.is_none() { SLICE.min(room) } else { SLICE };
        let (slice, behind) = cursor.read(state.store.as_ref(), &campaign, read).await?;
        for listed in slice {
            if wanted.is_none_or(|wanted| is_in(&listed, wanted)) {
                contacts.push(view.of(&listed));
            }
            if contacts.len() >= limit {
                next = Some(cursor.behind(listed));
                break 'page;
            }
        }
        next = behind;
        match &next {
            Some(behind) => cursor.clone_from(behind),
            None => break,
        }
    }
    // Not before the campaign and the batch are known to be there.
    if query.cursor.is_none() {
        tracing::info!(%campaign, unmasked = query.unmasked, "contacts are listed");
    }
    Ok(Json(ContactList { contacts, next: next.and_then(|cursor| cursor.text()) }))
}

/// Where a list goes on.
#[derive(Debug, Clone)]
enum Cursor {
    /// All contacts of the campaign by customer, those after one.
    Campaign(Option<CustomerId>),
    /// Those of a batch as they came in, behind one.
    Batch(BatchId, Option<ContactRef>),
}

impl Cursor {
    /// Where a query begins.
    async fn of(query: &ListQuery, store: &dyn Store, campaign: &CampaignId) -> Result<Self, ApiError> {
        let given = query.cursor.as_deref();
        let customer = given.and_then(|given| cursor::position(cursor::CONTACTS, given));
        let customer = customer.map(|text| CustomerId::parse(&text).map_err(|_| no_cursor())).transpose()?;
        let Some(batch) = query.batch.as_deref().map(batch_id).transpose()? else {
            return if given.is_some() && customer.is_none() { Err(no_cursor()) } else { Ok(Self::Campaign(customer)) };
        };
        let after = match customer {
            // A list may go on as one of a batch behind any customer of it.
            Some(customer) => {
                let found = store.contact(campaign, &customer).await?;
                let unknown = || refused(StoreError::UnknownCustomer { campaign: campaign.clone(), customer });
                Some(found.ok_or_else(unknown)?.contact.reference)
            }
            None => paging::after(IN_BATCH, given)?.map(ContactRef),
        };
        Ok(Self::Batch(batch, after))
    }

    /// The next contacts, at most `limit`, and behind which others may be.
    async fn read(
        &self,
        store: &dyn Store,
        campaign: &CampaignId,
        limit: u32,
    ) -> Result<(Vec<Listed>, Option<Self>), StoreError> {
        match self {
            Self::Campaign(after) => {
                let slice = store.listed_page(campaign, after.as_ref(), limit).await?;
                let full = u32::try_from(slice.len()).is_ok_and(|found| found >= limit);
                let last = slice.last().filter(|_| full).map(|listed| listed.contact.customer.clone());
                Ok((slice, last.map(|last| Self::Campaign(Some(last)))))
            }
            Self::Batch(batch, after) => {
                let BatchPage { contacts, next } = store.batch_page(campaign, batch, *after, limit).await?;
                Ok((contacts, next.map(|next| Self::Batch(batch.clone(), Some(next)))))
            }
        }
    }

    /// Behind a contact.
    fn behind(&self, listed: Listed) -> Self {
        match self {
            Self::Campaign(_) => Self::Campaign(Some(listed.contact.customer)),
            Self::Batch(batch, _) => Self::Batch(batch.clone(), Some(listed.contact.reference)),
        }
    }

    /// As it is asked for.
    fn text(&self) -> Option<String> {
        match self {
            Self::Campaign(after) => after.as_ref().map(|after| cursor::behind(cursor::CONTACTS, after)),
            Self::Batch(_, after) => after.map(|after| cursor::behind(IN_BATCH, after.0)),
        }
    }
}

/// What cursors of contacts of a batch are of.
const IN_BATCH: &str = "batch";

const ON_CALL: &str = "on_call";
const FRESH: &str = "fresh";
const IN_PROGRESS: &str = "in_progress";
const ENDED: &str = "ended";

/// All that a list may be of.
fn states() -> Vec<&'static str> {
    [FRESH, IN_PROGRESS, ON_CALL, ENDED].into_iter().chain(ContactEnd::ALL.map(ContactEnd::as_str)).collect()
}

fn check_state(state: &str) -> Result<&str, ApiError> {
    if states().contains(&state) {
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
        if let AttributeValue::Sealed(sealed) = value {
            let place = Place { campaign: &contact.campaign, customer: &contact.customer, attribute: id };
            return self.sealed(place, sealed);
        }
        let text = value.text().unwrap_or_default();
        if self.unmasked || defined.is_some_and(|attribute| !attribute.masked) { text } else { ends(&text) }
    }

    /// An encrypted value: itself to who may see it. That it can't be read is told to everybody, since what is
    /// masked can be.
    fn sealed(&self, place: Place<'_>, sealed: &Sealed) -> String {
        let opened = match self.state.keyring.as_ref().filter(|keys| keys.has(&sealed.key)) {
            Some(_) if !self.unmasked => return "encrypted".to_owned(),
            Some(keys) => keys.open(place, sealed),
            None => Err(OpenError::UnknownKey(sealed.key.clone())),
        };
        opened.map_or_else(|error| error.to_string(), |text| text.expose_secret().to_owned())
    }
}
