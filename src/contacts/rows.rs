//! Rows of any format, each a contact or the reason why it is none.

use std::io;

use rlibphonenumber::enums::Region;
use tokio::io::AsyncRead;

use super::{
    draft::Context,
    header::{self, Column},
    import::ImportError,
    lines::{Line, Lines},
    object,
    records::{Record, Records},
    row,
    rules::ImportRules,
};
use crate::domain::{contact::NewContact, ids::CampaignId};

/// How contacts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A header and rows (RFC 4180).
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// One row.
pub(super) struct Row {
    /// Line of the file on which it begins, from 1.
    pub(super) line: u64,
    /// As it stood.
    pub(super) raw: String,
    /// What it says, or everything that is wrong with it.
    pub(super) contact: Result<NewContact, String>,
}

/// Reads rows.
pub(super) struct Rows<'a, R> {
    source: Source<R>,
    context: Context<'a>,
}

enum Source<R> {
    Csv { records: Box<Records<R>>, columns: Vec<Column> },
    JsonLines(Lines<R>),
}

impl<'a, R: AsyncRead + Unpin> Rows<'a, R> {
    /// Rows of `source`, whose header is read at once if the format has one.
    pub(super) async fn open(
        format: ImportFormat,
        source: R,
        campaign: &'a CampaignId,
        rules: &'a ImportRules,
        region: Region,
    ) -> Result<Self, ImportError> {
        let (source, attribute_prefix) = match format {
            ImportFormat::Csv => {
                let mut records = Box::new(Records::new(source));
                let columns = columns(records.next().await.map_err(ImportError::Read)?, rules)?;
                (Source::Csv { records, columns }, "attr.")
            }
            ImportFormat::JsonLines => (Source::JsonLines(Lines::new(source)), "attributes."),
        };
        Ok(Self { source, context: Context { rules, campaign, region, attribute_prefix } })
    }

    /// The next row; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> io::Result<Option<Row>> {
        match &mut self.source {
            Source::Csv { records, columns } => {
                let Some(Record { line, raw, fields }) = records.next().await? else { return Ok(None) };
                let fields = fields.map_err(|error| error.to_string());
                let contact = fields.and_then(|fields| row::read(columns, &fields, self.context));
                Ok(Some(Row { line, raw, contact }))
            }
            Source::JsonLines(lines) => {
                let Some(Line { number: line, raw, fault }) = lines.next().await? else { return Ok(None) };
                let contact = match fault {
                    Some(fault) => Err(fault.to_string()),
                    None => object::read(&raw, self.context),
                };
                Ok(Some(Row { line, raw, contact }))
            }
        }
    }
}

fn columns(header: Option<Record>, rules: &ImportRules) -> Result<Vec<Column>, ImportError> {
    let wrong = |problem: String| ImportError::Header(vec![problem]);
    let header = header.ok_or_else(|| wrong("the file is empty".to_owned()))?;
    let names = header.fields.map_err(|error| wrong(format!("it {error}")))?;
    header::read(&names, rules).map_err(ImportError::Header)
}
