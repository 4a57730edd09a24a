//! The whole daemon against real peers: what a commit, an import and an agent's sign-in come to on
//! the wire, in the store and in what is shown.

use std::time::Duration;

use dialops::{clock::Clock, http::wire::Attempt};
use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, PATIENCE, Stage, number, pause, traffic};

/// Long enough for a call that should not be placed to be placed.
const QUIET: Duration = Duration::from_millis(700);

fn campaign(status: &Value) -> &Value {
    &status["campaigns"]["list"][0]
}

fn waiting(stage: &Stage) -> String {
    campaign(&stage.status())["waiting"]["reason"].as_str().unwrap_or_default().to_owned()
}

fn result_of(attempts: &[Attempt], number: &str) -> Vec<String> {
    let of = attempts.iter().filter(|attempt| attempt.number == number);
    of.map(|attempt| attempt.result.clone().unwrap_or_default()).collect()
}

/// Both sides' traces agree with the store, and nothing is up.
fn all_is_well(stage: &Stage) {
    stage.until("no call is left up", || {
        stage.carrier_traffic().left_up().is_empty() && stage.phone_traffic().left_up().is_empty()
    });
    let wrong = traffic::disagreements(&stage.results(), &stage.carrier_traffic());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_committed_file_becomes_a_call() {
    let stage = Stage::new(&["a1"]);
    let revision = stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[number::slow(1)]);
    stage.until("it says what is missing", || waiting(&stage) == "no_agent_signed_in");
    assert!(stage.carrier_traffic().calls.is_empty(), "nobody is called whom no one is free to speak to");
    stage.sign_in(&["a1"]);
    stage.until("the call is over", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));

    let attempts = stage.results();
    let [attempt] = attempts.as_slice() else { panic!("one call: {attempts:#?}") };
    assert_eq!(attempt.result.as_deref(), Some("answered"));
    assert_eq!((attempt.customer.as_str(), attempt.agent.as_str()), ("c1", "a1"));
    assert_eq!((&*attempt.number, &*attempt.caller_number), (&*number::slow(1), "+862160001000"));
    assert_eq!(attempt.revision, revision.to_string());
    let times = [
        Some(&attempt.placed_at),
        attempt.answered_at.as_ref(),
        attempt.connected_at.as_ref(),
        attempt.ended_at.as_ref(),
    ];
    let times: Vec<jiff::Timestamp> = times.into_iter().map(|at| at.expect("a time").parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");

    let (carrier, phones) = (stage.carrier_traffic(), stage.phone_traffic());
    let [call] = carrier.of(&attempt.number)[..] else { panic!("one INVITE: {carrier:#?}") };
    let [phone] = phones.of("a1")[..] else { panic!("one INVITE to the agent: {phones:#?}") };
    let (dialog, agent) = (call.only_dialog(), phone.only_dialog());
    assert!(agent.answered_at < call.invited_at, "the agent first");
    assert_eq!(call.offer.as_deref(), Some(agent.media.as_str()), "the customer is offered the agent's phone");
    assert_eq!(agent.offered.join(" "), dialog.media, "the agent is then given the customer's");
    assert!(dialog.acknowledged && dialog.bye_at.is_some() && agent.bye_at.is_some());

    let why = stage.why("c1");
    assert_eq!(why["contact"]["ended"], "reached", "{why:#}");
    assert!(stage.cli(&["why", CAMPAIGN, "c1"]).contains("answered"));
    stage.until("the campaign is completed", || campaign(&stage.status())["phase"] == "completed");
    assert_eq!(
        daemon.metric("dialops_attempts_total{result=\"answered\"}"),
        ["dialops_attempts_total{result=\"answered\"} 1"]
    );
    assert_eq!(daemon.metric("dialops_engine_errors_total"), ["dialops_engine_errors_total 0"]);
    all_is_well(&stage);
    daemon.stop();
}

/// More campaigns than the store has readers: all load at once while agents' states are asked for.
#[test]
fn many_campaigns_do_not_hold_up_the_start() {
    let stage = Stage::new(&["a1"]);
    for id in ["c1", "c2", "c3", "c4", "c5", "c6", "c7"] {
        stage.commit(&Campaign { id: id.to_owned(), ..Campaign::default() });
    }
    let _daemon = stage.run();
    let clock = Clock::system();
    let started = clock.now().mono;
    // The first answer that needs a reader comes once the loads have let one go.
    stage.cli(&["why", "c7"]);
    let took = clock.now().mono - started;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn paused_lets_live_calls_finish_and_running_goes_on() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let mut numbers = vec![number::talks(1), number::talks(2)];
    numbers.extend((3..=8).map(number::quick));
    stage.import_numbers(&numbers);
    stage.sign_in(&["a1", "a2"]);
    let calls = || stage.carrier_traffic().invited().count();
    stage.until("two calls are up", || stage.carrier_traffic().invited().filter(|call| call.answered()).count() == 2);

    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.until("live calls finish", || campaign(&stage.status())["phase"] == "draining");
    stage.until("it is paused", || campaign(&stage.status())["phase"] == "paused");
    pause(QUIET);
    assert_eq!(calls(), 2, "no new INVITE");
    assert_eq!(waiting(&stage), "paused");
    for talk in &numbers[..2] {
        assert_eq!(result_of(&stage.results(), talk), ["answered"]);
    }

    stage.commit(&Campaign::default());
    stage.until("all are called", || campaign(&stage.status())["phase"] == "completed");
    assert_eq!(calls(), numbers.len());
    all_is_well(&stage);
    daemon.stop();
}

