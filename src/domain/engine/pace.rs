//! Calls per second: never more than the cap in any window of one second (SPEC §3).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::domain::{gate::RATE_WINDOW, ids::CampaignId};

/// Instants of the newest calls of one scope.
#[derive(Debug, Clone, Default)]
struct Pace(VecDeque<Duration>);

impl Pace {
    /// The earliest instant at which one more keeps to `cap`; `None` when nothing ever does.
    fn room_at(&self, cap: u32, window: Duration) -> Option<Duration> {
        let cap = usize::try_from(cap).unwrap_or(usize::MAX);
        if cap == 0 {
            return None;
        }
        match self.0.len().checked_sub(cap) {
            Some(oldest) => Some(self.0[oldest] + window),
            None => Some(Duration::ZERO),
        }
    }

    fn record(&mut self, now: Duration, window: Duration) {
        while self.0.front().is_some_and(|&at| at + window < now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    fn give_back(&mut self) {
        self.0.pop_back();
    }
}

/// The rate caps that govern one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateCaps {
    pub(super) campaign: u32,
    pub(super) tenant: u32,
    pub(super) trunk: u32,
}

/// Calls per second of every scope.
#[derive(Debug, Clone)]
pub(super) struct Rates {
    /// A second and the wire's slack: the INVITE leaves a little after the decision, and not always the
    /// same little.
    window: Duration,
    tenant: Pace,
    trunk: Pace,
    campaigns: BTreeMap<CampaignId, Pace>,
}

impl Rates {
    /// No calls yet, on a wire with this slack.
    pub(super) fn new(wire: Duration) -> Self {
        let window = RATE_WINDOW + wire;
        Self { window, tenant: Pace::default(), trunk: Pace::default(), campaigns: BTreeMap::new() }
    }

    /// The earliest instant at which a call of `campaign` keeps to all caps; `None` for never.
    pub(super) fn room_at(&self, campaign: &CampaignId, caps: RateCaps) -> Option<Duration> {
        let window = self.window;
        let own = self.campaigns.get(campaign);
        let own = own.map_or(Some(Duration::ZERO), |pace| pace.room_at(caps.campaign, window));
        let scopes = [own, self.tenant.room_at(caps.tenant, window), self.trunk.room_at(caps.trunk, window)];
        scopes.into_iter().try_fold(Duration::ZERO, |latest, at| at.map(|at| latest.max(at)))
    }

    /// The cap that has no room for a call of `campaign` at `now`.
    pub(super) fn used_up(&self, campaign: &CampaignId, caps: RateCaps, now: Duration) -> Option<u32> {
        let none = Pace::default();
        let own = self.campaigns.get(campaign).unwrap_or(&none);
        let scopes = [(own, caps.campaign), (&self.tenant, caps.tenant), (&self.trunk, caps.trunk)];
        let full = |(pace, cap): &(&Pace, u32)| pace.room_at(*cap, self.window).is_none_or(|at| at > now);
        scopes.into_iter().find(full).map(|(_, cap)| cap)
    }

    /// Counts a call of `campaign`.
    pub(super) fn record(&mut self, campaign: &CampaignId, now: Duration) {
        self.tenant.record(now, self.window);
        self.trunk.record(now, self.window);
        self.campaigns.entry(campaign.clone()).or_default().record(now, self.window);
    }

    /// Has one more call of `campaign` made in place of the newest, which will not be made.
    pub(super) fn give_back(&mut self, campaign: &CampaignId) {
        let own = self.campaigns.get_mut(campaign);
        own.into_iter().chain([&mut self.tenant, &mut self.trunk]).for_each(Pace::give_back);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever calls as early as allowed never exceeds the cap in any second, and loses at most
        /// one percent over ten.
        #[test]
        fn never_over_in_any_second(cap in 1_u32..50, waits in prop::collection::vec(0_u64..300, 0..50)) {
            let mut rates = Rates::new(Duration::from_millis(5));
            let id = CampaignId::parse("c").unwrap();
            let caps = RateCaps { campaign: cap, tenant: 1000, trunk: 1000 };
            let mut now = Duration::from_secs(5);
            let mut calls: Vec<Duration> = Vec::new();
            for wait in waits.into_iter().chain(std::iter::repeat(0)).take(600) {
                now = (now + Duration::from_millis(wait)).max(rates.room_at(&id, caps).unwrap());
                rates.record(&id, now);
                calls.push(now);
            }
            let cap = cap as usize;
            for pair in calls.windows(cap + 1) {
                prop_assert!(pair[cap] - pair[0] >= RATE_WINDOW);
            }
        }
    }

    #[test]
    fn a_cap_of_none_never_lets_go() {
        assert_eq!(Pace::default().room_at(0, RATE_WINDOW), None);
    }
}
