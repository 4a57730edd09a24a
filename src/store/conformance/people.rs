//! People, what lets them in, and who changed what.

use super::*;
use crate::{
    domain::{
        agent::Availability,
        audit::{Deed, DeedResult},
        ids::PersonId,
        person::Role,
    },
    store::{
        NewAuditEntry,
        audit::Chain,
        people::{Credential, CredentialKind, PasswordHash, Person},
    },
};

on_both_stores!(
    an_account_is_what_it_was_last_made,
    a_credential_lasts_until_it_expires_or_is_ended,
    a_change_is_written_down_with_who_made_it_and_nothing_else_is,
    the_chain_goes_on_after_a_crash,
);

fn id(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

fn person(world: &World, name: &str, role: Role) -> Person {
    Person { id: id(name), role, password: Some(PasswordHash("$argon2id$x".to_owned())), since: world.now() }
}

fn token(world: &World, name: &str, digest: u8) -> Credential {
    let expires_at = world.now() + Duration::from_secs(60);
    Credential { digest: [digest; 32], kind: CredentialKind::Token, person: id(name), expires_at }
}

fn entry(action: &str) -> NewAuditEntry {
    let (who, role, result) = ("uid 0".to_owned(), Role::Admin, DeedResult::Done);
    NewAuditEntry::new(Deed { who, role, action: action.to_owned(), object: String::new(), result })
}

async fn actions(world: &World) -> Vec<String> {
    let mut chain = Chain::default();
    let entries = world.store.audit_page(Some(0), 100).await.unwrap();
    entries.iter().for_each(|entry| chain.follow(entry).unwrap());
    entries.into_iter().map(|entry| entry.action).collect()
}

async fn an_account_is_what_it_was_last_made(world: World) {
    let store = &world.store;
    let eve = person(&world, "eve", Role::Viewer);
    store.put_person(eve.clone()).await.unwrap();
    store.add_credential(token(&world, "eve", 1)).await.unwrap();
    assert_eq!(store.person(&id("eve")).await.unwrap(), Some(eve));
    let raised = person(&world, "eve", Role::Admin);
    store.put_person(raised.clone()).await.unwrap();
    assert_eq!(store.credential(&[1; 32]).await.unwrap(), None, "who was let in before signs in anew");
    store.put_person(person(&world, "bob", Role::Supervisor)).await.unwrap();
    let ids: Vec<PersonId> = store.people().await.unwrap().into_iter().map(|person| person.id).collect();
    assert_eq!(ids, [id("bob"), id("eve")]);
    assert!(store.remove_person(&id("eve")).await.unwrap());
    assert!(!store.remove_person(&id("eve")).await.unwrap());
    assert_eq!(store.person(&id("eve")).await.unwrap(), None);
}

async fn a_credential_lasts_until_it_expires_or_is_ended(mut world: World) {
    let (first, second) = (token(&world, "eve", 1), token(&world, "eve", 2));
    for credential in [&first, &second, &token(&world, "bob", 3)] {
        world.store.add_credential(credential.clone()).await.unwrap();
    }
    assert_eq!(world.store.credential(&[1; 32]).await.unwrap(), Some(first));
    assert!(world.store.end_credential(&[1; 32]).await.unwrap());
    assert_eq!(world.store.credential(&[1; 32]).await.unwrap(), None);
    world.crash().await;
    assert_eq!(world.store.credential(&[2; 32]).await.unwrap(), Some(second));
    assert!(world.store.end_credentials(&id("eve")).await.unwrap());
    assert_eq!(world.store.credential(&[2; 32]).await.unwrap(), None);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.store.credential(&[3; 32]).await.unwrap(), None, "its time is over");
}

async fn a_change_is_written_down_with_who_made_it_and_nothing_else_is(world: World) {
    let agent = AgentId::parse("a1").unwrap();
    let set = entry("agent.set");
    assert!(!set.is_written());
    world.store.audited(set.clone()).set_availability(&agent, Availability::Idle).await.unwrap();
    assert!(set.is_written());
    let nobody = entry("person.remove");
    assert!(!world.store.audited(nobody.clone()).remove_person(&id("nobody")).await.unwrap());
    assert!(!nobody.is_written());
    world.store.set_availability(&agent, Availability::Busy).await.unwrap();
    world.store.audit(entry("sign_in")).await.unwrap();
    assert_eq!(actions(&world).await, ["agent.set", "sign_in"]);
    let newest = world.store.audit_page(None, 1).await.unwrap();
    assert_eq!((newest.len(), newest[0].id, newest[0].who.as_str()), (1, 2, "uid 0"));
}

async fn the_chain_goes_on_after_a_crash(mut world: World) {
    world.store.audit(entry("one")).await.unwrap();
    world.crash().await;
    world.store.audit(entry("two")).await.unwrap();
    assert_eq!(actions(&world).await, ["one", "two"]);
}
