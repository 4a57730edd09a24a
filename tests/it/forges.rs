//! Commit statuses at servers that take what GitHub and GitLab take, and refuse what these refuse.
//!
//! What each does is from their references: docs.github.com/rest/commits/statuses, and
//! docs.gitlab.com/api/commits.html#set-commit-pipeline-status.

use serde_json::{Value, json};

use crate::{
    receiver::{Manner, Receiver, Request},
    stage::{Stage, daemon::Daemon},
    telling::{TOKEN, commit, counted, with_status_at},
};

/// The commit that a path is of, if it is the path of a status there.
fn sha<'r>(request: &'r Request, before: &str) -> Option<&'r str> {
    let sha = request.path.strip_prefix(before)?;
    (request.method == "POST" && sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(sha)
}

fn refused(status: u16, message: &str) -> (u16, String) {
    (status, json!({ "message": message }).to_string())
}

fn text<'v>(body: &'v Value, key: &str) -> &'v str {
    body[key].as_str().unwrap_or_default()
}

const GITHUB: &str = "/repos/acme/dialling/statuses/";

fn github(_: &[(Request, u16)], request: &Request) -> (u16, String) {
    let body = request.json();
    let [state, description] = ["state", "description"].map(|key| text(&body, key));
    if request.header("user-agent").is_empty() {
        return refused(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent",
        );
    }
    if request.header("authorization") != format!("Bearer {TOKEN}") {
        return refused(401, "Bad credentials");
    }
    if sha(request, GITHUB).is_none() {
        return refused(404, "Not Found");
    }
    let known = ["error", "failure", "pending", "success"].contains(&state);
    if !known || description.chars().count() > 140 || !text(&body, "target_url").starts_with("https://") {
        return refused(422, "Validation Failed");
    }
    (201, json!({ "state": state, "context": body["context"] }).to_string())
}

/// The slash of a project is written as `%2F` there.
const GITLAB: &str = "/projects/acme%2Fteams%2Fdialling/statuses/";

fn gitlab(before: &[(Request, u16)], request: &Request) -> (u16, String) {
    let body = request.json();
    let [state, name] = ["state", "name"].map(|key| text(&body, key));
    if request.header("private-token") != TOKEN {
        return refused(401, "401 Unauthorized");
    }
    let Some(sha) = sha(request, GITLAB) else { return refused(404, "404 Project Not Found") };
    let known = ["pending", "running", "success", "failed", "canceled", "skipped"].contains(&state);
    if !known || text(&body, "description").chars().count() > 255 || name.is_empty() {
        return refused(400, "state does not have a valid value");
    }
    // One that has ended stays as it ended, and another is made; one that has not can't begin again.
    let taken = before.iter().filter(|(other, status)| *status == 201 && other.path.ends_with(sha));
    let last = taken.map(|(other, _)| other.json()).rfind(|other| text(other, "name") == name);
    if state == "pending" && last.is_some_and(|last| text(&last, "state") == "pending") {
        let why = r#"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")"#;
        return refused(400, why);
    }
    (201, json!({ "status": state, "name": name }).to_string())
}

/// States that a commit has at the server, oldest first, and descriptions.
fn states(receiver: &Receiver, commit: &str) -> Vec<(String, String)> {
    let taken =
        receiver.judged().into_iter().filter(|(request, status)| *status == 201 && request.path.ends_with(commit));
    let both = |body: Value| (text(&body, "state").to_owned(), text(&body, "description").to_owned());
    taken.map(|(request, _)| both(request.json())).collect()
}

fn ends_as(receiver: &Receiver, commit: &str, state: &str) -> bool {
    states(receiver, commit).last().is_some_and(|(last, _)| last == state)
}

