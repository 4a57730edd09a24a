//! Files, read by programs that know nothing of dialops.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, process::Command};

use dialops::exports::unguarded;

use super::*;

/// What an export of an attempt has to say, as text, by what the API says of it.
fn expected(attempt: &dialops::http::wire::Attempt, column: &str) -> String {
    let count = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    match column {
        "attempt" => attempt.attempt.clone(),
        "campaign" => attempt.campaign.clone(),
        "customer_id" => attempt.customer.clone(),
        "batch" => "people".to_owned(),
        "number_index" => attempt.number_index.to_string(),
        "category" => if attempt.number_index == 1 { "mobile" } else { "home" }.to_owned(),
        "number" => attempt.number.clone(),
        "caller_number" => attempt.caller_number.clone(),
        "agent" => attempt.agent.clone(),
        "trunk" => attempt.trunk.clone(),
        "placed_at" => attempt.placed_at.clone(),
        "rang_at" => attempt.rang_at.clone().unwrap_or_default(),
        "answered_at" => attempt.answered_at.clone().unwrap_or_default(),
        "connected_at" => attempt.connected_at.clone().unwrap_or_default(),
        "ended_at" => attempt.ended_at.clone().unwrap_or_default(),
        "result" => attempt.result.clone().unwrap_or_default(),
        "fail_code" => attempt.fail_code.clone().unwrap_or_default(),
        "sip_status" => count(attempt.sip_status.map(u64::from)),
        "q850" => count(attempt.q850.map(u64::from)),
        "rule" => attempt.rule.clone().unwrap_or_default(),
        "revision" => attempt.revision.clone(),
        "daemon_version" => attempt.daemon_version.clone(),
        "tzdb_version" => attempt.tzdb_version.clone(),
        "settings_digest" => attempt.settings_digest.clone(),
        "do_not_call_version" => attempt.do_not_call_version.to_string(),
        "overrides" => String::new(),
        "business_result" | "sub_result" | "note" | "business_result_by" | "business_result_at" | "by_default" => {
            String::new()
        }
        "custom_field" => by_customer(&attempt.customer, [CARRIED, "", "@SUM(A1)"]),
        "attr.surname" => CANARY.to_owned(),
        "attr.city" => by_customer(&attempt.customer, ["=HYPERLINK(\"http://x\")", "+1+1, \"quoted\"", "王伟 @home"]),
        "attr.score" => by_customer(&attempt.customer, ["-12.5", "3", ""]),
        "attr.born" => by_customer(&attempt.customer, ["1990-02-03", "", ""]),
        "attr.account" => by_customer(&attempt.customer, [SECRET, "", ""]),
        other => panic!("{other} is no column of attempts"),
    }
}

fn by_customer(customer: &str, values: [&str; 3]) -> String {
    values[customer.trim_start_matches('c').parse::<usize>().unwrap() - 1].to_owned()
}

/// A value as text; what CSV guards is taken away.
fn text(value: &Value, kind: &str) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if kind == "csv" => unguarded(text).to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn export(stage: &Stage, what: &str, file: &str, more: &[&str]) -> (Vec<Value>, String) {
    let path = stage.path(file);
    let format = ending(&path).to_owned();
    let shown = path.to_str().unwrap().to_owned();
    let mut arguments = vec!["export", what, CAMPAIGN, "--format", &format, "--reason", "the quarter's report"];
    arguments.extend(["--output", &shown]);
    arguments.extend(more);
    let (code, _, said) = stage.cli_says(&arguments);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    (rows(&path), said)
}

