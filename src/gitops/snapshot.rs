//! One commit's files, read from the object database.
//!
//! What may not be read is refused from its tree entry and its object's header, before any of its
//! bytes: a commit can't make the daemon load a 100 MB blob, follow a link or walk an endless tree.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, Tree, TreeEntry};
use jiff::Timestamp;

use crate::{config, domain::ids::Revision};

use super::error::{Refusal, RefusalReason, SourceError};

/// Largest file: a campaign has about 2 kB, a survey with hundreds of questions some 50 kB.
pub(super) const BLOB_BYTES_MAX: u64 = 256 * 1024;

/// Most bytes of all files, so that many small ones can't fill the memory either.
pub(super) const TOTAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most files and folders under the prefix, whatever their names.
pub(super) const ENTRIES_MAX: usize = 20_000;

/// Most folders in folders.
pub(super) const DEPTH_MAX: usize = 16;

/// Largest commit or tree object: [`ENTRIES_MAX`] names of 200 bytes, and then some.
const TREE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Most refusals of one commit that are told.
const REFUSALS_MAX: usize = 100;

/// Longest author or subject shown, in characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Mode of a tree entry that is a symbolic link.
const MODE_SYMLINK: i32 = 0o120_000;

/// Mode of a tree entry that is a submodule.
const MODE_SUBMODULE: i32 = 0o160_000;

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFile {
    /// Path in the repository.
    pub path: String,
    /// What it says.
    pub bytes: Arc<[u8]>,
}

/// Every configuration file ([`config::is_configuration`]) under the prefix, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFiles {
    /// The commit.
    pub revision: Revision,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// Its author's name.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// The folder that was read, `""` for all; paths of files begin with it.
    pub prefix: String,
    /// The files, by path.
    pub files: Vec<CommitFile>,
}

impl CommitFiles {
    /// A path in the repository as one inside the folder that was read.
    #[must_use]
    pub fn inside<'p>(&self, path: &'p str) -> &'p str {
        inside(&self.prefix, path)
    }
}

fn inside<'p>(prefix: &str, path: &'p str) -> &'p str {
    path.strip_prefix(prefix).unwrap_or(path).trim_start_matches('/')
}

/// Bytes by blob id, of the newest commit that was read whole.
pub(super) type Blobs = BTreeMap<Oid, Arc<[u8]>>;

/// Reads a commit whose folder must have files; blobs that `known` has are not read again.
pub(super) fn read(
    repository: &Repository,
    path: &Path,
    revision: &Revision,
    prefix: &str,
    known: &Blobs,
) -> Result<(CommitFiles, Blobs), SourceError> {
    let (read, blobs) = read_any(repository, path, revision, prefix, known)?;
    if read.files.is_empty() {
        return Err(SourceError::EmptyPrefix { revision: revision.clone(), prefix: prefix.to_owned() });
    }
    Ok((read, blobs))
}

/// Reads a commit, whether its folder has files or not; blobs that `known` has are not read again.
pub(super) fn read_any(
    repository: &Repository,
    path: &Path,
    revision: &Revision,
    prefix: &str,
    known: &Blobs,
) -> Result<(CommitFiles, Blobs), SourceError> {
    let failed = |doing| move |source: git2::Error| git_error(path, doing, source);
    let odb = repository.odb().map_err(failed("opening its objects"))?;
    let mut walk = Walk {
        repository,
        odb,
        path,
        revision,
        prefix,
        known,
        files: BTreeMap::new(),
        refusals: vec![],
        seen: 0,
        bytes: 0,
    };

    let oid = Oid::from_str(revision.as_str()).map_err(failed("reading a commit id"))?;
    walk.check_size(oid, "the commit object")?;
    let commit = repository.find_commit(oid).map_err(|e| walk.object_error("the commit object", e))?;
    let root = walk.tree(commit.tree_id(), "the tree")?;
    match walk.prefix_tree(&root, prefix)? {
        Prefix::Tree(tree) => walk.descend(&tree, prefix, 0)?,
        Prefix::Absent => {}
        Prefix::Refused(refusal) => walk.refusals.push(refusal),
    }
    walk.refuse_case_collisions();
    if !walk.refusals.is_empty() {
        return Err(SourceError::Refused { revision: revision.clone(), refusals: walk.refusals });
    }
    let (files, blobs) = walk.load()?;
    let read = CommitFiles {
        revision: revision.clone(),
        committed_at: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        author: shown(commit.author().name_bytes()),
        subject: shown(commit.summary_bytes().unwrap_or_default()),
        prefix: prefix.to_owned(),
        files,
    };
    Ok((read, blobs))
}

/// Wraps what libgit2 said otherwise.
pub(super) fn git_error(path: &Path, doing: &'static str, source: git2::Error) -> SourceError {
    SourceError::Git { path: PathBuf::from(path), doing, source: Box::new(source) }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

enum Prefix<'repo> {
    Tree(Tree<'repo>),
    Absent,
    Refused(Refusal),
}

struct Walk<'repo> {
    repository: &'repo Repository,
    odb: Odb<'repo>,
    path: &'repo Path,
    revision: &'repo Revision,
    prefix: &'repo str,
    known: &'repo Blobs,
    /// Blob ids by path.
    files: BTreeMap<String, Oid>,
    refusals: Vec<Refusal>,
    seen: usize,
    bytes: u64,
}

