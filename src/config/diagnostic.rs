//! Diagnostics: what is wrong with a file, where, and what to do about it.

use std::{borrow::Cow, cell::OnceCell, fmt, ops::Range, sync::Arc};

use super::code::Code;

/// Bytes of a source text, from `start` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// First byte behind it.
    pub end: u32,
}

/// Spans from here on lie in the template that a file extends; files themselves are far shorter.
const TEMPLATE: u32 = 1 << 30;

impl Span {
    /// The span as one of the template of the file that is read.
    pub(crate) fn of_template(self) -> Self {
        Self { start: self.start.saturating_add(TEMPLATE), end: self.end.saturating_add(TEMPLATE) }
    }

    /// Whether it lies in the template of the file that is read.
    pub(crate) fn in_template(self) -> bool {
        self.start >= TEMPLATE
    }

    /// The span as the file counts that it lies in, be that the template or not.
    pub(crate) fn plain(self) -> Self {
        if self.in_template() { Self { start: self.start - TEMPLATE, end: self.end - TEMPLATE } } else { self }
    }

    /// Whether `other` lies in it, its edges included.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The span as a range of byte indexes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl From<Range<usize>> for Span {
    /// Files are far below 4 GiB; what is not saturates.
    fn from(range: Range<usize>) -> Self {
        let narrow = |index| u32::try_from(index).unwrap_or(u32::MAX);
        Self { start: narrow(range.start), end: narrow(range.end) }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The commit is refused.
    Error,
    /// It is taken, and may not do what was meant.
    Warning,
    /// It is taken, and good to know.
    Note,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Path of the file, as shown to people.
    pub file: Arc<str>,
    /// Where in the text; `None` when the file as a whole is meant.
    pub span: Option<Span>,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// In characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// Line of the span's end.
    pub end_line: usize,
    /// Column of the first character behind the span.
    pub end_column: usize,
}

impl Location {
    /// The file as a whole.
    #[must_use]
    pub fn file(path: &Arc<str>) -> Self {
        Self { file: Arc::clone(path), span: None, line: 0, column: 0, end_line: 0, end_column: 0 }
    }
}

/// A replacement that probably says what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// One line: `did you mean "running"?`
    pub message: String,
    /// What to replace.
    pub span: Span,
    /// With what.
    pub text: String,
    /// Whether it surely says what was meant, so that `check --fix` may write it.
    pub safe: bool,
}

/// Another place that has to do with the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub location: Location,
    /// What is there.
    pub label: String,
}

/// One fault: one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of fault.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub location: Location,
    /// What is wrong, in one lowercase sentence.
    pub message: String,
    /// What to see at the underlined text; may be empty.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// The edit that probably mends it.
    pub suggestion: Option<Suggestion>,
    /// The setting's own documentation.
    pub about: Option<&'static str>,
    /// Other places, first things first.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error at a place; the rest is added by the methods below.
    #[must_use]
    pub fn error(code: Code, location: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, location, message)
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(code: Code, location: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, location, message)
    }

    /// A note at a place.
    #[must_use]
    pub fn note(code: Code, location: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, location, message)
    }

    fn new(severity: Severity, code: Code, location: Location, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            location,
            message: bounded(message.into()),
            label: String::new(),
            help: None,
            suggestion: None,
            about: None,
            related: Vec::new(),
        }
    }

    /// Says what to see at the underlined text.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = bounded(label.into());
        self
    }

    /// Says what to do.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(bounded(help.into()));
        self
    }

    /// Offers an edit for people to judge.
    pub fn suggest(&mut self, message: impl Into<String>, span: Span, text: impl Into<String>) -> &mut Self {
        self.fix_if(false, message, span, text)
    }

    /// Offers an edit that surely says what was meant; `check --fix` writes it.
    pub fn fix(&mut self, message: impl Into<String>, span: Span, text: impl Into<String>) -> &mut Self {
        self.fix_if(true, message, span, text)
    }

    /// Offers an edit, to be written by `check --fix` only if it is `sure`.
    pub fn fix_if(&mut self, sure: bool, message: impl Into<String>, span: Span, text: impl Into<String>) -> &mut Self {
        let (message, text) = (bounded(message.into()), text.into());
        // Nobody reads a longer one, nor could judge it.
        if text.len() <= EDIT_BYTES_MAX {
            self.suggestion = Some(Suggestion { message, span: span.plain(), text, safe: sure });
        }
        self
    }

    /// Points at another place.
    pub fn relate(&mut self, location: Location, label: impl Into<String>) -> &mut Self {
        self.related.push(Related { location, label: bounded(label.into()) });
        self
    }
}

/// Longest edit that is offered.
const EDIT_BYTES_MAX: usize = 1000;

/// Most characters of a file's text that a message repeats.
const QUOTED_CHARS_MAX: usize = 60;

/// Most characters of a sentence, whatever was put into it.
const SENTENCE_CHARS_MAX: usize = 500;

/// A key or value of a file, short enough for a message.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A sentence with its middle cut out if it is too long: what matters stands at its ends.
fn bounded(sentence: String) -> String {
    if sentence.chars().nth(SENTENCE_CHARS_MAX).is_none() {
        return sentence;
    }
    let half = SENTENCE_CHARS_MAX / 2;
    let head: String = sentence.chars().take(half).collect();
    let tail: Vec<char> = sentence.chars().rev().take(half).collect();
    head + " … " + &tail.into_iter().rev().collect::<String>()
}

