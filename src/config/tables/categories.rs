//! `shared/categories.toml`.

use crate::{
    config::{
        kinds::{
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::CategoryId,
};

table! {
    /// Number categories: what sort of line a number is. Contacts are imported with them, as `number.<id>`;
    /// campaigns call round by round of them, and retry by them.
    pub(crate) struct CategoriesFile "the file of number categories" {
        /// One `[[categories]]` for each.
        required categories: List<CategoryTable, 1> => [{ id = "mobile", name = "Mobile" }],
    }
}

table! {
    /// A number category.
    pub(crate) struct CategoryTable "a number category" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<CategoryId> => "mobile",
        /// Shown to people; 1 to 100 characters, unique.
        required name: Text<1, 100> => "Mobile",
    }
}
