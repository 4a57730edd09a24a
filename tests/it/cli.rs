//! The command itself, against a served world.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use dialops::domain::results::CallResult;
use serde_json::Value;

use crate::served::{Served, TOKEN};

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    command.args(args).stdin(Stdio::null()).env_remove("DIALOPS_SOCKET").env_remove("DIALOPS_TOKEN");
    command
}

async fn run(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || command.output().unwrap().into()).await.unwrap()
}

pub(crate) async fn on_socket(served: &Served, args: &[&str]) -> Said {
    let mut command = command(args);
    command.arg("--socket").arg(&served.socket);
    run(command).await
}

pub(crate) async fn busy_world() -> Served {
    let mut served = Served::start().await;
    served.apply().await;
    served.add_contact("C-1", &["+8613800000001", "+8613800000002"]).await;
    served.add_contact("C-2", &["+8613800000003"]).await;
    served.call(CallResult::Busy).await;
    served.call(CallResult::NoAnswer).await;
    served.call(CallResult::Answered).await;
    served
}

#[tokio::test]
async fn status_reads_well_and_as_json() {
    let served = busy_world().await;
    let text = on_socket(&served, &["status"]).await;
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    let expected = [
        "test  dialops 0.0.0, up since 2031-03-01 02:00:00 UTC",
        "source     main of /srv/calls",
        "in force   0123456789ab spring: start (Li Wei, 2031-03-01 01:00:00 UTC)",
        "Ready      True Applied: 6 files, 1 campaign",
        "",
        "CAMPAIGN  PHASE    DONE  LIVE  RESULTS SINCE START  WAITING",
        "spring    running  1/3   1     busy 2               no agent idle",
        "",
        "agents 1: 1 talking",
        "live calls 1, agents held 0",
    ];
    assert_eq!(text.out.lines().collect::<Vec<_>>(), expected);
    let json = on_socket(&served, &["status", "--format", "json"]).await.json();
    assert_eq!(json["campaigns"]["list"][0]["id"], "spring");
    assert_eq!(json["agents"]["list"][0]["id"], "anna");
}

#[tokio::test]
async fn results_are_data_on_stdout() {
    let served = busy_world().await;
    let text = on_socket(&served, &["results", "spring"]).await;
    let expected = [
        "ATTEMPT  PLACED AT             CUSTOMER  NUMBER          RESULT     TALK  AGENT  BUSINESS  SIP  Q.850",
        "a1-1     2031-03-01T02:00:00Z  C-1       +8613*******01  busy       -     anna   -         486  17",
        "a1-2     2031-03-01T02:00:20Z  C-1       +8613*******02  no_answer  -     anna   -         -    -",
        "a1-3     2031-03-01T02:00:40Z  C-2       +8613*******03  answered   20 s  anna   -         -    -",
    ];
    assert_eq!(text.out.lines().collect::<Vec<_>>(), expected);
    let lines = on_socket(&served, &["results", "spring", "--format", "json", "--after", "a1-1"]).await.out;
    let results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results.len(), 2);
    assert_eq!(results[1]["result"], "answered");
    assert_eq!(results[1]["revision"], crate::served::COMMIT);
    let unknown = on_socket(&served, &["results", "sprung"]).await;
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert!(unknown.err.starts_with("error: no campaign \"sprung\"\n hint: `dialops status`"), "{}", unknown.err);
    assert_eq!(on_socket(&served, &["results", "Spring!"]).await.code, Some(2));
}

#[tokio::test]
async fn why_explains_a_contact() {
    let mut served = busy_world().await;
    let open = on_socket(&served, &["why", "spring", "C-1"]).await;
    let expected = [
        "spring · C-1: open, 2 calls placed, priority 3",
        "  times in Asia/Shanghai",
        "",
        "  NUMBER             CATEGORY  LAST RESULT  NEXT TRY",
        "  1. +8613800000001  mobile    busy         from 2031-03-01 10:30:20",
        "  2. +8613800000002  mobile    no_answer    from 2031-03-01 10:30:40",
        "",
        "  PLACED AT            NUMBER          RESULT     RANG  TALK  AGENT  RULE  COMMIT        SIGNALLED",
        "  2031-03-01 10:00:00  +8613800000001  busy       20 s  -     anna   -     0123456789ab  SIP 486, Q.850 17",
        "  2031-03-01 10:00:20  +8613800000002  no_answer  20 s  -     anna   -     0123456789ab  -",
        "",
        "  next  a retry of number 1 (+8613800000001), due 2031-03-01 10:30:20",
        "  held  not due until 2031-03-01 10:30:20, the retry interval after busy [not_due]",
        "  campaign is running (its file says running), waiting: no agent idle [no_agent_idle]",
    ];
    assert_eq!(open.out.lines().collect::<Vec<_>>(), expected);
    let ended = on_socket(&served, &["why", "spring", "C-2"]).await.out;
    assert!(ended.contains("C-2: ended as reached, 1 call placed, priority 3"), "{ended}");
    assert!(ended.contains("never: reached"), "{ended}");
    assert!(ended.ends_with("  next  nothing: the contact has ended\n"), "{ended}");
    served.add_contact("C-3", &["+8613800000004", "+8613800000005"]).await;
    served.call(CallResult::Busy).await;
    served.call(CallResult::Answered).await;
    let other = on_socket(&served, &["why", "spring", "C-3"]).await.out;
    assert!(other.contains("busy         never: the contact has ended"), "{other}");
    let json = on_socket(&served, &["why", "spring", "C-1", "--format", "json"]).await.json();
    assert_eq!(json["next"]["kind"], "retry");
    let nobody = on_socket(&served, &["why", "spring", "C-9"]).await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("no customer \"C-9\" in campaign \"spring\""), "{}", nobody.err);
}

