//! Calls that are agreed on with a customer: a date and a time, and who calls.

use jiff::{Timestamp, civil::DateTime};

use crate::domain::{
    business::BusinessKey,
    campaign::Definitions,
    contact::{Contact, Number},
    ids::{AgentId, BusinessResultId},
};

/// A call that was agreed on with a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// When it is due.
    pub at: Timestamp,
    /// Who is to take it; `None` for anyone of the queue.
    pub agent: Option<AgentId>,
}

/// When a customer wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackAt {
    /// At that instant.
    Instant(Timestamp),
    /// At that time of the zone that governs the number's calling hours; the earlier of two.
    Local(DateTime),
}

impl CallbackAt {
    /// Parses RFC 3339, or the same without an offset, which is a local time.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = text.parse() {
            return Some(Self::Instant(at));
        }
        let local = |format| DateTime::strptime(format, text).ok();
        local("%Y-%m-%dT%H:%M").or_else(|| local("%Y-%m-%dT%H:%M:%S")).map(Self::Local)
    }
}

/// Why a call can't be agreed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefusal {
    /// `business-results.toml` doesn't say `schedules_callback` for the result.
    #[error("business result \"{0}\" does not have `schedules_callback`")]
    NotFor(BusinessResultId),
    /// The campaign's file is gone.
    #[error("the campaign's file is gone")]
    Retired,
    /// Nobody has called the customer, so there is no number to call again.
    #[error("nobody has called this customer yet")]
    NoCall,
    /// It is no later than now.
    #[error("{0} has passed")]
    Past(Timestamp),
    /// The campaign's `ends_at` is not later.
    #[error("the campaign ends at {0}")]
    BehindEnd(Timestamp),
    /// There is no such local time: clocks are put forward over it.
    #[error("{at} does not exist in {zone}, where clocks are put forward then")]
    Skipped {
        /// The local time.
        at: DateTime,
        /// The zone.
        zone: String,
    },
    /// The calling hours are closed then.
    #[error(
        "the calling hours are closed at {at} ({zone}){}",
        .opens_at.map(|at| format!("; they open at {at}")).unwrap_or_default()
    )]
    Closed {
        /// When it was to be.
        at: Timestamp,
        /// The zone of the hours.
        zone: String,
        /// When they open next, if they do.
        opens_at: Option<Timestamp>,
    },
}

/// A call that a customer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackWanted {
    /// When.
    pub at: CallbackAt,
    /// Whether by the agent who achieved the result.
    pub same_agent: bool,
}

/// The call that was agreed on at `now` with the result `key`, after the one of `called`: its number and its agent.
///
/// # Errors
///
/// The first reason for which it can't be: a customer is promised no call that hours and dates rule out already.
pub fn agree(
    definitions: &Definitions,
    contact: &Contact,
    called: Option<(&Number, &AgentId)>,
    key: &BusinessKey,
    wanted: CallbackWanted,
    now: Timestamp,
) -> Result<Agreed, CallbackRefusal> {
    if !definitions.business_results.get(&key.result).is_some_and(|result| result.schedules_callback) {
        return Err(CallbackRefusal::NotFor(key.result.clone()));
    }
    let campaign = definitions.campaigns.get(&contact.campaign).ok_or(CallbackRefusal::Retired)?;
    let (number, agent) = called.ok_or(CallbackRefusal::NoCall)?;
    let hours = campaign.hours_of(contact, number);
    let zone = || hours.timezone().to_owned();
    let at = match wanted.at {
        CallbackAt::Instant(at) => at,
        CallbackAt::Local(at) => hours.instant_of(at).ok_or_else(|| CallbackRefusal::Skipped { at, zone: zone() })?,
    };
    if at <= now {
        return Err(CallbackRefusal::Past(at));
    }
    if at >= campaign.ends_at {
        return Err(CallbackRefusal::BehindEnd(campaign.ends_at));
    }
    if !hours.lets_through(at) {
        let opens_at = hours.next_through(at).filter(|opens_at| *opens_at < campaign.ends_at);
        return Err(CallbackRefusal::Closed { at, zone: zone(), opens_at });
    }
    Ok(Agreed { at, agent: wanted.same_agent.then(|| agent.clone()) })
}
