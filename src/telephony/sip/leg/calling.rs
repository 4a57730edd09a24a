//! A leg whose INVITE is out: challenges, ringing, CANCEL and the first 2xx (RFC 3261 §9.1, §13.2).

use std::time::Duration;

use super::{Act, Leg, Offer, Role, Stage, Talking};
use crate::{
    domain::{
        call::{ACKNOWLEDGE_UNASKED_AFTER, CallEvent, EndedBy, HangUpCause, LegEnd, LegIdentity},
        ids::{LegId, TrunkId},
    },
    telephony::sip::{
        dialog::{self, Dialog},
        header::Name,
        keys::{self, Names},
        message::{Message, Method},
        sdp,
        settings::Shared,
    },
};

/// What a recovered BYE's number is above the stored one: past every request that the earlier life
/// may have sent since it stored the identity.
const RECOVERED_CSEQ_GAP: u32 = 100;

/// The INVITE is out.
#[derive(Debug)]
pub(super) struct Calling {
    /// Until when it may ring.
    ring_until: Duration,
    /// Until when an INVITE may leave.
    send_until: Option<Duration>,
    /// Whether repeats were stopped because of that.
    quiet: bool,
    /// Whether any provisional response came: only then may CANCEL be sent.
    heard: bool,
    /// Whether 180 or 183 came.
    ringing: bool,
    /// Whether the newest INVITE answers a challenge.
    signed: bool,
    /// Why it is being cancelled, once it is.
    cancel: Option<HangUpCause>,
    /// When a cancelled INVITE without a final response is given up.
    give_up: Option<Duration>,
    /// The tag of a peer whose BYE overtook its 2xx.
    hung_up: Option<Box<str>>,
    /// An earlier life's INVITEs whose CANCEL the peer has not refused; `None` for one of this life.
    adopted: Option<u8>,
}

impl Calling {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let end = match self.cancel {
            None => Some(self.ring_until),
            Some(_) => self.give_up,
        };
        let quiet_at = self.send_until.filter(|_| !self.heard && !self.quiet);
        [end, quiet_at].into_iter().flatten().min()
    }
}

impl Leg {
    /// Calls.
    #[expect(clippy::too_many_arguments, reason = "one call site, and each is a word of the command")]
    pub fn dial(
        now: Duration,
        shared: &Shared,
        id: LegId,
        names: &Names,
        dialog: Dialog,
        trunk: Option<TrunkId>,
        offer: Offer<'_>,
        (ring, send_within): (Duration, Option<Duration>),
        acts: &mut Vec<Act>,
    ) -> Self {
        let calling = Calling {
            ring_until: now + ring,
            send_until: send_within.map(|within| now.saturating_add(within)),
            quiet: false,
            heard: false,
            ringing: false,
            signed: false,
            cancel: None,
            give_up: None,
            hung_up: None,
            adopted: None,
        };
        let mut leg = Self::new(Some(id), names, dialog, trunk, Stage::Calling(calling));
        leg.version = 1;
        leg.local = match offer {
            Offer::Discard => sdp::discard_offer(leg.origin(shared), shared.discard_port),
            Offer::Of(media) => sdp::with_origin(media, leg.origin(shared)),
        }
        .into();
        leg.invite(shared, acts);
        leg
    }

    /// Ends a leg that an earlier life left (see `CallCommand::TakeDown`).
    pub fn take_down(
        now: Duration,
        shared: &Shared,
        id: LegId,
        names: &Names,
        (dialog, identity): (Dialog, &LegIdentity),
        answered: bool,
        acts: &mut Vec<Act>,
    ) -> Self {
        let give_up = now + shared.timing.give_up();
        let calling = Calling {
            ring_until: now,
            send_until: None,
            quiet: false,
            heard: true,
            ringing: false,
            signed: false,
            cancel: Some(HangUpCause::Recovered),
            give_up: Some(give_up),
            hung_up: None,
            adopted: Some(0),
        };
        let mut leg = Self::new(Some(id), names, dialog, None, Stage::Calling(calling));
        if answered {
            leg.leave_recovered(now, shared, acts);
            return leg;
        }
        leg.branch = identity.branch.as_str().into();
        leg.cancel_adopted(shared, acts);
        // Between a challenge and the storing of what it changed the earlier life may have sent one
        // more INVITE, whose number and branch follow from the stored ones.
        if leg.dialog.remote_tag.is_none()
            && leg.credential(shared).is_some()
            && let Some(branch) = keys::successor(&leg.branch)
        {
            leg.earlier = Some(std::mem::replace(&mut leg.branch, branch.into()));
            leg.dialog.cseq += 1;
            leg.cancel_adopted(shared, acts);
        }
        leg
    }