#[tokio::test]
async fn why_explains_a_campaign() {
    let served = busy_world().await;
    let expected = [
        "spring  春季回访 <b>",
        "  phase     running (its file says running)",
        "  waiting   no agent idle [no_agent_idle]",
        "  defined   by commit 0123456789ab",
        "  contacts  2: 0 not called yet, 1 under way, ended: 1 reached",
        "  attempts  0 live, ended: 1 answered, 1 busy, 1 no_answer",
        "",
        "  of those that have not ended, at 2031-03-01 10:01:00 Asia/Shanghai",
        "  CONTACTS  THEY             THE FIRST FROM       HOLD",
        "  1         are not due yet  2031-03-01 10:30:20  not_due",
    ];
    for args in [&["why", "spring"][..], &["why", "spring", "--counts"]] {
        assert_eq!(on_socket(&served, args).await.out.lines().collect::<Vec<_>>(), expected);
    }
    let json = on_socket(&served, &["why", "spring", "--format", "json"]).await.json();
    let kept = &json["kept"][0];
    assert_eq!((&kept["reason"], &kept["contacts"]), (&"not_due".into(), &1.into()), "{json:#}");
    assert_eq!(kept["until"], "2031-03-01T02:30:20Z");
}

#[tokio::test]
async fn agents_are_listed_and_set() {
    let served = busy_world().await;
    let set = on_socket(&served, &["agents", "set", "anna", "signed_out"]).await;
    assert_eq!((set.code, set.out.as_str(), set.err.as_str()), (Some(0), "", "anna is signed_out\n"));
    let list = on_socket(&served, &["agents", "list"]).await.out;
    assert!(list.ends_with("anna   Anna Schmidt  signed_out  2031-03-01T02:00:00Z  spring\n"), "{list}");
    let unknown = on_socket(&served, &["agents", "set", "bob", "idle"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("no agent \"bob\" in the commit in force"), "{}", unknown.err);
    assert_eq!(on_socket(&served, &["agents", "set", "anna", "talking"]).await.code, Some(64));
}

#[tokio::test]
async fn a_time_that_is_none_is_told_with_an_example() {
    for args in [&["simulate", ".", "spring", "--from", "yesterday"][..], &["check", ".", "--at", "yesterday"]] {
        let said = run(command(args)).await;
        assert_eq!(said.code, Some(64), "{}", said.err);
        assert!(said.err.contains("such as 2031-03-01T09:00:00+08:00"), "{}", said.err);
        assert!(!said.err.contains("parse"), "{}", said.err);
    }
}

async fn import(served: &Served, file: &Path, more: &[&str]) -> Said {
    on_socket(served, &[&["contacts", "import", "spring", file.to_str().unwrap()], more].concat()).await
}

#[tokio::test]
async fn an_import_keeps_good_rows_and_writes_the_others_beside_the_file() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let (file, rejects) = (dir.path().join("new.csv"), dir.path().join("new.csv.rejects.csv"));
    std::fs::write(&file, "customer_id,number.mobile\nN-1,13800000001\n").unwrap();
    let good = import(&served, &file, &["--batch", "may"]).await;
    let said = "spring, batch may: 1 rows, 1 added, 0 there already, 0 rejected\n".to_owned();
    assert_eq!((good.code, good.out.as_str()), (Some(0), said.as_str()));
    assert!(!rejects.exists());
    std::fs::write(&file, "customer_id,number.mobile\nN-1,13800000001\n\"N,2\",12\nN-3,13800000003\n").unwrap();
    let mixed = import(&served, &file, &["--format", "json"]).await;
    assert_eq!(mixed.code, Some(2), "{}", mixed.err);
    assert_eq!((&mixed.json()["added"], &mixed.json()["rejected"]), (&1.into(), &1.into()));
    assert!(mixed.err.contains(&rejects.display().to_string()), "{}", mixed.err);
    let mut written = csv::Reader::from_path(&rejects).unwrap();
    let row = written.records().next().unwrap().unwrap();
    assert_eq!((&row[0], &row[2]), ("3", "\"N,2\",12"));
    assert!(row[1].starts_with("number.mobile: "), "{row:?}");
    std::fs::write(&file, "no header at all\n").unwrap();
    let bad = import(&served, &file, &[]).await;
    assert_eq!((bad.code, bad.out.as_str()), (Some(2), ""), "{}", bad.err);
    std::fs::remove_file(&file).unwrap();
    let missing = import(&served, &file, &[]).await;
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("new.csv can't be read"), "{}", missing.err);
}

