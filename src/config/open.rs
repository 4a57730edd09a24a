//! A file's text to a tree, unless it is too large or of another schema version.

use super::{
    code::Code,
    diagnostic::{Diagnostic, LeftOut, Location, Source, cap},
    layout::FILE_BYTES_MAX,
    newer,
    read::PROBLEMS_PER_FILE_MAX,
    syntax::{Parsed, parse},
    version::{self, Pinned},
};

/// Keys, tables and items that a file may have, so that what they take stays below 64 MB.
const PARTS_MAX: usize = 40_000;

/// About how many keys, tables and items a text has; an item takes half of what a key does.
fn parts(text: &str) -> usize {
    let (mut keys, mut items) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'.' | b'=' | b'{' | b'[' => keys += 1,
            b',' => items += 1,
            _ => {}
        }
    }
    keys + items / 2
}

/// Parses a file, unless it is of another schema version.
pub(crate) fn open<'s>(source: &Source<'s>) -> (Parsed<'s>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    if source.text.len() > FILE_BYTES_MAX {
        let message = format!("has {} bytes, and {FILE_BYTES_MAX} are allowed", source.text.len());
        diagnostics.push(Diagnostic::error(Code::Unreadable, Location::file(&source.path), message));
        return (Parsed::unreadable(), diagnostics);
    }
    // Each takes a byte, so a short text need not be gone through.
    if source.text.len() > PARTS_MAX && parts(source.text) > PARTS_MAX {
        let message = format!("has more than {PARTS_MAX} keys, tables and items");
        diagnostics.push(Diagnostic::error(Code::Unreadable, Location::file(&source.path), message));
        return (Parsed::unreadable(), diagnostics);
    }
    let mut parsed = parse(source, &mut diagnostics);
    match version::take(&mut parsed.root, &parsed.poisoned, source) {
        Pinned::Fits => {}
        Pinned::Wrong(diagnostic) => diagnostics.push(diagnostic),
        Pinned::Other(diagnostic) => {
            // A newer form may have a newer syntax too.
            diagnostics = vec![diagnostic];
            parsed.readable = false;
        }
    }
    if parsed.readable {
        let mut warnings = newer::warnings(&parsed.root, source);
        cap(&mut warnings, PROBLEMS_PER_FILE_MAX, LeftOut::default(), Location::file(&source.path));
        diagnostics.append(&mut warnings);
    }
    (parsed, diagnostics)
}
