//! The one writer: whatever is queued becomes one transaction, answered once it is durable.
//!
//! Urgent work (intents, outcomes, milestones) is served in the order in which it was handed in;
//! long work (imports, generations) goes one piece a transaction, behind it.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    audit, batch, business, campaigns,
    contact::{self, Rules, column},
    customer, dispatch, do_not_call, evaluate,
    evaluation::Evaluation,
    evaluations::{Evaluations, UnderWay},
    exports,
    fault::{Doing, Fault},
    files, import, intent, journal,
    keyed::{self, Keyed},
    open::BUSY_TIMEOUT,
    orders::Orders,
    outcome, overrides, people,
    place::{self, Stale},
    questionnaire, sql,
    statements::Statements,
    stuck::Stuck,
    verified,
};
use crate::{
    clock::Clock,
    domain::{
        agent::Availability,
        campaign::{Campaign, Generation},
        contact::{ContactEdit, Progress},
        do_not_call::NewEntry,
        drift::Drift,
        export::ExportId,
        facts::ledger::{Ledger, monotonic},
        ids::{AgentId, AttemptId, BatchId, CampaignId, ContactRef, CustomerId, DoNotCallId, Epoch, Revision},
        overrides::{NewOverride, Override, OverrideId, Overrides},
        phone::E164,
    },
    store::{
        BusinessDecision, BusinessRequest, CampaignChange, DispatchFilter, DispatchId, Entries, Evaluated, FileChanges,
        GateSettings, ImportOutcome, IntentDecision, IntentRequest, Lane, LegRecord, ListingOutcome, Milestone,
        NewAuditEntry, News, Settlement, StoreError, Tried,
        exports::numbered,
        keyed::Admitted,
        pseudonym::Pseudonyms,
        questionnaire::{AnswersDecision, SaveAnswers},
        row::micros,
    },
    telemetry::status::Verification,
};

/// Most urgent pieces of work in one transaction: more gains little and costs latency.
const BATCH_MAX: usize = 100;

/// How long who reads is waited for when the log is emptied.
const SCRUB_PATIENCE: Duration = Duration::from_millis(50);

/// Urgent work that may wait; then who hands in more waits.
pub(super) const URGENT_QUEUE: usize = 1024;

/// Long work that may wait.
pub(super) const LONG_QUEUE: usize = 8;

/// What the writer may be asked.
pub(super) enum Work {
    Heartbeat,
    Keyed(Keyed),
    ForeignWrites,
    Checkpoint,
    /// Whether the order file is on the disk.
    Close(bool),
    Intent(Box<IntentRequest>),
    Withdraw(AttemptId),
    Leg(Box<LegRecord>),
    Note(Box<Milestone>),
    Settle(Box<Settlement>),
    Business(Box<BusinessRequest>),
    Answers(Box<SaveAnswers>),
    Advance(ContactRef, u32, Box<Progress>),
    Availability(AgentId, Availability),
    /// `None` against whatever is in force.
    Apply(Arc<Generation>, Vec<CampaignChange>, Option<Option<Revision>>),
    AddOverride(Box<NewOverride>),
    EndOverride(OverrideId, String),
    CompareOverrides,
    MendOverrides(Vec<OverrideId>),
    Approve(Revision, String),
    SetVerified(Revision, Verification),
    PutFiles(FileChanges),
    Import(CampaignId, BatchId, Vec<import::Row>),
    NoteRejected(CampaignId, BatchId, u64),
    PauseBatch(CampaignId, BatchId, bool),
    Edit(CampaignId, CustomerId, Box<ContactEdit>),
    Delete(CampaignId, CustomerId),
    Erase(CampaignId, CustomerId),
    Reseal(Vec<(ContactRef, Option<String>, Option<String>)>),
    Scrub,
    Evaluate,
    Complete(i64, Arc<UnderWay>),
    Sweep(i64, Vec<Vec<u8>>),
    Clear,
    ImportDoNotCall(DoNotCallId, Vec<NewEntry>),
    RemoveDoNotCall(DoNotCallId, E164),
    Screen(CampaignId, Vec<ContactRef>, Timestamp),
    Journal(Entries),
    People(Box<people::Change>),
    Exports(Box<exports::Change>),
    Audit(NewAuditEntry),
    Claim(DispatchId),
    Tried(DispatchId, Tried),
    ParkOverdue,
    RetryDispatches(DispatchFilter, u32),
    DropDispatches(DispatchFilter, String, u32),
}

