//! Candidates come in exactly the order of the domain's rank, whatever contacts look like.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::domain::{
    attribute::{AttributeValue, Number as Decimal},
    business::{Business, BusinessCall, Pin, waits_for},
    campaign::{Direction, NumberOrder, Others, SortKey, SortType},
    contact::{ContactEnd, Number, NumberEnd, Progress},
    ids::AttributeId,
    order::{self, Class, Rank},
    zone::ContactZone,
};

/// Minutes from [`START`] at which things happen: few values, so that they tie.
fn minute() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-60_i64, -5, 0, 5, 30])
}

fn instant(minutes: i64) -> Timestamp {
    at(START) + jiff::SignedDuration::from_mins(minutes)
}

/// Numbers of regions with one zone, with several, and categories that rounds list or don't.
fn number(index: usize) -> impl Strategy<Value = Number> {
    let prefix = prop::sample::select(vec!["+86139", "+4915", "+3361", "+8190"]);
    let category = prop::sample::select(vec!["mobile", "home", "office"]);
    let held = prop::option::weighted(0.3, minute());
    let ended = prop::option::weighted(0.2, Just(NumberEnd::BudgetSpent));
    (any::<bool>(), prop::option::of(minute()), held, ended, 0_u32..40, prefix, category).prop_map(
        move |(tried, due, held, ended, suffix, prefix, category)| Number {
            tried,
            due_at: due.filter(|_| tried).map(instant),
            held_until: held.map(instant),
            ended,
            ..Number::fresh(CategoryId::parse(category).unwrap(), e164(&format!("{prefix}{index:04}{suffix:03}")))
        },
    )
}

/// A contact to be imported, and the progress that it is to have.
#[derive(Debug, Clone)]
struct Row {
    progress: Progress,
    priority: u8,
    not_before: Option<i64>,
    timezone: Option<&'static str>,
    tier: Option<&'static str>,
    score: Option<i32>,
}

prop_compose! {
    fn a_row()(
        numbers in (number(0), number(1), number(2)),
        count in 1_usize..=3,
        pass in prop::option::of(0_u8..3),
        ended in prop::option::weighted(0.1, Just(ContactEnd::NotReached)),
        scheduled in prop::option::weighted(0.3, (minute(), prop::option::of((prop::sample::select(vec!["amy", "bob"]), 1_u64..40)))),
        priority in 1_u8..=3,
        not_before in prop::option::weighted(0.2, minute()),
        timezone in prop::option::weighted(0.5, prop::sample::select(vec!["Asia/Shanghai", "America/New_York"])),
        tier in prop::option::weighted(0.8, prop::sample::select(vec!["a", "a\u{0}", "ab", "b"])),
        score in prop::option::weighted(0.8, -2..3_i32),
    ) -> Row {
        let mut numbers = vec![numbers.0, numbers.1, numbers.2];
        numbers.truncate(count);
        let business = Business { scheduled: scheduled.map(|(due, pin)| Box::new(call_of(&numbers, due, pin))), ..Business::default() };
        Row { progress: Progress { numbers, pass, attempts: 0, ended, business }, priority, not_before, timezone, tier, score }
    }
}

