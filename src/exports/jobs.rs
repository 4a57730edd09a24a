//! What requests and jobs share: which are being written and how far, and the folder.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::spool::Spool;
use crate::{
    domain::export::{ExportId, ExportState},
    store::{ExportRecord, Store, StoreError},
};

/// Longest wait for a job to stop that is not wanted any more.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that it has looked at.
    pub done: u64,
    /// Of how many; there may be more by now.
    pub of: u64,
}

/// A job at work.
#[derive(Debug)]
pub(super) struct Job {
    /// As the how manieth start.
    pub(super) starts: u32,
    /// The name of its file.
    pub(super) name: String,
    /// Cancelled when it is not wanted any more.
    pub(super) stop: CancellationToken,
    done: AtomicU64,
    of: AtomicU64,
}

impl Job {
    pub(super) fn new(starts: u32, name: String, stop: CancellationToken) -> Self {
        Self { starts, name, stop, done: AtomicU64::new(0), of: AtomicU64::new(0) }
    }

    /// How many rows there are to look at.
    pub(super) fn expect(&self, rows: u64) {
        self.of.store(rows, Ordering::Relaxed);
    }

    /// So many more rows have been looked at.
    pub(super) fn advance(&self, rows: u64) {
        self.done.fetch_add(rows, Ordering::Relaxed);
    }

    fn progress(&self) -> Progress {
        let done = self.done.load(Ordering::Relaxed);
        Progress { done, of: self.of.load(Ordering::Relaxed).max(done) }
    }
}

/// Why files could not be taken away.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// The store does not say which are wanted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder can't be read, or a file not be removed.
    #[error("the exports in {folder} can't be looked through; check the folder's owner and mode")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The jobs, and the folder that they write into.
#[derive(Debug)]
pub struct Jobs {
    spool: Spool,
    longest: Duration,
    at_once: usize,
    running: Mutex<BTreeMap<ExportId, Arc<Job>>>,
    downloads: Mutex<BTreeMap<ExportId, CancellationToken>>,
    news: Notify,
}

impl Jobs {
    /// At most so many at once, whose files are kept for `longest` at most.
    #[must_use]
    pub fn new(spool: Spool, longest: Duration, at_once: usize) -> Self {
        Self { spool, longest, at_once, running: Mutex::default(), downloads: Mutex::default(), news: Notify::new() }
    }

    /// Longest time that a file is kept.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// How many are written at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.at_once
    }

    /// The folder.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// How far an export has come that is being written.
    #[must_use]
    pub fn progress(&self, id: ExportId) -> Option<Progress> {
        self.running().get(&id).map(|job| job.progress())
    }

    /// Where the file of an export is that is done.
    #[must_use]
    pub fn path(&self, record: &ExportRecord) -> PathBuf {
        self.spool.path(&self.spool.name(record))
    }

    /// What is cancelled once the file of an export may not be read on. To be asked for before the store is asked whether
    /// the file is there.
    #[must_use]
    pub fn downloading(&self, id: ExportId) -> CancellationToken {
        self.downloads().entry(id).or_default().clone()
    }

    fn downloads(&self) -> MutexGuard<'_, BTreeMap<ExportId, CancellationToken>> {
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts downloads of files that are not to be there any more: an open file outlives its name.
    async fn cut_downloads(&self, store: &dyn Store) -> Result<(), StoreError> {
        let ids: Vec<ExportId> = self.downloads().keys().copied().collect();
        for id in ids {
            if store.export(id).await?.is_some_and(|record| record.state == ExportState::Done) {
                continue;
            }
            if let Some(download) = self.downloads().remove(&id) {
                download.cancel();
            }
        }
        Ok(())
    }

    /// Has the loop look at once.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.news.notified().await;
    }

    pub(super) fn running(&self) -> MutexGuard<'_, BTreeMap<ExportId, Arc<Job>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops jobs that the store wants no more, and takes away all files that it does not know as done or as being
    /// written; returns once they are gone.
    pub async fn clear(&self, store: &dyn Store) -> Result<(), ClearError> {
        self.cut_downloads(store).await?;
        self.stop_unwanted(store).await?;
        let folder = |source| ClearError::Folder { folder: self.spool.folder().display().to_string(), source };
        // A job is entered before its file is there, and leaves once the store knows it as done: asked in this order
        // nothing is missed.
        let names = self.on_disk(Spool::names).await.map_err(folder)?;
        let mut wanted: Vec<String> = self.running().values().map(|job| job.name.clone()).collect();
        wanted.extend(store.done_exports().await?.iter().map(|record| self.spool.name(record)));
        for name in names.into_iter().filter(|name| !wanted.contains(name)) {
            self.on_disk(move |spool| spool.forget(&name)).await.map_err(folder)?;
        }
        Ok(())
    }

    async fn stop_unwanted(&self, store: &dyn Store) -> Result<(), StoreError> {
        let running: Vec<(ExportId, Arc<Job>)> =
            self.running().iter().map(|(id, job)| (*id, Arc::clone(job))).collect();
        if running.is_empty() {
            return Ok(());
        }
        let open = store.open_exports().await?;
        for (id, job) in running {
            let is_wanted = |record: &ExportRecord| {
                record.id == id && record.state == ExportState::Running && record.starts == job.starts
            };
            if open.iter().any(is_wanted) {
                continue;
            }
            job.stop.cancel();
            let stopped = async {
                while self.running().get(&id).is_some_and(|now| now.starts == job.starts) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            // What it leaves is taken away at its end too.
            let _late = tokio::time::timeout(STOP_WITHIN, stopped).await;
        }
        Ok(())
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Spool) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let spool = self.spool.clone();
        tokio::task::spawn_blocking(move || work(&spool)).await.map_err(io::Error::other)?
    }
}
