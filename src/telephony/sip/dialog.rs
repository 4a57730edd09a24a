//! A dialog, before and after it is established: who, where to, and the requests made in it
//! (RFC 3261 §8.1.1, §9.1, §12).

use std::{net::SocketAddr, sync::Arc};

use super::{
    header::{CSeq, Name, text},
    keys::{Names, branch},
    message::{Message, Method},
    settings::Shared,
    uri::Uri,
};
use crate::domain::{
    call::{Destination, LegIdentity},
    ids::TrunkId,
};

/// Hops a request may take (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// Most routes of a dialog; longer sets are refused as broken.
const ROUTES_MAX: usize = 16;

/// Longest URI, tag or route that a peer may make us keep.
const TEXT_BYTES_MAX: usize = 1024;

/// A dialog seen from our side.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// `Call-ID`.
    pub call_id: Arc<str>,
    local_uri: Box<str>,
    local_tag: Box<str>,
    remote_uri: Box<str>,
    /// The peer's tag, once known; empty when it gave none.
    pub remote_tag: Option<Box<str>>,
    target: Box<str>,
    routes: Vec<Box<str>>,
    /// Number of the newest request we sent.
    pub cseq: u32,
    /// Number of the newest request the peer sent.
    pub remote_cseq: Option<u32>,
    /// Where the INVITE went.
    pub peer: SocketAddr,
    root: u64,
    branches: u32,
}

/// Why a leg can't be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No such trunk in the settings.
    #[error("no such trunk in the settings")]
    UnknownTrunk,
    /// Not a `sip:` URI.
    #[error("the agent's address is not a sip: URI")]
    BadUri,
    /// A host name: this version calls addresses only.
    #[error("the agent's address has a host name; write its IP address")]
    HostName,
}

/// An identity that no dialog can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored identity is malformed")]
pub struct IdentityError;

impl Dialog {
    /// The dialog that calling `destination` would make, before anything is sent.
    pub fn to(shared: &Shared, names: &Names, destination: &Destination) -> Result<Self, DialError> {
        let (local_uri, remote_uri, peer) = match destination {
            Destination::Agent { sip, .. } => {
                let uri = Uri::parse(sip).filter(|_| sip.is_ascii() && !sip.contains('?') && sip.starts_with("sip:"));
                let peer = uri.ok_or(DialError::BadUri)?.address().ok_or(DialError::HostName)?;
                (shared.own_uri(), sip.clone(), peer)
            }
            Destination::Customer { number, caller_number, trunk } => {
                let trunk = shared.trunks.get(trunk).ok_or(DialError::UnknownTrunk)?;
                let uri = |user: &str| format!("sip:{user}@{}", trunk.domain);
                (uri(caller_number.expose()), uri(number.expose()), trunk.address)
            }
        };
        Ok(Self {
            call_id: names.call_id.clone(),
            local_uri: local_uri.into(),
            local_tag: names.tag.clone(),
            target: remote_uri.as_str().into(),
            remote_uri: remote_uri.into(),
            remote_tag: None,
            routes: Vec::new(),
            cseq: 0,
            remote_cseq: None,
            peer,
            root: names.root,
            branches: 0,
        })
    }

    /// The dialog behind a stored identity; `names` gives it fresh branches.
    pub fn adopt(names: &Names, identity: &LegIdentity) -> Result<Self, IdentityError> {
        let texts = [&identity.local_uri, &identity.remote_uri, &identity.target_uri];
        let plain = |text: &str| !text.is_empty() && !text.bytes().any(|b| b <= b' ' || b == b'<' || b == b'>');
        if !texts.into_iter().chain([&identity.call_id, &identity.local_tag, &identity.branch]).all(|text| plain(text))
            || identity.routes.iter().any(|route| route.contains(['\r', '\n']))
        {
            return Err(IdentityError);
        }
        Ok(Self {
            call_id: names.call_id.clone(),
            local_uri: identity.local_uri.as_str().into(),
            local_tag: identity.local_tag.as_str().into(),
            remote_uri: identity.remote_uri.as_str().into(),
            remote_tag: identity.remote_tag.as_deref().map(Into::into),
            target: identity.target_uri.as_str().into(),
            routes: identity.routes.iter().map(|route| route.as_str().into()).collect(),
            cseq: identity.cseq,
            remote_cseq: None,
            peer: identity.peer.parse().map_err(|_| IdentityError)?,
            root: names.root,
            branches: 0,
        })
    }

    /// The dialog that a 2xx to one of our INVITEs makes, from nothing but the 2xx; `from` is where
    /// it came from. `None` when it lacks what an ACK needs.
    #[must_use]
    pub fn of_answer(names: &Names, response: &Message, from: SocketAddr) -> Option<Self> {
        let (local, remote) = (response.from()?, response.to()?);
        let mut dialog = Self {
            call_id: names.call_id.clone(),
            local_uri: local.uri.into(),
            local_tag: local.tag()?.into(),
            remote_uri: remote.uri.into(),
            remote_tag: None,
            target: remote.uri.into(),
            routes: Vec::new(),
            cseq: response.cseq()?.number,
            remote_cseq: None,
            peer: from,
            root: names.root,
            branches: 0,
        };
        dialog.establish(response);
        Some(dialog)
    }

