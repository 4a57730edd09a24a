//! One leg: from the INVITE to its one end. Pure: messages, commands and time come in, [`Act`]s come
//! out, and the endpoint performs them in their order.
//!
//! | file | stage |
//! |---|---|
//! | `calling` | the INVITE is out: challenges, ringing, CANCEL, the first 2xx |
//! | `talking` | answered: the ACK, our re-INVITEs, the peer's re-INVITEs and UPDATEs |
//! | `leaving` | the BYE is out; and what an end tells |

mod calling;
mod leaving;
mod talking;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use self::{calling::Calling, leaving::Leaving, talking::Talking};
use super::{
    dialog::Dialog,
    digest::{Authentication, Credential},
    keys::Names,
    message::Message,
    sdp::{self, Origin},
    settings::Shared,
};
use crate::domain::{
    call::{CallEvent, EndedBy, HangUpCause, LegEnd},
    ids::{LegId, TrunkId},
};

/// What a client transaction does for its leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The INVITE that makes the leg.
    Invite,
    /// An INVITE inside it.
    Reinvite,
    /// The CANCEL of the first INVITE.
    Cancel,
    /// The BYE.
    Bye,
}

/// What a leg wants done.
#[derive(Debug)]
pub enum Act {
    /// Start a client transaction with this request.
    Request {
        /// What for.
        role: Role,
        /// The request.
        message: Message,
        /// Its branch.
        branch: String,
        /// Where to.
        to: SocketAddr,
    },
    /// Await the final response of an INVITE that an earlier life sent, without sending it.
    Adopt {
        /// That INVITE, as far as its ACK needs it.
        message: Message,
        /// Its branch.
        branch: String,
        /// Where it went.
        to: SocketAddr,
    },
    /// Send an ACK of a 2xx; it has no transaction.
    Ack {
        /// The ACK.
        message: Message,
        /// Where to.
        to: SocketAddr,
    },
    /// Respond to the request in hand.
    Respond(Message),
    /// Send our 2xx once more: its ACK is overdue.
    Repeat {
        /// The response.
        bytes: Bytes,
        /// Where to.
        to: SocketAddr,
    },
    /// Stop repeating the newest INVITE: a BYE follows it.
    StopRepeating,
    /// Tell the world.
    Event(CallEvent),
    /// Our re-INVITE is settled: whether the peer took the new media.
    Reoffered(bool),
    /// The peer moved its media or changed its direction.
    MediaChanged,
}

#[derive(Debug)]
enum Stage {
    Calling(Calling),
    Talking(Talking),
    Leaving(Leaving),
    Over,
}

/// What a leg offers at first.
#[derive(Debug, Clone, Copy)]
pub enum Offer<'a> {
    /// The discard port.
    Discard,
    /// Another leg's media.
    Of(&'a [u8]),
}

/// One leg.
#[derive(Debug)]
pub struct Leg {
    /// Our id; a fork or a stray answer that is only being ended has none.
    id: Option<LegId>,
    /// Its dialog.
    pub dialog: Dialog,
    trunk: Option<TrunkId>,
    authentication: Option<Box<Authentication>>,
    /// What we described last.
    local: Box<[u8]>,
    /// Number of our SDP session and its version.
    session: u64,
    version: u32,
    /// What the peer described last.
    remote: Option<Box<[u8]>>,
    /// Branch of the newest INVITE.
    branch: Box<str>,
    /// Branch of the INVITE before, when an earlier life may have sent two.
    earlier: Option<Box<str>>,
    /// Whether we asked to cancel it.
    cancelled: bool,
    stage: Stage,
}

impl Leg {
    fn new(id: Option<LegId>, names: &Names, dialog: Dialog, trunk: Option<TrunkId>, stage: Stage) -> Self {
        Self {
            id,
            dialog,
            trunk,
            authentication: None,
            local: Box::default(),
            session: names.session,
            version: 0,
            remote: None,
            branch: Box::default(),
            earlier: None,
            cancelled: false,
            stage,
        }
    }

