//! Impact: what a new definition does to the contacts that are there.
//!
//! An [`Outlook`] tells when a contact could next be called, as far as one definition and the
//! contact's own history say: agents, live calls and what other campaigns called are left out. Two
//! outlooks compared are an [`Effect`], and those of all contacts are [`Counts`].

use jiff::Timestamp;

use crate::domain::{
    calendar::ZonedHours,
    campaign::{Campaign, DesiredState},
    contact::{Contact, Number},
    gate::CLOSES_BEFORE,
    order,
    retry::{self, Budget},
};

/// How often a number's budget of the day moves its next call on; a second day has its own budget.
const DAYS_TRIED_MAX: usize = 4;

/// What one definition holds for contacts, as of one instant.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    campaign: &'a Campaign,
    now: Timestamp,
    /// First instant, from `now`, at which the campaign may dial at all; where contacts' own zones govern, in
    /// the fallback zone.
    opens: Option<Timestamp>,
}

impl<'a> Outlook<'a> {
    /// The outlook under `campaign` at `now`.
    #[must_use]
    pub fn new(campaign: &'a Campaign, now: Timestamp) -> Self {
        let mut outlook = Self { campaign, now, opens: None };
        outlook.opens = outlook.opening(&campaign.hours.at_home(), now.max(campaign.starts_at));
        outlook
    }

    /// The first instant at which one of the contact's numbers may be called: state, dates, hours, filter,
    /// `not_before`, due times, holds, the budget of the day and the cap on attempts. `None` for never.
    #[must_use]
    pub fn next_call(&self, contact: &Contact) -> Option<Timestamp> {
        let progress = &contact.progress;
        if !self.admits(contact) {
            return None;
        }
        let held = self.campaign.desired == DesiredState::Paused || !self.campaign.not_dialled_yet().is_empty();
        if held || progress.is_over() || self.attempts_spent(contact) {
            return None;
        }
        let numbers = progress.numbers.iter().enumerate().filter(|_| progress.ended.is_none());
        let called = numbers.filter(|(index, number)| order::round(&self.campaign.order, *index, number).is_some());
        let scheduled = progress.business.scheduled.iter().map(|call| &call.tries);
        called.map(|(_, number)| number).chain(scheduled).filter_map(|number| self.next_call_of(contact, number)).min()
    }

    /// Whether the filter holds for the contact.
    #[must_use]
    pub fn admits(&self, contact: &Contact) -> bool {
        self.campaign.matches(&contact.attributes)
    }

    /// Whether this definition's budget or cap ends a contact that is not ended yet.
    #[must_use]
    pub fn ends(&self, contact: &Contact) -> bool {
        let spent = || retry::expire(self.campaign, contact, self.now);
        contact.progress.ended.is_none()
            && (self.attempts_spent(contact) || spent().is_some_and(|after| after.ended.is_some()))
    }

    fn attempts_spent(&self, contact: &Contact) -> bool {
        self.campaign.limits.max_attempts_per_contact.is_some_and(|most| contact.progress.attempts >= most.get())
    }

    fn next_call_of(&self, contact: &Contact, number: &Number) -> Option<Timestamp> {
        if number.ended.is_some() {
            return None;
        }
        let waits = [contact.not_before, number.due_at, number.held_until, number.listed_until];
        let hours = self.campaign.hours_of(contact, number);
        let opens = match self.campaign.hours.is_in_contact_zone() {
            true => self.opening(&hours, self.now.max(self.campaign.starts_at))?,
            false => self.opens?,
        };
        let mut from = waits.into_iter().flatten().max().unwrap_or(self.now);
        for _ in 0..DAYS_TRIED_MAX {
            // Nothing opens before the campaign itself does.
            let at = if from <= opens { opens } else { self.opening(&hours, from)? };
            match retry::budget(&self.campaign.results, number, hours.local_date(at)) {
                Budget::Left => return Some(at),
                Budget::Spent => return None,
                Budget::SpentToday => from = hours.next_day_starts(at),
            }
        }
        None
    }

