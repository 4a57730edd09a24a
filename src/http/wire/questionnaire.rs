//! JSON of questionnaires.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{ErrorBody, forms::ATTEMPT};
use crate::{
    domain::survey::{
        AnswerKind, Goto, Question, Target,
        answer::{Answer, Answers, Given},
        counts::{AnswerCounts, Count, QuestionCounts},
        path::{missing, path},
        questionnaire::Questionnaire,
    },
    store::questionnaire::FilledQuestionnaire,
};

/// Most steps of a scale that are counted even if nobody chose them.
const STEPS_MAX: u32 = 100;

/// An answer, as it is given and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AnswerView {
    /// An option, or a text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Several options.
    List(Vec<String>),
    /// There was one; the customer was erased.
    Erased {
        /// Always true.
        erased: bool,
    },
}

/// As people read it.
impl fmt::Display for AnswerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::List(options) => f.write_str(&options.join("; ")),
            Self::Erased { .. } => f.write_str("(erased)"),
        }
    }
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Option(text) | Answer::Text(text) => Self::Text(text.clone()),
            Answer::Number(number) => Self::Number(*number),
            Answer::Options(options) => Self::List(options.clone()),
            Answer::Erased => Self::Erased { erased: true },
        }
    }
}

/// Answers by question.
pub type AnswersView = BTreeMap<String, AnswerView>;

/// Answers as they are shown.
#[must_use]
pub fn answers(answers: &Answers) -> AnswersView {
    answers.iter().map(|(id, answer)| (id.to_string(), AnswerView::from(answer))).collect()
}

/// Body of `PUT …/questionnaire` and `POST …/questionnaire/complete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveQuestionnaire {
    /// Of which attempt; of the call at hand unless given.
    #[schemars(regex(pattern = ATTEMPT))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// The `sequence` of the state that this builds on.
    #[schemars(range(max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "whole")]
    pub base: u32,
    /// All answers by question, `null` for none; what is left out is taken back. What is stored unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<BTreeMap<String, Option<GivenView>>>,
}

/// A whole number, also written as one with a point: to JSON Schema they are the same.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = super::whole(deserializer)?.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| D::Error::custom("base: this is no number that `sequence` has"))
}

/// What somebody gives as an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GivenView {
    /// An option, or a text.
    Text(String),
    /// A whole number.
    Number(#[serde(deserialize_with = "whole_answer")] i64),
    /// Several options.
    List(Vec<String>),
}

/// A whole number, also written as one with a point.
fn whole_answer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    super::whole(deserializer)?.ok_or_else(|| D::Error::custom("this is no whole number"))
}

impl From<GivenView> for Given {
    fn from(given: GivenView) -> Self {
        match given {
            GivenView::Text(text) => Self::Text(text),
            GivenView::Number(number) => Self::Number(number),
            GivenView::List(options) => Self::List(options),
        }
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionView {
    /// Identity in its version.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// `single`, `multiple`, `text`, `number` or `scale`.
    pub kind: String,
    /// Whether the questionnaire is complete only with an answer.
    pub required: bool,
    /// What may be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The least that may be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Where it goes on, if not with the question below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goto: Option<GotoView>,
}

/// Where it goes on: the id of a question, or `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GotoView {
    /// There, whatever the answer is.
    Always(String),
    /// There for these answers, at the question below for others.
    ByAnswer(BTreeMap<String, String>),
}

/// The word for a question's kind.
#[must_use]
pub fn kind(answer: &AnswerKind) -> &'static str {
    match answer {
        AnswerKind::Single(_) => "single",
        AnswerKind::Multiple(_) => "multiple",
        AnswerKind::Text => "text",
        AnswerKind::Number { .. } => "number",
        AnswerKind::Scale { .. } => "scale",
    }
}

