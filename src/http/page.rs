//! The page at `/`: status for people, without script, from the same value as the JSON.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    error::ApiError,
    state::ServerState,
    status::{ShowAgents, status},
    today::today,
    wire::{Agents, Source, Status, overrides::OverrideView},
};
use crate::{
    domain::agent::AgentState,
    telemetry::{
        metrics::{PHASES, RETIRED},
        status::{CampaignStatus, Problem, Waiting},
    },
};

/// Seconds between two loads of the page.
const REFRESH_SECONDS: u32 = 5;
/// Most campaigns and problems shown; the JSON has all.
const ROWS_MAX: usize = 200;
/// Most results named for a campaign; the others are summed.
const RESULTS_SHOWN: usize = 3;

/// `?refresh=off` keeps the page still.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct PageQuery {
    /// `off` keeps the page still.
    refresh: Option<String>,
}

/// The page.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let still = query.is_ok_and(|Query(query)| query.refresh.as_deref() == Some("off"));
    let generation = state.generation.borrow().clone();
    let zone_name = generation.as_ref().map_or("UTC", |generation| generation.definitions.tenant.timezone.as_str());
    let zone = Zone::named(zone_name);
    let page =
        Page::of(&status(&state, &*today(&state).await, ShowAgents::Counted), &zone, state.clock.now().wall, still);
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "the page was not rendered");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the page was not rendered", "/api/v1/status has the same")
    })?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Html(html)).into_response())
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    instance: String,
    version: String,
    as_of: String,
    zone: String,
    refresh: Option<u32>,
    headline: Headline,
    permission: Option<&'static str>,
    overrides: Vec<String>,
    outbox: Vec<String>,
    all_paused: bool,
    tiles: Vec<Tile>,
    sources: Vec<SourceCard>,
    /// Whether any of them has a commit in force.
    any_commit: bool,
    problems: Vec<Problem>,
    problems_left_out: usize,
    lowered: Vec<Problem>,
    campaigns: Vec<CampaignRow>,
    campaigns_left_out: usize,
    agents_total: usize,
    agents: Vec<StateShare>,
}

/// How the daemon stands, in one line.
struct Headline {
    tone: &'static str,
    title: String,
    text: String,
}

struct Tile {
    label: &'static str,
    value: String,
    note: String,
}

struct SourceCard {
    name: String,
    owner: Option<String>,
    repository: String,
    branch: String,
    commit: Option<String>,
    subject: String,
    author: String,
    signed_by: Option<String>,
    committed: String,
    applied: String,
    newer: Option<String>,
    files: usize,
    conditions: Vec<ConditionRow>,
}

struct ConditionRow {
    kind: String,
    tone: &'static str,
    status: String,
    reason: String,
    message: String,
    since: String,
}

struct CampaignRow {
    id: String,
    name: String,
    phase: String,
    tone: &'static str,
    asks_for: Option<String>,
    waiting: Option<String>,
    contacts: Option<u64>,
    is_without_file: bool,
    done: String,
    all: String,
    percent: u64,
    live: u32,
    goals: Option<String>,
    results: Vec<(String, String)>,
}

struct StateShare {
    state: &'static str,
    label: String,
    count: usize,
    percent: f64,
}

/// Where times are shown.
/// The zone in which times are shown.
pub(super) struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    pub(super) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self { name: name.to_owned(), zone },
            Err(_) => Self { name: "UTC".to_owned(), zone: TimeZone::UTC },
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn show(&self, rfc3339: &str) -> String {
        match rfc3339.parse::<Timestamp>() {
            Ok(at) => at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => rfc3339.to_owned(),
        }
    }
}

