//! How numbers, times and addresses stand in pages.

use std::fmt::Write as _;

use crate::http::page::grouped;

/// `1:02:03`, or `2:03` below an hour.
pub(super) fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{}:{minutes:02}:{seconds:02}", grouped(hours)) } else { format!("{minutes}:{seconds:02}") }
}

/// A text as one part of an address, or as a value in its query (RFC 3986).
pub(super) fn escaped(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => part.push(char::from(byte)),
            // A text takes all that is written into it.
            _ => drop(write!(part, "%{byte:02X}")),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_addresses() {
        assert_eq!([59, 61, 3_723].map(duration), ["0:59", "1:01", "1:02:03"]);
        assert_eq!(escaped("C 1/ü?"), "C%201%2F%C3%BC%3F");
    }
}
