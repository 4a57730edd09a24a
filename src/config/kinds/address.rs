//! Addresses: sockets, hosts and SIP URIs.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::config::{
    code::Code,
    read::{Kind, Reader},
    syntax::Node,
};

/// An IP address and a port to listen on.
pub(crate) struct Socket;

impl Kind for Socket {
    type Value = SocketAddr;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<SocketAddr> {
        let text = reader.text(node, "an address such as \"127.0.0.1:8080\"")?;
        let address = text.parse().ok();
        if address.is_none() {
            reader
                .fault(Code::Address, node, "must be an IP address and a port")
                .label("for instance \"127.0.0.1:8080\" or \"[::1]:8080\"");
        }
        address
    }

    fn schema() -> Json {
        json!({ "title": "IP address and port", "type": "string", "pattern": "^.+:[0-9]{1,5}$" })
    }

    fn show(value: &SocketAddr) -> Json {
        json!(value.to_string())
    }
}

/// A host name or an IP address.
pub(crate) struct Host;

impl Kind for Host {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a host name")?;
        if is_host(text) {
            return Some(text.to_owned());
        }
        reader
            .fault(Code::Address, node, "must be a host name or an IP address")
            .label("for instance \"sip.example.net\"");
        None
    }

    fn schema() -> Json {
        json!({ "title": "host name or IP address", "type": "string", "minLength": 1, "maxLength": 255 })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

/// A host and a port.
pub(crate) struct HostPort;

impl Kind for HostPort {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "an address such as \"sip.example.net:5060\"")?;
        let whole = text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port));
        if whole {
            return Some(text.to_owned());
        }
        reader.fault(Code::Address, node, "must be a host and a port").label("for instance \"sip.example.net:5060\"");
        None
    }

    fn schema() -> Json {
        json!({ "title": "host and port", "type": "string", "pattern": "^.+:[0-9]{1,5}$" })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

/// A SIP URI of a phone: `sip:user@host` or `sip:user@host:port`.
pub(crate) struct SipUri;

impl Kind for SipUri {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a SIP URI such as \"sip:a1@10.0.0.5:5060\"")?;
        let form = text.strip_prefix("sip:").and_then(|rest| rest.split_once('@')).is_some_and(|(user, place)| {
            let (host, port) = match place.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port),
                _ => (place, "5060"),
            };
            !user.is_empty()
                && user.chars().all(|c| c.is_ascii_graphic() && !"<>\"@;?".contains(c))
                && is_host(host)
                && is_port(port)
        });
        if form {
            return Some(text.to_owned());
        }
        reader.fault(Code::Address, node, "must be a SIP URI").label("for instance \"sip:a1@10.0.0.5:5060\"");
        None
    }

    fn schema() -> Json {
        json!({ "title": "SIP URI", "type": "string", "pattern": "^sip:[^@]+@[^@]+$" })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

/// A name of letters, digits, dots and hyphens, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
    };
    text.len() <= 255 && text.split('.').all(label)
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for good in ["10.0.0.5", "sip.example.net", "localhost", "[::1]"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a..b", "a b", "[::x]", "-a", "sip:a", "a/b"] {
            assert!(!is_host(bad), "{bad}");
        }
        assert!(is_port("5060"));
        assert!(!is_port("0"));
        assert!(!is_port("65536"));
    }
}
