//! The reader: takes values out of a parsed file and collects every fault on the way.
//!
//! A [`Kind`] says once what a value may be: it reads it, and it writes its JSON Schema. Tables are
//! kinds too, declared by `table!`; so a key exists in one place only.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Location, Source, Span},
    effective::Setting,
    suggest::{listing, nearest},
    syntax::{Node, parse},
};

/// Problems of one file that are kept; nobody reads more.
pub(crate) const PROBLEMS_PER_FILE_MAX: usize = 100;

/// What a value may be.
pub(crate) trait Kind {
    /// What it becomes.
    type Value;

    /// Reads it; `None` once it has reported what is wrong.
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value>;

    /// Its JSON Schema.
    fn schema() -> Json;

    /// A value as a file would write it, defaults filled in: what means the same shows the same.
    fn show(value: &Self::Value) -> Json;

    /// Adds what a value under `key` settles: itself, or each key of a table.
    fn settings(key: &str, value: &At<Self::Value>, settings: &mut Vec<Setting>) {
        settings.push(Setting::new(key, Self::show(&value.value), value.span));
    }
}

/// A value and where it stands; nowhere if it is a default.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Option<Span>,
}

impl<T> At<T> {
    pub(crate) fn default(value: T) -> Self {
        Self { value, span: None }
    }
}

/// Reads one file.
pub(crate) struct Reader<'s> {
    pub(crate) source: Source<'s>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Problems over the cap, and the last of them, which nobody will see.
    left_out: usize,
    unseen: Diagnostic,
    /// The key being read, for messages.
    key: &'static str,
    /// How deep the conditions are nested that are being read.
    pub(crate) depth: usize,
    /// Keys at the top of this kind of file: one that stands in another table has slid there.
    top: &'static [&'static str],
    poisoned: BTreeSet<Span>,
    /// Unknown keys met so far; the same one missing elsewhere is the same fault.
    strays: Vec<String>,
}

impl<'s> Reader<'s> {
    /// Reads a text as a file of kind `T`; what can't be read has its diagnostics.
    pub(crate) fn file<T: Table>(path: &Arc<str>, text: &'s str) -> (Option<T>, Vec<Diagnostic>) {
        let source = Source::new(Arc::clone(path), text);
        let mut diagnostics = Vec::new();
        let parsed = parse(&source, &mut diagnostics);
        if !parsed.readable {
            return (None, diagnostics);
        }
        let mut reader = Self {
            source,
            diagnostics,
            left_out: 0,
            unseen: Diagnostic::error(Code::TooManyProblems, Location::file(path), ""),
            key: "",
            depth: 0,
            top: T::KEYS,
            poisoned: parsed.poisoned,
            strays: Vec::new(),
        };
        let table = TableReader::new::<T>(&parsed.root, Span::default(), &mut reader);
        let read = T::read_table(table, &mut reader);
        let Self { mut diagnostics, left_out, .. } = reader;
        if left_out > 0 {
            let message = format!("{left_out} more problems in this file");
            diagnostics.push(Diagnostic::error(Code::TooManyProblems, Location::file(path), message));
        }
        (Some(read), diagnostics)
    }

    /// Reports an error at a span; the caller adds to it.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let index = self.diagnostics.len();
        if index >= PROBLEMS_PER_FILE_MAX {
            self.left_out += 1;
            return &mut self.unseen;
        }
        self.diagnostics.push(Diagnostic::error(code, self.source.locate(span), message));
        &mut self.diagnostics[index]
    }

    /// Reports what is wrong with the value of the key being read: "`key` …".
    pub(crate) fn fault(&mut self, code: Code, node: &Node<'_>, what: impl fmt::Display) -> &mut Diagnostic {
        let message = format!("`{}` {what}", self.key);
        self.error(code, Span::from(node.span()), message)
    }

    /// Reports a value of the wrong TOML type.
    pub(crate) fn wrong_type(&mut self, node: &Node<'_>, expected: &str) -> &mut Diagnostic {
        let found = type_name(node.get_ref());
        let label = format!("expected {expected}");
        self.fault(Code::WrongType, node, format_args!("must be {expected}, not {found}")).label(label)
    }

    /// The text of a string value.
    pub(crate) fn text<'n>(&mut self, node: &'n Node<'_>, expected: &str) -> Option<&'n str> {
        match node.get_ref() {
            DeValue::String(text) => Some(text),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(node, expected);
                None
            }
        }
    }

    /// Reads a value, unless the parser has reported it already.
    pub(crate) fn value<K: Kind>(&mut self, node: &Node<'_>) -> Option<At<K::Value>> {
        let span = Span::from(node.span());
        if self.poisoned.contains(&span) {
            return None;
        }
        K::read(node, self).map(|value| At { value, span: Some(span) })
    }
}

