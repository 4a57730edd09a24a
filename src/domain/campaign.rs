//! Definitions: what one commit says, already valid and resolved.
//!
//! `config` builds these values and nothing else does; a campaign that exists is one that may run.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

pub use super::generation::{Generation, KeptFile, KeptFiles, Sources};
use super::{
    attribute::{Attribute, Attributes},
    business::BusinessRule,
    business_result::BusinessResult,
    calendar::{CallingHours, ZonedHours},
    category::Category,
    contact::{Contact, Number},
    do_not_call::DoNotCallList,
    filter::Filter,
    ids::{
        AgentId, AttributeId, BusinessResultId, CalendarId, CampaignId, CategoryId, DoNotCallId, QueueId, SmsId,
        SurveyId,
    },
    phone::E164,
    policy::ResultPolicy,
    result_name::ResultName,
    results::CallResult,
    sms::SmsTemplate,
    special_days::Calendar,
    survey::Survey,
    tenant::{AgentHold, Tenant},
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberOrder {
    /// 1 to n one after the other, then each again when its retry is due.
    Sequence,
    /// All contacts' numbers of the first category, then those of the second, and so on.
    RoundsByCategory {
        /// Categories in the order of their rounds, no repeats.
        rounds: Vec<CategoryId>,
        /// When numbers of other categories are called.
        others: Others,
    },
    /// All contacts' numbers of the first index, then those of the second, and so on.
    RoundsByIndex {
        /// Indexes, counted from 1, in the order of their rounds, no repeats.
        rounds: Vec<u8>,
        /// When numbers of other indexes are called.
        others: Others,
    },
}

/// When numbers that no round lists are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// In a round of their own after the listed ones.
    Last,
    /// Never.
    Never,
}

/// One key of the order of fresh contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// By which attribute; not an encrypted one.
    pub attribute: AttributeId,
    /// Which end goes first; missing values go last in both directions.
    pub direction: Direction,
    /// How values are compared.
    pub compare: SortType,
}

/// Which end of an order goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortType {
    /// By bytes.
    Text,
    /// As decimal numbers.
    Number,
    /// As calendar dates.
    Date,
}

/// A published questionnaire that agents see during a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyReference {
    /// Which one.
    pub id: SurveyId,
    /// Which version of it.
    pub version: u32,
}

/// Where the CRM is told of calls (SPEC §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where to POST, `https://…` or `http://…`, on an allowed host.
    pub url: String,
    /// Attributes that are carried along; none of them encrypted.
    pub fields: Vec<AttributeId>,
    /// The key of the signature.
    pub signing_secret: Option<SecretRef>,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A file that holds the secret alone.
    File(PathBuf),
    /// A systemd credential of this name (`LoadCredential=`).
    Credential(String),
}

/// How a campaign treats its agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTerms {
    /// When an agent's phone is called.
    pub hold: AgentHold,
    /// How long an agent's phone rings before the next is tried.
    pub ring: Duration,
    /// Longest wrap-up after a conversation; then the agent is idle again.
    pub wrap_up: Duration,
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
    /// Order of fresh contacts, before their priority and the import's order.
    pub sort: Vec<SortKey>,
    /// Attributes that filter, sort and the agent's screen use; `None` for all.
    pub attributes: Option<Vec<AttributeId>>,
    /// Do-not-call lists, its own and the tenant's.
    pub do_not_call: Vec<DoNotCallId>,
    /// When a number is tried again.
    pub results: ResultPolicy,
    /// What business results bring about; empty while they are not enabled.
    pub business: Vec<BusinessRule>,
    /// Caps.
    pub limits: Limits,
    /// How it treats its agents.
    pub agents: AgentTerms,
    /// What agents ask.
    pub survey: Option<SurveyReference>,
    /// Sent once when a contact is finally not reached.
    pub failure_sms: Option<SmsId>,
    /// Whom to tell of calls.
    pub callback: Option<Callback>,
    /// Whether the store differs from it, or from its calls, and the settings hold it for that; no file says so.
    pub drifted: bool,
}