    /// Our id of it, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<LegId> {
        self.id
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether it waits for its first answer.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        matches!(self.stage, Stage::Calling(_))
    }

    /// Whether it has been answered and is not being ended.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Talking(_))
    }

    /// Branch of its newest INVITE.
    #[must_use]
    pub fn invite_branch(&self) -> &str {
        &self.branch
    }

    /// Branches of INVITEs that may still wait for their final response.
    pub fn invite_branches(&self) -> impl Iterator<Item = &str> {
        [Some(&self.branch), self.earlier.as_ref()].into_iter().flatten().map(|branch| &**branch)
    }

    /// What we described last.
    #[must_use]
    pub fn local_media(&self) -> &[u8] {
        &self.local
    }

    /// What the peer described last, if it was audio.
    #[must_use]
    pub fn remote_media(&self) -> Option<&[u8]> {
        self.remote.as_deref().filter(|media| sdp::Audio::of(media).is_some())
    }

    /// Headers that repeat our credentials in an ACK, for repeats of the 2xx after the end.
    #[must_use]
    pub fn take_authentication(&mut self) -> Option<Box<Authentication>> {
        self.authentication.take()
    }

    /// Whether a message with these tags belongs to it. Before the answer any tag of the peer does.
    #[must_use]
    pub fn has_tags(&self, local: &str, remote: &str) -> bool {
        match self.stage {
            Stage::Calling(_) => self.dialog.local_tag() == local,
            _ => self.dialog.has_tags(local, remote),
        }
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Calling(calling) => calling.deadline(),
            Stage::Talking(talking) => talking.deadline(),
            Stage::Leaving(leaving) => Some(leaving.until),
            Stage::Over => None,
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration, shared: &Shared, acts: &mut Vec<Act>) {
        match &self.stage {
            Stage::Calling(_) => self.calling_timeout(now, shared, acts),
            Stage::Talking(_) => self.talking_timeout(now, shared, acts),
            Stage::Leaving(leaving) if leaving.until <= now => self.left(acts),
            Stage::Leaving(_) | Stage::Over => {}
        }
    }

    /// A response came to a request of ours; those of 2xx to INVITEs go to [`Self::accepted`].
    pub fn response(&mut self, now: Duration, shared: &Shared, role: Role, response: &Message, acts: &mut Vec<Act>) {
        match (role, &self.stage) {
            (Role::Invite, Stage::Calling(_)) => self.invite_response(now, shared, response, acts),
            (Role::Cancel, Stage::Calling(_)) => self.cancel_response(now, shared, response, acts),
            (Role::Reinvite, Stage::Talking(_)) => self.reinvite_response(now, shared, response, acts),
            (Role::Bye, Stage::Leaving(_)) => self.bye_response(shared, response, acts),
            _ => {}
        }
    }

    /// A 2xx to one of our INVITEs came, perhaps once more.
    pub fn accepted(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        match &self.stage {
            Stage::Calling(_) => self.answered(now, shared, response, acts),
            Stage::Talking(_) => self.talking_accepted(shared, response, acts),
            Stage::Leaving(_) | Stage::Over => {
                if let Some(cseq) = response.cseq() {
                    self.acknowledge_2xx(shared, cseq.number, acts);
                }
            }
        }
    }

    /// Nothing answered a request of ours.
    pub fn unanswered(&mut self, now: Duration, shared: &Shared, role: Role, acts: &mut Vec<Act>) {
        match (role, &self.stage) {
            (Role::Invite, Stage::Calling(_)) => self.end(self.told(EndedBy::Timeout, false, None), acts),
            (Role::Reinvite, Stage::Talking(_)) => self.lost(now, shared, EndedBy::Timeout, None, acts),
            (Role::Bye, Stage::Leaving(_)) => self.left(acts),
            _ => {}
        }
    }

    /// A request of ours could not be sent.
    pub fn unsent(&mut self, now: Duration, shared: &Shared, role: Role, acts: &mut Vec<Act>) {
        match (role, &self.stage) {
            (Role::Invite, Stage::Calling(_)) => self.end(self.told(EndedBy::Transport, false, None), acts),
            (Role::Reinvite, Stage::Talking(_)) => self.lost(now, shared, EndedBy::Transport, None, acts),
            (Role::Bye, Stage::Leaving(_)) => self.left(acts),
            _ => {}
        }
    }

    /// Ends the leg by command.
    pub fn hang_up(&mut self, now: Duration, shared: &Shared, cause: HangUpCause, acts: &mut Vec<Act>) {
        match &self.stage {
            Stage::Calling(_) => self.cancel(now, shared, cause, acts),
            Stage::Talking(_) => {
                let end = self.told(EndedBy::Us, true, None);
                self.leave(now, shared, Some(cause), end, acts);
            }
            Stage::Leaving(_) | Stage::Over => {}
        }
    }

    fn origin(&self, shared: &Shared) -> Origin {
        Origin { session: self.session, version: self.version, address: shared.advertised.ip() }
    }

    fn credential<'a>(&self, shared: &'a Shared) -> Option<&'a Credential> {
        match &self.trunk {
            Some(trunk) => shared.trunks.get(trunk)?.credential.as_ref(),
            None => shared.credential_at(self.dialog.peer),
        }
    }

    /// Takes up the challenges of a 401 or 407; false when that can't help.
    fn take_up(&mut self, shared: &Shared, response: &Message, fresh: bool) -> bool {
        if self.credential(shared).is_none() {
            return false;
        }
        let cnonce = shared.key.cnonce(&self.dialog.call_id, self.dialog.cseq);
        self.authentication.get_or_insert_default().take_up(response, &cnonce, fresh)
    }

    fn sign(&mut self, shared: &Shared, request: &mut Message) {
        if let (Some(credential), true) = (self.credential(shared), self.authentication.is_some())
            && let Some(authentication) = &mut self.authentication
        {
            authentication.sign(request, credential);
        }
    }

    /// Acknowledges the 2xx with that number.
    fn acknowledge_2xx(&self, shared: &Shared, cseq: u32, acts: &mut Vec<Act>) {
        let mut message = self.dialog.ack(shared, cseq);
        if let Some(authentication) = &self.authentication {
            authentication.repeat(&mut message);
        }
        acts.push(Act::Ack { message, to: self.dialog.next_hop() });
    }

    /// How it ends, with what `message` tells about it.
    fn told(&self, by: EndedBy, answered: bool, message: Option<&Message>) -> LegEnd {
        leaving::told(by, answered, self.cancelled, message)
    }

    fn end(&mut self, end: LegEnd, acts: &mut Vec<Act>) {
        self.stage = Stage::Over;
        if let Some(leg) = self.id {
            acts.push(Act::Event(CallEvent::Ended { leg, end }));
        }
    }
}
