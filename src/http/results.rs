//! A campaign's attempts, in pages or line by line, and one contact with all of them.

use std::{io, sync::Arc};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{
    access::Actor,
    campaigns::{campaign_id, no_customer, removed},
    change::Change,
    error::ApiError,
    lines::{self, line},
    listing::{View, state_of},
    paging,
    state::ServerState,
    status::waits_to_retire,
    wire::{
        Attempt, LiveView, NextView, NumberView, Results, Shown,
        business::{BusinessResultView, CancelledView, ScheduledView},
        cursor,
        questionnaire::QuestionnaireView,
        results::{AttemptQuery, ContactDetail, ContactQuery},
    },
};
use crate::{
    domain::{
        business::BusinessKey,
        ids::{AgentId, AttemptId, BusinessResultId, CampaignId, CategoryId, CustomerId, SubResultId},
        reason::Hold,
        results::CallResult,
    },
    store::{AttemptFilter, AttemptPage, AttemptPlace, BusinessWanted, RevisionPrefix},
    telemetry::status::Waiting,
};

/// Attempts of one page, unless asked otherwise.
const PAGE_LENGTH: u32 = 500;
/// Most attempts of one page.
const PAGE_LENGTH_MAX: u32 = 5_000;
/// Attempts read at once where all are wanted.
const SLICE: u32 = 1_000;
/// How often one page looks: one of few matches is short, and says where to go on.
const LOOKS_MAX: u32 = 20;
/// What asks for one JSON object a line.
const LINES: &str = "application/x-ndjson";

/// Attempts, oldest first: one page, or all of them line by line.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<AttemptQuery>, QueryRejection>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    const USE: &str = "use `cursor`, `limit`, `from`, `to`, `result`, `business_result`, `sub_result`, `agent`, `batch`, \
                       `category`, `connected`, `rule`, `revision` and `unmasked`";
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), USE))?;
    let filter = filter(&query, &zone(&state).1)?;
    let after = after(&state, &campaign, query.cursor.as_deref()).await?;
    if query.unmasked {
        state.store.tally(&campaign).await?;
        note_unmasked(&state, &actor, "results.unmasked", format!("campaign {campaign}")).await?;
    }
    if query.cursor.is_none() {
        tracing::info!(%campaign, by = %actor.name, unmasked = query.unmasked, "results are listed");
    }
    let listing = Listing { state, campaign, filter, shown: Shown::asked(query.unmasked) };
    if wants_lines(&headers) { listing.lines(after).await } else { listing.page(after, query.limit).await }
}

/// Writes into the audit log who is shown details of customers in full, before they are shown.
pub(super) async fn note_unmasked(
    state: &ServerState,
    actor: &Actor,
    action: &str,
    object: String,
) -> Result<(), ApiError> {
    Change::new(actor, action, object).note(state).await
}

/// Whether lines are asked for.
pub(super) fn wants_lines(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|kinds| kinds.to_str().is_ok_and(|kinds| kinds.contains(LINES)))
}

/// What is listed.
struct Listing {
    state: Arc<ServerState>,
    campaign: CampaignId,
    filter: AttemptFilter,
    shown: Shown,
}

