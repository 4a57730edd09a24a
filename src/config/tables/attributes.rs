//! `shared/attributes.toml`.

use crate::{
    config::{
        kinds::{
            choice::Choice,
            flag::Flag,
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::{attribute::AttributeType, ids::AttributeId},
};

table! {
    /// Attributes: what is known of customers beside their numbers. Contacts are imported with them, as
    /// `attr.<id>`; campaigns filter and sort by them.
    pub(crate) struct AttributesFile "the file of attributes" {
        /// One `[[attributes]]` for each, at most 200.
        required attributes: List<AttributeTable, 1> => [{ id = "tier", name = "Tier", type = "string" }],
    }
}

table! {
    /// An attribute.
    pub(crate) struct AttributeTable "an attribute" {
        /// Identity: 1 to 30 of a-z, 0-9, '-' and '_', unique.
        required id: Slug<AttributeId> => "tier",
        /// Shown to people; 1 to 20 characters, unique.
        required name: Text<1, 20> => "Tier",
        /// What its values are: `string`, `number`, `date` (2031-03-04), or `encrypted`: text that is encrypted at
        /// rest, and neither filtered nor sorted on.
        required r#type: Choice<AttributeType> => "string",
        /// Whether an import refuses a contact without it.
        default(false) required: Flag => true,
        /// Whether agents see it.
        default(true) shown: Flag => true,
        /// Whether agents may change it.
        default(false) editable: Flag => true,
        /// Whether people see only the ends of its values.
        default(false) masked: Flag => true,
    }
}