impl Page {
    fn of(status: &Status, zone: &Zone, now: Timestamp, still: bool) -> Self {
        let mut campaigns = status.campaigns.list.clone();
        campaigns.sort_by(|a, b| (urgency(&a.phase), &a.id).cmp(&(urgency(&b.phase), &b.id)));
        Self {
            instance: status.instance.clone(),
            version: status.version.clone(),
            as_of: zone.show(&now.to_string()),
            zone: zone.name.clone(),
            refresh: (!still).then_some(REFRESH_SECONDS),
            headline: Headline::of(status),
            permission: permission(&status.dial),
            overrides: status.overrides.iter().map(|one| override_text(one, zone)).collect(),
            outbox: status.outbox.iter().map(|one| one.sentence(|at| zone.show(at))).collect(),
            all_paused: status.overrides.iter().any(|one| one.action == "pause" && one.is_of_all()),
            tiles: tiles(status),
            sources: status.sources.iter().map(|source| SourceCard::of(source, zone)).collect(),
            any_commit: status.sources.iter().any(|source| source.last_applied_revision.is_some()),
            problems_left_out: status.problems.len().saturating_sub(ROWS_MAX),
            problems: status.problems.iter().take(ROWS_MAX).cloned().collect(),
            lowered: status.lowered.clone(),
            campaigns_left_out: campaigns.len().saturating_sub(ROWS_MAX),
            campaigns: campaigns.iter().take(ROWS_MAX).map(|campaign| CampaignRow::of(campaign, zone)).collect(),
            agents_total: status.agents.total,
            agents: shares(&status.agents),
        }
    }
}

