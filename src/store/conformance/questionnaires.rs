//! Questionnaires: what an attempt asks stays what it was, and answers are saved upon what was seen.

use super::*;
use crate::{
    domain::{
        campaign::SurveyReference,
        ids::{QuestionId, SurveyId},
        survey::{
            AnswerKind, Goto, Question, Survey, SurveyState, SurveyType, SurveyVersion, Target,
            answer::{Answer, Answers},
            questionnaire::Questionnaire,
        },
    },
    store::{
        Milestone, StoreError,
        questionnaire::{AnswersDecision, FilledQuestionnaire, NotSaved, SaveAnswers, Saved},
    },
};

on_both_stores!(
    an_attempt_keeps_what_it_was_placed_under,
    a_save_that_has_not_seen_the_one_before_is_refused,
    a_complete_one_is_corrected_and_no_draft_again,
    answers_are_read_by_attempt_contact_and_campaign,
    erasure_takes_what_may_tell_who_it_was,
    what_was_withdrawn_asks_nothing,
    a_save_is_written_down_if_it_changes_anything,
);

fn question_id(id: &str) -> QuestionId {
    QuestionId::parse(id).unwrap()
}

fn question(id: &str, answer: AnswerKind, goto: Goto) -> Question {
    Question { id: question_id(id), text: format!("{id}?"), answer, required: id == "q", goto }
}

/// Every kind of question, and of way on.
fn questions() -> Vec<Question> {
    let options = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let to = |id| Target::Question(question_id(id));
    let jumps = BTreeMap::from([("No".to_owned(), Target::End), ("Perhaps".to_owned(), to("n"))]);
    vec![
        question("q", AnswerKind::Single(options(&["Yes", "Perhaps", "No"])), Goto::ByAnswer(jumps)),
        question("m", AnswerKind::Multiple(options(&["a", "b"])), Goto::Always(to("n"))),
        question("n", AnswerKind::Number { min: None, max: Some(9) }, Goto::Next),
        question("l", AnswerKind::Scale { min: 1, max: 5 }, Goto::Always(Target::End)),
        question("t", AnswerKind::Text, Goto::Next),
    ]
}

/// A campaign that asks this version of a survey; each version names itself in its last question.
fn asking(version: u32) -> Campaign {
    Campaign { survey: Some(SurveyReference { id: SurveyId::parse("drive").unwrap(), version }), ..campaign("spring") }
}

/// Puts a campaign in force beside a survey of versions 1 and 2.
async fn apply(world: &mut World, campaign: &Campaign) {
    world.generations += 1;
    let plain = generation(world.generations, &[campaign]);
    let version = |number: u32| {
        let mut questions = questions();
        questions.last_mut().unwrap().text = format!("as of version {number}?");
        (number, SurveyVersion { state: SurveyState::Published, questions })
    };
    let id = SurveyId::parse("drive").unwrap();
    let versions = [1, 2].map(version).into();
    let survey = Survey { id: id.clone(), name: "Drive".to_owned(), kind: SurveyType::Manual, versions };
    let definitions = Definitions { surveys: BTreeMap::from([(id, survey)]), ..plain.definitions.clone() };
    let generation = Arc::new(Generation::whole(plain.revision.clone(), world.now(), definitions));
    world.store.apply(generation, vec![put(&campaign.id)], Against::Whatever).await.unwrap();
}

fn answers(given: &[(&str, Answer)]) -> Answers {
    given.iter().map(|(id, answer)| (question_id(id), answer.clone())).collect()
}

fn option(text: &str) -> Answer {
    Answer::Option(text.to_owned())
}

/// One of each kind.
fn full() -> Answers {
    answers(&[
        ("q", option("Yes")),
        ("m", Answer::Options(vec!["b".to_owned()])),
        ("n", Answer::Number(-3)),
        ("l", Answer::Number(4)),
        ("t", Answer::Text("Kowalski".to_owned())),
    ])
}

fn saving(world: &World, attempt: AttemptId, base: u32, answers: Answers, by: &str) -> SaveAnswers {
    let saved = Saved { by: by.to_owned(), at: world.now() };
    SaveAnswers { attempt, base, answers, complete: false, saved }
}

async fn save(world: &World, save: SaveAnswers) -> Result<(FilledQuestionnaire, bool), NotSaved> {
    match world.store.save_answers(save).await.unwrap() {
        AnswersDecision::Saved { filled, changed } => Ok((*filled, changed)),
        AnswersDecision::Refused(why) => Err(why),
    }
}

async fn filled(world: &World, attempt: AttemptId) -> FilledQuestionnaire {
    world.store.questionnaire(attempt).await.unwrap().unwrap()
}

/// An attempt of a customer that is under way.
async fn placed(world: &mut World, campaign: &Campaign, customer: &str) -> (AttemptId, RecordedIntent) {
    let contact = world.find(campaign, customer).await;
    world.place(&contact, 0).await
}

