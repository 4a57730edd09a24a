//! The engine's view as the published status.

use crate::{
    domain::{
        campaign::DialPermission,
        engine::{AgentView, CampaignView, View},
        reason::Hold,
    },
    telemetry::status::{AgentStatus, CampaignStatus, DialStatus, Waiting},
};

pub(super) fn dial_status(permission: &DialPermission, view: View) -> DialStatus {
    DialStatus {
        dial: match permission {
            DialPermission::None => "none",
            DialPermission::Listed(_) => "listed",
            DialPermission::All => "all",
        }
        .to_owned(),
        campaigns: view.campaigns.into_iter().map(campaign).collect(),
        agents: view.agents.into_iter().map(agent).collect(),
        live_calls: view.live_calls,
        reserved_agents: view.reserved_agents,
    }
}

fn campaign(view: CampaignView) -> CampaignStatus {
    CampaignStatus {
        id: view.id.to_string(),
        name: view.name,
        desired: view.desired.unwrap_or_default().to_owned(),
        phase: view.phase.to_owned(),
        revision: view.revision.to_string(),
        waiting: view.hold.as_ref().map(waiting),
        live_calls: view.live_calls,
        contacts: view.contacts,
        open_contacts: view.open_contacts,
        results: view.results.into_iter().map(|(result, count)| (result.to_string(), count)).collect(),
        // The store knows; they are added for who looks.
        ..CampaignStatus::default()
    }
}

fn waiting(hold: &Hold) -> Waiting {
    Waiting {
        reason: hold.code().to_owned(),
        message: hold.to_string(),
        until: hold.until().map(|until| until.to_string()),
    }
}

fn agent(view: AgentView) -> AgentStatus {
    AgentStatus {
        id: view.id.to_string(),
        name: view.name,
        state: view.state.to_string(),
        since: view.since.to_string(),
        campaign: view.campaign.map(|campaign| campaign.to_string()),
        call: view.call,
        after_call: view.after_call.map(|after| after.to_string()),
    }
}
