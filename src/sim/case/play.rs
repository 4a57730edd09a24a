//! A case, played: the script is the customers, the plan is the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Duration,
};

use super::{
    Case, Event, Plan,
    compare::{self, Difference},
    script::Script,
};
use crate::{
    domain::{
        business::Mark,
        campaign::Generation,
        contact::NewContact,
        engine::{Input, Slack},
        facts::{ContactRefused, Facts},
        ids::{AgentId, CampaignId},
        now::Now,
        phone::E164,
    },
    sim::{
        machine::{Halt, Happening, Machine},
        outside::{Fate, Outside},
        record::{Attempt, CampaignHold, Refusal, RefusedEvent},
    },
};

/// What came of a case.
#[derive(Debug)]
pub struct Played {
    /// Every attempt, by when its INVITE left.
    pub attempts: Vec<Attempt>,
    /// What whole campaigns waited for.
    pub holds: Vec<CampaignHold>,
    /// Contacts that the last gate refused.
    pub refusals: Vec<Refusal>,
    /// Events that were refused: edits of contacts in a call.
    pub refused_events: Vec<RefusedEvent>,
    /// Expected and actual attempts side by side, if the case has any expected.
    pub differences: Option<Vec<Difference>>,
}

/// The driver cancels when the script says so, not by the ring limit; no script rings for a day. Agents pick up at
/// once, so calls of one instant leave in the order in which agents were claimed for them.
const EXACT: Slack = Slack { wire: Duration::ZERO, cancel: Duration::from_secs(24 * 60 * 60), phone: Duration::ZERO };

/// The script and the plan, at work.
struct Scripted {
    script: Script,
    generations: Vec<Arc<Generation>>,
    events: Vec<Event>,
    /// Contacts of campaigns that no commit has brought yet.
    contacts: BTreeMap<CampaignId, Vec<NewContact>>,
    never_picks_up: BTreeSet<AgentId>,
    wrap_up: Duration,
    refused: Vec<RefusedEvent>,
}

impl Scripted {
    /// Puts a commit in force, with the contacts of the campaigns that it brings.
    fn apply(&mut self, now: Now, number: usize, facts: &mut Facts) -> Result<Input, Halt> {
        let generation = facts.apply(Arc::clone(&self.generations[number]), now.wall);
        for (campaign, contacts) in mem::take(&mut self.contacts) {
            if !generation.definitions.campaigns.contains_key(&campaign) {
                self.contacts.insert(campaign, contacts);
                continue;
            }
            for contact in contacts {
                facts.import(&campaign, contact)?;
            }
        }
        Ok(Input::Applied(generation))
    }
}

impl Outside for Scripted {
    fn fate(&mut self, now: Now, _campaign: &CampaignId, number: &E164, _ring: Duration) -> Result<Fate, Halt> {
        self.script.next(now.wall, number)
    }

    fn picks_up_after(&mut self, _now: Now, agent: &AgentId) -> Option<Duration> {
        (!self.never_picks_up.contains(agent)).then_some(Duration::ZERO)
    }

    fn wrap_up(&mut self, _now: Now, _agent: &AgentId) -> Duration {
        self.wrap_up
    }

    fn happen(&mut self, now: Now, event: usize, facts: &mut Facts) -> Result<Vec<Input>, Halt> {
        Ok(match self.events[event].clone() {
            Event::Apply(number) => vec![self.apply(now, number, facts)?],
            Event::Edit(edit) => match facts.edit(&edit.campaign, &edit.customer, &edit.edit) {
                Ok(()) => vec![Input::ContactsChanged(edit.campaign)],
                Err(error @ ContactRefused::OnCall(_)) => {
                    self.refused.push(RefusedEvent { at: now.wall, why: error.to_string() });
                    Vec::new()
                }
                Err(error) => return Err(Halt::Event { at: now.wall, why: error.to_string() }),
            },
            Event::List(list, entry) => {
                facts.list(&list, entry);
                facts.campaigns().cloned().map(Input::ContactsAdded).collect()
            }
            Event::Mark(campaign, customer, key) => {
                let marked = facts.mark(campaign.as_ref(), &customer, Mark { key, at: now.wall, agreed: None });
                let changed = marked.and_then(|contact| facts.contact(contact));
                let changed =
                    changed.map(|c| Input::ContactChanged { campaign: c.campaign.clone(), contact: c.reference });
                changed.into_iter().collect()
            }
        })
    }
}

pub(super) fn play(case: Case, contacts: Vec<(CampaignId, NewContact)>) -> Result<Played, Halt> {
    let Case { generations, world, script, expected, .. } = case;
    let Plan { from, until, agents, wrap_up, setup, events } = world;
    let mut by_campaign: BTreeMap<CampaignId, Vec<NewContact>> = BTreeMap::new();
    for (campaign, contact) in contacts {
        by_campaign.entry(campaign).or_default().push(contact);
    }
    let never_picks_up = agents.iter().filter(|shift| !shift.picks_up).map(|shift| shift.agent.clone()).collect();
    let (times, events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
    let outside =
        Scripted { script, generations, events, contacts: by_campaign, never_picks_up, wrap_up, refused: Vec::new() };
    let mut machine = Machine::new(EXACT, outside, from, setup);
    let applied = machine.outside.apply(machine.now(), 0, &mut machine.facts)?;
    machine.give(applied)?;
    for (index, at) in times.into_iter().enumerate() {
        machine.at(at, Happening::Event(index));
    }
    for shift in agents {
        machine.at(shift.from, Happening::Comes(shift.agent.clone()));
        machine.at(shift.until, Happening::Leaves(shift.agent));
    }
    machine.run(until)?;
    let holds = machine.finish_holds();
    let mut attempts = machine.attempts;
    attempts.sort_by_key(|attempt| (attempt.at, attempt.id));
    let differences = expected.map(|expected| compare::compare(&expected, &attempts));
    let (refusals, refused_events) = (machine.refusals, machine.outside.refused);
    Ok(Played { attempts, holds, refusals, refused_events, differences })
}
