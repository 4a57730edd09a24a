//! Results: pages that miss and repeat nothing, filters, and counts that are what the rows say.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;

use super::{business::request, *};
use crate::{
    domain::statistics::{Calls, Quarter, Span},
    store::{
        AttemptFilter, AttemptPlace, AttemptRecord, BusinessWanted, Milestone, RevisionPrefix, Statistics, StoreError,
        Tally,
    },
};

on_both_stores!(
    a_page_goes_on_where_it_ended_while_calls_go_on,
    each_filter_leaves_in_what_it_says,
    an_attempt_keeps_when_it_rang_and_what_was_called,
    counts_are_what_the_rows_say,
    a_span_counts_what_was_placed_in_it,
    campaigns_are_summed,
    a_withdrawn_attempt_takes_its_business_result_with_it,
    what_is_not_there_is_told,
);

/// All attempts that a filter leaves in, in pages of `limit`.
async fn paged(world: &World, campaign: &CampaignId, filter: &AttemptFilter, limit: u32) -> Vec<AttemptRecord> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.attempt_page(campaign, filter, after, limit).await.unwrap();
        assert!(page.attempts.len() <= limit as usize);
        assert!(page.next.is_none() || page.next > after, "it goes on");
        all.extend(page.attempts);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// What statistics ought to be, counted row by row.
fn counted(tally: Tally, records: &[AttemptRecord], span: Span, batches: bool) -> Statistics {
    let mut counted = Statistics { tally, ..Statistics::default() };
    let mut contacts = BTreeSet::new();
    for record in records.iter().filter(|record| span.has(Quarter::of(record.placed_at))) {
        if let Some(key) = &record.business {
            *counted.by_business.entry(key.clone()).or_default() += 1;
        }
        let (Some(result), Some(ended_at)) = (record.result, record.ended_at) else { continue };
        let mut calls = Calls { attempts: 1, ..Calls::default() };
        if let Some(connected_at) = record.connected_at {
            calls.connected = 1;
            calls.talked = ended_at.duration_since(connected_at).max(SignedDuration::ZERO).unsigned_abs();
            contacts.insert((record.campaign.clone(), record.customer.clone()));
        }
        *counted.by_quarter.entry(Quarter::of(record.placed_at)).or_default() += calls;
        *counted.by_result.entry(result).or_default() += calls;
        *counted.by_agent.entry(record.agent.clone()).or_default() += calls;
        if batches {
            *counted.by_batch.entry(record.batch.clone()).or_default() += calls;
        }
    }
    counted.connected_contacts = contacts.len() as u64;
    counted
}

/// Statistics, whether or not it took several looks.
async fn statistics(world: &World, campaign: Option<&CampaignId>, span: Span) -> Statistics {
    let counted = world.store.statistics(campaign, span).await.unwrap();
    Statistics { at_once: false, ..counted }
}

/// A campaign's attempts and their counts are the same on both stores, and what the rows say.
pub(super) async fn same(a: &World, b: &World, campaign: &CampaignId) {
    let now = a.now();
    let before = Quarter::of(now);
    let spans = [
        Span::default(),
        Span { from: Some(before), to: None },
        Span { from: None, to: Some(before) },
        Span { from: Some(Quarter::new(before.number() - 4)), to: Some(Quarter::new(before.number() - 2)) },
    ];
    let records = paged(a, campaign, &AttemptFilter::default(), 1000).await;
    for span in spans {
        let tally = a.store.tally(campaign).await.unwrap();
        let expected = counted(tally, &records, span, true);
        assert_eq!(statistics(a, Some(campaign), span).await, expected);
        assert_eq!(statistics(b, Some(campaign), span).await, expected);
        assert_eq!(statistics(a, None, span).await, statistics(b, None, span).await);
    }
    let busy = AttemptFilter { results: BTreeSet::from([CallResult::Busy]), ..AttemptFilter::default() };
    let late = AttemptFilter { from: Some(now - Duration::from_secs(600)), to: Some(now), ..AttemptFilter::default() };
    let batch = records.first().map(|record| record.batch.clone());
    let others = [
        AttemptFilter { connected: Some(false), batch, ..AttemptFilter::default() },
        AttemptFilter { business: Some(wanted("callback")), ..AttemptFilter::default() },
        AttemptFilter { rule: BusinessKey::parse("callback"), ..AttemptFilter::default() },
    ];
    for filter in [AttemptFilter::default(), busy, late].iter().chain(&others) {
        let matching: Vec<AttemptId> =
            records.iter().filter(|record| filter.matches(record)).map(|record| record.attempt).collect();
        for world in [a, b] {
            for limit in [1, 3, 1000] {
                let found = paged(world, campaign, filter, limit).await;
                assert_eq!(found.iter().map(|record| record.attempt).collect::<Vec<_>>(), matching, "{filter:?}");
            }
        }
    }
}

