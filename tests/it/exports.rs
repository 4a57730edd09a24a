//! Exports as people ask for them: over HTTP with the store's twin, and through the binary with real files.

mod asked;
mod files;
mod lasting;
mod page;

use std::{path::Path, process::Command, time::Duration};

use serde_json::Value;

use crate::stage::{CAMPAIGN, Campaign, Stage, daemon::Daemon, number};

/// What nobody but an admin may see whole.
const CANARY: &str = "Canary-Kowalski";
const SECRET: &str = "DE89370400440532013000";
const CARRIED: &str = "crm-4711-anna";

const ATTRIBUTES: &str = r#"
[[attributes]]
id = "surname"
name = "Surname"
type = "string"
masked = true

[[attributes]]
id = "city"
name = "City"
type = "string"

[[attributes]]
id = "score"
name = "Score"
type = "number"

[[attributes]]
id = "born"
name = "Born"
type = "date"

[[attributes]]
id = "account"
name = "Account"
type = "encrypted"
masked = true
"#;

const RESULTS: &str = r#"
[[business_results]]
id = "sold"
name = "Sold"
counts_as_goal = true

[[business_results]]
id = "declined"
name = "Declined"
sub_results = [{ id = "too-dear", name = "Too dear" }]
"#;

/// A stage with attributes of each type and a key for them.
fn stage(agents: &[&str]) -> Stage {
    let stage = Stage::new(agents);
    stage.write_categories();
    stage.repository.write("campaigns/shared/attributes.toml", ATTRIBUTES);
    stage.repository.write("campaigns/shared/business-results.toml", RESULTS);
    stage.commit(&Campaign::default());
    std::fs::write(stage.path("key"), "07".repeat(32)).unwrap();
    stage.settings(|text| {
        text.replace(
            "store = { path = \"dialops.db\" }",
            "store = { path = \"dialops.db\", attribute_key = { file = \"key\" } }",
        )
    });
    stage
}

/// Three customers, of whom a spreadsheet could make much.
fn import(stage: &Stage) {
    let text = format!(
        "customer_id,number.mobile,number.home,attr.surname,attr.city,attr.score,attr.born,attr.account,custom_field\n\
         c1,{},{},{CANARY},\"=HYPERLINK(\"\"http://x\"\")\",-12.5,1990-02-03,{SECRET},{CARRIED}\n\
         c2,{},,{CANARY},\"+1+1, \"\"quoted\"\"\",3,,,\n\
         c3,{},,{CANARY},王伟 @home,,,,@SUM(A1)\n",
        number::busy(1),
        number::vacant(2),
        number::busy(3),
        number::vacant(4),
    );
    let file = stage.path("people.csv");
    std::fs::write(&file, text).unwrap();
    stage.cli(&["contacts", "import", CAMPAIGN, file.to_str().unwrap(), "--batch", "people"]);
}

/// Has them all called.
fn called(stage: &Stage) {
    stage.sign_in(&["a1"]);
    stage.until("all are called", || {
        let results = stage.results();
        results.len() >= 3 && results.iter().all(|attempt| attempt.result.is_some())
    });
}

/// A file as Python reads it: its rows, each with text by column.
fn rows(file: &Path) -> Vec<Value> {
    const READ: &str = r"
import csv, json, sys
import openpyxl
path, kind = sys.argv[1], sys.argv[2]
if kind == 'csv':
    rows = list(csv.DictReader(open(path, newline='', encoding='utf-8'), strict=True))
elif kind == 'jsonl':
    rows = [json.loads(line) for line in open(path, encoding='utf-8')]
else:
    book = openpyxl.load_workbook(path)
    rows = []
    for sheet in book.worksheets[1:]:
        lines = list(sheet.iter_rows(values_only=True))
        rows += [dict(zip(lines[0], line)) for line in lines[1:]]
        assert all(cell.data_type != 'f' for line in sheet.iter_rows() for cell in line), 'a formula'
json.dump(rows, sys.stdout)
";
    serde_json::from_slice(&python(READ, &[file.to_str().unwrap(), ending(file)])).unwrap()
}

fn ending(file: &Path) -> &str {
    file.extension().unwrap().to_str().unwrap()
}

/// What a script prints.
fn python(script: &str, arguments: &[&str]) -> Vec<u8> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let done = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Asks over TCP with somebody's token: status and JSON.
fn ask(stage: &Stage, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, format!("http://{}{path}", stage.http)).bearer_auth(token);
        let answer = if body.is_null() { request.send() } else { request.json(body).send() }.await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&text).unwrap_or_else(|_| String::from_utf8_lossy(&text).into_owned().into()))
    })
}

/// The token of somebody with a role.
fn token(stage: &Stage, person: &str, role: &str) -> String {
    stage.cli(&["people", "set", person, "--role", role]);
    stage.cli(&["people", "token", person]).trim().to_owned()
}

/// Exports by the command line, newest first.
fn listed(stage: &Stage) -> Vec<Value> {
    let lines = stage.cli(&["exports", "list", "--format", "json"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Files in the folder, whole or not.
fn spooled(stage: &Stage) -> Vec<String> {
    let entries = std::fs::read_dir(stage.path("exports")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn audited(stage: &Stage) -> Vec<String> {
    let page: Value =
        serde_json::from_str(&stage.cli(&["audit", "list", "--limit", "1000", "--format", "json"])).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|entry| ["who", "action", "object", "result"].map(|key| text(entry, key)).join(" | ")).collect()
}

fn stop(daemon: Daemon, stage: &Stage) {
    let log = daemon.log();
    for personal in [CANARY, SECRET, CARRIED, &number::busy(1)[1..]] {
        assert!(!log.contains(personal), "{personal} is in the log");
    }
    // It fails if the chain is broken.
    stage.cli(&["audit", "verify"]);
    daemon.stop();
}
