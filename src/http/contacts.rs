//! Importing contacts: CSV or lines of JSON streamed in, events streamed out, in one request.
//!
//! What goes wrong before anything was stored is told by the status; after that the status has been
//! sent, and the last line of the answer says how it ended.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::io::StreamReader;

use super::{
    campaigns::campaign_id,
    error::ApiError,
    state::ServerState,
    wire::{ImportCounts, ImportEvent},
};
use crate::{
    contacts::{self, ImportError, ImportFormat, ImportRules},
    control::DialCommand,
    domain::ids::CampaignId,
};

/// Events on their way to the client; an import waits when it does not read.
const EVENTS_WAITING_MAX: usize = 64;
/// Longest silence of the client in the middle of its file.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);
/// Most of a failed upload that is taken in before its failure is told.
const DRAIN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest time for that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Imports the body into a campaign; the answer is one JSON object a line.
pub(super) async fn import(
    State(state): State<Arc<ServerState>>,
    Path(campaign): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let campaign = campaign_id(&campaign)?;
    let (rules, format) = (rules(&state)?, format(&headers));
    let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
    let importing = tokio::spawn(run(state, campaign, rules, format, body, sender));
    let Some(first) = events.recv().await else {
        return Err(failure(importing).await);
    };
    let lines = stream::unfold(Some(Answer { first: Some(first), events, importing }), next_line);
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
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

/// What the generation in force says of contacts.
fn rules(state: &ServerState) -> Result<ImportRules, ApiError> {
    let generation = state.generation.borrow();
    let generation = generation.as_ref().ok_or_else(|| {
        let hint = "`dialops status` says what the daemon waits for";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no commit is in force yet, so there is no campaign", hint)
    })?;
    Ok(ImportRules::of(&generation.definitions))
}

/// Imports, and tells the dialling loop of each batch that added contacts.
async fn run(
    state: Arc<ServerState>,
    campaign: CampaignId,
    rules: ImportRules,
    format: ImportFormat,
    body: Body,
    events: mpsc::Sender<contacts::ImportEvent>,
) -> Result<(), ImportError> {
    let mut source = pin!(StreamReader::new(Box::pin(pieces(body))));
    let (inner, mut told) = mpsc::channel(EVENTS_WAITING_MAX);
    let importing = async {
        let counts = match not_retired(&state, &campaign).await {
            Ok(()) => contacts::import(&*state.store, &campaign, &rules, format, source.as_mut(), &inner).await,
            Err(error) => Err(error),
        };
        drop(inner);
        if counts.is_err() {
            drain(source).await;
        }
        counts
    };
    let forwarding = async {
        let mut added = 0;
        while let Some(event) = told.recv().await {
            if let contacts::ImportEvent::Progress(counts) = event
                && counts.added > added
            {
                added = counts.added;
                let look_again = DialCommand::ContactsAdded { campaign: campaign.clone() };
                // A loop that has stopped dials nobody.
                let _stopped = state.dialer.send(look_again).await;
            }
            let over = matches!(event, contacts::ImportEvent::Done(_));
            if events.send(event).await.is_err() || over {
                break;
            }
        }
        told.close();
    };
    let (imported, ()) = tokio::join!(importing, forwarding);
    let counts = imported?;
    tracing::info!(%campaign, rows = counts.rows, added = counts.added, rejected = counts.rejected, "contacts imported");
    Ok(())
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
        None => (ImportEvent::Failed(failure(answer.importing).await.into_body()), None),
    };
    Some((Ok(line(&event)), rest))
}

fn line(event: &ImportEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Why an import ended without its last event.
async fn failure(importing: JoinHandle<Result<(), ImportError>>) -> ApiError {
    const AGAIN: &str = "import the file again: rows that are in stay, and are not added twice";
    let stopped = |why: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why, AGAIN);
    let Ok(Err(error)) = importing.await else { return stopped("the import stopped") };
    let message = error.to_string();
    match error {
        ImportError::Store(error) => error.into(),
        ImportError::Header(_) => {
            const COLUMNS: &str =
                "columns: customer_id, number.CATEGORY, attr.ID, priority, timezone, not_before, custom_field";
            ApiError::bad_request(message, COLUMNS)
        }
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
        let contacts::ImportCounts { rows, added, unchanged, rejected } = counts;
        Self { rows, added, unchanged, rejected }
    }
}
