//! Commands from outside to the loops: what `http` sends and `dialer` and `reconcile` serve.

use tokio::sync::oneshot;

use crate::domain::{
    agent::{Availability, Begins, NotAllowed},
    audit::Deed,
    drift::Drift,
    ids::{AgentId, CampaignId, ContactRef, CustomerId, DoNotCallId, SourceId},
    overrides::Scope,
};

/// Most commands waiting for a loop; more than that and the sender is told to try again.
pub const QUEUE_LENGTH: usize = 256;

/// A command to the dialling loop.
#[derive(Debug)]
pub enum DialCommand {
    /// Sets what an agent is available for.
    SetAgent {
        /// The agent.
        agent: AgentId,
        /// What for.
        availability: Availability,
        /// When that begins.
        begins: Begins,
        /// Who asks, for the audit log.
        deed: Deed,
        /// Answered once it is in force and stored.
        reply: oneshot::Sender<Result<(), AgentError>>,
    },
    /// End the conversation that an agent is in.
    HangUp(AgentId),
    /// Hold what is under way against the store and the telephony side.
    Compare {
        /// Answered with what differs, once both have told; not at all if the store can't be read.
        reply: oneshot::Sender<Vec<Drift>>,
    },
    /// Put right what differs.
    Mend {
        /// What was found.
        found: Vec<Drift>,
    },
    /// Contacts were imported: look again.
    ContactsAdded {
        /// Into which campaign.
        campaign: CampaignId,
    },
    /// Overrides were made or ended: go by those in the store.
    Overridden {
        /// Of which campaigns calls that ring are cancelled.
        cancel_ringing: Option<Scope>,
        /// Answered once no call is placed against them.
        done: oneshot::Sender<()>,
    },
    /// A customer is to be erased: a call that rings is cancelled.
    CancelRinging {
        /// Of which campaign.
        campaign: CampaignId,
        /// Who.
        customer: CustomerId,
    },
    /// Contacts were edited or taken away, or a batch was paused or resumed: look again, and have what
    /// follows from it worked out.
    ContactsChanged {
        /// Of which campaign.
        campaign: CampaignId,
    },
    /// A business result changed a contact: forget what was known of it.
    ContactChanged {
        /// Of which campaign.
        campaign: CampaignId,
        /// Which one.
        contact: ContactRef,
    },
    /// Entries of a do-not-call list came or went: look again.
    DoNotCallChanged {
        /// Which list.
        list: DoNotCallId,
    },
}

/// Why an agent's state was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// Not in `agents.toml` of the commit in force.
    #[error("no agent \"{0}\" in the commit in force; see `dialops status`")]
    Unknown(AgentId),
    /// Not from that state, or not by whoever asks.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The store failed.
    #[error("the agent's state could not be stored; try again")]
    Store,
}

/// A command to the reconciling loop: look now. Answered when the look is done.
#[derive(Debug)]
pub struct ReconcileCommand {
    /// Echoed in the status once served.
    pub token: String,
    /// Who asks, for the journal.
    pub by: String,
    /// Of which source; all of them if none is named.
    pub source: Option<SourceId>,
    /// Take the branch's commit even if it does not follow the one in force (rewritten history).
    pub allow_rewrite: bool,
    /// Answered when the look is over, whatever it found.
    pub done: oneshot::Sender<()>,
}
