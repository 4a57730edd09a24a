//! Overrides that come and go while a world runs.

use super::*;
use crate::domain::overrides::{Order, Override, OverrideId, Scope};

/// For how long overrides are made.
const OVERRIDING_FOR: Duration = Duration::from_secs(8 * 86_400);

impl World {
    /// Has the first override made.
    pub(super) fn begin_overriding(&mut self) {
        self.later(Duration::from_secs(60), Event::Override);
    }

    /// Somebody decides something for a while, or ends what was decided; the engine hears of it a moment later.
    pub(super) fn decide(&mut self) {
        let after = self.millis(2 * 3_600_000);
        if self.mono + after < OVERRIDING_FOR {
            self.later(after, Event::Override);
        }
        let mut cancel_ringing = None;
        let first = self.overrides.in_force(self.wall()).next().map(|one| one.id);
        if let Some(first) = first.filter(|_| self.dice.chance(30)) {
            self.overrides = Arc::new(self.overrides.without(first));
        } else {
            let campaign = self.any_campaign();
            let scope = if self.dice.chance(30) { Scope::All } else { Scope::Campaign(campaign) };
            let order = match self.dice.below(3) {
                0 => Order::Resume { scope },
                kind => {
                    cancel_ringing = (kind == 1).then(|| scope.clone());
                    Order::Pause { scope, cancel_ringing: kind == 1 }
                }
            };
            self.made += 1;
            let (since, lasting) = (self.wall(), self.millis(6 * 3_600_000));
            let until = since + SignedDuration::try_from(lasting).unwrap();
            let (reason, by) = ("to see".to_owned(), "a test".to_owned());
            let made = Arc::new(Override { id: OverrideId(self.made), order, reason, by, since, until });
            self.overrides = Arc::new(self.overrides.with(made));
        }
        let soon = self.millis(50);
        self.later(soon, Event::Overridden(cancel_ringing));
    }

    /// The engine reads what the store has.
    pub(super) fn overridden(&mut self, cancel_ringing: Option<Scope>) {
        self.told = Arc::clone(&self.overrides);
        let overrides = Arc::clone(&self.overrides);
        self.give(Input::Overridden { overrides, cancel_ringing: cancel_ringing.clone() });
        let Some(scope) = cancel_ringing else { return };
        let rings = |call: &&LiveCall| scope.has(&call.campaign) && call.stage == Stage::Dialing;
        assert_eq!(self.engine.calls.values().find(rings).map(|call| &call.campaign), None, "still rings");
    }

    /// Whether a campaign may place a call by its file and by what the engine was told.
    pub(super) fn may_dial(&self, campaign: &Campaign, now: Timestamp) -> bool {
        match self.told.governing(&campaign.id, now).map(|one| &one.order) {
            Some(Order::Pause { .. }) => false,
            Some(Order::Resume { .. }) => true,
            Some(Order::Pin { .. }) | None => campaign.desired == DesiredState::Running,
        }
    }
}
