//! Lines out of a stream of text, each with its number; memory is bounded by the longest one.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::records::{BYTE_ORDER_MARK, RECORD_BYTES_MAX};

/// One line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// As it stood, as far as it was read; what is not UTF-8 is replaced.
    pub(super) raw: String,
    /// Why it can't be read, if it can't.
    pub(super) fault: Option<LineFault>,
}

/// Why a line can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineFault {
    /// Not text.
    #[error("is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// Over [`RECORD_BYTES_MAX`].
    #[error("is longer than {RECORD_BYTES_MAX} bytes; each line is one contact")]
    TooLong,
}

/// Reads lines.
pub(super) struct Lines<R> {
    source: BufReader<R>,
    number: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of `source`.
    pub(super) fn new(source: R) -> Self {
        Self { source: BufReader::with_capacity(RECORD_BYTES_MAX, source), number: 0 }
    }

    /// The next line that is not blank; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let Some(whole) = self.read(&mut bytes).await? else { return Ok(None) };
            self.number += 1;
            let first = self.number == 1;
            let text = if first { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes) } else { &bytes };
            let text = text.trim_ascii();
            if text.is_empty() && whole {
                continue;
            }
            let fault = match std::str::from_utf8(text) {
                _ if !whole => Some(LineFault::TooLong),
                Ok(_) => None,
                Err(_) => Some(LineFault::NotUtf8),
            };
            let raw = String::from_utf8_lossy(text).into_owned();
            return Ok(Some(Line { number: self.number, raw, fault }));
        }
    }

    /// Reads to the next line end and keeps what a line may have; whether that was all of it, or
    /// `None` if nothing was left.
    async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<bool>> {
        let (mut whole, mut any) = (true, false);
        loop {
            let piece = self.source.fill_buf().await?;
            if piece.is_empty() {
                return Ok(any.then_some(whole));
            }
            any = true;
            let end = memchr::memchr(b'\n', piece);
            let length = end.map_or(piece.len(), |end| end + 1);
            let room = RECORD_BYTES_MAX.saturating_sub(bytes.len());
            bytes.extend_from_slice(&piece[..length.min(room)]);
            whole &= length <= room;
            self.source.consume(length);
            if end.is_some() {
                return Ok(Some(whole));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8], piece: usize) -> Vec<Line> {
        let (mut far, near) = tokio::io::duplex(piece);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &bytes).await });
        let mut lines = Lines::new(near);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn blank_lines_count_and_are_left_out() {
        for piece in [1, 3, 4096] {
            let told = all(b"\xef\xbb\xbf{}\r\n\n  \n[1]\nx\xff\nlast", piece).await;
            let told: Vec<(u64, &str, Option<LineFault>)> =
                told.iter().map(|line| (line.number, line.raw.as_str(), line.fault)).collect();
            let expected =
                [(1, "{}", None), (4, "[1]", None), (5, "x\u{fffd}", Some(LineFault::NotUtf8)), (6, "last", None)];
            assert_eq!(told, expected, "in pieces of {piece}");
        }
        assert_eq!(all(b"", 16).await, []);
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_held_in_memory() {
        let mut long = vec![b'x'; 5 * RECORD_BYTES_MAX];
        long.extend_from_slice(b"\nnext\n");
        let lines = all(&long, 4096).await;
        assert_eq!((lines[0].number, lines[0].fault), (1, Some(LineFault::TooLong)));
        assert_eq!(lines[0].raw.len(), RECORD_BYTES_MAX);
        assert_eq!((lines[1].number, lines[1].raw.as_str(), lines[1].fault), (2, "next", None));
    }
}
