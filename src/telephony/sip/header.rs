//! Header names and the grammar inside header values (RFC 3261 §7.3, §20, §25).
//!
//! Values are bytes as they came; only the parts that are compared or answered are read as text, so
//! a stray byte in a display name harms nobody.

use std::fmt;

use super::message::Method;

macro_rules! names {
    ($($variant:ident $text:literal $compact:literal),+ $(,)?) => {
        /// A header's name; names this crate has no use for are [`Name::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Name {
            $(#[doc = $text] $variant,)+
            /// Any other; its text stands in the message.
            Other,
        }

        const NAMES: &[(Name, &str, &str)] = &[$((Name::$variant, $text, $compact)),+];

        impl Name {
            /// The name in its long form; empty for [`Name::Other`].
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other => "",
                }
            }
        }
    };
}

names! {
    Via "Via" "v", From "From" "f", To "To" "t", CallId "Call-ID" "i", CSeq "CSeq" "",
    Contact "Contact" "m", MaxForwards "Max-Forwards" "", Route "Route" "", RecordRoute "Record-Route" "",
    ContentLength "Content-Length" "l", ContentType "Content-Type" "c", ContentEncoding "Content-Encoding" "e",
    ContentDisposition "Content-Disposition" "", Require "Require" "", ProxyRequire "Proxy-Require" "",
    Supported "Supported" "k", Unsupported "Unsupported" "", Allow "Allow" "", Accept "Accept" "",
    UserAgent "User-Agent" "", Server "Server" "", Reason "Reason" "", RetryAfter "Retry-After" "",
    WwwAuthenticate "WWW-Authenticate" "", ProxyAuthenticate "Proxy-Authenticate" "",
    Authorization "Authorization" "", ProxyAuthorization "Proxy-Authorization" "",
    Warning "Warning" "", Expires "Expires" "", Timestamp "Timestamp" "",
}

impl Name {
    /// The name behind `text`, long or compact, in any case.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let found = NAMES.iter().find(|(_, long, compact)| {
            let wanted = if text.len() == 1 { compact.as_bytes() } else { long.as_bytes() };
            wanted.len() == text.len() && wanted.eq_ignore_ascii_case(text)
        });
        found.map_or(Self::Other, |(name, ..)| *name)
    }
}

/// Strips spaces and tabs from both ends.
#[must_use]
pub fn trim(value: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    &value[start..end]
}

/// Splits at `separator`, but not inside quotes or `<…>`.
pub fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        match find_outside(text, separator) {
            Some(at) => {
                rest = Some(&text[at + 1..]);
                Some(trim(&text[..at]))
            }
            None => {
                rest = None;
                Some(trim(text))
            }
        }
    })
}

/// Where `wanted` stands first outside quotes and `<…>`.
fn find_outside(text: &[u8], wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut angled) = (false, false, false);
    for (at, &byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == wanted && !angled {
            return Some(at);
        } else {
            match byte {
                b'"' => quoted = true,
                b'<' => angled = true,
                b'>' => angled = false,
                _ => {}
            }
        }
    }
    None
}

/// A value's text, if it is text.
#[must_use]
pub fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Removes the quotes around a quoted string; what is escaped inside stays as it is.
#[must_use]
pub fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// Whether `value` is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b))
}

/// The parameters behind a value: `;name=value;flag`.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Reads `;name=value;flag`, with or without the first semicolon.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Self {
        let text = trim(text);
        Self(text.strip_prefix(b";").unwrap_or(text))
    }

    /// All parameters: name and value.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        split(self.0, b';').filter(|part| !part.is_empty()).map(|part| match find_outside(part, b'=') {
            Some(at) => (trim(&part[..at]), Some(trim(&part[at + 1..]))),
            None => (part, None),
        })
    }

    /// The value of parameter `name`; empty for a flag.
    #[must_use]
    pub fn value(self, name: &str) -> Option<&'a [u8]> {
        let found = self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.unwrap_or_default())
    }
}

/// `From`, `To`, `Contact`, `Route`, `Record-Route`: a URI, perhaps with a display name, and parameters.
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    /// The URI, without `<` and `>`.
    pub uri: &'a str,
    /// Parameters of the header, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element of such a header.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let (uri, params) = match find_outside(value, b'<') {
            Some(open) => {
                let length = value[open + 1..].iter().position(|&b| b == b'>')?;
                (&value[open + 1..open + 1 + length], &value[open + length + 2..])
            }
            None => value.split_at(value.iter().position(|&b| b == b';').unwrap_or(value.len())),
        };
        let params = trim(params);
        let uri = text(trim(uri))?;
        let plain = !uri.is_empty() && !uri.bytes().any(|b| b <= b' ' || b == b'"' || b == b'<');
        (plain && (params.is_empty() || params[0] == b';')).then(|| Self { uri, params: Params::of(params) })
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        text(self.params.value("tag")?).filter(|tag| is_token(tag.as_bytes()))
    }
}

