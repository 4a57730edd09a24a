//! Kinds of values: one file per sort of option, each with its reader and its schema.

pub(crate) mod address;
pub(crate) mod choice;
pub(crate) mod condition;
pub(crate) mod days;
pub(crate) mod duration;
pub(crate) mod flag;
pub(crate) mod git;
pub(crate) mod goto;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod per_category;
pub(crate) mod phone;
pub(crate) mod question;
pub(crate) mod region;
pub(crate) mod round;
pub(crate) mod secret;
pub(crate) mod share;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod url;
