//! What each verb does, and what a crash leaves.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    domain::{agent::Availability, contact::ContactEnd, due::DueBy, order::Class},
    store::{LeftoverLeg, Milestone, StoreError},
};

on_both_stores!(
    a_new_store_is_empty,
    a_generation_is_put_in_force_once,
    an_earlier_commit_can_come_back,
    a_campaign_retires_and_returns_with_its_contacts,
    an_import_adds_once,
    an_import_of_more_than_one_statement_keeps_its_order,
    candidates_come_in_order_and_tell_of_the_rest,
    candidates_are_those_who_may_be_called,
    an_intent_makes_an_attempt,
    a_settlement_moves_the_contact_on_once,
    a_withdrawn_intent_counts_nowhere,
    attempts_are_read_in_pages,
    contacts_are_read_in_pages,
    a_crash_leaves_legs_and_attempts,
    a_crash_before_the_second_is_over_still_counts_placements,
    advance_is_refused_as_stale,
    availabilities_are_kept,
    why_tells_past_and_future,
    a_closed_store_says_so,
);

async fn a_new_store_is_empty(mut world: World) {
    assert_eq!(world.store.epoch().0, 1);
    let key = world.store.dialog_key();
    assert_eq!(world.store.applied().await.unwrap(), None);
    assert_eq!(world.store.campaigns().await.unwrap(), []);
    assert_eq!(world.store.leftovers().await.unwrap(), Default::default());
    world.store.heartbeat().await.unwrap();
    world.crash().await;
    assert_eq!(world.store.epoch().0, 2);
    assert_eq!(world.store.dialog_key(), key);
}

async fn a_generation_is_put_in_force_once(mut world: World) {
    let spring = campaign("spring");
    let generation = world.apply(&[&spring]).await;
    let applied = world.store.applied().await.unwrap();
    assert_eq!(applied, Some((generation.revision.clone(), world.now())));
    world.wait(Duration::from_secs(60));
    world.store.apply(generation.clone(), Vec::new(), Against::Whatever).await.unwrap();
    assert_eq!(world.store.applied().await.unwrap(), applied);
    let stored = world.store.campaigns().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((&stored[0].id, &*stored[0].name, stored[0].retired), (&spring.id, "spring", false));
    assert_eq!((&stored[0].revision, &*stored[0].digest), (&generation.revision, "digest of spring"));
    let missing = put(&campaign_id("missing"));
    assert!(matches!(
        world.store.apply(generation, vec![missing], Against::Whatever).await,
        Err(StoreError::UnknownCampaign(_))
    ));
}

/// Reconciling holds rewritten history and an operator may release it; the store follows.
async fn an_earlier_commit_can_come_back(mut world: World) {
    let spring = campaign("spring");
    let first = world.apply(&[&spring]).await;
    let second = world.apply(&[&spring]).await;
    assert_eq!(world.store.applied().await.unwrap().unwrap().0, second.revision);
    world.store.apply(first.clone(), Vec::new(), Against::Whatever).await.unwrap();
    assert_eq!(world.store.applied().await.unwrap().unwrap().0, first.revision);
    world.crash().await;
    assert_eq!(world.store.applied().await.unwrap().unwrap().0, first.revision);
}

async fn a_campaign_retires_and_returns_with_its_contacts(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let retire = vec![CampaignChange::Retire { id: spring.id.clone() }];
    world.store.apply(generation(2, &[]), retire, Against::Whatever).await.unwrap();
    assert!(world.store.campaigns().await.unwrap()[0].retired);
    let contact = world.find(&spring, "c1").await;
    assert_eq!(world.refusal(&contact, 0).await, Hold::Retired);
    world.generations = 2;
    world.apply(&[&spring]).await;
    assert!(!world.store.campaigns().await.unwrap()[0].retired);
    assert_eq!(world.customers(&spring).await, ["c1", "c2"]);
    let unknown = CampaignChange::Retire { id: campaign_id("unknown") };
    let answer = world.store.apply(generation(9, &[&spring]), vec![unknown], Against::Whatever).await;
    assert!(matches!(answer, Err(StoreError::UnknownCampaign(_))));
}

