//! The loop itself.

mod copies;
mod drift;
mod files;
mod guard;
mod verify;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::{drift::Drifts, files::KeptDigests, guard::Frozen};
use super::{
    check::{Load, Rejected},
    conditions::{self, Failure, with_causes},
    isolate::{Isolated, isolate},
    journal::Journal,
    rows::Digests,
};
use crate::{
    clock::Clock,
    control::{DialCommand, ReconcileCommand},
    delivery::Outbox,
    domain::{
        campaign::{Generation, KeptFile, KeptFiles},
        drift::Policy,
        guards::{BadFiles, Guards},
        ids::{CampaignId, Revision},
        now::Now,
    },
    gitops::{CommitFiles, Source, SourceError, Trigger, Wake, wake::Triggers},
    store::{Store, StoreError, StoredCampaign},
    telemetry::{
        metrics::{self, Fetch, Metrics},
        status::{CommitInfo, Failing, Problem, SourceStatus},
    },
};

/// First wait after the store failed; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);

/// Longest wait after the store failed.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Most problems of one commit in the log; status has more of them.
const PROBLEMS_LOGGED_MAX: usize = 20;

/// What the loop works with.
pub struct Reconcile {
    /// The branch to follow.
    pub source: Source,
    /// Where a generation is put in force.
    pub store: Arc<dyn Store>,
    /// How files become definitions.
    pub load: Arc<Load>,
    /// What asks for a look.
    pub wake: Arc<Wake>,
    /// What a good commit may still wait for.
    pub guards: Guards,
    /// What is done where the store differs from the commit in force.
    pub drift: Policy,
    /// The dialling loop, which knows what is live.
    pub dialer: mpsc::Sender<DialCommand>,
    /// Commands to look now; [`crate::control::QUEUE_LENGTH`] long.
    pub commands: mpsc::Receiver<ReconcileCommand>,
    /// The generation in force; `None` until the first.
    pub generation: watch::Sender<Option<Arc<Generation>>>,
    /// What became of the newest commit.
    pub status: watch::Sender<SourceStatus>,
    /// Where looks are counted.
    pub metrics: Arc<Metrics>,
    /// Where what became of commits is left for others to be told.
    pub outbox: Arc<Outbox>,
    /// The time.
    pub clock: Clock,
}

/// Follows the branch until `shutdown`. Fails only when the store was closed or taken over: then
/// nothing may go on.
pub async fn run(parts: Reconcile, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut state = Looper::new(parts);
    state.journal.begin().await;
    // A server may take its time, or be gone; what was in force goes on meanwhile. Of a commit that is taken apart it
    // has to be known what was.
    if state.parts.source.is_remote() || state.isolates() {
        state.resume().await?;
    }
    loop {
        let wait = state.waits();
        let asked = tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                state.journal.end().await;
                return Ok(());
            }
            Some(command) = state.parts.commands.recv() => state.commanded(command),
            triggers = state.parts.wake.next() => {
                if triggers.has(Trigger::Signal) {
                    state.journal.asked("SIGHUP", false);
                }
                Asked::by(triggers)
            }
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                Asked::plainly(Trigger::Retry)
            }
        };
        tokio::select! {
            biased;
            head = state.head() => state.look(head, asked).await?,
            // A fetch that is under way ends here; nothing was begun with what it brings.
            () = shutdown.cancelled() => {
                state.journal.end().await;
                return Ok(());
            }
        }
    }
}

/// Who asks for a look, and what may be done beyond the ordinary.
#[derive(Debug)]
struct Asked {
    trigger: Trigger,
    /// Look again at what was refused.
    again: bool,
    /// Take a commit that does not follow the one in force.
    allow_rewrite: bool,
    /// A pin says which commit, not the branch.
    pinned: bool,
    token: Option<String>,
    done: Vec<oneshot::Sender<()>>,
}

impl Asked {
    fn plainly(trigger: Trigger) -> Self {
        Self { trigger, again: trigger.is_asked_for(), allow_rewrite: false, pinned: false, token: None, done: vec![] }
    }

