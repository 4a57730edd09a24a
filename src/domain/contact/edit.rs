//! Edits: what of a contact is changed, and how far it has come afterwards.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Contact, ContactEnd, Number, Progress};
use crate::domain::{
    attribute::Attributes,
    business::{Business, CancelReason},
    campaign::Priority,
    ids::{AttributeId, CategoryId, CustomerId},
    phone::E164,
    zone::ContactZone,
};

/// What of a contact is changed; the rest stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactEdit {
    /// All its numbers in index order: at least one, no repeats.
    pub numbers: Option<Vec<(CategoryId, E164)>>,
    /// Values to set.
    pub set: Attributes,
    /// Attributes to take away.
    pub unset: BTreeSet<AttributeId>,
    /// 1 first.
    pub priority: Option<Priority>,
    /// Not dialled before this instant; `Some(None)` takes that away.
    pub not_before: Option<Option<Timestamp>>,
    /// The customer's own zone; `Some(None)` takes it away.
    pub timezone: Option<Option<ContactZone>>,
}

/// The contact after an edit, as its next version; the same if that changes nothing. Numbers that stay
/// keep how far they have come, ended ones stay ended.
#[must_use]
pub fn edit(contact: &Contact, edit: &ContactEdit) -> Contact {
    let mut after = contact.clone();
    if let Some(numbers) = &edit.numbers {
        after.progress = renumbered(&contact.progress, numbers);
    }
    after.attributes.extend(edit.set.clone());
    after.attributes.retain(|id, _| !edit.unset.contains(id));
    after.priority = edit.priority.unwrap_or(contact.priority);
    after.not_before = edit.not_before.unwrap_or(contact.not_before);
    if let Some(timezone) = &edit.timezone {
        after.timezone.clone_from(timezone);
    }
    if after != *contact {
        after.version += 1;
    }
    after
}

fn renumbered(before: &Progress, numbers: &[(CategoryId, E164)]) -> Progress {
    let number = |(category, e164): &(CategoryId, E164)| {
        let known = before.numbers.iter().find(|number| number.e164 == *e164);
        let fresh = || Number::fresh(category.clone(), e164.clone());
        known.map_or_else(fresh, |known| Number { category: category.clone(), ..known.clone() })
    };
    let numbers: Vec<Number> = numbers.iter().map(number).collect();
    let open = numbers.iter().any(|number| number.ended.is_none());
    let ended = match before.ended {
        // There is one to be tried again.
        Some(ContactEnd::NotReached) if open => None,
        None if !open => Some(ContactEnd::NotReached),
        ended => ended,
    };
    let pass = if ended.is_some() { None } else { pass(before, &numbers) };
    let business = business(&before.business, &numbers);
    Progress { numbers, pass, attempts: before.attempts, ended, business }
}

/// A scheduled call goes with its number: to where that stands now, or away with it.
fn business(before: &Business, numbers: &[Number]) -> Business {
    let mut after = before.clone();
    let Some(call) = &mut after.scheduled else { return after };
    match numbers.iter().position(|number| number.e164 == call.tries.e164) {
        Some(number) => {
            call.number = number;
            call.tries.category.clone_from(&numbers[number].category);
        }
        None => after.cancel(CancelReason::NumberGone),
    }
    after
}

/// Where a `sequence` pass under way goes on: behind the last of the numbers that it has gone past.
fn pass(before: &Progress, numbers: &[Number]) -> Option<u8> {
    let gone_past = before.numbers.iter().take(usize::from(before.pass?) + 1);
    let gone_past: Vec<&E164> = gone_past.map(|number| &number.e164).collect();
    let last = numbers.iter().rposition(|number| gone_past.contains(&&number.e164))?;
    let more = numbers.iter().skip(last + 1).any(|number| !number.tried && number.ended.is_none());
    if more { u8::try_from(last).ok() } else { None }
}

