//! The page of a contact, through the daemon: what it shows of answers and business results, and the form on it.

use std::{io::Write as _, process::Stdio};

use serde_json::Value;

use crate::{
    browser::{Browser, Look},
    desk::{CANARY, PASSWORD, audit, give_password, open_places},
    questionnaires::{SAID, hang_up, stage},
    stage::{CAMPAIGN, Stage, number},
};

/// A customer whose id is no plain part of an address or a page.
const CUSTOMER: &str = "<i>&\"'#?%2F/x";
const PAGE: &str = "/campaigns/spring/contacts/%3Ci%3E%26%22%27%23%3F%252F%2Fx";
const SCRIPT: &str = "<script>window.broken=1</script><img src=x onerror=window.broken=1>";

fn person(stage: &Stage, id: &str, role: &str) {
    stage.cli(&["people", "set", id, "--role", role]);
    let mut child = stage.command(&["people", "password", id]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn url(stage: &Stage, path: &str) -> String {
    format!("http://{}{path}", stage.http)
}

/// Signs in from the form that a page leads to; back at `there`.
fn sign_in(stage: &Stage, browser: &Browser, path: &str, person: &str, there: &str) {
    browser.open(&url(stage, path));
    assert!(browser.url().contains("/sign-in"), "{}", browser.url());
    browser.keys(person);
    browser.keys("\u{e004}");
    browser.keys(PASSWORD);
    browser.keys("\u{e007}");
    stage.until("signed in", || browser.url() == url(stage, there));
}

fn detail(stage: &Stage) -> Value {
    serde_json::from_str(&stage.cli(&["results", "show", CAMPAIGN, CUSTOMER, "--format", "json"])).unwrap()
}

/// The one row of a file, by its columns.
fn csv_row(text: &str) -> Value {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    columns.iter().zip(&row).map(|(column, cell)| (column.to_owned(), Value::from(cell))).collect()
}

/// Fills in the form and sends it, by the keyboard.
fn mark(browser: &Browser, result: &str, note: &str, callback: &str) {
    let set = |name: &str, value: &str| {
        browser.run(&format!("document.querySelector('.mark [name={name}]').value = {}", Value::from(value)))
    };
    set("result", result);
    set("callback", callback);
    browser.run("document.querySelector('.mark [name=note]').focus()");
    browser.keys(note);
    browser.run("document.querySelector('.mark button').focus()");
    browser.keys("\u{e007}");
}

fn pictures(browser: &Browser, name: &str) {
    for (how, look) in [
        ("light", Look { dark: false, twice: false }),
        ("dark", Look { dark: true, twice: false }),
        ("twice", Look { dark: false, twice: true }),
    ] {
        browser.look(look);
        browser.picture(&format!("{name}-{how}"));
        assert_eq!(browser.serious_faults(), [""; 0], "{name} {how}");
    }
    browser.narrow();
    browser.picture(&format!("{name}-narrow"));
    let wider = browser.run("return document.documentElement.scrollWidth > window.innerWidth");
    assert_eq!(wider, false, "{name}: only tables scroll sideways");
    browser.look(Look { dark: false, twice: false });
}

#[test]
fn a_supervisor_reads_the_answers_and_sets_a_business_result() {
    let stage = stage("0s");
    let daemon = stage.run();
    stage.import_file(
        "one.csv",
        &format!(
            "customer_id,number.mobile,attr.surname\n\"{}\",{},{CANARY}\n",
            CUSTOMER.replace('"', "\"\""),
            number::waits(1)
        ),
    );
    stage.sign_in(&["a1"]);
    hang_up(&stage, 1);
    let attempt = stage.results()[0].attempt.clone();
    let remarks = format!("remarks={SAID}{SCRIPT}");
    let answers =
        ["--answer", "interest=No", "--answer", "why=Too dear", "--answer", "content=4", "--answer", &remarks];
    stage.cli(&[&["questionnaire", "complete", &attempt][..], &answers].concat());

    let found = &detail(&stage)["questionnaires"][0];
    assert_eq!(
        (&found["survey"], &found["version"], &found["state"]),
        (&"drive".into(), &1.into(), &"complete".into())
    );
    assert_eq!((&found["attempt"], &found["answers"]["content"]), (&attempt.as_str().into(), &4.into()), "{found:#}");
    assert!(found["questions"][0]["text"].as_str().unwrap().contains("drive the new model"), "{found:#}");
    let text = stage.cli(&["results", "show", CAMPAIGN, CUSTOMER]);
    for told in [&format!("QUESTIONNAIRE OF {attempt}: drive, version 1, complete"), "our service? (content): 4", SAID]
    {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(!text.contains("showroom"), "that was not asked: {text}");

    let wanted = serde_json::json!({
        "interest": "No", "why": ["Too dear"], "content": 4, "remarks": format!("{SAID}{SCRIPT}"),
    });
    for format in ["jsonl", "csv"] {
        let arguments = ["export", "attempts", CAMPAIGN, "--format", format, "--reason", "x", "--output", "-"];
        let text = stage.cli(&arguments);
        let row: Value = if format == "csv" { csv_row(&text) } else { serde_json::from_str(&text).unwrap() };
        assert_eq!((&row["survey"], &row["questionnaire"]), (&"drive".into(), &"complete".into()), "{row:#}");
        let of = |column: &str| match &row[column] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            other => other.clone(),
        };
        assert_eq!((of("survey_version"), of("answers")), (1.into(), wanted.clone()), "{format}");
    }

    person(&stage, "sue", "supervisor");
    let browser = Browser::start();
    sign_in(&stage, &browser, PAGE, "sue", PAGE);
    let main = browser.text("main");
    for told in [CUSTOMER, "Test drive, version 1, attempt", "complete since", "Too dear", SAID, SCRIPT] {
        assert!(main.contains(told), "{told} in {main}");
    }
    assert!(!main.contains("showroom"), "{main}");

    mark(&browser, "declined/too-dear", &format!("said so {SCRIPT}"), "");
    stage.until("it is set", || browser.url() == url(&stage, &format!("{PAGE}#business-results")));
    let main = browser.text("#business-results");
    assert!(main.contains("Declined: Too dear") && main.contains("said so <script>") && main.contains("sue"), "{main}");
    // A callback only with a result that is for one: it is told, and what was filled in stays.
    mark(&browser, "sold", "too soon", "2031-03-03T15:00");
    stage.until("the fault is told", || browser.text(".wrong").contains("callback"));
    assert_eq!(browser.run("return document.querySelector('.mark [name=note]').value"), "too soon");
    assert_eq!(browser.run("return document.querySelector('.mark [name=result]').value"), "sold");
    assert_eq!(detail(&stage)["businessResults"].as_array().unwrap().len(), 1);
    pictures(&browser, "contact-refused");
    let later = dialops::clock::Clock::system().now().wall + jiff::SignedDuration::from_hours(24);
    let tomorrow = later.to_string()[..10].to_owned();
    browser.run("document.querySelector('.mark [name=note]').value = ''");
    browser.run("document.querySelector('.mark [name=same_agent]').checked = true");
    mark(&browser, "later", "in the afternoon", &format!("{tomorrow}T15:00"));
    stage.until("it is set", || browser.text("main").contains("in the afternoon"));
    let set = &detail(&stage)["businessResults"][1];
    assert_eq!(
        (&set["callbackAt"], &set["callbackAgent"]),
        (&format!("{tomorrow}T15:00:00Z").into(), &"a1".into()),
        "{set:#}"
    );
    assert_eq!((&set["by"], &set["attempt"]), (&"sue".into(), &attempt.as_str().into()));
    assert!(browser.text("#business-results").contains("by a1"), "{}", browser.text("#business-results"));
    pictures(&browser, "contact-marked");
    assert_eq!(browser.run("return window.broken"), Value::Null);
    assert_eq!(browser.run("return document.querySelectorAll('main i, main img, main script').length"), 0);

    // A form that is not this page's own is turned away, and so is who has no session.
    browser.run("document.querySelector('.mark [name=key]').value = 'guessed'");
    mark(&browser, "sold", "x", "");
    stage.until("it is turned away", || browser.text("body").contains("own page"));
    assert_eq!(daemon.post_form(PAGE, "http://elsewhere.example", "result=sold").0, 303);
    assert_eq!(detail(&stage)["businessResults"].as_array().unwrap().len(), 2);
    let log = audit(&stage);
    let marks = log.iter().filter(|entry| entry["action"] == "business_result.set");
    let marks: Vec<String> =
        marks.map(|entry| format!("{} {} {}", entry["who"], entry["object"], entry["result"])).collect();
    let of = |result: &str| format!("\"sue\" \"campaign spring, contact #1\" \"{result}\"");
    assert_eq!(marks.iter().filter(|mark| **mark == of("done")).count(), 2, "{marks:?}");
    assert_eq!(marks.iter().filter(|mark| **mark == of("refused")).count(), 1, "{marks:?}");
    let said = open_places(&stage, &daemon);
    for personal in [SAID, CANARY, "said so", "in the afternoon", "2F/x"] {
        assert!(!said.contains(personal), "{personal} stands where anybody reads it");
    }
    daemon.stop();
}

#[test]
fn who_asks_for_a_page_is_led_back_there_or_to_their_own() {
    let stage = stage("0s");
    let daemon = stage.run();
    give_password(&stage, "a1");
    person(&stage, "sue", "supervisor");
    person(&stage, "vera", "viewer");
    let agent = Browser::start();
    sign_in(&stage, &agent, "/campaigns", "a1", "/agent");
    for path in ["/campaigns", "/campaigns/spring/contacts", "/exports"] {
        agent.open(&url(&stage, path));
        let body = agent.text("body");
        assert!(body.contains("the role agent may not do this") && body.contains("Your page"), "{path}: {body}");
        assert_eq!(agent.run("return document.querySelector('main a').getAttribute('href')"), "/agent", "{path}");
    }
    assert_eq!(agent.serious_faults(), [""; 0]);
    agent.picture("not-for-agents");
    let supervisor = Browser::start();
    sign_in(&stage, &supervisor, "/exports", "sue", "/exports");
    supervisor.open(&url(&stage, "/agent"));
    assert!(supervisor.text("body").contains("All campaigns"), "{}", supervisor.text("body"));
    let viewer = Browser::start();
    sign_in(&stage, &viewer, "/exports", "vera", "/exports");
    assert!(viewer.text("body").contains("the role viewer may not do this"), "{}", viewer.text("body"));
    assert!(viewer.text("body").contains("All campaigns"), "{}", viewer.text("body"));
    daemon.stop();
}
