//! Results: how an attempt ended (SPEC §1.3), and the one function from a leg's end to a result.

use std::fmt;

use super::call::{EndedBy, LegEnd};

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
    pub const fn as_str(self) -> &'static str {
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

/// The result of a customer's leg that no agent heard, and the seed system's code for it. Total: every
/// end has one. The table, with reasons, is `docs/results.md`; a test holds both equal.
///
/// Q.850 is what the telephone network said, and the SIP status only a gateway's translation of it, so
/// the cause wins unless it says nothing (0, 16, 31, 127 and unassigned ones).
#[must_use]
pub fn result_of(end: &LegEnd) -> (CallResult, &'static str) {
    if end.answered {
        return match end.by {
            EndedBy::Peer => (CallResult::CustomerHungUp, "00531"),
            EndedBy::Us => (CallResult::Abandoned, "01281"),
            EndedBy::Timeout | EndedBy::Transport | EndedBy::Protocol => (CallResult::Abandoned, "01056"),
        };
    }
    match end.by {
        EndedBy::Us => (CallResult::NoAnswer, "01040"),
        // We cancelled and nothing came back any more: it had rung for as long as it may.
        EndedBy::Timeout if end.cancelled => (CallResult::NoAnswer, "01040"),
        EndedBy::Timeout => (CallResult::NetworkFailure, "01043"),
        EndedBy::Transport | EndedBy::Protocol => (CallResult::NetworkFailure, "00155"),
        EndedBy::Peer => refined(end, refused(end)),
    }
}

/// What the peer's refusal says by its numbers.
fn refused(end: &LegEnd) -> (CallResult, &'static str) {
    if let Some(result) = end.q850.and_then(of_cause) {
        return result;
    }
    match end.status {
        // Some answer a CANCEL with these; it rang as long as it might.
        Some(408 | 480) if end.cancelled => (CallResult::NoAnswer, "01040"),
        Some(status) => of_status(status),
        None => (CallResult::NetworkFailure, "00155"),
    }
}

/// Words in a `Reason` that say more than "not reachable"; lower case.
const TELLING_WORDS: [(&str, CallResult, &str); 9] = [
    ("power off", CallResult::PoweredOff, "00208"),
    ("powered off", CallResult::PoweredOff, "00208"),
    ("switched off", CallResult::PoweredOff, "00208"),
    ("关机", CallResult::PoweredOff, "00208"),
    ("suspended", CallResult::Suspended, "00209"),
    ("停机", CallResult::Suspended, "00209"),
    ("空号", CallResult::Vacant, "00129"),
    ("answering machine", CallResult::AnsweringMachine, "00441"),
    ("fax", CallResult::FaxOrModem, "00160"),
];

