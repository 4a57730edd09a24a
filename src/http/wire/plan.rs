//! Plans: what is in force, what would be, and what that does to contacts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorBody, overrides::OverrideView};
use crate::domain::{
    campaign::KeptFile,
    guards::{Guards, Removals, Verdict},
    ids::Revision,
    plan::impact,
};

/// `GET /api/v1/generation`: what is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    /// Name of the daemon.
    pub instance: String,
    /// This life of the daemon on its store.
    pub epoch: u32,
    /// Ids of all sources.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The folder of campaigns in the source's repository.
    #[serde(default)]
    pub folder: Option<String>,
    /// The commit of the source in force; `None` until the first.
    pub revision: Option<String>,
    /// Since when.
    pub applied_at: Option<String>,
    /// Campaigns whose files are gone; one that comes back goes on where it was.
    pub retired: Vec<String>,
    /// Campaigns that have expired by the `ends_at` that was last in force, which is final, whatever their files say.
    #[serde(default)]
    pub expired: Vec<String>,
    /// What a good commit may still wait for; `None` from a daemon that knows of no guards.
    #[serde(default)]
    pub guards: Option<GuardsView>,
    /// Overrides in force, by id.
    #[serde(default)]
    pub overrides: Vec<OverrideView>,
    /// Files that are in force as an earlier commit has them, since that in force has them bad.
    #[serde(default)]
    pub kept: Vec<KeptFileView>,
}

/// `GET /api/v1/files`: the configuration files in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilesInForce {
    /// The commit that they are in force by.
    pub revision: String,
    /// What each says, by path inside the folder of campaigns.
    pub files: BTreeMap<String, String>,
    /// The same of other sources, by their folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<String, BTreeMap<String, String>>,
}

/// A file that is in force as an earlier commit has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptFileView {
    /// Path in the repository.
    pub path: String,
    /// The earlier commit and what it says; `None` for a file that has never been good and is left out.
    pub version: Option<FileVersionView>,
}

/// A file at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileVersionView {
    /// The commit.
    pub revision: String,
    /// What the file says.
    pub text: String,
}

impl KeptFileView {
    /// Those of the source whose paths begin with a label.
    #[must_use]
    pub fn of(label: &str, kept: &BTreeMap<String, KeptFile>) -> Vec<Self> {
        let version = |file: &KeptFile| match file {
            KeptFile::Of { revision, bytes } => Some(FileVersionView {
                revision: revision.to_string(),
                text: String::from_utf8_lossy(bytes).into_owned(),
            }),
            KeptFile::LeftOut => None,
        };
        let own = kept.iter().filter_map(|(path, file)| Some((path.strip_prefix(label)?, file)));
        own.map(|(path, file)| Self { path: path.to_owned(), version: version(file) }).collect()
    }

    /// The same as files; one of no commit is left out.
    #[must_use]
    pub fn files(kept: &[Self]) -> BTreeMap<String, KeptFile> {
        let file = |one: &Self| {
            let version = one.version.as_ref().and_then(|version| {
                Some(KeptFile::Of {
                    revision: Revision::parse(&version.revision)?,
                    bytes: version.text.as_bytes().into(),
                })
            });
            (one.path.clone(), version.unwrap_or(KeptFile::LeftOut))
        };
        kept.iter().map(file).collect()
    }
}

/// What a good commit may still wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardsView {
    /// Most campaigns that a commit may take away by itself.
    pub removals: u32,
    /// The same in percent of the campaigns in force.
    pub removals_percent: u32,
    /// The freeze that holds now, if one does.
    pub frozen: Option<FrozenView>,
}

/// A freeze that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrozenView {
    /// Until when (RFC 3339).
    pub until: String,
    /// Why.
    pub reason: String,
}

impl GuardsView {
    /// The settings as of `now`.
    #[must_use]
    pub fn of(guards: &Guards, now: Timestamp) -> Self {
        let frozen = match guards.frozen(now) {
            Some(Verdict::Frozen { until, reason }) => Some(FrozenView { until: until.to_string(), reason }),
            Some(Verdict::Empty { .. } | Verdict::Removals { .. }) | None => None,
        };
        Self { removals: guards.removals, removals_percent: guards.removals_percent, frozen }
    }

    /// What keeps a change out, by these.
    #[must_use]
    pub fn verdict(&self, removals: &Removals) -> Option<Verdict> {
        let (removals_most, removals_percent) = (self.removals, self.removals_percent);
        let guards = Guards { removals: removals_most, removals_percent, ..Guards::default() };
        let frozen = || {
            let frozen = self.frozen.as_ref()?;
            Some(Verdict::Frozen { until: frozen.until.parse().ok()?, reason: frozen.reason.clone() })
        };
        guards.of_removals(removals, false).or_else(frozen)
    }
}

/// Body of `POST /api/v1/plan`: the commit in force, and how the planned files differ from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The source whose files these are; the first, if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The commit in force; another one is a conflict.
    pub base: String,
    /// Files by their path in the folder of campaigns, whole; `None` for one that is gone.
    pub files: BTreeMap<String, Option<String>>,
}

/// One line of the answer of `POST /api/v1/plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum PlanEvent {
    /// First: what would change, before anything is counted.
    Structure(Structure),
    /// One campaign's contacts.
    Counts(CampaignCounts),
    /// All are counted.
    Done,
    /// It stopped; what was told holds.
    Failed(ErrorBody),
}

/// What would change, against which generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Structure {
    /// This life of the daemon on its store.
    pub epoch: u32,
    /// The commit in force.
    pub revision: String,
    /// Changed campaigns in the order in which they will be counted.
    pub campaigns: Vec<Step>,
}

/// One changed campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Which one.
    pub campaign: String,
    /// `create`, `amend`, `pause`, `resume`, `return` or `retire`.
    pub step: String,
}

/// A campaign's contacts, counted by what the change does to them; each open one is in at most one
/// of the counts behind `open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignCounts {
    /// Which one.
    pub campaign: String,
    /// All contacts.
    pub contacts: u64,
    /// Those that have not ended.
    pub open: u64,
    /// Ended by the new budget or cap.
    pub ended_by_budget: u64,
    /// The filter no longer holds for them.
    pub leaves_filter: u64,
    /// The filter holds for them now.
    pub enters_filter: u64,
    /// Callable earlier than now planned.
    pub due_earlier: u64,
    /// Callable later.
    pub due_later: u64,
    /// No longer callable.
    pub due_never: u64,
    /// Callable, and were not.
    pub due_again: u64,
    /// Calls that are up and finish.
    pub live_calls: u64,
}

impl CampaignCounts {
    /// The domain's counts of a campaign, beside its live calls.
    #[must_use]
    pub fn new(campaign: String, counts: impact::Counts, live_calls: u64) -> Self {
        let impact::Counts { contacts, open, ends, leaves, enters, earlier, later, never, again } = counts;
        Self {
            campaign,
            contacts,
            open,
            ended_by_budget: ends,
            leaves_filter: leaves,
            enters_filter: enters,
            due_earlier: earlier,
            due_later: later,
            due_never: never,
            due_again: again,
            live_calls,
        }
    }
}
