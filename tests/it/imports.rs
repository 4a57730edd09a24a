//! Files that are imported, through the command: what stands beside them, and what is told before they are sent.

use std::{io::Write, os::unix::net::UnixStream, path::Path};

use crate::{
    cli::{Said, busy_world, on_socket},
    served::Served,
    stage::{CAMPAIGN, Campaign, Stage},
};

const BAD: &str = "customer_id,number.mobile\nN-1,12\n";
const GOOD: &str = "customer_id,number.mobile\nN-1,13800000001\n";

async fn import(served: &Served, file: &Path, more: &[&str]) -> Said {
    on_socket(served, &[&["contacts", "import", "spring", file.to_str().unwrap()], more].concat()).await
}

#[tokio::test]
async fn each_file_has_rejects_of_its_own_and_none_of_an_earlier_import() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let (csv, jsonl) = (dir.path().join("list.csv"), dir.path().join("list.jsonl"));
    let rejects = |name: &str| std::fs::read_to_string(dir.path().join(name)).ok();
    std::fs::write(&csv, BAD).unwrap();
    std::fs::write(&jsonl, "[1]\n").unwrap();
    for file in [&csv, &jsonl] {
        let said = import(&served, file, &["--batch", "may"]).await;
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(said.err.contains(&format!("{}.rejects.csv", file.display())), "{}", said.err);
    }
    assert!(rejects("list.csv.rejects.csv").unwrap().contains("N-1,12"));
    assert!(rejects("list.jsonl.rejects.csv").unwrap().contains("[1]"));
    // Mended and imported again, it has none; those of the other file are still its own.
    std::fs::write(&csv, GOOD).unwrap();
    assert_eq!(import(&served, &csv, &["--batch", "may"]).await.code, Some(0));
    assert_eq!(rejects("list.csv.rejects.csv"), None);
    assert!(rejects("list.jsonl.rejects.csv").is_some());
}

/// Clients leave `.` and `..` out of paths, escaped or not: what had such an id could not be asked for.
#[tokio::test]
async fn ids_that_no_address_can_hold_are_refused_where_they_come_in() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("list.csv");
    std::fs::write(&file, "customer_id,number.mobile\n.,13800000001\n..,13800000002\n...,13800000003\n").unwrap();
    let said = import(&served, &file, &["--batch", "may"]).await;
    assert_eq!(said.out, "spring, batch may: 3 rows, 1 added, 0 there already, 2 rejected\n");
    let rejects = std::fs::read_to_string(dir.path().join("list.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("2,\"customer_id: may not be `.` or `..`: clients leave these out"), "{rejects}");
    let said = import(&served, &file, &["--batch", ".."]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("\"..\" is no name of a batch: it may not be `.` or `..`"), "{}", said.err);
    let url = "http://dialops/api/v1/campaigns/spring/contacts?batch=..";
    let refused = served.over_socket().post(url).body("customer_id,number.mobile\n").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    for command in
        [&["why", "spring", ".."][..], &["contacts", "delete", "spring", "."], &["batches", "show", "..", "x"]]
    {
        let said = on_socket(&served, command).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{command:?}");
        assert!(said.err.contains("is no id: it may not be `.` or `..`"), "{}", said.err);
    }
    // One that an earlier version took in can still be taken away.
    served.add_contact("..", &["+8613800000009"]).await;
    let erased = on_socket(&served, &["contacts", "erase", ".."]).await;
    assert_eq!(erased.code, Some(0), "{}", erased.err);
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_before() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    for command in [&["contacts", "import", "spring"], &["do-not-call", "import", "objected"]] {
        let said = on_socket(&served, &[&command[..], &[dir.path().to_str().unwrap()]].concat()).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
        assert!(said.err.contains("is a folder, not a file"), "{}", said.err);
    }
    let file = dir.path().join("list.csv");
    std::fs::write(&file, GOOD).unwrap();
    for batch in ["", " may", "a\u{1}b", &"x".repeat(65)] {
        let said = import(&served, &file, &["--batch", batch]).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
        assert!(said.err.contains("is no name of a batch: it must have 1 to 64 printable"), "{}", said.err);
        assert!(!said.err.contains('\u{1}'), "{}", said.err);
    }
}