impl Listing {
    async fn page(self, mut after: Option<AttemptPlace>, limit: Option<u32>) -> Result<Response, ApiError> {
        let limit = paging::limit(limit, PAGE_LENGTH, PAGE_LENGTH_MAX)?;
        let mut attempts = Vec::new();
        for _ in 0..LOOKS_MAX {
            let room = limit - u32::try_from(attempts.len()).unwrap_or(limit);
            let page = self.state.store.attempt_page(&self.campaign, &self.filter, after, room).await?;
            attempts.extend(page.attempts.iter().map(|record| Attempt::of(record, self.shown)));
            after = page.next;
            if after.is_none() || attempts.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(Json(Results { attempts, next: after.map(told) }).into_response())
    }

    /// All attempts that are there now, one look after the other as they are taken.
    async fn lines(mut self, after: Option<AttemptPlace>) -> Result<Response, ApiError> {
        let soon = self.state.clock.now().wall.saturating_add(1.microsecond()).unwrap_or(Timestamp::MAX);
        self.filter.to = Some(self.filter.to.map_or(soon, |to| to.min(soon)));
        // What is wrong with the question is told before anything is sent.
        let first = self.state.store.attempt_page(&self.campaign, &self.filter, after, SLICE).await?;
        let looks = stream::unfold((self, Some(Ok(first))), |(listing, page)| async move {
            let page: AttemptPage = match page? {
                Ok(page) => page,
                // The connection is cut, so that nobody takes what came for all of it.
                Err(error) => return Some((Err(error), (listing, None))),
            };
            let lines = page.attempts.iter().flat_map(|record| line(&Attempt::of(record, listing.shown)));
            let lines: Bytes = lines.collect::<Vec<u8>>().into();
            let next = match page.next {
                None => None,
                Some(next) => {
                    let more = listing.state.store.attempt_page(&listing.campaign, &listing.filter, Some(next), SLICE);
                    Some(more.await.map_err(|error| {
                        tracing::error!(%error, "a list of results was cut off");
                        io::Error::other(error)
                    }))
                }
            };
            Some((Ok(lines), (listing, next)))
        });
        Ok(lines::answer(Body::from_stream(looks)))
    }
}

/// A contact with all its numbers and attempts.
pub(super) async fn contact(
    State(state): State<Arc<ServerState>>,
    Path((campaign, customer)): Path<(String, String)>,
    query: Result<Query<ContactQuery>, QueryRejection>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<ContactDetail>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `unmasked`"))?;
    detail(&state, (&campaign, &customer), query.unmasked, &actor).await.map(Json)
}

/// The same, for whoever shows it.
pub(super) async fn detail(
    state: &ServerState,
    (campaign, customer): (&str, &str),
    unmasked: bool,
    actor: &Actor,
) -> Result<ContactDetail, ApiError> {
    let campaign = campaign_id(campaign)?;
    let unknown = || no_customer(&campaign, customer);
    let id = CustomerId::parse(customer).map_err(|_| unknown())?;
    let now = state.clock.now().wall;
    let why = state.store.why(&campaign, &id, now).await?.ok_or_else(unknown)?;
    let asked = state.store.questionnaires_of_contact(&campaign, &id).await?;
    tracing::info!(%campaign, by = %actor.name, unmasked, "a contact is looked at");
    if unmasked {
        let object = format!("campaign {campaign}, contact #{}", why.history.contact.reference.0);
        note_unmasked(state, actor, "contacts.unmasked", object).await?;
    }
    let (contact, shown) = (&why.history.contact, Shown::asked(unmasked));
    let live = LiveView::of(&why.history.attempts);
    let generation = state.generation.borrow().clone();
    let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(&campaign));
    let held = why.do_not_call.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let numbers = contact.progress.numbers.iter().enumerate().zip(held);
    Ok(ContactDetail {
        campaign: campaign.to_string(),
        customer: contact.customer.to_string(),
        batch: why.history.batch.to_string(),
        state: state_of(contact, live.is_some()).to_owned(),
        priority: contact.priority.get(),
        timezone: contact.timezone.as_ref().map(|zone| zone.name().to_owned()),
        not_before: contact.not_before.map(|at| at.to_string()),
        calls: contact.progress.attempts + u32::from(live.is_some()),
        numbers: numbers.map(|((index, number), held)| NumberView::of(index, number, held, shown)).collect(),
        attributes: View { state, unmasked }.attributes(contact),
        attempts: why.history.attempts.iter().map(|record| Attempt::of(record, shown)).collect(),
        business_results: why.history.business.iter().map(BusinessResultView::from).collect(),
        questionnaires: asked.iter().map(QuestionnaireView::from).collect(),
        scheduled: ScheduledView::of(defined.map(Arc::as_ref), contact, now),
        cancelled: CancelledView::of(contact),
        next: why.next.as_ref().filter(|_| live.is_none()).map(NextView::from),
        live,
        hold: why.hold.as_ref().map(|hold| match removed(state, &campaign).filter(|_| *hold == Hold::Retired) {
            Some(removed) => waits_to_retire(&removed),
            None => Waiting::of(hold),
        }),
        as_of: now.to_string(),
    })
}

