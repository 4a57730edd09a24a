//! JUnit XML: each file is a test case, which its errors fail.

use std::{collections::BTreeMap, fmt::Write};

use super::{plain, xml};
use crate::config::diagnostic::{Diagnostic, Severity};

/// The whole report; `files` are the shown paths of all files that were read.
#[must_use]
pub fn junit<'a>(diagnostics: &'a [Diagnostic], files: impl IntoIterator<Item = &'a str>) -> String {
    let mut cases: BTreeMap<&str, Vec<&Diagnostic>> = files.into_iter().map(|file| (file, Vec::new())).collect();
    for diagnostic in diagnostics {
        cases.entry(&diagnostic.location.file).or_default().push(diagnostic);
    }
    let failed = |found: &&Vec<&Diagnostic>| found.iter().any(|d| d.severity == Severity::Error);
    let counts =
        format!("tests=\"{}\" failures=\"{}\" errors=\"0\"", cases.len(), cases.values().filter(failed).count());
    let mut report = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dialops check\" {counts}>\n  <testsuite name=\"dialops check\" {counts}>\n"
    );
    for (file, found) in cases {
        report += &case(file, &found);
    }
    report + "  </testsuite>\n</testsuites>\n"
}

fn case(file: &str, found: &[&Diagnostic]) -> String {
    let file = xml(file);
    let head = format!("    <testcase classname=\"dialops check\" name=\"{file}\" file=\"{file}\"");
    let (errors, others): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        found.iter().partition(|d| d.severity == Severity::Error);
    if found.is_empty() {
        return head + "/>\n";
    }
    let mut case = head + ">\n";
    if let [first, rest @ ..] = errors.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
        let message = xml(&first.message);
        let (code, text) = (first.code, xml(&listed(&errors)).into_owned());
        // Writing to a string never fails.
        let _written = writeln!(case, "      <failure type=\"{code}\" message=\"{message}{more}\">{text}</failure>");
    }
    if !others.is_empty() {
        case += &format!("      <system-out>{}</system-out>\n", xml(&listed(&others)));
    }
    case + "    </testcase>\n"
}

fn listed(found: &[&Diagnostic]) -> String {
    let shown = found.iter().map(|d| {
        let at = &d.location;
        format!("{}:{}:{}: {}[{}]: {}", at.file, at.line, at.column, d.severity, d.code, plain(d))
    });
    shown.collect::<Vec<_>>().join("\n\n")
}
