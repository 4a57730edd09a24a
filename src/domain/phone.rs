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

/// Only the ends of a text.
#[must_use]
pub fn ends(text: &str) -> String {
    if text.is_ascii() && text.len() >= 6 {
        return mask(text);
    }
    "*".repeat(text.chars().count())
}

/// Fewest digits that count as a telephone number in a text.
const DIGITS_MIN: usize = 7;

/// A text, such as the name of a file, with the middle of all that could be a telephone number hidden: seven digits or
/// more, in a row or in groups. A date like `2031-03-01` stays.
#[must_use]
pub fn mask_within(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(begin);
        let (group, behind) = digits.split_at(group_length(digits));
        let (number, date) = group.split_at(group.len() - date_length(group));
        masked.push_str(before);
        if number.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_MIN {
            masked.push_str(&mask(number));
        } else {
            masked.push_str(number);
        }
        masked.push_str(date);
        rest = behind;
    }
    masked + rest
}

/// Length of the digits that a text begins with, with single signs between them.
fn group_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_between = |at: usize| matches!(bytes.get(at), Some(b' ' | b'-' | b'.' | b'_' | b'/'));
    let mut end = 0;
    while is_digit(end) || is_between(end) && is_digit(end + 1) {
        end += 1;
    }
    end
}

/// Length of the date that digits end with; 0 if they end with none.
fn date_length(group: &str) -> usize {
    const FORM: &str = "0000-00-00";
    let tail = group.len().checked_sub(FORM.len()).map_or("", |at| &group[at..]);
    let is_date = tail.len() == FORM.len()
        && tail.bytes().zip(FORM.bytes()).all(|(byte, form)| byte.is_ascii_digit() == form.is_ascii_digit());
    if is_date && !group[..group.len() - FORM.len()].ends_with(|c: char| c.is_ascii_digit()) { FORM.len() } else { 0 }
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
    fn numbers_are_masked_within_a_text() {
        for (text, masked) in [
            ("13800000001-2031-03-01", "13800*****1-2031-03-01"),
            ("call +86 138-0000-0001.csv", "call +86 13*********01.csv"),
            ("list of 021 6000.1000", "list of 021 6******00"),
            ("may-2031-03-01", "may-2031-03-01"),
            ("batch 7-2031-03-01", "batch 7-2031-03-01"),
            ("线索 138000000", "线索 13******0"),
            ("1234567", "12****7"),
            ("123456", "123456"),
            ("", ""),
        ] {
            assert_eq!(mask_within(text), masked);
        }
    }

    #[test]
    fn printing_masks() {
        let number = E164::parse("+8613800000001").unwrap();
        assert_eq!(number.to_string(), "+8613*******01");
        assert!(!format!("{number:?}").contains("138000"));
        assert_eq!(E164::parse("+4912").unwrap().to_string(), "+4**2");
    }
}