/// The name of a value's TOML type, with its article.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date-time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A kind that is a table; `table!` implements it.
pub(crate) trait Table: Kind<Value = Self> + Sized {
    /// The table, for messages: "a campaign".
    const WHAT: &'static str;

    /// Its keys, in order.
    const KEYS: &'static [&'static str];

    /// Reads the keys and reports those that are missing.
    fn read_table(table: TableReader<'_, '_>, reader: &mut Reader<'_>) -> Self;
}

/// A key in a `table!`: its name, first line of documentation, and an example in TOML.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: Option<&'static str>,
}

/// One table of a file, while its keys are read.
pub(crate) struct TableReader<'n, 's> {
    entries: &'n DeTable<'s>,
    /// Where it stands: its header, or the whole of an inline table.
    pub(crate) span: Span,
    what: &'static str,
    /// Misspelt keys: the known key, and the one in the file.
    meant: Vec<(&'static str, String)>,
}

impl<'n, 's> TableReader<'n, 's> {
    /// Takes up a value that must be a table.
    pub(crate) fn of<T: Table>(node: &'n Node<'s>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(entries) = node.get_ref() else {
            // "`limits` must be `limits`" would say nothing.
            let what = if T::WHAT.starts_with('`') { "a table".to_owned() } else { format!("{} (a table)", T::WHAT) };
            reader.wrong_type(node, &what);
            return None;
        };
        Some(Self::new::<T>(entries, Span::from(node.span()), reader))
    }

    fn new<T: Table>(entries: &'n DeTable<'s>, span: Span, reader: &mut Reader<'_>) -> Self {
        let mut table = Self { entries, span, what: T::WHAT, meant: Vec::new() };
        for key in entries.keys() {
            if !T::KEYS.contains(&key.get_ref().as_ref()) {
                table.unknown::<T>(key.get_ref(), Span::from(key.span()), reader);
            }
        }
        table
    }

    fn unknown<T: Table>(&mut self, key: &str, span: Span, reader: &mut Reader<'_>) {
        let free = T::KEYS.iter().copied().filter(|known| !self.entries.contains_key(*known));
        let meant = nearest(key, free);
        let slid = meant.is_none() && reader.top.contains(&key);
        reader.strays.push(key.to_owned());
        let diagnostic = reader.error(Code::UnknownKey, span, format!("unknown key `{key}`"));
        diagnostic.label(format!("{} has no such key", self.what));
        if let Some(meant) = meant {
            diagnostic.suggest(format!("did you mean `{meant}`?"), span, meant);
            if !self.meant.iter().any(|(known, _)| *known == meant) {
                self.meant.push((meant, key.to_owned()));
            }
        } else if slid {
            diagnostic.help(format!(
                "`{key}` is a key of the file itself: write it above the first [table], as a key below one belongs to that table"
            ));
        } else {
            diagnostic.help(format!("known keys: {}", listing(T::KEYS, '`', "and")));
        }
    }

    fn node(&self, key: &str) -> Option<&'n Node<'s>> {
        let written = self.meant.iter().find(|(known, _)| *known == key).map_or(key, |(_, written)| written);
        self.entries.get(written)
    }

    /// Reads a key's value; `None` if it is not there or not good.
    pub(crate) fn field<K: Kind>(&self, key: &Key, reader: &mut Reader<'_>) -> Option<At<K::Value>> {
        let node = self.node(key.name)?;
        let outer = std::mem::replace(&mut reader.key, key.name);
        let before = reader.diagnostics.len();
        let read = reader.value::<K>(node);
        for diagnostic in &mut reader.diagnostics[before..] {
            diagnostic.about.get_or_insert(key.about);
        }
        reader.key = outer;
        read
    }

    /// Reports a required key that is not there.
    pub(crate) fn require(&self, key: &Key, reader: &mut Reader<'_>) {
        if self.node(key.name).is_some() || reader.strays.iter().any(|stray| stray == key.name) {
            return;
        }
        let message = format!("missing key `{}`", key.name);
        let label = format!("{} needs it", self.what);
        let diagnostic = reader.error(Code::MissingKey, self.span, message).label(label);
        diagnostic.about = Some(key.about);
        if let Some(example) = key.example {
            diagnostic.help(format!("add `{} = {example}`", key.name));
        }
    }
}
