//! Answers, ways and counts, held against a walk that is written otherwise.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{
    AnswerKind, Goto, Question, Target,
    answer::{Answer, Answers, BadAnswer, Given, NUMBER_MAX, TEXT_LENGTH_MAX, erased, read},
    counts::{AnswerCounts, Count, Range, VALUES_MAX},
    path::{complete, missing, path},
};
use crate::domain::ids::QuestionId;

fn id(text: &str) -> QuestionId {
    QuestionId::parse(text).unwrap()
}

fn options(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn question(name: &str, answer: AnswerKind) -> Question {
    Question { id: id(name), text: format!("{name}?"), answer, required: false, goto: Goto::Next }
}

fn text(text: &str) -> Given {
    Given::Text(text.to_owned())
}

#[test]
fn an_answer_goes_with_its_question() {
    let single = question("q", AnswerKind::Single(options(&["Yes", "No"])));
    assert_eq!(single.answer(text("No")), Ok(Some(Answer::Option("No".to_owned()))));
    assert_eq!(single.answer(text("")), Ok(None));
    let said = single.answer(text("no")).unwrap_err().to_string();
    assert_eq!(said, "question \"q\" is answered with one of \"Yes\", \"No\"");
    assert!(matches!(single.answer(Given::Number(1)), Err(BadAnswer::Form { .. })));

    let multiple = question("q", AnswerKind::Multiple(options(&["a", "b", "c"])));
    let chosen = |names: &[&str]| multiple.answer(Given::List(options(names)));
    assert_eq!(chosen(&["c", "a", "c"]), Ok(Some(Answer::Options(options(&["a", "c"])))), "in order, and none twice");
    assert_eq!(chosen(&[]), Ok(None));
    assert!(matches!(chosen(&["a", "d"]), Err(BadAnswer::NoOption { .. })));
    assert!(matches!(multiple.answer(text("a")), Err(BadAnswer::Form { .. })));

    let free = question("q", AnswerKind::Text);
    assert_eq!(free.answer(text(" red \n")), Ok(Some(Answer::Text("red".to_owned()))));
    assert_eq!(free.answer(text(" \n")), Ok(None));
    assert!(free.answer(text(&"ä".repeat(TEXT_LENGTH_MAX))).is_ok());
    let long = free.answer(text(&"ä".repeat(TEXT_LENGTH_MAX + 1))).unwrap_err();
    assert_eq!(long.to_string(), "the answer to question \"q\" has 2001 characters, and may have 2000");
    assert!(matches!(free.answer(Given::Number(1)), Err(BadAnswer::Form { .. })));
}

#[test]
fn numbers_stay_in_their_bounds() {
    let cases = [
        (AnswerKind::Number { min: Some(1), max: Some(24) }, 1, 24),
        (AnswerKind::Number { min: None, max: Some(24) }, -NUMBER_MAX, 24),
        (AnswerKind::Number { min: Some(1), max: None }, 1, NUMBER_MAX),
        (AnswerKind::Scale { min: 0, max: 10 }, 0, 10),
    ];
    for (kind, least, most) in cases {
        let question = question("q", kind);
        for number in [least, most] {
            assert_eq!(question.answer(Given::Number(number)), Ok(Some(Answer::Number(number))));
        }
        for number in [least - 1, most + 1] {
            let bad = BadAnswer::Bounds { question: id("q"), min: least, max: most };
            assert_eq!(question.answer(Given::Number(number)), Err(bad));
        }
        assert!(matches!(question.answer(text("1")), Err(BadAnswer::Form { .. })));
    }
}

#[test]
fn all_that_is_no_answer_is_told_at_once() {
    let questions = [question("a", AnswerKind::Text), question("b", AnswerKind::Scale { min: 1, max: 5 })];
    let given = |pairs: &[(&str, Given)]| pairs.iter().map(|(id, given)| ((*id).to_owned(), given.clone())).collect();
    let bad = read(&questions, given(&[("a", Given::Number(1)), ("b", Given::Number(6)), ("c", text("x"))]));
    assert_eq!(bad.unwrap_err().len(), 3);
    let good = read(&questions, given(&[("a", text(" ")), ("b", Given::Number(5))])).unwrap();
    assert_eq!(good, Answers::from([(id("b"), Answer::Number(5))]));
}

#[test]
fn what_may_tell_who_it_was_is_erased_and_counts_stay() {
    let questions = [
        question("s", AnswerKind::Single(options(&["Yes"]))),
        question("t", AnswerKind::Text),
        question("n", AnswerKind::Number { min: None, max: None }),
        question("l", AnswerKind::Scale { min: 1, max: 5 }),
    ];
    let before = Answers::from([
        (id("s"), Answer::Option("Yes".to_owned())),
        (id("t"), Answer::Text("Kowalski".to_owned())),
        (id("n"), Answer::Number(13_800)),
        (id("l"), Answer::Number(3)),
    ]);
    let after = erased(&questions, &before);
    assert_eq!(after[&id("t")], Answer::Erased);
    assert_eq!(after[&id("n")], Answer::Erased);
    assert_eq!((&after[&id("s")], &after[&id("l")]), (&before[&id("s")], &before[&id("l")]));
    let answered = |answers: &Answers| {
        let mut counts = AnswerCounts::default();
        counts.take(&questions, answers, true);
        counts.questions.into_iter().map(|(id, counted)| (id, counted.answered)).collect::<Vec<_>>()
    };
    assert_eq!(answered(&before), answered(&after));
}

#[test]
fn counts_are_of_the_way() {
    let mut first = question("a", AnswerKind::Single(options(&["go", "stop"])));
    first.goto = Goto::ByAnswer(BTreeMap::from([("stop".to_owned(), Target::End)]));
    let questions = [first, question("b", AnswerKind::Number { min: None, max: None })];
    let mut counts = AnswerCounts::default();
    let answers = |choice: &str, number| {
        Answers::from([(id("a"), Answer::Option(choice.to_owned())), (id("b"), Answer::Number(number))])
    };
    counts.take(&questions, &answers("go", 4), true);
    counts.take(&questions, &answers("go", -2), false);
    counts.take(&questions, &answers("stop", 9), true);
    assert_eq!(counts.filled, Count { completed: 2, partial: 1 });
    let (a, b) = (&counts.questions[&id("a")], &counts.questions[&id("b")]);
    assert_eq!(a.options["go"], Count { completed: 1, partial: 1 });
    assert_eq!(b.answered, Count { completed: 1, partial: 1 }, "what stands beside the way does not count");
    assert_eq!(b.range, Some(Range { least: -2, most: 4, sum: 2, count: 2 }));
    for number in 0..VALUES_MAX as i64 {
        counts.take(&questions, &answers("go", number), true);
    }
    let b = &counts.questions[&id("b")];
    assert!(b.too_many && b.numbers.is_empty());
    assert_eq!(b.range.unwrap().count as usize, VALUES_MAX + 2);
}

/// Questions `q0`, `q1`…, each leading forward only, as what is in force does.
fn questionnaires() -> impl Strategy<Value = Vec<Question>> {
    let one = (any::<bool>(), 0..4_u8, vec((0..3_usize, 1..5_usize), 0..3), 1..5_usize);
    vec(one, 1..12).prop_map(|drawn| {
        let count = drawn.len();
        let target = |place: usize| {
            if place < count { Target::Question(id(&format!("q{place}"))) } else { Target::End }
        };
        let built = drawn.into_iter().enumerate().map(|(at, (required, form, jumps, ahead))| {
            let goto = match form {
                0 => Goto::Next,
                1 => Goto::Always(target(at + ahead)),
                _ => Goto::ByAnswer(
                    jumps.into_iter().map(|(key, ahead)| (key.to_string(), target(at + ahead))).collect(),
                ),
            };
            Question { required, goto, ..question(&format!("q{at}"), AnswerKind::Scale { min: 0, max: 2 }) }
        });
        built.collect()
    })
}

fn some_answers() -> impl Strategy<Value = Answers> {
    vec(proptest::option::of(0..3_i64), 12).prop_map(|drawn| {
        let given = drawn.into_iter().enumerate().filter_map(|(at, given)| Some((at, given?)));
        given.map(|(at, given)| (id(&format!("q{at}")), Answer::Number(given))).collect()
    })
}

/// Goes down the questions once, with the name of the one that is to come in hand.
fn oracle(questions: &[Question], answers: &Answers) -> Vec<String> {
    let mut wanted = "q0".to_owned();
    let mut asked = Vec::new();
    for (at, question) in questions.iter().enumerate() {
        let name = format!("q{at}");
        if name != wanted {
            continue;
        }
        asked.push(name.clone());
        let given = answers.get(&id(&name)).map(|answer| match answer {
            Answer::Number(number) => number.to_string(),
            other => panic!("{other:?}"),
        });
        let named = |target: &Target| match target {
            Target::Question(id) => id.to_string(),
            Target::End => "end".to_owned(),
        };
        wanted = match (&question.goto, given) {
            (Goto::Always(target), _) => named(target),
            (Goto::ByAnswer(_), None) if question.required => "end".to_owned(),
            (Goto::ByAnswer(jumps), Some(given)) if jumps.contains_key(&given) => named(&jumps[&given]),
            (Goto::ByAnswer(_) | Goto::Next, _) => format!("q{}", at + 1),
        };
    }
    asked
}

fn names(questions: &[&Question]) -> Vec<String> {
    questions.iter().map(|question| question.id.to_string()).collect()
}

proptest! {
    #[test]
    fn the_way_is_the_oracles(questions in questionnaires(), answers in some_answers()) {
        prop_assert_eq!(names(&path(&questions, &answers)), oracle(&questions, &answers));
    }

    #[test]
    fn what_is_missing_is_required_on_the_way_and_not_answered(
        questions in questionnaires(),
        answers in some_answers(),
    ) {
        let way = oracle(&questions, &answers);
        let lacks = |question: &&Question| {
            question.required && way.contains(&question.id.to_string()) && !answers.contains_key(&question.id)
        };
        let expected: Vec<String> = questions.iter().filter(lacks).map(|question| question.id.to_string()).collect();
        prop_assert_eq!(names(&missing(&questions, &answers)), expected.clone());
        match complete(&questions, &answers) {
            Ok(kept) => {
                prop_assert!(expected.is_empty());
                let on_way: Answers =
                    answers.iter().filter(|(id, _)| way.contains(&id.to_string())).map(|(i, a)| (i.clone(), a.clone())).collect();
                prop_assert_eq!(&kept, &on_way);
                prop_assert_eq!(oracle(&questions, &kept), way, "what stood beside the way leads nowhere");
                prop_assert_eq!(complete(&questions, &kept), Ok(kept));
            }
            Err(lacking) => {
                prop_assert_eq!(lacking.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
            }
        }
    }
}
