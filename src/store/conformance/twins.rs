//! Random lives on both stores at once: every answer and every view must be the same.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{do_not_call::list, *};
use crate::{
    domain::{
        attribute::{AttributeValue, Number},
        business::{CallbackAt, CallbackWanted, SameAgent},
        campaign::PerNumberLimit,
        contact::ContactEdit,
        do_not_call::NewEntry,
        filter::{Comparison, Filter, Test},
        ids::AttributeId,
        order,
    },
    store::{AttemptRecord, BusinessRequest, Listed, Milestone},
};

const LISTS: [&str; 2] = ["objected", "no-marketing"];

/// One step of a life.
#[derive(Debug, Clone)]
enum Step {
    /// Imports contacts with these customers and numbers into a batch of a campaign.
    Import(usize, u8, Vec<(u8, Vec<u8>)>),
    /// Edits, deletes or erases a customer of a campaign.
    Edit(usize, u8, Vec<u8>, Option<u8>),
    Delete(usize, u8),
    Erase(usize, u8),
    /// Pauses a batch of a campaign, or lets it go on.
    Pause(usize, u8, bool),
    /// Asks for an intent for the nth candidate, or for the nth contact of all.
    Intent {
        campaign: usize,
        nth: usize,
        any: bool,
    },
    /// Settles the nth live call.
    Settle {
        nth: usize,
        result: CallResult,
    },
    /// Withdraws the nth live call.
    Withdraw {
        nth: usize,
    },
    /// Answers the nth live call.
    Answer {
        nth: usize,
    },
    /// Sets a business result for a customer, or for no one.
    Mark {
        campaign: usize,
        customer: u8,
        result: &'static str,
        /// In how many minutes the customer wants to be called, and whether by the same agent.
        wanted: Option<(u16, bool)>,
    },
    /// Lets time pass.
    Wait(u32),
    /// Changes a campaign's limits and filter and applies both.
    Apply {
        per_number: Option<u32>,
        days: u32,
        per_day: u32,
        tier: Option<u8>,
    },
    /// Applies filters to a few contacts.
    Evaluate,
    /// Puts numbers on a list, perhaps with an expiry so many seconds ahead.
    List {
        list: usize,
        numbers: Vec<(u8, Option<u32>)>,
    },
    /// Takes a number off a list.
    Unlist {
        list: usize,
        number: u8,
    },
    /// Has the first campaign follow these lists.
    Follow(Vec<&'static str>),
    /// Begins a new life.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let marked = prop::sample::select(vec!["callback", "callback", "refused", "wrong_person", "sold"]);
    let results = prop::sample::select(vec![
        CallResult::Busy,
        CallResult::NoAnswer,
        CallResult::Answered,
        CallResult::NetworkFailure,
        CallResult::AgentLost,
    ]);
    let rows = prop::collection::vec((0_u8..6, prop::collection::vec(0_u8..8, 1..4)), 1..4);
    prop_oneof![
        2 => (0_usize..2, 0_u8..2, rows).prop_map(|(campaign, batch, rows)| Step::Import(campaign, batch, rows)),
        2 => (0_usize..2, 0_u8..6, prop::collection::vec(0_u8..8, 1..4), prop::option::of(0_u8..4))
            .prop_map(|(campaign, customer, numbers, tier)| Step::Edit(campaign, customer, numbers, tier)),
        1 => (0_usize..2, 0_u8..6).prop_map(|(campaign, customer)| Step::Delete(campaign, customer)),
        1 => (0_usize..2, 0_u8..6).prop_map(|(campaign, customer)| Step::Erase(campaign, customer)),
        1 => (0_usize..2, 0_u8..2, any::<bool>())
            .prop_map(|(campaign, batch, paused)| Step::Pause(campaign, batch, paused)),
        6 => (0_usize..2, 0_usize..3, any::<bool>())
            .prop_map(|(campaign, nth, any)| Step::Intent { campaign, nth, any }),
        5 => (0_usize..3, results).prop_map(|(nth, result)| Step::Settle { nth, result }),
        1 => (0_usize..3).prop_map(|nth| Step::Withdraw { nth }),
        1 => (0_usize..3).prop_map(|nth| Step::Answer { nth }),
        3 => (0_usize..2, 0_u8..6, marked, prop::option::of((0_u16..2_000, any::<bool>())))
            .prop_map(|(campaign, customer, result, wanted)| Step::Mark { campaign, customer, result, wanted }),
        4 => prop::sample::select(vec![1_u32, 900, 1_000, 20_000, 1_800_000, 86_400_000]).prop_map(Step::Wait),
        1 => (prop::option::of(1_u32..3), 1_u32..4, 1_u32..3, prop::option::of(0_u8..4))
            .prop_map(|(per_number, days, per_day, tier)| Step::Apply { per_number, days, per_day, tier }),
        2 => Just(Step::Evaluate),
        2 => (0_usize..2, prop::collection::vec((0_u8..8, prop::option::of(0_u32..3_600)), 1..4))
            .prop_map(|(list, numbers)| Step::List { list, numbers }),
        1 => (0_usize..2, 0_u8..8).prop_map(|(list, number)| Step::Unlist { list, number }),
        1 => prop::sample::subsequence(LISTS.to_vec(), 0..=2).prop_map(Step::Follow),
        1 => Just(Step::Crash),
    ]
}

/// Both worlds, and what is live in them.
struct Twins {
    worlds: [World; 2],
    campaigns: [Campaign; 2],
    live: BTreeMap<AttemptId, (RecordedIntent, usize)>,
}

impl Twins {
    async fn new() -> Self {
        let mut first = campaign("first");
        first.limits.max_concurrent_calls = Some(nonzero(2));
        first.limits.max_attempts_per_contact = Some(nonzero(4));
        first.business = business::rules(Some(SameAgent { wait: Some(Duration::from_secs(1_000)) }));
        first.do_not_call = vec![list(LISTS[0])];
        let mut second = Campaign { business: business::rules(None), ..campaign("second") };
        second.limits.max_calls_per_second = Some(nonzero(1));
        second.do_not_call = LISTS.map(list).to_vec();
        let mut worlds = [World::memory(), World::sqlite().await];
        for world in &mut worlds {
            world.apply(&[&first, &second]).await;
        }
        Self { worlds, campaigns: [first, second], live: BTreeMap::new() }
    }

