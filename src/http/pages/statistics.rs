//! The page of a campaign, and of all: how contacts and calls stand, in numbers and plots.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use jiff::{ToSpan, civil::Date};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Frame, Problem, address, given,
    plot::{Bars, Columns},
    shown,
    words::{duration, escaped},
};
use crate::{
    domain::ids::CampaignId,
    http::{
        access::Actor,
        campaigns::campaign_id,
        error::ApiError,
        page::{grouped, words},
        results::zone,
        state::ServerState,
        statistics::count,
        wire::results::{ByDay, CallCounts, StatisticsQuery, StatisticsView},
    },
};

/// Columns that days are shown in, at most: more days are put together.
const COLUMNS_MAX: usize = 62;
/// Campaigns that are listed; the status has all.
const CAMPAIGNS_MAX: usize = 500;

/// Of which days.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(in crate::http) struct DaysQuery {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct Page {
    frame: Frame,
    from: String,
    to: String,
    /// Names and addresses of other days.
    spans: Vec<(&'static str, String)>,
    phase: Option<(String, Option<String>)>,
    campaigns: Vec<(String, String, String)>,
    campaigns_left_out: usize,
    tiles: Vec<Tile>,
    has_calls: bool,
    ended: Vec<(String, String)>,
    results: String,
    groups: String,
    business_results: String,
    days: String,
    hours: String,
    agents: String,
    batches: Vec<BatchRow>,
    json: String,
    moved: bool,
}

struct Tile {
    label: &'static str,
    value: String,
    note: String,
}

struct BatchRow {
    batch: String,
    counts: [String; 6],
}

/// Of one campaign.
pub(in crate::http) async fn campaign(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    Query(days): Query<DaysQuery>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let problem = Problem::of(&state);
    let campaign = campaign_id(&campaign).map_err(&problem)?;
    page(&state, Some(&campaign), &days, &actor, &headers).await.map_err(problem)
}

/// Of all of them.
pub(in crate::http) async fn campaigns(
    State(state): State<Arc<ServerState>>,
    Query(days): Query<DaysQuery>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    page(&state, None, &days, &actor, &headers).await.map_err(Problem::of(&state))
}

async fn page(
    state: &ServerState,
    campaign: Option<&CampaignId>,
    days: &DaysQuery,
    actor: &Actor,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let query = StatisticsQuery { from: given(days.from.as_ref()), to: given(days.to.as_ref()) };
    let counted = count(state, campaign, &query, actor).await?;
    let at = campaign.map_or_else(|| "/campaigns".to_owned(), address);
    let today = zone(state).1.to_datetime(state.clock.now().wall).date();
    let listed = if campaign.is_some() { Vec::new() } else { campaigns_of(state).await? };
    let api = campaign.map_or_else(String::new, |id| format!("/campaigns/{id}"));
    let unmade = |error: askama::Error| {
        ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "the daemon's log says more")
    };
    shown(&Page {
        frame: Frame::of(state, campaign, actor, headers),
        from: query.from.clone().unwrap_or_default(),
        to: query.to.clone().unwrap_or_default(),
        spans: spans(&at, today),
        phase: campaign.and_then(|campaign| phase(state, campaign)),
        campaigns_left_out: listed.len().saturating_sub(CAMPAIGNS_MAX),
        campaigns: listed.into_iter().take(CAMPAIGNS_MAX).collect(),
        tiles: tiles(&counted),
        has_calls: counted.attempts.attempts > 0,
        ended: counted.contacts.ended.iter().map(|(how, n)| (words(how), grouped(*n))).collect(),
        results: results(&counted).map_err(unmade)?,
        groups: groups(&counted).map_err(unmade)?,
        business_results: business_results(&counted).map_err(unmade)?,
        days: by_days(&counted).render().map_err(unmade)?,
        hours: by_hours(&counted).render().map_err(unmade)?,
        agents: agents(&counted).map_err(unmade)?,
        batches: batches(&counted),
        json: format!("/api/v1{api}/statistics{}", asked(&query)),
        moved: !counted.at_once,
    })
}

