//! Calling hours: when customers may be called (SPEC §3, "hours").
//!
//! open(t) is a question about the local time of t: it holds when that time is in the union of the
//! windows, start included, end not. So a gap shortens a window, and a repeated hour is open twice
//! if its local times are. The zone is resolved when the value is built, never looked up later.

use std::fmt;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

const MINUTES_PER_DAY: u16 = 24 * 60;

/// How far ahead [`CallingHours::next_open`] looks; every day has a window, so two would do.
const DAYS_AHEAD: i64 = 8;

/// One window of an ordinary day: `HH:MM-HH:MM`, start included, end not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Minutes from midnight, 0..1440.
    start: u16,
    /// Minutes from the midnight that `start` counts from; over 1440 when it ends the next day.
    end: u16,
}

/// Why a text is not a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not of the form.
    #[error("expected \"HH:MM-HH:MM\", for instance \"09:00-18:00\"")]
    Form,
    /// `start` is not a time of day.
    #[error("the start must be between 00:00 and 23:59")]
    Start,
    /// `end` is not a time of day or 24:00.
    #[error("the end must be between 00:00 and 24:00")]
    End,
    /// Start and end are the same.
    #[error("start and end are the same; write \"00:00-24:00\" for the whole day")]
    Empty,
}

impl Window {
    /// Parses `HH:MM-HH:MM`; an end at or before the start belongs to the next day.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        let (start, end) = text.split_once('-').ok_or(WindowError::Form)?;
        let start = minutes(start).ok_or(WindowError::Form)?;
        let end = minutes(end).ok_or(WindowError::Form)?;
        if start >= MINUTES_PER_DAY {
            return Err(WindowError::Start);
        }
        if end > MINUTES_PER_DAY {
            return Err(WindowError::End);
        }
        if start == end {
            return Err(WindowError::Empty);
        }
        let end = if end < start { end + MINUTES_PER_DAY } else { end };
        Ok(Self { start, end })
    }

    /// Whether both hold some minute of the week in common when repeated every day.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        [0, i32::from(MINUTES_PER_DAY), -i32::from(MINUTES_PER_DAY)].into_iter().any(|shift| {
            let (start, end) = (i32::from(other.start) + shift, i32::from(other.end) + shift);
            i32::from(self.start) < end && start < i32::from(self.end)
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.end > MINUTES_PER_DAY { self.end - MINUTES_PER_DAY } else { self.end };
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.start / 60, self.start % 60, end / 60, end % 60)
    }
}

/// Minutes of `HH:MM`, with both digits of each; hours up to 99 so that callers can say what is off.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

/// Calling hours of a campaign: at least one window, none overlapping, in one zone.
#[derive(Debug, Clone, PartialEq)]
pub struct CallingHours {
    timezone: String,
    zone: TimeZone,
    windows: Vec<Window>,
}

/// Why windows don't make calling hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallingHoursError {
    /// No window.
    #[error("needs at least one window")]
    NoWindow,
    /// Two windows share a minute.
    #[error("windows {0} and {1} overlap")]
    Overlap(usize, usize),
}

impl CallingHours {
    /// Joins windows and their zone; `timezone` is the IANA name that `zone` was found by.
    pub fn new(timezone: &str, zone: TimeZone, windows: Vec<Window>) -> Result<Self, CallingHoursError> {
        if windows.is_empty() {
            return Err(CallingHoursError::NoWindow);
        }
        for (i, a) in windows.iter().enumerate() {
            if let Some(j) = windows[i + 1..].iter().position(|b| a.overlaps(*b)) {
                return Err(CallingHoursError::Overlap(i, i + 1 + j));
            }
        }
        Ok(Self { timezone: timezone.to_owned(), zone, windows })
    }

    /// The IANA name of the governing zone.
    #[must_use]
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// The windows, as written.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Whether customers may be called at `t`.
    #[must_use]
    pub fn is_open(&self, t: Timestamp) -> bool {
        let local = self.zone.to_datetime(t);
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        self.windows.iter().any(|w| {
            let (start, end) = (i64::from(w.start), i64::from(w.end));
            (start..end).contains(&minute) || (start..end).contains(&(minute + i64::from(MINUTES_PER_DAY)))
        })
    }

