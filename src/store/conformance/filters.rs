//! Attributes and zones are kept; a filter leaves contacts out, at the gate at once, of the candidates
//! as it is applied.

use std::time::Duration;

use super::*;
use crate::{
    domain::{
        attribute::{AttributeValue, Number},
        campaign::{Direction, SortKey, SortType},
        filter::{Comparison, Filter, Test},
        ids::AttributeId,
        zone::ContactZone,
    },
    store::Evaluated,
};

fn id(text: &str) -> AttributeId {
    AttributeId::parse(text).unwrap()
}

fn tier(name: &str) -> Filter {
    Filter::Test { attribute: id("tier"), test: Test::Text(Comparison::Eq(name.to_owned())) }
}

/// Contacts `c0001`… whose tiers are `tiers` in turn.
fn with_tiers(n: u32, tiers: &[&str]) -> Vec<NewContact> {
    let tiers = tiers.iter().map(|tier| AttributeValue::Text((*tier).to_owned())).cycle();
    let new = |(i, tier): (u32, AttributeValue)| NewContact {
        attributes: Attributes::from([(id("tier"), tier)]),
        ..contact(&format!("c{i:04}"), &[&format!("+86138{i:08}")])
    };
    (1..=n).zip(tiers).map(new).collect()
}

/// Applies filters until there is nothing left to do.
async fn evaluate(world: &World) -> Vec<Evaluated> {
    let mut all = Vec::new();
    while let Some(evaluated) = world.store.evaluate().await.unwrap() {
        all.push(evaluated);
    }
    all
}

async fn what_is_known_of_a_customer_is_kept(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let attributes = Attributes::from([
        (id("tier"), AttributeValue::Text("gold \"1\"".to_owned())),
        (id("score"), AttributeValue::Number(Number::parse("-0.1").unwrap())),
        (id("due"), AttributeValue::Date("2031-03-04".parse().unwrap())),
    ]);
    let timezone = ContactZone::parse("Asia/Urumqi");
    let full =
        NewContact { attributes: attributes.clone(), timezone: timezone.clone(), ..contact("a", &["+8613800000001"]) };
    let rows = vec![full.clone(), contact("b", &["+8613800000002"])];
    assert_eq!(world.import(&spring, rows.clone()).await.added, 2);
    assert_eq!(world.import(&spring, rows).await.unchanged, 2);
    let changed = vec![
        NewContact { attributes: Attributes::new(), ..full.clone() },
        NewContact { timezone: None, ..full.clone() },
        NewContact { timezone: ContactZone::parse("Asia/Shanghai"), ..full },
    ];
    assert_eq!(world.import(&spring, changed).await.conflicting, [0, 1, 2]);
    for round in 0..2 {
        let kept = world.find(&spring, "a").await;
        assert_eq!((&kept.attributes, &kept.timezone), (&attributes, &timezone), "round {round}");
        assert_eq!(world.ready(&spring).await[0], kept);
        assert_eq!(world.find(&spring, "b").await.attributes, Attributes::new());
        world.crash().await;
        world.apply(&[&spring]).await;
    }
    let kept = world.find(&spring, "a").await;
    let (_, recorded) = world.place(&kept, 0).await;
    assert_eq!(recorded.contact.attributes, attributes);
}

async fn only_contacts_that_match_are_picked_and_called(mut world: World) {
    let mut spring = campaign("spring");
    spring.filter = Some(tier("gold"));
    world.apply(&[&spring]).await;
    world.import(&spring, with_tiers(4, &["gold", "iron"])).await;
    assert_eq!(evaluate(&world).await, []);
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.ready.len(), page.open, page.matching, page.total), (2, 4, Some(2), 4));
    assert_eq!(world.customers(&spring).await, ["c0001", "c0003"]);
    assert_eq!(world.store.tally(&spring.id).await.unwrap().filtered_out, 2);
    let iron = world.find(&spring, "c0002").await;
    assert_eq!(world.refusal(&iron, 0).await, Hold::FilteredOut);
    let why = world.store.why(&spring.id, &customer_id("c0002"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.hold, Some(Hold::FilteredOut));
    let gold = world.find(&spring, "c0001").await;
    world.call(&gold, 0, CallResult::Answered).await;
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.open, page.matching), (3, Some(1)));
}

