//! Encrypted attributes: AES-256-GCM-SIV (RFC 8452), bound to the contact and the attribute (ADR 11).

use std::fmt::{self, Write};

use aes_gcm_siv::{
    Aes256GcmSiv, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::{
    attribute::Sealed,
    ids::{AttributeId, CampaignId, CustomerId},
};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be 64 hexadecimal digits, as `openssl rand -hex 32` writes them")]
pub struct KeyError;

/// Why a value can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is under a key that is not set.
    #[error("cannot be opened with the keys at hand, key id {0}")]
    UnknownKey(String),
    /// It was changed, or belongs to another contact or attribute.
    #[error("cannot be opened: it is not what was written for this contact and attribute")]
    Damaged,
}

/// Whose value it is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The customer.
    pub customer: &'a CustomerId,
    /// The attribute.
    pub attribute: &'a AttributeId,
}

impl Place<'_> {
    /// As associated data; none of the parts has a NUL.
    fn bytes(&self) -> Vec<u8> {
        [self.campaign.as_str(), self.customer.as_str(), self.attribute.as_str()].join("\0").into_bytes()
    }
}

struct Named {
    id: String,
    cipher: Aes256GcmSiv,
}

/// The key that values are written under, and one that they may still be under.
pub struct Keyring {
    current: Named,
    previous: Option<Named>,
}

/// Keys are shown nowhere.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.current.id)
    }
}

/// Keys are told apart by their ids.
impl PartialEq for Keyring {
    fn eq(&self, other: &Self) -> bool {
        self.current.id == other.current.id
    }
}

impl Eq for Keyring {}

impl Keyring {
    /// From the keys as hexadecimal digits.
    pub fn new(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, KeyError> {
        let previous = previous.map(named).transpose()?;
        Ok(Self { current: named(current)?, previous })
    }

    /// With a key that goes when the process does, for values that are never read.
    #[must_use]
    pub fn thrown_away() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a key is made")]
        fn fill(key: &mut [u8]) {
            // Without the system's random numbers it is a known key, for values that stay in memory.
            let _without = getrandom::fill(key);
        }
        let mut key = [0; KEY_BYTES];
        fill(&mut key);
        Self { current: of_bytes(&key), previous: None }
    }

    /// Id of the key that values are written under.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current.id
    }

    /// Whether there is a key of that id.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.keys().any(|named| named.id == key)
    }

    fn keys(&self) -> impl Iterator<Item = &Named> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten()
    }

    /// Encrypts a value. The same value in the same place gives the same text, so that an import again
    /// changes nothing.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, value: &str) -> Sealed {
        let Named { id, cipher } = &self.current;
        let aad = place.bytes();
        let payload = Payload { msg: value.as_bytes(), aad: &aad };
        let sealed = cipher.encrypt(&nonce(&aad), payload).expect("values are shorter than the cipher's limit");
        Sealed { key: id.clone(), text: hex(&sealed) }
    }

    /// Reads a value.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<SecretString, OpenError> {
        let named = self.keys().find(|named| named.id == sealed.key);
        let named = named.ok_or_else(|| OpenError::UnknownKey(sealed.key.clone()))?;
        let (aad, bytes) = (place.bytes(), unhex(&sealed.text).ok_or(OpenError::Damaged)?);
        let opened = named.cipher.decrypt(&nonce(&aad), Payload { msg: &bytes, aad: &aad });
        let text = opened.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(OpenError::Damaged)?;
        Ok(text.into())
    }
}

fn named(key: &SecretString) -> Result<Named, KeyError> {
    let bytes = unhex(key.expose_secret().trim()).filter(|bytes| bytes.len() == KEY_BYTES).ok_or(KeyError)?;
    Ok(of_bytes(&bytes))
}

fn of_bytes(key: &[u8]) -> Named {
    let digest = Sha256::new().chain_update(b"dialops attribute key\0").chain_update(key).finalize();
    Named { id: hex(&digest[..4]), cipher: Aes256GcmSiv::new(Key::<Aes256GcmSiv>::from_slice(key)) }
}

/// One nonce a place: it repeats only for what one attribute of one contact has been, which GCM-SIV bears.
fn nonce(place: &[u8]) -> Nonce {
    let digest = Sha256::new().chain_update(b"dialops attribute nonce\0").chain_update(place).finalize();
    *Nonce::from_slice(&digest[..12])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a text never fails.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.bytes().map(|byte| char::from(byte).to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> SecretString {
        digit.repeat(64).into()
    }

    #[test]
    fn a_value_is_read_with_its_key_in_its_place_alone() {
        let ring = Keyring::new(&key("a"), None).unwrap();
        let campaigns = ["spring", "summer"].map(|id| CampaignId::parse(id).unwrap());
        let customers = ["c1", "c2"].map(|id| CustomerId::parse(id).unwrap());
        let attributes = ["iban", "card"].map(|id| AttributeId::parse(id).unwrap());
        let place = |a: usize, b: usize, c: usize| Place {
            campaign: &campaigns[a],
            customer: &customers[b],
            attribute: &attributes[c],
        };
        let sealed = ring.seal(place(0, 0, 0), "DE02 1203 0000 王");
        assert_eq!(ring.open(place(0, 0, 0), &sealed).unwrap().expose_secret(), "DE02 1203 0000 王");
        assert_eq!(ring.seal(place(0, 0, 0), "DE02 1203 0000 王"), sealed);
        assert_ne!(ring.seal(place(0, 1, 0), "DE02 1203 0000 王").text, sealed.text);
        for elsewhere in [place(1, 0, 0), place(0, 1, 0), place(0, 0, 1)] {
            assert_eq!(ring.open(elsewhere, &sealed).unwrap_err(), OpenError::Damaged);
        }
        let flipped = if sealed.text.starts_with('0') { "1" } else { "0" };
        let changed = Sealed { text: format!("{flipped}{}", &sealed.text[1..]), ..sealed.clone() };
        assert_eq!(ring.open(place(0, 0, 0), &changed).unwrap_err(), OpenError::Damaged);
        let other = Keyring::new(&key("b"), None).unwrap();
        assert_eq!(other.open(place(0, 0, 0), &sealed).unwrap_err(), OpenError::UnknownKey(sealed.key.clone()));
        let both = Keyring::new(&key("b"), Some(&key("a"))).unwrap();
        assert_eq!(both.open(place(0, 0, 0), &sealed).unwrap().expose_secret(), "DE02 1203 0000 王");
        assert_eq!(both.seal(place(0, 0, 0), "x").key, other.current());
    }

    #[test]
    fn keys_have_one_form_and_are_not_shown() {
        let short = "a".repeat(63);
        let (odd, long) = (format!("{short}g"), "a".repeat(66));
        for bad in ["", short.as_str(), odd.as_str(), long.as_str()] {
            assert_eq!(Keyring::new(&bad.to_owned().into(), None).unwrap_err(), KeyError, "{bad}");
        }
        let shown = format!("{:?}", Keyring::new(&key("a"), None).unwrap());
        assert!(!shown.contains("aaaa"), "{shown}");
    }
}
