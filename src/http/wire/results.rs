//! JSON of results: what is asked for, a contact in detail, and counts.

use std::{collections::BTreeMap, ops::Add};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attempt, LiveView, NextView, NumberView,
    business::{BusinessResultView, CancelledView, KeyView, ScheduledView},
    questionnaire::QuestionnaireView,
};
use crate::{
    domain::{
        campaign::Definitions,
        ids::AgentId,
        results::CallResult,
        statistics::{self, Calls},
    },
    store::Statistics,
    telemetry::status::Waiting,
};

/// Query of `GET /api/v1/campaigns/{id}/results`: attempts for which all of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptQuery {
    /// Where the page begins: what `next` of the one before said.
    pub cursor: Option<String>,
    /// Attempts of a page, 1 to 5,000; lines have no such end.
    pub limit: Option<u32>,
    /// Placed then or later: a time with its offset, or a day of the tenant's zone.
    pub from: Option<String>,
    /// Placed before that time, or on that day or earlier.
    pub to: Option<String>,
    /// Ended as one of these, with commas between them.
    pub result: Option<String>,
    /// With this business result.
    pub business_result: Option<String>,
    /// With this sub-result of it.
    pub sub_result: Option<String>,
    /// For this agent.
    pub agent: Option<String>,
    /// To a contact of this batch.
    pub batch: Option<String>,
    /// To a number of this category.
    pub category: Option<String>,
    /// Whether customer and agent heard each other.
    pub connected: Option<bool>,
    /// Placed by this business rule, `callback` or `callback/soon`.
    pub rule: Option<String>,
    /// Placed under the commit whose id begins so.
    pub revision: Option<String>,
    /// Numbers in full.
    #[serde(default)]
    pub unmasked: bool,
}

/// Query of `GET /api/v1/campaigns/{id}/contacts/{customer}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactQuery {
    /// Numbers and attributes in full.
    #[serde(default)]
    pub unmasked: bool,
}

/// Query of `GET /api/v1/campaigns/{id}/statistics` and of `GET /api/v1/statistics`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatisticsQuery {
    /// Calls placed then or later: a quarter of an hour, or a day of the tenant's zone.
    pub from: Option<String>,
    /// Calls placed before that time, or on that day or earlier.
    pub to: Option<String>,
}

/// `GET /api/v1/campaigns/{id}/contacts/{customer}`: a contact with all its numbers and all its attempts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactDetail {
    /// The campaign.
    pub campaign: String,
    /// The customer.
    pub customer: String,
    /// The batch that it came with.
    pub batch: String,
    /// `fresh`, `in_progress`, `on_call`, or how it ended.
    pub state: String,
    /// 1 first.
    pub priority: u8,
    /// The customer's own zone, as imported.
    pub timezone: Option<String>,
    /// Not dialled before.
    pub not_before: Option<String>,
    /// Calls placed to it, one that is live too.
    pub calls: u32,
    /// Its numbers by index, their middle digits hidden unless asked otherwise.
    pub numbers: Vec<NumberView>,
    /// Values by attribute, masked likewise where their definition says so.
    pub attributes: BTreeMap<String, String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Business results that were set for it, oldest first.
    pub business_results: Vec<BusinessResultView>,
    /// What its attempts have asked, oldest first, and what was answered.
    #[serde(default)]
    pub questionnaires: Vec<QuestionnaireView>,
    /// The call that one of these has asked for.
    pub scheduled: Option<ScheduledView>,
    /// The newest such call that came to nothing.
    pub cancelled: Option<CancelledView>,
    /// The call that it is in.
    pub live: Option<LiveView>,
    /// The next try; `None` once it has ended, and while it is in a call.
    pub next: Option<NextView>,
    /// What holds that back now.
    pub hold: Option<Waiting>,
    /// When this was asked.
    pub as_of: String,
}

