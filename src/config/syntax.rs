//! TOML text to a tree with spans; each syntax error once, and as much of the rest as still stands.
//!
//! An error inside a value, and a key defined twice, leave the shape of the file intact: the tree is
//! read on. After any other error only that one is reported, since what follows it is guesswork.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};
use toml_parser::{
    ErrorSink, Span as RawSpan,
    decoder::Encoding,
    parser::{EventReceiver, RecursionGuard, parse_document},
};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Source, Span, short},
};

/// A value with its place in the text.
pub(crate) type Node<'s> = Spanned<DeValue<'s>>;

/// Nesting that a file may have; the same bound as the `toml` crate's.
const DEPTH_MAX: u32 = 80;

/// Syntax errors of one file that are looked at; nobody reads more.
const ERRORS_MAX: usize = 100;

/// What a text holds.
pub(crate) struct Parsed<'s> {
    /// The tree; unquoted words and the like stand in it as they were guessed.
    pub(crate) root: DeTable<'s>,
    /// Values that were reported already: reading them would report them twice.
    pub(crate) poisoned: BTreeSet<Span>,
    /// Whether the shape of the file is known, so that the tree can be read.
    pub(crate) readable: bool,
}

impl Parsed<'_> {
    /// Of a file that is not even looked at.
    pub(crate) fn unreadable() -> Self {
        Self { root: DeTable::new(), poisoned: BTreeSet::new(), readable: false }
    }
}

/// Parses a text and adds its syntax errors to `diagnostics`.
pub(crate) fn parse<'s>(source: &Source<'s>, diagnostics: &mut Vec<Diagnostic>) -> Parsed<'s> {
    let (root, mut errors) = DeTable::parse_recoverable(source.text);
    let mut parsed = Parsed { root: root.into_inner(), poisoned: BTreeSet::new(), readable: true };
    for node in parsed.root.values() {
        no_digits(node, &mut parsed.poisoned);
    }
    diagnostics.extend(parsed.poisoned.iter().take(ERRORS_MAX).map(|&span| not_a_number(source, span)));
    if errors.is_empty() {
        return parsed;
    }
    errors.truncate(ERRORS_MAX);
    let scan = scan(source.text);
    // Errors in one line have one cause. What broke the file's shape says it best, else the first.
    let mut lines: BTreeMap<usize, (bool, Diagnostic)> = BTreeMap::new();
    for error in &errors {
        let span = error.span().map(Span::from).or(scan.too_deep).unwrap_or_default();
        let (breaks, diagnostic) = if let Some(&first) = scan.repeated.get(&span.start) {
            (false, duplicate(source, span, first))
        } else if let Some(value) = value_at(&parsed.root, span) {
            parsed.poisoned.insert(value);
            (false, in_value(source, value, error))
        } else {
            (true, broken(source, &parsed.root, span, error))
        };
        match lines.entry(source.locate(span).line) {
            Entry::Occupied(mut known) if breaks && !known.get().0 => drop(known.insert((breaks, diagnostic))),
            Entry::Occupied(_) => {}
            Entry::Vacant(line) => drop(line.insert((breaks, diagnostic))),
        }
    }
    for (breaks, diagnostic) in lines.into_values() {
        diagnostics.push(diagnostic);
        if breaks {
            parsed.readable = false;
            break;
        }
    }
    parsed
}

