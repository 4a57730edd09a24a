//! Domain values as they stand in a table's columns.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{
    business::{Business, BusinessCall, BusinessKey, CancelReason, Cancelled, Pin},
    call::LegIdentity,
    campaign::{Callback, DesiredState, SecretRef},
    contact::{Number, NumberEnd, Progress},
    do_not_call::Entry,
    ids::{AgentId, AttributeId, CategoryId, DoNotCallId},
    overrides::OverrideId,
    phone::E164,
    policy::{DaysPolicy, NumberPolicy, ResultPolicy, Retries},
    results::CallResult,
};

/// A column that holds what this version can't read.
pub(super) fn damaged(column: &str) -> StoreError {
    StoreError::Damaged(format!("column {column} has a value that this version does not know"))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An instant as a column has it.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant of a column.
pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| damaged("time"))
}

/// Overrides as a column has them; `None` for none.
pub(super) fn overrides_text(ids: &[OverrideId]) -> Option<String> {
    (!ids.is_empty()).then(|| json(&ids.iter().map(|id| id.0).collect::<Vec<_>>()))
}

/// The overrides of a column.
pub(super) fn overrides(text: Option<&str>) -> Result<Vec<OverrideId>, StoreError> {
    let ids: Vec<u32> = serde_json::from_str(text.unwrap_or("[]")).map_err(|_| damaged("attempt.overrides"))?;
    Ok(ids.into_iter().map(OverrideId).collect())
}

/// [`ResultPolicy`] with serde's derives, which the domain does without.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Policy {
    Global { policy: OneNumber, no_retry: Vec<String> },
    ByCategory { default: OneNumber, categories: BTreeMap<String, OneNumber> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum OneNumber {
    /// Days, attempts a day, microseconds between.
    Days(NonZeroU32, NonZeroU32, u64),
    /// For each result: further calls, microseconds between.
    ByResult(BTreeMap<String, (u32, u64)>),
}

/// A policy as a column has it.
pub(super) fn policy_text(policy: &ResultPolicy) -> String {
    json(&match policy {
        ResultPolicy::Global { policy, no_retry } => Policy::Global {
            policy: one_number(policy),
            no_retry: no_retry.iter().map(|result| result.as_str().to_owned()).collect(),
        },
        ResultPolicy::ByCategory { default, categories } => Policy::ByCategory {
            default: one_number(default),
            categories: categories.iter().map(|(id, policy)| (id.to_string(), one_number(policy))).collect(),
        },
    })
}

fn one_number(policy: &NumberPolicy) -> OneNumber {
    let between = |interval: Duration| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    match policy {
        NumberPolicy::Days(days) => {
            OneNumber::Days(days.max_days, days.max_attempts_per_day, between(days.retry_interval))
        }
        NumberPolicy::ByResult(rules) => {
            let rule = |(result, rule): (&CallResult, &Retries)| {
                (result.as_str().to_owned(), (rule.retries, between(rule.interval)))
            };
            OneNumber::ByResult(rules.iter().map(rule).collect())
        }
    }
}

/// The policy of a column.
pub(super) fn policy(text: &str) -> Result<ResultPolicy, StoreError> {
    // As versions before policies by result and category wrote it.
    if let Some(words) = text.strip_prefix("days ") {
        return old_days(words).ok_or_else(|| damaged("policy"));
    }
    let policy: Policy = serde_json::from_str(text).map_err(|_| damaged("policy"))?;
    Ok(match policy {
        Policy::Global { policy, no_retry } => ResultPolicy::Global {
            policy: number_policy(policy)?,
            no_retry: no_retry.iter().map(|name| result(name)).collect::<Result<_, _>>()?,
        },
        Policy::ByCategory { default, categories } => ResultPolicy::ByCategory {
            default: number_policy(default)?,
            categories: categories
                .into_iter()
                .map(|(id, policy)| {
                    Ok((CategoryId::parse(&id).map_err(|_| damaged("policy"))?, number_policy(policy)?))
                })
                .collect::<Result<_, StoreError>>()?,
        },
    })
}

fn number_policy(policy: OneNumber) -> Result<NumberPolicy, StoreError> {
    Ok(match policy {
        OneNumber::Days(max_days, max_attempts_per_day, between) => NumberPolicy::Days(DaysPolicy {
            max_days,
            max_attempts_per_day,
            retry_interval: Duration::from_micros(between),
        }),
        OneNumber::ByResult(rules) => NumberPolicy::ByResult(
            rules
                .into_iter()
                .map(|(name, (retries, between))| {
                    Ok((result(&name)?, Retries { retries, interval: Duration::from_micros(between) }))
                })
                .collect::<Result<_, StoreError>>()?,
        ),
    })
}

fn old_days(words: &str) -> Option<ResultPolicy> {
    let mut words = words.split(' ');
    let days = DaysPolicy {
        max_days: words.next()?.parse().ok()?,
        max_attempts_per_day: words.next()?.parse().ok()?,
        retry_interval: Duration::from_micros(words.next()?.parse().ok()?),
    };
    Some(ResultPolicy::Global { policy: NumberPolicy::Days(days), no_retry: BTreeSet::new() })
}

fn result(name: &str) -> Result<CallResult, StoreError> {
    CallResult::parse(name).ok_or_else(|| damaged("result"))
}

/// The desired state of a column.
pub(super) fn desired(text: &str) -> Result<DesiredState, StoreError> {
    let states = [DesiredState::Running, DesiredState::Paused];
    states.into_iter().find(|state| state.as_str() == text).ok_or_else(|| damaged("desired"))
}

/// A number of a column.
pub(super) fn e164(text: &str) -> Result<E164, StoreError> {
    E164::parse(text).map_err(|_| damaged("number"))
}

/// Numbers as a column has them: `[["mobile","+49…"],…]`.
pub(super) fn numbers_text<'a>(numbers: impl Iterator<Item = (&'a CategoryId, &'a E164)>) -> String {
    let pairs: Vec<[&str; 2]> = numbers.map(|(category, number)| [category.as_str(), number.expose()]).collect();
    json(&pairs)
}

