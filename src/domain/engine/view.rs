//! What the engine shows of itself, for status, metrics and `why`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Engine, Place, agents::Phase, agents::Phone, campaigns::CampaignRun, live_call::Stage};
use crate::domain::{
    agent::{AgentCall, AgentState, Availability},
    campaign::{Campaign, NumberOrder, Others},
    ids::{AgentId, CampaignId, QueueId, Revision},
    now::Now,
    reason::Hold,
    results::CallResult,
};

/// The engine at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Campaigns by id.
    pub campaigns: Vec<CampaignView>,
    /// Agents by id.
    pub agents: Vec<AgentView>,
    /// Attempts whose intent is durable and that have not ended.
    pub live_calls: u32,
    /// Agents held for an attempt.
    pub reserved_agents: u32,
}

/// One campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignView {
    /// Identity.
    pub id: CampaignId,
    /// Name.
    pub name: String,
    /// `running`, `paused`; `None` once its file is gone.
    pub desired: Option<&'static str>,
    /// SPEC's phase.
    pub phase: &'static str,
    /// Commit that defines it.
    pub revision: Revision,
    /// Why it is not dialling; `None` while it is.
    pub hold: Option<Hold>,
    /// Attempts whose intent is durable and that have not ended; of all campaigns together they are the view's.
    pub live_calls: u32,
    /// All contacts; `None` until they have been counted.
    pub contacts: Option<u64>,
    /// Contacts that have not ended; `None` until they have been counted.
    pub open_contacts: Option<u64>,
    /// Attempts by result, in this life of the daemon.
    pub results: BTreeMap<CallResult, u64>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// Identity.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// State.
    pub state: AgentState,
    /// Since when.
    pub since: Timestamp,
    /// Campaign of the call the agent is held for.
    pub campaign: Option<CampaignId>,
    /// That call, or the one that is being wrapped up.
    pub call: Option<AgentCall>,
    /// What the agent becomes after it, if not idle.
    pub after_call: Option<Availability>,
}

/// The agents of a queue that are here.
#[derive(Debug, Clone, Default)]
struct Staff {
    idle: u32,
    /// All queues that they serve.
    queues: BTreeSet<QueueId>,
}

/// What a campaign's standing depends on besides itself.
struct Around {
    staff: BTreeMap<QueueId, Staff>,
    paced: BTreeSet<CampaignId>,
    live: BTreeMap<CampaignId, u32>,
}