impl Headline {
    fn of(status: &Status) -> Self {
        let ready = |source: &&Source| source.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True");
        // Of several that which is in trouble.
        let source = status.sources.iter().find(|source| !ready(source)).or(status.sources.first());
        let condition = |kind: &str| source.and_then(|source| source.conditions.iter().find(|c| c.r#type == kind));
        let message = condition("Stalled").or(condition("Ready")).map(|c| c.message.as_str());
        let message = message.unwrap_or("The source has not been read yet.");
        let good = condition("Ready").is_some_and(|ready| ready.status == "True");
        let commit =
            source.and_then(|source| Some((source.last_applied_revision.as_deref()?, source.applied_commit.as_ref()?)));
        let text = match commit {
            Some((revision, commit)) if status.ready && good => {
                format!("{} {}, by {}", short_revision(revision), commit.subject, commit.author)
            }
            _ => message.to_owned(),
        };
        let of = source.filter(|_| status.sources.len() > 1).map(|source| format!("{}: ", source.name));
        let text = format!("{}{text}", of.unwrap_or_default());
        let (tone, title) = match (status.ready, good) {
            (true, true) => ("good", "The newest commit is in force"),
            (true, false) => ("warn", "The last good commit stays in force"),
            (false, _) if status.problems.is_empty() => ("idle", "No commit is in force yet"),
            (false, _) => ("bad", "No commit is in force: the newest one has problems"),
        };
        Self { tone, title: title.to_owned(), text }
    }
}

fn permission(dial: &str) -> Option<&'static str> {
    match dial {
        "none" => Some("Dialling is off on this daemon: [safety] dial = \"none\" in its settings. Nobody is called."),
        "listed" => Some("This daemon calls test numbers only: [safety] dial = \"listed\" in its settings."),
        _ => None,
    }
}

/// An override as a sentence, its end in the reader's zone.
fn override_text(one: &OverrideView, zone: &Zone) -> String {
    let OverrideView { id, does, until, by, reason, .. } = one;
    format!("Override {id} {does} until {}, by {by}: {reason}", zone.show(until))
}

fn tiles(status: &Status) -> Vec<Tile> {
    let phase = |name: &str| status.campaigns.by_phase.get(name).copied().unwrap_or(0);
    let state = |name: &str| status.agents.by_state.get(name).copied().unwrap_or(0);
    let signed_in = status.agents.total - state("signed_out").min(status.agents.total);
    let campaigns = &status.campaigns.list;
    let open: u64 = campaigns.iter().filter_map(|campaign| campaign.open_contacts).sum();
    let all: u64 = campaigns.iter().filter_map(|campaign| campaign.contacts).sum();
    let counting = if campaigns.iter().any(|campaign| campaign.contacts.is_none() && !campaign.is_without_file()) {
        ", counting"
    } else {
        ""
    };
    let today: u64 = campaigns.iter().flat_map(|campaign| campaign.results_today.values()).sum();
    let answered: u64 = campaigns.iter().filter_map(|campaign| campaign.results_today.get("answered")).sum();
    let goals: u64 = campaigns.iter().map(|campaign| campaign.goals_today).sum();
    let tile = |label, value: String, note: String| Tile { label, value, note };
    vec![
        tile("Live calls", status.live_calls.to_string(), format!("{} agents held", status.reserved_agents)),
        tile(
            "Agents signed in",
            signed_in.to_string(),
            format!("{} idle, {} in all", state("idle"), status.agents.total),
        ),
        tile("Campaigns running", phase("running").to_string(), beside(status.campaigns.total, phase(RETIRED))),
        tile(
            "Calls today",
            grouped(today),
            format!("{} answered, {} reached the goal", grouped(answered), grouped(goals)),
        ),
        tile("Contacts open", grouped(open), format!("of {}{counting}", grouped(all))),
    ]
}

/// Beside the campaigns that run: how many have a file, and how many have none any more.
fn beside(total: usize, retired: usize) -> String {
    let defined = total.saturating_sub(retired);
    if retired == 0 { format!("of {defined}") } else { format!("of {defined}, {retired} retired") }
}

impl SourceCard {
    fn of(source: &Source, zone: &Zone) -> Self {
        let short = |revision: &Option<String>| revision.as_deref().map(short_revision).map(str::to_owned);
        let (applied, observed) = (short(&source.last_applied_revision), short(&source.observed_revision));
        let commit = source.applied_commit.clone().unwrap_or_default();
        Self {
            name: source.name.clone(),
            owner: source.owner.clone(),
            repository: source.repository.clone(),
            branch: source.followed().to_owned(),
            newer: observed.filter(|observed| applied.as_ref() != Some(observed)),
            commit: applied,
            subject: commit.subject,
            author: commit.author,
            signed_by: commit.verified.map(|by| by.to_string()),
            committed: zone.show(&commit.time),
            applied: source.applied_at.as_deref().map(|at| zone.show(at)).unwrap_or_default(),
            files: source.files,
            conditions: source.conditions.iter().map(|condition| ConditionRow::of(condition, zone)).collect(),
        }
    }
}

impl ConditionRow {
    fn of(condition: &crate::telemetry::status::Condition, zone: &Zone) -> Self {
        // These are good while true; every other type stands for trouble.
        let is_good = matches!(condition.r#type.as_str(), "Ready" | "SourceVerified");
        let tone = match (is_good, condition.status.as_str()) {
            (_, "Unknown") => "idle",
            (true, "True") | (false, "False") => "good",
            _ => "bad",
        };
        Self {
            kind: condition.r#type.clone(),
            tone,
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: zone.show(&condition.last_transition_time),
        }
    }
}

impl CampaignRow {
    fn of(campaign: &CampaignStatus, zone: &Zone) -> Self {
        let (done, all) = (campaign.done().unwrap_or(0), campaign.contacts.unwrap_or(0));
        Self {
            id: campaign.id.clone(),
            name: if campaign.name.is_empty() { campaign.id.clone() } else { campaign.name.clone() },
            phase: words(&campaign.phase),
            tone: tone(campaign),
            asks_for: contradicts(campaign).then(|| campaign.desired.clone()),
            waiting: campaign.waiting.as_ref().map(|waiting| waiting_text(waiting, zone)),
            contacts: campaign.contacts,
            is_without_file: campaign.is_without_file(),
            done: grouped(done),
            all: grouped(all),
            percent: (done * 100).checked_div(all).unwrap_or(0),
            live: campaign.live_calls,
            goals: (campaign.goals_today > 0).then(|| grouped(campaign.goals_today)),
            results: top_results(&campaign.results_today)
                .into_iter()
                .map(|(name, count)| (name, grouped(count)))
                .collect(),
        }
    }
}

/// The hold as a sentence; its time too, where the sentence gives none in the reader's zone.
pub(super) fn waiting_text(waiting: &Waiting, zone: &Zone) -> String {
    match &waiting.until {
        Some(until) if waiting.message.contains(until.as_str()) => waiting.message.replace(until, &zone.show(until)),
        _ => waiting.message.clone(),
    }
}

fn top_results(results: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut sorted: Vec<(String, u64)> =
        results.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (words(name), *count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if sorted.len() > RESULTS_SHOWN + 1 {
        let others = sorted.split_off(RESULTS_SHOWN).iter().map(|(_, count)| count).sum();
        sorted.push(("other".to_owned(), others));
    }
    sorted
}

fn tone(campaign: &CampaignStatus) -> &'static str {
    match campaign.phase.as_str() {
        "running" if campaign.waiting.is_none() => "good",
        "running" | "draining" => "warn",
        "invalid" => "bad",
        _ => "idle",
    }
}

/// Whether the phase is not what the file asks for, so that both must be shown.
fn contradicts(campaign: &CampaignStatus) -> bool {
    matches!(
        (campaign.desired.as_str(), campaign.phase.as_str()),
        ("running", "paused" | "draining") | ("paused", "running")
    )
}

fn urgency(phase: &str) -> usize {
    const ORDER: [&str; 8] =
        ["invalid", "running", "draining", "paused", "not_started", "completed", "expired", RETIRED];
    ORDER.iter().position(|known| *known == phase).unwrap_or(PHASES.len())
}

fn shares(agents: &Agents) -> Vec<StateShare> {
    let shown = [
        AgentState::Talking,
        AgentState::Ringing,
        AgentState::Reserved,
        AgentState::WrapUp,
        AgentState::Idle,
        AgentState::Busy,
        AgentState::Rest,
        AgentState::Recovering,
        AgentState::SignedOut,
    ];
    let count = |state: AgentState| agents.by_state.get(state.as_str()).copied().unwrap_or(0);
    let total = u32::try_from(agents.total.max(1)).unwrap_or(u32::MAX);
    shown
        .into_iter()
        .map(|state| StateShare {
            state: state.as_str(),
            label: words(state.as_str()),
            count: count(state),
            percent: f64::from(u32::try_from(count(state)).unwrap_or(u32::MAX)) * 100.0 / f64::from(total),
        })
        .filter(|share| share.count > 0)
        .collect()
}

/// `no_answer` as people write it.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The first twelve digits of `branch@sha1:…`.
pub(super) fn short_revision(revision: &str) -> &str {
    let hex = revision.rsplit(':').next().unwrap_or(revision);
    hex.get(..12).unwrap_or(hex)
}

/// `12345` as `12 345`, with narrow spaces.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shaped_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(short_revision("main@sha1:0123456789abcdef0123"), "0123456789ab");
        assert_eq!(short_revision("odd"), "odd");
        let results = [("answered", 5), ("busy", 0), ("no_answer", 9), ("vacant", 1), ("rejected", 1), ("unknown", 1)];
        let results = results.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let shown = top_results(&results);
        assert_eq!(shown[0], ("no answer".to_owned(), 9));
        assert_eq!(shown.last().unwrap(), &("other".to_owned(), 2));
    }

    #[test]
    fn a_hold_is_told_in_the_readers_zone() {
        let zone = Zone::named("Asia/Shanghai");
        let waiting = Waiting {
            reason: "not_started".into(),
            message: "starts at 2031-03-01T00:00:00Z".into(),
            until: Some("2031-03-01T00:00:00Z".into()),
        };
        assert_eq!(waiting_text(&waiting, &zone), "starts at 2031-03-01 08:00:00");
    }
}
