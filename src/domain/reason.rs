//! Holds: why a contact, a campaign or an agent is not dialled now.
//!
//! One value serves the gate, `why`, status, metrics and the simulator, so that none of them can
//! tell a different story.

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;

use super::{
    due::DueBy,
    ids::{AgentId, CampaignId, DoNotCallId},
    overrides::{OverrideId, Scope},
};

/// A reason for "not now".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Hold {
    /// `[safety] dial = "none"`.
    DiallingOff,
    /// `[safety] dial = "listed"` and the number is not a test number.
    NotListed,
    /// The campaign's file is gone.
    Retired,
    /// The file says `paused`.
    Paused,
    /// An override says so.
    PausedByOverride {
        /// Which one.
        id: OverrideId,
        /// What it is of.
        scope: Scope,
        /// Why.
        reason: String,
        /// When it ends.
        until: Timestamp,
    },
    /// The store, or the telephony side, differs from the commit in force.
    Drifted,
    /// Before `starts_at`.
    NotStarted {
        /// `starts_at`.
        starts_at: Timestamp,
    },
    /// At or after `ends_at`, or within the last second before it.
    Expired,
    /// The file has settings that this version does not dial by yet.
    NotDialledYet {
        /// Which ones.
        settings: Vec<&'static str>,
    },
    /// Outside calling hours.
    WindowClosed {
        /// When they next open; `None` if never again.
        opens_at: Option<Timestamp>,
        /// The zone that governs.
        timezone: String,
    },
    /// The campaign has no contacts.
    NoContacts,
    /// It has contacts, and none is due.
    NothingDue {
        /// When the next one is.
        next_at: Option<Timestamp>,
    },
    /// Every contact has ended.
    AllContactsEnded,
    /// The filter holds for none of the contacts that have not ended.
    NothingMatches {
        /// How many those are.
        contacts: u64,
    },
    /// No agent of the queue is signed in.
    NoAgentSignedIn,
    /// All signed-in agents are occupied.
    NoAgentIdle,
    /// Another campaign has work for the same agents and goes first.
    LowerPriority {
        /// Which one.
        first: CampaignId,
    },
    /// As many live calls as the campaign may have.
    CampaignAtLimit {
        /// The cap in force.
        limit: u32,
    },
    /// As many live calls as the tenant may have.
    TenantAtLimit {
        /// The cap in force.
        limit: u32,
    },
    /// As many live calls as the trunk may carry.
    TrunkAtLimit {
        /// The cap in force.
        limit: u32,
    },
    /// Calls per second are used up.
    CallRate {
        /// The cap in force.
        limit: u32,
    },
    /// A do-not-call list has the number; of several, the one that holds longest.
    DoNotCall {
        /// Which list.
        list: DoNotCallId,
        /// When its entry expires; `None` if never.
        until: Option<Timestamp>,
    },
    /// The customer is in a call, perhaps of another campaign.
    CustomerOnCall,
    /// The number is in a call, perhaps of another campaign.
    NumberOnCall,
    /// The contact's own `not_before`, a retry interval or a fault's back-off.
    NotDue {
        /// When it is due.
        due_at: Timestamp,
        /// What says so.
        by: DueBy,
    },
    /// The call waits for the agent of the last one.
    WaitsForAgent {
        /// Who.
        agent: AgentId,
        /// When anyone of the queue may take it.
        until: Timestamp,
    },
    /// All tries of this local day are used.
    DayBudgetSpent {
        /// Start of the next local day.
        next_day_at: Timestamp,
    },
    /// `per_number.attempts` in the period are used.
    NumberAtLimit {
        /// When the oldest of them leaves the period.
        released_at: Timestamp,
    },
    /// `after_conversation_days` have not passed.
    AfterConversation {
        /// When they have.
        released_at: Timestamp,
    },
    /// `max_attempts_per_contact` are used.
    ContactAttemptsSpent,
    /// The contact's batch is paused; of a campaign: the batches of all its contacts are.
    BatchPaused,
    /// The campaign's filter does not hold for the contact.
    FilteredOut,
    /// The campaign calls none of the contact's numbers: none is in a round, and `others = "never"`.
    NoNumber,
    /// The number has ended.
    NumberEnded,
    /// The contact has ended.
    ContactEnded,
    /// The contact changed since it was picked.
    Stale,
    /// Something of the campaign fails in the store again and again; others go on.
    Stuck {
        /// What, as half a sentence.
        what: &'static str,
        /// How often in a row.
        failures: u32,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// The store does not answer.
    StoreUnavailable,
}