    fn by(triggers: Triggers) -> Self {
        let again = Trigger::ALL.into_iter().any(|t| t.is_asked_for() && triggers.has(t));
        Self { again, ..Self::plainly(triggers.first()) }
    }
}

struct Looper {
    parts: Reconcile,
    /// The revision in force by the store, and since when; `None` until the store was asked.
    applied: Option<Option<(Revision, Timestamp)>>,
    /// The revision whose definitions are published.
    in_force: Option<Revision>,
    /// The commit that the last look found, if it could be seen.
    observed: Option<Revision>,
    /// The commit that was looked at and is not to be put in force.
    rejected: Option<Revision>,
    /// What was last said of a failure, to say each once.
    told: Option<String>,
    retry_in: Option<Duration>,
    /// Whether the last look followed a pin.
    pinned: bool,
    /// The commit that waits for the end of a freeze, and when that is.
    frozen: Option<Frozen>,
    /// Whether a freeze has paused campaigns of the commit in force.
    paused_in_freeze: bool,
    /// When the next campaign whose file is gone retires.
    retires_at: Option<Timestamp>,
    digests: Digests,
    drift: Drifts,
    journal: Journal,
    /// Whether a failure to pin was told.
    pin_failed: bool,
    /// The files that the store keeps, once that is known.
    kept_digests: Option<KeptDigests>,
    /// The files in force.
    files: Option<Arc<CommitFiles>>,
    /// Why the commit in force is so but in part.
    in_part: Option<Failure>,
    /// Whether it came into force in part in an earlier life, and is yet to be looked at for the reason.
    restored_in_part: bool,
}

/// A commit that is good, or of which the good part is taken.
struct Loaded {
    generation: Arc<Generation>,
    lowered: Vec<Problem>,
    info: CommitInfo,
    files: Arc<CommitFiles>,
    /// What is wrong with what was left out.
    problems: Vec<Problem>,
    /// Campaigns that are paused because of it.
    stopped: Vec<CampaignId>,
}

impl Loaded {
    fn new(checked: Result<Result<Isolated, Rejected>, tokio::task::JoinError>) -> Result<Self, Failure> {
        let isolated =
            checked.map_err(|_| Failure::Crashed)?.map_err(|rejected| Failure::Invalid(rejected.problems))?;
        let Isolated { files, checked, kept, problems, stopped } = isolated;
        let of_commits = checked.kept.into_iter().map(|(campaign, (_, revision))| (campaign, revision)).collect();
        let generation = Generation {
            revision: files.revision.clone(),
            committed_at: files.committed_at,
            definitions: checked.definitions,
            kept: KeptFiles { files: kept, campaigns: of_commits },
        };
        let info = CommitInfo {
            author: files.author.clone(),
            time: files.committed_at.to_string(),
            subject: files.subject.clone(),
            verified: None,
        };
        let (generation, files) = (Arc::new(generation), Arc::new(files));
        Ok(Self { generation, lowered: checked.lowered, info, files, problems, stopped })
    }
}

