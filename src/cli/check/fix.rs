//! `--fix`: writes the edits that surely say what was meant.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use super::{folder::Checked, named};
use crate::config::diagnostic::Suggestion;

/// Most times that the folder is checked again: an edit can bring another fault to light.
pub(super) const ROUNDS_MAX: usize = 4;

/// How much was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fixed {
    /// Edits by the path of their file.
    by_file: BTreeMap<String, usize>,
}

impl Fixed {
    /// How many edits were written, in how many files.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.by_file.values().sum(), self.by_file.len())
    }

    /// Writes all safe edits of the diagnostics, but for those that overlap another; gives how many. Only files that
    /// were read from the folder are written.
    pub(super) fn apply(&mut self, checked: &mut Checked, folder: &Path) -> io::Result<usize> {
        let mut edits: BTreeMap<String, Vec<Suggestion>> = BTreeMap::new();
        for diagnostic in &checked.diagnostics {
            let Some(edit) = diagnostic.suggestion.as_ref().filter(|edit| edit.safe) else { continue };
            if let Some(inside) = checked.inside(&diagnostic.location.file) {
                edits.entry(inside.to_owned()).or_default().push(edit.clone());
            }
        }
        let mut written = 0;
        for (inside, mut edits) in edits {
            let Some(bytes) = checked.files.get_mut(&inside) else { continue };
            edits.sort_by_key(|edit| edit.span);
            let (mended, count) = mended(bytes, &edits);
            let path = folder.join(&inside);
            replace(&path, bytes, &mended).map_err(|error| named(&path, &error))?;
            *bytes = mended;
            written += count;
            *self.by_file.entry(inside).or_default() += count;
        }
        Ok(written)
    }
}

/// The text with the edits, which are sorted, and how many they were; what overlaps is left out. Everything else, line
/// ends and a byte-order mark too, stays as it is.
fn mended(bytes: &[u8], edits: &[Suggestion]) -> (Vec<u8>, usize) {
    let (mut mended, mut at, mut count) = (Vec::with_capacity(bytes.len()), 0, 0);
    for edit in edits {
        let range = edit.span.range();
        let Some(between) = bytes.get(at..range.start).filter(|_| range.end <= bytes.len()) else { continue };
        mended.extend_from_slice(between);
        mended.extend_from_slice(edit.text.as_bytes());
        at = range.end;
        count += 1;
    }
    mended.extend_from_slice(&bytes[at..]);
    (mended, count)
}

/// Puts a new file in the place of one that still is as it was read.
fn replace(path: &Path, read: &[u8], mended: &[u8]) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || fs::read(path)? != read {
        return Err(io::Error::other("was changed by another program meanwhile, so it is left as it is; check again"));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = tempfile::Builder::new().prefix(".dialops-fix-").tempfile_in(folder)?;
    file.write_all(mended)?;
    fs::set_permissions(file.path(), metadata.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Span;

    #[test]
    fn edits_that_overlap_are_left_for_the_next_round() {
        let edit = |start, end, text: &str| Suggestion {
            message: String::new(),
            span: Span { start, end },
            text: text.to_owned(),
            safe: true,
        };
        let edits = [edit(0, 2, "x"), edit(1, 3, "y"), edit(3, 3, "z"), edit(4, 9, "beyond")];
        assert_eq!(mended(b"abcd\r\n", &edits), (b"xczd\r\n".to_vec(), 2));
        assert_eq!(mended(b"", &[]), (Vec::new(), 0));
    }
}