#[test]
fn each_format_is_read_back_as_it_was_put_in() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    called(&stage);
    let attempts = stage.results();
    let mut columns = Vec::new();
    for kind in ["csv", "jsonl", "xlsx"] {
        let (rows, said) = export(&stage, "attempts", &format!("attempts.{kind}"), &["--unmasked"]);
        assert!(said.contains("holds personal data"), "{said}");
        assert_eq!(rows.len(), attempts.len(), "{kind}");
        for (row, attempt) in rows.iter().zip(&attempts) {
            for (column, value) in row.as_object().unwrap() {
                assert_eq!(text(value, kind), expected(attempt, column), "{kind}: {column} of {}", attempt.attempt);
            }
            if kind != "csv" {
                assert!(row["number_index"].is_u64() || row["number_index"].is_i64(), "{row}");
            }
        }
        columns.push(rows[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    }
    assert!(columns.iter().all(|other| *other == columns[0]), "all formats have the same columns: {columns:?}");

    // As it stands in the file, no cell begins a formula, and numbers are what programs take them for.
    let raw = std::fs::read_to_string(stage.path("attempts.csv")).unwrap();
    assert!(raw.contains(&format!(",{},", number::busy(1))) && raw.contains(",-12.5,"), "{raw}");
    assert!(raw.contains("\"'=HYPERLINK(\"\"http://x\"\")\"") && raw.contains(",'@SUM(A1),"), "{raw}");
    assert!(raw.contains("\"'+1+1, \"\"quoted\"\"\""), "{raw}");

    stage.cli(&["results", "mark", CAMPAIGN, "c1", "declined", "--sub-result", "too-dear", "--note", "=far too dear"]);
    let marked = |rows: &[Value]| -> BTreeMap<String, [String; 4]> {
        let of = |row: &Value| ["business_result", "sub_result", "note", "state"].map(|key| text(&row[key], "csv"));
        rows.iter().map(|row| (row["customer_id"].as_str().unwrap().to_owned(), of(row))).collect()
    };
    for kind in ["csv", "jsonl", "xlsx"] {
        let (rows, _) = export(&stage, "contacts", &format!("contacts.{kind}"), &["--unmasked"]);
        let found = marked(&rows);
        let c1 = ["declined", "too-dear", "=far too dear", "in_progress"].map(str::to_owned);
        assert_eq!((rows.len(), &found["c1"]), (3, &c1), "{kind}");
        assert_eq!(rows[0]["number.mobile"], number::busy(1).as_str());
        assert_eq!(rows[0]["number.home"], number::vacant(2).as_str());
        assert_eq!(text(&rows[1]["number.home"], kind), "");
        assert_eq!((text(&rows[0]["attempts"], kind).as_str(), &rows[0]["last_agent"]), ("2", &"a1".into()));
        assert_eq!(text(&rows[2]["custom_field"], kind), "@SUM(A1)");
    }
    let about = python(
        "import openpyxl, sys, json
book = openpyxl.load_workbook(sys.argv[1])
rows = {a: b for a, b in book.worksheets[0].iter_rows(values_only=True)}
json.dump([book.sheetnames, rows, book.properties.description], sys.stdout)",
        &[stage.path("contacts.xlsx").to_str().unwrap()],
    );
    let about: Value = serde_json::from_slice(&about).unwrap();
    assert_eq!(about[0], serde_json::json!(["about", "contacts"]));
    assert!(about[1]["warning"].as_str().unwrap().contains("personal data"), "{about}");
    assert_eq!((&about[1]["asked_by"], &about[1]["reason"]), (&"uid 0".into(), &"the quarter's report".into()));
    assert!(about[2].as_str().unwrap().contains("personal data") && about[1]["asked_at"].is_string());

    // Filters, and chosen attributes.
    let (rows, _) = export(&stage, "attempts", "busy.jsonl", &["--result", "busy", "--attribute", "city"]);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["result"] == "busy" && row.get("attr.city").is_some()));
    assert!(rows[0].get("attr.surname").is_none());
    let (rows, _) = export(&stage, "contacts", "declined.jsonl", &["--business-result", "declined"]);
    assert_eq!((rows.len(), &rows[0]["customer_id"]), (1, &"c1".into()));
    let (rows, _) = export(&stage, "attempts", "early.jsonl", &["--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(rows.len(), 0);
    let (rows, _) = export(&stage, "contacts", "batch.jsonl", &["--batch", "people"]);
    assert_eq!(rows.len(), 3);
    stop(daemon, &stage);
}

#[test]
fn a_role_sees_what_it_may_and_its_own_exports() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    called(&stage);
    let (sue, max, vera, ann) = (
        token(&stage, "sue", "supervisor"),
        token(&stage, "max", "supervisor"),
        token(&stage, "vera", "viewer"),
        token(&stage, "ann", "admin"),
    );
    let agent = stage.cli(&["agents", "token", "a1"]).trim().to_owned();
    let body = |what: &str, format: &str, unmasked: bool| serde_json::json!({ "what": what, "campaign": CAMPAIGN, "format": format, "reason": "r", "unmasked": unmasked });
    for token in [&vera, &agent] {
        assert_eq!(ask(&stage, token, "POST", "/api/v1/exports", &body("contacts", "csv", false)).0, 403);
        assert_eq!(ask(&stage, token, "GET", "/api/v1/exports", &Value::Null).0, 403);
        assert_eq!(ask(&stage, token, "GET", "/api/v1/exports/1/file", &Value::Null).0, 403);
    }
    let refused = ask(&stage, &sue, "POST", "/api/v1/exports", &body("contacts", "csv", true));
    assert!(refused.0 == 403 && refused.1["detail"].as_str().unwrap().contains("masked only"), "{refused:?}");
    let wait = |token: &str, id: u64| {
        let path = format!("/api/v1/exports/{id}");
        stage.until("it is done", || ask(&stage, token, "GET", &path, &Value::Null).1["state"] == "done");
        ask(&stage, token, "GET", &format!("{path}/file"), &Value::Null)
    };
    for what in ["contacts", "attempts"] {
        for format in ["csv", "jsonl"] {
            let (status, made) = ask(&stage, &sue, "POST", "/api/v1/exports", &body(what, format, false));
            assert_eq!((status, &made["owner"], &made["unmasked"]), (202, &"sue".into(), &false.into()), "{made}");
            let id = made["id"].as_u64().unwrap();
            let (status, file) = wait(&sue, id);
            let file = file.as_str().map_or_else(|| file.to_string(), str::to_owned);
            assert_eq!(status, 200);
            for personal in [CANARY, SECRET, CARRIED, &number::busy(1), &number::vacant(2)] {
                assert!(!file.contains(personal), "{what} as {format}: {personal} in {file}");
            }
            assert!(file.contains("c1") && file.contains("encrypted") && file.contains("Canar"), "{file}");
            assert_eq!(ask(&stage, &max, "GET", &format!("/api/v1/exports/{id}"), &Value::Null).0, 404);
            assert_eq!(ask(&stage, &max, "GET", &format!("/api/v1/exports/{id}/file"), &Value::Null).0, 404);
            assert_eq!(ask(&stage, &max, "DELETE", &format!("/api/v1/exports/{id}"), &Value::Null).0, 404);
        }
    }
    let (_, made) = ask(&stage, &ann, "POST", "/api/v1/exports", &body("contacts", "csv", true));
    let id = made["id"].as_u64().unwrap();
    let (_, file) = wait(&ann, id);
    let file = file.as_str().unwrap();
    for personal in [CANARY, SECRET, CARRIED, &number::busy(1)] {
        assert!(file.contains(personal), "{personal} in {file}");
    }
    let seen =
        |token: &str| ask(&stage, token, "GET", "/api/v1/exports", &Value::Null).1["exports"].as_array().unwrap().len();
    assert_eq!((seen(&sue), seen(&max), seen(&ann)), (4, 0, 5));
    // Who was an admin sees what it asked for as such no more.
    let ann = token(&stage, "ann", "supervisor");
    let (status, said) = ask(&stage, &ann, "GET", &format!("/api/v1/exports/{id}/file"), &Value::Null);
    assert!(status == 403 && !said.to_string().contains(CANARY), "{said}");

    let log = audited(&stage);
    let has = |line: &str| log.iter().any(|entry| entry == line);
    assert!(has("sue | export.ask | id 1: contacts of campaign spring as csv, masked | done"), "{log:#?}");
    assert!(has("sue | export.download | id 1 | done"), "{log:#?}");
    assert!(has("ann | export.ask | id 5: contacts of campaign spring as csv, unmasked | done"), "{log:#?}");
    assert!(has("ann | export.download | id 5 | refused") && has("vera | export.ask |  | denied"), "{log:#?}");
    let downloads = log.iter().filter(|entry| entry.contains("export.download | id 1 | done"));
    assert_eq!(downloads.count(), 1);
    assert!(has("max | export.download | id 1 | refused") && has("vera | export.download | id 1 | denied"), "{log:#?}");
    stop(daemon, &stage);
}

