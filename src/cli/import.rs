//! What imports have in common: a file streamed up, with the rejects beside it.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use futures_util::{Stream, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::io::ReaderStream;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    text::path_line,
};
use crate::http::wire::{ImportCounts, ImportEvent};

/// Bytes of the file in one piece of the request.
const PIECE_BYTES: usize = 64 * 1024;
/// Longest line of the answer: a rejected row and its reason.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Opens a file to be imported.
pub(super) async fn open(file: &Path) -> Result<tokio::fs::File, Failure> {
    let unreadable = |error: io::Error| {
        Failure::bad_input(format!("{} can't be read: {error}", path_line(file)), "check the path and its mode")
    };
    let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
    // A folder can be opened, and fails only once it is being sent.
    if opened.metadata().await.map_err(unreadable)?.is_dir() {
        return Err(Failure::bad_input(
            format!("{} is a folder, not a file", path_line(file)),
            "name one of its files",
        ));
    }
    Ok(opened)
}

/// Streams `file` up, which has been `opened`; bad rows go to the reject file.
pub(super) async fn upload(
    client: &Client,
    path: &[&str],
    query: &[(&str, &str)],
    file: &Path,
    opened: tokio::fs::File,
    progress: Progress,
) -> Result<(ImportCounts, Rejects), Failure> {
    let sent = progress.bar.clone();
    let pieces = ReaderStream::with_capacity(opened, PIECE_BYTES).inspect(move |piece| {
        sent.inc(piece.as_ref().map_or(0, |bytes| bytes.len() as u64));
    });
    let body = reqwest::Body::wrap_stream(pieces);
    let response = client.upload(path, query, content_type(file), body).await?;
    let rejects = Rejects::beside(file);
    let pieces = response.bytes_stream().map(|piece| piece.map_err(|error| client.unreachable(&error)));
    follow(Lines::new(pieces), progress, rejects).await
}

/// What the file's name says of its format.
fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("jsonl" | "ndjson") => "application/x-ndjson",
        _ => "text/csv",
    }
}

/// Reads the daemon's events to the last one.
async fn follow<S, B>(
    mut lines: Lines<S>,
    mut progress: Progress,
    mut rejects: Rejects,
) -> Result<(ImportCounts, Rejects), Failure>
where
    S: Stream<Item = Result<B, Failure>> + Unpin,
    B: AsRef<[u8]>,
{
    while let Some(event) = lines.next().await? {
        match event {
            // Known: it was asked for.
            ImportEvent::Batch { .. } => {}
            ImportEvent::Progress(counts) => progress.show(counts),
            ImportEvent::Rejected { line, reason, row } => rejects.write(line, &reason, &row)?,
            ImportEvent::Done(counts) => {
                progress.bar.finish_and_clear();
                return Ok((counts, rejects.finish()?));
            }
            ImportEvent::Failed(body) => {
                progress.bar.finish_and_clear();
                return Err(Failure::failed(body.detail, body.hint));
            }
        }
    }
    let hint = "run the same command again: rows that are in stay, and are not added twice";
    Err(Failure::failed("the daemon broke off before the end of the file", hint))
}

/// Events out of the pieces of an answer, one JSON object a line.
pub(super) struct Lines<S> {
    pieces: S,
    buffered: Vec<u8>,
    /// Bytes of `buffered` that were given out.
    given: usize,
}

impl<S, B> Lines<S>
where
    S: Stream<Item = Result<B, Failure>> + Unpin,
    B: AsRef<[u8]>,
{
    pub(super) fn new(pieces: S) -> Self {
        Self { pieces, buffered: Vec::new(), given: 0 }
    }

    /// The next event; `None` if there is no more.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        loop {
            let rest = &self.buffered[self.given..];
            if let Some(end) = memchr::memchr(b'\n', rest) {
                let event = serde_json::from_slice(&rest[..end]).map_err(|error| strange(&error.to_string()))?;
                self.given += end + 1;
                return Ok(Some(event));
            }
            self.buffered.drain(..self.given);
            self.given = 0;
            if self.buffered.len() > LINE_BYTES_MAX {
                return Err(strange("a line without an end"));
            }
            let Some(piece) = self.pieces.next().await else { return Ok(None) };
            self.buffered.extend_from_slice(piece?.as_ref());
        }
    }
}

