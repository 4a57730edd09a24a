//! The questionnaire on the agent page. What was answered is no part of the section: the page asks for it, so that
//! nothing that is being typed is ever replaced.

use askama::Template;

use crate::{
    domain::{
        ids::AgentId,
        survey::{
            AnswerKind, Question,
            answer::{NUMBER_MAX, TEXT_LENGTH_MAX},
        },
    },
    http::{
        error::ApiError,
        page::Zone,
        questionnaire::{at_hand, late_until},
        state::ServerState,
        wire::questionnaire::{QuestionView, kind},
    },
    store::questionnaire::FilledQuestionnaire,
    telemetry::status::AgentStatus,
};

/// Most steps of a scale that are shown as a row of choices; with more it is a number.
const STEPS_MAX: u32 = 20;

struct Field {
    id: String,
    text: String,
    kind: &'static str,
    required: bool,
    /// Where it goes on, as JSON.
    goto: String,
    choices: Vec<String>,
    min: i64,
    max: i64,
}

struct Form {
    attempt: String,
    name: String,
    note: String,
    questions: Vec<Field>,
}

/// The section.
#[derive(Template)]
#[template(path = "desk/questions.html")]
pub(super) struct QuestionsSection {
    agent: String,
    asked: Option<Form>,
    /// What stands there while there is none.
    instead: &'static str,
    text_length_max: usize,
}

impl QuestionsSection {
    /// As of now.
    pub(super) async fn of(
        state: &ServerState,
        agent: &AgentId,
        status: &AgentStatus,
        zone: &Zone,
    ) -> Result<Self, ApiError> {
        let found = at_hand(state, agent).await?;
        // Once a call is over, only what is unfinished stands here.
        let asked = found.as_ref().filter(|filled| status.call.is_some() || filled.completed.is_none());
        let instead = match (&status.call, &found) {
            (Some(call), _) if call.connected_at.is_none() => "What to ask comes here with the customer's call.",
            (Some(_), _) => "This campaign asks nothing.",
            (None, Some(_)) => "The questionnaire of your last call is complete.",
            (None, None) if left(state, agent).await? => {
                "The questionnaire of your last call was left unfinished. Its answers are kept; a supervisor can complete it."
            }
            (None, None) => "The questions of a call come here.",
        };
        Ok(Self {
            agent: agent.to_string(),
            asked: asked.map(|filled| Form::of(filled, zone)),
            instead,
            text_length_max: TEXT_LENGTH_MAX,
        })
    }
}

/// Whether the newest call of an agent has a questionnaire that was begun and not completed.
async fn left(state: &ServerState, agent: &AgentId) -> Result<bool, ApiError> {
    let Some(last) = state.store.attempts_of(agent, 1).await?.pop() else { return Ok(false) };
    let filled = state.store.questionnaire(last.attempt).await?;
    Ok(filled.is_some_and(|filled| filled.changed.is_some() && filled.completed.is_none()))
}

impl Form {
    fn of(filled: &FilledQuestionnaire, zone: &Zone) -> Self {
        let questionnaire = &filled.questionnaire;
        let note = match late_until(filled) {
            None => "Saved as you go; complete it before you are ready for the next call.".to_owned(),
            Some(until) => {
                let until = zone.show(&until.to_string());
                format!("The call is over. What you have answered is kept; you can complete it until {until}.")
            }
        };
        Self {
            attempt: filled.attempt.to_string(),
            name: format!("{}, version {}", questionnaire.name, questionnaire.version),
            note,
            questions: questionnaire.questions.iter().map(Field::of).collect(),
        }
    }
}

impl Field {
    fn of(question: &Question) -> Self {
        let (min, max) = question.bounds().unwrap_or((-NUMBER_MAX, NUMBER_MAX));
        let view = QuestionView::from(question);
        Self {
            id: view.id,
            text: view.text,
            kind: kind(&question.answer),
            required: question.required,
            goto: serde_json::to_string(&view.goto).unwrap_or_default(),
            choices: match &question.answer {
                AnswerKind::Single(options) | AnswerKind::Multiple(options) => options.clone(),
                AnswerKind::Scale { min, max } if max - min < STEPS_MAX => {
                    (*min..=*max).map(|step| step.to_string()).collect()
                }
                AnswerKind::Scale { .. } | AnswerKind::Text | AnswerKind::Number { .. } => Vec::new(),
            },
            min,
            max,
        }
    }
}
