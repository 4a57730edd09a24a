//! Questions of surveys.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    choice::{Choice, Words},
    flag::Flag,
    goto::{Goto, Jump},
    list::List,
    number::Whole,
    text::{Slug, Text},
};
use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{At, Key, Kind, Reader},
        suggest::{listing, nearest},
        syntax::Node,
        table::table,
    },
    domain::{ids::QuestionId, survey::AnswerKind},
};

/// The largest number that a question can ask for.
const ANSWER_MAX: u32 = 1_000_000_000;

/// Steps of a scale that messages name.
const SCALE_SHOWN_MAX: usize = 11;

/// What a question's answers are, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuestionKind {
    Single,
    Multiple,
    Text,
    Number,
    Scale,
}

impl Words for QuestionKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("single", Self::Single),
        ("multiple", Self::Multiple),
        ("text", Self::Text),
        ("number", Self::Number),
        ("scale", Self::Scale),
    ];
}

table! {
    /// A question.
    pub(crate) struct QuestionTable "a question" {
        /// Identity: 1 to 50 of a-z, 0-9, '-' and '_', unique in its version, and not `end`.
        required id: Slug<QuestionId> => "interest",
        /// What the agent asks; 1 to 500 characters.
        required text: Text<1, 500> => "Would you like a test drive?",
        /// What may be answered: `single` and `multiple` of the `options`, `text`, a `number`, or a `scale` from `min`
        /// to `max`.
        required kind: Choice<QuestionKind> => "single",
        /// Whether the survey is complete only with an answer.
        default(false) required: Flag => true,
        /// What may be chosen; required for `single` and `multiple`, and only there.
        optional options: List<Text<1, 100>, 1> => ["Yes", "No"],
        /// The least that may be answered; only for `number` and `scale`, and required for `scale`.
        optional min: Whole<0, ANSWER_MAX> => 1,
        /// The most that may be answered; only for `number` and `scale`, and required for `scale`.
        optional max: Whole<0, ANSWER_MAX> => 5,
        /// Where it goes on, if not with the question below: the id of a later question or `end`, or a table of these
        /// by answer for `single` and `scale`.
        optional goto: Goto => { No = "end" },
    }
}

/// A question as it is written, and what may be answered; `None` if it can't be told.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) table: QuestionTable,
    pub(crate) answer: Option<AnswerKind>,
}

/// A question whose keys go with its kind.
pub(crate) struct Question;

impl Kind for Question {
    type Value = Asked;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Asked> {
        let before = reader.faults;
        let table = QuestionTable::read(node, reader)?;
        // What is wrong inside has been said, and what it was meant to be is not known.
        if reader.faults > before {
            return Some(Asked { table, answer: None });
        }
        let answer = answer(&table, reader);
        if let Some(answer) = &answer {
            check_answers(answer, &table, reader);
        }
        let answer = answer.filter(|_| reader.faults == before);
        Some(Asked { table, answer })
    }

    fn schema() -> Json {
        QuestionTable::schema()
    }

    fn show(value: &Asked) -> Json {
        QuestionTable::show(&value.table)
    }
}

/// What may be answered, with a report of every key that should not be there, and of those that should.
fn answer(table: &QuestionTable, reader: &mut Reader<'_>) -> Option<AnswerKind> {
    let kind = table.kind.as_ref()?;
    let chosen = matches!(kind.value, QuestionKind::Single | QuestionKind::Multiple);
    let bounded = matches!(kind.value, QuestionKind::Number | QuestionKind::Scale);
    if let Some(options) = table.options.as_ref().filter(|_| !chosen) {
        stray(&QuestionTable::options, options, "single` and `multiple", reader);
    }
    for (key, bound) in [(&QuestionTable::min, &table.min), (&QuestionTable::max, &table.max)] {
        if let Some(bound) = bound.as_ref().filter(|_| !bounded) {
            stray(key, bound, "number` and `scale", reader);
        }
    }
    let (min, max) = (table.min.as_ref().map(|min| min.value), table.max.as_ref().map(|max| max.value));
    match kind.value {
        QuestionKind::Single => options(table, kind, reader).map(AnswerKind::Single),
        QuestionKind::Multiple => options(table, kind, reader).map(AnswerKind::Multiple),
        QuestionKind::Text => Some(AnswerKind::Text),
        QuestionKind::Number => {
            in_order(table, reader);
            Some(AnswerKind::Number { min, max })
        }
        QuestionKind::Scale => {
            in_order(table, reader);
            for (key, bound) in [(&QuestionTable::min, min), (&QuestionTable::max, max)] {
                if bound.is_none() {
                    lacks(kind, "scale", key, reader);
                }
            }
            Some(AnswerKind::Scale { min: min?, max: max? })
        }
    }
}

