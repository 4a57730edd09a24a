//! Counts of calls: by quarters of an hour, from which days and hours of any zone are made.

use std::{collections::BTreeMap, ops::AddAssign, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Seconds of a quarter of an hour: every zone that is in use is off from UTC by some of these.
const SECONDS: i64 = 900;

/// Hours of a day.
pub const HOURS: usize = 24;

/// A quarter of an hour, counted from 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quarter(i64);

impl Quarter {
    /// Microseconds of one.
    pub const MICROS: i64 = SECONDS * 1_000_000;

    /// The one with this number.
    #[must_use]
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }

    /// The one in which `at` lies.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_microsecond().div_euclid(Self::MICROS))
    }

    /// The one that begins at `at`, if one does.
    #[must_use]
    pub fn beginning(at: Timestamp) -> Option<Self> {
        let begins = at.as_nanosecond().rem_euclid(i128::from(Self::MICROS) * 1_000) == 0;
        begins.then(|| Self::of(at))
    }

    /// When it begins.
    #[must_use]
    pub fn begins_at(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(SECONDS)).unwrap_or(Timestamp::MAX)
    }
}

/// From which quarter on, and before which; `None` for as far as there are calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first that counts.
    pub from: Option<Quarter>,
    /// The first that counts no more.
    pub to: Option<Quarter>,
}

impl Span {
    /// Whether it has a quarter.
    #[must_use]
    pub fn has(self, quarter: Quarter) -> bool {
        self.from.is_none_or(|from| quarter >= from) && self.to.is_none_or(|to| quarter < to)
    }
}

/// Calls that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// How many.
    pub attempts: u64,
    /// Those in which customer and agent heard each other.
    pub connected: u64,
    /// How long they did, all together.
    pub talked: Duration,
}

impl Calls {
    /// One call, connected for so long if it was.
    #[must_use]
    pub fn one(talked: Option<Duration>) -> Self {
        Self { attempts: 1, connected: u64::from(talked.is_some()), talked: talked.unwrap_or_default() }
    }
}

impl AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.connected += other.connected;
        self.talked += other.talked;
    }
}

/// Calls by the local day on which they were placed.
#[must_use]
pub fn by_day(quarters: &BTreeMap<Quarter, Calls>, zone: &TimeZone) -> BTreeMap<Date, Calls> {
    let mut days: BTreeMap<Date, Calls> = BTreeMap::new();
    for (quarter, calls) in quarters {
        *days.entry(zone.to_datetime(quarter.begins_at()).date()).or_default() += *calls;
    }
    days
}

/// Calls by the local hour of the day in which they were placed.
#[must_use]
pub fn by_hour(quarters: &BTreeMap<Quarter, Calls>, zone: &TimeZone) -> [Calls; HOURS] {
    let mut hours = [Calls::default(); HOURS];
    for (quarter, calls) in quarters {
        let hour = usize::from(zone.to_datetime(quarter.begins_at()).hour().unsigned_abs());
        if let Some(counted) = hours.get_mut(hour) {
            *counted += *calls;
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn quarters_begin_on_the_quarter() {
        let quarter = Quarter::of(at("2031-03-01T02:14:59.999999Z"));
        assert_eq!(quarter.begins_at(), at("2031-03-01T02:00:00Z"));
        assert_eq!(Quarter::beginning(at("2031-03-01T02:15:00Z")).map(Quarter::number), Some(quarter.number() + 1));
        assert_eq!(Quarter::beginning(at("2031-03-01T02:15:00.000001Z")), None);
        assert_eq!(Quarter::beginning(at("2031-03-01T02:15:00.000000001Z")), None);
        assert_eq!(Quarter::of(at("1969-12-31T23:59:59Z")).number(), -1);
        let span = Span { from: Some(quarter), to: Some(Quarter::new(quarter.number() + 1)) };
        assert!(span.has(quarter) && !span.has(Quarter::new(quarter.number() + 1)));
    }

    /// Kathmandu is 5:45 ahead of UTC, and in Berlin a night has the hour from 2 to 3 twice.
    #[test]
    fn days_and_hours_are_of_the_zone() {
        let calls = |text| (Quarter::of(at(text)), Calls::one(Some(Duration::from_secs(60))));
        let quarters = BTreeMap::from([calls("2031-03-01T18:00:00Z"), calls("2031-03-01T18:15:00Z")]);
        let nepal = TimeZone::get("Asia/Kathmandu").unwrap();
        let days: Vec<String> = by_day(&quarters, &nepal).keys().map(ToString::to_string).collect();
        assert_eq!(days, ["2031-03-01", "2031-03-02"]);
        let hours = by_hour(&quarters, &nepal);
        assert_eq!((hours[23].attempts, hours[0].attempts), (1, 1));
        let twice = BTreeMap::from([calls("2031-10-26T00:30:00Z"), calls("2031-10-26T01:30:00Z")]);
        let hours = by_hour(&twice, &TimeZone::get("Europe/Berlin").unwrap());
        let sum = Calls { attempts: 2, connected: 2, talked: Duration::from_secs(120) };
        assert_eq!(hours[2], sum);
    }
}
