//! The agents of `shared/agents.toml`.

use std::collections::BTreeMap;

use super::Defined;
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        tables::agents::AgentsFile,
    },
    domain::{
        campaign::{AgentDefinition, Queue},
        ids::{AgentId, QueueId},
    },
};

/// The agents, and the queues that they serve.
pub(crate) struct Agents {
    pub(crate) by_id: BTreeMap<AgentId, AgentDefinition>,
    /// Every queue that an agent names.
    pub(crate) serve: Vec<QueueId>,
    /// Whether a list of queues could not be read.
    pub(crate) gaps: bool,
}

/// Reads them.
pub(crate) fn agents(file: InFile<AgentsFile>, queues: Option<&Defined<Queue>>, commit: &mut Commit<'_>) -> Agents {
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
