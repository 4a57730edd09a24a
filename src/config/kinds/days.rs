//! Days: weekdays, dates and days of the year.

use jiff::civil::Weekday;
use std::fmt;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::choice::Words;
use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{Kind, Reader},
        suggest::listing,
        syntax::Node,
    },
    domain::days,
};

/// A day of the week: `mon` to `sun`.
pub(crate) struct DayOfWeek;

impl Words for Weekday {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("mon", Self::Monday),
        ("tue", Self::Tuesday),
        ("wed", Self::Wednesday),
        ("thu", Self::Thursday),
        ("fri", Self::Friday),
        ("sat", Self::Saturday),
        ("sun", Self::Sunday),
    ];
}

impl Kind for DayOfWeek {
    type Value = Weekday;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Weekday> {
        let words = || Weekday::WORDS.iter().map(|(word, _)| *word);
        let expected = fmt::from_fn(|f| f.write_str(&listing(&words().collect::<Vec<_>>(), '"', "or")));
        let text = reader.text(node, &expected)?;
        if let Some((_, day)) = Weekday::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*day);
        }
        let span = Span::from(node.span());
        let diagnostic = reader.fault(Code::UnknownWord, node, format_args!("cannot hold {text:?}"));
        diagnostic.label(format!("expected {expected}"));
        // People write `Monday` and `tues`: the first three letters say what they mean.
        let start: String = text.chars().take(3).collect::<String>().to_lowercase();
        if let Some(word) = words().find(|word| *word == start) {
            diagnostic.suggest(format!("did you mean {word:?}?"), span, format!("{word:?}"));
        }
        None
    }

    fn schema() -> Json {
        let words: Vec<&str> = Weekday::WORDS.iter().map(|(word, _)| *word).collect();
        json!({ "type": "string", "enum": words })
    }

    fn show(value: &Weekday) -> Json {
        Weekday::WORDS.iter().find(|(_, known)| known == value).map_or(Json::Null, |(word, _)| json!(word))
    }
}

/// A date or two with all that lie between: `2031-03-04`, `2031-05-01/2031-05-05`.
pub(crate) struct DateRange;

impl Kind for DateRange {
    type Value = days::DateRange;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<days::DateRange> {
        const EXPECTED: &str = "a date such as \"2031-03-04\", or two such as \"2031-05-01/2031-05-05\"";
        if let DeValue::Datetime(written) = node.get_ref() {
            let span = Span::from(node.span());
            let quoted = format!("\"{written}\"");
            let whole = days::DateRange::parse(&written.to_string()).is_ok();
            let diagnostic = reader.wrong_type(node, EXPECTED);
            if whole {
                diagnostic.suggest("write it in quotes", span, quoted);
            }
            return None;
        }
        let text = reader.text(node, EXPECTED)?;
        read_days(text, EXPECTED, node, reader, days::DateRange::parse)
    }

    fn schema() -> Json {
        let date = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
        json!({ "type": "string", "pattern": format!("^{date}(/{date})?$") })
    }

    fn show(value: &days::DateRange) -> Json {
        json!(value.to_string())
    }
}

/// A day of every year, or two with all that lie between: `10-01`, `10-01/10-07`, `12-24/01-02`.
pub(crate) struct YearlyRange;

impl Kind for YearlyRange {
    type Value = days::YearlyRange;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<days::YearlyRange> {
        const EXPECTED: &str = "a day of the year such as \"10-01\", or two such as \"10-01/10-07\"";
        let text = reader.text(node, EXPECTED)?;
        read_days(text, EXPECTED, node, reader, days::YearlyRange::parse)
    }

    fn schema() -> Json {
        let day = "(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
        json!({ "type": "string", "pattern": format!("^{day}(/{day})?$") })
    }

    fn show(value: &days::YearlyRange) -> Json {
        json!(value.to_string())
    }
}

fn read_days<T>(
    text: &str,
    expected: &str,
    node: &Node<'_>,
    reader: &mut Reader<'_>,
    parse: impl Fn(&str) -> Result<T, days::DaysError>,
) -> Option<T> {
    match parse(text) {
        Ok(range) => Some(range),
        Err(error) => {
            let span = Span::from(node.span());
            let diagnostic = reader.fault(Code::Days, node, format_args!("must hold {expected}"));
            diagnostic.label(error.to_string());
            if let Some(meant) = meant(text).filter(|meant| parse(meant).is_ok()) {
                diagnostic.suggest(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
            }
            None
        }
    }
}

/// What a text such as `2031/3/4` or `2031-05-01 - 2031-05-05` was probably meant to be, with two digits
/// for each month and day.
fn meant(text: &str) -> Option<String> {
    let ends: Vec<&str> = [" - ", "/", "..", "–", " to ", "~"]
        .iter()
        .filter_map(|between| text.split_once(between))
        .map(|(first, last)| vec![first, last])
        .find(|ends| ends.iter().all(|end| end.contains(['-', '.'])))
        .unwrap_or_else(|| vec![text]);
    let ends: Vec<String> = ends.into_iter().map(day_meant).collect::<Option<_>>()?;
    Some(ends.join("/"))
}

fn day_meant(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split(['-', '/', '.']).collect();
    let digits = |part: &&str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(digits) {
        return None;
    }
    Some(parts.iter().map(|part| format!("{part:0>2}")).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_mended() {
        assert_eq!(meant("2031/3/4").as_deref(), Some("2031-03-04"));
        assert_eq!(meant("2031-5-1 - 2031-5-5").as_deref(), Some("2031-05-01/2031-05-05"));
        assert_eq!(meant("2031-05-01..2031-05-05").as_deref(), Some("2031-05-01/2031-05-05"));
        assert_eq!(meant("1-1").as_deref(), Some("01-01"));
        assert_eq!(meant("10.1").as_deref(), Some("10-01"));
        assert_eq!(meant("new year"), None);
    }
}
