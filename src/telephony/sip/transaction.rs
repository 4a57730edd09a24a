//! The four transaction machines of RFC 3261 §17 with the accepted states of RFC 6026, over an
//! unreliable transport.
//!
//! Pure: time comes in as an argument, and what is to be done comes out as a [`Step`]. The machines
//! hold no messages; their owner keeps the bytes that "send" means.

use std::time::Duration;

/// The timers that all others derive from (RFC 3261 §17.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Estimated round trip.
    pub t1: Duration,
    /// Longest interval between repeats.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// 64·T1: timers B, D, F, H, J, L and M.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }
}

/// What a machine wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Step {
    /// Send what it has to send: the request, the ACK or the newest response.
    pub send: bool,
    /// Hand the message to the user of the transaction.
    pub deliver: bool,
    /// Nothing came in time; tell the user.
    pub timed_out: bool,
    /// The transaction is over; forget it.
    pub over: bool,
}

impl Step {
    const NOTHING: Self = Self { send: false, deliver: false, timed_out: false, over: false };
    const SEND: Self = Self { send: true, ..Self::NOTHING };
    const DELIVER: Self = Self { deliver: true, ..Self::NOTHING };
    const OVER: Self = Self { over: true, ..Self::NOTHING };
    const TIMED_OUT: Self = Self { timed_out: true, over: true, ..Self::NOTHING };
}

/// A repeat timer: when next, and the interval before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeat {
    at: Duration,
    interval: Duration,
}

impl Repeat {
    fn every(now: Duration, interval: Duration) -> Self {
        Self { at: now + interval, interval }
    }

    /// Doubles the interval, up to `longest`.
    fn backed_off(self, now: Duration, longest: Duration) -> Self {
        Self::every(now, (self.interval * 2).min(longest))
    }
}

fn earlier(repeat: Option<Repeat>, end: Option<Duration>) -> Option<Duration> {
    match (repeat, end) {
        (Some(repeat), Some(end)) => Some(repeat.at.min(end)),
        (Some(repeat), None) => Some(repeat.at),
        (None, end) => end,
    }
}

/// State of an INVITE client transaction (§17.1.1, RFC 6026 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InviteClientState {
    Calling,
    Proceeding,
    Accepted,
    Completed,
}

/// An INVITE client transaction (§17.1.1, RFC 6026 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteClient {
    state: InviteClientState,
    repeat: Option<Repeat>,
    end: Option<Duration>,
}

impl InviteClient {
    /// The INVITE is being sent now.
    #[must_use]
    pub fn new(now: Duration, timing: &Timing) -> Self {
        Self {
            state: InviteClientState::Calling,
            repeat: Some(Repeat::every(now, timing.t1)),
            end: Some(now + timing.give_up()),
        }
    }

    /// An INVITE that an earlier life sent: nothing is repeated, its final response is awaited.
    #[must_use]
    pub fn adopted() -> Self {
        Self { state: InviteClientState::Proceeding, repeat: None, end: None }
    }

    /// Whether no final response has come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, InviteClientState::Calling | InviteClientState::Proceeding)
    }

    /// Stops repeating the INVITE: it is no longer wanted.
    pub fn stop_repeating(&mut self) {
        self.repeat = None;
    }

    /// A response with `status` came.
    pub fn response(&mut self, now: Duration, timing: &Timing, status: u16) -> Step {
        use InviteClientState::{Accepted, Calling, Completed, Proceeding};
        match (self.state, status) {
            (Calling | Proceeding, ..200) => {
                *self = Self { state: Proceeding, repeat: None, end: None };
                Step::DELIVER
            }
            (Calling | Proceeding, 200..300) => {
                *self = Self { state: Accepted, repeat: None, end: Some(now + timing.give_up()) };
                Step::DELIVER
            }
            (Calling | Proceeding, _) => {
                *self = Self { state: Completed, repeat: None, end: Some(now + timing.give_up()) };
                Step { send: true, deliver: true, ..Step::NOTHING }
            }
            (Accepted, 200..300) => Step::DELIVER,
            (Completed, 300..) => Step::SEND,
            (Accepted | Completed, _) => Step::NOTHING,
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration) -> Step {
        use InviteClientState::{Accepted, Calling, Completed, Proceeding};
        let ended = self.end.is_some_and(|end| end <= now);
        match self.state {
            Calling if ended => Step::TIMED_OUT,
            Accepted | Completed if ended => Step::OVER,
            // Timer A doubles without a limit; timer B ends it.
            Calling => repeat(&mut self.repeat, now, Duration::MAX),
            Proceeding | Accepted | Completed => Step::NOTHING,
        }
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        earlier(self.repeat, self.end)
    }
}

/// Repeats if due.
fn repeat(timer: &mut Option<Repeat>, now: Duration, longest: Duration) -> Step {
    match timer {
        Some(due) if due.at <= now => {
            *timer = Some(due.backed_off(now, longest));
            Step::SEND
        }
        _ => Step::NOTHING,
    }
}

