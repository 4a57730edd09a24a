//! Agents as the engine holds them.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{
    agent::{AgentCall, AgentState, Availability},
    campaign::AgentDefinition,
    ids::{AttemptId, LegId},
    now::Now,
};

/// An agent who does not pick up is left alone for so long (SPEC §3).
pub const MISSED_BACKOFF: Duration = Duration::from_secs(30);

/// So many calls in a row not picked up, and the agent is put to `rest`.
pub const MISSES_MAX: u32 = 3;

/// A phone that is up when its call fails is kept so long for the next call, so that the agent need
/// not pick up again for every number that does not answer.
pub const PHONE_KEPT_FOR: Duration = Duration::from_secs(2);

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not for calls.
    Away(Availability),
    /// Ready, since then.
    Idle { since: Duration },
    /// Held for an attempt; its stage says more. Idle since `idle_since` before that.
    Held { attempt: AttemptId, idle_since: Duration },
    /// After a conversation, at the latest until then.
    WrapUp { until: Duration },
    /// Left mid-call by an earlier life, at the latest until then.
    Recovering { leg: LegId, until: Duration },
}

/// The agent's phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phone {
    Down,
    /// The leg is being stored.
    Storing(LegId),
    Ringing(LegId),
    Up(LegId),
}

impl Phone {
    pub(super) fn leg(self) -> Option<LegId> {
        match self {
            Self::Down => None,
            Self::Storing(leg) | Self::Ringing(leg) | Self::Up(leg) => Some(leg),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// `None` once `agents.toml` no longer has it.
    pub(super) definition: Option<AgentDefinition>,
    pub(super) phase: Phase,
    pub(super) phone: Phone,
    /// What to become after the call, if not idle.
    pub(super) after_call: Option<Availability>,
    pub(super) misses: u32,
    /// The conversation that the agent is wrapping up.
    pub(super) last_call: Option<AgentCall>,
    pub(super) backoff_until: Option<Duration>,
    /// When an idle agent's phone is hung up.
    pub(super) phone_kept_until: Option<Duration>,
    /// Free since then, for the idle-to-call figure.
    pub(super) free_since: Option<Duration>,
    pub(super) state_since: Timestamp,
    /// Where the agent stands among the engine's idle ones.
    pub(super) listed: Option<Duration>,
}

impl Agent {
    pub(super) fn new(definition: AgentDefinition, now: Now) -> Self {
        Self {
            definition: Some(definition),
            phase: Phase::Away(Availability::SignedOut),
            phone: Phone::Down,
            after_call: None,
            misses: 0,
            last_call: None,
            backoff_until: None,
            phone_kept_until: None,
            free_since: None,
            state_since: now.wall,
            listed: None,
        }
    }

    /// Whether a call may be given to this agent now.
    pub(super) fn is_available(&self, now: Duration) -> bool {
        self.idle_since().is_some() && self.definition.is_some() && self.backoff_until.is_none_or(|until| until <= now)
    }

    /// Since when the agent is idle.
    pub(super) fn idle_since(&self) -> Option<Duration> {
        match self.phase {
            Phase::Idle { since } => Some(since),
            Phase::Away(_) | Phase::Held { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => None,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Now) {
        if self.phase != phase {
            self.state_since = now.wall;
        }
        self.phase = phase;
    }

    /// When something about this agent changes by itself.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        let phase = match self.phase {
            Phase::WrapUp { until } | Phase::Recovering { until, .. } => Some(until),
            Phase::Away(_) | Phase::Idle { .. } | Phase::Held { .. } => None,
        };
        [phase, self.backoff_until, self.phone_kept_until].into_iter().flatten().min()
    }

    /// SPEC §4's state, but for a held agent, whose attempt's stage decides.
    pub(super) fn state_unless_held(&self) -> Option<AgentState> {
        match self.phase {
            Phase::Away(Availability::SignedOut) => Some(AgentState::SignedOut),
            Phase::Away(Availability::Busy | Availability::Idle) => Some(AgentState::Busy),
            Phase::Away(Availability::Rest) => Some(AgentState::Rest),
            Phase::Idle { .. } => Some(AgentState::Idle),
            Phase::Held { .. } => None,
            Phase::WrapUp { .. } => Some(AgentState::WrapUp),
            Phase::Recovering { .. } => Some(AgentState::Recovering),
        }
    }
}
