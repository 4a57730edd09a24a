//! Writes that come again with their key: done once, whatever is lost on the way.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    served::{Served, TOKEN},
    stage::{Campaign, Stage},
};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// A write with a key: its status, whether it is one from before, and what it says.
async fn write(url: &str, token: &str, key: &str, body: &Value) -> (StatusCode, bool, String) {
    let request = reqwest::Client::new().post(url).bearer_auth(token).header("idempotency-key", key).json(body);
    let answer = request.send().await.unwrap();
    let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    (answer.status(), replayed, answer.text().await.unwrap())
}

/// How often the audit log has something as done.
async fn audited(served: &Served, action: &str) -> usize {
    let request = reqwest::Client::new().get(served.tcp_url("/api/v1/audit")).bearer_auth(TOKEN);
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == action && entry["result"] == "done")
        .count()
}

#[tokio::test]
async fn a_write_is_done_once_by_its_key_and_sender() {
    let served = Served::start().await;
    served.apply().await;
    let person = reqwest::Client::new().put(served.tcp_url("/api/v1/people/sue")).bearer_auth(TOKEN);
    assert_eq!(person.json(&json!({ "role": "admin" })).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let url = served.tcp_url("/api/v1/people/sue/tokens");
    let (status, replayed, first) = write(&url, TOKEN, KEY, &json!({})).await;
    assert_eq!((status, replayed), (StatusCode::OK, false), "{first}");
    assert_eq!(write(&url, TOKEN, KEY, &json!({})).await, (StatusCode::OK, true, first.clone()));
    assert_eq!(audited(&served, "person.token").await, 1, "it was done once, and is written down once");

    let (status, _, told) = write(&url, TOKEN, KEY, &json!({ "lasts": "1h" })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.contains("urn:dialops:problem:idempotency-key-reused"), "{told}");
    let elsewhere = served.tcp_url("/api/v1/people/anna/tokens");
    assert_eq!(write(&elsewhere, TOKEN, KEY, &json!({})).await.0, StatusCode::UNPROCESSABLE_ENTITY);

    let sue = serde_json::from_str::<Value>(&first).unwrap()["token"].as_str().unwrap().to_owned();
    let (status, replayed, second) = write(&url, &sue, KEY, &json!({})).await;
    assert_eq!((status, replayed), (StatusCode::OK, false), "another sender's key is another one");
    assert_ne!(first, second);
    for wrong in ["short", "with a space in the middle"] {
        assert_eq!(write(&url, TOKEN, wrong, &json!({})).await.0, StatusCode::BAD_REQUEST);
    }
    // What was refused is refused by that key for as long; what another asks meanwhile is not.
    let nobody = served.tcp_url("/api/v1/people/nobody/tokens");
    let refused = write(&nobody, TOKEN, "another-key-0123456789", &json!({})).await;
    assert_eq!((refused.0, refused.1), (StatusCode::NOT_FOUND, false));
    let again = write(&nobody, TOKEN, "another-key-0123456789", &json!({})).await;
    assert_eq!(again, (refused.0, true, refused.2));

    served.clock.advance(Duration::from_secs(24 * 3600));
    let (status, replayed, third) = write(&url, TOKEN, KEY, &json!({})).await;
    assert_eq!((status, replayed), (StatusCode::OK, false), "after a day it is forgotten: {third}");
}

#[tokio::test]
async fn what_was_begun_is_done_when_the_client_is_gone() {
    let served = Served::start().await;
    served.apply().await;
    let body = r#"{"password":"several words are long"}"#;
    let head = format!(
        "PUT /api/v1/people/anna/password HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         idempotency-key: {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(stream);
    for _ in 0..400 {
        let request = reqwest::Client::new().put(served.tcp_url("/api/v1/people/anna/password")).bearer_auth(TOKEN);
        let answer = request.header("idempotency-key", KEY).body(body).send().await.unwrap();
        if answer.status() == StatusCode::CONFLICT {
            assert!(answer.text().await.unwrap().contains("idempotency-under-way"));
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()["idempotency-replayed"], "true", "it was done by the first request");
        assert_eq!(audited(&served, "person.password").await, 1);
        return;
    }
    panic!("it is under way for good");
}

fn stage() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage
}

#[tokio::test]
async fn an_answer_outlives_the_daemon_and_tells_nothing_at_rest() {
    let stage = stage();
    let daemon = stage.run();
    stage.cli(&["people", "set", "sue", "--role", "viewer"]);
    let url = format!("http://{}/api/v1/people/sue/tokens", stage.http);
    let (status, _, first) = write(&url, "stage", KEY, &json!({ "lasts": "3h" })).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    daemon.kill();
    let daemon = stage.run();
    assert_eq!(write(&url, "stage", KEY, &json!({ "lasts": "3h" })).await, (StatusCode::OK, true, first.clone()));
    daemon.stop();
    let token = serde_json::from_str::<Value>(&first).unwrap()["token"].as_str().unwrap().to_owned();
    for file in ["dialops.db", "dialops.db-wal"] {
        let Ok(bytes) = std::fs::read(stage.path(file)) else { continue };
        for secret in [KEY, token.as_str(), "\"lasts\""] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in {file}");
        }
    }
}

/// Hands requests on, one a connection, and keeps the first so many answers back.
fn lossy(to: SocketAddr, lost: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, from) in listener.incoming().enumerate() {
            let Ok(mut from) = from else { return };
            let mut onward = TcpStream::connect(to).unwrap();
            let mut head = [0; 16 * 1024];
            let length = from.read(&mut head).unwrap_or(0);
            let text =
                String::from_utf8_lossy(&head[..length]).replace("\r\naccept", "\r\nconnection: close\r\naccept");
            onward.write_all(text.as_bytes()).unwrap();
            let mut answer = Vec::new();
            onward.read_to_end(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
            if number >= lost {
                from.write_all(&answer).unwrap();
            }
        }
    });
    address
}

#[test]
fn the_command_line_asks_again_when_an_answer_is_lost() {
    let stage = stage();
    let daemon = stage.run();
    stage.cli(&["people", "set", "sue", "--role", "viewer"]);
    let ask = |lost: usize| {
        let url = format!("http://{}", lossy(stage.http, lost));
        let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
        command.args(["people", "token", "sue", "--url", &url, "--token-file"]).arg(stage.path("token"));
        command.output().unwrap()
    };
    let asked = ask(2);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert!(asked.stdout.starts_with(b"dialops_"));
    let entries: Value = serde_json::from_str(&stage.cli(&["audit", "list", "--format", "json"])).unwrap();
    let entries = entries["entries"].as_array().unwrap();
    let issued = entries.iter().filter(|entry| entry["action"] == "person.token").count();
    assert_eq!(issued, 1, "it was asked three times and done once: {entries:#?}");
    daemon.stop();
}
