//! Telephone numbers in E.164, masked wherever they are printed.

use std::fmt;

/// A `+` and as many digits as a number has at most.
const LENGTH_MAX: usize = 16;

/// A number in E.164 form: `+`, a country code, at most 15 digits (ITU-T E.164 §6).
///
/// `Debug` and `Display` mask it, so that no log or message carries a customer's number; use
/// [`E164::expose`] where the digits themselves are the point (SIP, the store, results).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164 {
    /// In place, then zeros: numbers are keys of many tables, and are compared without a look elsewhere.
    text: [u8; LENGTH_MAX],
}

/// Why a text is not an E.164 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be '+' and 4 to 15 digits, the first not 0")]
pub struct E164Error;

impl E164 {
    /// Parses the strict form `+4930123456`; national forms are parsed at import, with a region.
    pub fn parse(text: &str) -> Result<Self, E164Error> {
        let digits = text.strip_prefix('+').ok_or(E164Error)?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !plain || !(4..LENGTH_MAX).contains(&digits.len()) {
            return Err(E164Error);
        }
        let mut number = Self { text: [0; LENGTH_MAX] };
        number.text[..text.len()].copy_from_slice(text.as_bytes());
        Ok(number)
    }

    /// The number itself, with its `+`.
    #[must_use]
    pub fn expose(&self) -> &str {
        let length = self.text.iter().position(|&byte| byte == 0).unwrap_or(LENGTH_MAX);
        std::str::from_utf8(&self.text[..length]).expect("a plus and digits")
    }

    /// The number with its middle digits hidden: `+8613*******01`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose())
    }
}

/// Digits, with or without a `+`, with the middle ones hidden; at least four.
#[must_use]
pub fn mask(digits: &str) -> String {
    let length = digits.len();
    let (head, tail) = if length > 9 { (5, 2) } else { (2, 1) };
    let hidden = "*".repeat(length.saturating_sub(head + tail));
    format!("{}{hidden}{}", &digits[..head], &digits[length - tail..])
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_form_only() {
        assert!(E164::parse("+8613800000001").is_ok());
        for bad in ["8613800000001", "+", "+0123456", "+12 34", "+1234567890123456", "+１２３４５"] {
            assert_eq!(E164::parse(bad), Err(E164Error), "{bad}");
        }
    }

    #[test]
    fn it_is_the_text_it_was_parsed_from_and_sorts_as_it() {
        let texts = ["+1234", "+12345", "+123456789012345", "+8613800000001", "+99"];
        let numbers: Vec<E164> = texts[..4].iter().map(|text| E164::parse(text).unwrap()).collect();
        assert!(numbers.iter().map(E164::expose).eq(texts[..4].iter().copied()));
        assert!(numbers.is_sorted() && E164::parse(texts[4]).is_err());
    }

    #[test]
    fn printing_masks() {
        let number = E164::parse("+8613800000001").unwrap();
        assert_eq!(number.to_string(), "+8613*******01");
        assert!(!format!("{number:?}").contains("138000"));
        assert_eq!(E164::parse("+4912").unwrap().to_string(), "+4**2");
    }
}
