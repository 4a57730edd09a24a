//! What a simulation tells: attempts, each with the rule that placed it, and holds.

use std::fmt;

use jiff::Timestamp;

use crate::domain::{
    contact::Number,
    ids::{AgentId, AttemptId, CampaignId, CategoryId, CustomerId},
    order::Class,
    phone::E164,
    policy::{NumberPolicy, ResultPolicy, counted_as},
    reason::Hold,
    results::CallResult,
};

/// Why an attempt was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A business result has scheduled it.
    Business,
    /// The number had not been called.
    Fresh,
    /// The next number of a `sequence` pass under way.
    Pass,
    /// A retry of this policy, after this result.
    Retry {
        /// Which part of the file asks for it.
        policy: Policy,
        /// After which result.
        after: CallResult,
    },
}

/// The part of a campaign's file that asks for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `results.global`, by days.
    GlobalDays,
    /// `results.global.by_result`.
    GlobalByResult,
    /// `results.by_category`, by days.
    CategoryDays,
    /// `results.by_category`, by result.
    CategoryByResult,
    /// The back-off after what is not the customer's fault.
    Fault,
}

impl Policy {
    /// The name used in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GlobalDays => "results.global",
            Self::GlobalByResult => "results.global.by_result",
            Self::CategoryDays => "results.by_category",
            Self::CategoryByResult => "results.by_category by_result",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("fresh"),
            Self::Business => f.write_str("business"),
            Self::Pass => f.write_str("pass"),
            Self::Retry { policy, after } => write!(f, "retry {} after {after}", policy.as_str()),
        }
    }
}

impl Rule {
    /// Why a number whose work is of this class is called under this policy.
    pub(super) fn of(class: Class, policy: &ResultPolicy, number: &Number) -> Self {
        match class {
            Class::Business => Self::Business,
            Class::Pass => Self::Pass,
            Class::Fresh => Self::Fresh,
            Class::Retry => {
                let after = number.last_result.map_or(CallResult::Unknown, counted_as);
                let by_category = matches!(policy, ResultPolicy::ByCategory { .. });
                let policy = match (policy.of(&number.category), by_category) {
                    _ if number.faults > 0 => Policy::Fault,
                    (NumberPolicy::Days(_), false) => Policy::GlobalDays,
                    (NumberPolicy::ByResult(_), false) => Policy::GlobalByResult,
                    (NumberPolicy::Days(_), true) => Policy::CategoryDays,
                    (NumberPolicy::ByResult(_), true) => Policy::CategoryByResult,
                };
                Self::Retry { policy, after }
            }
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// When the INVITE left.
    pub at: Timestamp,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Whom.
    pub customer: CustomerId,
    /// The number called.
    pub number: E164,
    /// Its category.
    pub category: CategoryId,
    /// The number shown.
    pub caller_number: E164,
    /// Who was held for it.
    pub agent: AgentId,
    /// Why it was placed.
    pub rule: Rule,
    /// When customer and agent heard each other.
    pub connected_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it was settled.
    pub result: Option<CallResult>,
    /// What the other side made of it, which differs for the last of too many faults in a row.
    pub heard: Option<CallResult>,
}

/// An event that was refused, as it would have been in earnest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEvent {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// A contact that the last gate did not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Whom.
    pub customer: CustomerId,
    /// The number that was not called.
    pub number: E164,
    /// Why.
    pub hold: Hold,
}

/// What a whole campaign waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignHold {
    /// Which campaign.
    pub campaign: CampaignId,
    /// Why.
    pub hold: Hold,
    /// From when.
    pub from: Timestamp,
    /// Until when; the end of the simulation if nothing ended it.
    pub until: Timestamp,
}

/// What campaigns wait for, as it changes.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Those that are over.
    pub(super) past: Vec<CampaignHold>,
    now: Vec<(CampaignId, Hold, Timestamp)>,
}

impl Holds {
    /// Takes in what campaigns wait for at `now`, each that waits once.
    pub(super) fn observe(&mut self, now: Timestamp, waiting: Vec<(CampaignId, Hold)>) {
        let before = std::mem::take(&mut self.now);
        for (campaign, hold, from) in before {
            let same = waiting.iter().any(|(id, other)| *id == campaign && other.code() == hold.code());
            if same {
                self.now.push((campaign, hold, from));
            } else if from < now {
                self.past.push(CampaignHold { campaign, hold, from, until: now });
            }
        }
        for (campaign, hold) in waiting {
            if !self.now.iter().any(|(id, ..)| *id == campaign) {
                self.now.push((campaign, hold, now));
            }
        }
    }

    /// All of them, at the end.
    pub(super) fn finish(mut self, now: Timestamp) -> Vec<CampaignHold> {
        self.observe(now, Vec::new());
        self.past.sort_by(|a, b| (a.from, &a.campaign).cmp(&(b.from, &b.campaign)));
        self.past
    }
}
