//! Rows as CSV: a header, UTF-8, fields quoted where they have to be.

use std::io;

use csv::{Writer, WriterBuilder};

use super::{
    cell::{Cell, guarded},
    sink::Sink,
    write::Rows,
};

/// Rows of CSV.
pub(super) struct CsvRows(Writer<Sink>);

impl CsvRows {
    /// Begins with the names of the columns.
    pub(super) fn begin(sink: Sink, columns: &[&str]) -> io::Result<Self> {
        let mut writer = WriterBuilder::new().from_writer(sink);
        writer.write_record(columns)?;
        Ok(Self(writer))
    }
}

impl Rows for CsvRows {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            match cell {
                Cell::Empty => self.0.write_field("")?,
                Cell::Text(text) => self.0.write_field(guarded(text).as_bytes())?,
                Cell::Plain(text) => self.0.write_field(text.as_bytes())?,
                // Its brace begins no formula.
                Cell::Json(object) => self.0.write_field(object.as_bytes())?,
                Cell::Whole(count) => self.0.write_field(count.to_string())?,
                Cell::Number(number) => self.0.write_field(number.to_string())?,
                Cell::Flag(flag) => self.0.write_field(flag.to_string())?,
            }
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    fn finish(self: Box<Self>) -> io::Result<Sink> {
        self.0.into_inner().map_err(|error| error.into_error())
    }
}
