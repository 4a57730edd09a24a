//! Plans: what a set of files would change, and what that does to contacts.
//!
//! The client sends how its files differ from the commit in force. The daemon reads the result under
//! its own ceilings, tells what would change at once, and then counts contacts campaign by campaign,
//! in short looks at the store, so that dialling is not held up.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{
    error::ApiError,
    lines::{answer, line},
    sources::{self, Which},
    state::ServerState,
    wire::{
        overrides::OverrideView,
        plan::{CampaignCounts, GuardsView, KeptFileView, Live, PlanEvent, PlanRequest, Step, Structure},
    },
};
use crate::{
    config::{Diagnostic, LoadedFile, Loader, diagnostic::Severity},
    domain::{
        campaign::{Campaign, Definitions, Generation},
        ids::{CampaignId, Revision},
        plan::{
            self, Verb,
            impact::{Counts, Outlook},
        },
    },
    gitops::CommitFiles,
    store::{StoreError, StoredCampaign},
};

/// Longest body: more than all files of a commit may have together.
pub(super) const BODY_BYTES_MAX: usize = 80 * 1024 * 1024;

/// Contacts of one look at the store.
const PAGE_LENGTH: u32 = 500;

/// Lines on their way to the client; counting waits when it does not read.
const LINES_WAITING_MAX: usize = 64;

/// Plans that are counted at once.
static COUNTING: Semaphore = Semaphore::const_new(2);

/// What is in force.
pub(super) async fn generation(
    State(state): State<Arc<ServerState>>,
    Query(which): Query<Which>,
) -> Result<Json<Live>, ApiError> {
    let source = &state.sources[which.place(&state)?];
    let applied = state.store.applied_commits().await?.remove(sources::id(source)).filter(|_| state.is_ready());
    let campaigns = state.store.campaigns().await?;
    let now = state.clock.now().wall;
    let ids = |which: &dyn Fn(&StoredCampaign) -> bool| {
        campaigns.iter().filter(|campaign| which(campaign)).map(|campaign| campaign.id.to_string()).collect()
    };
    Ok(Json(Live {
        instance: state.instance.name.clone(),
        epoch: state.store.epoch().0,
        sources: state.sources.iter().map(|source| sources::id(source).to_string()).collect(),
        revision: applied.as_ref().map(|(revision, _)| revision.to_string()),
        applied_at: applied.map(|(_, at)| at.to_string()),
        retired: ids(&|campaign| campaign.retired || campaign.removed_at.is_some()),
        expired: ids(&|campaign| campaign.ends_at.is_some_and(|ends_at| ends_at <= now)),
        guards: Some(GuardsView::of(&state.guards, now)),
        overrides: state.store.overrides().in_force(now).map(|one| OverrideView::from(&**one)).collect(),
        kept: KeptFileView::of(&source.settings().label(), &state.store.kept_files().await?),
    }))
}

/// Plans the files; the answer is one JSON object a line.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    request: Result<Json<PlanRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(request) = request.map_err(|rejection| {
        ApiError::new(rejection.status(), rejection.body_text(), "send {\"base\": COMMIT, \"files\": {PATH: TEXT}}")
    })?;
    let at = request.source.as_deref().map_or(Ok(0), |id| sources::place(&state, id))?;
    let generation = generation_in_force(&state, at, &request.base)?;
    let base = sources::in_force(&state.sources[at], &generation).await?;
    let base = base.ok_or_else(|| ApiError::busy("reconciling"))?;
    let others = sources::beside(&state, at, &generation).await?;
    let permit = COUNTING.try_acquire().map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "other plans are being counted", "try again in a moment")
    })?;
    let loader = Arc::clone(&state.loader);
    let loaded = tokio::task::spawn_blocking(move || load(&base, &others, &request, &loader));
    let mut planned = loaded.await.map_err(|_| ApiError::busy("planning"))?.map_err(|found| refused(&found))?;
    let now = state.clock.now().wall;
    // Only of new ones the store has to tell whether they return.
    let known = &generation.definitions.campaigns;
    let any_new = planned.campaigns.keys().any(|id| !known.contains_key(id));
    let stored = if any_new { state.store.campaigns().await? } else { Vec::new() };
    let ended_at = |id: &CampaignId| match known.get(id) {
        Some(campaign) => Some(campaign.ends_at),
        None => stored.iter().find(|row| row.id == *id)?.ends_at,
    };
    planned.keep_expired(ended_at, now);
    let changed = changed(&generation.definitions, &planned);
    let steps = steps(&generation.definitions, &planned, &changed, &stored);
    let (lines, told) = mpsc::channel(LINES_WAITING_MAX);
    let counting = Counting { state, generation, planned: Arc::new(planned), steps, now, lines, _permit: permit };
    tokio::spawn(counting.run());
    let body = Body::from_stream(ReceiverStream::new(told).map(Ok::<Bytes, Infallible>));
    Ok(answer(body))
}

/// The generation in force, if it is the one that the client means.
fn generation_in_force(state: &ServerState, at: usize, base: &str) -> Result<Arc<Generation>, ApiError> {
    let generation = state.generation.borrow().clone().ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no commit is in force yet", hint)
    })?;
    let revision = sources::revision_of(&state.sources[at], &generation);
    if revision.is_none_or(|revision| revision.as_str() != base) {
        let revision = revision.map_or("none", Revision::as_str);
        let error = format!("commit {revision} is in force now, not the one that was planned from");
        return Err(ApiError::new(StatusCode::CONFLICT, error, "plan again"));
    }
    Ok(generation)
}

