//! Records out of a stream of CSV bytes (RFC 4180), each with its line and as it stood.
//!
//! Memory is bounded by [`RECORD_BYTES_MAX`]. A quote that is never closed would swallow the rest of
//! the file: such a record is given up at its first line, and reading goes on with the next.

use std::io;

use csv_core::{ReadRecordResult, Reader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::domain::{attribute::ATTRIBUTES_MAX, contact::NUMBERS_PER_CONTACT_MAX};

/// Longest record.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Most fields of a record.
pub(super) const FIELDS_MAX: usize = ATTRIBUTES_MAX + NUMBERS_PER_CONTACT_MAX + 8;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// What some programs put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Line of the file on which it begins, from 1.
    pub(super) line: u64,
    /// The record as it stood, without its line end; what is not UTF-8 is replaced.
    pub(super) raw: String,
    /// Its fields, or why it has none.
    pub(super) fields: Result<Vec<String>, RecordError>,
}

/// Why a record can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    /// Not text.
    #[error("is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// Over [`RECORD_BYTES_MAX`] or [`FIELDS_MAX`], or not over at the end of the file.
    #[error("has no end; is a quote left open?")]
    Endless,
}

/// Reads records.
pub(super) struct Records<R> {
    source: R,
    /// Bytes read and not yet parsed, from `at` on.
    unread: Vec<u8>,
    at: usize,
    at_start: bool,
    source_ended: bool,
    parser: Reader,
    /// Line of the next byte to be parsed, from 1.
    line: u64,
    /// The rest of the line belongs to a record that was given up.
    skips_line: bool,
    /// Where the parser puts the fields of the record under way.
    fields: Box<[u8]>,
    /// Where it puts their ends.
    ends: Box<[usize]>,
}

/// A record under way.
#[derive(Default)]
struct Partial {
    raw: Vec<u8>,
    /// Bytes of its fields so far.
    fields_length: usize,
    /// Fields so far.
    ends_length: usize,
}

impl<R: AsyncRead + Unpin> Records<R> {
    /// Records of `source`.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            unread: Vec::new(),
            at: 0,
            at_start: true,
            source_ended: false,
            parser: Reader::new(),
            line: 1,
            skips_line: false,
            fields: vec![0; RECORD_BYTES_MAX].into(),
            ends: vec![0; FIELDS_MAX].into(),
        }
    }

    /// The next record; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> io::Result<Option<Record>> {
        let mut partial = Partial::default();
        while self.skips_line && !(self.source_ended && self.at == self.unread.len()) {
            self.skip_line().await?;
        }
        loop {
            while self.at == self.unread.len() && !self.source_ended {
                self.fill().await?;
            }
            let input = &self.unread[self.at..];
            let (result, read, written, ended) = self.parser.read_record(
                input,
                &mut self.fields[partial.fields_length..],
                &mut self.ends[partial.ends_length..],
            );
            partial.raw.extend_from_slice(&input[..read]);
            partial.fields_length += written;
            partial.ends_length += ended;
            self.at += read;
            match result {
                ReadRecordResult::InputEmpty if partial.raw.len() <= RECORD_BYTES_MAX => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Ok(Some(self.give_up(partial)));
                }
                ReadRecordResult::Record if self.source_ended && partial.is_open() => {
                    return Ok(Some(self.give_up(partial)));
                }
                ReadRecordResult::Record => return Ok(Some(self.finish(partial))),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.unread.clear();
        self.at = 0;
        self.unread.reserve(READ_BYTES);
        self.source_ended = self.source.read_buf(&mut self.unread).await? == 0;
        if self.at_start {
            self.at_start = false;
            while self.unread.len() < BYTE_ORDER_MARK.len() && !self.source_ended {
                self.source_ended = self.source.read_buf(&mut self.unread).await? == 0;
            }
            self.at = if self.unread.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        }
        Ok(())
    }

    async fn skip_line(&mut self) -> io::Result<()> {
        if let Some(end) = self.unread[self.at..].iter().position(|&byte| byte == b'\n') {
            self.at += end + 1;
            self.line += 1;
            self.skips_line = false;
            return Ok(());
        }
        self.fill().await
    }

    fn finish(&mut self, partial: Partial) -> Record {
        let begins = beginning(&partial.raw);
        let line = self.line + newlines(&partial.raw[..begins]);
        let raw = String::from_utf8_lossy(without_line_end(&partial.raw[begins..])).into_owned();
        self.line += newlines(&partial.raw);
        Record { line, raw, fields: self.texts(&partial).ok_or(RecordError::NotUtf8) }
    }

    fn texts(&self, partial: &Partial) -> Option<Vec<String>> {
        let text = std::str::from_utf8(&self.fields[..partial.fields_length]).ok()?;
        let ends = &self.ends[..partial.ends_length];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, &end)| text.get(start..end).map(str::to_owned)).collect()
    }

    /// Gives the first line up and puts what follows it back.
    fn give_up(&mut self, partial: Partial) -> Record {
        let begins = beginning(&partial.raw);
        let line = self.line + newlines(&partial.raw[..begins]);
        let end = partial.raw[begins..].iter().position(|&byte| byte == b'\n').map(|end| begins + end + 1);
        let (first, rest) = partial.raw.split_at(end.unwrap_or(partial.raw.len()));
        let raw = String::from_utf8_lossy(without_line_end(&first[begins..])).into_owned();
        self.line += newlines(first);
        self.skips_line = end.is_none();
        let unread = [rest, &self.unread[self.at..]].concat();
        (self.unread, self.at) = (unread, 0);
        self.parser = Reader::new();
        Record { line, raw, fields: Err(RecordError::Endless) }
    }
}

