//! How bodies are signed that come in by a generic webhook, and those that go out: one header,
//! `X-Dialops-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 over `SECONDS.BODY`.
//!
//! The time is part of what is signed, so that a body that was overheard is worth nothing a few minutes
//! later. Everything is compared in constant time.

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// The header.
pub const HEADER: &str = "X-Dialops-Signature";

/// A signature's bytes.
pub type Tag = [u8; 32];

/// A signature as it came; whether it is right is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// When it was signed by what it says, in Unix seconds.
    pub at: i64,
    /// The signature.
    pub tag: Tag,
}

impl Given {
    /// Reads the header's value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, tag) = text.trim().strip_prefix("t=")?.split_once(",v1=")?;
        Some(Self { at: seconds(at)?, tag: from_hex(tag)? })
    }

    /// Whether who knows the secret has signed this body.
    #[must_use]
    pub fn is_of(&self, secret: &[u8], body: &[u8]) -> bool {
        is_signed(secret, &[self.at.to_string().as_bytes(), b".", body], &self.tag)
    }
}

/// The header's value for a body that is sent at `at`.
#[must_use]
pub fn sign(secret: &[u8], at: Timestamp, body: &[u8]) -> String {
    let at = at.as_second();
    let tag = hmac(secret, &[at.to_string().as_bytes(), b".", body]).finalize().into_bytes();
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// Whether a tag is HMAC-SHA256 over the parts, one after the other.
#[must_use]
pub fn is_signed(secret: &[u8], parts: &[&[u8]], tag: &Tag) -> bool {
    hmac(secret, parts).verify_slice(tag).is_ok()
}

fn hmac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac
}

/// Unix seconds, written in one way only: what is signed is the text.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().filter(|seconds: &i64| seconds.to_string() == text)
}

/// Reads 64 hexadecimal digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<Tag> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut tag = Tag::default();
    if text.len() != 2 * tag.len() {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_secret_one_time_and_one_body() {
        let at: Timestamp = "2031-03-01T10:00:00Z".parse().unwrap();
        let header = sign(b"s3cret", at, b"{}");
        let given = Given::parse(&header).unwrap();
        assert_eq!(given.at, at.as_second());
        assert!(given.is_of(b"s3cret", b"{}"));
        assert!(!given.is_of(b"s3cres", b"{}"));
        assert!(!given.is_of(b"s3cret", b"{ }"));
        assert!(!Given { at: given.at + 1, ..given }.is_of(b"s3cret", b"{}"));
    }

    /// By `printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret`.
    #[test]
    fn it_is_what_openssl_makes() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(sign(b"s3cret", at, b"{}"), OPENSSL);
    }

    const OPENSSL: &str = "t=1700000000,v1=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf";

    #[test]
    fn only_one_spelling_is_read() {
        let tag = "0".repeat(64);
        assert!(Given::parse(&format!("t=1700000000,v1={tag}")).is_some());
        for bad in ["t=+1700000000", "t=01700000000", "t=1 ", "t=", "T=1"] {
            assert_eq!(Given::parse(&format!("{bad},v1={tag}")), None, "{bad}");
        }
        for bad in ["", "0", "zz", &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
