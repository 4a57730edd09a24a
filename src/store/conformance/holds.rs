//! Every hold that the gate gives, and what each leaves behind.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::domain::{campaign::PerNumberLimit, contact::ContactEnd, due::DueBy};

on_both_stores!(
    nothing_is_dialled_before_a_generation_is_in_force,
    the_settings_and_the_campaign_hold,
    a_picked_contact_must_not_have_changed,
    caps_hold_live_calls,
    caps_hold_calls_per_second,
    one_live_call_a_customer_over_all_campaigns,
    who_shares_a_number_is_one_customer,
    a_number_at_its_limit_gives_way_to_the_next,
    a_number_spoken_with_rests,
    attempts_spent_end_the_contact,
    attempts_that_other_campaigns_spent_stay_spent,
    a_shrunken_day_budget_waits_for_the_next_day,
    spent_days_end_the_number,
    an_edit_releases_what_a_cap_held,
);

async fn one_contact(world: &mut World, campaign: &Campaign) -> Contact {
    world.apply(&[campaign]).await;
    world.import(campaign, contacts(1)).await;
    world.find(campaign, "c1").await
}

async fn nothing_is_dialled_before_a_generation_is_in_force(mut world: World) {
    let spring = campaign("spring");
    let first = one_contact(&mut world, &spring).await;
    world.crash().await;
    assert_eq!(world.refusal(&first, 0).await, Hold::StoreUnavailable);
    world.store.apply(generation(1, &[&spring]), Vec::new(), Against::Whatever).await.unwrap();
    world.place(&first, 0).await;
}

async fn the_settings_and_the_campaign_hold(mut world: World) {
    let mut spring = campaign("spring");
    let first = one_contact(&mut world, &spring).await;
    spring.desired = DesiredState::Paused;
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::Paused);
    spring.desired = DesiredState::Running;
    spring.starts_at = world.now() + Duration::from_secs(1);
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::NotStarted { starts_at: spring.starts_at });
    spring.starts_at = at("2031-03-01T00:00:00Z");
    spring.ends_at = world.now() + Duration::from_secs(1);
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::Expired);
    spring.ends_at = at("2031-04-01T00:00:00Z");
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let evening = vec![Window::parse("18:00-20:00").unwrap()];
    spring.hours = CallingHours::new("Asia/Shanghai", zone, evening).unwrap();
    world.apply(&[&spring]).await;
    let opens_at = Some(at("2031-03-03T18:00:00+08:00"));
    assert_eq!(world.refusal(&first, 0).await, Hold::WindowClosed { opens_at, timezone: "Asia/Shanghai".into() });
    let spring = campaign("spring");
    world.settings.permission = DialPermission::Listed(vec![e164("+8613900000000")]);
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::NotListed);
    world.settings.permission = DialPermission::None;
    world.crash().await;
    world.apply(&[&spring]).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::DiallingOff);
    assert_eq!(world.find(&spring, "c1").await, first);
    assert_eq!(world.store.attempts(&spring.id, None, 9).await.unwrap(), []);
}

async fn a_picked_contact_must_not_have_changed(mut world: World) {
    let spring = campaign("spring");
    let first = one_contact(&mut world, &spring).await;
    let gone = Contact { reference: no_contact(), ..first.clone() };
    assert_eq!(world.refusal(&gone, 0).await, Hold::Stale);
    assert_eq!(world.refusal(&Contact { version: 7, ..first.clone() }, 0).await, Hold::Stale);
    assert_eq!(world.refusal(&first, 5).await, Hold::Stale);
    world.call(&first, 0, CallResult::Busy).await;
    assert_eq!(world.refusal(&first, 0).await, Hold::Stale);
    let again = world.find(&spring, "c1").await;
    let due_at = world.now() + Duration::from_secs(1800);
    let by = DueBy::Interval { after: CallResult::Busy };
    assert_eq!(world.refusal(&again, 0).await, Hold::NotDue { due_at, by });
    world.wait(Duration::from_secs(1800));
    world.call(&again, 0, CallResult::Answered).await;
    let ended = world.find(&spring, "c1").await;
    assert_eq!(world.refusal(&ended, 0).await, Hold::ContactEnded);
}

