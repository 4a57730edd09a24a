//! Scripted worlds: a folder with a campaign, its contacts, what becomes of each call, and the calls
//! that are expected. The format is told in `docs/simulate.md`.

mod compare;
mod files;
mod play;
mod script;

pub use self::{
    compare::{Difference, Expected},
    files::{CaseError, CaseFile},
    play::Played,
};

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use self::{
    files::{Folder, World},
    script::Script,
};
use super::machine::Halt;
use crate::domain::{
    business::{self, BusinessKey},
    campaign::{Definitions, Generation},
    contact::NewContact,
    do_not_call::NewEntry,
    ids::{AgentId, CampaignId, CustomerId, DoNotCallId, Revision},
};

/// One case, read and checked.
#[derive(Debug)]
pub struct Case {
    generations: Vec<Arc<Generation>>,
    contacts: Vec<(CampaignId, CaseFile)>,
    world: Plan,
    script: Script,
    expected: Option<Vec<Expected>>,
}

/// What a case's world does, by instants.
#[derive(Debug)]
struct Plan {
    from: Timestamp,
    until: Timestamp,
    agents: Vec<Shift>,
    wrap_up: Duration,
    setup: Duration,
    events: Vec<(Timestamp, Event)>,
}

/// When an agent is there.
#[derive(Debug)]
struct Shift {
    agent: AgentId,
    picks_up: bool,
    from: Timestamp,
    until: Timestamp,
}

/// What happens from outside.
#[derive(Debug, Clone)]
enum Event {
    /// A commit comes into force, by its place among the case's generations.
    Apply(usize),
    /// A contact is edited.
    Edit(Box<files::Edit>),
    /// A number enters a do-not-call list.
    List(DoNotCallId, NewEntry),
    /// A customer's newest call gets a business result.
    Mark(Option<CampaignId>, CustomerId, BusinessKey),
}

impl Case {
    /// Reads a case: the files of its folder, and the shared ones by their path in `shared/`.
    pub fn read(files: Vec<CaseFile>, shared: Vec<CaseFile>) -> Result<Self, CaseError> {
        let folder = Folder::new(files, shared);
        let world = folder.world()?;
        let commits = folder.commits(&world)?;
        let generations = commits.generations;
        let events = events(&folder, &world, &generations[0].definitions)?;
        let shifts = shifts(&world, &generations[0].definitions)?;
        let seconds = |what, seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| CaseError::world(format!("{what}: not a number of seconds")))
        };
        let plan = Plan {
            from: world.from,
            until: world.until,
            agents: shifts,
            wrap_up: seconds("wrap_up_s", world.wrap_up_s)?,
            setup: seconds("setup_delay_s", world.setup_delay_s)?,
            events,
        };
        let script = Script::read(folder.file("script.csv")?)?;
        let expected = folder.optional("expected.csv").map(compare::read).transpose()?;
        Ok(Self { generations, contacts: commits.contacts, world: plan, script, expected })
    }

    /// The definitions of the first commit.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        &self.generations[0].definitions
    }

    /// Files of contacts and the campaign that each belongs to, to be read by whoever reads contacts.
    pub fn contacts(&self) -> impl Iterator<Item = (&CampaignId, &CaseFile)> {
        self.contacts.iter().map(|(campaign, file)| (campaign, file))
    }

    /// Plays the case with these contacts.
    pub fn play(self, contacts: Vec<(CampaignId, NewContact)>) -> Result<Played, Halt> {
        play::play(self, contacts)
    }
}

/// A made-up commit id: the nth commit of the case.
fn revision(number: usize) -> Revision {
    Revision::parse(&format!("{:040x}", number + 1)).expect("forty hex digits are an id")
}

fn shifts(world: &World, definitions: &Definitions) -> Result<Vec<Shift>, CaseError> {
    let mut seen = BTreeSet::new();
    let shift = |agent: &files::WorldAgent| {
        let id = AgentId::parse(&agent.id).ok().filter(|id| definitions.agents.contains_key(id));
        let id =
            id.ok_or_else(|| CaseError::world(format!("agents: no agent {:?} in shared/agents.toml", agent.id)))?;
        if !seen.insert(id.clone()) {
            return Err(CaseError::world(format!("agents: {id} stands twice")));
        }
        let from = agent.from.map_or(world.from, |at| at.0);
        let until = agent.until.map_or(world.until, |at| at.0);
        Ok(Shift { agent: id, picks_up: agent.picks_up, from: from.max(world.from), until: until.min(world.until) })
    };
    world.agents.iter().map(shift).collect()
}

fn events(folder: &Folder, world: &World, definitions: &Definitions) -> Result<Vec<(Timestamp, Event)>, CaseError> {
    let mut commits = 0;
    let mut events = Vec::new();
    for event in &world.events {
        let happens = match &event.kind {
            files::EventKind::Apply { .. } => {
                commits += 1;
                Event::Apply(commits)
            }
            files::EventKind::EditContact(edit) => Event::Edit(Box::new(folder.edit(edit, definitions)?)),
            files::EventKind::DoNotCall { list, entry } if definitions.do_not_call.contains_key(list) => {
                Event::List(list.clone(), entry.clone())
            }
            files::EventKind::DoNotCall { list, .. } => {
                return Err(CaseError::world(format!("do_not_call: no list \"{list}\" in shared/do-not-call.toml")));
            }
            files::EventKind::BusinessResult { campaign, customer, key } => {
                business::check(definitions, key, None).map_err(|refusal| CaseError::world(refusal.to_string()))?;
                Event::Mark(campaign.clone(), customer.clone(), key.clone())
            }
        };
        events.push((event.at, happens));
    }
    Ok(events)
}
