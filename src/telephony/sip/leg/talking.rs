//! An answered leg: the ACK, our re-INVITEs, and the peer's re-INVITEs and UPDATEs (RFC 3261 §13.2.2.4,
//! §14; RFC 3311; RFC 3264).
//!
//! The peer's offer is answered at once with what the leg already describes; if the peer's media did
//! change, the endpoint then re-INVITEs the other leg of the pair with it. So neither phone waits for
//! the other, at the price that the answer's direction is taken on trust until the other has agreed.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::{Act, Leg, Role, Stage};
use crate::{
    domain::call::EndedBy,
    telephony::sip::{
        dialog,
        header::{Name, number},
        message::{Message, Method},
        sdp::{self, Audio, Direction},
        settings::Shared,
    },
};

/// Most tries of one re-INVITE against 491 and 500.
const TRIES_MAX: u8 = 4;

/// How long a re-INVITE whose turn has come waits while one of the peer's lacks its ACK.
const TURN: Duration = Duration::from_millis(100);

/// Longest `Retry-After` that a re-INVITE waits for.
const RETRY_AFTER_MAX: u32 = 10;

/// Answered.
#[derive(Debug)]
pub(super) struct Talking {
    /// Number of the 2xx that answered.
    first: u32,
    /// When that 2xx is acknowledged unasked; `None` once it is.
    acknowledge_at: Option<Duration>,
    ours: Option<Box<Reoffer>>,
    theirs: Option<Box<Unacknowledged>>,
}

/// Our re-INVITE in progress.
#[derive(Debug)]
struct Reoffer {
    media: Box<[u8]>,
    /// Number of the newest try.
    cseq: u32,
    tries: u8,
    signed: bool,
    /// When it is tried again; `None` while one is on the way.
    again_at: Option<Duration>,
    /// When it is given up, and the call with it.
    until: Duration,
}

/// Our 2xx to the peer's re-INVITE, until its ACK.
#[derive(Debug)]
struct Unacknowledged {
    cseq: u32,
    response: Bytes,
    to: SocketAddr,
    repeat_at: Duration,
    interval: Duration,
    until: Duration,
    /// The 2xx had our offer, so the ACK has the answer.
    awaits_answer: bool,
}

impl Talking {
    pub(super) fn new(first: u32, acknowledge_at: Duration) -> Self {
        Self { first, acknowledge_at: Some(acknowledge_at), ours: None, theirs: None }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let ours = self.ours.as_ref().map(|ours| ours.again_at.map_or(ours.until, |at| at.min(ours.until)));
        let theirs = self.theirs.as_ref().map(|theirs| theirs.repeat_at.min(theirs.until));
        [self.acknowledge_at, ours, theirs].into_iter().flatten().min()
    }
}

/// The status for a method that is not served in this place.
pub(super) fn unserved(method: Option<&Method>) -> u16 {
    if matches!(method, Some(Method::Other(_))) { 501 } else { 405 }
}

impl Leg {
    /// The answer's identity is stored: acknowledges it.
    pub fn acknowledge(&mut self, shared: &Shared, acts: &mut Vec<Act>) {
        let Stage::Talking(talking) = &mut self.stage else { return };
        if talking.acknowledge_at.take().is_some() {
            let first = talking.first;
            self.acknowledge_2xx(shared, first, acts);
        }
    }

    /// At a call's end: gives up our re-INVITE, and says which 2xx still has to be acknowledged.
    pub(super) fn stop_talking(&mut self, acts: &mut Vec<Act>) -> Option<u32> {
        let Stage::Talking(talking) = &mut self.stage else { return None };
        if talking.ours.take().is_some() {
            acts.push(Act::StopRepeating);
            acts.push(Act::Reoffered(false));
        }
        talking.acknowledge_at.take().map(|_| talking.first)
    }