/// State of another client transaction (§17.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientState {
    Trying,
    Proceeding,
    Completed,
}

/// A non-INVITE client transaction (§17.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    state: ClientState,
    repeat: Option<Repeat>,
    end: Duration,
}

impl Client {
    /// The request is being sent now.
    #[must_use]
    pub fn new(now: Duration, timing: &Timing) -> Self {
        let repeat = Some(Repeat::every(now, timing.t1));
        Self { state: ClientState::Trying, repeat, end: now + timing.give_up() }
    }

    /// A response with `status` came.
    pub fn response(&mut self, now: Duration, timing: &Timing, status: u16) -> Step {
        match (self.state, status) {
            (ClientState::Trying, ..200) => {
                self.state = ClientState::Proceeding;
                self.repeat = Some(Repeat::every(now, timing.t2));
                Step::DELIVER
            }
            (ClientState::Proceeding, ..200) => Step::DELIVER,
            (ClientState::Trying | ClientState::Proceeding, _) => {
                *self = Self { state: ClientState::Completed, repeat: None, end: now + timing.t4 };
                Step::DELIVER
            }
            (ClientState::Completed, _) => Step::NOTHING,
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration, timing: &Timing) -> Step {
        match self.state {
            ClientState::Completed if self.end <= now => Step::OVER,
            ClientState::Trying | ClientState::Proceeding if self.end <= now => Step::TIMED_OUT,
            ClientState::Completed => Step::NOTHING,
            ClientState::Trying | ClientState::Proceeding => repeat(&mut self.repeat, now, timing.t2),
        }
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        earlier(self.repeat, Some(self.end))
    }
}

/// State of an INVITE server transaction (§17.2.1, RFC 6026 §8.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InviteServerState {
    Proceeding,
    Accepted,
    Completed,
    Confirmed,
}

/// An INVITE server transaction (§17.2.1, RFC 6026 §7.1). Repeats of a 2xx are its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteServer {
    state: InviteServerState,
    repeat: Option<Repeat>,
    end: Option<Duration>,
}

impl InviteServer {
    /// An INVITE came.
    #[must_use]
    pub fn new() -> Self {
        Self { state: InviteServerState::Proceeding, repeat: None, end: None }
    }

    /// The user responds with `status`.
    pub fn respond(&mut self, now: Duration, timing: &Timing, status: u16) -> Step {
        use InviteServerState::{Accepted, Completed, Confirmed, Proceeding};
        match (self.state, status) {
            (Proceeding, ..200) => Step::SEND,
            (Proceeding, 200..300) => {
                *self = Self { state: Accepted, repeat: None, end: Some(now + timing.give_up()) };
                Step::SEND
            }
            (Proceeding, _) => {
                let repeat = Some(Repeat::every(now, timing.t1));
                *self = Self { state: Completed, repeat, end: Some(now + timing.give_up()) };
                Step::SEND
            }
            (Accepted | Completed | Confirmed, _) => Step::NOTHING,
        }
    }

    /// The INVITE came again.
    pub fn repeated(&mut self) -> Step {
        match self.state {
            InviteServerState::Proceeding | InviteServerState::Completed => Step::SEND,
            InviteServerState::Accepted | InviteServerState::Confirmed => Step::NOTHING,
        }
    }

    /// An ACK with its branch came.
    pub fn acknowledged(&mut self, now: Duration, timing: &Timing) -> Step {
        if self.state == InviteServerState::Completed {
            *self = Self { state: InviteServerState::Confirmed, repeat: None, end: Some(now + timing.t4) };
        }
        Step::NOTHING
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration, timing: &Timing) -> Step {
        use InviteServerState::{Accepted, Completed, Confirmed, Proceeding};
        let ended = self.end.is_some_and(|end| end <= now);
        match self.state {
            Completed if ended => Step::TIMED_OUT,
            Accepted | Confirmed if ended => Step::OVER,
            Completed => repeat(&mut self.repeat, now, timing.t2),
            Proceeding | Accepted | Confirmed => Step::NOTHING,
        }
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        earlier(self.repeat, self.end)
    }
}

impl Default for InviteServer {
    fn default() -> Self {
        Self::new()
    }
}

/// A non-INVITE server transaction (§17.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Server {
    responded: Option<u16>,
    end: Option<Duration>,
}

impl Server {
    /// A request came.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The user responds with `status`.
    pub fn respond(&mut self, now: Duration, timing: &Timing, status: u16) -> Step {
        if self.end.is_some() {
            return Step::NOTHING;
        }
        self.responded = Some(status);
        self.end = (status >= 200).then(|| now + timing.give_up());
        Step::SEND
    }

