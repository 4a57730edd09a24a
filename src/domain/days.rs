//! Days: a set of local dates, by weekday, by date and by the time of year (SPEC §1.2, special days).

use std::fmt;

use jiff::civil::{Date, Weekday};

/// Dates that have something in common: any of the three lists may name one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Days {
    /// On each of these days of the week.
    pub weekdays: Vec<Weekday>,
    /// In each of these ranges.
    pub dates: Vec<DateRange>,
    /// In each of these ranges, every year.
    pub yearly: Vec<YearlyRange>,
}

impl Days {
    /// Whether `date` is one of them.
    #[must_use]
    pub fn contains(&self, date: Date) -> bool {
        self.weekdays.contains(&date.weekday())
            || self.dates.iter().any(|range| range.contains(date))
            || self.yearly.iter().any(|range| range.contains(date))
    }

    /// Whether nothing names a date.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weekdays.is_empty() && self.dates.is_empty() && self.yearly.is_empty()
    }
}

/// Why a text is not a date, a day of the year or a range of either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DaysError {
    /// Not `YYYY-MM-DD`, nor two of them.
    #[error("expected \"YYYY-MM-DD\" or \"YYYY-MM-DD/YYYY-MM-DD\"")]
    DateForm,
    /// Not `MM-DD`, nor two of them.
    #[error("expected \"MM-DD\" or \"MM-DD/MM-DD\"")]
    YearlyForm,
    /// The form is right, and the calendar has no such day.
    #[error("the calendar has no {0}")]
    NoSuchDay(String),
    /// The range ends before it starts.
    #[error("the last day comes before the first")]
    Backwards,
}

/// Dates from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateRange {
    first: Date,
    last: Date,
}

impl DateRange {
    /// Parses `2031-03-04` or `2031-05-01/2031-05-05`.
    pub fn parse(text: &str) -> Result<Self, DaysError> {
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        let (first, last) = (date(first)?, date(last)?);
        if last < first { Err(DaysError::Backwards) } else { Ok(Self { first, last }) }
    }

    /// The first date of it.
    #[must_use]
    pub fn first(self) -> Date {
        self.first
    }

    /// The last date of it.
    #[must_use]
    pub fn last(self) -> Date {
        self.last
    }

    /// Whether `date` lies in it.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first == self.last { Ok(()) } else { write!(f, "/{}", self.last) }
    }
}

/// A day of any year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthDay {
    month: i8,
    day: i8,
}

impl MonthDay {
    /// The day that `date` is in its year.
    #[must_use]
    pub fn of(date: Date) -> Self {
        Self { month: date.month(), day: date.day() }
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

/// Days of every year from one to another, both included; one that ends before it starts runs over
/// the new year. 29 February is a day of leap years only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct YearlyRange {
    first: MonthDay,
    last: MonthDay,
}

impl YearlyRange {
    /// Parses `10-01`, `10-01/10-07` or `12-24/01-02`.
    pub fn parse(text: &str) -> Result<Self, DaysError> {
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        Ok(Self { first: month_day(first)?, last: month_day(last)? })
    }

    /// The first day of it.
    #[must_use]
    pub fn first(self) -> MonthDay {
        self.first
    }

    /// The last day of it; before the first if it runs over the new year.
    #[must_use]
    pub fn last(self) -> MonthDay {
        self.last
    }

    /// Whether `date` lies in it.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        let day = MonthDay::of(date);
        if self.first <= self.last {
            (self.first..=self.last).contains(&day)
        } else {
            day >= self.first || day <= self.last
        }
    }
}

impl fmt::Display for YearlyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first == self.last { Ok(()) } else { write!(f, "/{}", self.last) }
    }
}

/// The date that `YYYY-MM-DD` names.
fn date(text: &str) -> Result<Date, DaysError> {
    let [year, month, day] = numbers(text, [4, 2, 2]).ok_or(DaysError::DateForm)?;
    let no_such_day = || DaysError::NoSuchDay(text.to_owned());
    let narrow = |number| i8::try_from(number).map_err(|_| no_such_day());
    Date::new(year, narrow(month)?, narrow(day)?).map_err(|_| no_such_day())
}

/// The day that `MM-DD` names, of some year.
fn month_day(text: &str) -> Result<MonthDay, DaysError> {
    /// Any leap year has every day that a year can have.
    const LEAP_YEAR: i16 = 2000;
    let [month, day] = numbers(text, [2, 2]).ok_or(DaysError::YearlyForm)?;
    let no_such_day = || DaysError::NoSuchDay(text.to_owned());
    let narrow = |number| i8::try_from(number).map_err(|_| no_such_day());
    Date::new(LEAP_YEAR, narrow(month)?, narrow(day)?).map(MonthDay::of).map_err(|_| no_such_day())
}

