//! How long files last: daemons that are killed, times that run out, customers who are erased, folders that take nothing.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Contacts enough that writing them takes a while.
fn import_many(stage: &Stage, count: u32) {
    let mut text = "customer_id,number.mobile,attr.surname,attr.city\n".to_owned();
    for n in 0..count {
        text.push_str(&format!("m{n:06},+86139{n:08},Kowalski,Gdynia\n"));
    }
    stage.import_file("many.csv", &text);
}

fn view(stage: &Stage, id: u64) -> Value {
    ask(stage, "stage", "GET", &format!("/api/v1/exports/{id}"), &Value::Null).1
}

fn make(stage: &Stage, what: &str, format: &str, more: Value) -> u64 {
    let mut body = serde_json::json!({ "what": what, "campaign": CAMPAIGN, "format": format, "reason": "a test" });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let (status, made) = ask(stage, "stage", "POST", "/api/v1/exports", &body);
    assert_eq!(status, 202, "{made}");
    made["id"].as_u64().unwrap()
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_leaves_nothing_and_begins_anew() {
    const MANY: u32 = 20_000;
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import_many(&stage, MANY);
    // Whatever of another program lies there stays.
    let id = make(&stage, "contacts", "xlsx", Value::Null);
    let waiting: Vec<u64> = (0..3).map(|_| make(&stage, "contacts", "csv", Value::Null)).collect();
    stage.until("rows are written", || view(&stage, id)["rowsDone"].as_u64().unwrap() > 1_000);
    let seen = view(&stage, id);
    assert_eq!((&seen["state"], &seen["rowsOf"]), (&"running".into(), &MANY.into()), "{seen}");
    assert!(waiting.iter().any(|id| view(&stage, *id)["state"] == "waiting"), "two at once, others wait");
    assert_eq!(ask(&stage, "stage", "GET", &format!("/api/v1/exports/{id}/file"), &Value::Null).0, 409);
    daemon.kill();
    let left = spooled(&stage);
    assert!(left.iter().any(|name| name.ends_with(".part")), "{left:?}");
    std::fs::write(stage.path("exports").join("readme.txt"), "not ours").unwrap();

    let daemon = stage.run();
    stage.until("all are done", || listed(&stage).iter().all(|export| export["state"] == "done"));
    let done = view(&stage, id);
    assert_eq!((&done["rows"], &done["rowsDone"]), (&MANY.into(), &MANY.into()), "{done}");
    let names = spooled(&stage);
    assert!(names.len() == 5 && !names.iter().any(|name| name.ends_with(".part")), "{names:?}");
    assert!(daemon.log().contains("was not ended by the daemon's last life"));
    let file = stage.path("many.xlsx");
    stage.cli(&["exports", "download", &id.to_string(), "--output", file.to_str().unwrap()]);
    let rows = rows(&file);
    assert_eq!((rows.len(), &rows[19_999]["customer_id"]), (20_000, &"m019999".into()));
    daemon.stop();
}

#[test]
fn a_file_goes_when_its_time_is_over() {
    let stage = stage(&["a1"]);
    stage.settings_more("[exports]\nlongest = \"1h\"");
    let daemon = stage.run();
    import(&stage);
    let id = make(&stage, "contacts", "csv", serde_json::json!({ "expiresIn": "3s" }));
    let other = make(&stage, "contacts", "csv", Value::Null);
    stage.until("it was there", || ["done", "expired"].contains(&view(&stage, id)["state"].as_str().unwrap()));
    stage.until("it is gone", || view(&stage, id)["state"] == "expired" && spooled(&stage).len() == 1);
    let (status, said) = ask(&stage, "stage", "GET", &format!("/api/v1/exports/{id}/file"), &Value::Null);
    assert!(status == 410 && said["detail"].as_str().unwrap().contains("expired"), "{said}");
    assert_eq!(view(&stage, other)["state"], "done");
    assert!(audited(&stage).contains(&format!("dialops | export.expire | id {id} | done")));
    let body = serde_json::json!({ "what": "contacts", "campaign": CAMPAIGN, "format": "csv", "reason": "r", "expiresIn": "2h" });
    let (status, said) = ask(&stage, "stage", "POST", "/api/v1/exports", &body);
    assert!(status == 422 && said["detail"].as_str().unwrap().contains("longer than 3600 s"), "{said}");
    stop(daemon, &stage);
}

#[test]
fn an_erased_customer_is_in_no_export_any_more() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    let id = make(&stage, "contacts", "csv", serde_json::json!({ "unmasked": true }));
    stage.until("it is done", || view(&stage, id)["state"] == "done");
    let holds = |text: &str| {
        let folder = stage.path("exports");
        spooled(&stage).iter().any(|name| std::fs::read_to_string(folder.join(name)).unwrap().contains(text))
    };
    assert!(holds(SECRET) && holds(&number::busy(1)));
    stage.cli(&["contacts", "erase", "c1"]);
    assert_eq!(spooled(&stage), Vec::<String>::new(), "gone before the erasure is answered");
    let gone = view(&stage, id);
    assert_eq!(gone["state"], "withdrawn");
    assert!(gone["why"].as_str().unwrap().contains("a customer was erased"), "{gone}");
    let (status, said) = ask(&stage, "stage", "GET", &format!("/api/v1/exports/{id}/file"), &Value::Null);
    assert!(status == 410 && said["detail"].as_str().unwrap().contains("erased"), "{said}");
    let anew = make(&stage, "contacts", "csv", serde_json::json!({ "unmasked": true }));
    stage.until("it is done", || view(&stage, anew)["state"] == "done");
    assert!(!holds(SECRET) && !holds(&number::busy(1)) && holds(&number::busy(3)));
    stop(daemon, &stage);
}

