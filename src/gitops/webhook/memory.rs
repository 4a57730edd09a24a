//! What is remembered of calls: which have come, and how many in the last minute. Both are bounded.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Marks of calls that have come, the newest of them.
#[derive(Debug)]
pub(super) struct Seen {
    most: usize,
    marks: HashSet<[u8; 32]>,
    /// Oldest first: what each call was marked by.
    calls: VecDeque<Vec<[u8; 32]>>,
}

impl Seen {
    /// Remembers this many calls.
    pub(super) fn of(most: usize) -> Self {
        Self { most, marks: HashSet::new(), calls: VecDeque::new() }
    }

    pub(super) fn has_any(&self, marks: &[[u8; 32]]) -> bool {
        marks.iter().any(|mark| self.marks.contains(mark))
    }

    pub(super) fn add(&mut self, marks: Vec<[u8; 32]>) {
        self.marks.extend(&marks);
        self.calls.push_back(marks);
        if self.calls.len() > self.most {
            self.calls.pop_front().iter().flatten().for_each(|mark| {
                self.marks.remove(mark);
            });
        }
    }
}

/// What was taken in the last minute.
#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    /// When, oldest first.
    taken: VecDeque<Duration>,
}

impl Window {
    /// Takes this many in a minute.
    pub(super) fn of(most: u32) -> Self {
        Self { most: most as usize, taken: VecDeque::new() }
    }

    /// Takes one more, or says how long it would have to wait.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        while self.taken.front().is_some_and(|first| now.saturating_sub(*first) >= MINUTE) {
            self.taken.pop_front();
        }
        if let Some(first) = self.taken.front().filter(|_| self.taken.len() >= self.most) {
            return Err((*first + MINUTE).saturating_sub(now));
        }
        self.taken.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_is_forgotten_first() {
        let mut seen = Seen::of(2);
        for first in 0..4_u8 {
            let mark = [first; 32];
            assert!(!seen.has_any(&[mark]));
            seen.add(vec![mark, [first + 100; 32]]);
        }
        let known: Vec<bool> = (0..4).map(|first| seen.has_any(&[[9; 32], [first; 32]])).collect();
        assert_eq!(known, [false, false, true, true]);
        assert_eq!((seen.marks.len(), seen.calls.len()), (4, 2));
    }

    #[test]
    fn a_minute_holds_only_so_many() {
        let mut window = Window::of(2);
        let at = Duration::from_secs;
        assert_eq!(window.take(at(100)), Ok(()));
        assert_eq!(window.take(at(130)), Ok(()));
        assert_eq!(window.take(at(150)), Err(at(10)));
        assert_eq!(window.take(at(160)), Ok(()), "the first is a minute ago");
        assert_eq!(window.take(at(161)), Err(at(29)));
    }
}