#[test]
fn a_bad_commit_leaves_the_last_good_one_in_force() {
    let stage = Stage::new(&["a1"]);
    let good = stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.sign_in(&["a1"]);
    let bad = stage.commit(&Campaign { state: "runing", ..Campaign::default() });
    let source = || daemon.status()["sources"][0].clone();
    let named = |revision: &Value| revision.as_str().unwrap_or_default().to_owned();
    stage.until("the bad commit was seen", || named(&source()["lastAttemptedRevision"]).ends_with(&bad.to_string()));
    assert!(named(&source()["lastAppliedRevision"]).ends_with(&good.to_string()), "{:#}", source());
    assert!(daemon.is_ready());
    assert_eq!(daemon.metric("dialops_config_last_apply_successful")[0].split(' ').next_back(), Some("0"));
    let status = daemon.status();
    let problem = &status["problems"][0];
    assert_eq!((&problem["file"], &problem["line"]), (&"campaigns/spring.toml".into(), &4.into()), "{status:#}");
    assert_eq!(problem["suggestion"], "did you mean \"running\"?");
    let told = stage.cli(&["status"]);
    assert!(told.contains("campaigns/spring.toml:4:") && told.contains("; did you mean \"running\"?"), "{told}");

    stage.import_numbers(&[number::quick(1)]);
    stage.until("the last good one dials", || result_of(&stage.results(), &number::quick(1)) == ["answered"]);
    let mended = stage.commit(&Campaign { max_ring: "6s", ..Campaign::default() });
    stage.until("the next good one is in force", || {
        named(&source()["lastAppliedRevision"]).ends_with(&mended.to_string())
    });
    assert!(daemon.status()["problems"].as_array().is_some_and(Vec::is_empty));
    all_is_well(&stage);
    daemon.stop();
}

#[test]
fn results_decide_what_is_called_again() {
    let stage = Stage::new(&["a1", "a2", "a3", "a4"]);
    stage.commit(&Campaign { retry_interval: "2s", ..Campaign::default() });
    let daemon = stage.run();
    let (busy, vacant, rings) = (number::busy(1), number::vacant(1), number::rings(1));
    let (forks, garbage) = (number::forks(1), number::garbage(1));
    let two = [number::busy(2), number::quick(2)];
    let one = std::slice::from_ref::<String>;
    stage.import(&[
        ("busy", one(&busy)),
        ("vacant", one(&vacant)),
        ("rings", one(&rings)),
        ("two", &two),
        ("forks", one(&forks)),
        ("garbage", one(&garbage)),
    ]);
    stage.sign_in(&["a1", "a2", "a3", "a4"]);
    stage.until("every number was tried as often as a day allows", || {
        let attempts = stage.results();
        let twice = [&busy, &vacant, &rings, &garbage].into_iter();
        twice.into_iter().all(|number| result_of(&attempts, number).iter().filter(|r| !r.is_empty()).count() == 2)
    });
    pause(QUIET);
    let attempts = stage.results();
    assert_eq!(result_of(&attempts, &busy), ["busy"; 2]);
    assert_eq!(result_of(&attempts, &vacant), ["vacant"; 2]);
    assert_eq!(result_of(&attempts, &rings), ["no_answer"; 2]);
    assert_eq!(result_of(&attempts, &garbage), ["busy"; 2], "what is no answer changes nothing");
    assert_eq!(result_of(&attempts, &forks), ["answered"], "a second phone's answer is no second call");
    let carrier = stage.carrier_traffic();
    assert_eq!(carrier.of(&forks)[0].dialogs.len(), 2);
    for number in [&busy, &vacant, &rings] {
        let [first, second] = attempts.iter().filter(|a| a.number == *number).collect::<Vec<_>>()[..] else { panic!() };
        let ended: jiff::Timestamp = first.ended_at.as_ref().unwrap().parse().unwrap();
        let invited = carrier.of(number)[1].invited_at.unwrap();
        assert!(invited.duration_since(ended) >= Duration::from_secs(2).try_into().unwrap(), "{second:#?}");
    }
    let rang = carrier.of(&rings)[0];
    assert!(rang.cancelled && rang.refused == Some(487));

    // One number after the other without a gap; the contact ends with the answer.
    assert_eq!(result_of(&attempts, &two[0]), ["busy"]);
    assert_eq!(result_of(&attempts, &two[1]), ["answered"]);
    let gap = carrier.of(&two[1])[0].invited_at.unwrap().duration_since(carrier.of(&two[0])[0].invited_at.unwrap());
    assert!(gap < Duration::from_secs(2).try_into().unwrap(), "{gap:?}");
    assert_eq!(stage.why("two")["contact"]["ended"], "reached");
    let why = stage.why("busy");
    assert_eq!((&why["contact"]["ended"], &why["contact"]["attempts"]), (&Value::Null, &2.into()), "{why:#}");
    assert!(why["next"]["readyAt"].is_string(), "tomorrow: {why:#}");
    all_is_well(&stage);
    daemon.stop();
}

