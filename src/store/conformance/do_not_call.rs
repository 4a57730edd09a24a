//! Do-not-call lists: they hold on the very next decision, and let go when they should.

use std::time::Duration;

use super::*;
use crate::{
    domain::{contact::HELD_FOR_GOOD, do_not_call::NewEntry, ids::DoNotCallId, order},
    store::{DoNotCallCounts, Evaluated, ListCount, ListingOutcome},
};

on_both_stores!(
    an_entry_holds_on_the_very_next_decision,
    the_next_number_of_a_sequence_is_called_at_once,
    an_entry_holds_to_its_expiry_and_not_at_it,
    the_longest_of_the_lists_that_a_campaign_follows_holds,
    a_removed_entry_releases_whom_it_held,
    another_expiry_replaces_the_one_before,
    a_list_that_is_followed_no_longer_releases,
    a_release_during_a_call_is_not_undone_by_its_end,
    a_call_under_way_goes_on_and_is_not_tried_again,
    listed_contacts_at_the_head_are_gone_past_once,
    entries_are_kept_counted_and_shown,
    every_attempt_keeps_the_version_that_it_was_decided_by,
);

const NUMBER: &str = "+8613800000001";

pub(super) fn list(text: &str) -> DoNotCallId {
    DoNotCallId::parse(text).unwrap()
}

fn entry(number: &str, expires_at: Option<Timestamp>) -> NewEntry {
    NewEntry { number: e164(number), expires_at }
}

fn following(lists: &[&str]) -> Campaign {
    Campaign { do_not_call: lists.iter().map(|id| list(id)).collect(), ..campaign("spring") }
}

async fn add(world: &World, id: &str, number: &str, expires_at: Option<Timestamp>) -> ListingOutcome {
    world.store.import_do_not_call(&list(id), vec![entry(number, expires_at)]).await.unwrap()
}

async fn remove(world: &World, id: &str, number: &str) -> bool {
    world.store.remove_do_not_call(&list(id), &e164(number)).await.unwrap()
}

fn held(id: &str, until: Option<Timestamp>) -> Hold {
    Hold::DoNotCall { list: list(id), until }
}

async fn hold(world: &World, campaign: &Campaign, customer: &str) -> Option<Hold> {
    world.store.why(&campaign.id, &customer_id(customer), world.now()).await.unwrap().unwrap().hold
}

async fn evaluate(world: &World) -> Vec<Evaluated> {
    let mut all = Vec::new();
    while let Some(evaluated) = world.store.evaluate().await.unwrap() {
        all.push(evaluated);
    }
    all
}

async fn an_entry_holds_on_the_very_next_decision(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let picked = world.ready(&spring).await.remove(0);
    assert_eq!(add(&world, "objected", NUMBER, None).await.added, 1);
    assert_eq!(hold(&world, &spring, "c1").await, Some(held("objected", None)));
    assert_eq!(world.refusal(&picked, 0).await, held("objected", None));
    let marked = world.find(&spring, "c1").await;
    assert_eq!((marked.version, marked.progress.numbers[0].listed_until), (picked.version + 1, Some(HELD_FOR_GOOD)));
    assert!(!marked.progress.numbers[0].tried);
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at, page.open, page.cut), (0, None, 1, false));
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&marked, 0).await, held("objected", None));
    let why = world.store.why(&spring.id, &customer_id("c1"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.do_not_call[0].as_ref().unwrap().list, list("objected"));
    assert_eq!(world.customers(&spring).await, [""; 0]);
}

async fn the_next_number_of_a_sequence_is_called_at_once(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    add(&world, "objected", NUMBER, None).await;
    world.import(&spring, vec![contact("a", &[NUMBER, "+8613800000002", "+8613800000003"])]).await;
    add(&world, "objected", "+8613800000003", Some(world.now() + Duration::from_secs(7200))).await;
    let ready = world.ready(&spring).await.remove(0);
    assert_eq!(order::next(&spring, &ready, world.now()).unwrap().number, 1);
    let why = world.store.why(&spring.id, &customer_id("a"), world.now()).await.unwrap().unwrap();
    assert_eq!((why.hold, why.do_not_call[1].as_ref()), (None, None));
    world.call(&ready, 1, CallResult::Busy).await;
    assert_eq!(world.customers(&spring).await, [""; 0]);
    // The third number goes on with the pass when it may; the first comes when it is let go.
    world.wait(Duration::from_secs(7200));
    let ready = world.ready(&spring).await.remove(0);
    assert_eq!(order::next(&spring, &ready, world.now()).unwrap().number, 2);
    world.call(&ready, 2, CallResult::Busy).await;
    world.wait(Duration::from_secs(1));
    assert!(remove(&world, "objected", NUMBER).await);
    let ready = world.find(&spring, "a").await;
    let (attempt, _) = world.place(&ready, 0).await;
    world.store.withdraw_intent(attempt).await.unwrap();
    assert_eq!(ready.progress.numbers[0].days, 0, "it counts as untried");
}