/// Keeps the first `max` of sorted diagnostics and says how many others there were; `left_out` more have been
/// dropped already, the worst of that severity.
pub(crate) fn cap(diagnostics: &mut Vec<Diagnostic>, max: usize, left_out: LeftOut, place: Location) {
    let mut left_out = left_out;
    left_out.count(diagnostics.iter().skip(max));
    diagnostics.truncate(max);
    let LeftOut { number, worst: Some(worst) } = left_out else { return };
    diagnostics.push(Diagnostic::new(worst, Code::TooManyProblems, place, format!("{number} more problems")));
}

/// Diagnostics that were dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeftOut {
    number: usize,
    worst: Option<Severity>,
}

impl LeftOut {
    /// Counts some more.
    pub(crate) fn count<'d>(&mut self, dropped: impl IntoIterator<Item = &'d Diagnostic>) {
        for diagnostic in dropped {
            self.number += 1;
            self.worst = Some(self.worst.map_or(diagnostic.severity, |worst| worst.min(diagnostic.severity)));
        }
    }
}

/// A text and the path it came from: turns spans into places.
#[derive(Debug, Clone)]
pub(crate) struct Source<'s> {
    pub(crate) path: Arc<str>,
    pub(crate) text: &'s str,
    /// Where each line starts, once somebody asked.
    lines: OnceCell<Vec<usize>>,
}

impl<'s> Source<'s> {
    pub(crate) fn new(path: Arc<str>, text: &'s str) -> Self {
        Self { path, text, lines: OnceCell::new() }
    }

    /// The place of a span. Columns count characters, so wide ones and combining marks are one each
    /// code point; a byte-order mark is none.
    pub(crate) fn locate(&self, span: Span) -> Location {
        let (line, column) = self.position(span.range().start);
        let (end_line, end_column) = self.position(span.range().end.max(span.range().start));
        Location { file: Arc::clone(&self.path), span: Some(span), line, column, end_line, end_column }
    }

    /// Line and column of a byte, or of the character that it is a part of.
    fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.text.floor_char_boundary(byte);
        let lines = self.lines.get_or_init(|| {
            let newlines = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(newlines.map(|newline| newline + 1)).collect()
        });
        let line = lines.partition_point(|&start| start <= byte);
        let before = &self.text[lines[line - 1]..byte];
        (line, before.trim_start_matches('\u{feff}').chars().count() + 1)
    }

    /// The text of a span; empty if it is out of range.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

/// Sorts diagnostics as people read them, by file and place, and drops exact repeats.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.location.clone(), d.code);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        assert!(Severity::ALL.is_sorted());
        let place = Location::file(&"x.toml".into());
        assert_eq!(Diagnostic::error(Code::Syntax, place.clone(), "").severity, Severity::Error);
        assert_eq!(Diagnostic::warning(Code::Syntax, place.clone(), "").severity, Severity::Warning);
        assert_eq!(Diagnostic::note(Code::Syntax, place, "").severity, Severity::Note);
    }

    #[test]
    fn what_a_file_says_is_never_repeated_at_length() {
        let place = Location::file(&"x.toml".into());
        let long = "春".repeat(400_000);
        assert_eq!(short(&long).chars().count(), QUOTED_CHARS_MAX + 1);
        assert_eq!(short("mode"), "mode");
        let mut fault = Diagnostic::error(Code::Text, place.clone(), format!("unknown {long} key"));
        fault.label(&long).help(&long).relate(place, &long).fix("so", Span::default(), &long);
        assert!(fault.message.starts_with("unknown 春") && fault.message.ends_with("春 key"));
        assert!(fault.suggestion.is_none());
        for text in [&fault.message, &fault.label, fault.help.as_ref().unwrap(), &fault.related[0].label] {
            assert!(text.chars().count() < SENTENCE_CHARS_MAX + 10);
        }
    }

    #[test]
    fn what_is_left_out_is_as_bad_as_the_worst_of_it() {
        let place = Location::file(&"x.toml".into());
        let note = Diagnostic::note(Code::Text, place.clone(), "n");
        let mut found = vec![note.clone(), note.clone(), Diagnostic::warning(Code::Text, place.clone(), "w")];
        let mut left_out = LeftOut::default();
        left_out.count(&[note]);
        cap(&mut found, 1, left_out, place.clone());
        assert_eq!((found[1].severity, found[1].message.as_str()), (Severity::Warning, "3 more problems"));
        cap(&mut found, 2, LeftOut::default(), place);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source::new("x.toml".into(), "\u{feff}a = 1\r\nn = \"春季\" # x\n");
        let at = |needle: &str| {
            let start = source.text.find(needle).unwrap();
            let found = source.locate(Span::from(start..start + needle.len()));
            (found.line, found.column)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("n ="), (2, 1));
        assert_eq!(at("# x"), (2, 10));
        let whole = source.locate(Span::from(0..source.text.len()));
        assert_eq!((whole.line, whole.column, whole.end_line, whole.end_column), (1, 1, 3, 1));
        let beyond = source.locate(Span { start: 999, end: 999 });
        assert_eq!((beyond.line, beyond.column), (3, 1));
    }
}
