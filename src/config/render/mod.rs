//! Diagnostics in forms that people and programs read.

mod github;
mod gitlab;
mod json;
mod junit;
mod sarif;
mod text;
mod visible;

use std::{borrow::Cow, fmt::Write};

pub use github::github;
pub use gitlab::gitlab;
pub use json::{json, json_lines};
pub use junit::junit;
pub use sarif::sarif;
pub use text::text;
pub use visible::{visible, visible_line};

use super::diagnostic::Diagnostic;

/// A diagnostic in plain sentences, for reports that have their own way to show the place.
fn plain(diagnostic: &Diagnostic) -> String {
    let mut plain = diagnostic.message.clone();
    let mut add = |words: &str, what: &str| write!(plain, "\n{words}{what}").unwrap_or_default();
    if !diagnostic.label.is_empty() {
        add("here: ", &diagnostic.label);
    }
    for related in &diagnostic.related {
        add(&format!("{}:{}: ", related.location.file, related.location.line), &related.label);
    }
    let suggestion = diagnostic.suggestion.as_ref().map(|suggestion| suggestion.message.as_str());
    for help in diagnostic.help.as_deref().into_iter().chain(suggestion) {
        add("help: ", help);
    }
    if let Some(about) = diagnostic.about {
        add("note: ", about);
    }
    plain
}

/// A path as a relative or absolute URI.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri += "file://";
    }
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        // Writing to a string never fails.
        let _written = if plain { write!(uri, "{}", char::from(byte)) } else { write!(uri, "%{byte:02X}") };
    }
    uri
}

/// Text without the control characters that XML has no way to write, and those escaped that turn the direction.
fn xml(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\u{fffe}' | '\u{ffff}');
    if !text.contains(|c| special(c) || visible::is_unseen(c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '"' => escaped += "&quot;",
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || special(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c if visible::is_unseen(c) => write!(escaped, "&#x{:x};", u32::from(c)).unwrap_or_default(),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}
