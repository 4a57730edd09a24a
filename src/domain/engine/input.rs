//! What goes into the engine and what comes out: plain data.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::domain::{
    agent::{AgentCall, Availability},
    call::{CallCommand, CallEvent, Destination},
    campaign::Generation,
    contact::Progress,
    ids::{AgentId, AttemptId, BusinessResultId, CampaignId, ContactRef, CustomerId, LegId},
    intent::{CandidatePage, Intent, RecordedIntent, Settlement},
    overrides::{Overrides, Scope},
    reason::Hold,
    results::CallResult,
};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing but time has passed.
    Timer,
    /// What is to be done for a campaign in the store fails; nothing of that holds its calls.
    Behind {
        /// Which campaign.
        campaign: CampaignId,
        /// What fails; `None` once it went on.
        hold: Option<Hold>,
    },
    /// An agent was found to be held for no attempt.
    FreeAgent(AgentId),
    /// A generation is in force in the store.
    Applied(Arc<Generation>),
    /// Overrides in the store have changed.
    Overridden {
        /// Those that were not ended by hand.
        overrides: Arc<Overrides>,
        /// Of which campaigns calls that ring are cancelled, and claims are let go.
        cancel_ringing: Option<Scope>,
    },
    /// The answer to [`Effect::LoadCandidates`].
    Candidates {
        /// For which campaign.
        campaign: CampaignId,
        /// What the store has; `None` if it did not answer.
        page: Option<CandidatePage>,
    },
    /// Contacts were imported, a new filter has been applied to some, or a do-not-call list has changed.
    ContactsAdded(CampaignId),
    /// Contacts were edited or taken away, or a batch was paused or resumed: what was loaded is old news.
    ContactsChanged(CampaignId),
    /// A customer of a campaign is not to be called now: a claim is let go, a call that rings is cancelled.
    CancelRinging {
        /// Of which campaign.
        campaign: CampaignId,
        /// Who.
        customer: CustomerId,
    },
    /// A contact was changed in the store: a business result took effect.
    ContactChanged {
        /// Of which campaign.
        campaign: CampaignId,
        /// Which one.
        contact: ContactRef,
    },
    /// The answer to [`Effect::StoreLeg`].
    LegStored {
        /// Which leg.
        leg: LegId,
        /// Whether it is stored.
        stored: bool,
    },
    /// The answer to [`Effect::RecordIntent`]: durable.
    IntentRecorded {
        /// Which attempt.
        attempt: AttemptId,
        /// As the writer saw it.
        intent: Box<RecordedIntent>,
    },
    /// The answer to [`Effect::RecordIntent`]: the gate refused.
    IntentRefused {
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        hold: Hold,
    },
    /// The answer to [`Effect::Settle`].
    Settled {
        /// Which attempt.
        attempt: AttemptId,
        /// Whether a business result that had been set during the call has changed the contact once more.
        changed: bool,
    },
    /// The answer to [`Effect::WithdrawIntent`].
    Withdrawn {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Something happened on the wire.
    Call(CallEvent),
    /// An agent, or someone for one, asks for a state; the store has it.
    SetAvailability {
        /// Who.
        agent: AgentId,
        /// What.
        availability: Availability,
    },
    /// An agent goes on a pause after the call; the store has it.
    PauseAfterCall(AgentId),
    /// An agent ends the conversation.
    HangUp(AgentId),
    /// At start: legs of agents that an earlier life left and that are being taken down.
    Recovering {
        /// Each leg and its agent.
        legs: Vec<(LegId, AgentId)>,
    },
    /// No new calls from now on; live ones finish.
    Drain,
    /// The drain's deadline has come: hang up.
    HangUpAll,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Ask the store for contacts that are ready.
    LoadCandidates {
        /// Of which campaign.
        campaign: CampaignId,
        /// At most so many.
        limit: u32,
    },
    /// Store a leg to an agent's phone before it is dialled.
    StoreLeg {
        /// Our id of the leg.
        leg: LegId,
        /// Whom it will call.
        destination: Destination,
    },
    /// A stored leg will not be dialled.
    ForgetLeg {
        /// Which leg.
        leg: LegId,
    },
    /// Run the gate and record an intent.
    RecordIntent(Intent),
    /// Take back an intent whose INVITE never left.
    WithdrawIntent {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Tell the call gateway.
    Call(CallCommand),
    /// Customer and agent hear each other: write it down.
    NoteConnected {
        /// Which attempt.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
    },
    /// End an attempt in the store.
    Settle(Box<Settlement>),
    /// Write progress that no attempt caused.
    Advance {
        /// Whose.
        contact: ContactRef,
        /// The version it applies to.
        version: u32,
        /// The progress.
        progress: Progress,
    },
    /// Store what the engine itself made of an agent: `rest` after too many missed calls.
    StoreAvailability {
        /// Who.
        agent: AgentId,
        /// What.
        availability: Availability,
    },
    /// A wrap-up is over: unless the agent has noted a business result for the call, note the tenant's.
    NoteDefaultResult {
        /// Who.
        agent: AgentId,
        /// After which call.
        call: Box<AgentCall>,
        /// What is noted.
        result: BusinessResultId,
    },
    /// Something to count.
    Observe(Observation),
}

/// Something to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// An attempt ended.
    Settled(CallResult),
    /// From the customer's answer to the agent's connection.
    AnswerToConnect(Duration),
    /// From an agent's being free to the INVITE of the next call.
    IdleToCall(Duration),
    /// The gate refused after an agent had been bothered.
    Refused(Hold),
    /// An event that the state does not know: a bug, or a driver out of step.
    Illegal(&'static str),
}

/// When the engine wants to be stepped again; whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wakeup {
    /// By the wall clock.
    pub wall: Option<Timestamp>,
    /// By the monotonic clock.
    pub mono: Option<Duration>,
}
