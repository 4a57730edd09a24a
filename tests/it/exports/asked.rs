//! What is asked for over HTTP: each bad input is told before a job is made of it, and parts of files are served.

use std::sync::Arc;

use dialops::{
    domain::{
        campaign::Priority,
        contact::NewContact,
        ids::{BatchId, CategoryId, CustomerId},
        phone::E164,
        results::CallResult,
    },
    exports,
    store::Store as _,
};
use serde_json::json;

use super::*;
use crate::served::{Served, TOKEN, campaign_id};

/// A served world with jobs that are done.
async fn served() -> Served {
    let served = Served::start().await;
    served.apply().await;
    served.add_contact("c-1", &["+8613800000001"]).await;
    served.add_contact("c-2", &["+8613800000002"]).await;
    let parts = exports::Parts {
        jobs: Arc::clone(&served.exports),
        store: served.store.clone(),
        generation: served.generation.subscribe(),
        keyring: None,
        metrics: Arc::clone(&served.metrics),
        clock: served.clock.clone(),
    };
    tokio::spawn(exports::run(parts, served.shutdown.clone()));
    served
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.bearer_auth(TOKEN).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

async fn post(served: &Served, body: &Value) -> (u16, Value) {
    answer(reqwest::Client::new().post(served.tcp_url("/api/v1/exports")).json(body)).await
}

async fn get(served: &Served, path: &str) -> (u16, Value) {
    answer(reqwest::Client::new().get(served.tcp_url(path))).await
}

fn good() -> Value {
    json!({ "what": "attempts", "campaign": "spring", "format": "csv", "reason": "why not" })
}

/// Waits until an export is in a state; the clock of this world stands still.
async fn until(served: &Served, id: u64, state: &str) -> Value {
    for _ in 0..500 {
        let (_, view) = get(served, &format!("/api/v1/exports/{id}")).await;
        if view["state"] == state {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("export {id} does not come to be {state}: {:?}", get(served, &format!("/api/v1/exports/{id}")).await);
}

#[tokio::test]
async fn each_bad_input_is_told_and_makes_no_job() {
    let served = served().await;
    for (key, value, status, words) in [
        ("what", json!("calls"), 422, "what: \"calls\" is none"),
        ("format", json!("pdf"), 422, "format: \"pdf\" is none"),
        ("format", json!("CSV"), 422, "format"),
        ("campaign", json!("winter"), 404, "no campaign \"winter\""),
        ("campaign", json!("No Campaign!"), 400, "No Campaign!"),
        ("reason", json!("  "), 422, "a reason has 1 to 200"),
        ("reason", json!("x".repeat(201)), 422, "a reason has 1 to 200"),
        ("reason", json!("a\u{7}b"), 422, "a reason has 1 to 200"),
        ("recipient", json!("age1nobody"), 422, "recipient: this is no recipient of age"),
        ("recipient", json!("ssh-ed25519 AAAA"), 422, "recipient"),
        ("expiresIn", json!("soon"), 422, "expiresIn: \"soon\" is none"),
        ("expiresIn", json!("0s"), 422, "expiresIn"),
        ("expiresIn", json!("8d"), 422, "expiresIn: longer than 604800 s"),
        ("batch", json!("nowhere"), 404, "no batch \"nowhere\""),
        ("from", json!("yesterday"), 422, "from: \"yesterday\" is no time"),
        ("until", json!("2031-03-01"), 422, "until"),
        ("result", json!("nice"), 422, "result: \"nice\" is none"),
        ("businessResult", json!("a/b/c"), 422, "businessResult"),
        ("attributes", json!(["surname"]), 422, "attributes: \"surname\" is none"),
        ("attributes", json!("surname"), 400, "the body is not an export"),
        ("colour", json!("red"), 400, "unknown field `colour`"),
        ("unmasked", json!("yes"), 400, "the body is not an export"),
    ] {
        let mut body = good();
        body[key] = value.clone();
        let (found, said) = post(&served, &body).await;
        let error = said["detail"].as_str().unwrap_or_default();
        assert!(found == status && error.contains(words), "{key} = {value}: {found} {said}");
        assert!(!said["hint"].as_str().unwrap().is_empty());
    }
    for missing in ["what", "campaign", "format", "reason"] {
        let mut body = good();
        body.as_object_mut().unwrap().remove(missing);
        let (status, said) = post(&served, &body).await;
        assert!(status == 400 && said["detail"].as_str().unwrap().contains(missing), "{missing}: {said}");
    }
    let mut turned = good();
    (turned["from"], turned["until"]) = (json!("2031-03-02T00:00:00Z"), json!("2031-03-01T00:00:00Z"));
    assert_eq!(post(&served, &turned).await.0, 422);
    assert_eq!(get(&served, "/api/v1/exports").await.1["exports"], json!([]));
    for path in ["/api/v1/exports/1", "/api/v1/exports/x", "/api/v1/exports/1/file", "/api/v1/exports/-1"] {
        assert_eq!(get(&served, path).await.0, 404, "{path}");
    }
    assert_eq!(get(&served, "/api/v1/exports?after=1").await.0, 400);
}

#[tokio::test]
async fn parts_of_a_file_are_served_and_each_download_counts() {
    let mut served = served().await;
    served.call(CallResult::Busy).await;
    let (status, made) = post(&served, &good()).await;
    assert_eq!((status, &made["state"], &made["owner"]), (202, &json!("waiting"), &json!("token")));
    assert!(made["warning"].as_str().unwrap().contains("personal data"));
    let view = until(&served, 1, "done").await;
    assert_eq!((&view["rows"], &view["rowsDone"], &view["rowsOf"]), (&json!(1), &json!(1), &json!(1)));
    let client = reqwest::Client::new();
    let file = |range: Option<&str>| {
        let request = client.get(served.tcp_url("/api/v1/exports/1/file")).bearer_auth(TOKEN);
        match range {
            Some(range) => request.header("range", range),
            None => request,
        }
    };
    let whole = file(None).send().await.unwrap();
    let header = |answer: &reqwest::Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(&whole, "content-disposition"), "attachment; filename=\"personal-data-spring-attempts-1.csv\"");
    assert_eq!((header(&whole, "x-personal-data"), header(&whole, "cache-control")), ("yes".into(), "no-store".into()));
    let tag = header(&whole, "etag");
    assert_eq!(tag, format!("\"{}\"", view["sha256"].as_str().unwrap()));
    let bytes = whole.bytes().await.unwrap();
    assert_eq!(json!(bytes.len()), view["bytes"]);
    let some = file(Some("bytes=5-9")).send().await.unwrap();
    assert_eq!(
        (some.status(), header(&some, "content-range")),
        (206.try_into().unwrap(), format!("bytes 5-9/{}", bytes.len()))
    );
    assert_eq!(some.bytes().await.unwrap(), bytes[5..10]);
    let behind = file(Some("bytes=99999-")).send().await.unwrap();
    assert_eq!((behind.status().as_u16(), header(&behind, "content-range")), (416, format!("bytes */{}", bytes.len())));
    let other = file(Some("bytes=5-9")).header("if-range", "\"other\"").send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap()), (200, bytes));
    assert_eq!(get(&served, "/api/v1/exports/1").await.1["downloads"], 3);
    let log = get(&served, "/api/v1/audit?limit=100").await.1;
    let entries = log["entries"].as_array().unwrap().iter();
    let downloads = entries.filter(|entry| entry["action"] == "export.download" && entry["result"] == "done");
    assert_eq!(downloads.count(), 3);
}

