//! Lists of contacts: in pages or line by line, by batch, state and what became of them, masked unless asked otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use jiff::{Timestamp, tz::TimeZone};
use secrecy::ExposeSecret;

use super::{
    access::Actor,
    batches::batch_id,
    campaigns::campaign_id,
    customers::refused,
    error::ApiError,
    lines::{self, line},
    paging::{self, no_cursor},
    results,
    state::ServerState,
    wire::{
        NextView, Shown,
        contacts::{ContactList, ContactListQuery, LastAttemptView, ListedContact, ListedNumber},
        cursor,
    },
};
use crate::{
    contacts::{OpenError, Place},
    domain::{
        attribute::{Attribute, AttributeValue, Sealed},
        contact::{Contact, ContactEnd, ContactStage},
        facts::verdict,
        ids::{AgentId, AttributeId, BatchId, CampaignId, CategoryId, ContactRef, CustomerId},
        phone::ends,
        results::CallResult,
    },
    store::{BatchPage, BusinessWanted, LastAttempt, Listed, Store, StoreError},
};

/// Contacts of one page, unless asked otherwise.
const PAGE_LENGTH: u32 = 500;
/// Most contacts of one page.
const PAGE_LENGTH_MAX: u32 = 5_000;
/// Contacts read at once.
const SLICE: u32 = 1_000;
/// How often one page reads: one of few matches is short, and says where to go on.
const READS_MAX: u32 = 20;

/// One page of contacts, by customer; of a batch as they came in. Or all of them line by line.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<ContactListQuery>, QueryRejection>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    const USE: &str = "use `batch`, `state`, `result`, `business_result`, `sub_result`, `agent`, `category`, `connected`, \
                       `from`, `to`, `cursor`, `limit` and `unmasked`";
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), USE))?;
    let wanted = Wanted::of(&query, &results::zone(&state).1)?;
    let cursor = Cursor::of(&query, state.store.as_ref(), &campaign).await?;
    let listing = Listing { campaign, wanted, unmasked: query.unmasked, state };
    listing.note(&query, &actor);
    if listing.unmasked {
        listing.state.store.tally(&listing.campaign).await?;
        let object = format!("campaign {}", listing.campaign);
        results::note_unmasked(&listing.state, &actor, "contacts.unmasked", object).await?;
    }
    if results::wants_lines(&headers) {
        return listing.lines(cursor).await;
    }
    let limit = paging::limit(query.limit, PAGE_LENGTH, PAGE_LENGTH_MAX)?;
    let (found, next) = listing.page(cursor, limit).await?;
    let contacts = found.iter().map(|listed| listing.view().of(listed)).collect();
    Ok(Json(ContactList { contacts, next: next.and_then(|cursor| cursor.text()) }).into_response())
}

/// What is listed.
pub(super) struct Listing {
    pub(super) state: Arc<ServerState>,
    pub(super) campaign: CampaignId,
    pub(super) wanted: Wanted,
    pub(super) unmasked: bool,
}

