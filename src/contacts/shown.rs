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

#[cfg(test)]
mod tests {
    use super::*;

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
