//! Between a commit, the pure plan and the store: rows in, changes out.

use std::{collections::BTreeMap, sync::Arc};

use super::digest::digest;
use crate::{
    domain::{
        campaign::{Campaign, Definitions},
        ids::CampaignId,
        plan::{self, Actual, Desired, Leaving, Plan, Verb},
    },
    store::{CampaignChange, StoredCampaign},
};

/// Digests of the newest definitions: one that is the very same again has the same.
#[derive(Default)]
pub(super) struct Digests(BTreeMap<CampaignId, (Arc<Campaign>, String)>);

impl Digests {
    /// The campaigns as rows.
    fn desired(&mut self, definitions: &Definitions) -> Vec<Desired> {
        self.0.retain(|id, _| definitions.campaigns.contains_key(id));
        let row = |campaign: &Arc<Campaign>| Desired {
            id: campaign.id.clone(),
            state: campaign.desired,
            digest: self.of(campaign),
        };
        definitions.campaigns.values().map(row).collect()
    }

    fn of(&mut self, campaign: &Arc<Campaign>) -> String {
        match self.0.get(&campaign.id) {
            Some((known, digest)) if Arc::ptr_eq(known, campaign) => digest.clone(),
            Some(_) | None => {
                let digest = digest(campaign);
                self.0.insert(campaign.id.clone(), (Arc::clone(campaign), digest.clone()));
                digest
            }
        }
    }
}

/// What has to change in the store for it to have these definitions.
pub(super) fn plan_for(
    definitions: &Definitions,
    stored: &[StoredCampaign],
    digests: &mut Digests,
    leaving: Leaving,
) -> Plan {
    let desired = digests.desired(definitions);
    let actual: Vec<Actual> = stored
        .iter()
        .map(|row| Actual {
            id: row.id.clone(),
            state: row.desired,
            digest: row.digest.clone(),
            retired: row.retired,
            removed_at: row.removed_at,
        })
        .collect();
    plan::plan(&desired, &actual, leaving)
}

/// The plan as the store takes it.
pub(super) fn changes(plan: &Plan) -> Vec<CampaignChange> {
    let change = |action: &plan::Action| match &action.digest {
        Some(digest) => CampaignChange::Put { id: action.campaign.clone(), digest: digest.clone() },
        None if action.verb == Verb::Pause => CampaignChange::Remove { id: action.campaign.clone() },
        None => CampaignChange::Retire { id: action.campaign.clone() },
    };
    plan.actions.iter().map(change).collect()
}