async fn an_import_adds_once(mut world: World) {
    let spring = campaign("spring");
    let unknown = world.store.import(&spring.id, &batch_id("first"), contacts(1)).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
    world.apply(&[&spring]).await;
    let rows = vec![
        contact("a", &["+8613800000001", "+862880001111"]),
        NewContact { custom_field: Some("x \"y\" \u{0}z".into()), ..contact("b", &["+8613800000002"]) },
    ];
    let outcome = world.import(&spring, rows.clone()).await;
    assert_eq!((outcome.added, outcome.unchanged, outcome.conflicting), (2, 0, vec![]));
    let outcome = world.import(&spring, rows).await;
    assert_eq!((outcome.added, outcome.unchanged, outcome.conflicting), (0, 2, vec![]));
    let changed = vec![
        contact("new", &["+8613800000009"]),
        contact("a", &["+862880001111", "+8613800000001"]),
        NewContact { priority: Priority::new(1).unwrap(), ..contact("a", &["+8613800000001", "+862880001111"]) },
        NewContact { not_before: Some(world.now()), ..contact("a", &["+8613800000001", "+862880001111"]) },
        contact("b", &["+8613800000002"]),
        contact("new", &["+8613800000009"]),
        contact("new", &["+8613800000008"]),
    ];
    let outcome = world.import(&spring, changed).await;
    assert_eq!((outcome.added, outcome.unchanged, outcome.conflicting), (1, 1, vec![1, 2, 3, 4, 6]));
    assert_eq!(world.customers(&spring).await, ["a", "b", "new"]);
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.contacts, tally.fresh), (3, 3));
    let kept = world.find(&spring, "a").await;
    assert_eq!((kept.version, kept.priority, kept.not_before), (1, Priority::DEFAULT, None));
    assert_eq!(kept.progress.numbers[0].category.as_str(), "mobile");
    assert_eq!(kept.progress.numbers[1].e164, e164("+862880001111"));
}

async fn an_import_of_more_than_one_statement_keeps_its_order(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let mut rows = contacts(1200);
    rows.push(contact("c1", &["+8613800009999"]));
    let outcome = world.import(&spring, rows).await;
    assert_eq!((outcome.added, outcome.unchanged, outcome.conflicting), (1200, 0, vec![1200]));
    let page = world.store.candidates(&spring.id, world.now(), 2000).await.unwrap();
    let orders: Vec<i64> = page.ready.iter().map(|contact| contact.import_order).collect();
    assert_eq!(orders, (1..=1200).collect::<Vec<i64>>());
    assert_eq!(page.ready[1199].customer, customer_id("c1200"));
}

async fn candidates_come_in_order_and_tell_of_the_rest(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let mut rows = contacts(5);
    rows[3].priority = Priority::new(1).unwrap();
    rows[1].not_before = Some(world.now() + Duration::from_secs(60));
    rows[2].not_before = Some(world.now());
    world.import(&spring, rows).await;
    let page = world.store.candidates(&spring.id, world.now(), 3).await.unwrap();
    let customers: Vec<&str> = page.ready.iter().map(|contact| contact.customer.as_str()).collect();
    assert_eq!(customers, ["c4", "c1", "c3"]);
    assert_eq!((page.open, page.total), (5, 5));
    assert_eq!(page.next_ready_at, Some(world.now() + Duration::from_secs(60)));
    assert_eq!(page.caller_usage, BTreeMap::new());
    world.wait(Duration::from_secs(60));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at), (5, None));
    let unknown = world.store.candidates(&campaign_id("unknown"), world.now(), 1).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
}

