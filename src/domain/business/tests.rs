//! What SPEC says of business results, one test a sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::{
    attribute::Attributes,
    business_result::BusinessResult,
    campaign::{DialPermission, PerNumberLimit, Priority},
    contact::NumberEnd,
    due::DueBy,
    gate::{self, Caps, Counts, Facts, NumberHistory},
    ids::{CategoryId, ContactRef, CustomerId, TenantId},
    order::{self, Class},
    phone::E164,
    policy::{NumberPolicy, ResultPolicy, Retries},
    reason::Hold,
    results::CallResult,
    retry::{self, EndedAttempt},
    tenant::Tenant,
};

/// Monday, 09:00 in UTC, the zone of the example.
fn at(minute: i64) -> Timestamp {
    let start: Timestamp = "2031-03-03T09:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minute)
}

fn key(text: &str) -> BusinessKey {
    BusinessKey::parse(text).unwrap()
}

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).unwrap()
}

/// Ten minutes, once.
fn again() -> Again {
    Again { interval: Duration::from_secs(600), max_times: NonZeroU32::MIN, same_agent: None }
}

fn rule(name: &str, action: BusinessAction) -> BusinessRule {
    let BusinessKey { result, sub_result } = key(name);
    BusinessRule { result, sub_result, action }
}

fn same(again: Again) -> Vec<BusinessRule> {
    vec![rule("callback", BusinessAction::CallSameNumber(again))]
}

fn next(again: Again) -> Vec<BusinessRule> {
    vec![rule("wrong_person", BusinessAction::CallNextNumber(again))]
}

/// `no_answer` once more after five minutes; everything else ends a number.
fn campaign(business: Vec<BusinessRule>) -> Campaign {
    let retries = Retries { retries: 1, interval: Duration::from_secs(300) };
    let policy = NumberPolicy::ByResult(BTreeMap::from([(CallResult::NoAnswer, retries)]));
    Campaign { business, results: ResultPolicy::Global { policy, no_retry: BTreeSet::new() }, ..Campaign::example() }
}

/// A contact of a campaign and what happens to it.
struct Life {
    campaign: Campaign,
    contact: Contact,
    call: Option<EndedCall>,
}

impl Life {
    fn new(campaign: Campaign) -> Self {
        let mobile = CategoryId::parse("mobile").unwrap();
        let number = |n: u32| (mobile.clone(), E164::parse(&format!("+86138000000{n:02}")).unwrap());
        let contact = Contact {
            reference: ContactRef(1),
            campaign: campaign.id.clone(),
            customer: CustomerId::parse("x").unwrap(),
            priority: Priority::DEFAULT,
            import_order: 1,
            not_before: None,
            timezone: None,
            attributes: Attributes::new(),
            version: 1,
            progress: Progress::fresh(&[number(1), number(2), number(3)]),
        };
        Self { campaign, contact, call: None }
    }

    /// A campaign's contact that was reached on its first number, by `amy`, until minute 1.
    fn reached(business: Vec<BusinessRule>) -> Self {
        let mut life = Self::new(campaign(business));
        life.call(0, None, CallResult::Answered, 1);
        life
    }

    fn call(&mut self, number: usize, rule: Option<&str>, result: CallResult, ended: i64) {
        let today = self.campaign.hours.local_date(at(ended));
        let attempt = EndedAttempt {
            number,
            rule: rule.map(key),
            result,
            ended_at: at(ended),
            local_date: today,
            next_day_at: self.campaign.hours.next_day_starts(at(ended)),
            caller_number: self.campaign.caller_numbers[0].number.clone(),
        };
        self.contact.progress = retry::settle(&self.campaign.results, &self.contact.progress, &attempt).0;
        self.call = Some(EndedCall { number, ended_at: at(ended), agent: agent("amy") });
    }

    fn mark(&mut self, name: &str, minute: i64) -> Outcome {
        let mark = Mark { key: key(name), at: at(minute), agreed: None };
        let (progress, outcome) = take_effect(&self.campaign, &self.contact, self.call.as_ref(), &mark);
        self.contact.progress = progress;
        outcome
    }

    /// What is next at a minute: its kind, number, and minute.
    fn next(&self, minute: i64) -> Option<(Class, usize, i64)> {
        let next = order::next(&self.campaign, &self.contact, at(minute))?;
        Some((next.class, next.number, next.ready_at.duration_since(at(0)).as_mins()))
    }

