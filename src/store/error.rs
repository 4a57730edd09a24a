//! What a store operation may fail with.

use std::time::Duration;

use super::Step;
use crate::domain::ids::{BatchId, CampaignId, CustomerId, Epoch, Revision};

/// What a store operation may fail with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another daemon holds the store.
    #[error(
        "store {store} is held by another daemon (process {pid} on {host}); stop it first, or give this one a store of its own"
    )]
    Held {
        /// Which store.
        store: String,
        /// The other daemon's process id.
        pid: u32,
        /// The other daemon's host.
        host: String,
    },
    /// The store was written by a newer version.
    #[error(
        "store {store} has schema {found}, this version knows up to {known}; run a newer dialops or restore a copy"
    )]
    Newer {
        /// Which store.
        store: String,
        /// Its schema version.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The store can be read but not written.
    #[error(
        "store {store} can't be written: {why}; check the owner and mode of the file and its directory, and free space"
    )]
    ReadOnly {
        /// Which store.
        store: String,
        /// What the database said.
        why: String,
    },
    /// The file is something else.
    #[error("{store} is not a dialops store; give another path, or move that file away and start with an empty store")]
    NotAStore {
        /// Which file.
        store: String,
    },
    /// Another process keeps it locked.
    #[error(
        "store {store} is locked by another program; close what has it open (a database shell, a backup) and try again"
    )]
    Locked {
        /// Which store.
        store: String,
    },
    /// The daemon lost its hold on the store: another one took it over.
    #[error("the store was taken over by a later daemon (epoch {0:?}); this one must stop")]
    Fenced(Epoch),
    /// No campaign of that id.
    #[error("no campaign \"{0}\" in the store; commit its file and let the daemon apply it")]
    UnknownCampaign(CampaignId),
    /// The campaign has no such batch.
    #[error("campaign \"{campaign}\" has no batch \"{batch}\"")]
    UnknownBatch {
        /// Which campaign.
        campaign: CampaignId,
        /// The name that was asked for.
        batch: BatchId,
    },
    /// The campaign has no such customer.
    #[error("no customer \"{customer}\" in campaign \"{campaign}\"")]
    UnknownCustomer {
        /// Which campaign.
        campaign: CampaignId,
        /// Who was asked for.
        customer: CustomerId,
    },
    /// The contact is in a call.
    #[error("customer \"{0}\" is being called")]
    OnCall(CustomerId),
    /// The contact has attempts, which are kept.
    #[error("customer \"{0}\" has been called, so the contact is kept for its results")]
    WasCalled(CustomerId),
    /// A contact that was erased stays as it is.
    #[error("customer {0} was erased, which is final; import the customer anew if that is wanted")]
    Erased(CustomerId),
    /// Something of one campaign fails; others go on.
    #[error("campaign {campaign}: {step} failed, for the {failures}. time in a row")]
    Stuck {
        /// Which campaign.
        campaign: CampaignId,
        /// What fails.
        step: Step,
        /// How often in a row.
        failures: u32,
        /// When it is tried again.
        retry_in: Duration,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// Another commit came into force meanwhile.
    #[error(
        "the store has {} in force, and what was to be applied was planned while {} was: it is planned anew",
        commit(.found), commit(.planned)
    )]
    Moved {
        /// What was in force by the plan.
        planned: Option<Revision>,
        /// What is.
        found: Option<Revision>,
    },
    /// The writer has stopped.
    #[error("the store has been closed")]
    Closed,
    /// A stored value that this version does not understand.
    #[error("store row is damaged: {0}")]
    Damaged(String),
    /// The database failed.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn commit(revision: &Option<Revision>) -> String {
    revision.as_ref().map_or_else(|| "no commit".to_owned(), |revision| format!("commit {}", revision.short()))
}