/// One `Via` (RFC 3261 §20.42, RFC 3581).
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, …
    pub transport: &'a str,
    /// `host` or `host:port` that sent it.
    pub sent_by: &'a str,
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one element of a `Via` header.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (head, params) = value.split_at(find_outside(value, b';').unwrap_or(value.len()));
        let mut parts = head.splitn(3, |&b| b == b'/');
        let (name, version) = (trim(parts.next()?), trim(parts.next()?));
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return None;
        }
        let rest = trim(parts.next()?);
        let gap = rest.iter().position(|b| matches!(b, b' ' | b'\t'))?;
        let transport = text(&rest[..gap])?;
        let sent_by = text(trim(&rest[gap..]))?;
        let host = !sent_by.is_empty() && !sent_by.bytes().any(|b| b <= b' ' || b == b',');
        (host && is_token(transport.as_bytes())).then(|| Self { transport, sent_by, params: Params::of(params) })
    }

    /// The `branch` parameter; empty when there is none.
    #[must_use]
    pub fn branch(&self) -> &'a str {
        self.params.value("branch").and_then(text).unwrap_or_default()
    }
}

/// A `CSeq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Number, below 2³¹.
    pub number: u32,
    /// Method.
    pub method: Method,
}

impl CSeq {
    /// Reads a `CSeq` value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let gap = value.iter().position(|b| matches!(b, b' ' | b'\t'))?;
        let number = number(&value[..gap]).filter(|n| *n < 1 << 31)?;
        Some(Self { number, method: Method::parse(trim(&value[gap..]))? })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// A decimal number without sign.
#[must_use]
pub fn number(value: &[u8]) -> Option<u32> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if digits { text(value)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case_and_short() {
        assert_eq!(Name::of(b"v"), Name::Via);
        assert_eq!(Name::of(b"CALL-id"), Name::CallId);
        assert_eq!(Name::of(b"X-Own"), Name::Other);
        assert_eq!(Name::of(b"z"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
    }

    #[test]
    fn commas_inside_quotes_and_angles_do_not_split() {
        let value = br#""a, \"b" <sip:x@y,z>;q=1 , <sip:c@d>"#;
        let parts: Vec<_> = split(value, b',').collect();
        assert_eq!(parts, [&br#""a, \"b" <sip:x@y,z>;q=1"#[..], b"<sip:c@d>"]);
    }

    #[test]
    fn name_addr_forms() {
        let full = NameAddr::parse(b"\"x; <y>\" <sip:a@b;lr> ; tag = t1 ;z").unwrap();
        assert_eq!((full.uri, full.tag()), ("sip:a@b;lr", Some("t1")));
        let bare = NameAddr::parse(b"sip:a@b;tag=t2").unwrap();
        assert_eq!((bare.uri, bare.tag()), ("sip:a@b", Some("t2")));
        for bad in [&b"<sip:a@b"[..], b"", b"<>", b"sip:a b", b"<sip:a@b> tag=1"] {
            assert!(NameAddr::parse(bad).is_none(), "{bad:?}");
        }
        let stray = NameAddr::parse(b"\"\xff\xfe\" <sip:a@b>;tag=t3").unwrap();
        assert_eq!(stray.tag(), Some("t3"));
    }

    #[test]
    fn via_with_blanks() {
        let via = Via::parse(b"SIP / 2.0\t/ UDP  [::1]:5060 ;branch=z9hG4bKx;rport").unwrap();
        assert_eq!((via.transport, via.sent_by, via.branch()), ("UDP", "[::1]:5060", "z9hG4bKx"));
        assert_eq!(via.params.value("rport"), Some(&b""[..]));
        assert!(Via::parse(b"SIP/3.0/UDP x").is_none());
        assert!(Via::parse(b"SIP/2.0/UDP").is_none());
    }

    #[test]
    fn cseq_below_two_to_the_31() {
        assert_eq!(CSeq::parse(b"2147483647  BYE").unwrap().number, 2_147_483_647);
        assert!(CSeq::parse(b"2147483648 BYE").is_none());
        assert!(CSeq::parse(b"+1 BYE").is_none());
        assert!(CSeq::parse(b"1").is_none());
    }
}