async fn candidates_are_those_who_may_be_called(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(5)).await;
    world.import(&summer, vec![contact("c2", &["+8613900000002"]), contact("s", &["+8613900000003"])]).await;
    let first = world.find(&spring, "c2").await;
    let (attempt, recorded) = world.place(&first, 0).await;
    let page = async |world: &World, campaign: &Campaign, limit| {
        world.store.candidates(&campaign.id, world.now(), limit).await.unwrap()
    };
    let left_out = page(&world, &summer, 9).await;
    assert_eq!((left_out.ready.len(), left_out.on_call), (1, true));
    assert!(!page(&world, &spring, 9).await.on_call, "the call is its own");
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    assert!(!page(&world, &summer, 9).await.on_call);
    world.settings.permission = DialPermission::Listed(vec![e164("+8613800000004"), e164("+8613800000005")]);
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.customers(&spring).await, ["c4", "c5"]);
    assert_eq!(page(&world, &spring, 1).await.ready.len(), 1);
    world.settings.permission = DialPermission::None;
    world.crash().await;
    let nobody = page(&world, &spring, 9).await;
    assert_eq!((nobody.ready.len(), nobody.open, nobody.on_call), (0, 5, false));
}

async fn an_intent_makes_an_attempt(mut world: World) {
    let spring = campaign("spring");
    let generation = world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let first = world.ready(&spring).await.remove(0);
    let (attempt, recorded) = world.place(&first, 0).await;
    assert_eq!((recorded.at, &recorded.revision), (world.now(), &generation.revision));
    assert_eq!((&recorded.policy, &recorded.contact), (&spring.results, &first));
    assert_eq!(recorded.local_date.to_string(), "2031-03-03");
    assert_eq!(recorded.next_day_at, at("2031-03-04T00:00:00+08:00"));
    assert_eq!(world.customers(&spring).await, ["c2"]);
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.fresh, tally.in_progress, tally.live, tally.contacts), (1, 1, 1, 2));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!(page.caller_usage, BTreeMap::from([(e164("+862880000001"), 1)]));
    assert_eq!((page.open, page.total, page.next_ready_at), (2, 2, None));
    let records = world.store.attempts(&spring.id, None, 9).await.unwrap();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.attempt, &record.customer, record.number_index), (attempt, &first.customer, 0));
    assert_eq!((record.placed_at, record.ended_at, record.result), (world.now(), None, None));
    assert_eq!((&record.revision, &*record.daemon_version), (&generation.revision, "0.1.0"));
    assert_eq!((&*record.tzdb_version, &*record.settings_digest), ("2026b", "d1"));
}

async fn a_settlement_moves_the_contact_on_once(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, vec![contact("a", &["+8613800000001", "+8613800000002"])]).await;
    let first = world.ready(&spring).await.remove(0);
    let (attempt, recorded) = world.place(&first, 0).await;
    world.wait(Duration::from_secs(20));
    let settled = settlement(attempt, &recorded, 0, CallResult::Busy, world.now());
    world.store.settle(settled.clone()).await.unwrap();
    let after = world.find(&spring, "a").await;
    assert_eq!((after.version, &after.progress), (first.version + 1, &settled.progress));
    assert_eq!(after.progress.pass, Some(0));
    world.store.settle(Settlement { result: CallResult::Answered, ..settled.clone() }).await.unwrap();
    assert_eq!(world.find(&spring, "a").await, after);
    let never = AttemptId { serial: 77, ..attempt };
    world.store.settle(Settlement { attempt: never, ..settled.clone() }).await.unwrap();
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.live, tally.in_progress), (0, 1));
    assert_eq!(tally.attempts, BTreeMap::from([(CallResult::Busy, 1)]));
    let record = world.store.attempts(&spring.id, None, 9).await.unwrap().remove(0);
    assert_eq!((record.result, record.ended_at), (Some(CallResult::Busy), Some(world.now())));
    assert_eq!((record.fail_code.as_deref(), record.sip_status, record.q850), (Some("00000"), Some(486), Some(17)));
    // The pass goes on with the next number, and success ends the contact.
    assert_eq!(world.customers(&spring).await, ["a"]);
    world.call(&after, 1, CallResult::Answered).await;
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at, page.open, page.total), (0, None, 0, 1));
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!(tally.ended, BTreeMap::from([("reached", 1)]));
    assert_eq!(world.find(&spring, "a").await.progress.ended, Some(ContactEnd::Reached));
}

