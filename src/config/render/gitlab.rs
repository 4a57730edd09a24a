//! GitLab's Code Quality report.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{plain, visible};
use crate::config::diagnostic::{Diagnostic, Severity};

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// All diagnostics as a JSON array; GitLab knows a problem again by its fingerprint, which does not
/// hang on the line that it stands in.
pub fn gitlab(diagnostics: &[Diagnostic]) -> Result<String, serde_json::Error> {
    let mut seen = BTreeMap::new();
    let issue = |diagnostic| issue(diagnostic, fingerprint(diagnostic, &mut seen));
    let report = serde_json::to_string_pretty(&diagnostics.iter().map(issue).collect::<Vec<_>>())?;
    Ok(visible(&report).into_owned())
}

fn issue(diagnostic: &Diagnostic, fingerprint: String) -> Issue<'_> {
    let at = &diagnostic.location;
    Issue {
        description: plain(diagnostic),
        check_name: diagnostic.code.as_str(),
        fingerprint,
        severity: match diagnostic.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
            Severity::Note => "info",
        },
        location: Place { path: &at.file, lines: Lines { begin: at.line.max(1), end: at.end_line.max(1) } },
    }
}

/// What a problem is known by: file, code and message, and the how-manieth of its like it is.
pub(super) fn fingerprint<'d>(
    diagnostic: &'d Diagnostic,
    seen: &mut BTreeMap<(&'d str, &'static str, &'d str), usize>,
) -> String {
    let what = (diagnostic.location.file.as_ref(), diagnostic.code.as_str(), diagnostic.message.as_str());
    let count = seen.entry(what).or_default();
    *count += 1;
    let (file, code, message) = what;
    let digest = Sha256::digest(format!("{file}\0{code}\0{message}\0{count}"));
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a string never fails.
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}