/// Collects integers that the parser took without digits (`0x`) or with foreign ones (`1_0٠`).
fn no_digits(node: &Node<'_>, found: &mut BTreeSet<Span>) {
    match node.get_ref() {
        DeValue::Integer(number) => {
            let digits = number.as_str().trim_start_matches(['+', '-']);
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(number.radix())) {
                found.insert(Span::from(node.span()));
            }
        }
        DeValue::Table(table) => table.values().for_each(|node| no_digits(node, found)),
        DeValue::Array(items) => items.iter().for_each(|node| no_digits(node, found)),
        DeValue::String(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

fn not_a_number(source: &Source<'_>, span: Span) -> Diagnostic {
    let message = format!("`{}` is not a number", source.slice(span));
    let mut diagnostic = Diagnostic::error(Code::Syntax, source.locate(span), message);
    diagnostic
        .label("not a TOML value")
        .help("a number is written in the digits 0 to 9; behind `0x`, in 0 to 9 and a to f");
    diagnostic
}

fn broken(source: &Source<'_>, root: &DeTable<'_>, span: Span, error: &Error) -> Diagnostic {
    let location = source.locate(span);
    // Said in two ways, of brackets and of dotted keys.
    if error.message().contains("recurs") {
        let mut diagnostic =
            Diagnostic::error(Code::Syntax, location, format!("nested more than {DEPTH_MAX} tables and lists deep"));
        diagnostic.label("one too many").help("nothing here is nested more than a few deep; is a bracket left open?");
        return diagnostic;
    }
    let at_end = source.text.get(span.range().start..).is_none_or(|rest| rest.trim().is_empty());
    let opened = container_at(root, span).filter(|place| at_end || span.end < place.end);
    let opened = opened.map(|Span { start, .. }| source.locate(Span { start, end: start + 1 }));
    let mut diagnostic = Diagnostic::error(Code::Syntax, location, error.message());
    diagnostic.label("not TOML from here");
    if let Some(opened) = opened {
        diagnostic.relate(opened, "inside this");
    }
    diagnostic
}

fn duplicate(source: &Source<'_>, span: Span, first: Span) -> Diagnostic {
    let message = format!("`{}` is defined twice", short(source.slice(span)));
    let mut diagnostic = Diagnostic::error(Code::DuplicateKey, source.locate(span), message);
    diagnostic.label("again here").relate(source.locate(first), "first defined here");
    diagnostic
}

fn in_value(source: &Source<'_>, value: Span, error: &Error) -> Diagnostic {
    let text = source.slice(value);
    if text.is_empty() {
        let mut diagnostic = Diagnostic::error(Code::Syntax, source.locate(value), "this key has no value");
        diagnostic.label("a value is missing here");
        return diagnostic;
    }
    let quoted = text.starts_with(['"', '\'']);
    if quoted || !error.message().contains("quoted") {
        let at = Span::from(error.span().unwrap_or_default());
        if let Some((what, expected)) = does_not_exist(error) {
            let message = format!("`{}` is no {what}: {expected}", short(text));
            let mut diagnostic = Diagnostic::error(Code::Syntax, source.locate(at), message);
            diagnostic.label("does not exist");
            return diagnostic;
        }
        let mut diagnostic = Diagnostic::error(Code::Syntax, source.locate(at), error.message());
        diagnostic.label("not a TOML value");
        if error.message().contains("escape") {
            diagnostic.help("between \" and \" a backslash is special: write it twice, or use single quotes");
        }
        return diagnostic;
    }
    let mut diagnostic = Diagnostic::error(Code::Syntax, source.locate(value), "text must stand in quotes");
    let bare = text.trim_matches(['“', '”', '„', '‘', '’', '«', '»']);
    diagnostic.label("not quoted").fix("put it in quotes", value, toml::Value::from(bare).to_string());
    diagnostic
}

/// What a date or a time would be that has the form of one, and what was expected of it.
fn does_not_exist(error: &Error) -> Option<(&str, &str)> {
    let (what, expected) = error.message().strip_prefix("invalid ")?.split_once(", ")?;
    expected.contains(" between ").then_some((what, expected))
}

/// The plain value that holds the span.
fn value_at(table: &DeTable<'_>, span: Span) -> Option<Span> {
    table.values().find_map(|node| plain_value(node, span))
}

fn plain_value(node: &Node<'_>, span: Span) -> Option<Span> {
    match node.get_ref() {
        DeValue::Table(table) => value_at(table, span),
        DeValue::Array(items) => items.iter().find_map(|item| plain_value(item, span)),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            let place = Span::from(node.span());
            place.contains(span).then_some(place)
        }
    }
}

/// The innermost list or inline table that holds the span.
fn container_at(table: &DeTable<'_>, span: Span) -> Option<Span> {
    table.values().find_map(|node| container(node, span))
}

fn container(node: &Node<'_>, span: Span) -> Option<Span> {
    let place = Span::from(node.span());
    let inner = match node.get_ref() {
        DeValue::Table(table) => container_at(table, span),
        DeValue::Array(items) => items.iter().find_map(|item| container(item, span)),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            return None;
        }
    };
    inner.or_else(|| (place.contains(span) && place.start < span.start).then_some(place))
}

