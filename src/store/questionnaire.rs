//! Questionnaires: what each attempt's agent is to ask, and what was answered.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    row::{damaged, json},
};
use crate::domain::{
    ids::{AgentId, AttemptId, CampaignId, CustomerId, QuestionId, Revision},
    survey::{
        AnswerKind, Goto, Question, Target,
        answer::{Answer, Answers},
        questionnaire::Questionnaire,
    },
};

/// The questionnaire of an attempt, with what was answered so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledQuestionnaire {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Who was called.
    pub customer: CustomerId,
    /// Who called.
    pub agent: AgentId,
    /// The commit that the attempt was placed under, which said what to ask.
    pub revision: Revision,
    /// When the attempt was placed.
    pub placed_at: Timestamp,
    /// When agent and customer were connected.
    pub connected_at: Option<Timestamp>,
    /// When the call ended.
    pub ended_at: Option<Timestamp>,
    /// What is asked, as it was when the attempt was placed.
    pub questionnaire: Arc<Questionnaire>,
    /// What was answered. While it is not complete, answers beside the way that the others lead along stay.
    pub answers: Answers,
    /// How often it was saved; what is saved names the state that it builds on by this.
    pub sequence: u32,
    /// The newest save; `None` while there is none.
    pub changed: Option<Saved>,
    /// The save that made it complete.
    pub completed: Option<Saved>,
}

/// A save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Who saved it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Asks for answers to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveAnswers {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// The sequence of the state that this builds on.
    pub base: u32,
    /// All answers; what is not here was taken back.
    pub answers: Answers,
    /// Whether they are all that is required.
    pub complete: bool,
    /// Who and when.
    pub saved: Saved,
}

/// What came of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswersDecision {
    /// It is stored.
    Saved {
        /// As it is now.
        filled: Box<FilledQuestionnaire>,
        /// Whether it was otherwise before.
        changed: bool,
    },
    /// Nothing was written.
    Refused(NotSaved),
}

/// Why answers were not saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    /// No such attempt, or none of a campaign that asks anything.
    #[error("attempt {0} has no questionnaire")]
    NoQuestionnaire(AttemptId),
    /// What is personal of this customer was taken away, for good.
    #[error("the customer of attempt {0} was erased, so its answers stay as they are")]
    Erased(AttemptId),
    /// Somebody else has saved meanwhile.
    #[error("the answers were changed meanwhile, by {}", by(.0))]
    Changed(Box<FilledQuestionnaire>),
    /// It is complete, which a draft does not undo.
    #[error("the questionnaire is complete already, by {}", by(.0))]
    Complete(Box<FilledQuestionnaire>),
}

fn by(filled: &FilledQuestionnaire) -> &str {
    filled.changed.as_ref().map_or("nobody", |saved| &saved.by)
}

impl FilledQuestionnaire {
    /// `none`, `partial` or `complete`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (&self.changed, &self.completed) {
            (_, Some(_)) => "complete",
            (Some(_), None) => "partial",
            (None, None) => "none",
        }
    }

    /// What a save makes of it; `None` if it is so already. A save that builds on another state than this is refused,
    /// so that a page left open overwrites nothing that it has not shown.
    pub(super) fn save(&self, save: &SaveAnswers) -> Result<Option<Self>, NotSaved> {
        let is_complete = self.completed.is_some();
        if save.answers == self.answers && (is_complete || !save.complete) {
            return Ok(None);
        }
        if is_complete && !save.complete {
            return Err(NotSaved::Complete(Box::new(self.clone())));
        }
        if save.base != self.sequence {
            return Err(NotSaved::Changed(Box::new(self.clone())));
        }
        let completed = self.completed.clone().or_else(|| save.complete.then(|| save.saved.clone()));
        Ok(Some(Self {
            answers: save.answers.clone(),
            sequence: self.sequence + 1,
            changed: Some(save.saved.clone()),
            completed,
            ..self.clone()
        }))
    }
}

/// A questionnaire of a campaign's attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was asked.
    pub questionnaire: Arc<Questionnaire>,
    /// In how many attempts agent and customer were connected.
    pub connected: u64,
}

