//! JSON of the API: what the handlers write and the command line reads.
//!
//! Times are RFC 3339. Where a question has `unmasked`, numbers show only their ends unless it is set; elsewhere they stand
//! in full: whoever gets these has shown a credential.

pub mod batches;
pub mod business;
pub mod contacts;
pub mod cursor;
pub mod deliveries;
pub mod do_not_call;
pub mod exports;
pub(in crate::http) mod forms;
pub mod journal;
pub mod overrides;
pub mod people;
pub mod plan;
pub mod questionnaire;
pub mod results;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use self::{
    business::{BusinessResultView, CancelledView, ScheduledView},
    deliveries::{DeliveryView, OutboxView},
    overrides::OverrideView,
};
use crate::{
    domain::{
        contact::{Contact, Number},
        do_not_call::Entry,
        kept::Kept,
        order::{Class, Next},
        phone::E164,
    },
    store::{AttemptRecord, Tally},
    telemetry::status::{AgentStatus, CampaignStatus, CommitInfo, Condition, Problem, Waiting, WaitingCommit},
};

/// Body of every failed request: a problem (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProblemDetails")]
pub struct ErrorBody {
    /// `about:blank`, or what kind of problem it is where the status does not say it.
    pub r#type: String,
    /// The kind in words; the same for all of a kind.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub hint: String,
}

/// `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `status/v1`.
    pub api_version: String,
    /// Name of the daemon.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: String,
    /// Whether a commit is in force.
    pub ready: bool,
    /// `none`, `listed` or `all`: whom this daemon may call.
    pub dial: String,
    /// Overrides in force, by id.
    #[serde(default)]
    pub overrides: Vec<OverrideView>,
    /// The branches that are followed; one for now.
    pub sources: Vec<Source>,
    /// Campaigns, counted and listed.
    pub campaigns: Campaigns,
    /// Agents, counted; listed too for those who may see them.
    pub agents: Agents,
    /// Attempts without an outcome; those of the campaigns in the list together.
    pub live_calls: u32,
    /// Agents held for an attempt, also for one that is yet to be placed.
    pub reserved_agents: u32,
    /// How much is to be told others, or was not taken; nothing while there is nothing.
    #[serde(default)]
    pub outbox: Vec<OutboxView>,
    /// Every problem of the last attempted revision.
    pub problems: Vec<Problem>,
    /// Limits of the commit in force that are over the settings' ceilings, which hold instead.
    #[serde(default)]
    pub lowered: Vec<Problem>,
}

/// A branch that is followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Which one; `main` where there is one that has no name.
    pub name: String,
    /// Whose it is, if the settings say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Repository, without user and password.
    pub repository: String,
    /// What is followed: `refs/heads/…`, `refs/tags/…`, or a commit's id.
    pub r#ref: String,
    /// Newest commit seen.
    pub observed_revision: Option<String>,
    /// Newest commit read and checked.
    pub last_attempted_revision: Option<String>,
    /// Commit in force.
    pub last_applied_revision: Option<String>,
    /// Who made the commit in force, when, and its first line.
    pub applied_commit: Option<CommitInfo>,
    /// When it was applied.
    pub applied_at: Option<String>,
    /// Token of the newest reconcile request that was served.
    pub last_handled_reconcile_at: Option<String>,
    /// Files of the last attempted revision.
    pub files: usize,
    /// `Ready`, and `Stalled` and `PruneBlocked` while they hold.
    pub conditions: Vec<Condition>,
    /// The commit that is good and waits, and what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingCommit>,
}

impl Source {
    /// The name of what is followed, as people say it.
    #[must_use]
    pub fn followed(&self) -> &str {
        let name = self.r#ref.strip_prefix("refs/heads/").or_else(|| self.r#ref.strip_prefix("refs/tags/"));
        name.unwrap_or(&self.r#ref)
    }
}

/// Campaigns, counted and listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Campaigns {
    /// All of them, retired ones too.
    pub total: usize,
    /// How many are in each phase.
    pub by_phase: BTreeMap<String, usize>,
    /// Each that has a file; of the retired ones those with calls that are live.
    pub list: Vec<CampaignStatus>,
}

