//! When a campaign may call: windows of local time, and days with windows of their own.

use std::collections::BTreeMap;

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use toml::Table;

use super::{Second, reading};

/// A window of local time, in minutes from midnight. One that ends at or before its start ends on the next day.
struct Window {
    start: i64,
    end: i64,
}

/// Days, by any of three ways to name them.
#[derive(Default)]
pub(crate) struct Days {
    weekdays: Vec<Weekday>,
    dates: Vec<(Date, Date)>,
    yearly: Vec<((i8, i8), (i8, i8))>,
}

/// Days whose windows replace the ordinary ones; none if they are closed.
struct Special {
    days: Days,
    windows: Vec<Window>,
}

/// The calling hours of a campaign, whatever the zone.
pub(crate) struct Hours {
    windows: Vec<Window>,
    special: Vec<Special>,
}

impl Window {
    fn read(text: &str) -> Self {
        let minute = |clock: &str| {
            let (hour, minute) = clock.split_once(':').expect("HH:MM");
            hour.parse::<i64>().expect("an hour") * 60 + minute.parse::<i64>().expect("a minute")
        };
        let (start, end) = text.split_once('-').expect("HH:MM-HH:MM");
        Self { start: minute(start), end: minute(end) }
    }

    fn is_overnight(&self) -> bool {
        self.end <= self.start
    }

    /// Whether `minute` of the day on which the window starts is in it.
    fn holds_on_its_day(&self, minute: i64) -> bool {
        minute >= self.start && (self.is_overnight() || minute < self.end)
    }

    /// Whether `minute` of the day after the one on which the window starts is in it.
    fn holds_on_the_next_day(&self, minute: i64) -> bool {
        self.is_overnight() && minute < self.end
    }
}

impl Days {
    /// Reads `weekdays`, `dates` and `yearly`.
    pub(crate) fn read(table: &Table) -> Self {
        let range = |text: &str| {
            let (first, last) = text.split_once('/').unwrap_or((text, text));
            (first.to_owned(), last.to_owned())
        };
        let month_and_day = |text: &str| {
            let (month, day) = text.split_once('-').expect("MM-DD");
            (month.parse().expect("a month"), day.parse().expect("a day"))
        };
        let ranges = |key| reading::texts(table, key).into_iter().map(move |text| range(&text));
        Self {
            weekdays: reading::texts(table, "weekdays").iter().map(|name| weekday(name)).collect(),
            dates: ranges("dates").map(|(first, last)| (reading::date(&first), reading::date(&last))).collect(),
            yearly: ranges("yearly").map(|(first, last)| (month_and_day(&first), month_and_day(&last))).collect(),
        }
    }

    fn hold(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        // READING: a yearly range whose end is before its start runs over the new year, as the calendars' do.
        let in_year = |(first, last): &((i8, i8), (i8, i8))| match first <= last {
            true => *first <= day && day <= *last,
            false => *first <= day || day <= *last,
        };
        self.weekdays.contains(&date.weekday())
            || self.dates.iter().any(|(first, last)| *first <= date && date <= *last)
            || self.yearly.iter().any(in_year)
    }
}

impl Hours {
    /// Reads `[calling_hours]`; `calendars` are the shared ones.
    pub(crate) fn read(table: &Table, calendars: &BTreeMap<String, Table>) -> Self {
        let windows = |table: &Table| reading::texts(table, "windows").iter().map(|text| Window::read(text)).collect();
        let special = |entry: &Table| Special {
            days: Days::read(reading::text(entry, "calendar").map_or(entry, |id| &calendars[&id])),
            windows: windows(entry),
        };
        Self { windows: windows(table), special: reading::tables(table, "special").iter().map(special).collect() }
    }

    /// SPEC §1.2: special days "replace the ordinary windows on those local dates; the last matching entry wins".
    fn windows_of(&self, date: Date) -> &[Window] {
        let special = self.special.iter().rev().find(|special| special.days.hold(date));
        special.map_or(&self.windows, |special| &special.windows)
    }

    /// SPEC §3: "hours | open(t) ⇔ the local time of t is in the union of the windows, start included, end not."
    /// §1.2: "`22:00-02:00` is allowed and belongs to the date it starts on".
    fn is_open(&self, at: Second, zone: &TimeZone) -> bool {
        // READING: windows are compared with the time on the wall. What the clock skips in spring is in no window,
        // and what it shows twice in autumn is in a window twice.
        let now = local(at, zone);
        let minute = i64::from(now.hour()) * 60 + i64::from(now.minute());
        let today = self.windows_of(now.date());
        let yesterday = self.windows_of(now.date().yesterday().expect("a date"));
        today.iter().any(|window| window.holds_on_its_day(minute))
            || yesterday.iter().any(|window| window.holds_on_the_next_day(minute))
    }

    /// SPEC §3: "hours | … The gate asks open(t) and open(t + 1 s)".
    pub(crate) fn admit(&self, at: Second, zone: &TimeZone) -> bool {
        self.is_open(at, zone) && self.is_open(at + 1, zone)
    }
}

fn local(at: Second, zone: &TimeZone) -> DateTime {
    zone.to_datetime(Timestamp::from_second(at).expect("an instant"))
}

/// SPEC §3: "the local day | calendar date in the zone that governs the dialled number's hours, fixed when the
/// intent is written".
pub(crate) fn local_day(at: Second, zone: &TimeZone) -> Date {
    local(at, zone).date()
}

/// The first instant of the day after `day`.
pub(crate) fn end_of_day(day: Date, zone: &TimeZone) -> Second {
    let next = day.checked_add(1.day()).expect("a date");
    zone.to_timestamp(next.at(0, 0, 0, 0)).expect("a time").as_second()
}

fn weekday(name: &str) -> Weekday {
    match name {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        other => panic!("no day of the week: {other}"),
    }
}
