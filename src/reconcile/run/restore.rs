//! After a start: what was in force comes into force again, before the branches are looked at or where they can't be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Followed, Looper, Standing, look::Loaded};
use crate::{
    domain::{
        campaign::KeptFile,
        ids::{CampaignId, Revision},
    },
    gitops::{CommitFile, CommitFiles},
    reconcile::{
        conditions::{Failure, with_causes},
        isolate::Isolated,
    },
    store::{StoreError, StoredFiles, inside},
    telemetry::status::{Problem, Verification},
};

/// A source's commit that was in force.
struct Restored {
    at: usize,
    files: CommitFiles,
    kept: BTreeMap<String, KeptFile>,
    verified: Option<Verification>,
}

impl Looper {
    /// Puts the last good commits in force again before the branches are looked at.
    pub(super) async fn resume(&mut self, sources: &mut [Followed]) -> Result<(), StoreError> {
        match self.restore(sources).await {
            Ok(()) => Ok(()),
            Err(Failure::Store(error @ (StoreError::Fenced(_) | StoreError::Closed))) => Err(error),
            Err(error) => {
                // The first look comes at once, and tries again.
                let error = with_causes(&error);
                tracing::warn!(error, "the last good commit can't be put in force before the branch is looked at");
                Ok(())
            }
        }
    }

    /// Puts the last good commits of all sources in force again, unless something is.
    pub(super) async fn restore(&mut self, sources: &mut [Followed]) -> Result<(), Failure> {
        if self.parts.generation.borrow().is_some() {
            return Ok(());
        }
        let Some((revision, _)) = self.parts.store.applied().await? else { return Ok(()) };
        let mut applied = self.parts.store.applied_commits().await?;
        let all_kept = self.parts.store.kept_files().await?;
        let (mut restored, mut failed) = (Vec::new(), None);
        let alone = sources.len() == 1;
        for one in sources.iter_mut() {
            let Some((revision, _)) = applied.remove(one.id()) else { continue };
            if alone && one.rejected.as_ref() == Some(&revision) {
                return Ok(());
            }
            match self.read_again(one, &revision, &all_kept).await {
                Ok(files) => {
                    self.standing[one.at] = files.standing();
                    restored.push(files);
                }
                Err(failure) => {
                    self.standing[one.at] = Standing::Unread(format!("source {}: {}", one.id(), with_causes(&failure)));
                    failed = Some(failure);
                }
            }
        }
        match failed {
            // Without it its campaigns would seem to be gone.
            Some(failure) => Err(failure),
            None if restored.is_empty() => Ok(()),
            None => self.put_again(sources, restored, &revision).await,
        }
    }

