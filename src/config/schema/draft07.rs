//! The same schema in draft 07, which is what most editors read.

use serde_json::{Map, Value as Json, json};

/// The twin of a document in draft 2020-12.
pub(super) fn twin(document: &Json) -> Json {
    let mut twin = rewritten(document);
    twin["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    twin
}

fn rewritten(schema: &Json) -> Json {
    match schema {
        Json::Object(object) => {
            let mut written = Map::new();
            for (key, value) in object {
                let key = if key == "$defs" { "definitions" } else { key };
                written.insert(key.to_owned(), rewritten(value));
            }
            reference(written)
        }
        Json::Array(items) => items.iter().map(rewritten).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => schema.clone(),
    }
}

/// In draft 07 whatever stands beside a `$ref` is ignored; inside `allOf` the two stand apart.
fn reference(mut object: Map<String, Json>) -> Json {
    let Some(target) = object.get("$ref").and_then(Json::as_str) else { return Json::Object(object) };
    let target = json!({ "$ref": target.replace("#/$defs/", "#/definitions/") });
    if object.len() == 1 {
        return target;
    }
    object.shift_remove("$ref");
    object.insert("allOf".to_owned(), json!([target]));
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::file_types;

    /// Words that mean the same in both drafts; one that is not here needs a rewriting above.
    const KEYWORDS: [&str; 26] = [
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "description",
        "else",
        "enum",
        "examples",
        "format",
        "if",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "not",
        "oneOf",
        "pattern",
        "required",
        "then",
        "title",
        "type",
    ];

    fn each_schema(schema: &Json, see: &mut impl FnMut(&str)) {
        let Json::Object(object) = schema else { return };
        for (key, value) in object {
            match key.as_str() {
                "properties" | "patternProperties" | "$defs" => {
                    value.as_object().unwrap().values().for_each(|inner| each_schema(inner, see));
                }
                "$schema" | "x-taplo" | "uniqueItems" => {}
                "default" | "examples" | "enum" | "const" | "required" => see(key),
                _ => {
                    see(key);
                    each_schema(value, see);
                    value.as_array().into_iter().flatten().for_each(|inner| each_schema(inner, see));
                }
            }
        }
    }

    #[test]
    fn every_keyword_is_known_to_both_drafts() {
        for file in file_types() {
            each_schema(&file.schema, &mut |keyword| {
                assert!(KEYWORDS.contains(&keyword), "{}: `{keyword}`", file.name);
            });
        }
    }

    #[test]
    fn a_reference_keeps_what_stands_beside_it() {
        let document = json!({
            "properties": { "a": { "$ref": "#/$defs/x", "description": "A." }, "b": { "$ref": "#/$defs/x" } },
            "$defs": { "x": { "type": "string" } },
        });
        let expected = json!({
            "properties": {
                "a": { "description": "A.", "allOf": [{ "$ref": "#/definitions/x" }] },
                "b": { "$ref": "#/definitions/x" },
            },
            "definitions": { "x": { "type": "string" } },
            "$schema": "http://json-schema.org/draft-07/schema#",
        });
        assert_eq!(twin(&document), expected);
    }
}