/// Where a record begins, behind empty lines and the end of the line before it.
fn beginning(raw: &[u8]) -> usize {
    raw.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(raw.len())
}

impl Partial {
    /// Whether it runs over several lines up to the end of the file in a quote that nobody closed.
    fn is_open(&self) -> bool {
        let quotes = self.raw.iter().filter(|&&byte| byte == b'"').count();
        quotes % 2 == 1 && self.raw.trim_ascii().contains(&b'\n')
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `bytes` out in pieces of `piece`.
    async fn all(bytes: &[u8], piece: usize) -> Vec<(u64, String, Result<Vec<String>, RecordError>)> {
        let (mut far, near) = tokio::io::duplex(piece);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &bytes).await });
        let mut records = Records::new(near);
        let mut all = Vec::new();
        while let Some(record) = records.next().await.unwrap() {
            all.push((record.line, record.raw, record.fields));
        }
        all
    }

    fn fields(texts: &[&str]) -> Result<Vec<String>, RecordError> {
        Ok(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[tokio::test]
    async fn lines_quotes_and_breaks_in_any_piece() {
        let text = b"a,b\r\n\r\n\"x\r\ny\",\"say \"\"hi\"\"\"\r\n5\" pipe,z\n\nlast,\xc3\xa4";
        let expected = vec![
            (1, "a,b".to_owned(), fields(&["a", "b"])),
            (3, "\"x\r\ny\",\"say \"\"hi\"\"\"".to_owned(), fields(&["x\r\ny", "say \"hi\""])),
            (5, "5\" pipe,z".to_owned(), fields(&["5\" pipe", "z"])),
            (7, "last,ä".to_owned(), fields(&["last", "ä"])),
        ];
        for piece in [1, 2, 3, 7, 4096] {
            assert_eq!(all(text, piece).await, expected, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_no_part_of_the_first_field() {
        for piece in [1, 2, 4096] {
            assert_eq!(all(b"\xef\xbb\xbf\"a\",b\n", piece).await[0].2, fields(&["a", "b"]));
        }
    }

    #[tokio::test]
    async fn an_open_quote_costs_one_line() {
        let text = b"a,b\n\"open,1\nc,d\ne,f\n";
        let expected = vec![
            (1, "a,b".to_owned(), fields(&["a", "b"])),
            (2, "\"open,1".to_owned(), Err(RecordError::Endless)),
            (3, "c,d".to_owned(), fields(&["c", "d"])),
            (4, "e,f".to_owned(), fields(&["e", "f"])),
        ];
        assert_eq!(all(text, 5).await, expected);
        let mut long = b"\"open,1\n".to_vec();
        (0..20_000).for_each(|i| long.extend_from_slice(format!("c{i},d\n").as_bytes()));
        let records = all(&long, 4096).await;
        assert_eq!(records.len(), 20_001);
        assert_eq!(records[0].2, Err(RecordError::Endless));
        assert_eq!(records[20_000], (20_001, "c19999,d".to_owned(), fields(&["c19999", "d"])));
    }

    #[tokio::test]
    async fn a_record_without_end_is_not_held_in_memory() {
        let mut long = vec![b'x'; 5 * RECORD_BYTES_MAX];
        assert_eq!(all(&long, 4096).await.len(), 1);
        long.extend_from_slice(b"\na,b\n");
        let records = all(&long, 4096).await;
        assert_eq!((records[0].0, &records[0].2), (1, &Err(RecordError::Endless)));
        assert!(records[0].1.len() <= RECORD_BYTES_MAX + READ_BYTES);
        assert_eq!(records[1..], [(2, "a,b".to_owned(), fields(&["a", "b"]))]);
        let many = "a,".repeat(FIELDS_MAX + 1);
        assert_eq!(all(many.as_bytes(), 4096).await[0].2, Err(RecordError::Endless));
    }

    #[tokio::test]
    async fn what_is_not_text_is_told_by_line() {
        let records = all(b"a,b\nc,\xff\xfe\nd,e\n", 4096).await;
        assert_eq!((records[1].0, &records[1].2), (2, &Err(RecordError::NotUtf8)));
        assert_eq!((records[2].0, &records[2].2), (3, &fields(&["d", "e"])));
        // Half a character on each side of a comma is no character.
        assert_eq!(all(b"\xc3,\xa4\n", 4096).await[0].2, Err(RecordError::NotUtf8));
    }

    #[tokio::test]
    async fn nothing_gives_nothing() {
        assert_eq!(all(b"", 16).await, []);
        assert_eq!(all(b"\n\r\n\n", 16).await, []);
    }
}