impl Campaign {
    /// Settings of this campaign that this version reads and does not dial by; while there are any, the
    /// campaign is held.
    #[must_use]
    pub fn not_dialled_yet(&self) -> Vec<&'static str> {
        let settings = [("agents.hold = \"off_hook\"", self.agents.hold == AgentHold::OffHook)];
        settings.into_iter().filter(|(_, used)| *used).map(|(setting, _)| setting).collect()
    }

    /// The hours that govern a number of a contact.
    #[must_use]
    pub fn hours_of<'a>(&'a self, contact: &'a Contact, number: &Number) -> ZonedHours<'a> {
        self.hours.governing(contact.timezone.as_ref(), &number.e164)
    }

    /// What of this definition decides which contacts are called in which order, as text: while it stays
    /// the same, so does how contacts stand.
    #[must_use]
    pub fn selection(&self) -> String {
        let filter = self.filter.as_ref().map(ToString::to_string);
        let hours = self.hours.is_in_contact_zone().then_some(&self.hours);
        format!("{filter:?} {:?} {:?} {hours:?}", self.sort, self.order)
    }

    /// Whether two definitions are equal, or neither is there; told at once of one and itself.
    #[must_use]
    pub fn same(a: Option<&Arc<Self>>, b: Option<&Arc<Self>>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether a contact with these attributes may be called at all.
    #[must_use]
    pub fn matches(&self, attributes: &Attributes) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(attributes))
    }
}

/// A campaign's caps; each is also held to the settings' ceiling, the smaller holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Live calls to customers at once.
    pub max_concurrent_calls: Option<NonZeroU32>,
    /// INVITEs to customers in any one second.
    pub max_calls_per_second: Option<NonZeroU32>,
    /// INVITEs to one customer, over all campaigns, ever.
    pub max_attempts_per_contact: Option<NonZeroU32>,
    /// INVITEs to one number, over all campaigns, in a rolling period.
    pub per_number: Option<PerNumberLimit>,
    /// The same, as the tenant has it for every campaign; both hold.
    pub per_number_of_tenant: Option<PerNumberLimit>,
}

impl Limits {
    /// All caps on calls to one number.
    pub fn on_a_number(&self) -> impl Iterator<Item = PerNumberLimit> {
        self.per_number.into_iter().chain(self.per_number_of_tenant)
    }
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

/// Everything one commit defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Definitions {
    /// The tenant.
    pub tenant: Tenant,
    /// Skill queues.
    pub queues: BTreeMap<QueueId, Queue>,
    /// Agents.
    pub agents: BTreeMap<AgentId, AgentDefinition>,
    /// What is known of customers.
    pub attributes: BTreeMap<AttributeId, Attribute>,
    /// Categories of numbers.
    pub categories: BTreeMap<CategoryId, Category>,
    /// What conversations may achieve.
    pub business_results: BTreeMap<BusinessResultId, BusinessResult>,
    /// Calendars of special days.
    pub calendars: BTreeMap<CalendarId, Calendar>,
    /// How people see results; one that is not here is shown by its own name.
    pub result_names: BTreeMap<CallResult, ResultName>,
    /// Templates of text messages.
    pub sms: BTreeMap<SmsId, SmsTemplate>,
    /// Surveys.
    pub surveys: BTreeMap<SurveyId, Survey>,
    /// Do-not-call lists.
    pub do_not_call: BTreeMap<DoNotCallId, DoNotCallList>,
    /// Campaigns; one that a commit leaves alone is the very one of the commit before, mostly.
    pub campaigns: BTreeMap<CampaignId, Arc<Campaign>>,
}

impl Definitions {
    /// Campaigns whose files ask for `paused`.
    #[must_use]
    pub fn paused(&self) -> BTreeSet<CampaignId> {
        let paused = self.campaigns.values().filter(|campaign| campaign.desired == DesiredState::Paused);
        paused.map(|campaign| campaign.id.clone()).collect()
    }

