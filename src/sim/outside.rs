//! The other side: what customers and agents do, as a world says it.

use std::time::Duration;

use super::machine::Halt;
use crate::domain::{
    call::{EndedBy, LegEnd},
    engine::Input,
    facts::Facts,
    ids::{AgentId, CampaignId},
    now::Now,
    phone::E164,
    results::CallResult,
};

/// What becomes of one call to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// How it ends.
    pub(super) result: CallResult,
    /// From the INVITE to the answer, or to the end of what is not answered.
    pub(super) ring: Duration,
    /// How long the customer talks.
    pub(super) talk: Duration,
}

/// A world.
pub(super) trait Outside {
    /// What becomes of a call that begins now and may ring so long.
    fn fate(&mut self, now: Now, campaign: &CampaignId, number: &E164, ring: Duration) -> Result<Fate, Halt>;

    /// How soon the agent's phone is picked up; `None` for never.
    fn picks_up_after(&mut self, now: Now, agent: &AgentId) -> Option<Duration>;

    /// How long the agent's own wrap-up takes after a conversation.
    fn wrap_up(&mut self, now: Now, agent: &AgentId) -> Duration;

    /// Lets an event happen to the facts, and tells what the engine hears of it.
    fn happen(&mut self, now: Now, event: usize, facts: &mut Facts) -> Result<Vec<Input>, Halt>;
}

/// The leg's end by which the engine learns a result that needs no answer; `None` for results that
/// come about otherwise.
pub(super) fn end_of(result: CallResult) -> Option<LegEnd> {
    let end = |status: u16, q850: Option<u8>, reason: Option<&str>| LegEnd {
        by: EndedBy::Peer,
        answered: false,
        cancelled: false,
        status: Some(status),
        q850,
        retry_after: None,
        reason: reason.map(str::to_owned),
    };
    Some(match result {
        CallResult::Vacant => end(404, Some(1), None),
        CallResult::Busy => end(486, Some(17), None),
        CallResult::NoAnswer | CallResult::Unknown => rang_out(),
        CallResult::Rejected => end(603, Some(21), None),
        CallResult::PoweredOff => end(480, Some(20), Some("Q.850;cause=20;text=\"powered off\"")),
        CallResult::Suspended => end(480, Some(54), None),
        CallResult::Unreachable => end(480, Some(20), None),
        CallResult::NumberChanged => end(410, Some(22), None),
        CallResult::FaxOrModem => end(480, None, Some("SIP;cause=480;text=\"fax\"")),
        CallResult::AnsweringMachine => end(480, None, Some("SIP;cause=480;text=\"answering machine\"")),
        CallResult::InvalidNumber => end(484, Some(28), None),
        CallResult::NetworkFailure => end(500, Some(38), None),
        CallResult::CarrierCongestion => end(503, Some(34), None),
        CallResult::Answered | CallResult::CustomerHungUp | CallResult::Abandoned | CallResult::AgentLost => {
            return None;
        }
    })
}

/// The end of a leg that rang until we cancelled it.
pub(super) fn rang_out() -> LegEnd {
    LegEnd {
        by: EndedBy::Us,
        answered: false,
        cancelled: true,
        status: Some(487),
        q850: None,
        retry_after: None,
        reason: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::result_of;

    #[test]
    fn the_engine_learns_the_result_that_was_meant() {
        for result in CallResult::ALL {
            if let Some(end) = end_of(result) {
                let treated = if result == CallResult::Unknown { CallResult::NoAnswer } else { result };
                assert_eq!(result_of(&end).0, treated);
            }
        }
    }
}
