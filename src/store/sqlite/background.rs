//! Threads for long work that nobody waits for, behind all others: on a machine whose cores are all busy, an intent
//! is written first.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use crate::store::StoreError;

/// How many there are.
pub(super) const THREADS: usize = 2;

/// By how much they are nicer than the rest of the process, of 19 (setpriority(2)).
const NICER: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The way to them; they end with the last one.
#[derive(Debug)]
pub(super) struct Background(mpsc::Sender<Job>);

impl Background {
    /// Begins the threads.
    pub(super) fn begin() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>(THREADS);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("store-behind".to_owned()).spawn(move || {
                // Where that is forbidden, as by the unit that is shipped, they compete with the others.
                let _ = rustix::process::setpriority_process(None, NICER);
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(job) = next else { break };
                    job();
                }
            })?;
        }
        Ok(Self(jobs))
    }

    /// Has something done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Who asked may have stopped waiting.
            let _ = reply.send(work());
        });
        self.0.send(job).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }
}