    /// Whether a re-INVITE may be sent now.
    #[must_use]
    pub fn may_reoffer(&self) -> bool {
        match &self.stage {
            Stage::Talking(talking) => {
                talking.acknowledge_at.is_none() && talking.ours.is_none() && talking.theirs.is_none()
            }
            _ => false,
        }
    }

    /// Offers other media: a re-INVITE. Settled by [`Act::Reoffered`].
    pub fn reoffer(&mut self, now: Duration, shared: &Shared, media: &[u8], acts: &mut Vec<Act>) {
        self.version += 1;
        let media = sdp::with_origin(media, self.origin(shared)).into();
        let until = now + shared.timing.give_up();
        let Stage::Talking(talking) = &mut self.stage else { return };
        talking.ours = Some(Box::new(Reoffer { media, cseq: 0, tries: 0, signed: false, again_at: None, until }));
        self.reinvite(shared, acts);
    }

    fn reinvite(&mut self, shared: &Shared, acts: &mut Vec<Act>) {
        let (mut message, branch) = self.dialog.request(shared, Method::Invite);
        let Stage::Talking(Talking { ours: Some(ours), .. }) = &mut self.stage else { return };
        message.set_body("application/sdp", &ours.media);
        ours.cseq = self.dialog.cseq;
        ours.again_at = None;
        ours.tries += 1;
        self.sign(shared, &mut message);
        self.branch = branch.as_str().into();
        acts.push(Act::Request { role: Role::Reinvite, message, branch, to: self.dialog.next_hop() });
    }

    /// A 2xx: of our re-INVITE, or the first one again.
    pub(super) fn talking_accepted(&mut self, shared: &Shared, response: &Message, acts: &mut Vec<Act>) {
        let Some(cseq) = response.cseq() else { return };
        let Stage::Talking(talking) = &mut self.stage else { return };
        if talking.acknowledge_at.is_some() && cseq.number == talking.first {
            return;
        }
        if let Some(ours) = talking.ours.take_if(|ours| ours.cseq == cseq.number) {
            self.local = ours.media;
            self.dialog.refresh(response);
            self.remote = response.sdp().map(Into::into);
            self.acknowledge_2xx(shared, cseq.number, acts);
            acts.push(Act::Reoffered(self.remote_media().is_some()));
            return;
        }
        self.acknowledge_2xx(shared, cseq.number, acts);
    }

    pub(super) fn reinvite_response(
        &mut self,
        now: Duration,
        shared: &Shared,
        response: &Message,
        acts: &mut Vec<Act>,
    ) {
        let (call_id, cseq) = (self.dialog.call_id.clone(), response.cseq().map_or(0, |cseq| cseq.number));
        let Stage::Talking(Talking { ours: Some(ours), .. }) = &mut self.stage else { return };
        if ours.cseq != cseq || ours.again_at.is_some() {
            return;
        }
        let signed = ours.signed;
        let status = response.status().unwrap_or_default();
        let asked = response.value(Name::RetryAfter).and_then(number).filter(|seconds| *seconds <= RETRY_AFTER_MAX);
        match (status, asked) {
            (..300, _) => {}
            (491, _) | (500, Some(_)) if ours.tries < TRIES_MAX => {
                // We made the Call-ID, so ours is the longer wait (§14.1).
                let glare = 2100 + 10 * shared.key.jitter(&call_id, cseq, 190);
                let wait = if status == 491 { glare } else { asked.unwrap_or_default() * 1000 };
                ours.again_at = Some(now + Duration::from_millis(u64::from(wait)));
                ours.until = now + Duration::from_millis(u64::from(wait)) + shared.timing.give_up();
            }
            (401 | 407, _) if self.take_up(shared, response, signed) => {
                if let Stage::Talking(Talking { ours: Some(ours), .. }) = &mut self.stage {
                    ours.signed = true;
                }
                self.reinvite(shared, acts);
            }
            (408, _) => self.lost(now, shared, EndedBy::Timeout, Some(response), acts),
            (481, _) => self.lost(now, shared, EndedBy::Peer, Some(response), acts),
            _ => {
                if let Stage::Talking(talking) = &mut self.stage {
                    talking.ours = None;
                }
                acts.push(Act::Reoffered(false));
            }
        }
    }