/// The tenant's zone, and its name.
pub(super) fn zone(state: &ServerState) -> (String, TimeZone) {
    let generation = state.generation.borrow();
    let name = generation.as_ref().map_or("UTC", |generation| generation.definitions.tenant.timezone.as_str());
    match TimeZone::get(name) {
        Ok(zone) => (name.to_owned(), zone),
        Err(_) => ("UTC".to_owned(), TimeZone::UTC),
    }
}

/// The attempts that a query wants.
pub(super) fn filter(query: &AttemptQuery, zone: &TimeZone) -> Result<AttemptFilter, ApiError> {
    let (from, to) = span(query.from.as_deref(), query.to.as_deref(), zone)?;
    let results = query.result.iter().flat_map(|results| results.split(','));
    Ok(AttemptFilter {
        from,
        to,
        results: results.map(result).collect::<Result<_, _>>()?,
        business: business(query.business_result.as_deref(), query.sub_result.as_deref())?,
        agent: query.agent.as_deref().map(agent).transpose()?,
        batch: query.batch.as_deref().map(super::batches::batch_id).transpose()?,
        category: query.category.as_deref().map(category).transpose()?,
        connected: query.connected,
        rule: query.rule.as_deref().map(rule).transpose()?,
        revision: query.revision.as_deref().map(revision).transpose()?,
    })
}

/// From when on, and before when.
pub(super) fn span(
    from: Option<&str>,
    to: Option<&str>,
    zone: &TimeZone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let begin = from.map(|text| instant("from", text, 0, zone)).transpose()?;
    let end = to.map(|text| instant("to", text, 1, zone)).transpose()?;
    if let (Some(begin), Some(end)) = (begin, end)
        && begin >= end
    {
        let error = format!("from {} is not before to {}", from.unwrap_or_default(), to.unwrap_or_default());
        return Err(ApiError::unprocessable(error, "give the earlier one as `from`; a day as `to` is counted whole"));
    }
    Ok((begin, end))
}

/// A time, or the beginning of the day so many days after the one that is given.
fn instant(name: &str, text: &str, days: i64, zone: &TimeZone) -> Result<Timestamp, ApiError> {
    let wrong = || {
        let error = format!("{name}: {text:?} is neither a time with its offset nor a day");
        let hint = "write 2031-03-01T09:00:00+08:00, 2031-03-01T01:00:00Z or 2031-03-01; `+` is %2B in an address";
        ApiError::unprocessable(error, hint)
    };
    // A `+` that was not escaped comes as a space.
    if let Ok(at) = text.parse().or_else(|_| text.replace(' ', "+").parse()) {
        return Ok(at);
    }
    // A time without its offset would be read as its day.
    let day = Some(text).filter(|text| text.len() == "2031-03-01".len()).ok_or_else(wrong)?;
    let day: Date = day.parse().map_err(|_| wrong())?;
    let begins = day.checked_add(days.days()).and_then(|day| zone.to_timestamp(day.to_datetime(Time::midnight())));
    begins.map_err(|_| wrong())
}

/// A result by its name.
pub(super) fn result(name: &str) -> Result<CallResult, ApiError> {
    CallResult::parse(name.trim()).ok_or_else(|| {
        let all: Vec<&str> = CallResult::ALL.iter().map(|result| result.as_str()).collect();
        let error = format!("result: there is no result {name:?}");
        ApiError::unprocessable(error, format!("use some of these, with commas between them: {}", all.join(", ")))
    })
}

/// A business result by its id, and its sub-result.
pub(super) fn business(result: Option<&str>, wanted: Option<&str>) -> Result<Option<BusinessWanted>, ApiError> {
    let wrong = |name: &str, text: &str| {
        ApiError::unprocessable(format!("{name}: {text:?} is no id"), "use one of business-results.toml")
    };
    let Some(result) = result else {
        return match wanted {
            Some(_) => Err(ApiError::unprocessable("sub_result is given without business_result", "give both")),
            None => Ok(None),
        };
    };
    let parse = |text: &str| SubResultId::parse(text).map_err(|_| wrong("sub_result", text));
    let sub_result = wanted.map(parse).transpose()?;
    let result = BusinessResultId::parse(result).map_err(|_| wrong("business_result", result))?;
    Ok(Some(BusinessWanted { result, sub_result }))
}