/// The contact without anything personal, as its next version: it stays for the counts, under a name that
/// tells nobody. One that had not ended has ended now.
#[must_use]
pub fn erased(contact: &Contact, stand_in: CustomerId) -> Contact {
    let progress = &contact.progress;
    Contact {
        customer: stand_in,
        not_before: None,
        timezone: None,
        attributes: Attributes::new(),
        version: contact.version + 1,
        progress: Progress {
            numbers: Vec::new(),
            pass: None,
            attempts: progress.attempts,
            ended: progress.ended.or(Some(ContactEnd::Erased)),
            business: Business::default(),
        },
        ..contact.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        attribute::AttributeValue,
        business::{BusinessCall, BusinessKey},
        contact::NumberEnd,
        ids::{CampaignId, ContactRef},
    };

    fn e164(n: u8) -> E164 {
        E164::parse(&format!("+8613800000{n:03}")).unwrap()
    }

    fn mobile(n: u8) -> (CategoryId, E164) {
        (CategoryId::parse("mobile").unwrap(), e164(n))
    }

    fn contact(numbers: &[u8]) -> Contact {
        let numbers: Vec<_> = numbers.iter().map(|n| mobile(*n)).collect();
        Contact {
            reference: ContactRef(1),
            campaign: CampaignId::parse("spring").unwrap(),
            customer: CustomerId::parse("c1").unwrap(),
            priority: Priority::DEFAULT,
            import_order: 1,
            not_before: None,
            timezone: None,
            attributes: Attributes::new(),
            version: 7,
            progress: Progress::fresh(&numbers),
        }
    }

    fn with_numbers(contact: &Contact, numbers: &[u8]) -> Contact {
        let numbers = numbers.iter().map(|n| mobile(*n)).collect();
        edit(contact, &ContactEdit { numbers: Some(numbers), ..ContactEdit::default() })
    }

    #[test]
    fn a_scheduled_call_goes_with_its_number() {
        let mut before = contact(&[1, 2]);
        let rule = BusinessKey::parse("callback").unwrap();
        let call = BusinessCall::new(rule, &before.progress, 1, Timestamp::UNIX_EPOCH, None).unwrap();
        before.progress.business.scheduled = Some(Box::new(call));
        let moved = with_numbers(&before, &[3, 4, 2]).progress.business;
        assert_eq!(moved.scheduled.map(|call| (call.number, call.tries.e164)), Some((2, e164(2))));
        let gone = with_numbers(&before, &[1]).progress.business;
        assert_eq!(gone.scheduled, None);
        assert_eq!(gone.cancelled.map(|cancelled| cancelled.reason), Some(CancelReason::NumberGone));
    }

    #[test]
    fn what_is_not_named_stays_and_nothing_makes_no_version() {
        let before = contact(&[1]);
        assert_eq!(edit(&before, &ContactEdit::default()), before);
        assert_eq!(with_numbers(&before, &[1]), before);
        let tier = AttributeId::parse("tier").unwrap();
        let change = ContactEdit {
            set: Attributes::from([(tier.clone(), AttributeValue::Text("gold".to_owned()))]),
            priority: Priority::new(1),
            not_before: Some(Some(Timestamp::UNIX_EPOCH)),
            ..ContactEdit::default()
        };
        let after = edit(&before, &change);
        assert_eq!((after.version, after.priority.get(), after.attributes.len()), (8, 1, 1));
        assert_eq!(after.progress, before.progress);
        let back = ContactEdit { unset: BTreeSet::from([tier]), not_before: Some(None), ..ContactEdit::default() };
        let after = edit(&after, &back);
        assert_eq!((after.version, after.attributes.len(), after.not_before), (9, 0, None));
    }

    #[test]
    fn a_pass_goes_on_behind_the_numbers_it_has_gone_past() {
        let mut before = contact(&[1, 2, 3]);
        before.progress.numbers[0].tried = true;
        before.progress.pass = Some(0);
        assert_eq!(with_numbers(&before, &[1, 4, 3]).progress.pass, Some(0));
        assert_eq!(with_numbers(&before, &[2, 1, 3]).progress.pass, Some(1));
        assert_eq!(with_numbers(&before, &[2, 3, 1]).progress.pass, None, "none is left behind it");
        assert_eq!(with_numbers(&before, &[2, 3]).progress.pass, None, "it has gone past none of these");
    }

    #[test]
    fn a_new_number_reopens_who_was_not_reached_and_no_one_else() {
        let mut before = contact(&[1]);
        before.progress.numbers[0].ended = Some(NumberEnd::BudgetSpent);
        for (end, reopened) in [
            (ContactEnd::NotReached, true),
            (ContactEnd::Reached, false),
            (ContactEnd::AttemptsSpent, false),
            (ContactEnd::NoRetry, false),
        ] {
            before.progress.ended = Some(end);
            assert_eq!(with_numbers(&before, &[1, 2]).progress.ended.is_none(), reopened, "{end:?}");
        }
        let mut open = contact(&[1, 2]);
        open.progress.numbers[0].ended = Some(NumberEnd::BudgetSpent);
        assert_eq!(with_numbers(&open, &[1]).progress.ended, Some(ContactEnd::NotReached));
    }

    #[test]
    fn nothing_personal_is_left_after_erasure() {
        let mut before = contact(&[1, 2]);
        before.progress.attempts = 2;
        let after = erased(&before, CustomerId::parse("erased-1").unwrap());
        let shown = format!("{after:?}");
        assert!(!shown.contains("13800") && !shown.contains("c1"), "{shown}");
        assert_eq!((after.progress.ended, after.progress.attempts), (Some(ContactEnd::Erased), 2));
        before.progress.ended = Some(ContactEnd::Reached);
        let after = erased(&before, CustomerId::parse("erased-1").unwrap());
        assert_eq!(after.progress.ended, Some(ContactEnd::Reached), "it is counted as before");
    }

    proptest! {
        #[test]
        fn numbers_that_stay_keep_their_progress(
            before in prop::sample::subsequence(vec![1_u8, 2, 3, 4, 5], 1..=5),
            after in prop::sample::subsequence(vec![1_u8, 2, 3, 4, 5], 1..=5).prop_shuffle(),
            tried in prop::collection::vec(0_u32..3, 5),
        ) {
            let mut contact = contact(&before);
            for (number, days) in contact.progress.numbers.iter_mut().zip(tried) {
                (number.tried, number.days) = (days > 0, days);
            }
            let edited = with_numbers(&contact, &after);
            let order: Vec<E164> = edited.progress.numbers.iter().map(|number| number.e164.clone()).collect();
            prop_assert_eq!(order, after.iter().map(|n| e164(*n)).collect::<Vec<_>>());
            for number in &edited.progress.numbers {
                let known = contact.progress.numbers.iter().find(|known| known.e164 == number.e164);
                prop_assert_eq!(number.days, known.map_or(0, |known| known.days));
            }
            prop_assert_eq!(edited.version > contact.version, before != after);
        }
    }
}