    fn gate(&self, minute: i64, agent: &AgentId, history: &NumberHistory) -> Result<(), Hold> {
        let next = order::next(&self.campaign, &self.contact, at(minute)).unwrap();
        let free = Caps { tenant_calls: 1, tenant_calls_per_second: 1, trunk_calls: 1, trunk_calls_per_second: 1 };
        gate::decide(&Facts {
            now: at(minute),
            campaign: Some(&self.campaign),
            permission: &DialPermission::All,
            overridden: None,
            contact: &self.contact,
            picked_version: 1,
            number: next.number,
            batch_paused: false,
            rule: next.rule(&self.contact),
            agent: Some(agent),
            customer_on_call: false,
            number_on_call: false,
            live: Counts::default(),
            placed_last_second: Counts::default(),
            caps: free,
            history,
            do_not_call: &[],
        })
    }

    fn cancelled(&self) -> Option<CancelReason> {
        self.contact.progress.business.cancelled.as_ref().map(|gone| gone.reason)
    }

    fn ended(&self) -> Option<ContactEnd> {
        self.contact.progress.ended
    }
}

#[test]
fn the_most_specific_match_wins() {
    let again = |minutes: u64| Again { interval: Duration::from_secs(60 * minutes), ..again() };
    let call = |name: &str, minutes| rule(name, BusinessAction::CallSameNumber(again(minutes)));
    for rules in
        [vec![call("callback", 30), call("callback/soon", 5)], vec![call("callback/soon", 5), call("callback", 30)]]
    {
        let mut life = Life::reached(rules);
        assert_eq!(life.mark("callback/soon", 1), Outcome::Scheduled);
        assert_eq!(life.next(1), Some((Class::Business, 0, 6)));
        assert_eq!(life.contact.progress.business.scheduled.as_ref().unwrap().rule, key("callback/soon"));
        for other in ["callback", "callback/in_an_hour"] {
            assert_eq!(life.mark(other, 1), Outcome::Scheduled);
            assert_eq!(life.next(1), Some((Class::Business, 0, 31)));
        }
    }
}

#[test]
fn a_rule_of_a_sub_result_is_not_for_the_result_alone() {
    let mut life = Life::reached(vec![rule("callback/soon", BusinessAction::Stop)]);
    assert_eq!(life.mark("callback", 1), Outcome::NoRule);
    assert_eq!(life.mark("callback/in_an_hour", 1), Outcome::NoRule);
    assert_eq!(life.mark("callback/soon", 1), Outcome::Stopped);
}

#[test]
fn the_last_result_set_wins() {
    let mut rules = same(again());
    rules.extend(next(Again { interval: Duration::from_secs(60), ..again() }));
    let mut life = Life::reached(rules);
    life.mark("callback", 1);
    life.mark("wrong_person", 2);
    assert_eq!(life.next(2), Some((Class::Business, 1, 3)));
    assert_eq!(life.cancelled(), Some(CancelReason::Superseded));
    life.mark("callback", 2);
    assert_eq!(life.next(2), Some((Class::Business, 0, 12)));
}

#[test]
fn one_without_a_rule_cancels_what_an_earlier_one_had_scheduled() {
    let mut life = Life::reached(same(again()));
    life.mark("callback", 1);
    assert_eq!(life.mark("refused", 5), Outcome::NoRule);
    assert_eq!((life.next(5), life.ended()), (None, Some(ContactEnd::Reached)));
    assert_eq!(life.cancelled(), Some(CancelReason::Superseded));
    assert!(life.contact.progress.is_over());
}

#[test]
fn the_interval_runs_from_the_later_of_call_end_and_result() {
    for (set, due) in [(0, 11), (1, 11), (7, 17)] {
        let mut life = Life::reached(same(again()));
        life.mark("callback", set);
        assert_eq!(life.next(1), Some((Class::Business, 0, due)));
    }
}

#[test]
fn max_times_counts_calls_placed_by_that_rule_for_that_contact() {
    let mut rules = same(Again { max_times: NonZeroU32::new(2).unwrap(), ..again() });
    rules.push(rule("refused", BusinessAction::CallSameNumber(again())));
    let mut life = Life::reached(rules);
    // A result that is set anew places nothing.
    for minute in 1..6 {
        assert_eq!(life.mark("callback", minute), Outcome::Scheduled);
    }
    life.call(0, Some("callback"), CallResult::Answered, 20);
    assert_eq!(life.mark("callback", 20), Outcome::Scheduled);
    life.call(0, Some("callback"), CallResult::Answered, 40);
    assert_eq!(life.mark("callback", 40), Outcome::UsedUp);
    assert_eq!(life.next(40), None);
    // Each rule has its own count, and one that is used up wins too.
    assert_eq!(life.mark("refused", 41), Outcome::Scheduled);
    assert_eq!(life.mark("callback", 42), Outcome::UsedUp);
    assert_eq!(life.next(42), None);
}

