//! `schema_version`: a file may say which version of its form it was written for.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Source, Span},
    read::type_name,
};

/// The key, at the top of every kind of file.
pub(crate) const KEY: &str = "schema_version";

/// What it says of itself.
pub(crate) const ABOUT: &str = "Version of the form that this file was written for; a dialops of another version then says so and reads no further.";

/// The version that this program reads. It counts up when a file that was good no longer is, or means
/// something else.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// What the key of a file comes to.
pub(crate) enum Pinned {
    /// It is not there, or is the version that this program reads.
    Fits,
    /// It is no version at all; the rest of the file may be read.
    Wrong(Diagnostic),
    /// It is another version: nothing else of the file can be judged.
    Other(Diagnostic),
}

/// Takes the key out of a file's table, so that no kind of file need know it.
pub(crate) fn take(root: &mut DeTable<'_>, poisoned: &BTreeSet<Span>, source: &Source<'_>) -> Pinned {
    let Some(node) = root.remove(KEY) else { return Pinned::Fits };
    let span = Span::from(node.span());
    let place = source.locate(span);
    let DeValue::Integer(written) = node.get_ref() else {
        if poisoned.contains(&span) {
            return Pinned::Fits;
        }
        let message = format!("`{KEY}` must be a whole number, not {}", type_name(node.get_ref()));
        let mut wrong = Diagnostic::error(Code::WrongType, place, message);
        wrong.label(format!("expected {SCHEMA_VERSION}")).about = Some(ABOUT);
        if node.get_ref().as_str().is_some_and(|text| text.trim().parse() == Ok(SCHEMA_VERSION)) {
            wrong.fix("write it without quotes", span, SCHEMA_VERSION.to_string());
        }
        return Pinned::Wrong(wrong);
    };
    let version = i64::from_str_radix(written.as_str(), written.radix()).unwrap_or(i64::MAX);
    if version == SCHEMA_VERSION {
        return Pinned::Fits;
    }
    let (program, text) = (env!("CARGO_PKG_VERSION"), written.as_str());
    let message = format!(
        "this file is written for schema version {text}, and dialops {program} reads version {SCHEMA_VERSION} only"
    );
    let help = if version > SCHEMA_VERSION {
        format!("use a newer dialops; or, if the file has nothing that is new, write `{KEY} = {SCHEMA_VERSION}`")
    } else {
        format!("versions begin with {SCHEMA_VERSION}; write that, or leave the key out")
    };
    let mut other = Diagnostic::error(Code::SchemaVersion, place, message);
    other.label("nothing else of this file was looked at").help(help);
    Pinned::Other(other)
}
