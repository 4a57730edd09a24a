//! What is allowed and probably not meant: hours that never open, budgets that can't be spent,
//! settings that this version does not dial by.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{
    Campaigns,
    caps::{Cap, capped},
    places::{Places, PolicyPlaces},
};
use crate::{
    config::{
        code::Code,
        kinds::{
            duration::{DAY, shown},
            per_category::DEFAULT,
        },
        load::Place,
        read::At,
    },
    domain::{
        calendar::CallingHours,
        campaign::{Campaign, DesiredState, Priority},
        ids::{CategoryId, QueueId},
        policy::{DaysPolicy, NumberPolicy, ResultPolicy},
        results::CallResult,
    },
};

/// Others that a note names before it only counts them.
const OTHERS_NAMED: usize = 3;

/// A campaign that shares a queue and a priority, how long it lives, and where it names the queue.
struct Sharer {
    life: Range<Timestamp>,
    place: Place,
}

/// What has been seen over all campaigns.
#[derive(Default)]
pub(super) struct Lint {
    shared: BTreeMap<(QueueId, Priority), Vec<Sharer>>,
}

impl Lint {
    /// Remembers what a campaign may share with others; `place` is where it names its queue.
    pub(super) fn shares(&mut self, campaign: &Campaign, place: Place) {
        if campaign.desired == DesiredState::Running {
            let key = (campaign.skill_queue.clone(), campaign.priority);
            let life = campaign.starts_at..campaign.ends_at;
            self.shared.entry(key).or_default().push(Sharer { life, place });
        }
    }

    /// Looks at all campaigns together.
    pub(super) fn finish(self, campaigns: &mut Campaigns<'_, '_>) {
        for ((queue, priority), sharers) in self.shared {
            for places in at_once(sharers) {
                let [first, others @ ..] = places.as_slice() else { continue };
                let named: Vec<_> =
                    others.iter().take(OTHERS_NAMED).map(|place| campaigns.commit.locate(place)).collect();
                let count = places.len();
                let message =
                    format!("{count} running campaigns share queue \"{queue}\" and priority {}", priority.get());
                let diagnostic = campaigns.commit.note(Code::SharedPriority, first, message).label("this one");
                for other in named {
                    diagnostic.relate(other, "and this one");
                }
                diagnostic.help(match others.len().checked_sub(OTHERS_NAMED) {
                    Some(more @ 1..) => format!(
                        "they take turns, {more} more with them; give one another `priority` to have it go first"
                    ),
                    Some(0) | None => "they take turns; give one another `priority` to have it go first".to_owned(),
                });
            }
        }
    }
}

/// Those of several campaigns that live at once, one after the other, each with at least one of the rest; where they
/// stand, in the order of the files.
fn at_once(mut sharers: Vec<Sharer>) -> Vec<Vec<Place>> {
    sharers.sort_by_key(|sharer| sharer.life.start);
    let mut groups: Vec<(Timestamp, Vec<Place>)> = Vec::new();
    for Sharer { life, place } in sharers {
        match groups.last_mut() {
            Some((ends_at, group)) if life.start < *ends_at => {
                *ends_at = life.end.max(*ends_at);
                group.push(place);
            }
            Some(_) | None => groups.push((life.end, vec![place])),
        }
    }
    let several = groups.into_iter().map(|(_, group)| group).filter(|group| group.len() > 1);
    several
        .map(|mut group| {
            group.sort_by_key(|place| place.file);
            group
        })
        .collect()
}

impl Campaigns<'_, '_> {
    /// Looks at one campaign that could be built.
    pub(super) fn lint(&mut self, campaign: &Campaign, places: &Places) {
        if campaign.ends_at <= campaign.starts_at {
            return;
        }
        let opens = campaign.hours.next_open(campaign.starts_at);
        if opens.is_none_or(|opens| opens >= campaign.ends_at) {
            self.commit
                .error(
                    Code::WindowsNeverOpen,
                    &places.at(places.hours),
                    "no window opens between `starts_at` and `ends_at`",
                )
                .label("never open")
                .help("give it windows inside its life, or a longer life");
            return;
        }
        self.special_days(campaign, places);
        let unwritten = PolicyPlaces::default();
        for policy in policies(&campaign.results) {
            let written = places.policies.get(&policy.category.cloned()).unwrap_or(&unwritten);
            self.budget(campaign, &policy, written, places);
            self.long_intervals(&policy, written, places);
        }
        self.not_dialled_yet(campaign, places);
    }

    /// Warns of special days that the campaign never sees; those of calendars and templates are others' too.
    fn special_days(&mut self, campaign: &Campaign, places: &Places) {
        // A window may belong to the day before, and a customer's day to another zone.
        let first = campaign.hours.local_date(campaign.starts_at).saturating_sub(1.day());
        let last = campaign.hours.local_date(campaign.ends_at).saturating_add(1.day());
        let never = |campaigns: &mut Self, shown: String, span| {
            campaigns.no_effect(&places.at(span), &shown, "it is outside the campaign's life");
        };
        for At { value: dates, span } in &places.dates {
            if dates.last() < first || last < dates.first() {
                never(self, dates.to_string(), *span);
            }
        }
        for At { value: days, span } in &places.yearly {
            let mut life = first.series(1.day()).take_while(|date| *date <= last);
            if !life.any(|date| days.contains(date)) {
                never(self, days.to_string(), *span);
            }
        }
    }

