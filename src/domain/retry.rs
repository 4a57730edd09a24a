//! Retries: what an attempt's result does to its number and its contact (SPEC §3).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    business::{BusinessKey, CancelReason},
    campaign::Campaign,
    contact::{Contact, ContactEnd, Number, NumberEnd, Progress},
    phone::E164,
    policy::{DaysPolicy, NumberPolicy, ResultPolicy, counted_as},
    results::CallResult,
};

/// First back-off after a fault that is not the customer's; doubles with each in a row.
pub const FAULT_BACKOFF: SignedDuration = SignedDuration::from_secs(10);

/// The fault in a row that settles as `unreachable`.
pub const FAULTS_IN_A_ROW_MAX: u32 = 6;

/// What is left of a number's budget on a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// It may be tried.
    Left,
    /// Not again on this day.
    SpentToday,
    /// Not again.
    Spent,
}

/// The budget ledger of one number on local day `today`. By result, a number that may not be tried
/// again has ended already.
#[must_use]
pub fn budget(policy: &ResultPolicy, number: &Number, today: Date) -> Budget {
    match policy.of(&number.category) {
        NumberPolicy::Days(days) => days_budget(days, number, today),
        NumberPolicy::ByResult(_) => Budget::Left,
    }
}

fn days_budget(policy: &DaysPolicy, number: &Number, today: Date) -> Budget {
    let days_left = number.days < policy.max_days.get();
    if number.last_day == Some(today) {
        if number.tries_on_last_day < policy.max_attempts_per_day.get() {
            Budget::Left
        } else if days_left {
            Budget::SpentToday
        } else {
            Budget::Spent
        }
    } else if days_left {
        Budget::Left
    } else {
        Budget::Spent
    }
}

/// One ended attempt, as far as settling needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAttempt {
    /// The number called, by index from 0.
    pub number: usize,
    /// The business rule that had placed it; `None` for the result policy.
    pub rule: Option<BusinessKey>,
    /// How it ended.
    pub result: CallResult,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The local day fixed when its intent was written.
    pub local_date: Date,
    /// First instant of the next local day in the same zone.
    pub next_day_at: Timestamp,
    /// The number it was called from.
    pub caller_number: E164,
}

/// Settles an attempt under the policy it was placed under: the progress after it, and the result
/// to record, which differs from the given one only for the sixth fault in a row.
#[must_use]
pub fn settle(policy: &ResultPolicy, before: &Progress, attempt: &EndedAttempt) -> (Progress, CallResult) {
    let mut after = before.clone();
    after.attempts += 1;
    let result = match &attempt.rule {
        Some(rule) => settle_business(policy, &mut after, rule, attempt),
        None => settle_ordinary(policy, &mut after, attempt),
    };
    if result == CallResult::Answered {
        after.ended = Some(ContactEnd::Reached);
    } else if policy.ends_contact(result) {
        after.ended = Some(ContactEnd::NoRetry);
        after.business.cancel(CancelReason::NoRetry);
    } else if after.ended.is_none() && after.numbers.iter().all(|n| n.ended.is_some()) {
        after.ended = Some(ContactEnd::NotReached);
    }
    if after.ended.is_some() {
        after.pass = None;
    }
    if after.business.scheduled.as_ref().is_some_and(|call| call.tries.ended.is_some()) {
        after.business.cancel(CancelReason::BudgetSpent);
    }
    (after, result)
}

fn settle_ordinary(policy: &ResultPolicy, after: &mut Progress, attempt: &EndedAttempt) -> CallResult {
    let Some(number) = after.numbers.get_mut(attempt.number) else { return attempt.result };
    let result = settle_number(policy, number, attempt);
    after.pass = pass_after(after, attempt.number);
    result
}

/// A call that `rule` had placed goes by a ledger of its own; the number learns only whether the
/// customer was reached on it.
fn settle_business(
    policy: &ResultPolicy,
    after: &mut Progress,
    rule: &BusinessKey,
    attempt: &EndedAttempt,
) -> CallResult {
    let Some(tries) = after.tries_mut(attempt.number, Some(rule)) else { return attempt.result };
    let is_first = !tries.tried;
    let result = settle_number(policy, tries, attempt);
    let ended = tries.ended;
    // What was agreed on with the customer is no rule's doing.
    if is_first && !after.business.scheduled.as_ref().is_some_and(|call| call.agreed) {
        *after.business.placed.entry(rule.clone()).or_default() += 1;
    }
    let number = &mut after.numbers[attempt.number];
    number.caller_number = Some(attempt.caller_number.clone());
    if ended == Some(NumberEnd::Reached) {
        number.ended = ended;
        number.due_at = None;
        after.business.scheduled = None;
    }
    result
}