/// What it answers.
pub(super) enum Reply {
    Done,
    Decision(IntentDecision),
    /// Whether a business result changed the contact once more.
    Settled(bool),
    Business(BusinessDecision),
    Answers(AnswersDecision),
    Imported(ImportOutcome),
    Evaluated(Option<Evaluated>),
    /// A definition is to be applied.
    Began(Box<Evaluation>),
    /// How many open contacts a definition leaves in that has been applied; `None` if it was given up.
    Completed(Option<u64>),
    /// Whether there was something to do.
    Changed(bool),
    Listed(ListingOutcome),
    /// How many contacts were written anew.
    Resealed(u64),
    /// How many there were.
    Count(u64),
    /// Lanes in which something has changed, one for each change.
    Lanes(Vec<Lane>),
    Overridden(Arc<Override>),
    /// What differs.
    Drifted(Vec<Drift>),
    /// A contact of which places may be left.
    Gone(ContactRef),
    /// How a request with an idempotency key stands.
    Keyed(Admitted),
    /// The number that an export got.
    Exported(ExportId),
}

/// A piece of work, and who waits for it.
pub(super) struct Command {
    /// What to do.
    pub(super) work: Work,
    /// What is written down with it, if it changes anything.
    pub(super) entry: Option<NewAuditEntry>,
    /// Answered once the work is durable.
    pub(super) reply: oneshot::Sender<Result<Reply, StoreError>>,
}

/// What the writer and the readers share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Shown in messages.
    pub(super) name: String,
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// This life.
    pub(super) epoch: Epoch,
    /// Read at each decision.
    pub(super) clock: Clock,
    /// What the gate needs besides rows.
    pub(super) settings: GateSettings,
    /// What stands for erased numbers.
    pub(super) pseudonyms: Pseudonyms,
    /// Live calls.
    ledger: Mutex<Ledger>,
    /// The definitions in force.
    generation: Mutex<Option<Arc<Generation>>>,
    /// The overrides that were not ended by hand.
    overrides: Mutex<Arc<Overrides>>,
    /// What contacts of each campaign stand by.
    evaluations: Mutex<BTreeMap<CampaignId, Evaluations>>,
    /// Campaigns of which something fails.
    stuck: Mutex<Stuck>,
    /// Orders of all contacts.
    pub(super) orders: Arc<Orders>,
    /// Places of it are being taken away.
    sweeping: Arc<AtomicBool>,
    /// There may be places that nobody reads.
    pub(super) untidy: AtomicBool,
    /// Transactions that were committed.
    pub(super) commits: AtomicU64,
    /// Lanes in which something new is to be sent.
    pub(super) news: Arc<News>,
}

impl Shared {
    /// What a life begins with: no definitions, and a ledger that is yet to be read.
    pub(super) fn new(
        name: String,
        folder: PathBuf,
        epoch: Epoch,
        clock: Clock,
        settings: GateSettings,
        pseudonyms: Pseudonyms,
        orders: Orders,
    ) -> Self {
        let (orders, sweeping) = (Arc::new(orders), Arc::default());
        let (ledger, generation, evaluations) = (Mutex::default(), Mutex::default(), Mutex::default());
        let overrides = Mutex::default();
        let (untidy, commits) = (AtomicBool::new(true), AtomicU64::new(0));
        Self {
            name,
            folder,
            epoch,
            clock,
            settings,
            pseudonyms,
            ledger,
            generation,
            overrides,
            evaluations,
            stuck: Mutex::default(),
            orders,
            sweeping,
            untidy,
            commits,
            news: Arc::default(),
        }
    }

    /// The writer's thread did not begin.
    pub(super) fn cannot_serve(&self, error: &io::Error) -> StoreError {
        StoreError::Database { doing: "beginning to write", source: error.to_string().into() }
    }