/// Agents, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// All of them.
    pub total: usize,
    /// How many are in each state.
    pub by_state: BTreeMap<String, usize>,
    /// Each, by name; only with a credential, since who is on a break is personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<AgentStatus>>,
}

/// `GET /api/v1/agents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentList {
    /// By id.
    pub agents: Vec<AgentStatus>,
}

/// One line of the answer of `POST /api/v1/campaigns/{id}/contacts` and of `POST
/// /api/v1/do-not-call/{id}`; the last is `done` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ImportEvent {
    /// First: the batch that contacts are added to.
    Batch {
        /// Its name.
        name: String,
    },
    /// So far; everything counted is stored.
    Progress(ImportCounts),
    /// A row that was left out.
    Rejected {
        /// Line of the file, from 1.
        line: u64,
        /// Why.
        reason: String,
        /// The row as it stood.
        row: String,
    },
    /// The whole file was read.
    Done(ImportCounts),
    /// It stopped; what `progress` told stays.
    Failed(ErrorBody),
}

/// Rows of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportCounts {
    /// Rows read.
    pub rows: u64,
    /// New contacts, or entries.
    pub added: u64,
    /// Entries that had another expiry; contacts are never changed.
    #[serde(default)]
    pub updated: u64,
    /// Contacts, or entries, that were there already, the same.
    pub unchanged: u64,
    /// Rows left out.
    pub rejected: u64,
}

/// Body of `PUT /api/v1/agents/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("if" = { "properties": { "after_call": { "const": true } }, "required": ["after_call"] },
                  "then" = { "properties": { "state": { "const": "busy" } } }))]
pub struct SetAgent {
    /// `idle`, `busy`, `rest` or `signed_out`.
    #[schemars(extend("enum" = ["idle", "busy", "rest", "signed_out"]))]
    pub state: String,
    /// Only after the call and its wrap-up; for `busy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_call: bool,
}

/// Answer of `POST /api/v1/reconcile`: what the look found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciled {
    /// Token of the request, echoed in the status.
    pub token: String,
    /// The sources that were looked at, as they are afterwards.
    pub sources: Vec<Source>,
    /// Problems of their newest commits; empty when these are in force.
    pub problems: Vec<Problem>,
}

/// `GET /api/v1/campaigns/{id}/results`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Results {
    /// As they were placed, oldest first.
    pub attempts: Vec<Attempt>,
    /// Give it as `cursor` for the next page; `None` on the last. A page may be short, even empty, and have a next one.
    pub next: Option<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Id, as `a3-17`.
    pub attempt: String,
    /// The campaign.
    pub campaign: String,
    /// The customer.
    pub customer: String,
    /// The batch that the customer came with.
    #[serde(default)]
    pub batch: String,
    /// Which of the contact's numbers, from 1.
    pub number_index: usize,
    /// The category of the number, as it was then.
    #[serde(default)]
    pub category: Option<String>,
    /// The number called, its middle digits hidden unless asked otherwise; `erased` once it was.
    pub number: String,
    /// The business rule that placed it; `None` for the result policy.
    #[serde(default)]
    pub rule: Option<String>,
    /// The number shown.
    pub caller_number: String,
    /// The held agent.
    pub agent: String,
    /// The trunk.
    pub trunk: String,
    /// When its intent was recorded.
    pub placed_at: String,
    /// When the customer's phone began to ring.
    #[serde(default)]
    pub rang_at: Option<String>,
    /// When the customer answered.
    pub answered_at: Option<String>,
    /// When customer and agent heard each other.
    pub connected_at: Option<String>,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<String>,
    /// How it ended; `None` while it is live.
    pub result: Option<String>,
    /// The seed system's five-digit code.
    pub fail_code: Option<String>,
    /// SIP status.
    pub sip_status: Option<u16>,
    /// Q.850 cause.
    pub q850: Option<u8>,
    /// The business result that was last set for it, `callback` or `callback/soon`.
    #[serde(default)]
    pub business_result: Option<String>,
    /// Commit it was placed under.
    pub revision: String,
    /// Version of the daemon that placed it.
    pub daemon_version: String,
    /// Its time zone database.
    pub tzdb_version: String,
    /// Digest of its settings.
    pub settings_digest: String,
    /// Version of the do-not-call lists that its gate read.
    pub do_not_call_version: u64,
    /// Numbers of the overrides that it was placed under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<u32>,
}

