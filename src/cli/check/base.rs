//! `--base`, `--changed-since` and `--at`: the folder beside what it was at a commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jiff::Timestamp;

use super::folder::Checked;
use crate::{
    cli::text,
    clock::Clock,
    config::{
        self, SourceFile,
        change::{self, Base},
        code::Code,
        diagnostic::sort,
    },
    domain::campaign::Ceilings,
    gitops::{Checkout, CommitFile, CommitFiles, SourceError},
};

/// The instant that `--at` names.
pub(super) fn instant(given: &str) -> Result<Timestamp, String> {
    if given == "now" {
        return Ok(Clock::system().now().wall);
    }
    text::instant(given).map_err(|forms| format!("{forms}, or `now`"))
}

/// What the folder is compared with.
pub(super) struct Compared<'a> {
    base: Option<(&'a str, CommitFiles)>,
    since: Option<CommitFiles>,
    at: Option<Timestamp>,
}

impl<'a> Compared<'a> {
    /// Reads the commits that were named.
    pub(super) fn new(
        folder: &Path,
        base: Option<&'a str>,
        since: Option<&str>,
        at: Option<Timestamp>,
    ) -> Result<Self, SourceError> {
        let read = |name: &str| Checkout::around(folder)?.at(name);
        let base = base.map(|name| read(name).map(|files| (name, files))).transpose()?;
        Ok(Self { base, since: since.map(read).transpose()?, at })
    }

    /// Adds what is wrong with the change. Now is what `--at` says, else when the base was committed; so
    /// without a base and `--at` nothing hangs on the time.
    pub(super) fn review(&self, checked: &mut Checked) {
        let now = self.at.or(self.base.as_ref().map(|(_, files)| files.committed_at));
        let Some(now) = now else { return };
        let files = self.base.as_ref().map(|(name, commit)| (*name, sources(&checked.folder, commit)));
        let base = files.as_ref().map(|(name, files)| Base { name, files });
        let found = change::review(&checked.own_sources().collect::<Vec<_>>(), base, now);
        checked.diagnostics.extend(found);
        sort(&mut checked.diagnostics);
    }

    /// Keeps what stands in a file that changed or relates to one, and whatever the commit did not have: a change
    /// of one file can break another.
    pub(super) fn narrow(&self, checked: &mut Checked, ceilings: &Ceilings) {
        let Some(since) = &self.since else { return };
        let files = sources(&checked.folder, since);
        let all: Vec<_> = files.iter().copied().chain(checked.others()).collect();
        let found = match config::load(&checked.folder, &all, ceilings) {
            Ok((_, warnings)) => warnings,
            Err(found) => found,
        };
        let known: BTreeSet<(Code, &str, &str)> =
            found.iter().map(|d| (d.code, d.location.file.as_ref(), d.message.as_str())).collect();
        let before: BTreeMap<&str, &[u8]> = files.iter().map(|file| (file.path, file.bytes)).collect();
        let after = checked.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        let differ = after.filter(|(path, bytes)| before.get(path) != Some(bytes)).map(|(path, _)| path);
        let gone = before.keys().copied().filter(|path| !checked.files.contains_key(*path));
        let changed: BTreeSet<String> = differ.chain(gone).map(|path| checked.shown(path)).collect();
        checked.diagnostics.retain(|d| {
            let mut places = std::iter::once(&d.location).chain(d.related.iter().map(|related| &related.location));
            let changed = places.any(|place| changed.contains(place.file.as_ref()));
            changed || !known.contains(&(d.code, d.location.file.as_ref(), d.message.as_str()))
        });
    }
}

fn sources<'a>(folder: &'a str, commit: &'a CommitFiles) -> Vec<SourceFile<'a>> {
    let source = |file: &'a CommitFile| SourceFile { folder, path: commit.inside(&file.path), bytes: &file.bytes };
    commit.files.iter().map(source).collect()
}
