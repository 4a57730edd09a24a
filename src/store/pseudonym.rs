//! What stands for erased data: keyed hashes, so that caps on a number go on and its digits are gone.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::row;
use crate::domain::{
    ids::{ContactRef, CustomerId},
    phone::E164,
};

/// Bytes of a hash that are kept: too many to meet by chance.
const BYTES: usize = 16;

/// The store's key, made with it.
#[derive(Clone)]
pub(super) struct Pseudonyms([u8; 32]);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}

impl Pseudonyms {
    /// With this key.
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// What stands for a number; no number looks like it.
    pub(super) fn number(&self, number: &E164) -> String {
        format!("{PREFIX}{}", self.hash("number", number.expose().as_bytes()))
    }

    /// What stands for the customer of an erased contact: it tells of the contact and of nothing else.
    pub(super) fn customer(&self, contact: ContactRef) -> CustomerId {
        let name = format!("erased-{}", self.hash("contact", &contact.0.to_be_bytes()));
        CustomerId::parse(&name).expect("a short text of letters and digits")
    }

    fn hash(&self, purpose: &str, data: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        row::hex(&mac.finalize().into_bytes()[..BYTES])
    }
}

/// What no number begins with.
const PREFIX: char = '#';

/// All that stands for erased numbers: from the first text on, and below the second.
pub(super) const RANGE: (&str, &str) = ("#", "$");

/// Whether a column holds what stands for an erased number.
pub(super) fn is_erased(number: &str) -> bool {
    number.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_pseudonym_under_one_key() {
        let number = E164::parse("+8613800000001").unwrap();
        let (one, other) = (Pseudonyms::new([1; 32]), Pseudonyms::new([2; 32]));
        assert_eq!(one.number(&number), one.number(&number));
        assert_ne!(one.number(&number), other.number(&number));
        assert!(is_erased(&one.number(&number)) && !is_erased(number.expose()));
        assert!(!one.number(&number).contains("138000"));
        assert_ne!(one.customer(ContactRef(1)), one.customer(ContactRef(2)));
        assert!(!format!("{one:?}").contains('1'));
    }
}
