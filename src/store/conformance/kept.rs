//! Contacts are counted by what keeps them, each by one thing.

use super::*;
use crate::domain::{
    attribute::AttributeValue,
    campaign::{NumberOrder, Others, PerNumberLimit},
    do_not_call::NewEntry,
    filter::{Comparison, Filter, Test},
    ids::{AttributeId, BatchId, DoNotCallId},
    kept::KeptBy,
    zone::ContactZone,
};

on_both_stores!(
    each_contact_is_kept_by_one_thing,
    nobody_is_kept_of_a_campaign_that_is_gone,
    an_entry_that_expires_keeps_until_then,
    limits_are_asked_of_each_contact,
    all_counts_are_of_one_instant,
    more_contacts_than_asked_for_are_not_looked_at,
);

/// What keeps contacts at this instant, until when, and how many.
async fn kept(world: &World, campaign: &Campaign) -> Vec<(KeptBy, Option<Timestamp>, u64)> {
    let counted = world.store.counts(&campaign.id, world.now(), u64::MAX).await.unwrap();
    counted.kept.unwrap().into_iter().map(|kept| (kept.by, kept.until, kept.contacts)).collect()
}

/// Open from nine to ten at night, in each contact's own zone; only mobiles of those whose tier is not iron.
fn spring() -> Campaign {
    let (zone, hours) = (TimeZone::get("Asia/Shanghai").unwrap(), vec![Window::parse("09:00-22:00").unwrap()]);
    let tier = AttributeId::parse("tier").unwrap();
    let iron = Filter::Test { attribute: tier, test: Test::Text(Comparison::Eq("iron".to_owned())) };
    let rounds = vec![CategoryId::parse("mobile").unwrap()];
    Campaign {
        hours: CallingHours::new("Asia/Shanghai", zone, hours).unwrap().in_contact_zone(),
        filter: Some(Filter::Not(Box::new(iron))),
        order: NumberOrder::RoundsByCategory { rounds, others: Others::Never },
        do_not_call: vec![DoNotCallId::parse("objected").unwrap()],
        ..campaign("spring")
    }
}

async fn each_contact_is_kept_by_one_thing(mut world: World) {
    let spring = spring();
    world.apply(&[&spring]).await;
    let number = |serial: u32| format!("+86138{serial:08}");
    let new = |customer: &str, serial| contact(customer, &[&number(serial)]);
    let iron = AttributeValue::Text("iron".to_owned());
    let home = CategoryId::parse("home").unwrap();
    let sleeping =
        |customer, serial| NewContact { timezone: ContactZone::parse("Europe/Berlin"), ..new(customer, serial) };
    world
        .import(
            &spring,
            vec![
                new("busy", 1),
                new("on-call", 2),
                new("listed", 3),
                new("ready", 4),
                sleeping("asleep", 5),
                sleeping("asleep-too", 6),
                NewContact { not_before: Some(at("2031-03-05T09:00:00+08:00")), ..new("later", 7) },
                NewContact {
                    attributes: Attributes::from([(AttributeId::parse("tier").unwrap(), iron)]),
                    ..new("iron", 8)
                },
                NewContact { numbers: vec![(home, e164(&number(9)))], ..new("at-home", 9) },
                new("reached", 10),
            ],
        )
        .await;
    world.import_batch(&spring, "second", vec![new("paused", 11), new("paused-too", 12)]).await;
    world.store.pause_batch(&spring.id, &BatchId::parse("second").unwrap(), true).await.unwrap();
    while world.store.evaluate().await.unwrap().is_some() {}
    let busy = world.find(&spring, "busy").await;
    world.call(&busy, 0, CallResult::Busy).await;
    let reached = world.find(&spring, "reached").await;
    world.call(&reached, 0, CallResult::Answered).await;
    let on_call = world.find(&spring, "on-call").await;
    world.place(&on_call, 0).await;
    let objected = DoNotCallId::parse("objected").unwrap();
    let entry = NewEntry { number: e164(&number(3)), expires_at: None };
    world.store.import_do_not_call(&objected, vec![entry]).await.unwrap();
    assert_eq!(world.customers(&spring).await, ["ready"], "and who is listed was met");

    let berlin = KeptBy::Hours { timezone: "Europe/Berlin".to_owned() };
    let (opens, due) = (at("2031-03-03T09:00:00+01:00"), world.now() + Duration::from_secs(1800));
    let expected = [
        (KeptBy::Nothing, None, 1),
        (berlin, Some(opens), 2),
        (KeptBy::Time, Some(due), 2),
        (KeptBy::Call, None, 1),
        (KeptBy::Filter, None, 1),
        (KeptBy::Batch, None, 2),
        (KeptBy::Lists, None, 1),
        (KeptBy::Rounds, None, 1),
    ];
    assert_eq!(kept(&world, &spring).await, expected);
    world.clock.advance(Duration::from_secs(6 * 3600));
    let awake = kept(&world, &spring).await;
    assert_eq!(awake[0], (KeptBy::Nothing, None, 4), "who was busy or asleep is ready");
    assert_eq!(awake[1], (KeptBy::Time, Some(at("2031-03-05T09:00:00+08:00")), 1));
}

async fn nobody_is_kept_of_a_campaign_that_is_gone(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    assert_eq!(kept(&world, &spring).await, [(KeptBy::Nothing, None, 3)]);
    let change = CampaignChange::Retire { id: spring.id.clone() };
    world.store.apply(generation(9, &[]), vec![change], Against::Whatever).await.unwrap();
    assert_eq!(kept(&world, &spring).await, []);
    assert!(world.store.counts(&campaign_id("sprung"), world.now(), 0).await.is_err());
}

