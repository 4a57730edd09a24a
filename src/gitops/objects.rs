//! Objects of a repository, by libgit2 or by the `git` program, and what a tree and a commit say.
//!
//! libgit2 is the faster one. It reads no SHA-256 repositories, and not what a partial clone has yet
//! to fetch; `git cat-file` reads all that Git can.

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    time::Duration,
};

use git2::{ErrorCode, Odb, Oid};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::domain::ids::Revision;

use super::program::Run;

/// Longest id, in bytes.
const ID_BYTES_MAX: usize = 32;

/// An object's id, of either form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId {
    length: usize,
    bytes: [u8; ID_BYTES_MAX],
}

impl ObjectId {
    fn from_bytes(raw: &[u8]) -> Self {
        let mut bytes = [0; ID_BYTES_MAX];
        bytes[..raw.len()].copy_from_slice(raw);
        Self { length: raw.len(), bytes }
    }

    fn from_hex(hex: &str) -> Option<Self> {
        let revision = Revision::parse(hex)?;
        let digits = revision.as_str();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        let raw: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        Some(Self::from_bytes(&raw?))
    }

    /// The id of a commit.
    pub(super) fn of(revision: &Revision) -> Self {
        Self::from_hex(revision.as_str()).unwrap_or(Self { length: 0, bytes: [0; ID_BYTES_MAX] })
    }

    fn raw(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Commit,
    Tree,
    Blob,
}

impl ObjectKind {
    fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }
}

/// Why an object can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    /// It is not there.
    #[error("it is not in the repository")]
    Missing,
    /// It is something else than it should be, or says what it can't say.
    #[error("it is malformed")]
    Malformed,
    /// libgit2 failed.
    #[error(transparent)]
    Library(#[from] git2::Error),
    /// The `git` program failed.
    #[error("`git cat-file` can't be talked to")]
    Program(#[from] io::Error),
}

/// Where objects are read.
pub(super) trait Objects {
    /// Size of an object, from its header alone.
    fn size(&mut self, id: ObjectId) -> Result<u64, ObjectError>;

    /// All of an object.
    fn read(&mut self, id: ObjectId, kind: ObjectKind) -> Result<Vec<u8>, ObjectError>;
}

/// Objects by libgit2.
pub(super) struct Library<'repo>(pub(super) Odb<'repo>);

impl Library<'_> {
    fn oid(id: ObjectId) -> Result<Oid, ObjectError> {
        Ok(Oid::from_bytes(id.raw())?)
    }
}

fn library_error(error: git2::Error) -> ObjectError {
    if error.code() == ErrorCode::NotFound { ObjectError::Missing } else { ObjectError::Library(error) }
}

impl Objects for Library<'_> {
    fn size(&mut self, id: ObjectId) -> Result<u64, ObjectError> {
        let (size, _) = self.0.read_header(Self::oid(id)?).map_err(library_error)?;
        Ok(u64::try_from(size).unwrap_or(u64::MAX))
    }

    fn read(&mut self, id: ObjectId, kind: ObjectKind) -> Result<Vec<u8>, ObjectError> {
        let object = self.0.read(Self::oid(id)?).map_err(library_error)?;
        if object.kind().str() == kind.name() { Ok(object.data().to_vec()) } else { Err(ObjectError::Malformed) }
    }
}

/// Objects by `git cat-file`; its processes end with it, and after a while in any case.
pub(super) struct Program {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Dropped, it lets the process be.
    _in_time: mpsc::Sender<()>,
}

impl Program {
    /// Starts it; `run` names the repository.
    pub(super) fn start(run: Run, within: Duration) -> io::Result<Self> {
        let mut child = run.args(["cat-file", "--batch-command"]).into_conversation().spawn()?;
        let (requests, answers) = match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(answers)) => (requests, BufReader::new(answers)),
            (_, _) => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let (in_time, over) = mpsc::channel::<()>();
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        std::thread::spawn(move || {
            if over.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Timeout) {
                end(group);
            }
        });
        Ok(Self { child, requests, answers, _in_time: in_time })
    }

    /// Asks; the size of what it is about.
    fn ask(&mut self, command: &str, id: ObjectId, kind: Option<ObjectKind>) -> Result<u64, ObjectError> {
        writeln!(self.requests, "{command} {id}")?;
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, found, size] if kind.is_none_or(|kind| kind.name() == found) => {
                size.parse().map_err(|_| ObjectError::Malformed)
            }
            [_, "missing"] => Err(ObjectError::Missing),
            [] => Err(ObjectError::Program(io::ErrorKind::UnexpectedEof.into())),
            _ => Err(ObjectError::Malformed),
        }
    }
}

impl Objects for Program {
    fn size(&mut self, id: ObjectId) -> Result<u64, ObjectError> {
        self.ask("info", id, None)
    }

