//! Scratch repositories, made with the `git` program and nothing of the machine's configuration.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use dialops::{
    config::settings::{Follow, Location, SourceSettings, VerifySettings},
    domain::ids::{Revision, SourceId},
    gitops::Source,
};

/// A repository that goes away with its value.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// An empty one with a work tree, on branch `main`.
    pub(crate) fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(["init", "--quiet", "--initial-branch=main", "."]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The source that follows `branch`, all of it under `prefix`.
    pub(crate) fn source(&self, branch: &str, prefix: &str) -> Source {
        source(self.path(), branch, prefix)
    }

    /// Runs git in it; panics with its words if it fails.
    pub(crate) fn git<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        git(self.path(), arguments, b"")
    }

    /// Runs git with something to read.
    pub(crate) fn git_reading<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>, input: &[u8]) -> String {
        git(self.path(), arguments, input)
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Puts an entry of any mode into the index, without a file.
    pub(crate) fn stage(&self, mode: &str, object: &str, path: &str) {
        self.git(["update-index", "--add", "--cacheinfo", &format!("{mode},{object},{path}")]);
    }

    /// Stores a blob.
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        self.git_reading(["hash-object", "-w", "--stdin"], bytes)
    }

    /// Commits the work tree.
    pub(crate) fn commit(&self, message: &str) -> Revision {
        self.git(["add", "--all", "."]);
        self.commit_index(message)
    }

    /// Commits what was staged.
    pub(crate) fn commit_index(&self, message: &str) -> Revision {
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    pub(crate) fn head(&self) -> Revision {
        Revision::parse(&self.git(["rev-parse", "HEAD"])).unwrap()
    }
}

/// The source that follows a branch of the repository at `path`.
pub(crate) fn source(path: impl Into<PathBuf>, branch: &str, prefix: &str) -> Source {
    let settings = SourceSettings {
        id: SourceId::main(),
        is_one_of_several: false,
        owner: None,
        commit_status: None,
        at: Location::Local(path.into()),
        follow: Follow::Branch(branch.to_owned()),
        path: prefix.to_owned(),
        // Never, as tests go.
        poll: Duration::from_secs(3600),
        jitter: Duration::ZERO,
        verify: VerifySettings::default(),
    };
    Source::new(settings, None)
}

/// Runs git somewhere.
pub(crate) fn git<A: AsRef<OsStr>>(at: &Path, arguments: impl IntoIterator<Item = A>, input: &[u8]) -> String {
    let mut child = Command::new("git")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada Operator")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Ada Operator")
        .env("GIT_COMMITTER_EMAIL", "ada@example.org")
        .current_dir(at)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