#[tokio::test]
async fn the_name_of_a_file_steers_no_terminal() {
    let served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x\u{1b}[31m\nred.csv");
    for text in [BAD, "no header\n"] {
        std::fs::write(&file, text).unwrap();
        let said = import(&served, &file, &[]).await;
        assert_eq!(said.code, Some(2));
        assert!(!said.err.contains('\u{1b}') && !said.out.contains('\u{1b}'), "{}", said.err);
        assert!(text != BAD || said.err.contains(r"x\u001b[31m\u000ared.csv.rejects.csv"), "{}", said.err);
    }
    std::fs::remove_file(&file).unwrap();
    for args in [&["contacts", "import", "spring"][..], &["check"]] {
        let said = on_socket(&served, &[args, &[file.to_str().unwrap()]].concat()).await;
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains(r"x\u001b[31m\u000ared.csv") && !said.err.contains('\u{1b}'), "{}", said.err);
    }
}

/// A stage that follows a commit and dials nobody.
fn stage() -> Stage {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage
}

#[test]
fn the_log_has_no_number_of_a_files_name() {
    let stage = stage();
    let daemon = stage.run();
    let file = stage.path("13800000001.csv");
    std::fs::write(&file, GOOD).unwrap();
    let said = stage.cli(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]);
    let batch = said.split(", batch ").nth(1).unwrap().split(':').next().unwrap();
    assert!(batch.starts_with("13800000001-20"), "people see the name itself: {said}");
    stage.cli(&["batches", "pause", CAMPAIGN, batch]);
    let log = daemon.log();
    assert!(log.contains("contacts imported") && log.contains("a batch was paused"), "{log}");
    assert!(log.contains("batch=13800*****1-20") && !log.contains("1380000"), "{log}");
    daemon.stop();
}

#[test]
fn an_import_that_breaks_off_is_logged_without_what_is_personal() {
    let stage = stage();
    let daemon = stage.run();
    let mut client = UnixStream::connect(stage.path("dialops.sock")).unwrap();
    let rows: String = (0..700).map(|row| format!("N-{row},1380000{row:04}\n")).collect();
    let text = format!("customer_id,number.mobile\n{rows}");
    write!(
        client,
        "POST /api/v1/campaigns/{CAMPAIGN}/contacts?batch=13800000001 HTTP/1.1\r\nhost: dialops\r\n\
         content-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n",
        text.len()
    )
    .unwrap();
    stage.until("the first rows are in", || stage.cli(&["batches", "list", CAMPAIGN]).contains(" 500 "));
    drop(client);
    stage.until("it is logged", || daemon.log().contains("an import of contacts broke off"));
    let file = stage.path("headless.csv");
    std::fs::write(&file, "priority,Schmidt,13800000001\n").unwrap();
    stage.cli_fails(&["contacts", "import", CAMPAIGN, file.to_str().unwrap()]);
    stage.until("that one too", || daemon.log().contains("line 1 is no header"));
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("an import of contacts broke off")).unwrap();
    assert!(line.contains(" WARN ") && line.contains("campaign=spring batch=13800****01 rows=500 added=500"), "{line}");
    assert!(!log.contains("1380000") && !log.contains("Schmidt"), "{log}");
    daemon.stop();
}

/// What is in when an import breaks off is dialled like any other contact: the dialling loop hears of it.
#[test]
fn an_import_that_breaks_off_is_known_to_the_dialling_loop() {
    let stage = stage();
    let daemon = stage.run();
    let mut client = UnixStream::connect(stage.path("dialops.sock")).unwrap();
    // The second five hundred are stored within a second of the first, when the loop is not told again yet.
    let rows: String = (0..1_200).map(|row| format!("N-{row},1380000{row:04}\n")).collect();
    let text = format!("customer_id,number.mobile\n{rows}");
    write!(
        client,
        "POST /api/v1/campaigns/{CAMPAIGN}/contacts?batch=half HTTP/1.1\r\nhost: dialops\r\n\
         content-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n",
        text.len()
    )
    .unwrap();
    stage.until("two pieces are in", || stage.cli(&["batches", "list", CAMPAIGN]).contains(" 1000 "));
    drop(client);
    stage.until("all of them are counted", || stage.cli(&["status"]).contains("0/1000"));
    daemon.stop();
}
