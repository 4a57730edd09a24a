//! Answers: what is given, held against the question that it is for.

use std::collections::BTreeMap;

use super::{AnswerKind, Question};
use crate::domain::ids::QuestionId;

/// Most characters of a free text.
pub const TEXT_LENGTH_MAX: usize = 2_000;

/// The largest whole number that can be answered where a question has no bound, below zero likewise.
pub const NUMBER_MAX: i64 = 1_000_000_000;

/// The answers of a questionnaire, by question; a question without one is not there.
pub type Answers = BTreeMap<QuestionId, Answer>;

/// An answer that goes with its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One of the options.
    Option(String),
    /// At least one of the options, in their order and none twice.
    Options(Vec<String>),
    /// Free text, which is not blank.
    Text(String),
    /// A whole number, or a step of a scale.
    Number(i64),
    /// There was one that might tell who the customer is, and the customer was erased.
    Erased,
}

impl Answer {
    /// How a `goto` by answer names it.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Option(option) => Some(option.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Options(_) | Self::Text(_) | Self::Erased => None,
        }
    }
}

/// What somebody gives as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A text: an option, or free text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Several options.
    List(Vec<String>),
}

/// Why something given is no answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// It has another form.
    #[error("question \"{question}\" is answered with {wanted}")]
    Form {
        /// The question.
        question: QuestionId,
        /// What it is answered with.
        wanted: &'static str,
    },
    /// It is none of the options.
    #[error("question \"{question}\" is answered with one of {}", listed(.options))]
    NoOption {
        /// The question.
        question: QuestionId,
        /// What it can be answered with.
        options: Vec<String>,
    },
    /// A number out of bounds.
    #[error("question \"{question}\" is answered with a whole number from {min} to {max}")]
    Bounds {
        /// The question.
        question: QuestionId,
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A text that is too long.
    #[error("the answer to question \"{question}\" has {length} characters, and may have {TEXT_LENGTH_MAX}")]
    Length {
        /// The question.
        question: QuestionId,
        /// How many it has.
        length: usize,
    },
    /// The questionnaire does not ask that.
    #[error("the questionnaire has no question \"{0}\"")]
    NoQuestion(String),
}

fn listed(options: &[String]) -> String {
    options.iter().map(|option| format!("{option:?}")).collect::<Vec<_>>().join(", ")
}

impl Question {
    /// What is given as an answer to this question; `None` for a blank one, which is none.
    pub fn answer(&self, given: Given) -> Result<Option<Answer>, BadAnswer> {
        match &self.answer {
            AnswerKind::Single(options) => match given {
                Given::Text(text) if text.is_empty() => Ok(None),
                Given::Text(text) if options.contains(&text) => Ok(Some(Answer::Option(text))),
                Given::Text(_) => Err(self.no_option(options)),
                Given::Number(_) | Given::List(_) => Err(self.form("one of its options, a text")),
            },
            AnswerKind::Multiple(options) => self.several(options, given),
            AnswerKind::Text => match given {
                Given::Text(text) => self.text(&text),
                Given::Number(_) | Given::List(_) => Err(self.form("a text")),
            },
            AnswerKind::Number { .. } | AnswerKind::Scale { .. } => match given {
                Given::Number(number) => self.number(number).map(Some),
                Given::Text(_) | Given::List(_) => Err(self.form("a whole number")),
            },
        }
    }

    /// The least and the most that can be answered with a number.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        match self.answer {
            AnswerKind::Number { min, max } => {
                Some((min.map_or(-NUMBER_MAX, i64::from), max.map_or(NUMBER_MAX, i64::from)))
            }
            AnswerKind::Scale { min, max } => Some((min.into(), max.into())),
            AnswerKind::Single(_) | AnswerKind::Multiple(_) | AnswerKind::Text => None,
        }
    }

    fn several(&self, options: &[String], given: Given) -> Result<Option<Answer>, BadAnswer> {
        let Given::List(chosen) = given else { return Err(self.form("a list of its options")) };
        if chosen.iter().any(|option| !options.contains(option)) {
            return Err(self.no_option(options));
        }
        let chosen: Vec<String> = options.iter().filter(|option| chosen.contains(option)).cloned().collect();
        Ok((!chosen.is_empty()).then_some(Answer::Options(chosen)))
    }

    fn text(&self, text: &str) -> Result<Option<Answer>, BadAnswer> {
        let text = text.trim();
        let length = text.chars().count();
        if length > TEXT_LENGTH_MAX {
            return Err(BadAnswer::Length { question: self.id.clone(), length });
        }
        Ok((length > 0).then(|| Answer::Text(text.to_owned())))
    }

    fn number(&self, number: i64) -> Result<Answer, BadAnswer> {
        let (min, max) = self.bounds().unwrap_or((-NUMBER_MAX, NUMBER_MAX));
        if (min..=max).contains(&number) {
            return Ok(Answer::Number(number));
        }
        Err(BadAnswer::Bounds { question: self.id.clone(), min, max })
    }

    fn form(&self, wanted: &'static str) -> BadAnswer {
        BadAnswer::Form { question: self.id.clone(), wanted }
    }

    fn no_option(&self, options: &[String]) -> BadAnswer {
        BadAnswer::NoOption { question: self.id.clone(), options: options.to_vec() }
    }
}

/// Reads everything that is given, or tells of all that is no answer.
pub fn read(questions: &[Question], given: BTreeMap<String, Given>) -> Result<Answers, Vec<BadAnswer>> {
    let (mut answers, mut bad) = (Answers::new(), Vec::new());
    for (id, given) in given {
        let Some(question) = questions.iter().find(|question| question.id.as_str() == id) else {
            bad.push(BadAnswer::NoQuestion(id));
            continue;
        };
        match question.answer(given) {
            Ok(Some(answer)) => {
                answers.insert(question.id.clone(), answer);
            }
            Ok(None) => {}
            Err(error) => bad.push(error),
        }
    }
    if bad.is_empty() { Ok(answers) } else { Err(bad) }
}

/// The answers of a customer who is erased: what was chosen of what the questionnaire offers stays, for the counts;
/// of a text and of a number only that there was one, since these may tell who it was.
#[must_use]
pub fn erased(questions: &[Question], answers: &Answers) -> Answers {
    let kept = |(id, answer): (&QuestionId, &Answer)| {
        let asked = questions.iter().find(|question| question.id == *id).map(|question| &question.answer);
        let answer = match asked {
            Some(AnswerKind::Single(_) | AnswerKind::Multiple(_) | AnswerKind::Scale { .. }) => answer.clone(),
            Some(AnswerKind::Text | AnswerKind::Number { .. }) | None => Answer::Erased,
        };
        (id.clone(), answer)
    };
    answers.iter().map(kept).collect()
}