#[test]
fn stop_is_final() {
    let mut rules = same(again());
    rules.push(rule("refused", BusinessAction::Stop));
    let mut life = Life::reached(rules.clone());
    life.mark("callback", 1);
    assert_eq!(life.mark("refused", 2), Outcome::Stopped);
    assert_eq!((life.next(2), life.ended()), (None, Some(ContactEnd::Stopped)));
    assert_eq!(life.cancelled(), Some(CancelReason::Stopped));
    assert_eq!(life.mark("callback", 3), Outcome::Final);
    assert_eq!(life.next(3), None);
    // It also ends who was not reached yet, and who was never called.
    let mut life = Life::new(campaign(rules));
    life.call(0, None, CallResult::NoAnswer, 1);
    assert_eq!(life.mark("refused", 2), Outcome::Stopped);
    assert!(life.contact.progress.is_over() && life.contact.progress.pass.is_none());
}

#[test]
fn call_next_number_is_the_next_index_that_has_not_ended() {
    let mut life = Life::reached(next(Again { max_times: NonZeroU32::new(9).unwrap(), ..again() }));
    life.contact.progress.numbers[1].ended = Some(NumberEnd::BudgetSpent);
    assert_eq!(life.mark("wrong_person", 1), Outcome::Scheduled);
    assert_eq!(life.next(1), Some((Class::Business, 2, 11)));
    life.call(2, Some("wrong_person"), CallResult::Answered, 20);
    assert_eq!(life.contact.progress.numbers[2].ended, Some(NumberEnd::Reached));
}

#[test]
fn call_next_number_is_else_stop() {
    let mut life = Life::reached(next(again()));
    life.contact.progress.numbers[1].ended = Some(NumberEnd::BudgetSpent);
    life.contact.progress.numbers[2].ended = Some(NumberEnd::BudgetSpent);
    assert_eq!(life.mark("wrong_person", 1), Outcome::Stopped);
    assert_eq!(life.ended(), Some(ContactEnd::Stopped));
}

#[test]
fn it_may_reopen_a_contact_that_was_reached_for_that_call_alone() {
    let mut life = Life::reached(same(again()));
    assert_eq!((life.next(1), life.contact.progress.is_over()), (None, true));
    life.mark("callback", 1);
    assert!(!life.contact.progress.is_over());
    assert_eq!(life.next(1), Some((Class::Business, 0, 11)));
    let by = DueBy::Rule { rule: BusinessKey::parse("callback").unwrap() };
    assert_eq!(life.gate(10, &agent("bob"), &NumberHistory::default()), Err(Hold::NotDue { due_at: at(11), by }));
    assert_eq!(life.gate(11, &agent("bob"), &NumberHistory::default()), Ok(()));
    life.call(0, Some("callback"), CallResult::Answered, 20);
    assert_eq!((life.next(20), life.ended()), (None, Some(ContactEnd::Reached)));
    assert_eq!(life.contact.progress.attempts, 2);
}

#[test]
fn it_counts_in_the_budget_only_for_its_own_retries() {
    let mut life = Life::new(campaign(same(again())));
    life.call(0, None, CallResult::NoAnswer, 1);
    let budget = life.contact.progress.numbers[0].clone();
    life.mark("callback", 1);
    life.call(0, Some("callback"), CallResult::NoAnswer, 12);
    // Its retry comes by the result policy, and is no further call of the rule.
    assert_eq!(life.contact.progress.business.placed[&key("callback")], 1);
    let scheduled = life.contact.progress.business.scheduled.clone().unwrap();
    assert_eq!(scheduled.due_at(), at(17));
    life.call(0, Some("callback"), CallResult::NoAnswer, 18);
    assert_eq!(life.contact.progress.business.placed[&key("callback")], 1);
    assert_eq!(life.cancelled(), Some(CancelReason::BudgetSpent));
    assert_eq!(life.contact.progress.business.scheduled, None);
    assert_eq!(life.contact.progress.numbers[0], budget);
    assert_eq!(life.contact.progress.attempts, 3);
    assert_eq!(life.ended(), None);
}