/// `GET /api/v1/campaigns/{id}/statistics`, and `GET /api/v1/statistics` for all campaigns together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatisticsView {
    /// The campaign; `None` for all, retired ones too.
    pub campaign: Option<String>,
    /// The tenant's zone, of which days and hours are.
    pub timezone: String,
    /// Calls placed from then on are counted; `None` for all.
    pub from: Option<String>,
    /// And before then.
    pub to: Option<String>,
    /// Contacts as they stand now, whatever the time asked for.
    pub contacts: ContactCounts,
    /// Attempts that were placed in the time asked for, and have ended.
    pub attempts: CallCounts,
    /// Attempts without an outcome, now.
    pub live: u64,
    /// Different contacts with such an attempt in which they and an agent heard each other.
    pub connected_contacts: u64,
    /// Attempts by result, most first.
    pub by_result: Vec<ByResult>,
    /// The same by the groups of results that `results.toml` makes.
    pub by_group: Vec<ByGroup>,
    /// Attempts with a business result, by the last that was set, most first.
    pub by_business_result: Vec<ByBusinessResult>,
    /// Attempts by local day, of which those without any are left out.
    pub by_day: Vec<ByDay>,
    /// Attempts by local hour of the day, all 24.
    pub by_hour: Vec<ByHour>,
    /// Attempts by agent, most first; only for who may see agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_agent: Option<Vec<ByAgent>>,
    /// Contacts and attempts by batch, oldest first; of one campaign, and only for who may see batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_batch: Option<Vec<ByBatch>>,
    /// Whether all of it is of one instant; else calls may have ended while they were counted.
    pub at_once: bool,
    /// When this was asked.
    pub as_of: String,
}

/// Contacts, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactCounts {
    /// All of them.
    pub all: u64,
    /// Not ended and never called.
    pub not_called: u64,
    /// Not ended, called at least once.
    pub in_progress: u64,
    /// Ended.
    pub finished: u64,
    /// Ended, by how.
    pub ended: BTreeMap<String, u64>,
}

/// Attempts, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallCounts {
    /// How many.
    pub attempts: u64,
    /// Those in which customer and agent heard each other.
    pub connected: u64,
    /// For how many seconds they did, all together.
    pub talk_seconds: u64,
}

/// Attempts of one result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByResult {
    /// The result.
    pub result: String,
    /// As people see it.
    pub name: String,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

/// Attempts of a group of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByGroup {
    /// The group.
    pub group: String,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

/// Attempts of one business result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByBusinessResult {
    /// The result and its sub-result.
    #[serde(flatten)]
    pub achieved: KeyView,
    /// As people see both.
    pub name: String,
    /// How many attempts.
    pub attempts: u64,
}

/// Attempts of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByDay {
    /// `2031-03-01`.
    pub day: String,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

/// Attempts of one hour of the day, over all days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByHour {
    /// 0 to 23.
    pub hour: usize,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

/// Attempts for one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByAgent {
    /// The agent.
    pub agent: String,
    /// As people know them.
    pub name: String,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

/// Contacts and attempts of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ByBatch {
    /// The batch.
    pub batch: String,
    /// Its contacts, as they stand now.
    pub contacts: ContactCounts,
    /// Attempts.
    #[serde(flatten)]
    pub calls: CallCounts,
}

impl Add for CallCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            attempts: self.attempts + other.attempts,
            connected: self.connected + other.connected,
            talk_seconds: self.talk_seconds + other.talk_seconds,
        }
    }
}

impl From<Calls> for CallCounts {
    fn from(calls: Calls) -> Self {
        Self { attempts: calls.attempts, connected: calls.connected, talk_seconds: calls.talked.as_secs() }
    }
}

/// What names are shown by.
pub(in crate::http) struct Names<'a>(pub(in crate::http) Option<&'a Definitions>);

impl Names<'_> {
    /// A result as people see it.
    pub(in crate::http) fn result(&self, result: CallResult) -> String {
        let named = self.0.and_then(|defined| defined.result_names.get(&result));
        named.map_or_else(|| result.as_str().to_owned(), |named| named.name.clone())
    }

    fn group(&self, result: CallResult) -> Option<String> {
        self.0?.result_names.get(&result)?.group.clone()
    }

    /// An agent as people know them.
    pub(in crate::http) fn agent(&self, agent: &AgentId) -> String {
        let named = self.0.and_then(|defined| defined.agents.get(agent));
        named.map_or_else(|| agent.to_string(), |named| named.name.clone())
    }

    /// A business result as people see it.
    pub(in crate::http) fn business(&self, key: &crate::domain::business::BusinessKey) -> String {
        let Some(named) = self.0.and_then(|defined| defined.business_results.get(&key.result)) else {
            return key.to_string();
        };
        match &key.sub_result {
            None => named.name.clone(),
            Some(id) => {
                let sub = named.sub_results.get(id).cloned().unwrap_or_else(|| id.to_string());
                format!("{}: {sub}", named.name)
            }
        }
    }
}

