//! A table of timers: one instant per key, earliest first.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(super) struct Timers<K, T> {
    by_key: BTreeMap<K, T>,
    by_time: BTreeSet<(T, K)>,
}

impl<K, T> Default for Timers<K, T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, T: Ord + Copy> Timers<K, T> {
    /// Sets or clears the timer of `key`.
    pub(super) fn set(&mut self, key: K, at: Option<T>) {
        if self.by_key.get(&key).copied() == at {
            return;
        }
        if let Some(old) = self.by_key.remove(&key) {
            self.by_time.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.by_key.insert(key.clone(), at);
            self.by_time.insert((at, key));
        }
    }

    /// Takes out the earliest key whose instant has come.
    pub(super) fn pop_due(&mut self, now: T) -> Option<K> {
        let (at, key) = self.by_time.first()?.clone();
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&key);
        Some(key)
    }

    /// The earliest instant.
    pub(super) fn earliest(&self) -> Option<T> {
        self.by_time.first().map(|(at, _)| *at)
    }
}
