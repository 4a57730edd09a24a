//! Times: points in time, zones and windows.

use jiff::{
    Timestamp, civil,
    tz::{self, TimeZone},
};
use serde_json::{Value as Json, json};
use toml::{
    de::DeValue,
    value::{Datetime, Offset},
};

use crate::{
    config::{
        code::Code,
        diagnostic::{Span, short},
        read::{Kind, Reader},
        suggest::nearest,
        syntax::Node,
    },
    domain::calendar,
};

/// A point in time: a TOML date-time with an offset.
pub(crate) struct Instant;

impl Kind for Instant {
    type Value = Timestamp;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Timestamp> {
        const EXPECTED: &str = "a date-time with an offset, such as 2031-03-01T09:00:00+08:00";
        let DeValue::Datetime(written) = node.get_ref() else {
            let unquoted =
                node.get_ref().as_str().filter(|text| text.parse::<Datetime>().is_ok_and(|t| t.offset.is_some()));
            let span = Span::from(node.span());
            let diagnostic = reader.wrong_type(node, EXPECTED);
            if let Some(text) = unquoted {
                diagnostic.fix("write it without quotes", span, text);
            }
            return None;
        };
        let whole = written.date.is_some() && written.time.is_some() && written.offset.is_some();
        let instant = timestamp(written);
        if instant.is_none() {
            let label = if whole { "no such point in time" } else { "its date, time or offset is missing" };
            reader.fault(Code::DateTime, node, format_args!("must be {EXPECTED}")).label(label);
        }
        instant
    }

    fn schema() -> Json {
        json!({ "title": "date-time with an offset", "type": "string", "format": "date-time" })
    }

    /// In UTC, so that one instant shows the same whatever its offset.
    fn show(value: &Timestamp) -> Json {
        json!(value.to_string())
    }
}

/// The instant that a date-time with an offset names.
pub(crate) fn timestamp(written: &Datetime) -> Option<Timestamp> {
    let (date, time) = (written.date?, written.time?);
    let minutes = match written.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i32::from(minutes),
    };
    let date =
        civil::Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    let time = civil::Time::new(
        i8::try_from(time.hour).ok()?,
        i8::try_from(time.minute).ok()?,
        i8::try_from(time.second.unwrap_or(0)).ok()?,
        i32::try_from(time.nanosecond.unwrap_or(0)).ok()?,
    );
    let offset = tz::Offset::from_seconds(minutes * 60).ok()?;
    offset.to_timestamp(date.ok()?.to_datetime(time.ok()?)).ok()
}

/// An IANA zone, found in the tz database that is compiled in.
pub(crate) struct Zone;

/// A zone and the name it was found by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedZone {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
}

impl Kind for Zone {
    type Value = NamedZone;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<NamedZone> {
        let text = reader.text(node, "an IANA time zone such as \"Asia/Shanghai\"")?;
        // The database finds names in any letter case; one spelling is enough for files.
        if let Ok(zone) = TimeZone::get(text)
            && zone.iana_name().is_some_and(|name| name == text)
        {
            return Some(NamedZone { name: text.to_owned(), zone });
        }
        let span = Span::from(node.span());
        let names: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
        let diagnostic = reader
            .fault(Code::TimeZone, node, format_args!("cannot be {:?}: no such zone in the tz database", short(text)))
            .label("expected an IANA name such as \"Asia/Shanghai\"");
        if let Some(name) = nearest(text, names.iter().map(String::as_str)) {
            // Another zone is other hours: surely meant only if nothing but the letter case differs.
            let sure = name.eq_ignore_ascii_case(text);
            diagnostic.fix_if(sure, format!("did you mean {name:?}?"), span, format!("{name:?}"));
        }
        None
    }

    fn schema() -> Json {
        json!({ "title": "IANA time zone", "type": "string", "minLength": 1 })
    }

    fn show(value: &NamedZone) -> Json {
        json!(value.name)
    }
}

/// An IANA zone, or `contact`.
pub(crate) struct ZoneOrContact;

/// Which zone governs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Governing {
    /// This one.
    Zone(NamedZone),
    /// Each contact's own.
    Contact,
}

const CONTACT: &str = "contact";

impl Kind for ZoneOrContact {
    type Value = Governing;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Governing> {
        if node.get_ref().as_str() == Some(CONTACT) {
            return Some(Governing::Contact);
        }
        Zone::read(node, reader).map(Governing::Zone)
    }

    fn schema() -> Json {
        json!({ "title": "IANA time zone, or `contact`", "type": "string", "minLength": 1 })
    }

    fn show(value: &Governing) -> Json {
        match value {
            Governing::Zone(zone) => json!(zone.name),
            Governing::Contact => json!(CONTACT),
        }
    }
}

/// A window of a day, `HH:MM-HH:MM`.
pub(crate) struct Window;

impl Kind for Window {
    type Value = calendar::Window;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<calendar::Window> {
        let text = reader.text(node, "a window such as \"09:00-18:00\"")?;
        match calendar::Window::parse(text) {
            Ok(window) => Some(window),
            Err(error) => {
                let span = Span::from(node.span());
                let diagnostic = reader
                    .fault(Code::Window, node, "must be windows of the form \"HH:MM-HH:MM\"")
                    .label(error.to_string());
                if let Some(meant) = meant(text) {
                    diagnostic.fix(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
                }
                None
            }
        }
    }

    fn schema() -> Json {
        const PATTERN: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
        json!({ "title": "window HH:MM-HH:MM", "type": "string", "pattern": PATTERN })
    }

    fn show(value: &calendar::Window) -> Json {
        json!(value.to_string())
    }
}

/// The window that a text such as `9:00 - 18:00` or `9-18` was probably meant to be.
fn meant(text: &str) -> Option<String> {
    let (start, end) = text.split_once(['-', '–', '—', '~'])?;
    let time = |text: &str| {
        let (hours, minutes) = text.trim().split_once([':', '.', '：']).unwrap_or((text.trim(), "00"));
        let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
        Some(format!("{hours:02}:{minutes:02}"))
    };
    let window = format!("{}-{}", time(start)?, time(end)?);
    calendar::Window::parse(&window).is_ok().then_some(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_mended() {
        assert_eq!(meant("9:00-18:00").as_deref(), Some("09:00-18:00"));
        assert_eq!(meant("9 – 18").as_deref(), Some("09:00-18:00"));
        assert_eq!(meant("09:00-25:00"), None);
        assert_eq!(meant("mornings"), None);
    }

    #[test]
    fn every_zone_is_found_by_its_own_name() {
        for name in tz::db().available() {
            let zone = TimeZone::get(&name.to_string()).unwrap();
            assert_eq!(zone.iana_name(), Some(name.as_str()));
        }
    }
}