/// The numbers of a column, untouched.
pub(super) fn numbers(text: &str) -> Result<Vec<Number>, StoreError> {
    // Neither has a character that JSON would escape.
    let pairs: Vec<(&str, &str)> = serde_json::from_str(text).map_err(|_| damaged("numbers"))?;
    let number = |(category, number): (&str, &str)| {
        let category = CategoryId::parse(category).map_err(|_| damaged("numbers"))?;
        Ok(Number::fresh(category, e164(number)?))
    };
    pairs.into_iter().map(number).collect()
}

/// Lists as a column has them: `["objected",…]`.
pub(super) fn lists_text(lists: &[DoNotCallId]) -> String {
    json(&lists.iter().map(DoNotCallId::as_str).collect::<Vec<_>>())
}

/// The lists of a column.
pub(super) fn lists(text: &str) -> Result<Vec<DoNotCallId>, StoreError> {
    let lists: Vec<String> = serde_json::from_str(text).map_err(|_| damaged("do_not_call"))?;
    lists.iter().map(|list| DoNotCallId::parse(list).map_err(|_| damaged("do_not_call"))).collect()
}

/// What lists say of the numbers of a contact that has `numbers`, by index: `[[0,"objected",null],…]`.
pub(super) fn entries(text: &str, numbers: usize) -> Result<Vec<Vec<Entry>>, StoreError> {
    let rows: Vec<(usize, String, Option<i64>)> = serde_json::from_str(text).map_err(|_| damaged("do_not_call"))?;
    let mut entries = vec![Vec::new(); numbers];
    for (index, list, expires_at) in rows {
        let list = DoNotCallId::parse(&list).map_err(|_| damaged("do_not_call.list"))?;
        let expires_at = expires_at.map(timestamp).transpose()?;
        entries.get_mut(index).ok_or_else(|| damaged("do_not_call"))?.push(Entry { list, expires_at });
    }
    Ok(entries)
}

/// How far one number has come, without the number itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberProgress {
    tried: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listed_until: Option<i64>,
    days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_day: Option<String>,
    tries_on_last_day: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    retries: BTreeMap<String, u32>,
    faults: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

/// How far the numbers have come, as a column has it.
pub(super) fn progress_text(progress: &Progress) -> String {
    let rows: Vec<NumberProgress> = progress.numbers.iter().map(number_progress).collect();
    json(&rows)
}

fn number_progress(number: &Number) -> NumberProgress {
    NumberProgress {
        tried: number.tried,
        due_at: number.due_at.map(micros),
        held_until: number.held_until.map(micros),
        listed_until: number.listed_until.map(micros),
        days: number.days,
        last_day: number.last_day.map(|day| day.to_string()),
        tries_on_last_day: number.tries_on_last_day,
        retries: number.retries.iter().map(|(result, count)| (result.as_str().to_owned(), *count)).collect(),
        faults: number.faults,
        last_result: number.last_result.map(|result| result.as_str().to_owned()),
        caller_number: number.caller_number.as_ref().map(|number| number.expose().to_owned()),
        ended: number.ended.map(|end| end.as_str().to_owned()),
    }
}

