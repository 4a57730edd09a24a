//! The questions of a survey's version: where each leads, and that all are reached and none twice.

use std::collections::{BTreeMap, BTreeSet};

use super::defined::Known;
use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        kinds::{goto::Jump, question::Asked},
        load::{Commit, InFile, Place},
        read::At,
    },
    domain::{
        ids::QuestionId,
        survey::{AnswerKind, Goto, Question, Target},
    },
};

/// What a `goto` calls the end of a survey.
const END: &str = "end";

/// Most questions of a version; nobody answers more.
const QUESTIONS_MAX: usize = 200;

/// Reads a version's questions; `None` if one of them could not be built.
pub(crate) fn questions(file: usize, asked: Vec<At<Asked>>, commit: &mut Commit<'_>) -> Option<Vec<Question>> {
    // None could be read at all, which has been said.
    if asked.is_empty() {
        return None;
    }
    let before = commit.faults();
    let version = Version::new(file, &asked, commit);
    if let Some(extra) = asked.get(QUESTIONS_MAX) {
        let message = format!("{} questions, and a version has at most {QUESTIONS_MAX}", asked.len());
        commit.error(Code::TooManyItems, &InFile { file, value: extra.span }, message).label("one too many");
        return None;
    }
    for question in &asked {
        version.check_targets(&question.value, commit);
    }
    let questions: Option<Vec<Question>> = asked.iter().map(|question| definition(&question.value)).collect();
    let questions = questions?;
    if commit.faults() == before {
        Flow::new(&questions).check(&asked, file, commit);
    }
    Some(questions)
}

/// Which questions a version has.
struct Version {
    file: usize,
    ids: BTreeMap<String, Place>,
    /// Whether an id could not be read or stands twice, so that a missing one may be there.
    gaps: bool,
}

impl Version {
    fn new(file: usize, asked: &[At<Asked>], commit: &mut Commit<'_>) -> Self {
        let mut version = Self { file, ids: BTreeMap::new(), gaps: false };
        for question in asked {
            let Some(id) = &question.value.table.id else {
                version.gaps = true;
                continue;
            };
            let (text, place) = (id.value.as_str(), InFile { file, value: id.span });
            if text == END {
                commit
                    .error(Code::QuestionEnd, &place, format!("no question can have the id {END:?}"))
                    .label("means the end of the survey");
                continue;
            }
            let message = || format!("two questions have the id {text:?}");
            version.gaps |= !commit.unique(Code::DuplicateId, &mut version.ids, text, place, message);
        }
        version
    }

    /// Reports every place that a question leads to and that is not there.
    fn check_targets(&self, asked: &Asked, commit: &mut Commit<'_>) {
        let Some(goto) = &asked.table.goto else { return };
        for target in targets(&goto.value) {
            let text = target.value.as_str();
            if self.gaps || text == END || self.ids.contains_key(text) {
                continue;
            }
            let known = Known {
                code: Code::UnknownQuestion,
                label: "not in this version".to_owned(),
                what: "questions",
                words: self.ids.keys().map(String::as_str).chain([END]).collect(),
                none: String::new(),
            };
            let message = format!("no question has the id {text:?}");
            known.report_missing(text, &InFile { file: self.file, value: target.span }, message, commit);
        }
    }
}

fn targets(jump: &Jump) -> Vec<&At<QuestionId>> {
    match jump {
        Jump::Always(target) => vec![target],
        Jump::ByAnswer(jumps) => jumps.iter().map(|(_, target)| target).collect(),
    }
}

fn definition(asked: &Asked) -> Option<Question> {
    let (table, answer) = (&asked.table, asked.answer.clone()?);
    let target = |id: &At<QuestionId>| match id.value.as_str() {
        END => Target::End,
        _ => Target::Question(id.value.clone()),
    };
    let goto = match table.goto.as_ref().map(|goto| &goto.value) {
        None => Goto::Next,
        Some(Jump::Always(id)) => Goto::Always(target(id)),
        Some(Jump::ByAnswer(jumps)) => {
            Goto::ByAnswer(jumps.iter().map(|(answer, id)| (answer.value.clone(), target(id))).collect())
        }
    };
    Some(Question {
        id: table.id.as_ref()?.value.clone(),
        text: table.text.as_ref()?.value.clone(),
        answer,
        required: table.required.value,
        goto,
    })
}