/// The definitions of what is in force with the client's files over it.
fn load(
    base: &CommitFiles,
    others: &[Arc<CommitFiles>],
    request: &PlanRequest,
    loader: &Loader,
) -> Result<Definitions, Vec<Diagnostic>> {
    let stays = base.loaded().filter(|file| !request.files.contains_key(file.path));
    let sent = request.files.iter().filter_map(|(path, text)| {
        let bytes = text.as_ref()?.as_bytes().into();
        Some(LoadedFile { folder: &base.prefix, path, bytes })
    });
    let beside = others.iter().flat_map(|other| other.loaded());
    let files: Vec<LoadedFile<'_>> = stays.chain(sent).chain(beside).collect();
    loader.load(&base.prefix, &files).map(|(definitions, _)| definitions)
}

/// The daemon would not take these files.
fn refused(found: &[Diagnostic]) -> ApiError {
    let errors: Vec<&Diagnostic> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    let first = errors.first().map(|d| {
        let at = &d.location;
        format!("; first {}:{}:{}: {} [{}]", at.file, at.line, at.column, d.message, d.code)
    });
    let error = format!("the daemon would refuse this: {} problem(s){}", errors.len(), first.unwrap_or_default());
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, "check with the daemon's settings: `--settings FILE`")
}

/// A campaign before and after; `None` before if it is new.
type Changed<'d> = (Option<&'d Arc<Campaign>>, &'d Arc<Campaign>);

/// Every campaign that is new or not the same.
fn changed<'d>(now: &'d Definitions, planned: &'d Definitions) -> Vec<Changed<'d>> {
    let pairs = planned.campaigns.values().map(|campaign| (now.campaigns.get(&campaign.id), campaign));
    pairs.filter(|(before, campaign)| !Campaign::same(*before, Some(campaign))).collect()
}

/// What is done to every campaign that is not the same, what stops calls first.
fn steps(
    now: &Definitions,
    planned: &Definitions,
    changed: &[Changed<'_>],
    stored: &[StoredCampaign],
) -> Vec<(Verb, CampaignId)> {
    let gone = now.campaigns.keys().filter(|id| !planned.campaigns.contains_key(*id));
    let known: BTreeSet<&CampaignId> = stored.iter().map(|row| &row.id).collect();
    let mut steps: Vec<(Verb, CampaignId)> = gone.map(|id| (Verb::Retire, id.clone())).collect();
    for (before, campaign) in changed {
        let state = match before {
            Some(before) => Some(Some(before.desired)),
            None => known.contains(&campaign.id).then_some(None),
        };
        steps.extend(plan::verb(state, campaign.desired, before.is_some()).map(|verb| (verb, campaign.id.clone())));
    }
    steps.sort();
    steps
}

/// A plan while its contacts are counted.
struct Counting {
    state: Arc<ServerState>,
    generation: Arc<Generation>,
    planned: Arc<Definitions>,
    steps: Vec<(Verb, CampaignId)>,
    now: Timestamp,
    lines: mpsc::Sender<Bytes>,
    _permit: SemaphorePermit<'static>,
}

impl Counting {
    async fn run(self) {
        let step = |(verb, id): &(Verb, CampaignId)| Step { campaign: id.to_string(), step: verb.as_str().to_owned() };
        let structure = Structure {
            epoch: self.state.store.epoch().0,
            revision: self.generation.revision.to_string(),
            campaigns: self.steps.iter().map(step).collect(),
        };
        let mut told = self.tell(&PlanEvent::Structure(structure)).await;
        for (_, id) in &self.steps {
            if !told {
                // Nobody reads any more.
                return;
            }
            let counted = match self.count(id).await {
                Ok(counts) => PlanEvent::Counts(counts),
                Err(error) => {
                    self.tell(&PlanEvent::Failed(ApiError::from(error).into_body())).await;
                    return;
                }
            };
            told = self.tell(&counted).await;
        }
        self.tell(&PlanEvent::Done).await;
    }

    async fn tell(&self, event: &PlanEvent) -> bool {
        self.lines.send(line(event)).await.is_ok()
    }

    /// Goes through a campaign's contacts, page by page.
    async fn count(&self, id: &CampaignId) -> Result<CampaignCounts, StoreError> {
        let live = match self.state.store.tally(id).await {
            Ok(tally) => tally.live,
            // It is new.
            Err(StoreError::UnknownCampaign(_)) => {
                return Ok(CampaignCounts::new(id.to_string(), Counts::default(), 0));
            }
            Err(error) => return Err(error),
        };
        let mut counts = Counts::default();
        let mut after = None;
        loop {
            let page = self.state.store.contacts_page(id, after.as_ref(), PAGE_LENGTH).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.customer.clone());
            let (generation, planned, now) = (Arc::clone(&self.generation), Arc::clone(&self.planned), self.now);
            let id = id.clone();
            let counted = tokio::task::spawn_blocking(move || {
                let before = generation.definitions.campaigns.get(&id).map(|campaign| Outlook::new(campaign, now));
                let after = planned.campaigns.get(&id).map(|campaign| Outlook::new(campaign, now));
                page.iter().for_each(|contact| counts.add(before.as_ref(), after.as_ref(), contact));
                counts
            });
            counts = counted.await.map_err(|_| StoreError::Closed)?;
            if self.lines.is_closed() {
                break;
            }
        }
        Ok(CampaignCounts::new(id.to_string(), counts, live))
    }
}
