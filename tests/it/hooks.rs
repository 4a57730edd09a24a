//! Webhooks into the real daemon. `openssl` makes the signatures, and the branch is looked at hourly, so that
//! whatever comes into force does so because of a call.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use dialops::clock::Clock;
use serde_json::Value;

use crate::stage::{Campaign, Stage, daemon::Daemon, pause};

const SECRET: &str = "It's a Secret to Everybody";

/// What the signed form of GitLab has for a key: 24 bytes in Base64.
const SIGNING_TOKEN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Long enough for a look that should not come.
const IN_VAIN: Duration = Duration::from_millis(700);

/// A stage whose daemon follows the repository as if it were elsewhere.
fn stage(hooks: &str) -> Stage {
    let stage = Stage::new(&["a1"]);
    let local = format!("source = {{ repository = \"{}\", poll = \"1s\" }}", stage.repository.path().display());
    let url = format!("source = {{ url = \"file://{}\", poll = \"1h\" }}", stage.repository.path().display());
    stage.settings(|text| {
        assert!(text.contains(&local));
        format!("{}\n{hooks}", text.replace(&local, &url))
    });
    std::fs::write(stage.path("secret"), format!("{SECRET}\n")).unwrap();
    std::fs::write(stage.path("whsec"), SIGNING_TOKEN).unwrap();
    stage.commit(&Campaign::default());
    stage
}

fn hook(id: &str, kind: &str, rest: &str) -> String {
    format!("[[webhooks]]\nid = \"{id}\"\nkind = \"{kind}\"\nsecret = {{ file = \"secret\" }}\n{rest}\n")
}

/// HMAC-SHA256 by `openssl`, of a key in hexadecimal digits.
fn mac(key: &str, text: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}"), "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tag of a text in hexadecimal digits, by `openssl`.
pub(crate) fn signed(text: impl AsRef<[u8]>) -> String {
    hex(&mac(&hex(SECRET.as_bytes()), text.as_ref()))
}

