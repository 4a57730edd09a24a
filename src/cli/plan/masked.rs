//! What is left of a text where everybody may read it.

use crate::domain::phone;

/// Fewest digits of a telephone number behind a `+`, and without one; a date such as 20310301 is none.
const DIGITS_MIN: (usize, usize) = (6, 9);

/// `text` with the middle of what reads like a telephone number hidden, and a web address without its query,
/// where tokens are put.
pub(super) fn masked(text: &str) -> String {
    let is_address = text.starts_with("https://") || text.starts_with("http://");
    let (text, query) = match text.split_once('?') {
        Some((address, _)) if is_address => (address, "?…"),
        Some(_) | None => (text, ""),
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c == '+' || c.is_ascii_digit()) {
        let digits = start + usize::from(rest[start..].starts_with('+'));
        let length = rest[digits..].bytes().take_while(u8::is_ascii_digit).count();
        let run = &rest[start..digits + length];
        let least = if digits > start { DIGITS_MIN.0 } else { DIGITS_MIN.1 };
        shown.push_str(&rest[..start]);
        shown += &if length >= least { phone::mask(run) } else { run.to_owned() };
        rest = &rest[digits + length..];
    }
    shown + rest + query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hidden_wherever_they_stand() {
        for (text, expected) in [
            ("+862160001000", "+8621******00"),
            ("sip:+4930123456@10.0.0.5:5060", "sip:+4930****56@10.0.0.5:5060"),
            ("call 13800138000, or +49 30 123", "call 13800****00, or +49 30 123"),
            ("from 20310301, 09:00-18:00, +5", "from 20310301, 09:00-18:00, +5"),
            ("https://crm.example.net/calls?token=s3cret&x=1", "https://crm.example.net/calls?…"),
            ("why? because", "why? because"),
            ("Frühling 春季 + 7+", "Frühling 春季 + 7+"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
