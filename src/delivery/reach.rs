//! Whom a client may reach: it connects to addresses that were looked at, and to no others.
//!
//! A name is resolved once, each address is judged, and the very addresses that are good are connected to: what the name
//! stands for a moment later makes no difference.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::config::settings::Network;

/// Longest wait for the addresses of a name: shorter than that for an answer, as nothing has left by then.
const RESOLVE_WITHIN: Duration = Duration::from_secs(4);

/// Whom a client may reach.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// Anybody: the address stands in the settings, and they are the administrator's.
    Anywhere,
    /// Whoever has a public address, or one of these networks.
    Public(Arc<[Network]>),
}

impl Reach {
    fn admits(&self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public(also) => is_public(address) || also.iter().any(|network| network.contains(address)),
        }
    }

    /// Refuses a host that is an address which may not be reached; names are judged when they are resolved.
    pub(super) fn admit(&self, host: &str) -> Result<(), String> {
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        address.filter(|address| !self.admits(*address)).map_or(Ok(()), |address| Err(refusal(address)))
    }
}

fn refusal(address: IpAddr) -> String {
    format!("its address {address} is not a public one, and the settings do not allow it")
}

/// Whether an address is one of the public internet. Addresses that carry one of IPv4 are what that is.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the IANA registry of special addresses, and without multicast.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Only what is given out as global unicast, without the parts of it that are for documents or lead elsewhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to an address of IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// Resolves names to addresses that may be reached.
#[derive(Debug, Clone)]
pub(super) struct Resolver(Reach);

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self(reach)
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0.clone();
        Box::pin(async move {
            // The connector puts the port in.
            let looking = tokio::net::lookup_host((name.as_str(), 0));
            let late = |_| io::Error::other("its name is not resolved in time");
            let found = tokio::time::timeout(RESOLVE_WITHIN, looking).await.map_err(late)??;
            let found: Vec<SocketAddr> = found.collect();
            let refused = found.iter().find(|address| !reach.admits(address.ip())).map(SocketAddr::ip);
            let good: Vec<SocketAddr> = found.into_iter().filter(|address| reach.admits(address.ip())).collect();
            match refused {
                Some(address) if good.is_empty() => Err(io::Error::other(refusal(address))),
                _ => Ok(good.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_reached() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for good in
            ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2002:101:101::1"]
        {
            assert!(public(good), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!public(bad), "{bad}");
        }
    }

    #[test]
    fn networks_of_the_settings_are_reached_too() {
        let reach = Reach::Public(Arc::new([Network::parse("127.0.0.2").unwrap()]));
        assert!(reach.admits("127.0.0.2".parse().unwrap()) && reach.admits("::ffff:127.0.0.2".parse().unwrap()));
        assert!(reach.admit("127.0.0.2").is_ok() && reach.admit("crm.example.net").is_ok());
        for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(reach.admit(host).unwrap_err().contains("not a public one"), "{host}");
        }
        assert!(Reach::Anywhere.admit("127.0.0.1").is_ok());
    }
}