/// Reports a key that does not go with the question's kind.
fn stray<T>(key: &Key, value: &At<T>, kinds: &str, reader: &mut Reader<'_>) {
    let message = format!("`{}` goes with the kinds `{kinds}` only", key.name);
    let diagnostic = reader.error(Code::QuestionKeys, value.span.unwrap_or_default(), message);
    diagnostic.label("would not be used").help("remove it, or choose one of these kinds").about = Some(key.about);
}

/// Reports a key that the question's kind needs.
fn lacks(kind: &At<QuestionKind>, word: &str, key: &Key, reader: &mut Reader<'_>) {
    let message = format!("the kind {word:?} needs `{}`", key.name);
    let diagnostic = reader.error(Code::QuestionKeys, kind.span.unwrap_or_default(), message);
    diagnostic.label(format!("without `{}`", key.name)).about = Some(key.about);
    if let Some(example) = key.example {
        diagnostic.help(format!("add `{} = {example}` to the question", key.name));
    }
}

fn options(table: &QuestionTable, kind: &At<QuestionKind>, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let Some(options) = &table.options else {
        let word = if kind.value == QuestionKind::Single { "single" } else { "multiple" };
        lacks(kind, word, &QuestionTable::options, reader);
        return None;
    };
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for At { value: option, span } in &options.value {
        let span = span.unwrap_or_default();
        let Some(first) = seen.insert(option, span) else { continue };
        let first = reader.source.locate(first);
        reader
            .error(Code::Repeated, span, format!("option {option:?} stands twice in this list"))
            .label("used again")
            .relate(first, "first used here")
            .about = Some(QuestionTable::options.about);
    }
    Some(options.value.iter().map(|option| option.value.clone()).collect())
}

fn in_order(table: &QuestionTable, reader: &mut Reader<'_>) {
    let (Some(min), Some(max)) = (&table.min, &table.max) else { return };
    if min.value >= max.value {
        let first = reader.source.locate(min.span.unwrap_or_default());
        reader
            .error(Code::Bounds, max.span.unwrap_or_default(), "`max` must be greater than `min`")
            .label("not greater")
            .relate(first, "than this")
            .about = Some(QuestionTable::max.about);
    }
}

/// Reports answers that nobody can give.
fn check_answers(answer: &AnswerKind, table: &QuestionTable, reader: &mut Reader<'_>) {
    let Some(At { value: goto, span }) = &table.goto else { return };
    let Jump::ByAnswer(jumps) = goto else { return };
    let known: Vec<String> = match answer {
        AnswerKind::Single(options) => options.clone(),
        AnswerKind::Scale { min, max } => (*min..=*max).take(SCALE_SHOWN_MAX).map(|step| step.to_string()).collect(),
        AnswerKind::Multiple(_) | AnswerKind::Text | AnswerKind::Number { .. } => {
            reader
                .error(
                    Code::QuestionKeys,
                    span.unwrap_or_default(),
                    "`goto` by answer goes with the kinds `single` and `scale` only",
                )
                .label("a table by answer")
                .help("name one question for all answers: `goto = \"…\"`")
                .about = Some(QuestionTable::goto.about);
            return;
        }
    };
    for (At { value: written, span }, _) in jumps {
        if is_answer(answer, written) {
            continue;
        }
        let span = span.unwrap_or_default();
        let diagnostic = reader.error(Code::UnknownAnswer, span, format!("{written:?} is no answer to the question"));
        diagnostic.label("nobody can answer this").about = Some(QuestionTable::goto.about);
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Some(meant) = nearest(written, words.iter().copied()) {
            diagnostic.suggest(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
        } else {
            diagnostic.help(format!("answers: {}", listing(&words, '"', "and")));
        }
    }
}

fn is_answer(answer: &AnswerKind, written: &str) -> bool {
    match answer {
        AnswerKind::Single(options) => options.iter().any(|option| option == written),
        AnswerKind::Scale { min, max } => {
            written.parse::<u32>().is_ok_and(|step| (*min..=*max).contains(&step) && step.to_string() == written)
        }
        AnswerKind::Multiple(_) | AnswerKind::Text | AnswerKind::Number { .. } => false,
    }
}
