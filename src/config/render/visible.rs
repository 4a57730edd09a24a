//! Text of other people's, so that it neither steers a terminal nor reads otherwise than it is written.

use std::{borrow::Cow, fmt::Write};

/// `text` with control characters and those that turn the direction of reading escaped as TOML and JSON
/// do: `\u001b`. Line ends stay, so that JSON stays the same JSON.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unseen(c))
}

/// The same of text that is one line: line ends are escaped too.
#[must_use]
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// Controls; embeddings, overrides and isolates of direction; separators that some take for line ends.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&which) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if which(c) {
            // Writing to a string never fails.
            let _written = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped() {
        assert_eq!(
            visible("\u{1b}[2J\u{9b}1m\u{202e}x\u{2069}\t\u{7f}"),
            r"\u001b[2J\u009b1m\u202ex\u2069\u0009\u007f"
        );
        assert_eq!((&*visible("a\nb"), &*visible_line("a\nb\r")), ("a\nb", r"a\u000ab\u000d"));
        assert!(matches!(visible("Grüße, 春季 e\u{301} 👩\u{200d}💻"), Cow::Borrowed(_)));
        let json = serde_json::json!({ "\u{202e}": ["\u{9b}", "\u{1b}"] });
        let text = serde_json::to_string_pretty(&json).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&visible(&text)).unwrap(), json);
    }
}