/// Looks for keys whose path was seen before, and for one that is too long.
fn scan(text: &str) -> KeyScan<'_> {
    let source = toml_parser::Source::new(text);
    let mut scan = KeyScan::new(source);
    let tokens = source.lex().into_vec();
    parse_document(&tokens, &mut RecursionGuard::new(&mut scan, DEPTH_MAX), &mut ());
    scan
}

/// Walks a document's events and knows every key by its path.
struct KeyScan<'s> {
    source: toml_parser::Source<'s>,
    /// The table that keys are now added to.
    table: Place,
    /// Keys read since the last value or header.
    pending: Vec<(String, Span)>,
    /// The key whose value is being read.
    key: Place,
    /// Enclosing inline tables: what `table` and `key` were outside.
    outer: Vec<(Place, Place)>,
    /// What a name below a place leads to, and where it was first written.
    known: BTreeMap<(Place, String), (Place, Span)>,
    /// The newest table of each list of tables.
    newest: BTreeMap<Place, Place>,
    /// The last place that was given out.
    last: Place,
    /// Where each repeated key starts, and the first of its path.
    repeated: BTreeMap<u32, Span>,
    /// The first part of a dotted key that is one too many.
    too_deep: Option<Span>,
}

/// A table or value of a document, by number; 0 is the document itself.
type Place = usize;

impl<'s> KeyScan<'s> {
    fn new(source: toml_parser::Source<'s>) -> Self {
        Self {
            source,
            table: 0,
            pending: Vec::new(),
            key: 0,
            outer: Vec::new(),
            known: BTreeMap::new(),
            newest: BTreeMap::new(),
            last: 0,
            repeated: BTreeMap::new(),
            too_deep: None,
        }
    }

    fn fresh(&mut self) -> Place {
        self.last += 1;
        self.last
    }

    /// Where a name leads to; notes it as repeated if it was written before.
    fn step(&mut self, from: Place, name: String, span: Span) -> Place {
        if let Some(&(place, first)) = self.known.get(&(from, name.clone())) {
            self.repeated.insert(span.start, first);
            return place;
        }
        let place = self.fresh();
        self.known.insert((from, name), (place, span));
        place
    }

    /// Follows the pending keys, stepping into the newest table of each list.
    fn follow(&mut self, from: Place) -> Place {
        let pending = std::mem::take(&mut self.pending);
        pending.into_iter().fold(from, |from, (name, span)| {
            let place = self.step(from, name, span);
            self.newest.get(&place).copied().unwrap_or(place)
        })
    }
}

