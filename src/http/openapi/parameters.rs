//! Parameters: those of paths, and those that many routes take.

use serde_json::{Value as Json, json};

use crate::http::{
    idempotency::{KEY_LENGTH_MAX, KEY_LENGTH_MIN},
    wire::forms::{ATTEMPT, PRINTABLE, SLUG},
};

/// Parameters of a path, as its braces name them.
pub(super) fn of_path(path: &str) -> Vec<Json> {
    names(path).map(|name| of_name(path, name)).collect()
}

/// The names in braces.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn of_name(path: &str, name: &str) -> Json {
    let slug = |what: &str| (what.to_owned(), slug());
    let (about, schema) = match name {
        "campaign" => slug("The campaign's id"),
        "agent" => slug("The agent's id"),
        "person" => slug("The person's id"),
        "list" => slug("The do-not-call list's id"),
        "customer" => ("The customer's id, percent-encoded".to_owned(), printable()),
        "batch" => ("The batch's name, percent-encoded".to_owned(), printable()),
        "id" if path.starts_with("/api/") => ("Its number".to_owned(), json!({ "type": "integer", "minimum": 1 })),
        "attempt" => ("The attempt's id".to_owned(), json!({ "type": "string", "pattern": ATTEMPT })),
        _ => slug("Its id"),
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
}

/// An id of campaigns, agents and the like.
pub(super) fn slug() -> Json {
    json!({ "type": "string", "pattern": SLUG })
}

fn printable() -> Json {
    json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE })
}

/// The header of a write that may be repeated.
pub(super) fn idempotency_key() -> Json {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A text that no other request of the sender has; a request that comes again with it is answered \
                        as the first was, and nothing is done again. Kept for 24 hours.",
        "schema": { "type": "string", "pattern": format!("^[!-~]{{{KEY_LENGTH_MIN},{KEY_LENGTH_MAX}}}$") },
    })
}

/// Takes away that a parameter may be null: it may be left out, and there is no null in a query.
pub(super) fn without_null(schema: &mut Json) {
    if let Some(kinds) = schema.get_mut("type").and_then(Json::as_array_mut) {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            schema["type"] = kind.clone();
        }
    }
    if let Some(values) = schema.get_mut("enum").and_then(Json::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    if schema.get("default").is_some_and(Json::is_null)
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("default");
    }
}
