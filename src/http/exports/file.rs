//! The file of an export, whole or from a byte on.

use std::{io, sync::Arc};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom, Take},
};
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::own;
use crate::{
    domain::{
        export::{ExportFormat, ExportState},
        person::Role,
    },
    http::{access::Actor, change::Change, error::ApiError, state::ServerState, wire::exports::ExportView},
    store::{ExportFile, ExportRecord},
};

/// Bytes of one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// A file that is being downloaded, and what ends that early.
type Download = (ReaderStream<Take<File>>, CancellationToken);

/// Says of a file what it holds to whoever does not read its name.
const PERSONAL_DATA: &str = "x-personal-data";

/// Downloads it; that is in the audit log before the first byte goes.
pub(in crate::http) async fn download(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
    Extension(change): Extension<Change>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let record = own(&state, &actor, &id).await?;
    let found = found(&state, &actor, &record)?;
    let file = opened(&state, &record, found).await?;
    let part = match part(&headers, found) {
        Some(Ok(part)) => Some(part),
        Some(Err(())) => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{}", found.bytes))];
            let hint = "ask for bytes that are there";
            let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "the file ends before that", hint);
            return Ok((range, error).into_response());
        }
        None => None,
    };
    // Before the store says that it is there: who takes it back later finds it.
    let cut = state.exports.downloading(record.id);
    if !change.store(&state).count_download(record.id).await? {
        return Err(gone(&record));
    }
    tracing::info!(id = %record.id, by = change.by(), "an export is downloaded");
    served(&record, found, file, part, cut).await.map_err(|error| unreadable(&record, &error))
}

/// What is there to download, for somebody who may.
fn found<'r>(state: &ServerState, actor: &Actor, record: &'r ExportRecord) -> Result<&'r ExportFile, ApiError> {
    // Who has asked for it may have been an admin then.
    if record.asked.unmasked && actor.role != Role::Admin {
        let error = format!("the role {} sees numbers and attributes masked only", actor.role);
        return Err(ApiError::new(StatusCode::FORBIDDEN, error, "ask an admin"));
    }
    if record.state.is_open() {
        let error = format!("export {} is {}", record.id, record.state.as_str());
        return Err(ApiError::new(StatusCode::CONFLICT, error, "wait until it is done"));
    }
    let is_over = record.asked.expires_at <= state.clock.now().wall;
    record.file.as_ref().filter(|_| record.state == ExportState::Done && !is_over).ok_or_else(|| gone(record))
}

fn gone(record: &ExportRecord) -> ApiError {
    let state = if record.state == ExportState::Done { ExportState::Expired } else { record.state };
    let why = record.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let error = format!("export {} is {}{why}", record.id, state.as_str());
    ApiError::new(StatusCode::GONE, error, "ask for it anew")
}

async fn opened(state: &ServerState, record: &ExportRecord, found: &ExportFile) -> Result<File, ApiError> {
    let opened = async {
        let file = File::open(state.exports.path(record)).await?;
        let bytes = file.metadata().await?.len();
        if bytes == found.bytes { Ok(file) } else { Err(io::Error::other("it has another length than was written")) }
    };
    opened.await.map_err(|error| unreadable(record, &error))
}

fn unreadable(record: &ExportRecord, error: &io::Error) -> ApiError {
    tracing::error!(id = %record.id, %error, "the file of an export can't be read");
    let error = format!("the file of export {} can't be read: {error}", record.id);
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error, "somebody has changed the folder; ask for it anew")
}

/// The bytes of a request for a part, first and last; `Err` if there are none such.
fn part(headers: &HeaderMap, found: &ExportFile) -> Option<Result<(u64, u64), ()>> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // A part of another file is of no use.
    if text(header::IF_RANGE).is_some_and(|tag| tag != tag_of(found)) {
        return None;
    }
    let (first, last) = text(header::RANGE)?.strip_prefix("bytes=")?.split_once('-')?;
    let end = found.bytes.checked_sub(1);
    let number = |text: &str| text.parse::<u64>().ok();
    match (first, last) {
        ("", suffix) => {
            let length = number(suffix)?;
            Some(end.filter(|_| length > 0).map(|end| (found.bytes.saturating_sub(length), end)).ok_or(()))
        }
        (first, "") => number(first).map(|first| end.filter(|end| first <= *end).map(|end| (first, end)).ok_or(())),
        (first, last) => {
            // Several parts at once are answered by the whole.
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            Some(end.filter(|end| first <= *end).map(|end| (first, last.min(end))).ok_or(()))
        }
    }
}

fn tag_of(found: &ExportFile) -> String {
    format!("\"{}\"", found.sha256)
}

async fn served(
    record: &ExportRecord,
    found: &ExportFile,
    mut file: File,
    part: Option<(u64, u64)>,
    cut: CancellationToken,
) -> io::Result<Response> {
    let (first, length) = part.map_or((0, found.bytes), |(first, last)| (first, last - first + 1));
    file.seek(SeekFrom::Start(first)).await?;
    let pieces = ReaderStream::with_capacity(file.take(length), PIECE_BYTES);
    let body = Body::from_stream(stream::unfold(Some((pieces, cut)), next_piece));
    let kind = match (&record.asked.recipient, record.asked.format) {
        (Some(_), _) => "application/octet-stream",
        (None, ExportFormat::Csv) => "text/csv; charset=utf-8; header=present",
        (None, ExportFormat::Jsonl) => "application/x-ndjson",
        (None, ExportFormat::Xlsx) => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    };
    let name = ExportView::of(record, None).file_name;
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag_of(found)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, headers, [(PERSONAL_DATA, "yes")], body).into_response();
    if let Some((first, last)) = part
        && let Ok(range) = HeaderValue::try_from(format!("bytes {first}-{last}/{}", found.bytes))
    {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

/// The next piece, as long as the file may be read on. Then the connection is cut, so that nobody takes what came for all
/// of it.
async fn next_piece(download: Option<Download>) -> Option<(io::Result<Bytes>, Option<Download>)> {
    let (mut pieces, cut) = download?;
    tokio::select! {
        biased;
        () = cut.cancelled() => Some((Err(io::Error::other("the export was taken away")), None)),
        piece = pieces.next() => piece.map(|piece| (piece, Some((pieces, cut)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_that_are_there() {
        let found = ExportFile { rows: 1, bytes: 10, sha256: "ab".to_owned() };
        let of = |range: &str, tag: Option<&str>| {
            let mut headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            headers.extend(tag.map(|tag| (header::IF_RANGE, tag.parse().unwrap())));
            part(&headers, &found)
        };
        for (range, wanted) in [
            ("bytes=0-", Some(Ok((0, 9)))),
            ("bytes=4-", Some(Ok((4, 9)))),
            ("bytes=4-5", Some(Ok((4, 5)))),
            ("bytes=4-99", Some(Ok((4, 9)))),
            ("bytes=-3", Some(Ok((7, 9)))),
            ("bytes=-30", Some(Ok((0, 9)))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=10-12", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(of(range, None), wanted, "{range}");
        }
        assert_eq!(of("bytes=4-", Some("\"ab\"")), Some(Ok((4, 9))));
        assert_eq!(of("bytes=4-", Some("\"cd\"")), None);
        assert_eq!(part(&HeaderMap::new(), &found), None);
        let empty = ExportFile { bytes: 0, ..found.clone() };
        let headers = HeaderMap::from_iter([(header::RANGE, "bytes=0-".parse().unwrap())]);
        assert_eq!(part(&headers, &empty), Some(Err(())));
    }
}
