//! What keeps contacts from being called now, told of many at once: coarser than the gate's holds, which
//! ask about one contact at one instant.

use std::fmt;

use jiff::Timestamp;

use super::{campaign::Campaign, contact::Contact, order, reason::Hold, zone::ContactZone};

/// What keeps a contact that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptBy {
    /// Nothing of its own: it is ready, and waits for what the campaign waits for.
    Nothing,
    /// Closed hours of its own zone.
    Hours {
        /// Which zone.
        timezone: String,
    },
    /// None of its numbers is due.
    Time,
    /// The tries of its number on this day.
    Day,
    /// A rolling cap on calls to its number.
    NumberLimit,
    /// A conversation on its number.
    Conversation,
    /// The cap on calls to the customer; it ends when picking comes past it.
    Attempts,
    /// The budget of its number, by a definition that is smaller now; likewise.
    Budget,
    /// Its call waits for one agent.
    Agent,
    /// The call that it is in.
    Call,
    /// The campaign's filter.
    Filter,
    /// The pause of its batch.
    Batch,
    /// Do-not-call lists, for good or until entries expire.
    Lists,
    /// Rounds that call none of its numbers.
    Rounds,
    /// The settings, which let test numbers be called only.
    NoTestNumber,
}

impl KeptBy {
    /// What a hold of a contact's own says of many; `None` if it is not a matter of single contacts, or if
    /// [`kept_by`] tells it better.
    fn hold(hold: &Hold) -> Option<Self> {
        match hold {
            Hold::NotListed => Some(Self::NoTestNumber),
            Hold::DoNotCall { .. } => Some(Self::Lists),
            Hold::CustomerOnCall | Hold::NumberOnCall => Some(Self::Call),
            Hold::WaitsForAgent { .. } => Some(Self::Agent),
            Hold::DayBudgetSpent { .. } => Some(Self::Day),
            Hold::NumberAtLimit { .. } => Some(Self::NumberLimit),
            Hold::AfterConversation { .. } => Some(Self::Conversation),
            Hold::ContactAttemptsSpent => Some(Self::Attempts),
            Hold::NumberEnded => Some(Self::Budget),
            Hold::NotDue { .. }
            | Hold::FilteredOut
            | Hold::BatchPaused
            | Hold::NoNumber
            | Hold::ContactEnded
            | Hold::Stale
            | Hold::DiallingOff
            | Hold::Retired
            | Hold::Paused
            | Hold::PausedByOverride { .. }
            | Hold::Drifted
            | Hold::NotStarted { .. }
            | Hold::Expired
            | Hold::NotDialledYet { .. }
            | Hold::WindowClosed { .. }
            | Hold::NoContacts
            | Hold::NothingDue { .. }
            | Hold::AllContactsEnded
            | Hold::NothingMatches { .. }
            | Hold::NoAgentSignedIn
            | Hold::NoAgentIdle
            | Hold::LowerPriority { .. }
            | Hold::CampaignAtLimit { .. }
            | Hold::TenantAtLimit { .. }
            | Hold::TrunkAtLimit { .. }
            | Hold::CallRate { .. }
            | Hold::Stuck { .. }
            | Hold::StoreUnavailable => None,
        }
    }

    /// Whether the gate may know more: what the rows alone say is no hold, or one that caps set too.
    #[must_use]
    pub fn is_unasked(&self) -> bool {
        matches!(self, Self::Nothing | Self::Time)
    }

    /// The code of the hold that the gate would give; `None` if nothing of its own holds it.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Hours { .. } => Some("window_closed"),
            Self::Time => Some("not_due"),
            Self::Agent => Some("waits_for_agent"),
            Self::Call => Some("customer_on_call"),
            Self::Filter => Some("filtered_out"),
            Self::Batch => Some("batch_paused"),
            Self::Lists => Some("do_not_call"),
            Self::Rounds => Some("no_number"),
            Self::Day => Some("day_budget_spent"),
            Self::NumberLimit => Some("number_at_limit"),
            Self::Conversation => Some("after_conversation"),
            Self::Attempts => Some("contact_attempts_spent"),
            Self::Budget => Some("number_ended"),
            Self::NoTestNumber => Some("not_listed"),
        }
    }
}

