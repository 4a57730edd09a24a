//! Places in files that were not made to be read: long, many, mixed and wide.

use std::{fs, path::Path};

use super::{dialops, ended, repository};
use crate::config_fixtures::{FIXTURES, files, write};

/// Checks the base with another text in place of its campaign.
fn check(text: impl AsRef<[u8]>, args: &[&str]) -> (i32, String, String) {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("base")));
    fs::write(root.path().join("campaigns/spring.toml"), text).unwrap();
    ended(dialops().current_dir(root.path()).args(["check", "."]).args(args))
}

fn base() -> String {
    String::from_utf8(files(&Path::new(FIXTURES).join("base"))["campaigns/spring.toml"].clone()).unwrap()
}

#[test]
fn mixed_line_ends_and_a_byte_order_mark_are_counted_right() {
    let text = "\u{feff}".to_owned() + &base().replacen('\n', "\r\n", 6);
    let text = text.replace("id = \"spring\"", "id = \"Spring\"").replace("max_ring", "max_rnig");
    let (exit, out, _) = check(&text, &[]);
    assert_eq!(exit, 2);
    assert!(out.contains(" --> campaigns/spring.toml:1:6\n"), "{out}");
    let line = 1 + text.lines().position(|line| line.starts_with("max_rnig")).unwrap();
    assert!(out.contains(&format!(" --> campaigns/spring.toml:{line}:1\n")), "{out}");
    assert!(out.contains("\n17 | max_rnig = \"25s\"\n"), "{out}");
}

#[test]
fn columns_behind_wide_characters_are_the_same_in_every_form() {
    let text = base().replace("description = \"Trade-in offer\"", "description = \"以旧换新👩‍👩‍👧é\" x");
    let place = "campaigns/spring.toml:3:28";
    let (_, out, _) = check(&text, &[]);
    assert!(out.contains(&format!(" --> {place}\n")), "{out}");
    let (_, out, _) = check(&text, &["--format", "github"]);
    assert!(out.starts_with("::error file=campaigns/spring.toml,line=3,endLine=3,col=28,"), "{out}");
    let (_, out, _) = check(&text, &["--format", "sarif"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let region = &report["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&3.into(), &28.into()));
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let (_, out, _) = check(base().replace("priority = 2", "priority = 2\npriority = 3"), &[]);
    assert!(out.contains("10 | priority = 2\n   | -------- first defined here\n"), "{out}");
    assert!(out.contains("11 | priority = 3\n   | ^^^^^^^^ again here\n"), "{out}");
}

#[test]
fn long_keys_and_values_are_never_printed_whole() {
    let long = "k".repeat(200_000);
    for text in [
        format!("{long} = 1\n{}", base()),
        format!("\"{}\" = 1\n{}", "春".repeat(60_000), base()),
        base().replace("\"preoccupied\"", &format!("\"{long}\"")),
        base().replace("\"preoccupied\"", &long),
        base().replace("\"Asia/Shanghai\"", &format!("\"{long}\"")),
        format!("{long} = 1\n{long} = 2\n{}", base().replacen("Spring offer", "x", 1)).replace(&long, &long[..100_000]),
        base().replace("[\"+86", &format!("[{}\"+86", "\"+1\", ".repeat(30_000))),
        base().replace("[strategy]", &format!("[strategy]\nx = [{}]", "\n1,".repeat(30_000))),
    ] {
        let (exit, out, err) = check(&text, &[]);
        assert_eq!(exit, 2, "{err}");
        assert!(out.lines().all(|line| line.chars().count() < 600), "{}", &out[..2000]);
        assert!(out.len() < 200_000, "{}", out.len());
        for format in ["json", "github", "gitlab", "junit", "sarif"] {
            let (_, out, _) = check(&text, &["--format", format]);
            assert!(out.len() < 400_000, "{format}: {}", out.len());
        }
    }
}

#[test]
fn a_place_in_a_long_line_is_shown_with_its_true_column() {
    let numbers = "\"+862160001000\", ".repeat(50);
    let text = base().replace("[\"+862160001000\"", &format!("[{numbers}\"021\""));
    let (_, out, _) = check(&text, &[]);
    let column = "caller_numbers = [".len() + numbers.len() + 1;
    assert!(out.contains(&format!(" --> campaigns/spring.toml:6:{column}\n")), "{out}");
    assert!(out.contains("…") && out.contains("^^^^^ not in E.164 form"), "{out}");
}

#[test]
fn a_file_that_is_too_large_is_said_to_be_so() {
    for text in [format!("a = \"{}", "x".repeat(20_000_000)), base() + &"#".repeat(256 * 1024)] {
        let (exit, out, err) = check(&text, &[]);
        assert_eq!(exit, 2);
        assert!(out.contains(&format!("error[E0006]: has {} bytes, and 262144 are allowed", text.len())), "{out}");
        assert!(err.contains("1 error"), "{out}");
    }
    let root = repository("duplicate-id");
    fs::write(root.path().join("dialops.toml"), "a = \"".to_owned() + &"x".repeat(20_000_000)).unwrap();
    let (_, out, _) = ended(dialops().current_dir(root.path()).args(["check", ".", "--settings", "dialops.toml"]));
    assert!(out.contains("error[E0006]: has 20000005 bytes"), "{out}");
}

/// Of many problems those are told that come first in the file, whatever their keys are called.
#[test]
fn the_first_problems_of_a_file_are_kept() {
    let many: String = (0..200).rev().map(|n| format!("k{n:03} = 1\n")).collect();
    let text = base().replace("name = \"Spring offer\"", "name = 3") + &many;
    let (_, out, _) = check(text, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems[0]["message"], "101 more problems in this file");
    assert_eq!(problems[1]["message"], "`name` must be a string, not an integer");
    let expected = (0..99).map(|n| format!("unknown key `k{:03}`", 199 - n));
    let found = problems[2..].iter().map(|problem| problem["message"].as_str().unwrap().to_owned());
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn problems_of_all_files_are_capped_with_a_count() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("base")));
    let many: String = (0..150).map(|n| format!("k{n} = 1\n")).collect();
    for number in 0..120 {
        fs::write(root.path().join(format!("campaigns/c{number:03}.toml")), &many).unwrap();
    }
    let (exit, out, _) = ended(dialops().current_dir(root.path()).args(["check", ".", "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!((exit, problems.len()), (2, 10_001));
    let last = &problems[10_000];
    assert_eq!((&last["code"], &last["file"]), (&"E0007".into(), &"campaigns".into()));
    // Of each file 100 problems and the word that there are more.
    assert_eq!(last["message"], format!("{} more problems", 120 * 101 - 10_000));
}

#[test]
fn settings_with_a_mere_warning_hold() {
    let root = repository("over-ceiling-ring");
    let settings = fs::read_to_string(root.path().join("dialops.toml")).unwrap();
    let newer = settings.replace("{ credential = \"trunk-password\" }", "{ credential = \"trunk-password\", }");
    fs::write(root.path().join("dialops.toml"), newer).unwrap();
    let (_, out, err) = ended(dialops().current_dir(root.path()).args(["check", ".", "--settings", "dialops.toml"]));
    assert!(out.contains("warning[E0009]") && out.contains("error[E0209]"), "{out}");
    assert!(err.contains("1 error, 1 warning"), "{err}");
}