async fn caps_hold_live_calls(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.max_concurrent_calls = Some(nonzero(1));
    let summer = campaign("summer");
    let caps = Caps { tenant_calls: 3, trunk_calls: 2, ..world.settings.caps[&trunk()] };
    let spare = TrunkId::parse("spare").unwrap();
    world.settings.caps = BTreeMap::from([(trunk(), caps), (spare.clone(), caps)]);
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(2)).await;
    world.import(&summer, (10..16).map(|i| contact(&format!("s{i}"), &[&format!("+861390000{i:04}")])).collect()).await;
    let (spring_ready, summer_ready) = (world.ready(&spring).await, world.ready(&summer).await);
    let (attempt, recorded) = world.place(&spring_ready[0], 0).await;
    assert_eq!(world.refusal(&spring_ready[1], 0).await, Hold::CampaignAtLimit { limit: 1 });
    world.place(&summer_ready[0], 0).await;
    assert_eq!(world.refusal(&summer_ready[1], 0).await, Hold::TrunkAtLimit { limit: 2 });
    let request = IntentRequest { trunk: spare.clone(), ..world.request(&summer_ready[1], 0) };
    assert!(matches!(world.store.record_intent(request).await.unwrap(), IntentDecision::Recorded(_)));
    let request = IntentRequest { trunk: spare, ..world.request(&summer_ready[2], 0) };
    let refused = IntentDecision::Refused(Hold::TenantAtLimit { limit: 3 });
    assert_eq!(world.store.record_intent(request).await.unwrap(), refused);
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.refusal(&spring_ready[1], 0).await, Hold::CampaignAtLimit { limit: 1 });
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    world.place(&spring_ready[1], 0).await;
    let unknown = TrunkId::parse("unknown").unwrap();
    let request = IntentRequest { trunk: unknown, ..world.request(&summer_ready[2], 0) };
    assert!(matches!(world.store.record_intent(request).await.unwrap(), IntentDecision::Refused(_)));
}

async fn caps_hold_calls_per_second(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.max_calls_per_second = Some(nonzero(2));
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(4)).await;
    let ready = world.ready(&spring).await;
    world.place(&ready[0], 0).await;
    world.wait(Duration::from_millis(500));
    world.call(&ready[1], 0, CallResult::Vacant).await;
    assert_eq!(world.refusal(&ready[2], 0).await, Hold::CallRate { limit: 2 });
    world.wait(Duration::from_micros(499_999));
    assert_eq!(world.refusal(&ready[2], 0).await, Hold::CallRate { limit: 2 });
    world.wait(Duration::from_micros(1));
    world.place(&ready[2], 0).await;
    assert_eq!(world.refusal(&ready[3], 0).await, Hold::CallRate { limit: 2 });
}

async fn one_live_call_a_customer_over_all_campaigns(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, vec![contact("a", &["+8613800000001"]), contact("b", &["+8613800000002"])]).await;
    world.import(&summer, vec![contact("a", &["+8613800000003"]), contact("z", &["+8613800000002"])]).await;
    let (in_spring, in_summer) = (world.ready(&spring).await, world.ready(&summer).await);
    let (first, recorded) = world.place(&in_spring[0], 0).await;
    assert_eq!(world.refusal(&in_spring[0], 0).await, Hold::CustomerOnCall);
    assert_eq!(world.refusal(&in_summer[0], 0).await, Hold::CustomerOnCall);
    world.place(&in_spring[1], 0).await;
    assert_eq!(world.refusal(&in_summer[1], 0).await, Hold::NumberOnCall);
    assert_eq!(world.customers(&summer).await, [""; 0]);
    world.settle(first, &recorded, 0, CallResult::NoAnswer).await;
    assert_eq!(world.customers(&summer).await, ["a"]);
    world.place(&in_summer[0], 0).await;
}

