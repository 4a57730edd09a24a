//! The calendars of `shared/calendars.toml`.

use std::collections::BTreeMap;

use super::Defined;
use crate::{
    config::{
        code::Code,
        kinds::days::{DateRange, DayOfWeek, YearlyRange},
        load::{Commit, InFile},
        read::{At, Kind},
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
    let days = Days {
        weekdays: unique::<DayOfWeek>(file, table.weekdays.value, commit),
        dates: unique::<DateRange>(file, table.dates.value, commit),
        yearly: unique::<YearlyRange>(file, table.yearly.value, commit),
    };
    Some(Calendar { id: table.id?.value, name: table.name?.value, days })
}

/// The items of a list, and a report of each that stands in it twice.
fn unique<K: Kind>(file: usize, items: Vec<At<K::Value>>, commit: &mut Commit<'_>) -> Vec<K::Value> {
    let mut seen = BTreeMap::new();
    for item in &items {
        let text = K::show(&item.value).to_string();
        let message = || format!("{text} stands twice in this list");
        commit.unique(Code::Repeated, &mut seen, &text, InFile { file, value: item.span }, message);
    }
    items.into_iter().map(|item| item.value).collect()
}