async fn a_withdrawn_intent_counts_nowhere(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.max_calls_per_second = Some(nonzero(1));
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let first = world.ready(&spring).await.remove(0);
    let before = world.store.tally(&spring.id).await.unwrap();
    let (attempt, _) = world.place(&first, 0).await;
    world.store.withdraw_intent(attempt).await.unwrap();
    world.store.withdraw_intent(attempt).await.unwrap();
    assert_eq!(world.store.tally(&spring.id).await.unwrap(), before);
    assert_eq!(world.ready(&spring).await, std::slice::from_ref(&first));
    assert_eq!(world.store.attempts(&spring.id, None, 9).await.unwrap(), []);
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!(page.caller_usage, BTreeMap::new());
    world.call(&first, 0, CallResult::Busy).await;
    // An attempt that has ended stays.
    let last = world.store.attempts(&spring.id, None, 9).await.unwrap();
    world.store.withdraw_intent(last[0].attempt).await.unwrap();
    assert_eq!(world.store.attempts(&spring.id, None, 9).await.unwrap(), last);
    world.crash().await;
    assert_eq!(world.store.leftovers().await.unwrap().attempts, []);
}

async fn attempts_are_read_in_pages(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(3)).await;
    world.import(&summer, vec![contact("s", &["+8613900000001"])]).await;
    for contact in world.ready(&spring).await.iter().chain(&world.ready(&summer).await) {
        world.call(contact, 0, CallResult::Busy).await;
    }
    let page = world.store.attempts(&spring.id, None, 2).await.unwrap();
    let serials = |page: &[crate::store::AttemptRecord]| page.iter().map(|r| r.attempt.serial).collect::<Vec<_>>();
    assert_eq!(serials(&page), [1, 2]);
    let page = world.store.attempts(&spring.id, Some(page[1].attempt), 2).await.unwrap();
    assert_eq!(serials(&page), [3]);
    let history = world.store.contact(&summer.id, &customer_id("s")).await.unwrap().unwrap();
    assert_eq!(serials(&history.attempts), [4]);
    assert_eq!(world.store.contact(&summer.id, &customer_id("nobody")).await.unwrap(), None);
    let unknown = world.store.attempts(&campaign_id("unknown"), None, 1).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
}

async fn contacts_are_read_in_pages(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.store.contacts_page(&spring.id, None, 9).await.unwrap(), []);
    // By customer, whatever the order of import.
    for customer in ["c3", "C1", "c20", "c2"] {
        world.import(&spring, vec![contact(customer, &["+8613900000001", "+8613900000002"])]).await;
        world.import(&summer, vec![contact(customer, &["+8613900000003"])]).await;
    }
    world.call(&world.find(&spring, "c20").await, 0, CallResult::Busy).await;
    let mut read = Vec::new();
    loop {
        let after = read.last().map(|contact: &Contact| contact.customer.clone());
        let page = world.store.contacts_page(&spring.id, after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read.iter().map(|contact| contact.customer.as_str()).collect::<Vec<_>>(), ["C1", "c2", "c20", "c3"]);
    for contact in &read {
        assert_eq!(*contact, world.find(&spring, contact.customer.as_str()).await);
    }
    assert_eq!(read[2].progress.attempts, 1);
    let unknown = world.store.contacts_page(&campaign_id("unknown"), None, 1).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
}

