//! `shared/do-not-call.toml`.

use crate::{
    config::{
        kinds::{
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::DoNotCallId,
};

table! {
    /// Do-not-call lists: their names and meaning. The numbers on them are imported, and never stand in a file.
    pub(crate) struct DoNotCallFile "the file of do-not-call lists" {
        /// One `[[lists]]` for each.
        required lists: List<DoNotCallTable, 1> => [{ id = "objected", name = "Objected to calls" }],
    }
}

table! {
    /// A do-not-call list. It holds in the campaigns that name it, and in all if the tenant names it.
    pub(crate) struct DoNotCallTable "a do-not-call list" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<DoNotCallId> => "objected",
        /// Shown to people; 1 to 100 characters, unique.
        required name: Text<1, 100> => "Objected to calls",
        /// What it is for and where it comes from; up to 200 characters.
        default(String::new()) description: Text<0, 200> => "Customers who told us not to call",
    }
}