    fn cancel_adopted(&mut self, shared: &Shared, acts: &mut Vec<Act>) {
        if let Stage::Calling(Calling { adopted: Some(open), .. }) = &mut self.stage {
            *open += 1;
        }
        let message = dialog::adopted_invite(shared, &self.dialog, &self.branch);
        acts.push(Act::Adopt { message, branch: self.branch.to_string(), to: self.dialog.peer });
        self.send_cancel(shared, HangUpCause::Recovered, acts);
    }

    fn leave_recovered(&mut self, now: Duration, shared: &Shared, acts: &mut Vec<Act>) {
        self.dialog.cseq += RECOVERED_CSEQ_GAP - 1;
        let end = self.told(EndedBy::Us, true, None);
        self.leave(now, shared, Some(HangUpCause::Recovered), end, acts);
    }

    /// Sends the INVITE, or sends it again with the answers to a challenge.
    fn invite(&mut self, shared: &Shared, acts: &mut Vec<Act>) {
        self.dialog.remote_tag = None;
        let (mut message, branch) = self.dialog.request(shared, Method::Invite);
        message.set_body("application/sdp", &self.local);
        self.sign(shared, &mut message);
        self.branch = branch.as_str().into();
        acts.push(Act::Request { role: Role::Invite, message, branch, to: self.dialog.peer });
    }

    pub(super) fn invite_response(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        match response.status() {
            Some(..200) => self.provisional(now, shared, response, acts),
            Some(300..) => self.refused(now, shared, response, acts),
            _ => {}
        }
    }

    fn provisional(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        let first = !std::mem::replace(&mut calling.heard, true);
        if let (true, Some(cause)) = (first, calling.cancel) {
            calling.give_up = Some(now + shared.timing.give_up());
            return self.send_cancel(shared, cause, acts);
        }
        let rings = matches!(response.status(), Some(180 | 183)) && !std::mem::replace(&mut calling.ringing, true);
        let (ringing, cancelled) = (calling.ringing, calling.cancel.is_some());
        let tag = response.to_tag();
        let tagged = response.status() != Some(100) && !tag.is_empty() && self.dialog.set_early_tag(tag);
        if let Some(media) = response.sdp() {
            self.remote = Some(media.into());
        }
        if let (true, false, Some(leg)) = (rings || tagged, cancelled, self.id) {
            let identity = self.dialog.identity(&self.branch);
            acts.push(Act::Event(CallEvent::Progress { leg, ringing, identity }));
        }
    }

    fn refused(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &self.stage else { return };
        let (signed, cancelled, ringing) = (calling.signed, calling.cancel.is_some(), calling.ringing);
        let in_time = calling.send_until.is_none_or(|until| now < until);
        let challenged = in_time && matches!(response.status(), Some(401 | 407));
        if challenged && !cancelled && self.take_up(shared, response, signed) {
            if let Stage::Calling(calling) = &mut self.stage {
                calling.signed = true;
                calling.heard = false;
            }
            self.invite(shared, acts);
            if let Some(leg) = self.id {
                let identity = self.dialog.identity(&self.branch);
                acts.push(Act::Event(CallEvent::Progress { leg, ringing, identity }));
            }
            return;
        }
        let by = if cancelled && response.status() == Some(487) { EndedBy::Us } else { EndedBy::Peer };
        self.end(self.told(by, false, Some(response)), acts);
    }