    fn read(&mut self, id: ObjectId, kind: ObjectKind) -> Result<Vec<u8>, ObjectError> {
        let size = self.ask("contents", id, Some(kind))?;
        let mut bytes = Vec::new();
        // A line end follows.
        (&mut self.answers).take(size + 1).read_to_end(&mut bytes)?;
        if bytes.pop() == Some(b'\n') && u64::try_from(bytes.len()) == Ok(size) {
            Ok(bytes)
        } else {
            Err(ObjectError::Program(io::ErrorKind::UnexpectedEof.into()))
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(i32::try_from(self.child.id()).ok().and_then(Pid::from_raw));
        // It was killed.
        let _ended = self.child.wait();
    }
}

fn end(group: Option<Pid>) {
    if let Some(group) = group {
        // It may have ended by itself.
        let _gone = kill_process_group(group, Signal::KILL);
    }
}

/// An entry of a tree.
pub(super) struct Entry<'t> {
    /// The mode, which says what it is.
    pub(super) mode: u32,
    pub(super) name: &'t [u8],
    pub(super) id: ObjectId,
}

/// The entries of a tree whose ids have this many bytes; nothing if it is none.
pub(super) fn entries(tree: &[u8], id_bytes: usize) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    let mut rest = tree;
    while !rest.is_empty() {
        let space = rest.iter().position(|&byte| byte == b' ')?;
        let mode = u32::from_str_radix(str::from_utf8(&rest[..space]).ok()?, 8).ok()?;
        let end = space + 1 + rest[space + 1..].iter().position(|&byte| byte == 0)?;
        let id = rest.get(end + 1..end + 1 + id_bytes)?;
        entries.push(Entry { mode, name: &rest[space + 1..end], id: ObjectId::from_bytes(id) });
        rest = &rest[end + 1 + id_bytes..];
    }
    Some(entries)
}

/// What a commit says.
pub(super) struct Commit<'c> {
    pub(super) tree: ObjectId,
    /// Name of the author.
    pub(super) author: &'c [u8],
    /// When it was committed, in seconds since 1970.
    pub(super) committed_at: i64,
    /// First line of the message.
    pub(super) subject: &'c [u8],
}

/// A commit; nothing if it is none.
pub(super) fn commit(bytes: &[u8]) -> Option<Commit<'_>> {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (mut tree, mut author, mut committed_at) = (None, None, None);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if let Some(id) = line.strip_prefix(b"tree ") {
            tree = tree.or(ObjectId::from_hex(str::from_utf8(id).ok()?));
        } else if let Some(who) = line.strip_prefix(b"author ") {
            let name = who.iter().position(|&byte| byte == b'<').map_or(who, |at| &who[..at]);
            author = author.or(Some(name.trim_ascii()));
        } else if let Some(who) = line.strip_prefix(b"committer ") {
            let time = who.rsplit(|&byte| byte == b' ').nth(1)?;
            committed_at = committed_at.or(Some(str::from_utf8(time).ok()?.parse().ok()?));
        }
    }
    let subject = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default();
    Some(Commit { tree: tree?, author: author?, committed_at: committed_at?, subject })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";

    #[test]
    fn a_tree_is_its_entries_and_nothing_else() {
        let id = ObjectId::from_hex(ID).unwrap();
        assert_eq!(id.to_string(), ID);
        let tree = [b"100644 a\0".as_slice(), id.raw(), b"40000 b c\0", id.raw()].concat();
        let found: Vec<_> = entries(&tree, 20).unwrap().iter().map(|e| (e.mode, e.name.to_vec(), e.id)).collect();
        assert_eq!(found, [(0o100_644, b"a".to_vec(), id), (0o40_000, b"b c".to_vec(), id)]);
        for end in 1..tree.len() {
            assert!(end == 29 || entries(&tree[..end], 20).is_none(), "{end}");
        }
        assert!(entries(b"100648 a\0", 0).is_none() && entries(b"\xff a\0", 0).is_none());
    }

    #[test]
    fn a_commit_is_read() {
        let text = format!(
            "tree {ID}\nparent {ID}\nauthor Ada Operator <a@b> 1900000000 +0800\ncommitter C <c@d> 1900000001 +0000\n\
             gpgsig -----BEGIN\n tree x\n\n\n Pause spring \n\nauthor nobody\n"
        );
        let commit = commit(text.as_bytes()).unwrap();
        assert_eq!((commit.tree.to_string().as_str(), commit.committed_at), (ID, 1_900_000_001));
        assert_eq!((commit.author, commit.subject), (b"Ada Operator".as_slice(), b"Pause spring".as_slice()));
        for bad in ["", "tree x\n", &format!("tree {ID}\nauthor A <> 1 +0\n\n")] {
            assert!(super::commit(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
