//! The description as one JSON document.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::OnceLock,
};

use axum::{
    http::{Method, header},
    response::{IntoResponse, Response},
};
use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value as Json, json};

use super::{
    of,
    operation::{Content, Operation},
    operations, parameters,
};
use crate::http::{
    access::Right,
    openapi::operation::Shape,
    problem,
    router::ANSWER_TIMEOUT,
    routes::{self, Pace, Route},
    wire::ErrorBody,
};

const ABOUT: &str = "\
Campaigns, contacts, agents and results of one daemon. docs/api.md says how to sign in, how errors look, how lists are \
paged and how a write is repeated safely.\n\n\
Over the daemon's Unix socket nothing needs to be sent: the kernel says who asks. Over TCP it takes the token of the \
settings or a person's token, or, from a page of the daemon, a session and the header `X-Command-Key`.";

/// The description, with a line end behind it: the same for each build of a version.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// Serves it.
pub(in crate::http) async fn get() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(text).as_str();
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

fn document() -> Json {
    let mut shapes = Shapes::new();
    let mut paths: Map<String, Json> = Map::new();
    let mut tags = BTreeSet::new();
    for route in routes::all() {
        let Some(operation) = of(&route.method, route.path) else { continue };
        tags.insert(operation.tag);
        let described = described(&route, &operation, &mut shapes);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = described;
    }
    let tags: Vec<Json> = operations::TAGS
        .iter()
        .filter(|(name, _)| tags.contains(name))
        .map(|(name, about)| json!({ "name": name, "description": about }))
        .collect();
    let failures = std::mem::take(&mut shapes.failures);
    let schemas = shapes.finish(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dialops",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of `[http] token`, or a person's: `dialops people token`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-dialops_session",
                    "description": "Of who has signed in at /sign-in; on the daemon's own machine, over HTTP, it is \
                                    called `dialops_session`.",
                },
                "commandKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Command-Key",
                    "description": "What a page of the session sends with each command, so that no other site can.",
                },
            },
        },
    })
}

fn described(route: &Route, operation: &Operation, shapes: &mut Shapes) -> Json {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
    });
    let more = [who(route.right), operation.more].join(" ");
    described["description"] = json!(more.trim());
    let mut taken = parameters::of_path(route.path);
    taken.extend(route.takes_key().then(parameters::idempotency_key));
    taken.extend(operation.query.map(|shape| shapes.query(shape)).into_iter().flatten());
    if !taken.is_empty() {
        described["parameters"] = json!(taken);
    }
    if let Some(body) = &operation.body {
        let forms: Map<String, Json> =
            body.forms.iter().map(|form| (form.media.to_owned(), shapes.content(form, Way::In))).collect();
        described["requestBody"] = json!({ "required": body.required, "content": forms });
    }
    described["responses"] = json!(answers(route, operation, shapes));
    if route.right != Right::Open {
        let session = match route.method {
            Method::GET => json!({ "session": [] }),
            _ => json!({ "session": [], "commandKey": [] }),
        };
        described["security"] =
            if route.right == Right::Desk { json!([session]) } else { json!([{ "token": [] }, session]) };
    } else {
        described["security"] = json!([]);
    }
    described
}

fn who(right: Right) -> &'static str {
    match right {
        Right::Open => "For everybody.",
        Right::Look => "For viewers, supervisors and admins.",
        Right::Lead => "For supervisors and admins.",
        Right::Own => "For supervisors, admins and the agent whom the path names.",
        Right::Desk => "For agents who have signed in.",
        Right::SignedIn => "For everybody with an account.",
        Right::Rule => "For admins.",
    }
}