async fn a_crash_leaves_legs_and_attempts(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(4)).await;
    let ready = world.ready(&spring).await;
    let epoch = world.store.epoch();
    let agent_leg = LegRecord {
        leg: LegId { epoch, serial: 1 },
        destination: Destination::Agent { agent: AgentId::parse("amy").unwrap(), sip: "sip:amy@192.0.2.7".into() },
        identity: identity(900),
    };
    world.store.record_leg(agent_leg.clone()).await.unwrap();
    let ended_leg = LegRecord { leg: LegId { epoch, serial: 2 }, ..agent_leg.clone() };
    world.store.record_leg(ended_leg.clone()).await.unwrap();
    world.store.note(Milestone::LegEnded { leg: ended_leg.leg }).await.unwrap();
    let placed_at = world.now();
    let (ringing, recorded) = world.place(&ready[0], 0).await;
    let (talking, _) = world.place(&ready[1], 0).await;
    let (settled, recorded_too) = world.place(&ready[2], 0).await;
    world.settle(settled, &recorded_too, 0, CallResult::NoAnswer).await;
    world.wait(Duration::from_secs(5));
    let rings_at = world.now();
    let leg = |serial: u32| LegId { epoch, serial: 1000 + serial };
    let note = |leg, serial, answered_at| Milestone::Leg {
        leg,
        identity: identity(serial),
        rang_at: Some(rings_at),
        answered_at,
    };
    world.store.note(note(leg(1), 101, None)).await.unwrap();
    world.wait(Duration::from_secs(5));
    let answered_at = world.now();
    world.store.note(note(leg(2), 102, Some(answered_at))).await.unwrap();
    world.wait(Duration::from_secs(1));
    let connected_at = world.now();
    world.store.note(Milestone::Connected { attempt: talking, at: connected_at }).await.unwrap();
    world.store.note(note(leg(77), 1, None)).await.unwrap();
    assert_eq!(world.store.leftovers().await.unwrap(), Default::default());

    world.crash().await;
    let left = world.store.leftovers().await.unwrap();
    let legs: Vec<(LegId, bool, &str)> =
        left.legs.iter().map(|l| (l.record.leg, l.answered, &*l.record.identity.call_id)).collect();
    assert_eq!(
        legs,
        [
            (agent_leg.leg, false, "call-900"),
            (leg(1), false, "call-101"),
            (leg(2), true, "call-102"),
            (leg(3), false, "call-3")
        ]
    );
    assert_eq!(left.legs[0], LeftoverLeg { record: agent_leg, answered: false });
    assert_eq!(left.legs[1].record.destination, customer_leg(e164("+8613800000001")));
    let attempts: Vec<_> = left.attempts.iter().map(|a| (a.attempt, a.answered_at, a.last_event_at)).collect();
    assert_eq!(attempts, [(ringing, None, rings_at), (talking, Some(answered_at), connected_at)]);
    let first = &left.attempts[0];
    assert_eq!((first.placed_at, first.number, &first.contact), (placed_at, 0, &ready[0]));
    assert_eq!((&first.policy, first.local_date), (&recorded.policy, recorded.local_date));
    assert_eq!((first.next_day_at, &first.caller_number), (recorded.next_day_at, &e164("+862880000001")));
    assert_eq!(left.attempts[1].connected_at, Some(connected_at));

    // This life has no definitions yet, so nobody is called; then their customers are in a call until
    // they are settled.
    assert_eq!(world.customers(&spring).await, [""; 0]);
    assert_eq!(world.refusal(&ready[3], 0).await, Hold::StoreUnavailable);
    world.apply(&[&spring]).await;
    assert_eq!(world.customers(&spring).await, ["c4"]);
    assert_eq!(world.refusal(&ready[0], 0).await, Hold::CustomerOnCall);
    for attempt in &left.attempts {
        let recorded = RecordedIntent { contact: attempt.contact.clone(), ..recorded.clone() };
        world.settle(attempt.attempt, &recorded, 0, CallResult::Unknown).await;
    }
    for leg in &left.legs {
        world.store.note(Milestone::LegEnded { leg: leg.record.leg }).await.unwrap();
    }
    assert_eq!(world.store.leftovers().await.unwrap(), Default::default());
    let (attempt, _) = world.place(&ready[3], 0).await;
    assert_eq!(attempt.epoch.0, 2);
}

