//! The way through a questionnaire that answers lead along, and what is still required on it.

use super::{Goto, Question, Target, answer::Answers};
use crate::domain::ids::QuestionId;

/// The questions that are asked, in their order. Where a required question decides how it goes on, the way ends there
/// until it is answered.
#[must_use]
pub fn path<'a>(questions: &'a [Question], answers: &Answers) -> Vec<&'a Question> {
    let mut asked: Vec<&Question> = Vec::new();
    let mut next = (!questions.is_empty()).then_some(0);
    while let Some(question) = next.and_then(|index| questions.get(index)) {
        // What is in force leads nowhere back; should anything else come here, it ends as well.
        if asked.len() >= questions.len() {
            break;
        }
        asked.push(question);
        next = after(questions, next, question, answers);
    }
    asked
}

/// The place of the question behind one.
fn after(questions: &[Question], index: Option<usize>, question: &Question, answers: &Answers) -> Option<usize> {
    let below = index.map(|index| index + 1);
    let place = |target: &Target| match target {
        Target::Question(id) => questions.iter().position(|question| question.id == *id),
        Target::End => None,
    };
    match &question.goto {
        Goto::Next => below,
        Goto::Always(target) => place(target),
        Goto::ByAnswer(jumps) => match answers.get(&question.id) {
            None if question.required => None,
            None => below,
            Some(answer) => answer.key().and_then(|key| jumps.get(&key)).map_or(below, place),
        },
    }
}

/// Required questions of the way that have no answer.
#[must_use]
pub fn missing<'a>(questions: &'a [Question], answers: &Answers) -> Vec<&'a Question> {
    let on_path = path(questions, answers).into_iter();
    on_path.filter(|question| question.required && !answers.contains_key(&question.id)).collect()
}

/// The answers of a questionnaire that is complete: those on the way; or the questions that are missing.
pub fn complete(questions: &[Question], answers: &Answers) -> Result<Answers, Vec<QuestionId>> {
    let missing = missing(questions, answers);
    if !missing.is_empty() {
        return Err(missing.into_iter().map(|question| question.id.clone()).collect());
    }
    let on_path = path(questions, answers).into_iter();
    Ok(on_path
        .filter_map(|question| answers.get_key_value(&question.id))
        .map(|(id, a)| (id.clone(), a.clone()))
        .collect())
}
