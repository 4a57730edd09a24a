//! Web addresses.

use serde_json::{Value as Json, json};

use crate::config::{
    code::Code,
    kinds::address::is_host,
    read::{Kind, Reader},
    syntax::Node,
};

/// Longest web address, in bytes.
const URL_LENGTH_MAX: usize = 2_000;

/// An address of `https://` or `http://`, without user or password.
pub(crate) struct Url;

/// A web address and its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebAddress {
    pub(crate) text: String,
    /// In lower case, without a port.
    pub(crate) host: String,
}

impl Kind for Url {
    type Value = WebAddress;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<WebAddress> {
        let text = reader.text(node, "a web address such as \"https://crm.example.net/calls\"")?;
        match host(text) {
            Ok(host) => Some(WebAddress { text: text.to_owned(), host }),
            Err(label) => {
                reader.fault(Code::Address, node, "must be a web address").label(label).help(
                    "for instance \"https://crm.example.net/calls\"; a secret goes into the key that there is for it, as \
                     `{ file = \"…\" }` or `{ credential = \"…\" }`, not into the address",
                );
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "type": "string", "format": "uri", "pattern": "^https?://[^@]+$", "maxLength": URL_LENGTH_MAX })
    }

    fn show(value: &WebAddress) -> Json {
        json!(value.text)
    }
}

/// The host of a web address, or what is wrong with it.
fn host(text: &str) -> Result<String, &'static str> {
    if text.len() > URL_LENGTH_MAX {
        return Err("longer than 2000 bytes");
    }
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !graphic {
        return Err("has a space or a character that must be percent-encoded");
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or("expected `https://` or `http://`")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || rest.contains('@') {
        return Err("has a user, a password or an `@`");
    }
    if rest.contains('#') {
        return Err("has a fragment (`#…`), which is never sent");
    }
    Ok(host_of(authority)?.to_ascii_lowercase())
}

/// The host in front of a port, or what is wrong with either.
pub(super) fn host_of(authority: &str) -> Result<&str, &'static str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port != 0)) {
        return Err("its port is not 1 to 65535");
    }
    if host.is_empty() || !is_host(host) {
        return Err("its host is not a name or an IP address");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found() {
        assert_eq!(host("https://CRM.example.net/calls?x=1").as_deref(), Ok("crm.example.net"));
        assert_eq!(host("http://[::1]:8080/").as_deref(), Ok("[::1]"));
        assert_eq!(host("https://10.0.0.5:8443").as_deref(), Ok("10.0.0.5"));
        for bad in [
            "ftp://x/",
            "https://",
            "https:///x",
            "https://a b/",
            "https://user:secret@x/",
            "https://x:0/",
            "https://x:99999/",
            "https://x/#part",
            "crm.example.net",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
