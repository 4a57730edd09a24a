//! What a command writes and how it ends.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

use clap::ValueEnum;
use serde::Serialize;

use super::text::clean;
use crate::config::render::visible;

/// How data is written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// How rows are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RowFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    #[value(alias = "jsonl")]
    Json,
    /// A header and rows.
    Csv,
}

/// How a command ends (SPEC §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Ok,
    /// It failed.
    Failed,
    /// The input is wrong.
    BadInput,
    /// The command line is wrong.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            Exit::Usage => 64,
        })
    }
}

/// Why a command failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What is wrong; empty says nothing (stdout was closed).
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Failure {
    /// The command failed.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: hint.into() }
    }

    /// What it was given is wrong.
    pub fn bad_input(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::BadInput, message: message.into(), hint: hint.into() }
    }

    /// An error with its whole chain of causes.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::failed(message, "")
    }

    /// Whoever read stdout has gone (`| head`): nothing to say.
    fn closed() -> Self {
        Self { exit: Exit::Ok, message: String::new(), hint: String::new() }
    }

    pub(super) fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        let (red, bold, off) = if colored(&io::stderr()) { ("\x1b[31;1m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        note(format_args!("{red}error{off}: {}", clean(&self.message)));
        if !self.hint.is_empty() {
            note(format_args!("{bold} hint{off}: {}", clean(&self.hint)));
        }
    }
}

/// A line to stderr: progress, warnings, anything that is not data.
pub fn note(line: std::fmt::Arguments<'_>) {
    // Nothing can be done when stderr is gone.
    let _unwritten = writeln!(io::stderr(), "{line}");
}

/// A colour of text on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// What goes.
    Red,
    /// What comes.
    Green,
    /// What changes.
    Yellow,
    /// What matters less.
    Dim,
}

/// Data to stdout.
#[derive(Debug)]
pub struct Out {
    writer: BufWriter<io::Stdout>,
    color: bool,
}

impl Out {
    /// Stdout, with colour on a terminal.
    pub fn stdout() -> Self {
        Self { writer: BufWriter::new(io::stdout()), color: colored(&io::stdout()) }
    }

    /// One line.
    pub fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.writer, "{}", line.as_ref()).map_err(unwritten)
    }

    /// A value as one line of JSON.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string(), "report this"))?;
        self.line(line)
    }

    /// Fields as one row of CSV.
    pub fn csv_row<T: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = T>) -> Result<(), Failure> {
        let unwritten =
            |error: &dyn std::error::Error| Failure::failed(format!("a row can't be written: {error}"), "report this");
        let mut row = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        row.write_record(fields.into_iter().map(|field| field.as_ref().to_owned()))
            .map_err(|error| unwritten(&error))?;
        let bytes = row.into_inner().map_err(|error| unwritten(&error))?;
        self.line(String::from_utf8_lossy(&bytes).trim_end_matches('\n'))
    }

    /// A value as one JSON document, indented on a terminal.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = if self.color { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let text = text.map_err(|error| unwritten(error.into()))?;
        self.line(visible(&text))
    }

    /// `text` in bold on a terminal.
    pub fn bold(&self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// `text` in a colour on a terminal.
    pub fn tinted(&self, tint: Tint, text: &str) -> String {
        let code = match tint {
            Tint::Red => "31",
            Tint::Green => "32",
            Tint::Yellow => "33",
            Tint::Dim => "2",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Shows what was written so far, before more comes.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(unwritten)
    }

    /// Writes what is buffered.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(unwritten)
    }
}

/// What it means that output could not be written.
pub(super) fn unwritten(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::closed();
    }
    Failure::failed(format!("output can't be written: {error}"), "check the disk or the program behind the pipe")
}

/// Colour on a terminal, unless `NO_COLOR` is set (no-color.org).
fn colored(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}
