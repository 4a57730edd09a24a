//! What goes wrong inside, before the store's name is put to it.

use rusqlite::{
    Error,
    ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE},
};

use crate::{domain::ids::CampaignId, store::StoreError};

/// A failure of a statement, or one that already is the store's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite refused a statement.
    #[error("{doing}: {source}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: Error,
    },
    /// A file of its own could not be written or read.
    #[error("sorting contacts: {0}")]
    Sorting(#[from] std::io::Error),
    /// A row, a caller or the lock is at fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    /// The campaign of which a step failed by itself.
    pub(super) fn stuck_campaign(&self) -> Option<&CampaignId> {
        match self {
            Self::Store(StoreError::Stuck { campaign, .. }) => Some(campaign),
            Self::Store(_) | Self::Sql { .. } | Self::Sorting(_) => None,
        }
    }

    /// Whether one contact or batch is refused, which is found out before anything is written.
    pub(super) fn is_of_one_contact(&self) -> bool {
        use StoreError::{Erased, OnCall, UnknownBatch, UnknownCustomer, WasCalled};
        let Self::Store(error) = self else { return false };
        matches!(error, UnknownCustomer { .. } | UnknownBatch { .. } | OnCall(_) | WasCalled(_) | Erased(_))
    }
}

/// Names what a statement was for.
pub(super) trait Doing<T> {
    /// Turns a driver's error into a [`Fault`].
    fn doing(self, doing: &'static str) -> Result<T, Fault>;
}

impl<T> Doing<T> for Result<T, Error> {
    fn doing(self, doing: &'static str) -> Result<T, Fault> {
        self.map_err(|source| Fault::Sql { doing, source })
    }
}

// Primary result codes (sqlite.org/rescode.html).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

impl Fault {
    /// The store's error for it; made from a reference, so that one failed commit can be told to
    /// everyone whose work was in it.
    pub(super) fn told(&self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Store(error) => again(error),
            Self::Sorting(error) => {
                StoreError::Database { doing: "sorting contacts", source: error.to_string().into() }
            }
            Self::Sql { doing, source } => match primary_code(source) {
                Some(BUSY | LOCKED) => StoreError::Locked { store },
                Some(READONLY | FULL | CANTOPEN) => StoreError::ReadOnly { store, why: message(source) },
                Some(NOTADB) => StoreError::NotAStore { store },
                _ => StoreError::Database { doing, source: source.to_string().into() },
            },
        }
    }

    /// Whether a `UNIQUE` constraint was hit, and in which table or column.
    pub(super) fn unique_violation(&self) -> Option<String> {
        let Self::Sql { source: Error::SqliteFailure(error, Some(message)), .. } = self else { return None };
        matches!(error.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY).then(|| message.clone())
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

fn primary_code(error: &Error) -> Option<i32> {
    Some(error.sqlite_error()?.extended_code & 0xff)
}

fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Fenced(epoch) => StoreError::Fenced(*epoch),
        StoreError::UnknownCampaign(id) => StoreError::UnknownCampaign(id.clone()),
        StoreError::UnknownBatch { campaign, batch } => {
            StoreError::UnknownBatch { campaign: campaign.clone(), batch: batch.clone() }
        }
        StoreError::UnknownCustomer { campaign, customer } => {
            StoreError::UnknownCustomer { campaign: campaign.clone(), customer: customer.clone() }
        }
        StoreError::OnCall(customer) => StoreError::OnCall(customer.clone()),
        StoreError::WasCalled(customer) => StoreError::WasCalled(customer.clone()),
        StoreError::Erased(customer) => StoreError::Erased(customer.clone()),
        StoreError::Damaged(what) => StoreError::Damaged(what.clone()),
        StoreError::Closed => StoreError::Closed,
        StoreError::Stuck { campaign, step, failures, retry_in, source } => StoreError::Stuck {
            campaign: campaign.clone(),
            step: *step,
            failures: *failures,
            retry_in: *retry_in,
            source: Box::new(again(source)),
        },
        StoreError::Moved { planned, found } => StoreError::Moved { planned: planned.clone(), found: found.clone() },
        StoreError::Held { store, pid, host } => {
            StoreError::Held { store: store.clone(), pid: *pid, host: host.clone() }
        }
        StoreError::Newer { store, found, known } => {
            StoreError::Newer { store: store.clone(), found: *found, known: *known }
        }
        StoreError::ReadOnly { store, why } => StoreError::ReadOnly { store: store.clone(), why: why.clone() },
        StoreError::Locked { store } => StoreError::Locked { store: store.clone() },
        StoreError::NotAStore { store } => StoreError::NotAStore { store: store.clone() },
        StoreError::Database { doing, source } => StoreError::Database { doing, source: source.to_string().into() },
    }
}