    /// Takes tag, target and route set from a 2xx (§12.1.2). False when it has no usable `Contact`.
    pub fn establish(&mut self, response: &Message) -> bool {
        self.remote_tag = Some(clipped(response.to_tag()).unwrap_or_default().into());
        let mut routes: Vec<Box<str>> = response
            .list(Name::RecordRoute)
            .filter_map(|route| clipped(text(route)?))
            .take(ROUTES_MAX)
            .map(Into::into)
            .collect();
        routes.reverse();
        self.routes = routes;
        self.refresh(response)
    }

    /// Takes a new target from a message's `Contact` (§12.2); false when it has none.
    pub fn refresh(&mut self, message: &Message) -> bool {
        match message.contact().and_then(clipped) {
            Some(contact) => {
                self.target = contact.into();
                true
            }
            None => false,
        }
    }

    /// A new branch.
    pub fn next_branch(&mut self) -> String {
        self.branches += 1;
        branch(self.root, self.branches)
    }

    /// A new request with the next number and a new branch, which is returned beside it.
    pub fn request(&mut self, shared: &Shared, method: Method) -> (Message, String) {
        self.cseq += 1;
        let branch = self.next_branch();
        (self.build(shared, &method, self.cseq, &branch), branch)
    }

    /// The ACK of the 2xx with number `cseq` (§13.2.2.4): the same each time it is made.
    #[must_use]
    pub fn ack(&self, shared: &Shared, cseq: u32) -> Message {
        let branch = format!("{}.ack", branch(self.root, cseq));
        self.build(shared, &Method::Ack, cseq, &branch)
    }

    fn build(&self, shared: &Shared, method: &Method, cseq: u32, branch: &str) -> Message {
        let (uri, routes, last) = self.way();
        let mut request = Message::request(method.clone(), uri);
        request.push(Name::Via, shared.via(branch));
        for route in routes {
            request.push(Name::Route, route);
        }
        if let Some(last) = last {
            request.push(Name::Route, format_args!("<{last}>"));
        }
        request.push(Name::MaxForwards, MAX_FORWARDS);
        request.push(Name::From, format_args!("<{}>;tag={}", self.local_uri, self.local_tag));
        match self.remote_tag.as_deref() {
            Some(tag) if !tag.is_empty() => request.push(Name::To, format_args!("<{}>;tag={tag}", self.remote_uri)),
            _ => request.push(Name::To, format_args!("<{}>", self.remote_uri)),
        }
        request.push(Name::CallId, &self.call_id);
        request.push(Name::CSeq, CSeq { number: cseq, method: method.clone() });
        if matches!(method, Method::Invite) {
            request.push(Name::Contact, &shared.contact);
            request.push(Name::Allow, ALLOW);
        }
        request.push(Name::UserAgent, &shared.user_agent);
        request
    }

    /// Request-URI, routes and the route behind them (§12.2.1.1: a strict router takes the
    /// Request-URI's place, and the target goes last).
    fn way(&self) -> (&str, &[Box<str>], Option<&str>) {
        let first = self.routes.first().and_then(|route| super::header::NameAddr::parse(route.as_bytes()));
        match first.map(|first| first.uri) {
            Some(uri) if Uri::parse(uri).is_some_and(|uri| !uri.is_loose()) => {
                (uri.split('?').next().unwrap_or(uri), &self.routes[1..], Some(&self.target))
            }
            _ => (&self.target, &self.routes, None),
        }
    }