    /// A tenant and nothing else.
    #[must_use]
    pub fn of(tenant: Tenant) -> Self {
        Self {
            tenant,
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            attributes: BTreeMap::new(),
            categories: BTreeMap::new(),
            business_results: BTreeMap::new(),
            calendars: BTreeMap::new(),
            result_names: BTreeMap::new(),
            sms: BTreeMap::new(),
            surveys: BTreeMap::new(),
            do_not_call: BTreeMap::new(),
            campaigns: BTreeMap::new(),
        }
    }

    /// Has campaigns that have expired stay so (SPEC, phases: `expired` is final), whatever these definitions
    /// say of their end; `ended_at` is the `ends_at` that was last in force. Tells whom that concerns.
    pub fn keep_expired(
        &mut self,
        ended_at: impl Fn(&CampaignId) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<CampaignId> {
        let revived = self.revived(ended_at, now);
        for (id, ended_at) in &revived {
            if let Some(campaign) = self.campaigns.get_mut(id) {
                Arc::make_mut(campaign).ends_at = *ended_at;
            }
        }
        revived.into_iter().map(|(id, _)| id).collect()
    }

    /// Campaigns that would come back from their end, and when that was.
    pub(super) fn revived(
        &self,
        ended_at: impl Fn(&CampaignId) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<(CampaignId, Timestamp)> {
        let over = self.campaigns.iter().filter_map(|(id, campaign)| {
            let ended_at = ended_at(id).filter(|at| *at <= now && *at < campaign.ends_at)?;
            Some((id.clone(), ended_at))
        });
        over.collect()
    }
}

/// What the settings allow at most; the repository can only tighten it (SPEC §1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceilings {
    /// Caller numbers of one campaign.
    pub caller_numbers_per_campaign: usize,
    /// Numbers that campaigns may show; empty allows none, `None` does not check (for `check`
    /// without settings).
    pub owned_caller_numbers: Option<Vec<E164>>,
    /// Hosts that callbacks may go to; empty allows none, `None` does not check.
    pub callback_hosts: Option<Vec<String>>,
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

#[cfg(test)]
impl Campaign {
    /// A campaign for tests to change: running all day in UTC through March 2031.
    pub(crate) fn example() -> Self {
        let number = |text| NonZeroU32::new(text).unwrap();
        let windows = vec![super::calendar::Window::parse("00:00-24:00").unwrap()];
        Self {
            id: CampaignId::parse("example").unwrap(),
            name: "Example".to_owned(),
            description: String::new(),
            desired: DesiredState::Running,
            mode: Mode::Preoccupied,
            caller_numbers: vec![CallerNumber {
                number: E164::parse("+864005550100").unwrap(),
                priority: Priority::DEFAULT,
            }],
            starts_at: "2031-03-01T00:00:00Z".parse().unwrap(),
            ends_at: "2031-04-01T00:00:00Z".parse().unwrap(),
            skill_queue: QueueId::parse("sales").unwrap(),
            priority: Priority::DEFAULT,
            hours: CallingHours::new("UTC", jiff::tz::TimeZone::UTC, windows).unwrap(),
            max_ring: Duration::from_secs(30),
            order: NumberOrder::Sequence,
            filter: None,
            sort: Vec::new(),
            attributes: None,
            do_not_call: Vec::new(),
            results: ResultPolicy::days(super::policy::DaysPolicy {
                max_days: number(3),
                max_attempts_per_day: number(2),
                retry_interval: Duration::from_secs(1800),
            }),
            business: Vec::new(),
            limits: Limits::default(),
            agents: AgentTerms {
                hold: AgentHold::PerCall,
                ring: Duration::from_secs(15),
                wrap_up: Duration::from_secs(30),
            },
            survey: None,
            failure_sms: None,
            callback: None,
            drifted: false,
        }
    }
}