impl Listing {
    /// How its contacts are shown.
    pub(super) fn view(&self) -> View<'_> {
        View { state: &self.state, unmasked: self.unmasked }
    }

    /// Notes who looks.
    pub(super) fn note(&self, query: &ContactListQuery, actor: &Actor) {
        if query.cursor.is_none() {
            let (campaign, by) = (&self.campaign, &actor.name);
            tracing::info!(%campaign, %by, unmasked = self.unmasked, "contacts are listed");
        }
    }

    /// One page, and where the next one begins.
    pub(super) async fn page(&self, mut cursor: Cursor, limit: u32) -> Result<(Vec<Listed>, Option<Cursor>), ApiError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut contacts = Vec::new();
        let mut next = None;
        for _ in 0..READS_MAX {
            // Where all match, no more than what is still wanted.
            let room = u32::try_from(limit - contacts.len()).unwrap_or(SLICE);
            let read = if self.wanted.is_everybody() { SLICE.min(room) } else { SLICE };
            let (slice, behind) = cursor.read(self.state.store.as_ref(), &self.campaign, read).await?;
            for listed in slice {
                let last = cursor.behind(&listed);
                if self.wanted.has(&listed) {
                    contacts.push(listed);
                }
                if contacts.len() >= limit {
                    return Ok((contacts, Some(last)));
                }
            }
            next = behind;
            match &next {
                Some(behind) => cursor.clone_from(behind),
                None => break,
            }
        }
        Ok((contacts, next))
    }

    /// All of them, one read after the other as they are taken.
    async fn lines(self, cursor: Cursor) -> Result<Response, ApiError> {
        // What is wrong with the question is told before anything is sent.
        let first = cursor.read(self.state.store.as_ref(), &self.campaign, SLICE).await?;
        let reads = stream::unfold((self, Some(Ok(first))), |(listing, read)| async move {
            let (slice, behind): (Vec<Listed>, Option<Cursor>) = match read? {
                Ok(read) => read,
                // The connection is cut, so that nobody takes what came for all of it.
                Err(error) => return Some((Err(error), (listing, None))),
            };
            let wanted = slice.iter().filter(|listed| listing.wanted.has(listed));
            let lines: Bytes = wanted.flat_map(|listed| line(&listing.view().of(listed))).collect::<Vec<u8>>().into();
            let next = match behind {
                None => None,
                Some(cursor) => {
                    let read = cursor.read(listing.state.store.as_ref(), &listing.campaign, SLICE).await;
                    Some(read.map_err(|error| {
                        tracing::error!(%error, "a list of contacts was cut off");
                        io::Error::other(error)
                    }))
                }
            };
            Some((Ok(lines), (listing, next)))
        });
        Ok(lines::answer(Body::from_stream(reads)))
    }
}

/// Which contacts: those for which all of it holds.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    state: Option<String>,
    /// Results of the newest attempt.
    results: BTreeSet<CallResult>,
    business: Option<BusinessWanted>,
    /// The agent of the newest attempt.
    agent: Option<AgentId>,
    /// That one of its numbers has.
    category: Option<CategoryId>,
    connected: Option<bool>,
    /// When the newest attempt was placed.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Wanted {
    /// Those that a query wants.
    pub(super) fn of(query: &ContactListQuery, zone: &TimeZone) -> Result<Self, ApiError> {
        let (from, to) = results::span(query.from.as_deref(), query.to.as_deref(), zone)?;
        let names = query.result.iter().flat_map(|results| results.split(','));
        Ok(Self {
            state: query.state.as_deref().map(check_state).transpose()?.map(str::to_owned),
            results: names.map(results::result).collect::<Result<_, _>>()?,
            business: results::business(query.business_result.as_deref(), query.sub_result.as_deref())?,
            agent: query.agent.as_deref().map(results::agent).transpose()?,
            category: query.category.as_deref().map(results::category).transpose()?,
            connected: query.connected,
            from,
            to,
        })
    }

    fn is_everybody(&self) -> bool {
        self.state.is_none() && self.results.is_empty() && self.business.is_none() && self.is_any_call()
    }

    fn is_any_call(&self) -> bool {
        self.agent.is_none()
            && self.category.is_none()
            && self.connected.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }

    fn has(&self, listed: &Listed) -> bool {
        let last = |holds: &dyn Fn(&LastAttempt) -> bool| listed.last.as_ref().is_some_and(holds);
        let result = |last: &LastAttempt| last.result.is_some_and(|result| self.results.contains(&result));
        let business = |wanted: &BusinessWanted| listed.business.as_ref().is_some_and(|key| wanted.is(key));
        let category = |wanted: &CategoryId| listed.contact.progress.numbers.iter().any(|n| n.category == *wanted);
        self.state.as_deref().is_none_or(|state| is_in(listed, state))
            && (self.results.is_empty() || last(&result))
            && self.business.as_ref().is_none_or(business)
            && self.agent.as_ref().is_none_or(|agent| last(&|last| last.agent == *agent))
            && self.category.as_ref().is_none_or(category)
            && self.connected.is_none_or(|connected| listed.connected == connected)
            && self.from.is_none_or(|from| last(&|last| last.placed_at >= from))
            && self.to.is_none_or(|to| last(&|last| last.placed_at < to))
    }
}

