//! What a commit changes of campaigns.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Held, State};
use crate::{
    domain::{
        campaign::{Campaign, DesiredState, Generation},
        contact::{Contact, Progress},
        facts::verdict,
        ids::ContactRef,
    },
    store::{CampaignChange, StoreError, StoredCampaign},
};

impl State {
    /// Does one step of reconciling.
    pub(super) fn change(
        &mut self,
        generation: &Generation,
        change: CampaignChange,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mends = matches!(change, CampaignChange::Mend { .. });
        match change {
            CampaignChange::Put { id, digest } | CampaignChange::Mend { id, digest } => {
                let defined = generation.definitions.campaigns.get(&id);
                let defined = defined.ok_or_else(|| StoreError::UnknownCampaign(id.clone()))?;
                let kept = self.campaigns.get(&id).filter(|_| mends).map(|held| held.stored.revision.clone());
                let revision = kept.unwrap_or_else(|| generation.revision_of(&id).clone());
                let stored = StoredCampaign {
                    id: id.clone(),
                    name: defined.name.clone(),
                    desired: defined.desired,
                    revision,
                    digest,
                    retired: false,
                    ends_at: Some(defined.ends_at),
                    removed_at: None,
                    do_not_call: defined.do_not_call.clone(),
                    damaged: false,
                };
                let (selection, lists) = (defined.selection(), defined.do_not_call.clone());
                let (callback, sends_sms) = (defined.callback.clone(), defined.failure_sms.is_some());
                if let Some(held) = self.campaigns.get_mut(&id) {
                    held.stored = stored;
                    (held.tells, held.sends_sms) = (callback.is_some(), sends_sms);
                    held.callback = callback.or(held.callback.take());
                    if held.lists.iter().any(|list| !lists.contains(list)) {
                        held.unlisted_to = Some(ContactRef(0));
                    }
                    held.lists = lists;
                    if held.selection != selection {
                        held.selection = selection;
                        held.evaluated_to = Some(String::new());
                    }
                    if held.customers.is_empty() || held.evaluated_to.is_none() {
                        (held.by, held.evaluated_to) = (Some(Arc::clone(defined)), None);
                    }
                    self.release_holds(defined);
                } else {
                    let (customers, caller_usage) = (BTreeMap::new(), BTreeMap::new());
                    let (evaluated_to, unlisted_to) = (None, None);
                    let held = Held {
                        stored,
                        customers,
                        next_order: 1,
                        selection,
                        by: Some(Arc::clone(defined)),
                        evaluated_to,
                        lists,
                        unlisted_to,
                        caller_usage,
                        tells: callback.is_some(),
                        callback,
                        sends_sms,
                    };
                    self.campaigns.insert(id, held);
                }
            }
            CampaignChange::Remove { id } => {
                let held = self.campaigns.get_mut(&id).ok_or(StoreError::UnknownCampaign(id))?;
                (held.stored.desired, held.stored.removed_at) = (DesiredState::Paused, Some(now));
                held.stored.revision = generation.revision.clone();
            }
            CampaignChange::Retire { id } => {
                let held = self.campaigns.get_mut(&id).ok_or(StoreError::UnknownCampaign(id))?;
                held.stored.retired = true;
                held.stored.removed_at = held.stored.removed_at.or(Some(now));
                held.stored.revision = generation.revision.clone();
            }
        }
        Ok(())
    }

    fn release_holds(&mut self, campaign: &Campaign) {
        let release = |contact: &Contact| {
            let to_customer = self.calls_to(campaign, &contact.customer);
            (contact.reference, verdict::release_holds(campaign, &contact.progress, to_customer))
        };
        let released: Vec<(ContactRef, Progress)> = self.contacts_of(&campaign.id).map(release).collect();
        for (reference, after) in released {
            let contact = self.contacts.get_mut(&reference);
            if let Some(contact) = contact.filter(|contact| contact.progress != after) {
                contact.progress = after;
                contact.version += 1;
            }
        }
    }
}