    /// The peer no longer knows the call, or is silent: hangs up (§14.1).
    pub(super) fn lost(
        &mut self,
        now: Duration,
        shared: &Shared,
        by: EndedBy,
        response: Option<&Message>,
        acts: &mut Vec<Act>,
    ) {
        let end = self.told(by, true, response);
        self.leave(now, shared, None, end, acts);
    }

    pub(super) fn talking_timeout(&mut self, now: Duration, shared: &Shared, acts: &mut Vec<Act>) {
        let Stage::Talking(talking) = &mut self.stage else { return };
        let due = |at: Duration| at <= now;
        let waits = talking.theirs.is_some();
        let silent = talking.ours.as_ref().is_some_and(|ours| due(ours.until))
            || talking.theirs.as_ref().is_some_and(|theirs| due(theirs.until));
        if silent {
            return self.lost(now, shared, EndedBy::Timeout, None, acts);
        }
        if let Some(theirs) = talking.theirs.as_mut().filter(|theirs| due(theirs.repeat_at)) {
            theirs.interval = (theirs.interval * 2).min(shared.timing.t2);
            theirs.repeat_at = now + theirs.interval;
            acts.push(Act::Repeat { bytes: theirs.response.clone(), to: theirs.to });
        }
        let acknowledge = talking.acknowledge_at.is_some_and(due);
        let again = match talking.ours.as_mut().filter(|ours| ours.again_at.is_some_and(due)) {
            // Their re-INVITE has to be over before ours.
            Some(ours) if waits => {
                ours.again_at = Some(now + TURN);
                false
            }
            found => found.is_some(),
        };
        if acknowledge {
            self.acknowledge(shared, acts);
        }
        if again {
            self.reinvite(shared, acts);
        }
    }

    /// A request of the peer inside the dialog; everything but ACK gets its response here.
    /// `back` is where responses go.
    pub fn request(
        &mut self,
        now: Duration,
        shared: &Shared,
        request: &Message,
        back: SocketAddr,
        acts: &mut Vec<Act>,
    ) {
        match &self.stage {
            Stage::Calling(_) => return self.early_request(shared, request, acts),
            Stage::Leaving(_) => return self.late_request(shared, request, acts),
            Stage::Over => return acts.push(Act::Respond(dialog::respond(shared, request, 481))),
            Stage::Talking(_) => {}
        }
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        if self.dialog.remote_cseq.is_some_and(|newest| number < newest) {
            return acts.push(Act::Respond(dialog::respond(shared, request, 500)));
        }
        self.dialog.remote_cseq = Some(number);
        match request.method() {
            Some(Method::Bye) => {
                acts.push(Act::Respond(dialog::respond(shared, request, 200)));
                if let Some(cseq) = self.stop_talking(acts) {
                    self.acknowledge_2xx(shared, cseq, acts);
                }
                self.end(self.told(EndedBy::Peer, true, Some(request)), acts);
            }
            Some(Method::Invite | Method::Update) => self.offered(now, shared, request, back, acts),
            Some(Method::Options) => acts.push(Act::Respond(dialog::respond(shared, request, 200))),
            method => acts.push(Act::Respond(dialog::respond(shared, request, unserved(method)))),
        }
    }

