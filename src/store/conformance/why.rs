//! What holds a contact is told as the gate would, with the rule and until when: one case a hold that a contact can
//! be in.

use super::*;
use crate::domain::{
    attribute::AttributeValue,
    business::{Again, BusinessAction, BusinessRule, SameAgent},
    campaign::{NumberOrder, Others, PerNumberLimit},
    do_not_call::NewEntry,
    due::DueBy,
    filter::{Comparison, Filter, Test},
    ids::{AttributeId, BusinessResultId, DoNotCallId},
};
use crate::store::BusinessRequest;

on_both_stores!(
    a_due_time_is_told_with_what_sets_it,
    a_cap_is_told_also_once_it_has_been_met,
    what_holds_a_customer_is_told,
    what_holds_the_campaign_holds_its_contacts,
    nothing_comes_once_the_campaign_has_expired,
    a_call_for_one_agent_waits_for_that_one,
);

async fn hold(world: &World, campaign: &Campaign, customer: &str) -> Option<Hold> {
    world.store.why(&campaign.id, &customer_id(customer), world.now()).await.unwrap().unwrap().hold
}

fn not_due(due_at: Timestamp, by: DueBy) -> Option<Hold> {
    Some(Hold::NotDue { due_at, by })
}

async fn a_due_time_is_told_with_what_sets_it(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let not_before = at("2031-03-03T12:00:00+08:00");
    let later = NewContact { not_before: Some(not_before), ..contact("later", &["+8613900000001"]) };
    world.import(&spring, vec![later]).await;
    world.import(&spring, contacts(2)).await;
    assert_eq!(hold(&world, &spring, "later").await, not_due(not_before, DueBy::NotBefore));
    assert_eq!(hold(&world, &spring, "c1").await, None);

    let (first, second) = (world.find(&spring, "c1").await, world.find(&spring, "c2").await);
    world.call(&first, 0, CallResult::Busy).await;
    world.call(&second, 0, CallResult::NetworkFailure).await;
    let soon = world.now() + Duration::from_secs(1800);
    assert_eq!(hold(&world, &spring, "c1").await, not_due(soon, DueBy::Interval { after: CallResult::Busy }));
    let after = CallResult::NetworkFailure;
    let back_off = world.now() + Duration::from_secs(10);
    assert_eq!(hold(&world, &spring, "c2").await, not_due(back_off, DueBy::BackOff { after }));

    world.wait(Duration::from_secs(1800));
    let again = world.find(&spring, "c1").await;
    world.call(&again, 0, CallResult::NoAnswer).await;
    let midnight = at("2031-03-04T00:00:00+08:00");
    assert_eq!(hold(&world, &spring, "c1").await, not_due(midnight, DueBy::NextDay));
}

async fn a_cap_is_told_also_once_it_has_been_met(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    let limit = PerNumberLimit { attempts: nonzero(2), days: nonzero(1), after_conversation_days: 2 };
    spring.limits.per_number = Some(limit);
    spring.results = policy(3, 1);
    world.apply(&[&spring, &summer]).await;
    for campaign in [&spring, &summer] {
        world.import(campaign, contacts(3)).await;
    }
    let placed_at = world.now();
    for _ in 0..2 {
        let tried = world.find(&summer, "c1").await;
        world.call(&tried, 0, CallResult::Busy).await;
        world.wait(Duration::from_secs(1800));
    }
    let spoken = world.find(&summer, "c2").await;
    world.call(&spoken, 0, CallResult::Answered).await;
    let spoken_at = world.now();
    let day = Duration::from_secs(24 * 3600);
    let cases = [
        ("c1", Hold::NumberAtLimit { released_at: placed_at + day }),
        ("c2", Hold::AfterConversation { released_at: spoken_at + 2 * day }),
    ];
    for (customer, expected) in cases {
        // Before the gate has met it, when it does, and afterwards.
        assert_eq!(hold(&world, &spring, customer).await.as_ref(), Some(&expected));
        let picked = world.find(&spring, customer).await;
        assert_eq!(world.refusal(&picked, 0).await, expected);
        assert!(world.find(&spring, customer).await.progress.numbers[0].held_until.is_some());
        assert_eq!(hold(&world, &spring, customer).await, Some(expected));
    }

    // A day budget that an edit has shrunk.
    spring.results = policy(3, 2);
    world.apply(&[&spring, &summer]).await;
    let third = world.find(&spring, "c3").await;
    world.call(&third, 0, CallResult::Busy).await;
    spring.results = policy(3, 1);
    world.apply(&[&spring, &summer]).await;
    world.wait(Duration::from_secs(1800));
    let spent = Hold::DayBudgetSpent { next_day_at: at("2031-03-04T00:00:00+08:00") };
    assert_eq!(hold(&world, &spring, "c3").await.as_ref(), Some(&spent));
    let picked = world.find(&spring, "c3").await;
    assert_eq!(world.refusal(&picked, 0).await, spent);
    assert_eq!(hold(&world, &spring, "c3").await, Some(spent));
}