/// Numbers of so many digits each, with `-` between them.
fn numbers<const N: usize>(text: &str, digits: [usize; N]) -> Option<[i16; N]> {
    let mut parts = text.split('-');
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = if plain { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_both_ends() {
        let range = DateRange::parse("2031-05-01/2031-05-05").unwrap();
        for (date, expected) in
            [("2031-04-30", false), ("2031-05-01", true), ("2031-05-05", true), ("2031-05-06", false)]
        {
            assert_eq!(range.contains(day(date)), expected, "{date}");
        }
        assert!(DateRange::parse("2031-03-04").unwrap().contains(day("2031-03-04")));
    }

    #[test]
    fn a_yearly_range_may_run_over_the_new_year() {
        let range = YearlyRange::parse("12-24/01-02").unwrap();
        for (date, expected) in
            [("2031-12-23", false), ("2031-12-24", true), ("2032-01-02", true), ("2032-01-03", false)]
        {
            assert_eq!(range.contains(day(date)), expected, "{date}");
        }
    }

    #[test]
    fn the_leap_day_is_in_leap_years_only() {
        let range = YearlyRange::parse("02-29").unwrap();
        assert!(range.contains(day("2032-02-29")));
        assert!(!range.contains(day("2031-02-28")) && !range.contains(day("2031-03-01")));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let no_such_day = |text: &str| DaysError::NoSuchDay(text.to_owned());
        for (text, error) in [
            ("", DaysError::DateForm),
            ("2031-3-4", DaysError::DateForm),
            ("20310304", DaysError::DateForm),
            ("+031-03-04", DaysError::DateForm),
            ("2031-03-04-05", DaysError::DateForm),
            ("2031-05-01/", DaysError::DateForm),
            ("2031-05-01/2031-05-05/2031-05-06", DaysError::DateForm),
            ("2031-02-29", no_such_day("2031-02-29")),
            ("2031-05-01/2031-13-05", no_such_day("2031-13-05")),
            ("2031-05-05/2031-05-01", DaysError::Backwards),
        ] {
            assert_eq!(DateRange::parse(text), Err(error), "{text:?}");
        }
        for (text, error) in [
            ("2031-10-01", DaysError::YearlyForm),
            ("1-1", DaysError::YearlyForm),
            ("02-30", no_such_day("02-30")),
            ("10-01/00-10", no_such_day("00-10")),
        ] {
            assert_eq!(YearlyRange::parse(text), Err(error), "{text:?}");
        }
    }

    /// Every date that the lists name in some years, by going from day to day.
    fn walked(days: &Days, from: Date, to: Date) -> BTreeSet<Date> {
        let mut named = BTreeSet::new();
        let all: Vec<Date> = from.series(jiff::ToSpan::day(1)).take_while(|date| *date <= to).collect();
        named.extend(all.iter().copied().filter(|date| days.weekdays.iter().any(|day| *day == date.weekday())));
        for range in &days.dates {
            named.extend(range.first().series(jiff::ToSpan::day(1)).take_while(|date| *date <= range.last()));
        }
        for range in &days.yearly {
            for year in from.year() - 1..=to.year() {
                // Day by day from the first to the next last; a year that lacks the first has a day after it.
                let starts: Vec<Date> = Date::new(year, 1, 1).unwrap().series(jiff::ToSpan::day(1)).take(366).collect();
                let Some(start) =
                    starts.into_iter().find(|date| date.year() == year && MonthDay::of(*date) >= range.first())
                else {
                    continue;
                };
                if range.first() <= range.last() && MonthDay::of(start) > range.last() {
                    continue;
                }
                let wraps = range.first() > range.last();
                let stop = start.series(jiff::ToSpan::day(1)).take_while(|date| {
                    let next_year = date.year() > year;
                    if wraps {
                        !next_year || MonthDay::of(*date) <= range.last()
                    } else {
                        !next_year && MonthDay::of(*date) <= range.last()
                    }
                });
                named.extend(stop);
            }
        }
        named.retain(|date| (from..=to).contains(date));
        named
    }

    fn some_date() -> impl Strategy<Value = Date> {
        (0_i64..1_500).prop_map(|n| day("2030-11-01").checked_add(jiff::ToSpan::days(n)).unwrap())
    }

    prop_compose! {
        fn some_days()(
            weekdays in proptest::collection::btree_set(0_i8..7, 0..3),
            dates in proptest::collection::vec((some_date(), 0_i64..40), 0..4),
            yearly in proptest::collection::vec((some_date(), some_date()), 0..3),
        ) -> Days {
            Days {
                weekdays: weekdays.into_iter().map(|n| Weekday::from_monday_zero_offset(n).unwrap()).collect(),
                dates: dates.into_iter().map(|(first, more)| {
                    let last = first.checked_add(jiff::ToSpan::days(more)).unwrap();
                    DateRange::parse(&format!("{first}/{last}")).unwrap()
                }).collect(),
                yearly: yearly.into_iter().map(|(first, last)| {
                    YearlyRange::parse(&format!("{}/{}", MonthDay::of(first), MonthDay::of(last))).unwrap()
                }).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn days_are_those_that_a_walk_finds(days in some_days()) {
            let (from, to) = (day("2030-11-01"), day("2035-02-01"));
            let found: BTreeSet<Date> =
                from.series(jiff::ToSpan::day(1)).take_while(|date| *date <= to).filter(|d| days.contains(*d)).collect();
            prop_assert_eq!(found, walked(&days, from, to));
        }

        #[test]
        fn what_is_shown_is_parsed_again(days in some_days()) {
            for range in days.dates {
                prop_assert_eq!(DateRange::parse(&range.to_string()), Ok(range));
            }
            for range in days.yearly {
                prop_assert_eq!(YearlyRange::parse(&range.to_string()), Ok(range));
            }
        }
    }
}
