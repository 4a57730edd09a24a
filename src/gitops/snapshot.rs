//! One commit's files, read from the object database.
//!
//! What may not be read is refused from its tree entry and its object's header, before any of its
//! bytes: a commit can't make the daemon load a 100 MB blob, follow a link or walk an endless tree.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    config::{self, LoadedFile, settings::SourceSettings},
    domain::{
        campaign::KeptFile,
        ids::{Revision, SourceId},
    },
    telemetry::status::CommitInfo,
};

use super::{
    error::{Refusal, RefusalReason, SourceError},
    objects::{Entry, ObjectError, ObjectId, ObjectKind, Objects, commit, entries},
};

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

/// The part of a tree entry's mode that says what it is.
const MODE_KIND: u32 = 0o170_000;
const MODE_TREE: u32 = 0o040_000;
const MODE_SYMLINK: u32 = 0o120_000;
const MODE_SUBMODULE: u32 = 0o160_000;

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFile {
    /// Path in the repository.
    pub path: String,
    /// What it says.
    pub bytes: Arc<[u8]>,
    /// The earlier commit that has it so, where it stands in for that of the commit at hand.
    pub kept_from: Option<Revision>,
}

/// Every configuration file ([`config::is_configuration`]) under the prefix, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFiles {
    /// The source.
    pub source: SourceId,
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
    /// What may not be read, while all else may; empty unless [`Source::read_apart`](super::Source::read_apart) was
    /// asked.
    pub refused: Vec<Refusal>,
}

impl CommitFiles {
    /// The files as they are in force: some as earlier commits have them.
    #[must_use]
    pub fn with_kept(&self, kept: &BTreeMap<String, KeptFile>) -> Self {
        let mut files: BTreeMap<&str, CommitFile> =
            self.files.iter().map(|file| (file.path.as_str(), file.clone())).collect();
        for (path, file) in kept {
            match file {
                KeptFile::Of { revision, bytes } => {
                    let (bytes, kept_from) = (Arc::clone(bytes), Some(revision.clone()));
                    files.insert(path, CommitFile { path: path.clone(), bytes, kept_from });
                }
                KeptFile::LeftOut => drop(files.remove(path.as_str())),
            }
        }
        Self { files: files.into_values().collect(), refused: Vec::new(), ..self.clone() }
    }

    /// The same as of one source, among several of which paths begin with its label.
    pub(super) fn of(mut self, settings: &SourceSettings) -> Self {
        self.source = settings.id.clone();
        let label = &settings.label();
        if !label.is_empty() {
            self.files.iter_mut().for_each(|file| file.path.insert_str(0, label));
            self.refused.iter_mut().for_each(|refusal| refusal.path.insert_str(0, label));
            self.prefix.insert_str(0, label);
        }
        self
    }

    /// Refuses the commit as a whole if anything of it may not be read.
    pub(super) fn whole(self) -> Result<Self, SourceError> {
        if self.refused.is_empty() {
            return Ok(self);
        }
        Err(SourceError::Refused { revision: self.revision, refusals: self.refused })
    }

    /// The files as they are loaded.
    pub fn loaded(&self) -> impl Iterator<Item = LoadedFile<'_>> {
        self.files.iter().map(|file| LoadedFile {
            folder: &self.prefix,
            path: self.inside(&file.path),
            bytes: Arc::clone(&file.bytes),
        })
    }

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
pub(super) type Blobs = BTreeMap<ObjectId, Arc<[u8]>>;

/// Reads a commit whose folder must have files; blobs that `known` has are not read again.
pub(super) fn read(
    objects: &mut dyn Objects,
    path: &Path,
    revision: &Revision,
    prefix: &str,
    known: &Blobs,
) -> Result<(CommitFiles, Blobs), SourceError> {
    let (read, blobs) = read_any(objects, path, revision, prefix, known)?;
    if read.files.is_empty() && read.refused.is_empty() {
        return Err(SourceError::EmptyPrefix { revision: revision.clone(), prefix: prefix.to_owned() });
    }
    Ok((read, blobs))
}

