//! `dialops contacts`; `import CAMPAIGN FILE` is streamed up, with the rejects beside the file.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::Subcommand;
use futures_util::{Stream, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::io::ReaderStream;

use super::{
    client::Client,
    customer, listing,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::clean_line,
};
use crate::http::wire::{ImportCounts, ImportEvent, TallyView};

/// Bytes of the file in one piece of the request.
const PIECE_BYTES: usize = 64 * 1024;
/// Longest line of the answer: a rejected row and its reason.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Arguments of `dialops contacts`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import contacts from a CSV or JSON Lines file; the same file again changes nothing
    ///
    /// Good rows are kept. Bad ones go to FILE.rejects.csv with their line and the reason, and the
    /// command then ends with 2.
    Import {
        /// The campaign's id
        campaign: String,
        /// Columns: customer_id, number.CATEGORY (repeatable), attr.ID, priority, timezone,
        /// not_before, custom_field; a file that ends in .jsonl or .ndjson has a JSON object a line
        file: PathBuf,
        /// The batch that contacts are added to [default: the file's name and the day it was written]
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// How to write the counts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    List(listing::List),
    Edit(customer::Edit),
    /// Take away a contact that was never called
    Delete {
        /// The campaign's id
        campaign: String,
        /// The customer's id
        customer: String,
    },
    Erase(customer::Erase),
    /// Write encrypted attributes anew under the key that is set now
    ///
    /// Until it has ended, `previous_attribute_key` of the settings has to stay.
    RotateKey,
}

/// Imports, edits, deletes or erases.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let (campaign, file, batch, format) = match args.command {
        Command::Import { campaign, file, batch, format } => (campaign, file, batch, format),
        Command::List(args) => return listing::list(args, &client).await,
        Command::Edit(args) => return customer::edit(args, &client).await,
        Command::Delete { campaign, customer } => return customer::delete(&campaign, &customer, &client).await,
        Command::RotateKey => return customer::rotate_key(&client).await,
        Command::Erase(args) => return customer::erase(args, &client).await,
    };
    let found = tokio::fs::metadata(&file).await.ok();
    let batch = batch.unwrap_or_else(|| batch_of(&file, found.as_ref().and_then(|found| found.modified().ok())));
    let progress = Progress::new(&format!("{campaign}, batch {batch}"), found.map_or(0, |found| found.len()));
    let (counts, rejects) = import(&client, &campaign, &batch, &file, progress).await?;
    report(&campaign, &batch, format, counts, rejects)
}

/// Longest part of a file's name in that of its batch.
const STEM_LENGTH_MAX: usize = 50;

/// The batch of a file: its name and the day on which it was last written (in UTC), so that the same file
/// is the same batch on any day.
pub(super) fn batch_of(file: &Path, written_at: Option<SystemTime>) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_whitespace() || c.is_control() { '-' } else { c };
    let stem: String = stem.chars().map(plain).take(STEM_LENGTH_MAX).collect();
    match written_at.and_then(|at| Timestamp::try_from(at).ok()) {
        Some(at) => format!("{stem}-{}", at.strftime("%Y-%m-%d")),
        None => stem,
    }
}

/// Streams `file` up; bad rows go to the reject file.
pub(super) async fn import(
    client: &Client,
    campaign: &str,
    batch: &str,
    file: &Path,
    progress: Progress,
) -> Result<(ImportCounts, Rejects), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::bad_input(format!("{} can't be read: {error}", file.display()), "check the path and its mode")
    };
    let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
    // Refusals come here, where nothing is being sent: in the middle of an upload they are lost.
    let _known: TallyView = client.get(&["campaigns", campaign, "tally"], &[]).await?;
    let sent = progress.bar.clone();
    let pieces = ReaderStream::with_capacity(opened, PIECE_BYTES).inspect(move |piece| {
        sent.inc(piece.as_ref().map_or(0, |bytes| bytes.len() as u64));
    });
    let body = reqwest::Body::wrap_stream(pieces);
    let response =
        client.upload(&["campaigns", campaign, "contacts"], &[("batch", batch)], content_type(file), body).await?;
    let rejects = Rejects::beside(file);
    let lines = response.bytes_stream().map(|piece| piece.map_err(|error| client.unreachable(&error)));
    follow(lines, progress, rejects).await
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
async fn follow<B: AsRef<[u8]>>(
    mut pieces: impl Stream<Item = Result<B, Failure>> + Unpin,
    mut progress: Progress,
    mut rejects: Rejects,
) -> Result<(ImportCounts, Rejects), Failure> {
    let mut buffered = Vec::new();
    while let Some(piece) = pieces.next().await {
        buffered.extend_from_slice(piece?.as_ref());
        while let Some(end) = buffered.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffered.drain(..=end).collect();
            match parse(&line)? {
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
                    return Err(Failure::failed(body.error, body.hint));
                }
            }
        }
        if buffered.len() > LINE_BYTES_MAX {
            return Err(strange("a line without an end"));
        }
    }
    let hint = "run the same command again: rows that are in stay, and are not added twice";
    Err(Failure::failed("the daemon broke off before the end of the file", hint))
}

