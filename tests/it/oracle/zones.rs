//! Which zone governs a number.

use jiff::tz::TimeZone;
use toml::Table;

use super::reading;

/// How a campaign finds the zone of a number.
pub(crate) enum Zone {
    /// The same for all.
    Fixed(TimeZone),
    /// Each contact's own, with a zone for those that are not known.
    Contact { fallback: TimeZone },
}

/// Countries that have one zone in the tz database's zone.tab, by their calling codes. Germany (+49: Berlin and
/// Busingen) and China (+86: Shanghai and Urumqi) have two, and what is not here is not known.
const ONE_ZONE: &[(&str, &str)] = &[
    ("+31", "Europe/Amsterdam"),
    ("+32", "Europe/Brussels"),
    ("+33", "Europe/Paris"),
    ("+353", "Europe/Dublin"),
    ("+39", "Europe/Rome"),
    ("+41", "Europe/Zurich"),
    ("+43", "Europe/Vienna"),
    ("+44", "Europe/London"),
    ("+45", "Europe/Copenhagen"),
    ("+46", "Europe/Stockholm"),
    ("+48", "Europe/Warsaw"),
    ("+65", "Asia/Singapore"),
    ("+81", "Asia/Tokyo"),
    ("+82", "Asia/Seoul"),
    ("+852", "Asia/Hong_Kong"),
    ("+886", "Asia/Taipei"),
    ("+91", "Asia/Kolkata"),
    ("+971", "Asia/Dubai"),
];

impl Zone {
    /// Reads `timezone` and `fallback_timezone` of `[calling_hours]`.
    pub(crate) fn read(hours: &Table) -> Self {
        match reading::required(hours, "timezone").as_str() {
            "contact" => Self::Contact { fallback: named(&reading::required(hours, "fallback_timezone")) },
            name => Self::Fixed(named(name)),
        }
    }

    /// SPEC §1.2: "the contact's own zone, else the dialled number's region if the tz database's zone.tab gives
    /// that one zone (China and Germany have two), else the fallback".
    pub(crate) fn governing(&self, own: Option<&str>, number: &str) -> TimeZone {
        match self {
            Self::Fixed(zone) => zone.clone(),
            Self::Contact { fallback } => own.or_else(|| of_region(number)).map_or_else(|| fallback.clone(), named),
        }
    }
}

fn of_region(number: &str) -> Option<&'static str> {
    ONE_ZONE.iter().find(|(code, _)| number.starts_with(code)).map(|(_, zone)| *zone)
}

fn named(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
