//! The reference in docs/reference: up to date, and every link in it leads somewhere.

use std::{fs, path::Path};

use clap::Parser;
use dialops::{cli::schema, config::reference::pages};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: schema::Args,
}

#[test]
fn the_committed_reference_is_up_to_date() {
    let args = Command::parse_from(["schema", "--reference", "--check", "docs/reference"]).args;
    let mut err = Vec::new();
    let exit = schema::run(args, &mut Vec::new(), &mut err).unwrap();
    assert_eq!(exit, 0, "{}", String::from_utf8(err).unwrap());
}

/// Targets of a page's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// The anchor that GitHub and GitLab give to a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for page in pages() {
        let headings: Vec<String> = page.text.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
        for target in links(&page.text) {
            match target.strip_prefix('#') {
                Some(section) => assert!(headings.iter().any(|known| known == section), "{}: #{section}", page.file),
                None => assert!(Path::new("docs/reference").join(target).exists(), "{}: {target}", page.file),
            }
            count += 1;
        }
        assert_eq!(headings.len(), headings.iter().collect::<std::collections::BTreeSet<_>>().len(), "{}", page.file);
    }
    assert!(count > 20, "{count} links");
}

#[test]
fn every_code_is_explained() {
    let text = fs::read_to_string("docs/reference/codes.md").unwrap();
    for code in dialops::config::code::Code::ALL {
        assert!(text.contains(&format!("| `{code}` | ")), "{code}");
    }
}

#[test]
fn every_hold_is_told_what_to_do_about() {
    let text = fs::read_to_string("docs/operations.md").unwrap();
    let (_, section) = text.split_once("## Looking in").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    for code in dialops::domain::reason::Hold::CODES {
        let told = rows.iter().filter(|row| row.split(" | ").next().unwrap().contains(&format!("`{code}`"))).count();
        assert_eq!(told, 1, "{code} stands in one row of \"Looking in\"");
    }
}
