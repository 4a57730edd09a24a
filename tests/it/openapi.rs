//! The API's description: valid by a validator that nobody here wrote, served as it is committed; and every failure is
//! a problem (RFC 9457).

use std::{fs, path::Path, process::Command};

use reqwest::{Method, StatusCode, header};
use serde_json::Value;

use crate::{
    served::{Served, TOKEN},
    stage::{CAMPAIGN, Campaign, Stage, number},
};

/// A program from PyPI, from where `tests/run` installs it.
fn installed(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(name);
    assert!(path.exists(), "{} is not there; `tests/run` installs it", path.display());
    Command::new(path)
}

#[test]
fn the_description_is_openapi() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let checked = installed("openapi-spec-validator").args(["--schema", "3.1"]).arg(&committed).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let text = fs::read_to_string(committed).unwrap();
    let wrong = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        wrong.path(),
        text.replacen("\"responses\"", "\"answers\"", 1).replacen("\"type\": ", "\"type\": 7, \"was\": ", 1),
    )
    .unwrap();
    let checked = installed("openapi-spec-validator").args(["--schema", "3.1"]).arg(wrong.path()).output().unwrap();
    assert!(!checked.status.success(), "anything is valid");
}

#[tokio::test]
async fn it_is_served_as_it_is_printed_and_committed() {
    let served = Served::start().await;
    let answer = reqwest::get(served.tcp_url("/api/openapi.json")).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let served = answer.text().await.unwrap();
    assert_eq!(served, dialops::http::openapi::text());
    let printed = Command::new(env!("CARGO_BIN_EXE_dialops")).args(["schema", "--openapi"]).output().unwrap();
    assert_eq!(served, String::from_utf8(printed.stdout).unwrap());
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json")).unwrap();
    assert!(committed == served, "run `cargo run -- schema --write schemas`");
}

/// What is asked for wrongly, each in a way that a layer of its own refuses.
const WRONG: &[(&str, &str, &str, u16)] = &[
    ("GET", "/api/v2", "", 404),
    ("POST", "/api/v1/status", "", 405),
    ("GET", "/api/v1/agents/%ff/x", "", 404),
    ("PUT", "/api/v1/agents/%ff", "{}", 400),
    ("GET", "/api/v1/generation?source", "", 404),
    ("GET", "/api/v1/generation?source=a&source=b", "", 400),
    ("GET", "/api/v1/files?source=%ff&source=b", "", 400),
    ("POST", "/api/v1/reconcile?wait=perhaps", "", 400),
    ("GET", "/api/v1/history?limit=-1", "", 400),
    ("GET", "/api/v1/campaigns/Spring/tally", "", 400),
    ("GET", "/api/v1/campaigns/autumn/tally", "", 404),
    ("PUT", "/api/v1/agents/anna", "{", 400),
    ("PUT", "/api/v1/agents/anna", "LONG", 413),
    ("POST", "/api/v1/plan", "{}", 415),
    ("POST", "/pause", "{}", 415),
    ("POST", "/sign-in", "LONG", 415),
    ("POST", "/hooks/none", "{}", 403),
];

#[tokio::test]
async fn every_failure_is_a_problem() {
    let served = Served::start().await;
    served.apply().await;
    for (method, path, body, status) in WRONG {
        let body = if *body == "LONG" { "x".repeat(70_000) } else { (*body).to_owned() };
        let request =
            reqwest::Client::new().request(Method::from_bytes(method.as_bytes()).unwrap(), served.tcp_url(path));
        let answer = request.bearer_auth(TOKEN).body(body).send().await.unwrap();
        let (told, kind) = (answer.status(), answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        assert_eq!((told.as_u16(), kind.as_str()), (*status, "application/problem+json"), "{method} {path}: {text}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["status"], *status, "{problem}");
        for field in ["type", "title", "detail", "hint"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path}: no {field}: {problem}"
            );
        }
    }
    let refused = reqwest::get(served.tcp_url("/api/v1/agents")).await.unwrap();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
}

/// The shell's lines of docs/api.md, block by block, against a whole daemon.
#[test]
fn the_examples_of_the_docs_work() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| text.replace("dial = \"all\"", "dial = \"none\""));
    stage.write_categories();
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import(&[("c-1", &[number::rings(1)]), ("c-2", &[number::rings(2)]), ("c-3", &[number::rings(3)])]);
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap();
    let blocks: Vec<&str> = docs.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 6, "the examples are gone");
    for block in blocks {
        let mut shell = Command::new("bash");
        shell.current_dir(stage.path("")).args(["-euo", "pipefail", "-c", block]);
        shell.env("DIALOPS", format!("http://{}", stage.http)).env("TOKEN", "stage").env("CAMPAIGN", CAMPAIGN);
        let done = shell.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{block}\n{said}");
    }
    let second = stage.path("page.json");
    assert!(fs::read_to_string(second).unwrap().contains("\"next\":\""), "there was no page behind the first");
    daemon.stop();
}
