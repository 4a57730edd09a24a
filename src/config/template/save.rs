//! A campaign's file written as a template: its text as it is, but for identity and dates.

use toml_edit::{Decor, DocumentMut, Item, Key, RawString, Table, TableLike, TomlError};

use super::merge::{is_inherited, is_whole, stays_behind};
use crate::domain::ids::TemplateId;

/// The template's text: the campaign's with comments and formatting, without identity and dates.
/// What the campaign has from a template of its own is written out behind its own keys.
///
/// A comment right above a key goes with it; one that a blank line parts from it stays.
pub fn save(campaign: &str, extends: Option<&str>, id: &TemplateId) -> Result<String, TomlError> {
    let mut document: DocumentMut = campaign.parse()?;
    if let Some(template) = extends {
        let template: DocumentMut = template.parse()?;
        write_out(&mut Vec::new(), document.as_table_mut(), template.as_table());
    }
    let root = document.as_table_mut();
    name(root, id);
    remove_own(root);
    Ok(with_line_ends(with_schema(&document.to_string()), campaign))
}

/// The text with the line ends of `original`, as it ends its first line.
fn with_line_ends(text: String, original: &str) -> String {
    let first = original.find('\n').map(|end| &original[..end]);
    if first.is_some_and(|line| line.ends_with('\r')) {
        return text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    text
}

/// Gives the template its own id where the campaign's stood.
fn name(root: &mut Table, id: &TemplateId) {
    let decor = root.get("id").and_then(Item::as_value).map(|value| value.decor().clone());
    let mut value = toml_edit::Value::from(id.as_str());
    if let Some(decor) = decor {
        *value.decor_mut() = decor;
    }
    // In place, so that the comments above the key stay.
    match root.get_mut("id") {
        Some(there) => *there = Item::Value(value),
        None => drop(root.insert("id", Item::Value(value))),
    }
}

/// Takes away what belongs to the campaign, with the comment right above each.
fn remove_own(root: &mut Table) {
    let keys: Vec<String> = root.iter().map(|(key, _)| key.to_owned()).collect();
    let mut above = String::new();
    for key in keys {
        if is_inherited(&key) || key == "id" || key == "schema_version" {
            prepend(root, &key, &std::mem::take(&mut above));
        } else if let Some((removed, _)) = root.remove_entry(&key) {
            let comments = text(removed.leaf_decor().prefix());
            above += comments.rfind("\n\n").map_or("", |end| &comments[..end + 1]);
        }
    }
}

/// Puts comments above a key or a table.
fn prepend(root: &mut Table, key: &str, comments: &str) {
    if comments.is_empty() {
        return;
    }
    let on_table = root.get_mut(key).and_then(Item::as_table_mut).map(Table::decor_mut);
    if let Some(decor) = on_table {
        set_prefix(decor, comments);
    } else if let Some(mut key) = root.key_mut(key) {
        set_prefix(key.leaf_decor_mut(), comments);
    }
}

fn set_prefix(decor: &mut Decor, comments: &str) {
    let prefix = format!("{comments}{}", text(decor.prefix()));
    decor.set_prefix(prefix);
}

fn text(raw: Option<&RawString>) -> &str {
    raw.and_then(RawString::as_str).unwrap_or_default()
}

/// Adds to a campaign's table what its template gives it, as [`super::merge`] does to what is read.
fn write_out<'p>(path: &mut Vec<&'p str>, own: &mut dyn TableLike, template: &'p dyn TableLike) {
    for (name, item) in template.iter() {
        if stays_behind(path, name, |key| own.get(key)?.as_str()) {
            continue;
        }
        path.push(name);
        match own.get_mut(name) {
            None => insert(own, template.key(name), name, item),
            Some(there) if !is_whole(path) => {
                if let (Some(own), Some(template)) = (there.as_table_like_mut(), item.as_table_like()) {
                    write_out(path, own, template);
                }
            }
            Some(_) => {}
        }
        path.pop();
    }
}

fn insert(own: &mut dyn TableLike, key: Option<&Key>, name: &str, item: &Item) {
    let mut item = item.clone();
    unplaced(&mut item);
    own.insert(name, item);
    let comments = key.map_or("", |key| text(key.leaf_decor().prefix()));
    let comments: String = comments.split_inclusive('\n').filter(|line| !line.starts_with("#:schema ")).collect();
    if let Some(mut key) = own.key_mut(name).filter(|_| !comments.is_empty()) {
        key.leaf_decor_mut().set_prefix(comments);
    }
}

/// Lets tables go behind those that are there, whatever their place in the file they come from.
fn unplaced(item: &mut Item) {
    if let Some(table) = item.as_table_mut() {
        table.set_position(None);
        table.iter_mut().for_each(|(_, item)| unplaced(item));
    } else if let Some(tables) = item.as_array_of_tables_mut() {
        for table in tables.iter_mut() {
            table.set_position(None);
            table.iter_mut().for_each(|(_, item)| unplaced(item));
        }
    }
}

/// Points the `#:schema` line at the templates' schema, one folder further up if it is a path.
fn with_schema(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("#:schema ") {
        None => line.to_owned(),
        Some(schema) => {
            let up = if schema.contains("://") || schema.starts_with('/') { "" } else { "../" };
            format!("#:schema {up}{}", schema.replace("campaign.schema.json", "template.schema.json"))
        }
    };
    text.split_inclusive('\n').map(line).collect()
}
