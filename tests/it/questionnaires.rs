//! Questionnaires through the daemon: filled in on the agent page, kept through what breaks, counted and corrected.

use dialops::{
    domain::{
        ids::QuestionId,
        survey::{
            AnswerKind, Goto, Question, Target,
            answer::{Answer, Answers},
            path::{missing, path},
        },
    },
    http::wire::questionnaire::{self as wire, QuestionView},
};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Look},
    desk::{CANARY, PASSWORD, audit, give_password, import, open_places, sign_in, stage as desk},
    oracle::random::dice::Dice,
    stage::{CAMPAIGN, Campaign, Stage, number},
    wire::Wire,
};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// What nobody but who may see answers may see.
pub(crate) const SAID: &str = "Ask-again-after-Easter";

/// Every kind of question, and jumps.
const VERSION_1: &str = r#"
id = "drive"
name = "Test drive"
type = "manual"

[[versions]]
version = 1
state = "published"

[[versions.questions]]
id = "interest"
text = "Would you like to drive the new model?"
kind = "single"
required = true
options = ["Yes", "Perhaps later", "No"]
goto = { "Perhaps later" = "when", No = "why" }

[[versions.questions]]
id = "showroom"
text = "Which showroom suits you best?"
kind = "single"
options = ["Pudong", "Hongqiao"]
goto = "content"

[[versions.questions]]
id = "when"
text = "In how many months may we ask again?"
kind = "number"
required = true
min = 1
max = 24
goto = "content"

[[versions.questions]]
id = "why"
text = "May we ask why not?"
kind = "multiple"
options = ["Too dear", "Drives little"]

[[versions.questions]]
id = "content"
text = "From 1 to 5, how content are you with our service?"
kind = "scale"
required = true
min = 1
max = 5

[[versions.questions]]
id = "remarks"
text = "What else shall we know?"
kind = "text"
"#;

const VERSION_2: &str = r#"
[[versions]]
version = 2
state = "published"

[[versions.questions]]
id = "model"
text = "Which of our models interests you?"
kind = "single"
required = true
options = ["Sedan", "SUV"]
"#;

const ASKS_1: &str = r#"survey = { id = "drive", version = 1 }"#;
const ASKS_2: &str = r#"survey = { id = "drive", version = 2 }"#;

fn asking(rest: &'static str) -> Campaign {
    Campaign { rest, ..Campaign::default() }
}

/// A stage whose campaign asks version 1.
pub(crate) fn stage(wrap_up: &str) -> Stage {
    let stage = desk(&["a1"], wrap_up);
    stage.repository.write("campaigns/shared/surveys/drive.toml", VERSION_1);
    stage.commit(&asking(ASKS_1));
    stage
}

/// Lets an agent in, and makes them ready.
fn ready(stage: &Stage, wire: &Wire) -> Browser {
    give_password(stage, "a1");
    let browser = Browser::start();
    sign_in(&wire.address, &browser, "a1", PASSWORD);
    stage.until("the page is there", || browser.text("#state").contains("signed out"));
    browser.tab_to("set-idle");
    browser.keys(ENTER);
    stage.until("idle", || browser.text("#state .pill") == "idle");
    browser
}

fn saved(stage: &Stage, browser: &Browser) {
    stage.until("it is saved", || browser.text("#questions-saved").starts_with("saved"));
}

/// Chooses where the focus of a group can be, by the keyboard.
fn choose(browser: &Browser, id: &str) {
    browser.run(&format!("document.getElementById('{id}').focus()"));
    browser.keys(" ");
}

/// The questions that are shown.
fn shown(browser: &Browser) -> Vec<String> {
    let script =
        "return [...document.querySelectorAll('.question')].filter(q => q.offsetParent).map(q => q.dataset.id)";
    serde_json::from_value(browser.run(script)).unwrap()
}

fn listed(stage: &Stage) -> Vec<Value> {
    let lines = stage.cli(&["questionnaire", "list", CAMPAIGN, "--format", "json"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn counts(stage: &Stage) -> Value {
    serde_json::from_str(&stage.cli(&["questionnaire", "counts", CAMPAIGN, "--format", "json"])).unwrap()
}

fn attempt(stage: &Stage, index: usize) -> String {
    stage.results()[index].attempt.clone()
}

/// Asks over the daemon's socket, as root.
fn ask(stage: &Stage, method: reqwest::Method, path: &str, body: &Value) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().unix_socket(stage.path("dialops.sock")).build().unwrap();
        let answer = client.request(method, format!("http://dialops{path}")).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    })
}