impl Looper {
    fn new(parts: Reconcile) -> Self {
        let settings = parts.source.settings();
        let status = SourceStatus {
            repository: settings.at.to_string(),
            reference: settings.follow.reference(),
            conditions: conditions::unknown(parts.clock.now().wall),
            ..SourceStatus::default()
        };
        parts.status.send_replace(status);
        let journal = Journal::new(Arc::clone(&parts.store), parts.clock.clone(), Arc::clone(&parts.outbox));
        let seed = parts.store.dialog_key().iter().fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(*byte));
        Self {
            parts,
            drift: Drifts::new(seed),
            applied: None,
            in_force: None,
            observed: None,
            rejected: None,
            told: None,
            retry_in: None,
            pinned: false,
            frozen: None,
            paused_in_freeze: false,
            retires_at: None,
            digests: Digests::default(),
            journal,
            pin_failed: false,
            kept_digests: None,
            files: None,
            in_part: None,
            restored_in_part: false,
        }
    }

    /// Takes every command that waits: one look answers them all.
    fn commanded(&mut self, command: ReconcileCommand) -> Asked {
        let mut asked = Asked::plainly(Trigger::Manual);
        let mut next = Some(command);
        while let Some(command) = next {
            self.journal.asked(&command.by, command.allow_rewrite);
            asked.allow_rewrite |= command.allow_rewrite;
            asked.token = Some(command.token);
            asked.done.push(command.done);
            next = self.parts.commands.try_recv().ok();
        }
        asked
    }

    async fn look(&mut self, head: Result<Revision, SourceError>, mut asked: Asked) -> Result<(), StoreError> {
        self.journal.looked(head.as_ref().map(drop).map_err(|error| error as &dyn std::error::Error));
        self.look_for_drift(&asked).await;
        let pin = self.pin_in_force();
        self.pinned = pin.is_some();
        let outcome = match (self.retire_due().await, pin, head) {
            (Err(error), _, _) => Err(error.into()),
            // Of a source that can't be seen the pinned commit may still be there.
            (Ok(()), Some((_, pinned)), _) => {
                (asked.pinned, asked.allow_rewrite) = (true, true);
                self.follow(&pinned, &asked).await
            }
            (Ok(()), None, Ok(head)) => self.follow(&head, &asked).await,
            (Ok(()), None, Err(error)) => {
                self.rejected = None;
                Err(error.into())
            }
        };
        if let Err(failure) = outcome {
            self.failed(failure).await?;
        } else {
            self.retry_in = None;
        }
        self.journal.write().await;
        if let Some(token) = asked.token {
            self.parts.status.send_modify(|status| status.last_handled_reconcile = Some(token));
        }
        for done in asked.done {
            // Who asked may have gone.
            let _ = done.send(());
        }
        Ok(())
    }

    async fn head(&mut self) -> Result<Revision, SourceError> {
        let began = self.parts.clock.now();
        let head = self.parts.source.head().await;
        let fetch = match &head {
            Ok(head) if self.observed.as_ref() == Some(head) => Fetch::Noop,
            Ok(_) => Fetch::Changed,
            Err(_) => Fetch::Error,
        };
        let now = self.parts.clock.now();
        self.parts.metrics.source_fetched(fetch, now.mono.saturating_sub(began.mono), now.wall);
        self.observed = head.as_ref().ok().cloned();
        if fetch == Fetch::Changed {
            self.observed.iter().for_each(|head| self.journal.observed(head));
            let observed = self.observed.as_ref().map(|head| self.shown(head));
            self.parts.status.send_modify(|status| status.observed_revision = observed);
        }
        head
    }

    /// Puts the branch's commit in force, unless it is, or is known not to be good.
    async fn follow(&mut self, head: &Revision, asked: &Asked) -> Result<(), Failure> {
        if self.in_force.as_ref() == Some(head) && !self.paused_in_freeze && !self.restored_in_part {
            // The branch may have come back to it after a commit that was not good.
            self.recovered(head);
            self.journal.stands(head, self.in_part.as_ref());
            return Ok(());
        }
        if (self.rejected.as_ref() == Some(head) || self.is_frozen(head)) && !asked.again {
            return Ok(());
        }
        let began = self.parts.clock.now();
        self.journal.begun(head);
        let before = self.applied().await.ok().flatten().map(|(revision, _)| revision);
        let outcome = self.attempt(head, asked).await;
        let took = self.parts.clock.now().mono.saturating_sub(began.mono);
        self.journal.handled(head, before.as_ref(), outcome.as_ref().map(|()| self.in_part.as_ref()), took);
        self.parts.metrics.reconciled(outcome.as_ref().map(drop).map_err(Failure::metric), took);
        self.rejected = match &outcome {
            Err(failure) if failure.is_of_commit() && !failure.is_of_keys() => Some(head.clone()),
            _ => None,
        };
        outcome
    }

    async fn attempt(&mut self, head: &Revision, asked: &Asked) -> Result<(), Failure> {
        let before = self.applied().await?.map(|(revision, _)| revision);
        if let Some(applied) = &before
            && !asked.allow_rewrite
            && !self.parts.source.descends(head, applied).await?
        {
            return Err(Failure::Rewritten { head: head.clone(), applied: applied.clone() });
        }
        let attempted = Some(self.shown(head));
        self.parts.status.send_modify(|status| status.last_attempted_revision = attempted);
        let verified = self.verify(head, before.as_ref(), asked.pinned).await?;
        // Who pins a commit wants that one, not a part of it; and of what is not known nothing can stay as it was.
        let apart = self.isolates() && !asked.pinned && (self.files.is_some() || before.is_none());
        let files = match apart {
            true => self.parts.source.read_apart(head).await?,
            false => self.parts.source.read(head).await?,
        };
        self.journal.read(&files, verified.clone());
        self.parts.status.send_modify(|status| status.files = files.files.len());
        self.parts.metrics.source_observed(files.committed_at);
        let mut loaded =
            if apart { self.check_apart(files).await? } else { self.check(files, BTreeMap::new()).await? };
        loaded.info.verified = verified;
        self.guard(&loaded, before.as_ref(), asked.pinned).await?;
        self.paused_in_freeze = false;
        self.restored_in_part = false;
        let stored = self.parts.store.campaigns().await?;
        let generation = self.without_revivals(&loaded.generation, &stored);
        let now = self.apply(&loaded, &generation, &stored).await?;
        if before.as_ref() != Some(head) {
            let after_commit = now.wall.duration_since(loaded.generation.committed_at);
            let after_commit = Duration::try_from(after_commit).unwrap_or_default();
            self.parts.metrics.commit_applied(metric(asked.trigger), after_commit);
        }
        // Status tells of it first: the copy in the store may take a second.
        self.recovered(head);
        self.keep_files(&loaded.files).await;
        Ok(())
    }

    fn isolates(&self) -> bool {
        self.parts.guards.bad_files == BadFiles::Isolate
    }

    /// What the store has in force; asked once.
    async fn applied(&mut self) -> Result<Option<(Revision, Timestamp)>, StoreError> {
        if self.applied.is_none() {
            self.applied = Some(self.parts.store.applied().await?);
        }
        Ok(self.applied.clone().flatten())
    }

    /// Turns files into a generation; of an earlier commit are `kept`.
    async fn check(&self, files: CommitFiles, kept: BTreeMap<String, KeptFile>) -> Result<Loaded, Failure> {
        let load = Arc::clone(&self.parts.load);
        let checked = tokio::task::spawn_blocking(move || {
            let checked = load(&files)?;
            Ok::<_, Rejected>(Isolated { files, checked, kept, problems: Vec::new(), stopped: Vec::new() })
        });
        Loaded::new(checked.await)
    }

    /// The same, of a commit whose bad files stay as they were.
    async fn check_apart(&self, files: CommitFiles) -> Result<Loaded, Failure> {
        let (load, last) = (Arc::clone(&self.parts.load), self.files.clone());
        let paused = self.parts.generation.borrow().as_ref().map(|generation| generation.definitions.paused());
        let paused = paused.unwrap_or_default();
        Loaded::new(tokio::task::spawn_blocking(move || isolate(&files, last.as_deref(), &paused, &*load)).await)
    }

    /// Puts a generation in force: in the store, then for the dialling loop.
    async fn apply(
        &mut self,
        loaded: &Loaded,
        generation: &Arc<Generation>,
        stored: &[StoredCampaign],
    ) -> Result<Now, StoreError> {
        let plan = self.put(generation, stored).await?;
        let now = self.parts.clock.now();

        let revision = &generation.revision;
        let (changed, unchanged) = (plan.actions.len(), plan.unchanged);
        let kept = generation.kept.files.len();
        tracing::info!(%revision, changed, unchanged, files = loaded.files.files.len(), kept, "commit in force");

        // The store knows since when: it keeps the instant of the first time.
        self.applied = Some(self.parts.store.applied().await?);
        let since = self.applied.iter().flatten().map(|(_, since)| *since).next();
        self.in_force = Some(revision.clone());
        self.files = Some(Arc::clone(&loaded.files));
        let in_part = (!loaded.problems.is_empty()).then(|| loaded.problems.clone());
        self.in_part = in_part.map(|problems| Failure::in_part(generation, problems, &loaded.stopped));
        self.parts.generation.send_replace(Some(Arc::clone(generation)));
        let shown = Some(self.shown(revision));
        self.parts.status.send_modify(|status| {
            status.last_applied_revision = shown;
            status.applied_commit = Some(loaded.info.clone());
            status.applied_at = since.map(|at| at.to_string());
            status.lowered.clone_from(&loaded.lowered);
            // Those of the commit before are none of this one's.
            status.problems = loaded.problems.iter().take(conditions::PROBLEMS_SHOWN_MAX).cloned().collect();
        });
        self.pin(revision).await;
        Ok(now)
    }

    /// The generation, in which campaigns that have expired stay so.
    fn without_revivals(&self, generation: &Arc<Generation>, stored: &[StoredCampaign]) -> Arc<Generation> {
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

    /// Keeps the commit in force readable for the next start.
    async fn pin(&mut self, revision: &Revision) {
        match self.parts.source.pin(revision).await {
            Ok(()) => self.pin_failed = false,
            Err(error) if !self.pin_failed => {
                self.pin_failed = true;
                let error = with_causes(&error);
                tracing::warn!(
                    error,
                    "the commit in force can't be pinned; if the branch leaves it, git gc may drop it"
                );
            }
            Err(_) => {}
        }
    }

    /// The branch's commit is in force, as a whole or in part.
    fn recovered(&mut self, head: &Revision) {
        let verified = self.parts.status.borrow().applied_commit.as_ref().and_then(|commit| commit.verified.clone());
        if let Some(by) = verified {
            self.show_verified(head, &by);
        }
        if let Some(in_part) = self.in_part.take() {
            let message = in_part.to_string();
            self.say(&in_part, message);
            self.in_part = Some(in_part);
            return;
        }
        self.told = None;
        let message = match self.pin_in_force() {
            Some((one, pinned)) if pinned == *head => {
                format!(
                    "{} is in force, as override {} has it until {}: {}",
                    self.shown(head),
                    one.id,
                    one.until,
                    one.reason
                )
            }
            _ => format!("{} is in force", self.shown(head)),
        };
        let now = self.parts.clock.now().wall;
        self.parts.status.send_if_modified(|status| {
            let conditions = conditions::conditions(&status.conditions, Ok(message), now);
            let changed = conditions != status.conditions || status.waiting.is_some();
            if changed {
                status.conditions = conditions;
                status.problems.clear();
                status.waiting = None;
                status.failure = None;
            }
            changed
        });
    }

    /// The branch's commit is not in force: sees to it that the last good one is, and says so.
    async fn failed(&mut self, failure: Failure) -> Result<(), StoreError> {
        let restored = match &failure {
            Failure::Store(_) => Ok(()),
            _ => self.restore().await,
        };
        if restored.is_err() {
            // With nothing in force the next look has to try it all again.
            self.rejected = None;
        }
        self.report(&failure, restored.as_ref().err());
        let restored = match (restored, &failure) {
            (Ok(()), Failure::Guarded { pauses, .. }) => self.pause_in_freeze(pauses).await.map_err(Failure::from),
            (restored, _) => restored,
        };
        match (failure, restored) {
            (Failure::Store(error), _) | (_, Err(Failure::Store(error))) => {
                self.retry_in = match error {
                    StoreError::Fenced(_) | StoreError::Closed => return Err(error),
                    _ => Some(self.retry_in.map_or(RETRY_MIN, |last| RETRY_MAX.min(last * 2))),
                };
            }
            _ => self.retry_in = None,
        }
        Ok(())
    }

    /// After a start: puts the last good commit in force again before the branch is looked at.
    async fn resume(&mut self) -> Result<(), StoreError> {
        match self.restore().await {
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

    /// After a start with a commit that is not good: puts the last good one in force again.
    async fn restore(&mut self) -> Result<(), Failure> {
        if self.in_force.is_some() {
            return Ok(());
        }
        let Some((revision, _)) = self.applied().await? else { return Ok(()) };
        if self.rejected.as_ref() == Some(&revision) {
            return Ok(());
        }
        let verified = self.verify_restored(&revision).await?;
        let kept = self.kept_files().await?;
        let files = match kept.is_empty() {
            true => self.parts.source.read(&revision).await?,
            false => self.parts.source.read_apart(&revision).await?.with_kept(&kept),
        };
        self.restored_in_part = !kept.is_empty();
        let mut loaded = self.check(files, kept).await?;
        loaded.info.verified = verified;
        let stored = self.parts.store.campaigns().await?;
        let mut generation = self.without_revivals(&loaded.generation, &stored);
        self.keep_pauses(&mut generation, &stored);
        self.apply(&loaded, &generation, &stored).await?;
        self.keep_files(&loaded.files).await;
        Ok(())
    }

    /// Says in status why the branch's commit is not in force; in the log once.
    fn report(&mut self, failure: &Failure, not_restored: Option<&Failure>) {
        let in_force = match (&self.in_force, not_restored) {
            (Some(revision), _) => format!("commit {} stays in force", revision.short()),
            (None, Some(why)) => format!("the last good commit can't be put in force again: {}", with_causes(why)),
            (None, None) => "no commit is in force".to_owned(),
        };
        self.say(failure, format!("{}; {in_force}", with_causes(failure)));
    }

    /// Says what is wrong with the branch's commit in status, and in the log once.
    fn say(&mut self, failure: &Failure, message: String) {
        let problems = failure.problems();
        if self.told.as_ref() != Some(&message) {
            for step in failure.waiting().iter().flat_map(|waiting| &waiting.plan) {
                tracing::info!(step, "the commit that waits would do this");
            }
            tracing::warn!(reason = failure.reason(), message, "the branch's commit is not in force as it is");
            for problem in problems.iter().take(PROBLEMS_LOGGED_MAX) {
                let Problem { file, line, column, code, message, .. } = problem;
                tracing::warn!(file, line, column, code, message, "problem");
            }
            self.told = Some(message.clone());
        }
        let now = self.parts.clock.now().wall;
        let of_commit = failure.is_of_commit();
        self.parts.status.send_if_modified(|status| {
            let conditions = conditions::conditions(&status.conditions, Err((failure, message)), now);
            let problems = if of_commit { problems } else { status.problems.clone() };
            let waiting = failure.waiting();
            let changed = conditions != status.conditions || problems != status.problems || waiting != status.waiting;
            status.conditions = conditions;
            status.problems = problems;
            status.waiting = waiting;
            status.failure = Some(Failing { why: failure.metric(), revision: status.observed_revision.clone() });
            changed
        });
    }

    /// `branch@sha1:…`
    fn shown(&self, revision: &Revision) -> String {
        let algorithm = if revision.as_str().len() == 40 { "sha1" } else { "sha256" };
        format!("{}@{algorithm}:{revision}", self.parts.source.settings().follow)
    }
}

fn metric(trigger: Trigger) -> metrics::Trigger {
    match trigger {
        Trigger::Watch => metrics::Trigger::Watch,
        Trigger::Webhook => metrics::Trigger::Webhook,
        Trigger::Poll | Trigger::Retry => metrics::Trigger::Poll,
        Trigger::Start | Trigger::Manual | Trigger::Signal => metrics::Trigger::Manual,
    }
}
