//! What is allowed and probably not meant: hours that never open, budgets that can't be spent,
//! settings that this version does not dial by.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::Campaigns;
use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        kinds::duration::{DAY, shown},
        load::{InFile, Place},
        tables::campaign::{CampaignFile, Policy, ResultsTable},
    },
    domain::{
        calendar::CallingHours,
        campaign::{Campaign, DesiredState, Priority},
        ids::QueueId,
        policy::{DaysPolicy, NumberPolicy, ResultPolicy, Retries},
    },
};

/// Others that a note names before it only counts them.
const OTHERS_NAMED: usize = 3;

/// Where the parts of a campaign stand that lints point at.
pub(super) struct Places {
    pub(super) file: usize,
    pub(super) id: Option<Span>,
    pub(super) hours: Option<Span>,
    pub(super) results: Option<Span>,
    pub(super) queue: Option<Span>,
}

impl Places {
    pub(super) fn of(file: usize, campaign: &CampaignFile) -> Self {
        Self {
            file,
            id: campaign.id.as_ref().and_then(|id| id.span),
            hours: campaign.calling_hours.as_ref().and_then(|hours| hours.span),
            results: policy_place(&campaign.results.value)
                .or(campaign.results.span)
                .or(campaign.id.as_ref().and_then(|id| id.span)),
            queue: match campaign.skill_queue.as_ref().and_then(|queue| queue.span) {
                Some(queue) if queue.in_template() => campaign.extends.as_ref().and_then(|extends| extends.span),
                own => own,
            },
        }
    }
}

/// Where a campaign's retries are written most plainly.
fn policy_place(results: &ResultsTable) -> Option<Span> {
    let table = match results.policy.value {
        Policy::Global => &results.global,
        Policy::ByCategory => results.by_category.as_ref()?.value.default.as_ref()?,
    };
    let policy = &table.value;
    let by_result = policy.by_result.as_ref().and_then(|rules| rules.span);
    by_result.or(policy.retry_interval.span).or(policy.max_days.span).or(table.span)
}

/// What a campaign shares with others.
type Shared = BTreeMap<(QueueId, Priority), Vec<Place>>;

/// What has been seen over all campaigns.
#[derive(Default)]
pub(super) struct Lint {
    shared: Shared,
}

impl Lint {
    /// Remembers what a campaign may share with others.
    pub(super) fn shares(&mut self, campaign: &Campaign, places: &Places) {
        if campaign.desired == DesiredState::Running {
            let key = (campaign.skill_queue.clone(), campaign.priority);
            self.shared.entry(key).or_default().push(InFile { file: places.file, value: places.queue });
        }
    }

    /// Looks at one campaign that could be built.
    pub(super) fn campaign(&self, campaign: &Campaign, places: &Places, campaigns: &mut Campaigns<'_, '_>) {
        let at = |span: Option<Span>| InFile { file: places.file, value: span };
        if campaign.ends_at <= campaign.starts_at {
            return;
        }
        let opens = campaign.hours.next_open(campaign.starts_at);
        if opens.is_none_or(|opens| opens >= campaign.ends_at) {
            campaigns
                .commit
                .error(Code::WindowsNeverOpen, &at(places.hours), "no window opens between `starts_at` and `ends_at`")
                .label("never open")
                .help("give it windows inside its life, or a longer life");
            return;
        }
        for policy in policies(&campaign.results) {
            if let Some(why) = unspendable(policy, campaign) {
                campaigns
                    .commit
                    .warning(
                        Code::BudgetUnspendable,
                        &at(places.results),
                        format!("the retries can't all be made: {why}"),
                    )
                    .label("more than there is time for");
            }
            for rules in by_result(policy) {
                if rules.retries > 0 && rules.interval > Duration::from_secs(DAY) {
                    let interval = shown(rules.interval.as_secs());
                    campaigns
                        .commit
                        .warning(
                            Code::LongInterval,
                            &at(places.results),
                            format!("a retry after {interval} is more than a day away"),
                        )
                        .label("longer than a day");
                }
            }
        }
        let not_yet = campaign.not_dialled_yet();
        if !not_yet.is_empty() {
            let message = format!("this version does not dial by {} yet, so it holds the campaign", not_yet.join(", "));
            campaigns
                .commit
                .warning(Code::NotDialledYet, &at(places.id), message)
                .label("held")
                .help("nobody is called too much: the campaign waits until the setting is gone or the daemon is newer");
        }
    }