fn wanted(text: &str) -> BusinessWanted {
    let key = BusinessKey::parse(text).unwrap();
    BusinessWanted { result: key.result, sub_result: key.sub_result }
}

impl World {
    /// A call by an agent, connected for so many seconds if that is not 0; it ends half a minute after it began.
    async fn call_by(&mut self, contact: &Contact, agent: &str, result: CallResult, talked: u64) -> AttemptId {
        let mut asked = self.request(contact, 0);
        asked.agent = AgentId::parse(agent).unwrap();
        let attempt = asked.attempt;
        let IntentDecision::Recorded(recorded) = self.store.record_intent(asked).await.unwrap() else {
            panic!("refused")
        };
        self.wait(Duration::from_secs(30));
        let ended_at = self.now();
        let connected_at = (talked > 0).then(|| ended_at - Duration::from_secs(talked));
        let ended = settlement(attempt, &recorded, 0, result, ended_at);
        self.store.settle(Settlement { connected_at, answered_at: connected_at, ..ended }).await.unwrap();
        attempt
    }
}

async fn a_page_goes_on_where_it_ended_while_calls_go_on(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(40)).await;
    let all = world.ready(&spring).await;
    // Ids are given when a call is claimed: an intent that waits comes to stand behind a later one.
    let mut late = world.request(&all[39], 0);
    for contact in &all[..12] {
        world.wait(Duration::from_millis(1));
        world.call(contact, 0, CallResult::Busy).await;
    }
    let there: Vec<AttemptId> = paged(&world, &spring.id, &AttemptFilter::default(), 100)
        .await
        .into_iter()
        .map(|record| record.attempt)
        .collect();
    assert_eq!(there.len(), 12);
    let (mut seen, mut after, mut next) = (Vec::new(), None, 12);
    loop {
        let page = world.store.attempt_page(&spring.id, &AttemptFilter::default(), after, 3).await.unwrap();
        seen.extend(page.attempts.into_iter().map(|record| record.attempt));
        after = page.next;
        if after.is_none() {
            break;
        }
        world.wait(Duration::from_millis(1));
        if next < 20 {
            world.call(&all[next], 0, CallResult::NoAnswer).await;
            next += 1;
        }
        if next == 14 {
            late.picked_version = all[39].version;
            let decision = world.store.record_intent(late.clone()).await.unwrap();
            assert!(matches!(decision, IntentDecision::Recorded(_)));
        }
    }
    let records = paged(&world, &spring.id, &AttemptFilter::default(), 100).await;
    let now: Vec<AttemptId> = records.into_iter().map(|record| record.attempt).collect();
    assert_eq!(seen, now, "each once, none is missed");
    assert_eq!(seen[..12], there[..], "in the order in which they were placed");
    assert!(seen[12..].contains(&late.attempt), "one whose id is lower too");
}

