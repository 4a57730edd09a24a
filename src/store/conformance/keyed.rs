//! Writes that came with an idempotency key.

use super::*;
use crate::{
    domain::{
        agent::Availability,
        audit::{Deed, DeedResult},
        person::Role,
    },
    store::{
        NewAuditEntry,
        keyed::{Admitted, KeptAnswer, KeyedId, KeyedRequest},
    },
};

on_both_stores!(
    a_request_is_done_once_and_answered_as_it_was,
    what_changed_nothing_can_be_tried_again,
    a_life_that_ended_before_the_answer_did_it_or_did_not,
    keys_are_forgotten_when_their_time_is_over,
    answers_are_forgotten_when_somebody_is_erased,
);

fn request(world: &World, key: u8, asked: u8) -> KeyedRequest {
    let expires_at = world.now() + Duration::from_secs(60);
    KeyedRequest { id: [key; 32], request: [asked; 32], expires_at }
}

fn answer(status: u16) -> KeptAnswer {
    KeptAnswer { status, sealed: Some(vec![1, 2, 3]) }
}

/// Makes a change with an audit entry of a key.
async fn change(world: &World, id: KeyedId) {
    let (who, role, result) = ("uid 0".to_owned(), Role::Admin, DeedResult::Done);
    let entry = NewAuditEntry::new(Deed { who, role, action: "x".to_owned(), object: String::new(), result });
    let agent = AgentId::parse("anna").unwrap();
    world.store.audited(entry.keyed(id)).set_availability(&agent, Availability::Rest).await.unwrap();
}

async fn a_request_is_done_once_and_answered_as_it_was(mut world: World) {
    let store = &world.store;
    assert_eq!(store.admit_keyed(request(&world, 1, 7)).await.unwrap(), Admitted::New);
    assert_eq!(store.admit_keyed(request(&world, 1, 7)).await.unwrap(), Admitted::UnderWay);
    assert_eq!(store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::Other);
    assert_eq!(store.admit_keyed(request(&world, 2, 8)).await.unwrap(), Admitted::New, "another key");
    store.answer_keyed(&[1; 32], answer(200)).await.unwrap();
    assert_eq!(store.admit_keyed(request(&world, 1, 7)).await.unwrap(), Admitted::Answered(answer(200)));
    assert_eq!(store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::Other);
    world.crash().await;
    let again = world.store.admit_keyed(request(&world, 1, 7)).await.unwrap();
    assert_eq!(again, Admitted::Answered(answer(200)), "an answer outlives the daemon");
}

async fn what_changed_nothing_can_be_tried_again(world: World) {
    let store = &world.store;
    store.admit_keyed(request(&world, 1, 7)).await.unwrap();
    assert!(store.release_keyed(&[1; 32]).await.unwrap());
    assert!(!store.release_keyed(&[1; 32]).await.unwrap());
    assert_eq!(store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::New);
    change(&world, [1; 32]).await;
    assert!(!store.release_keyed(&[1; 32]).await.unwrap(), "its change was made");
    assert_eq!(store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::UnderWay);
}

async fn a_life_that_ended_before_the_answer_did_it_or_did_not(mut world: World) {
    for key in [1, 2] {
        world.store.admit_keyed(request(&world, key, 7)).await.unwrap();
    }
    change(&world, [1; 32]).await;
    world.crash().await;
    assert_eq!(world.store.admit_keyed(request(&world, 1, 7)).await.unwrap(), Admitted::Lost);
    assert_eq!(world.store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::Other);
    assert_eq!(world.store.admit_keyed(request(&world, 2, 7)).await.unwrap(), Admitted::New, "nothing was done");
    assert_eq!(world.store.admit_keyed(request(&world, 2, 7)).await.unwrap(), Admitted::UnderWay);
}

async fn keys_are_forgotten_when_their_time_is_over(world: World) {
    world.store.admit_keyed(request(&world, 1, 7)).await.unwrap();
    world.store.answer_keyed(&[1; 32], answer(204)).await.unwrap();
    world.wait(Duration::from_secs(59));
    assert_eq!(world.store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::Other);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.store.admit_keyed(request(&world, 1, 8)).await.unwrap(), Admitted::New);
}

async fn answers_are_forgotten_when_somebody_is_erased(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    world.store.admit_keyed(request(&world, 1, 7)).await.unwrap();
    world.store.answer_keyed(&[1; 32], answer(200)).await.unwrap();
    world.store.erase(&spring.id, &customer_id("c1")).await.unwrap();
    let kept = Admitted::Answered(KeptAnswer { status: 200, sealed: None });
    assert_eq!(world.store.admit_keyed(request(&world, 1, 7)).await.unwrap(), kept);
}
