//! Business results: what they bring about in a campaign (SPEC §1.2, `business_results`).
//!
//! [`take_effect`] says what one result does to a contact. The call that a rule schedules is settled
//! by the result policy, on a budget of its own, in [`super::retry`].

mod agreed;
mod progress;
#[cfg(test)]
mod tests;

use std::{fmt, num::NonZeroU32, time::Duration};

use jiff::{SignedDuration, Timestamp};

pub use self::{
    agreed::{Agreed, CallbackAt, CallbackRefusal, CallbackWanted, agree},
    progress::{Business, BusinessCall, CancelReason, Cancelled, Pin},
};
use super::{
    campaign::{Campaign, Definitions},
    contact::{Contact, ContactEnd, Progress},
    ids::{AgentId, AttemptId, BusinessResultId, SubResultId},
};

/// Most characters of a note.
pub const NOTE_LENGTH_MAX: usize = 500;

/// A business result, with its sub-result if there is one: what was achieved, and the name of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessKey {
    /// The result.
    pub result: BusinessResultId,
    /// Its shade; of a rule, `None` stands for all that have no rule of their own.
    pub sub_result: Option<SubResultId>,
}

impl BusinessKey {
    /// Parses what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (result, sub_result) = match text.split_once('/') {
            Some((result, sub_result)) => (result, Some(SubResultId::parse(sub_result).ok()?)),
            None => (text, None),
        };
        Some(Self { result: BusinessResultId::parse(result).ok()?, sub_result })
    }
}

/// `callback`, or `callback/soon` with a sub-result.
impl fmt::Display for BusinessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sub_result {
            Some(sub_result) => write!(f, "{}/{sub_result}", self.result),
            None => write!(f, "{}", self.result),
        }
    }
}

/// What follows a business result; of several rules that match, the one with the sub-result wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessRule {
    /// After which result.
    pub result: BusinessResultId,
    /// With which sub-result; `None` for any that has no rule of its own.
    pub sub_result: Option<SubResultId>,
    /// What to do.
    pub action: BusinessAction,
}

impl BusinessRule {
    /// Its name.
    #[must_use]
    pub fn key(&self) -> BusinessKey {
        BusinessKey { result: self.result.clone(), sub_result: self.sub_result.clone() }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessAction {
    /// Ends the contact.
    Stop,
    /// Calls the contact's next number that has not ended.
    CallNextNumber(Again),
    /// Calls the same number again.
    CallSameNumber(Again),
}

/// When and how often a rule calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// From the later of the call's end and the result: 1 s to 3600 s.
    pub interval: Duration,
    /// Calls that the rule places for one contact, at most; their retries are the result policy's.
    pub max_times: NonZeroU32,
    /// The agent of the call takes it again.
    pub same_agent: Option<SameAgent>,
}

/// How long the same agent is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameAgent {
    /// From the due time, then anyone of the queue; `None` to the end of the local day.
    pub wait: Option<Duration>,
}

/// A business result as it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What was achieved.
    pub key: BusinessKey,
    /// When it was set.
    pub at: Timestamp,
    /// The call that was agreed on with the customer.
    pub agreed: Option<Agreed>,
}

/// The call that a result was set for, which has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCall {
    /// The number called, by index from 0.
    pub number: usize,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Who took it.
    pub agent: AgentId,
}

/// What became of a business result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A call is due.
    Scheduled,
    /// The contact has ended for good.
    Stopped,
    /// No rule is for it; what an earlier result had scheduled is cancelled.
    NoRule,
    /// Its rule has placed `max_times` calls; what an earlier result had scheduled is cancelled.
    UsedUp,
    /// Only recorded: the contact had been stopped, ended by a result of `no_retry`, or erased.
    Final,
    /// Only recorded: the campaign's `ends_at` had passed.
    Expired,
    /// Only recorded: the campaign's file was gone.
    Retired,
    /// Only recorded: nobody had called the contact, so there is no number to call again.
    NoCall,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Stopped,
        Self::NoRule,
        Self::UsedUp,
        Self::Final,
        Self::Expired,
        Self::Retired,
        Self::NoCall,
    ];

    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Stopped => "stopped",
            Self::NoRule => "no_rule",
            Self::UsedUp => "used_up",
            Self::Final => "final",
            Self::Expired => "expired",
            Self::Retired => "retired",
            Self::NoCall => "no_call",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Why a business result was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No commit is in force, so no results are defined.
    #[error("no commit is in force yet, so no business results are defined")]
    NotInForce,
    /// The campaign has no such customer.
    #[error("the campaign has no such customer")]
    NoContact,
    /// The attempt is none of the contact's.
    #[error("attempt {0} is none of this customer's in this campaign")]
    NoAttempt(AttemptId),
    /// The call has one, so the default is not noted.
    #[error("the call has a business result")]
    HasOne,
    /// `business-results.toml` has no such result.
    #[error("no business result \"{0}\" in the commit in force")]
    NoResult(BusinessResultId),
    /// The result has no such sub-result.
    #[error("business result \"{0}\" has no sub-result \"{1}\" in the commit in force")]
    NoSubResult(BusinessResultId, SubResultId),
    /// The agent is none of `agents.toml`.
    #[error("no agent \"{0}\" in the commit in force")]
    NoAgent(AgentId),
    /// No call can be agreed on so.
    #[error("no callback: {0}")]
    Callback(#[from] CallbackRefusal),
}