/// The statuses of failures that are told as problems: those that follow from the route, and its own.
pub(super) fn failures(route: &Route, operation: &Operation) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = operation.fails.iter().copied().collect();
    if operation.is_page || route.path.starts_with("/api/") {
        statuses.extend([500, 503]);
    }
    if route.pace == Pace::Prompt {
        statuses.insert(504);
    }
    if route.right != Right::Open {
        statuses.extend([401, 403]);
    }
    let has_names = parameters::names(route.path).next().is_some();
    if has_names {
        statuses.extend([400, 404]);
    }
    if operation.query.is_some() {
        statuses.insert(400);
    }
    if operation.body.is_some() {
        statuses.extend([400, 413]);
    }
    if route.takes_key() {
        statuses.extend([400, 409, 422]);
    }
    statuses
}

fn answers(route: &Route, operation: &Operation, shapes: &mut Shapes) -> BTreeMap<String, Json> {
    let mut all: BTreeMap<String, Json> = BTreeMap::new();
    for answer in &operation.answers {
        // One status may come with one media type or another.
        let told = all.entry(answer.status.to_string()).or_insert_with(|| json!({ "description": answer.about }));
        if let Some(content) = &answer.content {
            told["content"][content.media] = shapes.content(content, Way::Out);
        }
    }
    for status in failures(route, operation) {
        let failure = shapes.failure(status);
        match all.entry(status.to_string()) {
            Entry::Vacant(entry) => {
                entry.insert(json!({ "$ref": format!("#/components/responses/{}", name_of(status)) }));
            }
            // It is told in a form of the route's own too.
            Entry::Occupied(mut entry) => {
                entry.get_mut()["content"][problem::MEDIA_TYPE] = failure["content"][problem::MEDIA_TYPE].clone();
            }
        }
    }
    all
}

/// What a failure of a status is called.
fn name_of(status: u16) -> String {
    format!("Failed{status}")
}

/// What a failure of a status means.
fn failed(status: u16) -> String {
    match status {
        400 => "The request is not well formed; nothing was done".to_owned(),
        401 => "Nothing lets the sender in".to_owned(),
        403 => "The sender has no right to it".to_owned(),
        404 => "There is no such thing".to_owned(),
        408 => "The body did not come".to_owned(),
        409 => "It can't be done as things stand, or a request of the same Idempotency-Key is under way".to_owned(),
        413 => "The body is too long".to_owned(),
        415 => "The body is of another media type".to_owned(),
        422 => "What is asked for does not fit what is in force, or the Idempotency-Key came with another request"
            .to_owned(),
        429 => "Too many requests; try again later".to_owned(),
        500 => "The daemon failed; its log says why".to_owned(),
        503 => "The daemon does not take it now".to_owned(),
        504 => format!("It took longer than {} s", ANSWER_TIMEOUT.as_secs()),
        _ => "It failed".to_owned(),
    }
}

/// Which way a shape goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From clients: what may be left out is.
    In,
    /// To them.
    Out,
}

/// Shapes by name, those that are taken and those that are answered: the same type may differ in what has to be there.
struct Shapes {
    taken: SchemaGenerator,
    answered: SchemaGenerator,
    failures: BTreeMap<String, Json>,
}

/// Marks references of what is taken until all are known.
const TAKEN: &str = "#/components/taken/";
const ANSWERED: &str = "#/components/schemas/";