#[test]
fn who_does_not_pick_up_is_left_alone() {
    let stage = Stage::new(&["shy1", "deaf1", "a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.sign_in(&["shy1", "deaf1", "a1"]);
    stage.cli(&["agents", "set", "a1", "busy"]);
    stage.import_numbers(&[number::quick(1)]);
    stage.until("both phones were tried", || {
        let phones = stage.phone_traffic();
        ["shy1", "deaf1"].iter().all(|agent| phones.of(agent).first().is_some_and(|call| call.refused.is_some()))
    });
    let phones = stage.phone_traffic();
    assert_eq!((phones.of("shy1")[0].refused, phones.of("deaf1")[0].refused), (Some(486), Some(487)));
    assert!(stage.carrier_traffic().calls.is_empty() && stage.results().is_empty(), "the customer heard nothing");
    stage.sign_in(&["a1"]);
    stage.until("the third takes it", || result_of(&stage.results(), &number::quick(1)) == ["answered"]);
    pause(QUIET);
    let phones = stage.phone_traffic();
    for agent in ["shy1", "deaf1", "a1"] {
        assert_eq!(phones.of(agent).len(), 1, "{agent}");
    }
    all_is_well(&stage);
    daemon.stop();
}

#[test]
fn nobody_is_called_outside_hours_or_without_permission() {
    let stage = Stage::new(&["a1"]);
    let hour = i32::from(Clock::system().now().wall.to_zoned_datetime(jiff::tz::TimeZone::UTC).hour());
    let window = format!("{:02}:00-{:02}:00", (hour + 3) % 24, (hour + 4) % 24);
    let closed = Campaign { window, ..Campaign::default() };
    stage.settings(|text| text.replace("dial = \"all\"", "dial = \"none\""));
    stage.commit(&closed);
    let daemon = stage.run();
    stage.import_numbers(&[number::quick(1), number::quick(2)]);
    stage.sign_in(&["a1"]);
    stage.until("dialling is off", || waiting(&stage) == "dialling_off");
    pause(QUIET);
    assert_eq!(campaign(&stage.status())["phase"], "running", "contacts that nobody may call are not done");
    daemon.stop();

    let listed = format!("dial = \"listed\", test_numbers = [\"{}\"]", number::quick(2));
    stage.settings(|text| text.replace("dial = \"all\"", &listed));
    let daemon = stage.run();
    stage.until("the window is closed", || waiting(&stage) == "window_closed");
    assert!(campaign(&stage.status())["waiting"]["until"].is_string());
    pause(QUIET);
    assert!(stage.carrier_traffic().calls.is_empty() && stage.phone_traffic().calls.is_empty());

    stage.commit(&Campaign::default());
    stage.until("the listed number is called", || result_of(&stage.results(), &number::quick(2)) == ["answered"]);
    pause(QUIET);
    assert_eq!(stage.carrier_traffic().invited().count(), 1, "and no other");
    assert_eq!(stage.why("c1")["hold"]["reason"], "not_listed");
    all_is_well(&stage);
    daemon.stop();
}

#[test]
fn sigterm_lets_live_calls_finish() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let mut daemon = stage.run();
    stage.import_numbers(&[number::talks(1), number::quick(2)]);
    stage.sign_in(&["a1"]);
    stage.until("the call is up", || stage.carrier_traffic().invited().any(|call| call.answered()));

    // Meanwhile no second daemon gets at the store.
    let (http, sip) = (stage.http.to_string(), stage.sip.to_string());
    stage.settings(|text| {
        text.replace(&http, "127.0.0.1:0").replace(&sip, "127.0.0.1:0").replace("dialops.sock", "2.sock")
    });
    let (code, said) = stage.cli_fails(&["run"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("dialops.db is held by another daemon (process "), "{said}");
    stage.settings(|text| text);

    daemon.terminate();
    pause(QUIET);
    assert!(daemon.ended().is_none() && daemon.get("/-/healthy").is_some(), "it goes on while somebody talks");
    let status = daemon.wait(PATIENCE);
    assert!(status.success(), "{status}: {}", daemon.log());
    assert_eq!(stage.carrier_traffic().invited().count(), 1, "no new INVITE");
    assert!(stage.phone_traffic().left_up().is_empty());

    let daemon = stage.run();
    stage.until("the next life calls the other", || result_of(&stage.results(), &number::quick(2)) == ["answered"]);
    assert_eq!(result_of(&stage.results(), &number::talks(1)), ["answered"]);
    all_is_well(&stage);
    daemon.stop();
}
