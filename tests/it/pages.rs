//! The pages for supervisors in a real browser.

use std::time::Duration;

use dialops::{domain::results::CallResult, store::Store};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Look},
    served::{Served, TOKEN},
    stage::pause,
};

/// The middle of every customer's number, which nobody is shown who has not asked for it.
const CANARY: &str = "8613700";

/// A world whose sockets are served while the browser looks.
struct World {
    served: Served,
    runtime: tokio::runtime::Runtime,
    supervisor: String,
    viewer: String,
}

impl World {
    /// Calls on so many days, several an hour, with every other day missing in the second week.
    fn new(contacts: u32, days: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (served, supervisor, viewer) = runtime.block_on(async {
            let mut served = Served::start().await;
            served.apply().await;
            for nth in 0..contacts {
                served.add_contact(&format!("C-{nth}"), &[&format!("+{CANARY}{nth:06}")]).await;
            }
            for day in 0..days {
                live_a_day(&mut served, day).await;
            }
            let supervisor = account(&served, "sue", "supervisor").await;
            let viewer = account(&served, "vera", "viewer").await;
            (served, supervisor, viewer)
        });
        Self { served, runtime, supervisor, viewer }
    }

    fn url(&self, path: &str) -> String {
        self.served.tcp_url(path)
    }

    fn get(&self, path: &str, token: &str) -> (StatusCode, String) {
        self.runtime.block_on(async {
            let answer = reqwest::Client::new().get(self.url(path)).bearer_auth(token).send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        })
    }

    /// Signs in without a mouse, from the form that a page leads to.
    fn sign_in(&self, browser: &Browser, path: &str, name: &str, token: &str) {
        browser.open(&self.url(path));
        assert!(browser.url().contains("/sign-in"), "{}", browser.url());
        browser.keys(name);
        browser.keys("\u{e004}");
        browser.keys(token);
        browser.keys("\u{e007}");
        let there = || browser.url() == self.url(path);
        assert!(
            (0..100).any(|_| there() || {
                pause(Duration::from_millis(50));
                false
            }),
            "{}",
            browser.url()
        );
    }
}

/// From ten in the morning on, and on to the next one.
async fn live_a_day(served: &mut Served, day: u64) {
    const RESULTS: [CallResult; 5] =
        [CallResult::Answered, CallResult::NoAnswer, CallResult::Busy, CallResult::Answered, CallResult::Unreachable];
    let began = served.clock.now().wall;
    let calls = if day % 14 > 7 && day.is_multiple_of(2) { 0 } else { 3 + day * 7 % 9 };
    for nth in 0..calls {
        let page = served.store.candidates(&crate::served::campaign_id(), served.clock.now().wall, 500).await.unwrap();
        // Of one that was called twice the days may have passed, which nobody here writes down.
        let Some(contact) = page.ready.into_iter().find(|contact| contact.progress.attempts < 2) else { break };
        let agent = if (day + nth).is_multiple_of(3) { "bert" } else { "anna" };
        let result = RESULTS[usize::try_from((day * 3 + nth) % 5).unwrap()];
        served.call_for(agent, contact, result).await;
        served.clock.advance(Duration::from_secs(60 * (11 + nth * 5)));
    }
    let lived = Duration::try_from(served.clock.now().wall.duration_since(began)).unwrap();
    served.clock.advance(Duration::from_secs(24 * 3600) - lived);
}

/// Somebody with a role: a token of theirs.
async fn account(served: &Served, id: &str, role: &str) -> String {
    let client = reqwest::Client::new();
    let command = |method, path: String, body: Value| {
        client.request(method, served.tcp_url(&path)).bearer_auth(TOKEN).json(&body).send()
    };
    let made = command(Method::PUT, format!("/api/v1/people/{id}"), json!({ "role": role })).await.unwrap();
    assert_eq!(made.status(), StatusCode::NO_CONTENT);
    let issued = command(Method::POST, format!("/api/v1/people/{id}/tokens"), json!({})).await.unwrap();
    let issued: Value = issued.json().await.unwrap();
    issued["token"].as_str().unwrap().to_owned()
}

/// Pictures of a page as people with different eyes and windows see it, none with a serious fault.
fn looked_at(browser: &Browser, name: &str) {
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
    assert_eq!(browser.serious_faults(), [""; 0], "{name} narrow");
    let overflows = browser.run("return document.documentElement.scrollWidth > window.innerWidth");
    assert_eq!(overflows, false, "{name}: only tables scroll sideways");
    browser.look(Look { dark: false, twice: false });
}