    /// The first instant at or after `from` at which the gate lets calls through, if the campaign has not ended.
    fn opening(&self, hours: &ZonedHours<'_>, from: Timestamp) -> Option<Timestamp> {
        let open = hours.next_through(from)?;
        let soon = open.saturating_add(CLOSES_BEFORE).unwrap_or(Timestamp::MAX);
        (soon < self.campaign.ends_at).then_some(open)
    }
}

/// What a change does to one contact that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    Same,
    /// The new budget or cap ends it.
    Ends,
    /// The filter held for it and no longer does.
    Leaves,
    /// The filter did not hold for it and now does.
    Enters,
    /// It can be called earlier than before.
    Earlier,
    /// It can be called later than before.
    Later,
    /// It could be called and can no longer be.
    Never,
    /// It could not be called and now can be.
    Again,
}

/// What becomes of a contact when `after` takes the place of `before`; `None` for a campaign that is
/// not there. The strongest effect counts: one that ends does not also come due later.
#[must_use]
pub fn effect(before: Option<&Outlook<'_>>, after: Option<&Outlook<'_>>, contact: &Contact) -> Effect {
    let ends = |outlook: Option<&Outlook<'_>>| outlook.is_some_and(|outlook| outlook.ends(contact));
    if ends(after) && !ends(before) {
        return Effect::Ends;
    }
    if let (Some(before), Some(after)) = (before, after) {
        match (before.admits(contact), after.admits(contact)) {
            (true, false) => return Effect::Leaves,
            (false, true) => return Effect::Enters,
            (true, true) | (false, false) => {}
        }
    }
    let next = |outlook: Option<&Outlook<'_>>| outlook.and_then(|outlook| outlook.next_call(contact));
    match (next(before), next(after)) {
        (None, None) => Effect::Same,
        (Some(_), None) => Effect::Never,
        (None, Some(_)) => Effect::Again,
        (Some(was), Some(is)) if is < was => Effect::Earlier,
        (Some(was), Some(is)) if is > was => Effect::Later,
        (Some(_), Some(_)) => Effect::Same,
    }
}

/// A campaign's contacts, counted by what a change does to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All contacts.
    pub contacts: u64,
    /// Those that have not ended; each of the following is one of them.
    pub open: u64,
    /// Ended by the new budget or cap.
    pub ends: u64,
    /// The filter no longer holds.
    pub leaves: u64,
    /// The filter holds now.
    pub enters: u64,
    /// Callable earlier.
    pub earlier: u64,
    /// Callable later.
    pub later: u64,
    /// No longer callable.
    pub never: u64,
    /// Callable again.
    pub again: u64,
}

