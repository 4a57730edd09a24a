//! What the two loops publish of themselves: shapes of `/api/v1/status` (docs: operations.md).
//!
//! `reconcile` owns [`SourceStatus`], `dialer` owns [`DialStatus`]; each is the newest value of a
//! `watch` channel. Nothing here holds personal data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::ReconcileFailure;
use crate::domain::{agent::AgentCall, reason::Hold};

/// The reconciling loop: its sources, and campaigns whose files are gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReconcileStatus {
    /// At least one.
    pub sources: Vec<SourceStatus>,
    /// Campaigns whose files are gone, by id; contacts and results of theirs are there.
    pub retired: Vec<String>,
    /// Campaigns whose files are gone and that are paused until they retire.
    pub removed: Vec<RemovedCampaign>,
}

/// The commit that is followed, and what became of the newest one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Which source; `main` where there is one that has no name.
    pub id: String,
    /// Whose it is, if the settings say so.
    pub owner: Option<String>,
    /// Repository, as set; without user and password.
    pub repository: String,
    /// What is followed: the full name of a branch or tag, or a commit's id.
    pub reference: String,
    /// Newest commit seen on the branch, `branch@sha1:…`.
    pub observed_revision: Option<String>,
    /// Newest commit that was read and checked.
    pub last_attempted_revision: Option<String>,
    /// Commit in force.
    pub last_applied_revision: Option<String>,
    /// Who made the commit in force, when, and its first line.
    pub applied_commit: Option<CommitInfo>,
    /// When the commit in force was applied (RFC 3339).
    pub applied_at: Option<String>,
    /// Token of the newest reconcile request that has been served.
    pub last_handled_reconcile: Option<String>,
    /// `Ready`, `SourceVerified` where signatures are asked for, and `Stalled`, `PruneBlocked` and `DriftDetected` while
    /// they hold (kstatus vocabulary).
    pub conditions: Vec<Condition>,
    /// Every problem of the last attempted revision; empty when it was good.
    pub problems: Vec<Problem>,
    /// Limits of the commit in force that the settings' ceilings lower.
    pub lowered: Vec<Problem>,
    /// The commit that is good and waits, and what for.
    #[serde(default)]
    pub waiting: Option<WaitingCommit>,
    /// Files read from the last attempted revision.
    pub files: usize,
    /// Why `Ready` is `False`; the condition has it in words.
    #[serde(skip)]
    pub failure: Option<Failing>,
}

/// What is not in force, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Why.
    pub why: ReconcileFailure,
    /// The commit, as it was observed; a newer one may have been since.
    pub revision: Option<String>,
}

/// A campaign whose file is gone, and that has not retired yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedCampaign {
    /// Identity.
    pub id: String,
    /// Name.
    pub name: String,
    /// When it retires unless its file is back (RFC 3339).
    pub retires_at: String,
}

/// A commit that is good and waits: the whole plan, and what a guard says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingCommit {
    /// Which commit.
    pub revision: String,
    /// What it would do, a step a line.
    pub plan: Vec<String>,
    /// One CamelCase word.
    pub reason: String,
    /// What keeps it out.
    pub message: String,
    /// Whether `dialops approve` lets it in.
    pub approvable: bool,
    /// What to do.
    pub hint: String,
}

/// A commit, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitInfo {
    /// Author's name.
    pub author: String,
    /// Commit time (RFC 3339).
    pub time: String,
    /// First line of the message.
    pub subject: String,
    /// Who signed it, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verification>,
}

/// A signature that was found to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// `ssh` or `openpgp`.
    pub method: String,
    /// Who signed, as the list of keys has it.
    pub signer: String,
    /// Fingerprint of the key; with OpenPGP of the primary one.
    pub fingerprint: String,
}

impl std::fmt::Display for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, signer, fingerprint } = self;
        write!(f, "{signer} ({method}, {fingerprint})")
    }
}

/// A statement about the source, in kstatus's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, `SourceVerified`, `Stalled`, `PruneBlocked` or `DriftDetected`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One CamelCase word.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Since when (RFC 3339).
    pub last_transition_time: String,
}

/// One problem of a commit, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Path in the repository.
    pub file: String,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// From 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// Code of the diagnostic.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, as a question.
    pub suggestion: Option<String>,
}

/// What the dialling loop is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DialStatus {
    /// `none`, `listed` or `all`.
    pub dial: String,
    /// Campaigns by id, retired ones with live calls included.
    pub campaigns: Vec<CampaignStatus>,
    /// Agents by id.
    pub agents: Vec<AgentStatus>,
    /// Attempts without an outcome: from the durable intent to the end. Of the campaigns together they are as many.
    pub live_calls: u32,
    /// Agents held for an attempt, also for one that is yet to be placed.
    pub reserved_agents: u32,
}

/// One campaign.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignStatus {
    /// Identity.
    pub id: String,
    /// Name.
    pub name: String,
    /// `running` or `paused`; what the file asks for.
    pub desired: String,
    /// SPEC's phase: `not_started running paused draining completed expired retired`.
    pub phase: String,
    /// Commit that defines it.
    pub revision: String,
    /// Why it is not dialling now; `None` while it is.
    pub waiting: Option<Waiting>,
    /// Attempts without an outcome, as in [`DialStatus`].
    pub live_calls: u32,
    /// All contacts; `None` while they are being counted, after a start or the campaign's return.
    pub contacts: Option<u64>,
    /// Contacts that have not ended; `None` while they are being counted.
    pub open_contacts: Option<u64>,
    /// Attempts by result, since this daemon started.
    pub results: std::collections::BTreeMap<String, u64>,
    /// Attempts that were placed today and have ended, by result; today is a day of the tenant's zone.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub results_today: std::collections::BTreeMap<String, u64>,
    /// Contacts whose newest business result counts as a goal, and was set today.
    #[serde(default)]
    pub goals_today: u64,
}

impl CampaignStatus {
    /// Whether its file is gone: what it asked for is not known any more.
    #[must_use]
    pub fn is_without_file(&self) -> bool {
        self.desired.is_empty()
    }

    /// Contacts that have ended; `None` while they are being counted.
    #[must_use]
    pub fn done(&self) -> Option<u64> {
        Some(self.contacts?.saturating_sub(self.open_contacts?))
    }
}

/// A hold, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// `Hold::code`.
    pub reason: String,
    /// The hold as a sentence.
    pub message: String,
    /// When it lifts by itself (RFC 3339).
    pub until: Option<String>,
}

impl Waiting {
    /// The hold as status shows it.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        Self { reason: hold.code().to_owned(), message: hold.to_string(), until: hold.until().map(|at| at.to_string()) }
    }
}

/// One agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// Identity.
    pub id: String,
    /// Name.
    pub name: String,
    /// SPEC §4's state.
    pub state: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// Campaign of the call the agent is held for.
    pub campaign: Option<String>,
    /// That call, or the one that is being wrapped up; for the agent's own page alone, as it names the customer.
    #[serde(skip)]
    pub call: Option<AgentCall>,
    /// What the agent becomes after it, if not idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_call: Option<String>,
}
