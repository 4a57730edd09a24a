//! Durable facts, in domain verbs.
//!
//! One writer gathers claims, intents and outcomes into one transaction (group commit); readers
//! never wait for it. The gate runs inside the transaction that records an intent. Three things
//! here share one trait and one conformance suite: `sqlite`, its in-memory twin `memory`, and later
//! a server database.

use std::{collections::BTreeMap, fmt, ops::AddAssign, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

mod attributes;
pub mod audit;
mod batch;
mod business;
#[cfg(test)]
mod conformance;
mod dispatch;
mod do_not_call;
mod error;
mod exports;
mod files;
mod journal;
pub mod keyed;
mod leftovers;
pub mod memory;
mod override_record;
pub mod people;
mod pseudonym;
pub mod questionnaire;
mod results;
mod row;
pub mod sqlite;

pub use self::{
    audit::NewAuditEntry,
    batch::{Batch, BatchPage, BatchTally, Listed},
    business::{BusinessDecision, BusinessRecord, BusinessRequest, Today},
    dispatch::{
        AllDispatchCounts, Channel, DispatchCounts, DispatchEvent, DispatchFacts, DispatchFilter, DispatchId,
        DispatchRecord, DispatchState, Dispatches, Lane, LanePage, News, TRIED_FOR, Tried, Waiting,
    },
    do_not_call::{DoNotCallCounts, ListCount, ListedNumber, ListingOutcome},
    error::StoreError,
    exports::{ExportFile, ExportRecord, ExportStep, ExportedAttempt, ExportedContact, Exports, NewExport},
    files::{AppliedCommits, FileChanges, FilesOf, StoredFiles, file_digest, inside},
    journal::{COMMITS_KEPT, CommitResult, EVENTS_KEPT, Entries, Event, EventKind, HandledCommit},
    leftovers::{LeftoverAttempt, LeftoverLeg, Leftovers, Unreadable},
    override_record::{OverrideEnd, OverrideRecord},
    results::{AttemptFilter, AttemptPage, AttemptPlace, BusinessWanted, LastAttempt, RevisionPrefix, Statistics},
};
use crate::domain::{
    agent::Availability,
    attribute::Attributes,
    business::BusinessKey,
    call::{Destination, LegIdentity},
    campaign::{DesiredState, Generation, KeptFile},
    contact::{Contact, ContactEdit, NewContact, Progress},
    do_not_call::{Entry, NewEntry},
    drift::{Drift, calls::LiveRows, files::Copies},
    ids::{
        AgentId, AttemptId, BatchId, CampaignId, CategoryId, ContactRef, CustomerId, DoNotCallId, Epoch, LegId,
        Revision, TrunkId,
    },
    kept::Kept,
    order::Next,
    overrides::{NewOverride, Override, OverrideId, Overrides},
    phone::E164,
    reason::Hold,
    results::CallResult,
    statistics::Span,
};
pub use crate::domain::{
    facts::GateSettings,
    intent::{CandidatePage, RecordedIntent, Settlement},
};
use crate::telemetry::status::Verification;

/// What is done for a campaign after a commit has changed it, beside dialling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Its contacts are released from lists that it follows no longer.
    Lists,
    /// Those whom a cap holds are asked about anew.
    Holds,
    /// Its definition is applied to its contacts.
    Definition,
    /// The pause of a batch is.
    Pause,
    /// Those are found whom time has made stand otherwise.
    Wake,
}

impl Step {
    /// What it does, as half a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lists => "releasing contacts from a list",
            Self::Holds => "releasing held contacts",
            Self::Definition => "applying the definition to contacts",
            Self::Pause => "applying the pause of a batch",
            Self::Wake => "waking contacts",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// While what is in force a generation may be put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against<'a> {
    /// What is applied holds whatever is.
    Whatever,
    /// Only while this is, or nothing: what was planned against it is wrong by any other.
    Revision(Option<&'a Revision>),
}

/// Who opens a store; kept with the epoch, so every attempt can name its daemon.
#[derive(Debug, Clone)]
pub struct Opener {
    /// Version of the daemon.
    pub daemon_version: String,
    /// Version of the bundled time zone database.
    pub tzdb_version: String,
    /// Digest of the settings file.
    pub settings_digest: String,
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
}

/// A campaign as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCampaign {
    /// Identity.
    pub id: CampaignId,
    /// Name shown to people.
    pub name: String,
    /// State asked for by the revision in force.
    pub desired: DesiredState,
    /// Commit that last changed its definition.
    pub revision: Revision,
    /// Digest of the definition, to see whether a commit changes it.
    pub digest: String,
    /// Whether its file is gone, and its grace over.
    pub retired: bool,
    /// When its file was found to be gone, if it is.
    pub removed_at: Option<Timestamp>,
    /// Its `ends_at` that was last in force; `None` for one that nothing has changed since a store of an
    /// earlier version.
    pub ends_at: Option<Timestamp>,
    /// The do-not-call lists that it follows.
    pub do_not_call: Vec<DoNotCallId>,
    /// Whether a value of the row can't be read; it then stands as paused, of no known definition.
    pub damaged: bool,
}

