//! Rows as a workbook: a first sheet that says what the file is, then the rows, in as many sheets as they need.
//!
//! Texts are texts here by their type, so none is taken for a formula. Rows go to files without a name in the spool first,
//! of which nothing is left when the daemon is killed.

use std::{io, path::Path};

use rust_xlsxwriter::{DocProperties, Format, Workbook, Worksheet, XlsxError};

use super::{cell::Cell, sink::Sink, write::Rows};

/// Rows of a sheet, the header too: no spreadsheet opens one with more.
const SHEET_ROWS: u32 = 1_048_576;

/// How hard sheets are pressed, of 9: they hold the same texts over and over, and more only takes longer.
const LEVEL: u8 = 1;

/// Longest text of a cell.
const TEXT_LENGTH_MAX: usize = 32_767;

/// A workbook.
pub(super) struct XlsxRows {
    workbook: Workbook,
    sink: Sink,
    name: String,
    columns: Vec<String>,
    sheet_rows: u32,
    /// Sheets with rows.
    sheets: usize,
    /// The row that comes next in the last of them.
    next: u32,
}

impl XlsxRows {
    /// Begins with what the file is; rows are of `name`, and lie in `folder` until all are there.
    pub(super) fn begin(
        sink: Sink,
        columns: &[&str],
        name: &str,
        about: &[(&str, String)],
        folder: &Path,
    ) -> io::Result<Self> {
        Self::of_sheets(sink, columns, name, about, folder, SHEET_ROWS)
    }

    fn of_sheets(
        sink: Sink,
        columns: &[&str],
        name: &str,
        about: &[(&str, String)],
        folder: &Path,
        sheet_rows: u32,
    ) -> io::Result<Self> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(folder).map_err(told)?;
        workbook.set_zip_compression_level(LEVEL);
        let comment: Vec<String> = about.iter().map(|(what, text)| format!("{what}: {text}")).collect();
        workbook.set_properties(&DocProperties::new().set_title(name).set_comment(comment.join("\n")));
        let sheet = workbook.add_worksheet();
        first_sheet(sheet, about).map_err(told)?;
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        let mut rows = Self { workbook, sink, name: name.to_owned(), columns, sheet_rows, sheets: 0, next: 0 };
        rows.add_sheet().map_err(told)?;
        Ok(rows)
    }

    fn add_sheet(&mut self) -> Result<(), XlsxError> {
        self.sheets += 1;
        let name = if self.sheets == 1 { self.name.clone() } else { format!("{} {}", self.name, self.sheets) };
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        let bold = Format::new().set_bold();
        for (column, name) in (0..).zip(&self.columns) {
            sheet.write_string_with_format(0, column, name, &bold)?;
        }
        self.next = 1;
        Ok(())
    }

    fn write(&mut self, cells: &[Cell<'_>]) -> Result<(), XlsxError> {
        if self.next == self.sheet_rows {
            self.add_sheet()?;
        }
        let (sheet, row) = (self.workbook.worksheet_from_index(self.sheets)?, self.next);
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Text(text) | Cell::Plain(text) => drop(sheet.write_string(row, column, fitting(text))?),
                Cell::Json(object) => drop(sheet.write_string(row, column, fitting(object))?),
                #[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
                Cell::Whole(count) => drop(sheet.write_number(row, column, *count as f64)?),
                Cell::Number(number) => drop(sheet.write_number(row, column, *number)?),
                Cell::Flag(flag) => drop(sheet.write_boolean(row, column, *flag)?),
            }
        }
        self.next += 1;
        Ok(())
    }
}

fn first_sheet(sheet: &mut Worksheet, about: &[(&str, String)]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    sheet.set_name("about")?.set_column_width(0, 16)?.set_column_width(1, 100)?;
    for (row, (what, text)) in (0..).zip(about) {
        sheet.write_string_with_format(row, 0, *what, &bold)?.write_string(row, 1, fitting(text))?;
    }
    Ok(())
}

/// As much of a text as a cell takes.
fn fitting(text: &str) -> &str {
    match text.char_indices().nth(TEXT_LENGTH_MAX) {
        Some((end, _)) if text.len() > TEXT_LENGTH_MAX => &text[..end],
        _ => text,
    }
}

fn told(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

impl Rows for XlsxRows {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.write(cells).map_err(told)
    }

    fn finish(mut self: Box<Self>) -> io::Result<Sink> {
        self.workbook.save_to_writer(&mut self.sink).map_err(told)?;
        Ok(self.sink)
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use tokio_util::sync::CancellationToken;

    use super::*;

    const READ: &str = "import json, openpyxl, sys\n\
                        book = openpyxl.load_workbook(sys.argv[1])\n\
                        json.dump({s.title: list(s.iter_rows(values_only=True)) for s in book}, sys.stdout)";

    #[test]
    fn rows_that_a_sheet_does_not_hold_go_on_in_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.xlsx");
        let sink = Sink::new(std::fs::File::create(&path).unwrap(), None, CancellationToken::new()).unwrap();
        let about = [("warning", "personal".to_owned())];
        let mut rows = XlsxRows::of_sheets(sink, &["n", "text"], "attempts", &about, folder.path(), 3).unwrap();
        for n in 1..=5 {
            rows.row(&[Cell::Whole(n), if n == 3 { Cell::Empty } else { Cell::text("=1+1") }]).unwrap();
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "what lies there meanwhile has no name");
        Box::new(rows).finish().unwrap().finish().unwrap();
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
        let read = Command::new(python).args(["-c", READ]).arg(&path).output().expect("`tests/run` installs it");
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let found: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
        let wanted = serde_json::json!({
            "about": [["warning", "personal"]],
            "attempts": [["n", "text"], [1, "=1+1"], [2, "=1+1"]],
            "attempts 2": [["n", "text"], [3, null], [4, "=1+1"]],
            "attempts 3": [["n", "text"], [5, "=1+1"]],
        });
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_text_is_cut_at_what_a_cell_holds() {
        let long = "ä".repeat(TEXT_LENGTH_MAX + 5);
        assert_eq!(fitting(&long).chars().count(), TEXT_LENGTH_MAX);
        assert_eq!(fitting("short"), "short");
    }
}
