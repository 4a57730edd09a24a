//! `shared/business-results.toml`.

use crate::{
    config::{
        kinds::{
            flag::Flag,
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::{BusinessResultId, SubResultId},
};

table! {
    /// Business results: what a conversation may achieve. Agents or the CRM set one after a call, and campaigns
    /// have rules for what follows.
    pub(crate) struct BusinessResultsFile "the file of business results" {
        /// One `[[business_results]]` for each.
        required business_results: List<BusinessResultTable, 1> => [{ id = "sold", name = "Sold" }],
    }
}

table! {
    /// A business result.
    pub(crate) struct BusinessResultTable "a business result" {
        /// Identity: 1 to 50 of a-z, 0-9, '-' and '_', unique.
        required id: Slug<BusinessResultId> => "declined",
        /// Shown to people; 1 to 50 characters, unique.
        required name: Text<1, 50> => "Declined",
        /// Its shades, of which an agent may choose one.
        default(Vec::new()) sub_results: List<SubResultTable, 0> => [{ id = "too-dear", name = "Too dear" }],
        /// Whether an agent who sets it is asked when to call again.
        default(false) schedules_callback: Flag => true,
        /// Whether it counts as the campaign's goal.
        default(false) counts_as_goal: Flag => true,
    }
}

table! {
    /// A shade of a business result.
    pub(crate) struct SubResultTable "a sub-result" {
        /// Identity: 1 to 50 of a-z, 0-9, '-' and '_', unique in its business result.
        required id: Slug<SubResultId> => "too-dear",
        /// Shown to people; 1 to 50 characters.
        required name: Text<1, 50> => "Too dear",
    }
}