impl From<&Question> for QuestionView {
    fn from(question: &Question) -> Self {
        let target = |target: &Target| match target {
            Target::Question(id) => id.to_string(),
            Target::End => "end".to_owned(),
        };
        let bounds = question.bounds();
        Self {
            id: question.id.to_string(),
            text: question.text.clone(),
            kind: kind(&question.answer).to_owned(),
            required: question.required,
            options: match &question.answer {
                AnswerKind::Single(options) | AnswerKind::Multiple(options) => options.clone(),
                AnswerKind::Text | AnswerKind::Number { .. } | AnswerKind::Scale { .. } => Vec::new(),
            },
            min: bounds.map(|(min, _)| min),
            max: bounds.map(|(_, max)| max),
            goto: match &question.goto {
                Goto::Next => None,
                Goto::Always(to) => Some(GotoView::Always(target(to))),
                Goto::ByAnswer(jumps) => {
                    Some(GotoView::ByAnswer(jumps.iter().map(|(key, to)| (key.clone(), target(to))).collect()))
                }
            },
        }
    }
}

/// What was answered in an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilledView {
    /// Which attempt.
    pub attempt: String,
    /// Of which campaign.
    pub campaign: String,
    /// Who was called; agents are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Who called.
    pub agent: String,
    /// The commit that said what to ask.
    pub revision: String,
    /// Which survey.
    pub survey: String,
    /// Which version of it.
    pub version: u32,
    /// When the attempt was placed.
    pub placed_at: String,
    /// When agent and customer were connected.
    pub connected_at: Option<String>,
    /// When the call ended.
    pub ended_at: Option<String>,
    /// `none`, `partial` or `complete`.
    pub state: String,
    /// What was answered, by question.
    pub answers: AnswersView,
    /// How often it was saved; a save names the state that it builds on by this.
    pub sequence: u32,
    /// Who saved it last.
    pub changed_by: Option<String>,
    /// When.
    pub changed_at: Option<String>,
    /// Who made it complete.
    pub completed_by: Option<String>,
    /// When.
    pub completed_at: Option<String>,
}

impl From<&FilledQuestionnaire> for FilledView {
    fn from(filled: &FilledQuestionnaire) -> Self {
        let (changed, completed) = (filled.changed.as_ref(), filled.completed.as_ref());
        Self {
            attempt: filled.attempt.to_string(),
            campaign: filled.campaign.to_string(),
            customer: Some(filled.customer.to_string()),
            agent: filled.agent.to_string(),
            revision: filled.revision.to_string(),
            survey: filled.questionnaire.survey.to_string(),
            version: filled.questionnaire.version,
            placed_at: filled.placed_at.to_string(),
            connected_at: filled.connected_at.map(|at| at.to_string()),
            ended_at: filled.ended_at.map(|at| at.to_string()),
            state: filled.state().to_owned(),
            answers: answers(&filled.answers),
            sequence: filled.sequence,
            changed_by: changed.map(|saved| saved.by.clone()),
            changed_at: changed.map(|saved| saved.at.to_string()),
            completed_by: completed.map(|saved| saved.by.clone()),
            completed_at: completed.map(|saved| saved.at.to_string()),
        }
    }
}

/// The questionnaire of an attempt: what is asked, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuestionnaireView {
    /// What was answered.
    #[serde(flatten)]
    pub filled: FilledView,
    /// The survey's name.
    pub name: String,
    /// What is asked.
    pub questions: Vec<QuestionView>,
    /// The questions on the way that the answers lead along.
    pub path: Vec<String>,
    /// Those of them that are required and have no answer.
    pub missing: Vec<String>,
}

impl QuestionnaireView {
    /// The questions that were on the way, and others that were answered, each with its answer.
    pub fn asked(&self) -> impl Iterator<Item = (&QuestionView, Option<&AnswerView>)> {
        let with_answer = |question: &'_ QuestionView| self.filled.answers.get(&question.id);
        let on_the_way = |question: &QuestionView| self.path.contains(&question.id);
        let pairs = self.questions.iter().map(move |question| (question, with_answer(question)));
        pairs.filter(move |(question, answer)| answer.is_some() || on_the_way(question))
    }
}

impl From<&FilledQuestionnaire> for QuestionnaireView {
    fn from(filled: &FilledQuestionnaire) -> Self {
        let Questionnaire { name, questions, .. } = &*filled.questionnaire;
        let ids = |questions: Vec<&Question>| questions.iter().map(|question| question.id.to_string()).collect();
        Self {
            filled: FilledView::from(filled),
            name: name.clone(),
            questions: questions.iter().map(QuestionView::from).collect(),
            path: ids(path(questions, &filled.answers)),
            missing: ids(missing(questions, &filled.answers)),
        }
    }
}

