//! Text messages to customers who were not reached: one each, inside the hours, through a gateway that is real.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    receiver::{Manner, Receiver},
    stage::{Campaign, Stage, number, pause},
};

const TAKEN: Manner = Manner::Answers(200, "", "{\"code\": 0}");

/// A mobile phone; it is busy.
fn mobile(serial: u32) -> String {
    format!("+8613800{serial:06}")
}

/// A stage with a gateway, and a campaign that calls once and then sends a message.
fn stage(gateway: &Receiver) -> Stage {
    let stage = Stage::new(&["a1"]);
    let url = gateway.url("/send");
    std::fs::write(stage.path("sms-token"), "sms-t0ken").unwrap();
    stage.settings(|text| {
        format!(
            "{text}[sms]\nurl = \"{url}\"\nallow_networks = [\"127.0.0.1\"]\n\
             headers = [{{ name = \"Authorization\", secret = {{ file = \"sms-token\" }} }}]\n\
             body = '{{ \"to\": [\"{{number}}\"], \"text\": \"{{text}}\", \"reference\": \"{{id}}\" }}'\n\
             success_field = \"/code\"\nsuccess_value = \"0\"\n"
        )
    });
    let tenant = "id = \"acme\"\nname = \"Acme\"\ntimezone = \"UTC\"\nregion = \"CN\"\n\
                  agents = { ring = \"2s\", wrap_up = \"0s\" }\nsms = { windows = [\"09:00-20:00\"] }\n";
    stage.repository.write("campaigns/shared/tenant.toml", tenant);
    let template = "[[sms]]\nid = \"missed\"\nname = \"Missed\"\ntext = \"{tenant} called {customer_id}: \\\"{custom_field}\\\"\"\n";
    stage.repository.write("campaigns/shared/sms.toml", template);
    let rest = "failure_sms = \"missed\"";
    let results =
        "{ policy = \"global\", global = { max_days = 1, max_attempts_per_day = 1, retry_interval = \"1h\" } }";
    stage.commit(&Campaign { rest, results: Some(results), ..Campaign::default() });
    stage
}

fn import(stage: &Stage, contacts: &[(&str, String)]) {
    let rows: String = contacts.iter().map(|(name, number)| format!("{name},{number},so be it\n")).collect();
    stage.import_file("contacts.csv", &format!("customer_id,number.mobile,custom_field\n{rows}"));
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn messages(gateway: &Receiver) -> Vec<Value> {
    gateway.requests().iter().map(|request| request.json()).collect()
}

fn states(stage: &Stage) -> Vec<(String, String)> {
    let lines = stage.cli(&["callbacks", "list", "--state", "all", "--channel", "sms", "--format", "json"]);
    let of = |line: &str| {
        let one: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        (text("customer"), text("state"))
    };
    lines.lines().map(of).collect()
}

fn pair(customer: &str, state: &str) -> (String, String) {
    (customer.to_owned(), state.to_owned())
}

#[test]
fn who_was_not_reached_is_sent_one_message_inside_the_hours_over_restarts() {
    let gateway = Receiver::new(TAKEN);
    let stage = stage(&gateway);
    stage.set_clock(at("2031-03-03T21:00:00Z"));
    let daemon = stage.run();
    import(&stage, &[("missed", mobile(1)), ("reached", number::quick(2)), ("landline", number::busy(3))]);
    stage.sign_in(&["a1"]);
    stage.until("all were called", || stage.results().iter().filter(|attempt| attempt.result.is_some()).count() == 3);
    stage.until("two are to be told", || states(&stage) == [pair("missed", "pending"), pair("landline", "pending")]);
    pause(Duration::from_millis(1_500));
    assert!(gateway.requests().is_empty(), "it is night");
    daemon.kill();

    stage.set_clock(at("2031-03-04T08:59:57Z"));
    let daemon = stage.run();
    stage.until("it was sent", || states(&stage) == [pair("missed", "sent"), pair("landline", "dropped")]);
    let sent = &gateway.requests()[0];
    assert!(stage.by_its_clock(sent.at) >= at("2031-03-04T09:00:00Z"), "{}", stage.by_its_clock(sent.at));
    assert_eq!((sent.header("authorization"), &*sent.path), ("sms-t0ken", "/send"));
    let message = sent.json();
    assert_eq!((&message["to"][0], &message["text"]), (&mobile(1).into(), &"Acme called missed: \"so be it\"".into()));
    assert_eq!(message["reference"].as_str(), Some(sent.header("x-dialops-delivery")));
    let why = stage.cli(&["why", "spring", "missed"]);
    assert!(why.contains("sms not_reached") && why.contains("sent"), "{why}");
    assert!(!daemon.log().contains("1380000") && !daemon.log().contains("so be it") && !daemon.log().contains("t0ken"));
    daemon.stop();

    stage.set_clock(at("2031-03-05T10:00:00Z"));
    let daemon = stage.run();
    pause(Duration::from_secs(2));
    daemon.stop();
    assert_eq!(messages(&gateway).len(), 1, "once");
}

#[test]
fn what_may_have_been_sent_is_not_sent_again_by_itself() {
    let gateway = Receiver::new(Manner::Stalls);
    let stage = stage(&gateway);
    stage.set_clock(at("2031-03-03T10:00:00Z"));
    let daemon = stage.run();
    import(&stage, &[("missed", mobile(1))]);
    stage.sign_in(&["a1"]);
    stage.until("it is being sent", || gateway.requests().len() == 1);
    daemon.kill();
    gateway.behave(TAKEN);
    stage.set_clock(at("2031-03-03T10:05:00Z"));
    let daemon = stage.run();
    stage.until("it is parked", || states(&stage) == [pair("missed", "parked")]);
    assert!(stage.cli(&["callbacks", "list"]).contains("it may have been"), "{}", stage.cli(&["callbacks", "list"]));
    stage.until("status says so", || stage.cli(&["status"]).contains("1 parked"));
    assert_eq!(gateway.requests().len(), 1);
    stage.cli(&["callbacks", "retry", "--all"]);
    stage.until("it is sent", || states(&stage) == [pair("missed", "sent")]);
    assert_eq!(gateway.requests().len(), 2, "a person has said so");

    // What the gateway refuses was not sent.
    gateway.behave(Manner::Answers(503, "", ""));
    import(&stage, &[("again", mobile(5))]);
    stage.until("it was refused", || gateway.requests().len() == 3);
    gateway.behave(TAKEN);
    stage.until("it is sent", || states(&stage).contains(&pair("again", "sent")));
    // What it does not say to have taken is for a person.
    gateway.behave(Manner::Answers(200, "", "{\"code\": 7}"));
    import(&stage, &[("unclear", mobile(6))]);
    stage.until("it is parked", || states(&stage).contains(&pair("unclear", "parked")));
    let parked = stage.cli(&["callbacks", "list", "--format", "json"]);
    let id = serde_json::from_str::<Value>(parked.lines().next().unwrap()).unwrap()["id"].to_string();
    stage.cli(&["callbacks", "drop", &id]);
    assert_eq!(states(&stage)[2], pair("unclear", "dropped"));
    assert_eq!(stage.cli_fails(&["callbacks", "drop", &id]).0, Some(1));
    daemon.stop();
}
