//! What of a file a message may repeat: names, and nothing that could be a customer's.
//!
//! Messages reach terminals and logs, where customers' data may not be.

/// Longest name that is repeated.
const NAME_LENGTH_MAX: usize = 40;

/// A name in quotes; `None` for a text that may be data: a number, an address, a sentence.
pub(super) fn name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | '-');
    let is_name = (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.chars().all(plain);
    is_name.then(|| format!("{text:?}"))
}

/// Fewest digits of a telephone number.
const DIGITS_MIN: usize = 7;

/// What is said of a column whose name looks like data.
pub(super) const HEADER_WANTED: &str = "looks like data: a header row is wanted before it";

/// Whether a text has as many digits as a telephone number, so that it names no column.
pub(super) fn looks_like_data(text: &str) -> bool {
    text.chars().filter(|c| c.is_numeric()).count() >= DIGITS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_like_data() {
        for (text, data) in [
            ("13800000001", true),
            ("+86 138-0000", true),
            ("１３８００００", true),
            ("c123456", false),
            ("number", false),
        ] {
            assert_eq!(looks_like_data(text), data, "{text}");
        }
    }

    #[test]
    fn names_only() {
        for text in ["colour", "number.mobile", "Home_City", "not-before"] {
            assert_eq!(name(text), Some(format!("{text:?}")));
        }
        let long = "x".repeat(NAME_LENGTH_MAX + 1);
        for text in ["", "13800000001", "c1", "anna@example.net", "Anna Schmidt", "王伟", "a\u{1b}[2J", &long] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