async fn what_holds_a_customer_is_told(mut world: World) {
    let tier = AttributeId::parse("tier").unwrap();
    let gold = |value: &str| Attributes::from([(tier.clone(), AttributeValue::Text(value.to_owned()))]);
    let rounds = vec![CategoryId::parse("mobile").unwrap()];
    let mut spring = Campaign {
        filter: Some(Filter::Test { attribute: tier.clone(), test: Test::Text(Comparison::Eq("gold".to_owned())) }),
        order: NumberOrder::RoundsByCategory { rounds, others: Others::Never },
        do_not_call: vec![DoNotCallId::parse("objected").unwrap()],
        ..campaign("spring")
    };
    let summer = campaign("summer");
    world.apply(&[&spring, &summer]).await;
    let new = |customer: &str, serial: u32| {
        let number = format!("+86138{serial:08}");
        NewContact { attributes: gold("gold"), ..contact(customer, &[&number]) }
    };
    let home = vec![(CategoryId::parse("home").unwrap(), e164("+8613800000006"))];
    let rows = vec![
        new("listed", 1),
        NewContact { attributes: gold("iron"), ..new("left-out", 2) },
        new("spent", 3),
        new("on-call", 4),
        new("shares", 5),
        NewContact { numbers: home, ..new("no-number", 6) },
    ];
    world.import(&spring, rows).await;
    world.import(&summer, vec![new("on-call", 14), new("other", 5)]).await;
    let (objected, until) = (DoNotCallId::parse("objected").unwrap(), at("2031-03-09T00:00:00Z"));
    let entry = NewEntry { number: e164("+8613800000001"), expires_at: Some(until) };
    world.store.import_do_not_call(&objected, vec![entry]).await.unwrap();
    for customer in ["on-call", "other"] {
        let called = world.find(&summer, customer).await;
        world.place(&called, 0).await;
    }
    let held = Hold::DoNotCall { list: objected, until: Some(until) };
    assert_eq!(hold(&world, &spring, "listed").await, Some(held));
    assert_eq!(hold(&world, &spring, "left-out").await, Some(Hold::FilteredOut));
    assert_eq!(hold(&world, &spring, "on-call").await, Some(Hold::CustomerOnCall));
    assert_eq!(hold(&world, &spring, "shares").await, Some(Hold::NumberOnCall));
    assert_eq!(hold(&world, &spring, "no-number").await, Some(Hold::NoNumber));
    let spent = world.find(&spring, "spent").await;
    world.call(&spent, 0, CallResult::Busy).await;
    spring.limits.max_attempts_per_contact = Some(nonzero(1));
    world.apply(&[&spring, &summer]).await;
    world.wait(Duration::from_secs(1800));
    assert_eq!(hold(&world, &spring, "spent").await, Some(Hold::ContactAttemptsSpent));
}

