//! Importing contacts and do-not-call entries: CSV or lines of JSON streamed in, events streamed out, in one request.
//!
//! What goes wrong before anything was stored is told by the status; after that the status has been
//! sent, and the last line of the answer says how it ended.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::io::StreamReader;

use super::{
    change::Change,
    error::ApiError,
    lines::{answer, line},
    state::ServerState,
    wire::{ImportCounts, ImportEvent},
};
use crate::{
    contacts::{self, ImportError, ImportFormat, ImportRules},
    control::DialCommand,
    domain::{
        audit::DeedResult,
        ids::{BatchId, CampaignId, DoNotCallId},
    },
};

/// Events on their way to the client; an import waits when it does not read.
const EVENTS_WAITING_MAX: usize = 64;
/// How often the dialling loop is told while an import goes on: it asks the store anew each time.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);
/// Longest silence of the client in the middle of its file.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);
/// Most of a failed upload that is taken in before its failure is told.
const DRAIN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest time for that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What is imported.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// Contacts.
    Contacts {
        /// Of which campaign.
        campaign: CampaignId,
        /// Into which of its batches.
        batch: BatchId,
    },
    /// Entries of a do-not-call list.
    DoNotCall {
        /// Which list.
        list: DoNotCallId,
        /// When those expire that do not say it themselves.
        expires_at: Option<Timestamp>,
    },
}

impl Subject {
    /// What the dialling loop is told once something has changed.
    fn changed(&self) -> DialCommand {
        match self {
            Self::Contacts { campaign, .. } => DialCommand::ContactsAdded { campaign: campaign.clone() },
            Self::DoNotCall { list, .. } => DialCommand::DoNotCallChanged { list: list.clone() },
        }
    }

    /// The columns of its files.
    fn columns(&self) -> &'static str {
        match self {
            Self::Contacts { .. } => {
                "columns: customer_id, number.CATEGORY, attr.ID, priority, timezone, not_before, custom_field"
            }
            Self::DoNotCall { .. } => "columns: number, expires_at",
        }
    }

    /// What is told before the first row: the batch, which may have been named by the daemon.
    fn named(&self) -> Option<ImportEvent> {
        match self {
            Self::Contacts { batch, .. } => Some(ImportEvent::Batch { name: batch.to_string() }),
            Self::DoNotCall { .. } => None,
        }
    }

    async fn import(
        &self,
        state: &ServerState,
        rules: &ImportRules,
        format: ImportFormat,
        source: impl AsyncRead + Unpin + Send,
        events: &mpsc::Sender<contacts::ImportEvent>,
    ) -> Result<contacts::ImportCounts, ImportError> {
        let store = state.store.as_ref();
        match self {
            Self::Contacts { campaign, batch } => {
                not_retired(state, campaign).await?;
                contacts::import(store, campaign, batch, rules, format, source, events).await
            }
            Self::DoNotCall { list, expires_at } => {
                contacts::import_do_not_call(store, list, rules, *expires_at, format, source, events).await
            }
        }
    }

    /// Where it goes, without what may be personal.
    fn name(&self) -> String {
        match self {
            Self::Contacts { campaign, batch } => format!("campaign {campaign}, batch {}", batch.masked()),
            Self::DoNotCall { list, .. } => format!("list {list}"),
        }
    }

    fn log(&self, counts: contacts::ImportCounts) {
        let contacts::ImportCounts { rows, added, updated, rejected, .. } = counts;
        match self {
            Self::Contacts { campaign, batch } => {
                tracing::info!(%campaign, batch = %batch.masked(), rows, added, rejected, "contacts imported");
            }
            Self::DoNotCall { list, .. } => {
                tracing::info!(%list, rows, added, updated, rejected, "do-not-call entries imported");
            }
        }
    }

    /// Tells of an import that ended early, and how far it had come.
    fn log_broken_off(&self, counts: contacts::ImportCounts, error: &ImportError) {
        let contacts::ImportCounts { rows, added, updated, rejected, .. } = counts;
        let why = match error {
            // What stands there may be a customer's.
            ImportError::Header(_) => "line 1 is no header".to_owned(),
            ImportError::Read(source) => format!("the upload broke off: {source}"),
            ImportError::Abandoned => "the client has gone".to_owned(),
            ImportError::Region(_) | ImportError::Store(_) | ImportError::Retired(_) => error.to_string(),
        };
        match self {
            Self::Contacts { campaign, batch } => {
                let batch = batch.masked();
                tracing::warn!(%campaign, %batch, rows, added, rejected, why, "an import of contacts broke off");
            }
            Self::DoNotCall { list, .. } => {
                tracing::warn!(%list, rows, added, updated, rejected, why, "an import of do-not-call entries broke off");
            }
        }
    }
}