/// What is counted, beside the counts: for whom and of when.
pub(in crate::http) struct Asked {
    pub(in crate::http) campaign: Option<String>,
    pub(in crate::http) timezone: String,
    pub(in crate::http) from: Option<Timestamp>,
    pub(in crate::http) to: Option<Timestamp>,
    /// Batches of the campaign, for who may see them; and with them agents.
    pub(in crate::http) batches: Option<Vec<crate::store::Batch>>,
    pub(in crate::http) sees_agents: bool,
    pub(in crate::http) as_of: Timestamp,
}

impl StatisticsView {
    /// What was counted, as it is shown.
    pub(in crate::http) fn of(counted: Statistics, asked: Asked, names: &Names<'_>, zone: &TimeZone) -> Self {
        let Statistics { tally, by_quarter, by_result, by_agent, mut by_batch, by_business, .. } = counted;
        let mut all = Calls::default();
        by_result.values().for_each(|calls| all += *calls);
        let day = |(day, calls): (Date, Calls)| ByDay { day: day.to_string(), calls: calls.into() };
        let hour = |(hour, calls): (usize, &Calls)| ByHour { hour, calls: (*calls).into() };
        let batch = |batch: crate::store::Batch| ByBatch {
            calls: by_batch.remove(&batch.id).unwrap_or_default().into(),
            batch: batch.id.to_string(),
            contacts: ContactCounts::new((batch.tally.fresh, batch.tally.in_progress), &batch.tally.ended),
        };
        let agents = || {
            let row = |(agent, calls): (&AgentId, &Calls)| ByAgent {
                agent: agent.to_string(),
                name: names.agent(agent),
                calls: (*calls).into(),
            };
            most_first(by_agent.iter().map(row).collect(), |row: &ByAgent| row.calls.attempts)
        };
        Self {
            campaign: asked.campaign,
            timezone: asked.timezone,
            from: asked.from.map(|at| at.to_string()),
            to: asked.to.map(|at| at.to_string()),
            contacts: ContactCounts::new((tally.fresh, tally.in_progress), &tally.ended),
            attempts: all.into(),
            live: tally.live,
            connected_contacts: counted.connected_contacts,
            by_group: by_group(&by_result, names),
            by_result: results(&by_result, names),
            by_business_result: business_results(&by_business, names),
            by_day: statistics::by_day(&by_quarter, zone).into_iter().map(day).collect(),
            by_hour: statistics::by_hour(&by_quarter, zone).iter().enumerate().map(hour).collect(),
            by_agent: asked.sees_agents.then(agents),
            by_batch: asked.batches.map(|batches| batches.into_iter().map(batch).collect()),
            at_once: counted.at_once,
            as_of: asked.as_of.to_string(),
        }
    }
}

impl ContactCounts {
    fn new((not_called, in_progress): (u64, u64), ended: &BTreeMap<&'static str, u64>) -> Self {
        let finished = ended.values().sum();
        let ended = ended.iter().map(|(how, n)| ((*how).to_owned(), *n)).collect();
        Self { all: not_called + in_progress + finished, not_called, in_progress, finished, ended }
    }
}

fn results(by_result: &BTreeMap<CallResult, Calls>, names: &Names<'_>) -> Vec<ByResult> {
    let row = |(result, calls): (&CallResult, &Calls)| ByResult {
        result: result.as_str().to_owned(),
        name: names.result(*result),
        calls: (*calls).into(),
    };
    most_first(by_result.iter().map(row).collect(), |row: &ByResult| row.calls.attempts)
}

fn by_group(by_result: &BTreeMap<CallResult, Calls>, names: &Names<'_>) -> Vec<ByGroup> {
    let mut groups: BTreeMap<String, Calls> = BTreeMap::new();
    for (result, calls) in by_result {
        if let Some(group) = names.group(*result) {
            *groups.entry(group).or_default() += *calls;
        }
    }
    let rows = groups.into_iter().map(|(group, calls)| ByGroup { group, calls: calls.into() });
    most_first(rows.collect(), |row: &ByGroup| row.calls.attempts)
}

fn business_results(
    by_business: &BTreeMap<crate::domain::business::BusinessKey, u64>,
    names: &Names<'_>,
) -> Vec<ByBusinessResult> {
    let rows = by_business.iter().map(|(key, attempts)| ByBusinessResult {
        achieved: KeyView::from(key),
        name: names.business(key),
        attempts: *attempts,
    });
    most_first(rows.collect(), |row: &ByBusinessResult| row.attempts)
}

/// Among as many it stays as it was.
fn most_first<T>(mut rows: Vec<T>, attempts: impl Fn(&T) -> u64) -> Vec<T> {
    rows.sort_by_key(|row| std::cmp::Reverse(attempts(row)));
    rows
}
