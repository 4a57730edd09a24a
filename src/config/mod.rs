//! TOML text to domain values, or every diagnostic at once.
//!
//! [`load()`] reads a whole folder of campaigns, [`Settings::parse`] one machine's `dialops.toml`. Both
//! are pure. Each kind of value and each table is declared once (`kinds`, `tables`) and gives both
//! its reader, its JSON Schema and its page of the reference.

mod campaign;
pub mod change;
pub mod code;
pub mod compare;
pub mod diagnostic;
pub mod difference;
pub mod effective;
pub mod explain;
mod items;
mod kinds;
mod layout;
mod load;
mod loader;
mod missing;
mod network;
mod newer;
mod notifications;
mod open;
mod outbox;
mod read;
pub mod reference;
pub mod render;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod settings;
mod shared;
pub mod simulation;
mod source;
mod strays;
mod succession;
pub(crate) mod suggest;
mod syntax;
mod table;
mod tables;
pub mod template;
#[cfg(test)]
mod toml_test;
mod unclear;
mod verify;
mod version;
mod webhooks;
mod windows;

pub use diagnostic::Diagnostic;
pub use kinds::{duration::parse as duration, secret::SecretError};
pub use layout::{FILE_BYTES_MAX, is_campaign, is_configuration, is_template};
pub use load::{SourceFile, load};
pub use loader::{LoadedFile, Loader};
pub use settings::Settings;
pub use simulation::Simulation;
