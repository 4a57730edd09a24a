//! Lists.

use std::marker::PhantomData;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::{
    code::Code,
    effective::{self, Setting},
    read::{At, Kind, Reader},
    syntax::Node,
};

/// A list of at least `MIN` items, or a list of tables (`[[…]]`).
pub(crate) struct List<K, const MIN: usize>(PhantomData<K>);

impl<K: Kind, const MIN: usize> Kind for List<K, MIN> {
    type Value = Vec<At<K::Value>>;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        let DeValue::Array(items) = node.get_ref() else {
            reader.wrong_type(node, "a list");
            return None;
        };
        if items.len() < MIN {
            reader.fault(Code::TooFewItems, node, format_args!("needs at least {MIN} item")).label("too few items");
            return None;
        }
        let faults = reader.faults;
        let read = reader.whole(|reader| items.iter().filter_map(|item| reader.value::<K>(item)).collect());
        if reader.faults > faults {
            reader.no_repeats(items);
        }
        Some(read)
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": K::schema(), "minItems": MIN })
    }

    fn show(value: &Self::Value) -> Json {
        value.iter().map(|item| K::show(&item.value)).collect()
    }

    /// Tables that have an `id` are told apart by it, wherever in the list they stand; all else is
    /// one value.
    fn settings(key: &str, list: &At<Self::Value>, settings: &mut Vec<Setting>) {
        let mut entries = Vec::with_capacity(list.value.len());
        for item in &list.value {
            let mut entry = Vec::new();
            K::settings("", item, &mut entry);
            entries.push((entry, item.span));
        }
        let ids: Option<Vec<String>> = entries.iter().map(|(entry, _)| effective::id_of(entry)).collect();
        match ids {
            Some(ids) => {
                for ((entry, _), id) in entries.into_iter().zip(ids) {
                    settings.extend(entry.into_iter().map(|setting| setting.of_entry(key, &id)));
                }
            }
            None => {
                let items = entries.into_iter().map(|(_, span)| span).collect();
                settings.push(Setting { items, ..Setting::new(key, Self::show(&list.value), list.span) });
            }
        }
    }
}