    /// The first 2xx.
    pub(super) fn answered(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &self.stage else { return };
        let Some(cseq) = response.cseq() else { return };
        let (cancelled, tag) = (calling.cancel, response.to_tag());
        // What is taken down ends in the time it was given, its BYE included.
        let taken_down_by = calling.give_up.filter(|_| calling.adopted.is_some());
        let hung_up = calling.hung_up.as_deref() == Some(tag);
        // Media described early holds only if the same peer described it.
        if self.dialog.remote_tag.as_deref() != Some(tag) {
            self.remote = None;
        }
        if let Some(media) = response.sdp() {
            self.remote = Some(media.into());
        }
        let has_contact = self.dialog.establish(response);
        if hung_up {
            self.acknowledge_2xx(shared, cseq.number, acts);
            return self.end(self.told(EndedBy::Peer, true, None), acts);
        }
        // A phone that describes no media can take no customer; a customer may describe it later.
        let unusable = !has_contact || (self.trunk.is_none() && self.remote.is_none());
        if cancelled.is_some() || unusable {
            self.acknowledge_2xx(shared, cseq.number, acts);
            let by = if cancelled.is_some() { EndedBy::Us } else { EndedBy::Protocol };
            let end = self.told(by, true, None);
            self.leave(now, shared, cancelled, end, acts);
            return self.leave_until(taken_down_by);
        }
        self.stage = Stage::Talking(Talking::new(cseq.number, now + ACKNOWLEDGE_UNASKED_AFTER));
        if let Some(leg) = self.id {
            let identity = self.dialog.identity(&self.branch);
            acts.push(Act::Event(CallEvent::Answered { leg, identity }));
        }
    }

    /// Cancels: at once if the peer was heard, else as soon as it is (§9.1).
    pub(super) fn cancel(&mut self, now: Duration, shared: &Shared, cause: HangUpCause, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if calling.cancel.is_some() {
            return;
        }
        calling.cancel = Some(cause);
        if calling.heard {
            calling.give_up = Some(now + shared.timing.give_up());
            self.send_cancel(shared, cause, acts);
        }
        // Unheard, the INVITE goes on being repeated: it may ring there, and only an answer to it lets
        // us cancel it.
    }

    fn send_cancel(&mut self, shared: &Shared, cause: HangUpCause, acts: &mut Vec<Act>) {
        self.cancelled = true;
        let mut message = dialog::cancel(shared, &self.dialog, &self.branch);
        message.push(Name::Reason, format_args!("Q.850;cause={}", cause.q850()));
        acts.push(Act::Request { role: Role::Cancel, message, branch: self.branch.to_string(), to: self.dialog.peer });
    }

    pub(super) fn cancel_response(&mut self, now: Duration, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Stage::Calling(Calling { adopted: Some(open), give_up, .. }) = &mut self.stage else { return };
        if response.status() != Some(481) {
            return;
        }
        *open = open.saturating_sub(1);
        let (open, give_up) = (*open, *give_up);
        // Nothing rings there any more.
        if self.dialog.remote_tag.is_some() || open == 0 {
            let end = self.told(EndedBy::Us, false, Some(response));
            self.leave_unheard(now, shared, end, acts);
            self.leave_until(give_up);
        }
    }

    /// Gives up an earlier life's INVITE whose final response was not heard. If somebody had answered
    /// that life, the tag leads to the call.
    fn leave_unheard(&mut self, now: Duration, shared: &Shared, end: LegEnd, acts: &mut Vec<Act>) {
        if self.dialog.remote_tag.is_some() {
            self.leave_recovered(now, shared, acts);
        } else {
            self.end(end, acts);
        }
    }

    pub(super) fn calling_timeout(&mut self, now: Duration, shared: &Shared, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if calling.cancel.is_none() && calling.ring_until <= now {
            self.cancel(now, shared, HangUpCause::NoAnswer, acts);
        } else if !calling.heard && !calling.quiet && calling.send_until.is_some_and(|at| at <= now) {
            calling.quiet = true;
            acts.push(Act::StopRepeating);
        } else if calling.give_up.is_some_and(|at| at <= now) {
            let (adopted, end) = (calling.adopted, self.told(EndedBy::Timeout, false, None));
            if adopted.is_some() { self.leave_unheard(now, shared, end, acts) } else { self.end(end, acts) }
        }
    }

    /// A request of the peer before its answer (§15.1.2; RFC 3311 §5.2).
    pub(super) fn early_request(&mut self, shared: &Shared, request: &Message, acts: &mut Vec<Act>) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        let status = match request.method() {
            Some(Method::Bye) => {
                calling.hung_up = Some(request.from_tag().into());
                200
            }
            // Our offer is still unanswered.
            Some(Method::Invite) => 491,
            Some(Method::Update) if !request.body().is_empty() => 491,
            Some(Method::Update | Method::Options) => 200,
            method => super::talking::unserved(method),
        };
        acts.push(Act::Respond(dialog::respond(shared, request, status)));
    }
}