/// One step of reconciling, already decided by `domain::plan`; a plan's changes are one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignChange {
    /// Adds it, or brings a retired one back with its history.
    Put {
        /// Identity.
        id: CampaignId,
        /// Digest of the new definition.
        digest: String,
    },
    /// Writes its row anew that had come to differ; the commit that last changed its definition stays what it was.
    Mend {
        /// Identity.
        id: CampaignId,
        /// Digest of its definition.
        digest: String,
    },
    /// Its file is gone: pauses it, until it retires or its file is back.
    Remove {
        /// Identity.
        id: CampaignId,
    },
    /// Marks it as gone; results stay.
    Retire {
        /// Identity.
        id: CampaignId,
    },
}

/// A leg that exists or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegRecord {
    /// Our id.
    pub leg: LegId,
    /// Whom it calls.
    pub destination: Destination,
    /// Its identifiers.
    pub identity: LegIdentity,
}

/// Asks for an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRequest {
    /// The attempt's id, made by the engine.
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
    /// The number to show.
    pub caller_number: E164,
    /// The held agent.
    pub agent: AgentId,
    /// The trunk.
    pub trunk: TrunkId,
    /// The customer's leg, as it will be sent.
    pub leg: LegRecord,
}

/// What the writer answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentDecision {
    /// Durable: the INVITE may leave.
    Recorded(Box<RecordedIntent>),
    /// The gate refused; nothing was written but, for a cap with a release time or a do-not-call list,
    /// until when the number is held.
    Refused(Hold),
}

/// A milestone of a live attempt, written without anyone waiting for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "short-lived, and the large variant is the common one")]
pub enum Milestone {
    /// The leg's identifiers changed, or it began to ring.
    Leg {
        /// Which leg.
        leg: LegId,
        /// Its identifiers now.
        identity: LegIdentity,
        /// Whether it rings, or has rung.
        rang_at: Option<Timestamp>,
        /// Whether it has been answered.
        answered_at: Option<Timestamp>,
    },
    /// Customer and agent heard each other.
    Connected {
        /// Which attempt.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
    },
    /// The leg is over.
    LegEnded {
        /// Which leg.
        leg: LegId,
    },
}

/// An attempt, for results and `why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Which attempt.
    pub attempt: AttemptId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The customer.
    pub customer: CustomerId,
    /// The batch that the customer came with.
    pub batch: BatchId,
    /// Index of the number, from 0.
    pub number_index: usize,
    /// Its category then; `None` for one of an earlier version whose number has been edited since.
    pub category: Option<CategoryId>,
    /// The number called; `None` once it was erased.
    pub number: Option<E164>,
    /// The business rule that placed it; `None` for the result policy.
    pub rule: Option<BusinessKey>,
    /// The number shown.
    pub caller_number: E164,
    /// The held agent.
    pub agent: AgentId,
    /// The trunk.
    pub trunk: TrunkId,
    /// When its intent was recorded.
    pub placed_at: Timestamp,
    /// When the customer's phone began to ring.
    pub rang_at: Option<Timestamp>,
    /// When the customer answered.
    pub answered_at: Option<Timestamp>,
    /// When the agent was connected.
    pub connected_at: Option<Timestamp>,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<Timestamp>,
    /// How it ended; `None` while it is live.
    pub result: Option<CallResult>,
    /// The seed system's five-digit code.
    pub fail_code: Option<String>,
    /// SIP status.
    pub sip_status: Option<u16>,
    /// Q.850 cause.
    pub q850: Option<u8>,
    /// The business result that was last set for it.
    pub business: Option<BusinessKey>,
    /// The commit it was placed under.
    pub revision: Revision,
    /// Version of the daemon that placed it.
    pub daemon_version: String,
    /// Its time zone database.
    pub tzdb_version: String,
    /// Digest of its settings.
    pub settings_digest: String,
    /// Version of the do-not-call lists that the gate read.
    pub do_not_call_version: u64,
    /// The overrides that it was placed under.
    pub overrides: Vec<OverrideId>,
}