async fn what_holds_the_campaign_holds_its_contacts(mut world: World) {
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    spring.limits.max_concurrent_calls = Some(nonzero(1));
    spring.limits.max_calls_per_second = Some(nonzero(1));
    world.apply(&[&spring]).await;
    let first = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&first, 0).await;
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::CampaignAtLimit { limit: 1 }));
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::CallRate { limit: 1 }));
    world.wait(Duration::from_secs(1));
    assert_eq!(hold(&world, &spring, "c2").await, None);
    spring.desired = DesiredState::Paused;
    world.apply(&[&spring]).await;
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::Paused));
    spring.desired = DesiredState::Running;
    spring.starts_at = at("2031-03-10T00:00:00Z");
    world.apply(&[&spring]).await;
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::NotStarted { starts_at: spring.starts_at }));
    (spring.starts_at, spring.ends_at) = (at("2031-03-01T00:00:00Z"), world.now());
    world.apply(&[&spring]).await;
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::Expired));
    let evening = vec![Window::parse("18:00-20:00").unwrap()];
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let spring = Campaign { hours: CallingHours::new("Asia/Shanghai", zone, evening).unwrap(), ..campaign("spring") };
    world.apply(&[&spring]).await;
    let opens_at = Some(at("2031-03-03T18:00:00+08:00"));
    let closed = Hold::WindowClosed { opens_at, timezone: "Asia/Shanghai".to_owned() };
    assert_eq!(hold(&world, &spring, "c2").await, Some(closed));
    let change = CampaignChange::Retire { id: spring.id.clone() };
    world.store.apply(generation(19, &[]), vec![change], Against::Whatever).await.unwrap();
    assert_eq!(hold(&world, &spring, "c2").await, Some(Hold::Retired));
}

async fn nothing_comes_once_the_campaign_has_expired(mut world: World) {
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    let (busy, reached) = (world.find(&spring, "c1").await, world.find(&spring, "c2").await);
    world.call(&busy, 0, CallResult::Busy).await;
    world.call(&reached, 0, CallResult::Answered).await;
    spring.ends_at = world.now() + Duration::from_secs(60);
    world.apply(&[&spring]).await;
    let told = async |world: &World, customer| {
        let why = world.store.why(&spring.id, &customer_id(customer), world.now()).await.unwrap().unwrap();
        (why.next.is_some(), why.hold)
    };
    let due_at = world.now() + Duration::from_secs(1800);
    let by = DueBy::Interval { after: CallResult::Busy };
    assert_eq!(told(&world, "c1").await, (true, Some(Hold::NotDue { due_at, by })));
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(told(&world, "c1").await, (false, Some(Hold::Expired)), "the gate closes a second before the end");
    assert_eq!(told(&world, "c2").await, (false, None), "who has ended is not held");
    // Also where nobody would be called anyway.
    world.settings.permission = DialPermission::None;
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(told(&world, "c1").await, (false, Some(Hold::Expired)));
}

async fn a_call_for_one_agent_waits_for_that_one(mut world: World) {
    let again = Again {
        interval: Duration::from_secs(600),
        max_times: nonzero(1),
        same_agent: Some(SameAgent { wait: Some(Duration::from_secs(3600)) }),
    };
    let result = BusinessResultId::parse("callback").unwrap();
    let rule = BusinessRule { result, sub_result: None, action: BusinessAction::CallSameNumber(again) };
    let spring = Campaign { business: vec![rule], ..campaign("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let first = world.find(&spring, "c1").await;
    world.call(&first, 0, CallResult::Answered).await;
    let key = BusinessKey::parse("callback").unwrap();
    let request = BusinessRequest {
        campaign: spring.id.clone(),
        customer: customer_id("c1"),
        key: key.clone(),
        attempt: None,
        note: None,
        by: "test".to_owned(),
        at: world.now(),
        by_default: false,
        agent: None,
        callback: None,
    };
    world.store.set_business_result(request).await.unwrap();
    let due_at = world.now() + Duration::from_secs(600);
    assert_eq!(hold(&world, &spring, "c1").await, not_due(due_at, DueBy::Rule { rule: key }));
    world.wait(Duration::from_secs(600));
    let until = due_at + Duration::from_secs(3600);
    let amy = AgentId::parse("amy").unwrap();
    assert_eq!(hold(&world, &spring, "c1").await, Some(Hold::WaitsForAgent { agent: amy, until }));
}
