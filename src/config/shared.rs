//! What stands in `shared/`, and what campaigns may refer to in it.

use std::collections::BTreeMap;

use super::{
    code::Code,
    load::{Commit, InFile, Place},
    read::At,
    suggest::{listing, nearest},
    tables::{agents::AgentsFile, queues::QueuesFile, tenant::TenantFile},
};
use crate::domain::{
    campaign::{AgentDefinition, Queue, Tenant},
    ids::{AgentId, QueueId},
};

/// What campaigns refer to; `None` if that file could not be read, so that nothing is said of it.
#[derive(Clone, Copy)]
pub(crate) struct References<'a> {
    pub(crate) queues: Option<&'a Queues>,
    pub(crate) agents: Option<&'a Agents>,
}

/// The queues, and whether all of them could be read.
pub(crate) struct Queues {
    pub(crate) by_id: BTreeMap<QueueId, Queue>,
    /// Every id in the file, those of broken tables too.
    pub(crate) ids: BTreeMap<String, Place>,
    /// Whether an id could not be read, so that a missing one may be there.
    pub(crate) gaps: bool,
}

impl Queues {
    /// Reports a reference to a queue that is not there.
    pub(crate) fn refer(&self, queue: &At<QueueId>, file: usize, commit: &mut Commit<'_>) -> bool {
        let id = queue.value.as_str();
        if self.gaps || self.ids.contains_key(id) {
            return true;
        }
        let place = InFile { file, value: queue.span };
        let known: Vec<&str> = self.ids.keys().map(String::as_str).collect();
        let diagnostic = commit.error(Code::UnknownQueue, &place, format!("no queue has the id {id:?}"));
        diagnostic.label("not in shared/queues.toml");
        match (nearest(id, known.iter().copied()), queue.span) {
            (Some(meant), Some(span)) => {
                diagnostic.suggest(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
            }
            _ => {
                diagnostic.help(format!("queues: {}", listing(&known, '"', "and")));
            }
        }
        false
    }
}

/// The agents, and the queues that they serve.
pub(crate) struct Agents {
    pub(crate) by_id: BTreeMap<AgentId, AgentDefinition>,
    /// Every queue that an agent names.
    pub(crate) serve: Vec<QueueId>,
    /// Whether a list of queues could not be read.
    pub(crate) gaps: bool,
}

/// The queues of `shared/queues.toml`.
pub(crate) fn queues(file: InFile<QueuesFile>, commit: &mut Commit<'_>) -> Queues {
    let InFile { file, value } = file;
    let mut queues = Queues { by_id: BTreeMap::new(), ids: BTreeMap::new(), gaps: value.queues.is_none() };
    let mut names = BTreeMap::new();
    for table in value.queues.map(|list| list.value).unwrap_or_default() {
        let (id, name) = (table.value.id, table.value.name);
        queues.gaps |= id.is_none();
        if let Some(id) = &id {
            let place = InFile { file, value: id.span };
            let message = || format!("two queues have the id {:?}", id.value.as_str());
            commit.unique(Code::DuplicateId, &mut queues.ids, id.value.as_str(), place, message);
        }
        if let Some(name) = &name {
            let place = InFile { file, value: name.span };
            let message = || format!("two queues have the name {:?}", name.value);
            commit.unique(Code::DuplicateName, &mut names, &name.value, place, message);
        }
        if let (Some(id), Some(name)) = (id, name) {
            queues.by_id.insert(id.value.clone(), Queue { id: id.value, name: name.value });
        }
    }
    queues
}

/// The agents of `shared/agents.toml`.
pub(crate) fn agents(file: InFile<AgentsFile>, queues: Option<&Queues>, commit: &mut Commit<'_>) -> Agents {
    let InFile { file, value } = file;
    let mut agents = Agents { by_id: BTreeMap::new(), serve: Vec::new(), gaps: value.agents.is_none() };
    let mut ids = BTreeMap::new();
    for table in value.agents.map(|list| list.value).unwrap_or_default() {
        let agent = table.value;
        if let Some(id) = &agent.id {
            let place = InFile { file, value: id.span };
            let message = || format!("two agents have the id {:?}", id.value.as_str());
            commit.unique(Code::DuplicateId, &mut ids, id.value.as_str(), place, message);
        }
        agents.gaps |= agent.queues.is_none();
        let mut seen = BTreeMap::new();
        for queue in agent.queues.iter().flat_map(|list| &list.value) {
            let place = InFile { file, value: queue.span };
            let message = || format!("queue {:?} stands twice in this list", queue.value.as_str());
            commit.unique(Code::Repeated, &mut seen, queue.value.as_str(), place, message);
            if let Some(queues) = queues {
                queues.refer(queue, file, commit);
            }
            agents.serve.push(queue.value.clone());
        }
        if let (Some(id), Some(name), Some(sip), Some(queues)) = (agent.id, agent.name, agent.sip, agent.queues) {
            let queues = queues.value.into_iter().map(|queue| queue.value).collect();
            let definition = AgentDefinition { id: id.value.clone(), name: name.value, sip: sip.value, queues };
            agents.by_id.insert(id.value, definition);
        }
    }
    agents
}

/// The tenant of `shared/tenant.toml`; `None` if a key of it could not be read.
pub(crate) fn tenant(file: TenantFile) -> Option<Tenant> {
    Some(Tenant {
        id: file.id?.value,
        name: file.name?.value,
        timezone: file.timezone?.value.name,
        region: file.region?.value,
        agent_ring: file.agents.value.ring.value,
        wrap_up: file.agents.value.wrap_up.value,
    })
}
