//! Between a commit, the pure plan and the store: rows in, changes out.

use super::digest::digest;
use crate::{
    domain::{
        campaign::Definitions,
        plan::{self, Actual, Desired, Plan},
    },
    store::{CampaignChange, StoredCampaign},
};

/// What has to change in the store for it to have these definitions.
pub(super) fn plan_for(definitions: &Definitions, stored: &[StoredCampaign]) -> Plan {
    let desired: Vec<Desired> = definitions
        .campaigns
        .values()
        .map(|campaign| Desired { id: campaign.id.clone(), state: campaign.desired, digest: digest(campaign) })
        .collect();
    let actual: Vec<Actual> = stored
        .iter()
        .map(|row| Actual { id: row.id.clone(), state: row.desired, digest: row.digest.clone(), retired: row.retired })
        .collect();
    plan::plan(&desired, &actual)
}

/// The plan as the store takes it.
pub(super) fn changes(plan: &Plan) -> Vec<CampaignChange> {
    let change = |action: &plan::Action| match &action.digest {
        Some(digest) => CampaignChange::Put { id: action.campaign.clone(), digest: digest.clone() },
        None => CampaignChange::Retire { id: action.campaign.clone() },
    };
    plan.actions.iter().map(change).collect()
}
