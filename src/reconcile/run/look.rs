//! One look at a source: from its branch's commit to what is in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{Followed, Looper, Standing, fetch::Asked, followed::metric, guard::pause};
use crate::{
    domain::{
        campaign::{Generation, KeptFile, KeptFiles, Sources},
        ids::{CampaignId, Revision},
        now::Now,
    },
    gitops::{CommitFiles, SourceError},
    reconcile::{
        check::Rejected,
        conditions::{self, Failure},
        isolate::{Isolated, isolate},
    },
    store::{StoreError, StoredCampaign},
    telemetry::status::{CommitInfo, Problem, Verification},
};

/// A commit that is good, or of which the good part is taken, beside what other sources have in force.
pub(super) struct Loaded {
    pub(super) generation: Arc<Generation>,
    pub(super) lowered: Vec<Problem>,
    pub(super) info: CommitInfo,
    pub(super) files: Arc<CommitFiles>,
    /// Files of it that an earlier commit has so.
    pub(super) kept: Arc<BTreeMap<String, KeptFile>>,
    /// What is wrong with what was left out.
    pub(super) problems: Vec<Problem>,
    /// Campaigns that are paused because of it.
    pub(super) stopped: Vec<CampaignId>,
    /// Campaigns, of whatever source, that a template has a say in; none are known where there is one source.
    pub(super) extending: BTreeSet<CampaignId>,
}

impl Loaded {
    /// What came of a check beside `others`.
    pub(super) fn new(isolated: Isolated, others: &[Standing]) -> Self {
        let Isolated { files, checked, kept, problems, stopped } = isolated;
        let of_others = others.iter().filter_map(|standing| match standing {
            Standing::Files { files, kept, .. } => Some((files, kept)),
            Standing::Nothing | Standing::Unread(_) | Standing::LeftOut(..) => None,
        });
        let mut commits = BTreeMap::from([(files.source.clone(), files.revision.clone())]);
        let left_out = others.iter().filter_map(|standing| match standing {
            Standing::LeftOut(source, revision) => Some((source.clone(), revision.clone())),
            Standing::Nothing | Standing::Unread(_) | Standing::Files { .. } => None,
        });
        commits.extend(left_out);
        let mut all_kept = kept.clone();
        for (files, kept) in of_others {
            commits.insert(files.source.clone(), files.revision.clone());
            all_kept.extend(kept.iter().map(|(path, file)| (path.clone(), file.clone())));
        }
        let of_commits = checked.kept.into_iter().map(|(campaign, (_, revision))| (campaign, revision));
        let of_commits = of_commits.chain(checked.kept_elsewhere).collect();
        let extending = checked.sources.iter().filter(|(_, (_, extends))| *extends);
        let extending = extending.map(|(campaign, _)| campaign.clone()).collect();
        let campaigns = checked.sources.into_iter().map(|(campaign, (source, _))| (campaign, source)).collect();
        let generation = Generation {
            revision: files.revision.clone(),
            committed_at: files.committed_at,
            definitions: checked.definitions,
            kept: KeptFiles { files: all_kept, campaigns: of_commits },
            sources: Sources { commits, campaigns },
        };
        let info = info(&files);
        let mut lowered = checked.lowered;
        lowered.retain(|problem| others.is_empty() || problem.file.starts_with(&files.prefix));
        let (generation, files, kept) = (Arc::new(generation), Arc::new(files), Arc::new(kept));
        Self { generation, lowered, info, files, kept, problems, stopped, extending }
    }

    /// The same generation as another source's commit in it is told.
    pub(super) fn of_other(
        &self,
        files: CommitFiles,
        kept: BTreeMap<String, KeptFile>,
        verified: Option<Verification>,
    ) -> Self {
        let info = CommitInfo { verified, ..info(&files) };
        Self {
            generation: Arc::clone(&self.generation),
            lowered: Vec::new(),
            info,
            files: Arc::new(files),
            kept: Arc::new(kept),
            problems: Vec::new(),
            stopped: Vec::new(),
            extending: self.extending.clone(),
        }
    }

    /// Has campaigns stay paused that other sources have stopped.
    fn keep_stopped(&mut self, others: &[Standing]) {
        let stopped = others.iter().filter_map(|standing| match standing {
            Standing::Files { stopped, .. } => Some(stopped),
            Standing::Nothing | Standing::Unread(_) | Standing::LeftOut(..) => None,
        });
        let stopped: BTreeSet<CampaignId> = stopped.flatten().cloned().collect();
        pause(&mut self.generation, &stopped);
    }
}

/// What a commit says of itself.
pub(super) fn info(files: &CommitFiles) -> CommitInfo {
    let (author, subject) = (files.author.clone(), files.subject.clone());
    CommitInfo { author, time: files.committed_at.to_string(), subject, verified: None }
}

