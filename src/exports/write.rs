//! One file, from its rows to its name.

use std::io;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    cell::Cell,
    columns::{self, AttemptRow, Column, View},
    csv::CsvRows,
    jsonl::JsonRows,
    sink::{Sink, Written},
    spool::Spool,
    xlsx::XlsxRows,
};
use crate::{
    domain::{
        campaign::Definitions,
        export::{ExportFormat, ExportKind},
    },
    store::{ExportFile, ExportRecord, ExportedContact},
};

/// What every export says of itself where there is room for it.
pub(super) const WARNING: &str = "This file holds personal data. Keep it where only those can read it who have to, give it to \
                       nobody else, and delete it once it has served its purpose.";

/// Some rows, or that there are no more: without that the file is not kept.
pub(super) enum Piece {
    Contacts(Vec<ExportedContact>),
    Attempts(Vec<AttemptRow>),
    End,
}

/// How rows are written.
pub(super) trait Rows {
    /// Writes one.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what comes behind the last.
    fn finish(self: Box<Self>) -> io::Result<Sink>;
}

/// What a file is made from beside its rows.
pub(super) struct Order {
    /// The export.
    pub(super) record: ExportRecord,
    /// What is defined.
    pub(super) definitions: std::sync::Arc<Definitions>,
    /// How rows are shown.
    pub(super) view: View,
    /// Cancelled when it is not wanted any more.
    pub(super) stop: CancellationToken,
}

/// Writes the file of an export, which has its name when this returns; `None` if its rows broke off. What there is of it
/// is for the caller to take away unless it was kept.
pub(super) fn write(spool: &Spool, order: &Order, pieces: mpsc::Receiver<Piece>) -> io::Result<Option<ExportFile>> {
    let (asked, definitions) = (&order.record.asked, &order.definitions);
    let attributes = columns::wanted(definitions, asked.attributes.as_deref());
    spool.prepare()?;
    let name = spool.name(&order.record);
    let sink = Sink::new(spool.begin(&name)?, asked.recipient.as_deref(), order.stop.clone())?;
    let written = match asked.kind {
        ExportKind::Contacts => {
            let columns = columns::contacts(definitions, &attributes);
            table(spool, order, sink, &columns, pieces, |piece| match piece {
                Piece::Contacts(rows) => Some(rows),
                Piece::Attempts(_) | Piece::End => None,
            })?
        }
        ExportKind::Attempts => {
            let columns = columns::attempts(&attributes);
            table(spool, order, sink, &columns, pieces, |piece| match piece {
                Piece::Attempts(rows) => Some(rows),
                Piece::Contacts(_) | Piece::End => None,
            })?
        }
    };
    let Some((rows, Written { bytes, sha256 })) = written else { return Ok(None) };
    spool.keep(&name)?;
    Ok(Some(ExportFile { rows, bytes, sha256 }))
}

/// Writes rows until they end; how many there were.
fn table<R>(
    spool: &Spool,
    order: &Order,
    sink: Sink,
    columns: &[Column<R>],
    mut pieces: mpsc::Receiver<Piece>,
    rows_of: impl Fn(Piece) -> Option<Vec<R>>,
) -> io::Result<Option<(u64, Written)>> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let asked = &order.record.asked;
    let mut rows: Box<dyn Rows> = match asked.format {
        ExportFormat::Csv => Box::new(CsvRows::begin(sink, &names)?),
        ExportFormat::Jsonl => Box::new(JsonRows::begin(sink, &names)?),
        ExportFormat::Xlsx => {
            let about = about(&order.record);
            Box::new(XlsxRows::begin(sink, &names, asked.kind.as_str(), &about, spool.folder())?)
        }
    };
    let mut count = 0;
    loop {
        let Some(piece) = pieces.blocking_recv() else { return Ok(None) };
        let Some(found) = rows_of(piece) else { break };
        for row in &found {
            let cells: Vec<Cell<'_>> = columns.iter().map(|column| (column.of)(row, &order.view)).collect();
            rows.row(&cells)?;
        }
        count += found.len() as u64;
    }
    let written = rows.finish()?.finish()?;
    Ok(Some((count, written)))
}

/// What a file says of itself.
fn about(record: &ExportRecord) -> Vec<(&'static str, String)> {
    let asked = &record.asked;
    let filter = &asked.filter;
    let mut about = vec![
        ("warning", WARNING.to_owned()),
        ("export", record.id.to_string()),
        ("rows", format!("{} of campaign {}", asked.kind, asked.campaign)),
        ("asked_by", asked.owner.clone()),
        ("reason", asked.reason.clone()),
        ("asked_at", asked.asked_at.to_string()),
        ("expires_at", asked.expires_at.to_string()),
        ("shown", if asked.unmasked { "in full" } else { "masked" }.to_owned()),
    ];
    let filters = [
        ("batch", filter.batch.as_ref().map(ToString::to_string)),
        ("from", filter.from.map(|at| at.to_string())),
        ("until", filter.until.map(|at| at.to_string())),
        ("result", filter.result.map(|result| result.as_str().to_owned())),
        ("business_result", filter.business.as_ref().map(ToString::to_string)),
    ];
    about.extend(filters.into_iter().filter_map(|(what, text)| Some((what, text?))));
    about
}
