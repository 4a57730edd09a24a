//! Commits made by this program: `dialops demo` plays the operator.
//!
//! Nothing of the user's Git configuration matters: author, branch and bytes are given.

use std::{
    io,
    path::{Path, PathBuf},
};

use git2::{ErrorCode, IndexEntry, IndexTime, Oid, Repository, RepositoryInitOptions, Signature, Time};
use jiff::Timestamp;

use crate::domain::ids::Revision;

const NAME: &str = "dialops demo";
const EMAIL: &str = "demo@example.org";

/// Mode of an ordinary file in a tree.
const ORDINARY_FILE: u32 = 0o100_644;

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// A file could not be written.
    #[error("{path} can't be written; check free space and the directory's mode")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// libgit2 failed.
    #[error("the repository {path} could not be written")]
    Git {
        /// The repository.
        path: PathBuf,
        /// What libgit2 said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A repository with a work tree that this program commits to. Blocks.
#[derive(Debug, Clone)]
pub struct Author {
    path: PathBuf,
}

impl Author {
    /// Makes the repository; its first commit makes `branch`.
    pub fn init(path: &Path, branch: &str) -> Result<Self, AuthorError> {
        let mut options = RepositoryInitOptions::new();
        options.initial_head(branch).external_template(false).no_reinit(true).mkdir(true);
        let author = Self { path: path.to_owned() };
        Repository::init_opts(path, &options).map_err(author.failed())?;
        Ok(author)
    }

    /// Writes `files` (path in the work tree, text) and commits them on top of the branch; files that
    /// are not named stay as they are.
    pub fn commit(&self, files: &[(&str, String)], message: &str, at: Timestamp) -> Result<Revision, AuthorError> {
        for (path, text) in files {
            self.write(path, text)?;
        }
        let id = self.commit_objects(files, message, at).map_err(self.failed())?;
        Ok(Revision::parse(&id.to_string()).expect("an object id is a revision"))
    }

    fn write(&self, path: &str, text: &str) -> Result<(), AuthorError> {
        let path = self.path.join(path);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
        written.map_err(|source| AuthorError::Write { path, source })
    }

    fn commit_objects(&self, files: &[(&str, String)], message: &str, at: Timestamp) -> Result<Oid, git2::Error> {
        let repository = Repository::open(&self.path)?;
        let mut index = repository.index()?;
        for (path, text) in files {
            index.add(&entry(path, repository.blob(text.as_bytes())?, at))?;
        }
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        let parent = match repository.head() {
            Ok(head) => Some(head.peel_to_commit()?),
            Err(error) if error.code() == ErrorCode::UnbornBranch => None,
            Err(error) => return Err(error),
        };
        let signature = Signature::new(NAME, EMAIL, &Time::new(at.as_second(), 0))?;
        repository.commit(Some("HEAD"), &signature, &signature, message, &tree, parent.as_ref().as_slice())
    }

    fn failed(&self) -> impl FnOnce(git2::Error) -> AuthorError {
        let path = self.path.clone();
        |source| AuthorError::Git { path, source: Box::new(source) }
    }
}

/// An index entry whose file is compared again by whoever looks next.
fn entry(path: &str, id: Oid, at: Timestamp) -> IndexEntry {
    let seconds = i32::try_from(at.as_second()).unwrap_or(i32::MAX);
    let time = IndexTime::new(seconds, 0);
    IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode: ORDINARY_FILE,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls");
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let author = Author::init(&path, "trunk").unwrap();
        let first = author.commit(&[("a/x.toml", "x = 1\n".into()), ("y.toml", "y = 1\n".into())], "one", at).unwrap();
        let second = author.commit(&[("a/x.toml", "x = 2\n".into())], "two", at).unwrap();
        let repository = Repository::open(&path).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        assert_eq!(repository.head().unwrap().shorthand().unwrap(), "trunk");
        assert_eq!(head.id().to_string(), second.as_str());
        assert_eq!(head.parent_id(0).unwrap().to_string(), first.as_str());
        assert_eq!((head.author().name().unwrap(), head.author().email().unwrap()), (NAME, EMAIL));
        let blob = |path: &str| {
            let entry = head.tree().unwrap().get_path(Path::new(path)).unwrap();
            repository.find_blob(entry.id()).unwrap().content().to_vec()
        };
        assert_eq!((blob("a/x.toml").as_slice(), blob("y.toml").as_slice()), (&b"x = 2\n"[..], &b"y = 1\n"[..]));
        assert!(repository.statuses(None).unwrap().iter().all(|entry| entry.status() == git2::Status::CURRENT));
        assert!(matches!(Author::init(&path, "trunk"), Err(AuthorError::Git { .. })));
    }
}
