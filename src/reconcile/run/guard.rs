//! What a good commit still waits for: guards, freezes, and pins that go before the branch.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{Timestamp, Unit};

use super::{Followed, Looper, RETRY_MIN, look::Loaded};
use crate::{
    domain::{
        campaign::{DesiredState, Generation},
        guards::{Removals, Verdict},
        ids::{CampaignId, Revision, SourceId},
        now::Now,
        plan::{Action, Leaving, Plan, Verb},
    },
    reconcile::{
        conditions::Failure,
        rows::{changes, plan_for},
    },
    store::{Against, StoreError, StoredCampaign},
    telemetry::status::RemovedCampaign,
};

impl Looper {
    /// Until time alone makes a look at a source worth it: a retry, the end of a pin or a freeze.
    pub(super) fn waits_for(&self, one: &Followed) -> Option<Duration> {
        let pin = one.pin_in_force(&self.parts).map(|(one, _)| one.until);
        let frozen = one.frozen.as_ref().map(|(_, until)| *until);
        let turn = [pin, frozen].into_iter().flatten().min().map(|at| self.until(at));
        let unpinned = (one.pinned && pin.is_none()).then_some(Duration::ZERO);
        let retry = one.retry.map(|retry| retry.at.saturating_sub(self.parts.clock.now().mono));
        [retry, turn, unpinned].into_iter().flatten().min()
    }

    /// Whether the time for that look has come.
    pub(super) fn is_due(&self, one: &Followed, now: Now) -> bool {
        let unpinned = one.pinned && one.pin_in_force(&self.parts).is_none();
        let thawed = one.frozen.as_ref().is_some_and(|(_, until)| *until <= now.wall);
        unpinned || thawed || one.retry.is_some_and(|retry| retry.at <= now.mono)
    }

    /// Until time alone makes a look at any of them worth it, a retirement too.
    pub(super) fn waits(&self, sources: &[Followed]) -> Option<Duration> {
        let idle = sources.iter().filter(|one| one.asked.is_none() && one.looking.is_none());
        let first = idle.filter_map(|one| self.waits_for(one)).min();
        first.into_iter().chain(self.retires_at.map(|at| self.until(at))).min()
    }

    /// Until an instant; one that has come and could not be served yet is tried again soon.
    fn until(&self, at: Timestamp) -> Duration {
        let now = self.parts.clock.now().wall;
        Duration::try_from(at.duration_since(now)).unwrap_or(RETRY_MIN)
    }

    /// Whether this very commit is known to wait for the end of a freeze.
    pub(super) fn is_frozen(&self, one: &Followed, head: &Revision) -> bool {
        let now = self.parts.clock.now().wall;
        one.frozen.as_ref().is_some_and(|(frozen, until)| frozen == head && now < *until)
    }

    /// Whether anything keeps a good commit out; a pin is a person's word for its commit.
    pub(super) async fn guard(
        &mut self,
        one: &mut Followed,
        loaded: &Loaded,
        before: Option<&Revision>,
        pinned: bool,
    ) -> Result<(), Failure> {
        let revision = &loaded.files.revision;
        let stored = self.parts.store.campaigns().await?;
        let plan = self.plan(&loaded.generation, &stored);
        let in_force = self.parts.generation.borrow().clone();
        let removals = removals(&loaded.generation, one.id(), &of_source(one.id(), in_force.as_deref(), &stored));
        let approved = pinned || self.parts.store.is_approved(revision).await?;
        let held = self.parts.guards.of_removals(&removals, approved);
        one.frozen = None;
        let again = before == Some(revision) && !one.paused_in_freeze;
        let held = match held {
            None if !pinned && !again => self.parts.guards.frozen(self.parts.clock.now().wall),
            held => held,
        };
        let Some(verdict) = held else { return Ok(()) };
        let mut pauses = BTreeSet::new();
        if let Verdict::Frozen { until, .. } = &verdict {
            one.frozen = Some((revision.clone(), *until));
            pauses = plan.actions.iter().filter(|action| stops(action)).map(|action| action.campaign.clone()).collect();
        }
        let plan = plan.actions.iter().map(ToString::to_string).collect();
        let problems = loaded.problems.clone();
        Err(Failure::Guarded { head: revision.clone(), verdict, plan, pauses, problems })
    }

    /// What has to change in the store for it to have a generation.
    pub(super) fn plan(&mut self, generation: &Generation, stored: &[StoredCampaign]) -> Plan {
        let leaving = Leaving { now: self.parts.clock.now().wall, grace: self.parts.guards.grace };
        plan_for(&generation.definitions, stored, &mut self.digests, leaving)
    }

    /// Puts a generation in force in the store; what it did.
    pub(super) async fn put(
        &mut self,
        one: &mut Followed,
        generation: &Arc<Generation>,
        stored: &[StoredCampaign],
    ) -> Result<Plan, StoreError> {
        let plan = self.plan(generation, stored);
        let planned = self.applied().await?;
        let against = Against::Revision(planned.as_ref());
        if let Err(error) = self.parts.store.apply(Arc::clone(generation), changes(&plan), against).await {
            // Perhaps another is in force by now.
            (self.applied, one.applied) = (None, None);
            return Err(error);
        }
        let revision = &generation.revision;
        for action in &plan.actions {
            let (campaign, verb) = (&action.campaign, action.verb.as_str());
            tracing::info!(%revision, %campaign, verb, action = %action, "campaign changed");
        }
        one.journal.changed(revision, &plan, stored);
        self.show_gone(generation).await?;
        Ok(plan)
    }

