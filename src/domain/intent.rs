//! An attempt's life as the store keeps it: candidates, the intent, the end.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    business::BusinessKey,
    campaign::Campaign,
    contact::{Contact, Progress},
    ids::{AgentId, AttemptId, CampaignId, ContactRef, LegId, Revision, TrunkId},
    phone::E164,
    policy::ResultPolicy,
    results::CallResult,
};

/// What the engine asks the writer to record before a customer is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The attempt's id.
    pub attempt: AttemptId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The contact.
    pub contact: ContactRef,
    /// Its version when it was picked.
    pub picked_version: u32,
    /// Which number, by index from 0.
    pub number: usize,
    /// The business rule that asks for the call; `None` for the result policy.
    pub rule: Option<BusinessKey>,
    /// The number to call.
    pub called: E164,
    /// The number to show.
    pub caller_number: E164,
    /// The held agent.
    pub agent: AgentId,
    /// The trunk.
    pub trunk: TrunkId,
    /// The customer's leg.
    pub leg: LegId,
}

/// Contacts that a campaign could dial, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidatePage {
    /// Ready at the instant asked for, in the order of [`crate::domain::order::Rank`]. None of them has a
    /// live call, and none waits for an agent.
    pub ready: Vec<Contact>,
    /// Those that are ready and wait for an agent, in the same order: of each agent as many as were asked
    /// for, at most.
    pub pinned: Vec<Contact>,
    /// When the earliest of the others gets ready; `None` if none ever does by time alone.
    pub next_ready_at: Option<Timestamp>,
    /// Whether others are ready and left out because their customer is in a call, perhaps of another
    /// campaign, or because too many had to be gone past that a new filter leaves out: look again soon.
    pub on_call: bool,
    /// Whether more may be ready, behind contacts that a do-not-call list was found to hold: ask again at once.
    pub cut: bool,
    /// Contacts that have not ended.
    pub open: u64,
    /// Those of them for which the filter holds; `None` while a new filter is being applied to them.
    pub matching: Option<u64>,
    /// Those of the matching ones whose batch is paused.
    pub paused: u64,
    /// All contacts.
    pub total: u64,
    /// How often each caller number was used, for "least used".
    pub caller_usage: BTreeMap<E164, u64>,
}

/// Room in a page for contacts that wait for an agent: so many of each, and no more.
#[derive(Debug, Default)]
pub struct PinnedRoom(BTreeMap<AgentId, usize>);

impl PinnedRoom {
    /// Whether there is room for one more of `agent`, of `most`; then it is taken.
    pub fn take(&mut self, agent: &AgentId, most: usize) -> bool {
        let seen = self.0.entry(agent.clone()).or_default();
        *seen += 1;
        *seen <= most
    }
}

/// An intent that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedIntent {
    /// The instant the gate decided for.
    pub at: Timestamp,
    /// Commit whose definition it is placed under.
    pub revision: Revision,
    /// Policy it will be settled under.
    pub policy: ResultPolicy,
    /// The local day that it counts for.
    pub local_date: Date,
    /// First instant of the next local day.
    pub next_day_at: Timestamp,
    /// The contact as the gate saw it.
    pub contact: Contact,
}

impl RecordedIntent {
    /// What an intent for the number at `number` is recorded as, once the gate has admitted it at `at`.
    #[must_use]
    pub fn new(revision: &Revision, campaign: &Campaign, contact: Contact, number: usize, at: Timestamp) -> Self {
        let hours = campaign.hours_of(&contact, &contact.progress.numbers[number]);
        let (local_date, next_day_at) = (hours.local_date(at), hours.next_day_starts(at));
        let (revision, policy) = (revision.clone(), campaign.results.clone());
        Self { at, revision, policy, local_date, next_day_at, contact }
    }
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub result: CallResult,
    /// The seed system's five-digit code.
    pub fail_code: &'static str,
    /// SIP status, if the peer gave one.
    pub sip_status: Option<u16>,
    /// Q.850 cause, if the peer gave one.
    pub q850: Option<u8>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When the customer answered.
    pub answered_at: Option<Timestamp>,
    /// When customer and agent heard each other.
    pub connected_at: Option<Timestamp>,
    /// The contact's progress after it.
    pub progress: Progress,
}