/// What became of a batch of imported contacts, by position in the batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportOutcome {
    /// New contacts.
    pub added: u64,
    /// Contacts that were there already, the same.
    pub unchanged: u64,
    /// Positions of contacts that are there already with other values; left as they are.
    pub conflicting: Vec<usize>,
}

/// Ids of contacts among which one call of [`Store::evaluate`] looks for those of a batch or a campaign, and one of
/// [`Store::batch_page`] for those of a batch.
const BATCH_WINDOW: i64 = 20_000;

/// A contact whose encrypted attributes are to be written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Which contact.
    pub contact: ContactRef,
    /// Its attributes as they were read.
    pub before: Attributes,
    /// The same under the key of now.
    pub after: Attributes,
}

/// Contacts that one call of [`Store::evaluate`] looks at.
const EVALUATION_SLICE: i64 = 1_000;

/// Contacts that one call of it releases from lists or from a pause, or wakes: few, since intents wait
/// meanwhile.
const RELEASE_SLICE: i64 = 200;

/// A definition, or the pause of a batch, has been applied to some contacts, or some were released from lists
/// that their campaign follows no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Of which campaign.
    pub campaign: CampaignId,
    /// How many of them are no longer held; or once a definition has been applied to all, how many that
    /// have not ended it leaves in.
    pub admitted: u64,
    /// Whether that is all of them: from now on their order is the new one.
    pub complete: bool,
}

/// Counts of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// All contacts.
    pub contacts: u64,
    /// Contacts not ended and never called.
    pub fresh: u64,
    /// Contacts not ended that have been called.
    pub in_progress: u64,
    /// Contacts not ended that the filter leaves out, 0 while a new one is being applied to them; `fresh` and
    /// `in_progress` count them too.
    pub filtered_out: u64,
    /// Contacts not ended that only the pause of their batch leaves out; likewise.
    pub paused: u64,
    /// Ended contacts, by how.
    pub ended: BTreeMap<&'static str, u64>,
    /// Ended attempts by result.
    pub attempts: BTreeMap<CallResult, u64>,
    /// Attempts without an outcome.
    pub live: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.contacts += other.contacts;
        self.fresh += other.fresh;
        self.in_progress += other.in_progress;
        self.filtered_out += other.filtered_out;
        self.paused += other.paused;
        self.live += other.live;
        for (how, n) in other.ended {
            *self.ended.entry(how).or_default() += n;
        }
        for (result, n) in other.attempts {
            *self.attempts.entry(result).or_default() += n;
        }
    }
}

/// Contacts of a campaign up to which [`Store::counts`] reads all of one instant: more of them take so long that the
/// log can't shrink meanwhile.
pub const COUNTED_AT_ONCE_MAX: u64 = 100_000;

/// Counts of a campaign, and of its contacts by what keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Contacts and attempts.
    pub tally: Tally,
    /// Contacts that have not ended, by what keeps them; nobody is of a retired campaign. `None` if there are more
    /// than were to be looked at.
    pub kept: Option<Vec<Kept>>,
    /// Whether all of it is of one instant; else contacts may have moved while they were looked at.
    pub at_once: bool,
}

/// A contact with all its attempts, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactHistory {
    /// The contact.
    pub contact: Contact,
    /// The batch that it came with.
    pub batch: BatchId,
    /// Its attempts.
    pub attempts: Vec<AttemptRecord>,
    /// Business results that were set for it.
    pub business: Vec<BusinessRecord>,
}

/// What happened to a contact and what will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The past.
    pub history: ContactHistory,
    /// The entry of a do-not-call list that holds each number, by index.
    pub do_not_call: Vec<Option<Entry>>,
    /// What it needs next; `None` once it has ended, and while nothing can come.
    pub next: Option<Next>,
    /// What holds that back now, or keeps anything from coming; `None` if only a free agent is missing.
    pub hold: Option<Hold>,
}