/// Ends the conversation of the agent, and waits until this many attempts are over.
pub(crate) fn hang_up(stage: &Stage, over: usize) {
    stage.until("the agent talks", || stage.cli(&["agents", "list"]).contains("talking"));
    ask(stage, reqwest::Method::POST, "/api/v1/agents/a1/hang-up", &json!({}));
    stage.until("it is over", || stage.results().iter().filter(|attempt| attempt.ended_at.is_some()).count() == over);
}

#[test]
fn an_agent_fills_in_a_questionnaire_with_a_jump() {
    let stage = stage("60s");
    let daemon = stage.run();
    let browser = ready(&stage, &Wire::to(stage.http));
    import(&stage, &[number::rings(1)]);
    stage.until("it rings", || browser.text("#call").contains("being called"));
    stage.until("the questions are there", || browser.text("#questions").contains("drive the new model"));
    stage.until("it is over", || browser.text("#state .pill") == "idle");
    stage.until("the questions are gone", || shown(&browser).is_empty());

    import(&stage, &[number::rings(1), number::waits(2)]);
    stage.until("they talk", || browser.text("#call").contains("Talking"));
    stage.until("the first question alone", || shown(&browser) == ["interest"]);
    let sizes = "return performance.getEntries().map(entry => entry.transferSize || 0).reduce((a, b) => a + b)";
    let bytes = browser.run(sizes).as_u64().unwrap();
    assert!((1..100_000).contains(&bytes), "all that was loaded has {bytes} bytes");

    // The keyboard alone gets everywhere.
    browser.tab_to("q-interest-1");
    browser.keys(" ");
    stage.until("the way follows", || shown(&browser) == ["interest", "showroom", "content", "remarks"]);
    saved(&stage, &browser);
    browser.keys("\u{e015}\u{e015}");
    stage.until("another way", || shown(&browser) == ["interest", "why", "content", "remarks"]);
    browser.keys(TAB);
    assert_eq!(browser.run("return document.activeElement.id"), "q-why-1");
    browser.keys(" ");
    browser.tab_to("complete");
    browser.keys(ENTER);
    let told = || browser.text("#questions-saved");
    assert!(told().contains("not complete, an answer is required: “From 1 to 5"), "{}", told());
    assert_eq!(browser.run("return document.activeElement.id"), "q-content-1", "where it is missing");
    choose(&browser, "q-content-4");
    browser.tab_to("q-remarks");
    browser.keys(SAID);
    saved(&stage, &browser);
    for (name, look) in [
        ("questions-light", Look { dark: false, twice: false }),
        ("questions-dark", Look { dark: true, twice: false }),
        ("questions-twice", Look { dark: false, twice: true }),
    ] {
        browser.look(look);
        assert_eq!(browser.serious_faults(), Vec::<String>::new(), "{name}");
        let wider = browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth");
        assert_eq!(wider, false, "{name}: nothing has to be scrolled sideways");
        browser.picture(name);
    }
    browser.look(Look { dark: false, twice: false });
    assert_eq!(browser.run("return document.activeElement.id"), "q-remarks", "nothing has taken the focus away");

    // The very field that is typed in stays, whatever comes from the daemon.
    browser.run("document.getElementById('q-remarks').mine = true");
    browser.tab_to("hang-up");
    browser.keys(ENTER);
    stage.until("notes", || browser.text("#state .pill") == "wrap up");
    stage.until("the section has changed", || browser.text("#questions-note").contains("The call is over."));
    assert_eq!(browser.run("const it = document.getElementById('q-remarks'); return it.mine && it.value"), SAID);
    browser.tab_to("complete");
    browser.keys(ENTER);
    stage.until("complete", || told().starts_with("complete since"));
    browser.picture("questions-complete");
    browser.run("document.querySelector('input[value=sold]').focus()");
    browser.keys(" ");
    browser.tab_to("save");
    browser.keys(ENTER);
    stage.until("the result is saved", || browser.text("#result").contains("Saved: Sold"));
    browser.tab_to("set-idle");
    browser.keys(ENTER);
    stage.until("idle again", || browser.text("#state .pill") == "idle");
    stage.until("it is told", || browser.text("#questions").contains("questionnaire of your last call is complete"));

    let answers = listed(&stage);
    assert_eq!(answers.len(), 1);
    let found = &answers[0];
    let expected = json!({ "interest": "No", "why": ["Too dear"], "content": 4, "remarks": SAID });
    assert_eq!(found["answers"], expected, "what stood beside the way is gone");
    assert_eq!((&found["state"], &found["version"], &found["customer"]), (&"complete".into(), &1.into(), &"c2".into()));
    assert_eq!((&found["completedBy"], &found["attempt"]), (&"a1".into(), &attempt(&stage, 1).into()));
    let count = &counts(&stage)["versions"][0];
    assert_eq!(
        (&count["completed"], &count["partial"], &count["none"]),
        (&1.into(), &0.into(), &0.into()),
        "{count:#}"
    );

    let actions: Vec<String> = audit(&stage).iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    let of = |wanted: &str| actions.iter().filter(|action| *action == wanted).count();
    assert_eq!((of("questionnaire.save"), of("questionnaire.complete")), (1, 1), "{actions:?}");
    let said = open_places(&stage, &daemon);
    for personal in [SAID, CANARY, "Too dear"] {
        assert!(!said.contains(personal), "{personal} stands where anybody reads it");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn a_draft_outlives_the_daemon_and_what_was_typed_meanwhile_comes_through() {
    let stage = stage("60s");
    let daemon = stage.run();
    let browser = ready(&stage, &Wire::to(stage.http));
    import(&stage, &[number::waits(1)]);
    stage.until("they talk", || browser.text("#call").contains("Talking"));
    stage.until("the first question", || shown(&browser) == ["interest"]);
    choose(&browser, "q-interest-2");
    browser.tab_to("q-when");
    browser.keys("3");
    saved(&stage, &browser);
    daemon.kill();
    browser.keys("0");
    let told = || browser.text("#questions-saved");
    assert!(told().contains("takes a whole number from 1 to 24"), "{}", told());
    browser.keys("\u{e003}");
    choose(&browser, "q-content-2");
    stage.until("it is told", || told().starts_with("not saved: the daemon does not answer"));
    browser.picture("questions-not-saved");
    browser.tab_to("q-remarks");
    browser.keys("calls");
    let daemon = stage.run();
    browser.keys(" back");
    saved(&stage, &browser);
    assert_eq!(browser.run("return document.activeElement.id"), "q-remarks", "nothing was replaced");
    assert_eq!(browser.run("return document.getElementById('q-remarks').value"), "calls back");
    let found = &listed(&stage)[0];
    let expected = json!({ "interest": "Perhaps later", "when": 3, "content": 2, "remarks": "calls back" });
    assert_eq!((&found["answers"], &found["state"]), (&expected, &"partial".into()));
    // The call is over with the daemon's life; for a while the agent may still complete it.
    stage.until("it is told", || browser.text("#questions-note").contains("The call is over."));
    browser.picture("questions-over");
    browser.tab_to("complete");
    browser.keys(ENTER);
    stage.until("complete", || listed(&stage)[0]["state"] == "complete");
    stage.until("it is told", || browser.text("#questions").contains("questionnaire of your last call is complete"));
    daemon.stop();
}

#[test]
fn a_cut_wire_and_a_reload_lose_nothing() {
    let stage = stage("2s");
    let daemon = stage.run();
    let wire = Wire::to(stage.http);
    let browser = ready(&stage, &wire);
    import(&stage, &[number::waits(1)]);
    stage.until("they talk", || browser.text("#call").contains("Talking"));
    stage.until("the first question", || shown(&browser) == ["interest"]);
    choose(&browser, "q-interest-1");
    saved(&stage, &browser);
    wire.cut();
    choose(&browser, "q-content-5");
    browser.tab_to("q-remarks");
    browser.keys(SAID);
    stage.until("it is told", || browser.text("#questions-saved").starts_with("not saved: the daemon does not answer"));
    assert_eq!(listed(&stage)[0]["answers"], json!({ "interest": "Yes" }));
    wire.mend();
    browser.open(&format!("http://{}/agent", wire.address));
    saved(&stage, &browser);
    assert_eq!(browser.run("return document.getElementById('q-remarks').value"), SAID);
    let whole = json!({ "interest": "Yes", "content": 5, "remarks": SAID });
    assert_eq!(listed(&stage)[0]["answers"], whole);

    // Typed while the wire is cut; the call and the time for notes are over when it is mended.
    wire.cut();
    browser.run("document.getElementById('q-remarks').focus()");
    browser.keys("\u{e010} and more");
    stage.until("it is told", || browser.text("#questions-saved").starts_with("not saved"));
    hang_up(&stage, 1);
    stage.until("so is the time for notes", || stage.cli(&["agents", "list"]).contains("idle"));
    wire.mend();
    saved(&stage, &browser);
    stage.until("it has come through", || {
        listed(&stage)[0]["answers"]["remarks"].as_str().unwrap().ends_with(" and more")
    });
    let found = &listed(&stage)[0];
    assert_eq!(found["state"], "partial", "a time for notes that runs out leaves what there is");
    daemon.stop();
}

#[test]
fn an_old_page_overwrites_nothing_and_a_supervisor_corrects() {
    let stage = stage("60s");
    let daemon = stage.run();
    let browser = ready(&stage, &Wire::to(stage.http));
    import(&stage, &[number::waits(1)]);
    stage.until("they talk", || browser.text("#call").contains("Talking"));
    stage.until("the first question", || shown(&browser) == ["interest"]);
    choose(&browser, "q-interest-1");
    saved(&stage, &browser);
    let id = attempt(&stage, 0);
    let lacking = stage.cli_fails(&["questionnaire", "complete", &id, "--answer", "interest=Perhaps later"]);
    assert_eq!(lacking.0, Some(2), "{lacking:?}");
    assert!(lacking.1.contains("required answers are missing: when (\"In how many"), "{}", lacking.1);
    assert!(lacking.1.contains("content (\"From 1 to 5"), "all of them: {}", lacking.1);
    let out =
        stage.cli_fails(&["questionnaire", "complete", &id, "--answer", "content=9", "--answer", "interest=Maybe"]);
    assert!(out.1.contains("a whole number from 1 to 5") && out.1.contains("one of \"Yes\""), "{}", out.1);
    assert_eq!(listed(&stage)[0]["answers"], json!({ "interest": "Yes" }), "what is refused changes nothing");

    // Somebody else completes it; the page has not seen that.
    stage.cli(&["questionnaire", "complete", &id, "--answer", "content=3", "--answer", "remarks=by the supervisor"]);
    browser.tab_to("q-remarks");
    browser.keys("by the agent");
    let told = || browser.text("#questions-saved");
    stage.until("it is told", || told().contains("uid 0 has changed the answers elsewhere"));
    assert_eq!(listed(&stage)[0]["answers"]["remarks"], "by the supervisor");
    assert_eq!(browser.serious_faults(), Vec::<String>::new());
    browser.picture("questions-changed-elsewhere");
    browser.tab_to("take-theirs");
    browser.keys(ENTER);
    stage.until("it is complete", || told().starts_with("complete since"));
    assert_eq!(browser.run("return document.getElementById('q-remarks').value"), "by the supervisor");
    // What is complete is corrected by completing it again.
    choose(&browser, "q-content-5");
    stage.until("it is not saved by itself", || told().starts_with("Changed and not saved"));
    browser.tab_to("complete");
    browser.keys(ENTER);
    stage.until("it is", || listed(&stage)[0]["answers"]["content"] == 5);
    // The agent may also keep what stands in the page.
    stage.cli(&["questionnaire", "complete", &id, "--answer", "remarks=again"]);
    choose(&browser, "q-content-4");
    browser.tab_to("complete");
    browser.keys(ENTER);
    stage.until("it is told", || told().contains("uid 0 has changed the answers elsewhere"));
    browser.tab_to("keep-mine");
    browser.keys(ENTER);
    stage.until("it is not saved by itself", || told().starts_with("Changed and not saved"));
    browser.tab_to("complete");
    browser.keys(ENTER);
    stage.until("it is", || listed(&stage)[0]["answers"]["content"] == 4);
    assert_eq!(listed(&stage)[0]["answers"]["remarks"], "by the supervisor");
    browser.tab_to("hang-up");
    browser.keys(ENTER);
    stage.until("notes", || browser.text("#state .pill") == "wrap up");
    browser.tab_to("set-idle");
    browser.keys(ENTER);
    stage.until("it is over", || browser.text("#state .pill") == "idle");

    stage.cli(&["questionnaire", "complete", &id, "--answer", "remarks==1+1"]);
    let csv = stage.cli(&["questionnaire", "list", CAMPAIGN, "--format", "csv"]);
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().ends_with(
        "completed_by,answer.interest,answer.showroom,answer.when,answer.why,answer.content,answer.remarks"
    ));
    assert!(lines.next().unwrap().ends_with(",Yes,,,,4,'=1+1"), "{csv}");
    let text = stage.cli(&["questionnaire", "show", &id]);
    assert!(text.contains("Would you like to drive the new model? (interest): Yes"), "{text}");
    let text = stage.cli(&["questionnaire", "counts", CAMPAIGN]);
    assert!(text.contains("drive version 1 (Test drive): 1 complete, 0 partial, 0 without answers"), "{text}");
    assert!(text.contains("    4: 1\n"), "{text}");

    // Erased, nothing of what was written is left, and the counts are.
    stage.cli(&["contacts", "erase", "c1"]);
    let erased = &listed(&stage)[0];
    assert_eq!(erased["answers"], json!({ "interest": "Yes", "content": 4, "remarks": { "erased": true } }));
    let count = &counts(&stage)["versions"][0];
    assert_eq!((&count["completed"], &count["questions"][5]["answered"]["completed"]), (&1.into(), &1.into()));
    let final_one = stage.cli_fails(&["questionnaire", "complete", &id, "--answer", "remarks=again"]);
    assert!(final_one.1.contains("was erased"), "{}", final_one.1);
    daemon.stop();
}

#[test]
fn a_new_version_is_asked_once_the_campaigns_file_says_so() {
    let stage = stage("0s");
    let daemon = stage.run();
    stage.cli(&["agents", "set", "a1", "idle"]);
    let asked = |id: &str| -> Value {
        serde_json::from_str(&stage.cli(&["questionnaire", "show", id, "--format", "json"])).unwrap()
    };
    let in_force = |revision: &dialops::domain::ids::Revision| {
        stage.until("the commit is in force", || daemon.status().to_string().contains(revision.as_str()));
    };
    let first_commit = stage.repository.head();
    import(&stage, &[number::waits(1)]);
    stage.until("they talk", || stage.results().iter().any(|attempt| attempt.connected_at.is_some()));
    let first = attempt(&stage, 0);
    // Version 2 is published: nobody asks it.
    stage.repository.write("campaigns/shared/surveys/drive.toml", format!("{VERSION_1}{VERSION_2}"));
    in_force(&stage.repository.commit("version 2 is published"));
    hang_up(&stage, 1);
    import(&stage, &[number::waits(1), number::waits(2)]);
    stage.until("they talk", || stage.results().get(1).is_some_and(|attempt| attempt.connected_at.is_some()));
    let second = attempt(&stage, 1);
    assert_eq!(asked(&second)["version"], 1, "publishing changes no running campaign");
    // The campaign's file says 2 while that call is under way.
    let says_2 = stage.commit(&asking(ASKS_2));
    in_force(&says_2);
    assert_eq!(asked(&second)["version"], 1, "a call under way keeps its version");
    let draft = json!({ "base": 0, "answers": { "interest": "No" } });
    let put = ask(&stage, reqwest::Method::PUT, "/api/v1/agents/a1/questionnaire", &draft);
    assert_eq!(put["version"], 1, "{put:#}");
    hang_up(&stage, 2);
    import(&stage, &[number::waits(1), number::waits(2), number::waits(3)]);
    stage.until("they talk", || stage.results().get(2).is_some_and(|attempt| attempt.connected_at.is_some()));
    let third = asked(&attempt(&stage, 2));
    assert_eq!((&third["version"], &third["path"]), (&2.into(), &json!(["model"])), "{third:#}");
    assert_eq!(third["revision"], says_2.as_str());
    hang_up(&stage, 3);
    // The survey is gone from Git: what was asked is still read.
    std::fs::remove_file(stage.repository.path().join("campaigns/shared/surveys/drive.toml")).unwrap();
    in_force(&stage.commit(&asking("")));
    let before = asked(&first);
    assert_eq!(
        (&before["questions"][0]["text"], &before["revision"]),
        (&json!("Would you like to drive the new model?"), &json!(first_commit.as_str()))
    );
    let versions = counts(&stage)["versions"].clone();
    let numbers: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].clone(), v["none"].clone(), v["partial"].clone()))
        .collect();
    assert_eq!(numbers, [(json!(1), json!(1), json!(1)), (json!(2), json!(1), json!(0))], "{versions:#}");
    daemon.stop();
}