#[test]
fn what_is_being_written_while_somebody_is_erased_is_written_anew() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import_many(&stage, 8_000);
    import(&stage);
    let id = make(&stage, "contacts", "xlsx", serde_json::json!({ "unmasked": true }));
    // c1 comes before all others.
    stage.until("c1 is written", || view(&stage, id)["rowsDone"].as_u64().unwrap() >= 1_000);
    stage.cli(&["contacts", "erase", "c1"]);
    stage.until("it is done", || view(&stage, id)["state"] == "done");
    let file = stage.path("anew.xlsx");
    stage.cli(&["exports", "download", &id.to_string(), "--output", file.to_str().unwrap()]);
    let rows = rows(&file);
    assert_eq!(rows.len(), 8_003);
    let said = serde_json::to_string(&rows).unwrap();
    assert!(!said.contains(SECRET) && !said.contains(&number::busy(1)) && said.contains(&number::busy(3)));
    assert_eq!(spooled(&stage).len(), 1);
    stop(daemon, &stage);
}

#[test]
fn a_job_that_is_cancelled_leaves_nothing_and_others_go_on() {
    let stage = stage(&["a1"]);
    stage.settings_more("[exports]\nat_once = 1");
    let daemon = stage.run();
    import_many(&stage, 8_000);
    let id = make(&stage, "contacts", "xlsx", Value::Null);
    let next = make(&stage, "contacts", "csv", Value::Null);
    let never = make(&stage, "contacts", "csv", Value::Null);
    stage.until("rows are written", || view(&stage, id)["rowsDone"].as_u64().unwrap() > 0);
    assert_eq!(view(&stage, next)["state"], "waiting");
    for id in [never, id] {
        assert_eq!(ask(&stage, "stage", "DELETE", &format!("/api/v1/exports/{id}"), &Value::Null).0, 204);
        let cancelled = view(&stage, id);
        assert_eq!((&cancelled["state"], &cancelled["why"]), (&"cancelled".into(), &"by token".into()));
    }
    stage.until("the next is done", || view(&stage, next)["state"] == "done");
    assert_eq!((spooled(&stage).len(), &view(&stage, next)["rows"]), (1, &8_000.into()));
    stop(daemon, &stage);
}

#[test]
fn a_folder_that_takes_nothing_is_told_in_the_job() {
    let stage = stage(&["a1"]);
    std::fs::write(stage.path("in-the-way"), "a file").unwrap();
    stage.settings_more("[exports]\nfolder = \"in-the-way/exports\"");
    let daemon = stage.run();
    import(&stage);
    let id = make(&stage, "contacts", "csv", Value::Null);
    stage.until("it has failed", || view(&stage, id)["state"] == "failed");
    let why = view(&stage, id)["why"].as_str().unwrap().to_owned();
    assert!(why.contains("in-the-way/exports takes no file: ") && why.contains("directory"), "{why}");
    let (code, said) = stage.cli_fails(&["export", "contacts", CAMPAIGN, "--reason", "x", "--output", "-"]);
    assert!(code == Some(1) && said.contains("is failed: ") && said.contains("takes no file"), "{said}");
    stop(daemon, &stage);
}

/// A disk that is full, for one file only: strace answers in its place.
#[test]
fn a_full_disk_is_told_in_the_job_and_nothing_half_is_left() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    let first = make(&stage, "contacts", "csv", Value::Null);
    stage.until("the first is done", || view(&stage, first)["state"] == "done");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let name = spooled(&stage).pop().unwrap();
    assert_eq!((mode(&stage.path("exports")), mode(&stage.path("exports").join(&name))), (0o700, 0o600));
    daemon.stop();
    let full = stage.path("exports").join(name.replace("-1-1.csv", "-2-1.csv.part"));
    // So that strace knows its path.
    std::fs::write(&full, "").unwrap();
    let full = std::fs::canonicalize(full).unwrap();
    let daemon = stage.run_under(&[
        "strace",
        "-D",
        "-f",
        "-o",
        "/dev/null",
        "-P",
        full.to_str().unwrap(),
        "-e",
        "trace=write",
        "-e",
        "inject=write:error=ENOSPC",
    ]);
    stage.until("what is left over is taken away", || spooled(&stage).len() == 1);
    let id = make(&stage, "contacts", "csv", Value::Null);
    stage.until("it has failed", || view(&stage, id)["state"] == "failed");
    let why = view(&stage, id)["why"].as_str().unwrap().to_owned();
    assert!(why.contains("No space left") && why.contains("free some space"), "{why}");
    assert_eq!(spooled(&stage), [name]);
    daemon.kill();
}