/// Where a list goes on.
#[derive(Debug, Clone)]
pub(super) enum Cursor {
    /// All contacts of the campaign by customer, those after one.
    Campaign(Option<CustomerId>),
    /// Those of a batch as they came in, behind one.
    Batch(BatchId, Option<ContactRef>),
}

impl Cursor {
    /// Where a query begins.
    pub(super) async fn of(
        query: &ContactListQuery,
        store: &dyn Store,
        campaign: &CampaignId,
    ) -> Result<Self, ApiError> {
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
    fn behind(&self, listed: &Listed) -> Self {
        match self {
            Self::Campaign(_) => Self::Campaign(Some(listed.contact.customer.clone())),
            Self::Batch(batch, _) => Self::Batch(batch.clone(), Some(listed.contact.reference)),
        }
    }

    /// As it is asked for.
    pub(super) fn text(&self) -> Option<String> {
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
pub(super) fn states() -> Vec<&'static str> {
    [FRESH, IN_PROGRESS, ON_CALL, ENDED].into_iter().chain(ContactEnd::ALL.map(ContactEnd::as_str)).collect()
}

fn check_state(state: &str) -> Result<&str, ApiError> {
    if states().contains(&state) {
        return Ok(state);
    }
    let hint = "use fresh, in_progress, on_call, ended, or how it ended, such as reached";
    Err(ApiError::unprocessable(format!("no contact is in state {state:?}"), hint))
}

/// The name of how a contact stands.
pub(super) fn state_of(contact: &Contact, live: bool) -> &'static str {
    match contact.progress.stage(live) {
        ContactStage::Ended(end) => end.as_str(),
        _ if live => ON_CALL,
        ContactStage::InProgress => IN_PROGRESS,
        ContactStage::Fresh => FRESH,
    }
}

fn is_in(listed: &Listed, wanted: &str) -> bool {
    state_of(&listed.contact, listed.live) == wanted
        || (wanted == ENDED && matches!(listed.contact.progress.stage(listed.live), ContactStage::Ended(_)))
}

/// How contacts are shown.
pub(super) struct View<'a> {
    pub(super) state: &'a ServerState,
    pub(super) unmasked: bool,
}

impl View<'_> {
    /// A contact as lists show it.
    pub(super) fn of(&self, listed: &Listed) -> ListedContact {
        let contact = &listed.contact;
        let shown = Shown::asked(self.unmasked);
        let number = |number: &crate::domain::contact::Number| ListedNumber {
            category: number.category.to_string(),
            number: shown.number(&number.e164),
        };
        ListedContact {
            customer: contact.customer.to_string(),
            batch: listed.batch.to_string(),
            state: state_of(contact, listed.live).to_owned(),
            attempts: contact.progress.attempts + u32::from(listed.live),
            priority: contact.priority.get(),
            timezone: contact.timezone.as_ref().map(|zone| zone.name().to_owned()),
            not_before: contact.not_before.map(|at| at.to_string()),
            numbers: contact.progress.numbers.iter().map(number).collect(),
            attributes: self.attributes(contact),
            connected: listed.connected,
            business_result: listed.business.as_ref().map(ToString::to_string),
            last_attempt: listed.last.as_ref().map(LastAttemptView::from),
            next: self.next(listed),
        }
    }

    /// The next try.
    fn next(&self, listed: &Listed) -> Option<NextView> {
        let generation = self.state.generation.borrow();
        let defined = generation.as_ref()?.definitions.campaigns.get(&listed.contact.campaign)?;
        let next = verdict::next(Some(defined), &listed.contact, self.state.clock.now().wall);
        next.as_ref().filter(|_| !listed.live).map(NextView::from)
    }

    /// A contact's attributes, masked where their definition says so.
    pub(super) fn attributes(&self, contact: &Contact) -> BTreeMap<String, String> {
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