impl EventReceiver for KeyScan<'_> {
    fn std_table_open(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.pending.clear();
    }

    fn std_table_close(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.table = self.follow(0);
    }

    fn array_table_open(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.pending.clear();
    }

    fn array_table_close(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        let Some((name, span)) = self.pending.pop() else { return };
        let above = self.follow(0);
        let list = self.step(above, name, span);
        self.table = self.fresh();
        self.newest.insert(list, self.table);
    }

    fn simple_key(&mut self, span: RawSpan, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        let Some(text) = self.source.get(span) else { return };
        let raw = toml_parser::Raw::new_unchecked(text.as_str(), encoding, span);
        let mut name = std::borrow::Cow::Borrowed("");
        raw.decode_key(&mut name, &mut ());
        let span = Span::from(span.start()..span.end());
        if self.pending.len() >= DEPTH_MAX as usize {
            self.too_deep.get_or_insert(span);
        }
        self.pending.push((name.into_owned(), span));
    }

    fn key_val_sep(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.key = self.follow(self.table);
    }

    fn inline_table_open(&mut self, _: RawSpan, _: &mut dyn ErrorSink) -> bool {
        // A place of its own, as the table may be one of several in a list.
        let inner = self.fresh();
        self.outer.push((std::mem::replace(&mut self.table, inner), self.key));
        true
    }

    fn inline_table_close(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.pending.clear();
        if let Some((table, key)) = self.outer.pop() {
            (self.table, self.key) = (table, key);
        }
    }

    fn newline(&mut self, _: RawSpan, _: &mut dyn ErrorSink) {
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each error as `line:column code message [first line:column]`, and whether the tree is read.
    fn errors(text: &str) -> (Vec<String>, bool) {
        let source = Source::new("x.toml".into(), text);
        let mut diagnostics = Vec::new();
        let parsed = parse(&source, &mut diagnostics);
        let shown = diagnostics.iter().map(|d| {
            let first: String =
                d.related.iter().map(|r| format!(" first {}:{}", r.location.line, r.location.column)).collect();
            format!("{}:{} {} {}{first}", d.location.line, d.location.column, d.code, d.message)
        });
        (shown.collect(), parsed.readable)
    }

    #[test]
    fn a_slip_in_a_value_leaves_the_rest_readable() {
        for (text, expected) in [
            ("state = running\nb = 1\n", "1:9 E0002 text must stand in quotes"),
            ("a = “x”\n", "1:5 E0002 text must stand in quotes"),
            ("a = \nb = 2\n", "1:5 E0002 this key has no value"),
            ("a = \"abc\nb = 2\n", "1:9 E0002 invalid basic string, expected `\"`"),
            ("a = 0x\n", "1:5 E0002 `0x` is not a number"),
            ("a = [{ b = 1_0٠ }]\n", "1:12 E0002 `1_0٠` is not a number"),
            (
                "a = 2031-13-01T00:00:00Z\n",
                "1:5 E0002 `2031-13-01T00:00:00Z` is no date: expected month between 01 and 12",
            ),
        ] {
            assert_eq!(errors(text), (vec![expected.to_owned()], true), "{text:?}");
        }
    }

    #[test]
    fn a_broken_shape_is_one_message() {
        for (text, expected) in [
            ("a = [1, 2\nb = 3\nc = 4\n", "2:3 E0002 unexpected `=` in array, expected value, `]` first 1:5"),
            ("[a\nb = 1\n", "1:3 E0002 unclosed table, expected `]`"),
            ("a=[[[[1,\n", "1:9 E0002 unclosed array, expected `]` first 1:6"),
            ("a = 1\nb c = 2\n", "2:3 E0002 key with no value, expected `=`"),
        ] {
            assert_eq!(errors(text), (vec![expected.to_owned()], false), "{text:?}");
        }
        let deep = format!("a = {}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(errors(&deep).0.len(), 1);
    }

    #[test]
    fn a_duplicate_names_both_places() {
        for (text, expected) in [
            ("a = 1\nb = 2\na = 3\n", "3:1 E0003 `a` is defined twice first 1:1"),
            ("[t]\nx = 1\n[u]\nx = 1\n[t]\ny = 2\n", "5:2 E0003 `t` is defined twice first 1:2"),
            ("a.b = 1\na.c = 1\na.b = 2\n", "3:3 E0003 `b` is defined twice first 1:3"),
            ("a = { b = 1, c = 1, b = 2 }\n", "1:21 E0003 `b` is defined twice first 1:7"),
            ("[[q]]\nid = 1\n[[q]]\nid = 1\nid = 2\n", "5:1 E0003 `id` is defined twice first 4:1"),
            ("[[q]]\nid = 1\n[q]\nid = 2\n", "3:2 E0003 `q` is defined twice first 1:3"),
            ("\"a\" = 1\na = 2\n", "2:1 E0003 `a` is defined twice first 1:1"),
            ("q = [{ a = 1 }, { a = 1, a = 2 }]\n", "1:26 E0003 `a` is defined twice first 1:19"),
        ] {
            assert_eq!(errors(text), (vec![expected.to_owned()], true), "{text:?}");
        }
    }
}
