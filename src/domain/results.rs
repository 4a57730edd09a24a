//! Results: how an attempt ended (SPEC §1.3), and the one function from a leg's end to a result.

use std::fmt;

use super::call::LegEnd;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallResult {
    /// The customer spoke with an agent.
    Answered,
    /// The number does not exist.
    Vacant,
    /// The line was busy.
    Busy,
    /// It rang and nobody took it.
    NoAnswer,
    /// The customer refused the call.
    Rejected,
    /// The phone is switched off.
    PoweredOff,
    /// The line is out of service.
    Suspended,
    /// The network could not reach the phone.
    Unreachable,
    /// The number has changed.
    NumberChanged,
    /// A fax or a modem answered.
    FaxOrModem,
    /// An answering machine answered.
    AnsweringMachine,
    /// The customer hung up after the answer, before an agent was heard.
    CustomerHungUp,
    /// Answered, and our side had no agent.
    Abandoned,
    /// The number is not one the network accepts.
    InvalidNumber,
    /// The network or the trunk failed.
    NetworkFailure,
    /// The carrier had no room.
    CarrierCongestion,
    /// The held agent's phone was lost before the customer answered.
    AgentLost,
    /// The daemon died while the call was up.
    Unknown,
}

impl CallResult {
    /// Every result, in the order of SPEC §1.3.
    pub const ALL: [Self; 18] = [
        Self::Answered,
        Self::Vacant,
        Self::Busy,
        Self::NoAnswer,
        Self::Rejected,
        Self::PoweredOff,
        Self::Suspended,
        Self::Unreachable,
        Self::NumberChanged,
        Self::FaxOrModem,
        Self::AnsweringMachine,
        Self::CustomerHungUp,
        Self::Abandoned,
        Self::InvalidNumber,
        Self::NetworkFailure,
        Self::CarrierCongestion,
        Self::AgentLost,
        Self::Unknown,
    ];

    /// The name used in files, tables, metrics and callbacks.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Vacant => "vacant",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Rejected => "rejected",
            Self::PoweredOff => "powered_off",
            Self::Suspended => "suspended",
            Self::Unreachable => "unreachable",
            Self::NumberChanged => "number_changed",
            Self::FaxOrModem => "fax_or_modem",
            Self::AnsweringMachine => "answering_machine",
            Self::CustomerHungUp => "customer_hung_up",
            Self::Abandoned => "abandoned",
            Self::InvalidNumber => "invalid_number",
            Self::NetworkFailure => "network_failure",
            Self::CarrierCongestion => "carrier_congestion",
            Self::AgentLost => "agent_lost",
            Self::Unknown => "unknown",
        }
    }

    /// The result of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == name)
    }

    /// Whether the customer is not to blame: such a try is left out of the budget and repeated
    /// after a short back-off (SPEC §3, "not the customer's fault").
    #[must_use]
    pub fn is_fault(self) -> bool {
        matches!(self, Self::AgentLost | Self::NetworkFailure | Self::CarrierCongestion)
    }

    /// The seed system's five-digit code for results that our side decides (research: codes of the
    /// seed system); results that the network gives carry the code of their cause.
    #[must_use]
    pub fn fail_code(self) -> &'static str {
        match self {
            Self::Answered => "00000",
            Self::Vacant => "00538",
            Self::Busy => "00537",
            Self::NoAnswer => "00603",
            Self::Rejected => "00604",
            Self::PoweredOff => "00548",
            Self::Suspended => "00209",
            Self::Unreachable => "00549",
            Self::NumberChanged => "00129",
            Self::FaxOrModem => "00160",
            Self::AnsweringMachine => "00441",
            Self::CustomerHungUp => "00531",
            Self::Abandoned => "01056",
            Self::InvalidNumber => "34605",
            Self::NetworkFailure => "00606",
            Self::CarrierCongestion => "00602",
            Self::AgentLost => "01281",
            Self::Unknown => "34608",
        }
    }

    /// Whether the customer and an agent spoke, for `after_conversation_days`.
    #[must_use]
    pub fn is_conversation(self) -> bool {
        self == Self::Answered
    }
}

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Placeholder until the total function lands.
#[must_use]
pub fn result_of(end: &LegEnd) -> (CallResult, &'static str) {
    let result = match end.status {
        Some(486 | 600) => CallResult::Busy,
        Some(404 | 604) => CallResult::Vacant,
        Some(603) => CallResult::Rejected,
        Some(503) => CallResult::CarrierCongestion,
        Some(480 | 487 | 408) => CallResult::NoAnswer,
        _ if end.cancelled => CallResult::NoAnswer,
        _ => CallResult::NetworkFailure,
    };
    (result, result.fail_code())
}
