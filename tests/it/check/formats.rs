//! The forms for programs: each read back by something that is not ours where there is one.

use std::{fs, path::Path, process::Command as Process};

use serde_json::Value as Json;

use super::{dialops, ended, repository, run};
use crate::config_fixtures::{FIXTURES, files, write};

/// Checks a case in its root, so that paths are as in a repository.
fn check(case: &str, args: &[&str]) -> (i32, String, String) {
    let root = repository(case);
    ended(dialops().current_dir(root.path()).args(["check", "."]).args(args))
}

fn check_json(case: &str, format: &str) -> Json {
    let (exit, out, err) = check(case, &["--format", format]);
    assert_eq!((exit, err.as_str()), (2, ""));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn json_is_one_object_with_every_place() {
    let report = check_json("duplicate-id", "json");
    assert_eq!((&report["version"], &report["files"], &report["errors"]), (&1.into(), &5.into(), &1.into()));
    assert_eq!((&report["warnings"], &report["notes"]), (&0.into(), &0.into()));
    let problem = &report["problems"][0];
    assert_eq!((&problem["code"], &problem["file"]), (&"E0201".into(), &"campaigns/summer.toml".into()));
    assert_eq!((&problem["line"], &problem["column"]), (&1.into(), &6.into()));
    assert_eq!((&problem["end_line"], &problem["end_column"]), (&1.into(), &14.into()));
    assert_eq!(problem["related"][0]["file"], "campaigns/spring.toml");
}

#[test]
fn json_lines_are_the_problems_of_the_object() {
    let report = check_json("many-faults", "json");
    let (_, out, _) = check("many-faults", &["--format", "json-lines"]);
    let lines: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 1);
    assert_eq!(Json::from(lines), report["problems"]);
}

#[test]
fn github_gets_commands_with_what_would_end_them_escaped() {
    let (exit, out, err) = check("duplicate-id", &["--format", "github"]);
    assert_eq!(exit, 2);
    let expected = "::error file=campaigns/summer.toml,line=1,endLine=1,col=6,endColumn=14,title=E0201::\
                    two campaigns have the id \"spring\"%0Ahere: used again%0A";
    assert!(out.starts_with(expected), "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(err.contains("1 error"), "{err}");
    let root = repository("duplicate-id");
    fs::rename(root.path().join("campaigns/summer.toml"), root.path().join("campaigns/z 50%, or:so.toml")).unwrap();
    let (_, out, _) = ended(dialops().current_dir(root.path()).args(["check", ".", "--format", "github"]));
    assert!(out.contains("file=campaigns/z 50%25%2C or%3Aso.toml,line=1"), "{out}");
}

#[test]
fn the_form_suits_the_machine_unless_told_otherwise() {
    let root = repository("duplicate-id");
    let of = |ci: &str, args: &[&str]| {
        let mut program = dialops();
        program.current_dir(root.path()).env(ci, "true").args(["check", "."]).args(args);
        ended(&mut program).1
    };
    assert!(of("GITHUB_ACTIONS", &[]).starts_with("::error "));
    assert!(of("GITLAB_CI", &[]).starts_with("error[E0201]"));
    assert!(of("GITHUB_ACTIONS", &["--format", "text"]).starts_with("error[E0201]"));
}

#[test]
fn a_report_goes_to_its_file_and_the_problems_to_the_log() {
    let root = repository("duplicate-id");
    let (exit, out, err) =
        ended(dialops().current_dir(root.path()).args(["check", ".", "--format", "gitlab", "--output", "report.json"]));
    assert_eq!(exit, 2);
    assert!(out.starts_with("error[E0201]") && err.contains("1 error"), "{out}{err}");
    let report: Json = serde_json::from_str(&fs::read_to_string(root.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report.as_array().unwrap().len(), 1);
    let (exit, _, err) = run(&[".", "--format", "json", "--output", "no/such/folder.json"]);
    assert!(exit == 1 && err.contains("no/such/folder.json"), "{exit} {err}");
}

#[test]
fn gitlab_knows_a_problem_again_wherever_it_moves() {
    let root = repository("many-faults");
    let report = || {
        let (_, out, _) = ended(dialops().current_dir(root.path()).args(["check", ".", "--format", "gitlab"]));
        serde_json::from_str::<Vec<Json>>(&out).unwrap()
    };
    let prints = |report: &[Json]| report.iter().map(|issue| issue["fingerprint"].to_string()).collect::<Vec<_>>();
    let before = report();
    for issue in &before {
        for key in ["description", "check_name", "fingerprint", "severity"] {
            assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{issue:#}");
        }
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        assert!(issue["location"]["path"].as_str().unwrap().starts_with("campaigns/"));
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() > 0);
    }
    let mut unique = prints(&before);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), before.len());
    let file = root.path().join(before.last().unwrap()["location"]["path"].as_str().unwrap());
    fs::write(&file, "# moved\n\n".to_owned() + &fs::read_to_string(&file).unwrap()).unwrap();
    let after = report();
    assert_eq!(prints(&after), prints(&before));
    assert_ne!(after.last().unwrap()["location"], before.last().unwrap()["location"]);
}

