//! What can be wrong with a source: with the repository, or with one commit in it.

use std::{fmt, io, path::PathBuf};

use crate::{
    config::{SecretError, settings::Follow},
    domain::ids::Revision,
};

use super::snapshot::{BLOB_BYTES_MAX, DEPTH_MAX, ENTRIES_MAX, TOTAL_BYTES_MAX};

/// How alike a name must be to be proposed (0 to 1).
const NEAR_MIN: f64 = 0.6;

/// Most names proposed.
const NEAR_NAMES_MAX: usize = 3;

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
    /// The repository is of a kind that neither libgit2 nor the `git` program reads.
    #[error("repository {} is of a kind that can't be read here: {why}; install a newer git, or convert the repository", .path.display())]
    Unsupported {
        /// The repository as set.
        path: PathBuf,
        /// What libgit2 said.
        why: String,
    },
    /// No such branch or tag.
    #[error("{} {name:?} is not in repository {repository}; {}", .kind, near_or_all(.kind, .near, *.any))]
    RefMissing {
        /// The repository as set.
        repository: String,
        /// `branch` or `tag`.
        kind: &'static str,
        /// Its name as set.
        name: String,
        /// Those with a name like it.
        near: Vec<String>,
        /// Whether there is any at all.
        any: bool,
    },
    /// Not a name that a branch or tag can have.
    #[error("{:?} can't be the name of a {kind}; correct [source] {kind} in the settings", .followed.to_string(), kind = kind(.followed))]
    RefName {
        /// What is followed, as set.
        followed: Follow,
    },
    /// What is followed is something else than a commit.
    #[error("{} {:?} does not lead to a commit; set it to one", kind(.followed), .followed.to_string())]
    NotACommit {
        /// What is followed, as set.
        followed: Follow,
    },
    /// A remote repository was never fetched here.
    #[error("there is no mirror at {} yet; it is made by the first fetch that succeeds", .path.display())]
    MirrorMissing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The mirror can't be made or written.
    #[error("the mirror {} can't be written; check free space and the folder's mode", .path.display())]
    MirrorWrite {
        /// The mirror.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A ref can't be set.
    #[error("{reference} of repository {} can't be set; let the daemon's user write it", .path.display())]
    RefWrite {
        /// The repository.
        path: PathBuf,
        /// The ref.
        reference: String,
    },
    /// The `git` program can't be run.
    #[error("the `git` program can't be run; install it, in /usr/bin or /usr/local/bin")]
    Program {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A token, key or list of host keys can't be read.
    #[error("[source] {key} can't be read; check it in the settings")]
    Credential {
        /// The key of the settings.
        key: &'static str,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// The keys that may sign are written as text.
    #[error(
        "[source] verify.keyring is text, which gpgv does not read; write it anew with `gpg --export`, without --armor"
    )]
    ArmoredKeys,
    /// A program that checks signatures can't be run.
    #[error("signatures can't be checked with `{program}`: {why}; install package {package}, and see the log")]
    Checker {
        /// Its name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The server can't be reached, or does not answer as a Git server.
    #[error("{url} can't be fetched: {why}; check [source] url, the server and the network")]
    Unreachable {
        /// The repository as set.
        url: String,
        /// What `git` said.
        why: String,
    },
    /// The server wants another token or key.
    #[error("{url} lets nobody in: {why}; check [source] token or ssh_key, and what it may do")]
    AccessRefused {
        /// The repository as set.
        url: String,
        /// What `git` said.
        why: String,
    },
    /// The SSH server has a key that is not pinned.
    #[error("the server of {url} has a key that is not in [source] known_hosts; find out why before you add it")]
    HostKey {
        /// The repository as set.
        url: String,
    },
    /// A fetch was ended because its time was over.
    #[error("{url} was not fetched within {seconds} seconds; check the network, or raise [source] timeout")]
    TimedOut {
        /// The repository as set.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// A fetch was ended because it took too much.
    #[error("{url} is too large to fetch: {what}; take large files out of its history, or raise that limit")]
    TooLarge {
        /// The repository as set.
        url: String,
        /// Which limit.
        what: &'static str,
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
            Self::RefMissing { .. } | Self::RefName { .. } | Self::NotACommit { .. } => "BranchMissing",
            Self::MirrorMissing { .. } => "NotFetched",
            Self::MirrorWrite { .. } => "MirrorFailed",
            Self::Program { .. } => "GitMissing",
            Self::Credential { .. } => "CredentialMissing",
            Self::ArmoredKeys => "KeysUnreadable",
            Self::Checker { .. } => "CheckerFailed",
            Self::Unreachable { .. } => "FetchFailed",
            Self::AccessRefused { .. } => "AccessRefused",
            Self::HostKey { .. } => "HostKeyRefused",
            Self::TimedOut { .. } => "FetchTimedOut",
            Self::TooLarge { .. } => "FetchTooLarge",
            Self::NoCheckout { .. } => "NoCheckout",
            Self::UnknownRevision { .. } => "UnknownRevision",
            Self::EmptyPrefix { .. } => "NothingToRead",
            Self::Refused { .. } => "CommitRefused",
            Self::ObjectMissing { .. } => "ObjectMissing",
            Self::Git { .. } | Self::RefWrite { .. } => "RepositoryFailed",
        }
    }

    /// Nothing goes by the name of what is followed, among these.
    pub(super) fn ref_missing(repository: &dyn fmt::Display, followed: &Follow, names: &[String]) -> Self {
        let name = followed.to_string();
        let likeness = |other: &String| strsim::jaro_winkler(&other.to_lowercase(), &name.to_lowercase());
        let mut near: Vec<(f64, String)> = names.iter().map(|name| (likeness(name), name.clone())).collect();
        near.retain(|(likeness, _)| *likeness >= NEAR_MIN);
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        near.truncate(NEAR_NAMES_MAX);
        Self::RefMissing {
            repository: repository.to_string(),
            kind: kind(followed),
            name,
            near: near.into_iter().map(|(_, name)| name).collect(),
            any: !names.is_empty(),
        }
    }

    /// Whether it may well be over at the next look, without anybody's doing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// Whether the commit itself is at fault, so that reading it again can't help.
    #[must_use]
    pub fn is_of_commit(&self) -> bool {
        matches!(self, Self::EmptyPrefix { .. } | Self::Refused { .. })
    }
}

/// What kind of thing is followed, as the settings' key says.
fn kind(followed: &Follow) -> &'static str {
    match followed {
        Follow::Branch(_) => "branch",
        Follow::Tag(_) => "tag",
        Follow::Commit(_) => "commit",
    }
}