impl Engine {
    /// The engine as it stands at `now`.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        let around = Around { staff: self.staff(now), paced: self.paced(), live: self.live() };
        let campaigns = self.campaigns.iter().map(|(id, run)| self.campaign_view(now, id, run, &around)).collect();
        let agents: Vec<AgentView> = self.agents.iter().map(|(id, agent)| self.agent_view(id, agent)).collect();
        let held = self.agents.values().filter(|agent| matches!(agent.phase, Phase::Held { .. })).count();
        View {
            campaigns,
            agents,
            live_calls: around.live.values().sum(),
            reserved_agents: u32::try_from(held).unwrap_or(u32::MAX),
        }
    }

    fn staff(&self, now: Now) -> BTreeMap<QueueId, Staff> {
        let mut staff: BTreeMap<QueueId, Staff> = BTreeMap::new();
        for agent in self.agents.values() {
            if matches!(agent.phase, Phase::Away(_)) {
                continue;
            }
            let queues = agent.definition.iter().flat_map(|d| &d.queues);
            for queue in queues.clone() {
                let staff = staff.entry(queue.clone()).or_default();
                staff.idle += u32::from(agent.is_available(now.mono));
                staff.queues.extend(queues.clone().cloned());
            }
        }
        staff
    }

    /// Attempts by campaign; an agent who is held for one that is not recorded yet is no call.
    fn live(&self) -> BTreeMap<CampaignId, u32> {
        let mut live = BTreeMap::new();
        for call in self.calls.values().filter(|call| call.recorded.is_some()) {
            *live.entry(call.campaign.clone()).or_default() += 1;
        }
        live
    }

    /// Campaigns of which a call waits for room in the calls of a second.
    fn paced(&self) -> BTreeSet<CampaignId> {
        let waiting = self.calls.values().filter(|call| call.stage == Stage::WaitingRate);
        waiting.map(|call| call.campaign.clone()).collect()
    }

    fn campaign_view(&self, now: Now, id: &CampaignId, run: &CampaignRun, around: &Around) -> CampaignView {
        let hold = match (&run.hold, &run.definition) {
            (Some(hold), _) => Some(hold.clone()),
            (None, None) => Some(Hold::Retired),
            (None, Some(campaign)) => self.waiting(now, campaign, run, around),
        };
        CampaignView {
            id: id.clone(),
            name: run.name.clone(),
            desired: run.definition.as_ref().map(|c| c.desired.as_str()),
            phase: run.phase(now.wall),
            revision: run.revision.clone(),
            hold,
            live_calls: around.live.get(id).copied().unwrap_or(0),
            contacts: run.counted.then_some(run.total),
            open_contacts: run.counted.then_some(run.open),
            results: run.results.clone(),
        }
    }

    /// What an open, running campaign waits for.
    fn waiting(&self, now: Now, campaign: &Campaign, run: &CampaignRun, around: &Around) -> Option<Hold> {
        if let Some(stuck) = run.stuck() {
            return Some(stuck);
        }
        if run.loaded_once && run.total == 0 {
            return Some(Hold::NoContacts);
        }
        if run.loaded_once && run.open == 0 {
            return (run.live == 0).then_some(Hold::AllContactsEnded);
        }
        if run.loaded_once && run.matching == Some(0) {
            return (run.live == 0).then_some(Hold::NothingMatches { contacts: run.open });
        }
        if run.without_numbers {
            let hold = if calls_all_numbers(campaign) { Hold::NothingDue { next_at: None } } else { Hold::NoNumber };
            return (run.live == 0).then_some(hold);
        }
        if run.loaded_once && run.matching.is_some_and(|matching| matching <= run.paused) {
            return (run.live == 0).then_some(Hold::BatchPaused);
        }
        if let Some(cap) = self.at_cap(now, run, campaign, around) {
            return Some(cap);
        }
        let Some(staff) = around.staff.get(&campaign.skill_queue) else { return Some(Hold::NoAgentSignedIn) };
        if let Some(hold) = run.waits_for_agent() {
            return (run.live == 0).then_some(hold);
        }
        if run.hopper_is_empty() {
            let fails = run.behind.clone().or_else(|| run.fails());
            let hold = fails.unwrap_or(Hold::NothingDue { next_at: run.next_ready_at });
            return (run.live == 0).then_some(hold);
        }
        let waits = staff.idle == 0 && run.live == 0;
        waits.then(|| self.goes_first(campaign, staff).map_or(Hold::NoAgentIdle, |first| Hold::LowerPriority { first }))
    }

    /// The cap that leaves no room for one more call.
    fn at_cap(&self, now: Now, run: &CampaignRun, campaign: &Campaign, around: &Around) -> Option<Hold> {
        let calls = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let caps = self.settings.caps;
        if let Some(limit) = run.at_limit() {
            return Some(Hold::CampaignAtLimit { limit });
        }
        if calls >= caps.tenant_calls {
            return Some(Hold::TenantAtLimit { limit: caps.tenant_calls });
        }
        if calls >= caps.trunk_calls {
            return Some(Hold::TrunkAtLimit { limit: caps.trunk_calls });
        }
        let idle = around.staff.get(&campaign.skill_queue).is_some_and(|staff| staff.idle > 0);
        if idle && !run.hopper_is_empty() {
            let (id, caps) = (&campaign.id, self.rate_caps(&campaign.id));
            return self.claimed.used_up(id, caps, now.mono).map(|limit| Hold::CallRate { limit });
        }
        let id = around.paced.get(&campaign.id)?;
        self.asked.used_up(id, self.rate_caps(id), now.mono).map(|limit| Hold::CallRate { limit })
    }

    /// The campaign of a higher priority that the next free agent of these is for.
    fn goes_first(&self, campaign: &Campaign, staff: &Staff) -> Option<CampaignId> {
        let lists = [&self.ready, &self.awaited].into_iter();
        let lists = lists.flat_map(|lists| staff.queues.iter().filter_map(|queue| lists.get(queue)));
        let before = |(priority, ..): &&Place| *priority < campaign.priority;
        let has_room = |(_, _, id): &&Place| self.campaigns.get(id).is_some_and(|run| run.at_limit().is_none());
        let firsts = lists.filter_map(|list| list.iter().take_while(before).find(has_room));
        firsts.min().map(|(_, _, first)| first.clone())
    }

    /// What an agent is doing; `None` for nobody of the generation in force.
    #[must_use]
    pub fn agent_state(&self, id: &AgentId) -> Option<AgentState> {
        self.agents.get(id).map(|agent| self.agent_view(id, agent).state)
    }

    fn agent_view(&self, id: &AgentId, agent: &super::Agent) -> AgentView {
        let call = match agent.phase {
            Phase::Held { attempt, .. } => self.calls.get(&attempt),
            Phase::Away(_) | Phase::Idle { .. } | Phase::WrapUp { .. } | Phase::Recovering { .. } => None,
        };
        let held = match (call.map(|call| call.stage), agent.phone) {
            (Some(Stage::Talking), _) => AgentState::Talking,
            (_, Phone::Ringing(_)) => AgentState::Ringing,
            (_, Phone::Down | Phone::Storing(_) | Phone::Up(_)) => AgentState::Reserved,
        };
        let shown = match agent.phase {
            Phase::Held { attempt, .. } => call.map(|call| call.as_agents_see_it(attempt, call.stage_for_agent())),
            Phase::WrapUp { .. } => agent.last_call.clone(),
            Phase::Away(_) | Phase::Idle { .. } | Phase::Recovering { .. } => None,
        };
        AgentView {
            call: shown,
            after_call: agent.after_call,
            id: id.clone(),
            name: agent.definition.as_ref().map(|d| d.name.clone()).unwrap_or_default(),
            state: agent.state_unless_held().unwrap_or(held),
            since: agent.state_since,
            campaign: call.map(|call| call.campaign.clone()),
        }
    }
}

/// Whether there is no number that the campaign's order leaves out.
fn calls_all_numbers(campaign: &Campaign) -> bool {
    match &campaign.order {
        NumberOrder::Sequence => true,
        NumberOrder::RoundsByCategory { others, .. } | NumberOrder::RoundsByIndex { others, .. } => {
            *others == Others::Last
        }
    }
}
