//! Drift: where the store or the telephony side differ from what is in force.
//!
//! Facts go in, findings come out: rows of campaigns beside the definitions in force ([`rows`]), the copies of files
//! beside the files ([`files`]), overrides beside those that hold ([`decisions`]), and live attempts, legs and agents
//! beside what the dialling loop knows of ([`calls`]). What keeps coming back is a fight ([`fights`]), which is not
//! mended again and again.

pub mod calls;
pub mod decisions;
pub mod fights;
pub mod files;
pub mod rows;

use std::fmt;

use super::{
    ids::{AgentId, AttemptId, CampaignId, LegId, Revision},
    overrides::OverrideId,
};

/// What is done about a difference, by the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It is put right.
    #[default]
    Mend,
    /// It is only told.
    Report,
    /// The campaigns concerned place no new call until it is gone, or a person has it put right.
    Hold,
}

/// A kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The store has another commit in force.
    Generation,
    /// A campaign's row says other than its file.
    Campaign,
    /// A campaign of the commit has no row.
    MissingCampaign,
    /// A campaign's row is in force, and no file is there for it.
    OrphanCampaign,
    /// The store keeps another file than is in force.
    File,
    /// The store keeps another version of a file whose newest one is bad.
    KeptFile,
    /// An override's row says other than what holds.
    Override,
    /// The store has a live attempt that nobody makes.
    OrphanAttempt,
    /// The store has a live attempt that nobody makes, and that can't be read.
    DamagedAttempt,
    /// An attempt is made that is none in the store.
    MissingAttempt,
    /// The store has a leg that nobody has.
    OrphanLeg,
    /// The telephony side has a leg that nobody knows.
    UnknownLeg,
    /// A leg is counted on that the telephony side does not have.
    LostLeg,
    /// The store has an agent available for something else.
    Availability,
    /// An agent is held for a call that there is not.
    HeldAgent,
}

impl Kind {
    /// Every kind, for metrics that start at 0.
    pub const ALL: [Self; 15] = [
        Self::Generation,
        Self::Campaign,
        Self::MissingCampaign,
        Self::OrphanCampaign,
        Self::File,
        Self::KeptFile,
        Self::Override,
        Self::OrphanAttempt,
        Self::DamagedAttempt,
        Self::MissingAttempt,
        Self::OrphanLeg,
        Self::UnknownLeg,
        Self::LostLeg,
        Self::Availability,
        Self::HeldAgent,
    ];

    /// The name used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generation => "generation",
            Self::Campaign => "campaign",
            Self::MissingCampaign => "missing_campaign",
            Self::OrphanCampaign => "orphan_campaign",
            Self::File => "file",
            Self::KeptFile => "kept_file",
            Self::Override => "override",
            Self::OrphanAttempt => "orphan_attempt",
            Self::DamagedAttempt => "damaged_attempt",
            Self::MissingAttempt => "missing_attempt",
            Self::OrphanLeg => "orphan_leg",
            Self::UnknownLeg => "unknown_leg",
            Self::LostLeg => "lost_leg",
            Self::Availability => "availability",
            Self::HeldAgent => "held_agent",
        }
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// See [`Kind::Generation`].
    Generation {
        /// What the store has; `None` for nothing.
        stored: Option<Revision>,
    },
    /// See [`Kind::Campaign`].
    Campaign {
        /// Which one.
        id: CampaignId,
        /// Each difference, in half a sentence.
        differs: Vec<String>,
    },
    /// See [`Kind::MissingCampaign`].
    MissingCampaign {
        /// Which one.
        id: CampaignId,
    },
    /// See [`Kind::OrphanCampaign`].
    OrphanCampaign {
        /// Which one.
        id: CampaignId,
    },
    /// See [`Kind::File`].
    File {
        /// Its path in the repository; `None` for what the store says of all of them.
        path: Option<String>,
        /// How it differs, in half a sentence.
        differs: &'static str,
    },
    /// See [`Kind::KeptFile`].
    KeptFile {
        /// Its path in the repository.
        path: String,
        /// How it differs, in half a sentence.
        differs: &'static str,
    },
    /// See [`Kind::Override`].
    Override {
        /// Which one.
        id: OverrideId,
        /// The campaign that it is of; `None` for all.
        campaign: Option<CampaignId>,
        /// How its row differs, in half a sentence.
        differs: String,
    },
    /// See [`Kind::OrphanAttempt`].
    OrphanAttempt {
        /// Which one.
        attempt: AttemptId,
        /// Of which campaign, if the store knows.
        campaign: Option<CampaignId>,
    },
    /// See [`Kind::DamagedAttempt`].
    DamagedAttempt {
        /// Which one.
        attempt: AttemptId,
        /// Of which campaign, if the store knows.
        campaign: Option<CampaignId>,
        /// What can't be read.
        why: String,
    },
    /// See [`Kind::MissingAttempt`].
    MissingAttempt {
        /// Which one.
        attempt: AttemptId,
        /// Of which campaign.
        campaign: CampaignId,
    },
    /// See [`Kind::OrphanLeg`].
    OrphanLeg {
        /// Which one.
        leg: LegId,
    },
    /// See [`Kind::UnknownLeg`].
    UnknownLeg {
        /// Which one.
        leg: LegId,
    },
    /// See [`Kind::LostLeg`].
    LostLeg {
        /// Which one.
        leg: LegId,
        /// Of which campaign, if it is in a call.
        campaign: Option<CampaignId>,
    },
    /// See [`Kind::Availability`].
    Availability {
        /// Whose.
        agent: AgentId,
        /// What the store has, as it stands there.
        stored: String,
        /// What it should have.
        wanted: &'static str,
    },
    /// See [`Kind::HeldAgent`].
    HeldAgent {
        /// Who.
        agent: AgentId,
    },
}

