//! What the loop writes down for people who ask later: what became of commits, and what has happened.
//!
//! Entries are gathered during a look and written at its end, in one transaction. What is known already, as after
//! a restart, is not told again. A journal that can't be written holds nothing up.

use std::{sync::Arc, time::Duration};

use super::conditions::{Failure, with_causes};
use crate::{
    clock::Clock,
    delivery::{Outbox, Outcome},
    domain::{
        campaign::DesiredState,
        drift::Drift,
        ids::{Revision, SourceId},
        plan::Plan,
    },
    gitops::CommitFiles,
    store::{CommitResult, Entries, Event, EventKind, HandledCommit, Store, StoredCampaign},
    telemetry::status::{CommitInfo, Verification},
};

/// Most campaigns of one commit that have an event of their own: more of them would drive out all else.
const CHANGES_TOLD_MAX: usize = 500;

/// Entries that are yet to be written, and what need not be told again.
pub(super) struct Journal {
    store: Arc<dyn Store>,
    clock: Clock,
    source: SourceId,
    /// The source, where there are several, as sentences have to say which.
    named: Option<SourceId>,
    /// Who is told of commits at once, each time.
    outbox: Arc<Outbox>,
    entries: Entries,
    /// The commit that was last handled, and what was said of it.
    last: Option<(Revision, CommitResult, Option<String>)>,
    /// The commit that was last read.
    read: Option<(Revision, CommitInfo)>,
    /// Campaigns that the commit in hand changes.
    changed: u64,
    /// Why the branch can't be read.
    unread: Option<String>,
    /// Whether a failure to write was told.
    write_failed: bool,
}

