//! What happens on the wire, in call-control words: legs, their events and their ends.
//!
//! The telephony drivers speak these values; no SIP type crosses this border.

use std::{fmt, time::Duration};

use super::{
    ids::{AgentId, LegId, TrunkId},
    phone::E164,
};

/// The identifiers that let a later life of the daemon cancel or end a leg (RFC 3261 §12).
///
/// Texts are as they stand in the SIP messages. The driver makes the first one before anything is
/// sent, and a new one whenever a challenge, a provisional answer or an answer changes it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LegIdentity {
    /// `Call-ID`.
    pub call_id: String,
    /// Our URI, the `From` of our requests.
    pub local_uri: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's URI, the `To` of our requests.
    pub remote_uri: String,
    /// The peer's tag, once it gave one.
    pub remote_tag: Option<String>,
    /// Where requests go: the Request-URI, later the peer's `Contact`.
    pub target_uri: String,
    /// The route set, in the order in which we send it.
    pub routes: Vec<String>,
    /// `CSeq` number of the newest request we sent in it.
    pub cseq: u32,
    /// `Via` branch of the INVITE in progress, for CANCEL.
    pub branch: String,
    /// Address the INVITE went to, `ip:port`.
    pub peer: String,
}

/// Its URIs hold numbers, so only what tells legs apart is printed.
impl fmt::Debug for LegIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegIdentity")
            .field("call_id", &self.call_id)
            .field("remote_tag", &self.remote_tag)
            .field("cseq", &self.cseq)
            .finish_non_exhaustive()
    }
}

/// Whom a leg calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An agent's phone, by its SIP URI.
    Agent {
        /// The agent.
        agent: AgentId,
        /// The phone's SIP URI, from `agents.toml`.
        sip: String,
    },
    /// A customer, through a trunk.
    Customer {
        /// The number called.
        number: E164,
        /// The number shown to the customer.
        caller_number: E164,
        /// The trunk it goes through.
        trunk: TrunkId,
    },
}

/// What a leg is offered as the other side's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaOffer {
    /// A `sendrecv` offer to a discard port, for an agent who is reserved before anyone is called.
    Discard,
    /// The media that this answered leg described.
    Of(LegId),
}

/// A command to a call-control driver; each carries our ids and may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CallCommand {
    /// Calls `destination` and rings at most `ring`.
    Dial {
        /// Our id of the leg.
        leg: LegId,
        /// Whom.
        destination: Destination,
        /// What media to offer.
        offer: MediaOffer,
        /// Longest time until an answer; then the driver cancels by itself.
        ring: Duration,
        /// How long, from now, an INVITE of this leg may leave: neither a repeat nor the answer to a
        /// challenge is sent later. `None` for no limit.
        send_within: Option<Duration>,
    },
    /// The answer's identity is stored: the driver may acknowledge it. Unasked it acknowledges
    /// after [`ACKNOWLEDGE_UNASKED_AFTER`], so a store that fails never loses an answered call.
    Acknowledge {
        /// The answered leg.
        leg: LegId,
    },
    /// Makes two answered legs hear each other; gives `Bridged` or `BridgeFailed`.
    Bridge {
        /// The agent's leg.
        agent: LegId,
        /// The customer's leg.
        customer: LegId,
    },
    /// Ends a leg: cancels it while it rings, hangs up once answered, nothing when it has ended.
    HangUp {
        /// The leg.
        leg: LegId,
        /// Told to the peer in a `Reason` header (RFC 3326).
        cause: HangUpCause,
    },
    /// Ends a leg that an earlier life of the daemon left; gives `Ended` like any other.
    TakeDown {
        /// That life's id of it.
        leg: LegId,
        /// Its stored identifiers.
        identity: LegIdentity,
        /// Whether its answer had been stored.
        answered: bool,
    },
    /// Tells which legs there are; gives `Standing`.
    Resync,
}

/// How long a driver waits for [`CallCommand::Acknowledge`] before it acknowledges by itself. A peer
/// repeats its answer meanwhile, for up to 64·T1 = 32 s (RFC 3261 §13.3.1.4); the sooner we acknowledge
/// unasked, the likelier is a call that is up and that the store does not know of.
pub const ACKNOWLEDGE_UNASKED_AFTER: Duration = Duration::from_secs(4);

/// Why we end a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUpCause {
    /// The call is over, or is no longer wanted (Q.850 16).
    Normal,
    /// It rang for as long as it may (Q.850 19).
    NoAnswer,
    /// No agent could take the answered call (Q.850 31).
    NoAgent,
    /// An earlier life of the daemon left it (Q.850 41).
    Recovered,
}

impl HangUpCause {
    /// The Q.850 cause to send.
    #[must_use]
    pub fn q850(self) -> u8 {
        match self {
            Self::Normal => 16,
            Self::NoAnswer => 19,
            Self::NoAgent => 31,
            Self::Recovered => 41,
        }
    }
}

/// What a driver tells of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEvent {
    /// A challenge or a provisional response changed the identifiers; store them.
    Progress {
        /// The leg.
        leg: LegId,
        /// True once the phone rings (180 or 183).
        ringing: bool,
        /// Its identifiers now.
        identity: LegIdentity,
    },
    /// The peer answered. The driver waits for `Acknowledge`.
    Answered {
        /// The leg.
        leg: LegId,
        /// Its identifiers now.
        identity: LegIdentity,
    },
    /// The peer answered what had been given up: its answer crossed our CANCEL, or is of an earlier
    /// life's call. The driver waits for `Acknowledge`, then hangs up.
    AnsweredInVain {
        /// The leg.
        leg: LegId,
        /// Its identifiers now.
        identity: LegIdentity,
    },
    /// Both sides of a `Bridge` hear each other.
    Bridged {
        /// The agent's leg.
        agent: LegId,
        /// The customer's leg.
        customer: LegId,
    },
    /// A `Bridge` could not be made; both legs are as they were unless an `Ended` says otherwise.
    BridgeFailed {
        /// The agent's leg.
        agent: LegId,
        /// The customer's leg.
        customer: LegId,
        /// Which leg refused.
        refused_by: LegId,
    },
    /// The leg is over. Comes exactly once for each leg.
    Ended {
        /// The leg.
        leg: LegId,
        /// How.
        end: LegEnd,
    },
    /// The legs that are not over, in answer to `Resync`: what commands before it began is among them, and what ended
    /// before it was told before.
    Standing {
        /// By id.
        legs: Vec<LegId>,
    },
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegEnd {
    /// Who ended it.
    pub by: EndedBy,
    /// Whether it had been answered.
    pub answered: bool,
    /// Whether our CANCEL was sent; an answer that crossed it has both flags. A peer that was never heard
    /// can't be cancelled (RFC 3261 §9.1).
    pub cancelled: bool,
    /// The final SIP status that ended it, if one came from the peer.
    pub status: Option<u16>,
    /// Q.850 cause from the peer's `Reason` header.
    pub q850: Option<u8>,
    /// `Retry-After` of the final response, in seconds.
    pub retry_after: Option<u32>,
    /// The peer's `Reason` header as it stood, at most 200 bytes.
    pub reason: Option<String>,
}

/// Who ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The peer: a final response or a BYE.
    Peer,
    /// We: by command or by the ring limit.
    Us,
    /// Nobody: the peer fell silent.
    Timeout,
    /// Nothing was sent: no room, no media to offer, or the network refused the first INVITE.
    Transport,
    /// The peer broke the protocol, for instance answered without a `Contact`.
    Protocol,
}