    /// A re-INVITE or UPDATE, with or without an offer.
    fn offered(&mut self, now: Duration, shared: &Shared, request: &Message, back: SocketAddr, acts: &mut Vec<Act>) {
        let invite = request.method() == Some(&Method::Invite);
        if let Some(status) = self.in_the_way(request, invite) {
            let mut response = dialog::respond(shared, request, status);
            if status == 500 {
                let wait = shared.key.jitter(&self.dialog.call_id, self.dialog.cseq, 11);
                response.push(Name::RetryAfter, wait);
            }
            return acts.push(Act::Respond(response));
        }
        let offer = request.sdp();
        let answer = match offer {
            Some(offer) => match self.answer(shared, offer) {
                Some(answer) => Some(answer),
                None => return acts.push(Act::Respond(dialog::respond(shared, request, 488))),
            },
            // A 2xx to an INVITE without an offer makes one.
            None => invite.then(|| self.local.clone()),
        };
        self.dialog.refresh(request);
        let mut response = dialog::respond(shared, request, 200);
        response.push(Name::Contact, &shared.contact);
        if let Some(answer) = answer {
            response.set_body("application/sdp", &answer);
            self.local = answer;
        }
        let (cseq, awaits_answer) = (self.dialog.remote_cseq.unwrap_or_default(), offer.is_none());
        if let (true, Stage::Talking(talking)) = (invite, &mut self.stage) {
            let (interval, until) = (shared.timing.t1, now + shared.timing.give_up());
            let bytes = Bytes::from(response.to_bytes());
            let repeat_at = now + interval;
            let theirs = Unacknowledged { cseq, response: bytes, to: back, repeat_at, interval, until, awaits_answer };
            talking.theirs = Some(Box::new(theirs));
        }
        acts.push(Act::Respond(response));
        if let Some(offer) = offer {
            self.take_media(offer, acts);
        }
    }

    /// Why the peer's offer can't be taken now.
    fn in_the_way(&self, request: &Message, invite: bool) -> Option<u16> {
        let Stage::Talking(talking) = &self.stage else { return Some(481) };
        let offering = talking.acknowledge_at.is_some() && invite
            || talking.ours.as_ref().is_some_and(|ours| ours.again_at.is_none());
        let has_body = !request.body().is_empty();
        let awaited = talking.theirs.as_ref().is_some_and(|theirs| theirs.awaits_answer);
        if (invite && offering) || (has_body && (offering || awaited && !invite)) {
            return Some(491);
        }
        if invite && talking.theirs.is_some() {
            return Some(500);
        }
        (has_body && request.sdp().is_none()).then_some(415)
    }

    /// Our answer to the peer's offer: what the leg describes already. An unchanged offer gets the
    /// same answer; a changed one gets whatever direction it allows.
    fn answer(&mut self, shared: &Shared, offer: &[u8]) -> Option<Box<[u8]>> {
        let unchanged = self.remote.as_deref().is_some_and(|remote| sdp::same_audio(remote, offer));
        let wanted = match Audio::of(&self.local) {
            Some(local) if unchanged => local.direction,
            _ => Direction::SendRecv,
        };
        let same = sdp::answer(offer, &self.local, wanted, self.origin(shared))?;
        if same == *self.local {
            return Some(same.into());
        }
        self.version += 1;
        Some(sdp::answer(offer, &self.local, wanted, self.origin(shared))?.into())
    }

    fn take_media(&mut self, media: &[u8], acts: &mut Vec<Act>) {
        let unchanged = self.remote.as_deref().is_some_and(|remote| sdp::same_audio(remote, media));
        self.remote = Some(media.into());
        if !unchanged {
            acts.push(Act::MediaChanged);
        }
    }

    /// An ACK of one of our 2xx came.
    pub fn acknowledged(&mut self, ack: &Message, acts: &mut Vec<Act>) {
        let cseq = ack.cseq().map(|cseq| cseq.number);
        let Stage::Talking(talking) = &mut self.stage else { return };
        let Some(theirs) = talking.theirs.take_if(|theirs| Some(theirs.cseq) == cseq) else { return };
        // An answer without audio changes nothing; so does none.
        if let (true, Some(answer)) = (theirs.awaits_answer, ack.sdp().filter(|sdp| Audio::of(sdp).is_some())) {
            self.take_media(answer, acts);
        }
    }
}