#[test]
fn faults_of_a_business_call_come_again_by_their_own_back_off() {
    let mut life = Life::reached(same(again()));
    life.mark("callback", 1);
    life.call(0, Some("callback"), CallResult::NetworkFailure, 11);
    let call = life.contact.progress.business.scheduled.clone().unwrap();
    assert_eq!((call.due_at(), call.tries.faults), (at(11) + retry::FAULT_BACKOFF, 1));
}

#[test]
fn business_calls_go_before_all_others_by_due_time() {
    let mut life = Life::new(campaign(same(again())));
    life.call(0, None, CallResult::NoAnswer, 1);
    life.mark("callback", 1);
    // A pass is under way until then.
    assert_eq!(life.next(5).map(|(class, ..)| class), Some(Class::Pass));
    assert_eq!(life.next(11), Some((Class::Business, 0, 11)));
    let rank = |life: &Life| {
        let next = order::next(&life.campaign, &life.contact, at(30)).unwrap();
        order::rank(&life.campaign, &life.contact, &next)
    };
    let mut later = Life::reached(same(again()));
    later.contact.import_order = 0;
    later.mark("callback", 2);
    let pass = {
        let mut life = Life::new(campaign(Vec::new()));
        life.call(0, None, CallResult::NoAnswer, 1);
        life
    };
    assert!(rank(&life) < rank(&later) && rank(&later) < rank(&pass));
}

#[test]
fn all_caps_and_hours_apply() {
    let mut life = Life::reached(same(again()));
    life.mark("callback", 1);
    let limit = PerNumberLimit { attempts: NonZeroU32::MIN, days: NonZeroU32::MIN, after_conversation_days: 0 };
    life.campaign.limits.per_number = Some(limit);
    let history = NumberHistory { attempts: vec![at(0)], conversation_ended_at: Some(at(1)), to_customer: 0 };
    let hold = life.gate(11, &agent("amy"), &history).unwrap_err();
    assert_eq!(hold, Hold::NumberAtLimit { released_at: at(24 * 60) });
    let place = (0, Some(key("callback")));
    let held = gate::after_refusal(&life.campaign, &hold, &life.contact, (0, place.1.as_ref()), at(11)).unwrap();
    assert_eq!(held.tries(0, place.1.as_ref()).unwrap().held_until, Some(at(24 * 60)));
    life.campaign.limits.per_number = None;
    life.campaign.limits.max_attempts_per_contact = Some(NonZeroU32::MIN);
    let hold = life.gate(11, &agent("amy"), &NumberHistory::default()).unwrap_err();
    assert_eq!(hold, Hold::ContactAttemptsSpent);
    let after = gate::after_refusal(&life.campaign, &hold, &life.contact, (0, place.1.as_ref()), at(11)).unwrap();
    assert_eq!((after.ended, after.is_over()), (Some(ContactEnd::Reached), true));
    assert_eq!(after.business.cancelled.unwrap().reason, CancelReason::AttemptsSpent);
    life.campaign.limits.max_attempts_per_contact = None;
    life.campaign.ends_at = at(11);
    assert_eq!(life.gate(11, &agent("amy"), &NumberHistory::default()), Err(Hold::Expired));
}

#[test]
fn after_expired_it_is_only_recorded() {
    let mut life = Life::reached(vec![rule("refused", BusinessAction::Stop)]);
    life.campaign.ends_at = at(5);
    let before = life.contact.progress.clone();
    assert_eq!(life.mark("refused", 5), Outcome::Expired);
    assert_eq!(life.contact.progress, before);
    assert_eq!(life.mark("refused", 4), Outcome::Stopped);
}

#[test]
fn no_retry_ends_the_contact_and_cancels_the_scheduled_call_with_the_reason() {
    let mut campaign = campaign(same(again()));
    if let ResultPolicy::Global { no_retry, .. } = &mut campaign.results {
        no_retry.insert(CallResult::Vacant);
    }
    // By an ordinary call to another number, and by the business call itself.
    for (number, rule) in [(1, None), (0, Some("callback"))] {
        let mut life = Life::new(campaign.clone());
        life.call(0, None, CallResult::NoAnswer, 1);
        life.mark("callback", 1);
        life.call(number, rule, CallResult::Vacant, 12);
        assert_eq!((life.ended(), life.next(20)), (Some(ContactEnd::NoRetry), None));
        assert_eq!(life.cancelled(), Some(CancelReason::NoRetry));
        assert_eq!(life.mark("callback", 13), Outcome::Final);
    }
}

