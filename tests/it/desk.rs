//! The agent page in a real browser, with a real daemon, carrier and phone.

use std::{io::Write as _, net::SocketAddr, process::Stdio, time::Duration};

use serde_json::Value;

use crate::{
    browser::{Browser, Look},
    stage::{CAMPAIGN, Campaign, Stage, number},
    wire::Wire,
};

pub(crate) const PASSWORD: &str = "several words are long";

/// What nobody but the customer's agent may see.
pub(crate) const CANARY: &str = "Canary-Kowalski";
const SECRET: &str = "DE89370400440532013000";

const SHARED: &str = r#"
[[business_results]]
id = "sold"
name = "Sold"
counts_as_goal = true

[[business_results]]
id = "declined"
name = "Declined"
sub_results = [{ id = "too-dear", name = "Too dear" }, { id = "no-need", name = "Needs none" }]

[[business_results]]
id = "later"
name = "Call again"
schedules_callback = true

[[business_results]]
id = "not-noted"
name = "Not noted"
"#;

const ATTRIBUTES: &str = r#"
[[attributes]]
id = "surname"
name = "Surname"
type = "string"

[[attributes]]
id = "score"
name = "Score"
type = "number"
shown = false

[[attributes]]
id = "account"
name = "Account"
type = "encrypted"
masked = true
"#;

const TENANT: &str = "id = \"acme\"\nname = \"Acme\"\ntimezone = \"UTC\"\nregion = \"CN\"\n\
                      [agents]\nring = \"10s\"\nwrap_up = \"WRAP\"\nwrap_up_result = \"not-noted\"\n";

/// A stage whose agents have time for notes.
pub(crate) fn stage(agents: &[&str], wrap_up: &str) -> Stage {
    let stage = Stage::new(agents);
    stage.write_categories();
    stage.repository.write("campaigns/shared/business-results.toml", SHARED);
    stage.repository.write("campaigns/shared/attributes.toml", ATTRIBUTES);
    stage.repository.write("campaigns/shared/tenant.toml", TENANT.replace("WRAP", wrap_up));
    stage.commit(&Campaign::default());
    std::fs::write(stage.path("key"), "07".repeat(32)).unwrap();
    stage.settings(|text| {
        text.replace(
            "store = { path = \"dialops.db\" }",
            "store = { path = \"dialops.db\", attribute_key = { file = \"key\" } }",
        )
    });
    stage
}

pub(crate) fn import(stage: &Stage, numbers: &[String]) {
    let mut text = "customer_id,number.mobile,attr.surname,attr.score,attr.account\n".to_owned();
    for (row, number) in numbers.iter().enumerate() {
        text.push_str(&format!("c{},{number},{CANARY},17,{SECRET}\n", row + 1));
    }
    stage.import_file("people.csv", &text);
}

