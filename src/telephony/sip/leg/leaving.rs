//! A leg whose BYE is out (RFC 3261 §15), and what an end tells (RFC 3326).

use std::time::Duration;

use super::{Act, Leg, Role, Stage};
use crate::{
    domain::call::{EndedBy, HangUpCause, LegEnd},
    telephony::sip::{
        dialog::{self, Dialog},
        header::{Name, Params, number, split, text},
        keys::Names,
        message::{Message, Method},
        settings::Shared,
    },
};

/// Longest `Reason` that is kept.
const REASON_BYTES_MAX: usize = 200;

/// The BYE is out.
#[derive(Debug)]
pub(super) struct Leaving {
    /// When its answer is no longer awaited: 64·T1 from the first BYE, challenges included.
    pub(super) until: Duration,
    /// What is told then.
    end: Box<LegEnd>,
    /// Whether the newest BYE answers a challenge.
    signed: bool,
    cause: Option<HangUpCause>,
}

impl Leg {
    /// Ends the call that a 2xx made which nobody wants: of a fork that lost, or of a leg that is
    /// not known (any more).
    pub fn put_down(
        now: Duration,
        shared: &Shared,
        names: &Names,
        dialog: Dialog,
        response: &Message,
        acts: &mut Vec<Act>,
    ) -> Self {
        let mut leg = Self::new(None, names, dialog, None, Stage::Over);
        if let Some(cseq) = response.cseq() {
            leg.acknowledge_2xx(shared, cseq.number, acts);
        }
        let end = leg.told(EndedBy::Us, true, None);
        leg.leave(now, shared, None, end, acts);
        leg
    }

    /// Sends the BYE; a 2xx that still waits for its ACK gets it first, since peers (SIPp among them)
    /// refuse a BYE that overtakes it. Dying between those two datagrams would leave an acknowledged
    /// peer that no later life hears of; both go out in one turn of the socket's actor.
    pub(super) fn leave(
        &mut self,
        now: Duration,
        shared: &Shared,
        cause: Option<HangUpCause>,
        end: LegEnd,
        acts: &mut Vec<Act>,
    ) {
        let unacknowledged = self.stop_talking(acts);
        let leaving = Leaving { until: now + shared.timing.give_up(), end: Box::new(end), signed: false, cause };
        self.stage = Stage::Leaving(leaving);
        if let Some(cseq) = unacknowledged {
            self.acknowledge_2xx(shared, cseq, acts);
        }
        self.bye(shared, cause, acts);
    }

    /// Ends the wait for the BYE's answer at `until` if that is earlier; the BYE itself goes on.
    pub(super) fn leave_until(&mut self, until: Option<Duration>) {
        if let (Some(until), Stage::Leaving(leaving)) = (until, &mut self.stage) {
            leaving.until = leaving.until.min(until);
        }
    }

    fn bye(&mut self, shared: &Shared, cause: Option<HangUpCause>, acts: &mut Vec<Act>) {
        let (mut message, branch) = self.dialog.request(shared, Method::Bye);
        if let Some(cause) = cause {
            message.push(Name::Reason, format_args!("Q.850;cause={}", cause.q850()));
        }
        self.sign(shared, &mut message);
        acts.push(Act::Request { role: Role::Bye, message, branch, to: self.dialog.next_hop() });
    }

    pub(super) fn bye_response(&mut self, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Stage::Leaving(leaving) = &self.stage else { return };
        let (signed, cause) = (leaving.signed, leaving.cause);
        match response.status() {
            Some(..200) | None => {}
            Some(401 | 407) if self.take_up(shared, response, signed) => {
                if let Stage::Leaving(leaving) = &mut self.stage {
                    leaving.signed = true;
                }
                self.bye(shared, cause, acts);
            }
            // 481 included: the peer doesn't know the call, so it is over.
            Some(_) => self.left(acts),
        }
    }

    /// The BYE is settled, or given up.
    pub(super) fn left(&mut self, acts: &mut Vec<Act>) {
        if let Stage::Leaving(leaving) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.end(*leaving.end, acts);
        }
    }

    /// A request of the peer while our BYE is out.
    pub(super) fn late_request(&mut self, shared: &Shared, request: &Message, acts: &mut Vec<Act>) {
        let bye = request.method() == Some(&Method::Bye);
        acts.push(Act::Respond(dialog::respond(shared, request, if bye { 200 } else { 481 })));
        if bye {
            self.left(acts);
        }
    }
}

/// An end with what `message` tells about it.
pub(super) fn told(by: EndedBy, answered: bool, cancelled: bool, message: Option<&Message>) -> LegEnd {
    let retry_after = message.and_then(|message| message.value(Name::RetryAfter)).and_then(|value| {
        let digits = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        number(&value[..digits])
    });
    LegEnd {
        by,
        answered,
        cancelled,
        status: message.and_then(Message::status),
        q850: message.and_then(q850),
        retry_after,
        reason: message.and_then(|message| message.value(Name::Reason)).map(|value| {
            let text = String::from_utf8_lossy(value);
            text.chars()
                .scan(0, |bytes, c| {
                    *bytes += c.len_utf8();
                    (*bytes <= REASON_BYTES_MAX).then_some(c)
                })
                .collect()
        }),
    }
}

/// The cause of the first `Q.850` among the `Reason`s.
fn q850(message: &Message) -> Option<u8> {
    message.list(Name::Reason).find_map(|reason| {
        let protocol = split(reason, b';').next()?;
        if !text(protocol)?.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        let cause = number(Params::of(&reason[protocol.len()..]).value("cause")?)?;
        u8::try_from(cause).ok().filter(|cause| *cause < 128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reasons: &[&str]) -> Message {
        let mut response = Message::response(486, "x");
        reasons.iter().for_each(|reason| response.push(Name::Reason, reason));
        response
    }

    #[test]
    fn reasons_are_read() {
        for (reasons, wanted) in [
            (&["Q.850;cause=17;text=\"User, busy\""][..], Some(17)),
            (&["SIP ;cause=600 ;text=\"x\", q.850 ; cause = 21"], Some(21)),
            (&["SIP;cause=486", "Q.850;text=\"a;cause=9\";cause=34"], Some(34)),
            (&["Q.850;cause=128"], None),
            (&["Q.850;cause=x"], None),
            (&["Q.850"], None),
            (&[], None),
        ] {
            assert_eq!(q850(&refusal(reasons)), wanted, "{reasons:?}");
        }
    }

    #[test]
    fn an_end_keeps_a_bounded_reason_and_retry_after() {
        let mut response = refusal(&[&"\u{fc}".repeat(150)]);
        response.push(Name::RetryAfter, "120 (maintenance);duration=9");
        let end = told(EndedBy::Peer, false, true, Some(&response));
        assert_eq!((end.status, end.retry_after, end.q850), (Some(486), Some(120), None));
        assert_eq!(end.reason.unwrap().len(), 200);
    }
}