/// Of which days, as part of an address.
fn asked(query: &StatisticsQuery) -> String {
    let given = [("from", &query.from), ("to", &query.to)];
    let pairs: Vec<String> =
        given.into_iter().filter_map(|(name, day)| Some(format!("{name}={}", escaped(day.as_ref()?)))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Campaigns that have anything: id, name and phase.
async fn campaigns_of(state: &ServerState) -> Result<Vec<(String, String, String)>, ApiError> {
    let dial = state.dial.borrow().clone();
    let row = |campaign: crate::store::StoredCampaign| {
        let dialled = dial.campaigns.iter().find(|dialled| dialled.id == campaign.id.as_str());
        let phase = dialled.map_or("retired", |dialled| dialled.phase.as_str());
        (campaign.id.to_string(), campaign.name, words(phase))
    };
    Ok(state.store.campaigns().await?.into_iter().map(row).collect())
}

fn phase(state: &ServerState, campaign: &CampaignId) -> Option<(String, Option<String>)> {
    let dial = state.dial.borrow();
    let dialled = dial.campaigns.iter().find(|dialled| dialled.id == campaign.as_str())?;
    Some((words(&dialled.phase), dialled.waiting.as_ref().map(|waiting| waiting.message.clone())))
}

fn spans(at: &str, today: Date) -> Vec<(&'static str, String)> {
    let ago = |days: i64| today.checked_sub(days.days()).unwrap_or(today);
    vec![
        ("All time", at.to_owned()),
        ("Today", format!("{at}?from={today}&to={today}")),
        ("Yesterday", format!("{at}?from={0}&to={0}", ago(1))),
        ("7 days", format!("{at}?from={}&to={today}", ago(6))),
        ("30 days", format!("{at}?from={}&to={today}", ago(29))),
    ]
}

fn tiles(counted: &StatisticsView) -> Vec<Tile> {
    let tile = |label, value: u64, note| Tile { label, value: grouped(value), note };
    let (contacts, calls) = (&counted.contacts, counted.attempts);
    let of = |n: u64, all: u64| {
        (n * 100 + all / 2).checked_div(all).map_or_else(String::new, |percent| format!("{percent} %"))
    };
    let average = calls.talk_seconds.checked_div(calls.connected).unwrap_or(0);
    vec![
        tile("Not called", contacts.not_called, format!("of {} contacts", grouped(contacts.all))),
        tile("In progress", contacts.in_progress, of(contacts.in_progress, contacts.all)),
        tile("Finished", contacts.finished, of(contacts.finished, contacts.all)),
        tile("Calls", calls.attempts, format!("and {} live now", grouped(counted.live))),
        tile("Connected calls", calls.connected, of(calls.connected, calls.attempts)),
        tile("Connected contacts", counted.connected_contacts, "different ones".to_owned()),
        Tile { label: "Talk", value: duration(calls.talk_seconds), note: format!("{} a call", duration(average)) },
    ]
}

fn results(counted: &StatisticsView) -> Result<String, askama::Error> {
    let rows = counted.by_result.iter().map(|row| (words(&row.name), row.calls));
    Bars::of_calls("Calls by result", "Result", rows.collect()).render()
}

fn groups(counted: &StatisticsView) -> Result<String, askama::Error> {
    let rows: Vec<_> = counted.by_group.iter().map(|row| (row.group.clone(), row.calls)).collect();
    if rows.is_empty() {
        Ok(String::new())
    } else {
        Bars::of_calls("Calls by group of results", "Group", rows).render()
    }
}

fn business_results(counted: &StatisticsView) -> Result<String, askama::Error> {
    let rows: Vec<_> = counted.by_business_result.iter().map(|row| (row.name.clone(), row.attempts)).collect();
    if rows.is_empty() {
        Ok(String::new())
    } else {
        Bars::of_counts("Calls by business result", "Business result", rows).render()
    }
}

fn agents(counted: &StatisticsView) -> Result<String, askama::Error> {
    let rows: Vec<_> = counted.by_agent.iter().flatten().map(|row| (row.name.clone(), row.calls)).collect();
    if rows.is_empty() { Ok(String::new()) } else { Bars::of_calls("Calls by agent", "Agent", rows).render() }
}

/// Days from the first with calls to the last, without calls or not; if they are many, so many days a column.
fn by_days(counted: &StatisticsView) -> Columns {
    let days = whole_days(&counted.by_day);
    let together = days.len().div_ceil(COLUMNS_MAX).max(1);
    let rows = days.chunks(together).map(|some| {
        let mut calls = CallCounts::default();
        some.iter().for_each(|(_, day)| calls = calls + *day);
        let (first, last) = (some.first().map(|(day, _)| *day), some.last().map(|(day, _)| *day));
        let name = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let title = if first == last { name(first) } else { format!("{} to {}", name(first), name(last)) };
        let short = first.map(|day| day.strftime("%m-%d").to_string()).unwrap_or_default();
        (title, short, calls)
    });
    let note = (together > 1).then(|| format!("{together} days a column"));
    Columns::new(("Calls by day", "Day"), rows.collect(), note)
}

fn whole_days(by_day: &[ByDay]) -> Vec<(Date, CallCounts)> {
    let known = |day: &ByDay| Some((day.day.parse::<Date>().ok()?, day.calls));
    let days: std::collections::BTreeMap<Date, CallCounts> = by_day.iter().filter_map(known).collect();
    let (Some(first), Some(last)) = (days.keys().next(), days.keys().next_back()) else { return Vec::new() };
    let all = first.series(1.day()).take_while(|day| day <= last);
    all.map(|day| (day, days.get(&day).copied().unwrap_or_default())).collect()
}

fn by_hours(counted: &StatisticsView) -> Columns {
    let row = |hour: &crate::http::wire::results::ByHour| {
        (format!("{:02}:00 to {:02}:00", hour.hour, hour.hour + 1), format!("{:02}", hour.hour), hour.calls)
    };
    Columns::new(("Calls by hour of the day", "Hour"), counted.by_hour.iter().map(row).collect(), None)
}

fn batches(counted: &StatisticsView) -> Vec<BatchRow> {
    let row = |row: &crate::http::wire::results::ByBatch| {
        let (contacts, calls) = (&row.contacts, row.calls);
        let counts = [contacts.all, contacts.not_called, contacts.in_progress, contacts.finished];
        let [all, fresh, open, finished] = counts.map(grouped);
        let counts = [all, fresh, open, finished, grouped(calls.attempts), grouped(calls.connected)];
        BatchRow { batch: row.batch.clone(), counts }
    };
    counted.by_batch.iter().flatten().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str, attempts: u64) -> ByDay {
        ByDay { day: day.to_owned(), calls: CallCounts { attempts, connected: 0, talk_seconds: 0 } }
    }

    #[test]
    fn days_without_calls_are_shown_between() {
        let days = whole_days(&[day("2031-02-27", 2), day("2031-03-02", 1)]);
        let told: Vec<(String, u64)> = days.iter().map(|(day, calls)| (day.to_string(), calls.attempts)).collect();
        let expected = [("2031-02-27", 2), ("2031-02-28", 0), ("2031-03-01", 0), ("2031-03-02", 1)];
        assert_eq!(told, expected.map(|(day, n)| (day.to_owned(), n)));
        assert_eq!(whole_days(&[]).len(), 0);
    }
}
