//! Campaigns of which something fails again and again: each waits by itself, and delays no other.

use std::{collections::BTreeMap, time::Duration};

use super::{
    fault::Fault,
    writer::{Shared, Writer},
};
pub(super) use crate::store::Step;
use crate::{
    domain::{
        backoff::{self, Bounds},
        ids::CampaignId,
    },
    store::StoreError,
};

/// How long a campaign waits after a failure.
const WAITS: Bounds = Bounds { first: Duration::from_secs(1), most: Duration::from_secs(5 * 60) };

/// Failures in a row, by step and campaign.
#[derive(Debug, Default)]
pub(super) struct Stuck(BTreeMap<(Step, CampaignId), Failing>);

#[derive(Debug, Clone, Copy)]
struct Failing {
    failures: u32,
    until: Duration,
}

impl Shared {
    /// Whether a step of a campaign is not to be tried now.
    pub(super) fn is_stuck(&self, step: Step, campaign: &CampaignId) -> bool {
        let now = self.clock.now().mono;
        self.stuck().0.get(&(step, campaign.clone())).is_some_and(|failing| now < failing.until)
    }

    /// A step of a campaign has been done.
    pub(super) fn went_on(&self, step: Step, campaign: &CampaignId) {
        self.stuck().0.remove(&(step, campaign.clone()));
    }

    /// A step of a campaign has failed: it waits.
    pub(super) fn failed(&self, step: Step, campaign: &CampaignId) -> (u32, Duration) {
        let mut stuck = self.stuck();
        let now = self.clock.now().mono;
        let failing = stuck.0.entry((step, campaign.clone())).or_insert(Failing { failures: 0, until: Duration::ZERO });
        failing.failures = failing.failures.saturating_add(1);
        let wait = backoff::wait(WAITS, failing.failures, u64::from(self.epoch.0), campaign.as_str());
        failing.until = now.saturating_add(wait);
        (failing.failures, wait)
    }

    /// A commit may have mended what failed.
    pub(super) fn try_all_again(&self) {
        self.stuck().0.clear();
    }
}

impl Writer {
    /// Whether a step of a campaign is not to be tried now.
    pub(super) fn is_stuck(&self, step: Step, campaign: &CampaignId) -> bool {
        self.shared.is_stuck(step, campaign)
    }

    /// Does a step for a campaign; if it fails, that campaign waits.
    pub(super) fn try_for<T>(
        &mut self,
        step: Step,
        campaign: &CampaignId,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match work(self) {
            Ok(done) => {
                self.shared.went_on(step, campaign);
                Ok(done)
            }
            Err(fault) => {
                let (failures, retry_in) = self.shared.failed(step, campaign);
                let source = Box::new(fault.told(&self.shared.name));
                Err(StoreError::Stuck { campaign: campaign.clone(), step, failures, retry_in, source }.into())
            }
        }
    }
}