async fn a_new_filter_holds_at_once_and_is_applied_by_and_by(mut world: World) {
    let mut spring = campaign("spring");
    spring.filter = Some(tier("gold"));
    world.apply(&[&spring]).await;
    world.import(&spring, with_tiers(1_350, &["gold", "iron", "iron"])).await;
    let picked = world.find(&spring, "c0001").await;
    spring.filter = Some(tier("iron"));
    world.apply(&[&spring]).await;
    // Nobody who matched before is given or called, and those who match now have yet to be found.
    assert_eq!(world.refusal(&picked, 0).await, Hold::FilteredOut);
    let page = world.store.candidates(&spring.id, world.now(), 1000).await.unwrap();
    assert_eq!((page.ready.len(), page.matching), (0, None));
    let first = world.store.evaluate().await.unwrap().unwrap();
    assert_eq!((first.campaign.as_str(), first.complete), ("spring", false));
    let page = world.store.candidates(&spring.id, world.now(), 1000).await.unwrap();
    assert_eq!((page.ready.len() as u64, page.matching), (first.admitted, None));
    // A crash in the middle loses nothing; neither does an import.
    world.crash().await;
    world.apply(&[&spring]).await;
    world.import(&spring, vec![contact("a", &["+8613900000001"]), contact("z", &["+8613900000002"])]).await;
    let rest = evaluate(&world).await;
    assert!(rest.last().unwrap().complete && rest.len() == 2, "{rest:?}");
    let page = world.store.candidates(&spring.id, world.now(), 1000).await.unwrap();
    assert_eq!((page.ready.len(), page.open, page.matching), (900, 1_352, Some(900)));
    assert_eq!(page.ready[0].customer, customer_id("c0002"));
    // The same filter again is nothing new; none at all lets everybody in.
    world.apply(&[&spring]).await;
    assert_eq!(evaluate(&world).await, []);
    spring.filter = None;
    world.apply(&[&spring]).await;
    assert_eq!(evaluate(&world).await.last().unwrap().admitted, 1_352);
    let page = world.store.candidates(&spring.id, world.now(), 2_000).await.unwrap();
    assert_eq!((page.ready.len(), page.matching), (1_352, Some(1_352)));
    assert_eq!(world.store.tally(&spring.id).await.unwrap().filtered_out, 0);
}

/// By their scores, and while a new order is on its way, by none.
async fn a_new_order_takes_over_in_one_step(mut world: World) {
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    let scored = |i: u32| {
        let score = Number::new(f64::from(i)).map(AttributeValue::Number).unwrap();
        NewContact {
            attributes: Attributes::from([(id("score"), score)]),
            ..contact(&format!("c{i:04}"), &[&format!("+86138{i:08}")])
        }
    };
    world.import(&spring, (1..=1_200).map(scored).collect()).await;
    let (direction, compare) = (Direction::Descending, SortType::Number);
    spring.sort = vec![SortKey { attribute: id("score"), direction, compare }];
    world.apply(&[&spring]).await;
    assert!(!world.store.evaluate().await.unwrap().unwrap().complete);
    // One who is called, one who comes, and one who is ready again: all of them stand in both orders.
    let busy = world.find(&spring, "c1200").await;
    world.call(&busy, 0, CallResult::Answered).await;
    let withdrawn = world.find(&spring, "c0001").await;
    let (attempt, _) = world.place(&withdrawn, 0).await;
    world.store.withdraw_intent(attempt).await.unwrap();
    world.import(&spring, vec![scored(1_300)]).await;
    let before = world.store.candidates(&spring.id, world.now(), 2_000).await.unwrap().ready;
    let names = |page: &[Contact]| page.iter().map(|contact| contact.customer.to_string()).collect::<Vec<_>>();
    let mut expected: Vec<String> = (1..1_200).chain([1_300]).map(|i| format!("c{i:04}")).collect();
    assert_eq!(names(&before), expected);
    assert!(evaluate(&world).await.last().unwrap().complete);
    let after = world.store.candidates(&spring.id, world.now(), 2_000).await.unwrap().ready;
    expected.reverse();
    assert_eq!(names(&after), expected);
}

