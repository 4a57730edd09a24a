//! What a kind of file defines, and what may refer to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::{
        code::Code,
        load::{Commit, InFile, Place},
        read::At,
        suggest::{listing, nearest},
    },
    domain::ids::Id,
};

/// A sort of thing that is defined in `shared/` and that others refer to.
pub(crate) trait Definition {
    /// Its identity.
    type Id: Id;

    /// One of them, for messages: "queue".
    const ONE: &'static str;

    /// Several of them: "queues".
    const MANY: &'static str;

    /// Where they are defined.
    const FILE: &'static str;

    /// What it is to refer to one that is not there.
    const UNKNOWN: Code;

    /// The identity of this one.
    fn id(&self) -> &Self::Id;
}

/// All definitions of one sort.
#[derive(Debug)]
pub(crate) struct Defined<T: Definition> {
    /// Those that could be read.
    pub(crate) by_id: BTreeMap<T::Id, T>,
    /// Every id in the file, those of broken tables too.
    ids: BTreeMap<String, Place>,
    names: BTreeMap<String, Place>,
    /// Ids that several definitions have, so that nobody knows what is meant by them.
    doubtful: BTreeSet<T::Id>,
    /// Whether an id could not be read, so that a missing one may be there.
    gaps: bool,
    /// Whether there is no such file.
    absent: bool,
}

impl<T: Definition> Default for Defined<T> {
    /// Nothing, for want of a file.
    fn default() -> Self {
        Self {
            by_id: BTreeMap::new(),
            ids: BTreeMap::new(),
            names: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            gaps: false,
            absent: true,
        }
    }
}

impl<T: Definition> Defined<T> {
    /// Nothing yet; `gaps` if the file's list could not be read.
    pub(crate) fn begin(gaps: bool) -> Self {
        Self { gaps, absent: false, ..Self::default() }
    }

    /// Takes up the id and the name of a table, and reports what another has already.
    pub(crate) fn take_up(
        &mut self,
        file: usize,
        id: Option<&At<T::Id>>,
        name: Option<&At<String>>,
        commit: &mut Commit<'_>,
    ) {
        self.gaps |= id.is_none();
        if let Some(id) = id {
            let place = InFile { file, value: id.span };
            let message = || format!("two {} have the id {:?}", T::MANY, id.value.as_str());
            if !commit.unique(Code::DuplicateId, &mut self.ids, id.value.as_str(), place, message) {
                // One of them was meant to have another id, which something may refer to.
                self.gaps = true;
                self.doubtful.insert(id.value.clone());
            }
        }
        if let Some(name) = name {
            let place = InFile { file, value: name.span };
            let message = || format!("two {} have the name {:?}", T::MANY, name.value);
            commit.unique(Code::DuplicateName, &mut self.names, &name.value, place, message);
        }
    }

    /// Adds a definition, if it could be built and is the only one of its id.
    pub(crate) fn put(&mut self, definition: Option<T>) {
        let Some(definition) = definition else { return };
        if self.doubtful.contains(definition.id()) {
            self.by_id.remove(definition.id());
        } else {
            self.by_id.insert(definition.id().clone(), definition);
        }
    }

    /// Whether something refers to what is there; reports it if not. What may be there and is broken
    /// counts: it is reported where it stands.
    pub(crate) fn has(&self, id: &At<T::Id>, file: usize, commit: &mut Commit<'_>) -> bool {
        self.has_as(id, file, quoted, commit)
    }

    /// The same where an id is not written in quotes: `write` says how it is, if it can be replaced.
    pub(crate) fn has_as(
        &self,
        id: &At<T::Id>,
        file: usize,
        write: impl Fn(&str) -> Option<String>,
        commit: &mut Commit<'_>,
    ) -> bool {
        let text = id.value.as_str();
        if self.gaps || self.ids.contains_key(text) {
            return true;
        }
        let known = Known {
            code: T::UNKNOWN,
            label: format!("not in {}", T::FILE),
            what: T::MANY,
            words: self.ids.keys().map(String::as_str).collect(),
            none: if self.absent {
                format!("{} does not exist; define the {} there", T::FILE, T::ONE)
            } else {
                format!("{} defines none", T::FILE)
            },
        };
        let message = format!("no {} has the id {text:?}", T::ONE);
        known.report_missing_as(text, &InFile { file, value: id.span }, message, write, commit);
        false
    }

    /// The definition that something refers to; reports a reference to one that is not there, as
    /// [`Self::has`] does.
    pub(crate) fn refer(&self, id: &At<T::Id>, file: usize, commit: &mut Commit<'_>) -> Option<&T> {
        if self.has(id, file, commit) { self.by_id.get(&id.value) } else { None }
    }

    /// The file, if there is none.
    pub(crate) fn absent(&self) -> Option<Absent> {
        self.absent.then_some(Absent { unknown: T::UNKNOWN, path: T::FILE, many: T::MANY })
    }

    /// Where the definition of that id stands.
    pub(crate) fn place(&self, id: &T::Id) -> Option<&Place> {
        self.ids.get(id.as_str())
    }
}

/// A file that is not there.
pub(crate) struct Absent {
    /// What it is to refer to something in it.
    pub(crate) unknown: Code,
    /// Where it would stand in the folder of campaigns.
    pub(crate) path: &'static str,
    /// What it would define: "queues".
    pub(crate) many: &'static str,
}

/// What something could have referred to.
pub(crate) struct Known<'a> {
    pub(crate) code: Code,
    /// What to see at a reference that fails.
    pub(crate) label: String,
    /// What they are: "queues".
    pub(crate) what: &'static str,
    pub(crate) words: Vec<&'a str>,
    /// What to do when there is nothing to refer to.
    pub(crate) none: String,
}

impl Known<'_> {
    /// Reports a reference to something else.
    pub(crate) fn report_missing(self, text: &str, place: &Place, message: String, commit: &mut Commit<'_>) {
        self.report_missing_as(text, place, message, quoted, commit);
    }

    /// The same where words are not written in quotes; `write` says how, if the meant one can be written.
    fn report_missing_as(
        self,
        text: &str,
        place: &Place,
        message: String,
        write: impl Fn(&str) -> Option<String>,
        commit: &mut Commit<'_>,
    ) {
        let meant = nearest(text, self.words.iter().copied());
        let edit = meant.and_then(|meant| Some((meant, place.value?, write(meant)?)));
        let diagnostic = commit.error(self.code, place, message).label(self.label);
        match edit {
            Some((meant, span, edit)) => diagnostic.suggest(format!("did you mean {meant:?}?"), span, edit),
            None if self.words.is_empty() => diagnostic.help(self.none),
            None => diagnostic.help(format!("{}: {}", self.what, listing(&self.words, '"', "and"))),
        };
    }
}

/// A word as it stands in a list or behind a key.
fn quoted(word: &str) -> Option<String> {
    Some(format!("{word:?}"))
}
