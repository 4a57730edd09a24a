//! `[source]` of `dialops.toml`.

use std::time::Duration;

use super::notifications::StatusTable;
use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            duration::Lasting,
            git::{CommitId, GitUrl, ProxyUrl},
            number::Whole,
            secret::Secret,
            text::{FilePath, RepositoryFolder, Slug, Text},
        },
        settings::VerifyMode,
        table::table,
    },
    domain::ids::SourceId,
};

const POLL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Enough for a first fetch of 10,000 campaigns with their history; a campaign has about 2 kB.
const MAX_MIB: u32 = 256;

/// The least in which `git` and what it runs can start.
const MEMORY_MIB_MIN: u32 = 64;

table! {
    /// The configuration repository: a local one or a remote one, and what is followed in it.
    pub(crate) struct SourceTable "`source`" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'; `main` unless it is set. Each of several sources has its own.
        optional id: Slug<SourceId> => "sales",
        /// Whose repository it is, as people know them: shown wherever something is wrong with it.
        optional owner: Text<1, 100> => "Sales operations <sales-ops@example.net>",
        /// Path of a local Git repository, bare or not; either this or `url`.
        optional repository: FilePath => "/srv/dialling.git",
        /// Address of a remote repository, which is fetched: `https://`, `ssh://`, `user@host:path` or `file://`.
        optional url: GitUrl => "https://git.example.net/acme/dialling.git",
        /// The branch that is followed; `main` unless it is a tag or a commit.
        optional branch: Text<1, 255> => "main",
        /// The tag that is followed, in place of a branch.
        optional tag: Text<1, 255> => "production",
        /// The one commit that is put in force, in place of a branch.
        optional commit: CommitId => "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e",
        /// Folder of the campaigns in the repository.
        default("campaigns".to_owned()) path: RepositoryFolder => "campaigns",
        /// How often the branch is looked at; a local repository is watched too.
        default(POLL) poll: Lasting<1, 86_400> => "30s",
        /// Most that a look is put off, by chance, so that many daemons do not ask at once; a tenth of `poll` for a
        /// remote repository.
        optional jitter: Lasting<0, 86_400> => "3s",
        /// Longest that one fetch of a remote repository may take.
        default(TIMEOUT) timeout: Lasting<1, 3_600> => "60s",
        /// Most memory that each program of a fetch may have, in MiB.
        default(MAX_MIB) max_memory_mib: Whole<MEMORY_MIB_MIN, 65_536> => 256,
        /// Largest file that a fetch may write, in MiB: what a server sends ends there.
        default(MAX_MIB) max_download_mib: Whole<1, 65_536> => 256,
        /// User name that goes with `token`; most servers take any.
        optional username: Text<1, 255> => "dialops",
        /// Token or password for `https://`, read again for each fetch.
        optional token: Secret => { credential = "git-token" },
        /// Certificates that an `https://` server is judged by (PEM), in place of the system's.
        optional ca_file: FilePath => "/etc/dialops/ca.pem",
        /// Proxy through which an `https://` server is reached; it takes no password.
        optional proxy: ProxyUrl => "http://proxy.example.net:3128",
        /// Private key for SSH, without a passphrase, read again for each fetch.
        optional ssh_key: Secret => { credential = "git-ssh-key" },
        /// The keys that the SSH server may have, in the form of `known_hosts`; any other is refused.
        optional known_hosts: Secret => { file = "/etc/dialops/known_hosts" },
        /// Where the state of commits is written beside them, on the server that has the repository.
        optional status: StatusTable,
        /// Whose signature a commit must have to be put in force.
        table verify: VerifyTable,
    }
}

impl Words for VerifyMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("head", Self::Head), ("every", Self::Every)];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::None => "any commit is taken",
            Self::Head => "the commit that is to be put in force must be signed",
            Self::Every => "and each commit since the one in force, those that a merge brings in too",
        })
    }
}

table! {
    /// Whose signature a commit must have to be put in force.
    pub(crate) struct VerifyTable "`verify`" {
        /// Which commits must be signed; `none` unless keys are named below, which need a mode.
        optional mode: Choice<VerifyMode> => "every",
        /// SSH keys that may sign, in the form of `allowed_signers` (`man ssh-keygen`); read again for each commit.
        optional allowed_signers: Secret => { file = "/etc/dialops/allowed_signers" },
        /// OpenPGP keys that may sign, as `gpg --export` writes them; read again for each commit.
        optional keyring: Secret => { file = "/etc/dialops/signers.gpg" },
    }
}
