//! Calling hours: windows, special days and whose zone governs.

use super::Campaigns;
use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        items::values,
        kinds::time::{Governing, NamedZone},
        load::InFile,
        read::At,
        tables::campaign::{CallingHoursTable, SpecialTable},
        windows,
    },
    domain::{
        calendar::{CallingHours, Special, Window},
        days::Days,
    },
};

impl Campaigns<'_, '_> {
    pub(super) fn calling_hours(&mut self, file: usize, table: CallingHoursTable) -> Option<CallingHours> {
        let windows = table.windows.map(|windows| self.windows(file, windows.value));
        let fallback = table.fallback_timezone;
        let unclear = table.unclear.has("fallback_timezone");
        let zone = table.timezone.and_then(|zone| self.zone(file, zone, fallback, unclear));
        let special: Vec<Option<Special>> =
            table.special.value.into_iter().map(|special| self.special(file, special)).collect();
        let special: Option<Vec<Special>> = special.into_iter().collect();
        let (zone, in_contact_zone) = zone?;
        let hours = CallingHours::new(&zone.name, zone.zone, windows?).ok()?.with_special(special?).ok()?;
        Some(if in_contact_zone { hours.in_contact_zone() } else { hours })
    }

    fn windows(&mut self, file: usize, windows: Vec<At<Window>>) -> Vec<Window> {
        windows::apart(file, &windows, self.commit);
        values(windows)
    }

    /// The zone that the hours are computed in, and whether contacts' own zones go before it; `unclear` if the fallback
    /// may be there and can't be read.
    fn zone(
        &mut self,
        file: usize,
        zone: At<Governing>,
        fallback: Option<At<NamedZone>>,
        unclear: bool,
    ) -> Option<(NamedZone, bool)> {
        match (zone.value, fallback) {
            (Governing::Zone(zone), None) => Some((zone, false)),
            (Governing::Contact, Some(fallback)) => Some((fallback.value, true)),
            (Governing::Contact, None) if unclear => None,
            (Governing::Contact, None) => {
                self.commit
                    .error(
                        Code::FallbackZone,
                        &InFile { file, value: zone.span },
                        "`timezone = \"contact\"` needs a `fallback_timezone`",
                    )
                    .label("not every customer's zone is known")
                    .help("add `fallback_timezone = \"Europe/Berlin\"` to `calling_hours`");
                None
            }
            (Governing::Zone(_), Some(fallback)) => {
                self.commit
                    .error(
                        Code::FallbackZone,
                        &InFile { file, value: fallback.span },
                        "`fallback_timezone` stands beside a fixed `timezone`",
                    )
                    .label("never used")
                    .help("leave it out, or write `timezone = \"contact\"`");
                None
            }
        }
    }

    fn special(&mut self, file: usize, special: At<SpecialTable>) -> Option<Special> {
        let At { value: table, span } = special;
        let place = InFile { file, value: span };
        let inline = table.weekdays.is_some() || table.dates.is_some() || table.yearly.is_some();
        let days = match (&table.calendar, inline) {
            (Some(calendar), false) => {
                let calendars = self.references.calendars;
                calendars.and_then(|known| known.refer(calendar, file, self.commit)).map(|found| found.days.clone())
            }
            (None, true) => Some(Days {
                weekdays: table.weekdays.map(|list| values(list.value).into_iter().collect()).unwrap_or_default(),
                dates: table.dates.map(|list| values(list.value)).unwrap_or_default(),
                yearly: table.yearly.map(|list| values(list.value)).unwrap_or_default(),
            }),
            (Some(_), true) => {
                self.special_fault(&place, "a special day names a `calendar` and days of its own", "two sets of days");
                None
            }
            (None, false) if table.unclear.has_any(&["calendar", "weekdays", "dates", "yearly"]) => None,
            (None, false) => {
                self.special_fault(&place, "a special day names no day", "which days?");
                None
            }
        };
        let closed = table.closed.value;
        let windows = match (table.windows, closed) {
            (Some(windows), false) => Some(self.windows(file, windows.value)),
            (None, true) => Some(Vec::new()),
            (Some(_), true) => {
                self.special_fault(&place, "a special day is closed and has windows", "one or the other");
                None
            }
            (None, false) if table.unclear.has_any(&["windows", "closed"]) => None,
            (None, false) => {
                self.special_fault(&place, "a special day has neither `windows` nor `closed = true`", "when, then?");
                None
            }
        };
        Some(Special { days: days?, windows: windows? })
    }

    fn special_fault(&mut self, place: &InFile<Option<Span>>, message: &str, label: &str) {
        self.commit.error(Code::SpecialDays, place, message).label(label).help(
            "write `calendar = \"…\"`, or any of `weekdays`, `dates` and `yearly`; and `windows` or `closed = true`",
        );
    }
}
