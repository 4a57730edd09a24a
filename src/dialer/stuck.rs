//! Campaigns of which something fails in the store: each is told, and the others go on.

use jiff::{SignedDuration, Timestamp};

use super::run::Looper;
use crate::{
    domain::{engine::Input, reason::Hold},
    store::{Step, StoreError},
    telemetry::failures::FailedStep,
};

impl Looper {
    /// What is to be done for a campaign in the store failed; it is tried again after a while.
    pub(super) fn stuck(&mut self, error: StoreError) {
        self.evaluating = false;
        tracing::error!(error = &error as &dyn std::error::Error, "a campaign is stuck; others go on");
        if let StoreError::Stuck { campaign, step, failures, retry_in, .. } = error {
            self.parts.metrics.campaign_failed(failed(step));
            let after = SignedDuration::try_from(retry_in).unwrap_or(SignedDuration::MAX);
            let retry_at = self.parts.clock.now().wall.saturating_add(after).unwrap_or(Timestamp::MAX);
            self.behind.insert(campaign.clone());
            let hold = Some(Hold::Stuck { what: step.as_str(), failures, retry_at });
            self.give(Input::Behind { campaign, hold });
        }
        if !self.is_draining() {
            self.evaluate();
        }
    }
}

fn failed(step: Step) -> FailedStep {
    match step {
        Step::Lists => FailedStep::Lists,
        Step::Holds => FailedStep::Holds,
        Step::Definition => FailedStep::Definition,
        Step::Pause => FailedStep::Pause,
        Step::Wake => FailedStep::Wake,
    }
}
