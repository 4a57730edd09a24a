//! Configuration files as they are in force, kept beside what they define.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::row::hex;
use crate::domain::ids::{Revision, SourceId};

/// The commit of each source that is in force, and since when it is.
pub type AppliedCommits = BTreeMap<SourceId, (Revision, Timestamp)>;

/// The files that are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFiles {
    /// Where they are from; at least one.
    pub sources: Vec<FilesOf>,
    /// What each says, by path in the repository; of several sources each path begins with `SOURCE:`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Those of them that do not say what the daemon wrote: another program has changed them.
    pub edited: Vec<String>,
}

impl StoredFiles {
    /// What each file of a folder says, by path inside it.
    pub fn of<'f>(&'f self, folder: &'f str) -> impl Iterator<Item = (String, String)> + 'f {
        self.files.iter().filter_map(move |(path, bytes)| {
            let inside = inside(folder, path)?;
            Some((inside.to_owned(), String::from_utf8_lossy(bytes).into_owned()))
        })
    }
}

/// A path inside a folder; `None` if it is not there. Of a source that is read whole the folder is `SOURCE:`.
#[must_use]
pub fn inside<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?;
    if folder.is_empty() || folder.ends_with(':') { Some(rest) } else { rest.strip_prefix('/') }
}

/// Which commit of a source files are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesOf {
    /// The source.
    pub source: SourceId,
    /// The commit that they are in force by; of an earlier one are those whose newest version was bad.
    pub revision: Revision,
    /// The folder of campaigns as paths of files begin: `campaigns`, `""` for all, of one source among several
    /// `SOURCE:campaigns`.
    pub folder: String,
}

impl FilesOf {
    /// The same as it stands in a store.
    #[must_use]
    pub fn as_text(&self) -> (String, (String, String)) {
        (self.source.to_string(), (self.revision.to_string(), self.folder.clone()))
    }
}

/// Some files that differ from those that are kept.
#[derive(Debug, Clone, Default)]
pub struct FileChanges {
    /// What each says now; nothing if it is gone.
    pub changed: Vec<(String, Option<Arc<[u8]>>)>,
    /// With these all are written: where they are from. Empty while there are more.
    pub complete: Vec<FilesOf>,
}

/// Digest of a file.
#[must_use]
pub fn file_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
