//! Keys that a table does not have: misspelt ones, those that slid there, and strangers.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::{
    code::Code,
    diagnostic::{Span, short},
    read::{Reader, Table},
    suggest::{is_sure, listing, nearest},
    version,
};

/// What unknown keys of a table tell of its known ones.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    /// Misspelt keys: the known key, and the one in the file.
    meant: Vec<(&'static str, String)>,
    /// Whether there is a key that may be any that is absent.
    pub(crate) strange: bool,
}

impl Strays {
    /// How the file writes a known key.
    pub(crate) fn written<'k>(&'k self, key: &'k str) -> &'k str {
        self.meant.iter().find(|(known, _)| *known == key).map_or(key, |(_, written)| written)
    }
}

/// Reports every key that the table does not have, in the order of the file.
pub(crate) fn report<T: Table>(entries: &DeTable<'_>, reader: &mut Reader<'_>) -> Strays {
    let unknown = entries.keys().filter(|key| !T::KEYS.contains(&key.get_ref().as_ref()));
    let mut unknown: Vec<(Span, &str)> = unknown.map(|key| (key.span().into(), key.get_ref().as_ref())).collect();
    let mut strays = Strays::default();
    if unknown.is_empty() {
        return strays;
    }
    unknown.sort_unstable();
    // The file's own table also has the key that every kind of file has.
    let whole = reader.is_top::<T>().then_some(version::KEY);
    let known: Vec<&str> = T::KEYS.iter().copied().chain(whole).filter(|key| !T::REFUSED.contains(key)).collect();
    let written = |known: &str| entries.get(known).is_some_and(|node| !Span::from(node.span()).in_template());
    let free: Vec<&str> = known.iter().copied().filter(|known| !written(known)).collect();
    let meant: Vec<Option<&str>> = unknown.iter().map(|(_, key)| nearest(key, free.iter().copied())).collect();
    let mut candidates: BTreeMap<&str, usize> = BTreeMap::new();
    for meant in meant.iter().flatten() {
        *candidates.entry(meant).or_default() += 1;
    }
    for ((span, key), meant) in unknown.into_iter().zip(meant) {
        let slid = meant.is_none() && reader.belongs_to_top(key);
        let diagnostic = reader.error(Code::UnknownKey, span, format!("unknown key `{}`", short(key)));
        diagnostic.label(format!("no such key in {}", T::WHAT));
        if let Some(meant) = meant {
            // Of two keys that may be the same one, neither surely is.
            let sure = candidates.get(meant) == Some(&1) && is_sure(key, free.iter().copied());
            diagnostic.fix_if(sure, format!("did you mean `{meant}`?"), span, meant);
            if strays.written(meant) == meant {
                strays.meant.push((meant, key.to_owned()));
            }
        } else if slid {
            diagnostic.help(format!(
                "`{key}` is a key of the file itself: write it above the first [table], as a key below one belongs to that table"
            ));
        } else {
            diagnostic.help(format!("known keys: {}", listing(&known, '`', "and")));
        }
        strays.strange |= meant.is_none();
        reader.strays.push(key.to_owned());
    }
    strays
}