/// Numbers as they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Only their ends.
    Masked,
    /// In full.
    Full,
}

impl Shown {
    /// As somebody has asked for it.
    pub(super) fn asked(unmasked: bool) -> Self {
        if unmasked { Self::Full } else { Self::Masked }
    }

    /// A number.
    pub(super) fn number(self, number: &E164) -> String {
        match self {
            Self::Masked => number.masked(),
            Self::Full => number.expose().to_owned(),
        }
    }
}

impl Attempt {
    /// An attempt, its number shown so.
    pub(super) fn of(record: &AttemptRecord, shown: Shown) -> Self {
        Self {
            attempt: record.attempt.to_string(),
            campaign: record.campaign.to_string(),
            customer: record.customer.to_string(),
            batch: record.batch.to_string(),
            number_index: record.number_index + 1,
            category: record.category.as_ref().map(ToString::to_string),
            number: record.number.as_ref().map_or_else(|| "erased".to_owned(), |number| shown.number(number)),
            rule: record.rule.as_ref().map(ToString::to_string),
            caller_number: record.caller_number.expose().to_owned(),
            agent: record.agent.to_string(),
            trunk: record.trunk.to_string(),
            placed_at: record.placed_at.to_string(),
            rang_at: text(record.rang_at),
            answered_at: text(record.answered_at),
            connected_at: text(record.connected_at),
            ended_at: text(record.ended_at),
            result: record.result.map(|result| result.as_str().to_owned()),
            fail_code: record.fail_code.clone(),
            sip_status: record.sip_status,
            q850: record.q850,
            business_result: record.business.as_ref().map(ToString::to_string),
            revision: record.revision.to_string(),
            daemon_version: record.daemon_version.clone(),
            tzdb_version: record.tzdb_version.clone(),
            settings_digest: record.settings_digest.clone(),
            do_not_call_version: record.do_not_call_version,
            overrides: record.overrides.iter().map(|id| id.0).collect(),
        }
    }
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// `GET /api/v1/campaigns/{id}/tally`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TallyView {
    /// The campaign.
    pub campaign: String,
    /// All contacts.
    pub contacts: u64,
    /// Not ended and never called.
    pub fresh: u64,
    /// Not ended, called at least once.
    pub in_progress: u64,
    /// Not ended, and left out by the campaign's filter; `fresh` and `in_progress` count them too.
    #[serde(default)]
    pub filtered_out: u64,
    /// Not ended, and left out only by the pause of their batch; likewise.
    #[serde(default)]
    pub paused: u64,
    /// Ended, by how.
    pub ended: BTreeMap<String, u64>,
    /// Ended attempts by result.
    pub attempts: BTreeMap<String, u64>,
    /// Attempts without an outcome.
    pub live: u64,
}

impl TallyView {
    pub(super) fn of(campaign: &str, tally: &Tally) -> Self {
        Self {
            campaign: campaign.to_owned(),
            contacts: tally.contacts,
            fresh: tally.fresh,
            in_progress: tally.in_progress,
            filtered_out: tally.filtered_out,
            paused: tally.paused,
            ended: tally.ended.iter().map(|(end, count)| ((*end).to_owned(), *count)).collect(),
            attempts: tally.attempts.iter().map(|(result, count)| (result.as_str().to_owned(), *count)).collect(),
            live: tally.live,
        }
    }
}