/// A line of `GET /api/v1/campaigns/{campaign}/questionnaire/answers`; the last is `done` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AnswersEvent {
    /// What was answered in an attempt.
    Answers(Box<FilledView>),
    /// That was the last.
    Done {
        /// Behind which attempt there may be more, if `limit` has ended it.
        next: Option<String>,
    },
    /// It broke off.
    Failed(ErrorBody),
}

/// Of completed questionnaires, and of those that were left unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CountView {
    /// Of completed ones.
    pub completed: u64,
    /// Of partial ones.
    pub partial: u64,
}

impl From<Count> for CountView {
    fn from(Count { completed, partial }: Count) -> Self {
        Self { completed, partial }
    }
}

/// How often something was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerCount {
    /// The option or the number.
    pub answer: String,
    /// How often.
    #[serde(flatten)]
    pub count: CountView,
}

/// The answers to a question, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionCountsView {
    /// The question.
    #[serde(flatten)]
    pub question: QuestionView,
    /// How many have answered it.
    pub answered: CountView,
    /// How often what; of a text nothing, and of a number nothing once there are more than a thousand different ones.
    pub answers: Vec<AnswerCount>,
    /// The least that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<i64>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<i64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

impl QuestionCountsView {
    fn of(question: &Question, counts: QuestionCounts) -> Self {
        let count =
            |answer: String, count: Option<Count>| AnswerCount { answer, count: count.unwrap_or_default().into() };
        let answers = match &question.answer {
            AnswerKind::Single(options) | AnswerKind::Multiple(options) => {
                options.iter().map(|option| count(option.clone(), counts.options.get(option).copied())).collect()
            }
            AnswerKind::Scale { min, max } if max - min <= STEPS_MAX => {
                let steps = i64::from(*min)..=i64::from(*max);
                steps.map(|step| count(step.to_string(), counts.numbers.get(&step).copied())).collect()
            }
            AnswerKind::Scale { .. } | AnswerKind::Number { .. } => {
                counts.numbers.iter().map(|(number, found)| count(number.to_string(), Some(*found))).collect()
            }
            AnswerKind::Text => Vec::new(),
        };
        // Sums of whole numbers up to 10^9 are far from where this rounds.
        #[expect(clippy::cast_precision_loss, reason = "a mean is shown to people")]
        let mean = counts.range.map(|range| range.sum as f64 / f64::from(range.count));
        Self {
            question: question.into(),
            answered: counts.answered.into(),
            answers,
            least: counts.range.map(|range| range.least),
            most: counts.range.map(|range| range.most),
            mean,
        }
    }
}

/// A version of a survey in a campaign's attempts, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionCountsView {
    /// Which survey.
    pub survey: String,
    /// Its name.
    pub name: String,
    /// Which version of it; twice if its file was edited meanwhile.
    pub version: u32,
    /// How many were completed.
    pub completed: u64,
    /// How many were left with some answers.
    pub partial: u64,
    /// In how many conversations nothing was answered.
    pub none: u64,
    /// Its questions.
    pub questions: Vec<QuestionCountsView>,
}

impl VersionCountsView {
    /// Of so many conversations.
    #[must_use]
    pub fn of(questionnaire: &Questionnaire, connected: u64, mut counts: AnswerCounts) -> Self {
        let Count { completed, partial } = counts.filled;
        let questions = questionnaire.questions.iter();
        Self {
            survey: questionnaire.survey.to_string(),
            name: questionnaire.name.clone(),
            version: questionnaire.version,
            completed,
            partial,
            none: connected.saturating_sub(completed + partial),
            questions: questions
                .map(|question| {
                    QuestionCountsView::of(question, counts.questions.remove(&question.id).unwrap_or_default())
                })
                .collect(),
        }
    }
}

/// `GET /api/v1/campaigns/{campaign}/questionnaire/counts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountsView {
    /// By survey and version.
    pub versions: Vec<VersionCountsView>,
}
