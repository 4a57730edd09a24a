//! What Git knows things by: addresses of repositories and ids of commits.

use std::net::IpAddr;

use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        kinds::url::host_of,
        read::{Kind, Reader},
        settings::{RemoteUrl, Transport},
        syntax::Node,
    },
    domain::ids::Revision,
};

/// Longest address, in bytes.
const URL_LENGTH_MAX: usize = 2_000;

const EXAMPLES: &str = "for instance \"https://git.example.net/acme/dialling.git\", \
                        \"git@git.example.net:acme/dialling.git\" or \"file:///srv/dialling.git\"";

/// Address of a repository that is fetched.
pub(crate) struct GitUrl;

impl Kind for GitUrl {
    type Value = RemoteUrl;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<RemoteUrl> {
        let text = reader.text(node, "a repository's address (a string)")?;
        match transport(text) {
            Ok(transport) => Some(RemoteUrl { text: text.to_owned(), transport }),
            Err(label) => {
                let diagnostic = reader.fault(Code::Address, node, "must be the address of a Git repository");
                if label == HAS_PASSWORD {
                    // Shown by place only: the line may hold the secret.
                    diagnostic.help(HAS_PASSWORD).location.span = None;
                } else {
                    diagnostic.label(label).help(EXAMPLES);
                }
                None
            }
        }
    }

    fn schema() -> Json {
        json!({
            "title": "address of a Git repository",
            "type": "string",
            "pattern": "^(https?://|ssh://|file:///|[A-Za-z0-9._-]+@[^/:]+:)",
            "maxLength": URL_LENGTH_MAX,
        })
    }

    fn show(value: &RemoteUrl) -> Json {
        json!(value.text)
    }
}

/// Address of a proxy.
pub(crate) struct ProxyUrl;

impl Kind for ProxyUrl {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a proxy's address (a string)")?;
        match proxy(text) {
            Ok(()) => Some(text.to_owned()),
            Err(label) => {
                let diagnostic = reader.fault(Code::Address, node, "must be the address of a proxy");
                diagnostic.label(label).help("for instance \"http://proxy.example.net:3128\"");
                if text.contains('@') {
                    // Shown by place only: the line may hold a secret.
                    diagnostic.location.span = None;
                }
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "title": "address of a proxy", "type": "string", "pattern": "^https?://[^@/]+/?$" })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

fn proxy(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let authority = rest.ok_or("expected `http://` or `https://`")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return Err("has a user or a password, which a proxy can't be given here");
    }
    if authority.contains('/') {
        return Err("has a path, which a proxy has none of");
    }
    host_of(authority).map(drop)
}

const HAS_PASSWORD: &str =
    "take user and password out of it; `username` and `token = { file = \"…\" }` name them, SSH has `ssh_key`";

/// How the repository is reached, or what is wrong with the address.
fn transport(text: &str) -> Result<Transport, &'static str> {
    if text.len() > URL_LENGTH_MAX {
        return Err("longer than 2000 bytes");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}?#$;&*".contains(&byte)) {
        return Err("has a space or a character that must be percent-encoded");
    }
    if let Some(path) = text.strip_prefix("file://") {
        return if path.starts_with('/') { Ok(Transport::File) } else { Err("expected `file:///` and a path") };
    }
    if let Some(rest) = text.strip_prefix("ssh://") {
        return over_ssh(rest.split_once('/').ok_or("has no path behind the host")?);
    }
    if let Some(rest) = text.strip_prefix("https://") {
        return over_http(rest).map(|_| Transport::Https);
    }
    if let Some(rest) = text.strip_prefix("http://") {
        let host = over_http(rest)?;
        let here =
            host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        return if here { Ok(Transport::Http) } else { Err("expected `https://`; `http://` is for this machine only") };
    }
    match text.split_once(':') {
        Some((place, path)) if place.contains('@') && !place.contains('/') => over_ssh((place, path)),
        _ => Err("expected `https://`, `ssh://`, `user@host:path` or `file://`"),
    }
}

/// The host, without its port.
fn over_http(rest: &str) -> Result<&str, &'static str> {
    let (authority, path) = rest.split_once('/').ok_or("has no path behind the host")?;
    if authority.contains('@') {
        return Err(HAS_PASSWORD);
    }
    if path.is_empty() {
        return Err("has no path behind the host");
    }
    host_of(authority)
}

fn over_ssh((place, path): (&str, &str)) -> Result<Transport, &'static str> {
    let (user, authority) = place.split_once('@').map_or((None, place), |(user, host)| (Some(user), host));
    let plain = |user: &str| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        !user.is_empty() && !user.starts_with('-') && user.bytes().all(allowed)
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(HAS_PASSWORD);
    }
    if !user.is_none_or(plain) {
        return Err("its user is not a name");
    }
    if path.is_empty() || path.starts_with('-') {
        return Err("has no path behind the host");
    }
    host_of(authority).map(|_| Transport::Ssh)
}

/// The whole id of a commit.
pub(crate) struct CommitId;

impl Kind for CommitId {
    type Value = Revision;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Revision> {
        let text = reader.text(node, "a commit's id (a string)")?;
        let revision = Revision::parse(text);
        if revision.is_none() {
            reader
                .fault(Code::Text, node, "must be the whole id of a commit")
                .label("expected 40 or 64 hexadecimal digits in lower case, as `git rev-parse` prints them");
        }
        revision
    }

    fn schema() -> Json {
        json!({ "title": "id of a commit", "type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$" })
    }

    fn show(value: &Revision) -> Json {
        json!(value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_repositories() {
        for (text, expected) in [
            ("https://git.example.net/acme/dialling.git", Transport::Https),
            ("https://git.example.net:8443/x", Transport::Https),
            ("http://127.0.0.1:3000/x.git", Transport::Http),
            ("http://[::1]:3000/x.git", Transport::Http),
            ("ssh://git@git.example.net:2222/acme/dialling.git", Transport::Ssh),
            ("ssh://git.example.net/~/x", Transport::Ssh),
            ("git@git.example.net:acme/dialling.git", Transport::Ssh),
            ("file:///srv/dialling.git", Transport::File),
        ] {
            assert_eq!(transport(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "/srv/dialling.git",
            "git.example.net:x",
            "ext::sh -c id",
            "ext::id",
            "--upload-pack=id",
            "-x@host:y",
            "git@-oProxyCommand=id:x",
            "git@host:-x",
            "ssh://-oProxyCommand=id/x",
            "ssh://git:secret@host/x",
            "https://user:secret@host/x",
            "https://token@host/x",
            "https://host",
            "https://host/",
            "https://host:0/x",
            "https://host/x?y",
            "http://git.example.net/x",
            "http://127.example.net/x",
            "http://127.0.0.evil/x",
            "file://host/x",
            "git://host/x",
            "ftp://host/x",
        ] {
            assert!(transport(bad).is_err(), "{bad}");
        }
    }
}