    /// What contacts of a campaign stand by.
    pub(super) fn evaluations(&self, campaign: &CampaignId) -> Evaluations {
        self.all_evaluations().get(campaign).cloned().unwrap_or_default()
    }

    /// Makes contacts of a campaign stand by these.
    pub(super) fn set_evaluations(&self, campaign: &CampaignId, evaluations: Evaluations) {
        self.untidy.store(true, Ordering::Relaxed);
        self.all_evaluations().insert(campaign.clone(), evaluations);
    }

    /// All of them.
    pub(super) fn all_evaluations(&self) -> MutexGuard<'_, BTreeMap<CampaignId, Evaluations>> {
        self.evaluations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this evaluation is still the one that is to come.
    pub(super) fn is_next(&self, under_way: &Arc<UnderWay>) -> bool {
        let next = self.evaluations(&under_way.campaign.id).next;
        next.is_some_and(|next| Arc::ptr_eq(&next, under_way))
    }

    /// Has places of the order file taken away. While that is done for others these are left: who comes past them
    /// next asks again.
    pub(super) fn sweep(&self, evaluation: i64, stale: Vec<Stale>) {
        if stale.is_empty() || self.sweeping.swap(true, Ordering::Relaxed) {
            return;
        }
        let (orders, sweeping) = (Arc::clone(&self.orders), Arc::clone(&self.sweeping));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = orders.sweep(evaluation, &stale) {
                tracing::warn!(error = %error, "places that do not count could not be taken away");
            }
            sweeping.store(false, Ordering::Relaxed);
        });
    }

    /// Gives up what is under way of one campaign: it is begun anew.
    pub(super) fn give_up_evaluation(&self, campaign: &CampaignId) {
        if let Some(evaluations) = self.all_evaluations().get_mut(campaign) {
            evaluations.next = None;
        }
    }

    /// Campaigns of which something fails.
    pub(super) fn stuck(&self) -> MutexGuard<'_, Stuck> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what is under way: it is begun anew.
    pub(super) fn give_up_evaluations(&self) {
        self.all_evaluations().values_mut().for_each(|evaluations| evaluations.next = None);
    }

    /// Live calls and placements.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets every live call, as a node would that had never heard of them.
    #[cfg(test)]
    pub(in crate::store) fn forget_live_calls(&self) {
        *self.ledger() = Ledger::default();
    }

    /// The definitions in force.
    pub(super) fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The overrides that were not ended by hand.
    pub(super) fn overrides(&self) -> Arc<Overrides> {
        Arc::clone(&self.overrides.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_overrides(&self, overrides: Arc<Overrides>) {
        *self.overrides.lock().unwrap_or_else(PoisonError::into_inner) = overrides;
    }

    fn set_generation(&self, generation: Option<Arc<Generation>>) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) = generation;
    }
}

/// The writer's own state.
pub(super) struct Writer {
    /// The only connection that writes.
    pub(super) conn: Connection,
    /// What readers see too.
    pub(super) shared: Arc<Shared>,
    /// The definitions in force, within the transaction under way.
    pub(super) generation: Option<Arc<Generation>>,
    /// The overrides that were not ended by hand, likewise.
    pub(super) overrides: Arc<Overrides>,
    /// Places of the order file, by evaluation, that do not count once that is committed.
    pub(super) stale: Vec<(i64, Vec<Stale>)>,
    /// The ledger no longer agrees with the tables, since a transaction was lost.
    ledger_lost: bool,
    /// The newest of what is to be told that [`News`] has heard of.
    told: i64,
    /// What tells that others have written, as it was last seen, and how often it was another.
    foreign: (i64, u64),
}

impl Writer {
    /// A writer whose ledger has been read from the tables.
    pub(super) fn new(conn: Connection, shared: Arc<Shared>) -> Result<Self, Fault> {
        let overrides = Arc::new(overrides::open(&conn, shared.clock.now().wall)?);
        shared.set_overrides(Arc::clone(&overrides));
        let (told, stale, foreign) = (dispatch::newest(&conn)?, Vec::new(), (0, 0));
        let mut writer = Self { conn, shared, generation: None, overrides, stale, ledger_lost: false, told, foreign };
        writer.read_ledger()?;
        writer.read_evaluations()?;
        Ok(writer)
    }

