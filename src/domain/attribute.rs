//! Attributes: what a tenant knows of its customers beside their numbers (SPEC §1.2, `shared/`).

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use jiff::civil::Date;

use super::ids::AttributeId;

/// Most attributes that a tenant defines.
pub const ATTRIBUTES_MAX: usize = 200;

/// Most characters of a text value.
pub const TEXT_LENGTH_MAX: usize = 1_000;

/// What an attribute's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeType {
    /// Text, compared by bytes.
    String,
    /// A decimal number.
    Number,
    /// A calendar date, `2031-03-04`.
    Date,
    /// Text that is encrypted at rest, and neither filtered nor sorted on.
    Encrypted,
}

impl AttributeType {
    /// The name used in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Date => "date",
            Self::Encrypted => "encrypted",
        }
    }
}

/// An attribute, as `shared/attributes.toml` defines one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Identity.
    pub id: AttributeId,
    /// Shown to people; 1 to 20 characters.
    pub name: String,
    /// What its values are.
    pub kind: AttributeType,
    /// Whether an import refuses a contact without it.
    pub required: bool,
    /// Whether agents see it.
    pub shown: bool,
    /// Whether agents may change it.
    pub editable: bool,
    /// Whether people see only its ends.
    pub masked: bool,
}

/// A finite decimal number; 1 and 1.0 are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(f64);

impl Number {
    /// Wraps a finite number; 0 for −0, `None` for infinities and NaN.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// Parses `-12.5`: an optional sign, digits, and perhaps a point and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let form = match digits.split_once('.') {
            Some((whole, fraction)) => plain(whole) && plain(fraction),
            None => plain(digits),
        };
        if form { text.parse().ok().and_then(Self::new) } else { None }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One value of a contact; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of a string; never empty, as an empty text counts as missing.
    Text(String),
    /// Of a number.
    Number(Number),
    /// Of a date.
    Date(Date),
    /// Of an encrypted one: what only who has the key can read.
    Sealed(Sealed),
}

impl AttributeValue {
    /// The value as text, as an import takes it; `None` for an encrypted one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Date(date) => Some(date.to_string()),
            Self::Sealed(_) => None,
        }
    }
}

/// An encrypted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Id of the key that it is under.
    pub key: String,
    /// As hexadecimal digits.
    pub text: String,
}

impl fmt::Debug for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Number(_) => "Number(…)",
            Self::Date(_) => "Date(…)",
            Self::Sealed(_) => "Sealed(…)",
        })
    }
}

/// What is known of one contact; a missing value has no entry.
pub type Attributes = BTreeMap<AttributeId, AttributeValue>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_text_that_they_were_read_from() {
        let number = AttributeValue::Number(Number::parse("-12.50").unwrap());
        assert_eq!(number.text().as_deref(), Some("-12.5"));
        assert_eq!(AttributeValue::Date("2031-03-04".parse().unwrap()).text().as_deref(), Some("2031-03-04"));
        let sealed = Sealed { key: "k1".to_owned(), text: "00ff".to_owned() };
        assert_eq!(AttributeValue::Sealed(sealed).text(), None);
    }

    #[test]
    fn numbers_are_plain_decimals() {
        assert_eq!(Number::parse("1"), Number::parse("1.0"));
        assert_eq!(Number::parse("-0"), Number::parse("0"));
        assert!(Number::parse("-2.5") < Number::parse("-2"));
        for bad in ["", "-", "1.", ".5", "1e3", "+1", "0x1", "inf", "NaN", " 1", "1,5"] {
            assert_eq!(Number::parse(bad), None, "{bad}");
        }
    }
}
