//! The durable outbox: what others are to be told, written with what it tells of.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::{AttemptRecord, StoreError, audit::NewAuditEntry};
use crate::domain::{
    campaign::Callback,
    contact::Contact,
    ids::{AttemptId, CampaignId, ContactRef, CustomerId},
};

/// How long something is tried before it is parked.
pub const TRIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Why something is parked that was never tried.
pub(super) const NOT_ITS_TURN: &str = "it was not its turn within a day";

/// When something that is due at `at` is parked.
pub(super) fn park_at(at: Timestamp) -> Timestamp {
    at.saturating_add(SignedDuration::try_from(TRIED_FOR).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
}

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident => $text:literal),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$about])* $variant),+
        }

        impl $name {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in tables and output.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    )+};
}

names! {
    /// By what way something goes out.
    Channel {
        /// To the address that a campaign's file names.
        Callback => "callback",
        /// To the customer, through the gateway of the settings.
        Sms => "sms",
    }
    /// What is told.
    DispatchEvent {
        /// Customer and agent heard each other.
        Connected => "connected",
        /// An attempt has ended.
        Ended => "ended",
        /// A contact has ended and was not reached.
        NotReached => "not_reached",
    }
    /// What became of it.
    DispatchState {
        /// It is to be sent.
        Pending => "pending",
        /// It was not taken for a day, or may have been sent: a person decides.
        Parked => "parked",
        /// It was taken.
        Sent => "sent",
        /// It is not sent any more.
        Dropped => "dropped",
    }
}

/// A row of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DispatchId(pub i64);

impl fmt::Display for DispatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is sent for one campaign by one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// By what way.
    pub channel: Channel,
    /// Of which campaign.
    pub campaign: CampaignId,
}

/// Something that is told, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchRecord {
    /// Which one.
    pub id: DispatchId,
    /// By what way.
    pub channel: Channel,
    /// What it tells.
    pub event: DispatchEvent,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Of which customer.
    pub customer: CustomerId,
    /// Of which attempt.
    pub attempt: Option<AttemptId>,
    /// What became of it.
    pub state: DispatchState,
    /// When what it tells of happened.
    pub made_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; `None` while it waits for the one before it of its contact, and once it is over.
    pub due_at: Option<Timestamp>,
    /// When it is parked, if it is not taken before.
    pub park_at: Timestamp,
    /// When it was over.
    pub over_at: Option<Timestamp>,
    /// Why it was not taken the last time, or why it is parked or dropped.
    pub last_error: Option<String>,
}

/// Something that waits in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which one.
    pub id: DispatchId,
    /// From when on it may be sent.
    pub due_at: Timestamp,
}

/// The first of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LanePage {
    /// Where callbacks of the campaign go, the last that it had.
    pub callback: Option<Callback>,
    /// What may be sent next, by time.
    pub waiting: Vec<Waiting>,
}

/// What is read to tell something: the facts as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchFacts {
    /// What is told.
    pub record: DispatchRecord,
    /// Where callbacks of the campaign go.
    pub callback: Option<Callback>,
    /// The attempt.
    pub attempt: Option<AttemptRecord>,
    /// The contact.
    pub contact: Contact,
    /// What its import gave to be carried back.
    pub custom_field: Option<String>,
    /// By index, whether a do-not-call list of the campaign holds a number now.
    pub listed: Vec<bool>,
    /// Whether a text message was about to be sent and nobody knows whether it was.
    pub claimed: bool,
}

/// What became of trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It was taken.
    Sent,
    /// It was not, and is tried again.
    Again {
        /// When.
        at: Timestamp,
        /// Why it was not.
        why: String,
    },
    /// It may not be sent yet; that is no try.
    NotYet {
        /// When it may.
        at: Timestamp,
    },
    /// A person has to decide.
    Parked {
        /// Why.
        why: String,
    },
    /// There is nothing to be sent.
    Dropped {
        /// Why.
        why: String,
    },
    /// What it tells of does not hold any more; it is told when it does again.
    Undone,
}

