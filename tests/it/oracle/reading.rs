//! Reading TOML tables. What can't be read is a fault in the case, and panics with its place.

use std::path::Path;

use jiff::{Timestamp, civil::Date};
use toml::{Table, Value};

use super::Second;

/// The TOML file at `path`.
pub(crate) fn file(path: &Path) -> Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A value as it would stand in a CSV cell: strings without quotes, dates and numbers as written.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The string under `key`.
pub(crate) fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key).map(plain)
}

/// The string under a key that must be there.
pub(crate) fn required(table: &Table, key: &str) -> String {
    text(table, key).unwrap_or_else(|| panic!("`{key}` is missing in {table}"))
}

/// The whole number under `key`.
pub(crate) fn whole(table: &Table, key: &str) -> Option<i64> {
    table.get(key).map(|value| value.as_integer().unwrap_or_else(|| panic!("`{key}` is no whole number")))
}

/// The truth value under `key`; `default` without it.
pub(crate) fn flag(table: &Table, key: &str, default: bool) -> bool {
    table.get(key).map_or(default, |value| value.as_bool().unwrap_or_else(|| panic!("`{key}` is not true or false")))
}

/// The table under `key`; an empty one without it.
pub(crate) fn table(table: &Table, key: &str) -> Table {
    table.get(key).map_or_else(Table::new, |value| as_table(value).clone())
}

/// The list under `key`; an empty one without it.
pub(crate) fn list(table: &Table, key: &str) -> Vec<Value> {
    table.get(key).map_or_else(Vec::new, |value| value.as_array().expect("a list").clone())
}

/// The list of tables under `key`; an empty one without it.
pub(crate) fn tables(table: &Table, key: &str) -> Vec<Table> {
    list(table, key).iter().map(|value| as_table(value).clone()).collect()
}

/// The list of strings under `key`; an empty one without it.
pub(crate) fn texts(table: &Table, key: &str) -> Vec<String> {
    list(table, key).iter().map(plain).collect()
}

/// The duration such as `30s`, `10m`, `2h` or `3d` under `key`, in seconds.
pub(crate) fn duration(table: &Table, key: &str) -> Option<Second> {
    let text = text(table, key)?;
    let (count, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => panic!("no unit of time: {other}"),
    };
    Some(count.parse::<Second>().expect("a duration") * unit)
}

/// The date-time with an offset under `key`.
pub(crate) fn instant(table: &Table, key: &str) -> Option<Second> {
    text(table, key).map(|text| second(&text))
}

/// A date-time with an offset, such as `2031-03-03T09:00:00+08:00`.
pub(crate) fn second(text: &str) -> Second {
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_second()
}

/// A date, such as `2031-03-03`.
pub(crate) fn date(text: &str) -> Date {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A value that must be a table.
pub(crate) fn as_table(value: &Value) -> &Table {
    value.as_table().unwrap_or_else(|| panic!("no table: {value}"))
}