/// A commit comes into force, one is refused, one waits and makes way, and a restart says nothing that was said.
fn lives_of_commits(stage: &Stage, receiver: &Receiver, names: [&str; 2]) {
    let [failure, superseded] = names;
    let first = commit(stage, "running");
    let daemon = stage.run();
    stage.until("it is a success", || ends_as(receiver, &first, "success"));
    let bad = commit(stage, "runing");
    stage.until("it is a failure", || ends_as(receiver, &bad, failure));
    let (_, description) = states(receiver, &bad).pop().unwrap();
    assert!(description.starts_with("campaigns/spring.toml:4:9: `state` cannot be \"runing\""), "{description}");

    std::fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    let empty = stage.repository.commit("nothing").to_string();
    stage.until("it waits", || ends_as(receiver, &empty, "pending"));
    // The next life finds it waiting still.
    let before = receiver.judged().len();
    daemon.stop();
    let daemon = stage.start(&[]);
    stage.until("it is looked at again", || daemon.get("/-/healthy").is_some() && receiver.judged().len() > before);
    assert!(ends_as(receiver, &empty, "pending"));
    let last = commit(stage, "paused");
    stage.until("it is a success", || ends_as(receiver, &last, "success"));
    stage.until("the other made way", || ends_as(receiver, &empty, superseded));
    all_taken(stage, receiver, daemon);
}

/// Nothing was refused but what is known there already, and nothing is said to have failed.
fn all_taken(stage: &Stage, receiver: &Receiver, daemon: Daemon) {
    for (request, status) in receiver.judged() {
        let known = status == 400 && text(&request.json(), "state") == "pending";
        assert!(status == 201 || known, "{status}: {request:?}");
        let name = ["context", "name"].into_iter().find_map(|key| request.json()[key].as_str().map(str::to_owned));
        assert_eq!(name.as_deref(), Some("dialops/prod-a"));
    }
    stage.until("all is counted", || counted(&daemon, "commit_status", "sent") > 0);
    assert_eq!((counted(&daemon, "commit_status", "failed"), counted(&daemon, "commit_status", "dropped")), (0, 0));
    assert!(!daemon.log().contains(TOKEN), "{}", daemon.log());
    daemon.stop();
}

#[test]
fn github_is_told_what_it_takes() {
    let receiver = Receiver::new(Manner::Judges(github));
    let rest = "target_url = \"https://dialops.example.net/\"";
    let stage = with_status_at(("github", "acme/dialling"), &receiver.url(""), rest);
    lives_of_commits(&stage, &receiver, ["failure", "error"]);
    let (request, _) = &receiver.judged()[0];
    assert_eq!(request.header("accept"), "application/vnd.github+json");
    assert_eq!(request.header("x-github-api-version"), "2022-11-28");
}

#[test]
fn gitlab_is_told_what_it_takes() {
    let receiver = Receiver::new(Manner::Judges(gitlab));
    let stage = with_status_at(("gitlab", "acme/teams/dialling"), &receiver.url(""), "");
    lives_of_commits(&stage, &receiver, ["failed", "canceled"]);
    let known = receiver.judged().iter().any(|(_, status)| *status == 400);
    assert!(known, "the next life says again that a commit waits");
}

#[test]
fn a_token_that_may_not_and_a_project_that_is_not_there_are_told() {
    for (provider, judge) in
        [("github", github as fn(&[(Request, u16)], &Request) -> (u16, String)), ("gitlab", gitlab)]
    {
        let receiver = Receiver::new(Manner::Judges(judge));
        let rest = "target_url = \"https://dialops.example.net/\"";
        let stage = with_status_at((provider, "acme/elsewhere"), &receiver.url(""), rest);
        commit(&stage, "running");
        let daemon = stage.run();
        stage.until("it is refused", || counted(&daemon, "commit_status", "dropped") > 0);
        assert!(daemon.log().contains("Not Found"), "{}", daemon.log());
        std::fs::write(stage.path("status-token"), "other").unwrap();
        let second = commit(&stage, "paused");
        stage.until("it may not", || counted(&daemon, "commit_status", "failed") > 0);
        assert!(daemon.log().contains("it answered 401"), "{}", daemon.log());
        assert!(states(&receiver, &second).is_empty());
        daemon.stop();
    }
}