#[test]
fn same_agent_waits_from_the_due_time_then_anyone_takes_it() {
    let wait = |wait| Again { same_agent: Some(SameAgent { wait }), ..again() };
    let free = NumberHistory::default();
    let mut life = Life::reached(same(wait(Some(Duration::from_secs(300)))));
    life.mark("callback", 1);
    let until = at(16);
    let hold = Hold::WaitsForAgent { agent: agent("amy"), until };
    assert_eq!(life.gate(15, &agent("bob"), &free), Err(hold));
    assert_eq!(life.gate(15, &agent("amy"), &free), Ok(()));
    assert_eq!(life.gate(16, &agent("bob"), &free), Ok(()));
    // A retry of it waits anew from its own due time.
    life.call(0, Some("callback"), CallResult::NoAnswer, 16);
    assert_eq!(waits_for(&life.campaign, &life.contact, at(21)), Some((&agent("amy"), at(26))));
    let mut life = Life::reached(same(wait(None)));
    life.mark("callback", 1);
    let midnight = at(15 * 60);
    assert_eq!(waits_for(&life.campaign, &life.contact, at(11)), Some((&agent("amy"), midnight)));
    assert_eq!(waits_for(&life.campaign, &life.contact, midnight), None);
}

#[test]
fn how_it_stands_tells_for_whom_and_until_when() {
    let same_agent = Some(SameAgent { wait: Some(Duration::from_secs(300)) });
    let mut life = Life::reached(same(Again { same_agent, ..again() }));
    life.mark("callback", 1);
    let standing = order::standing(&life.campaign, &life.contact, at(2));
    assert_eq!(
        (standing.business, standing.agent, standing.changes_at),
        (Some(at(11)), Some(agent("amy")), Some(at(16)))
    );
    let standing = order::standing(&life.campaign, &life.contact, at(16));
    assert_eq!((standing.business, standing.agent, standing.changes_at), (Some(at(11)), None, None));
}

#[test]
fn who_was_never_called_has_no_number_to_call_again() {
    let mut rules = same(again());
    rules.extend(next(again()));
    let mut life = Life::new(campaign(rules));
    assert_eq!(life.mark("callback", 1), Outcome::NoCall);
    assert_eq!(life.mark("wrong_person", 1), Outcome::Scheduled);
    assert_eq!(life.contact.progress.business.scheduled.as_ref().unwrap().number, 0);
}

#[test]
fn a_result_must_be_on_the_defined_list() {
    let tenant = Tenant::new(TenantId::parse("t").unwrap(), "T", "UTC", "CN");
    let mut definitions = Definitions::of(tenant);
    let callback = BusinessResult {
        id: key("callback").result,
        name: "Call back".to_owned(),
        sub_results: BTreeMap::from([(key("callback/soon").sub_result.unwrap(), "Soon".to_owned())]),
        schedules_callback: true,
        counts_as_goal: false,
    };
    definitions.business_results.insert(callback.id.clone(), callback);
    assert_eq!(check(&definitions, &key("callback"), None), Ok(()));
    assert_eq!(check(&definitions, &key("callback/soon"), None), Ok(()));
    assert!(matches!(check(&definitions, &key("callback/late"), None), Err(Refusal::NoSubResult(..))));
    assert!(matches!(check(&definitions, &key("sold"), None), Err(Refusal::NoResult(_))));
}