/// What [`super::Store`] knows of questionnaires.
#[async_trait]
pub trait Questionnaires: Send + Sync + 'static {
    /// The questionnaire of an attempt; `None` if it has none.
    async fn questionnaire(&self, attempt: AttemptId) -> Result<Option<FilledQuestionnaire>, StoreError>;

    /// Those of some attempts; attempts that have none are not there. For exports: give a page of attempts at a time.
    async fn questionnaires_of(
        &self,
        attempts: &[AttemptId],
    ) -> Result<BTreeMap<AttemptId, FilledQuestionnaire>, StoreError>;

    /// Those of all attempts of a contact, oldest first, whether anything was answered or not.
    async fn questionnaires_of_contact(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError>;

    /// Those of a campaign in which something was saved, by attempt, behind `after`, at most `limit`.
    async fn questionnaire_page(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError>;

    /// What a campaign's attempts have asked, by survey and version, and in how many that were connected.
    async fn asked(&self, campaign: &CampaignId) -> Result<Vec<Asked>, StoreError>;

    /// Saves answers; from the moment this returns they are durable.
    async fn save_answers(&self, save: SaveAnswers) -> Result<AnswersDecision, StoreError>;
}

/// [`Question`] with serde's derives, which the domain does without.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionRow {
    id: String,
    text: String,
    answer: KindRow,
    required: bool,
    goto: GotoRow,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindRow {
    Single(Vec<String>),
    Multiple(Vec<String>),
    Text,
    Number(Option<u32>, Option<u32>),
    Scale(u32, u32),
}

/// A target that is `None` is the end.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GotoRow {
    Next,
    Always(Option<String>),
    ByAnswer(BTreeMap<String, Option<String>>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerRow {
    Option(String),
    Options(Vec<String>),
    Text(String),
    Number(i64),
    Erased,
}

/// Questions as a column has them.
pub(super) fn questions_text(questions: &[Question]) -> String {
    let target = |target: &Target| match target {
        Target::Question(id) => Some(id.to_string()),
        Target::End => None,
    };
    let row = |question: &Question| QuestionRow {
        id: question.id.to_string(),
        text: question.text.clone(),
        answer: match &question.answer {
            AnswerKind::Single(options) => KindRow::Single(options.clone()),
            AnswerKind::Multiple(options) => KindRow::Multiple(options.clone()),
            AnswerKind::Text => KindRow::Text,
            AnswerKind::Number { min, max } => KindRow::Number(*min, *max),
            AnswerKind::Scale { min, max } => KindRow::Scale(*min, *max),
        },
        required: question.required,
        goto: match &question.goto {
            Goto::Next => GotoRow::Next,
            Goto::Always(to) => GotoRow::Always(target(to)),
            Goto::ByAnswer(jumps) => {
                GotoRow::ByAnswer(jumps.iter().map(|(key, to)| (key.clone(), target(to))).collect())
            }
        },
    };
    json(&questions.iter().map(row).collect::<Vec<_>>())
}

/// The questions of a column.
pub(super) fn questions(text: &str) -> Result<Vec<Question>, StoreError> {
    let wrong = || damaged("questionnaire.questions");
    let rows: Vec<QuestionRow> = serde_json::from_str(text).map_err(|_| wrong())?;
    let id = |text: &str| QuestionId::parse(text).map_err(|_| wrong());
    let target = |to: Option<String>| to.map_or(Ok(Target::End), |to| id(&to).map(Target::Question));
    let question = |row: QuestionRow| {
        Ok(Question {
            id: id(&row.id)?,
            text: row.text,
            answer: match row.answer {
                KindRow::Single(options) => AnswerKind::Single(options),
                KindRow::Multiple(options) => AnswerKind::Multiple(options),
                KindRow::Text => AnswerKind::Text,
                KindRow::Number(min, max) => AnswerKind::Number { min, max },
                KindRow::Scale(min, max) => AnswerKind::Scale { min, max },
            },
            required: row.required,
            goto: match row.goto {
                GotoRow::Next => Goto::Next,
                GotoRow::Always(to) => Goto::Always(target(to)?),
                GotoRow::ByAnswer(jumps) => {
                    let jumps = jumps.into_iter().map(|(key, to)| Ok((key, target(to)?)));
                    Goto::ByAnswer(jumps.collect::<Result<_, StoreError>>()?)
                }
            },
        })
    };
    rows.into_iter().map(question).collect()
}

/// Answers as a column has them.
pub(super) fn answers_text(answers: &Answers) -> String {
    let row = |answer: &Answer| match answer {
        Answer::Option(option) => AnswerRow::Option(option.clone()),
        Answer::Options(options) => AnswerRow::Options(options.clone()),
        Answer::Text(text) => AnswerRow::Text(text.clone()),
        Answer::Number(number) => AnswerRow::Number(*number),
        Answer::Erased => AnswerRow::Erased,
    };
    json(&answers.iter().map(|(id, answer)| (id.as_str(), row(answer))).collect::<BTreeMap<_, _>>())
}

/// The answers of a column.
pub(super) fn answers(text: &str) -> Result<Answers, StoreError> {
    let wrong = || damaged("answers.answers");
    let rows: BTreeMap<String, AnswerRow> = serde_json::from_str(text).map_err(|_| wrong())?;
    let answer = |row: AnswerRow| match row {
        AnswerRow::Option(option) => Answer::Option(option),
        AnswerRow::Options(options) => Answer::Options(options),
        AnswerRow::Text(text) => Answer::Text(text),
        AnswerRow::Number(number) => Answer::Number(number),
        AnswerRow::Erased => Answer::Erased,
    };
    let pair = |(id, row): (String, AnswerRow)| Ok((QuestionId::parse(&id).map_err(|_| wrong())?, answer(row)));
    rows.into_iter().map(pair).collect()
}
