//! Definitions: what one commit says, already valid and resolved.
//!
//! `config` builds these values and nothing else does; a campaign that exists is one that may run.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use jiff::Timestamp;

use super::{
    attribute::Attributes,
    calendar::CallingHours,
    filter::Filter,
    ids::{AgentId, CampaignId, QueueId, Revision, TenantId},
    phone::E164,
};

/// The state that a file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DesiredState {
    /// Dial.
    Running,
    /// No new calls; live ones finish.
    Paused,
}

impl DesiredState {
    /// The name used in files, tables and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
        }
    }
}

/// How agents and customers are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An agent is reserved first, then one customer is called (预占外呼).
    Preoccupied,
}

/// Order of a contact's several numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOrder {
    /// 1 to n one after the other, then each again when its retry is due.
    Sequence,
}

/// A campaign's or a contact's priority: 1 to 5, 1 first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// 3.
    pub const DEFAULT: Self = Self(3);

    /// 1 to 5; anything else gives `None`.
    #[must_use]
    pub fn new(value: u8) -> Option<Self> {
        (1..=5).contains(&value).then_some(Self(value))
    }

    /// 1 to 5.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// A number shown to customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerNumber {
    /// The number.
    pub number: E164,
    /// 1 to 5, 1 first; among equals the least used.
    pub priority: Priority,
}

/// One campaign, as one commit defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Identity.
    pub id: CampaignId,
    /// Shown to people; unique in a commit.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `running` or `paused`.
    pub desired: DesiredState,
    /// How it dials.
    pub mode: Mode,
    /// At least one, no repeats.
    pub caller_numbers: Vec<CallerNumber>,
    /// First instant at which it may dial.
    pub starts_at: Timestamp,
    /// First instant at which it may not; after `starts_at`.
    pub ends_at: Timestamp,
    /// Whose agents take its calls.
    pub skill_queue: QueueId,
    /// Strict: the lowest number with a dialable contact is served.
    pub priority: Priority,
    /// When customers may be called.
    pub hours: CallingHours,
    /// Longest a customer's phone rings: 5 s to 120 s.
    pub max_ring: Duration,
    /// Order of a contact's several numbers.
    pub order: NumberOrder,
    /// Only contacts for which it holds are called.
    pub filter: Option<Filter>,
    /// When a number is tried again.
    pub results: ResultPolicy,
    /// Caps.
    pub limits: Limits,
}

impl Campaign {
    /// Whether a contact with these attributes may be called at all.
    #[must_use]
    pub fn matches(&self, attributes: &Attributes) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(attributes))
    }
}

/// When a number is tried again (SPEC §1.2, `results.policy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultPolicy {
    /// One policy for all numbers, by days and attempts.
    Global(DaysPolicy),
}

/// The ordinary policy: so many tries a local day, on so many days, so far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysPolicy {
    /// Different local days on which a number may be tried, ≥ 1.
    pub max_days: NonZeroU32,
    /// Tries of a number on one local day, ≥ 1.
    pub max_attempts_per_day: NonZeroU32,
    /// From the end of the last try to the next.
    pub retry_interval: Duration,
}

/// A campaign's caps; each is also held to the settings' ceiling, the smaller holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Live calls to customers at once.
    pub max_concurrent_calls: Option<NonZeroU32>,
    /// INVITEs to customers in any one second.
    pub max_calls_per_second: Option<NonZeroU32>,
    /// INVITEs to one contact of this campaign, ever.
    pub max_attempts_per_contact: Option<NonZeroU32>,
    /// INVITEs to one number, over all campaigns, in a rolling period.
    pub per_number: Option<PerNumberLimit>,
}

/// A cap on how often one number is called, over all campaigns (SPEC §3, "rolling caps").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerNumberLimit {
    /// Most attempts in the period.
    pub attempts: NonZeroU32,
    /// The period, `days` × 24 h: `(t − days·24 h, t]`.
    pub days: NonZeroU32,
    /// No attempt for `after_conversation_days` × 24 h from a conversation's end; 0 for none.
    pub after_conversation_days: u32,
}

/// A named group of agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Identity.
    pub id: QueueId,
    /// Shown to people.
    pub name: String,
}

/// An agent, as `agents.toml` defines one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentDefinition {
    /// Identity.
    pub id: AgentId,
    /// Shown to people.
    pub name: String,
    /// The phone's SIP URI.
    pub sip: String,
    /// Queues whose calls the agent takes; at least one.
    pub queues: Vec<QueueId>,
}

/// The tenant, as `tenant.toml` defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Identity.
    pub id: TenantId,
    /// Shown to people.
    pub name: String,
    /// IANA zone of the tenant's days.
    pub timezone: String,
    /// Region for numbers in national form, ISO 3166-1 alpha-2.
    pub region: String,
    /// How long an agent's phone rings before the next is tried.
    pub agent_ring: Duration,
    /// Longest wrap-up after a conversation; then the agent is idle again.
    pub wrap_up: Duration,
}

/// Everything one commit defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Definitions {
    /// The tenant.
    pub tenant: Tenant,
    /// Skill queues.
    pub queues: BTreeMap<QueueId, Queue>,
    /// Agents.
    pub agents: BTreeMap<AgentId, AgentDefinition>,
    /// Campaigns.
    pub campaigns: BTreeMap<CampaignId, Campaign>,
}

/// What the settings allow at most; the repository can only tighten it (SPEC §1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceilings {
    /// Caller numbers of one campaign.
    pub caller_numbers_per_campaign: usize,
    /// Numbers that campaigns may show; empty allows none, `None` does not check (for `check`
    /// without settings).
    pub owned_caller_numbers: Option<Vec<E164>>,
    /// Longest ring.
    pub max_ring: Duration,
    /// Campaigns that may be `running` at once.
    pub active_campaigns: usize,
    /// Live calls over all campaigns.
    pub max_concurrent_calls: u32,
    /// INVITEs to customers in any one second, over all campaigns.
    pub max_calls_per_second: u32,
}

/// Whom this daemon may call (SPEC §1.1, `[safety] dial`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialPermission {
    /// Nobody: the default.
    None,
    /// These test numbers only.
    Listed(Vec<E164>),
    /// Every contact.
    All,
}

/// A commit whose definitions hold: what the daemon follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The commit.
    pub revision: Revision,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// What it defines.
    pub definitions: Definitions,
}
