//! What is served, over real sockets.

use std::time::Duration;

use dialops::{
    domain::{ids::PersonId, person::Role, results::CallResult},
    http::access::Access,
    store::people::{Credential, CredentialKind, People as _, Person},
    telemetry::status::{CampaignStatus, Condition, Problem},
};
use jiff::ToSpan as _;
use reqwest::StatusCode;
use serde_json::Value;
use sha2::Digest as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::served::{SESSION_IDLE, Served, TOKEN};

async fn get(url: String) -> (StatusCode, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn socket_json(served: &Served, path: &str) -> (StatusCode, Value) {
    let response = served.over_socket().get(format!("http://dialops{path}")).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn stay_on_last_good(served: &Served) {
    served.source.send_modify(|status| {
        let source = &mut status.sources[0];
        source.observed_revision = Some("main@sha1:ffffffffffffffffffffffffffffffffffffffff".into());
        source.conditions = vec![Condition {
            r#type: "Ready".into(),
            status: "False".into(),
            reason: "ValidationFailed".into(),
            message: "1 of 6 files invalid; the last good commit stays in force".into(),
            last_transition_time: "2031-03-01T02:05:00Z".into(),
        }];
        source.problems = vec![Problem {
            file: "campaigns/spring.toml".into(),
            line: 6,
            column: 9,
            code: "unknown-value".into(),
            message: "state \"runing\" <script>alert(1)</script>".into(),
            suggestion: Some("did you mean `running`?".into()),
        }];
    });
}

#[tokio::test]
async fn ready_is_latched_on_the_first_commit_in_force() {
    let served = Served::start().await;
    assert_eq!(get(served.tcp_url("/-/healthy")).await.0, StatusCode::OK);
    assert_eq!(get(served.tcp_url("/-/ready")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    served.apply().await;
    assert_eq!(get(served.tcp_url("/-/ready")).await.0, StatusCode::OK);
    stay_on_last_good(&served);
    assert_eq!(get(served.tcp_url("/-/ready")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn status_is_open_and_names_no_agent_without_a_credential() {
    let served = Served::start().await;
    served.apply().await;
    let response = reqwest::get(served.tcp_url("/api/v1/status")).await.unwrap();
    let tag = response.headers()["etag"].clone();
    let open: Value = response.json().await.unwrap();
    assert_eq!(open["apiVersion"], "status/v1");
    assert_eq!(open["sources"][0]["ref"], "refs/heads/main");
    assert_eq!(open["campaigns"]["byPhase"]["running"], 1);
    assert_eq!(open["campaigns"]["list"][0]["waiting"]["reason"], "no_agent_idle");
    assert_eq!(open["agents"]["byState"]["talking"], 1);
    assert!(!open.to_string().contains("Anna"), "an agent is named: {open}");

    let again = reqwest::Client::new().get(served.tcp_url("/api/v1/status")).header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    served.dial.send_modify(|dial| dial.live_calls = 7);
    let changed = reqwest::Client::new().get(served.tcp_url("/api/v1/status")).header("if-none-match", &tag);
    assert_eq!(changed.send().await.unwrap().status(), StatusCode::OK);

    let (_, closed) = socket_json(&served, "/api/v1/status").await;
    assert_eq!(closed["agents"]["list"][0]["name"], "Anna Schmidt");
}

#[tokio::test]
async fn retired_campaigns_are_counted_each_once() {
    let served = Served::start().await;
    served.apply().await;
    // Of one of them a call is live, so that the dialling loop still shows it.
    served.source.send_modify(|status| status.retired = vec!["autumn".to_owned(), "winter".to_owned()]);
    served.dial.send_modify(|dial| {
        let spring = dial.campaigns[0].clone();
        dial.campaigns.push(CampaignStatus { id: "winter".to_owned(), phase: "retired".to_owned(), ..spring });
    });
    let status = socket_json(&served, "/api/v1/status").await.1;
    let campaigns = &status["campaigns"];
    assert_eq!((&campaigns["byPhase"]["retired"], &campaigns["total"]), (&2.into(), &3.into()), "{campaigns:#}");
    assert_eq!(campaigns["list"].as_array().unwrap().len(), 2);
    let page = reqwest::get(served.tcp_url("/")).await.unwrap().text().await.unwrap();
    assert!(page.contains("of 1, 2 retired"), "{page}");
}

#[tokio::test]
async fn nothing_personal_is_open() {
    let served = Served::start().await;
    served.apply().await;
    served.add_contact("C-1", &["+8613800000001"]).await;
    for path in [
        "/api/v1/agents",
        "/api/v1/history",
        "/api/v1/events",
        "/api/v1/campaigns/spring/results",
        "/api/v1/campaigns/spring/tally",
        "/api/v1/campaigns/spring/why",
        "/api/v1/campaigns/spring/contacts/C-1/why",
    ] {
        let (status, body) = get(served.tcp_url(path)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(body.contains("\"hint\""), "{path}: {body}");
        let wrong = reqwest::Client::new().get(served.tcp_url(path)).bearer_auth("guess").send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{path}");
        let right = reqwest::Client::new().get(served.tcp_url(path)).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(right.status(), StatusCode::OK, "{path}");
        assert_eq!(socket_json(&served, path).await.0, StatusCode::OK, "{path}");
    }
    for page in ["/", "/metrics", "/api/v1/status"] {
        let (_, body) = get(served.tcp_url(page)).await;
        assert!(!body.contains("Anna") && !body.contains("138000") && !body.contains("C-1"), "{page}");
    }
}

#[tokio::test]
async fn tcp_without_a_token_in_the_settings_says_what_to_do() {
    let served = Served::with_access(Access::default()).await;
    served.apply().await;
    let request = reqwest::Client::new().get(served.tcp_url("/api/v1/agents")).bearer_auth("anything");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body: Value = response.json().await.unwrap();
    assert!(body["hint"].as_str().unwrap().contains("[http] token"), "{body}");
}

#[tokio::test]
async fn results_come_in_pages() {
    let mut served = Served::start().await;
    served.apply().await;
    for customer in ["C-1", "C-2", "C-3"] {
        served.add_contact(customer, &["+8613800000001"]).await;
    }
    served.call(CallResult::Busy).await;
    served.call(CallResult::Answered).await;
    served.call(CallResult::NoAnswer).await;
    let (_, first) = socket_json(&served, "/api/v1/campaigns/spring/results?limit=2").await;
    assert_eq!(first["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(first["attempts"][0]["result"], "busy");
    assert_eq!(first["attempts"][0]["number"], "+8613*******01", "masked unless asked otherwise");
    let next = first["next"].as_str().unwrap();
    let (_, second) = socket_json(&served, &format!("/api/v1/campaigns/spring/results?limit=2&cursor={next}")).await;
    assert_eq!(second["attempts"][0]["result"], "no_answer");
    assert_eq!(second["next"], Value::Null);
    let (status, wrong) = socket_json(&served, "/api/v1/campaigns/spring/results?cursor=17").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(wrong["hint"].as_str().unwrap().contains("`next`"));
    assert_eq!(socket_json(&served, "/api/v1/campaigns/spring/results?limt=2").await.0, StatusCode::BAD_REQUEST);
    let (status, unknown) = socket_json(&served, "/api/v1/campaigns/sprung/results").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(unknown["detail"], "no campaign \"sprung\"");
}

#[tokio::test]
async fn why_tells_the_past_and_the_future() {
    let mut served = Served::start().await;
    served.apply().await;
    served.add_contact("C/1 ü", &["+8613800000001", "+8613800000002"]).await;
    served.call(CallResult::Busy).await;
    let (status, why) = socket_json(&served, "/api/v1/campaigns/spring/contacts/C%2F1%20%C3%BC/why").await;
    assert_eq!(status, StatusCode::OK, "{why}");
    assert_eq!(why["attempts"][0]["sipStatus"], 486);
    assert_eq!(why["contact"]["numbers"][0]["lastResult"], "busy");
    assert_eq!(why["next"]["kind"], "pass");
    assert_eq!(why["next"]["numberIndex"], 2);
    assert_eq!(why["hold"], Value::Null);
    assert_eq!(why["timezone"], "Asia/Shanghai");
    served.clock.advance(Duration::from_secs(9 * 3600));
    let (_, later) = socket_json(&served, "/api/v1/campaigns/spring/contacts/C%2F1%20%C3%BC/why").await;
    assert_eq!(later["hold"]["reason"], "window_closed");
    assert_eq!(later["hold"]["until"], "2031-03-02T01:00:00Z");
    let (status, nobody) = socket_json(&served, "/api/v1/campaigns/spring/contacts/C-9/why").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(nobody["detail"].as_str().unwrap().contains("C-9"));
    let (_, counted) = socket_json(&served, "/api/v1/campaigns/spring/why").await;
    assert_eq!(counted["kept"].as_array().map(Vec::len), Some(1), "{counted}");
    let (_, uncounted) = socket_json(&served, "/api/v1/campaigns/spring/why?counts=false").await;
    assert_eq!(uncounted["kept"], Value::Null);
    assert_eq!(socket_json(&served, "/api/v1/campaigns/spring/why?count=1").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn agents_are_set_by_the_loop() {
    let served = Served::start().await;
    served.apply().await;
    let put = |agent: &str, body: &str| {
        let url = format!("http://dialops/api/v1/agents/{agent}");
        served.over_socket().put(url).body(body.to_owned()).send()
    };
    assert_eq!(put("anna", r#"{"state":"rest"}"#).await.unwrap().status(), StatusCode::OK);
    let (_, agents) = socket_json(&served, "/api/v1/agents").await;
    assert_eq!(agents["agents"][0]["state"], "rest");
    for (agent, body, status) in [
        ("bob", r#"{"state":"idle"}"#, StatusCode::NOT_FOUND),
        ("Bob!", r#"{"state":"idle"}"#, StatusCode::NOT_FOUND),
        ("anna", r#"{"state":"talking"}"#, StatusCode::BAD_REQUEST),
        ("anna", "idle", StatusCode::BAD_REQUEST),
        ("anna", &"x".repeat(70_000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(put(agent, body).await.unwrap().status(), status, "{agent}");
    }
}

#[tokio::test]
async fn a_business_result_is_taken_from_who_may_and_checked() {
    let served = Served::start().await;
    served.apply().await;
    served.add_contact("C-1", &["+8613800000001"]).await;
    let path = |customer: &str| format!("/api/v1/campaigns/spring/contacts/{customer}/business-results");
    let sold = r#"{"result":"sold","note":"two of them"}"#;
    let open = reqwest::Client::new().post(served.tcp_url(&path("C-1"))).body(sold).send().await.unwrap();
    assert_eq!(open.status(), StatusCode::UNAUTHORIZED);
    let token = reqwest::Client::new().post(served.tcp_url(&path("C-1"))).bearer_auth(TOKEN);
    let answer = token.body(sold).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap()["outcome"], "no_rule");
    let (_, why) = socket_json(&served, "/api/v1/campaigns/spring/contacts/C-1/why").await;
    let set = &why["businessResults"][0];
    assert_eq!((&set["result"], &set["by"], &set["note"]), (&"sold".into(), &"token".into(), &"two of them".into()));
    let long = format!(r#"{{"result":"sold","note":"{}"}}"#, "x".repeat(501));
    for (customer, body, status) in [
        ("C-9", sold, StatusCode::NOT_FOUND),
        ("C-1", r#"{"result":"lost"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("C-1", r#"{"result":"sold","sub_result":"twice"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("C-1", r#"{"result":"sold","attempt":"a1-7"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("C-1", r#"{"result":"sold","attempt":"7"}"#, StatusCode::BAD_REQUEST),
        ("C-1", r#"{"result":"Sold!"}"#, StatusCode::BAD_REQUEST),
        ("C-1", r#"{"result":"sold","notes":""}"#, StatusCode::BAD_REQUEST),
        ("C-1", &long, StatusCode::BAD_REQUEST),
    ] {
        let url = format!("http://dialops{}", path(customer));
        let answer = served.over_socket().post(url).body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{customer} {body}");
        let told: Value = answer.json().await.unwrap();
        assert!(told["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{told}");
    }
}

#[tokio::test]
async fn a_reconcile_request_waits_for_the_look() {
    let served = Served::start().await;
    served.apply().await;
    let response = served.over_socket().post("http://dialops/api/v1/reconcile").send().await.unwrap();
    let found: Value = response.json().await.unwrap();
    assert_eq!(found["sources"][0]["lastHandledReconcileAt"], found["token"]);
}

#[tokio::test]
async fn the_page_escapes_what_others_wrote() {
    let served = Served::start().await;
    let (status, empty) = get(served.tcp_url("/")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(empty.contains("No commit is in force yet") && empty.contains("Nothing read yet"));
    served.apply().await;
    stay_on_last_good(&served);
    let response = reqwest::get(served.tcp_url("/")).await.unwrap();
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = response.text().await.unwrap();
    assert!(page.contains("The last good commit stays in force"));
    assert!(page.contains("campaigns/spring.toml:6:9") && page.contains("did you mean `running`?"));
    assert!(page.contains("春季回访 &#60;b&#62;") && !page.contains("<script"));
    assert!(page.contains("http-equiv=\"refresh\""));
    assert!(!get(served.tcp_url("/?refresh=off")).await.1.contains("http-equiv=\"refresh\""));
}

#[tokio::test]
async fn wrong_paths_and_methods_are_answered_in_json() {
    let served = Served::start().await;
    let (status, body) = get(served.tcp_url("/api/v2/status")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("nothing at /api/v2/status"));
    let posted = reqwest::Client::new().post(served.tcp_url("/api/v1/status")).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(posted.headers().contains_key("allow"));
}

#[tokio::test]
async fn garbage_on_the_wire_breaks_only_its_connection() {
    let served = Served::start().await;
    let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    assert_eq!(get(served.tcp_url("/-/healthy")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_removes_the_socket() {
    let served = Served::start().await;
    let client = served.over_socket();
    client.get("http://dialops/-/healthy").send().await.unwrap().bytes().await.unwrap();
    assert!(served.socket.exists());
    served.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(2), served.server).await.unwrap().unwrap();
    assert!(!served.socket.exists());
}

async fn import(served: &Served, campaign: &str, csv: &str) -> (StatusCode, Vec<Value>) {
    let url = format!("http://dialops/api/v1/campaigns/{campaign}/contacts");
    let response = served.over_socket().post(url).body(csv.to_owned()).send().await.unwrap();
    let (status, body) = (response.status(), response.text().await.unwrap());
    (status, body.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn an_import_tells_each_row_left_out_and_keeps_the_others() {
    let mut served = Served::start().await;
    served.apply().await;
    let csv = "customer_id,number.mobile\nC-1,13800000001\nC-2,12\nC-3,+8613800000003\n";
    let (status, events) = import(&served, "spring", csv).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&events[0]["event"], &events[0]["name"]), (&"batch".into(), &"upload-2031-03-01".into()));
    assert_eq!(events[1]["event"], "rejected");
    assert_eq!((&events[1]["line"], &events[1]["row"]), (&3.into(), &"C-2,12".into()));
    let done = events.last().unwrap();
    assert_eq!((&done["event"], &done["rows"], &done["added"]), (&"done".into(), &3.into(), &2.into()));
    assert_eq!(served.imported.recv().await.unwrap().as_str(), "spring");
    let (_, again) = import(&served, "spring", csv).await;
    assert_eq!((&again.last().unwrap()["added"], &again.last().unwrap()["unchanged"]), (&0.into(), &2.into()));
    assert!(served.imported.try_recv().is_err(), "nothing was added, and the loop was woken");
}

#[tokio::test]
async fn what_is_wrong_with_the_whole_import_is_the_status() {
    let served = Served::start().await;
    let csv = "customer_id,number.mobile\nC-1,13800000001\n";
    assert_eq!(import(&served, "spring", csv).await.0, StatusCode::SERVICE_UNAVAILABLE);
    served.apply().await;
    let (status, body) = import(&served, "sprung", csv).await;
    assert_eq!((status, &body[0]["detail"]), (StatusCode::NOT_FOUND, &"no campaign \"sprung\"".into()));
    let (status, body) = import(&served, "spring", "name;phone\nx;1\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body[0]["detail"].as_str().unwrap().starts_with("line 1 is no header"), "{body:?}");
    assert_eq!(import(&served, "spring", "").await.0, StatusCode::BAD_REQUEST);
    let url = served.tcp_url("/api/v1/campaigns/spring/contacts");
    assert_eq!(reqwest::Client::new().post(url).body(csv).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_upload_that_breaks_off_keeps_what_is_in() {
    let served = Served::start().await;
    served.apply().await;
    let mut stream = tokio::net::UnixStream::connect(&served.socket).await.unwrap();
    let mut rows = String::from("customer_id,number.mobile\n");
    (0..1_200).for_each(|row| rows.push_str(&format!("C-{row},138{row:08}\n")));
    let head = "POST /api/v1/campaigns/spring/contacts HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n";
    stream.write_all(format!("{head}{rows}").as_bytes()).await.unwrap();
    let mut answer = [0; 256];
    assert!(stream.read(&mut answer).await.unwrap() > 0);
    drop(stream);
    let (_, tally) = socket_json(&served, "/api/v1/campaigns/spring/tally").await;
    assert!(tally["contacts"].as_u64().unwrap() >= 500, "{tally}");
    assert_eq!(get(served.tcp_url("/-/healthy")).await.0, StatusCode::OK);
}

/// Runs `promtool check metrics`, or Python's parser; says so when neither is there.
#[tokio::test]
async fn prometheus_reads_the_metrics() {
    let served = Served::start().await;
    served.apply().await;
    served.metrics.attempt_settled(CallResult::Answered);
    let (_, text) = get(served.tcp_url("/metrics")).await;
    assert!(text.contains("dialops_agents{state=\"talking\"} 1"));
    assert!(text.contains("process_resident_memory_bytes "));
    let parser = "import sys; from prometheus_client.parser import text_string_to_metric_families as f; \
                  assert len(list(f(sys.stdin.read()))) > 20";
    let tools: [(&str, &[&str]); 2] = [("promtool", &["check", "metrics"]), ("python3", &["-c", parser])];
    let mut checked = false;
    for (tool, args) in tools {
        match feed(tool, args, &text) {
            Some((true, _)) => checked = true,
            Some((false, said)) if said.contains("No module named") => {}
            Some((false, said)) => panic!("{tool}: {said}"),
            None => {}
        }
    }
    if !checked {
        eprintln!("skipped: neither promtool nor Python's prometheus_client is installed");
    }
}

/// Whether the tool was content with `input`, and what it said; `None` if it is not there.
fn feed(tool: &str, args: &[&str], input: &str) -> Option<(bool, String)> {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// A session of somebody, and the cookie that shows it.
async fn session(served: &Served, who: &str, role: Role) -> String {
    let id = PersonId::parse(who).unwrap();
    let since = served.clock.now().wall;
    served.store.put_person(Person { id: id.clone(), role, password: None, since }).await.unwrap();
    let secret = format!("session-of-{who}");
    let digest = sha2::Sha256::digest(&secret).into();
    let expires_at = since + 12.hours();
    let credential = Credential { digest, kind: CredentialKind::Session, person: id, expires_at };
    served.store.add_credential(credential).await.unwrap();
    format!("dialops_session={secret}")
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_over() {
    let served = Served::start().await;
    served.apply().await;
    let (looks, works) = (session(&served, "vera", Role::Viewer).await, session(&served, "anna", Role::Agent).await);
    let get = async |path: &str, cookie: &str| {
        let request = reqwest::Client::new().get(served.tcp_url(path)).header("cookie", cookie);
        request.send().await.unwrap()
    };
    let history = async || get("/api/v1/history", &looks).await.status();
    let page = get("/agent/events", &works).await;
    assert_eq!(page.status(), StatusCode::OK);
    let step = SESSION_IDLE - Duration::from_secs(1);
    for _ in 0..3 {
        assert_eq!(history().await, StatusCode::OK);
        served.clock.advance(step);
        // The page that is open looks by itself, whether the dialling loop is quiet or not.
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            served.dial.send_modify(|_| {});
        }
    }
    assert_eq!(history().await, StatusCode::OK);
    assert_eq!(get("/agent", &works).await.status(), StatusCode::OK);
    served.clock.advance(SESSION_IDLE);
    assert_eq!(history().await, StatusCode::UNAUTHORIZED);
    assert_eq!(history().await, StatusCode::UNAUTHORIZED);
    assert_eq!(served.store.credential(&sha2::Sha256::digest("session-of-vera").into()).await.unwrap(), None);
}

#[tokio::test]
async fn who_is_refused_can_send_the_rest_and_reads_why() {
    let served = Served::start().await;
    for (credential, status) in [("", "401"), ("authorization: Bearer a-token-for-tests\r\n", "400")] {
        let mut client = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let head = format!(
            "POST /api/v1/exports HTTP/1.1\r\nhost: x\r\n{credential}idempotency-key: short\r\ncontent-length: 4000\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        // Many clients send a body by itself.
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            client.write_all(&[b'x'; 1000]).await.unwrap();
        }
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
    }
}