/// The program that Debian has, which is another's than the crate that encrypts.
#[test]
fn who_has_the_key_reads_an_encrypted_export_and_nobody_else() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    let key = |name: &str| {
        let path = stage.path(name);
        let made = Command::new("age-keygen").arg("-o").arg(&path).output().expect("Debian's package age");
        assert!(made.status.success());
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
    };
    let (own, _other) = (key("own.key"), key("other.key"));
    for kind in ["csv", "jsonl", "xlsx"] {
        let sealed = stage.path(&format!("{kind}.age"));
        let shown = sealed.to_str().unwrap();
        stage.cli(&[
            "export",
            "contacts",
            CAMPAIGN,
            "--format",
            kind,
            "--reason",
            "for the auditor",
            "--recipient",
            &own,
            "--unmasked",
            "--output",
            shown,
        ]);
        let bytes = std::fs::read(&sealed).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
        let clear = stage.path(&format!("clear.{kind}"));
        let decrypt = |key: &str| {
            let mut command = Command::new("age");
            command.arg("-d").arg("-i").arg(stage.path(key)).arg("-o").arg(&clear).arg(&sealed);
            command.output().unwrap().status.success()
        };
        assert!(!decrypt("other.key"));
        assert!(decrypt("own.key"));
        let rows = rows(&clear);
        assert_eq!((rows.len(), &rows[0]["attr.account"]), (3, &SECRET.into()));
    }
    for name in spooled(&stage) {
        let bytes = std::fs::read(stage.path("exports").join(&name)).unwrap();
        assert!(name.ends_with(".age") && !bytes.windows(SECRET.len()).any(|found| found == SECRET.as_bytes()));
    }
    assert_eq!(listed(&stage)[0]["fileName"], "personal-data-spring-contacts-3.xlsx.age");
    let (code, said) = stage.cli_fails(&[
        "export",
        "contacts",
        CAMPAIGN,
        "--reason",
        "x",
        "--recipient",
        "age1nobody",
        "--output",
        "x.csv",
    ]);
    assert!(code == Some(2) && said.contains("no recipient of age"), "{said}");
    assert_eq!(listed(&stage).len(), 3, "nothing was begun");
    stop(daemon, &stage);
}

