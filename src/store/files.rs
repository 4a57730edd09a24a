//! Configuration files as they are in force, kept beside what they define.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::row::hex;
use crate::domain::ids::Revision;

/// The files that are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFiles {
    /// The commit that they are in force by; of an earlier one are those whose newest version was bad.
    pub revision: Revision,
    /// The folder of campaigns in the repository, `""` for all of it.
    pub prefix: String,
    /// What each says, by path in the repository.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Those of them that do not say what the daemon wrote: another program has changed them.
    pub edited: Vec<String>,
}

/// Some files that differ from those that are kept.
#[derive(Debug, Clone, Default)]
pub struct FileChanges {
    /// What each says now; nothing if it is gone.
    pub changed: Vec<(String, Option<Arc<[u8]>>)>,
    /// With these all are written: the commit, and the folder of campaigns.
    pub complete: Option<(Revision, String)>,
}

/// Digest of a file.
#[must_use]
pub fn file_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
