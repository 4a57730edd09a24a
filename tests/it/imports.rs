//! Files that are imported, through the command: what stands beside them, and what is told before they are sent.

use std::path::Path;

use crate::{
    cli::{Said, busy_world, on_socket},
    served::Served,
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
