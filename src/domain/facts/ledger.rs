//! What is live now, kept in the writer's memory: calls by customer and by number, their counts,
//! and the calls placed in the last second.
//!
//! It is rebuilt from the tables when a store is opened; the tables' constraints stay the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::{
    gate::{Counts, RATE_WINDOW},
    ids::{AttemptId, CampaignId, CustomerId, TrunkId},
    phone::E164,
};

/// A live call, as far as others are held by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// The campaign.
    pub campaign: CampaignId,
    /// The trunk.
    pub trunk: TrunkId,
    /// The customer.
    pub customer: CustomerId,
    /// The number that is called.
    pub called: E164,
    /// All numbers of the contact, the called one too: who has one of them is the same customer.
    pub numbers: Vec<E164>,
}

/// A call placed within the last second.
#[derive(Debug, Clone)]
struct Placement {
    /// Monotonic, in microseconds; negative for one made before this life.
    at: i64,
    /// Its INVITE may leave: what recorded it is durable.
    committed: bool,
    attempt: AttemptId,
    campaign: CampaignId,
    trunk: TrunkId,
}

/// Live calls and recent placements.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    calls: BTreeMap<AttemptId, LiveCall>,
    customers: BTreeMap<CustomerId, AttemptId>,
    numbers: BTreeMap<E164, AttemptId>,
    by_campaign: BTreeMap<CampaignId, u32>,
    by_trunk: BTreeMap<TrunkId, u32>,
    placements: VecDeque<Placement>,
}

/// Monotonic time as placements keep it.
pub fn monotonic(mono: std::time::Duration) -> i64 {
    i64::try_from(mono.as_micros()).unwrap_or(i64::MAX)
}

impl Ledger {
    /// Adds a live call.
    pub fn add(&mut self, attempt: AttemptId, call: LiveCall) {
        *self.by_campaign.entry(call.campaign.clone()).or_default() += 1;
        *self.by_trunk.entry(call.trunk.clone()).or_default() += 1;
        self.customers.insert(call.customer.clone(), attempt);
        self.numbers.extend(call.numbers.iter().map(|number| (number.clone(), attempt)));
        self.calls.insert(attempt, call);
    }

    /// Removes a live call that has ended.
    pub fn remove(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.remove(&attempt) else { return };
        decrease(&mut self.by_campaign, &call.campaign);
        decrease(&mut self.by_trunk, &call.trunk);
        self.customers.remove(&call.customer);
        for number in &call.numbers {
            self.numbers.remove(number);
        }
    }

    /// Counts a placement at `mono`.
    pub fn place(&mut self, attempt: AttemptId, campaign: &CampaignId, trunk: &TrunkId, mono: i64) {
        let (campaign, trunk) = (campaign.clone(), trunk.clone());
        self.placements.push_back(Placement { at: mono, committed: true, attempt, campaign, trunk });
    }

    /// The same of one that is yet to be committed.
    pub fn place_before_commit(&mut self, attempt: AttemptId, campaign: &CampaignId, trunk: &TrunkId, mono: i64) {
        let (campaign, trunk) = (campaign.clone(), trunk.clone());
        self.placements.push_back(Placement { at: mono, committed: false, attempt, campaign, trunk });
    }

    /// Moves placements that were yet to be committed to `mono`: the INVITE leaves after the commit, so
    /// the second is counted from there.
    pub fn committed(&mut self, mono: i64) {
        for placement in self.placements.iter_mut().rev().take_while(|placement| !placement.committed) {
            (placement.at, placement.committed) = (mono, true);
        }
    }

    /// Takes back a call whose INVITE never left.
    pub fn withdraw(&mut self, attempt: AttemptId) {
        self.remove(attempt);
        self.placements.retain(|placement| placement.attempt != attempt);
    }

    /// Whether the number itself is being called.
    pub fn number_on_call(&self, number: &E164) -> bool {
        self.numbers.get(number).and_then(|attempt| self.calls.get(attempt)).is_some_and(|call| call.called == *number)
    }

    /// Whether the customer is in a call: by its id, or by any of its numbers.
    pub fn customer_on_call<'a>(&self, customer: &CustomerId, mut numbers: impl Iterator<Item = &'a E164>) -> bool {
        self.customers.contains_key(customer) || numbers.any(|number| self.numbers.contains_key(number))
    }

    /// How many live calls a customer with these numbers is in.
    #[must_use]
    pub fn calls_to<'a>(&self, customer: &CustomerId, numbers: impl Iterator<Item = &'a E164>) -> u32 {
        let by_number = numbers.filter_map(|number| self.numbers.get(number));
        let calls: BTreeSet<&AttemptId> = self.customers.get(customer).into_iter().chain(by_number).collect();
        u32::try_from(calls.len()).unwrap_or(u32::MAX)
    }

    /// Campaigns that have live calls, with how many.
    pub fn live(&self, campaign: &CampaignId, trunk: &TrunkId) -> Counts {
        Counts {
            campaign: self.by_campaign.get(campaign).copied().unwrap_or(0),
            tenant: u32::try_from(self.calls.len()).unwrap_or(u32::MAX),
            trunk: self.by_trunk.get(trunk).copied().unwrap_or(0),
        }
    }

    /// Placements in the second before `mono`: `(mono − 1 s, mono]`.
    pub fn placed_last_second(&self, campaign: &CampaignId, trunk: &TrunkId, mono: i64) -> Counts {
        let mut counts = Counts::default();
        for placement in self.placements.iter().filter(|p| p.at > mono - WINDOW) {
            counts.tenant += 1;
            counts.campaign += u32::from(placement.campaign == *campaign);
            counts.trunk += u32::from(placement.trunk == *trunk);
        }
        counts
    }

    /// Forgets placements that no second after `mono` can count.
    pub fn forget_before(&mut self, mono: i64) {
        while self.placements.front().is_some_and(|p| p.at <= mono - WINDOW) {
            self.placements.pop_front();
        }
    }

    /// Customers and numbers that are in a call.
    pub fn occupied(&self) -> (BTreeSet<&CustomerId>, BTreeSet<&E164>) {
        (self.customers.keys().collect(), self.numbers.keys().collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "one second in microseconds")]
const WINDOW: i64 = RATE_WINDOW.as_micros() as i64;

fn decrease<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Epoch;

    #[test]
    fn a_later_commit_moves_no_placement_of_an_earlier_one() {
        let (campaign, trunk) = (CampaignId::parse("spring").unwrap(), TrunkId::parse("carrier").unwrap());
        let attempt = |serial| AttemptId { epoch: Epoch(1), serial };
        let mut ledger = Ledger::default();
        ledger.place_before_commit(attempt(1), &campaign, &trunk, 100);
        ledger.committed(100);
        // One of something else, that began at the same instant and takes a second.
        ledger.committed(100 + WINDOW);
        assert_eq!(ledger.placed_last_second(&campaign, &trunk, 100 + WINDOW).campaign, 0);
        ledger.place_before_commit(attempt(2), &campaign, &trunk, 200 + WINDOW);
        ledger.committed(300 + WINDOW);
        assert_eq!(ledger.placed_last_second(&campaign, &trunk, 299 + 2 * WINDOW).campaign, 1, "from its commit on");
        assert_eq!(ledger.placed_last_second(&campaign, &trunk, 300 + 2 * WINDOW).campaign, 0);
    }
}
