//! Questionnaires: the one of an agent's call at hand, of an attempt, and what was answered in a campaign.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    business::call_of,
    campaigns::{campaign_id, parse_attempt},
    change::Change,
    error::ApiError,
    lines::{answer, line},
    paging,
    state::ServerState,
    wire::{
        cursor,
        forms::ATTEMPT,
        questionnaire::{
            AnswersEvent, CountsView, FilledView, QuestionnaireView, SaveQuestionnaire, VersionCountsView,
        },
    },
};
use crate::{
    domain::{
        ids::{AgentId, AttemptId, CampaignId},
        survey::{
            answer::{self, Answers, BadAnswer},
            counts::AnswerCounts,
            path::complete,
        },
    },
    store::{
        StoreError,
        questionnaire::{AnswersDecision, FilledQuestionnaire, NotSaved, SaveAnswers, Saved},
    },
};

/// How long an agent may save after the call and its wrap-up: what was written while a connection was lost still comes.
pub(super) const LATE_FOR: Duration = Duration::from_secs(15 * 60);

/// Attempts that are read at once.
const PAGE_LENGTH: u32 = 1_000;

/// Longest body: many questions, each with a long text.
pub(super) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

const BODY: &str = "send {\"base\": SEQUENCE, \"answers\": {\"QUESTION\": ANSWER, …}}";

/// Which questionnaire an agent asks for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptQuery {
    /// Of which attempt; of the call at hand unless given.
    #[schemars(regex(pattern = ATTEMPT))]
    attempt: Option<String>,
}

/// The questionnaire of an agent's call, or of the one that has just ended.
pub(super) async fn of_call(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    query: Result<Query<AttemptQuery>, QueryRejection>,
) -> Result<Json<QuestionnaireView>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `attempt`"))?;
    let filled = own(&state, &agent, query.attempt.as_deref()).await?;
    Ok(Json(for_agent(&filled)))
}