    /// Serves until it is told to close or nobody can ask any more.
    pub(super) async fn run(mut self, mut urgent: mpsc::Receiver<Command>, mut long: mpsc::Receiver<Command>) {
        loop {
            let mut batch = Vec::new();
            let mut behind = None;
            tokio::select! {
                biased;
                Some(command) = urgent.recv() => batch.push(command),
                Some(command) = long.recv() => behind = Some(command),
                else => break,
            }
            while batch.len() < BATCH_MAX {
                let Ok(command) = urgent.try_recv() else { break };
                batch.push(command);
            }
            let checkpoint = batch.iter().any(|command| matches!(command.work, Work::Checkpoint));
            // Nothing long comes before a checkpoint: what it writes would have to be moved while intents wait.
            batch.extend(behind.or_else(|| if checkpoint { None } else { long.try_recv().ok() }));
            let (scrubs, batch): (Vec<Command>, Vec<Command>) =
                batch.into_iter().partition(|command| matches!(command.work, Work::Scrub));
            let closing = batch.iter().any(|command| matches!(command.work, Work::Close(_)));
            self.serve(batch);
            if checkpoint && let Err(fault) = self.execute("PRAGMA wal_checkpoint(PASSIVE)", "moving the log") {
                tracing::warn!(error = %fault, "the store's log could not be moved into the database");
            }
            self.scrub(scrubs);
            if closing {
                break;
            }
        }
        self.drain(urgent, long).await;
        if let Err((_, error)) = self.conn.close() {
            tracing::warn!(error = %error, "the store's connection did not close cleanly");
        }
    }

    /// Moves the whole log into the database and empties it, so that nothing deleted is left in it. Intents
    /// wait meanwhile, so who reads is waited for only for a moment.
    fn scrub(&mut self, asked: Vec<Command>) {
        if asked.is_empty() {
            return;
        }
        let emptied = |conn: &Connection| {
            conn.busy_timeout(SCRUB_PATIENCE)?;
            let checkpoint = sql::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(conn);
            conn.busy_timeout(BUSY_TIMEOUT)?;
            checkpoint.map(|(busy, _pages, _moved): (i64, i64, i64)| busy == 0)
        };
        // A reader, or the other checkpoint, that holds it is no fault: it is asked for again.
        let emptied = emptied(&self.conn).unwrap_or(false);
        for command in asked {
            let _gone = command.reply.send(Ok(Reply::Changed(emptied)));
        }
    }

    /// What was handed in before the store was closed.
    async fn drain(&mut self, mut urgent: mpsc::Receiver<Command>, mut long: mpsc::Receiver<Command>) {
        urgent.close();
        long.close();
        while let Some(command) = urgent.recv().await {
            self.serve(vec![command]);
        }
        while let Some(command) = long.recv().await {
            self.serve(vec![command]);
        }
    }

    /// One transaction.
    fn serve(&mut self, batch: Vec<Command>) {
        let mut answers = Vec::with_capacity(batch.len());
        let outcome = self.transact(batch, &mut answers);
        if let Err(fault) = &outcome {
            self.roll_back(fault);
        } else {
            self.shared.commits.fetch_add(1, Ordering::Relaxed);
            self.shared.set_generation(self.generation.clone());
            self.shared.set_overrides(Arc::clone(&self.overrides));
            self.shared.ledger().committed(monotonic(self.shared.clock.now().mono));
            self.stale.drain(..).for_each(|(evaluation, stale)| self.shared.sweep(evaluation, stale));
            self.tell_news();
        }
        for (reply, answer) in answers {
            let answer = match &outcome {
                Ok(()) => answer.map_err(|fault| fault.told(&self.shared.name)),
                Err(fault) => Err(fault.told(&self.shared.name)),
            };
            // Who asked may have stopped waiting.
            let _ = reply.send(answer);
        }
    }

