//! The store on SQLite: one writer with group commit, on a thread of its own, and a few readers.
//!
//! | file | what |
//! |---|---|
//! | `open` | instance lock, checks, migrations, the epoch |
//! | `writer` | the loop that turns what is queued into one transaction |
//! | `intent` `outcome` `business` `campaigns` `import` `batch` `customer` `day` | what the writer does |
//! | `journal` | what became of commits, and what has happened |
//! | `people` `audit` `keyed` | who is let in, who changed what, and writes that came with an idempotency key |
//! | `overrides` | what people decide against the files for a while |
//! | `questionnaire` | what attempts ask, and what was answered |
//! | `exports` `exported` | who asked for which export, and the rows that go into it |
//! | `dispatch` `outbox` | what others are to be told: callbacks and text messages |
//! | `do_not_call` | lists of numbers, and marks on the contacts that they hold |
//! | `place` | who is next: keys that compare as contacts are served |
//! | `orders` | the file beside the store's in which places of whole campaigns lie |
//! | `evaluate` `evaluation` `evaluations` `sorter` | a new definition, applied to all contacts beside dialling |
//! | `pause` `release` | the pause of a batch, and held contacts asked about anew, slice by slice |
//! | `stuck` | campaigns of which something fails, each waiting by itself |
//! | `contact` | contacts in their tables, and from when each is ready |
//! | `checkpoint` `tidy` | moving the log into the database, and clearing old places away, beside the writer |
//! | `readers` `background` | the connections that read, and threads behind all others |
//! | `read` `attempts` `listed` `kept` `leftover` | what they do |
//! | `statistic` | counts of attempts, kept up by the writer |
//! | `sql` `statements` | statements, bound and executed, and their rows |

mod attempts;
mod audit;
mod background;
mod batch;
mod business;
mod campaigns;
mod checkpoint;
mod contact;
mod customer;
mod day;
mod dispatch;
mod do_not_call;
mod evaluate;
mod evaluation;
mod evaluations;
mod exported;
mod exports;
mod fault;
mod files;
mod forgotten;
mod import;
mod intent;
mod journal;
mod kept;
mod keyed;
mod leftover;
mod listed;
mod open;
mod orders;
mod outbox;
mod outcome;
mod overrides;
mod pause;
mod people;
mod place;
mod questionnaire;
mod read;
mod readers;
mod release;
mod sorter;
mod sql;
mod statements;
mod statistic;
mod stuck;
mod swept;
mod tidy;
mod verified;
mod writer;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc, oneshot},
    task::{JoinError, JoinHandle},
};

pub use self::files::read_files;
use self::{
    background::Background,
    evaluation::Evaluation,
    fault::Fault,
    read::Found,
    readers::{Readers, blocking},
    statistic::{Count, Counting},
    writer::{Command, LONG_QUEUE, Reply, Shared, URGENT_QUEUE, Work, Writer},
};
#[cfg(test)]
pub(super) use self::{
    evaluation::SLICE,
    listed::OF_BATCH,
    read::READY,
    release::{ANY_SPENT, HELD},
};
use super::{
    Against, AppliedCommits, AttemptFilter, AttemptPage, AttemptPlace, AttemptRecord, Batch, BatchPage,
    BusinessDecision, BusinessRequest, COUNTED_AT_ONCE_MAX, CampaignChange, CandidatePage, ContactHistory, Counted,
    DoNotCallCounts, Entries, Evaluated, Event, FileChanges, GateSettings, HandledCommit, ImportOutcome,
    IntentDecision, IntentRequest, Lane, Leftovers, LegRecord, Listed, ListedNumber, ListingOutcome, Milestone,
    NewAuditEntry, Opener, OverrideRecord, Resealed, Settlement, Statistics, Step, Store, StoreError, StoredCampaign,
    StoredFiles, Tally, Today, Why, attributes, pseudonym::Pseudonyms,
};
use crate::{
    clock::Clock,
    domain::{
        agent::Availability,
        campaign::{Generation, KeptFile},
        contact::{Contact, ContactEdit, NewContact, Progress},
        do_not_call::NewEntry,
        drift::{Drift, calls::LiveRows, files::Copies},
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, DoNotCallId, Epoch, LegId, Revision},
        kept::counted,
        overrides::{NewOverride, Override, OverrideId, Overrides},
        phone::E164,
        statistics::Span,
    },
    telemetry::status::Verification,
};

