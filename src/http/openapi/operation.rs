//! What is said of a route: what it is for, what it takes, and what it answers.

use axum::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a shape.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// JSON, as nearly all is.
pub(super) const JSON: &str = "application/json";
/// One JSON object a line.
pub(super) const LINES: &str = "application/x-ndjson";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a body holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    /// Its media type, without parameters.
    pub(super) media: &'static str,
    /// Its schema; none for what is no JSON.
    pub(super) shape: Option<Shape>,
}

/// An answer that is no failure.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// With which status.
    pub(super) status: u16,
    /// What it says, in half a sentence.
    pub(super) about: &'static str,
    /// What it holds.
    pub(super) content: Option<Content>,
}

/// A body that a route takes.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// In which forms.
    pub(super) forms: Vec<Content>,
    /// Whether it has to be there.
    pub(super) required: bool,
}

/// What is said of a route.
#[derive(Debug, Clone)]
pub(in crate::http) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Names it in programs: `listPeople`.
    pub(super) id: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// What it is about; names a group.
    pub(super) tag: &'static str,
    /// Whatever else is to be known.
    pub(super) more: &'static str,
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// Failures beside those that follow from the route.
    pub(super) fails: Vec<u16>,
    /// Whether the rest is told in answers of its own forms, not as problems.
    pub(super) is_page: bool,
}

fn operation(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        tag: "",
        more: "",
        query: None,
        body: None,
        answers: Vec::new(),
        fails: Vec::new(),
        is_page: false,
    }
}

/// One that shows something.
pub(super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::GET, path, id, summary)
}

/// One that does something.
pub(super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::POST, path, id, summary)
}

/// One that sets something.
pub(super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::PUT, path, id, summary)
}

/// One that changes parts of something.
pub(super) fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::PATCH, path, id, summary)
}

/// One that takes something away.
pub(super) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation(Method::DELETE, path, id, summary)
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

fn inline<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

impl Operation {
    /// What else is to be known, in whole sentences.
    pub(super) fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    /// The query that it takes; each field of `T` is a parameter.
    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(inline::<T>), ..self }
    }

    /// The JSON that it takes.
    pub(super) fn body<T: JsonSchema>(self) -> Self {
        self.takes(Content { media: JSON, shape: Some(shape::<T>) }, true)
    }

    /// The same where it may be left out.
    pub(super) fn optional_body<T: JsonSchema>(self) -> Self {
        self.takes(Content { media: JSON, shape: Some(shape::<T>) }, false)
    }

    /// A form that it takes.
    pub(super) fn form<T: JsonSchema>(self) -> Self {
        self.takes(Content { media: FORM, shape: Some(shape::<T>) }, true)
    }

    /// A body of a media type that it takes, which is no JSON.
    pub(super) fn raw(self, media: &'static str) -> Self {
        self.takes(Content { media, shape: None }, true)
    }

    fn takes(mut self, content: Content, required: bool) -> Self {
        let body = self.body.get_or_insert(Body { forms: Vec::new(), required });
        body.forms.push(content);
        self
    }

    /// It answers with JSON.
    pub(super) fn json<T: JsonSchema>(self) -> Self {
        self.answer(200, "What was asked for", Some(Content { media: JSON, shape: Some(shape::<T>) }))
    }

    /// It answers with lines of JSON, as they come.
    pub(super) fn lines<T: JsonSchema>(self) -> Self {
        self.answer(200, "One JSON object a line", Some(Content { media: LINES, shape: Some(shape::<T>) }))
    }

    /// It answers with an empty body once it is done.
    pub(super) fn done(self) -> Self {
        self.answer(204, "It is done", None)
    }

    /// It answers with a page.
    pub(super) fn page(self) -> Self {
        let page = Self { is_page: true, ..self };
        page.answer(200, "The page", Some(Content { media: HTML, shape: None }))
    }

    /// It answers with text.
    pub(super) fn plain(self) -> Self {
        self.answer(200, "The text", Some(Content { media: TEXT, shape: None }))
    }

    /// It answers with something else.
    pub(super) fn other(self, media: &'static str) -> Self {
        self.answer(200, "The text", Some(Content { media, shape: None }))
    }

    /// It answers with a status and something else too.
    pub(super) fn other_as(self, status: u16, media: &'static str, about: &'static str) -> Self {
        self.answer(status, about, Some(Content { media, shape: None }))
    }

    /// It answers with a status and text too.
    pub(super) fn plain_as(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Some(Content { media: TEXT, shape: None }))
    }

    /// It answers with a status and a page too.
    pub(super) fn page_as(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Some(Content { media: HTML, shape: None }))
    }

    /// It answers with a status and JSON too.
    pub(super) fn json_as<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Some(Content { media: JSON, shape: Some(shape::<T>) }))
    }

    /// It answers with a status and nothing else too.
    pub(super) fn empty_as(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, None)
    }

    fn answer(mut self, status: u16, about: &'static str, content: Option<Content>) -> Self {
        self.answers.push(Answer { status, about, content });
        self
    }

    /// It may fail with these statuses, beside those that follow from its route.
    pub(super) fn fails(mut self, statuses: &[u16]) -> Self {
        self.fails.extend(statuses);
        self
    }

    /// Puts it into a group.
    pub(super) fn tagged(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }
}
