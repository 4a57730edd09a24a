//! What the end of a call means for its number and contact.

use super::{
    Second,
    book::{Account, Call, Contact, Purpose, Retry},
    definition::{Policy, Results, Retries},
    hours,
};

/// Waits after results that are not the customer's fault.
const FAULT_WAITS: [Second; 5] = [10, 20, 40, 80, 160];

/// What a policy says after a counted try.
enum Verdict {
    /// A further call.
    Again(Retry),
    /// The budget is used up.
    Spent,
    /// The result is not listed, which ends the number.
    NotListed,
}

/// Settles a call. SPEC §3: "edits | an attempt is settled by the definition it was placed under".
pub(crate) fn settle(call: &mut Call, contact: &mut Contact) {
    if call.purpose == Purpose::Ordinary {
        go_on(call.target.number, contact);
    }
    if contact.stopped {
        return;
    }
    let result = counted_as(&call.result).to_owned();
    let result = result.as_str();
    if result == "answered" {
        return succeed(call, contact);
    }
    let index = call.target.number;
    let mut result = result;
    if is_fault(result) {
        let faults = contact.numbers[index].faults;
        contact.numbers[index].faults = faults + 1;
        if let Some(wait) = FAULT_WAITS.get(faults as usize) {
            let retry = Retry { due: call.end + wait, per_day: day_limits(call, contact) };
            return set_retry(call, contact, retry);
        }
        // READING: the sixth in a row is a counted try with the result `unreachable`, for the policy, for
        // `no_retry` and in what is told of the attempt. The row then begins anew.
        result = "unreachable";
        result.clone_into(&mut call.result);
    }
    contact.numbers[index].faults = 0;
    if hits_no_retry(call, result) {
        return stop(contact);
    }
    match verdict(call, contact, result) {
        Verdict::Again(retry) => set_retry(call, contact, retry),
        // READING: a business call that has used up its own retries leaves the number as it was, but a result that
        // is not listed ends the number, whoever wanted the call.
        Verdict::Spent => contact.numbers[index].ended |= call.purpose == Purpose::Ordinary,
        Verdict::NotListed => contact.numbers[index].ended = true,
    }
}

/// Takes a `sequence` pass on. SPEC §3: "`sequence` | numbers 1→n one after the other …; a held number (do-not-call, a
/// cap) is skipped and counts as untried if released".
fn go_on(called: usize, contact: &mut Contact) {
    // READING: a pass goes up, from the number that is called first, whatever the order was then, and is over when no
    // untried number comes after the last one that it has called. A number that it has gone past counts as untried
    // like one of a contact that nobody has called.
    let last = contact.pass.map_or(called, |pass| pass.max(called));
    let more = contact.numbers.iter().skip(last + 1).any(|number| !number.tried && !number.ended);
    contact.pass = more.then_some(last);
}

/// SPEC §3: "success | `answered` on any number completes the contact".
fn succeed(call: &Call, contact: &mut Contact) {
    // READING: no_retry's row says that scheduled callbacks are cancelled, this one does not: what a business rule
    // has scheduled stays, unless a new business result replaces it. Retries of an earlier business call go.
    contact.reached = true;
    contact.own_retry = None;
    contact.numbers[call.target.number].faults = 0;
}

/// SPEC §3: "`unknown` | counted in both ledgers; treated as `no_answer`, sharing its counter".
fn counted_as(result: &str) -> &str {
    // READING: so it is `no_answer` for `no_retry` too, and a policy's entry for `unknown` is never used.
    if result == "unknown" { "no_answer" } else { result }
}

/// SPEC §3: "Budget (policy): tries of that number, except `agent_lost`, `network_failure`, `carrier_congestion`" and
/// "not the customer's fault | again after 10, 20, 40, 80, 160 s; the sixth in a row (per number, these results
/// together) settles as `unreachable`".
fn is_fault(result: &str) -> bool {
    // READING: this row goes before the policies: an entry for one of these results, or one in `no_retry`, is
    // not used. Only `unreachable` is.
    ["agent_lost", "network_failure", "carrier_congestion"].contains(&result)
}

