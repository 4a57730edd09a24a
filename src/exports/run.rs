//! The loop: begins jobs in the order in which they were asked for, and takes files away whose time is over.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    columns::{AttemptRow, View},
    jobs::{Job, Jobs},
    write::{self, Order, Piece},
};
use crate::{
    clock::Clock,
    contacts::Keyring,
    domain::{
        audit::{Deed, DeedResult},
        campaign::Generation,
        export::{ExportId, ExportKind, ExportState},
        ids::AttemptId,
        person::Role,
    },
    store::{ExportFile, ExportRecord, ExportStep, ExportedAttempt, NewAuditEntry, Store, StoreError},
    telemetry::metrics::Metrics,
};

/// Contacts or attempts of one look at the store: short, so that its log can shrink meanwhile.
const PAGE_LENGTH: u32 = 1_000;

/// Pages that are read ahead of what is written.
const PAGES_AHEAD: usize = 2;

/// How often a job is begun anew that a killed daemon had not ended; one that kills the daemon must not do so for ever.
const STARTS_MAX: u32 = 3;

/// Longest wait between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Wait before a look at the store that failed is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Who does what is done since its time has come.
const BY_ITSELF: &str = "dialops";

/// What the loop works with.
#[derive(Clone)]
pub struct Parts {
    /// What it shares with requests.
    pub jobs: Arc<Jobs>,
    /// What is exported, and what is known of exports.
    pub store: Arc<dyn Store>,
    /// Definitions in force; before the first nothing is exported.
    pub generation: watch::Receiver<Option<Arc<Generation>>>,
    /// What opens encrypted attributes.
    pub keyring: Option<Arc<Keyring>>,
    /// Where it is told how many there are.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
}

/// Writes exports until `shutdown`; what was not done by then is begun anew by the next life.
pub async fn run(parts: Parts, shutdown: CancellationToken) {
    let mut at_work = JoinSet::new();
    tokio::select! {
        () = begin(&parts) => {}
        () = shutdown.cancelled() => return,
    }
    while !shutdown.is_cancelled() {
        let looked = look(&parts, &mut at_work, &shutdown).await;
        let wait = looked.unwrap_or_else(|error| {
            tracing::warn!(%error, "exports can't be looked at");
            STORE_RETRY
        });
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = parts.jobs.woken() => {}
            () = sleep(wait) => {}
            Some(_) = at_work.join_next() => {}
        }
    }
    // Each ends with its next page.
    while at_work.join_next().await.is_some() {}
}

/// Has what a life before has left begun anew, once definitions are in force.
async fn begin(parts: &Parts) {
    let mut generation = parts.generation.clone();
    // Who publishes definitions stops with the daemon.
    drop(generation.wait_for(Option::is_some).await);
    while let Err(error) = begin_anew(parts).await {
        tracing::warn!(%error, "exports can't be looked at");
        sleep(STORE_RETRY).await;
    }
}

async fn begin_anew(parts: &Parts) -> Result<(), StoreError> {
    for record in parts.store.open_exports().await? {
        let (id, starts) = (record.id, record.starts);
        let step = if starts < STARTS_MAX {
            ExportStep::Again
        } else {
            let why = format!("the daemon ended {starts} times while it was written; see its log");
            ExportStep::Fail { starts, why }
        };
        if record.state == ExportState::Running && parts.store.step_export(id, step).await? {
            tracing::warn!(%id, starts, "an export was not ended by the daemon's last life");
        }
    }
    Ok(())
}

/// One look; how long nothing has to be done by itself.
async fn look(parts: &Parts, at_work: &mut JoinSet<()>, shutdown: &CancellationToken) -> Result<Duration, StoreError> {
    let wait = expire(parts).await?;
    if let Err(error) = parts.jobs.clear(&*parts.store).await {
        let cause = std::error::Error::source(&error).map(tracing::field::display);
        tracing::warn!(%error, cause, "files of exports could not be taken away");
    }
    for record in parts.store.open_exports().await? {
        // One whose end the store did not hear of.
        if record.state == ExportState::Running && !parts.jobs.running().contains_key(&record.id) {
            parts.store.step_export(record.id, ExportStep::Again).await?;
            parts.jobs.wake();
        }
        if parts.jobs.running().len() >= parts.jobs.at_once() {
            break;
        }
        if record.state == ExportState::Waiting && !parts.jobs.running().contains_key(&record.id) {
            start(parts, record.id, at_work, shutdown).await?;
        }
    }
    parts.metrics.exports(&parts.store.export_counts().await?);
    Ok(wait)
}