/// Gives an agent a password, as an admin would with a pipe.
pub(crate) fn give_password(stage: &Stage, agent: &str) {
    let mut command = stage.command(&["agents", "password", agent]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// Signs in without a mouse.
pub(crate) fn sign_in(address: &SocketAddr, browser: &Browser, agent: &str, password: &str) {
    browser.open(&format!("http://{address}/agent"));
    assert!(browser.url().ends_with("/sign-in"), "{}", browser.url());
    browser.keys(agent);
    browser.keys("\u{e004}");
    browser.keys(password);
    browser.keys("\u{e007}");
}

pub(crate) fn audit(stage: &Stage) -> Vec<Value> {
    let page: Value =
        serde_json::from_str(&stage.cli(&["audit", "list", "--limit", "1000", "--format", "json"])).unwrap();
    page["entries"].as_array().unwrap().clone()
}

/// Where nothing personal may stand: the log, metrics, status, events and the audit log.
pub(crate) fn open_places(stage: &Stage, daemon: &crate::stage::daemon::Daemon) -> String {
    let paths = ["/metrics", "/api/v1/status", "/", "/api/v1/events", "/api/v1/history", "/api/v1/audit"];
    let served: String = paths.iter().map(|path| daemon.get(path).unwrap().1).collect();
    served + &daemon.log() + &stage.cli(&["events"])
}

#[test]
fn an_agent_signs_in_takes_a_call_and_says_what_it_achieved() {
    let stage = stage(&["a1"], "60s");
    let daemon = stage.run();
    give_password(&stage, "a1");
    let browser = Browser::start();
    sign_in(&stage.http, &browser, "a1", "not the password at all");
    stage.until("a wrong password is told", || browser.text(".headline").contains("wrong"));
    sign_in(&stage.http, &browser, "a1", PASSWORD);
    stage.until("the page is there", || {
        browser.url().ends_with("/agent") && browser.text("#state").contains("signed out")
    });
    assert!(browser.text("#waiting").contains("No call comes until you are ready."));
    let sizes = "return performance.getEntries().map(entry => entry.transferSize || 0).reduce((a, b) => a + b)";
    let bytes = browser.run(sizes).as_u64().unwrap();
    assert!((1..100_000).contains(&bytes), "all that was loaded has {bytes} bytes");
    browser.tab_to("set-idle");
    browser.keys("\u{e007}");
    stage.until("idle", || browser.text("#state .pill") == "idle");
    stage.until("the hold is told", || browser.text("#waiting").contains("no contacts"));

    import(&stage, &[number::waits_after_ringing(1)]);
    // The customer is shown before anybody talks.
    stage.until("the customer is shown", || browser.text("#call").contains(CANARY));
    stage.until("they talk", || browser.text("#call").contains("Talking"));
    let call = browser.text("#call");
    assert!(call.contains("DE893") && !call.contains(SECRET), "masked where the tenant says so: {call}");
    assert!(!call.contains("Score") && !call.contains("+86215"), "{call}");
    for (name, look) in [
        ("talking-light", Look { dark: false, twice: false }),
        ("talking-dark", Look { dark: true, twice: false }),
        ("talking-twice", Look { dark: false, twice: true }),
    ] {
        browser.look(look);
        assert_eq!(browser.serious_faults(), Vec::<String>::new(), "{name}");
        let wider = browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth");
        assert_eq!(wider, false, "{name}: nothing has to be scrolled sideways");
        browser.picture(name);
    }
    browser.look(Look { dark: false, twice: false });

    // What is half written survives the end of the call.
    browser.tab_to("note");
    browser.keys("wants the red one");
    browser.tab_to("hang-up");
    browser.keys("\u{e007}");
    stage.until("notes", || browser.text("#state .pill") == "wrap up");
    assert_eq!(browser.run("return document.getElementById('note').value"), "wants the red one");
    browser.run("document.querySelector('input[value=\"declined/too-dear\"]').focus()");
    browser.keys(" ");
    browser.tab_to("save");
    browser.keys("\u{e007}");
    stage.until("saved", || browser.text("#result").contains("Saved: Declined: Too dear"));
    // Another thought: the customer wants to be called, when is asked for with that result alone.
    assert_eq!(browser.run("return document.getElementById('callback').hidden"), true);
    browser.run("document.querySelector('input[value=\"later\"]').focus()");
    browser.keys(" ");
    assert_eq!(browser.run("return document.getElementById('callback').hidden"), false);
    browser.run("document.getElementById('callback-at').value = '2020-01-01T10:00'");
    browser.tab_to("save");
    browser.keys("\u{e007}");
    stage.until("a time that has passed is told", || browser.text("#trouble").contains("has passed"));
    let wanted = dialops::clock::Clock::system().now().wall + Duration::from_secs(3 * 3600);
    let wanted = wanted.strftime("%Y-%m-%dT%H:%M").to_string();
    browser.run(&format!("document.getElementById('callback-at').value = '{wanted}'"));
    browser.picture("callback");
    assert_eq!(browser.serious_faults(), Vec::<String>::new());
    browser.tab_to("save");
    browser.keys("\u{e007}");
    stage.until("saved", || browser.text("#result").contains("Saved: Call again; to be called at "));
    assert!(browser.text("#result").contains(&format!("{}:00, by you", wanted.replace('T', " "))));
    browser.picture("wrap-up");
    assert_eq!(browser.serious_faults(), Vec::<String>::new());
    browser.tab_to("set-idle");
    browser.keys("\u{e007}");
    stage.until("idle again", || browser.text("#state .pill") == "idle");
    stage.until("the call is among the last", || browser.text("#calls").contains("Call again"));

    let why = stage.why("c1");
    let result = &why["businessResults"][0];
    assert_eq!((&result["result"], &result["subResult"]), (&"declined".into(), &"too-dear".into()), "{why:#}");
    assert_eq!((&result["note"], &result["by"]), (&"wants the red one".into(), &"a1".into()));
    assert_eq!(result["byDefault"], false);
    assert_eq!(why["attempts"][0]["result"], "answered");
    let later = &why["businessResults"][1];
    assert_eq!((&later["result"], &later["callbackAgent"]), (&"later".into(), &"a1".into()), "{why:#}");
    assert_eq!(why["scheduled"]["dueAt"], format!("{wanted}:00Z"));

    let actions: Vec<String> = audit(&stage)
        .iter()
        .map(|entry| format!("{} {}", entry["who"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    for wanted in ["a1 sign_in", "a1 agent.set", "a1 agent.hang_up", "a1 business_result.set", "uid 0 contacts.import"]
    {
        assert!(actions.iter().any(|action| action == wanted), "{wanted} in {actions:?}");
    }
    assert!(stage.cli(&["audit", "verify"]).starts_with(&format!("{} ", actions.len())));
    let said = open_places(&stage, &daemon);
    for personal in [CANARY, SECRET, &number::waits_after_ringing(1)[1..], PASSWORD, "the red one"] {
        assert!(!said.contains(personal), "{personal} stands where anybody reads it");
    }
    // A wrong password and a time that has passed were refused.
    let refused = |line: &str| line.contains("sign-in - Failed to load") || line.contains("result - Failed to load");
    let complaints = browser.complaints().into_iter().filter(|line| !refused(line));
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<String>::new());
    browser.tab_to("leave");
    browser.keys("\u{e007}");
    stage.until("signed out", || browser.url().ends_with("/sign-in"));
    browser.open(&format!("http://{}/agent", stage.http));
    assert!(browser.url().ends_with("/sign-in"));
    let agents: Value = serde_json::from_str(&stage.cli(&["agents", "list", "--format", "json"])).unwrap();
    assert_eq!(agents["agents"][0]["state"], "signed_out");
    daemon.stop();
}

#[test]
fn a_lost_connection_ends_in_the_truth_and_a_wrap_up_that_runs_out_is_flagged() {
    let stage = stage(&["a1"], "3s");
    let daemon = stage.run();
    let token = stage.cli(&["agents", "token", "a1"]);
    let (browser, wire) = (Browser::start(), Wire::to(stage.http));
    sign_in(&wire.address, &browser, "a1", token.trim());
    stage.until("the page is there", || browser.text("#state").contains("signed out"));
    browser.tab_to("set-idle");
    browser.keys("\u{e007}");
    stage.until("idle", || browser.text("#state .pill") == "idle");
    wire.cut();
    stage.until("the loss is told", || browser.text("#trouble").contains("connection is lost"));
    browser.picture("connection-lost");
    import(&stage, &[number::waits(1)]);
    stage.until("they talk", || stage.results().iter().any(|attempt| attempt.connected_at.is_some()));
    wire.mend();
    stage.until("the page knows", || browser.text("#call").contains("Talking") && browser.text("#trouble").is_empty());
    browser.tab_to("set-pause");
    browser.keys("\u{e007}");
    stage.until("the pause is told", || browser.text("#state").contains("After this call: busy"));
    assert_eq!(browser.run("return document.activeElement.id"), "set-pause", "the focus stays");
    browser.tab_to("hang-up");
    browser.keys("\u{e007}");
    stage.until("the wrap-up has run out", || browser.text("#state .pill") == "busy");
    stage.until("the default is noted", || stage.why("c1")["businessResults"][0]["result"] == "not-noted");
    let noted = &stage.why("c1")["businessResults"][0];
    assert_eq!((&noted["byDefault"], &noted["by"]), (&true.into(), &"a1".into()), "{noted:#}");
    stage.until("the page shows it", || browser.text("#calls").contains("Not noted"));
    // Signed out elsewhere, the page is gone too.
    stage.cli(&["people", "sign-out", "a1"]);
    stage.until("the page is gone", || browser.url().ends_with("/sign-in"));
    daemon.stop();
}

#[test]
fn commands_of_a_session_come_from_its_own_page() {
    let stage = stage(&["a1", "a2"], "0s");
    let daemon = stage.run();
    give_password(&stage, "a1");
    let browser = Browser::start();
    sign_in(&stage.http, &browser, "a1", PASSWORD);
    stage.until("the page is there", || browser.text("#state").contains("signed out"));
    let put = |path: &str, headers: &str| {
        let script = format!(
            "const done = arguments[0]; const key = document.body.dataset.key;
             fetch('{path}', {{method: 'PUT', headers: {headers}, body: '{{\"state\":\"idle\"}}'}}).then(a => done(a.status));"
        );
        browser.run_async(&script)
    };
    assert_eq!(put("/api/v1/agents/a1", "{}"), 403, "without the key of the page");
    assert_eq!(put("/api/v1/agents/a1", "{'x-command-key': 'guessed'}"), 403);
    assert_eq!(put("/api/v1/agents/a2", "{'x-command-key': key}"), 403, "another agent");
    assert_eq!(put("/api/v1/agents/a1", "{'x-command-key': key}"), 200);
    assert_eq!(browser.run("return document.cookie"), "", "scripts don't see the session");
    let log = daemon.log();
    assert!(log.contains("signed in") && !log.contains(PASSWORD), "{log}");
    assert!(stage.cli(&["results", CAMPAIGN, "--format", "json"]).is_empty());
    daemon.stop();
}

/// Found here: a browser that was told to keep back where a form comes from sends `Origin: null`, and the form was
/// taken for another site's.
#[test]
fn the_big_red_button_works_in_a_browser() {
    let stage = stage(&["a1"], "0s");
    let daemon = stage.run();
    let browser = Browser::start();
    browser.open(&format!("http://{}/pause", stage.http));
    assert_eq!(browser.serious_faults(), Vec::<String>::new());
    browser.run("document.querySelector('input[name=reason]').focus()");
    browser.keys("wrong script\u{e004}\u{e004}\u{e004}stage\u{e007}");
    stage.until("all is paused", || daemon.status()["overrides"][0]["reason"] == "wrong script");
    stage.until("the status page is shown", || browser.text("body").contains("wrong script"));
    daemon.stop();
}

/// Killed while an agent wraps a call up, the next life notes what the agent's silence stands for.
#[test]
fn a_daemon_that_dies_during_the_notes_leaves_the_default() {
    let stage = stage(&["a1"], "60s");
    let daemon = stage.run();
    import(&stage, &[number::quick(1)]);
    stage.sign_in(&["a1"]);
    let state = || {
        let agents: Value = serde_json::from_str(&stage.cli(&["agents", "list", "--format", "json"])).unwrap();
        agents["agents"][0]["state"].clone()
    };
    stage.until("notes", || state() == "wrap_up");
    assert_eq!(stage.why("c1")["businessResults"].as_array().map(Vec::len), Some(0));
    daemon.kill();
    let daemon = stage.run();
    stage.until("the default is noted", || stage.why("c1")["businessResults"][0]["result"] == "not-noted");
    let noted = &stage.why("c1")["businessResults"][0];
    assert_eq!((&noted["byDefault"], &noted["by"]), (&true.into(), &"a1".into()), "{noted:#}");
    daemon.stop();
}
