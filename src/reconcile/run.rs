//! The loop itself.

mod copies;
mod drift;
mod fetch;
mod files;
mod followed;
mod guard;
mod look;
mod restore;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::select_all;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::{
    drift::Drifts,
    fetch::{Asked, Fetched, Fetches},
    files::KeptDigests,
    followed::Followed,
};
use super::{check::Load, conditions::Failure, rows::Digests};
use crate::{
    clock::Clock,
    control::{DialCommand, ReconcileCommand},
    delivery::Outbox,
    domain::{
        campaign::{Generation, KeptFile},
        drift::Policy,
        guards::{BadFiles, Guards},
        ids::{CampaignId, Revision, SourceId},
        now::Now,
    },
    gitops::{CommitFiles, Source, Trigger, Wake, wake::Triggers},
    store::{Store, StoreError},
    telemetry::{
        metrics::Metrics,
        status::{ReconcileStatus, SourceStatus},
    },
};

/// First wait after the store failed; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);

/// Longest wait after the store failed.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What the loop works with.
pub struct Reconcile {
    /// What is followed: at least one source.
    pub sources: Vec<FollowedSource>,
    /// Where a generation is put in force.
    pub store: Arc<dyn Store>,
    /// How files become definitions.
    pub load: Arc<Load>,
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
    /// What became of the newest commits.
    pub status: watch::Sender<ReconcileStatus>,
    /// Where looks are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// One of the sources.
pub struct FollowedSource {
    /// The branch to follow.
    pub source: Source,
    /// What asks for a look at it.
    pub wake: Arc<Wake>,
    /// Where what became of its commits is left for others to be told.
    pub outbox: Arc<Outbox>,
}

/// Follows the branches until `shutdown`. Fails only when the store was closed or taken over: then
/// nothing may go on.
pub async fn run(parts: Reconcile, shutdown: CancellationToken) -> Result<(), StoreError> {
    let (mut state, mut sources) = Looper::new(parts);
    for one in &mut sources {
        one.journal.begin(one.at == 0).await;
    }
    // A server may take its time, or be gone; what was in force goes on meanwhile. Of a commit that is taken apart, and
    // of a source that has others beside it, it has to be known what was.
    if sources.iter().any(|one| one.source.is_remote()) || sources.len() > 1 || state.isolates() {
        state.resume(&mut sources).await?;
    }
    // A fetch that is under way when the loop ends, ends with it; nothing was begun with what it brings.
    let mut fetches = Fetches::default();
    loop {
        sources.iter_mut().for_each(|one| fetches.begin(one, &state.parts.clock));
        let wait = state.waits(&sources);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                sources[0].journal.end().await;
                return Ok(());
            }
            Some(command) = state.parts.commands.recv() => state.commanded(command, &mut sources),
            (at, triggers) = woken(&state.wakes) => {
                if triggers.has(Trigger::Signal) && at == 0 {
                    sources[0].journal.asked("SIGHUP", false);
                }
                sources[at].ask(Asked::by(triggers));
            }
            Some(fetched) = fetches.next() => state.turn(&mut sources, fetched).await?,
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => state.retry(&mut sources),
        }
    }
}

/// Waits until somebody asks for a look at a source.
async fn woken(wakes: &[Arc<Wake>]) -> (usize, Triggers) {
    let (triggers, at, _others) = select_all(wakes.iter().map(|wake| Box::pin(wake.next()))).await;
    (at, triggers)
}

/// What is of all sources.
struct Looper {
    parts: Reconcile,
    wakes: Vec<Arc<Wake>>,
    /// The generation's revision by the store; `None` until the store was asked.
    applied: Option<Option<Revision>>,
    /// What each source has in force, in their order.
    standing: Vec<Standing>,
    /// When the next campaign whose file is gone retires.
    retires_at: Option<Timestamp>,
    digests: Digests,
    drift: Drifts,
    /// Whether a look has changed anything in the store.
    changed: bool,
    /// The files that the store keeps, once that is known.
    kept_digests: Option<KeptDigests>,
}

/// When what the store failed at is tried again.
#[derive(Clone, Copy)]
struct Retry {
    /// On the monotonic clock.
    at: Duration,
    /// How long that is put off.
    after: Duration,
}

impl Retry {
    /// Later each time.
    fn after(last: Option<Self>, now: Now) -> Self {
        let after = last.map_or(RETRY_MIN, |last| RETRY_MAX.min(last.after * 2));
        Self { at: now.mono + after, after }
    }
}

/// What a source has in force.
#[derive(Clone)]
enum Standing {
    /// Nothing ever was.
    Nothing,
    /// It can't be read what was.
    Unread(String),
    /// This commit, which is not good any more; its campaigns are paused until another one is.
    LeftOut(SourceId, Revision),
    /// These files.
    Files {
        files: Arc<CommitFiles>,
        /// Those of them that an earlier commit has so.
        kept: Arc<BTreeMap<String, KeptFile>>,
        /// Campaigns that are paused against their files: a freeze, or a commit with a fault, means to stop them. They
        /// may be another source's.
        stopped: BTreeSet<CampaignId>,
    },
}