/// Reads a commit, whether its folder has files or not; blobs that `known` has are not read again. What may not be
/// read is told in what is given, unless it is more than single files.
pub(super) fn read_any(
    objects: &mut dyn Objects,
    path: &Path,
    revision: &Revision,
    prefix: &str,
    known: &Blobs,
) -> Result<(CommitFiles, Blobs), SourceError> {
    let mut walk = Walk::new(objects, path, revision, prefix, known);
    let bytes = walk.commit()?;
    let commit = commit(&bytes).ok_or_else(|| walk.object_error(COMMIT, ObjectError::Malformed))?;
    match walk.prefix_tree(commit.tree, prefix)? {
        Prefix::Tree(tree) => walk.descend(&tree, prefix, 0)?,
        Prefix::Absent => {}
        Prefix::Refused(refusal) => {
            return Err(SourceError::Refused { revision: revision.clone(), refusals: vec![refusal] });
        }
    }
    walk.refuse_case_collisions();
    let refused = std::mem::take(&mut walk.refusals);
    if !refused.iter().all(|refusal| refusal.reason.is_of_one_file()) || refused.len() >= REFUSALS_MAX {
        return Err(SourceError::Refused { revision: revision.clone(), refusals: refused });
    }
    let (files, blobs) = walk.load()?;
    let read = CommitFiles {
        source: SourceId::main(),
        revision: revision.clone(),
        committed_at: Timestamp::from_second(commit.committed_at).unwrap_or(Timestamp::UNIX_EPOCH),
        author: shown(commit.author),
        subject: shown(commit.subject),
        prefix: prefix.to_owned(),
        files,
        refused,
    };
    Ok((read, blobs))
}

/// The commit itself.
pub(super) fn commit_object(
    objects: &mut dyn Objects,
    path: &Path,
    revision: &Revision,
) -> Result<Vec<u8>, SourceError> {
    Walk::new(objects, path, revision, "", &Blobs::new()).commit()
}

/// What a commit says for people, and when it was made; nothing if it is none.
pub(super) fn info(bytes: &[u8]) -> Option<(CommitInfo, Timestamp)> {
    let commit = commit(bytes)?;
    let at = Timestamp::from_second(commit.committed_at).ok()?;
    let (author, subject) = (shown(commit.author), shown(commit.subject));
    Some((CommitInfo { author, time: at.to_string(), subject, verified: None }, at))
}

/// Wraps what libgit2 said otherwise.
pub(super) fn git_error(path: &Path, doing: &'static str, source: git2::Error) -> SourceError {
    SourceError::Git { path: PathBuf::from(path), doing, source: Box::new(source) }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

/// What the object is called in messages.
const COMMIT: &str = "the commit object";

enum Prefix {
    /// The bytes of a tree.
    Tree(Vec<u8>),
    Absent,
    Refused(Refusal),
}

struct Walk<'w> {
    objects: &'w mut dyn Objects,
    path: &'w Path,
    revision: &'w Revision,
    prefix: &'w str,
    known: &'w Blobs,
    /// Blob ids by path.
    files: BTreeMap<String, ObjectId>,
    refusals: Vec<Refusal>,
    seen: usize,
    bytes: u64,
}

impl<'w> Walk<'w> {
    fn new(
        objects: &'w mut dyn Objects,
        path: &'w Path,
        revision: &'w Revision,
        prefix: &'w str,
        known: &'w Blobs,
    ) -> Self {
        let (files, refusals) = (BTreeMap::new(), vec![]);
        Self { objects, path, revision, prefix, known, files, refusals, seen: 0, bytes: 0 }
    }

    fn commit(&mut self) -> Result<Vec<u8>, SourceError> {
        self.whole(ObjectId::of(self.revision), ObjectKind::Commit, COMMIT)
    }

    fn prefix_tree(&mut self, root: ObjectId, prefix: &str) -> Result<Prefix, SourceError> {
        let mut tree = self.whole(root, ObjectKind::Tree, "the tree")?;
        let mut at = String::new();
        for name in prefix.split('/').filter(|name| !name.is_empty()) {
            at = join(&at, name);
            let found = self.entries(&tree, &at)?.into_iter().find(|entry| entry.name == name.as_bytes());
            let Some(Entry { mode, id, .. }) = found else { return Ok(Prefix::Absent) };
            tree = match (mode & MODE_KIND, refused_mode(mode)) {
                (_, Some(reason)) => return Ok(Prefix::Refused(Refusal { path: at, reason })),
                (MODE_TREE, None) => self.whole(id, ObjectKind::Tree, &at)?,
                (_, None) => return Ok(Prefix::Absent),
            };
        }
        Ok(Prefix::Tree(tree))
    }