async fn who_shares_a_number_is_one_customer(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    let (mother, father, home) = ("+8613800000001", "+8613800000002", "+862880001111");
    world.import(&spring, vec![contact("mother", &[mother, home])]).await;
    world.import(&summer, vec![contact("father", &[father, home])]).await;
    let (in_spring, in_summer) = (world.ready(&spring).await, world.ready(&summer).await);
    let (attempt, _) = world.place(&in_spring[0], 0).await;
    assert_eq!(world.refusal(&in_summer[0], 0).await, Hold::CustomerOnCall);
    assert_eq!(world.refusal(&in_summer[0], 1).await, Hold::CustomerOnCall);
    assert_eq!(world.customers(&summer).await, [""; 0]);
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.refusal(&in_summer[0], 0).await, Hold::CustomerOnCall);
    world.store.withdraw_intent(attempt).await.unwrap();
    world.place(&in_summer[0], 1).await;
    assert_eq!(world.refusal(&in_spring[0], 1).await, Hold::NumberOnCall);
}

/// At most `attempts` in a day.
fn per_number(attempts: u32, after_conversation_days: u32) -> Limits {
    let limit = PerNumberLimit { attempts: nonzero(attempts), days: nonzero(1), after_conversation_days };
    Limits { per_number: Some(limit), ..Limits::default() }
}

async fn a_number_at_its_limit_gives_way_to_the_next(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    spring.limits = per_number(1, 0);
    world.apply(&[&spring, &summer]).await;
    world.import(&summer, vec![contact("s", &["+8613800000001"])]).await;
    world.import(&spring, vec![contact("a", &["+8613800000001", "+8613800000002"])]).await;
    let elsewhere = world.find(&summer, "s").await;
    world.call(&elsewhere, 0, CallResult::Busy).await;
    let released_at = world.now() + Duration::from_secs(24 * 3600);
    world.wait(Duration::from_secs(60));
    let first = world.find(&spring, "a").await;
    assert_eq!(world.refusal(&first, 0).await, Hold::NumberAtLimit { released_at });
    let held = world.ready(&spring).await.remove(0);
    assert_eq!(held.version, first.version + 1);
    assert_eq!(held.progress.numbers[0].held_until, Some(released_at));
    assert!(!held.progress.numbers[0].tried);
    assert_eq!(crate::domain::order::next(&spring, &held, world.now()).unwrap().number, 1);
    world.call(&held, 1, CallResult::Busy).await;
    assert_eq!(world.customers(&spring).await, [""; 0]);
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!(page.next_ready_at, Some(world.now() + Duration::from_secs(1800)));
    world.clock.advance(Duration::from_secs(24 * 3600 - 60));
    let released = world.ready(&spring).await.remove(0);
    world.place(&released, 0).await;
}

async fn a_number_spoken_with_rests(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    spring.limits = per_number(9, 2);
    world.apply(&[&spring, &summer]).await;
    world.import(&summer, contacts(1)).await;
    world.import(&spring, contacts(1)).await;
    let elsewhere = world.find(&summer, "c1").await;
    world.call(&elsewhere, 0, CallResult::Answered).await;
    let released_at = world.now() + Duration::from_secs(48 * 3600);
    let first = world.find(&spring, "c1").await;
    assert_eq!(world.refusal(&first, 0).await, Hold::AfterConversation { released_at });
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at, page.open), (0, Some(released_at), 1));
    let why = world.store.why(&spring.id, &customer_id("c1"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.hold, Some(Hold::AfterConversation { released_at }));
}

async fn attempts_spent_end_the_contact(mut world: World) {
    let mut spring = campaign("spring");
    spring.limits.max_attempts_per_contact = Some(nonzero(1));
    world.apply(&[&spring]).await;
    world.import(&spring, vec![contact("a", &["+8613800000001", "+8613800000002"])]).await;
    let first = world.find(&spring, "a").await;
    world.call(&first, 0, CallResult::Busy).await;
    let second = world.find(&spring, "a").await;
    assert_eq!(world.refusal(&second, 1).await, Hold::ContactAttemptsSpent);
    let ended = world.find(&spring, "a").await;
    assert_eq!((ended.progress.ended, ended.progress.pass), (Some(ContactEnd::AttemptsSpent), None));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at, page.open, page.total), (0, None, 0, 1));
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!(tally.ended, BTreeMap::from([("attempts_spent", 1)]));
    // The same cap again changes nothing; a commit that raises it gives the contact more attempts.
    world.apply(&[&spring]).await;
    assert_eq!(world.find(&spring, "a").await.progress.ended, Some(ContactEnd::AttemptsSpent));
    spring.limits.max_attempts_per_contact = Some(nonzero(2));
    world.apply(&[&spring]).await;
    assert_eq!(world.find(&spring, "a").await.progress.ended, None);
    assert_eq!(world.store.tally(&spring.id).await.unwrap().ended, BTreeMap::new());
}