async fn each_filter_leaves_in_what_it_says(mut world: World) {
    let spring = Campaign { business: business::rules(None), ..campaign("spring") };
    world.apply(&[&spring]).await;
    world
        .import_batch(&spring, "may", vec![contact("c1", &["+8613800000001"]), contact("c2", &["+8613800000002"])])
        .await;
    world.import_batch(&spring, "june", vec![contact("c3", &["+8613800000003"])]).await;
    let [one, two, three] =
        [world.find(&spring, "c1").await, world.find(&spring, "c2").await, world.find(&spring, "c3").await];
    let began = world.now();
    let first = world.call_by(&one, "amy", CallResult::Answered, 20).await;
    let second = world.call_by(&two, "bob", CallResult::Busy, 0).await;
    world.apply(&[&spring]).await;
    let third = world.call_by(&three, "amy", CallResult::NoAnswer, 0).await;
    let mark = |customer, key| request(&spring, customer, key, world.now());
    world.store.set_business_result(mark("c1", "callback")).await.unwrap();
    world.store.set_business_result(mark("c2", "callback/soon")).await.unwrap();
    world.wait(Duration::from_secs(600));
    let again = world.find(&spring, "c1").await;
    let (fourth, _) = world.place(&again, 0).await;
    let default = AttemptFilter::default;
    let found = |filter: AttemptFilter| {
        let (world, id) = (&world, spring.id.clone());
        async move {
            let records = paged(world, &id, &filter, 2).await;
            assert!(records.iter().all(|record| filter.matches(record)), "{filter:?}");
            records.into_iter().map(|record| record.attempt).collect::<Vec<_>>()
        }
    };
    assert_eq!(found(default()).await, [first, second, third, fourth]);
    let results = BTreeSet::from([CallResult::Busy, CallResult::NoAnswer]);
    assert_eq!(found(AttemptFilter { results, ..default() }).await, [second, third]);
    let from = Some(began + Duration::from_secs(30));
    assert_eq!(found(AttemptFilter { from, ..default() }).await, [second, third, fourth]);
    let to = Some(began + Duration::from_secs(60));
    assert_eq!(found(AttemptFilter { from, to, ..default() }).await, [second]);
    let of = |text| AttemptFilter { business: Some(wanted(text)), ..AttemptFilter::default() };
    assert_eq!(found(of("callback")).await, [first, second], "with any sub-result");
    assert_eq!(found(of("callback/soon")).await, [second]);
    assert_eq!(found(of("call")).await, []);
    let agent = AgentId::parse("bob").ok();
    assert_eq!(found(AttemptFilter { agent, ..default() }).await, [second]);
    let batch = Some(batch_id("june"));
    assert_eq!(found(AttemptFilter { batch, ..default() }).await, [third]);
    let category = CategoryId::parse("mobile").ok();
    assert_eq!(found(AttemptFilter { category, ..default() }).await, [first, second, third, fourth]);
    let category = CategoryId::parse("home").ok();
    assert_eq!(found(AttemptFilter { category, ..default() }).await, []);
    assert_eq!(found(AttemptFilter { connected: Some(true), ..default() }).await, [first]);
    assert_eq!(found(AttemptFilter { connected: Some(false), ..default() }).await, [second, third, fourth]);
    let rule = BusinessKey::parse("callback");
    assert_eq!(found(AttemptFilter { rule, ..default() }).await, [fourth]);
    let revision = RevisionPrefix::parse(&format!("{:040x}", 2));
    assert_eq!(found(AttemptFilter { revision, ..default() }).await, [third, fourth]);
    let revision = RevisionPrefix::parse("0000");
    assert_eq!(found(AttemptFilter { revision, ..default() }).await.len(), 4);
    assert_eq!(RevisionPrefix::parse("main"), None);
    let listed = world.store.listed_page(&spring.id, None, 9).await.unwrap();
    let last: Vec<_> = listed.iter().map(|one| one.last.as_ref().map(|last| (last.attempt, last.result))).collect();
    assert_eq!(
        last,
        [Some((fourth, None)), Some((second, Some(CallResult::Busy))), Some((third, Some(CallResult::NoAnswer)))]
    );
    let standing: Vec<_> =
        listed.iter().map(|one| (one.connected, one.business.as_ref().map(ToString::to_string))).collect();
    assert_eq!(standing, [(true, Some("callback".into())), (false, Some("callback/soon".into())), (false, None)]);
}

async fn an_attempt_keeps_when_it_rang_and_what_was_called(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, vec![contact("c1", &["+8613800000001", "+8613800000002"])]).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&contact, 1).await;
    world.wait(Duration::from_secs(2));
    let rang = world.now();
    let leg = LegId { epoch: attempt.epoch, serial: 1000 + attempt.serial };
    for _ in 0..2 {
        let milestone = Milestone::Leg { leg, identity: identity(9), rang_at: Some(world.now()), answered_at: None };
        world.store.note(milestone).await.unwrap();
        world.wait(Duration::from_secs(1));
    }
    world.settle(attempt, &recorded, 1, CallResult::NoAnswer).await;
    let numbers = Some(vec![(CategoryId::parse("office").unwrap(), e164("+8613800000009"))]);
    let edit = crate::domain::contact::ContactEdit { numbers, ..Default::default() };
    world.store.edit(&spring.id, &customer_id("c1"), edit).await.unwrap();
    let record = world.store.attempt(attempt).await.unwrap().unwrap();
    assert_eq!(record.rang_at, Some(rang), "the first time");
    assert_eq!(record.category, CategoryId::parse("home").ok(), "as it was when it was called");
    assert_eq!(record.batch, batch_id("first"));
    world.store.erase(&spring.id, &customer_id("c1")).await.unwrap();
    let erased = world.store.attempt(attempt).await.unwrap().unwrap();
    assert_eq!((erased.number, erased.category), (None, CategoryId::parse("home").ok()));
    let nobody = AttemptId { epoch: attempt.epoch, serial: 77 };
    assert_eq!(world.store.attempt(nobody).await.unwrap(), None);
}