async fn begun(world: &mut World) -> Campaign {
    let spring = asking(1);
    apply(world, &spring).await;
    world.import(&spring, contacts(4)).await;
    spring
}

async fn an_attempt_keeps_what_it_was_placed_under(mut world: World) {
    let spring = begun(&mut world).await;
    let (first, recorded) = placed(&mut world, &spring, "c1").await;
    let before = filled(&world, first).await;
    let told = |filled: &FilledQuestionnaire| {
        let Questionnaire { version, questions, .. } = &*filled.questionnaire;
        (*version, questions.last().unwrap().text.clone(), filled.revision.clone())
    };
    assert_eq!(told(&before), (1, "as of version 1?".to_owned(), recorded.revision.clone()));
    assert_eq!((before.sequence, before.answers.len(), before.changed.as_ref()), (0, 0, None));
    let named = (before.questionnaire.name.as_str(), before.questionnaire.survey.as_str());
    assert_eq!(named, ("Drive", "drive"));
    assert_eq!(before.questionnaire.questions[..4], questions()[..4], "all forms of questions are kept");
    let spring = asking(2);
    apply(&mut world, &spring).await;
    let (second, later) = placed(&mut world, &spring, "c2").await;
    assert_eq!(told(&filled(&world, first).await), told(&before), "a commit changes nothing of a call under way");
    assert_eq!(told(&filled(&world, second).await), (2, "as of version 2?".to_owned(), later.revision.clone()));
    // Git forgets it all, and the campaign asks nothing any more.
    let silent = campaign("spring");
    world.apply(&[&silent]).await;
    world.crash().await;
    assert_eq!(told(&filled(&world, first).await), told(&before));
    world.apply(&[&silent]).await;
    let (third, _) = placed(&mut world, &silent, "c3").await;
    assert_eq!(world.store.questionnaire(third).await.unwrap(), None);
    let refused = save(&world, saving(&world, third, 0, full(), "amy")).await;
    assert_eq!(refused.unwrap_err(), NotSaved::NoQuestionnaire(third));
}

async fn a_save_that_has_not_seen_the_one_before_is_refused(mut world: World) {
    let spring = begun(&mut world).await;
    let (attempt, _) = placed(&mut world, &spring, "c1").await;
    let some = answers(&[("q", option("Yes"))]);
    let (after, changed) = save(&world, saving(&world, attempt, 0, some.clone(), "amy")).await.unwrap();
    assert!(changed);
    assert_eq!((after.sequence, &after.answers), (1, &some));
    assert_eq!(after.changed, Some(Saved { by: "amy".to_owned(), at: world.now() }));
    assert_eq!(after.completed, None);
    // Said again it changes nothing, whatever it builds on.
    assert_eq!(save(&world, saving(&world, attempt, 0, some, "amy")).await.unwrap(), (after.clone(), false));
    let other = save(&world, saving(&world, attempt, 0, full(), "sue")).await;
    assert_eq!(other.unwrap_err(), NotSaved::Changed(Box::new(after)));
    let (second, _) = save(&world, saving(&world, attempt, 1, full(), "sue")).await.unwrap();
    world.crash().await;
    assert_eq!(filled(&world, attempt).await, second);
    assert_eq!(second.answers, full(), "all forms of answers are kept");
}

async fn a_complete_one_is_corrected_and_no_draft_again(mut world: World) {
    let spring = begun(&mut world).await;
    let (attempt, recorded) = placed(&mut world, &spring, "c1").await;
    let complete =
        |world: &World, base, answers, by| SaveAnswers { complete: true, ..saving(world, attempt, base, answers, by) };
    let (after, _) = save(&world, complete(&world, 0, full(), "amy")).await.unwrap();
    let first = Some(Saved { by: "amy".to_owned(), at: world.now() });
    assert_eq!((&after.completed, &after.changed), (&first, &first));
    let no = answers(&[("q", option("No"))]);
    let draft = save(&world, saving(&world, attempt, 1, no.clone(), "amy")).await;
    assert_eq!(draft.unwrap_err(), NotSaved::Complete(Box::new(after)));
    world.settle(attempt, &recorded, 0, CallResult::Answered).await;
    world.wait(Duration::from_secs(60));
    let stale = save(&world, complete(&world, 0, no.clone(), "sue")).await;
    assert!(matches!(stale, Err(NotSaved::Changed(_))));
    let (corrected, _) = save(&world, complete(&world, 1, no.clone(), "sue")).await.unwrap();
    assert_eq!((corrected.sequence, &corrected.answers, &corrected.completed), (2, &no, &first));
    assert_eq!(corrected.changed, Some(Saved { by: "sue".to_owned(), at: world.now() }));
    let record = world.store.attempts(&spring.id, None, 9).await.unwrap().remove(0);
    assert_eq!((corrected.ended_at, &corrected.agent), (record.ended_at, &record.agent));
}