/// The daemon knows after the first line, while most of the file is still being sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_without_a_header_is_told_why() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.csv");
    std::fs::write(&file, "C-1;13800000001\n".repeat(500_000)).unwrap();
    let said = import(&served, &file, &[]).await;
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("line 1 is no header"), "{}", said.err);
    let mut refused = command(&["contacts", "import", "spring", file.to_str().unwrap()]);
    refused.args(["--url", &format!("http://{}", served.address)]);
    let refused = run(refused).await;
    assert!(refused.err.contains("this needs a bearer token"), "{}", refused.err);
}

/// Both directions are full at once when every row is bad: neither side may wait for the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_of_bad_rows_comes_through() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.csv");
    let filler = "x".repeat(190);
    let mut rows = String::from("customer_id,number.mobile,custom_field\n");
    (0..30_000).for_each(|row| rows.push_str(&format!("B-{row},12,{filler}\n")));
    std::fs::write(&file, rows).unwrap();
    let said = import(&served, &file, &["--batch", "bad"]).await;
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(2), "spring, batch bad: 30000 rows, 0 added, 0 there already, 30000 rejected\n")
    );
    assert!(said.err.contains("% read, "), "{}", said.err);
    let rejects = std::fs::read_to_string(dir.path().join("bad.csv.rejects.csv")).unwrap();
    assert_eq!(rejects.lines().count(), 30_001);
}

#[tokio::test]
async fn reconcile_ends_with_2_while_the_newest_commit_is_bad() {
    let served = busy_world().await;
    let good = on_socket(&served, &["reconcile"]).await;
    assert_eq!(good.code, Some(0));
    served.source.send_modify(|status| status.sources[0].conditions[0].status = "False".into());
    let bad = on_socket(&served, &["reconcile", "--format", "json"]).await;
    assert_eq!(bad.code, Some(2));
    assert!(bad.json()["sources"][0]["lastHandledReconcileAt"].is_string());
}

#[tokio::test]
async fn the_token_opens_tcp() {
    let served = busy_world().await;
    let url = format!("http://{}", served.address);
    let without = run(command(&["agents", "list", "--url", &url])).await;
    assert_eq!(without.code, Some(1));
    assert!(without.err.contains("this needs a bearer token"), "{}", without.err);
    let mut with = command(&["agents", "list", "--url", &url]);
    with.env("DIALOPS_TOKEN", TOKEN);
    assert_eq!(run(with).await.code, Some(0));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let args = ["--url", &url, "--token-file", file.to_str().unwrap(), "agents", "list", "--format", "json"];
    assert_eq!(run(command(&args)).await.json()["agents"][0]["id"], "anna");
}

#[tokio::test]
async fn the_settings_name_the_socket() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("dialops.toml");
    let text = format!(
        "[source]\nrepository = \"calls\"\nbranch = \"main\"\n[store]\npath = \"dialops.db\"\n[http]\nsocket = {:?}\n",
        served.socket
    );
    std::fs::write(&config, text).unwrap();
    let said = run(command(&["status", "--config", config.to_str().unwrap()])).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    std::fs::write(&config, "[http]\nsockt = 1\n").unwrap();
    let said = run(command(&["status", "--config", config.to_str().unwrap()])).await;
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("dialops.toml has "), "{}", said.err);
}

#[tokio::test]
async fn an_absent_daemon_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("dialops.sock");
    let absent = |path: &Path| {
        let mut command = command(&["status"]);
        command.env("DIALOPS_SOCKET", path);
        run(command)
    };
    let missing = absent(&socket).await;
    assert_eq!((missing.code, missing.out.as_str()), (Some(1), ""));
    let start = format!("error: no daemon answers at {} (No such file or directory", socket.display());
    assert!(missing.err.starts_with(&start) && missing.err.contains("dialops run"), "{}", missing.err);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(absent(&socket).await.err.contains("(Connection refused"));
    let refused = run(command(&["status", "--url", "http://127.0.0.1:1"])).await;
    assert!(refused.err.contains("no daemon answers at http://127.0.0.1:1/"), "{}", refused.err);
}

#[tokio::test]
async fn usage_errors_end_with_64() {
    for args in [&["frobnicate"][..], &["results"], &["status", "--format", "xml"], &[]] {
        let said = run(command(args)).await;
        assert_eq!((said.code, said.out.as_str()), (Some(64), ""), "{args:?}: {}", said.err);
        assert!(said.err.contains("--help"), "{args:?}: {}", said.err);
    }
    let help = run(command(&["--help"])).await;
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(help.out.contains("why"), "{}", help.out);
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    let mut served = busy_world().await;
    for customer in 0..60 {
        served.add_contact(&format!("L-{customer}"), &["+8613800000009"]).await;
        served.call(CallResult::Answered).await;
    }
    let mut command = command(&["results", "spring", "--format", "json"]);
    command.arg("--socket").arg(&served.socket).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    });
    let said = said.await.unwrap();
    assert_eq!((said.status.code(), said.stderr.len()), (Some(0), 0));
}
