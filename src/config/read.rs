//! The reader: takes values out of a parsed file and collects every fault on the way.
//!
//! A [`Kind`] says once what a value may be: it reads it, and it writes its JSON Schema. Tables are
//! kinds too, declared by `table!`; so a key exists in one place only.

use std::{collections::BTreeSet, fmt::Display, sync::Arc};

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Location, Source, Span},
    effective::Setting,
    open::open,
    strays::{self, Strays},
    syntax::Node,
    template::is_inherited,
    unclear::Unclear,
    version,
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
    diagnostics: Vec<Diagnostic>,
    /// How many diagnostics there were before it read anything; they do not count.
    given: usize,
    /// Where each of the others stands.
    places: Vec<Span>,
    /// How many values could not be read, or lacked something.
    pub(crate) faults: usize,
    /// Problems over the cap, and one of them, which nobody will see.
    left_out: usize,
    unseen: Diagnostic,
    /// The key being read, and the first line of its documentation, for messages.
    key: &'static str,
    about: Option<&'static str>,
    /// How deep the conditions are nested that are being read.
    pub(crate) depth: usize,
    /// Keys at the top of this kind of file: one that stands in another table has slid there.
    top: &'static [&'static str],
    poisoned: BTreeSet<Span>,
    /// Unknown keys met so far; the same one missing elsewhere is the same fault.
    pub(crate) strays: Vec<String>,
    /// Who gives the keys that the file does not have.
    rest: Rest<'s>,
    /// Whether what is read is whole in itself.
    in_whole: bool,
}

/// Who gives the keys that a file does not have.
pub(crate) enum Rest<'s> {
    /// Nobody: required keys must be there.
    Nobody,
    /// Another file that is not known here, so nothing is said of missing keys.
    Another,
    /// A template, whose keys were merged into the tree.
    Template(Inherited<'s>),
}

/// Diagnostics by what makes two of them one fault: its kind and its place.
pub(crate) type Reported = BTreeSet<(Code, Option<Span>)>;

/// The template whose keys were merged into a tree, for messages.
pub(crate) struct Inherited<'s> {
    /// The template's text.
    pub(crate) source: Source<'s>,
    /// Its name there: the value of its `id`.
    pub(crate) id: Span,
    /// Its name here: the value of `extends`.
    pub(crate) extends: Span,
    /// What was reported of the template when it was read by itself.
    pub(crate) reported: &'s Reported,
}

impl Inherited<'_> {
    /// Where a table stands in the template; the whole template if it does not.
    fn of_table(&self, table: Span) -> Location {
        self.source.locate(if table.in_template() { table.plain() } else { self.id })
    }
}

impl<'s> Reader<'s> {
    /// Reads a text as a file of kind `T`; what can't be read has its diagnostics.
    pub(crate) fn file<T: Table>(path: &Arc<str>, text: &'s str) -> (Option<T>, Vec<Diagnostic>) {
        let source = Source::new(Arc::clone(path), text);
        let (parsed, diagnostics) = open(&source);
        if !parsed.readable {
            return (None, diagnostics);
        }
        let (table, diagnostics) = Self::new(source, parsed.poisoned, diagnostics).table::<T>(&parsed.root);
        (Some(table), diagnostics)
    }

    /// A reader of what was parsed; `diagnostics` are those of the parser.
    pub(crate) fn new(source: Source<'s>, poisoned: BTreeSet<Span>, diagnostics: Vec<Diagnostic>) -> Self {
        let unseen = Diagnostic::error(Code::TooManyProblems, Location::file(&source.path), "");
        Self {
            source,
            given: diagnostics.len(),
            diagnostics,
            places: Vec::new(),
            faults: 0,
            left_out: 0,
            unseen,
            key: "",
            about: None,
            top: &[],
            poisoned,
            depth: 0,
            strays: Vec::new(),
            rest: Rest::Nobody,
            in_whole: false,
        }
    }

    /// Takes missing keys from elsewhere.
    pub(crate) fn with_rest(self, rest: Rest<'s>) -> Self {
        Self { rest, ..self }
    }