/// Questions that lead forward by chance, and answers to some of them.
fn by_chance(dice: &mut Dice) -> (Vec<Question>, Answers) {
    let count = 1 + dice.below(10);
    let id = |at: usize| QuestionId::parse(&format!("q{at}")).unwrap();
    let (mut questions, mut answers) = (Vec::new(), Answers::new());
    for at in 0..count {
        let ahead = at + 1 + dice.below(4);
        let target = || if ahead < count { Target::Question(id(ahead)) } else { Target::End };
        let goto = match dice.below(4) {
            0 => Goto::Next,
            1 => Goto::Always(target()),
            _ => {
                Goto::ByAnswer((0..3).filter(|_| dice.chance(60)).map(|key: i64| (key.to_string(), target())).collect())
            }
        };
        let (answer, required) = (AnswerKind::Scale { min: 0, max: 2 }, dice.chance(40));
        questions.push(Question { id: id(at), text: "?".to_owned(), answer, required, goto });
        if dice.chance(60) {
            answers.insert(id(at), Answer::Number(dice.between(0, 2)));
        }
    }
    (questions, answers)
}

/// The page finds the way itself, since it has to without a connection: it is the daemon's.
#[test]
fn the_page_follows_the_way_that_the_daemon_finds() {
    const SEED: u64 = 21;
    let stage = stage("0s");
    let daemon = stage.run();
    let browser = Browser::start();
    sign_in(&stage.http, &browser, "a1", stage.cli(&["agents", "token", "a1"]).trim());
    stage.until("the page is there", || browser.text("#state").contains("signed out"));
    let mut dice = Dice::new(SEED, "questionnaires");
    let cases: Vec<_> = (0..500).map(|_| by_chance(&mut dice)).collect();
    let shown = |(questions, answers): &(Vec<Question>, Answers)| {
        let questions: Vec<QuestionView> = questions.iter().map(QuestionView::from).collect();
        json!({ "questions": questions, "answers": wire::answers(answers) })
    };
    let shown: Vec<Value> = cases.iter().map(shown).collect();
    let script = format!(
        "return {}.map(({{questions, answers}}) => {{
             const form = document.createElement('form');
             for (const {{id, required, goto = null}} of questions) {{
                 const element = form.appendChild(document.createElement('div'));
                 element.className = 'question';
                 Object.assign(element.dataset, {{id, goto: JSON.stringify(goto)}}, required ? {{required: 1}} : {{}});
             }}
             quest = {{form}};
             const missing = adapt(answers).map(element => element.dataset.id);
             const way = questionElements().filter(element => !element.hidden).map(element => element.dataset.id);
             quest = null;
             return {{way, missing}};
         }})",
        json!(shown)
    );
    let found = browser.run(&script);
    for (at, (questions, answers)) in cases.iter().enumerate() {
        let ids = |questions: Vec<&Question>| questions.iter().map(|q| q.id.to_string()).collect::<Vec<_>>();
        let expected = json!({ "way": ids(path(questions, answers)), "missing": ids(missing(questions, answers)) });
        assert_eq!(found[at], expected, "case {at}: {questions:#?} {answers:?}");
    }
    daemon.stop();
}