    fn transact(&mut self, batch: Vec<Command>, answers: &mut Vec<Answer>) -> Result<(), Fault> {
        let mut batch = batch.into_iter();
        let mut outcome = self.begin();
        for command in batch.by_ref() {
            let overrides = Arc::clone(&self.overrides);
            let answer = match outcome {
                Ok(()) => self.perform_audited(command.work, command.entry.as_ref()),
                Err(_) => Ok(Reply::Done),
            };
            outcome = outcome.and(self.release(answer.as_ref().err(), overrides));
            answers.push((command.reply, answer));
        }
        outcome?;
        self.execute("COMMIT", "committing")
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if self.ledger_lost {
            self.read_evaluations()?;
            self.read_ledger()?;
        }
        self.execute("BEGIN IMMEDIATE", "beginning a transaction")?;
        let epoch = sql::query_scalar("SELECT epoch FROM store").fetch_one(&self.conn);
        let epoch = Epoch(epoch.doing("checking the epoch")?);
        if epoch != self.shared.epoch {
            return Err(StoreError::Fenced(epoch).into());
        }
        Ok(())
    }

    /// Does what is asked for and writes down who asked, in one.
    fn perform_audited(&mut self, work: Work, entry: Option<&NewAuditEntry>) -> Result<Reply, Fault> {
        let reply = self.perform(work)?;
        if let Some(entry) = entry.filter(|_| audit::is_change(&reply)) {
            match reply {
                Reply::Exported(id) => audit::add(&self.conn, &numbered(entry, id), self.now())?,
                _ => audit::add(&self.conn, entry, self.now())?,
            }
            if let Some(request) = entry.request() {
                keyed::done(&self.conn, request)?;
            }
        }
        Ok(reply)
    }