#[tokio::test]
async fn an_export_expires_by_the_clock_and_is_not_served_a_moment_longer() {
    let served = served().await;
    let mut short = good();
    short["expiresIn"] = json!("1h");
    post(&served, &short).await;
    post(&served, &good()).await;
    until(&served, 2, "done").await;
    served.clock.advance(Duration::from_secs(3599));
    assert_eq!(get(&served, "/api/v1/exports/1/file").await.0, 200);
    served.clock.advance(Duration::from_secs(1));
    let (status, said) = get(&served, "/api/v1/exports/1/file").await;
    assert!(status == 410 && said["detail"] == "export 1 is expired", "before anybody has taken it away: {said}");
    served.exports.wake();
    until(&served, 1, "expired").await;
    assert_eq!(std::fs::read_dir(served.exports.spool().folder()).unwrap().count(), 1);
    assert_eq!(get(&served, "/api/v1/exports/2/file").await.0, 200);
}

#[tokio::test]
async fn a_file_that_somebody_has_changed_is_not_served() {
    let served = served().await;
    post(&served, &good()).await;
    until(&served, 1, "done").await;
    let entry = std::fs::read_dir(served.exports.spool().folder()).unwrap().next().unwrap().unwrap();
    std::fs::write(entry.path(), "shorter").unwrap();
    let (status, said) = get(&served, "/api/v1/exports/1/file").await;
    assert!(status == 500 && said["detail"].as_str().unwrap().contains("another length"), "{said}");
    assert_eq!(get(&served, "/api/v1/exports/1").await.1["downloads"], 0);
}