/// `GET /api/v1/campaigns/{id}/why`: why a campaign dials or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignWhy {
    /// The campaign as the dialling loop sees it, with the contacts and live calls of `tally`.
    pub campaign: CampaignStatus,
    /// Zone of its calling hours.
    pub timezone: String,
    /// Its contacts and attempts.
    pub tally: TallyView,
    /// Contacts that have not ended, by what keeps them from being called now; `None` if they were not counted.
    #[serde(default)]
    pub kept: Option<Vec<KeptView>>,
    /// Whether `tally` and `kept` are of one instant; else contacts were looked at one after the other, and may have
    /// moved meanwhile.
    #[serde(default)]
    pub at_once: bool,
    /// When this was asked.
    #[serde(default)]
    pub as_of: String,
}

/// Contacts that the same thing keeps from being called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptView {
    /// The code of the hold that each of them has; `None` if they wait for nothing but what the campaign does.
    pub reason: Option<String>,
    /// The same in words, of them all.
    pub message: String,
    /// When the first of them is let go, if that is only a matter of time.
    pub until: Option<String>,
    /// How many.
    pub contacts: u64,
}

impl From<&Kept> for KeptView {
    fn from(kept: &Kept) -> Self {
        Self {
            reason: kept.by.code().map(str::to_owned),
            message: kept.by.to_string(),
            until: text(kept.until),
            contacts: kept.contacts,
        }
    }
}

/// `GET /api/v1/campaigns/{id}/contacts/{customer}/why`: what happened to a contact and what will.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactWhy {
    /// The campaign as the dialling loop sees it; `None` once it is retired.
    pub campaign: Option<CampaignStatus>,
    /// Zone of its calling hours; UTC once it is retired.
    pub timezone: String,
    /// The contact.
    pub contact: ContactView,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Business results that were set for it, oldest first.
    #[serde(default)]
    pub business_results: Vec<BusinessResultView>,
    /// The call that one of them has scheduled.
    #[serde(default)]
    pub scheduled: Option<ScheduledView>,
    /// The newest scheduled call that came to nothing.
    #[serde(default)]
    pub cancelled: Option<CancelledView>,
    /// What others were or are told of it, oldest first.
    #[serde(default)]
    pub deliveries: Vec<DeliveryView>,
    /// The call that it is in.
    #[serde(default)]
    pub live: Option<LiveView>,
    /// What it needs next; `None` once it has ended, while nothing can come, which `hold` tells, and during a call,
    /// whose end decides it.
    pub next: Option<NextView>,
    /// What holds that back now, or keeps anything from coming; `None` if only a free agent is missing.
    pub hold: Option<Waiting>,
    /// When this was asked.
    pub as_of: String,
}

/// The call that a contact is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveView {
    /// Its attempt.
    pub attempt: String,
    /// Which number is called, from 1.
    pub number_index: usize,
    /// The held agent.
    pub agent: String,
    /// `ringing` until the customer answers, `answered` until the agent is heard, `connected`.
    pub state: String,
    /// Since when it is that.
    pub since: String,
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactView {
    /// The customer.
    pub customer: String,
    /// 1 first.
    pub priority: u8,
    /// Not dialled before.
    pub not_before: Option<String>,
    /// The customer's own zone, as imported.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Calls placed to it, one that is live too.
    pub attempts: u32,
    /// How it ended; `None` while it is open.
    pub ended: Option<String>,
    /// Its numbers by index.
    pub numbers: Vec<NumberView>,
}