async fn an_entry_holds_to_its_expiry_and_not_at_it(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let until = world.now() + Duration::from_secs(60);
    add(&world, "objected", NUMBER, Some(until)).await;
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at), (0, Some(until)));
    world.wait(Duration::from_millis(59_999));
    let contact = world.find(&spring, "c1").await;
    assert_eq!(world.refusal(&contact, 0).await, held("objected", Some(until)));
    world.wait(Duration::from_millis(1));
    let contact = world.ready(&spring).await.remove(0);
    world.place(&contact, 0).await;
}

async fn the_longest_of_the_lists_that_a_campaign_follows_holds(mut world: World) {
    let spring = following(&["objected", "no-marketing"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let (soon, late) = (world.now() + Duration::from_secs(60), world.now() + Duration::from_secs(120));
    let contact = world.find(&spring, "c1").await;
    add(&world, "elsewhere", NUMBER, None).await;
    assert_eq!(hold(&world, &spring, "c1").await, None);
    add(&world, "no-marketing", NUMBER, Some(soon)).await;
    add(&world, "objected", NUMBER, Some(late)).await;
    assert_eq!(world.refusal(&contact, 0).await, held("objected", Some(late)));
    assert_eq!(world.store.candidates(&spring.id, world.now(), 9).await.unwrap().next_ready_at, Some(late));
    add(&world, "no-marketing", NUMBER, Some(late)).await;
    assert_eq!(hold(&world, &spring, "c1").await, Some(held("no-marketing", Some(late))), "the first by id");
    remove(&world, "no-marketing", NUMBER).await;
    assert_eq!(hold(&world, &spring, "c1").await, Some(held("objected", Some(late))));
    assert_eq!(world.customers(&spring).await, [""; 0]);
}

async fn a_removed_entry_releases_whom_it_held(mut world: World) {
    let spring = following(&["objected", "no-marketing"]);
    let summer = Campaign { do_not_call: vec![list("objected")], ..campaign("summer") };
    world.apply(&[&spring, &summer]).await;
    for campaign in [&spring, &summer] {
        world.import(campaign, contacts(2)).await;
    }
    add(&world, "objected", NUMBER, None).await;
    for campaign in [&spring, &summer] {
        assert_eq!(world.customers(campaign).await, ["c2"]);
    }
    assert!(!remove(&world, "objected", "+8613800000002").await);
    assert!(!remove(&world, "no-marketing", NUMBER).await);
    assert!(remove(&world, "objected", NUMBER).await);
    for campaign in [&spring, &summer] {
        assert_eq!(world.customers(campaign).await, ["c1", "c2"]);
    }
    let contact = world.find(&spring, "c1").await;
    assert_eq!(contact.progress.numbers[0].listed_until, None);
    world.place(&contact, 0).await;
}

async fn another_expiry_replaces_the_one_before(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    add(&world, "objected", NUMBER, None).await;
    assert_eq!(world.customers(&spring).await, [""; 0]);
    let until = Some(world.now() + Duration::from_secs(60));
    assert_eq!(add(&world, "objected", NUMBER, until).await, ListingOutcome { updated: 1, ..Default::default() });
    assert_eq!(add(&world, "objected", NUMBER, until).await, ListingOutcome { unchanged: 1, ..Default::default() });
    assert_eq!(world.store.candidates(&spring.id, world.now(), 9).await.unwrap().next_ready_at, until);
    let past = Some(world.now());
    add(&world, "objected", NUMBER, past).await;
    assert_eq!(world.customers(&spring).await, ["c1"]);
    let batch = vec![entry(NUMBER, until), entry(NUMBER, None)];
    let outcome = world.store.import_do_not_call(&list("objected"), batch).await.unwrap();
    assert_eq!(outcome.updated, 2, "the last one counts");
    assert_eq!(hold(&world, &spring, "c1").await, Some(held("objected", None)));
}

async fn a_list_that_is_followed_no_longer_releases(mut world: World) {
    let mut spring = following(&["objected", "no-marketing"]);
    let summer = Campaign { do_not_call: vec![list("objected")], ..campaign("summer") };
    world.apply(&[&spring, &summer]).await;
    world.import(&summer, contacts(1)).await;
    world.import(&spring, contacts(450)).await;
    let entries = (1..=449).map(|i| entry(&format!("+86138{i:08}"), None)).collect();
    world.store.import_do_not_call(&list("objected"), entries).await.unwrap();
    add(&world, "no-marketing", "+8613800000007", None).await;
    for campaign in [&spring, &summer] {
        world.ready(campaign).await;
    }
    spring.do_not_call.remove(0);
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.customers(&spring).await, ["c450"], "released by and by");
    assert_eq!(hold(&world, &spring, "c1").await, None, "the gate does not look at it any more");
    let first = world.store.evaluate().await.unwrap().unwrap();
    assert_eq!((first.campaign.as_str(), first.complete), ("spring", false));
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    let rest = evaluate(&world).await;
    assert_eq!(first.admitted + rest.iter().map(|piece| piece.admitted).sum::<u64>(), 449);
    assert_eq!(world.customers(&spring).await.len(), 449, "all but the one of the other list");
    assert_eq!(world.customers(&summer).await, [""; 0]);
    spring.do_not_call.push(list("objected"));
    world.apply(&[&spring, &summer]).await;
    assert_eq!(evaluate(&world).await, [], "one more list is looked at when contacts are picked");
    assert_eq!(world.customers(&spring).await, ["c450"]);
}

async fn a_release_during_a_call_is_not_undone_by_its_end(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, vec![contact("a", &[NUMBER, "+8613800000002"])]).await;
    add(&world, "objected", NUMBER, None).await;
    let ready = world.ready(&spring).await.remove(0);
    let (attempt, recorded) = world.place(&ready, 1).await;
    assert_eq!(recorded.contact.progress.numbers[0].listed_until, Some(HELD_FOR_GOOD));
    remove(&world, "objected", NUMBER).await;
    world.settle(attempt, &recorded, 1, CallResult::Busy).await;
    let ready = world.ready(&spring).await.remove(0);
    assert_eq!(order::next(&spring, &ready, world.now()).unwrap().number, 0);
}

