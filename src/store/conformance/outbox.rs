//! What others are to be told: written with what it tells of, in order, and never lost.

use super::*;
use crate::{
    domain::{
        audit::{Deed, DeedResult},
        campaign::{Callback, SecretRef},
        contact::ContactEnd,
        ids::SmsId,
        person::Role,
    },
    store::{
        Channel, DispatchEvent, DispatchFilter, DispatchId, DispatchRecord, DispatchState, Lane, Milestone, Tried,
        audit::NewAuditEntry,
    },
};

on_both_stores!(
    a_call_is_told_of_once_and_in_order,
    what_another_life_settles_is_told_too,
    who_tells_nobody_writes_nothing,
    what_is_not_taken_is_tried_again_and_then_parked,
    what_is_overdue_holds_nothing_up,
    who_was_not_reached_is_sent_one_message,
    a_message_that_was_claimed_is_known_to_have_been,
    erasure_leaves_nothing_to_be_told,
    lanes_are_told_and_found_again,
);

fn telling(id: &str) -> Campaign {
    let secret = SecretRef::Credential("crm".to_owned());
    let callback =
        Callback { url: "https://crm.example.net/calls".to_owned(), fields: Vec::new(), signing_secret: Some(secret) };
    Campaign { callback: Some(callback), ..campaign(id) }
}

fn texting(id: &str) -> Campaign {
    Campaign { failure_sms: Some(SmsId::parse("missed").unwrap()), results: policy(1, 1), ..campaign(id) }
}

fn lane(channel: Channel, campaign: &Campaign) -> Lane {
    Lane { channel, campaign: campaign.id.clone() }
}

fn again(at: Timestamp) -> Tried {
    Tried::Again { at, why: "it answered 500".to_owned() }
}

impl World {
    /// All of a state, by what they tell.
    async fn told(&self, state: DispatchState) -> Vec<DispatchRecord> {
        let filter = DispatchFilter { state: Some(state), ..DispatchFilter::default() };
        self.dispatches.dispatches(&filter, None, 100).await.unwrap()
    }

    /// What may be sent of a campaign, at whatever time.
    async fn due(&self, channel: Channel, campaign: &Campaign) -> Vec<DispatchId> {
        let page = self.dispatches.lane_page(&lane(channel, campaign), 100).await.unwrap();
        page.waiting.iter().map(|waiting| waiting.id).collect()
    }

    async fn only(&self, channel: Channel, campaign: &Campaign) -> DispatchRecord {
        let due = self.due(channel, campaign).await;
        assert_eq!(due.len(), 1, "{due:?}");
        self.dispatches.dispatch_facts(due[0]).await.unwrap().unwrap().record
    }

    async fn tried(&self, id: DispatchId, tried: Tried) {
        self.dispatches.tried(id, tried).await.unwrap();
    }
}