#[test]
fn the_command_line_overwrites_nothing_and_downloads_again() {
    let stage = stage(&["a1"]);
    let daemon = stage.run();
    import(&stage);
    let there = stage.path("there.csv");
    std::fs::write(&there, "precious").unwrap();
    let shown = there.to_str().unwrap();
    let (code, said) = stage.cli_fails(&["export", "contacts", CAMPAIGN, "--reason", "x", "--output", shown]);
    assert!(code == Some(2) && said.contains("is there already"), "{said}");
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "precious");
    assert_eq!(listed(&stage).len(), 0, "and nothing was asked for");
    let (code, out, said) = stage.cli_says(&["export", "contacts", CAMPAIGN, "--reason", "x", "--output", "-"]);
    assert!(code == Some(0) && out.lines().count() == 4 && said.contains("personal data"), "{out}{said}");
    let again = stage.path("again.csv");
    stage.cli(&["exports", "download", "1", "--output", again.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&again).unwrap(), out);
    let (code, said) = stage.cli_fails(&["exports", "download", "1", "--output", again.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("is there already"), "{said}");
    let table = stage.cli(&["exports", "list"]);
    assert!(table.contains("contacts of spring") && table.contains("done") && table.contains("masked"), "{table}");
    assert_eq!((spooled(&stage).len(), &listed(&stage)[0]["downloads"]), (1, &2.into()));
    stage.cli(&["exports", "delete", "1"]);
    assert_eq!((spooled(&stage), &listed(&stage)[0]["state"]), (vec![], &"deleted".into()));
    let (_, said) = stage.cli_fails(&["exports", "download", "1", "--output", "-"]);
    assert!(said.contains("export 1 is deleted: by uid 0"), "{said}");
    let (_, said) = stage.cli_fails(&["exports", "delete", "1"]);
    assert!(said.contains("deleted already"), "{said}");
    let log = audited(&stage);
    assert!(log.contains(&"uid 0 | export.delete | id 1 | done".to_owned()), "{log:#?}");
    stop(daemon, &stage);
}