    /// Of several sources, none is looked at before it is known again what the others had in force: without them it
    /// could not be judged.
    pub(super) async fn known_again(&mut self, sources: &mut [Followed]) -> Result<(), Failure> {
        if sources.len() == 1 || self.parts.generation.borrow().is_some() {
            return Ok(());
        }
        match self.restore(sources).await {
            Err(Failure::Store(error)) => Err(Failure::Store(error)),
            // Which source it is that can't be read again is known now.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A source's commit that was in force, from its repository, or if it is not there, from the store.
    async fn read_again(
        &self,
        one: &mut Followed,
        revision: &Revision,
        all_kept: &BTreeMap<String, KeptFile>,
    ) -> Result<Restored, Failure> {
        let verified = self.verify_restored(one, revision).await?;
        let kept = self.kept_files(one, all_kept).await;
        let read = match kept.is_empty() {
            true => one.source.read(revision).await,
            false => one.source.read_apart(revision).await.map(|files| files.with_kept(&kept)),
        };
        let files = match read {
            Ok(files) => files,
            Err(error) => {
                match self.parts.store.files().await?.and_then(|found| out_of(&found, one, revision, &kept)) {
                    Some(mut files) => {
                        self.describe(&mut files).await?;
                        let (source, error) = (one.id(), with_causes(&error));
                        tracing::warn!(%source, error, "the files in force can't be read there: those in the store are taken");
                        files
                    }
                    None => return Err(error.into()),
                }
            }
        };
        Ok(Restored { at: one.at, files, kept, verified })
    }

    /// Tells of a commit that can't be read what the journal has of it.
    async fn describe(&self, files: &mut CommitFiles) -> Result<(), StoreError> {
        let handled = self.parts.store.handled_commits(u32::MAX).await?;
        let known = handled.into_iter().filter(|commit| commit.revision == files.revision);
        if let Some(info) = known.filter_map(|commit| commit.commit).next() {
            files.committed_at = info.time.parse().unwrap_or(files.committed_at);
            (files.author, files.subject) = (info.author, info.subject);
        }
        Ok(())
    }

    /// Puts what was read in force, as the generation that the store has.
    async fn put_again(
        &mut self,
        sources: &mut [Followed],
        mut restored: Vec<Restored>,
        revision: &Revision,
    ) -> Result<(), Failure> {
        let (at, verified, isolated) = loop {
            // That which came into force last is the generation.
            let newest = restored.iter().position(|one| one.files.revision == *revision).unwrap_or(0);
            match self.check_again(&restored, newest).await? {
                Ok(isolated) => {
                    let first = restored.swap_remove(newest);
                    break (first.at, first.verified, isolated);
                }
                Err(problems) => self.leave_out(&mut restored, problems).map_err(Failure::Invalid)?,
            }
        };
        let others: Vec<Standing> =
            (0..self.standing.len()).filter(|other| *other != at).map(|at| self.standing[at].clone()).collect();
        let mut loaded = Loaded::new(isolated, &others);
        loaded.info.verified = verified;
        let stored = self.parts.store.campaigns().await?;
        let mut generation = self.without_revivals(&loaded.generation, &stored);
        let paused: BTreeSet<CampaignId> = self.keep_pauses(&mut generation, &stored).into_iter().collect();
        self.put(&mut sources[at], &generation, &stored).await?;
        let of_others = restored.into_iter().map(|one| (one.at, loaded.of_other(one.files, one.kept, one.verified)));
        let all: Vec<(usize, Loaded)> = of_others.collect();
        for (at, loaded) in all.iter().map(|(at, loaded)| (*at, loaded)).chain([(at, &loaded)]) {
            let one = &mut sources[at];
            one.look_again = !loaded.kept.is_empty();
            let (source, revision) = (one.id(), &loaded.files.revision);
            tracing::info!(%source, %revision, files = loaded.files.files.len(), "commit in force again");
            // Who means to stop them is not known any more: their source is to have its say before they go on, and of
            // those that a template has a say in each source.
            let its = |id: &&CampaignId| generation.source_of(id) == Some(one.id()) || loaded.extending.contains(*id);
            let stopped: BTreeSet<CampaignId> = paused.iter().filter(its).cloned().collect();
            one.paused_in_freeze |= !stopped.is_empty();
            self.published(one, loaded, &generation).await?;
            self.stop(at, &stopped);
        }
        self.keep_files().await;
        Ok(())
    }
}

impl Looper {
    /// What the files that were in force come to by this version and these settings, or what is wrong with them.
    async fn check_again(
        &self,
        restored: &[Restored],
        newest: usize,
    ) -> Result<Result<Isolated, Vec<Problem>>, Failure> {
        let (files, kept) = (restored[newest].files.clone(), restored[newest].kept.clone());
        let others = restored.iter().enumerate().filter(|(at, _)| *at != newest);
        let beside: Vec<Arc<CommitFiles>> = others.map(|(_, one)| Arc::new(one.files.clone())).collect();
        let load = Arc::clone(&self.parts.load);
        let checked = tokio::task::spawn_blocking(move || match load(&files, &beside) {
            Ok(checked) => Ok(Isolated { files, checked, kept, problems: Vec::new(), stopped: Vec::new() }),
            Err(rejected) => Err(rejected.problems),
        });
        checked.await.map_err(|_| Failure::Crashed)
    }

    /// Leaves those sources out whose files are not good any more, as when a ceiling has shrunk: the others go on.
    fn leave_out(&mut self, restored: &mut Vec<Restored>, problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
        let blamed = |one: &Restored| problems.iter().any(|problem| problem.file.starts_with(&one.files.prefix));
        let good = restored.iter().filter(|one| !blamed(one)).count();
        if good == 0 || good == restored.len() {
            return Err(problems);
        }
        for one in restored.extract_if(.., |one| blamed(one)) {
            let (source, revision) = (&one.files.source, one.files.revision.clone());
            tracing::warn!(%source, %revision, "what was in force is not good any more: its campaigns are paused");
            self.standing[one.at] = Standing::LeftOut(source.clone(), revision);
        }
        Ok(())
    }
}

impl Restored {
    fn standing(&self) -> Standing {
        let (files, kept) = (Arc::new(self.files.clone()), Arc::new(self.kept.clone()));
        Standing::Files { files, kept, stopped: BTreeSet::new() }
    }
}

/// The files of a source's commit as the store keeps them.
fn out_of(
    found: &StoredFiles,
    one: &Followed,
    revision: &Revision,
    kept: &BTreeMap<String, KeptFile>,
) -> Option<CommitFiles> {
    let of = found.sources.iter().find(|of| of.source == *one.id() && of.revision == *revision)?;
    let label = one.source.settings().label();
    // The settings may have had one source then and several now, or the other way.
    let stored = format!("{}:", one.id());
    let stored = if of.folder.starts_with(&stored) { stored } else { String::new() };
    let own = |path: &str| path.strip_prefix(&stored).map(|inside| format!("{label}{inside}"));
    if found.edited.iter().any(|path| path.starts_with(&stored)) {
        // Nobody has reviewed that.
        return None;
    }
    let files = found.files.iter().filter(|(path, _)| inside(&of.folder, path).is_some());
    let kept_from = |path: &str| match kept.get(path) {
        Some(KeptFile::Of { revision, .. }) => Some(revision.clone()),
        Some(KeptFile::LeftOut) | None => None,
    };
    let file = |(path, bytes): (&String, &Vec<u8>)| {
        let (path, bytes) = (own(path)?, bytes.as_slice().into());
        Some(CommitFile { kept_from: kept_from(&path), path, bytes })
    };
    Some(CommitFiles {
        source: one.id().clone(),
        revision: revision.clone(),
        committed_at: Timestamp::UNIX_EPOCH,
        author: String::new(),
        subject: String::new(),
        prefix: own(&of.folder)?,
        files: files.filter_map(file).collect(),
        refused: Vec::new(),
    })
}
