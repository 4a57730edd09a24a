//! What the gateway is told at its start, and what every leg shares.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{digest::Credential, keys::DialogKey, transaction::Timing};
use crate::domain::ids::TrunkId;

/// Receive buffer asked of the kernel: room for a burst of some thousand messages.
pub const RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Most live legs unless set otherwise; at 6 kB each that is 60 MB.
pub const LEGS_MAX: usize = 10_000;

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct SipSettings {
    /// Address of the UDP socket; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address that peers are told, when it isn't `listen`: behind NAT, or when `listen` is
    /// unspecified. Port 0 means the socket's own.
    pub advertised: Option<SocketAddr>,
    /// Trunks by id.
    pub trunks: BTreeMap<TrunkId, TrunkSettings>,
    /// Addresses that may send to us; empty lets everyone. A stranger gets at most one short answer to
    /// each message, so this is a second fence.
    pub sources: BTreeSet<IpAddr>,
    /// Receive buffer to ask of the kernel, in bytes.
    pub receive_buffer: usize,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// Most live legs; a `Dial` beyond ends at once.
    pub legs_max: usize,
    /// RFC 3261's timers; only tests change them.
    pub timing: Timing,
}

impl SipSettings {
    /// Settings for `listen` with everything else at its default and no trunks.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            advertised: None,
            trunks: BTreeMap::new(),
            sources: BTreeSet::new(),
            receive_buffer: RECEIVE_BUFFER_BYTES,
            user_agent: concat!("dialops/", env!("CARGO_PKG_VERSION")).to_owned(),
            legs_max: LEGS_MAX,
            timing: Timing::default(),
        }
    }
}

/// One trunk.
#[derive(Debug, Clone)]
pub struct TrunkSettings {
    /// Where its INVITEs go.
    pub address: SocketAddr,
    /// Domain of the URIs called through it.
    pub domain: String,
    /// Answers its challenges; a trunk that knows us by address needs none.
    pub credential: Option<Credential>,
}

/// What every leg of one endpoint shares.
#[derive(Debug)]
pub struct Shared {
    /// Makes and recognises our identifiers.
    pub key: DialogKey,
    /// Address that peers are told.
    pub advertised: SocketAddr,
    /// Value of our `Contact`.
    pub contact: String,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// Trunks by id.
    pub trunks: BTreeMap<TrunkId, TrunkSettings>,
    /// Addresses that may send to us; empty lets everyone.
    pub sources: BTreeSet<IpAddr>,
    /// Port of discard offers.
    pub discard_port: u16,
    /// Most live legs.
    pub legs_max: usize,
    /// Timers.
    pub timing: Timing,
}

impl Shared {
    /// Joins settings with what the sockets turned out to be.
    #[must_use]
    pub fn new(settings: &SipSettings, dialog_key: [u8; 32], advertised: SocketAddr, discard_port: u16) -> Arc<Self> {
        Arc::new(Self {
            key: DialogKey::new(dialog_key),
            advertised,
            contact: format!("<sip:dialops@{advertised}>"),
            user_agent: settings.user_agent.clone(),
            trunks: settings.trunks.clone(),
            sources: settings.sources.clone(),
            discard_port,
            legs_max: settings.legs_max,
            timing: settings.timing,
        })
    }

    /// Our URI towards agents' phones.
    #[must_use]
    pub fn own_uri(&self) -> String {
        format!("sip:dialops@{}", self.advertised)
    }

    /// A `Via` value with `branch`; `rport` asks for answers to where we send from (RFC 3581).
    #[must_use]
    pub fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/UDP {};rport;branch={branch}", self.advertised)
    }

    /// Credential for a peer at `address`, for legs whose trunk is no longer known.
    #[must_use]
    pub fn credential_at(&self, address: SocketAddr) -> Option<&Credential> {
        self.trunks.values().find(|trunk| trunk.address == address)?.credential.as_ref()
    }
}