fn parse(line: &[u8]) -> Result<ImportEvent, Failure> {
    serde_json::from_slice(line).map_err(|error| strange(&error.to_string()))
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
    batch: &'a str,
    #[serde(flatten)]
    counts: ImportCounts,
}

fn report(
    campaign: &str,
    batch: &str,
    format: Format,
    counts: ImportCounts,
    rejects: Rejects,
) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&Report { batch, counts })?,
        Format::Text => out.line(format!("{campaign}, batch {}: {}", clean_line(batch), sentence(counts)))?,
    }
    out.finish()?;
    if counts.rejected == 0 {
        return Ok(Exit::Ok);
    }
    note(format_args!("rejected rows, with line and reason: {}", rejects.path.display()));
    Ok(Exit::BadInput)
}

fn sentence(counts: ImportCounts) -> String {
    let ImportCounts { rows, added, unchanged, rejected } = counts;
    format!("{rows} rows, {added} added, {unchanged} there already, {rejected} rejected")
}

/// A bar on a terminal, a line for each tenth elsewhere.
pub(super) struct Progress {
    bar: ProgressBar,
    campaign: String,
    tenths_told: u64,
}

impl Progress {
    fn new(campaign: &str, length: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg} ({eta} left)");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, campaign: campaign.to_owned(), tenths_told: 0 }
    }

    /// Says nothing.
    pub(super) fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), campaign: String::new(), tenths_told: u64::MAX }
    }

    fn show(&mut self, counts: ImportCounts) {
        self.bar.set_message(sentence(counts));
        let tenths = (self.bar.position() * 10).checked_div(self.bar.length().unwrap_or(0)).unwrap_or(10);
        if self.bar.is_hidden() && tenths > self.tenths_told {
            self.tenths_told = tenths;
            note(format_args!("{}: {}% read, {}", self.campaign, tenths * 10, sentence(counts)));
        }
    }
}

/// The reject file; made when there is something to write.
pub(super) struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<std::fs::File>>,
}

impl Rejects {
    fn beside(file: &Path) -> Self {
        let mut path: OsString = file.with_extension("").into();
        path.push(".rejects.csv");
        Self { path: path.into(), writer: None }
    }

    fn write(&mut self, line: u64, reason: &str, row: &str) -> Result<(), Failure> {
        let unwritten = unwritten(&self.path);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                // Rows hold customers' numbers: nobody else may read them.
                let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
                let mut writer = csv::Writer::from_writer(file.map_err(|error| unwritten(error.into()))?);
                writer.write_record(["line", "reason", "row"]).map_err(&unwritten)?;
                none.insert(writer)
            }
        };
        writer.write_record([line.to_string().as_str(), reason, row]).map_err(&unwritten)
    }

    fn finish(mut self) -> Result<Self, Failure> {
        let unwritten = unwritten(&self.path);
        if let Some(writer) = &mut self.writer {
            writer.flush().map_err(|error| unwritten(error.into()))?;
        }
        Ok(self)
    }
}

fn unwritten(path: &Path) -> impl Fn(csv::Error) -> Failure + use<> {
    let shown = path.display().to_string();
    move |error| {
        let hint = "good rows were kept; make the folder writable and run the same command again";
        Failure::failed(format!("{shown} can't be written: {error}"), hint)
    }
}