/// One number of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberView {
    /// From 1.
    pub index: usize,
    /// Its category.
    pub category: String,
    /// The number.
    pub number: String,
    /// How the last try ended.
    pub last_result: Option<String>,
    /// When the next try is due, once it has been tried.
    pub due_at: Option<String>,
    /// Held back by a cap until then.
    pub held_until: Option<String>,
    /// What holds it as an entry of a do-not-call list.
    pub do_not_call: Option<ListedView>,
    /// Different local days with a counted try.
    pub days: u32,
    /// Why it is not tried again.
    pub ended: Option<String>,
}

/// An entry of a do-not-call list that holds a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedView {
    /// Which list.
    pub list: String,
    /// Until when; `None` for good.
    pub until: Option<String>,
}

/// The next try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextView {
    /// `business`, `pass`, `retry` or `fresh`.
    pub kind: String,
    /// Which number, from 1.
    pub number_index: usize,
    /// From when, as far as the contact itself goes; `None` means now. `hold` may keep it longer.
    pub ready_at: Option<String>,
}

impl LiveView {
    /// The call without an outcome among a contact's attempts, which are oldest first.
    pub(super) fn of(attempts: &[AttemptRecord]) -> Option<Self> {
        let live = attempts.iter().rfind(|attempt| attempt.result.is_none())?;
        let (state, since) = match (live.connected_at, live.answered_at) {
            (Some(at), _) => ("connected", at),
            (None, Some(at)) => ("answered", at),
            (None, None) => ("ringing", live.placed_at),
        };
        Some(Self {
            attempt: live.attempt.to_string(),
            number_index: live.number_index + 1,
            agent: live.agent.to_string(),
            state: state.to_owned(),
            since: since.to_string(),
        })
    }
}

impl ContactView {
    /// A contact, whether it is in a call, and the entries of do-not-call lists that hold its numbers, by index.
    pub(super) fn of(contact: &Contact, live: bool, listed: &[Option<Entry>]) -> Self {
        let listed = listed.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let numbers = contact.progress.numbers.iter().enumerate().zip(listed);
        Self {
            customer: contact.customer.to_string(),
            priority: contact.priority.get(),
            not_before: text(contact.not_before),
            timezone: contact.timezone.as_ref().map(|zone| zone.name().to_owned()),
            // A call is counted in the progress once it has ended.
            attempts: contact.progress.attempts + u32::from(live),
            ended: contact.progress.ended.map(|end| end.as_str().to_owned()),
            numbers: numbers
                .map(|((index, number), listed)| NumberView::of(index, number, listed, Shown::Full))
                .collect(),
        }
    }
}

impl NumberView {
    /// A number, and the entry of a do-not-call list that holds it.
    pub(super) fn of(index: usize, number: &Number, listed: Option<&Entry>, shown: Shown) -> Self {
        let listed = listed.map(|entry| ListedView { list: entry.list.to_string(), until: text(entry.expires_at) });
        Self {
            index: index + 1,
            category: number.category.to_string(),
            number: shown.number(&number.e164),
            last_result: number.last_result.map(|result| result.as_str().to_owned()),
            due_at: text(number.due_at),
            held_until: text(number.held_until),
            do_not_call: listed,
            days: number.days,
            ended: number.ended.map(|end| end.as_str().to_owned()),
        }
    }
}

impl From<&Next> for NextView {
    fn from(next: &Next) -> Self {
        let kind = match next.class {
            Class::Business => "business",
            Class::Pass => "pass",
            Class::Retry => "retry",
            Class::Fresh => "fresh",
        };
        let ready_at = (next.ready_at > Timestamp::MIN).then(|| next.ready_at.to_string());
        Self { kind: kind.to_owned(), number_index: next.number + 1, ready_at }
    }
}

/// A whole number, also written as one with a point: to JSON Schema they are the same.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    // Those are exact.
    let exact = |number: f64| number.fract() == 0.0 && number.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    let rounded = number.as_f64().filter(|number| exact(*number)).map(|number| number as i64);
    number.as_i64().or(rounded).map(Some).ok_or_else(|| D::Error::custom(format!("{number} is no whole number")))
}