fn base64(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new("base64").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn now() -> i64 {
    Clock::system().now().wall.as_second()
}

/// A call as somebody would send it.
#[derive(Clone)]
struct Call {
    id: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// An answer: its status, its head and its body.
type Answer = (u16, String, String);

fn answer(mut stream: TcpStream) -> Answer {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

fn head(call: &Call, length: usize) -> String {
    let headers: String = call.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let first = format!("POST /hooks/{} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n", call.id);
    format!("{first}Content-Length: {length}\r\n{headers}\r\n")
}

impl Call {
    fn send(&self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(to).unwrap();
        write!(stream, "{}{}", head(self, self.body.len()), self.body).unwrap();
        answer(stream)
    }

    fn without(&self, header: &str) -> Self {
        let headers = self.headers.iter().filter(|(name, _)| *name != header).cloned().collect();
        Self { headers, ..self.clone() }
    }

    fn with(&self, header: &'static str, value: impl Into<String>) -> Self {
        let mut call = self.without(header);
        call.headers.push((header, value.into()));
        call
    }
}

/// The body of a push, as each server has it in part.
fn push(reference: &str, after: &str) -> String {
    format!(r#"{{"ref": "{reference}", "after": "{after}", "repository": {{"name": "dialling"}}}}"#)
}

fn github(event: &str, body: String) -> Call {
    let signature = format!("sha256={}", signed(&body));
    let delivery = format!("delivery of {}", &signature[..16]);
    let headers = vec![
        ("X-GitHub-Event", event.to_owned()),
        ("X-GitHub-Delivery", delivery),
        ("X-Hub-Signature-256", signature),
        ("Content-Type", "application/json".to_owned()),
    ];
    Call { id: "github", headers, body }
}

fn gitea(event: &str, body: String) -> Call {
    let headers = vec![("X-Gitea-Event", event.to_owned()), ("X-Gitea-Signature", signed(&body))];
    Call { id: "gitea", headers, body }
}

fn gitlab(event: &str, body: String) -> Call {
    let key = format!("key of {}", &signed(&body)[..16]);
    let headers =
        vec![("X-Gitlab-Event", event.to_owned()), ("X-Gitlab-Token", SECRET.to_owned()), ("Idempotency-Key", key)];
    Call { id: "gitlab", headers, body }
}

fn gitlab_signed(event: &str, body: String) -> Call {
    let (id, at) = (format!("msg of {}", &signed(&body)[..16]), now());
    let key = base64(&["--decode"], SIGNING_TOKEN.trim_start_matches("whsec_").as_bytes());
    let tag = mac(&hex(&key), format!("{id}.{at}.{body}").as_bytes());
    let signature = String::from_utf8(base64(&["--wrap=0"], &tag)).unwrap();
    let headers = vec![
        ("X-Gitlab-Event", event.to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    Call { id: "gitlab-signed", headers, body }
}

fn generic(body: String) -> Call {
    generic_at(now(), body)
}

fn generic_at(at: i64, body: String) -> Call {
    let signature = format!("t={at},v1={}", signed(format!("{at}.{body}")));
    Call { id: "ours", headers: vec![("X-Dialops-Signature", signature)], body }
}

fn in_force(daemon: &Daemon) -> String {
    let status = daemon.status();
    let revision = status["sources"][0]["lastAppliedRevision"].as_str().unwrap_or_default().to_owned();
    revision.rsplit(':').next().unwrap().to_owned()
}

/// How often the branch was looked at.
fn looks(daemon: &Daemon) -> u64 {
    let samples = daemon.metric("dialops_source_fetches_total{");
    samples.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn counted(daemon: &Daemon, provider: &str, code: &str) -> String {
    let begins = format!("dialops_webhook_requests_total{{code=\"{code}\",provider=\"{provider}\"}}");
    let samples = daemon.metric(&begins);
    samples[0].rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn each_form_brings_a_commit_into_force_and_nothing_else_does() {
    let hooks = [
        hook("github", "github", ""),
        hook("gitea", "gitea", ""),
        hook("gitlab", "gitlab", ""),
        hook("gitlab-signed", "gitlab", "").replace("\"secret\"", "\"whsec\""),
        hook("ours", "generic", ""),
    ];
    let stage = stage(&hooks.concat());
    let daemon = stage.run();
    let unknown = Call { id: "nobody", headers: vec![], body: String::new() };
    let told = unknown.send(stage.http);
    assert_eq!(told.0, 403);

    type Make = fn(&str, String) -> Call;
    let forms: [(Make, &str, &str, &str); 5] = [
        (github, "push", "X-Hub-Signature-256", "issues"),
        (gitea, "push", "X-Gitea-Signature", "issues"),
        (gitlab, "Push Hook", "X-Gitlab-Token", "Issue Hook"),
        (gitlab_signed, "Push Hook", "webhook-signature", "Issue Hook"),
        (|_, body| generic(body), "", "X-Dialops-Signature", ""),
    ];
    for (number, (make, event, signature, other)) in forms.into_iter().enumerate() {
        let state = ["paused", "running"][number % 2];
        let commit = stage.commit(&Campaign { state, ..Campaign::default() }).to_string();
        let call = make(event, push("refs/heads/main", &commit));
        let before = looks(&daemon);

        let mut wrong = vec![call.without(signature), call.with(signature, "sha256=00")];
        // The token of GitLab's older form signs nothing.
        if call.id != "gitlab" {
            wrong.push(Call { body: call.body.replace("dialling", "dialing"), ..call.clone() });
        }
        for wrong in &wrong {
            let answer = wrong.send(stage.http);
            assert_eq!((answer.0, &answer.2), (403, &told.2), "{}: as for one that is unknown", call.id);
        }
        let mut nothing = vec![make(event, push("refs/heads/elsewhere", &commit))];
        if !other.is_empty() {
            nothing.push(make(other, push("refs/heads/main", "another")));
        }
        for call in nothing {
            let answer = call.send(stage.http);
            assert_eq!((answer.0, &*answer.2), (202, r#"{"look":false}"#), "{}: {:?}", call.id, call.headers);
        }
        pause(IN_VAIN);
        assert_eq!(looks(&daemon), before, "{}: nobody was woken", call.id);
        assert_ne!(in_force(&daemon), commit);

        let answer = call.send(stage.http);
        assert_eq!((answer.0, &*answer.2), (202, r#"{"look":true}"#), "{}", call.id);
        stage.until("the commit is in force", || in_force(&daemon) == commit);
        let before = looks(&daemon);
        assert_eq!(call.send(stage.http).0, 409, "{}: it has come before", call.id);
        pause(IN_VAIN);
        assert_eq!(looks(&daemon), before);
    }
    let applied = daemon.metric("dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"webhook\"}");
    assert_eq!(applied, ["dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"webhook\"} 5"]);
    assert_eq!((&*counted(&daemon, "unknown", "403"), &*counted(&daemon, "generic", "403")), ("1", "3"));
    let log = daemon.log();
    assert!(log.contains("webhook github: there is no `X-Hub-Signature-256`"), "{log}");
    assert!(log.contains("nothing is called at /hooks/nobody") && !log.contains(SECRET), "{log}");
    daemon.stop();
}

#[test]
fn what_is_old_large_slow_or_too_much_is_turned_away() {
    let stage = stage(&[hook("ours", "generic", "per_minute = 3"), hook("github", "github", "")].concat());
    let daemon = stage.run();
    let at = now();

    let stalled = TcpStream::connect(stage.http).unwrap();
    write!(&stalled, "{}", head(&generic("{}".to_owned()), 2)).unwrap();

    for far in [-310, 310] {
        assert_eq!(generic_at(at + far, "{}".to_owned()).send(stage.http).0, 403);
    }
    assert!(daemon.log().contains("s before or after this machine's time"), "{}", daemon.log());

    // Only the head is sent: the size is enough.
    let large = generic("x".repeat(1024 * 1024 + 1));
    let mut stream = TcpStream::connect(stage.http).unwrap();
    write!(stream, "{}", head(&large, large.body.len())).unwrap();
    assert_eq!(answer(stream).0, 413);
    // One that does not say how much will come.
    let mut stream = TcpStream::connect(stage.http).unwrap();
    let chunked = head(&large, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    write!(stream, "{chunked}{:x}\r\n", large.body.len()).unwrap();
    // The daemon may have answered before it has all.
    let _cut = stream.write_all(large.body.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write));
    assert_eq!(answer(stream).0, 413);
    let most = github("push", "x".repeat(1024 * 1024));
    assert_eq!(most.send(stage.http).0, 202, "1 MiB is let in");

    for number in 0..3 {
        assert_eq!(generic(number.to_string()).send(stage.http).0, 202);
    }
    let late = generic("3".to_owned());
    let (status, head, _) = late.send(stage.http);
    assert_eq!(status, 429);
    let after = head.split("retry-after: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    assert!((1..=60).contains(&after.parse::<u32>().unwrap()), "{head}");
    assert_eq!(github("push", "{}".to_owned()).send(stage.http).0, 202, "others are taken meanwhile");

    assert_eq!(answer(stalled).0, 408);
    let count = |code| counted(&daemon, "generic", code);
    let counts = ["202", "403", "408", "409", "413", "429"].map(count);
    assert_eq!(counts, ["3", "2", "1", "0", "2", "1"]);
    daemon.stop();
}

#[test]
fn a_ping_wakes_nobody_and_a_rotated_secret_holds_at_once() {
    let stage = stage(&hook("github", "github", ""));
    let daemon = stage.run();
    let before = looks(&daemon);
    let (status, _, body) = github("ping", r#"{"zen": "Keep it logically awesome."}"#.to_owned()).send(stage.http);
    assert_eq!((status, &*body), (202, r#"{"look":false}"#));
    pause(IN_VAIN);
    assert_eq!(looks(&daemon), before);

    let old = github("push", push("refs/heads/main", "1"));
    std::fs::write(stage.path("secret"), "another").unwrap();
    assert_eq!(old.send(stage.http).0, 403);
    std::fs::remove_file(stage.path("secret")).unwrap();
    assert_eq!(old.send(stage.http).0, 403);
    assert!(daemon.log().contains("its secret can't be read"), "{}", daemon.log());
    std::fs::write(stage.path("secret"), SECRET).unwrap();
    assert_eq!(old.send(stage.http).0, 202);
    // A server sends a call again under the same id, changed or not.
    let again = github("push", push("refs/heads/main", "2"));
    let id = old.headers.iter().find(|(name, _)| *name == "X-GitHub-Delivery").unwrap().1.clone();
    assert_eq!(again.with("X-GitHub-Delivery", id).send(stage.http).0, 409);
    assert_eq!(again.send(stage.http).0, 202);
    daemon.stop();
}

#[test]
fn a_flood_is_one_look_at_a_time() {
    let stage = stage(&hook("ours", "generic", "per_minute = 6000"));
    let daemon = stage.run();
    let before = looks(&daemon);
    let started = stage.now();
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let to = stage.http;
            std::thread::spawn(move || (0..50).map(|n| generic(format!("{sender} {n}")).send(to).0).collect::<Vec<_>>())
        })
        .collect();
    let answers: Vec<u16> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    assert!(answers.iter().all(|status| matches!(status, 202 | 429)), "{answers:?}");
    let taken = answers.iter().filter(|status| **status == 202).count();
    assert!(taken > 100, "{answers:?}");
    eprintln!("{taken} calls in {:?}: {} looks", stage.now() - started, looks(&daemon) - before);
    let commit = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    assert_eq!(generic(push("refs/heads/main", &commit)).send(stage.http).0, 202);
    stage.until("the newest commit is in force", || in_force(&daemon) == commit);
    let status: Value = daemon.status();
    assert_eq!(status["sources"][0]["conditions"][0]["status"], "True");
    daemon.stop();
}

#[test]
fn a_request_is_answered_once_it_was_handled_or_at_once() {
    let stage = stage("");
    let daemon = stage.run();
    let commit = stage.commit(&Campaign { state: "paused", ..Campaign::default() }).to_string();
    stage.cli(&["reconcile", "--wait"]);
    assert_eq!(in_force(&daemon), commit, "the very next look has it");
    stage.commit(&Campaign { state: "runing", ..Campaign::default() });
    let asked = stage.cli(&["reconcile", "--wait=false", "--format", "json"]);
    let token = serde_json::from_str::<Value>(&asked).unwrap()["token"].clone();
    stage.until("it was handled", || daemon.status()["sources"][0]["lastHandledReconcileAt"] == token);
    assert_eq!(stage.cli_fails(&["reconcile"]).0, Some(2));
    daemon.stop();
}
