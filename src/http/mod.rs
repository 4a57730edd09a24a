//! What is served: health, metrics, status, the page and the API.
//!
//! Everything here reads values that the loops publish, asks the `Store`, or hands a command to a
//! loop; nothing here decides. What holds no personal data is open; the rest needs a credential
//! ([`access`]).

pub mod access;
mod agents;
mod audit;
mod batches;
mod business;
mod campaigns;
mod change;
mod contacts;
mod customers;
mod deliveries;
mod desk;
mod do_not_call;
mod error;
mod exports;
mod files;
mod health;
mod hooks;
mod idempotency;
mod import;
mod journal;
mod lines;
pub mod listen;
mod listing;
pub mod openapi;
mod overrides;
mod page;
mod pages;
mod paging;
mod pause;
mod people;
mod plan;
mod problem;
mod questionnaire;
mod reconcile;
mod results;
mod router;
mod routes;
mod serve;
mod sources;
mod state;
mod statistics;
mod status;
mod today;
pub mod wire;

pub use error::ApiError;
pub use idempotency::{IDEMPOTENCY_KEY, UNDER_WAY};
pub use people::{Sessions, SignIns};
pub use router::router;
pub use serve::{Listeners, serve};
pub use state::{Instance, ServerState};
pub use today::NewestToday;
