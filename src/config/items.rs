//! The items of lists that were read.

use std::collections::BTreeMap;

use super::{
    code::Code,
    load::{Commit, InFile},
    read::{At, Kind},
};

/// Reports each item that stands in the list a second time.
pub(crate) fn once<K: Kind>(file: usize, items: &[At<K::Value>], commit: &mut Commit<'_>) {
    let mut seen = BTreeMap::new();
    for item in items {
        let text = K::show(&item.value).to_string();
        let message = || format!("{text} stands twice in this list");
        commit.unique(Code::Repeated, &mut seen, &text, InFile { file, value: item.span }, message);
    }
}

/// The items without their places.
pub(crate) fn values<T>(items: Vec<At<T>>) -> Vec<T> {
    items.into_iter().map(|item| item.value).collect()
}