async fn retries_and_calls_under_way_are_told_apart_too(mut world: World) {
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, with_tiers(3, &["gold", "iron", "gold"])).await;
    let (retry, live) = (world.find(&spring, "c0001").await, world.find(&spring, "c0002").await);
    world.call(&retry, 0, CallResult::Busy).await;
    let (attempt, recorded) = world.place(&live, 0).await;
    spring.filter = Some(tier("iron"));
    world.apply(&[&spring]).await;
    evaluate(&world).await;
    world.wait(Duration::from_secs(3600));
    assert_eq!(world.customers(&spring).await, Vec::<String>::new());
    world.settle(attempt, &recorded, 0, CallResult::Busy).await;
    world.wait(Duration::from_secs(3600));
    assert_eq!(world.customers(&spring).await, ["c0002"]);
    spring.filter = Some(tier("gold"));
    world.apply(&[&spring]).await;
    evaluate(&world).await;
    // The retry is due again, and goes first.
    assert_eq!(world.customers(&spring).await, ["c0001", "c0003"]);
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.matching, page.next_ready_at), (Some(2), None));
}

async fn a_campaign_that_returns_applies_its_filter_to_whom_it_missed(mut world: World) {
    let mut spring = campaign("spring");
    spring.filter = Some(tier("gold"));
    world.apply(&[&spring]).await;
    let retire = CampaignChange::Retire { id: spring.id.clone() };
    world.store.apply(generation(7, &[]), vec![retire], Against::Whatever).await.unwrap();
    world.import(&spring, with_tiers(2, &["gold", "iron"])).await;
    assert_eq!(evaluate(&world).await, []);
    world.generations = 7;
    world.apply(&[&spring]).await;
    assert_eq!(evaluate(&world).await.len(), 1);
    let page = world.store.candidates(&spring.id, world.now(), 10).await.unwrap();
    assert_eq!((page.ready.len(), page.matching), (1, Some(1)));
}

/// Who changes while the campaign is gone, and an order is half applied, stands in it on its return.
async fn an_order_that_a_retirement_broke_off_is_applied_to_all(mut world: World) {
    let mut spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1_200)).await;
    let called = world.find(&spring, "c1200").await;
    let (attempt, recorded) = world.place(&called, 0).await;
    spring.sort = vec![SortKey { attribute: id("score"), direction: Direction::Descending, compare: SortType::Number }];
    world.apply(&[&spring]).await;
    assert!(!world.store.evaluate().await.unwrap().unwrap().complete);
    let retire = CampaignChange::Retire { id: spring.id.clone() };
    world.store.apply(generation(7, &[]), vec![retire], Against::Whatever).await.unwrap();
    let settled = settlement(attempt, &recorded, 0, CallResult::Busy, world.now());
    world.store.settle(settled).await.unwrap();
    evaluate(&world).await;
    world.generations = 7;
    world.apply(&[&spring]).await;
    evaluate(&world).await;
    world.wait(Duration::from_secs(86_400));
    let page = world.store.candidates(&spring.id, world.now(), 2_000).await.unwrap();
    assert_eq!(page.ready.len(), 1_200);
}

on_both_stores!(
    what_is_known_of_a_customer_is_kept,
    only_contacts_that_match_are_picked_and_called,
    a_new_order_takes_over_in_one_step,
    a_new_filter_holds_at_once_and_is_applied_by_and_by,
    retries_and_calls_under_way_are_told_apart_too,
    an_order_that_a_retirement_broke_off_is_applied_to_all,
    a_campaign_that_returns_applies_its_filter_to_whom_it_missed,
);