    fn perform(&mut self, work: Work) -> Result<Reply, Fault> {
        self.execute("SAVEPOINT command", "beginning a command")?;
        match work {
            Work::Heartbeat => {
                self.beat("heartbeat_at")?;
                keyed::forget(&self.conn, self.now())?;
            }
            Work::ForeignWrites => return self.foreign_writes().map(Reply::Count),
            Work::Close(ordered) => self.close(ordered)?,
            // Between two transactions, not in one.
            Work::Checkpoint | Work::Scrub => {}
            Work::Intent(request) => return intent::record(self, *request).map(Reply::Decision),
            Work::Withdraw(attempt) => intent::withdraw(self, attempt)?,
            Work::Leg(leg) => {
                let mut all = Statements::default();
                outcome::leg(&mut all, &leg, None);
                all.execute(&self.conn, "writing a leg")?;
            }
            Work::Note(milestone) => {
                let mut all = Statements::default();
                outcome::milestone(&mut all, &milestone, self.now());
                all.execute(&self.conn, "writing a milestone")?;
            }
            Work::Settle(settlement) => return outcome::settle(self, &settlement).map(Reply::Settled),
            Work::Business(request) => return business::set(self, *request).map(Reply::Business),
            Work::Answers(save) => return questionnaire::save(&self.conn, &save).map(Reply::Answers),
            Work::Advance(contact, version, progress) => self.advance(contact, version, &progress)?,
            Work::Availability(agent, availability) => {
                campaigns::set_availability(&self.conn, &agent, availability)?;
            }
            Work::Apply(generation, changes, against) => {
                campaigns::apply(self, generation, changes, against.as_ref())?;
            }
            Work::AddOverride(new) => return overrides::add(self, *new).map(Reply::Overridden),
            Work::CompareOverrides => return overrides::drifted(self).map(Reply::Drifted),
            Work::MendOverrides(ids) => overrides::mend(self, &ids)?,
            Work::Approve(revision, by) => campaigns::approve(self, &revision, &by)?,
            Work::PutFiles(changes) => files::put(&self.conn, &changes)?,
            Work::SetVerified(revision, by) => verified::set(self, &revision, &by)?,
            Work::EndOverride(id, by) => return overrides::end(self, id, &by).map(Reply::Changed),
            Work::Import(campaign, batch, contacts) => {
                let rules = self.rules(&campaign);
                let imported = import::import(&self.conn, &campaign, &batch, &rules, &contacts);
                return imported.map(Reply::Imported);
            }
            Work::NoteRejected(campaign, batch, rejected) => {
                let now = self.now();
                batch::note_rejected(&self.conn, &campaign, &batch, rejected, now)?;
            }
            Work::PauseBatch(campaign, batch, paused) => {
                return batch::pause(&self.conn, &campaign, &batch, paused).map(Reply::Changed);
            }
            Work::Edit(campaign, customer, edit) => {
                return customer::edit(self, &campaign, &customer, &edit).map(Reply::Changed);
            }
            Work::Delete(campaign, customer) => {
                return customer::delete(self, &campaign, &customer).map(Reply::Gone);
            }
            Work::Erase(campaign, customer) => {
                return customer::erase(self, &campaign, &customer).map(Reply::Gone);
            }
            Work::Reseal(contacts) => {
                return customer::reseal(&self.conn, contacts).map(Reply::Resealed);
            }
            Work::Evaluate => return evaluate::slice(self),
            Work::Complete(campaign, under_way) => {
                return evaluate::complete(self, campaign, &under_way).map(Reply::Completed);
            }
            Work::Sweep(evaluation, keys) => place::sweep(&self.conn, evaluation, &keys)?,
            Work::Clear => return evaluate::clear(self).map(Reply::Changed),
            Work::ImportDoNotCall(list, entries) => {
                return do_not_call::import(self, &list, &entries).map(Reply::Listed);
            }
            Work::RemoveDoNotCall(list, number) => {
                return do_not_call::remove(self, &list, &number).map(Reply::Changed);
            }
            Work::Screen(campaign, contacts, now) => do_not_call::screen(self, &campaign, &contacts, now)?,
            Work::Journal(entries) => journal::add(&self.conn, &entries)?,
            Work::People(change) => return people::change(&self.conn, &change, self.now()).map(Reply::Changed),
            Work::Keyed(work) => return keyed::perform(&self.conn, work, self.shared.epoch, self.now()),
            Work::Exports(change) => return exports::change(&self.conn, *change, self.now()),
            Work::Audit(entry) => audit::add(&self.conn, &entry, self.now())?,
            Work::Claim(id) => return dispatch::claim(&self.conn, id, self.now()).map(Reply::Changed),
            Work::Tried(id, tried) => dispatch::tried(&self.conn, id, &tried, self.now())?,
            Work::ParkOverdue => return dispatch::park_overdue(&self.conn, self.now()).map(Reply::Lanes),
            Work::RetryDispatches(filter, limit) => {
                return dispatch::retry(&self.conn, &filter, limit, self.now()).map(Reply::Lanes);
            }
            Work::DropDispatches(filter, why, limit) => {
                return dispatch::drop_some(&self.conn, &filter, (&why, limit), self.now()).map(Reply::Lanes);
            }
        }
        Ok(Reply::Done)
    }

    /// Keeps or undoes one command, so that a failing one does not spoil the others' work.
    fn release(&mut self, fault: Option<&Fault>, overrides: Arc<Overrides>) -> Result<(), Fault> {
        if let Some(fault) = fault {
            self.execute("ROLLBACK TO command", "undoing a command")?;
            self.stale.clear();
            self.overrides = overrides;
            if let Some(campaign) = fault.stuck_campaign() {
                // Nothing of others was touched, so what is under way of them goes on.
                self.shared.give_up_evaluation(campaign);
            } else if !fault.is_of_one_contact() {
                self.generation = self.shared.generation();
                self.read_evaluations()?;
            }
        }
        self.execute("RELEASE command", "ending a command")
    }

    /// Tells of lanes that have something new; what can't be told now is when something else is.
    fn tell_news(&mut self) {
        match dispatch::news(&self.conn, self.told) {
            Ok((lanes, newest)) => {
                self.told = newest;
                self.shared.news.tell(lanes);
            }
            Err(fault) => tracing::warn!(error = %fault, "it was not seen what others are to be told"),
        }
    }

