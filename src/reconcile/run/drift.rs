//! Drift: each look holds what is in force against the store's rows and what the dialling loop finds, and does by
//! the settings' policy what is to be done about it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Asked, Followed, Looper, tell};
use crate::{
    control::DialCommand,
    domain::{
        campaign::{Generation, Sources},
        drift::{
            Drift, Kind, Policy,
            fights::{Course, Fights},
        },
        ids::CampaignId,
    },
    gitops::Trigger,
    reconcile::{
        conditions::{with_causes, with_drift},
        rows::{drift, mends},
    },
    store::{Against, AppliedCommits, StoreError},
};

/// How long rows of campaigns are believed that nobody else has written: what the daemon writes is right, unless it
/// has a fault.
const BELIEVED_FOR: Duration = Duration::from_secs(10 * 60);

/// How long the dialling loop is waited for; one that is busy is asked again with the next look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most differences that the condition names.
const NAMED_MAX: usize = 5;

/// What is known of drift.
pub(super) struct Drifts {
    fights: Fights,
    /// When rows were last looked at, and what of.
    looked: Option<Looked>,
    /// What was found in them and not put right.
    rows: Vec<Drift>,
    /// All that stood after the last look.
    standing: Vec<Drift>,
    /// Tells daemons apart that wait.
    seed: u64,
    /// What was last said of a store that can't be read.
    told: Option<String>,
}

struct Looked {
    generation: Arc<Generation>,
    writes: u64,
    at: Duration,
}

/// What becomes of a difference.
struct Found {
    drift: Drift,
    course: Course,
    mended: bool,
}

impl Drifts {
    pub(super) fn new(seed: u64) -> Self {
        let (rows, standing) = (Vec::new(), Vec::new());
        Self { fights: Fights::default(), looked: None, rows, standing, seed, told: None }
    }
}

impl Looper {
    /// Finds what differs from the commit in force, and does about it what the settings say; all of it if a person
    /// asked for the look.
    pub(super) async fn look_for_drift(&mut self, one: &mut Followed, asked: &Asked) {
        let Some(generation) = self.parts.generation.borrow().clone() else { return };
        let mut drifts = match self.drifted_rows(&generation).await {
            Ok(rows) => rows,
            Err(error) => {
                let error = with_causes(&error);
                if self.drift.told.as_ref() != Some(&error) {
                    tracing::warn!(error, "the store can't be held against the commit in force");
                }
                self.drift.told = Some(error);
                return;
            }
        };
        self.drift.told = None;
        drifts.extend(self.drifted_calls().await);
        let mut found = self.judge_drifts(drifts, asked.trigger == Trigger::Manual);
        self.tell_found(one, &found);
        let failed = self.mend(one, &generation, &mut found).await.err();
        self.hold_drifted(&found).await;
        self.show_drift(&found, failed.as_ref());
        self.drift.rows = left(&found).filter(|drift| drift.is_of_rows()).cloned().collect();
        self.drift.standing = left(&found).cloned().collect();
    }

    /// Where the store's rows differ. Rows that nobody has touched since are not read.
    async fn drifted_rows(&mut self, generation: &Arc<Generation>) -> Result<Vec<Drift>, StoreError> {
        let writes = self.parts.store.foreign_writes().await?;
        let at = self.parts.clock.now().mono;
        let believed = self.drift.looked.as_ref().is_some_and(|looked| {
            let same = looked.writes == writes && Arc::ptr_eq(&looked.generation, generation);
            same && at.saturating_sub(looked.at) < BELIEVED_FOR
        });
        if believed {
            return Ok(self.drift.rows.clone());
        }
        let applied = self.parts.store.applied().await?.map(|(revision, _)| revision);
        let commits = self.parts.store.applied_commits().await?;
        let stored = self.parts.store.campaigns().await?;
        let copies = self.drifted_copies(generation).await?;
        self.drift.looked = Some(Looked { generation: Arc::clone(generation), writes, at });
        let campaigns = drift(generation, &stored, applied.as_ref(), &mut self.digests);
        let of_sources = other_commit(&generation.sources, &commits).filter(|drift| !campaigns.contains(drift));
        Ok(campaigns.into_iter().chain(of_sources).chain(copies).collect())
    }

