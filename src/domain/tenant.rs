//! The tenant: whom all campaigns are dialled for, and what holds unless a campaign says otherwise.

use std::{num::NonZeroU32, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    calendar::Window,
    campaign::{AgentTerms, PerNumberLimit},
    ids::{BusinessResultId, DoNotCallId, TenantId},
};

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
    /// Lists that hold in every campaign.
    pub do_not_call: Vec<DoNotCallId>,
    /// Cap on calls to one number that holds in every campaign.
    pub per_number: Option<PerNumberLimit>,
    /// How agents are held, rung and given time.
    pub agents: AgentRules,
    /// When text messages may be sent.
    pub sms: SmsRules,
    /// Customers who picked up in vain.
    pub abandoned: AbandonedRules,
    /// Sound.
    pub media: MediaRules,
    /// Recordings.
    pub recording: RecordingRules,
}

impl Tenant {
    /// The date of its days at `t`, and when that day begins; in UTC if its zone is none, which `check` refuses.
    #[must_use]
    pub fn day(&self, t: Timestamp) -> (Date, Timestamp) {
        let zone = TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC);
        let date = zone.to_datetime(t).date();
        let begins = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible();
        (date, begins.unwrap_or(t))
    }

    /// A tenant whose every setting is at its default.
    #[must_use]
    pub fn new(id: TenantId, name: &str, timezone: &str, region: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            timezone: timezone.to_owned(),
            region: region.to_owned(),
            do_not_call: Vec::new(),
            per_number: None,
            agents: AgentRules::default(),
            sms: SmsRules::default(),
            abandoned: AbandonedRules::default(),
            media: MediaRules::default(),
            recording: RecordingRules::default(),
        }
    }
}

/// How an agent's phone is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentHold {
    /// It is rung for each call.
    PerCall,
    /// It stays connected from call to call.
    OffHook,
}

/// Rules for agents; a campaign may have its own hold, ring and wrap-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRules {
    /// How phones are used.
    pub hold: AgentHold,
    /// How long a phone rings before the next agent is tried.
    pub ring: Duration,
    /// Longest wrap-up after a conversation; then the agent is idle again.
    pub wrap_up: Duration,
    /// What is noted when a wrap-up runs out before the agent has.
    pub wrap_up_result: Option<BusinessResultId>,
}

impl AgentRules {
    /// What holds in a campaign that says nothing else.
    #[must_use]
    pub fn terms(&self) -> AgentTerms {
        AgentTerms { hold: self.hold, ring: self.ring, wrap_up: self.wrap_up }
    }
}

impl Default for AgentRules {
    fn default() -> Self {
        Self {
            hold: AgentHold::PerCall,
            ring: Duration::from_secs(15),
            wrap_up: Duration::from_secs(60),
            wrap_up_result: None,
        }
    }
}

/// Rules for text messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SmsRules {
    /// When they may be sent, in the tenant's zone; always if there is none.
    pub windows: Vec<Window>,
}

/// A part of a whole, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMille(pub u16);

/// Rules for customers who picked up and whom no agent took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbandonedRules {
    /// Most of the answered calls that may be abandoned.
    pub limit: PerMille,
    /// The period in which they are counted, × 24 h.
    pub days: NonZeroU32,
    /// What such a customer is told.
    pub message: Option<String>,
}

impl Default for AbandonedRules {
    fn default() -> Self {
        const DAYS: NonZeroU32 = NonZeroU32::new(30).expect("is not 0");
        Self { limit: PerMille(30), days: DAYS, message: None }
    }
}

/// A way to code speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

impl Codec {
    /// The name used in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
            Self::G722 => "g722",
            Self::Opus => "opus",
        }
    }
}

/// Rules for sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRules {
    /// What may be used, the best first; at least one.
    pub codecs: Vec<Codec>,
}

impl Default for MediaRules {
    fn default() -> Self {
        Self { codecs: vec![Codec::Pcma, Codec::Pcmu] }
    }
}

/// Rules for recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingRules {
    /// Whether conversations are recorded.
    pub enabled: bool,
    /// How long a recording is kept.
    pub keep: Duration,
}

impl Default for RecordingRules {
    fn default() -> Self {
        Self { enabled: false, keep: Duration::from_secs(90 * 24 * 60 * 60) }
    }
}
