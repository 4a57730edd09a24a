//! Calling hours: when customers may be called (SPEC §3, "hours").
//!
//! open(t) is a question about the local time of t: it holds when that time is in the union of the
//! windows, start included, end not. So a gap shortens a window, and a repeated hour is open twice
//! if its local times are. Special days have windows of their own in place of the ordinary ones; a
//! window belongs to the date it starts on, so one that crosses midnight goes on into a closed day.
//! The zone is resolved when the value is built, never looked up later.

use std::fmt;

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{days::Days, phone::E164, region, zone::ContactZone};

const MINUTES_PER_DAY: u16 = 24 * 60;

/// The gate closes this long before a window or a campaign does, so that no INVITE leaves at or
/// after its end (SPEC §3).
pub const CLOSES_BEFORE: SignedDuration = SignedDuration::from_secs(1);

/// How many days' edges are looked at in one go.
const DAYS_AHEAD: i64 = 8;

/// How many days [`CallingHours::next_open`] looks ahead: ten years, as special days may close long
/// stretches.
const CLOSED_DAYS_MAX: i64 = 3660;

/// How many days after today's [`CallingHours::next_open`] looks at first, as hours mostly open today.
const FIRST_DAYS: i64 = 0;

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

/// Windows in the order of the day, those that adjoin as one.
#[must_use]
pub fn joined(windows: &[Window]) -> Vec<Window> {
    let mut sorted = windows.to_vec();
    sorted.sort();
    let mut joined: Vec<Window> = Vec::new();
    for window in sorted {
        match joined.last_mut().filter(|last| last.end == window.start) {
            Some(last) => last.end = window.end,
            None => joined.push(window),
        }
    }
    joined
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
    contact_zone: bool,
    windows: Vec<Window>,
    special: Vec<Special>,
}

/// Days with windows of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// Which days.
    pub days: Days,
    /// Their windows in place of the ordinary ones; none when they are closed.
    pub windows: Vec<Window>,
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
        no_overlap(&windows)?;
        Ok(Self { timezone: timezone.to_owned(), zone, contact_zone: false, windows, special: Vec::new() })
    }

    /// Gives days windows of their own; of several entries that match a date the last one counts.
    pub fn with_special(mut self, special: Vec<Special>) -> Result<Self, CallingHoursError> {
        special.iter().try_for_each(|special| no_overlap(&special.windows))?;
        self.special = special;
        Ok(self)
    }

    /// Makes the contact's own zone govern, and the given one only where that is unknown.
    #[must_use]
    pub fn in_contact_zone(mut self) -> Self {
        self.contact_zone = true;
        self
    }

    /// Whether each contact's own zone governs.
    #[must_use]
    pub fn is_in_contact_zone(&self) -> bool {
        self.contact_zone
    }

    /// The IANA name of the governing zone; where contacts' own zones govern, that of the fallback.
    #[must_use]
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// The ordinary windows, as written.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Days with windows of their own, as written.
    #[must_use]
    pub fn special(&self) -> &[Special] {
        &self.special
    }

    /// The windows that start on a date.
    #[must_use]
    pub fn windows_of(&self, date: Date) -> &[Window] {
        let special = self.special.iter().rev().find(|special| special.days.contains(date));
        special.map_or(&self.windows, |special| &special.windows)
    }

    /// Minutes from the first opening to the last close of the longest day, special days included.
    #[must_use]
    pub fn longest_day(&self) -> u16 {
        let day = |windows: &[Window]| {
            let first = windows.iter().map(|window| window.start).min().unwrap_or_default();
            windows.iter().map(|window| window.end).max().unwrap_or_default() - first
        };
        self.special.iter().map(|special| day(&special.windows)).fold(day(&self.windows), u16::max)
    }

    /// The hours in the zone of the campaign's file, the fallback where contacts' own zones govern.
    #[must_use]
    pub fn at_home(&self) -> ZonedHours<'_> {
        ZonedHours { hours: self, zone: &self.zone }
    }

    /// The hours as they stand for one number: in the customer's own zone if that governs and is
    /// known, else in the number's if its region has but one, else at home (SPEC §1.2,
    /// `calling_hours.timezone`).
    #[must_use]
    pub fn governing<'a>(&'a self, own: Option<&'a ContactZone>, number: &E164) -> ZonedHours<'a> {
        if !self.contact_zone {
            return self.at_home();
        }
        let zone = own.or_else(|| region::zone_of(number)).map_or(&self.zone, ContactZone::zone);
        ZonedHours { hours: self, zone }
    }

    /// The hours in another zone.
    #[must_use]
    pub fn in_zone<'a>(&'a self, zone: &'a ContactZone) -> ZonedHours<'a> {
        ZonedHours { hours: self, zone: zone.zone() }
    }

    /// Whether customers may be called at `t`, at home.
    #[must_use]
    pub fn is_open(&self, t: Timestamp) -> bool {
        self.at_home().is_open(t)
    }

    /// The calendar date at `t`, at home.
    #[must_use]
    pub fn local_date(&self, t: Timestamp) -> Date {
        self.at_home().local_date(t)
    }

    /// First instant of the calendar date after that of `t`, at home.
    #[must_use]
    pub fn next_day_starts(&self, t: Timestamp) -> Timestamp {
        self.at_home().next_day_starts(t)
    }

    /// The first instant at or after `t` at which hours are open at home; `None` if they stay closed
    /// for ten years.
    #[must_use]
    pub fn next_open(&self, t: Timestamp) -> Option<Timestamp> {
        self.at_home().next_open(t)
    }

    /// The first instant after `t` at which hours are closed at home; `None` if they do not close
    /// within a week.
    #[must_use]
    pub fn closes_at(&self, t: Timestamp) -> Option<Timestamp> {
        self.at_home().closes_at(t)
    }
}