    /// What the dialling loop finds.
    async fn drifted_calls(&self) -> Vec<Drift> {
        let (reply, found) = oneshot::channel();
        if self.parts.dialer.try_send(DialCommand::Compare { reply }).is_err() {
            return Vec::new();
        }
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    fn judge_drifts(&mut self, drifts: Vec<Drift>, by_person: bool) -> Vec<Found> {
        let now = self.parts.clock.now().mono;
        self.drift.fights.gone(&drifts);
        self.drift.fights.forget(now);
        let (fights, seed, policy) = (&mut self.drift.fights, self.drift.seed, self.parts.drift);
        let judged = |drift: Drift| {
            let course = fights.judge(now, &drift, seed);
            // An attempt is settled with its call's end, and none of which nobody knows what it was.
            let mendable = !matches!(drift.kind(), Kind::MissingAttempt | Kind::DamagedAttempt);
            let mended = mendable && (by_person || policy == Policy::Mend && course.mends());
            Found { drift, course, mended }
        };
        drifts.into_iter().map(judged).collect()
    }

    /// Writes down what was not there before.
    fn tell_found(&self, one: &mut Followed, found: &[Found]) {
        let new = found.iter().map(|one| &one.drift).filter(|drift| !self.drift.standing.contains(drift));
        let new: Vec<Drift> = new.cloned().collect();
        for drift in &new {
            tracing::warn!(kind = drift.kind().as_str(), %drift, "drift");
            self.parts.metrics.drift_detected(drift.kind());
        }
        one.journal.drifted(&new, false);
    }

    /// Puts right what is to be; what could not be is left.
    async fn mend(
        &mut self,
        one: &mut Followed,
        generation: &Arc<Generation>,
        found: &mut [Found],
    ) -> Result<(), StoreError> {
        let outcome = self.mend_rows(generation, found).await;
        if outcome.is_err() {
            found.iter_mut().filter(|one| one.drift.is_of_rows()).for_each(|one| one.mended = false);
        }
        let of_calls = found.iter().filter(|one| one.mended && !one.drift.is_of_rows());
        let of_calls: Vec<Drift> = of_calls.map(|one| one.drift.clone()).collect();
        if !of_calls.is_empty() && self.parts.dialer.try_send(DialCommand::Mend { found: of_calls }).is_err() {
            found.iter_mut().filter(|one| !one.drift.is_of_rows()).for_each(|one| one.mended = false);
        }
        let mended: Vec<Drift> = found.iter().filter(|one| one.mended).map(|one| one.drift.clone()).collect();
        for drift in &mended {
            self.drift.fights.mended(drift);
            self.parts.metrics.drift_corrected(drift.kind());
        }
        one.journal.drifted(&mended, true);
        outcome
    }

    async fn mend_rows(&mut self, generation: &Arc<Generation>, found: &[Found]) -> Result<(), StoreError> {
        let of_rows: Vec<&Drift> =
            found.iter().filter(|one| one.mended && one.drift.is_of_rows()).map(|one| &one.drift).collect();
        if of_rows.is_empty() {
            return Ok(());
        }
        let changes = mends(generation, of_rows.iter().copied(), &mut self.digests);
        // Whether it is right then the next look sees.
        self.drift.looked = None;
        self.parts.store.apply(Arc::clone(generation), changes, Against::Whatever).await?;
        self.mend_copies(&of_rows).await?;
        self.show_gone(generation).await
    }

    /// Has the campaigns concerned place no new call, if the settings say so, and lets others go on.
    async fn hold_drifted(&mut self, found: &[Found]) {
        let held: BTreeSet<CampaignId> = match self.parts.drift {
            Policy::Hold => left(found).filter_map(|drift| drift.campaign().cloned()).collect(),
            Policy::Mend | Policy::Report => BTreeSet::new(),
        };
        let Some(mut generation) = self.parts.generation.borrow().clone() else { return };
        let campaigns = &generation.definitions.campaigns;
        let turned = campaigns.values().filter(|campaign| campaign.drifted != held.contains(&campaign.id));
        let turned: Vec<CampaignId> = turned.map(|campaign| campaign.id.clone()).collect();
        if turned.is_empty() {
            return;
        }
        let campaigns = &mut Arc::make_mut(&mut generation).definitions.campaigns;
        for id in &turned {
            if let Some(campaign) = campaigns.get_mut(id).map(Arc::make_mut) {
                campaign.drifted = !campaign.drifted;
            }
        }
        // The gate goes by it first; the next look tries again what fails.
        match self.parts.store.apply(Arc::clone(&generation), Vec::new(), Against::Whatever).await {
            Ok(()) => drop(self.parts.generation.send_replace(Some(generation))),
            Err(error) => tracing::warn!(error = with_causes(&error), "campaigns that drifted can't be held"),
        }
    }

    fn show_drift(&self, found: &[Found], failed: Option<&StoreError>) {
        let standing: Vec<&Drift> = left(found).collect();
        self.parts.metrics.drifted(&standing);
        let told = told(found, self.parts.drift, failed);
        let now = self.parts.clock.now().wall;
        // It is of no one source.
        tell(&self.parts.status, 0, |status| {
            let conditions = with_drift(&status.conditions, told, now);
            let changed = conditions != status.conditions;
            status.conditions = conditions;
            changed
        });
    }
}

/// Where the store has another commit of a source in force, or one of a source that there is none of.
fn other_commit(sources: &Sources, stored: &AppliedCommits) -> Option<Drift> {
    let wrong = sources.commits.iter().find_map(|(source, revision)| {
        let stored = stored.get(source).map(|(stored, _)| stored);
        (stored != Some(revision)).then(|| stored.cloned())
    });
    let more = stored.iter().find(|(source, _)| !sources.commits.contains_key(*source));
    let stored = wrong.or_else(|| more.map(|(_, (revision, _))| Some(revision.clone())))?;
    Some(Drift::Generation { stored })
}

/// What was found and not put right.
fn left(found: &[Found]) -> impl Iterator<Item = &Drift> {
    found.iter().filter(|one| !one.mended).map(|one| &one.drift)
}

/// What the condition says, in one word and in sentences.
fn told(found: &[Found], policy: Policy, failed: Option<&StoreError>) -> Option<(&'static str, String)> {
    let (fights, still) = (found.iter().any(|one| one.course.is_fight()), found.iter().any(|one| !one.mended));
    let (reason, done) = match (failed, policy) {
        _ if found.is_empty() => return None,
        (Some(error), _) => ("MendFailed", format!("it can't be put right: {}", with_causes(error))),
        (None, _) if fights => {
            let done = "it keeps coming back, so it is put right less and less often: find out what writes there";
            ("Fight", done.to_owned())
        }
        (None, _) if found.iter().any(|one| one.drift.kind() == Kind::DamagedAttempt) => {
            let done = "mend that row, or put a backup of the store back: its customer is not called until then";
            ("Damaged", done.to_owned())
        }
        (None, _) if !still => ("Mended", "it was put right".to_owned()),
        (None, Policy::Mend) => ("Drifted", "it is put right as calls end".to_owned()),
        (None, Policy::Report) => ("Reported", "it is only told; `dialops reconcile` puts it right".to_owned()),
        (None, Policy::Hold) => {
            let done = "campaigns concerned place no new call until it is gone, or `dialops reconcile` puts it right";
            ("Held", done.to_owned())
        }
    };
    let mut named: Vec<String> = found.iter().take(NAMED_MAX).map(|one| one.drift.to_string()).collect();
    let more = found.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    Some((reason, format!("{}; {done}", named.join("; "))))
}