    fn nth_live(&self, nth: usize) -> Option<(AttemptId, RecordedIntent, usize)> {
        let (attempt, (recorded, number)) = self.live.iter().nth(nth)?;
        Some((*attempt, recorded.clone(), *number))
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Edit(campaign, customer, numbers, tier) => {
                let (campaign, new) = (&self.campaigns[*campaign].id, row(*customer, numbers));
                let id = AttributeId::parse("tier").unwrap();
                let change = ContactEdit {
                    numbers: Some(new.numbers),
                    set: tier.map(|tier| (id, AttributeValue::Number(tier_of(tier)))).into_iter().collect(),
                    priority: Some(new.priority),
                    ..ContactEdit::default()
                };
                let [a, b] = &self.worlds;
                let a = a.store.edit(campaign, &new.customer, change.clone()).await;
                let b = b.store.edit(campaign, &new.customer, change).await;
                assert_eq!(a.map_err(|error| error.to_string()), b.map_err(|error| error.to_string()));
            }
            Step::Delete(campaign, customer) => {
                let (campaign, customer) = (&self.campaigns[*campaign].id, customer_id(&format!("c{customer}")));
                let [a, b] = &self.worlds;
                let a = a.store.delete(campaign, &customer).await;
                let b = b.store.delete(campaign, &customer).await;
                assert_eq!(a.map_err(|error| error.to_string()), b.map_err(|error| error.to_string()));
            }
            Step::Erase(campaign, customer) => {
                let (campaign, customer) = (&self.campaigns[*campaign].id, customer_id(&format!("c{customer}")));
                let [a, b] = &self.worlds;
                let a = a.store.erase(campaign, &customer).await;
                let b = b.store.erase(campaign, &customer).await;
                assert_eq!(a.map_err(|error| error.to_string()), b.map_err(|error| error.to_string()));
            }
            Step::Pause(campaign, batch, paused) => {
                let (campaign, batch) = (&self.campaigns[*campaign].id, batch_of(*batch));
                let [a, b] = &self.worlds;
                let a = a.store.pause_batch(campaign, &batch, *paused).await;
                let b = b.store.pause_batch(campaign, &batch, *paused).await;
                assert_eq!(a.map_err(|error| error.to_string()), b.map_err(|error| error.to_string()));
            }
            Step::Import(campaign, batch, rows) => {
                let campaign = self.campaigns[*campaign].clone();
                let rows: Vec<NewContact> = rows.iter().map(|(customer, numbers)| row(*customer, numbers)).collect();
                let (batch, [a, b]) = (batch_of(*batch), &self.worlds);
                let a = a.import_batch(&campaign, batch.as_str(), rows.clone()).await;
                assert_eq!(a, b.import_batch(&campaign, batch.as_str(), rows).await);
            }
            Step::Intent { campaign, nth, any } => self.intent(*campaign, *nth, *any).await,
            Step::Settle { nth, result } => {
                let Some((attempt, recorded, number)) = self.nth_live(*nth) else { return };
                self.live.remove(&attempt);
                let ended_at = self.worlds[0].now();
                let settled = settlement(attempt, &recorded, number, *result, ended_at);
                let [a, b] = &self.worlds;
                let changed = (a.store.settle(settled.clone()).await.unwrap(), b.store.settle(settled).await.unwrap());
                assert_eq!(changed.0, changed.1);
            }
            Step::Withdraw { nth } => {
                let Some((attempt, ..)) = self.nth_live(*nth) else { return };
                self.live.remove(&attempt);
                for world in &self.worlds {
                    world.store.withdraw_intent(attempt).await.unwrap();
                }
            }
            Step::Answer { nth } => {
                let Some((attempt, ..)) = self.nth_live(*nth) else { return };
                let leg = LegId { epoch: attempt.epoch, serial: 1000 + attempt.serial };
                for world in &self.worlds {
                    let identity = identity(7);
                    let answered_at = Some(world.now());
                    let rang_at = answered_at;
                    world.store.note(Milestone::Leg { leg, identity, rang_at, answered_at }).await.unwrap();
                    world.store.note(Milestone::Connected { attempt, at: world.now() }).await.unwrap();
                }
            }
            Step::Mark { campaign, customer, result, wanted } => {
                let at = self.worlds[0].now();
                let request = business::request(&self.campaigns[*campaign], &format!("c{customer}"), result, at);
                let callback = wanted.map(|(minutes, same_agent)| {
                    let due_at = at + Duration::from_secs(60 * u64::from(minutes));
                    CallbackWanted { at: CallbackAt::Instant(due_at), same_agent }
                });
                let request = BusinessRequest { callback, ..request };
                let [a, b] = &self.worlds;
                let decisions = (
                    a.store.set_business_result(request.clone()).await.unwrap(),
                    b.store.set_business_result(request).await.unwrap(),
                );
                assert_eq!(decisions.0, decisions.1);
            }
            Step::Wait(millis) => {
                self.worlds.iter().for_each(|world| world.wait(Duration::from_millis(u64::from(*millis))));
            }
            Step::Evaluate => {
                let [a, b] = &self.worlds;
                assert_eq!(evaluated(a).await, evaluated(b).await);
            }
            Step::List { list: nth, numbers } => {
                let [a, b] = &self.worlds;
                let entry = |(number, seconds): &(u8, Option<u32>)| NewEntry {
                    number: e164(&format!("+8613800000{number:03}")),
                    expires_at: seconds.map(|seconds| a.now() + Duration::from_secs(u64::from(seconds))),
                };
                let (list, entries): (_, Vec<NewEntry>) = (list(LISTS[*nth]), numbers.iter().map(entry).collect());
                assert_eq!(
                    a.store.import_do_not_call(&list, entries.clone()).await.unwrap(),
                    b.store.import_do_not_call(&list, entries).await.unwrap()
                );
            }
            Step::Unlist { list: nth, number } => {
                let (list, number) = (list(LISTS[*nth]), e164(&format!("+8613800000{number:03}")));
                let [a, b] = &self.worlds;
                assert_eq!(
                    a.store.remove_do_not_call(&list, &number).await.unwrap(),
                    b.store.remove_do_not_call(&list, &number).await.unwrap()
                );
            }
            Step::Follow(lists) => {
                self.campaigns[0].do_not_call = lists.iter().map(|id| list(id)).collect();
                for world in &mut self.worlds {
                    world.apply(&[&self.campaigns[0], &self.campaigns[1]]).await;
                }
            }
            Step::Apply { per_number, days, per_day, tier } => {
                let limit = |attempts| PerNumberLimit { attempts, days: nonzero(2), after_conversation_days: 1 };
                self.campaigns[0].limits.per_number = per_number.map(|attempts| limit(nonzero(attempts)));
                self.campaigns[0].results = policy(*days, *per_day);
                self.campaigns[0].filter = tier.map(|tier| {
                    let test = Test::Number(Comparison::Ge(tier_of(tier)));
                    Filter::Test { attribute: AttributeId::parse("tier").unwrap(), test }
                });
                for world in &mut self.worlds {
                    world.apply(&[&self.campaigns[0], &self.campaigns[1]]).await;
                }
            }
            Step::Crash => {
                for world in &mut self.worlds {
                    world.crash().await;
                    world.apply(&[&self.campaigns[0], &self.campaigns[1]]).await;
                    // SQLite makes orders anew after a life that has not ended well.
                    while world.store.evaluate().await.unwrap().is_some() {}
                }
            }
        }
    }

