//! Rows of any format, as they stand.

use std::io;

use tokio::io::AsyncRead;

use super::{
    import::ImportError,
    lines::{Line, Lines},
    records::{Record, Records},
};

/// How rows are written.
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
    /// What there is to read, or why there is nothing.
    pub(super) content: Result<Content, String>,
}

/// What a row has.
pub(super) enum Content {
    /// Fields, by the columns of the header.
    Fields(Vec<String>),
    /// A line of JSON: the row as it stood.
    Line,
}

/// Reads rows.
pub(super) enum Rows<R> {
    /// Of CSV.
    Csv(Box<Records<R>>),
    /// Of JSON.
    JsonLines(Lines<R>),
}

impl<R: AsyncRead + Unpin> Rows<R> {
    /// Rows of `source`, and the names of its columns if the format has a header.
    pub(super) async fn open(format: ImportFormat, source: R) -> Result<(Self, Option<Vec<String>>), ImportError> {
        match format {
            ImportFormat::Csv => {
                let mut records = Box::new(Records::new(source));
                let header = names(records.next().await.map_err(ImportError::Read)?)?;
                Ok((Self::Csv(records), Some(header)))
            }
            ImportFormat::JsonLines => Ok((Self::JsonLines(Lines::new(source)), None)),
        }
    }

    /// The next row; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> io::Result<Option<Row>> {
        match self {
            Self::Csv(records) => {
                let Some(Record { line, raw, fields }) = records.next().await? else { return Ok(None) };
                let content = fields.map(Content::Fields).map_err(|error| error.to_string());
                Ok(Some(Row { line, raw, content }))
            }
            Self::JsonLines(lines) => {
                let Some(Line { number: line, raw, fault }) = lines.next().await? else { return Ok(None) };
                let content = fault.map_or(Ok(Content::Line), |fault| Err(fault.to_string()));
                Ok(Some(Row { line, raw, content }))
            }
        }
    }
}

fn names(header: Option<Record>) -> Result<Vec<String>, ImportError> {
    let wrong = |problem: String| ImportError::Header(vec![problem]);
    let header = header.ok_or_else(|| wrong("the file is empty".to_owned()))?;
    header.fields.map_err(|error| wrong(format!("it {error}")))
}
