//! Candidates come in exactly the order of the domain's rank, whatever contacts look like.

use proptest::prelude::*;
use sqlx::{Connection, Row, SqliteConnection};

use super::*;
use crate::domain::{
    contact::{ContactEnd, Number, NumberEnd, Progress},
    order::{self, Class, Rank},
};

/// Minutes from [`START`] at which things happen: few values, so that they tie.
fn minute() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-60_i64, -5, 0, 5, 30])
}

fn instant(minutes: i64) -> Timestamp {
    at(START) + jiff::SignedDuration::from_mins(minutes)
}

prop_compose! {
    fn number(index: usize)(
        tried in any::<bool>(),
        due in prop::option::of(minute()),
        held in prop::option::weighted(0.3, minute()),
        ended in prop::option::weighted(0.2, Just(NumberEnd::BudgetSpent)),
        suffix in 0_u32..40,
    ) -> Number {
        let new = contact("x", &["+8613800000001", &format!("+86139{index:04}{suffix:04}")]);
        let (category, e164) = new.numbers[1].clone();
        Number {
            tried,
            due_at: due.filter(|_| tried).map(instant),
            held_until: held.map(instant),
            ended,
            ..Number::fresh(category, e164)
        }
    }
}

prop_compose! {
    fn a_contact()(
        numbers in (number(0), number(1), number(2)),
        count in 1_usize..=3,
        pass in prop::option::of(0_u8..3),
        ended in prop::option::weighted(0.1, Just(ContactEnd::NotReached)),
        priority in 1_u8..=3,
        not_before in prop::option::weighted(0.2, minute()),
    ) -> (Progress, u8, Option<i64>) {
        let mut numbers = vec![numbers.0, numbers.1, numbers.2];
        numbers.truncate(count);
        (Progress { numbers, pass, attempts: 0, ended }, priority, not_before)
    }
}

async fn fill(world: &mut World, spring: &Campaign, rows: &[(Progress, u8, Option<i64>)]) {
    world.apply(&[spring]).await;
    let new = rows.iter().enumerate().map(|(i, (progress, priority, not_before))| NewContact {
        customer: customer_id(&format!("c{i}")),
        numbers: progress.numbers.iter().map(|n| (n.category.clone(), n.e164.clone())).collect(),
        priority: Priority::new(*priority).unwrap(),
        not_before: not_before.map(instant),
        timezone: None,
        attributes: Attributes::new(),
        custom_field: None,
    });
    world.import(spring, new.collect()).await;
    for (i, (progress, ..)) in rows.iter().enumerate() {
        let contact = world.find(spring, &format!("c{i}")).await;
        world.store.advance(contact.reference, contact.version, progress.clone()).await.unwrap();
    }
}

async fn in_order(world: &World, spring: &Campaign, rows: &[(Progress, u8, Option<i64>)]) {
    let mut all = Vec::new();
    for i in 0..rows.len() {
        all.push(world.find(spring, &format!("c{i}")).await);
    }
    for minutes in [-61, -5, -4, 0, 1, 5, 29, 30, 31] {
        let now = instant(minutes);
        let ready = |contact: &Contact| order::next(contact, now).filter(|next| next.ready_at <= now);
        let mut sorted: Vec<(Rank, &Contact)> =
            all.iter().filter_map(|contact| Some((order::rank(contact, &ready(contact)?), contact))).collect();
        sorted.sort_by_key(|(rank, _)| *rank);
        let waiting = all.iter().filter(|contact| ready(contact).is_none());
        let next = waiting.filter_map(|contact| order::next(contact, now)).map(|next| next.ready_at).min();
        for limit in [1, 3, 1000] {
            let page = world.store.candidates(&spring.id, now, limit).await.unwrap();
            let expected: Vec<Contact> =
                sorted.iter().take(limit as usize).map(|(_, contact)| (*contact).clone()).collect();
            assert_eq!(page.ready, expected, "at {now}, limit {limit}");
            assert_eq!(page.next_ready_at, next, "at {now}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn candidates_are_sorted_by_rank(rows in prop::collection::vec(a_contact(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let spring = campaign("spring");
            for mut world in [World::memory(), World::sqlite().await] {
                fill(&mut world, &spring, &rows).await;
                in_order(&world, &spring, &rows).await;
            }
        });
    }

    /// What a store keeps beside a contact gives the same next work as the contact itself.
    #[test]
    fn readiness_tells_what_is_next((progress, priority, not_before) in a_contact(), minutes in minute()) {
        let contact = Contact {
            reference: ContactRef(1),
            campaign: campaign_id("spring"),
            customer: customer_id("c1"),
            priority: Priority::new(priority).unwrap(),
            import_order: 1,
            not_before: not_before.map(instant),
            timezone: None,
            attributes: Attributes::new(),
            version: 1,
            progress,
        };
        let (now, kept) = (instant(minutes), order::readiness(&contact));
        let next = order::next(&contact, now);
        prop_assert_eq!(next.is_some(), kept.earliest().is_some());
        let by_class = [(Class::Pass, kept.pass), (Class::Retry, kept.retry), (Class::Fresh, kept.fresh)];
        let ready = by_class.into_iter().find_map(|(class, at)| Some((class, at.filter(|at| *at <= now)?)));
        match next {
            Some(next) if next.ready_at <= now => {
                let (class, ready_at) = ready.unwrap();
                prop_assert_eq!(next.class, class);
                // The due time of a retry is its place; of the others only that it has come matters.
                prop_assert!(next.class != Class::Retry || next.ready_at == ready_at);
            }
            Some(next) => {
                prop_assert_eq!(ready, None);
                prop_assert_eq!(Some(next.ready_at), kept.earliest());
            }
            None => prop_assert_eq!(ready, None),
        }
    }
}

/// Each range is walked in the order of its index: nothing is sorted, nothing scanned whole.
#[tokio::test]
async fn picking_is_a_range_scan() {
    let world = World::sqlite().await;
    let path = world.path().unwrap();
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for (sql, index) in crate::store::sqlite::READY.into_iter().zip(["contact_pass", "contact_retry", "contact_fresh"])
    {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(explain).bind(1).bind(2).bind(3).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(3)).collect();
        assert!(plan[0].contains(&format!("SEARCH c USING INDEX {index} (campaign=?")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}