impl fmt::Display for KeptBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("are ready to be called"),
            Self::Hours { timezone } => write!(f, "sleep: the window is closed in {timezone}"),
            Self::Time => f.write_str("are not due yet"),
            Self::Agent => f.write_str("wait for the agent of their last call"),
            Self::Call => f.write_str("are in a call"),
            Self::Filter => f.write_str("are left out by the filter"),
            Self::Batch => f.write_str("are in a batch that is paused"),
            Self::Lists => f.write_str("are held by do-not-call lists"),
            Self::Rounds => f.write_str("have no number that the rounds call"),
            Self::Day => f.write_str("have used the tries of this day"),
            Self::NumberLimit => f.write_str("are at a rolling limit of their number"),
            Self::Conversation => f.write_str("were spoken with and rest"),
            Self::Attempts => f.write_str("have used max_attempts_per_contact, and end when it is their turn"),
            Self::Budget => f.write_str("have used the tries of their number, which ends when it is their turn"),
            Self::NoTestNumber => f.write_str("have no test number: [safety] dial = \"listed\" in the settings"),
        }
    }
}

/// Contacts that the same thing keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub by: KeptBy,
    /// When it lets the first of them go, if that is only a matter of time.
    pub until: Option<Timestamp>,
    /// How many.
    pub contacts: u64,
}

/// What a store knows of a contact beside how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// It has a live call.
    pub on_call: bool,
    /// The filter leaves it out.
    pub filtered_out: bool,
    /// Its batch is paused.
    pub paused_out: bool,
}

/// What keeps a contact that has not ended, and until when; its numbers are marked as do-not-call lists want it.
#[must_use]
pub fn kept_by(campaign: &Campaign, contact: &Contact, known: Known, now: Timestamp) -> (KeptBy, Option<Timestamp>) {
    let standing = order::standing(campaign, contact, now);
    let next = order::next(campaign, contact, now).and_then(|next| contact.progress.numbers.get(next.number));
    let is_listed = next.is_some_and(|number| number.listed_until > Some(now));
    match standing.earliest() {
        _ if known.on_call => (KeptBy::Call, None),
        _ if known.filtered_out => (KeptBy::Filter, None),
        _ if known.paused_out => (KeptBy::Batch, None),
        None if is_listed => (KeptBy::Lists, None),
        None => (KeptBy::Rounds, None),
        Some(at) if at > now && is_listed => (KeptBy::Lists, Some(at)),
        Some(at) if at > now => (KeptBy::Time, Some(at)),
        Some(_) if standing.agent.is_some() && standing.business.is_some_and(|at| at <= now) => (KeptBy::Agent, None),
        Some(_) => awake(campaign, standing.zone.as_deref(), now),
    }
}

/// The same, once the gate was asked for what holds the contact by itself.
#[must_use]
pub fn kept_by_hold(found: (KeptBy, Option<Timestamp>), hold: Option<&Hold>) -> (KeptBy, Option<Timestamp>) {
    let (by, until) = found;
    match hold.and_then(|hold| Some((KeptBy::hold(hold)?, hold.until()))) {
        // What is due later is not let go before that.
        Some((by, let_go)) => (by, let_go.map(|at| until.map_or(at, |until| at.max(until)))),
        None => (by, until),
    }
}

/// What keeps contacts that are ready, by the zone in which their hours are reckoned if that is their own.
fn awake(campaign: &Campaign, zone: Option<&str>, now: Timestamp) -> (KeptBy, Option<Timestamp>) {
    let Some(zone) = zone.and_then(ContactZone::parse) else { return (KeptBy::Nothing, None) };
    let hours = campaign.hours.in_zone(&zone);
    if hours.lets_through(now) {
        return (KeptBy::Nothing, None);
    }
    (KeptBy::Hours { timezone: zone.name().to_owned() }, hours.next_through(now))
}

/// Adds up what keeps single contacts, or some of them.
#[must_use]
pub fn counted(all: impl IntoIterator<Item = Kept>) -> Vec<Kept> {
    let mut sums: Vec<Kept> = Vec::new();
    for one in all {
        match sums.iter_mut().find(|sum| sum.by == one.by) {
            Some(sum) => {
                sum.contacts += one.contacts;
                sum.until = [sum.until, one.until].into_iter().flatten().min();
            }
            None => sums.push(one),
        }
    }
    sums.sort_by(|a, b| a.by.cmp(&b.by));
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_contacts_is_a_hold_of_the_gate() {
        let timezone = "Europe/Berlin".to_owned();
        let all = [
            KeptBy::Hours { timezone },
            KeptBy::Time,
            KeptBy::Agent,
            KeptBy::Call,
            KeptBy::Filter,
            KeptBy::Batch,
            KeptBy::Lists,
            KeptBy::Rounds,
            KeptBy::Day,
            KeptBy::NumberLimit,
            KeptBy::Conversation,
            KeptBy::Attempts,
            KeptBy::Budget,
            KeptBy::NoTestNumber,
        ];
        for by in all {
            assert!(Hold::CODES.contains(&by.code().unwrap()), "{by}");
        }
    }
}