/// Python's own reader judges; the names in the files are as hostile as XML allows.
#[test]
fn junit_is_xml_with_a_case_for_each_file() {
    const JUDGE: &str = "
import sys, xml.etree.ElementTree as tree
suites = tree.parse(sys.stdin).getroot()
assert suites.tag == 'testsuites', suites.tag
[suite] = suites
cases = suite.findall('testcase')
assert int(suite.get('tests')) == len(cases)
failed = [case for case in cases if case.find('failure') is not None]
assert int(suite.get('failures')) == len(failed)
for case in failed:
    print(case.get('name'), case.find('failure').get('type'), case.find('failure').get('message'))
print(len(cases))
";
    let root = repository("duplicate-id");
    let campaign = fs::read_to_string(root.path().join("campaigns/spring.toml")).unwrap();
    let strange = campaign.replace("mode = \"preoccupied\"", "mode = \"<&]]>\\u0001\"");
    fs::write(root.path().join("campaigns/<a&\"b>.toml"), strange).unwrap();
    let report = root.path().join("report.xml");
    let args = ["check", ".", "--format", "junit", "--output", "report.xml"];
    assert_eq!(ended(dialops().current_dir(root.path()).args(args)).0, 2);
    let judged = ended(Process::new("python3").args(["-c", JUDGE]).stdin(fs::File::open(report).unwrap()));
    assert_eq!((judged.0, judged.2.as_str()), (0, ""), "{}", judged.1);
    assert!(judged.1.contains("campaigns/<a&\"b>.toml E0104 `mode` cannot be \"<&]]>"), "{}", judged.1);
    assert!(judged.1.contains("campaigns/spring.toml E0201"), "{}", judged.1);
    assert!(judged.1.ends_with("\n6\n"), "{}", judged.1);
}

#[test]
fn sarif_has_rules_regions_and_fixes() {
    let report = check_json("many-faults", "sarif");
    let log = &report["runs"][0];
    assert_eq!((&report["version"], &log["columnKind"]), (&"2.1.0".into(), &"unicodeCodePoints".into()));
    let rules = log["tool"]["driver"]["rules"].as_array().unwrap();
    let results = log["results"].as_array().unwrap();
    let mut fixes = 0;
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(Path::new(place["artifactLocation"]["uri"].as_str().unwrap()).starts_with("campaigns"));
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
        for fix in result["fixes"].as_array().into_iter().flatten() {
            let replaced = &fix["artifactChanges"][0]["replacements"][0];
            assert!(replaced["insertedContent"]["text"].is_string());
            assert!(
                replaced["deletedRegion"]["endColumn"].as_u64() > replaced["deletedRegion"]["startColumn"].as_u64()
            );
            fixes += 1;
        }
    }
    assert!(results.len() > 1 && fixes > 1, "{report:#}");
}

/// A path and a line that would clear a terminal and turn the direction of reading.
const STEERS: &str = "\u{1b}[2J\u{202e}";

#[test]
fn nothing_that_a_file_says_steers_the_terminal() {
    let mut files = files(&Path::new(FIXTURES).join("base"));
    let path = format!("campaigns/a{STEERS}\n::error::b.toml");
    let text = format!("id = 7 # \u{9b}2J\u{2066} C1\nname = \"\u{202e}\u{9b}\"\n\"{STEERS}x\" = 1\n");
    files.insert("campaigns/c\u{202e}.toml".to_owned(), text.clone().into_bytes());
    files.insert(path, text.into_bytes());
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let at = folder.path().to_str().unwrap();
    let unseen =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    for format in ["text", "json", "json-lines", "github", "gitlab", "junit", "sarif"] {
        let (exit, out, err) = run(&[at, "--format", format]);
        assert_eq!(exit, 2, "{err}");
        for text in [&out, &err] {
            assert!(!text.contains(unseen), "{format}: {:?}", text.chars().find(|c| unseen(*c)));
        }
        if format == "json" {
            let report: serde_json::Value = serde_json::from_str(&out).unwrap();
            let mut problems = report["problems"].as_array().unwrap().iter();
            assert!(problems.any(|p| p["file"].as_str().unwrap().contains(STEERS)), "the value is what it was: {out}");
        }
    }
    let (_, out, _) = ended(dialops().args(["check", at, "--color", "always"]));
    assert!(
        out.contains("\x1b[") && !out.contains("\x1b[2J") && out.contains("a\\u001b[2J\\u202e\\u000a::error"),
        "{out}"
    );
}