impl Looper {
    fn new(mut parts: Reconcile) -> (Self, Vec<Followed>) {
        let seed = parts.store.dialog_key().iter().fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(*byte));
        let (mut sources, mut wakes) = (Vec::new(), Vec::new());
        for (at, one) in std::mem::take(&mut parts.sources).into_iter().enumerate() {
            wakes.push(one.wake);
            sources.push(Followed::new(at, one.source, one.outbox, &parts));
        }
        let now = parts.clock.now().wall;
        let statuses = sources.iter().map(|one| one.unknown(now)).collect();
        parts.status.send_replace(ReconcileStatus { sources: statuses, ..ReconcileStatus::default() });
        let state = Self {
            standing: vec![Standing::Nothing; sources.len()],
            parts,
            wakes,
            applied: None,
            retires_at: None,
            digests: Digests::default(),
            changed: false,
            drift: Drifts::new(seed),
            kept_digests: None,
        };
        (state, sources)
    }

    /// Takes every command that waits: one look at each source answers them all.
    fn commanded(&mut self, command: ReconcileCommand, sources: &mut [Followed]) {
        let mut next = Some(command);
        while let Some(ReconcileCommand { token, by, source, allow_rewrite, done }) = next {
            let done = Arc::new(done);
            let meant = |one: &Followed| source.as_ref().is_none_or(|id| one.id() == id);
            let first = sources.iter().position(meant);
            for one in sources.iter_mut().filter(|one| meant(one)) {
                if Some(one.at) == first {
                    one.journal.asked(&by, allow_rewrite);
                }
                one.ask(Asked::by_person(token.clone(), allow_rewrite, Arc::clone(&done)));
            }
            next = self.parts.commands.try_recv().ok();
        }
    }

    /// Asks for a look at each source that time alone makes worth one.
    fn retry(&mut self, sources: &mut [Followed]) {
        let now = self.parts.clock.now();
        // A retirement is of no source.
        let retires = self.retires_at.is_some_and(|at| at <= now.wall);
        for one in sources.iter_mut() {
            if self.is_due(one, now) || retires && one.at == 0 {
                one.ask(Asked::plainly(Trigger::Retry));
            }
        }
    }

    /// Looks at a source that was fetched, and sees to it that what fails leaves the last good commits in force.
    async fn turn(&mut self, sources: &mut [Followed], fetched: Fetched) -> Result<(), StoreError> {
        let at = fetched.at;
        let Some(asked) = sources[at].looking.take() else { return Ok(()) };
        let head = sources[at].fetched(fetched, &self.parts);
        let before = sources[at].in_force.clone();
        let known = self.known_again(sources).await;
        let one = &mut sources[at];
        let looked = match known {
            Ok(()) => self.look(one, head, &asked).await,
            Err(failure) => Err(failure),
        };
        match looked {
            Ok(()) => one.retry = None,
            Err(failure) => self.failed(sources, at, failure).await?,
        }
        sources[at].journal.write().await;
        if std::mem::take(&mut self.changed) || sources[at].in_force != before {
            // Beside it a commit may be good now that was not, or good as a whole. Who asked waits for that too.
            for one in sources.iter_mut().filter(|one| one.at != at) {
                one.look_again |= one.in_part.is_some();
                let was_refused = one.rejected.take().is_some();
                if was_refused || one.look_again {
                    one.ask(asked.once_more());
                }
            }
        }
        sources[at].handled(asked, &self.parts);
        Ok(())
    }

    /// A branch's commit is not in force: sees to it that the last good ones are, and says so.
    async fn failed(&mut self, sources: &mut [Followed], at: usize, failure: Failure) -> Result<(), StoreError> {
        let restored = match &failure {
            Failure::Store(_) => Ok(()),
            _ => self.restore(sources).await,
        };
        let one = &mut sources[at];
        if restored.is_err() {
            // With nothing in force the next look has to try it all again.
            one.rejected = None;
        }
        one.report(&failure, restored.as_ref().err(), &self.parts);
        let restored = match (restored, &failure) {
            (Ok(()), Failure::Guarded { pauses, .. }) => self.pause_in_freeze(one, pauses).await.map_err(Failure::from),
            (restored, _) => restored,
        };
        match (failure, restored) {
            (Failure::Store(error), _) | (_, Err(Failure::Store(error))) => {
                one.retry = match error {
                    StoreError::Fenced(_) | StoreError::Closed => return Err(error),
                    _ => Some(Retry::after(one.retry, self.parts.clock.now())),
                };
            }
            _ => one.retry = None,
        }
        Ok(())
    }

    fn isolates(&self) -> bool {
        self.parts.guards.bad_files == BadFiles::Isolate
    }

    /// The revision of the generation that the store has in force; asked once.
    async fn applied(&mut self) -> Result<Option<Revision>, StoreError> {
        if self.applied.is_none() {
            self.applied = Some(self.parts.store.applied().await?.map(|(revision, _)| revision));
        }
        Ok(self.applied.clone().flatten())
    }
}

/// Tells of one source.
fn tell(status: &watch::Sender<ReconcileStatus>, at: usize, change: impl FnOnce(&mut SourceStatus) -> bool) {
    status.send_if_modified(|status| status.sources.get_mut(at).is_some_and(change));
}