async fn a_crash_before_the_second_is_over_still_counts_placements(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.max_calls_per_second = Some(nonzero(1));
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    let ready = world.ready(&spring).await;
    world.call(&ready[0], 0, CallResult::Busy).await;
    world.wait(Duration::from_millis(400));
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&ready[1], 0).await, Hold::CallRate { limit: 1 });
    world.wait(Duration::from_millis(599));
    assert_eq!(world.refusal(&ready[1], 0).await, Hold::CallRate { limit: 1 });
    world.wait(Duration::from_millis(1));
    world.place(&ready[1], 0).await;
}

async fn advance_is_refused_as_stale(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let first = world.find(&spring, "c1").await;
    let mut progress = first.progress.clone();
    progress.ended = Some(ContactEnd::NotReached);
    world.store.advance(first.reference, 9, progress.clone()).await.unwrap();
    world.store.advance(no_contact(), 1, progress.clone()).await.unwrap();
    assert_eq!(world.find(&spring, "c1").await, first);
    world.store.advance(first.reference, 1, progress.clone()).await.unwrap();
    let after = world.find(&spring, "c1").await;
    assert_eq!((after.version, &after.progress), (2, &progress));
    assert_eq!(world.customers(&spring).await, [""; 0]);
    assert_eq!(world.store.tally(&spring.id).await.unwrap().ended, BTreeMap::from([("not_reached", 1)]));
}

async fn availabilities_are_kept(mut world: World) {
    let [amy, bob] = ["amy", "bob"].map(|id| AgentId::parse(id).unwrap());
    world.store.set_availability(&bob, Availability::Idle).await.unwrap();
    world.store.set_availability(&amy, Availability::Idle).await.unwrap();
    world.store.set_availability(&amy, Availability::Rest).await.unwrap();
    world.crash().await;
    let kept = world.store.availabilities().await.unwrap();
    assert_eq!(kept, BTreeMap::from([(amy, Availability::Rest), (bob, Availability::Idle)]));
}

async fn why_tells_past_and_future(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let why = async |world: &World| world.store.why(&spring.id, &customer_id("c1"), world.now()).await.unwrap();
    let fresh = why(&world).await.unwrap();
    assert_eq!((fresh.next.unwrap().class, fresh.hold, fresh.history.attempts.len()), (Class::Fresh, None, 0));
    let first = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&first, 0).await;
    assert_eq!(why(&world).await.unwrap().hold, Some(Hold::CustomerOnCall));
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    let due_at = world.now() + Duration::from_secs(1800);
    let waiting = why(&world).await.unwrap();
    let by = DueBy::Interval { after: CallResult::Busy };
    assert_eq!((waiting.next.unwrap().class, waiting.next.unwrap().ready_at), (Class::Retry, due_at));
    assert_eq!((waiting.hold, waiting.history.attempts.len()), (Some(Hold::NotDue { due_at, by }), 1));
    assert_eq!(world.store.why(&spring.id, &customer_id("nobody"), world.now()).await.unwrap(), None);
    world.wait(Duration::from_secs(1800));
    let second = world.find(&spring, "c1").await;
    world.call(&second, 0, CallResult::Answered).await;
    let ended = why(&world).await.unwrap();
    assert_eq!((ended.next, ended.hold, ended.history.attempts.len()), (None, None, 2));
    world.crash().await;
    let contact = customer_id("c2");
    let unapplied = world.store.why(&spring.id, &contact, world.now()).await.unwrap().unwrap();
    assert_eq!(unapplied.hold, Some(Hold::StoreUnavailable));
}

async fn a_closed_store_says_so(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.store.close().await.unwrap();
    world.store.close().await.unwrap();
    assert!(matches!(world.store.heartbeat().await, Err(StoreError::Closed)));
    assert!(matches!(world.store.campaigns().await, Err(StoreError::Closed)));
    assert!(matches!(world.store.import(&spring.id, &batch_id("first"), contacts(1)).await, Err(StoreError::Closed)));
    world.crash().await;
    assert_eq!(world.store.campaigns().await.unwrap().len(), 1);
}