fn near_or_all(kind: &str, near: &[String], any: bool) -> String {
    match (near, any) {
        (_, false) if kind == "branch" => "it has no branch yet: commit something first".to_owned(),
        (_, false) => format!("it has no {kind} yet: create one first"),
        ([], true) => format!("correct [source] {kind} in the settings, or create it"),
        (near, true) => {
            let names: Vec<String> = near.iter().map(|name| format!("{name:?}")).collect();
            format!("did you mean {}? Correct [source] {kind} in the settings", names.join(" or "))
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
    /// The name is a way to somewhere else, such as `..`.
    Path,
    /// Two names that differ by case only.
    Case {
        /// The other one.
        other: String,
    },
}

impl RefusalReason {
    /// Whether all else of the commit can be read in spite of it.
    pub(super) fn is_of_one_file(&self) -> bool {
        match self {
            Self::Symlink | Self::Submodule | Self::TooLarge { .. } | Self::Name => true,
            Self::TooLargeTogether | Self::TooDeep | Self::TooMany | Self::Path | Self::Case { .. } => false,
        }
    }

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
            Self::Path => "source-path",
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
            Self::Path => {
                f.write_str("has a name that leads out of its folder; find out who made this commit, and how")
            }
            Self::Case { other } => write!(f, "differs from {other} by upper and lower case only; rename one"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.escape_debug(), self.reason)
    }
}