    /// Where requests inside the dialog go: the first route, else the target; a host name, or a target
    /// that the peer never gave us, leads to where the INVITE went.
    #[must_use]
    pub fn next_hop(&self) -> SocketAddr {
        if self.routes.is_empty() && self.target == self.remote_uri {
            return self.peer;
        }
        let first = self.routes.first().and_then(|route| super::header::NameAddr::parse(route.as_bytes()));
        let uri = first.map_or(&*self.target, |first| first.uri);
        Uri::parse(uri).and_then(|uri| uri.address()).unwrap_or(self.peer)
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// Takes the tag of a provisional response; false if it is the one we have.
    pub fn set_early_tag(&mut self, tag: &str) -> bool {
        let new = clipped(tag).filter(|tag| self.remote_tag.as_deref() != Some(tag));
        if let Some(tag) = new {
            self.remote_tag = Some(tag.into());
        }
        new.is_some()
    }

    /// Whether a request with these tags belongs to this dialog.
    #[must_use]
    pub fn has_tags(&self, local: &str, remote: &str) -> bool {
        &*self.local_tag == local && self.remote_tag.as_deref() == Some(remote)
    }

    /// The identifiers that the first INVITE will have.
    #[must_use]
    pub fn first_identity(&mut self) -> LegIdentity {
        self.cseq += 1;
        let branch = self.next_branch();
        self.identity(&branch)
    }

    /// The identifiers as they are stored, with the branch of the INVITE in progress.
    #[must_use]
    pub fn identity(&self, branch: &str) -> LegIdentity {
        LegIdentity {
            call_id: self.call_id.to_string(),
            local_uri: self.local_uri.to_string(),
            local_tag: self.local_tag.to_string(),
            remote_uri: self.remote_uri.to_string(),
            remote_tag: self.remote_tag.as_deref().map(str::to_owned),
            target_uri: self.target.to_string(),
            routes: self.routes.iter().map(ToString::to_string).collect(),
            cseq: self.cseq,
            branch: branch.to_owned(),
            peer: self.peer.to_string(),
        }
    }
}

fn clipped(text: &str) -> Option<&str> {
    (text.len() <= TEXT_BYTES_MAX).then_some(text)
}

/// What we serve inside dialogs.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS";

/// The CANCEL of the INVITE in progress (§9.1): it repeats the INVITE's Request-URI, routes, number
/// and `To`, even when a provisional answer has brought a tag since.
#[must_use]
pub fn cancel(shared: &Shared, dialog: &Dialog, branch: &str) -> Message {
    let untagged = Dialog { remote_tag: None, ..dialog.clone() };
    untagged.build(shared, &Method::Cancel, dialog.cseq, branch)
}

/// An INVITE that an earlier life sent, as far as the ACK of a refusal needs it.
#[must_use]
pub fn adopted_invite(shared: &Shared, dialog: &Dialog, branch: &str) -> Message {
    let untagged = Dialog { remote_tag: None, ..dialog.clone() };
    untagged.build(shared, &Method::Invite, dialog.cseq, branch)
}

/// A response to a request inside a dialog.
#[must_use]
pub fn respond(shared: &Shared, request: &Message, status: u16) -> Message {
    let mut response = Message::respond_to(request, status, None);
    if matches!(status, 200 | 405 | 501) {
        response.push(Name::Allow, ALLOW);
    }
    if matches!(status, 200 | 415) {
        response.push(Name::Accept, "application/sdp");
    }
    response.push(Name::Server, &shared.user_agent);
    response
}

/// The ACK of a final response above 299 to `invite` (§17.1.1.3).
#[must_use]
pub fn ack_refusal(invite: &Message, response: &Message) -> Message {
    let mut ack = Message::request(Method::Ack, invite.uri());
    if let Some(via) = invite.value(Name::Via) {
        ack.push_bytes(Name::Via, via);
    }
    for name in [Name::Route, Name::MaxForwards, Name::From] {
        invite.values(name).for_each(|value| ack.push_bytes(name, value));
    }
    for (message, name) in [(response, Name::To), (invite, Name::CallId)] {
        message.values(name).for_each(|value| ack.push_bytes(name, value));
    }
    if let Some(CSeq { number, .. }) = invite.cseq() {
        ack.push(Name::CSeq, CSeq { number, method: Method::Ack });
    }
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        invite.values(name).for_each(|value| ack.push_bytes(name, value));
    }
    ack
}

/// The trunk of a destination.
#[must_use]
pub fn trunk_of(destination: &Destination) -> Option<&TrunkId> {
    match destination {
        Destination::Agent { .. } => None,
        Destination::Customer { trunk, .. } => Some(trunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::phone::E164,
        telephony::sip::settings::{SipSettings, TrunkSettings},
    };

    #[test]
    fn before_the_peer_gave_an_address_the_trunk_s_own_is_used() {
        let trunk = TrunkId::parse("t").unwrap();
        let mut settings = SipSettings::new("192.0.2.1:5060".parse().unwrap());
        let address = "192.0.2.9:5080".parse().unwrap();
        let (domain, credential) = ("192.0.2.9".to_owned(), None);
        settings.trunks.insert(trunk.clone(), TrunkSettings { address, domain, credential });
        let shared = Shared::new(&settings, [1; 32], settings.listen, 4000);
        let number = |text| E164::parse(text).unwrap();
        let to = Destination::Customer { number: number("+49301"), caller_number: number("+49302"), trunk };
        let names = shared.key.names("call".into(), "salt");
        let mut dialog = Dialog::to(&shared, &names, &to).unwrap();
        assert!(dialog.set_early_tag("ringing"));
        assert_eq!(dialog.next_hop(), address, "the domain has no port, the trunk has");

        let mut answer = Message::response(200, "OK");
        answer.push(Name::Contact, "<sip:phone@192.0.2.44:5090>");
        assert!(dialog.establish(&answer));
        assert_eq!(dialog.next_hop(), "192.0.2.44:5090".parse().unwrap());
    }
}