    /// Warns of retries that can't all be made.
    fn budget(&mut self, campaign: &Campaign, policy: &Policy<'_>, written: &PolicyPlaces, places: &Places) {
        let in_time = unspendable(policy.policy, campaign).map(|why| (why, "more than there is time for", None));
        let can_not = in_time.or_else(|| {
            written.policy?;
            let (why, cap) = capped(policy.policy, campaign)?;
            let cap = match cap {
                Cap::Contact => places.max_attempts_per_contact,
                Cap::Number => places.per_number,
                Cap::Tenant => None,
            };
            Some((why, "more than a cap allows", cap))
        });
        let Some((Why { part, text }, label, cap)) = can_not else { return };
        let span = match part {
            Part::Days => written.max_days.or(written.policy),
            Part::Day => written.policy,
            Part::Rule(result) => written.rules.get(&result).and_then(|(retries, _)| *retries),
        };
        let cap = cap.map(|cap| self.commit.locate(&places.at(Some(cap))));
        let message = format!("the retries{} can't all be made: {text}", policy.of());
        let place = places.at(span.or(places.id));
        let diagnostic = self.commit.warning(Code::BudgetUnspendable, &place, message).label(label);
        if let Some(cap) = cap {
            diagnostic.relate(cap, "the cap");
        }
    }

    /// Warns of retries that come more than a day later.
    fn long_intervals(&mut self, policy: &Policy<'_>, written: &PolicyPlaces, places: &Places) {
        let NumberPolicy::ByResult(rules) = policy.policy else { return };
        for (result, rule) in rules {
            if rule.retries > 0 && rule.interval > Duration::from_secs(DAY) {
                let span = written.rules.get(result).and_then(|(_, interval)| *interval);
                let (of, after, interval) = (policy.of(), result.as_str(), shown(rule.interval.as_secs()));
                let message = format!("a retry{of} after \"{after}\" comes {interval} later, more than a day");
                let place = places.at(span.or(places.id));
                self.commit.warning(Code::LongInterval, &place, message).label("longer than a day");
            }
        }
    }

    /// Warns of each setting that this version does not dial by.
    fn not_dialled_yet(&mut self, campaign: &Campaign, places: &Places) {
        for setting in campaign.not_dialled_yet() {
            let message = format!("this version does not dial by {setting} yet, so it holds the campaign");
            self.commit
                .warning(Code::NotDialledYet, &places.at(places.of_setting(setting).or(places.id)), message)
                .label("holds the campaign")
                .help("nobody is called too much: the campaign waits until the setting is gone or the daemon is newer");
        }
    }
}

/// One policy of a campaign.
struct Policy<'a> {
    policy: &'a NumberPolicy,
    /// The category that it is for; `None` if it is for all or for all others.
    category: Option<&'a CategoryId>,
    /// Whether there may be others.
    by_category: bool,
}

impl Policy<'_> {
    /// What it is for, behind "the retries".
    fn of(&self) -> String {
        match self.category {
            Some(category) => format!(" of category \"{category}\""),
            None if self.by_category => format!(" of `{DEFAULT}`"),
            None => String::new(),
        }
    }
}

fn policies(results: &ResultPolicy) -> Vec<Policy<'_>> {
    match results {
        ResultPolicy::Global { policy, .. } => vec![Policy { policy, category: None, by_category: false }],
        ResultPolicy::ByCategory { default, categories } => {
            let default = Policy { policy: default, category: None, by_category: true };
            let categories = categories.iter();
            let categories =
                categories.map(|(category, policy)| Policy { policy, category: Some(category), by_category: true });
            std::iter::once(default).chain(categories).collect()
        }
    }
}

/// Why not all tries of a policy can be made.
pub(super) struct Why {
    pub(super) part: Part,
    pub(super) text: String,
}

/// What of a policy asks too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// On how many days.
    Days,
    /// How often a day.
    Day,
    /// The rule of a result.
    Rule(CallResult),
}

/// Why not all tries of a policy fit into the campaign's life.
fn unspendable(policy: &NumberPolicy, campaign: &Campaign) -> Option<Why> {
    let life = campaign.ends_at.duration_since(campaign.starts_at);
    match policy {
        NumberPolicy::Days(days) => {
            let open = open_days(&campaign.hours, campaign.starts_at, campaign.ends_at, days.max_days.get());
            if open < days.max_days.get() {
                let text = format!("`max_days` is {}, and hours are open on {open} days", days.max_days);
                return Some(Why { part: Part::Days, text });
            }
            too_far_apart(days, &campaign.hours).map(|text| Why { part: Part::Day, text })
        }
        NumberPolicy::ByResult(rules) => {
            let (result, rule) = rules.iter().find(|(_, rule)| {
                let needed = SignedDuration::try_from(rule.interval).unwrap_or(SignedDuration::MAX);
                rule.retries > 0 && needed.saturating_mul(i32::try_from(rule.retries).unwrap_or(i32::MAX)) >= life
            })?;
            let text = format!(
                "{} retries after \"{}\", {} apart, are longer than the campaign's life",
                rule.retries,
                result.as_str(),
                shown(rule.interval.as_secs())
            );
            Some(Why { part: Part::Rule(*result), text })
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
