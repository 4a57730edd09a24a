//! The two sides of `extends`: a campaign that may leave out what its template gives, and a template,
//! which may leave out anything.

use serde_json::{Map, Value as Json, json};

use crate::config::template::is_inherited;

/// The schema of a campaign's file, from the one of its table: with `extends`, what a template can
/// give may be missing, in tables too; items of lists are always whole.
pub(super) fn campaign(table: Json) -> Json {
    let mut schema = table;
    let strict = take_required(&mut schema, &|key| is_inherited(key));
    let extends = json!({ "required": ["extends"], "additionalProperties": true });
    schema["if"] = json!({ "not": extends, "additionalProperties": true });
    schema["then"] = strict.unwrap_or_else(|| json!({}));
    schema
}

/// The schema of a template's file, from the one of a campaign's table without the keys that a
/// template may not have.
pub(crate) fn template(table: Json, refused: &[&str]) -> Json {
    let mut schema = table;
    take_required(&mut schema, &|key| key != "id");
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|key, _| !refused.contains(&key.as_str()));
        for (key, about) in OWN {
            properties[key]["description"] = json!(about);
        }
    }
    schema["description"] =
        json!("What campaigns that say `extends` have in common. Every key but `id` may be left out.");
    schema
}

/// What a template's own keys are for.
const OWN: [(&str, &str); 3] = [
    ("id", "The template's own identity: 1 to 64 of a-z, 0-9 and '-', unique. Campaigns name it in `extends`."),
    ("name", "The template's own name; campaigns do not take it over."),
    ("description", "What the template is for; campaigns do not take it over."),
];

/// Takes the required keys that `may_go` out of a table and the tables in it; gives them as a schema.
fn take_required(schema: &mut Json, may_go: &dyn Fn(&str) -> bool) -> Option<Json> {
    let mut taken = Map::new();
    if let Some(required) = schema.get_mut("required").and_then(Json::as_array_mut) {
        let goes = |key: &Json| key.as_str().is_some_and(may_go);
        let gone: Vec<Json> = required.iter().filter(|key| goes(key)).cloned().collect();
        required.retain(|key| !goes(key));
        if !gone.is_empty() {
            taken.insert("required".to_owned(), json!(gone));
        }
    }
    let properties = schema.get_mut("properties").and_then(Json::as_object_mut);
    let mut inner = Map::new();
    for (key, property) in properties.into_iter().flatten() {
        if let Some(strict) = take_required(property, &|_| true) {
            inner.insert(key.clone(), strict);
        }
    }
    if !inner.is_empty() {
        taken.insert("properties".to_owned(), Json::Object(inner));
    }
    if taken.is_empty() {
        return None;
    }
    // Which keys there may be is said once; a strict validator would take silence for "none".
    taken.insert("additionalProperties".to_owned(), json!(true));
    Some(Json::Object(taken))
}
