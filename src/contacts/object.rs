//! One line of JSON: a contact, or everything that is wrong with it.
//!
//! As strict as a row of CSV is: no key stands twice, and a number is a decimal one. So values are
//! looked at as they stand.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    draft::{Context, Draft, Given},
    shown,
};
use crate::{
    config::suggest::{self, listing},
    domain::contact::NewContact,
};

/// Keys of a contact.
const KEYS: [&str; 7] = ["customer_id", "numbers", "attributes", "priority", "timezone", "not_before", "custom_field"];

/// Keys of a number.
const NUMBER_KEYS: [&str; 2] = ["category", "number"];

/// A key and its value.
pub(super) type Member<'a> = (String, &'a RawValue);

/// An object's members in order, repeated ones too.
pub(super) struct Members<'a>(pub(super) Vec<Member<'a>>);

/// A value, opened as far as its own kind.
pub(super) enum Value<'a> {
    Null,
    Text(String),
    Number(&'a str),
    List(Vec<&'a RawValue>),
    Object(Members<'a>),
    /// A boolean, or a text with half a character.
    Other,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl<'a> Value<'a> {
    pub(super) fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        let opened = match text.as_bytes().first() {
            Some(b'n') => Some(Self::Null),
            Some(b'"') => serde_json::from_str(text).ok().map(Self::Text),
            Some(b'[') => serde_json::from_str(text).ok().map(Self::List),
            Some(b'{') => serde_json::from_str(text).ok().map(Self::Object),
            Some(b'-' | b'0'..=b'9') => Some(Self::Number(text)),
            _ => None,
        };
        opened.unwrap_or(Self::Other)
    }
}

/// The members of a text that is one object.
pub(super) fn open(line: &str) -> Result<Members<'_>, String> {
    let raw: &RawValue = serde_json::from_str(line).map_err(|error| match error.column() {
        0 => "is not JSON".to_owned(),
        column => format!("is not JSON, at column {column}"),
    })?;
    if let Value::Object(object) = Value::of(raw) { Ok(object) } else { Err("must be a JSON object".to_owned()) }
}

/// Reads a line.
pub(super) fn read(line: &str, context: Context<'_>) -> Result<NewContact, String> {
    let object = open(line)?;
    let mut draft = Draft::new(context);
    let members = once(&mut draft, "", object);
    if !members.iter().any(|(key, _)| key == "customer_id") {
        draft.problem("customer_id: is missing");
    }
    for (key, raw) in members {
        let value = Value::of(raw);
        match key.as_str() {
            "customer_id" => text(&mut draft, &key, value, Draft::customer),
            "custom_field" => text(&mut draft, &key, value, Draft::custom_field),
            _ => field(&mut draft, context, &key, value, &KEYS),
        }
    }
    draft.finish()
}

/// Takes in what a contact has that an edit may change as well; any other key is none of `known`.
pub(super) fn field(draft: &mut Draft<'_>, context: Context<'_>, key: &str, value: Value<'_>, known: &[&str]) {
    match key {
        "numbers" => numbers(draft, context, value),
        "attributes" => attributes(draft, context, value),
        "priority" => match value {
            Value::Number(number) => draft.priority(number),
            other => text(draft, key, other, Draft::priority),
        },
        "timezone" => text(draft, key, value, Draft::timezone),
        "not_before" => text(draft, key, value, Draft::not_before),
        _ => draft.problem(unknown(key, known)),
    }
}

/// The members without those whose key stood before, each of which is a problem.
pub(super) fn once<'v>(draft: &mut Draft<'_>, place: &str, Members(members): Members<'v>) -> Vec<Member<'v>> {
    let mut seen = BTreeSet::new();
    let (once, again): (Vec<_>, Vec<_>) = members.into_iter().partition(|(key, _)| seen.insert(key.clone()));
    for (key, _) in again {
        draft.problem(format!("{place}{} stands twice", named(&key)));
    }
    once
}

/// Takes in a text; `null` is a missing one.
fn text<'a>(draft: &mut Draft<'a>, key: &str, value: Value<'_>, take: fn(&mut Draft<'a>, &str)) {
    match value {
        Value::Null => take(draft, ""),
        Value::Text(text) => take(draft, &text),
        Value::Number(_) | Value::List(_) | Value::Object(_) | Value::Other => {
            draft.problem(format!("{key}: must be a text"));
        }
    }
}

fn numbers(draft: &mut Draft<'_>, context: Context<'_>, value: Value<'_>) {
    const EXPECTED: &str = "numbers: must be a list of {\"category\": …, \"number\": …}";
    let Value::List(numbers) = value else { return draft.problem(EXPECTED) };
    for number in numbers {
        let Value::Object(number) = Value::of(number) else { return draft.problem(EXPECTED) };
        let number = once(draft, "numbers: ", number);
        if let Some((key, _)) = number.iter().find(|(key, _)| !NUMBER_KEYS.contains(&key.as_str())) {
            draft.problem(format!("numbers: {}", unknown(key, &NUMBER_KEYS)));
        }
        let (Some(category), Some(number)) = (member(&number, "category"), member(&number, "number")) else {
            return draft.problem(EXPECTED);
        };
        match context.rules.category(&category) {
            Ok(category) => draft.number(&category, &number),
            Err(problem) => draft.problem(format!("numbers: {problem}")),
        }
    }
}

fn member(object: &[Member<'_>], key: &str) -> Option<String> {
    let (_, raw) = object.iter().find(|(known, _)| known == key)?;
    if let Value::Text(text) = Value::of(raw) { Some(text) } else { None }
}

fn attributes(draft: &mut Draft<'_>, context: Context<'_>, value: Value<'_>) {
    let object = match value {
        Value::Null => return,
        Value::Object(object) => object,
        Value::Text(_) | Value::Number(_) | Value::List(_) | Value::Other => {
            return draft.problem("attributes: must be an object of values by attribute");
        }
    };
    for (id, raw) in once(draft, "attributes: ", object) {
        let attribute = match context.rules.attribute(&id) {
            Ok(attribute) => attribute,
            Err(problem) => {
                draft.problem(format!("attributes: {problem}"));
                continue;
            }
        };
        match Value::of(raw) {
            Value::Null => draft.without(attribute),
            Value::Text(text) => draft.attribute(attribute, Given::Text(&text)),
            Value::Number(number) => draft.attribute(attribute, Given::Number(number)),
            Value::List(_) | Value::Object(_) | Value::Other => {
                draft.problem(format!("attributes.{id}: must be a text or a number"));
            }
        }
    }
}

/// What to say of a key that is none of `known`.
pub(super) fn unknown(key: &str, known: &[&str]) -> String {
    let key_is = format!("{} is not known", named(key));
    match suggest::nearest(key, known.iter().copied()) {
        Some(meant) => format!("{key_is}; did you mean {meant:?}?"),
        None => format!("{key_is}; there are {}", listing(known, '"', "and")),
    }
}

/// A key by its name, unless that could be a customer's.
pub(super) fn named(key: &str) -> String {
    shown::name(key).map_or_else(|| "a key".to_owned(), |name| format!("key {name}"))
}
