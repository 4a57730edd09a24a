//! What can be wrong with a source: with the repository, or with one commit in it.

use std::{fmt, path::PathBuf};

use crate::domain::ids::Revision;

use super::snapshot::{BLOB_BYTES_MAX, DEPTH_MAX, ENTRIES_MAX, TOTAL_BYTES_MAX};

/// Why a branch or a commit could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing at the path.
    #[error("repository {} does not exist; create it, or correct [source] repository in the settings", .path.display())]
    Missing {
        /// The repository as set.
        path: PathBuf,
    },
    /// Something else than a repository is at the path.
    #[error(
        "{} is not a Git repository; run `git init` in it, or correct [source] repository in the settings", .path.display()
    )]
    NotARepository {
        /// The repository as set.
        path: PathBuf,
    },
    /// The repository may not be entered.
    #[error("repository {} can't be read: permission denied; let the daemon's user read it", .path.display())]
    Denied {
        /// The repository as set.
        path: PathBuf,
    },
    /// The repository belongs to somebody else, and libgit2 refuses it.
    #[error(
        "repository {path} belongs to another user; run the daemon as its owner, or allow it with `git config --system --add safe.directory {path}`",
        path = .path.display()
    )]
    Owner {
        /// The repository as set.
        path: PathBuf,
    },
    /// The repository is of a kind that can't be read here (SHA-256 objects, reftables).
    #[error("repository {} is of a kind this version can't read: {why}; use a repository with SHA-1 objects and file refs", .path.display())]
    Unsupported {
        /// The repository as set.
        path: PathBuf,
        /// What libgit2 said.
        why: String,
    },
    /// No such branch.
    #[error("branch {branch:?} is not in repository {}; {}", .path.display(), near_or_all(.near, *.any))]
    BranchMissing {
        /// The repository as set.
        path: PathBuf,
        /// The branch as set.
        branch: String,
        /// Branches with a name like it.
        near: Vec<String>,
        /// Whether there is any branch at all.
        any: bool,
    },
    /// Not a name that a branch can have.
    #[error("{branch:?} can't be the name of a branch; correct [source] branch in the settings")]
    BranchName {
        /// The branch as set.
        branch: String,
    },
    /// The branch points to something else than a commit.
    #[error("branch {branch:?} does not point to a commit; set it to one with `git branch --force`")]
    NotACommit {
        /// The branch as set.
        branch: String,
    },
    /// The folder is in no repository's work tree.
    #[error("{} is not in the work tree of a Git repository, so there are no commits to compare it with", .path.display())]
    NoCheckout {
        /// The folder.
        path: PathBuf,
    },
    /// No commit goes by this name.
    #[error(
        "{name:?} names no commit of the repository around {}; correct it, or fetch it first (CI often clones only the newest commit)", .path.display()
    )]
    UnknownRevision {
        /// The folder whose repository was asked.
        path: PathBuf,
        /// The name as given.
        name: String,
    },
    /// The folder is not in the commit, or has no file for us.
    #[error("commit {} has no configuration file under {prefix:?}; commit some, or correct [source] path in the settings", .revision.short())]
    EmptyPrefix {
        /// The commit.
        revision: Revision,
        /// The folder as set.
        prefix: String,
    },
    /// The commit holds what is never read; every refusal, at most as many as fit a screen.
    #[error("commit {} is refused: {}", .revision.short(), summary(.refusals))]
    Refused {
        /// The commit.
        revision: Revision,
        /// What is refused, in the order of the tree.
        refusals: Vec<Refusal>,
    },
    /// An object of the commit is not in the database.
    #[error(
        "{what} of commit {} is missing from the repository (a partial clone, or pruned); fetch it again with all its objects",
        .revision.short()
    )]
    ObjectMissing {
        /// The commit.
        revision: Revision,
        /// Which object.
        what: String,
    },
    /// libgit2 failed otherwise.
    #[error("repository {} failed while {doing}; check it with `git fsck`", .path.display())]
    Git {
        /// The repository as set.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What libgit2 said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SourceError {
    /// One CamelCase word for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "RepositoryMissing",
            Self::NotARepository { .. } => "NotARepository",
            Self::Denied { .. } => "RepositoryDenied",
            Self::Owner { .. } => "RepositoryOwner",
            Self::Unsupported { .. } => "RepositoryUnsupported",
            Self::BranchMissing { .. } | Self::BranchName { .. } | Self::NotACommit { .. } => "BranchMissing",
            Self::NoCheckout { .. } => "NoCheckout",
            Self::UnknownRevision { .. } => "UnknownRevision",
            Self::EmptyPrefix { .. } => "NothingToRead",
            Self::Refused { .. } => "CommitRefused",
            Self::ObjectMissing { .. } => "ObjectMissing",
            Self::Git { .. } => "RepositoryFailed",
        }
    }

    /// Whether the commit itself is at fault, so that reading it again can't help.
    #[must_use]
    pub fn is_of_commit(&self) -> bool {
        matches!(self, Self::EmptyPrefix { .. } | Self::Refused { .. })
    }
}

fn near_or_all(near: &[String], any: bool) -> String {
    match (near, any) {
        (_, false) => "it has no branch yet: commit something first".to_owned(),
        ([], true) => "correct [source] branch in the settings, or create it".to_owned(),
        (near, true) => {
            let names: Vec<String> = near.iter().map(|name| format!("{name:?}")).collect();
            format!("did you mean {}? Correct [source] branch in the settings", names.join(" or "))
        }
    }
}

fn summary(refusals: &[Refusal]) -> String {
    match refusals {
        [] => "no reason given".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}

/// One thing in a commit that is never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Path in the repository; what isn't UTF-8 in it is shown as U+FFFD.
    pub path: String,
    /// Why.
    pub reason: RefusalReason,
}

/// Why something in a commit is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalReason {
    /// A symbolic link.
    Symlink,
    /// A commit of another repository.
    Submodule,
    /// A file over the limit.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// Files that are small alone, but not together.
    TooLargeTogether,
    /// A folder in too many folders.
    TooDeep,
    /// More files and folders than are read.
    TooMany,
    /// The name is not UTF-8, or has control characters.
    Name,
    /// Two names that differ by case only.
    Case {
        /// The other one.
        other: String,
    },
}

impl RefusalReason {
    /// Code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Symlink => "source-symlink",
            Self::Submodule => "source-submodule",
            Self::TooLarge { .. } => "source-too-large",
            Self::TooLargeTogether => "source-too-large-together",
            Self::TooDeep => "source-too-deep",
            Self::TooMany => "source-too-many",
            Self::Name => "source-name",
            Self::Case { .. } => "source-case",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("is a symbolic link, which is never followed; commit a copy of the file"),
            Self::Submodule => f.write_str("is a submodule, which is never read; commit its files"),
            Self::TooLarge { bytes } => write!(
                f,
                "has {bytes} bytes, the limit is {BLOB_BYTES_MAX}; split it, or move it out (contacts are imported, not committed)"
            ),
            Self::TooLargeTogether => {
                write!(f, "takes the files over {TOTAL_BYTES_MAX} bytes together; move some out")
            }
            Self::TooDeep => write!(f, "is more than {DEPTH_MAX} folders deep; move it up"),
            Self::TooMany => write!(f, "is beyond {ENTRIES_MAX} files and folders; move some out"),
            Self::Name => f.write_str("has a name that is not printable UTF-8; rename it"),
            Self::Case { other } => write!(f, "differs from {other} by upper and lower case only; rename one"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.escape_debug(), self.reason)
    }
}
