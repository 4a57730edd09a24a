//! After a start: what was in force comes into force again, before the branches are looked at or where they can't be.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Followed, Looper, Standing, look::Loaded};
use crate::{
    domain::{campaign::KeptFile, ids::Revision},
    gitops::{CommitFile, CommitFiles},
    reconcile::{
        conditions::{Failure, with_causes},
        isolate::Isolated,
    },
    store::{StoreError, StoredFiles},
    telemetry::status::Verification,
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
        for one in sources.iter_mut() {
            let Some((revision, _)) = applied.remove(one.id()) else { continue };
            if one.rejected.as_ref() == Some(&revision) {
                return Ok(());
            }
            match self.read_again(one, &revision, &all_kept).await {
                Ok(files) => restored.push(files),
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
                    Some(files) => {
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

    /// Puts what was read in force, as the generation that the store has.
    async fn put_again(
        &mut self,
        sources: &mut [Followed],
        mut restored: Vec<Restored>,
        revision: &Revision,
    ) -> Result<(), Failure> {
        // That which came into force last is the generation.
        let newest = restored.iter().position(|one| one.files.revision == *revision).unwrap_or(0);
        let first = restored.swap_remove(newest);
        for other in &restored {
            self.standing[other.at] = other.standing();
        }
        let others: Vec<Standing> = restored.iter().map(Restored::standing).collect();
        let beside: Vec<Arc<CommitFiles>> = restored.iter().map(|one| Arc::new(one.files.clone())).collect();
        let load = Arc::clone(&self.parts.load);
        let Restored { at, files, kept, verified } = first;
        let checked = tokio::task::spawn_blocking(move || {
            let checked = load(&files, &beside)?;
            Ok(Isolated { files, checked, kept, problems: Vec::new(), stopped: Vec::new() })
        });
        let isolated = checked.await.map_err(|_| Failure::Crashed)?;
        let isolated = isolated.map_err(|rejected: crate::reconcile::Rejected| Failure::Invalid(rejected.problems))?;
        let mut loaded = Loaded::new(isolated, &others);
        loaded.info.verified = verified;
        let stored = self.parts.store.campaigns().await?;
        let mut generation = self.without_revivals(&loaded.generation, &stored);
        let paused = self.keep_pauses(&mut generation, &stored);
        self.put(&mut sources[at], &generation, &stored).await?;
        for one in sources.iter_mut() {
            let its = |id| generation.source_of(id) == Some(one.id());
            one.paused_in_freeze |= paused.iter().any(its);
        }
        let of_others = restored.into_iter().map(|one| (one.at, loaded.of_other(one.files, one.kept, one.verified)));
        let all: Vec<(usize, Loaded)> = of_others.collect();
        for (at, loaded) in all.iter().map(|(at, loaded)| (*at, loaded)).chain([(at, &loaded)]) {
            let one = &mut sources[at];
            one.restored_in_part = !loaded.kept.is_empty();
            let (source, revision) = (one.id(), &loaded.files.revision);
            tracing::info!(%source, %revision, files = loaded.files.files.len(), "commit in force again");
            self.published(one, loaded, &generation).await?;
        }
        self.keep_files().await;
        Ok(())
    }
}

impl Restored {
    fn standing(&self) -> Standing {
        Standing::Files { files: Arc::new(self.files.clone()), kept: Arc::new(self.kept.clone()) }
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
    if found.edited.iter().any(|path| path.starts_with(&label)) {
        // Nobody has reviewed that.
        return None;
    }
    let files = found.files.iter().filter(|(path, _)| path.starts_with(&label));
    let kept_from = |path: &str| match kept.get(path) {
        Some(KeptFile::Of { revision, .. }) => Some(revision.clone()),
        Some(KeptFile::LeftOut) | None => None,
    };
    let file = |(path, bytes): (&String, &Vec<u8>)| CommitFile {
        path: path.clone(),
        bytes: bytes.as_slice().into(),
        kept_from: kept_from(path),
    };
    Some(CommitFiles {
        source: one.id().clone(),
        revision: revision.clone(),
        committed_at: Timestamp::UNIX_EPOCH,
        author: String::new(),
        subject: String::new(),
        prefix: of.folder.clone(),
        files: files.map(file).collect(),
        refused: Vec::new(),
    })
}