    async fn intent(&mut self, campaign: usize, nth: usize, any: bool) {
        let campaign = self.campaigns[campaign].clone();
        let page = self.worlds[0].store.candidates(&campaign.id, self.worlds[0].now(), 1000).await.unwrap();
        let mut found: Vec<Contact> = page.pinned.into_iter().chain(page.ready).collect();
        if any {
            found = Vec::new();
            for customer in 0..6 {
                let id = customer_id(&format!("c{customer}"));
                let history = self.worlds[0].store.contact(&campaign.id, &id).await.unwrap();
                found.extend(history.map(|history| history.contact));
            }
        }
        let Some(contact) = found.get(nth) else { return };
        let number = order::next(&campaign, contact, self.worlds[0].now()).map_or(0, |next| next.number);
        let [a, b] = &mut self.worlds;
        let request = a.request(contact, number);
        b.serial = a.serial;
        let attempt = request.attempt;
        let decisions =
            (a.store.record_intent(request.clone()).await.unwrap(), b.store.record_intent(request).await.unwrap());
        assert_eq!(decisions.0, decisions.1);
        if let IntentDecision::Recorded(recorded) = decisions.0 {
            self.live.insert(attempt, (*recorded, number));
        }
    }

    async fn same_views(&self) {
        let [a, b] = &self.worlds;
        let now = a.now();
        for campaign in &self.campaigns {
            let id = &campaign.id;
            for limit in [1, 100] {
                let page = a.store.candidates(id, now, limit).await.unwrap();
                assert_eq!(page, b.store.candidates(id, now, limit).await.unwrap());
            }
            assert_eq!(a.store.tally(id).await.unwrap(), b.store.tally(id).await.unwrap());
            assert_eq!(a.store.today(now).await.unwrap(), b.store.today(now).await.unwrap());
            assert_eq!(a.store.batches(id).await.unwrap(), b.store.batches(id).await.unwrap());
            for customer in 0..6 {
                let customer = customer_id(&format!("c{customer}"));
                let why = a.store.why(id, &customer, now).await.unwrap();
                assert_eq!(why, b.store.why(id, &customer, now).await.unwrap());
            }
            results::same(a, b, id).await;
            assert_eq!(listed(a, id).await, listed(b, id).await);
            // Each store has its own key for what stands for who was erased.
            assert_eq!(attempts(a, id).await, attempts(b, id).await);
        }
        assert_eq!(a.store.do_not_call_counts(now).await.unwrap(), b.store.do_not_call_counts(now).await.unwrap());
        for id in LISTS.map(list) {
            assert_eq!(
                a.store.do_not_call_page(&id, None, 9).await.unwrap(),
                b.store.do_not_call_page(&id, None, 9).await.unwrap()
            );
        }
        assert_eq!(a.store.leftovers().await.unwrap(), b.store.leftovers().await.unwrap());
        assert_eq!(a.store.campaigns().await.unwrap(), b.store.campaigns().await.unwrap());
        assert_eq!(a.store.applied().await.unwrap(), b.store.applied().await.unwrap());
    }
}