    /// The calendar date at `t` in the governing zone.
    #[must_use]
    pub fn local_date(&self, t: Timestamp) -> Date {
        self.zone.to_datetime(t).date()
    }

    /// First instant of the calendar date after that of `t`.
    #[must_use]
    pub fn next_day_starts(&self, t: Timestamp) -> Timestamp {
        let midnight =
            self.local_date(t).tomorrow().map_or(DateTime::MAX, |d| d.to_datetime(jiff::civil::time(0, 0, 0, 0)));
        self.zone.to_ambiguous_timestamp(midnight).compatible().unwrap_or(Timestamp::MAX)
    }

    /// The first instant at or after `t` at which hours are open.
    #[must_use]
    pub fn next_open(&self, t: Timestamp) -> Option<Timestamp> {
        if self.is_open(t) {
            return Some(t);
        }
        self.edges(t).into_iter().filter(|&edge| self.is_open(edge)).min()
    }

    /// The first instant after `t` at which hours are closed; `None` if they never close.
    #[must_use]
    pub fn closes_at(&self, t: Timestamp) -> Option<Timestamp> {
        if !self.is_open(t) {
            return Some(t);
        }
        self.edges(t).into_iter().filter(|&edge| !self.is_open(edge)).min()
    }

    /// Every instant after `t`, for some days, at which open(t) may change: window ends in both
    /// readings of a repeated hour, and the zone's own transitions.
    fn edges(&self, t: Timestamp) -> Vec<Timestamp> {
        let horizon = t.saturating_add(SignedDuration::from_hours(24 * DAYS_AHEAD)).unwrap_or(Timestamp::MAX);
        let mut edges: Vec<Timestamp> =
            self.zone.following(t).map(|change| change.timestamp()).take_while(|&at| at <= horizon).collect();
        let today = self.local_date(t);
        for days in -1..=DAYS_AHEAD {
            let Ok(date) = today.checked_add(SignedDuration::from_hours(24 * days)) else { continue };
            for window in &self.windows {
                for minute in [window.start, window.end] {
                    edges.extend(self.readings(date, minute));
                }
            }
        }
        edges.retain(|&edge| edge > t);
        edges
    }