/// Ends exports whose time is over; how long until the next one's is.
async fn expire(parts: &Parts) -> Result<Duration, StoreError> {
    let mut wait = LOOK_EVERY;
    let now = parts.clock.now().wall;
    for record in parts.store.done_exports().await? {
        let left = record.asked.expires_at.duration_since(now);
        if left.is_positive() {
            wait = wait.min(left.unsigned_abs());
            continue;
        }
        let (who, role, result) = (BY_ITSELF.to_owned(), Role::Admin, DeedResult::Done);
        let (action, object) = ("export.expire".to_owned(), format!("id {}", record.id));
        let entry = NewAuditEntry::new(Deed { who, role, action, object, result });
        if parts.store.audited(entry).step_export(record.id, ExportStep::Expire).await? {
            tracing::info!(id = %record.id, "an export has expired");
        }
    }
    Ok(wait)
}

/// Begins a job.
async fn start(
    parts: &Parts,
    id: ExportId,
    at_work: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    if !parts.store.step_export(id, ExportStep::Begin).await? {
        return Ok(());
    }
    let Some(record) = parts.store.export(id).await? else { return Ok(()) };
    let name = parts.jobs.spool().name(&record);
    let job = Arc::new(Job::new(record.starts, name, shutdown.child_token()));
    parts.jobs.running().insert(id, Arc::clone(&job));
    let (parts, is_over) = (parts.clone(), shutdown.clone());
    at_work.spawn(async move {
        work(&parts, record, &job, &is_over).await;
        parts.jobs.running().remove(&id);
        parts.jobs.wake();
    });
    Ok(())
}

