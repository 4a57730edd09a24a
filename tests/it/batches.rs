//! Batches of contacts, through the command.

use std::path::Path;

use crate::{
    cli::{Said, busy_world, on_socket},
    served::Served,
};

async fn import(served: &Served, file: &Path, more: &[&str]) -> Said {
    on_socket(served, &[&["contacts", "import", "spring", file.to_str().unwrap()], more].concat()).await
}

#[tokio::test]
async fn a_file_is_a_batch_that_can_be_listed_paused_and_resumed() {
    let mut served = busy_world().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("may list.csv");
    let rows = "customer_id,number.mobile\nN-1,13800000011\nN-2,12\nN-3,13800000013\n";
    std::fs::write(&file, rows).unwrap();
    let imported = import(&served, &file, &["--format", "json"]).await.json();
    let batch = imported["batch"].as_str().unwrap();
    assert!(batch.starts_with("may-list-20") && batch.len() == "may-list-2031-03-01".len(), "{batch}");
    // The same file again is the same batch and adds nothing.
    let again = import(&served, &file, &[]).await;
    assert_eq!(again.out, format!("spring, batch {batch}: 3 rows, 0 added, 2 there already, 1 rejected\n"));
    let list = on_socket(&served, &["batches", "list", "spring"]).await;
    let lines: Vec<&str> = list.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", list.out);
    assert!(lines[0].starts_with("BATCH") && lines[1].starts_with("first "), "{}", list.out);
    let words: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(words, [batch, "2031-03-01", "02:01", "dialled", "2", "2", "0", "-", "1"]);
    while served.imported.try_recv().is_ok() {}
    let paused = on_socket(&served, &["batches", "pause", "spring", batch]).await;
    assert_eq!((paused.code, paused.err), (Some(0), format!("spring, batch {batch} is paused: 2 contacts\n")));
    assert!(served.imported.try_recv().is_ok(), "the dialling loop is told");
    let show = on_socket(&served, &["batches", "show", "spring", batch, "--format", "json"]).await.json();
    assert_eq!((&show["paused"], &show["fresh"], &show["rejected"]), (&true.into(), &2.into(), &1.into()));
    let why = on_socket(&served, &["why", "spring", "N-1", "--format", "json"]).await.json();
    assert_eq!(why["hold"]["reason"], "batch_paused", "{why}");
    let resumed = on_socket(&served, &["batches", "resume", "spring", batch]).await;
    assert_eq!((resumed.code, resumed.err), (Some(0), format!("spring, batch {batch} is dialled: 2 contacts\n")));
    let why = on_socket(&served, &["why", "spring", "N-1", "--format", "json"]).await.json();
    assert_ne!(why["hold"]["reason"], "batch_paused", "{why}");
    let events = on_socket(&served, &["events", "--campaign", "spring"]).await.out;
    let [paused, resumed] = events.lines().collect::<Vec<_>>()[..] else { panic!("{events}") };
    assert!(paused.contains("batch paused") && paused.contains(" paused batch may-list-"), "{events}");
    assert!(resumed.contains("batch resumed") && resumed.ends_with(" of spring"), "{events}");
    let unknown = on_socket(&served, &["batches", "pause", "spring", "july"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("campaign \"spring\" has no batch \"july\""), "{}", unknown.err);
}
