//! Kinds of values: one file per sort of option, each with its reader and its schema.

pub(crate) mod address;
pub(crate) mod choice;
pub(crate) mod days;
pub(crate) mod duration;
pub(crate) mod list;
pub(crate) mod number;
pub(crate) mod phone;
pub(crate) mod secret;
pub(crate) mod text;
pub(crate) mod time;