/// Moves untouched numbers to where the column says they are.
pub(super) fn read_progress(text: &str, numbers: &mut [Number]) -> Result<(), StoreError> {
    let rows: Vec<NumberProgress> = serde_json::from_str(text).map_err(|_| damaged("progress"))?;
    if rows.len() != numbers.len() {
        return Err(damaged("progress"));
    }
    numbers.iter_mut().zip(rows).try_for_each(|(number, row)| read_number(number, row))
}

/// Moves an untouched number to where the row says it is.
fn read_number(number: &mut Number, row: NumberProgress) -> Result<(), StoreError> {
    let known = |end: Option<()>| end.ok_or_else(|| damaged("progress"));
    number.tried = row.tried;
    number.due_at = row.due_at.map(timestamp).transpose()?;
    number.held_until = row.held_until.map(timestamp).transpose()?;
    number.listed_until = row.listed_until.map(timestamp).transpose()?;
    number.days = row.days;
    number.last_day = row.last_day.map(|day| day.parse().map_err(|_| damaged("progress"))).transpose()?;
    number.tries_on_last_day = row.tries_on_last_day;
    number.retries =
        row.retries.iter().map(|(name, count)| Ok((result(name)?, *count))).collect::<Result<_, StoreError>>()?;
    number.faults = row.faults;
    number.last_result = row.last_result.as_deref().and_then(CallResult::parse);
    known((number.last_result.is_some() == row.last_result.is_some()).then_some(()))?;
    number.caller_number = row.caller_number.as_deref().map(e164).transpose()?;
    number.ended = row.ended.as_deref().and_then(NumberEnd::parse);
    known((number.ended.is_some() == row.ended.is_some()).then_some(()))
}

/// [`Business`] as a column has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BusinessRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduled: Option<ScheduledRow>,
    /// Rules with the calls that they placed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    placed: BTreeMap<String, u32>,
    /// A rule, and why its call came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<(String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduledRow {
    rule: String,
    number: usize,
    tries: NumberProgress,
    /// An agent, and the microseconds that are waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<(String, Option<u64>)>,
    #[serde(default, skip_serializing_if = "is_false")]
    agreed: bool,
}

fn is_false(is: &bool) -> bool {
    !is
}

/// What business results have brought about, as a column has it; `None` for nothing.
pub(super) fn business_text(business: &Business) -> Option<String> {
    let scheduled = |call: &BusinessCall| ScheduledRow {
        rule: call.rule.to_string(),
        number: call.number,
        tries: number_progress(&call.tries),
        pin: call.pin.as_ref().map(|pin| {
            let micros = |wait: Duration| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            (pin.agent.to_string(), pin.wait.map(micros))
        }),
        agreed: call.agreed,
    };
    let row = BusinessRow {
        scheduled: business.scheduled.as_deref().map(scheduled),
        placed: business.placed.iter().map(|(rule, placed)| (rule.to_string(), *placed)).collect(),
        cancelled: business.cancelled.as_ref().map(|gone| (gone.rule.to_string(), gone.reason.as_str().to_owned())),
    };
    (!business.is_empty()).then(|| json(&row))
}

/// What business results have brought about, of a column.
pub(super) fn business(text: &str, numbers: &[Number]) -> Result<Business, StoreError> {
    let row: BusinessRow = serde_json::from_str(text).map_err(|_| damaged("business"))?;
    let cancelled = |(rule, reason): (String, String)| {
        let reason = CancelReason::parse(&reason).ok_or_else(|| damaged("business"))?;
        Ok::<_, StoreError>(Cancelled { rule: business_key(&rule)?, reason })
    };
    Ok(Business {
        scheduled: row.scheduled.map(|row| scheduled(row, numbers).map(Box::new)).transpose()?,
        placed: row
            .placed
            .iter()
            .map(|(rule, placed)| Ok((business_key(rule)?, *placed)))
            .collect::<Result<_, StoreError>>()?,
        cancelled: row.cancelled.map(cancelled).transpose()?,
    })
}

fn scheduled(row: ScheduledRow, numbers: &[Number]) -> Result<BusinessCall, StoreError> {
    let called = numbers.get(row.number).ok_or_else(|| damaged("business"))?;
    let mut tries = Number::fresh(called.category.clone(), called.e164.clone());
    read_number(&mut tries, row.tries)?;
    let pin = |(agent, wait): (String, Option<u64>)| {
        let agent = AgentId::parse(&agent).map_err(|_| damaged("business"))?;
        Ok::<_, StoreError>(Pin { agent, wait: wait.map(Duration::from_micros) })
    };
    let (rule, pin) = (business_key(&row.rule)?, row.pin.map(pin).transpose()?);
    Ok(BusinessCall { rule, number: row.number, tries, pin, agreed: row.agreed })
}

