//! One line of JSON: a contact, or everything that is wrong with it.

use serde_json::{Map, Value};

use super::draft::{Context, Draft, Given};
use crate::{
    config::suggest::{self, listing},
    domain::contact::NewContact,
};

/// Keys of a contact.
const KEYS: [&str; 7] = ["customer_id", "numbers", "attributes", "priority", "timezone", "not_before", "custom_field"];

/// Keys of a number.
const NUMBER_KEYS: [&str; 2] = ["category", "number"];

/// Reads a line.
pub(super) fn read(line: &str, context: Context<'_>) -> Result<NewContact, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| match error.column() {
        0 => "is not JSON".to_owned(),
        column => format!("is not JSON, at column {column}"),
    })?;
    let Value::Object(object) = value else { return Err("must be a JSON object".to_owned()) };
    let mut draft = Draft::new(context);
    if !object.contains_key("customer_id") {
        draft.problem("customer_id: is missing");
    }
    for (key, value) in &object {
        match key.as_str() {
            "customer_id" => text(&mut draft, key, value, Draft::customer),
            "numbers" => numbers(&mut draft, context, value),
            "attributes" => attributes(&mut draft, context, value),
            "priority" => match value {
                Value::Number(number) => draft.priority(&number.to_string()),
                other => text(&mut draft, key, other, Draft::priority),
            },
            "timezone" => text(&mut draft, key, value, Draft::timezone),
            "not_before" => text(&mut draft, key, value, Draft::not_before),
            "custom_field" => text(&mut draft, key, value, Draft::custom_field),
            _ => draft.problem(unknown(key, &KEYS)),
        }
    }
    draft.finish()
}

/// Takes in a text; `null` is a missing one.
fn text<'a>(draft: &mut Draft<'a>, key: &str, value: &Value, take: fn(&mut Draft<'a>, &str)) {
    match value {
        Value::Null => take(draft, ""),
        Value::String(text) => take(draft, text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            draft.problem(format!("{key}: must be a text"));
        }
    }
}

fn numbers(draft: &mut Draft<'_>, context: Context<'_>, value: &Value) {
    const EXPECTED: &str = "numbers: must be a list of {\"category\": …, \"number\": …}";
    let Value::Array(numbers) = value else { return draft.problem(EXPECTED) };
    for number in numbers {
        let Value::Object(number) = number else { return draft.problem(EXPECTED) };
        if let Some(key) = number.keys().find(|key| !NUMBER_KEYS.contains(&key.as_str())) {
            draft.problem(format!("numbers: {}", unknown(key, &NUMBER_KEYS)));
        }
        let (Some(category), Some(number)) = (member(number, "category"), member(number, "number")) else {
            return draft.problem(EXPECTED);
        };
        match context.rules.category(category) {
            Ok(category) => draft.number(&category, number),
            Err(problem) => draft.problem(format!("numbers: {problem}")),
        }
    }
}

fn member<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

fn attributes(draft: &mut Draft<'_>, context: Context<'_>, value: &Value) {
    let object = match value {
        Value::Null => return,
        Value::Object(object) => object,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return draft.problem("attributes: must be an object of values by attribute");
        }
    };
    for (id, value) in object {
        let attribute = match context.rules.attribute(id) {
            Ok(attribute) => attribute,
            Err(problem) => {
                draft.problem(format!("attributes: {problem}"));
                continue;
            }
        };
        match value {
            Value::Null => {}
            Value::String(text) => draft.attribute(attribute, Given::Text(text)),
            Value::Number(number) => {
                draft.attribute(attribute, Given::Number(number.as_f64().unwrap_or(f64::NAN)));
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                draft.problem(format!("attributes.{id}: must be a text or a number"));
            }
        }
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
    match suggest::nearest(key, known.iter().copied()) {
        Some(meant) => format!("key {key:?} is not known; did you mean {meant:?}?"),
        None => format!("key {key:?} is not known; there are {}", listing(known, '"', "and")),
    }
}
