//! The mirror of a remote repository: what its server has of the followed branch, in a bare repository
//! of ours.
//!
//! [`Mirror::head`] first asks which commit the server is at, and fetches only what is new. There is
//! one mirror for each form of ids, as a server may go over to SHA-256; which one a commit is in, the
//! length of its id says. A fetch that fails leaves the mirror as it was.

use std::{
    fs, io,
    os::unix::{fs::DirBuilderExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use tokio::task::JoinError;

use super::{
    access::Access,
    error::SourceError,
    program::{Bounds, Ended, NOT_FOUND, Run, RunError},
    repository::{Repository, Tip},
};
use crate::{
    config::settings::{Follow, RemoteSettings},
    domain::ids::{Revision, SourceId},
};

/// The ref of the mirror that holds what the server was last found at.
const HEAD_REF: &str = "refs/dialops/head";

/// Packs that are put together once there are so many.
const PACKS_MAX: usize = 50;

/// Longest that this may take; nothing is looked at meanwhile, and what fails is tried again later.
const TIDY_WITHIN: Duration = Duration::from_secs(300);

/// MiB that a pack may be larger than those that it is put together from.
const SPARE_MIB: u32 = 16;

/// Most branches or tags of a server that are looked at to find the one that was meant.
const REFS_MAX: usize = 1_000;

/// The signal of a program whose file became too large.
const SIGXFSZ: i32 = 25;

const TOO_MANY_BYTES: &str = "it takes a larger file than [source] max_download_mib";

/// Most characters of what a server or `git` said that are passed on.
const WHY_CHARS_MAX: usize = 300;

/// A remote repository and what is kept of it.
#[derive(Debug)]
pub(super) struct Mirror {
    /// The source, which names the mirrors.
    id: SourceId,
    remote: RemoteSettings,
    follow: Follow,
    credentials: Option<PathBuf>,
}

impl Mirror {
    /// `credentials` is `$CREDENTIALS_DIRECTORY`.
    pub(super) fn new(id: SourceId, remote: RemoteSettings, follow: Follow, credentials: Option<PathBuf>) -> Self {
        let mirrors = absolute(&remote.mirrors).unwrap_or_else(|_| remote.mirrors.clone());
        Self { id, remote: RemoteSettings { mirrors, ..remote }, follow, credentials }
    }

    /// The mirror in which commits with ids of this form are kept.
    pub(super) fn of(&self, id: &str) -> Repository {
        self.in_form(form(id))
    }

    /// The mirrors of both forms, of which one may not be there.
    pub(super) fn all(&self) -> [Repository; 2] {
        ["sha1", "sha256"].map(|form| self.in_form(form))
    }

    fn in_form(&self, form: &str) -> Repository {
        Repository::at(self.remote.mirrors.join(format!("{}.{form}.git", self.id)))
    }

    /// Brings the mirror up to date; the commit that the server is at.
    pub(super) async fn head(&self) -> Result<Revision, SourceError> {
        let access = Access::read(&self.remote, self.credentials.as_deref())?;
        let id = match &self.follow {
            Follow::Commit(revision) => revision.to_string(),
            Follow::Branch(_) | Follow::Tag(_) => self.ask(&access, &self.follow.reference()).await?,
        };
        let mirror = self.of(&id);
        if let Some(tip) = self.tip(&mirror).await?.filter(|tip| tip.holds == id) {
            return self.commit(tip);
        }
        self.prepare(&mirror, form(&id)).await?;
        self.fetch(&access, &mirror).await?;
        self.tidy(&mirror).await;
        match self.tip(&mirror).await? {
            Some(tip) => self.commit(tip),
            None => Err(SourceError::MirrorMissing { path: mirror.path().to_owned() }),
        }
    }

    fn commit(&self, tip: Tip) -> Result<Revision, SourceError> {
        tip.commit.ok_or_else(|| SourceError::NotACommit { followed: self.follow.clone() })
    }

    /// Where the mirror is; nowhere if there is none yet.
    async fn tip(&self, mirror: &Repository) -> Result<Option<Tip>, SourceError> {
        let repository = mirror.clone();
        let tip = blocking(move || repository.tip(HEAD_REF)).await;
        match tip.map_err(|source| broken(mirror.path(), source))? {
            Err(SourceError::Missing { .. } | SourceError::NotARepository { .. }) => Ok(None),
            tip => tip,
        }
    }

    /// The id that the server has for a ref.
    async fn ask(&self, access: &Access, reference: &str) -> Result<String, SourceError> {
        if !git2::Reference::is_valid_name(reference) {
            return Err(SourceError::RefName { followed: self.follow.clone() });
        }
        let run = self.run(access).args(["ls-remote", "--quiet", "--", &self.remote.url.text, reference]);
        let output = self.finish(run, access).await?;
        match refs(&output).find(|(_, name)| *name == reference) {
            Some((id, _)) => Ok(id.to_owned()),
            None => Err(self.missing(access).await?),
        }
    }

    /// Tells of a branch that the server does not have, with those that it has.
    async fn missing(&self, access: &Access) -> Result<SourceError, SourceError> {
        let kind = if matches!(self.follow, Follow::Tag(_)) { "--tags" } else { "--heads" };
        let run = self.run(access).args(["ls-remote", "--quiet", "--refs", kind, "--", &self.remote.url.text]);
        let output = self.finish(run, access).await?;
        let names = refs(&output).filter_map(|(_, name)| name.splitn(3, '/').nth(2)).take(REFS_MAX);
        let names: Vec<String> = names.map(str::to_owned).collect();
        Ok(SourceError::ref_missing(&self.remote.url.text, &self.follow, &names))
    }

    /// Makes the mirror if it is not there, and clears away what a fetch that was cut off left.
    async fn prepare(&self, mirror: &Repository, form: &str) -> Result<(), SourceError> {
        let folder = mirror.path().to_owned();
        let written = blocking(move || make_or_clear(&folder)).await;
        let written = written.map_err(|source| broken(mirror.path(), source))?;
        let is_there = written.map_err(|source| SourceError::MirrorWrite { path: mirror.path().to_owned(), source })?;
        if is_there {
            return Ok(());
        }
        let run = Run::new(self.bounds()).on(mirror.path()).args(["init", "--quiet", "--bare", "--template="]);
        self.finish(run.args([format!("--object-format={form}")]), &Access::default()).await.map(drop)
    }

    async fn fetch(&self, access: &Access, mirror: &Repository) -> Result<(), SourceError> {
        let run = self.run(access).on(mirror.path()).args(["fetch", "--quiet", "--no-tags", "--refmap="]);
        let run = run.args(["--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"]);
        let run = run.args(["--no-show-forced-updates", "--", &self.remote.url.text]);
        let done = self.finish(run.args([format!("+{}:{HEAD_REF}", self.follow.reference())]), access).await;
        // A program that was ended by the limit says nothing; what it wrote tells.
        let (folder, limit) = (mirror.path().to_owned(), u64::from(self.remote.max_download_mib) << 20);
        match done {
            Err(SourceError::Unreachable { url, .. })
                if blocking(move || is_full(&folder, limit)).await.unwrap_or(false) =>
            {
                Err(SourceError::TooLarge { url, what: TOO_MANY_BYTES })
            }
            done => done.map(drop),
        }
    }

    /// Puts packs together from time to time, and drops what a rewritten branch has left.
    async fn tidy(&self, mirror: &Repository) {
        let folder = mirror.path().join("objects/pack");
        let (packs, bytes) = blocking(move || packs(&folder)).await.unwrap_or_default();
        if packs == 0 || !packs.is_multiple_of(PACKS_MAX) {
            return;
        }
        let bounds = self.bounds();
        // What is here was let in, piece by piece; together it may be larger than any one fetch.
        let together = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_add(SPARE_MIB);
        let bounds = Bounds { within: TIDY_WITHIN, file_mib: bounds.file_mib.max(together), ..bounds };
        let run = Run::new(bounds).on(mirror.path()).args(["gc", "--quiet", "--prune=now"]);
        if let Err(error) = self.finish(run, &Access::default()).await {
            let mirror = mirror.path().display();
            tracing::warn!(%mirror, %error, "packs of the mirror can't be put together");
        }
    }

    fn bounds(&self) -> Bounds {
        let RemoteSettings { timeout, max_memory_mib, max_download_mib, .. } = self.remote;
        Bounds { within: timeout, memory_mib: max_memory_mib, file_mib: max_download_mib }
    }

    fn run(&self, access: &Access) -> Run {
        access.give(Run::new(self.bounds()))
    }

    /// Runs it; its answer, or what is wrong with the remote.
    async fn finish(&self, run: Run, access: &Access) -> Result<Vec<u8>, SourceError> {
        let url = || self.remote.url.text.clone();
        let ended = run.run().await.map_err(|error| match error {
            RunError::Start(source) | RunError::Read(source) => SourceError::Program { source },
            RunError::TimedOut => SourceError::TimedOut { url: url(), seconds: self.remote.timeout.as_secs() },
            RunError::TooMuch => SourceError::TooLarge { url: url(), what: "its list of refs is too long" },
        })?;
        match ended.status.code() {
            Some(0) => Ok(ended.output),
            Some(NOT_FOUND) => Err(SourceError::Program { source: io::ErrorKind::NotFound.into() }),
            Some(_) | None => Err(remote_failure(url(), &ended, access)),
        }
    }
}

/// The form of an id.
fn form(id: &str) -> &'static str {
    if id.len() == 40 { "sha1" } else { "sha256" }
}

/// Ids and names of what `ls-remote` prints.
fn refs(output: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let lines = output.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    lines.filter_map(|line| line.split_once('\t')).filter(|(id, _)| Revision::parse(id).is_some())
}

/// What a run that failed says of the remote.
fn remote_failure(url: String, ended: &Ended, access: &Access) -> SourceError {
    let said = access.masked(&ended.said);
    let has = |any: &[&str]| any.iter().any(|text| said.contains(text));
    if has(&["Out of memory", "out of memory", "Cannot allocate memory"]) {
        return SourceError::TooLarge { url, what: "it takes more memory than [source] max_memory_mib" };
    }
    // SIGXFSZ may have ended a program that `git` started.
    if ended.status.signal() == Some(SIGXFSZ) || has(&["File too large", "died of signal 25"]) {
        return SourceError::TooLarge { url, what: TOO_MANY_BYTES };
    }
    if has(&["fsck error"]) {
        return SourceError::Malformed { url, why: why(&said) };
    }
    if has(&["Host key verification failed", "host key"]) {
        return SourceError::HostKey { url };
    }
    let why = why(&said);
    if has(&["Authentication failed", "could not read Username", "error: 403", "Permission denied"]) {
        return SourceError::AccessRefused { url, why };
    }
    SourceError::Unreachable { url, why }
}

/// The lines that say why a run failed, in one and without what could steer a terminal.
fn why(said: &str) -> String {
    let told = ["fatal: ", "error: ", "remote: "];
    let lines = || said.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let mut found: Vec<&str> = lines().filter(|line| told.iter().any(|begin| line.starts_with(begin))).collect();
    if found.is_empty() {
        found.extend(lines().next_back());
    }
    let text: String = found.join("; ").chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect();
    if text.is_empty() { "git gave no reason".to_owned() } else { text }
}

/// Clears a mirror that is there of what a fetch that was cut off left; whether it is there.
fn make_or_clear(folder: &Path) -> io::Result<bool> {
    if !folder.join("HEAD").try_exists()? {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        return Ok(false);
    }
    for inside in ["", "objects/pack", "refs/dialops"] {
        let entries = match fs::read_dir(folder.join(inside)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if is_leftover(&path) && path.is_file() {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(true)
}

/// Whether only a run that was cut off can have left a file of this name: nobody else uses the mirror.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("tmp_") || name.starts_with(".tmp-") || name.ends_with(".lock") || name.ends_with(".keep")
}

/// Whether a pack that a fetch has not finished is as large as a file may be.
fn is_full(mirror: &Path, limit: u64) -> bool {
    let files = fs::read_dir(mirror.join("objects/pack")).into_iter().flatten().flatten();
    let mut unfinished = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp_"));
    unfinished.any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() >= limit))
}

/// How many packs there are, and their bytes.
fn packs(folder: &Path) -> (usize, u64) {
    let is_pack = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "pack");
    let packs = fs::read_dir(folder).into_iter().flatten().flatten().filter(is_pack);
    let sizes = packs.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()));
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}

fn broken(path: &Path, source: JoinError) -> SourceError {
    SourceError::Git { path: path.to_owned(), doing: "running on another thread", source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_shown_in_one_line_that_steers_nothing() {
        let said = "hint: x\nremote: \u{1b}[2Jno\r\n\nfatal: bad\u{7} pack\n";
        assert_eq!(why(said), "remote: [2Jno; fatal: bad pack");
        assert_eq!(why("sh: 1: ulimit: error setting limit\n"), "sh: 1: ulimit: error setting limit");
        assert_eq!(why(" \n"), "git gave no reason");
        assert_eq!(why(&format!("fatal: {}", "x".repeat(1_000))).len(), WHY_CHARS_MAX);
    }

    #[test]
    fn only_whole_lines_name_refs() {
        let id = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";
        let output = format!("{id}\trefs/heads/main\nwarning\nx\ty\n{id}\trefs/heads/\u{e9}\n");
        let found: Vec<_> = refs(output.as_bytes()).collect();
        assert_eq!(found, [(id, "refs/heads/main"), (id, "refs/heads/\u{e9}")]);
    }
}
