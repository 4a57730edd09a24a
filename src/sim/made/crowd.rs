//! The crowd: customers who answer by rates, and agents who take their time.

use std::{collections::BTreeMap, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    config::{
        Simulation,
        simulation::{MadeCalls, Spread},
    },
    domain::{
        calendar::CallingHours,
        campaign::Definitions,
        dice::Dice,
        engine::Input,
        facts::Facts,
        ids::{AgentId, CampaignId},
        now::Now,
        phone::E164,
        results::CallResult,
        tenant::PerMille,
    },
    sim::{
        machine::Halt,
        outside::{Fate, Outside},
    },
};

/// The longest that chance makes anything, so that one draw does not outlast the world.
const SPREAD_MAX: f64 = 20.0;

/// Customers and agents at work.
pub(super) struct Crowd {
    calls: MadeCalls,
    by_hour: Vec<(CallingHours, PerMille)>,
    picks_up_after: Duration,
    seed: u64,
    calls_to: BTreeMap<E164, u64>,
    wrap_ups_of: BTreeMap<AgentId, u64>,
}

impl Crowd {
    pub(super) fn new(world: &Simulation, definitions: &Definitions, seed: u64) -> Self {
        let name = &definitions.tenant.timezone;
        let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
        let hours = world.calls.by_hour.iter().filter_map(|(window, rate)| {
            let hours = CallingHours::new(name, zone.clone(), vec![*window]).ok()?;
            Some((hours, *rate))
        });
        Self {
            by_hour: hours.collect(),
            calls: world.calls.clone(),
            picks_up_after: world.agents.picks_up_after,
            seed,
            calls_to: BTreeMap::new(),
            wrap_ups_of: BTreeMap::new(),
        }
    }

    fn answer_rate(&self, now: Now) -> PerMille {
        let at_this_hour = self.by_hour.iter().rev().find(|(hours, _)| hours.is_open(now.wall));
        at_this_hour.map_or(self.calls.answer_rate, |(_, rate)| *rate)
    }

    /// A length around its mean.
    fn length(&self, mean: Duration, dice: &mut Dice) -> Duration {
        match self.calls.spread {
            Spread::Fixed => mean,
            Spread::Exponential => {
                let times = (-(1.0 - dice.unit()).ln()).min(SPREAD_MAX);
                // Whole milliseconds: enough, and nothing hangs on the last bits of a float.
                let exact = mean.mul_f64(times);
                Duration::from_millis(u64::try_from(exact.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Outside for Crowd {
    fn fate(&mut self, now: Now, _campaign: &CampaignId, number: &E164, ring: Duration) -> Result<Fate, Halt> {
        let nth = self.calls_to.entry(number.clone()).or_default();
        *nth += 1;
        let mut dice = Dice::of(self.seed, number.expose(), *nth);
        let rate = self.answer_rate(now);
        let fate = |result, after: Duration, talk| Fate { result, ring: after.min(ring), talk };
        if dice.per_mille(rate.0) && self.calls.answer_after <= ring {
            let talk = self.length(self.calls.talk, &mut dice);
            return Ok(fate(CallResult::Answered, self.calls.answer_after, talk));
        }
        if dice.per_mille(self.calls.busy.0) && self.calls.busy_after <= ring {
            return Ok(fate(CallResult::Busy, self.calls.busy_after, Duration::ZERO));
        }
        Ok(fate(CallResult::NoAnswer, self.calls.no_answer_after, Duration::ZERO))
    }

    fn picks_up_after(&mut self, _now: Now, _agent: &AgentId) -> Option<Duration> {
        Some(self.picks_up_after)
    }

    fn wrap_up(&mut self, _now: Now, agent: &AgentId) -> Duration {
        let nth = self.wrap_ups_of.entry(agent.clone()).or_default();
        *nth += 1;
        let mut dice = Dice::of(self.seed, agent.as_str(), *nth);
        self.length(self.calls.wrap_up, &mut dice)
    }

    fn happen(&mut self, _now: Now, _event: usize, _facts: &mut Facts) -> Result<Vec<Input>, Halt> {
        Ok(Vec::new())
    }
}