#[tokio::test]
async fn only_so_many_wait() {
    let served = Served::start().await;
    served.apply().await;
    // Nobody begins them.
    for _ in 0..100 {
        assert_eq!(post(&served, &good()).await.0, 202);
    }
    let (status, said) = post(&served, &good()).await;
    assert!(status == 429 && said["detail"].as_str().unwrap().contains("100 exports wait"), "{said}");
    let first = get(&served, "/api/v1/exports?limit=60").await.1;
    assert_eq!((&first["exports"][0]["id"], &first["exports"][59]["id"]), (&json!(100), &json!(41)));
    let next = first["next"].as_str().unwrap();
    let second = get(&served, &format!("/api/v1/exports?limit=60&cursor={next}")).await.1;
    assert_eq!((second["exports"].as_array().unwrap().len(), &second["next"]), (40, &Value::Null));
    let deleted = reqwest::Client::new().delete(served.tcp_url("/api/v1/exports/7")).bearer_auth(TOKEN).send().await;
    assert_eq!(deleted.unwrap().status().as_u16(), 204);
    assert_eq!(post(&served, &good()).await.0, 202);
}

#[tokio::test]
async fn a_download_is_cut_when_a_customer_in_it_is_erased() {
    let served = served().await;
    // More than what lies between the daemon and its client.
    for part in 0..20 {
        let contact = |serial: u32| NewContact {
            customer: CustomerId::parse(&format!("c-{part}-{serial}")).unwrap(),
            numbers: vec![(CategoryId::parse("mobile").unwrap(), E164::parse("+8613800000009").unwrap())],
            priority: Priority::DEFAULT,
            not_before: None,
            timezone: None,
            attributes: Default::default(),
            custom_field: Some("x".repeat(20_000)),
        };
        let batch = BatchId::parse("second").unwrap();
        served.store.import(&campaign_id(), &batch, (0..100).map(contact).collect()).await.unwrap();
    }
    let mut asked = good();
    (asked["what"], asked["unmasked"]) = (json!("contacts"), json!(true));
    let (status, said) = post(&served, &asked).await;
    assert_eq!(status, 202, "{said}");
    until(&served, 1, "done").await;
    let whole = get(&served, "/api/v1/exports/1").await.1["bytes"].as_u64().unwrap();
    let file = reqwest::Client::new().get(served.tcp_url("/api/v1/exports/1/file")).bearer_auth(TOKEN);
    let mut download = file.send().await.unwrap();
    let mut came = download.chunk().await.unwrap().unwrap().len() as u64;
    let erase = reqwest::Client::new().post(served.tcp_url("/api/v1/erasures")).json(&json!({"customer": "c-1"}));
    let (status, said) = answer(erase).await;
    assert!(status < 300, "{status} {said}");
    let end = loop {
        match download.chunk().await {
            Ok(Some(chunk)) => came += chunk.len() as u64,
            end => break end,
        }
    };
    assert!(end.is_err() && came < whole, "{came} of {whole}: {end:?}");
    assert_eq!(get(&served, "/api/v1/exports/1/file").await.0, 410);
}

#[tokio::test]
async fn how_many_exports_there_are_is_a_metric() {
    let served = served().await;
    post(&served, &good()).await;
    until(&served, 1, "done").await;
    let wanted = |text: &str| {
        text.contains("dialops_exports{state=\"done\"} 1") && text.contains("dialops_exports{state=\"failed\"} 0")
    };
    for _ in 0..200 {
        let text = reqwest::get(served.tcp_url("/metrics")).await.unwrap().text().await.unwrap();
        if wanted(&text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the export is not counted");
}