/// How often the log is tried to be emptied, while others read from it.
const SCRUBS_MAX: u32 = 50;

/// The wait between two of these.
const SCRUB_AGAIN: Duration = Duration::from_millis(100);

/// Places that are taken away in one transaction: few, since intents wait meanwhile.
const SWEPT_AT_ONCE: usize = 2_000;

/// How often one page has contacts marked and looks again before it is given as it is.
const SCREENINGS_MAX: u32 = 3;

/// How often a page is read again since the order has changed meanwhile, or since it came past nobody who counts.
const LOOKS_MAX: u32 = 10;

/// Contacts that are marked in one transaction: few, since intents wait meanwhile.
const SCREENED_AT_ONCE: usize = 500;

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    dialog_key: [u8; 32],
    readers: Arc<Readers>,
    background: Arc<Background>,
    urgent: mpsc::Sender<Command>,
    long: mpsc::Sender<Command>,
    /// A definition that is being applied.
    evaluation: Arc<Mutex<Option<Evaluation>>>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// What is written down with each change.
    entry: Option<NewAuditEntry>,
}

impl SqliteStore {
    /// Opens the store at `path`, making it if it is not there, and takes its instance lock. Before
    /// the first [`Store::apply`] of this life every intent is refused.
    pub async fn open(
        path: &Path,
        opener: Opener,
        settings: GateSettings,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Self::open_here(&path, &opener, settings, clock)).await;
        let unopened = |error: JoinError| StoreError::Database { doing: "opening the store", source: Box::new(error) };
        opened.map_err(unopened)?
    }

    fn open_here(path: &Path, opener: &Opener, settings: GateSettings, clock: Clock) -> Result<Arc<Self>, StoreError> {
        let name = path.display().to_string();
        let opened = open::open(path, &name, opener, clock.now().wall)?;
        let pseudonyms = Pseudonyms::new(opened.pseudonym_key);
        let shared =
            Arc::new(Shared::new(name, opened.folder, opened.epoch, clock, settings, pseudonyms, opened.orders));
        let writer = Writer::new(opened.writer, shared.clone()).map_err(|fault| fault.told(&shared.name))?;
        let (urgent, urgent_queue) = mpsc::channel(URGENT_QUEUE);
        let (long, long_queue) = mpsc::channel(LONG_QUEUE);
        let lock = opened.lock;
        let (stop, stopped) = oneshot::channel();
        let queues = (urgent.downgrade(), long.downgrade());
        let readers = Arc::new(opened.readers);
        let checkpoints = checkpoint::run(opened.checkpoints, shared.clone(), readers.clone(), queues, stopped);
        let checkpoints = tokio::spawn(checkpoints);
        let (ended, end) = oneshot::channel();
        let runtime = Handle::current();
        // A thread of its own, since it waits for the disk.
        let served = thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            runtime.block_on(writer.run(urgent_queue, long_queue));
            let _ = ended.send(());
        });
        served.map_err(|error| shared.cannot_serve(&error))?;
        let background = Background::begin().map_err(|error| shared.cannot_serve(&error))?;
        let task = tokio::spawn(async move {
            // It may have stopped by itself.
            let _ = end.await;
            let _ = stop.send(());
            let _ = checkpoints.await;
            drop(lock);
        });
        let (dialog_key, writer) = (opened.dialog_key, Arc::new(Mutex::new(Some(task))));
        Ok(Arc::new(Self {
            shared,
            dialog_key,
            readers,
            background: Arc::new(background),
            urgent,
            long,
            evaluation: Arc::default(),
            writer,
            entry: None,
        }))
    }

    /// Makes the gate's memory wrong.
    #[cfg(test)]
    pub(super) fn forget_live_calls(&self) {
        self.shared.forget_live_calls();
    }

    /// Has a change made, and written down with who made it.
    async fn ask(&self, queue: &mpsc::Sender<Command>, work: Work) -> Result<Reply, StoreError> {
        self.hand_in(queue, work, self.entry.clone()).await
    }

    async fn hand_in(
        &self,
        queue: &mpsc::Sender<Command>,
        work: Work,
        entry: Option<NewAuditEntry>,
    ) -> Result<Reply, StoreError> {
        let (reply, answer) = oneshot::channel();
        queue.send(Command { work, entry, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// A definition could not be applied: it is begun anew, after a while.
    fn give_up(&self, campaign: &CampaignId, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Fenced(_) | StoreError::Closed) {
            return error;
        }
        let step = Step::Definition;
        let (failures, retry_in) = self.shared.failed(step, campaign);
        self.shared.give_up_evaluation(campaign);
        StoreError::Stuck { campaign: campaign.clone(), step, failures, retry_in, source: Box::new(error) }
    }

    async fn urgent(&self, work: Work) -> Result<(), StoreError> {
        self.ask(&self.urgent, work).await.map(drop)
    }

    /// Has something done that may make no difference; tells whether it did.
    async fn changed(&self, queue: &mpsc::Sender<Command>, work: Work) -> Result<bool, StoreError> {
        let reply = self.ask(queue, work).await?;
        if let Reply::Changed(changed) = reply { Ok(changed) } else { Err(StoreError::Closed) }
    }

    /// Has messages moved, and tells of their lanes, one for each.
    async fn moved(&self, work: Work) -> Result<Vec<Lane>, StoreError> {
        let Reply::Lanes(lanes) = self.ask(&self.long, work).await? else { return Err(StoreError::Closed) };
        self.shared.news.tell(lanes.iter().cloned());
        Ok(lanes)
    }

    /// Reads in one snapshot.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        Arc::clone(&self.readers).read(look).await.map_err(|fault| self.told(fault))
    }

    fn told(&self, fault: Fault) -> StoreError {
        fault.told(&self.shared.name)
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    fn dialog_key(&self) -> [u8; 32] {
        self.dialog_key
    }

    /// The figure that group commit keeps low.
    fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    async fn heartbeat(&self) -> Result<(), StoreError> {
        self.urgent(Work::Heartbeat).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.lock().await.take() else { return Ok(()) };
        self.readers.close().await;
        let orders = Arc::clone(&self.shared.orders);
        let ordered = blocking(move || orders.close()).await;
        if let Err(error) = &ordered {
            tracing::warn!(error = %error, "the order file did not close well: it is made anew at the next start");
        }
        let closed = self.urgent(Work::Close(ordered.is_ok())).await;
        if let Err(error) = writer.await {
            tracing::error!(error = %error, "the store's writer did not end well");
        }
        closed
    }

    async fn applied(&self) -> Result<Option<(Revision, Timestamp)>, StoreError> {
        self.read(read::applied).await
    }

    async fn applied_commits(&self) -> Result<AppliedCommits, StoreError> {
        self.read(read::applied_commits).await
    }

    async fn kept_files(&self) -> Result<BTreeMap<String, KeptFile>, StoreError> {
        self.read(files::all_kept).await
    }

    fn overrides(&self) -> Arc<Overrides> {
        self.shared.overrides()
    }

    async fn add_override(&self, new: NewOverride) -> Result<Arc<Override>, StoreError> {
        let reply = self.ask(&self.urgent, Work::AddOverride(Box::new(new))).await?;
        if let Reply::Overridden(made) = reply { Ok(made) } else { Err(StoreError::Closed) }
    }

    async fn end_override(&self, id: OverrideId, by: &str) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::EndOverride(id, by.to_owned())).await
    }

    async fn drifted_overrides(&self) -> Result<Vec<Drift>, StoreError> {
        let reply = self.ask(&self.urgent, Work::CompareOverrides).await?;
        if let Reply::Drifted(found) = reply { Ok(found) } else { Err(StoreError::Closed) }
    }

    async fn mend_overrides(&self, ids: &[OverrideId]) -> Result<(), StoreError> {
        self.urgent(Work::MendOverrides(ids.to_vec())).await
    }

    async fn override_records(
        &self,
        before: Option<OverrideId>,
        limit: u32,
    ) -> Result<Vec<OverrideRecord>, StoreError> {
        let now = self.shared.clock.now().wall;
        self.read(move |conn| overrides::records(conn, now, before, limit)).await
    }

    async fn approve(&self, revision: &Revision, by: &str) -> Result<(), StoreError> {
        self.urgent(Work::Approve(revision.clone(), by.to_owned())).await
    }

    async fn is_approved(&self, revision: &Revision) -> Result<bool, StoreError> {
        let revision = revision.clone();
        self.read(move |conn| read::is_approved(conn, &revision)).await
    }

    async fn put_files(&self, changes: FileChanges) -> Result<(), StoreError> {
        self.urgent(Work::PutFiles(changes)).await
    }

    async fn file_digests(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(files::digests).await
    }

    async fn copies(&self) -> Result<Copies, StoreError> {
        self.read(files::copies).await
    }

    async fn files(&self) -> Result<Option<StoredFiles>, StoreError> {
        self.read(files::all).await
    }

    async fn set_verified(&self, revision: &Revision, by: &Verification) -> Result<(), StoreError> {
        self.urgent(Work::SetVerified(revision.clone(), by.clone())).await
    }

    async fn verified(&self, revision: &Revision) -> Result<Option<Verification>, StoreError> {
        let revision = revision.clone();
        self.read(move |conn| verified::get(conn, &revision)).await
    }

    async fn campaigns(&self) -> Result<Vec<StoredCampaign>, StoreError> {
        self.read(read::campaigns).await
    }

    async fn apply(
        &self,
        generation: Arc<Generation>,
        changes: Vec<CampaignChange>,
        against: Against<'_>,
    ) -> Result<(), StoreError> {
        let against = match against {
            Against::Whatever => None,
            Against::Revision(revision) => Some(revision.cloned()),
        };
        self.ask(&self.long, Work::Apply(generation, changes, against)).await.map(drop)
    }

    async fn evaluate(&self) -> Result<Option<Evaluated>, StoreError> {
        let mut under_way = self.evaluation.lock().await;
        loop {
            if let Some(evaluation) = under_way.as_mut() {
                let piece = match evaluation.go_on(self).await {
                    Ok(piece) => piece,
                    Err(error) => {
                        let failed = self.give_up(evaluation.campaign(), error);
                        *under_way = None;
                        return Err(failed);
                    }
                };
                if piece.as_ref().is_none_or(|piece| piece.complete) {
                    *under_way = None;
                }
                if piece.is_some() {
                    return Ok(piece);
                }
            }
            match self.ask(&self.long, Work::Evaluate).await? {
                Reply::Evaluated(evaluated) => return Ok(evaluated),
                Reply::Began(evaluation) => *under_way = Some(*evaluation),
                _ => return Err(StoreError::Closed),
            }
        }
    }

    async fn candidates(&self, campaign: &CampaignId, now: Timestamp, limit: u32) -> Result<CandidatePage, StoreError> {
        let (mut screenings, mut looks) = (0, 0);
        loop {
            let (shared, of) = (Arc::clone(&self.shared), campaign.clone());
            let found: Found = self.read(move |conn| read::candidates(conn, &shared, &of, now, limit)).await?;
            // The order may be gone that it began to read.
            let again = found.evaluation != self.shared.evaluations(campaign).standing;
            // While many are called, places of theirs stand before everybody else's when a new order takes over.
            let in_vain = found.given_up && !found.stale.is_empty();
            if let Some(evaluation) = found.evaluation {
                if in_vain {
                    self.swept(evaluation, found.stale).await?;
                } else {
                    self.sweep(evaluation, found.stale);
                }
            }
            if (again || in_vain) && looks < LOOKS_MAX {
                looks += 1;
                continue;
            }
            let cut = !found.unscreened.is_empty();
            if !cut || screenings == SCREENINGS_MAX {
                return Ok(CandidatePage { cut, ..found.page });
            }
            screenings += 1;
            for slice in found.unscreened.chunks(SCREENED_AT_ONCE) {
                self.ask(&self.long, Work::Screen(campaign.clone(), slice.to_vec(), now)).await?;
            }
        }
    }

    async fn record_leg(&self, leg: LegRecord) -> Result<(), StoreError> {
        self.urgent(Work::Leg(Box::new(leg))).await
    }

    async fn record_intent(&self, request: IntentRequest) -> Result<IntentDecision, StoreError> {
        let reply = self.ask(&self.urgent, Work::Intent(Box::new(request))).await?;
        if let Reply::Decision(decision) = reply { Ok(decision) } else { Err(StoreError::Closed) }
    }

    async fn withdraw_intent(&self, attempt: AttemptId) -> Result<(), StoreError> {
        self.urgent(Work::Withdraw(attempt)).await
    }

    async fn note(&self, milestone: Milestone) -> Result<(), StoreError> {
        self.urgent(Work::Note(Box::new(milestone))).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        let Reply::Settled(changed) = self.ask(&self.urgent, Work::Settle(Box::new(settlement))).await? else {
            return Err(StoreError::Closed);
        };
        Ok(changed)
    }

    async fn set_business_result(&self, request: BusinessRequest) -> Result<BusinessDecision, StoreError> {
        let Reply::Business(decision) = self.ask(&self.urgent, Work::Business(Box::new(request))).await? else {
            return Err(StoreError::Closed);
        };
        Ok(decision)
    }

    async fn advance(&self, contact: ContactRef, version: u32, progress: Progress) -> Result<(), StoreError> {
        self.urgent(Work::Advance(contact, version, Box::new(progress))).await
    }

    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        let epoch = self.shared.epoch;
        self.read(move |conn| leftover::leftovers(conn, epoch)).await
    }

    async fn foreign_writes(&self) -> Result<u64, StoreError> {
        let reply = self.ask(&self.urgent, Work::ForeignWrites).await?;
        if let Reply::Count(writes) = reply { Ok(writes) } else { Err(StoreError::Closed) }
    }

    async fn live_rows(&self) -> Result<LiveRows, StoreError> {
        self.read(leftover::live_rows).await
    }

    async fn left_behind(&self, attempts: &[AttemptId], legs: &[LegId]) -> Result<Leftovers, StoreError> {
        let (attempts, legs) = (attempts.to_vec(), legs.to_vec());
        self.read(move |conn| leftover::left_behind(conn, &attempts, &legs)).await
    }

    async fn import(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        contacts: Vec<NewContact>,
    ) -> Result<ImportOutcome, StoreError> {
        let rows = contacts.into_iter().map(import::Row::new).collect();
        let reply = self.ask(&self.long, Work::Import(campaign.clone(), batch.clone(), rows)).await?;
        if let Reply::Imported(outcome) = reply { Ok(outcome) } else { Err(StoreError::Closed) }
    }

    async fn note_rejected(&self, campaign: &CampaignId, batch: &BatchId, rejected: u64) -> Result<(), StoreError> {
        self.ask(&self.long, Work::NoteRejected(campaign.clone(), batch.clone(), rejected)).await.map(drop)
    }

    async fn batches(&self, campaign: &CampaignId) -> Result<Vec<Batch>, StoreError> {
        let campaign = campaign.clone();
        self.read(move |conn| batch::all(conn, &campaign)).await
    }

    async fn pause_batch(&self, campaign: &CampaignId, batch: &BatchId, paused: bool) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::PauseBatch(campaign.clone(), batch.clone(), paused)).await
    }

    async fn edit(&self, campaign: &CampaignId, customer: &CustomerId, edit: ContactEdit) -> Result<bool, StoreError> {
        let work = Work::Edit(campaign.clone(), customer.clone(), Box::new(edit));
        self.changed(&self.urgent, work).await
    }

    async fn delete(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        self.gone(campaign, Work::Delete(campaign.clone(), customer.clone())).await
    }

    async fn erase(&self, campaign: &CampaignId, customer: &CustomerId) -> Result<(), StoreError> {
        self.gone(campaign, Work::Erase(campaign.clone(), customer.clone())).await
    }

    async fn reseal(&self, contacts: Vec<Resealed>) -> Result<u64, StoreError> {
        let values =
            contacts.iter().map(|c| (c.contact, attributes::text(&c.before), attributes::text(&c.after))).collect();
        let reply = self.ask(&self.long, Work::Reseal(values)).await?;
        if let Reply::Resealed(written) = reply { Ok(written) } else { Err(StoreError::Closed) }
    }

    async fn scrub(&self) -> Result<bool, StoreError> {
        for _ in 0..SCRUBS_MAX {
            let orders = Arc::clone(&self.shared.orders);
            let emptied = blocking(move || orders.scrub()).await.map_err(|fault| self.told(fault))?;
            if self.changed(&self.urgent, Work::Scrub).await? && emptied {
                return Ok(true);
            }
            tokio::time::sleep(SCRUB_AGAIN).await;
        }
        Ok(false)
    }

    async fn import_do_not_call(
        &self,
        list: &DoNotCallId,
        entries: Vec<NewEntry>,
    ) -> Result<ListingOutcome, StoreError> {
        let reply = self.ask(&self.long, Work::ImportDoNotCall(list.clone(), entries)).await?;
        if let Reply::Listed(outcome) = reply { Ok(outcome) } else { Err(StoreError::Closed) }
    }

    async fn remove_do_not_call(&self, list: &DoNotCallId, number: &E164) -> Result<bool, StoreError> {
        self.changed(&self.long, Work::RemoveDoNotCall(list.clone(), number.clone())).await
    }

    async fn do_not_call_counts(&self, now: Timestamp) -> Result<DoNotCallCounts, StoreError> {
        self.read(move |conn| do_not_call::counts(conn, now)).await
    }

    async fn do_not_call_page(
        &self,
        list: &DoNotCallId,
        after: Option<&E164>,
        limit: u32,
    ) -> Result<Vec<ListedNumber>, StoreError> {
        let list = list.clone();
        let after = after.cloned();
        self.read(move |conn| do_not_call::page(conn, &list, after.as_ref(), limit)).await
    }

    async fn contact(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
    ) -> Result<Option<ContactHistory>, StoreError> {
        let campaign = campaign.clone();
        let customer = customer.clone();
        self.read(move |conn| read::history(conn, &campaign, &customer)).await
    }

    async fn contacts_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Contact>, StoreError> {
        let campaign = campaign.clone();
        let after = after.cloned();
        self.read(move |conn| read::contacts_page(conn, &campaign, after.as_ref(), limit)).await
    }

    async fn listed_page(
        &self,
        campaign: &CampaignId,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError> {
        let campaign = campaign.clone();
        let after = after.cloned();
        self.read(move |conn| listed::campaign_page(conn, &campaign, after.as_ref(), limit)).await
    }

    async fn batch_page(
        &self,
        campaign: &CampaignId,
        batch: &BatchId,
        after: Option<ContactRef>,
        limit: u32,
    ) -> Result<BatchPage, StoreError> {
        let (campaign, batch) = (campaign.clone(), batch.clone());
        self.read(move |conn| listed::batch_page(conn, &campaign, &batch, after, limit)).await
    }

    async fn why(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<Why>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let campaign = campaign.clone();
        let customer = customer.clone();
        self.read(move |conn| read::why(conn, &shared, &campaign, &customer, now)).await
    }

    async fn attempts(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let campaign = campaign.clone();
        self.read(move |conn| attempts::by_id(conn, &campaign, after, limit)).await
    }

    async fn attempt_page(
        &self,
        campaign: &CampaignId,
        filter: &AttemptFilter,
        after: Option<AttemptPlace>,
        limit: u32,
    ) -> Result<AttemptPage, StoreError> {
        let (campaign, filter) = (campaign.clone(), filter.clone());
        self.read(move |conn| attempts::page(conn, &campaign, &filter, after, limit)).await
    }

    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError> {
        self.read(move |conn| attempts::one(conn, attempt)).await
    }

    async fn statistics(&self, campaign: Option<&CampaignId>, span: Span) -> Result<Statistics, StoreError> {
        let campaign = campaign.cloned();
        let first = move |conn: &Connection| Count::begin(conn, campaign.as_ref(), span)?.go_on(conn);
        let mut counting = self.read(first).await?;
        loop {
            match counting {
                Counting::Done(counted) => return Ok(*counted),
                Counting::More(count) => counting = self.read(move |conn| count.go_on(conn)).await?,
            }
        }
    }

    async fn attempts_of(&self, agent: &AgentId, limit: u32) -> Result<Vec<AttemptRecord>, StoreError> {
        let agent = agent.clone();
        self.read(move |conn| attempts::of_agent(conn, &agent, limit)).await
    }

    async fn today(&self, now: Timestamp) -> Result<Today, StoreError> {
        let generation = self.shared.generation();
        let Some(generation) = generation else { return Ok(Today::default()) };
        self.read(move |conn| day::today(conn, &generation.definitions.tenant, now)).await
    }

    async fn tally(&self, campaign: &CampaignId) -> Result<Tally, StoreError> {
        let campaign = campaign.clone();
        self.read(move |conn| read::tally(conn, &campaign)).await
    }

    async fn counts(&self, campaign: &CampaignId, now: Timestamp, most: u64) -> Result<Counted, StoreError> {
        let at_once = most.min(COUNTED_AT_ONCE_MAX);
        let (shared, id) = (Arc::clone(&self.shared), campaign.clone());
        let (tally, kept) = self.read(move |conn| kept::at_once(conn, &shared, &id, now, at_once)).await?;
        if kept.is_some() || tally.contacts > most {
            return Ok(Counted { tally, kept, at_once: true });
        }
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let (shared, campaign) = (Arc::clone(&self.shared), campaign.clone());
            let look = self.read(move |conn| kept::look(conn, &shared, &campaign, after, now));
            let Some((some, last)) = look.await? else { break };
            all.extend(some);
            after = last;
        }
        Ok(Counted { tally, kept: Some(counted(all)), at_once: false })
    }

    async fn availabilities(&self) -> Result<BTreeMap<AgentId, Availability>, StoreError> {
        self.read(read::availabilities).await
    }

    async fn set_availability(&self, agent: &AgentId, availability: Availability) -> Result<(), StoreError> {
        self.urgent(Work::Availability(agent.clone(), availability)).await
    }

    async fn journal(&self, entries: Entries) -> Result<(), StoreError> {
        self.ask(&self.long, Work::Journal(entries)).await.map(drop)
    }

    async fn handled_commits(&self, limit: u32) -> Result<Vec<HandledCommit>, StoreError> {
        self.read(move |conn| journal::commits(conn, limit)).await
    }

    async fn events(
        &self,
        after: Option<u64>,
        campaign: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<(u64, Event)>, StoreError> {
        let campaign = campaign.cloned();
        self.read(move |conn| journal::events(conn, after, campaign.as_ref(), limit)).await
    }
}