    fn roll_back(&mut self, fault: &Fault) {
        tracing::warn!(error = %fault, "a transaction of the store was lost");
        self.generation = self.shared.generation();
        self.overrides = self.shared.overrides();
        self.ledger_lost = true;
        self.stale.clear();
        // Fails where SQLite has rolled back by itself, or no transaction had begun.
        let _ = self.execute("ROLLBACK", "rolling back");
    }

    fn read_ledger(&mut self) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let ledger = intent::ledger(&self.conn, now)?;
        *self.shared.ledger() = ledger;
        self.ledger_lost = false;
        Ok(())
    }

    fn read_evaluations(&mut self) -> Result<(), Fault> {
        let rows = sql::query("SELECT slug, evaluation FROM campaign").fetch_all(&self.conn);
        let mut all = BTreeMap::new();
        for row in rows.doing("reading what contacts stand by")? {
            // One whose id no file can have belongs to no campaign.
            let Ok(campaign) = CampaignId::parse(column(&row, 0)?) else { continue };
            let standing = column(&row, 1)?;
            // The definition of one that was about to be taken back is not known.
            let by = self.shared.evaluations(&campaign);
            let by = by.by.filter(|_| by.standing == standing);
            all.insert(campaign, Evaluations { standing, by, next: None });
        }
        *self.shared.all_evaluations() = all;
        Ok(())
    }

    fn advance(&mut self, contact: ContactRef, version: u32, progress: &Progress) -> Result<(), Fault> {
        match contact::load(&self.conn, contact)? {
            Some(kept) if kept.contact.version == version => {
                let rules = self.rules(&kept.contact.campaign);
                let mut all = Statements::default();
                contact::write(&mut all, &rules, &kept, progress, kept.live);
                all.execute(&self.conn, "writing a contact")
            }
            _ => Ok(()),
        }
    }

    /// Ends this life; an order file that is not all on the disk is not to be believed by the next.
    fn close(&mut self, ordered: bool) -> Result<(), Fault> {
        if !ordered {
            self.execute("UPDATE store SET order_life = NULL", "giving the order file up")?;
        }
        self.beat("closed_at")
    }

    fn beat(&mut self, column: &'static str) -> Result<(), Fault> {
        let sql = match column {
            "closed_at" => "UPDATE instance SET closed_at = ?2 WHERE epoch = ?1",
            _ => "UPDATE instance SET heartbeat_at = ?2 WHERE epoch = ?1",
        };
        let query = sql::query(sql).bind(self.shared.epoch.0).bind(micros(self.now()));
        query.execute(&self.conn).doing("writing the heartbeat").map(drop)
    }

    /// How often it was noticed that somebody else had written: SQLite tells a connection so (sqlite.org/pragma.html,
    /// `data_version`), and what this one wrote does not count.
    fn foreign_writes(&mut self) -> Result<u64, Fault> {
        let version = sql::query_scalar("PRAGMA main.data_version").fetch_one(&self.conn);
        let version: i64 = version.doing("looking for writes of others")?;
        let (before, times) = self.foreign;
        self.foreign = (version, times + u64::from(version != before));
        Ok(self.foreign.1)
    }

    fn execute(&mut self, sql: &'static str, doing: &'static str) -> Result<(), Fault> {
        sql::query(sql).execute(&self.conn).doing(doing).map(drop)
    }

    /// A campaign as the generation in force has it; `None` while its file is gone.
    pub(super) fn defined(&self, campaign: &CampaignId) -> Option<Arc<Campaign>> {
        self.generation.as_ref()?.definitions.campaigns.get(campaign).cloned()
    }

    /// What decides how contacts of a campaign stand, as of this instant.
    pub(super) fn rules(&self, campaign: &CampaignId) -> Rules {
        let (defined, evaluations) = (self.defined(campaign), self.shared.evaluations(campaign));
        Rules { defined, evaluations, now: self.now() }
    }

    /// Wall time of this instant.
    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now().wall
    }
}

type Answer = (oneshot::Sender<Result<Reply, StoreError>>, Result<Reply, Fault>);
