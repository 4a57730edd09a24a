//! schemathesis (PyPI) makes requests out of the API's description, good ones and bad ones, and holds the answers against
//! it: no 5xx, and no status, media type or body that is not described. The daemon is the whole one, and dials nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::stage::{CAMPAIGN, Campaign, Stage, number};

/// Seconds that are spent, beside those that begin and end it; `API_SECONDS` for longer runs.
const SECONDS: u32 = 40;

/// What the cases are made from; `DIALOPS_SEED` for another.
const SEED: u32 = 7;

#[expect(clippy::disallowed_methods, reason = "how long it is tried is asked for from outside")]
fn set<T: std::str::FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// A daemon with a bit of everything, that calls nobody.
fn stage() -> Stage {
    let stage = Stage::new(&["a1", "a2"]);
    stage.settings(|text| text.replace("dial = \"all\"", "dial = \"none\""));
    stage.repository.write("campaigns/shared/do-not-call.toml", "[[lists]]\nid = \"objected\"\nname = \"Objected\"\n");
    stage.write_categories();
    stage.commit(&Campaign::default());
    stage
}

fn try_it(stage: &Stage, description: &str, arguments: &[&str]) -> Output {
    let program = root().join("target/venv/bin/schemathesis");
    assert!(program.exists(), "{} is not there; `tests/run` installs it", program.display());
    let mut command = Command::new(program);
    command.current_dir(stage.path("")).arg("--config-file").arg(root().join("tests/it/schemathesis.toml"));
    command.args(["run", description, "--header", "Authorization: Bearer stage", "--checks", "all"]);
    command.args(["--no-shrink", "--continue-on-failure", "--warnings", "off", "--request-timeout", "20"]);
    command.arg("--seed").arg(set("DIALOPS_SEED", SEED).to_string()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn what_is_answered_is_what_is_described() {
    let stage = stage();
    let daemon = stage.run();
    stage.import(&[("c-1", &[number::rings(1)]), ("c-2", &[number::rings(2)]), ("c-3", &[number::rings(3)])]);
    stage.cli(&["people", "set", "sue", "--role", "supervisor"]);
    let description = format!("http://{}/api/openapi.json", stage.http);
    let seconds = set("API_SECONDS", SECONDS).to_string();
    // One worker: in several threads CPython's parser fails now and then, in the program itself.
    let phases = ["--phases", "coverage,fuzzing,stateful", "--max-examples", "5", "--workers", "1"];
    let tried = try_it(&stage, &description, &[&phases[..], &["--max-time", &seconds]].concat());
    let text = said(&tried);
    assert!(tried.status.success(), "{text}");
    let routes = dialops::http::openapi::text().matches("\"operationId\"").count();
    // The events of a page are left out, and so is the description itself, where it is read from there.
    assert!(text.contains(&format!("Selected: {}/", routes - 2)), "something was not tried: {text}");
    let cases = text.lines().find_map(|line| line.trim().strip_suffix(" skipped")?.split(' ').next()?.parse().ok());
    assert!(cases.is_some_and(|cases: u32| cases > 1_500), "hardly anything was tried: {text}");

    assert!(stage.cli(&["audit", "verify"]).lines().count() == 1, "the audit log is whole");
    let log = daemon.log();
    for bad in ["panicked", "is not described", "ERROR"] {
        let line = log.lines().find(|line| line.contains(bad));
        assert_eq!(line, None, "the daemon's log");
    }
    daemon.stop();
}

/// The same of a description that says something else than is so.
#[test]
fn it_would_be_found_if_it_were_not() {
    let stage = stage();
    let daemon = stage.run();
    let told = |change: fn(&mut Value), operation: &str| {
        let mut description: Value = serde_json::from_str(&dialops::http::openapi::text()).unwrap();
        change(&mut description);
        let file = stage.path("wrong.json");
        fs::write(&file, description.to_string()).unwrap();
        let url = format!("http://{}", stage.http);
        let only = ["--url", &url, "--include-operation-id", operation, "--phases", "coverage"];
        let tried = try_it(&stage, file.to_str().unwrap(), &only);
        assert!(!tried.status.success(), "{}", said(&tried));
        said(&tried)
    };
    let another_type = |description: &mut Value| {
        description["components"]["schemas"]["Status"]["properties"]["ready"] = json!({ "type": "string" });
    };
    let text = told(another_type, "getStatus");
    assert!(text.contains("Response violates schema"), "{text}");
    let no_404 = |description: &mut Value| {
        let responses = &mut description["paths"]["/api/v1/campaigns/{campaign}/tally"]["get"]["responses"];
        responses.as_object_mut().unwrap().remove("404");
    };
    let text = told(no_404, "getTally");
    assert!(text.contains("Undocumented status code"), "{text}");
    assert_eq!(stage.status()["campaigns"]["list"][0]["id"], CAMPAIGN);
    daemon.stop();
}