async fn counts_are_what_the_rows_say(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import_batch(&spring, "may", contacts(30)).await;
    world.import_batch(&spring, "june", contacts(60).split_off(30)).await;
    let results = [CallResult::Answered, CallResult::Busy, CallResult::NoAnswer, CallResult::Vacant];
    for nth in 0..90_u64 {
        world.wait(Duration::from_secs(7 * 60));
        let ready = world.ready(&spring).await;
        let Some(contact) = ready.first() else { break };
        let result = results[usize::try_from(nth * 7 % 4).unwrap()];
        let talked = if result == CallResult::Answered { 1 + nth % 25 } else { 0 };
        world.call_by(contact, ["amy", "bob", "cas"][usize::try_from(nth % 3).unwrap()], result, talked).await;
    }
    let records = paged(&world, &spring.id, &AttemptFilter::default(), 7).await;
    assert!(records.len() > 60);
    let tally = world.store.tally(&spring.id).await.unwrap();
    let expected = counted(tally, &records, Span::default(), true);
    let found = statistics(&world, Some(&spring.id), Span::default()).await;
    assert_eq!(found, expected);
    assert!(found.by_quarter.len() > 20 && found.connected_contacts > 10);
    world.crash().await;
    assert_eq!(statistics(&world, Some(&spring.id), Span::default()).await, expected, "they are durable");
}

async fn a_span_counts_what_was_placed_in_it(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    let all = world.ready(&spring).await;
    let begins = Quarter::of(world.now());
    for contact in &all {
        world.call_by(contact, "amy", CallResult::Answered, 10).await;
        world.wait(Duration::from_secs(15 * 60));
    }
    let quarter = |n| Quarter::new(begins.number() + n);
    for (from, to, expected) in [(0, 1, 1), (0, 2, 2), (1, 3, 2), (3, 9, 0), (2, 1, 0)] {
        let span = Span { from: Some(quarter(from)), to: Some(quarter(to)) };
        let found = statistics(&world, Some(&spring.id), span).await;
        let attempts: u64 = found.by_result.values().map(|calls| calls.attempts).sum();
        assert_eq!((attempts, found.connected_contacts), (expected, expected), "{from} to {to}");
        assert_eq!(found.tally.contacts, 3, "contacts are as they stand now");
    }
}

async fn campaigns_are_summed(mut world: World) {
    let (spring, autumn) = (campaign("spring"), campaign("autumn"));
    world.apply(&[&spring, &autumn]).await;
    world.import(&spring, contacts(8)).await;
    world.import(&autumn, contacts(16).split_off(8)).await;
    for campaign in [&spring, &autumn] {
        for contact in world.ready(campaign).await.iter().take(6) {
            world.call_by(contact, "amy", CallResult::Answered, 5).await;
        }
    }
    let sum = statistics(&world, None, Span::default()).await;
    assert_eq!(sum.by_result[&CallResult::Answered].attempts, 12);
    assert_eq!((sum.tally.contacts, sum.tally.fresh, sum.connected_contacts), (16, 4, 12));
    assert_eq!(sum.by_agent.values().map(|calls| calls.talked).sum::<Duration>(), Duration::from_secs(60));
    assert_eq!(sum.by_batch, BTreeMap::new(), "batches are a campaign's own");
}

async fn a_withdrawn_attempt_takes_its_business_result_with_it(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, _) = world.place(&contact, 0).await;
    for key in ["callback", "refused"] {
        world.store.set_business_result(request(&spring, "c1", key, world.now())).await.unwrap();
    }
    let found = statistics(&world, Some(&spring.id), Span::default()).await.by_business;
    assert_eq!(found, BTreeMap::from([(BusinessKey::parse("refused").unwrap(), 1)]), "the last one counts");
    world.store.withdraw_intent(attempt).await.unwrap();
    let found = statistics(&world, Some(&spring.id), Span::default()).await;
    assert_eq!(found.by_business, BTreeMap::new());
}

async fn what_is_not_there_is_told(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let unknown = campaign_id("unknown");
    let all = AttemptFilter::default();
    let page = world.store.attempt_page(&unknown, &all, None, 1).await;
    assert!(matches!(page, Err(StoreError::UnknownCampaign(_))));
    let counted = world.store.statistics(Some(&unknown), Span::default()).await;
    assert!(matches!(counted, Err(StoreError::UnknownCampaign(_))));
    let july = AttemptFilter { batch: Some(batch_id("july")), ..all.clone() };
    let page = world.store.attempt_page(&spring.id, &july, None, 1).await;
    assert!(matches!(page, Err(StoreError::UnknownBatch { .. })));
    let nothing = world.store.attempt_page(&spring.id, &all, None, 1).await.unwrap();
    assert_eq!((nothing.attempts, nothing.next), (vec![], None));
    let behind = AttemptPlace { placed_at: world.now(), attempt: AttemptId { epoch: world.store.epoch(), serial: 1 } };
    assert_eq!(world.store.attempt_page(&spring.id, &all, Some(behind), 1).await.unwrap().next, None);
    let none = world.store.statistics(None, Span::default()).await.unwrap();
    assert_eq!((none.tally, none.at_once), (Tally::default(), true));
}