async fn answers_are_read_by_attempt_contact_and_campaign(mut world: World) {
    let spring = begun(&mut world).await;
    let mut attempts = Vec::new();
    for customer in ["c1", "c2", "c3"] {
        attempts.push(placed(&mut world, &spring, customer).await.0);
    }
    for attempt in &attempts[..2] {
        let at = world.now();
        world.store.note(Milestone::Connected { attempt: *attempt, at }).await.unwrap();
    }
    for attempt in [attempts[0], attempts[2]] {
        save(&world, saving(&world, attempt, 0, full(), "amy")).await.unwrap();
    }
    let of = world.store.questionnaires_of(&attempts).await.unwrap();
    assert_eq!(of.keys().copied().collect::<Vec<_>>(), attempts);
    let contact = world.store.questionnaires_of_contact(&spring.id, &customer_id("c2")).await.unwrap();
    assert_eq!(contact, [of[&attempts[1]].clone()]);
    let page = async |after, limit| {
        let page = world.store.questionnaire_page(&spring.id, after, limit).await.unwrap();
        page.into_iter().map(|filled| filled.attempt).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 9).await, [attempts[0], attempts[2]], "those in which something was saved");
    assert_eq!(page(None, 1).await, [attempts[0]]);
    assert_eq!(page(Some(attempts[0]), 9).await, [attempts[2]]);
    let asked = world.store.asked(&spring.id).await.unwrap();
    let asked: Vec<_> = asked.iter().map(|asked| (asked.questionnaire.version, asked.connected)).collect();
    assert_eq!(asked, [(1, 2)]);
    let nowhere = world.store.asked(&campaign_id("nowhere")).await;
    assert!(matches!(nowhere, Err(StoreError::UnknownCampaign(_))));
}

async fn erasure_takes_what_may_tell_who_it_was(mut world: World) {
    let spring = begun(&mut world).await;
    let (attempt, recorded) = placed(&mut world, &spring, "c1").await;
    save(&world, saving(&world, attempt, 0, full(), "amy")).await.unwrap();
    let (other, _) = placed(&mut world, &spring, "c2").await;
    save(&world, saving(&world, other, 0, full(), "amy")).await.unwrap();
    world.settle(attempt, &recorded, 0, CallResult::Answered).await;
    world.store.erase(&spring.id, &customer_id("c1")).await.unwrap();
    let after = filled(&world, attempt).await;
    let mut expected = full();
    expected.insert(question_id("t"), Answer::Erased);
    expected.insert(question_id("n"), Answer::Erased);
    assert_eq!(after.answers, expected);
    assert_eq!(filled(&world, other).await.answers, full());
    let refused = save(&world, saving(&world, attempt, after.sequence, full(), "sue")).await;
    assert_eq!(refused.unwrap_err(), NotSaved::Erased(attempt));
    let Some(path) = world.path() else { return };
    save(&world, saving(&world, other, 1, Answers::new(), "amy")).await.unwrap();
    assert!(world.store.scrub().await.unwrap());
    for name in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(name).unwrap_or_default();
        assert!(!bytes.windows(8).any(|bytes| bytes == b"Kowalski"), "it is nowhere in the file");
    }
}

async fn what_was_withdrawn_asks_nothing(mut world: World) {
    let spring = begun(&mut world).await;
    let (attempt, _) = placed(&mut world, &spring, "c1").await;
    save(&world, saving(&world, attempt, 0, full(), "amy")).await.unwrap();
    world.store.withdraw_intent(attempt).await.unwrap();
    assert_eq!(world.store.questionnaire(attempt).await.unwrap(), None);
    assert_eq!(world.store.questionnaire_page(&spring.id, None, 9).await.unwrap(), []);
    assert_eq!(world.store.asked(&spring.id).await.unwrap(), []);
}

async fn a_save_is_written_down_if_it_changes_anything(mut world: World) {
    use crate::{
        domain::{
            audit::{Deed, DeedResult},
            person::Role,
        },
        store::NewAuditEntry,
    };
    let spring = begun(&mut world).await;
    let (attempt, _) = placed(&mut world, &spring, "c1").await;
    let entry = || {
        let (who, action, object) = ("amy".to_owned(), "questionnaire.save".to_owned(), String::new());
        NewAuditEntry::new(Deed { who, role: Role::Agent, action, object, result: DeedResult::Done })
    };
    for (base, answers) in [(0, full()), (0, full()), (7, Answers::new())] {
        let store = world.store.audited(entry());
        store.save_answers(saving(&world, attempt, base, answers, "amy")).await.unwrap();
    }
    assert_eq!(world.store.audit_page(None, 9).await.unwrap().len(), 1);
}
