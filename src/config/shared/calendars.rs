//! The calendars of `shared/calendars.toml`.

use super::Defined;
use crate::{
    config::{
        items::{once, values},
        kinds::days::{DateRange, DayOfWeek, YearlyRange},
        load::{Commit, InFile},
        read::At,
        tables::calendars::{CalendarTable, CalendarsFile},
    },
    domain::{days::Days, special_days::Calendar},
};

/// Reads them.
pub(crate) fn calendars(file: InFile<CalendarsFile>, commit: &mut Commit<'_>) -> Defined<Calendar> {
    let InFile { file, value } = file;
    let mut calendars = Defined::begin(value.calendars.is_none());
    for At { value: calendar, .. } in value.calendars.map(|list| list.value).unwrap_or_default() {
        calendars.take_up(file, calendar.id.as_ref(), calendar.name.as_ref(), commit);
        calendars.put(definition(file, calendar, commit));
    }
    calendars
}

fn definition(file: usize, table: CalendarTable, commit: &mut Commit<'_>) -> Option<Calendar> {
    once::<DayOfWeek>(file, &table.weekdays.value, commit);
    once::<DateRange>(file, &table.dates.value, commit);
    once::<YearlyRange>(file, &table.yearly.value, commit);
    let days = Days {
        weekdays: values(table.weekdays.value),
        dates: values(table.dates.value),
        yearly: values(table.yearly.value),
    };
    Some(Calendar { id: table.id?.value, name: table.name?.value, days })
}
