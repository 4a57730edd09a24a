//! Results, a contact in detail and statistics: over HTTP and on the command line.

use dialops::domain::results::CallResult;
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    cli::on_socket,
    served::{Served, TOKEN},
    stage::{CAMPAIGN, Campaign, Stage, number},
};

const NUMBERS: [&str; 3] = ["+8613800000001", "+8613800000002", "+8613800000003"];
const RESULTS: &str = "/api/v1/campaigns/spring/results";

/// Three contacts; the first was busy and reached, the second did not answer.
async fn world() -> Served {
    let mut served = Served::start().await;
    served.apply().await;
    for (customer, number) in ["C-1", "C-2", "C-3"].iter().zip(NUMBERS) {
        served.add_contact(customer, &[number]).await;
    }
    served.call(CallResult::Busy).await;
    served.call(CallResult::NoAnswer).await;
    served.call(CallResult::Answered).await;
    served
}

async fn ask(served: &Served, path: &str) -> (StatusCode, Value) {
    let response = served.over_socket().get(format!("http://dialops{path}")).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn lines(served: &Served, path: &str) -> (StatusCode, Vec<Value>) {
    let request = served.over_socket().get(format!("http://dialops{path}")).header("accept", "application/x-ndjson");
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Every row of a list, page by page.
async fn paged(served: &Served, path: &str, of: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = ask(served, &format!("{path}limit=1{after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        rows.extend(page[of].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&cursor={}", next.replace(' ', "%20")),
            None => return rows,
        }
    }
}

fn column<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn lines_are_what_pages_are() {
    let served = world().await;
    let contacts = "/api/v1/campaigns/spring/contacts";
    for (path, of) in [(RESULTS, "attempts"), (contacts, "contacts")] {
        for query in
            ["?", "?result=busy,answered&", "?connected=true&", "?batch=first&", "?agent=anna&from=2031-03-01&"]
        {
            let pages = paged(&served, &format!("{path}{query}"), of).await;
            let (status, lines) = lines(&served, &format!("{path}{query}").replace("&&", "&")).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(lines, pages, "{path}{query}");
            assert!(!lines.is_empty(), "{path}{query}");
        }
    }
    assert_eq!(lines(&served, "/api/v1/campaigns/sprung/results").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn filters_leave_in_what_they_say() {
    let served = world().await;
    let attempts = |query: &'static str| {
        let served = &served;
        async move { paged(served, &format!("{RESULTS}?{query}&"), "attempts").await }
    };
    assert_eq!(column(&attempts("result=busy").await, "result"), ["busy"]);
    assert_eq!(column(&attempts("result=busy,no_answer").await, "result"), ["busy", "no_answer"]);
    assert_eq!(column(&attempts("connected=false").await, "result"), ["busy", "no_answer"]);
    assert_eq!(column(&attempts("from=2031-03-01T02:00:20Z").await, "result"), ["no_answer", "answered"]);
    assert_eq!(
        column(&attempts("from=2031-03-01T10:00:20%2B08:00&to=2031-03-01T02:00:40Z").await, "result"),
        ["no_answer"]
    );
    assert_eq!(attempts("to=2031-02-28").await.len(), 0);
    assert_eq!(attempts("category=mobile&revision=0123456789ab").await.len(), 3);
    assert_eq!(attempts("agent=bert").await.len(), 0);
    let contacts = |query: &'static str| {
        let served = &served;
        async move {
            let rows = paged(served, &format!("/api/v1/campaigns/spring/contacts?{query}&"), "contacts").await;
            column(&rows, "customer").into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(contacts("connected=true").await, ["C-3"]);
    assert_eq!(contacts("result=busy").await, ["C-1"]);
    assert_eq!(contacts("state=reached").await, ["C-3"]);
    assert_eq!(contacts("from=2031-03-01T02:00:20Z").await, ["C-2", "C-3"]);
    assert_eq!(contacts("business_result=sold").await, [""; 0]);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_what_to_do() {
    let served = world().await;
    let statistics = "/api/v1/campaigns/spring/statistics";
    let contacts = "/api/v1/campaigns/spring/contacts";
    for (path, query, hint) in [
        (RESULTS, "colour=red", "`business_result`"),
        (RESULTS, "cursor=nonsense", "`next`"),
        (RESULTS, "cursor=a9-17", "`next`"),
        (RESULTS, "from=yesterday", "2031-03-01"),
        (RESULTS, "from=2031-03-01T09:00:00", "2031-03-01T01:00:00Z"),
        (RESULTS, "from=2031-03-02&to=2031-03-01", "the earlier one"),
        (RESULTS, "result=engaged", "no_answer"),
        (RESULTS, "connected=maybe", "`connected`"),
        (RESULTS, "agent=A%20B", "agents list"),
        (RESULTS, "category=A%20B", "categories.toml"),
        (RESULTS, "rule=A%20B", "result/sub-result"),
        (RESULTS, "revision=main", "first digits"),
        (RESULTS, "sub_result=soon", "give both"),
        (RESULTS, "business_result=A%20B", "business-results.toml"),
        (RESULTS, "limit=many", "`limit`"),
        (contacts, "colour=red", "`business_result`"),
        (contacts, "state=asleep", "reached"),
        (contacts, "result=engaged", "no_answer"),
        (contacts, "to=soon", "2031-03-01"),
        (statistics, "colour=red", "`from`"),
        (statistics, "from=2031-03-01T02:07:00Z", ":15"),
        (statistics, "from=2031-03-02&to=2031-03-01", "the earlier one"),
        ("/api/v1/statistics", "to=tomorrow", "2031-03-01"),
        ("/api/v1/campaigns/spring/contacts/C-1", "masked=true", "`unmasked`"),
    ] {
        let (status, body) = ask(&served, &format!("{path}?{query}")).await;
        // What is no question at all is told apart from what can't be.
        let malformed = ["cursor", "limit", "colour", "masked", "connected"].iter().any(|name| query.starts_with(name));
        let wanted = if malformed { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(status, wanted, "{path}?{query}: {body}");
        assert!(body["hint"].as_str().unwrap().contains(hint), "{path}?{query}: {body}");
        assert!(!body["detail"].as_str().unwrap().is_empty());
    }
    for path in [
        "/api/v1/campaigns/sprung/results",
        "/api/v1/campaigns/sprung/statistics",
        "/api/v1/campaigns/sprung/contacts/C-1",
        "/api/v1/campaigns/spring/contacts/C-9",
        "/api/v1/campaigns/spring/results?batch=july",
    ] {
        let (status, body) = ask(&served, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
        assert!(!body["hint"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn numbers_stand_in_full_only_where_that_is_asked_for() {
    let served = world().await;
    let detail = "/api/v1/campaigns/spring/contacts/C-1";
    for path in [RESULTS, "/api/v1/campaigns/spring/contacts", detail] {
        let (_, masked) = ask(&served, path).await;
        assert!(!NUMBERS.iter().any(|number| masked.to_string().contains(number)), "{path}: {masked}");
        let (_, full) = ask(&served, &format!("{path}?unmasked=true")).await;
        assert!(full.to_string().contains(NUMBERS[0]), "{path}: {full}");
    }
}

#[tokio::test]
async fn a_contact_is_shown_with_all_its_attempts() {
    let served = world().await;
    let marked = served
        .over_socket()
        .post("http://dialops/api/v1/campaigns/spring/contacts/C-3/business-results")
        .json(&serde_json::json!({ "result": "sold", "note": "on Monday" }))
        .send()
        .await
        .unwrap();
    assert_eq!(marked.status(), StatusCode::OK);
    let (status, detail) = ask(&served, "/api/v1/campaigns/spring/contacts/C-3").await;
    assert_eq!(status, StatusCode::OK, "{detail}");
    assert_eq!((&detail["state"], &detail["batch"], &detail["calls"]), (&"reached".into(), &"first".into(), &1.into()));
    let attempt = &detail["attempts"][0];
    assert_eq!(attempt["answeredAt"], "2031-03-01T02:00:40Z");
    assert_eq!((&attempt["endedAt"], &attempt["failCode"]), (&"2031-03-01T02:01:00Z".into(), &"00000".into()));
    assert_eq!((&attempt["callerNumber"], &attempt["agent"]), (&"+862160000001".into(), &"anna".into()));
    assert_eq!(attempt["revision"], crate::served::COMMIT);
    assert_eq!((&attempt["category"], &attempt["businessResult"]), (&"mobile".into(), &"sold".into()));
    assert_eq!(
        (&detail["businessResults"][0]["note"], &detail["businessResults"][0]["result"]),
        (&"on Monday".into(), &"sold".into())
    );
    assert_eq!(detail["next"], Value::Null);
    let (_, open) = ask(&served, "/api/v1/campaigns/spring/contacts/C-2").await;
    assert_eq!(open["next"]["kind"], "retry");
    assert_eq!(open["numbers"][0]["lastResult"], "no_answer");
    let text = on_socket(&served, &["results", "show", "spring", "C-3"]).await.out;
    for told in ["spring · C-3: reached, 1 calls placed", "00000", "on Monday", "+8613*******03"] {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(!text.contains(NUMBERS[2]));
    let full = on_socket(&served, &["results", "show", "spring", "C-3", "--unmasked", "--format", "json"]).await.json();
    assert_eq!(full["numbers"][0]["number"], NUMBERS[2]);
}

#[tokio::test]
async fn statistics_are_of_the_tenants_day_and_show_a_viewer_only_counts() {
    let served = world().await;
    let (status, counted) = ask(&served, "/api/v1/campaigns/spring/statistics").await;
    assert_eq!(status, StatusCode::OK, "{counted}");
    assert_eq!(counted["timezone"], "Asia/Shanghai");
    assert_eq!(counted["contacts"]["all"], 3);
    assert_eq!((&counted["contacts"]["inProgress"], &counted["contacts"]["finished"]), (&2.into(), &1.into()));
    assert_eq!((&counted["attempts"]["attempts"], &counted["attempts"]["connected"]), (&3.into(), &1.into()));
    assert_eq!((&counted["attempts"]["talkSeconds"], &counted["connectedContacts"]), (&20.into(), &1.into()));
    assert_eq!(counted["byResult"].as_array().unwrap().len(), 3);
    assert_eq!((&counted["byDay"][0]["day"], &counted["byDay"][0]["attempts"]), (&"2031-03-01".into(), &3.into()));
    assert_eq!((&counted["byHour"][10]["hour"], &counted["byHour"][10]["attempts"]), (&10.into(), &3.into()));
    assert_eq!(
        (&counted["byAgent"][0]["name"], &counted["byAgent"][0]["attempts"]),
        (&"Anna Schmidt".into(), &3.into())
    );
    assert_eq!(
        (&counted["byBatch"][0]["batch"], &counted["byBatch"][0]["contacts"]["all"]),
        (&"first".into(), &3.into())
    );
    assert_eq!(counted["atOnce"], true);
    let (_, day) = ask(&served, "/api/v1/campaigns/spring/statistics?from=2031-03-01&to=2031-03-01").await;
    assert_eq!((&day["from"], &day["to"]), (&"2031-02-28T16:00:00Z".into(), &"2031-03-01T16:00:00Z".into()));
    assert_eq!(day["attempts"], counted["attempts"]);
    let (_, before) = ask(&served, "/api/v1/statistics?to=2031-02-28").await;
    assert_eq!((&before["attempts"]["attempts"], &before["contacts"]["all"]), (&0.into(), &3.into()));
    let viewer = viewer(&served).await;
    let path = served.tcp_url("/api/v1/campaigns/spring/statistics");
    let seen = reqwest::Client::new().get(path).bearer_auth(viewer).send().await.unwrap().text().await.unwrap();
    assert!(seen.contains("\"byResult\"") && !seen.contains("nna") && !seen.contains("\"byBatch\""), "{seen}");
    let text = on_socket(&served, &["statistics", "spring"]).await.out;
    for told in ["Asia/Shanghai", "3 now: 0 not called, 2 in progress, 1 finished (1 reached)", "2031-03-01", "anna"] {
        assert!(text.contains(told), "{told} in {text}");
    }
    let csv = on_socket(&served, &["statistics", "--format", "csv"]).await.out;
    assert!(csv.starts_with("by,name,attempts,connected,talk_seconds\nall,attempts,3,1,20\n"), "{csv}");
    let json = on_socket(&served, &["statistics", "spring", "--from", "2031-03-02", "--format", "json"]).await.json();
    assert_eq!(json["attempts"]["attempts"], 0);
}

/// The token of somebody who may only look.
async fn viewer(served: &Served) -> String {
    let client = reqwest::Client::new();
    let put = client.put(served.tcp_url("/api/v1/people/vera")).bearer_auth(TOKEN);
    assert_eq!(put.json(&serde_json::json!({ "role": "viewer" })).send().await.unwrap().status(), 204);
    let post = client.post(served.tcp_url("/api/v1/people/vera/tokens")).bearer_auth(TOKEN);
    let issued: Value = post.json(&serde_json::json!({})).send().await.unwrap().json().await.unwrap();
    issued["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn results_are_filtered_and_written_as_asked() {
    let served = world().await;
    let csv = on_socket(&served, &["results", "spring", "--connected", "--format", "csv"]).await.out;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 2, "{csv}");
    assert!(rows[0].starts_with("attempt,placed_at,rang_at,") && rows[1].contains(",C-3,first,1,mobile,"), "{csv}");
    let lines = on_socket(&served, &["results", "spring", "--result", "busy", "--format", "jsonl", "--unmasked"]).await;
    assert_eq!(lines.json()["number"], NUMBERS[0]);
    let wrong = on_socket(&served, &["results", "spring", "--result", "engaged"]).await;
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    let none = on_socket(&served, &["results", "spring", "--agent", "bert"]).await;
    assert_eq!(none.out, "no attempts\n");
    let contacts = on_socket(&served, &["contacts", "list", "spring", "--result", "no_answer"]).await.out;
    assert!(contacts.lines().nth(1).unwrap().starts_with("C-2,first,in_progress,1,"), "{contacts}");
    assert_eq!(contacts.lines().count(), 2);
}

/// Through the built daemon: a phone says that it rings, and what is counted outlives the process.
#[test]
fn a_real_call_tells_when_it_rang_and_is_counted_after_a_restart() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import(&[("c1", &[number::slow(1)]), ("c2", &[number::busy(2)])]);
    stage.sign_in(&["a1"]);
    stage.until("both were called", || stage.results().iter().filter(|call| call.ended_at.is_some()).count() >= 2);
    let text = stage.cli(&["results", "show", CAMPAIGN, "c1", "--format", "json"]);
    let detail: Value = serde_json::from_str(&text).unwrap();
    let call = &detail["attempts"][0];
    let at = |name: &str| call[name].as_str().unwrap_or_else(|| panic!("{name}: {call:#}")).parse().unwrap();
    let times: [jiff::Timestamp; 5] = ["placedAt", "rangAt", "answeredAt", "connectedAt", "endedAt"].map(at);
    assert!(times.is_sorted(), "{call:#}");
    let rang = times[2].duration_since(times[1]);
    assert!(rang >= jiff::SignedDuration::from_millis(200), "it rang for {rang:?}");
    assert_eq!(call["category"], "mobile");
    let counted =
        || -> Value { serde_json::from_str(&stage.cli(&["statistics", CAMPAIGN, "--format", "json"])).unwrap() };
    let before = counted();
    assert_eq!((&before["attempts"]["connected"], &before["connectedContacts"]), (&1.into(), &1.into()), "{before:#}");
    daemon.stop();
    let daemon = stage.run();
    for counts in ["attempts", "byResult", "byDay", "byHour", "byAgent", "contacts"] {
        assert_eq!(counted()[counts], before[counts], "{counts}");
    }
    let lines = stage.cli(&["results", CAMPAIGN, "--result", "busy", "--format", "json"]);
    assert!(lines.contains("\"c2\"") && !lines.contains(&number::busy(2)), "{lines}");
    daemon.stop();
}
