//! Deadlines of many things in one heap. An entry that is no longer right is noticed when it comes
//! up, so moving a deadline later costs nothing.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// What a thing with a deadline keeps: its earliest entry in the heap.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alarm(Option<Duration>);

impl Alarm {
    /// The entry at `at` came up; false when it is not this alarm's any more.
    pub fn rings(&mut self, at: Duration) -> bool {
        let right = self.0 == Some(at);
        if right {
            self.0 = None;
        }
        right
    }
}

/// The heap.
#[derive(Debug)]
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<(Duration, K)>>,
}

impl<K: Ord + Copy> Timers<K> {
    /// An empty heap.
    #[must_use]
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    /// Sees to it that `key` comes up at `deadline` or before.
    pub fn arm(&mut self, key: K, alarm: &mut Alarm, deadline: Option<Duration>) {
        if let Some(deadline) = deadline
            && alarm.0.is_none_or(|armed| deadline < armed)
        {
            alarm.0 = Some(deadline);
            self.heap.push(Reverse((deadline, key)));
        }
    }

    /// The first entry at or before `now`, removed.
    pub fn pop_due(&mut self, now: Duration) -> Option<(Duration, K)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// When the first entry is due.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

impl<K: Ord + Copy> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_deadlines_cost_no_entry_and_stale_ones_are_noticed() {
        let at = Duration::from_secs;
        let mut timers = Timers::new();
        let mut alarm = Alarm::default();
        timers.arm(1, &mut alarm, Some(at(5)));
        timers.arm(1, &mut alarm, Some(at(9)));
        timers.arm(1, &mut alarm, Some(at(3)));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(9)), Some((at(3), 1)));
        assert!(alarm.rings(at(3)));
        timers.arm(1, &mut alarm, Some(at(9)));
        assert_eq!(timers.pop_due(at(9)), Some((at(5), 1)));
        assert!(!alarm.rings(at(5)), "moved since");
        assert_eq!(timers.pop_due(at(9)), Some((at(9), 1)));
        assert!(alarm.rings(at(9)));
        assert_eq!(timers.next(), None);
    }
}