#[test]
fn a_supervisor_sees_how_a_campaign_does_and_finds_a_contact() {
    let world = World::new(240, 40);
    let browser = Browser::start();
    world.sign_in(&browser, "/campaigns/spring?from=2031-03-01&to=2031-04-30", "sue", &world.supervisor);
    let (_, counted) = world.get("/api/v1/campaigns/spring/statistics", &world.supervisor);
    let counted: Value = serde_json::from_str(&counted).unwrap();
    let drawn = |css: &str| browser.run(&format!("return document.querySelectorAll('{css}').length"));
    assert_eq!(drawn("figure.columns:first-of-type .area g"), 40 + 24, "a column a day and one an hour");
    assert_eq!(drawn("table.bars tbody tr"), counted["byResult"].as_array().unwrap().len() + 2);
    let first = &counted["byResult"][0];
    let row = browser.run("return document.querySelector('table.bars tbody tr').innerText");
    let row = row.as_str().unwrap().replace(['\t', '\n'], " ");
    assert!(row.contains(first["name"].as_str().unwrap().replace('_', " ").as_str()), "{row}");
    assert!(row.contains(&first["attempts"].to_string()), "{row}");
    looked_at(&browser, "campaign");
    browser.open(&world.url("/campaigns"));
    assert!(browser.text("main").contains("春季回访"), "{}", browser.text("main"));
    looked_at(&browser, "campaigns");

    browser.open(&world.url("/campaigns/spring/contacts"));
    assert_eq!(drawn("tbody tr"), 100);
    assert!(!browser.text("main").contains(CANARY));
    looked_at(&browser, "contacts");
    browser.run("document.querySelector('a[rel=next]').click()");
    assert_eq!(drawn("tbody tr"), 100, "the next ones");
    browser.open(&world.url("/campaigns/spring/contacts?state=reached&result=&agent=&from="));
    let reached = drawn("tbody tr").as_u64().unwrap();
    assert!(reached > 20 && reached <= 100, "{reached}");
    assert_eq!(browser.run("return document.querySelector('select[name=state]').value"), "reached");

    browser.open(&world.url("/campaigns/spring/contacts?customer=C-0"));
    assert!(browser.url().ends_with("/campaigns/spring/contacts/C-0"), "{}", browser.url());
    let text = browser.text("main");
    assert!(text.contains("C-0") && text.contains("0123456789ab") && text.contains("Bert"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
    looked_at(&browser, "contact");
    browser.open(&world.url("/campaigns/spring/contacts/C-0?unmasked=true"));
    assert!(browser.text("main").contains(CANARY));
    assert_eq!(browser.complaints(), [""; 0]);

    browser.run("document.getElementById('leave').click()");
    assert!((0..100).any(|_| browser.url().ends_with("/sign-in") || {
        pause(Duration::from_millis(50));
        false
    }));
    browser.open(&world.url("/campaigns/spring/contacts"));
    assert!(browser.url().ends_with("/sign-in?back=/campaigns/spring/contacts"), "{}", browser.url());
}

#[test]
fn a_viewer_sees_counts_and_an_empty_campaign_says_so() {
    let world = World::new(2, 1);
    let (status, page) = world.get("/campaigns/spring", &world.viewer);
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Calls by result") && page.contains("<svg"), "it is all there without script");
    for personal in [CANARY, "C-0", "Anna", "anna", "Bert", "By batch", "/contacts"] {
        assert!(!page.contains(personal), "{personal}");
    }
    assert_eq!(world.get("/campaigns/spring/contacts", &world.viewer).0, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/campaigns/spring/contacts/C-0", &world.viewer).0, StatusCode::FORBIDDEN);
    for (path, told) in [
        ("/campaigns/sprung", "no campaign"),
        ("/campaigns/spring?from=yesterday", "neither a time"),
        ("/campaigns/spring?from=2031-03-02&to=2031-03-01", "is not before"),
        ("/campaigns/spring/contacts?state=asleep", "no contact is in state"),
        ("/campaigns/spring/contacts/C-9", "no customer"),
    ] {
        let (status, page) = world.get(path, &world.supervisor);
        assert!(status.is_client_error() && page.contains(told) && page.contains("<h1>"), "{path}: {status} {page}");
    }
    drop(world);
    let empty = World::new(0, 0);
    let browser = Browser::start();
    empty.sign_in(&browser, "/campaigns/spring", "vera", &empty.viewer);
    assert!(browser.text("main").contains("No calls yet."), "{}", browser.text("main"));
    looked_at(&browser, "campaign-empty");
}