/// Looks for telling words where the numbers only say that nobody was reached.
fn refined(end: &LegEnd, result: (CallResult, &'static str)) -> (CallResult, &'static str) {
    let vague = result.0 == CallResult::Unreachable || end.q850 == Some(18);
    let Some(reason) = end.reason.as_ref().filter(|_| vague) else { return result };
    let reason = reason.to_lowercase();
    let found = TELLING_WORDS.iter().find(|(words, ..)| reason.contains(words));
    found.map_or(result, |(_, result, code)| (*result, code))
}

/// What a Q.850 cause says; `None` for those that say nothing of their own.
fn of_cause(cause: u8) -> Option<(CallResult, &'static str)> {
    use CallResult::{
        Busy, CarrierCongestion, InvalidNumber, NetworkFailure, NoAnswer, NumberChanged, Rejected, Suspended,
        Unreachable, Vacant,
    };
    Some(match cause {
        1 => (Vacant, "00129"),
        3 => (Unreachable, "00012"),
        4 => (Unreachable, "00132"),
        5 | 28 => (InvalidNumber, "00538"),
        17 => (Busy, "00145"),
        18 => (NoAnswer, "00146"),
        19 => (NoAnswer, "00147"),
        20 => (Unreachable, "00549"),
        21 | 24 => (Rejected, "00149"),
        22 | 23 => (NumberChanged, "00150"),
        // The interface to the phone doesn't work: off-line, not out of contract.
        27 => (Unreachable, "00155"),
        34 | 44 | 46 => (CarrierCongestion, "00003"),
        42 => (CarrierCongestion, "00605"),
        47 => (CarrierCongestion, "00259"),
        // Incoming calls barred: the line takes none.
        54 | 55 => (Suspended, "00209"),
        2
        | 6..=9
        | 14
        | 25
        | 26
        | 29
        | 30
        | 38..=41
        | 43
        | 49
        | 50
        | 52
        | 53
        | 57
        | 58
        | 62
        | 63
        | 65
        | 66
        | 69
        | 70
        | 79
        | 81..=88
        | 90
        | 91
        | 95..=103
        | 110
        | 111 => (NetworkFailure, "00155"),
        _ => return None,
    })
}

/// What a final SIP status says when nothing else does.
fn of_status(status: u16) -> (CallResult, &'static str) {
    use CallResult::{
        Busy, CarrierCongestion, InvalidNumber, NetworkFailure, NoAnswer, NumberChanged, Rejected, Unreachable, Vacant,
    };
    match status {
        301 | 410 => (NumberChanged, "00150"),
        // A redirection is not followed: nobody agreed to call that other number.
        300..=399 => (Unreachable, "00008"),
        404 | 604 => (Vacant, "00129"),
        408 => (Unreachable, "00012"),
        433 | 603 | 607 | 608 => (Rejected, "00149"),
        480 => (Unreachable, "00549"),
        484 | 485 => (InvalidNumber, "00538"),
        486 => (Busy, "00145"),
        487 => (NoAnswer, "00147"),
        503 => (CarrierCongestion, "00003"),
        606 => (NetworkFailure, "00155"),
        // An unknown 6xx is a 600 (RFC 3261 §8.1.3.2).
        600..=699 => (Busy, "00537"),
        // The rest of 4xx and 5xx, 401, 403 and 407 among them: the trunk doesn't take our call, which
        // says nothing about the customer.
        _ => (NetworkFailure, "00155"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: Option<u16>, q850: Option<u8>) -> LegEnd {
        LegEnd { by: EndedBy::Peer, answered: false, cancelled: false, status, q850, retry_after: None, reason: None }
    }

    fn result(status: u16, q850: Option<u8>) -> CallResult {
        result_of(&refusal(Some(status), q850)).0
    }

    #[test]
    fn every_end_has_a_result_that_fits_it() {
        const SIDES: [EndedBy; 5] =
            [EndedBy::Peer, EndedBy::Us, EndedBy::Timeout, EndedBy::Transport, EndedBy::Protocol];
        for status in (300..=699).map(Some).chain([None]) {
            for q850 in (0..=127).map(Some).chain([None]) {
                for by in SIDES {
                    for (answered, cancelled) in [(false, false), (false, true), (true, false), (true, true)] {
                        let end = LegEnd { by, answered, cancelled, ..refusal(status, q850) };
                        let (result, code) = result_of(&end);
                        assert!(code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit()), "{end:?}");
                        use CallResult::{Abandoned, AgentLost, Answered, CustomerHungUp, Unknown};
                        assert!(!matches!(result, Answered | AgentLost | Unknown), "{end:?}");
                        assert_eq!(matches!(result, Abandoned | CustomerHungUp), answered, "{end:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_cause_wins_where_it_says_more() {
        assert_eq!(result(486, None), CallResult::Busy);
        assert_eq!(result(486, Some(21)), CallResult::Rejected);
        assert_eq!(result(404, Some(16)), CallResult::Vacant);
        assert_eq!(result(480, Some(19)), CallResult::NoAnswer);
        assert_eq!(result(500, Some(34)), CallResult::CarrierCongestion);
        assert_eq!(result(503, Some(17)), CallResult::Busy);
        assert_eq!(result(603, Some(127)), CallResult::Rejected);
    }

    #[test]
    fn words_refine_what_is_vague_only() {
        let with = |status, q850, reason: &str| {
            result_of(&LegEnd { reason: Some(reason.to_owned()), ..refusal(Some(status), q850) }).0
        };
        assert_eq!(with(480, None, "SIP;cause=480;text=\"Powered OFF\""), CallResult::PoweredOff);
        assert_eq!(with(480, Some(20), "Q.850;cause=20;text=\"已停机\""), CallResult::Suspended);
        assert_eq!(with(480, Some(18), "Q.850;cause=18;text=\"switched off\""), CallResult::PoweredOff);
        assert_eq!(with(486, Some(17), "Q.850;cause=17;text=\"switched off\""), CallResult::Busy);
        assert_eq!(with(480, None, "SIP;cause=480"), CallResult::Unreachable);
    }

    #[test]
    fn a_late_refusal_of_a_cancelled_call_is_no_answer() {
        let end = LegEnd { cancelled: true, ..refusal(Some(480), None) };
        assert_eq!(result_of(&end), (CallResult::NoAnswer, "01040"));
        let busy = LegEnd { cancelled: true, ..refusal(Some(486), None) };
        assert_eq!(result_of(&busy).0, CallResult::Busy);
    }

    /// Every row of the documentation's two tables, and every number they leave out.
    #[test]
    fn the_documentation_is_the_table() {
        let text = include_str!("../../docs/results.md");
        let (mut causes, mut statuses) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        let is_row = |line: &&str| line.starts_with("| `SIP ") || line.starts_with("| `Q.850 ");
        for line in text.lines().filter(is_row) {
            let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let (kind, numbers) = cells[1].split_once(' ').unwrap();
            for range in numbers.split(", ") {
                let (first, last) = range.split_once('–').unwrap_or((range, range));
                for number in first.parse::<u16>().unwrap()..=last.parse::<u16>().unwrap() {
                    let end = match kind {
                        "SIP" if statuses.insert(number) => refusal(Some(number), None),
                        "Q.850" if causes.insert(number) => refusal(None, Some(u8::try_from(number).unwrap())),
                        _ => panic!("{number} twice: {line}"),
                    };
                    let (result, code) = result_of(&end);
                    assert_eq!((result.as_str(), code), (cells[2], cells[3]), "{line}");
                }
            }
        }
        let documented = |cause: &u8| causes.contains(&u16::from(*cause));
        assert_eq!((0..=127).filter(documented).count(), (0..=127).filter(|cause| of_cause(*cause).is_some()).count());
        assert_eq!(statuses.len(), 400, "every status from 300 to 699");
    }
}
