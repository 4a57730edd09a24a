//! Campaigns: from what their files say to definitions, with everything that no schema can say.

mod business;
mod calling;
mod caps;
mod hours;
mod lint;
mod places;
mod results;
mod terms;
mod test;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use self::{
    lint::Lint,
    places::{Places, queue},
    terms::agent_terms,
};
use super::{
    code::Code,
    diagnostic::{Diagnostic, Span},
    items::once,
    kinds::{duration::shown, text::Slug},
    load::{Commit, InFile, Place},
    loader::{Memory, Resolved},
    read::At,
    shared::References,
    tables::campaign::{CampaignFile, LimitsTable, MAX_RING, PerNumberTable},
    template::OF_A_TEMPLATE,
};
use crate::domain::{
    campaign::{CallerNumber, Campaign, Ceilings, DesiredState, Limits, PerNumberLimit},
    ids::{CampaignId, DoNotCallId, QueueId},
};

/// What becomes of a limit that is over a ceiling of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// It is an error: whoever writes it shall know.
    Refused,
    /// The ceiling holds, with a warning: a ceiling that shrinks stops nobody.
    Lowered,
}

/// Resolves campaigns against the rest of the commit and the ceilings.
pub(crate) struct Campaigns<'a, 'c> {
    pub(crate) ceilings: &'a Ceilings,
    pub(crate) over: Over,
    pub(crate) references: References<'a>,
    pub(crate) commit: &'a mut Commit<'c>,
}

impl Campaigns<'_, '_> {
    /// The campaigns by id; `None` if one of them could not be built.
    pub(crate) fn resolve(
        mut self,
        files: Vec<InFile<Arc<CampaignFile>>>,
        memory: &mut Memory,
    ) -> Option<BTreeMap<CampaignId, Arc<Campaign>>> {
        self.unique_ids(&files);
        self.active(&files);
        let mut campaigns = BTreeMap::new();
        let mut whole = true;
        let mut lint = Lint::default();
        for InFile { file, value } in files {
            match self.known_or_new(file, value, memory, &mut lint) {
                Some(campaign) => drop(campaigns.insert(campaign.id.clone(), campaign)),
                None => whole = false,
            }
        }
        // What campaigns have in common is only told once nothing is wrong with them.
        if whole && !self.commit.has_errors() {
            lint.finish(&mut self);
        }
        whole.then_some(campaigns)
    }

    /// A campaign that was resolved before and still is the same, or resolves it.
    fn known_or_new(
        &mut self,
        file: usize,
        campaign: Arc<CampaignFile>,
        memory: &mut Memory,
        lint: &mut Lint,
    ) -> Option<Arc<Campaign>> {
        if let Some(Resolved { campaign: known, diagnostics }) = memory.resolved(file) {
            self.commit.found_again(diagnostics);
            lint.shares(known, queue(file, &campaign));
            return Some(Arc::clone(known));
        }
        let Self { ceilings, over, references, .. } = *self;
        let (built, found) = self.commit.found_by(|commit| {
            Campaigns { ceilings, over, references, commit }.campaign(file, Arc::unwrap_or_clone(campaign), lint)
        });
        let built = Arc::new(built?);
        if let Some(found) = found {
            memory.keep_resolved(file, || Resolved { campaign: Arc::clone(&built), diagnostics: found.to_vec() });
        }
        Some(built)
    }

    /// Checks what templates say whatever a campaign adds.
    pub(crate) fn templates(&mut self, templates: Vec<InFile<CampaignFile>>) {
        let Self { ceilings, over, references, .. } = *self;
        for InFile { file, value } in templates {
            self.commit.alone(OF_A_TEMPLATE, |commit| {
                Campaigns { ceilings, over, references, commit }.campaign(file, value, &mut Lint::default());
            });
        }
    }

    fn unique_ids(&mut self, files: &[InFile<Arc<CampaignFile>>]) {
        let ids = files.iter().filter_map(|file| Some(file.value.id.as_ref()?.value.as_str()));
        let names = files.iter().filter_map(|file| Some(file.value.name.as_ref()?.value.as_str()));
        if differ(ids) && differ(names) {
            return;
        }
        let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
        for InFile { file, value } in files {
            if let Some(id) = &value.id {
                let place = InFile { file: *file, value: id.span };
                let message = || format!("two campaigns have the id {:?}", id.value.as_str());
                self.commit.unique(Code::DuplicateId, &mut ids, id.value.as_str(), place, message);
            }
            if let Some(name) = &value.name {
                let place = InFile { file: *file, value: name.span };
                let message = || format!("two campaigns have the name {:?}", name.value);
                self.commit.unique(Code::DuplicateName, &mut names, &name.value, place, message);
            }
        }
    }

