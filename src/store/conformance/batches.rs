//! Batches: what is counted of them, and what a pause holds.

use super::*;
use crate::store::StoreError;

on_both_stores!(
    a_batch_counts_its_contacts,
    a_batch_is_paged_as_it_came_in,
    a_paused_batch_is_held_from_the_next_decision_on,
    a_pause_is_applied_piece_by_piece_and_lifted_again,
    contacts_of_a_paused_batch_are_imported_as_held,
);

/// Applies what is to be applied to contacts; how many pieces that took.
async fn evaluate_all(world: &World) -> u32 {
    let mut pieces = 0;
    while world.store.evaluate().await.unwrap().is_some() {
        pieces += 1;
    }
    pieces
}

async fn pause(world: &World, campaign: &Campaign, batch: &str, paused: bool) -> bool {
    world.store.pause_batch(&campaign.id, &batch_id(batch), paused).await.unwrap()
}

async fn a_batch_counts_its_contacts(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import_batch(&spring, "may", contacts(3)).await;
    assert_eq!(world.import_batch(&spring, "june", contacts(4)).await.unchanged, 3);
    world.store.note_rejected(&spring.id, &batch_id("june"), 7).await.unwrap();
    world.store.note_rejected(&spring.id, &batch_id("all-bad"), 2).await.unwrap();
    let first = world.find(&spring, "c1").await;
    world.call(&first, 0, CallResult::Answered).await;
    let second = world.find(&spring, "c2").await;
    world.place(&second, 0).await;
    let batches = world.store.batches(&spring.id).await.unwrap();
    let told: Vec<_> = batches
        .iter()
        .map(|batch| {
            let tally = &batch.tally;
            let ended: Vec<(&str, u64)> = tally.ended.iter().map(|(how, n)| (*how, *n)).collect();
            (batch.id.as_str(), tally.contacts, tally.fresh, tally.in_progress, ended, batch.rejected)
        })
        .collect();
    assert_eq!(
        told,
        [("may", 3, 1, 1, vec![("reached", 1)], 0), ("june", 1, 1, 0, vec![], 7), ("all-bad", 0, 0, 0, vec![], 2)]
    );
    // An import of nothing makes no batch.
    world.import_batch(&spring, "nothing", Vec::new()).await;
    assert_eq!(world.store.batches(&spring.id).await.unwrap().len(), 3);
    let unknown = world.store.batches(&campaign_id("unknown")).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
    let unknown = world.store.pause_batch(&spring.id, &batch_id("july"), true).await;
    assert!(matches!(unknown, Err(StoreError::UnknownBatch { .. })));
}

/// All customers of a batch, in pages of `limit`.
async fn paged(world: &World, campaign: &Campaign, batch: &str, limit: u32) -> Vec<String> {
    let (mut customers, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.batch_page(&campaign.id, &batch_id(batch), after, limit).await.unwrap();
        assert!(page.contacts.len() <= limit as usize && page.contacts.iter().all(|c| c.batch == batch_id(batch)));
        customers.extend(page.contacts.into_iter().map(|listed| listed.contact.customer.to_string()));
        after = page.next;
        if after.is_none() {
            break customers;
        }
    }
}

async fn a_batch_is_paged_as_it_came_in(mut world: World) {
    let (spring, autumn) = (campaign("spring"), campaign("autumn"));
    world.apply(&[&spring, &autumn]).await;
    let new = |from: usize, to: u32| contacts(to).split_off(from);
    world.import_batch(&spring, "may", new(0, 3)).await;
    world.import_batch(&autumn, "may", contacts(2)).await;
    world.import_batch(&spring, "june", new(3, 5)).await;
    world.import_batch(&spring, "may", new(5, 12)).await;
    world.store.note_rejected(&spring.id, &batch_id("all-bad"), 2).await.unwrap();
    world.store.delete(&spring.id, &customer_id("c2")).await.unwrap();
    let may = ["c1", "c3", "c6", "c7", "c8", "c9", "c10", "c11", "c12"];
    for limit in [1, 2, 9, 100] {
        assert_eq!(paged(&world, &spring, "may", limit).await, may, "{limit} at a time");
    }
    assert_eq!(paged(&world, &spring, "june", 2).await, ["c4", "c5"]);
    assert_eq!(paged(&world, &spring, "all-bad", 2).await, [""; 0]);
    let first = world.find(&spring, "c1").await;
    world.place(&first, 0).await;
    let page = world.store.batch_page(&spring.id, &batch_id("may"), None, 2).await.unwrap();
    let live: Vec<bool> = page.contacts.iter().map(|listed| listed.live).collect();
    assert_eq!(live, [true, false]);
    let unknown = world.store.batch_page(&spring.id, &batch_id("july"), None, 2).await;
    assert!(matches!(unknown, Err(StoreError::UnknownBatch { .. })));
    let unknown = world.store.batch_page(&campaign_id("unknown"), &batch_id("may"), None, 2).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
}

async fn a_paused_batch_is_held_from_the_next_decision_on(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import_batch(&spring, "may", contacts(2)).await;
    world.import_batch(&spring, "june", contacts(3)).await;
    let picked = world.ready(&spring).await;
    assert!(pause(&world, &spring, "may", true).await);
    assert!(!pause(&world, &spring, "may", true).await, "it is paused already");
    assert_eq!(world.refusal(&picked[0], 0).await, Hold::BatchPaused);
    assert_eq!(world.customers(&spring).await, ["c3"], "before it was applied to any contact");
    let why = world.store.why(&spring.id, &customer_id("c1"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.hold, Some(Hold::BatchPaused));
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.open, page.matching, page.paused), (3, None, 0));
    evaluate_all(&world).await;
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.open, page.matching, page.paused), (3, Some(3), 2));
    assert_eq!(world.customers(&spring).await, ["c3"]);
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.customers(&spring).await, ["c3"], "a pause outlives the daemon");
    pause(&world, &spring, "may", false).await;
    assert_eq!(world.store.evaluate().await.unwrap().map(|piece| piece.admitted), Some(2));
    assert_eq!(world.customers(&spring).await, ["c1", "c2", "c3"]);
    let first = world.find(&spring, "c1").await;
    world.place(&first, 0).await;
}

async fn a_pause_is_applied_piece_by_piece_and_lifted_again(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import_batch(&spring, "may", contacts(450)).await;
    let first = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&first, 0).await;
    pause(&world, &spring, "may", true).await;
    assert_eq!(evaluate_all(&world).await, 3);
    // A live call goes on and is settled; its retry is held.
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    world.wait(Duration::from_secs(1800));
    assert_eq!(world.customers(&spring).await, [""; 0]);
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.contacts, tally.fresh, tally.in_progress, tally.paused), (450, 449, 1, 450));
    pause(&world, &spring, "may", false).await;
    assert_eq!(evaluate_all(&world).await, 3);
    assert_eq!(world.customers(&spring).await.len(), 450);
    assert_eq!(world.customers(&spring).await[0], "c1", "the retry that came due goes first");
    assert_eq!(world.store.tally(&spring.id).await.unwrap().paused, 0);
}

async fn contacts_of_a_paused_batch_are_imported_as_held(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import_batch(&spring, "may", contacts(1)).await;
    pause(&world, &spring, "may", true).await;
    evaluate_all(&world).await;
    world.import_batch(&spring, "may", contacts(3)).await;
    assert_eq!(world.store.evaluate().await.unwrap(), None);
    assert_eq!(world.customers(&spring).await, [""; 0]);
    assert_eq!(world.store.tally(&spring.id).await.unwrap().paused, 3);
}
