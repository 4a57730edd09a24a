//! Agents: what each is doing now, and who may have them do what.

use std::fmt;

use jiff::Timestamp;

use super::{
    ids::{AttemptId, CampaignId, CustomerId},
    person::Role,
};

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

/// When a state begins that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// At once; of a call that is under way, when it lets the agent go.
    Now,
    /// After the call and its wrap-up: "pause after this call".
    AfterCall,
}

/// Why an agent's state stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The role sets nobody's state.
    #[error("the role {0} sets no agent's state")]
    Role(Role),
    /// Only agents say that they are there.
    #[error("the agent is signed out, and only the agent signs in")]
    NotHere,
    /// Three calls were not picked up, or the agent wants rest: only the agent says when that is over.
    #[error("the agent is at rest, which only the agent ends")]
    AtRest,
    /// There is no call after which to pause.
    #[error("the agent is in no call after which to pause")]
    NoCall,
}

/// Whether somebody may have an agent, who is in `state`, become available for `wanted`. Agents decide for themselves;
/// a supervisor takes them out of calls, and back into them only where the agent has not gone or rests; an admin
/// stands in for the agent.
pub fn may_set(by: Role, state: AgentState, wanted: Availability, begins: Begins) -> Result<(), NotAllowed> {
    use AgentState::{Busy, Idle, Recovering, Reserved, Rest, Ringing, SignedOut, Talking, WrapUp};
    if begins == Begins::AfterCall {
        match state {
            Reserved | Ringing | Talking | WrapUp | Recovering => {}
            SignedOut | Idle | Busy | Rest => return Err(NotAllowed::NoCall),
        }
    }
    match (by, state) {
        (Role::Viewer, _) => Err(NotAllowed::Role(by)),
        (Role::Agent | Role::Admin, _) => Ok(()),
        (Role::Supervisor, SignedOut) if wanted != Availability::SignedOut => Err(NotAllowed::NotHere),
        (Role::Supervisor, Rest) if !matches!(wanted, Availability::Rest | Availability::SignedOut) => {
            Err(NotAllowed::AtRest)
        }
        (Role::Supervisor, SignedOut | Idle | Reserved | Ringing | Talking | WrapUp | Busy | Rest | Recovering) => {
            Ok(())
        }
    }
}

/// How far the call has come that an agent is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStage {
    /// The agent's phone is rung.
    Phone,
    /// The agent is on the line, and the customer is about to be called or rings.
    Customer,
    /// The customer has answered and is being connected.
    Connecting,
    /// They talk.
    Talking,
    /// It is over, and the agent has time for notes.
    WrapUp,
}

/// The call that an agent is held for, or has just had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCall {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// With whom.
    pub customer: CustomerId,
    /// Which of the customer's numbers, by index from 0.
    pub number: usize,
    /// How far it has come.
    pub stage: CallStage,
    /// Since when they talk, or have talked.
    pub connected_at: Option<Timestamp>,
    /// When the wrap-up ends by itself.
    pub wrap_up_until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_set_what() {
        use AgentState as S;
        use Availability as A;
        let now = |by, state, wanted| may_set(by, state, wanted, Begins::Now);
        for state in S::ALL {
            for wanted in [A::Idle, A::Busy, A::Rest, A::SignedOut] {
                assert_eq!(now(Role::Agent, state, wanted), Ok(()));
                assert_eq!(now(Role::Admin, state, wanted), Ok(()));
                assert_eq!(now(Role::Viewer, state, wanted), Err(NotAllowed::Role(Role::Viewer)));
                let expected = match (state, wanted) {
                    (S::SignedOut, A::Idle | A::Busy | A::Rest) => Err(NotAllowed::NotHere),
                    (S::Rest, A::Idle | A::Busy) => Err(NotAllowed::AtRest),
                    _ => Ok(()),
                };
                assert_eq!(now(Role::Supervisor, state, wanted), expected, "{state} to {wanted}");
            }
        }
    }

    #[test]
    fn a_pause_after_the_call_needs_one() {
        use AgentState as S;
        for state in S::ALL {
            let in_call = matches!(state, S::Reserved | S::Ringing | S::Talking | S::WrapUp | S::Recovering);
            let asked = may_set(Role::Agent, state, Availability::Busy, Begins::AfterCall);
            assert_eq!(asked, if in_call { Ok(()) } else { Err(NotAllowed::NoCall) }, "{state}");
        }
    }
}
