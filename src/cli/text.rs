//! Text for people: aligned columns, times in a zone, nothing that could steer a terminal.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use unicode_width::UnicodeWidthStr;

use crate::config::render::{visible, visible_line};

/// `text` with what could steer a terminal escaped: names and commit messages are other people's. It may have
/// several lines.
pub(super) fn clean(text: &str) -> String {
    visible(text).into_owned()
}

/// The same of text that is one line, such as a path.
pub(super) fn clean_line(text: &str) -> String {
    visible_line(text).into_owned()
}

/// A path, in one line.
pub(super) fn path_line(path: &Path) -> String {
    clean_line(&path.to_string_lossy())
}

/// A point in time as people give one.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let forms = "write a date, a time and its offset, such as 2031-03-01T09:00:00+08:00 or 2031-03-01T01:00:00Z";
    text.parse().map_err(|_| forms.to_owned())
}

/// `-` for nothing.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// The first twelve digits of a commit, given as `branch@sha1:…` or bare.
pub(super) fn short_revision(revision: &str) -> &str {
    let hex = revision.rsplit(':').next().unwrap_or(revision);
    hex.get(..12).unwrap_or(hex)
}

/// Rows of columns; the last column is not padded.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|text| (*text).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell).replace('\n', " ")).collect());
    }

    /// The lines, each behind `indent`.
    pub(super) fn lines(&self, indent: &str) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        self.rows.iter().map(|row| format!("{indent}{}", padded(row, &widths))).collect()
    }
}

fn padded(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        line.push_str(&" ".repeat(width - cell.width() + 2));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Where times are shown.
#[derive(Debug)]
pub(super) struct Zone {
    /// Its name, or UTC if the given one is unknown.
    pub(super) name: String,
    zone: TimeZone,
}

impl Zone {
    pub(super) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self { name: name.to_owned(), zone },
            Err(_) => Self { name: "UTC".to_owned(), zone: TimeZone::UTC },
        }
    }

    /// `2031-03-01 10:00:05` of an RFC 3339 time; anything else as it is.
    pub(super) fn show(&self, rfc3339: &str) -> String {
        match rfc3339.parse::<Timestamp>() {
            Ok(at) => local(at, &self.zone),
            Err(_) => rfc3339.to_owned(),
        }
    }
}

/// `2031-03-01 10:00:05`, in a zone.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Seconds between two RFC 3339 times, as `25 s`, with tenths below ten; `-` if either is missing.
pub(super) fn seconds_between(from: Option<&str>, to: Option<&str>) -> String {
    let parse = |text: Option<&str>| text?.parse::<Timestamp>().ok();
    match (parse(from), parse(to)) {
        (Some(from), Some(to)) => {
            let tenths = (to.duration_since(from).as_millis() / 100).max(0);
            if tenths < 100 { format!("{}.{} s", tenths / 10, tenths % 10) } else { format!("{} s", tenths / 10) }
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_width_on_the_screen() {
        let mut table = Table::new(&["name", "phase"]);
        table.row(["春季回访".to_owned(), "running".to_owned()]);
        table.row(["spring".to_owned(), "paused".to_owned()]);
        assert_eq!(table.lines("  "), ["  name      phase", "  春季回访  running", "  spring    paused"]);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let mut table = Table::new(&["subject"]);
        table.row(["\x1b]0;owned\x07 line\nbreak".to_owned()]);
        assert_eq!(table.lines("")[1], r"\u001b]0;owned\u0007 line break");
    }

    #[test]
    fn times_are_given_with_their_offset() {
        assert_eq!(instant("2031-03-01T09:00:00+08:00"), instant("2031-03-01T01:00:00Z"));
        for text in ["yesterday", "2031-03-01", "2031-03-01T09:00:00", ""] {
            assert!(instant(text).unwrap_err().contains("such as 2031-03-01T09:00:00+08:00"), "{text}");
        }
    }

    #[test]
    fn times_are_shown_where_they_matter() {
        assert_eq!(Zone::named("Asia/Shanghai").show("2031-03-01T02:00:00Z"), "2031-03-01 10:00:00");
        assert_eq!(Zone::named("No/Where").show("soon"), "soon");
        assert_eq!(seconds_between(Some("2031-03-01T02:00:00Z"), Some("2031-03-01T02:00:25.9Z")), "25 s");
        assert_eq!(seconds_between(Some("2031-03-01T02:00:00Z"), Some("2031-03-01T02:00:00.49Z")), "0.4 s");
        assert_eq!(seconds_between(None, Some("2031-03-01T02:00:25Z")), "-");
    }
}
