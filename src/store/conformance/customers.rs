//! Contacts that are edited, deleted and erased.

use super::*;
use crate::{
    domain::{
        attribute::AttributeValue,
        campaign::PerNumberLimit,
        contact::{ContactEdit, ContactEnd},
        filter::{Filter, Test},
        ids::AttributeId,
    },
    store::{Resealed, StoreError},
};

on_both_stores!(
    an_edit_changes_who_is_next_at_once,
    a_contact_in_a_call_is_not_changed,
    only_who_was_never_called_is_deleted,
    who_is_erased_stays_in_the_counts_alone,
    caps_on_a_number_outlive_its_erasure,
    what_changed_meanwhile_is_not_resealed,
);

fn tier() -> AttributeId {
    AttributeId::parse("tier").unwrap()
}

fn tiered(tier_is: &str) -> ContactEdit {
    let value = AttributeValue::Text(tier_is.to_owned());
    ContactEdit { set: Attributes::from([(tier(), value)]), ..ContactEdit::default() }
}

async fn edit(world: &World, campaign: &Campaign, customer: &str, change: ContactEdit) -> Result<bool, StoreError> {
    world.store.edit(&campaign.id, &customer_id(customer), change).await
}

async fn an_edit_changes_who_is_next_at_once(mut world: World) {
    let mut spring = campaign("spring");
    spring.filter = Some(Filter::Test { attribute: tier(), test: Test::IsSet });
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    assert_eq!(world.customers(&spring).await, [""; 0]);
    assert!(edit(&world, &spring, "c2", tiered("gold")).await.unwrap());
    assert!(!edit(&world, &spring, "c2", tiered("gold")).await.unwrap(), "it is so already");
    assert!(edit(&world, &spring, "c3", tiered("gold")).await.unwrap());
    assert_eq!(world.customers(&spring).await, ["c2", "c3"]);
    let picked = world.find(&spring, "c2").await;
    assert_eq!(picked.version, 2);
    let first = ContactEdit { priority: Priority::new(1), ..ContactEdit::default() };
    edit(&world, &spring, "c3", first).await.unwrap();
    assert_eq!(world.customers(&spring).await, ["c3", "c2"]);
    let later = ContactEdit { not_before: Some(Some(world.now() + Duration::from_secs(60))), ..ContactEdit::default() };
    edit(&world, &spring, "c3", later).await.unwrap();
    assert_eq!(world.customers(&spring).await, ["c2"]);
    let without = ContactEdit { unset: [tier()].into(), ..ContactEdit::default() };
    edit(&world, &spring, "c2", without).await.unwrap();
    assert_eq!(world.refusal(&picked, 0).await, Hold::Stale, "who was picked before the edit");
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.contacts, tally.fresh, tally.filtered_out), (3, 3, 2));
    world.wait(Duration::from_secs(60));
    assert_eq!(world.customers(&spring).await, ["c3"]);
    // A number that stays keeps how far it has come, another one is fresh.
    let contact = world.find(&spring, "c3").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let numbers = [("home", "+862880000009"), ("mobile", "+8613800000003")];
    let numbers = numbers.map(|(category, number)| (CategoryId::parse(category).unwrap(), e164(number)));
    let change = ContactEdit { numbers: Some(numbers.to_vec()), ..ContactEdit::default() };
    edit(&world, &spring, "c3", change).await.unwrap();
    world.crash().await;
    world.apply(&[&spring]).await;
    let after = world.find(&spring, "c3").await;
    let tried: Vec<bool> = after.progress.numbers.iter().map(|number| number.tried).collect();
    assert_eq!((tried, after.progress.attempts), (vec![false, true], 1));
    world.call(&after, 0, CallResult::Busy).await;
    let unknown = edit(&world, &spring, "c9", tiered("x")).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCustomer { .. })));
}

async fn a_contact_in_a_call_is_not_changed(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&contact, 0).await;
    let on_call = |answer| matches!(answer, Err(StoreError::OnCall(_)));
    assert!(on_call(edit(&world, &spring, "c1", tiered("gold")).await.map(drop)));
    assert!(on_call(world.store.delete(&spring.id, &contact.customer).await));
    assert!(on_call(world.store.erase(&spring.id, &contact.customer).await));
    assert_eq!(world.find(&spring, "c1").await, contact);
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    assert!(edit(&world, &spring, "c1", tiered("gold")).await.unwrap());
}

async fn only_who_was_never_called_is_deleted(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    let called = world.find(&spring, "c1").await;
    world.call(&called, 0, CallResult::Busy).await;
    let delete = async |customer: &str| world.store.delete(&spring.id, &customer_id(customer)).await;
    assert!(matches!(delete("c1").await, Err(StoreError::WasCalled(_))));
    delete("c2").await.unwrap();
    assert!(matches!(delete("c2").await, Err(StoreError::UnknownCustomer { .. })));
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.contacts, tally.fresh, tally.in_progress), (2, 1, 1));
    let batches = world.store.batches(&spring.id).await.unwrap();
    assert_eq!((batches[0].tally.contacts, batches[0].tally.fresh), (2, 1));
    assert_eq!(world.customers(&spring).await, ["c3"]);
    // It may come again, as a new one.
    assert_eq!(world.import(&spring, contacts(3)).await.added, 1);
    assert_eq!(world.customers(&spring).await, ["c3", "c2"]);
}

