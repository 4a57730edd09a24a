//! How long to wait after a failure before the next try.

use std::time::Duration;

use super::dice::Dice;

/// Between which waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// After the first failure.
    pub first: Duration,
    /// However many there were.
    pub most: Duration,
}

/// The wait after so many failures in a row: it doubles, and is up to a quarter shorter or longer by who waits and
/// how often, so that those who failed together do not come back together. The same for the same arguments.
#[must_use]
pub fn wait(bounds: Bounds, failures: u32, seed: u64, about: &str) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let plain = bounds.first.saturating_mul(1 << doublings).min(bounds.most);
    let quarter = plain / 4;
    let part = Dice::of(seed, about, u64::from(failures)).unit();
    plain - quarter + (quarter * 2).mul_f64(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_within_their_bounds(failures in 1u32..100, seed: u64, about in "[a-z]{1,9}") {
            let bounds = Bounds { first: Duration::from_secs(1), most: Duration::from_secs(300) };
            let found = wait(bounds, failures, seed, &about);
            prop_assert_eq!(found, wait(bounds, failures, seed, &about));
            let plain = bounds.first.saturating_mul(1 << (failures - 1).min(20)).min(bounds.most);
            prop_assert!(found >= plain * 3 / 4 && found <= plain * 5 / 4, "{found:?} of {plain:?}");
        }
    }

    #[test]
    fn those_who_failed_together_come_back_apart() {
        let bounds = Bounds { first: Duration::from_secs(8), most: Duration::from_secs(300) };
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|n| wait(bounds, 1, 7, &format!("c{n}"))).collect();
        assert!(waits.len() > 90, "{}", waits.len());
    }
}
