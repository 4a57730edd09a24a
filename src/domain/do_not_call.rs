//! Do-not-call lists: who is not called, and until when. Files name the lists; their entries are
//! imported.

use jiff::Timestamp;

use super::{
    contact::{HELD_FOR_GOOD, Progress},
    ids::DoNotCallId,
    phone::E164,
};

/// A list of numbers that may not be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotCallList {
    /// Identity.
    pub id: DoNotCallId,
    /// Shown to people.
    pub name: String,
    /// What it is for and where it comes from.
    pub description: String,
}

/// An entry as an import gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Who is not called.
    pub number: E164,
    /// The first instant at which it holds no longer; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// What one list says of a number; it holds from the instant it is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which list.
    pub list: DoNotCallId,
    /// The first instant at which it holds no longer; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Entry {
    /// Whether it keeps the number from being called at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    /// What a number's `listed_until` is because of it.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.expires_at.map_or(HELD_FOR_GOOD, |at| at.min(HELD_FOR_GOOD))
    }
}

/// Of the entries that one number has, the one that keeps a campaign which follows `lists` from
/// calling it at `now`: the one that holds longest, the first list by id among equals.
#[must_use]
pub fn holding<'a>(entries: &'a [Entry], lists: &[DoNotCallId], now: Timestamp) -> Option<&'a Entry> {
    let holding = entries.iter().filter(|entry| lists.contains(&entry.list) && entry.holds(now));
    holding.min_by_key(|entry| (std::cmp::Reverse(entry.until()), &entry.list))
}

/// The progress with `listed_until` of each number as its `entries` want it, by index; `None` if it is
/// so already. An ended number counts too: a business rule may have it called again. A time that has passed says the same as none.
#[must_use]
pub fn screened(
    progress: &Progress,
    entries: &[Vec<Entry>],
    lists: &[DoNotCallId],
    now: Timestamp,
) -> Option<Progress> {
    let mut after = progress.clone();
    for (number, entries) in after.numbers.iter_mut().zip(entries) {
        let until = holding(entries, lists, now).map(Entry::until);
        if number.listed_until.filter(|&at| at > now) != until {
            number.listed_until = until;
        }
    }
    (after != *progress).then_some(after)
}

/// The progress without what lists hold: they are asked anew before the contact is picked.
#[must_use]
pub fn unlisted(progress: &Progress) -> Progress {
    let mut after = progress.clone();
    for number in &mut after.numbers {
        number.listed_until = None;
    }
    after
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::CategoryId;

    fn id(text: &str) -> DoNotCallId {
        DoNotCallId::parse(text).unwrap()
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minutes)
    }

    prop_compose! {
        fn entry()(list in 0_usize..4, expires in prop::option::of(0_i64..5)) -> Entry {
            Entry { list: id(["a", "b", "c", "d"][list]), expires_at: expires.map(minute) }
        }
    }

    #[test]
    fn it_holds_to_its_expiry_and_not_at_it() {
        let entry = Entry { list: id("a"), expires_at: Some(minute(1)) };
        let just_before = minute(1) - jiff::SignedDuration::from_nanos(1);
        assert!(entry.holds(Timestamp::MIN) && entry.holds(just_before) && !entry.holds(minute(1)));
        let for_good = Entry { list: id("a"), expires_at: None };
        assert!(for_good.holds(HELD_FOR_GOOD) && for_good.until() == HELD_FOR_GOOD);
    }

    proptest! {
        #[test]
        fn the_longest_that_holds_decides(
            entries in prop::collection::vec(entry(), 0..6),
            now in 0_i64..6,
            followed in prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4),
        ) {
            let (lists, now): (Vec<DoNotCallId>, _) = (followed.into_iter().map(id).collect(), minute(now));
            let counts = |entry: &&Entry| lists.contains(&entry.list) && entry.expires_at.is_none_or(|at| at > now);
            match holding(&entries, &lists, now) {
                None => prop_assert_eq!(entries.iter().find(counts), None),
                Some(found) => {
                    prop_assert!(counts(&found));
                    let longer = |entry: &&Entry| match (entry.expires_at, found.expires_at) {
                        (_, None) => false,
                        (None, Some(_)) => true,
                        (Some(other), Some(found)) => other > found,
                    };
                    prop_assert_eq!(entries.iter().filter(counts).find(longer), None);
                }
            }
        }

        /// What a number is held by does not depend on what it was held by before.
        #[test]
        fn screening_again_changes_nothing(
            entries in prop::collection::vec(prop::collection::vec(entry(), 0..3), 2),
            before in prop::collection::vec(prop::option::of(0_i64..6), 2),
            now in 0_i64..6,
        ) {
            let category = CategoryId::parse("mobile").unwrap();
            let number = |text| (category.clone(), E164::parse(text).unwrap());
            let fresh = Progress::fresh(&[number("+8613800000001"), number("+8613800000002")]);
            let mut progress = fresh.clone();
            for (number, before) in progress.numbers.iter_mut().zip(before) {
                number.listed_until = before.map(minute);
            }
            let (lists, now) = ([id("a"), id("b")], minute(now));
            let after = screened(&progress, &entries, &lists, now).unwrap_or_else(|| progress.clone());
            prop_assert_eq!(screened(&after, &entries, &lists, now), None);
            for (number, entries) in after.numbers.iter().zip(&entries) {
                let until = holding(entries, &lists, now).map(Entry::until);
                prop_assert_eq!(number.listed_until.filter(|&at| at > now), until);
            }
            prop_assert_eq!(unlisted(&Progress { numbers: after.numbers[..1].to_vec(), ..after }).numbers, &fresh.numbers[..1]);
        }
    }
}
