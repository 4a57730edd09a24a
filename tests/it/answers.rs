//! Answers over the API: who may save them until when, and how they are listed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dialops::{
    domain::{
        campaign::{Campaign, Definitions, Generation, SurveyReference},
        ids::{QuestionId, SurveyId},
        results::CallResult,
        survey::{AnswerKind, Goto, Question, Survey, SurveyState, SurveyType, SurveyVersion},
    },
    store::{Against, CampaignChange, Store},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    rights::issue,
    served::{Served, campaign_id},
};

/// Has the campaign ask one thing.
async fn ask_something(served: &Served) {
    let before = served.generation.borrow().clone().unwrap();
    let id = SurveyId::parse("drive").unwrap();
    let question = Question {
        id: QuestionId::parse("remarks").unwrap(),
        text: "What else?".to_owned(),
        answer: AnswerKind::Text,
        required: true,
        goto: Goto::Next,
    };
    let version = SurveyVersion { state: SurveyState::Published, questions: vec![question] };
    let versions = BTreeMap::from([(3, version)]);
    let survey = Survey { id: id.clone(), name: "Drive".to_owned(), kind: SurveyType::Manual, versions };
    let campaign: &Campaign = &before.definitions.campaigns[&campaign_id()];
    let campaign = Campaign { survey: Some(SurveyReference { id: id.clone(), version: 3 }), ..campaign.clone() };
    let definitions = Definitions {
        surveys: BTreeMap::from([(id, survey)]),
        campaigns: BTreeMap::from([(campaign.id.clone(), Arc::new(campaign))]),
        ..before.definitions.clone()
    };
    let generation = Arc::new(Generation::whole(before.revision.clone(), before.committed_at, definitions));
    let changes = vec![CampaignChange::Put { id: campaign_id(), digest: "d2".into() }];
    served.store.apply(Arc::clone(&generation), changes, Against::Whatever).await.unwrap();
    served.generation.send_replace(Some(generation));
}

async fn send(served: &Served, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, String) {
    let request = reqwest::Client::new().request(method, served.tcp_url(path)).bearer_auth(token).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn world(customers: u32) -> (Served, Vec<String>) {
    let mut served = Served::start().await;
    served.apply().await;
    ask_something(&served).await;
    // Nobody is in a call; those that were are over.
    let mut attempts = Vec::new();
    for serial in 1..=customers {
        served.add_contact(&format!("c-{serial}"), &[&format!("+861380000000{serial}")]).await;
        served.call(CallResult::Answered).await;
        attempts.push(format!("a{}-{serial}", served.store.epoch().0));
    }
    (served, attempts)
}

#[tokio::test]
async fn an_agent_saves_for_a_while_after_the_call_and_nobody_elses() {
    let (served, attempts) = world(1).await;
    let (anna, bert) = (issue(&served, "anna").await, issue(&served, "bert").await);
    let body = |base: u32, text: &str| json!({ "attempt": attempts[0], "base": base, "answers": { "remarks": text } });
    let put = async |token: &str, agent: &str, body: Value| {
        send(&served, token, Method::PUT, &format!("/api/v1/agents/{agent}/questionnaire"), body).await
    };
    let (status, view) = put(&anna, "anna", body(0, "one")).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    assert!(!view.contains("c-1") && !view.contains("customer"), "an agent is not told who it is: {view}");
    let shown = send(&served, &anna, Method::GET, "/api/v1/agents/anna/questionnaire", json!({})).await;
    let shown: Value = serde_json::from_str(&shown.1).unwrap();
    assert_eq!(
        (&shown["answers"]["remarks"], &shown["sequence"], &shown["state"]),
        (&"one".into(), &1.into(), &"partial".into())
    );
    assert_eq!(
        (&shown["survey"], &shown["version"], &shown["path"]),
        (&"drive".into(), &3.into(), &json!(["remarks"]))
    );

    let foreign = put(&bert, "bert", body(1, "not mine")).await;
    assert_eq!(foreign.0, StatusCode::CONFLICT, "{}", foreign.1);
    assert!(foreign.1.contains("no questionnaire to fill in now"), "{}", foreign.1);
    let stale = put(&anna, "anna", body(0, "two")).await;
    assert!(stale.0 == StatusCode::CONFLICT && stale.1.contains("changed meanwhile, by anna"), "{stale:?}");
    for (wrong, said) in [
        (json!({ "base": 1, "answers": { "remarks": 5, "else": "x" } }), "is answered with a text"),
        (json!({ "base": 1, "answers": { "remarks": "x".repeat(2001) } }), "has 2001 characters, and may have 2000"),
    ] {
        let refused = put(&anna, "anna", wrong).await;
        assert!(refused.0 == StatusCode::UNPROCESSABLE_ENTITY && refused.1.contains(said), "{refused:?}");
    }
    assert_eq!(put(&anna, "anna", json!({ "base": 1, "answers": [] })).await.0, StatusCode::BAD_REQUEST);

    served.clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(put(&anna, "anna", body(1, "two")).await.0, StatusCode::OK);
    served.clock.advance(Duration::from_secs(1));
    assert_eq!(put(&anna, "anna", body(2, "three")).await.0, StatusCode::CONFLICT);
    let none = send(&served, &anna, Method::GET, "/api/v1/agents/anna/questionnaire", json!({})).await;
    assert_eq!(none.0, StatusCode::CONFLICT);
    let of_attempt = format!("/api/v1/attempts/{}/questionnaire/complete", attempts[0]);
    let completed = json!({ "base": 2 });
    let token = crate::served::TOKEN;
    let (status, view) = send(&served, token, Method::POST, &of_attempt, completed).await;
    assert_eq!(status, StatusCode::OK, "without answers it is what is stored: {view}");
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(
        (&view["state"], &view["completedBy"], &view["customer"]),
        (&"complete".into(), &"token".into(), &"c-1".into())
    );
    let unknown = send(&served, token, Method::GET, "/api/v1/attempts/a9-9/questionnaire", json!({})).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);

    let page = served.store.clone();
    let entries = dialops::store::audit::Audit::audit_page(&*page, Some(0), 100).await.unwrap();
    let of = |action: &str| {
        entries
            .iter()
            .filter(|entry| entry.action == action)
            .map(|entry| (entry.who.as_str(), entry.result.as_str()))
            .collect::<Vec<_>>()
    };
    let saves = of("questionnaire.save");
    assert_eq!(saves.iter().filter(|(_, result)| *result == "done").count(), 1, "the first of several: {saves:?}");
    assert_eq!(of("questionnaire.complete"), [("token", "done")]);
}

