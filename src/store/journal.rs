//! The journal: commits that the daemon has handled, and what has happened, for people who ask later.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    domain::ids::{CampaignId, Revision, SourceId},
    telemetry::status::CommitInfo,
};

/// Handled commits that a store keeps: years of a branch that changes daily.
pub const COMMITS_KEPT: u64 = 1_000;

/// Events that it keeps: a commit gives at most a few hundred of them.
pub const EVENTS_KEPT: u64 = 20_000;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant),+
        }

        impl $name {
            /// The name used in JSON and tables.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.as_str() == name)
            }
        }
    };
}

words! {
    /// What became of a commit.
    CommitResult {
        /// It came into force.
        InForce => "in_force",
        /// It came into force but for bad files, which stay as they were.
        InPart => "in_part",
        /// It is good, and waits for a person or for the end of a freeze.
        Waits => "waits",
        /// It is not good, or does not follow the one in force: the last good one stays.
        Refused => "refused",
        /// It could not be read or stored, and is tried again.
        Failed => "failed",
    }
}

words! {
    /// A kind of event.
    EventKind {
        /// The daemon began to follow its branch.
        Started => "started",
        /// It was told to stop; where this is missing before the next beginning it was killed or crashed.
        Stopping => "stopping",
        /// Somebody asked for a look at the branch.
        ReconcileAsked => "reconcile_asked",
        /// The branch can't be read.
        SourceUnread => "source_unread",
        /// It can be read again.
        SourceRead => "source_read",
        /// The branch is at another commit.
        CommitObserved => "commit_observed",
        /// A commit came into force.
        CommitInForce => "commit_in_force",
        /// A commit waits.
        CommitWaits => "commit_waits",
        /// A commit was refused.
        CommitRefused => "commit_refused",
        /// A commit could not be read or stored.
        CommitFailed => "commit_failed",
        /// A commit changed a campaign.
        CampaignChanged => "campaign_changed",
        /// Somebody paused a batch.
        BatchPaused => "batch_paused",
        /// Somebody let one go on.
        BatchResumed => "batch_resumed",
        /// Somebody decided against the files for a while.
        OverrideBegan => "override_began",
        /// Somebody ended that before its time.
        OverrideEnded => "override_ended",
        /// Somebody let a commit in that takes away campaigns.
        CommitApproved => "commit_approved",
        /// The store, or the telephony side, differs from the commit in force.
        DriftFound => "drift_found",
        /// That was put right.
        DriftMended => "drift_mended",
    }
}

impl EventKind {
    /// Whether it is about a source's branch or commit, so that among several it has to be said which.
    #[must_use]
    pub fn is_of_source(self) -> bool {
        match self {
            Self::SourceUnread
            | Self::SourceRead
            | Self::CommitObserved
            | Self::CommitInForce
            | Self::CommitWaits
            | Self::CommitRefused
            | Self::CommitFailed => true,
            Self::Started
            | Self::Stopping
            | Self::ReconcileAsked
            | Self::CampaignChanged
            | Self::BatchPaused
            | Self::BatchResumed
            | Self::OverrideBegan
            | Self::OverrideEnded
            | Self::CommitApproved
            | Self::DriftFound
            | Self::DriftMended => false,
        }
    }
}

/// A commit that was handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledCommit {
    /// When that was done.
    pub at: Timestamp,
    /// Whose commit.
    pub source: SourceId,
    /// Which one.
    pub revision: Revision,
    /// Who made it, when, and its first line; `None` if it could not be read.
    pub commit: Option<CommitInfo>,
    /// What became of it.
    pub result: CommitResult,
    /// Why, in one word; `None` if it came into force.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub message: Option<String>,
    /// From the first look at it.
    pub took: Duration,
    /// Campaigns that it changed.
    pub changed: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: EventKind,
    /// The commit that it is about.
    pub revision: Option<Revision>,
    /// The campaign that it is about.
    pub campaign: Option<CampaignId>,
    /// Who did it, if that was a person.
    pub by: Option<String>,
    /// What was before: a commit, or the state that a campaign's file asked for.
    pub before: Option<String>,
    /// What is since.
    pub after: Option<String>,
    /// The whole as a sentence.
    pub message: String,
}

impl Event {
    /// Something of this kind, about nothing in particular.
    #[must_use]
    pub fn new(at: Timestamp, kind: EventKind, message: String) -> Self {
        let (revision, campaign, by, before, after) = (None, None, None, None, None);
        Self { at, kind, revision, campaign, by, before, after, message }
    }
}

/// What is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// Handled commits, oldest first.
    pub commits: Vec<HandledCommit>,
    /// Events, oldest first.
    pub events: Vec<Event>,
}

impl Entries {
    /// Whether there is nothing to add.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.events.is_empty()
    }
}
