//! SIP URIs: as much of RFC 3261 §19.1 as routing needs.

use std::net::{IpAddr, SocketAddr};

use super::header::{Params, number, text};

/// Port of `sip:` without one.
const PORT: u16 = 5060;

/// A `sip:` or `sips:` URI, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Uri<'a> {
    /// Before the `@`, empty when there is none.
    pub user: &'a str,
    /// Host, an IPv6 address without its brackets.
    pub host: &'a str,
    /// Port, if written.
    pub port: Option<u16>,
    /// Parameters of the URI.
    pub params: Params<'a>,
}

impl<'a> Uri<'a> {
    /// Takes a URI apart; `None` for other schemes and for what can't be one.
    #[must_use]
    pub fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return None;
        }
        if rest.bytes().any(|b| b <= b' ' || b == b'<' || b == b'>' || b == b'"' || b == 0x7f) {
            return None;
        }
        let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        let (place, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = split_host(place)?;
        Some(Self { user, host, port, params: Params::of(params.as_bytes()) })
    }

    /// Whether it is a loose router's (`;lr`).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.params.value("lr").is_some()
    }

    /// Where it leads, when its host is an address.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let host = self.params.value("maddr").and_then(text).unwrap_or(self.host);
        let ip: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port.unwrap_or(PORT)))
    }
}

/// Takes `host`, `host:port` or `[v6]:port` apart.
#[must_use]
pub fn split_host(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(u16::try_from(number(digits.as_bytes())?).ok()?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:%".contains(&b));
    plain.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart() {
        let uri = Uri::parse("sip:a;b?c@127.0.0.1:5071;lr;transport=udp?x=y").unwrap();
        assert_eq!((uri.user, uri.host, uri.port, uri.is_loose()), ("a;b?c", "127.0.0.1", Some(5071), true));
        assert_eq!(uri.address(), Some("127.0.0.1:5071".parse().unwrap()));
        let six = Uri::parse("SIP:[::1]").unwrap();
        assert_eq!(six.address(), Some("[::1]:5060".parse().unwrap()));
        let maddr = Uri::parse("sip:x@example.test:5070;maddr=127.0.0.9").unwrap();
        assert_eq!(maddr.address(), Some("127.0.0.9:5070".parse().unwrap()));
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in ["", "tel:+49", "sip:", "sip:@", "sip:a@b:99999", "sip:a@b c", "sip:[::1", "sip:a@b:", "x"] {
            assert!(Uri::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Uri::parse("sip:x@example.test").unwrap().address(), None);
    }
}
