//! Agents: what each is doing now.

use std::fmt;

/// What an agent, or an operator for one, asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Availability {
    /// Ready for calls.
    Idle,
    /// Signed in, and not to be called.
    Busy,
    /// Put aside after three calls not picked up, or by choice.
    Rest,
    /// Gone.
    SignedOut,
}

impl Availability {
    /// The name used in commands and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Rest => "rest",
            Self::SignedOut => "signed_out",
        }
    }

    /// The availability of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Idle, Self::Busy, Self::Rest, Self::SignedOut].into_iter().find(|a| a.as_str() == name)
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An agent's state as shown everywhere (SPEC §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentState {
    /// Not here.
    SignedOut,
    /// Ready.
    Idle,
    /// Held for one attempt; the phone is not ringing yet.
    Reserved,
    /// The agent's phone rings.
    Ringing,
    /// With a customer.
    Talking,
    /// After a conversation.
    WrapUp,
    /// Signed in, not to be called.
    Busy,
    /// Put aside.
    Rest,
    /// Left mid-call by an earlier life of the daemon; not known yet.
    Recovering,
}

impl AgentState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::SignedOut,
        Self::Idle,
        Self::Reserved,
        Self::Ringing,
        Self::Talking,
        Self::WrapUp,
        Self::Busy,
        Self::Rest,
        Self::Recovering,
    ];

    /// The name used in status, tables and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Idle => "idle",
            Self::Reserved => "reserved",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::WrapUp => "wrap_up",
            Self::Busy => "busy",
            Self::Rest => "rest",
            Self::Recovering => "recovering",
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