async fn who_is_erased_stays_in_the_counts_alone(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    for (customer, result) in [("c1", CallResult::Answered), ("c2", CallResult::Busy)] {
        let contact = world.find(&spring, customer).await;
        world.call(&contact, 0, result).await;
    }
    for customer in ["c1", "c2", "c3"] {
        world.store.erase(&spring.id, &customer_id(customer)).await.unwrap();
    }
    let tally = world.store.tally(&spring.id).await.unwrap();
    let ended: Vec<(&str, u64)> = tally.ended.into_iter().collect();
    assert_eq!((tally.contacts, tally.fresh, tally.in_progress), (3, 0, 0));
    assert_eq!(ended, [("erased", 2), ("reached", 1)]);
    assert_eq!(world.store.batches(&spring.id).await.unwrap()[0].tally.contacts, 3);
    assert_eq!(world.store.contact(&spring.id, &customer_id("c1")).await.unwrap(), None);
    for attempt in world.store.attempts(&spring.id, None, 10).await.unwrap() {
        assert_eq!((attempt.number, attempt.result.is_some()), (None, true));
        assert!(attempt.customer.as_str().starts_with("erased-"), "{}", attempt.customer);
    }
    for left in world.store.contacts_page(&spring.id, None, 10).await.unwrap() {
        assert!(left.progress.numbers.is_empty() && left.attributes.is_empty());
        assert!(matches!(left.progress.ended, Some(ContactEnd::Erased | ContactEnd::Reached)));
        let edit = ContactEdit { priority: Some(Priority::DEFAULT), ..ContactEdit::default() };
        let edited = world.store.edit(&spring.id, &left.customer, edit).await;
        assert!(matches!(edited, Err(StoreError::Erased(_))), "{edited:?}");
        assert!(matches!(world.store.delete(&spring.id, &left.customer).await, Err(StoreError::Erased(_))));
    }
    world.wait(Duration::from_secs(86_400));
    assert_eq!(world.customers(&spring).await, [""; 0]);
    assert_eq!(world.import(&spring, contacts(3)).await.added, 3, "they may come again, as new ones");
    let again = world.store.erase(&spring.id, &customer_id("c9")).await;
    assert!(matches!(again, Err(StoreError::UnknownCustomer { .. })));
}

async fn what_changed_meanwhile_is_not_resealed(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    for customer in ["c1", "c2", "c3"] {
        edit(&world, &spring, customer, tiered("old")).await.unwrap();
    }
    let read = world.store.contacts_page(&spring.id, None, 3).await.unwrap();
    let new = Attributes::from([(tier(), AttributeValue::Text("new".to_owned()))]);
    let resealed = read.iter().map(|contact| Resealed {
        contact: contact.reference,
        before: contact.attributes.clone(),
        after: new.clone(),
    });
    edit(&world, &spring, "c2", tiered("edited")).await.unwrap();
    let pieces: Vec<Resealed> = resealed.collect();
    assert_eq!(world.store.reseal(pieces.clone()).await.unwrap(), 2);
    assert_eq!(world.store.reseal(pieces).await.unwrap(), 0, "again, as after a crash");
    world.crash().await;
    world.apply(&[&spring]).await;
    let after = world.store.contacts_page(&spring.id, None, 3).await.unwrap();
    let edited = Attributes::from([(tier(), AttributeValue::Text("edited".to_owned()))]);
    for (contact, before) in after.iter().zip(&read) {
        let is = if contact.customer.as_str() == "c2" { &edited } else { &new };
        assert_eq!(&contact.attributes, is);
        let version = before.version + u32::from(contact.customer.as_str() == "c2");
        assert_eq!(contact.version, version, "it is no change of the contact");
    }
}

async fn caps_on_a_number_outlive_its_erasure(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.per_number =
        Some(PerNumberLimit { attempts: nonzero(1), days: nonzero(7), after_conversation_days: 0 });
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let contact = world.find(&spring, "c1").await;
    let placed_at = world.now();
    world.call(&contact, 0, CallResult::Busy).await;
    world.store.erase(&spring.id, &contact.customer).await.unwrap();
    world.crash().await;
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let again = world.find(&spring, "c1").await;
    let released_at = placed_at + jiff::SignedDuration::from_hours(24 * 7);
    assert_eq!(world.refusal(&again, 0).await, Hold::NumberAtLimit { released_at });
    let other = world.find(&spring, "c2").await;
    world.place(&other, 0).await;
}
