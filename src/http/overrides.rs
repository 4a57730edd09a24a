//! Overrides: making, listing and ending them. None of it needs Git or the network.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    access::Actor,
    campaigns::campaign_id,
    change::Change,
    error::ApiError,
    journal,
    paging::{self, LIMIT, LIMIT_MAX},
    reconcile::look,
    sources,
    state::ServerState,
    wire::{
        cursor,
        overrides::{ListedOverride, NewOverride as Asked, OverrideList, OverrideMade, OverrideView},
    },
};
use crate::{
    config,
    control::DialCommand,
    domain::{
        ids::{CampaignId, Revision},
        overrides::{NewOverride, Order, Override, OverrideId, Scope, reason},
        person::Role,
    },
    gitops::{Later, Since, SourceError},
    store::{Event, EventKind},
};

/// What goes back to a commit.
const PIN: &str = "pin";

/// What its cursors are of.
const LIST: &str = "overrides";

const BODY: &str = "send {\"action\": \"pause\", \"campaign\": \"all\", \"reason\": …, \"until\": \"2h\"}";

/// Makes one; answered once the dialling loop goes by it.
pub(super) async fn make(
    State(state): State<Arc<ServerState>>,
    Extension(actor): Extension<Actor>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<OverrideMade>, ApiError> {
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not an override: {error}"), BODY))?;
    may_decide(&actor, asked.action == PIN)?;
    let order = order(&state, &asked).await?;
    let revert = match &order {
        Order::Pin { revision } => revert(&state, revision).await?,
        Order::Pause { .. } | Order::Resume { .. } => Vec::new(),
    };
    let made = put(&state, order, &asked.reason, &asked.until, &change).await?;
    follow(&state, change.by(), &made.order).await?;
    Ok(Json(OverrideMade { r#override: OverrideView::from(&*made), revert }))
}

/// Which commit is in force only an admin decides.
fn may_decide(actor: &Actor, is_pin: bool) -> Result<(), ApiError> {
    if is_pin && actor.role != Role::Admin {
        let error = format!("the role {} may not decide which commit is in force", actor.role);
        return Err(ApiError::new(StatusCode::FORBIDDEN, error, "ask an admin"));
    }
    Ok(())
}

/// Stores an override and has the dialling loop go by it.
pub(super) async fn put(
    state: &ServerState,
    order: Order,
    why: &str,
    until: &str,
    change: &Change,
) -> Result<Arc<Override>, ApiError> {
    let now = state.clock.now().wall;
    let why = reason(why).map_err(|error| ApiError::unfit(error.to_string(), "give it with --reason"))?;
    let new = NewOverride { order, reason: why.to_owned(), by: change.by().to_owned(), until: end(until, now)? };
    let admitted = state.store.overrides().admit(&new, now, state.longest_override);
    admitted.map_err(|refusal| {
        ApiError::new(StatusCode::CONFLICT, refusal.to_string(), "`dialops override list` shows what is in force")
    })?;
    let made = change.about(new.order.to_string()).store(state).add_override(new).await?;
    let Override { id, order, reason, by, until, .. } = &*made;
    tracing::warn!(%id, does = %order, reason, by, %until, "an override is in force");
    let cancel_ringing = match order {
        Order::Pause { scope, cancel_ringing: true } => Some(scope.clone()),
        Order::Pause { .. } | Order::Resume { .. } | Order::Pin { .. } => None,
    };
    told(state, cancel_ringing).await;
    write_down(state, EventKind::OverrideBegan, order, change.by(), format!("{by}: {order} until {until}: {reason}"))
        .await;
    Ok(made)
}

async fn write_down(state: &ServerState, kind: EventKind, order: &Order, by: &str, message: String) {
    let (campaign, revision) = match order {
        Order::Pause { scope: Scope::Campaign(campaign), .. } | Order::Resume { scope: Scope::Campaign(campaign) } => {
            (Some(campaign.clone()), None)
        }
        Order::Pause { scope: Scope::All, .. } | Order::Resume { scope: Scope::All } => (None, None),
        Order::Pin { revision } => (None, Some(revision.clone())),
    };
    let event = Event::new(state.clock.now().wall, kind, message);
    journal::write_down(state, Event { campaign, revision, by: Some(by.to_owned()), ..event }).await;
}

/// Has the dialling loop read what is in force, and waits until it has.
async fn told(state: &ServerState, cancel_ringing: Option<Scope>) {
    let (done, taken) = oneshot::channel();
    // A loop that has stopped dials nobody.
    if state.dialer.send(DialCommand::Overridden { cancel_ringing, done }).await.is_ok() {
        let _stopped = taken.await;
    }
}

/// Which ones are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Past ones too.
    #[serde(default)]
    all: bool,
    /// Where the page begins: what `next` of the one before said.
    cursor: Option<String>,
    /// How long it may be; 100 unless given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Those in force; past ones too if asked for.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<OverrideList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `all=true`"))?;
    let before = paging::after(LIST, query.cursor.as_deref())?.map(OverrideId);
    let limit = paging::limit(query.limit, LIMIT, LIMIT_MAX)?;
    let now = state.clock.now().wall;
    let records = state.store.override_records(before, limit).await?;
    let last = records.last().filter(|_| paging::is_full(&records, limit));
    let next = last.map(|record| cursor::behind(LIST, record.made.id.0));
    let listed = records.iter().map(|record| ListedOverride::of(record, now));
    Ok(Json(OverrideList { overrides: listed.filter(|one| query.all || one.active).collect(), next }))
}

/// Ends one before its time.
pub(super) async fn end_now(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
    Extension(change): Extension<Change>,
) -> Result<Json<OverrideView>, ApiError> {
    let none = || {
        let error = format!("no override {id:?} is in force");
        ApiError::new(StatusCode::NOT_FOUND, error, "`dialops override list` shows those that are")
    };
    let number = OverrideId(id.parse().map_err(|_| none())?);
    let now = state.clock.now().wall;
    let found = state.store.overrides().in_force(now).find(|one| one.id == number).cloned().ok_or_else(none)?;
    may_decide(&actor, matches!(found.order, Order::Pin { .. }))?;
    if !change.store(&state).end_override(number, change.by()).await? {
        return Err(none());
    }
    tracing::warn!(id = %number, does = %found.order, by = change.by(), "an override was ended");
    told(&state, None).await;
    let message = format!("{} ended override {number}: {}", change.by(), found.order);
    write_down(&state, EventKind::OverrideEnded, &found.order, change.by(), message).await;
    follow(&state, change.by(), &found.order).await?;
    Ok(Json(OverrideView::from(&*found)))
}

/// Has the reconciling loop follow what a pin says, or says no more.
async fn follow(state: &ServerState, by: &str, order: &Order) -> Result<(), ApiError> {
    match order {
        Order::Pin { .. } => look(state, by, None, false).await.map(drop),
        Order::Pause { .. } | Order::Resume { .. } => Ok(()),
    }
}

async fn order(state: &ServerState, asked: &Asked) -> Result<Order, ApiError> {
    match asked.action.as_str() {
        "pause" => Ok(Order::Pause { scope: scope(state, asked).await?, cancel_ringing: asked.cancel_ringing }),
        "resume" => Ok(Order::Resume { scope: scope(state, asked).await? }),
        PIN => pin(state, asked.revision.as_deref()).await,
        other => Err(ApiError::bad_request(format!("{other:?} is nothing that an override does"), BODY)),
    }
}

/// A pin goes back in the history of the branch, to a commit whose files are good.
async fn pin(state: &ServerState, named: Option<&str>) -> Result<Order, ApiError> {
    let named = named.ok_or_else(|| ApiError::unfit("a pin needs a commit", "send {\"revision\": COMMIT}"))?;
    let unusable = |error: SourceError| ApiError::unfit(error.to_string(), "`git log` shows the commits of the branch");
    let (at, revision) = resolve(state, named).await.map_err(unusable)?;
    let repository = &state.sources[at];
    let newest = newest(state, at)?;
    if !repository.descends(&newest, &revision).await.map_err(unusable)? {
        let error = format!("commit {} is not in the history of {}", revision.short(), newest.short());
        return Err(ApiError::unfit(error, "a pin goes back to a commit that the branch was at"));
    }
    let now = state.clock.now().wall;
    repository.verify(&revision, Since::Head, now).await.map_err(|error| {
        ApiError::unfit(error.to_string(), "a pin is verified as any commit; `git log --show-signature` helps")
    })?;
    let files = repository.read(&revision).await.map_err(unusable)?;
    let generation = state.generation.borrow().clone();
    let others = match generation {
        Some(generation) => sources::beside(state, at, &generation).await?,
        None => Vec::new(),
    };
    let loader = Arc::clone(&state.loader);
    let checked = tokio::task::spawn_blocking(move || {
        let loaded: Vec<_> = files.loaded().chain(others.iter().flat_map(|other| other.loaded())).collect();
        loader.load(&files.prefix, &loaded).err().map(|found| found.len())
    });
    match checked.await.map_err(|_| ApiError::busy("checking"))? {
        None => Ok(Order::Pin { revision }),
        Some(found) => {
            let error =
                format!("commit {} has {found} problem(s) by this version and these settings", revision.short());
            Err(ApiError::unfit(error, "pin an earlier one"))
        }
    }
}

/// The commit of a name, and the place of the source that has it.
async fn resolve(state: &ServerState, named: &str) -> Result<(usize, Revision), SourceError> {
    let first = state.sources[0].resolve(named).await.map(|revision| (0, revision));
    if first.is_ok() {
        return first;
    }
    for (at, source) in state.sources.iter().enumerate().skip(1) {
        if let Ok(revision) = source.resolve(named).await {
            return Ok((at, revision));
        }
    }
    first
}

/// The place of the source that has a commit.
async fn holder(state: &ServerState, revision: &Revision) -> usize {
    for (at, source) in state.sources.iter().enumerate() {
        if source.has(revision).await.unwrap_or(false) {
            return at;
        }
    }
    0
}

/// The newest commit of a source's branch that was seen, else the one in force.
fn newest(state: &ServerState, at: usize) -> Result<Revision, ApiError> {
    let status = state.reconcile.borrow();
    let source = status.sources.get(at);
    let shown = source.and_then(|one| one.observed_revision.as_deref().or(one.last_applied_revision.as_deref()));
    let revision = shown.and_then(|shown| Revision::parse(shown.rsplit(':').next().unwrap_or(shown)));
    revision.ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no commit of the branch was seen yet", hint)
    })
}

/// The commands that would make a pin last: they undo what came after its commit, the newest first.
async fn revert(state: &ServerState, pinned: &Revision) -> Result<Vec<String>, ApiError> {
    let at = holder(state, pinned).await;
    let newest = newest(state, at)?;
    let later = state.sources[at].later_than(pinned, &newest).await.map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "see to the daemon's repository")
    })?;
    let range = format!("git revert --no-edit {pinned}..{newest}");
    Ok(match later {
        Some(later) if later.is_empty() => Vec::new(),
        Some(later) if later.iter().any(|commit| commit.is_merge) => later.iter().map(undo).collect(),
        Some(_) | None => vec![range],
    })
}