/// Imports the body; the answer is one JSON object a line.
pub(super) async fn serve(
    state: Arc<ServerState>,
    change: Change,
    subject: Subject,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (rules, format, columns) = (rules(&state)?, format(headers), subject.columns());
    let named = subject.named().map(|event| Ok(line(&event)));
    let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
    // It takes many transactions, and goes on after the answer has begun.
    change.begin(&state).await?;
    change.was_written();
    let importing = tokio::spawn(run(state, change, subject, rules, format, body, sender));
    let Some(first) = events.recv().await else {
        return Err(failure(importing, columns).await);
    };
    let lines = stream::unfold(Some(Answer { first: Some(first), events, importing, columns }), next_line);
    Ok(answer(Body::from_stream(stream::iter(named).chain(lines))))
}

/// The format that the content type tells of; CSV where it says nothing that is known.
fn format(headers: &HeaderMap) -> ImportFormat {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => ImportFormat::JsonLines,
        _ => ImportFormat::Csv,
    }
}

/// What the generation in force says of contacts, and of numbers.
pub(super) fn rules(state: &ServerState) -> Result<ImportRules, ApiError> {
    let generation = state.generation.borrow();
    let generation = generation.as_ref().ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no commit is in force yet, so nothing can be imported", hint)
    })?;
    Ok(ImportRules::of(&generation.definitions, state.keyring.clone()))
}

/// Imports, and tells the dialling loop while something changes.
async fn run(
    state: Arc<ServerState>,
    change: Change,
    subject: Subject,
    rules: ImportRules,
    format: ImportFormat,
    body: Body,
    events: mpsc::Sender<contacts::ImportEvent>,
) -> Result<(), ImportError> {
    let mut source = pin!(StreamReader::new(Box::pin(pieces(body))));
    let (inner, mut told) = mpsc::channel(EVENTS_WAITING_MAX);
    let importing = async {
        let counts = subject.import(&state, &rules, format, source.as_mut(), &inner).await;
        drop(inner);
        if counts.is_err() {
            drain(source).await;
        }
        counts
    };
    let forwarding = async {
        let (mut changes, mut told_at, mut so_far) = (0, None, contacts::ImportCounts::default());
        while let Some(event) = told.recv().await {
            let (counts, over) = match event {
                contacts::ImportEvent::Progress(counts) => (Some(counts), false),
                contacts::ImportEvent::Done(counts) => (Some(counts), true),
                contacts::ImportEvent::Rejected { .. } => (None, false),
            };
            so_far = counts.unwrap_or(so_far);
            let now = state.clock.now().mono;
            let due = over || told_at.is_none_or(|at| now >= at + LOOK_AGAIN_EVERY);
            if let Some(changed) = counts.map(|counts| counts.added + counts.updated)
                && changed > changes
                && due
            {
                (changes, told_at) = (changed, Some(now));
                // A loop that has stopped dials nobody.
                let _stopped = state.dialer.send(subject.changed()).await;
            }
            if events.send(event).await.is_err() || over {
                break;
            }
        }
        told.close();
        (so_far, changes)
    };
    let (imported, (so_far, changes)) = tokio::join!(importing, forwarding);
    // One that broke off, or whose client has gone, may have changed more than the loop was told of.
    if imported.as_ref().map_or(true, |counts| counts.added + counts.updated > changes) {
        let _stopped = state.dialer.send(subject.changed()).await;
    }
    let result = match &imported {
        Ok(counts) => {
            subject.log(*counts);
            DeedResult::Done
        }
        Err(error) => {
            subject.log_broken_off(so_far, error);
            DeedResult::Failed
        }
    };
    let contacts::ImportCounts { rows, added, updated, rejected, .. } = *imported.as_ref().unwrap_or(&so_far);
    let counted = format!("{rows} rows, {added} added, {updated} changed, {rejected} left out");
    change.about(format!("{}, {counted}", subject.name())).write_down(&state, result).await;
    imported.map(drop)
}