impl Drift {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Generation { .. } => Kind::Generation,
            Self::Campaign { .. } => Kind::Campaign,
            Self::MissingCampaign { .. } => Kind::MissingCampaign,
            Self::OrphanCampaign { .. } => Kind::OrphanCampaign,
            Self::File { .. } => Kind::File,
            Self::KeptFile { .. } => Kind::KeptFile,
            Self::Override { .. } => Kind::Override,
            Self::OrphanAttempt { .. } => Kind::OrphanAttempt,
            Self::DamagedAttempt { .. } => Kind::DamagedAttempt,
            Self::MissingAttempt { .. } => Kind::MissingAttempt,
            Self::OrphanLeg { .. } => Kind::OrphanLeg,
            Self::UnknownLeg { .. } => Kind::UnknownLeg,
            Self::LostLeg { .. } => Kind::LostLeg,
            Self::Availability { .. } => Kind::Availability,
            Self::HeldAgent { .. } => Kind::HeldAgent,
        }
    }

    /// What it is about: the same thing that drifts again has the same one, however it differs.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Generation { .. } => "commit in force".to_owned(),
            Self::Campaign { id, .. } | Self::MissingCampaign { id } | Self::OrphanCampaign { id } => {
                format!("campaign {id}")
            }
            // Whoever wrote the store chose the path, control characters and all.
            Self::File { path: Some(path), .. } => format!("file {path:?}"),
            Self::File { path: None, .. } => "files in force".to_owned(),
            Self::KeptFile { path, .. } => format!("kept file {path:?}"),
            Self::Override { id, .. } => format!("override {id}"),
            Self::OrphanAttempt { attempt, .. }
            | Self::DamagedAttempt { attempt, .. }
            | Self::MissingAttempt { attempt, .. } => format!("attempt {attempt}"),
            Self::OrphanLeg { leg } | Self::UnknownLeg { leg } | Self::LostLeg { leg, .. } => format!("leg {leg}"),
            Self::Availability { agent, .. } | Self::HeldAgent { agent } => format!("agent {agent}"),
        }
    }

    /// The campaign that it concerns.
    #[must_use]
    pub fn campaign(&self) -> Option<&CampaignId> {
        match self {
            Self::Campaign { id, .. } | Self::MissingCampaign { id } | Self::OrphanCampaign { id } => Some(id),
            Self::MissingAttempt { campaign, .. } => Some(campaign),
            Self::OrphanAttempt { campaign, .. }
            | Self::DamagedAttempt { campaign, .. }
            | Self::LostLeg { campaign, .. }
            | Self::Override { campaign, .. } => campaign.as_ref(),
            Self::Generation { .. }
            | Self::File { .. }
            | Self::KeptFile { .. }
            | Self::OrphanLeg { .. }
            | Self::UnknownLeg { .. }
            | Self::Availability { .. }
            | Self::HeldAgent { .. } => None,
        }
    }

    /// Whether the loop that follows the branch puts it right; else the dialling loop does.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        match self.kind() {
            Kind::Generation
            | Kind::Campaign
            | Kind::MissingCampaign
            | Kind::OrphanCampaign
            | Kind::File
            | Kind::KeptFile
            | Kind::Override => true,
            Kind::OrphanAttempt
            | Kind::DamagedAttempt
            | Kind::MissingAttempt
            | Kind::OrphanLeg
            | Kind::UnknownLeg
            | Kind::LostLeg
            | Kind::Availability
            | Kind::HeldAgent => false,
        }
    }
}

/// Says what differs, in half a sentence.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        match self {
            Self::Generation { stored: Some(stored) } => write!(f, "{subject}: the store has {}", stored.short()),
            Self::Generation { stored: None } => write!(f, "{subject}: the store has none"),
            Self::Campaign { differs, .. } => write!(f, "{subject}: {}", differs.join(", ")),
            Self::MissingCampaign { .. } => write!(f, "{subject}: the store has no row of it"),
            Self::OrphanCampaign { .. } => write!(f, "{subject}: the store has a row of it, and the commit no file"),
            Self::File { differs, .. } | Self::KeptFile { differs, .. } => write!(f, "{subject}: {differs}"),
            Self::Override { differs, .. } => write!(f, "{subject}: {differs}"),
            Self::OrphanAttempt { .. } => write!(f, "{subject}: live in the store, and nobody makes it"),
            Self::DamagedAttempt { why, .. } => write!(f, "{subject}: live in the store, and can't be read: {why}"),
            Self::MissingAttempt { .. } => write!(f, "{subject}: under way, and not live in the store"),
            Self::OrphanLeg { .. } => write!(f, "{subject}: in the store, and nobody has it"),
            Self::UnknownLeg { .. } => write!(f, "{subject}: up, and nobody knows it"),
            Self::LostLeg { .. } => write!(f, "{subject}: counted on, and not there"),
            Self::Availability { stored, wanted, .. } => {
                write!(f, "{subject}: {stored:?} in the store, and {wanted:?} was asked for")
            }
            Self::HeldAgent { .. } => write!(f, "{subject}: held for a call that nobody makes"),
        }
    }
}