/// SPEC §1.2: "`results.no_retry` | results; one hit ends all numbers of that contact | global policy only".
fn hits_no_retry(call: &Call, result: &str) -> bool {
    match &call.definition.results {
        Results::Global { policy: _, no_retry } => no_retry.iter().any(|listed| listed == result),
        Results::ByCategory(_) => false,
    }
}

/// SPEC §3: "`no_retry` | ends the contact; its scheduled callbacks are cancelled with the reason".
fn stop(contact: &mut Contact) {
    // READING: for good, as by `stop`: a later business result is only recorded ("may reopen a contact that was
    // reached" speaks of no other).
    contact.stopped = true;
}

/// The policy's word on a counted try. SPEC §1.2: "chosen by the number's category when the attempt is settled".
fn verdict(call: &Call, contact: &mut Contact, result: &str) -> Verdict {
    let definition = call.definition.clone();
    let policy = definition.results.policy(&contact.numbers[call.target.number].category);
    let account = account(call, contact);
    account.days.push(call.day);
    match policy {
        Policy::Ordinary { max_days, per_day, interval } => ordinary(call, account, (*per_day, *max_days), *interval),
        Policy::ByResult(entries) => by_result(call, account, entries, result),
    }
}

/// SPEC §3: "ordinary policy | a number is tried at most `max_attempts_per_day` times on a local day, on at most
/// `max_days` different days (not necessarily consecutive; a day counts when it had a counted try), at least
/// `retry_interval` after the end of the last try".
fn ordinary(call: &Call, account: &Account, limits: (usize, usize), interval: Second) -> Verdict {
    let (per_day, max_days) = limits;
    let mut due = call.end + interval;
    // READING: a number that has had its tries of the day is due when the next local day begins, if the interval
    // is over by then: due is when the policy allows the call, not a hold on it.
    if account.tries_on(call.day) >= per_day {
        due = due.max(hours::end_of_day(call.day, &call.zone));
    }
    // READING: a number whose next call would fall on one day too many has ended.
    let another_day = hours::local_day(due, &call.zone) != call.day;
    match another_day && account.days_used() >= max_days {
        true => Verdict::Spent,
        false => Verdict::Again(Retry { due, per_day: Some(limits) }),
    }
}

/// SPEC §3: "by-result policy | `retries = N` for result R: at most N further calls of that number because of R, each
/// R with its own counter, `interval` after the end; a result that is not listed ends that number".
fn by_result(call: &Call, account: &mut Account, entries: &[Retries], result: &str) -> Verdict {
    let Some(entry) = entries.iter().find(|entry| entry.result == result) else { return Verdict::NotListed };
    // READING: the counter counts retries that this form of policy has granted, so tries under an ordinary policy
    // before an edit are not in it.
    let used = account.retries.entry(result.to_owned()).or_default();
    if *used >= entry.retries {
        return Verdict::Spent;
    }
    *used += 1;
    Verdict::Again(Retry { due: call.end + entry.interval, per_day: None })
}

/// The limits by day of a call's policy, for a number that is called again without having had a counted try.
fn day_limits(call: &Call, contact: &Contact) -> Option<(usize, usize)> {
    match call.definition.results.policy(&contact.numbers[call.target.number].category) {
        Policy::Ordinary { max_days, per_day, interval: _ } => Some((*per_day, *max_days)),
        Policy::ByResult(_) => None,
    }
}

/// SPEC §3: a business rule's call "counts in frequency, in the budget only for its own retries".
fn account<'a>(call: &Call, contact: &'a mut Contact) -> &'a mut Account {
    // READING: each business call opens a budget of its own, in which it is the first try. Its retries use that one,
    // and the number's own budget knows of none of them.
    match call.purpose {
        Purpose::Ordinary => &mut contact.numbers[call.target.number].budget,
        Purpose::Rule | Purpose::OwnRetry => &mut contact.own,
    }
}

fn set_retry(call: &Call, contact: &mut Contact, retry: Retry) {
    match call.purpose {
        Purpose::Ordinary => contact.numbers[call.target.number].retry = Some(retry),
        Purpose::Rule | Purpose::OwnRetry => contact.own_retry = Some((call.target.number, retry)),
    }
}
