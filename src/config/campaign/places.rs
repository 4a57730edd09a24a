//! Where the parts of a campaign stand that lints point at.

use std::collections::BTreeMap;

use crate::{
    config::{
        diagnostic::Span,
        load::{InFile, Place},
        read::At,
        tables::campaign::{CampaignFile, Policy, PolicyTable},
    },
    domain::{
        days::{DateRange, YearlyRange},
        ids::CategoryId,
        results::CallResult,
    },
};

/// Where the parts of a campaign stand.
pub(super) struct Places {
    pub(super) file: usize,
    pub(super) id: Option<Span>,
    pub(super) hours: Option<Span>,
    /// Special days of the campaign's own, by date and by day of the year.
    pub(super) dates: Vec<At<DateRange>>,
    pub(super) yearly: Vec<At<YearlyRange>>,
    pub(super) hold: Option<Span>,
    pub(super) max_attempts_per_contact: Option<Span>,
    pub(super) per_number: Option<Span>,
    /// Each policy's, by its category; the one for all or for all others by none.
    pub(super) policies: BTreeMap<Option<CategoryId>, PolicyPlaces>,
}

impl Places {
    pub(super) fn of(file: usize, campaign: &CampaignFile) -> Self {
        let hours = campaign.calling_hours.as_ref();
        let special = hours.iter().flat_map(|hours| &hours.value.special.value);
        let special = special.filter(|special| special.span.is_some_and(|span| !span.in_template()));
        let (mut dates, mut yearly) = (Vec::new(), Vec::new());
        for special in special {
            dates.extend(special.value.dates.iter().flat_map(|dates| dates.value.iter().cloned()));
            yearly.extend(special.value.yearly.iter().flat_map(|yearly| yearly.value.iter().cloned()));
        }
        let limits = &campaign.limits.value;
        Self {
            file,
            id: campaign.id.as_ref().and_then(|id| id.span),
            hours: hours.and_then(|hours| hours.span),
            dates,
            yearly,
            hold: campaign.agents.value.hold.as_ref().and_then(|hold| hold.span),
            max_attempts_per_contact: limits.max_attempts_per_contact.as_ref().and_then(|limit| limit.span),
            per_number: limits.per_number.as_ref().and_then(|limit| limit.span),
            policies: policies(campaign),
        }
    }

    /// Where a setting stands that `Campaign::not_dialled_yet` names.
    pub(super) fn of_setting(&self, setting: &str) -> Option<Span> {
        self.hold.filter(|_| setting.starts_with("agents.hold"))
    }

    /// A place in the campaign's file.
    pub(super) fn at(&self, span: Option<Span>) -> Place {
        InFile { file: self.file, value: span }
    }
}

/// Where a campaign's queue is named: in its own file, be that by its template.
pub(super) fn queue(file: usize, campaign: &CampaignFile) -> Place {
    let span = match campaign.skill_queue.as_ref().and_then(|queue| queue.span) {
        Some(queue) if queue.in_template() => campaign.extends.as_ref().and_then(|extends| extends.span),
        own => own,
    };
    InFile { file, value: span }
}

fn policies(campaign: &CampaignFile) -> BTreeMap<Option<CategoryId>, PolicyPlaces> {
    let results = &campaign.results.value;
    match (results.policy.value, &results.by_category) {
        (Policy::Global, _) => BTreeMap::from([(None, PolicyPlaces::of(&results.global))]),
        (Policy::ByCategory, None) => BTreeMap::new(),
        (Policy::ByCategory, Some(table)) => {
            let default = table.value.default.iter().map(|policy| (None, PolicyPlaces::of(policy)));
            let categories = table.value.categories.iter();
            let categories = categories.map(|(id, policy)| (Some(id.value.clone()), PolicyPlaces::of(policy)));
            default.chain(categories).collect()
        }
    }
}

/// Where the parts of a policy stand.
#[derive(Debug, Default)]
pub(super) struct PolicyPlaces {
    /// Where it is written most plainly; nowhere if it is the default.
    pub(super) policy: Option<Span>,
    pub(super) max_days: Option<Span>,
    /// The retries and the interval of each rule.
    pub(super) rules: BTreeMap<CallResult, (Option<Span>, Option<Span>)>,
}

impl PolicyPlaces {
    fn of(At { value: policy, span }: &At<PolicyTable>) -> Self {
        let mut rules = BTreeMap::new();
        for At { value: rule, .. } in policy.by_result.iter().flat_map(|rules| &rules.value) {
            if let (Some(result), Some(retries), Some(interval)) = (&rule.result, &rule.retries, &rule.interval) {
                rules.insert(result.value, (retries.span, interval.span));
            }
        }
        let by_result = policy.by_result.as_ref().and_then(|rules| rules.span);
        let written = by_result.or(policy.retry_interval.span).or(policy.max_days.span);
        Self { policy: written.or(policy.max_attempts_per_day.span).or(*span), max_days: policy.max_days.span, rules }
    }
}
