//! Values of a row, and how a spreadsheet is kept from taking a text for a formula.
//!
//! A spreadsheet that opens CSV takes a cell for a formula that begins with `=`, `+`, `-` or `@`, or with one of these
//! behind a tab or a line break (OWASP, "CSV Injection"). What a customer or an agent has written gets an apostrophe
//! before it then, which spreadsheets show as text. It is not put before numbers: one with a sign is no formula, and
//! `+8613800000001` is to stay what it is for whoever reads it with a program. A text that begins with apostrophes before
//! such a sign gets one more, so that taking one away always gives back what was there.

use std::borrow::Cow;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// None.
    Empty,
    /// What somebody has written.
    Text(Cow<'a, str>),
    /// What only the daemon writes, of which no formula can be made: ids, times, telephone numbers, also masked ones.
    Plain(Cow<'a, str>),
    /// A JSON object.
    Json(String),
    /// A count.
    Whole(u64),
    /// A decimal number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

impl<'a> Cell<'a> {
    /// What only the daemon writes.
    pub(super) fn plain(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Plain(text.into())
    }

    /// What somebody has written.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// What may be missing.
    pub(super) fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Empty, cell)
    }

    /// A count that may be missing.
    pub(super) fn count(value: Option<impl Into<u64>>) -> Self {
        Self::maybe(value, |value| Self::Whole(value.into()))
    }
}

/// What a formula begins with, or what may stand before that; the wide forms are taken for the narrow ones in places.
const BEGINS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A text as CSV has it, which no spreadsheet takes for a formula.
#[must_use]
pub fn guarded(text: &str) -> Cow<'_, str> {
    if is_risky(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was guarded.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    let Some(rest) = cell.strip_prefix('\'') else { return cell };
    if is_risky(rest) { rest } else { cell }
}

fn is_risky(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINS_FORMULA) && !is_signed_number(text)
}

/// A sign and digits, perhaps with a point among them: a number, whatever it is opened with.
fn is_signed_number(text: &str) -> bool {
    let Some(number) = text.strip_prefix(['+', '-']) else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_a_formula_is_text_and_numbers_stay() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("+", "'+"),
            ("-1.", "'-1."),
            ("+8613800000001", "+8613800000001"),
            ("-12.5", "-12.5"),
            ("O'Hara", "O'Hara"),
            ("'quoted'", "'quoted'"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), cell, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_guarded_is_found_again(text in "[-'=+@\t\r\n＝0-9.a]{0,8}|.{0,12}") {
            let cell = guarded(&text).into_owned();
            prop_assert_eq!(unguarded(&cell), text.as_str());
            prop_assert!(!cell.starts_with(BEGINS_FORMULA) || is_signed_number(&cell));
        }
    }
}
