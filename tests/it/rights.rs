//! Every route as everybody: who is let in where.

use std::{collections::BTreeSet, path::Path};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{Served, TOKEN};

/// Who asks. Bert is an agent too, and not the one whom paths name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Nobody,
    Viewer,
    Anna,
    Bert,
    Supervisor,
    Admin,
    Token,
    Socket,
}

use Who::{Admin, Anna, Bert, Nobody, Socket, Supervisor, Token, Viewer};

const ALL: [Who; 8] = [Nobody, Viewer, Anna, Bert, Supervisor, Admin, Token, Socket];

const OPEN: &[Who] = &ALL;
const SIGNED_IN: &[Who] = &[Viewer, Anna, Bert, Supervisor, Admin, Token, Socket];
const LOOK: &[Who] = &[Viewer, Supervisor, Admin, Token, Socket];
const LEAD: &[Who] = &[Supervisor, Admin, Token, Socket];
const OWN: &[Who] = &[Anna, Supervisor, Admin, Token, Socket];
const DESK: &[Who] = &[Anna, Bert];
const RULE: &[Who] = &[Admin, Token, Socket];

/// Every route, and who is let in; one that is not here fails the test.
const ROWS: &[(&str, &str, &[Who])] = &[
    ("GET", "/", OPEN),
    ("GET", "/pause", OPEN),
    ("POST", "/pause", OPEN),
    ("POST", "/hooks/{id}", OPEN),
    ("GET", "/-/healthy", OPEN),
    ("GET", "/-/ready", OPEN),
    ("GET", "/metrics", OPEN),
    ("GET", "/api/openapi.json", OPEN),
    ("GET", "/api/v1/status", OPEN),
    ("GET", "/api/v1/generation", OPEN),
    ("GET", "/agent.js", OPEN),
    ("GET", "/pages.js", OPEN),
    ("GET", "/agent", DESK),
    ("GET", "/agent/events", DESK),
    ("GET", "/sign-in", OPEN),
    ("POST", "/sign-in", OPEN),
    ("POST", "/sign-out", SIGNED_IN),
    ("GET", "/api/v1/people", RULE),
    ("PUT", "/api/v1/people/{person}", RULE),
    ("DELETE", "/api/v1/people/{person}", RULE),
    ("PUT", "/api/v1/people/{person}/password", RULE),
    ("POST", "/api/v1/people/{person}/tokens", RULE),
    ("POST", "/api/v1/people/{person}/sign-out", RULE),
    ("GET", "/api/v1/audit", RULE),
    ("GET", "/api/v1/agents", LEAD),
    ("PUT", "/api/v1/agents/{agent}", OWN),
    ("POST", "/api/v1/agents/{agent}/hang-up", OWN),
    ("POST", "/api/v1/agents/{agent}/result", OWN),
    ("GET", "/api/v1/agents/{agent}/questionnaire", OWN),
    ("PUT", "/api/v1/agents/{agent}/questionnaire", OWN),
    ("POST", "/api/v1/agents/{agent}/questionnaire/complete", OWN),
    ("GET", "/api/v1/attempts/{attempt}/questionnaire", LEAD),
    ("PUT", "/api/v1/attempts/{attempt}/questionnaire", LEAD),
    ("POST", "/api/v1/attempts/{attempt}/questionnaire/complete", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/questionnaire/answers", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/questionnaire/counts", LEAD),
    ("GET", "/campaigns", LOOK),
    ("GET", "/campaigns/{campaign}", LOOK),
    ("GET", "/campaigns/{campaign}/contacts", LEAD),
    ("GET", "/campaigns/{campaign}/contacts/{customer}", LEAD),
    ("POST", "/campaigns/{campaign}/contacts/{customer}", OPEN),
    ("GET", "/api/v1/history", LOOK),
    ("GET", "/api/v1/events", LOOK),
    ("GET", "/api/v1/files", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/results", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/statistics", LOOK),
    ("GET", "/api/v1/statistics", LOOK),
    ("GET", "/api/v1/campaigns/{campaign}/tally", LOOK),
    ("GET", "/api/v1/campaigns/{campaign}/batches", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/batches/{batch}", LEAD),
    ("PUT", "/api/v1/campaigns/{campaign}/batches/{batch}", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/why", LOOK),
    ("GET", "/api/v1/campaigns/{campaign}/contacts/{customer}/why", LEAD),
    ("GET", "/api/v1/campaigns/{campaign}/contacts", LEAD),
    ("POST", "/api/v1/campaigns/{campaign}/contacts", RULE),
    ("GET", "/api/v1/campaigns/{campaign}/contacts/{customer}", LEAD),
    ("PATCH", "/api/v1/campaigns/{campaign}/contacts/{customer}", LEAD),
    ("DELETE", "/api/v1/campaigns/{campaign}/contacts/{customer}", RULE),
    ("POST", "/api/v1/campaigns/{campaign}/contacts/{customer}/business-results", LEAD),
    ("POST", "/api/v1/erasures", RULE),
    ("POST", "/api/v1/attributes/rotate-key", RULE),
    ("GET", "/api/v1/do-not-call", LOOK),
    ("GET", "/api/v1/do-not-call/{list}", LEAD),
    ("POST", "/api/v1/do-not-call/{list}", RULE),
    ("POST", "/api/v1/do-not-call/{list}/remove", RULE),
    ("GET", "/exports", LEAD),
    ("POST", "/exports", OPEN),
    ("GET", "/api/v1/exports", LEAD),
    ("POST", "/api/v1/exports", LEAD),
    ("GET", "/api/v1/exports/{id}", LEAD),
    ("DELETE", "/api/v1/exports/{id}", LEAD),
    ("GET", "/api/v1/exports/{id}/file", LEAD),
    ("GET", "/api/v1/deliveries", LEAD),
    ("POST", "/api/v1/deliveries/retry", LEAD),
    ("POST", "/api/v1/deliveries/drop", LEAD),
    ("POST", "/api/v1/plan", LEAD),
    ("GET", "/api/v1/overrides", LOOK),
    ("POST", "/api/v1/overrides", LEAD),
    ("DELETE", "/api/v1/overrides/{id}", LEAD),
    ("POST", "/api/v1/approvals", RULE),
    ("POST", "/api/v1/reconcile", RULE),
];

/// The routes that the source has, read off its table.
fn routes() -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/routes.rs");
    let source = std::fs::read_to_string(path).unwrap();
    let table = &source[source.find("/// What holds no personal data").expect("the table begins")..];
    let text_behind = |text: &str| text.split('"').nth(1).unwrap().to_owned();
    let path_of = |row: &str| {
        if row.trim_start().starts_with('"') {
            return text_behind(row);
        }
        let name = row.split(',').next().unwrap().trim();
        let defined = source.split(&format!("const {name}: &str =")).nth(1).expect("a constant of that name");
        text_behind(defined)
    };
    let rows = table.replace("change(", "show(").replace(" page(", " show(");
    let rows = rows.split("show(").skip(1);
    rows.map(|row| {
        let methods = ["get(", "post(", "put(", "patch(", "delete("];
        let found = methods.iter().filter_map(|method| Some((row.find(method)?, method))).min().expect("a method");
        (found.1.trim_end_matches('(').to_uppercase(), path_of(row))
    })
    .collect()
}

/// Nothing personal, and nothing that would let somebody else in.
fn filled(path: &str) -> String {
    [("campaign", "spring"), ("customer", "c-1"), ("batch", "first"), ("agent", "anna"), ("person", "nobody")]
        .into_iter()
        .chain([("list", "objected"), ("id", "7"), ("attempt", "a1-1")])
        .fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

/// Accounts of each role, and a token for each.
struct People {
    served: Served,
    tokens: Vec<(Who, String)>,
}

impl People {
    async fn new() -> Self {
        let served = Served::start().await;
        served.apply().await;
        served.add_contact("c-1", &["+8613800000001"]).await;
        let mut tokens = vec![(Token, TOKEN.to_owned())];
        for (who, id, role) in [(Viewer, "vera", "viewer"), (Supervisor, "sue", "supervisor"), (Admin, "adam", "admin")]
        {
            let path = format!("/api/v1/people/{id}");
            assert_eq!(command(&served, Method::PUT, &path, json!({ "role": role })).await.0, StatusCode::NO_CONTENT);
            tokens.push((who, issue(&served, id).await));
        }
        for (who, id) in [(Anna, "anna"), (Bert, "bert")] {
            tokens.push((who, issue(&served, id).await));
        }
        Self { served, tokens }
    }

    async fn ask(&self, who: Who, method: &str, path: &str) -> (StatusCode, String) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let direct = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = match who {
            Socket => self.served.over_socket().request(method, format!("http://dialops{path}")),
            Nobody => direct.request(method, self.served.tcp_url(path)),
            _ => {
                let token = &self.tokens.iter().find(|(of, _)| *of == who).unwrap().1;
                reqwest::Client::new().request(method, self.served.tcp_url(path)).bearer_auth(token)
            }
        };
        let response = request.body("x").send().await.unwrap();
        // A browser is shown where to sign in.
        if response.headers().get("location").is_some_and(|place| place.to_str().unwrap().starts_with("/sign-in")) {
            return (StatusCode::UNAUTHORIZED, "sign in".to_owned());
        }
        (response.status(), response.text().await.unwrap())
    }
}

async fn command(served: &Served, method: Method, path: &str, body: Value) -> (StatusCode, String) {
    let request = served.over_socket().request(method, format!("http://dialops{path}")).json(&body);
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

pub(crate) async fn issue(served: &Served, id: &str) -> String {
    let (status, body) = command(served, Method::POST, &format!("/api/v1/people/{id}/tokens"), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let issued: Value = serde_json::from_str(&body).unwrap();
    issued["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_as_everybody() {
    let rows: BTreeSet<(String, String)> =
        ROWS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows, routes(), "each route has its row here, and each row its route");
    let people = People::new().await;
    for (method, path, let_in) in ROWS {
        for who in ALL {
            let (status, body) = people.ask(who, method, &filled(path)).await;
            let turned_away = body.contains("may not do this") || status == StatusCode::UNAUTHORIZED;
            assert_eq!(!turned_away, let_in.contains(&who), "{method} {path} as {who:?}: {status} {body}");
            if turned_away {
                let expected = if who == Nobody { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
                assert_eq!(status, expected, "{method} {path} as {who:?}");
            }
        }
    }
}

/// Whatever a role may ask for: nothing of a customer is in it unless it is there to see customers.
#[tokio::test]
async fn no_other_role_is_told_of_customers() {
    let mut people = People::new().await;
    people.served.call(dialops::domain::results::CallResult::Busy).await;
    const PERSONAL: [&str; 2] = ["13800000001", "c-1"];
    for (method, path, _) in ROWS.iter().filter(|(method, path, _)| *method == "GET" && *path != "/agent/events") {
        for who in [Nobody, Viewer, Anna, Bert] {
            let (status, body) = people.ask(who, method, &filled(path)).await;
            let told = PERSONAL.iter().find(|personal| body.contains(*personal));
            assert_eq!(told, None, "{method} {path} as {who:?}: {status} {body}");
        }
    }
    let (_, seen) = people.ask(Supervisor, "GET", "/api/v1/campaigns/spring/results?unmasked=true").await;
    assert!(PERSONAL.iter().all(|personal| seen.contains(personal)), "who leads sees them: {seen}");
}

#[tokio::test]
async fn only_an_admin_decides_which_commit_is_in_force() {
    let people = People::new().await;
    let pin = json!({ "action": "pin", "revision": "HEAD", "reason": "x", "until": "1h" });
    let token = &people.tokens.iter().find(|(who, _)| *who == Supervisor).unwrap().1;
    let client = reqwest::Client::new();
    let send =
        |body: &Value| client.post(people.served.tcp_url("/api/v1/overrides")).bearer_auth(token).json(body).send();
    assert_eq!(send(&pin).await.unwrap().status(), StatusCode::FORBIDDEN);
    let pause = json!({ "action": "pause", "campaign": "all", "reason": "x", "until": "1h" });
    assert_eq!(send(&pause).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn who_is_no_agent_any_more_is_let_in_no_more() {
    let people = People::new().await;
    assert_eq!(people.ask(Bert, "PUT", "/api/v1/agents/bert").await.0, StatusCode::BAD_REQUEST, "the body is wrong");
    people.served.generation.send_modify(|generation| {
        let mut changed = (**generation.as_ref().unwrap()).clone();
        changed.definitions.agents.clear();
        *generation = Some(std::sync::Arc::new(changed));
    });
    assert_eq!(people.ask(Bert, "PUT", "/api/v1/agents/bert").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_account_or_by_command() {
    let people = People::new().await;
    let look = || people.ask(Viewer, "GET", "/api/v1/history");
    assert_eq!(look().await.0, StatusCode::OK);
    let again = issue(&people.served, "vera").await;
    assert_eq!(command(&people.served, Method::POST, "/api/v1/people/vera/sign-out", json!({})).await.0, 204);
    assert_eq!(look().await.0, StatusCode::UNAUTHORIZED);
    let with =
        |token: &str| reqwest::Client::new().get(people.served.tcp_url("/api/v1/history")).bearer_auth(token).send();
    assert_eq!(with(&again).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let short = issue(&people.served, "vera").await;
    assert_eq!(with(&short).await.unwrap().status(), StatusCode::OK);
    people.served.clock.advance(std::time::Duration::from_secs(12 * 3600));
    assert_eq!(with(&short).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(command(&people.served, Method::DELETE, "/api/v1/people/adam", json!({})).await.0, 204);
    assert_eq!(people.ask(Admin, "GET", "/api/v1/people").await.0, StatusCode::UNAUTHORIZED);
}

/// Signs in as a browser would: the answer.
async fn sign_in(served: &Served, host: &str, name: &str, password: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.post(served.tcp_url("/sign-in")).header("host", host);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(format!("name={name}&password={}", password.replace(' ', "+"))).send().await.unwrap()
}

#[tokio::test]
async fn a_session_is_a_cookie_that_ends_and_guessing_gets_slow() {
    const PASSWORD: &str = "several words are long";
    let people = People::new().await;
    let served = &people.served;
    let short = command(served, Method::PUT, "/api/v1/people/anna/password", json!({ "password": "short" })).await;
    assert!(
        short.0 == StatusCode::BAD_REQUEST && short.1.contains("12 to 200 characters, this one has 5"),
        "{short:?}"
    );
    let given = command(served, Method::PUT, "/api/v1/people/anna/password", json!({ "password": PASSWORD })).await;
    assert_eq!(given.0, StatusCode::NO_CONTENT);

    let entered = sign_in(served, "dialops.example", "anna", PASSWORD).await;
    assert_eq!((entered.status(), &entered.headers()["location"]), (StatusCode::SEE_OTHER, &"/agent".parse().unwrap()));
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-dialops_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();
    let desk = || {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client.get(served.tcp_url("/agent")).header("cookie", &session).send()
    };
    let page = desk().await.unwrap();
    assert_eq!((page.status(), &page.headers()["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert!(page.text().await.unwrap().contains("Anna Schmidt"));
    served.clock.advance(std::time::Duration::from_secs(12 * 3600));
    assert_eq!(desk().await.unwrap().status(), StatusCode::SEE_OTHER, "its time is over");

    // A name without an account is told the same.
    for name in ["anna", "nobody-of-that-name"] {
        for _ in 0..5 {
            let wrong = sign_in(served, "localhost", name, "not the password").await;
            assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
            assert!(wrong.text().await.unwrap().contains("The name or the password is wrong."));
        }
        let slow = sign_in(served, "localhost", name, PASSWORD).await;
        assert_eq!(
            (slow.status(), &slow.headers()["retry-after"]),
            (StatusCode::TOO_MANY_REQUESTS, &2.into()),
            "{name}"
        );
    }
    served.clock.advance(std::time::Duration::from_secs(2));
    let entered = sign_in(served, "localhost", "anna", PASSWORD).await;
    let cookie = entered.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("dialops_session=") && !cookie.contains("Secure"), "{cookie}");
}