    /// Reads a file's tree, and gives every diagnostic.
    pub(crate) fn table<T: Table>(mut self, root: &DeTable<'_>) -> (T, Vec<Diagnostic>) {
        self.top = T::KEYS;
        let table = TableReader::new::<T>(root, Span::default(), &mut self);
        let read = T::read_table(table, &mut self);
        let Self { source, mut diagnostics, left_out, rest, .. } = self;
        if let Rest::Template(template) = rest {
            let path = &template.source.path;
            let reported = |d: &Diagnostic| template.reported.contains(&(d.code, d.location.span));
            diagnostics.retain(|d| d.location.file != *path || !reported(d));
        }
        if left_out > 0 {
            let message = format!("{left_out} more problems in this file");
            diagnostics.push(Diagnostic::error(Code::TooManyProblems, Location::file(&source.path), message));
        }
        (read, diagnostics)
    }

    /// Reads what no other file completes, such as an item of a list: its required keys must be there.
    pub(crate) fn whole<R>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.in_whole, true);
        let read = read(self);
        self.in_whole = outer;
        read
    }

    /// Whether a table is the file's own.
    pub(crate) fn is_top<T: Table>(&self) -> bool {
        self.top == T::KEYS
    }

    /// Whether a key belongs to the file's own table.
    pub(crate) fn belongs_to_top(&self, key: &str) -> bool {
        self.top.contains(&key) || key == version::KEY
    }

    /// Whether a key that a table does not have may be there after all, or come from elsewhere.
    fn may_stand_elsewhere(&self, key: &str) -> bool {
        // Behind a slip in the form of the file, what is missing may well be there.
        let broken = self.diagnostics[..self.given].iter().any(|diagnostic| diagnostic.code == Code::Syntax);
        let of_another = matches!(self.rest, Rest::Another) && !self.in_whole;
        broken || of_another || self.strays.iter().any(|stray| stray == key)
    }

    /// The place of a span, be that in the template.
    fn locate(&self, span: Span) -> Location {
        match &self.rest {
            Rest::Template(template) if span.in_template() => template.source.locate(span.plain()),
            Rest::Template(_) | Rest::Nobody | Rest::Another => self.source.locate(span),
        }
    }

    /// Most problems that are kept: those that the template's own messages have do not count.
    fn problems_max(&self) -> usize {
        match &self.rest {
            Rest::Template(template) => self.given + PROBLEMS_PER_FILE_MAX + template.reported.len(),
            Rest::Nobody | Rest::Another => self.given + PROBLEMS_PER_FILE_MAX,
        }
    }

    /// Reports an error at a span; the caller adds to it.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.faults += 1;
        if self.diagnostics.len() >= self.problems_max() {
            self.left_out += 1;
            // Those are kept that come first in the file.
            let last = self.places.iter().enumerate().max_by_key(|(_, place)| **place);
            let Some((index, _)) = last.filter(|(_, place)| **place > span) else { return &mut self.unseen };
            self.places.swap_remove(index);
            self.diagnostics.swap_remove(self.given + index);
        }
        let index = self.diagnostics.len();
        let diagnostic = Diagnostic::error(code, self.locate(span), message);
        self.places.push(span);
        self.diagnostics.push(Diagnostic { about: self.about, ..diagnostic });
        &mut self.diagnostics[index]
    }

    /// Reports what is wrong with the value of the key being read: "`key` …".
    pub(crate) fn fault(&mut self, code: Code, node: &Node<'_>, what: impl Display) -> &mut Diagnostic {
        let message = format!("`{}` {what}", self.key);
        self.error(code, Span::from(node.span()), message)
    }

    /// Reports a value of the wrong TOML type.
    pub(crate) fn wrong_type(&mut self, node: &Node<'_>, expected: impl Display) -> &mut Diagnostic {
        let found = type_name(node.get_ref());
        let label = format!("expected {expected}");
        self.fault(Code::WrongType, node, format_args!("must be {expected}, not {found}")).label(label)
    }

    /// The text of a string value.
    pub(crate) fn text<'n>(&mut self, node: &'n Node<'_>, expected: impl Display) -> Option<&'n str> {
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

    /// Takes back edits that would write an item into a list that has it already.
    pub(crate) fn no_repeats(&mut self, items: &[Node<'_>]) {
        let names = || items.iter().filter_map(name);
        let is_item = |edit: Span| names().any(|item| Span::from(item.span()).plain() == edit);
        let mut there: Option<BTreeSet<String>> = None;
        for found in &mut self.diagnostics[self.given..] {
            let Some(edit) = found.suggestion.take_if(|edit| is_item(edit.span)) else { continue };
            let texts = || names().filter_map(|item| item.get_ref().as_str()).map(|text| format!("{text:?}"));
            if there.get_or_insert_with(|| texts().collect()).insert(edit.text.clone()) {
                found.suggestion = Some(edit);
            } else {
                found.help(format!("the list has {} already: take one of the two away", edit.text));
            }
        }
    }

    /// Reads a value, unless the parser has reported it already.
    pub(crate) fn value<K: Kind>(&mut self, node: &Node<'_>) -> Option<At<K::Value>> {
        let span = Span::from(node.span());
        if self.poisoned.contains(&span) {
            self.faults += 1;
            return None;
        }
        K::read(node, self).map(|value| At { value, span: Some(span) })
    }
}

/// What an item of a list may not have in common with another: itself, or the key that a table goes by.
fn name<'n, 's>(item: &'n Node<'s>) -> Option<&'n Node<'s>> {
    match item.get_ref() {
        DeValue::Table(table) => table.get("result").or_else(|| table.get("number")),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => Some(item),
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

    /// Those of them that are read and never good, so nothing proposes them.
    const REFUSED: &'static [&'static str] = &[];

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
    strays: Strays,
    /// Keys of which nobody knows what they say.
    pub(crate) unclear: Unclear,
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
        let strays = strays::report::<T>(entries, reader);
        Self { entries, span, what: T::WHAT, strays, unclear: Unclear::default() }
    }

    fn node(&self, key: &str) -> Option<&'n Node<'s>> {
        self.entries.get(self.strays.written(key))
    }

    /// Reads a key's value; `None` if it is not there or not good.
    pub(crate) fn field<K: Kind>(&mut self, key: &Key, reader: &mut Reader<'_>) -> Option<At<K::Value>> {
        let Some(node) = self.node(key.name) else {
            if self.strays.strange || reader.may_stand_elsewhere(key.name) {
                self.unclear.add(key.name);
            }
            return None;
        };
        let outer = (reader.key, reader.about);
        (reader.key, reader.about) = (key.name, Some(key.about));
        let faults = reader.faults;
        let read = reader.value::<K>(node);
        (reader.key, reader.about) = outer;
        if reader.faults > faults {
            self.unclear.add(key.name);
        }
        read
    }

    /// Reports a required key that is not there.
    pub(crate) fn require(&self, key: &Key, reader: &mut Reader<'_>) {
        if self.node(key.name).is_some() || reader.may_stand_elsewhere(key.name) {
            return;
        }
        let template = match &reader.rest {
            Rest::Template(template) if !reader.in_whole => Some((template.extends, template.of_table(self.span))),
            Rest::Nobody | Rest::Another | Rest::Template(_) => None,
        };
        let span = match &template {
            Some((extends, _)) if self.span.in_template() => *extends,
            Some(_) | None => self.span,
        };
        let message = format!("missing key `{}`", key.name);
        let label = format!("{} needs it", self.what);
        let diagnostic = reader.error(Code::MissingKey, span, message).label(label);
        diagnostic.about = Some(key.about);
        if let Some((_, template)) = template.filter(|_| self.span != Span::default() || is_inherited(key.name)) {
            diagnostic.relate(template, "the template does not give it either");
        }
        if let Some(example) = key.example {
            diagnostic.help(format!("add `{} = {example}`", key.name));
        }
    }
}