/// Durable facts. Implementations are opened by their own functions, which take the instance lock.
#[async_trait]
pub trait Store:
    people::People + audit::Audit + keyed::KeyedRequests + questionnaire::Questionnaires + Exports
{
    /// This life's epoch.
    fn epoch(&self) -> Epoch;

    /// 32 random bytes made with the store: the key from which dialog identifiers derive.
    fn dialog_key(&self) -> [u8; 32];

    /// Transactions committed in this life, for metrics; 0 where there are none.
    fn commits(&self) -> u64 {
        0
    }

    /// Renews the hold on the store; [`StoreError::Fenced`] when another daemon took it.
    async fn heartbeat(&self) -> Result<(), StoreError>;

    /// Gives the store up, after everything handed in has been written.
    async fn close(&self) -> Result<(), StoreError>;

    /// The revision of the generation in force, and when it was applied.
    async fn applied(&self) -> Result<Option<(Revision, Timestamp)>, StoreError>;

    /// The commit of each source that is in force, and when it came into force.
    async fn applied_commits(&self) -> Result<AppliedCommits, StoreError>;

    /// Files that are in force as an earlier commit has them, by path; see [`Generation::kept`].
    async fn kept_files(&self) -> Result<BTreeMap<String, KeptFile>, StoreError>;

    /// Overrides that were not ended by hand, as of the newest that is durable; the gate reads the same.
    fn overrides(&self) -> Arc<Overrides>;

    /// Stores an override: from the moment this returns the gate goes by it, in every later life too.
    async fn add_override(&self, new: NewOverride) -> Result<Arc<Override>, StoreError>;

    /// Ends an override before its time; whether it was in force.
    async fn end_override(&self, id: OverrideId, by: &str) -> Result<bool, StoreError>;

    /// Where rows of overrides differ from the overrides that hold.
    async fn drifted_overrides(&self) -> Result<Vec<Drift>, StoreError>;

    /// Writes rows of overrides as these hold; one that does not hold is ended.
    async fn mend_overrides(&self, ids: &[OverrideId]) -> Result<(), StoreError>;

    /// The newest `limit` overrides, past ones too, newest first.
    async fn override_records(&self, before: Option<OverrideId>, limit: u32)
    -> Result<Vec<OverrideRecord>, StoreError>;

    /// Lets a commit in although it takes away many campaigns.
    async fn approve(&self, revision: &Revision, by: &str) -> Result<(), StoreError>;

    /// Whether a commit was let in by [`Self::approve`], or has been in force before.
    async fn is_approved(&self, revision: &Revision) -> Result<bool, StoreError>;

    /// Has files be kept as they are in force, some at a time; until the last of them come they count as none.
    async fn put_files(&self, changes: FileChanges) -> Result<(), StoreError>;

    /// Digests ([`file_digest`]) of the files that are kept, by path in the repository.
    async fn file_digests(&self) -> Result<BTreeMap<String, String>, StoreError>;

    /// What is kept of the files in force, with digests of what stands there now, whoever wrote it.
    async fn copies(&self) -> Result<Copies, StoreError>;

    /// The files that are in force, if all of them are kept.
    async fn files(&self) -> Result<Option<StoredFiles>, StoreError>;

    /// Keeps who signed a commit that is about to come into force; what was kept first stays.
    async fn set_verified(&self, revision: &Revision, by: &Verification) -> Result<(), StoreError>;

    /// Who signed a commit, if that was kept.
    async fn verified(&self, revision: &Revision) -> Result<Option<Verification>, StoreError>;

    /// All campaigns, retired ones too.
    async fn campaigns(&self) -> Result<Vec<StoredCampaign>, StoreError>;

    /// Rises whenever anybody else has written into the store; so who reads rows only then misses nothing.
    async fn foreign_writes(&self) -> Result<u64, StoreError>;

    /// What is live by the rows, whatever life it is of.
    async fn live_rows(&self) -> Result<LiveRows, StoreError>;

    /// Of these, the attempts without an outcome and the legs without an end, whatever life they are of.
    async fn left_behind(&self, attempts: &[AttemptId], legs: &[LegId]) -> Result<Leftovers, StoreError>;

    /// Puts a generation in force in one transaction: from the moment this returns the gate uses
    /// its definitions. Doing it again changes nothing. Refused with [`StoreError::Moved`] if another revision is in
    /// force than the changes were planned against.
    async fn apply(
        &self,
        generation: Arc<Generation>,
        changes: Vec<CampaignChange>,
        against: Against<'_>,
    ) -> Result<(), StoreError>;

    /// Applies definitions, and pauses of batches, that have changed to some contacts, and releases some from
    /// lists that are followed no longer; `None` once there are none left. Until a definition has been applied
    /// to all contacts of a campaign, candidates are in the order of the one before, without those whom the new
    /// filter leaves out.
    async fn evaluate(&self) -> Result<Option<Evaluated>, StoreError>;

    /// Up to `limit` contacts that are ready at `now`, and for which the filter in force holds. Contacts
    /// with numbers on do-not-call lists that stand in the way are marked as held, each once.
    async fn candidates(&self, campaign: &CampaignId, now: Timestamp, limit: u32) -> Result<CandidatePage, StoreError>;

    /// Stores a leg before it is dialled; returns once durable against the death of the process.
    async fn record_leg(&self, leg: LegRecord) -> Result<(), StoreError>;

    /// Runs the gate at the writer's own instant and, if it admits, records the intent; returns once
    /// durable against loss of power.
    async fn record_intent(&self, request: IntentRequest) -> Result<IntentDecision, StoreError>;

    /// Takes back an intent whose INVITE never left; the attempt is gone, and counts nowhere.
    async fn withdraw_intent(&self, attempt: AttemptId) -> Result<(), StoreError>;

    /// Writes a milestone; returns once written.
    async fn note(&self, milestone: Milestone) -> Result<(), StoreError>;

    /// Ends an attempt and moves its contact on, whose version rises by exactly one; doing it again
    /// changes nothing. Business results that were set during the call take effect with it: if they
    /// change the contact once more, the answer is `true` and the version higher. Settlements and
    /// intents are served in the order in which they were handed in.
    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError>;

    /// Records a business result, checked against the definitions in force, and has it take effect: at
    /// once, or with the end of the call that the contact is in.
    async fn set_business_result(&self, request: BusinessRequest) -> Result<BusinessDecision, StoreError>;

    /// Writes progress that no attempt caused (a number whose days passed); refused as stale by
    /// doing nothing when the contact's version is not `version`.
    async fn advance(&self, contact: ContactRef, version: u32, progress: Progress) -> Result<(), StoreError>;

    /// What earlier lives left.
    async fn leftovers(&self) -> Result<Leftovers, StoreError>;

    /// Adds contacts to a batch of a campaign, in one transaction. Those who are in the campaign already
    /// stay in the batch that they are in.
    async fn import(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        contacts: Vec<NewContact>,
    ) -> Result<ImportOutcome, StoreError>;

    /// Notes how many rows an import of a batch has left out.
    async fn note_rejected(&self, campaign: &CampaignId, batch: &BatchId, rejected: u64) -> Result<(), StoreError>;

    /// A campaign's batches, oldest first.
    async fn batches(&self, campaign: &CampaignId) -> Result<Vec<Batch>, StoreError>;

    /// Pauses a batch or lets it go on; tells whether that changed anything. From the moment this returns
    /// the gate holds its contacts, and candidates are without them.
    async fn pause_batch(&self, campaign: &CampaignId, batch: &BatchId, paused: bool) -> Result<bool, StoreError>;

    /// Changes a contact that is not in a call; tells whether that made a difference. Its version rises by
    /// one, and how it stands is found out anew.
    async fn edit(&self, campaign: &CampaignId, customer: &CustomerId, edit: ContactEdit) -> Result<bool, StoreError>;

    /// Takes away a contact that nobody has ever called.
    async fn delete(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError>;

    /// Takes away everything personal of a contact that is not in a call, and of its attempts. Both stay
    /// for the counts; of the numbers that were called a keyed hash stays, by which caps go on.
    async fn erase(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError>;

    /// Writes attributes anew whose values were encrypted under another key, in one transaction, but those that have
    /// changed since the contact was read; tells how many it wrote. That is no change of a contact. Intents wait
    /// meanwhile, so give it few at a time.
    async fn reseal(&self, contacts: Vec<Resealed>) -> Result<u64, StoreError>;

    /// Overwrites what was deleted where the store still has it, its log; tells whether that could be
    /// done now.
    async fn scrub(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Adds entries to a do-not-call list, in one transaction; of several for a number the last counts.
    /// From the moment this returns the gate refuses their numbers.
    async fn import_do_not_call(
        &self,
        list: &DoNotCallId,
        entries: Vec<NewEntry>,
    ) -> Result<ListingOutcome, StoreError>;

    /// Takes a number off a do-not-call list, and releases who was held by it; whether it was there.
    async fn remove_do_not_call(&self, list: &DoNotCallId, number: &E164) -> Result<bool, StoreError>;

    /// How much the do-not-call lists hold at `now`.
    async fn do_not_call_counts(&self, now: Timestamp) -> Result<DoNotCallCounts, StoreError>;

    /// Entries of a do-not-call list by number, those after `after`, at most `limit`.
    async fn do_not_call_page(
        &self,
        list: &DoNotCallId,
        after: Option<&E164>,
        limit: u32,
    ) -> Result<Vec<ListedNumber>, StoreError>;

    /// One contact with its attempts.
    async fn contact(&self, campaign: &CampaignId, customer: &CustomerId)
    -> Result<Option<ContactHistory>, StoreError>;

    /// A campaign's contacts by customer, those after `after`, at most `limit`: a short look, so that
    /// going through all of them holds nothing up.
    async fn contacts_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Contact>, StoreError>;

    /// The same with what lists show beside them.
    async fn listed_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError>;

    /// A batch's contacts as they came in, those behind `after`, at most `limit`. A page may be short, even empty,
    /// and have a next one: it is found among the ids that the batch spans, so many of them at a time.
    async fn batch_page(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        after: Option<ContactRef>,
        limit: u32,
    ) -> Result<BatchPage, StoreError>;

    /// What happened to a contact, what comes next and what holds it: the gate's own facts, read at
    /// `now`, and its own answer.
    async fn why(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<Why>, StoreError>;

    /// A campaign's attempts by id, those after `after`, at most `limit`.
    async fn attempts(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, StoreError>;

    /// A campaign's attempts as they were placed, those behind `after` for which the filter holds, at most `limit`: a
    /// short look, so that going through all of them holds nothing up. A page may be short, even empty, and have a next
    /// one, if many were gone past that are not wanted.
    async fn attempt_page(
        &self,
        campaign: &CampaignId,
        filter: &AttemptFilter,
        after: Option<AttemptPlace>,
        limit: u32,
    ) -> Result<AttemptPage, StoreError>;

    /// One attempt.
    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError>;

    /// Counts of one campaign or of all, with the calls of a span; in many looks, each of a bounded number of rows.
    async fn statistics(&self, campaign: Option<&CampaignId>, span: Span) -> Result<Statistics, StoreError>;

    /// An agent's newest attempts, newest first, at most `limit`.
    async fn attempts_of(&self, agent: &AgentId, limit: u32) -> Result<Vec<AttemptRecord>, StoreError>;

    /// What came of the calls of the day that `now` is in.
    async fn today(&self, now: Timestamp) -> Result<Today, StoreError>;

    /// Counts of a campaign.
    async fn tally(&self, campaign: &CampaignId) -> Result<Tally, StoreError>;

    /// The same, and how many of its contacts are kept by what at `now`, if it has at most `most`: all of one
    /// instant up to [`COUNTED_AT_ONCE_MAX`], else in many looks.
    async fn counts(&self, campaign: &CampaignId, now: Timestamp, most: u64) -> Result<Counted, StoreError>;

    /// What agents last asked for.
    async fn availabilities(&self) -> Result<BTreeMap<AgentId, Availability>, StoreError>;

    /// Stores what an agent asks for.
    async fn set_availability(&self, agent: &AgentId, availability: Availability) -> Result<(), StoreError>;

    /// Adds to the journal, in one transaction; of either kind of entry the newest are kept, [`COMMITS_KEPT`] and
    /// [`EVENTS_KEPT`].
    async fn journal(&self, entries: Entries) -> Result<(), StoreError>;

    /// Commits that were handled, newest first, at most `limit`.
    async fn handled_commits(&self, limit: u32) -> Result<Vec<HandledCommit>, StoreError>;

    /// What has happened, to one campaign if that is given, oldest first and with ids that rise: the first `limit`
    /// after the event `after`, or without it the newest `limit`.
    async fn events(
        &self,
        after: Option<u64>,
        campaign: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<(u64, Event)>, StoreError>;
}
