//! Connections that read, a few of them, each look in one snapshot and on a thread that may wait.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::{
    background::Background,
    fault::{Doing, Fault},
    open,
};
use crate::store::StoreError;

/// Reading connections.
const READERS: u32 = 4;

/// Opens connections as they are wanted, and keeps them.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// None is open yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, free: Arc::new(Semaphore::new(READERS as usize)), idle: Mutex::default() }
    }

    /// Runs what reads.
    pub(super) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        blocking(self.looking(look).await?).await
    }

    /// Runs what reads, behind others.
    pub(super) async fn read_behind<T: Send + 'static>(
        self: Arc<Self>,
        background: &Background,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        background.run(self.looking(look).await?).await
    }

    /// A look that has its turn.
    async fn looking<T: Send + 'static>(
        self: Arc<Self>,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<impl FnOnce() -> Result<T, Fault> + Send + 'static, Fault> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(closed)?;
        Ok(move || {
            let _permit = permit;
            let idle = self.idle().pop();
            let conn = idle.map_or_else(|| open::reader(&self.path), Ok)?;
            let snapshot = conn.unchecked_transaction().doing("beginning to read")?;
            let found = look(&snapshot);
            snapshot.finish().doing("ending to read")?;
            self.idle().push(conn);
            found
        })
    }

    /// Lets nobody begin to read, once those that do have ended, until it is dropped; `None` if that takes too long.
    pub(super) async fn hold(&self, patience: Duration) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(patience, self.free.acquire_many(READERS)).await.ok()?.ok()
    }

    /// Waits for those that read, and closes all.
    pub(super) async fn close(&self) {
        // Closed already, if not all can be had.
        let _all = self.free.acquire_many(READERS).await;
        self.free.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed(_: AcquireError) -> Fault {
    StoreError::Closed.into()
}

/// Work that takes a while, beside what answers others.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::from(io::Error::other(error)))?
}