fn undo(commit: &Later) -> String {
    let mainline = if commit.is_merge { "-m 1 " } else { "" };
    format!("git revert --no-edit {mainline}{}", commit.revision)
}

async fn scope(state: &ServerState, asked: &Asked) -> Result<Scope, ApiError> {
    match asked.campaign.as_deref() {
        None => Err(ApiError::unfit("an override needs a campaign, or \"all\"", BODY)),
        Some("all") => Ok(Scope::All),
        Some(id) => known(state, campaign_id(id)?).await.map(Scope::Campaign),
    }
}

/// A campaign that the store has.
async fn known(state: &ServerState, id: CampaignId) -> Result<CampaignId, ApiError> {
    let found = state.store.campaigns().await?.into_iter().any(|row| row.id == id && !row.retired);
    if found { Ok(id) } else { Err(ApiError::no_campaign(&id)) }
}

/// The end of an override that is made at `now`: a time, or how long it holds.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let lasting = config::duration(text).map(Duration::from_secs);
    let after = lasting.and_then(|lasting| now.checked_add(SignedDuration::try_from(lasting).ok()?).ok());
    after.or_else(|| text.parse().ok()).ok_or_else(|| {
        let error = format!("{text:?} is no end of an override");
        ApiError::unfit(
            error,
            "write how long it holds, such as 30m or 2h, or a time such as 2031-03-01T09:00:00+08:00",
        )
    })
}
