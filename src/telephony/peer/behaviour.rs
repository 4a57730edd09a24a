//! What a called number does.

use std::time::Duration;

/// What a called number does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It rings, and is answered.
    Answer {
        /// After ringing so long.
        after: Duration,
        /// Hangs up after talking so long; `None` waits for our side to.
        talk: Option<Duration>,
    },
    /// It is refused.
    Refuse {
        /// After so long.
        after: Duration,
        /// How.
        refusal: Refusal,
    },
    /// It rings until the caller gives up.
    RingOut,
}

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The line is busy.
    Busy,
    /// The customer declines.
    Rejected,
    /// The number does not exist.
    Vacant,
}

impl Behaviour {
    /// Whether the phone rings before anything else happens.
    pub(super) fn rings(self) -> bool {
        match self {
            Self::Answer { .. } | Self::RingOut => true,
            Self::Refuse { refusal, .. } => refusal == Refusal::Rejected,
        }
    }

    /// How long until something else happens; `None` for never.
    pub(super) fn waits(self) -> Option<Duration> {
        match self {
            Self::Answer { after, .. } | Self::Refuse { after, .. } => Some(after),
            Self::RingOut => None,
        }
    }
}

impl Refusal {
    /// The SIP status.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Busy => 486,
            Self::Rejected => 603,
            Self::Vacant => 404,
        }
    }

    /// The value of `Reason`, with the cause of Q.850.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Busy => "Q.850;cause=17;text=\"User busy\"",
            Self::Rejected => "Q.850;cause=21;text=\"Call rejected\"",
            Self::Vacant => "Q.850;cause=1;text=\"Unallocated number\"",
        }
    }
}