    /// Walks a folder; stops the whole walk when there is too much of anything.
    fn descend(&mut self, tree: &[u8], folder: &str, depth: usize) -> Result<(), SourceError> {
        for entry in self.entries(tree, folder)? {
            if self.refusals.len() >= REFUSALS_MAX || self.is_over() {
                return Ok(());
            }
            let path = join(folder, &String::from_utf8_lossy(entry.name));
            self.seen += 1;
            if self.seen > ENTRIES_MAX {
                self.refuse(path, RefusalReason::TooMany);
                return Ok(());
            }
            if let Some(reason) = refused_name(entry.name).or_else(|| refused_mode(entry.mode)) {
                self.refuse(path, reason);
            } else if entry.mode & MODE_KIND == MODE_TREE {
                if depth + 1 > DEPTH_MAX {
                    self.refuse(path, RefusalReason::TooDeep);
                } else {
                    let tree = self.whole(entry.id, ObjectKind::Tree, &path)?;
                    self.descend(&tree, &path, depth + 1)?;
                }
            } else {
                self.file(path, entry.id)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, id: ObjectId) -> Result<(), SourceError> {
        let bytes = match self.known.get(&id) {
            Some(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            None => self.size(id, &path)?,
        };
        if bytes > BLOB_BYTES_MAX {
            self.refuse(path, RefusalReason::TooLarge { bytes });
        } else if self.is_configuration(&path) {
            self.bytes += bytes;
            if self.is_over() {
                self.refuse(path, RefusalReason::TooLargeTogether);
            } else {
                self.files.insert(path, id);
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

    fn load(&mut self) -> Result<(Vec<CommitFile>, Blobs), SourceError> {
        let mut blobs = Blobs::new();
        let mut files = Vec::with_capacity(self.files.len());
        for (path, id) in std::mem::take(&mut self.files) {
            let bytes = match self.known.get(&id).or_else(|| blobs.get(&id)) {
                Some(bytes) => Arc::clone(bytes),
                None => {
                    let read = self.objects.read(id, ObjectKind::Blob);
                    read.map_err(|error| self.object_error(&path, error))?.into()
                }
            };
            blobs.insert(id, Arc::clone(&bytes));
            files.push(CommitFile { path, bytes, kept_from: None });
        }
        Ok((files, blobs))
    }

    /// A commit or a tree; refuses one that is too large to be looked into.
    fn whole(&mut self, id: ObjectId, kind: ObjectKind, what: &str) -> Result<Vec<u8>, SourceError> {
        if self.size(id, what)? > TREE_BYTES_MAX {
            let refusal = Refusal { path: what.to_owned(), reason: RefusalReason::TooMany };
            return Err(SourceError::Refused { revision: self.revision.clone(), refusals: vec![refusal] });
        }
        self.objects.read(id, kind).map_err(|error| self.object_error(what, error))
    }

    /// Size of an object, from its header alone.
    fn size(&mut self, id: ObjectId, what: &str) -> Result<u64, SourceError> {
        self.objects.size(id).map_err(|error| self.object_error(what, error))
    }

    fn entries<'t>(&self, tree: &'t [u8], what: &str) -> Result<Vec<Entry<'t>>, SourceError> {
        let id_bytes = self.revision.as_str().len() / 2;
        entries(tree, id_bytes).ok_or_else(|| self.object_error(what, ObjectError::Malformed))
    }

    fn object_error(&self, what: &str, error: ObjectError) -> SourceError {
        let what = what.escape_debug().to_string();
        match error {
            ObjectError::Missing => SourceError::ObjectMissing { revision: self.revision.clone(), what },
            ObjectError::Malformed | ObjectError::Library(_) | ObjectError::Program(_) => {
                SourceError::Git { path: PathBuf::from(self.path), doing: "reading an object", source: Box::new(error) }
            }
        }
    }
}

fn refused_mode(mode: u32) -> Option<RefusalReason> {
    match mode & MODE_KIND {
        MODE_SYMLINK => Some(RefusalReason::Symlink),
        MODE_SUBMODULE => Some(RefusalReason::Submodule),
        _ => None,
    }
}

fn refused_name(name: &[u8]) -> Option<RefusalReason> {
    match str::from_utf8(name) {
        Err(_) => Some(RefusalReason::Name),
        Ok(name) if name.chars().any(char::is_control) => Some(RefusalReason::Name),
        // Git makes no such entries, so somebody means harm.
        Ok(name) if matches!(name, "" | "." | "..") || name.contains('/') => Some(RefusalReason::Path),
        Ok(_) => None,
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