async fn an_entry_that_expires_keeps_until_then(mut world: World) {
    let objected = DoNotCallId::parse("objected").unwrap();
    let spring = Campaign { do_not_call: vec![objected.clone()], ..campaign("spring") };
    world.apply(&[&spring]).await;
    let number = |serial: u32| format!("+86138{serial:08}");
    let new = |customer: &str, serials: &[u32]| {
        let numbers: Vec<String> = serials.iter().copied().map(number).collect();
        contact(customer, &numbers.iter().map(String::as_str).collect::<Vec<_>>())
    };
    world.import(&spring, vec![new("listed", &[1]), new("other-number", &[2, 3]), new("for-good", &[4])]).await;
    let until = world.now() + Duration::from_secs(3600);
    let entry = |serial, expires_at| NewEntry { number: e164(&number(serial)), expires_at };
    let entries = vec![entry(1, Some(until)), entry(2, Some(until)), entry(4, None)];
    world.store.import_do_not_call(&objected, entries).await.unwrap();
    let expected = [(KeptBy::Nothing, None, 1), (KeptBy::Lists, Some(until), 2)];
    assert_eq!(kept(&world, &spring).await, expected, "also before picking has come past");
    assert_eq!(world.customers(&spring).await, ["other-number"]);
    assert_eq!(kept(&world, &spring).await, expected);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(kept(&world, &spring).await, [(KeptBy::Nothing, None, 2), (KeptBy::Lists, None, 1)]);
}

async fn limits_are_asked_of_each_contact(mut world: World) {
    let (mut spring, summer) = (campaign("spring"), campaign("summer"));
    let per_number = PerNumberLimit { attempts: nonzero(1), days: nonzero(1), after_conversation_days: 2 };
    spring.limits.per_number = Some(per_number);
    spring.limits.max_attempts_per_contact = Some(nonzero(2));
    world.apply(&[&spring, &summer]).await;
    let number = |serial: u32| format!("+86138{serial:08}");
    let new = |customer: &str, serial: u32| contact(customer, &[&number(serial)]);
    let customers = ["ready", "limit", "spoken", "spent", "elsewhere"];
    world.import(&spring, customers.iter().zip(1..).map(|(customer, serial)| new(customer, serial)).collect()).await;
    let spent = contact("spent", &[&number(14), &number(15)]);
    world.import(&summer, vec![new("other", 2), new("spoken", 3), spent, new("elsewhere", 16)]).await;
    for (customer, number, result) in [
        ("other", 0, CallResult::Busy),
        ("spoken", 0, CallResult::Answered),
        ("spent", 0, CallResult::Busy),
        ("spent", 1, CallResult::Busy),
    ] {
        let called = world.find(&summer, customer).await;
        world.call(&called, number, result).await;
    }
    let day = Duration::from_secs(24 * 3600);
    let (limit, rest) = (world.now() + day, world.now() + 2 * day);
    let elsewhere = world.find(&summer, "elsewhere").await;
    world.place(&elsewhere, 0).await;
    let expected = [
        (KeptBy::Nothing, None, 1),
        (KeptBy::NumberLimit, Some(limit), 1),
        (KeptBy::Conversation, Some(rest), 1),
        (KeptBy::Attempts, None, 1),
        (KeptBy::Call, None, 1),
    ];
    assert_eq!(kept(&world, &spring).await, expected);
    // Also once the gate has met them, and whatever the campaign itself waits for.
    for customer in ["limit", "spoken"] {
        let met = world.find(&spring, customer).await;
        let _ = world.refusal(&met, 0).await;
    }
    spring.desired = DesiredState::Paused;
    world.store.apply(generation(7, &[&spring, &summer]), Vec::new(), Against::Whatever).await.unwrap();
    assert_eq!(kept(&world, &spring).await, expected);
    // A day's budget that is smaller now, and numbers that are no test numbers.
    (spring.limits, spring.desired) = (Limits::default(), DesiredState::Running);
    world.apply(&[&spring, &summer]).await;
    let ready = world.find(&spring, "ready").await;
    world.call(&ready, 0, CallResult::Busy).await;
    spring.results = policy(3, 1);
    world.settings.permission = DialPermission::Listed(vec![e164(&number(1))]);
    world.crash().await;
    world.apply(&[&spring, &summer]).await;
    world.wait(Duration::from_secs(1800));
    let next_day = at("2031-03-04T00:00:00+08:00");
    let expected = [(KeptBy::Day, Some(next_day), 1), (KeptBy::NoTestNumber, None, 4)];
    assert_eq!(kept(&world, &spring).await, expected);
}

async fn all_counts_are_of_one_instant(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let (store, id) = (world.store.clone(), spring.id.clone());
    let importing = tokio::spawn(async move {
        let batch = BatchId::parse("may").unwrap();
        for serial in 0..60 {
            let new = contact(&format!("n{serial}"), &[&format!("+86138{serial:08}")]);
            store.import(&id, &batch, vec![new]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut seen = 0;
    while !importing.is_finished() {
        let counted = world.store.counts(&spring.id, world.now(), u64::MAX).await.unwrap();
        let kept: u64 = counted.kept.unwrap().iter().map(|kept| kept.contacts).sum();
        assert_eq!((kept, counted.at_once), (counted.tally.fresh, true));
        seen = kept;
        tokio::task::yield_now().await;
    }
    assert!(seen > 0);
    importing.await.unwrap();
}

async fn more_contacts_than_asked_for_are_not_looked_at(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    let kept = async |most| world.store.counts(&spring.id, world.now(), most).await.unwrap().kept.is_some();
    assert_eq!((kept(2).await, kept(3).await), (false, true));
}
