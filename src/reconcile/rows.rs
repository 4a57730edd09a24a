//! Between a commit, the pure plan and the store: rows in, changes out.

use std::{collections::BTreeMap, sync::Arc};

use super::digest::digest;
use crate::{
    domain::{
        campaign::{Campaign, Definitions, Generation},
        drift::{
            self, Drift, Kind,
            rows::{InForce, Row},
        },
        ids::{CampaignId, Revision},
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

    pub(super) fn of(&mut self, campaign: &Arc<Campaign>) -> String {
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

/// Where the store's rows differ from a generation.
pub(super) fn drift(
    generation: &Generation,
    stored: &[StoredCampaign],
    applied: Option<&Revision>,
    digests: &mut Digests,
) -> Vec<Drift> {
    let campaigns = generation.definitions.campaigns.values();
    let defined: Vec<(&Arc<Campaign>, String)> = campaigns.map(|campaign| (campaign, digests.of(campaign))).collect();
    let in_force: Vec<InForce<'_>> =
        defined.iter().map(|(campaign, digest)| InForce { campaign: campaign.as_ref(), digest }).collect();
    let row = |row: &StoredCampaign| Row {
        id: row.id.clone(),
        name: row.name.clone(),
        desired: row.desired,
        digest: row.digest.clone(),
        retired: row.retired,
        removed_at: row.removed_at,
        ends_at: row.ends_at,
        do_not_call: row.do_not_call.clone(),
        damaged: row.damaged,
    };
    let rows: Vec<Row> = stored.iter().map(row).collect();
    let other = drift::rows::generation(&generation.revision, applied);
    other.into_iter().chain(drift::rows::compare(&in_force, &rows)).collect()
}

/// What puts campaigns' rows right that differ from a generation.
pub(super) fn mends<'a>(
    generation: &Generation,
    found: impl Iterator<Item = &'a Drift>,
    digests: &mut Digests,
) -> Vec<CampaignChange> {
    let is_of_campaign = |kind| matches!(kind, Kind::Campaign | Kind::MissingCampaign | Kind::OrphanCampaign);
    let mut mend = |id: &CampaignId| match generation.definitions.campaigns.get(id) {
        Some(campaign) => CampaignChange::Mend { id: id.clone(), digest: digests.of(campaign) },
        None => CampaignChange::Remove { id: id.clone() },
    };
    found.filter(|drift| is_of_campaign(drift.kind())).filter_map(|drift| drift.campaign().map(&mut mend)).collect()
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
