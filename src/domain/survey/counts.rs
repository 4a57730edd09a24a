//! How often what was answered.

use std::collections::BTreeMap;

use super::{
    Question,
    answer::{Answer, Answers},
    path::path,
};
use crate::domain::ids::QuestionId;

/// Most different numbers of a question that are counted each; with more only the least, the most and the mean say
/// something.
pub const VALUES_MAX: usize = 1_000;

/// How many of completed questionnaires and how many of partial ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Of completed ones.
    pub completed: u64,
    /// Of those that were left unfinished.
    pub partial: u64,
}

impl Count {
    fn add(&mut self, complete: bool) {
        if complete {
            self.completed += 1;
        } else {
            self.partial += 1;
        }
    }
}

/// The answers to a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuestionCounts {
    /// How many have answered.
    pub answered: Count,
    /// How often each option, as it stands in the questionnaire.
    pub options: BTreeMap<String, Count>,
    /// How often each number; empty once there are more than [`VALUES_MAX`].
    pub numbers: BTreeMap<i64, Count>,
    /// Whether there were more.
    pub too_many: bool,
    /// The numbers together.
    pub range: Option<Range>,
}

/// Numbers that were answered, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub least: i64,
    /// The most.
    pub most: i64,
    /// Their sum.
    pub sum: i64,
    /// How many.
    pub count: u32,
}

/// The answers to a questionnaire, counted as they are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerCounts {
    /// How many there are that have any answer, or are complete.
    pub filled: Count,
    /// By question.
    pub questions: BTreeMap<QuestionId, QuestionCounts>,
}

impl AnswerCounts {
    /// Takes one in. What stands beside the way that its answers lead along does not count.
    pub fn take(&mut self, questions: &[Question], answers: &Answers, complete: bool) {
        self.filled.add(complete);
        for question in path(questions, answers) {
            if let Some(answer) = answers.get(&question.id) {
                self.questions.entry(question.id.clone()).or_default().take(answer, complete);
            }
        }
    }
}

impl QuestionCounts {
    fn take(&mut self, answer: &Answer, complete: bool) {
        self.answered.add(complete);
        match answer {
            Answer::Option(option) => self.options.entry(option.clone()).or_default().add(complete),
            Answer::Options(chosen) => {
                chosen.iter().for_each(|option| self.options.entry(option.clone()).or_default().add(complete));
            }
            Answer::Number(number) => self.number(*number, complete),
            Answer::Text(_) | Answer::Erased => {}
        }
    }

    fn number(&mut self, number: i64, complete: bool) {
        let range = self.range.get_or_insert(Range { least: number, most: number, sum: 0, count: 0 });
        *range = Range {
            least: range.least.min(number),
            most: range.most.max(number),
            sum: range.sum.saturating_add(number),
            count: range.count.saturating_add(1),
        };
        if self.too_many {
            return;
        }
        self.numbers.entry(number).or_default().add(complete);
        if self.numbers.len() > VALUES_MAX {
            self.numbers.clear();
            self.too_many = true;
        }
    }
}
