//! Differences between what two files settle: key by key, what it was, what it is, and where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{
    diagnostic::{Location, Span},
    effective::Setting,
};

/// A value of one of the two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The value.
    pub value: Json,
    /// Where it is written; nowhere if it is a default.
    pub at: Option<Location>,
}

/// A setting that is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its keys from the top of the file; a whole table of a list is `agents[a1]`.
    pub key: String,
    /// What it was; `None` if it was not set.
    pub from: Option<Shown>,
    /// What it is; `None` if it is not set any more.
    pub to: Option<Shown>,
    /// For a list, the items that are new; none if only their order changed.
    pub added: Vec<Shown>,
    /// For a list, the items that are gone.
    pub removed: Vec<Shown>,
    /// What it brings about, where that helps people.
    pub meaning: Option<String>,
}

impl Difference {
    /// Whether both sides are lists, so that items tell more than the whole.
    #[must_use]
    pub fn is_of_lists(&self) -> bool {
        let list = |shown: &Option<Shown>| shown.as_ref().is_some_and(|shown| shown.value.is_array());
        list(&self.from) && list(&self.to)
    }

    /// Where to look: at the new value, else at the old one.
    #[must_use]
    pub fn at(&self) -> Option<&Location> {
        self.to.as_ref().or(self.from.as_ref())?.at.as_ref()
    }
}

/// What one side settles, and how its spans become places.
pub(crate) struct Settled<'a> {
    pub(crate) settings: Vec<Setting>,
    pub(crate) locate: &'a dyn Fn(Span) -> Location,
}

impl Settled<'_> {
    fn shown(&self, setting: &Setting) -> Shown {
        Shown { value: setting.value.clone(), at: setting.span.map(self.locate) }
    }

    /// The tables of lists that there are, by id.
    fn entries(&self) -> BTreeSet<&str> {
        self.settings.iter().filter_map(|setting| setting.entry.as_deref()).collect()
    }

    /// The table of a list that begins at `settings` as one value; it stands where its id does.
    fn entry(&self, entry: &str, settings: &[Setting]) -> Shown {
        let mut table = Map::new();
        let mut at = None;
        for setting in settings.iter().take_while(|setting| setting.entry.as_deref() == Some(entry)) {
            let key = setting.key.get(entry.len() + 1..).unwrap_or_default();
            if key == "id" {
                at = setting.span.map(self.locate);
            }
            table.insert(key.to_owned(), setting.value.clone());
        }
        Shown { value: Json::Object(table), at }
    }

    /// The items of a list that `other` has not, as often as it has them less.
    fn items_beyond(&self, list: &Setting, other: &Setting) -> Vec<Shown> {
        let mut left: Vec<&Json> = other.value.as_array().into_iter().flatten().collect();
        let mut beyond = Vec::new();
        for (index, item) in list.value.as_array().into_iter().flatten().enumerate() {
            match left.iter().position(|known| *known == item) {
                Some(known) => drop(left.swap_remove(known)),
                None => {
                    let span = list.items.get(index).copied().flatten();
                    beyond.push(Shown { value: item.clone(), at: span.map(self.locate) });
                }
            }
        }
        beyond
    }
}

/// What is not the same, in the order of the newer side; what is gone comes last.
pub(crate) fn differences(from: &Settled<'_>, to: &Settled<'_>) -> Vec<Difference> {
    let before: BTreeMap<&str, &Setting> = from.settings.iter().map(|s| (s.key.as_str(), s)).collect();
    let after: BTreeSet<&str> = to.settings.iter().map(|s| s.key.as_str()).collect();
    let (entries_before, entries_after) = (from.entries(), to.entries());
    let mut found = Vec::new();
    let mut last = None;
    for (index, setting) in to.settings.iter().enumerate() {
        match setting.entry.as_deref().filter(|entry| !entries_before.contains(entry)) {
            Some(entry) if last == Some(entry) => {}
            Some(entry) => {
                last = Some(entry);
                found.push(one_sided(entry, None, Some(to.entry(entry, &to.settings[index..]))));
            }
            None => found.extend(difference(from, before.get(setting.key.as_str()).copied(), to, setting)),
        }
    }
    let gone = from.settings.iter().enumerate().filter(|(_, setting)| !after.contains(setting.key.as_str()));
    for (index, setting) in gone {
        match setting.entry.as_deref().filter(|entry| !entries_after.contains(entry)) {
            Some(entry) if last == Some(entry) => {}
            Some(entry) => {
                last = Some(entry);
                found.push(one_sided(entry, Some(from.entry(entry, &from.settings[index..])), None));
            }
            None => found.push(one_sided(&setting.key, Some(from.shown(setting)), None)),
        }
    }
    found
}

fn difference(from: &Settled<'_>, before: Option<&Setting>, to: &Settled<'_>, after: &Setting) -> Option<Difference> {
    let Some(before) = before else { return Some(one_sided(&after.key, None, Some(to.shown(after)))) };
    (before.value != after.value).then(|| Difference {
        added: to.items_beyond(after, before),
        removed: from.items_beyond(before, after),
        ..one_sided(&after.key, Some(from.shown(before)), Some(to.shown(after)))
    })
}

fn one_sided(key: &str, from: Option<Shown>, to: Option<Shown>) -> Difference {
    Difference { key: key.to_owned(), from, to, added: Vec::new(), removed: Vec::new(), meaning: None }
}
