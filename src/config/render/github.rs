//! Workflow commands, which GitHub shows beside the lines of a change.

use std::fmt::Write;

use super::{plain, visible};
use crate::config::diagnostic::{Diagnostic, Severity};

/// One command for each diagnostic, in a line of its own.
#[must_use]
pub fn github(diagnostics: &[Diagnostic]) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let at = &diagnostic.location;
        let mut place = String::new();
        if at.line > 0 {
            place = format!(",line={},endLine={}", at.line, at.end_line);
            // Columns are of one line; with several GitHub leaves them out and says so.
            if at.line == at.end_line {
                place += &format!(",col={},endColumn={}", at.column, at.end_column);
            }
        }
        let (file, title, message) =
            (property(&visible(&at.file)), property(diagnostic.code.as_str()), data(&visible(&plain(diagnostic))));
        // Writing to a string never fails.
        let _written = writeln!(lines, "::{command} file={file}{place},title={title}::{message}");
    }
    lines
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
