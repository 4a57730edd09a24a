//! The page, in a real browser, with script off in all that matters: it has none.

use std::io::Write as _;

use super::*;
use crate::browser::{Browser, Look};

const PASSWORD: &str = "several words are long";

fn sign_in(stage: &Stage, browser: &Browser, person: &str) {
    browser.open(&format!("http://{}/exports", stage.http));
    assert!(browser.url().ends_with("/sign-in?back=/exports"), "{}", browser.url());
    browser.keys(person);
    browser.keys("\u{e004}");
    browser.keys(PASSWORD);
    browser.keys("\u{e007}");
    stage.until("signed in", || browser.url() == format!("http://{}/exports", stage.http));
}

fn person(stage: &Stage, id: &str, role: &str) {
    stage.cli(&["people", "set", id, "--role", role]);
    let mut command = stage.command(&["people", "password", id]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_supervisor_asks_for_an_export_on_the_page_and_takes_it_away() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    called(&stage);
    person(&stage, "sue", "supervisor");
    person(&stage, "ann", "admin");
    person(&stage, "vera", "viewer");
    let browser = Browser::start();
    sign_in(&stage, &browser, "sue");
    assert!(browser.text("main").contains("None yet."), "{}", browser.text("main"));
    assert!(!browser.text("main").contains("in full"), "only an admin is offered that");
    browser.run("document.querySelector('input[name=reason]').focus()");
    browser.keys("the quarter's report\u{e007}");
    stage.until("it is listed", || {
        browser.text("#list").contains("Your exports") && browser.text("main").contains("attempts of spring")
    });
    stage.until("it is done", || {
        browser.open(&format!("http://{}/exports", stage.http));
        browser.text(".exports").contains("Download personal-data-spring-attempts-1.xlsx")
    });
    let link = browser.run("return document.querySelector('.exports a').getAttribute('href')");
    assert_eq!(link, "/api/v1/exports/1/file");
    for (name, look) in [
        ("exports-light", Look { dark: false, twice: false }),
        ("exports-dark", Look { dark: true, twice: false }),
        ("exports-twice", Look { dark: false, twice: true }),
    ] {
        browser.look(look);
        assert_eq!(browser.serious_faults(), Vec::<String>::new(), "{name}");
        let wider = browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth");
        assert_eq!(wider, false, "{name}: nothing has to be scrolled sideways");
        browser.picture(name);
    }
    browser.look(Look { dark: false, twice: false });
    // What is wrong is told, and what was filled in stays.
    browser.run("document.querySelector('input[name=batch]').value = 'no-such-batch'");
    browser.run("document.querySelector('input[name=reason]').focus()");
    browser.keys("once more\u{e007}");
    stage.until("the fault is told", || browser.text(".headline.bad").contains("no batch"));
    assert_eq!(browser.run("return document.querySelector('input[name=reason]').value"), "once more");
    assert_eq!(browser.serious_faults(), Vec::<String>::new());
    browser.picture("exports-refused");
    browser.run("document.querySelector('.exports button').focus()");
    browser.keys("\u{e007}");
    stage.until("it is deleted", || browser.text(".exports").contains("deleted") && spooled(&stage).is_empty());
    let log = audited(&stage);
    assert!(log.iter().any(|entry| entry.starts_with("sue | export.ask | id 1: attempts")), "{log:#?}");
    assert!(log.contains(&"sue | export.ask |  | refused".to_owned()), "{log:#?}");
    assert!(log.contains(&"sue | export.delete | id 1 | done".to_owned()), "{log:#?}");

    // A form that is not this page's own is turned away.
    browser.run("document.querySelector('input[name=key]').value = 'guessed'");
    browser.run("document.querySelector('input[name=reason]').focus()");
    browser.keys("x\u{e007}");
    stage.until("it is turned away", || browser.text("body").contains("own page"));
    let status = daemon.post_form("/exports", "http://elsewhere.example", "what=contacts");
    assert_eq!(status.0, 303, "without a session there is only the sign-in");
    assert_eq!(listed(&stage).len(), 1);

    let admin = Browser::start();
    sign_in(&stage, &admin, "ann");
    assert!(admin.text("main").contains("All exports") && admin.text("main").contains("in full"));
    assert!(admin.text(".exports").contains("sue"));
    let viewer = Browser::start();
    sign_in(&stage, &viewer, "vera");
    assert!(viewer.text("body").contains("may not do this"), "{}", viewer.text("body"));
    stop(daemon, &stage);
}
