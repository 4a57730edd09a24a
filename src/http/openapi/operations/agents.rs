//! Agents, and the calls that they are in.

use super::operation::{Operation, get, post, put};
use crate::http::wire::{
    AgentList, SetAgent,
    business::{BusinessResultSet, SetBusinessResult},
};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/agents", "listAgents", "All agents by id").json::<AgentList>(),
        put("/api/v1/agents/{agent}", "setAgent", "Set what an agent is available for")
            .body::<SetAgent>()
            .json::<SetAgent>(),
        post("/api/v1/agents/{agent}/hang-up", "hangUp", "End the conversation that an agent is in")
            .empty_as(202, "It is being ended"),
        post(
            "/api/v1/agents/{agent}/result",
            "setResultOfCall",
            "Set what the call achieved that an agent is in, or has just had",
        )
        .body::<SetBusinessResult>()
        .json::<BusinessResultSet>(),
    ]
}