/// Whether a result and its sub-result are on the defined list, and so is the agent who is to have achieved it.
///
/// # Errors
///
/// It, its sub-result or the agent is not.
pub fn check(definitions: &Definitions, key: &BusinessKey, agent: Option<&AgentId>) -> Result<(), Refusal> {
    if let Some(unknown) = agent.filter(|agent| !definitions.agents.contains_key(agent)) {
        return Err(Refusal::NoAgent(unknown.clone()));
    }
    let defined = definitions.business_results.get(&key.result);
    let defined = defined.ok_or_else(|| Refusal::NoResult(key.result.clone()))?;
    match &key.sub_result {
        Some(sub) if !defined.sub_results.contains_key(sub) => {
            Err(Refusal::NoSubResult(key.result.clone(), sub.clone()))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a business result does to a contact that is in no call; `call` is the one it was set for,
/// `None` if nobody has called the contact. The last result set wins.
#[must_use]
pub fn take_effect(
    campaign: &Campaign,
    contact: &Contact,
    call: Option<&EndedCall>,
    mark: &Mark,
) -> (Progress, Outcome) {
    let mut after = contact.progress.clone();
    let from = call.map_or(mark.at, |call| call.ended_at.max(mark.at));
    let outcome = match after.ended {
        _ if from >= campaign.ends_at => Outcome::Expired,
        Some(ContactEnd::Stopped | ContactEnd::NoRetry | ContactEnd::Erased) => Outcome::Final,
        Some(ContactEnd::Reached | ContactEnd::NotReached | ContactEnd::AttemptsSpent) | None => match &mark.agreed {
            Some(agreed) => promise(campaign, &mut after, call, (agreed, &mark.key)),
            None => follow(campaign, &mut after, call, from, &mark.key),
        },
    };
    (after, outcome)
}

/// What was agreed on with the customer goes before what a rule would do.
fn promise(
    campaign: &Campaign,
    after: &mut Progress,
    call: Option<&EndedCall>,
    (agreed, key): (&Agreed, &BusinessKey),
) -> Outcome {
    after.business.cancel(CancelReason::Superseded);
    let Some(call) = call else { return Outcome::NoCall };
    let wait = || match rule_for(&campaign.business, key).map(|rule| rule.action) {
        Some(BusinessAction::CallSameNumber(again) | BusinessAction::CallNextNumber(again)) => again.same_agent?.wait,
        Some(BusinessAction::Stop) | None => None,
    };
    let pin = agreed.agent.as_ref().map(|agent| Pin { agent: agent.clone(), wait: wait() });
    let Some(scheduled) = BusinessCall::new(key.clone(), after, call.number, agreed.at, pin) else {
        return Outcome::NoCall;
    };
    after.business.scheduled = Some(Box::new(BusinessCall { agreed: true, ..scheduled }));
    Outcome::Scheduled
}

fn follow(
    campaign: &Campaign,
    after: &mut Progress,
    call: Option<&EndedCall>,
    from: Timestamp,
    key: &BusinessKey,
) -> Outcome {
    let rule = rule_for(&campaign.business, key);
    let (again, number) = match (rule.map(|rule| rule.action), call) {
        (None, _) => {
            after.business.cancel(CancelReason::Superseded);
            return Outcome::NoRule;
        }
        (Some(BusinessAction::Stop), _) => return stop(after),
        (Some(BusinessAction::CallSameNumber(_)), None) => {
            after.business.cancel(CancelReason::Superseded);
            return Outcome::NoCall;
        }
        (Some(BusinessAction::CallSameNumber(again)), Some(call)) => (again, Some(call.number)),
        (Some(BusinessAction::CallNextNumber(again)), call) => {
            (again, next_number(after, call.map_or(0, |call| call.number + 1)))
        }
    };
    let Some(rule) = rule.map(BusinessRule::key) else { return Outcome::NoRule };
    after.business.cancel(CancelReason::Superseded);
    if after.business.placed.get(&rule).is_some_and(|placed| *placed >= again.max_times.get()) {
        return Outcome::UsedUp;
    }
    let Some(number) = number else { return stop(after) };
    let interval = SignedDuration::try_from(again.interval).unwrap_or(SignedDuration::MAX);
    let due_at = from.saturating_add(interval).unwrap_or(Timestamp::MAX);
    let agent = again.same_agent.zip(call);
    let pin = agent.map(|(same, call)| Pin { agent: call.agent.clone(), wait: same.wait });
    let Some(scheduled) = BusinessCall::new(rule, after, number, due_at, pin) else { return Outcome::NoCall };
    after.business.scheduled = Some(Box::new(scheduled));
    Outcome::Scheduled
}

/// The rule for a result: the one with its sub-result, else the one for any.
fn rule_for<'a>(rules: &'a [BusinessRule], key: &BusinessKey) -> Option<&'a BusinessRule> {
    let of_result = || rules.iter().filter(|rule| rule.result == key.result);
    let exact = of_result().find(|rule| rule.sub_result == key.sub_result);
    exact.or_else(|| of_result().find(|rule| rule.sub_result.is_none()))
}

fn next_number(progress: &Progress, from: usize) -> Option<usize> {
    (from..progress.numbers.len()).find(|&index| progress.numbers[index].ended.is_none())
}

fn stop(after: &mut Progress) -> Outcome {
    after.business.cancel(CancelReason::Stopped);
    after.ended = Some(ContactEnd::Stopped);
    after.pass = None;
    Outcome::Stopped
}

/// The agent whom a contact's scheduled call waits for at `now`, and until when.
#[must_use]
pub fn waits_for<'a>(campaign: &Campaign, contact: &'a Contact, now: Timestamp) -> Option<(&'a AgentId, Timestamp)> {
    let call = contact.progress.business.scheduled.as_ref()?;
    let pin = call.pin.as_ref()?;
    let due_at = call.due_at();
    let until = match pin.wait {
        Some(wait) => {
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            due_at.saturating_add(wait).unwrap_or(Timestamp::MAX)
        }
        None => campaign.hours_of(contact, &call.tries).next_day_starts(due_at),
    };
    (now < until).then_some((&pin.agent, until))
}
