//! Calling hours said again in whole seconds: a day is a number, a window a range, a zone a list of
//! offsets. Nothing here knows of the product or of a library for time.

/// Whole seconds since 1970 in UTC.
pub(super) type Second = i64;

/// Days since 1970-01-01.
pub(super) type Day = i64;

const DAY: Second = 86_400;

/// How far the hours of [`Plain::open`] are looked ahead and back, in days.
const AROUND: Day = 11;

/// What a zone's clocks are set to, over the years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course {
    first: Second,
    /// From when, and to what.
    changes: Vec<(Second, Second)>,
}

impl Course {
    pub(super) fn new(first: Second) -> Self {
        Self { first, changes: Vec::new() }
    }

    /// Adds a change after all others.
    pub(super) fn change(&mut self, at: Second, offset: Second) {
        self.changes.push((at, offset));
    }

    /// When it changes.
    pub(super) fn changes(&self) -> impl Iterator<Item = Second> {
        self.changes.iter().map(|(at, _)| *at)
    }

    pub(super) fn offset_at(&self, at: Second) -> Second {
        let changed = self.changes.partition_point(|(from, _)| *from <= at);
        changed.checked_sub(1).map_or(self.first, |last| self.changes[last].1)
    }

    /// Minutes from midnight on the clock.
    pub(super) fn minute_at(&self, at: Second) -> i64 {
        (at + self.offset_at(at)).rem_euclid(DAY) / 60
    }

    pub(super) fn day_at(&self, at: Second) -> Day {
        (at + self.offset_at(at)).div_euclid(DAY)
    }

    /// Stretches of one offset that make up `from..to`.
    fn stretches(&self, from: Second, to: Second) -> Vec<(Second, Second, Second)> {
        let inside = self.changes.iter().map(|(at, _)| *at).filter(|at| (from + 1..to).contains(at));
        let starts: Vec<Second> = std::iter::once(from).chain(inside).collect();
        let ends = starts[1..].iter().copied().chain([to]);
        starts.iter().zip(ends).map(|(start, end)| (*start, end, self.offset_at(*start))).collect()
    }

    /// The first second of a date after that of `at`.
    pub(super) fn next_day_starts(&self, at: Second) -> Second {
        let today = self.day_at(at);
        let later = |(start, end, offset): (Second, Second, Second)| {
            let first = start.max((today + 1) * DAY - offset);
            (first < end).then_some(first)
        };
        self.stretches(at, at + AROUND * DAY).into_iter().find_map(later).unwrap()
    }
}

/// Windows of minutes from midnight, and other ones for a day.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) windows: Vec<(i64, i64)>,
    pub(super) special: Option<(Day, Vec<(i64, i64)>)>,
}

impl Plain {
    /// When hours are open around `at`, as ranges of seconds that don't touch.
    pub(super) fn open(&self, course: &Course, at: Second) -> Open {
        let (from, to) = (at - AROUND * DAY, at + AROUND * DAY);
        let mut ranges: Vec<(Second, Second)> = Vec::new();
        for (start, end, offset) in course.stretches(from, to) {
            for day in (start + offset).div_euclid(DAY) - 1..=(end + offset).div_euclid(DAY) {
                let windows = self.special.as_ref().filter(|(special, _)| *special == day);
                for (opens, closes) in windows.map_or(&self.windows, |(_, windows)| windows) {
                    let second = |minute: &i64| (day * DAY + minute * 60 - offset).clamp(start, end);
                    ranges.push((second(opens), second(closes)));
                }
            }
        }
        ranges.retain(|(opens, closes)| opens < closes);
        ranges.sort_unstable();
        let mut open: Vec<(Second, Second)> = Vec::new();
        for (opens, closes) in ranges {
            match open.last_mut() {
                Some((_, last)) if *last >= opens => *last = closes.max(*last),
                _ => open.push((opens, closes)),
            }
        }
        Open { ranges: open, known_to: to }
    }
}

/// When hours are open.
pub(super) struct Open {
    ranges: Vec<(Second, Second)>,
    known_to: Second,
}

impl Open {
    fn range_of(&self, at: Second) -> Option<(Second, Second)> {
        self.ranges.iter().copied().find(|(opens, closes)| (*opens..*closes).contains(&at))
    }

    pub(super) fn is_open(&self, at: Second) -> bool {
        self.range_of(at).is_some()
    }

    /// The first open second from `at` on.
    pub(super) fn next_open(&self, at: Second) -> Option<Second> {
        self.ranges.iter().find(|(_, closes)| *closes > at).map(|(opens, _)| at.max(*opens))
    }

    /// The first closed second from `at` on; `None` if it is further than is known.
    pub(super) fn closes_at(&self, at: Second) -> Option<Second> {
        self.range_of(at).map_or(Some(at), |(_, closes)| (closes < self.known_to).then_some(closes))
    }

    /// The first second from `at` on that is open and whose next one is too.
    pub(super) fn next_through(&self, at: Second) -> Option<Second> {
        self.next_open(if self.is_open(at + 1) { at } else { at + 1 })
    }
}