    /// Tells of campaigns whose files are gone, and when the next of them retires.
    pub(super) async fn show_gone(&mut self, generation: &Generation) -> Result<(), StoreError> {
        let stored = self.parts.store.campaigns().await?;
        let gone = stored.iter().filter(|row| !generation.definitions.campaigns.contains_key(&row.id));
        let mut removed = Vec::new();
        let mut retired = Vec::new();
        self.retires_at = None;
        for row in gone {
            match row.removed_at.filter(|_| !row.retired) {
                Some(since) => {
                    let at = self.parts.guards.retires_at(since);
                    self.retires_at = Some(self.retires_at.map_or(at, |first| first.min(at)));
                    let shown = at.round(Unit::Second).unwrap_or(at).to_string();
                    let (id, name, retires_at) = (row.id.to_string(), row.name.clone(), shown);
                    removed.push(RemovedCampaign { id, name, retires_at });
                }
                None => retired.push(row.id.to_string()),
            }
        }
        self.parts.status.send_if_modified(|status| {
            let changed = status.removed != removed || status.retired != retired;
            (status.removed, status.retired) = (removed, retired);
            changed
        });
        Ok(())
    }

    /// Retires campaigns whose grace is over.
    pub(super) async fn retire_due(&mut self, one: &mut Followed) -> Result<(), StoreError> {
        let now = self.parts.clock.now().wall;
        if self.retires_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let Some(generation) = self.parts.generation.borrow().clone() else { return Ok(()) };
        let stored = self.parts.store.campaigns().await?;
        self.put(one, &generation, &stored).await.map(drop)
    }

    /// Pauses campaigns of the generation in force, all else of which stays: that much of a commit is applied
    /// while a freeze holds.
    pub(super) async fn pause_in_freeze(
        &mut self,
        one: &mut Followed,
        pauses: &BTreeSet<CampaignId>,
    ) -> Result<(), StoreError> {
        let Some(mut generation) = self.parts.generation.borrow().clone() else { return Ok(()) };
        if pause(&mut generation, pauses).is_empty() {
            return Ok(());
        }
        one.paused_in_freeze = true;
        let stored = self.parts.store.campaigns().await?;
        self.put(one, &generation, &stored).await?;
        self.parts.generation.send_replace(Some(generation));
        Ok(())
    }

    /// After a start: what a freeze had paused stays so, until the branch's commit says what to do. Those that were
    /// running by their files.
    pub(super) fn keep_pauses(&self, generation: &mut Arc<Generation>, stored: &[StoredCampaign]) -> Vec<CampaignId> {
        let paused = stored.iter().filter(|row| !row.retired && row.desired == DesiredState::Paused);
        pause(generation, &paused.map(|row| row.id.clone()).collect())
    }
}

/// Pauses campaigns; those of them that were running.
fn pause(generation: &mut Arc<Generation>, pauses: &BTreeSet<CampaignId>) -> Vec<CampaignId> {
    let campaigns = &generation.definitions.campaigns;
    let running = |id: &&CampaignId| campaigns.get(*id).is_some_and(|c| c.desired == DesiredState::Running);
    let running: Vec<CampaignId> = pauses.iter().filter(running).cloned().collect();
    if running.is_empty() {
        return running;
    }
    let campaigns = &mut Arc::make_mut(generation).definitions.campaigns;
    for id in &running {
        if let Some(campaign) = campaigns.get_mut(id) {
            Arc::make_mut(campaign).desired = DesiredState::Paused;
        }
    }
    running
}

/// Whether a step does nothing but stop calls, as far as its state goes.
fn stops(action: &Action) -> bool {
    match action.verb {
        Verb::Pause | Verb::Retire => true,
        Verb::Amend | Verb::Create | Verb::Return | Verb::Resume => false,
    }
}

/// The rows that a source's commit may take away: all but those that other sources' files define.
fn of_source<'s>(
    source: &SourceId,
    in_force: Option<&Generation>,
    stored: &'s [StoredCampaign],
) -> Vec<&'s StoredCampaign> {
    let elsewhere = |row: &&StoredCampaign| in_force.and_then(|it| it.sources.campaigns.get(&row.id));
    stored.iter().filter(|row| elsewhere(row).is_none_or(|its| its == source)).collect()
}

/// What a generation would take away of what the store has in force.
fn removals(generation: &Generation, source: &SourceId, stored: &[&StoredCampaign]) -> Removals {
    let defined = &generation.definitions.campaigns;
    let in_force: Vec<&&StoredCampaign> =
        stored.iter().filter(|row| !row.retired && row.removed_at.is_none()).collect();
    let gone = in_force.iter().filter(|row| !defined.contains_key(&row.id)).map(|row| row.id.clone());
    let own = |id: &&CampaignId| generation.sources.campaigns.get(*id).is_none_or(|its| its == source);
    let own = defined.keys().filter(own).count();
    Removals { gone: gone.collect(), in_force: in_force.len(), defined: own, elsewhere: defined.len() - own }
}

/// A freeze's end that is known, and the commit that waits for it.
pub(super) type Frozen = (Revision, Timestamp);