    /// Reports the first campaign, by path, that is one too many.
    fn active(&mut self, files: &[InFile<Arc<CampaignFile>>]) {
        let ceiling = self.ceilings.active_campaigns;
        let mut running = files.iter().filter_map(|InFile { file, value }| {
            let state = value.state.as_ref().filter(|state| state.value == DesiredState::Running)?;
            Some(InFile { file: *file, value: state.span })
        });
        let Some(extra) = running.by_ref().nth(ceiling) else { return };
        let count = ceiling + 1 + running.count();
        let message = format!("{count} campaigns are `running`, and the settings allow {ceiling} at once");
        self.commit
            .error(Code::OverCeiling, &extra, message)
            .label("one too many")
            .help("pause a campaign, or ask for a higher `ceilings.active_campaigns` in the settings");
    }

    fn campaign(&mut self, file: usize, campaign: CampaignFile, lint: &mut Lint) -> Option<Campaign> {
        let at = |span| InFile { file, value: span };
        if let (Some(starts), Some(ends)) = (&campaign.starts_at, &campaign.ends_at)
            && ends.value <= starts.value
        {
            let first = self.commit.locate(&at(starts.span));
            self.commit
                .error(Code::EndsBeforeStart, &at(ends.span), "`ends_at` must be after `starts_at`")
                .label("not later")
                .relate(first, "starts here");
        }
        if let Some(queue) = &campaign.skill_queue {
            self.skill_queue(file, queue);
        }
        let clear = campaign.unclear.is_empty();
        let (places, queue) = (Places::of(file, &campaign), queue(file, &campaign));
        let strategy = campaign.strategy.value;
        let used = self.used(file, strategy.attributes);
        let caller_numbers = campaign.caller_numbers.map(|list| self.caller_numbers(file, list));
        let hours = campaign.calling_hours.and_then(|hours| self.calling_hours(file, hours.value));
        let max_ring = self.max_ring(file, &strategy.max_ring);
        let calling = self.calling(file, campaign.calling.value, &used);
        let do_not_call = self.do_not_call(file, strategy.do_not_call.value);
        let results = self.results(file, campaign.results.value);
        let business = self.business_results(file, campaign.business_results.value);
        let limits = self.limits(file, campaign.limits.value);
        let survey = campaign.survey.map(|survey| self.survey(file, survey.value));
        let callback = campaign.callback.map(|callback| self.callback(file, callback.value, &used));
        if let (Some(sms), Some(known)) = (&campaign.failure_sms, self.references.sms) {
            known.refer(sms, file, self.commit);
        }
        // What it is as a whole is only known once all of it could be read.
        if !clear {
            return None;
        }
        let built = Campaign {
            id: campaign.id?.value,
            name: campaign.name?.value,
            description: campaign.description.value,
            desired: campaign.state?.value,
            mode: campaign.mode?.value,
            caller_numbers: caller_numbers?,
            starts_at: campaign.starts_at?.value,
            ends_at: campaign.ends_at?.value,
            skill_queue: campaign.skill_queue?.value,
            priority: campaign.priority.value,
            hours: hours?,
            max_ring,
            order: calling.order?,
            filter: calling.filter?,
            sort: calling.sort?,
            attributes: used.map(|used| used.value),
            do_not_call,
            results: results?,
            business: business?,
            limits: limits?,
            agents: agent_terms(&campaign.agents.value, self.references.tenant?),
            survey: survey.map_or(Some(None), |survey| survey.map(Some))?,
            failure_sms: campaign.failure_sms.map(|sms| sms.value),
            callback: callback.map_or(Some(None), |callback| callback.map(Some))?,
            drifted: false,
        };
        lint.shares(&built, queue);
        self.lint(&built, &places);
        Some(built)
    }

    /// Warns of a setting that nothing looks at.
    fn no_effect(&mut self, place: &Place, key: &str, why: &str) {
        self.commit.warning(Code::NoEffect, place, format!("`{key}` has no effect, as {why}")).label("never looked at");
    }

    fn do_not_call(&mut self, file: usize, lists: Vec<At<DoNotCallId>>) -> Vec<DoNotCallId> {
        once::<Slug<DoNotCallId>>(file, &lists, self.commit);
        for list in &lists {
            if let Some(known) = self.references.do_not_call {
                known.refer(list, file, self.commit);
            }
        }
        let own = lists.into_iter().map(|list| list.value);
        let of_tenant = self.references.tenant.into_iter().flat_map(|tenant| tenant.do_not_call.iter().cloned());
        let all: BTreeSet<DoNotCallId> = own.chain(of_tenant).collect();
        all.into_iter().collect()
    }