    /// Looks at all campaigns together.
    pub(super) fn finish(self, campaigns: &mut Campaigns<'_, '_>) {
        for ((queue, priority), places) in self.shared {
            let [first, others @ ..] = places.as_slice() else { continue };
            if others.is_empty() {
                continue;
            }
            let named: Vec<_> = others.iter().take(OTHERS_NAMED).map(|place| campaigns.commit.locate(place)).collect();
            let count = places.len();
            let message = format!("{count} running campaigns share queue \"{queue}\" and priority {}", priority.get());
            let diagnostic = campaigns.commit.note(Code::SharedPriority, first, message).label("this one");
            for other in named {
                diagnostic.relate(other, "and this one");
            }
            diagnostic.help(match others.len().checked_sub(OTHERS_NAMED) {
                Some(more @ 1..) => {
                    format!("they take turns, {more} more with them; give one another `priority` to have it go first")
                }
                Some(0) | None => "they take turns; give one another `priority` to have it go first".to_owned(),
            });
        }
    }
}

fn policies(results: &ResultPolicy) -> Vec<&NumberPolicy> {
    match results {
        ResultPolicy::Global { policy, .. } => vec![policy],
        ResultPolicy::ByCategory { default, categories } => {
            std::iter::once(default).chain(categories.values()).collect()
        }
    }
}

fn by_result(policy: &NumberPolicy) -> Vec<Retries> {
    match policy {
        NumberPolicy::Days(_) => Vec::new(),
        NumberPolicy::ByResult(rules) => rules.values().copied().collect(),
    }
}

/// Why not all tries of a policy fit into the campaign's life.
fn unspendable(policy: &NumberPolicy, campaign: &Campaign) -> Option<String> {
    let life = campaign.ends_at.duration_since(campaign.starts_at);
    match policy {
        NumberPolicy::Days(days) => {
            let open = open_days(&campaign.hours, campaign.starts_at, campaign.ends_at, days.max_days.get());
            if open < days.max_days.get() {
                return Some(format!("`max_days` is {}, and hours are open on {open} days", days.max_days));
            }
            too_far_apart(days, &campaign.hours)
        }
        NumberPolicy::ByResult(rules) => {
            let (result, rule) = rules.iter().find(|(_, rule)| {
                let needed = SignedDuration::try_from(rule.interval).unwrap_or(SignedDuration::MAX);
                rule.retries > 0 && needed.saturating_mul(i32::try_from(rule.retries).unwrap_or(i32::MAX)) >= life
            })?;
            Some(format!(
                "{} retries after \"{}\", {} apart, are longer than the campaign's life",
                rule.retries,
                result.as_str(),
                shown(rule.interval.as_secs())
            ))
        }
    }
}

/// Local days from `from` up to `to` on which hours are open, counted up to `most`.
fn open_days(hours: &CallingHours, from: Timestamp, to: Timestamp, most: u32) -> u32 {
    let mut at = from;
    let mut days = 0;
    while days < most {
        match hours.next_open(at).filter(|&opens| opens < to) {
            None => break,
            Some(opens) => {
                days += 1;
                at = hours.next_day_starts(opens);
            }
        }
    }
    days
}

/// Whether the tries of one day are further apart than an ordinary day's first opening and last close.
fn too_far_apart(days: &DaysPolicy, hours: &CallingHours) -> Option<String> {
    let tries = days.max_attempts_per_day.get();
    let needed = days.retry_interval.saturating_mul(tries - 1);
    let open = Duration::from_secs(60 * u64::from(hours.longest_day()));
    (tries > 1 && needed >= open).then(|| {
        format!(
            "{tries} tries a day, {} apart, do not fit between the day's first opening and its last close",
            shown(days.retry_interval.as_secs())
        )
    })
}
