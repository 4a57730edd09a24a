//! The form for programs: one object, its keys stable.

use serde::Serialize;

use super::visible;
use crate::config::diagnostic::{Diagnostic, Location, Severity};

#[derive(Serialize)]
struct Report<'a> {
    /// Version of this form; a new key does not change it.
    version: u32,
    files: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    problems: Vec<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    code: &'static str,
    severity: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
    message: &'a str,
    label: &'a str,
    help: Option<&'a str>,
    about: Option<&'static str>,
    suggestion: Option<Edit<'a>>,
    related: Vec<Related<'a>>,
}

/// Lines and columns count from 1, columns in characters; 0 means the file as a whole. `start` and
/// `end` are bytes.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start: Option<u32>,
    end: Option<u32>,
}

#[derive(Serialize)]
struct Edit<'a> {
    message: &'a str,
    start: u32,
    end: u32,
    text: &'a str,
    safe: bool,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    label: &'a str,
}

/// All diagnostics as one JSON object; `files` is how many were read.
pub fn json(diagnostics: &[Diagnostic], files: usize) -> Result<String, serde_json::Error> {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let report = serde_json::to_string_pretty(&Report {
        version: 1,
        files,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        problems: diagnostics.iter().map(problem).collect(),
    })?;
    Ok(visible(&report).into_owned())
}

/// Each diagnostic as a JSON object in a line of its own.
pub fn json_lines(diagnostics: &[Diagnostic]) -> Result<String, serde_json::Error> {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        lines += &visible(&serde_json::to_string(&problem(diagnostic))?);
        lines.push('\n');
    }
    Ok(lines)
}

fn problem(diagnostic: &Diagnostic) -> Problem<'_> {
    let suggestion = diagnostic.suggestion.as_ref().map(|suggestion| Edit {
        message: &suggestion.message,
        start: suggestion.span.start,
        end: suggestion.span.end,
        text: &suggestion.text,
        safe: suggestion.safe,
    });
    let related = diagnostic.related.iter().map(|r| Related { place: place(&r.location), label: &r.label });
    Problem {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity.as_str(),
        place: place(&diagnostic.location),
        message: &diagnostic.message,
        label: &diagnostic.label,
        help: diagnostic.help.as_deref(),
        about: diagnostic.about,
        suggestion,
        related: related.collect(),
    }
}

fn place(location: &Location) -> Place<'_> {
    Place {
        file: &location.file,
        line: location.line,
        column: location.column,
        end_line: location.end_line,
        end_column: location.end_column,
        start: location.span.map(|span| span.start),
        end: location.span.map(|span| span.end),
    }
}