/// A call that a business rule has scheduled, for an agent for some minutes.
fn call_of(numbers: &[Number], due: i64, pin: Option<(&'static str, u64)>) -> BusinessCall {
    let progress = Progress { numbers: numbers.to_vec(), ..Progress::fresh(&[]) };
    let pin = pin.map(|(agent, minutes)| Pin {
        agent: AgentId::parse(agent).unwrap(),
        wait: Some(Duration::from_secs(60 * minutes)),
    });
    let rule = BusinessKey::parse("callback").unwrap();
    BusinessCall::new(rule, &progress, numbers.len() - 1, instant(due), pin).unwrap()
}

fn attribute(id: &str) -> AttributeId {
    AttributeId::parse(id).unwrap()
}

fn attributes(row: &Row) -> Attributes {
    let tier = row.tier.map(|tier| (attribute("tier"), AttributeValue::Text(tier.to_owned())));
    let score = row.score.and_then(|score| Decimal::new(f64::from(score) / 2.0));
    tier.into_iter().chain(score.map(|score| (attribute("score"), AttributeValue::Number(score)))).collect()
}

fn an_order() -> impl Strategy<Value = NumberOrder> {
    let others = prop::sample::select(vec![Others::Last, Others::Never]);
    let rounds = || ["home", "mobile"].map(|category| CategoryId::parse(category).unwrap()).to_vec();
    (others, 0..3).prop_map(move |(others, form)| match form {
        0 => NumberOrder::Sequence,
        1 => NumberOrder::RoundsByCategory { rounds: rounds(), others },
        _ => NumberOrder::RoundsByIndex { rounds: vec![2, 1], others },
    })
}

fn a_sort() -> impl Strategy<Value = Vec<SortKey>> {
    let direction = || prop::sample::select(vec![Direction::Ascending, Direction::Descending]);
    (direction(), direction(), 0..4_usize).prop_map(|(first, second, keys)| {
        let tier = SortKey { attribute: attribute("tier"), direction: first, compare: SortType::Text };
        let score = SortKey { attribute: attribute("score"), direction: second, compare: SortType::Number };
        match keys {
            0 => Vec::new(),
            1 => vec![tier],
            2 => vec![score],
            _ => vec![tier, score],
        }
    })
}

prop_compose! {
    fn a_campaign()(order in an_order(), sort in a_sort(), contact_zone in any::<bool>()) -> Campaign {
        let hours = if contact_zone {
            // Shut at START in Berlin and New York, and twice a day in China and Japan.
            let windows = ["09:00-10:05", "10:30-12:00"].map(|window| Window::parse(window).unwrap());
            let zone = TimeZone::get("Asia/Shanghai").unwrap();
            CallingHours::new("Asia/Shanghai", zone, windows.to_vec()).unwrap().in_contact_zone()
        } else {
            campaign("spring").hours
        };
        Campaign { order, sort, hours, ..campaign("spring") }
    }
}

async fn fill(world: &mut World, spring: &Campaign, rows: &[Row]) {
    world.apply(&[spring]).await;
    let new = rows.iter().enumerate().map(|(i, row)| NewContact {
        customer: customer_id(&format!("c{i}")),
        numbers: row.progress.numbers.iter().map(|n| (n.category.clone(), n.e164.clone())).collect(),
        priority: Priority::new(row.priority).unwrap(),
        not_before: row.not_before.map(instant),
        timezone: row.timezone.and_then(ContactZone::parse),
        attributes: attributes(row),
        custom_field: None,
    });
    world.import(spring, new.collect()).await;
    for (i, row) in rows.iter().enumerate() {
        let contact = world.find(spring, &format!("c{i}")).await;
        world.store.advance(contact.reference, contact.version, row.progress.clone()).await.unwrap();
    }
}

/// The first three hours from [`START`], with two hours later that day in other zones.
const MINUTES: [i64; 12] = [0, 1, 4, 5, 29, 30, 31, 119, 120, 360, 420, 780];

async fn in_order(world: &World, spring: &Campaign, rows: &[Row]) {
    let mut all = Vec::new();
    for i in 0..rows.len() {
        all.push(world.find(spring, &format!("c{i}")).await);
    }
    for minutes in MINUTES {
        let now = instant(minutes);
        let ready = |contact: &Contact| order::next(spring, contact, now).filter(|next| next.ready_at <= now);
        let ranked = |contact| Some((order::rank(spring, contact, &ready(contact)?), contact));
        let mut sorted: Vec<(Rank, &Contact)> = all.iter().filter_map(ranked).collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        for limit in [1, 3, 1000] {
            let page = world.store.candidates(&spring.id, now, limit).await.unwrap();
            let pinned = |(_, contact): &&(Rank, &Contact)| {
                let next = ready(contact).filter(|next| next.class == Class::Business);
                next.and(waits_for(spring, contact, now)).map(|(agent, _)| agent.clone())
            };
            let free = sorted.iter().filter(|it| pinned(it).is_none());
            let expected: Vec<Contact> = free.take(limit as usize).map(|(_, contact)| (*contact).clone()).collect();
            assert_eq!(page.ready, expected, "at {now}, limit {limit}");
            for agent in ["amy", "bob"].map(|id| Some(AgentId::parse(id).unwrap())) {
                let own = sorted.iter().filter(|it| pinned(it) == agent).take(limit as usize);
                let own: Vec<Contact> = own.map(|(_, contact)| (*contact).clone()).collect();
                let given =
                    |contact: &&Contact| waits_for(spring, contact, now).map(|(agent, _)| agent) == agent.as_ref();
                assert_eq!(
                    page.pinned.iter().filter(given).cloned().collect::<Vec<_>>(),
                    own,
                    "at {now}, limit {limit}"
                );
            }
            assert!(limit < 1000 || page.ready.len() + page.pinned.len() == sorted.len(), "at {now}");
            // A store may ask to be asked earlier, never later than someone gets ready.
            let waiting = all.iter().filter(|contact| ready(contact).is_none());
            let next = waiting.filter_map(|contact| order::next(spring, contact, now)).map(|next| next.ready_at).min();
            assert!(page.next_ready_at.is_none_or(|at| at > now), "at {now}");
            assert!(next.is_none_or(|next| page.next_ready_at.is_some_and(|at| at <= next)), "at {now}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn candidates_are_sorted_by_rank_and_all_others_counted(spring in a_campaign(), rows in prop::collection::vec(a_row(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut kept = Vec::new();
            for mut world in [World::memory(), World::sqlite().await] {
                fill(&mut world, &spring, &rows).await;
                in_order(&world, &spring, &rows).await;
                kept.push(world.store.counts(&spring.id, instant(0), u64::MAX).await.unwrap().kept.unwrap());
            }
            assert_eq!(kept[0], kept[1]);
            let over = rows.iter().filter(|row| row.progress.is_over()).count();
            let counted: u64 = kept[0].iter().map(|kept| kept.contacts).sum();
            assert_eq!(counted, (rows.len() - over) as u64);
        });
    }

    /// The same once a definition has taken the place of another, and time has passed.
    #[test]
    fn a_new_order_holds_for_all(
        (before, after) in (a_campaign(), a_campaign()),
        rows in prop::collection::vec(a_row(), 1..25),
        minutes in 0..40_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for mut world in [World::memory(), World::sqlite().await] {
                fill(&mut world, &before, &rows).await;
                world.apply(&[&after]).await;
                while world.store.evaluate().await.unwrap().is_some() {}
                in_order(&world, &after, &rows).await;
                world.wait(Duration::from_secs(60 * minutes));
                while world.store.evaluate().await.unwrap().is_some() {}
                let now = world.now();
                let ready = |c: &Contact| order::next(&after, c, now).is_some_and(|next| next.ready_at <= now);
                let mut expected = 0;
                for i in 0..rows.len() {
                    expected += usize::from(ready(&world.find(&after, &format!("c{i}")).await));
                }
                let page = world.store.candidates(&after.id, now, 1000).await.unwrap();
                assert_eq!(page.ready.len() + page.pinned.len(), expected);
            }
        });
    }

    /// How a contact stands gives the same next work as the contact itself, until it changes.
    #[test]
    fn standing_tells_what_is_next(spring in a_campaign(), row in a_row(), asked in 0_i64..900) {
        let contact = Contact {
            reference: ContactRef(1),
            campaign: spring.id.clone(),
            customer: customer_id("c1"),
            priority: Priority::new(row.priority).unwrap(),
            import_order: 1,
            not_before: row.not_before.map(instant),
            timezone: row.timezone.and_then(ContactZone::parse),
            attributes: attributes(&row),
            version: 1,
            progress: row.progress.clone(),
        };
        let stands = order::standing(&spring, &contact, instant(0));
        let now = instant(asked);
        prop_assume!(stands.changes_at.is_none_or(|at| at > now));
        let open = stands.zone.as_deref().is_none_or(|name| {
            spring.hours.in_zone(&ContactZone::parse(name).unwrap()).lets_through(now)
        });
        let fresh = stands.fresh.map(|(at, _)| at);
        let by_class = [(Class::Business, stands.business), (Class::Pass, stands.pass), (Class::Retry, stands.retry), (Class::Fresh, fresh)];
        let ready = by_class.into_iter().find_map(|(class, at)| Some((class, at.filter(|at| *at <= now)?)));
        match order::next(&spring, &contact, now).filter(|next| next.ready_at <= now) {
            Some(next) => {
                let (class, ready_at) = ready.unwrap();
                prop_assert!(open && next.class == class);
                // The due time of a retry is its place; of the others only that it has come matters.
                let by_due_time = [Class::Business, Class::Retry].contains(&next.class);
                prop_assert!(!by_due_time || next.ready_at == ready_at);
                let waits = waits_for(&spring, &contact, now).map(|(agent, _)| agent);
                prop_assert!(next.class != Class::Business || waits == stands.agent.as_ref());
                prop_assert!(next.class != Class::Fresh || stands.fresh.is_some_and(|(_, round)| round == next.round));
            }
            None => prop_assert!(ready.is_none() || !open),
        }
    }
}