/// One agreed on is due at that time whatever rule there is, and no rule's call.
#[test]
fn a_promise_goes_before_a_rule_and_counts_for_none() {
    let promise = |life: &mut Life, name: &str, agreed: Agreed| {
        let mark = Mark { key: key(name), at: at(2), agreed: Some(agreed) };
        let (progress, outcome) = take_effect(&life.campaign, &life.contact, life.call.as_ref(), &mark);
        life.contact.progress = progress;
        outcome
    };
    let agreed = Agreed { at: at(90), agent: None };
    for rules in [vec![], same(again()), vec![rule("callback", BusinessAction::Stop)]] {
        let mut life = Life::reached(rules);
        assert_eq!(promise(&mut life, "callback", agreed.clone()), Outcome::Scheduled);
        assert_eq!(life.next(2), Some((Class::Business, 0, 90)));
        let by = DueBy::Agreed { with: key("callback") };
        assert_eq!(life.gate(2, &agent("amy"), &NumberHistory::default()), Err(Hold::NotDue { due_at: at(90), by }));
        life.call(0, Some("callback"), CallResult::Answered, 95);
        assert_eq!(life.contact.progress.business.placed, BTreeMap::new());
        assert_eq!(life.contact.progress.business.scheduled, None);
    }
    // Its own tries go by the result policy, as a rule's do.
    let mut life = Life::reached(vec![]);
    promise(&mut life, "callback", agreed.clone());
    life.call(0, Some("callback"), CallResult::NoAnswer, 91);
    assert_eq!(life.next(91), Some((Class::Business, 0, 96)));
    life.call(0, Some("callback"), CallResult::NoAnswer, 97);
    assert_eq!((life.next(97), life.contact.progress.business.placed.len()), (None, 0));
    // Whoever is to call is waited for as long as the rule says, else that day.
    let waits = Again { same_agent: Some(SameAgent { wait: Some(Duration::from_secs(300)) }), ..again() };
    for (rules, until) in [(same(waits), at(95)), (vec![], at(15 * 60))] {
        let mut life = Life::reached(rules);
        promise(&mut life, "callback", Agreed { agent: Some(agent("ben")), ..agreed.clone() });
        assert_eq!(waits_for(&life.campaign, &life.contact, at(90)), Some((&agent("ben"), until)));
    }
    // Who was stopped is not called, whatever was agreed on; nor who was never called.
    let mut life = Life::reached(vec![rule("refused", BusinessAction::Stop)]);
    life.mark("refused", 2);
    assert_eq!(promise(&mut life, "callback", agreed.clone()), Outcome::Final);
    let mut life = Life::new(campaign(vec![]));
    assert_eq!(promise(&mut life, "callback", agreed), Outcome::NoCall);
}

/// Clocks in Berlin go forward at 02:00 on 30 March 2031 and back at 03:00 on 26 October.
#[test]
fn a_time_where_the_customer_is_may_be_skipped_or_come_twice() {
    let callback = BusinessResult {
        id: key("callback").result,
        name: "Call back".to_owned(),
        sub_results: BTreeMap::new(),
        schedules_callback: true,
        counts_as_goal: false,
    };
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let always = vec![crate::domain::calendar::Window::parse("00:00-24:00").unwrap()];
    let campaign = Campaign {
        hours: crate::domain::calendar::CallingHours::new("Europe/Berlin", berlin, always).unwrap(),
        ends_at: "2031-12-01T00:00:00Z".parse().unwrap(),
        ..campaign(vec![])
    };
    let life = Life::new(campaign.clone());
    let mut definitions = Definitions::of(Tenant::new(TenantId::parse("t").unwrap(), "T", "UTC", "CN"));
    definitions.business_results.insert(callback.id.clone(), callback);
    definitions.campaigns.insert(campaign.id.clone(), std::sync::Arc::new(campaign));
    let amy = agent("amy");
    let agreed = |text: &str| {
        let wanted = CallbackWanted { at: CallbackAt::parse(text).unwrap(), same_agent: false };
        let called = Some((&life.contact.progress.numbers[0], &amy));
        agree(&definitions, &life.contact, called, &key("callback"), wanted, at(0)).map(|agreed| agreed.at.to_string())
    };
    assert_eq!(agreed("2031-03-30T03:00").as_deref(), Ok("2031-03-30T01:00:00Z"));
    let skipped = agreed("2031-03-30T02:30").unwrap_err().to_string();
    assert_eq!(skipped, "2031-03-30T02:30:00 does not exist in Europe/Berlin, where clocks are put forward then");
    assert_eq!(agreed("2031-10-26T02:30").as_deref(), Ok("2031-10-26T00:30:00Z"), "the earlier of two");
    assert_eq!(agreed("2031-10-26T02:30+01:00").as_deref(), Ok("2031-10-26T01:30:00Z"));
    for text in ["", "tomorrow", "2031-03-30", "15:00", "2031-02-30T10:00", "2031-03-20T15:00[Asia/Tokyo]"] {
        assert_eq!(CallbackAt::parse(text), None, "{text:?}");
    }
}

#[test]
fn keys_are_read_as_they_are_written() {
    for text in ["callback", "callback/soon"] {
        assert_eq!(key(text).to_string(), text);
    }
    for text in ["", "/", "callback/", "Call back", "a/b/c"] {
        assert_eq!(BusinessKey::parse(text), None, "{text:?}");
    }
}