/// That the commit in force defines the campaign. One that the store does not know either is for the
/// store to refuse.
async fn not_retired(state: &ServerState, campaign: &CampaignId) -> Result<(), ImportError> {
    let generation = state.generation.borrow().clone();
    if generation.is_some_and(|generation| generation.definitions.campaigns.contains_key(campaign)) {
        return Ok(());
    }
    state.store.tally(campaign).await?;
    Err(ImportError::Retired(campaign.clone()))
}

/// Takes in what the client is still sending: one that writes to a closed connection never gets to
/// read why it was closed.
async fn drain(source: impl AsyncRead + Unpin) {
    let mut rest = source.take(DRAIN_BYTES_MAX);
    let _gone = tokio::time::timeout(DRAIN_TIMEOUT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

fn pieces(body: Body) -> impl Stream<Item = io::Result<Bytes>> {
    tokio_stream::StreamExt::timeout(body.into_data_stream(), PIECE_TIMEOUT).map(|piece| match piece {
        Ok(piece) => piece.map_err(io::Error::other),
        Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came for a minute")),
    })
}

/// An answer under way.
struct Answer {
    /// The event that the status waited for.
    first: Option<contacts::ImportEvent>,
    events: mpsc::Receiver<contacts::ImportEvent>,
    importing: JoinHandle<Result<(), ImportError>>,
    columns: &'static str,
}

/// The next line and what is left; nothing is left after the last line.
async fn next_line(answer: Option<Answer>) -> Option<(Result<Bytes, Infallible>, Option<Answer>)> {
    let mut answer = answer?;
    let event = match answer.first.take() {
        Some(event) => Some(event),
        None => answer.events.recv().await,
    };
    let (event, rest) = match event.map(ImportEvent::from) {
        Some(done @ ImportEvent::Done(_)) => (done, None),
        Some(event) => (event, Some(answer)),
        None => (ImportEvent::Failed(failure(answer.importing, answer.columns).await.into_body()), None),
    };
    Some((Ok(line(&event)), rest))
}

/// Why an import ended without its last event.
async fn failure(importing: JoinHandle<Result<(), ImportError>>, columns: &str) -> ApiError {
    const AGAIN: &str = "import the file again: rows that are in stay, and are not added twice";
    let stopped = |why: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why, AGAIN);
    let Ok(Err(error)) = importing.await else { return stopped("the import stopped") };
    let message = error.to_string();
    match error {
        ImportError::Store(error) => error.into(),
        ImportError::Header(_) => ApiError::bad_request(message, columns),
        ImportError::Read(source) => ApiError::bad_request(message, format!("the upload broke off: {source}")),
        ImportError::Region(_) => ApiError::new(StatusCode::CONFLICT, message, "commit a correction and try again"),
        ImportError::Retired(_) => {
            ApiError::new(StatusCode::CONFLICT, message, "commit its file again, and import once that is in force")
        }
        ImportError::Abandoned => stopped(&message),
    }
}

impl From<contacts::ImportEvent> for ImportEvent {
    fn from(event: contacts::ImportEvent) -> Self {
        match event {
            contacts::ImportEvent::Progress(counts) => Self::Progress(counts.into()),
            contacts::ImportEvent::Rejected { line, reason, row } => Self::Rejected { line, reason, row },
            contacts::ImportEvent::Done(counts) => Self::Done(counts.into()),
        }
    }
}

impl From<contacts::ImportCounts> for ImportCounts {
    fn from(counts: contacts::ImportCounts) -> Self {
        let contacts::ImportCounts { rows, added, updated, unchanged, rejected } = counts;
        Self { rows, added, updated, unchanged, rejected }
    }
}
