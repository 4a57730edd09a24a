//! Made-up worlds: customers who answer by rates, agents in shifts, and what comes of dialling them.

mod crowd;
mod people;
mod report;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use self::{crowd::Crowd, people::Shifts};
pub use self::{
    people::{MadeError, contacts},
    report::{AgentsReport, CampaignReport, Expectation, Hour, Report, part},
};
use super::{
    NO_CAPS,
    machine::{Halt, Happening, Machine},
};
use crate::{
    config::Simulation,
    domain::{
        campaign::{DesiredState, DialPermission, Generation},
        contact::NewContact,
        engine::{EngineSettings, Input, Slack},
        facts::{Facts, GateSettings},
        ids::{CampaignId, Epoch, Revision, TrunkId},
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
        people::staff(&mut self.definitions, self.world.agents.count);
        for campaign in self.definitions.campaigns.values_mut() {
            // Asking what a campaign would do means that it is dialled.
            Arc::make_mut(campaign).desired = DesiredState::Running;
        }
        let shifts = Shifts::of(&self.definitions, &self.world.agents, self.from, self.until);
        let revision = Revision::parse(&"0".repeat(40)).expect("forty hex digits are an id");
        let generation = Arc::new(Generation { revision, committed_at: self.from, definitions: self.definitions });
        let trunk = TrunkId::parse("simulated").expect("a slug");
        let permission = DialPermission::All;
        let gate = GateSettings { permission: permission.clone(), caps: BTreeMap::from([(trunk.clone(), NO_CAPS)]) };
        let slack = Slack::NETWORK;
        let settings = EngineSettings { permission, caps: NO_CAPS, trunk, epoch: Epoch(1), slack };
        let crowd = Crowd::new(&self.world, &generation.definitions, self.seed);
        let setup = self.world.calls.setup;
        let mut machine = Machine::new(settings, Facts::new(gate), crowd, self.from, setup).looking_every(LOOK_EVERY);
        machine.facts.apply(Arc::clone(&generation));
        for (campaign, contact) in self.contacts {
            machine.facts.import(&campaign, contact)?;
        }
        machine.give(Input::Applied(Arc::clone(&generation)))?;
        for (agent, from, until) in shifts.all() {
            machine.at(from, Happening::Comes(agent.clone()));
            machine.at(until, Happening::Leaves(agent.clone()));
        }
        machine.run(self.until)?;
        Ok(report::report(machine, &generation, &shifts, &self.world.expect, (self.from, self.until), self.seed))
    }
}