#[tokio::test]
async fn a_list_goes_on_where_it_was_cut() {
    let (served, attempts) = world(3).await;
    let token = crate::served::TOKEN;
    for (attempt, text) in attempts.iter().zip(["one", "two", "three"]) {
        let body = json!({ "base": 0, "answers": { "remarks": text } });
        let path = format!("/api/v1/attempts/{attempt}/questionnaire");
        assert_eq!(send(&served, token, Method::PUT, &path, body).await.0, StatusCode::OK);
    }
    let lines = async |query: &str| -> Vec<Value> {
        let path = format!("/api/v1/campaigns/spring/questionnaire/answers{query}");
        let (status, text) = send(&served, token, Method::GET, &path, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = lines("").await;
    let texts: Vec<&Value> = all.iter().map(|line| &line["answers"]["remarks"]).collect();
    assert_eq!(texts, [&json!("one"), &json!("two"), &json!("three"), &Value::Null]);
    assert_eq!(all[3], json!({ "event": "done", "next": null }));
    let cut = lines("?limit=2").await;
    assert_eq!((cut.len(), &cut[2]["event"]), (3, &"done".into()));
    let rest = lines(&format!("?cursor={}", cut[2]["next"].as_str().unwrap())).await;
    assert_eq!((rest.len(), &rest[0]["answers"]["remarks"]), (2, &"three".into()));
    let nowhere = send(&served, token, Method::GET, "/api/v1/campaigns/nowhere/questionnaire/answers", json!({})).await;
    assert_eq!(nowhere.0, StatusCode::NOT_FOUND);
    let counts = send(&served, token, Method::GET, "/api/v1/campaigns/spring/questionnaire/counts", json!({})).await;
    let counts: Value = serde_json::from_str(&counts.1).unwrap();
    let version = &counts["versions"][0];
    assert_eq!(
        (&version["partial"], &version["questions"][0]["answered"]["partial"]),
        (&3.into(), &3.into()),
        "{counts:#}"
    );
    assert_eq!(version["questions"][0]["answers"], json!([]), "of a text only how many");
}