async fn attempts_that_other_campaigns_spent_stay_spent(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    spring.limits.max_attempts_per_contact = Some(nonzero(1));
    world.apply(&[&spring, &summer]).await;
    for campaign in [&spring, &summer] {
        world.import(campaign, contacts(1)).await;
    }
    let elsewhere = world.find(&summer, "c1").await;
    world.call(&elsewhere, 0, CallResult::Busy).await;
    let first = world.find(&spring, "c1").await;
    assert_eq!(world.refusal(&first, 0).await, Hold::ContactAttemptsSpent);
    let spent = world.find(&spring, "c1").await;
    assert_eq!((spent.progress.attempts, spent.progress.ended), (0, Some(ContactEnd::AttemptsSpent)));
    // A commit that leaves the cap alone must not have an agent called for a contact that the gate will refuse.
    spring.priority = Priority::new(1).unwrap();
    world.apply(&[&spring, &summer]).await;
    assert_eq!(world.find(&spring, "c1").await, spent);
    spring.limits.max_attempts_per_contact = Some(nonzero(2));
    world.apply(&[&spring, &summer]).await;
    let released = world.find(&spring, "c1").await;
    assert_eq!(released.progress.ended, None);
    world.place(&released, 0).await;
}

async fn a_shrunken_day_budget_waits_for_the_next_day(mut world: World) {
    let mut spring = campaign("spring");
    let first = one_contact(&mut world, &spring).await;
    world.call(&first, 0, CallResult::Busy).await;
    spring.results = policy(3, 1);
    world.apply(&[&spring]).await;
    world.wait(Duration::from_secs(1800));
    let again = world.ready(&spring).await.remove(0);
    let next_day_at = at("2031-03-04T00:00:00+08:00");
    assert_eq!(world.refusal(&again, 0).await, Hold::DayBudgetSpent { next_day_at });
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at), (0, Some(next_day_at)));
}

async fn spent_days_end_the_number(mut world: World) {
    let mut spring = campaign("spring");
    let first = one_contact(&mut world, &spring).await;
    world.call(&first, 0, CallResult::Busy).await;
    spring.results = policy(1, 2);
    world.apply(&[&spring]).await;
    world.wait(Duration::from_secs(24 * 3600));
    let again = world.ready(&spring).await.remove(0);
    assert_eq!(world.refusal(&again, 0).await, Hold::NumberEnded);
    assert_eq!(world.find(&spring, "c1").await.progress.ended, Some(ContactEnd::NotReached));
    assert_eq!(world.customers(&spring).await, [""; 0]);
}

async fn an_edit_releases_what_a_cap_held(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    spring.limits = per_number(1, 0);
    world.apply(&[&spring, &summer]).await;
    for campaign in [&spring, &summer] {
        world.import(campaign, contacts(1)).await;
    }
    let elsewhere = world.find(&summer, "c1").await;
    world.call(&elsewhere, 0, CallResult::Busy).await;
    let first = world.find(&spring, "c1").await;
    let hold = world.refusal(&first, 0).await;
    assert!(matches!(hold, Hold::NumberAtLimit { .. }));
    world.apply(&[&spring, &summer]).await;
    let again = world.ready(&spring).await.remove(0);
    assert_eq!(world.refusal(&again, 0).await, hold);
    spring.limits = per_number(2, 0);
    world.apply(&[&spring, &summer]).await;
    let released = world.ready(&spring).await.remove(0);
    assert_eq!(released.progress.numbers[0].held_until, None);
    world.place(&released, 0).await;
}