    /// Both instants of a local time; one where it is unique or skipped.
    fn readings(&self, date: Date, minute: u16) -> impl Iterator<Item = Timestamp> {
        let midnight = date.to_datetime(jiff::civil::time(0, 0, 0, 0));
        let local = midnight.checked_add(SignedDuration::from_mins(i64::from(minute))).unwrap_or(DateTime::MAX);
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        ambiguous.earlier().into_iter().chain(ambiguous.later())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(zone: &str, windows: &[&str]) -> CallingHours {
        let windows = windows.iter().map(|w| Window::parse(w).unwrap()).collect();
        CallingHours::new(zone, TimeZone::get(zone).unwrap(), windows).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_parse_or_say_why() {
        assert_eq!(Window::parse("09:00-18:00").unwrap().to_string(), "09:00-18:00");
        assert_eq!(Window::parse("22:00-02:00").unwrap().to_string(), "22:00-02:00");
        assert_eq!(Window::parse("00:00-24:00").unwrap().to_string(), "00:00-24:00");
        assert_eq!(Window::parse("9:00-18:00"), Err(WindowError::Form));
        assert_eq!(Window::parse("24:00-18:00"), Err(WindowError::Start));
        assert_eq!(Window::parse("09:00-24:01"), Err(WindowError::End));
        assert_eq!(Window::parse("09:60-10:00"), Err(WindowError::Form));
        assert_eq!(Window::parse("09:00-09:00"), Err(WindowError::Empty));
    }

    #[test]
    fn overlap_also_across_midnight() {
        let overlap = |a, b| Window::parse(a).unwrap().overlaps(Window::parse(b).unwrap());
        assert!(overlap("09:00-12:00", "11:59-13:00"));
        assert!(!overlap("09:00-12:00", "12:00-13:00"));
        assert!(overlap("22:00-02:00", "01:00-03:00"));
        assert!(!overlap("22:00-02:00", "02:00-03:00"));
    }

    #[test]
    fn start_included_end_not() {
        let hours = hours("Asia/Shanghai", &["09:00-11:30", "14:00-18:00"]);
        assert!(!hours.is_open(at("2031-03-03T08:59:59.999+08:00")));
        assert!(hours.is_open(at("2031-03-03T09:00:00+08:00")));
        assert!(!hours.is_open(at("2031-03-03T11:30:00+08:00")));
        assert_eq!(hours.next_open(at("2031-03-03T12:00:00+08:00")), Some(at("2031-03-03T14:00:00+08:00")));
        assert_eq!(hours.next_open(at("2031-03-03T18:00:00+08:00")), Some(at("2031-03-04T09:00:00+08:00")));
        assert_eq!(hours.closes_at(at("2031-03-03T09:00:00+08:00")), Some(at("2031-03-03T11:30:00+08:00")));
    }

    #[test]
    fn a_gap_shortens_a_window_and_a_fold_opens_it_twice() {
        // Berlin 2031-03-30: 02:00 -> 03:00. Window 02:30-04:00 opens at 03:00 local.
        let gap = hours("Europe/Berlin", &["02:30-04:00"]);
        assert_eq!(gap.next_open(at("2031-03-30T00:00:00Z")), Some(at("2031-03-30T01:00:00Z")));
        assert_eq!(gap.closes_at(at("2031-03-30T01:00:00Z")), Some(at("2031-03-30T02:00:00Z")));
        // Berlin 2031-10-26: 03:00 -> 02:00. Window 02:00-02:30 is open in both readings.
        let fold = hours("Europe/Berlin", &["02:00-02:30"]);
        assert_eq!(fold.next_open(at("2031-10-25T23:00:00Z")), Some(at("2031-10-26T00:00:00Z")));
        assert_eq!(fold.closes_at(at("2031-10-26T00:00:00Z")), Some(at("2031-10-26T00:30:00Z")));
        assert_eq!(fold.next_open(at("2031-10-26T00:30:00Z")), Some(at("2031-10-26T01:00:00Z")));
        assert_eq!(fold.next_open(at("2031-10-26T01:30:00Z")), Some(at("2031-10-27T01:00:00Z")));
    }

    #[test]
    fn the_whole_day_never_closes() {
        let always = hours("Europe/Berlin", &["00:00-24:00"]);
        assert_eq!(always.closes_at(at("2031-03-30T00:00:00Z")), None);
    }

    proptest! {
        /// Against a scan by the minute around both of a zone's transitions.
        #[test]
        fn next_open_and_closes_at_agree_with_a_scan(
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "America/Havana"]),
            start in 0_u16..1440, length in 1_u16..1440,
            from in prop::sample::select(vec!["2031-03-09T00:00:00Z", "2031-03-30T00:00:00Z", "2031-04-05T12:00:00Z", "2031-10-04T12:00:00Z", "2031-10-26T00:00:00Z", "2031-11-02T00:00:00Z"]),
            offset in 0_i64..1440,
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let hours = CallingHours::new("x", zone, vec![Window { start, end: start + length }]).unwrap();
            let from = at(from) + SignedDuration::from_mins(offset);
            let scan = |open: bool| (0..3 * 1440).map(|m| from + SignedDuration::from_mins(m)).find(|&t| hours.is_open(t) == open);
            prop_assert_eq!(hours.next_open(from), scan(true));
            let closes = hours.closes_at(from);
            match scan(false) {
                Some(t) => prop_assert_eq!(closes, Some(t)),
                None => prop_assert!(closes.is_none_or(|t| t > from + SignedDuration::from_hours(72))),
            }
        }
    }
}
