//! Rows as JSON Lines: an object for each, with every column; what is missing is null.

use std::io::{self, Write};

use super::{cell::Cell, sink::Sink, write::Rows};

/// Rows of JSON Lines.
pub(super) struct JsonRows {
    sink: Sink,
    /// What stands before each value.
    keys: Vec<String>,
}

impl JsonRows {
    /// With these columns.
    pub(super) fn begin(sink: Sink, columns: &[&str]) -> io::Result<Self> {
        let key = |(index, name): (usize, &&str)| {
            let sign = if index == 0 { '{' } else { ',' };
            Ok(format!("{sign}{}:", serde_json::to_string(name)?))
        };
        let keys = columns.iter().enumerate().map(key).collect::<io::Result<_>>()?;
        Ok(Self { sink, keys })
    }
}

impl Rows for JsonRows {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (key, cell) in self.keys.iter().zip(cells) {
            self.sink.write_all(key.as_bytes())?;
            match cell {
                Cell::Empty => self.sink.write_all(b"null")?,
                Cell::Text(text) | Cell::Plain(text) => serde_json::to_writer(&mut self.sink, text)?,
                Cell::Json(object) => self.sink.write_all(object.as_bytes())?,
                Cell::Whole(count) => serde_json::to_writer(&mut self.sink, count)?,
                // Without the fraction that it does not have.
                Cell::Number(number) => write!(self.sink, "{number}")?,
                Cell::Flag(flag) => serde_json::to_writer(&mut self.sink, flag)?,
            }
        }
        self.sink.write_all(b"}\n")
    }

    fn finish(self: Box<Self>) -> io::Result<Sink> {
        Ok(self.sink)
    }
}