/// A business result or a rule of a column.
pub(super) fn business_key(text: &str) -> Result<BusinessKey, StoreError> {
    BusinessKey::parse(text).ok_or_else(|| damaged("business result"))
}

/// [`Callback`] as a column has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackRow {
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

/// Where a campaign's calls are told, as a column has it.
pub(super) fn callback_text(callback: &Callback) -> String {
    let (file, credential) = match &callback.signing_secret {
        Some(SecretRef::File(path)) => (Some(path.clone()), None),
        Some(SecretRef::Credential(name)) => (None, Some(name.clone())),
        None => (None, None),
    };
    let fields = callback.fields.iter().map(ToString::to_string).collect();
    json(&CallbackRow { url: callback.url.clone(), fields, file, credential })
}

/// Where a campaign's calls are told, of a column.
pub(super) fn callback(text: &str) -> Result<Callback, StoreError> {
    let row: CallbackRow = serde_json::from_str(text).map_err(|_| damaged("callback"))?;
    let field = |id: &String| AttributeId::parse(id).map_err(|_| damaged("callback"));
    Ok(Callback {
        url: row.url,
        fields: row.fields.iter().map(field).collect::<Result<_, _>>()?,
        signing_secret: row.file.map(SecretRef::File).or(row.credential.map(SecretRef::Credential)),
    })
}

/// [`LegIdentity`] with serde's derives, which the domain does without.
#[derive(Serialize, Deserialize)]
#[serde(remote = "LegIdentity")]
struct Identity {
    call_id: String,
    local_uri: String,
    local_tag: String,
    remote_uri: String,
    remote_tag: Option<String>,
    target_uri: String,
    routes: Vec<String>,
    cseq: u32,
    branch: String,
    peer: String,
}

#[derive(Serialize, Deserialize)]
struct Wrapped(#[serde(with = "Identity")] LegIdentity);

/// A leg's identifiers as a column has them.
pub(super) fn identity_text(identity: &LegIdentity) -> String {
    json(&Wrapped(identity.clone()))
}

/// The identifiers of a column.
pub(super) fn identity(text: &str) -> Result<LegIdentity, StoreError> {
    serde_json::from_str(text).map(|Wrapped(identity)| identity).map_err(|_| damaged("identity"))
}

/// A value as a column has it.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain structs of texts and integers always become JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_round_trip_and_damage_is_told() {
        let days = DaysPolicy {
            max_days: NonZeroU32::MIN,
            max_attempts_per_day: NonZeroU32::MAX,
            retry_interval: Duration::from_secs(1800),
        };
        let busy = Retries { retries: 2, interval: Duration::from_secs(60) };
        let by_result = NumberPolicy::ByResult(BTreeMap::from([(CallResult::Busy, busy)]));
        for policy in [
            ResultPolicy::days(days),
            ResultPolicy::Global { policy: by_result.clone(), no_retry: BTreeSet::from([CallResult::Vacant]) },
            ResultPolicy::ByCategory {
                default: NumberPolicy::Days(days),
                categories: BTreeMap::from([(CategoryId::parse("mobile").unwrap(), by_result)]),
            },
        ] {
            assert_eq!(super::policy(&policy_text(&policy)).unwrap(), policy);
        }
        assert_eq!(policy("days 1 4294967295 1800000000").unwrap(), ResultPolicy::days(days));
        assert!(matches!(policy("days 0 1 1"), Err(StoreError::Damaged(_))));
        assert!(matches!(policy("by_result"), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn progress_round_trips() {
        let category = CategoryId::parse("mobile").unwrap();
        let mut number = Number::fresh(category, E164::parse("+8613800000001").unwrap());
        number.tried = true;
        number.due_at = Some("2031-03-03T09:00:00.000001Z".parse().unwrap());
        number.last_day = Some("2031-03-03".parse().unwrap());
        number.last_result = Some(CallResult::Busy);
        number.retries.insert(CallResult::Busy, 2);
        number.ended = Some(NumberEnd::BudgetSpent);
        number.caller_number = Some(E164::parse("+862880000001").unwrap());
        let progress = Progress { numbers: vec![number.clone()], attempts: 1, ..Progress::fresh(&[]) };
        let text = progress_text(&progress);
        let mut read = vec![Number::fresh(number.category.clone(), number.e164.clone())];
        read_progress(&text, &mut read).unwrap();
        assert_eq!(read, progress.numbers);
        assert!(read_progress(&text.replace("busy", "bussy"), &mut read).is_err());
        assert!(read_progress("[]", &mut read).is_err());
    }
}
