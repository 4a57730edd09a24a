//! Surveys: what an agent asks a customer during a call.

pub mod answer;
pub mod counts;
pub mod path;
pub mod questionnaire;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::ids::{QuestionId, SurveyId};

/// A questionnaire in its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Identity.
    pub id: SurveyId,
    /// Shown to people.
    pub name: String,
    /// Who fills it in.
    pub kind: SurveyType,
    /// At least one, by number.
    pub versions: BTreeMap<u32, SurveyVersion>,
}

/// Who fills a survey in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurveyType {
    /// The agent, while they talk.
    Manual,
}

/// One version of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyVersion {
    /// Whether campaigns may use it.
    pub state: SurveyState,
    /// At least one, the first one first; each can be reached, and no answer leads back.
    pub questions: Vec<Question>,
}

/// Whether campaigns may use a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurveyState {
    /// Being written: no campaign uses it.
    Draft,
    /// In use.
    Published,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Identity in its version.
    pub id: QuestionId,
    /// What the agent asks.
    pub text: String,
    /// What may be answered.
    pub answer: AnswerKind,
    /// Whether the survey is complete only with an answer.
    pub required: bool,
    /// What comes next.
    pub goto: Goto,
}

/// What a question's answers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerKind {
    /// One of these.
    Single(Vec<String>),
    /// Any of these.
    Multiple(Vec<String>),
    /// Free text.
    Text,
    /// A whole number within these bounds, where there is one.
    Number {
        /// The least.
        min: Option<u32>,
        /// The most.
        max: Option<u32>,
    },
    /// A whole number of a scale.
    Scale {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
}

/// Where a survey goes on after a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goto {
    /// At the question below, or at the end behind the last.
    Next,
    /// There, whatever the answer is.
    Always(Target),
    /// There for these answers, at the question below for others.
    ByAnswer(BTreeMap<String, Target>),
}

/// A place in a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// That question.
    Question(QuestionId),
    /// The end.
    End,
}