impl Shapes {
    fn new() -> Self {
        let generator = |path: &'static str, contract: Contract| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = path.trim_start_matches('#').trim_end_matches('/').into();
                settings.contract = contract;
                settings.meta_schema = None;
            })
        };
        Self {
            taken: generator(TAKEN, Contract::Deserialize).into_generator(),
            answered: generator(ANSWERED, Contract::Serialize).into_generator(),
            failures: BTreeMap::new(),
        }
    }

    /// The failure of a status, which stands once and is referred to.
    fn failure(&mut self, status: u16) -> &Json {
        let shape: Shape = |generator| generator.subschema_for::<ErrorBody>();
        let problem = self.content(&Content { media: problem::MEDIA_TYPE, shape: Some(shape) }, Way::Out);
        self.failures.entry(name_of(status)).or_insert_with(|| {
            let mut told = json!({ "description": failed(status), "content": { problem::MEDIA_TYPE: problem } });
            if status == 401 {
                told["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } });
            }
            told
        })
    }

    fn content(&mut self, content: &Content, way: Way) -> Json {
        let generator = match way {
            Way::In => &mut self.taken,
            Way::Out => &mut self.answered,
        };
        match content.shape {
            Some(shape) => json!({ "schema": shape(generator).to_value() }),
            None => json!({ "schema": { "type": "string" } }),
        }
    }

    /// The parameters that the fields of a query are.
    fn query(&mut self, shape: Shape) -> Vec<Json> {
        let schema = shape(&mut self.taken).to_value();
        let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let fields = schema["properties"].as_object().into_iter().flatten();
        fields
            .map(|(name, schema)| {
                let mut schema = schema.clone();
                let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
                parameters::without_null(&mut schema);
                json!({
                    "name": name,
                    "in": "query",
                    "required": required(name),
                    "description": about.unwrap_or_else(|| json!("")),
                    "schema": schema,
                })
            })
            .collect()
    }

    /// All of them by name. A shape that is taken and that an answer has otherwise gets a name of its own.
    fn finish(mut self, paths: &mut Map<String, Json>) -> Map<String, Json> {
        let (taken, mut all) = (self.taken.take_definitions(true), self.answered.take_definitions(true));
        let same = |name: &str, schema: &Json| {
            let taken = schema.to_string().replace(TAKEN, ANSWERED);
            all.get(name).map(Json::to_string).is_none_or(|answered| answered == taken)
        };
        let renamed: BTreeMap<String, String> = taken
            .iter()
            .map(|(name, schema)| {
                (name.clone(), if same(name, schema) { name.clone() } else { format!("{name}Taken") })
            })
            .collect();
        let rename = |schema: &mut Json| refer(schema, &renamed);
        for (name, mut schema) in taken {
            rename(&mut schema);
            all.insert(renamed.get(&name).cloned().unwrap_or(name), schema);
        }
        paths.values_mut().for_each(rename);
        all.sort_keys();
        all
    }
}

/// Has references to what is taken name it as it is called at last.
fn refer(value: &mut Json, renamed: &BTreeMap<String, String>) {
    match value {
        Json::Object(fields) => fields.values_mut().for_each(|value| refer(value, renamed)),
        Json::Array(items) => items.iter_mut().for_each(|value| refer(value, renamed)),
        Json::String(text) => {
            if let Some(name) = text.strip_prefix(TAKEN) {
                *text = format!("{ANSWERED}{}", renamed.get(name).map_or(name, String::as_str));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes: BTreeSet<(String, &str)> =
            routes::all().iter().map(|route| (route.method.to_string(), route.path)).collect();
        let described: Vec<(String, &str)> =
            operations::all().iter().map(|operation| (operation.method.to_string(), operation.path)).collect();
        let once: BTreeSet<(String, &str)> = described.iter().cloned().collect();
        assert_eq!(once.len(), described.len(), "one is described twice");
        let missing: Vec<_> = routes.difference(&once).collect();
        assert!(missing.is_empty(), "describe these in http/openapi/operations: {missing:?}");
        let gone: Vec<_> = once.difference(&routes).collect();
        assert!(gone.is_empty(), "these are no routes: {gone:?}");
    }

    #[test]
    fn ids_are_unique_and_each_operation_says_what_it_answers() {
        let mut ids = BTreeSet::new();
        for operation in operations::all() {
            assert!(ids.insert(operation.id), "{} stands twice", operation.id);
            assert!(!operation.answers.is_empty() && !operation.summary.is_empty(), "{}", operation.id);
            assert!(operations::TAGS.iter().any(|(name, _)| *name == operation.tag), "{}", operation.id);
        }
    }

    #[test]
    fn all_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        let names: Vec<&str> = text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(names.len() > 50, "nothing is referred to");
        for name in names {
            let pointer = name.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{name} is not there");
        }
    }
}