fn strange(why: &str) -> Failure {
    Failure::failed(
        format!("the answer is not what this version expects: {why}"),
        "use the `dialops` of the daemon's version",
    )
}

/// What an import did.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<&'a str>,
    #[serde(flatten)]
    counts: ImportCounts,
}

/// Says how an import into `target` went, and into which of its batches if it has such.
pub(super) fn report(
    (target, batch): (&str, Option<&str>),
    format: Format,
    counts: ImportCounts,
    rejects: &Rejects,
) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&Report { batch, counts })?,
        Format::Text => out.line(format!("{target}: {}", sentence(counts)))?,
    }
    out.finish()?;
    if counts.rejected == 0 {
        return Ok(Exit::Ok);
    }
    note(format_args!("rejected rows, with line and reason: {}", path_line(&rejects.path)));
    Ok(Exit::BadInput)
}

fn sentence(counts: ImportCounts) -> String {
    let ImportCounts { rows, added, updated, unchanged, rejected } = counts;
    let updated = if updated > 0 { format!("{updated} with another expiry, ") } else { String::new() };
    format!("{rows} rows, {added} added, {updated}{unchanged} there already, {rejected} rejected")
}

/// A bar on a terminal, a line for each tenth elsewhere.
pub(super) struct Progress {
    bar: ProgressBar,
    target: String,
    tenths_told: u64,
}

impl Progress {
    /// Of an import of `file` into `target`.
    pub(super) async fn of(target: &str, file: &Path) -> Self {
        let length = tokio::fs::metadata(file).await.map_or(0, |found| found.len());
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg} ({eta} left)");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, target: target.to_owned(), tenths_told: 0 }
    }

    /// Says nothing.
    pub(super) fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), target: String::new(), tenths_told: u64::MAX }
    }

    fn show(&mut self, counts: ImportCounts) {
        self.bar.set_message(sentence(counts));
        let tenths = (self.bar.position() * 10).checked_div(self.bar.length().unwrap_or(0)).unwrap_or(10);
        if self.bar.is_hidden() && tenths > self.tenths_told {
            self.tenths_told = tenths;
            note(format_args!("{}: {}% read, {}", self.target, tenths * 10, sentence(counts)));
        }
    }
}

/// The reject file; made when there is something to write, in place of that of an earlier import of the file.
pub(super) struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<std::fs::File>>,
}

impl Rejects {
    fn beside(file: &Path) -> Self {
        // Behind the whole name: files that differ in their ending alone have rejects of their own.
        let mut path = OsString::from(file);
        path.push(".rejects.csv");
        Self { path: path.into(), writer: None }
    }

    fn write(&mut self, line: u64, reason: &str, row: &str) -> Result<(), Failure> {
        let unwritten = unwritten(&self.path);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                remove_earlier(&self.path)?;
                // Rows hold customers' numbers: nobody else may read them.
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
                let mut writer = csv::Writer::from_writer(file.map_err(|error| unwritten(error.into()))?);
                writer.write_record(["line", "reason", "row"]).map_err(&unwritten)?;
                none.insert(writer)
            }
        };
        writer.write_record([line.to_string().as_str(), reason, row]).map_err(&unwritten)
    }

    fn finish(mut self) -> Result<Self, Failure> {
        match &mut self.writer {
            Some(writer) => writer.flush().map_err(|error| unwritten(&self.path)(error.into()))?,
            None => remove_earlier(&self.path)?,
        }
        Ok(self)
    }
}

/// Takes the rejects of an earlier import away.
fn remove_earlier(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(path)(error.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unwritten(path: &Path) -> impl Fn(csv::Error) -> Failure + use<> {
    let shown = path_line(path);
    move |error| {
        let hint = "good rows were kept; make the folder writable and run the same command again";
        Failure::failed(format!("{shown} can't be written: {error}"), hint)
    }
}
