//! Durations: a whole number and a unit, `30s 10m 2h 3d`.

use std::time::Duration;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::{
    code::Code,
    diagnostic::Span,
    read::{Kind, Reader},
    syntax::Node,
};

/// One day, in seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;

const UNITS: [(char, u64); 4] = [('d', DAY), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// Digits that the number may have; keeps the arithmetic far from overflow.
const DIGITS_MAX: usize = 9;

/// A duration from `MIN` to `MAX` seconds.
pub(crate) struct Lasting<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Kind for Lasting<MIN, MAX> {
    type Value = Duration;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Duration> {
        if let DeValue::Integer(seconds) = node.get_ref() {
            let text = format!("\"{}s\"", seconds.as_str());
            let span = Span::from(node.span());
            let diagnostic = reader.wrong_type(node, "a duration such as \"30s\", \"10m\", \"2h\" or \"3d\"");
            if seconds.radix() == 10 && !seconds.as_str().starts_with(['-', '+']) {
                diagnostic.suggest("did you mean seconds?", span, text);
            }
            return None;
        }
        let text = reader.text(node, "a duration such as \"30s\", \"10m\", \"2h\" or \"3d\"")?;
        let Some(seconds) = parse(text) else {
            let span = Span::from(node.span());
            let diagnostic = reader
                .fault(Code::Duration, node, "must be a duration")
                .label("expected a whole number and a unit, such as \"30s\", \"10m\", \"2h\" or \"3d\"");
            if let Some(meant) = meant(text) {
                diagnostic.fix(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
            }
            return None;
        };
        if !(MIN..=MAX).contains(&seconds) {
            reader.fault(Code::DurationRange, node, format_args!("must be {}", bounds(MIN, MAX))).label("out of range");
            return None;
        }
        Some(Duration::from_secs(seconds))
    }

    fn schema() -> Json {
        let title = format!("duration from {}", bounds(MIN, MAX));
        let pattern = format!("^(0|[1-9][0-9]{{0,{}}})[smhd]$", DIGITS_MAX - 1);
        json!({ "title": title, "type": "string", "pattern": pattern })
    }

    fn show(value: &Duration) -> Json {
        json!(shown(value.as_secs()))
    }
}

/// Seconds of a text such as `10m`.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let (_, seconds) = UNITS.into_iter().find(|(known, _)| *known == unit)?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if digits.is_empty() || digits.len() > DIGITS_MAX || !plain {
        return None;
    }
    digits.parse::<u64>().ok().map(|number| number * seconds)
}

/// Both ends, in seconds as long as these are easily read.
fn bounds(least: u64, most: u64) -> String {
    let most = if most <= 3600 { format!("{most}s") } else { shown(most) };
    format!("{} to {most}", shown(least))
}

/// Seconds in the largest unit that divides them, and of which they are more than one.
pub(crate) fn shown(seconds: u64) -> String {
    let whole = UNITS.into_iter().find(|(_, unit)| seconds > *unit && seconds.is_multiple_of(*unit));
    let (unit, length) = whole.unwrap_or(('s', 1));
    format!("{}{unit}", seconds / length)
}

/// What a text such as `30 sec`, `1h30m` or `PT5M` was probably meant to say.
fn meant(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let mut rest = lower.strip_prefix("pt").unwrap_or(&lower).trim();
    let mut seconds = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let word = rest.len() - rest.trim_start_matches(char::is_alphabetic).len();
        let unit = match &rest[..word] {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => DAY,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest[word..].trim_start();
    }
    (seconds > 0).then(|| shown(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        assert_eq!(parse("30s"), Some(30));
        assert_eq!(parse("3d"), Some(3 * DAY));
        assert_eq!(parse("0s"), Some(0));
        for bad in ["", "s", "30", "1h30m", "-1s", "1.5h", "030s", "1 m", "9999999999s", "3é", "٣s"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_meant() {
        assert_eq!(meant("1h30m").as_deref(), Some("90m"));
        assert_eq!(meant("30 sec").as_deref(), Some("30s"));
        assert_eq!(meant("PT5M").as_deref(), Some("5m"));
        assert_eq!(meant("soon"), None);
        assert_eq!(meant("99999999999999999999s"), None);
        assert_eq!(shown(2 * DAY), "2d");
        assert_eq!((shown(0), shown(1), shown(60), shown(90)), ("0s".into(), "1s".into(), "60s".into(), "90s".into()));
    }
}