impl Looper {
    pub(super) async fn look(
        &mut self,
        one: &mut Followed,
        head: Result<Revision, SourceError>,
        asked: &Asked,
    ) -> Result<(), Failure> {
        one.journal.looked(head.as_ref().map(drop).map_err(|error| error as &dyn std::error::Error));
        self.look_for_drift(one, asked).await;
        let found = one.find_pin(&self.parts).await;
        let pin = one.pin_in_force(&self.parts);
        one.pinned = pin.is_some();
        self.retire_due(one).await?;
        match (pin, head) {
            // Of a source that can't be seen the pinned commit may still be there.
            (Some((_, pinned)), _) => self.follow(one, &pinned, asked, true).await,
            (None, Ok(head)) => {
                found?;
                self.follow(one, &head, asked, false).await
            }
            (None, Err(error)) => {
                one.rejected = None;
                Err(error.into())
            }
        }
    }

    /// Puts the branch's commit in force, unless it is, or is known not to be good.
    async fn follow(
        &mut self,
        one: &mut Followed,
        head: &Revision,
        asked: &Asked,
        pinned: bool,
    ) -> Result<(), Failure> {
        if one.in_force.as_ref() == Some(head) && !one.paused_in_freeze && !one.look_again {
            // The branch may have come back to it after a commit that was not good.
            one.recovered(head, &self.parts);
            one.journal.stands(head, one.in_part.as_ref());
            return Ok(());
        }
        if (one.rejected.as_ref() == Some(head) || self.is_frozen(one, head)) && !asked.again {
            return Ok(());
        }
        let began = self.parts.clock.now();
        one.journal.begun(head);
        let before = self.applied_of(one).await.ok().flatten();
        let outcome = self.attempt(one, head, asked, pinned).await;
        let took = self.parts.clock.now().mono.saturating_sub(began.mono);
        one.journal.handled(head, before.as_ref(), outcome.as_ref().map(|()| one.in_part.as_ref()), took);
        self.parts.metrics.source(one.at).reconciled(outcome.as_ref().map(drop).map_err(Failure::metric), took);
        one.rejected = match &outcome {
            Err(failure) if failure.is_of_commit() && !failure.is_of_keys() => Some(head.clone()),
            _ => None,
        };
        outcome
    }

    async fn attempt(
        &mut self,
        one: &mut Followed,
        head: &Revision,
        asked: &Asked,
        pinned: bool,
    ) -> Result<(), Failure> {
        let before = self.applied_of(one).await?;
        if let Some(applied) = &before
            && !(asked.allow_rewrite || pinned)
            && !one.source.descends(head, applied).await?
        {
            let of = (self.standing.len() > 1).then(|| one.id().clone());
            return Err(Failure::Rewritten { head: head.clone(), applied: applied.clone(), of });
        }
        let attempted = Some(one.shown(head));
        one.tell(&self.parts, |status| {
            if status.last_attempted_revision != attempted {
                status.last_attempted_revision = attempted;
                // Those of another commit are none of this one's.
                status.problems.clear();
            }
        });
        let verified = self.verify(one, head, before.as_ref(), pinned).await?;
        // Who pins a commit wants that one, not a part of it; and of what is not known nothing can stay as it was.
        let known = matches!(self.standing[one.at], Standing::Files { .. });
        let apart = self.isolates() && !pinned && (known || before.is_none());
        let files = match apart {
            true => one.source.read_apart(head).await,
            false => one.source.read(head).await,
        };
        let files = match files {
            // All that it had may have moved to another source.
            Err(SourceError::EmptyPrefix { .. }) if before.is_some() && self.standing.len() > 1 => {
                one.source.read_without_files(head).await?
            }
            files => files?,
        };
        one.journal.read(&files, verified.clone());
        one.tell(&self.parts, |status| status.files = files.files.len());
        self.parts.metrics.source(one.at).observed(files.committed_at);
        let mut loaded = self.check(one, files, apart).await?;
        loaded.info.verified = verified;
        self.guard(one, &loaded, before.as_ref(), pinned).await?;
        one.paused_in_freeze = false;
        one.look_again = false;
        let stored = self.parts.store.campaigns().await?;
        let generation = self.without_revivals(&loaded.generation, &stored);
        let now = self.apply(one, &loaded, &generation, &stored).await?;
        if before.as_ref() != Some(head) {
            let after_commit = now.wall.duration_since(loaded.generation.committed_at);
            let after_commit = Duration::try_from(after_commit).unwrap_or_default();
            self.parts.metrics.source(one.at).commit_applied(metric(asked.trigger), after_commit);
        }
        // Status tells of it first: the copy in the store may take a second.
        one.recovered(head, &self.parts);
        self.keep_files().await;
        Ok(())
    }

    /// What the store has in force of a source; asked once.
    async fn applied_of(&self, one: &mut Followed) -> Result<Option<Revision>, StoreError> {
        if one.applied.is_none() {
            let applied = self.parts.store.applied_commits().await?.remove(one.id());
            one.applied = Some(applied.map(|(revision, _)| revision));
        }
        Ok(one.applied.clone().flatten())
    }

