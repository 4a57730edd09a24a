//! What the handlers read and where their commands go.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::{
    access::Access,
    people::{Sessions, SignIns},
    today::NewestToday,
};
use crate::{
    clock::Clock,
    config::Loader,
    contacts::Keyring,
    control::{DialCommand, ReconcileCommand},
    domain::{campaign::Generation, guards::Guards},
    exports::Jobs,
    gitops::{Source, Wake, webhook::Webhooks},
    store::{AllDispatchCounts, Dispatches, Store},
    telemetry::{
        metrics::Metrics,
        status::{DialStatus, ReconcileStatus},
    },
};

/// Which daemon this is.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Name from the settings, or the host's.
    pub name: String,
    /// Version of the daemon.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
}

/// Everything that the handlers share.
pub struct ServerState {
    /// Which daemon this is.
    pub instance: Instance,
    /// What is followed, to read what a plan starts from; at least one.
    pub sources: Vec<Source>,
    /// What reads the files of a plan, the one that reads the branch's.
    pub loader: Arc<Loader>,
    /// Newest status of the sources, in their order.
    pub reconcile: watch::Receiver<ReconcileStatus>,
    /// Newest status of the dialling loop.
    pub dial: watch::Receiver<DialStatus>,
    /// Definitions in force. Ready means that there are any; once `Some` it never goes back.
    pub generation: watch::Receiver<Option<Arc<Generation>>>,
    /// How much is to be told others.
    pub outbox: watch::Receiver<AllDispatchCounts>,
    /// What is told them.
    pub dispatches: Arc<dyn Dispatches>,
    /// What came of today's calls, as it was last read.
    pub today: NewestToday,
    /// Durable facts.
    pub store: Arc<dyn Store>,
    /// The dialling loop.
    pub dialer: mpsc::Sender<DialCommand>,
    /// The reconciling loop.
    pub reconciler: mpsc::Sender<ReconcileCommand>,
    /// What wakes it for a source, in their order.
    pub wakes: Vec<Arc<Wake>>,
    /// Servers that tell of pushes.
    pub webhooks: Arc<Webhooks>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// Who may see personal data and give commands.
    pub access: Access,
    /// How fast passwords may be guessed.
    pub sign_ins: SignIns,
    /// When sessions were last used.
    pub sessions: Sessions,
    /// How long an override may hold.
    pub longest_override: Duration,
    /// What a good commit may still wait for.
    pub guards: Guards,
    /// Exports: how far they have come, and where they lie.
    pub exports: Arc<Jobs>,
    /// What encrypts attributes.
    pub keyring: Option<Arc<Keyring>>,
}

impl ServerState {
    /// Whether a generation is in force; stays true while later commits are bad.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.generation.borrow().is_some()
    }
}