/// Saves a draft of it.
pub(super) async fn save_of_call(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<QuestionnaireView>, ApiError> {
    of_call_saved(&state, &agent, &change, &body, false).await.map(Json)
}

/// Completes it.
pub(super) async fn complete_of_call(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<QuestionnaireView>, ApiError> {
    of_call_saved(&state, &agent, &change, &body, true).await.map(Json)
}

/// The questionnaire of an attempt.
pub(super) async fn of_attempt(
    State(state): State<Arc<ServerState>>,
    Path(attempt): Path<String>,
) -> Result<Json<QuestionnaireView>, ApiError> {
    Ok(Json(QuestionnaireView::from(&find(&state, parse_attempt(&attempt)?).await?)))
}

/// Saves a draft of it.
pub(super) async fn save_of_attempt(
    State(state): State<Arc<ServerState>>,
    Path(attempt): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<QuestionnaireView>, ApiError> {
    of_attempt_saved(&state, &attempt, &change, &body, false).await.map(Json)
}

/// Completes it, or corrects it once it is complete.
pub(super) async fn complete_of_attempt(
    State(state): State<Arc<ServerState>>,
    Path(attempt): Path<String>,
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<QuestionnaireView>, ApiError> {
    of_attempt_saved(&state, &attempt, &change, &body, true).await.map(Json)
}

async fn of_call_saved(
    state: &ServerState,
    agent: &str,
    change: &Change,
    body: &Bytes,
    is_complete: bool,
) -> Result<QuestionnaireView, ApiError> {
    let wanted = read(body)?;
    let filled = own(state, agent, wanted.attempt.as_deref()).await?;
    let change = change.about(format!("agent {agent}, attempt {}", filled.attempt));
    save(state, &change, &filled, wanted, is_complete).await.map(|filled| for_agent(&filled))
}

async fn of_attempt_saved(
    state: &ServerState,
    attempt: &str,
    change: &Change,
    body: &Bytes,
    is_complete: bool,
) -> Result<QuestionnaireView, ApiError> {
    let filled = find(state, parse_attempt(attempt)?).await?;
    save(state, change, &filled, read(body)?, is_complete).await.map(|filled| QuestionnaireView::from(&filled))
}

/// What an agent is shown: not who the customer is.
fn for_agent(filled: &FilledQuestionnaire) -> QuestionnaireView {
    let view = QuestionnaireView::from(filled);
    QuestionnaireView { filled: FilledView { customer: None, ..view.filled }, ..view }
}

fn read(body: &Bytes) -> Result<SaveQuestionnaire, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a questionnaire's answers: {error}"), BODY))
}

async fn find(state: &ServerState, attempt: AttemptId) -> Result<FilledQuestionnaire, ApiError> {
    state.store.questionnaire(attempt).await?.ok_or_else(|| not_saved(&NotSaved::NoQuestionnaire(attempt)))
}

/// The questionnaire of the call that an agent is in, wraps up or has just had; `None` if that asks nothing, and while
/// the customer is yet to be called.
pub(super) async fn at_hand(state: &ServerState, agent: &AgentId) -> Result<Option<FilledQuestionnaire>, StoreError> {
    if let Some(call) = call_of(state, agent.as_str()) {
        return state.store.questionnaire(call.attempt).await;
    }
    let Some(last) = state.store.attempts_of(agent, 1).await?.pop() else { return Ok(None) };
    let filled = state.store.questionnaire(last.attempt).await?;
    let now = state.clock.now().wall;
    Ok(filled.filter(|filled| filled.connected_at.is_some() && is_open(filled, now)))
}

/// Until when an agent may save it; `None` while the call goes on.
pub(super) fn late_until(filled: &FilledQuestionnaire) -> Option<Timestamp> {
    filled.ended_at.map(|ended| ended + LATE_FOR)
}

fn is_open(filled: &FilledQuestionnaire, now: Timestamp) -> bool {
    late_until(filled).is_none_or(|until| now < until)
}

/// The questionnaire that an agent may fill in.
async fn own(state: &ServerState, agent: &str, attempt: Option<&str>) -> Result<FilledQuestionnaire, ApiError> {
    let none = || {
        let error = format!("agent {agent:?} has no questionnaire to fill in now");
        ApiError::new(StatusCode::CONFLICT, error, "a supervisor can complete those of calls that are over")
    };
    let agent = AgentId::parse(agent).map_err(|_| none())?;
    let Some(attempt) = attempt.map(parse_attempt).transpose()? else {
        return at_hand(state, &agent).await?.ok_or_else(none);
    };
    let is_at_hand = call_of(state, agent.as_str()).is_some_and(|call| call.attempt == attempt);
    let filled = state.store.questionnaire(attempt).await?.ok_or_else(none)?;
    let is_own = filled.agent == agent && is_open(&filled, state.clock.now().wall);
    if is_at_hand || is_own { Ok(filled) } else { Err(none()) }
}

/// Has answers held against their questions and stored.
async fn save(
    state: &ServerState,
    change: &Change,
    filled: &FilledQuestionnaire,
    wanted: SaveQuestionnaire,
    is_complete: bool,
) -> Result<FilledQuestionnaire, ApiError> {
    let questions = &filled.questionnaire.questions;
    let answers = match wanted.answers {
        Some(given) => {
            let given = given.into_iter().filter_map(|(id, given)| Some((id, given?.into())));
            answer::read(questions, given.collect()).map_err(|bad| no_answers(&bad))?
        }
        None => filled.answers.clone(),
    };
    let answers = if is_complete { completed(filled, &answers)? } else { answers };
    let saved = Saved { by: change.by().to_owned(), at: state.clock.now().wall };
    let request = SaveAnswers { attempt: filled.attempt, base: wanted.base, answers, complete: is_complete, saved };
    // A draft is saved as it is typed: the audit log has who began, and not each word.
    let goes_on = !is_complete && filled.changed.as_ref().is_some_and(|saved| saved.by == change.by());
    let decided = if goes_on {
        state.store.save_answers(request).await?
    } else {
        change.store(state).save_answers(request).await?
    };
    match decided {
        AnswersDecision::Saved { filled, changed } => {
            if goes_on || !changed {
                change.was_written();
            }
            Ok(*filled)
        }
        AnswersDecision::Refused(refusal) => Err(not_saved(&refusal)),
    }
}

/// The answers of a questionnaire that is complete.
fn completed(filled: &FilledQuestionnaire, answers: &Answers) -> Result<Answers, ApiError> {
    if filled.connected_at.is_none() {
        let error = format!("nobody has talked to the customer in attempt {}", filled.attempt);
        return Err(ApiError::new(StatusCode::CONFLICT, error, "complete it once agent and customer are connected"));
    }
    let questions = &filled.questionnaire.questions;
    complete(questions, answers).map_err(|missing| {
        let text = |id| questions.iter().find(|question| question.id == id).map_or("", |question| &question.text);
        let named: Vec<String> = missing.into_iter().map(|id| format!("{id} ({:?})", text(id.clone()))).collect();
        let error = format!("required answers are missing: {}", named.join(", "));
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, "what was answered so far can be saved as a draft")
    })
}

fn no_answers(bad: &[BadAnswer]) -> ApiError {
    let error = bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error, "nothing was saved")
}

fn not_saved(refusal: &NotSaved) -> ApiError {
    let (status, hint) = match refusal {
        NotSaved::NoQuestionnaire(_) => (StatusCode::NOT_FOUND, "`dialops questionnaire list` shows what was answered"),
        NotSaved::Erased(_) => (StatusCode::CONFLICT, "nothing was saved"),
        NotSaved::Changed(_) => (StatusCode::CONFLICT, "read them again, and save upon their `sequence`"),
        NotSaved::Complete(_) => (StatusCode::CONFLICT, "complete it again with what is to be corrected"),
    };
    ApiError::new(status, refusal.to_string(), hint)
}

/// Which answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Where it begins: what `next` of the last line said.
    cursor: Option<String>,
    /// How many there may be; all unless given.
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// What was answered in a campaign, one JSON object a line.
pub(super) async fn list(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text(), "use `cursor` and `limit`"))?;
    let after: Option<String> = paging::after(cursor::ANSWERS, query.cursor.as_deref())?;
    let after = after.map(|after| AttemptId::parse(&after).ok_or_else(paging::no_cursor)).transpose()?;
    paging::limit(query.limit, u32::MAX, u32::MAX)?;
    let listing = Listing { state, campaign: campaign.clone(), left: query.limit };
    // Whether there is such a campaign is told before anything else.
    let (first, rest) = listing.page(after).await?;
    tracing::info!(%campaign, "answers are listed");
    let others = stream::unfold(rest, |rest| async move {
        let (listing, after) = rest?;
        Some(match listing.page(after).await {
            Ok(page) => page,
            Err(error) => (line(&AnswersEvent::Failed(ApiError::from(error).into_body())), None),
        })
    });
    Ok(answer(Body::from_stream(stream::iter([first]).chain(others).map(Ok::<Bytes, Infallible>))))
}