    /// Turns a commit's files into a generation; `apart` if what is bad of them stays as it was.
    async fn check(&self, one: &Followed, files: CommitFiles, apart: bool) -> Result<Loaded, Failure> {
        let others = self.others(one).map_err(Failure::Beside)?;
        let beside = in_force(&others);
        let load = Arc::clone(&self.parts.load);
        let last = match &self.standing[one.at] {
            Standing::Files { files, .. } => Some(Arc::clone(files)),
            Standing::Nothing | Standing::Unread(_) | Standing::LeftOut(..) => None,
        };
        let paused = self.parts.generation.borrow().as_ref().map(|generation| generation.definitions.paused());
        let paused = paused.unwrap_or_default();
        let checked = tokio::task::spawn_blocking(move || match apart {
            true => isolate(&files, last.as_deref(), &beside, &paused, &*load),
            false => {
                let checked = load(&files, &beside)?;
                Ok(Isolated { files, checked, kept: BTreeMap::new(), problems: Vec::new(), stopped: Vec::new() })
            }
        });
        let checked: Result<Isolated, Rejected> = checked.await.map_err(|_| Failure::Crashed)?;
        let isolated = checked.map_err(|rejected| Failure::Invalid(rejected.problems))?;
        let mut loaded = Loaded::new(isolated, &others);
        loaded.keep_stopped(&others);
        Ok(loaded)
    }

    /// What other sources have in force beside one; why not, if it is not known.
    fn others(&self, one: &Followed) -> Result<Vec<Standing>, String> {
        let others = self.standing.iter().enumerate().filter(|(at, _)| *at != one.at);
        let unread = |standing: &Standing| match standing {
            Standing::Unread(why) => Err(why.clone()),
            Standing::Nothing | Standing::Files { .. } | Standing::LeftOut(..) => Ok(standing.clone()),
        };
        others.map(|(_, standing)| unread(standing)).collect()
    }

    /// Puts a generation in force: in the store, then for the dialling loop.
    async fn apply(
        &mut self,
        one: &mut Followed,
        loaded: &Loaded,
        generation: &Arc<Generation>,
        stored: &[StoredCampaign],
    ) -> Result<Now, StoreError> {
        let plan = self.put(one, generation, stored).await?;
        let now = self.parts.clock.now();
        let (source, revision) = (one.id(), &loaded.files.revision);
        let (changed, unchanged) = (plan.actions.len(), plan.unchanged);
        let kept = loaded.kept.len();
        tracing::info!(%source, %revision, changed, unchanged, files = loaded.files.files.len(), kept, "commit in force");
        self.published(one, loaded, generation).await?;
        Ok(now)
    }

    /// The store has a generation in force: it is published, and told.
    pub(super) async fn published(
        &mut self,
        one: &mut Followed,
        loaded: &Loaded,
        generation: &Arc<Generation>,
    ) -> Result<(), StoreError> {
        // The store knows since when: it keeps the instant of the first time.
        self.applied = Some(Some(generation.revision.clone()));
        let applied = self.parts.store.applied_commits().await?.remove(one.id());
        let since = applied.as_ref().map(|(_, since)| *since);
        one.applied = Some(applied.map(|(revision, _)| revision));
        let revision = &loaded.files.revision;
        one.in_force = Some(revision.clone());
        let (files, kept) = (Arc::clone(&loaded.files), Arc::clone(&loaded.kept));
        let stopped = loaded.stopped.iter().cloned().collect();
        self.standing[one.at] = Standing::Files { files, kept, stopped };
        let in_part = (!loaded.problems.is_empty()).then(|| loaded.problems.clone());
        one.in_part = in_part.map(|problems| Failure::in_part(revision, &loaded.kept, problems, &loaded.stopped));
        self.parts.generation.send_replace(Some(Arc::clone(generation)));
        let shown = Some(one.shown(revision));
        one.tell(&self.parts, |status| {
            status.last_applied_revision = shown;
            status.applied_commit = Some(loaded.info.clone());
            status.applied_at = since.map(|at| at.to_string());
            status.lowered.clone_from(&loaded.lowered);
            // Those of the commit before are none of this one's.
            status.problems = loaded.problems.iter().take(conditions::PROBLEMS_SHOWN_MAX).cloned().collect();
        });
        one.pin(revision).await;
        Ok(())
    }

    /// The generation, in which campaigns that have expired stay so.
    pub(super) fn without_revivals(&self, generation: &Arc<Generation>, stored: &[StoredCampaign]) -> Arc<Generation> {
        let ended: BTreeMap<&CampaignId, Timestamp> =
            stored.iter().filter_map(|row| Some((&row.id, row.ends_at?))).collect();
        let mut generation = Arc::clone(generation);
        let now = self.parts.clock.now().wall;
        for campaign in Generation::keep_expired(&mut generation, |id| ended.get(id).copied(), now) {
            tracing::warn!(
                revision = %generation.revision, %campaign,
                "the campaign has expired, which is final: its new `ends_at` has no effect; give it a new `id`"
            );
        }
        generation
    }
}

/// The files of sources that have any in force.
pub(super) fn in_force(standing: &[Standing]) -> Vec<Arc<CommitFiles>> {
    let files = standing.iter().filter_map(|standing| match standing {
        Standing::Files { files, .. } => Some(Arc::clone(files)),
        Standing::Nothing | Standing::Unread(_) | Standing::LeftOut(..) => None,
    });
    files.collect()
}