impl Counts {
    /// Counts one contact.
    pub fn add(&mut self, before: Option<&Outlook<'_>>, after: Option<&Outlook<'_>>, contact: &Contact) {
        self.contacts += 1;
        if contact.progress.is_over() {
            return;
        }
        self.open += 1;
        match effect(before, after, contact) {
            Effect::Same => {}
            Effect::Ends => self.ends += 1,
            Effect::Leaves => self.leaves += 1,
            Effect::Enters => self.enters += 1,
            Effect::Earlier => self.earlier += 1,
            Effect::Later => self.later += 1,
            Effect::Never => self.never += 1,
            Effect::Again => self.again += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use jiff::{SignedDuration, tz::TimeZone};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        calendar::{CallingHours, Window},
        campaign::{DialPermission, NumberOrder, Others, Priority},
        contact::Progress,
        gate::{self, Caps, Facts, NumberHistory},
        ids::{CampaignId, CategoryId, ContactRef, CustomerId},
        phone::E164,
        policy::{DaysPolicy, ResultPolicy},
        zone::ContactZone,
    };

    const ZONE: &str = "Europe/Berlin";

    /// A Saturday morning; the night after next the clock goes forward.
    fn now() -> Timestamp {
        "2031-03-29T10:05:00+01:00".parse().unwrap()
    }

    /// How far apart the gate is asked; everything begins and ends at such instants.
    const STEP: i64 = 5;

    fn steps(steps: i64) -> Timestamp {
        after(steps * STEP)
    }

    fn after(minutes: i64) -> Timestamp {
        now() + SignedDuration::from_mins(minutes)
    }

    fn campaign(windows: &[&str]) -> Campaign {
        let windows = windows.iter().map(|text| Window::parse(text).unwrap()).collect();
        Campaign {
            starts_at: after(-10_000),
            ends_at: after(100_000),
            hours: CallingHours::new(ZONE, TimeZone::get(ZONE).unwrap(), windows).unwrap(),
            results: policy(3, 2),
            ..Campaign::example()
        }
    }

    fn policy(days: u32, per_day: u32) -> ResultPolicy {
        let count = |n| NonZeroU32::new(n).unwrap();
        let (max_days, max_attempts_per_day) = (count(days), count(per_day));
        ResultPolicy::days(DaysPolicy { max_days, max_attempts_per_day, retry_interval: Duration::from_secs(1800) })
    }

    fn contact(numbers: Vec<Number>) -> Contact {
        let attempts = numbers.iter().map(|number| number.days).sum();
        Contact {
            reference: ContactRef(1),
            campaign: CampaignId::parse("spring").unwrap(),
            customer: CustomerId::parse("c1").unwrap(),
            priority: Priority::DEFAULT,
            import_order: 1,
            not_before: None,
            attributes: crate::domain::attribute::Attributes::new(),
            timezone: None,
            version: 1,
            progress: Progress { numbers, attempts, ..Progress::fresh(&[]) },
        }
    }

    fn number() -> Number {
        Number::fresh(CategoryId::parse("mobile").unwrap(), E164::parse("+4930123456").unwrap())
    }

    fn tried(campaign: &Campaign, days: u32, tries: u32, due_at: Timestamp) -> Number {
        let last_day = Some(campaign.hours.local_date(now()));
        Number { tried: true, due_at: Some(due_at), days, last_day, tries_on_last_day: tries, ..number() }
    }

    /// What the gate says, with nothing in the way that is not the definition's or the contact's own.
    fn admits(campaign: &Campaign, contact: &Contact, at: Timestamp) -> bool {
        let free = Caps { tenant_calls: 1, tenant_calls_per_second: 1, trunk_calls: 1, trunk_calls_per_second: 1 };
        (0..contact.progress.numbers.len()).any(|number| {
            gate::decide(&Facts {
                now: at,
                campaign: Some(campaign),
                permission: &DialPermission::All,
                overridden: None,
                contact,
                picked_version: contact.version,
                number,
                batch_paused: false,
                rule: None,
                agent: None,
                customer_on_call: false,
                number_on_call: false,
                live: gate::Counts::default(),
                placed_last_second: gate::Counts::default(),
                caps: free,
                history: &NumberHistory::default(),
                do_not_call: &[],
            })
            .is_ok()
        })
    }

    #[test]
    fn each_effect() {
        let all_day = campaign(&["00:00-24:00"]);
        let noon = campaign(&["12:00-14:00"]);
        let paused = Campaign { desired: DesiredState::Paused, ..all_day.clone() };
        let short = Campaign { results: policy(1, 1), ..all_day.clone() };
        let fresh = contact(vec![number()]);
        let called = contact(vec![tried(&all_day, 1, 1, after(60))]);
        let between = |was: &Campaign, is: &Campaign, contact: &Contact| {
            effect(Some(&Outlook::new(was, now())), Some(&Outlook::new(is, now())), contact)
        };
        assert_eq!(between(&all_day, &noon, &fresh), Effect::Later);
        assert_eq!(between(&noon, &all_day, &fresh), Effect::Earlier);
        assert_eq!(between(&all_day, &paused, &fresh), Effect::Never);
        assert_eq!(between(&paused, &all_day, &fresh), Effect::Again);
        assert_eq!(between(&all_day, &short, &fresh), Effect::Same);
        assert_eq!(between(&all_day, &short, &called), Effect::Ends);
        assert_eq!(between(&short, &short, &called), Effect::Same);
        let tier = crate::domain::ids::AttributeId::parse("tier").unwrap();
        let test = crate::domain::filter::Test::IsSet;
        let filter = Some(crate::domain::filter::Filter::Test { attribute: tier, test });
        let filtered = Campaign { filter, ..all_day.clone() };
        assert_eq!(between(&all_day, &filtered, &fresh), Effect::Leaves);
        assert_eq!(between(&filtered, &noon, &fresh), Effect::Enters);
        assert_eq!(between(&filtered, &filtered, &fresh), Effect::Same);
        let rounds = NumberOrder::RoundsByIndex { rounds: vec![2], others: Others::Never };
        let second_only = Campaign { order: rounds, ..all_day.clone() };
        assert_eq!(between(&all_day, &second_only, &fresh), Effect::Never);
        assert_eq!(between(&all_day, &second_only, &contact(vec![number(), number()])), Effect::Same);
        let own = Campaign { hours: noon.hours.clone().in_contact_zone(), ..noon.clone() };
        let abroad = Contact { timezone: ContactZone::parse("Asia/Shanghai"), ..fresh.clone() };
        assert_eq!(between(&noon, &own, &fresh), Effect::Same);
        assert_eq!(between(&noon, &own, &abroad), Effect::Later);
        assert_eq!(effect(None, Some(&Outlook::new(&all_day, now())), &fresh), Effect::Again);
        assert_eq!(effect(Some(&Outlook::new(&all_day, now())), None, &fresh), Effect::Never);
    }

    #[test]
    fn contacts_that_ended_are_counted_and_nothing_else() {
        let mut counts = Counts::default();
        let mut ended = contact(vec![number()]);
        ended.progress.ended = Some(crate::domain::contact::ContactEnd::Reached);
        counts.add(None, None, &ended);
        assert_eq!(counts, Counts { contacts: 1, ..Counts::default() });
    }

    /// Days, tries of today, steps until due and until a hold's end, and whether it has ended.
    type Tried = (u32, u32, Option<i64>, Option<i64>, bool);

    fn numbers() -> impl Strategy<Value = Vec<Tried>> {
        let waits = || prop::option::of(-40i64..600);
        prop::collection::vec((0u32..4, 1u32..4, waits(), waits(), prop::bool::weighted(0.1)), 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The first instant that the gate lets through, by asking it again and again.
        #[test]
        fn the_next_call_is_the_first_that_the_gate_admits(
            windows in prop::sample::subsequence(vec!["00:30-01:30", "02:00-03:10", "09:00-11:30", "14:00-18:00", "22:00-24:00"], 1..5),
            (starts, ends) in (-600i64..600, 1i64..800),
            (days, per_day) in (1u32..4, 1u32..4),
            cap in prop::option::of(1u32..6),
            not_before in prop::option::of(-20i64..400),
            (own_zones, zone) in (any::<bool>(), prop::sample::select(vec!["", "Asia/Shanghai", "America/New_York"])),
            numbers in numbers(),
        ) {
            let mut campaign = campaign(&windows);
            (campaign.starts_at, campaign.ends_at) = (steps(starts), steps(starts + ends));
            campaign.results = policy(days, per_day);
            if own_zones {
                campaign.hours = campaign.hours.in_contact_zone();
            }
            campaign.limits.max_attempts_per_contact = cap.and_then(NonZeroU32::new);
            let numbers = numbers.into_iter().map(|(days, tries, due, held, ended)| {
                let mut number = number();
                if days > 0 {
                    number = tried(&campaign, days, tries, steps(due.unwrap_or_default()));
                }
                number.held_until = held.map(steps);
                number.ended = ended.then_some(crate::domain::contact::NumberEnd::BudgetSpent);
                number
            });
            let mut contact = contact(numbers.collect());
            contact.not_before = not_before.map(steps);
            contact.timezone = ContactZone::parse(zone);
            const STEPS: i64 = 4 * 24 * 60 / STEP;
            let scanned = (0..STEPS).map(steps).find(|&at| admits(&campaign, &contact, at));
            let found = Outlook::new(&campaign, now()).next_call(&contact);
            let within = found.filter(|&at| at < steps(STEPS));
            prop_assert_eq!(within, scanned);
        }
    }
}