    fn skill_queue(&mut self, file: usize, queue: &At<QueueId>) {
        let Some(queues) = self.references.queues else { return };
        if !queues.has(queue, file, self.commit) {
            return;
        }
        let Some(agents) = self.references.agents else { return };
        if agents.gaps || agents.serve.contains(&queue.value) {
            return;
        }
        let message = format!("no agent serves queue {:?}", queue.value.as_str());
        self.commit
            .error(Code::QueueWithoutAgents, &InFile { file, value: queue.span }, message)
            .label("nobody could take its calls")
            .help("add the queue to an agent's `queues` in shared/agents.toml");
    }

    fn caller_numbers(&mut self, file: usize, list: At<Vec<At<CallerNumber>>>) -> Vec<CallerNumber> {
        let cap = self.ceilings.caller_numbers_per_campaign;
        if let Some(extra) = list.value.get(cap) {
            let message = format!("{} caller numbers, and the settings allow {cap}", list.value.len());
            let place = InFile { file, value: extra.span };
            self.over(&place, message, "those that go first are used").label("one too many");
        }
        let mut seen = BTreeMap::new();
        for number in &list.value {
            let place = InFile { file, value: number.span };
            let message = || "this caller number stands twice in the list".to_owned();
            self.commit.unique(Code::Repeated, &mut seen, number.value.number.expose(), place.clone(), message);
            let owned = self.ceilings.owned_caller_numbers.as_ref();
            if owned.is_some_and(|owned| !owned.contains(&number.value.number)) {
                self.commit
                    .error(Code::NotOwned, &place, "the settings do not own this caller number")
                    .label("not in `ceilings.owned_caller_numbers`")
                    .help("use a number that is listed there, or ask for this one to be added");
            }
        }
        let mut numbers: Vec<CallerNumber> = list.value.into_iter().map(|number| number.value).collect();
        if numbers.len() > cap {
            numbers.sort_by_key(|number| number.priority);
            numbers.truncate(cap);
        }
        numbers
    }

    fn max_ring(&mut self, file: usize, ring: &At<Duration>) -> Duration {
        let ceiling = self.ceilings.max_ring;
        if ring.span.is_none() {
            return MAX_RING.min(ceiling);
        }
        if ring.value > ceiling {
            let ceiling = shown(ceiling.as_secs());
            self.over_limit(&InFile { file, value: ring.span }, "max_ring", &ceiling, format!("{ceiling:?}"));
        }
        ring.value.min(ceiling)
    }

    fn limits(&mut self, file: usize, limits: LimitsTable) -> Option<Limits> {
        let (calls, per_second) = (self.ceilings.max_concurrent_calls, self.ceilings.max_calls_per_second);
        let max_concurrent_calls = self.limit(file, limits.max_concurrent_calls, "max_concurrent_calls", calls);
        let max_calls_per_second = self.limit(file, limits.max_calls_per_second, "max_calls_per_second", per_second);
        let per_number = match limits.per_number {
            Some(At { value: table, .. }) => Some(per_number(table)?),
            None => None,
        };
        Some(Limits {
            max_concurrent_calls,
            max_calls_per_second,
            max_attempts_per_contact: limits.max_attempts_per_contact.map(|limit| limit.value),
            per_number,
            per_number_of_tenant: self.references.tenant.and_then(|tenant| tenant.per_number),
        })
    }

    /// A limit under its ceiling.
    fn limit(&mut self, file: usize, limit: Option<At<NonZeroU32>>, key: &str, ceiling: u32) -> Option<NonZeroU32> {
        let At { value: limit, span } = limit?;
        let highest = NonZeroU32::new(ceiling).unwrap_or(NonZeroU32::MIN);
        if limit > highest {
            let ceiling = highest.to_string();
            self.over_limit(&InFile { file, value: span }, key, &ceiling, ceiling.clone());
        }
        Some(limit.min(highest))
    }

    fn over_limit(&mut self, place: &Place, key: &str, ceiling: &str, edit: String) {
        let span: Span = place.value.unwrap_or_default();
        self.over(place, format!("`{key}` is over the settings' ceiling of {ceiling}"), "the ceiling holds")
            .label(format!("at most {ceiling}"))
            .suggest("use the ceiling", span, edit);
    }

    /// Reports what is over a ceiling; `instead` says what is used where that is no error.
    fn over(&mut self, place: &Place, message: String, instead: &str) -> &mut Diagnostic {
        match self.over {
            Over::Refused => self.commit.error(Code::OverCeiling, place, message),
            Over::Lowered => self.commit.warning(Code::OverCeiling, place, format!("{message}; {instead}")),
        }
    }
}

/// Whether no text is there twice.
fn differ<'t>(mut texts: impl Iterator<Item = &'t str>) -> bool {
    let mut seen = HashSet::new();
    texts.all(|text| seen.insert(text))
}

/// The cap that a table holds.
pub(crate) fn per_number(table: PerNumberTable) -> Option<PerNumberLimit> {
    Some(PerNumberLimit {
        attempts: table.attempts?.value,
        days: table.days?.value,
        after_conversation_days: table.after_conversation_days.value,
    })
}
