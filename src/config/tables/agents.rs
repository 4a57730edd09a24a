//! `shared/agents.toml`.

use crate::{
    config::{
        kinds::{
            address::SipUri,
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::{AgentId, QueueId},
};

table! {
    /// Agents: who takes calls, on which phone, of which queues.
    pub(crate) struct AgentsFile "the file of agents" {
        /// One `[[agents]]` for each.
        required agents: List<AgentTable, 1> => [
            { id = "a1", name = "Li Na", sip = "sip:a1@10.0.0.5:5060", queues = ["sales"] }
        ],
    }
}

table! {
    /// An agent.
    pub(crate) struct AgentTable "an agent" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<AgentId> => "a1",
        /// Shown to people; 1 to 100 characters.
        required name: Text<1, 100> => "Li Na",
        /// SIP URI of the agent's phone.
        required sip: SipUri => "sip:a1@10.0.0.5:5060",
        /// Ids of the queues whose calls the agent takes.
        required queues: List<Slug<QueueId>, 1> => ["sales"],
    }
}
