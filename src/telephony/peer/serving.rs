//! One INVITE that is being served: its responses and their repeats.

use std::{net::SocketAddr, time::Duration};

use super::station::Outgoing;
use crate::telephony::sip::{
    message::Message,
    transaction::{InviteServer, Timing},
};

/// Repeats of a 2xx until its ACK, which are not the transaction's (RFC 3261 §13.3.1.4).
#[derive(Debug, Clone, Copy)]
struct Unacknowledged {
    repeat_at: Duration,
    interval: Duration,
    give_up_at: Duration,
}

/// One INVITE, its transaction and its newest response.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) request: Message,
    back: SocketAddr,
    machine: InviteServer,
    response: Vec<u8>,
    unacknowledged: Option<Unacknowledged>,
    over: bool,
}

impl Serving {
    pub(super) fn new(request: Message, back: SocketAddr) -> Self {
        Self { request, back, machine: InviteServer::new(), response: vec![], unacknowledged: None, over: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether `message` belongs to this transaction.
    pub(super) fn is_of(&self, message: &Message) -> bool {
        let branch = |message: &Message| message.via().map(|via| via.branch().to_owned());
        branch(&self.request) == branch(message)
    }

    pub(super) fn respond(&mut self, now: Duration, timing: &Timing, response: &Message, out: &mut Outgoing) {
        let status = response.status().unwrap_or_default();
        let step = self.machine.respond(now, timing, status);
        if !step.send {
            return;
        }
        self.response = response.to_bytes();
        if (200..300).contains(&status) {
            self.unacknowledged = Some(Unacknowledged {
                repeat_at: now + timing.t1,
                interval: timing.t1,
                give_up_at: now + timing.give_up(),
            });
        }
        self.send(out);
    }

    /// The INVITE came again.
    pub(super) fn repeated(&mut self, out: &mut Outgoing) {
        if self.machine.repeated().send && !self.response.is_empty() {
            self.send(out);
        }
    }

    /// An ACK came: of a refusal by its branch, of a 2xx by its `CSeq`.
    pub(super) fn acknowledged(&mut self, now: Duration, timing: &Timing, ack: &Message) {
        let number = |message: &Message| message.cseq().map(|cseq| cseq.number);
        if number(&self.request) == number(ack) {
            self.unacknowledged = None;
        }
        if self.is_of(ack) {
            let _nothing = self.machine.acknowledged(now, timing);
        }
    }

    /// Repeats what is due; true when a 2xx was never acknowledged.
    pub(super) fn timeout(&mut self, now: Duration, timing: &Timing, out: &mut Outgoing) -> bool {
        let step = self.machine.timeout(now, timing);
        self.over |= step.over;
        let mut send = step.send;
        let mut unheard = false;
        if let Some(wait) = &mut self.unacknowledged {
            if wait.give_up_at <= now {
                unheard = true;
            } else if wait.repeat_at <= now {
                wait.interval = (wait.interval * 2).min(timing.t2);
                wait.repeat_at = now + wait.interval;
                send = true;
            }
        }
        if unheard {
            self.unacknowledged = None;
        }
        if send {
            self.send(out);
        }
        unheard
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let machine = self.machine.deadline().filter(|_| !self.over);
        let repeat = self.unacknowledged.map(|wait| wait.repeat_at.min(wait.give_up_at));
        [machine, repeat].into_iter().flatten().min()
    }

    fn send(&self, out: &mut Outgoing) {
        out.push((self.back, self.response.clone()));
    }
}
