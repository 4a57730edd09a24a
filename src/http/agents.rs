//! Agents: who does what, and setting what one is available for.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use tokio::sync::oneshot;

use super::{
    error::ApiError,
    state::ServerState,
    wire::{AgentList, SetAgent},
};
use crate::{
    control::{AgentError, DialCommand},
    domain::{agent::Availability, ids::AgentId},
};

const STATES: &str = "use idle, busy, rest or signed_out";

/// All agents by name.
pub(super) async fn list(State(state): State<Arc<ServerState>>) -> Json<AgentList> {
    Json(AgentList { agents: state.dial.borrow().agents.clone() })
}

/// Sets one; answered once it is in force and stored.
pub(super) async fn set(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    body: Bytes,
) -> Result<Json<SetAgent>, ApiError> {
    let agent = AgentId::parse(&agent).map_err(|_| no_agent(&agent))?;
    let wanted: SetAgent = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not {{\"state\": …}}: {error}"), STATES))?;
    let availability = Availability::parse(&wanted.state)
        .ok_or_else(|| ApiError::bad_request(format!("no agent state {:?} can be set", wanted.state), STATES))?;
    let (reply, answer) = oneshot::channel();
    let command = DialCommand::SetAgent { agent: agent.clone(), availability, reply };
    state.dialer.try_send(command).map_err(|_| ApiError::busy("dialling"))?;
    match answer.await {
        Ok(Ok(())) => Ok(Json(wanted)),
        Ok(Err(AgentError::Unknown(agent))) => Err(no_agent(agent.as_str())),
        Ok(Err(error @ AgentError::Store)) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "the daemon's log says more"))
        }
        Err(_dropped) => Err(ApiError::busy("dialling")),
    }
}

fn no_agent(agent: &str) -> ApiError {
    let error = format!("no agent {agent:?} in the commit in force");
    ApiError::new(StatusCode::NOT_FOUND, error, "`dialops agents list` shows them; `agents.toml` defines them")
}
