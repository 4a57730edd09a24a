//! Why a commit is not trusted.

use std::fmt;

use crate::{domain::ids::Revision, telemetry::status::CommitInfo};

/// What is wrong with a commit's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It has none.
    Unsigned,
    /// What it has is none.
    Malformed(&'static str),
    /// It is signed in a way for which the settings name no keys.
    NoKeys {
        /// How it is signed.
        method: &'static str,
    },
    /// The signature is over something else.
    Bad,
    /// The signature is good, and the key is nobody's who may sign.
    Unknown {
        /// Its fingerprint or id.
        key: String,
    },
    /// The key had expired, or was not valid yet.
    NotValid {
        /// Its fingerprint or id.
        key: String,
    },
    /// The key was revoked.
    Revoked {
        /// Its fingerprint or id.
        key: String,
    },
    /// The signature's digest can be forged.
    Weak {
        /// Its fingerprint or id.
        key: String,
    },
    /// Nobody can tell which commits came since the one in force.
    HistoryMissing,
    /// More commits came since than are looked at.
    TooMany {
        /// How many are.
        most: usize,
    },
}

impl Distrust {
    /// One CamelCase word.
    fn reason(&self) -> &'static str {
        match self {
            Self::Unsigned => "Unsigned",
            Self::Malformed(_) => "SignatureMalformed",
            Self::NoKeys { .. } | Self::Unknown { .. } => "SignerUnknown",
            Self::Bad => "SignatureBad",
            Self::NotValid { .. } => "KeyNotValid",
            Self::Revoked { .. } => "KeyRevoked",
            Self::Weak { .. } => "SignatureWeak",
            Self::HistoryMissing => "HistoryMissing",
            Self::TooMany { .. } => "TooManyCommits",
        }
    }

    /// What to do.
    fn hint(&self) -> &'static str {
        match self {
            Self::Unsigned => "sign it with `git commit --amend --no-edit -S`; the signature of a tag does not count",
            Self::Malformed(_) | Self::Bad => {
                "find out who made it; the commit may have been changed after it was signed"
            }
            Self::NoKeys { .. } => "name that person's keys in [source.verify], or sign it with another key",
            Self::Unknown { .. } => "find out whose key it is before you add it to the keys that may sign",
            Self::NotValid { .. } => "sign it with a key that is valid, or prolong the key where the keys are listed",
            Self::Revoked { .. } => "sign it with another key",
            Self::Weak { .. } => "sign it with SHA-256 or a longer digest",
            Self::HistoryMissing => "fetch the whole history (`git fetch --unshallow`), or set `mode = \"head\"`",
            Self::TooMany { .. } => "have an earlier commit put in force first, or set `mode = \"head\"` for that time",
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("is not signed"),
            Self::Malformed(why) => write!(f, "can't be verified: {why}"),
            Self::NoKeys { method } => write!(f, "is signed {method}, for which [source.verify] names no keys"),
            Self::Bad => f.write_str("has a signature that is not of its content"),
            Self::Unknown { key } => write!(f, "is signed with key {key}, which is none of those that may sign"),
            Self::NotValid { key } => write!(f, "is signed with key {key}, which was not valid then or has expired"),
            Self::Revoked { key } => write!(f, "is signed with key {key}, which was revoked"),
            Self::Weak { key } => write!(f, "is signed with key {key} by a digest that can be forged"),
            Self::HistoryMissing => {
                f.write_str("can't be verified: the commits since the one in force are not all here")
            }
            Self::TooMany { most } => write!(f, "can't be verified: it brings more than {most} commits"),
        }
    }
}

/// A commit that stays out because of its signature, or of that of one that it brings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit {}{} {why}; {}", .revision.short(), told(.info.as_ref(), .revision, .head), hint(.why, .revision, .head))]
pub struct Unverified {
    /// The commit that is to be put in force.
    pub head: Revision,
    /// What is known of it.
    pub head_info: Option<CommitInfo>,
    /// The one whose signature is not trusted.
    pub revision: Revision,
    /// Who made that one, when, and its first line.
    pub info: Option<CommitInfo>,
    /// What is wrong.
    pub why: Distrust,
}

impl Unverified {
    /// One CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.why.reason()
    }
}

/// What to do; the newest commit is not the one that has to be signed.
fn hint(why: &Distrust, revision: &Revision, head: &Revision) -> String {
    if *why != Distrust::Unsigned || revision == head {
        return why.hint().to_owned();
    }
    format!(
        "sign it and all after it with `git rebase --force-rebase --rebase-merges --gpg-sign {}~1`, and push that with \
         `--force-with-lease`; the signature of a tag does not count",
        revision.short()
    )
}

fn told(info: Option<&CommitInfo>, revision: &Revision, head: &Revision) -> String {
    let by = info.map_or_else(String::new, |info| format!(" by {}", info.author));
    if revision == head { by } else { format!("{by}, which commit {} brings,", head.short()) }
}
