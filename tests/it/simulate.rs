//! `dialops simulate`: every worked case, and made-up worlds, through the command itself.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    config_fixtures::{files, write},
    worked_cases,
};

fn simulate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    command.arg("simulate").args(args).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn play(case: &Path, format: &str) -> Output {
    let shared = worked_cases::folder().join("shared");
    simulate(&["--case", case.to_str().unwrap(), "--shared", shared.to_str().unwrap(), "--format", format])
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_case_is_called_as_expected() {
    let mut wrong = Vec::new();
    let all = worked_cases::all();
    for path in &all {
        let name = path.file_name().unwrap().to_str().unwrap();
        let output = play(path, "text");
        if output.status.code() != Some(0) {
            wrong.push(format!("{name} ended with {:?}:\n{}", output.status.code(), told(&output)));
        }
    }
    assert!(all.len() > 60, "the cases were not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_case_in_json_tells_every_attempt_and_hold() {
    let output = play(&worked_cases::folder().join("36-special-days-last-match-wins"), "json");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &told["attempts"][0];
    assert_eq!(first["at"], "2031-03-07T17:00:00+08:00");
    assert_eq!(first["number"], "+8613800000001", "simulated numbers are shown in full");
    assert_eq!((first["rule"].as_str(), first["category"].as_str()), (Some("fresh"), Some("mobile")));
    assert_eq!(told["attempts"][1]["rule"], "retry results.global after no_answer");
    let holds = told["holds"].as_array().unwrap();
    let closed = holds.iter().find(|hold| hold["reason"] == "window_closed").unwrap();
    assert_eq!(closed["from"], "2031-03-07T17:59:59+08:00", "the gate closes a second early");
    assert_eq!(closed["until"], "2031-03-09T10:00:00+08:00");
    assert_eq!(told["as_expected"], true);
}

/// Copies a case and changes one of its files.
fn changed(case: &str, file: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut all = files(&worked_cases::folder().join(case));
    let bytes = all.get_mut(file).unwrap();
    *bytes = change(std::str::from_utf8(bytes).unwrap()).into_bytes();
    write(folder.path(), &all);
    folder
}

#[test]
fn what_differs_is_shown_side_by_side() {
    let case = "01-sequence-three-numbers";
    let folder = changed(case, "expected.csv", |text| {
        let late = text.replace("09:10:50+08:00", "09:10:40+08:00").replace("09:00:05", "09:00:35");
        late + "2031-03-03T09:30:00+08:00,Y,+8613800000009,busy\n"
    });
    let output = play(folder.path(), "text");
    assert_eq!(output.status.code(), Some(2));
    let text = told(&output);
    assert!(text.contains("2 not as expected:"), "{text}");
    assert!(text.contains("busy  (10.000 s late)") && text.contains("- 2031-03-03T09:30:00+08:00  Y"), "{text}");
    let tolerant = changed(case, "expected.csv", |text| {
        let rows = text.replace("09:10:50+08:00", "09:10:45+08:00").replace("2031-03-03T09:00:00+08:00,", ",");
        rows.lines()
            .map(|row| if row.starts_with("at") { format!("{row},tolerance_s\n") } else { format!("{row},5\n") })
            .collect()
    });
    assert_eq!(play(tolerant.path(), "text").status.code(), Some(0));
}

#[test]
fn a_call_without_a_row_fails_the_case() {
    let folder = changed("01-sequence-three-numbers", "script.csv", |text| {
        text.lines().filter(|row| !row.starts_with("+862885550001,2")).map(|row| format!("{row}\n")).collect()
    });
    let output = play(folder.path(), "text");
    assert_eq!(output.status.code(), Some(1));
    let text = told(&output);
    assert!(text.contains("no row for call 2 to +862885550001, which was placed at 2031-03-03T01:10:50Z"), "{text}");
    let unknown = changed("01-sequence-three-numbers", "world.toml", |text| text.replace("id = \"a1\"", "id = \"a9\""));
    assert!(told(&play(unknown.path(), "text")).contains("world.toml: agents: no agent \"a9\""));
    assert_eq!(simulate(&["--case", "x"]).status.code(), Some(64));
}

/// Simulates the example campaign of this repository in a world.
fn example(world: &Path, more: &[&str]) -> Output {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut args = vec![root, "spring-offer", "--world", world.to_str().unwrap()];
    args.extend(more);
    simulate(&args)
}

#[test]
fn the_example_meets_what_is_expected_of_it() {
    let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/sim.toml");
    let text = example(&world, &[]);
    assert_eq!(text.status.code(), Some(0), "{}", told(&text));
    for part in ["finished 2026-03-", " abandoned", "window_closed", "DAY ", "(met)"] {
        assert!(told(&text).contains(part), "{part}: {}", told(&text));
    }
    let json = example(&world, &["--format", "json"]);
    assert_eq!(json.stdout, example(&world, &["--format", "json"]).stdout, "same seed, same bytes");
    assert_ne!(json.stdout, example(&world, &["--format", "json", "--seed", "2"]).stdout);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let by_hour: u64 =
        report["timeline"].as_array().unwrap().iter().map(|hour| hour["attempts"].as_u64().unwrap()).sum();
    assert_eq!(report["attempts"], by_hour);
    assert_eq!(report["campaigns"][0]["contacts"]["open"], 0);
    assert_eq!(report["abandoned"], 0);
    let svg = told(&example(&world, &["--format", "svg"]));
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
}

#[test]
fn what_is_expected_and_does_not_come_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("sim.toml");
    fs::write(&world, "[contacts]\ncount = 20\n[expect]\nmin_answers = 21\nmin_utilisation = \"99%\"\n").unwrap();
    let output = example(&world, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("(NOT MET)"), "{}", told(&output));
    fs::write(&world, "[calls]\nanswer_rat = \"20%\"\n").unwrap();
    let output = example(&world, &[]);
    assert!(
        output.status.code() == Some(2) && told(&output).contains("did you mean `answer_rate`?"),
        "{}",
        told(&output)
    );
    assert_eq!(simulate(&[env!("CARGO_MANIFEST_DIR"), "summer-offer"]).status.code(), Some(2));
}

#[test]
fn contacts_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (world, contacts) = (folder.path().join("sim.toml"), folder.path().join("customers.csv"));
    fs::write(&world, "[calls]\nanswer_rate = \"100%\"\n").unwrap();
    let rows = "customer_id,number.mobile,attr.tier\nc1,13800000001,gold\nc2,nonsense,gold\nc3,13800000003,gold\n";
    fs::write(&contacts, rows).unwrap();
    let output = example(&world, &["--contacts", contacts.to_str().unwrap(), "--format", "json"]);
    assert!(told(&output).contains("1 row left out; the first is line 3"), "{}", told(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["campaigns"][0]["contacts"]["ended"]["reached"], 2);
}
