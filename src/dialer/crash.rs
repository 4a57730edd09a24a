//! Named points at which a debug build kills itself, for the kill tests; a release has none.

use std::time::Duration;

/// A point between two adjacent steps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// An agent is claimed; the agent's leg is not stored.
    Claimed,
    /// The agent answered; no intent is asked for.
    AgentAnswered,
    /// The intent is durable; the INVITE has not left.
    IntentRecorded,
    /// The INVITE left; nothing came back.
    Invited,
    /// The customer's phone rings.
    Ringing,
    /// The customer answered; the store does not know.
    Answered,
    /// The answer is stored; it is not acknowledged.
    AnswerStored,
    /// Customer and agent hear each other, and the store knows.
    Connected,
    /// The call is over; its outcome is not with the store.
    Ended,
    /// The outcome is stored.
    Settled,
}

impl CrashPoint {
    /// Every point, in a call's order.
    pub const ALL: [Self; 10] = [
        Self::Claimed,
        Self::AgentAnswered,
        Self::IntentRecorded,
        Self::Invited,
        Self::Ringing,
        Self::Answered,
        Self::AnswerStored,
        Self::Connected,
        Self::Ended,
        Self::Settled,
    ];

    /// The name that tests use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::AgentAnswered => "agent_answered",
            Self::IntentRecorded => "intent_recorded",
            Self::Invited => "invited",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::AnswerStored => "answer_stored",
            Self::Connected => "connected",
            Self::Ended => "ended",
            Self::Settled => "settled",
        }
    }

    /// The point of that name, in a debug build.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| cfg!(debug_assertions) && point.as_str() == name)
    }
}

/// Kills the process, as a power cut would, if `armed` is this point.
pub(super) fn point(armed: Option<CrashPoint>, here: CrashPoint) {
    if cfg!(debug_assertions) && armed == Some(here) {
        if here == CrashPoint::Invited {
            // The socket is another task's: let the INVITE leave.
            #[expect(clippy::disallowed_methods, reason = "the process is about to die")]
            std::thread::sleep(Duration::from_millis(60));
        }
        let me = rustix::process::getpid();
        // If the signal can't be sent the test that armed the point says so.
        let _sent = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    }
}
