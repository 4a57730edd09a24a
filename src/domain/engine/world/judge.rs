//! Judges the log of a world afterwards, by rules written anew.

use super::*;

/// One number's tries against the policy they were placed under.
pub(super) fn number(category: &CategoryId, attempts: &[&Attempt]) {
    let policy = match &attempts[0].intent.policy {
        ResultPolicy::Global { policy, .. } => policy,
        ResultPolicy::ByCategory { default, categories } => categories.get(category).unwrap_or(default),
    };
    let mut days: BTreeMap<Date, u32> = BTreeMap::new();
    let mut further: BTreeMap<CallResult, u32> = BTreeMap::new();
    let mut faults = 0_u32;
    let mut previous: Option<&Attempt> = None;
    for attempt in attempts {
        let left = attempt.invited_at.unwrap_or(attempt.recorded_at);
        if let Some(previous) = previous {
            let Some(ended) = previous.ended_at else { panic!("called again before the last try ended") };
            let waited = left.duration_since(ended);
            let least = least_wait(policy, previous.result, faults, &mut further);
            assert!(waited >= least, "{} called again after {waited:?}, not {least:?}", attempt.id);
        }
        match attempt.result {
            Some(result) if result.is_fault() => faults += 1,
            Some(_) => {
                faults = 0;
                *days.entry(attempt.intent.local_date).or_default() += 1;
            }
            None => {}
        }
        assert!(faults < retry::FAULTS_IN_A_ROW_MAX, "six faults in a row and still a fault");
        previous = Some(attempt);
    }
    if let NumberPolicy::Days(policy) = policy {
        assert!(days.len() as u32 <= policy.max_days.get(), "tried on too many days");
        assert!(days.values().all(|&tries| tries <= policy.max_attempts_per_day.get()), "tried too often on a day");
    }
}

/// How long a number waits after a result, which must be one that another call may follow.
fn least_wait(
    policy: &NumberPolicy,
    result: Option<CallResult>,
    faults: u32,
    further: &mut BTreeMap<CallResult, u32>,
) -> SignedDuration {
    if result.is_some_and(CallResult::is_fault) {
        return SignedDuration::from_secs(10 << (faults - 1));
    }
    let interval = match policy {
        NumberPolicy::Days(days) => days.retry_interval,
        NumberPolicy::ByResult(rules) => {
            let result = match result.expect("an ended attempt has a result") {
                CallResult::Unknown => CallResult::NoAnswer,
                result => result,
            };
            let Some(rule) = rules.get(&result) else { panic!("called again after {result:?}, which no rule lists") };
            let used = further.entry(result).or_default();
            *used += 1;
            assert!(*used <= rule.retries, "called {used} times more because of {result:?}");
            rule.interval
        }
    };
    SignedDuration::try_from(interval).unwrap()
}

/// One contact's tries against caps, success and the order of a pass.
pub(super) fn contact(contact: &Contact, attempts: &[&Attempt], generation: &Generation) {
    let campaign = &generation.definitions.campaigns[&contact.campaign];
    let limits = campaign.limits;
    if let Some(most) = limits.max_attempts_per_contact {
        assert!(attempts.len() as u32 <= most.get(), "over max_attempts_per_contact");
    }
    let answered = attempts.iter().position(|a| a.result == Some(CallResult::Answered));
    let by_rule = |a: &&Attempt| a.rule.is_some();
    assert!(answered.is_none_or(|at| attempts[at + 1..].iter().all(by_rule)), "called again after a conversation");
    if answered.is_some() {
        let ends = [ContactEnd::Reached, ContactEnd::Stopped, ContactEnd::NoRetry];
        assert!(contact.progress.ended.is_some_and(|end| ends.contains(&end)));
    }
    let no_retry = attempts.iter().position(|a| match (&a.intent.policy, a.result) {
        (ResultPolicy::Global { no_retry, .. }, Some(CallResult::Unknown)) => no_retry.contains(&CallResult::NoAnswer),
        (ResultPolicy::Global { no_retry, .. }, Some(result)) => no_retry.contains(&result),
        _ => false,
    });
    assert!(no_retry.is_none_or(|at| at + 1 == attempts.len()), "called again after a result of `no_retry`");
    let attempts: Vec<&&Attempt> = attempts.iter().filter(|a| a.rule.is_none()).collect();
    let campaign = &generation.definitions.campaigns[&contact.campaign];
    let rounds: Vec<Option<usize>> = (0..contact.progress.numbers.len()).map(|n| round(campaign, contact, n)).collect();
    assert!(attempts.iter().all(|attempt| rounds[attempt.number].is_some()), "called a number of no round");
    // First tries come in the order of rounds, and of indexes within one: a sequence pass never jumps
    // ahead. Caps, lists, and numbers whose customers sleep at other times, may have it otherwise.
    let free = limits.on_a_number().next().is_none() && campaign.do_not_call.is_empty();
    if free && !campaign.hours.is_in_contact_zone() {
        let mut first_tries: Vec<usize> = Vec::new();
        for attempt in &attempts {
            if !first_tries.contains(&attempt.number) {
                first_tries.push(attempt.number);
            }
        }
        assert!(first_tries.is_sorted_by_key(|n| (rounds[*n], *n)), "first tries went {first_tries:?}");
        if campaign.order != NumberOrder::Sequence {
            return;
        }
        let Some(last) = first_tries.last() else { return };
        // Nothing comes between the numbers of a pass.
        let pass_end = attempts.iter().position(|a| a.number == *last).unwrap();
        let in_pass: Vec<usize> = attempts[..=pass_end].iter().map(|a| a.number).collect();
        assert!(in_pass.windows(2).all(|w| w[0] < w[1]), "a retry inside a pass: {in_pass:?}");
    }
}

/// The round of a number, by the campaign's words; `None` for one that is never called.
pub(super) fn round(campaign: &Campaign, contact: &Contact, number: usize) -> Option<usize> {
    let category = &contact.progress.numbers[number].category;
    let (listed, others) = match &campaign.order {
        NumberOrder::Sequence => return Some(0),
        NumberOrder::RoundsByCategory { rounds, others } => (rounds.iter().position(|c| c == category), others),
        NumberOrder::RoundsByIndex { rounds, others } => {
            (rounds.iter().position(|place| usize::from(*place - 1) == number), others)
        }
    };
    listed.or((*others == Others::Last).then_some(usize::MAX))
}
