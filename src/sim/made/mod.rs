//! Made-up worlds: customers who answer by rates, agents in shifts, and what comes of dialling them.

mod crowd;
mod people;
#[cfg(test)]
mod rates;
mod report;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use self::{crowd::Crowd, people::Shifts};
pub use self::{
    people::{MadeError, contacts},
    report::{AgentsReport, CampaignReport, Expectation, Hour, Report, part},
};
use super::machine::{Halt, Happening, Machine};
use crate::{
    config::Simulation,
    domain::{
        campaign::{DesiredState, Generation},
        contact::NewContact,
        engine::{Input, Slack},
        ids::{CampaignId, Revision},
    },
};

/// How often campaigns are asked what they wait for.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What is simulated.
#[derive(Debug)]
pub struct Made {
    /// Definitions with the campaigns that are dialled, and no others.
    pub definitions: crate::domain::campaign::Definitions,
    /// Their contacts.
    pub contacts: Vec<(CampaignId, NewContact)>,
    /// The world.
    pub world: Simulation,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// What chance follows from.
    pub seed: u64,
}

impl Made {
    /// Simulates, and tells what came of it.
    pub fn run(mut self) -> Result<Report, Halt> {
        let (times, seed) = ((self.from, self.until), self.seed);
        let expect = std::mem::take(&mut self.world.expect);
        let (machine, generation, shifts) = self.play()?;
        Ok(report::report(machine, &generation, &shifts, &expect, times, seed))
    }

    /// Dials to the end.
    fn play(mut self) -> Result<(Machine<Crowd>, Arc<Generation>, Shifts), Halt> {
        people::staff(&mut self.definitions, self.world.agents.count);
        for campaign in self.definitions.campaigns.values_mut() {
            // Asking what a campaign would do means that it is dialled.
            Arc::make_mut(campaign).desired = DesiredState::Running;
        }
        let shifts = Shifts::of(&self.definitions, &self.world.agents, self.from, self.until);
        let revision = Revision::parse(&"0".repeat(40)).expect("forty hex digits are an id");
        let generation = Arc::new(Generation::whole(revision, self.from, self.definitions));
        let crowd = Crowd::new(&self.world, &generation.definitions, self.seed);
        let setup = self.world.calls.setup;
        let mut machine = Machine::new(Slack::NETWORK, crowd, self.from, setup).looking_every(LOOK_EVERY);
        let generation = machine.facts.apply(generation, self.from);
        for (campaign, contact) in self.contacts {
            machine.facts.import(&campaign, contact)?;
        }
        machine.give(Input::Applied(Arc::clone(&generation)))?;
        for (agent, from, until) in shifts.all() {
            machine.at(from, Happening::Comes(agent.clone()));
            machine.at(until, Happening::Leaves(agent.clone()));
        }
        machine.run(self.until)?;
        Ok((machine, generation, shifts))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{
        config::Simulation,
        domain::{
            calendar::Window,
            campaign::{Campaign, Definitions},
            ids::TenantId,
            policy::{DaysPolicy, ResultPolicy},
            tenant::{PerMille, Tenant},
        },
    };

    /// A day of one campaign that never runs out of contacts.
    fn busy_day(agents: u32, answer_rate: u16, hours: &str) -> Report {
        let tenant = Tenant::new(TenantId::parse("t").unwrap(), "T", "UTC", "CN");
        let mut definitions = Definitions::of(tenant);
        let mut campaign = Campaign::example();
        campaign.agents.wrap_up = Duration::from_secs(3600);
        let days = DaysPolicy {
            max_days: NonZeroU32::MIN,
            max_attempts_per_day: NonZeroU32::MIN,
            retry_interval: Duration::from_secs(60),
        };
        campaign.results = ResultPolicy::days(days);
        let id = campaign.id.clone();
        definitions.campaigns.insert(id.clone(), Arc::new(campaign));
        let mut world = Simulation::default();
        world.contacts.count = 30_000;
        world.calls.answer_rate = PerMille(answer_rate);
        world.agents.count = Some(agents);
        world.agents.shifts = vec![Window::parse(hours).unwrap()];
        let contacts = contacts(&world.contacts, &definitions, 0).unwrap();
        let contacts = contacts.into_iter().map(|contact| (id.clone(), contact)).collect();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, until) = (at("2031-03-03T00:00:00Z"), at("2031-03-04T00:00:00Z"));
        Made { definitions, contacts, world, from, until, seed: 3 }.run().unwrap()
    }

    /// H / (H + D) of the defaults: talk 120 s and wrap-up 20 s; answers after 9 s, a quarter of the rest
    /// busy after 4 s and three quarters rung for 22 s.
    fn by_formula(answer_rate: u16) -> f64 {
        let (p, unanswered, work) = (f64::from(answer_rate) / 1000.0, 0.25 * 4.0 + 0.75 * 22.0, 140.0);
        work / (work + (1.0 - p) / p * unanswered + 9.0)
    }

    /// Agents are as busy as reserving them first allows, and nobody is abandoned.
    #[test]
    fn utilisation_is_what_arithmetic_says() {
        for (agents, answer_rate, hours) in
            [(5, 300, "00:00-24:00"), (20, 500, "06:00-13:00"), (20, 200, "06:00-13:00")]
        {
            let report = busy_day(agents, answer_rate, hours);
            let (is, wanted) = (f64::from(report.agents.utilisation.0) / 1000.0, by_formula(answer_rate));
            assert!((is - wanted).abs() <= 0.01, "{agents} agents at {answer_rate}: {is}, not {wanted}");
            assert_eq!(report.abandoned, 0);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_report() {
        let day = || busy_day(3, 300, "09:00-10:00");
        assert_eq!(day(), day());
        assert!(day().attempts > 100);
        assert_eq!(day().agents.count, 3);
    }
}
