//! Signatures of commits: whether one is signed by somebody who may, and so is each that it brings.
//!
//! The commit's own bytes are taken apart here and given to the programs that Git itself uses, `ssh-keygen` and
//! `gpgv`, so no configuration, ref or tag has a say. A signature counts by the key that made it and not by what the
//! commit says of its author.

mod checker;
mod distrust;
mod openpgp;
mod packet;
mod signed;
mod ssh;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf, absolute},
    sync::PoisonError,
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::distrust::{Distrust, Unverified};
use self::signed::Kind;
use super::{error::SourceError, snapshot, source::Source};
use crate::{
    config::{
        SecretError,
        settings::{VerifyMode, VerifySettings},
    },
    domain::{campaign::SecretRef, ids::Revision},
    telemetry::status::{CommitInfo, Verification},
};

/// Most commits that one brings: two programs run for each, some 10 ms together.
const COMMITS_MAX: usize = 1_000;

/// Why a commit is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not trusted.
    #[error(transparent)]
    Unverified(Box<Unverified>),
    /// It can't be told.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Which commits have to be signed besides the one that is to be put in force.
#[derive(Debug, Clone, Copy)]
pub enum Since<'r> {
    /// None.
    Head,
    /// Each that came since this one, which was verified, if the settings want it.
    Commit(&'r Revision),
}

/// Commits that were found to be good by the keys of this digest.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: [u8; 32],
    good: BTreeMap<Revision, (CommitInfo, Verification)>,
}

impl Source {
    /// Whether commits have to be signed.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.settings().verify.mode != VerifyMode::None
    }

    /// Sees to it that a commit is signed as the settings want it; by whom. Nothing if they do not want it.
    pub async fn verify(
        &self,
        head: &Revision,
        since: Since<'_>,
        now: Timestamp,
    ) -> Result<Option<Verification>, VerifyError> {
        let settings = &self.settings().verify;
        let brought = match (settings.mode, since) {
            (VerifyMode::None, _) => return Ok(None),
            (VerifyMode::Head, _) | (VerifyMode::Every, Since::Head) => vec![],
            (VerifyMode::Every, Since::Commit(since)) => self.brought(head, since).await?,
        };
        let keys = Keys::read(settings, self.credentials())?;
        let found = self.verify_one(head, &keys, now).await?;
        let (head_info, verified) = match found {
            (info, Ok(verified)) => (info, verified),
            (info, Err(why)) => return Err(unverified(head, info.clone(), head, info, why)),
        };
        for revision in brought.iter().filter(|revision| *revision != head) {
            if let (info, Err(why)) = self.verify_one(revision, &keys, now).await? {
                return Err(unverified(head, head_info, revision, info, why));
            }
        }
        Ok(Some(verified))
    }

    /// Commits of `head` that `since` does not have.
    async fn brought(&self, head: &Revision, since: &Revision) -> Result<Vec<Revision>, VerifyError> {
        let (to, from) = (head.clone(), since.clone());
        let found = self.in_that_of(head, move |repository| repository.brought(&from, &to, COMMITS_MAX)).await?;
        let why = match found {
            Some(found) if found.len() <= COMMITS_MAX => return Ok(found),
            Some(_) => Distrust::TooMany { most: COMMITS_MAX },
            None => Distrust::HistoryMissing,
        };
        Err(unverified(head, None, head, None, why))
    }

    /// What a commit says, and who signed it.
    async fn verify_one(
        &self,
        revision: &Revision,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<(Option<CommitInfo>, Result<Verification, Distrust>), SourceError> {
        if let Some((info, verified)) = self.known_good(revision, keys) {
            return Ok((Some(info), Ok(verified)));
        }
        let of = revision.clone();
        let bytes = self.in_that_of(revision, move |repository| repository.commit_object(&of)).await?;
        let Some((info, at)) = snapshot::info(&bytes) else {
            return Ok((None, Err(Distrust::Malformed("it is no commit"))));
        };
        let signed = match signed::take_apart(&bytes, revision.as_str().len()) {
            Ok(Some(signed)) => signed,
            Ok(None) => return Ok((Some(info), Err(Distrust::Unsigned))),
            Err(why) => return Ok((Some(info), Err(Distrust::Malformed(why)))),
        };
        // A date in the future opens no key before its time.
        let at = at.min(now);
        let verified = match (signed.kind(), &keys.allowed_signers, &keys.ring) {
            (Kind::Ssh, Some(allowed), _) => ssh::verify(&signed, allowed, at).await?,
            (Kind::OpenPgp, _, Some(ring)) => openpgp::verify(&signed, ring).await?,
            (Kind::Ssh, None, _) => Err(Distrust::NoKeys { method: "with SSH" }),
            (Kind::OpenPgp, _, None) => Err(Distrust::NoKeys { method: "with OpenPGP" }),
            (Kind::Other, ..) => Err(Distrust::NoKeys { method: "in another way than with SSH or OpenPGP" }),
        };
        if let Ok(verified) = &verified {
            let mut known = self.known().lock().unwrap_or_else(PoisonError::into_inner);
            if known.keys == keys.digest {
                known.good.insert(revision.clone(), (info.clone(), verified.clone()));
            }
        }
        Ok((Some(info), verified))
    }

    fn known_good(&self, revision: &Revision, keys: &Keys) -> Option<(CommitInfo, Verification)> {
        let mut known = self.known().lock().unwrap_or_else(PoisonError::into_inner);
        if known.keys != keys.digest || known.good.len() > 2 * COMMITS_MAX {
            *known = Known { keys: keys.digest, good: BTreeMap::new() };
        }
        known.good.get(revision).cloned()
    }
}

fn unverified(
    head: &Revision,
    head_info: Option<CommitInfo>,
    revision: &Revision,
    info: Option<CommitInfo>,
    why: Distrust,
) -> VerifyError {
    let (head, revision) = (head.clone(), revision.clone());
    VerifyError::Unverified(Box::new(Unverified { head, head_info, revision, info, why }))
}

/// The keys that may sign, where programs read them.
struct Keys {
    allowed_signers: Option<PathBuf>,
    ring: Option<PathBuf>,
    /// Of what both files say.
    digest: [u8; 32],
}

impl Keys {
    fn read(settings: &VerifySettings, credentials: Option<&Path>) -> Result<Self, SourceError> {
        let mut digest = Sha256::new();
        let mut find = |key: &'static str, named: &Option<SecretRef>| {
            let Some(named) = named else { return Ok(None) };
            let found = named.path(credentials).and_then(|path| {
                let path = absolute(&path).unwrap_or(path);
                let bytes = fs::read(&path).map_err(|source| SecretError::Read { path: path.clone(), source })?;
                if bytes.is_empty() { Err(SecretError::Empty(path)) } else { Ok((path, bytes)) }
            });
            let (path, bytes) = found.map_err(|source| SourceError::Credential { key, source })?;
            digest.update(Sha256::digest(&bytes));
            Ok(Some((path, bytes)))
        };
        let allowed_signers = find("verify.allowed_signers", &settings.allowed_signers)?;
        let ring = find("verify.keyring", &settings.keyring)?;
        if ring.as_ref().is_some_and(|(_, bytes)| bytes.starts_with(b"-----BEGIN")) {
            return Err(SourceError::ArmoredKeys);
        }
        let path = |found: Option<(PathBuf, Vec<u8>)>| found.map(|(path, _)| path);
        Ok(Self { allowed_signers: path(allowed_signers), ring: path(ring), digest: digest.finalize().into() })
    }
}