/// A list that is under way.
struct Listing {
    state: Arc<ServerState>,
    campaign: CampaignId,
    /// How many more are wanted.
    left: Option<u32>,
}

impl Listing {
    /// The lines behind an attempt, and how it goes on.
    async fn page(
        mut self,
        after: Option<AttemptId>,
    ) -> Result<(Bytes, Option<(Self, Option<AttemptId>)>), StoreError> {
        let limit = self.left.map_or(PAGE_LENGTH, |left| left.min(PAGE_LENGTH));
        let page = self.state.store.questionnaire_page(&self.campaign, after, limit).await?;
        let count = u32::try_from(page.len()).unwrap_or(u32::MAX);
        let mut lines: Vec<u8> =
            page.iter().flat_map(|filled| line(&AnswersEvent::Answers(Box::new(FilledView::from(filled))))).collect();
        let last = page.last().map(|filled| filled.attempt).or(after);
        self.left = self.left.map(|left| left.saturating_sub(count));
        let (is_full, is_enough) = (count >= limit, self.left == Some(0));
        if is_full && !is_enough {
            return Ok((lines.into(), Some((self, last))));
        }
        let next = last.filter(|_| is_full).map(|attempt| cursor::behind(cursor::ANSWERS, attempt));
        lines.extend(line(&AnswersEvent::Done { next }));
        Ok((lines.into(), None))
    }
}

/// How often what was answered in a campaign.
pub(super) async fn counts(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
) -> Result<Json<CountsView>, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let asked = state.store.asked(&campaign).await?;
    let mut counted: BTreeMap<usize, AnswerCounts> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = state.store.questionnaire_page(&campaign, after, PAGE_LENGTH).await?;
        // What was noted in calls that nobody took belongs to no conversation.
        for filled in page.iter().filter(|filled| filled.connected_at.is_some()) {
            // One that is asked for the first time meanwhile is in the next count.
            let Some(at) = asked.iter().position(|asked| asked.questionnaire == filled.questionnaire) else { continue };
            let questions = &filled.questionnaire.questions;
            counted.entry(at).or_default().take(questions, &filled.answers, filled.completed.is_some());
        }
        after = page.last().map(|filled| filled.attempt);
        if page.len() < PAGE_LENGTH as usize {
            break;
        }
    }
    let versions = asked.iter().enumerate().map(|(at, asked)| {
        VersionCountsView::of(&asked.questionnaire, asked.connected, counted.remove(&at).unwrap_or_default())
    });
    Ok(Json(CountsView { versions: versions.collect() }))
}