/// Which of them a person means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DispatchFilter {
    /// Those by one way.
    pub channel: Option<Channel>,
    /// Those of one campaign.
    pub campaign: Option<CampaignId>,
    /// Those of one state.
    pub state: Option<DispatchState>,
    /// That one alone.
    pub id: Option<DispatchId>,
}

/// How much waits by one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DispatchCounts {
    /// What is to be sent.
    pub pending: u64,
    /// What a person has to decide.
    pub parked: u64,
    /// When the oldest of what is to be sent is parked.
    pub oldest_parks_at: Option<Timestamp>,
}

/// Counts by channel.
pub type AllDispatchCounts = BTreeMap<Channel, DispatchCounts>;

/// How often each lane is among these.
pub(super) fn counted(lanes: Vec<Lane>) -> BTreeMap<Lane, u64> {
    let mut counted = BTreeMap::new();
    lanes.into_iter().for_each(|lane| *counted.entry(lane).or_default() += 1);
    counted
}

/// Lanes in which something new is to be sent; leaving one here never waits.
#[derive(Debug, Default)]
pub struct News {
    lanes: Mutex<BTreeSet<Lane>>,
    changed: Notify,
}

impl News {
    /// Tells of lanes.
    pub(super) fn tell(&self, lanes: impl IntoIterator<Item = Lane>) {
        let mut lanes = lanes.into_iter().peekable();
        if lanes.peek().is_none() {
            return;
        }
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).extend(lanes);
        self.changed.notify_one();
    }

    /// Waits for some, and takes them.
    pub async fn taken(&self) -> BTreeSet<Lane> {
        loop {
            let taken = std::mem::take(&mut *self.lanes.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken;
            }
            self.changed.notified().await;
        }
    }
}

/// The outbox of a store. Its rows are written by the verbs of [`super::Store`] that write what they tell of.
#[async_trait]
pub trait Dispatches: Send + Sync + 'static {
    /// This outbox: what people retry or drop through it is written down with `entry`, in the transaction of that.
    fn audited_dispatches(&self, entry: NewAuditEntry) -> Arc<dyn Dispatches>;

    /// Where lanes of the outbox are told in which something new is to be sent.
    fn news(&self) -> Arc<News>;

    /// All lanes in which something waits for its time.
    async fn lanes(&self) -> Result<Vec<Lane>, StoreError>;

    /// The first `limit` of a lane, by time.
    async fn lane_page(&self, lane: &Lane, limit: u32) -> Result<LanePage, StoreError>;

    /// What is read to tell something, as of now; `None` once it is over.
    async fn dispatch_facts(&self, id: DispatchId) -> Result<Option<DispatchFacts>, StoreError>;

    /// Notes that a text message is about to be sent, so that no later life sends it again; `false` if it is not to be
    /// sent any more.
    async fn claim_dispatch(&self, id: DispatchId) -> Result<bool, StoreError>;

    /// Writes what became of trying to tell something; once it is over, the next of its contact may go.
    async fn tried(&self, id: DispatchId, tried: Tried) -> Result<(), StoreError>;

    /// Parks some of what was not taken in its time, and tells of its lanes, in which what waited for that may go; how
    /// many of which lane, nothing once there are none.
    async fn park_overdue(&self) -> Result<BTreeMap<Lane, u64>, StoreError>;

    /// What is told, oldest first, after `after`, at most `limit`.
    async fn dispatches(
        &self,
        filter: &DispatchFilter,
        after: Option<DispatchId>,
        limit: u32,
    ) -> Result<Vec<DispatchRecord>, StoreError>;

    /// What is told of a contact, oldest first.
    async fn dispatches_of(&self, contact: ContactRef) -> Result<Vec<DispatchRecord>, StoreError>;

    /// Has at most `limit` of those that are parked tried again; how many.
    async fn retry_dispatches(&self, filter: &DispatchFilter, limit: u32) -> Result<u64, StoreError>;

    /// Gives up at most `limit` of those that are not over; how many.
    async fn drop_dispatches(&self, filter: &DispatchFilter, why: &str, limit: u32) -> Result<u64, StoreError>;

    /// How much waits in the outbox.
    async fn dispatch_counts(&self) -> Result<AllDispatchCounts, StoreError>;
}
