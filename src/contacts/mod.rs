//! Contacts and entries of do-not-call lists in: rows of CSV or lines of JSON to the store, as a stream
//! of bounded memory.
//!
//! Good rows are kept, bad ones are told by line and reason, and the same file again changes
//! nothing. Who asks follows by [`ImportEvent`]s; what it may cost is bounded by the constants here
//! and by the capacity of that channel.

mod contact_rows;
mod draft;
mod entries;
mod header;
mod import;
mod keyring;
mod lines;
mod object;
mod patch;
mod records;
mod rotate;
mod row;
mod rows;
mod rules;
mod shown;
mod whole;

pub use self::{
    import::{ImportCounts, ImportError, ImportEvent, import, import_do_not_call, number},
    keyring::{KeyError, Keyring, OpenError, Place},
    patch::edit,
    rotate::{Rotated, rotate},
    rows::ImportFormat,
    rules::ImportRules,
    whole::{Read, read},
};
