//! Callbacks: a real receiver is told of every call, in order, at least once, and nobody else is.

use std::{collections::BTreeMap, time::Duration};

use dialops::{clock::Clock, http::wire::Attempt};
use serde_json::Value;

use crate::{
    hooks::signed,
    receiver::{Receiver, Request, TAKES},
    stage::{Campaign, Stage, number},
};

/// What hooks are signed with, too.
const SECRET: &str = "It's a Secret to Everybody";

/// Settings that allow callbacks to loopback.
pub(crate) const ALLOWED: &str = "callback_hosts = [\"127.0.0.1\"]\n[callbacks]\nallow_networks = [\"127.0.0.1\"]\n";

/// A stage whose settings allow callbacks, with further settings behind.
fn stage(agents: &[&str], settings: &str) -> Stage {
    let stage = Stage::new(agents);
    stage.settings(|text| format!("{text}{settings}"));
    std::fs::write(stage.path("crm-secret"), SECRET).unwrap();
    stage
}

/// Further keys of a campaign that tells of its calls there.
pub(crate) fn told_at(stage: &Stage, url: &str) -> &'static str {
    let secret = stage.path("crm-secret");
    let text = format!("callback = {{ url = \"{url}\", signing_secret = {{ file = \"{}\" }} }}", secret.display());
    Box::leak(text.into_boxed_str())
}

/// What came for each call, in order, without repeats: the events and their bodies.
pub(crate) fn by_call(receiver: &Receiver) -> BTreeMap<String, Vec<Value>> {
    let mut calls = BTreeMap::<String, Vec<Value>>::new();
    for request in receiver.requests() {
        let body = request.json();
        let told = calls.entry(body["callId"].as_str().unwrap().to_owned()).or_default();
        if told.iter().all(|known| known["deliveryId"] != body["deliveryId"]) {
            told.push(body);
        }
    }
    calls
}

pub(crate) fn events(told: &[Value]) -> Vec<&str> {
    told.iter().map(|body| body["event"].as_str().unwrap()).collect()
}

fn is_signed(request: &Request) {
    let signature = request.header("x-dialops-signature");
    let (at, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(tag, signed(format!("{at}.{}", request.text)), "as openssl has it");
    let age = Clock::system().now().wall.as_second() - at.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
}

/// What each attempt is told as: connected if it was, and ended.
fn wanted(attempt: &Attempt) -> Vec<&'static str> {
    let connected = attempt.connected_at.as_ref().map(|_| "connected");
    connected.into_iter().chain(["ended"]).collect()
}

#[test]
fn a_receiver_is_told_of_every_call_signed_with_the_seeds_names() {
    let crm = Receiver::new(TAKES);
    let stage = stage(&["a1"], ALLOWED);
    let rest = told_at(&stage, &crm.url("/calls"));
    stage.commit(&Campaign { rest, ..Campaign::default() });
    let daemon = stage.run();
    let numbers = [number::quick(1), number::busy(2), number::vacant(3)];
    let rows = ["c-1,first", "c-2,second", "c-3,"];
    let rows: Vec<String> = rows.iter().zip(&numbers).map(|(row, number)| format!("{row},{number}\n")).collect();
    stage.import_file("contacts.csv", &format!("customer_id,custom_field,number.mobile\n{}", rows.concat()));
    stage.sign_in(&["a1"]);
    stage.until("all is told", || by_call(&crm).values().map(Vec::len).sum::<usize>() == 4);

    let calls = by_call(&crm);
    for attempt in stage.results() {
        let told = &calls[&attempt.attempt];
        assert_eq!(events(told), wanted(&attempt), "{attempt:?}");
        let index = numbers.iter().position(|number| *number == attempt.number).unwrap();
        for body in told {
            let ended = body["event"] == "ended";
            let seed = |name: &str| body[name].as_str();
            assert_eq!(seed("taskId"), Some("spring"));
            assert_eq!(seed("sessionId"), Some(&*attempt.customer));
            assert_eq!(seed("calledNo"), Some(&*attempt.number));
            assert_eq!(seed("beginTime"), Some(&*attempt.placed_at));
            assert_eq!(seed("vdnId"), Some("acme"));
            assert_eq!(seed("failCode"), attempt.fail_code.as_deref().filter(|_| ended));
            assert_eq!(seed("callId"), Some(&*attempt.attempt));
            assert_eq!(seed("customFiled"), [Some("first"), Some("second"), None][index]);
            assert!(body["filePath"].is_null() && seed("dataId").is_some_and(|id| !id.is_empty()));
            assert_eq!(body["result"].as_str(), attempt.result.as_deref().filter(|_| ended));
        }
    }
    for request in crm.requests() {
        assert_eq!((&*request.method, &*request.path), ("POST", "/calls"));
        assert_eq!(request.header("x-dialops-delivery"), request.json()["deliveryId"]);
        is_signed(&request);
    }
    assert_eq!(crm.requests().len(), 4, "each once");
    daemon.stop();
}

#[test]
fn what_is_not_taken_is_told_again_and_what_comes_later_waits() {
    let crm = Receiver::new(crate::receiver::Manner::Answers(500, "", "no"));
    let stage = stage(&["a1"], ALLOWED);
    let rest = told_at(&stage, &crm.url("/calls"));
    stage.commit(&Campaign { rest, ..Campaign::default() });
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    stage.until("the call is over", || stage.results().iter().any(|attempt| attempt.result.is_some()));
    stage.until("it was refused", || !crm.requests().is_empty());
    crate::stage::pause(Duration::from_millis(300));
    assert!(crm.requests().iter().all(|request| request.json()["event"] == "connected"), "in order");
    crm.behave(TAKES);
    stage.until("both are told", || by_call(&crm).values().any(|told| events(told) == ["connected", "ended"]));
    let ids: Vec<String> =
        crm.requests().iter().map(|request| request.header("x-dialops-delivery").to_owned()).collect();
    assert_eq!(ids[0], ids[1], "the same delivery has the same id");
    daemon.stop();
}