async fn a_call_under_way_goes_on_and_is_not_tried_again(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let ready = world.ready(&spring).await.remove(0);
    let (attempt, recorded) = world.place(&ready, 0).await;
    add(&world, "objected", NUMBER, None).await;
    assert_eq!(hold(&world, &spring, "c1").await, Some(held("objected", None)));
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    assert_eq!(world.store.tally(&spring.id).await.unwrap().attempts[&CallResult::Busy], 1);
    world.wait(Duration::from_secs(1800));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at), (0, None));
    remove(&world, "objected", NUMBER).await;
    let again = world.ready(&spring).await.remove(0);
    assert_eq!(order::next(&spring, &again, world.now()).unwrap().class, order::Class::Retry);
}

async fn listed_contacts_at_the_head_are_gone_past_once(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2_500)).await;
    let entries = (1..=2_400).map(|i| entry(&format!("+86138{i:08}"), None)).collect();
    world.store.import_do_not_call(&list("objected"), entries).await.unwrap();
    for _ in 0..2 {
        let page = world.store.candidates(&spring.id, world.now(), 3).await.unwrap();
        let customers: Vec<&str> = page.ready.iter().map(|contact| contact.customer.as_str()).collect();
        assert_eq!((customers, page.cut), (vec!["c2401", "c2402", "c2403"], false));
        for customer in ["c1", "c2400"] {
            assert_eq!(world.find(&spring, customer).await.version, 2, "marked once");
        }
    }
}

async fn entries_are_kept_counted_and_shown(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    let (imported_at, soon) = (world.now(), world.now() + Duration::from_secs(60));
    add(&world, "b", "+8613800000003", Some(soon)).await;
    let batch = vec![entry("+8613800000002", None), entry(NUMBER, Some(soon))];
    world.store.import_do_not_call(&list("a"), batch).await.unwrap();
    world.crash().await;
    let counts = world.store.do_not_call_counts(soon).await.unwrap();
    let (a, b) = (ListCount { entries: 2, expired: 1 }, ListCount { entries: 1, expired: 1 });
    assert_eq!(counts, DoNotCallCounts { version: 2, lists: BTreeMap::from([(list("a"), a), (list("b"), b)]) });
    let page = world.store.do_not_call_page(&list("a"), None, 9).await.unwrap();
    let shown: Vec<NewEntry> = page.iter().map(|listed| listed.entry.clone()).collect();
    assert_eq!(shown, [entry(NUMBER, Some(soon)), entry("+8613800000002", None)]);
    assert!(page.iter().all(|listed| listed.imported_at == imported_at));
    let page = world.store.do_not_call_page(&list("a"), Some(&e164(NUMBER)), 1).await.unwrap();
    assert_eq!((page.len(), page[0].entry.number.expose()), (1, "+8613800000002"));
    assert_eq!(world.store.do_not_call_page(&list("c"), None, 9).await.unwrap(), []);
}

async fn every_attempt_keeps_the_version_that_it_was_decided_by(mut world: World) {
    let spring = following(&["objected"]);
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    for (customer, number) in [("c1", "+8613900000001"), ("c2", "+8613900000001"), ("c3", "+8613900000002")] {
        let contact = world.find(&spring, customer).await;
        world.call(&contact, 0, CallResult::Busy).await;
        add(&world, "objected", number, None).await;
    }
    let attempts = world.store.attempts(&spring.id, None, 9).await.unwrap();
    let versions: Vec<u64> = attempts.iter().map(|attempt| attempt.do_not_call_version).collect();
    assert_eq!(versions, [0, 1, 1], "the same entry again is no change");
}