/// An agent by id.
pub(super) fn agent(id: &str) -> Result<AgentId, ApiError> {
    AgentId::parse(id).map_err(|error| {
        ApiError::unprocessable(format!("agent: {id:?} is no id: it {error}"), "`dialops agents list` shows them")
    })
}

/// A category by id.
pub(super) fn category(id: &str) -> Result<CategoryId, ApiError> {
    CategoryId::parse(id).map_err(|error| {
        ApiError::unprocessable(format!("category: {id:?} is no id: it {error}"), "use one of categories.toml")
    })
}

fn rule(text: &str) -> Result<BusinessKey, ApiError> {
    BusinessKey::parse(text).ok_or_else(|| {
        let error = format!("rule: {text:?} names no business rule");
        ApiError::unprocessable(error, "write a business result of the campaign's rules, or result/sub-result")
    })
}

fn revision(text: &str) -> Result<RevisionPrefix, ApiError> {
    RevisionPrefix::parse(text).ok_or_else(|| {
        let error = format!("revision: {text:?} is no commit");
        ApiError::unprocessable(error, "give the first digits of its id, at least 4 of 0-9 and a-f")
    })
}

/// A place as `next` tells it.
fn told(place: AttemptPlace) -> String {
    cursor::behind(cursor::RESULTS, format_args!("{} {}", place.placed_at.as_microsecond(), place.attempt))
}

fn place(position: &str) -> Option<AttemptPlace> {
    let (placed_at, attempt) = position.split_once(' ')?;
    let placed_at = Timestamp::from_microsecond(placed_at.parse().ok()?).ok()?;
    Some(AttemptPlace { placed_at, attempt: AttemptId::parse(attempt)? })
}

/// Where a list begins: behind a place, or behind an attempt of the campaign.
async fn after(
    state: &ServerState,
    campaign: &CampaignId,
    given: Option<&str>,
) -> Result<Option<AttemptPlace>, ApiError> {
    let Some(position) = paging::after::<String>(cursor::RESULTS, given)? else { return Ok(None) };
    if let Some(place) = place(&position) {
        return Ok(Some(place));
    }
    // As the command line asks: behind an attempt that a person has named.
    let attempt = AttemptId::parse(&position).ok_or_else(paging::no_cursor)?;
    let found = state.store.attempt(attempt).await?.filter(|record| record.campaign == *campaign);
    let gone = || {
        let hint = "`dialops results` shows those that there are";
        ApiError::bad_request(format!("campaign \"{campaign}\" has no attempt {attempt}"), hint)
    };
    found.map(|record| Some(AttemptPlace::of(&record))).ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_again_and_nothing_else_is() {
        let place_of = AttemptPlace {
            placed_at: "2031-03-01T02:00:00.000001Z".parse().unwrap(),
            attempt: AttemptId::parse("a3-17").unwrap(),
        };
        let text = told(place_of);
        assert!(!text.contains("a3-17"), "{text}");
        let position = cursor::position(cursor::RESULTS, &text).unwrap();
        assert_eq!(place(&position), Some(place_of));
        for wrong in ["", "a3-17", "x", &position[..position.len() - 1][..9]] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_of_the_zone_and_the_last_is_counted_whole() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let of = |from, to| span(from, to, &zone).map(|(from, to)| [from, to].map(|at| at.map(|at| at.to_string())));
        let day = ["2031-02-28T16:00:00Z", "2031-03-01T16:00:00Z"].map(|at| Some(at.to_owned()));
        assert_eq!(of(Some("2031-03-01"), Some("2031-03-01")), Ok(day.clone()));
        assert_eq!(of(Some("2031-03-01T00:00:00+08:00"), Some("2031-03-01T16:00:00Z")), Ok(day.clone()));
        assert_eq!(of(Some("2031-03-01T00:00:00 08:00"), None).unwrap()[0], day[0], "as an address spells a `+`");
        assert_eq!(of(None, None), Ok([None, None]));
        for (from, to) in [("2031-03-02", "2031-03-01"), ("yesterday", "2031-03-01"), ("2031-03-01", "2031-13-01")] {
            assert!(of(Some(from), Some(to)).is_err(), "{from} {to}");
        }
        assert!(of(Some("2031-03-01T09:00:00"), None).is_err(), "without an offset");
    }
}
