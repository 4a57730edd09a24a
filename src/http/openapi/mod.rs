//! The API's description, OpenAPI 3.1: made from the table of routes and from the shapes that handlers write and read.
//!
//! Each route has an `Operation`; what it does not say follows from the route. A test fails when a route has none, and
//! every answer is held against what is described of it (`contract`). To add one see CONTRIBUTING.md.

mod contract;
mod document;
mod operation;
mod operations;
mod parameters;

use axum::http::Method;

pub use self::document::text;
pub(super) use self::{
    contract::{Contract, hold},
    document::get,
    operation::Operation,
};

/// What is described of a route.
pub(super) fn of(method: &Method, path: &str) -> Option<Operation> {
    operations::all().into_iter().find(|operation| operation.method == *method && operation.path == path)
}