/// Calling hours in the zone that governs a number.
#[derive(Debug, Clone, Copy)]
pub struct ZonedHours<'a> {
    hours: &'a CallingHours,
    zone: &'a TimeZone,
}

impl ZonedHours<'_> {
    /// The IANA name of the governing zone.
    #[must_use]
    pub fn timezone(&self) -> &str {
        self.zone.iana_name().unwrap_or(&self.hours.timezone)
    }

    /// Whether the gate lets calls through at `t`: hours are open, and still are a second later (SPEC
    /// §3, "hours").
    #[must_use]
    pub fn lets_through(&self, t: Timestamp) -> bool {
        self.is_open(t) && self.is_open(soon(t))
    }

    /// The first instant at or after `t` at which the gate lets calls through; `None` if hours stay
    /// closed for ten years.
    #[must_use]
    pub fn next_through(&self, t: Timestamp) -> Option<Timestamp> {
        if self.lets_through(t) {
            return Some(t);
        }
        // A window that is about to close does not count as its own next opening.
        self.next_open(if self.is_open(t) { soon(t) } else { t })
    }

    /// Whether customers may be called at `t`.
    #[must_use]
    pub fn is_open(&self, t: Timestamp) -> bool {
        let local = self.zone.to_datetime(t);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let open = |date: Date, minute: u16| {
            self.hours.windows_of(date).iter().any(|window| (window.start..window.end).contains(&minute))
        };
        let today = local.date();
        open(today, minute) || today.yesterday().is_ok_and(|date| open(date, minute + MINUTES_PER_DAY))
    }

    /// The instant of a local time of the governing zone, the earlier of two; `None` for one that clocks skip.
    #[must_use]
    pub fn instant_of(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        ambiguous.earlier().ok()
    }

    /// The calendar date at `t` in the governing zone.
    #[must_use]
    pub fn local_date(&self, t: Timestamp) -> Date {
        self.zone.to_datetime(t).date()
    }

    /// The first instant after `t` of a later calendar date. Where clocks go back over midnight, a date is over
    /// twice, and the end that is ahead counts.
    #[must_use]
    pub fn next_day_starts(&self, t: Timestamp) -> Timestamp {
        let today = self.local_date(t);
        let Ok(tomorrow) = today.tomorrow() else { return Timestamp::MAX };
        let midnights: Vec<Timestamp> = self.readings(tomorrow, 0).collect();
        let last = midnights.iter().copied().max().unwrap_or(t);
        let changes = self.zone.following(t).map(|change| change.timestamp()).take_while(|at| *at <= last);
        let starts = midnights.iter().copied().chain(changes).filter(|&at| at > t && self.local_date(at) > today);
        starts.min().unwrap_or(Timestamp::MAX)
    }

    /// The first instant at or after `t` at which hours are open; `None` if they stay closed for ten
    /// years.
    #[must_use]
    pub fn next_open(&self, t: Timestamp) -> Option<Timestamp> {
        if self.is_open(t) {
            return Some(t);
        }
        let today = self.local_date(t);
        let later = (0..CLOSED_DAYS_MAX / DAYS_AHEAD).map(|n| (FIRST_DAYS + n * DAYS_AHEAD, DAYS_AHEAD));
        std::iter::once((0, FIRST_DAYS)).chain(later).find_map(|(first, days)| {
            let mut edges = self.edges(today.saturating_add(Span::new().days(first)), days, t);
            edges.sort_unstable();
            edges.into_iter().find(|&edge| self.is_open(edge))
        })
    }

    /// The first instant after `t` at which hours are closed; `None` if they do not close within a
    /// week.
    #[must_use]
    pub fn closes_at(&self, t: Timestamp) -> Option<Timestamp> {
        if !self.is_open(t) {
            return Some(t);
        }
        let mut edges = self.edges(self.local_date(t), DAYS_AHEAD, t);
        edges.sort_unstable();
        edges.into_iter().find(|&edge| !self.is_open(edge))
    }

    /// Every instant after `t` at which open(t) may change, from the day before `from` for so many
    /// days and one more: window ends in both readings of a repeated hour and the zone's own transitions.
    fn edges(&self, from: Date, days: i64, t: Timestamp) -> Vec<Timestamp> {
        let dates = (-1..=days).map(|days| from.saturating_add(Span::new().days(days)));
        let mut edges: Vec<Timestamp> = Vec::new();
        for date in dates {
            for window in self.hours.windows_of(date) {
                for minute in [window.start, window.end] {
                    edges.extend(self.readings(date, minute));
                }
            }
        }
        let midnight = |date: Date| self.readings(date, 0).next().unwrap_or(Timestamp::MAX);
        let (start, end) = (midnight(from).max(t), midnight(from.saturating_add(Span::new().days(days + 1))));
        let transitions = self.zone.following(start).map(|change| change.timestamp());
        edges.extend(transitions.take_while(|&at| at <= end));
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

/// A second after `t`.
fn soon(t: Timestamp) -> Timestamp {
    t.saturating_add(CLOSES_BEFORE).unwrap_or(Timestamp::MAX)
}

fn no_overlap(windows: &[Window]) -> Result<(), CallingHoursError> {
    for (i, a) in windows.iter().enumerate() {
        if let Some(j) = windows[i + 1..].iter().position(|b| a.overlaps(*b)) {
            return Err(CallingHoursError::Overlap(i, i + 1 + j));
        }
    }
    Ok(())
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
    fn a_gap_of_tomorrow_opens_a_window_that_starts_in_it() {
        // New York 2031-03-09: 02:00 -> 03:00. Asked the evening before, a day of edges is looked at.
        let gap = hours("America/New_York", &["02:01-03:02"]);
        assert_eq!(gap.next_open(at("2031-03-08T19:00:00-05:00")), Some(at("2031-03-09T07:00:00Z")));
    }

    #[test]
    fn a_day_that_is_repeated_ends_for_the_second_time() {
        // Goose Bay 2009-11-01, 00:01 -> 2009-10-31, 23:01.
        let [goose_bay, apia] = ["America/Goose_Bay", "Pacific/Apia"].map(|zone| hours(zone, &["00:00-24:00"]));
        let (first, second) = (at("2009-11-01T00:00:00-03:00"), at("2009-11-01T00:00:00-04:00"));
        assert_eq!(goose_bay.next_day_starts(at("2009-10-31T23:30:00-03:00")), first);
        assert_eq!(goose_bay.next_day_starts(at("2009-10-31T23:30:00-04:00")), second);
        // Samoa had no 2011-12-30.
        assert_eq!(apia.next_day_starts(at("2011-12-29T12:00:00-10:00")), at("2011-12-31T00:00:00+14:00"));
    }

    #[test]
    fn the_whole_day_never_closes() {
        let always = hours("Europe/Berlin", &["00:00-24:00"]);
        assert_eq!(always.closes_at(at("2031-03-30T00:00:00Z")), None);
    }

    fn special(hours: CallingHours, special: &[(Days, &[&str])]) -> CallingHours {
        let special = special.iter().map(|(days, windows)| Special {
            days: days.clone(),
            windows: windows.iter().map(|w| Window::parse(w).unwrap()).collect(),
        });
        hours.with_special(special.collect()).unwrap()
    }

    fn dates(text: &str) -> Days {
        Days { dates: vec![crate::domain::days::DateRange::parse(text).unwrap()], ..Days::default() }
    }

    #[test]
    fn the_last_special_entry_that_matches_counts_and_may_close_the_day() {
        let hours = special(
            hours("Asia/Shanghai", &["09:00-18:00"]),
            &[(dates("2031-03-08/2031-03-31"), &[]), (dates("2031-03-11"), &["13:00-15:00"])],
        );
        assert_eq!(hours.closes_at(at("2031-03-07T17:00:00+08:00")), Some(at("2031-03-07T18:00:00+08:00")));
        assert_eq!(hours.next_open(at("2031-03-07T18:00:00+08:00")), Some(at("2031-03-11T13:00:00+08:00")));
        // Over more than one stretch of days.
        assert_eq!(hours.next_open(at("2031-03-11T15:00:00+08:00")), Some(at("2031-04-01T09:00:00+08:00")));
    }

    #[test]
    fn a_window_goes_on_into_a_closed_day_as_it_belongs_to_the_day_it_starts_on() {
        let night = special(hours("Europe/Berlin", &["22:00-02:00"]), &[(dates("2031-03-08"), &[])]);
        assert_eq!(night.closes_at(at("2031-03-07T23:00:00+01:00")), Some(at("2031-03-08T02:00:00+01:00")));
        assert_eq!(night.next_open(at("2031-03-08T02:00:00+01:00")), Some(at("2031-03-09T22:00:00+01:00")));
    }

    #[test]
    fn closed_for_good() {
        let closed = special(hours("Europe/Berlin", &["09:00-18:00"]), &[(dates("2000-01-01/2099-12-31"), &[])]);
        assert_eq!(closed.next_open(at("2031-03-08T02:00:00Z")), None);
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
