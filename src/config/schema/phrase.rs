//! What a schema allows, in a few words: the title of a key in editors, its type in the reference.

use serde_json::Value as Json;

use crate::config::suggest::listing;

/// `whole number from 1 to 5`, `list of at least 1 item: window`; a kind's own `title` says it best.
pub(crate) fn phrase(schema: &Json) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        return listing(&words, '"', "or");
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("{word:?}");
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(schemas) = schema[choice].as_array().filter(|_| schema["type"].is_null()) {
            let mut phrases: Vec<String> = schemas.iter().map(phrase).collect();
            phrases.dedup();
            return phrases.join(", or ");
        }
    }
    match schema["type"].as_str() {
        Some("string") => within("string", "character", schema, "minLength", "maxLength"),
        Some("integer") => number("whole number", schema),
        Some("number") => number("number", schema),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => list(schema),
        Some("object") => "table".to_owned(),
        _ => "any value".to_owned(),
    }
}

fn number(noun: &str, schema: &Json) -> String {
    match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
        (Some(least), None) => format!("{noun} of at least {least}"),
        (None, Some(most)) => format!("{noun} up to {most}"),
        (None, None) => noun.to_owned(),
    }
}

fn list(schema: &Json) -> String {
    let items = &schema["items"];
    let inner = if items.is_null() { "item".to_owned() } else { phrase(items) };
    if matches!(inner.as_str(), "item" | "table") {
        let counted = within("list", &inner, schema, "minItems", "maxItems");
        return if counted == "list" { format!("list of {inner}s") } else { counted };
    }
    format!("{}: {inner}", within("list", "item", schema, "minItems", "maxItems"))
}

/// `string of 1 to 100 characters`.
fn within(noun: &str, unit: &str, schema: &Json, least: &str, most: &str) -> String {
    let plural = |number: u64| if number == 1 { "" } else { "s" };
    match (schema[least].as_u64().unwrap_or(0), schema[most].as_u64()) {
        (0, None) => noun.to_owned(),
        (least, None) => format!("{noun} of at least {least} {unit}{}", plural(least)),
        (0, Some(most)) => format!("{noun} of up to {most} {unit}{}", plural(most)),
        (least, Some(most)) if least == most => format!("{noun} of {most} {unit}{}", plural(most)),
        (least, Some(most)) => format!("{noun} of {least} to {most} {unit}{}", plural(most)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_allowed_is_said_in_words() {
        for (schema, words) in [
            (json!({ "type": "integer", "minimum": 1, "maximum": 5 }), "whole number from 1 to 5"),
            (json!({ "type": "string", "minLength": 0, "maxLength": 200 }), "string of up to 200 characters"),
            (json!({ "type": "string", "enum": ["a", "b"] }), "\"a\" or \"b\""),
            (json!({ "type": "string", "title": "id", "pattern": "x" }), "id"),
            (json!({ "type": "array", "minItems": 1, "items": { "title": "id" } }), "list of at least 1 item: id"),
            (json!({ "type": "array", "items": { "type": "object" } }), "list of tables"),
            (json!({ "oneOf": [{ "type": "string" }, { "type": "object" }] }), "string, or table"),
            (json!({ "type": "object", "oneOf": [{ "required": ["file"] }] }), "table"),
        ] {
            assert_eq!(phrase(&schema), words);
        }
    }
}