/// Each customer who was not erased, as lists show them.
async fn listed(world: &World, campaign: &CampaignId) -> Vec<Listed> {
    let mut listed = world.store.listed_page(campaign, None, 1000).await.unwrap();
    listed.retain(|listed| !listed.contact.customer.as_str().starts_with("erased-"));
    listed
}

async fn attempts(world: &World, campaign: &CampaignId) -> Vec<AttemptRecord> {
    let mut attempts = world.store.attempts(campaign, None, 1000).await.unwrap();
    for attempt in attempts.iter_mut().filter(|attempt| attempt.number.is_none()) {
        assert!(attempt.customer.as_str().starts_with("erased-"));
        attempt.customer = customer_id("erased");
    }
    attempts
}

fn batch_of(batch: u8) -> BatchId {
    batch_id(&format!("b{batch}"))
}

fn row(customer: u8, numbers: &[u8]) -> NewContact {
    let mut numbers: Vec<String> = numbers.iter().map(|n| format!("+8613800000{n:03}")).collect();
    numbers.sort();
    numbers.dedup();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let tier = (!customer.is_multiple_of(3)).then(|| (AttributeId::parse("tier").unwrap(), customer));
    NewContact {
        priority: Priority::new(customer % 3 + 1).unwrap(),
        attributes: tier.into_iter().map(|(id, tier)| (id, AttributeValue::Number(tier_of(tier)))).collect(),
        ..contact(&format!("c{customer}"), &numbers)
    }
}

fn tier_of(tier: u8) -> Number {
    Number::new(f64::from(tier)).unwrap()
}

/// The next piece of evaluation that tells something: SQLite also writes places anew that time alone has changed,
/// which nobody sees.
async fn evaluated(world: &World) -> Option<crate::store::Evaluated> {
    loop {
        match world.store.evaluate().await.unwrap() {
            Some(crate::store::Evaluated { admitted: 0, complete: false, .. }) => {}
            told => return told,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn both_stores_live_the_same_life(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut twins = Twins::new().await;
            for step in &steps {
                twins.step(step).await;
                twins.same_views().await;
            }
        });
    }
}
