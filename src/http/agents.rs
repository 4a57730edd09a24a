//! Agents: who does what, and setting what one is available for.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use tokio::sync::oneshot;

use super::{
    business::call_of,
    change::Change,
    error::ApiError,
    state::ServerState,
    wire::{AgentList, SetAgent},
};
use crate::{
    control::{AgentError, DialCommand},
    domain::{
        agent::{AgentCall, Availability, Begins, CallStage, NotAllowed},
        ids::AgentId,
    },
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
    Extension(change): Extension<Change>,
    body: Bytes,
) -> Result<Json<SetAgent>, ApiError> {
    let agent = AgentId::parse(&agent).map_err(|_| no_agent(&agent))?;
    let wanted: SetAgent = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not {{\"state\": …}}: {error}"), STATES))?;
    let availability = Availability::parse(&wanted.state)
        .ok_or_else(|| ApiError::bad_request(format!("no agent state {:?} can be set", wanted.state), STATES))?;
    let begins = match (availability, wanted.after_call) {
        (_, false) => Begins::Now,
        (Availability::Busy, true) => Begins::AfterCall,
        (Availability::Idle | Availability::Rest | Availability::SignedOut, true) => {
            let error = format!("no agent becomes {availability} after a call only");
            return Err(ApiError::bad_request(error, "send {\"state\": \"busy\", \"after_call\": true}"));
        }
    };
    let change = change.about(format!("agent {agent}, {availability}"));
    let (reply, answer) = oneshot::channel();
    let command = DialCommand::SetAgent { agent, availability, begins, deed: change.deed(), reply };
    state.dialer.try_send(command).map_err(|_| ApiError::busy("dialling"))?;
    match answer.await {
        Ok(Ok(())) => {
            change.was_written();
            Ok(Json(wanted))
        }
        Ok(Err(AgentError::Unknown(agent))) => Err(no_agent(agent.as_str())),
        Ok(Err(AgentError::NotAllowed(error))) => Err(not_allowed(error)),
        Ok(Err(error @ AgentError::Store)) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "the daemon's log says more"))
        }
        Err(_dropped) => Err(ApiError::busy("dialling")),
    }
}

/// Ends the conversation that an agent is in.
pub(super) async fn hang_up(
    State(state): State<Arc<ServerState>>,
    Path(agent): Path<String>,
    Extension(change): Extension<Change>,
) -> Result<StatusCode, ApiError> {
    let talking = |call: &AgentCall| call.stage == CallStage::Talking;
    let agent = AgentId::parse(&agent).map_err(|_| no_agent(&agent))?;
    if !call_of(&state, agent.as_str()).is_some_and(|call| talking(&call)) {
        let error = format!("agent \"{agent}\" talks to nobody");
        return Err(ApiError::new(StatusCode::CONFLICT, error, "the call may have ended by itself"));
    }
    change.begin(&state).await?;
    state.dialer.try_send(DialCommand::HangUp(agent)).map_err(|_| ApiError::busy("dialling"))?;
    Ok(StatusCode::ACCEPTED)
}

fn not_allowed(error: NotAllowed) -> ApiError {
    let (status, hint) = match error {
        NotAllowed::Role(_) => (StatusCode::FORBIDDEN, "ask a supervisor"),
        NotAllowed::NotHere | NotAllowed::AtRest => (StatusCode::FORBIDDEN, "ask the agent, or an admin"),
        NotAllowed::NoCall => (StatusCode::CONFLICT, "set `busy` at once instead"),
    };
    ApiError::new(status, error.to_string(), hint)
}

fn no_agent(agent: &str) -> ApiError {
    let error = format!("no agent {agent:?} in the commit in force");
    ApiError::new(StatusCode::NOT_FOUND, error, "`dialops agents list` shows them; `agents.toml` defines them")
}