/// Does a job, and tells the store what came of it.
async fn work(parts: &Parts, record: ExportRecord, job: &Arc<Job>, shutdown: &CancellationToken) {
    let (id, starts) = (record.id, record.starts);
    tracing::info!(%id, campaign = %record.asked.campaign, starts, "an export is written");
    let made = make(parts, record, job).await;
    let step = match made {
        Ok(Some(file)) => {
            tracing::info!(%id, rows = file.rows, bytes = file.bytes, "an export is done");
            ExportStep::Done { starts, file }
        }
        // The next life begins it anew.
        _ if shutdown.is_cancelled() => return,
        // Whoever has stopped it has said in the store what becomes of it.
        _ if job.stop.is_cancelled() => return,
        Ok(None) => ExportStep::Fail { starts, why: "its rows broke off; see the daemon's log".to_owned() },
        Err(unmade) => {
            tracing::warn!(%id, error = %unmade, "an export can't be written");
            ExportStep::Fail { starts, why: unmade.to_string() }
        }
    };
    // What the store does not hear of is begun anew by the next life, and a file that it does not know is taken away.
    match parts.store.step_export(id, step).await {
        Ok(_) => {}
        Err(error) => tracing::warn!(%id, %error, "what became of an export can't be written down"),
    }
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum Unmade {
    /// The rows can't be read.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The folder or its disk takes no file.
    #[error("{folder} takes no file: {source}; {hint}")]
    Folder {
        /// The folder.
        folder: String,
        /// What to do.
        hint: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Unmade {
    fn folder(jobs: &Jobs, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on its disk",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound => {
                "make it writable for the daemon's user, or set `[exports] folder`"
            }
            _ => "see to it, and ask for the export anew",
        };
        Self::Folder { folder: jobs.spool().folder().display().to_string(), hint, source }
    }
}

/// Makes the file; `None` if its rows broke off. What is not whole is taken away.
async fn make(parts: &Parts, record: ExportRecord, job: &Arc<Job>) -> Result<Option<ExportFile>, Unmade> {
    // In force before the first job.
    let Some(generation) = parts.generation.borrow().clone() else { return Ok(None) };
    let view = View {
        unmasked: record.asked.unmasked,
        keyring: parts.keyring.clone(),
        campaign: record.asked.campaign.clone(),
    };
    job.expect(expected(parts, &record).await?);
    let definitions = Arc::new(generation.definitions.clone());
    let order = Order { record: record.clone(), definitions, view, stop: job.stop.clone() };
    let (pieces, taken) = mpsc::channel(PAGES_AHEAD);
    let spool = parts.jobs.spool().clone();
    let writing = tokio::task::spawn_blocking(move || write::write(&spool, &order, taken));
    let read = read(parts, &record, job, &pieces).await;
    drop(pieces);
    let written = writing.await.map_err(|error| Unmade::folder(&parts.jobs, io::Error::other(error)))?;
    let made = match (read, written) {
        (_, Err(error)) => Err(Unmade::folder(&parts.jobs, error)),
        (Err(error), Ok(_)) => Err(error.into()),
        (Ok(()), Ok(file)) => Ok(file),
    };
    if !matches!(made, Ok(Some(_))) {
        let (spool, name) = (parts.jobs.spool().clone(), job.name.clone());
        let forgotten = tokio::task::spawn_blocking(move || spool.forget(&name)).await;
        if !matches!(forgotten, Ok(Ok(()))) {
            tracing::warn!(id = %record.id, "what there was of an export can't be taken away");
        }
    }
    made
}

/// How many rows there are to look at.
async fn expected(parts: &Parts, record: &ExportRecord) -> Result<u64, StoreError> {
    let tally = parts.store.tally(&record.asked.campaign).await?;
    Ok(match record.asked.kind {
        ExportKind::Contacts => tally.contacts,
        ExportKind::Attempts => tally.attempts.values().sum::<u64>() + tally.live,
    })
}

/// Attempts with what they have asked.
async fn with_questionnaires(parts: &Parts, page: Vec<ExportedAttempt>) -> Result<Vec<AttemptRow>, StoreError> {
    let ids: Vec<AttemptId> = page.iter().map(|row| row.record.attempt).collect();
    let mut asked = parts.store.questionnaires_of(&ids).await?;
    let row = |attempt: ExportedAttempt| AttemptRow { asked: asked.remove(&attempt.record.attempt), attempt };
    Ok(page.into_iter().map(row).collect())
}

/// Reads rows page by page and hands on those that are wanted, until there are no more or nobody takes them.
async fn read(parts: &Parts, record: &ExportRecord, job: &Job, pieces: &mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let (campaign, filter) = (&record.asked.campaign, &record.asked.filter);
    let (mut customer, mut attempt) = (None, None);
    loop {
        if job.stop.is_cancelled() {
            return Ok(());
        }
        let (piece, found) = match record.asked.kind {
            ExportKind::Contacts => {
                let mut page = parts.store.contacts_to_export(campaign, customer.as_ref(), PAGE_LENGTH).await?;
                let found = page.len();
                customer = page.last().map(|row| row.contact.customer.clone());
                page.retain(|row| filter.admits(row.filtered()));
                (Piece::Contacts(page), found)
            }
            ExportKind::Attempts => {
                let mut page = parts.store.attempts_to_export(campaign, attempt, PAGE_LENGTH).await?;
                let found = page.len();
                attempt = page.last().map(|row| row.record.attempt);
                page.retain(|row| filter.admits(row.filtered()));
                (Piece::Attempts(with_questionnaires(parts, page).await?), found)
            }
        };
        job.advance(found as u64);
        let is_last = u32::try_from(found).is_ok_and(|found| found < PAGE_LENGTH);
        if pieces.send(piece).await.is_err() {
            return Ok(());
        }
        if is_last {
            // Who has stopped writing says why.
            let _stopped = pieces.send(Piece::End).await;
            return Ok(());
        }
    }
}