impl<'repo> Walk<'repo> {
    fn prefix_tree(&self, root: &Tree<'repo>, prefix: &str) -> Result<Prefix<'repo>, SourceError> {
        let mut tree = root.clone();
        let mut at = String::new();
        for name in prefix.split('/').filter(|name| !name.is_empty()) {
            at = join(&at, name);
            let Some(entry) = tree.get_name(name).map(|entry| entry.to_owned()) else { return Ok(Prefix::Absent) };
            tree = match (entry.kind(), refused_mode(&entry)) {
                (_, Some(reason)) => return Ok(Prefix::Refused(Refusal { path: at, reason })),
                (Some(ObjectType::Tree), None) => self.tree(entry.id(), &at)?,
                (_, None) => return Ok(Prefix::Absent),
            };
        }
        Ok(Prefix::Tree(tree))
    }

    /// Walks a folder; stops the whole walk when there is too much of anything.
    fn descend(&mut self, tree: &Tree<'repo>, folder: &str, depth: usize) -> Result<(), SourceError> {
        for entry in tree {
            if self.refusals.len() >= REFUSALS_MAX || self.is_over() {
                return Ok(());
            }
            let path = join(folder, &String::from_utf8_lossy(entry.name_bytes()));
            self.seen += 1;
            if self.seen > ENTRIES_MAX {
                self.refuse(path, RefusalReason::TooMany);
                return Ok(());
            }
            let printable = std::str::from_utf8(entry.name_bytes()).is_ok_and(|n| !n.chars().any(char::is_control));
            if !printable {
                self.refuse(path, RefusalReason::Name);
            } else if let Some(reason) = refused_mode(&entry) {
                self.refuse(path, reason);
            } else if entry.kind() == Some(ObjectType::Tree) {
                if depth + 1 > DEPTH_MAX {
                    self.refuse(path, RefusalReason::TooDeep);
                } else {
                    let tree = self.tree(entry.id(), &path)?;
                    self.descend(&tree, &path, depth + 1)?;
                }
            } else {
                self.file(path, entry.id())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, oid: Oid) -> Result<(), SourceError> {
        let bytes = match self.known.get(&oid) {
            Some(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            None => self.size(oid, &path)?,
        };
        if bytes > BLOB_BYTES_MAX {
            self.refuse(path, RefusalReason::TooLarge { bytes });
        } else if self.is_configuration(&path) {
            self.bytes += bytes;
            if self.is_over() {
                self.refuse(path, RefusalReason::TooLargeTogether);
            } else {
                self.files.insert(path, oid);
            }
        }
        Ok(())
    }

    /// By the rule of `check`, so that the two never differ.
    fn is_configuration(&self, path: &str) -> bool {
        config::is_configuration(inside(self.prefix, path))
    }

    fn is_over(&self) -> bool {
        self.seen > ENTRIES_MAX || self.bytes > TOTAL_BYTES_MAX
    }

    fn refuse(&mut self, path: String, reason: RefusalReason) {
        self.refusals.push(Refusal { path, reason });
    }

    fn refuse_case_collisions(&mut self) {
        let mut folded: BTreeMap<String, &String> = BTreeMap::new();
        for path in self.files.keys() {
            if let Some(other) = folded.insert(path.to_lowercase(), path)
                && self.refusals.len() < REFUSALS_MAX
            {
                let reason = RefusalReason::Case { other: other.escape_debug().to_string() };
                self.refusals.push(Refusal { path: path.clone(), reason });
            }
        }
    }

    fn load(&self) -> Result<(Vec<CommitFile>, Blobs), SourceError> {
        let mut blobs = Blobs::new();
        let mut files = Vec::with_capacity(self.files.len());
        for (path, &oid) in &self.files {
            let bytes = match self.known.get(&oid).or_else(|| blobs.get(&oid)) {
                Some(bytes) => Arc::clone(bytes),
                None => self.repository.find_blob(oid).map_err(|e| self.object_error(path, e))?.content().into(),
            };
            blobs.insert(oid, Arc::clone(&bytes));
            files.push(CommitFile { path: path.clone(), bytes });
        }
        Ok((files, blobs))
    }

    fn tree(&self, oid: Oid, what: &str) -> Result<Tree<'repo>, SourceError> {
        self.check_size(oid, what)?;
        self.repository.find_tree(oid).map_err(|e| self.object_error(what, e))
    }

    /// Refuses a commit or tree object that is too large to be looked into.
    fn check_size(&self, oid: Oid, what: &str) -> Result<(), SourceError> {
        let bytes = self.size(oid, what)?;
        if bytes <= TREE_BYTES_MAX {
            return Ok(());
        }
        let refusal = Refusal { path: what.to_owned(), reason: RefusalReason::TooMany };
        Err(SourceError::Refused { revision: self.revision.clone(), refusals: vec![refusal] })
    }

    /// Size of an object, from its header alone.
    fn size(&self, oid: Oid, what: &str) -> Result<u64, SourceError> {
        let (size, _) = self.odb.read_header(oid).map_err(|e| self.object_error(what, e))?;
        Ok(u64::try_from(size).unwrap_or(u64::MAX))
    }

    fn object_error(&self, what: &str, error: git2::Error) -> SourceError {
        if error.code() == ErrorCode::NotFound {
            SourceError::ObjectMissing { revision: self.revision.clone(), what: what.escape_debug().to_string() }
        } else {
            git_error(self.path, "reading an object", error)
        }
    }
}

fn refused_mode(entry: &TreeEntry<'_>) -> Option<RefusalReason> {
    match entry.filemode() {
        MODE_SYMLINK => Some(RefusalReason::Symlink),
        MODE_SUBMODULE => Some(RefusalReason::Submodule),
        _ => None,
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