/// Which questions may come after which, by their order in the version.
struct Flow {
    after: Vec<BTreeSet<usize>>,
}

impl Flow {
    fn new(questions: &[Question]) -> Self {
        let order: BTreeMap<&QuestionId, usize> =
            questions.iter().enumerate().map(|(index, question)| (&question.id, index)).collect();
        let after = questions.iter().enumerate().map(|(index, question)| {
            let next = (index + 1 < questions.len()).then_some(index + 1);
            let place = |target: &Target| match target {
                Target::Question(id) => order.get(id).copied(),
                Target::End => None,
            };
            match &question.goto {
                Goto::Next => next.into_iter().collect(),
                Goto::Always(target) => place(target).into_iter().collect(),
                Goto::ByAnswer(jumps) => {
                    let next = next.filter(|_| !leads_away(question, jumps.len()));
                    jumps.values().filter_map(place).chain(next).collect()
                }
            }
        });
        Self { after: after.collect() }
    }

    /// The questions that may come after that one, or after any of those, itself only in a circle.
    fn reached_from(&self, start: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(index) = open.pop() {
            open.extend(self.after[index].iter().copied().filter(|after| reached.insert(*after)));
        }
        reached
    }

    fn check(&self, asked: &[At<Asked>], file: usize, commit: &mut Commit<'_>) {
        let place = |span: Option<Span>| InFile { file, value: span };
        let id = |index: usize| asked[index].value.table.id.as_ref();
        let goto = |index: usize| asked[index].value.table.goto.as_ref();
        // In every circle some question leads back to one above it, or to itself.
        let back = (0..asked.len()).find_map(|target| {
            let reached = self.reached_from(target);
            let from =
                (target..asked.len()).find(|from| reached.contains(from) && self.after[*from].contains(&target))?;
            Some((from, target))
        });
        if let (Some((from, target)), Some(first)) = (back, back.and_then(|(_, target)| id(target))) {
            let back_to = |jump: &Jump| {
                let mut targets = targets(jump).into_iter();
                targets.find(|at| at.value == first.value).and_then(|at| at.span)
            };
            let span = goto(from).and_then(|goto| back_to(&goto.value));
            let related = commit.locate(&place(first.span));
            let message = format!("the survey goes in a circle, back to question {:?}", first.value.as_str());
            let diagnostic = commit.error(Code::SurveyCycle, &place(span), message).label("leads back");
            diagnostic.help("let it lead to a question that has not been asked");
            if from != target {
                diagnostic.relate(related, "to this question, which leads here");
            }
        }
        let mut reached = self.reached_from(0);
        reached.insert(0);
        for index in 0..asked.len() {
            if reached.contains(&index) {
                continue;
            }
            // What only this one leads to is the same fault.
            reached.extend(self.reached_from(index));
            let Some(id) = id(index) else { continue };
            let above = goto(index - 1).map(|goto| commit.locate(&place(goto.span)));
            let message = format!("no answer leads to question {:?}", id.value.as_str());
            let diagnostic = commit.error(Code::UnreachableQuestion, &place(id.span), message).label("never asked");
            diagnostic.help("remove it, or lead to it by a `goto`");
            if let Some(above) = above {
                diagnostic.relate(above, "the question above leads past it");
            }
        }
    }
}

/// Whether some jump is taken whatever the answer is.
fn leads_away(question: &Question, jumps: usize) -> bool {
    question.required
        && match &question.answer {
            AnswerKind::Single(options) => jumps == options.len(),
            AnswerKind::Scale { min, max } => jumps as u64 == u64::from(max - min) + 1,
            AnswerKind::Multiple(_) | AnswerKind::Text | AnswerKind::Number { .. } => false,
        }
}