impl Journal {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        outbox: Arc<Outbox>,
        source: SourceId,
        named: Option<SourceId>,
    ) -> Self {
        let (last, read, unread) = (None, None, None);
        let entries = Entries::default();
        Self { store, clock, source, named, outbox, entries, last, read, changed: 0, unread, write_failed: false }
    }

    /// The loop begins: finds out what was last told. The first source tells that it begins.
    pub(super) async fn begin(&mut self, is_first: bool) {
        // A store that can't be read says so to the loop itself.
        let newest = self.store.handled_commits(u32::MAX).await.unwrap_or_default();
        let own = newest.into_iter().find(|commit| commit.source == self.source);
        self.last = own.map(|commit| (commit.revision, commit.result, commit.message));
        if let Some((revision, CommitResult::InForce, _)) = &self.last {
            // The life before may not have been heard; any other commit is looked at again.
            self.outbox.leave(revision, in_force());
        }
        if !is_first {
            return;
        }
        let (version, epoch) = (env!("CARGO_PKG_VERSION"), self.store.epoch().0);
        self.add(EventKind::Started, format!("dialops {version} began, epoch {epoch}"));
    }

    /// The loop ends.
    pub(super) async fn end(&mut self) {
        self.add(EventKind::Stopping, "told to stop".to_owned());
        self.write().await;
    }

    /// Somebody asked for a look.
    pub(super) fn asked(&mut self, by: &str, allow_rewrite: bool) {
        let beyond = if allow_rewrite { ", and allowed rewritten history" } else { "" };
        let event = self.add(EventKind::ReconcileAsked, format!("{by} asked for a look at the branch{beyond}"));
        event.by = Some(by.to_owned());
    }

    /// The branch could be read, or not; told when that changes.
    pub(super) fn looked(&mut self, outcome: Result<(), &dyn std::error::Error>) {
        let error = outcome.err().map(with_causes);
        let before = std::mem::replace(&mut self.unread, error.clone());
        match (error, before) {
            (Some(error), before) if before.as_ref() != Some(&error) => {
                self.add(EventKind::SourceUnread, error);
            }
            (None, Some(_)) => {
                self.add(EventKind::SourceRead, "the branch can be read again".to_owned());
            }
            (Some(_) | None, _) => {}
        }
    }

    /// The branch is at another commit.
    pub(super) fn observed(&mut self, head: &Revision) {
        if self.last.as_ref().is_none_or(|(revision, ..)| revision != head) {
            let event = self.add(EventKind::CommitObserved, format!("the branch is at commit {}", head.short()));
            event.revision = Some(head.clone());
        }
    }

    /// A commit is going to be looked at; of one that is looked at again it is known what became of it.
    pub(super) fn begun(&self, head: &Revision) {
        if self.last.as_ref().is_none_or(|(revision, ..)| revision != head) {
            self.outbox.leave(head, Outcome::Pending("seen, and being checked".to_owned()));
        }
    }

    /// The branch is at the commit in force, perhaps after another one that was not good or waited.
    pub(super) fn stands(&self, head: &Revision, in_part: Option<&Failure>) {
        self.outbox.leave(head, in_part.map_or_else(in_force, told));
    }

    /// A commit's files were read.
    pub(super) fn read(&mut self, files: &CommitFiles, verified: Option<Verification>) {
        let (author, subject) = (files.author.clone(), files.subject.clone());
        let info = CommitInfo { author, time: files.committed_at.to_string(), subject, verified };
        self.known(&files.revision, Some(info));
    }

    /// What a commit says of itself is known.
    pub(super) fn known(&mut self, revision: &Revision, info: Option<CommitInfo>) {
        self.read = info.map(|info| (revision.clone(), info));
        self.changed = 0;
    }

    /// A commit in force has changed campaigns.
    pub(super) fn changed(&mut self, revision: &Revision, plan: &Plan, stored: &[StoredCampaign]) {
        self.changed = plan.actions.len() as u64;
        for action in plan.actions.iter().take(CHANGES_TOLD_MAX) {
            let before = stored.iter().find(|row| row.id == action.campaign);
            let message = match before {
                Some(row) => format!("{action}; before that by commit {}", row.revision.short()),
                None => action.to_string(),
            };
            let event = self.add(EventKind::CampaignChanged, message);
            event.revision = Some(revision.clone());
            event.campaign = Some(action.campaign.clone());
            event.before = before.map(|row| state_of(row).to_owned());
            event.after = Some(action.state.map_or(RETIRED, DesiredState::as_str).to_owned());
        }
        let more = plan.actions.len().saturating_sub(CHANGES_TOLD_MAX);
        if more > 0 {
            let event = self.add(EventKind::CampaignChanged, format!("and {more} more campaigns"));
            event.revision = Some(revision.clone());
        }
    }

    /// The store, or the telephony side, differs from the commit in force, or was put right.
    pub(super) fn drifted(&mut self, drifts: &[Drift], mended: bool) {
        let kind = if mended { EventKind::DriftMended } else { EventKind::DriftFound };
        for drift in drifts.iter().take(CHANGES_TOLD_MAX) {
            let event = self.add(kind, if mended { format!("put right: {drift}") } else { drift.to_string() });
            event.campaign = drift.campaign().cloned();
        }
        let more = drifts.len().saturating_sub(CHANGES_TOLD_MAX);
        if more > 0 {
            self.add(kind, format!("and {more} more"));
        }
    }

    /// A commit is in force, perhaps in part, or is not. `before` is the one that was in force.
    pub(super) fn handled(
        &mut self,
        head: &Revision,
        before: Option<&Revision>,
        outcome: Result<Option<&Failure>, &Failure>,
        took: Duration,
    ) {
        let failure = outcome.unwrap_or_else(Some);
        self.outbox.leave(head, failure.map_or_else(in_force, told));
        let message = failure.map(said);
        let (result, kind) = match outcome {
            Ok(None) => (CommitResult::InForce, EventKind::CommitInForce),
            Ok(Some(_)) => (CommitResult::InPart, EventKind::CommitInForce),
            Err(Failure::Guarded { .. }) => (CommitResult::Waits, EventKind::CommitWaits),
            Err(failure) if failure.is_of_commit() => (CommitResult::Refused, EventKind::CommitRefused),
            Err(_) => (CommitResult::Failed, EventKind::CommitFailed),
        };
        let told = (head.clone(), result, message.clone());
        if self.last.as_ref() == Some(&told) {
            return;
        }
        self.last = Some(told);
        let changed = if outcome.is_ok() { self.changed } else { 0 };
        let sentence = match (outcome, &message) {
            (Err(_), Some(message)) => format!("commit {} is not in force: {message}", head.short()),
            (_, in_part) => {
                let but = in_part.as_ref().map(|message| format!("; {message}")).unwrap_or_default();
                format!("commit {} is in force; campaigns that it changed: {changed}{but}", head.short())
            }
        };
        let event = self.add(kind, sentence);
        event.revision = Some(head.clone());
        event.before = before.map(ToString::to_string);
        event.after = outcome.is_ok().then(|| head.to_string());
        let at = event.at;
        self.entries.commits.push(HandledCommit {
            at,
            source: self.source.clone(),
            revision: head.clone(),
            commit: self.read.clone().filter(|(revision, _)| revision == head).map(|(_, info)| info),
            result,
            reason: failure.map(|failure| failure.reason().to_owned()),
            message,
            took,
            changed,
        });
    }

    /// Writes what has been gathered.
    pub(super) async fn write(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        match self.store.journal(std::mem::take(&mut self.entries)).await {
            Ok(()) => self.write_failed = false,
            Err(error) if !self.write_failed => {
                self.write_failed = true;
                let error = with_causes(&error);
                tracing::warn!(error, "the journal can't be written: history and events have a gap");
            }
            Err(_) => {}
        }
    }

    fn add(&mut self, kind: EventKind, message: String) -> &mut Event {
        let at = self.clock.now().wall;
        let message = match &self.named {
            Some(source) if kind.is_of_source() => format!("source {source}: {message}"),
            Some(_) | None => message,
        };
        let events = &mut self.entries.events;
        events.push(Event::new(at, kind, message));
        let newest = events.len() - 1;
        &mut events[newest]
    }
}

const RETIRED: &str = "retired";

fn state_of(row: &StoredCampaign) -> &'static str {
    if row.retired { RETIRED } else { row.desired.as_str() }
}

fn in_force() -> Outcome {
    Outcome::InForce("in force".to_owned())
}

/// What is told of a commit that is not in force, the first of its problems foremost: there is little room.
fn told(failure: &Failure) -> Outcome {
    match failure {
        Failure::Guarded { verdict, .. } => Outcome::Pending(format!("waits: {verdict}")),
        failure if failure.is_of_commit() => Outcome::Refused(first_of(failure)),
        failure => Outcome::Failed(format!("tried again: {}", with_causes(failure))),
    }
}

fn first_of(failure: &Failure) -> String {
    let problems = failure.problems();
    let Some(first) = problems.first() else { return with_causes(failure) };
    let more = match problems.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let place = if first.line > 0 { format!(":{}:{}", first.line, first.column) } else { String::new() };
    format!("{}{place}: {}{more}", first.file, first.message)
}

/// Why a commit is not in force, with the first of its problems.
fn said(failure: &Failure) -> String {
    let message = with_causes(failure);
    match failure.problems().first() {
        Some(first) if first.line > 0 => {
            format!("{message}; first {}:{}:{}: {}", first.file, first.line, first.column, first.message)
        }
        Some(first) => format!("{message}; first {}: {}", first.file, first.message),
        None => message,
    }
}
