//! What a business result brings about.

use super::{
    Second,
    book::{Account, Call, Contact, Retry, Scheduled},
    definition::{Action, Definition, Rule},
    hours,
};

/// Applies a business result that is set for `call` at `now`.
pub(crate) fn apply(
    now: Second,
    (call, definition): (&Call, &Definition),
    contact: &mut Contact,
    result: &str,
    sub_result: Option<String>,
) {
    // SPEC §3: "`stop` is final". READING: a contact of which all numbers have ended can be reopened as one that was
    // reached can; one that `no_retry` or `stop` ended can't.
    if contact.stopped {
        return;
    }
    // READING: the rules are those in force when the result is set: a result settles no attempt.
    let rule = matching(definition, result, sub_result.as_deref());
    // SPEC §3: "the last result set wins, and one without a rule cancels what an earlier one had scheduled".
    // READING: that goes for retries of an earlier rule's call too, and for a result whose rule is used up.
    contact.scheduled = None;
    contact.own_retry = None;
    let Some(rule) = rule else { return };
    if rule.action == Action::Stop {
        contact.stopped = true;
        return;
    }
    let key = (rule.result.clone(), rule.sub_result.clone());
    // SPEC §3: "`max_times` counts calls placed by that rule for that contact". READING: retries of these calls are
    // placed by the policy and not counted; after the last one the result is only recorded.
    if contact.placed_by.get(&key).copied().unwrap_or(0) >= rule.max_times {
        return;
    }
    // SPEC §3: "`call_next_number` is the next index that has not ended, else stop".
    let Some(number) = number_for(rule, now, call, contact) else {
        contact.stopped = true;
        return;
    };
    // SPEC §3: "`interval` runs from the later of call end and result".
    let due = now.max(call.end) + rule.interval;
    let pinned = rule.same_agent.then(|| (call.agent.clone(), rule.same_agent_wait));
    contact.scheduled = Some(Scheduled { due, number, rule: key, pinned });
}

/// SPEC §3: "the most specific match (with sub-result) wins".
fn matching<'a>(definition: &'a Definition, result: &str, sub_result: Option<&str>) -> Option<&'a Rule> {
    let of_result = || definition.rules.iter().filter(|rule| rule.result == result);
    let specific = of_result().find(|rule| rule.sub_result.is_some() && rule.sub_result.as_deref() == sub_result);
    specific.or_else(|| of_result().find(|rule| rule.sub_result.is_none()))
}

/// The number that the rule calls.
fn number_for(rule: &Rule, now: Second, call: &Call, contact: &Contact) -> Option<usize> {
    match rule.action {
        Action::Stop => None,
        // READING: also a number that the policy has ended: it is the one on which the customer was reached.
        Action::CallSameNumber => Some(call.target.number),
        // READING: counted from the number of the call, upwards only, and chosen when the result is set. A number that
        // the order never calls (`others = "never"`) is passed over.
        Action::CallNextNumber => (call.target.number + 1..contact.numbers.len()).find(|index| {
            let number = &contact.numbers[*index];
            let is_called = call.definition.order.round_of(&number.category, index + 1).is_some();
            is_called && !number.ended && !is_spent(&number.budget, number.retry.as_ref(), now, call)
        }),
    }
}

/// Whether the ordinary policy has no day left for a number, now and later.
fn is_spent(budget: &Account, retry: Option<&Retry>, now: Second, call: &Call) -> bool {
    let Some(limits) = retry.and_then(|retry| retry.per_day) else { return false };
    !budget.has_room(hours::local_day(now, &call.zone), limits) && budget.days_used() >= limits.1
}

/// SPEC §3: "`same_agent` | waits for that agent for `same_agent_wait` from the due time (default: to the end of the
/// local day), then anyone in the queue".
pub(crate) fn waits_until(
    definition: &Definition,
    contact: &Contact,
    number: usize,
    due: Second,
    wait: Option<Second>,
) -> Second {
    // READING: the local day in which the call is due, in the zone of the number that will be called.
    let zone = definition.zone.governing(contact.timezone.as_deref(), &contact.numbers[number].number);
    let end_of_day = || hours::end_of_day(hours::local_day(due, &zone), &zone);
    wait.map_or_else(end_of_day, |wait| due + wait)
}