fn settle_number(policy: &ResultPolicy, number: &mut Number, attempt: &EndedAttempt) -> CallResult {
    number.tried = true;
    number.held_until = None;
    number.caller_number = Some(attempt.caller_number.clone());
    let mut result = attempt.result;
    if result.is_fault() {
        number.faults += 1;
        if number.faults < FAULTS_IN_A_ROW_MAX {
            let backoff = FAULT_BACKOFF * (1 << (number.faults - 1));
            number.last_result = Some(result);
            number.due_at = Some(later(attempt.ended_at, backoff));
            return result;
        }
        result = CallResult::Unreachable;
    }
    number.faults = 0;
    number.last_result = Some(result);
    count_try(number, attempt.local_date);
    if result == CallResult::Answered {
        number.ended = Some(NumberEnd::Reached);
        number.due_at = None;
        return result;
    }
    let next = match policy.of(&number.category) {
        NumberPolicy::Days(days) => after_days(days, number, attempt),
        NumberPolicy::ByResult(rules) => {
            let result = counted_as(result);
            let used = number.retries.get(&result).copied().unwrap_or_default();
            rules.get(&result).filter(|rule| used < rule.retries).map(|rule| {
                number.retries.insert(result, used + 1);
                after_interval(attempt, rule.interval)
            })
        }
    };
    number.due_at = next;
    if next.is_none() {
        number.ended = Some(NumberEnd::BudgetSpent);
    }
    result
}

/// When a number is due again by days and attempts; `None` if they are spent.
fn after_days(policy: &DaysPolicy, number: &Number, attempt: &EndedAttempt) -> Option<Timestamp> {
    let due_at = after_interval(attempt, policy.retry_interval);
    match days_budget(policy, number, attempt.local_date) {
        Budget::Left => Some(due_at),
        Budget::SpentToday => Some(due_at.max(attempt.next_day_at)),
        Budget::Spent => None,
    }
}

fn after_interval(attempt: &EndedAttempt, interval: Duration) -> Timestamp {
    later(attempt.ended_at, SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX))
}

fn count_try(number: &mut Number, day: Date) {
    if number.last_day == Some(day) {
        number.tries_on_last_day += 1;
    } else {
        number.days += 1;
        number.last_day = Some(day);
        number.tries_on_last_day = 1;
    }
}

/// Where a `sequence` pass goes on after the number at `called`: it moves over numbers that were
/// never tried, and is over when none is left behind the last one called.
fn pass_after(progress: &Progress, called: usize) -> Option<u8> {
    let from = progress.pass.map_or(called, |pass| called.max(usize::from(pass)));
    let untried = |n: &Number| !n.tried && n.ended.is_none();
    let more = progress.numbers.iter().skip(from + 1).any(untried);
    if more { u8::try_from(from).ok() } else { None }
}

/// Ends numbers whose budget can no longer be spent on their local day at `now`, and the contact with
/// them, and gives up a scheduled call whose own budget can't; `None` if nothing changes. A day that passes while hours are closed is found this way.
#[must_use]
pub fn expire(campaign: &Campaign, contact: &Contact, now: Timestamp) -> Option<Progress> {
    let before = &contact.progress;
    let mut after = before.clone();
    for number in &mut after.numbers {
        let today = campaign.hours_of(contact, number).local_date(now);
        if number.ended.is_none() && budget(&campaign.results, number, today) == Budget::Spent {
            number.ended = Some(NumberEnd::BudgetSpent);
            number.due_at = None;
        }
    }
    if let Some(call) = &after.business.scheduled {
        let today = campaign.hours_of(contact, &call.tries).local_date(now);
        if budget(&campaign.results, &call.tries, today) == Budget::Spent {
            after.business.cancel(CancelReason::BudgetSpent);
        }
    }
    if after == *before {
        return None;
    }
    if after.ended.is_none() && after.numbers.iter().all(|n| n.ended.is_some()) {
        after.ended = Some(ContactEnd::NotReached);
        after.pass = None;
    }
    Some(after)
}

/// The result of an attempt that a life of the daemon left without one (SPEC §3, "after a crash"):
/// who had spoken was answered, who had picked up in vain was abandoned, of the rest nobody knows.
#[must_use]
pub fn result_of_leftover(answered: bool, connected: bool) -> CallResult {
    match (connected, answered) {
        (true, _) => CallResult::Answered,
        (false, true) => CallResult::Abandoned,
        (false, false) => CallResult::Unknown,
    }
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.saturating_add(by).unwrap_or(Timestamp::MAX)
}