/// A range is walked in the order of its keys, and contacts in that of their ids: nothing is sorted, nothing
/// scanned whole.
#[tokio::test]
async fn picking_is_a_range_scan() {
    let world = World::sqlite().await;
    let path = world.path().unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute("ATTACH DATABASE ?1 AS orders", [format!("{}-order", path.display())]).unwrap();
    // Places lie in two files, whose ranges are merged.
    let ranges = [
        (crate::store::sqlite::READY, 2, "SEARCH s USING PRIMARY KEY (evaluation=? AND key>? AND key<?)"),
        (crate::store::sqlite::HELD, 1, "SEARCH g USING INDEX progress_held (contact>? AND contact<?)"),
        (crate::store::sqlite::ANY_SPENT, 1, "contact_spent (campaign=? AND attempts<?)"),
        (crate::store::sqlite::SLICE, 1, "SEARCH c USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ];
    for (sql, files, range) in ranges {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get(3));
        let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert_eq!(plan.iter().filter(|step| step.contains(range)).count(), files, "{plan:#?}");
        let is_sorted = plan.iter().any(|step| step.contains("ORDER BY") && step.contains("TEMP B-TREE"));
        let is_whole = plan.iter().any(|step| step.contains("contact_1 (campaign=?)"));
        assert!(!is_sorted && !is_whole, "{plan:#?}");
    }
}
