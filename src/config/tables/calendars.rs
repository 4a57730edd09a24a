//! `shared/calendars.toml`.

use serde_json::Value as Json;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        effective::Setting,
        kinds::{
            days::{DateRange, DayOfWeek, YearlyRange},
            list::List,
            text::{Slug, Text},
        },
        read::{At, Kind, Reader},
        syntax::Node,
        table::table,
    },
    domain::ids::CalendarId,
};

table! {
    /// Calendars of special days, such as public holidays; a campaign says what its hours are on them.
    pub(crate) struct CalendarsFile "the file of calendars" {
        /// One `[[calendars]]` for each.
        required calendars: List<Calendar, 1> => [
            { id = "public-holidays", name = "Public holidays", yearly = ["10-01/10-07"] }
        ],
    }
}

table! {
    /// A calendar: every day that any of its lists names.
    pub(crate) struct CalendarTable "a calendar" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<CalendarId> => "public-holidays",
        /// Shown to people; 1 to 100 characters, unique.
        required name: Text<1, 100> => "Public holidays",
        /// Days of the week: `mon` to `sun`.
        default(Vec::new()) weekdays: List<DayOfWeek, 0> => ["sat", "sun"],
        /// Dates, each one day or the first and the last of several.
        default(Vec::new()) dates: List<DateRange, 0> => ["2031-03-04", "2031-05-01/2031-05-05"],
        /// Days of every year, each one day or the first and the last of several; they may run over the new year.
        default(Vec::new()) yearly: List<YearlyRange, 0> => ["10-01/10-07", "12-24/01-02"],
    }
}

/// A calendar that names a day.
pub(crate) struct Calendar;

impl Kind for Calendar {
    type Value = CalendarTable;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<CalendarTable> {
        let before = reader.faults;
        let table = CalendarTable::read(node, reader)?;
        let empty = table.weekdays.value.is_empty() && table.dates.value.is_empty() && table.yearly.value.is_empty();
        // What is wrong inside has been said.
        if empty && reader.faults == before {
            reader
                .error(Code::NoDays, Span::from(node.span()), "the calendar names no day")
                .label("holds no day")
                .help("add `weekdays`, `dates` or `yearly`");
        }
        Some(table)
    }

    fn schema() -> Json {
        CalendarTable::schema()
    }

    fn show(value: &CalendarTable) -> Json {
        CalendarTable::show(value)
    }

    fn settings(key: &str, value: &At<CalendarTable>, settings: &mut Vec<Setting>) {
        CalendarTable::settings(key, value, settings);
    }
}