async fn a_call_is_told_of_once_and_in_order(mut world: World) {
    let spring = telling("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&contact, 0).await;
    assert_eq!(world.told(DispatchState::Pending).await, []);
    let at = world.now();
    for _ in 0..2 {
        world.store.note(Milestone::Connected { attempt, at }).await.unwrap();
    }
    let first = world.only(Channel::Callback, &spring).await;
    assert_eq!((first.event, first.attempt, first.made_at), (DispatchEvent::Connected, Some(attempt), at));
    world.settle(attempt, &recorded, 0, CallResult::Answered).await;
    world.settle(attempt, &recorded, 0, CallResult::Answered).await;
    assert_eq!(world.only(Channel::Callback, &spring).await.id, first.id, "the end waits for it");
    world.tried(first.id, again(at)).await;
    assert_eq!(world.only(Channel::Callback, &spring).await.tries, 1);
    world.tried(first.id, Tried::Sent).await;
    world.tried(first.id, Tried::Sent).await;
    let second = world.only(Channel::Callback, &spring).await;
    let facts = world.dispatches.dispatch_facts(second.id).await.unwrap().unwrap();
    assert_eq!((facts.record.event, facts.callback), (DispatchEvent::Ended, spring.callback.clone()));
    assert_eq!(facts.attempt.unwrap().result, Some(CallResult::Answered));
    world.tried(second.id, Tried::Sent).await;
    assert_eq!((world.due(Channel::Callback, &spring).await, world.told(DispatchState::Sent).await.len()), (vec![], 2));
    assert_eq!(world.dispatches.dispatch_facts(second.id).await.unwrap(), None, "it is over");

    // A milestone that comes late, or never, is made good by the end.
    let other = world.find(&spring, "c2").await;
    let (attempt, recorded) = world.place(&other, 0).await;
    let connected_at = Some(world.now());
    let ended = settlement(attempt, &recorded, 0, CallResult::Answered, world.now());
    world.store.settle(Settlement { connected_at, ..ended }).await.unwrap();
    world.store.note(Milestone::Connected { attempt, at }).await.unwrap();
    let events: Vec<DispatchEvent> =
        world.dispatches.dispatches_of(other.reference).await.unwrap().iter().map(|one| one.event).collect();
    assert_eq!(events, [DispatchEvent::Connected, DispatchEvent::Ended]);
}

async fn what_another_life_settles_is_told_too(mut world: World) {
    let spring = telling("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&contact, 0).await;
    let ended_at = world.now();
    world.crash().await;
    // As the next life does, before it knows any definition.
    world.store.settle(settlement(attempt, &recorded, 0, CallResult::Unknown, ended_at)).await.unwrap();
    let told = world.only(Channel::Callback, &spring).await;
    assert_eq!((told.event, told.attempt), (DispatchEvent::Ended, Some(attempt)));
}

async fn who_tells_nobody_writes_nothing(mut world: World) {
    let (spring, told) = (campaign("spring"), telling("told"));
    world.apply(&[&spring, &told]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    assert_eq!(world.dispatches.lanes().await.unwrap(), []);
    // What was written goes where it led, also when the callback is taken out of the file.
    world.import(&told, vec![contact_of("d1", 1), contact_of("d2", 2)]).await;
    let first = world.find(&told, "d1").await;
    world.call(&first, 0, CallResult::Busy).await;
    let silent = Campaign { callback: None, ..told.clone() };
    world.apply(&[&spring, &silent]).await;
    let second = world.find(&told, "d2").await;
    world.call(&second, 0, CallResult::Busy).await;
    let left = world.only(Channel::Callback, &told).await;
    assert_eq!(left.customer.as_str(), "d1");
    let facts = world.dispatches.dispatch_facts(left.id).await.unwrap().unwrap();
    assert_eq!(facts.callback, told.callback);
}

fn contact_of(customer: &str, serial: u32) -> NewContact {
    contact(customer, &[&format!("+86139{serial:08}")])
}

async fn what_is_not_taken_is_tried_again_and_then_parked(mut world: World) {
    let spring = telling("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let first = world.only(Channel::Callback, &spring).await;
    let later = world.now() + Duration::from_secs(60);
    world.tried(first.id, again(later)).await;
    let page = world.dispatches.lane_page(&lane(Channel::Callback, &spring), 9).await.unwrap();
    assert_eq!(page.waiting[0].due_at, later);
    world.tried(first.id, Tried::Parked { why: "no".to_owned() }).await;
    let parked = world.told(DispatchState::Parked).await;
    assert_eq!((parked.len(), parked[0].tries, parked[0].last_error.as_deref()), (1, 2, Some("no")));
    let counts = world.dispatches.dispatch_counts().await.unwrap()[&Channel::Callback];
    assert_eq!((counts.pending, counts.parked, counts.oldest_parks_at), (0, 1, None));

    // What comes later of the contact goes on; tried again, the older one goes first.
    world.wait(Duration::from_secs(1801));
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let second = world.only(Channel::Callback, &spring).await;
    assert_ne!(second.id, first.id);
    let of = |id| DispatchFilter { id: Some(id), ..DispatchFilter::default() };
    // What somebody moves is written down with it, and what moves nothing is not.
    let (who, action) = ("sue".to_owned(), "delivery.retry".to_owned());
    let deed = Deed { who, role: Role::Admin, action, object: String::new(), result: DeedResult::Done };
    let entry = NewAuditEntry::new(deed);
    let moving = world.dispatches.audited_dispatches(entry.clone());
    assert_eq!(moving.retry_dispatches(&of(second.id), 9).await.unwrap(), 0, "it is not parked");
    assert!(!entry.is_written() && world.store.audit_page(None, 9).await.unwrap().is_empty());
    assert_eq!(moving.retry_dispatches(&DispatchFilter::default(), 9).await.unwrap(), 1);
    assert!(entry.is_written() && world.store.audit_page(None, 9).await.unwrap().len() == 1);
    assert_eq!(world.only(Channel::Callback, &spring).await.id, first.id);
    world.tried(second.id, again(world.now())).await;
    assert_eq!(world.only(Channel::Callback, &spring).await.id, first.id, "what was under way meanwhile waits");
    assert_eq!(moving.drop_dispatches(&of(first.id), "wrong", 9).await.unwrap(), 1);
    assert_eq!(world.store.audit_page(None, 9).await.unwrap().len(), 2);
    assert_eq!(world.only(Channel::Callback, &spring).await.id, second.id);
    assert_eq!(world.told(DispatchState::Dropped).await[0].last_error.as_deref(), Some("wrong"));
    world.tried(first.id, Tried::Sent).await;
    assert_eq!(world.told(DispatchState::Sent).await, [], "what is dropped stays so");
}

async fn what_is_overdue_holds_nothing_up(mut world: World) {
    let spring = telling("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let first = world.only(Channel::Callback, &spring).await;
    world.wait(Duration::from_secs(23 * 3600));
    assert!(world.dispatches.park_overdue().await.unwrap().is_empty());
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    world.wait(Duration::from_secs(3600));
    let parked = world.dispatches.park_overdue().await.unwrap();
    assert_eq!(parked, BTreeMap::from([(lane(Channel::Callback, &spring), 1)]));
    assert_eq!(world.told(DispatchState::Parked).await[0].id, first.id);
    let second = world.only(Channel::Callback, &spring).await;
    assert!(second.id > first.id && second.due_at == Some(world.now()));
}

async fn who_was_not_reached_is_sent_one_message(mut world: World) {
    let spring = texting("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    for (customer, result) in [("c1", CallResult::Answered), ("c2", CallResult::Busy)] {
        let contact = world.find(&spring, customer).await;
        world.call(&contact, 0, result).await;
    }
    assert_eq!(world.find(&spring, "c2").await.progress.ended, Some(ContactEnd::NotReached));
    let told = world.only(Channel::Sms, &spring).await;
    assert_eq!((told.customer.as_str(), told.event, told.attempt), ("c2", DispatchEvent::NotReached, None));
    let opens = world.now() + Duration::from_secs(7200);
    world.tried(told.id, Tried::NotYet { at: opens }).await;
    let waits = world.only(Channel::Sms, &spring).await;
    assert_eq!((waits.due_at, waits.tries, waits.park_at > opens), (Some(opens), 0, true));
    world.tried(told.id, Tried::Sent).await;
    assert_eq!(world.due(Channel::Sms, &spring).await, []);

    // One that was not sent, since the contact was taken up again meanwhile, is written anew.
    let contact = world.find(&spring, "c3").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let told = world.only(Channel::Sms, &spring).await;
    world.tried(told.id, Tried::Undone).await;
    let ended = world.find(&spring, "c3").await;
    let reopened = crate::domain::contact::Progress { ended: None, ..ended.progress.clone() };
    world.store.advance(ended.reference, ended.version, reopened).await.unwrap();
    world.store.advance(ended.reference, ended.version + 1, ended.progress.clone()).await.unwrap();
    let anew = world.only(Channel::Sms, &spring).await;
    assert!(anew.customer.as_str() == "c3" && anew.id > told.id);
}

async fn a_message_that_was_claimed_is_known_to_have_been(mut world: World) {
    let spring = texting("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let told = world.only(Channel::Sms, &spring).await;
    assert!(world.dispatches.claim_dispatch(told.id).await.unwrap());
    assert!(!world.dispatches.claim_dispatch(told.id).await.unwrap(), "once");
    world.crash().await;
    world.apply(&[&spring]).await;
    assert!(world.dispatches.dispatch_facts(told.id).await.unwrap().unwrap().claimed);
    world.tried(told.id, Tried::Parked { why: "it may have been sent".to_owned() }).await;
    assert_eq!(world.dispatches.retry_dispatches(&DispatchFilter::default(), 9).await.unwrap(), 1);
    assert!(world.dispatches.claim_dispatch(told.id).await.unwrap(), "a person has said so");
    world.tried(told.id, again(world.now())).await;
    assert!(world.dispatches.claim_dispatch(told.id).await.unwrap(), "it was refused");
}

async fn erasure_leaves_nothing_to_be_told(mut world: World) {
    let spring = Campaign { failure_sms: texting("x").failure_sms, results: policy(1, 1), ..telling("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    assert_eq!(world.told(DispatchState::Pending).await.len(), 2);
    world.store.erase(&spring.id, &contact.customer).await.unwrap();
    assert_eq!(world.told(DispatchState::Pending).await, []);
    let dropped = world.told(DispatchState::Dropped).await;
    let erased = |one: &DispatchRecord| one.last_error.as_deref() == Some("erased") && one.customer != contact.customer;
    assert!(dropped.len() == 2 && dropped.iter().all(erased), "{dropped:?}");
    assert_eq!((world.due(Channel::Callback, &spring).await, world.due(Channel::Sms, &spring).await), (vec![], vec![]));
}

async fn lanes_are_told_and_found_again(mut world: World) {
    let (spring, summer) = (telling("spring"), telling("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    let wanted = lane(Channel::Callback, &spring);
    let news = world.dispatches.news();
    let told = tokio::time::timeout(Duration::from_secs(5), news.taken()).await.expect("it is told");
    assert_eq!(told.into_iter().collect::<Vec<_>>(), std::slice::from_ref(&wanted));
    world.crash().await;
    assert_eq!(world.dispatches.lanes().await.unwrap(), [wanted]);
}
