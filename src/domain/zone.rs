//! A contact's own time zone.

use jiff::tz::TimeZone;

/// An IANA zone of the tz database that is compiled in, found once; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactZone(TimeZone);

impl ContactZone {
    /// Finds a zone by its name as the database spells it, such as `Asia/Shanghai`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        // The database finds names in any letter case; one spelling is enough for files.
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }

    /// The name it was found by.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// The zone itself, for local times.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_zone_that_there_is() {
        let zone = ContactZone::parse("Australia/Lord_Howe").unwrap();
        assert_eq!(zone.name(), "Australia/Lord_Howe");
        assert_eq!(zone.zone(), &TimeZone::get("Australia/Lord_Howe").unwrap());
        for bad in ["", "asia/shanghai", "Asia/Peking", "+08:00", "Etc/Unknown", "local"] {
            assert_eq!(ContactZone::parse(bad), None, "{bad}");
        }
    }
}