    /// The request came again.
    pub fn repeated(&mut self) -> Step {
        if self.responded.is_some() { Step::SEND } else { Step::NOTHING }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration) -> Step {
        if self.end.is_some_and(|end| end <= now) { Step::OVER } else { Step::NOTHING }
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timing = Timing { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Runs `timeout` at every deadline: when it sent, and how it ended.
    fn run(
        mut deadline: impl FnMut() -> Option<Duration>,
        mut timeout: impl FnMut(Duration) -> Step,
    ) -> (Vec<u64>, Option<(u64, Step)>) {
        let mut sent = Vec::new();
        while let Some(now) = deadline() {
            let millis = u64::try_from(now.as_millis()).unwrap();
            let step = timeout(now);
            if step.send {
                sent.push(millis);
            }
            if step.over {
                return (sent, Some((millis, step)));
            }
        }
        (sent, None)
    }

    #[test]
    fn an_unanswered_invite_is_repeated_doubling_and_times_out() {
        let machine = std::cell::RefCell::new(InviteClient::new(ms(0), &T));
        let (sent, end) = run(|| machine.borrow().deadline(), |now| machine.borrow_mut().timeout(now));
        assert_eq!(sent, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert_eq!(end, Some((32_000, Step::TIMED_OUT)));
    }

    #[test]
    fn an_invite_waits_for_ever_once_provisional() {
        let mut machine = InviteClient::new(ms(0), &T);
        assert_eq!(machine.response(ms(1), &T, 100), Step::DELIVER);
        assert_eq!(machine.deadline(), None);
        assert_eq!(machine.response(ms(2), &T, 180), Step::DELIVER);
        let failed = machine.response(ms(3), &T, 486);
        assert!(failed.send && failed.deliver);
        assert_eq!(machine.response(ms(4), &T, 486), Step::SEND);
        assert_eq!(machine.response(ms(4), &T, 200), Step::NOTHING);
        assert_eq!(machine.timeout(ms(32_003)), Step::OVER);
    }

    #[test]
    fn every_2xx_of_an_accepted_invite_is_delivered() {
        let mut machine = InviteClient::new(ms(0), &T);
        assert_eq!(machine.response(ms(1), &T, 200), Step::DELIVER);
        assert_eq!(machine.response(ms(2), &T, 202), Step::DELIVER);
        assert_eq!(machine.response(ms(2), &T, 180), Step::NOTHING);
        assert_eq!(machine.response(ms(2), &T, 486), Step::NOTHING);
        assert_eq!(machine.timeout(ms(32_000)), Step::NOTHING);
        assert_eq!(machine.timeout(ms(32_001)), Step::OVER);
    }

    #[test]
    fn another_request_is_repeated_up_to_t2() {
        let machine = std::cell::RefCell::new(Client::new(ms(0), &T));
        let (sent, end) = run(|| machine.borrow().deadline(), |now| machine.borrow_mut().timeout(now, &T));
        assert_eq!(sent, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(end, Some((32_000, Step::TIMED_OUT)));
    }

    #[test]
    fn a_provisional_slows_another_request_and_a_final_ends_it_after_t4() {
        let mut machine = Client::new(ms(0), &T);
        assert_eq!(machine.response(ms(10), &T, 100), Step::DELIVER);
        assert_eq!(machine.deadline(), Some(ms(4010)));
        assert_eq!(machine.response(ms(20), &T, 481), Step::DELIVER);
        assert_eq!(machine.response(ms(30), &T, 481), Step::NOTHING);
        assert_eq!(machine.timeout(ms(5020), &T), Step::OVER);
    }

    #[test]
    fn a_refused_invite_is_repeated_until_its_ack() {
        let mut machine = InviteServer::new();
        assert_eq!(machine.respond(ms(0), &T, 491), Step::SEND);
        assert_eq!(machine.repeated(), Step::SEND);
        assert_eq!(machine.timeout(ms(500), &T), Step::SEND);
        assert_eq!(machine.deadline(), Some(ms(1500)));
        assert_eq!(machine.acknowledged(ms(600), &T), Step::NOTHING);
        assert_eq!(machine.repeated(), Step::NOTHING);
        assert_eq!(machine.timeout(ms(5600), &T), Step::OVER);
        let mut unacknowledged = InviteServer::new();
        assert_eq!(unacknowledged.respond(ms(0), &T, 500), Step::SEND);
        assert_eq!(unacknowledged.timeout(ms(32_000), &T), Step::TIMED_OUT);
    }

    #[test]
    fn an_accepted_invite_absorbs_its_repeats() {
        let mut machine = InviteServer::new();
        assert_eq!(machine.respond(ms(0), &T, 200), Step::SEND);
        assert_eq!(machine.repeated(), Step::NOTHING);
        assert_eq!(machine.respond(ms(0), &T, 200), Step::NOTHING);
        assert_eq!(machine.timeout(ms(32_000), &T), Step::OVER);
    }

    #[test]
    fn another_request_gets_its_answer_again() {
        let mut machine = Server::new();
        assert_eq!(machine.repeated(), Step::NOTHING);
        assert_eq!(machine.respond(ms(0), &T, 200), Step::SEND);
        assert_eq!(machine.respond(ms(0), &T, 500), Step::NOTHING);
        assert_eq!(machine.repeated(), Step::SEND);
        assert_eq!(machine.timeout(ms(32_000)), Step::OVER);
    }
}
