//! Brings what is in the durable outbox to others: callbacks to CRMs, text messages to a gateway.
//!
//! The table is the queue: of each lane (a campaign and a way) only the first few rows are read, and only while their
//! host has room. A host that takes nothing is left alone for a while, so it costs the others nothing.

mod callback;
mod host;
mod run;
mod sms;
mod trial;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    config::settings::{CallbackSettings, SmsSettings},
    domain::campaign::Generation,
    store::{AllDispatchCounts, Dispatches},
    telemetry::metrics::Metrics,
};

pub use self::run::run;

/// What is sent, where it may go, and what is told of it.
pub struct Parts {
    /// The outbox.
    pub dispatches: Arc<dyn Dispatches>,
    /// What tells deliveries of this store from those of others.
    pub mark: String,
    /// The generation in force.
    pub generation: watch::Receiver<Option<Arc<Generation>>>,
    /// Hosts that callbacks may go to.
    pub callback_hosts: Vec<String>,
    /// How callbacks go out.
    pub callbacks: CallbackSettings,
    /// How text messages do.
    pub sms: Option<SmsSettings>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// Where how much waits is published.
    pub counts: watch::Sender<AllDispatchCounts>,
    /// Where deliveries are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// What tells deliveries of a store from those of others, by a key that no other has.
#[must_use]
pub fn mark(key: &[u8]) -> String {
    let digest = Sha256::digest([b"deliveries of ", key].concat());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Wait before a look at the store that failed is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Things by the name of their host.
type ByHost<T> = BTreeMap<String, T>;