impl Hold {
    /// Every code, for metrics that start at 0.
    pub const CODES: [&'static str; 38] = [
        "dialling_off",
        "not_listed",
        "retired",
        "paused",
        "paused_by_override",
        "drifted",
        "not_started",
        "expired",
        "not_dialled_yet",
        "window_closed",
        "no_contacts",
        "nothing_due",
        "all_contacts_ended",
        "nothing_matches",
        "no_agent_signed_in",
        "no_agent_idle",
        "lower_priority",
        "campaign_at_limit",
        "tenant_at_limit",
        "trunk_at_limit",
        "call_rate",
        "do_not_call",
        "customer_on_call",
        "number_on_call",
        "not_due",
        "waits_for_agent",
        "day_budget_spent",
        "number_at_limit",
        "after_conversation",
        "contact_attempts_spent",
        "batch_paused",
        "filtered_out",
        "no_number",
        "number_ended",
        "contact_ended",
        "stale",
        "stuck",
        "store_unavailable",
    ];

    /// The name used in JSON and as a metric label.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiallingOff => "dialling_off",
            Self::NotListed => "not_listed",
            Self::Retired => "retired",
            Self::Paused => "paused",
            Self::PausedByOverride { .. } => "paused_by_override",
            Self::Drifted => "drifted",
            Self::NotStarted { .. } => "not_started",
            Self::Expired => "expired",
            Self::NotDialledYet { .. } => "not_dialled_yet",
            Self::WindowClosed { .. } => "window_closed",
            Self::NoContacts => "no_contacts",
            Self::NothingDue { .. } => "nothing_due",
            Self::AllContactsEnded => "all_contacts_ended",
            Self::NothingMatches { .. } => "nothing_matches",
            Self::NoAgentSignedIn => "no_agent_signed_in",
            Self::NoAgentIdle => "no_agent_idle",
            Self::LowerPriority { .. } => "lower_priority",
            Self::CampaignAtLimit { .. } => "campaign_at_limit",
            Self::TenantAtLimit { .. } => "tenant_at_limit",
            Self::TrunkAtLimit { .. } => "trunk_at_limit",
            Self::CallRate { .. } => "call_rate",
            Self::DoNotCall { .. } => "do_not_call",
            Self::CustomerOnCall => "customer_on_call",
            Self::NumberOnCall => "number_on_call",
            Self::NotDue { .. } => "not_due",
            Self::WaitsForAgent { .. } => "waits_for_agent",
            Self::DayBudgetSpent { .. } => "day_budget_spent",
            Self::NumberAtLimit { .. } => "number_at_limit",
            Self::AfterConversation { .. } => "after_conversation",
            Self::ContactAttemptsSpent => "contact_attempts_spent",
            Self::BatchPaused => "batch_paused",
            Self::FilteredOut => "filtered_out",
            Self::NoNumber => "no_number",
            Self::NumberEnded => "number_ended",
            Self::ContactEnded => "contact_ended",
            Self::Stale => "stale",
            Self::Stuck { .. } => "stuck",
            Self::StoreUnavailable => "store_unavailable",
        }
    }

    /// Whether it is a cap on calls at once or in a second, and so holds more than one contact.
    #[must_use]
    pub fn is_cap(&self) -> bool {
        matches!(
            self,
            Self::CampaignAtLimit { .. }
                | Self::TenantAtLimit { .. }
                | Self::TrunkAtLimit { .. }
                | Self::CallRate { .. }
        )
    }

    /// When it lifts by the mere passing of time; `None` if something else must happen first.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::PausedByOverride { until, .. } => Some(*until),
            Self::NotStarted { starts_at } => Some(*starts_at),
            Self::Stuck { retry_at, .. } => Some(*retry_at),
            Self::WindowClosed { opens_at, .. } => *opens_at,
            Self::NothingDue { next_at } => *next_at,
            Self::DoNotCall { until, .. } => *until,
            Self::NotDue { due_at, .. } => Some(*due_at),
            Self::WaitsForAgent { until, .. } => Some(*until),
            Self::DayBudgetSpent { next_day_at } => Some(*next_day_at),
            Self::NumberAtLimit { released_at } | Self::AfterConversation { released_at } => Some(*released_at),
            Self::DiallingOff
            | Self::NotListed
            | Self::Retired
            | Self::Paused
            | Self::Drifted
            | Self::Expired
            | Self::NotDialledYet { .. }
            | Self::NoContacts
            | Self::AllContactsEnded
            | Self::NothingMatches { .. }
            | Self::NoAgentSignedIn
            | Self::NoAgentIdle
            | Self::LowerPriority { .. }
            | Self::CampaignAtLimit { .. }
            | Self::TenantAtLimit { .. }
            | Self::TrunkAtLimit { .. }
            | Self::CallRate { .. }
            | Self::CustomerOnCall
            | Self::NumberOnCall
            | Self::ContactAttemptsSpent
            | Self::BatchPaused
            | Self::FilteredOut
            | Self::NoNumber
            | Self::NumberEnded
            | Self::ContactEnded
            | Self::Stale
            | Self::StoreUnavailable => None,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiallingOff => f.write_str("dialling is off: [safety] dial = \"none\" in the settings"),
            Self::NotListed => f.write_str("not a test number: [safety] dial = \"listed\" in the settings"),
            Self::Retired => f.write_str("the campaign's file is gone"),
            Self::Paused => f.write_str("the file says state = \"paused\""),
            Self::PausedByOverride { id, scope, reason, until } => {
                let all = if *scope == Scope::All { " of all campaigns" } else { "" };
                write!(f, "paused until {until} by override {id}{all}: {reason}")
            }
            Self::Drifted => f.write_str(
                "the store differs from the commit in force, which `dialops status` tells; `dialops reconcile` puts it right",
            ),
            Self::NotStarted { starts_at } => write!(f, "starts at {starts_at}"),
            Self::Expired => f.write_str("ends_at has passed, which is final"),
            Self::NotDialledYet { settings } => {
                write!(f, "this version does not dial by {} yet", settings.join(", "))
            }
            Self::WindowClosed { opens_at: Some(at), timezone } => match at.in_tz(timezone) {
                Ok(local) => write!(f, "window closed until {} {timezone}", local.strftime("%a %Y-%m-%d %H:%M")),
                Err(_) => write!(f, "window closed until {at}"),
            },
            Self::WindowClosed { opens_at: None, timezone } => write!(f, "window closed for good ({timezone})"),
            Self::NoContacts => f.write_str("no contacts"),
            Self::NothingDue { next_at: Some(at) } => write!(f, "no contact due until {at}"),
            Self::NothingDue { next_at: None } => f.write_str("no contact due"),
            Self::AllContactsEnded => f.write_str("every contact has ended"),
            Self::NothingMatches { contacts } => write!(f, "filter matches 0 of {} contacts", grouped(*contacts)),
            Self::NoAgentSignedIn => f.write_str("no agent of the queue is signed in"),
            Self::NoAgentIdle => f.write_str("no agent idle"),
            Self::LowerPriority { first } => write!(f, "campaign {first} has a higher priority and goes first"),
            Self::CampaignAtLimit { limit } => write!(f, "campaign at its limit of {limit} live calls"),
            Self::TenantAtLimit { limit } => write!(f, "tenant at its limit of {limit} live calls"),
            Self::TrunkAtLimit { limit } => write!(f, "trunk at its limit of {limit} live calls"),
            Self::CallRate { limit } => write!(f, "{limit} calls per second are used up"),
            Self::DoNotCall { list, until: Some(at) } => write!(f, "on do-not-call list \"{list}\" until {at}"),
            Self::DoNotCall { list, until: None } => write!(f, "on do-not-call list \"{list}\""),
            Self::CustomerOnCall => f.write_str("the customer is in a call"),
            Self::NumberOnCall => f.write_str("the number is in a call"),
            Self::NotDue { due_at, by } => write!(f, "not due until {due_at}, {by}"),
            Self::WaitsForAgent { agent, until } => {
                write!(f, "waits for agent {agent}, and for anyone of the queue from {until}")
            }
            Self::DayBudgetSpent { next_day_at } => {
                write!(f, "tries of this day are used; next day starts {next_day_at}")
            }
            Self::NumberAtLimit { released_at } => write!(f, "number at its rolling limit until {released_at}"),
            Self::AfterConversation { released_at } => write!(f, "spoken with; not again until {released_at}"),
            Self::ContactAttemptsSpent => f.write_str("max_attempts_per_contact is used up"),
            Self::BatchPaused => f.write_str("batch paused; `dialops batches resume` lets it go on"),
            Self::FilteredOut => f.write_str("the campaign's filter does not hold for the contact"),
            Self::NoNumber => f.write_str("the campaign's rounds call none of the contact's numbers"),
            Self::NumberEnded => f.write_str("the number has ended"),
            Self::ContactEnded => f.write_str("the contact has ended"),
            Self::Stale => f.write_str("the contact changed since it was picked"),
            Self::Stuck { what, failures, retry_at } => {
                let times = if *failures == 1 { "once".to_owned() } else { format!("{failures} times in a row") };
                write!(f, "{what} failed {times}, which the log tells; tried again at {retry_at}")
            }
            Self::StoreUnavailable => f.write_str("the store does not answer"),
        }
    }
}

/// `12000` as `12,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
